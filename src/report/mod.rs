//! Reports: what was decided, for people and for machines.
//!
//! The way is straight: inner types → [`model::Report`] (published shapes, versioned) → bytes ([`html`], [`csv`],
//! [`json`]) → a folder ([`mod@publish`]). Rendering is pure: bytes out, time only from the run, the same bytes on repeat.
//! Nothing is decided here; verdicts and sums come from [`crate::judge`]. Wording lives in [`text`], by code and language.

mod build;
pub mod clean;
pub mod csv;
mod deep;
pub mod format;
pub mod html;
pub mod json;
pub mod model;
pub mod names;
pub mod publish;
pub mod text;
pub mod trail;

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::judge::compare::Past;
use crate::judge::rules::RuleSet;
use crate::model::cause::Causes;
use crate::model::run::Run;
use crate::model::school::Roster;
use crate::model::site::SiteKey;
use crate::model::summary::{Policy, Summary};
use crate::model::time::Timestamp;
use crate::model::verdict::Assessment;

pub use model::Report;
pub use publish::{PublishError, publish};
pub use text::Lang;
pub use trail::trail;

/// A file of a report: its path inside the run's folder, with `/`, and its bytes.
pub type File = (String, Vec<u8>);

/// Everything that a report is made of.
#[derive(Clone, Copy, Debug)]
pub struct ReportInput<'a> {
    /// The run.
    pub run: &'a Run,
    /// The lists.
    pub roster: &'a Roster,
    /// The policy that progress is measured by.
    pub policy: &'a Policy,
    /// The verdicts.
    pub assessments: &'a BTreeMap<SiteKey, Assessment>,
    /// The sums.
    pub summary: &'a Summary,
    /// What would have to be mended.
    pub causes: &'a Causes,
    /// Rule sets to show the points of.
    pub rules: &'a [RuleSet],
    /// The evidence as short lines ([`trail()`]). A site may be missing.
    pub trails: &'a BTreeMap<SiteKey, Vec<String>>,
    /// When sites were first measured. A site that is not in it is measured for the first time.
    pub first_seen: &'a BTreeMap<SiteKey, Timestamp>,
    /// The runs that this one is compared with, and this one as the last of them.
    pub past: &'a Past,
    /// What every verdict rests on, as the bytes of `evidence.jsonl.zst`. Empty: the report goes without.
    pub evidence: &'a [u8],
    /// The language of pages and wording. Column names, codes and keys are the same in all.
    pub lang: Lang,
    /// The time zone of local times and days.
    pub zone: &'a jiff::tz::TimeZone,
}

/// Renders every file of this module, the manifest last.
pub fn render_all(input: &ReportInput) -> Vec<File> {
    let report = Report::new(input);
    let mut files = html::render(&report, input);
    files.extend(csv::render(&report, input.lang));
    files.extend(deep::render(&report));
    files.push(json::summary(&report));
    if !input.evidence.is_empty() {
        files.push(("evidence.jsonl.zst".to_owned(), input.evidence.to_vec()));
    }
    files.push(json::manifest(&report, input, &files));
    files
}
