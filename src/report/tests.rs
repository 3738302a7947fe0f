//! All formats together: the same numbers everywhere, the same bytes twice, and nothing that acts.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::fixture::{finding, fixture};
use super::format::{base64, hex, percent};
use super::{File, Lang, Publication, Report, ReportInput, csv};
use crate::judge::summarise::Standing;
use crate::model::finding::Code;
use crate::model::run::RunEnd;
use crate::model::school::RegionCode;
use crate::model::site::{Site, SiteKey};
use crate::model::verdict::Readiness;

mod inert;

fn render_all(input: &ReportInput) -> Vec<File> {
    super::render_all(input).unwrap()
}

fn bytes<'a>(files: &'a [File], name: &str) -> &'a [u8] {
    let found = files.iter().find(|(of, _)| of == name);
    &found.unwrap_or_else(|| panic!("no {name}")).1
}

fn file<'a>(files: &'a [File], name: &str) -> &'a str {
    std::str::from_utf8(bytes(files, name)).unwrap()
}

fn json(files: &[File], name: &str) -> Value {
    serde_json::from_str(file(files, name)).unwrap()
}

/// Rows of a CSV file as maps from column to text without the guard.
fn table(files: &[File], name: &str) -> Vec<BTreeMap<String, String>> {
    let text = file(files, name).strip_prefix('\u{feff}').expect("a byte order mark");
    assert!(text.contains("\r\n"), "CRLF");
    let mut reader = ::csv::Reader::from_reader(text.as_bytes());
    let columns: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    reader
        .records()
        .map(|row| columns.iter().cloned().zip(row.unwrap().iter().map(|cell| csv::unguard(cell).to_owned())).collect())
        .collect()
}

fn is(name: &str, format: &str) -> bool {
    name.rsplit('.').next() == Some(format)
}

fn count(haystack: &str, needle: &str) -> usize {
    haystack.matches(needle).count()
}

#[test]
fn the_files_are_those_that_the_contract_names() {
    let files = render_all(&fixture().input(Lang::Zh));
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "index.html",
            "regions/990000.html",
            "regions/990100.html",
            "regions/990200.html",
            "regions/990300.html",
            "regions/990281.html",
            "workbook.xlsx",
            "regions/990000.xlsx",
            "regions/990100.xlsx",
            "regions/990200.xlsx",
            "regions/990300.xlsx",
            "regions/990281.xlsx",
            "bulletin.docx",
            "schools.csv",
            "regions.csv",
            "causes.csv",
            "findings.csv",
            "summary.json",
            "manifest.json"
        ]
    );
    assert!(file(&files, "schools.csv").starts_with(
        "\u{feff}domain,name,school_code,region_code,region,county_code,category,responsible_unit,readiness,reason,stack,\
         findings,aaaa,a,v6_status,v4_status,latency_v6_ms,latency_v4_ms,first_seen,changed\r\n"
    ));
}

#[test]
fn the_same_bytes_twice() {
    for lang in [Lang::Zh, Lang::En] {
        let (first, second) = (fixture(), fixture());
        assert!(render_all(&first.input(lang)) == render_all(&second.input(lang)));
    }
}

#[test]
fn all_formats_show_the_same_numbers() {
    let fixture = fixture();
    let files = render_all(&fixture.input(Lang::Zh));
    let summary = json(&files, "summary.json");
    let total = &fixture.summary.total;
    // 21 schools: 7 pass, 6 fail, 1 not judged and 1 not reached, 6 out of the base.
    assert_eq!(
        (total.listed, total.ready(), total.judged(), total.inconclusive(), total.out_of_base()),
        (21, 7, 13, 2, 6)
    );
    for (key, expected) in [("listed", 21), ("ready", 7), ("judged", 13), ("inconclusive", 2), ("out_of_base", 6)] {
        assert_eq!(summary["total"][key], expected, "{key}");
    }
    let schools = table(&files, "schools.csv");
    let rows = summary["schools"].as_array().unwrap();
    assert_eq!((schools.len(), rows.len()), (fixture.roster.rows.len(), fixture.roster.rows.len()));
    let mut by_standing: BTreeMap<&str, u64> = BTreeMap::new();
    for (line, row) in schools.iter().zip(rows) {
        assert_eq!(line["name"], row["name"].as_str().unwrap());
        assert_eq!(line["domain"], row["domain"].as_str().unwrap_or_default());
        assert_eq!(line["readiness"], row["readiness"].as_str().unwrap());
        if row["counted"] == true {
            *by_standing.entry(row["readiness"].as_str().unwrap()).or_default() += 1;
        }
    }
    for verdict in Readiness::ALL {
        assert_eq!(by_standing.get(verdict.name()).copied().unwrap_or(0), total.of(verdict), "{verdict:?}");
        assert_eq!(summary["total"]["verdicts"][verdict.name()], total.of(verdict));
    }
    let index = file(&files, "index.html");
    for text in ["53.85", "46.67 – 60.00", "86.67"] {
        assert!(index.contains(text), "{text}");
    }
    assert!(index.contains(
        "示例省列入监测的 21 所学校中，能够作出判定的有 13 所，其中 7 所的门户网站已支持 IPv6 访问，完成率 53.85%。"
    ));
    for (line, region) in table(&files, "regions.csv").iter().zip(summary["regions"].as_array().unwrap()) {
        let counts = &region["counts"];
        for key in ["listed", "ready", "judged", "inconclusive", "out_of_base"] {
            assert_eq!(line[key], counts[key].to_string(), "{key}");
        }
        let rate = percent(counts["ready"].as_u64().unwrap(), counts["judged"].as_u64().unwrap());
        assert_eq!(line["rate_pct"], rate.clone().unwrap_or_default());
        let page = file(&files, region["page"].as_str().unwrap());
        if region["level"] != "province" {
            assert!(page.contains(&format!("列入监测的 {} 所学校中", counts["listed"])), "{}", region["name"]);
            assert!(rate.is_none_or(|rate| page.contains(&rate) && index.contains(&rate)));
        }
    }
}

#[test]
fn causes_say_what_mending_them_brings() {
    let fixture = fixture();
    let files = render_all(&fixture.input(Lang::Zh));
    let summary = json(&files, "summary.json");
    let causes = summary["causes"].as_array().unwrap();
    // 3 ABSENT and 3 BROKEN portals, one ABSENT service: 7 rows, each of them a cause of its own.
    assert_eq!(causes.iter().map(|cause| cause["rows"].as_u64().unwrap()).sum::<u64>(), 7);
    assert_eq!(causes.iter().map(|cause| cause["helped"].as_u64().unwrap()).sum::<u64>(), 6);
    assert_eq!(causes[0]["after"], serde_json::json!({"ready": 8, "judged": 13, "rate": 8.0 / 13.0}));
    let lines = table(&files, "causes.csv");
    assert_eq!(lines.len(), causes.len() + summary["defect_causes"].as_array().unwrap().len());
    let line = lines.iter().find(|line| line["subject"] == "sy.school.example").unwrap();
    assert_eq!((&*line["effect"], &*line["code"], &*line["rate_after_pct"]), ("fails", "AAAA_ABSENT", "61.54"));
    assert_eq!(line["regions"], "990000 990100");
    let certificate = lines.iter().find(|line| line["code"] == "CERT_V6").unwrap();
    assert_eq!((&*certificate["effect"], &*certificate["rate_after_pct"]), ("defect", "53.85"));
    assert!(file(&files, "index.html").contains("<code>sy.school.example</code>"));
    assert!(file(&files, "regions/990100.html").contains("80.00 % (4 / 5)"));
}

#[test]
fn services_are_counted_apart_and_shared_sites_say_so() {
    let files = render_all(&fixture().input(Lang::Zh));
    let summary = json(&files, "summary.json");
    // lib.school.example fails, the shared portal serves.
    let services = &summary["services"];
    assert_eq!((&services["listed"], &services["ready"], &services["judged"]), (&2.into(), &1.into(), &2.into()));
    let city = summary["regions"].as_array().unwrap().iter().find(|region| region["code"] == "990100").unwrap();
    assert_eq!(city["services"], *services);
    let shared: Vec<_> = summary["schools"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["shared_by"] == 2)
        .map(|row| &row["domain"])
        .collect();
    assert_eq!(shared, ["www.yz1.school.example"; 2]);
    for page in ["index.html", "regions/990100.html"] {
        assert!(file(&files, page).contains("<h3>其他系统</h3>") || file(&files, page).contains("<h2>其他系统</h2>"));
    }
    assert!(!file(&files, "regions/990300.html").contains("其他系统</h2>"));
    assert!(file(&files, "regions/990100.html").contains("2 所学校共用，只探测一次"));
}

/// Whose network an address is in, and that it looks translated and why, is said and counts for nothing.
#[test]
fn hints_about_addresses_are_shown_and_change_no_number() {
    let mut hinted = fixture();
    let site = SiteKey("www.yz1.school.example".into());
    let facts = &mut hinted.assessments.get_mut(&site).unwrap().facts;
    // It ends in the site's own IPv4 address, 192.0.2.10.
    facts.aaaa = vec!["2001:da8::c000:20a".parse().unwrap()];
    let (plain, hinted) = (render_all(&fixture().input(Lang::Zh)), render_all(&hinted.input(Lang::Zh)));
    let page = file(&hinted, "regions/990100.html");
    assert!(page.contains("教育网（疑似协议转换：地址末尾即本站的 IPv4 地址）"));
    let index = file(&hinted, "index.html");
    assert!(index.contains("仅供参考，不影响判定。按 2026-11-25 的地址段表（") && index.contains("其中疑似转换或隧道"));
    let (before, after) = (json(&plain, "summary.json"), json(&hinted, "summary.json"));
    let operators: Vec<&serde_json::Value> = after["operators"].as_array().unwrap().iter().collect();
    assert_eq!(operators[0], &serde_json::json!({"operator": "cernet", "sites": 1, "not_native": 1}));
    for number in ["total", "services", "regions", "causes", "rule_sets"] {
        assert_eq!(before[number], after[number], "{number}");
    }
}

#[test]
fn rule_sets_stand_side_by_side() {
    let files = render_all(&fixture().input(Lang::Zh));
    let summary = json(&files, "summary.json");
    let sets = summary["rule_sets"].as_array().unwrap();
    let of = |id: &str| sets.iter().find(|set| set["id"] == id).unwrap();
    // 7 pass, 6 fail, and who is not judged or out of the base passes nothing.
    assert_eq!(of("readiness")["total"], serde_json::json!({"pass": 7, "fail": 6, "not_judged": 1}));
    assert_eq!(of("portal")["kinds"]["普通本科"], serde_json::json!({"pass": 2, "fail": 0, "not_judged": 1}));
    let links = of("municipal-20-40-40")["indicators"].as_array().unwrap()[1].clone();
    assert_eq!(links, serde_json::json!({"measure": "links2", "judged": 6, "full": 0, "lost": 40.0}));
    let row = summary["schools"].as_array().unwrap().iter().find(|row| row["domain"] == "sy.school.example").unwrap();
    let score = row["scores"].as_array().unwrap().iter().find(|score| score["rules"] == "municipal-20-40-40").unwrap();
    assert_eq!(
        (&score["points"], &score["judged"], &score["passes"]),
        (&0.0.into(), &100.0.into(), &serde_json::Value::Null)
    );
    assert_eq!(score["lost"], serde_json::json!({"home_success": 20.0, "links2": 40.0, "links3": 40.0}));
    assert!(file(&files, "index.html").contains("首页 20、二级链接 40、三级链接 40"));
    // A set without a pass mark counts nobody.
    assert_eq!(of("municipal-20-40-40")["passes_at"], serde_json::Value::Null);
    assert_eq!(of("municipal-20-40-40")["total"], serde_json::json!({"pass": 0, "fail": 0, "not_judged": 0}));
}

/// Every set for every region, at every level with what lies below it, in numbers and on the pages.
#[test]
fn rule_sets_by_region() {
    let files = render_all(&fixture().input(Lang::Zh));
    let summary = json(&files, "summary.json");
    let mut few_complete = false;
    for set in summary["rule_sets"].as_array().unwrap() {
        let of = |code: &str| &set["regions"][code];
        let number = |value: &serde_json::Value| value.as_u64().unwrap();
        let cities = ["990100", "990200", "990300"].map(|code| number(&of(code)["schools"])).iter().sum::<u64>();
        assert!(cities < number(&of("990000")["schools"]), "the province has schools of its own");
        assert_eq!(of("990000")["schools"], set["schools"]);
        assert_eq!((&of("990000")["average"], &of("990000")["indicators"]), (&set["average"], &set["indicators"]));
        assert!(number(&of("990281")["schools"]) < number(&of("990200")["schools"]));
        // Who fails is judged to the end first: the average of a few stands for nobody.
        let few = number(&set["complete"]) * 2 < number(&set["schools"]);
        assert_eq!(set["average"].is_null(), few, "{set}");
        few_complete |= few && number(&set["complete"]) > 0;
    }
    assert!(few_complete);
    let readiness = summary["rule_sets"].as_array().unwrap().iter().find(|set| set["id"] == "readiness").unwrap();
    let county = serde_json::json!({"pass": 1, "fail": 1, "not_judged": 0, "schools": 2, "complete": 2, "average": 50.0,
        "indicators": [{"measure": "ready", "judged": 2, "full": 1, "lost": 50.0}]});
    assert_eq!(readiness["regions"]["990281"], county);
    let index = file(&files, "index.html");
    assert!(
        index.contains("各地得分")
            && index.contains("<a href=\"regions/990200.html\">乙阳市</a></th><td class=\"num\">4</td>")
    );
    let page = file(&files, "regions/990281.html");
    assert!(page.contains("按各套评分规则的得分") && page.contains("50 / 100 (2)"), "{page}");
}

#[test]
fn the_regions_file_to_the_letter() {
    let files = render_all(&fixture().input(Lang::Zh));
    let expected = "\u{feff}region_code,region,level,parent_code,listed,ready,judged,inconclusive,out_of_base,rate_pct,\
        range_low_pct,range_high_pct,coverage_pct,rank,listed_direct,READY,READY_DEFECT,BROKEN,ABSENT,DOWN,NO_NAME,\
        INCONCLUSIVE,LISTED,NO_SITE,INVALID,OPTED_OUT,CLOSED\r\n\
        990000,示例省,province,,21,7,13,2,6,53.85,46.67,60.00,86.67,,4,6,1,3,3,1,1,1,1,1,1,1,1\r\n\
        990100,甲州市,city,990000,6,3,5,0,1,60.00,60.00,60.00,100.00,1,6,2,1,1,1,0,0,0,0,1,0,0,0\r\n\
        990200,乙阳市,city,990000,8,2,4,0,4,50.00,50.00,50.00,100.00,2,5,2,0,1,1,1,1,0,0,0,0,1,1\r\n\
        990300,丁川市,city,990000,3,0,1,1,1,0.00,0.00,50.00,50.00,,3,0,0,0,1,0,0,1,0,0,1,0,0\r\n\
        990281,丙丘县,county,990200,3,1,2,0,1,50.00,50.00,50.00,100.00,1,3,1,0,1,0,0,0,0,0,0,0,1,0\r\n";
    assert_eq!(file(&files, "regions.csv"), expected);
}

#[test]
fn what_regions_hold_directly_adds_up_to_the_total() {
    let fixture = fixture();
    let report = Report::new(&fixture.input(Lang::Zh));
    assert_eq!(report.regions.iter().map(|region| region.direct.listed).sum::<u64>(), report.total.listed);
    assert_eq!(report.regions.iter().map(|region| region.direct.ready).sum::<u64>(), report.total.ready);
    assert_eq!(report.schools.iter().filter(|row| row.counted).count() as u64, report.total.listed);
}

#[test]
fn every_row_of_the_lists_is_on_a_page_of_its_region() {
    let fixture = fixture();
    let files = render_all(&fixture.input(Lang::Zh));
    let report = Report::new(&fixture.input(Lang::Zh));
    for row in report.schools.iter() {
        let page = file(&files, &format!("regions/{}.html", row.region));
        assert!(page.contains(&format!("data-name=\"{}\"", row.name)), "{}", row.name);
        if row.standing != Standing::Verdict(Readiness::Ready) {
            assert!(page.contains(&format!("data-standing=\"{}\"", row.readiness)));
        }
        if let Some(command) = row.repeat.command() {
            assert!(page.contains(command.as_str()));
        }
    }
    // A county's schools are on the page of its city as well.
    assert_eq!(count(file(&files, "regions/990200.html"), "<article class=\"school"), 8);
    assert_eq!(count(file(&files, "regions/990281.html"), "<article class=\"school"), 3);
}

#[test]
fn remedies_evidence_and_both_spellings_are_on_the_page() {
    let files = render_all(&fixture().input(Lang::Zh));
    let page = file(&files, "regions/990100.html");
    for text in [
        "IPv6 连接无响应",
        "向 [2001:db8::10]:443 发起的连接没有任何回应（6 次均超时）",
        "nft insert rule inet filter input tcp dport { 80, 443 } accept",
        "连接 [2001:db8::10]:443 ×3 → timeout（5.0 s）",
        "v6ready check www.broken.school.example",
    ] {
        assert!(page.contains(text), "{text}");
    }
    let province = file(&files, "regions/990000.html");
    assert!(province.contains(">中国.example</a> <span class=\"alabel\">xn--fiqs8s.example</span>"));
    assert!(province.contains("href=\"http://xn--fiqs8s.example/\" rel=\"noopener noreferrer nofollow\""));
}

#[test]
fn a_provinces_own_page_has_the_causes_of_its_own_schools() {
    let fixture = fixture();
    let input = fixture.input(Lang::Zh);
    let report = Report::new(&input);
    let files = render_all(&input);
    let province = report.regions.iter().find(|region| region.parent.is_none()).unwrap();
    let page = file(&files, &province.page);
    let tickets: Vec<&str> = page.split("<article class=\"finding cause\">").skip(1).collect();
    for cause in &report.causes {
        let own = report.schools.iter().filter(|row| row.counted && *row.region == province.code);
        let touches = own.filter_map(|row| row.domain).any(|site| cause.sites.contains(site));
        let of_it = |ticket: &&&str| {
            ticket.contains(&format!("<code>{}</code>", cause.subject))
                && ticket.contains(&format!("<code>{}</code>", cause.code))
        };
        assert_eq!(tickets.iter().any(|ticket| of_it(&ticket)), touches, "{} {}", cause.code, cause.subject);
    }
    assert!(tickets.len() < report.causes.len());
}

#[test]
fn marks_are_shown_on_every_page() {
    let files = render_all(&fixture().input(Lang::Zh));
    for (name, bytes) in files.iter().filter(|(name, _)| is(name, "html")) {
        let page = std::str::from_utf8(bytes).unwrap();
        assert!(page.contains("<strong>模拟数据</strong>") && page.contains("<strong>未完成</strong>"), "{name}");
    }
    let mut whole = fixture();
    whole.roster.simulated = false;
    whole.run.simulated = false;
    whole.policy.minimum_coverage = 0.5;
    whole.roster.rows.retain(|row| row.source.line != 22);
    whole.roster.schools.truncate(20);
    whole.recount();
    let index = render_all(&whole.input(Lang::Zh));
    assert!(!file(&index, "index.html").contains("class=\"banner\""));
    whole.run.end = RunEnd::Interrupted;
    let banner = |of: &super::fixture::Fixture| {
        let page = render_all(&of.input(Lang::Zh));
        let rest = file(&page, "index.html").split_once("<strong>未完成</strong>").expect("the mark").1.to_owned();
        rest.split_once("</div>").expect("a banner").0.to_owned()
    };
    // Coverage is blamed only where it is too low.
    let said = banner(&whole);
    assert!(said.contains("监测没有完整结束。") && !said.contains("覆盖率"), "{said}");
    whole.policy.minimum_coverage = 1.0;
    let said = banner(&whole);
    assert!(said.contains("低于要求的 100 %；监测没有完整结束。"), "{said}");
    whole.run.end = RunEnd::Complete;
    let said = banner(&whole);
    assert!(said.contains("低于要求的 100 %。") && !said.contains("没有完整结束"), "{said}");
}

#[test]
fn changes_are_counted_only_against_an_earlier_run() {
    let fixture = fixture();
    let files = render_all(&fixture.input(Lang::Zh));
    let summary = json(&files, "summary.json");
    let changes = &summary["changes"];
    assert_eq!((&changes["since"], &changes["first_run"]), (&"20261108T191000Z".into(), &false.into()));
    for (kind, count) in [("gained", 1), ("lost", 1), ("unconfirmed", 2), ("flapping", 0), ("added", 0)] {
        assert_eq!(changes[kind], count, "{kind}");
    }
    // One of the two fails for the first time, the other could not be judged.
    assert_eq!(changes["as_before"]["ready"], summary["total"]["ready"].as_u64().unwrap() + 1);
    assert_eq!(changes["as_before"]["judged"], summary["total"]["judged"]);
    assert_eq!(summary["history"]["runs"].as_array().unwrap().len(), 3);
    assert_eq!(summary["history"]["total"][2]["listed"]["ready"], summary["total"]["ready"]);
    for region in summary["regions"].as_array().unwrap() {
        let last = region["trend"].as_array().unwrap().last().unwrap();
        assert_eq!(last["listed"]["judged"], region["counts"]["judged"]);
    }
    let words_seen: BTreeSet<String> =
        table(&files, "schools.csv").into_iter().map(|mut row| row.remove("changed").unwrap()).collect();
    let words = ["", "gained", "lost", "new", "same", "unconfirmed"];
    assert_eq!(words_seen, words.map(str::to_owned).into());
    let mut first = fixture;
    first.as_first_run();
    let files = render_all(&first.input(Lang::Zh));
    assert!(file(&files, "index.html").contains("这是第一次监测"));
    assert_eq!(json(&files, "summary.json")["changes"]["first_run"], true);
}

/// Who fails for the first time is nowhere called lost.
#[test]
fn a_setback_is_named_as_unconfirmed_until_two_runs_agree() {
    let files = render_all(&fixture().input(Lang::Zh));
    for (page, from) in [("index.html", 0), ("regions/990100.html", 0)] {
        let page = &file(&files, page)[from..];
        let section = page.split("<section id=\"changes\">").nth(1).unwrap().split("</section>").next().unwrap();
        let (before, unconfirmed) = section.split_once("<h3>待确认（以下一次监测为准）</h3>").unwrap();
        let lost = before.split_once("<h3>退步（连续两次监测均不达标）</h3>").map(|(_, lost)| lost);
        assert!(unconfirmed.contains("www.broken.school.example") && !before.contains("www.broken.school.example"));
        assert!(lost.is_none_or(|lost| lost.contains("www.down.school.example")));
        assert!(section.contains("如均恢复原状，完成率为"));
    }
    let region = file(&files, "regions/990100.html");
    assert!(region.contains("<p class=\"tags\">待确认 · "));
    let index = file(&files, "index.html");
    assert!(index.contains("<svg class=\"trend\"") && index.contains("aria-label=\"历次监测的完成率：2026-10-25 "));
    assert!(index.contains("<th scope=\"row\">2026-11-24 03:10</th><td class=\"num\">53.85</td>"));
}

#[test]
fn the_policy_of_a_page_allows_its_own_style_and_script() {
    let files = render_all(&fixture().input(Lang::Zh));
    for (name, bytes) in files.iter().filter(|(name, _)| is(name, "html")) {
        let page = std::str::from_utf8(bytes).unwrap();
        for tag in ["style", "script"] {
            let inside = page.split(&format!("<{tag}>")).nth(1).unwrap().split(&format!("</{tag}>")).next().unwrap();
            let hash = format!("{tag}-src &#39;sha256-{}&#39;", base64(&Sha256::digest(inside)));
            let plain = hash.replace("&#39;", "'");
            assert!(page.contains(&hash) || page.contains(&plain), "{name}: {hash}");
        }
        for forbidden in [" style=\"", " onclick", " src=", "@import", "http-equiv=\"refresh\""] {
            assert!(!page.contains(forbidden), "{name}: {forbidden}");
        }
        assert_eq!((count(page, "<style"), count(page, "<script")), (1, 1), "{name}");
    }
}

#[test]
fn the_manifest_has_the_checksum_of_every_other_file() {
    let fixture = fixture();
    let files = render_all(&fixture.input(Lang::Zh));
    let manifest = json(&files, "manifest.json");
    let listed = manifest["files"].as_array().unwrap();
    assert_eq!(listed.len() + 1, files.len());
    for entry in listed {
        let bytes = bytes(&files, entry["name"].as_str().unwrap());
        assert_eq!(entry["sha256"], hex(&Sha256::digest(bytes)));
        assert_eq!(entry["bytes"], bytes.len());
    }
    assert_eq!(manifest["lists"][0]["name"], "示例.csv", "no folders of the machine");
    let outage = &manifest["run"]["breaker"][0];
    assert_eq!((&outage["line"], &outage["why"]), (&"ipv6".into(), &"canaries".into()));
    assert_eq!((&outage["quarantined"], &outage["redone"]), (&3.into(), &2.into()));
    let lapse = &manifest["run"]["resolver_lapses"][0];
    assert_eq!((&lapse["resolver"], &lapse["state"]), (&"192.0.2.53:53".into(), &"silent".into()));
    assert_eq!(manifest["gate"]["open"], true);
    assert_eq!(
        (&manifest["versions"]["method"], &manifest["config_sha256"]),
        (&"2026.1".into(), &fixture.run.config_sha256.clone().into())
    );
}

#[test]
fn an_empty_roster_still_makes_a_report() {
    let mut empty = fixture();
    empty.roster = crate::model::school::Roster::default();
    empty.assessments.clear();
    empty.recount();
    let files = render_all(&empty.input(Lang::En));
    assert!(file(&files, "index.html").contains("none could be judged"));
}

#[test]
fn english_pages_are_english() {
    let mut fixture = fixture();
    fixture.trails = super::Trails::default();
    let files = render_all(&fixture.input(Lang::En));
    let index = file(&files, "index.html");
    assert!(index.contains("<html lang=\"en\">") && index.contains("Dual-stack ready") && index.contains("53.85%"));
    assert!(!index.contains("完成率") && !index.contains("（"));
}

/// Writes the fixture's report to the folder named by `V6READY_LOOK`, to be looked at.
#[test]
#[ignore = "writes files to be looked at"]
fn write_for_the_eye() {
    let dir = std::env::var_os("V6READY_LOOK").expect("V6READY_LOOK names a folder");
    for (lang, name) in [(Lang::Zh, "zh"), (Lang::En, "en")] {
        let fixture = fixture();
        let mut publication = Publication::begin(&std::path::Path::new(&dir).join(name), &fixture.run.id).unwrap();
        for file in render_all(&fixture.input(lang)) {
            publication.add(&file).unwrap();
        }
        publication.finish().unwrap();
    }
}
