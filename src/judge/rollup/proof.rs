//! When a failure counts as one: the vantage was proven close to it, and enough such rounds agree.

use std::collections::HashSet;
use std::net::IpAddr;

use url::{Host, Url};

use super::Case;
use crate::judge::resolvers::Resolvers;
use crate::judge::service::{Landing, Outcome};
use crate::judge::{naming, pair, service};
use crate::model::address::Family;
use crate::model::evidence::{Lookup, LookupOutcome, Observation, Round, WalkEnd};
use crate::model::run::Vantage;
use crate::model::time::Timestamp;

/// For each round and family whether what failed in it has an alibi.
#[derive(Clone, Debug)]
pub(super) struct Alibis {
    /// Round number, IPv4, IPv6.
    rounds: Vec<(u8, [bool; 2])>,
}

impl Alibis {
    /// Without a vantage, as on a first look, everything has one. `near_ms`: how close a proof must be.
    pub(super) fn new(observation: &Observation, vantage: Option<&Vantage>, near_ms: u64) -> Self {
        let has = |round: &Round, family| vantage.is_none_or(|vantage| has_alibi(round, family, vantage, near_ms));
        let rounds = observation.rounds.iter().map(|round| (round.number, Family::BOTH.map(|f| has(round, f))));
        Self { rounds: rounds.collect() }
    }

    /// What failed over the family in the round with this number has an alibi.
    pub(super) fn of(&self, number: u8, family: Family) -> bool {
        let known = self.rounds.iter().find(|(known, _)| *known == number);
        known.is_some_and(|(_, alibis)| alibis[usize::from(family == Family::V6)])
    }
}

/// The vantage's family was proven close to the first failure and close to the last one, and no proof from the one to the
/// other failed.
fn has_alibi(round: &Round, family: Family, vantage: &Vantage, near_ms: u64) -> bool {
    is_proven(service::failing(round, family), family, vantage, near_ms)
}

/// The same for any span of time.
fn is_proven((first, last): (Timestamp, Timestamp), family: Family, vantage: &Vantage, near_ms: u64) -> bool {
    let proofs: Vec<_> = vantage.proofs.iter().filter(|proof| proof.family == family).collect();
    // Of several proofs at the same moment, all must be good.
    let good = |at: Timestamp, then: Option<Timestamp>| {
        let good = |then| proofs.iter().all(|proof| proof.at != then || proof.good);
        then.is_some_and(|then| good(then) && then.distance_ms(at) <= near_ms)
    };
    let times = || proofs.iter().map(|proof| proof.at);
    let before = good(first, times().filter(|then| *then <= first).max());
    let after = good(last, times().filter(|then| *then >= last).min());
    before && after && proofs.iter().all(|proof| proof.good || proof.at < first || proof.at > last)
}

impl Case<'_> {
    /// Enough rounds in which every family with addresses was tried, and failed in a way that says something.
    pub(super) fn down_confirmed(&self, tried: &[Family]) -> bool {
        let failed = |at: usize, family: Family| {
            let looks = self.entries.iter().filter_map(|entry| entry.rounds.get(at));
            let mut outcomes = looks.filter_map(|look| look.over(family));
            outcomes.any(|outcome| outcome.landing.is_evidence() && self.alibis.of(outcome.pointer.round, family))
        };
        // A round that was lost agrees with nothing, not even with having nothing to try.
        let rounds = (0..self.observation.rounds.len()).filter(|at| !self.observation.rounds[*at].internal_error);
        let agreeing = rounds.filter(|at| tried.iter().all(|family| failed(*at, *family))).count();
        self.vantage.is_none() || agreeing >= self.criteria.rounds
    }

    /// Enough rounds, in each of which IPv4 served, and IPv6 was tried at the same entries and failed there.
    pub(super) fn confirmed(&self, offered: &[usize]) -> bool {
        let agrees = |at: usize| {
            let looks = offered.iter().filter_map(|index| self.entries[*index].rounds.get(at));
            let mut compared = 0;
            for look in looks.filter(|look| !look.round.without_ipv6) {
                if !self.alibis.of(look.round.number, Family::V6) {
                    return false;
                }
                let Some(v4) = look.v4.as_ref().filter(|v4| v4.landing.serves()) else { continue };
                let Some(v6) = look.v6.as_ref().filter(|v6| v6.landing.is_evidence()) else { return false };
                if pair::serves(self.observation, v4, v6) {
                    return false;
                }
                compared += 1;
            }
            compared > 0
        };
        let agreeing = (0..self.observation.rounds.len()).filter(|at| agrees(*at)).count();
        self.vantage.is_none() || agreeing >= self.criteria.rounds
    }

    /// More than one source stands behind the address at which the family failed. Who was told an address directly needs none; and on a
    /// first look nobody is asked twice.
    pub(super) fn is_seconded(&self, family: Family, outcome: &Outcome<'_>) -> bool {
        let last = outcome.hops.last().and_then(|hop| Url::parse(&hop.url).ok());
        let host = match last.as_ref().map(Url::host) {
            Some(Some(Host::Ipv4(_) | Host::Ipv6(_))) => return true,
            Some(Some(Host::Domain(name))) => name.trim_end_matches('.').to_ascii_lowercase(),
            _ => self.observation.site.host.clone(),
        };
        let rounds = self.observation.rounds.iter();
        let dialled: HashSet<_> = rounds.flat_map(|round| &round.connects).map(|connect| connect.address).collect();
        // Nobody dials an address inside a network.
        let internal = matches!(outcome.landing, Landing::Failed(WalkEnd::RedirectInternal(_)));
        let supports = |lookup: &Lookup| {
            let dialled = lookup.addresses.iter().any(|given| dialled.contains(&given.address));
            dialled || internal || lookup.outcome != LookupOutcome::Answer
        };
        self.vantage.is_none() || self.seconded((&host, family), supports)
    }

    /// An IPv6 address of the site is more than a leftover in one cache. On a first look, nobody is asked twice.
    pub(super) fn is_current(&self, address: IpAddr) -> bool {
        let gives = |lookup: &Lookup| lookup.addresses.iter().any(|given| given.address == address);
        let mut hosts =
            self.observation.rounds.iter().map(|round| service::measured_host(&self.observation.site, round));
        self.vantage.is_none() || hosts.any(|host| self.seconded((host, Family::V6), gives))
    }

    fn seconded(&self, of: (&str, Family), supports: impl Fn(&Lookup) -> bool) -> bool {
        naming::seconded(self.observation, of, supports, &Resolvers::new(self.vantage, self.criteria.dns_alibi))
    }

    /// The vantage's IPv6 was proven around a moment, which need not be within a round: zones are shared between sites.
    pub(super) fn v6_proven_at(&self, at: Timestamp) -> bool {
        self.proven_at(Family::V6, at)
    }

    /// The same of either family.
    pub(super) fn proven_at(&self, family: Family, at: Timestamp) -> bool {
        let near_ms = u64::try_from(self.criteria.alibi.as_millis()).unwrap_or(u64::MAX);
        self.vantage.is_none_or(|vantage| is_proven((at, at), family, vantage, near_ms))
    }

    /// Packets of full size reached this vantage over IPv6 close to the failures of every round that counts, on both sides: a
    /// page came to its end that cannot come without them.
    pub(super) fn proven_in_full_size(&self) -> bool {
        let Some(vantage) = self.vantage else { return true };
        let near = u64::try_from(self.criteria.alibi.as_millis()).unwrap_or(u64::MAX);
        let counting = self.observation.rounds.iter().filter(|round| self.alibis.of(round.number, Family::V6));
        counting.into_iter().all(|round| {
            let (first, last) = service::failing(round, Family::V6);
            let full = vantage.proofs.iter().filter(|proof| {
                proof.family == Family::V6 && proof.good && proof.page_bytes >= self.criteria.full_sized
            });
            let mut times = full.map(|proof| proof.at).collect::<Vec<_>>();
            times.sort_unstable();
            let close = |then: &&Timestamp, at: Timestamp| then.distance_ms(at) <= near;
            times.iter().any(|then| *then <= first && close(&then, first))
                && times.iter().any(|then| *then >= last && close(&then, last))
        })
    }

    /// In a round the family was tried, and what failed over it has none.
    pub(super) fn is_unproven(&self, family: Family) -> bool {
        let tried = |round: &Round| round.connects.iter().any(|connect| connect.family() == family);
        let mut rounds = self.observation.rounds.iter().filter(|round| tried(round));
        rounds.any(|round| !self.alibis.of(round.number, family))
    }
}
