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
use tokio::net::UdpSocket;
use tokio::time::timeout_at;

use super::watch::Watch;
use super::wire::{Incoming, Question, Reply, decode, encode};
use crate::clock::Clock;
use crate::model::evidence::{BrokenReply, DnsTransport, Lookup, LookupOutcome, RecordType, ServerRole};
use crate::model::failure::Failure;
use crate::model::time::Timestamp;
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
    /// How long a second, different reply is listened for after the first. Zero: not at all.
    pub second_reply: Duration,
}

impl Default for DnsLimits {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(3), cname: 8, second_reply: Duration::from_secs(2) }
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

/// The socket that brought a reply, and the id of the query.
pub(super) type Heard = (UdpSocket, u16);

/// How a question ended.
struct Done {
    reply: Reply,
    transport: DnsTransport,
    retried_over_tcp: bool,
    heard: Option<Heard>,
}

impl Done {
    fn by_udp(reply: Reply, heard: Option<Heard>) -> Self {
        Self { reply, transport: DnsTransport::Udp, retried_over_tcp: false, heard }
    }

    fn by_tcp(reply: Reply, retried_over_tcp: bool) -> Self {
        Self { reply, transport: DnsTransport::Tcp, retried_over_tcp, heard: None }
    }
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
        self.ask_by(name, rtype, ask, false).await.0
    }

    /// The same, and goes on listening for a second, different reply, in the background. None: there was no reply over
    /// UDP, or nobody is to listen.
    pub async fn ask_and_watch(&self, name: &str, rtype: RecordType, ask: Ask) -> (Lookup, Option<Watch>) {
        self.ask_by(name, rtype, ask, false).await
    }

    /// Asks one question of one server over TCP at once (RFC 7766): whether that works at all.
    pub async fn ask_over_tcp(&self, name: &str, rtype: RecordType, ask: Ask) -> Lookup {
        self.ask_by(name, rtype, ask, true).await.0
    }

    /// What stands in for an answer to a question that is not sent.
    pub fn not_asked(&self, name: &str, rtype: RecordType, ask: Ask) -> Lookup {
        let done = Done::by_udp(outcome(LookupOutcome::NotAsked), None);
        lookup(name.to_owned(), rtype, ask, done, (self.clock.now(), 0))
    }

    async fn ask_by(&self, name: &str, rtype: RecordType, ask: Ask, over_tcp: bool) -> (Lookup, Option<Watch>) {
        let recursion = ask.role == ServerRole::Resolver;
        let question = Question { name: name.to_owned(), rtype, recursion, checking_disabled: ask.checking_disabled };
        let pass = self.turns.take(Subject::Query(ask.server, ask.role)).await;
        let started = self.clock.now();
        let begun = Instant::now();
        let mut done =
            if over_tcp { Done::by_tcp(self.tcp(&question, ask).await, false) } else { self.run(&question, ask).await };
        drop(pass);
        let duration_us = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        let watched = done.heard.take().filter(|_| !self.limits.second_reply.is_zero());
        let watch = watched.map(|heard| {
            let bounds = (self.limits.second_reply, self.limits.cname);
            let traffic = Arc::clone(self.connector.traffic());
            Watch::start(heard, question.clone(), done.reply.clone(), bounds, traffic)
        });
        (lookup(question.name, rtype, ask, done, (started, duration_us)), watch)
    }

    async fn run(&self, question: &Question, ask: Ask) -> Done {
        // The address rule holds for name servers too: supplied glue is a real path inside (docs/method/address.md).
        if ask.role == ServerRole::Authority && !self.connector.scope(ask.server.ip()).is_public() {
            return Done::by_udp(outcome(LookupOutcome::NotAsked), None);
        }
        match self.udp(question, ask.server).await {
            Ok(Some((reply, heard))) => Done::by_udp(reply, heard),
            Ok(None) => {
                // A second query, so a second turn.
                let _pass = self.turns.take(Subject::Query(ask.server, ask.role)).await;
                Done::by_tcp(self.tcp(question, ask).await, true)
            }
            Err(unsent) => Done::by_udp(outcome(unsent), None),
        }
    }

    /// None: truncated, ask over TCP.
    async fn udp(
        &self,
        question: &Question,
        server: SocketAddr,
    ) -> Result<Option<(Reply, Option<Heard>)>, LookupOutcome> {
        let id = random_id();
        let Some(query) = encode(id, question) else { return Ok(Some((Reply::broken(BrokenReply::Malformed), None))) };
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
                Err(_) => return Ok(Some((wrong.unwrap_or_else(|| outcome(LookupOutcome::Timeout)), None))),
            };
            self.connector.traffic().add_received(length);
            match decode(&buffer[..length], id, question, self.limits.cname) {
                Incoming::Unrelated => {}
                Incoming::Truncated => return Ok(None),
                // A reply to another question may be a forgery; the real one may still come.
                Incoming::Reply(reply) if reply.broken == Some(BrokenReply::WrongQuestion) => wrong = Some(*reply),
                Incoming::Reply(reply) => return Ok(Some((*reply, Some((socket, id))))),
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

/// The evidence of one exchange; `time` is when it began and how many microseconds it took.
fn lookup(name: String, rtype: RecordType, ask: Ask, done: Done, time: (Timestamp, u64)) -> Lookup {
    let Done { reply, transport, retried_over_tcp, .. } = done;
    let replied = !matches!(reply.outcome, LookupOutcome::Timeout | LookupOutcome::NotAsked);
    Lookup {
        name,
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
        hints: reply.hints,
        rival: None,
        started: time.0,
        duration_us: time.1,
        attempt: ask.attempt,
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
