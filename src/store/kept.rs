//! How much is stored for a run, sealed with its record: rows that a damaged file has lost without a trace are missed.
//!
//! A row that changed has a hash that does not match; of a row that is gone nothing is left that could tell. So the record of a
//! run says how many rows there were when it was written last. More may have been stored since, and never fewer, but by pruning,
//! which says so in the record.

use serde::{Deserialize, Serialize};
use sqlx::sqlite::Sqlite;
use sqlx::{Row as _, Transaction};

use super::codec::{digest, hex, json_fault};
use super::runs::{Record, seal};
use super::{Store, StoreError};
use crate::model::run::{RunEnd, RunId};
use crate::model::site::SiteKey;

/// What a record is sealed with.
const RECORD: &str = "SELECT id, run_json, roster, config, seal FROM runs WHERE id = ?1";

/// What is stored for a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    /// Rounds of evidence.
    pub(super) rounds: u64,
    /// Sites that these are of.
    pub(super) sites: u64,
    /// Hash of the verdicts. None: none are remembered, or they were before hashes were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) verdicts: Option<String>,
}

impl Store {
    /// Writes a run's record anew, with what is stored of it by now. A damaged record is not sealed anew, and so made believable;
    /// nor is one of which rows are missing.
    pub(super) async fn reseal(
        &self,
        transaction: &mut Transaction<'_, Sqlite>,
        id: &RunId,
        change: impl FnOnce(&mut Record) + Send,
    ) -> Result<(), StoreError> {
        let fault = |error| self.fault("update a run", error);
        let row = sqlx::query(RECORD).bind(&id.0).fetch_optional(&mut **transaction).await.map_err(fault)?;
        let Some(row) = row else { return Err(self.no_such_run(&id.0).await?) };
        let mut record = self.open_seal(&row)?;
        let (rounds, sites) = self.count(&mut **transaction, id).await?;
        self.none_missing(id, &record, (rounds, sites))?;
        let verdicts = record.kept.take().and_then(|kept| kept.verdicts);
        record.kept = Some(Kept { rounds, sites, verdicts });
        change(&mut record);
        let roster: &[u8] = row.try_get("roster").map_err(fault)?;
        let config: &str = row.try_get("config").map_err(fault)?;
        let json = record.json()?;
        sqlx::query("UPDATE runs SET state = ?2, invented = ?3, run_json = ?4, seal = ?5 WHERE id = ?1")
            .bind(&id.0)
            .bind(record.state())
            .bind(record.invented())
            .bind(&json)
            .bind(&seal(id, roster, config, &json)[..])
            .execute(&mut **transaction)
            .await
            .map_err(fault)?;
        Ok(())
    }

    /// Rounds that are stored for a run, and the sites that they are of.
    pub(super) async fn count<'c>(
        &self,
        executor: impl sqlx::Executor<'c, Database = Sqlite>,
        id: &RunId,
    ) -> Result<(u64, u64), StoreError> {
        let fault = |error| self.fault("count evidence", error);
        let select = "SELECT count(*) AS rounds, count(DISTINCT site_key) AS sites FROM evidence WHERE run = ?1";
        let row = sqlx::query(select).bind(&id.0).fetch_one(executor).await.map_err(fault)?;
        let number = |name: &str| row.try_get::<i64, _>(name).map(i64::unsigned_abs).map_err(fault);
        Ok((number("rounds")?, number("sites")?))
    }

    /// Fails where fewer rows were found than the record speaks of; or others, where the run is over and gets no more.
    pub(super) fn none_missing(&self, id: &RunId, record: &Record, found: (u64, u64)) -> Result<(), StoreError> {
        let Some(kept) = &record.kept else { return Ok(()) };
        let sound = match record.run.end {
            RunEnd::Complete => found == (kept.rounds, kept.sites),
            _ => found.0 >= kept.rounds && found.1 >= kept.sites,
        };
        if sound {
            return Ok(());
        }
        let ((rounds, sites), Kept { rounds: all, sites: of, .. }) = (found, kept);
        let detail = format!("{rounds} rounds of {sites} sites are there, and not {all} rounds of {of} sites");
        Err(self.corrupt(format!("the evidence of run {id}"), detail))
    }

    /// A run's record. None: there is no such run.
    pub(super) async fn record(&self, id: &RunId) -> Result<Option<Record>, StoreError> {
        let fault = |error| self.fault("read a run", error);
        let row = sqlx::query(RECORD).bind(&id.0).fetch_optional(&self.pool).await.map_err(fault)?;
        row.map(|row| self.open_seal(&row)).transpose()
    }
}

/// Hash of verdicts, whatever their order: site and verdict.
pub(super) fn verdicts_hash<'a>(
    run: &RunId,
    verdicts: impl Iterator<Item = (&'a SiteKey, &'a str)>,
) -> Result<String, StoreError> {
    let mut verdicts: Vec<(&str, &str)> = verdicts.map(|(site, verdict)| (site.as_str(), verdict)).collect();
    verdicts.sort_unstable();
    let json = serde_json::to_vec(&verdicts)
        .map_err(|source| StoreError::Encode { what: format!("verdicts of run {run}"), source })?;
    Ok(hex(&digest(&[&run.0], &json)))
}

impl Record {
    /// The record as it is stored.
    pub(super) fn json(&self) -> Result<String, StoreError> {
        serde_json::to_string(self)
            .map_err(|source| StoreError::Encode { what: format!("run {}", self.run.id), source })
    }

    /// Reads what was stored, and says what is wrong with it.
    pub(super) fn read(json: &str) -> Result<Self, String> {
        serde_json::from_str(json).map_err(|error| json_fault(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{self, RUN};
    use super::*;
    use crate::model::run::Run;
    use crate::model::verdict::Readiness;

    async fn lose(store: &Store, sql: &'static str) {
        sqlx::query("DROP TRIGGER IF EXISTS evidence_stay").execute(&store.pool).await.unwrap();
        sqlx::query(sql).execute(&store.pool).await.unwrap();
    }

    #[tokio::test]
    async fn rows_that_are_gone_are_missed() {
        let home = fixture::with_run().await;
        let (store, run) = (&home.store, RunId(RUN.into()));
        let rounds = ["a.example", "b.example"].map(|site| fixture::round(site, 1));
        store.put_rounds(&run, &rounds).await.unwrap();
        let ended = Run { end: RunEnd::Interrupted, ..fixture::run(RUN, 1000) };
        store.update_run(&ended).await.unwrap();
        let more = fixture::round("c.example", 1);
        store.put_rounds(&run, &[more]).await.unwrap();
        assert_eq!(store.runs().await.unwrap()[0].sites, 3, "what came later is no damage");
        lose(store, "DELETE FROM evidence WHERE site_key <> 'a.example'").await;
        let site = SiteKey("a.example".into());
        let all = store.for_each_observation::<StoreError, _>(&run, |_| Ok(())).await;
        for error in [
            store.runs().await.map(drop).unwrap_err(),
            store.observation(&run, &site).await.map(drop).unwrap_err(),
            store.export_run(&run, super::super::Scope::Whole, Vec::new()).await.map(drop).unwrap_err(),
            store.update_run(&ended).await.unwrap_err(),
            all.unwrap_err(),
        ] {
            assert!(
                error.to_string().contains("1 rounds of 1 sites are there, and not 2 rounds of 2 sites"),
                "{error}"
            );
        }
    }

    #[tokio::test]
    async fn a_run_that_is_over_gets_no_more() {
        let home = fixture::with_run().await;
        let (store, run) = (&home.store, RunId(RUN.into()));
        store.put_rounds(&run, &[fixture::round("a.example", 1)]).await.unwrap();
        store.update_run(&Run { end: RunEnd::Complete, ..fixture::run(RUN, 1000) }).await.unwrap();
        assert_eq!(store.runs().await.unwrap().len(), 1);
        store.put_rounds(&run, &[fixture::round("b.example", 1)]).await.unwrap();
        let error = store.runs().await.unwrap_err();
        assert!(error.to_string().contains("2 rounds of 2 sites are there, and not 1 rounds of 1 sites"), "{error}");
    }

    #[tokio::test]
    async fn verdicts_that_are_gone_or_others_are_missed() {
        let home = fixture::with_run().await;
        let (store, run) = (&home.store, RunId(RUN.into()));
        let verdict = |site: &str| (SiteKey(site.into()), Readiness::Ready, "".into());
        store.put_verdicts(&run, "1", [verdict("b.example"), verdict("a.example")]).await.unwrap();
        assert_eq!(store.verdicts(&run).await.unwrap().sites.len(), 2);
        for damage in [
            "UPDATE verdicts SET site_key = 'c.example' WHERE site_key = 'b.example'",
            "DELETE FROM verdicts WHERE site_key = 'c.example'",
            "DELETE FROM verdicts",
        ] {
            lose(store, damage).await;
            let error = store.verdicts(&run).await.unwrap_err();
            assert!(error.to_string().contains("verdicts of run"), "{damage}: {error}");
        }
        // They are made again from the evidence.
        store.put_verdicts(&run, "1", [verdict("a.example")]).await.unwrap();
        assert_eq!(store.verdicts(&run).await.unwrap().sites.len(), 1);
    }
}
