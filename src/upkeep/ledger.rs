//! What became of the latest start, and the latest good run: a file beside the history, replaced at the end of every start.
//!
//! The history knows runs; it does not know starts that ended before there was one (a shut gate, an unusable list), nor exit
//! codes. Leaves to others: whether that is fine ([`super::health`]).

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{beside, replace};
use crate::model::time::Timestamp;

/// A ledger is a few lines; more is none of ours.
const MOST_BYTES: u64 = 64 * 1024;

/// What is remembered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// The latest start that was not turned away by another run. None: there was none.
    pub attempt: Option<Attempt>,
    /// The latest run that was complete. None: there was none.
    pub good: Option<GoodRun>,
}

/// A start and its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// When it began.
    pub began: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// Its exit code.
    pub exit: u8,
    /// It ended with a complete run, whatever is thought of its numbers.
    pub complete: bool,
    /// What it said when it failed. None: it did not fail.
    pub error: Option<String>,
}

/// A complete run and its numbers, all of them counts of schools.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoodRun {
    /// Its identifier.
    pub run: String,
    /// When it ended.
    pub ended: Timestamp,
    /// Schools on the lists.
    pub listed: u64,
    /// Schools that pass or fail.
    pub judged: u64,
    /// Schools that pass.
    pub ready: u64,
    /// Schools that could not be judged.
    pub not_judged: u64,
}

impl Ledger {
    /// The ledger beside a history. One that is missing or cannot be read is empty: it is no evidence.
    pub fn read(history: &Path) -> Self {
        let path = beside(history, ".ledger");
        let small = std::fs::metadata(&path).is_ok_and(|file| file.is_file() && file.len() <= MOST_BYTES);
        let read = || serde_json::from_slice(&std::fs::read(&path).ok()?).ok();
        small.then(read).flatten().unwrap_or_default()
    }

    /// Replaces the ledger beside a history.
    pub fn write(&self, history: &Path) -> std::io::Result<()> {
        replace(&beside(history, ".ledger"), &serde_json::to_vec(self)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_anything_else_is_empty() {
        let folder = tempfile::tempdir().unwrap();
        let history = folder.path().join("history.db");
        assert_eq!(Ledger::read(&history), Ledger::default());
        let attempt = Attempt {
            began: Timestamp(1),
            ended: Timestamp(2),
            exit: 4,
            complete: false,
            error: Some("shut".to_owned()),
        };
        let ledger = Ledger { attempt: Some(attempt), good: None };
        ledger.write(&history).unwrap();
        assert_eq!(Ledger::read(&history), ledger);
        std::fs::write(beside(&history, ".ledger"), "{\"attempt\":").unwrap();
        assert_eq!(Ledger::read(&history), Ledger::default());
    }
}
