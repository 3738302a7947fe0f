//! What the lab's servers saw, in order. Tests hold the scanner to it: which queries, connections and requests there were
//! and which there were not.
//!
//! Leaves to others: what a scenario demands of it ([`super::saw`]).

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::model::evidence::{DnsTransport, ServerRole};
use crate::net::route::Transport;

/// One thing that was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Counted from 1 over the whole life of the lab.
    pub number: u64,
    /// Since the lab began.
    pub at: Duration,
    /// What it was.
    pub event: Event,
}

/// What can be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The way to an address was asked for: an attempt to connect, or to send.
    Dial {
        /// Transport.
        transport: Transport,
        /// The pretended address.
        target: SocketAddr,
        /// What awaits the attempt there.
        fate: Fate,
    },
    /// A TCP connection was accepted.
    Accept {
        /// The pretended address.
        address: SocketAddr,
    },
    /// A DNS query came in.
    Query {
        /// The pretended server.
        server: SocketAddr,
        /// What that server is.
        role: ServerRole,
        /// The name, lower case, without the trailing dot.
        name: String,
        /// The type's mnemonic, such as `AAAA`.
        rtype: String,
        /// Transport.
        transport: DnsTransport,
        /// The RD bit.
        recursion_desired: bool,
        /// The CD bit.
        checking_disabled: bool,
    },
    /// A TLS greeting was read.
    Hello {
        /// The pretended address.
        address: SocketAddr,
        /// The name in it (RFC 6066). None: it named none, or it was not read as TLS.
        server_name: Option<String>,
    },
    /// A line was sent to a mail server.
    Command {
        /// The pretended address.
        address: SocketAddr,
        /// The line, without its end.
        line: String,
    },
    /// An HTTP request was read.
    Request {
        /// The pretended address.
        address: SocketAddr,
        /// Came over TLS.
        tls: bool,
        /// The name in the TLS greeting. None: no TLS, or no name.
        server_name: Option<String>,
        /// Method.
        method: String,
        /// The Host header as sent. Empty: there was none.
        host: String,
        /// The request target, with its query.
        path: String,
        /// All header fields, names in lower case.
        headers: Vec<(String, String)>,
    },
}

/// What awaits a dial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// A server.
    Served,
    /// A reset in answer to SYN.
    Refused,
    /// A connection that is reset once it is open.
    Reset,
    /// Silence.
    Dropped,
    /// An ICMP error.
    Unreachable,
    /// No route on this host.
    NoRoute,
}

impl Event {
    /// The pretended address it happened at.
    pub fn address(&self) -> SocketAddr {
        match self {
            Self::Dial { target, .. } => *target,
            Self::Accept { address }
            | Self::Command { address, .. }
            | Self::Hello { address, .. }
            | Self::Request { address, .. } => *address,
            Self::Query { server, .. } => *server,
        }
    }

    /// The name it was about: of a DNS query, a TLS greeting, or a request's Host without its port.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Dial { .. } | Self::Accept { .. } | Self::Command { .. } => None,
            Self::Query { name, .. } => Some(name),
            Self::Hello { server_name, .. } => server_name.as_deref(),
            Self::Request { host, .. } => Some(super::web::host_name(host)),
        }
    }
}

/// A handle on the log; clones share it.
#[derive(Clone, Debug)]
pub struct Log {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    began: Instant,
    number: u64,
    limit: Option<usize>,
    entries: VecDeque<Entry>,
}

impl Log {
    /// An empty log that keeps at most `limit` entries, dropping the oldest. None: keeps all.
    pub(super) fn new(limit: Option<usize>) -> Self {
        let inner = Inner { began: Instant::now(), number: 0, limit, entries: VecDeque::new() };
        Self { inner: Arc::new(Mutex::new(inner)) }
    }

    pub(super) fn push(&self, event: Event) {
        self.with(|inner| {
            inner.number += 1;
            let entry = Entry { number: inner.number, at: inner.began.elapsed(), event };
            if inner.limit.is_some_and(|limit| inner.entries.len() >= limit) {
                inner.entries.pop_front();
            }
            if inner.limit != Some(0) {
                inner.entries.push_back(entry);
            }
        });
    }

    /// Everything that is kept, oldest first.
    pub fn entries(&self) -> Vec<Entry> {
        self.with(|inner| inner.entries.iter().cloned().collect())
    }

    /// What was about one of these names or at one of these addresses, oldest first.
    pub fn of_site(&self, names: &[&str], addresses: &[IpAddr]) -> Vec<Entry> {
        let concerns = |entry: &&Entry| {
            entry.event.name().is_some_and(|name| names.contains(&name))
                || (entry.event.name().is_none() && addresses.contains(&entry.event.address().ip()))
        };
        self.with(|inner| inner.entries.iter().filter(concerns).cloned().collect())
    }

    /// How many kept entries fit.
    pub fn count(&self, fits: impl Fn(&Event) -> bool) -> u64 {
        self.with(|inner| inner.entries.iter().filter(|entry| fits(&entry.event)).count() as u64)
    }

    /// Forgets everything; numbers and times go on.
    pub fn clear(&self) {
        self.with(|inner| inner.entries.clear());
    }

    fn with<T>(&self, act: impl FnOnce(&mut Inner) -> T) -> T {
        // A panic elsewhere leaves the list whole: entries are pushed in one step.
        act(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
