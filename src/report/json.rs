//! `summary.json`, the published model as it is, and `manifest.json`: what the report was made from and by, and the
//! checksum of every file beside it.

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::build::base_name;
use super::format::{hex, rfc3339};
use super::model::{Mark, Report, RunInfo, SCHEMA_VERSION};
use super::{File, ReportInput};
use crate::model::address::Family;
use crate::model::evidence::EVIDENCE_VERSION;
use crate::model::run::{GateCheck, Proof};

/// Renders `summary.json`. Its JSON Schema is `docs/summary.schema.json`.
pub fn summary(report: &Report) -> File {
    ("summary.json".into(), pretty(report))
}

/// Renders `manifest.json` over the files that go into the same folder; make it last.
pub fn manifest(report: &Report, input: &ReportInput, files: &[File]) -> File {
    let run = input.run;
    let mut files: Vec<FileEntry> = files
        .iter()
        .map(|(name, bytes)| FileEntry { name, bytes: bytes.len(), sha256: hex(&Sha256::digest(bytes)) })
        .collect();
    files.sort_by_key(|entry| entry.name);
    let manifest = Manifest {
        schema_version: SCHEMA_VERSION,
        run: &report.run,
        marks: &report.marks,
        gate: Gate { open: run.gate.is_open(), checks: &run.gate.checks },
        proofs: run.vantage.proofs.len(),
        breaker: outages(&run.vantage.proofs),
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
    /// Times at which a family could not be proven.
    breaker: Vec<Outage>,
    versions: Versions<'a>,
    config_sha256: &'a str,
    policy: &'a str,
    coverage: Option<f64>,
    lists: Vec<List<'a>>,
    rows_in: u64,
    rows_out: u64,
    files: Vec<FileEntry<'a>>,
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

#[derive(Serialize)]
struct FileEntry<'a> {
    name: &'a str,
    bytes: usize,
    sha256: String,
}

/// A stretch of time during which a family's proofs failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outage {
    /// `ipv4` or `ipv6`.
    pub family: &'static str,
    /// The first failed proof, RFC 3339.
    pub from: String,
    /// The next good proof, RFC 3339. None: there was none.
    pub until: Option<String>,
}

/// The stretches of failed proofs, by family and time.
pub fn outages(proofs: &[Proof]) -> Vec<Outage> {
    let mut outages: Vec<Outage> = Vec::new();
    for family in Family::BOTH {
        let mut open: Option<Outage> = None;
        for proof in proofs.iter().filter(|proof| proof.family == family) {
            match (proof.good, open.take()) {
                (true, Some(outage)) => outages.push(Outage { until: Some(rfc3339(proof.at)), ..outage }),
                (true, None) => {}
                (false, Some(outage)) => open = Some(outage),
                (false, None) => {
                    open = Some(Outage { family: family.name(), from: rfc3339(proof.at), until: None });
                }
            }
        }
        outages.extend(open);
    }
    outages
}

/// Indented JSON with a line end. The published shapes hold nothing that cannot be JSON: string keys, no foreign types.
fn pretty(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(value).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::Timestamp;

    #[test]
    fn outages_are_stretches_between_good_proofs() {
        let proof = |at: i64, family, good| Proof { at: Timestamp(at * 1_000), family, good, page_bytes: 0 };
        let found = outages(&[
            proof(0, Family::V6, true),
            proof(20, Family::V6, false),
            proof(20, Family::V4, true),
            proof(25, Family::V6, false),
            proof(40, Family::V6, true),
            proof(60, Family::V6, false),
        ]);
        let outage = |from: &str, until: Option<&str>| Outage {
            family: "ipv6",
            from: format!("1970-01-01T00:{from}Z"),
            until: until.map(|until| format!("1970-01-01T00:{until}Z")),
        };
        assert_eq!(found, [outage("00:20", Some("00:40")), outage("01:00", None)]);
    }
}
