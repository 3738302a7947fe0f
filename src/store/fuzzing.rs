//! A door for the fuzz targets, under `cfg(fuzzing)` alone: stored bytes without a database around them.

use super::codec::{Decoder, Encoder, ROUND_BYTES};
use super::evidence;
use crate::model::evidence::Round;
use crate::model::run::RunId;
use crate::model::site::Site;

/// A round as it is stored: compressed bytes and their hash. None: it cannot be written as JSON.
pub fn pack(run: &RunId, site: &Site, round: &Round) -> Option<(Vec<u8>, [u8; 32])> {
    let packed = evidence::pack(&mut Encoder::new(), run, site, round).ok()?.packed;
    Some((packed.body, packed.sha256))
}

/// The JSON in stored bytes of at most `limit` bytes, or why there is none. `place` is run, site and round.
pub fn unpack(place: &[&str], body: &[u8], sha256: &[u8], limit: u64) -> Result<Vec<u8>, String> {
    Decoder::new().unpack(place, body, sha256, limit)
}

/// What [`unpack`] allows a round.
pub const LIMIT: u64 = ROUND_BYTES;

/// The round in a record's JSON, or why there is none.
pub fn record(json: &[u8]) -> Result<(Site, Round), String> {
    evidence::record(json).map_err(|why| format!("{why:?}"))
}

/// The hash of JSON at its place.
pub fn digest(place: &[&str], json: &[u8]) -> [u8; 32] {
    super::codec::digest(place, json)
}
