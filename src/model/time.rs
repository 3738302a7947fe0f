//! A point in time as it is stored: milliseconds since 1970-01-01T00:00:00Z.

use serde::{Deserialize, Serialize};

/// Milliseconds since the Unix epoch, UTC. Durations are never computed from two of these: they come from the
/// monotonic clock and are stored on their own, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The distance to another point in time, in milliseconds, never negative.
    pub fn distance_ms(self, other: Self) -> u64 {
        self.0.abs_diff(other.0)
    }

    /// This point in time moved by so many milliseconds.
    #[must_use]
    pub fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}
