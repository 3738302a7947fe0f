//! Which column of a list means what: by its title in Chinese or English, or by what stands in it where there is no
//! header.
//!
//! Leaves the meaning of the cells themselves to [`super::words`], [`super::normalise`] and [`super::regions`].

use super::normalise;
use super::records::Record;
use super::regions::Regions;
use super::text::{self, is_invisible, narrow};
use super::words;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Column {
    Name,
    Site,
    RegionCode,
    Region,
    CountyCode,
    County,
    Category,
    Subtype,
    SchoolCode,
    Unit,
    Role,
    Status,
}

/// Titles of a column; where a list has several of them, the first that is not empty in a row counts.
const TITLES: [(Column, &[&str]); 12] = [
    (
        Column::Name,
        &[
            "学校名称",
            "学校",
            "校名",
            "院校名称",
            "学校全称",
            "单位名称",
            "机构名称",
            "名称",
            "单位",
            "name_zh",
            "school_name",
            "school",
            "name",
            "institution",
            "organization",
            "unit_name",
        ],
    ),
    (
        Column::Site,
        &[
            "域名",
            "门户域名",
            "网站域名",
            "主域名",
            "门户网站域名",
            "网址",
            "网站",
            "网站地址",
            "网站网址",
            "门户网站",
            "门户网址",
            "官网",
            "官方网站",
            "官网地址",
            "学校网址",
            "学校网站",
            "主页",
            "首页",
            "首页地址",
            "domain",
            "domain_name",
            "host",
            "hostname",
            "fqdn",
            "site",
            "website",
            "web_site",
            "url",
            "homepage",
            "portal",
        ],
    ),
    (
        Column::RegionCode,
        &["行政区划代码", "区划代码", "地区代码", "地市代码", "行政区代码", "region_code", "city_code"],
    ),
    (
        Column::Region,
        &[
            "地区",
            "地市",
            "市",
            "城市",
            "所在地市",
            "所属地市",
            "所在地",
            "所属地区",
            "省辖市",
            "市州",
            "region",
            "region_name",
            "city",
            "prefecture",
        ],
    ),
    (Column::CountyCode, &["县区代码", "区县代码", "县代码", "county_code", "district_code"]),
    (
        Column::County,
        &["县区", "区县", "县", "所在县区", "所属县区", "县市区", "县(市、区)", "county", "county_name", "district"],
    ),
    (Column::Category, &["学校类别", "类别", "单位类别", "学校类型", "办学类型", "category", "kind"]),
    (
        Column::Subtype,
        &["子类", "办学层次", "类型", "层次", "学段", "school_type", "type", "subtype", "level", "stage"],
    ),
    (
        Column::SchoolCode,
        &[
            "学校标识码",
            "学校代码",
            "院校代码",
            "标识码",
            "学校(机构)标识码",
            "moe_code",
            "school_code",
            "code",
            "school_id",
        ],
    ),
    (
        Column::Unit,
        &[
            "责任单位",
            "主管部门",
            "主管单位",
            "举办单位",
            "responsible_unit",
            "competent_authority",
            "authority",
            "owner",
        ],
    ),
    (Column::Role, &["角色", "网站类型", "网站角色", "role", "site_role"]),
    (Column::Status, &["状态", "办学状态", "备注状态", "status", "state"]),
];

/// A title as it is compared: narrow, lower case, without spaces, marks of required columns, or trailing remarks.
fn plain_title(cell: &str) -> String {
    let plain = |c: char| if c.is_whitespace() || c == '-' { '_' } else { narrow(c).unwrap_or(c) };
    let title: String = cell.trim().chars().filter(|c| !is_invisible(*c) && *c != '*').map(plain).collect();
    title.trim_matches(['_', '"', ':']).to_lowercase()
}

fn titled(cell: &str) -> Option<(Column, usize)> {
    if cell.len() > 120 {
        return None;
    }
    let title = plain_title(cell);
    let find = |title: &str| {
        TITLES.iter().find_map(|(column, titles)| Some((*column, titles.iter().position(|known| *known == title)?)))
    };
    // "域名（必填）" is a title with a remark, "县(市、区)" is a title of its own.
    find(&title).or_else(|| find(title.split_once('(')?.0))
}

/// Unused columns that are named at most.
const MOST_UNUSED: usize = 20;

/// The known title that a title was probably meant to be. None: it is like none of them.
fn resembling(title: &str) -> Option<&'static str> {
    if title.len() > 120 {
        return None;
    }
    let title: Vec<char> = plain_title(title).chars().collect();
    let known = TITLES.iter().flat_map(|(_, titles)| titles.iter());
    let near = known.filter_map(|known| {
        let letters: Vec<char> = known.chars().collect();
        // A Chinese character is half a word; of letters, one in three may be wrong.
        let most = if known.is_ascii() { (letters.len() / 3).min(2) } else { (letters.len() / 2).min(1) };
        let apart = apart(&title, &letters);
        (apart <= most).then_some((apart, *known))
    });
    near.min_by_key(|(apart, _)| *apart).map(|(_, known)| known)
}

/// Characters to put in, take away or change to make one of the other (Levenshtein).
fn apart(one: &[char], other: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut corner = i;
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let changed = corner + usize::from(a != b);
            corner = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(corner + 1);
        }
    }
    row[other.len()]
}

/// Titles by which a column of sites is known, those that are most used.
pub(super) const SITE_TITLES: [&str; 5] = ["域名", "网址", "网站", "domain", "url"];

/// Whether a cell is a known column title.
pub(super) fn is_title(cell: &str) -> bool {
    titled(cell).is_some()
}

/// Whether a cell names a site; for telling columns apart, not for judging.
pub(super) fn is_site(cell: &str) -> bool {
    cell.len() <= 1024
        && cell.contains(['.', '．', '。', '｡'])
        && normalise::cell(cell, true).first().is_some_and(|named| named.site.is_ok())
}

/// The cells of a column that are not empty, trimmed.
fn cells<'s>(sample: &'s [Record<'_>], at: usize) -> Vec<&'s str> {
    let rows = sample.iter().filter_map(|record| record.fields.as_ref().ok());
    rows.filter_map(|row| row.get(at)).map(|cell| cell.trim()).filter(|cell| !cell.is_empty()).collect()
}

/// Whether a column holds sites: at least half of the cells do, not counting words for "none".
fn are_sites(cells: &[&str]) -> bool {
    let sites = cells.iter().filter(|cell| is_site(cell)).count();
    let told = cells.iter().filter(|cell| !normalise::cell(cell, true).is_empty()).count();
    sites > 0 && sites * 2 >= told
}

/// Parts of the titles of columns whose sites are not meant.
const OLD_SITES: [&str; 8] = ["alt", "old", "former", "apex", "source", "旧", "原", "曾"];

/// Whether the first record of a list is its header: a title is in it, and no site.
pub(super) fn is_header(record: &Record<'_>) -> bool {
    record
        .fields
        .as_ref()
        .is_ok_and(|fields| fields.iter().any(|field| is_title(field)) && !fields.iter().any(|field| is_site(field)))
}

/// The columns of one list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Columns {
    /// What is where; of one kind in the order in which they count.
    places: Vec<(Column, usize)>,
    /// Titles as they stand. Empty: no header.
    titles: Vec<String>,
    /// Number of columns. 0: rows may have any number.
    pub(super) width: usize,
    /// Further cells that hold sites belong to the first (no header, several columns of sites).
    pub(super) joins_sites: bool,
}

impl Columns {
    /// From a header; `sample` are the rows below it.
    ///
    /// Where no title is known for the site or the name, the first other column that holds mostly sites, or whose title
    /// speaks of a name, is taken: a list must not turn into schools without sites because of an unusual title.
    pub(super) fn of_header(record: &Record<'_>, sample: &[Record<'_>]) -> Self {
        let fields = record.fields.as_deref().unwrap_or_default();
        let mut places: Vec<_> = fields.iter().enumerate().filter_map(|(at, cell)| Some((titled(cell)?, at))).collect();
        places.sort();
        let has = |column| places.iter().any(|((known, _), _)| *known == column);
        let mut others = Vec::new();
        for (at, title) in fields.iter().enumerate().filter(|(at, _)| !places.iter().any(|(_, taken)| taken == at)) {
            let title = plain_title(title);
            if !has(Column::Site) && !OLD_SITES.iter().any(|old| title.contains(old)) && are_sites(&cells(sample, at)) {
                others.push((Column::Site, at));
            } else if !has(Column::Name) && ["名", "校", "单位", "name"].iter().any(|word| title.contains(word)) {
                others.push((Column::Name, at));
            }
        }
        Self {
            places: places.into_iter().map(|((column, _), at)| (column, at)).chain(others).collect(),
            titles: fields.iter().map(|field| field.trim().to_owned()).collect(),
            width: fields.len(),
            joins_sites: false,
        }
    }

    /// From what stands in the first rows.
    ///
    /// A column is of a kind when at least half of its cells are: sites, codes of regions, codes of schools, words for
    /// categories, names of regions. The first column that is left over is the name.
    pub(super) fn of_rows(sample: &[Record<'_>], regions: &Regions) -> Self {
        let rows = sample.iter().filter_map(|record| record.fields.as_ref().ok());
        let width = rows.map(Vec::len).max().unwrap_or(0);
        let mut places: Vec<(Column, usize)> = Vec::new();
        let mut others = Vec::new();
        for at in 0..width {
            let cells = cells(sample, at);
            let mostly = |test: &dyn Fn(&str) -> bool| {
                !cells.is_empty() && cells.iter().filter(|cell| test(cell)).count() * 2 >= cells.len()
            };
            let column = if are_sites(&cells) {
                Column::Site
            } else if mostly(&|cell| cell.len() == 6 && cell.bytes().all(|b| b.is_ascii_digit())) {
                Column::RegionCode
            } else if mostly(&|cell| cell.len() == 10 && cell.bytes().all(|b| b.is_ascii_digit())) {
                Column::SchoolCode
            } else if mostly(&|cell| words::category(cell).is_some()) {
                Column::Category
            } else if mostly(&|cell| regions.is_name(cell)) {
                Column::Region
            } else if cells.is_empty() {
                continue;
            } else if places.iter().any(|(column, _)| *column == Column::Name) {
                others.push(at);
                continue;
            } else {
                Column::Name
            };
            places.push((column, at));
        }
        if !places.iter().any(|(column, _)| *column == Column::Site) {
            // A column that was meant for sites and holds none that is right must show up as wrong, not as empty.
            let dotted =
                |at: &&usize| cells(sample, **at).iter().any(|cell| cell.contains(['.', '．', '。', '@', ':']));
            let only = || others.first().filter(|_| width == 2);
            places.extend(others.iter().find(dotted).or_else(only).map(|at| (Column::Site, *at)));
        }
        places.sort();
        let joins_sites = places.iter().filter(|(column, _)| *column == Column::Site).count() > 1;
        Self { places, titles: Vec::new(), width: 0, joins_sites }
    }

    /// The cell of a kind in a row, trimmed: the first that is not empty. Empty: none.
    pub(super) fn get<'r, S: AsRef<str>>(&self, column: Column, fields: &'r [S]) -> &'r str {
        let cells = self.places_of(column).filter_map(|at| fields.get(at)).map(|cell| cell.as_ref().trim());
        cells.into_iter().find(|cell| !cell.is_empty()).unwrap_or("")
    }

    /// All places of a kind.
    pub(super) fn places_of(&self, column: Column) -> impl Iterator<Item = usize> {
        self.places.iter().filter(move |(kind, _)| *kind == column).map(|(_, at)| *at)
    }

    /// Whether the list has such a column.
    pub(super) fn has(&self, column: Column) -> bool {
        self.places_of(column).next().is_some()
    }

    /// The column's title made harmless, or its number from 1, for messages. None: there is no such column.
    pub(super) fn title(&self, column: Column) -> Option<String> {
        let at = self.places_of(column).next()?;
        Some(self.titles.get(at).map_or_else(|| (at + 1).to_string(), |title| text::name(title).text))
    }

    /// Titles of columns that are not read, made harmless, each with the known title it resembles. At most [`MOST_UNUSED`].
    pub(super) fn unused(&self) -> Vec<(String, Option<&'static str>)> {
        let read = |at: usize| self.places.iter().any(|(_, place)| *place == at);
        let titles = self.titles.iter().enumerate().filter(|(at, title)| !read(*at) && !title.is_empty());
        titles.map(|(_, title)| (text::name(title).text, resembling(title))).take(MOST_UNUSED).collect()
    }

    /// Whether a row repeats the header.
    pub(super) fn is_repeated_header<S: AsRef<str>>(&self, fields: &[S]) -> bool {
        fields.len() == self.titles.len() && fields.iter().zip(&self.titles).all(|(a, b)| a.as_ref().trim() == b)
    }

    /// Whether the list has a header.
    pub(super) fn has_header(&self) -> bool {
        !self.titles.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::super::records::Reader;
    use super::*;

    fn records(text: &str) -> Vec<Record<'_>> {
        Reader::new(text, Some(',')).collect()
    }

    #[test]
    fn titles_in_both_languages() {
        for (title, column) in [
            ("学校名称", Column::Name),
            (" 域名（必填） ", Column::Site),
            ("*网址", Column::Site),
            ("URL", Column::Site),
            ("Responsible Unit", Column::Unit),
            ("competent_authority", Column::Unit),
            ("县（市、区）", Column::County),
            ("学校（机构）标识码", Column::SchoolCode),
            ("\u{feff}状态", Column::Status),
            ("行政区划代码", Column::RegionCode),
        ] {
            assert_eq!(titled(title).map(|found| found.0), Some(column), "{title}");
        }
        assert!(!is_title("apex"));
        assert!(!is_title("alt_domains"));
    }

    #[test]
    fn the_better_title_counts_and_falls_back() {
        let records = records("competent_authority,responsible_unit,url,domain,name\na,b,u.cn,d.cn,n\na,,u.cn,,n\n");
        assert!(is_header(&records[0]));
        let columns = Columns::of_header(&records[0], &[]);
        let rows: Vec<_> = records[1..].iter().map(|record| record.fields.clone().unwrap()).collect();
        assert_eq!(columns.get(Column::Unit, &rows[0]), "b");
        assert_eq!(columns.get(Column::Unit, &rows[1]), "a");
        assert_eq!(columns.get(Column::Site, &rows[0]), "d.cn");
        assert_eq!(columns.get(Column::Site, &rows[1]), "u.cn");
        assert_eq!(columns.title(Column::Site).as_deref(), Some("domain"));
    }

    #[test]
    fn unused_columns_are_named_with_what_they_may_have_been_meant_to_be() {
        let records = records("学校名称,网扯,domian,备注,电话\n甲校,无,,x,1\n");
        let columns = Columns::of_header(&records[0], &records[1..]);
        let wanted = [("网扯", Some("网址")), ("domian", Some("domain")), ("备注", None), ("电话", None)];
        assert_eq!(columns.unused(), wanted.map(|(title, known)| (title.to_owned(), known)));
        assert!(SITE_TITLES.iter().all(|title| titled(title).is_some_and(|(column, _)| column == Column::Site)));
    }

    #[test]
    fn titles_in_messages_are_clean() {
        let records = records("名称,域名\u{1b}[31m（必\u{202e}填）\n甲,a.cn\n");
        let columns = Columns::of_header(&records[0], &records[1..]);
        assert_eq!(columns.title(Column::Site).as_deref(), Some("域名[31m（必填）"));
    }

    #[test]
    fn no_header() {
        let records = records("410100,甲校,www.a.cn,高校\n410200,乙校,无,高校\n410300,丙校,c.cn,小学\n");
        assert!(!is_header(&records[0]));
        let columns = Columns::of_rows(&records, &Regions::default());
        let fields = records[0].fields.clone().unwrap();
        assert_eq!(columns.get(Column::Name, &fields), "甲校");
        assert_eq!(columns.get(Column::Site, &fields), "www.a.cn");
        assert_eq!(columns.get(Column::RegionCode, &fields), "410100");
        assert_eq!(columns.get(Column::Category, &fields), "高校");
        assert_eq!(columns.title(Column::Site).as_deref(), Some("3"));
    }
}
