//! Marks of pages that are not the site: defaults of web servers, filing-block pages, parking pages, challenges.
//!
//! The signatures are data ([`signatures.toml`](../../../src/probe/signatures.toml)); this file only matches them.

use std::sync::LazyLock;

use serde::Deserialize;

/// One signature. All conditions that are given must hold.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signature {
    /// Kind and name, such as `default:nginx`.
    id: String,
    /// The status is one of these. Empty: any.
    #[serde(default)]
    status: Vec<u16>,
    /// The title contains one of these, ASCII case ignored.
    #[serde(default)]
    title: Vec<String>,
    /// The title is one of these, ASCII case ignored.
    #[serde(default)]
    title_is: Vec<String>,
    /// The text of the document contains one of these.
    #[serde(default)]
    text: Vec<String>,
    /// A cookie of this name was set.
    #[serde(default)]
    cookie: Vec<String>,
    /// The document is at most this long, in bytes.
    #[serde(default = "any_length")]
    longest: usize,
    /// The page shows nothing and holds a script.
    #[serde(default)]
    script_only: bool,
    /// The page is a notice: short, and leading nowhere within the site.
    #[serde(default)]
    notice: bool,
}

fn any_length() -> usize {
    64 * 1024
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    signature: Vec<Signature>,
}

static TABLE: LazyLock<Vec<Signature>> = LazyLock::new(|| {
    // The table is part of the program; a test reads it.
    toml::from_str::<Table>(include_str!("signatures.toml")).map(|table| table.signature).unwrap_or_default()
});

/// A notice is no longer than this, in bytes.
const NOTICE: usize = 4096;
/// A notice has no more links of the same site than this: back to the home page, for example.
const NOTICE_LINKS: usize = 2;

/// What a page shows to the signatures.
pub(super) struct Look<'a> {
    pub(super) status: u16,
    pub(super) title: Option<&'a str>,
    pub(super) document: &'a str,
    pub(super) cookies: &'a [String],
    pub(super) script_only: bool,
    /// Links of the same site. None: they were not all read.
    pub(super) links: Option<usize>,
}

/// Identifiers of all signatures a page matches, in table order.
pub(super) fn marks(look: &Look<'_>) -> Vec<String> {
    let title = look.title.map(str::to_ascii_lowercase);
    let mut found: Vec<String> =
        TABLE.iter().filter(|each| matches(each, look, title.as_deref())).map(|each| each.id.clone()).collect();
    found.dedup();
    found
}

fn matches(signature: &Signature, look: &Look<'_>, title: Option<&str>) -> bool {
    let any = |wanted: &[String], found: &dyn Fn(&str) -> bool| wanted.is_empty() || wanted.iter().any(|w| found(w));
    (signature.status.is_empty() || signature.status.contains(&look.status))
        && (!signature.script_only || look.script_only)
        && (!signature.notice || is_notice(look))
        && look.document.len() <= signature.longest
        && any(&signature.title_is, &|wanted| title.is_some_and(|title| *title == wanted.to_ascii_lowercase()))
        && any(&signature.title, &|wanted| title.is_some_and(|title| title.contains(&wanted.to_ascii_lowercase())))
        && any(&signature.cookie, &|wanted| look.cookies.iter().any(|cookie| cookie.starts_with(wanted)))
        && any(&signature.text, &|wanted| look.document.contains(wanted))
}

fn is_notice(look: &Look<'_>) -> bool {
    look.document.len() <= NOTICE && look.links.is_some_and(|links| links <= NOTICE_LINKS)
}

#[cfg(test)]
#[path = "marks_tests.rs"]
mod tests;
