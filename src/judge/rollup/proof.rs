//! When a failure counts as one: the vantage was proven close to it, and enough such rounds agree.

use std::collections::HashSet;
use std::net::IpAddr;

use url::{Host, Url};

use super::{Case, Decision};
use crate::judge::resolvers::Resolvers;
use crate::judge::service::{Landing, Outcome};
use crate::judge::{naming, pair, service};
use crate::model::address::Family;
use crate::model::evidence::{Hop, Lookup, LookupOutcome, Observation, Round, WalkEnd};
use crate::model::finding::Code;
use crate::model::run::Vantage;
use crate::model::time::Timestamp;
use crate::model::verdict::Readiness;

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

/// A hop of a walk that failed.
#[derive(Clone, Copy)]
struct At<'a> {
    family: Family,
    hop: &'a Hop,
    /// How the walk ended, if this is its last hop and it did not land.
    end: Option<&'a WalkEnd>,
}

fn hops<'a>(family: Family, outcome: &'a Outcome<'a>) -> impl Iterator<Item = At<'a>> {
    let end = match outcome.landing {
        Landing::Failed(end) => Some(end),
        _ => None,
    };
    let last = outcome.hops.len().saturating_sub(1);
    outcome.hops.iter().enumerate().map(move |(at, hop)| At { family, hop, end: end.filter(|_| at == last) })
}

/// The name that a hop is at. None: an address instead of a name.
fn host_of(hop: &Hop) -> Option<String> {
    match Url::parse(&hop.url).ok()?.host()? {
        Host::Domain(name) => Some(name.trim_end_matches('.').to_ascii_lowercase()),
        Host::Ipv4(_) | Host::Ipv6(_) => None,
    }
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

    /// What failed of these failed at addresses that more than one source stands behind, or else there is the decision that it
    /// may have been a leftover in one cache. On a first look nobody is asked twice.
    pub(super) fn by_one_source<'o>(
        &mut self,
        failed: impl IntoIterator<Item = (Family, &'o Outcome<'o>)>,
        rule: u8,
    ) -> Option<Decision> {
        let mut hops = failed.into_iter().flat_map(|(family, outcome)| hops(family, outcome));
        if self.vantage.is_none() || hops.all(|at| self.is_seconded(at)) {
            return None;
        }
        Some(self.single_source(rule))
    }

    /// The decision where one source alone has spoken.
    pub(super) fn single_source(&mut self, rule: u8) -> Decision {
        let at = [&self.naming.evidence_v6[..], &self.naming.evidence_v4].concat();
        self.findings.add(Code::DnsSingleSource, &at);
        (Readiness::Inconclusive, "dns", rule)
    }

    /// Two sources have given an address of a hop's host that was asked for the page, or never opened; or, where the walk ended for
    /// want of an address, have both denied one. Who was told an address directly needs none.
    fn is_seconded(&self, At { family, hop, end }: At<'_>) -> bool {
        let Some(host) = host_of(hop) else { return true };
        let (denied, internal) = match end {
            Some(WalkEnd::RedirectNoAddress) => (true, false),
            Some(WalkEnd::RedirectInternal(_)) => (false, true),
            _ => (false, false),
        };
        let walks = self.observation.rounds.iter().flat_map(|round| &round.walks).filter(|walk| walk.family == family);
        let of_host = walks.flat_map(|walk| &walk.hops).filter(|other| host_of(other).as_deref() == Some(&host));
        let asked: HashSet<IpAddr> = of_host.filter_map(|other| other.address).collect();
        let connects = || self.observation.rounds.iter().flat_map(|round| &round.connects);
        let open: HashSet<IpAddr> = connects().filter(|c| c.is_open()).map(|connect| connect.address).collect();
        let dialled: HashSet<IpAddr> = connects().map(|connect| connect.address).collect();
        let failed =
            |address: IpAddr| asked.contains(&address) || (dialled.contains(&address) && !open.contains(&address));
        self.seconded((&host, family), |lookup| match lookup.outcome {
            LookupOutcome::Answer if denied => false,
            LookupOutcome::Answer => internal || lookup.addresses.iter().any(|given| failed(given.address)),
            _ => denied,
        })
    }

    /// More than one source says that the measured name has records of this family.
    pub(super) fn is_given(&self, family: Family) -> bool {
        self.says(family, |lookup| lookup.outcome == LookupOutcome::Answer)
    }

    /// Two sources have given nothing but addresses that were dialled: what others gave besides makes no difference.
    pub(super) fn is_dialled(&self, family: Family) -> bool {
        let facts = || self.observation.rounds.iter().flat_map(|round| &round.addresses);
        let public: HashSet<IpAddr> = facts().filter(|fact| fact.scope.is_public()).map(|fact| fact.address).collect();
        let dialled: HashSet<IpAddr> = facts().filter(|fact| fact.dialled).map(|fact| fact.address).collect();
        let done = |address: IpAddr| dialled.contains(&address) || !public.contains(&address);
        self.says(family, |lookup| {
            lookup.outcome == LookupOutcome::Answer && lookup.addresses.iter().all(|given| done(given.address))
        })
    }

    /// An IPv6 address of the site is more than a leftover in one cache.
    pub(super) fn is_current(&self, address: IpAddr) -> bool {
        self.says(Family::V6, |lookup| lookup.addresses.iter().any(|given| given.address == address))
    }

    /// Sources were heard, and only one of them gives this IPv6 address.
    pub(super) fn is_leftover(&self, address: IpAddr) -> bool {
        address.is_ipv6() && self.is_given(Family::V6) && !self.is_current(address)
    }

    /// Two sources say so of the measured name. On a first look, nobody is asked twice.
    fn says(&self, family: Family, what: impl Fn(&Lookup) -> bool) -> bool {
        let mut hosts =
            self.observation.rounds.iter().map(|round| service::measured_host(&self.observation.site, round));
        self.vantage.is_none() || hosts.any(|host| self.seconded((host, family), &what))
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
