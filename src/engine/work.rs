//! The sites still to be looked at: the queue of the present pass, those of the next, and those whose failures wait for a
//! canary's word. Pure bookkeeping. Leaves to others: when to take one, and looking.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::dns_watch::Seen;
use super::fresh::Fresh;
use super::symptoms::Lines;
use crate::model::outage::{Line, Outage};
use crate::model::site::Site;
use crate::model::time::Timestamp;

/// Rounds of a site at most. A line that comes and goes for ever must not have a site measured for ever.
pub(super) const ROUNDS: u8 = 20;
/// Rounds of a site that are made up for because its resolvers were not proven around them.
const MADE_UP: u8 = 3;

/// A site to be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Job {
    /// The site.
    pub(super) site: Site,
    /// Number of the round that will be measured.
    pub(super) number: u8,
    /// Looks that were spoilt by this machine and left no round.
    pub(super) spoilt: u8,
    /// Looks around which the resolvers were not proven, and which were made up for.
    pub(super) made_up: u8,
    /// Not before. None: at once.
    pub(super) due: Option<Instant>,
    /// How much later that is than usual, since the server asked to be left alone for so long.
    pub(super) later: Duration,
    /// Outages for whose sake it is looked at again: indices into the log.
    pub(super) outages: Vec<usize>,
}

impl Job {
    pub(super) fn first(site: Site) -> Self {
        Self { site, number: 1, spoilt: 0, made_up: 0, due: None, later: Duration::ZERO, outages: Vec::new() }
    }
}

/// A place in the queue.
#[derive(Debug)]
enum Queued {
    /// A site that nobody looked at yet, by its number.
    First(usize),
    Again(Box<Job>),
}

impl Queued {
    fn again(job: Job) -> Self {
        Self::Again(Box::new(job))
    }

    fn due(&self) -> Option<Instant> {
        match self {
            Self::First(_) => None,
            Self::Again(job) => job.due,
        }
    }

    fn job(self, fresh: &Fresh) -> Job {
        match self {
            Self::First(number) => Job::first(fresh.site(number)),
            Self::Again(job) => *job,
        }
    }
}

/// A finished look that wants a second one: its failure or a defect of it, or the resolvers were not proven around it.
#[derive(Clone, Debug)]
pub(super) struct Doubt {
    pub(super) job: Job,
    pub(super) began: Instant,
    pub(super) ended: Instant,
    /// How long the server asked to be left alone. Zero: it did not.
    pub(super) asked: Duration,
    /// The lines the failure may have come from.
    pub(super) lines: Lines,
    /// What its answers hang on.
    pub(super) seen: Seen,
}

/// All of it.
#[derive(Debug)]
pub(super) struct Work {
    queue: VecDeque<Queued>,
    fresh: Fresh,
    /// Sites whose look was spoilt by this machine, in order of their due times.
    later: VecDeque<Queued>,
    next: Vec<Job>,
    /// Failures since the last canary.
    waiting: Vec<Doubt>,
    /// Failures that count as far as canaries can tell; the resolvers have not been asked yet.
    believed: Vec<Doubt>,
    /// Failures of a time in which a line was not proven.
    quarantine: Vec<Job>,
    /// When a canary of a line last failed.
    last_bad: HashMap<Line, Instant>,
    /// What was lost, and when.
    pub(super) log: Vec<Outage>,
    /// From the end of a look to the second one.
    pause: Duration,
    pass: u8,
}

impl Work {
    pub(super) fn new(sites: Vec<Site>, pause: Duration) -> Self {
        let fresh = Fresh::new(sites);
        Self {
            queue: (0..fresh.len()).map(Queued::First).collect(),
            fresh,
            later: VecDeque::new(),
            next: Vec::new(),
            waiting: Vec::new(),
            believed: Vec::new(),
            quarantine: Vec::new(),
            last_bad: HashMap::new(),
            log: Vec::new(),
            pause,
            pass: 1,
        }
    }

    /// What an interrupted run left undone: looks that prove nothing, and second looks with the time they are due.
    pub(super) fn resume(&mut self, anew: Vec<(Site, u8)>, second: Vec<(Site, u8, Instant)>) {
        for (site, number) in anew.into_iter().rev().filter(|(_, number)| *number <= ROUNDS) {
            self.queue.push_front(Queued::again(Job { number, ..Job::first(site) }));
        }
        let second = second.into_iter().filter(|(_, number, _)| *number <= ROUNDS);
        self.next.extend(second.map(|(site, number, due)| Job { number, due: Some(due), ..Job::first(site) }));
    }

    /// The next site that is due. None: there is none now.
    pub(super) fn take(&mut self, now: Instant) -> Option<Job> {
        let is_due =
            |queue: &VecDeque<Queued>| queue.front().is_some_and(|queued| queued.due().is_none_or(|due| due <= now));
        let queue = [&mut self.later, &mut self.queue].into_iter().find(|queue| is_due(queue))?;
        queue.pop_front().map(|queued| queued.job(&self.fresh))
    }

    /// When the next site is due. None: nothing is queued.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        let fronts = [&self.later, &self.queue].into_iter().filter_map(|queue| queue.front());
        fronts.map(|queued| queued.due().unwrap_or(now)).min()
    }

    /// No site is left to be looked at in this pass.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.later.is_empty() && self.quarantine.is_empty()
    }

    /// Failures wait for a canary.
    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Begins the second pass. None: it was begun before, or nobody needs it.
    pub(super) fn second_pass(&mut self) -> Option<(usize, Instant)> {
        if self.pass > 1 || self.next.is_empty() {
            return None;
        }
        self.pass = 2;
        // The run does not wait for one server's sake: who asked to be left alone beyond the end of the pass is.
        let usual = self.next.iter().filter_map(|job| Some(job.due? - job.later)).max();
        self.next.retain(|job| job.later.is_zero() || job.due <= usual);
        self.next.sort_by_key(|job| job.due);
        self.queue = std::mem::take(&mut self.next).into_iter().map(Queued::again).collect();
        let due = self.queue.front()?.due()?;
        Some((self.queue.len(), due))
    }

    /// A look that was spoilt by this machine and left nothing behind: once more, later. It counts towards those after which one
    /// is kept as it is, unless it was made among more sites than there will be then.
    pub(super) fn spoilt(&mut self, job: Job, due: Instant, counts: bool) {
        self.later.push_back(Queued::again(Job { spoilt: job.spoilt + u8::from(counts), due: Some(due), ..job }));
    }

    /// A look that wants no second one.
    pub(super) fn settled(&mut self, job: &Job) {
        for index in &job.outages {
            self.log[*index].redone += 1;
        }
    }

    /// A look that does. A failure in a time that is known to be bad goes to quarantine at once.
    pub(super) fn doubted(&mut self, doubt: Doubt) {
        let lasting = self.lasting();
        let bad = |line: &Line| {
            let failed_meanwhile = self.last_bad.get(line).is_some_and(|bad| *bad >= doubt.began);
            hangs_on(doubt.lines, *line) && (failed_meanwhile || lasting.has(*line))
        };
        let bad: Lines = Line::ALL.into_iter().filter(bad).collect();
        if bad.is_empty() { self.waiting.push(doubt) } else { self.isolate(doubt, bad) }
    }

    /// Sites in flight were dropped when the breaker opened.
    pub(super) fn dropped(&mut self, mut job: Job) {
        self.blame(&mut job, self.lasting());
        self.quarantine.push(job);
    }

    /// A line failed: failures over it since its last good canary are worth nothing.
    pub(super) fn failed(&mut self, line: Line, now: Instant) {
        self.last_bad.insert(line, now);
        let waiting = std::mem::take(&mut self.waiting);
        for doubt in waiting {
            if hangs_on(doubt.lines, line) {
                self.isolate(doubt, Lines::from_iter([line]));
            } else {
                self.waiting.push(doubt);
            }
        }
    }

    /// Canaries over these lines were good after having been good before: failures over them are the sites' own.
    pub(super) fn proven(&mut self, good: Lines, sent: Instant) {
        let waiting = std::mem::take(&mut self.waiting);
        for doubt in waiting {
            let acquitted = doubt.ended <= sent && doubt.lines.iter().all(|line| good.has(line));
            if acquitted { self.believe(doubt) } else { self.waiting.push(doubt) }
        }
    }

    /// All failures that wait are believed: nobody can say otherwise.
    pub(super) fn believe_all(&mut self) {
        for doubt in std::mem::take(&mut self.waiting) {
            self.believe(doubt);
        }
    }

    /// All lines are proven: the sites in quarantine are measured anew, before all others. Returns how many.
    pub(super) fn release(&mut self) -> usize {
        let released = self.quarantine.len();
        for job in self.quarantine.drain(..).rev() {
            self.queue.push_front(Queued::again(job));
        }
        released
    }

    /// Opens an entry of the log.
    pub(super) fn note(&mut self, outage: Outage) {
        self.log.push(outage);
    }

    /// The breaker opened: so the entry of the line says.
    pub(super) fn opened(&mut self, line: Line, at: Timestamp) {
        if let Some(outage) = self.current(line) {
            outage.opened = Some(at);
        }
    }

    /// The line is proven again: so its entry says.
    pub(super) fn ended(&mut self, line: Line, at: Timestamp) {
        if let Some(outage) = self.current(line) {
            outage.until = Some(at);
        }
    }

    /// The line has an entry that has not ended.
    pub(super) fn is_noted(&self, line: Line) -> bool {
        self.lasting().has(line)
    }

    /// Lines whose outage has not ended.
    fn lasting(&self) -> Lines {
        self.log.iter().filter(|outage| outage.until.is_none()).map(|outage| outage.line).collect()
    }

    fn current(&mut self, line: Line) -> Option<&mut Outage> {
        self.log.iter_mut().find(|outage| outage.line == line && outage.until.is_none())
    }

    /// A failure that counts: in the first pass it wants the second.
    fn believe(&mut self, doubt: Doubt) {
        self.settled(&doubt.job);
        self.want_another(&doubt);
        self.believed.push(doubt);
    }

    /// A look in the second pass.
    fn want_another(&mut self, doubt: &Doubt) {
        if self.pass == 1 && doubt.job.number < ROUNDS {
            let later = doubt.asked.saturating_sub(self.pause);
            let due = Some(doubt.ended + self.pause + later);
            let job = doubt.job.clone();
            self.next.push(Job { number: job.number + 1, due, later, outages: Vec::new(), ..job });
        }
    }

    /// Failures that canaries have acquitted the vantage of since this was last asked: the resolvers may still be to blame.
    pub(super) fn believed(&mut self) -> Vec<Doubt> {
        std::mem::take(&mut self.believed)
    }

    /// The resolvers were not proven around these looks. If they are now, each is made up for at once, by a round of its own
    /// in addition to a second look that it may want; else it is looked at in the second pass.
    pub(super) fn unproven(&mut self, looks: Vec<Doubt>, proven_now: bool) {
        let next = std::mem::take(&mut self.next);
        let mut second: BTreeMap<_, _> = next.into_iter().map(|job| (job.site.key.clone(), job)).collect();
        let mut more = Vec::new();
        for look in looks {
            let job = &look.job;
            if proven_now && job.made_up < MADE_UP && job.number < ROUNDS && look.asked.is_zero() {
                // If its failure is seen again, it wants its second look anew.
                second.remove(&job.site.key);
                let (number, made_up) = (job.number + 1, job.made_up + 1);
                self.queue.push_back(Queued::again(Job {
                    number,
                    made_up,
                    due: None,
                    outages: Vec::new(),
                    ..look.job
                }));
            } else if !second.contains_key(&job.site.key) {
                more.push(look);
            }
        }
        self.next.extend(second.into_values());
        for look in &more {
            self.want_another(look);
        }
    }

    fn isolate(&mut self, doubt: Doubt, bad: Lines) {
        if doubt.job.number >= ROUNDS {
            return;
        }
        let mut job = Job { number: doubt.job.number + 1, due: None, ..doubt.job };
        self.blame(&mut job, bad);
        self.quarantine.push(job);
    }

    /// Writes a quarantined site down under the latest outage of each of these lines.
    fn blame(&mut self, job: &mut Job, lines: Lines) {
        for line in lines.iter() {
            let latest = self.log.iter().rposition(|outage| outage.line == line);
            if let Some(index) = latest.filter(|index| !job.outages.contains(index)) {
                self.log[index].quarantined += 1;
                job.outages.push(index);
            }
        }
    }
}

/// Failures over these lines hang on this one. Anchors are known by name: while nothing is resolved, no family is proven.
fn hangs_on(lines: Lines, line: Line) -> bool {
    lines.has(line) || line == Line::Dns
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::outage::Trigger;

    fn lines(of: &[Line]) -> Lines {
        of.iter().copied().collect()
    }

    fn noted(work: &mut Work, line: Line) {
        let at = Timestamp(0);
        work.note(Outage {
            line,
            why: Trigger::Canaries,
            since: at,
            opened: None,
            until: None,
            quarantined: 0,
            redone: 0,
        });
    }

    /// A look over IPv6 from one second to another that wants a second one.
    fn doubt(work: &mut Work, zero: Instant, from: u64, to: u64) {
        let job = work.take(zero).expect("a job");
        let at = |second| zero + Duration::from_secs(second);
        let (asked, lines, seen) = (Duration::ZERO, lines(&[Line::Ipv6]), Seen::default());
        work.doubted(Doubt { job, began: at(from), ended: at(to), asked, lines, seen });
    }

    fn work(sites: usize) -> (Work, Instant) {
        let sites = (0..sites).map(|i| Site::new(format!("s{i}.example"), None, None, None)).collect();
        (Work::new(sites, Duration::from_mins(10)), Instant::now())
    }

    #[test]
    fn a_failure_counts_after_a_good_canary() {
        let (mut work, zero) = work(1);
        doubt(&mut work, zero, 0, 5);
        work.proven(lines(&[Line::Ipv4, Line::Dns]), zero + Duration::from_secs(6));
        assert!(work.is_waiting(), "nothing was said of IPv6");
        work.proven(lines(&Line::ALL), zero + Duration::from_secs(4));
        assert!(work.is_waiting(), "sent before it failed");
        work.proven(lines(&Line::ALL), zero + Duration::from_secs(6));
        assert_eq!(work.second_pass(), Some((1, zero + Duration::from_secs(605))));
        assert_eq!(work.take(zero + Duration::from_secs(606)).map(|job| job.number), Some(2));
    }

    #[test]
    fn a_failed_canary_sends_failures_into_quarantine() {
        for (failing, quarantined) in [(Line::Ipv6, true), (Line::Dns, true), (Line::Ipv4, false)] {
            let (mut work, zero) = work(1);
            doubt(&mut work, zero, 0, 5);
            noted(&mut work, failing);
            work.failed(failing, zero + Duration::from_secs(6));
            assert_eq!(work.is_waiting(), !quarantined, "{failing:?}");
            work.ended(failing, Timestamp(9));
            assert_eq!(work.release(), usize::from(quarantined));
            assert_eq!(work.log[0].quarantined, u32::from(quarantined));
            if let Some(job) = work.take(zero) {
                assert_eq!((job.number, job.due), (2, None), "a round of its own, at once");
                work.settled(&job);
                assert_eq!(work.log[0].redone, 1);
            }
        }
    }

    #[test]
    fn what_was_under_way_while_a_canary_failed_is_measured_again() {
        // The canary failed at second 10; the look went on from one second to another.
        for (from, to, quarantined) in [(5, 12, true), (10, 12, true), (11, 12, false)] {
            let (mut work, zero) = work(1);
            noted(&mut work, Line::Ipv6);
            work.failed(Line::Ipv6, zero + Duration::from_secs(10));
            work.ended(Line::Ipv6, Timestamp(10));
            doubt(&mut work, zero, from, to);
            assert_eq!(work.is_waiting(), !quarantined, "{from} {to}");
        }
    }

    #[test]
    fn nobody_is_measured_for_ever() {
        let (mut work, zero) = work(1);
        for number in 1..=ROUNDS {
            assert!(!work.is_empty(), "{number}");
            noted(&mut work, Line::Ipv6);
            doubt(&mut work, zero, 0, 5);
            work.ended(Line::Ipv6, Timestamp(0));
            work.release();
        }
        assert!(work.is_empty() && !work.is_waiting());
    }

    #[test]
    fn a_look_without_proven_resolvers_is_made_up_for() {
        for (proven_now, failing_again, looks) in [(true, true, &[2, 3][..]), (true, false, &[2]), (false, true, &[2])]
        {
            let (mut work, zero) = work(1);
            doubt(&mut work, zero, 0, 5);
            work.believe_all();
            let [look] = work.believed().try_into().expect("one look");
            work.unproven(vec![look], proven_now);
            let mut made = Vec::new();
            if proven_now {
                assert_eq!(work.due(zero), Some(zero), "at once");
                let job = work.take(zero).expect("a job");
                made.push(job.number);
                let end = zero + Duration::from_secs(9);
                let (asked, lines, seen) = (Duration::ZERO, Lines::default(), Seen::default());
                let look = Doubt { job, began: zero, ended: end, asked, lines, seen };
                if failing_again {
                    work.doubted(look);
                    work.believe_all();
                }
            }
            work.second_pass();
            made.extend(work.take(zero + Duration::from_hours(1)).map(|job| job.number));
            assert_eq!(made, looks, "{proven_now} {failing_again}");
        }
    }

    #[test]
    fn resolvers_that_are_never_proven_end_a_run_all_the_same() {
        let (mut work, zero) = work(1);
        let mut looks = 0;
        while let Some(job) = work.take(zero) {
            looks += 1;
            let (asked, lines, seen) = (Duration::ZERO, Lines::default(), Seen::default());
            work.unproven(vec![Doubt { job, began: zero, ended: zero, asked, lines, seen }], true);
        }
        assert_eq!(looks, 1 + MADE_UP);
    }

    #[test]
    fn a_spoilt_look_is_made_later_under_the_same_number() {
        let (mut work, zero) = work(2);
        let job = work.take(zero).expect("a job");
        let (site, due) = (job.site.clone(), zero + Duration::from_secs(5));
        work.spoilt(job, due, true);
        assert!(work.take(zero).is_some_and(|job| job.spoilt == 0), "others do not wait for it");
        assert_eq!((work.take(zero), work.due(zero)), (None, Some(due)));
        assert!(work.take(due).is_some_and(|job| (job.number, job.spoilt) == (1, 1)));
        let job = Job { spoilt: 1, ..Job::first(site) };
        work.spoilt(job, due, false);
        assert!(work.take(due).is_some_and(|job| job.spoilt == 1), "the crowd's shortage is not counted");
    }
}

#[cfg(test)]
mod courtesy {
    use super::*;

    const PAUSE: Duration = Duration::from_mins(10);

    /// Second looks, in minutes after the first, of sites that asked to be left alone for so many minutes (0: did not ask).
    fn second_looks(asked: &[u64]) -> Vec<u64> {
        let began = Instant::now();
        let mut work = Work::new(Vec::new(), PAUSE);
        for minutes in asked {
            let job = Job::first(Site::new(format!("s{minutes}.example"), None, None, None));
            let asked = Duration::from_mins(*minutes);
            work.doubted(Doubt { job, began, ended: began, asked, lines: Lines::default(), seen: Seen::default() });
        }
        work.believe_all();
        work.second_pass();
        let due = work.queue.iter().filter_map(Queued::due);
        due.map(|due| (due - began).as_secs() / 60).collect()
    }

    #[test]
    fn who_asked_to_be_left_alone_is_looked_at_when_the_time_has_come_or_not_at_all() {
        assert_eq!(second_looks(&[0, 0]), [10, 10]);
        assert_eq!(second_looks(&[5, 0]), [10, 10]);
        // Nobody else keeps the run going so long.
        assert_eq!(second_looks(&[15, 0]), [10]);
        assert_eq!(second_looks(&[15]), [] as [u64; 0]);
        assert_eq!(second_looks(&[5]), [10]);
    }

    #[test]
    fn a_run_that_goes_on_long_enough_comes_back() {
        let began = Instant::now();
        let mut work = Work::new(Vec::new(), PAUSE);
        for (name, ended, asked) in [("early", 0, 15), ("late", 8, 0)] {
            let job = Job::first(Site::new(format!("{name}.example"), None, None, None));
            let (ended, asked) = (began + Duration::from_mins(ended), Duration::from_mins(asked));
            work.doubted(Doubt { job, began, ended, asked, lines: Lines::default(), seen: Seen::default() });
        }
        work.believe_all();
        assert_eq!(work.second_pass().map(|(sites, due)| (sites, due - began)), Some((2, Duration::from_mins(15))));
    }
}
