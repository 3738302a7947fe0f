//! Lists as offices send them, and as nobody should: every row of every list ends in the report or among the rejected rows, with
//! its line; a file that is no list is refused with advice.
#![expect(clippy::unwrap_used, reason = "in tests, a failed unwrap is a failed test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use v6ready::judge::causes::causes;
use v6ready::judge::compare::Past;
use v6ready::judge::summarise::summarise;
use v6ready::model::deep::FaultyLinks;
use v6ready::model::owner::Aliases;
use v6ready::model::school::RosterState;
use v6ready::model::site::SiteKey;
use v6ready::report::{Lang, Report, ReportInput, Template, Trails};
use v6ready::targets::{LoadOptions, Loaded, load_bytes};

use crate::large;

/// A list, and what must become of it.
struct Case {
    what: &'static str,
    bytes: Vec<u8>,
    /// Data rows.
    rows: u64,
    /// Sites to measure, in the order of their keys.
    sites: &'static [&'static str],
    /// Rows that name a school without a site, and rows whose site cannot be one.
    without: (usize, usize),
    /// Lines of the rejected rows.
    rejected: &'static [u64],
}

fn case(
    what: &'static str,
    bytes: impl Into<Vec<u8>>,
    rows: u64,
    sites: &'static [&'static str],
    without: (usize, usize),
    rejected: &'static [u64],
) -> Case {
    Case { what, bytes: bytes.into(), rows, sites, without, rejected }
}

const TWO: &str = "学校名称,域名\n甲中学,a.cn\n乙中学,无\n";

fn wide(text: &str, big_endian: bool) -> Vec<u8> {
    let units = std::iter::once(0xfeff).chain(text.encode_utf16());
    units.flat_map(|unit: u16| if big_endian { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
}

fn gbk(text: &str) -> Vec<u8> {
    encoding_rs::GBK.encode(text).0.into_owned()
}

fn encodings() -> Vec<Case> {
    let bad_byte = [gbk("学校名称,域名\n甲中学,a.cn\n乙"), b"\xff".to_vec(), gbk("中学,b.cn\n丙中学,c.cn\n")].concat();
    let gbk_line = [
        "学校名称,域名\n甲中学,a.cn\n".as_bytes().to_vec(),
        gbk("乙中学,b.cn\n"),
        "丙中学,c.cn\n丁中学,无\n".as_bytes().to_vec(),
    ]
    .concat();
    let mut surrogate = wide("学校名称,域名\n甲中学,a.cn\n乙", false);
    surrogate.extend([0x00, 0xd8]);
    surrogate.extend(wide("中学,b.cn\n丙中学,c.cn\n", false).split_off(2));
    vec![
        case("UTF-8", TWO, 2, &["a.cn"], (1, 0), &[]),
        case("UTF-8 with a byte order mark", format!("\u{feff}{TWO}"), 2, &["a.cn"], (1, 0), &[]),
        case("UTF-16, little end first", wide(TWO, false), 2, &["a.cn"], (1, 0), &[]),
        case("UTF-16, big end first", wide(TWO, true), 2, &["a.cn"], (1, 0), &[]),
        case("GBK", gbk(TWO), 2, &["a.cn"], (1, 0), &[]),
        case("GBK with a bad byte", bad_byte, 3, &["a.cn", "c.cn"], (0, 0), &[3]),
        case("UTF-8 with a line of GBK", gbk_line, 4, &["a.cn", "c.cn"], (1, 0), &[3]),
        case("UTF-16 with half a character", surrogate, 3, &["a.cn", "c.cn"], (0, 0), &[3]),
    ]
}

fn lines() -> Vec<Case> {
    let long = |length: usize| format!("学校名称,域名\n甲,a.cn\n乙,{}\n丙,c.cn\n", "x".repeat(length));
    let unclosed = format!("学校名称,域名\n甲,a.cn\n\"乙,b.cn\n{}", "丙,c.cn\n".repeat(3));
    vec![
        case("nothing", "", 0, &[], (0, 0), &[]),
        case("a byte order mark and nothing", "\u{feff}", 0, &[], (0, 0), &[]),
        case("blank lines", "\n\n \r\n\r", 0, &[], (0, 0), &[]),
        case("a header alone", "学校名称,域名\n", 0, &[], (0, 0), &[]),
        case(
            "line ends of all kinds",
            "学校名称,域名\r\n甲,a.cn\r乙,b.cn\n丙,c.cn",
            3,
            &["a.cn", "b.cn", "c.cn"],
            (0, 0),
            &[],
        ),
        case("a line of 1 MB", long(1_000_000), 3, &["a.cn", "c.cn"], (0, 0), &[3]),
        case("a cell of 10 MB", long(10_000_000), 3, &["a.cn", "c.cn"], (0, 0), &[3]),
        case("NUL", "学校名称,域名\n甲\0,a.cn\n乙,b.cn\n", 2, &["b.cn"], (0, 0), &[2]),
        case("a quotation mark that is not closed", unclosed, 5, &["a.cn", "c.cn"], (0, 0), &[3]),
        case(
            "a line end in quotation marks",
            "学校名称,域名\n\"甲\n校\",a.cn\n乙,b.cn\n",
            2,
            &["a.cn", "b.cn"],
            (0, 0),
            &[],
        ),
        case("rows too short and too long", "学校名称,域名\n甲\n乙,b.cn,x\n丙,c.cn\n", 3, &["c.cn"], (0, 0), &[2, 3]),
    ]
}

/// Cells for the site, one row each after the header.
fn cells(what: &'static str, cells: &[&str], sites: &'static [&'static str], without: (usize, usize)) -> Case {
    let mut text = String::from("学校名称\t域名\n");
    for (number, cell) in cells.iter().enumerate() {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "第{number}中学\t{cell}");
    }
    case(what, text, cells.len() as u64, sites, without, &[])
}

fn names() -> Vec<Case> {
    let label = |length: usize| format!("{}.cn", "a".repeat(length));
    let (longest, longer) = (label(63), label(64));
    vec![
        cells(
            "punctuation of input methods",
            &[
                "ｗｗｗ．ａ．ｃｎ",
                "www。b。cn",
                "http：／／c.cn／",
                "\u{3000}d.cn\u{a0}",
                "e\u{200b}.cn",
                "“f.cn”",
                "g.cn、",
            ],
            &["d.cn", "e.cn", "f.cn", "g.cn", "http://c.cn", "www.a.cn", "www.b.cn"],
            (0, 0),
        ),
        cells(
            "addresses copied from browsers",
            &["http://a.cn/index.htm", "https:\\\\b.cn", "http//c.cn", "http://http://d.cn", "E.CN.", "f.cn/?x=1#y"],
            &["e.cn", "f.cn", "http://a.cn", "http://c.cn", "http://d.cn", "https://b.cn"],
            (0, 0),
        ),
        cells("words for none", &["无", "暂无", "-", "", "N/A"], &[], (5, 0)),
        cells(
            "what is no public name",
            &[
                "10.0.0.1",
                "[2001:db8::1]",
                "0x7f.1",
                "2130706433",
                "localhost",
                "a.local",
                "a.test",
                "a.arpa",
                "a.onion",
                "edu.cn",
                "single",
                "a_b.cn",
                "-a.cn",
                "a-.cn",
                "*.a.cn",
                "xn--a.cn",
                "user@a.cn",
            ],
            &[],
            (0, 17),
        ),
        cells("the longest label and a longer one", &[&longest, &longer], &[LONGEST], (0, 1)),
        cells("the same site twice, and by another case", &["a.cn", "A.cn.", "ａ.cn"], &["a.cn"], (0, 0)),
        // A cell of several words is read as several names.
        cells(
            "text that does something elsewhere",
            &["=cmd|'/C calc'!A0", "<script>alert(1)</script>", "\u{1b}[2J"],
            &[],
            (0, 7),
        ),
    ]
}

/// 63 letters.
const LONGEST: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.cn";

/// Rows of the report that a scan of these lists would make, and rejected rows in it.
fn reported(loaded: &Loaded) -> (usize, usize) {
    let assessments = BTreeMap::new();
    let (roster, policy) = (&loaded.roster, &loaded.policy);
    let (run, zone, past) = (large::run(), jiff::tz::TimeZone::UTC, Past::default());
    let (summary, causes) =
        (summarise(roster, policy, &assessments), causes(roster, policy, &assessments, &Aliases::default()));
    let (trails, links, seen, formats) = (Trails::default(), FaultyLinks::default(), BTreeMap::new(), BTreeSet::new());
    let report = Report::new(&ReportInput {
        run: &run,
        roster,
        policy,
        assessments: &assessments,
        summary: &summary,
        causes: &causes,
        rules: &[],
        trails: &trails,
        faulty_links: &links,
        say: str::to_owned,
        first_seen: &seen,
        past: &past,
        evidence: None,
        lang: Lang::Zh,
        zone: &zone,
        formats: &formats,
        template: Template::shipped(Lang::Zh),
    });
    (report.schools.len(), report.rejected.len())
}

fn wrong(case: &Case) -> Option<String> {
    let loaded = load_bytes(&[("list.csv", &case.bytes)], &LoadOptions::default()).unwrap();
    let roster = &loaded.roster;
    let sites: Vec<&str> = roster.sites.keys().map(SiteKey::as_str).collect();
    let of = |state| roster.rows.iter().filter(|row| row.state == state).count();
    let without = (of(RosterState::NoSite), of(RosterState::Invalid));
    let rejected: Vec<u64> = roster.rejected.iter().map(|row| row.source.line).collect();
    let found = (roster.rows_in(), sites.as_slice(), without, rejected.as_slice());
    let right = found == (case.rows, case.sites, case.without, case.rejected)
        && roster.rows_out() == roster.rows_in()
        && reported(&loaded) == (roster.rows.len(), rejected.len());
    (!right).then(|| format!("{}: {found:?}", case.what))
}

#[test]
fn every_row_is_reported_or_rejected_with_its_line() {
    let cases: Vec<Case> = [encodings(), lines(), names()].into_iter().flatten().collect();
    let wrong: Vec<String> = cases.iter().filter_map(wrong).collect();
    assert!(wrong.is_empty(), "n={}, wrong {}:\n{}", cases.len(), wrong.len(), wrong.join("\n"));
}

fn check(arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_v6ready"));
    let output = command.args(["--lang", "en", "targets", "check"]).args(arguments).output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[cfg(unix)]
#[test]
fn what_is_no_list_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    assert!(Command::new("mkfifo").arg(at("fifo.csv")).status().unwrap().success());
    fs::create_dir(at("empty")).unwrap();
    fs::write(at("list.xlsx"), b"PK\x03\x04rest").unwrap();
    fs::write(at("list.csv"), b"\xd0\xcf\x11\xe0rest").unwrap();
    fs::write(at("list.ods"), b"PK\x03\x04mimetypeapplication/vnd.oasis.opendocument.spreadsheet").unwrap();
    let save_as = "save it as CSV in UTF-8";
    for (path, says) in [
        ("/dev/zero".to_owned(), "not a regular file"),
        (at("fifo.csv"), "not a regular file"),
        (at("empty"), "holds no list files"),
        (at("vanished.csv"), "cannot read"),
        (at("list.xlsx"), save_as),
        (at("list.csv"), save_as),
        (at("list.ods"), save_as),
    ] {
        let begun = Instant::now();
        let (code, said) = check(&[&path]);
        assert_eq!(code, Some(3), "{path}: {said}");
        assert!(said.contains(says), "{path}: {said}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{path}");
    }
}
