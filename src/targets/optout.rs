//! The opt-out list: hosts and zones that are not measured on request.
//!
//! One entry a line: `www.school.cn` for a host or `.school.cn` (also `*.school.cn`) for a zone with everything below it,
//! then `#`, the day of the request, who asked, and after a colon why: `www.school.cn # 2026-03-02 A school: new server`.
//! A line that cannot be read is an error and not a warning: a request that is overlooked does harm.

use super::TargetsError;
use super::decode;
use super::host;
use super::text;
use crate::model::optout::{OptOut, OptOuts};

/// How a line is put right.
const REMEDY: &str = "write `www.school.cn # 2026-03-02 who asked: why`, or `.school.cn` for everything below a name";

/// Adds the entries of a file.
pub(super) fn read(list: &mut OptOuts, path: &str, bytes: &[u8]) -> Result<(), TargetsError> {
    let decoded = decode::decode(bytes);
    if let Some((line, _)) = decoded.bad_lines.first_key_value() {
        return Err(TargetsError::table(path, *line, "bytes that are not valid in the file's encoding"));
    }
    for (index, line) in decoded.text.lines().enumerate() {
        let (entry, remark) = line.split_once('#').unwrap_or((line, ""));
        let entry = entry.trim();
        if entry.is_empty() {
            continue;
        }
        let number = index as u64 + 1;
        let wrong = |what: &str| TargetsError::table(path, number, format!("{}: {what}; {REMEDY}", text::quote(entry)));
        let zone = entry.strip_prefix("*.").or_else(|| entry.strip_prefix('.'));
        let checked = host::check(zone.unwrap_or(entry), true, &mut Vec::new());
        let name = checked.map_err(|fault| wrong(fault.reason()))?;
        let remark = text::name(remark).text;
        let (date, who) = remark.trim().split_once(char::is_whitespace).unwrap_or((remark.trim(), ""));
        if date.len() != 10 || date.parse::<jiff::civil::Date>().is_err() {
            return Err(wrong("the day of the request is missing"));
        }
        let (requester, reason) = who.split_once([':', '：']).unwrap_or((who, ""));
        if requester.trim().is_empty() {
            return Err(wrong("who asked is missing"));
        }
        let request = OptOut {
            date: date.to_owned(),
            requester: requester.trim().to_owned(),
            reason: reason.trim().to_owned(),
            source: format!("{path}:{number}"),
        };
        list.add(name.ascii, zone.is_some(), request);
    }
    Ok(())
}

/// The request as a remark on a row.
pub(super) fn note(request: &OptOut) -> String {
    let note = format!("opted out: {} {} {}", request.source, request.date, request.requester);
    if request.reason.is_empty() { note } else { format!("{note}: {}", request.reason) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_zones() {
        let mut list = OptOuts::default();
        let text = "# who does not want to\nwww.a.cn # 2026-01-02 A school\n.b.cn#2026-01-03 网络中心：换设备\n*.学校.中国 # 2026-01-04 x\n\n";
        read(&mut list, "optout.txt", text.as_bytes()).unwrap();
        let found = |host: &str| list.of(host).map(note);
        assert_eq!(found("www.a.cn").as_deref(), Some("opted out: optout.txt:2 2026-01-02 A school"));
        assert_eq!(found("a.cn"), None);
        assert_eq!(found("b.cn").as_deref(), Some("opted out: optout.txt:3 2026-01-03 网络中心: 换设备"));
        assert!(found("x.y.b.cn").is_some());
        assert_eq!(found("xb.cn"), None);
        assert!(found("www.xn--48s290a.xn--fiqs8s").is_some());
    }

    #[test]
    fn a_bad_line_is_an_error_that_says_where_and_what_to_do() {
        for (line, what) in [
            ("http://x.cn/ # 2026-01-02 x", "http://x.cn/: a character that host names cannot have"),
            ("x.cn", "x.cn: the day of the request is missing"),
            ("x.cn # letter of the school", "x.cn: the day of the request is missing"),
            ("x.cn # 2026-02-30 school", "x.cn: the day of the request is missing"),
            ("x.cn # 2026-02-03", "x.cn: who asked is missing"),
            (".x.cn # 2026-02-03 : no wish", ".x.cn: who asked is missing"),
        ] {
            let file = format!("ok.cn # 2026-01-01 school\n{line}\n");
            let error = read(&mut OptOuts::default(), "optout.txt", file.as_bytes()).unwrap_err();
            assert_eq!(error.to_string(), format!("optout.txt:2: {what}; {REMEDY}"));
        }
    }
}
