//! Vantages that the gate must refuse for what their own path does to packets.
//!
//! Leaves to others: resolvers that lie (`dns_lies`), clocks (`clocks`), a host without IPv6 (the acceptance test), and that
//! a shut gate stores nothing (the command line's tests).

use std::net::IpAddr;

use v6ready::engine::gate;
use v6ready::lab::Lab;
use v6ready::lab::world::World;
use v6ready::model::address::Family;
use v6ready::probe::Transports;

use crate::bench_net::{Patience, gate_rules, prober};

/// The checks that fail where hosts that fit lose packets larger than the smallest that IPv6 allows.
async fn failures(fits: impl Fn(&IpAddr) -> bool) -> Vec<String> {
    let mut world = World::new().with_anchors();
    let lossy = world.hosts.iter_mut().filter(|(address, _)| fits(address));
    lossy.for_each(|(_, host)| host.pmtu = Some(1280));
    let lab = Lab::start(world).await.expect("a lab");
    let opening = gate::check(&prober(&lab, Patience::USUAL), &gate_rules(), Transports::Both).await;
    opening.gate.failures().map(|check| check.name.clone()).collect()
}

/// Every page that needs full-sized packets would stall, and every such site would seem broken.
#[tokio::test(flavor = "multi_thread")]
async fn a_path_mtu_black_hole_of_our_own_shuts_the_gate() {
    let over = |family| move |address: &IpAddr| Family::of(*address) == family;
    // One anchor's own fault is none of ours.
    let second = |address: &IpAddr| address.to_string() == "2001:db8:a200::2";
    let (v6, v4, one) = tokio::join!(failures(over(Family::V6)), failures(over(Family::V4)), failures(second));
    assert_eq!(v6, ["anchors-ipv6"]);
    assert_eq!(v4, ["anchors-ipv4"]);
    assert_eq!(one, [] as [&str; 0]);
}
