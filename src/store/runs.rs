//! Runs: what each was given, how far it came. Leaves to others: what it saw (`evidence`), what was concluded (`verdicts`).

use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use sqlx::Transaction;
use sqlx::sqlite::{Sqlite, SqliteRow};

use super::codec::{ROSTER_BYTES, digest, hex, pack_large, read_large};
use super::kept::Kept;
use super::{Store, StoreError};
use crate::failpoint;
use crate::model::run::{Run, RunEnd, RunId};
use crate::model::school::Roster;
use crate::model::summary::Policy;
use crate::model::time::Timestamp;

/// A run and everything it was given.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredRun {
    /// The run.
    pub run: Run,
    /// The lists as they were read at its start.
    pub roster: Roster,
    /// The policy at its start.
    pub policy: Policy,
    /// The resolved configuration as TOML, secrets removed.
    pub config: String,
}

/// One line of the list of runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunHeader {
    /// Its identifier.
    pub id: RunId,
    /// Name of the vantage.
    pub vantage: String,
    /// ISP label of the vantage. None: not given.
    pub isp: Option<String>,
    /// When it began.
    pub started: Timestamp,
    /// When it ended. None: not yet, or killed.
    pub ended: Option<Timestamp>,
    /// How it ended.
    pub end: RunEnd,
    /// Method version of the program that measured.
    pub method_version: String,
    /// Version of the program that measured.
    pub program_version: String,
    /// IPv6 transport was not used.
    pub without_ipv6: bool,
    /// Laboratory or simulated: not about real schools.
    pub invented: bool,
    /// Sites with evidence.
    pub sites: u64,
}

#[derive(Serialize)]
pub(super) struct ListsOut<'a> {
    pub(super) roster: &'a Roster,
    pub(super) policy: &'a Policy,
}

#[derive(Deserialize)]
pub(super) struct ListsIn {
    pub(super) roster: Roster,
    pub(super) policy: Policy,
}

/// A run as it is stored.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Record {
    #[serde(flatten)]
    pub(super) run: Run,
    /// What is stored for it. None: the record was written before it said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) kept: Option<Kept>,
}

impl Record {
    /// The word for the run's end in the table, the same as in the JSON.
    pub(super) fn state(&self) -> &'static str {
        state(self.run.end)
    }

    /// It is not about real schools.
    pub(super) fn invented(&self) -> bool {
        invented(&self.run)
    }
}

impl Store {
    /// Stores a new run and what it was given. The lists are stored once, however many runs use them.
    pub async fn begin_run(
        &self,
        run: &Run,
        roster: &Roster,
        policy: &Policy,
        config_toml: &str,
    ) -> Result<(), StoreError> {
        let fault = |error| self.fault("begin a run", error);
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(fault)?;
        self.insert_run(&mut transaction, run, (roster, policy), config_toml).await?;
        failpoint::at("run-before-commit");
        transaction.commit().await.map_err(fault)?;
        failpoint::at("run-after-commit");
        Ok(())
    }

    /// Inserts a run and what it was given.
    pub(super) async fn insert_run(
        &self,
        transaction: &mut Transaction<'_, Sqlite>,
        run: &Run,
        (roster, policy): (&Roster, &Policy),
        config_toml: &str,
    ) -> Result<(), StoreError> {
        check_id(&run.id)?;
        let what = |source| StoreError::Encode { what: format!("the lists of run {}", run.id), source };
        let lists = pack_large(&[], &ListsOut { roster, policy }).map_err(what)?;
        let run_json = Record { run: run.clone(), kept: None }.json()?;
        let fault = |error| self.fault("begin a run", error);
        sqlx::query("INSERT INTO rosters (sha256, body) VALUES (?1, ?2) ON CONFLICT DO NOTHING")
            .bind(&lists.sha256[..])
            .bind(&lists.body)
            .execute(&mut **transaction)
            .await
            .map_err(fault)?;
        let insert = "INSERT INTO runs (id, started, state, vantage, invented, run_json, roster, config, seal) \
                      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING";
        let inserted = sqlx::query(insert)
            .bind(&run.id.0)
            .bind(run.started.0)
            .bind(state(run.end))
            .bind(&run.vantage.name)
            .bind(invented(run))
            .bind(&run_json)
            .bind(&lists.sha256[..])
            .bind(config_toml)
            .bind(&seal(&run.id, &lists.sha256, config_toml, &run_json)[..])
            .execute(&mut **transaction)
            .await
            .map_err(fault)?;
        if inserted.rows_affected() == 0 {
            return Err(StoreError::RunExists { path: self.path.clone(), id: run.id.clone() });
        }
        Ok(())
    }

    /// Stores how far a run has come: its end, its proofs, its gate. What it was given stays as it was.
    pub async fn update_run(&self, run: &Run) -> Result<(), StoreError> {
        let fault = |error| self.fault("update a run", error);
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(fault)?;
        self.reseal(&mut transaction, &run.id, |record| record.run = run.clone()).await?;
        failpoint::at("progress-before-commit");
        transaction.commit().await.map_err(fault)?;
        failpoint::at("progress-after-commit");
        Ok(())
    }

    /// All runs, earliest first.
    pub async fn runs(&self) -> Result<Vec<RunHeader>, StoreError> {
        let fault = |error| self.fault("list the runs", error);
        let select = "SELECT id, run_json, roster, config, seal, \
                      (SELECT count(*) FROM evidence WHERE run = id) AS rounds, \
                      (SELECT count(DISTINCT site_key) FROM evidence WHERE run = id) AS sites \
                      FROM runs ORDER BY started, id";
        let rows = sqlx::query(select).fetch_all(&self.pool).await.map_err(fault)?;
        rows.iter()
            .map(|row| {
                let number = |name: &str| row.try_get::<i64, _>(name).map(i64::unsigned_abs).map_err(fault);
                let (rounds, sites) = (number("rounds")?, number("sites")?);
                let record = self.open_seal(row)?;
                self.none_missing(&record.run.id, &record, (rounds, sites))?;
                Ok(header(record.run, sites))
            })
            .collect()
    }

    /// A run and everything it was given.
    pub async fn load_run(&self, id: &RunId) -> Result<StoredRun, StoreError> {
        let fault = |error| self.fault("load a run", error);
        let select = "SELECT id, run_json, roster, config, seal, body \
                      FROM runs JOIN rosters ON rosters.sha256 = runs.roster WHERE id = ?1";
        let row = sqlx::query(select).bind(&id.0).fetch_optional(&self.pool).await.map_err(fault)?;
        let Some(row) = row else { return Err(self.no_such_run(&id.0).await?) };
        let run = self.open_seal(&row)?.run;
        let config: String = row.try_get("config").map_err(fault)?;
        let corrupt = |detail| self.corrupt(format!("the lists of run {id}"), detail);
        let body: &[u8] = row.try_get("body").map_err(fault)?;
        let sha256: &[u8] = row.try_get("roster").map_err(fault)?;
        let mut lists: ListsIn = read_large(&[], body, sha256, ROSTER_BYTES).map_err(corrupt)?;
        lists.roster.share();
        lists.roster.schools.shrink_to_fit();
        lists.roster.rows.shrink_to_fit();
        Ok(StoredRun { run, roster: lists.roster, policy: lists.policy, config })
    }

    /// Runs of the same vantage and kind that began before this one, latest first, complete or not.
    pub async fn earlier_runs(&self, id: &RunId) -> Result<Vec<Run>, StoreError> {
        let fault = |error| self.fault("look for earlier runs", error);
        let select = "SELECT runs.id, runs.run_json, runs.roster, runs.config, runs.seal FROM runs JOIN runs AS this \
                      ON this.id = ?1 AND runs.vantage = this.vantage AND runs.invented = this.invented \
                      AND (runs.started, runs.id) < (this.started, this.id) ORDER BY runs.started DESC, runs.id DESC";
        let rows = sqlx::query(select).bind(&id.0).fetch_all(&self.pool).await.map_err(fault)?;
        rows.iter().map(|row| self.open_seal(row).map(|record| record.run)).collect()
    }

    /// The run that a person means: an identifier, an unambiguous beginning of one, `latest`, or `previous`, which is the
    /// one of the same vantage and kind before the latest.
    pub async fn resolve_run(&self, text: &str) -> Result<RunId, StoreError> {
        let fault = |error| self.fault("look for a run", error);
        if text == "latest" {
            let mut latest = self.latest(1).await?;
            return latest.pop().ok_or_else(|| StoreError::NoRuns { path: self.path.clone() });
        }
        if text == "previous" {
            let latest = self.latest(1).await?.pop();
            let latest = latest.ok_or_else(|| StoreError::NoRuns { path: self.path.clone() })?;
            let earlier = self.earlier_runs(&latest).await?.into_iter().next();
            return earlier.map(|run| run.id).ok_or_else(|| StoreError::NothingBefore { id: latest });
        }
        let select = "SELECT id FROM runs WHERE substr(id, 1, length(?1)) = ?1 AND ?1 <> '' ORDER BY started, id";
        let found: Vec<String> = sqlx::query_scalar(select).bind(text).fetch_all(&self.pool).await.map_err(fault)?;
        let mut candidates: Vec<RunId> = found.into_iter().map(RunId).collect();
        if let Some(exact) = candidates.iter().find(|id| id.0 == text) {
            return Ok(exact.clone());
        }
        match candidates.len() {
            0 => Err(self.no_such_run(text).await?),
            1 => Ok(candidates.remove(0)),
            _ => Err(StoreError::AmbiguousRun { text: text.to_owned(), candidates }),
        }
    }

    async fn latest(&self, count: u32) -> Result<Vec<RunId>, StoreError> {
        let ids: Vec<String> = sqlx::query_scalar("SELECT id FROM runs ORDER BY started DESC, id DESC LIMIT ?1")
            .bind(count)
            .fetch_all(&self.pool)
            .await
            .map_err(|error| self.fault("look for a run", error))?;
        Ok(ids.into_iter().map(RunId).collect())
    }

    /// The error that says which runs there are instead.
    pub(super) async fn no_such_run(&self, text: &str) -> Result<StoreError, StoreError> {
        let known = self.latest(5).await?;
        Ok(StoreError::NoSuchRun { path: self.path.clone(), text: text.to_owned(), known })
    }

    /// The record of a row, once the seal is found to be right.
    pub(super) fn open_seal(&self, row: &SqliteRow) -> Result<Record, StoreError> {
        let fault = |error| self.fault("read a run", error);
        let id = RunId(row.try_get("id").map_err(fault)?);
        let run_json: &str = row.try_get("run_json").map_err(fault)?;
        let roster: &[u8] = row.try_get("roster").map_err(fault)?;
        let config: &str = row.try_get("config").map_err(fault)?;
        let stored: &[u8] = row.try_get("seal").map_err(fault)?;
        let corrupt = |detail| self.corrupt(format!("run {id}"), detail);
        if seal(&id, roster, config, run_json)[..] != *stored {
            return Err(corrupt("the seal does not match".to_owned()));
        }
        Record::read(run_json).map_err(corrupt)
    }
}

/// An identifier also names a folder, and must not be taken for a word of the command line.
fn check_id(id: &RunId) -> Result<(), StoreError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if id.0.is_empty()
        || id.0.len() > 64
        || ["latest", "previous"].contains(&id.0.as_str())
        || id.0.starts_with('-')
        || !id.0.chars().all(plain)
    {
        return Err(StoreError::BadRunId { id: id.clone() });
    }
    Ok(())
}

pub(super) fn seal(id: &RunId, roster: &[u8], config: &str, run_json: &str) -> [u8; 32] {
    digest(&[&id.0, &hex(roster), config], run_json.as_bytes())
}

/// The word for a run's end in the table, the same as in the JSON.
fn state(end: RunEnd) -> &'static str {
    match end {
        RunEnd::Open => "open",
        RunEnd::Complete => "complete",
        RunEnd::Interrupted => "interrupted",
        RunEnd::InternalError => "internal_error",
    }
}

fn invented(run: &Run) -> bool {
    run.lab || run.simulated
}

fn header(run: Run, sites: u64) -> RunHeader {
    RunHeader {
        invented: invented(&run),
        id: run.id,
        vantage: run.vantage.name,
        isp: run.vantage.isp,
        started: run.started,
        ended: run.ended,
        end: run.end,
        method_version: run.method_version,
        program_version: run.program_version,
        without_ipv6: run.without_ipv6,
        sites,
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{self, RUN};
    use super::*;

    #[tokio::test]
    async fn a_run_comes_back_as_it_was_given() {
        let home = fixture::empty().await;
        let (run, roster, policy) = (fixture::run(RUN, 1000), fixture::roster(3), fixture::policy());
        home.store.begin_run(&run, &roster, &policy, "[vantage]\nname = \"a\"\n").await.unwrap();
        let home = home.reopen().await;
        let stored = home.store.load_run(&run.id).await.unwrap();
        assert_eq!(stored, StoredRun { run, roster, policy, config: "[vantage]\nname = \"a\"\n".into() });
    }

    #[tokio::test]
    async fn lists_are_stored_once() {
        let home = fixture::empty().await;
        for (i, id) in ["a", "b", "c"].iter().enumerate() {
            let roster = fixture::roster(if i == 2 { 4 } else { 3 });
            home.store.begin_run(&fixture::run(id, 1), &roster, &fixture::policy(), "").await.unwrap();
        }
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM rosters").fetch_one(&home.store.pool).await.unwrap();
        assert_eq!(count, 2);
    }

    #[tokio::test]
    async fn a_run_is_begun_once_and_under_a_plain_name() {
        let home = fixture::with_run().await;
        let begin = async |id: &str| {
            home.store.begin_run(&fixture::run(id, 1), &fixture::roster(1), &fixture::policy(), "").await.unwrap_err()
        };
        assert!(matches!(begin(RUN).await, StoreError::RunExists { .. }));
        for id in ["", "latest", "previous", "../up", "a b", "-x"] {
            assert!(matches!(begin(id).await, StoreError::BadRunId { .. }), "{id}");
        }
    }

    #[tokio::test]
    async fn a_run_ends() {
        let home = fixture::with_run().await;
        let mut run = fixture::run(RUN, 1000);
        run.end = RunEnd::Complete;
        run.ended = Some(Timestamp(5000));
        home.store.update_run(&run).await.unwrap();
        assert_eq!(home.store.load_run(&run.id).await.unwrap().run, run);
        let headers = home.store.runs().await.unwrap();
        assert_eq!((headers.len(), headers[0].end, headers[0].sites), (1, RunEnd::Complete, 0));
        let error = home.store.update_run(&fixture::run("other", 1)).await.unwrap_err();
        assert!(matches!(&error, StoreError::NoSuchRun { known, .. } if known.len() == 1), "{error}");
    }

    #[tokio::test]
    async fn people_may_shorten_names() {
        let home = fixture::empty().await;
        assert!(matches!(home.store.resolve_run("latest").await.unwrap_err(), StoreError::NoRuns { .. }));
        for (id, started) in [("20261101T000000Z", 1), ("20261123T000000Z", 3), ("20261123T120000Z", 2), ("demo", 0)] {
            home.store
                .begin_run(&fixture::run(id, started), &fixture::roster(1), &fixture::policy(), "")
                .await
                .unwrap();
        }
        let resolve = async |text: &str| home.store.resolve_run(text).await.map(|id| id.0);
        assert_eq!(resolve("latest").await.unwrap(), "20261123T000000Z");
        assert!(resolve("202611230").await.unwrap_err().to_string().contains("no run"));
        assert_eq!(resolve("20261123T1").await.unwrap(), "20261123T120000Z");
        assert_eq!(resolve("d").await.unwrap(), "demo");
        let error = resolve("20261123").await.unwrap_err();
        assert!(error.to_string().contains("20261123T120000Z"), "{error}");
        for text in ["", "%", "2026_", "x"] {
            assert!(matches!(resolve(text).await.unwrap_err(), StoreError::NoSuchRun { .. }), "{text}");
        }
    }

    #[tokio::test]
    async fn a_changed_run_is_not_believed() {
        let home = fixture::with_run().await;
        let change = "UPDATE runs SET run_json = replace(run_json, '\"without_ipv6\":false', '\"without_ipv6\":true')";
        sqlx::query(change).execute(&home.store.pool).await.unwrap();
        let run = fixture::run(RUN, 1000);
        for error in [
            home.store.load_run(&run.id).await.unwrap_err(),
            home.store.update_run(&run).await.unwrap_err(),
            home.store.runs().await.unwrap_err(),
        ] {
            assert!(error.to_string().contains(&format!("run {RUN}: the seal")), "{error}");
        }
    }

    #[tokio::test]
    async fn nothing_can_be_taken_back() {
        let home = fixture::with_run().await;
        for sql in [
            "DELETE FROM runs",
            "UPDATE runs SET config = ''",
            "DELETE FROM rosters",
            "UPDATE rosters SET body = x'00'",
        ] {
            assert!(sqlx::query(sql).execute(&home.store.pool).await.is_err(), "{sql}");
        }
    }
}
