//! The round being written: steps of both families are appended as they finish, so that whatever ends a round early
//! leaves all that was seen before.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::evidence::{AddressFact, Connect, Handshake, Lookup, Round, Sibling, Walk};
use crate::model::failure::Limit;

/// A round in the making.
#[derive(Debug)]
pub(crate) struct Recorder(Mutex<Round>);

impl Recorder {
    pub(crate) fn new(round: Round) -> Self {
        Self(Mutex::new(round))
    }

    fn round(&self) -> MutexGuard<'_, Round> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The finished round.
    pub(crate) fn finish(self) -> Round {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// A look at what is there so far.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&Round) -> T) -> T {
        look(&self.round())
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
