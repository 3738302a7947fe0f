//! Named moments at which a test lets the process die, as by `kill -9`: between two steps that belong together.
//!
//! Only with the feature `fail-points`, which no release has: without it there is nothing here but an empty function.
//! `V6READY_FAIL_POINT=name` lets the process die when it comes to that point, `name:3` when it does so for the third time.

/// Here the process may die.
#[cfg(not(feature = "fail-points"))]
#[inline]
pub(crate) fn at(_: &str) {}

/// Here the process may die.
#[cfg(feature = "fail-points")]
pub(crate) fn at(name: &str) {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static PASSED: AtomicUsize = AtomicUsize::new(0);
    let Ok(wanted) = std::env::var("V6READY_FAIL_POINT") else { return };
    let (point, time) = wanted.split_once(':').unwrap_or((&wanted, "1"));
    if point == name && PASSED.fetch_add(1, Ordering::SeqCst) + 1 == time.parse().unwrap_or(1) {
        #[cfg(unix)]
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        std::process::abort();
    }
}
