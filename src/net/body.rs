//! Content decoding within bounds: gzip and deflate, one layer, counted as it grows.

use std::io::Read;

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use super::http::HttpLimits;
use crate::model::failure::{Failure, Limit};

/// The compression ratio is looked at once so many bytes are decoded.
const RATIO_FROM: usize = 64 * 1024;

/// Decodes a body. On a failure, what was decoded before it is kept.
pub fn decode(coding: Option<&str>, wire: Vec<u8>, limits: &HttpLimits) -> (Vec<u8>, Option<Failure>) {
    let coding = coding.map(|coding| coding.trim().to_ascii_lowercase());
    match coding.as_deref() {
        None | Some("" | "identity") => (wire, None),
        Some("gzip" | "x-gzip") => bounded(MultiGzDecoder::new(wire.as_slice()), wire.len(), limits),
        // RFC 9110 says zlib format; some servers send the bare stream.
        Some("deflate") if wire.first().is_some_and(|first| first & 0x0f == 8) => {
            bounded(ZlibDecoder::new(wire.as_slice()), wire.len(), limits)
        }
        Some("deflate") => bounded(DeflateDecoder::new(wire.as_slice()), wire.len(), limits),
        // Something we did not ask for: kept as it came.
        Some(_) => (wire, Some(Failure::HttpMalformed)),
    }
}

fn bounded(mut stream: impl Read, wire: usize, limits: &HttpLimits) -> (Vec<u8>, Option<Failure>) {
    let mut decoded = Vec::new();
    let mut chunk = [0; 16 * 1024];
    loop {
        match stream.read(&mut chunk) {
            Ok(0) => return (decoded, None),
            Ok(n) => decoded.extend_from_slice(&chunk[..n]),
            Err(_) => return (decoded, Some(Failure::EarlyEof)),
        }
        if decoded.len() > limits.body_decoded {
            decoded.truncate(limits.body_decoded);
            return (decoded, Some(Failure::Limit(Limit::Body)));
        }
        if decoded.len() > RATIO_FROM && decoded.len() / limits.ratio.max(1) > wire {
            return (decoded, Some(Failure::Limit(Limit::Ratio)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn gzip_is_decoded() {
        let (body, failure) = decode(Some("GZIP"), gzip(b"<p>hello"), &HttpLimits::default());
        assert_eq!((body.as_slice(), failure), (b"<p>hello".as_slice(), None));
    }

    #[test]
    fn a_bomb_is_stopped_early() {
        let (body, failure) = decode(Some("gzip"), gzip(&vec![0; 50_000_000]), &HttpLimits::default());
        assert!(body.len() <= 4 * 1024 * 1024, "{}", body.len());
        assert!(matches!(failure, Some(Failure::Limit(Limit::Ratio | Limit::Body))));
    }

    #[test]
    fn half_a_stream_keeps_its_beginning() {
        let whole = gzip(&(0..50_000_u32).flat_map(u32::to_be_bytes).collect::<Vec<_>>());
        let (body, failure) = decode(Some("gzip"), whole[..whole.len() / 2].to_vec(), &HttpLimits::default());
        assert!(!body.is_empty());
        assert_eq!(failure, Some(Failure::EarlyEof));
    }
}
