//! What of an entry is made only where it is wanted. Entries are made anew for every table, and most tables want little of
//! them.

use std::fmt;
use std::net::IpAddr;

use serde::{Serialize, Serializer};

use super::super::build::{base_name, of_site};
use super::super::format::joined;
use super::{NetworkInfo, ScoreInfo};
use crate::judge::operators;
use crate::judge::rules::RuleSet;
use crate::model::args::Args;
use crate::model::evidence::Pointer;
use crate::model::finding::{Finding, Severity};
use crate::model::school::SourceLine;
use crate::model::verdict::Assessment;

/// What was found at a site, in JSON a list.
#[derive(Clone, Copy, Debug, Default)]
pub struct Findings<'a>(pub &'a [Finding]);

/// A finding as published.
#[derive(Serialize)]
struct FindingInfo<'a> {
    /// Its code.
    code: String,
    /// How much it matters.
    severity: Severity,
    /// Details.
    args: &'a Args,
    /// Where the evidence is.
    evidence: Pointers<'a>,
}

impl Serialize for Findings<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|finding| FindingInfo {
            code: finding.code.name(),
            severity: finding.code.severity(),
            args: &finding.args,
            evidence: Pointers(&finding.evidence),
        }))
    }
}

/// Places in the evidence. As text `r1/connect/3 r1/walk/0`, in JSON a list.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pointers<'a>(pub &'a [Pointer]);

impl fmt::Display for Pointers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&joined(self.0, " "))
    }
}

impl Serialize for Pointers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(Shown))
    }
}

/// Serialised as it is written.
struct Shown<T>(T);

impl<T: fmt::Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// Whose network each IPv6 address is in. None: there is no verdict.
#[derive(Clone, Copy, Debug, Default)]
pub struct Networks<'a>(pub Option<&'a Assessment>);

impl Networks<'_> {
    /// One for each address.
    pub fn iter(&self) -> impl Iterator<Item = NetworkInfo> {
        let facts = self.0.map(|assessment| &assessment.facts);
        facts.into_iter().flat_map(|facts| {
            facts.aaaa.iter().filter_map(|address| match address {
                IpAddr::V6(v6) => Some(NetworkInfo { address: *v6, hint: operators::hint(*v6, &facts.a) }),
                IpAddr::V4(_) => None,
            })
        })
    }
}

impl Serialize for Networks<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

/// Points by each rule set. None: there is no verdict.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scores<'a> {
    pub(in crate::report) rules: &'a [RuleSet],
    pub(in crate::report) assessment: Option<&'a Assessment>,
}

impl Scores<'_> {
    /// One for each rule set.
    pub fn iter(&self) -> impl Iterator<Item = ScoreInfo> {
        self.assessment.into_iter().flat_map(|assessment| self.rules.iter().map(|rules| of_site(rules, assessment)))
    }
}

impl Serialize for Scores<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

/// The list and line of a row, as `schools.csv:12`. None, and then empty: there is no row.
#[derive(Clone, Copy, Debug, Default)]
pub struct Source<'a>(pub Option<&'a SourceLine>);

impl fmt::Display for Source<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |line| write!(f, "{}:{}", base_name(&line.file), line.line))
    }
}

impl Serialize for Source<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The command that repeats a probe. None: there is no verdict.
#[derive(Clone, Copy, Debug, Default)]
pub struct Repeat<'a>(pub Option<&'a Assessment>);

impl Repeat<'_> {
    /// The command.
    pub fn command(&self) -> Option<String> {
        self.0.map(Assessment::repeat_command)
    }
}

impl Serialize for Repeat<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.command().serialize(serializer)
    }
}
