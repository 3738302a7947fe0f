//! Whatever is given as a list, every row of it is accounted for, and nothing enters the roster that is not clean.
//!
//! Input: a byte that chooses the options (`0`: the usual ones), then the list. Lines of `%%` divide it from a table of
//! regions, opt-outs and a policy, in this order.

#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use v6ready::model::school::{Roster, RosterState};
use v6ready::targets::{LoadOptions, Loaded, TargetsError, load_bytes, normalise};

const ENCODINGS: [Option<&str>; 8] = [
    None,
    None,
    Some("utf-8"),
    Some("gb18030"),
    Some("utf-16le"),
    Some("big5"),
    Some("iso-2022-jp"),
    Some("windows-1252"),
];
const NAMES: [&str; 4] = ["list.csv", "regions.csv", "optout.txt", "policy.toml"];

fn options(how: u8) -> LoadOptions {
    let how = how.wrapping_sub(b'0');
    LoadOptions {
        encoding: ENCODINGS[usize::from(how & 7)].map(str::to_owned),
        separator: [None, None, Some(','), Some('，')][usize::from(how >> 3 & 3)],
        allow_reserved: how & 32 == 32,
        direct_counties: how & 64 == 64,
        ..LoadOptions::default()
    }
}

/// The input between lines of `%%`.
fn files(mut data: &[u8]) -> Vec<(&'static str, &[u8])> {
    let mut files = Vec::new();
    for name in NAMES {
        let Some(at) = data.windows(4).position(|window| window == b"\n%%\n") else {
            files.push((name, data));
            break;
        };
        files.push((name, &data[..=at]));
        data = &data[at + 4..];
    }
    files
}

fuzz_target!(|data: &[u8]| {
    let Some((how, rest)) = data.split_first() else { return };
    let (options, files) = (options(*how), files(rest));
    let loaded = match load_bytes(&files, &options) {
        Ok(loaded) => loaded,
        // A list by itself is always read, unless it is a spreadsheet.
        Err(TargetsError::Binary { .. }) => return,
        Err(error) => {
            assert!(files.len() > 1, "{error}");
            assert!(!error.to_string().contains('\u{1b}'), "{error:?}");
            return;
        }
    };
    let roster = &loaded.roster;
    assert_eq!(roster.rows_out(), roster.rows_in(), "a row is lost");
    assert_eq!((loaded.readings.len(), roster.sources.len()), (1, 1));
    sites(roster, &options);
    clean(roster);
    let encoding = roster.sources[0].encoding.as_str();
    if encoding == "UTF-8"
        && let Ok(text) = std::str::from_utf8(files[0].1)
    {
        no_line_is_lost(text, &loaded);
        alike_with_other_line_ends(text, &files[1..], &loaded, &options);
    }
});

/// A site is among the sites if and only if a listed row names it.
fn sites(roster: &Roster, options: &LoadOptions) {
    let listed = roster.rows.iter().filter(|row| row.state == RosterState::Listed);
    let named: BTreeSet<_> = listed.filter_map(|row| row.site.clone()).collect();
    assert!(named.iter().eq(roster.sites.keys()), "{named:?} {:?}", roster.sites.keys());
    for (key, site) in &roster.sites {
        assert_eq!(key, &site.key);
        let again: Vec<_> = normalise::cell(key.as_str(), options.allow_reserved);
        assert!(again.len() == 1 && again[0].site.as_ref() == Ok(site), "{key} is not its own spelling");
    }
    assert!(roster.rows.iter().all(|row| row.school < roster.schools.len()));
}

/// Texts of a roster are short and show what they are.
fn clean(roster: &Roster) {
    let control = |text: &str| text.chars().any(char::is_control);
    let names = roster.schools.iter().flat_map(|school| {
        [Some(&*school.name), school.responsible_unit.as_deref(), school.subtype.as_deref(), school.code.as_deref()]
    });
    for name in names.flatten().chain(roster.regions.iter().map(|region| &*region.name)) {
        // The ellipsis of a name that was cut is one more.
        assert!(name.chars().count() <= 201 && !control(name), "{name:?}");
    }
    assert!(roster.schools.iter().all(|school| !school.name.is_empty()));
    for text in roster.rows.iter().flat_map(|row| &row.changes) {
        assert!(!control(text), "{text:?}");
    }
    let problems = roster.rows.iter().filter_map(|row| row.problem.as_deref());
    for problem in problems.chain(roster.rejected.iter().map(|row| &row.problem)) {
        assert!(!problem.reason.is_empty() && !problem.remedy.is_empty(), "{problem:?}");
        // 200 characters, each of which may be escaped, and the ellipsis.
        assert!(problem.text.chars().count() <= 200 * 10 + 1 && !control(&problem.text), "{problem:?}");
        assert!(problem.column.as_deref().is_none_or(|column| !control(column)), "{problem:?}");
    }
}

/// Lines that say something are rows, counted without the reader: where no quotation mark makes one row of several lines.
fn no_line_is_lost(text: &str, loaded: &Loaded) {
    let lines: Vec<&str> = text.split(['\n', '\r']).collect();
    let last = u64::try_from(lines.len()).expect("few");
    let roster = &loaded.roster;
    let places = roster.rows.iter().map(|row| &row.source).chain(roster.rejected.iter().map(|row| &row.source));
    assert!(places.into_iter().all(|place| (1..=last).contains(&place.line)));
    if text.contains('"') {
        return;
    }
    let says_something = |line: &&&str| line.chars().any(char::is_alphanumeric);
    let comment =
        |line: &&&str| line.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}').starts_with('#');
    let certain = lines.iter().filter(says_something).filter(|line| !comment(line)).count() as u64;
    let possible = lines.iter().filter(|line| !line.trim().is_empty()).count() as u64;
    let reading = &loaded.readings[0];
    let read = roster.rows_in() + u64::from(reading.header) + reading.repeated_headers;
    assert!((certain..=possible).contains(&read), "{read} of {certain} to {possible} lines");
}

/// Windows' line ends and a byte order mark change nothing but the digest.
fn alike_with_other_line_ends(text: &str, others: &[(&str, &[u8])], loaded: &Loaded, options: &LoadOptions) {
    if text.contains(['\r', '"', '\u{feff}']) || text.lines().any(|line| line.len() > 8000) {
        return;
    }
    let text = format!("\u{feff}{}", text.replace('\n', "\r\n"));
    let files: Vec<_> = [("list.csv", text.as_bytes())].into_iter().chain(others.iter().copied()).collect();
    let mut again = load_bytes(&files, options).expect("it was read before");
    again.roster.sources.clone_from(&loaded.roster.sources);
    assert_eq!(&again, loaded);
}
