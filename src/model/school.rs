//! Schools, regions and the roster: everything the target lists say, with the line each fact came from.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::optout::OptOuts;
use super::site::{Site, SiteKey};
use super::word::Word;

/// An administrative division code as text: GB/T 2260 (six digits), or another code the lists use for a group.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RegionCode(pub Word);

impl From<&str> for RegionCode {
    fn from(code: &str) -> Self {
        Self(code.into())
    }
}

impl fmt::Display for RegionCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The level of a region in the administrative hierarchy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegionLevel {
    /// 省.
    Province,
    /// 省辖市, 示范区, or an optional reporting unit of the same rank.
    City,
    /// 县, 区, 县级市.
    County,
}

/// One region of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Region {
    /// Its code.
    pub code: RegionCode,
    /// Name in Chinese.
    pub name: String,
    /// Name in English or pinyin. None: not given.
    pub name_en: Option<String>,
    /// Its level.
    pub level: RegionLevel,
    /// The region whose numbers include this one's. None: the province itself.
    pub parent: Option<RegionCode>,
}

/// What kind of institution a school is. The policy's tasks name these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// 中小学.
    K12,
    /// 中等职业学校.
    SecondaryVocational,
    /// 高等教育: 普通本科, 高职高专.
    HigherEducation,
    /// 成人高校.
    AdultHigherEducation,
    /// 教育行政部门.
    EducationAuthority,
    /// 考试机构.
    ExamAuthority,
    /// Anything else that is listed: platforms, research institutes, kindergartens.
    Other,
}

impl Category {
    /// Whether what it holds may be called schools. The rest of a list may: kindergartens are schools, and a list that does not say
    /// what its rows are is one of schools.
    pub fn is_of_schools(self) -> bool {
        !matches!(self, Self::EducationAuthority | Self::ExamAuthority)
    }

    /// Every category, in report order.
    pub const ALL: [Self; 7] = [
        Self::K12,
        Self::SecondaryVocational,
        Self::HigherEducation,
        Self::AdultHigherEducation,
        Self::EducationAuthority,
        Self::ExamAuthority,
        Self::Other,
    ];

    /// The stable name used in lists, policy files and machine output.
    pub fn name(self) -> &'static str {
        match self {
            Self::K12 => "k12",
            Self::SecondaryVocational => "secondary_vocational",
            Self::HigherEducation => "higher_education",
            Self::AdultHigherEducation => "adult_higher_education",
            Self::EducationAuthority => "education_authority",
            Self::ExamAuthority => "exam_authority",
            Self::Other => "other",
        }
    }
}

/// What the list itself says about a row, beside any verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RosterState {
    /// The row names a site to be probed.
    Listed,
    /// 学校无网站: the list says that there is none, or none is known.
    NoSite,
    /// 名单有误: the row's site cannot be a public web site.
    Invalid,
    /// 不参与: on request.
    OptedOut,
    /// 已撤并: the school is closed.
    Closed,
}

/// What role a listed site has for its school.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// 门户: decides the school's completion.
    Portal,
    /// Another system of the school: has a rate of its own.
    Service,
}

/// Where something was read: the file, and its line counted from 1 (the header is line 1 where there is one).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SourceLine {
    /// The file's path as it was given.
    pub file: Word,
    /// The line at which the row begins.
    pub line: u64,
}

impl fmt::Display for SourceLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// One institution of the roster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct School {
    /// Its name.
    pub name: String,
    /// 学校标识码. None: not given.
    pub code: Option<String>,
    /// The region that reports it (a city, or the province for schools of the province's own).
    pub region: RegionCode,
    /// The county inside that region. None: not known.
    pub county: Option<RegionCode>,
    /// Its kind.
    pub category: Category,
    /// A finer kind in the list's own words, such as 普通本科. None: not given.
    pub subtype: Option<Word>,
    /// 责任单位. None: not given.
    pub responsible_unit: Option<Word>,
}

/// One row of the input. Every row of every list ends as one of these or as a [`RejectedRow`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Index into [`Roster::schools`].
    pub school: usize,
    /// Where the row stands.
    pub source: SourceLine,
    /// What the list says of it.
    pub state: RosterState,
    /// The site's role for the school.
    pub role: Role,
    /// The site. None: the row has none ([`RosterState::NoSite`] and [`RosterState::Invalid`]).
    pub site: Option<SiteKey>,
    /// What was changed to make the cell readable, in words ("full-width characters"), for `targets check`.
    pub changes: Vec<String>,
    /// Why the row is [`RosterState::Invalid`]. None: it is not.
    pub problem: Option<Box<RowProblem>>,
}

/// A row that could not be taken into the roster at all: it does not even say which school it means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedRow {
    /// Where it stands.
    pub source: SourceLine,
    /// What is wrong with it.
    pub problem: RowProblem,
}

/// What is wrong with a row, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowProblem {
    /// The column it failed in, by its header or by number. None: the row as a whole.
    pub column: Option<String>,
    /// Why.
    pub reason: String,
    /// What to do about it.
    pub remedy: String,
    /// The offending text, escaped and cut to 200 characters.
    pub text: String,
}

/// One list that was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFile {
    /// Its path as it was given.
    pub path: String,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
    /// The encoding it was read in, such as `UTF-8` or `GB18030`.
    pub encoding: String,
    /// Data rows in it, blank lines and the header not counted.
    pub rows: u64,
}

/// A tile of the schematic map: no boundaries, one square a region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tile {
    /// The region it stands for.
    pub code: RegionCode,
    /// Row from the north, from 1.
    pub row: u32,
    /// Column from the west, from 1.
    pub column: u32,
}

/// Everything the target lists say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roster {
    /// Regions in list order.
    pub regions: Vec<Region>,
    /// Schools in list order.
    pub schools: Vec<School>,
    /// One row per row of the lists that was accepted.
    pub rows: Vec<Row>,
    /// Every distinct site, by key.
    pub sites: BTreeMap<SiteKey, Site>,
    /// Rows that could not be read.
    pub rejected: Vec<RejectedRow>,
    /// The lists.
    pub sources: Vec<SourceFile>,
    /// The schematic map. Empty: regions are tiled in code order.
    pub tiles: Vec<Tile>,
    /// Who asked not to be measured.
    #[serde(default, skip_serializing_if = "OptOuts::is_empty")]
    pub opt_outs: OptOuts,
    /// The lists are invented (demo, samples): every report says so.
    pub simulated: bool,
}

impl Roster {
    /// Lets rows and sites share the keys of sites, as those of fresh lists do: read from a file, each has its own.
    pub fn share(&mut self) {
        let sites = std::mem::take(&mut self.sites).into_values();
        self.sites = sites.map(Site::shared).map(|site| (site.key.clone(), site)).collect();
        for key in self.rows.iter_mut().filter_map(|row| row.site.as_mut()) {
            if let Some((shared, _)) = self.sites.get_key_value(key) {
                *key = shared.clone();
            }
        }
    }

    /// Data rows that the lists hold.
    pub fn rows_in(&self) -> u64 {
        self.sources.iter().map(|source| source.rows).sum()
    }

    /// Data rows that are accounted for: each is either in [`Roster::rows`] (several times where one cell names several
    /// sites) or in [`Roster::rejected`]. Equal to [`Roster::rows_in`] at all times.
    pub fn rows_out(&self) -> u64 {
        let accepted = self.rows.iter().map(|row| &row.source);
        let rejected = self.rejected.iter().map(|row| &row.source);
        accepted.chain(rejected).collect::<std::collections::BTreeSet<_>>().len() as u64
    }
}
