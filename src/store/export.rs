//! A run as one file of lines: everything that its reports are made of, so that anybody can make them again. The format is
//! described in `docs/data-model.md`.
//!
//! Leaves to others: where the bytes go, and reading them back (`import`).

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};

use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

use super::codec::hex;
use super::runs::ListsOut;
use super::{Store, StoreError};
use crate::model::optout::OptOuts;
use crate::model::run::{Run, RunId};
use crate::model::school::{Region, RejectedRow, Roster, Row, School, SourceFile, SourceLine, Tile};
use crate::model::site::{Site, SiteKey};
use crate::model::summary::Policy;

/// Version of the format.
pub(super) const FORMAT: u32 = 1;
/// Of zstd. Level 9 takes eight times as long and saves a quarter.
const LEVEL: i32 = 1;

/// How much of a run is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everything, as a backup.
    Whole,
    /// What may be published: without the folders of the lists, and without who asked not to be measured and why. Reports
    /// come out the same.
    Public,
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exported {
    /// Rounds of evidence.
    pub rounds: u64,
    /// Bytes before compression.
    pub bytes: u64,
}

#[derive(Serialize)]
struct HeaderOut<'a> {
    v6ready_evidence: u32,
    run: &'a Run,
    config: &'a str,
}

#[derive(Serialize)]
struct EndLine {
    end: End,
}

#[derive(Serialize)]
struct End {
    rounds: u64,
    sha256: String,
}

/// Writes lines and keeps their hash.
struct Lines<W> {
    out: W,
    hasher: Sha256,
    bytes: u64,
}

impl<W: Write> Lines<W> {
    /// A line that may be too long for memory.
    fn long(&mut self, record: &impl Serialize) -> io::Result<()> {
        let mut out = BufWriter::with_capacity(1 << 16, &mut *self);
        serde_json::to_writer(&mut out, record)?;
        out.write_all(b"\n")?;
        out.flush()
    }

    fn line(&mut self, json: &[u8]) -> io::Result<()> {
        for part in [json, b"\n"] {
            self.out.write_all(part)?;
            self.hasher.update(part);
            self.bytes += part.len() as u64;
        }
        Ok(())
    }
}

impl<W: Write> Write for Lines<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write_all(bytes)?;
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A run and what it was given, as [`Store::load_run`] has them.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    /// The run.
    pub run: &'a Run,
    /// The lists.
    pub roster: &'a Roster,
    /// The policy.
    pub policy: &'a Policy,
    /// The configuration, as TOML.
    pub config: &'a str,
}

impl Store {
    /// Writes a run as `.jsonl.zst`. Several runs may be written one after another into one file. The same run gives the
    /// same bytes.
    pub async fn export_run<W: Write>(&self, id: &RunId, scope: Scope, out: W) -> Result<Exported, StoreError> {
        let stored = self.load_run(id).await?;
        let given = Given { run: &stored.run, roster: &stored.roster, policy: &stored.policy, config: &stored.config };
        self.export_given(given, scope, out).await
    }

    /// The same for a run that was loaded already: the lists of a large province are not held twice.
    pub async fn export_given<W: Write>(&self, given: Given<'_>, scope: Scope, out: W) -> Result<Exported, StoreError> {
        let id = &given.run.id;
        let failed = |source| StoreError::Export { id: id.clone(), source };
        let encode = |source| StoreError::Encode { what: format!("run {id}"), source };
        let mut packer = zstd::stream::write::Encoder::new(out, LEVEL).map_err(failed)?;
        packer.include_checksum(true).map_err(failed)?;
        let mut lines = Lines { out: packer, hasher: Sha256::new(), bytes: 0 };
        let header = HeaderOut { v6ready_evidence: FORMAT, run: given.run, config: given.config };
        lines.line(&serde_json::to_vec(&header).map_err(encode)?).map_err(failed)?;
        let written = match scope {
            Scope::Whole => lines.long(&ListsOut { roster: given.roster, policy: given.policy }),
            Scope::Public => lines.long(&PublicLists { roster: public(given.roster), policy: given.policy }),
        };
        written.map_err(failed)?;
        let mut rounds = 0;
        self.for_each_record(id, |json| {
            rounds += 1;
            lines.line(json).map_err(failed)
        })
        .await?;
        let sha256 = hex(&std::mem::take(&mut lines.hasher).finalize());
        lines.line(&serde_json::to_vec(&EndLine { end: End { rounds, sha256 } }).map_err(encode)?).map_err(failed)?;
        lines.out.finish().and_then(|mut out| out.flush()).map_err(failed)?;
        Ok(Exported { rounds, bytes: lines.bytes })
    }
}

#[derive(Serialize)]
struct PublicLists<'a> {
    roster: PublicRoster<'a>,
    policy: &'a Policy,
}

/// [`Roster`] as it is published: the same keys in the same order.
#[derive(Serialize)]
struct PublicRoster<'a> {
    regions: &'a [Region],
    schools: &'a [School],
    rows: Stripped<'a, Row>,
    sites: &'a BTreeMap<SiteKey, Site>,
    rejected: Stripped<'a, RejectedRow>,
    sources: Vec<SourceFile>,
    tiles: &'a [Tile],
    #[serde(skip_serializing_if = "OptOuts::is_empty")]
    opt_outs: OptOuts,
    simulated: bool,
}

/// Rows whose files are named without the first so many bytes of their path. One is copied at a time.
struct Stripped<'a, T> {
    rows: &'a [T],
    folder: usize,
}

/// What came from a line of a list.
trait Sourced: Clone + Serialize {
    fn source(&mut self) -> &mut SourceLine;
}

impl Sourced for Row {
    fn source(&mut self) -> &mut SourceLine {
        &mut self.source
    }
}

impl Sourced for RejectedRow {
    fn source(&mut self) -> &mut SourceLine {
        &mut self.source
    }
}

impl<T: Sourced> Serialize for Stripped<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.rows.iter().map(|row| {
            let mut row = row.clone();
            let source = row.source();
            if let Some(rest) = source.file.get(self.folder..) {
                source.file = rest.into();
            }
            row
        }))
    }
}

/// The lists without what is nobody else's business. Files keep different names: two lists of one name in two folders
/// stay two.
fn public(roster: &Roster) -> PublicRoster<'_> {
    let Roster { regions, schools, rows, sites, rejected, sources, tiles, opt_outs, simulated } = roster;
    let folder = common_folder(sources.iter().map(|source| source.path.as_str()));
    let mut sources = sources.clone();
    for source in &mut sources {
        if let Some(rest) = source.path.get(folder..) {
            source.path = rest.to_owned();
        }
    }
    PublicRoster {
        regions,
        schools,
        rows: Stripped { rows, folder },
        sites,
        rejected: Stripped { rows: rejected, folder },
        sources,
        tiles,
        opt_outs: opt_outs.without_names(),
        simulated: *simulated,
    }
}

/// Length of the folder that all paths begin with, its last slash included.
fn common_folder<'a>(mut paths: impl Iterator<Item = &'a str>) -> usize {
    let folder = |path: &str| path.rfind(['/', '\\']).map_or(0, |slash| slash + 1);
    let Some(first) = paths.next() else { return 0 };
    paths.fold(folder(first), |length, path| {
        let same = first.bytes().zip(path.bytes()).take(length).take_while(|(left, right)| left == right).count();
        // Only whole parts of the path.
        first.as_bytes()[..same].iter().rposition(|byte| matches!(byte, b'/' | b'\\')).map_or(0, |slash| slash + 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_lists_have_the_shape_of_stored_ones() {
        let mut roster = crate::store::fixture::roster(3);
        let source = |line| SourceLine { file: "list.csv".into(), line };
        let problem = serde_json::json!({"column": null, "reason": "a", "remedy": "b", "text": "c"});
        let row = |extra: serde_json::Value| {
            let mut row = serde_json::json!({"source": source(2)});
            row.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            row
        };
        let listed = serde_json::json!({"school": 0, "state": "LISTED", "role": "portal", "changes": []});
        roster.rows = vec![serde_json::from_value(row(listed)).unwrap()];
        roster.rejected = vec![serde_json::from_value(row(serde_json::json!({ "problem": problem }))).unwrap()];
        roster.sources =
            vec![SourceFile { path: "list.csv".into(), sha256: "0".into(), encoding: "UTF-8".into(), rows: 2 }];
        let plain = |roster: &Roster| serde_json::to_string(&public(roster)).unwrap();
        let stored = |roster: &Roster| serde_json::to_string(roster).unwrap();
        assert_eq!(plain(&roster), stored(&roster), "nothing to be left out");
        let before = stored(&roster);
        let lines = roster.rows.iter_mut().map(|row| &mut row.source.file);
        for path in lines.chain(roster.rejected.iter_mut().map(|row| &mut row.source.file)) {
            *path = format!("/data/anna/{path}").into();
        }
        for list in &mut roster.sources {
            list.path.insert_str(0, "/data/anna/");
        }
        assert_eq!((plain(&roster), stored(&roster) == before), (before, false));
    }

    #[test]
    fn lists_lose_their_common_folder_and_nothing_else() {
        let length = |paths: &[&str]| common_folder(paths.iter().copied());
        assert_eq!(length(&["/data/anna/lists/a.csv", "/data/anna/lists/b.csv"]), 17);
        assert_eq!(length(&["/data/anna/lists/a.csv", "/data/anna/list2/a.csv"]), 11);
        assert_eq!(length(&["/data/anna/a.csv"]), 11);
        assert_eq!(length(&["a.csv", "b/a.csv"]), 0);
        assert_eq!(length(&[]), 0);
    }
}
