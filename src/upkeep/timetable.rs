//! When scans start: a cron expression in a time zone. Pure: the present moment is a parameter.
//!
//! Five fields (minute, hour, day of the month, month, weekday) as in crontab. Where clocks are put forward, a time that
//! does not exist is left to the library's rule; no start is ever made up twice. Leaves to others: waiting and starting.

use croner::Cron;
use croner::parser::{CronParser, Seconds};
use jiff::tz::TimeZone;

use crate::model::time::Timestamp;

/// Starts that are counted at most when many were missed: every minute of a week.
const MOST_COUNTED: usize = 10_080;

/// When scans start.
#[derive(Clone, Debug)]
pub struct Timetable {
    cron: Cron,
    zone: TimeZone,
}

/// Starts that lie behind and were not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missed {
    /// The latest of them.
    pub latest: Timestamp,
    /// How many; at least one.
    pub count: usize,
}

/// The fields of an expression, and what can stand in them.
const FIELDS: [(&str, &str); 5] =
    [("minute", "0-59"), ("hour", "0-23"), ("day of the month", "1-31"), ("month", "1-12"), ("weekday", "0-7")];

/// Which field is wrong, in words. None: each of them can be used alone.
fn wrong_field(parser: CronParser, cron: &str) -> Option<String> {
    let fields: Vec<&str> = cron.split_whitespace().collect();
    if fields.len() != FIELDS.len() {
        return Some(format!("has {} fields, not 5", fields.len()));
    }
    FIELDS.iter().zip(&fields).enumerate().find_map(|(at, ((name, range), field))| {
        let mut alone = ["*"; FIELDS.len()];
        alone[at] = field;
        let wrong = parser.parse(&alone.join(" ")).is_err();
        wrong.then(|| format!("has `{field}` as its {name}, where {range} can stand"))
    })
}

impl Timetable {
    /// Reads a cron expression; the error says what is wrong with it.
    pub fn read(cron: &str, zone: TimeZone) -> Result<Self, String> {
        let parser = CronParser::builder().seconds(Seconds::Disallowed).build();
        let cron =
            parser.parse(cron).map_err(|error| wrong_field(parser, cron).unwrap_or_else(|| error.to_string()))?;
        let timetable = Self { cron, zone };
        // `0 0 30 2 *` can be read and never happens.
        match timetable.next(Timestamp(0)) {
            Some(_) => Ok(timetable),
            None => Err("it never happens".to_owned()),
        }
    }

    /// The first start after a moment. None: there is none within the library's horizon.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let at = jiff::Timestamp::from_millisecond(after.0).ok()?.to_zoned(self.zone.clone());
        let next = self.cron.find_next_occurrence(&at, false).ok()?;
        Some(Timestamp(next.timestamp().as_millisecond())).filter(|next| *next > after)
    }

    /// Starts after one moment and up to another. None: there were none.
    pub fn missed(&self, after: Timestamp, until: Timestamp) -> Option<Missed> {
        let mut missed: Option<Missed> = None;
        let mut at = after;
        while let Some(next) = self.next(at).filter(|next| *next <= until) {
            let count = missed.map_or(0, |missed| missed.count) + 1;
            missed = Some(Missed { latest: next, count });
            if count == MOST_COUNTED {
                break;
            }
            at = next;
        }
        missed
    }

    /// A moment in local time, for messages.
    pub fn say(&self, at: Timestamp) -> String {
        jiff::Timestamp::from_millisecond(at.0)
            .map(|at| at.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M %Z").to_string())
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(cron: &str, zone: &str) -> Timetable {
        Timetable::read(cron, TimeZone::get(zone).unwrap()).unwrap()
    }

    fn at(text: &str) -> Timestamp {
        Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    #[test]
    fn starts_are_local_times() {
        let nightly = table("30 2 * * *", "Asia/Shanghai");
        assert_eq!(nightly.next(at("2026-11-23T00:00:00Z")), Some(at("2026-11-23T18:30:00Z")));
        // Not the moment itself.
        assert_eq!(nightly.next(at("2026-11-23T18:30:00Z")), Some(at("2026-11-24T18:30:00Z")));
        let saturdays = table("0 22 * * 6", "Asia/Shanghai");
        assert_eq!(saturdays.next(at("2026-11-23T00:00:00Z")), Some(at("2026-11-28T14:00:00Z")));
        assert_eq!(saturdays.say(at("2026-11-28T14:00:00Z")), "2026-11-28 22:00 CST");
    }

    #[test]
    fn missed_starts_are_counted() {
        let hourly = table("0 * * * *", "UTC");
        let missed = hourly.missed(at("2026-01-01T00:00:00Z"), at("2026-01-01T05:30:00Z"));
        assert_eq!(missed, Some(Missed { latest: at("2026-01-01T05:00:00Z"), count: 5 }));
        assert_eq!(hourly.missed(at("2026-01-01T00:00:00Z"), at("2026-01-01T00:59:00Z")), None);
        assert_eq!(hourly.missed(at("2026-01-02T00:00:00Z"), at("2026-01-01T00:00:00Z")), None);
    }

    #[test]
    fn clocks_that_are_changed_neither_stop_nor_double_it() {
        let nightly = table("30 2 * * *", "Europe/Berlin");
        for (from, days) in [("2026-03-27T00:00:00Z", 4), ("2026-10-23T00:00:00Z", 4)] {
            let until = Timestamp(at(from).0 + days * 86_400_000);
            assert_eq!(nightly.missed(at(from), until).map(|missed| missed.count), Some(4), "{from}");
        }
    }

    #[test]
    fn the_wrong_field_is_named() {
        for (cron, said) in [
            ("61 * * * *", "has `61` as its minute, where 0-59 can stand"),
            ("0 25 * * *", "has `25` as its hour, where 0-23 can stand"),
            ("0 2 * 13 *", "has `13` as its month, where 1-12 can stand"),
            ("0 2 * * Sunnyday", "has `Sunnyday` as its weekday, where 0-7 can stand"),
            ("* * * *", "has 4 fields, not 5"),
            ("0 0 30 2 *", "it never happens"),
        ] {
            assert_eq!(Timetable::read(cron, TimeZone::UTC).unwrap_err(), said, "{cron}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_said() {
        for cron in ["", "* * * *", "61 * * * *", "0 0 30 2 *", "* * * * * *", "daily at two", "0 25 * * *"] {
            assert!(Timetable::read(cron, TimeZone::UTC).is_err(), "{cron}");
        }
    }
}
