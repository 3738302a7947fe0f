//! What this host knows of its own network: prefixes never to be dialled, and whether there is a way out.
//!
//! Read from `/proc` on Linux. Elsewhere nothing is known: own networks must then be named in the configuration, and
//! laboratory prefixes are refused.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::model::address::Family;

/// IPv4 routes shorter than this are ways to somewhere, not own networks.
const OWN_V4: u8 = 16;

/// Prefixes of this host's interfaces, and its gateways.
pub fn own_networks() -> Vec<IpNet> {
    let mut own = interfaces_v6(&read("/proc/net/if_inet6"));
    own.extend(routes_v4(&read("/proc/net/route")));
    own
}

/// Whether there is a default route in either family. None: not known on this system.
pub fn has_default_route() -> Option<bool> {
    let v4 = fs::read_to_string("/proc/net/route").ok()?;
    let v6 = read("/proc/net/ipv6_route");
    Some(default_v4(&v4) || default_v6(&v6))
}

/// A number that changes with this host's addresses (IPv6) and default routes of a family. None: they could not be read just
/// now, which is no change of theirs (no descriptor is left, for example).
pub fn identity(family: Family) -> Option<u64> {
    // A kernel without the family has no such file, and a system of another kind has none of them.
    let table = |path| match fs::read_to_string(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => None,
        table => Some(table.unwrap_or_default()),
    };
    Some(match family {
        Family::V4 => digest(ways_out_v4(&table("/proc/net/route")?)),
        Family::V6 => {
            let (addresses, ways) = (table("/proc/net/if_inet6")?, table("/proc/net/ipv6_route")?);
            digest(addresses_v6(&addresses).into_iter().chain(ways_out_v6(&ways)).collect())
        }
    })
}

fn digest(mut lines: Vec<String>) -> u64 {
    lines.sort_unstable();
    let mut hasher = DefaultHasher::new();
    lines.hash(&mut hasher);
    hasher.finish()
}

/// Global addresses with their interfaces. Flags are left out: an address that was checked for duplicates is the same.
fn addresses_v6(table: &str) -> Vec<String> {
    let fields = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    fields.filter(|f| f.len() == 6 && f[3] == "00").map(|f| format!("{} {}", f[0], f[5])).collect()
}

/// Default routes: gateway and interface. Counters and metrics are left out.
fn ways_out_v6(table: &str) -> Vec<String> {
    let ways = table.lines().filter(|line| default_v6(line)).map(|line| line.split_whitespace().collect::<Vec<_>>());
    ways.map(|f| format!("{} {}", f[4], f[9])).collect()
}

fn ways_out_v4(table: &str) -> Vec<String> {
    let fields = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    fields.filter(|f| f.len() > 2 && f[1] == "00000000").map(|f| format!("{} {}", f[0], f[2])).collect()
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// Lines are: address, interface index, prefix length, scope, flags, name; numbers in hexadecimal.
fn interfaces_v6(table: &str) -> Vec<IpNet> {
    let net = |line: &str| {
        let mut fields = line.split_whitespace();
        let address = u128::from_str_radix(fields.next()?, 16).ok()?;
        let length = u8::from_str_radix(fields.nth(1)?, 16).ok()?;
        Ipv6Net::new(Ipv6Addr::from(address), length).ok().map(|net| IpNet::V6(net.trunc()))
    };
    table.lines().filter_map(net).collect()
}

/// Lines are: interface, destination, gateway, flags, three counters, mask; addresses in the host's byte order.
fn routes_v4(table: &str) -> Vec<IpNet> {
    let mut own = Vec::new();
    for line in table.lines().skip(1) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let address = |i: usize| {
            let bits = u32::from_str_radix(fields.get(i)?, 16).ok()?;
            Some(Ipv4Addr::from(bits.to_ne_bytes()))
        };
        let (Some(destination), Some(gateway), Some(mask)) = (address(1), address(2), address(7)) else { continue };
        if !gateway.is_unspecified() {
            own.push(IpNet::from(IpAddr::V4(gateway)));
        } else if let Ok(net) = Ipv4Net::with_netmask(destination, mask)
            && net.prefix_len() >= OWN_V4
        {
            own.push(IpNet::V4(net));
        }
    }
    own
}

fn default_v4(table: &str) -> bool {
    table.lines().skip(1).any(|line| line.split_whitespace().nth(1) == Some("00000000"))
}

/// Lines are: destination, its prefix length, source, its prefix length, next hop, metric, ..., interface. A default
/// route on `lo` is the kernel's "unreachable".
fn default_v6(table: &str) -> bool {
    table.lines().any(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        fields.len() == 10 && fields[0].bytes().all(|b| b == b'0') && fields[1] == "00" && fields[9] != "lo"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_read() {
        let v6 = "20010db8000000010000000000000001 02 40 00 80     wan0\n";
        assert_eq!(interfaces_v6(v6), ["2001:db8:0:1::/64".parse().unwrap()]);
        let v4 = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n\
                  wan0\t001212C6\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n\
                  wan0\t000012C6\t00000000\t0001\t0\t0\t0\t0000FEFF\t0\t0\t0\n\
                  wan0\t00000000\t011212C6\t0003\t0\t0\t0\t00000000\t0\t0\t0\n";
        let own: Vec<IpNet> = ["198.18.18.0/24", "198.18.18.1/32"].iter().map(|net| net.parse().unwrap()).collect();
        assert_eq!(routes_v4(v4), own);
        assert!(default_v4(v4));
        let none = "00000000000000000000000000000000 00 00000000000000000000000000000000 00 \
                    00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo\n";
        assert!(!default_v6(none));
    }

    #[test]
    fn what_a_change_is() {
        let address = "20010db8000000010000000000000001 02 40 00 80     wan0\n";
        let tentative = "20010db8000000010000000000000001 02 40 00 c0     wan0\n";
        let link_local = "fe800000000000000000000000000001 02 40 20 80     wan0\n";
        let other = "20010db8000000010000000000000002 02 40 00 80     wan0\n";
        assert_eq!(addresses_v6(address), addresses_v6(&format!("{link_local}{tentative}")));
        assert_ne!(addresses_v6(address), addresses_v6(other));
        let route = |gateway: &str, used: &str| {
            let zeros = "0".repeat(32);
            format!("{zeros} 00 {zeros} 00 {gateway} 00000400 {used} 00000000 00000003     wan0\n")
        };
        let (one, two) = ("fe800000000000000000000000000001", "fe800000000000000000000000000002");
        assert_eq!(ways_out_v6(&route(one, "00000001")), ways_out_v6(&route(one, "00000009")));
        assert_ne!(ways_out_v6(&route(one, "00000001")), ways_out_v6(&route(two, "00000001")));
        assert_eq!(
            digest(vec!["a".into(), "b".into()]),
            digest(vec!["b".into(), "a".into()]),
            "the order is no change"
        );
    }
}
