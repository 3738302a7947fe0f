//! Proof probes: a request that stalled over IPv6 while IPv4 served, once more with small TCP segments. If the page comes
//! now, it is the path that loses large packets.
//!
//! Leaves to others: what follows from it ([`crate::judge`]).

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use url::Url;

use super::Prober;
use super::record::Recorder;
use super::tries::Tries;
use crate::model::address::Family;
use crate::model::evidence::{Exchange, MssProof, Purpose, Round, Walk, WalkEnd};
use crate::model::failure::Failure;
use crate::model::time::Timestamp;
use crate::net::connect::Stream;
use crate::net::http::{self, Fetched, Get};
use crate::net::turn::Subject;

/// Segments of this size fit into the smallest packet that every IPv6 link carries: 1280 bytes (RFC 8200 §5), less the
/// headers of IPv6 (40) and TCP (20).
const SMALL_SEGMENT: u16 = 1220;

/// A request that stalled.
#[derive(Debug, PartialEq, Eq)]
struct Stalled {
    url: String,
    address: IpAddr,
    port: u16,
}

impl Prober {
    /// Repeats every request that stalled over IPv6 while IPv4 served the same entry.
    pub(super) async fn mss_proofs(&self, record: &Recorder) {
        for stalled in record.read(stalled) {
            let mut begun = (self.net.clock.now(), Instant::now());
            let cookies = record.cookies(&stalled.url);
            let outcome = Box::pin(self.in_small_segments(&stalled, cookies, &mut begun)).await;
            let (started, begun) = begun;
            record.mss_proof(MssProof {
                url: stalled.url,
                address: stalled.address,
                port: stalled.port,
                mss: SMALL_SEGMENT,
                failure: outcome
                    .as_ref()
                    .map_or_else(|failure| Some(failure.clone()), |page| page.body_failure.clone()),
                wire_bytes: outcome.map_or(0, |page| page.body.len() as u64),
                started,
                duration_us: super::micros(begun.elapsed()),
            });
        }
    }

    /// `begun` is set to when the turn had come: what is waited for that is no slowness of the server's.
    async fn in_small_segments(
        &self,
        stalled: &Stalled,
        cookie: Option<Vec<u8>>,
        begun: &mut (Timestamp, Instant),
    ) -> Result<Fetched, Failure> {
        let net = &self.net;
        let target = SocketAddr::new(stalled.address, stalled.port);
        // A walk keeps only URLs that it could read.
        let url = Url::parse(&stalled.url).map_err(|_| Failure::HttpMalformed)?;
        let (host, authority) = super::target::authority(&url)?;
        let _pass = net.turns.take(Subject::Request(host.clone(), target.ip())).await;
        *begun = (net.clock.now(), Instant::now());
        let stream = self.open_in_small_segments(target).await?;
        let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
        let get = Get { authority: &authority, target: path, user_agent: &net.user_agent, cookie: cookie.as_deref() };
        if url.scheme() == "https" {
            let secured = net.tls.handshake(stream, &host, net.clock.now(), self.deadlines.tls).await?;
            http::get(secured.stream, &get, &net.http).await
        } else {
            http::get(stream, &get, &net.http).await
        }
    }

    /// A connection that does not open says nothing about segments, and is tried again as others are.
    async fn open_in_small_segments(&self, target: SocketAddr) -> Result<Stream, Failure> {
        let mut tries = Tries::new(self.attempts.per_address);
        loop {
            let deadline = self.deadlines.connect_retry;
            match self.net.connector.connect_in_segments(target, deadline, Some(SMALL_SEGMENT)).await {
                Ok(stream) => return Ok(stream),
                Err(failure) if !tries.again(&failure, |_| false) => return Err(failure),
                Err(_) => {}
            }
            tokio::time::sleep(self.attempts.spacing).await;
        }
    }
}

/// The requests of a round that stalled over IPv6 where IPv4 brought the whole page, each once.
fn stalled(round: &Round) -> Vec<Stalled> {
    let mut found = Vec::new();
    let entries = round.walks.iter().filter(|walk| walk.purpose == Purpose::Entry && walk.family == Family::V6);
    for walk in entries.filter(|walk| stalls(walk) && is_served_over_v4(round, walk)) {
        let Some(hop) = walk.hops.last() else { continue };
        let Some(address) = hop.address else { continue };
        let stalled = Stalled { url: hop.url.clone(), address, port: hop.port };
        if !found.contains(&stalled) {
            found.push(stalled);
        }
    }
    found
}

fn stalls(walk: &Walk) -> bool {
    match &walk.end {
        WalkEnd::Failed(failure) => failure.is_stall(),
        _ => walk.landing().and_then(|page| page.body_failure.as_ref()).is_some_and(Failure::is_stall),
    }
}

fn is_served_over_v4(round: &Round, walk: &Walk) -> bool {
    let whole = |page: &Exchange| page.is_success() && page.body_failure.is_none();
    let entry = walk.hops.first().and_then(|hop| round.entry(Family::V4, &hop.url));
    entry.is_some_and(|(index, _)| round.walks[index].landing().is_some_and(whole))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::evidence::{Hop, Via};
    use crate::model::failure::Limit;
    use crate::model::site::Scheme;

    fn exchange(status: u16, body_failure: Option<Failure>) -> Exchange {
        Exchange {
            status,
            location: None,
            server: None,
            content_type: None,
            retry_after_s: None,
            date: None,
            cookies: Vec::new(),
            started: Timestamp(0),
            ttfb_us: 0,
            total_us: 0,
            wire_bytes: 9,
            decoded_bytes: 9,
            body_failure,
            digest: String::new(),
            page: None,
        }
    }

    fn walk(family: Family, end: WalkEnd, exchange: Option<Exchange>) -> Walk {
        let address = if family == Family::V4 { "192.0.2.1" } else { "2001:db8::1" };
        let hop = Hop {
            url: "http://www.a.example/".to_owned(),
            via: Via::Start,
            address: address.parse().ok(),
            port: 80,
            handshake: None,
            exchange,
        };
        Walk { family, scheme: Scheme::Http, purpose: Purpose::Entry, hops: vec![hop], end }
    }

    #[test]
    fn only_stalls_that_ipv4_does_not_share_are_repeated() {
        let page = |failure| (WalkEnd::Landed, Some(exchange(200, failure)));
        let failed = |failure| (WalkEnd::Failed(failure), None);
        let slow = || Some(Failure::Limit(Limit::Slow));
        let cases = [
            (page(None), failed(Failure::TlsStall), 1),
            (page(None), failed(Failure::HttpStall), 1),
            (page(None), page(slow()), 1),
            (page(None), page(Some(Failure::Limit(Limit::Total))), 0),
            (page(None), page(None), 0),
            (page(None), page(Some(Failure::EarlyEof)), 0),
            (page(None), page(Some(Failure::Limit(Limit::Body))), 0),
            (page(None), failed(Failure::Timeout), 0),
            (page(slow()), page(slow()), 0),
            (failed(Failure::HttpStall), failed(Failure::HttpStall), 0),
            ((WalkEnd::Landed, Some(exchange(502, None))), failed(Failure::HttpStall), 0),
        ];
        for (number, ((end4, over_v4), (end6, over_v6), expected)) in cases.into_iter().enumerate() {
            let mut round = Round::new(1, Timestamp(0));
            round.walks.push(walk(Family::V4, end4, over_v4));
            // Two walks to one place are one request.
            round.walks.push(walk(Family::V6, end6.clone(), over_v6.clone()));
            round.walks.push(walk(Family::V6, end6, over_v6));
            assert_eq!(stalled(&round).len(), expected, "case {number}");
        }
    }
}
