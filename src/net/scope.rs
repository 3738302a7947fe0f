//! Address policy: which addresses may be dialled at all.
//!
//! The rule is applied to the binary address about to be dialled, after resolution and again just before the connect.
//! Leaves to others: what a refused address means for a verdict.
//!
//! Sources: IANA IPv4 and IPv6 Special-Purpose Address Registries ([`REGISTRY_DATE`]), RFC 4291 §2.4 and RFC 4193; IPv6
//! beyond `2000::/3` is not allocated as global unicast.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use crate::model::address::Scope;

/// Month of the newest entry of the registries as they are compiled in.
pub const REGISTRY_DATE: &str = "2025-04";

/// Which addresses may be dialled: the registries, less what the configuration adds or refuses.
#[derive(Clone, Debug, Default)]
pub struct AddressPolicy {
    /// Prefixes treated as public although the registries say otherwise: laboratories only.
    pub public_prefixes: Vec<IpNet>,
    /// Prefixes never dialled: this host's own networks and gateways, and what the configuration refuses.
    pub local_deny: Vec<IpNet>,
}

impl AddressPolicy {
    /// The scope of an address under this policy.
    pub fn classify(&self, address: IpAddr) -> Scope {
        let registered = match address {
            IpAddr::V4(address) => scope_v4(address),
            IpAddr::V6(address) => scope_v6(address),
        };
        let within = |prefixes: &[IpNet]| prefixes.iter().any(|prefix| prefix.contains(&address));
        let laboratory = within(&self.public_prefixes);
        // What the registries refuse is called by its own name, also where this host has such an address itself.
        if !laboratory && !registered.is_public() {
            registered
        } else if within(&self.local_deny) {
            Scope::OwnNetwork
        } else {
            Scope::Public
        }
    }
}

/// One row of a registry table: first address, prefix length, scope.
type Row<A> = (A, u32, Scope);

/// Rows are tried in order; more specific rows stand before the blocks that hold them.
const V4: &[Row<Ipv4Addr>] = &[
    (Ipv4Addr::UNSPECIFIED, 8, Scope::Unspecified),
    (Ipv4Addr::new(10, 0, 0, 0), 8, Scope::Private),
    (Ipv4Addr::new(100, 64, 0, 0), 10, Scope::Private),
    (Ipv4Addr::new(127, 0, 0, 0), 8, Scope::Loopback),
    (Ipv4Addr::new(169, 254, 0, 0), 16, Scope::LinkLocal),
    (Ipv4Addr::new(172, 16, 0, 0), 12, Scope::Private),
    (Ipv4Addr::new(192, 0, 0, 0), 24, Scope::Reserved),
    (Ipv4Addr::new(192, 0, 2, 0), 24, Scope::Documentation),
    (Ipv4Addr::new(192, 31, 196, 0), 24, Scope::Reserved),
    (Ipv4Addr::new(192, 52, 193, 0), 24, Scope::Reserved),
    (Ipv4Addr::new(192, 88, 99, 0), 24, Scope::SixToFour),
    (Ipv4Addr::new(192, 168, 0, 0), 16, Scope::Private),
    (Ipv4Addr::new(192, 175, 48, 0), 24, Scope::Reserved),
    (Ipv4Addr::new(198, 18, 0, 0), 15, Scope::Benchmarking),
    (Ipv4Addr::new(198, 51, 100, 0), 24, Scope::Documentation),
    (Ipv4Addr::new(203, 0, 113, 0), 24, Scope::Documentation),
    (Ipv4Addr::new(224, 0, 0, 0), 4, Scope::Multicast),
    (Ipv4Addr::new(240, 0, 0, 0), 4, Scope::Reserved),
];

const fn v6(a: u16, b: u16, c: u16, d: u16) -> Ipv6Addr {
    Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0)
}

const V6: &[Row<Ipv6Addr>] = &[
    (Ipv6Addr::UNSPECIFIED, 128, Scope::Unspecified),
    (Ipv6Addr::LOCALHOST, 128, Scope::Loopback),
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96, Scope::Mapped),
    (Ipv6Addr::UNSPECIFIED, 96, Scope::V4Compatible),
    (v6(0x64, 0xff9b, 0, 0), 96, Scope::Translated),
    (v6(0x64, 0xff9b, 1, 0), 48, Scope::Translated),
    (v6(0x100, 0, 0, 0), 64, Scope::Discard),
    (v6(0x100, 0, 0, 1), 64, Scope::Discard),
    (v6(0x2001, 0, 0, 0), 32, Scope::Teredo),
    (v6(0x2001, 2, 0, 0), 48, Scope::Benchmarking),
    (v6(0x2001, 0xdb8, 0, 0), 32, Scope::Documentation),
    // The rest of the IETF protocol assignments: anycast, ORCHID, AMT, drone identification.
    (v6(0x2001, 0, 0, 0), 23, Scope::Reserved),
    (v6(0x2002, 0, 0, 0), 16, Scope::SixToFour),
    (v6(0x2620, 0x4f, 0x8000, 0), 48, Scope::Reserved),
    (v6(0x3fff, 0, 0, 0), 20, Scope::Documentation),
    (v6(0x5f00, 0, 0, 0), 16, Scope::Reserved),
    (v6(0xfc00, 0, 0, 0), 7, Scope::UniqueLocal),
    (v6(0xfe80, 0, 0, 0), 10, Scope::LinkLocal),
    (v6(0xfec0, 0, 0, 0), 10, Scope::SiteLocal),
    (v6(0xff00, 0, 0, 0), 8, Scope::Multicast),
];

fn scope_v4(address: Ipv4Addr) -> Scope {
    let bits = address.to_bits();
    V4.iter()
        .find(|(first, length, _)| bits >> (32 - length) == first.to_bits() >> (32 - length))
        .map_or(Scope::Public, |(_, _, scope)| *scope)
}

fn scope_v6(address: Ipv6Addr) -> Scope {
    let bits = address.to_bits();
    let special = V6
        .iter()
        .find(|(first, length, _)| bits >> (128 - length) == first.to_bits() >> (128 - length))
        .map(|(_, _, scope)| *scope);
    match special {
        Some(scope) => scope,
        None if bits >> 125 == 1 => Scope::Public,
        None => Scope::Reserved,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_of_the_registries() {
        let policy = AddressPolicy::default();
        let cases = [
            ("8.8.8.8", Scope::Public),
            ("100.63.255.255", Scope::Public),
            ("100.64.0.0", Scope::Private),
            ("100.127.255.255", Scope::Private),
            ("100.128.0.0", Scope::Public),
            ("127.255.255.255", Scope::Loopback),
            ("172.15.255.255", Scope::Public),
            ("172.31.255.255", Scope::Private),
            ("198.17.255.255", Scope::Public),
            ("198.19.255.255", Scope::Benchmarking),
            ("223.255.255.255", Scope::Public),
            ("224.0.0.1", Scope::Multicast),
            ("255.255.255.255", Scope::Reserved),
            ("0.0.0.0", Scope::Unspecified),
            ("::", Scope::Unspecified),
            ("::1", Scope::Loopback),
            ("::7f00:1", Scope::V4Compatible),
            ("::ffff:8.8.8.8", Scope::Mapped),
            ("64:ff9b::808:808", Scope::Translated),
            ("64:ff9b:1::1", Scope::Translated),
            ("100::1", Scope::Discard),
            ("100:0:0:1::1", Scope::Discard),
            ("2001::1", Scope::Teredo),
            ("2001:0:ffff:ffff::1", Scope::Teredo),
            ("2001:2::1", Scope::Benchmarking),
            ("2001:10::1", Scope::Reserved),
            ("2001:1ff::1", Scope::Reserved),
            ("2001:200::1", Scope::Public),
            ("2001:da8::1", Scope::Public),
            ("2001:db8::1", Scope::Documentation),
            ("2002::1", Scope::SixToFour),
            ("2003::1", Scope::Public),
            ("3fff::1", Scope::Documentation),
            ("3fff:1000::1", Scope::Public),
            ("3fff:ffff::1", Scope::Public),
            ("4000::1", Scope::Reserved),
            ("5f00::1", Scope::Reserved),
            ("fc00::1", Scope::UniqueLocal),
            ("fe80::1", Scope::LinkLocal),
            ("fec0::1", Scope::SiteLocal),
            ("ff02::1", Scope::Multicast),
            ("1fff::1", Scope::Reserved),
        ];
        for (text, scope) in cases {
            let address: IpAddr = text.parse().unwrap();
            assert_eq!(policy.classify(address), scope, "{text}");
        }
    }

    #[test]
    fn laboratories_and_own_networks() {
        let policy = AddressPolicy {
            public_prefixes: vec!["2001:db8::/32".parse().unwrap()],
            local_deny: vec!["2001:db8:1::/48".parse().unwrap(), "2400::/16".parse().unwrap()],
        };
        assert_eq!(policy.classify("2001:db8::1".parse().unwrap()), Scope::Public);
        assert_eq!(policy.classify("2001:db8:1::1".parse().unwrap()), Scope::OwnNetwork);
        assert_eq!(policy.classify("2400::1".parse().unwrap()), Scope::OwnNetwork);
        assert_eq!(policy.classify("3fff::1".parse().unwrap()), Scope::Documentation);
    }
}
