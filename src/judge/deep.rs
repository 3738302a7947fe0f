//! The deep profile's numbers: links, skylight, samples (docs/method/deep.md). They make findings, and none of them decides whether
//! a site is ready.
//!
//! Nothing counts as missing over IPv6 unless this vantage was proven around that very moment, or two sources of DNS that could
//! be believed then have said so; what cannot be judged is in no base.

mod classes;
mod latency;
mod links;
mod skylight;

use std::net::SocketAddr;

use super::findings::Findings;
use crate::model::address::Family;
use crate::model::deep::{FaultyLink, Latencies, LinkRates, Skylight};
use crate::model::evidence::Observation;
use crate::model::time::Timestamp;

/// What was proven of the vantage.
pub(super) struct Proof<'a> {
    /// The family worked around this moment.
    pub(super) family: &'a dyn Fn(Family, Timestamp) -> bool,
    /// This source of DNS could be believed around this moment.
    pub(super) source: &'a dyn Fn(SocketAddr, Timestamp) -> bool,
}

impl Proof<'_> {
    /// That there is no address, or none that is public, holds: nobody had to be asked, or two sources have said it that could
    /// be believed.
    pub(super) fn is_said(&self, server: Option<SocketAddr>, confirmed_by: Option<SocketAddr>, at: Timestamp) -> bool {
        match (server, confirmed_by) {
            // An address instead of a name, or a name that DNS is not asked about.
            (None, _) => true,
            (Some(_), None) => false,
            (Some(one), Some(other)) => one != other && (self.source)(one, at) && (self.source)(other, at),
        }
    }
}

/// What can be said of one thing over IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Support {
    /// Nothing.
    Unknown,
    /// It is missing.
    No,
    /// It is there: a success proves itself, whatever other rounds saw.
    Yes,
}

/// All numbers. None: not measured.
pub(super) struct Indicators {
    pub(super) links: Option<LinkRates>,
    pub(super) skylight: Option<Skylight>,
    pub(super) latencies: Option<Latencies>,
}

/// Judges everything.
pub(super) fn judge(observation: &Observation, proof: &Proof<'_>, findings: &mut Findings) -> Indicators {
    Indicators {
        links: links::judge(observation, proof, findings),
        skylight: skylight::judge(observation, proof, findings),
        latencies: latency::judge(observation, proof, findings),
    }
}

/// The links that do not do over IPv6 what they do over IPv4. Empty: there are none, or links were not looked at.
pub(super) fn faulty_links(observation: &Observation, proof: &Proof<'_>) -> Vec<FaultyLink> {
    links::faulty(observation, proof)
}

/// A failure over IPv6 with what it proves: nothing, where it is ours or a bound of ours.
fn is_evidence(failure: &crate::model::failure::Failure) -> bool {
    !failure.is_local() && !matches!(failure, crate::model::failure::Failure::Limit(_))
}

#[cfg(test)]
#[path = "deep_tests.rs"]
mod tests;
