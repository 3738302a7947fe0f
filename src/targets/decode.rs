//! Bytes of a list → text. Finds the encoding, and which lines do not hold to it.
//!
//! A list is read in pieces of whole lines, twice: once for its encoding, where it does not say, and once for its text. So
//! what is in memory does not grow with the list. One bad line never spoils a file: it is decoded with replacement
//! characters and named among the bad lines, so that its row is rejected and the others are read. Leaves rows and
//! columns to [`super::records`].

use std::collections::BTreeMap;
use std::io::{self, BufRead, Read};

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{BIG5, Decoder, Encoding, GB18030, GBK, UTF_8, UTF_16BE, UTF_16LE};

use super::text;

/// Lines, from 1, that are not valid in the encoding of their file, with their bytes escaped.
pub(super) type BadLines = BTreeMap<u64, String>;

/// How a file is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    encoding: &'static Encoding,
    /// Bytes of the byte order mark.
    mark: usize,
}

impl Found {
    /// What the reports call it. GB18030 is a superset of GBK and reads it.
    pub(super) fn label(self) -> &'static str {
        if self.encoding == GBK { GB18030.name() } else { self.encoding.name() }
    }
}

/// The encoding of a file that begins with these bytes, at least four if there are so many: the one asked for, or that of
/// its byte order mark. None: the whole file has to be looked at.
pub(super) fn known(head: &[u8], asked: Option<&'static Encoding>) -> Option<Found> {
    let marked = Encoding::for_bom(head);
    let encoding = asked.or(marked.map(|(encoding, _)| encoding))?;
    let mark = marked.filter(|(of, _)| *of == encoding).map_or(0, |(_, length)| length);
    Some(Found { encoding, mark })
}

/// Text of a file that is in memory.
pub(super) struct Decoded {
    /// The text without its byte order mark. Line ends are as in the file.
    pub(super) text: String,
    /// Lines that are not valid.
    pub(super) bad_lines: BadLines,
}

/// Decodes a small file as a whole, in the encoding that is found.
pub(super) fn decode(bytes: &[u8]) -> Decoded {
    let (mut text, mut bad_lines) = (String::new(), BadLines::new());
    // Reading from memory does not fail.
    let found = known(bytes, None).map_or_else(|| find(bytes), Ok);
    let pieces = found.and_then(|found| Pieces::new(bytes, found));
    let _ = pieces.map(|mut pieces| pieces.fill(&mut text, &mut bad_lines, usize::MAX));
    Decoded { text, bad_lines }
}

/// How many bytes the detector looks at. Encodings do not change in the middle of a file, and the detector is slow.
const DETECTOR_LIMIT: usize = 1 << 20;

/// Looks at all lines of a file that does not say how it is encoded.
#[derive(Default)]
struct Survey {
    /// Lines with characters beyond ASCII that are UTF-8, and that are not.
    valid: u64,
    invalid: u64,
    /// Characters beyond ASCII that lie in GB 2312 (both bytes from A1 up, the first at most F7), and all.
    inside: u64,
    beyond_ascii: u64,
    /// The front of the file, for the detector.
    head: Vec<u8>,
    longer: bool,
}

/// The encoding of a file that does not say.
pub(super) fn find(mut source: impl BufRead) -> io::Result<Found> {
    let mut survey = Survey::default();
    let mut line = Vec::new();
    while next_line(&mut source, &mut line)? {
        survey.add(&line);
        line.clear();
    }
    Ok(survey.found())
}

impl Survey {
    fn add(&mut self, line: &[u8]) {
        let room = DETECTOR_LIMIT - self.head.len();
        self.head.extend_from_slice(&line[..line.len().min(room)]);
        self.longer |= line.len() > room;
        if line.is_ascii() {
            return;
        }
        let counter = if std::str::from_utf8(line).is_ok() { &mut self.valid } else { &mut self.invalid };
        *counter += 1;
        let mut at = 0;
        while at < line.len() {
            if line[at] < 0x80 {
                at += 1;
                continue;
            }
            self.beyond_ascii += 1;
            let pair = matches!(line[at], 0xa1..=0xf7) && line.get(at + 1).is_some_and(|b| *b >= 0xa1);
            self.inside += u64::from(pair);
            at += if pair { 2 } else { 1 };
        }
    }

    /// 1. Valid UTF-8 is UTF-8.
    /// 2. Where most lines with characters beyond ASCII are valid UTF-8, it is UTF-8 with bad lines.
    /// 3. Where nearly all characters lie in GB 2312, or most of them and the detector says GBK, it is GB18030. The
    ///    detector alone will not do: told to expect Chinese, it takes Latin-1 for it.
    /// 4. Where the detector says Big5, it is Big5.
    /// 5. Everything else is read as UTF-8: its rows are rejected with the advice to name the encoding, which is better
    ///    than wrong names.
    fn encoding(&self) -> &'static Encoding {
        if self.invalid == 0 || self.valid > self.invalid {
            return UTF_8;
        }
        // A line that is not UTF-8 holds at least one byte beyond ASCII.
        let share = self.inside as f64 / self.beyond_ascii as f64;
        if share >= 0.9 {
            return GB18030;
        }
        let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
        detector.feed(&self.head, !self.longer);
        let guess = detector.guess(Some(b"cn"), Utf8Detection::Deny);
        if share >= 0.5 && (guess == GBK || guess == GB18030) {
            GB18030
        } else if guess == BIG5 {
            BIG5
        } else {
            UTF_8
        }
    }

    fn found(&self) -> Found {
        Found { encoding: self.encoding(), mark: 0 }
    }
}

/// A file's text, piece by piece.
pub(super) struct Pieces<R> {
    source: R,
    way: Way,
    /// Lines given so far.
    lines: u64,
}

enum Way {
    /// Line by line, so that a broken character cannot swallow a line end. In every encoding but UTF-16 the bytes of line
    /// ends stand for nothing else.
    Lines { encoding: &'static Encoding, line: Vec<u8> },
    /// UTF-16: as the bytes come.
    Wide { decoder: Decoder, rest: String, spoilt: bool, ended: bool },
}

impl<R: BufRead> Pieces<R> {
    /// The pieces of a file that is encoded so, from its first byte.
    pub(super) fn new(mut source: R, found: Found) -> io::Result<Self> {
        io::copy(&mut source.by_ref().take(found.mark as u64), &mut io::sink())?;
        let encoding = if found.encoding == GBK { GB18030 } else { found.encoding };
        let way = if encoding == UTF_16LE || encoding == UTF_16BE {
            let decoder = encoding.new_decoder_without_bom_handling();
            Way::Wide { decoder, rest: String::new(), spoilt: false, ended: false }
        } else {
            Way::Lines { encoding, line: Vec::new() }
        };
        Ok(Self { source, way, lines: 0 })
    }

    /// Appends whole lines until the text has this length in bytes. False: the file has ended.
    pub(super) fn fill(&mut self, text: &mut String, bad: &mut BadLines, length: usize) -> io::Result<bool> {
        while text.len() < length {
            let more = match &mut self.way {
                Way::Lines { encoding, line } => narrow(&mut self.source, encoding, line, &mut self.lines, text, bad)?,
                Way::Wide { .. } => self.wide(text, bad)?,
            };
            if !more {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Appends the lines that the next bytes complete.
    fn wide(&mut self, text: &mut String, bad: &mut BadLines) -> io::Result<bool> {
        let Way::Wide { decoder, rest, spoilt, ended } = &mut self.way else { return Ok(false) };
        if *ended {
            return Ok(false);
        }
        let bytes = self.source.fill_buf()?;
        *ended = bytes.is_empty();
        // Enough for every byte to be read: a buffer's length does not overflow.
        rest.reserve(decoder.max_utf8_buffer_length(bytes.len()).unwrap_or_default());
        let (_, read, errors) = decoder.decode_to_string(bytes, rest, *ended);
        self.source.consume(read);
        *spoilt |= errors;
        // A CR at the end may be the first half of a line end.
        let whole = if *ended {
            rest.len()
        } else {
            rest.strip_suffix('\r').unwrap_or(rest).rfind(['\n', '\r']).map_or(0, |at| at + 1)
        };
        for line in lines(&rest.as_bytes()[..whole]) {
            self.lines += 1;
            let line = String::from_utf8_lossy(line);
            if *spoilt && line.contains('\u{fffd}') {
                bad.insert(self.lines, text::quote(line.trim_end()));
            }
        }
        text.extend(rest.drain(..whole));
        Ok(true)
    }
}

/// Appends the next line of a file in an encoding of bytes.
fn narrow(
    source: &mut impl BufRead,
    encoding: &'static Encoding,
    line: &mut Vec<u8>,
    lines: &mut u64,
    text: &mut String,
    bad: &mut BadLines,
) -> io::Result<bool> {
    line.clear();
    if !next_line(source, line)? {
        return Ok(false);
    }
    *lines += 1;
    let (decoded, spoilt) = encoding.decode_without_bom_handling(line);
    if spoilt {
        bad.insert(*lines, text::quote_bytes(line.trim_ascii_end()));
    }
    text.push_str(&decoded);
    Ok(true)
}

/// Appends the next line with its end: LF, CRLF or CR. False: there is none.
fn next_line(source: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    loop {
        let bytes = source.fill_buf()?;
        if bytes.is_empty() || line.last() == Some(&b'\r') {
            let feed = bytes.first() == Some(&b'\n');
            if feed {
                line.push(b'\n');
                source.consume(1);
            }
            return Ok(!line.is_empty());
        }
        let end = bytes.iter().position(|b| matches!(b, b'\n' | b'\r')).map_or(bytes.len(), |at| at + 1);
        line.extend_from_slice(&bytes[..end]);
        source.consume(end);
        if line.last() == Some(&b'\n') {
            return Ok(true);
        }
    }
}

/// Lines with their ends: LF, CRLF or CR.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = rest.iter().position(|b| matches!(b, b'\n' | b'\r')).map_or(rest.len(), |at| {
            if rest[at] == b'\r' && rest.get(at + 1) == Some(&b'\n') { at + 2 } else { at + 1 }
        });
        let (line, after) = rest.split_at(end);
        rest = after;
        Some(line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "学校名称,域名\n郑州大学,www.zzu.edu.cn\n";

    fn found(bytes: &[u8]) -> Found {
        known(bytes, None).unwrap_or_else(|| find(bytes).unwrap())
    }

    fn wide(text: &str, mark: &[u8], bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        mark.iter().copied().chain(text.encode_utf16().flat_map(bytes)).collect()
    }

    #[test]
    fn encodings() {
        let gbk = GB18030.encode(TEXT).0.into_owned();
        for (name, bytes, encoding) in [
            ("plain", TEXT.as_bytes().to_vec(), "UTF-8"),
            ("marked", [b"\xef\xbb\xbf", TEXT.as_bytes()].concat(), "UTF-8"),
            ("wide little", wide(TEXT, b"\xff\xfe", u16::to_le_bytes), "UTF-16LE"),
            ("wide big", wide(TEXT, b"\xfe\xff", u16::to_be_bytes), "UTF-16BE"),
            ("spreadsheet", gbk, "gb18030"),
        ] {
            let decoded = decode(&bytes);
            assert_eq!((decoded.text.as_ref(), found(&bytes).label()), (TEXT, encoding), "{name}");
            assert!(decoded.bad_lines.is_empty(), "{name}");
        }
    }

    #[test]
    fn a_rare_character_of_gb18030() {
        let text = "学校名称,域名\n㐂中学䶮校,a.edu.cn\n郑州第一中学,b.edu.cn\n";
        let bytes = GB18030.encode(text).0.into_owned();
        assert_eq!(decode(&bytes).text, text);
    }

    #[test]
    fn one_bad_line_spoils_only_itself() {
        let mut gbk = GB18030.encode(TEXT).0.into_owned();
        gbk.extend(b"\xff\xff,a.edu.cn\r\nx,b.edu.cn");
        let decoded = decode(&gbk);
        assert_eq!(found(&gbk).label(), "gb18030");
        assert_eq!(decoded.bad_lines.into_iter().collect::<Vec<_>>(), [(3, r"\xff\xff,a.edu.cn".to_owned())]);
        assert!(decoded.text.ends_with("x,b.edu.cn"));

        let mixed = [TEXT.as_bytes(), &GB18030.encode("中学,a.edu.cn\n").0].concat();
        let decoded = decode(&mixed);
        assert_eq!(found(&mixed).label(), "UTF-8");
        assert_eq!(decoded.bad_lines.keys().copied().collect::<Vec<_>>(), [3]);
    }

    #[test]
    fn latin_is_not_taken_for_chinese() {
        let latin = b"Coll\xe8ge de Sion,a.edu.cn\n\xc9cole,b.edu.cn\n";
        assert_eq!(found(latin).label(), "UTF-8");
        assert_eq!(decode(latin).bad_lines.len(), 2);
        let asked = known(latin, Encoding::for_label(b"latin1")).unwrap();
        let (mut text, mut bad_lines) = (String::new(), BadLines::new());
        assert!(!Pieces::new(&latin[..], asked).unwrap().fill(&mut text, &mut bad_lines, usize::MAX).unwrap());
        assert!(text.starts_with("Collège de Sion,") && bad_lines.is_empty(), "{text}");
    }

    #[test]
    fn odd_length_and_lone_surrogates() {
        let mut bytes = wide("a.cn\n", b"\xff\xfe", u16::to_le_bytes);
        bytes.extend(b"\x00\xd8\x0a\x00b\x00.");
        let decoded = decode(&bytes);
        assert_eq!(decoded.bad_lines.keys().copied().collect::<Vec<_>>(), [2, 3]);
        assert_eq!(decode(b"\xef\xbb\xbf").text, "");
        assert_eq!(decode(b"").text, "");
    }

    #[test]
    fn pieces_are_the_whole_whatever_the_buffer() {
        let text = "甲,a.cn\r\n乙,b.cn\r丙,c.cn\n\n\r\n丁";
        let spoilt = [text.as_bytes(), b"\xff\r\n\xfe,x\r"].concat();
        let gbk = [GB18030.encode(text).0.as_ref(), b"\xff\r\n\xff,x\r"].concat();
        let mut odd = wide(text, b"\xff\xfe", u16::to_le_bytes);
        odd.extend(b"\x00\xd8\x0d\x00\x0a\x00b");
        for bytes in [text.as_bytes().to_vec(), spoilt, gbk, wide(text, b"\xfe\xff", u16::to_be_bytes), odd] {
            let whole = decode(&bytes);
            for (buffer, length) in [(1, 1), (2, 3), (3, 8), (7, 20), (64, 1000)] {
                let source = || io::BufReader::with_capacity(buffer, bytes.as_slice());
                let known = known(&bytes, None).unwrap_or_else(|| find(source()).unwrap());
                assert_eq!(known, found(&bytes));
                let mut pieces = Pieces::new(source(), known).unwrap();
                let (mut all, mut bad, mut more) = (String::new(), BadLines::new(), true);
                while more {
                    let mut piece = String::new();
                    more = pieces.fill(&mut piece, &mut bad, length).unwrap();
                    assert!(all.is_empty() || piece.is_empty() || all.ends_with(['\n', '\r']), "{all:?} {piece:?}");
                    all.push_str(&piece);
                }
                assert_eq!((all, bad), (whole.text.clone(), whole.bad_lines.clone()), "buffer {buffer}");
            }
        }
    }
}
