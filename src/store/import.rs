//! Exported runs back into a history. The file may come from anybody: every line is bounded, read by its exact shape and
//! checked against what the file itself says, and a run is stored whole or not at all.
//!
//! What a file says is believed as evidence only as far as whoever imports it trusts where it is from: its hash tells
//! damage, not forgery.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};
use sqlx::Transaction;
use sqlx::sqlite::Sqlite;

use super::codec::{Encoder, ROUND_BYTES, hex, json_fault};
use super::evidence::{NoRecord, PackedRound, record};
use super::export::FORMAT;
use super::runs::ListsIn;
use super::{Store, StoreError};
use crate::model::evidence::Round;
use crate::model::run::{Run, RunId};
use crate::model::school::{Roster, RosterState};
use crate::model::site::{Site, SiteKey};

/// The longest line that says what a run is, in bytes: a year of canaries.
const HEADER_BYTES: u64 = 64 << 20;
/// The longest line of lists, in bytes: some hundred thousand schools.
const LISTS_BYTES: u64 = 256 << 20;
/// Window of the decompressor, as a power of two: 16 MiB. Our own files need half of it.
const WINDOW_LOG: u32 = 24;
/// Rows that are stored by one statement.
const BATCH: usize = 64;

/// A run that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The run.
    pub id: RunId,
    /// Rounds of evidence.
    pub rounds: u64,
    /// It was there before, with the same content, and was left as it is.
    pub known: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderIn {
    v6ready_evidence: u32,
    run: Run,
    config: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EndLine {
    end: End,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct End {
    rounds: u64,
    sha256: String,
}

/// How every last line begins, and no other.
const END: &[u8] = b"{\"end\":";

/// Lines of a file, none longer than is asked for.
struct Lines<R> {
    source: R,
    path: PathBuf,
    /// Number of the line that was read last.
    number: u64,
    line: Vec<u8>,
    hasher: Sha256,
}

impl<R: BufRead> Lines<R> {
    /// Reads the next line, without its end. False: there is none.
    fn next(&mut self, limit: u64) -> Result<bool, StoreError> {
        self.line.clear();
        self.number += 1;
        let read = (&mut self.source).take(limit + 1).read_until(b'\n', &mut self.line);
        let read =
            read.map_err(|source| StoreError::ReadExport { path: self.path.clone(), line: self.number, source })?;
        if read == 0 {
            return Ok(false);
        }
        if self.line.pop() != Some(b'\n') {
            return Err(self.wrong(if read as u64 > limit {
                format!("longer than {limit} bytes")
            } else {
                "the file ends in the middle of a line".to_owned()
            }));
        }
        Ok(true)
    }

    /// Reads the next line, which must be there, and takes it into the hash.
    fn must(&mut self, limit: u64, what: &str) -> Result<(), StoreError> {
        if !self.next(limit)? {
            return Err(self.wrong(format!("the file ends where {what} should stand")));
        }
        Ok(())
    }

    fn hash(&mut self) {
        self.hasher.update(&self.line);
        self.hasher.update(b"\n");
    }

    fn parse<'a, T: Deserialize<'a>>(&'a self, what: &str) -> Result<T, StoreError> {
        serde_json::from_slice(&self.line).map_err(|error| self.wrong(format!("no {what}: {}", json_fault(&error))))
    }

    fn wrong(&self, problem: String) -> StoreError {
        StoreError::NotEvidence { path: self.path.clone(), line: self.number, problem }
    }
}

impl Store {
    /// Stores the runs of an exported file, each in one transaction. `path` is for messages. A run that is there already is
    /// left as it is if the content is the same, and an error if it is not.
    pub async fn import<R: Read>(&self, source: R, path: &Path) -> Result<Vec<Imported>, StoreError> {
        self.import_of(None, source, path).await
    }

    /// The same, of one vantage only: a run that says it is of another is refused, whatever else it says. None: of any.
    pub async fn import_of<R: Read>(
        &self,
        vantage: Option<&str>,
        source: R,
        path: &Path,
    ) -> Result<Vec<Imported>, StoreError> {
        let unreadable = |source| StoreError::ReadExport { path: path.to_owned(), line: 1, source };
        let mut unpacker = zstd::stream::read::Decoder::new(source).map_err(unreadable)?;
        unpacker.window_log_max(WINDOW_LOG).map_err(unreadable)?;
        let mut lines = Lines {
            source: BufReader::new(unpacker),
            path: path.to_owned(),
            number: 0,
            line: Vec::new(),
            hasher: Sha256::new(),
        };
        let mut runs = Vec::new();
        while lines.next(HEADER_BYTES)? {
            runs.push(self.import_run(vantage, &mut lines).await?);
        }
        if runs.is_empty() {
            return Err(lines.wrong("the file is empty".to_owned()));
        }
        Ok(runs)
    }

    /// The run whose first line was read.
    async fn import_run<R: BufRead>(
        &self,
        vantage: Option<&str>,
        lines: &mut Lines<R>,
    ) -> Result<Imported, StoreError> {
        lines.hasher = Sha256::new();
        lines.hash();
        let header: HeaderIn = lines.parse("exported run")?;
        if header.v6ready_evidence != FORMAT {
            return Err(lines.wrong(format!("format {}, this program knows {FORMAT}", header.v6ready_evidence)));
        }
        if let Some(wanted) = vantage
            && header.run.vantage.name != wanted
        {
            let found = header.run.vantage.name.escape_debug();
            return Err(lines.wrong(format!("a run of vantage \"{found}\", and of {wanted:?} one was expected")));
        }
        lines.must(LISTS_BYTES, "the lists")?;
        lines.hash();
        let lists: ListsIn = lines.parse("lists")?;
        // Of all lines by far the longest.
        lines.line = Vec::new();
        check_lists(&lists.roster).map_err(|problem| lines.wrong(problem))?;
        let (run, config) = (header.run, header.config);
        let fault = |error| self.fault("import a run", error);
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(fault)?;
        let inserted = self.insert_run(&mut transaction, &run, (&lists.roster, &lists.policy), &config).await;
        let known = match inserted {
            Ok(()) => false,
            Err(StoreError::RunExists { .. }) => true,
            Err(error) => return Err(error),
        };
        let rounds = self.import_rounds(&mut transaction, lines, &run.id, &lists.roster).await?;
        if !known {
            // What came from the file is all there is.
            self.reseal(&mut transaction, &run.id, |_| ()).await?;
        }
        if known {
            let stored = self.load_run(&run.id).await?;
            let same = stored.run == run
                && stored.config == config
                && (&stored.roster, &stored.policy) == (&lists.roster, &lists.policy)
                && rounds.inserted == 0;
            if !same || rounds.differ {
                return Err(StoreError::RunExists { path: self.path.clone(), id: run.id });
            }
        }
        transaction.commit().await.map_err(fault)?;
        Ok(Imported { id: run.id, rounds: rounds.read, known })
    }

    async fn import_rounds<R: BufRead>(
        &self,
        transaction: &mut Transaction<'_, Sqlite>,
        lines: &mut Lines<R>,
        run: &RunId,
        roster: &Roster,
    ) -> Result<Rounds, StoreError> {
        let fault = |error| self.fault("import a run", error);
        let mut encoder = Encoder::new();
        let mut rounds = Rounds::default();
        let mut last: Option<(SiteKey, u8)> = None;
        let mut batch: Vec<PackedRound> = Vec::with_capacity(BATCH);
        loop {
            lines.must(ROUND_BYTES, "the end of the run")?;
            let ended = lines.line.starts_with(END);
            if batch.len() == BATCH || ended {
                let inserted = self.insert(transaction, run, &batch).await.map_err(fault)?;
                rounds.inserted += inserted;
                if inserted < batch.len() as u64 {
                    rounds.differ |= self.any_differs(transaction, run, &batch).await?;
                }
                batch.clear();
            }
            if ended {
                break;
            }
            let (site, round) = evidence(lines)?;
            let place = (site.key, round.number);
            if last.as_ref().is_some_and(|last| *last >= place) {
                return Err(lines.wrong(format!("{} round {} is out of order", place.0, place.1)));
            }
            if roster.sites.get(&place.0).is_none_or(|listed| listed.host != site.host) {
                return Err(lines.wrong(format!("evidence of {}, which is not on the lists", place.0)));
            }
            let number = place.1.to_string();
            let packed = encoder.pack_json(&[&run.0, place.0.as_str(), &number], &lines.line);
            let packed = packed.map_err(|error| lines.wrong(error.to_string()))?;
            batch.push(PackedRound { site: place.0.clone(), round: place.1, packed });
            lines.hash();
            rounds.read += 1;
            last = Some(place);
        }
        let EndLine { end } = lines.parse("end of a run")?;
        if end.rounds != rounds.read {
            return Err(lines.wrong(format!("{} rounds should stand above, there are {}", end.rounds, rounds.read)));
        }
        if end.sha256 != hex(&std::mem::take(&mut lines.hasher).finalize()) {
            return Err(lines.wrong("the hash of the lines above does not match: the file was changed".to_owned()));
        }
        Ok(rounds)
    }

    /// Whether other content is stored for one of these.
    async fn any_differs(
        &self,
        transaction: &mut Transaction<'_, Sqlite>,
        run: &RunId,
        batch: &[PackedRound],
    ) -> Result<bool, StoreError> {
        let select = "SELECT sha256 FROM evidence WHERE run = ?1 AND site_key = ?2 AND round = ?3";
        for each in batch {
            let query = sqlx::query_scalar(select).bind(&run.0).bind(each.site.as_str()).bind(each.round);
            let stored: Vec<u8> =
                query.fetch_one(&mut **transaction).await.map_err(|error| self.fault("import a run", error))?;
            if stored != each.packed.sha256 {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// What was read and stored of a run's evidence.
#[derive(Default)]
struct Rounds {
    read: u64,
    inserted: u64,
    differ: bool,
}

/// The evidence of the line that was read last.
fn evidence<R: BufRead>(lines: &Lines<R>) -> Result<(Site, Round), StoreError> {
    let (site, round) = record(&lines.line).map_err(|why| match why {
        NoRecord::Corrupt(detail) => lines.wrong(format!("no evidence: {detail}")),
        NoRecord::Version(found) => {
            lines.wrong(format!("evidence of version {found}, which this program does not know"))
        }
    })?;
    let canonical = Site::new(&site.host, site.unicode.clone(), site.scheme, site.port);
    if canonical != site {
        return Err(lines.wrong(format!("{} is not how its site is spelt", site.key)));
    }
    Ok((site, round))
}

/// That rows refer to what is there: the rest of the program relies on it.
fn check_lists(roster: &Roster) -> Result<(), String> {
    if let Some((key, _)) = roster.sites.iter().find(|(key, site)| **key != site.key) {
        return Err(format!("the site {key} stands under another's name"));
    }
    for row in &roster.rows {
        if row.school >= roster.schools.len() {
            return Err(format!("a row of {} is about a school that is not there", row.source));
        }
        // Who asked not to be measured, or is closed, is named and not among the sites.
        let probed = row.state == RosterState::Listed;
        if probed && row.site.as_ref().is_some_and(|site| !roster.sites.contains_key(site)) {
            return Err(format!("a row of {} names a site that is not there", row.source));
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "import_tests.rs"]
mod tests;
