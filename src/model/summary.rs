//! Numbers over many schools: never only a percentage, always the counts it is made of.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::school::{Category, RegionCode, RosterState};
use super::verdict::{CountsAs, Readiness};

/// How many schools are in which state.
///
/// A school counts once, by its portal. The fields are counts of schools.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completion {
    /// Schools on the lists.
    pub listed: u64,
    /// By verdict; a verdict that nobody has is not in the map.
    pub verdicts: BTreeMap<Readiness, u64>,
    /// By roster state, for schools without a verdict; never holds [`RosterState::Listed`] except for schools whose
    /// probe is missing because the run was interrupted.
    pub roster: BTreeMap<RosterState, u64>,
}

impl Completion {
    /// Adds one school with a verdict.
    pub fn add_verdict(&mut self, readiness: Readiness) {
        self.listed += 1;
        *self.verdicts.entry(readiness).or_default() += 1;
    }

    /// Adds one school without a verdict.
    pub fn add_roster(&mut self, state: RosterState) {
        self.listed += 1;
        *self.roster.entry(state).or_default() += 1;
    }

    /// Adds all schools of another set.
    pub fn add(&mut self, other: &Self) {
        self.listed += other.listed;
        for (readiness, count) in &other.verdicts {
            *self.verdicts.entry(*readiness).or_default() += count;
        }
        for (state, count) in &other.roster {
            *self.roster.entry(*state).or_default() += count;
        }
    }

    /// Schools with this verdict.
    pub fn of(&self, readiness: Readiness) -> u64 {
        self.verdicts.get(&readiness).copied().unwrap_or(0)
    }

    fn counting(&self, counts_as: CountsAs) -> u64 {
        self.verdicts.iter().filter(|(readiness, _)| readiness.counts_as() == counts_as).map(|(_, count)| count).sum()
    }

    /// Schools that pass: the numerator.
    pub fn ready(&self) -> u64 {
        self.counting(CountsAs::Pass)
    }

    /// Schools that pass or fail: the base.
    pub fn judged(&self) -> u64 {
        self.ready() + self.counting(CountsAs::Fail)
    }

    /// Schools that could not be judged, among them those an interrupted run did not get to.
    pub fn inconclusive(&self) -> u64 {
        self.counting(CountsAs::NotJudged) + self.roster.get(&RosterState::Listed).copied().unwrap_or(0)
    }

    /// Schools that are left out of the base, and listed by name.
    pub fn out_of_base(&self) -> u64 {
        self.listed - self.judged() - self.inconclusive()
    }

    /// ready / judged, 0 to 1. None: nothing was judged.
    pub fn rate(&self) -> Option<f64> {
        ratio(self.ready(), self.judged())
    }

    /// judged / (judged + inconclusive), 0 to 1. None: there was nothing to judge.
    pub fn coverage(&self) -> Option<f64> {
        ratio(self.judged(), self.judged() + self.inconclusive())
    }

    /// The rate if everything not judged failed, and if everything not judged passed. None: there was nothing to judge.
    pub fn range(&self) -> Option<(f64, f64)> {
        let base = self.judged() + self.inconclusive();
        Some((ratio(self.ready(), base)?, ratio(self.ready() + self.inconclusive(), base)?))
    }
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// A group of schools and its numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegionSummary {
    /// The region.
    pub code: RegionCode,
    /// Everything in it, at every level below.
    pub completion: Completion,
    /// Service rows (其他系统) of its schools, at every level below. Here the counts are of rows, not of schools.
    pub services: Completion,
    /// Per category.
    pub categories: BTreeMap<Category, Completion>,
    /// Per county; the empty code holds schools whose county is not known.
    pub counties: BTreeMap<RegionCode, Completion>,
    /// May be ranked: coverage is high enough.
    pub rankable: bool,
    /// Place in the ranking by rate, equal rates sharing a place, from 1. None: not rankable, or nothing judged.
    pub rank: Option<u32>,
}

/// Progress towards one task of the policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskProgress {
    /// The task as the policy file gives it.
    pub task: Task,
    /// Schools in the task's categories.
    pub completion: Completion,
}

/// One task of a policy, such as no. 2 of 教科技函〔2023〕99号.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Its number in the document, such as `2`.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Title in English. None: not given.
    pub title_en: Option<String>,
    /// The document's own word for how far, such as 基本完成.
    pub wording: String,
    /// Share of judged schools to be ready, 0 to 1.
    pub target: f64,
    /// Whether the document itself gives that number. False: it is a parameter of ours.
    pub target_official: bool,
    /// Which schools it is about.
    pub categories: Vec<Category>,
    /// 责任单位, in the document's words.
    pub responsible: Vec<String>,
    /// Deadline as a date (`2023-12-31`), as the document gives it. None: it gives none.
    pub deadline: Option<String>,
}

/// A policy: the document and its tasks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// Title of the document.
    pub title: String,
    /// Its number, such as 教科技函〔2023〕99号.
    pub number: String,
    /// The province or region it covers, by name.
    pub area: String,
    /// Its tasks.
    pub tasks: Vec<Task>,
    /// Below this coverage a region is not ranked and the report is marked 未完成.
    pub minimum_coverage: f64,
}

/// All numbers of one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The whole province.
    pub total: Completion,
    /// Service rows (其他系统): they decide nothing about completion and have a rate of their own. Here the counts are of
    /// rows, not of schools.
    pub services: Completion,
    /// Every region with schools, in list order.
    pub regions: Vec<RegionSummary>,
    /// Per category.
    pub categories: BTreeMap<Category, Completion>,
    /// Per 责任单位; the empty name holds schools without one.
    pub units: BTreeMap<String, Completion>,
    /// Per task.
    pub tasks: Vec<TaskProgress>,
}
