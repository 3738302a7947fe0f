//! One question to one server: over UDP, and again over TCP when the answer does not fit. One outcome, kept with
//! everything that leads to it.
//!
//! Each query has its own socket, connected to the server, with a port and an id chosen by the operating system and at
//! random, so that an answer from elsewhere cannot be mistaken for one (RFC 5452).

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout_at;

use super::wire::{Incoming, Question, Reply, decode, encode};
use crate::clock::Clock;
use crate::model::evidence::{BrokenReply, DnsTransport, Lookup, LookupOutcome, RecordType, ServerRole};
use crate::model::failure::Failure;
use crate::net::connect::Connector;
use crate::net::errors::{When, failure_of};
use crate::net::turn::{Subject, Turns};

/// How long and how far an exchange may go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DnsLimits {
    /// For one UDP answer, and for one TCP exchange.
    pub timeout: Duration,
    /// CNAME records followed.
    pub cname: usize,
}

impl Default for DnsLimits {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(3), cname: 8 }
    }
}

/// Whom to ask, and how.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    /// The server.
    pub server: SocketAddr,
    /// What it is to us. Resolvers are asked to recurse, authorities are not.
    pub role: ServerRole,
    /// Ask the resolver not to validate DNSSEC.
    pub checking_disabled: bool,
    /// Attempt number within the round, from 1; kept in the evidence.
    pub attempt: u8,
}

/// Makes DNS exchanges.
#[derive(Clone, Debug)]
pub struct Exchanges {
    connector: Connector,
    turns: Arc<dyn Turns>,
    clock: Arc<dyn Clock>,
    limits: DnsLimits,
}

impl Exchanges {
    /// An exchange maker.
    pub fn new(connector: Connector, turns: Arc<dyn Turns>, clock: Arc<dyn Clock>, limits: DnsLimits) -> Self {
        Self { connector, turns, clock, limits }
    }

    /// Asks one question of one server.
    pub async fn ask(&self, name: &str, rtype: RecordType, ask: Ask) -> Lookup {
        self.ask_by(name, rtype, ask, false).await
    }

    /// Asks one question of one server over TCP at once (RFC 7766): whether that works at all.
    pub async fn ask_over_tcp(&self, name: &str, rtype: RecordType, ask: Ask) -> Lookup {
        self.ask_by(name, rtype, ask, true).await
    }

    async fn ask_by(&self, name: &str, rtype: RecordType, ask: Ask, over_tcp: bool) -> Lookup {
        let recursion = ask.role == ServerRole::Resolver;
        let question = Question { name: name.to_owned(), rtype, recursion, checking_disabled: ask.checking_disabled };
        let pass = self.turns.take(Subject::Query(ask.server, ask.role)).await;
        let started = self.clock.now();
        let begun = Instant::now();
        let (reply, transport, retried_over_tcp) = if over_tcp {
            (self.tcp(&question, ask).await, DnsTransport::Tcp, false)
        } else {
            self.run(&question, ask).await
        };
        drop(pass);
        let replied = !matches!(reply.outcome, LookupOutcome::Timeout | LookupOutcome::NotAsked);
        Lookup {
            name: question.name,
            rtype,
            server: ask.server,
            role: ask.role,
            transport,
            retried_over_tcp,
            checking_disabled: ask.checking_disabled,
            outcome: reply.outcome,
            broken: reply.broken,
            authoritative: replied.then_some(reply.authoritative),
            authenticated: replied.then_some(reply.authenticated),
            soa_owner: reply.soa_owner,
            chain: reply.chain,
            addresses: reply.addresses,
            names: reply.names,
            started,
            duration_us: u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX),
            attempt: ask.attempt,
        }
    }

    async fn run(&self, question: &Question, ask: Ask) -> (Reply, DnsTransport, bool) {
        // The address rule holds for name servers too: supplied glue is a real path inside (docs/method/address.md).
        if ask.role == ServerRole::Authority && !self.connector.scope(ask.server.ip()).is_public() {
            return (outcome(LookupOutcome::NotAsked), DnsTransport::Udp, false);
        }
        match self.udp(question, ask.server).await {
            Ok(Some(reply)) => (reply, DnsTransport::Udp, false),
            Ok(None) => {
                // A second query, so a second turn.
                let _pass = self.turns.take(Subject::Query(ask.server, ask.role)).await;
                (self.tcp(question, ask).await, DnsTransport::Tcp, true)
            }
            Err(unsent) => (outcome(unsent), DnsTransport::Udp, false),
        }
    }

    /// None: truncated, ask over TCP.
    async fn udp(&self, question: &Question, server: SocketAddr) -> Result<Option<Reply>, LookupOutcome> {
        let id = random_id();
        let Some(query) = encode(id, question) else { return Ok(Some(Reply::broken(BrokenReply::Malformed))) };
        let deadline = tokio::time::Instant::now() + self.limits.timeout;
        let socket = self.connector.udp(server).map_err(|failure| unsent(&failure))?;
        if let Err(error) = socket.send(&query).await {
            return Err(unsent(&failure_of(&error, When::Before)));
        }
        self.connector.traffic().add_sent(query.len());
        let mut buffer = vec![0; 4096];
        let mut wrong: Option<Reply> = None;
        loop {
            let length = match timeout_at(deadline, socket.recv(&mut buffer)).await {
                Ok(Ok(length)) => length,
                // An ICMP error for our datagram: nobody listens there. To the name, that is no answer, as silence is.
                Ok(Err(error)) => return Err(unsent(&failure_of(&error, When::Connecting))),
                Err(_) => return Ok(Some(wrong.unwrap_or_else(|| outcome(LookupOutcome::Timeout)))),
            };
            self.connector.traffic().add_received(length);
            match decode(&buffer[..length], id, question, self.limits.cname) {
                Incoming::Unrelated => {}
                Incoming::Truncated => return Ok(None),
                // A reply to another question may be a forgery; the real one may still come.
                Incoming::Reply(reply) if reply.broken == Some(BrokenReply::WrongQuestion) => wrong = Some(*reply),
                Incoming::Reply(reply) => return Ok(Some(*reply)),
            }
        }
    }

    async fn tcp(&self, question: &Question, ask: Ask) -> Reply {
        let exchange = async {
            let stream = match ask.role {
                ServerRole::Resolver => self.connector.connect_any(ask.server, self.limits.timeout).await,
                ServerRole::Authority => self.connector.connect(ask.server, self.limits.timeout).await,
            };
            let mut stream = match stream {
                Ok(stream) => stream,
                // That we could not ask says nothing about the server.
                Err(failure) if failure.is_local() => return Some(outcome(LookupOutcome::NotAsked)),
                Err(_) => return None,
            };
            let id = random_id();
            let query = encode(id, question)?;
            let length = u16::try_from(query.len()).ok()?;
            let mut framed = length.to_be_bytes().to_vec();
            framed.extend(query);
            stream.write_all(&framed).await.ok()?;
            let length = stream.read_u16().await.ok()?;
            let mut message = vec![0; usize::from(length)];
            stream.read_exact(&mut message).await.ok()?;
            Some(match decode(&message, id, question, self.limits.cname) {
                Incoming::Unrelated => Reply::broken(BrokenReply::Malformed),
                Incoming::Truncated => Reply::broken(BrokenReply::TruncatedOverTcp),
                Incoming::Reply(reply) => *reply,
            })
        };
        let reply = tokio::time::timeout(self.limits.timeout, exchange).await.ok().flatten();
        reply.unwrap_or_else(|| Reply::broken(BrokenReply::TruncatedNoTcp))
    }
}

fn unsent(failure: &Failure) -> LookupOutcome {
    if failure.is_local() { LookupOutcome::NotAsked } else { LookupOutcome::Timeout }
}

fn outcome(outcome: LookupOutcome) -> Reply {
    let mut reply = Reply::broken(BrokenReply::Malformed);
    reply.outcome = outcome;
    reply.broken = None;
    reply
}

/// An unpredictable query id: the standard library seeds each `RandomState` from the operating system's randomness and
/// hashes with SipHash.
fn random_id() -> u16 {
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u8(0);
    let [a, b, ..] = hasher.finish().to_ne_bytes();
    u16::from_ne_bytes([a, b])
}
