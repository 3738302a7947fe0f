//! A scan whose gate is shut: exit code 4, and nothing is stored.
#![expect(clippy::unwrap_used, reason = "in tests, a failed unwrap is a failed test")]

use std::sync::Arc;

use super::assemble::{self, Surroundings};
use super::error::CliError;
use super::scan::{RunPlan, measure};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::exit::Exit;
use crate::lab::dns::facts::{Habit, ServerFacts};
use crate::lab::world::{ANCHORS, World};
use crate::lab::{Lab, PUBLIC_PREFIXES, RESOLVERS};
use crate::model::optout::OptOuts;
use crate::model::run::RunId;
use crate::net::scope::AddressPolicy;
use crate::probe::Transports;
use crate::report::Lang;
use crate::store::{OpenMode, Store};
use crate::targets::{LoadOptions, load_bytes};
use crate::upkeep::heartbeat::Heartbeat;

/// The exit code of a scan, and how many runs and sites are stored after it, while the first resolver has this habit.
async fn scan(habit: Habit) -> (u8, usize) {
    let mut world = World::new().with_anchors();
    world.servers.insert(RESOLVERS[0], ServerFacts { habit: Some(habit), ..ServerFacts::default() });
    let lab = Lab::start(world).await.unwrap();
    let mut config = Config::default();
    config.gate.anchors = ANCHORS
        .iter()
        .zip(["a", "b", "c", "a", "b"])
        .map(|(host, network)| crate::config::Anchor { host: (*host).to_owned(), network: network.to_owned() })
        .collect();
    config.gate.nxdomain_suffixes = vec!["anchor1.example".to_owned()];
    config.gate.controls = Vec::new();
    config.pace.per_host_interval = std::time::Duration::ZERO;
    let public = PUBLIC_PREFIXES.iter().map(|prefix| prefix.parse().unwrap()).collect();
    let mut surroundings = Surroundings {
        route: lab.route(),
        policy: AddressPolicy { public_prefixes: public, local_deny: Vec::new() },
        resolvers: RESOLVERS.iter().map(|address| (*address, 53).into()).collect(),
        roots: Vec::new(),
        bundled_roots: true,
        anchors_pem: vec![lab.ca_pem().into_bytes()],
        lab: false,
        turns: assemble::turns(&config),
    };
    assemble::deny_nat64(&config, &mut surroundings).await;
    let translated = "2001:db8:64::1".parse().unwrap();
    assert_eq!(surroundings.policy.classify(translated).is_public(), !matches!(habit, Habit::Dns64(_)));
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("history.db"), OpenMode::ReadWrite).await.unwrap();
    let loaded = load_bytes(&[("list.txt", b"anchor2.example\n".as_slice())], &LoadOptions::lab()).unwrap();
    let plan = RunPlan {
        id: RunId("20260101T000000Z".to_owned()),
        vantage: "lab".to_owned(),
        isp: None,
        config_toml: String::new(),
        config_sha256: String::new(),
        lab: false,
        simulated: true,
        mode: super::progress::Mode::Quiet,
        lang: Lang::En,
        heartbeat: Heartbeat::begin(&folder.path().join("history.db"), Arc::new(SystemClock)),
        earlier: None,
    };
    let prober = Arc::new(assemble::prober(&config, &surroundings).unwrap());
    let gate = assemble::gate(&config, &OptOuts::default());
    let rules = assemble::scan_rules(&config, Transports::Both);
    let shut: CliError = measure(&store, prober, &gate, rules, &plan, loaded).await.unwrap_err();
    let runs = store.runs().await.unwrap().len();
    store.close().await;
    (Exit::from(&shut).code(), runs)
}

#[tokio::test]
async fn a_resolver_that_lies_shuts_the_gate_and_nothing_is_stored() {
    let prefix = "2001:db8:64::".parse().unwrap();
    for habit in [Habit::Dns64(prefix), Habit::Invents([203, 0, 113, 1].into()), Habit::DeniesAaaa] {
        assert_eq!(scan(habit).await, (4, 0), "{habit:?}");
    }
}
