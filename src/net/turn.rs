//! Turns: before anything is sent, the sender asks for its turn. The rules behind it (rates, simultaneous connections)
//! belong to the engine; this is only the seam, so that nothing in this folder can forget to ask.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;

use crate::model::evidence::ServerRole;
use crate::model::run::Pause;
use crate::model::time::Timestamp;

/// What is about to be sent.
#[derive(Clone, Debug)]
pub enum Subject {
    /// A TCP connection to a web server's address, to see whether it opens.
    Connection(IpAddr),
    /// A TCP connection that carries a request to a host over one of its addresses. The pass is held until the response
    /// has been read.
    Request(String, IpAddr),
    /// A DNS query. The pass is held until the query is sent.
    Query(SocketAddr, ServerRole),
}

/// Permission to go ahead; the place is free again when it is dropped.
#[derive(Default)]
pub struct Pass(Option<Box<dyn Any + Send>>);

impl Pass {
    /// A pass that holds these until it is dropped.
    pub fn holding(places: Box<dyn Any + Send>) -> Self {
        Self(Some(places))
    }
}

impl fmt::Debug for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pass").field(&self.0.is_some()).finish()
    }
}

/// Waits for a turn.
pub type Waiting<'a> = Pin<Box<dyn Future<Output = Pass> + Send + 'a>>;

/// Gives turns.
pub trait Turns: fmt::Debug + Send + Sync {
    /// Waits until this may be sent.
    fn take(&self, subject: Subject) -> Waiting<'_>;

    /// Tells how a connection to an address went, for `host` or for the sake of its addresses: was it reset?
    fn heard(&self, _host: &str, _address: IpAddr, _reset: bool) {}

    /// Networks that were left alone for a while because they reset one connection after another.
    fn pauses(&self, _now: Timestamp) -> Vec<Pause> {
        Vec::new()
    }
}

/// Everybody may go at once: for tests of single steps.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unpaced;

impl Turns for Unpaced {
    fn take(&self, _subject: Subject) -> Waiting<'_> {
        Box::pin(std::future::ready(Pass::default()))
    }
}
