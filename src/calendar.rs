//! Times in which nothing may be measured: school hours, days of examinations. Pure: the present moment is a parameter.
//!
//! A window is written as a time of day, days, or both: `07:30-12:00 Mon-Fri`, `Sat,Sun`, `2026-06-07..2026-06-09`,
//! `08:00-18:00 2026-06-07..2026-06-09`. A time that ends before it begins ends on the next day and belongs to the day on
//! which it begins. All are local times of one zone; where clocks are put forward, a time that does not exist is the one
//! that much later. Leaves to others: what happens in a window, and telling people.

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{ToSpan, Zoned};

use crate::model::time::Timestamp;

/// Days looked ahead for the next window, and most days that a range of dates may span.
const HORIZON_DAYS: i64 = 366;
const WEEKDAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

/// All windows, in one time zone.
#[derive(Clone, Debug, PartialEq)]
pub struct Freeze {
    windows: Vec<Window>,
    zone: TimeZone,
}

impl Default for Freeze {
    fn default() -> Self {
        Self { windows: Vec::new(), zone: TimeZone::UTC }
    }
}

/// A stretch of time in which nothing may be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Its first moment.
    pub from: Timestamp,
    /// The first moment after it.
    pub until: Timestamp,
}

/// One window: on these days, from then to then.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Window {
    days: Days,
    from: Time,
    /// None: the end of the day.
    to: Option<Time>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Days {
    /// By weekday, Monday first.
    Week([bool; 7]),
    /// From one date to another, both included.
    Dates(Date, Date),
}

impl Freeze {
    /// Reads windows. The error says which one cannot be used, and why.
    pub fn read(windows: &[String], zone: TimeZone) -> Result<Self, String> {
        let read = |text: &String| Window::read(text).map_err(|why| format!("`{text}` {why}"));
        let freeze = Self { windows: windows.iter().map(read).collect::<Result<_, _>>()?, zone };
        if freeze.leaves_nothing() {
            return Err("leave no time to measure in the whole week".to_owned());
        }
        Ok(freeze)
    }

    /// Until when nothing may be measured, windows that touch taken together. None: now is no such time.
    pub fn until(&self, now: Timestamp) -> Option<Timestamp> {
        if self.windows.is_empty() {
            return None;
        }
        let mut at = now;
        // Windows that follow each other without a gap end somewhere: the week has a gap, and dates are bounded.
        for _ in 0..2 * HORIZON_DAYS {
            let today = self.local(at)?.date();
            let stretches = self.stretches(today.checked_sub(1.day()).ok()?, 3);
            let holding = stretches.into_iter().filter(|stretch| stretch.from <= at && at < stretch.until);
            match holding.map(|stretch| stretch.until).max() {
                Some(end) => at = end,
                None => break,
            }
        }
        (at > now).then_some(at)
    }

    /// The stretch that holds now, or the next one within a year. None: there is none.
    pub fn next(&self, now: Timestamp) -> Option<Stretch> {
        if let Some(until) = self.until(now) {
            return Some(Stretch { from: now, until });
        }
        let today = self.local(now)?.date();
        for day in 0..HORIZON_DAYS {
            let date = today.checked_add(day.days()).ok()?;
            let begins = self.stretches(date, 1).into_iter().map(|stretch| stretch.from).filter(|from| *from > now);
            if let Some(from) = begins.min() {
                return Some(Stretch { from, until: self.until(from)? });
            }
        }
        None
    }

    /// A moment as people in the zone say it: `2026-06-07 12:00`.
    pub fn say(&self, at: Timestamp) -> String {
        self.local(at).map(|local| local.strftime("%Y-%m-%d %H:%M").to_string()).unwrap_or_default()
    }

    fn local(&self, at: Timestamp) -> Option<Zoned> {
        Some(jiff::Timestamp::from_millisecond(at.0).ok()?.to_zoned(self.zone.clone()))
    }

    /// Every stretch that begins on one of so many days.
    fn stretches(&self, first: Date, days: i64) -> Vec<Stretch> {
        let dates = (0..days).filter_map(|day| first.checked_add(day.days()).ok());
        let on = |date: Date| self.windows.iter().filter_map(move |window| window.on(date, &self.zone));
        dates.flat_map(on).collect()
    }

    /// Weekly windows cover every minute of the week.
    fn leaves_nothing(&self) -> bool {
        const DAY: usize = 24 * 60;
        let mut covered = vec![false; 7 * DAY];
        for window in &self.windows {
            let Days::Week(days) = &window.days else { continue };
            let minute =
                |time: Time| usize::from(time.hour().unsigned_abs()) * 60 + usize::from(time.minute().unsigned_abs());
            let (from, to) = (minute(window.from), window.to.map_or(DAY, minute));
            let length = if to > from { to - from } else { to + DAY - from };
            for (day, _) in days.iter().enumerate().filter(|(_, on)| **on) {
                for at in 0..length {
                    covered[(day * DAY + from + at) % (7 * DAY)] = true;
                }
            }
        }
        covered.into_iter().all(|minute| minute)
    }
}

impl Window {
    fn read(text: &str) -> Result<Self, &'static str> {
        let mut words = text.split_whitespace().peekable();
        let (mut from, mut to) = (Time::midnight(), None);
        if let Some((begin, end)) =
            words.peek().and_then(|word| word.split_once('-')).filter(|(begin, _)| begin.contains(':'))
        {
            words.next();
            from = time(begin)?.ok_or("begins at the end of a day")?;
            to = time(end)?;
            if to == Some(from) {
                return Err("has no length");
            }
            // Midnight at the end is the end of the day.
            to = to.filter(|to| *to != Time::midnight());
        } else if words.peek().is_none() {
            return Err("is empty");
        }
        let days = match words.next() {
            None => Days::Week([true; 7]),
            Some(word) if word.starts_with(|c: char| c.is_ascii_digit()) => dates(word)?,
            Some(word) => weekdays(word)?,
        };
        if words.next().is_some() { Err("has words that are not understood") } else { Ok(Self { days, from, to }) }
    }

    /// The stretch that begins on a date. None: none does.
    fn on(&self, date: Date, zone: &TimeZone) -> Option<Stretch> {
        let holds = match &self.days {
            Days::Week(days) => days[usize::from(date.weekday().to_monday_zero_offset().unsigned_abs())],
            Days::Dates(first, last) => (*first..=*last).contains(&date),
        };
        let last = match self.to {
            Some(to) if to > self.from => date.to_datetime(to),
            to => date.tomorrow().ok()?.to_datetime(to.unwrap_or(Time::midnight())),
        };
        let moment = |local: jiff::civil::DateTime| -> Option<Timestamp> {
            Some(Timestamp(zone.to_ambiguous_zoned(local).compatible().ok()?.timestamp().as_millisecond()))
        };
        let stretch = Stretch { from: moment(date.to_datetime(self.from))?, until: moment(last)? };
        (holds && stretch.from < stretch.until).then_some(stretch)
    }
}

/// `07:30`; None for `24:00`, the end of a day.
fn time(text: &str) -> Result<Option<Time>, &'static str> {
    const WRONG: &str = "has no time such as 07:30-12:00";
    if text == "24:00" {
        return Ok(None);
    }
    let (hour, minute) = text.split_once(':').ok_or(WRONG)?;
    let part = |text: &str| text.parse::<i8>().ok().filter(|_| (1..=2).contains(&text.len())).ok_or(WRONG);
    Time::new(part(hour)?, part(minute)?, 0, 0).map(Some).map_err(|_| WRONG)
}

/// `2026-06-07` or `2026-06-07..2026-06-09`.
fn dates(text: &str) -> Result<Days, &'static str> {
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    let date = |text: &str| text.parse::<Date>().map_err(|_| "has no date such as 2026-06-07");
    let (first, last) = (date(first)?, date(last)?);
    if last < first {
        return Err("ends before it begins");
    }
    let days = (last - first).get_days();
    if i64::from(days) >= HORIZON_DAYS { Err("spans more than a year") } else { Ok(Days::Dates(first, last)) }
}

/// `Mon-Fri`, `Sat,Sun`, `Fri-Mon`.
fn weekdays(text: &str) -> Result<Days, &'static str> {
    let day = |name: &str| {
        let name = name.to_ascii_lowercase();
        let at = WEEKDAYS.iter().position(|(known, _)| *known == name);
        at.ok_or("has no days such as Mon-Fri or Sat,Sun")
    };
    let mut days = [false; 7];
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (mut at, last) = (day(first)?, day(last)?);
        days[at] = true;
        while at != last {
            at = (at + 1) % 7;
            days[at] = true;
        }
    }
    Ok(Days::Week(days))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn freeze(windows: &[&str], zone: &str) -> Freeze {
        let windows: Vec<String> = windows.iter().map(|window| (*window).to_owned()).collect();
        Freeze::read(&windows, TimeZone::get(zone).unwrap()).unwrap()
    }

    fn at(local: &str, zone: &str) -> Timestamp {
        let local: jiff::civil::DateTime = local.parse().unwrap();
        Timestamp(local.to_zoned(TimeZone::get(zone).unwrap()).unwrap().timestamp().as_millisecond())
    }

    /// Until when, as said in the zone; empty: not frozen.
    fn until(windows: &[&str], zone: &str, now: &str) -> String {
        let freeze = freeze(windows, zone);
        freeze.until(at(now, zone)).map(|until| freeze.say(until)).unwrap_or_default()
    }

    #[test]
    fn windows_hold_their_first_minute_and_not_their_last() {
        let zone = "Asia/Shanghai";
        // 2026-06-05 is a Friday.
        for (windows, now, expected) in [
            (&["07:30-12:00 Mon-Fri"][..], "2026-06-05T07:29:59", ""),
            (&["07:30-12:00 Mon-Fri"], "2026-06-05T07:30", "2026-06-05 12:00"),
            (&["07:30-12:00 Mon-Fri"], "2026-06-05T12:00", ""),
            (&["07:30-12:00 Mon-Fri"], "2026-06-06T08:00", ""),
            (&["07:30-12:00"], "2026-06-06T08:00", "2026-06-06 12:00"),
            (&["2026-06-07..2026-06-09"], "2026-06-07T00:00", "2026-06-10 00:00"),
            (&["2026-06-07..2026-06-09"], "2026-06-09T23:59:59", "2026-06-10 00:00"),
            (&["2026-06-07..2026-06-09"], "2026-06-10T00:00", ""),
            (&["08:00-18:00 2026-06-07..2026-06-09"], "2026-06-08T20:00", ""),
            // Over midnight: it belongs to the day on which it begins.
            (&["22:00-06:00 Fri"], "2026-06-06T05:59", "2026-06-06 06:00"),
            (&["22:00-06:00 Fri"], "2026-06-05T05:59", ""),
            (&["20:00-24:00 Fri", "00:00-02:00 Sat"], "2026-06-05T21:00", "2026-06-06 02:00"),
            // Windows that touch or overlap are one.
            (&["07:30-12:00", "12:00-14:00", "13:00-15:00"], "2026-06-05T08:00", "2026-06-05 15:00"),
            (&["Sat,Sun", "00:00-06:00 Mon"], "2026-06-06T10:00", "2026-06-08 06:00"),
            (&["Fri-Mon"], "2026-06-05T00:00", "2026-06-09 00:00"),
        ] {
            assert_eq!(until(windows, zone, now), expected, "{windows:?} at {now}");
        }
    }

    #[test]
    fn clocks_that_are_put_forward_or_back() {
        // 2026-03-29, 02:00 to 03:00 does not exist; 2026-10-25, 02:00 to 03:00 exists twice.
        let zone = "Europe/Berlin";
        assert_eq!(until(&["01:30-02:30"], zone, "2026-03-29T01:45"), "2026-03-29 03:30");
        assert_eq!(until(&["02:10-02:50"], zone, "2026-03-29T03:20"), "2026-03-29 03:50");
        let both = freeze(&["01:30-03:00"], zone);
        let length = both.until(at("2026-10-25T01:30", zone)).unwrap().0 - at("2026-10-25T01:30", zone).0;
        assert_eq!(length, 150 * 60_000);
        // The same moment is in school hours here and not there.
        let moment = at("2026-06-05T08:00", "Asia/Shanghai");
        assert!(freeze(&["07:30-12:00"], "Asia/Shanghai").until(moment).is_some());
        assert!(freeze(&["07:30-12:00"], "UTC").until(moment).is_none());
    }

    #[test]
    fn the_next_window_is_found() {
        let zone = "Asia/Shanghai";
        let next = |windows: &[&str], now: &str| {
            let freeze = freeze(windows, zone);
            freeze.next(at(now, zone)).map(|next| format!("{} - {}", freeze.say(next.from), freeze.say(next.until)))
        };
        let friday = "2026-06-05T13:00";
        assert_eq!(next(&["07:30-12:00 Mon-Fri"], friday).as_deref(), Some("2026-06-08 07:30 - 2026-06-08 12:00"));
        assert_eq!(next(&["2026-06-07..2026-06-09"], friday).as_deref(), Some("2026-06-07 00:00 - 2026-06-10 00:00"));
        assert_eq!(next(&["12:00-14:00"], friday).as_deref(), Some("2026-06-05 13:00 - 2026-06-05 14:00"));
        assert_eq!(next(&["2025-06-07"], friday), None);
        assert_eq!(next(&[], friday), None);
    }

    #[test]
    fn what_cannot_be_meant_is_told() {
        let wrong = |windows: &[&str]| {
            let windows: Vec<String> = windows.iter().map(|window| (*window).to_owned()).collect();
            Freeze::read(&windows, TimeZone::UTC).unwrap_err()
        };
        for (text, why) in [
            ("", "is empty"),
            ("7-12", "date such as"),
            ("07:30-25:00", "time such as"),
            ("07:30-07:30", "no length"),
            ("24:00-07:00", "begins at the end"),
            ("07:30-12:00 Mon-Fry", "days such as"),
            ("07:30-12:00 Mon Tue", "not understood"),
            ("2026-02-30", "date such as"),
            ("2026-06-09..2026-06-07", "before it begins"),
            ("2026-01-01..2027-06-07", "more than a year"),
        ] {
            let said = wrong(&[text]);
            assert!(said.contains(why) && said.starts_with('`'), "{text}: {said}");
        }
        for all in
            [&["Mon-Sun"][..], &["00:00-24:00"], &["00:00-12:00", "12:00-00:00"], &["22:00-21:59", "21:00-22:00"]]
        {
            assert!(wrong(all).contains("no time"), "{all:?}");
        }
        assert!(Freeze::read(&["00:00-23:59".to_owned()], TimeZone::UTC).is_ok());
    }
}
