//! What a server says of time: how long it asks to be left alone (Retry-After, RFC 9110 §10.2.3, in either of its forms), and
//! what time it is there. Pure.

use hyper::HeaderMap;
use hyper::header::{AGE, DATE, HeaderName, RETRY_AFTER};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::model::time::Timestamp;

/// The forms of a date that every recipient must read (RFC 9110 §5.6.7), the preferred one first.
const DATES: [&str; 3] = ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];

/// Seconds to wait from now on. A date is taken against the server's own clock where it tells it, else against ours. None:
/// the server does not ask, or not in a form that can be read.
pub(super) fn after(headers: &HeaderMap, now: Timestamp) -> Option<u64> {
    let text = |name: HeaderName| headers.get(name)?.to_str().ok().map(str::trim);
    let asked = text(RETRY_AFTER)?;
    if asked.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number too large to be held is for ever.
        return (!asked.is_empty()).then(|| asked.parse().unwrap_or(u64::MAX));
    }
    let at = parse(asked)?;
    let now = text(DATE).and_then(parse).unwrap_or(now);
    // A moment that has passed: at once.
    Some(u64::try_from(at.0 - now.0).unwrap_or(0).div_ceil(1000))
}

/// What time it is at the server. A cache leaves the Date of the response that it keeps, and says how old that is.
pub(super) fn date(headers: &HeaderMap) -> Option<Timestamp> {
    let text = |name: HeaderName| headers.get(name)?.to_str().ok().map(str::trim);
    let age: u32 = text(AGE).and_then(|age| age.parse().ok()).unwrap_or(0);
    Some(parse(text(DATE)?)?.plus_ms(i64::from(age) * 1000))
}

fn parse(text: &str) -> Option<Timestamp> {
    let local = DATES.iter().find_map(|form| DateTime::strptime(form, text).ok())?;
    Some(Timestamp(local.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_keeps_the_date_and_says_how_old_it_is() {
        let now = |date: &str, age: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(DATE, date.parse().unwrap());
            if let Some(age) = age {
                headers.insert(AGE, age.parse().unwrap());
            }
            super::date(&headers).map(|at| at.0)
        };
        assert_eq!(now("Sun, 06 Nov 1994 08:49:37 GMT", None), Some(784_111_777_000));
        assert_eq!(now("Sun, 06 Nov 1994 08:49:37 GMT", Some("60")), Some(784_111_837_000));
        assert_eq!(now("Sun, 06 Nov 1994 08:49:37 GMT", Some("-1")), Some(784_111_777_000));
        assert_eq!(now("now", Some("60")), None);
    }

    #[test]
    fn both_forms_are_read() {
        // 1994-11-06T08:49:37Z.
        let now = Timestamp(784_111_777_000);
        let wait = |asked: &str, date: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, asked.parse().unwrap());
            if let Some(date) = date {
                headers.insert(DATE, date.parse().unwrap());
            }
            after(&headers, now)
        };
        assert_eq!(wait("120", None), Some(120));
        assert_eq!(wait(" 0 ", None), Some(0));
        assert_eq!(wait("99999999999999999999999", None), Some(u64::MAX));
        assert_eq!(wait("Sun, 06 Nov 1994 08:50:37 GMT", None), Some(60));
        assert_eq!(wait("Sunday, 06-Nov-94 08:50:37 GMT", None), Some(60));
        assert_eq!(wait("Sun Nov  6 08:50:37 1994", None), Some(60));
        // A server whose clock is wrong means its own clock.
        assert_eq!(wait("Sun, 06 Nov 1994 10:00:10 GMT", Some("Sun, 06 Nov 1994 10:00:00 GMT")), Some(10));
        assert_eq!(wait("Sun, 06 Nov 1994 08:00:00 GMT", None), Some(0));
        for text in ["", "soon", "-1", "1.5", "Sun, 06 Nov 1994 08:50:37 CST", "Sun, 99 Nov 1994 08:50:37 GMT"] {
            assert_eq!(wait(text, None), None, "{text}");
        }
    }
}
