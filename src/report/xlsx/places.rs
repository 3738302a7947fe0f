//! 地区: every region with its counts, the province first, then those below it by place, then the counties.

use rust_xlsxwriter::{Worksheet, XlsxError};

use super::Book;
use super::sheet::{Column, Series, Sheet, Value};
use super::style::Look;
use super::summary::{column, counts_columns, counts_values};
use crate::judge::summarise::Standing;
use crate::model::school::RegionLevel;
use crate::model::verdict::Readiness;
use crate::report::html::head::minimum;
use crate::report::html::tables;
use crate::report::model::{ROSTER_STATES, RegionInfo};

/// Columns of the name and of the completion.
const NAME: u16 = 2;
const RATE: u16 = 10;

/// The sheet, and where the completion of the regions below the province stands in it. None: there are none.
pub(super) fn sheet(book: &Book) -> Result<(Worksheet, Option<Series>), XlsxError> {
    let mut sheet = Sheet::new(book, Worksheet::new(), "x.sheet.regions", book.text.w("h.regions"), true)?;
    sheet.note(&book.text.fill("x.rank.note", &[("minimum", &minimum(book.report))]))?;
    let mut columns = vec![
        column(book, "col.rank", 7.0, Look::Word),
        column(book, "x.c.region_code", 10.0, Look::Text),
        column(book, "col.region", 20.0, Look::Text),
        column(book, "x.c.level", 10.0, Look::Word),
        column(book, "x.c.parent", 14.0, Look::Text),
    ];
    columns.extend(counts_columns(book));
    columns.push(column(book, "x.c.direct", 10.0, Look::Count));
    columns.extend(standings().map(|of| Column {
        title: book.text.standing(of).to_owned(),
        width: 9.0,
        look: Look::Count,
    }));
    sheet.table(columns)?;
    let mut regions: Vec<&RegionInfo> = book.report.regions.iter().collect();
    // Stable: regions of one level and place stay in list order.
    regions.sort_by_key(|region| (order(region.level), region.rank.unwrap_or(u32::MAX)));
    let mut series: Option<Series> = None;
    for region in regions {
        let at = sheet.here();
        if region.level == Some(RegionLevel::City) && region.counts.judged > 0 {
            let begun = series.unwrap_or(Series { first: at, last: at, names: NAME, numbers: RATE });
            series = Some(Series { last: at, ..begun });
        }
        sheet.row(row(book, region))?;
    }
    sheet.bars(RATE)?;
    Ok((sheet.finish_table(3, 14)?, series))
}

fn row(book: &Book, region: &RegionInfo) -> Vec<Value> {
    let parent = region.parent.as_ref().and_then(|code| book.report.regions.iter().find(|of| of.code == *code));
    let mut values = vec![
        match region.rank {
            Some(rank) => Value::count(rank),
            // Why there is none is said, where it is not plain.
            None if region.level == Some(RegionLevel::Province) || region.rankable => Value::None,
            None => Value::Words(book.text.w("x.unranked").to_owned()),
        },
        Value::text(&region.code.0),
        Value::Text(tables::region_name(book.text, region)),
        Value::Words(level(book, region.level)),
        parent.map_or(Value::None, |parent| Value::Text(tables::region_name(book.text, parent))),
    ];
    values.extend(counts_values(&region.counts));
    values.push(Value::Count(region.direct.listed));
    values.extend(standings().map(|of| Value::Count(region.counts.of(of))));
    values
}

/// Every verdict and roster state, in report order.
fn standings() -> impl Iterator<Item = Standing> {
    let verdicts = Readiness::ALL.iter().map(|verdict| Standing::Verdict(*verdict));
    verdicts.chain(ROSTER_STATES.iter().map(|state| Standing::Roster(*state)))
}

fn order(level: Option<RegionLevel>) -> u8 {
    match level {
        Some(RegionLevel::Province) => 0,
        Some(RegionLevel::City) => 1,
        Some(RegionLevel::County) => 2,
        None => 3,
    }
}

fn level(book: &Book, level: Option<RegionLevel>) -> String {
    let key = match level {
        Some(RegionLevel::Province) => "x.level.province",
        Some(RegionLevel::City) => "x.level.city",
        Some(RegionLevel::County) => "x.level.county",
        None => return String::new(),
    };
    book.text.w(key).to_owned()
}
