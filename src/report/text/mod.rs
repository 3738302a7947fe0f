//! Wording: every sentence, label and remedy, by code and language, from the TOML tables beside this file.
//!
//! Nothing is decided here. Arguments of findings are untrusted: they are made visible ([`super::clean`]) before they go
//! into a sentence, and go into a ready-to-paste example only if a shell would take them for plain words.

mod messages;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::judge::operators::{Operator, Origin};
use crate::judge::summarise::Standing;
use crate::model::finding::{Finding, Severity};
use crate::model::run::{CheckOutcome, RunEnd};
use crate::model::school::Category;
use crate::model::verdict::{Readiness, Stack};

use super::clean::clean;
use super::model::{Change, Mark};

/// The language of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lang {
    /// Chinese.
    #[default]
    Zh,
    /// English.
    En,
}

/// All wording of one language.
#[derive(Debug, Deserialize)]
pub struct Text {
    #[serde(skip)]
    lang: Lang,
    missing: BTreeMap<String, String>,
    sample: BTreeMap<String, String>,
    verdicts: BTreeMap<String, Named>,
    reasons: BTreeMap<String, String>,
    categories: BTreeMap<String, String>,
    stacks: BTreeMap<String, String>,
    changes: BTreeMap<String, String>,
    severities: BTreeMap<String, String>,
    outcomes: BTreeMap<String, String>,
    ends: BTreeMap<String, String>,
    operators: BTreeMap<String, String>,
    origins: BTreeMap<String, String>,
    marks: BTreeMap<String, String>,
    words: BTreeMap<String, String>,
    #[serde(skip)]
    findings: BTreeMap<String, Wording>,
}

#[derive(Debug, Deserialize)]
struct Named {
    name: String,
    sentence: String,
}

#[derive(Debug, Deserialize)]
struct Wording {
    title: String,
    explanation: String,
    remedy: Vec<String>,
    example: String,
}

/// A finding in words, with its arguments filled in. Plain text: escaping for a page is the page's business.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Advice {
    /// One line.
    pub title: String,
    /// What was seen and what it means.
    pub explanation: String,
    /// What to change, a line per step.
    pub remedy: String,
    /// A ready-to-paste example. Empty: there is none.
    pub example: String,
}

/// Arguments that a finding may use in its wording beside its own, by name.
pub type Context = BTreeMap<&'static str, String>;

/// The context of a site: its host, and its IPv6 addresses.
pub fn context(host: Option<&str>, aaaa: &[impl ToString]) -> Context {
    let mut context = Context::new();
    if let Some(host) = host {
        context.insert("host", host.to_owned());
    }
    if let Some(address) = aaaa.first() {
        context.insert("address", address.to_string());
        context.insert("addresses", aaaa.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "));
    }
    context
}

static ZH: LazyLock<Text> = LazyLock::new(|| {
    let words = [include_str!("zh.words.toml"), include_str!("zh.sheets.toml")];
    parse(Lang::Zh, words, include_str!("zh.findings.toml"))
});
static EN: LazyLock<Text> = LazyLock::new(|| {
    let words = [include_str!("en.words.toml"), include_str!("en.sheets.toml")];
    parse(Lang::En, words, include_str!("en.findings.toml"))
});

fn parse(lang: Lang, [words, sheets]: [&str; 2], findings: &str) -> Text {
    // The tables are part of the program; a test parses them.
    let mut text: Text = toml::from_str(words).expect("the word table is well-formed");
    let sheets: BTreeMap<String, String> = toml::from_str(sheets).expect("the table for workbooks is well-formed");
    text.words.extend(sheets);
    text.findings = toml::from_str(findings).expect("the finding table is well-formed");
    text.lang = lang;
    text
}

impl Text {
    /// The wording of a language.
    pub fn of(lang: Lang) -> &'static Self {
        match lang {
            Lang::Zh => &ZH,
            Lang::En => &EN,
        }
    }

    /// The language.
    pub fn lang(&self) -> Lang {
        self.lang
    }

    /// A label or sentence of the pages. A key without an entry stands for itself, so that a page never has a hole.
    pub fn w<'a>(&'a self, key: &'a str) -> &'a str {
        look_up(&self.words, key)
    }

    /// A label or sentence with its placeholders filled.
    pub fn fill(&self, key: &str, values: &[(&str, &str)]) -> String {
        substitute(self.w(key), |name| values.iter().find(|(of, _)| *of == name).map(|(_, value)| (*value).to_owned()))
    }

    /// Name of a verdict or roster state.
    pub fn standing(&self, standing: Standing) -> &str {
        let name = standing.name();
        self.verdicts.get(name).map_or(name, |named| named.name.as_str())
    }

    /// What a verdict or roster state means, in one sentence.
    pub fn standing_sentence(&self, standing: Standing) -> &str {
        self.verdicts.get(standing.name()).map_or("", |named| named.sentence.as_str())
    }

    /// Name of a verdict.
    pub fn verdict(&self, readiness: Readiness) -> &str {
        self.standing(Standing::Verdict(readiness))
    }

    /// A reason or failure word in words; one without an entry is given as it is, made visible. `limit_body` and its
    /// like fall back to `limit`, `tls_alert(40)` to `tls_alert`.
    pub fn reason(&self, reason: &str) -> String {
        let bare = reason.split('(').next().unwrap_or(reason);
        let stem = if bare.starts_with("limit_") { "limit" } else { bare };
        self.reasons.get(bare).or_else(|| self.reasons.get(stem)).cloned().unwrap_or_else(|| clean(reason).into_owned())
    }

    /// Why it came to this verdict, in words. Where the verdict is certain, so is what its DNS shows.
    pub fn why(&self, standing: Standing, reason: &str) -> String {
        let open = standing == Standing::Verdict(Readiness::Inconclusive);
        self.reason(if reason == "dns" && !open { "dns_fails" } else { reason })
    }

    /// Name of a category.
    pub fn category(&self, category: Category) -> &str {
        look_up(&self.categories, category.name())
    }

    /// Name of a category by its stable name.
    pub fn category_name<'a>(&'a self, name: &'a str) -> &'a str {
        look_up(&self.categories, name)
    }

    /// Which families serve, in words.
    pub fn stack(&self, stack: Stack) -> &str {
        look_up(&self.stacks, stack.name())
    }

    /// Whose network, in words.
    pub fn operator(&self, operator: Operator) -> &str {
        look_up(&self.operators, operator.word())
    }

    /// How an address seems to have come about, in words.
    pub fn origin(&self, origin: Origin) -> &str {
        look_up(&self.origins, origin.word())
    }

    /// What changed, in words.
    pub fn change(&self, change: Change) -> &str {
        look_up(&self.changes, change.word())
    }

    /// How much a finding matters, in words.
    pub fn severity(&self, severity: Severity) -> &str {
        look_up(&self.severities, severity_word(severity))
    }

    /// How a check of the gate went, in words.
    pub fn outcome(&self, outcome: CheckOutcome) -> &str {
        look_up(
            &self.outcomes,
            match outcome {
                CheckOutcome::Pass => "pass",
                CheckOutcome::Warn => "warn",
                CheckOutcome::Fail => "fail",
                CheckOutcome::Skipped => "skipped",
            },
        )
    }

    /// How a run ended, in words.
    pub fn end(&self, end: RunEnd) -> &str {
        look_up(
            &self.ends,
            match end {
                RunEnd::Open => "open",
                RunEnd::Complete => "complete",
                RunEnd::Interrupted => "interrupted",
                RunEnd::InternalError => "internal_error",
            },
        )
    }

    /// A mark's short name and its sentence.
    pub fn mark(&self, mark: Mark) -> (&str, &str) {
        let (name, sentence) = match mark {
            Mark::Simulated => ("simulated", "simulated_text"),
            Mark::Lab => ("lab", "lab_text"),
            Mark::Incomplete => ("incomplete", "incomplete_text"),
            Mark::WithoutIpv6 => ("without_ipv6", "without_ipv6_text"),
        };
        (look_up(&self.marks, name), look_up(&self.marks, sentence))
    }

    /// A finding in words. `context` gives arguments that the finding itself does not, such as `host`.
    pub fn advise(&self, finding: &Finding, context: &Context) -> Advice {
        let code = finding.code.name();
        let Some(wording) = self.findings.get(&code) else {
            return Advice { title: code, ..Advice::default() };
        };
        let argument = |name: &str| {
            finding.args.get(name).filter(|value| !value.is_empty()).or_else(|| context.get(name).map(String::as_str))
        };
        let prose = |text: &str| {
            substitute(text, |name| {
                let missing = self.missing.get(name)?;
                // Words of the program's own have a wording of their own.
                let worded = |value: &str| match name {
                    "why" | "answer" => self.reason(value),
                    _ => clean(value).into_owned(),
                };
                Some(argument(name).map_or_else(|| missing.clone(), worded))
            })
        };
        let paste = |text: &str| {
            substitute(text, |name| {
                let sample = self.sample.get(name)?;
                Some(argument(name).filter(|value| is_plain_word(value)).unwrap_or(sample).to_owned())
            })
        };
        Advice {
            title: prose(&wording.title),
            explanation: prose(&wording.explanation),
            remedy: wording.remedy.iter().map(|step| prose(step)).collect::<Vec<_>>().join("\n"),
            example: paste(wording.example.trim_matches('\n')).trim_end().to_owned(),
        }
    }
}

fn look_up<'a>(table: &'a BTreeMap<String, String>, key: &'a str) -> &'a str {
    table.get(key).map_or(key, String::as_str)
}

/// The stable word of a severity.
pub fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Fault => "fault",
        Severity::Defect => "defect",
        Severity::Note => "note",
    }
}

/// A name, an address or a number: nothing in it means anything to a shell or a configuration file.
fn is_plain_word(text: &str) -> bool {
    (1..=253).contains(&text.len())
        && !text.starts_with('-')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b':' | b'-' | b'_'))
}

/// Replaces `{name}` by its value; one without a value stays as it is, since `curl` and `nginx` use braces too.
pub(crate) fn substitute(text: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        let (before, from) = rest.split_at(open);
        out.push_str(before);
        let name = from[1..].split('}').next().filter(|name| {
            name.len() + 2 <= from.len()
                && !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        });
        if let Some(name) = name
            && let Some(value) = value(name)
        {
            out.push_str(&value);
            rest = &from[name.len() + 2..];
        } else {
            out.push('{');
            rest = &from[1..];
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests;
