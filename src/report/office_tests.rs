//! Workbooks and the circular, read back by readers of others (calamine, zip with an XML parser's eye): the numbers of all
//! formats, nothing that acts, and the same bytes twice.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Read};

use calamine::{Data, Reader, Xlsx};
use serde_json::Value;

use super::csv::unguard;
use super::fixture::{Fixture, fixture};
use super::format::percent;
use super::model::Report;
use super::text::Text;
use super::{File, Format, Lang, Template, render_all};
use crate::judge::summarise::Standing;
use crate::model::deep::{BlockingHost, FaultyLink, HostClass, Latencies, LinkRates, Pair, Rate, Skylight, Spread};
use crate::model::evidence::{FetchEnd, Owner};
use crate::model::school::Category;
use crate::model::site::SiteKey;
use crate::model::verdict::Readiness;

const SHEETS: [&str; 8] = ["汇总", "地区", "学校", "整改清单", "链路明细", "问题链接", "外链情况", "说明"];

fn files(fixture: &Fixture, lang: Lang) -> Vec<File> {
    render_all(&fixture.input(lang)).unwrap()
}

fn is(name: &str, format: &str) -> bool {
    name.rsplit('.').next() == Some(format)
}

fn bytes<'a>(files: &'a [File], name: &str) -> &'a [u8] {
    &files.iter().find(|(of, _)| of == name).unwrap_or_else(|| panic!("no {name}")).1
}

/// Rows of a sheet's table as maps from heading to cell, given a heading that only its header row has.
fn table(workbook: &[u8], sheet: &str, heading: &str) -> Vec<BTreeMap<String, Data>> {
    let mut reader: Xlsx<_> = Xlsx::new(Cursor::new(workbook.to_vec())).unwrap();
    let range = reader.worksheet_range(sheet).unwrap();
    let rows: Vec<Vec<Data>> = range.rows().map(<[Data]>::to_vec).collect();
    let head = rows.iter().position(|row| row.iter().any(|cell| *cell == Data::String(heading.into()))).unwrap();
    let columns: Vec<String> = rows[head].iter().map(ToString::to_string).collect();
    let body = rows[head + 1..].iter().take_while(|row| row.iter().any(|cell| *cell != Data::Empty));
    body.map(|row| columns.iter().cloned().zip(row.iter().cloned()).collect()).collect()
}

fn count(cell: &Data) -> u64 {
    match cell {
        Data::Float(number) if number.fract() == 0.0 => format!("{number}").parse().unwrap(),
        Data::Int(number) => (*number).try_into().unwrap(),
        other => panic!("{other:?} is no number"),
    }
}

/// A share of one as a percentage with two decimals. Empty: none.
fn share(cell: &Data) -> String {
    match cell {
        Data::Empty => String::new(),
        Data::Float(share) => format!("{:.2}", share * 100.0),
        Data::Int(share) => format!("{share}00.00"),
        other => panic!("{other:?} is no share"),
    }
}

fn text(cell: &Data) -> String {
    unguard(&cell.to_string()).to_owned()
}

fn json(files: &[File]) -> Value {
    serde_json::from_slice(bytes(files, "summary.json")).unwrap()
}

/// Rows of a CSV file as maps from column to text without the guard.
fn csv(files: &[File], name: &str) -> Vec<BTreeMap<String, String>> {
    let text = bytes(files, name).strip_prefix(b"\xef\xbb\xbf").unwrap();
    let mut reader = ::csv::Reader::from_reader(text);
    let columns: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let rows = reader.records().map(Result::unwrap);
    rows.map(|row| columns.iter().cloned().zip(row.iter().map(|cell| unguard(cell).to_owned())).collect()).collect()
}

/// The parts of a file that is a ZIP, by name.
fn parts(file: &[u8]) -> BTreeMap<String, String> {
    let mut archive = zip::ZipArchive::new(Cursor::new(file.to_vec())).unwrap();
    let mut parts = BTreeMap::new();
    for index in 0..archive.len() {
        let mut part = archive.by_index(index).unwrap();
        let mut text = String::new();
        part.read_to_string(&mut text).unwrap();
        parts.insert(part.name().unwrap().into_owned(), text);
    }
    parts
}

/// The text of a document, a line for each paragraph, as an XML reader sees it.
fn words(document: &[u8]) -> String {
    let part = &parts(document)["word/document.xml"];
    let mut reader = quick_xml::Reader::from_str(part);
    let (mut text, mut inside) = (String::new(), false);
    loop {
        match reader.read_event().unwrap() {
            quick_xml::events::Event::Start(tag) => inside = tag.name().as_ref() == "w:t",
            quick_xml::events::Event::End(tag) => {
                inside = false;
                if tag.name().as_ref() == "w:p" {
                    text.push('\n');
                }
            }
            quick_xml::events::Event::Text(part) if inside => text.push_str(&part.xml10_content()),
            quick_xml::events::Event::GeneralRef(part) if inside => {
                text.push(part.resolve_char_ref().unwrap().expect("numeric references only"));
            }
            quick_xml::events::Event::Eof => return text,
            _ => {}
        }
    }
}

/// A fixture with what the deep profile gives at one site.
fn deep() -> Fixture {
    let mut deep = fixture();
    let rate = |supported, judged| Rate { supported, judged, found: judged, capped: false };
    let shared = SiteKey("www.yz1.school.example".into());
    let assessment = deep.assessments.get_mut(&shared).unwrap();
    assessment.facts.links =
        Some(Box::new(LinkRates { level2: rate(3, 4), level3: rate(0, 0), ..LinkRates::default() }));
    assessment.facts.skylight = Some(Box::new(Skylight {
        hosts: rate(1, 2),
        resources: rate(3, 10),
        weighted: Some(0.4),
        blocking: vec![BlockingHost { host: "cdn.example".into(), class: HostClass::Cdn, dead: false, resources: 7 }],
        scripts: 2,
    }));
    let spread = |median_us| Spread { n: 10, median_us, quartiles_us: (median_us - 500, median_us + 500) };
    let pair = |v4, v6, degradation| Pair { v4: Some(spread(v4)), v6: Some(spread(v6)), degradation };
    assessment.facts.latencies = Some(Box::new(Latencies {
        success6: (9, 10),
        success4: (10, 10),
        dns: Pair::default(),
        tcp: pair(20_000, 30_000, Some(0.0)),
        first_byte: pair(900_000, 1_000_000, None),
        page: pair(2_000_000, 3_000_000, Some(0.5)),
    }));
    let faulty = FaultyLink {
        url: "http://old.example/=cmd".into(),
        level: 2,
        owner: Owner::External,
        intranet: false,
        v4: FetchEnd::Status(200),
        v6: FetchEnd::NoAddress,
        leads_to: None,
    };
    deep.faulty_links.add(&shared, vec![faulty]);
    deep
}

#[test]
fn every_sheet_is_there_and_marked() {
    for (lang, mark, names) in [
        (Lang::Zh, "模拟数据", SHEETS.map(str::to_owned).to_vec()),
        (
            Lang::En,
            "Simulated",
            ["Summary", "Regions", "Schools", "To mend", "Links by site", "Links to mend", "Outside hosts", "Notes"]
                .map(str::to_owned)
                .to_vec(),
        ),
    ] {
        let files = files(&fixture(), lang);
        for (name, bytes) in files.iter().filter(|(name, _)| is(name, "xlsx")) {
            let mut reader: Xlsx<_> = Xlsx::new(Cursor::new(bytes.clone())).unwrap();
            if name == "workbook.xlsx" {
                assert_eq!(reader.sheet_names(), names);
            }
            for (sheet, range) in reader.worksheets() {
                let marked =
                    range.rows().take(4).any(|row| row[0].to_string().to_lowercase().starts_with(&mark.to_lowercase()));
                assert!(marked, "{name}: {sheet}");
            }
            // On every printed page as well.
            let parts = parts(bytes);
            for (part, xml) in parts.iter().filter(|(part, _)| part.starts_with("xl/worksheets/sheet")) {
                assert!(
                    xml.contains("<oddHeader>") && xml.contains("orientation=") || xml.contains("paperSize=\"9\""),
                    "{name}: {part}"
                );
            }
        }
        assert!(
            parts(bytes(&files, "bulletin.docx"))["word/header1.xml"].to_lowercase().contains(&mark.to_lowercase())
        );
    }
}

#[test]
fn workbook_json_and_csv_have_the_same_regions() {
    let files = files(&fixture(), Lang::Zh);
    let (summary, lines) = (json(&files), csv(&files, "regions.csv"));
    let rows = table(bytes(&files, "workbook.xlsx"), "地区", "地区代码");
    let infos = summary["regions"].as_array().unwrap();
    assert_eq!((rows.len(), lines.len()), (infos.len(), infos.len()));
    for info in infos {
        let code = info["code"].as_str().unwrap();
        let row = rows.iter().find(|row| text(&row["地区代码"]) == code).unwrap();
        let line = lines.iter().find(|line| line["region_code"] == code).unwrap();
        for (column, key) in [("列入", "listed"), ("就绪", "ready"), ("已判定", "judged"), ("不计入", "out_of_base")]
        {
            assert_eq!(count(&row[column]), info["counts"][key].as_u64().unwrap(), "{code} {column}");
            assert_eq!(count(&row[column]).to_string(), line[key], "{code} {column}");
        }
        for (column, key) in [
            ("完成率", "rate_pct"),
            ("可能范围下限", "range_low_pct"),
            ("可能范围上限", "range_high_pct"),
            ("覆盖率", "coverage_pct"),
        ] {
            assert_eq!(share(&row[column]), line[key], "{code} {column}");
        }
        match info["rank"].as_u64() {
            Some(rank) => assert_eq!(count(&row["名次"]), rank, "{code}"),
            None => assert!(matches!(&row["名次"], Data::Empty | Data::String(_)), "{code}: {:?}", row["名次"]),
        }
        for verdict in Readiness::ALL.iter().filter(|verdict| **verdict != Readiness::Inconclusive) {
            let column = Text::of(Lang::Zh).standing(Standing::Verdict(*verdict));
            assert_eq!(count(&row[column]).to_string(), line[verdict.name()], "{code} {column}");
        }
    }
}

#[test]
fn workbook_json_and_csv_have_the_same_totals_tasks_and_causes() {
    let files = files(&fixture(), Lang::Zh);
    let summary = json(&files);
    let book = bytes(&files, "workbook.xlsx");
    let total = &table(book, "汇总", "范围")[0];
    for (column, key) in [
        ("列入", "listed"),
        ("就绪", "ready"),
        ("已判定", "judged"),
        ("未判定", "inconclusive"),
        ("不计入", "out_of_base"),
    ] {
        assert_eq!(count(&total[column]), summary["total"][key].as_u64().unwrap(), "{column}");
    }
    assert_eq!([share(&total["完成率"]), share(&total["覆盖率"])], ["53.85", "86.67"]);
    let tasks = table(book, "汇总", "任务");
    for (row, task) in tasks.iter().zip(summary["tasks"].as_array().unwrap()) {
        let (ready, judged) = (task["counts"]["ready"].as_u64().unwrap(), task["counts"]["judged"].as_u64().unwrap());
        assert_eq!((count(&row["就绪"]), count(&row["已判定"])), (ready, judged));
        assert_eq!(share(&row["完成率"]), percent(ready, judged).unwrap());
        assert_eq!(share(&row["目标"]), format!("{:.2}", task["target"].as_f64().unwrap() * 100.0));
    }
    assert_eq!(tasks.len(), 2);
    let standings = table(book, "汇总", "占列入");
    for verdict in Readiness::ALL {
        let name = Text::of(Lang::Zh).verdict(verdict);
        let row = standings.iter().find(|row| text(&row["判定"]) == name).unwrap();
        assert_eq!(count(&row["学校数"]), summary["total"]["verdicts"][verdict.name()].as_u64().unwrap(), "{name}");
    }
    let causes = table(book, "汇总", "改哪里");
    for (row, cause) in causes.iter().zip(summary["causes"].as_array().unwrap()) {
        assert_eq!(text(&row["改哪里"]), cause["subject"].as_str().unwrap());
        assert_eq!(count(&row["改好即达标的学校"]), cause["helped"].as_u64().unwrap());
    }
    assert_eq!(causes.len(), summary["causes"].as_array().unwrap().len());
}

#[test]
fn workbook_json_and_csv_have_the_same_schools_and_findings() {
    let files = files(&fixture(), Lang::Zh);
    let words = Text::of(Lang::Zh);
    let book = bytes(&files, "workbook.xlsx");
    let summary = json(&files);
    let schools = summary["schools"].as_array().unwrap();
    let rows = table(book, "学校", "学校标识码");
    assert_eq!((rows.len(), csv(&files, "schools.csv").len()), (schools.len(), schools.len()));
    let fixture = fixture();
    let report = Report::new(&fixture.input(Lang::Zh));
    for ((row, school), inner) in rows.iter().zip(schools).zip(report.schools.iter()) {
        assert_eq!(text(&row["学校"]), school["name"].as_str().unwrap());
        assert_eq!(text(&row["域名"]), school["domain"].as_str().unwrap_or_default());
        assert_eq!(text(&row["判定"]), words.standing(inner.standing));
        assert_eq!(text(&row["计入统计"]) == "是", school["counted"] == true);
        assert_eq!(count(&row["问题数"]), school["findings"].as_array().unwrap().len() as u64);
        match school["latency_v6_ms"].as_f64() {
            Some(ms) => assert_eq!(row["IPv6 首包（毫秒）"], Data::Float(ms)),
            None => assert_eq!(row["IPv6 首包（毫秒）"], Data::Empty),
        }
        // A real day: 2026-10-25 in Beijing, thirty days before the run began there.
        match school["first_seen"].as_str() {
            Some(_) => {
                assert!(matches!(&row["首次监测"], Data::DateTime(day) if (day.as_f64() - 46320.0).abs() < 1e-9));
            }
            None => assert_eq!(row["首次监测"], Data::Empty),
        }
    }
    let lines = csv(&files, "findings.csv");
    let rows = table(book, "整改清单", "整改期限");
    assert_eq!(rows.len(), lines.len());
    let of = |name: String, code: String, title: String| format!("{name}|{code}|{title}");
    let ours: BTreeSet<String> =
        rows.iter().map(|row| of(text(&row["学校"]), text(&row["问题代码"]), text(&row["问题"]))).collect();
    let theirs: BTreeSet<String> =
        lines.iter().map(|line| of(line["name"].clone(), line["code"].clone(), line["title"].clone())).collect();
    assert_eq!(ours, theirs);
    for row in &rows {
        assert!(!text(&row["怎么改"]).is_empty() && !text(&row["自行复测"]).is_empty());
        for column in ["整改期限", "负责人", "整改状态", "备注"] {
            assert_eq!(row[column], Data::Empty, "left for staff");
        }
    }
}

#[test]
fn a_bureaus_workbook_has_its_schools_and_no_others() {
    let files = files(&fixture(), Lang::Zh);
    let made = fixture();
    let report = Report::new(&made.input(Lang::Zh));
    for region in &report.regions {
        let stem = region.page.trim_end_matches(".html");
        let book = bytes(&files, &format!("{stem}.xlsx"));
        let direct = region.parent.is_none();
        let counts = if direct { &region.direct } else { &region.counts };
        let total = &table(book, "概况", "范围")[0];
        assert_eq!((count(&total["列入"]), count(&total["就绪"])), (counts.listed, counts.ready), "{}", region.name);
        let rows = table(book, "学校", "学校标识码");
        let counted = rows.iter().filter(|row| text(&row["计入统计"]) == "是").count() as u64;
        assert_eq!(counted, counts.listed, "{}", region.name);
        if direct {
            assert!(rows.iter().all(|row| region.code.0 == text(&row["地区代码"])));
        }
        let page = std::str::from_utf8(bytes(&files, &region.page)).unwrap();
        assert!(page.contains(&format!("href=\"../{stem}.xlsx\"")), "{}", region.name);
    }
    // Without workbooks no page links to one.
    let mut pages = fixture();
    pages.formats = [Format::Html].into();
    let made = self::files(&pages, Lang::Zh);
    assert!(made.iter().all(|(name, _)| is(name, "html") || name == "manifest.json"), "{made:?}");
    for (name, page) in made.iter().filter(|(name, _)| is(name, "html")) {
        assert!(!std::str::from_utf8(page).unwrap().contains(".xlsx"), "{name}");
    }
}

#[test]
fn every_number_of_the_deep_profile_is_in_a_file_and_on_the_page() {
    let files = files(&deep(), Lang::Zh);
    let line = csv(&files, "links.csv").remove(0);
    for (column, value) in [
        ("level2_supported", "3"),
        ("level3_judged", "0"),
        ("resources_weighted_pct", "40.00"),
        ("scripts", "2"),
        ("success_v6", "9"),
        ("dns_v6_median_ms", ""),
        ("dns_degradation_pct", ""),
        ("tcp_v6_median_ms", "30.0"),
        ("tcp_v4_q1_ms", "19.5"),
        ("tcp_degradation_pct", "0.0"),
        ("first_byte_v6_q3_ms", "1000.5"),
        ("first_byte_degradation_pct", ""),
        ("page_v6_median_ms", "3000"),
        ("page_v4_q3_ms", "2000.5"),
        ("page_degradation_pct", "50.0"),
    ] {
        assert_eq!(line[column], value, "{column}");
    }
    let page = std::str::from_utf8(bytes(&files, "regions/990100.html")).unwrap();
    for shown in [
        "3 / 4 (75.00%)",
        "未判定（找到 0 个）",
        "1 / 2 (50.00%) · 资源 3 / 10 (30.00%) · 按类型加权 40.00% · cdn.example · 页面含脚本，脚本运行后才生成或加载的内容不在检查范围内",
        "IPv6 9 / 10 · IPv4 10 / 10",
        "IPv6 30 ms (30 ms–31 ms, n=10) · IPv4 20 ms (20 ms–21 ms, n=10) · 两种协议视为相同",
        "IPv6 3.0 s (2.9 s–3.0 s, n=10) · IPv4 2.0 s (1.9 s–2.0 s, n=10) · IPv6 较 IPv4 +50.0%",
    ] {
        assert!(page.contains(shown), "{shown}");
    }
    assert!(page.contains("样本不足，不比较") && !page.contains("DNS 解析耗时"));
}

#[test]
fn the_deep_profile_fills_its_sheets_and_nothing_judged_is_no_zero() {
    let files = files(&deep(), Lang::Zh);
    let book = bytes(&files, "workbook.xlsx");
    let rows = table(book, "链路明细", "二级内链支持率");
    let row = rows.iter().find(|row| row["二级内链支持数"] != Data::Empty).unwrap();
    assert_eq!((count(&row["二级内链支持数"]), share(&row["二级内链支持率"])), (3, "75.00".into()));
    assert_eq!((count(&row["三级内链可判定数"]), share(&row["三级内链支持率"])), (0, String::new()));
    let links = table(book, "问题链接", "问题与整改");
    assert_eq!(links.len(), 2, "two schools share the site");
    assert_eq!((text(&links[0]["级别"]), text(&links[0]["IPv6 结果"])), ("第 2 级".into(), "没有地址".into()));
    assert!(text(&links[0]["问题与整改"]).starts_with("old.example 没有 IPv6 地址"));
    let line = csv(&files, "faulty_links.csv").remove(0);
    assert_eq!([&line["url"], &line["owner"], &line["v6"]], ["http://old.example/=cmd", "external", "no_address"]);
    let of_region = bytes(&files, "regions/990100.xlsx");
    assert_eq!(table(of_region, "问题链接", "链接").len(), 2);
    assert_eq!(text(&row["检查范围"]), "");
    let hosts = table(book, "外链情况", "归属");
    assert_eq!((text(&hosts[0]["主机"]), text(&hosts[0]["归属"])), ("cdn.example".into(), "公共分发网络".into()));
    let in_the_way = csv(&files, "blocking.csv");
    assert_eq!(in_the_way[0]["resources"], count(&hosts[0]["页面资源"]).to_string());
    // Every region that a school is in, at each level.
    let of: Vec<[&str; 3]> =
        in_the_way.iter().map(|line| ["region_code", "region", "schools"].map(|name| &*line[name])).collect();
    assert_eq!(of, [["990000", "示例省", "2"], ["990100", "甲州市", "2"]]);
    assert_eq!(count(&hosts[0]["影响学校数"]), 2, "two schools share the site");
    // Without it, the sheet says so.
    let plain = self::files(&fixture(), Lang::Zh);
    let mut reader: Xlsx<_> = Xlsx::new(Cursor::new(bytes(&plain, "workbook.xlsx").to_vec())).unwrap();
    let said = reader.worksheet_range("外链情况").unwrap();
    assert!(said.rows().any(|row| row[0].to_string().contains("本次未做深度监测")));
    let said = reader.worksheet_range("问题链接").unwrap();
    assert!(said.rows().any(|row| row[0].to_string().contains("本次未做深度监测")));
}

#[test]
fn hosts_of_listed_schools_are_known_and_a_part_is_called_a_part() {
    let mut fixture = deep();
    let listed: Vec<SiteKey> = fixture.roster.sites.keys().cloned().collect();
    let key = SiteKey("www.yz1.school.example".into());
    let other = listed.iter().find(|site| **site != key && site.host().starts_with("www.")).unwrap();
    let below = other.host().replacen("www.", "img.", 1);
    let facts = &mut fixture.assessments.get_mut(&key).unwrap().facts;
    facts.links.as_mut().unwrap().level3.capped = true;
    let blocking = &mut facts.skylight.as_mut().unwrap().blocking;
    let of = |host: &str, class| BlockingHost { host: host.into(), class, dead: false, resources: 1 };
    blocking.push(of(&below, HostClass::Other));
    blocking.push(of("elsewhere.example", HostClass::Other));
    blocking.push(of(other.host(), HostClass::Government));
    let files = files(&fixture, Lang::Zh);
    let classes: BTreeMap<String, String> =
        csv(&files, "blocking.csv").into_iter().map(|line| (line["host"].clone(), line["class"].clone())).collect();
    assert_eq!(classes[&below], "school");
    assert_eq!((&*classes["elsewhere.example"], &*classes[other.host()]), ("other", "government"));
    let rows = table(bytes(&files, "workbook.xlsx"), "链路明细", "检查范围");
    assert!(rows.iter().any(|row| text(&row["检查范围"]) == "仅检查一部分"));
}

#[test]
fn sheets_are_made_to_be_worked_with() {
    let files = files(&fixture(), Lang::Zh);
    let parts = parts(bytes(&files, "workbook.xlsx"));
    for number in [2, 3, 4, 5] {
        let sheet = &parts[&format!("xl/worksheets/sheet{number}.xml")];
        for wanted in [
            "<pane ",
            "state=\"frozen\"",
            "<autoFilter ",
            "orientation=\"landscape\"",
            "paperSize=\"9\"",
            "fitToHeight=\"0\"",
        ] {
            assert!(sheet.contains(wanted), "sheet {number}: {wanted}");
        }
    }
    assert_eq!(parts["xl/workbook.xml"].matches("_xlnm.Print_Titles").count(), 4);
    let list = &parts["xl/worksheets/sheet4.xml"];
    assert!(list.contains("type=\"list\"") && list.contains("type=\"date\"") && list.contains("未开始,整改中,已完成"));
    assert!(list.contains("<cfRule type=\"cellIs\""));
    let styles = &parts["xl/styles.xml"];
    for format in ["0.00%", "yyyy\\-mm\\-dd", "#,##0.0"] {
        let plain = format.replace('\\', "");
        assert!(styles.contains(format) || styles.contains(&plain) || format == "0.00%", "{format}");
    }
    let core = &parts["docProps/core.xml"];
    assert!(core.contains("<dcterms:created xsi:type=\"dcterms:W3CDTF\">2026-11-23T19:11:35Z"), "{core}");
    assert!(core.contains("示例省学校网站 IPv6 升级就绪情况") && core.contains("示教科〔2026〕1号"));
}

#[test]
fn offices_that_are_counted_are_not_called_schools() {
    let mut fixture = fixture();
    fixture.roster.schools[0].category = crate::model::school::Category::EducationAuthority;
    fixture.recount();
    let made = files(&fixture, Lang::Zh);
    let said = words(bytes(&made, "bulletin.docx"));
    assert!(said.contains("学校共 21 所（含教育行政部门等其他单位 1 个），"), "{said}");
    let page = String::from_utf8_lossy(bytes(&made, "index.html")).into_owned();
    assert!(page.contains("列入监测的学校及其他单位共 21 个") && !page.contains("列入监测的 21 所学校"));
}

#[test]
fn the_circular_has_the_figures_of_the_pages() {
    let fixture = fixture();
    let files = files(&fixture, Lang::Zh);
    let said = words(bytes(&files, "bulletin.docx"));
    for wanted in [
        "关于示例省教育系统门户网站",
        "按照示教科〔2026〕1号关于",
        "截至2026年11月24日，列入监测的学校共 21 所，能够作出判定的 13 所，7 所的门户网站已支持 IPv6 访问（其中 1 所有缺陷），完成率 53.85%，可能范围 46.67% 至 60.00%。",
        "尚未启用 IPv6 的学校 3 所。已有 IPv6 地址但不能正常访问的学校 3 所。",
        "另有 2 所未能判定。因无网站、网站不可用等不计入统计的 6 所。",
        "1.域名没有 AAAA 记录，3 所；",
        "附件：1. 各地整改清单",
        "2026年　　月　　日",
    ] {
        assert!(said.contains(wanted), "{wanted}\n{said}");
    }
    // The table: place, region, listed, judged, ready, completion. Nobody has a place, since the run is not complete.
    let table: Vec<&str> = said.lines().skip_while(|line| *line != "名次").skip(7).take(35).collect();
    for line in csv(&files, "regions.csv").iter().filter(|line| line["level"] == "city") {
        let at = table.iter().position(|cell| *cell == line["region"]).unwrap();
        assert_eq!(table[at + 1..=at + 3], [&*line["listed"], &*line["judged"], &*line["ready"]]);
        assert_eq!(table[at + 4], format!("{} %", line["rate_pct"]));
        assert_eq!(table[at - 1], "不排名");
    }
    let total = table.iter().position(|cell| *cell == "合计").unwrap();
    assert_eq!(table[total + 1..=total + 4], ["21", "13", "7", "53.85 %"]);
    let document = &parts(bytes(&files, "bulletin.docx"))["word/document.xml"];
    // The signature never stands alone on a page: what comes before it goes with it.
    let last = document.split("<w:p>").find(|part| part.contains("（三）核对反馈")).unwrap();
    assert!(last.contains("w:val=\"LastText\""), "{last}");
    // 37, 26, 35 and 28 mm in twentieths of a point (GB/T 9704).
    assert!(document.contains("w:top=\"2098\" w:right=\"1474\" w:bottom=\"1984\" w:left=\"1588\""));
    assert!(document.contains("<w:tblHeader/>"));
    for (lang, typefaces) in [(Lang::Zh, 3), (Lang::En, 2)] {
        let made = self::files(&fixture, lang);
        let table = &parts(bytes(&made, "bulletin.docx"))["word/fontTable.xml"];
        assert_eq!((table.matches("<w:font ").count(), table.matches("<w:altName ").count()), (typefaces, typefaces));
    }
}

#[test]
fn only_a_complete_run_ranks_regions_in_the_circular() {
    let ranks = |fixture: &Fixture| -> (String, Vec<(String, String)>) {
        let said = words(bytes(&files(fixture, Lang::Zh), "bulletin.docx"));
        let cells: Vec<String> = said.lines().skip_while(|line| *line != "名次").skip(7).map(str::to_owned).collect();
        let rows = cells.chunks(7).take(3).map(|row| (row[1].clone(), row[0].clone())).collect();
        (said, rows)
    };
    let pairs = |rows: [(&str, &str); 3]| rows.map(|(name, rank)| (name.to_owned(), rank.to_owned())).to_vec();
    let mut run = fixture();
    let (said, rows) = ranks(&run);
    assert!(said.contains("各地均不排名") && !said.contains("的不排名"), "{said}");
    assert_eq!(rows, pairs([("甲州市", "不排名"), ("乙阳市", "不排名"), ("丁川市", "不排名")]));
    // The one who is ahead comes later in the lists: the order of an incomplete run does not say so.
    run.roster.regions.swap(1, 2);
    run.recount();
    assert_eq!(ranks(&run).1[0].0, "乙阳市");
    run.policy.minimum_coverage = 0.5;
    run.roster.rows.retain(|row| row.source.line != 22);
    run.roster.schools.truncate(20);
    run.recount();
    let (said, rows) = ranks(&run);
    assert!(said.contains("低于 50% 的不排名") && !said.contains("均不排名"), "{said}");
    assert_eq!(rows, pairs([("甲州市", "1"), ("乙阳市", "2"), ("丁川市", "3")]));
}

#[test]
fn staff_change_the_words_without_building() {
    let shipped = include_str!("../../templates/bulletin/bulletin.zh.toml");
    let own = shipped.replace("四、工作要求", "四、下步安排（{rate}）").replace("仿宋_GB2312", "楷体");
    let template = Template::parse("own.toml", &own).unwrap();
    let fixture = fixture();
    let input = super::ReportInput { template: &template, ..fixture.input(Lang::Zh) };
    let files = render_all(&input).unwrap();
    assert!(words(bytes(&files, "bulletin.docx")).contains("四、下步安排（53.85%）"));
    assert!(parts(bytes(&files, "bulletin.docx"))["word/styles.xml"].contains("w:eastAsia=\"楷体\""));
}

/// Every text that a list or a server can bring in, at once.
fn hostile(payload: &str) -> Fixture {
    let mut hostile = deep();
    for school in &mut hostile.roster.schools {
        school.name = payload.into();
        school.responsible_unit = Some(payload.into());
        school.code = Some(payload.into());
        school.category = Category::K12;
    }
    for region in &mut hostile.roster.regions {
        region.name = payload.into();
    }
    hostile.policy.area = payload.into();
    hostile.policy.number = payload.into();
    hostile.policy.title = payload.into();
    for task in &mut hostile.policy.tasks {
        task.title = payload.into();
    }
    hostile.run.vantage.name = payload.into();
    for assessment in hostile.assessments.values_mut() {
        assessment.facts.title = Some(payload.into());
        assessment.facts.v6_status = payload.into();
        if let Some(skylight) = &mut assessment.facts.skylight {
            skylight.blocking[0].host = payload.into();
        }
        for finding in &mut assessment.findings {
            finding.args = finding.args.iter().map(|(name, _)| (name, payload)).collect();
        }
    }
    hostile.recount();
    hostile
}

#[test]
fn nothing_in_an_office_file_acts() {
    let long = format!("={}", "汉".repeat(40_000));
    let payloads = [
        "=cmd|'/c calc'!A1",
        "+1+1",
        "-2+3",
        "@SUM(1)",
        "\t=1+1",
        "＝1+1",
        "]]></w:t></w:r><w:r><w:instrText>DDEAUTO</w:instrText></w:r><w:t>",
        "&LX&\"<f>1</f>\u{1b}[31m\u{202e}\u{fffe}\u{ffff}\0_x0041_{rate}{{ 7*7 }}",
        long.as_str(),
    ];
    for payload in payloads {
        let hostile = hostile(payload);
        for (name, bytes) in files(&hostile, Lang::Zh) {
            if is(&name, "xlsx") {
                workbook_is_inert(&name, &bytes);
            }
            if is(&name, "docx") {
                let parts = parts(&bytes);
                for (part, xml) in parts.iter().filter(|(part, _)| is(part, "xml")) {
                    let mut reader = quick_xml::Reader::from_str(xml);
                    while !matches!(reader.read_event().expect(part), quick_xml::events::Event::Eof) {}
                    assert!(!xml.contains(['\u{1b}', '\u{202e}', '\0', '\u{ffff}', '\u{fffe}']), "{part}");
                }
                assert!(!parts["word/document.xml"].contains("<w:instrText"), "{payload}");
            }
        }
    }
}

fn workbook_is_inert(name: &str, bytes: &[u8]) {
    let parts = parts(bytes);
    for (part, xml) in &parts {
        assert!(!xml.contains("<f>") && !xml.contains("<f "), "{name}: {part} has a formula");
        assert!(!part.contains("externalLink") && !part.contains("vba"), "{name}: {part}");
        let links: Vec<&str> = xml.split("Target=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        for target in links.iter().filter(|_| part.contains("worksheets/_rels")) {
            let own = target.starts_with("http://") && target.ends_with(".example/");
            assert!(own || *target == "../drawings/drawing1.xml", "{name}: {target}");
        }
    }
    let mut reader: Xlsx<_> = Xlsx::new(Cursor::new(bytes.to_vec())).unwrap();
    for (sheet, range) in reader.worksheets() {
        for cell in range.used_cells().map(|(_, _, cell)| cell.to_string()) {
            let bare = cell.trim_start();
            assert!(
                !bare.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']) || bare.parse::<f64>().is_ok(),
                "{name} {sheet}: {cell}"
            );
            assert!(!cell.contains(['\u{1b}', '\u{202e}', '\0', '\t']), "{name} {sheet}: {cell}");
        }
    }
}

#[test]
fn office_files_are_the_same_bytes_twice() {
    for lang in [Lang::Zh, Lang::En] {
        let (first, second) = (files(&deep(), lang), files(&deep(), lang));
        let office = |files: Vec<File>| -> Vec<File> {
            files.into_iter().filter(|(name, _)| is(name, "xlsx") || is(name, "docx")).collect()
        };
        let (first, second) = (office(first), office(second));
        assert_eq!(first.len(), 7);
        assert!(first == second);
    }
}
