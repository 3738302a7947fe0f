//! Bounds against broken and hostile servers.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::text::duration;

/// `[limits]`: to run into one is recorded as [`crate::model::failure::Limit`]; what was read before is judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Bytes of a response head.
    pub header_bytes: usize,
    /// Lines of a response head.
    pub header_lines: usize,
    /// Informational (1xx) responses before a response.
    pub informational: usize,
    /// Bytes of a body as they come over the wire.
    pub body_wire: u64,
    /// Bytes of a body after decompression.
    pub body_decoded: u64,
    /// Decompressed bytes per compressed byte, beyond 64 KiB of decompressed bytes.
    pub ratio: u64,
    /// Bytes that a body must bring in each [`Limits::slow_window`].
    pub slow_bytes: u64,
    /// See [`Limits::slow_bytes`].
    #[serde(with = "duration")]
    pub slow_window: Duration,
    /// Redirects that are followed.
    pub redirects: usize,
    /// Bytes of a URL that is followed.
    pub url_bytes: usize,
    /// Longest Retry-After that is waited for in place.
    #[serde(with = "duration")]
    pub retry_after: Duration,
    /// Longest Retry-After that a site is looked at again for later in the run.
    #[serde(with = "duration")]
    pub retry_after_longest: Duration,
    /// CNAME records in a chain.
    pub cname: usize,
    /// Addresses of a name that are tried, per family.
    pub addresses_tried: usize,
    /// DNS questions about one site in one round.
    pub queries: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header_bytes: 64 << 10,
            header_lines: 100,
            informational: 10,
            body_wire: 2 << 20,
            body_decoded: 4 << 20,
            ratio: 200,
            slow_bytes: 1 << 10,
            slow_window: Duration::from_secs(10),
            redirects: 10,
            url_bytes: 2000,
            retry_after: Duration::from_mins(1),
            retry_after_longest: Duration::from_hours(1),
            cname: 8,
            addresses_tried: 8,
            queries: 64,
        }
    }
}
