//! References as pages and style sheets spell them.

use super::*;

fn read(body: &str) -> Harvest {
    page(body.as_bytes(), "text/html; charset=utf-8", &Url::parse("https://www.a.example/dir/index.htm").unwrap())
}

fn links(body: &str) -> Vec<String> {
    read(body).links.into_iter().map(String::from).collect()
}

fn resources(body: &str) -> Vec<(ResourceKind, String)> {
    read(body).resources.into_iter().map(|(kind, url)| (kind, url.into())).collect()
}

#[test]
fn links_are_resolved_against_the_page() {
    let cases = [
        ("<a href=news.htm>", "https://www.a.example/dir/news.htm"),
        ("<a href='/news.htm#top'>", "https://www.a.example/news.htm"),
        ("<a href='//b.example/x'>", "https://b.example/x"),
        ("<a href='?id=1'>", "https://www.a.example/dir/index.htm?id=1"),
        ("<area href=../map.htm>", "https://www.a.example/map.htm"),
        ("<a href='http://u:p@c.example/'>", "http://c.example/"),
        ("<a href=' http://C.Example ' rel=noopener>", "http://c.example/"),
        ("<a href='http://例子.example/'>", "http://xn--fsqu00a.example/"),
    ];
    for (body, expected) in cases {
        assert_eq!(links(body), [expected], "{body}");
    }
}

#[test]
fn a_base_element_is_honoured() {
    assert_eq!(links("<base href='/sub/'><a href=x.htm>"), ["https://www.a.example/sub/x.htm"]);
    assert_eq!(links("<base href='http://b.example/'><base href=/no/><a href=x>"), ["http://b.example/x"]);
    assert_eq!(links("<base target=_blank><base href=/y/><a href=x>"), ["https://www.a.example/y/x"]);
    assert_eq!(links("<base href='data:text/plain,'><a href=x>"), ["https://www.a.example/dir/x"]);
}

#[test]
fn what_is_no_link_or_not_to_be_followed() {
    let bodies = [
        "<a href=''>",
        "<a href='#top'>",
        "<a href=index.htm#a>",
        "<a>",
        "<a href='javascript:void(0)'>",
        "<a href='mailto:a@b.example'>",
        "<a href='tel:1'>",
        "<a href=x rel='external NoFollow'>",
        "<a href=/logout.jsp>",
        "<a href='/user/sign-out?x'>",
        "<a href='/x?action=Log_Off'>",
        "<a href='/exit.do'>",
        "<a href='/x?do=delete&id=3'>",
        "<a href='/%E9%80%80%E5%87%BA'>",
        "<a href='/user/登出'>",
        "<a href='/loginOut.do'>",
        "<a href='/SignOff'>",
        "<a href='/news/doDelete.action?id=3'>",
        "<a href='/userExit.jsp'>",
        "<a href='/x?act=del&id=3'>",
        "<!-- <a href=/x> -->",
        "<script>document.write('<a href=/x>')</script>",
    ];
    for body in bodies {
        assert_eq!(links(body), [] as [&str; 0], "{body}");
    }
    assert_eq!(links("<a href=/existing.htm><a href=/deleted-scenes><a href=/existing.htm#2>").len(), 2);
    assert_eq!(links("<a href=/Delta/model.htm><a href=/exITS><a href=/login.jsp><a href=/register>").len(), 4);
}

#[test]
fn resources_by_kind() {
    use ResourceKind::{Font, Form, Frame, Image, Script, Style};
    let cases = [
        ("<script src=/a.js></script>", Script),
        ("<link rel='alternate Stylesheet' href=/a>", Style),
        ("<link rel=preload as=font href=/a>", Font),
        ("<img src=/a>", Image),
        ("<td background=/a>", Image),
        ("<input type=image src=/a>", Image),
        ("<iframe src=/a></iframe>", Frame),
        ("<object data=/a></object>", Frame),
        ("<form action=/a>", Form),
        ("<div style='background: URL( \"/a\" )'>", Image),
        ("<style>@font-face{src:url(/a.woff2?v=1)}</style>", Font),
        ("<style>@import '/a.css';</style>", Style),
        ("<style>@import url(/a.css);</style>", Style),
    ];
    for (body, kind) in cases {
        let found = resources(body);
        assert_eq!(found.len(), 1, "{body} {found:?}");
        assert_eq!(found[0].0, kind, "{body}");
        assert!(found[0].1.starts_with("https://www.a.example/a"), "{body}");
    }
    let none = [
        "<img src='data:image/png;base64,AA'>",
        "<link rel=canonical href=/a>",
        "<form>",
        "<style>/* url(/a) */</style>",
        "<img data-src=/a>",
    ];
    for body in none {
        assert_eq!(resources(body), [], "{body}");
    }
    assert_eq!(resources("<img srcset='/a 1x, /b 2x' src=/a>").len(), 2);
    assert_eq!(read("<script>x</script><script src=/a></script>").scripts, 2);
}

#[test]
fn style_sheets_are_resolved_against_themselves() {
    let url = Url::parse("https://s.example/css/a.css").unwrap();
    let (found, _) =
        style_sheet("p{background:url('../i/b.png')} @import \"c.css\"; q{src:url(https://f.example/f.ttf)}", &url);
    let spelled: Vec<_> = found.iter().map(|(kind, url)| (*kind, url.as_str())).collect();
    let expected = [
        (ResourceKind::Image, "https://s.example/i/b.png"),
        (ResourceKind::Font, "https://f.example/f.ttf"),
        (ResourceKind::Style, "https://s.example/css/c.css"),
    ];
    assert_eq!(spelled, expected);
    for text in ["url(", "@import", "url('", "/* url(x)", "@import url(", "url()"] {
        assert_eq!(style_sheet(text, &url), (Vec::new(), false), "{text}");
    }
}

#[test]
fn a_bound_that_was_met_shows() {
    let style = |length: usize| format!("<style>{}</style>", " ".repeat(length));
    let srcset = |count: usize| {
        let candidates: Vec<String> = (0..count).map(|number| format!("/{number}.png {number}w")).collect();
        format!("<img srcset='{}'>", candidates.join(", "))
    };
    let links = |count: usize| (0..count).map(|number| format!("<a href=/{number}>")).collect::<Vec<_>>().concat();
    let images = |count: usize| (0..count).map(|number| format!("<img src=/{number}>")).collect::<Vec<_>>().concat();
    let urls = |count: usize| format!("<style>{}</style>", "p{background:url(/a)}".repeat(count));
    let cases = [
        (links(REFERENCES / 2) + &images(10), (REFERENCES / 2, 10, false)),
        (links(REFERENCES + 300), (REFERENCES, 0, true)),
        (links(REFERENCES) + &images(300), (REFERENCES, 0, true)),
        (images(REFERENCES + 300), (0, REFERENCES, true)),
        (srcset(CANDIDATES), (0, CANDIDATES, false)),
        (srcset(CANDIDATES + 1), (0, CANDIDATES, true)),
        (style(STYLE_TEXT), (0, 0, false)),
        (style(STYLE_TEXT + 1), (0, 0, true)),
        (urls(REFERENCES + 1), (0, 1, true)),
        ("<p></p>".repeat(60_000), (0, 0, false)),
        ("<a>".repeat(60_000), (0, 0, true)),
    ];
    for (body, expected) in cases {
        let found = read(&body);
        assert_eq!((found.links.len(), found.resources.len(), found.cut), expected, "{}", &body[..20]);
    }
    let url = Url::parse("https://s.example/a.css").unwrap();
    assert!(!style_sheet(&" ".repeat(STYLE_TEXT), &url).1);
    assert!(style_sheet(&" ".repeat(STYLE_TEXT + 1), &url).1);
    assert!(style_sheet(&"@import 'a';".repeat(REFERENCES + 1), &url).1);
}

#[test]
fn hostile_markup_ends() {
    let hostile = [
        "<a href=x>".repeat(100_000),
        "<".repeat(1_000_000),
        format!("<style>{}", "url(".repeat(100_000)),
        format!("<style>{}", "/*".repeat(200_000)),
        "<base href=x>".repeat(60_000),
    ];
    for body in hostile {
        assert!(read(&body).links.len() <= REFERENCES);
    }
}
