//! The real binary: exit codes, the demo's folder, looking back offline, and being interrupted.
#![expect(clippy::unwrap_used, reason = "in tests, a failed unwrap is a failed test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// The program in a folder of its own, without the surrounding configuration.
fn v6ready(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_v6ready"));
    command.current_dir(folder).args(arguments);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("V6READY_")) {
        command.env_remove(name);
    }
    command
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    v6ready(folder, arguments).output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or(-1)
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Every file below a folder, with its bytes.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(at) = folders.pop() {
        for entry in fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// What lies beside the demo's report makes it again elsewhere, with all that the lists say of schools that are not measured.
fn made_again_elsewhere(folder: &Path, report: &BTreeMap<String, Vec<u8>>) {
    let imported = run(folder, &["history", "import", "reports/demo/evidence.jsonl.zst", "--store", "copy.db"]);
    assert_eq!(code(&imported), 0, "{}", stderr(&imported));
    let copied = run(folder, &["report", "--run", "demo", "--store", "copy.db", "--reports", "copied"]);
    assert_eq!(code(&copied), 0, "{}", stderr(&copied));
    assert!(files(&folder.join("copied/demo")) == *report, "the report made of its evidence is another");
}

#[test]
fn a_demo_and_looking_back_at_it() {
    let folder = tempfile::tempdir().unwrap();
    // A proxy in the environment is nobody's business: the measurement is made by this machine, or not at all.
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    proxy.set_nonblocking(true).unwrap();
    let at = format!("http://{}", proxy.local_addr().unwrap());
    let mut demo = v6ready(folder.path(), &["demo"]);
    for name in ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        demo.env(name, &at);
    }
    let demo = demo.env_remove("no_proxy").env_remove("NO_PROXY").env_remove("REQUEST_METHOD").output().unwrap();
    assert_eq!(code(&demo), 0, "{}", stderr(&demo));
    assert_eq!(proxy.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "the proxy was asked");
    assert!(String::from_utf8_lossy(&demo.stdout).contains("index.html"));
    let report = folder.path().join("reports/demo");
    let index = fs::read_to_string(report.join("index.html")).unwrap();
    assert!(index.contains("模拟数据"));
    assert!(
        index.contains("主机名中不允许下划线") && !index.contains("underscores are not allowed"),
        "in the page's language"
    );

    // Every row of the lists is in the report or rejected, and every verdict occurs.
    let summary: serde_json::Value = serde_json::from_slice(&fs::read(report.join("summary.json")).unwrap()).unwrap();
    let schools = summary["schools"].as_array().unwrap();
    assert_eq!(summary["total"]["listed"].as_u64(), Some(400));
    let seen: BTreeSet<&str> = schools.iter().filter_map(|school| school["readiness"].as_str()).collect();
    for readiness in v6ready::model::verdict::Readiness::ALL {
        assert!(seen.contains(readiness.name()), "no {} in the demo", readiness.name());
    }

    // Offline, twice, byte for byte.
    let store = "reports/demo.db";
    for reports in ["a", "b"] {
        let again = run(folder.path(), &["report", "--run", "demo", "--store", store, "--reports", reports]);
        assert_eq!(code(&again), 0, "{}", stderr(&again));
    }
    let (a, b) = (files(&folder.path().join("a/demo")), files(&folder.path().join("b/demo")));
    assert!(a.len() > 10);
    assert!(a == b && a == files(&report), "reports differ on repeat");
    let judge = ["judge", "--run", "demo", "--store", store, "--json"];
    let (first, second) = (run(folder.path(), &judge), run(folder.path(), &judge));
    assert_eq!(code(&first), 0, "{}", stderr(&first));
    assert_eq!(first.stdout, second.stdout);

    made_again_elsewhere(folder.path(), &a);

    // Some files only; words of one's own in the circular, and mistakes in them.
    let with = |arguments: &[&str]| {
        run(folder.path(), &[&["report", "--run", "demo", "--store", store, "--reports", "own"], arguments].concat())
    };
    let words = include_str!("../../templates/bulletin/bulletin.zh.toml");
    fs::create_dir(folder.path().join("words")).unwrap();
    fs::write(folder.path().join("words/bulletin.zh.toml"), words.replace("仿宋_GB2312", "楷体")).unwrap();
    let made = with(&["--formats", "docx", "--templates", "words"]);
    assert_eq!(code(&made), 0, "{}", stderr(&made));
    let made = files(&folder.path().join("own/demo"));
    assert_eq!(made.keys().collect::<Vec<_>>(), ["bulletin.docx", "manifest.json"]);
    assert!(made["bulletin.docx"] != a["bulletin.docx"]);
    fs::write(folder.path().join("words/bulletin.zh.toml"), words.replace("to = ", "\nwho = ")).unwrap();
    let bad = with(&["--templates", "words"]);
    assert_eq!(code(&bad), 3);
    assert!(stderr(&bad).contains("words/bulletin.zh.toml:12: unknown field `who`"), "{}", stderr(&bad));
    assert_eq!(code(&with(&["--templates", "nowhere"])), 3);
    assert_eq!(code(&with(&["--formats", "pdf"])), 3);

    // Every failing row is in a cause, and nobody is helped twice.
    let causes = summary["causes"].as_array().unwrap();
    let of_causes: BTreeSet<&str> =
        causes.iter().flat_map(|cause| cause["sites"].as_array().unwrap()).filter_map(|site| site.as_str()).collect();
    let failing: BTreeSet<&str> = schools
        .iter()
        .filter(|school| school["counts_as"] == "fail")
        .filter_map(|school| school["domain"].as_str())
        .collect();
    assert_eq!(of_causes, failing);
    let helped: u64 = causes.iter().filter_map(|cause| cause["helped"].as_u64()).sum();
    let judged = |what: &str| summary["total"][what].as_u64().unwrap();
    assert!(helped <= judged("judged") - judged("ready"));

    // The same evidence in points, as often as one likes; a file of one's own, and mistakes in it.
    let points_by =
        |rules: &str| run(folder.path(), &["judge", "--run", "demo", "--store", store, "--rules", rules, "--json"]);
    for rules in v6ready::judge::rules::shipped() {
        let (first, second) = (points_by(rules), points_by(rules));
        assert_eq!(code(&first), 0, "{}", stderr(&first));
        assert!(first.stdout == second.stdout && first.stdout.len() > 1000, "{rules}");
    }
    assert_eq!(code(&points_by("no-such-rules")), 3);
    let own = include_str!("../../src/judge/rules/portal.toml").replace("\"portal\"", "\"own\"");
    fs::write(folder.path().join("own.toml"), &own).unwrap();
    assert!(String::from_utf8_lossy(&points_by("own.toml").stdout).contains("\"rules\":\"own\""));
    fs::write(folder.path().join("own.toml"), own.replace("weight", "wieght")).unwrap();
    let bad = points_by("own.toml");
    assert_eq!(code(&bad), 3);
    assert!(stderr(&bad).contains("own.toml:") && stderr(&bad).contains("wieght"), "{}", stderr(&bad));

    // One site's evidence, with the command that repeats the probe.
    let broken = schools.iter().find(|school| school["readiness"] == "BROKEN").unwrap();
    let name = broken["domain"].as_str().unwrap();
    let show = run(folder.path(), &["--lang", "en", "show", "demo", name, "--store", store]);
    let text = String::from_utf8_lossy(&show.stdout).into_owned();
    assert_eq!(code(&show), 0, "{}", stderr(&show));
    assert!(text.contains("BROKEN") && text.contains("v6ready check") && text.contains("DNS AAAA"), "{text}");
    for spelling in [name.to_uppercase(), format!("https://{name}/index.html"), "示例大学".to_owned()] {
        let shown = run(folder.path(), &["show", "demo", &spelling, "--store", store]);
        assert_eq!(code(&shown), 0, "{spelling}: {}", stderr(&shown));
    }
    // Who only looks makes no history.
    let nothing = run(folder.path(), &["judge", "--run", "latest", "--store", "none/history.db"]);
    assert!(code(&nothing) == 3 && !folder.path().join("none").exists(), "{}", stderr(&nothing));
    let unknown = run(folder.path(), &["show", "demo", "nobody.example", "--store", store]);
    assert_eq!(code(&unknown), 2);
}

#[test]
fn mistakes_have_their_exit_codes() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    assert_eq!(code(&run(at, &["frobnicate"])), 2);
    assert_eq!(code(&run(at, &["scan"])), 2);
    let missing = run(at, &["scan", "no-such-list.csv"]);
    assert_eq!(code(&missing), 3);
    assert!(stderr(&missing).contains("no-such-list.csv"), "{}", stderr(&missing));
    fs::write(at.join("bad.toml"), "[pace]\njbos = 3\n").unwrap();
    let bad = run(at, &["config", "show", "--config", "bad.toml"]);
    assert_eq!(code(&bad), 3);
    assert!(stderr(&bad).contains("bad.toml") && stderr(&bad).contains("jobs"), "{}", stderr(&bad));
    fs::write(at.join("none.csv"), "学校名称,网址\n第一中学,无\n").unwrap();
    assert_eq!(code(&run(at, &["scan", "none.csv"])), 3);
    assert_eq!(code(&run(at, &["runs"])), 3);
    assert_eq!(code(&run(at, &["--help"])), 0);
    let version = run(at, &["--version"]);
    assert!(String::from_utf8_lossy(&version.stdout).contains(v6ready::net::scope::REGISTRY_DATE));
}

/// A configuration whose resolver is a closed port of this machine: the gate cannot open, and nothing is sent elsewhere.
fn blind(folder: &Path) {
    let config = "[dns]\nresolvers = [\"127.0.0.1:9\"]\ntimeout = \"200ms\"\nattempts = 1\n[attempts]\nspacing = \"1ms\"\n\
                  [gate]\ncontrols = [\"[::1]:9\"]\n";
    fs::write(folder.join("v6ready.toml"), config).unwrap();
    fs::write(folder.join("list.txt"), "www.school.edu.cn\n").unwrap();
}

#[test]
fn a_shut_gate_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    blind(folder.path());
    let scan = run(folder.path(), &["--lang", "en", "scan", "list.txt"]);
    assert_eq!(code(&scan), 4, "{}", stderr(&scan));
    assert!(stderr(&scan).contains("FAILED") && stderr(&scan).contains("nothing was judged"), "{}", stderr(&scan));
    let runs = run(folder.path(), &["runs"]);
    assert_eq!((code(&runs), runs.stdout.len()), (0, 0), "{}", stderr(&runs));
    let doctor = run(folder.path(), &["--lang", "en", "doctor"]);
    assert_eq!(code(&doctor), 4);
    // Who reads Chinese is told in Chinese: every advice, and why nothing was done.
    let doctor = run(folder.path(), &["--lang", "zh", "doctor"]);
    assert_eq!(code(&doctor), 4);
    let told = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(told.contains("未通过") && !told.contains("FAILED"), "{told}");
    assert!(told.lines().filter_map(|line| line.split_once("→ ")).all(|(_, advice)| !advice.is_ascii()), "{told}");
    assert!(stderr(&doctor).contains("本测量点目前不具备测量条件"), "{}", stderr(&doctor));
    assert!(String::from_utf8_lossy(&doctor.stdout).contains("无应答：127.0.0.1:9"));
}

/// A demo that has stored some of its sites, and is then asked to stop.
#[cfg(unix)]
fn stopped_demo(folder: &Path) -> (std::process::Child, Instant) {
    let child = v6ready(folder, &["demo"]).spawn().unwrap();
    let database = folder.join("reports/demo.db-wal");
    let began = Instant::now();
    while fs::metadata(&database).map_or(0, |file| file.len()) < 200_000 {
        assert!(began.elapsed() < Duration::from_mins(1), "nothing was stored");
        std::thread::sleep(Duration::from_millis(50));
    }
    ask_to_stop(&child);
    (child, Instant::now())
}

#[cfg(unix)]
fn ask_to_stop(child: &std::process::Child) {
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
}

#[cfg(unix)]
#[test]
fn a_second_signal_leaves_at_once_and_without_reports() {
    let folder = tempfile::tempdir().unwrap();
    let (mut child, _) = stopped_demo(folder.path());
    // Two that come before the program has looked are one.
    std::thread::sleep(Duration::from_secs(1));
    let asked = Instant::now();
    ask_to_stop(&child);
    assert_eq!(child.wait().unwrap().code(), Some(5));
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    assert!(!folder.path().join("reports/demo").exists());
    let runs = run(folder.path(), &["runs", "--store", "reports/demo.db", "--json"]);
    assert!(String::from_utf8_lossy(&runs.stdout).contains("\"interrupted\""));
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_keeps_what_is_finished() {
    let folder = tempfile::tempdir().unwrap();
    let (mut child, asked) = stopped_demo(folder.path());
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(5));
    assert!(asked.elapsed() < Duration::from_secs(20), "{:?}", asked.elapsed());
    assert!(folder.path().join("reports/demo/index.html").exists());
    let judged = run(folder.path(), &["judge", "--run", "demo", "--store", "reports/demo.db", "--json"]);
    let rows = String::from_utf8_lossy(&judged.stdout).lines().count();
    assert!(rows > 0 && rows < 352, "{rows}");
}

#[test]
fn too_few_descriptors_are_refused_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("list.txt"), "www.school.example\n").unwrap();
    let limited = |limit: &str, what: &str| {
        let mut command = Command::new("sh");
        let script = format!("ulimit -n {limit} && exec \"$0\" --lang en {what} --resolver 127.0.0.1:9");
        command.current_dir(folder.path()).args(["-c", &script, env!("CARGO_BIN_EXE_v6ready")]);
        command.output().unwrap()
    };
    let refused = limited("64", "scan list.txt");
    assert_eq!(code(&refused), 3, "{}", stderr(&refused));
    assert!(stderr(&refused).contains("ulimit -n 4096"), "{}", stderr(&refused));
    assert!(!folder.path().join("history.db").exists());
    // The machine's set-up is no matter of the gate, which is shut here as well.
    blind(folder.path());
    let doctor = limited("64", "doctor");
    assert_eq!(code(&doctor), 3, "{}", stderr(&doctor));
    assert!(String::from_utf8_lossy(&doctor.stdout).contains("descriptors"), "{}", stderr(&doctor));
}

#[test]
fn doctor_tells_an_unusable_configuration_from_a_shut_gate() {
    let folder = tempfile::tempdir().unwrap();
    blind(folder.path());
    assert_eq!(code(&run(folder.path(), &["doctor"])), 4);
    fs::write(folder.path().join("v6ready.toml"), "[gate]\nanchros = []\n").unwrap();
    assert_eq!(code(&run(folder.path(), &["doctor"])), 3);
}
