//! When a failure counts as one: enough rounds agree, and the vantage was proven close to each of them.

use super::Case;
use crate::judge::{pair, service};
use crate::model::address::Family;
use crate::model::time::Timestamp;

impl Case<'_> {
    /// Enough rounds in which every family with addresses was tried, and failed in a way that says something.
    pub(super) fn down_confirmed(&self, tried: &[Family]) -> bool {
        let failed = |at: usize, family: Family| {
            let looks = self.entries.iter().filter_map(|entry| entry.rounds.get(at));
            looks.filter_map(|look| look.over(family)).any(|outcome| outcome.landing.is_evidence())
        };
        let rounds = 0..self.observation.rounds.len();
        let agreeing = rounds.filter(|at| tried.iter().all(|family| failed(*at, *family))).count();
        self.vantage.is_none() || agreeing >= self.criteria.rounds
    }

    /// Enough rounds, in each of which IPv4 served, and IPv6 was tried at the same entries and failed there.
    pub(super) fn confirmed(&self, offered: &[usize]) -> bool {
        let agrees = |at: usize| {
            let looks = offered.iter().filter_map(|index| self.entries[*index].rounds.get(at));
            let mut compared = 0;
            for look in looks.filter(|look| !look.round.without_ipv6) {
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

    /// The vantage's family was proven close to every round's failure, on both sides, with no failed proof between.
    pub(super) fn proven(&self, family: Family) -> bool {
        self.observation.rounds.iter().all(|round| self.proven_at(family, service::failed_at(round, family)))
    }

    /// The same for one moment.
    pub(super) fn proven_at(&self, family: Family, at: Timestamp) -> bool {
        let Some(vantage) = self.vantage else { return true };
        let near = u64::try_from(self.criteria.alibi.as_millis()).unwrap_or(u64::MAX);
        let proofs: Vec<_> = vantage.proofs.iter().filter(|proof| proof.family == family).collect();
        let good = |then: Option<Timestamp>| {
            // Of several proofs at the same moment, all must be good.
            let good = |then| proofs.iter().all(|proof| proof.at != then || proof.good);
            then.is_some_and(|then| good(then) && then.distance_ms(at) <= near)
        };
        let times = || proofs.iter().map(|proof| proof.at);
        good(times().filter(|then| *then <= at).max()) && good(times().filter(|then| *then >= at).min())
    }
}
