//! IANA's special-purpose registries as IANA publishes them, turned into disjoint intervals: what the address policy should
//! say, found in another way. Shared with the fuzz target `address_policy`.

use std::net::IpAddr;

/// The IPv4 registry.
pub(crate) const V4: &str = include_str!("../../registries/iana-ipv4-special-registry-1.csv");
/// The IPv6 registry.
pub(crate) const V6: &str = include_str!("../../registries/iana-ipv6-special-registry-1.csv");

/// Rows of a registry: its blocks as text, and the day of allocation.
pub(crate) fn rows(registry: &str) -> Vec<(String, String)> {
    let mut reader = csv::Reader::from_reader(registry.as_bytes());
    let records: Vec<csv::StringRecord> = reader.records().map(|record| record.expect("a record")).collect();
    assert!(records.len() > 20, "{} rows", records.len());
    // A cell may hold several blocks, and marks of footnotes.
    let blocks = |record: &csv::StringRecord| {
        let cell = record[0].split('[').next().unwrap_or_default().to_owned();
        let day = record[3].to_owned();
        cell.split(',').map(|block| (block.trim().to_owned(), day.clone())).collect::<Vec<_>>()
    };
    records.iter().flat_map(blocks).collect()
}

/// First and last number of a block of addresses with so many bits.
pub(crate) fn interval(block: &str, bits: u32) -> (u128, u128) {
    let (first, length) = block.split_once('/').expect("a length");
    let first = match first.parse().expect("an address") {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    };
    let free: u32 = bits - length.parse::<u32>().expect("a number");
    (first, first + if free == 128 { u128::MAX } else { (1_u128 << free) - 1 })
}

/// What may not be dialled, as disjoint intervals in order.
pub(crate) struct Oracle(Vec<(u128, u128)>);

impl Oracle {
    fn new(mut refused: Vec<(u128, u128)>) -> Self {
        refused.sort_unstable();
        let mut merged: Vec<(u128, u128)> = Vec::new();
        for (first, last) in refused {
            match merged.last_mut() {
                Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
                _ => merged.push((first, last)),
            }
        }
        Self(merged)
    }

    /// The IPv4 registry, and multicast (RFC 5771).
    pub(crate) fn v4() -> Self {
        let blocks = rows(V4).into_iter().map(|(block, _)| interval(&block, 32));
        Self::new(blocks.chain([interval("224.0.0.0/4", 32)]).collect())
    }

    /// The IPv6 registry, and all that is not global unicast (RFC 4291 §2.4).
    pub(crate) fn v6() -> Self {
        let blocks = rows(V6).into_iter().map(|(block, _)| interval(&block, 128));
        let (first, last) = interval("2000::/3", 128);
        Self::new(blocks.chain([(0, first - 1), (last + 1, u128::MAX)]).collect())
    }

    /// Whether the registries let a number be dialled.
    pub(crate) fn dialable(&self, number: u128) -> bool {
        let after = self.0.partition_point(|(first, _)| *first <= number);
        after == 0 || self.0[after - 1].1 < number
    }

    /// First and last number of every interval.
    pub(crate) fn edges(&self) -> Vec<u128> {
        self.0.iter().flat_map(|(first, last)| [*first, *last]).collect()
    }
}
