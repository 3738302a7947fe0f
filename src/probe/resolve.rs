//! Asking for the addresses of a name: A and AAAA independently, confirmed where the answer is not plain.
//!
//! A positive answer is taken at once. Anything else is asked of a second resolver, SERVFAIL once more without DNSSEC
//! validation, weather again after a pause, and what is still not plain of the authoritative servers. Leaves to others:
//! what the collected answers mean.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use super::Prober;
use super::record::Recorder;
use crate::model::evidence::{Lookup, LookupOutcome, RecordType, ServerRole};
use crate::net::dns::exchange::Ask;
use crate::net::work;

/// Authoritative addresses asked about one name and type.
const AUTHORITIES: usize = 3;

/// What is known about one type of one name after asking.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// Addresses of the first positive answer.
    pub(crate) addresses: Vec<IpAddr>,
    /// Outcome that says most: an answer, else a clean negative, else the first failure.
    pub(crate) outcome: LookupOutcome,
    /// The name at the end of the alias chain.
    pub(crate) end: String,
    /// The word of a second source is still wanted.
    unconfirmed: bool,
}

impl Known {
    fn from(name: &str, lookups: &[Lookup]) -> Self {
        let positive = lookups.iter().find(|lookup| lookup.outcome == LookupOutcome::Answer);
        let negative = lookups.iter().find(|lookup| is_negative(lookup.outcome));
        let best = positive.or(negative).or(lookups.first());
        let end = lookups.iter().find_map(|lookup| lookup.chain.last()).map_or(name, |alias| alias.to.as_str());
        Self {
            addresses: positive.map(|lookup| lookup.addresses.iter().map(|a| a.address).collect()).unwrap_or_default(),
            outcome: best.map_or(LookupOutcome::NotAsked, |lookup| lookup.outcome),
            end: end.to_owned(),
            unconfirmed: positive.is_none() && !confirmed_negative(lookups),
        }
    }
}

/// NODATA with SOA, or NXDOMAIN.
fn is_negative(outcome: LookupOutcome) -> bool {
    matches!(outcome, LookupOutcome::Nodata | LookupOutcome::Nxdomain)
}

/// Neither records nor a plain word that there are none.
fn is_trouble(outcome: LookupOutcome) -> bool {
    !matches!(outcome, LookupOutcome::Answer | LookupOutcome::Nodata | LookupOutcome::NodataNosoa)
}

/// The same clean negative answer from two servers.
fn confirmed_negative(lookups: &[Lookup]) -> bool {
    [LookupOutcome::Nodata, LookupOutcome::Nxdomain].into_iter().any(|outcome| {
        let servers: BTreeSet<SocketAddr> =
            lookups.iter().filter(|lookup| lookup.outcome == outcome).map(|lookup| lookup.server).collect();
        servers.len() >= 2
    })
}

impl Prober {
    /// A and AAAA of the listed name, with every confirmation.
    pub(crate) async fn resolve_listed(&self, record: &Recorder, name: &str) -> (Known, Known) {
        let (mut v4, mut v6) = work::both(
            self.ask_resolvers(record, name, RecordType::A),
            self.ask_resolvers(record, name, RecordType::Aaaa),
        )
        .await;
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

    /// Addresses of another name met on the way (a redirect's target, a sibling): one plain answer is enough.
    pub(crate) async fn resolve_other(&self, record: &Recorder, name: &str, rtype: RecordType) -> Known {
        let order = self.resolver_order(name);
        let mut lookups = Vec::new();
        for (i, server) in order.iter().take(2).enumerate() {
            let ask =
                Ask { server: *server, role: ServerRole::Resolver, checking_disabled: false, attempt: i as u8 + 1 };
            let lookup = self.net.exchanges.ask(name, rtype, ask).await;
            record.lookup(lookup.clone());
            lookups.push(lookup);
            if lookups[i].outcome == LookupOutcome::Answer || is_negative(lookups[i].outcome) {
                break;
            }
        }
        Known::from(name, &lookups)
    }

    async fn ask_resolvers(&self, record: &Recorder, name: &str, rtype: RecordType) -> Known {
        let order = self.resolver_order(name);
        let mut lookups: Vec<Lookup> = Vec::new();
        for attempt in 1..=self.attempts.dns {
            if attempt > 1 {
                tokio::time::sleep(self.attempts.spacing).await;
            }
            for server in order.iter().take(2) {
                let ask = Ask { server: *server, role: ServerRole::Resolver, checking_disabled: false, attempt };
                let lookup = self.net.exchanges.ask(name, rtype, ask).await;
                record.lookup(lookup.clone());
                let outcome = lookup.outcome;
                lookups.push(lookup);
                if outcome == LookupOutcome::Answer {
                    return Known::from(name, &lookups);
                }
                if outcome == LookupOutcome::Servfail && !lookups.iter().any(|lookup| lookup.checking_disabled) {
                    let lookup = self.net.exchanges.ask(name, rtype, Ask { checking_disabled: true, ..ask }).await;
                    record.lookup(lookup.clone());
                    lookups.push(lookup);
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
        for server in servers.iter() {
            if lookups.len() == AUTHORITIES {
                break;
            }
            let ask = Ask { server: *server, role: ServerRole::Authority, checking_disabled: false, attempt: 1 };
            let lookup = self.net.exchanges.ask(&known.end, rtype, ask).await;
            record.lookup(lookup.clone());
            if lookup.outcome == LookupOutcome::NotAsked {
                continue;
            }
            if rtype == RecordType::Aaaa && is_trouble(lookup.outcome) {
                // Trouble with AAAA alone, or with this server as such? Its answer for A tells them apart (RFC 4074).
                record.lookup(self.net.exchanges.ask(&known.end, RecordType::A, ask).await);
            }
            lookups.push(lookup);
            // Two that agree are enough.
            let agree = lookups.len() >= 2 && lookups.iter().all(|lookup| lookup.outcome == lookups[0].outcome);
            if agree || lookups.iter().any(|lookup| lookup.outcome == LookupOutcome::Answer) {
                break;
            }
        }
        if known.addresses.is_empty() && lookups.iter().any(|lookup| lookup.outcome == LookupOutcome::Answer) {
            return Known { end: known.end, ..Known::from(name, &lookups) };
        }
        known
    }

    /// The resolvers in the order this name asks them: spread over names, the same in every run.
    pub(crate) fn resolver_order(&self, name: &str) -> Vec<SocketAddr> {
        let resolvers = &self.net.resolvers;
        let first = name.bytes().fold(0usize, |hash, byte| hash.wrapping_mul(31).wrapping_add(usize::from(byte)));
        (0..resolvers.len()).map(|i| resolvers[(first + i) % resolvers.len()]).collect()
    }
}
