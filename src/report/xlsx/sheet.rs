//! One sheet: title, marks, and a table with a frozen header, a filter and a print set-up.

use rust_xlsxwriter::{
    Color, ConditionalFormatDataBar, ConditionalFormatDataBarDirection, ConditionalFormatType, ExcelDateTime, Format,
    Url, Workbook, Worksheet, XlsxError,
};

use super::Book;
use super::style::Look;
use crate::report::csv::cell;
use crate::report::format::percent;

/// What a cell may hold at most, in UTF-16 units, with room for the sign that something was cut.
const LONGEST: usize = 32_000;
/// Rows that a sheet has.
const ROWS: u32 = 1_048_576;
/// Links that a sheet may have. Excel bears 65,530; each is kept in memory until the end.
const LINKS: u32 = 20_000;
/// Height of one line of text, in points, and the most that a row can have.
const LINE: f64 = 14.5;
/// Height of a row with one line of text, in points.
const ROW: f64 = 18.0;
const TALLEST: f64 = 405.0;

/// A column: its heading, its width in digits, how its cells look.
pub(super) struct Column {
    pub(super) title: String,
    pub(super) width: f64,
    pub(super) look: Look,
}

/// What stands in a cell. The look comes from the column.
pub(super) enum Value {
    /// Nothing is known, or nothing is to be said.
    None,
    /// Text, made inert on the way.
    Text(String),
    /// Words of the program's own, which others' text was made inert in already. May have several lines.
    Words(String),
    /// A whole number.
    Count(u64),
    /// Part and whole: a percentage as all formats print it.
    Share(u64, u64),
    /// Any number.
    Number(f64),
    /// A day.
    Day(ExcelDateTime),
    /// A link that was rebuilt from checked parts, and its text.
    Link(String, String),
}

impl Value {
    pub(super) fn text(text: &str) -> Self {
        if text.is_empty() { Self::None } else { Self::Text(text.to_owned()) }
    }

    pub(super) fn maybe(text: Option<&str>) -> Self {
        text.map_or(Self::None, Self::text)
    }

    pub(super) fn count(count: impl Into<u64>) -> Self {
        Self::Count(count.into())
    }

    pub(super) fn number(number: Option<f64>) -> Self {
        number.filter(|number| number.is_finite()).map_or(Self::None, Self::Number)
    }
}

/// Where a row of numbers is, for a chart: names and numbers beside each other.
pub(super) struct Series {
    pub(super) first: u32,
    pub(super) last: u32,
    pub(super) names: u16,
    pub(super) numbers: u16,
}

/// A sheet of which one row after the other goes to a temporary file without a name, so that memory does not grow with the
/// lists. Where there can be none it is kept in memory.
pub(super) fn large(book: &Book, workbook: &mut Workbook) -> Worksheet {
    if !book.temporary {
        return Worksheet::new();
    }
    workbook.new_worksheet_with_constant_memory().unwrap_or_else(|_| Worksheet::new())
}

/// A sheet on its way. Rows are written from top to bottom and never again.
pub(super) struct Sheet<'a> {
    book: &'a Book<'a>,
    inner: Worksheet,
    columns: Vec<Column>,
    /// The row that is written next.
    next: u32,
    /// The row of the header. None: there is no table yet.
    head: Option<u32>,
    /// Rows that there can be, and how many did not fit.
    limit: u32,
    left_out: u64,
    links: u32,
}

impl<'a> Sheet<'a> {
    /// Begins a sheet with its title and marks. `name` is a key of the wording, `title` is text.
    pub(super) fn new(
        book: &'a Book<'a>,
        mut sheet: Worksheet,
        name: &str,
        title: &str,
        landscape: bool,
    ) -> Result<Self, XlsxError> {
        sheet.set_name(book.text.w(name))?;
        sheet.set_paper_size(9).set_margins(0.4, 0.4, 0.6, 0.6, 0.3, 0.3);
        if landscape {
            sheet.set_landscape();
        }
        sheet.set_print_fit_to_pages(1, 0);
        // Words of the program and the run's name only: text of others could hold the codes that headers know.
        let run = &book.input.run.id.0;
        sheet.set_header(format!("&L{}&R&\"-,Bold\"{}", book.text.w("overline"), book.marks()));
        sheet.set_footer(format!(
            "&L{} {run}&C{}&R{}",
            book.text.w("head.run"),
            book.text.w("x.page"),
            book.text.w(name)
        ));
        sheet.set_screen_gridlines(false);
        // A height of a row's own is kept in memory until the end, with a format.
        sheet.set_default_row_height(ROW);
        let mut sheet =
            Self { book, inner: sheet, columns: Vec::new(), next: 0, head: None, limit: ROWS, left_out: 0, links: 0 };
        sheet.line(&cell(title), &book.styles.title, 26.0)?;
        for banner in &book.banners {
            sheet.line(
                &format!("{}{}{}", banner.name, book.text.w("colon"), banner.sentence),
                &book.styles.mark,
                18.0,
            )?;
        }
        Ok(sheet)
    }

    /// A line of text over the whole width.
    pub(super) fn line(&mut self, text: &str, format: &Format, height: f64) -> Result<(), XlsxError> {
        self.inner.set_row_height(self.next, height)?;
        self.inner.write_string_with_format(self.next, 0, cut(text), format)?;
        self.next += 1;
        Ok(())
    }

    /// A line in plain type.
    pub(super) fn note(&mut self, text: &str) -> Result<(), XlsxError> {
        let book = self.book;
        self.line(text, &book.styles.plain, 16.0)
    }

    /// A paragraph over the first columns, as high as it needs to be.
    pub(super) fn paragraph(&mut self, text: &str, last: u16, width: f64) -> Result<(), XlsxError> {
        let book = self.book;
        let height = (lines(text, width) * LINE + 4.0).min(TALLEST);
        self.inner.set_row_height(self.next, height)?;
        self.inner.merge_range(self.next, 0, self.next, last, &cut(text), &book.styles.wrapped)?;
        self.next += 1;
        Ok(())
    }

    /// The heading of a section.
    pub(super) fn heading(&mut self, text: &str) -> Result<(), XlsxError> {
        let book = self.book;
        self.next += 1;
        self.line(text, &book.styles.heading, 20.0)
    }

    /// Sets the widths of columns.
    pub(super) fn widths(&mut self, widths: &[f64]) -> Result<(), XlsxError> {
        for (column, width) in (0_u16..).zip(widths) {
            self.inner.set_column_width(column, *width)?;
        }
        Ok(())
    }

    /// Begins a table. Widths are those of the sheet, if this is its main table.
    pub(super) fn table(&mut self, columns: Vec<Column>) -> Result<(), XlsxError> {
        self.columns = columns;
        self.inner.set_row_height(self.next, 32)?;
        for (at, column) in (0_u16..).zip(&self.columns) {
            self.inner.write_string_with_format(self.next, at, &column.title, &self.book.styles.head)?;
        }
        self.head = Some(self.next);
        self.next += 1;
        Ok(())
    }

    /// Writes a row. Its height follows the longest of its wrapped cells.
    pub(super) fn row(&mut self, values: Vec<Value>) -> Result<(), XlsxError> {
        // The last row is kept for saying what did not fit.
        if self.next >= self.limit - 1 {
            self.left_out += 1;
            return Ok(());
        }
        let mut height = ROW;
        for (at, (value, column)) in (0_u16..).zip(values.into_iter().zip(&self.columns)) {
            let format = self.book.styles.of(column.look);
            let (sheet, row) = (&mut self.inner, self.next);
            match value {
                Value::None => sheet.write_blank(row, at, format)?,
                Value::Words(text) => {
                    if column.look == Look::Wrapped {
                        height = height.max(lines(&text, column.width) * LINE + 4.0);
                    }
                    sheet.write_string_with_format(row, at, cut(&crate::report::csv::guard(&text)), format)?
                }
                Value::Count(count) => sheet.write_number_with_format(row, at, count as f64, format)?,
                Value::Share(part, whole) => match share(part, whole) {
                    Some(share) => sheet.write_number_with_format(row, at, share, format)?,
                    None => sheet.write_blank(row, at, format)?,
                },
                Value::Number(number) => sheet.write_number_with_format(row, at, number, format)?,
                Value::Day(day) => sheet.write_datetime_with_format(row, at, day, format)?,
                Value::Link(url, text) if self.links < LINKS && url.len() < 2_000 => {
                    self.links += 1;
                    let link = Url::new(url).set_text(cut(&cell(&text)));
                    sheet.write_url_with_format(row, at, link, &self.book.styles.link)?
                }
                // Also a link where there are too many of them.
                Value::Text(text) | Value::Link(_, text) => {
                    sheet.write_string_with_format(row, at, cut(&cell(&text)), format)?
                }
            };
        }
        if height > ROW {
            self.inner.set_row_height(self.next, height.min(TALLEST))?;
        }
        self.next += 1;
        Ok(())
    }

    /// Rows of the table written so far: the first and the last one. None: there are none.
    pub(super) fn body(&self) -> Option<(u32, u32)> {
        let first = self.head? + 1;
        (self.next > first).then(|| (first, self.next - 1))
    }

    /// Fills the cells of a column by the verdict's word in them.
    pub(super) fn colour_standings(&mut self, column: u16) -> Result<(), XlsxError> {
        let Some((first, last)) = self.body() else { return Ok(()) };
        for rule in self.book.styles.standing_rules() {
            self.inner.add_conditional_format(first, column, last, column, &rule)?;
        }
        Ok(())
    }

    /// Draws a bar behind the percentages of a column.
    pub(super) fn bars(&mut self, column: u16) -> Result<(), XlsxError> {
        let Some((first, last)) = self.body() else { return Ok(()) };
        let bar = ConditionalFormatDataBar::new()
            .set_fill_color(Color::RGB(0xB7_D3_EE))
            .set_solid_fill(true)
            .set_direction(ConditionalFormatDataBarDirection::LeftToRight)
            .set_minimum(ConditionalFormatType::Number, 0)
            .set_maximum(ConditionalFormatType::Number, 1);
        self.inner.add_conditional_format(first, column, last, column, &bar)?;
        Ok(())
    }

    /// The row that is written next.
    pub(super) fn here(&self) -> u32 {
        self.next
    }

    /// The sheet itself, for what only one table needs.
    pub(super) fn inner(&mut self) -> &mut Worksheet {
        &mut self.inner
    }

    /// Ends a sheet of several small tables.
    pub(super) fn finish(self) -> Worksheet {
        self.inner
    }

    /// Ends a sheet with one table: widths, filter, frozen and repeated header. `fixed` columns stay when the sheet is
    /// moved; the first `printed` columns are printed, as many as can be read on paper.
    pub(super) fn finish_table(mut self, fixed: u16, printed: u16) -> Result<Worksheet, XlsxError> {
        let Some(head) = self.head else { return Ok(self.inner) };
        for (at, column) in (0_u16..).zip(&self.columns) {
            self.inner.set_column_width(at, column.width)?;
        }
        let last = u16::try_from(self.columns.len().saturating_sub(1)).unwrap_or(u16::MAX);
        let bottom = self.next.saturating_sub(1).max(head);
        self.inner.autofilter(head, 0, bottom, last)?;
        self.inner.set_freeze_panes(head + 1, fixed)?;
        self.inner.set_repeat_rows(head, head)?;
        self.inner.set_print_area(0, 0, bottom, last.min(printed.saturating_sub(1)))?;
        if self.left_out > 0 {
            let text = self.book.text.fill("x.left_out", &[("count", &self.left_out.to_string())]);
            self.inner.write_string_with_format(self.next, 0, text, &self.book.styles.mark)?;
        }
        Ok(self.inner)
    }
}

/// The percentage of all formats as a share of one, so that a sheet shows the same two decimals.
pub(super) fn share(part: u64, whole: u64) -> Option<f64> {
    percent(part, whole)?.parse::<f64>().ok().map(|percent| (percent * 100.0).round() / 10_000.0)
}

/// Text as long as a cell can hold.
fn cut(text: &str) -> String {
    let mut room = LONGEST;
    let fits = |c: &char| {
        let size = c.len_utf16();
        let fits = room >= size;
        room = if fits { room - size } else { 0 };
        fits
    };
    let kept: String = text.chars().take_while(fits).collect();
    if kept.len() < text.len() { format!("{kept}…") } else { kept }
}

/// Lines that a text takes in a column of so many digits; a Chinese character is as wide as two.
fn lines(text: &str, width: f64) -> f64 {
    let wide = |c: char| if c.is_ascii() { 1.0 } else { 1.95 };
    text.lines().map(|line| (line.chars().map(wide).sum::<f64>() / (width - 2.5).max(1.0)).ceil().max(1.0)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_where_a_cell_ends() {
        assert_eq!(cut("示例中学"), "示例中学");
        let long = cut(&"𠮷".repeat(40_000));
        assert_eq!(long.encode_utf16().count(), LONGEST + 1);
        assert!(long.ends_with('…'));
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let fixture = crate::report::fixture::fixture();
        let input = fixture.input(crate::report::Lang::Zh);
        let report = crate::report::Report::new(&input);
        let book = Book::new(&report, &input);
        let mut sheet = Sheet::new(&book, Worksheet::new(), "x.sheet.schools", "", true).unwrap();
        sheet.table(vec![Column { title: "序号".into(), width: 8.0, look: Look::Count }]).unwrap();
        sheet.limit = sheet.next + 3;
        for number in 0..5_u64 {
            sheet.row(vec![Value::Count(number)]).unwrap();
        }
        assert_eq!((sheet.body().map(|(first, last)| last - first + 1), sheet.left_out), (Some(2), 3));
        let mut workbook = Workbook::new();
        workbook.push_worksheet(sheet.finish_table(0, 1).unwrap());
        let bytes = workbook.save_to_buffer().unwrap();
        let mut reader: calamine::Xlsx<_> = calamine::Reader::new(std::io::Cursor::new(bytes)).unwrap();
        let range = calamine::Reader::worksheet_range(&mut reader, "学校").unwrap();
        assert!(range.rows().next_back().unwrap()[0].to_string().contains("另有 3 行未列出"));
    }

    #[test]
    fn shares_are_those_that_are_printed() {
        assert_eq!(share(19_999, 20_000), Some(0.9999));
        assert_eq!(share(1, 100_000), Some(0.0001));
        assert_eq!(share(1666, 2030), Some(0.8207));
        assert_eq!(share(0, 0), None);
    }

    #[test]
    fn heights_follow_the_text() {
        let rows = |text: &str| lines(text, 22.5);
        assert!((rows("一行") - 1.0).abs() < 1e-9 && (rows("a\nb") - 2.0).abs() < 1e-9);
        assert!((rows(&"汉".repeat(20)) - 2.0).abs() < 1e-9);
    }
}
