//! Stored evidence and what must be concluded from it, to the last finding, pointer and fact: `tests/evidence/*.json`.
//!
//! A rule that changes shows here which verdicts it moves. Two ways to write the files anew, both to be read as a diff:
//!
//! * `V6READY_GOLDEN=judge cargo test --test it golden` keeps the evidence and writes what is concluded now;
//! * `V6READY_GOLDEN=record cargo test --test it golden` also records the evidence anew, from the scenarios.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use v6ready::judge::{Criteria, assess};
use v6ready::model::address::Family;
use v6ready::model::evidence::{EVIDENCE_VERSION, Observation};
use v6ready::model::run::Vantage;
use v6ready::model::verdict::Assessment;

use crate::all_scenarios;

/// Rows of the truth table whose evidence is stored.
const ROWS: [&str; 22] = [
    "D01", "D02", "D05", "D06", "D13", "D16", "D21", "H02", "H11a", "H16a", "K03", "N04", "N07", "N09", "N11", "R01",
    "S01", "T01", "T04a", "T08a", "T10a", "V01a",
];

#[derive(Debug, Serialize, Deserialize)]
struct Golden {
    name: String,
    vantage: Vantage,
    observation: Observation,
    expected: Assessment,
}

impl Golden {
    fn new(name: &str, vantage: Vantage, observation: Observation) -> Self {
        let expected = assess(&observation, &vantage, &Criteria::default());
        Self { name: name.to_owned(), vantage, observation, expected }
    }

    fn write(&self, to: &Path) {
        let text = serde_json::to_string_pretty(self).expect("JSON") + "\n";
        std::fs::write(to, text).expect("the file is written");
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/evidence")
}

async fn record() {
    let scenarios = all_scenarios::all();
    let file = |stem: &str| folder().join(format!("{stem}.json"));
    for row in ROWS {
        let scenario = scenarios.iter().find(|scenario| scenario.id == row).expect("the row has a scenario");
        let (_lab, evidence) = all_scenarios::run(scenario).await;
        let observation = evidence.observations.into_values().next().expect("evidence");
        let golden = Golden::new(&scenario.name, evidence.vantage, observation);
        golden.write(&file(row));
        if row == "T08a" {
            // The same stall, where full-sized packets are not known to reach this vantage.
            let mut vantage = golden.vantage.clone();
            vantage.proofs.iter_mut().for_each(|proof| proof.page_bytes = 1400);
            let small = "IPv6 loses packets larger than 1280 bytes; only small pages came to the canaries";
            Golden::new(small, vantage, golden.observation.clone()).write(&file("T08a-small"));
        }
        if row == "T01" {
            // The same silence, as it is judged when less is known.
            let mut vantage = golden.vantage.clone();
            vantage.proofs.retain(|proof| proof.family == Family::V4);
            let unproven = "IPv6 drops SYN on both ports; the vantage's IPv6 is not proven";
            Golden::new(unproven, vantage, golden.observation.clone()).write(&file("T01-unproven"));
            let mut once = golden.observation;
            once.rounds.truncate(1);
            let unconfirmed = "IPv6 drops SYN on both ports; there was no second round";
            Golden::new(unconfirmed, golden.vantage, once).write(&file("T01-unconfirmed"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stored_evidence_leads_to_the_stored_verdict() {
    let mode = std::env::var("V6READY_GOLDEN").unwrap_or_default();
    if mode == "record" {
        record().await;
    }
    let entries = std::fs::read_dir(folder()).expect("tests/evidence is there");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    assert!(paths.len() >= ROWS.len(), "evidence is missing");
    for path in paths {
        let text = std::fs::read_to_string(&path).expect("a readable file");
        let stored: Golden = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(stored.observation.version, EVIDENCE_VERSION, "{}", path.display());
        let golden = Golden::new(&stored.name, stored.vantage, stored.observation);
        if mode == "judge" {
            golden.write(&path);
        } else {
            assert_eq!(golden.expected, stored.expected, "{}: {}", path.display(), stored.name);
        }
    }
}
