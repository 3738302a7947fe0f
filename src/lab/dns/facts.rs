//! What the pretended DNS says: names, zones, servers, and the ways in which answers can be odd.
//!
//! Leaves to others: turning facts into messages (`answer`) and sockets ([`super`]).

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::Deserialize;

use crate::lab::span::Span;
use crate::model::evidence::{DnsTransport, RecordType, ServerRole};

/// What a name has. A name without any fact exists and has no data.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NameFacts {
    /// IPv4 addresses.
    pub a: Vec<Ipv4Addr>,
    /// IPv6 addresses.
    pub aaaa: Vec<Ipv6Addr>,
    /// The name this one is an alias of. None: it is no alias.
    pub cname: Option<String>,
    /// The name that replaces this one in everything below it (RFC 6672). None: nothing is replaced.
    pub dname: Option<String>,
    /// Time to live in seconds. None: 300.
    pub ttl: Option<u32>,
    /// IPv6 hints of an HTTPS record (RFC 9460). Empty: there is no such record.
    pub hints: Vec<Ipv6Addr>,
    /// MX records, preference and host each: `"10 mx.school.example"`; `"0 ."` says that no mail is taken (RFC 7505).
    pub mx: Vec<String>,
    /// Every answer carries one address only, the next one each time, as location-dependent DNS does.
    pub rotate: bool,
    /// Odd behaviours; the first that fits a query is what happens.
    pub odd: Vec<Odd>,
}

/// One odd behaviour and the queries it is for. A filter that is not given fits every query.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Odd {
    /// The record type asked for.
    #[serde(rename = "type")]
    pub rtype: Option<RecordType>,
    /// Who is asked: `resolver`, `authority`, or one server's address.
    pub server: Option<Asked>,
    /// `udp` or `tcp`.
    pub transport: Option<DnsTransport>,
    /// The n-th query that all other filters fit, from 1.
    pub nth: Option<Span>,
    /// Whether the query must have (or must not have) the CD bit.
    pub cd: Option<bool>,
    /// What happens.
    #[serde(rename = "do")]
    pub deed: Deed,
    /// Milliseconds before the answer is sent; for [`Deed::Twice`], before the second one is.
    pub ms: u64,
    /// Owner of the SOA record of [`Deed::ForeignSoa`], or the name in the question of [`Deed::WrongQuestion`].
    pub owner: Option<String>,
    /// Addresses that take the place of the name's own, for [`Deed::Answer`] and the first reply of [`Deed::Twice`].
    pub answers: Vec<IpAddr>,
}

/// Who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Asked {
    /// Any resolver, or any authoritative server.
    Role(ServerRole),
    /// This server.
    Address(IpAddr),
}

/// What a server does with a query.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// Answers from the facts, perhaps late or with other addresses.
    #[default]
    Answer,
    /// Says nothing.
    Drop,
    /// Closes the TCP connection without an answer; over UDP it says nothing.
    Close,
    /// SERVFAIL.
    Servfail,
    /// NXDOMAIN with the zone's SOA.
    Nxdomain,
    /// NOTIMP.
    Notimp,
    /// REFUSED.
    Refused,
    /// FORMERR.
    Formerr,
    /// NOTAUTH, which means nothing in an answer to a query.
    Notauth,
    /// NOERROR without data, with the zone's SOA.
    Nodata,
    /// NOERROR without data and without SOA.
    NodataNosoa,
    /// NOERROR without data, with the SOA of a zone that has nothing to do with the name.
    ForeignSoa,
    /// An AAAA record with four bytes of data, or an A record with three.
    BadRdata,
    /// Nothing but the TC bit.
    Truncated,
    /// Repeats another question.
    WrongQuestion,
    /// Carries another identifier.
    WrongId,
    /// Bytes that are no DNS message, after the right identifier.
    Garbage,
    /// A name whose compression pointer points at itself (RFC 1035 §4.1.4).
    PointerLoop,
    /// Answers from the facts, with every name in capitals.
    OtherCase,
    /// Over TCP, a byte now and then; over UDP, nothing but the TC bit.
    Drip,
    /// Two replies over UDP: one with [`Odd::answers`], then the true one.
    Twice,
}

/// What a zone has. A zone of which nothing is said gets two healthy dual-stack name servers.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ZoneFacts {
    /// Name servers with their addresses, as the zone itself names them. Empty: the two default ones.
    pub ns: BTreeMap<String, Vec<IpAddr>>,
    /// Name servers that the parent names. Empty: the same.
    pub parent: Vec<String>,
    /// Addresses that the parent gives along with its name servers. None: all that are within the name above the zone's.
    pub glue: Option<BTreeMap<String, Vec<IpAddr>>>,
}

/// How a DNS server is reached on port 53, and whether it tells the truth.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerFacts {
    /// Over UDP.
    pub udp: Reach,
    /// Over TCP.
    pub tcp: Reach,
    /// How it speaks for its zones.
    pub speaks: Speech,
    /// What it does to every answer. None: nothing.
    pub habit: Option<Habit>,
}

/// How a server speaks for its zones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speech {
    /// With authority.
    #[default]
    Well,
    /// REFUSED: it was never told of them.
    Refused,
    /// SERVFAIL: it could not load them.
    Servfail,
    /// Without the AA bit, as a cache does.
    WithoutAuthority,
}

/// What a DNS server does to every answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Habit {
    /// Makes AAAA records of A records with this /96 prefix, where there are none (RFC 6147).
    Dns64(Ipv6Addr),
    /// Gives this address to every name that does not exist.
    Invents(Ipv4Addr),
    /// Says that no name has AAAA.
    DeniesAaaa,
    /// Says that no name exists.
    DeniesAll,
    /// REFUSED to everything.
    Refuses,
    /// Hears everything, and answers nothing.
    Ignores,
    /// SERVFAIL to so many of a hundred queries, without a pattern.
    Fails(u64),
}

/// Whether something answers at a port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// It answers.
    #[default]
    Open,
    /// TCP: reset. UDP: an ICMP port unreachable, which looks the same to the asker.
    Refused,
    /// Nothing comes back.
    Timeout,
    /// TCP: the first byte of an answer, and no more.
    Drip,
}

/// The canonical spelling of a name within the lab: lower case, without the trailing dot; the root is empty.
pub(in crate::lab) fn canonical(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}
