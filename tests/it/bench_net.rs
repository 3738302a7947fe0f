//! A prober on a lab, and one complete scan with it: gate, both rounds, canaries, evidence and verdicts.
//!
//! The same parts as in a real run; only the way out, the trust anchor and the deadlines are the lab's. Leaves to others:
//! what must come out.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use v6ready::calendar::Freeze;
use v6ready::clock::{Clock, SystemClock};
use v6ready::engine::breaker::BreakerRules;
use v6ready::engine::gate::{self, Anchor, GateRules};
use v6ready::engine::pace::{Pacer, Rules};
use v6ready::engine::scan::{Listener, Scan, ScanReport, ScanRules, Stop};
use v6ready::judge::Criteria;
use v6ready::lab::world::{ANCHORS, CONTROL_V4ONLY};
use v6ready::lab::{Lab, PUBLIC_PREFIXES, RESOLVERS, ROOTS};
use v6ready::model::address::Family;
use v6ready::model::evidence::{EVIDENCE_VERSION, Observation};
use v6ready::model::optout::OptOuts;
use v6ready::model::run::{ClockProof, RunEnd, Vantage};
use v6ready::model::site::{Scheme, Site};
use v6ready::net::connect::Connector;
use v6ready::net::dns::authority::Authorities;
use v6ready::net::dns::exchange::{DnsLimits, Exchanges};
use v6ready::net::http::HttpLimits;
use v6ready::net::pages::Pages;
use v6ready::net::route::Route;
use v6ready::net::scope::AddressPolicy;
use v6ready::net::tls::TlsClient;
use v6ready::net::turn::Turns;
use v6ready::probe::deep::{Deep, DeepRules};
use v6ready::probe::delegation::{DelegationRules, Delegations};
use v6ready::probe::{Attempts, Bounds, Deadlines, Net, Prober, Profile, Transports};

/// How long the bench waits for silence. Everything that answers does so at once; the rest is a machine's slowness.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// For a connection that may never open.
    pub(crate) connect: Duration,
    /// For a DNS answer that may never come.
    pub(crate) dns: Duration,
}

impl Patience {
    /// For runs that share the machine with many others.
    pub(crate) const USUAL: Self = Self { connect: Duration::from_millis(600), dns: Duration::from_millis(400) };

    /// For a world in which everybody asks at once, on two processors.
    pub(crate) const CROWDED: Self = Self { connect: Duration::from_millis(1200), dns: Duration::from_millis(1500) };
}

/// A network that the scanner is said to be in itself.
const OWN_NETWORK: &str = "2001:db8:fedc::/48";

/// The address policy of a run on the lab.
pub(crate) fn lab_policy() -> AddressPolicy {
    let public = PUBLIC_PREFIXES.iter().map(|prefix| prefix.parse().expect("a prefix")).collect();
    AddressPolicy { public_prefixes: public, local_deny: vec![OWN_NETWORK.parse().expect("a prefix")] }
}

/// The rules' parameters. On a busy machine everything is slow at times; so slowness is looked for only where it is what a
/// scenario is about, and then with much room.
pub(crate) fn criteria(timed: bool) -> Criteria {
    let slow_after = Duration::from_secs(if timed { 3 } else { 3600 });
    Criteria { slow_after, slow_times: 1, ..Criteria::default() }
}

/// The lab's resolvers.
pub(crate) fn lab_resolvers() -> Vec<SocketAddr> {
    RESOLVERS.iter().map(|address| SocketAddr::new(*address, 53)).collect()
}

/// The lab's root servers.
pub(crate) fn lab_roots() -> Vec<SocketAddr> {
    ROOTS.iter().map(|address| SocketAddr::new(IpAddr::V6(*address), 53)).collect()
}

/// A prober on a lab.
pub(crate) fn prober(lab: &Lab, patience: Patience) -> Prober {
    prober_on(lab.route(), lab_policy(), lab_resolvers(), &[lab.ca_pem().into_bytes()], patience)
}

/// A prober on any route.
pub(crate) fn prober_on(
    route: Arc<dyn Route>,
    policy: AddressPolicy,
    resolvers: Vec<SocketAddr>,
    anchors: &[Vec<u8>],
    patience: Patience,
) -> Prober {
    let connector = Connector::new(route, policy);
    // Places are counted as in a real run; rates would only make the tests slow.
    let turns: Arc<dyn Turns> = Arc::new(Pacer::new(Rules {
        per_host_interval: Duration::ZERO,
        per_address: 2,
        per_prefix: 64,
        resolver_qps: 0,
        authority_qps: 0,
        reset_pause: Duration::ZERO,
    }));
    let clock = Arc::new(SystemClock);
    let http = HttpLimits {
        first_byte: Duration::from_secs(5),
        total: Duration::from_secs(10),
        slow_window: Duration::from_secs(7),
        ..HttpLimits::default()
    };
    let tls = TlsClient::new(true, anchors).expect("a TLS client");
    let user_agent = "v6ready-tests".to_owned();
    Prober {
        net: Arc::new(Net {
            exchanges: Exchanges::new(
                connector.clone(),
                Arc::clone(&turns),
                clock.clone(),
                DnsLimits { timeout: patience.dns, second_reply: Duration::from_millis(200), ..DnsLimits::default() },
            ),
            authorities: Authorities::new(&resolvers, patience.dns, connector.clone(), Arc::clone(&turns))
                .expect("a finder of authorities"),
            pages_v4: Pages::new(Family::V4, connector.clone(), &tls, &user_agent, http).expect("a page client"),
            pages_v6: Pages::new(Family::V6, connector.clone(), &tls, &user_agent, http).expect("a page client"),
            connector,
            tls,
            turns,
            clock,
            resolvers,
            http,
            user_agent,
        }),
        deadlines: Deadlines {
            connect: patience.connect,
            connect_retry: patience.connect,
            tls: Duration::from_millis(1500),
            site: Duration::from_mins(1),
        },
        attempts: Attempts { spacing: Duration::from_millis(30), ..Attempts::default() },
        bounds: Bounds { retry_after: Duration::from_secs(10), ..Bounds::default() },
        opt_outs: OptOuts::default(),
        delegations: Arc::new(Delegations::new(DelegationRules { roots: lab_roots(), ..DelegationRules::default() })),
        profile: Profile::Standard,
        mail: None,
        deep: Arc::new(Deep::new(DeepRules { samples: 0, time: Duration::from_mins(1), ..DeepRules::default() })),
    }
}

/// What the gate asks of the lab.
pub(crate) fn gate_rules() -> GateRules {
    let anchors = ANCHORS.iter().zip(["a", "b", "c", "a", "b"]);
    GateRules {
        anchors: anchors.map(|(name, network)| Anchor { site: site(name), network: network.to_owned() }).collect(),
        minimum_pass: 4,
        minimum_networks: 3,
        large_body: 60_000,
        v4only_names: vec!["ipv4only.arpa".to_owned(), CONTROL_V4ONLY.to_owned()],
        nxdomain_suffixes: vec!["anchor1.example".to_owned()],
        controls: vec!["[2001:db8:dead::1]:80".parse().expect("an address")],
    }
}

/// A list entry as a site: a bare name, or `scheme://name[:port]/`.
pub(crate) fn site(entry: &str) -> Site {
    let (scheme, rest) = match entry.split_once("://") {
        Some(("http", rest)) => (Some(Scheme::Http), rest),
        Some(("https", rest)) => (Some(Scheme::Https), rest),
        Some(_) => panic!("not a web address: {entry}"),
        None => (None, entry),
    };
    let rest = rest.trim_end_matches('/');
    let (host, port) = rest.split_once(':').map_or((rest, None), |(host, port)| (host, Some(port)));
    Site::new(host, None, scheme, port.map(|port| port.parse().expect("a port")))
}

/// The evidence of one complete scan.
#[derive(Debug)]
pub(crate) struct Evidence {
    /// By site.
    pub(crate) observations: BTreeMap<String, Observation>,
    /// With all proofs.
    pub(crate) vantage: Vantage,
}

/// What becomes of a run that the gate does not let in. A real one ends there; tests of bad vantages go on, to see that
/// nothing wrong would be said even so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gate {
    /// The vantage is good.
    MustBeOpen,
    /// It may be too bad.
    MayBeShut,
    /// It is too bad.
    MustBeShut,
}

/// How a scan is run.
pub(crate) struct Setting {
    pub(crate) gate: Gate,
    pub(crate) rules: ScanRules,
    pub(crate) listener: Listener,
    /// The machine's own clock.
    pub(crate) wall: Arc<dyn Clock>,
}

impl Setting {
    /// From a good vantage, without a listener.
    pub(crate) fn usual(jobs: usize, transports: Transports) -> Self {
        let rules = ScanRules { jobs, transports, ..scan_rules() };
        Self { gate: Gate::MustBeOpen, rules, listener: Arc::new(|_| {}), wall: Arc::new(SystemClock) }
    }
}

/// Scans sites as a run does. Nothing may be lost.
pub(crate) async fn scan(prober: Prober, sites: Vec<Site>, jobs: usize, transports: Transports) -> Evidence {
    let (evidence, report) = scan_under(Setting::usual(jobs, transports), prober, sites).await;
    assert_eq!((report.end, report.lost), (RunEnd::Complete, 0));
    evidence
}

/// A run's rules with short pauses.
pub(crate) fn scan_rules() -> ScanRules {
    ScanRules {
        jobs: 4,
        // The tests say how many there are at once.
        slow_jobs: 0,
        slow_after: Duration::from_secs(1),
        second_round_after: Duration::ZERO,
        canary_interval: Duration::from_secs(1),
        dns_interval: Duration::from_secs(1),
        recovery_interval: Duration::from_millis(200),
        outage_patience: Duration::from_mins(1),
        breaker: BreakerRules::default(),
        grace: Duration::from_secs(5),
        transports: Transports::Both,
        criteria: criteria(false),
        freeze: Freeze::default(),
        retry_after: Duration::from_hours(1),
    }
}

/// The same under a setting of its own, with what the scan says of itself.
pub(crate) async fn scan_under(setting: Setting, prober: Prober, sites: Vec<Site>) -> (Evidence, ScanReport) {
    let Setting { gate, rules, listener, wall } = setting;
    let prober = Arc::new(prober);
    let opening = gate::check(&prober, &gate_rules(), rules.transports).await;
    let failures: Vec<_> = opening.gate.failures().collect();
    match gate {
        Gate::MustBeOpen => assert!(failures.is_empty(), "the gate is shut: {failures:#?}"),
        Gate::MustBeShut => assert!(!failures.is_empty(), "the gate is open"),
        Gate::MayBeShut => {}
    }
    let (sink, mut evidence) = mpsc::channel(16);
    let (_go_on, stop) = watch::channel(Stop::No);
    let scan = Scan {
        prober: Arc::clone(&prober),
        rules,
        canaries: opening.canaries,
        dns_controls: opening.dns_controls,
        wall,
        room: Arc::new(|| None),
        listener,
        sink,
        stop,
    };
    let collecting = tokio::spawn(async move {
        let mut observations: BTreeMap<String, Observation> = BTreeMap::new();
        while let Some((site, round)) = evidence.recv().await {
            let key = site.key.to_string();
            let empty = Observation { version: EVIDENCE_VERSION, site, rounds: Vec::new() };
            observations.entry(key).or_insert(empty).rounds.push(round);
        }
        observations
    });
    let report = scan.run(sites).await;
    let mut proofs = opening.proofs;
    proofs.extend(&report.proofs);
    let mut dns_proofs = opening.dns_proofs;
    dns_proofs.extend(&report.dns_proofs);
    let resolvers = prober.net.resolvers.clone();
    let clock = opening.clock.map(|clock| ClockProof { gaps: report.clock_gaps.clone(), ..clock });
    let evidence = Evidence {
        observations: collecting.await.expect("the collector ends"),
        vantage: Vantage { name: "bench".to_owned(), isp: None, resolvers, proofs, dns_proofs, clock },
    };
    (evidence, report)
}
