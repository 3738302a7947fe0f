//! What is kept of a page: facts, and sketches of sets by which two pages can be compared without keeping either.

use serde::{Deserialize, Serialize};

/// What was read from a page. The body itself is not kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Page {
    /// The character encoding it was decoded from.
    pub charset: String,
    /// Title, white space folded, cut to 200 characters. None: it has none.
    pub title: Option<String>,
    /// Characters of visible text.
    pub text_chars: u64,
    /// Links of the same site.
    pub links: Sketch,
    /// Embedded resources of the same site: images, scripts, styles.
    pub assets: Sketch,
    /// Shingles of the visible text, digits folded.
    pub text: Sketch,
    /// What kind of page this is by its marks: signature identifiers such as `default:nginx`, `challenge:script-only`.
    pub marks: Vec<String>,
    /// Only scripts could tell where this page leads; nothing readable is on it.
    pub script_redirect: bool,
}

/// A bottom-k sketch of a set: the set's size, and its k smallest hashes, from which the share two sets have in common
/// (Jaccard) can be estimated (Broder 1997). Exact for sets of up to k members.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sketch {
    /// Members of the set.
    pub size: u32,
    /// The smallest hashes, ascending, at most [`Sketch::K`].
    #[serde(with = "hex_words")]
    pub smallest: Vec<u32>,
}

impl Sketch {
    /// How many hashes are kept.
    pub const K: usize = 96;

    /// Builds a sketch from the hashes of a set's members.
    pub fn from_hashes(mut hashes: Vec<u32>) -> Self {
        hashes.sort_unstable();
        hashes.dedup();
        let size = u32::try_from(hashes.len()).unwrap_or(u32::MAX);
        hashes.truncate(Self::K);
        Self { size, smallest: hashes }
    }

    /// Estimated share of common members, 0 to 1. None: both sets are empty.
    pub fn jaccard(&self, other: &Self) -> Option<f64> {
        let mut union: Vec<u32> = self.smallest.iter().chain(&other.smallest).copied().collect();
        union.sort_unstable();
        union.dedup();
        union.truncate(Self::K);
        if union.is_empty() {
            return None;
        }
        let both = |hash: &u32| self.smallest.binary_search(hash).is_ok() && other.smallest.binary_search(hash).is_ok();
        Some(union.iter().filter(|hash| both(hash)).count() as f64 / union.len() as f64)
    }
}

/// Hashes as one string of hexadecimal words, eight digits each.
mod hex_words {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(words: &[u32], serializer: S) -> Result<S::Ok, S::Error> {
        use std::fmt::Write;
        let mut text = String::with_capacity(words.len() * 8);
        for word in words {
            // Writing to a string cannot fail.
            let _ = write!(text, "{word:08x}");
        }
        serializer.serialize_str(&text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u32>, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        if text.len() % 8 != 0 || !text.is_ascii() {
            return Err(D::Error::custom("hash list is not a row of eight-digit words"));
        }
        (0..text.len() / 8)
            .map(|i| u32::from_str_radix(&text[i * 8..i * 8 + 8], 16).map_err(D::Error::custom))
            .collect()
    }
}
