//! `bulletin.docx`: the draft of a circular (通报) in the form that such circulars have (GB/T 9704), with the figures filled in.
//!
//! Its words are those of [`template`], which staff can change; its numbers and the table of regions are those of the pages.
//! The parts of the file are templates that escape everything (docs/decisions/0013-office-files.md). Bytes depend on the report
//! alone.

mod passage;
pub mod template;

use std::collections::BTreeMap;
use std::io::{Cursor, Write};

use askama::Template as _;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::clean::clean;
use super::format::{local_day, local_day_zh, percent, rfc3339};
use super::html::head::{self, Banner, minimum, percent_sign};
use super::html::tables::{self, Line};
use super::model::{Mark, Report};
use super::text::{Context, Lang, Text};
use super::{File, RenderError, ReportInput};
use crate::model::args::Args;
use crate::model::finding::{Code, Finding, Severity};
use crate::model::verdict::{CountsAs, Readiness};
use template::{Fonts, Template};

/// The file's name.
const NAME: &str = "bulletin.docx";
/// Widths of the table's columns, in twentieths of a point; together the width of the text.
const WIDTHS: [u32; 7] = [850, 3000, 800, 950, 800, 1244, 1200];
/// Problems that are named.
const PROBLEMS: usize = 4;

/// A paragraph and its style.
struct Paragraph {
    style: &'static str,
    text: String,
}

#[derive(askama::Template)]
#[template(path = "docx/document.xml")]
struct Document {
    before: Vec<Paragraph>,
    columns: [String; 7],
    rows: Vec<[String; 7]>,
    after: Vec<Paragraph>,
}

#[derive(askama::Template)]
#[template(path = "docx/styles.xml")]
struct Styles<'a> {
    fonts: &'a Fonts,
    /// Size of the text in half points, and from line to line in twentieths of a point.
    half: u32,
    line: u32,
    /// The same of the title.
    title_half: u32,
    title_line: u32,
    /// Two characters, in twentieths of a point.
    indent: u32,
}

#[derive(askama::Template)]
#[template(path = "docx/fonts.xml")]
struct FontTable<'a> {
    /// Name, and what to take instead. Each name once.
    fonts: BTreeMap<&'a str, &'a str>,
}

#[derive(askama::Template)]
#[template(path = "docx/header.xml")]
struct Header {
    marks: String,
}

#[derive(askama::Template)]
#[template(path = "docx/core.xml")]
struct Core {
    title: String,
    subject: String,
    marks: String,
    created: String,
}

/// Renders the draft.
pub fn render(report: &Report, input: &ReportInput) -> Result<File, RenderError> {
    let failed = |why: String| RenderError::Document { file: NAME, why };
    let parts = parts(report, input).map_err(|error| failed(error.to_string()))?;
    let bytes = pack(&parts).map_err(|error| failed(error.to_string()))?;
    Ok((NAME.to_owned(), bytes))
}

/// The parts of the file by name.
fn parts(report: &Report, input: &ReportInput) -> Result<Vec<(&'static str, String)>, askama::Error> {
    let text = Text::of(input.lang);
    let template = input.template;
    let banners = head::banners(report, text);
    let marks = banners.iter().map(|banner| banner.name.as_str()).collect::<Vec<_>>().join(" · ");
    let fill = Filler::new(report, input, text);
    let fonts = &template.fonts;
    let (size, line) = (u32::from(fonts.size), u32::from(fonts.line));
    let styles = Styles {
        fonts,
        half: size * 2,
        line: line * 20,
        // 二号 where the text is 三号: 22 to 16.
        title_half: size * 22 / 8,
        title_line: line * 25,
        indent: size * 40,
    };
    let core = Core {
        title: legal(&fill.of(&template.title.concat())),
        subject: legal(&report.policy.number),
        marks: marks.clone(),
        created: rfc3339(input.run.ended.unwrap_or(input.run.started)),
    };
    Ok(vec![
        ("[Content_Types].xml", include_str!("../../../templates/docx/content_types.xml").to_owned()),
        ("_rels/.rels", include_str!("../../../templates/docx/package_rels.xml").to_owned()),
        ("docProps/core.xml", core.render()?),
        ("word/document.xml", document(report, text, template, &banners, &fill).render()?),
        ("word/_rels/document.xml.rels", include_str!("../../../templates/docx/document_rels.xml").to_owned()),
        ("word/styles.xml", styles.render()?),
        ("word/fontTable.xml", FontTable { fonts: fonts.by_name() }.render()?),
        ("word/header1.xml", Header { marks }.render()?),
        ("word/footer1.xml", include_str!("../../../templates/docx/footer.xml").to_owned()),
    ])
}

/// One file out of the parts. Their times are the beginning of the format's calendar: never the clock.
fn pack(parts: &[(&'static str, String)]) -> zip::result::ZipResult<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::default());
    for (name, part) in parts {
        zip.start_file(*name, options)?;
        zip.write_all(part.as_bytes())?;
    }
    Ok(zip.finish()?.into_inner())
}

fn document(report: &Report, text: &Text, template: &Template, banners: &[Banner], fill: &Filler) -> Document {
    let entries = tables::entries(report);
    let mut lines = tables::regions(report, text, &entries, "").rows;
    let ranked = ranked(report) > 0;
    if !ranked {
        // Not even the order may say who is ahead.
        let names: Vec<String> = entries.iter().map(|entry| tables::entry_name(text, *entry)).collect();
        lines.sort_by_key(|line| names.iter().position(|name| *name == line.name));
        for line in &mut lines {
            line.hatched |= line.rank.take().is_some();
        }
    }
    let problems = problems(report, text);
    let paragraph = |style| move |wording: &String| Paragraph { style, text: fill.of(wording) };
    let mut before: Vec<Paragraph> = banners
        .iter()
        .map(|banner| Paragraph {
            style: "Notice",
            text: format!("{}{}{}", banner.name, text.w("colon"), banner.sentence),
        })
        .collect();
    before.extend(template.title.iter().map(paragraph("Title")));
    before.push(paragraph("To")(&template.to));
    before.push(paragraph("Text")(&template.basis));
    before.push(paragraph("Section")(&template.overall.heading));
    before.extend(template.overall.paragraphs.iter().map(paragraph("Text")));
    before.push(paragraph("Section")(&template.ranking.heading));
    let introduction = if ranked { &template.ranking.paragraphs } else { &template.unranked };
    before.extend(introduction.iter().map(paragraph("Text")));
    let mut after = vec![Paragraph { style: "Section", text: fill.of(&template.problems.heading) }];
    let introduction = if problems.is_empty() { &template.no_problems } else { &template.problems.paragraphs };
    after.extend(introduction.iter().map(paragraph("Text")));
    if let (Some(introduction), false) = (after.last_mut(), problems.is_empty()) {
        introduction.text.push_str(&problems.join(text.w("x.semicolon")));
        introduction.text.push_str(text.w("d.stop"));
    }
    after.push(paragraph("Section")(&template.requirements.heading));
    after.extend(template.requirements.paragraphs.iter().map(paragraph("Text")));
    after.extend(attachments(text, template, fill));
    after.push(Paragraph { style: "Gap", text: String::new() });
    after.extend(template.signature.iter().map(paragraph("Signature")));
    // A paragraph that is empty after filling says nothing.
    before.retain(|paragraph| !paragraph.text.trim().is_empty());
    after.retain(|paragraph| paragraph.style == "Gap" || !paragraph.text.trim().is_empty());
    // The signature does not stand on a page without text (GB/T 9704): the last paragraph goes there with it.
    if let Some(last) = after.iter_mut().rfind(|paragraph| paragraph.style == "Text") {
        last.style = "LastText";
    }
    for paragraph in before.iter_mut().chain(&mut after) {
        paragraph.text = legal(&paragraph.text);
    }
    Document { before, columns: columns(text), rows: rows(report, text, lines), after }
}

fn attachments<'a>(text: &'a Text, template: &'a Template, fill: &'a Filler) -> impl Iterator<Item = Paragraph> + 'a {
    let several = template.attachments.len() > 1;
    (1..).zip(&template.attachments).map(move |(number, name)| {
        let label = if number == 1 { text.w("d.attachments") } else { text.w("d.attachments.more") };
        let number = if several { format!("{number}. ") } else { String::new() };
        Paragraph { style: "Attachments", text: format!("{label}{number}{}", fill.of(name)) }
    })
}

fn columns(text: &Text) -> [String; 7] {
    ["col.rank", "col.region", "col.listed", "col.judged", "col.ready", "x.c.rate", "col.change"]
        .map(|key| text.w(key).to_owned())
}

/// The lines of the table of regions, and their sum.
fn rows(report: &Report, text: &Text, lines: Vec<Line>) -> Vec<[String; 7]> {
    let total = Line::new(text.w("col.total").to_owned(), &report.total);
    let count = lines.len();
    let lines = lines.into_iter().chain((count > 1).then_some(total));
    let row = |line: Line| {
        let rank = match line.rank {
            Some(rank) => rank.to_string(),
            None if line.hatched => text.w("x.unranked").to_owned(),
            None => "–".to_owned(),
        };
        let nothing = line.change.is_empty() || report.changes.first_run;
        let change = if nothing { "–".to_owned() } else { line.change };
        let numbers = [line.listed, line.judged, line.ready].map(|count| count.to_string());
        let [listed, judged, ready] = numbers;
        [rank, legal(&line.name), listed, judged, ready, percent_sign(line.rate), change]
    };
    lines.map(row).collect()
}

/// What schools that fail suffer from, with how many schools each: what touches most first.
fn problems(report: &Report, text: &Text) -> Vec<String> {
    let mut schools: BTreeMap<Code, u64> = BTreeMap::new();
    for row in report.schools.rows().those(|row| row.counted && row.standing.counts_as() == CountsAs::Fail) {
        let faults: std::collections::BTreeSet<Code> = row
            .findings
            .0
            .iter()
            .map(|finding| finding.code)
            .filter(|code| code.severity() == Severity::Fault)
            .collect();
        for code in faults {
            *schools.entry(code).or_default() += 1;
        }
    }
    let mut sorted: Vec<(Code, u64)> = schools.into_iter().collect();
    sorted.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let line = |(number, (code, count)): (usize, (Code, u64))| {
        let finding = Finding { code, args: Args::default(), evidence: Vec::new() };
        let title = text.advise(&finding, &Context::new()).title;
        let values = [("number", &*number.to_string()), ("title", &*title), ("count", &*count.to_string())];
        text.fill("d.problem", &values)
    };
    (1..).zip(sorted.into_iter().take(PROBLEMS)).map(line).collect()
}

/// Fills the placeholders of the template.
struct Filler(BTreeMap<&'static str, String>);

impl Filler {
    fn new(report: &Report, input: &ReportInput, text: &Text) -> Self {
        let counts = &report.total;
        let at = input.run.ended.unwrap_or(input.run.started);
        let day = if text.lang() == Lang::Zh { local_day_zh(at, input.zone) } else { local_day(at, input.zone) };
        let of = |readiness: Readiness| counts.verdicts.get(readiness.name()).copied().unwrap_or(0).to_string();
        let share = |part, whole| percent_sign(percent(part, whole)).replace(' ', "");
        let base = counts.base();
        let number = if report.policy.number.is_empty() { text.w("d.no_number") } else { &report.policy.number };
        let (low, high) = (share(counts.ready, base), share(counts.ready + counts.inconclusive, base));
        // A range whose ends are the same is none.
        let range = if low == high { String::new() } else { text.fill("d.range", &[("low", &low), ("high", &high)]) };
        let vantage: Vec<&str> = [Some(&input.run.vantage.name), input.run.vantage.isp.as_ref()]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect();
        let tasks: Vec<String> = report.tasks.iter().map(|task| task_line(task, text)).collect();
        // Listed and counted like schools, which they are not.
        let offices: u64 = input
            .summary
            .categories
            .iter()
            .filter(|(category, _)| !category.is_of_schools())
            .map(|(_, completion)| completion.listed)
            .sum();
        Self(BTreeMap::from([
            ("absent", of(Readiness::Absent)),
            ("area", head::area(report, text)),
            ("broken", of(Readiness::Broken)),
            ("coverage", share(counts.judged, base)),
            ("day", day),
            ("defects", of(Readiness::ReadyDefect)),
            ("high", high),
            ("inconclusive", counts.inconclusive.to_string()),
            ("judged", counts.judged.to_string()),
            ("listed", counts.listed.to_string()),
            ("low", low),
            ("minimum", minimum(report).replace(' ', "")),
            ("number", number.to_owned()),
            ("offices", offices.to_string()),
            ("out", counts.out_of_base.to_string()),
            ("policy", report.policy.title.clone()),
            ("range", range),
            ("ranked", ranked(report).to_string()),
            ("rate", share(counts.ready, counts.judged)),
            ("ready", counts.ready.to_string()),
            ("ready_clean", of(Readiness::Ready)),
            ("run", input.run.id.0.clone()),
            ("tasks", tasks.concat()),
            ("vantage", vantage.join(text.w("sep"))),
            ("year", local_day(at, input.zone).chars().take(4).collect()),
        ]))
    }

    fn of(&self, wording: &str) -> String {
        passage::fill(wording, |name| self.0.get(name).cloned())
    }
}

/// Regions of the table that have a place. None has one in a circular about a run that is not complete.
fn ranked(report: &Report) -> usize {
    if report.has_mark(Mark::Incomplete) {
        return 0;
    }
    let whole = |entry: &tables::Entry| matches!(entry, tables::Entry::Whole(info) if info.rank.is_some());
    tables::entries(report).iter().filter(|entry| whole(entry)).count()
}

/// Progress to one task in a sentence.
fn task_line(task: &super::model::TaskInfo, text: &Text) -> String {
    let title = match &task.title_en {
        Some(english) if text.lang() == Lang::En => english,
        _ => &task.title,
    };
    let counts = &task.counts;
    let target = (task.target.clamp(0.0, 1.0) * 10_000.0).round() / 100.0;
    text.fill(
        "d.task",
        &[
            ("id", &task.id),
            ("title", title),
            ("ready", &counts.ready.to_string()),
            ("judged", &counts.judged.to_string()),
            ("rate", &percent_sign(percent(counts.ready, counts.judged)).replace(' ', "")),
            ("target", &target.to_string()),
            ("whose", text.w(if task.target_official { "task.official" } else { "d.ours" })),
        ],
    )
}

/// Text that XML can hold, with nothing hidden in it.
fn legal(text: &str) -> String {
    clean(text).replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_placeholder_has_a_value() {
        let fixture = crate::report::fixture::fixture();
        let input = fixture.input(Lang::Zh);
        let report = Report::new(&input);
        let filler = Filler::new(&report, &input, Text::of(Lang::Zh));
        let names: Vec<&str> = filler.0.keys().copied().collect();
        assert_eq!(names, template::PLACEHOLDERS);
    }
}
