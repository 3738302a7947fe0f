//! The evidence of all sites as lines ([`super::trail()`]), packed.
//!
//! Of 20,000 sites they are 70 MiB of text, of which a page at a time is wanted. So they are kept packed one by one, at a fifth
//! of that. Leaves to others: what the lines say.

use std::collections::BTreeMap;
use std::fmt;

use zstd::bulk::{Compressor, Decompressor};

use crate::model::site::SiteKey;

/// Of zstd: the fastest.
const LEVEL: i32 = 1;

/// The lines of every site for which there are any.
#[derive(Clone, Default)]
pub struct Trails {
    sites: BTreeMap<SiteKey, Packed>,
}

/// Lines, each ended by a line feed; a line of a trail holds none.
#[derive(Clone)]
struct Packed {
    bytes: Box<[u8]>,
    /// Bytes of the text.
    length: usize,
}

impl Trails {
    /// The lines of a site. None: there are none.
    pub fn get(&self, site: &SiteKey) -> Option<Vec<String>> {
        let packed = self.sites.get(site)?;
        // What was packed here can be unpacked.
        let text =
            Decompressor::new().and_then(|mut unpacker| unpacker.decompress(&packed.bytes, packed.length)).ok()?;
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
        f.debug_struct("Trails").field("sites", &self.sites.len()).finish()
    }
}

/// Packs trails as they come.
#[derive(Default)]
pub struct Packer {
    /// None: nothing was packed yet, or it cannot be had.
    compressor: Option<Compressor<'static>>,
    sites: Vec<(SiteKey, Packed)>,
}

impl Packer {
    /// Adds the lines of a site.
    pub fn add(&mut self, site: SiteKey, lines: &[String]) {
        let text = lines.iter().fold(String::new(), |text, line| text + line + "\n");
        if self.compressor.is_none() {
            self.compressor = Compressor::new(LEVEL).ok();
        }
        // It fails for want of memory only; a page without a trail is better than none.
        let packed = self.compressor.as_mut().and_then(|compressor| compressor.compress(text.as_bytes()).ok());
        let packed = packed.map(|bytes| Packed { bytes: bytes.into(), length: text.len() });
        self.sites.extend(packed.map(|packed| (site, packed)));
    }

    /// All of them.
    pub fn finish(self) -> Trails {
        // From a whole list, a map is built without room to spare.
        Trails { sites: self.sites.into_iter().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_back() {
        let lines = |n: usize| (0..n).map(|line| format!("  第 {line} 行 → {n}")).collect::<Vec<_>>();
        let key = |n: usize| SiteKey(format!("www.s{n}.example"));
        let trails: Trails = (0..50).map(|n| (key(n), lines(n))).collect();
        assert_eq!((0..50).find(|n| trails.get(&key(*n)) != Some(lines(*n))), None);
        assert_eq!(trails.get(&key(50)), None);
        assert!(trails.sites[&key(49)].bytes.len() < trails.sites[&key(49)].length / 2);
    }
}
