//! What a page leads to and what it is put together from: links and embedded resources, read by a streaming tokenizer from its
//! markup, and from style sheets. Pure.
//!
//! Relative references are resolved against the first `base` element (HTML §4.2.3), else the page. What a script would build
//! is not seen. Leaves to others: whose a link is, and asking anybody.

use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::LazyLock;

use lol_html::Selector;
use lol_html::html_content::{Element, TextChunk, TextType};
use url::Url;

use super::markup::{End, selector, tokenize};
use super::page::encoding_of;
use crate::model::evidence::ResourceKind;

/// References kept of one page, those of its style sheets among them.
pub(super) const REFERENCES: usize = 4_000;
/// Candidates read of one `srcset`.
const CANDIDATES: usize = 32;
/// Bytes of text in style elements and attributes, and of one style sheet.
const STYLE_TEXT: usize = 256 * 1024;
/// Bytes of one reference.
const REFERENCE: usize = 2_000;
/// Elements that are looked at.
static READ: LazyLock<Selector> = LazyLock::new(|| {
    selector(
        "base, a[href], area[href], script, link[href], img, iframe, frame, embed, object, source, video, audio, \
    input, form[action], style, [style], [background]",
    )
});
/// Words in a link that say that following it would change something: parts of a word, and whole words.
const ACTING_PARTS: [&str; 10] =
    ["logout", "loginout", "logoff", "signout", "signoff", "unsubscribe", "退出", "登出", "注销", "退订"];
const ACTING_WORDS: [&str; 5] = ["exit", "quit", "del", "delete", "remove"];
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
    /// A bound was met: there is more on the page than is here.
    pub(super) cut: bool,
}

#[derive(Default)]
struct Collected {
    base: Option<String>,
    links: Vec<String>,
    resources: Vec<(ResourceKind, String)>,
    style: String,
    scripts: u32,
    cut: bool,
}

/// Reads a page that came from this URL.
pub(super) fn page(body: &[u8], content_type: &str, url: &Url) -> Harvest {
    let kind = content_type.to_ascii_lowercase();
    if !(kind.is_empty() || kind.contains("html") || kind.contains("xml")) {
        return Harvest::default();
    }
    let (text, _, _) = encoding_of(body, &kind).decode(body);
    let mut found = collect(&text);
    let base = found.base.and_then(|base| url.join(base.trim()).ok()).filter(is_web).unwrap_or_else(|| url.clone());
    let (styled, cut) = style_references(&found.style);
    found.cut |= cut;
    found.resources.extend(styled);
    let mut seen = HashSet::new();
    let here = without_fragment(url.clone());
    let links = found.links.iter().filter(|link| !link.trim().is_empty() && !link.trim().starts_with('#'));
    let links = links.filter_map(|link| absolute(&base, link)).filter(|link| *link != here && !acts(link));
    let links = links.filter(|link| seen.insert(link.clone())).collect();
    let resources = different(found.resources, &base);
    Harvest { links, resources, scripts: found.scripts, cut: found.cut }
}

/// Reads a style sheet that came from this URL: what it names, other style sheets among it, and whether there is more.
pub(super) fn style_sheet(text: &str, url: &Url) -> (Vec<(ResourceKind, Url)>, bool) {
    let (found, cut) = style_references(text);
    (different(found, url), cut)
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
    let tail = percent_decoded(&link[url::Position::BeforePath..]);
    let folded = tail.to_lowercase().replace(['-', '_'], "");
    let humps = with_humps_apart(&tail).to_lowercase();
    let mut words = humps.split(|c: char| !c.is_alphanumeric());
    ACTING_PARTS.iter().any(|part| folded.contains(part)) || words.any(|word| ACTING_WORDS.contains(&word))
}

/// `doDelete` as `do Delete`.
fn with_humps_apart(text: &str) -> String {
    let mut apart = String::with_capacity(text.len());
    let mut after_small = false;
    for c in text.chars() {
        if after_small && c.is_uppercase() {
            apart.push(' ');
        }
        after_small = c.is_lowercase();
        apart.push(c);
    }
    apart
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

fn collect(text: &str) -> Collected {
    let collected = RefCell::new(Collected::default());
    let on_element = |element: &Element<'_, '_>| collected.borrow_mut().element(element);
    let on_text = |chunk: &TextChunk<'_>| {
        if chunk.text_type() == TextType::RawText {
            collected.borrow_mut().style(chunk.as_str());
        }
    };
    let end = tokenize(text, &READ, on_element, on_text, || collected.borrow().is_full());
    let mut collected = collected.into_inner();
    collected.cut |= end != End::Whole;
    collected
}

impl Collected {
    fn is_full(&self) -> bool {
        self.links.len() + self.resources.len() >= REFERENCES
    }

    fn style(&mut self, text: &str) {
        if self.style.len() + text.len() > STYLE_TEXT {
            self.cut = true;
        } else {
            self.style.push_str(text);
        }
    }

    fn element(&mut self, element: &Element<'_, '_>) {
        let attribute = |name: &str| element.get_attribute(name);
        let name = element.tag_name();
        match name.as_str() {
            "base" if self.base.is_none() => self.base = attribute("href"),
            "a" | "area" => {
                let rel = attribute("rel").unwrap_or_default().to_ascii_lowercase();
                if !rel.split_ascii_whitespace().any(|word| word == "nofollow") {
                    let href = attribute("href");
                    self.cut |= self.is_full() && href.is_some();
                    self.links.extend(href.filter(|_| !self.is_full()));
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
                let candidates = attribute("srcset").unwrap_or_default();
                let mut candidates = candidates.split(',');
                for candidate in candidates.by_ref().take(CANDIDATES) {
                    let first = candidate.split_ascii_whitespace().next();
                    self.resource(ResourceKind::Image, first.map(str::to_owned));
                }
                self.cut |= candidates.next().is_some();
            }
            "iframe" | "frame" | "embed" => self.resource(ResourceKind::Frame, attribute("src")),
            "object" => self.resource(ResourceKind::Frame, attribute("data")),
            "form" => self.resource(ResourceKind::Form, attribute("action")),
            "input" => self.resource(ResourceKind::Image, attribute("src")),
            _ => {}
        }
        self.resource(ResourceKind::Image, attribute("background"));
        if let Some(style) = attribute("style") {
            self.style(&(style + "\n"));
        }
    }

    fn resource(&mut self, kind: ResourceKind, reference: Option<String>) {
        if self.is_full() {
            self.cut |= reference.is_some();
            return;
        }
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

/// What a style sheet names by `url(…)` and `@import`, outside of comments, and whether there is more than was read.
fn style_references(text: &str) -> (Vec<(ResourceKind, String)>, bool) {
    let mut cut = text.len() > STYLE_TEXT;
    let text = without_comments(&text[..text.floor_char_boundary(STYLE_TEXT)]);
    let lower = text.to_ascii_lowercase();
    let mut found = Vec::new();
    for (count, (at, _)) in lower.match_indices("url(").enumerate() {
        if count == REFERENCES {
            cut = true;
            break;
        }
        let imported = lower[..at].trim_end().ends_with("@import");
        found.extend(
            reference_at(&text, at + "url(".len(), true).map(|reference| (kind_of(reference, imported), reference)),
        );
    }
    for (count, (at, _)) in lower.match_indices("@import").enumerate() {
        if count == REFERENCES {
            cut = true;
            break;
        }
        found
            .extend(reference_at(&text, at + "@import".len(), false).map(|reference| (ResourceKind::Style, reference)));
    }
    (found.into_iter().map(|(kind, reference)| (kind, reference.to_owned())).collect(), cut)
}

/// The text in quotation marks, or up to a bracket where it may be `bare`. None: there is none, or it is too long.
fn reference_at(text: &str, at: usize, bare: bool) -> Option<&str> {
    let tail = text[at..].trim_start();
    let tail = &tail[..tail.floor_char_boundary(REFERENCE)];
    let found = match tail.chars().next() {
        Some(quote @ ('"' | '\'')) => tail[1..].split_once(quote)?.0,
        Some(_) if bare => tail.split_once(')')?.0,
        _ => return None,
    };
    Some(found.trim()).filter(|found| !found.is_empty())
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
