//! From the inner types to the published shapes of [`super::model`]. No wording, no rounding, no decisions: sums come from
//! the summary, verdicts from the assessments.

mod causes;
mod entry;
mod past;
mod scores;

pub(in crate::report) use entry::entry;
pub(in crate::report) use past::as_before;
pub(in crate::report) use scores::of_site;

use std::collections::BTreeMap;

use crate::judge::compare::PastRun;
use crate::judge::operators::{Operator, Origin};
use crate::judge::summarise::Standing;
use crate::model::outage::{Lapse, Outage, lapses};
use crate::model::run::RunEnd;
use crate::model::school::{Category, RegionCode, Roster, RosterState, RowProblem};
use crate::model::site::SiteKey;
use crate::model::summary::{Completion, RegionSummary, TaskProgress};

use super::ReportInput;
use super::format::rfc3339;
use super::model::{
    Group, LapseInfo, Mark, Networks, OperatorInfo, OutageInfo, PolicyInfo, ProblemInfo, RegionInfo, RejectedInfo,
    Report, RunInfo, SCHEMA_VERSION, Schools, Source, TaskInfo, TrendInfo,
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

impl<'a> Report<'a> {
    /// Converts the inner types.
    pub fn new(input: &ReportInput<'a>) -> Self {
        let delta = input.past.delta();
        let schools = Schools::new(input, delta.as_ref());
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
            operators: operator_infos(input, &schools),
            changes: past::changes(input, delta.as_ref(), &schools),
            history,
            schools,
            rejected: input
                .roster
                .rejected
                .iter()
                .map(|row| RejectedInfo {
                    source: Source(Some(&row.source)).to_string(),
                    problem: problem(&row.problem, input.say),
                })
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
    schools: &Schools,
    mut trends: BTreeMap<RegionCode, Vec<TrendInfo>>,
) -> Vec<RegionInfo> {
    let before = input.past.compared_with().map(PastRun::places).unwrap_or_default();
    let mut direct: BTreeMap<&RegionCode, Completion> = BTreeMap::new();
    for outline in schools.rows().outlines().filter(|outline| outline.counted) {
        outline.standing.count_into(direct.entry(schools.region(outline)).or_default());
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
                    key: code.0.to_string(),
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
    region.map_or_else(|| code.0.to_string(), |region| region.name.clone())
}

/// Every site once, however many rows name it: by the last of them, and if that one has a verdict.
fn operator_infos(input: &ReportInput, schools: &Schools) -> Vec<OperatorInfo> {
    let last: BTreeMap<&SiteKey, Standing> =
        schools.rows().outlines().filter_map(|outline| Some((outline.site(input)?, outline.standing))).collect();
    let judged = last.into_iter().filter(|(_, standing)| matches!(standing, Standing::Verdict(_)));
    let mut all = [(0, 0); Operator::ALL.len()];
    for (site, _) in judged {
        let networks: Vec<_> = Networks(input.assessments.get(site)).iter().collect();
        for (operator, (sites, not_native)) in Operator::ALL.into_iter().zip(&mut all) {
            let here = || networks.iter().filter(|of| of.hint.operator == operator);
            *sites += u64::from(here().next().is_some());
            *not_native += u64::from(here().any(|of| of.hint.origin != Origin::Native));
        }
    }
    let info = |(operator, (sites, not_native))| OperatorInfo { operator, sites, not_native };
    Operator::ALL.into_iter().zip(all).map(info).filter(|info| info.sites > 0).collect()
}

/// The last part of a path, whichever system it came from: its folders are nobody's business.
pub(super) fn base_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}
