//! Rule sets side by side, and the points of one site in a line.

use super::super::clean::clean;
use super::super::format::percent;
use super::super::model::{Report, RuleSetInfo, SchoolRow};
use super::super::text::{Lang, Text};
use super::head::percent_sign;
use crate::judge::rules::Passes;

/// One rule set.
pub(super) struct RuleView {
    pub(super) id: String,
    pub(super) title: String,
    /// Day and source.
    pub(super) origin: String,
    pub(super) official: bool,
    pub(super) pass: u64,
    pub(super) fail: u64,
    pub(super) not_judged: u64,
    /// Share that passes: a range where some are not judged.
    pub(super) share: String,
    /// Points on average, with the maximum.
    pub(super) average: String,
    pub(super) indicators: Vec<IndicatorView>,
    /// Kinds of schools with their counts.
    pub(super) kinds: Vec<String>,
}

/// One indicator of a rule set.
pub(super) struct IndicatorView {
    pub(super) name: String,
    pub(super) weight: String,
    pub(super) judged: u64,
    pub(super) full: u64,
    pub(super) lost: String,
}

/// All rule sets of a report.
pub(super) fn views(report: &Report, text: &Text) -> Vec<RuleView> {
    report.rule_sets.iter().map(|info| view(info, text)).collect()
}

fn view(info: &RuleSetInfo, text: &Text) -> RuleView {
    let tally = &info.tally;
    let english = text.lang() == Lang::En;
    let indicators = info.rules.indicators.iter().zip(&tally.indicators).map(|(indicator, row)| IndicatorView {
        name: clean(if english { &indicator.name_en } else { &indicator.name }).into_owned(),
        weight: points(indicator.weight),
        judged: row.judged,
        full: row.full,
        // Nothing judged is not nothing lost.
        lost: row.lost.map_or_else(|| text.w("rule.unjudged").to_owned(), points),
    });
    let kinds = tally.kinds.iter().map(|(kind, of)| {
        let name = clean(text.category_name(kind)).into_owned();
        format!("{name} {} / {} = {}", of.pass, of.pass + of.fail + of.not_judged, share(*of))
    });
    RuleView {
        id: clean(&info.id).into_owned(),
        title: clean(if english { &info.title_en } else { &info.title }).into_owned(),
        origin: format!("{} · {}", clean(&info.date), clean(&info.source)),
        official: info.official,
        pass: tally.total.pass,
        fail: tally.total.fail,
        not_judged: tally.total.not_judged,
        share: share(tally.total),
        average: match tally.average {
            Some(average) => format!("{} / {} ({})", points(average), points(info.maximum), tally.complete),
            None => text.w("rule.unjudged").to_owned(),
        },
        indicators: indicators.collect(),
        kinds: kinds.collect(),
    }
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
    let score = |score: &super::super::model::ScoreInfo| {
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
