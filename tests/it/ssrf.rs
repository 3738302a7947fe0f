//! Nothing of a target's may lead the scanner inside: real listeners on this machine's loopback, names and
//! redirects that lead to them in every notation, and not one connection.
//!
//! The lab plays the outside; every other address is dialled for real, and each such attempt is written down. Leaves to
//! others: the decision table of the address policy, which has its own tests.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::TcpListener;
use v6ready::lab::Lab;
use v6ready::lab::scenario::Scenario;
use v6ready::model::address::Family;
use v6ready::model::evidence::{Link, WalkEnd};
use v6ready::net::route::{Dial, Direct, Route, Transport};
use v6ready::net::scope::AddressPolicy;
use v6ready::probe::deep::{Deep, DeepRules};
use v6ready::probe::{Prober, Profile, Transports};

use crate::bench_net::{Patience, lab_policy, lab_resolvers, prober_on, site};

/// Listeners that must not be reached, on one port of each loopback address.
struct Canaries {
    port: u16,
    met: Arc<AtomicUsize>,
}

impl Canaries {
    async fn open() -> Self {
        let v4 = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let port = v4.local_addr().expect("bound").port();
        let met = Arc::new(AtomicUsize::new(0));
        // Not every machine has IPv6 on loopback, and the port may be taken there.
        let v6 = TcpListener::bind(("::1", port)).await.ok();
        for listener in [Some(v4), v6].into_iter().flatten() {
            let met = Arc::clone(&met);
            tokio::spawn(async move {
                while listener.accept().await.is_ok() {
                    met.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        Self { port, met }
    }
}

/// Lab addresses lead to the lab, all others where they really lead.
#[derive(Debug)]
struct Outside {
    lab: Arc<dyn Route>,
    strayed: Mutex<Vec<SocketAddr>>,
}

impl Outside {
    fn inner(&self, target: SocketAddr) -> &dyn Route {
        let of_lab = lab_policy().public_prefixes.iter().any(|prefix| prefix.contains(&target.ip()));
        if of_lab {
            return self.lab.as_ref();
        }
        self.strayed.lock().expect("not poisoned").push(target);
        &Direct
    }
}

impl Route for Outside {
    fn dial(&self, transport: Transport, target: SocketAddr) -> Dial {
        self.inner(target).dial(transport, target)
    }

    fn announce(&self, transport: Transport, local: SocketAddr, target: SocketAddr) {
        self.inner(target).announce(transport, local, target);
    }

    fn standing_in_for(&self, target: SocketAddr) -> Option<SocketAddr> {
        self.inner(target).standing_in_for(target)
    }

    fn identity(&self, family: Family) -> Option<u64> {
        self.lab.identity(family)
    }
}

struct Bench {
    canaries: Canaries,
    outside: Arc<Outside>,
    prober: Prober,
    _lab: Lab,
}

async fn bench(world: impl FnOnce(u16) -> String, policy: AddressPolicy) -> Bench {
    let canaries = Canaries::open().await;
    let world = world(canaries.port);
    let head = "id = \"S\"\nname = \"s\"\nlist = [\"s.example\"]\n";
    let text = format!("{head}{world}\n[expect]\nreadiness = \"DOWN\"\n");
    let scenario = Scenario::parse(&text, Path::new("ssrf.toml")).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let lab = Lab::start(scenario.world()).await.expect("a lab");
    let outside = Arc::new(Outside { lab: lab.route(), strayed: Mutex::default() });
    let anchors = [lab.ca_pem().into_bytes()];
    let prober = prober_on(Arc::clone(&outside) as Arc<dyn Route>, policy, lab_resolvers(), &anchors, Patience::USUAL);
    Bench { canaries, outside, prober, _lab: lab }
}

impl Bench {
    async fn nobody_came(&self) {
        // A connection that is under way is accepted by now.
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(*self.outside.strayed.lock().expect("not poisoned"), Vec::<SocketAddr>::new());
        assert_eq!(self.canaries.met.load(Ordering::SeqCst), 0);
    }
}

/// Addresses that lead to this machine or into its networks.
const INSIDE_V4: [&str; 8] = [
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.0.1",
    "169.254.169.254",
    "100.64.0.1",
];
const INSIDE_V6: [&str; 12] = [
    "::1",
    "::",
    "::ffff:127.0.0.1",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::1",
    "fe80::1",
    "fc00::1",
    "fd00::1",
    "fec0::1",
    "2001::1",
    "ff02::1",
];

fn names_inside(_port: u16) -> String {
    let mut world = String::new();
    for (index, v6) in INSIDE_V6.iter().enumerate() {
        let v4 = INSIDE_V4[index % INSIDE_V4.len()];
        let _ = writeln!(world, "[dns.\"n{index}.example\"]\na = [\"{v4}\"]\naaaa = [\"{v6}\"]");
    }
    // The addresses of a zone's name servers are a way in as well.
    world.push_str("[dns.\"www.glue.example\"]\na = [\"127.0.0.1\"]\n");
    world.push_str("[zone.\"glue.example\"]\nns = { \"ns.glue.example\" = [\"127.0.0.1\", \"::1\"] }\n");
    world
}

#[tokio::test]
async fn names_that_lead_inside_are_not_followed() {
    let bench = bench(names_inside, AddressPolicy::default()).await;
    let port = bench.canaries.port;
    let names = (0..INSIDE_V6.len()).map(|index| format!("n{index}.example"));
    for name in names.chain(["www.glue.example".to_owned()]) {
        let round = bench.prober.observe(&site(&format!("http://{name}:{port}/")), 1, Transports::Both).await;
        assert!(!round.addresses.is_empty(), "{name}: the addresses are evidence");
        assert!(round.addresses.iter().all(|fact| !fact.dialled && !fact.scope.is_public()), "{name}");
        assert!(round.connects.is_empty(), "{name}");
    }
    bench.nobody_came().await;
}

/// Redirect targets that lead to the canaries, for their port.
fn targets_inside(port: u16) -> Vec<String> {
    let hosts = [
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "2130706433",
        "0177.0.0.1",
        "0x7f.1",
        "0x7f000001",
        "017700000001",
        "0",
        "0.0.0.0",
        "１２７.0.0.1",
        "127。0。0。1",
        "①②⑦.0.0.1",
        "[::1]",
        "[::]",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[2002:7f00:1::]",
        "[fe80::1%25lo]",
        "[::1%25lo]",
        "[::1%lo]",
        "[0000:0000:0000:0000:0000:0000:0000:0001]",
        "127.0.0.1.",
        "127.0.0.1%09",
        "ok@[::1]",
        "ok:ok@127.0.0.1",
        "localhost",
        "inner.example",
        "INNER.example",
        "inner.example.",
        "%31%32%37.0.0.1",
    ];
    let mut targets: Vec<String> = hosts.iter().map(|host| format!("http://{host}:{port}/")).collect();
    for host in ["127.0.0.1", "[::1]"] {
        targets.extend([
            format!("//{host}:{port}/"),
            format!("HTTP://{host}:{port}/"),
            format!("http:\\\\\\\\{host}:{port}\\\\"),
            format!("/\\\\{host}:{port}/"),
            format!("http:{host}:{port}/"),
            format!("http:///{host}:{port}/"),
            format!("ht\\ttp://{host}:{port}/"),
            format!("https://{host}:{port}/"),
            format!("ftp://{host}:{port}/"),
            format!("gopher://{host}:{port}/"),
            format!("http://{host}:{port}\\t/"),
            format!("\\thttp://{host}:{port}/"),
            format!("http:@{host}:{port}/"),
            format!("http://s.example@{host}:{port}/"),
            format!("http://{host}:6379/"),
            format!("http://{host}:25/"),
        ]);
    }
    targets.extend(["file:///etc/passwd", "javascript:alert(1)", "data:text/html,x"].map(str::to_owned));
    targets
}

fn redirects_inside(port: u16) -> String {
    let mut world = "[dns.\"inner.example\"]\na = [\"127.0.0.1\"]\naaaa = [\"::1\"]\n".to_owned();
    for (index, target) in targets_inside(port).iter().enumerate() {
        for (kind, answer) in
            [("r", format!("redirect = \"{target}\"")), ("m", format!("page = \"meta_refresh:{target}\""))]
        {
            let (v4, v6) = if kind == "r" {
                (format!("192.0.2.{}", 60 + index), format!("2001:db8:1::{index}"))
            } else {
                (format!("198.51.100.{}", 60 + index), format!("2001:db8:2::{index}"))
            };
            let _ = writeln!(world, "[dns.\"{kind}{index}.example\"]\na = [\"{v4}\"]\naaaa = [\"{v6}\"]");
            for address in [v4, v6] {
                let _ = writeln!(world, "[host.\"{address}\"]\nports = {{ {port} = {{ {answer} }} }}");
            }
        }
    }
    world
}

#[tokio::test]
async fn redirects_that_lead_inside_are_not_followed() {
    let bench = bench(redirects_inside, lab_policy()).await;
    let port = bench.canaries.port;
    for (index, target) in targets_inside(port).iter().enumerate() {
        for kind in ["r", "m"] {
            let listed = site(&format!("http://{kind}{index}.example:{port}/"));
            let round = bench.prober.observe(&listed, 1, Transports::Both).await;
            assert_eq!(round.walks.len(), 2, "{target}: one walk in each family");
            for walk in &round.walks {
                assert!(walk.hops[0].exchange.is_some(), "{target}: the redirect was read");
                // A target that names the site itself, or nothing that can be fetched, is no way in.
                let other = walk.hops.iter().skip(1).any(|hop| hop.exchange.is_some());
                let same = walk.hops.iter().all(|hop| hop.url.contains(&*listed.host));
                assert!(!other || same, "{target}: {:?}", walk.hops);
                if kind == "r" && !same {
                    assert_ne!(walk.end, WalkEnd::Landed, "{target}");
                }
            }
        }
    }
    bench.nobody_came().await;
}

/// The proof above would mean nothing if the canaries could not be met at all.
/// One page with every target as a link, an image and a style sheet.
fn page_inside(port: u16) -> String {
    let mut page = String::from("<title>学校</title><p>欢迎访问</p>");
    for target in targets_inside(port) {
        let _ = write!(page, "<a href='{target}'>x</a><img src='{target}'><link rel=stylesheet href='{target}'>");
    }
    let mut world = "[dns.\"inner.example\"]\na = [\"127.0.0.1\"]\naaaa = [\"::1\"]\n".to_owned();
    world.push_str("[dns.\"page.example\"]\na = [\"192.0.2.60\"]\naaaa = [\"2001:db8:1::1\"]\n");
    for address in ["192.0.2.60", "2001:db8:1::1"] {
        let _ = writeln!(world, "[host.\"{address}\"]\nports = {{ {port} = {{ body = \"{page}\" }} }}");
    }
    world
}

#[tokio::test]
async fn links_and_resources_that_lead_inside_are_not_followed() {
    let mut bench = bench(page_inside, lab_policy()).await;
    let rules =
        DeepRules { level2: 200, external: 200, requests: 1000, hosts: 200, styles: 200, ..DeepRules::default() };
    bench.prober.profile = Profile::Deep;
    bench.prober.deep = Arc::new(Deep::new(DeepRules { samples: 0, ..rules }));
    let listed = site(&format!("http://page.example:{}/", bench.canaries.port));
    let round = bench.prober.observe(&listed, 1, Transports::Both).await;
    let links = round.links.expect("the page was read").links;
    // Some targets are paths on the page's own host, by the rules of URLs.
    let elsewhere: Vec<&Link> = links.iter().filter(|link| !link.url.starts_with("http://page.example:")).collect();
    assert!(elsewhere.len() >= 15, "{elsewhere:?}");
    for fetch in elsewhere.iter().flat_map(|link| [&link.v4, &link.v6]) {
        assert!(fetch.address.is_none() && fetch.tries == 0, "{fetch:?}");
    }
    let hosts = round.resources.expect("the page was read").hosts;
    assert!(hosts.len() >= 8, "{hosts:?}");
    let elsewhere = hosts.iter().filter(|host| host.check.host != "page.example");
    for side in elsewhere.flat_map(|host| [&host.check.v4, &host.check.v6]) {
        assert!(side.connects.is_empty(), "{side:?}");
    }
    bench.nobody_came().await;
}

#[tokio::test]
async fn the_canaries_are_met_where_the_policy_lets_them_be() {
    let loopback = ["127.0.0.0/8", "::1/128"].iter().map(|prefix| prefix.parse::<ipnet::IpNet>().expect("a prefix"));
    let mut policy = lab_policy();
    policy.public_prefixes.extend(loopback);
    let bench = bench(redirects_inside, policy).await;
    let port = bench.canaries.port;
    bench.prober.observe(&site(&format!("http://r0.example:{port}/")), 1, Transports::Both).await;
    bench.prober.observe(&site(&format!("http://inner.example:{port}/")), 1, Transports::Both).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let strayed = bench.outside.strayed.lock().expect("not poisoned").clone();
    assert!(strayed.iter().any(|target| target.ip() == IpAddr::from([127, 0, 0, 1])));
    assert!(bench.canaries.met.load(Ordering::SeqCst) >= 2);
}

/// DNS rebinding: names whose answers change between two questions, both ways, listed and behind a redirect.
fn rebinding(port: u16) -> String {
    let inside = |nth: &str| {
        format!(
            "ttl = 0\nodd = [{{ type = \"A\", nth = \"{nth}\", answers = [\"127.0.0.1\"] }}, \
             {{ type = \"AAAA\", nth = \"{nth}\", answers = [\"::1\"] }}]\n"
        )
    };
    let mut world = String::new();
    for (number, (name, nth)) in [("later", "2+"), ("first", "1"), ("other", "3+")].into_iter().enumerate() {
        let (v4, v6) = (format!("192.0.2.{}", 60 + number), format!("2001:db8:1::{number}"));
        let _ = writeln!(world, "[dns.\"{name}.example\"]\na = [\"{v4}\"]\naaaa = [\"{v6}\"]\n{}", inside(nth));
        for address in [v4, v6] {
            let answer = if name == "other" { "redirect = \"http://later.example:{port}/\"" } else { "" };
            let answer = answer.replace("{port}", &port.to_string());
            let _ = writeln!(world, "[host.\"{address}\"]\nports = {{ {port} = {{ {answer} }} }}");
        }
    }
    world
}

#[tokio::test]
async fn what_was_checked_is_what_is_dialled() {
    let bench = bench(rebinding, lab_policy()).await;
    let port = bench.canaries.port;
    let mut dialled = 0;
    for name in ["later", "first", "other", "later", "first", "other"] {
        let round = bench.prober.observe(&site(&format!("http://{name}.example:{port}/")), 1, Transports::Both).await;
        let answered = |address: IpAddr| {
            round.lookups.iter().flat_map(|lookup| &lookup.addresses).any(|record| record.address == address)
        };
        for connect in &round.connects {
            dialled += 1;
            assert!(answered(connect.address), "{name}: {} was dialled, and is in no answer", connect.address);
            assert!(!connect.address.is_loopback(), "{name}");
        }
        for hop in round.walks.iter().flat_map(|walk| &walk.hops) {
            assert!(hop.address.is_none_or(answered), "{name}: {hop:?}");
        }
    }
    assert!(dialled >= 4, "{dialled} connections");
    bench.nobody_came().await;
}
