//! Bytes of a list → text. Finds the encoding, and which lines do not hold to it.
//!
//! One bad line never spoils a file: it is decoded with replacement characters and named in [`Decoded::bad_lines`], so
//! that its row is rejected and the others are read. Leaves rows and columns to [`super::records`].

use std::borrow::Cow;
use std::collections::BTreeMap;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{BIG5, Encoding, GB18030, GBK, UTF_8, UTF_16BE, UTF_16LE};

use super::text;

/// Text of a file, and how it was found.
pub(super) struct Decoded<'a> {
    /// The text without its byte order mark. Line ends are as in the file.
    pub(super) text: Cow<'a, str>,
    /// Name of the encoding.
    pub(super) encoding: &'static str,
    /// Lines that are not valid in it, with their bytes escaped.
    pub(super) bad_lines: BTreeMap<u64, String>,
}

/// How many bytes the detector looks at. Encodings do not change in the middle of a file, and the detector is slow.
const DETECTOR_LIMIT: usize = 1 << 20;

/// Decodes a file, in the encoding asked for or the one found.
pub(super) fn decode<'a>(bytes: &'a [u8], asked: Option<&'static Encoding>) -> Decoded<'a> {
    let marked = Encoding::for_bom(bytes);
    let encoding = asked.or(marked.map(|(encoding, _)| encoding)).unwrap_or_else(|| find_encoding(bytes));
    let body = match marked {
        Some((found, length)) if found == encoding => &bytes[length..],
        _ => bytes,
    };
    if encoding == UTF_16LE || encoding == UTF_16BE {
        return decode_wide(body, encoding);
    }
    if encoding == UTF_8
        && let Ok(text) = std::str::from_utf8(body)
    {
        return Decoded { text: Cow::Borrowed(text), encoding: "UTF-8", bad_lines: BTreeMap::new() };
    }
    decode_lines(body, encoding)
}

/// What the reports call an encoding. GB18030 is a superset of GBK and reads it.
fn label(encoding: &'static Encoding) -> &'static str {
    if encoding == GBK { GB18030.name() } else { encoding.name() }
}

fn decode_wide<'a>(body: &'a [u8], encoding: &'static Encoding) -> Decoded<'a> {
    let (text, spoilt) = encoding.decode_without_bom_handling(body);
    let mut bad_lines = BTreeMap::new();
    if spoilt {
        for (index, line) in lines(text.as_bytes()).enumerate() {
            let line = String::from_utf8_lossy(line);
            if line.contains('\u{fffd}') {
                bad_lines.insert(index as u64 + 1, text::quote(line.trim_end()));
            }
        }
    }
    Decoded { text, encoding: label(encoding), bad_lines }
}

/// Line by line, so that a broken character cannot swallow a line end. In every encoding but UTF-16 the bytes of line
/// ends stand for nothing else.
fn decode_lines<'a>(body: &'a [u8], encoding: &'static Encoding) -> Decoded<'a> {
    let reader = if encoding == GBK { GB18030 } else { encoding };
    let mut text = String::with_capacity(body.len() + body.len() / 2);
    let mut bad_lines = BTreeMap::new();
    for (index, line) in lines(body).enumerate() {
        let content = line.trim_ascii_end();
        let (decoded, spoilt) = reader.decode_without_bom_handling(line);
        if spoilt {
            bad_lines.insert(index as u64 + 1, text::quote_bytes(content));
        }
        text.push_str(&decoded);
    }
    Decoded { text: Cow::Owned(text), encoding: label(encoding), bad_lines }
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

/// The encoding of a file that does not say.
///
/// 1. Valid UTF-8 is UTF-8.
/// 2. Where most lines with characters beyond ASCII are valid UTF-8, it is UTF-8 with bad lines.
/// 3. Where nearly all characters lie in GB 2312, or most of them and the detector says GBK, it is GB18030. The detector
///    alone will not do: told to expect Chinese, it takes Latin-1 for it.
/// 4. Where the detector says Big5, it is Big5.
/// 5. Everything else is read as UTF-8: its rows are rejected with the advice to name the encoding, which is better than
///    wrong names.
fn find_encoding(bytes: &[u8]) -> &'static Encoding {
    if std::str::from_utf8(bytes).is_ok() {
        return UTF_8;
    }
    let (mut valid, mut invalid) = (0_u64, 0_u64);
    for line in lines(bytes).filter(|line| !line.is_ascii()) {
        if std::str::from_utf8(line).is_ok() { valid += 1 } else { invalid += 1 }
    }
    if valid > invalid {
        return UTF_8;
    }
    let share = gb2312_share(bytes);
    if share >= 0.9 {
        return GB18030;
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(&bytes[..bytes.len().min(DETECTOR_LIMIT)], bytes.len() <= DETECTOR_LIMIT);
    let guess = detector.guess(Some(b"cn"), Utf8Detection::Deny);
    if share >= 0.5 && (guess == GBK || guess == GB18030) {
        GB18030
    } else if guess == BIG5 {
        BIG5
    } else {
        UTF_8
    }
}

/// Share of the characters beyond ASCII that lie in GB 2312 (both bytes from A1 up, the first at most F7).
fn gb2312_share(bytes: &[u8]) -> f64 {
    let (mut inside, mut all) = (0_u64, 0_u64);
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] < 0x80 {
            at += 1;
            continue;
        }
        all += 1;
        let pair = matches!(bytes[at], 0xa1..=0xf7) && bytes.get(at + 1).is_some_and(|b| *b >= 0xa1);
        inside += u64::from(pair);
        at += if pair { 2 } else { 1 };
    }
    if all == 0 { 0.0 } else { inside as f64 / all as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "学校名称,域名\n郑州大学,www.zzu.edu.cn\n";

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
            let decoded = decode(&bytes, None);
            assert_eq!((decoded.text.as_ref(), decoded.encoding), (TEXT, encoding), "{name}");
            assert!(decoded.bad_lines.is_empty(), "{name}");
        }
    }

    #[test]
    fn a_rare_character_of_gb18030() {
        let text = "学校名称,域名\n㐂中学䶮校,a.edu.cn\n郑州第一中学,b.edu.cn\n";
        let bytes = GB18030.encode(text).0.into_owned();
        assert_eq!(decode(&bytes, None).text, text);
    }

    #[test]
    fn one_bad_line_spoils_only_itself() {
        let mut gbk = GB18030.encode(TEXT).0.into_owned();
        gbk.extend(b"\xff\xff,a.edu.cn\r\nx,b.edu.cn");
        let decoded = decode(&gbk, None);
        assert_eq!(decoded.encoding, "gb18030");
        assert_eq!(decoded.bad_lines.into_iter().collect::<Vec<_>>(), [(3, r"\xff\xff,a.edu.cn".to_owned())]);
        assert!(decoded.text.ends_with("x,b.edu.cn"));

        let mixed = [TEXT.as_bytes(), &GB18030.encode("中学,a.edu.cn\n").0].concat();
        let decoded = decode(&mixed, None);
        assert_eq!(decoded.encoding, "UTF-8");
        assert_eq!(decoded.bad_lines.keys().copied().collect::<Vec<_>>(), [3]);
    }

    #[test]
    fn latin_is_not_taken_for_chinese() {
        let decoded = decode(b"Coll\xe8ge de Sion,a.edu.cn\n\xc9cole,b.edu.cn\n", None);
        assert_eq!(decoded.encoding, "UTF-8");
        assert_eq!(decoded.bad_lines.len(), 2);
        let asked = decode(b"Coll\xe8ge\n", Encoding::for_label(b"latin1"));
        assert_eq!(asked.text, "Collège\n");
    }

    #[test]
    fn odd_length_and_lone_surrogates() {
        let mut bytes = wide("a.cn\n", b"\xff\xfe", u16::to_le_bytes);
        bytes.extend(b"\x00\xd8\x0a\x00b\x00.");
        let decoded = decode(&bytes, None);
        assert_eq!(decoded.bad_lines.keys().copied().collect::<Vec<_>>(), [2, 3]);
        assert_eq!(decode(b"\xef\xbb\xbf", None).text, "");
        assert_eq!(decode(b"", None).text, "");
    }
}
