//! Whether two pages are the same page, from what was kept of them.
//!
//! Tried in this order: identical bodies; then title, links, resources and visible text together. The noise floor is the
//! same comparison of the IPv4 page with itself, fetched twice: families are never asked to agree better than that. Size
//! never decides, and order-blind byte statistics are not used at all.

use crate::model::evidence::{Exchange, Page};

/// The result of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sameness {
    /// The same page.
    Same,
    /// The same page with differences beyond the noise.
    Similar,
    /// Another page.
    Different,
    /// Nothing to compare: cut short, not text, or made by scripts.
    NotComparable,
}

/// From here on, pages are the same.
const SAME: f64 = 0.75;
/// Below this, pages are different.
const SIMILAR: f64 = 0.35;
/// How far below the noise floor families may agree and still be the same.
const NOISE_MARGIN: f64 = 0.1;

/// Compares the landing pages of the two families.
pub(super) fn compare(v4: &Exchange, v6: &Exchange, again: Option<&Exchange>) -> Sameness {
    if v4.digest == v6.digest && v4.decoded_bytes > 0 {
        return Sameness::Same;
    }
    // A family that brings an empty page brings another one.
    let empty = |page: &Exchange| page.decoded_bytes == 0 && page.body_failure.is_none() && page.status < 300;
    let filled = |page: &Exchange| page.decoded_bytes > 0 && page.body_failure.is_none();
    if (empty(v4) && filled(v6)) || (filled(v4) && empty(v6)) {
        return Sameness::Different;
    }
    let comparable = |exchange: &Exchange| exchange.body_failure.is_none();
    let (Some(page4), Some(page6)) = (&v4.page, &v6.page) else { return Sameness::NotComparable };
    if !comparable(v4) || !comparable(v6) || page4.script_redirect || page6.script_redirect {
        return Sameness::NotComparable;
    }
    let Some(likeness) = likeness(page4, page6) else { return Sameness::NotComparable };
    let noise = again.and_then(|again| self::likeness(page4, again.page.as_ref()?)).unwrap_or(1.0);
    if likeness >= SAME || likeness >= noise - NOISE_MARGIN {
        Sameness::Same
    } else if likeness >= SIMILAR || likeness >= noise * 0.6 {
        Sameness::Similar
    } else {
        Sameness::Different
    }
}

/// How alike two pages are, 0 to 1. None: neither holds anything to compare.
fn likeness(a: &Page, b: &Page) -> Option<f64> {
    let title = match (&a.title, &b.title) {
        (None, None) => None,
        (Some(a), Some(b)) => Some(f64::from(u8::from(without_digits(a) == without_digits(b)))),
        _ => Some(0.0),
    };
    let parts = [
        (0.25, title),
        (0.25, a.links.jaccard(&b.links)),
        (0.2, a.assets.jaccard(&b.assets)),
        (0.3, a.text.jaccard(&b.text)),
    ];
    // A title alone says little, and stands alone where a page was not read to its end.
    if parts[1..].iter().all(|(_, part)| part.is_none()) {
        return None;
    }
    let weight: f64 = parts.iter().filter(|(_, part)| part.is_some()).map(|(weight, _)| weight).sum();
    let sum: f64 = parts.iter().filter_map(|(weight, part)| part.map(|part| weight * part)).sum();
    (weight > 0.0).then(|| sum / weight)
}

fn without_digits(text: &str) -> String {
    text.chars().filter(|c| !c.is_ascii_digit()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::page::{Depth, Facts, read};

    fn exchange(html: &str) -> Exchange {
        let facts = Facts { status: 200, content_type: Some("text/html; charset=utf-8".to_owned()), cookies: vec![] };
        Exchange {
            status: 200,
            location: None,
            server: None,
            content_type: None,
            retry_after_s: None,
            date: None,
            cookies: vec![],
            started: crate::model::time::Timestamp(0),
            ttfb_us: 1,
            total_us: 1,
            wire_bytes: html.len() as u64,
            decoded_bytes: html.len() as u64,
            body_failure: None,
            digest: html.to_owned(),
            page: read(html.as_bytes(), &facts, Depth::Full).page,
        }
    }

    fn page<const N: usize>(title: &str, items: [&str; N], nonce: &str) -> String {
        let list = items.map(|item| format!("<li><a href='/{item}.htm?n={nonce}'>{item}</a></li>")).concat();
        format!(
            "<title>{title}</title><script nonce={nonce} src=/app.js></script><input value={nonce}>\
             <ul>{list}</ul><p>访问量 {nonce} 次</p>"
        )
    }

    #[test]
    fn nonces_and_counters_do_not_make_a_difference() {
        let items = ["通知公告", "招生简章", "校园新闻", "党建工作", "教师风采"];
        let a = exchange(&page("第一中学", items, "8812"));
        let b = exchange(&page("第一中学", items, "90417"));
        assert_eq!(compare(&a, &b, None), Sameness::Same);
    }

    #[test]
    fn unrelated_pages_of_equal_size_are_different() {
        let a = exchange(&page("第一中学", ["通知公告", "招生简章", "校园新闻"], "1"));
        let b = exchange(&page("第二小学", ["食堂菜单", "图书目录", "社团活动"], "2"));
        assert_eq!(compare(&a, &b, None), Sameness::Different);
    }

    #[test]
    fn an_empty_page_is_another_one() {
        let (page, empty) = (exchange(&page("第一中学", ["通知公告"], "1")), exchange(""));
        assert_eq!(compare(&page, &empty, None), Sameness::Different);
        assert_eq!(compare(&empty, &page, None), Sameness::Different);
        assert_eq!(compare(&empty, &empty, None), Sameness::NotComparable);
        let unchanged = Exchange { status: 304, ..empty };
        assert_eq!(compare(&page, &unchanged, None), Sameness::NotComparable);
    }

    #[test]
    fn a_page_unlike_itself_says_nothing() {
        let a = exchange(&page("第一中学", ["甲甲甲", "乙乙乙", "丙丙丙"], "1"));
        let b = exchange(&page("第二小学", ["丁丁丁", "戊戊戊", "己己己"], "2"));
        let again = exchange(&page("第三小学", ["庚庚庚", "辛辛辛", "壬壬壬"], "3"));
        assert_eq!(compare(&a, &b, Some(&again)), Sameness::Same);
    }
}
