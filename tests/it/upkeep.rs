//! What a machine that nobody watches leaves for those who look, by the real binary: `status`, the ledger, the metrics.
#![expect(clippy::unwrap_used, reason = "in tests, a failed unwrap is a failed test")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn v6ready(folder: &Path, arguments: &[&str]) -> Output {
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
