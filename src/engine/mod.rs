//! Running a scan: what to probe in which order, how fast, and whether this vantage can be believed.
//!
//! [`plan`] orders the sites, [`pace`] gives turns, [`gate`] proves the vantage before and during the run, [`breaker`] says
//! from these proofs and from the [`symptoms`] of finished sites whether any may be started, [`scan`] says what a scan is, and
//! `course` spawns, collects and stops, over the queue that `work` keeps and as many at once as `crew` says; [`resume`] says
//! what an interrupted run has left to do. Evidence leaves through one bounded channel to whoever stores it. Leaves to others:
//! the steps of a probe, verdicts, storage, and how progress is shown: it only emits [`ScanEvent`]s.

pub mod breaker;
mod course;
mod crew;
mod dns_watch;
mod fresh;
pub mod gate;
pub mod pace;
pub mod plan;
pub mod resolvers;
pub mod resume;
pub mod scan;
pub mod symptoms;
mod wall;
mod watch;
mod work;

use self::breaker::Turn;
use crate::model::address::Family;
use crate::model::outage::Line;
use crate::model::site::SiteKey;
use crate::model::time::Timestamp;
use crate::model::verdict::Readiness;

/// Something that happened in a scan. Progress bars, event logs and tests are derived from these.
#[derive(Clone, Debug, PartialEq)]
pub enum ScanEvent {
    /// The first round begins with so many sites.
    Started {
        /// Sites to probe.
        sites: usize,
    },
    /// A site was probed. The verdict is provisional: the vantage's proofs are judged at the end.
    Probed {
        /// The site.
        site: SiteKey,
        /// The round.
        round: u8,
        /// The verdict as it looks now.
        readiness: Readiness,
        /// The site will be looked at again.
        again: bool,
    },
    /// The second round begins with so many sites, after a pause of so many seconds.
    SecondRound {
        /// Sites to look at again.
        sites: usize,
        /// Seconds until the first of them is due.
        pause_s: u64,
    },
    /// Nothing may be begun until then: the run waits.
    Frozen {
        /// When it goes on.
        until: Timestamp,
        /// The same in local time.
        local: String,
    },
    /// A canary came back.
    Canary {
        /// The family it went over.
        family: Family,
        /// It was alive.
        good: bool,
    },
    /// A line could not be proven, or is proven again.
    Breaker {
        /// The line.
        line: Line,
        /// What became of it.
        turn: Turn,
    },
    /// So many sites wait to be looked at again besides those that were to be probed.
    Requeued {
        /// Sites put back.
        sites: usize,
    },
    /// This machine ran short of descriptors, ports or buffers: fewer sites at once from now on.
    Pressure {
        /// Sites at once.
        jobs: usize,
    },
    /// A probe of ours panicked; the round has no evidence but that.
    Lost {
        /// The site. None: not even that is known.
        site: Option<SiteKey>,
        /// How many so far.
        total: usize,
    },
    /// No new sites are started; those in flight are finished.
    Stopping {
        /// Sites in flight.
        in_flight: usize,
    },
}
