//! A sign of life while a scan runs: a file beside the history, written anew several times a minute.
//!
//! It is written by a thread of its own, since judging and rendering a province keep the others busy for longer than a
//! heartbeat may be old. When the scan ends the file goes; a scan that was killed leaves it behind, and it grows old.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{beside, replace};
use crate::clock::Clock;
use crate::model::time::Timestamp;

/// Between two beats.
const EVERY: Duration = Duration::from_secs(15);
/// A heartbeat that is older has stopped: three were missed.
pub const OLD_MS: u64 = 60_000;
/// A heartbeat file is a few lines; more is none of ours.
const MOST_BYTES: u64 = 4096;

/// What a scan says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beat {
    /// Its process.
    pub pid: u32,
    /// When it began.
    pub started: Timestamp,
    /// When this was written.
    pub at: Timestamp,
    /// Sites of the present round. None: the round has not begun.
    pub sites: Option<u64>,
    /// Sites of the present round that are done.
    pub done: u64,
    /// When a site was last done. None: none yet.
    pub progress_at: Option<Timestamp>,
}

/// The heartbeat of a running scan. Stops, and takes its file away, when the last clone is dropped.
#[derive(Clone, Debug)]
pub struct Heartbeat(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    beat: Arc<Mutex<Beat>>,
    clock: Arc<dyn Clock>,
    path: PathBuf,
    /// Dropped to end the thread.
    alive: Option<Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Heartbeat {
    /// Begins to beat beside a history. A folder that cannot be written to has no heartbeat; that is no reason not to
    /// measure, and `status` says that there is none.
    pub fn begin(history: &Path, clock: Arc<dyn Clock>) -> Self {
        Self::every(EVERY, history, clock)
    }

    fn every(pause: Duration, history: &Path, clock: Arc<dyn Clock>) -> Self {
        let path = path_of(history);
        let now = clock.now();
        let beat = Beat { pid: std::process::id(), started: now, at: now, sites: None, done: 0, progress_at: None };
        let beat = Arc::new(Mutex::new(beat));
        let (alive, ended) = channel();
        let (shared, at, wall) = (Arc::clone(&beat), path.clone(), Arc::clone(&clock));
        let work = move || {
            loop {
                let beat = {
                    let mut beat = shared.lock().unwrap_or_else(PoisonError::into_inner);
                    beat.at = wall.now();
                    beat.clone()
                };
                write(&at, &beat);
                if ended.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("heartbeat".to_owned()).spawn(work).ok();
        Self(Arc::new(Inner { beat, clock, path, alive: Some(alive), thread }))
    }

    /// A round of so many sites begins.
    pub fn round(&self, sites: usize) {
        let mut beat = self.0.beat.lock().unwrap_or_else(PoisonError::into_inner);
        beat.sites = Some(sites as u64);
        beat.done = 0;
    }

    /// So many sites were put back into the present round.
    pub fn more(&self, sites: usize) {
        let mut beat = self.0.beat.lock().unwrap_or_else(PoisonError::into_inner);
        beat.sites = Some(beat.sites.unwrap_or_default() + sites as u64);
    }

    /// A site is done.
    pub fn done(&self) {
        let now = self.0.clock.now();
        let mut beat = self.0.beat.lock().unwrap_or_else(PoisonError::into_inner);
        beat.done += 1;
        beat.progress_at = Some(now);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        drop(self.alive.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        // Not there is what is wanted.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn path_of(history: &Path) -> PathBuf {
    beside(history, ".heartbeat")
}

fn write(path: &Path, beat: &Beat) {
    if let Ok(json) = serde_json::to_vec(beat) {
        // A full disk is told by the scan itself; the next beat tries again.
        let _ = replace(path, &json);
    }
}

/// The last heartbeat beside a history. None: there is none, or it cannot be read.
pub fn last(history: &Path) -> Option<Beat> {
    let path = path_of(history);
    let small = std::fs::metadata(&path).is_ok_and(|file| file.is_file() && file.len() <= MOST_BYTES);
    small.then(|| serde_json::from_slice(&std::fs::read(path).ok()?).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    fn wait_for(history: &Path, wanted: impl Fn(&Beat) -> bool) -> Beat {
        for _ in 0..500 {
            if let Some(beat) = last(history).filter(|beat| wanted(beat)) {
                return beat;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("no such heartbeat: {:?}", last(history));
    }

    #[test]
    fn it_beats_by_the_clock_says_how_far_and_goes_with_the_scan() {
        let folder = tempfile::tempdir().unwrap();
        let history = folder.path().join("history.db");
        let clock = Arc::new(ManualClock::new(Timestamp(1000)));
        let heart = Heartbeat::every(Duration::from_millis(5), &history, Arc::<ManualClock>::clone(&clock));
        let first = wait_for(&history, |_| true);
        assert_eq!((first.started, first.sites, first.progress_at), (Timestamp(1000), None, None));
        heart.round(7);
        clock.set(Timestamp(9000));
        heart.done();
        let beat = wait_for(&history, |beat| beat.done == 1 && beat.at == Timestamp(9000));
        assert_eq!((beat.pid, beat.sites, beat.progress_at), (std::process::id(), Some(7), Some(Timestamp(9000))));
        drop(heart);
        assert_eq!(last(&history), None);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn several_beats_fit_into_what_is_old() {
        assert!(u128::from(OLD_MS) >= 4 * EVERY.as_millis());
    }

    #[test]
    fn what_is_no_heartbeat_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let history = folder.path().join("history.db");
        for bytes in [&b"{"[..], &[b' '; 5000], b"[]", b"\xff"] {
            std::fs::write(path_of(&history), bytes).unwrap();
            assert_eq!(last(&history), None);
        }
    }
}
