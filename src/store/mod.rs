//! The history: every run, what it was given, what it saw. The only folder that knows SQL.
//!
//! One SQLite file. Evidence is append-only and carries a hash that is checked whenever it is read; verdicts are kept
//! beside it as a cache for history, since they can be made again at any time. There is one writer at a time
//! ([`Lock`]), readers never wait. `docs/data-model.md` describes the tables.
//!
//! Leaves to others: what the evidence means ([`crate::judge`]), when to store what ([`crate::engine`]).

mod codec;
mod error;
mod evidence;
mod export;
#[cfg(test)]
mod fixture;
#[cfg(fuzzing)]
pub mod fuzzing;
mod import;
mod kept;
mod lock;
mod prune;
mod runs;
mod schema;
mod sound;
mod verdicts;
mod writer;

use std::path::{Path, PathBuf};

use sqlx::sqlite::SqlitePool;

use crate::failpoint;
use crate::model::time::Timestamp;

pub use error::StoreError;
pub use evidence::PutReport;
pub use export::{Exported, Given, Scope};
pub use import::Imported;
pub use lock::{Holder, Lock, holder};
pub use prune::Prunable;
pub use runs::{RunHeader, StoredRun};
pub use schema::SCHEMA_VERSION;
pub use sound::Sound;
pub use verdicts::KeptVerdicts;
pub use writer::{Writer, WriterReport};

/// What a history is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// Made if missing, brought to the newest schema.
    ReadWrite,
    /// Must exist and have the newest schema; nothing is changed.
    ReadOnly,
}

/// An open history. Clones share it.
#[derive(Clone, Debug)]
pub struct Store {
    pool: SqlitePool,
    path: PathBuf,
}

impl Store {
    /// Opens a database file.
    pub async fn open(path: &Path, mode: OpenMode) -> Result<Self, StoreError> {
        let pool = schema::open(path, mode).await?;
        Ok(Self { pool, path: path.to_owned() })
    }

    /// The database file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the right to scan into this history, or says who has it. Hold it for the whole scan.
    pub fn lock(&self, now: Timestamp) -> Result<Lock, StoreError> {
        Lock::take(&self.path, now)
    }

    /// Lets SQLite look over the whole file. Takes time in proportion to its size.
    pub async fn check(&self) -> Result<(), StoreError> {
        // Not quick_check, which does not compare indexes with what they are of.
        let found: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check(5)")
            .fetch_all(&self.pool)
            .await
            .map_err(|error| self.fault("check", error))?;
        if found == ["ok"] {
            return Ok(());
        }
        Err(StoreError::Corrupt { path: self.path.clone(), what: "the file itself".into(), detail: found.join("; ") })
    }

    /// Closes all connections, of all clones, and folds the write-ahead log into the file.
    pub async fn close(&self) {
        failpoint::at("before-checkpoint");
        self.pool.close().await;
    }

    fn fault(&self, doing: &'static str, error: sqlx::Error) -> StoreError {
        StoreError::sql(&self.path, doing, error)
    }

    fn corrupt(&self, what: String, detail: String) -> StoreError {
        StoreError::Corrupt { path: self.path.clone(), what, detail }
    }
}
