//! What a simulated internet holds: names, zones, DNS servers and web addresses; and how several are joined.
//!
//! Leaves to others: what each fact means ([`super::dns::facts`], [`super::web::facts`]) and serving them.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::RESOLVERS;
use super::dns::facts::{NameFacts, ServerFacts, ZoneFacts, canonical};
use super::web::facts::{HostFacts, Spot};

/// Five healthy dual-stack names in three pretended networks. The page of the first is larger than 64 kB.
pub const ANCHORS: [&str; 5] =
    ["anchor1.example", "anchor2.example", "anchor3.example", "anchor4.example", "anchor5.example"];

/// A healthy name that has IPv4 only: its AAAA must be absent.
pub const CONTROL_V4ONLY: &str = "control.example";

/// A name whose IPv4 works and whose IPv6 address refuses: a fetch over IPv6 must fail.
pub const CONTROL_DEAD: &str = "dead.example";

/// A healthy mail server, with the anchors: it greets on port 25 over both families.
pub const MAIL_CANARY: &str = "mx.canary.example";

/// A simulated internet.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// Names and what they have.
    pub dns: BTreeMap<String, NameFacts>,
    /// Zones that are not derived.
    pub zones: BTreeMap<String, ZoneFacts>,
    /// DNS servers that are not reached as they should be.
    pub servers: BTreeMap<IpAddr, ServerFacts>,
    /// Web addresses.
    pub hosts: BTreeMap<IpAddr, HostFacts>,
    /// How many log entries are kept. None: all.
    pub log_limit: Option<usize>,
    /// Addresses that may be gone to through a client library at the same time, a descriptor each. None: 200.
    pub stand_ins: Option<usize>,
}

impl World {
    /// An internet with nothing but `ipv4only.arpa` (RFC 7050), which shows whether a resolver invents IPv6 addresses.
    pub fn new() -> Self {
        let mut world = Self::default();
        let a = vec![Ipv4Addr::new(192, 0, 0, 170), Ipv4Addr::new(192, 0, 0, 171)];
        world.dns.insert("ipv4only.arpa".to_owned(), NameFacts { a, ..NameFacts::default() });
        world
    }

    /// Adds the anchors and controls that a run's gate asks for.
    #[must_use]
    pub fn with_anchors(mut self) -> Self {
        for (number, name) in (1_u8..).zip(ANCHORS) {
            let network = [[192, 0, 2], [198, 51, 100], [203, 0, 113]][usize::from(number) % 3];
            let v4 = Ipv4Addr::new(network[0], network[1], network[2], 240 + number);
            let group = 0xa000 + u16::from(number % 3) * 0x100;
            let v6 = Ipv6Addr::new(0x2001, 0xdb8, group, 0, 0, 0, 0, u16::from(number));
            // Large enough for packets of full size; one is large enough for the gate.
            let size = Some(if number == 1 { 70_000 } else { 8_000 });
            let spot = Spot { size, title: Some(format!("对照站点 {number}")), ..Spot::default() };
            self.add_site(name, Some(v4), Some(v6), &HostFacts { web: Some(spot), ..HostFacts::default() });
        }
        let healthy = HostFacts { web: Some(Spot::default()), ..HostFacts::default() };
        self.add_site(CONTROL_V4ONLY, Some(Ipv4Addr::new(203, 0, 113, 246)), None, &healthy);
        let dead = Ipv6Addr::new(0x2001, 0xdb8, 0xdead, 0, 0, 0, 0, 1);
        self.add_site(CONTROL_DEAD, Some(Ipv4Addr::new(203, 0, 113, 247)), Some(dead), &healthy);
        self.hosts.insert(dead.into(), HostFacts::default());
        let greets = Spot { smtp: Some("220 mx.canary.example ESMTP".to_owned()), ..Spot::default() };
        let ports = std::iter::once(("25".to_owned(), greets)).collect();
        let canary = (Ipv4Addr::new(203, 0, 113, 248), Ipv6Addr::new(0x2001, 0xdb8, 0xa300, 0, 0, 0, 0, 0x25));
        self.add_site(MAIL_CANARY, Some(canary.0), Some(canary.1), &HostFacts { ports, ..HostFacts::default() });
        self
    }

    /// Adds a name with at most one address per family, and the same server at each.
    pub fn add_site(&mut self, name: &str, v4: Option<Ipv4Addr>, v6: Option<Ipv6Addr>, host: &HostFacts) {
        let facts = NameFacts { a: v4.into_iter().collect(), aaaa: v6.into_iter().collect(), ..NameFacts::default() };
        self.dns.insert(canonical(name), facts);
        for address in v4.map(IpAddr::V4).into_iter().chain(v6.map(IpAddr::V6)) {
            self.hosts.insert(address, host.clone());
        }
    }

    /// Takes in another world. Gives every name, zone, server and address that both have; those of `self` stay.
    pub fn merge(&mut self, other: Self) -> Vec<String> {
        let mut clashes = Vec::new();
        join(&mut self.dns, other.dns, "name", &mut clashes);
        join(&mut self.zones, other.zones, "zone", &mut clashes);
        join(&mut self.servers, other.servers, "DNS server", &mut clashes);
        join(&mut self.hosts, other.hosts, "address", &mut clashes);
        // Both were built on World::new.
        clashes.retain(|clash| clash != "name ipv4only.arpa");
        clashes
    }

    /// What cannot be meant, each as a line. Empty: the world can be served.
    pub fn complaints(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (name, facts) in &self.dns {
            if facts.cname.is_some() && !(facts.a.is_empty() && facts.aaaa.is_empty()) {
                found.push(format!("name {name}: an alias has no addresses of its own"));
            }
        }
        for (name, facts) in &self.dns {
            let good = |entry: &&String| {
                entry
                    .split_once(' ')
                    .is_some_and(|(preference, host)| preference.parse::<u16>().is_ok() && !host.is_empty())
            };
            found
                .extend(facts.mx.iter().filter(|entry| !good(entry)).map(|entry| format!("name {name}: MX `{entry}`")));
        }
        for address in RESOLVERS {
            if self.hosts.contains_key(&address) {
                found.push(format!("address {address}: belongs to a resolver"));
            }
        }
        for (address, host) in &self.hosts {
            for (port, spot) in [("web", &host.web), ("http", &host.http), ("https", &host.https)] {
                if let Some(spot) = spot {
                    found.extend(spot.complaints(&format!("host {address} {port}")));
                }
            }
            for (port, spot) in &host.ports {
                if port.parse::<u16>().is_err() {
                    found.push(format!("host {address}: `{port}` is no port"));
                }
                found.extend(spot.complaints(&format!("host {address} port {port}")));
            }
        }
        found
    }
}

fn join<K: Ord + std::fmt::Display, V>(
    into: &mut BTreeMap<K, V>,
    from: BTreeMap<K, V>,
    what: &str,
    clashes: &mut Vec<String>,
) {
    for (key, value) in from {
        match into.entry(key) {
            Entry::Occupied(known) => clashes.push(format!("{what} {}", known.key())),
            Entry::Vacant(place) => {
                place.insert(value);
            }
        }
    }
}
