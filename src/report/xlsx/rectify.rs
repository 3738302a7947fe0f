//! 整改清单: one line for each finding of each row, what to change included, and columns that staff fill in.

use rust_xlsxwriter::{DataValidation, DataValidationRule, ExcelDateTime, Worksheet, XlsxError};

use super::Book;
use super::schools::domain;
use super::sheet::{Column, Sheet, Value};
use super::style::Look;
use super::summary::column;
use crate::model::finding::{Finding, Severity};
use crate::report::html;
use crate::report::model::{Pointers, Rows, SchoolRow};

/// Keys of the headings, widths, looks. The order is that of [`row`].
const COLUMNS: [(&str, f64, Look); 19] = [
    ("x.c.number", 6.0, Look::Word),
    ("col.region", 11.0, Look::Wrapped),
    ("col.school", 22.0, Look::Wrapped),
    ("col.domain", 26.0, Look::Text),
    ("col.unit", 16.0, Look::Wrapped),
    ("x.c.standing", 16.0, Look::Word),
    ("x.c.severity", 8.0, Look::Word),
    ("x.c.finding", 20.0, Look::Wrapped),
    ("col.fix", 58.0, Look::Wrapped),
    ("x.c.deadline", 11.0, Look::BlankDay),
    ("x.c.person", 10.0, Look::Blank),
    ("x.c.progress", 10.0, Look::Blank),
    ("x.c.remark", 16.0, Look::Blank),
    ("x.c.explanation", 44.0, Look::Wrapped),
    ("x.c.example", 50.0, Look::Lines),
    ("s.repeat", 36.0, Look::Code),
    ("s.pointers", 16.0, Look::Code),
    ("col.county", 13.0, Look::Text),
    ("x.c.code", 22.0, Look::Code),
];
/// Columns of the verdict, the deadline and the progress; how many are printed.
const STANDING: u16 = 5;
const DEADLINE: u16 = 9;
const PROGRESS: u16 = 11;
const PRINTED: u16 = 12;

pub(super) fn sheet(book: &Book, empty: Worksheet, rows: Rows) -> Result<Worksheet, XlsxError> {
    let mut sheet = Sheet::new(book, empty, "x.sheet.rectify", book.text.w("x.t.rectify"), true)?;
    sheet.note(book.text.w("x.rectify.note"))?;
    let columns: Vec<Column> = COLUMNS.iter().map(|(key, width, look)| column(book, key, *width, *look)).collect();
    sheet.table(columns)?;
    let mut number = 0;
    for school in rows.iter() {
        let mut findings: Vec<&Finding> = school.findings.0.iter().collect();
        // Stable: findings of one weight stay in their order.
        findings.sort_by_key(|finding| weight(finding.code.severity()));
        for finding in findings {
            number += 1;
            sheet.row(row(book, number, &school, finding))?;
        }
    }
    if sheet.body().is_none() {
        sheet.note(book.text.w("x.rectify.none"))?;
        return Ok(sheet.finish());
    }
    sheet.colour_standings(STANDING)?;
    for_staff(&mut sheet, book)?;
    sheet.finish_table(4, PRINTED)
}

fn weight(severity: Severity) -> u8 {
    match severity {
        Severity::Fault => 0,
        Severity::Defect => 1,
        Severity::Note => 2,
    }
}

fn row(book: &Book, number: u64, school: &SchoolRow, finding: &Finding) -> Vec<Value> {
    let text = book.text;
    let advice = text.advise(finding, &html::context(school));
    let inert = |text: &str| Value::Words(crate::report::clean::clean(text).into_owned());
    vec![
        Value::Count(number),
        inert(school.region_name),
        inert(school.name),
        domain(school),
        school.responsible_unit.map_or(Value::None, inert),
        Value::Words(text.standing(school.standing).to_owned()),
        Value::Words(text.severity(finding.code.severity()).to_owned()),
        Value::Words(advice.title),
        Value::Words(steps(&advice.remedy)),
        Value::None,
        Value::None,
        Value::None,
        Value::None,
        Value::Words(advice.explanation),
        Value::Words(advice.example),
        Value::maybe(school.repeat.command().as_deref()),
        Value::text(&Pointers(&finding.evidence).to_string()),
        Value::maybe(school.county_name),
        Value::text(&finding.code.name()),
    ]
}

/// Steps with numbers, where there are several.
fn steps(remedy: &str) -> String {
    if remedy.lines().count() < 2 {
        return remedy.to_owned();
    }
    let numbered: Vec<String> = (1..).zip(remedy.lines()).map(|(number, step)| format!("{number}. {step}")).collect();
    numbered.join("\n")
}

/// What staff may write: a day, and one of a few words.
fn for_staff(sheet: &mut Sheet, book: &Book) -> Result<(), XlsxError> {
    let Some((first, last)) = sheet.body() else { return Ok(()) };
    let text = book.text;
    let day = DataValidation::new()
        .allow_date(DataValidationRule::GreaterThanOrEqualTo(ExcelDateTime::from_ymd(2023, 1, 1)?))
        .set_input_message(text.w("x.deadline.hint"))?
        .set_error_message(text.w("x.deadline.hint"))?;
    sheet.inner().add_data_validation(first, DEADLINE, last, DEADLINE, &day)?;
    let words = ["x.progress.open", "x.progress.doing", "x.progress.done", "x.progress.none"].map(|key| text.w(key));
    let progress = DataValidation::new().allow_list_strings(&words)?;
    sheet.inner().add_data_validation(first, PROGRESS, last, PROGRESS, &progress)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_numbered_where_there_are_several() {
        assert_eq!(steps("one"), "one");
        assert_eq!(steps("one\ntwo"), "1. one\n2. two");
    }
}
