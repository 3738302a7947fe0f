//! The top of a page: title, marks, facts of the run, the sentence, the key figures and the distribution of verdicts.

use crate::judge::summarise::Standing;
use crate::model::run::RunEnd;
use crate::model::school::RosterState;
use crate::model::verdict::Readiness;

use super::super::clean::clean;
use super::super::format::{local, local_day, local_day_zh, offset, percent, utc};
use super::super::model::{Counts, Mark, Report};
use super::super::text::{Lang, Text};
use super::super::{Format, ReportInput};
use super::class;

/// A mark as a banner.
pub(in crate::report) struct Banner {
    pub(in crate::report) name: String,
    pub(in crate::report) sentence: String,
}

/// A label and its value.
pub(in crate::report) struct Fact {
    pub(in crate::report) label: String,
    pub(in crate::report) value: String,
}

/// A number that stands for the whole.
pub(in crate::report) struct Key {
    pub(in crate::report) label: String,
    pub(in crate::report) value: String,
    pub(in crate::report) unit: &'static str,
    pub(in crate::report) note: String,
}

/// A stretch of the distribution.
pub(in crate::report) struct Segment {
    pub(in crate::report) class: &'static str,
    pub(in crate::report) name: String,
    pub(in crate::report) count: u64,
    /// Percent of all listed schools.
    pub(in crate::report) share: String,
    /// Left end and width, in thousandths of the bar.
    pub(in crate::report) x: String,
    pub(in crate::report) width: String,
}

/// The top of a page.
pub(in crate::report) struct Head {
    pub(in crate::report) policy: String,
    pub(in crate::report) title: String,
    pub(in crate::report) banners: Vec<Banner>,
    pub(in crate::report) facts: Vec<Fact>,
    pub(in crate::report) sentence: String,
    /// What was left out, said at once. Empty: nothing.
    pub(in crate::report) rest: String,
    pub(in crate::report) keys: Vec<Key>,
    pub(in crate::report) segments: Vec<Segment>,
    pub(in crate::report) alt: String,
    /// Other files of the same report, from the top of the folder.
    pub(in crate::report) files: Vec<&'static str>,
    /// The report must not be published: numbers are shown muted.
    pub(in crate::report) incomplete: bool,
}

impl Head {
    /// Builds the top for a set of schools that is called `area` in the sentence.
    pub(in crate::report) fn new(
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
            files: files(input),
            incomplete: report.has_mark(Mark::Incomplete),
        }
    }
}

/// What the whole area is called.
pub(in crate::report) fn area(report: &Report, text: &Text) -> String {
    let named = report.regions.iter().find(|region| region.name == report.policy.area);
    let named = named
        .map_or_else(|| clean(&report.policy.area).into_owned(), |region| super::tables::region_name(text, region));
    if named.is_empty() { text.w("area.default").to_owned() } else { named }
}

/// The title of what is about the whole area.
pub(in crate::report) fn province_title(report: &Report, text: &Text) -> String {
    text.fill("title", &[("area", &area(report, text))])
}

/// The files that are made beside the pages, as far as a reader of pages wants them.
fn files(input: &ReportInput) -> Vec<&'static str> {
    let made = |format: &Format| match format {
        Format::Html => &[][..],
        Format::Xlsx => &["workbook.xlsx"],
        Format::Docx => &["bulletin.docx"],
        Format::Csv => &["schools.csv", "regions.csv", "findings.csv"],
        Format::Json => &["summary.json"],
    };
    input.formats.iter().flat_map(made).copied().chain(["manifest.json"]).collect()
}

/// What a reader must be told first.
pub(in crate::report) fn banners(report: &Report, text: &Text) -> Vec<Banner> {
    let reason = why_incomplete(report, text);
    let banner = |mark: &Mark| {
        let (name, sentence) = text.mark(*mark);
        Banner { name: name.to_owned(), sentence: sentence.replace("{reason}", &reason) }
    };
    report.marks.iter().map(banner).collect()
}

/// What a run that is marked as incomplete wants.
fn why_incomplete(report: &Report, text: &Text) -> String {
    let low = report.total.coverage.is_some_and(|coverage| coverage < report.policy.minimum_coverage);
    let coverage = percent_sign(percent(report.total.judged, report.total.base()));
    let mut reasons = Vec::new();
    if low {
        reasons.push(text.fill("incomplete.low", &[("coverage", &coverage), ("minimum", &minimum(report))]));
    }
    // Enough of a run may be judged although it was ended, or although sites were not reached by it.
    if !low || report.run.end != RunEnd::Complete {
        reasons.push(text.w("incomplete.cut").to_owned());
    }
    reasons.join(text.w("incomplete.and"))
}

/// The minimum coverage as `98 %`: a share of one in a policy file is shown as it was written, at most two decimals.
pub(in crate::report) fn minimum(report: &Report) -> String {
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
        // Offices are counted as well where they are listed, and are no schools.
        let schools = input.summary.categories.keys().all(|category| category.is_of_schools());
        match (rate, schools) {
            ("", true) => text.fill("sentence.none", &values),
            ("", false) => text.fill("sentence.none.units", &values),
            (_, true) => text.fill("sentence", &values),
            (_, false) => text.fill("sentence.units", &values),
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
pub(in crate::report) fn range(counts: &Counts) -> Option<String> {
    let low = percent(counts.ready, counts.base())?;
    let high = percent(counts.ready + counts.inconclusive, counts.base())?;
    Some(if low == high { low } else { format!("{low} – {high}") })
}

/// A percentage with its sign, or a dash.
pub(in crate::report) fn percent_sign(share: Option<String>) -> String {
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
