//! A large invented internet for `v6ready demo`: every listed site in one of all kinds of situations.
//!
//! Which situation a site is in depends on its host name alone, by a stable hash, so that a demo gives the same numbers
//! on every machine and for every order of the list. Leaves to others: the list of schools itself.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::dns::facts::{Deed, NameFacts, Odd};
use super::stable_hash;
use super::web::facts::{Cert, Connect, Door, HostFacts, Spot, TlsFacts};
use super::web::pages::PageName;
use super::world::World;
use crate::model::evidence::RecordType;
use crate::model::site::{Scheme, Site};

/// Log entries that are kept: enough to show, not enough to matter.
const LOG: usize = 20_000;

/// An address where every port refuses.
const CLOSED: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 230);

/// The situation of a demo site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Situation {
    /// Dual stack, http leading to https.
    Healthy,
    /// Dual stack, http only.
    HttpOnly,
    /// Dual stack, a page that is different on every request.
    Noisy,
    /// Dual stack behind an alias.
    Cdn,
    /// Dual stack, the certificate expired on both families.
    ExpiredBoth,
    /// Dual stack, a challenge page on both families.
    Challenge,
    /// Port 80 refused over IPv6.
    PortDiff,
    /// Another name's certificate over IPv6.
    CertV6,
    /// A simplified page over IPv6.
    ContentDiff,
    /// One of two IPv6 addresses refuses.
    HalfDead,
    /// No AAAA.
    V4Only,
    /// No AAAA, behind an alias.
    V4OnlyCdn,
    /// No AAAA, and the name servers leave the SOA out.
    V4OnlyNoSoa,
    /// AAAA is a unique local address.
    UniqueLocal,
    /// AAAA is an IPv4-mapped address.
    Mapped,
    /// IPv6 refuses.
    Refused,
    /// IPv6 is silent.
    Timeout,
    /// The web server's welcome page over IPv6.
    WrongVhost,
    /// Leads on to a host without AAAA.
    RedirectV4Only,
    /// Status 502 over IPv6.
    BadGateway,
    /// Status 500 on both families.
    ServerError,
    /// Refuses on both families.
    Down,
    /// Asks to be left alone for an hour, on both families.
    RateLimited,
    /// The name does not exist.
    NoName,
    /// Its name servers fail.
    Servfail,
}

/// Situations and their shares of a thousand sites.
const SHARES: [(Situation, u64); 25] = [
    (Situation::Healthy, 370),
    (Situation::HttpOnly, 60),
    (Situation::Noisy, 30),
    (Situation::Cdn, 40),
    (Situation::ExpiredBoth, 25),
    (Situation::Challenge, 15),
    (Situation::PortDiff, 20),
    (Situation::CertV6, 15),
    (Situation::ContentDiff, 15),
    (Situation::HalfDead, 10),
    (Situation::V4Only, 150),
    (Situation::V4OnlyCdn, 40),
    (Situation::V4OnlyNoSoa, 10),
    (Situation::UniqueLocal, 12),
    (Situation::Mapped, 8),
    (Situation::Refused, 35),
    (Situation::Timeout, 10),
    (Situation::WrongVhost, 20),
    (Situation::RedirectV4Only, 25),
    (Situation::BadGateway, 20),
    (Situation::ServerError, 15),
    (Situation::Down, 15),
    (Situation::RateLimited, 10),
    (Situation::NoName, 20),
    (Situation::Servfail, 10),
];

/// The situation of a host.
pub fn situation(host: &str) -> Situation {
    // A word is added so that the choice is independent of other uses of the same hash.
    let mut ticket = stable_hash(&format!("situation {host}")) % 1000;
    for (situation, share) in SHARES {
        if ticket < share {
            return situation;
        }
        ticket -= share;
    }
    Situation::Healthy
}

/// The invented internet of these sites, with anchors.
pub fn demo_world(sites: &[Site]) -> World {
    let mut world = World::new().with_anchors();
    world.log_limit = Some(LOG);
    world.hosts.insert(CLOSED.into(), HostFacts::default());
    for site in sites.iter().filter(|site| site.host.parse::<IpAddr>().is_err()) {
        place(&mut world, site);
    }
    world
}

/// What a site's server shows to one family.
#[derive(Clone, Default)]
struct Face {
    page: Spot,
    cert: Cert,
    http: Http,
    no_https: bool,
}

/// What is on port 80.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Http {
    #[default]
    LeadsToHttps,
    SamePage,
    Closed,
}

fn page(name: PageName) -> Face {
    Face { page: Spot { page: Some(name), ..Spot::default() }, ..Face::default() }
}

fn status(status: u16) -> Face {
    Face { page: Spot { status: Some(status), ..Spot::default() }, http: Http::SamePage, ..Face::default() }
}

/// Faces for IPv4 and IPv6.
fn faces(situation: Situation, host: &str) -> (Face, Face) {
    let healthy = Face::default();
    let same = |face: Face| (face.clone(), face);
    match situation {
        Situation::HttpOnly => same(Face { http: Http::SamePage, no_https: true, ..Face::default() }),
        Situation::Noisy => same(page(PageName::Noisy)),
        Situation::ExpiredBoth => same(Face { cert: Cert::Expired, ..Face::default() }),
        Situation::Challenge => same(page(PageName::Challenge(412))),
        Situation::ServerError => same(status(500)),
        Situation::RateLimited => {
            let mut face = status(429);
            face.page.headers.insert("Retry-After".to_owned(), "3600".to_owned());
            same(face)
        }
        Situation::RedirectV4Only => {
            let redirect = Some(format!("https://{}/", v4only_name(host)));
            same(Face { page: Spot { redirect, ..Spot::default() }, ..Face::default() })
        }
        Situation::PortDiff => (healthy, Face { http: Http::Closed, ..Face::default() }),
        Situation::CertV6 => (healthy, Face { cert: Cert::WrongName, ..Face::default() }),
        Situation::ContentDiff => (healthy, page(PageName::Simple)),
        Situation::WrongVhost => (healthy, Face { http: Http::SamePage, ..page(PageName::NginxDefault) }),
        Situation::BadGateway => (healthy, status(502)),
        _ => same(healthy),
    }
}

/// The name that [`Situation::RedirectV4Only`] leads to.
fn v4only_name(host: &str) -> String {
    format!("portal.{}", host.strip_prefix("www.").unwrap_or(host))
}

fn place(world: &mut World, site: &Site) {
    let host = &*site.host;
    let situation = situation(host);
    let (face4, face6) = faces(situation, host);
    let v4 = if situation == Situation::Down { CLOSED } else { shared_v4(host, face4.no_https) };
    let v6 = own_v6(host);
    if situation == Situation::NoName {
        return;
    }
    if situation == Situation::RedirectV4Only {
        let name = v4only_name(host);
        let facts = NameFacts { a: vec![shared_v4(&name, false)], ..NameFacts::default() };
        serve(world, shared_v4(&name, false).into(), &name, None, &Face::default());
        world.dns.insert(name, facts);
    }
    name(world, host, situation, v4, v6);
    if v4 != CLOSED {
        serve(world, v4.into(), host, Some(site), &face4);
    }
    let door = match situation {
        Situation::Refused | Situation::Down => Some(Door::Refused),
        Situation::Timeout => Some(Door::Timeout),
        _ => None,
    };
    if let Some(door) = door {
        let closed = Spot { connect: Some(Connect::Always(door)), ..Spot::default() };
        let mut facts = HostFacts { web: Some(closed.clone()), ..HostFacts::default() };
        facts.ports = site.port.map(|port| (port.to_string(), closed)).into_iter().collect();
        world.hosts.insert(v6.into(), facts);
    } else {
        serve(world, v6.into(), host, Some(site), &face6);
    }
}

/// Gives the name what its situation lets it have.
fn name(world: &mut World, host: &str, situation: Situation, v4: Ipv4Addr, v6: Ipv6Addr) {
    let mut facts = NameFacts { a: vec![v4], aaaa: vec![v6], ..NameFacts::default() };
    let odd = |rtype, deed| vec![Odd { rtype, deed, ..Odd::default() }];
    match situation {
        Situation::V4Only | Situation::V4OnlyCdn => facts.aaaa.clear(),
        Situation::V4OnlyNoSoa => {
            facts.aaaa.clear();
            facts.odd = odd(Some(RecordType::Aaaa), Deed::NodataNosoa);
        }
        Situation::Servfail => facts.odd = odd(None, Deed::Servfail),
        Situation::UniqueLocal => facts.aaaa = vec![Ipv6Addr::new(0xfd00, 0x10, 0x20, 0, 0, 0, 0, 0x80)],
        Situation::Mapped => facts.aaaa = vec![v4.to_ipv6_mapped()],
        Situation::HalfDead => {
            let dead = Ipv6Addr::from(u128::from(v6) ^ (1 << 40));
            world.hosts.insert(dead.into(), HostFacts::default());
            facts.aaaa.push(dead);
        }
        _ => {}
    }
    if matches!(situation, Situation::Cdn | Situation::V4OnlyCdn) {
        let cname = format!("{host}.cdn.example");
        world.dns.insert(cname.clone(), facts);
        facts = NameFacts { cname: Some(cname), ..NameFacts::default() };
    }
    world.dns.insert(host.to_owned(), facts);
}

/// Puts a host as a virtual host on an address; other hosts there see the web server's welcome page.
fn serve(world: &mut World, address: IpAddr, host: &str, site: Option<&Site>, face: &Face) {
    let facts = world.hosts.entry(address).or_default();
    let tls = TlsFacts { cert: face.cert, ..TlsFacts::default() };
    let secure = Spot { tls: Some(tls.clone()), ..face.page.clone() };
    if !face.no_https {
        host_on(&mut facts.https, host, secure.clone());
    }
    match face.http {
        Http::LeadsToHttps => {
            let redirect = Some("https://{host}{path}".to_owned());
            host_on(&mut facts.http, host, Spot { redirect, status: Some(301), ..Spot::default() });
        }
        Http::SamePage => host_on(&mut facts.http, host, face.page.clone()),
        Http::Closed => {}
    }
    if let Some((site, port)) = site.and_then(|site| Some((site, site.port?))) {
        let encrypted = site.scheme == Some(Scheme::Https);
        let mut at = facts.ports.remove(&port.to_string());
        host_on(&mut at, host, if encrypted { secure } else { face.page.clone() });
        if let Some(at) = at {
            let tls = encrypted.then_some(tls);
            facts.ports.insert(port.to_string(), Spot { tls, ..at });
        }
    }
}

fn host_on(port: &mut Option<Spot>, host: &str, spot: Spot) {
    let default = || Spot { page: Some(PageName::NginxDefault), vhost: BTreeMap::new(), ..Spot::default() };
    port.get_or_insert_with(default).vhost.insert(host.to_owned(), spot);
}

/// One of 160 shared IPv4 addresses; hosts without https share others, where nobody has it.
fn shared_v4(host: &str, no_https: bool) -> Ipv4Addr {
    let number = (stable_hash(host) % 80) as u8;
    match (no_https, stable_hash(host) / 80 % 2) {
        (true, _) => Ipv4Addr::new(198, 51, 100, 100 + number),
        (false, 0) => Ipv4Addr::new(192, 0, 2, 100 + number),
        (false, _) => Ipv4Addr::new(203, 0, 113, 100 + number),
    }
}

/// An IPv6 address of its own, in one of 64 pretended networks.
fn own_v6(host: &str) -> Ipv6Addr {
    let hash = stable_hash(host);
    let group = 0x1000 + (hash % 64) as u16;
    Ipv6Addr::new(0x2001, 0xdb8, group, 0, 0, (hash >> 32) as u16, (hash >> 16) as u16, 0x80)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sites() -> Vec<Site> {
        (0..400).map(|number| Site::new(format!("www.school{number}.example"), None, None, None)).collect()
    }

    #[test]
    fn shares_are_realistic() {
        assert_eq!(SHARES.iter().map(|(_, share)| share).sum::<u64>(), 1000);
        let count =
            |wanted: &[Situation]| sites().iter().filter(|site| wanted.contains(&situation(&site.host))).count();
        let ready = [
            Situation::Healthy,
            Situation::HttpOnly,
            Situation::Noisy,
            Situation::Cdn,
            Situation::ExpiredBoth,
            Situation::Challenge,
        ];
        assert!((190..250).contains(&count(&ready)), "{}", count(&ready));
        assert!(count(&[Situation::Timeout]) <= 8, "{}", count(&[Situation::Timeout]));
        for (situation, share) in SHARES {
            assert!(share < 20 || count(&[situation]) > 0, "{situation:?}");
        }
    }

    #[test]
    fn the_world_is_sound_and_the_same_each_time() {
        let world = demo_world(&sites());
        assert_eq!(world.complaints(), Vec::<String>::new());
        let mut backwards = sites();
        backwards.reverse();
        assert_eq!(format!("{world:?}"), format!("{:?}", demo_world(&backwards)));
        // A site that is up has its virtual host on both families, and nobody shares an IPv6 address.
        for site in sites().iter().filter(|site| situation(&site.host) == Situation::Healthy) {
            for address in [IpAddr::V4(shared_v4(&site.host, false)), own_v6(&site.host).into()] {
                let https = world.hosts.get(&address).and_then(|host| host.spot(443)).expect("https");
                assert!(https.vhost.contains_key(&*site.host), "{}", site.host);
                assert!(address.is_ipv4() || https.vhost.len() == 1, "{}", site.host);
            }
        }
    }

    #[test]
    fn listed_ports_are_served() {
        let site = Site::new("www.healthy.example", None, Some(Scheme::Http), Some(8080));
        let world = demo_world(std::slice::from_ref(&site));
        if situation(&site.host) == Situation::Healthy {
            let host = world.hosts.get(&IpAddr::V6(own_v6(&site.host))).expect("an address");
            assert!(host.spot(8080).is_some_and(|spot| spot.tls.is_none() && spot.vhost.contains_key(&*site.host)));
        }
    }
}
