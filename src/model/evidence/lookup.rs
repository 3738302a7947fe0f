//! Steps of naming: what was asked of which DNS server, and what came back.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::rival::Rival;
use crate::model::address::Family;
use crate::model::time::Timestamp;

/// DNS record types that are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RecordType {
    /// IPv4 address.
    A,
    /// IPv6 address (RFC 3596).
    Aaaa,
    /// Name server.
    Ns,
    /// Start of authority.
    Soa,
    /// Service binding for the web, which may carry address hints (RFC 9460).
    Https,
    /// Hosts that take mail for the name (RFC 5321 §5.1).
    Mx,
}

impl RecordType {
    /// The record type that carries addresses of a family.
    pub fn of(family: Family) -> Self {
        match family {
            Family::V4 => Self::A,
            Family::V6 => Self::Aaaa,
        }
    }

    /// The DNS mnemonic.
    pub fn name(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Ns => "NS",
            Self::Soa => "SOA",
            Self::Https => "HTTPS",
            Self::Mx => "MX",
        }
    }
}

/// What the asked server is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServerRole {
    /// A recursive resolver from the configuration.
    Resolver,
    /// An authoritative name server of the name's zone, asked without recursion.
    Authority,
}

/// Transport of a DNS exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DnsTransport {
    /// UDP.
    Udp,
    /// TCP (RFC 7766).
    Tcp,
}

/// The outcome of one lookup. Ten values that are never merged (docs/method/lookup.md); the eleventh is our own fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LookupOutcome {
    /// At least one record of the asked type for the end of the CNAME chain.
    Answer,
    /// NOERROR without such a record, with the zone's SOA (RFC 2308 §2.2).
    Nodata,
    /// NOERROR without such a record and without SOA.
    NodataNosoa,
    /// The name does not exist.
    Nxdomain,
    /// SERVFAIL.
    Servfail,
    /// REFUSED.
    Refused,
    /// NOTIMP.
    Notimp,
    /// FORMERR.
    Formerr,
    /// No usable reply within the deadline.
    Timeout,
    /// A reply that cannot be used; see [`Lookup::broken`].
    Broken,
    /// We could not ask: no route, no descriptors. Not evidence about the name.
    NotAsked,
}

impl LookupOutcome {
    /// The stable word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Nodata => "nodata",
            Self::NodataNosoa => "nodata_nosoa",
            Self::Nxdomain => "nxdomain",
            Self::Servfail => "servfail",
            Self::Refused => "refused",
            Self::Notimp => "notimp",
            Self::Formerr => "formerr",
            Self::Timeout => "timeout",
            Self::Broken => "broken",
            Self::NotAsked => "not_asked",
        }
    }
}

/// In which way a reply was unusable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BrokenReply {
    /// The message does not parse.
    Malformed,
    /// An address record of the wrong length (RFC 3596 wants 16 bytes).
    BadRdata,
    /// The reply repeats another question than was asked.
    WrongQuestion,
    /// A negative answer with the SOA of a zone that the name is not in.
    ForeignSoa,
    /// The CNAME chain returns to itself.
    CnameLoop,
    /// The CNAME chain is longer than is followed.
    CnameTooLong,
    /// The answer does not fit UDP, and TCP does not work.
    TruncatedNoTcp,
    /// Truncated even over TCP.
    TruncatedOverTcp,
    /// A response code that means nothing here (NOTAUTH, BADVERS, ...).
    UnexpectedRcode,
}

impl BrokenReply {
    /// The stable word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::BadRdata => "bad_rdata",
            Self::WrongQuestion => "wrong_question",
            Self::ForeignSoa => "foreign_soa",
            Self::CnameLoop => "cname_loop",
            Self::CnameTooLong => "cname_too_long",
            Self::TruncatedNoTcp => "tc_no_tcp",
            Self::TruncatedOverTcp => "tc_over_tcp",
            Self::UnexpectedRcode => "unexpected_rcode",
        }
    }
}

/// One DNS exchange: one question to one server, with its TCP repeat if the UDP answer was truncated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lookup {
    /// The name asked for, as A-labels without a trailing dot. It was sent absolute.
    pub name: String,
    /// The type asked for.
    pub rtype: RecordType,
    /// Who was asked.
    pub server: SocketAddr,
    /// As what.
    pub role: ServerRole,
    /// The transport the outcome came over.
    pub transport: DnsTransport,
    /// The UDP answer was truncated and the question repeated over TCP.
    pub retried_over_tcp: bool,
    /// The query had the CD bit: the resolver was told not to validate DNSSEC.
    pub checking_disabled: bool,
    /// What came back.
    pub outcome: LookupOutcome,
    /// How a [`LookupOutcome::Broken`] reply was broken. None: it was not.
    pub broken: Option<BrokenReply>,
    /// The AA bit of the reply. None: no reply.
    pub authoritative: Option<bool>,
    /// The AD bit of the reply. None: no reply.
    pub authenticated: Option<bool>,
    /// Owner of the SOA in the authority section. None: there was none.
    pub soa_owner: Option<String>,
    /// CNAME records in chain order.
    pub chain: Vec<Alias>,
    /// Address records at the end of the chain: at most 32 are kept.
    pub addresses: Vec<AddressRecord>,
    /// Names in the answer (for NS and MX), without trailing dots. Those of MX stand in the order of preference; `.` is the root.
    pub names: Vec<String>,
    /// IPv6 addresses that an HTTPS record hints at (RFC 9460 §7.3). Noted, never dialled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<Ipv6Addr>,
    /// A second, different reply to the same query. None: none came, or nobody listened for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rival: Option<Rival>,
    /// When the question was sent.
    pub started: Timestamp,
    /// From question to outcome, in microseconds.
    pub duration_us: u64,
    /// Which attempt this was within the round, from 1.
    pub attempt: u8,
}

impl Lookup {
    /// The server said something, right or wrong.
    pub fn replied(&self) -> bool {
        !matches!(self.outcome, LookupOutcome::Timeout | LookupOutcome::NotAsked)
    }
}

/// One CNAME record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alias {
    /// Owner name.
    pub from: String,
    /// Target name.
    pub to: String,
    /// Time to live in seconds.
    pub ttl: u32,
}

/// One address record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressRecord {
    /// The address.
    pub address: IpAddr,
    /// Time to live in seconds.
    pub ttl: u32,
}

/// What the sibling name has: `www.` added where the listed name has none, removed where it has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sibling {
    /// The sibling name.
    pub host: String,
    /// Its A lookup had a usable address. None: not asked, or not conclusive.
    pub has_a: Option<bool>,
    /// Its AAAA lookup had a usable address. None: not asked, or not conclusive.
    pub has_aaaa: Option<bool>,
    /// The walks of this round were made from the sibling, since the listed name has no address at all.
    pub judged: bool,
}
