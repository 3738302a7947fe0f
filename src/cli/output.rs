//! What reaches the terminal: results on standard output, messages on standard error. A closed pipe is not an error.
//!
//! Much of it was sent by somebody else. Whatever would act on the terminal, or hide, is written out here, at the last
//! moment, so that nobody has to remember it.

use std::fmt::Display;
use std::io::Write;

use serde::Serialize;

use crate::report::Lang;
use crate::report::clean::{clean, clean_json};

/// A line of a result, or several.
pub(super) fn line(text: impl Display) {
    let _ = writeln!(std::io::stdout().lock(), "{}", visible(&text.to_string()));
}

/// Bytes that were made by this program alone, such as a script for a shell, as they are.
pub(super) fn bytes(made: &[u8]) {
    let _ = std::io::stdout().lock().write_all(made);
}

/// A message.
pub(super) fn note(text: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "{}", visible(&text.to_string()));
}

/// A result as one line of JSON.
pub(super) fn json(value: &impl Serialize) {
    // Plain data: cannot fail to serialise.
    let text = serde_json::to_string(value).unwrap_or_default();
    let _ = writeln!(std::io::stdout().lock(), "{}", clean_json(&text));
}

/// Text with nothing hidden in it but the ends of its lines.
fn visible(text: &str) -> String {
    text.split('\n').map(clean).collect::<Vec<_>>().join("\n")
}

/// An error with all its causes.
pub(super) fn error(error: &dyn std::error::Error) {
    let mut text = format!("v6ready: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str("\n  because: ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    note(text);
}

/// One of two wordings.
pub(super) fn say<'a>(lang: Lang, zh: &'a str, en: &'a str) -> &'a str {
    match lang {
        Lang::Zh => zh,
        Lang::En => en,
    }
}
