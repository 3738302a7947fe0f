//! What takes long, or measures time and memory: run by `.ci/run` in its acceptance part, on the release build, one test at a
//! time. Each prints what it measured.
//!
//! `cargo test --release --test it -- --ignored --nocapture --test-threads=1`
#![expect(clippy::print_stdout, reason = "numbers to be read by people")]

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use v6ready::clock::SystemClock;
use v6ready::config::Config;
use v6ready::engine::ScanEvent;
use v6ready::engine::pace::{Pacer, Rules};
use v6ready::engine::plan;
use v6ready::engine::resolvers::DnsControls;
use v6ready::engine::scan::{Scan, ScanRules, Stop};
use v6ready::lab::Lab;
use v6ready::lab::web::facts::{Bomb, Drip, HostFacts, Spot};
use v6ready::lab::world::World;
use v6ready::model::site::Site;
use v6ready::net::body::decode;
use v6ready::net::http::HttpLimits;
use v6ready::probe::page::{Depth, Facts, read};
use v6ready::probe::{Attempts, Deadlines, Transports};

use crate::bench_net::{Patience, prober, scan_rules, site};

/// Sites of each kind.
const SITES: usize = 500;

fn host(kind: &str, number: usize) -> String {
    format!("{kind}{number}.example")
}

/// Ordinary sites, and as many slow ones: half of them drip their heads, half their pages.
fn world() -> World {
    let mut world = World::new().with_anchors();
    let drip = |body_only| Some(Drip { bytes: 1, every_ms: 1000, body_only });
    for number in 0..SITES {
        for (kind, drip) in [("normal", None), ("slow", drip(number % 2 == 0))] {
            // Each has addresses of its own, in networks of their own, as schools of a province do.
            let low = u16::try_from(number * 2 + usize::from(kind == "slow")).expect("few");
            let v6 = Ipv6Addr::new(0x2001, 0xdb8, low, 0, 0, 0, 0, 1);
            // An ordinary site answers as from some way off.
            let delay_ms = if drip.is_none() { 2000 } else { 0 };
            let spot = Spot { drip, delay_ms, ..Spot::default() };
            world.add_site(
                &host(kind, number),
                None,
                Some(v6),
                &HostFacts { http: Some(spot), ..HostFacts::default() },
            );
        }
    }
    world
}

/// Seconds until the last ordinary site has its verdict, with the program's own deadlines, attempts and pauses per host.
async fn until_all_normal_are_done(lab: &Lab, sites: Vec<Site>) -> f64 {
    let pace = Config::default().pace;
    let mut prober = prober(lab, Patience::USUAL);
    let net = Arc::get_mut(&mut prober.net).expect("nobody else has it");
    net.http = HttpLimits::default();
    net.turns = Arc::new(Pacer::new(Rules { resolver_qps: 0, authority_qps: 0, ..Rules::default() }));
    prober.deadlines = Deadlines::default();
    prober.attempts = Attempts::default();
    let missing: BTreeSet<String> =
        sites.iter().map(|site| site.host.to_string()).filter(|host| host.starts_with("normal")).collect();
    let missing = Arc::new(Mutex::new(missing));
    let (tell, stop) = watch::channel(Stop::No);
    let (begun, ended) = (Instant::now(), Arc::new(Mutex::new(None)));
    let listener = {
        let (missing, ended) = (Arc::clone(&missing), Arc::clone(&ended));
        Arc::new(move |event| {
            let ScanEvent::Probed { site, again, .. } = event else { return };
            let mut missing = missing.lock().expect("not poisoned");
            let host = site.as_str().trim_start_matches("http://").trim_end_matches('/').to_owned();
            assert!(!(again && host.starts_with("normal")), "{host} is not as healthy as it should be");
            if missing.remove(&host) && missing.is_empty() {
                *ended.lock().expect("not poisoned") = Some(begun.elapsed());
                // The slow ones are no longer of interest.
                let _ = tell.send(Stop::Now);
            }
        })
    };
    let (sink, mut evidence) = mpsc::channel(64);
    let scan = Scan {
        prober: Arc::new(prober),
        rules: ScanRules {
            jobs: pace.jobs,
            slow_jobs: pace.slow_jobs,
            slow_after: pace.slow_after,
            canary_interval: Duration::from_secs(20),
            grace: Duration::ZERO,
            ..scan_rules()
        },
        canaries: Vec::new(),
        dns_controls: DnsControls::default(),
        wall: Arc::new(SystemClock),
        room: Arc::new(|| None),
        listener,
        sink,
        stop,
    };
    tokio::spawn(async move { while evidence.recv().await.is_some() {} });
    scan.run(sites).await;
    let ended = ended.lock().expect("not poisoned").expect("all ordinary sites were probed");
    ended.as_secs_f64()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes a minute"]
async fn slow_sites_do_not_hold_up_the_others() {
    let sites = |kinds: &[&str]| {
        let sites = kinds
            .iter()
            .flat_map(|kind| (0..SITES).map(move |number| site(&format!("http://{}/", host(kind, number)))));
        plan::order(sites.collect(), "load")
    };
    let lab = Lab::start(world()).await.expect("a lab");
    let clean = until_all_normal_are_done(&lab, sites(&["normal"])).await;
    let mixed = until_all_normal_are_done(&lab, sites(&["normal", "slow"])).await;
    let ratio = mixed / clean;
    println!("n={SITES} ordinary sites: {clean:.1} s alone, {mixed:.1} s beside {SITES} slow ones, ratio {ratio:.2}");
    assert!(ratio < 2.0, "{ratio:.2}");
}

/// A line of `/proc/self/status` in bytes.
pub(crate) fn status(key: &str) -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with(key)).expect("a line");
    line.split_whitespace().nth(1).and_then(|number| number.parse::<usize>().ok()).expect("a number") * 1024
}

/// How far memory grows at most while something is done.
fn growth(work: impl FnOnce()) -> usize {
    // Forgets the peak of earlier tests.
    fs::write("/proc/self/clear_refs", "5").expect("Linux");
    let before = status("VmRSS:");
    work();
    status("VmHWM:").saturating_sub(before)
}

#[test]
#[ignore = "measures memory"]
fn bombs_do_not_fill_memory() {
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    let mut largest = 0;
    let mut tried = 0;
    for filling in ["\0", " ", "A", "<b>", "&nbsp;\n"] {
        let plain = filling.repeat(256 * 1024 * 1024 / filling.len()).into_bytes();
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
        let mut bare = DeflateEncoder::new(Vec::new(), Compression::fast());
        for encoder in [&mut gzip as &mut dyn std::io::Write, &mut zlib, &mut bare] {
            encoder.write_all(&plain).expect("memory");
        }
        drop(plain);
        let packed = [
            ("gzip", gzip.finish().expect("memory")),
            ("deflate", zlib.finish().expect("memory")),
            ("deflate", bare.finish().expect("memory")),
        ];
        for (coding, mut wire) in packed {
            // So much is read of it at most.
            wire.truncate(HttpLimits::default().body_wire);
            let facts = Facts { status: 200, content_type: Some("text/html".to_owned()), cookies: Vec::new() };
            let grown = growth(|| {
                let (body, _) = decode(Some(coding), wire, &HttpLimits::default());
                assert!(read(&body, &facts, Depth::Full).page.is_some());
            });
            tried += 1;
            largest = largest.max(grown);
        }
    }
    println!("n={tried} bombs of 256 MiB: memory grows by {} KiB at most", largest / 1024);
    assert!(largest < 16 * 1024 * 1024, "{largest}");
}

/// The same through the network: one site at a time, both families.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures memory"]
async fn bombs_over_the_network_do_not_fill_memory() {
    let mut world = World::new().with_anchors();
    let address: IpAddr = Ipv4Addr::new(203, 0, 113, 9).into();
    let mut host = HostFacts::default();
    for (port, bomb) in [(8080_u16, Bomb::Gzip), (8443, Bomb::Deflate), (8081, Bomb::BareDeflate), (8082, Bomb::Nested)]
    {
        host.ports.insert(port.to_string(), Spot { bomb: Some(bomb), ..Spot::default() });
    }
    host.http = Some(Spot { infinite_body: true, ..Spot::default() });
    let IpAddr::V4(v4) = address else { unreachable!("it is") };
    world.add_site("bomb.example", Some(v4), None, &host);
    let lab = Lab::start(world).await.expect("a lab");
    let prober = prober(&lab, Patience::USUAL);
    // The lab packs its bombs in this process: once before anything is measured.
    for port in [80, 8080, 8443, 8081, 8082] {
        prober.observe(&site(&format!("http://bomb.example:{port}/")), 1, Transports::Both).await;
    }
    fs::write("/proc/self/clear_refs", "5").expect("Linux");
    let before = status("VmRSS:");
    for port in [80, 8080, 8443, 8081, 8082].repeat(10) {
        let round = prober.observe(&site(&format!("http://bomb.example:{port}/")), 1, Transports::Both).await;
        assert!(round.walks.iter().flat_map(|walk| &walk.hops).any(|hop| hop.exchange.is_some()), "{port}");
    }
    let grown = status("VmHWM:").saturating_sub(before);
    println!("n=50 fetches of bombs: memory of scanner and servers together grows by {} KiB at most", grown / 1024);
    // The servers' own packing of 16 MiB ten times over is in it.
    assert!(grown < 64 * 1024 * 1024, "{grown}");
}

/// A page of so many parts.
type Make = fn(usize) -> String;

#[test]
#[ignore = "measures time"]
fn the_cost_of_markup_grows_with_its_length_only() {
    let facts = Facts { status: 200, content_type: Some("text/html; charset=utf-8".to_owned()), cookies: Vec::new() };
    let kinds: [(&str, Make); 8] = [
        ("<ul><li>", |n| "<ul><li>".repeat(n)),
        ("<b>", |n| "<b>".repeat(n)),
        ("attributes", |n| format!("<p {}>", "a=b ".repeat(n))),
        ("attributes of a link", |n| format!("<a {}>", "a=b ".repeat(n))),
        ("<", |n| "<".repeat(n * 20)),
        ("comment", |n| format!("<!--{}", "-".repeat(n * 20))),
        ("script", |n| format!("<script>{}", "location=".repeat(n))),
        ("text", |n| "字，".repeat(n)),
    ];
    for (name, make) in kinds {
        let cost = |n: usize| {
            let page = make(n);
            let limit = HttpLimits::default().body_decoded;
            let page = &page.as_bytes()[..page.len().min(limit)];
            let best = (0..5).map(|_| {
                let begun = Instant::now();
                assert!(read(page, &facts, Depth::Full).page.is_some());
                begun.elapsed()
            });
            best.min().expect("five").as_secs_f64() * 1000.0
        };
        let (quarter, whole) = (cost(25_000), cost(100_000));
        println!("n=100000 {name}: {whole:.1} ms, a quarter of it {quarter:.1} ms");
        // Four times as much is four times the work. Twice that is allowed for the noise of a busy machine.
        assert!(whole < 8.0 * quarter.max(0.5), "{name}");
        assert!(cfg!(debug_assertions) || whole < 200.0, "{name}");
    }
}
