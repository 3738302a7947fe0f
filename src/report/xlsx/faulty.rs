//! 问题链接: one line for each link that does not do over IPv6 what it does over IPv4, with what is wrong and what to change.

use std::collections::BTreeSet;

use rust_xlsxwriter::{Worksheet, XlsxError};

use super::Book;
use super::schools::domain;
use super::sheet::{Sheet, Value};
use super::style::Look;
use super::summary::column;
use crate::model::deep::FaultyLink;
use crate::model::evidence::{FetchEnd, Owner};
use crate::model::site::SiteKey;
use crate::report::clean::clean;
use crate::report::model::{Rows, SchoolRow};
use crate::report::text::Text;

/// Keys of the headings, widths, looks. The order is that of [`row`].
const COLUMNS: [(&str, f64, Look); 10] = [
    ("x.c.number", 6.0, Look::Word),
    ("col.region", 13.0, Look::Text),
    ("col.school", 26.0, Look::Text),
    ("col.domain", 26.0, Look::Text),
    ("x.c.link_level", 10.0, Look::Word),
    ("x.c.link_owner", 8.0, Look::Word),
    ("x.c.link", 52.0, Look::Text),
    ("x.c.link_v4", 20.0, Look::Word),
    ("x.c.link_v6", 20.0, Look::Word),
    ("x.c.link_wrong", 50.0, Look::Wrapped),
];

/// The sheet of these rows.
pub(super) fn sheet(book: &Book, empty: Worksheet, rows: Rows) -> Result<Worksheet, XlsxError> {
    let mut sheet = Sheet::new(book, empty, "x.sheet.faulty", book.text.w("x.t.faulty"), true)?;
    sheet.note(book.text.w("x.faulty.note"))?;
    if !any(book, rows) {
        let measured = rows.iter().any(|school| school.deep.links.is_some());
        sheet.note(book.text.w(if measured { "x.faulty.none" } else { "x.faulty.not_deep" }))?;
        return Ok(sheet.finish());
    }
    // Schools may share a site, whose links stand with each.
    let sites: BTreeSet<&SiteKey> = rows.sites().collect();
    let left_out: u64 = sites.into_iter().map(|site| book.input.faulty_links.left_out(site)).sum();
    if left_out > 0 {
        sheet.note(&book.text.fill("x.faulty.left_out", &[("count", &left_out.to_string())]))?;
    }
    sheet.table(COLUMNS.iter().map(|(key, width, look)| column(book, key, *width, *look)).collect())?;
    let mut number = 0;
    for school in rows.iter() {
        for link in school.domain.iter().flat_map(|site| book.input.faulty_links.of(site)) {
            number += 1;
            sheet.row(row(book, number, &school, link))?;
        }
    }
    sheet.finish_table(4, u16::try_from(COLUMNS.len()).unwrap_or(u16::MAX))
}

/// One of the rows has a link to mend, whether there was room for it or not.
pub(super) fn any(book: &Book, rows: Rows) -> bool {
    let links = book.input.faulty_links;
    let mut sites = rows.sites();
    sites.any(|site| !links.of(site).is_empty() || links.left_out(site) > 0)
}

fn row(book: &Book, number: u64, school: &SchoolRow, link: &FaultyLink) -> Vec<Value> {
    let text = book.text;
    let word = |key: &str| Value::Words(text.w(key).to_owned());
    vec![
        Value::Count(number),
        Value::text(school.region_name),
        Value::text(school.name),
        domain(school),
        Value::Words(text.fill("x.link.level", &[("level", &link.level.to_string())])),
        word(if link.owner == Owner::Internal { "x.link.internal" } else { "x.link.external" }),
        Value::text(&link.url),
        Value::Words(end(text, &link.v4)),
        Value::Words(end(text, &link.v6)),
        Value::Words(wrong(text, link)),
    ]
}

/// How a request ended, in words.
fn end(text: &Text, end: &FetchEnd) -> String {
    match end {
        FetchEnd::Status(status) => text.fill("x.link.status", &[("status", &status.to_string())]),
        FetchEnd::Failed(failure) => text.reason(failure.word()),
        FetchEnd::NoAddress => text.w("x.link.no_address").to_owned(),
        FetchEnd::NotPublic(_) => text.w("x.link.not_public").to_owned(),
        FetchEnd::Unqualified => text.w("x.link.unqualified").to_owned(),
        FetchEnd::Unresolved(_) => text.w("x.link.unresolved").to_owned(),
        FetchEnd::NotMade | FetchEnd::Port(_) | FetchEnd::LeftAlone => text.w("x.link.not_made").to_owned(),
    }
}

/// What is wrong, and what to do about it.
fn wrong(text: &Text, link: &FaultyLink) -> String {
    let key = match (&link.leads_to, &link.v6) {
        _ if link.intranet => "x.link.wrong.intranet",
        (Some(_), _) => "x.link.wrong.redirect",
        (None, FetchEnd::NoAddress) => "x.link.wrong.no_address",
        (None, FetchEnd::NotPublic(_) | FetchEnd::Unqualified) => "x.link.wrong.not_public",
        (None, FetchEnd::Status(_)) => "x.link.wrong.status",
        (None, _) => "x.link.wrong.failed",
    };
    let host = url::Url::parse(&link.url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    let target = link.leads_to.as_deref().unwrap_or_default();
    text.fill(key, &[("host", &clean(&host)), ("target", &clean(target))])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::failure::Failure;
    use crate::report::Lang;

    #[test]
    fn what_is_wrong_is_said_of_each_kind() {
        let of = |v6: FetchEnd, intranet: bool, leads_to: Option<&str>| FaultyLink {
            url: "http://news.example/a".to_owned(),
            level: 2,
            owner: Owner::External,
            intranet,
            v4: FetchEnd::Status(200),
            v6,
            leads_to: leads_to.map(str::to_owned),
        };
        let text = Text::of(Lang::Zh);
        for (link, expected) in [
            (of(FetchEnd::NoAddress, false, None), "news.example 没有 IPv6 地址"),
            (of(FetchEnd::Failed(Failure::Timeout), false, None), "连不上"),
            (of(FetchEnd::Status(403), false, None), "两种协议返回的结果不同"),
            (of(FetchEnd::Status(302), false, Some("old.example")), "old.example"),
            (of(FetchEnd::NoAddress, true, None), "校外"),
        ] {
            let said = wrong(text, &link);
            assert!(said.contains(expected), "{said}");
        }
        assert_eq!(end(text, &FetchEnd::Failed(Failure::Timeout)), "连接超时");
    }
}
