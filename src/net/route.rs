//! How an address of the evidence becomes a socket address to dial: the seam at which the lab stands in for the Internet.
//!
//! The program itself always uses [`Direct`]. The lab maps pretended addresses to its servers on loopback, so that the
//! evidence keeps the pretended address while real sockets carry real bytes. Leaves to others: address policy (checked
//! before a route is asked), connecting, deadlines.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::model::address::Family;
use crate::model::failure::Icmp;

/// Transport protocol of a dial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// What to do to reach an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dial {
    /// Dial the address itself.
    Direct,
    /// Dial this loopback address instead. The caller binds its socket first and calls [`Route::announce`] with the
    /// bound address before it sends or connects, so that the server knows which address was meant.
    Mapped(SocketAddr),
    /// Behave as if this ICMP error had come back from a router.
    Unreachable(Icmp),
    /// Behave as if this host had no route to the family.
    NoRoute,
}

/// The way from an address to a socket.
pub trait Route: fmt::Debug + Send + Sync {
    /// How to dial this address.
    fn dial(&self, transport: Transport, target: SocketAddr) -> Dial;

    /// Tells the other side of a [`Dial::Mapped`] which address the socket bound to `local` means to talk to.
    fn announce(&self, transport: Transport, local: SocketAddr, target: SocketAddr);

    /// An address of its own on loopback that stands for `target` for TCP clients that open sockets themselves and so
    /// cannot announce. None: dial the target itself.
    fn standing_in_for(&self, target: SocketAddr) -> Option<SocketAddr>;

    /// A number that changes when this host's own addresses or default routes of a family do: what was proven before is
    /// proven no more then. Always the same where that cannot be known. None: it cannot be read just now.
    fn identity(&self, family: Family) -> Option<u64>;
}

/// The real Internet.
#[derive(Clone, Copy, Debug, Default)]
pub struct Direct;

impl Route for Direct {
    fn dial(&self, _transport: Transport, _target: SocketAddr) -> Dial {
        Dial::Direct
    }

    fn announce(&self, _transport: Transport, _local: SocketAddr, _target: SocketAddr) {}

    fn standing_in_for(&self, _target: SocketAddr) -> Option<SocketAddr> {
        None
    }

    fn identity(&self, family: Family) -> Option<u64> {
        super::local::identity(family)
    }
}

/// Another way out for a run that was told to leave IPv6 alone: whatever somebody forgets, nothing is sent over it.
#[derive(Clone, Debug)]
pub struct WithoutIpv6(pub Arc<dyn Route>);

impl Route for WithoutIpv6 {
    fn dial(&self, transport: Transport, target: SocketAddr) -> Dial {
        if target.is_ipv6() { Dial::NoRoute } else { self.0.dial(transport, target) }
    }

    fn announce(&self, transport: Transport, local: SocketAddr, target: SocketAddr) {
        self.0.announce(transport, local, target);
    }

    fn standing_in_for(&self, target: SocketAddr) -> Option<SocketAddr> {
        self.0.standing_in_for(target)
    }

    fn identity(&self, family: Family) -> Option<u64> {
        self.0.identity(family)
    }
}
