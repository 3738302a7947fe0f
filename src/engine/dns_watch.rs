//! Watching the resolvers during a run: self-tests at an interval and after a burst of failures or denials, and the sites whose
//! answers no pair of good self-tests encloses.
//!
//! A resolver that dies or begins to lie in the middle of a run would turn sites into `ABSENT` and `NO_NAME`, and one that
//! begins to invent records would make them `READY`. Such looks are made up for. Leaves to others: the test
//! itself ([`super::resolvers`]), the look that makes up for it ([`super::work`]), whether sites may be begun while no resolver answers
//! ([`super::breaker`]), and the verdict, which asks the proofs once more ([`crate::judge`]).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::resolvers::{DnsControls, self_test};
use super::work::Doubt;
use crate::model::evidence::{LookupOutcome, RecordType, Round, ServerRole};
use crate::model::run::{DnsProof, ResolverState};
use crate::model::time::Timestamp;
use crate::model::verdict::Readiness;
use crate::probe::Prober;

/// Failed questions to resolvers, since the last self-test, after which one is due at once.
const BURST: usize = 20;
/// Sites in a row that seem to be absent or gone, after which a self-test is due at once: whoever begins to deny, denies
/// everybody.
const STREAK: usize = 20;
/// The part of the interval between two self-tests that passes in any case, however many questions fail.
const PAUSE: u32 = 20;

/// The watch of one run.
#[derive(Debug)]
pub(super) struct DnsWatch {
    shared: Arc<Shared>,
    task: AbortHandle,
}

#[derive(Debug)]
struct Shared {
    prober: Arc<Prober>,
    controls: DnsControls,
    state: Mutex<State>,
    burst: Notify,
}

#[derive(Debug, Default)]
struct State {
    proofs: Vec<DnsProof>,
    /// Each self-test of all resolvers: begin, end, and the worst that came out. None: one of them could not be asked, for a
    /// reason of this machine's, and the others are sane.
    tests: Vec<(Timestamp, Timestamp, Option<ResolverState>)>,
    /// Looks, until a test shows whether their answers can be believed.
    pending: Vec<Doubt>,
    /// Those of them that cannot be believed.
    doubtful: Vec<Doubt>,
    failures: usize,
    streak: usize,
    resting: bool,
}

/// What a round shows of the resolvers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    started: Timestamp,
    ended: Timestamp,
    /// Questions to resolvers that were not answered, or with a failure.
    failures: usize,
    /// The verdict rests on something that is absent.
    rests_on_denial: bool,
    /// The verdict rests on that, or on a failure to find out.
    rests_on_resolvers: bool,
}

impl Seen {
    /// In a round that seems to show what `readiness` says.
    pub(super) fn in_round(round: &Round, readiness: Readiness) -> Self {
        use LookupOutcome::{Answer, Nodata, NodataNosoa, NotAsked, Nxdomain};
        // Some resolvers do not know of HTTPS records, and nothing hangs on these.
        let asked = round.lookups.iter().filter(|lookup| lookup.rtype != RecordType::Https);
        let unanswered = asked.clone().any(|lookup| lookup.outcome != Answer);
        let asked = asked.filter(|lookup| lookup.role == ServerRole::Resolver);
        let rests_on_denial = matches!(readiness, Readiness::Absent | Readiness::NoName);
        // A success rests on records.
        let unserved = !matches!(readiness, Readiness::Ready | Readiness::ReadyDefect);
        Self {
            started: round.started,
            ended: round.ended,
            failures: asked
                .filter(|l| !matches!(l.outcome, Answer | Nodata | NodataNosoa | Nxdomain | NotAsked))
                .count(),
            rests_on_denial,
            rests_on_resolvers: rests_on_denial || unserved && unanswered,
        }
    }
}

impl DnsWatch {
    /// Makes a first self-test, and goes on with one every `interval`.
    pub(super) async fn start(prober: Arc<Prober>, controls: DnsControls, interval: Duration) -> Self {
        let shared = Arc::new(Shared { prober, controls, state: Mutex::default(), burst: Notify::new() });
        shared.test().await;
        let watching = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            loop {
                let pause = interval / PAUSE;
                tokio::time::sleep(pause).await;
                tokio::select! {
                    () = tokio::time::sleep(interval.saturating_sub(pause)) => {}
                    () = watching.burst.notified() => {}
                }
                let resting = watching.state().resting;
                if !resting {
                    watching.test().await;
                }
            }
        });
        Self { shared, task: task.abort_handle() }
    }

    /// A look is over.
    pub(super) fn saw(&self, seen: &Seen) {
        let mut state = self.shared.state();
        state.failures += seen.failures;
        state.streak = if seen.rests_on_denial { state.streak + 1 } else { 0 };
        if state.failures >= BURST || state.streak >= STREAK {
            (state.failures, state.streak) = (0, 0);
            self.shared.burst.notify_one();
        }
    }

    /// A look that counts, unless the resolvers turn out not to be proven around it.
    pub(super) fn doubted(&self, look: Doubt) {
        self.shared.state().pending.push(look);
    }

    /// Tests nothing by itself as long as this is so.
    pub(super) fn rest(&self, resting: bool) {
        self.shared.state().resting = resting;
    }

    /// Tests the resolvers now.
    pub(super) async fn test(&self) {
        self.shared.test().await;
    }

    /// Looks around which the resolvers were not proven, as far as can be told after one more test; and whether they are
    /// proven now.
    pub(super) async fn doubtful(&self) -> (Vec<Doubt>, bool) {
        if !self.shared.state().pending.is_empty() {
            self.shared.test().await;
        }
        let mut state = self.shared.state();
        let proven = state.tests.last().is_some_and(|(_, _, worst)| *worst == Some(ResolverState::Sane));
        (std::mem::take(&mut state.doubtful), proven)
    }

    /// How many proofs there are.
    pub(super) fn proven(&self) -> usize {
        self.shared.state().proofs.len()
    }

    /// The proofs so far, in order of time.
    pub(super) fn proofs(&self) -> Vec<DnsProof> {
        let mut proofs = self.shared.state().proofs.clone();
        proofs.sort_by_key(|proof| proof.at);
        proofs
    }

    /// All proofs, in order of time.
    pub(super) fn finish(&self) -> Vec<DnsProof> {
        self.task.abort();
        let mut proofs = std::mem::take(&mut self.shared.state().proofs);
        proofs.sort_by_key(|proof| proof.at);
        proofs
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn test(&self) {
        let turn = self.state().tests.len();
        let begun = self.prober.net.clock.now();
        let proofs = self_test(&self.prober, &self.controls, turn).await;
        let worst = proofs.iter().map(|proof| proof.state).max();
        let untold = proofs.len() < self.prober.net.resolvers.len();
        let worst = worst.filter(|worst| !(untold && *worst == ResolverState::Sane));
        let mut state = self.state();
        state.failures = 0;
        state.tests.push((begun, self.prober.net.clock.now(), worst));
        state.proofs.extend(proofs);
        state.settle(begun);
    }
}

impl State {
    /// Decides about the sites whose round was over when the last test began.
    fn settle(&mut self, begun: Timestamp) {
        for look in std::mem::take(&mut self.pending) {
            if look.seen.ended > begun {
                self.pending.push(look);
            } else if !self.is_believed(&look.seen) {
                self.doubtful.push(look);
            }
        }
    }

    /// All tests were good from the last that was over when the round began to the first that began when it was over.
    fn is_believed(&self, look: &Seen) -> bool {
        let before = self.tests.iter().rposition(|(_, end, _)| *end <= look.started);
        let after = self.tests.iter().position(|(begin, _, _)| *begin >= look.ended);
        let good = |state: Option<ResolverState>| match state {
            Some(ResolverState::Sane) => true,
            Some(ResolverState::Untested | ResolverState::Silent | ResolverState::Denies) | None => {
                !look.rests_on_resolvers
            }
            Some(ResolverState::Invents) => false,
        };
        let enclosing = before.zip(after).map(|(before, after)| &self.tests[before.min(after)..=after]);
        match enclosing {
            Some(tests) => tests.iter().all(|(_, _, state)| good(*state)),
            None => !look.rests_on_resolvers,
        }
    }
}

impl Drop for DnsWatch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::symptoms::tests::lookup;

    #[test]
    fn a_test_that_could_not_be_made_proves_nothing_and_accuses_nobody() {
        use ResolverState::{Denies, Invents, Sane, Silent};
        // What the tests before and after a look showed; whether it is believed if it rests on the resolvers, and if not.
        for (before, after, resting, otherwise) in [
            (Some(Sane), Some(Sane), true, true),
            (Some(Sane), None, false, true),
            (None, Some(Sane), false, true),
            (Some(Silent), Some(Sane), false, true),
            (Some(Sane), Some(Denies), false, true),
            (Some(Invents), Some(Sane), false, false),
        ] {
            let test = |at, state| (Timestamp(at), Timestamp(at + 1), state);
            let state = State { tests: vec![test(0, before), test(20, after)], ..State::default() };
            for (rests_on_resolvers, believed) in [(true, resting), (false, otherwise)] {
                let look = Seen { started: Timestamp(5), ended: Timestamp(9), rests_on_resolvers, ..Seen::default() };
                assert_eq!(state.is_believed(&look), believed, "{before:?} {after:?} {rests_on_resolvers}");
            }
        }
    }

    #[test]
    fn questions_that_were_not_asked_are_no_burst_of_failures() {
        use LookupOutcome::{NotAsked, Servfail, Timeout};
        for (outcome, failures) in [(Timeout, 1), (Servfail, 1), (NotAsked, 0)] {
            let mut round = Round::new(1, Timestamp(0));
            round.lookups.push(lookup(RecordType::A, "192.0.2.53:53", outcome));
            assert_eq!(Seen::in_round(&round, Readiness::Inconclusive).failures, failures, "{outcome:?}");
        }
    }
}
