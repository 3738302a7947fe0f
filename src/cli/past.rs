//! Earlier runs out of the store, in the order in which they are compared. What may be compared, and what came of it, is
//! decided in [`crate::judge::compare`].

use super::error::CliError;
use super::finish::Judged;
use crate::judge::compare::{Difference, LeftOut, Past, WINDOW, differences};
use crate::model::METHOD_VERSION;
use crate::model::run::{Run, RunEnd};
use crate::model::summary::Summary;
use crate::store::{KeptVerdicts, Store};

/// The runs that this one is compared with, and this one as the last of them.
pub(super) async fn of_run(store: &Store, judged: &Judged) -> Result<Past, CliError> {
    line_to(store, judged, None).await
}

/// From one run to another, with those between where all of them may be compared. Where something stands between the two,
/// they are looked at alone. Returns what stands between as well.
pub(super) async fn between_runs(
    store: &Store,
    from: &Judged,
    to: &Judged,
) -> Result<(Past, Vec<Difference>), CliError> {
    let mut why = differences(&from.run, &to.run);
    if to.run.end != RunEnd::Complete && !why.contains(&Difference::Incomplete) {
        why.push(Difference::Incomplete);
    }
    let mut past = if why.is_empty() { line_to(store, to, Some(from)).await? } else { Past::default() };
    if !why.is_empty() {
        add(&mut past, from);
        add(&mut past, to);
    }
    past.since = Some(from.run.id.clone());
    Ok((past, why))
}

/// The line of comparable runs that ends with this one: [`WINDOW`] runs, or back to `from`, whose verdicts are taken from
/// there instead of from the store.
async fn line_to(store: &Store, judged: &Judged, from: Option<&Judged>) -> Result<Past, CliError> {
    let mut past = Past::default();
    let mut line = Vec::new();
    for run in store.earlier_runs(&judged.run.id).await? {
        if from.is_none() && line.len() + 1 == WINDOW {
            break;
        }
        let given = from.is_some_and(|from| from.run.id == run.id);
        let why = if given { Vec::new() } else { between(&run, &judged.run, &store.verdicts(&run.id).await?) };
        if why.is_empty() {
            line.push(run.id);
        } else {
            past.left_out.insert(0, LeftOut { id: run.id, started: run.started, why });
        }
        if given && line.len() + 1 >= WINDOW {
            break;
        }
    }
    // One after another, so that only one run's lists and verdicts are held at a time.
    for id in line.into_iter().rev() {
        if let Some(from) = from.filter(|from| from.run.id == id) {
            add(&mut past, from);
            continue;
        }
        let stored = store.load_run(&id).await?;
        let kept = store.verdicts(&id).await?;
        past.add(id, stored.run.started, &stored.roster, &stored.policy, &|site| kept.sites.get(site).copied());
    }
    add(&mut past, judged);
    Ok(past)
}

/// Adds a run that was judged just now.
fn add(past: &mut Past, judged: &Judged) {
    let verdict = |site: &_| judged.assessments.get(site).map(|assessment| assessment.readiness);
    past.add(judged.run.id.clone(), judged.run.started, &judged.roster, &judged.policy, &verdict);
}

/// What stands between an earlier run, as it was judged when its verdicts were kept, and this one.
fn between(earlier: &Run, later: &Run, kept: &KeptVerdicts) -> Vec<Difference> {
    let mut why = differences(earlier, later);
    match kept.method_version.as_deref() {
        None => why.push(Difference::NotJudged),
        Some(METHOD_VERSION) => {}
        Some(_) if why.contains(&Difference::Method) => {}
        Some(_) => why.push(Difference::Method),
    }
    why.sort_unstable();
    why
}

/// Gives the regions the places that the runs before leave them.
pub(super) fn give_places(summary: &mut Summary, past: &Past) {
    let Some(places) = past.runs().last().map(crate::judge::compare::PastRun::places) else { return };
    for region in &mut summary.regions {
        region.rank = places.get(&region.code).copied();
    }
}
