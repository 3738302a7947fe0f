//! What reaches the terminal: results on standard output, messages on standard error. A closed pipe is not an error.
//!
//! Much of it was sent by somebody else. Whatever would act on the terminal, or hide, is written out here, at the last
//! moment, so that nobody has to remember it.

use std::fmt::Display;
use std::io::Write;

use serde::Serialize;

use super::error::CliError;
use crate::config::{ConfigError, Problem};
use crate::report::Lang;
use crate::report::clean::{clean, clean_json};
use crate::report::text::Text;

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
pub(super) fn error(error: &CliError, lang: Lang) {
    note(worded(error, lang));
}

/// The lines of an error.
fn worded(error: &CliError, lang: Lang) -> String {
    let text = Text::of(lang);
    let mut lines = match error {
        CliError::Config(ConfigError::Invalid { problems }) => problems_in(problems, text),
        _ => format!("v6ready: {}", text.message(&error.to_string())),
    };
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        lines.push_str(say(lang, "\n  原因：", "\n  because: "));
        lines.push_str(&text.message(&cause.to_string()));
        source = cause.source();
    }
    lines
}

/// Each value that cannot be used, with its remedy.
fn problems_in(problems: &[Problem], text: &Text) -> String {
    let lines = problems.iter().map(|problem| {
        let [origin, wrong, remedy] =
            [&problem.origin, &problem.problem, &problem.remedy].map(|part| text.message(part));
        match text.lang() {
            Lang::Zh => format!("\n  {}（{origin}）{wrong}：{remedy}", problem.key),
            Lang::En => format!("\n  {} ({origin}) {wrong}: {remedy}", problem.key),
        }
    });
    format!("v6ready: {}{}", say(text.lang(), "配置不可用：", "unusable configuration:"), lines.collect::<String>())
}

/// One of two wordings.
pub(super) fn say<'a>(lang: Lang, zh: &'a str, en: &'a str) -> &'a str {
    match lang {
        Lang::Zh => zh,
        Lang::En => en,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_said_in_the_language_of_the_reader() {
        let path = std::path::PathBuf::from("missing/lists");
        let source = std::io::Error::from_raw_os_error(2);
        let read = CliError::Read { path, source };
        assert_eq!(worded(&read, Lang::Zh), "v6ready: 无法读取 missing/lists\n  原因：文件或目录不存在（os error 2）");
        assert!(worded(&read, Lang::En).contains("cannot read missing/lists\n  because: No such file"));
    }

    #[test]
    fn values_that_cannot_be_used_are_named_with_their_remedy() {
        let problem = Problem {
            key: "pace.jobs".to_owned(),
            origin: "flag --jobs".to_owned(),
            problem: "is out of range".to_owned(),
            remedy: "1 to 10000 are possible".to_owned(),
        };
        let error = CliError::Config(ConfigError::Invalid { problems: vec![problem] });
        assert_eq!(
            worded(&error, Lang::Zh),
            "v6ready: 配置不可用：\n  pace.jobs（参数 --jobs）超出取值范围：取值范围为 1 至 10000"
        );
        assert_eq!(worded(&error, Lang::En), format!("v6ready: {error}"));
    }
}
