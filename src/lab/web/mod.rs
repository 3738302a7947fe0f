//! The pretended web servers' sockets: one listener for all of them, and listeners that stand for one address.
//!
//! A connection goes through the door, the TLS greeting and one HTTP exchange, then it is closed. Leaves to others: what
//! is said ([`facts`], [`pages`]) and how an answer is written (`http`).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::LazyConfigAcceptor;

use self::facts::{Cert, Door, Spot, TlsFacts};
use self::wire::Wire;
use super::Shared;
use super::log::Event;
use crate::net::route::Transport;

pub(super) mod counters;
pub mod facts;
mod http;
mod mail;
pub mod pages;
mod wire;

/// How long a silent or slow client is borne with.
const PATIENCE: Duration = Duration::from_mins(1);

impl Shared {
    /// What the next TCP connection to an address meets.
    pub(super) fn door(&self, target: SocketAddr) -> Option<Door> {
        self.world.door(&self.counters, target)
    }
}

/// Serves connections until aborted: for `target`, or for the address each client announced.
pub(super) async fn serve(listener: TcpListener, target: Option<SocketAddr>, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, client)) = listener.accept().await else {
            // Out of descriptors: wait for some connections to end instead of spinning.
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        let Some(address) = target.or_else(|| shared.take_announced(Transport::Tcp, client.port())) else { continue };
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            // A peer that leaves, errs or dawdles ends its connection; it is no concern of the lab's.
            let _ = tokio::time::timeout(PATIENCE, attend(stream, address, &shared)).await;
        });
    }
}

/// Accepts connections and resets them.
pub(super) async fn serve_resets(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let Ok((stream, client)) = listener.accept().await else { continue };
        if let Some(address) = shared.take_announced(Transport::Tcp, client.port()) {
            shared.log.push(Event::Accept { address });
        }
        reset(&stream);
    }
}

/// Makes the close of a connection a reset.
fn reset(stream: &TcpStream) {
    // The one failure is a connection that is gone already.
    let _ = stream.set_zero_linger();
}

/// Whom a connection is with.
#[derive(Clone, Debug)]
struct Peer {
    address: SocketAddr,
    tls: bool,
    server_name: Option<String>,
}

async fn attend(stream: TcpStream, address: SocketAddr, shared: &Shared) -> std::io::Result<()> {
    shared.log.push(Event::Accept { address });
    // The answer goes out whole and at once, as from a server near by.
    stream.set_nodelay(true)?;
    let Some(host) = shared.world.hosts.get(&address.ip()) else { return Ok(()) };
    let Some(port) = host.spot(address.port()) else { return Ok(()) };
    let stream = Wire::new(stream, address, host.pmtu);
    if let Some(greeting) = &port.smtp {
        return mail::attend(stream, address, greeting, shared).await;
    }
    let wants_tls = address.port() == 443 || (port.tls.is_some() && address.port() != 80);
    let early = port.greeting(None);
    if !wants_tls {
        let peer = Peer { address, tls: false, server_name: None };
        http::exchange(stream, |stream| reset(stream.tcp()), &peer, port, shared).await
    } else if let Some(words) = words_before_tls(&early) {
        shared.log.push(Event::Hello { address, server_name: None });
        mutter(stream, words).await
    } else {
        greet(stream, address, port, shared).await
    }
}

/// What a port says instead of TLS whatever the greeting names. None: it reads the greeting as TLS.
fn words_before_tls(facts: &TlsFacts) -> Option<Words> {
    let alert = |version: u8, number: u8| Words::Say(vec![0x15, 3, version, 0, 2, 2, number]);
    if facts.stall {
        Some(Words::Nothing)
    } else if facts.eof {
        Some(Words::Say(Vec::new()))
    } else if facts.legacy {
        Some(alert(1, 70))
    } else if facts.tlcp {
        Some(alert(3, 40))
    } else if let Some(number) = facts.alert {
        Some(alert(3, number))
    } else if facts.garbage {
        Some(Words::Say(b"SSH-2.0-OpenSSH_9.6\r\n".to_vec()))
    } else if facts.close_notify {
        Some(Words::Say(vec![0x15, 3, 3, 0, 2, 1, 0]))
    } else if let Some(pause) = facts.endless_ms {
        Some(Words::Endless(Duration::from_millis(pause)))
    } else if facts.plain_http {
        Some(Words::Say(pages::BAD_REQUEST.as_bytes().to_vec()))
    } else {
        None
    }
}

/// What is said in answer to a greeting that is not taken as one.
enum Words {
    /// Silence, until the client leaves.
    Nothing,
    /// These bytes, then the end.
    Say(Vec<u8>),
    /// A handshake message without end, with such a pause between its records.
    Endless(Duration),
}

async fn mutter(mut stream: Wire, words: Words) -> std::io::Result<()> {
    let mut greeting = [0; 4096];
    let read = stream.read(&mut greeting).await?;
    match words {
        Words::Nothing => {}
        Words::Say(bytes) => {
            if read > 0 {
                stream.write_all(&bytes).await?;
            }
            stream.shutdown().await?;
        }
        Words::Endless(pause) => {
            // A ServerHello that announces 64 kB, in records of one byte each.
            for byte in [2, 0, 0xff, 0xfe, 3, 3].into_iter().chain(std::iter::repeat(0)) {
                stream.write_all(&[0x16, 3, 3, 0, 1, byte]).await?;
                tokio::time::sleep(pause).await;
            }
        }
    }
    drain(&mut stream).await
}

/// Reads until the client leaves: closing with unread bytes would reset the connection and could swallow the answer.
async fn drain(stream: &mut (impl AsyncReadExt + Unpin)) -> std::io::Result<()> {
    let mut buffer = [0; 4096];
    while stream.read(&mut buffer).await? > 0 {}
    Ok(())
}

async fn greet(stream: Wire, address: SocketAddr, port: &Spot, shared: &Shared) -> std::io::Result<()> {
    let start = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), stream).await?;
    let server_name = start.client_hello().server_name().map(str::to_ascii_lowercase);
    shared.log.push(Event::Hello { address, server_name: server_name.clone() });
    let facts = port.greeting(server_name.as_deref());
    let asked = server_name.clone().unwrap_or_else(|| address.ip().to_string());
    let name = match (&facts.cert_name, facts.cert) {
        (Some(name), _) => name.clone(),
        (None, Cert::WrongName) => "default.hosting.example".to_owned(),
        (None, _) => asked,
    };
    let config = shared.authority.config(&name, &facts);
    let config = config.ok_or_else(|| std::io::Error::other("no certificate for this name"))?;
    let stream = start.into_stream(config).await?;
    let peer = Peer { address, tls: true, server_name };
    http::exchange(stream, |stream| reset(stream.get_ref().0.tcp()), &peer, port, shared).await
}

/// Sends the end of the answer and lets the client leave first.
async fn part<S: AsyncWrite + AsyncReadExt + Unpin>(stream: &mut S) -> std::io::Result<()> {
    stream.shutdown().await?;
    drain(stream).await
}

/// The host in a Host header: lower case, without port and brackets.
pub(super) fn host_name(header: &str) -> &str {
    let bare = match header.rsplit_once(':') {
        Some((front, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => front,
        _ => header,
    };
    bare.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.')
}

/// Whether a host is an address literal.
fn is_literal(host: &str) -> bool {
    host.parse::<IpAddr>().is_ok()
}
