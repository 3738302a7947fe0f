//! The entries of a report, each made when it is asked for: a view of the lists and the verdicts, and a province has a
//! hundred thousand of them. What every entry is sorted, counted and chosen by is kept as an [`Outline`] of some bytes.
//!
//! Leaves to others: what an entry says (`build`).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, Serializer};

use crate::judge::compare::{Change, Delta, Flapping};
use crate::judge::summarise::{Standing, counted_rows, row_standing, schools_of_sites};
use crate::model::school::{RegionCode, Role, RosterState, Row};
use crate::model::site::{Site, SiteKey};
use crate::model::time::Timestamp;
use crate::model::verdict::{Assessment, Readiness};

use super::ReportInput;
use super::build::entry;
use super::model::SchoolRow;

/// What is known of an entry without making it.
#[derive(Clone, Debug)]
pub struct Outline {
    /// Index of the row of the lists. None: the school has no portal row, and counts by this entry.
    pub row: Option<usize>,
    /// Index of the school.
    pub school: usize,
    /// Where it stands.
    pub standing: Standing,
    /// Role of the site for the school.
    pub role: Role,
    /// The school counts by this row.
    pub counted: bool,
    /// What became of it since the run before. None: there is nothing to say, as where there is no verdict.
    pub past: Option<Box<OwnPast>>,
}

/// The past of an entry, as [`SchoolRow`] has it.
#[derive(Clone, Debug, Default)]
pub struct OwnPast {
    /// The verdict of the run before.
    pub previous: Option<Readiness>,
    /// The verdict that counted before this run. None: there is none.
    pub settled: Option<Readiness>,
    /// The verdict contradicts the settled one and was seen once.
    pub unconfirmed: bool,
    /// It goes to and fro. None: it does not.
    pub flapping: Option<Flapping>,
    /// What changed. None: no verdict.
    pub changed: Option<Change>,
}

impl Outline {
    fn new(school: usize, standing: Standing) -> Self {
        Self { row: None, school, standing, role: Role::Portal, counted: true, past: None }
    }

    /// What changed. None: no verdict.
    pub fn changed(&self) -> Option<Change> {
        self.past.as_ref().and_then(|past| past.changed)
    }

    /// The verdict contradicts the settled one and was seen once.
    pub fn unconfirmed(&self) -> bool {
        self.past.as_ref().is_some_and(|past| past.unconfirmed)
    }

    /// The verdict that counted before this run. None: there is none.
    pub fn settled(&self) -> Option<Readiness> {
        self.past.as_ref().and_then(|past| past.settled)
    }

    /// It goes to and fro.
    pub fn flaps(&self) -> bool {
        self.past.as_ref().is_some_and(|past| past.flapping.is_some())
    }

    /// The site of the row. None: it has none.
    pub(super) fn site<'a>(&self, input: &ReportInput<'a>) -> Option<&'a SiteKey> {
        input.roster.rows[self.row?].site.as_ref()
    }
}

/// Every entry: one per accepted row of the lists, in list order. A school without a portal row has one of its own at the end,
/// so that every school counts by exactly one entry. In JSON a list.
#[derive(Clone, Debug)]
pub struct Schools<'a> {
    pub(super) input: ReportInput<'a>,
    outlines: Vec<Outline>,
    /// By rows of the lists.
    known: Vec<Known<'a>>,
    /// Hosts of listed schools, without `www.`. Empty: no page's hosts were looked at.
    hosts: BTreeSet<&'a str>,
    /// Names of the regions that the lists know.
    regions: BTreeMap<&'a RegionCode, &'a str>,
}

/// What is known of the site of a row, looked up once for all formats: every look-up compares names a dozen times.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known<'a> {
    pub(super) site: Option<&'a Site>,
    pub(super) assessment: Option<&'a Assessment>,
    pub(super) first_seen: Option<Timestamp>,
    /// Schools that the site is listed for. None: this one.
    pub(super) shared_by: Option<u64>,
}

impl<'a> Known<'a> {
    fn new(input: &ReportInput<'a>, row: &Row, shared: &BTreeMap<&SiteKey, u64>) -> Self {
        let Some(key) = &row.site else { return Self::default() };
        Self {
            site: input.roster.sites.get(key),
            assessment: input.assessments.get(key),
            first_seen: input.first_seen.get(key).copied(),
            shared_by: shared.get(key).copied(),
        }
    }
}

impl<'a> Schools<'a> {
    pub(super) fn new(input: &ReportInput<'a>, delta: Option<&Delta>) -> Self {
        let roster = input.roster;
        let counted = counted_rows(roster);
        let without = counted.iter().filter(|row| row.is_none()).count();
        let mut outlines = Vec::with_capacity(roster.rows.len() + without);
        outlines.extend(roster.rows.iter().enumerate().filter_map(|(index, row)| {
            roster.schools.get(row.school)?;
            let mut outline = Outline::new(row.school, row_standing(roster, index, input.assessments));
            outline.row = Some(index);
            outline.role = row.role;
            outline.counted = counted[row.school] == Some(index);
            outline.past = own_past(&outline, row.site.as_ref(), delta).map(Box::new);
            Some(outline)
        }));
        let bare = (0..roster.schools.len()).filter(|school| counted[*school].is_none());
        outlines.extend(bare.map(|school| Outline::new(school, Standing::Roster(RosterState::NoSite))));
        let mut regions = BTreeMap::new();
        for region in &roster.regions {
            regions.entry(&region.code).or_insert(region.name.as_str());
        }
        let hosts = if input.assessments.values().any(|a| a.facts.skylight.is_some()) {
            let of_school = |row: &&Row| roster.schools.get(row.school).is_some_and(|s| s.category.is_of_schools());
            roster.rows.iter().filter(of_school).filter_map(|row| Some(bare_host(row.site.as_ref()?.host()))).collect()
        } else {
            BTreeSet::new()
        };
        let shared = schools_of_sites(roster);
        let known = roster.rows.iter().map(|row| Known::new(input, row, &shared)).collect();
        Self { input: *input, outlines, known, hosts, regions }
    }

    /// What is known of the site of a row of the lists.
    pub(super) fn known(&self, row: usize) -> Known<'a> {
        self.known[row]
    }

    /// The host is a listed school's, or below one.
    pub(super) fn is_of_a_school(&self, host: &str) -> bool {
        std::iter::successors(Some(bare_host(host)), |name| name.split_once('.').map(|(_, rest)| rest))
            .any(|name| self.hosts.contains(name))
    }

    /// All of them.
    pub fn rows(&self) -> Rows<'_> {
        Rows { schools: self, some: None }
    }

    /// All of them, made one after another.
    pub fn iter(&self) -> impl Iterator<Item = SchoolRow<'_>> {
        self.rows().iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.outlines.len()
    }

    /// There is none.
    pub fn is_empty(&self) -> bool {
        self.outlines.is_empty()
    }

    /// Code of the region that reports an entry.
    pub fn region(&self, outline: &Outline) -> &'a RegionCode {
        &self.input.roster.schools[outline.school].region
    }

    /// The region's name, or its code where the lists do not name it.
    pub(super) fn region_name(&self, code: &'a RegionCode) -> &'a str {
        self.regions.get(code).copied().unwrap_or(&code.0)
    }
}

fn bare_host(host: &str) -> &str {
    host.strip_prefix("www.").unwrap_or(host)
}

impl Serialize for Schools<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

/// Some of the entries, in their order.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    schools: &'a Schools<'a>,
    /// By their positions. None: all.
    some: Option<&'a [usize]>,
}

impl<'a> Rows<'a> {
    /// Those at these positions.
    pub fn some(schools: &'a Schools<'a>, positions: &'a [usize]) -> Self {
        Self { schools, some: Some(positions) }
    }

    /// How many there are.
    pub fn len(self) -> usize {
        self.some.map_or(self.schools.len(), <[usize]>::len)
    }

    /// There is none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Their outlines.
    pub fn outlines(self) -> impl Iterator<Item = &'a Outline> + Clone {
        let position = move |index: usize| self.some.map_or(index, |positions| positions[index]);
        (0..self.len()).map(move |index| &self.schools.outlines[position(index)])
    }

    /// All of these, made one after another.
    pub fn iter(self) -> impl Iterator<Item = SchoolRow<'a>> + use<'a> {
        self.those(|_| true)
    }

    /// Of these the wanted ones, made one after another.
    pub fn those(self, wanted: impl Fn(&Outline) -> bool) -> impl Iterator<Item = SchoolRow<'a>> {
        self.outlines().filter(move |outline| wanted(outline)).map(move |outline| entry(self.schools, outline))
    }

    /// The regions that report them.
    pub fn regions(self) -> BTreeSet<&'a RegionCode> {
        self.outlines().map(|outline| self.schools.region(outline)).collect()
    }

    /// The sites of those that have one.
    pub fn sites(self) -> impl Iterator<Item = &'a SiteKey> {
        self.outlines().filter_map(move |outline| outline.site(&self.schools.input))
    }
}

/// What is known of an entry's past.
fn own_past(outline: &Outline, site: Option<&SiteKey>, delta: Option<&Delta>) -> Option<OwnPast> {
    let Standing::Verdict(_) = outline.standing else { return None };
    let Some(delta) = delta else { return Some(OwnPast { changed: Some(Change::New), ..OwnPast::default() }) };
    let own =
        if outline.counted { delta.schools.get(outline.school) } else { site.and_then(|key| delta.services.get(key)) };
    let own = own?;
    Some(OwnPast {
        previous: match own.before.last {
            Some(Standing::Verdict(verdict)) => Some(verdict),
            _ => None,
        },
        settled: own.before.settled,
        unconfirmed: own.after.pending.is_some(),
        flapping: own.flapping,
        changed: own.change,
    })
}
