//! The address policy says what IANA's registries say, and what the configuration adds to them.
//!
//! Input: a byte that chooses how the rest is read, sixteen bytes of an address or of a distance from an edge of the
//! registries, and optionally a prefix (sixteen bytes and a length) that the configuration refuses or lets pass.

#![no_main]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use ipnet::IpNet;
use libfuzzer_sys::fuzz_target;
use v6ready::model::address::Scope;
use v6ready::net::scope::AddressPolicy;

#[path = "../../tests/it/registry/oracle.rs"]
mod oracle;

use oracle::Oracle;

static ORACLES: LazyLock<[(Oracle, Vec<u128>); 2]> = LazyLock::new(|| {
    [Oracle::v4(), Oracle::v6()].map(|oracle| {
        let edges = oracle.edges();
        (oracle, edges)
    })
});

fn address(number: u128, wide: bool) -> IpAddr {
    if wide { Ipv6Addr::from_bits(number).into() } else { Ipv4Addr::from_bits(number as u32).into() }
}

fuzz_target!(|data: &[u8]| {
    let Some((how, rest)) = data.split_first() else { return };
    let Some((number, rest)) = rest.split_first_chunk::<16>() else { return };
    let wide = how & 1 == 1;
    let (oracle, edges) = &ORACLES[usize::from(wide)];
    let all = if wide { u128::MAX } else { u128::from(u32::MAX) };
    let mut number = u128::from_be_bytes(*number);
    if how & 2 == 2 {
        // The first byte chooses an edge, the others are how far from it.
        let distance = number & (u128::MAX >> 8);
        number = edges[(number >> 120) as usize % edges.len()].wrapping_add(distance).wrapping_sub(1 << 8);
    }
    number &= all;
    let dialable = oracle.dialable(number);
    let asked = address(number, wide);
    assert_eq!(AddressPolicy::default().classify(asked).is_public(), dialable, "{asked}");

    let Some((prefix, [length, ..])) = rest.split_first_chunk::<16>() else { return };
    let bits = if wide { 128 } else { 32 };
    let length = length % (bits + 1);
    let prefix = u128::from_be_bytes(*prefix) & all;
    let inside = length == 0 || (prefix ^ number) >> (bits - length) == 0;
    let net = vec![IpNet::new(address(prefix, wide), length).expect("a length within bounds")];
    // What is refused is refused whatever the registries say, and called by the registries' name where they refuse it too.
    let refusing = AddressPolicy { local_deny: net.clone(), ..AddressPolicy::default() };
    assert_eq!(refusing.classify(asked).is_public(), dialable && !inside, "{asked} refused by {net:?}");
    assert_eq!(refusing.classify(asked) == Scope::OwnNetwork, dialable && inside, "{asked} in {net:?}");
    let letting = AddressPolicy { public_prefixes: net.clone(), ..AddressPolicy::default() };
    assert_eq!(letting.classify(asked).is_public(), dialable || inside, "{asked} let pass by {net:?}");
    // To refuse is stronger.
    let both = AddressPolicy { public_prefixes: net.clone(), local_deny: net };
    assert_eq!(both.classify(asked).is_public(), dialable && !inside, "{asked}");
});
