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

use super::wire::{Incoming, Question, Referral, Reply, decode, encode};
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
        self.consult(name, rtype, ask, DnsTransport::Udp).await.lookup
    }

    /// Asks one question of one server over TCP at once (RFC 7766): whether that works at all.
    pub async fn ask_over_tcp(&self, name: &str, rtype: RecordType, ask: Ask) -> Lookup {
        self.consult(name, rtype, ask, DnsTransport::Tcp).await.lookup
    }

    /// Asks one question of one server, over UDP (and again over TCP if the answer does not fit) or over TCP at once, and
    /// keeps what the reply says about delegations as well.
    pub async fn consult(&self, name: &str, rtype: RecordType, ask: Ask, over: DnsTransport) -> Heard {
        let recursion = ask.role == ServerRole::Resolver;
        let question = Question { name: name.to_owned(), rtype, recursion, checking_disabled: ask.checking_disabled };
        let pass = self.turns.take(Subject::Query(ask.server, ask.role)).await;
        let started = self.clock.now();
        let begun = Instant::now();
        let scope = self.connector.scope(ask.server.ip());
        let told = if ask.role == ServerRole::Authority && !scope.is_public() {
            // The address rule holds for name servers too: supplied glue is a real path inside (docs/method/address.md).
            Told::failed(over, Failure::ScopeRefused(scope))
        } else if over == DnsTransport::Tcp {
            match self.tcp(&question, ask).await {
                Ok(reply) => Told { reply, transport: over, retried: false, failure: None },
                Err(failure) => Told::failed(over, failure),
            }
        } else {
            self.run(&question, ask).await
        };
        drop(pass);
        let Told { reply, transport, retried, failure } = told;
        let replied = !matches!(reply.outcome, LookupOutcome::Timeout | LookupOutcome::NotAsked);
        let lookup = Lookup {
            name: question.name,
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
            started,
            duration_us: u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX),
            attempt: ask.attempt,
        };
        Heard { lookup, referral: reply.referral, failure }
    }

    async fn run(&self, question: &Question, ask: Ask) -> Told {
        let over = |reply, transport, retried| Told { reply, transport, retried, failure: None };
        match self.udp(question, ask.server).await {
            Ok(Some(reply)) => over(reply, DnsTransport::Udp, false),
            Ok(None) => {
                // A second query, so a second turn.
                let _pass = self.turns.take(Subject::Query(ask.server, ask.role)).await;
                let reply = match self.tcp(question, ask).await {
                    Ok(reply) => reply,
                    // That we could not ask says nothing about the server.
                    Err(failure) if failure.is_local() => outcome(LookupOutcome::NotAsked),
                    Err(_) => Reply::broken(BrokenReply::TruncatedNoTcp),
                };
                over(reply, DnsTransport::Tcp, true)
            }
            Err(failure) => Told::failed(DnsTransport::Udp, failure),
        }
    }

    /// None: truncated, ask over TCP.
    async fn udp(&self, question: &Question, server: SocketAddr) -> Result<Option<Reply>, Failure> {
        let id = random_id();
        let Some(query) = encode(id, question) else { return Ok(Some(Reply::broken(BrokenReply::Malformed))) };
        let deadline = tokio::time::Instant::now() + self.limits.timeout;
        let socket = self.connector.udp(server)?;
        if let Err(error) = socket.send(&query).await {
            return Err(failure_of(&error, When::Before));
        }
        self.connector.traffic().add_sent(query.len());
        let mut buffer = vec![0; 4096];
        let mut wrong: Option<Reply> = None;
        loop {
            let length = match timeout_at(deadline, socket.recv(&mut buffer)).await {
                Ok(Ok(length)) => length,
                // An ICMP error for our datagram: nobody listens there. To the name, that is no answer, as silence is.
                Ok(Err(error)) => return Err(failure_of(&error, When::Connecting)),
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
            // The connection is open: whatever ends it early came from the other side.
            let message = read.await.map_err(|_| Failure::Reset)?;
            Ok(match decode(&message, id, question, self.limits.cname) {
                Incoming::Unrelated => Reply::broken(BrokenReply::Malformed),
                Incoming::Truncated => Reply::broken(BrokenReply::TruncatedOverTcp),
                Incoming::Reply(reply) => *reply,
            })
        };
        tokio::time::timeout(self.limits.timeout, exchange).await.unwrap_or(Err(Failure::Timeout))
    }
}

/// What came of a question, before it becomes evidence.
struct Told {
    reply: Reply,
    transport: DnsTransport,
    retried: bool,
    failure: Option<Failure>,
}

impl Told {
    fn failed(transport: DnsTransport, failure: Failure) -> Self {
        let ours = failure.is_local() || matches!(failure, Failure::ScopeRefused(_));
        let reply = outcome(if ours { LookupOutcome::NotAsked } else { LookupOutcome::Timeout });
        Self { reply, transport, retried: false, failure: Some(failure) }
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
