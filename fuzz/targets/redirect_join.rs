//! A reference on a page never leads a walk to anything but a web page on an allowed port, whatever it is made of; and
//! what leads there is followed as the URL standard has it.
//!
//! Input: a byte that chooses the page it stands on, a byte that is the listed port's low byte, then the reference.

#![no_main]

use libfuzzer_sys::fuzz_target;
use url::Url;
use v6ready::net::http::{Get, HttpLimits};
use v6ready::probe::fuzzing::follow;
use v6ready_fuzz::ask;

const PAGES: [&str; 6] = [
    "http://www.a.example/",
    "https://www.a.example:8443/news/list.htm?page=2",
    "http://a.example:9000/x/y/",
    "https://xn--48s290a.xn--fiqs8s/%E4%B8%AD/",
    "http://[2001:db8::1]/a",
    "https://192.0.2.1/a/../b",
];
const LONGEST: usize = 2000;

fuzz_target!(|data: &[u8]| {
    let [page, port, reference @ ..] = data else { return };
    let base = Url::parse(PAGES[usize::from(*page) % PAGES.len()]).expect("a URL");
    let listed = 9000 + u16::from(*port);
    let reference = String::from_utf8_lossy(reference);
    let expected = expected(&base, &reference, listed);
    let followed = follow(&base, &reference, LONGEST, listed);
    assert_eq!(followed.as_ref().ok().map(|(url, _)| url.as_str()), expected.as_deref(), "{reference:?}: {followed:?}");
    let Ok((url, authority)) = followed else { return };
    assert_eq!(Url::parse(url.as_str()).as_ref(), Ok(&url), "reads otherwise the second time");
    assert!(url.as_str().bytes().all(|b| b.is_ascii_graphic()), "{url}");
    assert_eq!((url.username(), url.password(), url.fragment()), ("", None, None));
    is_asked_for_as_it_stands(&url, &authority);
});

/// What the URL standard makes of a reference, with the rules of docs/method/exchange.md applied to the text. None: it is not
/// followed.
fn expected(base: &Url, reference: &str, listed: u16) -> Option<String> {
    let url = base.join(reference.trim()).ok().filter(|url| url.as_str().len() <= LONGEST && reference.len() <= LONGEST)?;
    let (scheme, rest) = url.as_str().split_once("://")?;
    let default = match scheme {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    let rest = rest.split('#').next()?;
    let (authority, path) = rest.split_at(rest.find('/')?);
    let host = authority.rsplit('@').next()?;
    let port = match host.rsplit_once(':') {
        Some((_, port)) if !port.ends_with(']') => port.parse().ok()?,
        _ => default,
    };
    ([80, 443, 8080, 8443, listed].contains(&port)).then(|| format!("{scheme}://{host}{path}"))
}

/// One request comes of it, for this very path at this very host.
fn is_asked_for_as_it_stands(url: &Url, authority: &str) {
    let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let request = Get { authority, target, user_agent: "fuzz", cookie: None };
    // The server hangs up without an answer.
    let (outcome, sent) = ask(&request, b"", &[], &HttpLimits::default());
    assert!(outcome.is_err());
    let sent = String::from_utf8(sent).expect("ASCII");
    let mut lines = sent.split("\r\n");
    assert_eq!(lines.next(), Some(format!("GET {target} HTTP/1.1").as_str()), "{outcome:?}");
    assert_eq!(lines.next(), Some(format!("host: {authority}").as_str()));
    let count = |name: &str| sent.matches(name).count();
    assert!(sent.ends_with("\r\n\r\n") && count("\r\n\r\n") == 1 && count("\r\nhost:") == 1, "{sent:?}");
    // The authority is the URL's own, with nothing before the name.
    assert_eq!(format!("{}://{authority}{target}", url.scheme()), url.as_str());
}
