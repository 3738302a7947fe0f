//! Exit codes, and the one place that turns an error into one.
//!
//! Leaves to others: printing the error, and deciding whether a finished run is below the threshold that was asked for.

use std::process::ExitCode;

use crate::config::ConfigError;
use crate::store::StoreError;

/// How the program ends. The numbers are a contract with scripts and timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Exit {
    /// Done, reports written.
    Done = 0,
    /// Our failure.
    Failure = 1,
    /// Wrong usage of the command line.
    Usage = 2,
    /// Configuration or target list unusable.
    Unusable = 3,
    /// The run gate is shut: this vantage cannot measure IPv6, or its DNS lies. Nothing was judged.
    GateShut = 4,
    /// The run is incomplete: interrupted, or rows were lost to internal errors. What was finished is stored.
    Incomplete = 5,
    /// Done, but completion is below the threshold that was asked for.
    BelowThreshold = 6,
    /// An output file or folder cannot be created (`EX_CANTCREAT`).
    CannotCreate = 73,
    /// Input or output failed while at work, such as a full disk (`EX_IOERR`).
    InputOutput = 74,
    /// Another run holds the lock; try again later (`EX_TEMPFAIL`).
    Locked = 75,
}

impl Exit {
    /// Every way to end, by number.
    pub const ALL: [Self; 10] = [
        Self::Done,
        Self::Failure,
        Self::Usage,
        Self::Unusable,
        Self::GateShut,
        Self::Incomplete,
        Self::BelowThreshold,
        Self::CannotCreate,
        Self::InputOutput,
        Self::Locked,
    ];

    /// The number the shell sees.
    pub fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

impl From<&StoreError> for Exit {
    fn from(error: &StoreError) -> Self {
        match error {
            StoreError::Create { source, .. } | StoreError::LockFile { source, .. } => match source.kind() {
                std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::InputOutput,
                _ => Self::CannotCreate,
            },
            StoreError::Full { .. }
            | StoreError::InputOutput { .. }
            | StoreError::Damaged { .. }
            | StoreError::Corrupt { .. }
            | StoreError::Export { .. }
            | StoreError::ReadExport { .. } => Self::InputOutput,
            StoreError::Locked { .. } => Self::Locked,
            StoreError::NoSuchRun { .. }
            | StoreError::AmbiguousRun { .. }
            | StoreError::NoRuns { .. }
            | StoreError::NothingBefore { .. } => Self::Usage,
            StoreError::Missing { .. }
            | StoreError::Foreign { .. }
            | StoreError::NewerSchema { .. }
            | StoreError::Pruned { .. }
            | StoreError::OlderSchema { .. }
            | StoreError::UnknownEvidence { .. }
            | StoreError::NotEvidence { .. } => Self::Unusable,
            StoreError::RunExists { .. }
            | StoreError::BadRunId { .. }
            | StoreError::Encode { .. }
            | StoreError::Sql { .. } => Self::Failure,
        }
    }
}

impl From<&ConfigError> for Exit {
    fn from(_: &ConfigError) -> Self {
        Self::Unusable
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_manual() {
        let codes = Exit::ALL.map(Exit::code);
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 73, 74, 75]);
    }

    #[test]
    fn a_full_disk_is_not_a_folder_that_cannot_be_written() {
        let create = |kind: std::io::ErrorKind| StoreError::Create { path: "history.db".into(), source: kind.into() };
        assert_eq!(Exit::from(&create(std::io::ErrorKind::StorageFull)), Exit::InputOutput);
        assert_eq!(Exit::from(&create(std::io::ErrorKind::PermissionDenied)), Exit::CannotCreate);
    }

    #[test]
    fn a_held_lock_is_temporary() {
        let error = StoreError::Locked { path: "history.db".into(), pid: Some(7), started: None };
        assert_eq!(Exit::from(&error), Exit::Locked);
    }
}
