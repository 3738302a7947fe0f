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

mod circular;
mod deep;
mod inert;

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
