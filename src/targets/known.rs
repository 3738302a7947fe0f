//! Which schools are known already, by code and by name.
//!
//! Twelve bytes or less for each, not the texts: a list may hold a million. Leaves the texts themselves to the book, which is
//! asked before two are taken for one.

use std::hash::{DefaultHasher, Hash, Hasher as _};

use hashbrown::HashTable;

/// Numbers of things by a text. Texts are compared by whoever asks.
#[derive(Default)]
pub(super) struct Known {
    table: HashTable<Entry>,
}

struct Entry {
    /// Half of the text's hash.
    hash: u32,
    number: u32,
}

/// Half of a hash in both halves, because the table uses both ends.
fn spread(half: u32) -> u64 {
    u64::from(half) << 32 | u64::from(half)
}

/// Half of a text's hash.
fn half(text: impl Hash) -> u32 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    (hasher.finish() >> 32) as u32
}

/// A number as it is kept.
pub(super) fn short(number: usize) -> u32 {
    #[expect(clippy::expect_used, reason = "four thousand million rows do not fit into memory")]
    u32::try_from(number).expect("fewer than 2^32")
}

impl Known {
    /// The thing of a text, if what `is_it` says of a number is true.
    pub(super) fn find(&self, text: impl Hash, mut is_it: impl FnMut(usize) -> bool) -> Option<usize> {
        let hash = half(text);
        let found = self.table.find(spread(hash), |entry| entry.hash == hash && is_it(entry.number as usize));
        found.map(|entry| entry.number as usize)
    }

    /// Notes the thing of a text that is not known.
    pub(super) fn add(&mut self, text: impl Hash, number: usize) {
        let entry = Entry { hash: half(text), number: short(number) };
        self.table.insert_unique(spread(entry.hash), entry, |entry| spread(entry.hash));
    }
}
