//! The evidence of all sites as lines ([`super::trail()`]), packed.
//!
//! Of 20,000 sites they are 70 MiB of text, of which a page at a time is wanted. So they are kept packed one by one. The lines of
//! one site are much like those of any other: the first ones that come are the dictionary for all. Leaves to others: what the
//! lines say.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use zstd::bulk::{Compressor, Decompressor};

use crate::model::site::SiteKey;

/// Of zstd. Higher ones save little and take several times as long.
const LEVEL: i32 = 3;
/// Bytes of text that make up the dictionary: some twenty sites.
const DICTIONARY: usize = 64 << 10;

/// The lines of every site for which there are any.
#[derive(Clone, Default)]
pub struct Trails {
    sites: BTreeMap<SiteKey, Packed>,
    dictionary: Vec<u8>,
    /// Made when it is first needed: that takes longer than to unpack a site. None: there is no memory for it.
    unpacker: Arc<OnceLock<Option<Mutex<Decompressor<'static>>>>>,
}

/// Lines, each ended by a line feed; a line of a trail holds none.
#[derive(Clone)]
struct Packed {
    bytes: Box<[u8]>,
    /// Bytes of the text.
    length: usize,
}

impl Trails {
    /// Bytes of a site's lines with a line feed after each. 0: there are none.
    pub fn bytes(&self, site: &SiteKey) -> usize {
        self.sites.get(site).map_or(0, |packed| packed.length)
    }

    /// The lines of a site. None: there are none.
    pub fn get(&self, site: &SiteKey) -> Option<Vec<String>> {
        let packed = self.sites.get(site)?;
        let make = || Decompressor::with_dictionary(&self.dictionary).ok().map(Mutex::new);
        let mut unpacker = self.unpacker.get_or_init(make).as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        // What was packed here can be unpacked.
        let text = unpacker.decompress(&packed.bytes, packed.length).ok()?;
        Some(String::from_utf8_lossy(&text).lines().map(str::to_owned).collect())
    }
}

impl FromIterator<(SiteKey, Vec<String>)> for Trails {
    fn from_iter<I: IntoIterator<Item = (SiteKey, Vec<String>)>>(sites: I) -> Self {
        let mut packer = Packer::default();
        for (site, lines) in sites {
            packer.add(site, &lines);
        }
        packer.finish()
    }
}

impl fmt::Debug for Trails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trails").field("sites", &self.sites.len()).finish_non_exhaustive()
    }
}

/// Packs trails as they come.
#[derive(Default)]
pub struct Packer {
    /// Sites that came before there was a dictionary, and their lines.
    first: Vec<(SiteKey, String)>,
    dictionary: Vec<u8>,
    /// None: there is no dictionary yet, or no memory for a compressor.
    compressor: Option<Compressor<'static>>,
    sites: Vec<(SiteKey, Packed)>,
}

impl Packer {
    /// Adds the lines of a site.
    pub fn add(&mut self, site: SiteKey, lines: &[String]) {
        let text = lines.iter().fold(String::new(), |text, line| text + line + "\n");
        if self.compressor.is_some() {
            self.pack(site, &text);
            return;
        }
        self.dictionary.extend_from_slice(text.as_bytes());
        self.first.push((site, text));
        if self.dictionary.len() >= DICTIONARY {
            self.pack_first();
        }
    }

    /// Ends the dictionary.
    fn pack_first(&mut self) {
        self.dictionary.truncate(DICTIONARY);
        self.compressor = Compressor::with_dictionary(LEVEL, &self.dictionary).ok();
        for (site, text) in std::mem::take(&mut self.first) {
            self.pack(site, &text);
        }
    }

    fn pack(&mut self, site: SiteKey, text: &str) {
        // It fails for want of memory only; a page without a trail is better than none.
        let packed = self.compressor.as_mut().and_then(|compressor| compressor.compress(text.as_bytes()).ok());
        let packed = packed.map(|bytes| Packed { bytes: bytes.into(), length: text.len() });
        self.sites.extend(packed.map(|packed| (site, packed)));
    }

    /// All of them.
    pub fn finish(mut self) -> Trails {
        if self.compressor.is_none() {
            self.pack_first();
        }
        // From a whole list, a map is built without room to spare.
        Trails { sites: self.sites.into_iter().collect(), dictionary: self.dictionary, unpacker: Arc::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_back() {
        let lines = |n: usize| (0..n).map(|line| format!("  第 {line} 行 → {n}")).collect::<Vec<_>>();
        let key = |n: usize| SiteKey::from(format!("www.s{n}.example"));
        // Fewer than make a dictionary, and many more.
        for all in [50, 400] {
            let trails: Trails = (0..all).map(|n| (key(n), lines(n))).collect();
            assert_eq!((0..all).find(|n| trails.get(&key(*n)) != Some(lines(*n))), None);
            assert_eq!(trails.get(&key(all)), None);
            let bytes = lines(7).iter().map(|line| line.len() + 1).sum::<usize>();
            assert_eq!((trails.bytes(&key(7)), trails.bytes(&key(all))), (bytes, 0));
            assert!(trails.sites[&key(all - 1)].bytes.len() < trails.sites[&key(all - 1)].length / 10);
        }
    }
}
