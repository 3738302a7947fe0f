//! Places for sites in flight: so many at once, and more for those that turn out to be slow.
//!
//! A site begins in one of the places for all. If it is still under way after a while, it waits for somebody most of the time,
//! and moves to a place among the slow, so that its first place is free for the next site. Where those are taken as well, it
//! stays where it is. So a few hundred sites that drip cannot hold up the others (docs/decisions/0010). Leaves to others: what
//! a site does with its place, and pauses between connections (`pace`).

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The places of a round.
#[derive(Clone, Debug)]
pub(super) struct Places {
    all: Arc<Semaphore>,
    slow: Arc<Semaphore>,
    slow_after: Duration,
}

/// One site's place.
#[derive(Debug)]
pub(super) struct Place {
    first: OwnedSemaphorePermit,
    places: Places,
}

impl Places {
    /// Places for so many sites at once, and for so many more that are under way for longer than `slow_after`.
    pub(super) fn new(jobs: usize, slow_jobs: usize, slow_after: Duration) -> Self {
        let semaphore = |places| Arc::new(Semaphore::new(places));
        Self { all: semaphore(jobs.max(1)), slow: semaphore(slow_jobs), slow_after }
    }

    /// Waits for a place. None: never, since the semaphores are not closed.
    pub(super) async fn take(&self) -> Option<Place> {
        let first = Arc::clone(&self.all).acquire_owned().await.ok()?;
        Some(Place { first, places: self.clone() })
    }
}

impl Place {
    /// Works in this place, and later perhaps in another.
    pub(super) async fn hold<T>(self, work: impl Future<Output = T>) -> T {
        let Self { first, places } = self;
        let mut work = pin!(work);
        let moved = async {
            tokio::time::sleep(places.slow_after).await;
            Arc::clone(&places.slow).acquire_owned().await
        };
        tokio::select! {
            biased;
            done = &mut work => done,
            _slow = moved => {
                drop(first);
                work.await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn begin(places: &Places, seconds: u64) -> Option<tokio::task::JoinHandle<()>> {
        let place = tokio::time::timeout(Duration::from_millis(1), places.take()).await.ok()??;
        Some(tokio::spawn(place.hold(tokio::time::sleep(Duration::from_secs(seconds)))))
    }

    #[tokio::test(start_paused = true)]
    async fn slow_ones_make_room_as_long_as_there_is_some() {
        let places = Places::new(2, 1, Duration::from_secs(1));
        assert!(begin(&places, 60).await.is_some());
        assert!(begin(&places, 60).await.is_some());
        assert!(begin(&places, 1).await.is_none(), "both places are taken");
        tokio::time::sleep(Duration::from_secs(2)).await;
        // One of them has moved; the other found the place for slow ones taken.
        let third = begin(&places, 1).await;
        assert!(third.is_some());
        assert!(begin(&places, 1).await.is_none());
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(begin(&places, 1).await.is_some(), "the third is done");
    }

    #[tokio::test(start_paused = true)]
    async fn all_places_are_free_again_in_the_end() {
        let places = Places::new(2, 2, Duration::from_secs(1));
        for seconds in [0, 5, 5, 1, 3] {
            let place = places.take().await.unwrap();
            tokio::spawn(place.hold(tokio::time::sleep(Duration::from_secs(seconds))));
        }
        tokio::time::sleep(Duration::from_secs(30)).await;
        assert_eq!((places.all.available_permits(), places.slow.available_permits()), (2, 2));
    }
}
