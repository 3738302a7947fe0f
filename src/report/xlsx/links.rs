//! 链路明细 and 外链情况: how each site is reached, with its links and samples, and which hosts of others keep pages from being
//! complete over IPv6. Links, samples and resources come from the deep profile; without it the sheets say so.

use std::collections::{BTreeMap, BTreeSet};

use rust_xlsxwriter::{Worksheet, XlsxError};

use super::Book;
use super::schools::domain;
use super::sheet::{Column, Sheet, Value};
use super::style::Look;
use super::summary::column;
use crate::model::deep::{HostClass, Rate};
use crate::report::model::{Rows, SchoolRow};

/// 链路明细: one line for each row that was measured.
pub(super) fn per_site(book: &Book, empty: Worksheet, rows: Rows) -> Result<Worksheet, XlsxError> {
    let mut sheet = Sheet::new(book, empty, "x.sheet.links", book.text.w("x.t.links"), true)?;
    sheet.note(book.text.w("x.links.note"))?;
    let mut columns = vec![
        column(book, "x.c.number", 6.0, Look::Word),
        column(book, "col.region", 13.0, Look::Text),
        column(book, "col.school", 28.0, Look::Text),
        column(book, "col.domain", 28.0, Look::Text),
        column(book, "x.c.standing", 14.0, Look::Word),
    ];
    for key in ["x.c.tries6", "x.c.good6", "x.c.ns", "x.c.ns6"] {
        columns.push(column(book, key, 10.0, Look::Count));
    }
    for key in ["x.c.level2", "x.c.level3", "x.c.outside2", "x.c.outside3", "x.c.hosts", "x.c.resources"] {
        let title = |part: &str| book.text.fill(part, &[("what", book.text.w(key))]);
        columns.push(Column { title: title("x.c.supported"), width: 11.0, look: Look::Count });
        columns.push(Column { title: title("x.c.judged"), width: 11.0, look: Look::Count });
        columns.push(Column { title: title("x.c.share"), width: 11.0, look: Look::Share });
    }
    for key in ["x.c.samples6", "x.c.success6", "x.c.samples4", "x.c.success4"] {
        columns.push(column(book, key, 10.0, Look::Count));
    }
    for key in ["x.c.page6", "x.c.page4"] {
        columns.push(column(book, key, 12.0, Look::Ms));
    }
    columns.push(column(book, "x.c.capped", 14.0, Look::Word));
    sheet.table(columns)?;
    for (number, school) in (1_u64..).zip(rows.iter().filter(|school| school.rule.is_some())) {
        sheet.row(site(book, number, &school))?;
    }
    sheet.colour_standings(4)?;
    for column in [11, 14, 17, 20, 23, 26] {
        sheet.bars(column)?;
    }
    sheet.finish_table(4, 21)
}

fn site(book: &Book, number: u64, school: &SchoolRow) -> Vec<Value> {
    let pair = |of: Option<(u32, u32)>| match of {
        Some((good, all)) => [Value::count(all), Value::count(good)],
        None => [Value::None, Value::None],
    };
    let mut values = vec![
        Value::Count(number),
        Value::text(school.region_name),
        Value::text(school.name),
        domain(school),
        Value::Words(book.text.standing(school.standing).to_owned()),
    ];
    values.extend(pair(school.v6_tries));
    values.extend(pair(school.ns6));
    let (links, skylight) = (school.deep.links.as_deref(), school.deep.skylight.as_ref());
    let rates = [
        links.map(|links| links.level2),
        links.map(|links| links.level3),
        links.map(|links| links.level2_external),
        links.map(|links| links.level3_external),
        skylight.map(|of| of.hosts),
        skylight.map(|of| of.resources),
    ];
    for of in rates {
        values.extend(rate(of));
    }
    let samples = school.deep.latencies.as_deref();
    values.extend(pair(samples.map(|of| of.success6)));
    values.extend(pair(samples.map(|of| of.success4)));
    for spread in [samples.and_then(|of| of.page.v6), samples.and_then(|of| of.page.v4)] {
        values.push(Value::number(spread.map(|spread| spread.median_us as f64 / 1000.0)));
    }
    let capped = rates.iter().flatten().any(|rate| rate.capped);
    values.push(if capped { Value::Words(book.text.w("x.capped").to_owned()) } else { Value::None });
    values
}

/// Supported, judged, share. Nothing judged has no share: it is not judged, and not 0 %.
fn rate(rate: Option<Rate>) -> [Value; 3] {
    match rate {
        None => [Value::None, Value::None, Value::None],
        Some(rate) => [
            Value::count(rate.supported),
            Value::count(rate.judged),
            Value::Share(rate.supported.into(), rate.judged.into()),
        ],
    }
}

/// What is known of a host that is in the way.
struct Outside {
    class: HostClass,
    dead: bool,
    schools: BTreeSet<usize>,
    names: Vec<String>,
    resources: u64,
}

/// Schools that a line names.
const NAMED: usize = 5;

/// 外链情况: one line for each host that keeps pages of the province from being complete, what holds back most first.
pub(super) fn outside(book: &Book, empty: Worksheet, rows: Rows) -> Result<Worksheet, XlsxError> {
    let mut sheet = Sheet::new(book, empty, "x.sheet.outside", book.text.w("x.t.outside"), true)?;
    sheet.note(book.text.w("x.outside.note"))?;
    let measured = rows.iter().any(|school| school.deep.is_measured());
    let mut sorted: Vec<(String, Outside)> = hosts(rows).into_iter().collect();
    if sorted.is_empty() {
        sheet.note(book.text.w(if measured { "x.outside.none" } else { "x.not_deep" }))?;
        return Ok(sheet.finish());
    }
    sheet.table(vec![
        column(book, "x.c.number", 6.0, Look::Word),
        column(book, "x.c.host", 36.0, Look::Text),
        column(book, "x.c.class", 14.0, Look::Word),
        column(book, "x.c.state.host", 22.0, Look::Word),
        column(book, "x.c.touched", 11.0, Look::Count),
        column(book, "x.c.resources", 11.0, Look::Count),
        column(book, "x.c.named", 60.0, Look::Wrapped),
    ])?;
    // Stable: hosts of equal weight stay in the order of their names.
    sorted.sort_by_key(|(_, known)| std::cmp::Reverse(known.schools.len()));
    for (number, (host, known)) in (1_u64..).zip(sorted) {
        let word = |key: String| Value::Words(book.text.w(&key).to_owned());
        let more = if known.schools.len() > NAMED { book.text.w("cause.and_more") } else { "" };
        let names = known.names.join(book.text.w("sep"));
        sheet.row(vec![
            Value::Count(number),
            Value::text(&host),
            word(format!("x.class.{}", known.class.name())),
            word(if known.dead { "x.host.dead" } else { "x.host.none" }.to_owned()),
            Value::Count(known.schools.len() as u64),
            Value::Count(known.resources),
            Value::Words(crate::report::clean::clean(&format!("{names}{more}")).into_owned()),
        ])?;
    }
    sheet.finish_table(2, 7)
}

fn hosts(rows: Rows) -> BTreeMap<String, Outside> {
    let mut hosts: BTreeMap<String, Outside> = BTreeMap::new();
    for school in rows.iter() {
        for host in school.deep.skylight.iter().flat_map(|skylight| &skylight.blocking) {
            let known = hosts.entry(host.host.clone()).or_insert_with(|| Outside {
                class: host.class,
                dead: host.dead,
                schools: BTreeSet::new(),
                names: Vec::new(),
                resources: 0,
            });
            if known.schools.insert(school.school) && known.names.len() < NAMED {
                known.names.push(school.name.to_owned());
            }
            known.resources += u64::from(host.resources);
        }
    }
    hosts
}
