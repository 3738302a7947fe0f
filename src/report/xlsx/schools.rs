//! 学校: one line for each row of the lists, in list order.

use rust_xlsxwriter::{Worksheet, XlsxError};

use super::Book;
use super::sheet::{Column, Sheet, Value};
use super::style::Look;
use super::summary::column;
use crate::model::school::Role;
use crate::report::format::joined;
use crate::report::html::{self, link};
use crate::report::model::{ProblemInfo, Rows, SchoolRow};

/// Keys of the headings, widths, looks. The order is that of [`row`].
const COLUMNS: [(&str, f64, Look); 26] = [
    ("x.c.number", 6.0, Look::Word),
    ("col.school", 30.0, Look::Text),
    ("col.domain", 30.0, Look::Text),
    ("s.code", 13.0, Look::Text),
    ("x.c.region_code", 10.0, Look::Text),
    ("col.region", 14.0, Look::Text),
    ("col.county", 14.0, Look::Text),
    ("col.category", 14.0, Look::Word),
    ("col.unit", 20.0, Look::Text),
    ("x.c.role", 10.0, Look::Word),
    ("x.c.counted", 8.0, Look::Word),
    ("x.c.standing", 16.0, Look::Word),
    ("col.why", 20.0, Look::Text),
    ("s.stack", 11.0, Look::Word),
    ("x.c.findings", 8.0, Look::Count),
    ("x.c.titles", 44.0, Look::Text),
    ("s.aaaa", 30.0, Look::Code),
    ("s.a", 18.0, Look::Code),
    ("x.c.v6_status", 14.0, Look::Text),
    ("x.c.v4_status", 14.0, Look::Text),
    ("x.c.latency6", 11.0, Look::Ms),
    ("x.c.latency4", 11.0, Look::Ms),
    ("x.c.first_seen", 12.0, Look::Day),
    ("x.c.previous", 15.0, Look::Word),
    ("col.change", 14.0, Look::Word),
    ("s.problem", 40.0, Look::Text),
];

/// The column of the verdict.
const STANDING: u16 = 11;

pub(super) fn sheet(book: &Book, empty: Worksheet, rows: Rows) -> Result<Worksheet, XlsxError> {
    let mut sheet = Sheet::new(book, empty, "x.sheet.schools", book.text.w("h.schools"), true)?;
    let columns: Vec<Column> = COLUMNS.iter().map(|(key, width, look)| column(book, key, *width, *look)).collect();
    sheet.table(columns)?;
    for (number, school) in (1_u64..).zip(rows.iter()) {
        sheet.row(row(book, number, &school))?;
    }
    sheet.colour_standings(STANDING)?;
    sheet.finish_table(3, 13)
}

fn row(book: &Book, number: u64, school: &SchoolRow) -> Vec<Value> {
    let text = book.text;
    let word = |key: &str| Value::Words(text.w(key).to_owned());
    let context = html::context(school);
    let titles: Vec<String> = school.findings.0.iter().map(|finding| text.advise(finding, &context).title).collect();
    vec![
        Value::Count(number),
        Value::text(school.name),
        domain(school),
        Value::maybe(school.school_code),
        Value::text(&school.region.0),
        Value::text(school.region_name),
        Value::maybe(school.county_name),
        Value::Words(text.category(school.category).to_owned()),
        Value::maybe(school.responsible_unit),
        word(if school.role == Role::Service { "s.service" } else { "x.portal" }),
        word(if school.counted { "s.yes" } else { "s.no" }),
        Value::Words(text.standing(school.standing).to_owned()),
        Value::Words(reason(book, school)),
        school.stack.map_or(Value::None, |stack| Value::Words(text.stack(stack).to_owned())),
        Value::Count(school.findings.0.len() as u64),
        Value::Words(titles.join(text.w("x.semicolon"))),
        Value::text(&joined(school.aaaa, " ")),
        Value::text(&joined(school.a, " ")),
        status(book, school.v6_status),
        status(book, school.v4_status),
        Value::number(school.latency_v6_ms),
        Value::number(school.latency_v4_ms),
        book.day(school.first_seen).map_or(Value::None, Value::Day),
        school.previous.map_or(Value::None, |of| Value::Words(text.verdict(of).to_owned())),
        school.changed.map_or(Value::None, |of| Value::Words(text.change(of).to_owned())),
        school.problem.as_ref().map_or(Value::None, |of| Value::Text(problem(of))),
    ]
}

/// Why, in words.
fn reason(book: &Book, school: &SchoolRow) -> String {
    if school.reason.is_empty() { String::new() } else { book.text.why(school.standing, school.reason) }
}

/// The site, and a link to it where its host can stand in one.
pub(super) fn domain(school: &SchoolRow) -> Value {
    let Some(key) = school.domain else { return Value::None };
    match school.site.and_then(link) {
        Some(url) => Value::Link(url, key.as_str().to_owned()),
        None => Value::text(key.as_str()),
    }
}

/// A status code as a number, a failure in words.
fn status(book: &Book, status: &str) -> Value {
    match status {
        "" => Value::None,
        "none" => Value::Words(book.text.w("s.none").to_owned()),
        status => match status.parse::<u16>() {
            Ok(code) => Value::count(code),
            Err(_) => Value::Words(book.text.reason(status)),
        },
    }
}

fn problem(problem: &ProblemInfo) -> String {
    [&problem.said[0], &problem.text, &problem.said[1]].map(String::as_str).join(" · ")
}
