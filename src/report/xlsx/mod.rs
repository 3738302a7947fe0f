//! Workbooks: `workbook.xlsx` for the province, `regions/<code>.xlsx` for each region, which its bureau can be sent alone.
//!
//! Every number is a number and every day a day, so that a sheet can be sorted and summed. Text that others wrote goes
//! through [`super::csv`]'s guard, since a sheet may be saved as CSV, and only as text: there is no formula in any cell. Links
//! are rebuilt from checked hosts. Bytes depend on the report alone: the time in the file is the run's.
//!
//! Leaves to others: what is counted ([`super::model`]), how anything is called ([`super::text`]).

mod attempt;
mod cover;
mod faulty;
mod links;
mod notes;
mod places;
mod rectify;
mod schools;
mod sheet;
mod style;
mod summary;

use rust_xlsxwriter::{DocProperties, ExcelDateTime, Workbook, Worksheet, XlsxError};

use super::clean::clean;
use super::format::rfc3339;
use super::html::head::Banner;
use super::html::tables::{self, Entry};
use super::model::{Report, Rows};
use super::names::region_workbook;
use super::text::Text;
use super::{File, RenderError, ReportInput, html};
use crate::model::school::RegionLevel;
use sheet::large;
use style::Styles;

/// What every sheet of a report shares.
struct Book<'a> {
    report: &'a Report<'a>,
    input: &'a ReportInput<'a>,
    text: &'static Text,
    styles: Styles,
    /// What a reader must be told first.
    banners: Vec<Banner>,
    /// Large sheets may use temporary files.
    temporary: bool,
}

impl<'a> Book<'a> {
    fn new(report: &'a Report<'a>, input: &'a ReportInput<'a>) -> Self {
        let text = Text::of(input.lang);
        Self {
            report,
            input,
            text,
            styles: Styles::new(text),
            banners: html::head::banners(report, text),
            temporary: true,
        }
    }

    /// The marks' names on one line. Empty: there are none.
    fn marks(&self) -> String {
        self.banners.iter().map(|banner| banner.name.as_str()).collect::<Vec<_>>().join(" · ")
    }

    /// A moment as the day in the report's zone. None: there is none, or a sheet cannot hold it.
    fn day(&self, moment: Option<&str>) -> Option<ExcelDateTime> {
        let moment: jiff::Timestamp = moment?.parse().ok()?;
        let day = moment.to_zoned(self.input.zone.clone()).date();
        let (year, month, of_month) =
            (day.year().try_into().ok()?, day.month().try_into().ok()?, day.day().try_into().ok()?);
        ExcelDateTime::from_ymd(year, month, of_month).ok()
    }
}

/// Renders all workbooks, each when it is its turn.
pub fn render<'a>(
    report: &'a Report<'a>,
    input: &'a ReportInput<'a>,
) -> impl Iterator<Item = Result<File, RenderError>> {
    let mut book = Book::new(report, input);
    let scopes = tables::scopes(report);
    std::iter::once(None).chain(report.regions.iter().map(Some)).map(move |region| {
        let Some(region) = region else { return file("workbook.xlsx".into(), make(&mut book, province)) };
        let rows = scopes.of(&region.code);
        let entry = match region.level {
            Some(RegionLevel::Province) => Entry::Direct(region),
            _ => Entry::Whole(region),
        };
        file(region_workbook(&region.code), make(&mut book, |book| bureau(book, entry, rows)))
    })
}

/// Makes one workbook. Where a temporary file cannot be written to, as on a full disk, the library fails or panics:
/// from then on everything is kept in memory, and this workbook is made again.
fn make(book: &mut Book, of: impl Fn(&Book) -> Result<Vec<u8>, XlsxError>) -> Result<Vec<u8>, XlsxError> {
    if book.temporary {
        if let Some(Ok(made)) = attempt::attempt(|| of(book)) {
            return Ok(made);
        }
        book.temporary = false;
    }
    of(book)
}

fn file(name: String, bytes: Result<Vec<u8>, XlsxError>) -> Result<File, RenderError> {
    match bytes {
        Ok(bytes) => Ok((name, bytes)),
        Err(source) => Err(RenderError::Workbook { file: name, source }),
    }
}

/// The workbook of the whole province.
fn province(book: &Book) -> Result<Vec<u8>, XlsxError> {
    let mut workbook = Workbook::new();
    let rows = book.report.schools.rows();
    let title = html::head::province_title(book.report, book.text);
    let (places, series) = places::sheet(book)?;
    let sheets = vec![
        summary::sheet(book, &title, series.as_ref())?,
        places,
        schools::sheet(book, large(book, &mut workbook), rows)?,
        rectify::sheet(book, large(book, &mut workbook), rows)?,
        links::per_site(book, large(book, &mut workbook), rows)?,
        faulty::sheet(book, large(book, &mut workbook), rows)?,
        links::outside(book, large(book, &mut workbook), rows)?,
        notes::sheet(book)?,
    ];
    save(book, workbook, &title, sheets)
}

/// The workbook of one region: for a province what reports to it directly.
fn bureau(book: &Book, entry: Entry, rows: Rows) -> Result<Vec<u8>, XlsxError> {
    let mut workbook = Workbook::new();
    let name = tables::entry_name(book.text, entry);
    let title = book.text.fill("region.title", &[("region", &name)]);
    let mut sheets = vec![
        cover::sheet(book, entry, &title, &name)?,
        rectify::sheet(book, large(book, &mut workbook), rows)?,
        schools::sheet(book, large(book, &mut workbook), rows)?,
    ];
    if faulty::any(book, rows) {
        sheets.push(faulty::sheet(book, large(book, &mut workbook), rows)?);
    }
    save(book, workbook, &title, sheets)
}

fn save(book: &Book, mut workbook: Workbook, title: &str, sheets: Vec<Worksheet>) -> Result<Vec<u8>, XlsxError> {
    let run = book.input.run;
    let mut properties = DocProperties::new()
        .set_title(title.chars().take(200).collect::<String>())
        .set_subject(clean(&book.report.policy.number))
        .set_author("v6ready")
        .set_comment(format!("{} {}", run.id.0, rfc3339(run.ended.unwrap_or(run.started))))
        .set_status(book.marks());
    // The time of the run. Without one that a file can hold, the beginning of the calendar: never the clock.
    let at = run.ended.unwrap_or(run.started).0 / 1000;
    let at = ExcelDateTime::from_timestamp(at).or_else(|_| ExcelDateTime::from_ymd(1970, 1, 1))?;
    properties = properties.set_creation_datetime(&at);
    workbook.set_properties(&properties);
    for sheet in sheets {
        workbook.push_worksheet(sheet);
    }
    workbook.save_to_buffer()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_for_temporary_files_costs_memory_and_no_workbook() {
        let fixture = crate::report::fixture::fixture();
        let input = fixture.input(crate::report::Lang::Zh);
        let report = Report::new(&input);
        let mut book = Book::new(&report, &input);
        let full = |book: &Book| {
            assert!(!book.temporary, "no space left");
            province(book)
        };
        let made = make(&mut book, full).unwrap();
        assert!(!book.temporary && made.starts_with(b"PK"));
        // What is wrong in memory as well is not hidden.
        let wrong = make(&mut book, |_| Err(XlsxError::ParameterError("wrong".into())));
        assert!(matches!(wrong, Err(XlsxError::ParameterError(_))));
    }
}
