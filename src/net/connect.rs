//! The one connector: from a resolved, scope-checked address to an open TCP stream of that very family.
//!
//! It sets `IPV6_V6ONLY`, connects, and compares the peer with what was asked, so that a success over IPv6 proves
//! itself. There is no fallback, no racing, no proxy and no pool. Leaves to others: which addresses to try, how often,
//! and what the outcome means.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpStream, UdpSocket};

use super::errors::{When, failure_of};
use super::route::{Dial, Route, Transport};
use super::scope::AddressPolicy;
use super::traffic::{Counted, Traffic};
use crate::model::address::Scope;
use crate::model::failure::Failure;

/// An open connection. Others hold it by this name; only this module opens one.
pub type Stream = Counted;

/// Opens connections under an address policy.
#[derive(Clone, Debug)]
pub struct Connector {
    route: Arc<dyn Route>,
    policy: Arc<AddressPolicy>,
    traffic: Arc<Traffic>,
}

impl Connector {
    /// A connector for this way out and this policy.
    pub fn new(route: Arc<dyn Route>, policy: AddressPolicy) -> Self {
        Self { route, policy: Arc::new(policy), traffic: Arc::default() }
    }

    /// The scope an address has under the policy.
    pub fn scope(&self, address: IpAddr) -> Scope {
        self.policy.classify(address)
    }

    /// The bytes of all connections, and of datagrams by those who send them.
    pub fn traffic(&self) -> &Arc<Traffic> {
        &self.traffic
    }

    /// The way out.
    pub fn route(&self) -> &Arc<dyn Route> {
        &self.route
    }

    /// Opens a TCP connection to a public address within the deadline.
    pub async fn connect(&self, target: SocketAddr, deadline: Duration) -> Result<Stream, Failure> {
        self.connect_in_segments(target, deadline, None).await
    }

    /// The same, with peers asked to send no TCP segment larger than this (`TCP_MAXSEG`, RFC 9293 §3.7.1). None: as large
    /// as the link allows.
    pub async fn connect_in_segments(
        &self,
        target: SocketAddr,
        deadline: Duration,
        mss: Option<u16>,
    ) -> Result<Stream, Failure> {
        match self.scope(target.ip()) {
            Scope::Public => self.open(target, deadline, mss).await,
            scope => Err(Failure::ScopeRefused(scope)),
        }
    }

    /// The same without asking the policy: for configured resolvers, which may stand in private networks, and for the
    /// gate's negative controls.
    pub(crate) async fn connect_any(&self, target: SocketAddr, deadline: Duration) -> Result<Stream, Failure> {
        self.open(target, deadline, None).await
    }

    async fn open(&self, target: SocketAddr, deadline: Duration, mss: Option<u16>) -> Result<Stream, Failure> {
        let (real, announce) = self.real(Transport::Tcp, target)?;
        let socket = Self::socket(Type::STREAM, Protocol::TCP, real)?;
        if let Some(mss) = mss {
            // The kernel tells the peer in its SYN, so it must know before.
            socket.set_tcp_mss(u32::from(mss)).map_err(|error| failure_of(&error, When::Before))?;
        }
        if announce {
            self.announce(Transport::Tcp, &socket, target)?;
        }
        // A non-blocking connect that fails at once failed inside this host; later errors came from the network.
        if let Err(error) = socket.connect(&real.into())
            && !in_progress(&error)
        {
            return Err(failure_of(&error, When::Before));
        }
        let stream = TcpStream::from_std(socket.into()).map_err(|error| failure_of(&error, When::Before))?;
        let opened = tokio::time::timeout(deadline, stream.writable()).await;
        match opened {
            Err(_) => return Err(Failure::Timeout),
            Ok(Err(error)) => return Err(failure_of(&error, When::Connecting)),
            Ok(Ok(())) => {}
        }
        if let Some(error) = stream.take_error().map_err(|error| failure_of(&error, When::Connecting))? {
            return Err(failure_of(&error, When::Connecting));
        }
        match stream.peer_addr() {
            Ok(peer) if peer == real => Ok(Counted::new(stream, Arc::clone(&self.traffic))),
            // Connected elsewhere than asked: something of ours is in the way.
            Ok(_) => Err(Failure::LocalResource),
            Err(error) => Err(failure_of(&error, When::Connecting)),
        }
    }

    /// A UDP socket connected to the target, so that the kernel passes on datagrams of that peer only.
    pub(crate) fn udp(&self, target: SocketAddr) -> Result<UdpSocket, Failure> {
        let (real, announce) = self.real(Transport::Udp, target)?;
        let socket = Self::socket(Type::DGRAM, Protocol::UDP, real)?;
        if announce {
            self.announce(Transport::Udp, &socket, target)?;
        }
        socket.connect(&real.into()).map_err(|error| failure_of(&error, When::Before))?;
        UdpSocket::from_std(socket.into()).map_err(|error| failure_of(&error, When::Before))
    }

    /// Where to dial for this target, and whether the other side must be told which target is meant.
    fn real(&self, transport: Transport, target: SocketAddr) -> Result<(SocketAddr, bool), Failure> {
        match self.route.dial(transport, target) {
            Dial::Direct => Ok((target, false)),
            Dial::Mapped(real) => Ok((real, true)),
            Dial::Unreachable(icmp) => Err(Failure::Unreachable(icmp)),
            Dial::NoRoute => Err(Failure::NoRoute),
        }
    }

    fn socket(kind: Type, protocol: Protocol, real: SocketAddr) -> Result<Socket, Failure> {
        let before = |error| failure_of(&error, When::Before);
        // Where the system can, the socket is made non-blocking: two calls less for each of some ten sockets a name.
        #[cfg(any(target_os = "android", target_os = "freebsd", target_os = "linux"))]
        let socket = Socket::new(Domain::for_address(real), kind.nonblocking(), Some(protocol)).map_err(before)?;
        #[cfg(not(any(target_os = "android", target_os = "freebsd", target_os = "linux")))]
        let socket = {
            let socket = Socket::new(Domain::for_address(real), kind, Some(protocol)).map_err(before)?;
            socket.set_nonblocking(true).map_err(before)?;
            socket
        };
        if real.is_ipv6() {
            socket.set_only_v6(true).map_err(before)?;
        } else if real.ip().is_loopback() {
            socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).map_err(before)?;
        }
        if kind == Type::STREAM {
            socket.set_tcp_nodelay(true).map_err(before)?;
        }
        Ok(socket)
    }

    fn announce(&self, transport: Transport, socket: &Socket, target: SocketAddr) -> Result<(), Failure> {
        let local = socket.local_addr().map_err(|error| failure_of(&error, When::Before))?;
        if let Some(local) = local.as_socket() {
            self.route.announce(transport, local, target);
        }
        Ok(())
    }
}

fn in_progress(error: &std::io::Error) -> bool {
    // EINPROGRESS has no stable kind of its own in the standard library. On Unix EAGAIN is not the same: it says that this
    // host has no port or route entry left (connect(2)).
    let would_block = cfg!(not(unix)) && error.kind() == std::io::ErrorKind::WouldBlock;
    would_block || error.raw_os_error() == Some(if cfg!(target_os = "linux") { 115 } else { 36 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::route::Direct;

    fn loopback_is_public() -> AddressPolicy {
        AddressPolicy { public_prefixes: vec!["127.0.0.0/8".parse().unwrap()], local_deny: Vec::new() }
    }

    #[tokio::test]
    async fn opens_and_is_refused() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = listener.local_addr().unwrap();
        let connector = Connector::new(Arc::new(Direct), loopback_is_public());
        assert!(connector.connect(target, Duration::from_secs(2)).await.is_ok());
        drop(listener);
        assert_eq!(connector.connect(target, Duration::from_secs(2)).await.unwrap_err(), Failure::Refused);
    }

    #[tokio::test]
    async fn asks_for_small_segments() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = listener.local_addr().unwrap();
        let connector = Connector::new(Arc::new(Direct), loopback_is_public());
        let _plain = connector.connect(target, Duration::from_secs(2)).await.unwrap();
        let (plain, _) = listener.accept().await.unwrap();
        let _small = connector.connect_in_segments(target, Duration::from_secs(2), Some(1220)).await.unwrap();
        let (small, _) = listener.accept().await.unwrap();
        let mss = |stream: &tokio::net::TcpStream| socket2::SockRef::from(stream).tcp_mss().unwrap();
        assert!(mss(&small) <= 1220 && mss(&plain) > 1220, "{} {}", mss(&small), mss(&plain));
    }

    #[tokio::test]
    async fn refuses_what_is_not_public() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = listener.local_addr().unwrap();
        let connector = Connector::new(Arc::new(Direct), AddressPolicy::default());
        let failure = connector.connect(target, Duration::from_secs(2)).await.unwrap_err();
        assert_eq!(failure, Failure::ScopeRefused(Scope::Loopback));
        let nobody_came = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
        assert!(nobody_came.is_err());
    }
}
