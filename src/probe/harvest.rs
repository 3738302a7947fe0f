//! What a page leads to and what it is put together from: links and embedded resources, read by a streaming tokenizer from its
//! markup, and from style sheets. Pure.
//!
//! Relative references are resolved against the first `base` element (HTML §4.2.3), else the page. What a script would build
//! is not seen. Leaves to others: whose a link is, and asking anybody.

use std::cell::RefCell;
use std::collections::HashSet;

use lol_html::html_content::{Element, TextType};
use lol_html::{HtmlRewriter, MemorySettings, Settings, doc_text, element};
use url::Url;

use super::page::encoding_of;
use crate::model::evidence::ResourceKind;

/// Tags read of one page, and references kept of it.
const TAGS: usize = 50_000;
const REFERENCES: usize = 4_000;
/// Bytes of text in style elements and attributes, and of one style sheet.
const STYLE_TEXT: usize = 256 * 1024;
/// Bytes of one reference.
const REFERENCE: usize = 2_000;
/// Bytes that the tokenizer may keep at once.
const MARKUP_MEMORY: usize = 4 * 1024 * 1024;
/// Elements that are looked at.
const READ: &str = "base, a[href], area[href], script, link[href], img, iframe, frame, embed, object, source, video, audio, \
    input, form[action], style, [style], [background]";
/// Words in a link that say that following it would change something: parts of a word, and whole words.
const ACTING_PARTS: [&str; 6] = ["logout", "logoff", "signout", "unsubscribe", "退出", "注销"];
const ACTING_WORDS: [&str; 4] = ["exit", "quit", "delete", "remove"];
/// Files that are no pages, by the end of their path.
const FILES: [&str; 28] = [
    ".pdf", ".doc", ".docx", ".xls", ".xlsx", ".ppt", ".pptx", ".wps", ".et", ".ofd", ".zip", ".rar", ".7z", ".gz",
    ".exe", ".apk", ".iso", ".jpg", ".jpeg", ".png", ".gif", ".bmp", ".svg", ".mp3", ".mp4", ".avi", ".wmv", ".flv",
];

/// What was found, in the order of the page. URLs are absolute, http(s) and without fragment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Harvest {
    /// Different links to other pages.
    pub(super) links: Vec<Url>,
    /// Different resources.
    pub(super) resources: Vec<(ResourceKind, Url)>,
    /// Elements with scripts.
    pub(super) scripts: u32,
}

#[derive(Default)]
struct Collected {
    base: Option<String>,
    links: Vec<String>,
    resources: Vec<(ResourceKind, String)>,
    style: String,
    scripts: u32,
    tags: usize,
}

/// Reads a page that came from this URL.
pub(super) fn page(body: &[u8], content_type: &str, url: &Url) -> Harvest {
    let kind = content_type.to_ascii_lowercase();
    if !(kind.is_empty() || kind.contains("html") || kind.contains("xml")) {
        return Harvest::default();
    }
    let (text, _, _) = encoding_of(body, &kind).decode(body);
    let collected = RefCell::new(Collected::default());
    tokenize(&text, &collected);
    let mut found = collected.into_inner();
    let base = found.base.and_then(|base| url.join(base.trim()).ok()).filter(is_web).unwrap_or_else(|| url.clone());
    found.resources.extend(style_references(&found.style));
    let mut seen = HashSet::new();
    let here = without_fragment(url.clone());
    let links = found.links.iter().filter(|link| !link.trim().is_empty() && !link.trim().starts_with('#'));
    let links = links.filter_map(|link| absolute(&base, link)).filter(|link| *link != here && !acts(link));
    let links = links.filter(|link| seen.insert(link.clone())).collect();
    Harvest { links, resources: different(found.resources, &base), scripts: found.scripts }
}

/// Reads a style sheet that came from this URL: what it names, other style sheets among it.
pub(super) fn style_sheet(text: &str, url: &Url) -> Vec<(ResourceKind, Url)> {
    different(style_references(text), url)
}

fn different(found: Vec<(ResourceKind, String)>, base: &Url) -> Vec<(ResourceKind, Url)> {
    let mut seen = HashSet::new();
    let absolute = found.into_iter().filter_map(|(kind, reference)| Some((kind, absolute(base, &reference)?)));
    absolute.filter(|(_, url)| seen.insert(url.clone())).collect()
}

fn is_web(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
}

fn without_fragment(mut url: Url) -> Url {
    url.set_fragment(None);
    url
}

fn absolute(base: &Url, reference: &str) -> Option<Url> {
    let mut url = base.join(reference.trim()).ok().filter(is_web)?;
    // Credentials in a URL are never sent on.
    url.set_username("").and_then(|()| url.set_password(None)).ok()?;
    (url.as_str().len() <= REFERENCE && url.host().is_some()).then(|| without_fragment(url))
}

/// Following the link would end a session or take something away.
fn acts(link: &Url) -> bool {
    let tail = &link[url::Position::BeforePath..];
    let tail = percent_decoded(tail).to_lowercase();
    let mut words = tail.split(|c: char| !c.is_alphanumeric());
    ACTING_PARTS.iter().any(|part| tail.replace(['-', '_'], "").contains(part))
        || words.any(|word| ACTING_WORDS.contains(&word))
}

fn percent_decoded(text: &str) -> String {
    let pairs = url::form_urlencoded::parse(text.as_bytes());
    pairs.flat_map(|(name, value)| [name.into_owned(), " ".to_owned(), value.into_owned(), " ".to_owned()]).collect()
}

/// The link leads to a file, which is not read.
pub(super) fn is_file(link: &Url) -> bool {
    let path = link.path().to_ascii_lowercase();
    FILES.iter().any(|ending| path.ends_with(ending))
}

fn tokenize(text: &str, collected: &RefCell<Collected>) {
    let on_element = element!(READ, |element| {
        let mut collected = collected.borrow_mut();
        collected.tags += 1;
        if collected.tags > TAGS || collected.links.len() + collected.resources.len() > REFERENCES {
            return Err("more than is read".into());
        }
        collected.element(element);
        Ok(())
    });
    let on_text = doc_text!(|chunk| {
        let mut collected = collected.borrow_mut();
        if chunk.text_type() == TextType::RawText && collected.style.len() < STYLE_TEXT {
            collected.style.push_str(chunk.as_str());
        }
        Ok(())
    });
    let settings = Settings::new()
        .append_element_content_handler(on_element)
        .append_document_content_handler(on_text)
        .with_strict(false)
        .with_memory_settings(MemorySettings::new().with_max_allowed_memory_usage(MARKUP_MEMORY));
    let mut rewriter = HtmlRewriter::new(settings, |_: &[u8]| {});
    // A page that cannot be read to its end is judged on what was read.
    if rewriter.write(text.as_bytes()).is_ok() {
        let _ = rewriter.end();
    }
}

impl Collected {
    fn element(&mut self, element: &Element<'_, '_>) {
        let attribute = |name: &str| element.get_attribute(name);
        let name = element.tag_name();
        match name.as_str() {
            "base" if self.base.is_none() => self.base = attribute("href"),
            "a" | "area" => {
                let rel = attribute("rel").unwrap_or_default().to_ascii_lowercase();
                if !rel.split_ascii_whitespace().any(|word| word == "nofollow") {
                    self.links.extend(attribute("href"));
                }
            }
            "script" => {
                self.scripts += 1;
                self.resource(ResourceKind::Script, attribute("src"));
            }
            "link" => {
                if let Some(kind) = linked(&attribute("rel").unwrap_or_default(), &attribute("as").unwrap_or_default())
                {
                    self.resource(kind, attribute("href"));
                }
            }
            "img" | "source" | "video" | "audio" => {
                self.resource(ResourceKind::Image, attribute("src"));
                self.resource(ResourceKind::Image, attribute("poster"));
                for candidate in attribute("srcset").unwrap_or_default().split(',') {
                    let first = candidate.split_ascii_whitespace().next();
                    self.resource(ResourceKind::Image, first.map(str::to_owned));
                }
            }
            "iframe" | "frame" | "embed" => self.resource(ResourceKind::Frame, attribute("src")),
            "object" => self.resource(ResourceKind::Frame, attribute("data")),
            "form" => self.resource(ResourceKind::Form, attribute("action")),
            "input" => self.resource(ResourceKind::Image, attribute("src")),
            _ => {}
        }
        self.resource(ResourceKind::Image, attribute("background"));
        if let Some(style) = attribute("style").filter(|_| self.style.len() < STYLE_TEXT) {
            self.style.push_str(&style);
            self.style.push('\n');
        }
    }

    fn resource(&mut self, kind: ResourceKind, reference: Option<String>) {
        // A form without an address, and a form or frame with an empty one, go to the page itself.
        self.resources.extend(reference.filter(|text| !text.trim().is_empty()).map(|reference| (kind, reference)));
    }
}

/// What a `link` element brings in. None: it only says something.
fn linked(rel: &str, of: &str) -> Option<ResourceKind> {
    let rel = rel.to_ascii_lowercase();
    let mut words = rel.split_ascii_whitespace();
    words.find_map(|word| match word {
        "stylesheet" => Some(ResourceKind::Style),
        "icon" | "apple-touch-icon" => Some(ResourceKind::Image),
        "modulepreload" => Some(ResourceKind::Script),
        "preload" => match of.to_ascii_lowercase().as_str() {
            "script" => Some(ResourceKind::Script),
            "style" => Some(ResourceKind::Style),
            "font" => Some(ResourceKind::Font),
            "image" => Some(ResourceKind::Image),
            _ => None,
        },
        _ => None,
    })
}

/// What a style sheet names by `url(…)` and `@import`, outside of comments.
fn style_references(text: &str) -> Vec<(ResourceKind, String)> {
    let text = without_comments(&text[..text.floor_char_boundary(STYLE_TEXT)]);
    let lower = text.to_ascii_lowercase();
    let mut found = Vec::new();
    let mut at = 0;
    while found.len() < REFERENCES {
        let rest = &lower[at..];
        let (url, import) = (rest.find("url("), rest.find("@import"));
        let (begin, is_import) = match (url, import) {
            (Some(url), Some(import)) if import < url => (import + "@import".len(), true),
            (Some(url), _) => (url + "url(".len(), false),
            (None, Some(import)) => (import + "@import".len(), true),
            (None, None) => break,
        };
        at += begin;
        let tail = text[at..].trim_start();
        // `@import url(…)` is found by its url.
        let quoted = tail.chars().next().filter(|c| matches!(c, '"' | '\''));
        let reference = match quoted {
            Some(quote) => tail[1..].split(quote).next(),
            None if is_import => None,
            None => tail.split(')').next(),
        };
        let imported = is_import || lower[..at].trim_end_matches("url(").trim_end().ends_with("@import");
        if let Some(reference) = reference.map(str::trim).filter(|text| !text.is_empty() && text.len() <= REFERENCE) {
            found.push((kind_of(reference, imported), reference.to_owned()));
        }
    }
    found
}

fn kind_of(reference: &str, imported: bool) -> ResourceKind {
    let path = reference.split(['?', '#']).next().unwrap_or(reference).to_ascii_lowercase();
    let is_font = [".woff", ".woff2", ".ttf", ".otf", ".eot"].iter().any(|ending| path.ends_with(ending));
    match (imported, is_font) {
        (true, _) => ResourceKind::Style,
        (false, true) => ResourceKind::Font,
        (false, false) => ResourceKind::Image,
    }
}

fn without_comments(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(begin) = rest.find("/*") {
        kept.push_str(&rest[..begin]);
        kept.push(' ');
        rest = rest[begin + 2..].split_once("*/").map_or("", |(_, after)| after);
    }
    kept + rest
}

#[cfg(test)]
#[path = "harvest_tests.rs"]
mod tests;
