//! How the scanner treats others, proven by what the lab's servers saw: one request at a time and a pause between two, to
//! a name and to an address; one GET for each family and scheme; a crowded address that does not keep the rest waiting.
//!
//! Every proof here is a count, or a distance that must not be too short: a slow machine makes distances longer. What
//! needs a kernel's own network (simultaneous connections, queries a second) is in `tests/acceptance`.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use v6ready::calendar::Freeze;
use v6ready::clock::Clock;
use v6ready::engine::pace::{Pacer, Rules};
use v6ready::engine::scan::ScanRules;
use v6ready::judge::{Criteria, assess};
use v6ready::lab::Lab;
use v6ready::lab::log::{Entry, Event};
use v6ready::lab::web::facts::{HostFacts, Spot};
use v6ready::lab::world::World;
use v6ready::model::finding::Code;
use v6ready::model::run::RunEnd;
use v6ready::model::school::RosterState;
use v6ready::model::site::Site;
use v6ready::model::time::Timestamp;
use v6ready::model::verdict::Readiness;
use v6ready::probe::{Prober, Transports};
use v6ready::targets::{LoadOptions, load_bytes};

use crate::bench_net::{Evidence, Gate, Patience, Setting, prober, scan, scan_rules, scan_under, site};

/// Between two requests to a name or an address.
const INTERVAL: Duration = Duration::from_millis(40);

/// A prober that keeps the rules of a real run, in less time.
fn polite(lab: &Lab) -> Prober {
    let mut prober = prober(lab, Patience::USUAL);
    let rules = Rules { per_host_interval: INTERVAL, resolver_qps: 0, authority_qps: 0, ..Rules::default() };
    let net = Arc::get_mut(&mut prober.net).expect("nobody else has it");
    net.turns = Arc::new(Pacer::new(rules));
    prober
}

fn web(spot: Spot) -> HostFacts {
    HostFacts { web: Some(spot), ..HostFacts::default() }
}

fn v4(group: u8, last: u8) -> Ipv4Addr {
    Ipv4Addr::from([[192, 0, 2, last], [198, 51, 100, last], [203, 0, 113, last]][usize::from(group)])
}

fn v6(network: u16, subnet: u16, host: u16) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, network, subnet, 0, 0, 0, host)
}

/// Requests with their host and address, in order of time.
fn requests(entries: &[Entry]) -> Vec<(Duration, String, IpAddr, bool)> {
    let request = |entry: &Entry| match &entry.event {
        Event::Request { address, host, tls, .. } => Some((entry.at, host.clone(), address.ip(), *tls)),
        _ => None,
    };
    entries.iter().filter_map(request).collect()
}

/// The least distance between two requests with the same key, and how many distances there are.
fn closest<K: Ord>(requests: impl Iterator<Item = (Duration, K)>) -> (Duration, usize) {
    let (mut before, mut least, mut n) = (BTreeMap::new(), Duration::MAX, 0);
    for (at, key) in requests {
        if let Some(last) = before.insert(key, at) {
            least = least.min(at.saturating_sub(last));
            n += 1;
        }
    }
    (least, n)
}

/// Many names on one address pair, many in one /64 and /24, many that redirect to one victim, and one whose pages differ.
fn crowds() -> (World, Vec<Site>) {
    let mut world = World::new().with_anchors();
    let mut names = Vec::new();
    for i in 0..8_u8 {
        let name = format!("shared{i}.pol.example");
        world.add_site(&name, Some(v4(0, 9)), Some(v6(0x90, 0, 9)), &web(Spot::default()));
        names.push(name);
        let name = format!("near{i}.pol.example");
        let at = u16::from(i) + 1;
        world.add_site(&name, Some(v4(1, i + 1)), Some(v6(0x91, i.into(), at)), &web(Spot::default()));
        names.push(name);
        let name = format!("to{i}.pol.example");
        let to_victim = Spot { redirect: Some("https://victim.pol.example/".to_owned()), ..Spot::default() };
        world.add_site(&name, Some(v4(2, i + 1)), Some(v6(0x92 + u16::from(i), 0, 1)), &web(to_victim));
        names.push(name);
    }
    world.add_site("victim.pol.example", Some(v4(0, 10)), Some(v6(0xa0, 0, 9)), &web(Spot::default()));
    let page = |title: &str| web(Spot { title: Some(title.to_owned()), ..Spot::default() });
    world.add_site("differs.pol.example", Some(v4(0, 11)), Some(v6(0xa1, 0, 9)), &page("one"));
    world.hosts.insert(v6(0xa1, 0, 9).into(), page("other"));
    names.push("differs.pol.example".to_owned());
    (world, names.iter().map(|name| site(name)).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_to_a_host_come_one_after_another_with_a_pause() {
    let (world, sites) = crowds();
    let count = sites.len();
    let lab = Lab::start(world).await.expect("a lab");
    let evidence = scan(polite(&lab), sites, 16, Transports::Both).await;
    assert_eq!(evidence.observations.len(), count);
    let entries = lab.log().entries();
    let seen = requests(&entries);
    // The gate, the canaries, redirects, the noise floor: every request of the run counts.
    let (least, n) = closest(seen.iter().map(|(at, host, ..)| (*at, host.clone())));
    assert!(least >= INTERVAL && n > 50, "to one name: {least:?} apart, n={n}");
    let (least, n) = closest(seen.iter().map(|(at, _, address, _)| (*at, *address)));
    assert!(least >= INTERVAL && n > 50, "to one address: {least:?} apart, n={n}");
    let other = lab.log().count(|event| matches!(event, Event::Request { method, .. } if method != "GET"));
    assert_eq!(other, 0, "GET and nothing else, n={}", seen.len());
    let mut per_entry: BTreeMap<(String, bool, bool), usize> = BTreeMap::new();
    for (_, host, address, tls) in seen.iter().filter(|(_, host, ..)| host.ends_with("pol.example")) {
        *per_entry.entry((host.clone(), address.is_ipv6(), *tls)).or_default() += 1;
    }
    for ((host, over_v6, tls), times) in &per_entry {
        let expected = match host.as_str() {
            // Eight sites, each by http and by https.
            "victim.pol.example" => 16,
            // The page over IPv4 once more, to see how much it differs from itself.
            "differs.pol.example" if !over_v6 && *tls => 2,
            _ => 1,
        };
        assert_eq!(*times, expected, "{host}, IPv6 {over_v6}, TLS {tls}");
    }
    assert_eq!(per_entry.len(), 25 * 4 + 2, "every entry of every site, and https of the victim");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowded_address_does_not_keep_the_others_waiting() {
    let mut world = World::new().with_anchors();
    let mut sites = Vec::new();
    for i in 0..40_u8 {
        let (crowded, alone) = (format!("crowd{i}.pol.example"), format!("alone{i}.pol.example"));
        world.add_site(&crowded, Some(v4(0, 9)), None, &web(Spot::default()));
        world.add_site(&alone, Some(v4(1 + i % 2, 60 + i)), None, &web(Spot::default()));
        sites.extend([site(&format!("http://{crowded}/")), site(&format!("http://{alone}/"))]);
    }
    // The crowd comes first, with ten times the places.
    sites.sort_by_key(|site| site.host.starts_with("alone"));
    let lab = Lab::start(world).await.expect("a lab");
    let Evidence { observations, .. } = scan(polite(&lab), sites, 4, Transports::Both).await;
    assert_eq!(observations.len(), 80);
    let seen = requests(&lab.log().entries());
    let last_alone = seen.iter().rposition(|(_, host, ..)| host.starts_with("alone")).expect("requests");
    let crowd_after = seen[last_alone..].iter().filter(|(_, host, ..)| host.starts_with("crowd")).count();
    assert!(crowd_after >= 10, "only {crowd_after} of 40 requests to the crowded address came after all others");
    let site_limits = observations.values().flat_map(|site| &site.rounds).filter(|round| !round.limits.is_empty());
    assert_eq!(site_limits.count(), 0, "waiting for a turn is no fault of the site's");
}

/// Who asked to be left alone is left alone, also where others lead to them: no query, no connection, no request.
#[tokio::test(flavor = "multi_thread")]
async fn who_opted_out_is_not_met_on_any_way() {
    let mut world = World::new().with_anchors();
    let leads = |to: &str| web(Spot { redirect: Some(format!("https://{to}/")), ..Spot::default() });
    let page = |name: &str| {
        web(Spot { body: Some(format!("<meta http-equiv=refresh content='0;url=http://{name}/'>")), ..Spot::default() })
    };
    let (private, below) = ("private.pol.example", "deep.below.private.pol.example");
    for (i, name) in (0_u8..).zip([private, below, "www.quiet.pol.example"]) {
        world.add_site(name, Some(v4(0, 70 + i)), Some(v6(0xb0, i.into(), 1)), &web(Spot::default()));
    }
    world.add_site("from.pol.example", Some(v4(1, 70)), Some(v6(0xb1, 0, 1)), &leads("PRIVATE.pol.example."));
    world.add_site("deep.pol.example", Some(v4(1, 71)), Some(v6(0xb2, 0, 1)), &page(below));
    world.add_site("quiet.pol.example", Some(v4(1, 72)), None, &web(Spot::default()));
    let listed = [private, "from.pol.example", "deep.pol.example", "quiet.pol.example"];
    let list = listed.map(|name| format!("{name} school,{name}\n")).concat();
    let requests = ".private.pol.example # 2026-03-02 owner: no wish\nwww.quiet.pol.example # 2026-03-03 owner\n";
    let files = [("list.csv", list.as_str()), ("optout.txt", requests)];
    let roster = load_bytes(&files, &LoadOptions::lab()).expect("lists").roster;
    assert!(roster.rows.iter().any(|row| row.state == RosterState::OptedOut));
    let lab = Lab::start(world).await.expect("a lab");
    let mut prober = polite(&lab);
    prober.opt_outs = roster.opt_outs.clone();
    let evidence = scan(prober, roster.sites.into_values().collect(), 4, Transports::Both).await;
    assert_eq!(evidence.observations.len(), 3);
    let addresses: Vec<IpAddr> = (0..3).flat_map(|i| [v4(0, 70 + i).into(), v6(0xb0, i.into(), 1).into()]).collect();
    let met: Vec<_> = lab.log().of_site(&[private, below, "www.quiet.pol.example"], &addresses);
    assert_eq!(met, [], "n={} events in all", lab.log().entries().len());
    for name in ["from.pol.example", "deep.pol.example"] {
        let verdict = assess(&evidence.observations[name], &evidence.vantage, &Criteria::default());
        let codes: Vec<Code> = verdict.findings.iter().map(|finding| finding.code).collect();
        assert_eq!((verdict.readiness, verdict.reason.as_str()), (Readiness::Inconclusive, "policy"), "{name}");
        assert_eq!(codes, [Code::RedirectOptedOut], "{name}");
        assert_eq!(evidence.observations[name].rounds.len(), 1, "{name} is not looked at again");
    }
}

/// A clock that shows this time at first, and goes twenty times as fast as others.
#[derive(Debug)]
struct Hasty(Instant, Timestamp);

impl Clock for Hasty {
    fn now(&self) -> Timestamp {
        self.1.plus_ms(i64::try_from(self.0.elapsed().as_millis()).expect("a short test") * 20)
    }
}

/// In a window no site is begun and no canary sent; afterwards the run goes on to its end.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_begun_in_a_window() {
    let mut world = World::new().with_anchors();
    let names: Vec<String> = (0..60).map(|i| format!("calm{i}.pol.example")).collect();
    for (i, name) in (100_u8..).zip(&names) {
        world.add_site(name, Some(v4(0, i)), None, &web(Spot { delay_ms: 100, ..Spot::default() }));
    }
    let lab = Lab::start(world).await.expect("a lab");
    // Two seconds before noon of a day, as others count; the window is six of them long.
    let noon = 1_780_660_800_000;
    let started = Instant::now();
    let mut prober = polite(&lab);
    let net = Arc::get_mut(&mut prober.net).expect("nobody else has it");
    let clock = Arc::new(Hasty(started, Timestamp(noon - 40_000)));
    net.clock = Arc::clone(&clock) as Arc<dyn Clock>;
    let freeze = Freeze::read(&["12:00-12:02".to_owned()], jiff::tz::TimeZone::UTC).expect("a window");
    let rules = ScanRules { jobs: 1, freeze, ..scan_rules() };
    let sites = names.iter().map(|name| site(&format!("http://{name}/"))).collect();
    // The gate sees that this clock is not that of the anchors.
    let setting = Setting { rules, gate: Gate::MayBeShut, wall: clock, ..Setting::usual(1, Transports::Both) };
    let (evidence, report) = scan_under(setting, prober, sites).await;
    assert_eq!((report.end, evidence.observations.len()), (RunEnd::Complete, 60));
    // What was begun just before may still be under way for a second.
    let window = Duration::from_secs(3)..Duration::from_secs(8);
    let seen = requests(&lab.log().entries());
    let within: Vec<_> = seen.iter().filter(|(at, ..)| window.contains(at)).collect();
    assert!(within.is_empty(), "{within:?}");
    assert!(seen.iter().any(|(at, host, ..)| *at >= window.end && host.starts_with("calm")), "n={}", seen.len());
}
