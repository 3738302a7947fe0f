//! Points as they are published: of each site, and of all schools together.

use super::super::ReportInput;
use super::super::model::{RuleSetInfo, ScoreInfo};
use crate::judge::rules::{Line, RuleSet, score, tally};
use crate::model::verdict::Assessment;

/// The points of one site.
pub(in crate::report) fn of_site(rules: &RuleSet, assessment: &Assessment) -> ScoreInfo {
    let score = score(rules, assessment);
    let lost = |line: &Line| (line.lost() != Some(0.0)).then(|| (line.measure, line.lost()));
    ScoreInfo {
        lost: score.indicators.iter().filter_map(lost).collect(),
        rules: score.rules,
        points: score.points,
        judged: score.judged,
        maximum: score.maximum,
        passes: score.passes,
    }
}

/// Every rule set over all schools.
pub(super) fn infos(input: &ReportInput) -> Vec<RuleSetInfo> {
    let info = |rules: &RuleSet| RuleSetInfo {
        id: rules.id.clone(),
        title: rules.title.clone(),
        title_en: rules.title_en.clone(),
        date: rules.date.clone(),
        source: rules.source.clone(),
        source_en: rules.source_en.clone(),
        official: rules.official,
        maximum: rules.maximum(),
        passes_at: rules.mark(),
        tally: tally(rules, input.roster, input.assessments),
        rules: rules.clone(),
    };
    input.rules.iter().map(info).collect()
}
