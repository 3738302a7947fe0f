//! Text → records of fields, each with the line it begins at; and which separator the text uses.
//!
//! Written by hand because a list is not always CSV as RFC 4180 has it: one separator is not ASCII (`，`), an unclosed
//! quotation mark must cost one line and not the rest of the file, and every record must know its line. Where the
//! text is well formed, the fields are those of the `csv` crate (tested). Leaves the meaning of fields to
//! [`super::columns`].

use std::borrow::Cow;

use super::columns;

/// Longest record in bytes.
pub(super) const RECORD_LIMIT: usize = 8 * 1024;
/// Most lines that a quoted field may run over.
const QUOTED_LINES: u64 = 1000;
/// So many unclosed quotation marks in one file, and quotation marks no longer reach over lines: reading on for every
/// single one would take quadratic time in a hostile file.
const UNCLOSED_LIMIT: u32 = 1000;
/// Separators, in the order of preference.
const SEPARATORS: [char; 4] = ['\t', ',', ';', '，'];
/// Lines that the separator is found from.
const SAMPLE_LINES: usize = 50;

/// Why a record has no fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RecordFault {
    /// Longer than [`RECORD_LIMIT`].
    TooLong,
    /// A quotation mark is not closed.
    Unclosed,
    /// Text between a closing quotation mark and the separator.
    AfterQuote,
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record<'a> {
    /// Line at which it begins, from 1.
    pub(super) line: u64,
    /// Line at which it ends.
    pub(super) last_line: u64,
    /// Its fields, or why there are none.
    pub(super) fields: Result<Vec<Cow<'a, str>>, RecordFault>,
    /// Its text as it stands.
    pub(super) raw: &'a str,
}

/// Reads records one after the other. Blank lines, comments (`#`) and records of separators only are passed over.
#[derive(Clone)]
pub(super) struct Reader<'a> {
    text: &'a str,
    place: Place,
    /// No record begins here or later.
    until: usize,
    separator: Option<char>,
}

/// How far a reader has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Byte of the text at which the next line begins.
    pub(super) at: usize,
    /// Number of that line, from 1.
    pub(super) line: u64,
    /// Unclosed quotation marks so far.
    unclosed: u32,
}

impl Place {
    /// The front of a file.
    pub(super) const FIRST: Self = Self { at: 0, line: 1, unclosed: 0 };
}

impl<'a> Reader<'a> {
    /// A reader of the whole text. Without a separator every line is one field.
    pub(super) fn new(text: &'a str, separator: Option<char>) -> Self {
        Self { text, place: Place::FIRST, until: text.len(), separator }
    }

    /// A reader of a piece of a text, whole lines, that goes on where another one came to. Unless it is the `last`, records
    /// are read while twice the longest record is left, so that none depends on what comes after the piece.
    pub(super) fn of_piece(text: &'a str, separator: Option<char>, place: Place, last: bool) -> Self {
        let until = if last { text.len() } else { text.len().saturating_sub(2 * RECORD_LIMIT) };
        Self { text, place, until, separator }
    }

    /// How far it has come.
    pub(super) fn place(&self) -> Place {
        self.place
    }

    /// Where the current line ends, without and with its line end.
    fn line_end(&self) -> (usize, usize) {
        let bytes = &self.text.as_bytes()[self.place.at..];
        match bytes.iter().position(|b| matches!(b, b'\n' | b'\r')) {
            None => (self.text.len(), self.text.len()),
            Some(end) => (self.place.at + end, self.place.at + end + end_length(&bytes[end..])),
        }
    }

    /// The record at the current position: its fields, where it ends, and over how many lines it runs.
    fn fields(&self, line_end: usize) -> Result<(Vec<Cow<'a, str>>, usize, u64), RecordFault> {
        let line = &self.text[self.place.at..line_end];
        if line.len() > RECORD_LIMIT {
            return Err(RecordFault::TooLong);
        }
        if !line.contains('"') {
            let fields = match self.separator {
                Some(separator) => line.split(separator).map(Cow::Borrowed).collect(),
                None => vec![Cow::Borrowed(line)],
            };
            return Ok((fields, line_end, 1));
        }
        let reach = if self.place.unclosed >= UNCLOSED_LIMIT { line_end } else { self.text.len() };
        let reach = reach.min(self.place.at + RECORD_LIMIT);
        let mut fields = Vec::new();
        let mut lines = 1;
        let mut at = self.place.at;
        loop {
            let (field, end) = if let Some(inside) = self.quote_at(at) {
                let (field, closed, more) = self.quoted(inside, reach)?;
                lines += more;
                if lines > QUOTED_LINES {
                    return Err(RecordFault::Unclosed);
                }
                (Cow::Owned(field), self.after_quote(closed)?)
            } else {
                let end = self.plain_end(at);
                (Cow::Borrowed(&self.text[at..end]), end)
            };
            fields.push(field);
            match self.text[end..].chars().next() {
                Some(c) if Some(c) == self.separator => at = end + c.len_utf8(),
                _ => return Ok((fields, end, lines)),
            }
        }
    }

    /// If a quoted field begins here: where its text begins.
    fn quote_at(&self, at: usize) -> Option<usize> {
        let rest = &self.text[at..];
        let trimmed = rest.trim_start_matches(|c| (c == ' ' || c == '\t') && Some(c) != self.separator);
        trimmed.starts_with('"').then(|| self.text.len() - trimmed.len() + 1)
    }

    /// A quoted field: its text, where it closed, and how many line ends are in it.
    fn quoted(&self, from: usize, reach: usize) -> Result<(String, usize, u64), RecordFault> {
        let bytes = self.text.as_bytes();
        let mut field = String::new();
        let (mut start, mut at, mut lines) = (from, from, 0);
        while at < reach {
            match bytes[at] {
                b'"' if bytes.get(at + 1) == Some(&b'"') => {
                    field.push_str(&self.text[start..=at]);
                    at += 2;
                    start = at;
                }
                b'"' => {
                    field.push_str(&self.text[start..at]);
                    return Ok((field, at + 1, lines));
                }
                b'\n' | b'\r' => {
                    at += end_length(&bytes[at..]);
                    lines += 1;
                }
                _ => at += 1,
            }
        }
        Err(RecordFault::Unclosed)
    }

    fn after_quote(&self, at: usize) -> Result<usize, RecordFault> {
        let rest = &self.text[at..];
        let trimmed = rest.trim_start_matches(|c| (c == ' ' || c == '\t') && Some(c) != self.separator);
        match trimmed.chars().next() {
            None | Some('\n' | '\r') => {}
            Some(c) if Some(c) == self.separator => {}
            Some(_) => return Err(RecordFault::AfterQuote),
        }
        Ok(self.text.len() - trimmed.len())
    }

    fn plain_end(&self, at: usize) -> usize {
        let stops = |c| matches!(c, '\n' | '\r') || Some(c) == self.separator;
        self.text[at..].find(stops).map_or(self.text.len(), |end| at + end)
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        while self.place.at < self.until {
            let (line_end, next_line) = self.line_end();
            let (start, line) = (self.place.at, self.place.line);
            if is_passed_over(&self.text[start..line_end]) {
                (self.place.at, self.place.line) = (next_line, line + 1);
                continue;
            }
            let (fields, end, lines) = match self.fields(line_end) {
                Ok((fields, end, lines)) => (Ok(fields), end, lines),
                Err(fault) => {
                    self.place.unclosed += u32::from(fault == RecordFault::Unclosed);
                    (Err(fault), line_end, 1)
                }
            };
            self.place.at = end + end_length(&self.text.as_bytes()[end..]);
            self.place.line += lines;
            let blank = |fields: &Vec<Cow<'_, str>>| fields.iter().all(|field| field.trim().is_empty());
            if fields.as_ref().is_ok_and(blank) {
                continue;
            }
            return Some(Record { line, last_line: self.place.line - 1, fields, raw: &self.text[start..end] });
        }
        None
    }
}

/// Length of the line end at the front of these bytes; 0 at the end of the text.
fn end_length(bytes: &[u8]) -> usize {
    match bytes {
        [b'\r', b'\n', ..] => 2,
        [b'\r' | b'\n', ..] => 1,
        _ => 0,
    }
}

/// Blank lines and comments. The error values of spreadsheets begin with `#` too, and are data.
fn is_passed_over(line: &str) -> bool {
    let line = line.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    line.is_empty()
        || (line.starts_with('#')
            && !["#N/A", "#REF!", "#NAME?", "#VALUE!", "#DIV/0!", "#NULL!", "#NUM!"]
                .iter()
                .any(|e| line.starts_with(e)))
}

/// The separator of a text. None: one field a line.
///
/// 1. The one that splits the first line into the most known column titles, if that is at least two.
/// 2. The one that stands in the most lines, outside of quotation marks, if that is at least half of them.
pub(super) fn find_separator(text: &str) -> Option<char> {
    // Read without a separator, quotation marks may reach over lines, so a sample line can be several: still fine.
    let lines: Vec<&str> = Reader::new(text, None).take(SAMPLE_LINES).map(|record| record.raw).collect();
    let first = lines.first()?;
    let titles = |separator: char| first.split(separator).filter(|cell| columns::is_title(cell)).count();
    let by_titles = SEPARATORS.into_iter().rev().max_by_key(|separator| titles(*separator))?;
    if titles(by_titles) >= 2 {
        return Some(by_titles);
    }
    let count = |separator: char| lines.iter().filter(|line| holds(line, separator)).count();
    let by_lines = SEPARATORS.into_iter().rev().max_by_key(|separator| count(*separator))?;
    (count(by_lines) * 2 >= lines.len() && count(by_lines) > 0).then_some(by_lines)
}

fn holds(line: &str, separator: char) -> bool {
    let mut quoted = false;
    line.chars().any(|c| {
        quoted ^= c == '"';
        c == separator && !quoted
    })
}

#[cfg(test)]
#[path = "records_tests.rs"]
mod tests;
