//! Makes untrusted text visible: what would act on a terminal, or show text in another order than it is stored in, is
//! written out as an escape. HTML escaping is the templates' business, the formula guard is [`super::csv`]'s.

use std::borrow::Cow;
use std::fmt::Write;

/// Writes out control characters (C0, DEL, C1), bidirectional controls, zero-width and other invisible characters as
/// `\t`, `\n`, `\r` or `\u{202e}`. Everything else stays.
pub fn clean(text: &str) -> Cow<'_, str> {
    if is_plain(text) || !text.chars().any(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            hidden if is_hidden(hidden) => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{{{:x}}}", u32::from(hidden));
            }
            visible => out.push(visible),
        }
    }
    Cow::Owned(out)
}

/// The same for text that is JSON already: what is hidden stands as `\u202e`, which means the same to a reader of JSON. Line
/// ends stay: in JSON they stand between values only.
pub fn clean_json(json: &str) -> Cow<'_, str> {
    let hidden = |character: char| character != '\n' && is_hidden(character);
    if is_plain(json) || !json.chars().any(hidden) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len() + 16);
    for character in json.chars() {
        if hidden(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(character);
        }
    }
    Cow::Owned(out)
}

/// Printable ASCII, as nearly all of it is: to look at its bytes is many times as fast as at characters.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// Whether a character is not seen itself but changes what is seen (Unicode TR 36 and TR 55, and the C0/C1 sets).
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_untouched() {
        for text in ["", "示例中学", "a b", "Grüße", "𠮷野", "=1+1", "<b>"] {
            assert!(matches!(clean(text), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn json_means_the_same_and_shows_nothing_hidden() {
        let text = "a\u{1b}[31m\u{9b}0m\u{202e}\u{7f}\u{2028}\u{e0041}\0\n中";
        let json = serde_json::to_string(text).unwrap();
        let shown = clean_json(&json);
        assert!(!shown.chars().any(is_hidden), "{shown}");
        assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), text);
        assert!(matches!(clean_json("{\n\"a\":1}"), Cow::Borrowed(_)));
    }

    #[test]
    fn what_acts_is_written_out() {
        assert_eq!(clean("a\u{1b}[31mb"), "a\\u{1b}[31mb");
        assert_eq!(clean("\u{9b}0m"), "\\u{9b}0m");
        assert_eq!(clean("gpj.\u{202e}exe"), "gpj.\\u{202e}exe");
        assert_eq!(clean("a\u{200b}b\u{feff}\tc\r\n"), "a\\u{200b}b\\u{feff}\\tc\\r\\n");
    }
}
