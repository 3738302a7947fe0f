//! Address families, and the scope an address was found to have.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An address family. A probe has exactly one, from its first packet to its last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Both families, IPv4 first.
    pub const BOTH: [Self; 2] = [Self::V4, Self::V6];

    /// The family of an address. An IPv4-mapped IPv6 address is written as IPv6 and so counts as IPv6 here;
    /// [`Scope::Mapped`] keeps it from being dialled.
    pub fn of(address: std::net::IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    /// `ipv4` or `ipv6`, for machine output.
    pub fn name(self) -> &'static str {
        match self {
            Self::V4 => "ipv4",
            Self::V6 => "ipv6",
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        })
    }
}

/// What kind of address this is, as far as dialling is concerned. Only [`Scope::Public`] is ever dialled.
///
/// Sources: the IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890, RFC 8190), RFC 4291, RFC 3879
/// (site-local), RFC 6052 (translated), RFC 4380 (Teredo), RFC 3056 and RFC 7526 (6to4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Global unicast that may be dialled.
    Public,
    /// `::` or `0.0.0.0/8`.
    Unspecified,
    /// `::1` or `127.0.0.0/8`.
    Loopback,
    /// `::ffff:0:0/96`: would be dialled over IPv4.
    Mapped,
    /// `::/96` beyond `::` and `::1`, deprecated.
    V4Compatible,
    /// NAT64: `64:ff9b::/96`, `64:ff9b:1::/48`.
    Translated,
    /// `100::/64`, `100:0:0:1::/64`.
    Discard,
    /// `2001::/32`.
    Teredo,
    /// `2002::/16`, and the relay anycast prefix `192.88.99.0/24`.
    SixToFour,
    /// `2001:db8::/32`, `3fff::/20`, and the three IPv4 documentation prefixes.
    Documentation,
    /// `198.18.0.0/15`, `2001:2::/48`.
    Benchmarking,
    /// `fc00::/7`.
    UniqueLocal,
    /// `fe80::/10`, `169.254.0.0/16`.
    LinkLocal,
    /// `fec0::/10`, deprecated.
    SiteLocal,
    /// `ff00::/8`, `224.0.0.0/4`.
    Multicast,
    /// `10.0.0.0/8`, `172.16.0.0/12`, `192.168.0.0/16`, `100.64.0.0/10` (RFC 1918, RFC 6598).
    Private,
    /// Anything else in the special-purpose registries, or IPv6 outside `2000::/3`.
    Reserved,
    /// One of this host's own prefixes or gateways, or a prefix the configuration refuses.
    OwnNetwork,
}

impl Scope {
    /// The stable tag used in evidence and reports, such as `addr-ula`.
    pub fn tag(self) -> &'static str {
        match self {
            Self::Public => "addr-public",
            Self::Unspecified => "addr-unspecified",
            Self::Loopback => "addr-loopback",
            Self::Mapped => "addr-mapped",
            Self::V4Compatible => "addr-v4compat",
            Self::Translated => "addr-translated",
            Self::Discard => "addr-discard",
            Self::Teredo => "addr-teredo",
            Self::SixToFour => "addr-6to4",
            Self::Documentation => "addr-documentation",
            Self::Benchmarking => "addr-benchmarking",
            Self::UniqueLocal => "addr-ula",
            Self::LinkLocal => "addr-linklocal",
            Self::SiteLocal => "addr-sitelocal",
            Self::Multicast => "addr-multicast",
            Self::Private => "addr-private",
            Self::Reserved => "addr-reserved",
            Self::OwnNetwork => "addr-local",
        }
    }

    /// Whether an address of this scope may be dialled.
    pub fn is_public(self) -> bool {
        self == Self::Public
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.tag())
    }
}
