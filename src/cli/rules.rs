//! Rule sets by name or by file: read before anything is measured, so that a mistake shows at once.

use std::path::Path;

use super::error::CliError;
use super::output::{json, line};
use crate::config::Config;
use crate::judge::rules::{self, RuleSet, Score, score};
use crate::model::verdict::Assessment;

/// The rule sets that reports show.
pub(super) fn configured(config: &Config) -> Result<Vec<RuleSet>, CliError> {
    config.report.rules.iter().map(|name| named(name)).collect()
}

/// A shipped rule set by its name, else a file.
pub(super) fn named(name: &str) -> Result<RuleSet, CliError> {
    if let Some(shipped) = rules::by_id(name) {
        return Ok(shipped?);
    }
    let path = Path::new(name);
    if path.extension().is_none_or(|extension| extension != "toml") {
        let known = rules::shipped().collect::<Vec<_>>().join(", ");
        return Err(CliError::NoSuchRules { name: name.to_owned(), known });
    }
    let text = std::fs::read_to_string(path).map_err(|source| CliError::Read { path: path.to_owned(), source })?;
    Ok(rules::parse(name, &text)?)
}

/// Prints the scores of all sites: a line each.
pub(super) fn print<'a>(rules: &RuleSet, assessments: impl Iterator<Item = &'a Assessment>, as_json: bool) {
    for assessment in assessments {
        let score = score(rules, assessment);
        if as_json {
            json(&score);
        } else {
            line(text(&score));
        }
    }
}

/// `58.00 / 60.00 of 100.00  undecided  www.school.example  lost: links2 2.00; not judged: links3`.
fn text(score: &Score) -> String {
    let verdict = match score.passes {
        _ if score.passes_at.is_none() => "-",
        Some(true) => "pass",
        Some(false) => "fail",
        None => "undecided",
    };
    let mut lost = Vec::new();
    let mut unknown = Vec::new();
    for indicator in &score.indicators {
        match indicator.lost() {
            Some(points) if points > 0.0 => lost.push(format!("{} {points:.2}", indicator.measure)),
            Some(_) => {}
            None => unknown.push(indicator.measure),
        }
    }
    let mut text =
        format!("{:.2} / {:.2} of {:.2}  {verdict:<9}  {}", score.points, score.judged, score.maximum, score.site);
    for (label, names) in [("lost: ", lost.join(", ")), ("not judged: ", unknown.join(", "))] {
        if !names.is_empty() {
            text.push_str("  ");
            text.push_str(label);
            text.push_str(&names);
        }
    }
    text
}
