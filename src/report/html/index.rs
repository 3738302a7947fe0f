//! The page of the whole province.

use askama::Template;

use crate::judge::operators;
use crate::judge::summarise::Standing;
use crate::model::outage::{Lapse, Outage, lapses};
use crate::model::school::RosterState;
use crate::model::verdict::Readiness;

use super::super::build::base_name;
use super::super::clean::clean;
use super::super::format::{percent, utc};
use super::super::model::{Report, SchoolRow, TaskInfo};
use super::super::text::{Lang, Text};
use super::super::{Format, ReportInput};
use super::causes::{self, Tickets};
use super::class;
use super::fold::{FIRST, WHOLE};
use super::head::{self, Fact, Head, minimum, percent_sign, range};
use super::past::{self, PastView};
use super::scores::{self, RuleView};
use super::tables::{self, Line, Map, Table};

/// Rows of a list by name that is printed although it is folded.
const PRINTED: usize = 12;

/// `index.html`.
#[derive(Template)]
#[template(path = "index.html")]
pub(super) struct Index<'a> {
    t: &'a Text,
    head: Head,
    /// Path from the page to the top of the folder.
    top: &'static str,
    tasks: Vec<TaskView>,
    map: Option<Map>,
    regions: Table,
    rank_note: String,
    categories: Table,
    units: Table,
    services: Option<Table>,
    /// Network, sites with an address in it, sites that do not look native.
    operators: Vec<(String, u64, u64)>,
    operators_note: String,
    past: PastView,
    rule_sets: Vec<RuleView>,
    causes: Tickets,
    defects: Tickets,
    named: Vec<NamedView>,
    rejected: Vec<[String; 4]>,
    rejected_long: bool,
    verdicts: Vec<VerdictView>,
    facts: Vec<Fact>,
    checks: Vec<CheckView>,
    outages: Vec<String>,
    lists: Vec<String>,
    rows_note: String,
}

struct TaskView {
    id: String,
    title: String,
    wording: String,
    target: String,
    /// Position of the target mark, in percent of the bar.
    mark: String,
    official: bool,
    deadline: Option<String>,
    responsible: String,
    rate: Option<String>,
    range: String,
    ready: u64,
    judged: u64,
    listed: u64,
    inconclusive: u64,
    out: u64,
    state: String,
    met: bool,
}

struct NamedView {
    class: &'static str,
    title: String,
    /// Too many to be printed unless the reader has unfolded them.
    long: bool,
    schools: Vec<[String; 4]>,
}

struct VerdictView {
    class: &'static str,
    name: String,
    sentence: String,
    count: u64,
}

struct CheckView {
    name: String,
    outcome: String,
    detail: String,
    advice: String,
}

impl<'a> Index<'a> {
    pub(super) fn new(report: &Report, input: &ReportInput, text: &'a Text) -> Self {
        let area = head::area(report, text);
        let title = head::province_title(report, text);
        let entries = tables::entries(report);
        let total = || Line::new(text.w("col.total").to_owned(), &report.total);
        let with_total = |table: Table| Table { total: (table.rows.len() > 1).then(total), ..table };
        let category = |group: &super::super::model::Group| text.category_name(&group.key).to_owned();
        let unit = |group: &super::super::model::Group| match group.key.as_str() {
            "" => text.w("unknown.unit").to_owned(),
            name => name.to_owned(),
        };
        let book = if input.formats.contains(&Format::Xlsx) { text.w("fold.book") } else { "" };
        let anybody = |_: &Line| true;
        let unknown = clean(text.w("unknown.unit"));
        // Those without a unit come last.
        let mut units = report.units.clone();
        units.sort_by_key(|group| group.key.is_empty());
        Self {
            t: text,
            head: Head::new(report, input, text, title, &area, &report.total),
            top: "",
            tasks: report.tasks.iter().map(|task| task_view(task, text)).collect(),
            map: tables::map(input.roster, text, &entries),
            regions: with_total(tables::regions(report, text, &entries, "")).folded(text, WHOLE, anybody, book),
            rank_note: text.fill("rank.note", &[("minimum", &minimum(report))]),
            categories: with_total(tables::groups(
                "categories",
                text.w("col.category").to_owned(),
                &report.categories,
                category,
            )),
            units: with_total(tables::groups("units", text.w("col.unit").to_owned(), &units, unit)).folded(
                text,
                FIRST,
                |line| line.name != unknown,
                book,
            ),
            operators: report
                .operators
                .iter()
                .map(|of| (text.operator(of.operator).to_owned(), of.sites, of.not_native))
                .collect(),
            operators_note: operators_note(text),
            services: tables::services(report, text, &entries).map(|table| table.folded(text, WHOLE, anybody, "")),
            past: past::of_province(report, input, text),
            rule_sets: scores::views(report, text, &entries),
            causes: causes::of_province(report, text, &report.causes, causes::FIRST),
            defects: causes::of_province(report, text, &report.defect_causes, causes::FIRST_DEFECTS),
            named: outside(report, text),
            rejected: rejected(report),
            rejected_long: report.rejected.len() > PRINTED,
            verdicts: verdicts(report, text),
            facts: facts(report, input, text),
            checks: checks(input, text),
            outages: breaker(input, text),
            lists: lists(input, text),
            rows_note: text.fill(
                "m.rows",
                &[("in", &input.roster.rows_in().to_string()), ("out", &input.roster.rows_out().to_string())],
            ),
        }
    }
}

fn operators_note(text: &Text) -> String {
    let (chinese, english) = operators::source();
    let source = if text.lang() == Lang::En { english } else { chinese };
    text.fill("op.note", &[("date", operators::date()), ("source", source)])
}

fn task_view(task: &TaskInfo, text: &Text) -> TaskView {
    let counts = &task.counts;
    let percent_of = |share: f64| (share.clamp(0.0, 1.0) * 10_000.0).round() / 100.0;
    let title = match &task.title_en {
        Some(english) if text.lang() == Lang::En => english,
        _ => &task.title,
    };
    // How many of those judged have to be ready; compared in the same way as for whether the target is met.
    let enough = |ready: &u64| *ready as f64 / counts.judged as f64 >= task.target;
    let needed = (counts.ready..=counts.judged).find(enough).unwrap_or(counts.judged);
    let state = match task.met {
        None => text.w("task.none").to_owned(),
        Some(true) => text.w("task.met").to_owned(),
        Some(false) => text.fill("task.gap", &[("gap", &needed.saturating_sub(counts.ready).to_string())]),
    };
    TaskView {
        id: text.fill("task", &[("id", &clean(&task.id))]),
        title: clean(title).into_owned(),
        wording: clean(&task.wording).into_owned(),
        target: text.fill("task.target", &[("target", &percent_of(task.target).to_string())]),
        mark: percent_of(task.target).to_string(),
        official: task.target_official,
        deadline: task.deadline.as_ref().map(|day| text.fill("task.deadline", &[("deadline", &clean(day))])),
        responsible: clean(&task.responsible.join(text.w("sep"))).into_owned(),
        rate: percent(counts.ready, counts.judged),
        range: range(counts).unwrap_or_else(|| "–".to_owned()),
        ready: counts.ready,
        judged: counts.judged,
        listed: counts.listed,
        inconclusive: counts.inconclusive,
        out: counts.out_of_base,
        met: task.met == Some(true),
        state,
    }
}

/// The name as people write it, the name as DNS knows it beside it where that differs.
pub(super) fn domain(row: &SchoolRow) -> String {
    match (&row.domain, &row.domain_unicode) {
        (Some(key), Some(unicode)) => format!("{} ({})", clean(unicode), clean(key.as_str())),
        (Some(key), None) => clean(key.as_str()).into_owned(),
        (None, _) => String::new(),
    }
}

/// Everybody who is in no numerator and no base, by name.
fn outside(report: &Report, text: &Text) -> Vec<NamedView> {
    [
        (Standing::Verdict(Readiness::Inconclusive), text.w("named.INCONCLUSIVE")),
        (Standing::Roster(RosterState::Listed), text.w("named.LISTED")),
        (Standing::Verdict(Readiness::Down), text.w("named.DOWN")),
        (Standing::Verdict(Readiness::NoName), text.w("named.NO_NAME")),
        (Standing::Roster(RosterState::NoSite), text.w("named.NO_SITE")),
        (Standing::Roster(RosterState::Invalid), text.w("named.INVALID")),
        (Standing::Roster(RosterState::OptedOut), text.w("named.OPTED_OUT")),
        (Standing::Roster(RosterState::Closed), text.w("named.CLOSED")),
    ]
    .into_iter()
    .map(|(standing, title)| {
        let schools: Vec<[String; 4]> = report
            .schools
            .rows()
            .those(|row| row.counted && row.standing == standing)
            .map(|row| {
                let why = match &row.problem {
                    Some(problem) => format!("{} “{}”", clean(&problem.said[0]), clean(&problem.text)),
                    None if row.reason.is_empty() => text.standing_sentence(row.standing).to_owned(),
                    None => text.why(row.standing, row.reason),
                };
                [clean(row.region_name).into_owned(), clean(row.name).into_owned(), domain(&row), why]
            })
            .collect();
        NamedView { class: class(standing), title: title.to_owned(), long: schools.len() > PRINTED, schools }
    })
    .filter(|view| !view.schools.is_empty())
    .collect()
}

fn rejected(report: &Report) -> Vec<[String; 4]> {
    let line = |row: &super::super::model::RejectedInfo| {
        let [reason, remedy] = &row.problem.said;
        [&row.source, reason, &row.problem.text, remedy].map(|part| clean(part).into_owned())
    };
    report.rejected.iter().map(line).collect()
}

fn verdicts(report: &Report, text: &Text) -> Vec<VerdictView> {
    let view = |verdict: &Readiness| {
        let standing = Standing::Verdict(*verdict);
        VerdictView {
            class: class(standing),
            name: text.standing(standing).to_owned(),
            sentence: text.standing_sentence(standing).to_owned(),
            count: report.total.of(standing),
        }
    };
    Readiness::ALL.iter().map(view).collect()
}

fn facts(report: &Report, input: &ReportInput, text: &Text) -> Vec<Fact> {
    let run = input.run;
    let fact = |key: &str, value: String| Fact { label: text.w(key).to_owned(), value };
    let stamp = |at| format!("{} UTC", utc(at));
    vec![
        fact("m.start", stamp(run.started)),
        fact("m.stop", run.ended.map_or_else(|| "–".to_owned(), stamp)),
        fact("m.ended", text.end(run.end).to_owned()),
        fact("m.resolvers", clean(&report.run.resolvers.join(text.w("sep"))).into_owned()),
        fact("key.coverage", percent_sign(percent(report.total.judged, report.total.base()))),
        fact("m.method", clean(&run.method_version).into_owned()),
        fact("m.program", clean(&run.program_version).into_owned()),
        fact("m.config", clean(&run.config_sha256).into_owned()),
    ]
}

fn checks(input: &ReportInput, text: &Text) -> Vec<CheckView> {
    let checks = input.run.gate.checks.iter();
    checks
        .map(|check| CheckView {
            name: clean(&check.name).into_owned(),
            outcome: text.outcome(check.outcome).to_owned(),
            detail: clean(&text.message(&check.detail)).into_owned(),
            advice: clean(&text.message(&check.advice)).into_owned(),
        })
        .collect()
}

/// One line for each stretch in which the vantage could not be proven.
fn breaker(input: &ReportInput, text: &Text) -> Vec<String> {
    let line = |outage: &Outage| {
        let until = outage.until.map_or_else(|| text.w("m.breaker.end").to_owned(), utc);
        let kind = if outage.opened.is_some() { "m.breaker.opened" } else { "m.breaker.doubt" };
        text.fill(
            "m.breaker.line",
            &[
                ("line", text.w(&format!("line.{}", outage.line.name()))),
                ("since", &utc(outage.since)),
                ("until", &until),
                ("kind", text.w(kind)),
                ("why", text.w(&format!("why.{}", outage.why.name()))),
                ("quarantined", &outage.quarantined.to_string()),
                ("redone", &outage.redone.to_string()),
            ],
        )
    };
    let lapse = |lapse: &Lapse| {
        let until = lapse.until.map_or_else(|| text.w("m.breaker.end").to_owned(), utc);
        text.fill(
            "m.breaker.resolver",
            &[
                ("resolver", &lapse.server.to_string()),
                ("since", &utc(lapse.since)),
                ("until", &until),
                ("state", text.w(&format!("resolver.{}", lapse.state.name()))),
            ],
        )
    };
    let lapses = lapses(&input.run.vantage.dns_proofs);
    input.run.outages.iter().map(line).chain(lapses.iter().map(lapse)).collect()
}

fn lists(input: &ReportInput, text: &Text) -> Vec<String> {
    let sources = input.roster.sources.iter();
    sources
        .map(|source| {
            format!(
                "{} · {} · {} {} · SHA-256 {}",
                clean(base_name(&source.path)),
                clean(&source.encoding),
                source.rows,
                text.w("m.rows.unit"),
                clean(&source.sha256)
            )
        })
        .collect()
}
