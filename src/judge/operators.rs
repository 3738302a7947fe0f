//! Hints about IPv6 addresses (docs/method/operators.md): whose network they are in, and whether they look native or like
//! the outside of a translator or tunnel.
//!
//! Pure, from a dated table. Hints only: no verdict and no number depends on them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

/// Whose network a prefix is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operator {
    /// 教育网.
    Cernet,
    /// 电信.
    Telecom,
    /// 联通.
    Unicom,
    /// 移动.
    Mobile,
    /// 科技网.
    Cstnet,
    /// Not in the table: a cloud, a hosting company, a network of one's own, or abroad.
    Other,
}

impl Operator {
    /// Every operator, in report order.
    pub const ALL: [Self; 6] = [Self::Cernet, Self::Telecom, Self::Unicom, Self::Mobile, Self::Cstnet, Self::Other];

    /// The stable word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Cernet => "cernet",
            Self::Telecom => "telecom",
            Self::Unicom => "unicom",
            Self::Mobile => "mobile",
            Self::Cstnet => "cstnet",
            Self::Other => "other",
        }
    }
}

/// How an address seems to have come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Nothing speaks against it.
    Native,
    /// `2002::/16` (RFC 3056).
    SixToFour,
    /// `2001::/32` (RFC 4380).
    Teredo,
    /// `64:ff9b::/96`, `64:ff9b:1::/48` (RFC 6052, RFC 8215).
    Nat64,
    /// Interface identifier `[02]00:5efe` and an IPv4 address (RFC 5214 §6.1).
    Isatap,
    /// Octet 4 is 0xff and octets 5 to 8 are an IPv4 address of the site, the rest is zero (RFC 6219 §3.1).
    Ivi,
    /// It ends in an IPv4 address of the site, octet for octet (RFC 6052 §2.2 with a /96).
    EmbedsV4,
    /// It ends in an IPv4 address of the site, as its decimal digits are written: `::192:0:2:10`. Administrators
    /// like such addresses on native networks, too.
    SpellsV4,
}

impl Origin {
    /// The stable word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::SixToFour => "six_to_four",
            Self::Teredo => "teredo",
            Self::Nat64 => "nat64",
            Self::Isatap => "isatap",
            Self::Ivi => "ivi",
            Self::EmbedsV4 => "embeds_v4",
            Self::SpellsV4 => "spells_v4",
        }
    }
}

/// What an address says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Hint {
    /// Whose network it is in.
    pub operator: Operator,
    /// How it seems to have come about.
    pub origin: Origin,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    date: String,
    source: String,
    source_en: String,
    prefix: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    network: ipnet::Ipv6Net,
    operator: Operator,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    // Part of the program; a test reads it.
    let mut table: Table =
        toml::from_str(include_str!("operators.toml")).expect("the table of prefixes is well-formed");
    // The longest prefix first.
    table.prefix.sort_by_key(|entry| std::cmp::Reverse(entry.network.prefix_len()));
    table
});

/// The day of the table.
pub fn date() -> &'static str {
    &TABLE.date
}

/// Where the table's facts are from, in Chinese and in English.
pub fn source() -> (&'static str, &'static str) {
    (&TABLE.source, &TABLE.source_en)
}

/// What an address says, given the site's IPv4 addresses.
pub fn hint(address: Ipv6Addr, a: &[IpAddr]) -> Hint {
    let entry = TABLE.prefix.iter().find(|entry| entry.network.contains(&address));
    Hint { operator: entry.map_or(Operator::Other, |entry| entry.operator), origin: origin(address, a) }
}

fn origin(address: Ipv6Addr, a: &[IpAddr]) -> Origin {
    let octets = address.octets();
    let segments = address.segments();
    let own = |candidate: Ipv4Addr| a.contains(&IpAddr::V4(candidate));
    let v4 = |at: usize| Ipv4Addr::new(octets[at], octets[at + 1], octets[at + 2], octets[at + 3]);
    if segments[0] == 0x2002 {
        return Origin::SixToFour;
    }
    if segments[..2] == [0x2001, 0] {
        return Origin::Teredo;
    }
    // The well-known prefix is a /96, the local-use one a /48.
    if segments[..2] == [0x64, 0xff9b] && (segments[2] == 1 || segments[2..6] == [0; 4]) {
        return Origin::Nat64;
    }
    if matches!(segments[4], 0 | 0x200) && segments[5] == 0x5efe {
        return Origin::Isatap;
    }
    if octets[4] == 0xff && octets[9..] == [0; 7] && own(v4(5)) {
        return Origin::Ivi;
    }
    if own(v4(12)) {
        return Origin::EmbedsV4;
    }
    match spelled(&segments[4..]) {
        Some(spelled) if own(spelled) => Origin::SpellsV4,
        _ => Origin::Native,
    }
}

/// The IPv4 address whose decimal numbers the last four segments look like.
fn spelled(segments: &[u16]) -> Option<Ipv4Addr> {
    let mut octets = [0; 4];
    for (octet, segment) in octets.iter_mut().zip(segments) {
        *octet = format!("{segment:x}").parse().ok()?;
    }
    Some(octets.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_network() {
        let cases = [
            ("2001:da8:5000::80", Operator::Cernet),
            ("2001:251:7801::1", Operator::Cernet),
            ("2001:253::1", Operator::Other),
            ("240e:0:1::1", Operator::Telecom),
            ("240e:1000::1", Operator::Other),
            ("2408:8000:ffff::1", Operator::Unicom),
            ("2408:4000::1", Operator::Other),
            ("2409:8fff::1", Operator::Mobile),
            ("2400:dd0f::1", Operator::Cstnet),
            ("2001:db8::1", Operator::Other),
        ];
        for (address, expected) in cases {
            assert_eq!(hint(address.parse().unwrap(), &[]).operator, expected, "{address}");
        }
    }

    #[test]
    fn native_or_not() {
        let a = ["192.0.2.10".parse().unwrap(), "198.51.100.7".parse().unwrap()];
        let cases = [
            ("2001:da8::10", Origin::Native),
            ("2002:c000:20a::1", Origin::SixToFour),
            ("2001::1", Origin::Teredo),
            ("2001:1::1", Origin::Native),
            ("64:ff9b::c000:20a", Origin::Nat64),
            ("64:ff9b:1:2::1", Origin::Nat64),
            ("64:ff9b:2::1", Origin::Native),
            ("2001:da8::5efe:c000:20a", Origin::Isatap),
            ("2001:da8::200:5efe:c000:20a", Origin::Isatap),
            ("2001:da8:ffc0:2:a00::", Origin::Ivi),
            ("2001:da8:ffc0:2:b00::", Origin::Native),
            ("2001:da8::c000:20a", Origin::EmbedsV4),
            ("2001:da8::c633:6407", Origin::EmbedsV4),
            ("2001:da8::c000:20b", Origin::Native),
            ("2001:da8::192:0:2:10", Origin::SpellsV4),
            ("2001:da8::192:0:2:11", Origin::Native),
            ("2001:da8::192:0:2:abc", Origin::Native),
        ];
        for (address, expected) in cases {
            assert_eq!(hint(address.parse().unwrap(), &a).origin, expected, "{address}");
        }
    }

    #[test]
    fn the_table_says_when_and_from_where() {
        let (chinese, english) = source();
        assert_eq!(date().len(), 10);
        assert!(chinese.contains("APNIC") && english.contains("APNIC") && english.is_ascii());
    }
}
