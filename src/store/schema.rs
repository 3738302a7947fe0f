//! Opening the database file, and bringing it to the newest schema. Leaves to others: every table's content.
//!
//! A file that is not ours, or is newer than we know, is refused before anything about it is changed.

use std::path::Path;
use std::time::{Duration, Instant};

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection};

use super::OpenMode;
use super::error::{NOT_A_DATABASE, StoreError, primary_code};
use crate::failpoint;

/// Marks the file as ours (`PRAGMA application_id`): the bytes `v6rd`.
const APPLICATION_ID: i64 = 0x7636_7264;

/// The steps from an empty file to the newest schema, in order: number and SQL. A step that was released never changes.
pub(super) const MIGRATIONS: [(u32, &str); 2] =
    [(1, include_str!("migrations/0001_evidence.sql")), (2, include_str!("migrations/0002_verdicts.sql"))];

/// The newest schema version.
pub const SCHEMA_VERSION: u32 = MIGRATIONS[MIGRATIONS.len() - 1].0;

/// Connections of one pool at most: the evidence's writer, the journal's, and who reads beside them.
const CONNECTIONS: u32 = 3;

/// How long a connection waits for others that hold the lock it wants.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Opens, checks and migrates.
pub(super) async fn open(path: &Path, mode: OpenMode) -> Result<SqlitePool, StoreError> {
    match mode {
        OpenMode::ReadWrite => {
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)
                    .map_err(|source| StoreError::Create { path: path.to_owned(), source })?;
            }
            prepare(path, &MIGRATIONS).await?;
            let options = options(path)
                .create_if_missing(false)
                .journal_mode(SqliteJournalMode::Wal)
                // With NORMAL, a power cut may take back batches that were acknowledged.
                .synchronous(SqliteSynchronous::Full);
            // A new file becomes a WAL database by one connection: of several that try at once, SQLite turns all but
            // one away without waiting.
            let first = first_connection(path, &options).await?;
            // All of them now: in mid-run there may be no descriptor left for one more.
            let pool = connect(path, options, CONNECTIONS).await?;
            first.close().await.map_err(|error| StoreError::sql(path, "close a connection", error))?;
            Ok(pool)
        }
        OpenMode::ReadOnly => {
            if !path.exists() {
                return Err(StoreError::Missing { path: path.to_owned() });
            }
            match open_for_reading(path, options(path).read_only(true)).await {
                // SQLite wants to put its shared-memory file beside a WAL database even to read it. On a medium where it
                // cannot, nobody else can write either, so the file may be read as it is once its log is folded in.
                Err(StoreError::Sql { source, .. }) if cannot_write_beside(&source) && !has_log(path) => {
                    open_for_reading(path, options(path).read_only(true).immutable(true)).await
                }
                result => result,
            }
        }
    }
}

/// A connection that waits for other processes even where SQLite does not, which is when the journal mode changes.
async fn first_connection(path: &Path, options: &SqliteConnectOptions) -> Result<SqliteConnection, StoreError> {
    const BUSY: u32 = 5;
    let give_up = Instant::now() + BUSY_TIMEOUT;
    loop {
        match options.connect().await {
            Err(error) if primary_code(&error) == Some(BUSY) && Instant::now() < give_up => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            result => return result.map_err(|error| StoreError::sql(path, "open a connection", error)),
        }
    }
}

async fn open_for_reading(path: &Path, options: SqliteConnectOptions) -> Result<SqlitePool, StoreError> {
    let pool = connect(path, options, 0).await?;
    let mut connection = pool.acquire().await.map_err(|error| StoreError::sql(path, "open a connection", error))?;
    let found = version(&mut connection, path).await?;
    if found < SCHEMA_VERSION {
        return Err(StoreError::OlderSchema { path: path.to_owned(), found, known: SCHEMA_VERSION });
    }
    drop(connection);
    Ok(pool)
}

fn cannot_write_beside(error: &sqlx::Error) -> bool {
    const READ_ONLY: u32 = 8;
    const CANNOT_OPEN: u32 = 14;
    matches!(primary_code(error), Some(READ_ONLY | CANNOT_OPEN))
}

/// Whether there may be commits that are not in the file itself yet.
fn has_log(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    std::fs::metadata(log).is_ok_and(|log| log.len() > 0)
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        // The file may have been tampered with: no functions from its schema, and damage noticed early.
        .pragma("trusted_schema", "OFF")
        .pragma("cell_size_check", "ON")
        // Otherwise REPLACE deletes without asking the triggers that keep evidence append-only.
        .pragma("recursive_triggers", "ON")
        // A page of rows and more: with less room, the reader and SQLite's thread wake each other for every few rows.
        .row_buffer_size(512)
        .disable_statement_logging()
}

/// A pool with so many connections from the beginning; more come as they are needed.
async fn connect(path: &Path, options: SqliteConnectOptions, from: u32) -> Result<SqlitePool, StoreError> {
    SqlitePoolOptions::new()
        .min_connections(from)
        .max_connections(CONNECTIONS)
        // A connection is a file handle of our own process: it neither goes stale nor dies.
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(options)
        .await
        .map_err(|error| StoreError::sql(path, "open a connection", error))
}

/// Applies the missing migrations, each in a transaction of its own.
pub(super) async fn prepare(path: &Path, migrations: &[(u32, &'static str)]) -> Result<(), StoreError> {
    // On a connection that changes nothing by itself: a foreign database must not even become a WAL database.
    let mut connection = options(path)
        .create_if_missing(true)
        .connect()
        .await
        .map_err(|error| StoreError::sql(path, "open a connection", error))?;
    let result = migrate(&mut connection, path, migrations).await;
    connection.close().await.map_err(|error| StoreError::sql(path, "close a connection", error))?;
    result
}

async fn migrate(
    connection: &mut SqliteConnection,
    path: &Path,
    migrations: &[(u32, &'static str)],
) -> Result<(), StoreError> {
    let fault = |error| StoreError::sql(path, "bring the schema up to date", error);
    let mut found = version(connection, path).await?;
    for &(number, sql) in migrations {
        if found >= number {
            continue;
        }
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(fault)?;
        // Again, now that nobody else can write: another process may just have done it.
        found = version(&mut transaction, path).await?;
        if found < number {
            sqlx::raw_sql(sql).execute(&mut *transaction).await.map_err(fault)?;
            found = number;
        }
        failpoint::at("migration-before-commit");
        transaction.commit().await.map_err(fault)?;
        failpoint::at("migration-after-commit");
    }
    Ok(())
}

/// The schema version of a database that is ours or still empty.
async fn version(connection: &mut SqliteConnection, path: &Path) -> Result<u32, StoreError> {
    let pragmas = "SELECT a.application_id, v.user_version, (SELECT count(*) FROM sqlite_schema) \
                   FROM pragma_application_id AS a, pragma_user_version AS v";
    let (application, version, objects): (i64, i64, i64) =
        sqlx::query_as(pragmas).fetch_one(connection).await.map_err(|error| match primary_code(&error) {
            Some(NOT_A_DATABASE) => StoreError::Foreign { path: path.to_owned() },
            _ => StoreError::sql(path, "read the schema version", error),
        })?;
    let empty = application == 0 && version == 0 && objects == 0;
    let ours = application == APPLICATION_ID && version > 0;
    match u32::try_from(version) {
        Ok(found) if ours && found > SCHEMA_VERSION => {
            Err(StoreError::NewerSchema { path: path.to_owned(), found, known: SCHEMA_VERSION })
        }
        Ok(found) if ours || empty => Ok(found),
        _ => Err(StoreError::Foreign { path: path.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Store;
    use super::*;

    async fn sqlite(path: &Path, sql: &'static str) {
        let mut connection =
            SqliteConnectOptions::new().filename(path).create_if_missing(true).connect().await.unwrap();
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    #[tokio::test]
    async fn each_step_writes_its_own_number() {
        for (number, sql) in MIGRATIONS {
            assert!(sql.ends_with(&format!("PRAGMA user_version = {number};\n")));
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/down/history.db");
        Store::open(&path, OpenMode::ReadWrite).await.unwrap().close().await;
        Store::open(&path, OpenMode::ReadWrite).await.unwrap().close().await;
        Store::open(&path, OpenMode::ReadOnly).await.unwrap().close().await;
    }

    /// Each of four openings of a new file wants to make a WAL database of it, and has three connections.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn new_files_are_opened_by_several_at_once() {
        let folder = tempfile::tempdir().unwrap();
        for file in 0..20 {
            let path = folder.path().join(format!("{file}.db"));
            let openings: Vec<_> = (0..4)
                .map(|_| {
                    let path = path.clone();
                    tokio::spawn(async move { Store::open(&path, OpenMode::ReadWrite).await.unwrap().close().await })
                })
                .collect();
            for opening in openings {
                opening.await.unwrap();
            }
        }
    }

    #[tokio::test]
    async fn an_older_schema_is_brought_up_to_date_by_writers_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.db");
        prepare(&path, &MIGRATIONS[..1]).await.unwrap();
        let error = Store::open(&path, OpenMode::ReadOnly).await.unwrap_err();
        assert!(matches!(error, StoreError::OlderSchema { found: 1, known: SCHEMA_VERSION, .. }), "{error}");
        Store::open(&path, OpenMode::ReadWrite).await.unwrap().close().await;
        Store::open(&path, OpenMode::ReadOnly).await.unwrap().close().await;
    }

    #[tokio::test]
    async fn a_newer_schema_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.db");
        Store::open(&path, OpenMode::ReadWrite).await.unwrap().close().await;
        sqlite(&path, "PRAGMA user_version = 99").await;
        for mode in [OpenMode::ReadWrite, OpenMode::ReadOnly] {
            let error = Store::open(&path, mode).await.unwrap_err();
            assert!(matches!(error, StoreError::NewerSchema { found: 99, .. }), "{error}");
        }
    }

    #[tokio::test]
    async fn foreign_files_are_refused_and_left_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let text = folder.path().join("letter.txt");
        std::fs::write(&text, "not a database, and longer than a header of one hundred bytes ".repeat(5)).unwrap();
        let other = folder.path().join("other.db");
        sqlite(&other, "CREATE TABLE theirs (x)").await;
        for path in [&text, &other] {
            let before = std::fs::read(path).unwrap();
            for mode in [OpenMode::ReadWrite, OpenMode::ReadOnly] {
                let error = Store::open(path, mode).await.unwrap_err();
                assert!(matches!(error, StoreError::Foreign { .. }), "{error:?}");
            }
            assert_eq!(std::fs::read(path).unwrap(), before);
        }
    }

    #[tokio::test]
    async fn reading_what_is_not_there_makes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.db");
        let error = Store::open(&path, OpenMode::ReadOnly).await.unwrap_err();
        assert!(matches!(error, StoreError::Missing { .. }), "{error}");
        assert!(!path.exists());
    }
}
