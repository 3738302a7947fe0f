//! What a run lost in its course: an uplink, the resolvers. Part of the run's record and of its report.

use serde::{Deserialize, Serialize};

use super::address::Family;
use super::time::Timestamp;

/// What every measurement hangs on, and what can be lost in mid-run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// The IPv4 uplink.
    Ipv4,
    /// The IPv6 uplink.
    Ipv6,
    /// The resolvers, all of them.
    Dns,
}

impl Line {
    /// All lines, in the order of lists.
    pub const ALL: [Self; 3] = [Self::Ipv4, Self::Ipv6, Self::Dns];

    /// The line of a family.
    pub fn of(family: Family) -> Self {
        match family {
            Family::V4 => Self::Ipv4,
            Family::V6 => Self::Ipv6,
        }
    }

    /// The stable word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
            Self::Dns => "dns",
        }
    }
}

/// Why a line was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// Canaries failed in their turn.
    Canaries,
    /// More sites failed than before, in many networks at once; then a canary failed as well.
    Failures,
    /// This host's own address or route changed.
    Route,
    /// This host's clock jumped: somebody set it, or the machine slept.
    Clock,
}

impl Trigger {
    /// The stable word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Canaries => "canaries",
            Self::Failures => "failures",
            Self::Route => "route",
            Self::Clock => "clock",
        }
    }
}

/// A stretch of a run in which a line could not be proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outage {
    /// The line.
    pub line: Line,
    /// Why it was noticed.
    pub why: Trigger,
    /// The first failed canary, or when the change was noticed.
    pub since: Timestamp,
    /// When the breaker opened. None: the next canary was good again, no site in flight was dropped.
    pub opened: Option<Timestamp>,
    /// When sites were started again. None: not before the run's end.
    pub until: Option<Timestamp>,
    /// Sites whose failures fell into it and were therefore set aside, and sites in flight that were dropped.
    pub quarantined: u32,
    /// Of these, sites that were measured again while the line was proven.
    pub redone: u32,
}
