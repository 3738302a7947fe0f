//! Pages of an already measured site, fetched by reqwest: one client per family for the whole run.
//!
//! Where a page is wanted only for what it holds, a library client serves better than explicit steps. It is held
//! on a short leash: no proxy, no redirects, one family, names pinned to addresses that were resolved and checked before,
//! IP literals checked before the call, and the peer compared with the address that was asked for. Leaves to others: which pages
//! to fetch.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use super::connect::Connector;
use super::errors::{When, failure_of};
use super::http::{Fetched, HttpLimits};
use super::tls::TlsClient;
use crate::model::address::Family;
use crate::model::failure::{Failure, Limit};

/// How long a connection is kept for the next page of its host: a little longer than the usual pause between two requests to a
/// host, so that at most one more is open than is in use.
const KEPT: Duration = Duration::from_millis(1500);
/// Of a page whose head is all that is wanted, so much is read for the sake of its connection.
const REST: usize = 16 * 1024;

/// What is wanted of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visit {
    /// The page, and nothing more from its host.
    Once,
    /// The page, and others of its host after it.
    Page,
    /// The head of the response, and others after it. Its body counts for nothing.
    Head,
}

/// Fetches pages over one family.
#[derive(Debug)]
pub struct Pages {
    client: reqwest::Client,
    pinned: Arc<Pinned>,
    connector: Connector,
    family: Family,
    limits: HttpLimits,
}

/// Names and the checked addresses they may be dialled at.
#[derive(Debug, Default)]
struct Pinned {
    names: Mutex<HashMap<String, SocketAddr>>,
}

impl Resolve for Pinned {
    fn resolve(&self, name: Name) -> Resolving {
        let address = self.names.lock().unwrap_or_else(PoisonError::into_inner).get(name.as_str()).copied();
        Box::pin(async move {
            match address {
                Some(address) => Ok(Box::new(std::iter::once(address)) as Addrs),
                None => Err("this name was not resolved and checked before".into()),
            }
        })
    }
}

impl Pages {
    /// The client of a family. It shares the TLS configuration of the explicit steps.
    pub fn new(
        family: Family,
        connector: Connector,
        tls: &TlsClient,
        user_agent: &str,
        limits: HttpLimits,
    ) -> Result<Self, reqwest::Error> {
        let pinned = Arc::new(Pinned::default());
        #[expect(clippy::disallowed_methods, reason = "the one place that builds page clients")]
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls.config())
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .dns_resolver(Arc::clone(&pinned))
            .user_agent(user_agent)
            .connect_timeout(limits.first_byte)
            .timeout(limits.total)
            .pool_max_idle_per_host(1)
            .pool_idle_timeout(KEPT)
            .build()?;
        Ok(Self { client, pinned, connector, family, limits })
    }

    /// Gets a page from this address of its host. The address is checked again; the body is as the wire had it.
    pub async fn get(&self, url: &Url, address: IpAddr, visit: Visit) -> Result<Fetched, Failure> {
        let scope = self.connector.scope(address);
        if !scope.is_public() || Family::of(address) != self.family {
            return Err(Failure::ScopeRefused(scope));
        }
        let target = SocketAddr::new(address, url.port_or_known_default().unwrap_or(80));
        // reqwest takes the port from here where the URL names none.
        let stand_in = self.connector.route().standing_in_for(target);
        let real = stand_in.unwrap_or(SocketAddr::new(address, 0));
        let literal = match url.host() {
            Some(Host::Domain(host)) => {
                self.pinned.names.lock().unwrap_or_else(PoisonError::into_inner).insert(host.to_owned(), real);
                return self.fetch(url, None, real.ip(), visit).await;
            }
            Some(Host::Ipv4(literal)) => IpAddr::V4(literal),
            Some(Host::Ipv6(literal)) => IpAddr::V6(literal),
            None => return Err(Failure::HttpMalformed),
        };
        // Nobody is asked for the address of a literal: it must be the one that was checked.
        if literal != address {
            return Err(Failure::ScopeRefused(self.connector.scope(literal)));
        }
        let Some(stand_in) = stand_in else { return self.fetch(url, None, address, visit).await };
        let mut instead = url.clone();
        let moved = instead.set_ip_host(stand_in.ip()).and_then(|()| instead.set_port(Some(stand_in.port())));
        let said = url[url::Position::BeforeHost..url::Position::AfterPort].to_owned();
        if moved.is_err() {
            Err(Failure::HttpMalformed)
        } else {
            self.fetch(&instead, Some(said), real.ip(), visit).await
        }
    }

    /// `said`: the Host header, where it is not what the URL says. `peer`: who must answer.
    async fn fetch(&self, url: &Url, said: Option<String>, peer: IpAddr, visit: Visit) -> Result<Fetched, Failure> {
        let begun = Instant::now();
        let mut request = self
            .client
            .get(url.clone())
            .header("accept", "text/html,application/xhtml+xml,*/*;q=0.8")
            .header("accept-language", "zh-CN,zh;q=0.9,en;q=0.5")
            .header("accept-encoding", "gzip, deflate");
        if let Some(said) = said {
            request = request.header("host", said);
        }
        if visit == Visit::Once {
            request = request.header("connection", "close");
        }
        let mut response = request.send().await.map_err(|error| page_failure(&error))?;
        if response.remote_addr().is_some_and(|actual| actual.ip() != peer) {
            return Err(Failure::LocalResource);
        }
        let ttfb = begun.elapsed();
        let mut body: Vec<u8> = Vec::new();
        let body_failure = loop {
            match response.chunk().await {
                Ok(None) => break None,
                Ok(Some(chunk)) => {
                    let most = if visit == Visit::Head { REST } else { self.limits.body_wire };
                    let room = most.saturating_sub(body.len());
                    body.extend_from_slice(&chunk[..chunk.len().min(room)]);
                    if chunk.len() > room {
                        break Some(Failure::Limit(Limit::Body));
                    }
                }
                Err(error) => break Some(page_failure(&error)),
            }
        };
        // reqwest opens its own sockets: what it brought is counted, the request and the heads are not.
        self.connector.traffic().add_received(body.len());
        Ok(Fetched {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body,
            body_failure,
            ttfb,
            total: begun.elapsed(),
        })
    }
}

/// The one place where reqwest's errors become words of ours: by type, never by text.
fn page_failure(error: &reqwest::Error) -> Failure {
    use std::error::Error as _;
    if error.is_timeout() {
        return if error.is_connect() { Failure::Timeout } else { Failure::HttpStall };
    }
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(io) = inner.downcast_ref::<std::io::Error>() {
            return failure_of(io, if error.is_connect() { When::Connecting } else { When::Open });
        }
        source = inner.source();
    }
    if error.is_body() || error.is_decode() { Failure::EarlyEof } else { Failure::HttpMalformed }
}
