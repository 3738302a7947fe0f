//! Every signature knows its page, and no page of a school that is about the same thing.

use super::*;
use crate::probe::page::{Depth, Facts, read};

fn marks_of(status: u16, cookie: &str, html: &str) -> Vec<String> {
    let cookies = if cookie.is_empty() { Vec::new() } else { vec![cookie.to_owned()] };
    let facts = Facts { status, content_type: Some("text/html; charset=utf-8".to_owned()), cookies };
    let marks = |depth| read(html.as_bytes(), &facts, depth).page.map(|page| page.marks).unwrap_or_default();
    assert_eq!(marks(Depth::Light), marks(Depth::Full), "the depth of reading must not matter: {html}");
    marks(Depth::Light)
}

#[test]
fn the_table_reads() {
    let table: Table = toml::from_str(include_str!("signatures.toml")).unwrap();
    assert!(table.signature.len() >= 10);
    for signature in &table.signature {
        let (kind, _) = signature.id.split_once(':').unwrap();
        assert!(["default", "block", "parking", "challenge"].contains(&kind), "{}", signature.id);
    }
}

/// Status, cookie, page, and the mark it must bear.
const PAGES: [(u16, &str, &str, &str); 36] = [
    (200, "", "<title>Welcome to nginx!</title><h1>Welcome to nginx!</h1>", "default:nginx"),
    (200, "", "<title>Welcome to OpenResty!</title><p>OpenResty web platform</p>", "default:nginx"),
    (200, "", "<title>Welcome to tengine!</title>", "default:nginx"),
    (200, "", "<title>Test Page for the Nginx HTTP Server on Fedora</title>", "default:nginx"),
    (200, "", "<title>Apache2 Ubuntu Default Page: It works</title>", "default:apache"),
    (200, "", "<title>Apache HTTP Server Test Page powered by CentOS</title>", "default:apache"),
    (200, "", "<html><body><h1>It works!</h1></body></html>", "default:apache"),
    (200, "", "<title>IIS Windows Server</title><img src=iisstart.png>", "default:iis"),
    (200, "", "<title>IIS7</title><img src=welcome.png>", "default:iis"),
    (
        200,
        "",
        "<title>Apache Tomcat/9.0.65</title><h2>If you're seeing this, you've successfully installed Tomcat. Congratulations!",
        "default:tomcat",
    ),
    (200, "", "<title>没有找到站点</title><h1>您的请求在Web服务器中没有找到对应的站点！</h1>", "default:panel"),
    (404, "", "<title>抱歉</title><h1>您的请求在Web服务器中没有找到对应的站点！</h1>", "default:panel"),
    (200, "", "<title>恭喜，站点创建成功！</title><h3>这是默认index.html，本页面由系统自动生成</h3>", "default:panel"),
    (200, "", "<title>站点创建成功-phpstudy for windows</title>", "default:panel"),
    (200, "", "<title>LNMP一键安装包 by Licess</title>", "default:panel"),
    (403, "", "<title>TestPage184</title><iframe id=mainFrame></iframe>", "block:filing"),
    (
        403,
        "",
        "<script>document.getElementById('mainFrame').src='http://batit.aliyun.com/alww.html'</script><p>x</p>",
        "block:filing",
    ),
    (
        403,
        "",
        "<title>Non-compliance ICP Filing</title><a href=https://aliyun.com/beian/beian-block>x</a>",
        "block:filing",
    ),
    (
        200,
        "",
        "<script>location='https://dnspod.qcloud.com/static/webblock.html?d=a.example'</script><p>x</p>",
        "block:filing",
    ),
    (200, "", "<title>未备案提示</title>该网站未完成备案", "block:filing"),
    (200, "", "<title>提示</title><h1>您访问的域名未备案，暂时无法访问</h1>", "block:filing"),
    (200, "", "<title>温馨提示</title>依据《非经营性互联网信息服务备案管理办法》，该网站暂时无法访问", "block:filing"),
    (
        200,
        "",
        "<title>网站停用</title><h1>抱歉！该站点已经被管理员停止运行，请联系管理员了解详情！</h1>",
        "block:provider",
    ),
    (200, "", "<title>Account Suspended</title>This Account has been suspended.", "block:provider"),
    (200, "", "<title>a.example</title><h2>该域名正在出售</h2>", "parking:for-sale"),
    (
        200,
        "",
        "<title>a.example</title><script src=https://img.sedoparking.com/x.js></script>for sale",
        "parking:for-sale",
    ),
    (202, "", "<html><script>eval(x)</script></html>", "challenge:script-only"),
    (412, "FSSBBIl1UgzbN7N80S", "<p>x</p>", "challenge:cookie"),
    (521, "__jsluid_s", "<p>x</p>", "challenge:cookie"),
    (405, "acw_tc", "<p>x</p>", "challenge:cookie"),
    (
        405,
        "",
        "<title>405</title><p style='background:url(https://errors.aliyun.com/images/a.png)'>x</p>",
        "challenge:text",
    ),
    (403, "", "<p>Just a moment</p><script src=/cdn-cgi/challenge-platform/a.js></script>", "challenge:text"),
    (403, "", "<title>服务器安全狗防护验证页面</title>x", "challenge:text"),
    (405, "", "<a href='https://www.yunaq.com/misinformation_upload/?from=x'>误报反馈</a>", "challenge:text"),
    (468, "", "<p>请稍候</p><script>var u='/wzwsconfirm'</script>", "challenge:text"),
    (403, "", "<p class=yunsuologo>x</p>", "challenge:text"),
];

#[test]
fn every_signature_knows_its_page() {
    for (status, cookie, html, mark) in PAGES {
        assert_eq!(marks_of(status, cookie, html), [mark], "{html}");
    }
    let worn: Vec<&str> = PAGES.iter().map(|(.., mark)| *mark).collect();
    for signature in TABLE.iter() {
        assert!(worn.contains(&signature.id.as_str()), "no page bears {}", signature.id);
    }
}

/// Pages of schools with links as such pages have them, and with words of every signature.
#[test]
fn a_school_is_none_of_them() {
    let nav = "<a href=/>首页</a><a href=/xxgk/>学校概况</a><a href=/jyjx/>教育教学</a><a href=/zsjy/>招生就业</a>";
    let footer = "<p>版权所有 某市第一中学 <a href=https://beian.miit.gov.cn/>豫ICP备12345678号-1</a> 豫公网安备 41010002000001号</p>";
    let pages = [
        ("某市第一中学", "招生简章 通知公告"),
        ("nginx 入门：Welcome to nginx! 页面从何而来", "<h1>Welcome to nginx!</h1> 看到它说明安装成功。"),
        ("信息技术课件：Apache Tomcat/9 的安装", "启动后打开 8080 端口，可以看到小猫。"),
        ("IIS7 配置实验", "Internet Information Services"),
        ("关于清理未备案网站的通知", "各校：网站未备案的，一律关停；域名未备案的，不得解析。"),
        ("网站备案工作会议召开", "学习《非经营性互联网信息服务备案管理办法》。"),
        ("关于停用旧网站的公告", "旧站点已到期，请访问新网站。网站已暂停服务的栏目见附件。"),
        ("警惕“此域名可转让”骗局", "收到“This domain is for sale”邮件不要点击。"),
        ("宝塔面板使用问答", "提示“没有找到站点”怎么办？"),
        ("网络安全周：网站防火墙与安全狗", "正在进行安全检测 __jsl_clearance $_ts /cdn-cgi/challenge-platform"),
    ];
    for (title, text) in pages {
        for cookie in ["", "acw_tc", "__jsluid_h", "JSESSIONID"] {
            let html =
                format!("<html><head><title>{title}</title></head><body>{nav}<p>{text}</p>{footer}</body></html>");
            assert!(marks_of(200, cookie, &html).is_empty(), "{title}: {:?}", marks_of(200, cookie, &html));
        }
    }
    // An error page is no challenge without a mark of one.
    for status in [403, 404, 412, 503] {
        assert!(marks_of(status, "JSESSIONID", &format!("<h1>{status}</h1>{footer}")).is_empty());
    }
}
