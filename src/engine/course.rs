//! The course of a scan: a place is taken before a probe is spawned, evidence goes to one bounded channel, and whatever failed
//! is looked at once more at the end.
//!
//! While a line is not proven ([`super::breaker`]), no site is started; what failed meanwhile is measured again when it is
//! ([`super::work`]). Leaves to others: when canaries are sent ([`super::watch`]) and resolvers are tested ([`super::dns_watch`]),
//! verdicts, storage.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;

use super::ScanEvent;
use super::breaker::{Breaker, Turn};
use super::crew::Crew;
use super::dns_watch::{DnsWatch, Seen};
use super::gate::Canary;
use super::resume::Standing;
use super::scan::{Journal, Scan, ScanReport, Stop};
use super::symptoms::{Lines, Symptoms, symptoms};
use super::wall::ClockWatch;
use super::watch::{LOOK_AROUND, Urgency, Watch};
use super::work::{Doubt, Job, Work};
use crate::judge::first_look;
use crate::model::address::Family;
use crate::model::evidence::{EVIDENCE_VERSION, Observation, Round, Walk};
use crate::model::outage::{Line, Outage, Trigger};
use crate::model::run::{Proof, RunEnd};
use crate::model::time::Timestamp;
use crate::net::work;

/// Looks at a site that may be spoilt by this machine before one is kept as it is.
const SPOILT: u8 = 3;

/// What a probe's task gives back.
struct Probed {
    began: Instant,
    /// The verdict, or a defect of it, rests on a failure.
    again: bool,
    /// How long the server asked to be left alone. Zero: it did not.
    asked: Duration,
    symptoms: Symptoms,
    /// This machine ran short of something in the look.
    short: bool,
    /// What its answers hang on. None: it left none behind.
    seen: Option<Seen>,
    /// The look was spoilt by this machine and left nothing behind.
    spoilt: bool,
    /// The probe panicked at this site.
    lost: bool,
    /// The receiver of the evidence is gone.
    unstored: bool,
}

/// How long a stopped scan waits for its last canary, and for its last test of the resolvers. What stays without a proof is looked
/// at again when the run goes on.
const LAST_PROOF: Duration = Duration::from_millis(1500);

/// A scan under way.
pub(super) struct Course {
    scan: Scan,
    work: Work,
    breaker: Breaker,
    watch: Watch,
    clock: ClockWatch,
    dns: DnsWatch,
    tasks: JoinSet<Probed>,
    flying: HashMap<Id, Job>,
    proofs: Vec<Proof>,
    /// Where what is known of the vantage is stored in mid-run.
    journal: watch::Sender<Journal>,
    lost: usize,
    /// Every site was looked at as often as it needs.
    complete: bool,
    /// Since when no site may be started.
    unproven: Option<Instant>,
    /// How many sites at once, and their places.
    crew: Crew,
    /// Until when nothing may be begun. None: now it may.
    frozen: Option<Timestamp>,
    /// No canary has come back since that was over.
    stale: bool,
    /// The resolvers are to be tested before a site is begun.
    untested: bool,
    /// Until when something failed that wants no second look, but a canary after it. None: nothing did since the last one.
    owed: Option<Instant>,
}

impl Course {
    pub(super) async fn new(scan: Scan, standing: Standing, journal: watch::Sender<Journal>) -> Self {
        let rules = &scan.rules;
        let lost = standing.lost;
        let dns = DnsWatch::start(Arc::clone(&scan.prober), scan.dns_controls.clone(), rules.dns_interval).await;
        let intervals = (rules.canary_interval, rules.recovery_interval);
        Self {
            work: begin(standing, rules.second_round_after, scan.prober.net.clock.now()),
            journal,
            breaker: Breaker::new(rules.breaker),
            watch: Watch::new(&scan.prober, scan.canaries.clone(), rules.transports, intervals, Arc::clone(&scan.wall)),
            clock: ClockWatch::default(),
            dns,
            tasks: JoinSet::new(),
            flying: HashMap::new(),
            proofs: Vec::new(),
            lost,
            complete: true,
            unproven: None,
            crew: Crew::new(rules, (scan.room)()),
            frozen: None,
            stale: false,
            untested: false,
            owed: None,
            scan,
        }
    }

    /// Both passes, and whatever has to be done again in them.
    pub(super) async fn measure(&mut self) {
        let mut stop = self.scan.stop.clone();
        loop {
            self.look_at_the_calendar();
            self.look_for_room();
            if self.untested && self.breaker.is_closed() {
                unless_stopped(&mut stop, Stop::Drain, self.dns.test()).await;
                self.untested = false;
            }
            self.start_sites();
            if self.is_over().await {
                return;
            }
            if !self.rests() {
                self.watch.send(self.urgency());
            }
            let wake = self.wake();
            let (places, wanted) = (Arc::clone(self.crew.places()), self.wants_a_place());
            tokio::select! {
                biased;
                () = stopped(&mut stop, Stop::Drain) => self.complete = false,
                canary = self.watch.came_back() => self.read(canary),
                Some(done) = self.tasks.join_next_with_id() => self.collect(done),
                () = places.free(), if wanted => {}
                () = tokio::time::sleep_until(wake) => {}
            }
            for (line, why) in self.watch.changes() {
                let turn = self.breaker.changed(line, why);
                // A failure that spans the change has no alibi. A canary that has just come back is one for what ended before it
                // was sent, so the mark comes after that, by a millisecond at least.
                let family = if line == Line::Ipv4 { Family::V4 } else { Family::V6 };
                let heard = self.proofs.iter().filter(|proof| proof.good).map(|proof| proof.at.plus_ms(1)).max();
                let at = self.scan.prober.net.clock.now().max(heard.unwrap_or_default());
                self.proofs.push(Proof { at, family, good: false, page_bytes: 0 });
                self.failed(line, turn);
            }
            if let Some(since) = self.watch.take_jump() {
                self.clock.jumped(since, self.scan.prober.net.clock.now());
            }
            // The evidence's receiver is gone only if the store failed: going on would measure for nobody.
            self.complete &= !self.scan.sink.is_closed();
            self.keep();
            let patience = self.scan.rules.outage_patience;
            self.complete &= self.unproven.is_none_or(|since| since.elapsed() < patience);
            if !self.complete {
                return;
            }
        }
    }

    /// Nothing is left to do. Begins the second pass where that is next.
    async fn is_over(&mut self) -> bool {
        if !self.tasks.is_empty() || !self.work.is_empty() {
            return false;
        }
        if self.owed.is_some() && !self.watch.is_blind() {
            return false;
        }
        if self.work.is_waiting() {
            if !self.watch.is_blind() {
                return false;
            }
            self.work.believe_all();
            self.ask_of_resolvers();
        }
        self.make_up().await;
        if !self.work.is_empty() {
            return false;
        }
        let Some((sites, due)) = self.work.second_pass() else { return true };
        let pause = due.saturating_duration_since(Instant::now());
        (self.scan.listener)(ScanEvent::SecondRound { sites, pause_s: pause.as_millis().div_ceil(1000) as u64 });
        false
    }

    /// Failures that no canary excuses may still be the resolvers'.
    fn ask_of_resolvers(&mut self) {
        for look in self.work.believed() {
            self.dns.doubted(look);
        }
    }

    /// Has the looks made up for around which the resolvers were not proven.
    async fn make_up(&mut self) {
        let mut stop = self.scan.stop.clone();
        let Some((looks, proven)) = unless_stopped(&mut stop, Stop::Drain, self.dns.doubtful()).await else { return };
        if !looks.is_empty() {
            self.work.unproven(looks, proven);
        }
    }

    /// Notices that a time in which nothing may be begun has come, or is over.
    fn look_at_the_calendar(&mut self) {
        // Windows are times of the day, so they are those of the machine's own clock, whatever was done to it in mid-run.
        let until = self.scan.rules.freeze.until(self.scan.wall.now());
        if let (Some(until), None) = (until, self.frozen) {
            let local = self.scan.rules.freeze.say(until);
            (self.scan.listener)(ScanEvent::Frozen { until, local });
        }
        // What failed then would have no proof before it.
        let over = until.is_none() && self.frozen.is_some();
        self.stale |= over && !self.watch.is_blind();
        self.untested |= over;
        self.frozen = until;
        self.dns.rest(self.rests());
        if self.rests() {
            // Nobody looks whether a line is proven, so nobody is impatient.
            self.unproven = None;
        }
    }

    /// Nothing may be begun, and nothing under way needs a canary.
    fn rests(&self) -> bool {
        self.frozen.is_some() && self.tasks.is_empty() && !self.wants_proof()
    }

    /// Something waits for a canary's word.
    fn wants_proof(&self) -> bool {
        self.work.is_waiting() || self.owed.is_some()
    }

    /// Sites may be begun.
    fn may_start(&self) -> bool {
        let room = self.tasks.len() < self.crew.in_flight();
        self.breaker.is_closed() && self.frozen.is_none() && !self.stale && room
    }

    /// A site is due, and only a place is missing.
    fn wants_a_place(&self) -> bool {
        let now = Instant::now();
        self.may_start() && self.work.due(now).is_some_and(|due| due <= now)
    }

    fn start_sites(&mut self) {
        if !self.may_start() {
            return;
        }
        let released = self.work.release();
        if released > 0 {
            (self.scan.listener)(ScanEvent::Requeued { sites: released });
        }
        while self.crew.places().is_free()
            && self.may_start()
            && let Some(job) = self.work.take(Instant::now())
        {
            let handle = self.tasks.spawn(self.task(&job));
            self.flying.insert(handle.id(), job);
        }
    }

    fn urgency(&self) -> Urgency {
        let idle = self.tasks.is_empty() && self.work.is_empty() && self.wants_proof();
        if idle || self.stale || self.breaker.is_doubtful() {
            Urgency::Now
        } else if self.breaker.is_open() || self.breaker.wants_canary() {
            Urgency::Soon
        } else {
            Urgency::Usual
        }
    }

    /// When there is something to do even if nothing comes back.
    fn wake(&self) -> Instant {
        let now = Instant::now();
        // One that is due already waits for a place.
        let site = self.work.due(now).filter(|due| self.may_start() && *due > now);
        let canary = self.watch.due(self.urgency(), now).filter(|_| !self.rests());
        site.into_iter().chain(canary).chain([now + LOOK_AROUND]).min().unwrap_or(now)
    }

    /// Probes one site and hands its evidence on.
    fn task(&self, job: &Job) -> impl Future<Output = Probed> + Send + 'static {
        let prober = Arc::clone(&self.scan.prober);
        let sink = self.scan.sink.clone();
        let listener = Arc::clone(&self.scan.listener);
        let rules = self.scan.rules.clone();
        let (site, number, patient) = (job.site.clone(), job.number, job.spoilt < SPOILT);
        let work = work::Work::at(self.crew.places());
        let look = work.run(async move {
            let began = Instant::now();
            let round = prober.observe(&site, number, rules.transports).await;
            let symptoms = symptoms(&round);
            // Also where no failure shows it: a step that was left out for it shows nothing at all.
            let short = symptoms.short || work::shortages() > 0;
            let spoilt = patient && short;
            if spoilt {
                let (asked, lost, unstored) = (Duration::ZERO, false, false);
                return Probed { began, again: true, asked, symptoms, short, seen: None, spoilt, lost, unstored };
            }
            let asked = asked_to_wait(&round);
            let observation = Observation { version: EVIDENCE_VERSION, site: site.clone(), rounds: vec![round] };
            let (readiness, again) = first_look(&observation, &rules.criteria);
            // Who asked for longer than that is left alone.
            let again = again && asked <= rules.retry_after;
            let mut rounds = observation.rounds;
            let mut unstored = false;
            let mut seen = None;
            if let Some(round) = rounds.pop() {
                seen = Some(Seen::in_round(&round, readiness));
                unstored = sink.send((site.clone(), round)).await.is_err();
            }
            listener(ScanEvent::Probed { site: site.key.clone(), round: number, readiness, again });
            Probed { began, again, asked, symptoms, short, seen, spoilt, lost: false, unstored }
        });
        let otherwise = self.give_up(job);
        async move {
            match AssertUnwindSafe(look).catch_unwind().await {
                Ok(done) => done,
                Err(_) => otherwise.await,
            }
        }
    }

    /// What is handed on of a site whose probe panicked: that it did. Every site ends in one row.
    fn give_up(&self, job: &Job) -> impl Future<Output = Probed> + Send + 'static {
        let (sink, clock) = (self.scan.sink.clone(), Arc::clone(&self.scan.prober.net.clock));
        let (site, number) = (job.site.clone(), job.number);
        async move {
            let mut round = Round::new(number, clock.now());
            round.internal_error = true;
            let symptoms = symptoms(&round);
            let unstored = sink.send((site, round)).await.is_err();
            let (began, asked) = (Instant::now(), Duration::ZERO);
            let (again, short, spoilt, lost) = (false, false, false, true);
            Probed { began, again, asked, symptoms, short, seen: None, spoilt, lost, unstored }
        }
    }

    fn collect(&mut self, done: Result<(Id, Probed), JoinError>) {
        let (id, probed) = match done {
            Ok((id, probed)) => (id, Some(probed)),
            // Dropped when the breaker opened: a probe that was interrupted leaves no row.
            Err(error) if error.is_cancelled() => {
                if let Some(job) = self.flying.remove(&error.id()) {
                    self.work.dropped(job);
                }
                return;
            }
            Err(error) => (error.id(), None),
        };
        let Some(job) = self.flying.remove(&id) else { return };
        self.complete &= probed.as_ref().is_none_or(|probed| !probed.unstored);
        let Some(probed) = probed.filter(|probed| !probed.lost) else {
            self.lost += 1;
            (self.scan.listener)(ScanEvent::Lost { site: Some(job.site.key.clone()), total: self.lost });
            self.work.settled(&job);
            return;
        };
        if probed.short {
            self.ran_short();
        } else {
            self.crew.had_enough();
        }
        let now = Instant::now();
        if probed.symptoms.unproven {
            self.owed = Some(now);
        }
        if probed.spoilt {
            let counts = self.crew.is_of_this_size(probed.began);
            self.work.spoilt(job, now + self.scan.rules.recovery_interval, counts);
            return;
        }
        self.breaker.finished(Line::Dns, probed.symptoms.failed.has(Line::Dns), 0);
        for (fared, family) in probed.symptoms.fared.into_iter().zip(Family::BOTH) {
            if let Some(fared) = fared {
                self.breaker.finished(Line::of(family), fared.failed, fared.network);
            }
        }
        if let Some(seen) = &probed.seen {
            self.dns.saw(seen);
        }
        // Also a status or a wrong page needs an alibi over the family it came by; a name that nobody can resolve has one over
        // IPv4 (docs/method/verdict.md, rule 2).
        let nowhere = probed.symptoms.fared == [None; 2];
        let lines = probed.symptoms.failed.iter().chain(probed.symptoms.dialled());
        let lines = lines.chain(nowhere.then_some(Line::Ipv4)).collect();
        let seen = probed.seen.unwrap_or_default();
        let doubt = Doubt { job, began: probed.began, ended: now, asked: probed.asked, lines, seen };
        if probed.again {
            self.work.doubted(doubt);
            return;
        }
        self.work.settled(&doubt.job);
        // Who asked to be left alone for long is.
        if doubt.asked <= self.scan.rules.retry_after {
            self.dns.doubted(doubt);
        }
    }

    /// This machine ran short of something.
    fn ran_short(&mut self) {
        if self.crew.ran_short() {
            (self.scan.listener)(ScanEvent::Pressure { jobs: self.crew.size() });
        }
    }

    /// Notices that this machine has room for fewer sites than it had, or for more.
    fn look_for_room(&mut self) {
        if self.crew.fits((self.scan.room)()) {
            (self.scan.listener)(ScanEvent::Pressure { jobs: self.crew.size() });
        }
    }

    /// A canary came back. None: it was lost to a panic of ours, and says nothing.
    fn read(&mut self, canary: Option<Canary>) {
        let Some(canary) = canary else { return };
        self.stale = false;
        if canary.spoilt {
            self.ran_short();
        }
        for proof in &canary.proofs {
            (self.scan.listener)(ScanEvent::Canary { family: proof.family, good: proof.good });
        }
        self.proofs.extend(&canary.proofs);
        self.clock.hear(&canary.witnesses, self.watch.anchors());
        let mut good = Lines::default();
        for line in Line::ALL {
            match canary.says(line) {
                Some(true) => {
                    if self.breaker.canary(line, true) == Some(Turn::Close) {
                        self.closed(line);
                    }
                    good.add(line);
                }
                Some(false) => {
                    let turn = self.breaker.canary(line, false);
                    self.failed(line, turn);
                }
                None => {}
            }
        }
        if self.breaker.is_closed() {
            self.unproven = None;
        }
        if let Some(sent) = self.watch.sent() {
            self.work.proven(good, sent);
            self.owed = self.owed.filter(|owed| *owed > sent);
        }
        self.ask_of_resolvers();
    }

    /// A line failed its test.
    fn failed(&mut self, line: Line, turn: Option<Turn>) {
        let now = Instant::now();
        let at = self.scan.prober.net.clock.now();
        let (why, opened) = match turn {
            Some(Turn::Doubt(why)) => (why, false),
            Some(Turn::Open(why)) => (why, true),
            Some(Turn::Close) | None => (Trigger::Canaries, false),
        };
        self.unproven.get_or_insert(now);
        if !self.work.is_noted(line) {
            self.work.note(Outage { line, why, since: at, opened: None, until: None, quarantined: 0, redone: 0 });
        }
        if opened {
            self.work.opened(line, at);
            self.tasks.abort_all();
        }
        self.work.failed(line, now);
        if let Some(turn) = turn {
            (self.scan.listener)(ScanEvent::Breaker { line, turn });
        }
    }

    fn closed(&mut self, line: Line) {
        self.untested |= line == Line::Dns;
        self.work.ended(line, self.scan.prober.net.clock.now());
        (self.scan.listener)(ScanEvent::Breaker { line, turn: Turn::Close });
    }

    /// Lets the sites in flight finish after a stop, within the grace period, and sends a last canary, so that what failed
    /// has a proof after it.
    pub(super) async fn drain(&mut self) {
        if self.complete {
            return;
        }
        (self.scan.listener)(ScanEvent::Stopping { in_flight: self.tasks.len() });
        let mut stop = self.scan.stop.clone();
        let mut grace = std::pin::pin!(tokio::time::sleep(self.scan.rules.grace));
        while !self.tasks.is_empty() {
            tokio::select! {
                Some(done) = self.tasks.join_next_with_id() => self.collect(done),
                () = &mut grace => break,
                () = stopped(&mut stop, Stop::Now) => break,
            }
        }
        // A probe in flight leaves no row: an interrupted probe is not a failed site.
        self.tasks.abort_all();
        if self.wants_proof() && !self.watch.is_blind() {
            self.watch.send(Urgency::Now);
            tokio::select! {
                canary = self.watch.came_back() => self.read(canary),
                () = stopped(&mut stop, Stop::Now) => {}
                () = tokio::time::sleep(LAST_PROOF) => {}
            }
        }
    }

    /// Tells the journal what has become known since it was last told.
    fn keep(&self) {
        let known = self.journal.borrow();
        if known.proofs.len() == self.proofs.len() && known.dns_proofs.len() == self.dns.proven() {
            return;
        }
        drop(known);
        self.journal.send_replace(Journal {
            proofs: self.proofs.clone(),
            dns_proofs: self.dns.proofs(),
            clock_gaps: self.clock.gaps(),
            outages: self.work.log.clone(),
        });
    }

    pub(super) async fn report(self) -> ScanReport {
        let mut stop = self.scan.stop.clone();
        // So that every answer has a proof after it.
        let patience = if self.complete { Duration::MAX } else { LAST_PROOF };
        let test = tokio::time::timeout(patience, self.dns.test());
        unless_stopped(&mut stop, Stop::Now, test).await;
        let end = match (self.complete, self.lost) {
            (false, _) => RunEnd::Interrupted,
            (true, 0) => RunEnd::Complete,
            (true, _) => RunEnd::InternalError,
        };
        let dns_proofs = self.dns.finish();
        ScanReport {
            end,
            proofs: self.proofs,
            dns_proofs,
            clock_gaps: self.clock.gaps(),
            outages: self.work.log,
            lost: self.lost,
        }
    }
}

/// The work of a scan. The pause before a second look goes on while nobody measures.
fn begin(standing: Standing, pause: Duration, now: Timestamp) -> Work {
    let mut work = Work::new(standing.todo, pause);
    let due = |ended: Timestamp| Instant::now() + pause.saturating_sub(Duration::from_millis(now.distance_ms(ended)));
    let second = standing.second.into_iter().map(|second| (second.site, second.number, due(second.ended)));
    work.resume(standing.anew, second.collect());
    work
}

/// How long the servers of a site asked to be left alone, at most. Zero: none did, or not where the site was to be.
fn asked_to_wait(round: &Round) -> Duration {
    let landings = round.walks.iter().filter_map(Walk::landing).filter(|page| matches!(page.status, 429 | 503));
    landings.filter_map(|page| page.retry_after_s).max().map_or(Duration::ZERO, Duration::from_secs)
}

/// Ends once stopping has got this far; never, if nobody can tell any more.
async fn stopped(stop: &mut watch::Receiver<Stop>, at_least: Stop) {
    if stop.wait_for(|stop| *stop >= at_least).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// What comes of work of our own. None: stopping has got this far before.
async fn unless_stopped<T>(
    stop: &mut watch::Receiver<Stop>,
    at_least: Stop,
    work: impl Future<Output = T>,
) -> Option<T> {
    tokio::select! {
        biased;
        () = stopped(stop, at_least) => None,
        done = work => Some(done),
    }
}
