//! The closed vocabulary of what can go wrong in one step of a measurement.
//!
//! A site's failure is data, never an error of ours. Each word says which step failed and how; anything that is our own
//! fault ([`Failure::is_local`]) is kept apart and never becomes evidence about a site.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::address::Scope;

/// Why one step failed. The `Display` form is the stable word used in `schools.csv` and on reports.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// The address is not one that may be dialled; nothing was sent.
    ScopeRefused(Scope),
    /// TCP reset in answer to SYN.
    Refused,
    /// TCP reset after the connection was open.
    Reset,
    /// No answer to SYN within the deadline.
    Timeout,
    /// An ICMP error came back. The number is the operating system's view of it.
    Unreachable(Icmp),
    /// The TLS peer sent a fatal alert (RFC 8446 §6); the number is the alert.
    TlsAlert(u8),
    /// No progress of the TLS handshake within the deadline.
    TlsStall,
    /// The peer speaks a TLS that the client library does not: only TLS 1.0/1.1, only RSA key exchange, TLCP.
    TlsUnsupported,
    /// The answer to the TLS greeting was not TLS, but HTTP in clear text.
    HttpOnTlsPort,
    /// The answer to the TLS greeting was neither TLS nor HTTP.
    TlsMalformed,
    /// The peer closed the connection during the TLS handshake without an alert.
    TlsEof,
    /// No response head within the deadline.
    HttpStall,
    /// The peer closed the connection before a response head.
    HttpEof,
    /// The response is not HTTP/1.x.
    HttpMalformed,
    /// The body ended before its announced or chunked end.
    EarlyEof,
    /// A limit of ours ended the step.
    Limit(Limit),
    /// No route to the address family at all: this vantage's fault, not evidence.
    NoRoute,
    /// The operating system refused us a resource (descriptors, buffers, ports): not evidence.
    LocalResource,
}

impl Failure {
    /// Ours, not the site's: never evidence about a site.
    pub fn is_local(&self) -> bool {
        matches!(self, Self::NoRoute | Self::LocalResource)
    }

    /// Weather: worth another attempt within the same round (docs/method/README.md, attempts).
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Timeout
                | Self::Reset
                | Self::TlsStall
                | Self::TlsEof
                | Self::HttpStall
                | Self::HttpEof
                | Self::LocalResource
        )
    }

    /// The peer is there, and nothing more comes of what it should send: after the greeting, after the request, or in the
    /// middle of the page. A page that comes too slowly as a whole does come.
    pub fn is_stall(&self) -> bool {
        matches!(self, Self::TlsStall | Self::HttpStall | Self::Limit(Limit::Slow))
    }

    /// The stable word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::ScopeRefused(_) => "address_not_public",
            Self::Refused => "refused",
            Self::Reset => "reset",
            Self::Timeout => "timeout",
            Self::Unreachable(_) => "unreachable",
            Self::TlsAlert(_) => "tls_alert",
            Self::TlsStall => "tls_stall",
            Self::TlsUnsupported => "tls_unsupported",
            Self::HttpOnTlsPort => "http_on_443",
            Self::TlsMalformed => "tls_malformed",
            Self::TlsEof => "tls_eof",
            Self::HttpStall => "http_stall",
            Self::HttpEof => "http_eof",
            Self::HttpMalformed => "http_malformed",
            Self::EarlyEof => "early_eof",
            Self::Limit(limit) => limit.word(),
            Self::NoRoute => "no_route",
            Self::LocalResource => "local_resource",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ScopeRefused(scope) => write!(f, "address_not_public({scope})"),
            Self::Unreachable(icmp) => write!(f, "unreachable({})", icmp.word()),
            Self::TlsAlert(alert) => write!(f, "tls_alert({alert})"),
            other => f.write_str(other.word()),
        }
    }
}

/// What an ICMP or `ICMPv6` error said, as the operating system reports it (RFC 4443 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Icmp {
    /// No route to destination, from a router on the path (code 0), or network unreachable.
    Network,
    /// Address or host unreachable (code 3).
    Host,
    /// Administratively prohibited (code 1), or source address failed policy (code 5).
    Prohibited,
}

impl Icmp {
    /// The stable word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Host => "host",
            Self::Prohibited => "prohibited",
        }
    }
}

/// A bound of ours that a peer ran into. Bounds are configuration; running into one is evidence of itself only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// More addresses than are tried.
    Addresses,
    /// More CNAME records in a chain than are followed.
    Cname,
    /// More DNS queries than one site may cost.
    Queries,
    /// A message of the TLS handshake, such as the certificate chain, larger than is read.
    Handshake,
    /// Response head too large or with too many lines.
    Headers,
    /// Too many informational (1xx) responses.
    Informational,
    /// Body larger than is read. The part that was read is judged.
    Body,
    /// Decoded body too large for its wire size: a decompression bomb.
    Ratio,
    /// The peer sent too little per time.
    Slow,
    /// The whole fetch took too long.
    Total,
    /// The whole site took too long.
    Site,
    /// URL longer than is followed.
    Url,
    /// Page markup larger than is read.
    Markup,
    /// The server asked to be left alone for longer than a run waits (Retry-After).
    RetryAfter,
    /// More requests for links than one site may cost.
    Links,
    /// More hosts of embedded resources than are looked at.
    Hosts,
}

impl Limit {
    /// The stable word, as in `limit_body`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Addresses => "limit_addr",
            Self::Cname => "limit_cname",
            Self::Queries => "limit_queries",
            Self::Handshake => "limit_handshake",
            Self::Headers => "limit_headers",
            Self::Informational => "limit_informational",
            Self::Body => "limit_body",
            Self::Ratio => "limit_ratio",
            Self::Slow => "limit_slow",
            Self::Total => "limit_total",
            Self::Site => "limit_site",
            Self::Url => "limit_url",
            Self::Markup => "limit_markup",
            Self::RetryAfter => "limit_retry_after",
            Self::Links => "limit_links",
            Self::Hosts => "limit_hosts",
        }
    }
}
