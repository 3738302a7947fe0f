//! A month of a schedule in an instant: every start of the timetable is a run or has a named reason.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use super::*;
use crate::clock::ManualClock;

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
/// 2026-11-01T00:00:00Z.
const BEGIN: Timestamp = Timestamp(1_793_491_200_000);

/// A machine whose clock moves only by what happens on it.
struct Month {
    clock: ManualClock,
    ends: Timestamp,
    /// Scans, by the number of the start: how long, and how they end. Else an hour, and well.
    scans: BTreeMap<usize, (i64, Exit)>,
    /// The machine is off or asleep from the one moment until the other.
    asleep: Vec<(Timestamp, Timestamp)>,
    began: Vec<Timestamp>,
    told: Vec<Event>,
}

impl Month {
    fn of(days: i64) -> Self {
        Self {
            clock: ManualClock::new(BEGIN),
            ends: BEGIN.plus_ms(days * DAY),
            scans: BTreeMap::new(),
            asleep: Vec::new(),
            began: Vec::new(),
            told: Vec::new(),
        }
    }

    async fn keep(&mut self, cron: &str, after: Timestamp) {
        let timetable = Timetable::read(cron, TimeZone::get("Asia/Shanghai").unwrap()).unwrap();
        keep(&timetable, after, self).await;
    }

    fn count(&self, wanted: impl Fn(&Event) -> bool) -> usize {
        self.told.iter().filter(|event| wanted(event)).count()
    }

    /// Starts that were skipped or made up for by another.
    fn left_out(&self) -> usize {
        self.told
            .iter()
            .map(|event| match event {
                Event::Late(missed) => missed.count - 1,
                Event::Overlapped(missed) => missed.count,
                Event::Locked => 1,
                Event::Next(_) | Event::Ended(_) => 0,
            })
            .sum()
    }
}

impl World for Month {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn wait_until(&mut self, then: Timestamp) -> bool {
        let woken = self.asleep.iter().find(|(from, until)| (*from..*until).contains(&then)).map(|(_, until)| *until);
        let now = woken.unwrap_or(then).max(self.now());
        self.clock.set(now);
        now < self.ends
    }

    async fn scan(&mut self) -> Exit {
        let (takes, exit) = self.scans.get(&self.began.len()).copied().unwrap_or((HOUR, Exit::Done));
        self.began.push(self.now());
        self.clock.advance_ms(takes);
        exit
    }

    fn stopped(&self) -> bool {
        self.now() >= self.ends
    }

    fn tell(&mut self, event: Event) {
        self.told.push(event);
    }
}

#[tokio::test]
async fn thirty_days_are_thirty_runs() {
    let mut month = Month::of(30);
    month.keep("0 22 * * *", BEGIN).await;
    assert_eq!(month.began.len(), 30, "{:?}", month.told);
    // 22:00 in Shanghai.
    assert!(month.began.iter().all(|at| at.0.rem_euclid(DAY) == 14 * HOUR));
    assert_eq!(month.left_out(), 0);
}

#[tokio::test]
async fn thirty_days_of_trouble_are_runs_or_named_reasons() {
    let mut month = Month::of(30);
    // Three days off, a run of 50 hours, one that another run turned away, three that failed, a short sleep.
    month.asleep = vec![
        (BEGIN.plus_ms(5 * DAY), BEGIN.plus_ms(8 * DAY)),
        (BEGIN.plus_ms(20 * DAY + 13 * HOUR), BEGIN.plus_ms(20 * DAY + 16 * HOUR)),
    ];
    month.scans = BTreeMap::from([
        (8, (50 * HOUR, Exit::Done)),
        (10, (10, Exit::Locked)),
        (11, (HOUR, Exit::GateShut)),
        (12, (HOUR, Exit::Incomplete)),
        (13, (HOUR, Exit::InputOutput)),
    ]);
    month.keep("0 22 * * *", BEGIN).await;
    let ran = month.count(|event| matches!(event, Event::Ended(_)));
    assert_eq!(ran + month.left_out(), 30, "{:?}", month.told);
    assert_eq!(month.count(|event| matches!(event, Event::Late(_))), 1);
    assert_eq!(month.count(|event| matches!(event, Event::Overlapped(missed) if missed.count == 2)), 1);
    assert_eq!(month.count(|event| *event == Event::Locked), 1);
    // What failed did not end the schedule.
    assert!(month.began.last().unwrap().0 > BEGIN.plus_ms(29 * DAY).0);
}

#[tokio::test]
async fn what_was_missed_before_it_began_is_made_up_for_once() {
    let mut month = Month::of(2);
    month.keep("0 22 * * *", BEGIN.plus_ms(-9 * DAY)).await;
    let Event::Late(missed) = month.told[0] else { panic!("{:?}", month.told) };
    assert_eq!((missed.count, month.began[0]), (9, BEGIN));
    assert_eq!(month.began.len(), 3);
}

#[tokio::test]
async fn a_clock_that_is_set_back_makes_no_start_twice() {
    let mut month = Month::of(6);
    // Each scan ends five hours before it began.
    month.scans = (0..3).map(|start| (start, (-5 * HOUR, Exit::Done))).collect();
    month.keep("0 22 * * *", BEGIN).await;
    let days: std::collections::BTreeSet<i64> = month.began.iter().map(|at| at.0.div_euclid(DAY)).collect();
    assert_eq!((days.len(), month.began.len()), (6, 6), "{:?}", month.told);
}
