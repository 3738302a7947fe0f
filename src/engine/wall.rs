//! Is this machine's wall clock right? Asked of the anchors before a run, and watched for jumps during it.
//!
//! What a run measures does not follow the wall clock ([`crate::clock::SteadyClock`]). But what it calls out of date, and the
//! date of its report, rest on where that clock stood when the run began. Leaves to others: what a certificate's time is worth
//! without that proof ([`crate::judge`]), and what follows from a jump ([`super::breaker`]).

use std::sync::Arc;

use crate::clock::Clock;
use crate::model::evidence::{Exchange, Round};
use crate::model::run::{CLOCK_TOLERANCE, CheckOutcome, ClockProof, GateCheck};

/// Off by so much, every date of a report would be wrong: the gate stays shut.
const WRONG_DAY_MS: u64 = 24 * 3600 * 1000;
/// The wall clock jumped if it moved by so much more or less than the monotonic one. Slewing by NTP stays far below.
const JUMP_MS: u64 = 2_000;

/// How far our clock is ahead of the server's, in milliseconds, by one response of an anchor: the first that has a date,
/// whichever family brought it. None: no response had one.
pub(super) fn ahead(round: &Round) -> Option<i64> {
    let hops = round.walks.iter().flat_map(|walk| &walk.hops);
    hops.filter_map(|hop| hop.exchange.as_ref()).find_map(|exchange: &Exchange| {
        let date = exchange.date?;
        let came = exchange.started.plus_ms(i64::try_from(exchange.ttfb_us / 1000).unwrap_or(0));
        Some(came.0 - date.0)
    })
}

/// The check of the gate.
pub(super) fn check(proof: Option<&ClockProof>) -> GateCheck {
    let (outcome, detail, advice) = match proof {
        None => (
            CheckOutcome::Warn,
            "too few anchors say what time it is".to_owned(),
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
}

impl Jumps {
    pub(super) fn new(wall: Arc<dyn Clock>, steady: Arc<dyn Clock>) -> Self {
        let ahead_ms = wall.now().0.saturating_sub(steady.now().0);
        Self { wall, steady, ahead_ms }
    }

    /// The wall clock jumped since the last look.
    pub(super) fn jumped(&mut self) -> bool {
        let ahead_ms = self.wall.now().0.saturating_sub(self.steady.now().0);
        std::mem::replace(&mut self.ahead_ms, ahead_ms).abs_diff(ahead_ms) > JUMP_MS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::model::time::Timestamp;

    #[test]
    fn a_clock_is_as_right_as_most_anchors_say() {
        use CheckOutcome::{Fail, Pass, Warn};
        let (minute, day) = (60_000, 24 * 3_600_000);
        // How far ahead of each anchor, and what the gate makes of it.
        let cases: [(&[i64], CheckOutcome); 9] = [
            (&[0, 900, -400], Pass),
            (&[5 * minute; 3], Pass),
            (&[5 * minute + 1; 3], Warn),
            (&[-2 * 60 * minute; 3], Warn),
            (&[day; 3], Fail),
            (&[-56 * 365 * day; 3], Fail),
            // One anchor whose own clock is wrong.
            (&[0, 300, 40 * day], Pass),
            (&[0], Warn),
            (&[], Warn),
        ];
        for (ahead, outcome) in cases {
            let proof = ClockProof::from_anchors(Timestamp(0), ahead.to_vec());
            let check = check(proof.as_ref());
            assert_eq!(check.outcome, outcome, "{ahead:?} {}", check.detail);
            assert_eq!(check.advice.is_empty(), outcome == Pass, "{ahead:?}");
        }
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
            assert_eq!(jumps.jumped(), jumped, "{moved}");
        }
    }
}
