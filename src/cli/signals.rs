//! Being told to stop: SIGTERM and Ctrl-C.
//!
//! 1. While evidence is collected, the first signal drains the scan and the second ends it; what is finished is stored.
//! 2. While a schedule waits, a signal ends it.
//! 3. At any other time a signal ends the process at once, as if nobody had caught it: before evidence is collected there is
//!    nothing to lose, and after that everything is stored and reports are put into place as a whole.
//!
//! 1 and 2 hold as long as somebody has a [`Listening`]. Leaves to others: draining itself ([`crate::engine`]).

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

use super::output::{note, say};
use crate::engine::scan::Stop;
use crate::report::Lang;

/// Signals are heard by somebody, and do not end the process.
pub(super) struct Listening(());

impl Listening {
    /// From now on, until it is dropped. There is one at a time.
    pub(super) fn begin() -> Self {
        nobody_listens().store(false, Ordering::SeqCst);
        Self(())
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        nobody_listens().store(true, Ordering::SeqCst);
    }
}

/// True: a signal ends the process at once. To be called before the runtime catches signals: once it
/// has caught one, the system no longer does that.
fn nobody_listens() -> &'static AtomicBool {
    static FLAG: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    FLAG.get_or_init(|| {
        let flag = Arc::new(AtomicBool::new(true));
        #[cfg(unix)]
        for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
            // Fails for signals that cannot be caught, and these can.
            let _ = signal_hook::flag::register_conditional_default(signal, Arc::clone(&flag));
        }
        flag
    })
}

/// First signal: no new sites. Second: leave now.
pub(super) fn stop_scan(lang: Lang) -> watch::Receiver<Stop> {
    let (tell, stop) = watch::channel(Stop::No);
    let mut signals = Signals::new();
    tokio::spawn(async move {
        for level in [Stop::Drain, Stop::Now] {
            signals.next().await;
            if tell.send(level).is_err() {
                return;
            }
            if level == Stop::Drain {
                note(say(
                    lang,
                    "收到停止信号：不再开始新的网站，已完成的结果会保存；再按一次立即退出",
                    "stopping: no new sites are started and what is finished is stored; once more to leave at once",
                ));
            }
        }
        // Keeps the channel open, so that the scan never sees it closed.
        std::future::pending::<()>().await;
    });
    stop
}

/// Turns true with the first signal.
pub(super) fn stop_schedule() -> watch::Receiver<bool> {
    // A schedule may begin with a scan: then nobody has listened when its gate is made.
    nobody_listens();
    let (tell, stop) = watch::channel(false);
    let mut signals = Signals::new();
    tokio::spawn(async move {
        signals.next().await;
        // Nobody is left to be told when the schedule has ended by itself.
        let _ = tell.send(true);
        std::future::pending::<()>().await;
    });
    stop
}

/// SIGTERM and Ctrl-C, each heard from the moment this is made.
#[cfg(unix)]
struct Signals(Option<(tokio::signal::unix::Signal, tokio::signal::unix::Signal)>);

#[cfg(unix)]
impl Signals {
    fn new() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        Self(signal(SignalKind::terminate()).ok().zip(signal(SignalKind::interrupt()).ok()))
    }

    /// Waits for the next one.
    async fn next(&mut self) {
        let Some((terminate, interrupt)) = &mut self.0 else { return std::future::pending().await };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}

/// Ctrl-C.
#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> Self {
        Self
    }

    /// Waits for the next one.
    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}
