//! Steps of delegation: who speaks for a zone, what its parent says of it, whether its name servers answer over IPv6, and
//! how far a resolver without IPv4 gets.
//!
//! A zone is looked at once per run, not once per site: sites of one zone carry the same facts, with the times at which
//! they were learnt.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::connection::AddressFact;
use super::lookup::{BrokenReply, DnsTransport, LookupOutcome};
use crate::model::failure::Failure;
use crate::model::time::Timestamp;

/// Why a zone was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Whose {
    /// The listed name is in it.
    Listed,
    /// A name of the alias chain is in it, and the listed name is not.
    Alias,
}

/// One zone, and all that was learnt about its delegation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delegation {
    /// Why it was looked at.
    pub whose: Whose,
    /// Its apex, found by SOA, as A-labels without a trailing dot.
    pub zone: String,
    /// The zone that it is delegated from, found in the same way. None: not found.
    pub parent: Option<String>,
    /// What the parent's servers say.
    pub referrals: Vec<NsAnswer>,
    /// What the zone's own servers say.
    pub own: Vec<NsAnswer>,
    /// Every name server that either side names, by name.
    pub servers: Vec<NameServer>,
    /// Every question to a name server over IPv6, in the order asked.
    pub checks: Vec<ServerCheck>,
    /// The way of a resolver without IPv4 from the root to this zone. None: not made.
    pub walk: Option<ZoneWalk>,
    /// A bound of ours ended it early; what was learnt before stands.
    pub cut_short: bool,
}

/// The NS set of a zone as one server gives it. The question was put without recursion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NsAnswer {
    /// Who was asked.
    pub server: SocketAddr,
    /// What came back. A referral has no answer, so it is `nodata_nosoa`.
    pub outcome: LookupOutcome,
    /// The AA bit. None: no reply.
    pub authoritative: Option<bool>,
    /// The name servers, by name. Empty: the reply names none for this zone.
    pub names: Vec<String>,
    /// Addresses that came along with them. Of an answer with authority none are kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub glue: Vec<Glue>,
    /// When the question was sent.
    pub started: Timestamp,
    /// From question to outcome, in microseconds.
    pub duration_us: u64,
}

/// The address of a name server as its parent's servers give it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Glue {
    /// The name server.
    pub name: String,
    /// The address.
    pub address: IpAddr,
}

/// A name server of a zone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NameServer {
    /// Its name.
    pub name: String,
    /// The name that it is an alias of, which it must not be (RFC 2181 §10.3). None: it is none, as far as is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// What the resolvers said about its AAAA, in the order asked. Positive answers end the asking.
    pub aaaa: Vec<Word>,
    /// Its IPv6 addresses; `dialled` are those that were asked.
    pub addresses: Vec<AddressFact>,
}

/// What one source said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Word {
    /// Who was asked.
    pub server: SocketAddr,
    /// What came back.
    pub outcome: LookupOutcome,
}

/// One question for the zone's SOA to one address of a name server, over IPv6, without recursion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerCheck {
    /// The address.
    pub address: IpAddr,
    /// The transport the question went over first.
    pub transport: DnsTransport,
    /// The zone that was asked for. None: this one. TCP is a matter of the server, so that its working for another zone
    /// is not asked again. `.`: the root, as a control.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_for: Option<String>,
    /// What came back.
    pub outcome: LookupOutcome,
    /// How a [`LookupOutcome::Broken`] reply was broken. None: it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<BrokenReply>,
    /// How sending or connecting failed. None: it did not, or nothing came back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// The AA bit. None: no reply.
    pub authoritative: Option<bool>,
    /// Owner of the SOA record that came back. None: there was none.
    pub soa_owner: Option<String>,
    /// When the question was sent.
    pub started: Timestamp,
    /// From question to outcome, in microseconds.
    pub duration_us: u64,
    /// Which attempt this was within the round, from 1.
    pub attempt: u8,
}

/// The way of a resolver that has IPv6 only, from the root to a zone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ZoneWalk {
    /// The questions on the way that made it go on or end. Those that other sites' walks had asked before are among them.
    pub steps: Vec<WalkStep>,
    /// How it ended.
    pub end: ZoneWalkEnd,
}

/// One question on the way from the root.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WalkStep {
    /// The zone whose server was asked. Empty: the root.
    pub zone: String,
    /// The name asked for.
    pub name: String,
    /// Who was asked.
    pub server: SocketAddr,
    /// What came back.
    pub outcome: LookupOutcome,
    /// The AA bit. None: no reply.
    pub authoritative: Option<bool>,
    /// The zone cut that the reply points to. None: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<String>,
    /// When the question was sent.
    pub started: Timestamp,
    /// From question to outcome, in microseconds.
    pub duration_us: u64,
}

/// How a walk over IPv6 ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ZoneWalkEnd {
    /// At a server of the zone, which spoke with authority.
    Reached,
    /// None of the name servers of this zone has an IPv6 address that such a resolver could find.
    NoAddress(String),
    /// No server of this zone that has one answered.
    NoAnswer(String),
    /// What the servers of this zone answered led nowhere.
    NoUse(String),
    /// The root's servers did not answer as they should: this says something about the vantage, nothing about the zone.
    NoRoot,
    /// A bound of ours came first.
    Limit,
}

impl ServerCheck {
    /// The answer counts: from the zone's own data, for the zone asked for (the conditions of Zonemaster's Connectivity01).
    pub fn counts(&self, zone: &str) -> bool {
        let owner = self.asked_for.as_deref().unwrap_or(zone);
        self.outcome == LookupOutcome::Answer
            && self.authoritative == Some(true)
            && self.soa_owner.as_deref() == Some(owner)
    }

    /// It was put to the root, to show that this vantage can ask over IPv6 at all.
    pub fn is_control(&self) -> bool {
        self.asked_for.as_deref() == Some(".")
    }

    /// The server said something, right or wrong.
    pub fn replied(&self) -> bool {
        !matches!(self.outcome, LookupOutcome::Timeout | LookupOutcome::NotAsked)
    }
}

impl NsAnswer {
    /// The set given with authority by a server of the zone itself, or below the zone cut by one of its parent.
    pub fn is_given(&self, with_authority: bool) -> bool {
        !self.names.is_empty() && self.authoritative == Some(with_authority)
    }
}
