//! What reaches the terminal: results on standard output, messages on standard error. A closed pipe is not an error.

use std::fmt::Display;
use std::io::Write;

use crate::report::Lang;

/// A line of a result.
pub(super) fn line(text: impl Display) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// A message.
pub(super) fn note(text: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
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
