//! A run as one file of lines: everything that its reports are made of, so that anybody can make them again. The format is
//! described in `docs/data-model.md`.
//!
//! Leaves to others: where the bytes go, and reading them back (`import`).

use std::io::{self, Write};

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::codec::hex;
use super::runs::ListsOut;
use super::{Store, StoreError};
use crate::model::run::{Run, RunId};
use crate::model::school::Roster;

/// Version of the format.
pub(super) const FORMAT: u32 = 1;
/// Of zstd. Higher ones take many times as long for some percent.
const LEVEL: i32 = 9;

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
    fn line(&mut self, json: &[u8]) -> io::Result<()> {
        for part in [json, b"\n"] {
            self.out.write_all(part)?;
            self.hasher.update(part);
            self.bytes += part.len() as u64;
        }
        Ok(())
    }
}

impl Store {
    /// Writes a run as `.jsonl.zst`. Several runs may be written one after another into one file. The same run gives the
    /// same bytes.
    pub async fn export_run<W: Write>(&self, id: &RunId, scope: Scope, out: W) -> Result<Exported, StoreError> {
        let stored = self.load_run(id).await?;
        let failed = |source| StoreError::Export { id: id.clone(), source };
        let encode = |source| StoreError::Encode { what: format!("run {id}"), source };
        let mut packer = zstd::stream::write::Encoder::new(out, LEVEL).map_err(failed)?;
        packer.include_checksum(true).map_err(failed)?;
        let mut lines = Lines { out: packer, hasher: Sha256::new(), bytes: 0 };
        let header = HeaderOut { v6ready_evidence: FORMAT, run: &stored.run, config: &stored.config };
        lines.line(&serde_json::to_vec(&header).map_err(encode)?).map_err(failed)?;
        let roster = match scope {
            Scope::Whole => stored.roster,
            Scope::Public => public(stored.roster),
        };
        let lists = ListsOut { roster: &roster, policy: &stored.policy };
        lines.line(&serde_json::to_vec(&lists).map_err(encode)?).map_err(failed)?;
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

/// The lists without what is nobody else's business. Files keep different names: two lists of one name in two folders
/// stay two.
fn public(mut roster: Roster) -> Roster {
    let folder = common_folder(roster.sources.iter().map(|source| source.path.as_str()));
    let strip = |path: &mut String| {
        if let Some(rest) = path.get(folder..) {
            *path = rest.to_owned();
        }
    };
    for source in &mut roster.sources {
        strip(&mut source.path);
    }
    let rejected = roster.rejected.iter_mut().map(|row| &mut row.source);
    for line in roster.rows.iter_mut().map(|row| &mut row.source).chain(rejected) {
        strip(&mut line.file);
    }
    roster.opt_outs = roster.opt_outs.without_names();
    roster
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
    fn lists_lose_their_common_folder_and_nothing_else() {
        let length = |paths: &[&str]| common_folder(paths.iter().copied());
        assert_eq!(length(&["/data/anna/lists/a.csv", "/data/anna/lists/b.csv"]), 17);
        assert_eq!(length(&["/data/anna/lists/a.csv", "/data/anna/list2/a.csv"]), 11);
        assert_eq!(length(&["/data/anna/a.csv"]), 11);
        assert_eq!(length(&["a.csv", "b/a.csv"]), 0);
        assert_eq!(length(&[]), 0);
    }
}
