//! Which zone a name is in, which servers speak for it, and which names exist.
//!
//! Zones that the world does not name are derived: the parent of every name (or the name itself where it has two
//! labels), every top-level domain, and the root. The root and the top-level domains have two dual-stack name servers each,
//! the zones below have two of one of eight pretended operators. Leaves to others: what the names have.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::facts::{NameFacts, ZoneFacts, canonical};
use crate::lab::stable_hash;

/// How many pretended operators run the name servers of derived zones.
const OPERATORS: u8 = 8;
/// Last byte of the IPv4 addresses of the root's servers; that of the top-level domains' is the next.
const ROOT_LAST: u8 = 4;

/// A zone and its name servers.
#[derive(Clone, Debug)]
pub(super) struct Zone {
    /// Its apex; the root is empty.
    pub(super) origin: String,
    /// Name servers with their addresses.
    pub(super) ns: BTreeMap<String, Vec<IpAddr>>,
    /// What its parent says.
    pub(super) above: Above,
}

/// A delegation as the parent has it.
#[derive(Clone, Debug, Default)]
pub(super) struct Above {
    /// Name servers.
    pub(super) names: Vec<String>,
    /// Their addresses.
    pub(super) glue: BTreeMap<String, Vec<IpAddr>>,
}

impl Zone {
    /// A zone whose parent says what it says itself, with the addresses of name servers within the name above.
    fn new(origin: String, ns: BTreeMap<String, Vec<IpAddr>>) -> Self {
        let parent = ancestors(&origin).nth(1).unwrap_or_default();
        let glue = ns.iter().filter(|(name, _)| is_in(name, parent));
        let glue = glue.map(|(name, list)| (name.clone(), list.clone())).collect();
        let above = Above { names: ns.keys().cloned().collect(), glue };
        Self { origin, ns, above }
    }
}

/// All zones of a world.
#[derive(Debug, Default)]
pub(super) struct Zones {
    by_origin: BTreeMap<String, Zone>,
    served_by: HashMap<IpAddr, BTreeSet<String>>,
    server_names: BTreeMap<String, Vec<IpAddr>>,
    existing: BTreeSet<String>,
}

impl Zones {
    /// Derives everything from the facts.
    pub(super) fn new(names: &BTreeMap<String, NameFacts>, declared: &BTreeMap<String, ZoneFacts>) -> Self {
        let mut all = Self::default();
        for (origin, facts) in declared {
            let origin = canonical(origin);
            let ns: BTreeMap<_, _> = facts.ns.iter().map(|(name, list)| (canonical(name), list.clone())).collect();
            let mut zone = Zone::new(origin.clone(), if ns.is_empty() { default_servers(&origin) } else { ns });
            if !facts.parent.is_empty() {
                zone.above.names = facts.parent.iter().map(|name| canonical(name)).collect();
            }
            if let Some(glue) = &facts.glue {
                zone.above.glue = glue.iter().map(|(name, list)| (canonical(name), list.clone())).collect();
            }
            let Above { names: above, glue } = &mut zone.above;
            glue.retain(|name, _| above.contains(name));
            all.add(zone);
        }
        let declared: Vec<String> = all.by_origin.keys().cloned().collect();
        let mut mentioned: BTreeSet<String> = names.keys().map(|name| canonical(name)).collect();
        mentioned.extend(names.values().flat_map(|facts| [&facts.cname, &facts.dname]).flatten().map(|n| canonical(n)));
        mentioned.extend(all.server_names.keys().cloned());
        mentioned.extend((0..OPERATORS).map(|number| format!("ns1.dns{number}.example")));
        for name in &mentioned {
            if !declared.iter().any(|origin| is_in(name, origin) && origin.contains('.')) {
                all.add_derived(&home_zone(name));
            }
            all.add_derived(name.rsplit('.').next().unwrap_or_default());
        }
        all.add_derived("");
        let existing = names.keys().chain(all.server_names.keys()).chain(all.by_origin.keys());
        let existing: Vec<String> = existing.map(|name| canonical(name)).collect();
        for name in existing {
            all.existing.extend(ancestors(&name).map(str::to_owned));
        }
        all
    }

    fn add_derived(&mut self, origin: &str) {
        if !self.by_origin.contains_key(origin) {
            self.add(Zone::new(origin.to_owned(), default_servers(origin)));
        }
    }

    fn add(&mut self, zone: Zone) {
        for (name, addresses) in &zone.ns {
            let known = self.server_names.entry(name.clone()).or_default();
            for address in addresses {
                self.served_by.entry(*address).or_default().insert(zone.origin.clone());
                if !known.contains(address) {
                    known.push(*address);
                }
            }
        }
        self.by_origin.insert(zone.origin.clone(), zone);
    }

    /// The zone a name is in: the longest apex it ends with.
    pub(super) fn of(&self, name: &str) -> &Zone {
        ancestors(name)
            .find_map(|origin| self.by_origin.get(origin))
            .unwrap_or_else(|| unreachable!("the root zone is always there"))
    }

    /// Whether a server speaks for a zone.
    pub(super) fn speaks_for(&self, server: IpAddr, origin: &str) -> bool {
        self.served_by.get(&server).is_some_and(|origins| origins.contains(origin))
    }

    /// The delegation a server would point to for a name it does not speak for: the first zone cut below a zone of its own.
    pub(super) fn referral(&self, server: IpAddr, name: &str) -> Option<&Zone> {
        let cuts: Vec<&Zone> = ancestors(name).filter_map(|origin| self.by_origin.get(origin)).collect();
        // From the name upwards; the parent of the cut we look for is the first zone that the server speaks for.
        cuts.windows(2).find(|pair| self.speaks_for(server, &pair[1].origin)).map(|pair| pair[0])
    }

    /// Whether an address is one of an authoritative server.
    pub(super) fn is_server(&self, address: IpAddr) -> bool {
        self.served_by.contains_key(&address)
    }

    /// Addresses of a name server's name.
    pub(super) fn server_addresses(&self, name: &str) -> Option<&[IpAddr]> {
        self.server_names.get(name).map(Vec::as_slice)
    }

    /// Whether a name exists, if only because something below it does (RFC 8020).
    pub(super) fn exists(&self, name: &str) -> bool {
        self.existing.contains(name)
    }
}

/// A name and every name above it, up to the root.
pub(super) fn ancestors(name: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(name);
    std::iter::from_fn(move || {
        let current = rest?;
        rest = match current.split_once('.') {
            Some((_, parent)) => Some(parent),
            None if current.is_empty() => None,
            None => Some(""),
        };
        Some(current)
    })
}

/// Whether a name is an apex or lies below it.
pub(super) fn is_in(name: &str, origin: &str) -> bool {
    origin.is_empty() || name == origin || name.strip_suffix(origin).is_some_and(|front| front.ends_with('.'))
}

fn home_zone(name: &str) -> String {
    match name.split_once('.') {
        Some((_, parent)) if parent.contains('.') => parent.to_owned(),
        _ => name.to_owned(),
    }
}

fn default_servers(origin: &str) -> BTreeMap<String, Vec<IpAddr>> {
    // The remainder is below OPERATORS, which is a u8.
    let operator = (stable_hash(origin) % u64::from(OPERATORS)) as u8;
    let (domain, last, network) = match origin {
        "" => ("root.example".to_owned(), ROOT_LAST, 0xff),
        registry if !registry.contains('.') => ("registry.example".to_owned(), ROOT_LAST + 1, 0xfe),
        _ => (format!("dns{operator}.example"), 10 + 2 * operator, u16::from(operator)),
    };
    let v6 = |host: u16| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0x53, network, 0, 0, 0, host));
    BTreeMap::from([
        (format!("ns1.{domain}"), vec![Ipv4Addr::new(198, 51, 100, last).into(), v6(1)]),
        (format!("ns2.{domain}"), vec![Ipv4Addr::new(203, 0, 113, last).into(), v6(2)]),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_derived_from_names() {
        let names = ["www.school.example", "apex.example"].map(|name| (name.to_owned(), NameFacts::default()));
        let zones = Zones::new(&BTreeMap::from(names), &BTreeMap::new());
        assert_eq!(zones.of("www.school.example").origin, "school.example");
        assert_eq!(zones.of("nobody.school.example").origin, "school.example");
        assert_eq!(zones.of("apex.example").origin, "apex.example");
        assert_eq!(zones.of("elsewhere.example").origin, "example");
        assert_eq!(zones.of("a.test").origin, "");
        assert!(zones.exists("school.example") && zones.exists("example") && !zones.exists("nobody.school.example"));
        let servers = &zones.of("www.school.example").ns;
        assert_eq!(servers.len(), 2);
        assert!(servers.values().all(|list| list.iter().any(IpAddr::is_ipv4) && list.iter().any(IpAddr::is_ipv6)));
        assert!(servers.keys().all(|name| zones.server_addresses(name).is_some()));
    }
}
