//! The opt-out list: hosts and zones that are not probed on request.
//!
//! One entry a line, `www.school.cn` for a host or `.school.cn` (also `*.school.cn`) for a zone with everything below
//! it, then `#` with the date and who asked. A line that cannot be read is an error and not a warning: a request that
//! is overlooked does harm.

use std::collections::HashMap;

use super::TargetsError;
use super::decode;
use super::host;
use super::text;

/// Who asked not to be probed.
#[derive(Clone, Debug, Default)]
pub(super) struct OptOuts {
    hosts: HashMap<String, String>,
    zones: HashMap<String, String>,
}

impl OptOuts {
    /// Adds the entries of a file.
    pub(super) fn read(&mut self, path: &str, bytes: &[u8]) -> Result<(), TargetsError> {
        let decoded = decode::decode(bytes, None);
        for (index, line) in decoded.text.lines().enumerate() {
            let (entry, remark) = line.split_once('#').unwrap_or((line, ""));
            let entry = entry.trim();
            if entry.is_empty() {
                continue;
            }
            let number = index as u64 + 1;
            let zone = entry.strip_prefix("*.").or_else(|| entry.strip_prefix('.'));
            let checked = host::check(zone.unwrap_or(entry), true, &mut Vec::new());
            let name = checked.map_err(|fault| {
                TargetsError::table(path, number, format!("{}: {}", text::quote(entry), fault.reason()))
            })?;
            let note = format!("opted out: {path}:{number} {}", text::name(remark).text);
            let entries = if zone.is_some() { &mut self.zones } else { &mut self.hosts };
            entries.entry(name.ascii).or_insert_with(|| note.trim_end().to_owned());
        }
        Ok(())
    }

    /// The entry that covers a host, in words. None: nobody asked.
    pub(super) fn of(&self, host: &str) -> Option<&str> {
        if let Some(note) = self.hosts.get(host) {
            return Some(note);
        }
        if self.zones.is_empty() {
            return None;
        }
        let mut name = host;
        loop {
            if let Some(note) = self.zones.get(name) {
                return Some(note);
            }
            name = name.split_once('.')?.1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_zones() {
        let mut list = OptOuts::default();
        let text = "# who does not want to\nwww.a.cn # 2026-01-02 letter of A school\n.b.cn\n*.学校.中国\n\n";
        list.read("optout.txt", text.as_bytes()).unwrap();
        assert_eq!(list.of("www.a.cn"), Some("opted out: optout.txt:2 2026-01-02 letter of A school"));
        assert_eq!(list.of("a.cn"), None);
        assert_eq!(list.of("b.cn"), Some("opted out: optout.txt:3"));
        assert!(list.of("x.y.b.cn").is_some());
        assert_eq!(list.of("xb.cn"), None);
        assert!(list.of("www.xn--48s290a.xn--fiqs8s").is_some());
    }

    #[test]
    fn a_bad_line_is_an_error() {
        let error = OptOuts::default().read("optout.txt", b"ok.cn\nhttp://x.cn/\n").unwrap_err();
        assert_eq!(error.to_string(), "optout.txt:2: http://x.cn/: a character that host names cannot have");
    }
}
