//! One list → rows, a piece at a time, so that what is in memory does not grow with the file.
//!
//! Responsible for the way from bytes to records and for what is said of the list as a whole. Leaves what a record means
//! to [`super::roster`].

use std::io::{self, BufReader, Read};
use std::path::Path;

use encoding_rs::Encoding;
use sha2::{Digest as _, Sha256};

use super::book::Book;
use super::columns::{self, Column, Columns};
use super::decode::{self, BadLines, Pieces};
use super::files::Input;
use super::records::{self, Place, Reader, Record};
use super::regions::Regions;
use super::roster::{Builder, List};
use super::{Reading, TargetsError};
use crate::model::school::SourceFile;

/// Bytes of text that are read at a time. Separator and columns are found in the first piece.
const PIECE: usize = 1 << 20;
/// Bytes asked of the file system at a time.
const BUFFER: usize = 1 << 16;

/// How lists are to be read.
#[derive(Clone, Copy)]
pub(super) struct Manner {
    /// None: found for each list.
    pub(super) encoding: Option<&'static Encoding>,
    /// None: found for each list.
    pub(super) separator: Option<char>,
}

/// Reads one list into the book.
pub(super) fn read<B: Book>(
    builder: &mut Builder<B>,
    regions: &Regions,
    path: &str,
    input: Input<'_>,
    manner: Manner,
) -> Result<Reading, TargetsError> {
    let failed = |source| TargetsError::io(Path::new(path), source);
    let mut head = Vec::new();
    input.open()?.take(16).read_to_end(&mut head).map_err(failed)?;
    if let Some(kind) = binary_kind(&head) {
        return Err(TargetsError::Binary { path: path.to_owned(), kind });
    }
    let found = match decode::known(&head, manner.encoding) {
        Some(found) => found,
        None => decode::find(BufReader::with_capacity(BUFFER, input.open()?)).map_err(failed)?,
    };
    let mut counted = Counted { source: input.open()?, sha256: Sha256::new(), length: 0 };
    let pieces = Pieces::new(BufReader::with_capacity(BUFFER, &mut counted), found).map_err(failed)?;
    let (reading, rows) = read_pieces(builder, regions, path, pieces, manner.separator).map_err(failed)?;
    input.check_length(counted.length)?;
    let sha256 = counted.sha256.finalize().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    builder.finish_list(SourceFile { path: path.to_owned(), sha256, encoding: found.label().to_owned(), rows });
    Ok(reading)
}

/// Reads the text of a list. Returns how it was read, and the number of its rows.
fn read_pieces<B: Book>(
    builder: &mut Builder<B>,
    regions: &Regions,
    path: &str,
    mut pieces: Pieces<impl io::BufRead>,
    separator: Option<char>,
) -> io::Result<(Reading, u64)> {
    let (mut text, mut bad_lines) = (String::new(), BadLines::new());
    let mut more = pieces.fill(&mut text, &mut bad_lines, PIECE)?;
    let separator = separator.or_else(|| records::find_separator(&text));
    let mut reader = Reader::of_piece(&text, separator, Place::FIRST, !more);
    let columns = find_columns(&mut reader, regions);
    let mut place = reader.place();
    let (mut rows, mut repeated_headers) = (0, 0);
    loop {
        let mut reader = Reader::of_piece(&text, separator, place, !more);
        let list = List { path, columns: &columns, bad_lines: &bad_lines };
        for record in &mut reader {
            if record.fields.as_ref().is_ok_and(|fields| columns.is_repeated_header(fields)) {
                repeated_headers += 1;
                continue;
            }
            rows += 1;
            builder.add(&list, &record);
        }
        place = reader.place();
        if !more {
            break;
        }
        text.drain(..place.at);
        place.at = 0;
        bad_lines = bad_lines.split_off(&place.line);
        more = pieces.fill(&mut text, &mut bad_lines, PIECE)?;
    }
    let site_column = columns.title(Column::Site);
    let (header, unused) = (columns.has_header(), columns.unused());
    Ok((Reading { separator, header, site_column, repeated_headers, unused }, rows))
}

/// The columns of a list; the reader is left at its first row.
fn find_columns(reader: &mut Reader<'_>, regions: &Regions) -> Columns {
    let sample: Vec<Record<'_>> = reader.clone().take(50).collect();
    match sample.first() {
        Some(first) if columns::is_header(first) => {
            reader.next();
            Columns::of_header(first, &sample[1..])
        }
        _ => Columns::of_rows(&sample, regions),
    }
}

/// What a file is that is not text, by its first bytes.
fn binary_kind(bytes: &[u8]) -> Option<&'static str> {
    let kinds: [(&[u8], &str); 5] = [
        (b"PK\x03\x04", "spreadsheet or archive (zip)"),
        (b"\xd0\xcf\x11\xe0", "spreadsheet or document (old Office)"),
        (b"%PDF-", "PDF document"),
        (b"MZ\x90\x00", "program"),
        (b"\x7fELF", "program"),
    ];
    kinds.iter().find(|(magic, _)| bytes.starts_with(magic)).map(|(_, kind)| *kind)
}

/// Bytes of a file, counted and hashed as they are read.
struct Counted<R> {
    source: R,
    sha256: Sha256,
    length: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.source.read(buffer)?;
        self.sha256.update(&buffer[..length]);
        self.length += length as u64;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{LoadOptions, load_bytes};

    /// Rows lie across the edges of pieces in every way: quoted line ends, marks that are never closed, long lines.
    #[test]
    fn a_list_of_many_pieces_is_that_list() {
        let mut list = String::from("学校名称,网站地址,地区\n");
        let mut numbers = Vec::new();
        let mut line = 2;
        for number in 0..30_000 {
            numbers.push(line);
            let (row, lines) = match number % 7 {
                0 => (format!("\"示例\n{number}中学\",www.s{number}.cn,甲市\r\n"), 2),
                1 => (format!("\"示例{number}中学,www.s{number}.cn,甲市\n"), 1),
                2 if number % 1000 == 2 => (format!("{},www.s{number}.cn,甲市\n", "长".repeat(5000)), 1),
                _ => (format!("示例{number}中学,www.s{number}.cn,甲市\r"), 1),
            };
            list.push_str(&row);
            line += lines;
        }
        assert!(list.len() > super::PIECE, "{}", list.len());
        let loaded = load_bytes(&[("list.csv", list)], &LoadOptions::default()).unwrap();
        let accepted = loaded.roster.rows.iter().map(|row| row.source.line);
        let mut found: Vec<u64> = accepted.chain(loaded.roster.rejected.iter().map(|row| row.source.line)).collect();
        found.sort_unstable();
        assert_eq!(found, numbers);
        let unclosed = loaded.roster.rejected.iter().filter(|row| row.problem.reason.contains("quotation")).count();
        let long = loaded.roster.rejected.iter().filter(|row| row.problem.reason.contains("8 KiB")).count();
        assert_eq!(
            (unclosed, long),
            (30_000 / 7 + 1, numbers.len().div_ceil(7000)),
            "{}",
            loaded.roster.rejected.len()
        );
    }
}
