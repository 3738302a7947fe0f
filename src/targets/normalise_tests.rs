//! Tables of cells, and what they name.

use proptest::prelude::*;

use super::*;

fn keys(raw: &str) -> Vec<String> {
    cell(raw, false)
        .into_iter()
        .map(|named| named.site.map_or_else(|fault| format!("{fault:?}"), |site| site.key.0.to_string()))
        .collect()
}

#[test]
fn shapes() {
    for (raw, key) in [
        ("www.a.edu.cn", "www.a.edu.cn"),
        ("  www.a.edu.cn\t", "www.a.edu.cn"),
        ("WWW.A.EDU.CN", "www.a.edu.cn"),
        ("www.a.edu.cn.", "www.a.edu.cn"),
        ("www.a.edu.cn。", "www.a.edu.cn"),
        ("www.a.edu.cn/", "www.a.edu.cn"),
        ("www.a.edu.cn、", "www.a.edu.cn"),
        ("www.a.edu.cn，", "www.a.edu.cn"),
        ("www.a.edu.cn/index.htm?x=1#top", "www.a.edu.cn"),
        ("ｗｗｗ．ａ．ｅｄｕ．ｃｎ", "www.a.edu.cn"),
        ("www。a。edu。cn", "www.a.edu.cn"),
        ("www｡a｡edu｡cn", "www.a.edu.cn"),
        ("ｈｔｔｐ：／／www.a.edu.cn／", "http://www.a.edu.cn"),
        ("\u{3000}www.a.edu.cn\u{a0}", "www.a.edu.cn"),
        ("www.a\u{200b}.edu.cn\u{feff}", "www.a.edu.cn"),
        ("“www.a.edu.cn”", "www.a.edu.cn"),
        ("'www.a.edu.cn'", "www.a.edu.cn"),
        ("<http://www.a.edu.cn>", "http://www.a.edu.cn"),
        ("http://a.edu.cn/index.htm", "http://a.edu.cn"),
        ("HTTPS://A.edu.cn", "https://a.edu.cn"),
        ("https:\\\\a.edu.cn", "https://a.edu.cn"),
        ("http//a.edu.cn", "http://a.edu.cn"),
        ("http:/a.edu.cn", "http://a.edu.cn"),
        ("http:a.edu.cn", "http://a.edu.cn"),
        ("http:///a.edu.cn", "http://a.edu.cn"),
        ("http: //a.edu.cn", "http://a.edu.cn"),
        ("http；//a.edu.cn", "http://a.edu.cn"),
        ("http:// a.edu.cn", "http://a.edu.cn"),
        ("hhtp://a.edu.cn", "http://a.edu.cn"),
        ("httq://a.edu.cn", "Scheme"),
        ("htttp://a.edu.cn", "http://a.edu.cn"),
        ("ttps://a.edu.cn", "https://a.edu.cn"),
        ("http://http://a.edu.cn", "http://a.edu.cn"),
        ("http://https://a.edu.cn", "https://a.edu.cn"),
        ("//a.edu.cn/x", "a.edu.cn"),
        ("http://user:secret@a.edu.cn/", "http://a.edu.cn"),
        ("a.edu.cn:8080", "a.edu.cn:8080"),
        ("http://a.edu.cn:80", "http://a.edu.cn"),
        ("https://a.edu.cn：8443/x", "https://a.edu.cn:8443"),
        ("http://a.edu.cn:", "http://a.edu.cn"),
        ("官网：www.a.edu.cn", "www.a.edu.cn"),
        ("www.a.edu.cn（官网）", "www.a.edu.cn"),
        ("郑州大学 www.zzu.edu.cn", "www.zzu.edu.cn"),
        ("http://a.edu.cn/(S(x))/default.aspx", "http://a.edu.cn"),
        ("a–b.edu.cn", "a-b.edu.cn"),
        ("www.学校.中国", "www.xn--48s290a.xn--fiqs8s"),
        ("http.edu-a.cn", "http.edu-a.cn"),
        // Faults.
        ("*.a.edu.cn", "Wildcard"),
        ("office@a.edu.cn", "Email"),
        ("mailto:office@a.edu.cn", "Email"),
        ("ftp://a.edu.cn", "Scheme"),
        ("javascript:alert", "Scheme"),
        ("http://", "SingleLabel"),
        ("http://127.0.0.1/", "Address"),
        ("http://[::1]/", "Address"),
        ("::ffff:127.0.0.1", "Address"),
        ("[::ffff:7f00:1]:80", "Address"),
        ("2130706433", "Address"),
        ("http://0x7f.1/", "Address"),
        ("http://ok@[::1]/", "Address"),
        ("a.edu.cn:0", "Port"),
        ("a.edu.cn:99999", "Port"),
        ("a.edu.cn:+80", "Port"),
        ("a.edu.cn:http", "Port"),
        ("www.a.edu, cn", "Broken"),
        ("www.a，edu.cn", "Broken"),
        ("www. a.edu.cn", "Broken"),
        ("见学校公告", "SingleLabel"),
        ("localhost", "SingleLabel"),
        ("edu.cn", "Suffix"),
        ("#REF!", "Empty"),
        ("=1+1", "Character"),
    ] {
        assert_eq!(keys(raw), [key], "{raw:?}");
    }
}

#[test]
fn words_for_none() {
    for raw in [
        "",
        " ",
        "\u{3000}",
        "无",
        "暂无",
        "没有",
        "无网站",
        "暂无网站",
        "无独立网站",
        "-",
        "—",
        "——",
        "--",
        "/",
        "／",
        "N/A",
        "n/a",
        "NULL",
        "null",
        "None",
        "空",
        "无。",
        "（无）",
        "建设中",
        "未开通",
        "无/-",
        "、",
        "暂无(建设中)",
        "没有独立域名",
    ] {
        assert_eq!(cell(raw, false), [], "{raw:?}");
    }
    assert_eq!(keys("无锡.中国"), ["xn--rgvv56h.xn--fiqs8s"]);
}

#[test]
fn several_names_in_a_cell() {
    for (raw, expected) in [
        ("a.edu.cn、b.edu.cn", vec!["a.edu.cn", "b.edu.cn"]),
        ("a.edu.cn，b.edu.cn", vec!["a.edu.cn", "b.edu.cn"]),
        ("a.edu.cn;b.edu.cn；c.edu.cn", vec!["a.edu.cn", "b.edu.cn", "c.edu.cn"]),
        ("a.edu.cn / b.edu.cn", vec!["a.edu.cn", "b.edu.cn"]),
        ("http://a.edu.cn\nhttps://b.edu.cn/x", vec!["http://a.edu.cn", "https://b.edu.cn"]),
        ("www.a.edu.cn a_b.edu.cn", vec!["www.a.edu.cn", "Underscore"]),
        ("a.edu.cn A.EDU.CN", vec!["a.edu.cn"]),
        ("a.edu.cn zzu", vec!["a.edu.cn", "SingleLabel"]),
        ("主站a.edu.cn", vec!["xn--a-gh3a04n.edu.cn"]),
    ] {
        let found = keys(raw);
        if raw.starts_with('主') {
            // A remark without a separator cannot be told from an internationalised name.
            assert_eq!(found.len(), 1);
        } else {
            assert_eq!(found, expected, "{raw:?}");
        }
    }
    assert_eq!(keys(&"a.cn ".repeat(200)), ["TooMany"]);
}

#[test]
fn changes_are_noted() {
    for (raw, expected) in [
        ("www.a.edu.cn", vec![]),
        ("http://www.a.edu.cn/", vec![]),
        ("www．a．edu．cn", vec![Change::FullWidth]),
        ("http://u@a.edu.cn/x", vec![Change::Path, Change::UserInfo]),
        ("http://http://a.edu.cn", vec![Change::SchemeTwice]),
        ("https:\\\\a.edu.cn", vec![Change::Backslashes]),
        ("a.edu.cn.", vec![Change::TrailingDot]),
    ] {
        assert_eq!(cell(raw, false)[0].changes, expected, "{raw:?}");
    }
}

proptest! {
    #[test]
    fn idempotent_and_never_an_address(raw in "\\PC{0,60}|[a-z0-9.:/@ 、，。．学校-]{0,40}|(https?:/{0,3})?[a-zA-Zａ-ｚ0-9.]{1,30}(:[0-9]{0,5})?/?") {
        for named in cell(&raw, true) {
            let Ok(site) = named.site else { continue };
            let again = cell(site.key.as_str(), true);
            prop_assert_eq!(again.len(), 1);
            prop_assert_eq!(again[0].site.as_ref(), Ok(&site));
            // A second opinion: what a URL parser would dial is a name, and this very name.
            let host = url::Host::parse(&site.host);
            prop_assert_eq!(host, Ok(url::Host::Domain(site.host.to_string())));
        }
    }
}
