//! One entry of a report: a view of the lists and of the verdict on the site.

use super::super::model::{DeepRow, Findings, Networks, Pointers, Repeat, SchoolRow, Scores, Source};
use super::super::rows::{Known, Outline, Schools};
use super::problem;
use crate::judge::summarise::Standing;
use crate::model::deep::HostClass;
use crate::model::site::SiteKey;
use crate::model::verdict::Assessment;

/// Makes the entry of which there is an outline.
pub(in crate::report) fn entry<'a>(schools: &'a Schools<'a>, outline: &'a Outline) -> SchoolRow<'a> {
    let input = &schools.input;
    let mut entry = bare(schools, outline);
    let Some(index) = outline.row else { return entry };
    let (row, known) = (&input.roster.rows[index], schools.known(index));
    entry.source = Source(Some(&row.source));
    entry.problem = row.problem.as_ref().map(|inner| problem(inner, input.say));
    if let Some(key) = &row.site {
        entry.shared_by = known.shared_by;
        add_site(&mut entry, schools, key, known);
    }
    entry
}

/// An entry that says nothing but which school it is and where it stands.
fn bare<'a>(schools: &'a Schools<'a>, outline: &'a Outline) -> SchoolRow<'a> {
    let (standing, school) = (outline.standing, &schools.input.roster.schools[outline.school]);
    let past = outline.past.as_deref().cloned().unwrap_or_default();
    SchoolRow {
        name: &school.name,
        domain: None,
        domain_unicode: None,
        school_code: school.code.as_deref(),
        region: &school.region,
        region_name: schools.region_name(&school.region),
        county: school.county.as_ref(),
        county_name: school.county.as_ref().map(|code| schools.region_name(code)),
        category: school.category,
        subtype: school.subtype.as_deref(),
        responsible_unit: school.responsible_unit.as_deref(),
        role: outline.role,
        shared_by: None,
        counted: outline.counted,
        readiness: standing.name(),
        counts_as: standing.counts_as(),
        reason: "",
        stack: None,
        reach6: None,
        rule: None,
        findings: Findings::default(),
        evidence: Pointers::default(),
        aaaa: &[],
        networks: Networks::default(),
        a: &[],
        v6_status: "",
        v4_status: "",
        latency_v6_ms: None,
        latency_v4_ms: None,
        v6_tries: None,
        ns6: None,
        deep: DeepRow::default(),
        resolves6: None,
        mail: None,
        title: None,
        scores: Scores::default(),
        first_seen: None,
        previous: past.previous,
        settled: past.settled,
        unconfirmed: past.unconfirmed,
        flapping: past.flapping,
        changed: past.changed,
        problem: None,
        source: Source::default(),
        repeat: Repeat::default(),
        standing,
        school: outline.school,
        site: None,
    }
}

/// Adds what is known about the site: its names always, the verdict where there are any and the list lets them
/// stand.
fn add_site<'a>(entry: &mut SchoolRow<'a>, schools: &'a Schools<'a>, key: &'a SiteKey, known: Known<'a>) {
    entry.domain = Some(key);
    entry.site = known.site;
    entry.domain_unicode = known.site.and_then(|site| site.unicode.as_deref());
    entry.first_seen = known.first_seen;
    let Standing::Verdict(_) = entry.standing else { return };
    let Some(assessment) = known.assessment else { return };
    entry.repeat = Repeat(Some(assessment));
    entry.scores = Scores { rules: schools.input.rules, assessment: Some(assessment) };
    add_verdict(entry, assessment);
    // The table of names knows schools by their domain; the lists know the others.
    let blocking = entry.deep.skylight.iter_mut().flat_map(|skylight| &mut skylight.blocking);
    for host in blocking.filter(|host| host.class == HostClass::Other && schools.is_of_a_school(&host.host)) {
        host.class = HostClass::School;
    }
}

fn add_verdict<'a>(entry: &mut SchoolRow<'a>, assessment: &'a Assessment) {
    let facts = &assessment.facts;
    entry.reason = &assessment.reason;
    entry.stack = Some(assessment.stack);
    entry.reach6 = assessment.reach6;
    entry.rule = Some(assessment.rule);
    entry.evidence = Pointers(&assessment.evidence);
    entry.aaaa = &facts.aaaa;
    entry.networks = Networks(Some(assessment));
    entry.a = &facts.a;
    entry.v6_status = &facts.v6_status;
    entry.v4_status = &facts.v4_status;
    entry.latency_v6_ms = facts.latency_v6_ms;
    entry.latency_v4_ms = facts.latency_v4_ms;
    entry.v6_tries = facts.v6_tries;
    entry.ns6 = facts.ns6;
    entry.deep =
        DeepRow { links: facts.links.clone(), skylight: facts.skylight.clone(), latencies: facts.latencies.clone() };
    entry.resolves6 = facts.resolves6;
    entry.mail = facts.mail.as_deref();
    entry.title = facts.title.as_deref();
    entry.findings = Findings(&assessment.findings);
}
