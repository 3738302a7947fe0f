//! Collecting findings: each code once, with its arguments and every pointer that supports it. What was added in another
//! order comes out the same.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::evidence::Pointer;
use crate::model::finding::{Code, Finding};

/// Findings in the making.
#[derive(Debug, Default)]
pub(super) struct Findings(BTreeMap<Code, Parts>);

#[derive(Debug, Default)]
struct Parts {
    args: BTreeMap<&'static str, BTreeSet<String>>,
    evidence: BTreeSet<Pointer>,
}

impl Findings {
    /// Adds a finding without arguments.
    pub(super) fn add(&mut self, code: Code, evidence: &[Pointer]) {
        self.add_with(code, &[], evidence);
    }

    /// Adds a finding with arguments; an argument may have several values.
    pub(super) fn add_with(&mut self, code: Code, args: &[(&'static str, String)], evidence: &[Pointer]) {
        let parts = self.0.entry(code).or_default();
        for (name, value) in args {
            parts.args.entry(name).or_default().insert(value.clone());
        }
        parts.evidence.extend(evidence);
    }

    /// The code was found.
    pub(super) fn has(&self, code: Code) -> bool {
        self.0.contains_key(&code)
    }

    /// All findings, the gravest first, then in table order. Values of an argument are joined by a comma.
    pub(super) fn into_sorted(self) -> Vec<Finding> {
        let joined = |values: BTreeSet<String>| values.into_iter().collect::<Vec<_>>().join(", ");
        let finding = |(code, parts): (Code, Parts)| Finding {
            code,
            args: parts.args.into_iter().map(|(name, values)| (name, joined(values))).collect(),
            evidence: parts.evidence.into_iter().collect(),
        };
        let mut findings: Vec<_> = self.0.into_iter().map(finding).collect();
        findings.sort_by_key(|finding| (finding.code.severity(), finding.code));
        findings
    }
}
