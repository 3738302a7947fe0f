//! Whether somebody has to look: from facts to problems. Pure: the present moment is a parameter.
//!
//! 1. A start that did not end with a complete run failed.
//! 2. No complete run, or none for longer than `most_age`, is stale; while the very first run is under way, it is not.
//! 3. A run whose heartbeat is older than a minute hangs. One without heartbeat has just begun, or cannot write one.
//! 4. Less free space than is kept for the next run is low.
//!
//! Leaves to others: where the facts come from, wording, and the exit code (`cli`).

use std::time::Duration;

use serde::Serialize;

use super::heartbeat::{Beat, OLD_MS};
use super::ledger::Ledger;
use crate::model::time::Timestamp;

/// What is known.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// What became of earlier starts.
    pub ledger: Ledger,
    /// A run holds the lock.
    pub running: bool,
    /// The last heartbeat. None: there is none.
    pub beat: Option<Beat>,
    /// Bytes that may still be written where the history is. None: not known.
    pub free_bytes: Option<u64>,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demands {
    /// Age of the latest complete run from which it is stale.
    pub most_age: Duration,
    /// Free space below which it is low, in bytes.
    pub least_free: u64,
}

/// Why somebody has to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Problem {
    /// The latest start failed.
    Failed,
    /// There never was a complete run.
    NeverRan,
    /// The latest complete run is too old.
    Stale,
    /// A run holds the lock and shows no sign of life.
    Hangs,
    /// Little space is left.
    DiskLow,
}

/// Every problem; none is fine.
pub fn problems(facts: &Facts, demands: Demands, now: Timestamp) -> Vec<Problem> {
    let mut found = Vec::new();
    if facts.ledger.attempt.as_ref().is_some_and(|attempt| !attempt.complete) {
        found.push(Problem::Failed);
    }
    match &facts.ledger.good {
        None if !facts.running => found.push(Problem::NeverRan),
        None => {}
        Some(good) => {
            // A run that ended after now says that the clock was set back, not that the run is old.
            let age = u128::from(u64::try_from(now.0.saturating_sub(good.ended.0)).unwrap_or_default());
            if age > demands.most_age.as_millis() {
                found.push(Problem::Stale);
            }
        }
    }
    let hangs = |beat: &Beat| now > beat.at && now.distance_ms(beat.at) > OLD_MS;
    if facts.running && facts.beat.as_ref().is_some_and(hangs) {
        found.push(Problem::Hangs);
    }
    if facts.free_bytes.is_some_and(|free| free < demands.least_free) {
        found.push(Problem::DiskLow);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::ledger::{Attempt, GoodRun};
    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);
    const DEMANDS: Demands = Demands { most_age: Duration::from_hours(8 * 24), least_free: 1000 };

    fn good(age_ms: i64) -> GoodRun {
        let ended = NOW.plus_ms(-age_ms);
        GoodRun { run: "r".to_owned(), ended, listed: 3, judged: 2, ready: 1, not_judged: 1 }
    }

    fn attempt(exit: u8) -> Attempt {
        Attempt { began: NOW, ended: NOW, exit, complete: [0, 6].contains(&exit), error: None }
    }

    fn beat(age_ms: i64) -> Beat {
        let at = NOW.plus_ms(-age_ms);
        Beat { pid: 1, started: at, at, sites: None, done: 0, progress_at: None }
    }

    #[test]
    fn each_fact_has_its_problem() {
        let day = 86_400_000;
        let fine = || Facts {
            ledger: Ledger { attempt: Some(attempt(0)), good: Some(good(day)) },
            free_bytes: Some(5000),
            ..Facts::default()
        };
        let ledger = |exit, good| Ledger { attempt: Some(attempt(exit)), good: Some(good) };
        let cases = [
            ("fine", fine(), vec![]),
            ("below the threshold", Facts { ledger: ledger(6, good(day)), ..fine() }, vec![]),
            ("gate shut", Facts { ledger: ledger(4, good(day)), ..fine() }, vec![Problem::Failed]),
            ("interrupted", Facts { ledger: ledger(5, good(day)), ..fine() }, vec![Problem::Failed]),
            ("never", Facts::default(), vec![Problem::NeverRan]),
            ("the first is under way", Facts { running: true, ..Facts::default() }, vec![]),
            ("just young enough", Facts { ledger: ledger(0, good(8 * day)), ..fine() }, vec![]),
            ("too old", Facts { ledger: ledger(0, good(8 * day + 1)), ..fine() }, vec![Problem::Stale]),
            ("the clock was set back", Facts { ledger: ledger(0, good(-20 * day)), ..fine() }, vec![]),
            ("alive", Facts { running: true, beat: Some(beat(60_000)), ..fine() }, vec![]),
            ("hangs", Facts { running: true, beat: Some(beat(60_001)), ..fine() }, vec![Problem::Hangs]),
            ("killed long ago", Facts { running: false, beat: Some(beat(day)), ..fine() }, vec![]),
            ("no space", Facts { free_bytes: Some(999), ..fine() }, vec![Problem::DiskLow]),
            ("space is not known", Facts { free_bytes: None, ..fine() }, vec![]),
        ];
        for (name, facts, wanted) in cases {
            assert_eq!(problems(&facts, DEMANDS, NOW), wanted, "{name}");
        }
    }
}
