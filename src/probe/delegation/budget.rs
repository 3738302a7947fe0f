//! How much one zone may cost: so many queries, so much time. What was learnt before stands.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// What is left.
#[derive(Debug)]
pub(super) struct Budget {
    queries: AtomicUsize,
    until: Instant,
}

impl Budget {
    pub(super) fn new(queries: usize, time: Duration) -> Self {
        Self { queries: AtomicUsize::new(queries), until: Instant::now() + time }
    }

    /// Takes one query. False: there is none left, or the time is over.
    pub(super) fn spend(&self) -> bool {
        let less = |left: usize| left.checked_sub(1);
        Instant::now() < self.until && self.queries.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn queries_and_time_run_out() {
        let budget = Budget::new(2, Duration::from_secs(1));
        assert_eq!([budget.spend(), budget.spend(), budget.spend()], [true, true, false]);
        let budget = Budget::new(2, Duration::from_secs(1));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!budget.spend());
    }
}
