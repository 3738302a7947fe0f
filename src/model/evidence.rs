//! Evidence: what was asked, of whom, when, and what came back. Raw facts, versioned, never edited.
//!
//! One [`Observation`] is everything known about one site in one run from one vantage. It is a list of [`Round`]s; each
//! round is a list of explicit steps in the order of docs/method: lookups, connects, handshakes, walks. Every step has
//! exactly one outcome, one address, one family, a start, a duration and an attempt number. `None` always means "not
//! measured", never "measured and fine".

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::address::{Family, Scope};
use super::failure::{Failure, Limit};
use super::site::{Scheme, Site};
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
    /// 1 for the first pass, 2 for the second at the end of the run.
    pub number: u8,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// IPv6 transport was not used at all (the run was told so): IPv6 reach is not measured.
    pub without_ipv6: bool,
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
    /// Bounds of ours that were hit.
    pub limits: Vec<Limit>,
}

impl Round {
    /// An empty round.
    pub fn new(number: u8, started: Timestamp) -> Self {
        Self {
            number,
            started,
            ended: started,
            without_ipv6: false,
            lookups: Vec::new(),
            addresses: Vec::new(),
            connects: Vec::new(),
            handshakes: Vec::new(),
            walks: Vec::new(),
            sibling: None,
            limits: Vec::new(),
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
        };
        write!(f, "r{}/{step}/{}", self.round, self.index)
    }
}

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
    /// Names in the answer (for NS), without trailing dots.
    pub names: Vec<String>,
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

/// An address of the listed name and what was decided about dialling it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressFact {
    /// The address as DNS gave it.
    pub address: IpAddr,
    /// Its scope.
    pub scope: Scope,
    /// It was dialled: public, and among the first eight of its family.
    pub dialled: bool,
}

/// One attempt to open a TCP connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Connect {
    /// The address dialled.
    pub address: IpAddr,
    /// The port dialled.
    pub port: u16,
    /// None: open. Otherwise why not.
    pub failure: Option<Failure>,
    /// When the attempt began.
    pub started: Timestamp,
    /// To the outcome, in microseconds. For an open connection this is the TCP round trip.
    pub duration_us: u64,
    /// Which attempt at this address and port in this round, from 1.
    pub attempt: u8,
}

impl Connect {
    /// The family of the address.
    pub fn family(&self) -> Family {
        Family::of(self.address)
    }

    /// The connection was opened.
    pub fn is_open(&self) -> bool {
        self.failure.is_none()
    }
}

/// One TLS handshake on an open connection. Certificate faults never end it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Handshake {
    /// The peer.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
    /// The name sent as SNI (RFC 6066).
    pub server_name: String,
    /// None: completed. Otherwise why not.
    pub failure: Option<Failure>,
    /// `TLS1.2` or `TLS1.3`. None: not completed.
    pub protocol: Option<String>,
    /// Facts of the presented certificate. None: none was seen.
    pub certificate: Option<Certificate>,
    /// When it began.
    pub started: Timestamp,
    /// To the outcome, in microseconds.
    pub duration_us: u64,
    /// Which attempt, from 1.
    pub attempt: u8,
}

/// A presented certificate chain, verified against the trust anchors without consequence for the connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// SHA-256 of the leaf's DER bytes, in hexadecimal.
    pub sha256: String,
    /// Subject common name, cut to 200 characters. None: it has none.
    pub subject: Option<String>,
    /// Issuer common name, cut to 200 characters. None: it has none.
    pub issuer: Option<String>,
    /// DNS names it is for: at most 20 are kept.
    pub names: Vec<String>,
    /// Valid from.
    pub not_before: Timestamp,
    /// Valid until.
    pub not_after: Timestamp,
    /// Certificates presented.
    pub chain_length: usize,
    /// Why it does not verify. Empty: it does.
    pub faults: Vec<CertificateFault>,
}

/// Why a certificate does not verify (RFC 5280, RFC 6125).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CertificateFault {
    /// It is for other names.
    Name,
    /// Its time is over.
    Expired,
    /// Its time has not come.
    NotYetValid,
    /// Signed by itself.
    SelfSigned,
    /// No path to a trust anchor: unknown authority or missing intermediate.
    UnknownIssuer,
    /// Anything else the verifier refuses.
    Other,
}

impl CertificateFault {
    /// The stable word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::SelfSigned => "self_signed",
            Self::UnknownIssuer => "unknown_issuer",
            Self::Other => "other",
        }
    }
}

/// Why a walk was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// To measure the site by one of its entries.
    Entry,
    /// The IPv4 landing page once more, to know how much the page differs from itself.
    NoiseFloor,
}

/// A walk: from an entry URL over redirects to a landing page, in one family from first to last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Walk {
    /// The family of every connection in it.
    pub family: Family,
    /// The scheme of the entry URL.
    pub scheme: Scheme,
    /// What it was made for.
    pub purpose: Purpose,
    /// Every page or redirect on the way. The first is the entry.
    pub hops: Vec<Hop>,
    /// How it ended.
    pub end: WalkEnd,
}

impl Walk {
    /// The last exchange, if the walk ended on one.
    pub fn landing(&self) -> Option<&Exchange> {
        match self.end {
            WalkEnd::Landed => self.hops.last().and_then(|hop| hop.exchange.as_ref()),
            _ => None,
        }
    }

    /// The URL of the last hop.
    pub fn landing_url(&self) -> Option<&str> {
        self.hops.last().map(|hop| hop.url.as_str())
    }
}

/// How a walk ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WalkEnd {
    /// At a response that is not a redirect we follow. Any status.
    Landed,
    /// A step failed; the last hop says at which address.
    Failed(Failure),
    /// More redirects than are followed.
    TooManyRedirects,
    /// Back at a URL already seen with the same cookies.
    RedirectLoop,
    /// A redirect to a name or literal whose addresses in this family are all refused by the address policy.
    RedirectInternal(Scope),
    /// A redirect to a name without an address in this family (IPv6: the next page is IPv4-only).
    RedirectNoAddress,
    /// A redirect whose target could not be resolved; the lookup has the outcome.
    RedirectUnresolved(LookupOutcome),
    /// A redirect to something that is not a fetchable http(s) URL.
    RedirectBadTarget,
}

/// What led to a hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// The entry itself.
    Start,
    /// An HTTP redirect with this status.
    Redirect(u16),
    /// `<meta http-equiv="refresh">`.
    MetaRefresh,
    /// A page with nothing but one literal `location` assignment.
    Script,
    /// The same URL again after the server asked to wait (Retry-After).
    RetryAfter,
}

/// One request of a walk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hop {
    /// The URL requested, at most 2,000 bytes.
    pub url: String,
    /// What led here.
    pub via: Via,
    /// The address used. None: no connection was made.
    pub address: Option<IpAddr>,
    /// The port used.
    pub port: u16,
    /// Index into [`Round::handshakes`]. None: no TLS.
    pub handshake: Option<usize>,
    /// The response. None: there was none; see the walk's end.
    pub exchange: Option<Exchange>,
}

/// One HTTP response.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exchange {
    /// Status code.
    pub status: u16,
    /// Location, cut to 2,000 bytes. None: not sent.
    pub location: Option<String>,
    /// Server, cut to 200 bytes. None: not sent.
    pub server: Option<String>,
    /// Content-Type, cut to 200 bytes. None: not sent.
    pub content_type: Option<String>,
    /// Retry-After in seconds. None: not sent, or not readable.
    pub retry_after_s: Option<u64>,
    /// Names of cookies that were set: at most 20.
    pub cookies: Vec<String>,
    /// When the request was sent.
    pub started: Timestamp,
    /// Request to first byte of the response head, in microseconds.
    pub ttfb_us: u64,
    /// Request to end of body, in microseconds.
    pub total_us: u64,
    /// Body bytes as they came over the wire.
    pub wire_bytes: u64,
    /// Body bytes after content decoding.
    pub decoded_bytes: u64,
    /// The body's end was not reached, and why. None: complete.
    pub body_failure: Option<Failure>,
    /// SHA-256 of the decoded body, in hexadecimal.
    pub digest: String,
    /// What the page holds. None: not text.
    pub page: Option<Page>,
}

impl Exchange {
    /// 2xx or 3xx-final.
    pub fn is_success(&self) -> bool {
        (200..400).contains(&self.status)
    }
}

/// What was read from a page. The body itself is not kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Page {
    /// The character encoding it was decoded from.
    pub charset: String,
    /// Title, white space folded, cut to 200 characters. None: it has none.
    pub title: Option<String>,
    /// Characters of visible text.
    pub text_chars: u64,
    /// Links of the same site.
    pub links: Sketch,
    /// Embedded resources of the same site: images, scripts, styles.
    pub assets: Sketch,
    /// Shingles of the visible text, digits folded.
    pub text: Sketch,
    /// What kind of page this is by its marks: signature identifiers such as `default:nginx`, `challenge:script-only`.
    pub marks: Vec<String>,
    /// Only scripts could tell where this page leads; nothing readable is on it.
    pub script_redirect: bool,
}

/// A bottom-k sketch of a set: the set's size, and its k smallest hashes, from which the share two sets have in common
/// (Jaccard) can be estimated (Broder 1997). Exact for sets of up to k members.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sketch {
    /// Members of the set.
    pub size: u32,
    /// The smallest hashes, ascending, at most [`Sketch::K`].
    #[serde(with = "hex_words")]
    pub smallest: Vec<u32>,
}

impl Sketch {
    /// How many hashes are kept.
    pub const K: usize = 96;

    /// Builds a sketch from the hashes of a set's members.
    pub fn from_hashes(mut hashes: Vec<u32>) -> Self {
        hashes.sort_unstable();
        hashes.dedup();
        let size = u32::try_from(hashes.len()).unwrap_or(u32::MAX);
        hashes.truncate(Self::K);
        Self { size, smallest: hashes }
    }

    /// Estimated share of common members, 0 to 1. None: both sets are empty.
    pub fn jaccard(&self, other: &Self) -> Option<f64> {
        let mut union: Vec<u32> = self.smallest.iter().chain(&other.smallest).copied().collect();
        union.sort_unstable();
        union.dedup();
        union.truncate(Self::K);
        if union.is_empty() {
            return None;
        }
        let both = |hash: &u32| self.smallest.binary_search(hash).is_ok() && other.smallest.binary_search(hash).is_ok();
        Some(union.iter().filter(|hash| both(hash)).count() as f64 / union.len() as f64)
    }
}

/// Hashes as one string of hexadecimal words, eight digits each.
mod hex_words {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(words: &[u32], serializer: S) -> Result<S::Ok, S::Error> {
        use std::fmt::Write;
        let mut text = String::with_capacity(words.len() * 8);
        for word in words {
            // Writing to a string cannot fail.
            let _ = write!(text, "{word:08x}");
        }
        serializer.serialize_str(&text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u32>, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        if text.len() % 8 != 0 || !text.is_ascii() {
            return Err(D::Error::custom("hash list is not a row of eight-digit words"));
        }
        (0..text.len() / 8)
            .map(|i| u32::from_str_radix(&text[i * 8..i * 8 + 8], 16).map_err(D::Error::custom))
            .collect()
    }
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
