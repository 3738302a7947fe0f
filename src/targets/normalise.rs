//! A cell of a list → the sites it names. Pure, and idempotent: a site's key normalises to itself.
//!
//! Responsible for everything people do to a domain in a spreadsheet: full-width characters, whole URLs, several names
//! in one cell, remarks, the many words for "none". Leaves to `host` which names can be a public web site, and
//! to `roster` what a cell means for its school.

use std::borrow::Cow;

use super::host;
use super::text::{is_invisible, is_wide_space, narrow};
use super::wording::{Change, Fault};
use crate::model::site::{Scheme, Site};

/// Most names that one cell may give. More is not a list cell but a pasted text.
const NAMES_LIMIT: usize = 32;

/// Words for "there is no site", compared after folding, in lower case, without punctuation around them.
const NONE_WORDS: [&str; 33] = [
    "",
    "0",
    "n/a",
    "na",
    "nil",
    "no",
    "none",
    "null",
    "/",
    "\\",
    "x",
    "×",
    "不详",
    "停用",
    "已停用",
    "已关闭",
    "建设中",
    "无",
    "暂无",
    "暂缺",
    "没有",
    "未建",
    "未建设",
    "未开通",
    "未知",
    "待建",
    "待定",
    "空",
    "缺",
    "尚无",
    "不适用",
    "无此项",
    "未填",
];
/// Beginnings that make a text about sites mean "none", as in 暂无独立网站.
const NONE_BEGINNINGS: [&str; 6] = ["无", "暂无", "没有", "尚无", "未", "暂未"];
const SITE_WORDS: [&str; 6] = ["网", "站", "域名", "主页", "官网", "平台"];

/// Spellings of `http` and `https` that are seen in lists.
const MISSPELT_HTTP: [&str; 9] = ["hhttp", "hhtp", "htttp", "htp", "ttp", "hppt", "htpp", "httpp", "hptt"];
const MISSPELT_HTTPS: [&str; 7] = ["hhttps", "hhtps", "htttps", "htps", "ttps", "httpss", "htpps"];

/// One name of a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The site, or why it cannot be one.
    pub site: Result<Site, Fault>,
    /// The piece of the cell, after folding.
    pub text: String,
    /// What was changed to read it.
    pub changes: Vec<Change>,
}

/// Reads a cell. Empty: the cell says that there is no site.
///
/// `allow_reserved` lets names such as `www.school.example` pass, for labs.
pub fn cell(raw: &str, allow_reserved: bool) -> Vec<Named> {
    let mut changes = Vec::new();
    let folded = fold(raw, &mut changes);
    if is_none(&folded) {
        return Vec::new();
    }
    let whole = |fault, changes| vec![Named { site: Err(fault), text: folded.trim().to_owned(), changes }];
    let pieces = match split(&folded, &mut changes) {
        Ok(pieces) => pieces,
        Err(fault) => return whole(fault, changes),
    };
    if pieces.is_empty() {
        // Nothing but punctuation, or several words for "none".
        return Vec::new();
    }
    if pieces.len() > NAMES_LIMIT {
        return whole(Fault::TooMany, changes);
    }
    if pieces.len() > 1 {
        Change::SeveralNames.note(&mut changes);
    }
    let mut named: Vec<Named> = Vec::with_capacity(pieces.len());
    for piece in pieces {
        let mut own = changes.clone();
        let site = site(&piece, allow_reserved, &mut own);
        let twin = named.iter_mut().find(|earlier| site.is_ok() && earlier.site == site);
        if let Some(twin) = twin {
            Change::NamedTwice.note(&mut twin.changes);
        } else {
            named.push(Named { site, text: piece.into_owned(), changes: own });
        }
    }
    named
}

/// Maps what input methods and spreadsheets do to ASCII back to ASCII.
fn fold<'a>(raw: &'a str, changes: &mut Vec<Change>) -> Cow<'a, str> {
    if raw.bytes().all(|b| b.is_ascii() && !matches!(b, b'"' | b'\'' | b'`' | b'<' | b'>')) {
        return Cow::Borrowed(raw);
    }
    let mut out = String::with_capacity(raw.len());
    for c in raw.chars() {
        match c {
            '“' | '”' | '‘' | '’' | '"' | '\'' | '`' | '「' | '」' | '『' | '』' | '《' | '》' | '<' | '>' | '＂'
            | '＇' => {
                Change::Quotes.note(changes);
            }
            c if is_invisible(c) => Change::Invisible.note(changes),
            c if is_wide_space(c) => {
                Change::WideSpaces.note(changes);
                out.push(' ');
            }
            '\u{2010}'..='\u{2015}' | '\u{2212}' => {
                Change::Dashes.note(changes);
                out.push('-');
            }
            c => match narrow(c) {
                Some(ascii) => {
                    Change::FullWidth.note(changes);
                    out.push(ascii);
                }
                None => out.push(c),
            },
        }
    }
    Cow::Owned(out)
}

fn is_punctuation(c: char) -> bool {
    c.is_whitespace()
        || matches!(c, ',' | ';' | '.' | '、' | '!' | '?' | '|' | '(' | ')' | '【' | '】' | ':' | '~' | '…')
}

fn is_none(folded: &str) -> bool {
    let text = folded.trim_matches(is_punctuation);
    if text.chars().all(|c| matches!(c, '-' | '—' | '/' | '\\' | '_' | '#')) {
        return true;
    }
    // The longest word of the table has twelve bytes; sites are longer, so most cells stop here.
    let is_word = |word: &str| word.len() <= 12 && NONE_WORDS.contains(&word.to_lowercase().as_str());
    if is_word(text) || (!text.contains('.') && text.split('/').all(|word| is_word(word) || word == "-")) {
        return true;
    }
    !text.contains('.')
        && NONE_BEGINNINGS.iter().any(|beginning| text.starts_with(beginning))
        && SITE_WORDS.iter().any(|word| text.contains(word))
}

/// Cuts a folded cell into pieces that should each be a name; remarks and punctuation are left out and noted.
fn split<'a>(folded: &'a str, changes: &mut Vec<Change>) -> Result<Vec<Cow<'a, str>>, Fault> {
    let mut pieces: Vec<Cow<'a, str>> = Vec::new();
    let mut scheme: Option<&str> = None;
    for piece in cut(folded) {
        let bare = piece.trim_end_matches(['/', ':']);
        if bare.eq_ignore_ascii_case("http") || bare.eq_ignore_ascii_case("https") {
            // A space or a full-width semicolon fell into the scheme.
            scheme = Some(bare);
            continue;
        }
        match scheme.take() {
            Some(scheme) => {
                Change::SchemeSpelling.note(changes);
                pieces.push(Cow::Owned(format!("{scheme}://{}", piece.trim_start_matches(['/', ':']))));
            }
            None => pieces.push(Cow::Borrowed(piece)),
        }
    }
    if let Some(scheme) = scheme {
        pieces.push(Cow::Borrowed(scheme));
    }
    if pieces.len() > 1 {
        if pieces.iter().any(|piece| host::is_ending(piece) || piece.eq_ignore_ascii_case("www.")) {
            return Err(Fault::Broken);
        }
        let names_something = pieces.iter().any(|piece| piece.contains('.'));
        let before = pieces.len();
        pieces.retain(|piece| !is_none(piece));
        pieces.retain(|piece| !(names_something && !piece.is_ascii() && !piece.contains(['.', '@'])));
        if pieces.len() < before && !pieces.is_empty() {
            Change::Remark.note(changes);
        }
    }
    Ok(pieces)
}

/// The pieces between separators. Brackets separate too, but not inside a path.
fn cut(folded: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut in_path = false;
    for (at, c) in folded.char_indices() {
        let separates = c.is_whitespace()
            || matches!(c, '、' | ',' | ';' | '|')
            || (matches!(c, '(' | ')' | '【' | '】') && !in_path);
        if separates {
            pieces.push(&folded[start..at]);
            start = at + c.len_utf8();
            in_path = false;
        } else if c == '/' && at > start && !folded[start..at].ends_with(['/', ':']) {
            in_path = true;
        }
    }
    pieces.push(&folded[start..]);
    pieces.into_iter().map(|piece| piece.trim_matches(['!', '…'])).filter(|piece| !piece.is_empty()).collect()
}

/// One piece → one site.
fn site(piece: &str, allow_reserved: bool, changes: &mut Vec<Change>) -> Result<Site, Fault> {
    let piece = if piece.contains('\\') {
        Change::Backslashes.note(changes);
        Cow::Owned(piece.replace('\\', "/"))
    } else {
        Cow::Borrowed(piece)
    };
    let piece = without_label(&piece, changes);
    let (scheme, rest) = strip_schemes(piece, changes)?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (mut authority, tail) = rest.split_at(end);
    if !tail.is_empty() && tail != "/" {
        Change::Path.note(changes);
    }
    if let Some((_, host)) = authority.rsplit_once('@') {
        if scheme.is_none() {
            return Err(Fault::Email);
        }
        Change::UserInfo.note(changes);
        authority = host;
    }
    let (name, port) = split_port(authority)?;
    let host = host::check(name, allow_reserved, changes)?;
    Ok(Site::new(&host.ascii, host.unicode, scheme, port))
}

/// Drops a label before the name, as in `官网:www.a.edu.cn`.
fn without_label<'a>(piece: &'a str, changes: &mut Vec<Change>) -> &'a str {
    match piece.split_once(':') {
        Some((label, rest)) if !label.is_ascii() && !label.contains(['.', '/', '@']) && !rest.is_empty() => {
            Change::Remark.note(changes);
            rest
        }
        _ => piece,
    }
}

/// Strips all schemes from the front; the last one, next to the host, counts.
fn strip_schemes<'a>(piece: &'a str, changes: &mut Vec<Change>) -> Result<(Option<Scheme>, &'a str), Fault> {
    let mut scheme = None;
    let mut rest = piece;
    while let Some((found, after)) = strip_scheme(rest, changes)? {
        if scheme.replace(found).is_some() {
            Change::SchemeTwice.note(changes);
        }
        rest = after;
    }
    Ok((scheme, rest.trim_start_matches('/')))
}

fn strip_scheme<'a>(rest: &'a str, changes: &mut Vec<Change>) -> Result<Option<(Scheme, &'a str)>, Fault> {
    let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
    let (word, after) = rest.split_at(letters);
    let (colon, slashes_on) = match after.strip_prefix(':') {
        Some(after) => (true, after),
        None => (false, after),
    };
    let behind = slashes_on.trim_start_matches('/');
    let slashes = slashes_on.len() - behind.len();
    if letters == 0 || (!colon && slashes == 0) {
        return Ok(None);
    }
    let word = word.to_ascii_lowercase();
    let (scheme, spelt) = match word.as_str() {
        "http" => (Scheme::Http, true),
        "https" => (Scheme::Https, true),
        misspelt if slashes > 0 && MISSPELT_HTTP.contains(&misspelt) => (Scheme::Http, false),
        misspelt if slashes > 0 && MISSPELT_HTTPS.contains(&misspelt) => (Scheme::Https, false),
        "mailto" if colon => return Err(Fault::Email),
        "ftp" | "file" | "data" | "javascript" | "tel" | "about" | "ws" | "wss" if colon => return Err(Fault::Scheme),
        _ if colon && slashes >= 2 => return Err(Fault::Scheme),
        _ => return Ok(None),
    };
    if !(spelt && colon && slashes == 2) {
        Change::SchemeSpelling.note(changes);
    }
    Ok(Some((scheme, behind)))
}

/// Host and port of an authority. A missing number after the colon is as good as no colon.
fn split_port(authority: &str) -> Result<(&str, Option<u16>), Fault> {
    if authority.starts_with('[') || authority.matches(':').count() > 1 {
        return Err(Fault::Address);
    }
    match authority.split_once(':') {
        None => Ok((authority, None)),
        Some((name, "")) => Ok((name, None)),
        Some((name, digits)) => match digits.parse::<u16>() {
            Ok(port) if port > 0 && digits.bytes().all(|b| b.is_ascii_digit()) => Ok((name, Some(port))),
            _ => Err(Fault::Port),
        },
    }
}

#[cfg(test)]
#[path = "normalise_tests.rs"]
mod tests;
