//! A body is decoded within its bounds; what comes out does not depend on what comes behind it, and packing is undone.
//!
//! Input: a byte for the coding, a byte for the bounds, then the body.

#![no_main]

use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use libfuzzer_sys::fuzz_target;
use v6ready::model::failure::{Failure, Limit};
use v6ready::net::body::decode;
use v6ready::net::http::HttpLimits;

const CODINGS: [Option<&str>; 8] =
    [None, Some("gzip"), Some("deflate"), Some(" X-Gzip "), Some("identity"), Some("br"), Some("gzip,gzip"), Some("")];
/// As in the program: the ratio is not looked at before.
const RATIO_FROM: usize = 64 * 1024;
/// The decoder works in steps of so many bytes.
const STEP: usize = 16 * 1024;

fuzz_target!(|data: &[u8]| {
    let [coding, bounds, wire @ ..] = data else { return };
    let coding = CODINGS[usize::from(*coding) % CODINGS.len()];
    let limits = HttpLimits {
        body_decoded: if bounds & 1 == 1 { 1000 } else { 256 * 1024 },
        ratio: if bounds & 2 == 2 { 4 } else { 200 },
        ..HttpLimits::default()
    };
    let (decoded, failure) = decode(coding, wire.to_vec(), &limits);
    match coding.map(str::trim) {
        None | Some("" | "identity") => {
            assert_eq!((decoded.as_slice(), failure), (wire, None));
            return;
        }
        Some("br" | "gzip,gzip") => {
            assert_eq!((decoded.as_slice(), failure), (wire, Some(Failure::HttpMalformed)));
            return;
        }
        _ => {}
    }
    assert!(decoded.len() <= limits.body_decoded, "{} bytes", decoded.len());
    let allowed = RATIO_FROM.max(limits.ratio * (wire.len() + 1)) + STEP;
    assert!(decoded.len() <= allowed, "{} bytes of {}", decoded.len(), wire.len());
    match failure {
        None | Some(Failure::EarlyEof) => {}
        Some(Failure::Limit(Limit::Body)) => assert_eq!(decoded.len(), limits.body_decoded),
        Some(Failure::Limit(Limit::Ratio)) => assert!(decoded.len() > RATIO_FROM),
        other => panic!("{other:?}"),
    }
    // Half of it gives the beginning.
    let half = &wire[..wire.len() / 2];
    if half.first().is_some() {
        let (beginning, _) = decode(coding, half.to_vec(), &limits);
        let common = beginning.len().min(decoded.len());
        assert_eq!(beginning[..common], decoded[..common], "a body cut short begins in another way");
    }
    comes_back(wire, &limits);
});

/// What was packed comes back, or as much of it as is allowed.
fn comes_back(plain: &[u8], limits: &HttpLimits) {
    let level = Compression::fast();
    let (mut gzip, mut zlib) = (GzEncoder::new(Vec::new(), level), ZlibEncoder::new(Vec::new(), level));
    let mut bare = DeflateEncoder::new(Vec::new(), level);
    for write in [&mut gzip as &mut dyn Write, &mut zlib, &mut bare] {
        write.write_all(plain).expect("memory");
    }
    let packed = [
        ("gzip", gzip.finish().expect("memory")),
        ("deflate", zlib.finish().expect("memory")),
        ("deflate", bare.finish().expect("memory")),
    ];
    for (coding, wire) in packed {
        if coding == "deflate" && wire.first().is_some_and(|first| first & 0x0f == 8) && wire[0] != 0x78 {
            // A bare stream that begins like zlib's header cannot be told from it.
            continue;
        }
        let (decoded, failure) = decode(Some(coding), wire, limits);
        match failure {
            None => assert_eq!(decoded, plain, "{coding}"),
            Some(Failure::Limit(_)) => assert!(plain.starts_with(&decoded), "{coding}"),
            other => panic!("{coding}: {other:?}"),
        }
        assert_eq!(decoded.len() < plain.len(), plain.len() > limits.body_decoded, "{coding}");
    }
}
