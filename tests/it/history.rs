//! Many runs in one history, measured on the lab: what flaps, what is dead once, what is lost and gained, and another
//! vantage beside it. Read back with the real program, as its users do.

#![expect(clippy::unwrap_used, reason = "in tests, a failed unwrap is a failed test")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use v6ready::judge::{Criteria, assess};
use v6ready::lab::Lab;
use v6ready::lab::web::facts::{HostFacts, Spot};
use v6ready::lab::world::World;
use v6ready::model::METHOD_VERSION;
use v6ready::model::run::{Gate, Run, RunEnd, RunId};
use v6ready::model::time::Timestamp;
use v6ready::probe::Transports;
use v6ready::store::{OpenMode, Store};
use v6ready::targets::{LoadOptions, Loaded, load_bytes};

use crate::bench_net::{Evidence, Patience, prober, scan};

const DAY: i64 = 86_400_000;
const REGIONS: &str = "code,name_zh,name_en,level,parent_code,type,report_parent_code,aliases\n\
    990000,示例省,Sample Province,province,,,,\n\
    990100,云栎市,Yunli,prefecture-level city,990000,地级市,990000,\n\
    990200,松汀市,Songting,prefecture-level city,990000,地级市,990000,\n";
const HEADER: &str = "学校名称,网站地址,行政区划代码,县区代码,学段,责任单位,状态\n";

/// The schools, by the letter of their site.
fn list(extra: &str) -> Loaded {
    let schools = [("a", "常新"), ("b", "往复"), ("c", "一度"), ("d", "失守"), ("e", "后来")];
    let rows: Vec<String> = schools
        .iter()
        .map(|(letter, name)| format!("云栎市{name}中学,{letter}.history.example,990100,,中学,云栎市教育局,\n"))
        .collect();
    let rows = format!("{HEADER}{}{extra}", rows.concat());
    let policy =
        "title = \"示例\"\nnumber = \"示例函〔2026〕1号\"\narea = \"示例省\"\nminimum_coverage = 0.98\ntasks = []\n";
    load_bytes(
        &[("regions.csv", REGIONS.as_bytes()), ("k12.csv", rows.as_bytes()), ("policy.toml", policy.as_bytes())],
        &LoadOptions::lab(),
    )
    .unwrap()
}

/// Whether a site works over IPv6 in a run.
fn works(letter: char, run: u32) -> bool {
    match letter {
        'b' => run.is_multiple_of(2),
        'c' => run != 8,
        'd' => run < 15,
        'e' => run >= 10,
        _ => true,
    }
}

/// A scan of a world in which the IPv6 of these sites refuses connections.
async fn measure(list: &Loaded, refusing: &BTreeSet<char>) -> Evidence {
    let mut world = World::new().with_anchors();
    let healthy = HostFacts { web: Some(Spot::default()), ..HostFacts::default() };
    for (index, site) in list.roster.sites.values().enumerate() {
        let index = u16::try_from(index).unwrap();
        let v6 = Ipv6Addr::new(0x2001, 0xdb8, 0x0b0c, index, 0, 0, 0, 1);
        world.add_site(&site.host, Some(Ipv4Addr::new(198, 51, 100, 60 + index as u8)), Some(v6), &healthy);
        if refusing.contains(&site.host.chars().next().unwrap()) {
            world.hosts.insert(v6.into(), HostFacts::default());
        }
    }
    let lab = Lab::start(world).await.unwrap();
    let sites = list.roster.sites.values().cloned().collect();
    scan(prober(&lab, Patience::USUAL), sites, 8, Transports::Both).await
}

fn run_of(id: &str, day: i64, vantage: &str, evidence: &Evidence) -> Run {
    let vantage = v6ready::model::run::Vantage { name: vantage.into(), ..evidence.vantage.clone() };
    Run {
        id: RunId(id.into()),
        vantage,
        started: Timestamp(1_780_000_000_000 + day * DAY),
        ended: Some(Timestamp(1_780_000_000_000 + day * DAY + 3_600_000)),
        end: RunEnd::Complete,
        config_sha256: String::new(),
        method_version: METHOD_VERSION.into(),
        program_version: "0.1.0".into(),
        gate: Gate::default(),
        outages: Vec::new(),
        without_ipv6: false,
        lab: false,
        simulated: true,
        cost: None,
    }
}

/// Stores a run with its verdicts, as a scan does.
async fn keep(store: &Store, run: &Run, list: &Loaded, evidence: &Evidence) {
    store.begin_run(run, &list.roster, &list.policy, "").await.unwrap();
    let rounds: Vec<_> = evidence
        .observations
        .values()
        .flat_map(|of| of.rounds.iter().map(|round| (of.site.clone(), round.clone())))
        .collect();
    store.put_rounds(&run.id, &rounds).await.unwrap();
    let verdicts = evidence.observations.values().map(|of| {
        let assessment = assess(of, &run.vantage, &Criteria::default());
        (assessment.site, assessment.readiness, assessment.reason)
    });
    store.put_verdicts(&run.id, METHOD_VERSION, verdicts).await.unwrap();
}

fn v6ready(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_v6ready"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("V6READY_")) {
        command.env_remove(name);
    }
    command.current_dir(folder).args(arguments).output().unwrap()
}

/// What the program printed, which must have ended well.
fn said(folder: &Path, arguments: &[&str]) -> String {
    let output = v6ready(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn summary(folder: &Path, run: &str) -> Value {
    said(folder, &["report", "--run", run, "--store", "history.db"]);
    serde_json::from_slice(&std::fs::read(folder.join("reports").join(run).join("summary.json")).unwrap()).unwrap()
}

/// The change of each school in a report, by the letter of its site.
fn changes(summary: &Value) -> BTreeMap<char, String> {
    let schools = summary["schools"].as_array().unwrap().iter();
    schools
        .map(|school| {
            let letter = school["domain"].as_str().unwrap().chars().next().unwrap();
            (letter, school["changed"].as_str().unwrap().to_owned())
        })
        .collect()
}

/// Rows V09 (a site that flaps in each of 21 runs: one notice), V10 (dead for one run: no published change) and V11 (another
/// vantage that cannot reach a site) of the truth table.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_one_runs_and_another_vantage() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let store = Store::open(&folder.join("history.db"), OpenMode::ReadWrite).await.unwrap();
    let list = list("");
    // Equal worlds are measured once.
    let mut measured: BTreeMap<BTreeSet<char>, Evidence> = BTreeMap::new();
    for run in 0..21_u32 {
        let refusing: BTreeSet<char> = ('a'..='e').filter(|letter| !works(*letter, run)).collect();
        if !measured.contains_key(&refusing) {
            measured.insert(refusing.clone(), measure(&list, &refusing).await);
        }
        let evidence = &measured[&refusing];
        keep(&store, &run_of(&format!("r{run:02}"), i64::from(run), "campus", evidence), &list, evidence).await;
    }
    // From elsewhere nothing but the steady site can be reached, in the middle of it all.
    let elsewhere = measure(&list, &('b'..='e').collect()).await;
    keep(&store, &run_of("elsewhere", 12, "telecom", &elsewhere), &list, &elsewhere).await;
    store.close().await;

    let reports: Vec<Value> = (0..21).map(|run| summary(folder, &format!("r{run:02}"))).collect();
    let history: BTreeMap<char, Vec<String>> = ('a'..='e')
        .map(|letter| (letter, reports.iter().map(|report| changes(report)[&letter].clone()).collect()))
        .collect();
    let told = |letter: char| -> Vec<(usize, &str)> {
        let all = history[&letter].iter().enumerate();
        all.filter(|(_, change)| *change != "same").map(|(run, change)| (run, change.as_str())).collect()
    };
    assert_eq!(told('a'), [(0, "new")]);
    assert_eq!(told('c'), [(0, "new"), (8, "unconfirmed")]);
    assert_eq!(told('d'), [(0, "new"), (15, "unconfirmed"), (16, "lost")]);
    assert_eq!(told('e'), [(0, "new"), (10, "gained")]);
    // Told to flap once; from then on it is neither gained nor lost nor unconfirmed.
    let newly = |report: &Value| {
        report["schools"].as_array().unwrap().iter().filter(|school| school["flapping"]["newly"] == true).count()
    };
    assert_eq!(
        reports.iter().map(newly).collect::<Vec<_>>(),
        (0..21).map(|run| usize::from(run == 3)).collect::<Vec<_>>()
    );
    let loud = ["gained", "lost", "unconfirmed"];
    assert!(history[&'b'][3..].iter().all(|change| !loud.contains(&change.as_str())), "{:?}", history[&'b']);
    let end = &reports[20];
    assert_eq!(end["changes"]["flapping"], 1);
    // All but d, which is lost.
    assert_eq!((&end["total"]["ready"], &end["total"]["judged"]), (&4.into(), &5.into()));
    assert_eq!(end["history"]["runs"].as_array().unwrap().len(), 21, "the other vantage is no part of it");

    // The same by `diff`, whatever the order in which the names are shortened.
    let diff: Value =
        serde_json::from_str(&said(folder, &["diff", "r14", "r20", "--json", "--store", "history.db"])).unwrap();
    let gone: Vec<&Value> =
        diff["schools"].as_array().unwrap().iter().filter(|school| school["changed"] == "lost").collect();
    assert_eq!((gone.len(), &gone[0]["domain"]), (1, &"d.history.example".into()));
    assert_eq!(diff["differences"], serde_json::json!([]));
    let text = said(folder, &["diff", "r08", "r09", "--store", "history.db"]);
    assert!(text.contains("退步（连续两次监测均不达标） 0") && text.contains("同一批学校"), "{text}");
    let english = said(folder, &["--lang", "en", "diff", "--store", "history.db"]);
    assert!(english.starts_with("r19 → r20"), "{english}");
    let across = said(folder, &["--lang", "en", "diff", "r11", "elsewhere", "--store", "history.db"]);
    assert!(across.contains("not quite comparable: another vantage"), "{across}");
    exported_and_imported_it_is_the_same(folder);
    for wrong in [["diff", "r09", "r08"], ["diff", "r09", "r09"]] {
        let output = v6ready(folder, &[&wrong[..], &["--store", "history.db"]].concat());
        assert_eq!(output.status.code(), Some(2));
    }
}

/// Every file below a folder, with its bytes.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(at) = folders.pop() {
        for entry in std::fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
                found.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// All runs through a file into another history, and the first run from the file in its report's folder: reports come out
/// byte for byte.
fn exported_and_imported_it_is_the_same(folder: &Path) {
    said(folder, &["history", "export", "--all", "--output", "all.jsonl.zst", "--store", "history.db"]);
    let again = v6ready(folder, &["history", "export", "--output", "all.jsonl.zst", "--store", "history.db"]);
    assert_eq!(again.status.code(), Some(73), "a file that is there is not overwritten");
    let first = "reports/r00/evidence.jsonl.zst";
    for (file, store, run) in [("all.jsonl.zst", "copy.db", "r20"), (first, "first.db", "r00")] {
        let import = ["history", "import", file, "--store", store];
        let told = said(folder, &import);
        assert_eq!(told.lines().count(), if run == "r00" { 1 } else { 22 });
        assert!(said(folder, &import).contains("已有，未改动"), "a second time changes nothing");
        said(folder, &["report", "--run", run, "--store", store, "--reports", "copies"]);
        let (original, copy) = (files(&folder.join("reports").join(run)), files(&folder.join("copies").join(run)));
        assert!(original.len() > 8 && original.contains_key("evidence.jsonl.zst"));
        let different: Vec<_> = original.keys().filter(|name| original.get(*name) != copy.get(*name)).collect();
        assert!(original == copy, "{run}: {different:?}");
    }
    std::fs::write(folder.join("half"), &std::fs::read(folder.join(first)).unwrap()[..2000]).unwrap();
    let half = v6ready(folder, &["history", "import", "half", "--store", "half.db"]);
    assert!([3, 74].contains(&half.status.code().unwrap()), "{half:?}");
    assert_eq!(said(folder, &["runs", "--store", "half.db"]), "");
}

/// A list on which schools are added and moved bends the numbers of its own time, and not those over the same schools.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_list_is_told_from_a_change() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let store = Store::open(&folder.join("history.db"), OpenMode::ReadWrite).await.unwrap();
    let old = list("松汀市南湖中学,f.history.example,990200,,中学,松汀市教育局,\n");
    let new = list(
        "云栎市南湖中学,f.history.example,990100,,中学,云栎市教育局,\n松汀市新建中学,g.history.example,990200,,中学,松汀市教育局,\n",
    );
    let refusing = BTreeSet::from(['d', 'g']);
    let (before, after) = (measure(&old, &refusing).await, measure(&new, &refusing).await);
    keep(&store, &run_of("before", 0, "campus", &before), &old, &before).await;
    keep(&store, &run_of("under-other-rules", 1, "campus", &before), &old, &before).await;
    store
        .put_verdicts(
            &RunId("under-other-rules".into()),
            "1999.1",
            [("a.history.example".to_owned(), "READY")].map(|(site, _)| {
                (v6ready::model::site::SiteKey::from(site), v6ready::model::verdict::Readiness::Absent, "".into())
            }),
        )
        .await
        .unwrap();
    keep(&store, &run_of("now", 2, "campus", &after), &new, &after).await;
    store.close().await;

    let report = summary(folder, "now");
    let changes = &report["changes"];
    assert_eq!((&changes["since"], &changes["added"]), (&"before".into(), &1.into()));
    assert_eq!((&changes["gained"], &changes["lost"], &changes["unconfirmed"]), (&0.into(), &0.into(), &0.into()));
    let moved = changes["moved"].as_array().unwrap();
    assert_eq!((moved.len(), &moved[0]["from"], &moved[0]["name"]), (1, &"990200".into(), &"云栎市南湖中学".into()));
    let total = report["history"]["total"].as_array().unwrap();
    let counts = |of: &Value| (of["ready"].as_u64().unwrap(), of["judged"].as_u64().unwrap());
    assert_eq!([counts(&total[0]["listed"]), counts(&total[1]["listed"])], [(5, 6), (5, 7)]);
    assert_eq!([counts(&total[0]["same"]), counts(&total[1]["same"])], [(5, 6), (5, 6)]);
    let left_out = &report["history"]["left_out"];
    assert_eq!(
        (&left_out[0]["id"], &left_out[0]["why"]),
        (&"under-other-rules".into(), &serde_json::json!(["method"]))
    );
    let page = std::fs::read_to_string(folder.join("reports/now/index.html")).unwrap();
    assert!(page.contains("under-other-rules：测量或判定规则的版本不同"));
}

/// Rows V11 (of three vantages one cannot reach a site: the verdict says so) and V12 (a run under another vantage's name) of
/// the truth table.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_vantages_are_taken_together() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let list = list("");
    let all = measure(&list, &BTreeSet::new()).await;
    let without_a = measure(&list, &BTreeSet::from(['a', 'b'])).await;
    let without_b = measure(&list, &BTreeSet::from(['b'])).await;
    // Each in a history of its own machine, brought together by file.
    for (name, isp, evidence) in
        [("campus", "教育网", &all), ("telecom", "电信", &without_a), ("mobile", "移动", &without_b)]
    {
        let store = Store::open(&folder.join(format!("{name}.db")), OpenMode::ReadWrite).await.unwrap();
        let mut run = run_of(name, 0, name, evidence);
        run.vantage.isp = Some(isp.to_owned());
        keep(&store, &run, &list, evidence).await;
        store.close().await;
        let (own, file) = (format!("{name}.db"), format!("{name}.jsonl.zst"));
        said(folder, &["history", "export", "--output", &file, "--store", &own]);
    }
    // V12: whoever hands in a run of another's name, or a changed one, is refused, and nothing of it is stored.
    let refused =
        v6ready(folder, &["history", "import", "--vantage", "mobile", "telecom.jsonl.zst", "--store", "all.db"]);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && told.contains("telecom") && told.contains("mobile"), "{told}");
    let plain = zstd::stream::decode_all(&std::fs::read(folder.join("telecom.jsonl.zst")).unwrap()[..]).unwrap();
    let renamed = String::from_utf8(plain).unwrap().replacen("\"name\":\"telecom\"", "\"name\":\"mobile\"", 1);
    let packed = zstd::stream::encode_all(renamed.as_bytes(), 3).unwrap();
    std::fs::write(folder.join("renamed.jsonl.zst"), packed).unwrap();
    let refused =
        v6ready(folder, &["history", "import", "--vantage", "mobile", "renamed.jsonl.zst", "--store", "all.db"]);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && told.contains("the file was changed"), "{told}");
    assert_eq!(said(folder, &["runs", "--store", "all.db"]), "");
    for name in ["campus", "telecom", "mobile"] {
        let file = format!("{name}.jsonl.zst");
        said(folder, &["history", "import", "--vantage", name, &file, "--store", "all.db"]);
    }
    // V11: one vantage of three cannot reach a, two cannot reach b.
    let together = |runs: &str| said(folder, &["judge", "--vantages", runs, "--json", "--store", "all.db"]);
    let lines = together("campus,telecom,mobile");
    let of = |letter: &str| -> Value {
        let line = lines.lines().find(|line| line.contains(&format!("\"{letter}.history.example\""))).unwrap();
        serde_json::from_str(line).unwrap()
    };
    let (a, b, c) = (of("a"), of("b"), of("c"));
    assert_eq!((&a["readiness"], &a["reached"], &a["judged"]), (&"READY".into(), &2.into(), &3.into()));
    assert_eq!((&b["readiness"], &b["reason"], &b["reached"]), (&"BROKEN".into(), &"refused".into(), &1.into()));
    assert_eq!((&c["readiness"], &c["reached"]), (&"READY".into(), &3.into()));
    let matrix: Vec<(&str, &str)> = a["vantages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|voice| (voice["vantage"].as_str().unwrap(), voice["readiness"].as_str().unwrap()))
        .collect();
    assert_eq!(matrix, [("campus", "READY"), ("telecom", "BROKEN"), ("mobile", "READY")]);
    let shown = said(folder, &["judge", "--vantages", "mobile,telecom,campus", "--store", "all.db"]);
    let line = shown.lines().find(|line| line.contains(" a.history.example")).unwrap();
    assert!(line.starts_with("READY(2/3)") && line.contains("telecom BROKEN[refused]"), "{line}");
    // Fewer than three, and one vantage twice, say nothing together.
    for (runs, why) in [("campus,telecom", "至少需要 3 个测量点"), ("campus,telecom,campus", "同一测量点 campus")]
    {
        let output = v6ready(folder, &["judge", "--vantages", runs, "--store", "all.db"]);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && told.contains(why), "{told}");
    }
}
