//! From the inner types to the published shapes of [`super::model`]. No wording, no rounding, no decisions: sums come from
//! the summary, verdicts from the assessments.

mod causes;
mod past;
mod scores;

pub(in crate::report) use past::as_before;

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::judge::compare::PastRun;
use crate::judge::operators::{self, Operator, Origin};
use crate::judge::summarise::{Standing, counted_rows, row_standing, schools_of_sites};
use crate::model::evidence::Pointer;
use crate::model::outage::{Lapse, Outage, lapses};
use crate::model::run::RunEnd;
use crate::model::school::{Category, RegionCode, Role, Roster, RosterState, RowProblem, School, SourceLine};
use crate::model::site::SiteKey;
use crate::model::summary::{Completion, RegionSummary, TaskProgress};
use crate::model::verdict::{Assessment, Facts};

use super::ReportInput;
use super::format::rfc3339;
use super::model::{
    DeepRow, FindingInfo, Group, LapseInfo, Mark, NetworkInfo, OperatorInfo, OutageInfo, PolicyInfo, ProblemInfo,
    RegionInfo, RejectedInfo, Report, RunInfo, SCHEMA_VERSION, SchoolRow, TaskInfo, TrendInfo,
};

fn problem(inner: &RowProblem, say: fn(&str) -> String) -> ProblemInfo {
    ProblemInfo {
        column: inner.column.clone(),
        reason: inner.reason.clone(),
        remedy: inner.remedy.clone(),
        text: inner.text.clone(),
        said: [&inner.reason, &inner.remedy].map(|words| say(words)),
    }
}

impl Report {
    /// Converts the inner types.
    pub fn new(input: &ReportInput) -> Self {
        let delta = input.past.delta();
        let mut schools = school_rows(input);
        for row in &mut schools {
            past::add(row, delta.as_ref());
        }
        let (history, trends) = past::history(input);
        Self {
            schema_version: SCHEMA_VERSION,
            run: run_info(input),
            policy: PolicyInfo {
                title: input.policy.title.clone(),
                number: input.policy.number.clone(),
                area: input.policy.area.clone(),
                minimum_coverage: input.policy.minimum_coverage,
            },
            marks: marks(input),
            total: (&input.summary.total).into(),
            services: (&input.summary.services).into(),
            tasks: input.summary.tasks.iter().map(task_info).collect(),
            regions: region_infos(input, &schools, trends),
            categories: category_groups(&input.summary.categories),
            units: input
                .summary
                .units
                .iter()
                .map(|(name, completion)| Group { key: name.clone(), name: None, counts: completion.into() })
                .collect(),
            causes: causes::infos(input, &input.causes.failures),
            defect_causes: causes::infos(input, &input.causes.defects),
            rule_sets: scores::infos(input),
            operators: operator_infos(&schools),
            changes: past::changes(input, delta.as_ref(), &schools),
            history,
            schools,
            rejected: input
                .roster
                .rejected
                .iter()
                .map(|row| RejectedInfo { source: source(&row.source), problem: problem(&row.problem, input.say) })
                .collect(),
        }
    }
}

fn run_info(input: &ReportInput) -> RunInfo {
    let run = input.run;
    RunInfo {
        id: run.id.0.clone(),
        started: rfc3339(run.started),
        ended: run.ended.map(rfc3339),
        end: run.end,
        vantage: run.vantage.name.clone(),
        isp: run.vantage.isp.clone(),
        resolvers: run.vantage.resolvers.iter().map(ToString::to_string).collect(),
        method_version: run.method_version.clone(),
        program_version: run.program_version.clone(),
        without_ipv6: run.without_ipv6,
        lab: run.lab,
        simulated: run.simulated || input.roster.simulated,
        breaker: run.outages.iter().map(outage_info).collect(),
        resolver_lapses: lapses(&run.vantage.dns_proofs).iter().map(lapse_info).collect(),
    }
}

fn lapse_info(lapse: &Lapse) -> LapseInfo {
    LapseInfo {
        resolver: lapse.server.to_string(),
        state: lapse.state,
        since: rfc3339(lapse.since),
        until: lapse.until.map(rfc3339),
    }
}

fn outage_info(outage: &Outage) -> OutageInfo {
    OutageInfo {
        line: outage.line,
        why: outage.why,
        since: rfc3339(outage.since),
        opened: outage.opened.map(rfc3339),
        until: outage.until.map(rfc3339),
        quarantined: outage.quarantined,
        redone: outage.redone,
    }
}

fn marks(input: &ReportInput) -> Vec<Mark> {
    let low = input.summary.total.coverage().is_some_and(|coverage| coverage < input.policy.minimum_coverage);
    let not_reached = input.summary.total.roster.get(&RosterState::Listed).is_some_and(|count| *count > 0);
    [
        (Mark::Simulated, input.run.simulated || input.roster.simulated),
        (Mark::Lab, input.run.lab),
        (Mark::Incomplete, low || not_reached || input.run.end != RunEnd::Complete),
        (Mark::WithoutIpv6, input.run.without_ipv6),
    ]
    .into_iter()
    .filter_map(|(mark, holds)| holds.then_some(mark))
    .collect()
}

fn task_info(progress: &TaskProgress) -> TaskInfo {
    let task = &progress.task;
    TaskInfo {
        id: task.id.clone(),
        title: task.title.clone(),
        title_en: task.title_en.clone(),
        wording: task.wording.clone(),
        target: task.target,
        target_official: task.target_official,
        categories: task.categories.clone(),
        responsible: task.responsible.clone(),
        deadline: task.deadline.clone(),
        met: progress.completion.rate().map(|rate| rate >= task.target),
        counts: (&progress.completion).into(),
    }
}

fn category_groups(categories: &BTreeMap<Category, Completion>) -> Vec<Group> {
    let group = |category: &Category| {
        categories.get(category).map(|completion| Group {
            key: category.name().to_owned(),
            name: None,
            counts: completion.into(),
        })
    };
    Category::ALL.iter().filter_map(group).collect()
}

fn region_infos(
    input: &ReportInput,
    schools: &[SchoolRow],
    mut trends: BTreeMap<RegionCode, Vec<TrendInfo>>,
) -> Vec<RegionInfo> {
    let before = input.past.compared_with().map(PastRun::places).unwrap_or_default();
    let mut direct: BTreeMap<&RegionCode, Completion> = BTreeMap::new();
    for row in schools.iter().filter(|row| row.counted) {
        row.standing.count_into(direct.entry(&row.region).or_default());
    }
    let nothing = Completion::default();
    let mut info = |summary: &RegionSummary| {
        let region = input.roster.regions.iter().find(|region| region.code == summary.code);
        RegionInfo {
            code: summary.code.clone(),
            name: region_name(input.roster, &summary.code),
            name_en: region.and_then(|region| region.name_en.clone()),
            level: region.map(|region| region.level),
            parent: region.and_then(|region| region.parent.clone()),
            page: super::names::region_page(&summary.code),
            counts: (&summary.completion).into(),
            services: (&summary.services).into(),
            direct: direct.get(&summary.code).unwrap_or(&nothing).into(),
            categories: category_groups(&summary.categories),
            counties: summary
                .counties
                .iter()
                .map(|(code, completion)| Group {
                    key: code.0.clone(),
                    name: (!code.0.is_empty()).then(|| region_name(input.roster, code)),
                    counts: completion.into(),
                })
                .collect(),
            rankable: summary.rankable,
            rank: summary.rank,
            previous_rank: before.get(&summary.code).copied(),
            trend: trends.remove(&summary.code).unwrap_or_default(),
        }
    };
    input.summary.regions.iter().map(&mut info).collect()
}

fn region_name(roster: &Roster, code: &RegionCode) -> String {
    let region = roster.regions.iter().find(|region| region.code == *code);
    region.map_or_else(|| code.0.clone(), |region| region.name.clone())
}

/// One entry per accepted row, in list order. A school without a portal row gets an entry of its own at the end, so that
/// every school counts by exactly one entry.
fn school_rows(input: &ReportInput) -> Vec<SchoolRow> {
    let roster = input.roster;
    let counted = counted_rows(roster);
    let shared = schools_of_sites(roster);
    // Room for exactly these: a row is a kilobyte and more.
    let without = counted.iter().filter(|row| row.is_none()).count();
    let mut entries: Vec<SchoolRow> = Vec::with_capacity(roster.rows.len() + without);
    let rows = roster.rows.iter().enumerate().filter_map(|(index, row)| {
        let school = roster.schools.get(row.school)?;
        let mut entry = bare_row(roster, row.school, school, row_standing(roster, index, input.assessments));
        entry.counted = counted[row.school] == Some(index);
        entry.role = row.role;
        entry.source = source(&row.source);
        entry.problem = row.problem.as_ref().map(|inner| problem(inner, input.say));
        if let Some(key) = &row.site {
            entry.shared_by = shared.get(key).copied();
            add_site(&mut entry, input, key);
        }
        Some(entry)
    });
    entries.extend(rows);
    for (index, school) in roster.schools.iter().enumerate().filter(|(index, _)| counted[*index].is_none()) {
        entries.push(bare_row(roster, index, school, Standing::Roster(RosterState::NoSite)));
    }
    entries
}

/// An entry that says nothing but which school it is and where it stands.
fn bare_row(roster: &Roster, index: usize, school: &School, standing: Standing) -> SchoolRow {
    SchoolRow {
        name: school.name.clone(),
        domain: None,
        domain_unicode: None,
        school_code: school.code.clone(),
        region: school.region.clone(),
        region_name: region_name(roster, &school.region),
        county: school.county.clone(),
        county_name: school.county.as_ref().map(|code| region_name(roster, code)),
        category: school.category,
        subtype: school.subtype.clone(),
        responsible_unit: school.responsible_unit.clone(),
        role: Role::Portal,
        shared_by: None,
        counted: true,
        readiness: standing.name(),
        counts_as: standing.counts_as(),
        reason: String::new(),
        stack: None,
        reach6: None,
        rule: None,
        findings: Vec::new(),
        evidence: Vec::new(),
        aaaa: Vec::new(),
        networks: Vec::new(),
        a: Vec::new(),
        v6_status: String::new(),
        v4_status: String::new(),
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
        previous: None,
        settled: None,
        unconfirmed: false,
        flapping: None,
        changed: None,
        problem: None,
        source: String::new(),
        repeat: None,
        standing,
        school: index,
        site: None,
        raw_findings: Vec::new(),
    }
}

/// Adds what is known about the site: its names always, the verdict where there are any and the list lets them
/// stand.
fn add_site(entry: &mut SchoolRow, input: &ReportInput, key: &SiteKey) {
    entry.domain = Some(key.clone());
    entry.site = input.roster.sites.get(key).cloned();
    entry.domain_unicode = entry.site.as_ref().and_then(|site| site.unicode.clone());
    entry.first_seen = input.first_seen.get(key).map(|at| rfc3339(*at));
    let Standing::Verdict(_) = entry.standing else { return };
    let Some(assessment) = input.assessments.get(key) else { return };
    entry.repeat = Some(assessment.repeat_command());
    entry.scores = input.rules.iter().map(|rules| scores::of_site(rules, assessment)).collect();
    add_verdict(entry, assessment);
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
    entry.deep = DeepRow { links: facts.links, skylight: facts.skylight.clone(), latencies: facts.latencies };
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

fn networks(facts: &Facts) -> Vec<NetworkInfo> {
    let v6 = facts.aaaa.iter().filter_map(|address| match address {
        IpAddr::V6(address) => Some(*address),
        IpAddr::V4(_) => None,
    });
    v6.map(|address| NetworkInfo { address: address.to_string(), hint: operators::hint(address, &facts.a) }).collect()
}

/// Every site once, however many rows name it.
fn operator_infos(schools: &[SchoolRow]) -> Vec<OperatorInfo> {
    let sites: BTreeMap<&SiteKey, &SchoolRow> =
        schools.iter().filter_map(|row| Some((row.domain.as_ref()?, row))).collect();
    let info = |operator: Operator| {
        let hints = |row: &&SchoolRow| row.networks.iter().any(|of| of.hint.operator == operator);
        let native = |row: &&SchoolRow| {
            row.networks.iter().all(|of| of.hint.operator != operator || of.hint.origin == Origin::Native)
        };
        let there: Vec<&SchoolRow> = sites.values().copied().filter(hints).collect();
        let all_native = there.iter().filter(|row| native(row)).count();
        OperatorInfo { operator, sites: there.len() as u64, not_native: (there.len() - all_native) as u64 }
    };
    Operator::ALL.into_iter().map(info).filter(|info| info.sites > 0).collect()
}

fn pointers(evidence: &[Pointer]) -> Vec<String> {
    evidence.iter().map(ToString::to_string).collect()
}

/// The file's name without its folders, which are nobody's business, and the line.
fn source(line: &SourceLine) -> String {
    format!("{}:{}", base_name(&line.file), line.line)
}

/// The last part of a path, whichever system it came from.
pub(super) fn base_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}
