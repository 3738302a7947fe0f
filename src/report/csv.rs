//! `schools.csv`, `regions.csv`, `causes.csv`, `findings.csv`: UTF-8 with BOM, CRLF, RFC 4180, for spreadsheets and scripts alike.
//!
//! Text that a spreadsheet would take for a formula gets a leading apostrophe ([`guard`]), which [`unguard`] takes away
//! again. Characters that act without being seen are written out ([`super::clean`]). Numbers come from numeric types only.

use std::io;

use super::clean::clean;
use super::format::{joined, percent, rfc3339};
use super::json::FileEntry;
use super::model::{Pointers, ROSTER_STATES, RegionInfo, Report, SchoolRow};
use super::text::{Lang, Text};
use super::{Folder, html};
use crate::judge::summarise::Standing;
use crate::model::finding::Finding;
use crate::model::site::SiteKey;
use crate::model::verdict::Readiness;

/// Columns of `schools.csv`: a contract, never reordered.
pub const SCHOOLS: [&str; 20] = [
    "domain",
    "name",
    "school_code",
    "region_code",
    "region",
    "county_code",
    "category",
    "responsible_unit",
    "readiness",
    "reason",
    "stack",
    "findings",
    "aaaa",
    "a",
    "v6_status",
    "v4_status",
    "latency_v6_ms",
    "latency_v4_ms",
    "first_seen",
    "changed",
];

/// The first columns of `regions.csv`; a column for each verdict and each roster state follows, by its name.
pub const REGIONS: [&str; 15] = [
    "region_code",
    "region",
    "level",
    "parent_code",
    "listed",
    "ready",
    "judged",
    "inconclusive",
    "out_of_base",
    "rate_pct",
    "range_low_pct",
    "range_high_pct",
    "coverage_pct",
    "rank",
    "listed_direct",
];

/// Columns of `findings.csv`.
pub const FINDINGS: [&str; 12] = [
    "domain",
    "name",
    "region_code",
    "region",
    "responsible_unit",
    "readiness",
    "code",
    "severity",
    "title",
    "explanation",
    "remedy",
    "evidence",
];

/// Columns of `causes.csv`. Completion is that of the whole province.
pub const CAUSES: [&str; 15] = [
    "effect",
    "code",
    "subject",
    "outside",
    "schools_helped",
    "schools_touched",
    "rows",
    "sites",
    "ready_after",
    "judged",
    "rate_after_pct",
    "regions",
    "responsible_units",
    "title",
    "remedy",
];

/// Puts an apostrophe before text that a spreadsheet could take for a formula (OWASP: `= + - @`, TAB, CR, LF, NUL; the
/// full-width forms as well), and before text that already begins with an apostrophe and such a character, so that
/// [`unguard`] can tell.
pub fn guard(text: &str) -> String {
    if needs_guard(text) { format!("'{text}") } else { text.to_owned() }
}

/// Takes the apostrophe of [`guard`] away.
pub fn unguard(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|rest| needs_guard(rest)).unwrap_or(cell)
}

fn needs_guard(text: &str) -> bool {
    let bare = text.trim_start_matches('\'');
    let acts = |c: char| matches!(c, '=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '\0' | '＝' | '＋' | '－' | '＠');
    bare.starts_with(acts) || bare.trim_start().starts_with(acts)
}

/// Renders the four files, row by row.
pub(super) fn render<F: Folder>(report: &Report, lang: Lang, folder: &mut F) -> Result<Vec<FileEntry>, F::Error> {
    let rows = || report.schools.iter();
    Ok(vec![
        folder.stream("schools.csv", &|out| table(out, &SCHOOLS, rows().map(|row| school(&row))))?,
        folder.stream("regions.csv", &|out| regions(out, report))?,
        folder.stream("causes.csv", &|out| table(out, &CAUSES, causes(report, lang)))?,
        folder.stream("findings.csv", &|out| table(out, &FINDINGS, rows().flat_map(|row| findings(&row, lang))))?,
    ])
}

fn school(row: &SchoolRow) -> Vec<String> {
    let codes: Vec<String> = row.findings.0.iter().map(|finding| finding.code.name()).collect();
    vec![
        row.domain.map(|key| cell(key.as_str())).unwrap_or_default(),
        cell(row.name),
        optional(row.school_code),
        cell(&row.region.0),
        cell(row.region_name),
        optional(row.county.map(|code| code.0.as_str())),
        row.category.name().into(),
        optional(row.responsible_unit),
        row.readiness.into(),
        cell(row.reason),
        row.stack.map(|stack| stack.name().to_owned()).unwrap_or_default(),
        codes.join(" "),
        joined(row.aaaa, " "),
        joined(row.a, " "),
        cell(row.v6_status),
        cell(row.v4_status),
        milliseconds(row.latency_v6_ms),
        milliseconds(row.latency_v4_ms),
        row.first_seen.map(rfc3339).unwrap_or_default(),
        row.changed.map(|change| change.word().to_owned()).unwrap_or_default(),
    ]
}

fn regions(out: &mut (dyn io::Write + Send), report: &Report) -> io::Result<()> {
    let mut columns: Vec<&str> = REGIONS.to_vec();
    columns.extend(standings().map(Standing::name));
    table(out, &columns, report.regions.iter().map(region))
}

fn region(info: &RegionInfo) -> Vec<String> {
    let counts = &info.counts;
    let mut cells = vec![
        cell(&info.code.0),
        cell(&info.name),
        info.level.map(level).unwrap_or_default().into(),
        optional(info.parent.as_ref().map(|code| code.0.as_str())),
        counts.listed.to_string(),
        counts.ready.to_string(),
        counts.judged.to_string(),
        counts.inconclusive.to_string(),
        counts.out_of_base.to_string(),
        percent(counts.ready, counts.judged).unwrap_or_default(),
        percent(counts.ready, counts.base()).unwrap_or_default(),
        percent(counts.ready + counts.inconclusive, counts.base()).unwrap_or_default(),
        percent(counts.judged, counts.base()).unwrap_or_default(),
        info.rank.map(|rank| rank.to_string()).unwrap_or_default(),
        info.direct.listed.to_string(),
    ];
    cells.extend(standings().map(|standing| counts.of(standing).to_string()));
    cells
}

/// Every verdict and roster state, in column order.
fn standings() -> impl Iterator<Item = Standing> {
    let verdicts = Readiness::ALL.iter().map(|verdict| Standing::Verdict(*verdict));
    verdicts.chain(ROSTER_STATES.iter().map(|state| Standing::Roster(*state)))
}

fn level(level: crate::model::school::RegionLevel) -> &'static str {
    use crate::model::school::RegionLevel;
    match level {
        RegionLevel::Province => "province",
        RegionLevel::City => "city",
        RegionLevel::County => "county",
    }
}

fn findings(row: &SchoolRow, lang: Lang) -> Vec<Vec<String>> {
    let text = Text::of(lang);
    let context = html::context(row);
    let line = |finding: &Finding| {
        let advice = text.advise(finding, &context);
        let remedy = [advice.remedy, advice.example].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>();
        vec![
            row.domain.map(|key| cell(key.as_str())).unwrap_or_default(),
            cell(row.name),
            cell(&row.region.0),
            cell(row.region_name),
            optional(row.responsible_unit),
            row.readiness.into(),
            finding.code.name(),
            super::text::severity_word(finding.code.severity()).into(),
            guard(&advice.title),
            guard(&advice.explanation),
            guard(&remedy.join("\n")),
            Pointers(&finding.evidence).to_string(),
        ]
    };
    row.findings.0.iter().map(line).collect()
}

/// Causes of failures, then those of defects.
fn causes<'a>(report: &'a Report<'_>, lang: Lang) -> impl Iterator<Item = Vec<String>> + 'a {
    let failures = report.causes.iter().map(|cause| ("fails", cause));
    let all = failures.chain(report.defect_causes.iter().map(|cause| ("defect", cause)));
    all.map(move |(effect, cause)| {
        let advice = Text::of(lang).advise(&cause.finding, &super::text::Context::new());
        let remedy = [advice.remedy, advice.example].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>();
        let regions: Vec<&str> = cause.regions.iter().map(|of| of.key.as_str()).collect();
        let sites: Vec<&str> = cause.sites.iter().map(SiteKey::as_str).collect();
        vec![
            effect.into(),
            cause.code.clone(),
            cell(&cause.subject),
            cause.outside.map(|outside| outside.to_string()).unwrap_or_default(),
            cause.helped.to_string(),
            cause.touched.to_string(),
            cause.rows.to_string(),
            cell(&sites.join(" ")),
            cause.after.ready.to_string(),
            cause.after.judged.to_string(),
            percent(cause.after.ready, cause.after.judged).unwrap_or_default(),
            cell(&regions.join(" ")),
            cell(&cause.units.join("; ")),
            guard(&advice.title),
            guard(&remedy.join("\n")),
        ]
    })
}

pub(super) fn cell(text: &str) -> String {
    guard(&clean(text))
}

fn optional(text: Option<&str>) -> String {
    text.map(cell).unwrap_or_default()
}

fn milliseconds(value: Option<f64>) -> String {
    value.filter(|ms| ms.is_finite()).map(|ms| format!("{ms:.1}")).unwrap_or_default()
}

/// Rows of cells as a file.
pub(super) fn table<S: AsRef<str>>(
    mut out: &mut (dyn io::Write + Send),
    columns: &[S],
    rows: impl Iterator<Item = Vec<String>>,
) -> io::Result<()> {
    // Excel takes a file without it for the system's code page.
    out.write_all(b"\xef\xbb\xbf")?;
    // A flexible writer takes rows of any length.
    let mut writer =
        ::csv::WriterBuilder::new().terminator(::csv::Terminator::CRLF).flexible(true).from_writer(&mut out);
    writer.write_record(columns.iter().map(AsRef::as_ref))?;
    for row in rows {
        writer.write_record(&row)?;
    }
    writer.flush()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn formulas_are_guarded() {
        for text in ["=1+1", "+1", "-1", "@x", " =1", "\t=1", "＝1", "＋", "－", "＠", "\0", "'=1", "　=1", "\r\n"]
        {
            assert_eq!(guard(text), format!("'{text}"), "{text:?}");
            assert_eq!(unguard(&guard(text)), text);
        }
        for text in ["", "示例中学", "'tis", "a=b", "2001:db8::1", "1-2"] {
            assert_eq!(guard(text), text);
        }
    }

    proptest! {
        #[test]
        fn the_guard_can_be_taken_away(text in "['=+@\\-＝ \ta\\PC]{0,8}") {
            let cell = guard(&text);
            prop_assert_eq!(unguard(&cell), text.as_str());
        }
    }
}
