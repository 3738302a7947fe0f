//! `summary.json`, the published model as it is, and `manifest.json`: what the report was made from and by, and the
//! checksum of every file beside it.

use std::borrow::Cow;
use std::io::{self, Write};

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::build::base_name;
use super::clean::clean_json;
use super::format::{hex, rfc3339};
use super::model::{Mark, Report, RunInfo, SCHEMA_VERSION};
use super::{File, ReportInput};
use crate::model::evidence::EVIDENCE_VERSION;
use crate::model::run::{GateCheck, Pause};

/// The file that [`summary`] writes.
pub const SUMMARY: &str = "summary.json";

/// Writes `summary.json`. Its JSON Schema is `docs/summary.schema.json`.
pub fn summary(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(Clean(out), report)?;
    out.write_all(b"\n")
}

/// Writes JSON in which nothing is hidden.
struct Clean<'a>(&'a mut dyn Write);

impl Write for Clean<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A text comes in parts that end between characters.
        let part = std::str::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        self.0.write_all(clean_json(part).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Renders `manifest.json` over the files that go into the same folder; make it last.
pub(super) fn manifest(report: &Report, input: &ReportInput, mut files: Vec<FileEntry>) -> File {
    let run = input.run;
    files.sort_by(|a, b| a.name.cmp(&b.name));
    let manifest = Manifest {
        schema_version: SCHEMA_VERSION,
        run: &report.run,
        marks: &report.marks,
        gate: Gate { open: run.gate.is_open(), checks: &run.gate.checks },
        proofs: run.vantage.proofs.len(),
        versions: Versions {
            method: &run.method_version,
            measured_by: &run.program_version,
            rendered_by: env!("CARGO_PKG_VERSION"),
            evidence: EVIDENCE_VERSION,
            summary_schema: SCHEMA_VERSION,
        },
        config_sha256: &run.config_sha256,
        policy: &report.policy.number,
        coverage: report.total.coverage,
        lists: input
            .roster
            .sources
            .iter()
            .map(|source| List {
                name: base_name(&source.path),
                sha256: &source.sha256,
                encoding: &source.encoding,
                rows: source.rows,
            })
            .collect(),
        rows_in: input.roster.rows_in(),
        rows_out: input.roster.rows_out(),
        cost: run.cost.as_ref().map(|cost| CostEntry {
            bytes_sent: cost.bytes_sent,
            bytes_received: cost.bytes_received,
            pauses: cost.pauses.iter().map(PauseEntry::of).collect(),
        }),
        files,
    };
    ("manifest.json".into(), pretty(&manifest))
}

#[derive(Serialize)]
struct Manifest<'a> {
    schema_version: u32,
    run: &'a RunInfo,
    marks: &'a [Mark],
    gate: Gate<'a>,
    /// Proofs made before and during the run, of both families.
    proofs: usize,
    versions: Versions<'a>,
    config_sha256: &'a str,
    policy: &'a str,
    coverage: Option<f64>,
    lists: Vec<List<'a>>,
    rows_in: u64,
    rows_out: u64,
    /// What the run cost others. None: not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<CostEntry<'a>>,
    files: Vec<FileEntry>,
}

#[derive(Serialize)]
struct CostEntry<'a> {
    bytes_sent: u64,
    bytes_received: u64,
    /// Networks that were left alone for a while.
    pauses: Vec<PauseEntry<'a>>,
}

#[derive(Serialize)]
struct PauseEntry<'a> {
    network: &'a str,
    from: String,
    until: String,
}

impl<'a> PauseEntry<'a> {
    fn of(pause: &'a Pause) -> Self {
        Self { network: &pause.network, from: rfc3339(pause.from), until: rfc3339(pause.until) }
    }
}

#[derive(Serialize)]
struct Gate<'a> {
    open: bool,
    checks: &'a [GateCheck],
}

#[derive(Serialize)]
struct Versions<'a> {
    method: &'a str,
    measured_by: &'a str,
    rendered_by: &'a str,
    evidence: u32,
    summary_schema: u32,
}

#[derive(Serialize)]
struct List<'a> {
    name: &'a str,
    sha256: &'a str,
    encoding: &'a str,
    rows: u64,
}

/// A file as the manifest names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileEntry {
    name: String,
    bytes: u64,
    sha256: String,
}

impl FileEntry {
    pub(super) fn of((name, bytes): &File) -> Self {
        Self::new(name.clone(), bytes.len() as u64, &Sha256::digest(bytes))
    }

    /// A file by its path in the run's folder, its length in bytes and its digest.
    pub(super) fn new(name: String, bytes: u64, sha256: &[u8]) -> Self {
        Self { name, bytes, sha256: hex(sha256) }
    }
}

/// Indented JSON with a line end, in which nothing is hidden: such files are also looked at in a terminal. The published
/// shapes hold nothing that cannot be JSON: string keys, no foreign types.
fn pretty(value: &impl Serialize) -> Vec<u8> {
    let mut json = serde_json::to_string_pretty(value).unwrap_or_default();
    json.push('\n');
    match clean_json(&json) {
        Cow::Borrowed(_) => json.into_bytes(),
        Cow::Owned(clean) => clean.into_bytes(),
    }
}
