//! Records as bytes: JSON, a SHA-256 over the JSON and where it belongs, zlib. Leaves to others: where the bytes are kept.
//!
//! The hash is bound to the record's place (`run`, site, round), so that a page of the database that was put back from an
//! old copy or swapped with another is noticed like a flipped bit. It is taken before compression, so that it can be
//! checked by hand and outlives a change of compressor.

use std::fmt::Write as _;
use std::io::{self, BufReader, BufWriter, Read, Write};

use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use sha2::{Digest, Sha256};

/// Uncompressed size of one round of evidence beyond which it is refused: far above what the limits of a probe allow.
pub(super) const ROUND_BYTES: u64 = 16 << 20;
/// Uncompressed size of a roster beyond which it is refused: about a million schools.
pub(super) const ROSTER_BYTES: u64 = 1 << 30;

/// A record ready to be stored.
#[derive(Clone, Debug)]
pub(super) struct Packed {
    /// zlib over JSON.
    pub(super) body: Vec<u8>,
    /// Over place and JSON.
    pub(super) sha256: [u8; 32],
}

/// Turns records into bytes. Keeps the compressor's tables between records: to clear them costs less than to allocate.
pub(super) struct Encoder {
    compress: Compress,
    json: Vec<u8>,
}

impl Encoder {
    /// Level 1: evidence is stored once and read seldom, and higher levels save a tenth for twice the time.
    pub(super) fn new() -> Self {
        Self { compress: Compress::new(Compression::fast(), true), json: Vec::new() }
    }

    /// Packs one record that belongs to `place`.
    pub(super) fn pack<T: Serialize>(&mut self, place: &[&str], record: &T) -> Result<Packed, serde_json::Error> {
        self.json.clear();
        serde_json::to_writer(&mut self.json, record)?;
        self.pack_own(place).map_err(serde_json::Error::io)
    }

    /// Packs a record that is JSON already, byte for byte.
    pub(super) fn pack_json(&mut self, place: &[&str], json: &[u8]) -> std::io::Result<Packed> {
        self.json.clear();
        self.json.extend_from_slice(json);
        self.pack_own(place)
    }

    fn pack_own(&mut self, place: &[&str]) -> std::io::Result<Packed> {
        let sha256 = digest(place, &self.json);
        Ok(Packed { body: self.deflate()?, sha256 })
    }

    fn deflate(&mut self) -> std::io::Result<Vec<u8>> {
        self.compress.reset();
        let mut body = Vec::with_capacity(self.json.len() / 3 + 128);
        loop {
            // Every round compresses into a fresh buffer, so the compressor's count is the place to go on from.
            let read = usize::try_from(self.compress.total_in()).map_err(std::io::Error::other)?;
            let status = self.compress.compress_vec(&self.json[read..], &mut body, FlushCompress::Finish)?;
            if status == Status::StreamEnd {
                return Ok(body);
            }
            body.reserve(body.capacity().max(1024));
        }
    }
}

/// Packs a record that may be too large to be held as JSON: of a hundred thousand schools it is 60 MB.
pub(super) fn pack_large<T: Serialize>(place: &[&str], record: &T) -> Result<Packed, serde_json::Error> {
    let tee = Tee { hasher: hasher(place), out: ZlibEncoder::new(Vec::new(), Compression::fast()) };
    let mut out = BufWriter::with_capacity(1 << 16, tee);
    serde_json::to_writer(&mut out, record)?;
    let tee = out.into_inner().map_err(|error| serde_json::Error::io(error.into_error()))?;
    let body = tee.out.finish().map_err(serde_json::Error::io)?;
    Ok(Packed { body, sha256: tee.hasher.finalize().into() })
}

/// Takes the hash of what it compresses.
struct Tee {
    hasher: Sha256,
    out: ZlibEncoder<Vec<u8>>,
}

impl Write for Tee {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// The record that [`pack_large`] made, once its hash is found to be right. It is unpacked twice, and never held as JSON.
pub(super) fn read_large<T: DeserializeOwned>(
    place: &[&str],
    body: &[u8],
    sha256: &[u8],
    limit: u64,
) -> Result<T, Fault> {
    let corrupt = |error: io::Error| format!("corrupt deflate stream: {error}");
    let mut json = ZlibDecoder::new(body).take(limit + 1);
    let mut hasher = hasher(place);
    let read = io::copy(&mut json, &mut hasher).map_err(corrupt)?;
    if read > limit {
        return Err(format!("larger than {limit} bytes"));
    }
    if hasher.finalize()[..] != *sha256 {
        return Err("the hash does not match".to_owned());
    }
    let json = BufReader::with_capacity(1 << 16, ZlibDecoder::new(body));
    serde_json::from_reader(json).map_err(|error| json_fault(&error))
}

/// What is wrong with stored bytes, in words.
pub(super) type Fault = String;

/// Turns bytes into records again. Keeps the decompressor's window between records, as [`Encoder`] keeps its tables.
pub(super) struct Decoder {
    inflate: Decompress,
}

impl Decoder {
    pub(super) fn new() -> Self {
        Self { inflate: Decompress::new(true) }
    }

    /// The JSON of a stored record, once its hash is found to be right.
    pub(super) fn unpack(&mut self, place: &[&str], body: &[u8], sha256: &[u8], limit: u64) -> Result<Vec<u8>, Fault> {
        let json = self.inflate(body, limit)?;
        if digest(place, &json)[..] != *sha256 {
            return Err("the hash does not match".to_owned());
        }
        Ok(json)
    }

    fn inflate(&mut self, body: &[u8], limit: u64) -> Result<Vec<u8>, Fault> {
        self.inflate.reset(true);
        let mut json = Vec::with_capacity(body.len().saturating_mul(4).clamp(64, 1 << 20));
        loop {
            let before = (self.inflate.total_in(), self.inflate.total_out());
            let read = usize::try_from(before.0).map_err(|error| error.to_string())?;
            let rest = body.get(read..).unwrap_or_default();
            let status = self
                .inflate
                .decompress_vec(rest, &mut json, FlushDecompress::None)
                .map_err(|error| format!("corrupt deflate stream: {error}"))?;
            if json.len() as u64 > limit {
                return Err(format!("larger than {limit} bytes"));
            }
            if status == Status::StreamEnd {
                return Ok(json);
            }
            if json.len() == json.capacity() {
                json.reserve(json.capacity());
            } else if before == (self.inflate.total_in(), self.inflate.total_out()) {
                return Err("corrupt deflate stream: it ends too early".to_owned());
            }
        }
    }
}

/// SHA-256 over the parts of a place, each followed by a line feed, and the bytes.
pub(super) fn digest(place: &[&str], bytes: &[u8]) -> [u8; 32] {
    let mut hasher = hasher(place);
    hasher.update(bytes);
    hasher.finalize().into()
}

/// The hash of a place, to which bytes are added.
fn hasher(place: &[&str]) -> Sha256 {
    let mut hasher = Sha256::new();
    for part in place {
        hasher.update(part.as_bytes());
        hasher.update(b"\n");
    }
    hasher
}

/// Bytes in hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A JSON error in words, without the record's content.
pub(super) fn json_fault(error: &serde_json::Error) -> Fault {
    match error.classify() {
        Category::Data => format!("unexpected content: {error}"),
        Category::Io | Category::Syntax | Category::Eof => format!("not JSON: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packs_and_unpacks_records_of_any_size() {
        let (mut encoder, mut decoder) = (Encoder::new(), Decoder::new());
        for size in [0, 1, 100, 10_000, 300_000] {
            // Badly compressible text, so that the output buffer has to grow.
            let bytes: Vec<u8> = (0..size).map(|i: u64| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect();
            let text = hex(&bytes);
            let packed = encoder.pack(&["run", "site"], &text).unwrap();
            let json = decoder.unpack(&["run", "site"], &packed.body, &packed.sha256, ROUND_BYTES).unwrap();
            assert_eq!(serde_json::from_slice::<String>(&json).unwrap(), text);
        }
    }

    #[test]
    fn large_records_come_back_and_nothing_else_does() {
        let text: Vec<String> = (0..20_000_u32).map(|i| format!("{:x}", i.wrapping_mul(0x9e37_79b9))).collect();
        let packed = pack_large(&["lists"], &text).unwrap();
        let read = |place: &[&str], body: &[u8], limit| read_large::<Vec<String>>(place, body, &packed.sha256, limit);
        assert_eq!(read(&["lists"], &packed.body, 1 << 20).unwrap(), text);
        // The same in one piece.
        assert_eq!(packed.sha256, Encoder::new().pack(&["lists"], &text).unwrap().sha256);
        assert!(read(&["others"], &packed.body, 1 << 20).unwrap_err().contains("hash"));
        assert!(read(&["lists"], &packed.body, 1000).unwrap_err().contains("larger"));
        for length in [0, 1, 2, 1000, packed.body.len() - 5] {
            assert!(read(&["lists"], &packed.body[..length], 1 << 20).is_err(), "cut at {length}");
        }
        for i in (0..packed.body.len()).step_by(997) {
            let mut body = packed.body.clone();
            body[i] ^= 1;
            assert!(read(&["lists"], &body, 1 << 20).is_err(), "byte {i}");
        }
    }

    #[test]
    fn refuses_another_place_a_changed_byte_and_a_bomb() {
        let packed = Encoder::new().pack(&["run", "a", "1"], &"x".repeat(5000)).unwrap();
        let mut decoder = Decoder::new();
        let mut unpack = |place: &[&str], body: &[u8], limit: u64| decoder.unpack(place, body, &packed.sha256, limit);
        assert!(unpack(&["run", "b", "1"], &packed.body, 10_000).is_err());
        assert!(unpack(&["run", "a", "1"], &packed.body, 4000).unwrap_err().contains("larger"));
        for length in 0..packed.body.len() {
            assert!(unpack(&["run", "a", "1"], &packed.body[..length], 10_000).is_err(), "cut at {length}");
        }
        for i in 0..packed.body.len() {
            let mut body = packed.body.clone();
            body[i] ^= 1;
            let read = unpack(&["run", "a", "1"], &body, 10_000);
            assert!(read.is_err() || read.unwrap() == format!("\"{}\"", "x".repeat(5000)).into_bytes(), "byte {i}");
        }
    }
}
