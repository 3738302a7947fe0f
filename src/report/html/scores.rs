//! Rule sets side by side: over everything, by region, and the points of one site in a line.

use std::collections::BTreeMap;

use super::super::clean::clean;
use super::super::format::percent;
use super::super::model::{Report, RuleSetInfo, SchoolRow};
use super::super::text::{Lang, Text};
use super::head::percent_sign;
use super::tables::{Entry, entry_name};
use crate::judge::rules::{Passes, Row, Sum};
use crate::model::school::RegionCode;

/// One rule set.
pub(super) struct RuleView {
    pub(super) id: String,
    pub(super) title: String,
    /// Day and source.
    pub(super) origin: String,
    pub(super) official: bool,
    /// Schools in the base.
    pub(super) schools: u64,
    pub(super) passes: PassesView,
    /// Points on average, with the maximum.
    pub(super) average: String,
    pub(super) indicators: Vec<IndicatorView>,
    /// Kinds of schools with their counts. Empty: the set says nothing of passing.
    pub(super) kinds: Vec<String>,
    /// Regions with what each loses on average by indicator.
    pub(super) regions: Vec<RegionView>,
}

/// How many pass: dashes where a set says nothing of passing.
pub(super) struct PassesView {
    pub(super) pass: String,
    pub(super) fail: String,
    pub(super) not_judged: String,
    /// Share that passes: a range where some are not judged.
    pub(super) share: String,
}

/// One region by one rule set.
pub(super) struct RegionView {
    pub(super) name: String,
    /// Page of the region.
    pub(super) link: String,
    /// Schools in the base.
    pub(super) schools: u64,
    pub(super) average: String,
    pub(super) share: String,
    /// Points lost on average, by indicator.
    pub(super) lost: Vec<String>,
}

/// One indicator of a rule set.
pub(super) struct IndicatorView {
    pub(super) name: String,
    pub(super) weight: String,
    pub(super) judged: u64,
    pub(super) full: u64,
    pub(super) lost: String,
}

/// All rule sets of a report, with the lines of the index.
pub(super) fn views(report: &Report, text: &Text, entries: &[Entry<'_>]) -> Vec<RuleView> {
    let of_region = |info: &RuleSetInfo| {
        let line = |entry: &Entry<'_>| {
            let region = entry.info();
            let sums = match entry {
                Entry::Whole(_) => &info.tally.regions,
                Entry::Direct(_) => &info.tally.direct,
            };
            let sum = sums.get(region.code.0.as_str())?;
            Some(region_view(info, sum, entry_name(text, *entry), region.page.clone(), text))
        };
        entries.iter().filter_map(line).collect()
    };
    let all = |info: &RuleSetInfo| {
        let tally = &info.tally;
        let (total, complete, average) = (tally.total, tally.complete, tally.average);
        let sum =
            Sum { passes: total, schools: tally.schools, complete, average, indicators: tally.indicators.clone() };
        view(info, &sum, &tally.kinds, of_region(info), text)
    };
    report.rule_sets.iter().map(all).collect()
}

/// The same of one region's page: all of the region, or of a province what reports to it directly.
pub(super) fn of_region(report: &Report, text: &Text, code: &RegionCode, whole: bool) -> Vec<RuleView> {
    let one = |info: &RuleSetInfo| {
        let sums = if whole { &info.tally.regions } else { &info.tally.direct };
        Some(view(info, sums.get(code.0.as_str())?, &BTreeMap::new(), Vec::new(), text))
    };
    report.rule_sets.iter().filter_map(one).collect()
}

fn view(
    info: &RuleSetInfo,
    sum: &Sum,
    kinds: &BTreeMap<String, Passes>,
    regions: Vec<RegionView>,
    text: &Text,
) -> RuleView {
    let english = text.lang() == Lang::En;
    let indicators = info.rules.indicators.iter().zip(&sum.indicators).map(|(indicator, row)| IndicatorView {
        name: clean(if english { &indicator.name_en } else { &indicator.name }).into_owned(),
        weight: points(indicator.weight),
        judged: row.judged,
        full: row.full,
        lost: lost(row, text),
    });
    let kinds = kinds.iter().map(|(kind, of)| {
        let name = clean(text.category_name(kind)).into_owned();
        format!("{name} {} / {} = {}", of.pass, of.pass + of.fail + of.not_judged, share(*of))
    });
    let source = info.source_en.as_ref().filter(|_| english).unwrap_or(&info.source);
    RuleView {
        id: clean(&info.id).into_owned(),
        title: clean(if english { &info.title_en } else { &info.title }).into_owned(),
        origin: format!("{} · {}", clean(&info.date), clean(source)),
        official: info.official,
        schools: sum.schools,
        passes: passes(info, sum.passes),
        average: average(info, sum, text),
        indicators: indicators.collect(),
        kinds: kinds.collect(),
        regions,
    }
}

fn region_view(info: &RuleSetInfo, sum: &Sum, name: String, link: String, text: &Text) -> RegionView {
    RegionView {
        name,
        link,
        schools: sum.schools,
        average: average(info, sum, text),
        share: passes(info, sum.passes).share,
        lost: sum.indicators.iter().map(|row| lost(row, text)).collect(),
    }
}

fn passes(info: &RuleSetInfo, of: Passes) -> PassesView {
    let count = |number: u64| info.passes_at.map_or_else(|| "–".to_owned(), |_| number.to_string());
    PassesView {
        pass: count(of.pass),
        fail: count(of.fail),
        not_judged: count(of.not_judged),
        share: info.passes_at.map_or_else(|| "–".to_owned(), |_| share(of)),
    }
}

/// Points on average over the schools at which everything was judged, of all, and the number of these schools.
fn average(info: &RuleSetInfo, sum: &Sum, text: &Text) -> String {
    match sum.average {
        Some(average) => format!("{} / {} ({})", points(average), points(info.maximum), sum.complete),
        None => text.w("rule.unjudged").to_owned(),
    }
}

/// Nothing judged is not nothing lost.
fn lost(row: &Row, text: &Text) -> String {
    row.lost.map_or_else(|| text.w("rule.unjudged").to_owned(), points)
}

/// What passes of all: if everything not judged failed, and if all of it passed. Who fails may be known where it is not yet
/// known who passes, so that a share of those judged alone would say too little.
fn share(of: Passes) -> String {
    let all = of.pass + of.fail + of.not_judged;
    let (low, high) = (percent(of.pass, all), percent(of.pass + of.not_judged, all));
    match (low, high) {
        (Some(low), Some(high)) if low != high => format!("{low} – {high} %"),
        (low, _) => percent_sign(low),
    }
}

/// `national-2024 5 / 5 (7)`: points given, points judged, all points.
pub(super) fn of_row(row: &SchoolRow, text: &Text) -> String {
    let score = |score: super::super::model::ScoreInfo| {
        let given = match score.judged {
            0.0 => text.w("rule.unjudged").to_owned(),
            judged => format!("{} / {}", points(score.points), points(judged)),
        };
        format!("{} {given} ({})", clean(&score.rules), points(score.maximum))
    };
    row.scores.iter().map(score).collect::<Vec<_>>().join(text.w("sep"))
}

/// At most two decimals.
fn points(points: f64) -> String {
    format!("{}", (points * 100.0).round() / 100.0)
}
