//! The wall clock: the only place that asks the system what time it is.
//!
//! Everything that stores a point in time takes a [`Clock`], so that tests decide what time it is. Leaves to others:
//! durations, which come from [`std::time::Instant`] where they are measured, and the wording of dates.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Instant, UNIX_EPOCH};

use crate::model::time::Timestamp;

/// Says what time it is.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    fn now(&self) -> Timestamp {
        let now = std::time::SystemTime::now();
        // A machine whose clock was never set may stand before 1970.
        let ms = match now.duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |ms| -ms),
        };
        Timestamp(ms)
    }
}

/// Another clock's time when it was made, and from then on the monotonic clock: whatever is done to the other clock in
/// mid-run, moments of one run keep their order and their distances. Failures are compared with proofs by them.
#[derive(Debug)]
pub struct SteadyClock {
    began: Timestamp,
    since: Instant,
}

impl SteadyClock {
    /// A clock that shows what this one shows, and does not follow its jumps.
    pub fn starting_at(clock: &dyn Clock) -> Self {
        Self { began: clock.now(), since: Instant::now() }
    }
}

impl Clock for SteadyClock {
    fn now(&self) -> Timestamp {
        self.began.plus_ms(i64::try_from(self.since.elapsed().as_millis()).unwrap_or(i64::MAX))
    }
}

/// A clock that stands still until it is told otherwise: for tests, the lab and golden reports.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows this time.
    pub fn new(now: Timestamp) -> Self {
        Self(AtomicI64::new(now.0))
    }

    /// Shows another time, earlier or later: wall clocks jump.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.0, Ordering::SeqCst);
    }

    /// Moves by so many milliseconds.
    pub fn advance_ms(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_clock_is_past_the_day_this_was_written() {
        assert!(SystemClock.now() > Timestamp(1_700_000_000_000));
    }

    #[test]
    fn a_steady_clock_does_not_jump() {
        let hour = 3_600_000;
        for jump in [2 * hour, -2 * hour, -1_700_000_000_000, 400_000_000_000] {
            let wall = ManualClock::new(Timestamp(1_700_000_000_000));
            let steady = SteadyClock::starting_at(&wall);
            let before = steady.now();
            wall.advance_ms(jump);
            let after = steady.now();
            assert!(before >= Timestamp(1_700_000_000_000) && after >= before, "{jump}");
            assert!(after.distance_ms(before) < 60_000, "{jump}");
        }
    }

    #[test]
    fn a_manual_clock_shows_what_it_was_told() {
        let clock = ManualClock::new(Timestamp(10));
        assert_eq!(clock.now(), Timestamp(10));
        clock.advance_ms(-15);
        assert_eq!(clock.now(), Timestamp(-5));
        clock.set(Timestamp(7));
        assert_eq!(clock.now(), Timestamp(7));
    }
}
