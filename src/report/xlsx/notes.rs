//! 说明: what was measured when and from where, what the words and colours mean, and what cannot be concluded.

use rust_xlsxwriter::{Worksheet, XlsxError};

use super::Book;
use super::sheet::{Sheet, Value};
use super::style::Look;
use super::summary::column;
use crate::judge::summarise::Standing;
use crate::model::verdict::{CountsAs, Readiness};
use crate::report::clean::clean;
use crate::report::format::{local, utc};
use crate::report::model::ROSTER_STATES;

pub(super) fn sheet(book: &Book) -> Result<Worksheet, XlsxError> {
    let mut sheet = Sheet::new(book, Worksheet::new(), "x.sheet.notes", book.text.w("h.method"), false)?;
    sheet.widths(&[24.0, 16.0, 74.0])?;
    body(&mut sheet, book)?;
    Ok(sheet.finish())
}

/// Everything below the title, also for the cover of a region.
pub(super) fn body(sheet: &mut Sheet, book: &Book) -> Result<(), XlsxError> {
    let text = book.text;
    sheet.paragraph(text.w("m.define"), 2, 114.0)?;
    sheet.paragraph(text.w("m.limits"), 2, 114.0)?;
    sheet.heading(text.w("m.run"))?;
    for (label, value) in facts(book) {
        sheet.note(&format!("{}{}{}", text.w(label), text.w("colon"), clean(&value)))?;
    }
    sheet.heading(text.w("x.h.words"))?;
    sheet.table(vec![
        column(book, "x.c.standing", 24.0, Look::Word),
        column(book, "x.c.counts_as", 16.0, Look::Word),
        column(book, "x.c.meaning", 74.0, Look::Wrapped),
    ])?;
    let verdicts = Readiness::ALL.iter().map(|verdict| Standing::Verdict(*verdict));
    for standing in verdicts.chain(ROSTER_STATES.iter().map(|state| Standing::Roster(*state))) {
        let counts_as = match standing.counts_as() {
            CountsAs::Pass => "x.counts.pass",
            CountsAs::Fail => "x.counts.fail",
            CountsAs::OutOfBase => "x.counts.out",
            CountsAs::NotJudged => "x.counts.unjudged",
        };
        sheet.row(vec![
            Value::Words(text.standing(standing).to_owned()),
            Value::Words(text.w(counts_as).to_owned()),
            Value::Words(text.standing_sentence(standing).to_owned()),
        ])?;
    }
    sheet.colour_standings(0)?;
    sheet.heading(text.w("x.h.sheets"))?;
    for key in ["x.about.colours", "x.about.rectify", "x.about.empty", "x.about.guard"] {
        sheet.paragraph(text.w(key), 2, 114.0)?;
    }
    Ok(())
}

fn facts(book: &Book) -> Vec<(&'static str, String)> {
    let run = book.input.run;
    let moment = |at| format!("{} · {} UTC", local(at, book.input.zone), utc(at));
    let vantage = [Some(&run.vantage.name), run.vantage.isp.as_ref()].into_iter().flatten();
    vec![
        ("head.vantage", vantage.map(|part| clean(part).into_owned()).collect::<Vec<_>>().join(" · ")),
        ("m.start", moment(run.started)),
        ("m.stop", run.ended.map(moment).unwrap_or_default()),
        ("m.ended", book.text.end(run.end).to_owned()),
        ("m.resolvers", book.report.run.resolvers.join(" ")),
        ("m.method", run.method_version.clone()),
        ("m.program", run.program_version.clone()),
        ("head.run", run.id.0.clone()),
        ("head.policy", book.report.policy.number.clone()),
    ]
}
