//! The address policy against an independent oracle. Every edge of every block, its neighbours, and many numbers besides.
//!
//! Leaves to others: what a refused address means, and that nothing is dialled without asking (`ssrf`).

mod oracle;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use self::oracle::{Oracle, V4, V6, interval, rows};
use v6ready::net::scope::{AddressPolicy, REGISTRY_DATE};

/// Numbers without a pattern, the same on every run (Marsaglia's xorshift).
struct Numbers(u128);

impl Numbers {
    fn next(&mut self) -> u128 {
        for _ in 0..2 {
            let mut low = self.0 as u64;
            low ^= low << 13;
            low ^= low >> 7;
            low ^= low << 17;
            self.0 = (self.0 << 64) | u128::from(low);
        }
        self.0
    }
}

/// Asks about every edge, its neighbours, and `more` numbers: a third anywhere, a third in the part of the space where most
/// can be dialled, a third close to an edge. Gives how many were asked about.
fn compare(more: usize) -> usize {
    let policy = AddressPolicy::default();
    let mut asked = 0;
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    for (bits, oracle, blocks) in [(32_u32, Oracle::v4(), rows(V4)), (128, Oracle::v6(), rows(V6))] {
        let mut ask = |number: u128| {
            let address: IpAddr =
                if bits == 32 { Ipv4Addr::from_bits(number as u32).into() } else { Ipv6Addr::from_bits(number).into() };
            assert_eq!(policy.classify(address).is_public(), oracle.dialable(number), "{address}");
            asked += 1;
        };
        let last = if bits == 32 { u128::from(u32::MAX) } else { u128::MAX };
        let mut edges = oracle.edges();
        edges.extend(blocks.iter().map(|(block, _)| interval(block, bits)).flat_map(|(first, last)| [first, last]));
        for edge in &edges {
            [edge.checked_sub(1), Some(*edge), edge.checked_add(1)]
                .into_iter()
                .flatten()
                .map(|n| n & last)
                .for_each(&mut ask);
        }
        for turn in 0..more / 2 {
            let number = numbers.next();
            ask(match turn % 3 {
                1 if bits == 128 => (number >> 3) | (1 << 125),
                0 | 1 => number & last,
                _ => {
                    let edge = edges[(number >> 64) as usize % edges.len()];
                    // Up to so many bits away from it, on either side.
                    let distance = number >> (128 - (turn as u32 / 3 % bits).max(1));
                    (if number & 1 == 0 { edge.wrapping_add(distance) } else { edge.wrapping_sub(distance) }) & last
                }
            });
        }
    }
    asked
}

#[test]
fn the_policy_is_that_of_the_registries() {
    assert!(compare(200_000) > 200_000);
}

/// `cargo test --release --test it -- --ignored --nocapture ten_million`
#[test]
#[ignore = "takes half a minute; part of the acceptance suite"]
#[expect(clippy::print_stdout, reason = "a number to be read by people")]
fn ten_million_addresses_are_as_in_the_registries() {
    let asked = compare(10_000_000);
    println!("n={asked} addresses, 0 different from the registries of {REGISTRY_DATE}");
    assert!(asked > 10_000_000);
}

#[test]
fn the_date_is_that_of_the_newest_entry() {
    let newest = rows(V4).into_iter().chain(rows(V6)).map(|(_, day)| day).max();
    assert_eq!(newest.as_deref(), Some(REGISTRY_DATE));
}

/// An oracle that refuses all, or nothing, would agree with a policy that does the same.
#[test]
fn the_oracle_knows_some_addresses() {
    let (v4, v6) = (Oracle::v4(), Oracle::v6());
    let v4_says = |text: &str| v4.dialable(u128::from(text.parse::<Ipv4Addr>().expect("an address").to_bits()));
    let v6_says = |text: &str| v6.dialable(text.parse::<Ipv6Addr>().expect("an address").to_bits());
    assert!(v4_says("8.8.8.8") && v4_says("100.128.0.0") && !v4_says("100.127.255.255") && !v4_says("239.0.0.1"));
    assert!(v6_says("2001:da8::1") && v6_says("2001:200::") && !v6_says("2001:1ff:ffff::") && !v6_says("fec0::1"));
}
