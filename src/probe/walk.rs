//! Walking from an entry to its landing page: one request a hop, redirects by hand, in one family from first to last.
//!
//! Each hop's name is resolved in the walk's family, its addresses are checked, and the page is requested on a stream of
//! ours. A redirect to a place without an address of the family ends the walk there: that *is* the finding.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use hyper::HeaderMap;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName, LOCATION, SERVER, SET_COOKIE};
use sha2::{Digest, Sha256};
use url::{Host, Url};

use super::Prober;
use super::page::{self, Depth, Extract, Facts};
use super::reach::{Held, Reached};
use super::record::{PageKey, Recorder};
use super::retry;
use super::target::{self, Refused, authority};
use super::tries::Tries;
use crate::model::address::Family;
use crate::model::evidence::{Exchange, Handshake, Hop, LookupOutcome, Purpose, RecordType, Via, Walk, WalkEnd};
use crate::model::failure::{Failure, Limit};
use crate::model::site::{Scheme, Site};
use crate::model::time::Timestamp;
use crate::net::http::{self, Fetched, Get};
use crate::net::turn::Subject;
use crate::net::work;
use crate::net::{body, hex};

/// Addresses of one redirect target that are tried.
const TRIED_PER_HOP: usize = 3;
/// Times one walk waits because a server asked it to.
const WAITS: u8 = 2;
/// Cookies kept of one host, and bytes of one of them, both as browsers do (RFC 6265 §6.1).
const COOKIES: usize = 50;
const COOKIE: usize = 4096;
/// Characters of the list of content codings that are looked at: one coding is enough.
const CODINGS: usize = 50;
/// Bodies larger than this are read off the runtime's threads.
const LARGE_BODY: usize = 128 * 1024;

/// A response as evidence, and where its page leads on by itself.
pub(super) struct Read {
    pub(super) exchange: Exchange,
    extract: Extract,
}

/// Name and value of a cookie.
type Cookie = (Vec<u8>, Vec<u8>);

/// The state of one walk.
struct Walker<'a> {
    prober: &'a Prober,
    record: &'a Recorder,
    family: Family,
    host: &'a str,
    listed_port: u16,
    reached: &'a mut Reached,
    cookies: HashMap<String, Vec<Cookie>>,
    known: HashMap<String, Vec<IpAddr>>,
    hops: Vec<Hop>,
}

impl Prober {
    /// Walks from one entry and records the walk.
    pub(super) async fn walk(
        &self,
        record: &Recorder,
        family: Family,
        host: &str,
        (scheme, port): (Scheme, u16),
        reached: &mut Reached,
    ) {
        let mut walker = Walker {
            prober: self,
            record,
            family,
            host,
            listed_port: port,
            reached,
            cookies: HashMap::new(),
            known: HashMap::new(),
            hops: Vec::new(),
        };
        let end = walker.run(&Site::entry_url(host, scheme, port)).await;
        if family == Family::V6
            && let Some(url) = walker.hops.last().and_then(|hop| Url::parse(&hop.url).ok())
            && let Some(cookies) = walker.cookie(&url)
        {
            record.remember_cookies(url.into(), cookies);
        }
        let hops = walker.hops;
        record.walk(Walk { family, scheme, purpose: Purpose::Entry, hops, end });
    }

    /// Turns a response into evidence: body decoded, page read.
    pub(super) async fn read_exchange(
        &self,
        record: &Recorder,
        fetched: Fetched,
        started: Timestamp,
        depth: Depth,
    ) -> Read {
        let text = |name: HeaderName, most: usize| header(&fetched.headers, &name, most);
        let content_type = text(CONTENT_TYPE, 200);
        let coding = codings(&fetched.headers);
        let mut exchange = Exchange {
            status: fetched.status,
            location: text(LOCATION, self.bounds.url_bytes + 1),
            server: text(SERVER, 200),
            content_type,
            retry_after_s: retry::after(&fetched.headers, self.net.clock.now()),
            date: retry::date(&fetched.headers),
            cookies: cookie_names(&fetched.headers),
            started,
            ttfb_us: super::micros(fetched.ttfb),
            total_us: super::micros(fetched.total),
            wire_bytes: fetched.body.len() as u64,
            decoded_bytes: 0,
            body_failure: fetched.body_failure,
            digest: String::new(),
            page: None,
        };
        let (decoded, coding_failure) = body::decode(coding.as_deref(), fetched.body, &self.net.http);
        exchange.decoded_bytes = decoded.len() as u64;
        exchange.digest = hex(&Sha256::digest(&decoded));
        exchange.body_failure = exchange.body_failure.or(coding_failure);
        // What stands on a page that only leads elsewhere is of no interest.
        let extract = if leads_elsewhere(&exchange) {
            Extract::default()
        } else {
            read_page(record, decoded, PageKey::of(&exchange), depth).await
        };
        exchange.page.clone_from(&extract.page);
        Read { exchange, extract }
    }
}

/// Reads a page, or remembers that it was read before.
async fn read_page(record: &Recorder, body: Vec<u8>, key: PageKey, depth: Depth) -> Extract {
    if let Some(known) = record.known_page(&key).filter(|known| depth == Depth::Light || known.to_the_end) {
        return known;
    }
    let body = Arc::new(body);
    let extract = read_body(Arc::clone(&body), key.facts.clone(), depth).await;
    record.remember_page(key, extract.clone(), body);
    extract
}

/// Reads a page here, or off the runtime's thread where it is large.
pub(super) async fn read_body(body: Arc<Vec<u8>>, facts: Facts, depth: Depth) -> Extract {
    if body.len() > LARGE_BODY {
        match tokio::task::spawn_blocking(move || page::read(&body, &facts, depth)).await {
            Ok(extract) => extract,
            // An error of ours must not pass for a page without text.
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // The runtime is shutting down.
            Err(_) => Extract::default(),
        }
    } else {
        page::read(&body, &facts, depth)
    }
}

/// All content codings, as one list. None: none was applied.
pub(super) fn codings(headers: &HeaderMap) -> Option<String> {
    let values: Vec<_> = headers.get_all(CONTENT_ENCODING).iter().map(|value| text_of(value.as_bytes())).collect();
    (!values.is_empty()).then(|| values.join(",").chars().take(CODINGS).collect())
}

/// Text of a header field, which may hold anything but control characters.
fn text_of(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

/// A redirect that is followed.
fn leads_elsewhere(exchange: &Exchange) -> bool {
    matches!(exchange.status, 301 | 302 | 303 | 307 | 308) && exchange.location.is_some()
}

pub(super) fn header(headers: &HeaderMap, name: &HeaderName, most: usize) -> Option<String> {
    let value = headers.get(name)?;
    Some(text_of(value.as_bytes()).chars().take(most).collect())
}

/// Names and values as they came: what is sent back must be the same bytes.
fn set_cookies(headers: &HeaderMap) -> Vec<Cookie> {
    let pairs = headers.get_all(SET_COOKIE).iter().filter_map(|value| {
        let pair = value.as_bytes().split(|byte| *byte == b';').next()?;
        let at = pair.iter().position(|byte| *byte == b'=')?;
        Some((pair[..at].trim_ascii().to_vec(), pair[at + 1..].trim_ascii().to_vec()))
    });
    pairs.filter(|(name, value)| !name.is_empty() && name.len() + value.len() <= COOKIE).take(COOKIES).collect()
}

/// Names of the cookies that a response sets, as they are kept.
pub(super) fn cookie_names(headers: &HeaderMap) -> Vec<String> {
    set_cookies(headers).iter().take(20).map(|(name, _)| text_of(name).chars().take(100).collect()).collect()
}

/// Where a response leads.
enum Next {
    /// Nowhere: this is the landing page.
    Here,
    /// To another page.
    To(Url, Via),
    /// To this page again after so many seconds.
    Wait(u64),
    /// The walk is over.
    End(WalkEnd),
}

impl Walker<'_> {
    async fn run(&mut self, entry: &str) -> WalkEnd {
        let Ok(mut url) = Url::parse(entry) else { return WalkEnd::RedirectBadTarget };
        let mut via = Via::Start;
        let mut seen: HashSet<(String, Vec<u8>)> = HashSet::new();
        let (mut redirects, mut soft, mut waits) = (0, 0, 0);
        loop {
            let spelled = url.as_str().to_owned();
            if via != Via::RetryAfter && !seen.insert((spelled.clone(), self.cookie(&url).unwrap_or_default())) {
                return WalkEnd::RedirectLoop;
            }
            let port = url.port_or_known_default().unwrap_or(80);
            self.hops.push(Hop { url: spelled, via, address: None, port, handshake: None, exchange: None });
            let addresses = match self.addresses(&url, port).await {
                Ok(addresses) => addresses,
                Err(end) => return end,
            };
            let read = match self.request(&url, port, &addresses).await {
                Ok(read) => read,
                Err(failure) => return WalkEnd::Failed(failure),
            };
            let next = self.next(&url, &read, waits);
            if let Some(hop) = self.hops.last_mut() {
                hop.exchange = Some(read.exchange);
            }
            match next {
                Next::Here => return WalkEnd::Landed,
                Next::End(end) => return end,
                Next::Wait(seconds) => {
                    waits += 1;
                    via = Via::RetryAfter;
                    work::waiting(tokio::time::sleep(std::time::Duration::from_secs(seconds))).await;
                }
                Next::To(target, how) => {
                    redirects += 1;
                    soft += usize::from(matches!(how, Via::MetaRefresh | Via::Script));
                    if redirects > self.prober.bounds.redirects {
                        return WalkEnd::TooManyRedirects;
                    }
                    if soft > self.prober.bounds.soft_redirects {
                        return WalkEnd::Landed;
                    }
                    (url, via) = (target, how);
                }
            }
        }
    }

    /// Addresses to try for a hop, in the walk's family.
    async fn addresses(&mut self, url: &Url, port: u16) -> Result<Vec<IpAddr>, WalkEnd> {
        let literal = match url.host() {
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            Some(Host::Domain(name)) => return self.addresses_of(name.to_owned(), port).await,
            None => return Err(WalkEnd::RedirectBadTarget),
        };
        let scope = self.prober.net.connector.scope(literal);
        if !scope.is_public() {
            return Err(WalkEnd::RedirectInternal(scope));
        }
        if Family::of(literal) != self.family {
            return Err(WalkEnd::RedirectNoAddress);
        }
        Ok(vec![literal])
    }

    async fn addresses_of(&mut self, name: String, port: u16) -> Result<Vec<IpAddr>, WalkEnd> {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        if name == self.host {
            if self.reached.ports.contains(&port) {
                // The walk may come here before the entry's own turn: the first address may be open where others are not.
                self.prober.reach_first(self.record, self.host, port, self.reached).await;
            }
            return match (self.reached.open.get(&port), self.reached.failures.get(&port)) {
                (Some(open), _) => Ok(open.clone()),
                (None, Some(failure)) => Err(WalkEnd::Failed(failure.clone())),
                // A port that is no entry's.
                (None, None) => Ok(self.reached.addresses.iter().take(TRIED_PER_HOP).copied().collect()),
            };
        }
        if self.prober.opt_outs.of(&name).is_some() {
            return Err(WalkEnd::RedirectOptedOut);
        }
        if let Some(known) = self.known.get(&name) {
            return Ok(known.clone());
        }
        let known = self.prober.resolve_other(self.record, &name, RecordType::of(self.family)).await;
        match known.outcome {
            LookupOutcome::Answer => {}
            LookupOutcome::Nodata | LookupOutcome::NodataNosoa | LookupOutcome::Nxdomain => {
                return Err(WalkEnd::RedirectNoAddress);
            }
            outcome => return Err(WalkEnd::RedirectUnresolved(outcome)),
        }
        let scope = |address: &IpAddr| self.prober.net.connector.scope(*address);
        let public: Vec<_> =
            known.addresses.iter().filter(|address| scope(address).is_public()).take(TRIED_PER_HOP).copied().collect();
        match known.addresses.first() {
            Some(first) if public.is_empty() => Err(WalkEnd::RedirectInternal(scope(first))),
            _ => {
                self.known.insert(name, public.clone());
                Ok(public)
            }
        }
    }

    /// One page, with other addresses and pauses where the failure is weather.
    async fn request(&mut self, url: &Url, port: u16, addresses: &[IpAddr]) -> Result<Read, Failure> {
        let mut tries = Tries::new(self.prober.attempts.per_address);
        loop {
            let address = addresses[usize::from(tries.real()) % addresses.len()];
            let failure = match self.try_once(url, SocketAddr::new(address, port), tries.number()).await {
                Ok(read) => return Ok(read),
                Err(failure) => failure,
            };
            if !tries.again(&failure, |real| usize::from(real) < addresses.len()) {
                return Err(failure);
            }
            tokio::time::sleep(self.prober.attempts.spacing).await;
        }
    }

    async fn try_once(&mut self, url: &Url, target: SocketAddr, attempt: u8) -> Result<Read, Failure> {
        if let Some(hop) = self.hops.last_mut() {
            hop.address = Some(target.ip());
        }
        let kept = self.reached.kept.remove(&target.port()).filter(|held| held.address == target.ip());
        let host = url.host_str().unwrap_or_default().to_owned();
        let held = if let Some(held) = kept {
            held
        } else {
            let subject = Subject::Request(host.clone(), target.ip());
            self.prober.connect_once(self.record, &subject, target, attempt).await?
        };
        let net = &self.prober.net;
        let (server_name, authority) = authority(url)?;
        let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
        let cookie = self.cookie(url);
        let get = Get { authority: &authority, target: path, user_agent: &net.user_agent, cookie: cookie.as_deref() };
        let Held { stream, pass, .. } = held;
        let (started, outcome) = if url.scheme() == "https" {
            match self.handshake(stream, server_name, target, attempt).await {
                Ok(secured) => (net.clock.now(), http::get(secured.stream, &get, &net.http).await),
                Err(failure) => (net.clock.now(), Err(failure)),
            }
        } else {
            (net.clock.now(), http::get(stream, &get, &net.http).await)
        };
        // The connection is closed: the next in line may have its turn.
        drop(pass);
        net.turns.heard(&host, target.ip(), outcome.as_ref().is_err_and(|failure| *failure == Failure::Reset));
        let fetched = outcome?;
        let jar = self.cookies.entry(host).or_default();
        for (name, value) in set_cookies(&fetched.headers) {
            jar.retain(|(known, _)| *known != name);
            if jar.len() < COOKIES {
                jar.push((name, value));
            }
        }
        Ok(self.prober.read_exchange(self.record, fetched, started, Depth::Light).await)
    }

    async fn handshake(
        &mut self,
        stream: crate::net::connect::Stream,
        host: String,
        target: SocketAddr,
        attempt: u8,
    ) -> Result<crate::net::tls::Secured, Failure> {
        let net = &self.prober.net;
        let started = net.clock.now();
        let begun = Instant::now();
        let outcome = net.tls.handshake(stream, &host, started, self.prober.deadlines.tls).await;
        let index = self.record.handshake(Handshake {
            address: target.ip(),
            port: target.port(),
            server_name: host,
            failure: outcome.as_ref().err().cloned(),
            protocol: outcome.as_ref().ok().map(|secured| secured.protocol.to_owned()),
            certificate: outcome.as_ref().ok().and_then(|secured| secured.certificate.as_deref().cloned()),
            started,
            duration_us: super::micros(begun.elapsed()),
            attempt,
        });
        if let Some(hop) = self.hops.last_mut() {
            hop.handshake = Some(index);
        }
        outcome
    }

    fn cookie(&self, url: &Url) -> Option<Vec<u8>> {
        let jar = self.cookies.get(url.host_str()?)?;
        let pairs: Vec<Vec<u8>> = jar.iter().map(|(name, value)| [name, &b"="[..], value].concat()).collect();
        (!pairs.is_empty()).then(|| pairs.join(&b"; "[..]))
    }

    fn next(&self, url: &Url, read: &Read, waits: u8) -> Next {
        let exchange = &read.exchange;
        if let (429 | 503, Some(seconds)) = (exchange.status, exchange.retry_after_s) {
            if waits < WAITS && seconds <= self.prober.bounds.retry_after.as_secs() {
                return Next::Wait(seconds);
            }
            self.record.limit(Limit::RetryAfter);
            self.prober.deep.left_alone.add(&url.host_str().unwrap_or_default().to_ascii_lowercase());
            return Next::Here;
        }
        if let Some(location) = exchange.location.as_ref().filter(|_| leads_elsewhere(exchange)) {
            return match self.join(url, location) {
                Ok(target) => Next::To(target, Via::Redirect(exchange.status)),
                Err(end) => Next::End(end),
            };
        }
        if let Some((via, target)) = &read.extract.leads_to {
            // A page that leads nowhere useful by itself is simply the landing page.
            return self.join(url, target).map_or(Next::Here, |target| Next::To(target, *via));
        }
        Next::Here
    }

    /// The absolute target of a redirect, or how the walk ends if it may not be requested.
    fn join(&self, base: &Url, reference: &str) -> Result<Url, WalkEnd> {
        target::join(base, reference, self.prober.bounds.url_bytes, self.listed_port).map_err(|refused| match refused {
            Refused::Target => WalkEnd::RedirectBadTarget,
            Refused::Port(port) => WalkEnd::RedirectPort(port),
            Refused::TooLong => {
                self.record.limit(Limit::Url);
                WalkEnd::RedirectBadTarget
            }
        })
    }
}
