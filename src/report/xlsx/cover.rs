//! The first sheet of a region's workbook: its numbers and how to read the rest.

use rust_xlsxwriter::{Worksheet, XlsxError};

use super::Book;
use super::sheet::Sheet;
use super::summary::{lead, standings};
use crate::report::html::tables::Entry;

pub(super) fn sheet(book: &Book, entry: Entry, title: &str, name: &str) -> Result<Worksheet, XlsxError> {
    let mut sheet = Sheet::new(book, Worksheet::new(), "x.sheet.cover", title, true)?;
    sheet.widths(&[34.0, 11.0, 11.0, 11.0, 11.0, 11.0, 12.0, 12.0, 12.0, 12.0, 14.0])?;
    lead(&mut sheet, book, title, name, entry.counts())?;
    standings(&mut sheet, book, entry.counts())?;
    sheet.heading(book.text.w("x.h.sheets"))?;
    for key in ["m.define", "x.about.rectify", "x.about.colours", "x.about.guard", "m.limits"] {
        sheet.paragraph(book.text.w(key), 10, 150.0)?;
    }
    Ok(sheet.finish())
}
