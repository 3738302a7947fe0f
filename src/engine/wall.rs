//! Is this machine's wall clock right? Asked of the anchors before a run, and watched for jumps during it.
//!
//! What a run measures does not follow the wall clock ([`crate::clock::SteadyClock`]). But what it calls out of date, and the
//! date of its report, rest on where that clock stood when the run began; after a jump, that must be proven anew. Leaves to
//! others: what a certificate's time is worth without that proof ([`crate::judge`]), and what follows from a jump ([`super::breaker`]).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::clock::Clock;
use crate::model::evidence::{Exchange, Round};
use crate::model::run::{CLOCK_TOLERANCE, CheckOutcome, ClockGap, ClockProof, GateCheck};
use crate::model::time::Timestamp;

/// Off by so much, every date of a report would be wrong: the gate stays shut.
const WRONG_DAY_MS: u64 = 24 * 3600 * 1000;
/// The wall clock jumped if it moved by so much more or less than the monotonic one. Slewing by NTP stays far below.
const JUMP_MS: u64 = 2_000;

/// What time it is, as one anchor says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// The anchor.
    pub anchor: String,
    /// When it said so, by our clock.
    pub at: Timestamp,
    /// How far our clock is ahead of its, in milliseconds.
    pub ahead_ms: i64,
}

/// By one response of an anchor: the first that has a date, whichever family brought it. None: no response had one.
pub(super) fn witness(anchor: &str, round: &Round) -> Option<Witness> {
    let hops = round.walks.iter().flat_map(|walk| &walk.hops);
    hops.filter_map(|hop| hop.exchange.as_ref()).find_map(|exchange: &Exchange| {
        let date = exchange.date?;
        let came = exchange.started.plus_ms(i64::try_from(exchange.ttfb_us / 1000).unwrap_or(0));
        Some(Witness { anchor: anchor.to_owned(), at: came, ahead_ms: came.0.saturating_sub(date.0) })
    })
}

/// The check of the gate.
pub(super) fn check(proof: Option<&ClockProof>) -> GateCheck {
    let (outcome, detail, advice) = match proof {
        None => (
            CheckOutcome::Warn,
            "too few anchors say what time it is, or they do not agree".to_owned(),
            "name anchors that send a Date header (gate.anchors): without them, no certificate is called out of date",
        ),
        Some(proof) if proof.holds() => {
            (CheckOutcome::Pass, format!("within {} s of {} anchors", CLOCK_TOLERANCE.as_secs(), proof.anchors), "")
        }
        Some(proof) => {
            let outcome =
                if proof.ahead_ms.unsigned_abs() >= WRONG_DAY_MS { CheckOutcome::Fail } else { CheckOutcome::Warn };
            let side = if proof.ahead_ms > 0 { "ahead of" } else { "behind" };
            let detail = format!("{} s {side} {} anchors", proof.ahead_ms.unsigned_abs() / 1000, proof.anchors);
            (outcome, detail, "set this machine's clock, best by NTP: until then, no certificate is called out of date")
        }
    };
    GateCheck { name: "clock".to_owned(), outcome, detail, advice: advice.to_owned() }
}

/// Watches for jumps of the wall clock: somebody set it, or this machine slept.
#[derive(Debug)]
pub(super) struct Jumps {
    wall: Arc<dyn Clock>,
    steady: Arc<dyn Clock>,
    /// How far the wall clock was ahead of the steady one at the last look.
    ahead_ms: i64,
    /// When that was, by the steady one.
    looked: Timestamp,
}

impl Jumps {
    pub(super) fn new(wall: Arc<dyn Clock>, steady: Arc<dyn Clock>) -> Self {
        let looked = steady.now();
        let ahead_ms = wall.now().0.saturating_sub(looked.0);
        Self { wall, steady, ahead_ms, looked }
    }

    /// If the wall clock jumped since the last look: when that was.
    pub(super) fn jumped(&mut self) -> Option<Timestamp> {
        let now = self.steady.now();
        let ahead_ms = self.wall.now().0.saturating_sub(now.0);
        let since = std::mem::replace(&mut self.looked, now);
        (std::mem::replace(&mut self.ahead_ms, ahead_ms).abs_diff(ahead_ms) > JUMP_MS).then_some(since)
    }
}

/// Whether the run's clock is still known to be right. A jump ends that: the wall clock says nothing of it any more, and where
/// the machine slept, the monotonic clock stood still. Anchors that are heard afterwards prove it anew.
#[derive(Debug, Default)]
pub(super) struct ClockWatch {
    gaps: Vec<ClockGap>,
    /// When the last jump was noticed: what was said before counts no more.
    noticed: Timestamp,
    /// What anchors have said since, by name.
    heard: BTreeMap<String, i64>,
}

impl ClockWatch {
    /// A jump was noticed now; at `since` there was none yet.
    pub(super) fn jumped(&mut self, since: Timestamp, now: Timestamp) {
        self.noticed = now;
        self.heard.clear();
        if self.gaps.last().is_none_or(|gap| gap.until.is_some()) {
            self.gaps.push(ClockGap { from: since, until: None });
        }
    }

    /// Anchors said what time it is; `exist`: how many there are.
    pub(super) fn hear(&mut self, witnesses: &[Witness], exist: usize) {
        let Some(gap) = self.gaps.last_mut().filter(|gap| gap.until.is_none()) else { return };
        for witness in witnesses.iter().filter(|witness| witness.at > self.noticed) {
            self.heard.insert(witness.anchor.clone(), witness.ahead_ms);
            let proof = ClockProof::from_anchors(witness.at, self.heard.values().copied().collect(), exist);
            if proof.is_some_and(|proof| proof.holds()) {
                gap.until = Some(witness.at);
                return;
            }
        }
    }

    /// When it was not known, in order of time.
    pub(super) fn gaps(&self) -> Vec<ClockGap> {
        self.gaps.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    #[test]
    fn a_clock_is_as_right_as_most_anchors_say() {
        use CheckOutcome::{Fail, Pass, Warn};
        let (minute, day) = (60_000, 24 * 3_600_000);
        // How far ahead of each anchor, and what the gate makes of it.
        let cases: [(&[i64], CheckOutcome); 13] = [
            (&[0, 900, -400], Pass),
            (&[5 * minute; 3], Pass),
            (&[5 * minute + 1; 3], Warn),
            (&[-2 * 60 * minute; 3], Warn),
            (&[day; 3], Fail),
            (&[-56 * 365 * day; 3], Fail),
            // One anchor whose own clock is wrong.
            (&[0, 300, 40 * day], Pass),
            // No majority.
            (&[0, 300, 40 * day, 40 * day], Warn),
            (&[-40 * day, 0, 0, 40 * day], Warn),
            (&[-40 * day, 0, 40 * day], Warn),
            // Too few of five.
            (&[0, 0], Warn),
            (&[0], Warn),
            (&[], Warn),
        ];
        for (ahead, outcome) in cases {
            let proof = ClockProof::from_anchors(Timestamp(0), ahead.to_vec(), 5);
            let check = check(proof.as_ref());
            assert_eq!(check.outcome, outcome, "{ahead:?} {}", check.detail);
            assert_eq!(check.advice.is_empty(), outcome == Pass, "{ahead:?}");
        }
    }

    #[test]
    fn where_there_are_few_anchors_all_of_them_must_agree() {
        let holds = |ahead: &[i64], exist| {
            ClockProof::from_anchors(Timestamp(0), ahead.to_vec(), exist).is_some_and(|proof| proof.holds())
        };
        assert!(holds(&[0, 10], 2) && holds(&[0, 10, 20], 3) && holds(&[0, 10, 3_600_000], 3));
        assert!(!holds(&[0, 10], 3) && !holds(&[0], 1) && !holds(&[0, 3_600_000], 2) && !holds(&[-3_600_000, 0], 2));
    }

    #[test]
    fn after_a_jump_the_clock_is_not_known_until_three_anchors_were_heard() {
        let witness =
            |anchor: &str, at: i64, ahead_ms: i64| Witness { anchor: anchor.to_owned(), at: Timestamp(at), ahead_ms };
        let right = ClockProof::from_anchors(Timestamp(0), vec![0, 0, 0], 5).expect("a proof");
        let known = |clock: &ClockWatch, at: i64| {
            ClockProof { gaps: clock.gaps.clone(), ..right.clone() }.holds_at(Timestamp(at))
        };
        let mut clock = ClockWatch::default();
        clock.hear(&[witness("a", 5, 0)], 5);
        assert!(known(&clock, 5));
        clock.jumped(Timestamp(1000), Timestamp(2000));
        assert!(known(&clock, 999) && !known(&clock, 1000) && !known(&clock, i64::MAX));
        // One was asked before, one is heard twice, and one has a wrong clock of its own.
        clock.hear(&[witness("a", 1500, 0), witness("b", 2100, 10), witness("b", 2200, 20)], 5);
        clock.hear(&[witness("c", 2300, 7_200_000)], 5);
        assert!(!known(&clock, 2300));
        clock.hear(&[witness("d", 2400, 30)], 5);
        assert!(known(&clock, 2400) && !known(&clock, 2399) && known(&clock, i64::MAX));
        // The machine slept for longer: its monotonic clock stays behind.
        clock.jumped(Timestamp(5000), Timestamp(6000));
        clock.hear(&["a", "b", "c", "d"].map(|anchor| witness(anchor, 7000, -3_600_000)), 5);
        assert!(known(&clock, 4999) && !known(&clock, i64::MAX));
        assert_eq!(clock.gaps().len(), 2);
    }

    #[test]
    fn jumps_of_the_wall_clock_are_noticed_and_slewing_is_not() {
        let start = Timestamp(1_700_000_000_000);
        let (wall, steady) = (Arc::new(ManualClock::new(start)), Arc::new(ManualClock::new(start)));
        let mut jumps = Jumps::new(wall.clone(), steady.clone());
        for (moved, jumped) in
            [(1000, false), (1500, false), (7_201_000, true), (1000, false), (-7_200_000, true), (i64::MIN / 4, true)]
        {
            steady.advance_ms(1000);
            wall.advance_ms(moved);
            assert_eq!(jumps.jumped().is_some(), jumped, "{moved}");
        }
    }
}
