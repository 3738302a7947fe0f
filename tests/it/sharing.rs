//! What many sites share is asked once per run, not once per school: a provider's name servers, a zone, its parent.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use v6ready::judge::causes::causes;
use v6ready::judge::summarise::summarise;
use v6ready::judge::{Criteria, assess};
use v6ready::lab::Lab;
use v6ready::lab::dns::facts::{Reach, ServerFacts, ZoneFacts};
use v6ready::lab::log::{Event, Log};
use v6ready::lab::web::facts::{HostFacts, Spot};
use v6ready::lab::world::World;
use v6ready::model::evidence::{DnsTransport, ServerRole};
use v6ready::model::finding::Code;
use v6ready::model::owner::Aliases;
use v6ready::model::site::Site;
use v6ready::model::summary::{Completion, Policy};
use v6ready::probe::Transports;
use v6ready::targets::{LoadOptions, load_bytes};

use crate::bench_net::{Evidence, Patience, prober, scan, site};

const SCHOOLS: u8 = 50;

fn provider(server: u16) -> IpAddr {
    Ipv6Addr::new(0x2001, 0xdb8, 0x53, 0xa1, 0, 0, 0, server).into()
}

fn provider_v4(server: u8) -> IpAddr {
    Ipv4Addr::new(203, 0, 113, 210 + server).into()
}

/// Healthy sites of these names.
fn world(names: &[String]) -> World {
    let mut world = World::new().with_anchors();
    let healthy = HostFacts { web: Some(Spot::default()), ..HostFacts::default() };
    for (number, name) in (1..).zip(names) {
        let v6 = Ipv6Addr::new(0x2001, 0xdb8, 0xa1, 0, 0, 0, 0, number);
        world.add_site(name, Some(Ipv4Addr::new(198, 51, 100, 100)), Some(v6), &healthy);
    }
    world
}

fn servers() -> BTreeMap<String, Vec<IpAddr>> {
    let server =
        |number: u8| (format!("ns{number}.provider.example"), vec![provider_v4(number), provider(number.into())]);
    BTreeMap::from([server(1), server(2)])
}

async fn run(world: World, names: &[String]) -> (Evidence, Log) {
    let lab = Lab::start(world).await.expect("a lab");
    let sites: Vec<Site> = names.iter().map(|name| site(name)).collect();
    let evidence = scan(prober(&lab, Patience::USUAL), sites, 8, Transports::Both).await;
    (evidence, lab.log())
}

/// Questions of a type for names that fit, to servers that fit.
fn asked(
    log: &Log,
    of_type: &str,
    of_name: impl Fn(&str) -> bool,
    of: impl Fn(ServerRole, IpAddr, DnsTransport) -> bool,
) -> u64 {
    log.count(|event| match event {
        Event::Query { server, role, name, rtype, transport, .. } => {
            rtype == of_type && of_name(name) && of(*role, server.ip(), *transport)
        }
        _ => false,
    })
}

fn findings(evidence: &Evidence) -> Vec<Code> {
    let judged = evidence.observations.values().map(|seen| assess(seen, &evidence.vantage, &Criteria::default()));
    let mut codes: Vec<Code> = judged.flat_map(|assessment| assessment.findings).map(|finding| finding.code).collect();
    codes.dedup();
    codes
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_schools_with_zones_of_their_own_at_one_provider() {
    let names: Vec<String> = (1..=SCHOOLS).map(|number| format!("www.school{number}.example")).collect();
    let mut world = world(&names);
    for number in 1..=SCHOOLS {
        let zone = ZoneFacts { ns: servers(), glue: Some(BTreeMap::new()), ..ZoneFacts::default() };
        world.zones.insert(format!("school{number}.example"), zone);
    }
    world.zones.insert("provider.example".to_owned(), ZoneFacts { ns: servers(), ..ZoneFacts::default() });
    let (evidence, log) = run(world, &names).await;
    assert_eq!(findings(&evidence), []);
    let of_school = |name: &str| name.starts_with("school");
    let any = |_: &str| true;
    // The provider's servers: their addresses and that TCP works are asked once.
    let of_provider = |name: &str| name == "ns1.provider.example";
    assert_eq!(asked(&log, "AAAA", of_provider, |role, _, _| role == ServerRole::Resolver), 1);
    assert_eq!(asked(&log, "SOA", any, |_, ip, over| ip == provider(1) && over == DnsTransport::Tcp), 1);
    // Whether it speaks for a zone is a matter of that zone: once by the check, and once at the end of the walk.
    let over_udp = asked(&log, "SOA", of_school, |_, ip, over| ip == provider(1) && over == DnsTransport::Udp);
    assert_eq!(over_udp, 2 * u64::from(SCHOOLS));
    // The parent: once over either family for each zone, and once for itself.
    let parents = asked(&log, "NS", of_school, |role, ip, _| role == ServerRole::Authority && ip != provider_v4(1));
    assert_eq!(parents, 2 * u64::from(SCHOOLS));
    let of_parent = |name: &str| name == "example";
    assert_eq!(asked(&log, "NS", of_parent, |role, _, _| role == ServerRole::Authority), 1);
    assert_eq!(asked(&log, "SOA", of_parent, |role, _, _| role == ServerRole::Resolver), 1);
}

/// One site of three schools, and a platform of two: asked for once, counted by every row.
#[tokio::test(flavor = "multi_thread")]
async fn schools_that_share_a_site() {
    let list = "name,domain,role\nFirst,shared.example,portal\nSecond,shared.example,portal\nThird,shared.example,portal\n\
                First,cloud.example,service\nSecond,cloud.example,service\n";
    let roster = load_bytes(&[("schools.csv", list)], &LoadOptions::lab()).expect("a list").roster;
    let names = ["shared.example".to_owned(), "cloud.example".to_owned()];
    let listed: Vec<String> = roster.sites.keys().map(|key| key.as_str().to_owned()).collect();
    assert_eq!(listed, ["cloud.example", "shared.example"]);
    let mut world = World::new().with_anchors();
    let healthy = HostFacts { web: Some(Spot::default()), ..HostFacts::default() };
    let (a, aaaa) = (Ipv4Addr::new(198, 51, 100, 101), Ipv6Addr::new(0x2001, 0xdb8, 0xa1, 0, 0, 0, 0, 0x101));
    world.add_site(&names[0], Some(a), Some(aaaa), &healthy);
    world.add_site(&names[1], Some(a), None, &healthy);
    let (evidence, log) = run(world, &listed).await;
    let requests = |host: &str, tls: bool| {
        log.count(|event| {
            matches!(event, Event::Request { host: of, tls: over, address, .. }
            if of == host && *over == tls && address.is_ipv4())
        })
    };
    for name in &names {
        assert_eq!((requests(name, false), requests(name, true)), (1, 1), "{name}");
    }
    let judged = evidence.observations.values().map(|seen| assess(seen, &evidence.vantage, &Criteria::default()));
    let assessments = judged.map(|assessment| (assessment.site.clone(), assessment)).collect();
    let summary = summarise(&roster, &Policy::default(), &assessments);
    let counts = |of: &Completion| (of.listed, of.ready(), of.judged());
    assert_eq!((counts(&summary.total), counts(&summary.services)), ((3, 3, 3), (2, 0, 2)));
    let causes = causes(&roster, &Policy::default(), &assessments, &Aliases::default());
    let [cause] = causes.failures.as_slice() else { panic!("{causes:?}") };
    assert_eq!((cause.key.subject.as_str(), cause.rows, cause.touched), ("cloud.example", 2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_schools_in_one_zone() {
    let names: Vec<String> = (1..=SCHOOLS).map(|number| format!("school{number}.city.example")).collect();
    let mut world = world(&names);
    world.zones.insert("city.example".to_owned(), ZoneFacts { ns: servers(), ..ZoneFacts::default() });
    let (evidence, log) = run(world, &names).await;
    assert_eq!(findings(&evidence), []);
    let authorities = asked(&log, "SOA", |name| name == "city.example", |role, _, _| role == ServerRole::Authority);
    // Two servers over two transports, and the end of the walk.
    assert_eq!(authorities, 5);
    assert_eq!(asked(&log, "NS", |name| name == "city.example", |_, _, _| true), 3);
    // What a site costs by itself is one question to a resolver.
    let cuts = asked(&log, "SOA", |name| name.starts_with("school"), |_, _, _| true);
    assert_eq!(cuts, u64::from(SCHOOLS));
    for observation in evidence.observations.values() {
        let zone = &observation.rounds[0].delegations[0];
        assert_eq!((zone.zone.as_str(), zone.servers.len()), ("city.example", 2));
    }
}

/// A failure is asked again in the second round, once for all who need it.
#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_asked_again_in_the_second_round() {
    let names: Vec<String> = (1..=10).map(|number| format!("school{number}.city.example")).collect();
    let mut world = world(&names);
    world.zones.insert("city.example".to_owned(), ZoneFacts { ns: servers(), ..ZoneFacts::default() });
    let silent = ServerFacts { udp: Reach::Timeout, ..ServerFacts::default() };
    world.servers.insert(provider(2), silent);
    let (evidence, log) = run(world, &names).await;
    assert_eq!(findings(&evidence), [Code::Ns6Unreachable]);
    let of_zone = |name: &str| name == "city.example";
    assert_eq!(asked(&log, "SOA", of_zone, |_, ip, over| ip == provider(1) && over == DnsTransport::Udp), 4);
    let dials = log.count(|event| matches!(event, Event::Dial { target, .. } if target.ip() == provider(2)));
    // Two attempts over UDP in either round, and TCP once, which worked.
    assert_eq!(dials, 5);
    assert!(evidence.observations.values().all(|observation| observation.rounds.len() == 2));
}
