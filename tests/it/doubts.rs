//! Doubts that a scenario cannot make: evidence and proofs put together by hand, questions that this machine could not ask, and
//! a clock that jumps. What cannot be told must not be told.
//!
//! Leaves to others: what servers do (`scenarios`), what resolvers do (`dns_lies`), what the uplink does (`outage`).

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde::Deserialize;
use v6ready::calendar::Freeze;
use v6ready::clock::{Clock, SystemClock};
use v6ready::engine::gate::{self, Canary};
use v6ready::engine::resolvers::{DnsControls, self_test};
use v6ready::engine::scan::ScanRules;
use v6ready::judge::{Criteria, assess};
use v6ready::lab::dns::facts::{NameFacts, Odd, Reach, ServerFacts};
use v6ready::lab::log::Event;
use v6ready::lab::web::facts::{HostFacts, Spot};
use v6ready::lab::world::World;
use v6ready::lab::{Lab, RESOLVERS};
use v6ready::model::address::Family;
use v6ready::model::evidence::{
    CertificateFault, DnsTransport, LookupOutcome, Mail, Observation, RecordType, ServerRole,
};
use v6ready::model::finding::Code;
use v6ready::model::mail::MailState;
use v6ready::model::run::{ClockGap, ClockProof, DnsProof, Proof, ResolverState, RunEnd, Vantage};
use v6ready::model::site::Site;
use v6ready::model::time::Timestamp;
use v6ready::model::verdict::{Assessment, Readiness};
use v6ready::net::connect::Connector;
use v6ready::net::dns::authority::Authorities;
use v6ready::net::dns::exchange::{Ask, DnsLimits, Exchanges};
use v6ready::net::route::{Dial, Route, Transport};
use v6ready::net::turn::{Pass, Subject, Turns, Waiting};
use v6ready::probe::Transports;

use crate::bench_net::{
    Gate, Patience, Setting, gate_rules, lab_policy, lab_resolvers, prober, prober_on, scan_rules, scan_under, site,
};
use crate::clocks::Shifted;
use crate::properties::later;

/// Stored evidence of a row of the truth table.
fn stored(row: &str) -> (Observation, Vantage) {
    #[derive(Deserialize)]
    struct Golden {
        vantage: Vantage,
        observation: Observation,
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/evidence/{row}.json"));
    let text = std::fs::read_to_string(path).expect("a readable file");
    let golden: Golden = serde_json::from_str(&text).expect("evidence");
    (golden.observation, golden.vantage)
}

/// The first round of it so many times, ten minutes apart, each by the other resolver's word than the one before, and a
/// vantage without any proof.
fn repeated(row: &str, rounds: u8) -> (Observation, Vantage) {
    let (mut observation, mut vantage) = stored(row);
    let first = observation.rounds.swap_remove(0);
    observation.rounds = (1..=rounds).map(|number| later(first.clone(), number)).collect();
    let [one, other] = vantage.resolvers[..] else { panic!("two resolvers") };
    for round in observation.rounds.iter_mut().filter(|round| round.number % 2 == 0) {
        for lookup in round.lookups.iter_mut().filter(|lookup| vantage.resolvers.contains(&lookup.server)) {
            lookup.server = if lookup.server == one { other } else { one };
        }
    }
    (vantage.proofs, vantage.dns_proofs) = (Vec::new(), Vec::new());
    (observation, vantage)
}

/// Moments shortly before a round and after it.
fn around(observation: &Observation, number: u8) -> [Timestamp; 2] {
    let round = observation.rounds.iter().find(|round| round.number == number).expect("the round");
    [round.started.plus_ms(-10_000), round.ended.plus_ms(10_000)]
}

/// Both families are proven around a round.
fn prove(vantage: &mut Vantage, observation: &Observation, number: u8) {
    for at in around(observation, number) {
        let good = |family| Proof { at, family, good: true, page_bytes: 60_000 };
        vantage.proofs.extend(Family::BOTH.map(good));
    }
}

/// All resolvers are in this state around a round.
fn test_resolvers(vantage: &mut Vantage, observation: &Observation, number: u8, state: ResolverState) {
    for at in around(observation, number) {
        let tests = vantage.resolvers.iter().map(|server| DnsProof { at, server: *server, state });
        let tests: Vec<DnsProof> = tests.collect();
        vantage.dns_proofs.extend(tests);
    }
}

fn judged(observation: &Observation, vantage: &Vantage) -> (Readiness, String, Vec<Code>) {
    let assessment = assess(observation, vantage, &Criteria::default());
    let codes = assessment.findings.iter().map(|finding| finding.code).collect();
    (assessment.readiness, assessment.reason.to_string(), codes)
}

/// Nobody answers for the name in three rounds. In the first the resolvers were not proven, so that it does not count: nor
/// does its alibi.
#[test]
fn a_name_is_down_by_the_alibis_of_rounds_that_agree() {
    let (observation, mut vantage) = repeated("D13", 3);
    test_resolvers(&mut vantage, &observation, 1, ResolverState::Silent);
    test_resolvers(&mut vantage, &observation, 2, ResolverState::Sane);
    test_resolvers(&mut vantage, &observation, 3, ResolverState::Sane);
    prove(&mut vantage, &observation, 1);
    prove(&mut vantage, &observation, 2);
    let (readiness, reason, codes) = judged(&observation, &vantage);
    assert_eq!((readiness, reason.as_str()), (Readiness::Inconclusive, "vantage"), "{codes:?}");
    assert!(codes.contains(&Code::VantageUnproven), "{codes:?}");
    prove(&mut vantage, &observation, 3);
    let (readiness, reason, codes) = judged(&observation, &vantage);
    assert_eq!((readiness, reason.as_str()), (Readiness::Down, "dns"), "{codes:?}");
}

/// One resolver denies AAAA in two rounds. If nobody else could be heard, its word stands; if we did not ask the others, it is
/// one word where two are needed.
#[test]
fn who_was_not_asked_is_not_silent() {
    for (others, readiness, code) in [
        (LookupOutcome::Timeout, Readiness::Absent, Code::DnsSingleSource),
        (LookupOutcome::NotAsked, Readiness::Inconclusive, Code::DnsDisagree),
    ] {
        let (mut observation, mut vantage) = repeated("D02", 2);
        let only = vantage.resolvers[0];
        for round in &mut observation.rounds {
            let mine = |lookup: &&mut v6ready::model::evidence::Lookup| {
                lookup.rtype == RecordType::Aaaa && lookup.server != only
            };
            for lookup in round.lookups.iter_mut().filter(mine) {
                lookup.outcome = others;
            }
        }
        for number in [1, 2] {
            prove(&mut vantage, &observation, number);
            test_resolvers(&mut vantage, &observation, number, ResolverState::Sane);
        }
        let (verdict, reason, codes) = judged(&observation, &vantage);
        assert_eq!(verdict, readiness, "{others:?} {reason} {codes:?}");
        assert!(codes.contains(&code), "{others:?} {codes:?}");
    }
}

/// The next page's host has no AAAA, as its resolver says. That is worth as much as the resolver's self-tests around it.
#[test]
fn a_redirect_is_v4_only_by_the_word_of_a_proven_resolver() {
    use ResolverState::{Denies, Sane, Silent};
    for (state, readiness, reason, code) in [
        (Some(Sane), Readiness::Broken, "redirect_v4only", Code::RedirectV4only),
        (Some(Silent), Readiness::Inconclusive, "vantage", Code::ResolverUnproven),
        (Some(Denies), Readiness::Inconclusive, "vantage", Code::ResolverUnproven),
        (None, Readiness::Inconclusive, "vantage", Code::ResolverUnproven),
    ] {
        let (observation, mut vantage) = repeated("H02", 2);
        for number in [1, 2] {
            prove(&mut vantage, &observation, number);
            if let Some(state) = state {
                test_resolvers(&mut vantage, &observation, number, state);
            }
        }
        let (verdict, why, codes) = judged(&observation, &vantage);
        assert_eq!((verdict, why.as_str()), (readiness, reason), "{state:?} {codes:?}");
        assert_eq!(codes, [code], "{state:?}");
    }
    // Where two rounds have a proven resolver, a third that has none does not stand in their way.
    let (observation, mut vantage) = repeated("H02", 3);
    for number in [1, 2, 3] {
        prove(&mut vantage, &observation, number);
    }
    test_resolvers(&mut vantage, &observation, 1, Sane);
    test_resolvers(&mut vantage, &observation, 2, Sane);
    let (verdict, why, codes) = judged(&observation, &vantage);
    assert_eq!((verdict, why.as_str()), (Readiness::Broken, "redirect_v4only"), "{codes:?}");
}

/// A certificate that is out of date over IPv6, and a clock that jumped before it was shown, after it, or was proven anew.
#[test]
fn nothing_is_called_out_of_date_after_a_jump_of_the_clock() {
    let (mut observation, mut vantage) = repeated("D01", 1);
    for handshake in observation.rounds[0].handshakes.iter_mut().filter(|handshake| handshake.address.is_ipv6()) {
        handshake.certificate.as_mut().expect("a certificate").faults = vec![CertificateFault::Expired];
    }
    prove(&mut vantage, &observation, 1);
    test_resolvers(&mut vantage, &observation, 1, ResolverState::Sane);
    let [before, after] = around(&observation, 1);
    let long_before = before.plus_ms(-600_000);
    let right = ClockProof::from_anchors(long_before, vec![0, 0, 0], 3).expect("a proof");
    for (from, until, code) in [
        (before, None, Code::ClockUnproven),
        (before, Some(after), Code::ClockUnproven),
        (long_before, Some(before), Code::CertV6),
        (after, None, Code::CertV6),
    ] {
        vantage.clock = Some(ClockProof { gaps: vec![ClockGap { from, until }], ..right.clone() });
        assert_eq!(judged(&observation, &vantage).2, [code], "{from:?} {until:?}");
    }
}

/// Counts the turns for DNS queries, and gives each after a while.
#[derive(Debug, Default)]
struct Counted {
    queries: AtomicUsize,
    pause: Duration,
}

impl Turns for Counted {
    fn take(&self, subject: Subject) -> Waiting<'_> {
        self.queries.fetch_add(usize::from(matches!(subject, Subject::Query(..))), Ordering::SeqCst);
        Box::pin(async {
            tokio::time::sleep(self.pause).await;
            Pass::default()
        })
    }
}

/// Authoritative servers are looked for in this world: how many turns that took, datagrams to resolvers, and queries to them
/// over TCP; and whether they were found.
async fn look_for_servers(world: World, pause: Duration, timeout: Duration) -> (usize, usize, usize, bool) {
    let lab = Lab::start(world).await.expect("a lab");
    let turns = Arc::new(Counted { pause, ..Counted::default() });
    let connector = Connector::new(lab.route(), lab_policy());
    let finder = Authorities::new(&lab_resolvers(), timeout, connector, Arc::clone(&turns) as Arc<dyn Turns>);
    let found = finder.expect("a finder").of("www.turns.example").await;
    let resolver = |address: &SocketAddr| RESOLVERS.contains(&address.ip());
    let datagram =
        |event: &Event| matches!(event, Event::Dial { transport: Transport::Udp, target, .. } if resolver(target));
    let over_tcp =
        |event: &Event| matches!(event, Event::Query { role: ServerRole::Resolver, transport: DnsTransport::Tcp, .. });
    let count = |fits: &dyn Fn(&Event) -> bool| usize::try_from(lab.log().count(fits)).expect("few");
    (turns.queries.load(Ordering::SeqCst), count(&datagram), count(&over_tcp), !found.is_empty())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_datagram_of_the_search_for_servers_has_its_turn() {
    let mut world = World::new();
    world.add_site("www.turns.example", Some(Ipv4Addr::new(198, 51, 100, 30)), None, &HostFacts::default());
    // Long enough for repeats, if there were any.
    let long = Duration::from_millis(1500);
    let mut silent = world.clone();
    let silence = ServerFacts { udp: Reach::Timeout, tcp: Reach::Timeout, ..ServerFacts::default() };
    silent.servers.extend(RESOLVERS.map(|address| (address, silence)));
    let (turns, datagrams, over_tcp, found) = look_for_servers(silent, Duration::ZERO, long).await;
    // The SOA of three names, of each resolver.
    assert_eq!((turns, datagrams, over_tcp, found), (6, 6, 0, false));

    let (turns, datagrams, over_tcp, found) = look_for_servers(world.clone(), Duration::ZERO, long).await;
    assert!(turns == datagrams && turns > 2 && over_tcp == 0 && found, "{turns} {datagrams} {over_tcp} {found}");

    // What is waited for a turn is longer than an answer is waited for, and not the servers' silence.
    let (slow, pause) = (Duration::from_millis(250), Duration::from_millis(400));
    assert_eq!(look_for_servers(world.clone(), pause, slow).await, (turns, turns, 0, true));

    // An answer that does not fit is asked for again over TCP, in a turn of its own.
    let odd = r#"odd = [{ type = "SOA", server = "resolver", transport = "udp", do = "truncated" }]"#;
    let odd: BTreeMap<String, Vec<Odd>> = toml::from_str(odd).expect("an oddity");
    let facts = world.dns.entry("www.turns.example".to_owned()).or_default();
    *facts = NameFacts { odd: odd["odd"].clone(), ..facts.clone() };
    let (turns, datagrams, over_tcp, found) = look_for_servers(world, Duration::ZERO, long).await;
    assert!(turns == datagrams + over_tcp && over_tcp == 1 && found, "{turns} {datagrams} {over_tcp} {found}");
}

/// An answer that does not fit is asked for again over TCP. What is waited for that turn is no slowness of the server's.
#[tokio::test(flavor = "multi_thread")]
async fn a_wait_for_a_turn_is_no_part_of_an_answer_s_time() {
    let mut world = World::new();
    let odd = r#"odd = [{ type = "AAAA", server = "resolver", transport = "udp", do = "truncated" }]"#;
    let odd: BTreeMap<String, Vec<Odd>> = toml::from_str(odd).expect("an oddity");
    world.dns.insert("www.turns.example".to_owned(), NameFacts { odd: odd["odd"].clone(), ..NameFacts::default() });
    let lab = Lab::start(world).await.expect("a lab");
    let pause = Duration::from_secs(2);
    let turns = Arc::new(Counted { pause, ..Counted::default() });
    let connector = Connector::new(lab.route(), lab_policy());
    let limits = DnsLimits { timeout: Duration::from_secs(1), ..DnsLimits::default() };
    let exchanges = Exchanges::new(connector, Arc::clone(&turns) as Arc<dyn Turns>, Arc::new(SystemClock), limits);
    let ask = Ask { server: lab_resolvers()[0], role: ServerRole::Resolver, checking_disabled: false, attempt: 1 };
    let lookup = exchanges.ask("www.turns.example", RecordType::Aaaa, ask).await;
    assert!(lookup.retried_over_tcp && lookup.outcome == LookupOutcome::Nodata, "{lookup:?}");
    assert_eq!(turns.queries.load(Ordering::SeqCst), 2);
    assert!(u128::from(lookup.duration_us) < pause.as_micros(), "{lookup:?}");
}

/// A way out that does not lead to one resolver.
#[derive(Debug)]
struct NoWayTo(IpAddr, Arc<dyn Route>);

impl Route for NoWayTo {
    fn dial(&self, transport: Transport, target: SocketAddr) -> Dial {
        if target.ip() == self.0 { Dial::NoRoute } else { self.1.dial(transport, target) }
    }

    fn announce(&self, transport: Transport, local: SocketAddr, target: SocketAddr) {
        self.1.announce(transport, local, target);
    }

    fn standing_in_for(&self, target: SocketAddr) -> Option<SocketAddr> {
        self.1.standing_in_for(target)
    }

    fn identity(&self, family: Family) -> Option<u64> {
        self.1.identity(family)
    }
}

/// A resolver to which nothing could be sent has no proof, good or bad.
#[tokio::test(flavor = "multi_thread")]
async fn a_resolver_that_could_not_be_asked_is_accused_of_nothing() {
    let lab = Lab::start(World::new().with_anchors()).await.expect("a lab");
    let route = Arc::new(NoWayTo(RESOLVERS[1], lab.route()));
    let ca = lab.ca_pem().into_bytes();
    let prober = prober_on(route, lab_policy(), lab_resolvers(), std::slice::from_ref(&ca), Patience::USUAL);
    let proofs = self_test(&prober, &DnsControls::new(&gate_rules()), 0).await;
    let states: Vec<_> = proofs.iter().map(|proof| (proof.server.ip(), proof.state)).collect();
    assert_eq!(states, [(RESOLVERS[0], ResolverState::Sane)]);
    let opening = gate::check(&prober, &gate_rules(), Transports::Both).await;
    let check = opening.gate.checks.iter().find(|check| check.name == "dns-aaaa").expect("a check");
    assert!(check.detail.contains("could not be asked"), "{}", check.detail);
    // Nor does a canary call DNS dead that nobody was asked about.
    let route = Arc::new(NoWayTo(RESOLVERS[0], Arc::new(NoWayTo(RESOLVERS[1], lab.route()))));
    let prober = prober_on(route, lab_policy(), lab_resolvers(), &[ca], Patience::USUAL);
    let anchors: Vec<Site> = gate_rules().anchors.into_iter().map(|anchor| anchor.site).collect();
    let Canary { proofs, spoilt, .. } = gate::canary(&prober.trying_once(), &anchors, 0, Transports::Both).await;
    assert!(spoilt && proofs.is_empty(), "{proofs:?}");
}

/// The clock is set forward into a window, as somebody corrects it, and afterwards it is past the window's end.
#[tokio::test(flavor = "multi_thread")]
async fn a_window_is_kept_by_the_clock_on_the_wall() {
    const MINUTE: i64 = 60_000;
    let mut world = World::new().with_anchors();
    let names: Vec<String> = (0..40).map(|i| format!("wall{i}.doubts.example")).collect();
    let page = HostFacts { web: Some(Spot { delay_ms: 50, ..Spot::default() }), ..HostFacts::default() };
    for (i, name) in (100_u8..).zip(&names) {
        world.add_site(name, Some(Ipv4Addr::new(203, 0, 113, i)), None, &page);
    }
    let lab = Lab::start(world).await.expect("a lab");
    // An hour from now a window begins that is an hour long.
    let begins = jiff::Timestamp::from_millisecond(SystemClock.now().plus_ms(60 * MINUTE).0).expect("a time");
    let (begins, ends) = (begins, begins + jiff::Span::new().hours(1));
    let text = |at: jiff::Timestamp| at.to_zoned(jiff::tz::TimeZone::UTC).strftime("%H:%M").to_string();
    let window = format!("{}-{}", text(begins), text(ends));
    let freeze = Freeze::read(&[window], jiff::tz::TimeZone::UTC).expect("a window");
    let wall = Arc::new(Shifted::default());
    let (setter, done) = (Arc::clone(&wall), AtomicUsize::new(0));
    let seen = lab.log();
    let within = Arc::new(AtomicUsize::new(usize::MAX));
    let counted = Arc::clone(&within);
    let listener = move |event: v6ready::engine::ScanEvent| {
        let v6ready::engine::ScanEvent::Probed { .. } = event else { return };
        if done.fetch_add(1, Ordering::SeqCst) + 1 == 10 {
            setter.set(90 * MINUTE);
            let (setter, seen, counted) = (Arc::clone(&setter), seen.clone(), Arc::clone(&counted));
            tokio::spawn(async move {
                let requests = || {
                    let ours = |event: &Event| event.name().is_some_and(|name| name.starts_with("wall"));
                    usize::try_from(seen.count(ours)).expect("few")
                };
                // What was begun just before may still be under way for a while.
                tokio::time::sleep(Duration::from_secs(2)).await;
                let before = requests();
                tokio::time::sleep(Duration::from_secs(2)).await;
                counted.store(requests() - before, Ordering::SeqCst);
                setter.set(180 * MINUTE);
            });
        }
    };
    let rules = ScanRules { jobs: 1, freeze, ..scan_rules() };
    let wall = wall as Arc<dyn Clock>;
    let setting = Setting { gate: Gate::MustBeOpen, rules, listener: Arc::new(listener), wall };
    let sites = names.iter().map(|name| site(&format!("http://{name}/"))).collect();
    let (evidence, report) = scan_under(setting, prober(&lab, Patience::USUAL), sites).await;
    assert_eq!((report.end, evidence.observations.len()), (RunEnd::Complete, 40));
    assert_eq!(within.load(Ordering::SeqCst), 0, "asked in the window, or never counted");
    assert!(!report.clock_gaps.is_empty());
}

/// Mail is an indicator of its own: whatever is known of it, every verdict is the same.
#[test]
fn no_verdict_rests_on_mail() {
    for row in ["D01", "D02", "D05", "T01", "H16a", "S01", "N04"] {
        let (mut observation, vantage) = stored(row);
        let without = assess(&observation, &vantage, &Criteria::default());
        let domain = observation.site.host.to_string();
        let mail = Mail { domain, lookups: Vec::new(), hosts: Vec::new(), left_out: 3, out_of_time: true };
        observation.rounds.iter_mut().for_each(|round| round.mail = Some(mail.clone()));
        let with = assess(&observation, &vantage, &Criteria::default());
        assert_eq!(with.facts.mail.as_ref().map(|mail| mail.state), Some(MailState::Unknown), "{row}");
        let verdict = |of: &Assessment| (of.readiness, of.reason.clone(), of.rule, of.stack, of.evidence.clone());
        assert_eq!(verdict(&with), verdict(&without), "{row}");
    }
}
