//! A page is read in bounds, and what is read does not depend on the encoding it is sent in or on how far it is read.
//!
//! Input: a byte for Content-Type, a byte for the status, then the body.

#![no_main]

use encoding_rs::{Encoding, GB18030, UTF_8, WINDOWS_1252};
use libfuzzer_sys::fuzz_target;
use v6ready::model::evidence::{Page, Sketch};
use v6ready::probe::page::{Depth, Extract, Facts, read};

const TYPES: [Option<&str>; 9] = [
    None,
    Some("text/html"),
    Some("text/html; charset=utf-8"),
    Some("text/html; charset=gb2312"),
    Some("text/html;charset=\"Big5\""),
    Some("TEXT/HTML; CHARSET=iso-2022-jp"),
    Some("application/xhtml+xml; charset=nonsense"),
    Some("image/png"),
    Some("text/css"),
];
const STATUSES: [u16; 6] = [200, 403, 404, 412, 503, 521];

fuzz_target!(|data: &[u8]| {
    let [kind, status, body @ ..] = data else { return };
    let kind = TYPES[usize::from(*kind) % TYPES.len()];
    let status = STATUSES[usize::from(*status) % STATUSES.len()];
    let full = look(body, kind, status, Depth::Full);
    let light = look(body, kind, status, Depth::Light);
    if matches!(kind, Some("image/png" | "text/css")) || body.is_empty() {
        assert_eq!(full, Extract::default());
    } else {
        assert!(full.to_the_end && full.page.is_some());
    }
    if light.to_the_end {
        assert_eq!(light, full, "read to its end in both ways");
    }
    if let Ok(text) = std::str::from_utf8(body) {
        in_any_encoding(text, status);
    }
});

fn look(body: &[u8], kind: Option<&str>, status: u16, depth: Depth) -> Extract {
    let facts = Facts { status, content_type: kind.map(str::to_owned), cookies: Vec::new() };
    let extract = read(body, &facts, depth);
    if let Some(page) = &extract.page {
        in_bounds(page, body);
    }
    if let Some((_, target)) = &extract.leads_to {
        assert!(!target.is_empty() && target.len() <= body.len() * 3);
    }
    extract
}

fn in_bounds(page: &Page, body: &[u8]) {
    assert!(Encoding::for_label(page.charset.as_bytes()).is_some(), "{}", page.charset);
    if let Some(title) = &page.title {
        assert!((1..=200).contains(&title.chars().count()), "{title:?}");
        assert!(!title.contains(['\n', '\r', '\t']) && !title.contains("  "), "{title:?}");
    }
    assert!(page.text_chars <= body.len() as u64);
    for sketch in [&page.links, &page.assets, &page.text] {
        assert!(sketch.smallest.len() == (sketch.size as usize).min(Sketch::K), "{sketch:?}");
        assert!(sketch.smallest.windows(2).all(|pair| pair[0] < pair[1]), "{sketch:?}");
        assert_eq!(sketch.jaccard(sketch), (sketch.size > 0).then_some(1.0));
    }
    assert!(page.links.size <= 2000 && page.assets.size <= 2000);
}

/// The same text, in encodings that the response names, is the same page.
fn in_any_encoding(text: &str, status: u16) {
    if text.is_empty() || text.starts_with('\u{feff}') {
        return;
    }
    let page = |bytes: &[u8], label: &str| {
        let extract = look(bytes, Some(&format!("text/html; charset={label}")), status, Depth::Full);
        let page = extract.page.expect("there is text");
        (Page { charset: String::new(), ..page }, extract.leads_to)
    };
    let known = page(text.as_bytes(), "utf-8");
    for encoding in [GB18030, WINDOWS_1252] {
        let (bytes, _, lost) = encoding.encode(text);
        // Some characters have no bytes, or bytes that mean another one.
        let bom = Encoding::for_bom(&bytes).is_some();
        if !lost && !bom && encoding.decode_without_bom_handling(&bytes).0 == text {
            assert_eq!(page(&bytes, encoding.name()), known, "{}", encoding.name());
        }
    }
    let wide: Vec<u8> = [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    // The byte order mark counts more than the header.
    assert_eq!(page(&wide, UTF_8.name()), known, "UTF-16LE");
}
