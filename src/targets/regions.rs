//! Regions: the tables `regions.csv` and `tiles.csv`, and the region that a row of a list means.
//!
//! A school is reported by a city (or by the province itself); its county stands beside. Whether the counties under
//! direct provincial administration (省直管县) report on their own is an option. Leaves everything else about a row to
//! [`super::roster`].

use std::collections::HashMap;

use sha2::{Digest as _, Sha256};

use super::TargetsError;
use super::decode;
use super::records::{Reader, find_separator};
use super::text;
use crate::model::school::{Region, RegionCode, RegionLevel, Tile};

/// All regions that are known, with look-up by code and by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Regions {
    /// In list order.
    pub(super) list: Vec<Region>,
    by_code: HashMap<String, usize>,
    by_name: HashMap<String, Vec<usize>>,
}

/// What a row says about its region.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wanted<'a> {
    pub(super) region_code: &'a str,
    pub(super) region: &'a str,
    pub(super) county_code: &'a str,
    pub(super) county: &'a str,
}

/// What that means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// The region that reports. Empty: not known.
    pub(super) region: RegionCode,
    pub(super) county: Option<RegionCode>,
    /// What was changed or not understood.
    pub(super) notes: Vec<String>,
    /// Name of a region that only the list knows: there is no table of regions.
    pub(super) group: Option<String>,
}

/// A table of ours with a header, as rows of cells by title.
struct Table<'a> {
    path: &'a str,
    titles: Vec<String>,
    rows: Vec<(u64, Vec<String>)>,
}

impl<'a> Table<'a> {
    fn read(path: &'a str, bytes: &[u8]) -> Result<Self, TargetsError> {
        let decoded = decode::decode(bytes);
        if let Some((line, _)) = decoded.bad_lines.first_key_value() {
            return Err(TargetsError::table(path, *line, "bytes that are not valid in the file's encoding"));
        }
        let mut rows = Vec::new();
        for record in Reader::new(&decoded.text, find_separator(&decoded.text).or(Some(','))) {
            let fields = record.fields.map_err(|_| TargetsError::table(path, record.line, "not readable as CSV"))?;
            rows.push((record.line, fields.iter().map(|field| text::name(field).text).collect::<Vec<_>>()));
        }
        if rows.is_empty() {
            return Err(TargetsError::table(path, 1, "no header"));
        }
        let titles = rows.remove(0).1.into_iter().map(|title| title.to_lowercase()).collect();
        Ok(Self { path, titles, rows })
    }

    fn column(&self, titles: &[&str]) -> Option<usize> {
        titles.iter().find_map(|wanted| self.titles.iter().position(|title| title == wanted))
    }

    fn required(&self, titles: &[&str]) -> Result<usize, TargetsError> {
        let missing = || TargetsError::table(self.path, 1, format!("no column {}", titles[0]));
        self.column(titles).ok_or_else(missing)
    }
}

fn cell(row: &[String], at: Option<usize>) -> &str {
    at.and_then(|at| row.get(at)).map_or("", |cell| cell.as_str())
}

impl Regions {
    /// Adds the regions of a `regions.csv`: `code,name_zh[,name_en,level,parent_code,report_parent_code,aliases]`.
    ///
    /// With `direct_counties`, a county whose `report_parent_code` is the province reports on its own, as a city does.
    pub(super) fn read(&mut self, path: &str, bytes: &[u8], direct_counties: bool) -> Result<(), TargetsError> {
        let table = Table::read(path, bytes)?;
        let code = table.required(&["code", "region_code", "行政区划代码", "代码"])?;
        let name = table.required(&["name_zh", "name", "名称"])?;
        let name_en = table.column(&["name_en", "英文名称"]);
        let level = table.column(&["level", "级别"]);
        let parent = table.column(&["parent_code", "上级代码"]);
        let report_parent = table.column(&["report_parent_code", "报告上级代码"]);
        let aliases = table.column(&["aliases", "别名"]);
        for (line, row) in &table.rows {
            let (code, name) = (cell(row, Some(code)), cell(row, Some(name)));
            if !is_code(code) || name.is_empty() {
                return Err(TargetsError::table(
                    path,
                    *line,
                    "a region needs a code of letters and digits, and a name",
                ));
            }
            let reporting = cell(row, report_parent);
            let plain = cell(row, parent);
            let on_its_own = direct_counties && !reporting.is_empty() && reporting != plain;
            let parent = if on_its_own { reporting } else { plain };
            let level = match (read_level(cell(row, level)), on_its_own) {
                (_, true) => Some(RegionLevel::City),
                (level, false) => level,
            };
            let parent_level = self.by_code.get(parent).map(|at| self.list[*at].level);
            let level = level.unwrap_or(match parent_level {
                None => RegionLevel::Province,
                Some(RegionLevel::Province) => RegionLevel::City,
                Some(_) => RegionLevel::County,
            });
            let english = Some(cell(row, name_en)).filter(|name| !name.is_empty()).map(str::to_owned);
            let parent = Some(parent).filter(|parent| !parent.is_empty()).map(RegionCode::from);
            let region =
                Region { code: RegionCode::from(code), name: name.to_owned(), name_en: english, level, parent };
            if !self.add(region, cell(row, aliases).split('|')) {
                return Err(TargetsError::table(path, *line, format!("region {code} is listed twice")));
            }
        }
        self.check_parents(path)
    }

    /// Every parent exists and is of a higher level, so that sums end and never go round in circles.
    fn check_parents(&self, path: &str) -> Result<(), TargetsError> {
        for region in &self.list {
            let Some(parent) = &region.parent else { continue };
            let problem = match self.get(&parent.0) {
                None => format!("region {} has the unknown parent {parent}", region.code),
                Some(above) if above.level >= region.level => {
                    format!("region {} and its parent {parent} are of the same level", region.code)
                }
                Some(_) => continue,
            };
            return Err(TargetsError::table(path, 1, problem));
        }
        Ok(())
    }

    /// Adds one region. False: its code is taken by another one.
    pub(super) fn add<'a>(&mut self, region: Region, aliases: impl IntoIterator<Item = &'a str>) -> bool {
        if let Some(at) = self.by_code.get(region.code.0.as_str()) {
            return self.list[*at] == region;
        }
        let at = self.list.len();
        let mut names: Vec<String> = aliases.into_iter().map(short_name).filter(|name| !name.is_empty()).collect();
        names.push(short_name(&region.name));
        names.sort_unstable();
        names.dedup();
        for name in names {
            self.by_name.entry(name).or_default().push(at);
        }
        self.by_code.insert(region.code.0.to_string(), at);
        self.list.push(region);
        true
    }

    /// The region of a code.
    pub(super) fn get(&self, code: &str) -> Option<&Region> {
        self.by_code.get(code).map(|at| &self.list[*at])
    }

    /// Whether a cell is a region's name.
    pub(super) fn is_name(&self, cell: &str) -> bool {
        self.by_name.contains_key(&short_name(cell))
    }

    /// The only province. None: there is none, or several.
    pub(super) fn province(&self) -> Option<&Region> {
        let mut provinces = self.list.iter().filter(|region| region.level == RegionLevel::Province);
        provinces.next().filter(|_| provinces.next().is_none())
    }

    /// The region that reports for this one: itself, or for a county the city above it.
    fn reporting<'a>(&'a self, region: &'a Region) -> &'a Region {
        match (&region.parent, region.level) {
            (Some(parent), RegionLevel::County) => self.get(&parent.0).unwrap_or(region),
            _ => region,
        }
    }

    /// A region by code, also by a longer statistical code or one without trailing zeros.
    fn by_code(&self, code: &str, notes: &mut Vec<String>) -> Option<&Region> {
        if let Some(region) = self.get(code) {
            return Some(region);
        }
        if code.is_empty() || !code.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let other = match code.len() {
            9 | 12 => code[..6].to_owned(),
            2 | 4 => format!("{code:0<6}"),
            _ => return None,
        };
        let region = self.get(&other)?;
        notes.push(format!("region read from a longer or shorter code: {code}"));
        Some(region)
    }

    /// A region by name, inside another one where that is known. Ambiguous names are not guessed.
    fn by_name(&self, name: &str, inside: Option<&Region>) -> Option<&Region> {
        let places = self.by_name.get(&short_name(name))?;
        let within = |region: &&Region| inside.is_none_or(|inside| region.parent.as_ref() == Some(&inside.code));
        let mut candidates: Vec<&Region> = places.iter().map(|at| &self.list[*at]).filter(within).collect();
        // A city and a county may share a name once 市 and 县 are left out; the higher one is meant.
        candidates.sort_by_key(|region| region.level);
        match candidates.as_slice() {
            [only] => Some(only),
            [first, second, ..] if first.level < second.level => Some(first),
            _ => None,
        }
    }

    /// A region by a full name such as 甲省乙市丙区: the most exact part that is known.
    fn by_path(&self, name: &str) -> Option<&Region> {
        if let Some(region) = self.by_name(name, None) {
            return Some(region);
        }
        let mut rest = text::comparable(name);
        let mut found: Option<&Region> = None;
        for level in [RegionLevel::Province, RegionLevel::City] {
            let parts = self.list.iter().filter(|region| region.level == level && rest.starts_with(&region.name));
            if let Some(region) = parts.max_by_key(|region| region.name.len()) {
                rest.drain(..region.name.len());
                found = Some(region);
            }
        }
        match found {
            Some(region) if !rest.is_empty() => self.by_name(&rest, Some(region)).or(Some(region)),
            found => found,
        }
    }

    /// The region and county that a row means.
    pub(super) fn resolve(&self, wanted: Wanted<'_>) -> Found {
        let mut found = Found::default();
        let notes = &mut found.notes;
        let region = self.by_code(wanted.region_code, notes).or_else(|| {
            (!wanted.region.is_empty())
                .then(|| self.by_code(wanted.region, notes).or_else(|| self.by_path(wanted.region)))
                .flatten()
        });
        let inside = region.map(|region| self.reporting(region));
        let county = self.by_code(wanted.county_code, notes).or_else(|| {
            let name = wanted.county;
            (!name.is_empty())
                .then(|| {
                    self.by_code(name, notes).or_else(|| self.by_name(name, inside)).or_else(|| self.by_path(name))
                })
                .flatten()
        });
        match (region, county) {
            (None, None) => {}
            (Some(region), None) => self.settle(&mut found, region, region),
            (None, Some(county)) => {
                found.notes.push("region taken from the county".to_owned());
                self.settle(&mut found, county, county);
            }
            (Some(region), Some(county)) => self.settle_both(&mut found, region, county),
        }
        if found.region.0.is_empty() {
            unknown(&mut found, wanted, self.list.is_empty());
        }
        for (text, known) in [(wanted.county_code, county), (wanted.county, county)] {
            if !text.is_empty() && known.is_none() && !found.region.0.is_empty() {
                found.notes.push(format!("unknown region: {}", text::quote(text)));
                break;
            }
        }
        found
    }

    fn settle(&self, found: &mut Found, region: &Region, county: &Region) {
        found.region = self.reporting(region).code.clone();
        if county.level == RegionLevel::County {
            found.county = Some(county.code.clone());
        }
    }

    /// Both are given: a county that reports on its own stands for itself; otherwise it must lie in the region.
    fn settle_both(&self, found: &mut Found, region: &Region, county: &Region) {
        let own = self.reporting(county);
        let listed = self.reporting(region);
        if own.code == listed.code || listed.level == RegionLevel::Province || county.level == RegionLevel::City {
            self.settle(found, county, county);
        } else {
            self.settle(found, region, region);
            found.notes.push("the county is not in the region, county left out".to_owned());
        }
    }

    /// The tiles of a `tiles.csv` (`code,row,col`) whose regions report.
    pub(super) fn tiles(&self, path: &str, bytes: &[u8]) -> Result<Vec<Tile>, TargetsError> {
        let table = Table::read(path, bytes)?;
        let code = table.required(&["code"])?;
        let (row_at, column_at) = (table.required(&["row"])?, table.required(&["col", "column"])?);
        let mut tiles = Vec::new();
        for (line, row) in &table.rows {
            let number = |at| {
                let place = cell(row, Some(at)).parse::<u32>().ok().filter(|place| (1..=1000).contains(place));
                place.ok_or_else(|| TargetsError::table(path, *line, "row and column are numbers from 1"))
            };
            let tile = Tile {
                code: RegionCode::from(cell(row, Some(code))),
                row: number(row_at)?,
                column: number(column_at)?,
            };
            // A tile for a region that does not report (an option that is off) has nothing to show.
            if self.get(&tile.code.0).is_some_and(|region| region.level == RegionLevel::City) {
                tiles.push(tile);
            }
        }
        Ok(tiles)
    }
}

/// A region that is not in the table: its code is kept if it is one, its name only said. Without any table the names
/// of a list are groups of their own, under a code made from the name, because codes end up in file names.
fn unknown(found: &mut Found, wanted: Wanted<'_>, no_table: bool) {
    let code = [wanted.region_code, wanted.county_code].into_iter().find(|code| !code.is_empty());
    let name = [wanted.region, wanted.county].into_iter().find(|name| !name.is_empty());
    match (code, name) {
        (Some(code), _) if is_code(code) => {
            found.region = RegionCode::from(code);
            found.group = name.filter(|_| no_table).map(|name| text::name(name).text);
            if !no_table {
                found.notes.push(format!("unknown region code: {code}"));
            }
        }
        (_, Some(name)) if no_table => {
            let digest = Sha256::digest(text::comparable(name));
            let number = digest.iter().take(4).fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
            found.region = RegionCode(format!("x{number:08x}").into());
            found.group = Some(text::name(name).text);
        }
        (Some(code), _) => found.notes.push(format!("unknown region code: {}", text::quote(code))),
        (None, name) => found.notes.extend(name.map(|name| format!("unknown region: {}", text::quote(name)))),
    }
}

/// Whether a text may stand as a region's code: it ends up in file names and addresses of pages.
fn is_code(code: &str) -> bool {
    !code.is_empty() && code.len() <= 32 && code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn read_level(level: &str) -> Option<RegionLevel> {
    match level {
        "province" | "省" | "自治区" | "直辖市" | "省级" => Some(RegionLevel::Province),
        "city"
        | "prefecture-level city"
        | "prefecture"
        | "地级市"
        | "省辖市"
        | "市"
        | "自治州"
        | "地区"
        | "盟"
        | "示范区"
        | "county-level city directly administered by province" => Some(RegionLevel::City),
        "county" | "county-level" | "县级" | "县" | "区" | "市辖区" | "县级市" | "省直管县(市)" | "direct_county" => {
            Some(RegionLevel::County)
        }
        _ => None,
    }
}

/// A region's name as it is compared: without the word for its rank, if enough is left.
fn short_name(name: &str) -> String {
    let name = text::comparable(name);
    let short = ["省", "市", "县", "区"].iter().find_map(|rank| name.strip_suffix(rank));
    short.filter(|short| short.chars().count() >= 2).map_or_else(|| name.clone(), str::to_owned)
}

#[cfg(test)]
#[path = "regions_tests.rs"]
mod tests;
