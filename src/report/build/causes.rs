//! Causes as they are published: each with the completion that mending it would bring.

use super::super::ReportInput;
use super::super::model::{After, AfterIn, CauseInfo};
use crate::model::cause::{Cause, Effect, Share};
use crate::model::finding::Finding;
use crate::model::summary::Completion;

/// The causes of one list, in its order.
pub(super) fn infos(input: &ReportInput, causes: &[Cause]) -> Vec<CauseInfo> {
    causes.iter().map(|cause| info(input, cause)).collect()
}

fn info(input: &ReportInput, cause: &Cause) -> CauseInfo {
    let summary = input.summary;
    let regions = summary.regions.iter().filter_map(|region| {
        let share = cause.regions.get(&region.code)?;
        Some(after_in(&region.code.0, *share, cause.effect, &region.completion))
    });
    let tasks = summary.tasks.iter().filter_map(|progress| {
        let share = cause.tasks.get(&progress.task.id)?;
        Some(after_in(&progress.task.id, *share, cause.effect, &progress.completion))
    });
    CauseInfo {
        code: cause.key.code.name(),
        subject: cause.key.subject.clone(),
        args: cause.args.clone(),
        outside: cause.outside,
        rows: cause.rows,
        helped: cause.helped,
        touched: cause.touched,
        after: after(cause.helped, cause.effect, &summary.total),
        regions: regions.collect(),
        tasks: tasks.collect(),
        units: cause.units.iter().map(String::from).collect(),
        sites: cause.sites.iter().cloned().collect(),
        finding: Finding { code: cause.key.code, args: cause.args.clone(), evidence: Vec::new() },
    }
}

fn after_in(key: &str, share: Share, effect: Effect, completion: &Completion) -> AfterIn {
    AfterIn {
        key: key.to_owned(),
        helped: share.helped,
        touched: share.touched,
        after: after(share.helped, effect, completion),
    }
}

/// A school with a defect passes already.
fn after(helped: u64, effect: Effect, completion: &Completion) -> After {
    let judged = completion.judged();
    let ready = match effect {
        Effect::Fails => completion.ready() + helped,
        Effect::Defect => completion.ready(),
    };
    After { ready, judged, rate: (judged > 0).then(|| ready as f64 / judged as f64) }
}
