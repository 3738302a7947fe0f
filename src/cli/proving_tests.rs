//! Silent resolvers are told at once; a machine that hears its only resolver alone is told what that costs.
#![expect(clippy::unwrap_used, reason = "in tests, a failed unwrap is a failed test")]

use std::net::IpAddr;
use std::time::Instant;

use super::*;
use crate::cli::assemble::{self, Surroundings};
use crate::cli::demo::{lab_prefixes, quick};
use crate::config::Config;
use crate::lab::dns::facts::{Habit, ServerFacts};
use crate::lab::world::{ANCHORS, World};
use crate::lab::{Lab, RESOLVERS};
use crate::model::optout::OptOuts;
use crate::net::scope::AddressPolicy;

/// A laboratory in which these servers hear everything and answer nothing, and a prober with so many resolvers in it.
async fn laboratory(silent: &[IpAddr], resolvers: usize) -> (Lab, Prober, GateRules) {
    let mut world = World::new().with_anchors();
    for server in silent {
        world.servers.insert(*server, ServerFacts { habit: Some(Habit::Ignores), ..ServerFacts::default() });
    }
    let lab = Lab::start(world).await.unwrap();
    let mut config = quick(&Config::default());
    config.gate.anchors = ANCHORS
        .iter()
        .zip(["a", "b", "c", "a", "b"])
        .map(|(host, network)| crate::config::Anchor { host: (*host).to_owned(), network: network.to_owned() })
        .collect();
    let surroundings = Surroundings {
        route: lab.route(),
        policy: AddressPolicy { public_prefixes: lab_prefixes(), local_deny: Vec::new() },
        resolvers: RESOLVERS.iter().take(resolvers).map(|address| (*address, 53).into()).collect(),
        roots: Vec::new(),
        bundled_roots: true,
        anchors_pem: vec![lab.ca_pem().into_bytes()],
        lab: false,
        turns: assemble::turns(&config),
    };
    let prober = assemble::prober(&config, &surroundings).unwrap();
    (lab, prober, assemble::gate(&config, &OptOuts::default()))
}

#[tokio::test]
async fn resolvers_that_say_nothing_shut_the_gate_without_a_long_wait() {
    let (_lab, prober, rules) = laboratory(&RESOLVERS, 2).await;
    let began = Instant::now();
    let opening = open(&prober, &rules, Transports::Both, None).await;
    // Three tries of 800 ms, both resolvers at the same time.
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let [check] = opening.gate.checks.as_slice() else { panic!("{:?}", opening.gate.checks) };
    assert_eq!((check.name.as_str(), check.outcome), ("resolvers", CheckOutcome::Fail));
    assert!(check.detail.contains(&RESOLVERS[1].to_string()), "{}", check.detail);
    assert!(!opening.gate.is_open());
}

#[tokio::test]
async fn one_resolver_that_replies_is_enough_to_go_on() {
    let (_lab, prober, rules) = laboratory(&RESOLVERS[..1], 2).await;
    assert_eq!(all_silent(&prober, &rules).await, None);
}

#[tokio::test]
async fn one_resolver_alone_is_no_second_source() {
    let (_lab, prober, rules) = laboratory(&[], 1).await;
    assert_eq!(second_source(&prober, &rules).await.outcome, CheckOutcome::Pass);
    let mut silent: Vec<IpAddr> = Vec::new();
    for anchor in ANCHORS {
        silent.extend(prober.net.authorities.of(anchor).await.iter().map(SocketAddr::ip));
    }
    assert!(!silent.is_empty());
    let (_lab, prober, rules) = laboratory(&silent, 1).await;
    let alone = second_source(&prober, &rules).await;
    assert_eq!(alone.outcome, CheckOutcome::Warn, "{alone:?}");
    assert!(alone.advice.contains("DNS_SINGLE_SOURCE") && alone.advice.contains("dns.resolvers"), "{alone:?}");
    let (_lab, prober, rules) = laboratory(&silent, 2).await;
    assert_eq!(second_source(&prober, &rules).await.outcome, CheckOutcome::Pass);
}
