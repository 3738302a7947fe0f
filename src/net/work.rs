//! Whether a site in flight works or only waits for its turn.
//!
//! Turns at a crowded address take minutes. A site that waits for one gives its place among the sites under way back, so
//! that a provider with hundreds of schools does not keep the others from being measured, and its deadline stands still:
//! what is waited for is our own courtesy and says nothing about the site. Leaves to others: who waits for what
//! ([`super::turn`]), and how many places there are (the engine).
//!
//! The steps of a site run side by side in places ([`both`], [`all`]); it waits when every one of them does. The state
//! belongs to the task, not to a parameter that every step would have to hand on; so does the count of what this machine had not
//! to give to the site.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::poll;
use tokio::sync::Notify;
use tokio::time::Instant;

tokio::task_local! {
    static WORK: Arc<Work>;
}

/// The least time between two looks at a deadline that stands still.
const GLANCE: Duration = Duration::from_millis(50);

/// Places among the sites under way. A new site needs a free one. One whose turn has come goes on at once, also where that
/// makes one too many: it may hold what others wait for. Then no new site is begun until there are fewer again.
///
/// A site that has worked for a while waits for its servers most of the time: it moves to one of the places for slow ones, as
/// long as there are some, so that a few hundred sites that drip cannot hold up the others (docs/decisions/0012).
#[derive(Debug)]
pub struct Places {
    usual: Lane,
    slow: Lane,
    slow_after: Duration,
}

/// Places of one kind.
#[derive(Debug)]
struct Lane {
    limit: AtomicUsize,
    taken: AtomicUsize,
    freed: Notify,
}

impl Lane {
    fn new(limit: usize) -> Self {
        Self { limit: AtomicUsize::new(limit), taken: AtomicUsize::new(0), freed: Notify::new() }
    }

    fn is_free(&self) -> bool {
        self.taken.load(Ordering::SeqCst) < self.limit.load(Ordering::SeqCst)
    }

    fn take(&self) {
        self.taken.fetch_add(1, Ordering::SeqCst);
    }

    fn give_back(&self) {
        self.taken.fetch_sub(1, Ordering::SeqCst);
        self.freed.notify_one();
    }
}

impl Places {
    /// So many, and so many more for sites that have worked for longer than `slow_after`.
    pub fn new(limit: usize, slow: usize, slow_after: Duration) -> Arc<Self> {
        Arc::new(Self { usual: Lane::new(limit), slow: Lane::new(slow), slow_after })
    }

    /// So many from now on, and so many for slow ones. Who has one keeps it.
    pub fn set_limits(&self, usual: usize, slow: usize) {
        for (lane, limit) in [(&self.usual, usual), (&self.slow, slow)] {
            lane.limit.store(limit, Ordering::SeqCst);
            lane.freed.notify_one();
        }
    }

    /// How many there are, and how many for slow ones.
    pub fn limits(&self) -> (usize, usize) {
        let limit = |lane: &Lane| lane.limit.load(Ordering::SeqCst);
        (limit(&self.usual), limit(&self.slow))
    }

    /// There is a free one for a new site.
    pub fn is_free(&self) -> bool {
        self.usual.is_free()
    }

    /// Waits until there is one, for the one who begins sites.
    pub async fn free(&self) {
        while !self.is_free() {
            self.usual.freed.notified().await;
        }
    }

    fn lane(&self, slow: bool) -> &Lane {
        if slow { &self.slow } else { &self.usual }
    }
}

/// One site in flight.
#[derive(Debug, Default)]
pub struct Work {
    /// Where it has its place while it works. None: it needs none.
    places: Option<Arc<Places>>,
    state: Mutex<State>,
    /// Descriptors, buffers, ports that could not be had.
    shortages: AtomicUsize,
}

#[derive(Debug)]
struct State {
    /// Steps that do not wait.
    active: usize,
    /// Since when nothing but waiting happens.
    idle_since: Option<Instant>,
    /// What passed like that before.
    idle: Duration,
    /// It has, or would have, a place among the slow.
    slow: bool,
}

impl Default for State {
    fn default() -> Self {
        Self { active: 1, idle_since: None, idle: Duration::ZERO, slow: false }
    }
}

impl Work {
    /// A site that begins, with a place among these.
    pub fn at(places: &Arc<Places>) -> Self {
        places.usual.take();
        Self { places: Some(Arc::clone(places)), state: Mutex::default(), shortages: AtomicUsize::new(0) }
    }

    /// Runs the site's steps.
    pub fn run<F: Future>(self, steps: F) -> impl Future<Output = F::Output> {
        let work = Arc::new(self);
        // On the heap: a site's steps are large, and are moved several times before they are run.
        let mut steps = Box::pin(WORK.scope(Arc::clone(&work), steps));
        async move {
            tokio::select! {
                biased;
                done = &mut steps => return done,
                () = work.slow_down() => {}
            }
            steps.await
        }
    }

    /// Ends once the site has worked for so long that it is slow, and has found a place among the slow.
    async fn slow_down(&self) {
        let Some(places) = &self.places else { return };
        let begun = Instant::now();
        loop {
            let (now, due) = (Instant::now(), begun + places.slow_after + self.idle());
            if due <= now {
                break;
            }
            tokio::time::sleep_until(due.max(now + GLANCE)).await;
        }
        while !self.move_over(places) {
            places.slow.freed.notified().await;
        }
    }

    /// Takes a place among the slow, if there is one.
    fn move_over(&self, places: &Places) -> bool {
        let mut state = self.state();
        if !places.slow.is_free() {
            return false;
        }
        state.slow = true;
        if state.idle_since.is_none() {
            places.slow.take();
            places.usual.give_back();
        }
        true
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One step less that does something.
    fn pause(&self) {
        let mut state = self.state();
        state.active = state.active.saturating_sub(1);
        if state.active == 0 && state.idle_since.is_none() {
            state.idle_since = Some(Instant::now());
            if let Some(places) = &self.places {
                places.lane(state.slow).give_back();
            }
        }
    }

    /// One step more.
    fn resume(&self) {
        let mut state = self.state();
        state.active += 1;
        if let Some(since) = state.idle_since.take() {
            state.idle += since.elapsed();
            if let Some(places) = &self.places {
                places.lane(state.slow).take();
            }
        }
    }

    fn idle(&self) -> Duration {
        let state = self.state();
        state.idle + state.idle_since.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let (working, slow) = {
            let state = self.state();
            (state.idle_since.is_none(), state.slow)
        };
        if let Some(places) = self.places.as_ref().filter(|_| working) {
            places.lane(slow).give_back();
        }
    }
}

/// A step that waits; it goes on when this is dropped, also where that is because its site came to an end.
struct Paused<'a>(&'a Work);

impl Drop for Paused<'_> {
    fn drop(&mut self) {
        self.0.resume();
    }
}

/// Waits for something that is not the site's doing.
pub async fn waiting<F: Future>(turn: F) -> F::Output {
    let mut turn = pin!(turn);
    // Most turns come at once.
    if let Poll::Ready(come) = poll!(turn.as_mut()) {
        return come;
    }
    let Ok(work) = WORK.try_with(Arc::clone) else { return turn.await };
    work.pause();
    let _paused = Paused(&work);
    turn.await
}

/// This machine had no descriptor, buffer or port to give to the site in flight.
pub fn ran_short() {
    // What belongs to no site is nobody's look.
    let _ = WORK.try_with(|work| work.shortages.fetch_add(1, Ordering::Relaxed));
}

/// How often that happened to the site in flight. 0 also where there is none.
pub fn shortages() -> usize {
    WORK.try_with(|work| work.shortages.load(Ordering::Relaxed)).unwrap_or(0)
}

/// Runs a site's steps until they have worked for longer than this, waiting not counted. None: they had.
pub async fn within<F: Future>(limit: Duration, steps: F) -> Option<F::Output> {
    let work = WORK.try_with(Arc::clone).unwrap_or_default();
    let mut steps = Box::pin(steps);
    WORK.scope(Arc::clone(&work), async move {
        let begun = Instant::now();
        let before = work.idle();
        let mut due = begun + limit;
        loop {
            if let Ok(done) = tokio::time::timeout_at(due, steps.as_mut()).await {
                return Some(done);
            }
            let now = Instant::now();
            due = begun + limit + work.idle().saturating_sub(before);
            if due <= now {
                return None;
            }
            due = due.max(now + GLANCE);
        }
    })
    .await
}

/// Two steps side by side.
pub async fn both<A: Future, B: Future>(one: A, other: B) -> (A::Output, B::Output) {
    let fork = Fork::into(2);
    tokio::join!(fork.branch(Box::pin(one)), fork.branch(Box::pin(other)))
}

/// Many steps side by side; the results in their order.
pub async fn all<F: Future>(steps: Vec<F>) -> Vec<F::Output> {
    let fork = Fork::into(steps.len());
    join_all(steps.into_iter().map(|step| fork.branch(step))).await
}

/// Branches of which each counts until it is done; the last one's count is that of the step that began them.
struct Fork {
    work: Option<Arc<Work>>,
    left: AtomicUsize,
}

impl Fork {
    fn into(branches: usize) -> Self {
        let work = WORK.try_with(Arc::clone).ok();
        if let Some(work) = &work {
            work.state().active += branches.saturating_sub(1);
        }
        Self { work, left: AtomicUsize::new(branches) }
    }

    async fn branch<F: Future>(&self, step: F) -> F::Output {
        let done = step.await;
        if self.left.fetch_sub(1, Ordering::Relaxed) > 1
            && let Some(work) = &self.work
        {
            work.pause();
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn second() {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_stands_still_while_everything_waits() {
        let limit = Duration::from_millis(1500);
        assert_eq!(within(limit, async { waiting(tokio::time::sleep(Duration::from_hours(1))).await }).await, Some(()));
        assert_eq!(within(limit, async { both(second(), waiting(second())).await }).await, Some(((), ())));
        // One branch works while the other waits: time passes.
        let busy = async {
            both(waiting(tokio::time::sleep(Duration::from_hours(1))), async {
                second().await;
                second().await;
            })
            .await
        };
        assert_eq!(within(limit, busy).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_is_free_while_everything_waits_and_no_longer() {
        let places = Places::new(1, 0, Duration::from_secs(1));
        let site = Work::at(&places).run(async {
            // One step works for a second and then waits for one; the other waits for three.
            let first = async {
                second().await;
                waiting(second()).await;
                assert!(!places.is_free(), "whoever goes on has a place again");
            };
            both(first, waiting(tokio::time::sleep(Duration::from_secs(3)))).await;
            assert!(!places.is_free());
        });
        let watch = async {
            let mut free = Vec::new();
            for _ in 0..4 {
                tokio::time::sleep(Duration::from_millis(700)).await;
                free.push(places.is_free());
            }
            free
        };
        // At 0.7 s a step works; at 1.4 s both wait; then one is done and the other waits.
        assert_eq!(tokio::join!(site, watch).1, [false, true, true, true]);
        assert!(places.is_free());
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_does_not_hold_up_others_and_is_not_held_up_by_them() {
        let places = Places::new(1, 0, Duration::from_secs(1));
        let begun = Instant::now();
        let crowded = Work::at(&places).run(async {
            waiting(second()).await;
            begun.elapsed()
        });
        let other = async {
            places.free().await;
            let site = Work::at(&places).run(tokio::time::sleep(Duration::from_mins(1)));
            let at = begun.elapsed();
            site.await;
            at
        };
        let (crowded, other) = tokio::join!(crowded, other);
        assert_eq!((crowded.as_secs(), other.as_secs()), (1, 0));
        assert!(places.is_free());
    }

    #[tokio::test(start_paused = true)]
    async fn a_site_that_is_dropped_leaves_its_place_once() {
        for patience in [500, 1500] {
            let places = Places::new(1, 0, Duration::from_secs(1));
            let site = Work::at(&places).run(async {
                waiting(second()).await;
                second().await;
            });
            assert!(tokio::time::timeout(Duration::from_millis(patience), site).await.is_err());
            assert_eq!(places.usual.taken.load(Ordering::SeqCst), 0);
        }
    }

    /// A site that works for so long, in a place of its own if there is a free one.
    fn begin(places: &Arc<Places>, seconds: u64) -> Option<tokio::task::JoinHandle<()>> {
        let work = places.is_free().then(|| Work::at(places))?;
        Some(tokio::spawn(work.run(tokio::time::sleep(Duration::from_secs(seconds)))))
    }

    #[tokio::test(start_paused = true)]
    async fn slow_ones_make_room_as_long_as_there_is_some() {
        let places = Places::new(2, 1, Duration::from_millis(500));
        assert!(begin(&places, 60).is_some());
        assert!(begin(&places, 60).is_some());
        assert!(begin(&places, 1).is_none(), "both places are taken");
        second().await;
        // One of them has moved; the other found the place for slow ones taken.
        assert!(begin(&places, 1).is_some());
        assert!(begin(&places, 1).is_none());
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(begin(&places, 1).is_some(), "the third is done");
    }

    #[tokio::test(start_paused = true)]
    async fn all_places_are_free_again_in_the_end() {
        let places = Places::new(2, 2, Duration::from_secs(1));
        for seconds in [0, 5, 5, 1, 3] {
            places.free().await;
            let patient = async move {
                waiting(second()).await;
                tokio::time::sleep(Duration::from_secs(seconds)).await;
            };
            tokio::spawn(Work::at(&places).run(patient));
        }
        tokio::time::sleep(Duration::from_secs(30)).await;
        assert_eq!([&places.usual, &places.slow].map(|lane| lane.taken.load(Ordering::SeqCst)), [0, 0]);
    }
}
