//! The nouns of the program: schools, sites, evidence, findings, verdicts, runs, summaries.
//!
//! Plain data that serialises, with the small arithmetic that belongs to the data itself. No input or output, no clock,
//! no policy: what a fact *means* is decided in [`crate::judge`], how it is *worded* in [`crate::report`].

pub mod address;
pub mod args;
pub mod cause;
pub mod deep;
pub mod evidence;
pub mod failure;
pub mod finding;
pub mod mail;
pub mod optout;
pub mod outage;
pub mod owner;
pub mod run;
pub mod school;
pub mod site;
pub mod summary;
pub mod time;
pub mod verdict;
pub mod word;

/// Version of the measuring and judging rules, as printed on every report and stored with every run.
///
/// Raised whenever a change can move a number; each raise has a line under "Method" in `CHANGELOG.md`.
pub const METHOD_VERSION: &str = "2026.1";
