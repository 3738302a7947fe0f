//! Turns: before anything is sent, the sender asks for its turn. The rules behind it (rates, simultaneous connections)
//! belong to the engine; this is only the seam, so that nothing in this folder can forget to ask.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;

use crate::model::evidence::ServerRole;

/// What is about to be sent.
#[derive(Clone, Debug)]
pub enum Subject {
    /// A TCP connection to a web server's address.
    Connection(IpAddr),
    /// A request to a host over one of its addresses.
    Request(IpAddr),
    /// A DNS query.
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
}

/// Everybody may go at once: for tests of single steps.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unpaced;

impl Turns for Unpaced {
    fn take(&self, _subject: Subject) -> Waiting<'_> {
        Box::pin(std::future::ready(Pass::default()))
    }
}
