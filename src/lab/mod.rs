//! A simulated internet on loopback: names, name servers, web servers and their faults, for `v6ready demo` and the tests.
//!
//! The program under test keeps its own sockets, deadlines and protocols; only the way from an address to a socket is
//! replaced ([`crate::net::route::Route`]). Every pretended address, IPv4 or IPv6, is served from `127.0.0.1`, so a
//! machine needs neither IPv6 nor privileges. Seven sockets stand for all of it: DNS over UDP and TCP, the web, TCP ports
//! that refuse, drop and reset, and a UDP port that swallows. The client's source port says which address it means.
//!
//! In the order of reading: [`world`] is what the simulated internet holds, [`scenario`] a file with one and with what is
//! expected of it, [`demo`] a large invented one, [`uplink`] the scanner's own way in; `dns` and `web` serve it; [`log`] is what they saw. Leaves to others:
//! everything about scanning and judging.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, UdpSocket};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use self::certs::Authority;
use self::dns::answer::Directory;
use self::dns::facts::ServerFacts;
use self::log::Log;
use self::route::{LabRoute, Ports};
use self::uplink::Uplink;
use self::web::counters::Counters;
use self::world::World;
use crate::net::route::{Route, Transport};

mod certs;
pub mod demo;
pub mod dns;
pub mod log;
mod route;
pub mod saw;
pub mod scenario;
pub mod span;
pub mod uplink;
pub mod web;
pub mod world;

/// The pretended recursive resolvers, on port 53.
pub const RESOLVERS: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(192, 0, 2, 53)), IpAddr::V4(Ipv4Addr::new(198, 51, 100, 53))];

/// The root's pretended name servers, for walks over IPv6.
pub const ROOTS: [Ipv6Addr; 2] =
    [Ipv6Addr::new(0x2001, 0xdb8, 0x53, 0xff, 0, 0, 0, 1), Ipv6Addr::new(0x2001, 0xdb8, 0x53, 0xff, 0, 0, 0, 2)];

/// The prefixes that a run on the lab treats as public, and nothing else: documentation prefixes, so that no packet of a
/// misconfigured run could reach anybody.
pub const PUBLIC_PREFIXES: [&str; 4] = ["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32"];

/// Why the lab could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// A socket on loopback could not be had.
    #[error("cannot open a loopback socket for {what}")]
    Socket {
        /// What it was for.
        what: &'static str,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The port that is to drop connection attempts still answers them.
    #[error("cannot make a loopback port drop connection attempts: this kernel accepts them with a full queue")]
    Drop,
    /// A certificate could not be made.
    #[error("cannot make certificates")]
    Certificate(#[from] rcgen::Error),
    /// The world contradicts itself.
    #[error("the world contradicts itself: {}", .0.join("; "))]
    World(Vec<String>),
}

/// What all servers of one lab share.
pub(crate) struct Shared {
    world: World,
    directory: Directory,
    authority: Authority,
    log: Log,
    ports: Ports,
    counters: Counters,
    uplink: Uplink,
    announced: Mutex<HashMap<(Transport, u16), SocketAddr>>,
    stand_ins: Mutex<route::StandIns>,
    runtime: Handle,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("ports", &self.ports).finish_non_exhaustive()
    }
}

impl Shared {
    fn announce(&self, transport: Transport, port: u16, target: SocketAddr) {
        self.announcements(|map| map.insert((transport, port), target));
    }

    /// Which address the client at this port means. A UDP socket may ask several times.
    fn announced(&self, transport: Transport, port: u16) -> Option<SocketAddr> {
        self.announcements(|map| map.get(&(transport, port)).copied())
    }

    /// The same for a TCP connection, whose port is free for another meaning afterwards.
    fn take_announced(&self, transport: Transport, port: u16) -> Option<SocketAddr> {
        self.announcements(|map| map.remove(&(transport, port)))
    }

    fn announcements<T>(&self, act: impl FnOnce(&mut HashMap<(Transport, u16), SocketAddr>) -> T) -> T {
        // Each use is one map operation, so a panic elsewhere cannot leave the map torn.
        act(&mut self.announced.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A running lab. Dropping it closes its sockets and ends its tasks.
#[derive(Debug)]
pub struct Lab {
    shared: Arc<Shared>,
    tasks: Vec<AbortHandle>,
    /// Connections that fill the queue of the dropping port, and the sockets that only hold a port.
    _held: Held,
}

impl Lab {
    /// Opens the sockets and serves the world. Must be called within a Tokio runtime with time and I/O.
    #[allow(clippy::disallowed_methods, reason = "the lab's servers need sockets, on loopback only")]
    pub async fn start(world: World) -> Result<Self, LabError> {
        let complaints = world.complaints();
        if !complaints.is_empty() {
            return Err(LabError::World(complaints));
        }
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let failed = |what| move |source| LabError::Socket { what, source };
        let dns_udp = UdpSocket::bind(loopback).await.map_err(failed("DNS over UDP"))?;
        // Hundreds of sites ask at once, and all servers share this socket. The kernel gives what it may.
        let _ = socket2::SockRef::from(&dns_udp).set_recv_buffer_size(4 * 1024 * 1024);
        let dns_udp = Arc::new(dns_udp);
        let dns_tcp = TcpListener::bind(loopback).await.map_err(failed("DNS over TCP"))?;
        let web = TcpListener::bind(loopback).await.map_err(failed("the web"))?;
        let reset = TcpListener::bind(loopback).await.map_err(failed("a resetting port"))?;
        let (held, ports) = Held::open(loopback).await?;
        let ports = Ports {
            dns_udp: dns_udp.local_addr().map_err(failed("DNS over UDP"))?,
            dns_tcp: dns_tcp.local_addr().map_err(failed("DNS over TCP"))?,
            web: web.local_addr().map_err(failed("the web"))?,
            reset: reset.local_addr().map_err(failed("a resetting port"))?,
            ..ports
        };
        let shared = Arc::new(Shared {
            directory: Directory::new(&world.dns, &world.zones, &world.servers),
            authority: Authority::new()?,
            log: Log::new(world.log_limit),
            ports,
            counters: Counters::default(),
            uplink: Uplink::default(),
            announced: Mutex::default(),
            stand_ins: Mutex::default(),
            runtime: Handle::current(),
            world,
        });
        let tasks = vec![
            tokio::spawn(dns::serve_udp(dns_udp, Arc::clone(&shared))).abort_handle(),
            tokio::spawn(dns::serve_tcp(dns_tcp, Arc::clone(&shared))).abort_handle(),
            tokio::spawn(web::serve(web, None, Arc::clone(&shared))).abort_handle(),
            tokio::spawn(web::serve_resets(reset, Arc::clone(&shared))).abort_handle(),
        ];
        Ok(Self { shared, tasks, _held: held })
    }

    /// The way from pretended addresses to the lab's sockets. Addresses that nobody has are silent.
    pub fn route(&self) -> Arc<dyn Route> {
        Arc::new(LabRoute::new(Arc::clone(&self.shared)))
    }

    /// The switch of the scanner's own way in.
    pub fn uplink(&self) -> Uplink {
        self.shared.uplink.clone()
    }

    /// What the servers saw so far, and will see.
    pub fn log(&self) -> Log {
        self.shared.log.clone()
    }

    /// From now on a DNS server is reached, and behaves, like this.
    pub fn change_server(&self, address: IpAddr, facts: ServerFacts) {
        self.shared.directory.change(address, facts);
    }

    /// The lab's trust anchor as PEM.
    pub fn ca_pem(&self) -> String {
        self.shared.authority.root_pem()
    }

    /// The lab's trust anchor as DER.
    pub fn ca_der(&self) -> Vec<u8> {
        self.shared.authority.root_der()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
        route::close_stand_ins(&self.shared);
    }
}

/// Sockets that are held open and never used.
#[derive(Debug)]
struct Held {
    _refusing: socket2::Socket,
    _dropping: socket2::Socket,
    _swallowing: std::net::UdpSocket,
    _queue: Vec<tokio::net::TcpStream>,
}

impl Held {
    /// Opens a port that refuses, one that drops, and one that swallows.
    ///
    /// A listener whose queue is full drops further SYN packets (Linux: `tcp_conn_request`); so the lab connects to its
    /// own listener until that happens, and never accepts.
    #[allow(clippy::disallowed_methods, reason = "the lab fills its own queue, on loopback only")]
    async fn open(loopback: SocketAddr) -> Result<(Self, Ports), LabError> {
        let failed = |what| move |source| LabError::Socket { what, source };
        let (refusing, refuse) = tcp_socket(loopback).map_err(failed("a closed port"))?;
        let (dropping, drop) = tcp_socket(loopback).map_err(failed("a silent port"))?;
        dropping.listen(0).map_err(failed("a silent port"))?;
        let swallowing = std::net::UdpSocket::bind(loopback).map_err(failed("a silent UDP port"))?;
        let swallow = swallowing.local_addr().map_err(failed("a silent UDP port"))?;
        let mut queue = Vec::new();
        // On loopback an open port answers in microseconds. The first connection must be opened, however busy the machine
        // is; silence to a later one means that the queue is full.
        let mut patience = 20;
        loop {
            let attempt = tokio::net::TcpStream::connect(drop);
            match tokio::time::timeout(Duration::from_millis(150), attempt).await {
                Ok(opened) => queue.push(opened.map_err(failed("filling a silent port"))?),
                Err(_) if queue.is_empty() && patience > 0 => patience -= 1,
                Err(_) if !queue.is_empty() => break,
                Err(_) => return Err(LabError::Drop),
            }
            if queue.len() > 8 {
                return Err(LabError::Drop);
            }
        }
        let held = Self { _refusing: refusing, _dropping: dropping, _swallowing: swallowing, _queue: queue };
        let ports =
            Ports { refuse, drop, swallow, dns_udp: loopback, dns_tcp: loopback, web: loopback, reset: loopback };
        Ok((held, ports))
    }
}

fn tcp_socket(loopback: SocketAddr) -> io::Result<(socket2::Socket, SocketAddr)> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, Some(socket2::Protocol::TCP))?;
    socket.bind(&loopback.into())?;
    let address = socket.local_addr()?.as_socket();
    let address = address.ok_or_else(|| io::Error::other("a bound socket has no address"))?;
    Ok((socket, address))
}

/// FNV-1a, 64 bits: the same number for the same text in every build, unlike the standard library's hashers.
pub(crate) fn stable_hash(text: &str) -> u64 {
    let spread = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325, spread);
    // FNV's low bits mix poorly over short texts; a final fold lets any remainder be taken.
    hash ^ (hash >> 29) ^ (hash >> 47)
}

#[cfg(test)]
mod tests;
