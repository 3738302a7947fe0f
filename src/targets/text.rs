//! Text from outside, made harmless: names are cleaned before they enter the roster, offending text is escaped before
//! it is quoted.
//!
//! Leaves to others: escaping for a particular output (HTML, CSV, spreadsheets), which each output does on its own.

use std::fmt::Write as _;

use unicode_normalization::UnicodeNormalization as _;

/// Longest name that is kept, in characters. Longer ones are cut and marked with an ellipsis.
const NAME_LIMIT: usize = 200;
/// Longest quotation of offending text, in characters.
const QUOTE_LIMIT: usize = 200;

/// Characters that are not seen but change what is read: zero-width, soft hyphen, bidirectional controls, and the byte
/// order mark inside a text.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Spaces that are not the ASCII one.
pub(super) fn is_wide_space(c: char) -> bool {
    matches!(c, '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{2028}' | '\u{2029}' | '\u{202f}')
        || matches!(c, '\u{205f}' | '\u{3000}' | '\u{85}')
}

/// The ASCII form of a full-width character. None: it is not one.
pub(super) fn narrow(c: char) -> Option<char> {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0),
        '。' | '｡' => Some('.'),
        _ => None,
    }
}

/// What [`name`] made of a cell.
pub(super) struct Cleaned {
    /// The text that is kept.
    pub(super) text: String,
    /// Invisible or control characters were removed.
    pub(super) removed: bool,
    /// The text was longer than the limit.
    pub(super) cut: bool,
}

/// A name as it is kept: NFC, no control or invisible characters, single spaces, of bounded length.
pub(super) fn name(raw: &str) -> Cleaned {
    let mut cleaned = Cleaned { text: String::with_capacity(raw.len()), removed: false, cut: false };
    let mut gap = false;
    let mut length = 0;
    for c in raw.nfc() {
        if c.is_whitespace() || is_wide_space(c) {
            gap = !cleaned.text.is_empty();
        } else if c.is_control() || is_invisible(c) {
            cleaned.removed = true;
        } else if length + usize::from(gap) >= NAME_LIMIT {
            cleaned.text.push('…');
            cleaned.cut = true;
            break;
        } else {
            if gap {
                cleaned.text.push(' ');
                gap = false;
                length += 1;
            }
            cleaned.text.push(c);
            length += 1;
        }
    }
    cleaned
}

/// A name as it is compared: NFKC, lower case, without spaces. `郑州 大学（新）` and `郑州大学(新)` are the same school.
pub(super) fn comparable(name: &str) -> String {
    name.nfkc().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect()
}

/// Text for a message: control, invisible and bidirectional characters escaped, cut to 200 characters.
pub(super) fn quote(raw: &str) -> String {
    let mut out = String::new();
    for (count, c) in raw.chars().enumerate() {
        if count == QUOTE_LIMIT {
            out.push('…');
            break;
        }
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() || is_invisible(c) || matches!(c, '\u{2028}' | '\u{2029}') => {
                // Writing to a String does not fail.
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

/// Bytes for a message: printable ASCII as it is, everything else as `\xNN`, cut to 200 bytes.
pub(super) fn quote_bytes(raw: &[u8]) -> String {
    let mut out = raw[..raw.len().min(QUOTE_LIMIT)].escape_ascii().to_string();
    if raw.len() > QUOTE_LIMIT {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cleaned() {
        for (raw, kept) in [
            ("  郑州\u{3000}大学 ", "郑州 大学"),
            ("a\u{202e}b\u{1b}[31m", "ab[31m"),
            ("e\u{301}cole", "école"),
            ("\u{feff}某校", "某校"),
            ("一\n二", "一 二"),
            ("", ""),
        ] {
            assert_eq!(name(raw).text, kept, "{raw:?}");
        }
        let long = name(&"校".repeat(5000));
        assert!(long.cut);
        assert_eq!(long.text.chars().count(), NAME_LIMIT + 1);
        // A gap at the very end counts as well.
        let gap = name(&format!("{} 校", "校".repeat(NAME_LIMIT - 1)));
        assert!(gap.cut && gap.text.chars().count() == NAME_LIMIT, "{}", gap.text);
    }

    #[test]
    fn quotations_are_inert_and_short() {
        assert_eq!(quote("a\u{1b}b\u{202e}\n"), "a\\u{1b}b\\u{202e}\\n");
        assert_eq!(quote(&"x".repeat(300)).chars().count(), QUOTE_LIMIT + 1);
        assert_eq!(quote_bytes(b"a\xd6\xd0"), "a\\xd6\\xd0");
    }

    #[test]
    fn comparison_ignores_width_and_spaces() {
        assert_eq!(comparable("郑州 大学（新）"), comparable("郑州大学(新)"));
    }
}
