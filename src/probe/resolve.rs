//! Asking for the addresses of a name: A and AAAA independently, confirmed where the answer is not plain.
//!
//! In the first round a positive answer is taken at once. Anything else is asked of a second resolver, SERVFAIL once more without DNSSEC
//! validation, weather again after a pause, and what is still not plain of the authoritative servers. Every question goes
//! through [`Prober::ask`], which counts them and distrusts what bears the mark of a forgery. Leaves to others: what the
//! collected answers mean.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use super::Prober;
use super::record::Recorder;
use crate::model::evidence::{Lookup, LookupOutcome, RecordType, ServerRole};
use crate::model::failure::Limit;
use crate::net::dns::exchange::Ask;
use crate::net::work;

/// Authoritative addresses asked about one name and type.
const AUTHORITIES: usize = 3;

/// From this round on a failure may be confirmed, so that an address, too, wants a second source: a single cache may keep one
/// that is gone from everywhere else.
const CONFIRMING: u8 = 2;

/// What is known about one type of one name after asking.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// Addresses of all positive answers, those of the first one first.
    pub(crate) addresses: Vec<IpAddr>,
    /// Outcome that says most: an answer, else a clean negative, else the first failure.
    pub(crate) outcome: LookupOutcome,
    /// The name at the end of the alias chain.
    pub(crate) end: String,
    /// The word of the authoritative servers is still wanted: no second source, or sources that contradict each other.
    unconfirmed: bool,
    /// Whose word the outcome is. None: nobody was asked.
    by: Option<SocketAddr>,
}

impl Known {
    fn from(name: &str, lookups: &[Lookup]) -> Self {
        let trusted = || lookups.iter().filter(|lookup| !lookup.is_suspect());
        let positive = trusted().find(|lookup| lookup.outcome == LookupOutcome::Answer);
        let negative = trusted().find(|lookup| is_negative(lookup.outcome));
        let best = positive.or(negative).or(lookups.first());
        let end = lookups.iter().find_map(|lookup| lookup.chain.last()).map_or(name, |alias| alias.to.as_str());
        let given = trusted().filter(|lookup| lookup.outcome == LookupOutcome::Answer);
        Self {
            addresses: distinct(given.flat_map(|lookup| &lookup.addresses).map(|given| given.address)),
            outcome: best.map_or(LookupOutcome::NotAsked, |lookup| lookup.outcome),
            end: end.to_owned(),
            unconfirmed: match positive {
                Some(_) => negative.is_some(),
                None => !confirmed_negative(lookups),
            },
            by: best.map(|lookup| lookup.server),
        }
    }

    /// A failure may rest on this word of a single source.
    fn wants_second(&self, record: &Recorder, rtype: RecordType) -> bool {
        let plain = self.outcome == LookupOutcome::Answer || is_negative(self.outcome);
        matches!(rtype, RecordType::A | RecordType::Aaaa) && plain && record.read(|round| round.number >= CONFIRMING)
    }
}

/// The addresses without repetitions, in their order.
fn distinct(addresses: impl Iterator<Item = IpAddr>) -> Vec<IpAddr> {
    let mut seen = BTreeSet::new();
    addresses.filter(|address| seen.insert(*address)).collect()
}

/// NODATA with SOA, or NXDOMAIN.
fn is_negative(outcome: LookupOutcome) -> bool {
    matches!(outcome, LookupOutcome::Nodata | LookupOutcome::Nxdomain)
}

/// Neither records nor a plain word that there are none.
fn is_trouble(outcome: LookupOutcome) -> bool {
    !matches!(outcome, LookupOutcome::Answer | LookupOutcome::Nodata | LookupOutcome::NodataNosoa)
}

/// The same clean negative answer from two servers, and no other one from anybody.
fn confirmed_negative(lookups: &[Lookup]) -> bool {
    let sound = lookups.iter().filter(|lookup| is_negative(lookup.outcome) && !lookup.checking_disabled);
    let sound = sound.filter(|lookup| !lookup.is_suspect());
    let servers: BTreeSet<SocketAddr> = sound.clone().map(|lookup| lookup.server).collect();
    let outcomes: BTreeSet<&str> = sound.map(|lookup| lookup.outcome.word()).collect();
    servers.len() >= 2 && outcomes.len() == 1
}

impl Prober {
    /// A and AAAA of the listed name, with every confirmation.
    pub(crate) async fn resolve_listed(&self, record: &Recorder, name: &str) -> (Known, Known) {
        let (mut v4, mut v6) = work::both(
            self.ask_resolvers(record, name, RecordType::A),
            self.ask_resolvers(record, name, RecordType::Aaaa),
        )
        .await;
        // A failure shows no alias chain. The other type's leads to the servers that can speak for this one.
        let end = [&v6.end, &v4.end].into_iter().find(|end| *end != name).cloned();
        for known in [&mut v4, &mut v6].into_iter().filter(|known| known.end == name) {
            known.end = end.clone().unwrap_or_else(|| name.to_owned());
        }
        for (rtype, known) in [(RecordType::Aaaa, &mut v6), (RecordType::A, &mut v4)] {
            if known.outcome == LookupOutcome::Answer && known.wants_second(record, rtype) {
                *known = self.second(record, name, rtype, known.clone()).await;
            }
        }
        // "No such name" for one type of a name that has the other contradicts itself (RFC 4074 §4.2).
        let contradiction = v6.outcome == LookupOutcome::Nxdomain && v4.outcome == LookupOutcome::Answer;
        if v6.unconfirmed || contradiction {
            v6 = self.ask_authorities(record, name, RecordType::Aaaa, v6).await;
        }
        if v4.unconfirmed {
            v4 = self.ask_authorities(record, name, RecordType::A, v4).await;
        }
        (v4, v6)
    }

    /// Addresses of another name met on the way (a redirect's target, a sibling): one plain answer is enough, until a failure
    /// may be confirmed by it.
    pub(crate) async fn resolve_other(&self, record: &Recorder, name: &str, rtype: RecordType) -> Known {
        let order = self.resolver_order(name, record.read(|round| round.number));
        let mut lookups = Vec::new();
        for (i, server) in order.iter().take(2).enumerate() {
            let ask =
                Ask { server: *server, role: ServerRole::Resolver, checking_disabled: false, attempt: i as u8 + 1 };
            let lookup = self.ask(record, name, rtype, ask).await;
            let plain = lookup.outcome == LookupOutcome::Answer || is_negative(lookup.outcome);
            lookups.push(lookup);
            if plain {
                break;
            }
        }
        let known = Known::from(name, &lookups);
        if !known.wants_second(record, rtype) {
            return known;
        }
        let known = self.second(record, name, rtype, known).await;
        if known.unconfirmed { self.ask_authorities(record, name, rtype, known).await } else { known }
    }

    /// The same question put to another resolver than those that were asked so far: for an answer that one source's word is not
    /// enough for. None: there is no other.
    pub(crate) async fn ask_another(&self, record: &Recorder, name: &str, rtype: RecordType) -> Option<Lookup> {
        let asked: BTreeSet<SocketAddr> = record.read(|round| {
            let about = round.lookups.iter().filter(|lookup| lookup.rtype == rtype && lookup.name == name);
            about.map(|lookup| lookup.server).collect()
        });
        let order = self.resolver_order(name, record.read(|round| round.number));
        let server = order.into_iter().find(|server| !asked.contains(server))?;
        let ask = Ask { server, role: ServerRole::Resolver, checking_disabled: false, attempt: 1 };
        Some(self.ask(record, name, rtype, ask).await)
    }

    /// What is known with another resolver's word added: one that was given in this round, as to an earlier walk, or is asked for
    /// now. The authoritative servers' is still wanted where that confirms nothing.
    async fn second(&self, record: &Recorder, name: &str, rtype: RecordType, known: Known) -> Known {
        let given = record.read(|round| {
            let about = round.lookups.iter().rev().filter(|lookup| lookup.rtype == rtype && lookup.name == name);
            let plain = |lookup: &&Lookup| lookup.outcome == LookupOutcome::Answer || is_negative(lookup.outcome);
            let others = about.filter(|lookup| lookup.role == ServerRole::Resolver && Some(lookup.server) != known.by);
            others.filter(plain).find(|lookup| !lookup.is_suspect() && !lookup.checking_disabled).cloned()
        });
        let other = match given {
            Some(given) => Some(given),
            None => self.ask_another(record, name, rtype).await.filter(|lookup| !lookup.is_suspect()),
        };
        let Some(other) = other else { return Known { unconfirmed: true, ..known } };
        if other.outcome != LookupOutcome::Answer {
            return Known { unconfirmed: known.outcome != other.outcome, ..known };
        }
        // Contradicted before, it stays so.
        let disputed = known.outcome != LookupOutcome::Answer || known.unconfirmed;
        let ours = known.addresses.len();
        let addresses =
            distinct(known.addresses.iter().copied().chain(other.addresses.iter().map(|given| given.address)));
        let differ = ours != other.addresses.len() || ours != addresses.len();
        Known { addresses, outcome: LookupOutcome::Answer, unconfirmed: disputed || differ, ..known }
    }

    /// The HTTPS record of a name that has no AAAA: some put an IPv6 address there and nowhere else (RFC 9460 §7.3). One
    /// question; nobody who fails to answer it is asked again.
    pub(crate) async fn ask_for_hints(&self, record: &Recorder, name: &str) {
        if let Some(server) = self.resolver_order(name, record.read(|round| round.number)).first() {
            let ask = Ask { server: *server, role: ServerRole::Resolver, checking_disabled: false, attempt: 1 };
            self.ask(record, name, RecordType::Https, ask).await;
        }
    }

    /// Asks one question and records what came back. Over TCP alone once an answer of this round was contradicted, and
    /// again over TCP at once where an answer bears a forger's mark itself. Both are rare, so their room is not kept in
    /// every site's future.
    async fn ask(&self, record: &Recorder, name: &str, rtype: RecordType, ask: Ask) -> Lookup {
        let exchanges = &self.net.exchanges;
        if record.read(|round| round.lookups.len()) >= self.bounds.queries {
            record.limit(Limit::Queries);
            return exchanges.not_asked(name, rtype, ask);
        }
        if record.read(|round| round.dns_over_tcp) {
            let lookup = Box::pin(exchanges.ask_over_tcp(name, rtype, ask)).await;
            record.lookup(lookup.clone(), None);
            return lookup;
        }
        let (lookup, watch) = exchanges.ask_and_watch(name, rtype, ask).await;
        record.lookup(lookup.clone(), watch);
        if !lookup.is_suspect() {
            return lookup;
        }
        let lookup = Box::pin(exchanges.ask_over_tcp(name, rtype, ask)).await;
        record.lookup(lookup.clone(), None);
        lookup
    }

    async fn ask_resolvers(&self, record: &Recorder, name: &str, rtype: RecordType) -> Known {
        let order = self.resolver_order(name, record.read(|round| round.number));
        let mut lookups: Vec<Lookup> = Vec::new();
        for attempt in 1..=self.attempts.dns {
            if attempt > 1 {
                tokio::time::sleep(self.attempts.spacing).await;
            }
            for server in order.iter().take(2) {
                let ask = Ask { server: *server, role: ServerRole::Resolver, checking_disabled: false, attempt };
                let lookup = self.ask(record, name, rtype, ask).await;
                let outcome = lookup.outcome;
                lookups.push(lookup);
                if outcome == LookupOutcome::Answer {
                    return Known::from(name, &lookups);
                }
                if outcome == LookupOutcome::Servfail && !lookups.iter().any(|lookup| lookup.checking_disabled) {
                    lookups.push(self.ask(record, name, rtype, Ask { checking_disabled: true, ..ask }).await);
                }
            }
            // Only weather is asked again.
            let weather = |lookup: &Lookup| matches!(lookup.outcome, LookupOutcome::Timeout | LookupOutcome::NotAsked);
            if !lookups.iter().any(weather) || lookups.iter().any(|lookup| lookup.outcome == LookupOutcome::Answer) {
                break;
            }
        }
        Known::from(name, &lookups)
    }

    async fn ask_authorities(&self, record: &Recorder, name: &str, rtype: RecordType, known: Known) -> Known {
        if self.opt_outs.of(&known.end).is_some() {
            return known;
        }
        // The end of the alias chain is what its own servers can speak for.
        let servers = self.net.authorities.of(&known.end).await;
        let mut lookups = Vec::new();
        let without_ipv6 = record.read(|round| round.without_ipv6);
        for server in servers.iter().filter(|server| !(without_ipv6 && server.is_ipv6())) {
            if lookups.len() == AUTHORITIES {
                break;
            }
            let ask = Ask { server: *server, role: ServerRole::Authority, checking_disabled: false, attempt: 1 };
            let lookup = self.ask(record, &known.end, rtype, ask).await;
            if lookup.outcome == LookupOutcome::NotAsked {
                continue;
            }
            if rtype == RecordType::Aaaa && is_trouble(lookup.outcome) {
                // Trouble with AAAA alone, or with this server as such? Its answer for A tells them apart (RFC 4074).
                self.ask(record, &known.end, RecordType::A, ask).await;
            }
            lookups.push(lookup);
            // Two that agree are enough.
            let agree = lookups.len() >= 2 && lookups.iter().all(|lookup| lookup.outcome == lookups[0].outcome);
            if agree || lookups.iter().any(|lookup| lookup.outcome == LookupOutcome::Answer) {
                break;
            }
        }
        let said = Known::from(name, &lookups);
        if said.addresses.is_empty() {
            return known;
        }
        // Nobody's record is left out: what one of them serves by proves itself. Those with authority come first, since a page is
        // asked of the first address that opens.
        let addresses = distinct(said.addresses.into_iter().chain(known.addresses));
        Known { addresses, end: known.end, ..said }
    }

    /// The resolvers in the order this name asks them: spread over names, the same in every run, and beginning with the
    /// next one in the next round, so that no single cache decides twice.
    pub(crate) fn resolver_order(&self, name: &str, round: u8) -> Vec<SocketAddr> {
        let resolvers = &self.net.resolvers;
        let hash = name.bytes().fold(0usize, |hash, byte| hash.wrapping_mul(31).wrapping_add(usize::from(byte)));
        let first = hash.wrapping_add(usize::from(round));
        (0..resolvers.len()).map(|i| resolvers[first.wrapping_add(i) % resolvers.len()]).collect()
    }
}
