//! 汇总: what a reader of one sheet must know, with the counts behind every percentage.

use rust_xlsxwriter::{
    Chart, ChartDataLabel, ChartFont, ChartFormat, ChartSolidFill, ChartType, Color, Worksheet, XlsxError,
};

use super::Book;
use super::sheet::{Column, Series, Sheet, Value};
use super::style::Look;
use crate::judge::summarise::Standing;
use crate::model::verdict::Readiness;
use crate::report::clean::clean;
use crate::report::html::head::Head;
use crate::report::model::{CauseInfo, Counts, Group, ROSTER_STATES, TaskInfo};
use crate::report::text::{Context, Lang};

/// Root causes on the sheet; `causes.csv` has them all.
const CAUSES: usize = 15;
/// Widths of the sheet's columns, in digits.
const WIDTHS: [f64; 12] = [34.0, 11.0, 11.0, 11.0, 11.0, 11.0, 12.0, 12.0, 12.0, 12.0, 14.0, 44.0];

pub(super) fn sheet(book: &Book, title: &str, regions: Option<&Series>) -> Result<Worksheet, XlsxError> {
    let mut sheet = Sheet::new(book, Worksheet::new(), "x.sheet.summary", title, true)?;
    sheet.widths(&WIDTHS)?;
    let (area, report) = (crate::report::html::head::area(book.report, book.text), book.report);
    lead(&mut sheet, book, title, &area, &report.total)?;
    let top = sheet.here() + 1;
    standings(&mut sheet, book, &report.total)?;
    if let Some(regions) = regions {
        sheet.inner().insert_chart(top, 4, &chart(book, regions))?;
    }
    tasks(&mut sheet, book)?;
    let category = |group: &Group| book.text.category_name(&group.key).to_owned();
    groups(&mut sheet, book, "h.categories", "col.category", &report.categories, category)?;
    let unit = |group: &Group| match group.key.as_str() {
        "" => book.text.w("unknown.unit").to_owned(),
        name => name.to_owned(),
    };
    changes(&mut sheet, book)?;
    causes(&mut sheet, book)?;
    // There may be hundreds of them: last.
    groups(&mut sheet, book, "h.units", "col.unit", &report.units, unit)?;
    Ok(sheet.finish())
}

/// Completion of the regions as bars, from the cells of their sheet.
fn chart(book: &Book, regions: &Series) -> Chart {
    let sheet = book.text.w("x.sheet.regions");
    let mut chart = Chart::new(ChartType::Column);
    chart
        .add_series()
        .set_categories((sheet, regions.first, regions.names, regions.last, regions.names))
        .set_values((sheet, regions.first, regions.numbers, regions.last, regions.numbers))
        .set_format(ChartFormat::new().set_solid_fill(ChartSolidFill::new().set_color(Color::RGB(0x2F_6D_A8))))
        .set_data_label(ChartDataLabel::new().show_value().set_num_format("0.0%"))
        .set_gap(60);
    chart.title().set_name(book.text.w("x.chart")).set_font(ChartFont::new().set_size(11));
    chart.y_axis().set_min(0).set_max(1).set_num_format("0%").set_major_gridlines(false);
    chart.legend().set_hidden();
    chart.set_width(780).set_height(320).set_alt_text(book.text.w("x.chart.alt"));
    chart
}

/// The facts of the run, the sentence, and the key figures of a set of schools.
pub(super) fn lead(sheet: &mut Sheet, book: &Book, title: &str, area: &str, counts: &Counts) -> Result<(), XlsxError> {
    let head = Head::new(book.report, book.input, book.text, title.to_owned(), area, counts);
    for fact in &head.facts {
        sheet.note(&format!("{}{}{}", fact.label, book.text.w("colon"), fact.value))?;
    }
    let space = book.text.w("space");
    sheet.paragraph(&format!("{}{space}{}", head.sentence, head.rest), 10, WIDTHS[..11].iter().sum())?;
    sheet.heading(book.text.w("x.h.keys"))?;
    let mut columns = vec![column(book, "x.c.area", 34.0, Look::Text)];
    columns.extend(counts_columns(book));
    sheet.table(columns)?;
    let mut values = vec![Value::text(area)];
    values.extend(counts_values(counts));
    sheet.row(values)
}

/// Columns of counts and what follows from them; [`counts_values`] fills them.
pub(super) fn counts_columns(book: &Book) -> Vec<Column> {
    let mut columns: Vec<Column> = ["col.listed", "col.ready", "col.judged", "col.inconclusive", "col.out"]
        .map(|key| column(book, key, 10.0, Look::Count))
        .into();
    columns.extend(["x.c.rate", "x.c.low", "x.c.high", "x.c.coverage"].map(|key| column(book, key, 12.0, Look::Share)));
    columns
}

pub(super) fn counts_values(counts: &Counts) -> Vec<Value> {
    let mut values: Vec<Value> =
        [counts.listed, counts.ready, counts.judged, counts.inconclusive, counts.out_of_base].map(Value::Count).into();
    let base = counts.base();
    values.extend([
        Value::Share(counts.ready, counts.judged),
        Value::Share(counts.ready, base),
        Value::Share(counts.ready + counts.inconclusive, base),
        Value::Share(counts.judged, base),
    ]);
    values
}

pub(super) fn column(book: &Book, key: &str, width: f64, look: Look) -> Column {
    Column { title: book.text.w(key).to_owned(), width, look }
}

/// How many schools have which verdict or roster state.
pub(super) fn standings(sheet: &mut Sheet, book: &Book, counts: &Counts) -> Result<(), XlsxError> {
    sheet.heading(book.text.w("dist"))?;
    sheet.table(vec![
        column(book, "x.c.standing", 34.0, Look::Word),
        column(book, "x.c.schools", 11.0, Look::Count),
        column(book, "x.c.of_listed", 11.0, Look::Share),
    ])?;
    let verdicts = Readiness::ALL.iter().map(|verdict| Standing::Verdict(*verdict));
    for standing in verdicts.chain(ROSTER_STATES.iter().map(|state| Standing::Roster(*state))) {
        let count = counts.of(standing);
        let name = book.text.standing(standing).to_owned();
        sheet.row(vec![Value::Words(name), Value::Count(count), Value::Share(count, counts.listed)])?;
    }
    sheet.colour_standings(0)
}

fn tasks(sheet: &mut Sheet, book: &Book) -> Result<(), XlsxError> {
    if book.report.tasks.is_empty() {
        return Ok(());
    }
    sheet.heading(book.text.w("h.tasks"))?;
    let mut columns = vec![column(book, "x.c.task", 34.0, Look::Wrapped)];
    columns.extend(counts_columns(book));
    columns.push(column(book, "x.c.target", 14.0, Look::Share));
    columns.push(column(book, "x.c.state", 44.0, Look::Wrapped));
    sheet.table(columns)?;
    for task in &book.report.tasks {
        let mut values = vec![Value::Words(clean(&task_name(book, task)).into_owned())];
        values.extend(counts_values(&task.counts));
        values.push(Value::number(Some(task.target)));
        values.push(Value::Words(task_state(book, task)));
        sheet.row(values)?;
    }
    sheet.bars(6)
}

fn task_name(book: &Book, task: &TaskInfo) -> String {
    let title = match &task.title_en {
        Some(english) if book.text.lang() == Lang::En => english,
        _ => &task.title,
    };
    format!("{} {title}", book.text.fill("task", &[("id", &task.id)]))
}

/// Whether the target is met, and whose number it is.
fn task_state(book: &Book, task: &TaskInfo) -> String {
    let met = match task.met {
        None => "task.none",
        Some(true) => "task.met",
        Some(false) => "x.task.short",
    };
    let whose = if task.target_official { "task.official" } else { "task.ours" };
    let mut parts = vec![book.text.w(met).to_owned(), book.text.w(whose).to_owned()];
    if let Some(day) = &task.deadline {
        parts.push(book.text.fill("task.deadline", &[("deadline", &clean(day))]));
    }
    parts.join(book.text.w("x.semicolon"))
}

fn groups(
    sheet: &mut Sheet,
    book: &Book,
    heading: &str,
    label: &str,
    groups: &[Group],
    name: impl Fn(&Group) -> String,
) -> Result<(), XlsxError> {
    if groups.is_empty() {
        return Ok(());
    }
    sheet.heading(book.text.w(heading))?;
    let mut columns = vec![column(book, label, 34.0, Look::Text)];
    columns.extend(counts_columns(book));
    sheet.table(columns)?;
    let mut sorted: Vec<&Group> = groups.iter().collect();
    sorted.sort_by_key(|group| group.key.is_empty());
    for group in sorted {
        let mut values = vec![Value::Text(name(group))];
        values.extend(counts_values(&group.counts));
        sheet.row(values)?;
    }
    sheet.bars(6)
}

fn changes(sheet: &mut Sheet, book: &Book) -> Result<(), XlsxError> {
    let changes = &book.report.changes;
    sheet.heading(book.text.w("h.changes"))?;
    if changes.first_run {
        return sheet.note(book.text.w("change.first"));
    }
    sheet.table(vec![column(book, "x.c.change", 34.0, Look::Text), column(book, "x.c.schools", 11.0, Look::Count)])?;
    for (key, count) in [
        ("change.gained", changes.gained),
        ("change.unconfirmed", changes.unconfirmed),
        ("change.lost", changes.lost),
        ("change.flapping", changes.flapping),
    ] {
        sheet.row(vec![Value::Words(book.text.w(key).to_owned()), Value::Count(count)])?;
    }
    Ok(())
}

fn causes(sheet: &mut Sheet, book: &Book) -> Result<(), XlsxError> {
    let causes = &book.report.causes;
    // What comes before fits on one page.
    let top = sheet.here() + 1;
    sheet.inner().set_page_breaks(&[top])?;
    sheet.heading(book.text.w("h.causes"))?;
    if causes.is_empty() {
        return sheet.note(book.text.w("cause.none"));
    }
    sheet.table(vec![
        column(book, "x.c.subject", 34.0, Look::Text),
        column(book, "cause.helped", 11.0, Look::Count),
        column(book, "cause.touched", 11.0, Look::Count),
        column(book, "cause.rows", 11.0, Look::Count),
        column(book, "cause.after", 11.0, Look::Share),
        column(book, "x.c.finding", 11.0, Look::Free),
    ])?;
    for cause in causes.iter().take(CAUSES) {
        sheet.row(cause_row(book, cause))?;
    }
    match causes.len().saturating_sub(CAUSES) {
        0 => Ok(()),
        more => sheet.note(&book.text.fill("cause.more", &[("more", &more.to_string())])),
    }
}

fn cause_row(book: &Book, cause: &CauseInfo) -> Vec<Value> {
    vec![
        Value::text(&cause.subject),
        Value::Count(cause.helped),
        Value::Count(cause.touched),
        Value::Count(cause.rows),
        Value::Share(cause.after.ready, cause.after.judged),
        Value::Words(book.text.advise(&cause.finding, &Context::new()).title),
    ]
}
