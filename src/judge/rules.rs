//! Rule sets (docs/method/rules.md): published ways to turn evidence into points, as dated TOML files with their sources.
//!
//! The language is small on purpose: a file says which indicators count, with which limits and weights; the indicators
//! themselves are computed here, from a verdict and its facts ([`Measure`]). Pure: what is not known is not judged, and the
//! same evidence gives the same points at any time. Leaves to others: reading files, wording, verdicts.

mod measure;
mod score;

use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;

pub use measure::{Measure, Value};
pub use score::{Line, Passes, Row, Score, Sum, Tally, score, tally};

/// A rule set.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleSet {
    /// What it is called on the command line.
    pub id: String,
    /// Its title in Chinese.
    pub title: String,
    /// Its title in English.
    pub title_en: String,
    /// The day on which the file was last changed.
    pub date: String,
    /// Where its indicators and numbers are from.
    pub source: String,
    /// The same in English. None: the file has it in one language.
    pub source_en: Option<String>,
    /// The source itself gives all of the limits. False: some are parameters of ours, as the source says.
    pub official: bool,
    /// With which points a site passes.
    pub passes_at: PassMark,
    /// What counts, in order.
    pub indicators: Vec<Indicator>,
}

impl RuleSet {
    /// The most points that there are.
    pub fn maximum(&self) -> f64 {
        self.indicators.iter().map(|indicator| indicator.weight).sum()
    }

    /// Points with which a site passes. None: the set gives points and says nothing of passing.
    pub fn mark(&self) -> Option<f64> {
        match self.passes_at {
            PassMark::All => Some(self.maximum()),
            PassMark::Points(points) => Some(points),
            PassMark::None => None,
        }
    }
}

/// With which points a site passes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PassMark {
    /// With all of them.
    All,
    /// From so many on.
    Points(f64),
    /// The set's source names no such mark.
    None,
}

/// One indicator of a rule set.
#[derive(Clone, Debug, PartialEq)]
pub struct Indicator {
    /// What is measured.
    pub measure: Measure,
    /// Its name in Chinese.
    pub name: String,
    /// Its name in English.
    pub name_en: String,
    /// Its points.
    pub weight: f64,
    /// How points are given.
    pub award: Award,
    /// A share of fewer than this is not judged.
    pub minimum: u32,
    /// A failing site gets no points for it where nothing was measured. Otherwise that is not judged.
    pub zero_where_failing: bool,
}

/// How an indicator gives points.
#[derive(Clone, Debug, PartialEq)]
pub enum Award {
    /// All of them from this value on.
    AtLeast(f64),
    /// All of them up to this value.
    AtMost(f64),
    /// In proportion to the value, 0 to 1.
    Share,
    /// The points of the highest step that is reached: value, points.
    Steps(Vec<(f64, f64)>),
}

/// What is wrong with a rule file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {problem}; {remedy}")]
pub struct RuleError {
    /// The file as it was named.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub problem: String,
    /// What to do about it.
    pub remedy: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    id: Spanned<String>,
    title: String,
    title_en: String,
    date: Spanned<String>,
    source: Spanned<String>,
    source_en: Option<String>,
    official: bool,
    passes_at: Option<Spanned<WrittenMark>>,
    indicator: Vec<Spanned<Entry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    measure: Spanned<String>,
    name: String,
    name_en: String,
    weight: Spanned<f64>,
    at_least: Option<f64>,
    at_most: Option<f64>,
    share: Option<bool>,
    steps: Option<Vec<(f64, f64)>>,
    #[serde(default)]
    minimum: u32,
    failing: Option<Spanned<String>>,
}

/// A number, or `"none"`.
#[derive(Deserialize)]
#[serde(untagged)]
enum WrittenMark {
    Points(f64),
    Word(String),
}

/// The shipped rule sets: name of the file, text.
const SHIPPED: [(&str, &str); 6] = [
    ("readiness.toml", include_str!("rules/readiness.toml")),
    ("portal.toml", include_str!("rules/portal.toml")),
    ("national-2024.toml", include_str!("rules/national-2024.toml")),
    ("national-2020.toml", include_str!("rules/national-2020.toml")),
    ("municipal-20-40-40.toml", include_str!("rules/municipal-20-40-40.toml")),
    ("internet-nl.toml", include_str!("rules/internet-nl.toml")),
];

/// The names of the shipped rule sets.
pub fn shipped() -> impl Iterator<Item = &'static str> {
    SHIPPED.iter().filter_map(|(file, _)| file.strip_suffix(".toml"))
}

/// A shipped rule set. None: there is none of this name.
pub fn by_id(id: &str) -> Option<Result<RuleSet, RuleError>> {
    let (file, text) = SHIPPED.iter().find(|(file, _)| file.strip_suffix(".toml") == Some(id))?;
    Some(parse(file, text))
}

/// Reads a rule file. `file` is for messages only.
pub fn parse(file: &str, text: &str) -> Result<RuleSet, RuleError> {
    let error = |at: Range<usize>, problem: String, remedy: &str| RuleError {
        file: file.to_owned(),
        line: text.get(..at.start).unwrap_or(text).matches('\n').count() + 1,
        problem,
        remedy: remedy.to_owned(),
    };
    let read: File = toml::from_str(text).map_err(|fault| {
        let problem = fault.message().lines().next().unwrap_or_default().to_owned();
        error(fault.span().unwrap_or_default(), problem, "docs/method/rules.md lists all keys")
    })?;
    let named = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if read.id.get_ref().is_empty() || !read.id.get_ref().chars().all(named) {
        let problem = format!("{:?} is no name of a rule set", read.id.get_ref());
        return Err(error(read.id.span(), problem, "use small letters, digits and hyphens"));
    }
    if !is_day(read.date.get_ref()) {
        let problem = format!("{:?} is no day", read.date.get_ref());
        return Err(error(read.date.span(), problem, "write it as 2026-11-25"));
    }
    if read.source.get_ref().trim().is_empty() {
        return Err(error(read.source.span(), "there is no source".to_owned(), "say where the numbers are from"));
    }
    if read.indicator.is_empty() {
        return Err(error(0..0, "there is no indicator".to_owned(), "add one [[indicator]] at least"));
    }
    let mut indicators: Vec<Indicator> = Vec::new();
    for entry in read.indicator {
        let at = entry.span();
        let indicator = indicator(entry.into_inner())
            .map_err(|(span, problem, remedy)| error(span.unwrap_or_else(|| at.clone()), problem, &remedy))?;
        if indicators.iter().any(|other| other.measure == indicator.measure) {
            let problem = format!("{:?} counts twice", indicator.measure.word());
            return Err(error(at, problem, "give it all its points in one [[indicator]]"));
        }
        indicators.push(indicator);
    }
    let maximum: f64 = indicators.iter().map(|indicator| indicator.weight).sum();
    let passes_at = match &read.passes_at {
        None => PassMark::All,
        Some(written) => pass_mark(written.get_ref(), maximum).map_err(|problem| {
            let remedy = "write a number above 0 and up to the sum of the weights, or \"none\"";
            error(written.span(), problem, remedy)
        })?,
    };
    Ok(RuleSet {
        id: read.id.into_inner(),
        title: read.title,
        title_en: read.title_en,
        date: read.date.into_inner(),
        source: read.source.into_inner().trim().to_owned(),
        source_en: read.source_en.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()),
        official: read.official,
        passes_at,
        indicators,
    })
}

fn pass_mark(written: &WrittenMark, maximum: f64) -> Result<PassMark, String> {
    match written {
        WrittenMark::Points(points) if *points > 0.0 && *points <= maximum => Ok(PassMark::Points(*points)),
        WrittenMark::Points(points) => Err(format!("nobody can pass with {points} of {maximum} points")),
        WrittenMark::Word(word) if word == "none" => Ok(PassMark::None),
        WrittenMark::Word(word) => Err(format!("{word:?} is no number of points")),
    }
}

/// Where, what is wrong, what to do. No place: the indicator as a whole.
type Fault = (Option<Range<usize>>, String, String);

fn indicator(entry: Entry) -> Result<Indicator, Fault> {
    let Some(measure) = Measure::ALL.into_iter().find(|measure| measure.word() == entry.measure.get_ref()) else {
        let known = Measure::ALL.map(Measure::word).join(", ");
        let problem = format!("{:?} is not measured", entry.measure.get_ref());
        return Err((Some(entry.measure.span()), problem, format!("use one of {known}")));
    };
    let weight = *entry.weight.get_ref();
    if !(weight > 0.0 && weight.is_finite()) {
        let remedy = "write a number above 0".to_owned();
        return Err((Some(entry.weight.span()), format!("{weight} is no weight"), remedy));
    }
    let awards = [
        entry.at_least.map(Award::AtLeast),
        entry.at_most.map(Award::AtMost),
        entry.share.filter(|share| *share).map(|_| Award::Share),
        entry.steps.map(Award::Steps),
    ];
    let mut given = awards.into_iter().flatten();
    let (Some(award), None) = (given.next(), given.next()) else {
        let problem = format!("it is not said how {:?} gives points", measure.word());
        return Err((None, problem, "give one of at_least, at_most, share = true, steps".to_owned()));
    };
    if matches!(award, Award::Share) && !measure.is_share() {
        let problem = format!("{:?} is no share of anything", measure.word());
        return Err((None, problem, "use at_least, at_most or steps".to_owned()));
    }
    if let Award::Steps(steps) = &award {
        let falling = steps.windows(2).all(|pair| pair[0].0 > pair[1].0 && pair[0].1 > pair[1].1);
        let full = steps.first().is_some_and(|(_, points)| points.total_cmp(&weight).is_eq());
        if !falling || !full || steps.iter().any(|(_, points)| *points < 0.0) {
            let remedy = "begin with the highest value and all points, and go down".to_owned();
            return Err((None, "the steps are not in order".to_owned(), remedy));
        }
    }
    let zero_where_failing = match &entry.failing {
        None => false,
        Some(word) if word.get_ref() == "zero" => true,
        Some(word) => {
            let problem = format!("{:?} is not known of failing sites", word.get_ref());
            return Err((Some(word.span()), problem, "write \"zero\", or leave it out".to_owned()));
        }
    };
    let Entry { name, name_en, minimum, .. } = entry;
    Ok(Indicator { measure, name, name_en, weight, award, minimum, zero_where_failing })
}

/// `2026-11-25`.
fn is_day(text: &str) -> bool {
    let digits = |part: &str, length| part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit());
    matches!(text.split('-').collect::<Vec<_>>().as_slice(), [y, m, d] if digits(y, 4) && digits(m, 2) && digits(d, 2))
}

#[cfg(test)]
#[path = "rules/tests.rs"]
mod tests;
