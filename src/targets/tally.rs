//! The book of `targets check`: numbers, what is listed twice, and the first rows of each kind that need a look.
//!
//! A list may have a million rows, and people look at it before they trust it, perhaps on a small machine. So no row is kept:
//! of a school its facts in one string of bytes, of a site its key, of both where they first stood. Leaves words and
//! layout to [`super::check`].

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use super::book::Book;
use super::check::{ChangedRow, Duplicate, Entries, ProblemRow};
use super::known::{Known, short};
use crate::model::school::{Category, RegionCode, RejectedRow, RosterState, Row, School, SourceLine};
use crate::model::site::{Site, SiteKey};
use crate::model::word::Word;

/// Lines that are named of what is listed twice.
const LINES: usize = 5;
/// No school's portal is known, and: its row names no site.
const NO_PORTAL: u32 = u32::MAX;
const SITELESS: u32 = u32::MAX - 1;

/// Everything that is counted.
pub(super) struct Tally {
    /// Rows that are kept of each kind.
    most: usize,
    files: Vec<Word>,
    schools: Schools,
    sites: Sites,
    /// By school, [`NO_PORTAL`] or [`SITELESS`] or the number of a site.
    portals: Vec<u32>,
    /// The row of a school that came last: several sites in one cell are not several rows.
    last: Option<(usize, Place)>,
    school_places: Places,
    site_places: Places,
    pub(super) states: BTreeMap<RosterState, u64>,
    pub(super) rejected_in: HashMap<Word, u64>,
    pub(super) changed: Entries<ChangedRow>,
    pub(super) invalid: Entries<ProblemRow>,
    pub(super) rejected: Entries<ProblemRow>,
}

impl Tally {
    /// Keeps so many rows of each kind.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            files: Vec::new(),
            schools: Schools::default(),
            sites: Sites::default(),
            portals: Vec::new(),
            last: None,
            school_places: Places::default(),
            site_places: Places::default(),
            states: BTreeMap::new(),
            rejected_in: HashMap::new(),
            changed: Entries::default(),
            invalid: Entries::default(),
            rejected: Entries::default(),
        }
    }

    /// Distinct schools.
    pub(super) fn school_count(&self) -> u64 {
        self.schools.starts.len() as u64
    }

    /// Distinct sites that would be probed.
    pub(super) fn site_count(&self) -> u64 {
        self.sites.listed.iter().filter(|listed| **listed).count() as u64
    }

    /// Sites that several rows name, by key.
    pub(super) fn repeated_sites(&self) -> Entries<Duplicate> {
        let mut groups = self.site_places.repeated();
        groups.sort_by_key(|(site, _)| self.sites.key(*site));
        self.duplicates(&groups, |site| self.sites.key(site).to_owned())
    }

    /// Schools with several rows, in the order in which they came.
    pub(super) fn repeated_schools(&self) -> Entries<Duplicate> {
        self.duplicates(&self.school_places.repeated(), |school| self.schools.get(school).name)
    }

    fn duplicates(&self, groups: &[(usize, Vec<Place>)], name: impl Fn(usize) -> String) -> Entries<Duplicate> {
        let shown = groups.iter().take(self.most).map(|(of, places)| Duplicate {
            what: name(*of),
            rows: places.len() as u64,
            lines: places.iter().take(LINES).map(|place| self.line(*place)).collect(),
        });
        Entries { count: groups.len() as u64, first: shown.collect() }
    }

    fn place(&mut self, source: &SourceLine) -> Place {
        if self.files.last() != Some(&source.file) {
            self.files.push(source.file.clone());
        }
        // Files are limited in bytes, to far less than 2^32 lines.
        Place { file: short(self.files.len() - 1), line: u32::try_from(source.line).unwrap_or(u32::MAX) }
    }

    fn line(&self, place: Place) -> SourceLine {
        SourceLine { file: self.files[place.file as usize].clone(), line: place.line.into() }
    }
}

impl Book for Tally {
    fn school(&self, at: usize) -> Cow<'_, School> {
        Cow::Owned(self.schools.get(at))
    }

    fn add_school(&mut self, school: School) -> usize {
        self.portals.push(NO_PORTAL);
        self.schools.add(school)
    }

    fn set_school(&mut self, at: usize, school: School) {
        self.schools.starts[at] = self.schools.write(school);
    }

    fn is_portal(&mut self, school: usize, site: &SiteKey, keeps: bool) -> bool {
        let site = short(self.sites.number(site.as_str()));
        if self.portals[school] == NO_PORTAL {
            self.portals[school] = if keeps { site } else { SITELESS };
            return true;
        }
        self.portals[school] == site
    }

    fn add_site(&mut self, site: Site) {
        let at = self.sites.number(site.key.as_str());
        self.sites.listed[at] = true;
    }

    fn add_row(&mut self, row: Row) {
        let place = self.place(&row.source);
        *self.states.entry(row.state).or_default() += 1;
        if let Some(site) = &row.site {
            let site = self.sites.number(site.as_str());
            self.site_places.add(site, place);
        }
        if self.last.replace((row.school, place)) != Some((row.school, place)) {
            self.school_places.add(row.school, place);
        }
        let name = || self.schools.get(row.school).name;
        if !row.changes.is_empty() {
            let (source, site, changes) = (row.source.clone(), row.site, row.changes);
            self.changed.add(self.most, || ChangedRow { source, school: name(), site, changes });
        }
        if let Some(problem) = row.problem {
            self.invalid.add(self.most, || ProblemRow { source: row.source, school: Some(name()), problem: *problem });
        }
    }

    fn reject(&mut self, row: RejectedRow) {
        match self.rejected_in.get_mut(&row.source.file) {
            Some(count) => *count += 1,
            None => {
                self.rejected_in.insert(row.source.file.clone(), 1);
            }
        }
        self.rejected.add(self.most, || ProblemRow { source: row.source, school: None, problem: row.problem });
    }
}

/// Where something stands: the number of a file, and the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    file: u32,
    line: u32,
}

/// Where things stand that are numbered from 0.
#[derive(Default)]
struct Places {
    /// Of each the first. Line 0: none so far.
    first: Vec<Place>,
    /// All further ones, as they came.
    further: Vec<(u32, Place)>,
}

impl Places {
    fn add(&mut self, of: usize, place: Place) {
        if self.first.len() <= of {
            self.first.resize(of + 1, Place { file: 0, line: 0 });
        }
        if self.first[of].line == 0 { self.first[of] = place } else { self.further.push((short(of), place)) }
    }

    /// What stands in several places, with these, by number.
    fn repeated(&self) -> Vec<(usize, Vec<Place>)> {
        let mut further = self.further.clone();
        further.sort_by_key(|(of, _)| *of);
        let groups = further.chunk_by(|(a, _), (b, _)| a == b);
        let all = |group: &[(u32, Place)]| {
            let of = group[0].0 as usize;
            (of, std::iter::once(self.first[of]).chain(group.iter().map(|(_, place)| *place)).collect())
        };
        groups.map(all).collect()
    }
}

/// Keys of sites, numbered.
#[derive(Default)]
struct Sites {
    keys: String,
    /// Where each key ends.
    ends: Vec<usize>,
    /// Whether each would be probed.
    listed: Vec<bool>,
    known: Known,
}

impl Sites {
    fn key(&self, at: usize) -> &str {
        key(&self.keys, &self.ends, at)
    }

    /// The number of a site, known or new.
    fn number(&mut self, site: &str) -> usize {
        if let Some(at) = self.known.find(site, |at| key(&self.keys, &self.ends, at) == site) {
            return at;
        }
        let at = self.ends.len();
        self.keys.push_str(site);
        self.ends.push(self.keys.len());
        self.listed.push(false);
        self.known.add(site, at);
        at
    }
}

fn key<'a>(keys: &'a str, ends: &[usize], at: usize) -> &'a str {
    let start = at.checked_sub(1).map_or(0, |before| ends[before]);
    &keys[start..ends[at]]
}

/// What few schools have for themselves.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Kind {
    region: RegionCode,
    county: Option<RegionCode>,
    category: Category,
    subtype: Option<Word>,
}

/// Schools as bytes: the number of the kind, and then name, code and responsible unit, each after its length.
#[derive(Default)]
struct Schools {
    bytes: Vec<u8>,
    /// Where each begins.
    starts: Vec<usize>,
    kinds: Vec<Kind>,
    kind_numbers: HashMap<Kind, u32>,
}

/// Stands for a length where there is no text. Texts are shorter: each is a name of at most 200 characters.
const NO_TEXT: u16 = u16::MAX;

impl Schools {
    fn add(&mut self, school: School) -> usize {
        let start = self.write(school);
        self.starts.push(start);
        self.starts.len() - 1
    }

    fn write(&mut self, school: School) -> usize {
        let School { name, code, region, county, category, subtype, responsible_unit } = school;
        let kind = Kind { region, county, category, subtype };
        let next = short(self.kinds.len());
        let number = *self.kind_numbers.entry(kind.clone()).or_insert(next);
        if number == next {
            self.kinds.push(kind);
        }
        let start = self.bytes.len();
        self.bytes.extend(number.to_le_bytes());
        for text in [Some(&*name), code.as_deref(), responsible_unit.as_deref()] {
            let length = text.map_or(NO_TEXT, |text| u16::try_from(text.len()).unwrap_or(NO_TEXT));
            self.bytes.extend(length.to_le_bytes());
            self.bytes.extend(text.filter(|_| length != NO_TEXT).map_or(&[][..], |text| text.as_bytes()));
        }
        start
    }

    fn get(&self, at: usize) -> School {
        let (number, mut rest) = self.bytes[self.starts[at]..].split_at(4);
        let number = number.iter().rev().fold(0_usize, |number, byte| number << 8 | usize::from(*byte));
        let mut text = || {
            let (length, after) = rest.split_at(2);
            let length = u16::from_le_bytes([length[0], length[1]]);
            let (text, after) = after.split_at(if length == NO_TEXT { 0 } else { length.into() });
            rest = after;
            (length != NO_TEXT).then(|| String::from_utf8_lossy(text).into_owned())
        };
        let (name, code, responsible_unit) = (text().unwrap_or_default(), text(), text().map(Word::from));
        let Kind { region, county, category, subtype } = self.kinds[number].clone();
        School { name, code, region, county, category, subtype, responsible_unit }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schools_come_back_as_they_were() {
        let school = |name: &str, code: Option<&str>, county: Option<&str>| School {
            name: name.to_owned(),
            code: code.map(str::to_owned),
            region: "990100".into(),
            county: county.map(RegionCode::from),
            category: Category::K12,
            subtype: code.map(|_| "小学".into()),
            responsible_unit: county.map(|_| "示例市教育局".into()),
        };
        let all =
            [school("甲", None, None), school("乙", Some("4141010001"), Some("990101")), school("", None, Some(""))];
        let mut schools = Schools::default();
        for (at, of) in all.iter().enumerate() {
            assert_eq!(schools.add(of.clone()), at);
        }
        assert_eq!(all.iter().enumerate().find(|(at, of)| schools.get(*at) != **of), None);
        schools.starts[0] = schools.write(all[1].clone());
        assert_eq!((schools.get(0), schools.get(2)), (all[1].clone(), all[2].clone()));
    }
}
