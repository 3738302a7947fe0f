//! Evidence: what was asked, of whom, when, and what came back. Raw facts, versioned, never edited.
//!
//! One [`Observation`] is everything known about one site in one run from one vantage. It is a list of [`Round`]s; each
//! round is a list of explicit steps in the order of docs/method: lookups, delegations, connects, handshakes, walks. Every step has
//! exactly one outcome, one address, one family, a start, a duration and an attempt number. `None` always means "not
//! measured", never "measured and fine".

mod connection;
mod delegation;
mod host;
mod links;
mod lookup;
mod mail;
mod page;
mod proof;
mod resources;
mod rival;
mod samples;
mod walk;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use self::connection::{AddressFact, Certificate, CertificateFault, Connect, Handshake};
pub use self::delegation::{
    Delegation, Glue, NameServer, NsAnswer, ServerCheck, WalkStep, Whose, Word, ZoneWalk, ZoneWalkEnd,
};
pub use self::host::{HOST_TRIES, HostCheck, HostSide, Unasked, is_unqualified};
pub use self::links::{Fetch, FetchEnd, Found, Link, Links, Owner};
pub use self::lookup::{
    AddressRecord, Alias, BrokenReply, DnsTransport, Lookup, LookupOutcome, RecordType, ServerRole, Sibling,
};
pub use self::mail::{Mail, MailEnd, MailHost, MailTry};
pub use self::page::{Page, Sketch};
pub use self::proof::MssProof;
pub use self::resources::{ResourceHost, ResourceKind, Resources};
pub use self::rival::Rival;
pub use self::samples::Sample;
pub use self::walk::{Exchange, Hop, Purpose, Via, Walk, WalkEnd};
use super::address::Family;
use super::failure::Limit;
use super::site::Site;
use super::time::Timestamp;

/// Version of the stored shape. A reader refuses versions it does not know.
pub const EVIDENCE_VERSION: u32 = 1;

/// All evidence for one site in one run from one vantage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// [`EVIDENCE_VERSION`] at the time of writing.
    pub version: u32,
    /// The site that was probed.
    pub site: Site,
    /// The rounds that were finished, in order. Never empty once stored.
    pub rounds: Vec<Round>,
}

/// One pass over all steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// From 1, in the order in which the site's rounds were measured. A site has one; a second one if a failure wants a
    /// second look; further ones in place of those an outage of ours spoilt (docs/method/gate.md).
    pub number: u8,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// IPv6 transport was not used at all (the run was told so): IPv6 reach is not measured.
    pub without_ipv6: bool,
    /// An answer was contradicted by a second one. What had been built on it was dropped, and all steps were made again
    /// with DNS over TCP alone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dns_over_tcp: bool,
    /// Every DNS query, in the order asked.
    pub lookups: Vec<Lookup>,
    /// Every address the listed name has, dialled or not.
    pub addresses: Vec<AddressFact>,
    /// Every TCP connection attempt.
    pub connects: Vec<Connect>,
    /// Every TLS handshake.
    pub handshakes: Vec<Handshake>,
    /// Every walk from an entry URL to its landing page.
    pub walks: Vec<Walk>,
    /// What was found under the sibling name (`www.` added or removed). None: not asked.
    pub sibling: Option<Sibling>,
    /// The zone of the listed name and those of its alias chain. Empty: not measured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub delegations: Vec<Delegation>,
    /// Bounds of ours that were hit.
    pub limits: Vec<Limit>,
    /// Requests over IPv6 that stalled and were repeated with small segments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mss_proofs: Vec<MssProof>,
    /// The site's links. None: not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub links: Option<Links>,
    /// What its landing page is put together from. None: not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// Samples of its landing page, in the order in which they were taken. Empty: not measured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<Sample>,
    /// How mail for its name is taken. None: not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<Mail>,
    /// The program itself failed while it measured: whatever was seen is lost, and nothing in this round says anything
    /// about the site.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub internal_error: bool,
}

impl Round {
    /// An empty round.
    pub fn new(number: u8, started: Timestamp) -> Self {
        Self {
            number,
            started,
            ended: started,
            without_ipv6: false,
            dns_over_tcp: false,
            lookups: Vec::new(),
            addresses: Vec::new(),
            connects: Vec::new(),
            handshakes: Vec::new(),
            walks: Vec::new(),
            sibling: None,
            delegations: Vec::new(),
            limits: Vec::new(),
            mss_proofs: Vec::new(),
            links: None,
            resources: None,
            samples: Vec::new(),
            mail: None,
            internal_error: false,
        }
    }

    /// Index of the walk of a family that requested this entry URL, and of the hop at which it did. A page is requested
    /// once: where http leads to https of the same name, the walk from the http entry holds the https entry as a later
    /// hop. None: the entry was not requested.
    pub fn entry(&self, family: Family, url: &str) -> Option<(usize, usize)> {
        let walks = self.walks.iter().enumerate().filter(|(_, w)| w.family == family && w.purpose == Purpose::Entry);
        let requests = walks.filter_map(|(i, walk)| Some((i, walk.hops.iter().position(|hop| hop.url == url)?)));
        // The entry's own walk, where another one came by as well.
        requests.min_by_key(|(_, hop)| *hop)
    }
}

/// Which steps of a round a statement rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// Index into [`Round::lookups`].
    Lookup,
    /// Index into [`Round::addresses`].
    Address,
    /// Index into [`Round::connects`].
    Connect,
    /// Index into [`Round::handshakes`].
    Handshake,
    /// Index into [`Round::walks`].
    Walk,
    /// [`Round::sibling`].
    Sibling,
    /// Index into [`Round::delegations`].
    Delegation,
    /// Index into [`Round::mss_proofs`].
    MssProof,
    /// Index into the links of [`Round::links`].
    Link,
    /// Index into the hosts of [`Round::resources`].
    Resource,
    /// Index into [`Round::samples`].
    Sample,
    /// Index into the hosts of [`Round::mail`]; 0 where it names none.
    Mail,
    /// The round as a whole; the index is 0.
    Round,
}

/// A pointer into the evidence: round, step, index. Written `r1/connect/3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Pointer {
    /// [`Round::number`].
    pub round: u8,
    /// Which list.
    pub step: StepKind,
    /// Index from 0.
    pub index: usize,
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let step = match self.step {
            StepKind::Lookup => "lookup",
            StepKind::Address => "address",
            StepKind::Connect => "connect",
            StepKind::Handshake => "handshake",
            StepKind::Walk => "walk",
            StepKind::Sibling => "sibling",
            StepKind::Delegation => "delegation",
            StepKind::MssProof => "mss_proof",
            StepKind::Link => "link",
            StepKind::Resource => "resource",
            StepKind::Sample => "sample",
            StepKind::Mail => "mail",
            StepKind::Round => "round",
        };
        write!(f, "r{}/{step}/{}", self.round, self.index)
    }
}
