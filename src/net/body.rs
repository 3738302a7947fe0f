//! Content decoding within bounds: gzip and deflate, one layer, counted as it grows.

use std::cell::Cell;
use std::io::{self, BufRead, Read};

use flate2::bufread::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use super::http::HttpLimits;
use crate::model::failure::{Failure, Limit};

/// The compression ratio is looked at once so many bytes are decoded.
const RATIO_FROM: usize = 64 * 1024;

/// Decodes a body. On a failure, what was decoded before it is kept.
pub fn decode(coding: Option<&str>, wire: Vec<u8>, limits: &HttpLimits) -> (Vec<u8>, Option<Failure>) {
    let coding = coding.map(|coding| coding.trim().to_ascii_lowercase());
    let taken = Cell::new(0);
    let counted = || Counted { rest: &wire, taken: &taken };
    match coding.as_deref() {
        None | Some("" | "identity") => (wire, None),
        Some("gzip" | "x-gzip") => bounded(MultiGzDecoder::new(counted()), &taken, limits),
        // RFC 9110 says zlib format; some servers send the bare stream.
        Some("deflate") if wire.first().is_some_and(|first| first & 0x0f == 8) => {
            bounded(ZlibDecoder::new(counted()), &taken, limits)
        }
        Some("deflate") => bounded(DeflateDecoder::new(counted()), &taken, limits),
        // Something we did not ask for: kept as it came.
        Some(_) => (wire, Some(Failure::HttpMalformed)),
    }
}

/// Bytes that are counted as the decoder takes them.
struct Counted<'a> {
    rest: &'a [u8],
    taken: &'a Cell<usize>,
}

impl Read for Counted<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.rest.read(into)?;
        self.taken.set(self.taken.get() + read);
        Ok(read)
    }
}

impl BufRead for Counted<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        Ok(self.rest)
    }

    fn consume(&mut self, amount: usize) {
        self.rest.consume(amount);
        self.taken.set(self.taken.get() + amount);
    }
}

fn bounded(mut stream: impl Read, taken: &Cell<usize>, limits: &HttpLimits) -> (Vec<u8>, Option<Failure>) {
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
        if decoded.len() > RATIO_FROM && decoded.len() / limits.ratio.max(1) > taken.get() {
            return (decoded, Some(Failure::Limit(Limit::Ratio)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

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

    fn deflate(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_bomb_is_stopped_early() {
        const SIZE: usize = 20_000_000;
        for filling in ["\0", " ", "A", "<b>", "&nbsp;\n"] {
            let plain = filling.repeat(SIZE / filling.len()).into_bytes();
            for (coding, packed) in [("gzip", gzip(&plain)), ("deflate", zlib(&plain)), ("deflate", deflate(&plain))] {
                let (body, failure) = decode(Some(coding), packed, &HttpLimits::default());
                assert_eq!(failure, Some(Failure::Limit(Limit::Ratio)), "{coding} {filling:?}");
                assert!(body.len() < 4 * 64 * 1024, "{coding} {filling:?}: {}", body.len());
            }
        }
    }

    #[test]
    fn a_body_that_packs_less_well_is_stopped_at_its_size() {
        let text: Vec<u8> = (0..2_000_000_u32).flat_map(|number| format!("<p>{number}</p>").into_bytes()).collect();
        let (body, failure) = decode(Some("gzip"), gzip(&text), &HttpLimits::default());
        assert_eq!((body.len(), failure), (4 * 1024 * 1024, Some(Failure::Limit(Limit::Body))));
    }

    #[test]
    fn more_than_one_layer_is_left_alone() {
        for coding in ["gzip, gzip", "gzip,deflate", "br", "zstd"] {
            let packed = gzip(&gzip(b"<p>hello"));
            let (body, failure) = decode(Some(coding), packed.clone(), &HttpLimits::default());
            assert_eq!((body, failure), (packed, Some(Failure::HttpMalformed)), "{coding}");
        }
    }

    #[test]
    fn half_a_stream_keeps_its_beginning() {
        let whole = gzip(&(0..50_000_u32).flat_map(u32::to_be_bytes).collect::<Vec<_>>());
        let (body, failure) = decode(Some("gzip"), whole[..whole.len() / 2].to_vec(), &HttpLimits::default());
        assert!(!body.is_empty());
        assert_eq!(failure, Some(Failure::EarlyEof));
    }
}
