//! Reading a page: its character set, title, visible text, links and resources as sketches, where it leads by itself,
//! and what kind of page it is by its marks. A streaming parser, so that no markup can make it slow.

use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::LazyLock;

use encoding_rs::{Encoding, UTF_8};
use lol_html::Selector;
use lol_html::html_content::TextType;

use super::marks::{self, Look};
use super::markup::{End, selector, tokenize};
use crate::model::evidence::{Page, Sketch, Via};

/// Links, and resources, remembered of one page.
const PATHS: usize = 2_000;
/// Characters of a title that are kept.
const TITLE: usize = 200;
/// A page with no more visible characters than this "has almost no text" (docs/method/exchange.md).
const ALMOST_NO_TEXT: u64 = 60;
/// Seconds a meta refresh may wait and still count as a redirect.
const REFRESH_WITHIN: u64 = 10;
/// Script text that is searched for a literal redirect.
const SCRIPT: usize = 16 * 1024;

/// Elements that are looked at.
static READ: LazyLock<Selector> =
    LazyLock::new(|| selector("title, body, textarea, a, area, script, img, iframe, frame, embed, source, link, meta"));

/// What is known of the response besides its body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Status code.
    pub status: u16,
    /// Content-Type.
    pub content_type: Option<String>,
    /// Names of cookies that were set.
    pub cookies: Vec<String>,
}

/// What was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Extract {
    /// The page. None: not text.
    pub page: Option<Page>,
    /// Where the page leads by itself, and how. None: nowhere.
    pub leads_to: Option<(Via, String)>,
    /// The page was read to its end, so its sketches are there.
    pub to_the_end: bool,
}

/// How far a page is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Until it is clear what kind of page it is. Sketches are made only of pages that end before that.
    Light,
    /// To its end, with all sketches: to be compared with another page.
    Full,
}

/// Reads a decoded body.
pub fn read(body: &[u8], facts: &Facts, depth: Depth) -> Extract {
    let kind = facts.content_type.as_deref().unwrap_or_default().to_ascii_lowercase();
    let textual = kind.is_empty() || kind.starts_with("text/") || kind.contains("html") || kind.contains("xml");
    if body.is_empty() || !textual || kind.starts_with("text/css") {
        return Extract::default();
    }
    let encoding = encoding_of(body, &kind);
    let (text, used, _) = encoding.decode(body);
    let mut collected = collect(&text, depth);
    let title = collected.title.take().map(|title| fold(&title, TITLE)).filter(|title| !title.is_empty());
    let script_only = collected.text_chars == 0 && collected.scripts > 0;
    let marks = marks::marks(&Look {
        status: facts.status,
        title: title.as_deref(),
        document: &text,
        cookies: &facts.cookies,
        script_only,
        links: collected.to_the_end.then_some(collected.links.len()),
    });
    let leads_to = collected.leads_to();
    let mut page = Page {
        charset: used.name().to_owned(),
        title,
        text_chars: collected.text_chars,
        marks,
        script_redirect: script_only && leads_to.is_none(),
        ..Page::default()
    };
    if collected.to_the_end {
        page.links = Sketch::from_hashes(collected.links.into_iter().collect());
        page.assets = Sketch::from_hashes(collected.assets.into_iter().collect());
        page.text = Sketch::from_hashes(collected.phrases);
    }
    Extract { page: Some(page), leads_to, to_the_end: collected.to_the_end }
}

/// The character encoding: header, byte order mark, `<meta>` in the first 1,024 bytes, then a guess.
pub(super) fn encoding_of(body: &[u8], content_type: &str) -> &'static Encoding {
    if let Some((encoding, _)) = Encoding::for_bom(body) {
        return encoding;
    }
    let label_after = |text: &str| -> Option<&'static Encoding> {
        let rest = text.split("charset=").nth(1)?.trim_start_matches(['"', '\'', ' ']);
        let label: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_:.".contains(*c)).collect();
        Encoding::for_label(label.as_bytes())
    };
    if let Some(encoding) = label_after(content_type) {
        return encoding;
    }
    let head = String::from_utf8_lossy(&body[..body.len().min(1024)]).to_ascii_lowercase();
    if let Some(encoding) = label_after(&head) {
        return encoding;
    }
    if std::str::from_utf8(body).is_ok() {
        return UTF_8;
    }
    let mut detector = chardetng::EncodingDetector::new(chardetng::Iso2022JpDetection::Deny);
    detector.feed(&body[..body.len().min(64 * 1024)], true);
    detector.guess(None, chardetng::Utf8Detection::Allow)
}

#[derive(Default)]
struct Collected {
    title: Option<String>,
    title_done: bool,
    text_chars: u64,
    phrases: Vec<u32>,
    links: HashSet<u32>,
    assets: HashSet<u32>,
    scripts: usize,
    script_text: String,
    refresh: Option<String>,
    to_the_end: bool,
}

impl Collected {
    /// Clear enough what kind of page this is: it has a title, and text to be read.
    fn is_plain(&self) -> bool {
        self.title.is_some() && self.text_chars > ALMOST_NO_TEXT
    }

    fn leads_to(&self) -> Option<(Via, String)> {
        if let Some(target) = &self.refresh {
            return Some((Via::MetaRefresh, target.clone()));
        }
        if self.text_chars > ALMOST_NO_TEXT {
            return None;
        }
        location_literal(&self.script_text).map(|target| (Via::Script, target))
    }

    /// Splits text at white space and punctuation into phrases, and hashes each without its digits: dates, counters and
    /// page numbers differ on every visit.
    fn text(&mut self, text: &str) {
        let mut hash = Fnv::default();
        let mut letters = 0;
        for c in text.chars() {
            let ends =
                if c.is_ascii() { !c.is_ascii_alphanumeric() } else { is_cjk_punctuation(c) || c.is_whitespace() };
            if ends {
                if letters > 1 {
                    self.phrases.push(hash.finish());
                }
                (hash, letters) = (Fnv::default(), 0);
            } else {
                self.text_chars += 1;
                if !c.is_ascii_digit() {
                    hash.write(c);
                    letters += 1;
                }
            }
        }
        if letters > 1 {
            self.phrases.push(hash.finish());
        }
    }
}

fn is_cjk_punctuation(c: char) -> bool {
    matches!(c, '\u{3000}'..='\u{303f}' | '\u{ff00}'..='\u{ff0f}' | '\u{ff1a}'..='\u{ff20}' | '\u{2010}'..='\u{2027}' | '·')
}

/// FNV-1a, folded to 32 bits: stable over versions and machines, which a stored sketch needs.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn write(&mut self, c: char) {
        self.0 = (self.0 ^ u64::from(u32::from(c))).wrapping_mul(0x0100_0000_01b3);
    }

    fn finish(&self) -> u32 {
        // FNV's low bits alone are too regular for "the smallest hashes" to be a fair sample.
        let mixed = (self.0 ^ (self.0 >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        u32::try_from(mixed >> 32).unwrap_or(u32::MAX)
    }
}

fn path_hash(path: &str) -> u32 {
    let mut hash = Fnv::default();
    path.chars().for_each(|c| hash.write(c));
    hash.finish()
}

/// The part of a link that names a place on the same site. None: another site, or no place at all.
fn same_site_path(href: &str) -> Option<&str> {
    let href = href.trim();
    let elsewhere = href.starts_with("//") || href.contains("://") || href.starts_with('#') || href.is_empty();
    let scheme = href.split_once(':').is_some_and(|(head, _)| head.chars().all(|c| c.is_ascii_alphanumeric()));
    if elsewhere || scheme {
        return None;
    }
    // Query strings carry nonces and session ids.
    Some(href.split(['?', '#', ';']).next().unwrap_or(href).trim_start_matches("./").trim_start_matches('/'))
}

fn collect(text: &str, depth: Depth) -> Collected {
    let collected = RefCell::new(Collected::default());
    let to_the_end = parse(text, depth, &collected);
    let mut collected = collected.into_inner();
    collected.to_the_end = to_the_end;
    collected
}

/// Whether everything was read, as far as it can be read at all.
fn parse(text: &str, depth: Depth, collected: &RefCell<Collected>) -> bool {
    let on_text = |chunk: &lol_html::html_content::TextChunk<'_>| {
        let mut collected = collected.borrow_mut();
        match chunk.text_type() {
            TextType::Data => collected.text(chunk.as_str()),
            TextType::RCData if !collected.title_done => {
                if let Some(title) = &mut collected.title
                    && title.len() < TITLE * 4
                {
                    title.push_str(chunk.as_str());
                }
            }
            TextType::ScriptData if collected.script_text.len() < SCRIPT => {
                collected.script_text.push_str(chunk.as_str());
            }
            _ => {}
        }
    };
    let on_element =
        |element: &lol_html::html_content::Element<'_, '_>| read_element(&mut collected.borrow_mut(), element);
    let enough = || depth == Depth::Light && collected.borrow().is_plain();
    // A page that cannot be read to its end is judged on what was read.
    tokenize(text, &READ, on_element, on_text, enough) != End::Enough
}

fn read_element(collected: &mut Collected, element: &lol_html::html_content::Element<'_, '_>) {
    let name = element.tag_name();
    let attribute = |name: &str| element.get_attribute(name);
    match name.as_str() {
        "title" if collected.title.is_none() => collected.title = Some(String::new()),
        "title" | "body" | "textarea" => collected.title_done = true,
        "a" | "area" => {
            if let Some(href) = attribute("href")
                && let Some(path) = same_site_path(&href)
                && collected.links.len() < PATHS
            {
                collected.links.insert(path_hash(path));
            }
        }
        "script" => {
            collected.scripts += 1;
            add_asset(collected, attribute("src"));
        }
        "img" | "iframe" | "frame" | "embed" | "source" => add_asset(collected, attribute("src")),
        "link" => add_asset(collected, attribute("href")),
        "meta" => {
            let refresh = attribute("http-equiv").is_some_and(|kind| kind.eq_ignore_ascii_case("refresh"));
            if refresh && collected.refresh.is_none() {
                collected.refresh = attribute("content").and_then(|content| refresh_target(&content));
            }
        }
        _ => {}
    }
}

fn add_asset(collected: &mut Collected, source: Option<String>) {
    if let Some(source) = source
        && let Some(path) = same_site_path(&source)
        && collected.assets.len() < PATHS
    {
        collected.assets.insert(path_hash(path));
    }
}

/// The target of `<meta http-equiv="refresh" content="0; url=…">`, if it comes soon enough to be a redirect.
fn refresh_target(content: &str) -> Option<String> {
    let (delay, rest) = content.split_once([';', ','])?;
    let seconds: u64 = delay.trim().split('.').next()?.parse().ok()?;
    let rest = rest.trim();
    let target = match rest.get(..3) {
        Some(head) if head.eq_ignore_ascii_case("url") => rest[3..].trim_start().strip_prefix('=')?,
        _ => rest,
    };
    let target = target.trim().trim_matches(['"', '\'']);
    (seconds <= REFRESH_WITHIN && !target.is_empty()).then(|| target.to_owned())
}

/// The target of a script that does nothing readable but assign one literal to `location`.
fn location_literal(script: &str) -> Option<String> {
    let mut rest = script;
    while let Some(at) = rest.find("location") {
        rest = &rest[at + "location".len()..];
        let after = rest.trim_start();
        let after = after.strip_prefix(".href").unwrap_or(after).trim_start();
        let value = if let Some(assigned) = after.strip_prefix('=') {
            assigned
        } else if let Some(called) = after.strip_prefix(".replace(").or_else(|| after.strip_prefix(".assign(")) {
            called
        } else {
            continue;
        };
        let value = value.trim_start();
        let Some(quote) = value.chars().next().filter(|c| matches!(c, '"' | '\'')) else { continue };
        let literal = value[1..].split(quote).next()?;
        // Something is glued to the literal: its value is not known.
        let glued = value[1 + literal.len()..].get(1..).is_some_and(|tail| tail.trim_start().starts_with('+'));
        if !literal.is_empty() && !glued && !literal.contains(['\n', '\\']) {
            return Some(literal.to_owned());
        }
    }
    None
}

/// White space folded, cut to so many characters.
fn fold(text: &str, most: usize) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn html(body: &str) -> Extract {
        let facts =
            Facts { status: 200, content_type: Some("text/html; charset=utf-8".to_owned()), cookies: Vec::new() };
        read(body.as_bytes(), &facts, Depth::Full)
    }

    #[test]
    fn title_links_and_text() {
        let page = html(
            "<html><head><title>\n 第一\n中学 </title><link href=/a.css><script src=/a.js>var x='文字';</script></head>\
             <body><h1>欢迎</h1><a href=/news/1.htm?s=9>新闻</a><a href=https://other.example/>外</a><style>p{}</style>",
        )
        .page
        .unwrap();
        assert_eq!(page.title.as_deref(), Some("第一 中学"));
        assert_eq!((page.links.size, page.assets.size), (1, 2));
        assert_eq!(page.text_chars, 5);
    }

    #[test]
    fn the_same_page_in_two_encodings_is_the_same() {
        let text = "<html><head><meta charset=\"gbk\"><title>郑重声明</title></head><body><p>招生简章 通知公告</p></body></html>";
        let (gbk, _, _) = encoding_rs::GBK.encode(text);
        let plain = Facts { status: 200, content_type: Some("text/html".to_owned()), cookies: Vec::new() };
        let from_gbk = read(&gbk, &plain, Depth::Full).page.unwrap();
        let from_utf8 = html(&text.replace("gbk", "utf-8")).page.unwrap();
        assert_eq!(from_gbk.charset, "GBK");
        assert_eq!((from_gbk.title, from_gbk.text), (from_utf8.title, from_utf8.text));
    }

    #[test]
    fn pages_that_lead_on() {
        let target = |body: &str| html(body).leads_to.map(|(_, target)| target);
        let refresh = "<meta http-equiv=Refresh content='0; URL=/main.htm'>";
        assert_eq!(target(refresh).as_deref(), Some("/main.htm"));
        assert_eq!(target("<meta http-equiv=refresh content='600;url=/'>"), None);
        assert_eq!(target("<script>window.location.href = \"/web/\";</script>").as_deref(), Some("/web/"));
        assert_eq!(target("<script>top.location.replace('/x')</script>").as_deref(), Some("/x"));
        assert_eq!(target("<script>location.href='/a?'+Date.now()</script>"), None);
        assert_eq!(target("<script>if(location.host=='x'){}</script>"), None);
        let with_text = format!("<script>location.href='/a'</script><p>{}</p>", "字".repeat(80));
        assert_eq!(target(&with_text), None);
    }

    #[test]
    fn hostile_markup_is_read_quickly() {
        let hostile = [
            "<ul><li>".repeat(100_000),
            "<b>".repeat(100_000),
            "<".repeat(1_000_000),
            format!("<p {}>", "a=b ".repeat(100_000)),
            format!("<!--{}", "x".repeat(1_000_000)),
        ];
        for body in hostile {
            assert!(html(&body).page.is_some());
        }
    }
}
