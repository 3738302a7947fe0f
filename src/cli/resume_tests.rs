//! A run that is killed again and again, by SIGKILL in a process of its own, ends with the verdicts of one that was not.
#![expect(clippy::unwrap_used, reason = "in tests, a failed unwrap is a failed test")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::assemble::{self, Surroundings};
use super::demo::{lab_prefixes, quick};
use super::finish::judge_run;
use super::progress::Mode;
use super::resume::{Found, Wanted, find, take_up};
use super::scan::{RunPlan, measure};
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, FlagValues};
use crate::lab::demo::demo_world;
use crate::lab::{Lab, RESOLVERS, ROOTS};
use crate::model::outage::Trigger;
use crate::model::run::{RunEnd, RunId};
use crate::model::site::{Site, SiteKey};
use crate::net::scope::AddressPolicy;
use crate::probe::Transports;
use crate::report::Lang;
use crate::store::{OpenMode, Sound, Store};
use crate::targets::{LoadOptions, embedded, load_bytes};
use crate::upkeep::heartbeat::Heartbeat;

/// Where [`a_child_scans`] finds its folder. Not set: nothing to do.
const CHILD: &str = "V6READY_TEST_CHILD_SCANS";
/// How many kills. Not set: [`FEW`].
const KILLS: &str = "V6READY_TEST_KILLS";
const FEW: u64 = 4;
const RUN: &str = "20260101T000000Z";

/// The scan of the demo's province, begun or gone on with, until it is over.
async fn scan(folder: &Path) {
    let loaded = load_bytes(embedded::SAMPLE, &LoadOptions::lab()).unwrap();
    let sites: Vec<Site> = loaded.roster.sites.values().cloned().collect();
    let lab = Lab::start(demo_world(&sites)).await.unwrap();
    let mut resolved = Config::resolve(None, &BTreeMap::new(), &FlagValues::default()).unwrap();
    resolved.config = quick(&resolved.config);
    let config = &resolved.config;
    let surroundings = Surroundings {
        route: lab.route(),
        policy: AddressPolicy { public_prefixes: lab_prefixes(), local_deny: Vec::new() },
        resolvers: RESOLVERS.iter().map(|address| (*address, 53).into()).collect(),
        roots: ROOTS.to_vec(),
        bundled_roots: true,
        anchors_pem: vec![lab.ca_pem().into_bytes()],
        lab: false,
        turns: assemble::turns(config),
    };
    let Sound { store, lock: _lock, aside } =
        Store::open_for_scan(&folder.join("history.db"), SystemClock.now()).await.unwrap();
    assert!(aside.is_none(), "{aside:?}");
    // The last one that was to be killed may have been quicker.
    if store.runs().await.unwrap().iter().any(|run| run.end == RunEnd::Complete) {
        return;
    }
    let mut prober = assemble::prober(config, &surroundings).unwrap();
    prober.opt_outs = loaded.roster.opt_outs.clone();
    let now = prober.net.clock.now();
    let wanted = Wanted { loaded: &loaded, resolved: &resolved, without_ipv6: false, now };
    let earlier = match find(&store, &wanted).await.unwrap() {
        Found::Unfinished(stored) => Some(take_up(&store, *stored, &wanted).await.unwrap().unwrap()),
        _ => None,
    };
    let plan = RunPlan {
        id: RunId(RUN.to_owned()),
        vantage: "lab".to_owned(),
        isp: None,
        config_toml: resolved.to_toml().unwrap(),
        config_sha256: String::new(),
        lab: false,
        simulated: true,
        mode: Mode::Quiet,
        lang: Lang::En,
        heartbeat: Heartbeat::begin(&folder.join("history.db"), Arc::new(SystemClock)),
        earlier,
    };
    let rules = assemble::scan_rules(config, Transports::Both);
    let gate = assemble::gate(config, &loaded.roster.opt_outs);
    let end = measure(&store, Arc::new(prober), &gate, rules, &plan, loaded).await.unwrap();
    assert_eq!(end, RunEnd::Complete);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_scans() {
    let Some(folder) = std::env::var_os(CHILD) else { return };
    scan(Path::new(&folder)).await;
}

fn child(folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "cli::resume_tests::a_child_scans"])
        .env(CHILD, folder)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// Verdict and reason of every site, rounds stored, and interruptions noted.
async fn outcome(folder: &Path) -> (BTreeMap<SiteKey, (&'static str, String)>, usize, usize) {
    let store = Store::open(&folder.join("history.db"), OpenMode::ReadOnly).await.unwrap();
    let headers = store.runs().await.unwrap();
    assert_eq!(headers.len(), 1);
    assert_eq!(headers[0].end, RunEnd::Complete);
    let judged = judge_run(&store, &RunId(RUN.to_owned()), None).await.unwrap();
    let mut rounds = 0;
    store
        .for_each_observation::<crate::store::StoreError, _>(&judged.run.id, |observation| {
            rounds += observation.rounds.len();
            Ok(())
        })
        .await
        .unwrap();
    store.close().await;
    let verdicts = judged.assessments.iter().map(|(key, a)| (key.clone(), (a.readiness.name(), a.reason.to_string())));
    let interruptions = judged.run.outages.iter().filter(|outage| outage.why == Trigger::Interrupted).count() / 3;
    (verdicts.collect(), rounds, interruptions)
}

/// A simple generator (xorshift), so that the moments of the kills can be had again.
fn next(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

#[tokio::test]
async fn a_run_that_is_killed_again_and_again_ends_with_the_same_verdicts() {
    let (calm, killed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let began = Instant::now();
    assert!(child(calm.path()).wait().unwrap().success());
    let took = began.elapsed();
    let (expected, rounds, _) = outcome(calm.path()).await;

    let kills = std::env::var(KILLS).ok().and_then(|text| text.parse().ok()).unwrap_or(FEW);
    let mut seed = 0x5eed_u64;
    let mut fallen = 0;
    // From the first moment at which the gate may be open to a part of the run that leaves something for the next kill.
    let window = u64::try_from(took.as_millis()).unwrap() / 8;
    for _ in 0..kills {
        let mut scanning = child(killed.path());
        let spawned = Instant::now();
        let log = || std::fs::metadata(killed.path().join("history.db-wal")).map_or(0, |log| log.len());
        let (before, anywhere) = (log(), next(&mut seed).is_multiple_of(3));
        // Every third falls at any moment, so also while the file is opened and the gate is made.
        while !anywhere && log() == before && spawned.elapsed() < took {
            std::thread::sleep(Duration::from_millis(50));
        }
        std::thread::sleep(Duration::from_millis(next(&mut seed) % window));
        // The run may be over before the last kill; then there is nothing left to kill.
        if scanning.try_wait().unwrap().is_some() {
            break;
        }
        scanning.kill().unwrap();
        scanning.wait().unwrap();
        fallen += 1;
    }
    assert!(child(killed.path()).wait().unwrap().success());
    let (got, rounds_killed, interruptions) = outcome(killed.path()).await;
    super::output::line(format!(
        "{fallen} kills, {interruptions} after which there was something to go on with; {} sites; {rounds} rounds \
         undisturbed in {took:?}, {rounds_killed} with kills",
        expected.len()
    ));
    let differ: Vec<_> = expected.iter().filter(|(key, verdict)| got.get(*key) != Some(*verdict)).collect();
    let instead: Vec<_> = differ.iter().map(|(key, _)| got.get(*key)).collect();
    assert!(differ.is_empty() && got.len() == expected.len(), "{differ:#?} became {instead:#?}");
}
