//! What people are told about their lists before anything is probed: files, rows that were changed, rows that cannot be
//! used and why, and what is listed twice.
//!
//! Plain data and one text rendering, in Chinese or English. Leaves printing to the command line, and other formats to
//! the reports.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::text::quote;
use super::wording::in_chinese;
use super::{Loaded, Reading};
use crate::model::school::{RosterState, Row, RowProblem, SourceLine};
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
pub struct ChangedRow<'a> {
    /// Where it stands.
    pub source: &'a SourceLine,
    /// The school's name.
    pub school: &'a str,
    /// The site as it was read. None: the row has none.
    pub site: Option<&'a SiteKey>,
    /// What was changed, in English words ([`in_chinese`] has the others).
    pub changes: &'a [String],
}

/// A row that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProblemRow<'a> {
    /// Where it stands.
    pub source: &'a SourceLine,
    /// The school's name. None: the row does not even say which.
    pub school: Option<&'a str>,
    /// Column, reason, remedy, text.
    pub problem: &'a RowProblem,
}

/// Something that several rows name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duplicate<'a> {
    /// The site's key or the school's name.
    pub what: &'a str,
    /// The rows, in order.
    pub lines: Vec<&'a SourceLine>,
}

/// Everything there is to say about the lists. It borrows from them: a list may have a million rows, and each a remark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckReport<'a> {
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
    pub changed: Vec<ChangedRow<'a>>,
    /// Rows whose site cannot be one.
    pub invalid: Vec<ProblemRow<'a>>,
    /// Rows that could not be read.
    pub rejected: Vec<ProblemRow<'a>>,
    /// Sites that are listed more than once: each is probed once.
    pub duplicate_sites: Vec<Duplicate<'a>>,
    /// Schools with more than one row.
    pub duplicate_schools: Vec<Duplicate<'a>>,
}

/// Collects the report.
pub fn check_report(loaded: &Loaded) -> CheckReport<'_> {
    let roster = &loaded.roster;
    let name_of = |row: &Row| roster.schools.get(row.school).map_or("", |school| school.name.as_str());
    let mut rejected_in: BTreeMap<&str, u64> = BTreeMap::new();
    for row in &roster.rejected {
        *rejected_in.entry(&row.source.file).or_default() += 1;
    }
    let files = roster.sources.iter().zip(&loaded.readings).map(|(source, reading)| FileCheck {
        path: source.path.clone(),
        encoding: source.encoding.clone(),
        reading: reading.clone(),
        rows: source.rows,
        rejected: rejected_in.get(source.path.as_str()).copied().unwrap_or(0),
    });
    let mut states: BTreeMap<RosterState, u64> = BTreeMap::new();
    let mut by_site = Vec::with_capacity(roster.rows.len());
    let mut by_school: Vec<(usize, &SourceLine)> = Vec::with_capacity(roster.rows.len());
    for row in &roster.rows {
        *states.entry(row.state).or_default() += 1;
        by_site.extend(row.site.as_ref().map(|site| (site.as_str(), &row.source)));
        // Several sites in one cell are not several rows.
        if by_school.last() != Some(&(row.school, &row.source)) {
            by_school.push((row.school, &row.source));
        }
    }
    let changed = roster.rows.iter().filter(|row| !row.changes.is_empty()).map(|row| ChangedRow {
        source: &row.source,
        school: name_of(row),
        site: row.site.as_ref(),
        changes: &row.changes,
    });
    let invalid = roster.rows.iter().filter_map(|row| {
        let problem = row.problem.as_ref()?;
        Some(ProblemRow { source: &row.source, school: Some(name_of(row)), problem })
    });
    let rejected =
        roster.rejected.iter().map(|row| ProblemRow { source: &row.source, school: None, problem: &row.problem });
    let school_name = |at: usize| roster.schools.get(at).map_or("", |school| school.name.as_str());
    CheckReport {
        name: loaded.name.clone(),
        simulated: roster.simulated,
        files: files.collect(),
        schools: roster.schools.len() as u64,
        sites: roster.sites.len() as u64,
        states,
        changed: changed.collect(),
        invalid: invalid.collect(),
        rejected: rejected.collect(),
        duplicate_sites: duplicates(by_site, |site| site),
        duplicate_schools: duplicates(by_school, school_name),
    }
}

/// What stands in more than one row, in the order of `K`, each with its rows in their order.
fn duplicates<'a, K: Ord + Copy>(
    mut rows: Vec<(K, &'a SourceLine)>,
    name: impl Fn(K) -> &'a str,
) -> Vec<Duplicate<'a>> {
    rows.sort_by_key(|(key, _)| *key);
    let groups = rows.chunk_by(|(a, _), (b, _)| a == b).filter(|group| group.len() > 1);
    groups
        .map(|group| Duplicate { what: name(group[0].0), lines: group.iter().map(|(_, line)| *line).collect() })
        .collect()
}

impl CheckReport<'_> {
    /// Whether every row can be used.
    pub fn is_clean(&self) -> bool {
        self.invalid.is_empty() && self.rejected.is_empty()
    }

    /// The report as text, at most `limit` entries of each kind. Control and bidirectional characters are escaped.
    pub fn text(&self, language: Language, limit: usize) -> String {
        let mut writer = Writer { out: String::new(), language, limit };
        if let Some(name) = &self.name {
            writer.line(0, &quote(name));
        }
        if self.simulated {
            writer.say("simulated lists: everything in them is invented", "模拟名单：内容均为虚构");
        }
        for file in &self.files {
            writer.file(file);
        }
        let zh = format!("学校 {} 所，待测网站 {} 个", self.schools, self.sites);
        writer.say(&format!("{} schools, {} sites to probe", self.schools, self.sites), &zh);
        for (state, count) in &self.states {
            let (en, zh) = state_words(*state);
            writer.line(1, &format!("{}: {count}", writer.choose(en, zh)));
        }
        writer.section("changed rows", "已调整的行", self.changed.iter(), |writer, row| {
            let changes: Vec<_> = row.changes.iter().map(|words| writer.words(words)).collect();
            let site = row.site.map_or("-", SiteKey::as_str);
            format!("{} {} {}: {}", at(row.source), quote(row.school), quote(site), changes.join("; "))
        });
        writer.section("rows with an unusable site", "网站填写有误的行", self.invalid.iter(), Writer::problem);
        writer.section("rejected rows", "无法读取的行", self.rejected.iter(), Writer::problem);
        writer.section("sites listed more than once", "重复列出的网站", self.duplicate_sites.iter(), Writer::duplicate);
        writer.section("schools with several rows", "多行的学校", self.duplicate_schools.iter(), Writer::duplicate);
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
    limit: usize,
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
            Some(separator) => format!("{} {separator}", self.choose("separator", "分隔符")),
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
    }

    fn problem(&self, row: &ProblemRow<'_>) -> String {
        let RowProblem { column, reason, remedy, text } = row.problem;
        let column = column
            .as_ref()
            .map_or_else(String::new, |column| format!(" [{} {}]", self.choose("column", "列"), quote(column)));
        let school = row.school.map_or_else(String::new, |school| format!(" {}", quote(school)));
        let (reason, remedy) = (self.words(reason), self.words(remedy));
        format!("{}{column}{school}: {reason}; {remedy}: {}", at(row.source), quote(text))
    }

    fn duplicate(&self, duplicate: &Duplicate<'_>) -> String {
        let shown: Vec<String> = duplicate.lines.iter().take(5).map(|line| at(line)).collect();
        let more = if duplicate.lines.len() > 5 { ", …" } else { "" };
        let times = self.choose("times", "次");
        format!("{} ({} {times}): {}{more}", quote(duplicate.what), duplicate.lines.len(), shown.join(", "))
    }

    fn section<'a, T: 'a>(
        &mut self,
        en: &str,
        zh: &str,
        entries: impl ExactSizeIterator<Item = &'a T>,
        text: impl Fn(&Self, &T) -> String,
    ) {
        let count = entries.len();
        if count == 0 {
            return;
        }
        let title = self.choose(en, zh).to_owned();
        self.line(0, &format!("{title}: {count}"));
        for entry in entries.take(self.limit) {
            let text = text(self, entry);
            self.line(1, &text);
        }
        if count > self.limit {
            let more = format!("… {} {}", self.choose("and more:", "其余："), count - self.limit);
            self.line(1, &more);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{LoadOptions, load_bytes};
    use super::*;

    const LIST: &str =
        "学校名称,域名\n甲校,www.a.cn\n乙校,ｗｗｗ.a.cn\n丙校,a_b.cn\n,无\n甲校,www.a.cn\n\u{202e}丁\u{1b}校,无\n";

    fn list() -> Loaded {
        load_bytes(&[("list.csv", LIST)], &LoadOptions::default()).unwrap()
    }

    #[test]
    fn everything_is_in_it() {
        let list = list();
        let report = check_report(&list);
        assert_eq!((report.schools, report.sites, report.files[0].rows, report.files[0].rejected), (4, 1, 6, 1));
        assert_eq!(report.invalid[0].problem.column.as_deref(), Some("域名"));
        assert_eq!(report.rejected[0].source.to_string(), "list.csv:5");
        assert_eq!(report.duplicate_sites[0].lines.len(), 3);
        assert_eq!(report.duplicate_schools[0].what, "甲校");
        assert!(!report.is_clean());
    }

    #[test]
    fn text_in_both_languages_is_inert() {
        let list = list();
        let report = check_report(&list);
        let (zh, en) = (report.text(Language::Zh, 100), report.text(Language::En, 100));
        assert!(
            zh.contains("list.csv:4 [列 域名] 丙校: 主机名中不允许下划线; 请对照浏览器地址栏检查拼写: a_b.cn"),
            "{zh}"
        );
        assert!(en.contains("list.csv:5 [column 学校名称]: names neither a school nor a usable site"), "{en}");
        assert!(en.contains("list.csv: UTF-8, separator ,, header, sites in column 域名, 6 rows, 1 rejected"), "{en}");
        for text in [&zh, &en] {
            assert!(!text.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'));
        }
        assert!(report.text(Language::En, 1).contains("… and more: "));
    }
}
