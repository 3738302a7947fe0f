//! The truth table in bad weather: every row on a network that loses packets, and on a vantage without IPv6.
//!
//! Both are ways in ([`Route`]) laid over the lab's: the rows, the servers and the program under test stay as they are.
//! A verdict may then be missing, since nothing could be known; it may never be another.

#![expect(clippy::print_stdout, reason = "a zero is worth as much as its n")]

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use v6ready::engine::plan;
use v6ready::lab::Lab;
use v6ready::lab::log::Event;
use v6ready::lab::scenario::Scenario;
use v6ready::model::address::Family;
use v6ready::model::mail::MailState;
use v6ready::model::run::RunEnd;
use v6ready::model::verdict::Readiness;
use v6ready::net::route::{Dial, Route, Transport, WithoutIpv6};
use v6ready::probe::{Profile, Transports};

use crate::all_scenarios::{in_one_world, judge, listed, mails, none_failed, repetitions, world_of, world_of_mail};
use crate::bench_net::{Evidence, Gate, Patience, Setting, lab_policy, lab_resolvers, prober_on, scan_under};

/// Loses the first packet of a share of all exchanges for good, so that a connection or a question meets silence. Harsher
/// than the same share of lost packets, of which TCP repeats each.
struct Lossy {
    inner: Arc<dyn Route>,
    /// Lost out of a thousand.
    per_mille: u64,
    seed: u64,
    dials: AtomicU64,
    lost: AtomicU64,
}

impl fmt::Debug for Lossy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lossy").field("per_mille", &self.per_mille).finish_non_exhaustive()
    }
}

impl Lossy {
    /// Whether the n-th dial is lost: SplitMix64 over the seed and the number.
    fn loses(&self, number: u64) -> bool {
        let mut mixed = self.seed.wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % 1000 < self.per_mille
    }

    /// An address of the same family that nobody has: the lab answers it with silence.
    fn nowhere(target: SocketAddr) -> SocketAddr {
        let address: IpAddr = match target.ip() {
            IpAddr::V4(_) => Ipv4Addr::new(203, 0, 113, 254).into(),
            IpAddr::V6(_) => Ipv6Addr::new(0x2001, 0xdb8, 0x1055, 0, 0, 0, 0, 1).into(),
        };
        SocketAddr::new(address, 9)
    }
}

impl Route for Lossy {
    fn dial(&self, transport: Transport, target: SocketAddr) -> Dial {
        if self.loses(self.dials.fetch_add(1, Ordering::Relaxed)) {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return self.inner.dial(transport, Self::nowhere(target));
        }
        self.inner.dial(transport, target)
    }

    fn announce(&self, transport: Transport, local: SocketAddr, target: SocketAddr) {
        self.inner.announce(transport, local, target);
    }

    fn standing_in_for(&self, target: SocketAddr) -> Option<SocketAddr> {
        self.inner.standing_in_for(target)
    }

    fn identity(&self, family: Family) -> Option<u64> {
        self.inner.identity(family)
    }
}

/// Which rows are run together.
#[derive(Clone, Copy, Debug)]
enum Rows {
    Standard,
    Deep,
    Mail,
}

/// All rows of a kind with an ordinary vantage in one world and one run, reached by a way of `lay`'s making.
async fn together(
    rows: Rows,
    lay: impl FnOnce(Arc<dyn Route>) -> Arc<dyn Route>,
    (gate, transports): (Gate, Transports),
    seed: u64,
) -> (Vec<Scenario>, Lab, Evidence) {
    let (scenarios, lab, canaries) = match rows {
        Rows::Standard => with_nobody(in_one_world().await),
        Rows::Deep => with_nobody(world_of(Profile::Deep).await),
        Rows::Mail => {
            let (scenarios, lab, canaries) = world_of_mail().await;
            (scenarios, lab, canaries.to_vec())
        }
    };
    let sites = plan::order(scenarios.iter().map(listed).collect(), &format!("weather {seed}"));
    let anchors = [lab.ca_pem().into_bytes()];
    let mut prober = prober_on(lay(lab.route()), lab_policy(), lab_resolvers(), &anchors, Patience::CROWDED);
    prober.mail = mails(&canaries);
    prober.profile = if matches!(rows, Rows::Deep) { Profile::Deep } else { Profile::Standard };
    let setting = Setting { gate, ..Setting::usual(200, transports) };
    let (evidence, report) = scan_under(setting, prober, sites).await;
    assert_eq!((report.end, report.lost), (RunEnd::Complete, 0));
    (scenarios, lab, evidence)
}

/// A world in which no mail is looked at.
fn with_nobody((scenarios, lab): (Vec<Scenario>, Lab)) -> (Vec<Scenario>, Lab, Vec<String>) {
    (scenarios, lab, Vec::new())
}

/// Every row's verdict against what is allowed, and against what no server may ever see. Rows that were not judged, and those of
/// them of which the table says more.
fn check(
    scenarios: &[Scenario],
    lab: &Lab,
    evidence: &Evidence,
    allowed: impl Fn(&Scenario, Readiness) -> bool,
) -> (usize, usize) {
    let mut failures = Vec::new();
    let (mut undecided, mut missing) = (0, 0);
    for scenario in scenarios {
        match judge(scenario, evidence) {
            Err(nothing) => failures.push(format!("{}: {nothing}", scenario.id)),
            Ok((assessment, _)) => {
                let open = assessment.readiness == Readiness::Inconclusive;
                undecided += usize::from(open);
                missing += usize::from(open && scenario.expect.readiness != Readiness::Inconclusive);
                if !allowed(scenario, assessment.readiness) {
                    let (wanted, found) = (scenario.expect.readiness.name(), assessment.readiness.name());
                    failures
                        .push(format!("{}: {wanted} expected, {found}({}) came out", scenario.id, assessment.reason));
                }
            }
        }
        failures.extend(
            scenario
                .expect
                .saw
                .forbidden()
                .check(&lab.log())
                .into_iter()
                .map(|line| format!("{}: {line}", scenario.id)),
        );
    }
    none_failed(&failures, scenarios.len());
    (undecided, missing)
}

async fn with_loss(rows: Rows, seed: u64) {
    let mut lossy = None;
    let lay = |inner| -> Arc<dyn Route> {
        let (dials, lost) = (AtomicU64::new(0), AtomicU64::new(0));
        Arc::clone(lossy.insert(Arc::new(Lossy { inner, per_mille: 50, seed, dials, lost }))) as Arc<dyn Route>
    };
    let (scenarios, lab, evidence) = together(rows, lay, (Gate::MayBeShut, Transports::Both), seed).await;
    let (undecided, missing) = check(&scenarios, &lab, &evidence, |scenario, readiness| {
        // A defect that one look has and the other has not is no other verdict: the site passes either way.
        let passes = |readiness| matches!(readiness, Readiness::Ready | Readiness::ReadyDefect);
        let wanted = scenario.expect.readiness;
        readiness == wanted || readiness == Readiness::Inconclusive || (passes(wanted) && passes(readiness))
    });
    let mail_of =
        |scenario: &Scenario| judge(scenario, &evidence).ok().and_then(|(assessment, _)| assessment.facts.mail);
    let mut judged_mail = 0;
    for (scenario, mail) in scenarios.iter().filter_map(|scenario| Some((scenario, mail_of(scenario)?))) {
        let expected = scenario.expect.mail.as_deref().unwrap_or_default();
        judged_mail += 1;
        let known = mail.state != MailState::Unknown;
        assert!(!known || expected.starts_with(mail.state.name()), "{}: {expected} expected, {mail:?}", scenario.id);
    }
    assert_eq!(judged_mail > 0, matches!(rows, Rows::Mail), "mail was looked at where it was to be");
    let lossy = lossy.expect("the way was laid");
    let (dials, lost) = (lossy.dials.load(Ordering::Relaxed), lossy.lost.load(Ordering::Relaxed));
    println!(
        "5 % loss: n={} {rows:?} rows, 0 wrong, {undecided} not judged ({missing} of which the table says more), {lost} of {dials} \
         exchanges lost",
        scenarios.len()
    );
    // Few exchanges may lose few.
    let (least, share) = if matches!(rows, Rows::Standard) { (50, 30) } else { (1, 10) };
    assert!(lost >= least && lost * 1000 > dials * share, "{lost} of {dials}: that is far from 5 %");
}

#[tokio::test(flavor = "multi_thread")]
async fn five_per_cent_loss_makes_no_other_verdict() {
    for seed in 0..repetitions(1) {
        with_loss(Rows::Standard, seed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn five_per_cent_loss_makes_no_other_verdict_of_mail_and_links() {
    for seed in 0..repetitions(1) {
        with_loss(Rows::Mail, seed).await;
        with_loss(Rows::Deep, seed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vantage_without_ipv6_judges_only_what_dns_and_ipv4_say() {
    for rows in [Rows::Standard, Rows::Deep] {
        let lay = |inner| -> Arc<dyn Route> { Arc::new(WithoutIpv6(inner)) };
        let (scenarios, lab, evidence) = together(rows, lay, (Gate::MustBeShut, Transports::Both), 0).await;
        let (undecided, _) = check(&scenarios, &lab, &evidence, |scenario, readiness| {
            let known_all_the_same = matches!(readiness, Readiness::Absent | Readiness::NoName | Readiness::Down);
            readiness == Readiness::Inconclusive || (known_all_the_same && readiness == scenario.expect.readiness)
        });
        println!("no IPv6: n={} {rows:?} rows, {undecided} not judged", scenarios.len());
        let some_decided = undecided < scenarios.len();
        assert!(some_decided || matches!(rows, Rows::Deep), "DNS alone decides some rows");
    }
}

/// Nothing holds IPv6 back here but the run's own word.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_without_ipv6_sends_nothing_over_it() {
    let (scenarios, lab, evidence) =
        together(Rows::Standard, |inner| inner, (Gate::MustBeOpen, Transports::WithoutIpv6), 0).await;
    let (mut over_v4, mut over_v6) = (0, Vec::new());
    for entry in lab.log().entries() {
        match entry.event {
            Event::Dial { target, .. } if target.is_ipv6() => over_v6.push(target),
            Event::Dial { .. } => over_v4 += 1,
            _ => {}
        }
    }
    println!("without IPv6 by the run's own choice: {} dials over IPv6, n={over_v4} over IPv4", over_v6.len());
    assert!(over_v6.is_empty() && over_v4 > scenarios.len(), "{over_v6:?}");
    check(&scenarios, &lab, &evidence, |_, readiness| {
        !matches!(readiness, Readiness::Ready | Readiness::ReadyDefect | Readiness::Broken)
    });
}
