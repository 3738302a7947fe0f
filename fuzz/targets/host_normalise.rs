//! A cell of a list names sites in one spelling only, which no URL parser reads in another way.
//!
//! Input: a byte (odd: reserved names are allowed, as in labs), then the cell.

#![no_main]

use std::collections::HashSet;

use libfuzzer_sys::fuzz_target;
use url::{Host, Url};
use v6ready::model::site::Site;
use v6ready::targets::normalise::cell;

fuzz_target!(|data: &[u8]| {
    let Some((how, text)) = data.split_first() else { return };
    let (allow_reserved, text) = (how & 1 == 1, String::from_utf8_lossy(text));
    let named = cell(&text, allow_reserved);
    assert!(named.len() <= 32, "{} names", named.len());
    let mut keys = HashSet::new();
    for site in named.iter().filter_map(|named| named.site.as_ref().ok()) {
        assert!(keys.insert(&site.key), "{} twice", site.key);
        is_a_name(&site.host);
        // A key normalises to itself.
        let again: Vec<_> = cell(site.key.as_str(), allow_reserved).into_iter().map(|named| named.site).collect();
        assert_eq!(again, [Ok(site.clone())], "{}", site.key);
        assert_eq!(site.key.host(), &*site.host);
        if allow_reserved {
            continue;
        }
        let last = site.host.rsplit('.').next();
        assert!(!matches!(last, Some("localhost" | "local" | "test" | "example" | "arpa" | "onion")), "{}", site.host);
        // What is fit for the field is fit for a lab.
        assert!(cell(&text, true).iter().any(|named| named.site.as_ref() == Ok(site)), "{} is no lab's", site.key);
    }
    for site in named.iter().filter_map(|named| named.site.as_ref().ok()) {
        leads_there(site);
    }
});

/// Letters, digits and hyphens in labels of at most 63, in all at most 253 (RFC 1035 §2.3.4).
fn is_a_name(host: &str) {
    assert!(host.len() <= 253 && host.contains('.'), "{host}");
    for label in host.split('.') {
        let plain = label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        assert!(plain && (1..=63).contains(&label.len()), "{host}");
        assert!(!label.starts_with('-') && !label.ends_with('-'), "{host}");
    }
}

/// The URLs that a site is entered by lead to that very name and port, and to no address.
fn leads_there(site: &Site) {
    let entries = site.entries();
    assert!(!entries.is_empty());
    for (scheme, port) in entries {
        let text = Site::entry_url(&site.host, scheme, port);
        let url = Url::parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(url.as_str(), text);
        assert_eq!(url.host(), Some(Host::Domain(&*site.host)), "{text}");
        assert_eq!((url.scheme(), url.port_or_known_default()), (scheme.name(), Some(port)), "{text}");
    }
    if let Some(unicode) = &site.unicode {
        assert!(!unicode.chars().any(char::is_control), "{unicode:?}");
        assert_eq!(Host::parse(unicode).ok(), Some(Host::Domain(site.host.to_string())), "{unicode}");
    }
}
