//! The scan itself: a place is taken before a probe is spawned, evidence goes to one bounded channel, canaries run beside,
//! and whatever failed is looked at once more at the end.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;

use super::dns_watch::DnsWatch;
use super::resolvers::DnsControls;
use super::{ScanEvent, gate};
use crate::judge::{Criteria, first_look};
use crate::model::evidence::{EVIDENCE_VERSION, Observation, Round};
use crate::model::run::{DnsProof, Proof, RunEnd};
use crate::model::site::Site;
use crate::model::time::Timestamp;
use crate::probe::{Prober, Transports};

/// How a scan is run.
#[derive(Clone, Debug)]
pub struct ScanRules {
    /// Sites probed at once.
    pub jobs: usize,
    /// From a site's first look to its second, at least.
    pub second_round_after: Duration,
    /// How often a canary is sent.
    pub canary_interval: Duration,
    /// How often the resolvers are tested.
    pub dns_interval: Duration,
    /// How long sites in flight may finish after a stop.
    pub grace: Duration,
    /// What is used.
    pub transports: Transports,
    /// Parameters of the provisional verdicts.
    pub criteria: Criteria,
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
    /// Probes lost to panics.
    pub lost: usize,
}

/// Where events go.
pub type Listener = Arc<dyn Fn(ScanEvent) + Send + Sync>;

/// One scan.
pub struct Scan {
    /// Makes the probes.
    pub prober: Arc<Prober>,
    /// How.
    pub rules: ScanRules,
    /// Anchors that passed the gate.
    pub canaries: Vec<Site>,
    /// What the resolvers are tested with.
    pub dns_controls: DnsControls,
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

/// What a probe's task gives back.
struct Probed {
    again: Option<(Site, Timestamp)>,
    /// The receiver of the evidence is gone.
    unstored: bool,
}

impl Scan {
    /// Probes all sites, in the order given.
    pub async fn run(self, sites: Vec<Site>) -> ScanReport {
        (self.listener)(ScanEvent::Started { sites: sites.len() });
        let (end_canaries, canaries) = self.start_canaries();
        let (prober, controls) = (Arc::clone(&self.prober), self.dns_controls.clone());
        let dns = Arc::new(DnsWatch::start(prober, controls, self.rules.dns_interval).await);
        let mut lost = 0;
        let first = sites.into_iter().map(|site| (site, None)).collect();
        let (mut again, mut complete) = self.round(1, first, &dns, &mut lost).await;
        again.extend(dns.doubtful().await);
        if complete && !again.is_empty() {
            again.sort_by_key(|(_, ended)| *ended);
            let due: Vec<_> = again
                .into_iter()
                .map(|(site, ended)| {
                    let after = i64::try_from(self.rules.second_round_after.as_millis()).unwrap_or(i64::MAX);
                    (site, Some(ended.plus_ms(after)))
                })
                .collect();
            let now = self.prober.net.clock.now();
            let wait = due.first().and_then(|(_, due)| *due).map_or(0, |due| (due.0 - now.0).max(0));
            let pause_s = u64::try_from(wait).unwrap_or(0).div_ceil(1000);
            (self.listener)(ScanEvent::SecondRound { sites: due.len(), pause_s });
            (_, complete) = self.round(2, due, &dns, &mut lost).await;
        }
        // The receiver may be gone already if the canaries' task failed.
        let _ = end_canaries.send(true);
        let proofs = canaries.await.unwrap_or_default();
        let end = match (complete, lost) {
            (false, _) => RunEnd::Interrupted,
            (true, 0) => RunEnd::Complete,
            (true, _) => RunEnd::InternalError,
        };
        ScanReport { end, proofs, dns_proofs: dns.finish().await, lost }
    }

    /// One round over sites, each not before its due time. Returns the sites to look at again, and whether all were done.
    async fn round(
        &self,
        number: u8,
        sites: Vec<(Site, Option<Timestamp>)>,
        dns: &Arc<DnsWatch>,
        lost: &mut usize,
    ) -> (Vec<(Site, Timestamp)>, bool) {
        let places = Arc::new(Semaphore::new(self.rules.jobs.max(1)));
        let mut tasks: JoinSet<Option<Probed>> = JoinSet::new();
        let mut again = Vec::new();
        let mut complete = true;
        let mut stop = self.stop.clone();
        for (site, due) in sites {
            let place = tokio::select! {
                biased;
                () = stopped(&mut stop, Stop::Drain) => None,
                place = self.place(&places, due) => place,
            };
            // The evidence's receiver is gone only if the store failed: going on would measure for nobody.
            let Some(place) = place.filter(|_| !self.sink.is_closed()) else {
                complete = false;
                break;
            };
            while let Some(done) = tasks.try_join_next() {
                self.collect(done, &mut again, lost, &mut complete);
            }
            let task = self.task(site, number, Arc::clone(dns));
            tasks.spawn(async move {
                let probed = AssertUnwindSafe(task).catch_unwind().await.ok();
                drop(place);
                probed
            });
        }
        if !complete {
            (self.listener)(ScanEvent::Stopping { in_flight: tasks.len() });
        }
        let mut grace = std::pin::pin!(async {
            let mut stop = self.stop.clone();
            stopped(&mut stop, Stop::Drain).await;
            let mut now = stop.clone();
            tokio::select! {
                () = tokio::time::sleep(self.rules.grace) => {}
                () = stopped(&mut now, Stop::Now) => {}
            }
        });
        let mut done = Vec::new();
        loop {
            tokio::select! {
                next = tasks.join_next() => match next {
                    Some(next) => done.push(next),
                    None => break,
                },
                () = &mut grace => {
                    // A probe in flight leaves no row: an interrupted probe is not a failed site.
                    complete &= tasks.is_empty();
                    tasks.abort_all();
                    break;
                }
            }
        }
        for done in done {
            self.collect(done, &mut again, lost, &mut complete);
        }
        (again, complete)
    }

    async fn place(
        &self,
        places: &Arc<Semaphore>,
        due: Option<Timestamp>,
    ) -> Option<tokio::sync::OwnedSemaphorePermit> {
        if let Some(due) = due {
            let wait = due.0.saturating_sub(self.prober.net.clock.now().0).max(0);
            tokio::time::sleep(Duration::from_millis(wait.unsigned_abs())).await;
        }
        Arc::clone(places).acquire_owned().await.ok()
    }

    fn collect(
        &self,
        done: Result<Option<Probed>, tokio::task::JoinError>,
        again: &mut Vec<(Site, Timestamp)>,
        lost: &mut usize,
        complete: &mut bool,
    ) {
        if let Ok(Some(probed)) = done {
            again.extend(probed.again);
            *complete &= !probed.unstored;
        } else {
            *lost += 1;
            (self.listener)(ScanEvent::Lost { total: *lost });
        }
    }

    /// Probes one site and hands its evidence on.
    fn task(&self, site: Site, number: u8, dns: Arc<DnsWatch>) -> impl Future<Output = Probed> + Send + 'static {
        let prober = Arc::clone(&self.prober);
        let sink = self.sink.clone();
        let listener = Arc::clone(&self.listener);
        let rules = self.rules.clone();
        async move {
            let round = prober.observe(&site, number, rules.transports).await;
            let ended = round.ended;
            let observation = Observation { version: EVIDENCE_VERSION, site: site.clone(), rounds: vec![round] };
            let (readiness, again) = first_look(&observation, &rules.criteria);
            let again = again && number == 1;
            let mut rounds = observation.rounds;
            let mut unstored = false;
            if let Some(round) = rounds.pop() {
                if number == 1 {
                    dns.saw(&site, &round, readiness, again);
                }
                unstored = sink.send((site.clone(), round)).await.is_err();
            }
            listener(ScanEvent::Probed { site: site.key.clone(), round: number, readiness, again });
            Probed { again: again.then_some((site, ended)), unstored }
        }
    }

    /// Sends canaries until told to end, and a last one then, so that every failure has a proof after it.
    fn start_canaries(&self) -> (watch::Sender<bool>, tokio::task::JoinHandle<Vec<Proof>>) {
        let (end, mut ended) = watch::channel(false);
        let prober = Arc::clone(&self.prober);
        let (canaries, interval, transports) =
            (self.canaries.clone(), self.rules.canary_interval, self.rules.transports);
        let listener = Arc::clone(&self.listener);
        let task = tokio::spawn(async move {
            let mut proofs = Vec::new();
            if canaries.is_empty() {
                return proofs;
            }
            for turn in 0.. {
                let last = *ended.borrow();
                let new = gate::canary(&prober, &canaries, turn, transports).await;
                for proof in &new {
                    listener(ScanEvent::Canary { family: proof.family, good: proof.good });
                }
                proofs.extend(new);
                if last {
                    break;
                }
                tokio::select! {
                    () = tokio::time::sleep(interval) => {}
                    _ = ended.changed() => {}
                }
            }
            proofs
        });
        (end, task)
    }
}

/// Ends once stopping has got this far; never, if nobody can tell any more.
async fn stopped(stop: &mut watch::Receiver<Stop>, at_least: Stop) {
    if stop.wait_for(|stop| *stop >= at_least).await.is_err() {
        std::future::pending::<()>().await;
    }
}
