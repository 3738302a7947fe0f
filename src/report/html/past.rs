//! What changed since the run before, by name, and the numbers over time: a drawing, and a table that says the same.
//!
//! A school is named as lost only when two runs agree; what was seen once is listed apart as unconfirmed.

use super::super::ReportInput;
use super::super::clean::clean;
use super::super::format::{local, local_day, percent};
use super::super::model::{
    Change, Changes, LeftOutInfo, Moved, Named, Report, Rows, SchoolRow, TrendCounts, TrendInfo,
};
use super::super::text::Text;
use super::head::percent_sign;
use super::index::domain;

/// Width and height of the drawing, and the room left, top, right and bottom of the plot.
const SIZE: (f64, f64) = (760.0, 230.0);
const ROOM: (f64, f64, f64, f64) = (46.0, 14.0, 26.0, 30.0);
/// Days that are written under the drawing at most.
const DAYS: usize = 6;

/// Schools that moved in one way and are listed without a fold.
const SHOWN: usize = 10;

/// The sections about the past, of a page.
pub(super) struct PastView {
    pub(super) first_run: bool,
    /// With what is compared, and what the numbers mean.
    pub(super) since: String,
    /// What completion would be if everything unconfirmed were as before. Empty: nothing is.
    pub(super) as_before: String,
    pub(super) moves: Vec<MoveView>,
    pub(super) lists: Vec<ListView>,
    /// Runs that may not be compared.
    pub(super) left_out: Vec<String>,
    /// None: there is one run only, or the page is about schools that have no numbers of their own over time.
    pub(super) trend: Option<TrendView>,
}

pub(super) struct MoveView {
    pub(super) title: String,
    pub(super) class: &'static str,
    pub(super) note: &'static str,
    /// Too many to be shown at once.
    pub(super) folded: bool,
    pub(super) schools: Vec<MoveLine>,
}

pub(super) struct MoveLine {
    pub(super) region: String,
    pub(super) name: String,
    pub(super) domain: String,
    pub(super) was: String,
    pub(super) now: String,
    pub(super) why: String,
}

/// Changes of the lists.
pub(super) struct ListView {
    pub(super) title: String,
    pub(super) names: Vec<String>,
}

pub(super) struct TrendView {
    pub(super) alt: String,
    /// Corners of the range, there and back.
    pub(super) band: String,
    pub(super) listed: String,
    pub(super) same: String,
    pub(super) dots: Vec<Dot>,
    pub(super) ticks: Vec<(String, &'static str)>,
    pub(super) days: Vec<(String, String, &'static str)>,
    pub(super) note: String,
    pub(super) rows: Vec<[String; 6]>,
}

pub(super) struct Dot {
    pub(super) x: String,
    pub(super) y: String,
    /// The completion, for who points at it.
    pub(super) hint: String,
    pub(super) last: bool,
}

/// The past of the province.
pub(super) fn of_province(report: &Report, input: &ReportInput, text: &Text) -> PastView {
    view(report, input, text, report.schools.rows(), Some(&report.history.total))
}

/// The past of one region's page.
pub(super) fn of_region(
    report: &Report,
    input: &ReportInput,
    text: &Text,
    rows: Rows,
    trend: Option<&[TrendInfo]>,
) -> PastView {
    view(report, input, text, rows, trend)
}

fn view(report: &Report, input: &ReportInput, text: &Text, rows: Rows, trend: Option<&[TrendInfo]>) -> PastView {
    let changes = &report.changes;
    let before = input.past.compared_with().map(|run| local(run.started, input.zone));
    PastView {
        first_run: changes.first_run,
        since: before.map(|at| text.fill("past.since", &[("at", &at)])).unwrap_or_default(),
        as_before: as_before(text, rows),
        moves: moves(text, rows),
        lists: if rows.len() == report.schools.len() { lists(text, changes) } else { lists_of(text, changes, rows) },
        left_out: report.history.left_out.iter().map(|out| left_out(text, out)).collect(),
        trend: trend.filter(|points| points.len() > 1).map(|points| draw(input, text, points)),
    }
}

/// How many of the schools that do not pass are unconfirmed, and completion without them.
fn as_before(text: &Text, rows: Rows) -> String {
    let open = rows.outlines().filter(|row| row.counted && row.unconfirmed()).count();
    let Some(after) = super::super::build::as_before(&rows.outlines()) else { return String::new() };
    let rate = percent_sign(percent(after.ready, after.judged));
    text.fill(
        "past.as_before",
        &[
            ("open", &open.to_string()),
            ("rate", &rate),
            ("ready", &after.ready.to_string()),
            ("judged", &after.judged.to_string()),
        ],
    )
}

fn moves(text: &Text, rows: Rows) -> Vec<MoveView> {
    let line = |row: SchoolRow| MoveLine {
        region: clean(row.region_name).into_owned(),
        name: clean(row.name).into_owned(),
        domain: domain(&row),
        was: was(text, &row),
        now: text.standing(row.standing).to_owned(),
        why: match row.flapping {
            Some(of) => text.fill(
                "past.flapping",
                &[
                    ("judged", &of.judged.to_string()),
                    ("changes", &of.changes.to_string()),
                    ("passed", &of.passed.to_string()),
                ],
            ),
            None => text.why(row.standing, row.reason),
        },
    };
    let changed = |change| rows.those(|row| row.counted && row.changed() == Some(change)).map(line).collect::<Vec<_>>();
    [
        ("change.gained", "up", "", changed(Change::Gained)),
        ("change.lost", "down", "change.lost.note", changed(Change::Lost)),
        ("change.unconfirmed", "soft", "change.unconfirmed.note", changed(Change::Unconfirmed)),
        (
            "change.flapping",
            "soft",
            "change.flapping.note",
            rows.those(|row| row.counted && row.flaps()).map(line).collect(),
        ),
    ]
    .into_iter()
    .map(|(title, class, note, schools)| MoveView {
        title: text.w(title).to_owned(),
        class,
        note,
        folded: schools.len() > SHOWN,
        schools,
    })
    .collect()
}

/// What counted before this run, or was seen last.
fn was(text: &Text, row: &SchoolRow) -> String {
    row.settled.or(row.previous).map(|verdict| text.verdict(verdict).to_owned()).unwrap_or_default()
}

fn lists(text: &Text, changes: &Changes) -> Vec<ListView> {
    let list = |title: &str, names: Vec<String>| ListView { title: text.w(title).to_owned(), names };
    let mut lists = vec![
        list("past.moved", changes.moved.iter().map(|moved| moved_name(text, moved)).collect()),
        list("past.closed", changes.closed.iter().map(|school| named(text, school)).collect()),
        list("past.removed", changes.removed.iter().map(|school| named(text, school)).collect()),
    ];
    lists.retain(|list| !list.names.is_empty());
    if changes.added > 0 {
        lists.insert(
            0,
            ListView { title: text.fill("past.added", &[("added", &changes.added.to_string())]), names: Vec::new() },
        );
    }
    lists
}

/// Of a region's page: who came and went.
fn lists_of(text: &Text, changes: &Changes, rows: Rows) -> Vec<ListView> {
    let here = rows.regions();
    let some = Changes {
        added: 0,
        moved: changes
            .moved
            .iter()
            .filter(|of| here.contains(&of.school.region) || here.contains(&of.from))
            .cloned()
            .collect(),
        closed: changes.closed.iter().filter(|of| here.contains(&of.region)).cloned().collect(),
        removed: changes.removed.iter().filter(|of| here.contains(&of.region)).cloned().collect(),
        ..changes.clone()
    };
    lists(text, &some)
}

fn named(text: &Text, school: &Named) -> String {
    format!(
        "{}{}{}{}",
        clean(&school.name),
        text.w("bracket.open"),
        clean(&school.region_name),
        text.w("bracket.close")
    )
}

fn moved_name(text: &Text, moved: &Moved) -> String {
    let (open, close) = (text.w("bracket.open"), text.w("bracket.close"));
    let (from, to) = (clean(&moved.from_name), clean(&moved.school.region_name));
    format!("{}{open}{from} → {to}{close}", clean(&moved.school.name))
}

fn left_out(text: &Text, out: &LeftOutInfo) -> String {
    let why: Vec<String> = out.why.iter().map(|why| text.w(&format!("differs.{}", why.word())).to_owned()).collect();
    format!("{}{}{}", clean(&out.run.id), text.w("colon"), why.join(text.w("sep")))
}

/// The drawing and its table.
fn draw(input: &ReportInput, text: &Text, points: &[TrendInfo]) -> TrendView {
    let all = input.past.runs();
    let runs = &all[all.len() - points.len()..];
    let (left, top, right, bottom) = ROOM;
    let x = |index: usize| left + index as f64 * (SIZE.0 - left - right) / (points.len() - 1) as f64;
    let y = |rate: f64| top + (1.0 - rate) * (SIZE.1 - top - bottom);
    let at = |index: usize, rate: f64| format!("{:.1},{:.1}", x(index), y(rate));
    let listed = |index: usize| points[index].listed.as_ref();
    let rate = |of: &TrendCounts| percent_sign(percent(of.ready, of.judged));
    let line = |of: &dyn Fn(usize) -> Option<f64>| {
        let corners: Vec<String> = (0..points.len()).filter_map(|index| Some(at(index, of(index)?))).collect();
        corners.join(" ")
    };
    let range = |index: usize, end: usize| Some(listed(index)?.range?[end]);
    let there = (0..points.len()).filter_map(|index| Some(at(index, range(index, 1)?)));
    let back = (0..points.len()).rev().filter_map(|index| Some(at(index, range(index, 0)?)));
    let day = |index: usize| local_day(runs[index].started, input.zone);
    let spoken: Vec<String> =
        (0..points.len()).filter_map(|index| Some(format!("{} {}", day(index), rate(listed(index)?)))).collect();
    let dots = (0..points.len()).filter_map(|index| {
        let of = listed(index)?;
        Some(Dot {
            x: format!("{:.1}", x(index)),
            y: format!("{:.1}", y(of.rate?)),
            hint: format!("{} {} ({} / {})", day(index), rate(of), of.ready, of.judged),
            last: index + 1 == points.len(),
        })
    });
    let step = points.len().div_ceil(DAYS).max(1);
    // Counted from the end, so that the present run is always written.
    let written = (0..points.len()).filter(|index| (points.len() - 1 - index).is_multiple_of(step));
    let same = points.last().map(|point| point.same.listed.to_string()).unwrap_or_default();
    TrendView {
        alt: format!("{}{}", text.w("trend.alt"), spoken.join(text.w("sep"))),
        band: there.chain(back).collect::<Vec<_>>().join(" "),
        listed: line(&|index| listed(index)?.rate),
        same: line(&|index| points[index].same.rate),
        dots: dots.collect(),
        ticks: [(1.0, "100 %"), (0.5, "50 %"), (0.0, "0 %")]
            .map(|(rate, label)| (format!("{:.1}", y(rate)), label))
            .to_vec(),
        days: written
            .map(|index| {
                let anchor = if index + 1 == points.len() {
                    "end"
                } else if index == 0 {
                    "start"
                } else {
                    "middle"
                };
                let x = if anchor == "end" { x(index) + right - 2.0 } else { x(index) };
                (format!("{x:.1}"), day(index), anchor)
            })
            .collect(),
        note: text.fill("trend.note", &[("runs", &points.len().to_string()), ("same", &same)]),
        rows: (0..points.len())
            .rev()
            .map(|index| row(local(runs[index].started, input.zone), &points[index]))
            .collect(),
    }
}

/// When, completion, counts, range, and completion and counts over the same schools.
fn row(at: String, point: &TrendInfo) -> [String; 6] {
    let dash = || "–".to_owned();
    let share = |of: &TrendCounts| percent(of.ready, of.judged).unwrap_or_else(dash);
    let counts = |of: &TrendCounts| format!("{} / {}", of.ready, of.judged);
    let range = |of: &TrendCounts| {
        let base = of.judged + of.inconclusive;
        match (percent(of.ready, base), percent(of.ready + of.inconclusive, base)) {
            (Some(low), Some(high)) if low == high => low,
            (Some(low), Some(high)) => format!("{low} – {high}"),
            _ => dash(),
        }
    };
    let listed = point.listed.as_ref();
    [
        at,
        listed.map_or_else(dash, share),
        listed.map_or_else(dash, counts),
        listed.map_or_else(dash, range),
        share(&point.same),
        counts(&point.same),
    ]
}
