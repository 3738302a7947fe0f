//! One question to one server: over UDP, and again over TCP when the answer does not fit. One outcome, kept with
//! everything that leads to it.
//!
//! Each query has its own socket, connected to the server, with a port and an id chosen by the operating system and at
//! random, so that an answer from elsewhere cannot be mistaken for one (RFC 5452).

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UdpSocket;
use tokio::time::timeout_at;

use super::watch::Watch;
use super::wire::{Incoming, Question, Referral, Reply, decode, encode};
use crate::clock::Clock;
use crate::model::evidence::{BrokenReply, DnsTransport, Lookup, LookupOutcome, RecordType, ServerRole};
use crate::model::failure::Failure;
use crate::model::time::Timestamp;
use crate::net::connect::Connector;
use crate::net::errors::{When, failure_of};
use crate::net::turn::{Pass, Subject, Turns};

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

/// An exchange with what else its reply said, for those who follow delegations.
#[derive(Clone, Debug)]
pub struct Heard {
    /// The exchange.
    pub lookup: Lookup,
    /// The zone cut that the reply points to, or the name servers' addresses beside an answer. None: neither.
    pub referral: Option<Referral>,
    /// How sending or connecting failed. None: it did not, or nothing came back.
    pub failure: Option<Failure>,
}

impl Heard {
    /// The question was sent. If not, for a reason of ours, nothing is known of the server.
    pub fn was_asked(&self) -> bool {
        self.lookup.outcome != LookupOutcome::NotAsked
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
        self.ask_by(name, rtype, ask, DnsTransport::Udp).await.0.lookup
    }

    /// The same, and goes on listening for a second, different reply, in the background. None: there was no reply over
    /// UDP, or nobody is to listen.
    pub async fn ask_and_watch(&self, name: &str, rtype: RecordType, ask: Ask) -> (Lookup, Option<Watch>) {
        let (heard, open) = self.ask_by(name, rtype, ask, DnsTransport::Udp).await;
        let watched = open.filter(|_| !self.limits.second_reply.is_zero());
        let watch = watched.map(|open| {
            let bounds = (self.limits.second_reply, self.limits.cname);
            Watch::start(open, bounds, Arc::clone(self.connector.traffic()))
        });
        (heard.lookup, watch)
    }

    /// Asks one question of one server over TCP at once (RFC 7766): whether that works at all.
    pub async fn ask_over_tcp(&self, name: &str, rtype: RecordType, ask: Ask) -> Lookup {
        let Heard { mut lookup, failure, .. } = self.ask_by(name, rtype, ask, DnsTransport::Tcp).await.0;
        // What is asked like this was answered over UDP, and that answer cannot be used: without TCP there is none.
        if failure.is_some() && lookup.outcome != LookupOutcome::NotAsked {
            (lookup.outcome, lookup.broken) = (LookupOutcome::Broken, Some(BrokenReply::TruncatedNoTcp));
        }
        lookup
    }

    /// What stands in for an answer to a question that is not sent.
    pub fn not_asked(&self, name: &str, rtype: RecordType, ask: Ask) -> Lookup {
        let told = Told::of(outcome(LookupOutcome::NotAsked), DnsTransport::Udp);
        lookup(name.to_owned(), rtype, ask, told, (self.clock.now(), 0))
    }

    /// Asks one question of one server, over UDP (and again over TCP if the answer does not fit) or over TCP at once, and
    /// keeps what the reply says about delegations as well.
    pub async fn consult(&self, name: &str, rtype: RecordType, ask: Ask, over: DnsTransport) -> Heard {
        self.ask_by(name, rtype, ask, over).await.0
    }

    /// One exchange, and the socket that brought the reply over UDP.
    async fn ask_by(&self, name: &str, rtype: RecordType, ask: Ask, over: DnsTransport) -> (Heard, Option<Open>) {
        let recursion = ask.role == ServerRole::Resolver;
        let question = Question { name: name.to_owned(), rtype, recursion, checking_disabled: ask.checking_disabled };
        let pass = self.turns.take(Subject::Query(ask.server, ask.role)).await;
        let started = self.clock.now();
        let begun = Instant::now();
        let scope = self.connector.scope(ask.server.ip());
        let mut told = if ask.role == ServerRole::Authority && !scope.is_public() {
            // The address rule holds for name servers too: supplied glue is a real path inside (docs/method/address.md).
            Told::failed(over, Failure::ScopeRefused(scope))
        } else if over == DnsTransport::Tcp {
            // A connection may take long to open, and who comes next does not wait for that.
            drop(pass);
            match self.tcp(&question, ask).await {
                Ok(reply) => Told::of(reply, over),
                Err(failure) => Told::failed(over, failure),
            }
        } else {
            self.run(&question, ask, pass).await
        };
        let taken = begun.elapsed().saturating_sub(told.waited);
        let duration_us = u64::try_from(taken.as_micros()).unwrap_or(u64::MAX);
        let (referral, failure) = (told.reply.referral.take(), told.failure.take());
        let open = told.socket.take().map(|(socket, id)| Open {
            socket,
            id,
            question: question.clone(),
            first: told.reply.clone(),
        });
        let lookup = lookup(question.name, rtype, ask, told, (started, duration_us));
        (Heard { lookup, referral, failure }, open)
    }

    async fn run(&self, question: &Question, ask: Ask, pass: Pass) -> Told {
        match self.udp(question, ask.server, pass).await {
            Ok(Some((reply, socket))) => Told { socket, ..Told::of(reply, DnsTransport::Udp) },
            Ok(None) => {
                // A second query, so a second turn. What is waited for it is no slowness of the server's.
                let since = Instant::now();
                drop(self.turns.take(Subject::Query(ask.server, ask.role)).await);
                let waited = since.elapsed();
                let reply = match self.tcp(question, ask).await {
                    Ok(reply) => reply,
                    // That we could not ask says nothing about the server.
                    Err(failure) if failure.is_local() => outcome(LookupOutcome::NotAsked),
                    Err(_) => Reply::broken(BrokenReply::TruncatedNoTcp),
                };
                Told { retried: true, waited, ..Told::of(reply, DnsTransport::Tcp) }
            }
            Err(failure) => Told::failed(DnsTransport::Udp, failure),
        }
    }

    /// None: truncated, ask over TCP. The turn is over when the query is on its way: the next one follows that, however long
    /// this task had to wait for a processor.
    async fn udp(
        &self,
        question: &Question,
        server: SocketAddr,
        pass: Pass,
    ) -> Result<Option<(Reply, Option<(UdpSocket, u16)>)>, Failure> {
        let id = random_id();
        let Some(query) = encode(id, question) else { return Ok(Some((Reply::broken(BrokenReply::Malformed), None))) };
        let deadline = tokio::time::Instant::now() + self.limits.timeout;
        let socket = self.connector.udp(server)?;
        if let Err(error) = socket.send(&query).await {
            return Err(failure_of(&error, When::Before));
        }
        drop(pass);
        self.connector.traffic().add_sent(query.len());
        let mut wrong: Option<Reply> = None;
        loop {
            let Ok(readable) = timeout_at(deadline, socket.readable()).await else {
                return Ok(Some((wrong.unwrap_or_else(|| outcome(LookupOutcome::Timeout)), None)));
            };
            // Room is needed only once something has come: a query that waits holds none.
            let mut buffer = [0; 4096];
            let length = match readable.and_then(|()| socket.try_recv(&mut buffer)) {
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                // An ICMP error for our datagram: nobody listens there. To the name, that is no answer, as silence is.
                Err(error) => return Err(failure_of(&error, When::Connecting)),
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

    async fn tcp(&self, question: &Question, ask: Ask) -> Result<Reply, Failure> {
        let exchange = async {
            let mut stream = match ask.role {
                ServerRole::Resolver => self.connector.connect_any(ask.server, self.limits.timeout).await,
                ServerRole::Authority => self.connector.connect(ask.server, self.limits.timeout).await,
            }?;
            let id = random_id();
            let message = encode(id, question).and_then(|query| Some((u16::try_from(query.len()).ok()?, query)));
            let Some((length, query)) = message else { return Ok(Reply::broken(BrokenReply::Malformed)) };
            let mut framed = length.to_be_bytes().to_vec();
            framed.extend(query);
            let read = async {
                stream.write_all(&framed).await?;
                let length = stream.read_u16().await?;
                let mut message = vec![0; usize::from(length)];
                stream.read_exact(&mut message).await.map(|_| message)
            };
            // The connection is open: what ends it early came from the other side, unless this machine ran short.
            let message = read.await.map_err(|error| failure_of(&error, When::Open))?;
            Ok(match decode(&message, id, question, self.limits.cname) {
                Incoming::Unrelated => Reply::broken(BrokenReply::Malformed),
                Incoming::Truncated => Reply::broken(BrokenReply::TruncatedOverTcp),
                Incoming::Reply(reply) => *reply,
            })
        };
        tokio::time::timeout(self.limits.timeout, exchange).await.unwrap_or(Err(Failure::Timeout))
    }
}

/// A question that has its reply, and the socket that brought it.
pub(super) struct Open {
    pub(super) socket: UdpSocket,
    pub(super) id: u16,
    pub(super) question: Question,
    pub(super) first: Reply,
}

/// What came of a question, before it becomes evidence.
struct Told {
    reply: Reply,
    transport: DnsTransport,
    retried: bool,
    /// Of the time it took, what was waited for a turn.
    waited: Duration,
    failure: Option<Failure>,
    /// The socket that brought the reply, and the id of the query. None: not over UDP.
    socket: Option<(UdpSocket, u16)>,
}

impl Told {
    fn of(reply: Reply, transport: DnsTransport) -> Self {
        Self { reply, transport, retried: false, waited: Duration::ZERO, failure: None, socket: None }
    }

    fn failed(transport: DnsTransport, failure: Failure) -> Self {
        let ours = failure.is_local() || matches!(failure, Failure::ScopeRefused(_));
        let reply = outcome(if ours { LookupOutcome::NotAsked } else { LookupOutcome::Timeout });
        Self { failure: Some(failure), ..Self::of(reply, transport) }
    }
}

/// The evidence of one exchange; `time` is when it began and how many microseconds it took.
fn lookup(name: String, rtype: RecordType, ask: Ask, told: Told, time: (Timestamp, u64)) -> Lookup {
    let Told { reply, transport, retried, .. } = told;
    let replied = !matches!(reply.outcome, LookupOutcome::Timeout | LookupOutcome::NotAsked);
    Lookup {
        name,
        rtype,
        server: ask.server,
        role: ask.role,
        transport,
        retried_over_tcp: retried,
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
