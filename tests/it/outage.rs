//! Runs that lose their uplink, their resolvers or their address on the way. No name may come out otherwise than in an
//! undisturbed run, whatever was lost; a zero is printed with its n.
//!
//! Leaves to others: the breaker's own rules, which are tested as tables beside it.

#![expect(clippy::print_stdout, reason = "each run prints its n beside its zero")]

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use v6ready::clock::Clock;
use v6ready::engine::ScanEvent;
use v6ready::engine::scan::{ScanReport, ScanRules};
use v6ready::judge::{Criteria, assess};
use v6ready::lab::Lab;
use v6ready::lab::dns::facts::{Deed, Odd};
use v6ready::lab::uplink::Uplink;
use v6ready::lab::web::facts::{HostFacts, Spot};
use v6ready::lab::world::World;
use v6ready::model::address::Family;
use v6ready::model::outage::{Line, Trigger};
use v6ready::model::run::RunEnd;
use v6ready::model::site::Site;
use v6ready::model::verdict::{Assessment, Readiness};
use v6ready::net::turn::Unpaced;

use crate::bench_net::{Gate, Patience, Setting, prober, scan_rules, scan_under, site};
use crate::clocks::Shifted;

/// Names in each run.
const NAMES: u16 = 240;
/// Names of which a third is measured before anything happens.
const FIRST: usize = 80;

/// Of six names, three are healthy, the IPv6 of one refuses, one has none, and one is in a zone that nobody serves.
fn province() -> (World, Vec<Site>) {
    let mut world = World::new().with_anchors();
    let healthy = HostFacts { web: Some(Spot::default()), ..HostFacts::default() };
    let mut sites = Vec::new();
    for i in 0..NAMES {
        let name = format!("s{i:03}.outage.example");
        let v4 = Ipv4Addr::new(198, 51, 100, 60 + (i % 150) as u8);
        let v6 = Ipv6Addr::new(0x2001, 0xdb8, 0x0b0b, i, 0, 0, 0, 1);
        let has_v6 = i % 6 != 4;
        world.add_site(&name, Some(v4), has_v6.then_some(v6), &healthy);
        if i % 6 == 3 {
            world.hosts.insert(v6.into(), HostFacts::default());
        }
        if i % 6 == 5
            && let Some(name) = world.dns.get_mut(&name)
        {
            name.odd.push(Odd { deed: Deed::Servfail, ..Odd::default() });
        }
        sites.push(site(&name));
    }
    (world, sites)
}

/// What must come out of it.
fn truth(name: &str) -> Readiness {
    use Readiness::{Absent, Broken, Down, Ready};
    let number: usize = name[1..4].parse().expect("a number");
    [Ready, Ready, Ready, Broken, Absent, Down][number % 6]
}

/// What a run hangs on.
#[derive(Clone)]
struct Vantage {
    uplink: Uplink,
    /// The machine's own clock.
    wall: Arc<Shifted>,
}

/// What befalls it.
type Happening = fn(&Vantage);

type Verdicts = BTreeMap<String, Assessment>;

/// One run, in which something happens once a third of the names is measured, and something else so much later.
async fn run(
    rules: ScanRules,
    happen: Happening,
    later: Option<(Duration, Happening)>,
) -> (Verdicts, ScanReport, usize) {
    let (world, sites) = province();
    let lab = Lab::start(world).await.expect("a lab");
    let vantage = Vantage { uplink: lab.uplink(), wall: Arc::default() };
    let (ours, seen) = (vantage.clone(), Arc::new(AtomicUsize::new(0)));
    let again = Arc::new(AtomicUsize::new(0));
    let requeued = Arc::clone(&again);
    let listener = Arc::new(move |event: ScanEvent| match event {
        ScanEvent::Requeued { sites } => {
            requeued.fetch_add(sites, Ordering::SeqCst);
        }
        ScanEvent::Probed { .. } if seen.fetch_add(1, Ordering::SeqCst) + 1 == FIRST => {
            happen(&ours);
            let ours = ours.clone();
            if let Some((after, then)) = later {
                tokio::spawn(async move {
                    tokio::time::sleep(after).await;
                    then(&ours);
                });
            }
        }
        _ => {}
    });
    let mut prober = prober(&lab, Patience::USUAL);
    // Sites that wait for turns at a crowded address would let others begin, and all be begun when the outage comes.
    Arc::get_mut(&mut prober.net).expect("nobody else has it").turns = Arc::new(Unpaced);
    let setting =
        Setting { gate: Gate::MustBeOpen, rules, listener, wall: Arc::clone(&vantage.wall) as Arc<dyn Clock> };
    let (evidence, report) = scan_under(setting, prober, sites).await;
    let judge = |observation| assess(observation, &evidence.vantage, &Criteria::default());
    let verdicts = evidence.observations.iter().map(|(name, observation)| (name.clone(), judge(observation)));
    (verdicts.collect(), report, again.load(Ordering::SeqCst))
}

/// Every name is there and what it is in truth; healthy ones have no finding, as in an undisturbed run.
fn nothing_differs(what: &str, verdicts: &Verdicts, findings_too: bool) {
    let clean = |a: &Assessment| a.readiness != Readiness::Ready || !findings_too || a.findings.is_empty();
    let differ: Vec<_> = verdicts
        .iter()
        .filter(|(name, assessment)| truth(name) != assessment.readiness || !clean(assessment))
        .map(|(name, a)| {
            let codes: Vec<String> = a.findings.iter().map(|finding| finding.code.name()).collect();
            format!("{name} {} {} {}", a.readiness.name(), a.reason, codes.join(" "))
        })
        .collect();
    println!("{what}: {} of n={} names differ from an undisturbed run", differ.len(), verdicts.len());
    assert_eq!(verdicts.len(), usize::from(NAMES));
    assert!(differ.is_empty(), "{differ:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ipv6_is_cut_and_comes_back() {
    let cut: Happening = |vantage| vantage.uplink.lose(Family::V6, 100);
    let mend: Happening = |vantage| vantage.uplink.lose(Family::V6, 0);
    let (verdicts, report, again) = run(scan_rules(), cut, Some((Duration::from_secs(9), mend))).await;
    nothing_differs("IPv6 cut for 9 s", &verdicts, true);
    let log = &report.outages;
    println!("log: {log:?}, {again} measured again");
    let outage = log.iter().find(|outage| outage.opened.is_some()).expect("the breaker opened");
    assert_eq!((report.end, outage.line), (RunEnd::Complete, Line::Ipv6));
    assert!(outage.until.is_some() && outage.quarantined > 0 && outage.redone == outage.quarantined);
    assert!(again >= outage.quarantined as usize);
}

#[tokio::test(flavor = "multi_thread")]
async fn ipv6_loses_every_second_packet() {
    let thin: Happening = |vantage| vantage.uplink.lose(Family::V6, 50);
    let mend: Happening = |vantage| vantage.uplink.lose(Family::V6, 0);
    let (verdicts, report, _) = run(scan_rules(), thin, Some((Duration::from_secs(6), mend))).await;
    nothing_differs("half of IPv6 lost for 6 s", &verdicts, false);
    assert_eq!(report.end, RunEnd::Complete);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_resolvers_die_and_come_back() {
    let die: Happening = |vantage| vantage.uplink.silence_resolvers(true);
    let live: Happening = |vantage| vantage.uplink.silence_resolvers(false);
    // Canaries acquit many looks before a test of the resolvers finds these silent.
    let rules =
        ScanRules { dns_interval: Duration::from_mins(2), canary_interval: Duration::from_millis(300), ..scan_rules() };
    let (verdicts, report, again) = run(rules, die, Some((Duration::from_secs(8), live))).await;
    nothing_differs("resolvers silent for 8 s", &verdicts, false);
    println!("log: {:?}, {again} measured again", report.outages);
    assert!(report.outages.iter().any(|outage| outage.line == Line::Dns && outage.opened.is_some()));
    assert_eq!(report.end, RunEnd::Complete);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_address_is_a_failed_canary() {
    let (verdicts, report, _) = run(scan_rules(), |vantage| vantage.uplink.renumber(Family::V6), None).await;
    nothing_differs("own address changed", &verdicts, true);
    let [outage] = report.outages.as_slice() else { panic!("{:?}", report.outages) };
    assert_eq!((outage.line, outage.why, outage.opened), (Line::Ipv6, Trigger::Route, None));
    assert!(outage.until.is_some());
}

/// To 1970, beyond 2038, and back by two hours: times of a run do not follow, and no verdict does.
#[tokio::test(flavor = "multi_thread")]
async fn the_clock_jumps() {
    const YEAR: i64 = 365 * 24 * 3_600_000;
    let jumps: [Happening; 3] = [
        |vantage| vantage.wall.set(-56 * YEAR),
        |vantage| vantage.wall.set(40 * YEAR),
        |vantage| vantage.wall.set(-7_200_000),
    ];
    for jump in jumps {
        let (verdicts, report, _) = run(scan_rules(), jump, None).await;
        nothing_differs("the clock jumped", &verdicts, true);
        let log: Vec<_> = report.outages.iter().map(|outage| (outage.line, outage.why, outage.opened)).collect();
        assert_eq!(log, [(Line::Ipv4, Trigger::Clock, None), (Line::Ipv6, Trigger::Clock, None)]);
        assert!(report.outages.iter().all(|outage| outage.until.is_some()) && report.end == RunEnd::Complete);
        // What is out of date by a certificate's time is not known from then on, until anchors have shown the time anew.
        assert_eq!(report.clock_gaps.len(), 1, "{:?}", report.clock_gaps);
        assert!(report.clock_gaps[0].from <= report.outages[0].since);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_without_end_costs_verdicts_and_makes_none() {
    let rules = ScanRules { outage_patience: Duration::from_secs(8), ..scan_rules() };
    let (verdicts, report, _) = run(rules, |vantage| vantage.uplink.lose(Family::V6, 100), None).await;
    assert_eq!(report.end, RunEnd::Interrupted);
    let wrong = verdicts.iter().filter(|(name, assessment)| {
        assessment.readiness != truth(name) && assessment.readiness != Readiness::Inconclusive
    });
    let wrong: Vec<_> = wrong.map(|(name, assessment)| (name, assessment.readiness)).collect();
    println!("endless outage: {} of n={} judged names are wrong", wrong.len(), verdicts.len());
    assert!(wrong.is_empty() && verdicts.len() >= FIRST, "{wrong:?}");
    assert!(report.outages.iter().any(|outage| outage.until.is_none()));
}
