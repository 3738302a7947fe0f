//! Points of one site, and of all schools by the sites they count by.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Award, Indicator, RuleSet, Value};
use crate::judge::summarise::{counted_rows, lineage, parents};
use crate::model::school::{Roster, RosterState};
use crate::model::site::SiteKey;
use crate::model::verdict::{Assessment, CountsAs};

/// What one indicator gave.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// What was measured, as in rule files.
    pub measure: &'static str,
    /// What it came to. None: nothing was measured.
    pub value: Option<Value>,
    /// Points given. None: not judged.
    pub points: Option<f64>,
    /// Points there are.
    pub maximum: f64,
}

impl Line {
    /// Points that were there and were not given. None: not judged.
    pub fn lost(&self) -> Option<f64> {
        self.points.map(|points| hundredths(self.maximum - points))
    }
}

/// What a rule set says of one site.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Score {
    /// The site.
    pub site: SiteKey,
    /// The rule set.
    pub rules: String,
    /// Points given.
    pub points: f64,
    /// Points of the indicators that were judged. 0: none was.
    pub judged: f64,
    /// All points there are.
    pub maximum: f64,
    /// Points with which it passes. None: the set says nothing of passing.
    pub passes_at: Option<f64>,
    /// It passes, whatever is not judged. None: that depends on what is not judged, or the set says nothing of it.
    pub passes: Option<bool>,
    /// Every indicator.
    pub indicators: Vec<Line>,
}

/// Scores one site.
pub fn score(rules: &RuleSet, assessment: &Assessment) -> Score {
    let lines: Vec<Line> = rules.indicators.iter().map(|indicator| line(indicator, assessment)).collect();
    let points: f64 = lines.iter().filter_map(|line| line.points).sum();
    let judged: f64 = lines.iter().filter(|line| line.points.is_some()).map(|line| line.maximum).sum();
    let maximum = rules.maximum();
    let passes = rules.mark().and_then(|enough| {
        let reaches = |points: f64| hundredths(points) >= hundredths(enough);
        match (reaches(points), reaches(points + maximum - judged)) {
            (true, _) => Some(true),
            (false, false) => Some(false),
            (false, true) => None,
        }
    });
    Score {
        site: assessment.site.clone(),
        rules: rules.id.clone(),
        points: hundredths(points),
        judged: hundredths(judged),
        maximum: hundredths(maximum),
        passes_at: rules.mark(),
        passes,
        indicators: lines,
    }
}

fn line(indicator: &Indicator, assessment: &Assessment) -> Line {
    let enough = |value: &Value| value.counts.is_none_or(|(_, whole)| whole >= indicator.minimum);
    let value = indicator.measure.of(assessment).filter(enough);
    let points = value.map(|value| match &indicator.award {
        Award::AtLeast(limit) => {
            if value.value >= *limit {
                indicator.weight
            } else {
                0.0
            }
        }
        Award::AtMost(limit) => {
            if value.value <= *limit {
                indicator.weight
            } else {
                0.0
            }
        }
        Award::Share => indicator.weight * value.value,
        Award::Steps(steps) => steps.iter().find(|(from, _)| value.value >= *from).map_or(0.0, |(_, points)| *points),
    });
    let fails = assessment.readiness.counts_as() == CountsAs::Fail;
    let points = points.or((indicator.zero_where_failing && fails).then_some(0.0));
    Line { measure: indicator.measure.word(), value, points: points.map(hundredths), maximum: indicator.weight }
}

/// Two decimals, so that sums do not show how computers add.
fn hundredths(points: f64) -> f64 {
    (points * 100.0).round() / 100.0
}

/// How one indicator went over many schools.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Row {
    /// What was measured.
    pub measure: &'static str,
    /// Schools at which it was judged.
    pub judged: u64,
    /// Of these, schools that got all points.
    pub full: u64,
    /// Points lost on average over the schools at which it was judged. None: at none.
    pub lost: Option<f64>,
}

/// How many schools pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Passes {
    /// Pass.
    pub pass: u64,
    /// Fail.
    pub fail: u64,
    /// Not judged far enough to say.
    pub not_judged: u64,
}

impl Passes {
    fn count(&mut self, passes: Option<bool>) {
        match passes {
            Some(true) => self.pass += 1,
            Some(false) => self.fail += 1,
            None => self.not_judged += 1,
        }
    }
}

/// Many schools together: all of a region at every level, for example.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Sum {
    /// How many pass. All zero where the set says nothing of passing.
    #[serde(flatten)]
    pub passes: Passes,
    /// Schools in the base.
    pub schools: u64,
    /// Schools at which every indicator was judged.
    pub complete: u64,
    /// Their points on average. None: they are fewer than half of the schools.
    pub average: Option<f64>,
    /// Every indicator, in order.
    pub indicators: Vec<Row>,
}

/// A rule set over all schools, each by the site it counts by. Sites that are out of the base are not in it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tally {
    /// All of them.
    pub total: Passes,
    /// Schools in the base.
    pub schools: u64,
    /// Schools at which every indicator was judged.
    pub complete: u64,
    /// Their points on average. None: they are fewer than half of the schools.
    pub average: Option<f64>,
    /// Every indicator, in order.
    pub indicators: Vec<Row>,
    /// By the list's own finer kind, or the category where it gives none.
    pub kinds: BTreeMap<String, Passes>,
    /// By region, with everything below it.
    pub regions: BTreeMap<String, Sum>,
    /// By region, without what lies below it.
    #[serde(skip)]
    pub direct: BTreeMap<String, Sum>,
}

/// Adds schools up.
#[derive(Clone, Debug, Default)]
struct Adder {
    sum: Sum,
    points: f64,
    lost: Vec<f64>,
}

impl Adder {
    fn add(&mut self, score: &Score) {
        self.sum.schools += 1;
        if score.passes_at.is_some() {
            self.sum.passes.count(score.passes);
        }
        self.lost.resize(score.indicators.len(), 0.0);
        if self.sum.indicators.is_empty() {
            let row = |line: &Line| Row { measure: line.measure, ..Row::default() };
            self.sum.indicators = score.indicators.iter().map(row).collect();
        }
        for ((line, row), lost) in score.indicators.iter().zip(&mut self.sum.indicators).zip(&mut self.lost) {
            let Some(missing) = line.lost() else { continue };
            row.judged += 1;
            row.full += u64::from(missing == 0.0);
            *lost += missing;
        }
        if score.indicators.iter().all(|line| line.points.is_some()) {
            self.sum.complete += 1;
            self.points += score.points;
        }
    }

    fn finish(mut self) -> Sum {
        for (row, lost) in self.sum.indicators.iter_mut().zip(self.lost) {
            row.lost = (row.judged > 0).then(|| hundredths(lost / row.judged as f64));
        }
        // Where most are not judged to the end, the rest are mostly those that fail: their average would stand for nobody.
        let most = self.sum.complete > 0 && self.sum.complete * 2 >= self.sum.schools;
        self.sum.average = most.then(|| hundredths(self.points / self.sum.complete as f64));
        self.sum
    }
}

/// Adds a rule set up over all schools.
pub fn tally(rules: &RuleSet, roster: &Roster, assessments: &BTreeMap<SiteKey, Assessment>) -> Tally {
    let mut total = Adder::default();
    let mut kinds: BTreeMap<String, Passes> = BTreeMap::new();
    let mut regions: BTreeMap<String, Adder> = BTreeMap::new();
    let mut direct: BTreeMap<String, Adder> = BTreeMap::new();
    let parents = parents(roster);
    for (school, row) in roster.schools.iter().zip(counted_rows(roster)) {
        let row = row.and_then(|row| roster.rows.get(row)).filter(|row| row.state == RosterState::Listed);
        let Some(assessment) = row.and_then(|row| assessments.get(row.site.as_ref()?)) else { continue };
        if assessment.readiness.counts_as() == CountsAs::OutOfBase {
            continue;
        }
        let score = score(rules, assessment);
        let kind = school.subtype.as_deref().unwrap_or(school.category.name()).to_owned();
        if score.passes_at.is_some() {
            kinds.entry(kind).or_default().count(score.passes);
        }
        total.add(&score);
        direct.entry(school.region.0.to_string()).or_default().add(&score);
        for code in lineage(&parents, &school.region) {
            regions.entry(code.0.to_string()).or_default().add(&score);
        }
    }
    let finished = |sums: BTreeMap<String, Adder>| sums.into_iter().map(|(code, sum)| (code, sum.finish())).collect();
    let mut total = total.finish();
    if total.indicators.is_empty() {
        let measures = rules.indicators.iter().map(|indicator| indicator.measure.word());
        total.indicators = measures.map(|measure| Row { measure, ..Row::default() }).collect();
    }
    Tally {
        total: total.passes,
        schools: total.schools,
        complete: total.complete,
        average: total.average,
        indicators: total.indicators,
        kinds,
        regions: finished(regions),
        direct: finished(direct),
    }
}
