//! The roll-up: from one verdict per site to counts per region, category, responsible unit and policy task.
//!
//! Pure and total: no clock, no order dependence beyond the lists' own order. It decides which row a school counts by and
//! who may be ranked; what a verdict *is* was decided before, how numbers are *shown* is left to the reports.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use crate::model::school::{RegionCode, RegionLevel, Role, Roster, RosterState};
use crate::model::site::SiteKey;
use crate::model::summary::{Completion, Policy, RegionSummary, Summary, TaskProgress};
use crate::model::verdict::{Assessment, CountsAs, Readiness};

/// Where a school, or one row of a list, stands: a verdict, or what the list itself says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// The site was judged, [`Readiness::Inconclusive`] included.
    Verdict(Readiness),
    /// There is no verdict. [`RosterState::Listed`] means that the run did not get to it.
    Roster(RosterState),
}

impl Standing {
    /// The stable name: of the verdict, or of the roster state.
    pub fn name(self) -> &'static str {
        match self {
            Self::Verdict(readiness) => readiness.name(),
            Self::Roster(RosterState::Listed) => "LISTED",
            Self::Roster(RosterState::NoSite) => "NO_SITE",
            Self::Roster(RosterState::Invalid) => "INVALID",
            Self::Roster(RosterState::OptedOut) => "OPTED_OUT",
            Self::Roster(RosterState::Closed) => "CLOSED",
        }
    }

    /// How it counts. A site that was not reached counts like one that could not be judged.
    pub fn counts_as(self) -> CountsAs {
        match self {
            Self::Verdict(readiness) => readiness.counts_as(),
            Self::Roster(RosterState::Listed) => CountsAs::NotJudged,
            Self::Roster(_) => CountsAs::OutOfBase,
        }
    }

    /// Counts one school of this standing.
    pub fn count_into(self, completion: &mut Completion) {
        match self {
            Self::Verdict(readiness) => completion.add_verdict(readiness),
            Self::Roster(state) => completion.add_roster(state),
        }
    }
}

/// For every school, the index of the row it counts by: its first portal row with a site, else its first portal row.
/// None: it has no portal row.
pub fn counted_rows(roster: &Roster) -> Vec<Option<usize>> {
    let mut counted: Vec<Option<usize>> = vec![None; roster.schools.len()];
    for (index, row) in roster.rows.iter().enumerate().filter(|(_, row)| row.role == Role::Portal) {
        let Some(slot) = counted.get_mut(row.school) else { continue };
        if slot.is_none_or(|held| roster.rows[held].site.is_none() && row.site.is_some()) {
            *slot = Some(index);
        }
    }
    counted
}

/// Where one row stands. A row that the list itself takes out keeps the list's word, whatever was measured.
pub fn row_standing(roster: &Roster, row: usize, assessments: &BTreeMap<SiteKey, Assessment>) -> Standing {
    standing_by(roster, row, &of_assessments(assessments))
}

/// The verdict on a site, wherever it is kept. None: there is none.
pub type VerdictOf<'a> = dyn Fn(&SiteKey) -> Option<Readiness> + 'a;

fn of_assessments(assessments: &BTreeMap<SiteKey, Assessment>) -> impl Fn(&SiteKey) -> Option<Readiness> {
    |site| assessments.get(site).map(|assessment| assessment.readiness)
}

/// As [`row_standing`], from verdicts alone.
pub(super) fn standing_by(roster: &Roster, row: usize, verdict: &VerdictOf) -> Standing {
    let Some(row) = roster.rows.get(row) else { return Standing::Roster(RosterState::NoSite) };
    match (row.state, &row.site) {
        (RosterState::Listed, Some(site)) => {
            verdict(site).map_or(Standing::Roster(RosterState::Listed), Standing::Verdict)
        }
        // To be probed, but nothing to probe: the list contradicts itself, and nobody may count as not reached for it.
        (RosterState::Listed, None) => Standing::Roster(RosterState::Invalid),
        (state, _) => Standing::Roster(state),
    }
}

/// Where every school stands, in roster order. A school without a portal row has no site to count by.
pub fn standings(roster: &Roster, assessments: &BTreeMap<SiteKey, Assessment>) -> Vec<Standing> {
    standings_by(roster, &of_assessments(assessments))
}

/// As [`standings`], from verdicts alone.
pub(super) fn standings_by(roster: &Roster, verdict: &VerdictOf) -> Vec<Standing> {
    let standing = |row: Option<usize>| match row {
        Some(row) => standing_by(roster, row, verdict),
        None => Standing::Roster(RosterState::NoSite),
    };
    counted_rows(roster).into_iter().map(standing).collect()
}

/// Adds everything up.
pub fn summarise(roster: &Roster, policy: &Policy, assessments: &BTreeMap<SiteKey, Assessment>) -> Summary {
    summarise_by(roster, policy, &of_assessments(assessments))
}

/// As [`summarise`], from verdicts alone: what is kept of an earlier run.
pub fn summarise_by(roster: &Roster, policy: &Policy, verdict: &VerdictOf) -> Summary {
    let standings = standings_by(roster, verdict);
    let schools = || roster.schools.iter().zip(&standings);
    let mut total = Completion::default();
    let mut categories = BTreeMap::new();
    let mut units = BTreeMap::new();
    for (school, standing) in schools() {
        standing.count_into(&mut total);
        standing.count_into(categories.entry(school.category).or_default());
        standing
            .count_into(units.entry(school.responsible_unit.as_deref().unwrap_or_default().to_owned()).or_default());
    }
    let tasks = policy.tasks.iter().map(|task| {
        let mut completion = Completion::default();
        for (_, standing) in schools().filter(|(school, _)| task.categories.contains(&school.category)) {
            standing.count_into(&mut completion);
        }
        TaskProgress { task: task.clone(), completion }
    });
    let services = services(roster, verdict);
    let mut of_all = Completion::default();
    for (_, standing) in &services {
        standing.count_into(&mut of_all);
    }
    Summary {
        total,
        services: of_all,
        tasks: tasks.collect(),
        regions: regions(roster, policy, &standings, &services),
        categories,
        units,
    }
}

/// Every service row: its school, and where it stands.
fn services(roster: &Roster, verdict: &VerdictOf) -> Vec<(usize, Standing)> {
    let rows = roster.rows.iter().enumerate().filter(|(_, row)| row.role == Role::Service);
    rows.map(|(index, row)| (row.school, standing_by(roster, index, verdict))).collect()
}

/// How many schools each site is listed for, be it as portal or as service.
pub fn schools_of_sites(roster: &Roster) -> BTreeMap<&SiteKey, u64> {
    let pairs: BTreeSet<(&SiteKey, usize)> =
        roster.rows.iter().filter_map(|row| Some((row.site.as_ref()?, row.school))).collect();
    let mut schools = BTreeMap::new();
    for (site, _) in pairs {
        *schools.entry(site).or_default() += 1;
    }
    schools
}

/// Every region that has schools, itself or below, in list order; codes that the lists do not explain follow by code.
fn regions(
    roster: &Roster,
    policy: &Policy,
    standings: &[Standing],
    services: &[(usize, Standing)],
) -> Vec<RegionSummary> {
    let parents = parents(roster);
    let mut summaries: BTreeMap<RegionCode, RegionSummary> = BTreeMap::new();
    for (school, standing) in roster.schools.iter().zip(standings) {
        for code in lineage(&parents, &school.region) {
            let summary = summaries.entry(code.clone()).or_insert_with(|| RegionSummary {
                code: code.clone(),
                completion: Completion::default(),
                services: Completion::default(),
                categories: BTreeMap::new(),
                counties: BTreeMap::new(),
                rankable: false,
                rank: None,
            });
            standing.count_into(&mut summary.completion);
            standing.count_into(summary.categories.entry(school.category).or_default());
            standing.count_into(summary.counties.entry(school.county.clone().unwrap_or_default()).or_default());
        }
    }
    for (school, standing) in services {
        let Some(school) = roster.schools.get(*school) else { continue };
        for code in lineage(&parents, &school.region) {
            // Every school was counted above, so every region of one is there.
            if let Some(summary) = summaries.get_mut(code) {
                standing.count_into(&mut summary.services);
            }
        }
    }
    let mut ordered: Vec<RegionSummary> =
        roster.regions.iter().filter_map(|region| summaries.remove(&region.code)).collect();
    ordered.extend(summaries.into_values());
    rank(roster, policy, &mut ordered);
    ordered
}

/// The region above each region.
pub(super) type Parents<'a> = BTreeMap<&'a RegionCode, Option<&'a RegionCode>>;

/// The regions above, as the lists give them.
pub(super) fn parents(roster: &Roster) -> Parents<'_> {
    roster.regions.iter().map(|region| (&region.code, region.parent.as_ref())).collect()
}

/// A region and everything above it. A list whose parents run in a circle is walked once round.
pub(super) fn lineage<'a>(parents: &Parents<'a>, start: &'a RegionCode) -> Vec<&'a RegionCode> {
    let mut line = Vec::new();
    let mut seen = BTreeSet::new();
    let mut next = Some(start);
    while let Some(code) = next.filter(|code| seen.insert(*code)) {
        line.push(code);
        next = parents.get(code).copied().flatten();
    }
    line
}

/// Gives places by rate: cities among cities, counties among the counties of their city; a province has no rivals.
fn rank(roster: &Roster, policy: &Policy, summaries: &mut [RegionSummary]) {
    for summary in summaries.iter_mut() {
        summary.rankable = summary.completion.coverage().is_some_and(|coverage| coverage >= policy.minimum_coverage)
            && summary.completion.judged() > 0;
    }
    for mut members in rivals(roster, summaries) {
        members.sort_by(|&left, &right| by_rate(&summaries[left].completion, &summaries[right].completion));
        let mut place = 0;
        for (position, &index) in members.iter().enumerate() {
            let tied = position > 0
                && by_rate(&summaries[members[position - 1]].completion, &summaries[index].completion).is_eq();
            if !tied {
                place = position + 1;
            }
            summaries[index].rank = u32::try_from(place).ok();
        }
    }
}

/// The regions that are ranked among each other, by their positions in `summaries`.
pub(super) fn rivals(roster: &Roster, summaries: &[RegionSummary]) -> Vec<Vec<usize>> {
    let mut groups: BTreeMap<Option<&RegionCode>, Vec<usize>> = BTreeMap::new();
    for (index, summary) in summaries.iter().enumerate() {
        let region = roster.regions.iter().find(|region| region.code == summary.code);
        let group = match region.map(|region| region.level) {
            Some(RegionLevel::Province) => continue,
            Some(RegionLevel::County) => region.and_then(|region| region.parent.as_ref()),
            Some(RegionLevel::City) | None => None,
        };
        if summary.rankable {
            groups.entry(group).or_default().push(index);
        }
    }
    groups.into_values().collect()
}

/// Best rate first. Compared as fractions, since 1/3 and 2/6 must share a place whatever floating point makes of them.
pub(super) fn by_rate(left: &Completion, right: &Completion) -> Ordering {
    let cross = |of: &Completion, over: &Completion| u128::from(of.ready()) * u128::from(over.judged());
    cross(right, left).cmp(&cross(left, right))
}

#[cfg(test)]
#[path = "summarise_tests.rs"]
mod tests;
