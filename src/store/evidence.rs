//! Evidence: one row per site and round, written once, checked whenever it is read.
//!
//! Leaves to others: when to store (`writer`), what it means ([`crate::judge`]).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use sqlx::sqlite::{Sqlite, SqliteRow};
use sqlx::{QueryBuilder, Transaction};

use super::codec::{Decoder, Encoder, Fault, Packed, ROUND_BYTES, json_fault};
use super::{Store, StoreError};
use crate::failpoint;
use crate::model::evidence::{EVIDENCE_VERSION, Observation, Round};
use crate::model::run::RunId;
use crate::model::site::{Site, SiteKey};

/// Rows that are fetched at once when a run is read through: about a megabyte.
const PAGE: i64 = 256;
/// Rows that are inserted by one statement.
const STATEMENT: usize = 64;

/// What became of rounds that were handed in.
///
/// A round is stored once. A site that is handed in again under the same run and round is not an error, since a run that
/// was killed between commit and acknowledgement probes it again; the first evidence stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PutReport {
    /// Rows that were stored.
    pub stored: u64,
    /// Already stored with the very same content: ignored.
    pub repeated: Vec<(SiteKey, u8)>,
    /// Already stored with other content: ignored, since evidence is never replaced.
    pub refused: Vec<(SiteKey, u8)>,
}

impl PutReport {
    /// Adds another report.
    pub fn add(&mut self, other: Self) {
        self.stored += other.stored;
        self.repeated.extend(other.repeated);
        self.refused.extend(other.refused);
    }
}

/// A round that is ready to be stored.
pub(super) struct PackedRound {
    pub(super) site: SiteKey,
    pub(super) round: u8,
    pub(super) packed: Packed,
}

#[derive(Serialize)]
struct RecordOut<'a> {
    version: u32,
    site: &'a Site,
    round: &'a Round,
}

#[derive(Deserialize)]
struct RecordIn {
    version: u32,
    site: Site,
    round: Round,
}

#[derive(Deserialize)]
struct VersionOnly {
    version: u32,
}

/// Packs a round for storing in a run.
pub(super) fn pack(encoder: &mut Encoder, run: &RunId, site: &Site, round: &Round) -> Result<PackedRound, StoreError> {
    let number = round.number.to_string();
    let packed = encoder
        .pack(&[&run.0, site.key.as_str(), &number], &RecordOut { version: EVIDENCE_VERSION, site, round })
        .map_err(|source| StoreError::Encode { what: name(run, site.key.as_str(), round.number), source })?;
    Ok(PackedRound { site: site.key.clone(), round: round.number, packed })
}

fn name(run: &RunId, site: &str, round: u8) -> String {
    format!("run {run}, site {site}, round {round}")
}

impl Store {
    /// Stores rounds in one transaction: all of them or, on error, none. See [`PutReport`] for those stored before.
    pub async fn put_rounds(&self, run: &RunId, rounds: &[(Site, Round)]) -> Result<PutReport, StoreError> {
        let mut encoder = Encoder::new();
        let packed: Vec<PackedRound> =
            rounds.iter().map(|(site, round)| pack(&mut encoder, run, site, round)).collect::<Result<_, _>>()?;
        self.put_packed(run, packed).await
    }

    pub(super) async fn put_packed(&self, run: &RunId, rounds: Vec<PackedRound>) -> Result<PutReport, StoreError> {
        let fault = |error| self.fault("store evidence", error);
        let mut report = PutReport::default();
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(fault)?;
        let known: Option<i64> = sqlx::query_scalar("SELECT 1 FROM runs WHERE id = ?1")
            .bind(&run.0)
            .fetch_optional(&mut *transaction)
            .await
            .map_err(fault)?;
        if known.is_none() {
            return Err(self.no_such_run(&run.0).await?);
        }
        if self.insert(&mut transaction, run, &rounds).await.map_err(fault)? == rounds.len() as u64 {
            report.stored = rounds.len() as u64;
            failpoint::at("evidence-before-commit");
            transaction.commit().await.map_err(fault)?;
            failpoint::at("evidence-after-commit");
            return Ok(report);
        }
        // Some were stored before: row by row, to say which. What was inserted just now is taken back first.
        transaction.rollback().await.map_err(fault)?;
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(fault)?;
        for each in &rounds {
            if self.insert(&mut transaction, run, std::slice::from_ref(each)).await.map_err(fault)? == 1 {
                report.stored += 1;
                continue;
            }
            let stored: Vec<u8> =
                sqlx::query_scalar("SELECT sha256 FROM evidence WHERE run = ?1 AND site_key = ?2 AND round = ?3")
                    .bind(&run.0)
                    .bind(each.site.as_str())
                    .bind(each.round)
                    .fetch_one(&mut *transaction)
                    .await
                    .map_err(fault)?;
            let list = if stored == each.packed.sha256 { &mut report.repeated } else { &mut report.refused };
            list.push((each.site.clone(), each.round));
        }
        failpoint::at("evidence-before-commit");
        transaction.commit().await.map_err(fault)?;
        failpoint::at("evidence-after-commit");
        Ok(report)
    }

    /// Inserts rows that are not there yet, with one statement: each one costs two changes between threads. Returns how
    /// many were inserted.
    pub(super) async fn insert(
        &self,
        transaction: &mut Transaction<'_, Sqlite>,
        run: &RunId,
        rounds: &[PackedRound],
    ) -> Result<u64, sqlx::Error> {
        let mut inserted = 0;
        for some in rounds.chunks(STATEMENT) {
            let mut insert = QueryBuilder::new("INSERT INTO evidence (run, site_key, round, body, sha256) ");
            insert.push_values(some, |mut row, each| {
                row.push_bind(&run.0)
                    .push_bind(each.site.as_str())
                    .push_bind(each.round)
                    .push_bind(&each.packed.body)
                    .push_bind(&each.packed.sha256[..]);
            });
            insert.push(" ON CONFLICT DO NOTHING");
            // Few lengths come again: the usual batch, and a row alone.
            let lasting = some.len() == STATEMENT || some.len() == 1;
            inserted += insert.build().persistent(lasting).execute(&mut **transaction).await?.rows_affected();
        }
        Ok(inserted)
    }

    /// Everything known about one site in one run. None: nothing was stored.
    pub async fn observation(&self, run: &RunId, site: &SiteKey) -> Result<Option<Observation>, StoreError> {
        let select =
            "SELECT site_key, round, body, sha256 FROM evidence WHERE run = ?1 AND site_key = ?2 ORDER BY round";
        let rows = sqlx::query(select)
            .bind(&run.0)
            .bind(site.as_str())
            .fetch_all(&self.pool)
            .await
            .map_err(|error| self.fault("read evidence", error))?;
        // Of this site alone nobody could tell whether a row is missing.
        if let Some(record) = self.record(run).await? {
            self.none_missing(run, &record, self.count(&self.pool, run).await?)?;
        }
        if rows.is_empty() {
            // Nor whether it stands under another name by now.
            self.check().await?;
        }
        let mut observation = None;
        let mut decoder = Decoder::new();
        for row in &rows {
            let (site, round) = self.unpack_row(&mut decoder, run, row)?;
            collect(&mut observation, site, round);
        }
        Ok(observation)
    }

    /// Hands every observation of a run to `visit`, in the order of keys, holding one page of rows at a time. Stops at
    /// the first error, its own or the visitor's.
    pub async fn for_each_observation<E, F>(&self, run: &RunId, mut visit: F) -> Result<(), E>
    where
        E: From<StoreError>,
        F: FnMut(Observation) -> Result<(), E>,
    {
        let known = self.record(run).await?;
        let mut current: Option<Observation> = None;
        let mut decoder = Decoder::new();
        let mut pages = Pages::default();
        let (mut rounds, mut sites) = (0, 0);
        loop {
            let rows = pages.next(self, run).await?;
            if rows.is_empty() {
                break;
            }
            for row in &rows {
                let (site, round) = self.unpack_row(&mut decoder, run, row)?;
                if let Some(done) = current.take_if(|current| current.site.key != site.key) {
                    visit(done)?;
                }
                rounds += 1;
                sites += u64::from(current.is_none());
                collect(&mut current, site, round);
            }
        }
        current.map_or(Ok(()), visit)?;
        Ok(known.map_or(Ok(()), |record| self.none_missing(run, &record, (rounds, sites)))?)
    }

    /// Hands the JSON of every round of a run to `visit`, as it was stored, in the order of keys and rounds, holding one
    /// page of rows at a time. Stops at the first error, its own or the visitor's.
    pub(super) async fn for_each_record<F>(&self, run: &RunId, mut visit: F) -> Result<(), StoreError>
    where
        F: FnMut(&[u8]) -> Result<(), StoreError>,
    {
        let known = self.record(run).await?;
        let mut decoder = Decoder::new();
        let mut pages = Pages::default();
        let (mut rounds, mut sites, mut last) = (0, 0, String::new());
        loop {
            let rows = pages.next(self, run).await?;
            if rows.is_empty() {
                return known.map_or(Ok(()), |record| self.none_missing(run, &record, (rounds, sites)));
            }
            for row in &rows {
                let site: &str = row.try_get("site_key").map_err(|error| self.fault("read evidence", error))?;
                rounds += 1;
                sites += u64::from(last != site);
                site.clone_into(&mut last);
                visit(&self.unpack_json(&mut decoder, run, row)?.0)?;
            }
        }
    }

    /// The sites of a run that have evidence of this round: what a resumed run need not probe again.
    pub async fn done_keys(&self, run: &RunId, round: u8) -> Result<BTreeSet<SiteKey>, StoreError> {
        let keys: Vec<String> = sqlx::query_scalar("SELECT site_key FROM evidence WHERE run = ?1 AND round = ?2")
            .bind(&run.0)
            .bind(round)
            .fetch_all(&self.pool)
            .await
            .map_err(|error| self.fault("read evidence", error))?;
        Ok(keys.into_iter().map(SiteKey::from).collect())
    }

    fn unpack_row(&self, decoder: &mut Decoder, run: &RunId, row: &SqliteRow) -> Result<(Site, Round), StoreError> {
        let (json, key, number) = self.unpack_json(decoder, run, row)?;
        record(&json).map_err(|why| match why {
            NoRecord::Corrupt(detail) => self.corrupt(name(run, key, number), detail),
            NoRecord::Version(found) => {
                StoreError::UnknownEvidence { path: self.path.clone(), what: name(run, key, number), found }
            }
        })
    }

    /// The JSON of a row, once its hash is found to be right, its site and its round.
    fn unpack_json<'r>(
        &self,
        decoder: &mut Decoder,
        run: &RunId,
        row: &'r SqliteRow,
    ) -> Result<(Vec<u8>, &'r str, u8), StoreError> {
        let fault = |error| self.fault("read evidence", error);
        let key: &str = row.try_get("site_key").map_err(fault)?;
        let number: u8 = row.try_get("round").map_err(fault)?;
        let body: &[u8] = row.try_get("body").map_err(fault)?;
        let sha256: &[u8] = row.try_get("sha256").map_err(fault)?;
        let json = decoder
            .unpack(&[&run.0, key, &number.to_string()], body, sha256, ROUND_BYTES)
            .map_err(|detail| self.corrupt(name(run, key, number), detail))?;
        Ok((json, key, number))
    }
}

/// The rows of a run, page by page: an open read transaction, as of one long cursor, would keep the write-ahead log growing.
struct Pages {
    last: (String, i64),
}

impl Default for Pages {
    fn default() -> Self {
        Self { last: (String::new(), -1) }
    }
}

impl Pages {
    /// The next page. Empty: there is none.
    async fn next(&mut self, store: &Store, run: &RunId) -> Result<Vec<SqliteRow>, StoreError> {
        let fault = |error| store.fault("read evidence", error);
        let select = "SELECT site_key, round, body, sha256 FROM evidence \
                      WHERE run = ?1 AND (site_key, round) > (?2, ?3) ORDER BY site_key, round LIMIT ?4";
        let query = sqlx::query(select).bind(&run.0).bind(&self.last.0).bind(self.last.1).bind(PAGE);
        let rows = query.fetch_all(&store.pool).await.map_err(fault)?;
        if let Some(end) = rows.last() {
            self.last = (end.try_get("site_key").map_err(fault)?, end.try_get("round").map_err(fault)?);
        }
        Ok(rows)
    }
}

/// Why JSON is no record.
#[derive(Debug)]
pub(super) enum NoRecord {
    /// It is not JSON, or of another shape.
    Corrupt(Fault),
    /// It was written by a program with another [`EVIDENCE_VERSION`].
    Version(u32),
}

/// The record in a JSON text.
pub(super) fn record(json: &[u8]) -> Result<(Site, Round), NoRecord> {
    let record = serde_json::from_slice::<RecordIn>(json);
    // A newer shape need not parse at all, so the version is looked at in either case.
    let version = match &record {
        Ok(record) => Some(record.version),
        Err(_) => serde_json::from_slice::<VersionOnly>(json).ok().map(|record| record.version),
    };
    match (record, version) {
        (Ok(record), Some(EVIDENCE_VERSION)) => Ok((record.site, record.round)),
        (Err(error), Some(EVIDENCE_VERSION) | None) => Err(NoRecord::Corrupt(json_fault(&error))),
        (_, version) => Err(NoRecord::Version(version.unwrap_or_default())),
    }
}

fn collect(observation: &mut Option<Observation>, site: Site, round: Round) {
    observation
        .get_or_insert_with(|| Observation { version: EVIDENCE_VERSION, site, rounds: Vec::new() })
        .rounds
        .push(round);
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{self, RUN};
    use super::*;

    fn id() -> RunId {
        RunId(RUN.into())
    }

    #[tokio::test]
    async fn evidence_survives_reopening() {
        let home = fixture::with_run().await;
        let rounds = [fixture::round("a.example", 1), fixture::round("b.example", 1), fixture::round("a.example", 2)];
        let report = home.store.put_rounds(&id(), &rounds).await.unwrap();
        assert_eq!(report, PutReport { stored: 3, ..PutReport::default() });
        let home = home.reopen().await;
        let observation = home.store.observation(&id(), &rounds[0].0.key).await.unwrap().unwrap();
        assert_eq!(observation.rounds, [rounds[0].1.clone(), rounds[2].1.clone()]);
        assert_eq!(observation.site, rounds[0].0);
        assert_eq!(home.store.observation(&id(), &SiteKey("c.example".into())).await.unwrap(), None);
        assert_eq!(home.store.done_keys(&id(), 1).await.unwrap().len(), 2);
        assert_eq!(home.store.done_keys(&id(), 2).await.unwrap(), BTreeSet::from([rounds[0].0.key.clone()]));
        assert_eq!(home.store.runs().await.unwrap()[0].sites, 2);
    }

    #[tokio::test]
    async fn the_first_evidence_stays() {
        let home = fixture::with_run().await;
        let (a, b) = (fixture::round("a.example", 1), fixture::round("b.example", 1));
        home.store.put_rounds(&id(), std::slice::from_ref(&a)).await.unwrap();
        let mut other = a.clone();
        other.1.without_ipv6 = true;
        let report = home.store.put_rounds(&id(), &[a.clone(), b, other]).await.unwrap();
        assert_eq!((report.stored, report.repeated.len(), report.refused.len()), (1, 1, 1));
        assert_eq!(home.store.observation(&id(), &a.0.key).await.unwrap().unwrap().rounds, [a.1]);
    }

    #[tokio::test]
    async fn a_batch_for_an_unknown_run_stores_nothing() {
        let home = fixture::with_run().await;
        let error = home.store.put_rounds(&RunId("nope".into()), &[fixture::round("a.example", 1)]).await.unwrap_err();
        assert!(matches!(error, StoreError::NoSuchRun { .. }), "{error}");
        // And the failed transaction does not stay open.
        home.store.put_rounds(&id(), &[fixture::round("a.example", 1)]).await.unwrap();
    }

    #[tokio::test]
    async fn evidence_can_be_neither_changed_nor_deleted() {
        let home = fixture::with_run().await;
        home.store.put_rounds(&id(), &[fixture::round("a.example", 1)]).await.unwrap();
        for sql in
            ["UPDATE evidence SET body = x'00'", "DELETE FROM evidence", "REPLACE INTO evidence SELECT * FROM evidence"]
        {
            let refused = sqlx::query(sql).execute(&home.store.pool).await;
            assert!(refused.is_err(), "{sql}");
        }
    }

    #[tokio::test]
    async fn corruption_is_named_and_never_believed() {
        let home = fixture::with_run().await;
        let rounds = ["a.example", "b.example", "c.example"].map(|host| fixture::round(host, 1));
        home.store.put_rounds(&id(), &rounds).await.unwrap();
        // One blob garbled, one row put in another's place: as a damaged disk would, past the triggers.
        let damage = "DROP TRIGGER evidence_keep; \
                      UPDATE evidence SET body = x'789c0300' WHERE site_key = 'a.example'; \
                      UPDATE evidence SET (body, sha256) = (SELECT body, sha256 FROM evidence WHERE site_key = 'c.example') \
                      WHERE site_key = 'b.example'";
        sqlx::raw_sql(damage).execute(&home.store.pool).await.unwrap();
        for (host, word) in [("a.example", "corrupt deflate"), ("b.example", "hash")] {
            let error = home.store.observation(&id(), &SiteKey(host.into())).await.unwrap_err().to_string();
            assert!(error.contains(&format!("run {RUN}, site {host}, round 1")), "{error}");
            assert!(error.contains(word) || host == "a.example", "{error}");
        }
        let mut seen = 0;
        let all: Result<(), StoreError> = home
            .store
            .for_each_observation(&id(), |_| {
                seen += 1;
                Ok(())
            })
            .await;
        assert!(matches!(all.unwrap_err(), StoreError::Corrupt { .. }));
        assert_eq!(seen, 0);
        assert!(home.store.observation(&id(), &SiteKey("c.example".into())).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn evidence_of_a_newer_program_is_refused() {
        let home = fixture::with_run().await;
        let packed = Encoder::new()
            .pack(&[RUN, "a.example", "1"], &serde_json::json!({"version": 7, "site": {}, "wave": {}}))
            .unwrap();
        let round = PackedRound { site: SiteKey("a.example".into()), round: 1, packed };
        home.store.put_packed(&id(), vec![round]).await.unwrap();
        let error = home.store.observation(&id(), &SiteKey("a.example".into())).await.unwrap_err();
        assert!(matches!(error, StoreError::UnknownEvidence { found: 7, .. }), "{error}");
    }

    #[tokio::test]
    async fn a_run_is_read_through_in_the_order_of_keys() {
        let home = fixture::with_run().await;
        // More than two pages, with second rounds around the ends of pages.
        let mut rounds = Vec::new();
        for i in (0..400).rev() {
            rounds.push(fixture::round(&format!("s{i:04}.example"), 1));
            if i % 3 == 0 {
                rounds.push(fixture::round(&format!("s{i:04}.example"), 2));
            }
        }
        home.store.put_rounds(&id(), &rounds).await.unwrap();
        let mut seen = Vec::new();
        let all: Result<(), StoreError> = home
            .store
            .for_each_observation(&id(), |observation| {
                seen.push((observation.site.key.0.to_string(), observation.rounds.len()));
                Ok(())
            })
            .await;
        all.unwrap();
        let expected: Vec<(String, usize)> =
            (0..400).map(|i| (format!("s{i:04}.example"), if i % 3 == 0 { 2 } else { 1 })).collect();
        assert_eq!(seen, expected);

        let mut visits = 0;
        let stopped: Result<(), StoreError> = home
            .store
            .for_each_observation(&id(), |_| {
                visits += 1;
                if visits == 3 { Err(StoreError::BadRunId { id: id() }) } else { Ok(()) }
            })
            .await;
        assert!(stopped.is_err());
        assert_eq!(visits, 3);
    }
}
