//! What a run lost in its course: an uplink, the resolvers. Part of the run's record and of its report.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::address::Family;
use super::run::{DnsProof, ResolverState};
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
    /// The run was stopped or killed, and went on later.
    Interrupted,
}

impl Trigger {
    /// The stable word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Canaries => "canaries",
            Self::Failures => "failures",
            Self::Route => "route",
            Self::Clock => "clock",
            Self::Interrupted => "interrupted",
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

/// A stretch of a run in which one resolver failed its self-tests. What it denied meanwhile, or from shortly before it, was not
/// believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lapse {
    /// The resolver.
    pub server: SocketAddr,
    /// The worst that came out.
    pub state: ResolverState,
    /// The first test that failed.
    pub since: Timestamp,
    /// The next one that did not. None: there was none before the run's end.
    pub until: Option<Timestamp>,
}

/// All of them, by their beginning, from self-tests in any order.
pub fn lapses(proofs: &[DnsProof]) -> Vec<Lapse> {
    let mut proofs = proofs.to_vec();
    proofs.sort_by_key(|proof| (proof.at, proof.server));
    let mut lasting = BTreeMap::<SocketAddr, Lapse>::new();
    let mut found = Vec::new();
    for DnsProof { at, server, state } in proofs {
        if state == ResolverState::Sane {
            found.extend(lasting.remove(&server).map(|lapse| Lapse { until: Some(at), ..lapse }));
        } else {
            let lapse = lasting.entry(server).or_insert(Lapse { server, state, since: at, until: None });
            lapse.state = lapse.state.max(state);
        }
    }
    found.extend(lasting.into_values());
    found.sort_by_key(|lapse| (lapse.since, lapse.server));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_resolver_has_lapses_of_its_own() {
        use ResolverState::{Denies, Sane, Silent};
        let server = |number: u8| SocketAddr::from(([192, 0, 2, number], 53));
        let proof = |(at, number, state)| DnsProof { at: Timestamp(at), server: server(number), state };
        let proofs = [
            (0, 1, Sane),
            (0, 2, Sane),
            (1, 1, Silent),
            (1, 2, Sane),
            (2, 1, Denies),
            (2, 2, Silent),
            (3, 1, Sane),
            (4, 1, Sane),
        ];
        let lapse = |number, state, since, until: Option<i64>| Lapse {
            server: server(number),
            state,
            since: Timestamp(since),
            until: until.map(Timestamp),
        };
        let expected = [lapse(1, Denies, 1, Some(3)), lapse(2, Silent, 2, None)];
        assert_eq!(lapses(&proofs.map(proof)), expected);
        assert_eq!(lapses(&[]), []);
    }
}
