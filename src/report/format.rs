//! Numbers and times as they are printed: percentages with two decimals, times of the run in local time and UTC.

use std::fmt::{Display, Write};

use jiff::tz::TimeZone;

use crate::model::time::Timestamp;

/// A share of a whole, in percent with two decimals, rounded half up: `82.07`. None: there is no whole.
///
/// Only everything prints as `100.00`, and only nothing as `0.00`: 19,999 of 20,000 is `99.99`, since the difference is
/// somebody's web site.
pub fn percent(part: u64, whole: u64) -> Option<String> {
    if whole == 0 {
        return None;
    }
    let (part, whole) = (u128::from(part), u128::from(whole));
    let mut hundredths = (part * 20_000 + whole) / (whole * 2);
    if hundredths == 10_000 && part < whole {
        hundredths = 9_999;
    }
    if hundredths == 0 && part > 0 {
        hundredths = 1;
    }
    Some(format!("{}.{:02}", hundredths / 100, hundredths % 100))
}

/// Several of a kind in one line: addresses, for a start. Empty: there is none.
pub fn joined<T: Display>(several: &[T], between: &str) -> String {
    let mut line = String::new();
    for (at, one) in several.iter().enumerate() {
        let _ = write!(line, "{}{one}", if at == 0 { "" } else { between });
    }
    line
}

/// `2026-11-23 19:10:00` in UTC. Empty: the number is outside of what a calendar knows.
pub fn utc(at: Timestamp) -> String {
    in_zone(at, &TimeZone::UTC, "%Y-%m-%d %H:%M:%S")
}

/// `2026-11-24 03:10` in this zone.
pub fn local(at: Timestamp, zone: &TimeZone) -> String {
    in_zone(at, zone, "%Y-%m-%d %H:%M")
}

/// How far the zone is from UTC at that time: `UTC+08:00`.
pub fn offset(at: Timestamp, zone: &TimeZone) -> String {
    in_zone(at, zone, "UTC%:z")
}

/// The day in this zone: `2026-11-24`.
pub fn local_day(at: Timestamp, zone: &TimeZone) -> String {
    in_zone(at, zone, "%Y-%m-%d")
}

/// The day in this zone in words: `2026年11月24日`.
pub fn local_day_zh(at: Timestamp, zone: &TimeZone) -> String {
    in_zone(at, zone, "%Y年%-m月%-d日")
}

/// RFC 3339 in UTC, to the second: `2026-11-23T19:10:00Z`.
pub fn rfc3339(at: Timestamp) -> String {
    in_zone(at, &TimeZone::UTC, "%Y-%m-%dT%H:%M:%SZ")
}

fn in_zone(at: Timestamp, zone: &TimeZone, pattern: &str) -> String {
    jiff::Timestamp::from_millisecond(at.0)
        .map(|instant| instant.to_zoned(zone.clone()).strftime(pattern).to_string())
        .unwrap_or_default()
}

/// A duration for people: `0.4 ms`, `12 ms`, `5.0 s`.
pub fn duration(us: u64) -> String {
    match us {
        0..1_000 => format!("{}.{} ms", us / 1_000, us % 1_000 / 100),
        1_000..1_000_000 => format!("{} ms", (us + 500) / 1_000),
        _ => format!("{}.{} s", us / 1_000_000, us % 1_000_000 / 100_000),
    }
}

/// A size for people, in units of 1,024 bytes: `812 B`, `31 kB`, `2.0 MB`.
pub fn bytes(count: u64) -> String {
    match count {
        0..1_024 => format!("{count} B"),
        1_024..1_048_576 => format!("{} kB", (count + 512) / 1_024),
        _ => format!("{}.{} MB", count / 1_048_576, count % 1_048_576 * 10 / 1_048_576),
    }
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Bytes in base64 with padding (RFC 4648 §4), as a content security policy wants its hashes.
pub fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for position in 0..4 {
            let six = (word >> (18 - 6 * position)) & 63;
            text.push(if position <= chunk.len() { char::from(ALPHABET[six as usize]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_are_exact_at_the_ends() {
        let text = |part, whole| percent(part, whole).unwrap();
        assert_eq!(text(1666, 2030), "82.07");
        assert_eq!(text(1638, 2030), "80.69");
        assert_eq!(text(1, 3), "33.33");
        assert_eq!(text(2, 3), "66.67");
        assert_eq!(text(1, 800), "0.13");
        assert_eq!(text(19_999, 20_000), "99.99");
        assert_eq!(text(99_999, 100_000), "99.99");
        assert_eq!(text(1, 100_000), "0.01");
        assert_eq!(text(0, 5), "0.00");
        assert_eq!(text(5, 5), "100.00");
        assert_eq!(percent(0, 0), None);
    }

    #[test]
    fn times_are_given_twice() {
        let at = Timestamp(1_795_461_000_000);
        assert_eq!(utc(at), "2026-11-23 19:10:00");
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        assert_eq!((local(at, &zone), offset(at, &zone)), ("2026-11-24 03:10".to_owned(), "UTC+08:00".to_owned()));
        assert_eq!(local_day_zh(at, &zone), "2026年11月24日");
        let zone = TimeZone::get("America/New_York").unwrap();
        assert_eq!((local_day(at, &zone), offset(at, &zone)), ("2026-11-23".to_owned(), "UTC-05:00".to_owned()));
        assert_eq!(rfc3339(at), "2026-11-23T19:10:00Z");
        assert_eq!(utc(Timestamp(i64::MAX)), "");
    }

    #[test]
    fn small_units() {
        assert_eq!([duration(430), duration(12_400), duration(5_000_000)], ["0.4 ms", "12 ms", "5.0 s"]);
        assert_eq!([bytes(812), bytes(31_900), bytes(2_200_000)], ["812 B", "31 kB", "2.0 MB"]);
        assert_eq!([base64(b""), base64(b"f"), base64(b"fo"), base64(b"foobar")], ["", "Zg==", "Zm8=", "Zm9vYmFy"]);
    }
}
