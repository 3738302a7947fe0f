//! Markup through a streaming tokenizer, within bounds: no page can make it slow, or hold more memory than this.
//!
//! Leaves to others: which elements are looked at, and what is kept of them (`page`, `harvest`).

use std::borrow::Cow;

use lol_html::html_content::{Element, TextChunk};
use lol_html::{ElementContentHandlers, HtmlRewriter, MemorySettings, Selector, Settings, doc_text};

/// Tags read of one page.
const TAGS: usize = 50_000;
/// Pieces of text read of one page. Markup that is none, such as a page of `<`, comes one character at a time.
const PIECES: usize = 200_000;
/// Bytes that the tokenizer may keep at once.
const MEMORY: usize = 4 * 1024 * 1024;
/// Bytes read between two looks at whether it is enough.
const STEP: usize = 1024;

/// The elements that are looked at, from their names. Made once: taking a list of names apart costs as much as a small page.
///
/// # Panics
///
/// When it is no selector: it is ours, and a test reads with it.
pub(super) fn selector(names: &str) -> Selector {
    names.parse().unwrap_or_else(|error| panic!("{names} is no selector: {error}"))
}

/// How far a page was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// To its end.
    Whole,
    /// As far as was asked for.
    Enough,
    /// Up to a bound.
    Cut,
}

/// Reads a page: the elements that a selector names, and all text, until it is `enough`. Other tags pass by without being
/// taken apart.
pub(super) fn tokenize(
    text: &str,
    selector: &Selector,
    mut on_element: impl FnMut(&Element<'_, '_>),
    mut on_text: impl FnMut(&TextChunk<'_>),
    enough: impl Fn() -> bool,
) -> End {
    let (mut tags, mut pieces) = (0, 0);
    let elements = ElementContentHandlers::default().element(|element: &mut Element<'_, '_>| {
        tags += 1;
        if tags > TAGS {
            return Err("more tags than are read".into());
        }
        on_element(element);
        Ok(())
    });
    let texts = doc_text!(|chunk| {
        pieces += 1;
        if pieces > PIECES {
            return Err("more pieces of text than are read".into());
        }
        on_text(chunk);
        Ok(())
    });
    let settings = Settings::new()
        .append_element_content_handler((Cow::Borrowed(selector), elements))
        .append_document_content_handler(texts)
        .with_strict(false)
        .with_memory_settings(MemorySettings::new().with_max_allowed_memory_usage(MEMORY));
    let mut rewriter = HtmlRewriter::new(settings, |_: &[u8]| {});
    for step in text.as_bytes().chunks(STEP) {
        if enough() {
            return End::Enough;
        }
        if rewriter.write(step).is_err() {
            return End::Cut;
        }
    }
    if rewriter.end().is_ok() { End::Whole } else { End::Cut }
}
