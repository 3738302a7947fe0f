//! The wording of the circular, which staff can change without building anything: a TOML file of paragraphs with
//! placeholders. A mistake in it is told by file, line and remedy, before anything is measured.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::LazyLock;

use serde::Deserialize;
use toml::Spanned;

use super::super::text::{Lang, substitute};
use super::passage;

/// A mistake in a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {problem}; {remedy}")]
pub struct TemplateError {
    /// The file as it was named.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub problem: String,
    /// What to do about it.
    pub remedy: String,
}

/// Placeholders that a paragraph may hold.
pub const PLACEHOLDERS: [&str; 25] = [
    "absent",
    "area",
    "broken",
    "coverage",
    "day",
    "defects",
    "high",
    "inconclusive",
    "judged",
    "listed",
    "low",
    "minimum",
    "number",
    "offices",
    "out",
    "policy",
    "range",
    "ranked",
    "rate",
    "ready",
    "ready_clean",
    "run",
    "tasks",
    "vantage",
    "year",
];

/// The wording of the circular.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// 标题, a line each.
    pub title: Vec<String>,
    /// 主送机关.
    pub to: String,
    /// The opening paragraph.
    pub basis: String,
    /// Heading and paragraphs of the overall figures.
    pub overall: Section,
    /// Heading and paragraphs before the table of regions.
    pub ranking: Section,
    /// Instead of these paragraphs, where coverage allows no ranking.
    pub unranked: Vec<String>,
    /// Heading and paragraphs before the list of problems.
    pub problems: Section,
    /// Instead of these paragraphs, where no school fails.
    pub no_problems: Vec<String>,
    /// Heading and paragraphs of what is asked for.
    pub requirements: Section,
    /// 附件: names of what goes with it.
    pub attachments: Vec<String>,
    /// 落款, a line each.
    pub signature: Vec<String>,
    /// Typefaces.
    pub fonts: Fonts,
}

/// A heading and its paragraphs.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Section {
    /// The heading.
    pub heading: String,
    /// The paragraphs.
    pub paragraphs: Vec<String>,
}

/// Typefaces, the wanted one and the one to take where that is missing, by name only; and the size of the text.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fonts {
    /// Of the title.
    pub title: [String; 2],
    /// Of headings.
    pub heading: [String; 2],
    /// Of the text.
    pub text: [String; 2],
    /// Size of the text, in points.
    pub size: u8,
    /// From line to line, in points.
    pub line: u8,
}

impl Fonts {
    /// Each wanted typeface once, with the one to take instead.
    pub fn by_name(&self) -> BTreeMap<&str, &str> {
        let all = [&self.title, &self.heading, &self.text];
        all.map(|[name, instead]| (name.as_str(), instead.as_str())).into()
    }
}

/// The file as it is written: every text with its place, so that a mistake has a line.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    title: Vec<Spanned<String>>,
    to: Spanned<String>,
    basis: Spanned<String>,
    overall: Part,
    ranking: Part,
    unranked: Vec<Spanned<String>>,
    problems: Part,
    no_problems: Vec<Spanned<String>>,
    requirements: Part,
    attachments: Vec<Spanned<String>>,
    signature: Vec<Spanned<String>>,
    fonts: Fonts,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    heading: Spanned<String>,
    paragraphs: Vec<Spanned<String>>,
}

impl File {
    fn texts(&self) -> Vec<&Spanned<String>> {
        let parts = [&self.overall, &self.ranking, &self.problems, &self.requirements];
        let lists = [&self.title, &self.unranked, &self.no_problems, &self.attachments, &self.signature];
        let mut texts = vec![&self.to, &self.basis];
        texts.extend(parts.iter().flat_map(|part| std::iter::once(&part.heading).chain(&part.paragraphs)));
        texts.extend(lists.into_iter().flatten());
        texts
    }
}

static ZH: LazyLock<Template> =
    LazyLock::new(|| shipped(Lang::Zh, include_str!("../../../templates/bulletin/bulletin.zh.toml")));
static EN: LazyLock<Template> =
    LazyLock::new(|| shipped(Lang::En, include_str!("../../../templates/bulletin/bulletin.en.toml")));

fn shipped(lang: Lang, text: &str) -> Template {
    // Both are part of the program; a test reads them.
    Template::parse(Template::file_name(lang), text).expect("the shipped template is well-formed")
}

impl Template {
    /// The program's own wording of a language.
    pub fn shipped(lang: Lang) -> &'static Self {
        match lang {
            Lang::Zh => &ZH,
            Lang::En => &EN,
        }
    }

    /// What the file of a language is called.
    pub fn file_name(lang: Lang) -> &'static str {
        match lang {
            Lang::Zh => "bulletin.zh.toml",
            Lang::En => "bulletin.en.toml",
        }
    }

    /// Reads a template. `file` is for messages only.
    pub fn parse(file: &str, text: &str) -> Result<Self, TemplateError> {
        let error = |at: Range<usize>, problem: String, remedy: String| TemplateError {
            file: file.to_owned(),
            line: text.get(..at.start).unwrap_or(text).matches('\n').count() + 1,
            problem,
            remedy,
        };
        let read: File = toml::from_str(text).map_err(|fault| {
            let problem = fault.message().lines().next().unwrap_or_default().to_owned();
            let remedy = "compare with templates/bulletin/, which has every key".to_owned();
            error(fault.span().unwrap_or_default(), problem, remedy)
        })?;
        for text in read.texts() {
            if let Some(name) = unknown(text.get_ref()) {
                let remedy = format!("write one of {{{}}}", PLACEHOLDERS.join("}, {"));
                return Err(error(text.span(), format!("there is no placeholder {{{name}}}"), remedy));
            }
            if let Some(problem) = passage::fault(text.get_ref()) {
                let remedy = "write [ before and ] behind what is to be left out where its figures are 0".to_owned();
                return Err(error(text.span(), problem.to_owned(), remedy));
            }
        }
        Ok(read.into())
    }
}

/// The first placeholder of a text that nothing stands for.
fn unknown(text: &str) -> Option<String> {
    let names = std::cell::RefCell::new(BTreeSet::new());
    substitute(text, |name| {
        names.borrow_mut().insert(name.to_owned());
        None
    });
    names.into_inner().into_iter().find(|name| !PLACEHOLDERS.contains(&name.as_str()))
}

impl From<File> for Template {
    fn from(file: File) -> Self {
        let list = |texts: Vec<Spanned<String>>| texts.into_iter().map(Spanned::into_inner).collect();
        let section = |part: Part| Section { heading: part.heading.into_inner(), paragraphs: list(part.paragraphs) };
        Self {
            title: list(file.title),
            to: file.to.into_inner(),
            basis: file.basis.into_inner(),
            overall: section(file.overall),
            ranking: section(file.ranking),
            unranked: list(file.unranked),
            problems: section(file.problems),
            no_problems: list(file.no_problems),
            requirements: section(file.requirements),
            attachments: list(file.attachments),
            signature: list(file.signature),
            fonts: file.fonts,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHIPPED: &str = include_str!("../../../templates/bulletin/bulletin.zh.toml");

    #[test]
    fn the_shipped_templates_are_well_formed() {
        for lang in [Lang::Zh, Lang::En] {
            let template = Template::shipped(lang);
            assert!(!template.title.is_empty() && !template.requirements.paragraphs.is_empty());
        }
    }

    #[test]
    fn a_mistake_is_told_by_file_line_and_remedy() {
        let line = SHIPPED.lines().position(|line| line.starts_with("to = ")).unwrap() + 1;
        let wrong = SHIPPED.replace("to = \"", "to = \"{nobody}");
        let error = Template::parse("my/bulletin.zh.toml", &wrong).unwrap_err();
        assert_eq!((error.line, error.file.as_str()), (line, "my/bulletin.zh.toml"));
        let said = error.to_string();
        assert!(
            said.contains("there is no placeholder {nobody}") && said.contains("write one of {absent}, {area}"),
            "{said}"
        );
        let error = Template::parse("t.toml", &SHIPPED.replace("to = ", "too = ")).unwrap_err();
        assert!(error.problem.contains("too") && error.remedy.contains("templates/bulletin"), "{error}");
        assert_eq!(error.line, line);
    }
}
