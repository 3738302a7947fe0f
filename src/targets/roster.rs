//! Records → the roster: one row at a time, every one accounted for.
//!
//! Responsible for what a row means as a whole: which school it is (again), its region, category and state, and which
//! of its sites is the portal. A record ends as one or more [`Row`]s or as a [`RejectedRow`], never as nothing. Leaves
//! the cells to [`super::normalise`], [`super::words`] and [`super::regions`].

use std::collections::HashMap;

use super::book::Book;
use super::columns::{Column, Columns};
use super::decode::BadLines;
use super::known::Known;
use super::normalise::{self, Named};
use super::optout;
use super::records::{Record, RecordFault};
use super::regions::{Found, Regions, Wanted};
use super::wording::Fault;
use super::{text, words};
use crate::model::optout::OptOuts;
use crate::model::school::{
    Category, Region, RegionCode, RegionLevel, RejectedRow, Role, RosterState, Row, RowProblem, School, SourceFile,
    SourceLine,
};
use crate::model::site::SiteKey;
use crate::model::word::Word;

/// What all records of one list have in common.
pub(super) struct List<'a> {
    pub(super) path: &'a str,
    pub(super) columns: &'a Columns,
    /// Lines that were not valid in the file's encoding, escaped.
    pub(super) bad_lines: &'a BadLines,
}

/// Collects lists into a book.
pub(super) struct Builder<B> {
    book: B,
    sources: Vec<SourceFile>,
    regions: Regions,
    opt_outs: OptOuts,
    allow_reserved: bool,
    by_code: Known,
    /// By name as compared, region, and county (empty: not known): two for each school that has a county.
    by_name: Known,
    /// Regions that no table knows, in the order of the lists, with their names.
    unlisted: Vec<(RegionCode, String)>,
    unlisted_at: HashMap<RegionCode, usize>,
    /// Schools without any region are in the book.
    nowhere: bool,
}

/// What lists come to.
pub(super) struct Built<B> {
    pub(super) book: B,
    pub(super) sources: Vec<SourceFile>,
    /// A region for every school.
    pub(super) regions: Vec<Region>,
    pub(super) opt_outs: OptOuts,
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

impl<B: Book> Builder<B> {
    pub(super) fn new(book: B, regions: Regions, opt_outs: OptOuts, allow_reserved: bool) -> Self {
        Self {
            book,
            sources: Vec::new(),
            regions,
            opt_outs,
            allow_reserved,
            by_code: Known::default(),
            by_name: Known::default(),
            unlisted: Vec::new(),
            unlisted_at: HashMap::new(),
            nowhere: false,
        }
    }

    /// Takes one record in.
    pub(super) fn add(&mut self, list: &List<'_>, record: &Record<'_>) {
        let source = SourceLine { file: list.path.into(), line: record.line };
        match self.read(list, record) {
            Ok(read) => self.accept(read, &source),
            Err(reject) => {
                let bad = list.bad_lines.range(record.line..=record.last_line).next();
                let text = bad.map_or_else(|| text::quote(record.raw), |(_, bytes)| bytes.clone());
                let Reject { column, reason, remedy } = reject;
                let problem = RowProblem { column, reason: reason.to_owned(), remedy: remedy.to_owned(), text };
                self.book.reject(RejectedRow { source, problem });
            }
        }
    }

    /// Notes that a list was read to its end.
    pub(super) fn finish_list(&mut self, source: SourceFile) {
        self.sources.push(source);
    }

    /// The book, and what belongs to all lists.
    pub(super) fn finish(mut self) -> Built<B> {
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
        let Self { book, sources, regions, opt_outs, .. } = self;
        Built { book, sources, regions: regions.list, opt_outs }
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
        let (subtype, responsible_unit) = (kept(Column::Subtype).map(Word::from), kept(Column::Unit).map(Word::from));
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
        let school = self.school(school, &mut notes);
        // Closed, opted out and without a site are said of the school, and one row says it for all sites of the cell.
        let unprobed = state.filter(|state| *state != RosterState::Listed);
        if sites.is_empty() || (unprobed.is_some() && sites.iter().all(|named| named.site.is_err())) {
            if let Some(Named { site: Err(fault), .. }) = sites.first() {
                notes.push(format!("site not used: {}", fault.reason()));
            }
            let state = unprobed.unwrap_or(RosterState::NoSite);
            let role = role.unwrap_or(Role::Portal);
            let row = Row { school, source: source.clone(), state, role, site: None, changes: notes, problem: None };
            self.book.add_row(row);
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
                state: if problem.is_some() { RosterState::Invalid } else { unprobed.unwrap_or(RosterState::Listed) },
                role: Role::Portal,
                site: None,
                changes,
                problem: problem.map(Box::new),
            };
            match named.site {
                Err(_) => row.role = role.or(in_cell).unwrap_or(Role::Portal),
                Ok(site) => {
                    let request = self.opt_outs.of(&site.host).filter(|_| row.state != RosterState::Closed);
                    let request = request.map(optout::note);
                    if request.is_some() {
                        row.state = RosterState::OptedOut;
                    }
                    row.role = role.or(in_cell).unwrap_or_else(|| self.role(school, &site.key, &mut row));
                    row.changes.extend(request);
                    row.site = Some(site.key.clone());
                    // Only what may be probed is among the sites: what is not there cannot be probed by mistake.
                    if row.state == RosterState::Listed {
                        self.book.add_site(site);
                    }
                }
            }
            if row.state == RosterState::NoSite {
                row.changes.extend(row.site.take().map(|site| format!("site not used: {site}")));
            }
            self.book.add_row(row);
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
            self.unlisted.push((code.clone(), code.0.to_string()));
        }
        let name = &mut self.unlisted[at].1;
        if let Some(group) = group.filter(|_| code.0 == *name) {
            *name = group;
        }
    }

    /// The role of a row that does not say: the first site of a school is its portal, every other one a service.
    fn role(&mut self, school: usize, site: &SiteKey, row: &mut Row) -> Role {
        if self.book.is_portal(school, site, row.state != RosterState::NoSite) {
            return Role::Portal;
        }
        row.changes.push("another site of the school, read as a service".to_owned());
        Role::Service
    }

    /// The number of a school: the one known by the same code, or by the same name in the same place, or a new one.
    fn school(&mut self, school: School, notes: &mut Vec<String>) -> usize {
        let name = text::comparable(&school.name);
        let (region, code) = (school.region.clone(), school.code.clone());
        let county = school.county.clone().unwrap_or_default();
        let own = (name.as_str(), region.0.as_str(), county.0.as_str());
        let open = (own.0, own.1, "");
        let named = |book: &B, at: usize| {
            let other = book.school(at);
            other.region == region && text::comparable(&other.name) == name
        };
        let by_code = code.as_ref().and_then(|code| self.code(code));
        let at = by_code.or_else(|| {
            // The key without county belongs to the first school of that name in the region, wherever it is.
            let found = self.by_name.find(own, |at| named(&self.book, at)).or_else(|| {
                let found = self.by_name.find(open, |at| named(&self.book, at));
                found.filter(|at| self.book.school(*at).county.is_none())
            });
            found.filter(|at| {
                let other = self.book.school(*at);
                other.code.is_none() || code.is_none() || other.code == code
            })
        });
        let at = if let Some(at) = at {
            self.merge(at, &school, notes);
            at
        } else {
            self.nowhere |= region.0.is_empty();
            self.book.add_school(school)
        };
        if let Some(code) = code.filter(|code| self.code(code).is_none()) {
            self.by_code.add(code.as_str(), at);
        }
        // A school that was found by its code may be known by another name.
        if named(&self.book, at) {
            for key in [own, open] {
                if self.by_name.find(key, |at| named(&self.book, at)).is_none() {
                    self.by_name.add(key, at);
                }
            }
        }
        at
    }

    /// The school of a code.
    fn code(&self, code: &str) -> Option<usize> {
        self.by_code.find(code, |at| self.book.school(at).code.as_deref() == Some(code))
    }

    /// Fills what the first row of a school left open; what differs is noted and the first is kept.
    fn merge(&mut self, at: usize, other: &School, notes: &mut Vec<String>) {
        let mut known = self.book.school(at).into_owned();
        let before = known.clone();
        let mut differs = fill(&mut known.code, other.code.as_ref());
        differs |= fill(&mut known.responsible_unit, other.responsible_unit.as_ref());
        differs |= fill(&mut known.subtype, other.subtype.as_ref());
        differs |= text::comparable(&known.name) != text::comparable(&other.name) || known.region != other.region;
        differs |= known.category != other.category;
        if known.region == other.region && known.county.is_none() {
            known.county.clone_from(&other.county);
        }
        if differs {
            notes.push("the same school with other facts, first kept".to_owned());
        }
        if known != before {
            self.book.set_school(at, known);
        }
    }
}

/// Takes the other's where there is none. True: there is another.
fn fill<T: Clone + PartialEq>(ours: &mut Option<T>, theirs: Option<&T>) -> bool {
    match (ours.as_ref(), theirs) {
        (Some(ours), Some(theirs)) => ours != theirs,
        (None, theirs) => {
            *ours = theirs.cloned();
            false
        }
        (Some(_), None) => false,
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
        return Some(site.unicode.clone().unwrap_or_else(|| site.host.to_string()));
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
