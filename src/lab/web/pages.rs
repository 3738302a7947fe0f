//! The pages of the pretended web: an invented school's home page, and the pages that stand in a site's place.
//!
//! A page is a pure function of whose it is and of the number of the visitor, so that both families give the same page.
//! Leaves to others: encoding, headers beyond the page's own, and sending.

use std::fmt::Write;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, de::Error};

use crate::lab::stable_hash;

/// Stands where a page declares its encoding.
pub(super) const META_CHARSET: &str = "<!--charset-->";

/// What a clear-text web server says to a TLS greeting.
pub(super) const BAD_REQUEST: &str = "HTTP/1.1 400 Bad Request\r\nServer: nginx\r\nContent-Type: text/html\r\n\
    Content-Length: 51\r\nConnection: close\r\n\r\n<html><head><title>400 Bad Request</title></head>\r\n";

/// A ready-made page, as scenario files name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageName {
    /// The school's home page: `school`.
    School,
    /// A bare page of the same school with another title and other links: `simple`.
    Simple,
    /// The welcome page of a web server nobody has set up: `nginx_default`.
    NginxDefault,
    /// The page of a hosting provider in place of a site without filing (未备案): `filing_block`.
    FilingBlock,
    /// A challenge of a web application firewall, by status: `challenge_202`, `challenge_412`, `challenge_521`.
    Challenge(u16),
    /// Leads on by meta refresh: `meta_refresh:/main.htm`.
    MetaRefresh(String),
    /// Leads on by one literal assignment: `location_js:/web/`.
    LocationJs(String),
    /// Leads on by a script that has to be run: `obfuscated_js`.
    ObfuscatedJs,
    /// The school's page with parts that differ on every request: `noisy`.
    Noisy,
    /// A page of which hardly anything but the title is the same on the next request: `random_news`.
    RandomNews,
}

impl FromStr for PageName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text.split_once(':').unwrap_or((text, "")) {
            ("school", "") => Self::School,
            ("simple", "") => Self::Simple,
            ("nginx_default", "") => Self::NginxDefault,
            ("filing_block", "") => Self::FilingBlock,
            ("challenge_202", "") => Self::Challenge(202),
            ("challenge_412", "") => Self::Challenge(412),
            ("challenge_521", "") => Self::Challenge(521),
            ("obfuscated_js", "") => Self::ObfuscatedJs,
            ("noisy", "") => Self::Noisy,
            ("random_news", "") => Self::RandomNews,
            ("meta_refresh", target) if !target.is_empty() => Self::MetaRefresh(target.to_owned()),
            ("location_js", target) if !target.is_empty() => Self::LocationJs(target.to_owned()),
            _ => return Err(format!("there is no page `{text}`")),
        })
    }
}

impl<'de> Deserialize<'de> for PageName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// A page and what its server sends with it.
#[derive(Clone, Debug)]
pub(super) struct Page {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) text: String,
}

impl Default for Page {
    fn default() -> Self {
        Self { status: 200, headers: Vec::new(), text: String::new() }
    }
}

impl From<String> for Page {
    fn from(text: String) -> Self {
        Self { text, ..Self::default() }
    }
}

/// Renders a page for the school that `host` belongs to.
pub(super) fn render(name: &PageName, host: &str, title: Option<&str>, visitor: u64) -> Page {
    let school = title.map_or_else(|| school_name(host), str::to_owned);
    match name {
        PageName::School => school_page(host, &school, "", "").into(),
        PageName::Noisy => noisy(host, &school, visitor).into(),
        PageName::RandomNews => random_news(host, &school, visitor).into(),
        PageName::Simple => format!(
            "<!DOCTYPE html><html><head>{META_CHARSET}<title>{school}（IPv6 精简版）</title></head><body>\
             <h1>欢迎访问</h1><p>本页面为精简版本，完整内容请访问原网站。</p><ul><li><a href=\"/v6/about.htm\">关于\
             我们</a></li><li><a href=\"/v6/contact.htm\">联系方式</a></li></ul></body></html>"
        )
        .into(),
        PageName::NginxDefault => NGINX.to_owned().into(),
        PageName::FilingBlock => FILING.to_owned().into(),
        PageName::Challenge(status) => challenge(*status, host),
        PageName::MetaRefresh(target) => format!(
            "<html><head>{META_CHARSET}<meta http-equiv=\"refresh\" content=\"0;url={target}\"></head><body></body></html>"
        )
        .into(),
        PageName::LocationJs(target) => {
            format!("<html><head>{META_CHARSET}<script>window.location.href=\"{target}\";</script></head></html>").into()
        }
        PageName::ObfuscatedJs => format!(
            "<html><head>{META_CHARSET}<script>var _0x3f=['\\x6c\\x6f\\x63','\\x61\\x74\\x69\\x6f\\x6e'];(function(a,b)\
             {{var c=a[0]+a[1];self[c][String.fromCharCode(114,101,112,108,97,99,101)](b(a));}})(_0x3f,function(a)\
             {{return atob('L3BvcnRhbC8=')+a.length;}});</script></head><body></body></html>"
        )
        .into(),
    }
}

/// A short page for a status without a page of its own.
pub(super) fn error(status: u16) -> Page {
    let line = format!("{status} {}", reason(status));
    let text = format!(
        "<html><head><title>{line}</title></head><body><center><h1>{line}</h1></center><hr><center>nginx</center></body></html>"
    );
    Page { status, ..Page::from(text) }
}

/// Lengthens a page with news items to at least so many bytes of UTF-8.
pub(super) fn pad(text: &mut String, size: usize) {
    let end = text.rfind("</body>").unwrap_or(text.len());
    let tail = text.split_off(end);
    let mut number = 0;
    while text.len() + tail.len() < size {
        number += 1;
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "<p>校园简讯第 {number} 期：师生共读、社团展示与劳动实践活动有序开展，校园生活丰富多彩。</p>"
        );
    }
    text.push_str(&tail);
}

/// The reason phrase of a status code.
pub(super) fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        202 => "Accepted",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        412 => "Precondition Failed",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        521 => "Web Server Is Down",
        _ => "Status",
    }
}

/// The invented name of a host's school.
pub(super) fn school_name(host: &str) -> String {
    const PLACES: [&str; 12] =
        ["云溪", "青石", "临河", "松岭", "白沙", "柳泉", "东湖", "清源", "平川", "长桥", "望山", "南亭"];
    const KINDS: [&str; 8] =
        ["第一中学", "第二中学", "实验小学", "实验学校", "外国语学校", "职业技术学校", "中心小学", "师范学院"];
    let bare = host.strip_prefix("www.").unwrap_or(host);
    let hash = stable_hash(bare) as usize;
    format!("{}{}", PLACES[hash % PLACES.len()], KINDS[hash / 64 % KINDS.len()])
}

/// The home page; `extra_head` and `extra_body` are for what a page adds to it.
fn school_page(host: &str, school: &str, extra_head: &str, extra_body: &str) -> String {
    const NEWS: [&str; 12] = [
        "关于做好新学期开学准备工作的通知",
        "我校召开教育教学质量分析会",
        "校园安全隐患排查整治工作简报",
        "学生社团文化节圆满落幕",
        "教师业务能力提升培训班开班",
        "我校代表队在市中学生运动会上获奖",
        "家长开放日活动公告",
        "关于校园网络维护的通知",
        "劳动教育实践周纪实",
        "图书馆新书推荐",
        "毕业生质量跟踪调查公告",
        "心理健康教育主题班会掠影",
    ];
    const SECTIONS: [(&str, &str); 8] = [
        ("xxgk", "学校概况"),
        ("jgsz", "机构设置"),
        ("jyjx", "教育教学"),
        ("jsfc", "教师风采"),
        ("xsyd", "学生园地"),
        ("dsjs", "党建工作"),
        ("zsjy", "招生就业"),
        ("xxgkzl", "信息公开"),
    ];
    let first = stable_hash(host) as usize % 97;
    let mut text = format!(
        "<!DOCTYPE html>\n<html lang=\"zh-CN\"><head>{META_CHARSET}<title>{school}</title>\n\
         <meta name=\"keywords\" content=\"{school},学校网站\">{extra_head}\n\
         <link rel=\"stylesheet\" href=\"/css/style.css\"><script src=\"/js/jquery.min.js\"></script>\
         <script src=\"/js/index.js\"></script></head>\n<body><div class=\"top\"><img src=\"/images/logo.png\" \
         alt=\"{school}\"></div>\n<ul class=\"nav\"><li><a href=\"/index.htm\">首页</a></li>"
    );
    for (path, title) in SECTIONS {
        // Writing to a string cannot fail, here and below.
        let _ = write!(text, "<li><a href=\"/{path}/\">{title}</a></li>");
    }
    let _ = write!(
        text,
        "</ul>\n<div class=\"banner\"><img src=\"/images/banner.jpg\"></div>\n<h2>学校新闻</h2><ul class=\"list\">"
    );
    for (number, title) in NEWS.iter().enumerate() {
        let id = 1000 + first * 13 + number;
        let _ = writeln!(
            text,
            "<li><a href=\"/info/{id}.htm\">{title}</a><span>{}月{}日</span></li>",
            3 + number % 4,
            1 + (first + number) % 28
        );
    }
    let _ = write!(
        text,
        "</ul>\n<p>{school}坚持立德树人，办学条件不断改善，教育教学质量稳步提高，先后获得多项荣誉称号。</p>\
         {extra_body}\n<div class=\"footer\"><img src=\"/images/gongan.png\">版权所有 © {school} 地址：云水省{school}路 1 号 \
         邮编：000000</div></body></html>"
    );
    text
}

/// The same page to a reader, other bytes on every request.
fn noisy(host: &str, school: &str, visitor: u64) -> String {
    let nonce = stable_hash(&format!("{host} {visitor}"));
    let head = format!(
        "<meta name=\"csrf-token\" content=\"{nonce:016x}\"><script nonce=\"{nonce:x}\">var t={visitor};</script>"
    );
    let body = format!(
        "<form><input type=\"hidden\" name=\"__VIEWSTATE\" value=\"/wEPDwUK{nonce:x}{:x}\"></form>\
         <p>您是第 {} 位访问者</p><p>当前时间：{:02}:{:02}:{:02}</p><img src=\"/images/count.png?{nonce}\">",
        nonce.rotate_left(17),
        48_211 + visitor,
        visitor / 3600 % 24,
        visitor / 60 % 60,
        visitor % 60
    );
    school_page(host, school, &head, &body)
}

/// Other news on every request, as pages that draw their items by lot.
fn random_news(host: &str, school: &str, visitor: u64) -> String {
    const LETTERS: [&str; 16] =
        ["春", "夏", "秋", "冬", "山", "河", "湖", "海", "松", "竹", "梅", "兰", "风", "云", "星", "月"];
    let mut text = format!("<html><head>{META_CHARSET}<title>{school}</title></head><body><ul>");
    for item in 0..12 {
        let drawn = stable_hash(&format!("{host} {visitor} {item}"));
        let word: String = (0..6).map(|at| LETTERS[(drawn >> (4 * at)) as usize % LETTERS.len()]).collect();
        // Writing to a string cannot fail.
        let _ = write!(text, "<li><a href=\"/{word}.htm\">{word}</a></li>");
    }
    text + "</ul></body></html>"
}

fn challenge(status: u16, host: &str) -> Page {
    let token = stable_hash(host);
    let (cookie, script) = if status == 521 {
        let script = format!(
            "<script>document.cookie=('_')+('_')+('jsl')+('_clearance')+('_s')+('=')+('{token:x}')+\
             (';max-age=3600;path=/');location.href=location.pathname+location.search</script>"
        );
        (format!("__jsluid_s={token:016x}; max-age=31536000; path=/; HttpOnly"), script)
    } else {
        let script = format!(
            "<!DOCTYPE html><html><head><meta charset=\"utf-8\"><meta id=\"{token:x}\" content=\"{token:x}{token:x}{token:x}\" \
             r='m'><script type=\"text/javascript\" r='m'>$_ts=window['$_ts'];if(!$_ts)$_ts={{}};$_ts.nsd={};\
             $_ts.cd=\"{token:016x}{token:016x}\";</script><script type=\"text/javascript\" charset=\"utf-8\" \
             src=\"/{token:x}/c.js\" r='m'></script></head><body></body></html>",
            token % 99_991
        );
        (format!("enable_{token:x}=true; path=/; HttpOnly"), script)
    };
    Page { status, headers: vec![("Set-Cookie".to_owned(), cookie)], text: script }
}

const NGINX: &str = "<!DOCTYPE html>\n<html>\n<head>\n<title>Welcome to nginx!</title>\n<style>\nhtml { color-scheme: \
light dark; }\nbody { width: 35em; margin: 0 auto;\nfont-family: Tahoma, Verdana, Arial, sans-serif; }\n</style>\n</head>\n\
<body>\n<h1>Welcome to nginx!</h1>\n<p>If you see this page, the nginx web server is successfully installed and\nworking. \
Further configuration is required.</p>\n\n<p>For online documentation and support please refer to\n\
<a href=\"http://nginx.org/\">nginx.org</a>.<br/>\nCommercial support is available at\n\
<a href=\"http://nginx.com/\">nginx.com</a>.</p>\n\n<p><em>Thank you for using nginx.</em></p>\n</body>\n</html>\n";

const FILING: &str = "<!DOCTYPE html><html><head><!--charset--><title>网站未备案</title></head><body><div class=\"tips\">\
<h1>很抱歉，该网站暂时无法访问</h1><p>该网站未根据工信部相关法规进行备案，或接入商未做接入备案，依据《非经营性互联网信息服务备案管理\
办法》，该网站暂时无法访问。</p><p>如您是网站所有者，请尽快完成备案（ICP备案），备案完成后即可恢复访问。</p></div></body></html>";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_depend_on_the_host_and_not_on_the_visitor_unless_noisy() {
        let school = |host| render(&PageName::School, host, None, 1).text;
        assert_eq!(school("www.a.example"), render(&PageName::School, "www.a.example", None, 2).text);
        assert_ne!(school("www.a.example"), school("www.b.example"));
        assert_ne!(render(&PageName::Noisy, "a", None, 1).text, render(&PageName::Noisy, "a", None, 2).text);
        assert_eq!(render(&PageName::Challenge(412), "a", None, 1).status, 412);
        let mut padded = school("www.a.example");
        pad(&mut padded, 70_000);
        assert!(padded.len() >= 70_000 && padded.ends_with("</body></html>"));
    }

    #[test]
    fn page_names_are_read() {
        assert_eq!("meta_refresh:/main.htm".parse(), Ok(PageName::MetaRefresh("/main.htm".to_owned())));
        for text in ["", "meta_refresh", "school:x", "unknown"] {
            assert!(text.parse::<PageName>().is_err(), "{text}");
        }
    }
}
