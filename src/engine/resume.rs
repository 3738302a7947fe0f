//! What is left to do of a run that was killed or stopped, judged by the evidence it left behind.
//!
//! A site is pending until a round of it is stored: a look that was in flight left none and is begun anew. A look whose
//! failure had no proof after it yet when the run broke off proves nothing, and never will: it is made up for at once. One that
//! failed and was not repeated still wants its second look. Leaves to others: reading the evidence, which run is meant, looking.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use crate::judge::{Criteria, assess, first_look};
use crate::model::address::Family;
use crate::model::evidence::{Observation, Round};
use crate::model::run::{ResolverState, Vantage};
use crate::model::site::{Site, SiteKey};
use crate::model::time::Timestamp;

/// What a scan has to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Sites without a round, in the order they are begun.
    pub todo: Vec<Site>,
    /// Sites whose last look proves nothing, and the number of the next one.
    pub anew: Vec<(Site, u8)>,
    /// Sites that want a second look.
    pub second: Vec<Second>,
    /// Rounds that were lost to panics of ours.
    pub lost: usize,
}

/// A second look that is still to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Second {
    /// The site.
    pub site: Site,
    /// The number of its next round.
    pub number: u8,
    /// When the look that failed was over.
    pub ended: Timestamp,
}

impl Standing {
    /// A run that has done nothing yet.
    pub fn fresh(sites: Vec<Site>) -> Self {
        Self { todo: sites, ..Self::default() }
    }

    /// Sites that are to be looked at.
    pub fn sites(&self) -> usize {
        self.todo.len() + self.anew.len() + self.second.len()
    }
}

/// Goes through the evidence of the earlier part.
#[derive(Debug)]
pub struct Reckoning<'a> {
    pending: BTreeMap<SiteKey, Site>,
    vantage: &'a Vantage,
    criteria: Criteria,
    pause: Duration,
    standing: Standing,
    /// When the last look was over. None: none is stored.
    last: Option<Timestamp>,
}

impl<'a> Reckoning<'a> {
    /// The sites of the run, the proofs of its earlier part, and the pause from a look to the second one.
    pub fn new(sites: BTreeMap<SiteKey, Site>, vantage: &'a Vantage, criteria: Criteria, pause: Duration) -> Self {
        Self { pending: sites, vantage, criteria, pause, standing: Standing::default(), last: None }
    }

    /// Everything that is stored about one site.
    pub fn add(&mut self, observation: &Observation) {
        let Some(last) = observation.rounds.last() else { return };
        self.last = self.last.max(observation.rounds.iter().map(|round| round.ended).max());
        self.standing.lost += observation.rounds.iter().filter(|round| round.internal_error).count();
        let Some(site) = self.pending.remove(&observation.site.key) else { return };
        let number = last.number.saturating_add(1);
        // A round that we lost ourselves is a row of its own in the results, as in a run that was not interrupted.
        if last.internal_error {
            return;
        }
        if !self.is_proven(observation, last) {
            self.standing.anew.push((site, number));
        } else if self.wants_another(observation, last) && !self.was_repeated(observation, last) {
            self.standing.second.push(Second { site, number, ended: last.ended });
        }
    }

    /// What is left, and when the last look was over.
    pub fn finish(mut self) -> (Standing, Option<Timestamp>) {
        self.standing.todo = self.pending.into_values().collect();
        (self.standing, self.last)
    }

    /// The proofs bear out what the look by itself seems to show. A single one, so nothing has to agree with it. One that by
    /// itself shows nothing, but would together with another, needs every line proven after it.
    fn is_proven(&self, observation: &Observation, round: &Round) -> bool {
        let alone = alone(observation, round);
        let criteria = Criteria { rounds: 1, ..self.criteria };
        let (readiness, again) = first_look(&alone, &criteria);
        let same = assess(&alone, self.vantage, &criteria).readiness == readiness;
        same && (!again || self.is_proven_after(round.ended))
    }

    /// The next proof of every family that is used, and the next self-test of every resolver, was good and is close.
    fn is_proven_after(&self, at: Timestamp) -> bool {
        let close = |then: Timestamp, near: Duration| u128::from(then.distance_ms(at)) <= near.as_millis();
        let family = |family: Family| {
            let proofs = || self.vantage.proofs.iter().filter(move |proof| proof.family == family);
            let next = proofs().filter(|proof| proof.at >= at).min_by_key(|proof| (proof.at, proof.good));
            proofs().next().is_none() || next.is_some_and(|proof| proof.good && close(proof.at, self.criteria.alibi))
        };
        let resolver = |server: &SocketAddr| {
            let tests = self.vantage.dns_proofs.iter().filter(|test| test.server == *server && test.at >= at);
            let next = tests.min_by_key(|test| (test.at, Reverse(test.state)));
            next.is_some_and(|test| test.state == ResolverState::Sane && close(test.at, self.criteria.dns_alibi))
        };
        Family::BOTH.into_iter().all(family) && self.vantage.resolvers.iter().all(resolver)
    }

    /// What it shows rests on a failure, or a defect of it does.
    fn wants_another(&self, observation: &Observation, round: &Round) -> bool {
        first_look(&alone(observation, round), &self.criteria).1
    }

    /// An earlier look failed as well, is proven, and was over so long before that this one was its repetition.
    fn was_repeated(&self, observation: &Observation, last: &Round) -> bool {
        let pause = i64::try_from(self.pause.as_millis()).unwrap_or(i64::MAX);
        let earlier = observation.rounds.iter().filter(|round| last.started.0.saturating_sub(round.ended.0) >= pause);
        earlier.into_iter().any(|round| {
            let failed = !round.internal_error && self.wants_another(observation, round);
            failed && self.is_proven(observation, round)
        })
    }
}

fn alone(observation: &Observation, round: &Round) -> Observation {
    Observation { rounds: vec![round.clone()], ..observation.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::evidence::EVIDENCE_VERSION;
    use crate::model::run::{DnsProof, Proof};

    const SECOND: i64 = 1000;
    const PAUSE: Duration = Duration::from_mins(10);

    /// A vantage whose lines were proven at these seconds.
    fn vantage(seconds: &[i64]) -> Vantage {
        let server = SocketAddr::from(([192, 0, 2, 53], 53));
        let at = |second: &i64| Timestamp(second * SECOND);
        let proof = |second| Family::BOTH.map(|family| Proof { at: at(second), family, good: true, page_bytes: 0 });
        let test = |second| DnsProof { at: at(second), server, state: ResolverState::Sane };
        Vantage {
            name: "campus".to_owned(),
            isp: None,
            resolvers: vec![server],
            proofs: seconds.iter().flat_map(proof).collect(),
            dns_proofs: seconds.iter().map(test).collect(),
            clock: None,
        }
    }

    /// What is left of a site whose rounds began and ended at these seconds, and found nothing out.
    fn left(vantage: &Vantage, rounds: &[(i64, i64)]) -> Standing {
        let site = Site::new("www.school.example", None, None, None);
        let round = |(number, (from, to)): (u8, &(i64, i64))| {
            let mut round = Round::new(number, Timestamp(from * SECOND));
            round.ended = Timestamp(to * SECOND);
            round
        };
        let rounds: Vec<Round> = (1..).zip(rounds).map(round).collect();
        let sites = BTreeMap::from([(site.key.clone(), site.clone())]);
        let mut reckoning = Reckoning::new(sites, vantage, Criteria::default(), PAUSE);
        reckoning.add(&Observation { version: EVIDENCE_VERSION, site, rounds });
        reckoning.finish().0
    }

    #[test]
    fn a_look_counts_if_it_was_proven_before_the_run_broke_off() {
        let numbers = |standing: &Standing| {
            let second: Vec<u8> = standing.second.iter().map(|second| second.number).collect();
            (standing.todo.len(), standing.anew.iter().map(|(_, number)| *number).collect::<Vec<_>>(), second)
        };
        let proven = vantage(&[0, 20, 40, 700, 720]);
        // No row: pending. A failure that nothing was proven after: anew. One that was: its second look. That as well: done.
        assert_eq!(numbers(&left(&proven, &[])), (1, vec![], vec![]));
        assert_eq!(numbers(&left(&vantage(&[0]), &[(5, 10)])), (0, vec![2], vec![]));
        assert_eq!(numbers(&left(&proven, &[(5, 10)])), (0, vec![], vec![2]));
        assert_eq!(numbers(&left(&proven, &[(5, 10), (702, 705)])), (0, vec![], vec![]));
        // The second look came after the last proof; or too soon to be one; or only the first was never proven.
        assert_eq!(numbers(&left(&proven, &[(5, 10), (722, 725)])), (0, vec![3], vec![]));
        assert_eq!(numbers(&left(&proven, &[(5, 10), (22, 25)])), (0, vec![], vec![3]));
        assert_eq!(numbers(&left(&vantage(&[0, 700, 720]), &[(5, 10), (702, 705)])), (0, vec![], vec![3]));
    }
}
