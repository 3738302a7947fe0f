//! A scan as others see it: its rules, what it is given, what it leaves behind, and how it is told to stop.
//!
//! Leaves to others: running it (`course`), the order of sites ([`super::plan`]), verdicts, storage.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::ScanEvent;
use super::breaker::BreakerRules;
use super::course::Course;
use super::resolvers::DnsControls;
use super::resume::Standing;
use crate::calendar::Freeze;
use crate::clock::Clock;
use crate::judge::Criteria;
use crate::model::evidence::Round;
use crate::model::outage::Outage;
use crate::model::run::{ClockGap, DnsProof, Proof, RunEnd};
use crate::model::site::Site;
use crate::probe::{Prober, Transports};

/// How a scan is run.
#[derive(Clone, Debug)]
pub struct ScanRules {
    /// Sites under way at once, as far as there is room. One that is slow or only waits for its turns is not counted.
    pub jobs: usize,
    /// Slow sites under way besides these. 0: slow ones hold the places of the others.
    pub slow_jobs: usize,
    /// A site that has worked for longer than this is slow.
    pub slow_after: Duration,
    /// From a site's first look to its second, at least.
    pub second_round_after: Duration,
    /// How often a canary is sent.
    pub canary_interval: Duration,
    /// How often the resolvers are tested.
    pub dns_interval: Duration,
    /// How often while the breaker is open; also before a site is looked at again that this machine spoilt.
    pub recovery_interval: Duration,
    /// How long an outage is waited out before the run is given up.
    pub outage_patience: Duration,
    /// When the breaker opens and closes.
    pub breaker: BreakerRules,
    /// How long sites in flight may finish after a stop.
    pub grace: Duration,
    /// What is used.
    pub transports: Transports,
    /// Parameters of the provisional verdicts.
    pub criteria: Criteria,
    /// When nothing may be begun.
    pub freeze: Freeze,
    /// The longest Retry-After that a site is looked at again for, if the run goes on so long.
    pub retry_after: Duration,
}

/// How far stopping has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
    /// Keep going.
    No,
    /// No new sites; finish those in flight.
    Drain,
    /// Leave now.
    Now,
}

/// What a scan leaves behind, besides the evidence in the channel.
#[derive(Debug)]
pub struct ScanReport {
    /// How it ended.
    pub end: RunEnd,
    /// The canaries' proofs, in order of time.
    pub proofs: Vec<Proof>,
    /// The resolvers' self-tests, in order of time.
    pub dns_proofs: Vec<DnsProof>,
    /// When this machine's clock was not known to be right any more, in order of time.
    pub clock_gaps: Vec<ClockGap>,
    /// What was lost in its course, in order of time.
    pub outages: Vec<Outage>,
    /// Looks lost to panics.
    pub lost: usize,
}

/// What is known of the vantage so far. Evidence without it proves nothing, so it is stored while the scan is under way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Journal {
    /// The canaries' proofs, in order of time.
    pub proofs: Vec<Proof>,
    /// The resolvers' self-tests, in order of time.
    pub dns_proofs: Vec<DnsProof>,
    /// When this machine's clock was not known to be right any more, in order of time.
    pub clock_gaps: Vec<ClockGap>,
    /// What was lost, in order of time.
    pub outages: Vec<Outage>,
}

/// How many sites at once this machine has descriptors for. Asked now and then, since the limit can be changed from outside.
/// None: not known on this system, so there is no bound.
pub type Room = Arc<dyn Fn() -> Option<usize> + Send + Sync>;

/// Where events go.
pub type Listener = Arc<dyn Fn(ScanEvent) + Send + Sync>;

/// One scan.
pub struct Scan {
    /// Makes the probes.
    pub prober: Arc<Prober>,
    /// How.
    pub rules: ScanRules,
    /// Anchors that passed the gate. Empty: nothing can be proven, and the breaker never opens.
    pub canaries: Vec<Site>,
    /// What the resolvers are tested with.
    pub dns_controls: DnsControls,
    /// The machine's own clock, which may jump. The prober's does not.
    pub wall: Arc<dyn Clock>,
    /// How many sites at once this machine can bear.
    pub room: Room,
    /// Where events go.
    pub listener: Listener,
    /// Where evidence goes.
    pub sink: mpsc::Sender<(Site, Round)>,
    /// Tells to stop.
    pub stop: watch::Receiver<Stop>,
}

impl std::fmt::Debug for Scan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scan").field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl Scan {
    /// Probes all sites, in the order given.
    pub async fn run(self, sites: Vec<Site>) -> ScanReport {
        let (journal, _) = watch::channel(Journal::default());
        self.go_on(Standing::fresh(sites), journal).await
    }

    /// Does what is left to do, and tells the journal whatever becomes known of the vantage, as soon as it does.
    pub async fn go_on(self, standing: Standing, journal: watch::Sender<Journal>) -> ScanReport {
        (self.listener)(ScanEvent::Started { sites: standing.sites() });
        let mut course = Course::new(self, standing, journal).await;
        course.measure().await;
        course.drain().await;
        course.report().await
    }
}
