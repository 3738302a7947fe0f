//! Records → the roster: one row at a time, every one accounted for.
//!
//! Responsible for what a row means as a whole: which school it is (again), its region, category and state, and which
//! of its sites is the portal. A record ends as one or more [`Row`]s or as a [`RejectedRow`], never as nothing. Leaves
//! the cells to [`super::normalise`], [`super::words`] and [`super::regions`].

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::columns::{Column, Columns};
use super::normalise::{self, Named};
use super::optout;
use super::records::{Record, RecordFault};
use super::regions::{Found, Regions, Wanted};
use super::wording::Fault;
use super::{text, words};
use crate::model::optout::OptOuts;
use crate::model::school::{
    Category, Region, RegionCode, RegionLevel, RejectedRow, Role, Roster, RosterState, Row, RowProblem, School,
    SourceFile, SourceLine,
};
use crate::model::site::SiteKey;

/// What all records of one list have in common.
pub(super) struct List<'a> {
    pub(super) path: &'a str,
    pub(super) columns: &'a Columns,
    /// Lines that were not valid in the file's encoding, escaped.
    pub(super) bad_lines: &'a BTreeMap<u64, String>,
}

/// Collects lists into a roster.
pub(super) struct Builder {
    pub(super) roster: Roster,
    regions: Regions,
    allow_reserved: bool,
    by_code: HashMap<String, usize>,
    /// By [`name_key`], of which there are two for each school. Hashes, not names: a list may hold a million.
    by_name: HashMap<u64, usize>,
    /// The row that names a school's portal, by school.
    portals: HashMap<usize, usize>,
    /// Regions that no table knows, in the order of the lists, with their names.
    unlisted: Vec<(RegionCode, String)>,
    unlisted_at: HashMap<RegionCode, usize>,
    /// Schools without any region are in the roster.
    nowhere: bool,
}

/// Hash of a school's name as compared, its region, and its county (empty: not known).
fn name_key(name: &str, region: &RegionCode, county: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (name, region.0.as_str(), county).hash(&mut hasher);
    hasher.finish()
}

/// Why a record cannot be taken in.
struct Reject {
    column: Option<String>,
    reason: &'static str,
    remedy: &'static str,
}

/// A record that says which school it means.
struct Read<'a> {
    school: School,
    /// Name of its region, where only the list knows it.
    group: Option<String>,
    state: Option<RosterState>,
    role: Option<Role>,
    sites: Vec<Named>,
    site_column: Option<String>,
    site_text: &'a str,
    notes: Vec<String>,
}

impl Builder {
    pub(super) fn new(regions: Regions, opt_outs: OptOuts, allow_reserved: bool) -> Self {
        Self {
            roster: Roster { opt_outs, ..Roster::default() },
            regions,
            allow_reserved,
            by_code: HashMap::new(),
            by_name: HashMap::new(),
            portals: HashMap::new(),
            unlisted: Vec::new(),
            unlisted_at: HashMap::new(),
            nowhere: false,
        }
    }

    /// Takes one record in.
    pub(super) fn add(&mut self, list: &List<'_>, record: &Record<'_>) {
        let source = SourceLine { file: list.path.to_owned(), line: record.line };
        match self.read(list, record) {
            Ok(read) => self.accept(read, &source),
            Err(reject) => {
                let bad = list.bad_lines.range(record.line..=record.last_line).next();
                let text = bad.map_or_else(|| text::quote(record.raw), |(_, bytes)| bytes.clone());
                let Reject { column, reason, remedy } = reject;
                let problem = RowProblem { column, reason: reason.to_owned(), remedy: remedy.to_owned(), text };
                self.roster.rejected.push(RejectedRow { source, problem });
            }
        }
    }

    /// Notes that a list was read to its end.
    pub(super) fn finish_list(&mut self, source: SourceFile) {
        self.roster.sources.push(source);
    }

    /// The roster, with a region for every school.
    pub(super) fn finish(mut self) -> Roster {
        let parent = self.regions.province().map(|region| region.code.clone());
        for (code, name) in std::mem::take(&mut self.unlisted) {
            let level = RegionLevel::City;
            self.regions.add(Region { code, name, name_en: None, level, parent: parent.clone() }, []);
        }
        if self.nowhere {
            let (name, name_en) = ("未注明地区".to_owned(), Some("unknown".to_owned()));
            let code = RegionCode::default();
            self.regions.add(Region { code, name, name_en, level: RegionLevel::City, parent }, []);
        }
        self.roster.regions = self.regions.list;
        self.roster
    }

    fn read<'r>(&self, list: &List<'_>, record: &'r Record<'_>) -> Result<Read<'r>, Reject> {
        let fields = readable(list, record)?;
        let columns = list.columns;
        let mut notes = Vec::new();
        check_width(columns, fields, &mut notes)?;
        let get = |column| columns.get(column, fields);

        let site_text = get(Column::Site);
        let sites = self.sites(columns, fields, site_text);
        let code = school_code(get(Column::SchoolCode), &mut notes);
        let beside = if columns.has(Column::Name) { "" } else { name_beside(site_text) };
        let name_cell = if beside.is_empty() { get(Column::Name) } else { beside };
        let name = school_name(name_cell, code.as_deref(), &sites, &mut notes).ok_or_else(|| Reject {
            column: columns.title(Column::Name).or_else(|| columns.title(Column::Site)),
            reason: "names neither a school nor a usable site",
            remedy: "give the school's name",
        })?;
        let wanted = Wanted {
            region_code: get(Column::RegionCode),
            region: get(Column::Region),
            county_code: get(Column::CountyCode),
            county: get(Column::County),
        };
        let Found { region, county, notes: region_notes, group } = self.regions.resolve(wanted);
        notes.extend(region_notes);
        let category = category(get(Column::Category), get(Column::Subtype), &name, &mut notes);
        let kept = |column| Some(text::name(get(column)).text).filter(|text| !text.is_empty());
        let (subtype, responsible_unit) = (kept(Column::Subtype), kept(Column::Unit));
        let school = School { name, code, region, county, category, subtype, responsible_unit };
        let state = word(get(Column::Status), words::state, "unknown status, read as listed", &mut notes);
        let role = word(get(Column::Role), words::role, "unknown role, left to the order of the rows", &mut notes);
        let site_column = columns.title(Column::Site);
        Ok(Read { school, group, state, role, sites, site_column, site_text, notes })
    }

    fn sites<S: AsRef<str>>(&self, columns: &Columns, fields: &[S], first: &str) -> Vec<Named> {
        if !columns.joins_sites {
            return normalise::cell(first, self.allow_reserved);
        }
        let cells = columns.places_of(Column::Site).filter_map(|at| fields.get(at));
        let cell = cells.map(AsRef::as_ref).collect::<Vec<&str>>().join("\n");
        normalise::cell(&cell, self.allow_reserved)
    }

    fn accept(&mut self, read: Read<'_>, source: &SourceLine) {
        let Read { school, group, state, role, sites, site_column, site_text, mut notes } = read;
        self.region(&school.region, group);
        let school = self.school(&school, &mut notes);
        // Closed, opted out and without a site are said of the school, and one row says it for all sites of the cell.
        let unprobed = state.filter(|state| *state != RosterState::Listed);
        if sites.is_empty() || (unprobed.is_some() && sites.iter().all(|named| named.site.is_err())) {
            if let Some(Named { site: Err(fault), .. }) = sites.first() {
                notes.push(format!("site not used: {}", fault.reason()));
            }
            let state = unprobed.unwrap_or(RosterState::NoSite);
            let role = role.unwrap_or(Role::Portal);
            let row = Row { school, source: source.clone(), state, role, site: None, changes: notes, problem: None };
            self.roster.rows.push(row);
            return;
        }
        let first_good = sites.iter().position(|named| named.site.is_ok()).unwrap_or(0);
        for (at, named) in sites.into_iter().enumerate() {
            let mut changes = if at == 0 { notes.clone() } else { Vec::new() };
            changes.extend(named.changes.iter().map(|change| change.words().to_owned()));
            let in_cell = if at == first_good { None } else { Some(Role::Service) };
            let problem = named.site.as_ref().err().map(|fault| problem(*fault, site_column.clone(), site_text));
            let mut row = Row {
                school,
                source: source.clone(),
                state: RosterState::Invalid,
                role: Role::Portal,
                site: None,
                changes,
                problem,
            };
            match named.site {
                Err(_) => row.role = role.or(in_cell).unwrap_or(Role::Portal),
                Ok(site) => {
                    row.role = role.or(in_cell).unwrap_or_else(|| self.role(school, &site.key, &mut row.changes));
                    row.state = unprobed.unwrap_or(RosterState::Listed);
                    if let Some(request) =
                        self.roster.opt_outs.of(&site.host).filter(|_| row.state != RosterState::Closed)
                    {
                        row.state = RosterState::OptedOut;
                        row.changes.push(optout::note(request));
                    }
                    row.site = Some(site.key.clone());
                    // Only what may be probed is among the sites: what is not there cannot be probed by mistake.
                    if row.state == RosterState::Listed {
                        self.roster.sites.entry(site.key.clone()).or_insert(site);
                    }
                }
            }
            if row.state == RosterState::NoSite {
                row.changes.extend(row.site.take().map(|site| format!("site not used: {site}")));
            }
            self.roster.rows.push(row);
        }
    }

    /// Remembers a region that no table knows. Its name is the first that a list gives, or else its code.
    fn region(&mut self, code: &RegionCode, group: Option<String>) {
        if code.0.is_empty() || self.regions.get(&code.0).is_some() {
            return;
        }
        let next = self.unlisted.len();
        let at = *self.unlisted_at.entry(code.clone()).or_insert(next);
        if at == next {
            self.unlisted.push((code.clone(), code.0.clone()));
        }
        let name = &mut self.unlisted[at].1;
        if let Some(group) = group.filter(|_| *name == code.0) {
            *name = group;
        }
    }

    /// The role of a row that does not say: the first site of a school is its portal, every other one a service.
    fn role(&mut self, school: usize, site: &SiteKey, changes: &mut Vec<String>) -> Role {
        let portal = *self.portals.entry(school).or_insert(self.roster.rows.len());
        // The row of the portal may be the one that is being made.
        if self.roster.rows.get(portal).is_none_or(|row| row.site.as_ref() == Some(site)) {
            return Role::Portal;
        }
        changes.push("another site of the school, read as a service".to_owned());
        Role::Service
    }

    /// The index of a school: the one known by the same code, or by the same name in the same place, or a new one.
    fn school(&mut self, school: &School, notes: &mut Vec<String>) -> usize {
        let name = text::comparable(&school.name);
        let county = school.county.as_ref().map_or("", |code| code.0.as_str());
        let (own_key, open_key) = (name_key(&name, &school.region, county), name_key(&name, &school.region, ""));
        let by_code = school.code.as_ref().and_then(|code| self.by_code.get(code));
        let at = by_code.copied().or_else(|| {
            // The key without county belongs to the first school of that name in the region, wherever it is.
            let exact = self.by_name.get(&own_key);
            let open = self.by_name.get(&open_key).filter(|at| self.roster.schools[**at].county.is_none());
            exact.or(open).copied().filter(|at| {
                let other = &self.roster.schools[*at];
                let same_code = other.code.is_none() || school.code.is_none() || other.code == school.code;
                // Two names may share a hash; they are two schools then.
                same_code && other.region == school.region && text::comparable(&other.name) == name
            })
        });
        let at = if let Some(at) = at {
            self.merge(at, school, notes);
            at
        } else {
            self.nowhere |= school.region.0.is_empty();
            self.roster.schools.push(school.clone());
            self.roster.schools.len() - 1
        };
        if let Some(code) = &school.code {
            self.by_code.entry(code.clone()).or_insert(at);
        }
        self.by_name.entry(own_key).or_insert(at);
        self.by_name.entry(open_key).or_insert(at);
        at
    }

    /// Fills what the first row of a school left open; what differs is noted and the first is kept.
    fn merge(&mut self, at: usize, other: &School, notes: &mut Vec<String>) {
        let known = &mut self.roster.schools[at];
        let fill = |ours: &mut Option<String>, theirs: &Option<String>| match ours {
            None => {
                ours.clone_from(theirs);
                false
            }
            Some(ours) => theirs.as_ref().is_some_and(|theirs| theirs != ours),
        };
        let mut differs = fill(&mut known.code, &other.code);
        differs |= fill(&mut known.responsible_unit, &other.responsible_unit);
        differs |= fill(&mut known.subtype, &other.subtype);
        differs |= text::comparable(&known.name) != text::comparable(&other.name) || known.region != other.region;
        differs |= known.category != other.category;
        if known.region == other.region && known.county.is_none() {
            known.county.clone_from(&other.county);
        }
        if differs {
            notes.push("the same school with other facts, first kept".to_owned());
        }
    }
}

/// The fields of a record, unless the record as a whole is unreadable.
fn readable<'r, 't>(list: &List<'_>, record: &'r Record<'t>) -> Result<&'r [std::borrow::Cow<'t, str>], Reject> {
    let whole = |reason, remedy| Reject { column: None, reason, remedy };
    if list.bad_lines.range(record.line..=record.last_line).next().is_some() {
        let remedy = "save the file again as UTF-8, or name its encoding";
        return Err(whole("bytes that are not valid in the file's encoding", remedy));
    }
    let quoting = "write \" as \"\" inside quotation marks, and close them";
    let fields = record.fields.as_ref().map_err(|fault| match fault {
        RecordFault::TooLong => whole("the row is longer than 8 KiB", "shorten the row; one row is one school"),
        RecordFault::Unclosed => whole("a quotation mark is not closed", quoting),
        RecordFault::AfterQuote => whole("text after a closing quotation mark", quoting),
    })?;
    if record.raw.contains('\0') {
        return Err(whole("the row contains NUL", "save the file again as CSV in UTF-8"));
    }
    Ok(fields)
}

/// Rows with too many or too few cells are only read where it is clear which cell is which.
fn check_width<S: AsRef<str>>(columns: &Columns, fields: &[S], notes: &mut Vec<String>) -> Result<(), Reject> {
    if columns.width == 0 || fields.len() == columns.width {
        return Ok(());
    }
    if fields.len() > columns.width {
        if fields[columns.width..].iter().all(|cell| cell.as_ref().trim().is_empty()) {
            return Ok(());
        }
        let remedy = "put cells with separators in quotation marks";
        return Err(Reject { column: None, reason: "more columns than the header", remedy });
    }
    if columns.has(Column::Site) && !columns.places_of(Column::Site).any(|at| at < fields.len()) {
        let (column, remedy) = (columns.title(Column::Site), "add the missing separators");
        return Err(Reject { column, reason: "the row ends before the site's column", remedy });
    }
    notes.push("fewer columns than the header".to_owned());
    Ok(())
}

/// A school's code. Spreadsheets turn long ones into `4.14101E+09`: such a code would make one school of them all.
fn school_code(cell: &str, notes: &mut Vec<String>) -> Option<String> {
    let code = cell.trim_matches(['\'', '\u{2019}', '=', '"']);
    let is_code = (4..=32).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let is_code = is_code && code.bytes().any(|b| b.is_ascii_digit());
    if !code.is_empty() && !is_code {
        notes.push(format!("not a school code, left out: {}", text::quote(code)));
    }
    is_code.then(|| code.to_owned())
}

/// The name in a line of the kind 甲校 www.a.cn, of a list without columns. Empty: the line is only a site.
fn name_beside(line: &str) -> &str {
    let words = line.split(|c: char| c.is_whitespace() || text::is_wide_space(c));
    words.into_iter().find(|word| !word.is_ascii() && !word.contains(['.', '．', '。', '｡', '/', '@'])).unwrap_or("")
}

/// A school's name; where there is none, its site or its code has to do. None: the row names nothing.
fn school_name(cell: &str, code: Option<&str>, sites: &[Named], notes: &mut Vec<String>) -> Option<String> {
    let cleaned = text::name(cell);
    if !cleaned.text.is_empty() {
        if cleaned.removed {
            notes.push("name cleaned of control characters".to_owned());
        }
        if cleaned.cut {
            notes.push("name cut to 200 characters".to_owned());
        }
        return Some(cleaned.text);
    }
    if let Some(site) = sites.iter().find_map(|named| named.site.as_ref().ok()) {
        notes.push("the school is named by its site".to_owned());
        return Some(site.unicode.clone().unwrap_or_else(|| site.host.clone()));
    }
    let code = code?;
    notes.push("the school is named by its code".to_owned());
    Some(code.to_owned())
}

/// The category a row gives, or else its finer kind, or else its name suggests.
fn category(cell: &str, subtype: &str, name: &str, notes: &mut Vec<String>) -> Category {
    if let Some(category) = words::category(cell) {
        return category;
    }
    if !cell.is_empty() {
        notes.push(format!("unknown category: {}", text::quote(cell)));
    }
    if let Some(category) = words::category(subtype).filter(|_| !subtype.is_empty()) {
        return category;
    }
    match words::category_of_name(name) {
        Some(category) => {
            notes.push("category taken from the school's name".to_owned());
            category
        }
        None => Category::Other,
    }
}

fn word<T>(cell: &str, find: fn(&str) -> Option<T>, unknown: &str, notes: &mut Vec<String>) -> Option<T> {
    if cell.is_empty() {
        return None;
    }
    let found = find(cell);
    if found.is_none() {
        notes.push(format!("{unknown}: {}", text::quote(cell)));
    }
    found
}

fn problem(fault: Fault, column: Option<String>, cell: &str) -> RowProblem {
    let (reason, remedy) = (fault.reason().to_owned(), fault.remedy().to_owned());
    RowProblem { column, reason, remedy, text: text::quote(cell) }
}
