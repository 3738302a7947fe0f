//! The round being written: steps of both families are appended as they finish, so that whatever ends a round early
//! leaves all that was seen before.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::page::{Extract, Facts};
use crate::model::evidence::{AddressFact, Connect, Handshake, Lookup, Round, Sibling, Walk};
use crate::model::failure::Limit;

/// A round in the making.
#[derive(Debug)]
pub(crate) struct Recorder {
    round: Mutex<Round>,
    /// Pages read so far. Both families mostly bring the same bytes, which need not be read twice.
    pages: Mutex<Vec<(PageKey, Extract)>>,
}

/// All that the reading of a page depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PageKey {
    /// SHA-256 of the decoded body, in hexadecimal.
    pub(crate) digest: String,
    /// The rest of the response, as far as it matters.
    pub(crate) facts: Facts,
}

impl Recorder {
    pub(crate) fn new(round: Round) -> Self {
        Self { round: Mutex::new(round), pages: Mutex::new(Vec::new()) }
    }

    fn round(&self) -> MutexGuard<'_, Round> {
        self.round.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The finished round.
    pub(crate) fn finish(self) -> Round {
        self.round.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// A look at what is there so far.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&Round) -> T) -> T {
        look(&self.round())
    }

    /// What was read of this very page before.
    pub(crate) fn known_page(&self, key: &PageKey) -> Option<Extract> {
        let pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        pages.iter().find(|(known, _)| known == key).map(|(_, extract)| extract.clone())
    }

    pub(crate) fn remember_page(&self, key: PageKey, extract: Extract) {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner).push((key, extract));
    }

    pub(crate) fn lookup(&self, lookup: Lookup) {
        self.round().lookups.push(lookup);
    }

    pub(crate) fn address(&self, address: AddressFact) {
        self.round().addresses.push(address);
    }

    pub(crate) fn connect(&self, connect: Connect) {
        self.round().connects.push(connect);
    }

    /// Returns the handshake's index.
    pub(crate) fn handshake(&self, handshake: Handshake) -> usize {
        let mut round = self.round();
        round.handshakes.push(handshake);
        round.handshakes.len() - 1
    }

    pub(crate) fn walk(&self, walk: Walk) {
        self.round().walks.push(walk);
    }

    pub(crate) fn sibling(&self, sibling: Sibling) {
        self.round().sibling = Some(sibling);
    }

    pub(crate) fn limit(&self, limit: Limit) {
        let mut round = self.round();
        if !round.limits.contains(&limit) {
            round.limits.push(limit);
        }
    }
}
