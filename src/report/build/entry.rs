//! One entry of a report, from the lists and the verdict on the site.

use std::net::IpAddr;

use super::super::format::rfc3339;
use super::super::model::{DeepRow, FindingInfo, NetworkInfo, SchoolRow};
use super::super::rows::{Known, Outline, Schools};
use super::{problem, scores, source};
use crate::judge::operators;
use crate::judge::summarise::Standing;
use crate::model::deep::HostClass;
use crate::model::evidence::Pointer;
use crate::model::site::SiteKey;
use crate::model::verdict::{Assessment, Facts};
use crate::model::word::Word;

/// Makes the entry of which there is an outline.
pub(in crate::report) fn entry(schools: &Schools, outline: &Outline) -> SchoolRow {
    let input = &schools.input;
    let mut entry = bare(schools, outline);
    let Some(index) = outline.row else { return entry };
    let (row, known) = (&input.roster.rows[index], schools.known(index));
    entry.source = source(&row.source);
    entry.problem = row.problem.as_ref().map(|inner| problem(inner, input.say));
    if let Some(key) = &row.site {
        entry.shared_by = known.shared_by;
        add_site(&mut entry, schools, key, known);
    }
    entry
}

/// An entry that says nothing but which school it is and where it stands.
fn bare(schools: &Schools, outline: &Outline) -> SchoolRow {
    let (standing, school) = (outline.standing, &schools.input.roster.schools[outline.school]);
    let past = outline.past.as_deref().cloned().unwrap_or_default();
    SchoolRow {
        name: school.name.clone(),
        domain: None,
        domain_unicode: None,
        school_code: school.code.clone(),
        region: school.region.clone(),
        region_name: schools.region_name(&school.region),
        county: school.county.clone(),
        county_name: school.county.as_ref().map(|code| schools.region_name(code)),
        category: school.category,
        subtype: school.subtype.clone(),
        responsible_unit: school.responsible_unit.clone(),
        role: outline.role,
        shared_by: None,
        counted: outline.counted,
        readiness: standing.name(),
        counts_as: standing.counts_as(),
        reason: Word::default(),
        stack: None,
        reach6: None,
        rule: None,
        findings: Vec::new(),
        evidence: Vec::new(),
        aaaa: Vec::new(),
        networks: Vec::new(),
        a: Vec::new(),
        v6_status: Word::default(),
        v4_status: Word::default(),
        latency_v6_ms: None,
        latency_v4_ms: None,
        v6_tries: None,
        ns6: None,
        deep: DeepRow::default(),
        resolves6: None,
        mail: None,
        title: None,
        scores: Vec::new(),
        first_seen: None,
        previous: past.previous,
        settled: past.settled,
        unconfirmed: past.unconfirmed,
        flapping: past.flapping,
        changed: past.changed,
        problem: None,
        source: String::new(),
        repeat: None,
        standing,
        school: outline.school,
        site: None,
        raw_findings: Vec::new(),
    }
}

/// Adds what is known about the site: its names always, the verdict where there are any and the list lets them
/// stand.
fn add_site(entry: &mut SchoolRow, schools: &Schools, key: &SiteKey, known: Known) {
    entry.domain = Some(key.clone());
    entry.site = known.site.cloned();
    entry.domain_unicode = entry.site.as_ref().and_then(|site| site.unicode.clone());
    entry.first_seen = known.first_seen.map(rfc3339);
    let Standing::Verdict(_) = entry.standing else { return };
    let Some(assessment) = known.assessment else { return };
    entry.repeat = Some(assessment.repeat_command());
    entry.scores = schools.input.rules.iter().map(|rules| scores::of_site(rules, assessment)).collect();
    add_verdict(entry, assessment);
    // The table of names knows schools by their domain; the lists know the others.
    let blocking = entry.deep.skylight.iter_mut().flat_map(|skylight| &mut skylight.blocking);
    for host in blocking.filter(|host| host.class == HostClass::Other && schools.is_of_a_school(&host.host)) {
        host.class = HostClass::School;
    }
}

fn add_verdict(entry: &mut SchoolRow, assessment: &Assessment) {
    let facts = &assessment.facts;
    entry.reason.clone_from(&assessment.reason);
    entry.stack = Some(assessment.stack);
    entry.reach6 = assessment.reach6;
    entry.rule = Some(assessment.rule);
    entry.evidence = pointers(&assessment.evidence);
    entry.aaaa = facts.aaaa.iter().map(ToString::to_string).collect();
    entry.networks = networks(facts);
    entry.a = facts.a.iter().map(ToString::to_string).collect();
    entry.v6_status.clone_from(&facts.v6_status);
    entry.v4_status.clone_from(&facts.v4_status);
    entry.latency_v6_ms = facts.latency_v6_ms;
    entry.latency_v4_ms = facts.latency_v4_ms;
    entry.v6_tries = facts.v6_tries;
    entry.ns6 = facts.ns6;
    entry.deep =
        DeepRow { links: facts.links.clone(), skylight: facts.skylight.clone(), latencies: facts.latencies.clone() };
    entry.resolves6 = facts.resolves6;
    entry.mail.clone_from(&facts.mail);
    entry.title.clone_from(&facts.title);
    entry.raw_findings.clone_from(&assessment.findings);
    entry.findings = assessment
        .findings
        .iter()
        .map(|finding| FindingInfo {
            code: finding.code.name(),
            severity: finding.code.severity(),
            args: finding.args.clone(),
            evidence: pointers(&finding.evidence),
        })
        .collect();
}

pub(super) fn networks(facts: &Facts) -> Vec<NetworkInfo> {
    let v6 = facts.aaaa.iter().filter_map(|address| match address {
        IpAddr::V6(address) => Some(*address),
        IpAddr::V4(_) => None,
    });
    v6.map(|address| NetworkInfo { address: address.to_string(), hint: operators::hint(address, &facts.a) }).collect()
}

fn pointers(evidence: &[Pointer]) -> Vec<String> {
    evidence.iter().map(ToString::to_string).collect()
}
