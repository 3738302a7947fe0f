//! Verdicts as a cache for history: what earlier runs concluded. Leaves to others: making verdicts ([`crate::judge`]).

use std::collections::BTreeMap;

use sqlx::Row as _;

use super::kept::verdicts_hash;
use super::{Store, StoreError};
use crate::failpoint;
use crate::model::run::RunId;
use crate::model::site::SiteKey;
use crate::model::time::Timestamp;
use crate::model::verdict::Readiness;
use crate::model::word::Word;

/// Rows that are handed to SQLite at once.
const BATCH: usize = 1000;

/// The verdicts that are kept of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptVerdicts {
    /// Method version of the program that judged. None: no verdicts are kept.
    pub method_version: Option<String>,
    /// The verdict on each site.
    pub sites: BTreeMap<SiteKey, Readiness>,
}

impl Store {
    /// Remembers the verdicts of a run, in place of those remembered before: site, verdict, reason.
    pub async fn put_verdicts(
        &self,
        run: &RunId,
        method_version: &str,
        verdicts: impl IntoIterator<Item = (SiteKey, Readiness, Word)>,
    ) -> Result<(), StoreError> {
        let fault = |error| self.fault("store verdicts", error);
        // One statement per batch instead of one per row: a province has a hundred thousand.
        let insert = "INSERT INTO verdicts (run, site_key, readiness, reason, method_version) \
                      SELECT ?1, value ->> 0, value ->> 1, value ->> 2, ?2 FROM json_each(?3) WHERE true \
                      ON CONFLICT DO UPDATE SET readiness = excluded.readiness, reason = excluded.reason, \
                      method_version = excluded.method_version";
        let rows: Vec<(SiteKey, &'static str, Word)> =
            verdicts.into_iter().map(|(site, readiness, reason)| (site, readiness.name(), reason)).collect();
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(fault)?;
        sqlx::query("DELETE FROM verdicts WHERE run = ?1")
            .bind(&run.0)
            .execute(&mut *transaction)
            .await
            .map_err(fault)?;
        let hash = verdicts_hash(run, rows.iter().map(|(site, verdict, _)| (site, *verdict)))?;
        for batch in rows.chunks(BATCH) {
            let json = serde_json::to_string(batch)
                .map_err(|source| StoreError::Encode { what: format!("verdicts of run {run}"), source })?;
            sqlx::query(insert)
                .bind(&run.0)
                .bind(method_version)
                .bind(json)
                .execute(&mut *transaction)
                .await
                .map_err(fault)?;
        }
        self.reseal(&mut transaction, run, |record| record.kept.get_or_insert_default().verdicts = Some(hash)).await?;
        failpoint::at("verdicts-before-commit");
        transaction.commit().await.map_err(fault)?;
        failpoint::at("verdicts-after-commit");
        Ok(())
    }

    /// The verdicts that are kept of a run.
    pub async fn verdicts(&self, run: &RunId) -> Result<KeptVerdicts, StoreError> {
        let fault = |error| self.fault("read verdicts", error);
        let select = "SELECT site_key, readiness, method_version FROM verdicts WHERE run = ?1";
        let rows = sqlx::query(select).bind(&run.0).fetch_all(&self.pool).await.map_err(fault)?;
        let sealed = self.record(run).await?.and_then(|record| record.kept?.verdicts);
        let mut kept = KeptVerdicts { method_version: None, sites: BTreeMap::new() };
        for row in rows {
            let key = SiteKey(row.try_get("site_key").map_err(fault)?);
            let name: &str = row.try_get("readiness").map_err(fault)?;
            let verdict = readiness(name).ok_or_else(|| {
                self.corrupt(
                    format!("a verdict on {key} in run {run}"),
                    format!("`{name}` is not a verdict: judge again"),
                )
            })?;
            kept.sites.insert(key, verdict);
            if kept.method_version.is_none() {
                kept.method_version = Some(row.try_get("method_version").map_err(fault)?);
            }
        }
        if let Some(sealed) = sealed {
            let found = verdicts_hash(run, kept.sites.iter().map(|(site, verdict)| (site, verdict.name())))?;
            if found != sealed {
                let detail = "they are not those that were stored: judge again".to_owned();
                return Err(self.corrupt(format!("the verdicts of run {run}"), detail));
            }
        }
        Ok(kept)
    }

    /// When each site was first measured: the start of the earliest complete run of the same vantage and kind that has
    /// evidence or a verdict of it. A simulated run is no history of a real one. Sites that no run before this one has seen are not in
    /// the map: their first is this run.
    pub async fn first_seen(&self, run: &RunId) -> Result<BTreeMap<SiteKey, Timestamp>, StoreError> {
        let fault = |error| self.fault("read the history", error);
        let select = "
            -- Verdicts as well: they outlive the evidence of old runs.
            SELECT site_key, min(runs.started) AS first
            FROM runs JOIN runs AS this
            ON this.id = ?1 AND runs.vantage = this.vantage AND runs.invented = this.invented
            AND runs.state = 'complete' AND (runs.started, runs.id) < (this.started, this.id)
            JOIN (SELECT run, site_key FROM evidence UNION ALL SELECT run, site_key FROM verdicts) AS seen
            ON seen.run = runs.id GROUP BY site_key";
        let rows = sqlx::query(select).bind(&run.0).fetch_all(&self.pool).await.map_err(fault)?;
        let entry = |row: &sqlx::sqlite::SqliteRow| {
            Ok((SiteKey(row.try_get("site_key").map_err(fault)?), Timestamp(row.try_get("first").map_err(fault)?)))
        };
        rows.iter().map(entry).collect()
    }
}

fn readiness(name: &str) -> Option<Readiness> {
    Readiness::ALL.into_iter().find(|readiness| readiness.name() == name)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{self, Home};
    use super::*;
    use crate::model::run::{Run, RunEnd};

    async fn past(home: &Home, run: &Run, sites: &[(&str, Option<Readiness>)]) {
        home.store.begin_run(run, &fixture::roster(1), &fixture::policy(), "").await.unwrap();
        let rounds: Vec<_> = sites.iter().map(|(host, _)| fixture::round(host, 1)).collect();
        home.store.put_rounds(&run.id, &rounds).await.unwrap();
        let verdicts: Vec<_> = sites
            .iter()
            .filter_map(|(host, readiness)| Some((SiteKey((*host).into()), (*readiness)?, "status".into())))
            .collect();
        home.store.put_verdicts(&run.id, "2026.1", verdicts).await.unwrap();
    }

    fn complete(id: &str, started: i64) -> Run {
        Run { end: RunEnd::Complete, ..fixture::run(id, started) }
    }

    #[tokio::test]
    async fn sites_are_first_seen_in_earlier_complete_runs_of_the_same_vantage() {
        let home = fixture::empty().await;
        let mut elsewhere = complete("elsewhere", 10);
        elsewhere.vantage.name = "other".into();
        past(&home, &complete("r1", 100), &[("a", Some(Readiness::Ready)), ("c", None)]).await;
        past(&home, &complete("r2", 200), &[("a", Some(Readiness::Broken)), ("d", Some(Readiness::Down))]).await;
        past(&home, &elsewhere, &[("a", Some(Readiness::Down))]).await;
        past(&home, &Run { simulated: true, ..complete("demo", 20) }, &[("a", Some(Readiness::Down))]).await;
        past(&home, &Run { end: RunEnd::Interrupted, ..complete("half", 30) }, &[("a", Some(Readiness::Down))]).await;
        past(&home, &fixture::run("now", 300), &[("a", Some(Readiness::Ready)), ("e", None)]).await;
        past(&home, &complete("later", 400), &[("a", Some(Readiness::Absent))]).await;
        let first = home.store.first_seen(&RunId("now".into())).await.unwrap();
        let expected = [("a", 100), ("c", 100), ("d", 200)].map(|(site, at)| (SiteKey(site.into()), Timestamp(at)));
        assert_eq!(first, BTreeMap::from(expected));
        assert_eq!(home.store.first_seen(&RunId("r1".into())).await.unwrap(), BTreeMap::new());
        let earlier = home.store.earlier_runs(&RunId("now".into())).await.unwrap();
        let names: Vec<&str> = earlier.iter().map(|run| run.id.0.as_str()).collect();
        assert_eq!(names, ["r2", "r1", "half"], "latest first; neither another vantage nor a simulation");
        for (text, meant) in [("latest", "later"), ("previous", "now")] {
            assert_eq!(home.store.resolve_run(text).await.unwrap().0, meant);
        }
    }

    #[tokio::test]
    async fn judging_again_replaces_the_verdicts() {
        let home = fixture::empty().await;
        let before = complete("before", 1);
        past(&home, &before, &[("a", Some(Readiness::Ready))]).await;
        past(&home, &fixture::run("now", 2), &[]).await;
        let verdicts = (0..2500).map(|i| (SiteKey::from(format!("s{i}")), Readiness::Down, "\"'; 学".into()));
        home.store.put_verdicts(&before.id, "2027.1", verdicts).await.unwrap();
        let count: i64 =
            sqlx::query_scalar("SELECT count(*) FROM verdicts WHERE method_version = '2027.1' AND reason = '\"''; 学'")
                .fetch_one(&home.store.pool)
                .await
                .unwrap();
        assert_eq!(count, 2500);
        let kept = home.store.verdicts(&before.id).await.unwrap();
        assert_eq!((kept.method_version.as_deref(), kept.sites.len()), (Some("2027.1"), 2500));
        assert_eq!(home.store.verdicts(&RunId("now".into())).await.unwrap().method_version, None);
    }
}
