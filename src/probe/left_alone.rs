//! Hosts that have asked for fewer requests: for the rest of the run no site's links, resources or samples go there.
//!
//! Leaves to others: the main measurement, which waits as it is asked to (`walk`), and what it means (nothing).

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hyper::HeaderMap;
use hyper::header::RETRY_AFTER;

/// The hosts, by name in lower case.
#[derive(Debug, Default)]
pub(super) struct LeftAlone(Mutex<HashSet<String>>);

impl LeftAlone {
    /// The host has asked for it.
    pub(super) fn holds(&self, host: &str) -> bool {
        self.hosts().contains(host)
    }

    /// The host asks for it now.
    pub(super) fn add(&self, host: &str) {
        self.hosts().insert(host.to_owned());
    }

    fn hosts(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A response by which a server asks for fewer requests: 429 (RFC 6585 §4), or 503 that says when to come back (RFC 9110
/// §15.6.4).
pub(super) fn asks(status: u16, headers: &HeaderMap) -> bool {
    status == 429 || (status == 503 && headers.contains_key(RETRY_AFTER))
}
