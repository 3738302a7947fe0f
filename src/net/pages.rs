//! Pages of an already measured site, fetched by reqwest: one client per family for the whole run.
//!
//! Where a page is wanted only for what it holds, a library client serves better than explicit steps. It is held
//! on a short leash: no proxy, no redirects, one family, names pinned to addresses that were resolved and checked before,
//! IP literals checked before the call, and the peer compared with the address that was asked for.
//!
//! Connections are kept for the next page of a host. A server may close one while nobody looks; the request that finds it
//! closed is made again on a new one, and says nothing about the server. Leaves to others: which pages to fetch.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
    names: Mutex<HashMap<String, Pin>>,
}

#[derive(Clone, Copy, Debug)]
struct Pin {
    address: SocketAddr,
    /// Connections that were begun to it: one for each time that the client asked for the address.
    dialled: u64,
}

impl Pinned {
    fn pin(&self, name: &str, address: SocketAddr) {
        let mut names = self.names();
        names.entry(name.to_owned()).or_insert(Pin { address, dialled: 0 }).address = address;
    }

    fn dialled(&self, name: &str) -> u64 {
        self.names().get(name).map_or(0, |pin| pin.dialled)
    }

    fn names(&self) -> MutexGuard<'_, HashMap<String, Pin>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Resolve for Pinned {
    fn resolve(&self, name: Name) -> Resolving {
        let pin = self.names().get_mut(name.as_str()).map(|pin| {
            pin.dialled += 1;
            *pin
        });
        Box::pin(async move {
            match pin {
                Some(pin) => Ok(Box::new(std::iter::once(pin.address)) as Addrs),
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
        // What the server is told where the request goes to a stand-in's port.
        let said = || Some(url[url::Position::BeforeHost..url::Position::AfterPort].to_owned());
        let mut instead = url.clone();
        let literal = match url.host() {
            Some(Host::Domain(host)) => {
                self.pinned.pin(host, real);
                // A port that the URL names is taken from there.
                let other_port = stand_in.filter(|_| url.port().is_some());
                if let Some(stand_in) = other_port {
                    instead.set_port(Some(stand_in.port())).map_err(|()| Failure::HttpMalformed)?;
                }
                let request = Request { url: &instead, said: other_port.and_then(|_| said()), peer: real.ip(), visit };
                let dialled = self.pinned.dialled(host);
                let fetched = self.fetch(&request).await;
                let was_kept = self.pinned.dialled(host) == dialled;
                return match fetched {
                    Err(Failure::Reset | Failure::HttpEof) if was_kept => self.fetch(&request).await,
                    fetched => fetched,
                };
            }
            Some(Host::Ipv4(literal)) => IpAddr::V4(literal),
            Some(Host::Ipv6(literal)) => IpAddr::V6(literal),
            None => return Err(Failure::HttpMalformed),
        };
        // Nobody is asked for the address of a literal: it must be the one that was checked.
        if literal != address {
            return Err(Failure::ScopeRefused(self.connector.scope(literal)));
        }
        let Some(stand_in) = stand_in else {
            return self.fetch(&Request { url, said: None, peer: address, visit }).await;
        };
        let moved = instead.set_ip_host(stand_in.ip()).and_then(|()| instead.set_port(Some(stand_in.port())));
        moved.map_err(|()| Failure::HttpMalformed)?;
        self.fetch(&Request { url: &instead, said: said(), peer: real.ip(), visit }).await
    }

    async fn fetch(&self, request: &Request<'_>) -> Result<Fetched, Failure> {
        let Request { url, said, peer, visit } = request;
        let begun = Instant::now();
        let mut request = self
            .client
            .get((*url).clone())
            .header("accept", "text/html,application/xhtml+xml,*/*;q=0.8")
            .header("accept-language", "zh-CN,zh;q=0.9,en;q=0.5")
            .header("accept-encoding", "gzip, deflate");
        if let Some(said) = said {
            request = request.header("host", said.clone());
        }
        // Whether a literal's connection is a kept one cannot be told: it serves once.
        if *visit == Visit::Once || !matches!(url.host(), Some(Host::Domain(_))) {
            request = request.header("connection", "close");
        }
        let mut response = request.send().await.map_err(|error| page_failure(&error))?;
        if response.remote_addr().is_some_and(|actual| actual.ip() != *peer) {
            return Err(Failure::LocalResource);
        }
        let ttfb = begun.elapsed();
        let mut body: Vec<u8> = Vec::new();
        let body_failure = loop {
            match response.chunk().await {
                Ok(None) => break None,
                Ok(Some(chunk)) => {
                    let most = if *visit == Visit::Head { REST } else { self.limits.body_wire };
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

/// One request.
struct Request<'a> {
    url: &'a Url,
    /// The Host header, where it is not what the URL says.
    said: Option<String>,
    /// Who must answer.
    peer: IpAddr,
    visit: Visit,
}

/// The one place where reqwest's errors become words of ours: by type, never by text.
fn page_failure(error: &reqwest::Error) -> Failure {
    use std::error::Error as _;
    if error.is_timeout() {
        return if error.is_connect() { Failure::Timeout } else { Failure::HttpStall };
    }
    let mut source = error.source();
    while let Some(inner) = source {
        if inner.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_incomplete_message) {
            return Failure::HttpEof;
        }
        if let Some(io) = inner.downcast_ref::<std::io::Error>() {
            // A TLS connection that is closed without saying goodbye is closed all the same.
            if io.kind() == std::io::ErrorKind::UnexpectedEof && !error.is_connect() {
                return if error.is_body() || error.is_decode() { Failure::EarlyEof } else { Failure::HttpEof };
            }
            return failure_of(io, if error.is_connect() { When::Connecting } else { When::Open });
        }
        source = inner.source();
    }
    if error.is_body() || error.is_decode() { Failure::EarlyEof } else { Failure::HttpMalformed }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::net::route::Direct;
    use crate::net::scope::AddressPolicy;

    /// Reads a request. False: the client has left.
    async fn request(stream: &mut TcpStream) -> bool {
        let mut head = Vec::new();
        let mut buffer = [0; 1024];
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read(&mut buffer).await {
                Ok(0) | Err(_) => return false,
                Ok(read) => head.extend_from_slice(&buffer[..read]),
            }
        }
        true
    }

    /// A server whose connections serve so many requests each and then end in the middle of the next one, by a reset or by
    /// a close. The address, and how many connections there were.
    async fn server(serves: Vec<usize>, reset: bool) -> (SocketAddr, tokio::task::JoinHandle<usize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            let mut connections = 0;
            for serves in serves {
                let accepted = tokio::time::timeout(Duration::from_secs(1), listener.accept()).await;
                let Ok(Ok((mut stream, _))) = accepted else { break };
                connections += 1;
                for _ in 0..serves {
                    assert!(request(&mut stream).await);
                    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
                }
                if request(&mut stream).await && reset {
                    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
                }
            }
            connections
        });
        (address, serving)
    }

    fn pages() -> Pages {
        let policy = AddressPolicy { public_prefixes: vec!["127.0.0.0/8".parse().unwrap()], local_deny: Vec::new() };
        let connector = Connector::new(Arc::new(Direct), policy);
        let tls = TlsClient::new(false, &[]).unwrap();
        Pages::new(Family::V4, connector, &tls, "test", HttpLimits::default()).unwrap()
    }

    /// Nobody resolves a literal, so that no resolver could stand in the way: it is compared before the call.
    #[tokio::test]
    async fn nothing_but_the_checked_address_is_dialled() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let pages = pages();
        // The host of the URL, and the address that was checked for it.
        let cases = [
            ("127.0.0.1", "127.0.0.2"),
            ("2130706433", "127.0.0.2"),
            ("0x7f.1", "127.0.0.2"),
            ("[::ffff:127.0.0.1]", "127.0.0.1"),
            ("[::1]", "127.0.0.1"),
            ("a.example", "10.0.0.1"),
            ("a.example", "::1"),
            ("a.example", "::ffff:127.0.0.1"),
        ];
        for (host, address) in cases {
            let url = Url::parse(&format!("http://{host}:{port}/")).unwrap();
            let outcome = pages.get(&url, address.parse().unwrap(), Visit::Once).await;
            assert!(matches!(outcome, Err(Failure::ScopeRefused(_))), "{host} {address}");
        }
        let accepted = tokio::time::timeout(Duration::from_millis(100), listener.accept()).await;
        assert!(accepted.is_err(), "nobody came");
    }

    #[tokio::test]
    async fn a_kept_connection_that_was_closed_says_nothing() {
        for reset in [true, false] {
            let failure = if reset { Failure::Reset } else { Failure::HttpEof };
            // Requests served by each connection; what two requests come to; connections that it takes.
            let cases = [
                (vec![2], [Ok(200), Ok(200)], 1),
                (vec![1, 1], [Ok(200), Ok(200)], 2),
                (vec![1, 0], [Ok(200), Err(failure.clone())], 2),
                (vec![0, 1], [Err(failure.clone()), Ok(200)], 2),
            ];
            for (serves, expected, taken) in cases {
                let (address, serving) = server(serves.clone(), reset).await;
                let pages = pages();
                let url = Url::parse(&format!("http://a.example:{}/", address.port())).unwrap();
                let mut came = Vec::new();
                for _ in 0..2 {
                    came.push(pages.get(&url, address.ip(), Visit::Page).await.map(|fetched| fetched.status));
                }
                drop(pages);
                assert_eq!((came, serving.await.unwrap()), (expected.to_vec(), taken), "{serves:?} {reset}");
            }
        }
    }
}
