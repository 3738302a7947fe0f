//! What a pretended web address does: at the door (TCP), in the greeting (TLS), and in its answers (HTTP).
//!
//! Tables nest: a port may hold virtual hosts (by Host header, and by SNI for TLS), each may hold paths, each may hold
//! n-th requests. **The innermost table that fits describes the whole answer**; nothing is inherited, except that a
//! table without `tls` of its own uses the port's. Leaves to others: saying it on a socket.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::Deserialize;

use super::counters::Counters;
use super::pages::PageName;
use crate::lab::span::Span;
use crate::lab::stable_hash;
use crate::lab::world::World;

/// One address. A port that is not named refuses connections.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HostFacts {
    /// Ports 80 and 443 alike, where they are not given below.
    pub web: Option<Spot>,
    /// Port 80.
    pub http: Option<Spot>,
    /// Port 443.
    pub https: Option<Spot>,
    /// Other ports.
    pub ports: BTreeMap<String, Spot>,
    /// Packets larger than this, headers included, are lost on the way from here, and nobody says so: a path MTU black hole.
    /// None: all arrive.
    pub pmtu: Option<usize>,
}

impl HostFacts {
    /// What is at a port.
    pub fn spot(&self, port: u16) -> Option<&Spot> {
        match port {
            80 => self.http.as_ref().or(self.web.as_ref()),
            443 => self.https.as_ref().or(self.web.as_ref()),
            _ => self.ports.get(&port.to_string()),
        }
    }
}

/// A port, a virtual host of it, a path of that, or an n-th request.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Spot {
    /// What a TCP connection meets; for ports only. None: it is accepted.
    pub connect: Option<Connect>,
    /// TLS; for ports and virtual hosts. None: port 443 has a good certificate, other ports have no TLS.
    pub tls: Option<TlsFacts>,
    /// Status code. None: what the page has, or 302 for a redirect, 429 for a wait, 200 else.
    pub status: Option<u16>,
    /// Header fields added to the answer.
    pub headers: BTreeMap<String, String>,
    /// Body text.
    pub body: Option<String>,
    /// A ready-made page. Without body and page, a success is the page `school`, anything else a short error page.
    pub page: Option<PageName>,
    /// The host whose page this is. None: the host that was asked for.
    pub as_host: Option<String>,
    /// Title of the page. None: the invented name of the host's school.
    pub title: Option<String>,
    /// The page is padded with news to at least so many bytes.
    pub size: Option<usize>,
    /// Character encoding of the body: `utf-8` (the default) or `gbk`.
    pub charset: Option<String>,
    /// Where the encoding is declared: `both` (the default), `header`, `meta`, `none`.
    pub charset_in: CharsetIn,
    /// The body is compressed.
    pub gzip: bool,
    /// Redirects there. `{host}`, `{path}` and `{query}` stand for those of the request.
    pub redirect: Option<String>,
    /// Redirects to the same URL with a cookie until the cookie comes back.
    pub cookie_bounce: bool,
    /// So many redirects first.
    pub chain: Option<u32>,
    /// Answers 429 with this Retry-After in seconds to the first requests.
    pub retry_after: Option<u64>,
    /// How many requests that are.
    pub retry_after_times: Option<u64>,
    /// The connection ends after this share of the body.
    pub cut_body_at: Option<f64>,
    /// How it ends then.
    pub cut: Cut,
    /// The head of the answer goes out before its body, in packets of its own.
    pub head_first: bool,
    /// Milliseconds before the answer begins.
    pub delay_ms: u64,
    /// The answer is sent so many bytes at a time.
    pub drip: Option<Drip>,
    /// These bytes instead of an HTTP answer.
    pub raw: Option<String>,
    /// A mail server's greeting, which comes before anything is asked; for ports only. Empty: none ever comes.
    pub smtp: Option<String>,
    /// A header without end.
    pub endless_headers: bool,
    /// A body without end.
    pub infinite_body: bool,
    /// A compressed body that unpacks to very much.
    pub bomb: Option<Bomb>,
    /// Content-Encoding claims this, whatever the body is.
    pub coding: Option<String>,
    /// Header fields that say nothing, in addition.
    pub filler: Option<Filler>,
    /// So many informational answers first (RFC 9110 §15.2).
    pub informational: u32,
    /// Reads the request and closes without an answer.
    pub hang_up: bool,
    /// Reads the request and never answers.
    pub hang: bool,
    /// Virtual hosts, by the name in the Host header or the TLS greeting.
    pub vhost: BTreeMap<String, Spot>,
    /// Paths, without query.
    pub path: BTreeMap<String, Spot>,
    /// The n-th request here, from 1.
    pub nth: BTreeMap<String, Spot>,
}

/// What a TCP connection meets.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Connect {
    /// Always the same.
    Always(Door),
    /// Some attempts meet silence, as if their packets were lost.
    Lossy {
        /// How many of a hundred.
        loss: u64,
        /// Which ones: another seed loses others.
        seed: u64,
    },
    /// By the n-th attempt, from 1; attempts that are not named are accepted.
    Nth(BTreeMap<String, Door>),
}

/// What one TCP connection meets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Door {
    /// Accepted.
    #[default]
    Open,
    /// Reset in answer to SYN.
    Refused,
    /// No answer.
    Timeout,
    /// ICMP: no route to the destination.
    Unreachable,
    /// ICMP: address unreachable.
    HostUnreachable,
    /// ICMP: administratively prohibited.
    Prohibited,
    /// This host has no route to the family.
    NoRoute,
    /// Accepted, then reset.
    Reset,
}

/// How a port greets over TLS.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsFacts {
    /// The certificate.
    pub cert: Cert,
    /// The name the certificate is for. None: the one asked for, or another for [`Cert::WrongName`].
    pub cert_name: Option<String>,
    /// Answers the greeting with this fatal alert.
    pub alert: Option<u8>,
    /// Reads the greeting and says nothing.
    pub stall: bool,
    /// Reads the greeting and closes.
    pub eof: bool,
    /// Answers like a server that speaks nothing newer than TLS 1.0: fatal alert 70 in a TLS 1.0 record.
    pub legacy: bool,
    /// Answers like a server that speaks TLCP with SM2 only: fatal alert 40.
    pub tlcp: bool,
    /// Speaks HTTP in clear text, where TLS is expected.
    pub plain_http: bool,
    /// Answers with bytes that are neither TLS nor HTTP.
    pub garbage: bool,
    /// Begins a handshake message, and sends it a byte a record for ever, with so many milliseconds between.
    pub endless_ms: Option<u64>,
    /// Reads the greeting and says goodbye (RFC 8446 §6.1).
    pub close_notify: bool,
    /// So many certificates in the chain, the issuers' over and over. None: as many as there are.
    pub chain: Option<usize>,
    /// So many names in the certificate.
    pub names: Option<usize>,
    /// The common name of the certificate. None: the name it is for.
    pub common_name: Option<String>,
    /// Demands a certificate of the client.
    pub require_client_cert: bool,
    /// The certificate names places where its revocation can be asked for (OCSP and CRL), at this host.
    pub revocation_at: Option<String>,
    /// Speaks this version only: `1.2` or `1.3`. None: both.
    pub version: Option<String>,
}

impl TlsFacts {
    /// Answers a greeting, or does not, without reading it.
    pub(in crate::lab) fn is_deaf(&self) -> bool {
        self.stall
            || self.eof
            || self.legacy
            || self.tlcp
            || self.alert.is_some()
            || self.garbage
            || self.plain_http
            || self.endless_ms.is_some()
            || self.close_notify
    }
}

/// Kinds of certificates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cert {
    /// For the right name, from the lab's authority.
    #[default]
    Ok,
    /// For another name.
    WrongName,
    /// Over since 2021.
    Expired,
    /// Good from 2119.
    NotYetValid,
    /// Signed by itself.
    SelfSigned,
    /// From an authority that nobody trusts.
    UnknownCa,
    /// Good, but the intermediate certificate is not sent.
    MissingIntermediate,
}

/// Where a character encoding is declared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CharsetIn {
    /// In the Content-Type header and in the page.
    #[default]
    Both,
    /// In the header only.
    Header,
    /// In the page only.
    Meta,
    /// Nowhere.
    None,
}

/// How a body is cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cut {
    /// By a reset.
    #[default]
    Rst,
    /// By a close.
    Fin,
}

/// Compressed bodies that unpack to very much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bomb {
    /// 256 MiB, as gzip.
    Gzip,
    /// 256 MiB, as deflate in zlib format.
    Deflate,
    /// 256 MiB, as a bare deflate stream, as some servers send it.
    BareDeflate,
    /// 16 MiB packed ten times over, all ten layers announced.
    Nested,
}

/// Header fields that say nothing.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filler {
    /// How many.
    pub lines: usize,
    /// Bytes of the value of each.
    pub bytes: usize,
}

/// A slow answer.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drip {
    /// Bytes at a time.
    pub bytes: usize,
    /// Milliseconds between.
    pub every_ms: u64,
    /// The head comes at once, the body is slow.
    #[serde(default)]
    pub body_only: bool,
}

impl World {
    /// What the next TCP connection to an address meets, counting it. None: nobody has the address.
    pub(in crate::lab) fn door(&self, counters: &Counters, target: SocketAddr) -> Option<Door> {
        let host = self.hosts.get(&target.ip())?;
        Some(match host.spot(target.port()).map(|spot| &spot.connect) {
            None => Door::Refused,
            Some(None) => Door::Open,
            Some(Some(Connect::Always(door))) => *door,
            Some(Some(Connect::Lossy { loss, seed })) => {
                let number = counters.next(target, "connect");
                let lost = stable_hash(&format!("{seed} {target} {number}")) % 100 < *loss;
                if lost { Door::Timeout } else { Door::Open }
            }
            Some(Some(Connect::Nth(doors))) => {
                let number = counters.next(target, "connect");
                nth(doors, number).copied().unwrap_or_default()
            }
        })
    }
}

impl Spot {
    /// The innermost table for a request, counting it where that matters, and the request's number there (0: not counted).
    pub(in crate::lab) fn innermost(
        &self,
        counters: &Counters,
        address: SocketAddr,
        host: &str,
        path: &str,
    ) -> (&Self, u64) {
        let spot = self.vhost.get(host).unwrap_or(self);
        let spot = spot.path.get(path).unwrap_or(spot);
        if spot.nth.is_empty() && spot.retry_after.is_none() {
            return (spot, 0);
        }
        let number = counters.next(address, &format!("{host} {path}"));
        (nth(&spot.nth, number).unwrap_or(spot), number)
    }

    /// How it greets a client that names `server_name`.
    pub(in crate::lab) fn greeting(&self, server_name: Option<&str>) -> TlsFacts {
        let vhost = server_name.and_then(|name| self.vhost.get(name));
        vhost.and_then(|vhost| vhost.tls.clone()).or_else(|| self.tls.clone()).unwrap_or_default()
    }

    /// What in this table cannot be meant, each as a line.
    pub(in crate::lab) fn complaints(&self, place: &str) -> Vec<String> {
        let mut found = Vec::new();
        let mut check_keys = |keys: Vec<&String>| {
            found.extend(
                keys.into_iter().filter_map(|key| key.parse::<Span>().err()).map(|why| format!("{place}: {why}")),
            );
        };
        check_keys(self.nth.keys().collect());
        if let Some(Connect::Nth(doors)) = &self.connect {
            check_keys(doors.keys().collect());
        }
        for (kind, tables) in [("vhost", &self.vhost), ("path", &self.path), ("nth", &self.nth)] {
            for (key, inner) in tables {
                let place = format!("{place} {kind} {key}");
                if inner.connect.is_some() {
                    found.push(format!("{place}: `connect` belongs to the port"));
                }
                if inner.tls.is_some() && kind != "vhost" {
                    found.push(format!("{place}: `tls` belongs to the port or the virtual host"));
                }
                if inner.tls.as_ref().is_some_and(TlsFacts::is_deaf) {
                    found.push(format!("{place}: only a port can answer without reading the name"));
                }
                found.extend(inner.complaints(&place));
            }
        }
        found
    }
}

/// The entry whose span holds the number. Keys were checked when the world was.
fn nth<T>(table: &BTreeMap<String, T>, number: u64) -> Option<&T> {
    table.iter().find(|(key, _)| key.parse::<Span>().is_ok_and(|span| span.holds(number))).map(|(_, value)| value)
}
