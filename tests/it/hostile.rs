//! Servers that attack: each attack is served by both families, by IPv6 alone and by IPv4 alone, in one world and one
//! scan. Every bound must hold, and the verdict must be about the site, not about our bounds.
//!
//! Leaves to others: redirects (`redirects`), addresses (`ssrf`), text in reports (`injection`), time and memory (`benches`).

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use v6ready::engine::ScanEvent;
use v6ready::engine::pace::{Pacer, Rules};
use v6ready::judge::{Criteria, assess};
use v6ready::lab::Lab;
use v6ready::lab::scenario::Scenario;
use v6ready::lab::web::facts::{HostFacts, Spot};
use v6ready::lab::world::World;
use v6ready::model::address::Family;
use v6ready::model::evidence::{Lookup, Observation, Purpose, Round, ServerRole, Walk, WalkEnd};
use v6ready::model::failure::{Failure, Limit};
use v6ready::model::run::RunEnd;
use v6ready::model::site::Site;
use v6ready::model::verdict::{Assessment, CountsAs};
use v6ready::net::http::HttpLimits;
use v6ready::net::route::{Dial, Route, Transport};
use v6ready::net::turn::{Pass, Subject, Turns, Waiting};
use v6ready::probe::{Attempts, Prober, Transports};

use crate::bench_net::{
    Evidence, Patience, Setting, lab_policy, lab_resolvers, prober, prober_on, scan, scan_under, site,
};

/// One attack, and what must come of it. Verdicts are written `READINESS reason`.
struct Attack {
    /// Names the row and its hosts.
    id: &'static str,
    /// Where it is served: `http` or `https`.
    port: &'static str,
    /// What is served there.
    spot: &'static str,
    /// The verdict where both families serve it.
    both: &'static str,
    /// The verdict where IPv6 alone serves it.
    v6: &'static str,
    /// How the walk or the page's body ends in the evidence.
    word: &'static str,
}

const fn attack(
    (id, port): (&'static str, &'static str),
    spot: &'static str,
    both: &'static str,
    v6: &'static str,
    word: &'static str,
) -> Attack {
    Attack { id, port, spot, both, v6, word }
}

const UNREACHABLE: &str = "DOWN unreachable";
const LIMIT: &str = "INCONCLUSIVE limit";
const TRUNCATED: &str = "READY_DEFECT truncated";
const READY: &str = "READY ";

#[rustfmt::skip]
const ATTACKS: &[Attack] = &[
    // Headers.
    attack(("head-drip", "http"), "endless_headers = true, drip = { bytes = 1, every_ms = 1000 }", UNREACHABLE, "BROKEN http_stall", "http_stall"),
    attack(("head-endless", "http"), "endless_headers = true", LIMIT, "BROKEN limit_headers", "limit_headers"),
    attack(("head-lines", "http"), "filler = { lines = 200, bytes = 10 }", LIMIT, "BROKEN limit_headers", "limit_headers"),
    attack(("head-line", "http"), "filler = { lines = 1, bytes = 1000000 }", LIMIT, "BROKEN limit_headers", "limit_headers"),
    attack(("head-slow", "http"), "drip = { bytes = 1, every_ms = 1000 }", UNREACHABLE, "BROKEN http_stall", "http_stall"),
    // Informational responses.
    attack(("hints", "http"), "informational = 1000000", LIMIT, "BROKEN limit_informational", "limit_informational"),
    attack(("hints-11", "http"), "informational = 11", LIMIT, "BROKEN limit_informational", "limit_informational"),
    attack(("hints-10", "http"), "informational = 10", READY, READY, ""),
    // Lengths.
    attack(("endless", "http"), "infinite_body = true", READY, READY, "limit_body"),
    attack(("long", "http"), r#"raw = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 1000000000000\r\n\r\n<p>x""#, READY, TRUNCATED, "early_eof"),
    attack(("longer", "http"), r#"raw = "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n<p>x""#, UNREACHABLE, "BROKEN http_malformed", "http_malformed"),
    attack(("two-lengths", "http"), r#"raw = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n<p>xy""#, UNREACHABLE, "BROKEN http_malformed", "http_malformed"),
    attack(("negative", "http"), r#"raw = "HTTP/1.1 200 OK\r\nContent-Length: -4\r\n\r\n<p>x""#, UNREACHABLE, "BROKEN http_malformed", "http_malformed"),
    attack(("bad-chunk", "http"), r#"raw = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n<p>""#, READY, "BROKEN http_malformed", "http_malformed"),
    attack(("huge-chunk", "http"), r#"raw = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n<p>""#, READY, "BROKEN http_malformed", "http_malformed"),
    // Not HTTP.
    attack(("http09", "http"), r#"raw = "<html><title>x</title>""#, UNREACHABLE, "BROKEN http_malformed", "http_malformed"),
    attack(("nul", "http"), r#"raw = "HTTP/1.1 200 OK\r\nX-\u0000: \u0000\r\n\u0000\r\n\r\n<p>""#, UNREACHABLE, "BROKEN http_malformed", "http_malformed"),
    // Codings.
    attack(("gzip", "http"), r#"bomb = "gzip""#, READY, READY, "limit_ratio"),
    attack(("deflate", "http"), r#"bomb = "deflate""#, READY, READY, "limit_ratio"),
    attack(("bare", "http"), r#"bomb = "bare_deflate""#, READY, READY, "limit_ratio"),
    attack(("nested", "http"), r#"bomb = "nested""#, READY, TRUNCATED, "http_malformed"),
    attack(("brotli", "http"), r#"coding = "br""#, READY, TRUNCATED, "http_malformed"),
    attack(("zstd", "http"), r#"coding = "zstd""#, READY, TRUNCATED, "http_malformed"),
    attack(("twice", "http"), r#"gzip = true, coding = "gzip""#, READY, TRUNCATED, "http_malformed"),
    // Drips.
    attack(("body-drip", "http"), "drip = { bytes = 1, every_ms = 200, body_only = true }", READY, TRUNCATED, "limit_slow"),
    attack(("body-stutter", "http"), "drip = { bytes = 1100, every_ms = 350, body_only = true }, size = 100000", READY, TRUNCATED, "limit_total"),
    attack(("tls-drip", "https"), "tls = { endless_ms = 100 }", UNREACHABLE, "BROKEN tls_stall", "tls_stall"),
    // TLS.
    attack(("tls-endless", "https"), "tls = { endless_ms = 0 }", UNREACHABLE, "BROKEN tls_stall", "tls_stall"),
    attack(("tls-goodbye", "https"), "tls = { close_notify = true }", UNREACHABLE, "BROKEN tls_eof", "tls_eof"),
    attack(("chain-200", "https"), "tls = { chain = 200 }", LIMIT, "BROKEN limit_handshake", "limit_handshake"),
    attack(("chain-100", "https"), "tls = { chain = 100 }", READY, READY, ""),
    attack(("names", "https"), "tls = { names = 2000 }", READY, READY, ""),
    // Markup.
    attack(("comment", "http"), r#"body = "<title>x</title><!-- no end", size = 3000000"#, READY, READY, "limit_body"),
];

/// Who serves the attack.
const WHO: [&str; 3] = ["both", "v6", "v4"];

fn host(attack: &Attack, who: &str) -> String {
    format!("{who}.{}.example", attack.id)
}

fn listed(attack: &Attack, who: &str) -> Site {
    site(&format!("{}://{}/", attack.port, host(attack, who)))
}

fn world() -> World {
    let mut text = "id = \"hostile\"\nname = \"hostile\"\nlist = [\"x.example\"]\n".to_owned();
    let mut number = 0;
    for attack in ATTACKS {
        for who in WHO {
            number += 1;
            let (v4, v6) = (format!("198.51.{}.{}", 100, 70 + number), format!("2001:db8:{number:x}::1"));
            let name = host(attack, who);
            let _ = writeln!(text, "[dns.\"{name}\"]\na = [\"{v4}\"]\naaaa = [\"{v6}\"]");
            for (address, attacks) in [(v4, who != "v6"), (v6, who != "v4")] {
                let spot = if attacks { attack.spot } else { "" };
                let _ = writeln!(text, "[host.\"{address}\"]\n{} = {{ {spot} }}", attack.port);
            }
        }
    }
    text.push_str("[expect]\nreadiness = \"DOWN\"\n");
    let scenario = Scenario::parse(&text, Path::new("hostile.toml")).unwrap_or_else(|error| panic!("{error}\n{text}"));
    scenario.world().with_anchors()
}

/// A prober with the real bounds in bytes and short ones in time.
fn hasty(lab: &Lab) -> Prober {
    let mut prober = prober(lab, Patience::USUAL);
    Arc::get_mut(&mut prober.net).expect("nobody else has it").http = HttpLimits {
        first_byte: Duration::from_millis(1200),
        total: Duration::from_secs(6),
        slow_window: Duration::from_secs(1),
        ..HttpLimits::default()
    };
    prober.attempts = Attempts { per_address: 2, ..prober.attempts };
    prober
}

fn judged(evidence: &Evidence, site: &Site) -> (Assessment, Observation) {
    let observation = evidence.observations.get(site.key.as_str()).expect("evidence");
    (assess(observation, &evidence.vantage, &Criteria::default()), observation.clone())
}

/// How the walks of a family ended: the step's failure, else that of the landing page's body.
fn ends(rounds: &[Round], family: Family) -> Vec<&'static str> {
    let walks = rounds.iter().flat_map(|round| &round.walks).filter(|walk| walk.family == family);
    let end = |walk: &Walk| match &walk.end {
        WalkEnd::Failed(failure) => Some(failure.word()),
        _ => walk.landing().and_then(|exchange| exchange.body_failure.as_ref()).map(Failure::word),
    };
    walks.filter(|walk| walk.purpose == Purpose::Entry).filter_map(end).collect()
}

/// What our bounds promise of any round whatever the peer does.
fn bounds_hold(round: &Round, limits: &HttpLimits) {
    for exchange in round.walks.iter().flat_map(|walk| &walk.hops).filter_map(|hop| hop.exchange.as_ref()) {
        assert!(exchange.wire_bytes <= limits.body_wire as u64, "{exchange:?}");
        assert!(exchange.decoded_bytes <= limits.body_decoded as u64, "{exchange:?}");
        assert!(exchange.cookies.len() <= 20 && exchange.server.as_ref().is_none_or(|text| text.len() <= 800));
    }
    for certificate in round.handshakes.iter().filter_map(|handshake| handshake.certificate.as_ref()) {
        assert!(certificate.names.len() <= 20);
    }
    let stored = serde_json::to_vec(round).expect("JSON");
    assert!(stored.len() < 64 * 1024, "{} bytes of evidence", stored.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_attack_is_bounded_and_judged() {
    let lab = Lab::start(world()).await.expect("a lab");
    let prober = hasty(&lab);
    let limits = prober.net.http;
    let sites = ATTACKS.iter().flat_map(|attack| WHO.map(|who| listed(attack, who)));
    let evidence = scan(prober, sites.collect(), 40, Transports::Both).await;
    let mut wrong = Vec::new();
    for attack in ATTACKS {
        for who in WHO {
            let (assessment, observation) = judged(&evidence, &listed(attack, who));
            let verdict = format!("{} {}", assessment.readiness.name(), assessment.reason);
            let right = match who {
                "both" => verdict == attack.both,
                "v6" => verdict == attack.v6,
                // What IPv4 does to us takes nothing from IPv6.
                _ => assessment.readiness.counts_as() == CountsAs::Pass,
            };
            let attacked = if who == "v4" { Family::V4 } else { Family::V6 };
            let words = ends(&observation.rounds, attacked);
            let as_named = if attack.word.is_empty() { words.is_empty() } else { words.contains(&attack.word) };
            if !right || !as_named {
                wrong.push(format!("{} over {who}: {verdict} {words:?}", attack.id));
            }
            for round in &observation.rounds {
                bounds_hold(round, &limits);
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A DNS server that answers over TCP with one byte of the length and then nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_resolver_that_drips_over_tcp_ends_in_time() {
    let text = r#"
        id = "drip"
        name = "drip"
        list = ["www.drip.example"]
        [dns."www.drip.example"]
        a = ["192.0.2.1"]
        aaaa = ["2001:db8::1"]
        odd = [{ type = "AAAA", transport = "udp", do = "truncated" }]
        [server."192.0.2.53"]
        tcp = "drip"
        [server."198.51.100.53"]
        tcp = "drip"
        [host."192.0.2.1"]
        web = {}
        [expect]
        readiness = "INCONCLUSIVE"
    "#;
    let scenario = Scenario::parse(text, Path::new("drip.toml")).unwrap_or_else(|error| panic!("{error}"));
    let lab = Lab::start(scenario.world().with_anchors()).await.expect("a lab");
    let prober = hasty(&lab);
    let round = prober.observe(&site("www.drip.example"), 1, Transports::Both).await;
    assert!(!round.limits.contains(&Limit::Site));
    let truncated = |lookup: &&Lookup| lookup.retried_over_tcp && lookup.role == ServerRole::Resolver;
    assert!(round.lookups.iter().filter(truncated).count() >= 2);
    assert!(round.lookups.iter().filter(truncated).all(|lookup| lookup.addresses.is_empty()));
}

/// Many pages that lead to one victim: its places are the same for all of them.
#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_pages_that_lead_to_one_victim_do_not_crowd_it() {
    let mut text = "id = \"victim\"\nname = \"victim\"\nlist = [\"x.example\"]\n".to_owned();
    text.push_str("[dns.\"victim.example\"]\na = [\"203.0.113.9\"]\naaaa = [\"2001:db8:ffff::9\"]\n");
    for address in ["203.0.113.9", "2001:db8:ffff::9"] {
        let _ = writeln!(text, "[host.\"{address}\"]\nweb = {{ delay_ms = 5 }}");
    }
    for number in 0..200 {
        let (v4, v6) = (format!("203.0.113.{}", number + 20), format!("2001:db8:{number:x}::1"));
        let _ = writeln!(text, "[dns.\"s{number}.example\"]\na = [\"{v4}\"]\naaaa = [\"{v6}\"]");
        for address in [v4, v6] {
            let _ = writeln!(text, "[host.\"{address}\"]\nhttp = {{ redirect = \"http://victim.example/\" }}");
        }
    }
    text.push_str("[expect]\nreadiness = \"READY\"\n");
    let scenario = Scenario::parse(&text, Path::new("victim.toml")).unwrap_or_else(|error| panic!("{error}"));
    let lab = Lab::start(scenario.world().with_anchors()).await.expect("a lab");
    let turns = Arc::new(Watched::default());
    let mut prober = prober(&lab, Patience::USUAL);
    Arc::get_mut(&mut prober.net).expect("nobody else has it").turns = Arc::clone(&turns) as Arc<dyn Turns>;
    let sites = (0..200).map(|number| site(&format!("http://s{number}.example/"))).collect();
    let evidence = scan(prober, sites, 200, Transports::Both).await;
    for number in 0..200 {
        let (assessment, _) = judged(&evidence, &site(&format!("http://s{number}.example/")));
        assert_eq!((assessment.readiness.name(), assessment.reason.as_str()), ("READY", ""));
    }
    let (most, all) = (turns.most.load(Ordering::SeqCst), turns.all.load(Ordering::SeqCst));
    assert!(all >= 400, "{all} connections");
    assert!((1..=4).contains(&most), "{most} at once over both families");
}

/// Passes turns on to the real rules, and counts those that the victim's addresses give at once.
#[derive(Debug)]
struct Watched {
    rules: Pacer,
    now: Arc<AtomicUsize>,
    most: AtomicUsize,
    all: AtomicUsize,
}

impl Default for Watched {
    fn default() -> Self {
        let rules = Rules { per_host_interval: Duration::ZERO, resolver_qps: 0, authority_qps: 0, ..Rules::default() };
        let rules = Pacer::new(rules);
        Self { rules, now: Arc::default(), most: AtomicUsize::new(0), all: AtomicUsize::new(0) }
    }
}

/// One place less when it is dropped.
struct Leaving(Arc<AtomicUsize>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Turns for Watched {
    fn take(&self, subject: Subject) -> Waiting<'_> {
        let victims: [IpAddr; 2] = ["203.0.113.9", "2001:db8:ffff::9"].map(|text| text.parse().expect("address"));
        let of_victim = matches!(&subject,
            Subject::Connection(address) | Subject::Request(_, address) if victims.contains(address));
        Box::pin(async move {
            let pass = self.rules.take(subject).await;
            if !of_victim {
                return pass;
            }
            self.all.fetch_add(1, Ordering::SeqCst);
            let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(now, Ordering::SeqCst);
            // Both are dropped together: first the count, then the place.
            Pass::holding(Box::new((Leaving(Arc::clone(&self.now)), pass)))
        })
    }
}

/// The way into the lab, with a hole in it: who dials this address falls in.
#[derive(Debug)]
struct Hole {
    lab: Arc<dyn Route>,
    at: IpAddr,
}

impl Route for Hole {
    fn dial(&self, transport: Transport, target: SocketAddr) -> Dial {
        assert!(target.ip() != self.at, "a test makes the prober panic here");
        self.lab.dial(transport, target)
    }

    fn announce(&self, transport: Transport, local: SocketAddr, target: SocketAddr) {
        self.lab.announce(transport, local, target);
    }

    fn standing_in_for(&self, target: SocketAddr) -> Option<SocketAddr> {
        self.lab.standing_in_for(target)
    }

    fn identity(&self, family: Family) -> Option<u64> {
        self.lab.identity(family)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_at_one_site_costs_that_site_only() {
    let mut world = World::new().with_anchors();
    let names = ["first.example", "hole.example", "last.example"];
    for (number, name) in (1..).zip(names) {
        let (v4, v6) = (Ipv4Addr::new(203, 0, 113, number), Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, number.into()));
        let healthy = HostFacts { web: Some(Spot::default()), ..HostFacts::default() };
        world.add_site(name, Some(v4), Some(v6), &healthy);
    }
    let lab = Lab::start(world).await.expect("a lab");
    let hole = Hole { lab: lab.route(), at: "2001:db8::2".parse().expect("an address") };
    let anchors = [lab.ca_pem().into_bytes()];
    let prober = prober_on(Arc::new(hole), lab_policy(), lab_resolvers(), &anchors, Patience::USUAL);
    let events = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&events);
    let listener = Arc::new(move |event| heard.lock().expect("not poisoned").push(event));
    let sites: Vec<Site> = names.iter().map(|name| site(name)).collect();
    let setting = Setting { listener, ..Setting::usual(1, Transports::Both) };
    let (evidence, report) = scan_under(setting, prober, sites.clone()).await;
    assert_eq!((report.end, report.lost), (RunEnd::InternalError, 1));
    let verdicts: Vec<_> = sites.iter().map(|site| judged(&evidence, site).0).collect();
    let words = verdicts.iter().map(|verdict| (verdict.readiness.name(), verdict.reason.as_str())).collect::<Vec<_>>();
    assert_eq!(words, [("READY", ""), ("INCONCLUSIVE", "internal_error"), ("READY", "")]);
    assert_eq!(evidence.observations.len(), 3, "every site ends in one row");
    let lost = ScanEvent::Lost { site: Some(sites[1].key.clone()), total: 1 };
    assert!(events.lock().expect("not poisoned").contains(&lost));
}
