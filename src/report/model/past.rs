//! Published shapes of what changed between runs, and of the runs over time (`docs/method/history.md`).

use serde::Serialize;

use crate::judge::compare::Difference;
use crate::model::school::RegionCode;
use crate::model::site::SiteKey;
use crate::model::summary::Completion;

use super::After;

/// What changed since the run before, over schools by the site they count by.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Changes {
    /// There is no earlier run to compare with.
    pub first_run: bool,
    /// The run that is compared with. None: there is none.
    pub since: Option<String>,
    /// Schools that did not pass and do now.
    pub gained: u64,
    /// Schools that passed and do not any more; two runs agree.
    pub lost: u64,
    /// Schools of which something new was seen once.
    pub unconfirmed: u64,
    /// Schools that go to and fro, whether they changed this time or not.
    pub flapping: u64,
    /// Completion if every school with an open verdict were as before. None: there is no such school.
    pub as_before: Option<After>,
    /// Schools that are new on the list.
    pub added: u64,
    /// Schools that are in another region than before.
    pub moved: Vec<Moved>,
    /// Schools that the list now calls closed.
    pub closed: Vec<Named>,
    /// Schools that are not on the list any more.
    pub removed: Vec<Named>,
}

/// A school by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// The region it is in, or was.
    pub region: RegionCode,
    /// Name of that region.
    pub region_name: String,
    /// Its site.
    pub domain: Option<SiteKey>,
}

/// A school that reports to another region than before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Moved {
    /// The school, where it is now.
    #[serde(flatten)]
    pub school: Named,
    /// The region it was in.
    pub from: RegionCode,
    /// Name of that region.
    pub from_name: String,
}

/// The runs that the trend is made of.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct HistoryInfo {
    /// The runs, earliest first; the last one is this report's.
    pub runs: Vec<RunRef>,
    /// The whole province in each of them.
    pub total: Vec<TrendInfo>,
    /// Earlier runs of the vantage that may not be compared with this one.
    pub left_out: Vec<LeftOutInfo>,
}

/// A run by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunRef {
    /// Its identifier.
    pub id: String,
    /// When it began, RFC 3339.
    pub started: String,
}

/// A run that may not be compared with this one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOutInfo {
    /// The run.
    #[serde(flatten)]
    pub run: RunRef,
    /// Why not.
    pub why: Vec<Difference>,
}

/// Numbers of one run of the trend.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TrendInfo {
    /// Over the list of that time. None: the region had no schools on it.
    pub listed: Option<TrendCounts>,
    /// Over the schools that are on the lists of all runs of the trend.
    pub same: TrendCounts,
}

/// The counts of a trend, as in [`super::Counts`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TrendCounts {
    /// Schools counted.
    pub listed: u64,
    /// Schools that pass.
    pub ready: u64,
    /// Schools that pass or fail.
    pub judged: u64,
    /// Schools that could not be judged.
    pub inconclusive: u64,
    /// ready / judged.
    pub rate: Option<f64>,
    /// The rate if everything not judged failed, and if it passed.
    pub range: Option<[f64; 2]>,
}

impl From<&Completion> for TrendCounts {
    fn from(inner: &Completion) -> Self {
        Self {
            listed: inner.listed,
            ready: inner.ready(),
            judged: inner.judged(),
            inconclusive: inner.inconclusive(),
            rate: inner.rate(),
            range: inner.range().map(|(low, high)| [low, high]),
        }
    }
}
