//! DNS that lies or dies: at the gate, in the middle of a run, and against the bounds of one site. What single names do
//! is in the scenarios; here it is the servers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use v6ready::engine::ScanEvent;
use v6ready::engine::gate;
use v6ready::engine::scan::ScanRules;
use v6ready::judge::{Criteria, assess};
use v6ready::lab::dns::facts::{Habit, NameFacts, Odd, Reach, ServerFacts, Speech, ZoneFacts};
use v6ready::lab::log::Event;
use v6ready::lab::web::facts::{HostFacts, Spot};
use v6ready::lab::world::World;
use v6ready::lab::{Lab, RESOLVERS};
use v6ready::model::finding::Code;
use v6ready::model::run::{CheckOutcome, ResolverState, RunEnd};
use v6ready::model::site::Site;
use v6ready::model::verdict::{Assessment, Readiness};
use v6ready::probe::Transports;

use crate::bench_net::{Evidence, Patience, Setting, gate_rules, prober, scan, scan_rules, scan_under, site};

fn habit(habit: Habit) -> ServerFacts {
    ServerFacts { habit: Some(habit), ..ServerFacts::default() }
}

const SILENT: ServerFacts = ServerFacts { udp: Reach::Timeout, tcp: Reach::Timeout, speaks: Speech::Well, habit: None };

/// The checks that shut the gate while the first resolver, or both, behave like this.
async fn gate_failures(facts: ServerFacts, both: bool) -> Vec<String> {
    let mut world = World::new().with_anchors();
    world.servers.extend(RESOLVERS.iter().take(1 + usize::from(both)).map(|address| (*address, facts)));
    let lab = Lab::start(world).await.expect("a lab");
    let opening = gate::check(&prober(&lab, Patience::USUAL), &gate_rules(), Transports::Both).await;
    let mut failures: Vec<String> = opening.gate.failures().map(|check| check.name.clone()).collect();
    failures.retain(|name| !name.starts_with("anchors"));
    failures
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gate_finds_a_resolver_that_lies() {
    let dns64 = Habit::Dns64("64:ff9b::".parse().expect("an address"));
    let portal = Habit::Invents(Ipv4Addr::new(203, 0, 113, 1));
    for (facts, both, expected) in [
        (ServerFacts::default(), true, vec![]),
        (habit(dns64), false, vec!["dns64"]),
        (habit(portal), false, vec!["nxdomain"]),
        (habit(Habit::DeniesAaaa), false, vec!["dns-aaaa"]),
        // One that does not answer harms nobody: what it does not say does not count.
        (SILENT, false, vec![]),
        (habit(Habit::Refuses), false, vec![]),
        (SILENT, true, vec!["dns64", "nxdomain", "dns-aaaa"]),
        (ServerFacts { tcp: Reach::Timeout, ..ServerFacts::default() }, true, vec!["dns-tcp"]),
    ] {
        let mut failures = gate_failures(facts, both).await;
        // Without any resolver, nothing at all can be tested.
        failures.retain(|name| facts.udp == Reach::Open || name != "dns-tcp");
        assert_eq!(failures, expected, "{facts:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gate_asks_a_name_server_over_ipv6() {
    let check = async |udp| {
        let mut world = World::new().with_anchors();
        let v6: Vec<IpAddr> =
            (0..8).flat_map(|o| [1, 2].map(|n| Ipv6Addr::new(0x2001, 0xdb8, 0x53, o, 0, 0, 0, n).into())).collect();
        world.servers.extend(v6.into_iter().map(|address| (address, ServerFacts { udp, ..ServerFacts::default() })));
        let lab = Lab::start(world).await.expect("a lab");
        let opening = gate::check(&prober(&lab, Patience::USUAL), &gate_rules(), Transports::Both).await;
        let mut checks = opening.gate.checks.into_iter();
        checks.find(|check| check.name == "dns-ipv6").expect("the check").outcome
    };
    assert_eq!(check(Reach::Open).await, CheckOutcome::Pass);
    assert_eq!(check(Reach::Timeout).await, CheckOutcome::Fail);
}

/// What a made-up site truly is.
const KINDS: [Readiness; 4] = [Readiness::Ready, Readiness::Absent, Readiness::NoName, Readiness::Broken];

/// So many sites of each kind, with the anchors.
fn world(each: u16) -> (World, BTreeMap<String, Readiness>) {
    let mut world = World::new().with_anchors();
    let page = HostFacts { web: Some(Spot::default()), ..HostFacts::default() };
    let mut truth = BTreeMap::new();
    for number in 0..each {
        for kind in KINDS {
            let name = format!("www.{}{number}.example", kind.name().to_ascii_lowercase().replace('_', ""));
            let v4 = Ipv4Addr::new(203, 0, 113, 30 + (number % 200) as u8);
            let v6 = Ipv6Addr::new(0x2001, 0xdb8, 0x77, number, 0, 0, 0, u16::from(kind == Readiness::Broken));
            match kind {
                Readiness::Absent => world.add_site(&name, Some(v4), None, &page),
                Readiness::NoName => {
                    // The zone exists, the name does not.
                    let zone = name.trim_start_matches("www.").to_owned();
                    world.zones.insert(zone, ZoneFacts::default());
                }
                _ => world.add_site(&name, Some(v4), Some(v6), &page),
            }
            if kind == Readiness::Broken {
                world.hosts.insert(v6.into(), HostFacts::default());
            }
            truth.insert(name, kind);
        }
    }
    (world, truth)
}

fn verdicts(evidence: &Evidence) -> BTreeMap<String, Assessment> {
    let judge = |observation| assess(observation, &evidence.vantage, &Criteria::default());
    evidence.observations.iter().map(|(key, observation)| (key.clone(), judge(observation))).collect()
}

/// Definite verdicts that are not the truth; and how many are not definite.
fn wrong(truth: &BTreeMap<String, Readiness>, evidence: &Evidence) -> (Vec<String>, usize) {
    let verdicts = verdicts(evidence);
    assert_eq!(verdicts.len(), truth.len());
    let mut wrong = Vec::new();
    let mut open = 0;
    for (name, verdict) in verdicts {
        if verdict.readiness == Readiness::Inconclusive {
            open += 1;
        } else if verdict.readiness != truth[&name] {
            wrong.push(format!("{name}: {:?} {} {:?}", verdict.readiness, verdict.reason, verdict.findings));
        }
    }
    (wrong, open)
}

fn sites(truth: &BTreeMap<String, Readiness>) -> Vec<Site> {
    truth.keys().map(|name| site(name)).collect()
}

/// Between two self-tests of the resolvers.
const TESTED_EVERY: Duration = Duration::from_millis(200);
/// Self-tests of each resolver that begin while it misbehaves, until it is good again: the one between the first and the last
/// lies wholly within that time. A shorter lie cannot be noticed.
const SPELL: usize = 3;
/// From a look to the second one: longer than that takes, so that it meets good resolvers.
const SECOND_LOOK: Duration = Duration::from_secs(8);

/// Returns once each resolver was asked for so many random names, one in each self-test, after this entry of the log.
async fn tested(lab: &Lab, since: u64) {
    let labels = |server: &IpAddr| {
        let entries = lab.log().entries().into_iter().filter(|entry| entry.number > since);
        let names = entries.filter_map(|entry| match entry.event {
            Event::Query { server: asked, name, .. } if asked.ip() == *server => Some(name),
            _ => None,
        });
        names.filter(|name| name.starts_with("v6ready-")).collect::<BTreeSet<_>>().len()
    };
    while !RESOLVERS.iter().all(|server| labels(server) >= SPELL) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A run in which both resolvers become like this once a share of the sites is done, and good again once they were tested.
async fn change_in_the_middle(facts: ServerFacts) -> (Evidence, BTreeMap<String, Readiness>) {
    let (world, truth) = world(12);
    let lab = Arc::new(Lab::start(world).await.expect("a lab"));
    let from = truth.len() * 2 / 5;
    let (watched, done) = (Arc::clone(&lab), AtomicUsize::new(0));
    let listener = move |event: ScanEvent| {
        let ScanEvent::Probed { round: 1, .. } = event else { return };
        let number = done.fetch_add(1, Ordering::Relaxed) + 1;
        let become_like = |lab: &Lab, facts| RESOLVERS.iter().for_each(|address| lab.change_server(*address, facts));
        if number == from {
            become_like(&watched, facts);
            let lab = Arc::clone(&watched);
            let since = lab.log().entries().last().map_or(0, |entry| entry.number);
            tokio::spawn(async move {
                tested(&lab, since).await;
                become_like(&lab, ServerFacts::default());
            });
        }
    };
    let prober = prober(&lab, Patience::USUAL);
    let rules = ScanRules { jobs: 2, dns_interval: TESTED_EVERY, second_round_after: SECOND_LOOK, ..scan_rules() };
    let setting = Setting { rules, listener: Arc::new(listener), ..Setting::usual(1, Transports::Both) };
    let (evidence, report) = scan_under(setting, prober, sites(&truth)).await;
    assert_eq!((report.end, report.lost), (RunEnd::Complete, 0));
    (evidence, truth)
}

#[tokio::test(flavor = "multi_thread")]
async fn resolvers_that_change_in_the_middle_of_a_run_make_no_wrong_verdict() {
    let cases = [
        (habit(Habit::Ignores), ResolverState::Silent),
        (habit(Habit::Refuses), ResolverState::Silent),
        (habit(Habit::DeniesAll), ResolverState::Denies),
        (habit(Habit::DeniesAaaa), ResolverState::Denies),
        (habit(Habit::Invents(Ipv4Addr::new(203, 0, 113, 246))), ResolverState::Invents),
        (habit(Habit::Dns64(Ipv6Addr::new(0x2001, 0xdb8, 0x64, 0, 0, 0, 0, 0))), ResolverState::Invents),
    ];
    let runs = cases.map(|(facts, state)| async move { (facts, state, change_in_the_middle(facts).await) });
    for (facts, state, (evidence, truth)) in join_all(runs).await {
        let noticed = evidence.vantage.dns_proofs.iter().any(|proof| proof.state == state);
        assert!(noticed, "{facts:?}: {:?}", evidence.vantage.dns_proofs);
        let (wrong, open) = wrong(&truth, &evidence);
        assert!(wrong.is_empty(), "{facts:?}: {wrong:#?}");
        // Some were caught in between, and most were mended by the second look.
        assert!(open < truth.len() / 2, "{facts:?}: {open} of {} not judged", truth.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn servfail_at_random_makes_no_wrong_verdict() {
    let (mut world, truth) = world(40);
    world.servers.extend(RESOLVERS.map(|address| (address, habit(Habit::Fails(10)))));
    let lab = Lab::start(world).await.expect("a lab");
    let evidence = scan(prober(&lab, Patience::USUAL), sites(&truth), 16, Transports::Both).await;
    let (wrong, open) = wrong(&truth, &evidence);
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(open <= truth.len() / 20, "{open} of {} not judged", truth.len());
}

/// Queries that the lab saw for anything but anchors, and the verdict, of one site alone.
async fn cost(world: World, listed: &str) -> (usize, Assessment) {
    let lab = Lab::start(world.with_anchors()).await.expect("a lab");
    let ours = |event: &Event| match event {
        Event::Query { name, .. } => name.ends_with("cost.example"),
        _ => false,
    };
    let evidence = scan(prober(&lab, Patience::USUAL), vec![site(listed)], 1, Transports::Both).await;
    let verdict = verdicts(&evidence).remove(listed).expect("a verdict");
    let rounds = evidence.observations[listed].rounds.len();
    (usize::try_from(lab.log().count(ours)).expect("few").div_ceil(rounds), verdict)
}

/// AAAA fails at the resolvers, so that the authoritative servers are looked for.
fn failing(a: Ipv4Addr) -> NameFacts {
    let odd = r#"odd = [{ type = "AAAA", server = "resolver", do = "servfail" }]"#;
    let odd: BTreeMap<String, Vec<Odd>> = toml::from_str(odd).expect("an oddity");
    NameFacts { a: vec![a], odd: odd["odd"].clone(), ..NameFacts::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_site_costs_more_than_a_hundred_queries() {
    let page = HostFacts { web: Some(Spot::default()), ..HostFacts::default() };
    let address = Ipv4Addr::new(203, 0, 113, 30);
    // A hundred name servers with eight addresses each, all silent.
    let mut many = World::new();
    let server = |n: u8, k: u8| IpAddr::from(Ipv6Addr::new(0x2001, 0xdb8, 0x99, u16::from(n), 0, 0, 0, u16::from(k)));
    let ns: BTreeMap<String, Vec<IpAddr>> =
        (0..100).map(|n| (format!("ns{n}.cost.example"), (0..8).map(|k| server(n, k)).collect())).collect();
    many.servers.extend(ns.values().flatten().map(|address| (*address, SILENT)));
    many.zones.insert("cost.example".to_owned(), ZoneFacts { ns, ..ZoneFacts::default() });
    many.dns.insert("www.cost.example".to_owned(), failing(address));
    many.hosts.insert(address.into(), page.clone());
    let (queries, verdict) = cost(many, "www.cost.example").await;
    assert!(queries <= 100, "{queries}");
    assert_eq!((verdict.readiness, verdict.reason.as_str()), (Readiness::Inconclusive, "dns"));

    // A zone whose name servers' names have no address.
    let mut glueless = World::new();
    let ns = BTreeMap::from([("ns.other.cost.example".to_owned(), Vec::new())]);
    glueless.zones.insert("cost.example".to_owned(), ZoneFacts { ns, ..ZoneFacts::default() });
    let ns = BTreeMap::from([("ns.cost.example".to_owned(), Vec::new())]);
    glueless.zones.insert("other.cost.example".to_owned(), ZoneFacts { ns, ..ZoneFacts::default() });
    glueless.dns.insert("www.cost.example".to_owned(), failing(address));
    glueless.hosts.insert(address.into(), page.clone());
    let (queries, verdict) = cost(glueless, "www.cost.example").await;
    assert!(queries <= 30, "{queries}");
    assert_eq!((verdict.readiness, verdict.reason.as_str()), (Readiness::Inconclusive, "dns"));

    // An alias to a name of 255 bytes, the longest there is (RFC 1035 §2.3.4).
    let label = "x".repeat(63);
    let longest = format!("{label}.{label}.{label}.{}.cost.example", "x".repeat(48));
    assert_eq!(longest.len() + 2, 255);
    let mut long = World::new();
    let aaaa = Ipv6Addr::new(0x2001, 0xdb8, 0x97, 0, 0, 0, 0, 1);
    long.add_site(&longest, Some(address), Some(aaaa), &page);
    long.dns.insert("www.cost.example".to_owned(), NameFacts { cname: Some(longest), ..NameFacts::default() });
    let (queries, verdict) = cost(long, "www.cost.example").await;
    assert_eq!(verdict.readiness, Readiness::Ready, "{verdict:?}");
    // Two about the name; the rest is about the zones' name servers.
    assert!(queries <= 40, "{queries}");

    // Five hundred addresses, of which 32 are kept and eight are tried.
    let many: Vec<Ipv6Addr> = (0..500).map(|n| Ipv6Addr::new(0x2001, 0xdb8, 0x98, n, 0, 0, 0, 1)).collect();
    let mut large = World::new();
    large.add_site("www.cost.example", Some(address), None, &page);
    large.hosts.extend(many.iter().map(|address| (IpAddr::from(*address), page.clone())));
    large.dns.insert("www.cost.example".to_owned(), NameFacts { a: vec![address], aaaa: many, ..NameFacts::default() });
    let (queries, verdict) = cost(large, "www.cost.example").await;
    assert_eq!(verdict.readiness, Readiness::Ready, "{verdict:?}");
    assert!(queries <= 40, "{queries}");
    assert_eq!(verdict.facts.aaaa.len(), 32);
    assert!(verdict.findings.iter().any(|finding| finding.code == Code::LimitAddr), "{verdict:?}");

    // Three thousand addresses do not fit into any answer.
    let many: Vec<Ipv6Addr> = (0..3000).map(|n| Ipv6Addr::new(0x2001, 0xdb8, 0x98, n, 0, 0, 0, 1)).collect();
    let mut larger = World::new();
    larger.add_site("www.cost.example", Some(address), None, &page);
    larger
        .dns
        .insert("www.cost.example".to_owned(), NameFacts { a: vec![address], aaaa: many, ..NameFacts::default() });
    let (queries, verdict) = cost(larger, "www.cost.example").await;
    assert!(queries <= 30, "{queries}");
    assert_eq!((verdict.readiness, verdict.reason.as_str()), (Readiness::Inconclusive, "dns"), "{verdict:?}");
}
