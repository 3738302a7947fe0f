//! The lab's side of the route seam: from a pretended address to the loopback port that behaves as the world says.
//!
//! Leaves to others: what the servers behind the ports do.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, PoisonError};

use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use super::Shared;
use super::dns::facts::Reach;
use super::log::{Event, Fate};
use super::web::facts::Door;
use crate::model::address::Family;
use crate::model::evidence::ServerRole;
use crate::model::failure::Icmp;
use crate::net::route::{Dial, Route, Transport};

/// Listeners of their own at most, unless the world says otherwise: the one that was least recently used makes room, since
/// descriptors are scarce.
const STAND_INS: usize = 200;

/// The lab's ports on loopback.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ports {
    pub(super) dns_udp: SocketAddr,
    pub(super) dns_tcp: SocketAddr,
    pub(super) web: SocketAddr,
    pub(super) reset: SocketAddr,
    pub(super) refuse: SocketAddr,
    pub(super) drop: SocketAddr,
    pub(super) swallow: SocketAddr,
}

/// Listeners that stand for one pretended address each, the least recently used first.
#[derive(Debug, Default)]
pub(super) struct StandIns {
    open: VecDeque<StandIn>,
    closed: bool,
}

#[derive(Debug)]
struct StandIn {
    target: SocketAddr,
    local: SocketAddr,
    task: AbortHandle,
}

/// The way into one lab.
#[derive(Debug)]
pub(super) struct LabRoute {
    shared: Arc<Shared>,
}

impl LabRoute {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// What awaits a dial, counting it.
    fn meet(&self, transport: Transport, target: SocketAddr) -> (Dial, Fate) {
        let ports = &self.shared.ports;
        let dropped = match transport {
            Transport::Tcp => (Dial::Mapped(ports.drop), Fate::Dropped),
            Transport::Udp => (Dial::Mapped(ports.swallow), Fate::Dropped),
        };
        let resolver = self.shared.directory.role(target.ip()) == Some(ServerRole::Resolver);
        if self.shared.uplink.swallows(target, resolver) {
            return dropped;
        }
        if target.port() == 53 && self.shared.directory.role(target.ip()).is_some() {
            let reach = self.shared.directory.reach(target.ip());
            return match (transport, reach.udp, reach.tcp) {
                (Transport::Udp, Reach::Open, _) => (Dial::Mapped(ports.dns_udp), Fate::Served),
                (Transport::Tcp, _, Reach::Open | Reach::Drip) => (Dial::Mapped(ports.dns_tcp), Fate::Served),
                (Transport::Tcp, _, Reach::Refused) => (Dial::Mapped(ports.refuse), Fate::Refused),
                (Transport::Udp, Reach::Refused, _) => (Dial::Unreachable(Icmp::Host), Fate::Unreachable),
                _ => dropped,
            };
        }
        if transport == Transport::Udp {
            return dropped;
        }
        let unreachable = |icmp| (Dial::Unreachable(icmp), Fate::Unreachable);
        match self.shared.door(target) {
            None | Some(Door::Timeout) => dropped,
            Some(Door::Open) => (Dial::Mapped(ports.web), Fate::Served),
            Some(Door::Reset) => (Dial::Mapped(ports.reset), Fate::Reset),
            Some(Door::Refused) => (Dial::Mapped(ports.refuse), Fate::Refused),
            Some(Door::Unreachable) => unreachable(Icmp::Network),
            Some(Door::HostUnreachable) => unreachable(Icmp::Host),
            Some(Door::Prohibited) => unreachable(Icmp::Prohibited),
            Some(Door::NoRoute) => (Dial::NoRoute, Fate::NoRoute),
        }
    }

    fn stand_in(&self, target: SocketAddr) -> std::io::Result<SocketAddr> {
        let mut all = self.shared.stand_ins.lock().unwrap_or_else(PoisonError::into_inner);
        if all.closed {
            return Ok(self.shared.ports.refuse);
        }
        if let Some(at) = all.open.iter().position(|each| each.target == target)
            && let Some(known) = all.open.remove(at)
        {
            let local = known.local;
            all.open.push_back(known);
            return Ok(local);
        }
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let local = listener.local_addr()?;
        let listener = {
            let _runtime = self.shared.runtime.enter();
            TcpListener::from_std(listener)?
        };
        let serving = super::web::serve(listener, Some(target), Arc::clone(&self.shared));
        let task = self.shared.runtime.spawn(serving).abort_handle();
        all.open.push_back(StandIn { target, local, task });
        // Whoever is connected to it when it goes is reset.
        if all.open.len() > self.shared.world.stand_ins.unwrap_or(STAND_INS)
            && let Some(oldest) = all.open.pop_front()
        {
            oldest.task.abort();
        }
        Ok(local)
    }
}

impl Route for LabRoute {
    fn dial(&self, transport: Transport, target: SocketAddr) -> Dial {
        let (dial, fate) = self.meet(transport, target);
        self.shared.log.push(Event::Dial { transport, target, fate });
        dial
    }

    fn announce(&self, transport: Transport, local: SocketAddr, target: SocketAddr) {
        self.shared.announce(transport, local.port(), target);
    }

    /// An ICMP error cannot be had from a listener; where one is due, the connection is refused instead.
    fn standing_in_for(&self, target: SocketAddr) -> Option<SocketAddr> {
        let (dial, fate) = self.meet(Transport::Tcp, target);
        self.shared.log.push(Event::Dial { transport: Transport::Tcp, target, fate });
        match (dial, fate) {
            (Dial::Mapped(port), Fate::Served) if port == self.shared.ports.web => {
                Some(self.stand_in(target).unwrap_or(self.shared.ports.refuse))
            }
            (Dial::Mapped(port), Fate::Dropped | Fate::Reset) => Some(port),
            _ => Some(self.shared.ports.refuse),
        }
    }

    fn identity(&self, family: Family) -> Option<u64> {
        Some(self.shared.uplink.identity(family))
    }
}

/// Ends all stand-ins for good.
pub(super) fn close_stand_ins(shared: &Shared) {
    let mut all = shared.stand_ins.lock().unwrap_or_else(PoisonError::into_inner);
    all.closed = true;
    for each in all.open.drain(..) {
        each.task.abort();
    }
}
