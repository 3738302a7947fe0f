//! Reports of a large province: time, size and memory. Printed, and held only against limits that no machine should reach.
#![expect(clippy::print_stdout, reason = "numbers to be read by people")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use v6ready::judge::causes::causes;
use v6ready::judge::compare::Past;
use v6ready::judge::summarise::summarise;
use v6ready::model::args::Args;
use v6ready::model::deep::FaultyLinks;
use v6ready::model::evidence::{Pointer, StepKind};
use v6ready::model::finding::{Code, Finding};
use v6ready::model::owner::Aliases;
use v6ready::model::run::{Run, RunId};
use v6ready::model::school::{Roster, Row, School};
use v6ready::model::site::{Site, SiteKey};
use v6ready::model::verdict::{Assessment, Facts, Readiness, Stack};
use v6ready::report::{File, Format, Lang, ReportInput, Template, render_all};
use v6ready::store::{OpenMode, Store, StoreError};
use v6ready::targets::{LoadOptions, load_bytes};

/// Schools of the province, and its regions.
const SCHOOLS: usize = 20_000;
const REGIONS: usize = 18;
/// Most memory of `report` with all formats and of `judge` for [`SCHOOLS`] sites, in MiB.
const REPORT: u64 = 190;
const JUDGE: u64 = 90;

/// Every other school passes, a quarter has no AAAA, a quarter does not answer over IPv6.
fn assessment(number: usize, site: &SiteKey) -> Assessment {
    let (readiness, codes): (_, &[Code]) = match number % 4 {
        0 | 2 => (Readiness::Ready, &[]),
        1 => (Readiness::Absent, &[Code::AaaaAbsent, Code::ContentUnverified]),
        _ => (Readiness::Broken, &[Code::V6Timeout, Code::PortDiff]),
    };
    let pointer = Pointer { round: 1, step: StepKind::Connect, index: 0 };
    let args: Args = [("address", "2001:db8::10"), ("port", "443")].into_iter().collect();
    let finding = |code: &Code| Finding { code: *code, args: args.clone(), evidence: vec![pointer] };
    Assessment {
        site: site.clone(),
        readiness,
        reason: if readiness == Readiness::Broken { "timeout" } else { "" }.into(),
        stack: if readiness == Readiness::Ready { Stack::DualStack } else { Stack::Ipv4Only },
        reach6: Some(readiness == Readiness::Ready),
        rule: 4,
        findings: codes.iter().map(finding).collect(),
        evidence: vec![pointer],
        facts: Facts { v4_status: "200".into(), latency_v4_ms: Some(31.25), ..Facts::default() },
    }
}

fn list() -> Vec<u8> {
    let mut list = String::from("学校名称,网站地址,地区,责任单位\n");
    for number in 0..SCHOOLS {
        let region = number % REGIONS;
        // Writing to a string cannot fail.
        let _ = writeln!(list, "示例{number}中学,www.s{number}.example,示例{region}市,示例{region}市教育局");
    }
    list.into_bytes()
}

/// An invented run.
pub(crate) fn run() -> Run {
    let run = serde_json::json!({
        "id": "20261123T191000Z", "started": 1_795_461_000_000_i64, "ended": 1_795_464_600_000_i64, "end": "complete",
        "vantage": {"name": "示例", "isp": null, "resolvers": [], "proofs": []},
        "config_sha256": "", "method_version": v6ready::model::METHOD_VERSION, "program_version": "0",
        "gate": {"checks": []}, "without_ipv6": false, "lab": false, "simulated": true,
    });
    serde_json::from_value(run).expect("a run")
}

/// The most memory that the process has held, in MiB. 0 where the system does not say.
fn most_memory() -> u64 {
    memory_in("/proc/self/status")
}

fn memory_in(status: &str) -> u64 {
    let status = std::fs::read_to_string(status).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1024
}

/// The most memory that a program of ours has held until it ended, in MiB, how long it took, and what it said.
fn watched(arguments: &[&str]) -> (u64, Duration, String) {
    let begun = Instant::now();
    let mut command = Command::new(env!("CARGO_BIN_EXE_v6ready"));
    // Not a pipe: nobody reads it until the end.
    let mut said = tempfile::tempfile().expect("a file");
    let out = said.try_clone().expect("the same file");
    let mut child = command.args(arguments).stdout(out).spawn().expect("started");
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    while child.try_wait().expect("a child").is_none() {
        most = most.max(memory_in(&status));
        std::thread::sleep(Duration::from_millis(5));
    }
    let took = begun.elapsed();
    assert!(child.wait().expect("a child").success());
    said.rewind().expect("its beginning");
    let mut text = String::new();
    said.read_to_string(&mut text).expect("its output");
    (most, took, text)
}

/// A list is looked at before anybody trusts it, perhaps on a small machine.
#[test]
#[ignore = "measures time and memory: for the release build"]
fn a_list_of_a_million_rows() {
    const ROWS: usize = 1_000_000;
    let folder = tempfile::tempdir().expect("a folder");
    let plain = |n: usize| format!("示例{n}中学,www.s{n}.edu.cn,示例{}市", n % 18);
    // Half of the rows are the first half again, and every hundredth is unusable.
    let doubled = |n: usize| if n % 100 == 7 { format!(",无,{n}") } else { plain(n % (ROWS / 2)) };
    let rows: [(&str, &dyn Fn(usize) -> String); 2] = [("plain", &plain), ("doubled", &doubled)];
    for (what, row) in rows {
        let path = folder.path().join(format!("{what}.csv"));
        let mut list = String::from("学校名称,网站地址,地区\n");
        for number in 0..ROWS {
            list.push_str(&row(number));
            list.push('\n');
        }
        for encoding in [encoding_rs::UTF_8, encoding_rs::GB18030] {
            let bytes = encoding.encode(&list).0;
            std::fs::write(&path, &bytes).expect("written");
            let (most, took, said) =
                watched(&["--lang", "en", "targets", "check", path.to_str().expect("a path"), "--most", "3"]);
            assert!(said.contains(&format!("{ROWS} rows")), "{said}");
            println!(
                "{what}, {}: {ROWS} rows of {:.1} MB in {:.1} s, most memory {most} MiB",
                encoding.name(),
                bytes.len() as f64 / 1e6,
                took.as_secs_f64(),
            );
            assert!(took <= Duration::from_secs(20) && most <= 150, "{took:?}, {most} MiB");
        }
    }
}

/// A run with the evidence of the demonstration many times over, under other names.
async fn multiplied(path: &Path, sites: usize) {
    let store = Store::open(path, OpenMode::ReadWrite).await.expect("the demonstration's history");
    let demo = RunId("demo".to_owned());
    let one = store.load_run(&demo).await.expect("the demonstration");
    let mut observations = Vec::new();
    let read: Result<(), StoreError> = store
        .for_each_observation(&demo, |observation| {
            observations.push(observation);
            Ok(())
        })
        .await;
    read.expect("its evidence");
    let named = |site: &Site, copy| Site::new(format!("x{copy}.{}", site.host), None, site.scheme, site.port);
    let copies = sites.div_ceil(one.roster.sites.len());
    let mut roster = Roster { schools: Vec::new(), rows: Vec::new(), sites: BTreeMap::new(), ..one.roster.clone() };
    for copy in 0..copies {
        let schools = roster.schools.len();
        roster.schools.extend(
            one.roster
                .schools
                .iter()
                .map(|school| School { name: format!("{}{copy}部", school.name), ..school.clone() }),
        );
        roster.rows.extend(one.roster.rows.iter().map(|row| Row {
            school: schools + row.school,
            site: row.site.as_ref().and_then(|key| one.roster.sites.get(key)).map(|site| named(site, copy).key),
            ..row.clone()
        }));
        let new = one.roster.sites.values().map(|site| named(site, copy));
        roster.sites.extend(new.map(|site| (site.key.clone(), site)));
    }
    let run = Run { id: RunId("large".to_owned()), ..one.run };
    store.begin_run(&run, &roster, &one.policy, &one.config).await.expect("begun");
    for copy in 0..copies {
        let rounds: Vec<_> = observations
            .iter()
            .flat_map(|of| of.rounds.iter().map(move |round| (named(&of.site, copy), round.clone())))
            .collect();
        let put = store.put_rounds(&run.id, &rounds).await.expect("stored");
        assert_eq!(put.stored, rounds.len() as u64);
    }
    store.close().await;
}

/// The machine that scans may have 2 GiB, and makes the reports as well. What a site costs is what is left when half of the sites
/// are taken away: a bound on that holds whatever the program itself takes.
#[tokio::test]
#[ignore = "measures memory: for the release build"]
async fn reports_of_many_sites_fit() {
    let mut most = [[0_u64; 2]; 2];
    for (sites, most) in [(SCHOOLS / 2), SCHOOLS].into_iter().zip(&mut most) {
        let folder = tempfile::tempdir().expect("a folder");
        let text = |name: &str| folder.path().join(name).to_str().expect("a path").to_owned();
        let (reports, store) = (text("reports"), text("reports/demo.db"));
        watched(&["demo", "--quiet", "--formats", "csv", "--reports", &reports]);
        multiplied(Path::new(&store), sites).await;
        let (report, took, _) = watched(&["report", "--run", "large", "--store", &store, "--reports", &reports]);
        let (judge, ..) = watched(&["judge", "--run", "large", "--store", &store]);
        println!(
            "{sites} sites: all reports in {:.1} s, most memory {report} MiB; judge {judge} MiB",
            took.as_secs_f64()
        );
        *most = [report, judge];
    }
    let [[report_half, judge_half], [report, judge]] = most;
    assert!(report <= REPORT && report - report_half <= REPORT / 2, "report: {report_half}, {report} MiB");
    assert!(judge <= JUDGE && judge - judge_half <= JUDGE / 2, "judge: {judge_half}, {judge} MiB");
}

/// The files of a province with these trails, how long they took, and how many findings there are.
fn rendered(formats: &[Format], evidence_lines: usize) -> (Vec<File>, Duration, usize) {
    let loaded = load_bytes(&[("list.csv", list())], &LoadOptions::lab()).expect("a list");
    let sites: Vec<SiteKey> = loaded.roster.sites.keys().cloned().collect();
    assert_eq!(sites.len(), SCHOOLS);
    let assessments: BTreeMap<SiteKey, Assessment> =
        sites.iter().enumerate().map(|(number, site)| (site.clone(), assessment(number, site))).collect();
    let line = "    GET http://www.s.example/ @[2001:db8::10]:80 → 200, 31,250 B (169 ms)".to_owned();
    let trails = sites.iter().map(|site| (site.clone(), vec![line.clone(); evidence_lines])).collect();
    let summary = summarise(&loaded.roster, &loaded.policy, &assessments);
    let causes = causes(&loaded.roster, &loaded.policy, &assessments, &Aliases::default());
    let begun = Instant::now();
    let files = render_all(&ReportInput {
        run: &run(),
        roster: &loaded.roster,
        policy: &loaded.policy,
        assessments: &assessments,
        summary: &summary,
        causes: &causes,
        rules: &[],
        trails: &trails,
        faulty_links: &FaultyLinks::default(),
        say: str::to_owned,
        first_seen: &BTreeMap::new(),
        past: &Past::default(),
        evidence: None,
        lang: Lang::Zh,
        zone: &jiff::tz::TimeZone::UTC,
        formats: &formats.iter().copied().collect::<BTreeSet<_>>(),
        template: Template::shipped(Lang::Zh),
    })
    .expect("rendered");
    (files, begun.elapsed(), assessments.values().map(|of| of.findings.len()).sum())
}

fn size(files: &[File], name: &str) -> usize {
    files.iter().find(|(of, _)| of == name).map_or(0, |(_, bytes)| bytes.len())
}

#[test]
#[ignore = "measures time and memory: for the release build"]
fn workbooks_of_a_large_province() {
    let before = most_memory();
    let (files, took, findings) = rendered(&[Format::Xlsx, Format::Docx], 0);
    let regions: usize =
        files.iter().filter(|(name, _)| name.starts_with("regions/")).map(|(_, bytes)| bytes.len()).sum();
    println!(
        "{SCHOOLS} schools, {findings} findings: {} files in {:.1} s; workbook.xlsx {:.1} MB, all regions {:.1} MB, \
         bulletin.docx {:.1} kB; most memory {} MiB, {before} MiB before",
        files.len(),
        took.as_secs_f64(),
        size(&files, "workbook.xlsx") as f64 / 1e6,
        regions as f64 / 1e6,
        size(&files, "bulletin.docx") as f64 / 1e3,
        most_memory(),
    );
    assert!(took < Duration::from_mins(5) && size(&files, "workbook.xlsx") < 100_000_000);
}

/// `V6READY_LARGE=folder` also leaves the pages there, for a browser.
#[test]
#[ignore = "measures size: for the release build"]
fn pages_of_a_large_province() {
    let (files, took, _) = rendered(&[Format::Html], 50);
    let pages: Vec<&File> = files.iter().filter(|(name, _)| name.starts_with("regions/")).collect();
    let largest = pages.iter().map(|(_, bytes)| bytes.len()).max().unwrap_or(0);
    let told = pages.iter().map(|(_, bytes)| String::from_utf8_lossy(bytes).matches("class=\"evidence\"").count());
    println!(
        "{SCHOOLS} schools, pages in {:.1} s: index.html {:.2} MB, largest of {} regions {:.2} MB, evidence of {} schools \
         on the pages",
        took.as_secs_f64(),
        size(&files, "index.html") as f64 / 1e6,
        pages.len(),
        largest as f64 / 1e6,
        told.sum::<usize>(),
    );
    if let Some(folder) = std::env::var_os("V6READY_LARGE").map(PathBuf::from) {
        for (name, bytes) in &files {
            let path = folder.join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(path, bytes).expect("written");
        }
    }
    assert!(pages.len() >= REGIONS && size(&files, "index.html") < 2_000_000 && largest < 5_000_000);
}
