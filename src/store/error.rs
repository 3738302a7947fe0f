//! What can go wrong with the history. Only our own failures: a site's failure is data inside the evidence.

use std::path::{Path, PathBuf};

use crate::model::run::RunId;
use crate::model::time::Timestamp;

/// Why the history could not be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder for the database cannot be created.
    #[error("cannot create the folder of the history {}", path.display())]
    Create {
        /// The database.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There is no database, and it was opened for reading.
    #[error("there is no history at {}: it is made by the first scan", path.display())]
    Missing {
        /// The database.
        path: PathBuf,
    },
    /// The file is something else.
    #[error("{} is not a history of v6ready: give another path, the file was not touched", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A newer program wrote it.
    #[error(
        "the history {} has schema {found}, this program knows up to {known}: use the newer program that wrote it",
        path.display()
    )]
    NewerSchema {
        /// The database.
        path: PathBuf,
        /// Its schema version.
        found: u32,
        /// The newest that is known here.
        known: u32,
    },
    /// An older program wrote it, and it was opened for reading.
    #[error(
        "the history {} has schema {found}, reading needs {known}: it is brought up to date when it is opened for writing",
        path.display()
    )]
    OlderSchema {
        /// The database.
        path: PathBuf,
        /// Its schema version.
        found: u32,
        /// The version that is needed.
        known: u32,
    },
    /// Another process is scanning into it.
    #[error("the history {} is in use by {}", path.display(), holder(*pid, *started))]
    Locked {
        /// The database.
        path: PathBuf,
        /// The other process. None: it did not say yet.
        pid: Option<u32>,
        /// When it took the lock. None: it did not say yet.
        started: Option<Timestamp>,
    },
    /// The lock file cannot be made or locked.
    #[error("cannot lock {}", path.display())]
    LockFile {
        /// The lock file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The disk is full, or a quota is used up.
    #[error(
        "no space left for the history {}: what was stored before is kept. Make room on that disk; then `v6ready scan --resume` \
         with the same lists goes on",
        path.display()
    )]
    Full {
        /// The database.
        path: PathBuf,
        /// What the database said.
        source: sqlx::Error,
    },
    /// The disk, or the file system on it, failed. A full disk may look so as well.
    #[error(
        "cannot {doing} in the history {}: the disk failed or is full. What was stored before is kept; look after the disk, then \
         `v6ready scan --resume` with the same lists goes on",
        path.display()
    )]
    InputOutput {
        /// The database.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// What the database said.
        source: sqlx::Error,
    },
    /// The database's own structure is damaged.
    #[error(
        "the history {} is damaged and is not believed: put a backup in its place, or let the next scan set it aside and read the \
         evidence.jsonl.zst of the reports with `v6ready history import`",
        path.display()
    )]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What the database said.
        source: sqlx::Error,
    },
    /// A stored record does not match its hash or cannot be read. It is never believed.
    #[error(
        "the history {} holds a corrupt record, {what}: {detail}. It is not believed: put a backup in the file's place, or read the \
         evidence.jsonl.zst of the reports into a new file with `v6ready history import`",
        path.display()
    )]
    Corrupt {
        /// The database.
        path: PathBuf,
        /// Which record, by run, site and round.
        what: String,
        /// In which way.
        detail: String,
    },
    /// The evidence of an old run was removed.
    #[error("the evidence of run {id} was removed from the history {} to give space back: only its verdicts are left", path.display())]
    Pruned {
        /// The database.
        path: PathBuf,
        /// The run.
        id: RunId,
    },
    /// Evidence of a shape this program does not know.
    #[error("the history {} holds evidence of version {found}, {what}: use the newer program that wrote it", path.display())]
    UnknownEvidence {
        /// The database.
        path: PathBuf,
        /// Which record.
        what: String,
        /// Its version.
        found: u32,
    },
    /// No run of this name.
    #[error("the history {} has no run `{text}`{}", path.display(), among(known))]
    NoSuchRun {
        /// The database.
        path: PathBuf,
        /// What was asked for.
        text: String,
        /// The latest runs there are.
        known: Vec<RunId>,
    },
    /// Several runs begin with this.
    #[error("`{text}` may mean several runs{}", among(candidates))]
    AmbiguousRun {
        /// What was asked for.
        text: String,
        /// The runs that begin with it.
        candidates: Vec<RunId>,
    },
    /// There is no run at all.
    #[error("the history {} holds no run yet", path.display())]
    NoRuns {
        /// The database.
        path: PathBuf,
    },
    /// There is no run before this one.
    #[error("there is no run of the same vantage before {id}")]
    NothingBefore {
        /// The run.
        id: RunId,
    },
    /// A run of this name is stored already.
    #[error("the history {} already has a run {id}: go on with it, or start another", path.display())]
    RunExists {
        /// The database.
        path: PathBuf,
        /// The run.
        id: RunId,
    },
    /// A run identifier that could not be asked for again, or is no name for a folder.
    #[error("`{id}` cannot name a run: letters, digits, `-` and `_` only, and not `latest` or `previous`")]
    BadRunId {
        /// The identifier.
        id: RunId,
    },
    /// Exported evidence could not be written.
    #[error("cannot write the evidence of run {id}")]
    Export {
        /// The run.
        id: RunId,
        /// Why.
        source: std::io::Error,
    },
    /// A file of exported evidence could not be read.
    #[error("cannot read {}, line {line}", path.display())]
    ReadExport {
        /// The file.
        path: PathBuf,
        /// The line at which it ended.
        line: u64,
        /// Why.
        source: std::io::Error,
    },
    /// A file is no exported evidence, or was changed. Nothing of the run in question was stored.
    #[error("{}, line {line}: {problem}", path.display())]
    NotEvidence {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// A record could not be written as JSON.
    #[error("cannot write {what} as JSON")]
    Encode {
        /// Which record.
        what: String,
        /// Why.
        source: serde_json::Error,
    },
    /// The database refused.
    #[error("cannot {doing} in the history {}", path.display())]
    Sql {
        /// The database.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// What the database said.
        source: sqlx::Error,
    },
}

impl StoreError {
    /// Sorts a database error by SQLite's primary result code (<https://www.sqlite.org/rescode.html>).
    pub(super) fn sql(path: &Path, doing: &'static str, source: sqlx::Error) -> Self {
        const IOERR: u32 = 10;
        const CORRUPT: u32 = 11;
        const FULL: u32 = 13;
        // IOERR_SHORT_READ: the file ends before its last page.
        const CUT_OFF: u32 = 522;
        let path = path.to_owned();
        if let sqlx::Error::ColumnDecode { index, source } = &source {
            // What was written here has the types that are read; damage may look like another.
            return Self::Corrupt { path, what: format!("column {index}"), detail: source.to_string() };
        }
        if extended_code(&source) == Some(CUT_OFF) {
            return Self::Damaged { path, source };
        }
        match primary_code(&source) {
            Some(CORRUPT | NOT_A_DATABASE) => Self::Damaged { path, source },
            Some(FULL) => Self::Full { path, source },
            Some(IOERR) => Self::InputOutput { path, doing, source },
            _ => Self::Sql { path, doing, source },
        }
    }
}

/// SQLITE_NOTADB.
pub(super) const NOT_A_DATABASE: u32 = 26;

/// The low byte of the extended result code. None: not an error of SQLite's.
pub(super) fn primary_code(error: &sqlx::Error) -> Option<u32> {
    Some(extended_code(error)? & 0xff)
}

fn extended_code(error: &sqlx::Error) -> Option<u32> {
    error.as_database_error()?.code()?.parse().ok()
}

fn holder(pid: Option<u32>, started: Option<Timestamp>) -> String {
    let who = pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"));
    match started.and_then(|at| jiff::Timestamp::from_millisecond(at.0).ok()) {
        Some(started) => format!("{who} since {started}"),
        None => who,
    }
}

fn among(runs: &[RunId]) -> String {
    if runs.is_empty() {
        return String::new();
    }
    let names: Vec<&str> = runs.iter().map(|run| run.0.as_str()).collect();
    format!(": there is {}", names.join(", "))
}
