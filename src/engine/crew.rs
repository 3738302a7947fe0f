//! How many sites are under way at once: as many as the rules want, as far as this machine has room for them; fewer while it runs
//! short, and slowly more again. Leaves to others: which site is begun, and what a shortage does to a look.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::scan::ScanRules;
use crate::net::work::Places;

/// Looks without a shortage after which one more site at once is tried.
const RELIEF: usize = 20;

/// Sites that may be under way or wait for their turns, where there is room for all that are wanted. A bound on memory: what a site
/// that waits keeps is some ten kilobytes.
const IN_FLIGHT: usize = 4096;

/// Sites under way or waiting for each place, where there is not room for all. Most that wait hold a few sockets, of the 32 that are
/// reckoned for one that works.
const WAITING: usize = 4;

/// The number, and the places it makes.
#[derive(Debug)]
pub(super) struct Crew {
    places: Arc<Places>,
    /// What the rules want: usual sites, slow ones.
    wanted: (usize, usize),
    /// Of the usual ones, what there is room for.
    most: usize,
    /// And what of these is used.
    now: usize,
    /// Slow ones there is room for beside all usual ones.
    slow: usize,
    /// At least so long from one lowering to the next: sites that were under way together run short together.
    pause: Duration,
    /// When the number was last lowered. None: never.
    lowered: Option<Instant>,
    /// When a shortage was last heeded.
    heeded: Option<Instant>,
    /// Clean looks since then.
    clean: usize,
}

impl Crew {
    /// What the rules want, as far as there is room. None: there is no bound.
    pub(super) fn new(rules: &ScanRules, room: Option<usize>) -> Self {
        let places = Places::new(1, 0, rules.slow_after);
        Self::at(places, (rules.jobs.max(1), rules.slow_jobs), rules.recovery_interval, room)
    }

    fn at(places: Arc<Places>, wanted: (usize, usize), pause: Duration, room: Option<usize>) -> Self {
        let mut crew = Self { places, wanted, most: 1, now: 1, slow: 0, pause, lowered: None, heeded: None, clean: 0 };
        crew.measure(room);
        crew.now = crew.most;
        crew.place();
        crew
    }

    /// The places of the sites under way.
    pub(super) fn places(&self) -> &Arc<Places> {
        &self.places
    }

    /// Sites under way and sites that wait for their turns, together. A site that waits may still hold sockets, so where this
    /// machine is the bound there are no more than four for each place.
    pub(super) fn in_flight(&self) -> usize {
        if self.now < self.wanted.0 { WAITING * self.now } else { IN_FLIGHT.max(self.now) }
    }

    /// Sites at once.
    pub(super) fn size(&self) -> usize {
        self.now
    }

    /// There is room for so many now. The usual ones come first, then the slow. Returns whether there have to be fewer at once.
    pub(super) fn fits(&mut self, room: Option<usize>) -> bool {
        let before = (self.most, self.slow);
        self.measure(room);
        let fewer = self.now > self.most;
        if fewer {
            self.now = self.most;
            self.lowered = Some(Instant::now());
        }
        if before != (self.most, self.slow) {
            self.place();
        }
        fewer
    }

    /// This machine ran short in a look: half as many from now on. Returns whether that is news.
    pub(super) fn ran_short(&mut self) -> bool {
        let now = Instant::now();
        self.clean = 0;
        if self.heeded.is_some_and(|at| now - at < self.pause) {
            return false;
        }
        self.heeded = Some(now);
        if self.now > 1 {
            self.now /= 2;
            self.lowered = Some(now);
        }
        self.place();
        true
    }

    /// A look was made in which it did not.
    pub(super) fn had_enough(&mut self) {
        if self.now >= self.most {
            return;
        }
        self.clean += 1;
        if self.clean >= RELIEF {
            self.clean = 0;
            self.now += 1;
            self.place();
        }
    }

    /// A look that began then was made among as many as now, so that a shortage in it is not one of a larger crowd's.
    pub(super) fn is_of_this_size(&self, began: Instant) -> bool {
        self.lowered.is_none_or(|at| began > at)
    }

    fn measure(&mut self, room: Option<usize>) {
        let room = room.unwrap_or(usize::MAX);
        self.most = self.wanted.0.min(room).max(1);
        self.slow = self.wanted.1.min(room.saturating_sub(self.most));
    }

    /// Slow ones hold as much as others do, so there are fewer of them in proportion.
    fn place(&self) {
        self.places.set_limits(self.now, self.slow.saturating_mul(self.now) / self.most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crew(jobs: usize, slow: usize, room: Option<usize>) -> Crew {
        let second = Duration::from_secs(1);
        Crew::at(Places::new(1, 0, second), (jobs, slow), 5 * second, room)
    }

    #[test]
    fn there_are_as_many_as_there_is_room_for_the_slow_ones_last() {
        for (jobs, slow, room, limits) in [
            (40, 20, None, (40, 20)),
            (40, 20, Some(100), (40, 20)),
            (40, 20, Some(50), (40, 10)),
            (40, 20, Some(6), (6, 0)),
            (40, 20, Some(0), (1, 0)),
        ] {
            let crew = crew(jobs, slow, room);
            assert_eq!(crew.places.limits(), limits, "{jobs} {slow} {room:?}");
            assert_eq!(crew.in_flight(), if limits.0 < jobs { WAITING * limits.0 } else { IN_FLIGHT });
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_that_is_lowered_in_mid_run_is_kept_at_once_and_one_that_is_raised_slowly() {
        let mut crew = crew(40, 20, Some(100));
        let before = Instant::now();
        assert!(!crew.fits(Some(100)));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(crew.fits(Some(6)));
        assert_eq!(crew.places.limits(), (6, 0));
        assert!(!crew.is_of_this_size(before), "that one was begun among forty");
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(crew.is_of_this_size(Instant::now()));
        assert!(!crew.fits(None), "more room asks for nothing");
        assert_eq!(crew.size(), 6);
        for _ in 0..RELIEF * 40 {
            crew.had_enough();
        }
        assert_eq!(crew.places.limits(), (40, 20));
    }

    #[tokio::test(start_paused = true)]
    async fn a_shortage_halves_the_number_once_in_a_while_and_good_looks_raise_it() {
        let mut crew = crew(8, 4, None);
        assert!(crew.ran_short());
        assert!(!crew.ran_short(), "they ran short together");
        assert_eq!(crew.places.limits(), (4, 2));
        for left in [2, 1, 1] {
            tokio::time::advance(Duration::from_secs(6)).await;
            let began = Instant::now();
            tokio::time::advance(Duration::from_secs(1)).await;
            let alone = crew.size() == 1;
            assert!(crew.ran_short());
            assert_eq!(crew.size(), left);
            assert_eq!(crew.is_of_this_size(began), alone, "one alone cannot be one of too many");
        }
        for _ in 0..RELIEF {
            crew.had_enough();
        }
        assert_eq!(crew.size(), 2);
    }
}
