//! Keeping an eye on the vantage while sites are measured: sends canaries when they are due, and notices that this host's own
//! address or route changed, or that its clock jumped.
//!
//! Leaves to others: what follows ([`super::breaker`]).

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::gate::{self, Canary};
use super::wall::Jumps;
use crate::clock::Clock;
use crate::model::address::Family;
use crate::model::outage::{Line, Trigger};
use crate::model::site::Site;
use crate::model::time::Timestamp;
use crate::net::work::Work;
use crate::probe::{Prober, Transports};

/// Between two looks at this host's own addresses and routes.
pub(super) const LOOK_AROUND: Duration = Duration::from_secs(1);

/// How urgent the next canary is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Urgency {
    /// In its turn.
    Usual,
    /// The breaker is open, or sites fail in numbers: soon.
    Soon,
    /// A line is doubtful, or there is nothing to do but wait for it.
    Now,
}

/// The watch of one run.
#[derive(Debug)]
pub(super) struct Watch {
    prober: Arc<Prober>,
    canaries: Vec<Site>,
    transports: Transports,
    /// Between two canaries, usually and when it is urgent.
    intervals: (Duration, Duration),
    turn: usize,
    flying: JoinSet<Canary>,
    /// When the last canary was sent. None: none was.
    sent: Option<Instant>,
    /// The last canary said nothing, for a reason of this machine's.
    spoilt: bool,
    /// Of this host in each family, as last known.
    identities: [Option<u64>; 2],
    jumps: Jumps,
    /// The clock jumped; then there was no jump yet at this moment.
    jumped: Option<Timestamp>,
    /// When these were last looked at.
    looked: Instant,
}

impl Watch {
    pub(super) fn new(
        prober: &Prober,
        canaries: Vec<Site>,
        transports: Transports,
        intervals: (Duration, Duration),
        wall: Arc<dyn Clock>,
    ) -> Self {
        let jumps = Jumps::new(wall, Arc::clone(&prober.net.clock));
        let identities = Family::BOTH.map(|family| prober.net.connector.route().identity(family));
        let prober = Arc::new(prober.trying_once());
        Self {
            prober,
            canaries,
            transports,
            intervals,
            turn: 0,
            flying: JoinSet::new(),
            sent: None,
            spoilt: false,
            identities,
            jumps,
            jumped: None,
            looked: Instant::now(),
        }
    }

    /// There is nobody to prove anything by.
    pub(super) fn is_blind(&self) -> bool {
        self.canaries.is_empty()
    }

    /// When the last canary was sent.
    pub(super) fn sent(&self) -> Option<Instant> {
        self.sent
    }

    /// When the next canary is due. None: one is under way, or there are none.
    pub(super) fn due(&self, urgency: Urgency, now: Instant) -> Option<Instant> {
        if self.is_blind() || !self.flying.is_empty() {
            return None;
        }
        let Some(sent) = self.sent else { return Some(now) };
        let (usually, soon) = self.intervals;
        let soon = sent + soon.min(usually);
        Some(match urgency {
            Urgency::Usual if !self.spoilt => sent + usually,
            Urgency::Now if !self.spoilt => now,
            Urgency::Usual | Urgency::Soon | Urgency::Now => soon,
        })
    }

    /// Sends a canary, if it is due.
    pub(super) fn send(&mut self, urgency: Urgency) {
        let now = Instant::now();
        if self.due(urgency, now).is_none_or(|due| due > now) {
            return;
        }
        let (prober, canaries) = (Arc::clone(&self.prober), self.canaries.clone());
        let (turn, transports) = (self.turn, self.transports);
        self.turn = after(self.turn, self.canaries.len());
        self.sent = Some(now);
        let canary = async move { gate::canary(&prober, &canaries, turn, transports).await };
        self.flying.spawn(Work::default().run(canary));
    }

    /// Waits for the canary that is under way; for ever, if there is none. None: it was lost.
    pub(super) async fn came_back(&mut self) -> Option<Canary> {
        match self.flying.join_next().await {
            Some(canary) => {
                let canary = canary.ok();
                self.spoilt = canary.as_ref().is_none_or(|canary| canary.spoilt);
                canary
            }
            None => std::future::pending().await,
        }
    }

    /// If the clock jumped since this was last asked: a moment at which it had not yet.
    pub(super) fn take_jump(&mut self) -> Option<Timestamp> {
        self.jumped.take()
    }

    /// How many can be asked.
    pub(super) fn anchors(&self) -> usize {
        self.canaries.len()
    }

    /// Lines that are to be proven anew, and why: their way out is another than when it was last looked at, which is done now
    /// and then; or the clock jumped. Then somebody set it, or this machine slept, and nobody knows what the lines did.
    pub(super) fn changes(&mut self) -> Vec<(Line, Trigger)> {
        if self.looked.elapsed() < LOOK_AROUND {
            return Vec::new();
        }
        self.looked = Instant::now();
        let route = Arc::clone(self.prober.net.connector.route());
        let since = self.jumps.jumped();
        self.jumped = self.jumped.or(since);
        let jumped = since.is_some();
        let used = |family: Family| family == Family::V4 || self.transports == Transports::Both;
        let mut changed = Vec::new();
        for (known, family) in self.identities.iter_mut().zip(Family::BOTH) {
            let identity = route.identity(family).or(*known);
            let moved = known.is_some() && *known != identity;
            *known = identity;
            if (moved || jumped) && used(family) {
                changed.push((Line::of(family), if moved { Trigger::Route } else { Trigger::Clock }));
            }
        }
        changed
    }
}

/// The turn after this one, of so many anchors. Two may have been asked, so the next canary begins with another; in the course of
/// time every anchor is the first to be asked.
fn after(turn: usize, anchors: usize) -> usize {
    let next = turn.wrapping_add(2);
    let round = |turn: usize| turn / anchors.max(1);
    if anchors.is_multiple_of(2) && round(next) != round(turn) { next.wrapping_add(1) } else { next }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_anchor_comes_first_in_its_turn() {
        for anchors in 1..=10 {
            let turns = std::iter::successors(Some(0), |turn| Some(after(*turn, anchors)));
            let first: std::collections::BTreeSet<usize> = turns.take(3 * anchors).map(|turn| turn % anchors).collect();
            assert_eq!(first.len(), anchors);
        }
    }
}
