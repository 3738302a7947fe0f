//! The way of a resolver that has IPv6 only, from the root to a zone: which zones it passes, and at which it ends.
//!
//! One label at a time (RFC 9156), so that what stands at each name is asked once and shared by all walks. Addresses come
//! from glue that the sender may speak for, and else from a walk of their own. Every question goes over IPv6.
//!
//! Walks wait for each other only from longer names to shorter ones; a walk for a name server's name waits for nobody, since
//! two zones may depend on each other's servers.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::budget::Budget;
use super::names::{above, is_in};
use crate::model::evidence::{
    BrokenReply, DnsTransport, LookupOutcome, RecordType, ServerRole, WalkStep, ZoneWalk, ZoneWalkEnd,
};
use crate::net::dns::exchange::{Ask, Heard};
use crate::net::dns::wire::Referral;
use crate::probe::shared::{Lasting, Shared};
use crate::probe::{Attempts, Net};

/// Servers of one zone that are tried with one question.
const SERVERS: usize = 4;
/// Addresses kept of one zone.
const ADDRESSES: usize = 16;
/// Walks for the name of a name server, for the name of one of its zone's name servers, and so on.
const DEPTH: u8 = 4;
/// Zone cuts followed, and aliases, for the name of a name server below its parent.
const TURNS: usize = 4;

/// A zone as it is seen from above.
#[derive(Clone, Debug)]
struct Cut {
    zone: String,
    servers: Vec<SocketAddr>,
    /// The questions that led here.
    steps: Vec<WalkStep>,
    /// That no zone begins below was said, and is not only supposed since the answer was of no use.
    sure: bool,
}

/// How a walk ended before its goal, and the questions that showed it.
#[derive(Clone, Debug)]
struct Stuck {
    end: ZoneWalkEnd,
    steps: Vec<WalkStep>,
}

impl Stuck {
    fn new(end: ZoneWalkEnd, steps: &[WalkStep]) -> Self {
        Self { end, steps: steps.to_vec() }
    }

    /// It was said that there is no address.
    fn lasts(&self) -> bool {
        matches!(self.end, ZoneWalkEnd::NoAddress(_))
    }
}

/// The zone a name is in, as far as the servers above it say.
type Enclosing = Result<Arc<Cut>, Stuck>;
/// Addresses of a name server. Empty: it has none.
type Addresses = Result<Vec<SocketAddr>, Stuck>;

impl Lasting for Enclosing {
    fn lasts(&self) -> bool {
        self.as_ref().map_or_else(Stuck::lasts, |cut| cut.sure)
    }
}

impl Lasting for Addresses {
    fn lasts(&self) -> bool {
        self.as_ref().map_or_else(Stuck::lasts, |_| true)
    }
}

/// What all walks of a run know.
#[derive(Debug, Default)]
pub(super) struct Ways {
    cuts: Shared<Enclosing>,
    hosts: Shared<Addresses>,
}

/// One walk.
pub(super) struct Walker<'a> {
    pub(super) net: &'a Net,
    pub(super) attempts: &'a Attempts,
    pub(super) roots: &'a [SocketAddr],
    pub(super) ways: &'a Ways,
    pub(super) budget: &'a Budget,
    pub(super) round: u8,
    /// Name servers were met that are needed to find themselves.
    pub(super) circled: AtomicBool,
}

/// The name servers whose names are being looked for, the outermost first.
#[derive(Clone, Copy)]
struct Errand<'a> {
    depth: u8,
    host: &'a str,
    before: Option<&'a Errand<'a>>,
}

impl Errand<'_> {
    const NONE: Errand<'static> = Errand { depth: 0, host: "", before: None };

    fn is_under_way(&self, host: &str) -> bool {
        self.host == host || self.before.is_some_and(|before| before.is_under_way(host))
    }
}

type Boxed<'f, T> = Pin<Box<dyn Future<Output = T> + Send + 'f>>;

impl Walker<'_> {
    /// Walks to a zone and asks its servers for its SOA.
    pub(super) async fn to(&self, zone: &str) -> ZoneWalk {
        let cut = match self.enclosing(zone, Errand::NONE).await {
            Ok(cut) => cut,
            Err(stuck) => return ZoneWalk { steps: stuck.steps, end: stuck.end },
        };
        let mut steps = cut.steps.clone();
        let end = match self.ask(&cut, zone, RecordType::Soa, &mut steps).await {
            Err(stuck) => stuck,
            Ok(heard) => {
                let lookup = &heard.lookup;
                let speaks = lookup.outcome == LookupOutcome::Answer && lookup.authoritative == Some(true);
                if speaks && lookup.names.iter().any(|owner| owner == zone) {
                    ZoneWalkEnd::Reached
                } else {
                    no_use(&cut.zone)
                }
            }
        };
        ZoneWalk { steps, end }
    }

    /// The zone that a name is in.
    fn enclosing<'f>(&'f self, name: &'f str, errand: Errand<'f>) -> Boxed<'f, Enclosing> {
        Box::pin(async move {
            if errand.depth == 0 {
                let make = self.look_for_cut(name, errand);
                return Enclosing::clone(&*self.ways.cuts.get(name, self.round, make).await);
            }
            if let Some(known) = self.ways.cuts.peek(name, self.round) {
                return Enclosing::clone(&*known);
            }
            let found = self.look_for_cut(name, errand).await;
            // What is not found within a circle may be found from outside of it.
            if found.is_ok() || !self.circled.load(Ordering::Relaxed) {
                self.ways.cuts.put(name, self.round, Arc::new(found.clone()));
            }
            found
        })
    }

    async fn look_for_cut(&self, name: &str, errand: Errand<'_>) -> Enclosing {
        let Some(higher) = above(name) else {
            let servers = self.roots.to_vec();
            return Ok(Arc::new(Cut { zone: String::new(), servers, steps: Vec::new(), sure: true }));
        };
        let cut = self.enclosing(higher, errand).await?;
        let mut steps = cut.steps.clone();
        let heard = match self.ask(&cut, name, RecordType::Ns, &mut steps).await {
            Ok(heard) => heard,
            Err(end) => return Err(Stuck { end, steps }),
        };
        match heard.referral.filter(|referral| referral.zone == name) {
            Some(referral) => {
                let servers = if heard.lookup.authoritative == Some(true) {
                    // Who was asked about the parent speaks for the child as well.
                    vec![heard.lookup.server]
                } else {
                    self.servers_of(&referral, &cut, &steps, errand).await?
                };
                Ok(Arc::new(Cut { zone: name.to_owned(), servers, steps, sure: true }))
            }
            None if is_useful(heard.lookup.outcome) => Ok(cut),
            // There are servers that cannot be asked for NS. The question for the goal will show whether that matters.
            None => Ok(Arc::new(Cut { sure: false, ..Cut::clone(&cut) })),
        }
    }

    /// Addresses of the servers that a zone is referred to.
    async fn servers_of(&self, to: &Referral, from: &Cut, steps: &[WalkStep], errand: Errand<'_>) -> Addresses {
        // A server is believed about names in its own zone only.
        let glue = to.glue.iter().filter(|(name, _)| to.names.contains(name) && is_in(name, &from.zone));
        let servers = self.usable(glue.map(|(_, address)| *address));
        if !servers.is_empty() {
            return Ok(servers);
        }
        let mut cause = None;
        // The address of a server within the zone cannot be learnt but from above.
        for name in to.names.iter().filter(|name| !is_in(name, &to.zone)) {
            match self.host(name, errand).await {
                Ok(servers) if servers.is_empty() => {}
                Ok(servers) => return Ok(servers),
                Err(stuck) => cause = cause.or(Some(stuck)),
            }
        }
        Err(cause.unwrap_or_else(|| Stuck::new(ZoneWalkEnd::NoAddress(to.zone.clone()), steps)))
    }

    /// Addresses of a name server outside the zone that it serves.
    fn host<'f>(&'f self, name: &'f str, errand: Errand<'f>) -> Boxed<'f, Addresses> {
        Box::pin(async move {
            if errand.is_under_way(name) {
                // Two zones that can be found through each other only.
                self.circled.store(true, Ordering::Relaxed);
                return Ok(Vec::new());
            }
            if errand.depth >= DEPTH {
                return Err(Stuck::new(ZoneWalkEnd::Limit, &[]));
            }
            let make = self.look_for_host(name, Errand { depth: errand.depth + 1, host: name, before: Some(&errand) });
            if errand.depth == 0 {
                return Addresses::clone(&*self.ways.hosts.get(name, self.round, make).await);
            }
            match self.ways.hosts.peek(name, self.round) {
                Some(known) => Addresses::clone(&*known),
                None => make.await,
            }
        })
    }

    async fn look_for_host(&self, name: &str, errand: Errand<'_>) -> Addresses {
        let mut cut = self.enclosing(above(name).unwrap_or_default(), errand).await?;
        let mut steps = cut.steps.clone();
        for _ in 0..TURNS {
            let heard = match self.ask(&cut, name, RecordType::Aaaa, &mut steps).await {
                Ok(heard) => heard,
                Err(end) => return Err(Stuck { end, steps }),
            };
            let lookup = &heard.lookup;
            if lookup.outcome == LookupOutcome::Answer {
                return Ok(self.usable(lookup.addresses.iter().map(|record| record.address)));
            }
            if let Some(alias) = lookup.chain.last() {
                return self.host(&alias.to, errand).await;
            }
            let below = |referral: &Referral| {
                is_in(&referral.zone, &cut.zone) && referral.zone != cut.zone && is_in(name, &referral.zone)
            };
            if lookup.authoritative == Some(true) {
                let plain = matches!(
                    lookup.outcome,
                    LookupOutcome::Nodata | LookupOutcome::NodataNosoa | LookupOutcome::Nxdomain
                );
                return if plain { Ok(Vec::new()) } else { Err(Stuck { end: no_use(&cut.zone), steps }) };
            }
            let Some(referral) = heard.referral.as_ref().filter(|referral| below(referral)) else {
                return Err(Stuck { end: no_use(&cut.zone), steps });
            };
            let servers = self.servers_of(referral, &cut, &steps, errand).await?;
            cut = Arc::new(Cut { zone: referral.zone.clone(), servers, steps: steps.clone(), sure: true });
        }
        Err(Stuck { end: ZoneWalkEnd::Limit, steps })
    }

    fn usable(&self, addresses: impl Iterator<Item = IpAddr>) -> Vec<SocketAddr> {
        let usable = addresses.filter(|a| a.is_ipv6() && self.net.connector.scope(*a).is_public());
        usable.take(ADDRESSES).map(|address| SocketAddr::new(address, 53)).collect()
    }

    /// Puts one question to the servers of a zone, until one of them says something that can be used. Servers that said
    /// nothing are asked once more after a pause.
    async fn ask(
        &self,
        cut: &Cut,
        name: &str,
        rtype: RecordType,
        steps: &mut Vec<WalkStep>,
    ) -> Result<Heard, ZoneWalkEnd> {
        let mut useless: Option<Heard> = None;
        for attempt in 1..=self.attempts.dns {
            if attempt > 1 {
                tokio::time::sleep(self.attempts.spacing).await;
            }
            for server in cut.servers.iter().take(SERVERS) {
                if !self.budget.spend() {
                    return Err(ZoneWalkEnd::Limit);
                }
                let ask = Ask { server: *server, role: ServerRole::Authority, checking_disabled: false, attempt };
                let heard = self.net.exchanges.consult(name, rtype, ask, DnsTransport::Udp).await;
                match heard.lookup.outcome {
                    LookupOutcome::Timeout if attempt == self.attempts.dns => steps.push(step(cut, name, &heard)),
                    LookupOutcome::Timeout => {}
                    LookupOutcome::NotAsked => return Err(ZoneWalkEnd::Limit),
                    outcome if is_useful(outcome) => {
                        steps.push(step(cut, name, &heard));
                        return Ok(heard);
                    }
                    _ => useless = Some(heard),
                }
            }
            // An answer is not asked for again; one that was too long for UDP and did not come over TCP is none.
            let lost = |heard: &Heard| heard.lookup.broken == Some(BrokenReply::TruncatedNoTcp);
            if useless.as_ref().is_some_and(|heard| !lost(heard)) {
                break;
            }
        }
        match useless {
            Some(heard) => {
                steps.push(step(cut, name, &heard));
                Ok(heard)
            }
            None if cut.zone.is_empty() => Err(ZoneWalkEnd::NoRoot),
            None => Err(ZoneWalkEnd::NoAnswer(cut.zone.clone())),
        }
    }
}

/// A reply that says something about the name.
fn is_useful(outcome: LookupOutcome) -> bool {
    use LookupOutcome::{Answer, Nodata, NodataNosoa, Nxdomain};
    matches!(outcome, Answer | Nodata | NodataNosoa | Nxdomain)
}

fn no_use(zone: &str) -> ZoneWalkEnd {
    if zone.is_empty() { ZoneWalkEnd::NoRoot } else { ZoneWalkEnd::NoUse(zone.to_owned()) }
}

fn step(cut: &Cut, name: &str, heard: &Heard) -> WalkStep {
    let lookup = &heard.lookup;
    WalkStep {
        zone: cut.zone.clone(),
        name: name.to_owned(),
        server: lookup.server,
        outcome: lookup.outcome,
        authoritative: lookup.authoritative,
        cut: heard.referral.as_ref().map(|referral| referral.zone.clone()),
        started: lookup.started,
        duration_us: lookup.duration_us,
    }
}
