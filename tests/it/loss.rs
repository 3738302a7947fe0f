//! Heavy loss on the way to some servers is weather: it may cost a verdict, and must not make one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use v6ready::judge::assess;
use v6ready::lab::Lab;
use v6ready::lab::dns::facts::NameFacts;
use v6ready::lab::web::facts::{Connect, HostFacts, Spot};
use v6ready::lab::world::World;
use v6ready::model::verdict::Readiness;
use v6ready::probe::Transports;

use crate::bench_net::{Patience, criteria, prober, scan, site};

/// Sites, each losing other connections.
const SITES: u8 = 60;

/// Sites of which three of ten connections over IPv6 get lost.
fn world() -> (World, Vec<String>) {
    let mut world = World::new().with_anchors();
    let mut names = Vec::new();
    for number in 1..=SITES {
        let name = format!("www.lossy{number}.example");
        let v4 = Ipv4Addr::new(203, 0, 113, 20 + number);
        let v6 = Ipv6Addr::new(0x2001, 0xdb8, 0xd000, u16::from(number), 0, 0, 0, 1);
        let lossy = Spot { connect: Some(Connect::Lossy { loss: 30, seed: number.into() }), ..Spot::default() };
        let server = |spot| HostFacts { web: Some(spot), ..HostFacts::default() };
        world.dns.insert(name.clone(), NameFacts { a: vec![v4], aaaa: vec![v6], ..NameFacts::default() });
        world.hosts.insert(IpAddr::V4(v4), server(Spot::default()));
        world.hosts.insert(IpAddr::V6(v6), server(lossy));
        names.push(name);
    }
    (world, names)
}

#[tokio::test(flavor = "multi_thread")]
async fn loss_breaks_nothing() {
    let (world, names) = world();
    let lab = Lab::start(world).await.expect("a lab");
    let sites = names.iter().map(|name| site(name)).collect();
    let evidence = scan(prober(&lab, Patience::USUAL), sites, 60, Transports::Both).await;
    let mut lost = 0;
    for observation in evidence.observations.values() {
        let assessment = assess(observation, &evidence.vantage, &criteria(false));
        let allowed = [Readiness::Ready, Readiness::Inconclusive];
        assert!(allowed.contains(&assessment.readiness), "{} {}", observation.site.host, assessment.reason);
        let connects = observation.rounds.iter().flat_map(|round| &round.connects);
        lost += connects.filter(|connect| connect.failure.is_some()).count();
    }
    assert_eq!(evidence.observations.len(), names.len());
    // Of 120 first attempts, about 36.
    assert!(lost >= 20, "only {lost} connections were lost");
}
