//! Steps from an entry URL to a landing page: hops, requests, responses, and how the walk ended.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::lookup::LookupOutcome;
use super::page::Page;
use crate::model::address::{Family, Scope};
use crate::model::failure::Failure;
use crate::model::site::Scheme;
use crate::model::time::Timestamp;

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
    /// A redirect to a port that this program does not go to.
    RedirectPort(u16),
    /// A redirect to a name whose owner asked not to be measured. Nothing was sent there, and no name server asked.
    RedirectOptedOut,
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
    /// Index into [`Round::handshakes`](super::Round::handshakes). None: no TLS.
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
    /// Retry-After in seconds from the response on, whichever form it had. None: not sent, or not readable.
    pub retry_after_s: Option<u64>,
    /// What time it was at the server: Date, and Age on top where the response comes from a cache (RFC 9110 §6.6.1, RFC 9111
    /// §5.1). None: not sent, or not readable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<Timestamp>,
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
