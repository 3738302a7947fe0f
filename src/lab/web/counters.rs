//! How often something happened at an address, for behaviours that depend on the n-th time.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Counters of one lab.
#[derive(Debug, Default)]
pub(in crate::lab) struct Counters {
    counts: Mutex<HashMap<(SocketAddr, String), u64>>,
    visitors: AtomicU64,
}

impl Counters {
    /// Counts something, from 1.
    pub(in crate::lab) fn next(&self, address: SocketAddr, what: &str) -> u64 {
        // Each use is one map operation, so a panic elsewhere cannot leave the map torn.
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry((address, what.to_owned())).or_default();
        *count += 1;
        *count
    }

    /// Counts a visitor of any page, from 1.
    pub(in crate::lab) fn visitor(&self) -> u64 {
        self.visitors.fetch_add(1, Ordering::Relaxed) + 1
    }
}
