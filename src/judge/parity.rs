//! Whether two pages are the same page, from what was kept of them.
//!
//! Tried in this order: identical bodies; then title, links, resources and visible text together. The noise floor is the
//! same comparison of the IPv4 page with itself, fetched twice: families are never asked to agree better than that, and
//! where a page is hardly like itself nothing is said. Size never decides, and order-blind byte statistics are not used at all.

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
    /// Nothing to compare: cut short, not text, made by scripts, or hardly like itself on the next request.
    NotComparable,
}

/// From here on, pages are the same.
const SAME: f64 = 0.75;
/// Below this, pages are different.
const SIMILAR: f64 = 0.35;
/// How far below the noise floor families may agree and still be within it.
const NOISE_MARGIN: f64 = 0.1;
/// The same as a share of the noise floor.
const NOISE_SHARE: f64 = 0.6;

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
    let within = likeness >= noise - NOISE_MARGIN;
    match () {
        () if likeness >= SAME || (likeness >= SIMILAR && within) => Sameness::Same,
        () if likeness >= SIMILAR => Sameness::Similar,
        // Whatever else stood there would be as unlike it: noise lifts similar pages, and proves nothing of others.
        () if within || likeness >= noise * NOISE_SHARE => Sameness::NotComparable,
        () => Sameness::Different,
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

    /// Three pages of equal length that have nothing in common.
    fn unrelated() -> [Exchange; 3] {
        let pages = [
            page("第一中学", ["通知公告", "招生简章", "校园新闻"], "1"),
            page("第二小学", ["食堂菜单", "图书目录", "社团活动"], "2"),
            page("第三学院", ["科研成果", "师资队伍", "人才招聘"], "3"),
        ];
        assert!(pages.iter().all(|page| page.len() == pages[0].len()));
        pages.map(|page| exchange(&page))
    }

    #[test]
    fn unrelated_pages_of_equal_size_are_different() {
        let [a, b, _] = unrelated();
        assert_eq!(compare(&a, &b, None), Sameness::Different);
        assert_eq!(compare(&b, &a, None), Sameness::Different);
        assert_eq!(compare(&a, &b, Some(&a)), Sameness::Different);
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
        let [a, b, again] = unrelated();
        assert_eq!(compare(&a, &b, Some(&again)), Sameness::NotComparable);
        // What is the same is so whatever IPv4 brings the next time.
        assert_eq!(compare(&a, &a, Some(&again)), Sameness::Same);
    }

    #[test]
    fn noise_lifts_similar_pages_and_no_others() {
        // Twelve links from a number on, and nothing else that any two of them share but the title.
        let of = |title: &str, from: usize| {
            let item = |at: usize| "甲".repeat(at);
            let list = (from..from + 12).map(|at| format!("<li><a href=/{at}.htm>{}</a></li>", item(at)));
            exchange(&format!("<title>{title}</title><ul>{}</ul>", list.collect::<String>()))
        };
        let steady = of("第一中学", 1);
        // Where the links of the IPv6 page begin, and those of the IPv4 page on the next request.
        let cases = [
            (5, 1, Sameness::Similar),
            (5, 6, Sameness::Same),
            (100, 1, Sameness::Different),
            (100, 200, Sameness::NotComparable),
        ];
        for (shown, again, expected) in cases {
            let found = compare(&steady, &of("第一中学", shown), Some(&of("第一中学", again)));
            assert_eq!(found, expected, "{shown} {again}");
        }
    }

    proptest::proptest! {
        /// Pages of equal length without one word in common, with whatever IPv4 brings the next time.
        #[test]
        fn unrelated_pages_are_never_the_same(words in proptest::collection::vec("[天地玄黄宇宙洪荒]{4}", 6), again in 0_usize..4) {
            let other = |word: &String| -> String {
                word.chars().map(|c| char::from_u32(c as u32 + 1).unwrap_or(c)).collect()
            };
            let spell = |words: &[String]| {
                let items: [&str; 6] = std::array::from_fn(|at| words[at].as_str());
                page(&words.concat(), items, "1").replace("/app.js", &format!("/{}.js", words[0])).replace("访问量", &words[1])
            };
            let others: Vec<String> = words.iter().map(other).collect();
            let thirds: Vec<String> = others.iter().map(other).collect();
            let (a, b) = (spell(&words), spell(&others));
            proptest::prop_assert_eq!(a.len(), b.len());
            let again = [None, Some(&a), Some(&b), Some(&spell(&thirds))][again].map(|html| exchange(html));
            let found = compare(&exchange(&a), &exchange(&b), again.as_ref());
            proptest::prop_assert!(!matches!(found, Sameness::Same | Sameness::Similar), "{:?}", found);
        }
    }
}
