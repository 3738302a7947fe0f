//! Redirects that lead astray: how many are followed, where to, and what is told to whom.
//!
//! Leaves to others: targets inside this machine's networks (`ssrf`).

use std::fmt::Write as _;
use std::path::Path;

use v6ready::judge::{Criteria, assess};
use v6ready::lab::Lab;
use v6ready::lab::log::Event;
use v6ready::lab::scenario::Scenario;
use v6ready::model::address::Family;
use v6ready::model::evidence::{Observation, WalkEnd};
use v6ready::model::verdict::CountsAs;
use v6ready::probe::Transports;

use crate::bench_net::{Evidence, Patience, prober, scan, site};

/// A site that redirects over `families` to what `spot` says, and serves its page over the other.
fn place(world: &mut String, number: usize, name: &str, spot: &str, families: &[Family]) {
    let (v4, v6) = (format!("203.0.113.{}", number + 20), format!("2001:db8:{number:x}::1"));
    let _ = writeln!(world, "[dns.\"{name}\"]\na = [\"{v4}\"]\naaaa = [\"{v6}\"]");
    for (address, family) in [(v4, Family::V4), (v6, Family::V6)] {
        let spot = if families.contains(&family) { spot } else { "" };
        let _ = writeln!(world, "[host.\"{address}\"]\nhttp = {{ {spot} }}");
    }
}

async fn measure(world: &str, names: &[String]) -> (Lab, Evidence) {
    let head = "id = \"R\"\nname = \"r\"\nlist = [\"x.example\"]\n";
    let text = format!("{head}{world}\n[expect]\nreadiness = \"DOWN\"\n");
    let scenario =
        Scenario::parse(&text, Path::new("redirects.toml")).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let lab = Lab::start(scenario.world().with_anchors()).await.expect("a lab");
    let sites = names.iter().map(|name| site(&format!("http://{name}/"))).collect();
    let evidence = scan(prober(&lab, Patience::USUAL), sites, 50, Transports::Both).await;
    (lab, evidence)
}

fn observed<'a>(evidence: &'a Evidence, name: &str) -> &'a Observation {
    &evidence.observations[site(&format!("http://{name}/")).key.as_str()]
}

fn verdict(evidence: &Evidence, name: &str) -> String {
    let assessment = assess(observed(evidence, name), &evidence.vantage, &Criteria::default());
    format!("{} {}", assessment.readiness.name(), assessment.reason)
}

/// Requests whose Host is this name.
fn requests(lab: &Lab, name: &str) -> Vec<(String, Vec<(String, String)>)> {
    let of_name = |entry: v6ready::lab::log::Entry| match entry.event {
        Event::Request { host, path, headers, .. } if host == name => Some((path, headers)),
        _ => None,
    };
    lab.log().entries().into_iter().filter_map(of_name).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn exactly_ten_redirects_are_followed() {
    let mut world = String::new();
    let mut names = Vec::new();
    for (number, length) in [9, 10, 11].into_iter().enumerate() {
        for (kind, families) in [("both", &Family::BOTH[..]), ("v6", &[Family::V6][..])] {
            let name = format!("{kind}.chain{length}.example");
            place(&mut world, number * 2 + usize::from(kind == "v6"), &name, &format!("chain = {length}"), families);
            names.push(name);
        }
    }
    let (lab, evidence) = measure(&world, &names).await;
    for (name, expected, rounds) in [
        ("both.chain9.example", "READY ", 1),
        ("v6.chain9.example", "READY ", 1),
        ("both.chain10.example", "READY ", 1),
        ("v6.chain10.example", "READY ", 1),
        ("both.chain11.example", "DOWN redirect_endless", 2),
        ("v6.chain11.example", "BROKEN redirect_endless", 2),
    ] {
        assert_eq!(verdict(&evidence, name), expected, "{name}");
        let longest =
            observed(&evidence, name).rounds.iter().flat_map(|round| &round.walks).map(|walk| walk.hops.len());
        assert_eq!(longest.max(), Some(if name.contains("chain9") { 10 } else { 11 }), "{name}");
        let paths: Vec<String> = requests(&lab, name).into_iter().map(|(path, _)| path).collect();
        assert!(!paths.iter().any(|path| path.contains("hop=11")), "{name}");
        if !name.contains("chain9") {
            let families = if name.starts_with("both") { 2 } else { 1 };
            assert_eq!(paths.iter().filter(|path| path.ends_with("hop=10")).count(), families * rounds, "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bounce_for_a_cookie_is_no_loop_and_a_bounce_without_end_is() {
    let mut world = String::new();
    place(&mut world, 0, "bounce.example", "cookie_bounce = true", &Family::BOTH);
    place(&mut world, 1, "loop.example", r#"redirect = "http://loop.example/""#, &Family::BOTH);
    // Another cookie every time, and no end.
    let more: Vec<String> =
        (1..30).map(|n| format!(r#"{n} = {{ redirect = "/", headers = {{ "Set-Cookie" = "n{n}=1" }} }}"#)).collect();
    place(&mut world, 2, "cookies.example", &format!("nth = {{ {} }}", more.join(", ")), &Family::BOTH);
    let names = ["bounce.example", "loop.example", "cookies.example"].map(str::to_owned);
    let (lab, evidence) = measure(&world, &names).await;
    assert_eq!(verdict(&evidence, "bounce.example"), "READY ");
    assert_eq!(requests(&lab, "bounce.example").len(), 4);
    assert_eq!(verdict(&evidence, "loop.example"), "DOWN redirect_endless");
    // One request a family and round: the second would be the same.
    assert_eq!(requests(&lab, "loop.example").len(), 4);
    let ends = |name| observed(&evidence, name).rounds[0].walks.iter().map(|walk| walk.end.clone()).collect::<Vec<_>>();
    assert_eq!(ends("loop.example"), [WalkEnd::RedirectLoop, WalkEnd::RedirectLoop]);
    assert_eq!(ends("cookies.example"), [WalkEnd::TooManyRedirects, WalkEnd::TooManyRedirects]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_sites_that_play_ping_pong_end_after_ten() {
    let mut world = String::new();
    place(&mut world, 0, "ping.example", r#"redirect = "http://pong.example/?{query}x""#, &Family::BOTH);
    place(&mut world, 1, "pong.example", r#"redirect = "http://ping.example/?{query}y""#, &Family::BOTH);
    place(
        &mut world,
        2,
        "wide.example",
        r#"redirect = "http://wide.example/?{query}{query}0123456789abcdef""#,
        &Family::BOTH,
    );
    let (lab, evidence) = measure(&world, &["ping.example".to_owned(), "wide.example".to_owned()]).await;
    assert_eq!(verdict(&evidence, "ping.example"), "DOWN redirect_endless");
    let all = requests(&lab, "ping.example").len() + requests(&lab, "pong.example").len();
    assert_eq!(all, 11 * 2 * 2, "eleven requests a walk, two families, two rounds");
    // Doubles with every hop: the length of a URL ends it before the tenth, and says nothing of the site.
    assert_eq!(verdict(&evidence, "wide.example"), "INCONCLUSIVE limit");
    let longest = requests(&lab, "wide.example").iter().map(|(path, _)| path.len()).max();
    assert!(longest.is_some_and(|longest| (500..=2000).contains(&longest)), "{longest:?}");
}

/// Ends of targets that could be requested but for their port.
const UNUSUAL_PORTS: &[&str] = &[":25/", ":22/", ":6379/", ":8081/", ":0/"];

/// Targets that are never requested, as TOML text.
const NOT_FOLLOWED: &[&str] = &[
    "file:///etc/passwd",
    "gopher://victim.example/",
    "javascript:alert(1)",
    "data:text/html,<script>",
    "ftp://victim.example/",
    "ws://victim.example/",
    "ht\\ttp://victim.example:25/",
    "http://victim.example:22/",
    "http://victim.example:25/",
    "http://victim.example:6379/",
    "https://victim.example:8081/",
    "http://victim.example:0/",
    "http://victim.example:99999/",
    "http://[fe80::1%25eth0]/",
    "http://[2001:db8::1%25eth0]/",
    "http://victim.example\\u0000.example/",
    "http://vic tim.example/",
    "http://",
    "http://?",
    "http://%00/",
];

#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_requested_is_not_requested() {
    let mut world = String::new();
    place(&mut world, 0, "victim.example", "", &[]);
    let mut names = Vec::new();
    for (number, target) in NOT_FOLLOWED.iter().enumerate() {
        for (offset, (kind, families)) in
            [("both", &Family::BOTH[..]), ("v6", &[Family::V6][..])].into_iter().enumerate()
        {
            let name = format!("{kind}{number}.example");
            place(&mut world, 1 + number * 2 + offset, &name, &format!("redirect = \"{target}\""), families);
            names.push(name);
        }
    }
    let long = format!("redirect = \"http://victim.example/?{}\"", "a".repeat(2000));
    place(&mut world, 100, "long.example", &long, &Family::BOTH);
    place(&mut world, 101, "long6.example", &long, &[Family::V6]);
    names.extend(["long.example".to_owned(), "long6.example".to_owned()]);
    let (lab, evidence) = measure(&world, &names).await;
    for (number, target) in NOT_FOLLOWED.iter().enumerate() {
        // A NUL is no header at all; everything else is read as a redirect. A port that is not gone to says nothing.
        let (both, over_v6) = if UNUSUAL_PORTS.iter().any(|port| target.contains(port)) {
            ("INCONCLUSIVE policy", "INCONCLUSIVE policy")
        } else if target.contains("u0000") {
            ("DOWN unreachable", "BROKEN http_malformed")
        } else {
            ("DOWN unreachable", "BROKEN redirect_bad")
        };
        assert_eq!(verdict(&evidence, &format!("both{number}.example")), both, "{target}");
        assert_eq!(verdict(&evidence, &format!("v6{number}.example")), over_v6, "{target}");
    }
    assert_eq!(verdict(&evidence, "long.example"), "INCONCLUSIVE limit");
    assert_eq!(verdict(&evidence, "long6.example"), "BROKEN redirect_bad");
    assert_eq!(requests(&lab, "victim.example"), []);
    let victim = |entry: &v6ready::lab::log::Entry| entry.event.name() == Some("victim.example");
    assert_eq!(lab.log().entries().iter().filter(|entry| victim(entry)).count(), 0, "not even asked for in the DNS");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_told_what_another_said() {
    let mut world = String::new();
    let lead = |target: &str| {
        format!(r#"redirect = "{target}", headers = {{ "Set-Cookie" = "secret=first; Domain=example; Path=/" }}"#)
    };
    let spellings = [
        "http://user:secret@second.example/",
        "http:\\\\\\\\second.example\\\\",
        "//second.example/",
        "HTTP://SECOND.example/",
        "http://second.example./",
        "http:\\u0009//second.example/",
    ];
    let names: Vec<String> = (0..spellings.len()).map(|number| format!("first{number}.example")).collect();
    for (number, spelling) in spellings.iter().enumerate() {
        place(&mut world, number, &names[number], &lead(spelling), &Family::BOTH);
    }
    place(&mut world, 50, "second.example", "", &Family::BOTH);
    let (lab, evidence) = measure(&world, &names).await;
    for name in &names {
        let assessment = assess(observed(&evidence, name), &evidence.vantage, &Criteria::default());
        assert_eq!(assessment.readiness.counts_as(), CountsAs::Pass, "{name}: {assessment:?}");
    }
    let told: Vec<_> = requests(&lab, "second.example").into_iter().chain(requests(&lab, "second.example.")).collect();
    assert!(told.len() >= 2 * spellings.len(), "{}", told.len());
    for (path, headers) in told {
        let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
        for never in ["cookie", "authorization", "referer", "proxy-authorization", "origin"] {
            assert!(!names.contains(&never), "{never} in {headers:?}");
        }
        let text = format!("{path} {headers:?}");
        assert!(!text.contains("secret") && !text.contains("first"), "{text}");
    }
}
