//! Published shapes of what is computed over the verdicts: causes, rule sets, networks.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use serde::{Serialize, Serializer};

use crate::judge::operators::{Hint, Operator};
use crate::judge::rules::{RuleSet, Tally};
use crate::model::args::Args;
use crate::model::finding::Finding;
use crate::model::site::SiteKey;

/// One thing that would have to be mended, and what would follow.
#[derive(Clone, Debug, Serialize)]
pub struct CauseInfo {
    /// Its code: the finding whose wording and remedy it has.
    pub code: String,
    /// What it is about.
    pub subject: String,
    /// Details for the wording.
    pub args: Args,
    /// It belongs to none of those whose sites it holds back. None: it has no name that could tell.
    pub outside: Option<bool>,
    /// Rows of the lists that it holds back.
    pub rows: u64,
    /// Schools that it alone holds back.
    pub helped: u64,
    /// Schools that it holds back, alone or among other causes.
    pub touched: u64,
    /// The whole province after it was mended.
    pub after: After,
    /// Regions with touched schools, in list order.
    pub regions: Vec<AfterIn>,
    /// Tasks with touched schools.
    pub tasks: Vec<AfterIn>,
    /// 责任单位 of the schools.
    pub units: Vec<String>,
    /// Its sites.
    pub sites: Vec<SiteKey>,
    /// The cause with its inner types, for the wording.
    #[serde(skip)]
    pub finding: Finding,
}

/// Completion after one cause was mended and nothing else. For a cause of defects it is what it was.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct After {
    /// Schools that would pass.
    pub ready: u64,
    /// Schools that pass or fail, as before.
    pub judged: u64,
    /// ready / judged.
    pub rate: Option<f64>,
}

/// What a cause does to a region or a task.
#[derive(Clone, Debug, Serialize)]
pub struct AfterIn {
    /// Code of the region, or number of the task.
    pub key: String,
    /// Schools that the cause alone holds back.
    pub helped: u64,
    /// Schools that it holds back, alone or among other causes.
    pub touched: u64,
    /// Completion after it was mended.
    pub after: After,
}

/// A hint about an address (docs/method/operators.md).
#[derive(Clone, Debug, Serialize)]
pub struct NetworkInfo {
    /// The address.
    pub address: Ipv6Addr,
    /// Whose network, and how it came about.
    #[serde(flatten)]
    pub hint: Hint,
}

/// IPv6 addresses of one operator.
#[derive(Clone, Debug, Serialize)]
pub struct OperatorInfo {
    /// The operator.
    pub operator: Operator,
    /// Sites with an address in its network. One site may have addresses with several.
    pub sites: u64,
    /// Of these, sites with an address there that does not look native.
    pub not_native: u64,
}

/// A rule set and what all schools make by it (docs/method/rules.md).
#[derive(Clone, Debug, Serialize)]
pub struct RuleSetInfo {
    /// Its name.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Its title in English.
    pub title_en: String,
    /// Its day.
    pub date: String,
    /// Where it is from.
    pub source: String,
    /// The same in English. None: the file has it in one language.
    pub source_en: Option<String>,
    /// The source itself gives all limits.
    pub official: bool,
    /// All points there are.
    pub maximum: f64,
    /// Points with which a site passes. None: the set says nothing of passing.
    pub passes_at: Option<f64>,
    /// All schools by the site they count by.
    #[serde(flatten)]
    pub tally: Tally,
    /// The rule set itself, for the names of its indicators.
    #[serde(skip)]
    pub rules: RuleSet,
}

/// Points of one site.
#[derive(Clone, Debug, Serialize)]
pub struct ScoreInfo {
    /// The rule set.
    pub rules: String,
    /// Points given.
    pub points: f64,
    /// Points of what was judged.
    pub judged: f64,
    /// All points.
    pub maximum: f64,
    /// It passes. None: that depends on what was not judged, or the set says nothing of passing.
    pub passes: Option<bool>,
    /// Points lost by indicator; only where any were. `null`: the indicator was not judged.
    pub lost: Lost,
}

/// Points lost by indicator, in the order of names; an object in JSON. Every site has one for each rule set, and a list is a
/// fifth of a map.
#[derive(Clone, Debug, PartialEq)]
pub struct Lost(Box<[(&'static str, Option<f64>)]>);

impl FromIterator<(&'static str, Option<f64>)> for Lost {
    fn from_iter<I: IntoIterator<Item = (&'static str, Option<f64>)>>(points: I) -> Self {
        let by_name: BTreeMap<_, _> = points.into_iter().collect();
        Self(by_name.into_iter().collect())
    }
}

impl Serialize for Lost {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
}
