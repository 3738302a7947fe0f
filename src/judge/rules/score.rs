//! Points of one site, and of all schools by the sites they count by.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Award, Indicator, RuleSet, Value};
use crate::judge::summarise::counted_rows;
use crate::model::school::{Roster, RosterState};
use crate::model::site::SiteKey;
use crate::model::verdict::Assessment;

/// What one indicator gave.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// What was measured, as in rule files.
    pub measure: &'static str,
    /// What it came to. None: not judged.
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
    /// It passes, whatever is not judged. None: that depends on what is not judged.
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
    let enough = rules.passes_at.unwrap_or(maximum);
    let reaches = |points: f64| hundredths(points) >= hundredths(enough);
    let passes = match (reaches(points), reaches(points + maximum - judged)) {
        (true, _) => Some(true),
        (false, false) => Some(false),
        (false, true) => None,
    };
    Score {
        site: assessment.site.clone(),
        rules: rules.id.clone(),
        points: hundredths(points),
        judged: hundredths(judged),
        maximum: hundredths(maximum),
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

/// A rule set over all schools, each by the site it counts by. Sites that are out of the base are not in it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tally {
    /// All of them.
    pub total: Passes,
    /// Schools at which every indicator was judged.
    pub complete: u64,
    /// Their points on average. None: there are none.
    pub average: Option<f64>,
    /// Every indicator, in order.
    pub indicators: Vec<Row>,
    /// By the list's own finer kind, or the category where it gives none.
    pub kinds: BTreeMap<String, Passes>,
    /// By region.
    pub regions: BTreeMap<String, Passes>,
}

/// Adds a rule set up over all schools.
pub fn tally(rules: &RuleSet, roster: &Roster, assessments: &BTreeMap<SiteKey, Assessment>) -> Tally {
    let mut tally = Tally {
        total: Passes::default(),
        complete: 0,
        average: None,
        indicators: rules
            .indicators
            .iter()
            .map(|indicator| Row { measure: indicator.measure.word(), ..Row::default() })
            .collect(),
        kinds: BTreeMap::new(),
        regions: BTreeMap::new(),
    };
    let mut lost = vec![0.0; rules.indicators.len()];
    let mut sum = 0.0;
    for (school, row) in roster.schools.iter().zip(counted_rows(roster)) {
        let row = row.and_then(|row| roster.rows.get(row)).filter(|row| row.state == RosterState::Listed);
        let Some(assessment) = row.and_then(|row| assessments.get(row.site.as_ref()?)) else { continue };
        if assessment.readiness.counts_as() == crate::model::verdict::CountsAs::OutOfBase {
            continue;
        }
        let score = score(rules, assessment);
        let kind = school.subtype.clone().unwrap_or_else(|| school.category.name().to_owned());
        tally.total.count(score.passes);
        tally.kinds.entry(kind).or_default().count(score.passes);
        tally.regions.entry(school.region.0.clone()).or_default().count(score.passes);
        for ((line, row), lost) in score.indicators.iter().zip(&mut tally.indicators).zip(&mut lost) {
            let Some(missing) = line.lost() else { continue };
            row.judged += 1;
            row.full += u64::from(missing == 0.0);
            *lost += missing;
        }
        if score.indicators.iter().all(|line| line.points.is_some()) {
            tally.complete += 1;
            sum += score.points;
        }
    }
    for (row, lost) in tally.indicators.iter_mut().zip(lost) {
        row.lost = (row.judged > 0).then(|| hundredths(lost / row.judged as f64));
    }
    tally.average = (tally.complete > 0).then(|| hundredths(sum / tally.complete as f64));
    tally
}
