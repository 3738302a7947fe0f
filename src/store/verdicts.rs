//! Verdicts as a cache for history: what earlier runs concluded. Leaves to others: making verdicts ([`crate::judge`]).

use std::collections::BTreeMap;

use sqlx::Row as _;

use super::{Store, StoreError};
use crate::model::run::RunId;
use crate::model::site::SiteKey;
use crate::model::time::Timestamp;
use crate::model::verdict::Readiness;

/// Rows that are handed to SQLite at once.
const BATCH: usize = 1000;

/// What earlier runs say of a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SiteHistory {
    /// Start of the earliest run that has evidence of it.
    pub first_seen: Timestamp,
    /// The verdict of the latest run that has one. None: no run that has seen it was judged.
    pub previous: Option<Readiness>,
}

impl Store {
    /// Remembers the verdicts of a run, in place of those remembered before: site, verdict, reason.
    pub async fn put_verdicts(
        &self,
        run: &RunId,
        method_version: &str,
        verdicts: impl IntoIterator<Item = (SiteKey, Readiness, String)>,
    ) -> Result<(), StoreError> {
        let fault = |error| self.fault("store verdicts", error);
        // One statement per batch instead of one per row: a province has a hundred thousand.
        let insert = "INSERT INTO verdicts (run, site_key, readiness, reason, method_version) \
                      SELECT ?1, value ->> 0, value ->> 1, value ->> 2, ?2 FROM json_each(?3) WHERE true \
                      ON CONFLICT DO UPDATE SET readiness = excluded.readiness, reason = excluded.reason, \
                      method_version = excluded.method_version";
        let rows: Vec<(SiteKey, &'static str, String)> =
            verdicts.into_iter().map(|(site, readiness, reason)| (site, readiness.name(), reason)).collect();
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(fault)?;
        sqlx::query("DELETE FROM verdicts WHERE run = ?1")
            .bind(&run.0)
            .execute(&mut *transaction)
            .await
            .map_err(fault)?;
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
        transaction.commit().await.map_err(fault)
    }

    /// What runs before this one say of its sites and others.
    ///
    /// Only complete runs of the same vantage count that began earlier, and only runs of the same kind: a simulated run
    /// is no history of a real one. Sites that no such run has seen are not in the map: their first is this run.
    pub async fn history(&self, run: &RunId) -> Result<BTreeMap<SiteKey, SiteHistory>, StoreError> {
        let fault = |error| self.fault("read the history", error);
        let select = "
            WITH earlier AS (
                SELECT runs.id, runs.started FROM runs JOIN runs AS this
                ON this.id = ?1 AND runs.vantage = this.vantage AND runs.invented = this.invented
                AND runs.state = 'complete' AND (runs.started, runs.id) < (this.started, this.id)
            ), seen AS (
                -- Verdicts as well: they outlive the evidence of old runs.
                SELECT site_key, min(started) AS first FROM earlier JOIN (
                    SELECT run, site_key FROM evidence UNION ALL SELECT run, site_key FROM verdicts
                ) ON run = id GROUP BY site_key
            ), judged AS (
                SELECT site_key, readiness,
                row_number() OVER (PARTITION BY site_key ORDER BY started DESC, id DESC) AS back
                FROM earlier JOIN verdicts ON run = id
            )
            SELECT seen.site_key, first, readiness FROM seen
            LEFT JOIN judged ON judged.site_key = seen.site_key AND back = 1";
        let rows = sqlx::query(select).bind(&run.0).fetch_all(&self.pool).await.map_err(fault)?;
        let mut history = BTreeMap::new();
        for row in rows {
            let key = SiteKey(row.try_get("site_key").map_err(fault)?);
            let first_seen = Timestamp(row.try_get("first").map_err(fault)?);
            let name: Option<&str> = row.try_get("readiness").map_err(fault)?;
            let previous = match name {
                None => None,
                Some(name) => Some(readiness(name).ok_or_else(|| {
                    self.corrupt(format!("a verdict on {key}"), format!("`{name}` is not a verdict: judge again"))
                })?),
            };
            history.insert(key, SiteHistory { first_seen, previous });
        }
        Ok(history)
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
            .filter_map(|(host, readiness)| Some((SiteKey((*host).into()), (*readiness)?, "status".to_owned())))
            .collect();
        home.store.put_verdicts(&run.id, "2026.1", verdicts).await.unwrap();
    }

    fn complete(id: &str, started: i64) -> Run {
        Run { end: RunEnd::Complete, ..fixture::run(id, started) }
    }

    #[tokio::test]
    async fn history_looks_at_earlier_complete_runs_of_the_same_vantage() {
        let home = fixture::empty().await;
        let mut elsewhere = complete("elsewhere", 10);
        elsewhere.vantage.name = "other".into();
        past(
            &home,
            &complete("r1", 100),
            &[("a", Some(Readiness::Ready)), ("b", Some(Readiness::Absent)), ("c", None)],
        )
        .await;
        past(&home, &complete("r2", 200), &[("a", Some(Readiness::Broken)), ("d", Some(Readiness::Down))]).await;
        past(&home, &elsewhere, &[("a", Some(Readiness::Down))]).await;
        past(&home, &Run { simulated: true, ..complete("demo", 20) }, &[("a", Some(Readiness::Down))]).await;
        past(&home, &Run { end: RunEnd::Interrupted, ..complete("half", 210) }, &[("a", Some(Readiness::Down))]).await;
        past(&home, &fixture::run("now", 300), &[("a", Some(Readiness::Ready)), ("e", None)]).await;
        past(&home, &complete("later", 400), &[("a", Some(Readiness::Absent))]).await;
        let seen = |first, previous| SiteHistory { first_seen: Timestamp(first), previous };
        let history = home.store.history(&RunId("now".into())).await.unwrap();
        let expected = BTreeMap::from([
            (SiteKey("a".into()), seen(100, Some(Readiness::Broken))),
            (SiteKey("b".into()), seen(100, Some(Readiness::Absent))),
            (SiteKey("c".into()), seen(100, None)),
            (SiteKey("d".into()), seen(200, Some(Readiness::Down))),
        ]);
        assert_eq!(history, expected);
        assert_eq!(home.store.history(&RunId("r1".into())).await.unwrap(), BTreeMap::new());
    }

    #[tokio::test]
    async fn judging_again_replaces_the_verdicts() {
        let home = fixture::empty().await;
        let before = complete("before", 1);
        past(&home, &before, &[("a", Some(Readiness::Ready))]).await;
        past(&home, &fixture::run("now", 2), &[]).await;
        let verdicts = (0..2500).map(|i| (SiteKey(format!("s{i}")), Readiness::Down, "\"'; 学".to_owned()));
        home.store.put_verdicts(&before.id, "2027.1", verdicts).await.unwrap();
        let count: i64 =
            sqlx::query_scalar("SELECT count(*) FROM verdicts WHERE method_version = '2027.1' AND reason = '\"''; 学'")
                .fetch_one(&home.store.pool)
                .await
                .unwrap();
        assert_eq!(count, 2500);
        let history = home.store.history(&RunId("now".into())).await.unwrap();
        assert_eq!(history[&SiteKey("a".into())].previous, None);
    }
}
