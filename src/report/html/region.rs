//! The page of one region: its numbers, then every school with verdict, findings, remedies and evidence.

use std::collections::BTreeSet;
use std::net::IpAddr;

use askama::Template;

use crate::judge::operators::Origin;
use crate::judge::summarise::Standing;
use crate::model::finding::{Finding, Severity};
use crate::model::school::{RegionLevel, Role, RosterState};
use crate::model::summary::Completion;
use crate::model::verdict::Readiness;

use super::super::clean::clean;
use super::super::format::joined;
use super::super::model::{Change, Counts, Group, Outline, Pointers, RegionInfo, Report, Rows, SchoolRow};
use super::super::names::region_workbook;
use super::super::text::Text;
use super::super::{Format, ReportInput};
use super::causes::{self, Tickets};
use super::head::{Fact, Head};
use super::past::{self, PastView};
use super::room::{Claim, granted, is_crowded};
use super::scores::{self, RuleView};
use super::tables::{self, Entry, Line, Table};
use super::{class, context, link};

/// `regions/<code>.html`.
#[derive(Template)]
#[template(path = "region.html")]
pub(super) struct RegionPage<'a> {
    t: &'a Text,
    head: Head,
    /// Path from the page to the top of the folder.
    top: &'static str,
    below: Option<Table>,
    counties: Option<Table>,
    categories: Option<Table>,
    services: Option<Table>,
    rules: Vec<RuleView>,
    causes: Tickets,
    past: PastView,
    /// The region's workbook, relative to the page. None: it was not made.
    workbook: Option<String>,
    filters: Vec<Filter>,
    /// The command that prints a site's evidence, without its name.
    show: String,
    schools: Listed<'a>,
}

struct Filter {
    class: &'static str,
    /// Stable name of the standing.
    key: &'static str,
    name: String,
    count: usize,
}

struct SchoolView {
    /// Position in the lists, for the anchor and the sorting.
    number: usize,
    class: &'static str,
    key: &'static str,
    /// Faults first.
    urgency: usize,
    standing: String,
    sentence: String,
    reason: String,
    name: String,
    service: bool,
    /// What the search looks in.
    haystack: String,
    /// The site as it was listed.
    domain: String,
    /// The same with U-labels, where it differs.
    unicode: Option<String>,
    url: Option<String>,
    tags: Vec<String>,
    facts: Vec<Fact>,
    more: Vec<Fact>,
    problem: Option<[String; 3]>,
    findings: Vec<FindingView>,
    pointers: String,
    trail: Vec<String>,
    /// There is evidence, and the page has no room for it.
    elsewhere: bool,
    repeat: Option<String>,
}

struct FindingView {
    class: &'static str,
    severity: String,
    code: String,
    title: String,
    explanation: String,
    steps: Vec<String>,
    example: String,
    pointers: String,
}

impl<'a> RegionPage<'a> {
    pub(super) fn new(
        report: &Report,
        input: &'a ReportInput<'a>,
        text: &'a Text,
        region: &RegionInfo,
        rows: Rows<'a>,
    ) -> Self {
        let entry = match region.level {
            Some(RegionLevel::Province) => Entry::Direct(region),
            _ => Entry::Whole(region),
        };
        // A province's page is about its own schools; its numbers over time are those of all of them.
        let trend = matches!(entry, Entry::Whole(_)).then_some(region.trend.as_slice());
        let name = tables::entry_name(text, entry);
        let title = text.fill("region.title", &[("region", &name)]);
        let subregions: Vec<Entry> = report
            .regions
            .iter()
            .filter(|other| matches!(entry, Entry::Whole(_)) && other.parent.as_ref() == Some(&region.code))
            .map(Entry::Whole)
            .collect();
        Self {
            t: text,
            head: Head::new(report, input, text, title, &name, entry.counts()),
            top: "../",
            below: (!subregions.is_empty()).then(|| tables::regions(report, text, &subregions, "../")),
            counties: counties(text, rows, entry.counts()),
            categories: categories(text, rows, entry.counts()),
            services: tables::services_of(text, rows),
            rules: scores::of_region(report, text, &region.code, matches!(entry, Entry::Whole(_))),
            causes: match entry {
                Entry::Whole(_) => causes::of_region(text, &report.causes, &region.code.0),
                Entry::Direct(_) => causes::of_schools(text, &report.causes, rows, entry.counts()),
            },
            past: past::of_region(report, input, text, rows, trend),
            workbook: input.formats.contains(&Format::Xlsx).then(|| format!("../{}", region_workbook(&region.code))),
            filters: filters(text, rows),
            show: format!("v6ready show {}", report.run.id),
            schools: Listed::new(input, text, rows),
        }
    }
}

/// Groups the rows that count by a key, and adds the sum. None: there is one group only, which says nothing new.
fn grouped(
    text: &Text,
    rows: Rows,
    counts: &Counts,
    id: &'static str,
    label: &str,
    key: impl Fn(&SchoolRow) -> (String, Option<String>),
) -> Option<Table> {
    let mut sums: std::collections::BTreeMap<(String, Option<String>), Completion> = std::collections::BTreeMap::new();
    for row in rows.those(|row| row.counted) {
        row.standing.count_into(sums.entry(key(&row)).or_default());
    }
    if sums.len() < 2 {
        return None;
    }
    let groups: Vec<Group> = sums
        .iter()
        .map(|((key, name), completion)| Group { key: key.clone(), name: name.clone(), counts: completion.into() })
        .collect();
    let table = tables::groups(id, text.w(label).to_owned(), &groups, |group| {
        group.name.clone().unwrap_or_else(|| group.key.clone())
    });
    Some(Table { total: Some(Line::new(text.w("col.total").to_owned(), counts)), ..table })
}

fn counties(text: &Text, rows: Rows, counts: &Counts) -> Option<Table> {
    grouped(text, rows, counts, "counties", "col.county", |row| match (&row.county, &row.county_name) {
        (Some(code), name) => (code.0.to_string(), name.map(str::to_owned)),
        // Behind every code.
        (None, _) => ("~".to_owned(), Some(text.w("unknown.county").to_owned())),
    })
}

fn categories(text: &Text, rows: Rows, counts: &Counts) -> Option<Table> {
    grouped(text, rows, counts, "categories", "col.category", |row| {
        // The enum's order is the report's order.
        (format!("{}", row.category as u8), Some(text.category(row.category).to_owned()))
    })
}

/// Standings in the order in which somebody has to act on them.
const URGENCY: [Standing; 12] = [
    Standing::Verdict(Readiness::Broken),
    Standing::Verdict(Readiness::Absent),
    Standing::Verdict(Readiness::ReadyDefect),
    Standing::Verdict(Readiness::Down),
    Standing::Verdict(Readiness::NoName),
    Standing::Verdict(Readiness::Inconclusive),
    Standing::Roster(RosterState::Listed),
    Standing::Roster(RosterState::Invalid),
    Standing::Roster(RosterState::NoSite),
    Standing::Verdict(Readiness::Ready),
    Standing::Roster(RosterState::OptedOut),
    Standing::Roster(RosterState::Closed),
];

fn filters(text: &Text, rows: Rows) -> Vec<Filter> {
    let filter = |standing: &Standing| Filter {
        class: class(*standing),
        key: standing.name(),
        name: text.standing(*standing).to_owned(),
        count: rows.outlines().filter(|row| row.standing == *standing).count(),
    };
    URGENCY.iter().map(filter).filter(|filter| filter.count > 0).collect()
}

/// All schools, each made when the page comes to it, with as much evidence as the page has room for.
struct Listed<'a> {
    input: &'a ReportInput<'a>,
    text: &'a Text,
    rows: Rows<'a>,
    /// Whose evidence is on the page, by position.
    granted: Vec<bool>,
}

impl<'a> Listed<'a> {
    fn new(input: &'a ReportInput<'a>, text: &'a Text, rows: Rows<'a>) -> Self {
        let claim = |outline: &Outline| Claim {
            urgency: urgency(outline.standing),
            bytes: match outline.standing {
                Standing::Verdict(_) => outline.site(input).map_or(0, |site| input.trails.bytes(site)),
                Standing::Roster(_) => 0,
            },
        };
        let claims: Vec<Claim> = rows.outlines().map(claim).collect();
        Self { input, text, rows, granted: granted(&claims) }
    }

    fn len(&self) -> usize {
        self.rows.len()
    }

    fn iter(&self) -> impl Iterator<Item = SchoolView> {
        // Where not even that has room, the lesser facts are in `schools.csv` and the workbook alone.
        let crowded = is_crowded(self.len());
        self.rows.iter().zip(&self.granted).enumerate().map(move |(position, (row, granted))| {
            let mut school = school(self.input, self.text, position + 1, &row);
            if crowded {
                school.more.clear();
            }
            if let Some(key) = row.domain.filter(|_| row.rule.is_some()) {
                if *granted {
                    let lines = self.input.trails.get(key).unwrap_or_default();
                    school.trail = lines.iter().map(|line| clean(line).into_owned()).collect();
                } else {
                    school.elsewhere = self.input.trails.bytes(key) > 0;
                }
            }
            school
        })
    }
}

/// The place of a standing in [`URGENCY`].
fn urgency(of: Standing) -> usize {
    URGENCY.iter().position(|standing| *standing == of).unwrap_or(URGENCY.len())
}

/// A school without its evidence.
fn school(input: &ReportInput, text: &Text, number: usize, row: &SchoolRow) -> SchoolView {
    let key = row.domain;
    let shown = |part: &str| clean(part).into_owned();
    let mut tags = Vec::new();
    if row.unconfirmed {
        tags.push(text.w("s.unconfirmed").to_owned());
    }
    if row.flapping.is_some() {
        tags.push(text.change(Change::Flapping).to_owned());
    }
    tags.push(text.category(row.category).to_owned());
    tags.extend([row.subtype, row.county_name].into_iter().flatten().map(shown));
    let haystack = [
        Some(row.name),
        key.map(crate::model::site::SiteKey::as_str),
        row.domain_unicode,
        row.responsible_unit,
        row.county_name,
        row.school_code,
    ];
    SchoolView {
        number,
        class: class(row.standing),
        key: row.readiness,
        urgency: urgency(row.standing),
        standing: text.standing(row.standing).to_owned(),
        sentence: text.standing_sentence(row.standing).to_owned(),
        reason: text.why(row.standing, row.reason),
        name: shown(row.name),
        service: row.role == Role::Service,
        haystack: shown(&haystack.into_iter().flatten().collect::<Vec<_>>().join(" ").to_lowercase()),
        domain: key.map(|key| shown(key.as_str())).unwrap_or_default(),
        unicode: row.domain_unicode.map(shown),
        url: row.site.and_then(link),
        tags,
        facts: facts(text, row, &opted_out(input, row)),
        more: more(text, row),
        problem: row
            .problem
            .as_ref()
            .map(|problem| [&problem.said[0], &problem.text, &problem.said[1]].map(|part| shown(part))),
        findings: findings(text, row),
        pointers: row.evidence.to_string(),
        trail: Vec::new(),
        elsewhere: false,
        repeat: row.repeat.command().as_deref().map(shown),
    }
}

/// The day of the request not to be measured. Who asked is nobody else's business. Empty: there is none.
fn opted_out(input: &ReportInput, row: &SchoolRow) -> String {
    let key = row.domain.filter(|_| row.standing == Standing::Roster(RosterState::OptedOut));
    let request = key.and_then(|key| input.roster.opt_outs.of(key.host()));
    request.map(|request| request.date.clone()).unwrap_or_default()
}

/// Facts about a school's site, as they are filled in.
struct Facts<'a> {
    text: &'a Text,
    facts: Vec<Fact>,
}

impl<'a> Facts<'a> {
    fn new(text: &'a Text) -> Self {
        Self { text, facts: Vec::new() }
    }

    /// Adds one. Empty: there is nothing to say.
    fn add(&mut self, label: &str, value: &str) {
        if !value.is_empty() {
            self.facts.push(Fact { label: self.text.w(label).to_owned(), value: clean(value).into_owned() });
        }
    }
}

/// What everybody looks for: where the site stands, and whose it is.
fn facts(text: &Text, row: &SchoolRow, opted_out: &str) -> Vec<Fact> {
    let mut facts = Facts::new(text);
    facts.add("s.opted_out", opted_out);
    facts.add("s.stack", row.stack.map_or("", |stack| text.stack(stack)));
    if row.rule.is_some() {
        let list = |addresses: &[IpAddr]| match addresses {
            [] => text.w("s.none").to_owned(),
            _ => joined(addresses, text.w("sep")),
        };
        facts.add("s.aaaa", &list(row.aaaa));
        facts.add("s.a", &list(row.a));
        let status = |word: &str| match word {
            "" => "–".to_owned(),
            "none" => text.w("s.none").to_owned(),
            _ => match text.reason(word) {
                same if same == word => same,
                words => format!("{words} {word}"),
            },
        };
        facts.add("s.status", &format!("IPv6 {} · IPv4 {}", status(row.v6_status), status(row.v4_status)));
    }
    for (label, line) in super::super::deep::lines(row, text) {
        facts.add(label, &line);
    }
    if let Some(schools) = row.shared_by.filter(|schools| *schools > 1) {
        facts.add("s.shared", &text.fill("s.shared.by", &[("schools", &schools.to_string())]));
    }
    facts.add("s.unit", row.responsible_unit.unwrap_or_default());
    facts.add("s.change", row.changed.map_or("", |change| text.change(change)));
    facts.facts
}

/// What only who looks closer needs.
fn more(text: &Text, row: &SchoolRow) -> Vec<Fact> {
    let mut facts = Facts::new(text);
    if row.rule.is_some() {
        facts.add("s.networks", &networks(text, row));
    }
    if row.latency_v6_ms.is_some() || row.latency_v4_ms.is_some() {
        let ms = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.0} ms"));
        facts.add("s.latency", &format!("IPv6 {} · IPv4 {}", ms(row.latency_v6_ms), ms(row.latency_v4_ms)));
    }
    let of = |pair: Option<(u32, u32)>| pair.map(|(good, all)| format!("{good} / {all}")).unwrap_or_default();
    facts.add("s.tries", &of(row.v6_tries));
    facts.add("s.ns6", &of(row.ns6));
    facts.add("s.resolves6", row.resolves6.map_or("", |yes| text.w(if yes { "s.yes" } else { "s.no" })));
    facts.add("s.pagetitle", row.title.unwrap_or_default());
    facts.add("s.code", row.school_code.unwrap_or_default());
    facts.add("s.scores", &scores::of_row(row, text));
    facts.facts
}

/// Whose networks the IPv6 addresses are in, and what looks translated.
fn networks(text: &Text, row: &SchoolRow) -> String {
    let words: BTreeSet<String> = row
        .networks
        .iter()
        .map(|of| {
            let operator = text.operator(of.hint.operator);
            match of.hint.origin {
                Origin::Native => operator.to_owned(),
                origin => {
                    format!("{operator}{}{}{}", text.w("bracket.open"), text.origin(origin), text.w("bracket.close"))
                }
            }
        })
        .collect();
    words.into_iter().collect::<Vec<_>>().join(text.w("sep"))
}

fn findings(text: &Text, row: &SchoolRow) -> Vec<FindingView> {
    let context = context(row);
    let view = |finding: &Finding| {
        let advice = text.advise(finding, &context);
        let severity = finding.code.severity();
        FindingView {
            class: match severity {
                Severity::Fault => "fault",
                Severity::Defect => "flaw",
                Severity::Note => "note",
            },
            severity: text.severity(severity).to_owned(),
            code: finding.code.name(),
            title: advice.title,
            explanation: advice.explanation,
            steps: advice.remedy.lines().map(str::to_owned).collect(),
            example: advice.example,
            pointers: Pointers(&finding.evidence).to_string(),
        }
    };
    row.findings.0.iter().map(view).collect()
}
