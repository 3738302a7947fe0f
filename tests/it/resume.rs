//! Going on with an interrupted run by the command line: which one, and what is said of those that cannot. And many scans at once.
#![expect(clippy::unwrap_used, reason = "in tests, a failed unwrap is a failed test")]

use std::collections::BTreeMap;
use std::fs;
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use v6ready::clock::{Clock, SystemClock};
use v6ready::config::{Config, FlagValues};
use v6ready::model::METHOD_VERSION;
use v6ready::model::run::{Gate, Run, RunEnd, RunId, Vantage};
use v6ready::model::time::Timestamp;
use v6ready::store::{OpenMode, Store};
use v6ready::targets::{LoadOptions, load};

const RUN: &str = "20260101T000000Z";

fn scan(folder: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_v6ready"));
    command.current_dir(folder).args(["--lang", "en", "scan", "list.txt"]).args(more);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("V6READY_")) {
        command.env_remove(name);
    }
    command
}

fn result(output: &Output) -> (i32, String) {
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// A list, and a configuration whose resolver is this one: nothing is sent elsewhere.
fn write(folder: &Path, resolver: &str, timeout: &str) {
    let config = format!(
        "[dns]\nresolvers = [\"{resolver}\"]\ntimeout = \"{timeout}\"\nattempts = 1\n[attempts]\nspacing = \"1ms\"\n\
         [gate]\ncontrols = [\"[::1]:9\"]\n"
    );
    fs::write(folder.join("v6ready.toml"), config).unwrap();
    fs::write(folder.join("list.txt"), "www.school.edu.cn\n").unwrap();
}

/// Leaves a run in the history that was begun so long ago, as a killed scan does.
async fn killed(folder: &Path, age: Duration) {
    let options = LoadOptions::default();
    // Lists are compared by the names they were given by.
    let loaded = load(&[folder.join("list.txt")], &options).unwrap();
    let mut roster = loaded.roster;
    roster.sources.iter_mut().for_each(|list| "list.txt".clone_into(&mut list.path));
    roster.rows.iter_mut().for_each(|row| row.source.file = "list.txt".into());
    let config = Config::resolve(Some(&folder.join("v6ready.toml")), &BTreeMap::new(), &FlagValues::default()).unwrap();
    let age = i64::try_from(age.as_millis()).unwrap();
    let run = Run {
        id: RunId(RUN.to_owned()),
        vantage: Vantage {
            name: "local".to_owned(),
            isp: None,
            resolvers: Vec::new(),
            proofs: Vec::new(),
            dns_proofs: Vec::new(),
            clock: None,
        },
        started: Timestamp(SystemClock.now().0 - age),
        ended: None,
        end: RunEnd::Open,
        config_sha256: String::new(),
        method_version: METHOD_VERSION.to_owned(),
        program_version: env!("CARGO_PKG_VERSION").to_owned(),
        gate: Gate::default(),
        outages: Vec::new(),
        without_ipv6: false,
        lab: false,
        simulated: false,
        cost: None,
    };
    let store = Store::open(&folder.join("reports/history.db"), OpenMode::ReadWrite).await.unwrap();
    store.begin_run(&run, &roster, &loaded.policy, &config.to_toml().unwrap()).await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn the_interrupted_run_of_the_same_lists_goes_on_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    write(at, "127.0.0.1:9", "200ms");
    let (code, text) = result(&scan(at, &["--resume"]).output().unwrap());
    assert!(code == 4 && text.contains("a new one begins"), "{code} {text}");

    killed(at, Duration::from_mins(5)).await;
    let (code, text) = result(&scan(at, &["--resume"]).output().unwrap());
    // The gate is shut here, and the run stays as it was.
    assert!(code == 4 && text.contains(&format!("going on with run {RUN}: 1 of 1 sites")), "{code} {text}");
    let (code, text) = result(&scan(at, &[]).output().unwrap());
    assert!(code == 4 && text.contains("--resume goes on with it"), "{code} {text}");
    let (code, text) = result(&scan(at, &["--resume", "--jobs", "3"]).output().unwrap());
    assert!(code == 4 && text.contains("going on with"), "{code} {text}");

    let (code, text) = result(&scan(at, &["--resume", "--profile", "quick"]).output().unwrap());
    assert!(code == 3 && text.contains("measure.profile differs"), "{code} {text}");
    let (code, text) = result(&scan(at, &["--resume", "--without-ipv6"]).output().unwrap());
    assert!(code == 3 && text.contains("--without-ipv6 differs"), "{code} {text}");
    fs::write(at.join("list.txt"), "www.school.edu.cn\nwww.other.edu.cn\n").unwrap();
    let (code, text) = result(&scan(at, &["--resume"]).output().unwrap());
    assert!(code == 3 && text.contains("list.txt differs"), "{code} {text}");
}

#[tokio::test]
async fn an_old_run_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "127.0.0.1:9", "200ms");
    killed(folder.path(), Duration::from_hours(25)).await;
    let (code, text) = result(&scan(folder.path(), &["--resume"]).output().unwrap());
    assert!(code == 4 && text.contains("too long ago"), "{code} {text}");
}

/// How long each process took, its exit code and what it said.
fn end(child: Child, began: Instant) -> (Duration, i32, String) {
    let output = child.wait_with_output().unwrap();
    let (code, text) = result(&output);
    (began.elapsed(), code, text)
}

#[test]
#[expect(clippy::print_stdout, reason = "what was measured is part of the result")]
#[expect(clippy::disallowed_methods, reason = "a socket of this machine's own, on loopback")]
fn of_fifty_scans_at_once_one_runs_and_the_others_name_it() {
    let folder = tempfile::tempdir().unwrap();
    // A resolver that hears and says nothing, so that the first is still asking when the last has tried.
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    write(folder.path(), &silent.local_addr().unwrap().to_string(), "300ms");
    let mut waiting = Vec::new();
    for _ in 0..50 {
        let (began, mut command) = (Instant::now(), scan(folder.path(), &[]));
        let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let pid = child.id();
        waiting.push((pid, std::thread::spawn(move || end(child, began))));
    }
    let ended: Vec<_> = waiting.into_iter().map(|(pid, thread)| (pid, thread.join().unwrap())).collect();
    let (refused, ran): (Vec<_>, Vec<_>) = ended.into_iter().partition(|(_, (_, code, _))| *code == 75);
    assert_eq!((refused.len(), ran.len()), (49, 1), "{ran:?}");
    let holder = format!("process {} since 20", ran[0].0);
    let named = refused.iter().filter(|(_, (_, _, text))| text.contains(&holder)).count();
    let longest = refused.iter().map(|(_, (took, _, _))| *took).max().unwrap();
    println!("50 scans at once: 1 ran, 49 ended with 75, {named} named the holder, the slowest after {longest:?}");
    // One may ask in the moment in which the holder has the lock and has not written its name yet.
    assert!(named >= 47, "{refused:?}");
    assert!(longest < ran[0].1.0, "{longest:?}");
}
