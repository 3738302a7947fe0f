//! Tables of counts, the schematic map, and which rows belong to which region's page.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::school::{RegionCode, RegionLevel, Role, Roster};
use crate::model::summary::Completion;

use super::super::clean::clean;
use super::super::format::percent;
use super::super::model::{Change, Counts, Group, RegionInfo, Report, Rows, Schools};
use super::super::text::{Lang, Text};
use super::head::{percent_sign, range};

/// A table of counts.
pub(in crate::report) struct Table {
    /// Identifier in the page.
    pub(in crate::report) id: &'static str,
    /// Heading of the first column.
    pub(in crate::report) label: String,
    /// There is a column of places.
    pub(in crate::report) ranked: bool,
    /// There is a column of changes.
    pub(in crate::report) changes: bool,
    pub(in crate::report) rows: Vec<Line>,
    /// The sum. None: there is one row only.
    pub(in crate::report) total: Option<Line>,
    /// What a page shows of a long table before it is unfolded. None: the table is short enough to be shown whole.
    pub(super) first: Option<super::fold::First>,
}

/// One line of a table.
#[derive(Clone)]
pub(in crate::report) struct Line {
    pub(in crate::report) name: String,
    /// Relative to the page. None: no link.
    pub(in crate::report) link: Option<String>,
    pub(in crate::report) rank: Option<u32>,
    /// How far the place is from that of the run before: `↑1`, `↓2`. Empty: not at all, or nobody knows.
    pub(super) climbed: String,
    /// Coverage is too low to be ranked.
    pub(in crate::report) hatched: bool,
    pub(in crate::report) rate: Option<String>,
    pub(in crate::report) range: String,
    pub(in crate::report) coverage: String,
    pub(in crate::report) ready: u64,
    pub(in crate::report) judged: u64,
    pub(in crate::report) inconclusive: u64,
    pub(in crate::report) out: u64,
    pub(in crate::report) listed: u64,
    pub(in crate::report) change: String,
}

impl Line {
    pub(in crate::report) fn new(name: String, counts: &Counts) -> Self {
        Self {
            name,
            link: None,
            rank: None,
            climbed: String::new(),
            hatched: false,
            rate: percent(counts.ready, counts.judged),
            range: range(counts).unwrap_or_else(|| "–".to_owned()),
            coverage: percent(counts.judged, counts.base()).unwrap_or_else(|| "–".to_owned()),
            ready: counts.ready,
            judged: counts.judged,
            inconclusive: counts.inconclusive,
            out: counts.out_of_base,
            listed: counts.listed,
            change: String::new(),
        }
    }
}

/// A region as a line of the index: all of it, or only what reports to it directly.
#[derive(Clone, Copy)]
pub(in crate::report) enum Entry<'a> {
    Whole(&'a RegionInfo),
    Direct(&'a RegionInfo),
}

impl<'a> Entry<'a> {
    pub(in crate::report) fn info(self) -> &'a RegionInfo {
        match self {
            Self::Whole(info) | Self::Direct(info) => info,
        }
    }

    pub(in crate::report) fn counts(self) -> &'a Counts {
        match self {
            Self::Whole(info) => &info.counts,
            Self::Direct(info) => &info.direct,
        }
    }
}

/// The lines of the index. They do not overlap and leave nobody out, so that they add up to the total: what lies right
/// below a province, then the province's own schools, and whatever has no province above it.
pub(in crate::report) fn entries<'a>(report: &'a Report<'_>) -> Vec<Entry<'a>> {
    let known: BTreeSet<&RegionCode> = report.regions.iter().map(|region| &region.code).collect();
    let mut entries = Vec::new();
    for root in report.regions.iter().filter(|region| !region.parent.as_ref().is_some_and(|code| known.contains(code)))
    {
        if root.level == Some(RegionLevel::Province) {
            let below = report.regions.iter().filter(|region| region.parent.as_ref() == Some(&root.code));
            entries.extend(below.map(Entry::Whole));
            if root.direct.listed > 0 {
                entries.push(Entry::Direct(root));
            }
        } else {
            entries.push(Entry::Whole(root));
        }
    }
    entries
}

/// For each region, the entries of [`Report::schools`] on its page: everything at every level below; for a province
/// only what reports to it directly, since all the rest has pages of its own.
pub(in crate::report) fn scopes<'a>(report: &'a Report<'_>) -> Scopes<'a> {
    let infos: BTreeMap<&RegionCode, &RegionInfo> = report.regions.iter().map(|info| (&info.code, info)).collect();
    let mut scopes: BTreeMap<RegionCode, Vec<usize>> = BTreeMap::new();
    for (position, outline) in report.schools.rows().outlines().enumerate() {
        let own = report.schools.region(outline);
        let mut seen = BTreeSet::new();
        let mut next = infos.get(own);
        while let Some(info) = next.filter(|info| seen.insert(&info.code)) {
            if info.level != Some(RegionLevel::Province) || info.code == *own {
                scopes.entry(info.code.clone()).or_default().push(position);
            }
            next = info.parent.as_ref().and_then(|parent| infos.get(parent));
        }
    }
    Scopes { schools: &report.schools, positions: scopes }
}

/// The entries of each region's page.
pub(in crate::report) struct Scopes<'a> {
    schools: &'a Schools<'a>,
    positions: BTreeMap<RegionCode, Vec<usize>>,
}

impl Scopes<'_> {
    /// The entries of this region's page.
    pub(in crate::report) fn of(&self, region: &RegionCode) -> Rows<'_> {
        Rows::some(self.schools, self.positions.get(region).map_or(&[], Vec::as_slice))
    }
}

/// What a region is called in this language. A province's own schools are called so.
pub(in crate::report) fn entry_name(text: &Text, entry: Entry) -> String {
    let info = entry.info();
    let name = region_name(text, info);
    match entry {
        Entry::Whole(_) => name,
        Entry::Direct(_) => text.fill("direct", &[("region", &name)]),
    }
}

/// A region's name in this language.
pub(in crate::report) fn region_name(text: &Text, info: &RegionInfo) -> String {
    let english = info.name_en.as_deref().filter(|_| text.lang() == Lang::En);
    clean(english.unwrap_or(&info.name)).into_owned()
}

/// The table of regions, best place first, and the sum of its lines.
pub(in crate::report) fn regions(report: &Report, text: &Text, entries: &[Entry], prefix: &str) -> Table {
    let scopes = scopes(report);
    let mut rows: Vec<Line> = entries
        .iter()
        .map(|entry| {
            let info = entry.info();
            Line {
                link: Some(format!("{prefix}{}", info.page)),
                rank: match entry {
                    Entry::Whole(_) => info.rank,
                    Entry::Direct(_) => None,
                },
                climbed: match entry {
                    Entry::Whole(_) => climbed(info.previous_rank, info.rank),
                    Entry::Direct(_) => String::new(),
                },
                hatched: matches!(entry, Entry::Whole(_)) && !info.rankable,
                change: changes(scopes.of(&info.code)),
                ..Line::new(entry_name(text, *entry), entry.counts())
            }
        })
        .collect();
    // Stable: regions of one place stay in list order.
    rows.sort_by_key(|line| line.rank.unwrap_or(u32::MAX));
    Table {
        id: "regions",
        label: text.w("col.region").to_owned(),
        ranked: true,
        changes: !report.changes.first_run,
        total: None,
        first: None,
        rows,
    }
}

/// `+2 −1 ?3 ~1`: schools gained, lost, unconfirmed, flapping.
fn changes(rows: Rows) -> String {
    let count = |wanted| rows.outlines().filter(|row| row.counted && row.changed() == Some(wanted)).count();
    let parts: Vec<String> =
        [("+", Change::Gained), ("−", Change::Lost), ("?", Change::Unconfirmed), ("~", Change::Flapping)]
            .into_iter()
            .map(|(sign, change)| (sign, count(change)))
            .filter(|(_, count)| *count > 0)
            .map(|(sign, count)| format!("{sign}{count}"))
            .collect();
    if parts.is_empty() { "0".to_owned() } else { parts.join(" ") }
}

fn climbed(before: Option<u32>, now: Option<u32>) -> String {
    match (before, now) {
        (Some(before), Some(now)) if now < before => format!("↑{}", before - now),
        (Some(before), Some(now)) if now > before => format!("↓{}", now - before),
        _ => String::new(),
    }
}

/// A table of groups, in their order.
pub(in crate::report) fn groups(
    id: &'static str,
    label: String,
    groups: &[Group],
    name: impl Fn(&Group) -> String,
) -> Table {
    let rows = groups.iter().map(|group| Line::new(clean(&name(group)).into_owned(), &group.counts)).collect();
    Table { id, label, ranked: false, changes: false, rows, total: None, first: None }
}

/// Services of the lines of the index, and all of them. None: no list names any.
pub(in crate::report) fn services(report: &Report, text: &Text, entries: &[Entry]) -> Option<Table> {
    if report.services.listed == 0 {
        return None;
    }
    let scopes = scopes(report);
    let line = |entry: &Entry| {
        let counts = service_counts(scopes.of(&entry.info().code));
        (counts.listed > 0).then(|| Line::new(entry_name(text, *entry), &counts))
    };
    let rows = entries.iter().filter_map(line).collect();
    Some(services_table(text, rows, &report.services))
}

/// Services of one page. None: there are none.
pub(in crate::report) fn services_of(text: &Text, rows: Rows) -> Option<Table> {
    let counts = service_counts(rows);
    (counts.listed > 0).then(|| services_table(text, Vec::new(), &counts))
}

fn services_table(text: &Text, rows: Vec<Line>, all: &Counts) -> Table {
    let total = Some(Line::new(text.w("col.total").to_owned(), all));
    Table {
        id: "services",
        label: text.w("h.services").to_owned(),
        ranked: false,
        changes: false,
        rows,
        total,
        first: None,
    }
}

/// Counted by row of the lists.
fn service_counts(rows: Rows) -> Counts {
    let mut sum = Completion::default();
    for row in rows.outlines().filter(|row| row.role == Role::Service) {
        row.standing.count_into(&mut sum);
    }
    (&sum).into()
}

/// A tile of the schematic map.
pub(in crate::report) struct Tile {
    pub(in crate::report) x: u32,
    pub(in crate::report) y: u32,
    pub(in crate::report) name: String,
    pub(in crate::report) rate: String,
    pub(in crate::report) counts: String,
    /// All numbers in words, for who points at it or hears it.
    pub(in crate::report) hint: String,
    pub(in crate::report) link: String,
    /// Fifth of the scale, 0 to 4; `none` without a rate.
    pub(in crate::report) shade: &'static str,
    pub(in crate::report) hatched: bool,
}

/// The map: tiles, and the width and height of the drawing.
pub(in crate::report) struct Map {
    pub(in crate::report) tiles: Vec<Tile>,
    pub(in crate::report) width: u32,
    pub(in crate::report) height: u32,
}

/// Width, height and gap of a tile in the drawing.
const TILE: (u32, u32, u32) = (108, 72, 8);

/// The schematic map of the index entries, placed as the lists say, or in rows of six. None: fewer than two regions.
pub(in crate::report) fn map(roster: &Roster, text: &Text, entries: &[Entry]) -> Option<Map> {
    let whole: Vec<Entry> = entries.iter().copied().filter(|entry| matches!(entry, Entry::Whole(_))).collect();
    if whole.len() < 2 {
        return None;
    }
    let placed: BTreeMap<&RegionCode, (u32, u32)> =
        roster.tiles.iter().map(|tile| (&tile.code, (tile.column, tile.row))).collect();
    // Tiles that the lists do not place follow in rows below the others.
    let mut spare = (0_u32.., placed.values().map(|(_, row)| *row).max().unwrap_or(0) + 1);
    let mut place = |code: &RegionCode| {
        placed.get(code).copied().unwrap_or_else(|| {
            let index = spare.0.next().unwrap_or_default();
            (index % 6 + 1, spare.1 + index / 6)
        })
    };
    let cells: Vec<(Entry, (u32, u32))> = whole.iter().map(|entry| (*entry, place(&entry.info().code))).collect();
    let left = cells.iter().map(|(_, (column, _))| *column).min().unwrap_or(1);
    let top = cells.iter().map(|(_, (_, row))| *row).min().unwrap_or(1);
    let at = |cell: u32, first: u32, size: u32| cell.saturating_sub(first).min(200) * (size + TILE.2);
    let tiles: Vec<Tile> = cells
        .iter()
        .map(|(entry, (column, row))| {
            let counts = entry.counts();
            Tile {
                x: at(*column, left, TILE.0),
                y: at(*row, top, TILE.1),
                name: short(&entry_name(text, *entry)),
                rate: percent_sign(percent(counts.ready, counts.judged)),
                counts: format!("{} / {}", counts.ready, counts.judged),
                hint: hint(text, *entry),
                link: entry.info().page.clone(),
                shade: shade(counts.rate),
                hatched: !entry.info().rankable,
            }
        })
        .collect();
    let width = tiles.iter().map(|tile| tile.x + TILE.0).max()?;
    let height = tiles.iter().map(|tile| tile.y + TILE.1).max()?;
    Some(Map { tiles, width, height })
}

/// `甲州市 60.00 % · 就绪 3 / 已判定 5 · 未判定 0 · 不计入 1`.
fn hint(text: &Text, entry: Entry) -> String {
    let counts = entry.counts();
    format!(
        "{} {} · {} {} / {} {} · {} {} · {} {}",
        entry_name(text, entry),
        percent_sign(percent(counts.ready, counts.judged)),
        text.w("col.ready"),
        counts.ready,
        text.w("col.judged"),
        counts.judged,
        text.w("col.inconclusive"),
        counts.inconclusive,
        text.w("col.out"),
        counts.out_of_base,
    )
}

/// A name that fits a tile.
fn short(name: &str) -> String {
    let wide = |c: char| if c.is_ascii() { 1 } else { 2 };
    if name.chars().map(wide).sum::<u32>() <= 13 {
        return name.to_owned();
    }
    let mut room = 12;
    let fits = |c: &char| {
        let size = wide(*c);
        let fits = room >= size;
        room = if fits { room - size } else { 0 };
        fits
    };
    name.chars().take_while(fits).chain(['…']).collect()
}

fn shade(rate: Option<f64>) -> &'static str {
    match rate {
        None => "none",
        Some(rate) if rate < 0.2 => "0",
        Some(rate) if rate < 0.4 => "1",
        Some(rate) if rate < 0.6 => "2",
        Some(rate) if rate < 0.8 => "3",
        Some(_) => "4",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_cut() {
        assert_eq!(short("济源示范区"), "济源示范区");
        assert_eq!(short("一二三四五六七八"), "一二三四五六…");
        assert_eq!(short("Pingdingshan"), "Pingdingshan");
    }

    #[test]
    fn shades_follow_the_rate() {
        let shades: Vec<&str> = [None, Some(0.0), Some(0.2), Some(0.59), Some(0.6), Some(1.0)].map(shade).to_vec();
        assert_eq!(shades, ["none", "0", "1", "2", "3", "4"]);
    }
}
