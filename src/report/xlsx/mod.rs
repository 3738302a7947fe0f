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

use std::cell::RefCell;
use std::io;

use rust_xlsxwriter::{DocProperties, ExcelDateTime, Workbook, Worksheet, XlsxError};

use super::clean::clean;
use super::format::rfc3339;
use super::html::head::Banner;
use super::html::tables::{self, Entry};
use super::model::{Report, Rows};
use super::names::region_workbook;
use super::text::Text;
use super::{FileEntry, Folder, RenderError, ReportInput, html};
use crate::model::school::RegionLevel;
use crate::model::time::Timestamp;
use sheet::large;
use style::Styles;

/// How hard workbooks are packed, from 1 to 9. The usual 6 saves an eighth of their size and takes a seventh more time.
const LEVEL: u8 = 3;

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
    fn day(&self, moment: Option<Timestamp>) -> Option<ExcelDateTime> {
        let moment = jiff::Timestamp::from_millisecond(moment?.0).ok()?;
        let day = moment.to_zoned(self.input.zone.clone()).date();
        let (year, month, of_month) =
            (day.year().try_into().ok()?, day.month().try_into().ok()?, day.day().try_into().ok()?);
        ExcelDateTime::from_ymd(year, month, of_month).ok()
    }
}

/// Makes all workbooks, one after another, and says which.
pub fn render<'a, F: Folder>(
    report: &'a Report<'a>,
    input: &'a ReportInput<'a>,
    folder: &mut F,
) -> Result<Vec<FileEntry>, F::Error> {
    let mut book = Book::new(report, input);
    let scopes = tables::scopes(report);
    let mut made = vec![make(&mut book, "workbook.xlsx", folder, province)?];
    for region in &report.regions {
        let entry = match region.level {
            Some(RegionLevel::Province) => Entry::Direct(region),
            _ => Entry::Whole(region),
        };
        let name = region_workbook(&region.code);
        made.push(make(&mut book, &name, folder, |book| bureau(book, entry, scopes.of(&region.code)))?);
    }
    Ok(made)
}

/// Makes one workbook. Where a temporary file cannot be written to, as on a full disk, the library fails or panics:
/// from then on everything is kept in memory, and this workbook is made again.
fn make<F: Folder>(
    book: &mut Book,
    name: &str,
    folder: &mut F,
    of: impl Fn(&Book) -> Result<Workbook, XlsxError>,
) -> Result<FileEntry, F::Error> {
    if book.temporary {
        if let Ok(made) = written(book, name, folder, &of) {
            return Ok(made);
        }
        book.temporary = false;
    }
    written(book, name, folder, &of)
}

/// Writes a workbook to the folder as it is made: of a large province it is a hundred megabytes.
fn written<F: Folder>(
    book: &Book,
    name: &str,
    folder: &mut F,
    of: &impl Fn(&Book) -> Result<Workbook, XlsxError>,
) -> Result<FileEntry, F::Error> {
    let wrong = RefCell::new(None);
    let made = folder.stream(name, &|out| {
        let mut out = Patient { out, refused: None };
        match attempt::attempt(|| of(book)?.save_to_writer(&mut out)) {
            Some(Ok(())) => out.refused.map_or(Ok(()), Err),
            Some(Err(error)) => {
                let why = io::Error::other(error.to_string());
                *wrong.borrow_mut() = Some(error);
                Err(why)
            }
            None => Err(io::Error::other("a temporary file cannot be written")),
        }
    });
    match wrong.into_inner() {
        Some(source) => Err(RenderError::Workbook { file: name.to_owned(), source }.into()),
        None => made,
    }
}

/// Keeps the first refusal to itself and takes everything from then on for written: the library has no word for what the
/// system said, and would try again and again.
struct Patient<'a> {
    out: &'a mut (dyn io::Write + Send),
    refused: Option<io::Error>,
}

impl io::Write for Patient<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.refused.is_none() {
            self.refused = self.out.write_all(bytes).err();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The workbook of the whole province.
fn province(book: &Book) -> Result<Workbook, XlsxError> {
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
    filled(book, workbook, &title, sheets)
}

/// The workbook of one region: for a province what reports to it directly.
fn bureau(book: &Book, entry: Entry, rows: Rows) -> Result<Workbook, XlsxError> {
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
    filled(book, workbook, &title, sheets)
}

fn filled(book: &Book, mut workbook: Workbook, title: &str, sheets: Vec<Worksheet>) -> Result<Workbook, XlsxError> {
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
    workbook.set_zip_compression_level(LEVEL);
    for sheet in sheets {
        workbook.push_worksheet(sheet);
    }
    Ok(workbook)
}

#[cfg(test)]
mod tests {
    use super::super::{File, InMemory, Written};
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
        let mut folder = InMemory(Vec::new());
        make(&mut book, "workbook.xlsx", &mut folder, full).unwrap();
        assert!(!book.temporary && folder.0.len() == 1 && folder.0[0].1.starts_with(b"PK"));
        // What is wrong in memory as well is not hidden.
        let wrong = |_: &Book| Err(XlsxError::ParameterError("wrong".into()));
        let wrong = make(&mut book, "workbook.xlsx", &mut folder, wrong);
        assert!(matches!(wrong, Err(RenderError::Workbook { source: XlsxError::ParameterError(_), .. })));
    }

    #[test]
    fn a_folder_that_refuses_says_why() {
        /// Takes nothing.
        struct Full;

        impl io::Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }

        #[derive(Debug, PartialEq)]
        enum Refused {
            System(io::ErrorKind),
            Render,
        }

        impl From<RenderError> for Refused {
            fn from(_: RenderError) -> Self {
                Self::Render
            }
        }

        impl Folder for Full {
            type Error = Refused;

            fn add(&mut self, _: File) -> Result<(), Refused> {
                Ok(())
            }

            fn stream(&mut self, name: &str, write: Written<'_>) -> Result<FileEntry, Refused> {
                write(self).map_err(|error| Refused::System(error.kind()))?;
                Ok(FileEntry::of(&(name.to_owned(), Vec::new())))
            }
        }

        let fixture = crate::report::fixture::fixture();
        let input = fixture.input(crate::report::Lang::Zh);
        let report = Report::new(&input);
        let refused = make(&mut Book::new(&report, &input), "workbook.xlsx", &mut Full, province);
        assert_eq!(refused, Err(Refused::System(io::ErrorKind::StorageFull)));
    }
}
