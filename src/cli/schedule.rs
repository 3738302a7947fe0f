//! `schedule`: starts a scan whenever the timetable says so, until it is told to stop.
//!
//! 1. A start that was missed while this program or the machine did not run is made up for once, however many were missed.
//! 2. A start that falls into a scan of ours, or finds the history locked by another, is skipped; both are said.
//! 3. No start of the timetable is made twice, also when the clock is set back.
//! 4. A run that broke off goes on with the next start, if it may.
//! 5. A signal ends the waiting at once; during a scan it does what it does to `scan`, and the schedule ends with it.
//!
//! A scan that fails ends nothing: it is said, `status` shows it, and the next start is made. Leaves to others: the scan
//! itself, which is the same as `scan`'s (`attempt`), and which times there are ([`crate::upkeep::timetable`]).

use std::time::Duration;

use tokio::sync::watch;

use super::args::{Common, ScheduleArgs};
use super::attempt;
use super::error::CliError;
use super::output::{self, note};
use super::settings;
use super::signals::{self, Listening};
use crate::clock::{Clock, SystemClock};
use crate::exit::Exit;
use crate::model::time::Timestamp;
use crate::report::Lang;
use crate::upkeep::ledger::Ledger;
use crate::upkeep::timetable::{Missed, Timetable};

/// The clock is asked anew so often while waiting: it may be set, and a machine may sleep.
const LOOK_EVERY: Duration = Duration::from_secs(20);

pub(super) async fn run(common: &Common, mut args: ScheduleArgs) -> Result<Exit, CliError> {
    args.scan.resume_if_possible = true;
    let args = &args;
    let mut flags = settings::flags(common, Some(&args.scan.measure), Some(&args.scan));
    if let Some(cron) = &args.cron {
        flags.set("schedule.cron", "--cron", cron);
    }
    let config = settings::resolve(common, &flags)?.config;
    let lang = settings::lang(&config);
    // A flag or key that can be read was found out above.
    let read = config.schedule.cron.as_deref().map(|cron| Timetable::read(cron, settings::zone(&config)));
    let Some(Ok(timetable)) = read else { return Err(CliError::NoTimetable) };
    let attempt = Ledger::read(&args.scan.store).attempt;
    let now = SystemClock.now();
    // A ledger of the future was written before the clock was set back.
    let after = attempt.map_or(now, |attempt| attempt.began.min(now));
    let mut world =
        Machine { common, args, timetable: &timetable, lang, stop: signals::stop_schedule(), listening: None };
    // Lets the listener begin to listen before anything is said.
    tokio::task::yield_now().await;
    keep(&timetable, after, &mut world).await;
    note(output::say(lang, "计划任务已停止", "the schedule was stopped"));
    Ok(Exit::Done)
}

/// What happens in a schedule, in the order in which it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    /// The next start lies ahead.
    Next(Timestamp),
    /// Starts were missed: one is made now in place of all.
    Late(Missed),
    /// Starts fell into the scan that has just ended, and are skipped.
    Overlapped(Missed),
    /// Another run held the lock: this start is skipped.
    Locked,
    /// A scan ended with this code.
    Ended(Exit),
}

/// What a schedule needs of the world; tests have one of their own.
trait World {
    fn now(&self) -> Timestamp;
    /// Waits until then by the wall clock. False: told to stop.
    async fn wait_until(&mut self, then: Timestamp) -> bool;
    async fn scan(&mut self) -> Exit;
    fn stopped(&self) -> bool;
    fn tell(&mut self, event: Event);
}

/// Keeps the timetable, from the moment of the latest start on, until told to stop.
async fn keep(timetable: &Timetable, after: Timestamp, world: &mut impl World) {
    // Starts up to here are settled: made, made up for, or skipped.
    let mut settled = after;
    loop {
        if let Some(late) = timetable.missed(settled, world.now()) {
            world.tell(Event::Late(late));
            settled = late.latest;
        } else {
            let Some(next) = timetable.next(settled) else { return };
            world.tell(Event::Next(next));
            if !world.wait_until(next).await {
                return;
            }
            // The machine may have slept over others as well: one scan stands for all.
            let due = timetable.missed(settled, world.now());
            settled = due.map_or(next, |due| due.latest);
            if let Some(late) = due.filter(|due| due.count > 1) {
                world.tell(Event::Late(late));
            }
        }
        match world.scan().await {
            Exit::Locked => world.tell(Event::Locked),
            exit => world.tell(Event::Ended(exit)),
        }
        if world.stopped() {
            return;
        }
        if let Some(overlapped) = timetable.missed(settled, world.now()) {
            world.tell(Event::Overlapped(overlapped));
            settled = overlapped.latest;
        }
    }
}

/// This machine.
struct Machine<'a> {
    common: &'a Common,
    args: &'a ScheduleArgs,
    timetable: &'a Timetable,
    lang: Lang,
    stop: watch::Receiver<bool>,
    /// From the word about the next start on: who reads it may send a signal at once.
    listening: Option<Listening>,
}

impl World for Machine<'_> {
    fn now(&self) -> Timestamp {
        SystemClock.now()
    }

    async fn wait_until(&mut self, then: Timestamp) -> bool {
        let _listening = self.listening.take().unwrap_or_else(Listening::begin);
        while !self.stopped() {
            let left = then.0.saturating_sub(self.now().0);
            if left <= 0 {
                return true;
            }
            let pause = Duration::from_millis(left.unsigned_abs()).min(LOOK_EVERY);
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = self.stop.changed() => {}
            }
        }
        false
    }

    async fn scan(&mut self) -> Exit {
        match attempt::run(self.common, &self.args.scan).await {
            Ok(exit) => exit,
            Err(error) => {
                output::error(&error, self.lang);
                Exit::from(&error)
            }
        }
    }

    fn stopped(&self) -> bool {
        *self.stop.borrow()
    }

    fn tell(&mut self, event: Event) {
        if matches!(event, Event::Next(_)) {
            self.listening = Some(Listening::begin());
        }
        let local = |at| self.timetable.say(at);
        note(match (event, self.lang) {
            (Event::Next(at), Lang::Zh) => format!("下次扫描：{}", local(at)),
            (Event::Next(at), Lang::En) => format!("next scan: {}", local(at)),
            (Event::Late(missed), Lang::Zh) => {
                format!("错过 {} 次计划启动（最近一次为 {}），现补做一次", missed.count, local(missed.latest))
            }
            (Event::Late(missed), Lang::En) => {
                format!(
                    "{} starts were missed, the last at {}: one scan is made now",
                    missed.count,
                    local(missed.latest)
                )
            }
            (Event::Overlapped(missed), Lang::Zh) => {
                format!("上一次扫描尚未结束，跳过 {} 次计划启动（最近一次为 {}）", missed.count, local(missed.latest))
            }
            (Event::Overlapped(missed), Lang::En) => format!(
                "{} starts fell into the scan before them and are skipped, the last at {}",
                missed.count,
                local(missed.latest)
            ),
            (Event::Locked, Lang::Zh) => "另一扫描正在进行，跳过本次启动".to_owned(),
            (Event::Locked, Lang::En) => "another scan is running: this start is skipped".to_owned(),
            (Event::Ended(exit), Lang::Zh) => format!("扫描结束，退出码 {}", exit.code()),
            (Event::Ended(exit), Lang::En) => format!("the scan ended with exit code {}", exit.code()),
        });
    }
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
