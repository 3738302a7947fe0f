//! What a machine that nobody watches leaves for those who look, by the real binary: `status`, the ledger, the metrics.
#![expect(clippy::unwrap_used, reason = "in tests, a failed unwrap is a failed test")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

pub(crate) fn v6ready(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_v6ready"));
    command.current_dir(folder).args(arguments);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("V6READY_")) {
        command.env_remove(name);
    }
    command.output().unwrap()
}

fn status(folder: &Path) -> (i32, serde_json::Value) {
    let output = v6ready(folder, &["status", "--json"]);
    let json = serde_json::from_slice(&output.stdout).unwrap_or(serde_json::Value::Null);
    (output.status.code().unwrap(), json)
}

#[test]
fn a_start_that_failed_is_seen_in_status_and_metrics() {
    let folder = tempfile::tempdir().unwrap();
    let (code, json) = status(folder.path());
    assert_eq!((code, &json["problems"]), (1, &serde_json::json!(["never_ran"])), "{json}");

    // A list without any site: exit code 3, before anything is measured.
    fs::create_dir(folder.path().join("reports")).unwrap();
    fs::write(folder.path().join("list.csv"), "domain,name\n").unwrap();
    let scan = v6ready(folder.path(), &["scan", "list.csv", "--metrics", "v6ready.prom"]);
    assert_eq!(scan.status.code(), Some(3), "{}", String::from_utf8_lossy(&scan.stderr));
    let (code, json) = status(folder.path());
    assert_eq!((code, &json["problems"]), (1, &serde_json::json!(["failed", "never_ran"])), "{json}");
    assert_eq!(json["last_attempt"]["exit"], 3);
    assert!(json["free_bytes"].as_u64().unwrap() > 0 && json["running"].is_null());
    let metrics = fs::read_to_string(folder.path().join("v6ready.prom")).unwrap();
    assert!(metrics.lines().any(|line| line == "v6ready_last_run_success 0"), "{metrics}");
    assert!(metrics.lines().any(|line| line == "v6ready_last_run_exit_code 3"), "{metrics}");

    // A good run later, as the ledger has it, and the next start by the timetable.
    let now = v6ready::clock::Clock::now(&v6ready::clock::SystemClock).0;
    let ledger = serde_json::json!({
        "attempt": {"began": now, "ended": now, "exit": 0, "complete": true, "error": null},
        "good": {"run": "20260101T000000Z", "ended": now, "listed": 4, "judged": 3, "ready": 2, "not_judged": 1},
    });
    fs::write(folder.path().join("reports/history.db.ledger"), ledger.to_string()).unwrap();
    fs::write(folder.path().join("v6ready.toml"), "[schedule]\ncron = \"0 22 * * 6\"\n").unwrap();
    let (code, json) = status(folder.path());
    assert_eq!((code, &json["ok"]), (0, &serde_json::json!(true)), "{json}");
    assert!(json["next_start"].as_i64().unwrap() > now);
    for (lang, word) in [("zh", "就绪/已判定 2/3"), ("en", "ready/judged 2/3")] {
        let output = v6ready(folder.path(), &["status", "--lang", lang]);
        assert!(String::from_utf8_lossy(&output.stdout).contains(word), "{lang}");
    }

    // Too little space, by a demand that no disk meets.
    fs::write(folder.path().join("v6ready.toml"), "[watch]\nleast_free_mib = 999999999999\n").unwrap();
    let (code, json) = status(folder.path());
    assert_eq!((code, &json["problems"]), (1, &serde_json::json!(["disk_low"])));

    // What cannot be used is exit code 3, not a bill of health.
    fs::write(folder.path().join("v6ready.toml"), "[schedule]\ncron = \"sometimes\"\n").unwrap();
    assert_eq!(status(folder.path()).0, 3);
}

/// Answers so many requests, one after another, with this body, and gives back what was asked: head and body.
fn bot(answers: usize, body: &'static str) -> (String, std::thread::JoinHandle<Vec<String>>) {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = format!("http://{}", listener.local_addr().unwrap());
    let served = std::thread::spawn(move || {
        let mut asked = Vec::new();
        for _ in 0..answers {
            let (mut stream, _) = listener.accept().unwrap();
            let (mut text, mut buffer) = (Vec::new(), [0; 4096]);
            loop {
                let read = stream.read(&mut buffer).unwrap();
                text.extend_from_slice(&buffer[..read]);
                let so_far = String::from_utf8_lossy(&text).to_lowercase();
                let length = so_far.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
                let end = so_far.find("\r\n\r\n").map(|end| end + 4);
                if read == 0 || end.zip(length).is_some_and(|(end, length): (usize, usize)| text.len() >= end + length)
                {
                    break;
                }
            }
            let answer =
                format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
            stream.write_all(answer.as_bytes()).unwrap();
            asked.push(String::from_utf8_lossy(&text).into_owned());
        }
        asked
    });
    (at, served)
}

/// Every secret is planted where it belongs, and must be found nowhere else.
pub(crate) fn leaks(folder: &Path, outputs: &[Output], secrets: &[&str]) -> Vec<String> {
    let mut texts: Vec<(String, Vec<u8>)> = Vec::new();
    for output in outputs {
        texts.push(("stdout".to_owned(), output.stdout.clone()));
        texts.push(("stderr".to_owned(), output.stderr.clone()));
    }
    let mut folders = vec![folder.to_owned()];
    while let Some(at) = folders.pop() {
        for entry in fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_none_or(|extension| extension != "secret") {
                texts.push((path.display().to_string(), fs::read(&path).unwrap()));
            }
        }
    }
    let holds = |text: &[u8], secret: &str| text.windows(secret.len()).any(|window| window == secret.as_bytes());
    let found =
        |(name, text): &(String, Vec<u8>)| secrets.iter().any(|secret| holds(text, secret)).then(|| name.clone());
    assert!(texts.len() > 4);
    texts.iter().filter_map(found).collect()
}

#[test]
fn a_failure_is_told_once_and_no_secret_leaves_its_file() {
    const URL_SECRET: &str = "planted-7f3c9e";
    const KEY_SECRET: &str = "SECplanted-a81b44";
    for (kind, answer, refused) in [
        ("dingtalk", r#"{"errcode":0}"#, false),
        ("dingtalk", r#"{"errcode":310000}"#, true),
        ("feishu", r#"{"code":0}"#, false),
        ("wecom", r#"{"errcode":0}"#, false),
        ("generic", "", false),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("reports")).unwrap();
        fs::write(at("list.csv"), "domain,name\n").unwrap();
        let (url, served) = bot(1, answer);
        fs::write(at("url.secret"), format!("{url}/send?access_token={URL_SECRET}\n")).unwrap();
        fs::write(at("key.secret"), format!("{KEY_SECRET}\n")).unwrap();
        let config = format!("[notify]\nbot = \"{kind}\"\nurl_file = \"url.secret\"\nkey_file = \"key.secret\"\n");
        fs::write(at("v6ready.toml"), config).unwrap();

        let first = v6ready(folder.path(), &["scan", "list.csv", "--metrics", "v6ready.prom"]);
        let asked = served.join().unwrap();
        assert!(asked[0].starts_with("POST /send?access_token=planted-7f3c9e"), "{kind}: {asked:?}");
        assert_eq!(asked[0].contains("&timestamp="), kind == "dingtalk", "{asked:?}");
        assert!(!asked[0].contains(KEY_SECRET), "{asked:?}");
        assert!(asked[0].contains("退出码 3") || asked[0].contains("\"exit\":3"), "{asked:?}");
        let said = String::from_utf8_lossy(&first.stderr).into_owned();
        assert_eq!(said.contains("errcode 310000"), refused, "{said}");

        // Nobody listens any more: were the same failure told again, that would be a warning.
        let second = v6ready(folder.path(), &["scan", "list.csv"]);
        assert!(!String::from_utf8_lossy(&second.stderr).contains("通知发送失败"), "{kind}");
        // Another event is told, in vain; the scan ends as it would have, and the URL is not named.
        fs::remove_file(at("reports/history.db.ledger")).unwrap();
        let third = v6ready(folder.path(), &["scan", "list.csv"]);
        assert!(String::from_utf8_lossy(&third.stderr).contains("通知发送失败"), "{kind}");
        assert_eq!([&first, &second, &third].map(|output| output.status.code()), [Some(3); 3], "{kind}");

        let mut outputs = vec![first, second, third];
        outputs.extend(
            [&["config", "show"][..], &["status", "--json"], &["status"]].map(|args| v6ready(folder.path(), args)),
        );
        assert_eq!(leaks(folder.path(), &outputs, &[URL_SECRET, KEY_SECRET]), [""; 0], "{kind}");
    }
}

#[cfg(unix)]
#[test]
fn a_schedule_ends_cleanly_by_sigterm_and_says_when_it_would_start() {
    use std::io::{BufRead as _, BufReader};
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("list.csv"), "domain,name\n").unwrap();
    let usage = v6ready(folder.path(), &["schedule", "list.csv"]);
    assert_eq!(usage.status.code(), Some(2), "{}", String::from_utf8_lossy(&usage.stderr));

    let mut child = Command::new(env!("CARGO_BIN_EXE_v6ready"))
        .current_dir(folder.path())
        .args(["schedule", "--lang", "en", "--cron", "0 22 1 1 *", "list.csv"])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    assert!(first.starts_with("next scan: ") && first.contains("-01-01 22:00"), "{first}");
    let asked = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(asked.success());
    let begun = std::time::Instant::now();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(begun.elapsed() < std::time::Duration::from_secs(5));
    assert_eq!(lines.next().unwrap().unwrap(), "the schedule was stopped");
}

#[test]
fn pruning_leaves_the_latest_run_alone_and_makes_no_history() {
    let folder = tempfile::tempdir().unwrap();
    let demo = v6ready(folder.path(), &["demo", "--quiet"]);
    assert_eq!(demo.status.code(), Some(0), "{}", String::from_utf8_lossy(&demo.stderr));
    let store = ["--store", "reports/demo.db", "--lang", "en"];
    let with = |arguments: &[&str]| v6ready(folder.path(), &[arguments, &store[..]].concat());
    let runs = |output: &Output| String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(with(&["history", "prune", "--keep", "0"]).status.code(), Some(2));
    // The only run is the latest: nothing to take.
    let before = with(&["judge", "--json"]);
    let prune = with(&["history", "prune", "--keep", "1"]);
    assert_eq!((prune.status.code(), runs(&prune).trim()), (Some(0), "may be given back: 0.0 MiB"));
    assert_eq!(with(&["judge", "--json"]).stdout, before.stdout);
    let missing = v6ready(folder.path(), &["history", "prune", "--keep", "1", "--store", "nowhere.db"]);
    assert_eq!(missing.status.code(), Some(3));
    assert!(!folder.path().join("nowhere.db").exists());
}
