//! Giving space back: the evidence of old runs goes, their verdicts stay for ever.
//!
//! 1. Evidence of the latest `keep` complete runs of each vantage stays, and of every run that began after the earliest of
//!    these: an incomplete run may be continued, and is needed to see why it was.
//! 2. Of the others, only those go of which verdicts are remembered. A run that was never judged keeps its evidence, since
//!    nothing else would be left of it.
//! 3. Invented runs (lab, demo) count for themselves.
//!
//! The table's trigger keeps evidence append-only; it is put aside and back within the one transaction, so that no other
//! connection ever sees the table without it. Leaves to others: that nobody scans meanwhile (hold [`super::Lock`]).

use std::collections::BTreeMap;

use sqlx::{Executor as _, Row as _};

use super::runs::Record;
use super::{Store, StoreError};
use crate::model::run::{RunEnd, RunId};

/// The trigger as the first migration made it; a test compares the two.
const TRIGGER: &str = "CREATE TRIGGER evidence_stay BEFORE DELETE ON evidence BEGIN \
                       SELECT RAISE(ABORT, 'evidence is append-only'); END";

/// Evidence of one run that may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prunable {
    /// The run.
    pub run: RunId,
    /// Rows of evidence.
    pub rows: u64,
    /// Bytes of evidence, packed as it is stored.
    pub bytes: u64,
}

impl Store {
    /// What may go when the evidence of so many complete runs is kept, earliest first.
    pub async fn prunable(&self, keep: usize) -> Result<Vec<Prunable>, StoreError> {
        let mut complete: BTreeMap<(String, bool), usize> = BTreeMap::new();
        let mut old = Vec::new();
        for run in self.runs().await?.into_iter().rev() {
            let seen = complete.entry((run.vantage.clone(), run.invented)).or_default();
            if *seen >= keep {
                old.push(run.id);
            } else if run.end == RunEnd::Complete {
                *seen += 1;
            }
        }
        let fault = |error| self.fault("look for old evidence", error);
        let select = "SELECT count(*) AS all_rows, coalesce(sum(length(body)), 0) AS bytes FROM evidence \
                      WHERE run = ?1 AND EXISTS (SELECT 1 FROM verdicts WHERE verdicts.run = ?1)";
        let mut prunable = Vec::new();
        for run in old.into_iter().rev() {
            let row = sqlx::query(select).bind(&run.0).fetch_one(&self.pool).await.map_err(fault)?;
            let number = |name: &str| row.try_get::<i64, _>(name).map(i64::unsigned_abs).map_err(fault);
            let (rows, bytes) = (number("all_rows")?, number("bytes")?);
            if rows > 0 {
                prunable.push(Prunable { run, rows, bytes });
            }
        }
        Ok(prunable)
    }

    /// Takes the evidence of these runs away, all or none.
    pub async fn prune(&self, runs: &[Prunable]) -> Result<(), StoreError> {
        let fault = |error| self.fault("remove old evidence", error);
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(fault)?;
        transaction.execute("DROP TRIGGER evidence_stay").await.map_err(fault)?;
        for pruned in runs {
            let gone = |record: &mut Record| {
                let kept = record.kept.get_or_insert_default();
                (kept.rounds, kept.sites) = (0, 0);
            };
            self.reseal(&mut transaction, &pruned.run, gone).await?;
            sqlx::query("DELETE FROM evidence WHERE run = ?1")
                .bind(&pruned.run.0)
                .execute(&mut *transaction)
                .await
                .map_err(fault)?;
        }
        transaction.execute(TRIGGER).await.map_err(fault)?;
        transaction.commit().await.map_err(fault)
    }

    /// Gives freed space back to the disk. Needs as much free space as the file will have; without it, the space stays in
    /// the file and is used by the next runs.
    pub async fn compact(&self) -> Result<(), StoreError> {
        self.pool.execute("VACUUM").await.map_err(|error| self.fault("give space back", error))?;
        let fold = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_all(&self.pool).await;
        fold.map(drop).map_err(|error| self.fault("give space back", error))
    }

    /// The run's evidence was taken away: verdicts are all that is left of it.
    pub async fn is_pruned(&self, run: &RunId) -> Result<bool, StoreError> {
        let select = "SELECT EXISTS (SELECT 1 FROM verdicts WHERE run = ?1) \
                      AND NOT EXISTS (SELECT 1 FROM evidence WHERE run = ?1)";
        let found: i64 = sqlx::query_scalar(select)
            .bind(&run.0)
            .fetch_one(&self.pool)
            .await
            .map_err(|error| self.fault("look for evidence", error))?;
        if found != 0 {
            // Nothing is left: is nothing to be left?
            if let Some(record) = self.record(run).await? {
                self.none_missing(run, &record, (0, 0))?;
            }
        }
        Ok(found != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;
    use crate::model::run::Run;
    use crate::model::site::SiteKey;
    use crate::model::verdict::Readiness;

    async fn past(store: &Store, id: &str, started: i64, end: RunEnd, judged: bool) {
        let run = Run { end, ended: Some(crate::model::time::Timestamp(started + 1)), ..fixture::run(id, started) };
        store.begin_run(&run, &fixture::roster(1), &fixture::policy(), "").await.unwrap();
        store.put_rounds(&run.id, &[fixture::round("a.example", 1), fixture::round("b.example", 1)]).await.unwrap();
        if judged {
            let verdicts = [(SiteKey("a.example".into()), Readiness::Ready, "".into())];
            store.put_verdicts(&run.id, "2026.1", verdicts).await.unwrap();
        }
    }

    fn names(prunable: &[Prunable]) -> Vec<&str> {
        prunable.iter().map(|prunable| prunable.run.0.as_str()).collect()
    }

    #[tokio::test]
    async fn old_evidence_goes_and_verdicts_stay() {
        let home = fixture::empty().await;
        let store = &home.store;
        past(store, "r1", 10, RunEnd::Complete, true).await;
        past(store, "r2", 20, RunEnd::Complete, false).await;
        past(store, "r3", 30, RunEnd::Interrupted, true).await;
        past(store, "r4", 40, RunEnd::Complete, true).await;
        past(store, "r5", 50, RunEnd::Interrupted, true).await;
        past(store, "r6", 60, RunEnd::Complete, true).await;
        assert_eq!(names(&store.prunable(2).await.unwrap()), ["r1", "r3"]);
        assert_eq!(store.prunable(9).await.unwrap(), []);
        let prunable = store.prunable(1).await.unwrap();
        // r2 was never judged; r5 began before the only run that is kept.
        assert_eq!(names(&prunable), ["r1", "r3", "r4", "r5"]);
        assert!(prunable.iter().all(|run| run.rows == 2 && run.bytes > 0));
        store.prune(&prunable).await.unwrap();
        store.compact().await.unwrap();
        store.check().await.unwrap();
        assert_eq!(store.prunable(1).await.unwrap(), []);
        let pruned: Vec<bool> = {
            let mut pruned = Vec::new();
            for id in ["r1", "r2", "r3", "r4", "r5", "r6"] {
                pruned.push(store.is_pruned(&RunId(id.to_owned())).await.unwrap());
            }
            pruned
        };
        assert_eq!(pruned, [true, false, true, true, true, false]);
        // What earlier runs say of a site outlives their evidence.
        let first_seen = store.first_seen(&RunId("r6".to_owned())).await.unwrap();
        assert_eq!(first_seen[&SiteKey("a.example".into())].0, 10);
        let kept = store.verdicts(&RunId("r1".to_owned())).await.unwrap();
        assert_eq!(kept.sites[&SiteKey("a.example".into())], Readiness::Ready);
    }

    #[tokio::test]
    async fn evidence_is_append_only_as_before() {
        let home = fixture::empty().await;
        let store = &home.store;
        past(store, "r1", 10, RunEnd::Complete, true).await;
        past(store, "r2", 20, RunEnd::Complete, true).await;
        let trigger = "SELECT sql FROM sqlite_schema WHERE name = 'evidence_stay'";
        let text = |sql: String| sql.split_whitespace().collect::<Vec<_>>().join(" ");
        let before: String = sqlx::query_scalar(trigger).fetch_one(&store.pool).await.unwrap();
        store.prune(&store.prunable(1).await.unwrap()).await.unwrap();
        let after: String = sqlx::query_scalar(trigger).fetch_one(&store.pool).await.unwrap();
        assert_eq!(text(before), text(after));
        store.pool.execute("DELETE FROM evidence").await.unwrap_err();
    }
}
