//! Is there a NAT64 on the way out, and with which prefix (RFC 7050)?
//!
//! A network may translate for everybody behind it and hand the prefix out by its own resolver, also where this program
//! asks other ones. Addresses in such a prefix are IPv4 in disguise. Leaves to others: that they are never dialled
//! ([`crate::net::scope`]).

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use futures_util::future::join_all;
use ipnet::{IpNet, Ipv6Net};

use super::exchange::{Ask, Exchanges};
use crate::model::evidence::{RecordType, ServerRole};

/// The name that has these two IPv4 addresses and no IPv6 address, anywhere in the world.
const WELL_KNOWN: (&str, [Ipv4Addr; 2]) =
    ("ipv4only.arpa", [Ipv4Addr::new(192, 0, 0, 170), Ipv4Addr::new(192, 0, 0, 171)]);

/// Prefix lengths that RFC 6052 §2.2 allows.
const LENGTHS: [u8; 6] = [96, 64, 56, 48, 40, 32];

/// The prefixes that these resolvers translate with, each once. Empty: none of them does, or none answered.
pub async fn prefixes(exchanges: &Exchanges, resolvers: &[SocketAddr]) -> Vec<IpNet> {
    let asked = resolvers.iter().map(|server| {
        let ask = Ask { server: *server, role: ServerRole::Resolver, checking_disabled: false, attempt: 1 };
        exchanges.ask(WELL_KNOWN.0, RecordType::Aaaa, ask)
    });
    let lookups = join_all(asked).await;
    let records = lookups.iter().flat_map(|lookup| &lookup.addresses);
    let found: BTreeSet<IpNet> = records
        .filter_map(|record| match record.address {
            IpAddr::V6(address) => prefix_of(address),
            IpAddr::V4(_) => None,
        })
        .collect();
    found.into_iter().collect()
}

/// The prefix of an address that embeds one of the well-known IPv4 addresses.
fn prefix_of(address: Ipv6Addr) -> Option<IpNet> {
    let embedded = |length: u8| {
        let octets = address.octets();
        // Bits 64 to 71 are skipped (RFC 6052 §2.2).
        let rest = octets[usize::from(length) / 8..].iter().enumerate();
        let skipped = |offset: usize| length < 96 && usize::from(length) / 8 + offset == 8;
        let bytes: Vec<u8> = rest.filter(|(offset, _)| !skipped(*offset)).map(|(_, byte)| *byte).take(4).collect();
        WELL_KNOWN.1.iter().any(|v4| v4.octets()[..] == bytes[..])
    };
    let length = LENGTHS.into_iter().find(|length| embedded(*length))?;
    Ipv6Net::new(address, length).ok().map(|net| IpNet::V6(net.trunc()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_of_every_length_are_found() {
        // The examples of RFC 6052 §2.4, with the address of RFC 7050.
        let cases = [
            ("2001:db8:c000:aa::", Some("2001:db8::/32")),
            ("2001:db8:1c0:0:aa::", Some("2001:db8:100::/40")),
            ("2001:db8:122:c000:0:aa00::", Some("2001:db8:122::/48")),
            ("2001:db8:122:3c0:0:aa::", Some("2001:db8:122:300::/56")),
            ("2001:db8:122:344:c0:0:aa00::", Some("2001:db8:122:344::/64")),
            ("2001:db8:122:344::192.0.0.170", Some("2001:db8:122:344::/96")),
            ("64:ff9b::192.0.0.171", Some("64:ff9b::/96")),
            ("2001:db8::1", None),
        ];
        for (address, expected) in cases {
            let expected = expected.map(|net| net.parse().unwrap());
            assert_eq!(prefix_of(address.parse().unwrap()), expected, "{address}");
        }
    }
}
