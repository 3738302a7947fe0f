//! Collecting findings: each code once, with its arguments and every pointer that supports it.

use std::collections::BTreeMap;

use crate::model::evidence::Pointer;
use crate::model::finding::{Code, Finding};

/// Findings in the making.
#[derive(Debug, Default)]
pub(super) struct Findings(BTreeMap<Code, Finding>);

impl Findings {
    /// Adds a finding without arguments.
    pub(super) fn add(&mut self, code: Code, evidence: &[Pointer]) {
        self.add_with(code, &[], evidence);
    }

    /// Adds a finding with arguments; an argument seen before gets the new value appended.
    pub(super) fn add_with(&mut self, code: Code, args: &[(&str, String)], evidence: &[Pointer]) {
        let finding =
            self.0.entry(code).or_insert_with(|| Finding { code, args: BTreeMap::new(), evidence: Vec::new() });
        for (name, value) in args {
            let known = finding.args.entry((*name).to_owned()).or_default();
            if known.is_empty() {
                known.clone_from(value);
            } else if !known.split(", ").any(|part| part == value) {
                known.push_str(", ");
                known.push_str(value);
            }
        }
        for pointer in evidence {
            if !finding.evidence.contains(pointer) {
                finding.evidence.push(*pointer);
            }
        }
    }

    /// The code was found.
    pub(super) fn has(&self, code: Code) -> bool {
        self.0.contains_key(&code)
    }

    /// All findings, the gravest first, then in table order.
    pub(super) fn into_sorted(self) -> Vec<Finding> {
        let mut findings: Vec<_> = self.0.into_values().collect();
        findings.sort_by_key(|finding| (finding.code.severity(), finding.code));
        findings
    }
}
