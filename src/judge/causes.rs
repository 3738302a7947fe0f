//! Root causes (docs/method/causes.md): verdicts with their findings fold into the things that would have to be mended.
//!
//! Pure. What a site needs is read from its own verdict ([`needs`]); here it is counted over the lists. Leaves to others:
//! verdicts, the wording of a cause, how many of them are shown.

mod needs;

use std::collections::{BTreeMap, BTreeSet};

use super::summarise::{Standing, counted_rows, lineage, parents, row_standing};
use crate::model::cause::{Cause, CauseKey, Causes, Effect, Share};
use crate::model::owner::Aliases;
use crate::model::school::{Roster, School};
use crate::model::site::SiteKey;
use crate::model::summary::Policy;
use crate::model::verdict::{Assessment, CountsAs, Readiness};
use crate::model::word::Word;

pub use needs::{Need, needs};

/// Folds all rows of the lists into causes. `aliases`: who owns several registrable domains.
pub fn causes(
    roster: &Roster,
    policy: &Policy,
    assessments: &BTreeMap<SiteKey, Assessment>,
    aliases: &Aliases,
) -> Causes {
    let mut fold = Fold::new(roster, policy, assessments);
    for index in 0..roster.rows.len() {
        fold.row(index);
    }
    fold.finish(aliases)
}

/// What one site's verdict says of mending it, and which effect that has. None: there is nothing to be mended.
fn effect(readiness: Readiness) -> Option<Effect> {
    match (readiness, readiness.counts_as()) {
        (_, CountsAs::Fail) => Some(Effect::Fails),
        (Readiness::ReadyDefect, _) => Some(Effect::Defect),
        _ => None,
    }
}

struct Fold<'a> {
    roster: &'a Roster,
    policy: &'a Policy,
    assessments: &'a BTreeMap<SiteKey, Assessment>,
    counted: Vec<Option<usize>>,
    parents: super::summarise::Parents<'a>,
    causes: BTreeMap<(Effect, CauseKey), Cause>,
    /// Units of the schools of the rows so far, of causes that no school has counted by yet.
    units: BTreeMap<(Effect, CauseKey), BTreeSet<Word>>,
}

impl<'a> Fold<'a> {
    fn new(roster: &'a Roster, policy: &'a Policy, assessments: &'a BTreeMap<SiteKey, Assessment>) -> Self {
        let (counted, parents) = (counted_rows(roster), parents(roster));
        Self { roster, policy, assessments, counted, parents, causes: BTreeMap::new(), units: BTreeMap::new() }
    }

    /// What a site needs, and what the page needs that it leads to: a name that gets its AAAA is not ready as long as it
    /// leads to another listed site that fails. Read off for each row: for all sites of a province at once it would be kilobytes each.
    fn needs(&self, key: &SiteKey) -> Vec<Need> {
        let Some(assessment) = self.assessments.get(key) else { return Vec::new() };
        let mut all = needs(assessment);
        let target = assessment.facts.lands_on.as_ref().filter(|_| assessment.readiness == Readiness::Absent);
        let listed = target.map(|host| SiteKey::from(host.as_str())).filter(|target| target != key);
        let landing = listed.and_then(|target| self.assessments.get(&target));
        if let Some(landing) = landing.filter(|of| effect(of.readiness) == Some(Effect::Fails)) {
            all.extend(needs(landing));
        }
        all.sort_by(|left, right| left.key.cmp(&right.key));
        all.dedup_by(|left, right| left.key == right.key);
        all
    }

    fn row(&mut self, index: usize) {
        let row = &self.roster.rows[index];
        let Standing::Verdict(readiness) = row_standing(self.roster, index, self.assessments) else { return };
        let (Some(effect), Some(site)) = (effect(readiness), &row.site) else { return };
        let (needs, school) = (self.needs(site), self.roster.schools.get(row.school));
        let counts = self.counted.get(row.school) == Some(&Some(index));
        let alone = needs.len() == 1;
        for need in needs {
            let cause = self.causes.entry((effect, need.key.clone())).or_insert_with(|| blank(effect, &need));
            cause.sites.insert(site.clone());
            cause.rows += 1;
            if let (true, Some(school)) = (counts, school) {
                let share = Share { helped: u64::from(alone), touched: 1 };
                add(cause, school, share, &self.parents, self.policy);
                self.units.remove(&(effect, need.key));
            } else if cause.touched == 0 {
                let unit = school.and_then(|school| school.responsible_unit.clone());
                self.units.entry((effect, need.key)).or_default().extend(unit);
            }
        }
    }

    fn finish(mut self, aliases: &Aliases) -> Causes {
        let mut causes = Causes::default();
        let mut all = Vec::new();
        for (key, mut cause) in self.causes {
            cause.outside = outside(&cause, aliases);
            cause.units.extend(self.units.remove(&key).unwrap_or_default());
            all.push(cause);
        }
        all.sort_by(|left, right| rank(left).cmp(&rank(right)).then_with(|| left.key.cmp(&right.key)));
        for cause in all {
            match cause.effect {
                Effect::Fails => causes.failures.push(cause),
                Effect::Defect => causes.defects.push(cause),
            }
        }
        causes
    }
}

fn blank(effect: Effect, need: &Need) -> Cause {
    Cause {
        key: need.key.clone(),
        effect,
        args: need.args.clone(),
        outside: None,
        sites: BTreeSet::new(),
        rows: 0,
        helped: 0,
        touched: 0,
        units: BTreeSet::new(),
        regions: BTreeMap::new(),
        tasks: BTreeMap::new(),
    }
}

/// Counts one school that a cause touches.
fn add(cause: &mut Cause, school: &School, share: Share, parents: &super::summarise::Parents<'_>, policy: &Policy) {
    let into = |sum: &mut Share| {
        sum.helped += share.helped;
        sum.touched += share.touched;
    };
    cause.helped += share.helped;
    cause.touched += share.touched;
    cause.units.extend(school.responsible_unit.clone());
    for code in lineage(parents, &school.region) {
        into(cause.regions.entry(code.clone()).or_default());
    }
    for task in policy.tasks.iter().filter(|task| task.categories.contains(&school.category)) {
        into(cause.tasks.entry(task.id.clone()).or_default());
    }
}

/// Most helped first, then most touched, then most rows.
fn rank(cause: &Cause) -> impl Ord + use<> {
    std::cmp::Reverse((cause.helped, cause.touched, cause.rows))
}

/// Whether the host of a cause belongs to somebody else than all of its sites.
fn outside(cause: &Cause, aliases: &Aliases) -> Option<bool> {
    let host = cause.args.get("host")?;
    Some(!cause.sites.iter().any(|site| aliases.same_owner(site.host(), host)))
}

#[cfg(test)]
#[path = "causes/tests.rs"]
mod tests;
