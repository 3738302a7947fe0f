//! Where a hop leads: a reference on a page → the URL that is requested next, or why none is; and what the server is told of
//! it. Pure.
//!
//! Leaves to others: whether the name has addresses of the walk's family and whether those may be dialled (`walk`).
//!
//! Sources: RFC 9110 §10.2.2 (Location), the WHATWG URL standard through `url`; docs/method/exchange.md.

use url::Url;

use crate::model::failure::Failure;

/// Ports that a page may lead to, besides the listed one (docs/method/exchange.md).
const USUAL_PORTS: [u16; 4] = [80, 443, 8080, 8443];

/// Why a reference is not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It leads to something that may not be requested.
    Target,
    /// It, or the URL it makes, is longer than allowed.
    TooLong,
    /// It leads to a port that is not gone to.
    Port(u16),
}

/// The absolute target of a reference found at `base`: of at most `longest` bytes, without fragment and credentials, on one of
/// the usual ports or the listed one.
pub(super) fn join(base: &Url, reference: &str, longest: usize, listed_port: u16) -> Result<Url, Refused> {
    // Text that is cut to the same length before it comes here is not parsed at all.
    if reference.len() > longest {
        return Err(Refused::TooLong);
    }
    let mut url = base.join(reference.trim()).map_err(|_| Refused::Target)?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Refused::Target);
    }
    if url.as_str().len() > longest {
        return Err(Refused::TooLong);
    }
    url.set_fragment(None);
    // Credentials in a URL are never sent on.
    let cleared = url.set_username("").and_then(|()| url.set_password(None));
    let (Ok(()), Some(port)) = (cleared, url.port_or_known_default()) else {
        return Err(Refused::Target);
    };
    if may_go_to(port, Some(listed_port)) { Ok(url) } else { Err(Refused::Port(port)) }
}

/// A page may send the scanner to this port, be it by a redirect, a link or a resource: one where web sites usually are, or
/// the one that the list itself names. Otherwise a page could have it knock at any door of anybody.
pub(super) fn may_go_to(port: u16, listed: Option<u16>) -> bool {
    USUAL_PORTS.contains(&port) || Some(port) == listed
}

/// The name for the TLS greeting, and what stands in the Host header: the name, with the port where it is not the scheme's
/// default. An IPv6 literal stands in brackets in the latter only.
pub(super) fn authority(url: &Url) -> Result<(String, String), Failure> {
    let host = url.host_str().ok_or(Failure::HttpMalformed)?;
    let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    Ok((host.trim_matches(['[', ']']).to_owned(), authority))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_and_where_they_lead() {
        let base = Url::parse("http://www.a.example/news/?page=2").unwrap();
        let long = "x".repeat(101);
        for (reference, target) in [
            ("/a", Ok("http://www.a.example/a")),
            ("b#part", Ok("http://www.a.example/news/b")),
            ("", Ok("http://www.a.example/news/?page=2")),
            (" //b.example/\u{3000}", Ok("http://b.example/")),
            ("https://user:secret@b.example:8443/", Ok("https://b.example:8443/")),
            ("https://b.example:9000/", Ok("https://b.example:9000/")),
            ("https://b.example:9001/", Err(Refused::Port(9001))),
            ("ftp://b.example/", Err(Refused::Target)),
            ("javascript:void(0)", Err(Refused::Target)),
            ("http://", Err(Refused::Target)),
            (&long, Err(Refused::TooLong)),
            // Short as it stands, long once its characters are escaped.
            ("中中中中中中中中中中", Err(Refused::TooLong)),
        ] {
            let joined = join(&base, reference, 100, 9000);
            assert_eq!(joined.as_ref().map(Url::as_str).map_err(|refused| *refused), target, "{reference}");
        }
    }

    #[test]
    fn ports_that_are_gone_to() {
        for (port, listed, may) in [
            (80, None, true),
            (443, None, true),
            (8080, None, true),
            (8443, Some(9000), true),
            (9000, Some(9000), true),
            (9000, None, false),
            (22, Some(9000), false),
        ] {
            assert_eq!(may_go_to(port, listed), may, "{port} {listed:?}");
        }
    }

    #[test]
    fn what_servers_are_told() {
        for (url, name, authority_of) in [
            ("http://a.example/", "a.example", "a.example"),
            ("https://a.example:443/", "a.example", "a.example"),
            ("https://a.example:8443/", "a.example", "a.example:8443"),
            ("http://[2001:db8::1]:8080/", "2001:db8::1", "[2001:db8::1]:8080"),
        ] {
            let told = authority(&Url::parse(url).unwrap()).unwrap();
            assert_eq!(told, (name.to_owned(), authority_of.to_owned()), "{url}");
        }
    }
}
