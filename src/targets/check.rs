//! What people are told about their lists before anything is probed: files, rows that were changed, rows that cannot be
//! used and why, and what is listed twice.
//!
//! Plain data and one text rendering, in Chinese or English. Leaves printing to the command line, and other formats to
//! the reports.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use super::columns::SITE_TITLES;
use super::roster::Built;
use super::tally::Tally;
use super::text::quote;
use super::wording::in_chinese;
use super::{Given, LoadOptions, Reading, Settled, TargetsError};
use crate::model::school::{RosterState, RowProblem, SourceLine};
use crate::model::site::SiteKey;

/// Language of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// 简体中文.
    Zh,
    /// English.
    En,
}

/// One list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileCheck {
    /// Its path as it was given.
    pub path: String,
    /// The encoding it was read in.
    pub encoding: String,
    /// Separator, header, repeated headers.
    pub reading: Reading,
    /// Data rows.
    pub rows: u64,
    /// Of these, rejected.
    pub rejected: u64,
}

/// A row that was read after something in it was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedRow {
    /// Where it stands.
    pub source: SourceLine,
    /// The school's name.
    pub school: String,
    /// The site as it was read. None: the row has none.
    pub site: Option<SiteKey>,
    /// What was changed, in English words ([`in_chinese`] has the others).
    pub changes: Vec<String>,
}

/// A row that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProblemRow {
    /// Where it stands.
    pub source: SourceLine,
    /// The school's name. None: the row does not even say which.
    pub school: Option<String>,
    /// Column, reason, remedy, text.
    pub problem: RowProblem,
}

/// Something that several rows name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duplicate {
    /// The site's key or the school's name.
    pub what: String,
    /// How many rows name it.
    pub rows: u64,
    /// The first five of them, in order.
    pub lines: Vec<SourceLine>,
}

/// Entries of one kind: all are counted, the first are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entries<T> {
    /// How many there are.
    pub count: u64,
    /// The first of them, as many as were asked for.
    pub first: Vec<T>,
}

impl<T> Default for Entries<T> {
    fn default() -> Self {
        Self { count: 0, first: Vec::new() }
    }
}

impl<T> Entries<T> {
    /// Counts one more, and keeps it as one of so many.
    pub(super) fn add(&mut self, most: usize, entry: impl FnOnce() -> T) {
        self.count += 1;
        if self.first.len() < most {
            self.first.push(entry());
        }
    }
}

/// Everything there is to say about the lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckReport {
    /// Name of the lists. None: they have none.
    pub name: Option<String>,
    /// The lists are invented.
    pub simulated: bool,
    /// Every list.
    pub files: Vec<FileCheck>,
    /// Distinct schools.
    pub schools: u64,
    /// Distinct sites that would be probed.
    pub sites: u64,
    /// Rows of the roster by state; a row with several sites counts once for each.
    pub states: BTreeMap<RosterState, u64>,
    /// Rows that were changed.
    pub changed: Entries<ChangedRow>,
    /// Rows whose site cannot be one.
    pub invalid: Entries<ProblemRow>,
    /// Rows that could not be read.
    pub rejected: Entries<ProblemRow>,
    /// Sites that are listed more than once: each is probed once.
    pub duplicate_sites: Entries<Duplicate>,
    /// Schools with more than one row.
    pub duplicate_schools: Entries<Duplicate>,
}

/// Reads files and folders as [`super::load`] does, and keeps of each kind of entry at most the first `most`.
///
/// Invented lists live in reserved names, so they are read as a laboratory would.
pub fn check(inputs: &[PathBuf], options: &LoadOptions, most: usize) -> Result<CheckReport, TargetsError> {
    check_given(&Given::files(inputs, options)?, options, most)
}

/// The same of files that are in memory, by name and bytes. Pure.
pub fn check_bytes<N: AsRef<str>, B: AsRef<[u8]>>(
    files: &[(N, B)],
    options: &LoadOptions,
    most: usize,
) -> Result<CheckReport, TargetsError> {
    check_given(&Given::bytes(files), options, most)
}

fn check_given(given: &Given<'_>, options: &LoadOptions, most: usize) -> Result<CheckReport, TargetsError> {
    let mut settled = Settled::of(given, options)?;
    settled.allow_reserved |= settled.simulated;
    let (Built { book: tally, sources, .. }, readings) = settled.read(Tally::new(most))?;
    let files = sources.into_iter().zip(readings).map(|(source, reading)| FileCheck {
        rejected: tally.rejected_in.get(source.path.as_str()).copied().unwrap_or(0),
        path: source.path,
        encoding: source.encoding,
        reading,
        rows: source.rows,
    });
    Ok(CheckReport {
        name: settled.name,
        simulated: settled.simulated,
        files: files.collect(),
        schools: tally.school_count(),
        sites: tally.site_count(),
        duplicate_sites: tally.repeated_sites(),
        duplicate_schools: tally.repeated_schools(),
        states: tally.states,
        changed: tally.changed,
        invalid: tally.invalid,
        rejected: tally.rejected,
    })
}

impl CheckReport {
    /// Whether every row can be used.
    pub fn is_clean(&self) -> bool {
        self.invalid.count == 0 && self.rejected.count == 0
    }

    /// Whether there is no row in any of the lists.
    pub fn is_empty(&self) -> bool {
        self.files.iter().all(|file| file.rows == 0)
    }

    /// The report as text. Control and bidirectional characters are escaped.
    pub fn text(&self, language: Language) -> String {
        let mut writer = Writer { out: String::new(), language };
        if let Some(name) = &self.name {
            writer.line(0, &quote(name));
        }
        if self.simulated {
            writer.say("simulated lists: everything in them is invented", "模拟名单：内容均为虚构");
        }
        for file in &self.files {
            writer.file(file);
        }
        let zh = format!("学校及其他单位 {} 个，待测网站 {} 个", self.schools, self.sites);
        writer.say(&format!("{} schools, {} sites to probe", self.schools, self.sites), &zh);
        for (state, count) in &self.states {
            let (en, zh) = state_words(*state);
            writer.line(1, &format!("{}: {count}", writer.choose(en, zh)));
        }
        writer.section("changed rows", "已调整的行", &self.changed, |writer, row| {
            let changes: Vec<_> = row.changes.iter().map(|words| writer.words(words)).collect();
            let site = row.site.as_ref().map_or("-", SiteKey::as_str);
            format!("{} {} {}: {}", at(&row.source), quote(&row.school), quote(site), changes.join("; "))
        });
        writer.section("rows with an unusable site", "网站填写有误的行", &self.invalid, Writer::problem);
        writer.section("rejected rows", "无法读取的行", &self.rejected, Writer::problem);
        writer.section("sites listed more than once", "重复列出的网站", &self.duplicate_sites, Writer::duplicate);
        writer.section("schools with several rows", "多行的学校", &self.duplicate_schools, Writer::duplicate);
        writer.out
    }
}

fn at(source: &SourceLine) -> String {
    quote(&source.to_string())
}

fn state_words(state: RosterState) -> (&'static str, &'static str) {
    match state {
        RosterState::Listed => ("rows to probe", "待测"),
        RosterState::NoSite => ("rows without a site", "学校无网站"),
        RosterState::Invalid => ("rows with an unusable site", "名单有误"),
        RosterState::OptedOut => ("rows that opted out", "不参与"),
        RosterState::Closed => ("rows of closed schools", "已撤并"),
    }
}

struct Writer {
    out: String,
    language: Language,
}

impl Writer {
    fn choose<'a>(&self, en: &'a str, zh: &'a str) -> &'a str {
        match self.language {
            Language::Zh => zh,
            Language::En => en,
        }
    }

    fn words(&self, words: &str) -> String {
        match self.language {
            Language::Zh => quote(&in_chinese(words)),
            Language::En => quote(words),
        }
    }

    fn line(&mut self, depth: usize, text: &str) {
        // Writing to a String does not fail.
        let _ = writeln!(self.out, "{:indent$}{text}", "", indent = depth * 2);
    }

    fn say(&mut self, en: &str, zh: &str) {
        let text = self.choose(en, zh).to_owned();
        self.line(0, &text);
    }

    fn file(&mut self, file: &FileCheck) {
        let separator = match file.reading.separator {
            None => self.choose("one column", "单列").to_owned(),
            Some('\t') => self.choose("separator TAB", "分隔符 TAB").to_owned(),
            Some(separator) => format!("{} \"{separator}\"", self.choose("separator", "分隔符")),
        };
        let header = if file.reading.header {
            self.choose("header", "有表头")
        } else {
            self.choose("no header", "无表头")
        };
        let sites = match &file.reading.site_column {
            Some(title) => format!("{} {}", self.choose("sites in column", "网站列"), quote(title)),
            None => self.choose("NO COLUMN OF SITES", "没有网站列！").to_owned(),
        };
        let rows = self.choose("rows", "行");
        let rejected = self.choose("rejected", "无法读取");
        let path = quote(&file.path);
        let encoding = quote(&file.encoding);
        let text = format!(
            "{path}: {encoding}, {separator}, {header}, {sites}, {} {rows}, {} {rejected}",
            file.rows, file.rejected
        );
        self.line(0, &text);
        self.columns(&file.reading);
        if file.rows == 0 {
            self.say("  THIS LIST HAS NO ROWS", "  该名单没有数据行！");
        }
    }

    /// What was not read, and what would have been.
    fn columns(&mut self, reading: &Reading) {
        let each = |(title, known): &(String, Option<&'static str>)| match known {
            Some(known) if self.language == Language::Zh => format!("{}（是否应为“{known}”？）", quote(title)),
            Some(known) => format!("{} (did you mean {known}?)", quote(title)),
            None => quote(title),
        };
        if !reading.unused.is_empty() {
            let titles: Vec<String> = reading.unused.iter().map(each).collect();
            let text = format!("{}: {}", self.choose("columns not used", "未采用的列"), titles.join(", "));
            self.line(1, &text);
        }
        if reading.header && reading.site_column.is_none() {
            let known = SITE_TITLES.join(", ");
            let text = format!("{}: {known}", self.choose("a column of sites is titled", "网站列的表头可写作"));
            self.line(1, &text);
        }
    }

    fn problem(&self, row: &ProblemRow) -> String {
        let RowProblem { column, reason, remedy, text } = &row.problem;
        let column = column
            .as_ref()
            .map_or_else(String::new, |column| format!(" [{} {}]", self.choose("column", "列"), quote(column)));
        let school = row.school.as_ref().map_or_else(String::new, |school| format!(" {}", quote(school)));
        let (reason, remedy) = (self.words(reason), self.words(remedy));
        format!("{}{column}{school}: {reason}; {remedy}: {}", at(&row.source), quote(text))
    }

    fn duplicate(&self, duplicate: &Duplicate) -> String {
        let shown: Vec<String> = duplicate.lines.iter().map(at).collect();
        let more = if duplicate.rows > duplicate.lines.len() as u64 { ", …" } else { "" };
        let times = self.choose("times", "次");
        format!("{} ({} {times}): {}{more}", quote(&duplicate.what), duplicate.rows, shown.join(", "))
    }

    fn section<T>(&mut self, en: &str, zh: &str, entries: &Entries<T>, text: impl Fn(&Self, &T) -> String) {
        if entries.count == 0 {
            return;
        }
        let title = self.choose(en, zh).to_owned();
        self.line(0, &format!("{title}: {}", entries.count));
        for entry in &entries.first {
            let text = text(self, entry);
            self.line(1, &text);
        }
        let others = entries.count - entries.first.len() as u64;
        if others > 0 {
            let more = format!("… {} {others}", self.choose("and more:", "其余："));
            self.line(1, &more);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str =
        "学校名称,域名\n甲校,www.a.cn\n乙校,ｗｗｗ.a.cn\n丙校,a_b.cn\n,无\n甲校,www.a.cn\n\u{202e}丁\u{1b}校,无\n";

    fn report(most: usize) -> CheckReport {
        check_bytes(&[("list.csv", LIST)], &LoadOptions::default(), most).unwrap()
    }

    #[test]
    fn everything_is_in_it() {
        let report = report(100);
        assert_eq!((report.schools, report.sites, report.files[0].rows, report.files[0].rejected), (4, 1, 6, 1));
        assert_eq!(report.invalid.first[0].problem.column.as_deref(), Some("域名"));
        assert_eq!(report.rejected.first[0].source.to_string(), "list.csv:5");
        assert_eq!(report.duplicate_sites.first[0].rows, 3);
        assert_eq!(report.duplicate_schools.first[0].what, "甲校");
        assert!(!report.is_clean());
    }

    #[test]
    fn text_in_both_languages_is_inert() {
        let (zh, en) = (report(100).text(Language::Zh), report(100).text(Language::En));
        assert!(
            zh.contains("list.csv:4 [列 域名] 丙校: 主机名中不允许下划线; 请对照浏览器地址栏检查拼写: a_b.cn"),
            "{zh}"
        );
        assert!(en.contains("list.csv:5 [column 学校名称]: names neither a school nor a usable site"), "{en}");
        assert!(
            en.contains("list.csv: UTF-8, separator \",\", header, sites in column 域名, 6 rows, 1 rejected"),
            "{en}"
        );
        for text in [&zh, &en] {
            assert!(!text.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'));
        }
        assert!(report(1).text(Language::En).contains("… and more: "));
        assert_eq!(report(1).changed.count, report(100).changed.count);
    }
}
