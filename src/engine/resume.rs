//! What is left to do of a run that was killed or stopped, judged by the evidence it left behind.
//!
//! A site is pending until a round of it is stored: a look that was in flight left none and is begun anew. A look whose
//! failure had no proof after it yet when the run broke off proves nothing, and never will: it is made up for at once. One that
//! failed and was not repeated still wants its second look. Leaves to others: reading the evidence, which run is meant, looking.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::judge::{Criteria, assess, first_look};
use crate::model::evidence::{Observation, Round};
use crate::model::run::Vantage;
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

    /// The proofs bear out what the look by itself seems to show. A single one, so nothing has to agree with it.
    fn is_proven(&self, observation: &Observation, round: &Round) -> bool {
        let alone = alone(observation, round);
        let criteria = Criteria { rounds: 1, ..self.criteria };
        assess(&alone, self.vantage, &criteria).readiness == first_look(&alone, &criteria).0
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
