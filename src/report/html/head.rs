//! The top of a page: title, marks, facts of the run, the sentence, the key figures and the distribution of verdicts.

use crate::judge::summarise::Standing;
use crate::model::school::RosterState;
use crate::model::verdict::Readiness;

use super::super::ReportInput;
use super::super::clean::clean;
use super::super::format::{local, local_day, local_day_zh, offset, percent, utc};
use super::super::model::{Counts, Mark, Report};
use super::super::text::{Lang, Text};
use super::class;

/// A mark as a banner.
pub(super) struct Banner {
    pub(super) name: String,
    pub(super) sentence: String,
}

/// A label and its value.
pub(super) struct Fact {
    pub(super) label: String,
    pub(super) value: String,
}

/// A number that stands for the whole.
pub(super) struct Key {
    pub(super) label: String,
    pub(super) value: String,
    pub(super) unit: &'static str,
    pub(super) note: String,
}

/// A stretch of the distribution.
pub(super) struct Segment {
    pub(super) class: &'static str,
    pub(super) name: String,
    pub(super) count: u64,
    /// Percent of all listed schools.
    pub(super) share: String,
    /// Left end and width, in thousandths of the bar.
    pub(super) x: String,
    pub(super) width: String,
}

/// The top of a page.
pub(super) struct Head {
    pub(super) policy: String,
    pub(super) title: String,
    pub(super) banners: Vec<Banner>,
    pub(super) facts: Vec<Fact>,
    pub(super) sentence: String,
    /// What was left out, said at once. Empty: nothing.
    pub(super) rest: String,
    pub(super) keys: Vec<Key>,
    pub(super) segments: Vec<Segment>,
    pub(super) alt: String,
    /// The report must not be published: numbers are shown muted.
    pub(super) incomplete: bool,
}

impl Head {
    /// Builds the top for a set of schools that is called `area` in the sentence.
    pub(super) fn new(
        report: &Report,
        input: &ReportInput,
        text: &Text,
        title: String,
        area: &str,
        counts: &Counts,
    ) -> Self {
        let segments = segments(text, counts);
        let alt: Vec<String> = segments
            .iter()
            .map(|segment| format!("{} {} ({} %)", segment.name, segment.count, segment.share))
            .collect();
        Self {
            policy: super::policy(),
            title,
            banners: banners(report, text),
            facts: facts(report, input, text, counts),
            sentence: sentence(input, text, area, counts),
            rest: rest(report, text, counts),
            keys: keys(text, counts),
            alt: format!("{}{}", text.w("dist.alt"), alt.join(text.w("sep"))),
            segments,
            incomplete: report.has_mark(Mark::Incomplete),
        }
    }
}

fn banners(report: &Report, text: &Text) -> Vec<Banner> {
    let coverage = percent_sign(percent(report.total.judged, report.total.base()));
    // A share of one in a policy file: shown as it was written, at most two decimals.
    let minimum = minimum(report);
    let fill = |sentence: &str| sentence.replace("{coverage}", &coverage).replace("{minimum}", &minimum);
    let banner = |mark: &Mark| {
        let (name, sentence) = text.mark(*mark);
        Banner { name: name.to_owned(), sentence: fill(sentence) }
    };
    report.marks.iter().map(banner).collect()
}

/// The minimum coverage as `98 %`.
pub(super) fn minimum(report: &Report) -> String {
    format!("{} %", (report.policy.minimum_coverage * 10_000.0).round() / 100.0)
}

fn facts(report: &Report, input: &ReportInput, text: &Text, counts: &Counts) -> Vec<Fact> {
    let run = input.run;
    let at = run.ended.unwrap_or(run.started);
    let vantage = match &run.vantage.isp {
        Some(isp) => format!("{} · {}", clean(&run.vantage.name), clean(isp)),
        None => clean(&run.vantage.name).into_owned(),
    };
    let fact = |key: &str, value: String| Fact { label: text.w(key).to_owned(), value };
    let (open, close) = (text.w("bracket.open"), text.w("bracket.close"));
    let coverage = match percent(counts.judged, counts.base()) {
        Some(share) => format!("{share} %{open}{} / {}{close}", counts.judged, counts.base()),
        None => "–".to_owned(),
    };
    let zone = match input.zone.iana_name() {
        Some("Asia/Shanghai") => text.w("head.local").to_owned(),
        _ => format!("{open}{}{close}", offset(at, input.zone)),
    };
    let mut facts = vec![
        fact("head.time", format!("{} {zone} · {} UTC", local(at, input.zone), utc(at))),
        fact("head.vantage", vantage),
        fact("head.coverage", coverage),
        fact("head.run", clean(&run.id.0).into_owned()),
    ];
    if !report.policy.number.is_empty() {
        facts.push(fact("head.policy", clean(&report.policy.number).into_owned()));
    }
    facts
}

/// The one sentence that can be read aloud.
fn sentence(input: &ReportInput, text: &Text, area: &str, counts: &Counts) -> String {
    let at = input.run.ended.unwrap_or(input.run.started);
    let day = if text.lang() == Lang::Zh { local_day_zh(at, input.zone) } else { local_day(at, input.zone) };
    let (listed, judged, ready) = (counts.listed.to_string(), counts.judged.to_string(), counts.ready.to_string());
    let values = |rate: &str| {
        let values = [
            ("day", &*day),
            ("area", area),
            ("listed", &*listed),
            ("judged", &*judged),
            ("ready", &*ready),
            ("rate", rate),
        ];
        match rate {
            "" => text.fill("sentence.none", &values),
            _ => text.fill("sentence", &values),
        }
    };
    values(percent(counts.ready, counts.judged).as_deref().unwrap_or_default())
}

/// What was left out, said at once.
fn rest(report: &Report, text: &Text, counts: &Counts) -> String {
    let mut rest = Vec::new();
    if counts.inconclusive > 0 {
        rest.push(text.fill("sentence.unjudged", &[("inconclusive", &counts.inconclusive.to_string())]));
    }
    if counts.out_of_base > 0 {
        rest.push(text.fill("sentence.out", &[("out", &counts.out_of_base.to_string())]));
    }
    if !rest.is_empty() {
        rest.push(text.w("sentence.named").to_owned());
    }
    if report.has_mark(Mark::Incomplete) {
        rest.push(text.w("sentence.incomplete").to_owned());
    }
    rest.join(text.w("space"))
}

fn keys(text: &Text, counts: &Counts) -> Vec<Key> {
    let number = |count: u64| count.to_string();
    let (ready, judged, base, listed, inconclusive) = (
        number(counts.ready),
        number(counts.judged),
        number(counts.base()),
        number(counts.listed),
        number(counts.inconclusive),
    );
    let values = [
        ("ready", &*ready),
        ("judged", &*judged),
        ("base", &*base),
        ("listed", &*listed),
        ("inconclusive", &*inconclusive),
    ];
    let key = |label: &str, value: Option<String>, unit: &'static str, note: &str| Key {
        label: text.w(label).to_owned(),
        unit: if value.is_some() { unit } else { "" },
        value: value.unwrap_or_else(|| "–".to_owned()),
        note: text.fill(note, &values),
    };
    vec![
        key("key.rate", percent(counts.ready, counts.judged), "%", "key.rate.note"),
        key(
            "key.range",
            range(counts),
            "%",
            if counts.inconclusive > 0 { "key.range.note" } else { "key.range.exact" },
        ),
        key("key.coverage", percent(counts.judged, counts.base()), "%", "key.coverage.note"),
        key("key.out", Some(number(counts.out_of_base)), "", "key.out.note"),
    ]
}

/// `55.56 – 66.67`, or one number if there is nothing between. None: there was nothing to judge.
pub(super) fn range(counts: &Counts) -> Option<String> {
    let low = percent(counts.ready, counts.base())?;
    let high = percent(counts.ready + counts.inconclusive, counts.base())?;
    Some(if low == high { low } else { format!("{low} – {high}") })
}

/// A percentage with its sign, or a dash.
pub(super) fn percent_sign(share: Option<String>) -> String {
    share.map_or_else(|| "–".to_owned(), |share| format!("{share} %"))
}

/// All listed schools by standing, in report order.
fn segments(text: &Text, counts: &Counts) -> Vec<Segment> {
    let order = Readiness::ALL.iter().map(|verdict| Standing::Verdict(*verdict)).chain(
        [RosterState::Listed, RosterState::NoSite, RosterState::Invalid, RosterState::OptedOut, RosterState::Closed]
            .map(Standing::Roster),
    );
    let thousandths = |count: u64| format!("{:.2}", count as f64 * 1_000.0 / counts.listed.max(1) as f64);
    let mut before = 0;
    let mut segments = Vec::new();
    for standing in order {
        let count = counts.of(standing);
        if count > 0 {
            segments.push(Segment {
                class: class(standing),
                name: text.standing(standing).to_owned(),
                count,
                share: percent(count, counts.listed).unwrap_or_default(),
                x: thousandths(before),
                width: thousandths(count),
            });
            before += count;
        }
    }
    segments
}
