//! The deep profile beyond single sites: what is shared, what is left out, how fast it goes, and what jitter makes of it.
#![expect(clippy::print_stdout, reason = "numbers to be read by people")]

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use v6ready::engine::pace::{Pacer, Rules};
use v6ready::judge::assess;
use v6ready::judge::rules::{by_id, score};
use v6ready::lab::Lab;
use v6ready::lab::log::Event;
use v6ready::lab::web::facts::{HostFacts, Spot};
use v6ready::lab::world::World;
use v6ready::model::evidence::{Fetch, FetchEnd};
use v6ready::model::finding::Code;
use v6ready::model::site::Site;
use v6ready::model::verdict::Assessment;
use v6ready::net::route::Transport;
use v6ready::probe::deep::{Deep, DeepRules};
use v6ready::probe::{Prober, Profile, Transports};

use crate::bench_net::{Evidence, Patience, criteria, lab_policy, lab_resolvers, prober, prober_on, scan, site};
use crate::load::status as resident;

fn spot(body: &str, delay_ms: u64) -> Spot {
    Spot { body: Some(body.to_owned()), delay_ms, ..Spot::default() }
}

fn web(spot: Spot) -> HostFacts {
    HostFacts { web: Some(spot), ..HostFacts::default() }
}

fn v4(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(192, 0, 2, last)
}

fn v6(network: u16) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, network, 0, 0, 0, 0, 1)
}

fn deep(lab: &Lab, rules: DeepRules) -> Prober {
    Prober { profile: Profile::Deep, deep: Arc::new(Deep::new(rules)), ..prober(lab, Patience::USUAL) }
}

fn judged(evidence: &Evidence) -> BTreeMap<String, Assessment> {
    let each = evidence.observations.iter();
    each.map(|(key, seen)| (key.clone(), assess(seen, &evidence.vantage, &criteria(false)))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_is_looked_at_once_for_all_sites() {
    let mut world = World::new().with_anchors();
    let names: Vec<String> = (1..=6).map(|number| format!("www.school{number}.example")).collect();
    let page = "<title>学校</title><p>欢迎访问</p><script src=https://cdn.lib.example/a.js></script><img src=//v4.lib.example/x.png>";
    for (number, name) in (1..).zip(&names) {
        world.add_site(name, Some(v4(number)), Some(v6(0x100 + u16::from(number))), &web(spot(page, 0)));
    }
    world.add_site("cdn.lib.example", Some(v4(90)), Some(v6(0x200)), &web(Spot::default()));
    world.add_site("v4.lib.example", Some(v4(91)), None, &web(Spot::default()));
    let lab = Lab::start(world).await.expect("a lab");
    let sites: Vec<Site> = names.iter().map(|name| site(name)).collect();
    let evidence = scan(deep(&lab, DeepRules { samples: 0, ..DeepRules::default() }), sites, 6, Transports::Both).await;
    let log = lab.log();
    let dials = |address: std::net::IpAddr| {
        log.count(
            |event| matches!(event, Event::Dial { transport: Transport::Tcp, target, .. } if target.ip() == address),
        )
    };
    // That a host without IPv6 opens over IPv4 is looked at as well: it could be a leftover.
    assert_eq!((dials(v6(0x200).into()), dials(v4(90).into()), dials(v4(91).into())), (1, 0, 1));
    for wanted in ["cdn.lib.example", "v4.lib.example"] {
        let asked = |event: &Event| matches!(event, Event::Query { name, rtype, .. } if name == wanted && rtype == "A");
        assert_eq!(log.count(asked), 1, "{wanted}");
    }
    for (name, assessment) in judged(&evidence) {
        let codes: Vec<Code> = assessment.findings.iter().map(|finding| finding.code).collect();
        assert_eq!(codes, [Code::SkylightHost], "{name}");
        let skylight = assessment.facts.skylight.expect("measured");
        assert_eq!((skylight.hosts.supported, skylight.hosts.judged, skylight.scripts), (1, 2, 1), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_quick_profile_leaves_out_zones_and_nothing_is_deep_without_being_asked() {
    let mut world = World::new().with_anchors();
    let page = "<title>学校</title><p>欢迎访问</p><a href=/x.htm>x</a>";
    world.add_site("www.school.example", Some(v4(1)), Some(v6(0x101)), &web(spot(page, 0)));
    for (profile, zones) in [(Profile::Quick, false), (Profile::Standard, true)] {
        let lab = Lab::start(world.clone()).await.expect("a lab");
        let prober = Prober { profile, ..prober(&lab, Patience::USUAL) };
        let evidence = scan(prober, vec![site("www.school.example")], 1, Transports::Both).await;
        let round = &evidence.observations["www.school.example"].rounds[0];
        assert_eq!(!round.delegations.is_empty(), zones, "{profile:?}");
        assert!(round.links.is_none() && round.resources.is_none() && round.samples.is_empty());
        let followed = lab.log().count(|event| matches!(event, Event::Request { path, .. } if path == "/x.htm"));
        assert_eq!(followed, 0, "{profile:?}");
    }
}

/// One site's links lead to a host that asks for fewer requests; so do the others', a little later.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_asks_for_fewer_requests_gets_none_from_any_site() {
    let mut world = World::new().with_anchors();
    let page = "<title>学校</title><p>欢迎访问</p><a href=http://busy.lib.example/1>1</a><a href=http://busy.lib.example/2>2</a>\
                <link rel=stylesheet href=//busy.lib.example/a.css>";
    let names: Vec<String> = (1..=4).map(|number| format!("www.school{number}.example")).collect();
    for (number, name) in (1..).zip(&names) {
        world.add_site(name, Some(v4(number)), Some(v6(0x100 + u16::from(number))), &web(spot(page, 0)));
    }
    let headers = BTreeMap::from([("Retry-After".to_owned(), "3600".to_owned())]);
    for (status, headers) in [(429, BTreeMap::new()), (503, headers)] {
        let busy = Spot { status: Some(status), headers, ..spot("busy", 0) };
        world.add_site("busy.lib.example", Some(v4(90)), Some(v6(0x200)), &web(busy));
        let lab = Lab::start(world.clone()).await.expect("a lab");
        let sites: Vec<Site> = names.iter().map(|name| site(name)).collect();
        let mut prober = deep(&lab, DeepRules { samples: 0, ..DeepRules::default() });
        // One request at a time to a host, as in a real run.
        let rules = Rules { per_host_interval: Duration::from_millis(5), ..Rules::default() };
        Arc::get_mut(&mut prober.net).expect("nobody else has it").turns = Arc::new(Pacer::new(rules));
        let evidence = scan(prober, sites, 4, Transports::Both).await;
        let asked = |event: &Event| matches!(event, Event::Request { host, .. } if host == "busy.lib.example");
        assert_eq!(lab.log().count(asked), 1, "{status}");
        for (name, assessment) in judged(&evidence) {
            let (links, skylight) =
                (assessment.facts.links.expect("measured"), assessment.facts.skylight.expect("measured"));
            assert_eq!((links.level2_external.found, links.level2_external.judged), (2, 0), "{name}");
            assert_eq!((skylight.hosts.found, skylight.hosts.judged), (1, 0), "{name}");
        }
    }
}

/// Known rates, measured and scored: 20 for the home page, 15 of 20 links of level 2, 3 of 4 of level 3.
#[tokio::test(flavor = "multi_thread")]
async fn known_rates_give_the_expected_points() {
    let mut world = World::new().with_anchors();
    let links = |range: std::ops::Range<u8>, host: &str| -> String {
        range.map(|number| format!("<a href={host}/p{number}.pdf>{number}</a>")).collect::<Vec<_>>().concat()
    };
    let home = |own: &str| {
        let four = format!("http://four.{own}.example");
        let list = format!("<a href=/more.htm>更多</a>{}{}", links(1..15, ""), links(15..20, &four));
        let more = format!("{}{}", links(20..23, ""), links(23..24, &four));
        let mut home = spot(&format!("<title>学校</title><p>欢迎访问</p>{list}"), 0);
        home.path.insert("/more.htm".to_owned(), spot(&more, 0));
        for number in 1..24 {
            home.path.insert(format!("/p{number}.pdf"), spot("x", 0));
        }
        home
    };
    let web_of = |own: &str| HostFacts { http: Some(home(own)), ..HostFacts::default() };
    world.add_site("www.rates.example", Some(v4(1)), Some(v6(0x101)), &web_of("rates"));
    world.add_site("four.rates.example", Some(v4(2)), None, &web(spot("x", 0)));
    // The same without an AAAA record for the listed name: nothing of it can be had over IPv6.
    world.add_site("www.absent.example", Some(v4(3)), None, &web_of("absent"));
    world.add_site("four.absent.example", Some(v4(4)), None, &web(spot("x", 0)));
    let lab = Lab::start(world).await.expect("a lab");
    let sites = vec![site("http://www.rates.example/"), site("http://www.absent.example/")];
    let evidence = scan(deep(&lab, DeepRules::default()), sites, 2, Transports::Both).await;
    let rules = by_id("municipal-20-40-40").expect("shipped").expect("well-formed");
    for (name, assessment) in judged(&evidence) {
        let score = score(&rules, &assessment);
        let given: Vec<Option<f64>> = score.indicators.iter().map(|line| line.points).collect();
        let expected = if name.contains("rates") {
            (80.0, 100.0, vec![Some(20.0), Some(30.0), Some(30.0)])
        } else {
            (0.0, 100.0, vec![Some(0.0), Some(0.0), Some(0.0)])
        };
        assert_eq!((score.points, score.judged, given), expected, "{name} {:?}", assessment.facts);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn slowness_is_told_from_jitter() {
    let mut world = World::new().with_anchors();
    let page = "<title>学校</title><p>欢迎访问</p>";
    world.add_site("www.slow.example", Some(v4(1)), Some(v6(0x101)), &web(spot(page, 0)));
    world.hosts.insert(v6(0x101).into(), web(spot(page, 950)));
    world.add_site("www.jitter.example", Some(v4(2)), Some(v6(0x102)), &web(spot(page, 0)));
    // Every third request over IPv6 takes long.
    let mut jitter = spot(page, 0);
    for number in (3..40).step_by(3) {
        jitter.nth.insert(number.to_string(), spot(page, 1500));
    }
    world.hosts.insert(v6(0x102).into(), web(jitter));
    let lab = Lab::start(world).await.expect("a lab");
    let sites = vec![site("www.slow.example"), site("www.jitter.example")];
    let evidence = scan(deep(&lab, DeepRules { samples: 6, ..DeepRules::default() }), sites, 2, Transports::Both).await;
    for (name, assessment) in judged(&evidence) {
        let latencies = assessment.facts.latencies.expect("measured");
        assert_eq!((latencies.success6, latencies.success4), ((6, 6), (6, 6)), "{name}");
        let noted = assessment.findings.iter().any(|finding| finding.code == Code::LatencyDegraded);
        assert_eq!(noted, name == "www.slow.example", "{name} {latencies:?}");
    }
    // The families in turns, the first to go changing.
    let samples = &evidence.observations["www.slow.example"].rounds[0].samples;
    let order: Vec<&str> = samples.iter().map(|sample| sample.family.name()).collect();
    assert_eq!(order[..4], ["ipv4", "ipv6", "ipv6", "ipv4"]);
}

/// What a deep scan at a real run's manners, and a fraction of its pauses, has shown.
struct Paced {
    /// Requests that had one to the same host before them.
    n: usize,
    /// The shortest time between two requests to one host.
    least: Duration,
    /// Most requests to one host within a second.
    most: usize,
}

/// Scans sites with links of their own, as many of each as asked for.
async fn links_at_a_pace(sites: u16, links: usize, interval: Duration) -> Paced {
    let mut world = World::new().with_anchors();
    // Both addresses of every site, and the anchors'.
    world.stand_ins = Some(usize::from(sites) * 2 + 20);
    let list: Vec<String> = (0..links).map(|number| format!("<a href=/p{number}.pdf>{number}</a>")).collect();
    let page = format!("<title>学校</title><p>欢迎访问</p>{}", list.concat());
    let names: Vec<String> = (0..sites).map(|number| format!("http://www.school{number}.example/")).collect();
    for (number, name) in (0..).zip(&names) {
        let host = name.trim_start_matches("http://").trim_end_matches('/');
        // Addresses in networks of their own, as schools of a province have them.
        let [high, low] = u16::to_be_bytes(number);
        let v4 = Ipv4Addr::new(198, 18 + high, low, 1);
        world.add_site(host, Some(v4), Some(v6(0x100 + number)), &web(spot(&page, 0)));
    }
    let lab = Lab::start(world).await.expect("a lab");
    let mut policy = lab_policy();
    policy.public_prefixes.push("198.18.0.0/15".parse().expect("a prefix"));
    let anchors = [lab.ca_pem().into_bytes()];
    let mut prober = prober_on(lab.route(), policy, lab_resolvers(), &anchors, Patience::USUAL);
    prober.profile = Profile::Deep;
    prober.deep = Arc::new(Deep::new(DeepRules { samples: 3, ..DeepRules::default() }));
    let rules = Rules { per_host_interval: interval, resolver_qps: 0, authority_qps: 0, ..Rules::default() };
    Arc::get_mut(&mut prober.net).expect("nobody else has it").turns = Arc::new(Pacer::new(rules));
    let sites: Vec<Site> = names.iter().map(|name| site(name)).collect();
    let evidence = scan(prober, sites, 64, Transports::Both).await;
    for (name, assessment) in judged(&evidence) {
        let rate = assessment.facts.links.expect("measured").level2;
        let measured = evidence.observations[&name].rounds.iter().filter_map(|round| round.links.as_ref());
        let failed = measured.flat_map(|links| &links.links).flat_map(|link| [&link.v4, &link.v6]);
        let failed: Vec<&Fetch> = failed.filter(|fetch| fetch.end != FetchEnd::Status(200)).collect();
        assert_eq!((rate.supported as usize, rate.judged as usize), (links, links), "{name} {rate:?} {failed:?}");
    }
    let mut requests: BTreeMap<String, Vec<Duration>> = BTreeMap::new();
    for entry in lab.log().entries() {
        if let Event::Request { host, .. } = entry.event {
            requests.entry(host).or_default().push(entry.at);
        }
    }
    let mut paced = Paced { n: 0, least: Duration::MAX, most: 0 };
    for times in requests.values() {
        for pair in times.windows(2) {
            paced.n += 1;
            paced.least = paced.least.min(pair[1].saturating_sub(pair[0]));
        }
        let within =
            |from: &Duration| times.iter().filter(|at| **at >= *from && **at < *from + Duration::from_secs(1)).count();
        paced.most = paced.most.max(times.iter().map(within).max().unwrap_or_default());
    }
    paced
}

#[tokio::test(flavor = "multi_thread")]
async fn links_keep_to_the_pace() {
    let interval = Duration::from_millis(30);
    let paced = links_at_a_pace(4, 10, interval).await;
    assert!(paced.least >= interval && paced.n > 80, "{:?} apart, n={}", paced.least, paced.n);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes a while, and measures memory"]
async fn two_hundred_sites_with_fifty_links_keep_to_the_pace() {
    let interval = Duration::from_millis(100);
    // Forgets the peak of earlier tests.
    fs::write("/proc/self/clear_refs", "5").expect("Linux");
    let begun = Instant::now();
    let Paced { n, least, most } = links_at_a_pace(200, 50, interval).await;
    let peak = resident("VmHWM:") / (1024 * 1024);
    println!(
        "n={n} requests to 200 sites with 50 links each in {:.0} s: at least {} ms apart at one host, at most {most} a second; \
         peak memory of scanner, servers and their log together {peak} MiB",
        begun.elapsed().as_secs_f64(),
        least.as_millis()
    );
    assert!(least >= interval && most <= 10 && n >= 200 * 100, "{least:?} apart, {most} a second, n={n}");
    assert!(peak < 512, "{peak} MiB");
}
