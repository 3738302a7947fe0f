//! What changed since the run before, and the runs over time. Decided by [`crate::judge::compare`]; here it only takes its
//! published shape.

use std::collections::BTreeMap;

use crate::judge::compare::{Change, Delta, Trend, TrendPoint};
use crate::model::school::RegionCode;
use crate::model::summary::Completion;
use crate::model::verdict::CountsAs;

use super::super::ReportInput;
use super::super::format::rfc3339;
use super::super::model::{After, Changes, HistoryInfo, LeftOutInfo, Moved, Named, RunRef, SchoolRow, TrendInfo};
use super::super::rows::{Outline, Schools};
use super::region_name;

/// The counts and lists of changes.
pub(super) fn changes(input: &ReportInput, delta: Option<&Delta>, schools: &Schools) -> Changes {
    let Some(delta) = delta else { return Changes { first_run: true, ..Changes::default() } };
    let rows = schools.rows();
    let counted = || rows.outlines().filter(|row| row.counted);
    let count = |change| counted().filter(|row| row.changed() == Some(change)).count() as u64;
    let roster = input.roster;
    let named = |row: &SchoolRow| Named {
        name: row.name.to_owned(),
        region: row.region.clone(),
        region_name: row.region_name.to_owned(),
        domain: row.domain.cloned(),
    };
    let of = |school: usize| delta.schools.get(school);
    Changes {
        first_run: false,
        since: input.past.compared_with().map(|run| run.id.0.clone()),
        gained: count(Change::Gained),
        lost: count(Change::Lost),
        unconfirmed: count(Change::Unconfirmed),
        flapping: counted().filter(|row| row.flaps()).count() as u64,
        as_before: as_before(&rows.outlines()),
        added: delta.schools.iter().filter(|school| school.added).count() as u64,
        moved: rows
            .those(|row| row.counted && of(row.school).is_some_and(|school| school.moved_from.is_some()))
            .filter_map(|row| {
                let from = of(row.school)?.moved_from.clone()?;
                Some(Moved { school: named(&row), from_name: region_name(roster, &from), from })
            })
            .collect(),
        closed: rows
            .those(|row| row.counted && of(row.school).is_some_and(|school| school.closed))
            .map(|row| named(&row))
            .collect(),
        removed: delta
            .removed
            .iter()
            .map(|gone| Named {
                name: gone.name.clone(),
                region: gone.region.clone(),
                region_name: region_name(roster, &gone.region),
                domain: gone.site.clone(),
            })
            .collect(),
    }
}

/// Completion if every school with an open verdict were as before. None: there is no such school.
pub(in crate::report) fn as_before<'a>(rows: &(impl Iterator<Item = &'a Outline> + Clone)) -> Option<After> {
    let counted = || rows.clone().filter(|row| row.counted);
    counted().find(|row| row.unconfirmed())?;
    let side = |row: &Outline| match row.settled().filter(|_| row.unconfirmed()) {
        Some(settled) => settled.counts_as(),
        None => row.standing.counts_as(),
    };
    let count = |wanted: &[CountsAs]| counted().filter(|row| wanted.contains(&side(row))).count() as u64;
    let (ready, judged) = (count(&[CountsAs::Pass]), count(&[CountsAs::Pass, CountsAs::Fail]));
    Some(After { ready, judged, rate: (judged > 0).then(|| ready as f64 / judged as f64) })
}

/// The runs over time, for the province and for each region.
pub(super) fn history(input: &ReportInput) -> (HistoryInfo, BTreeMap<RegionCode, Vec<TrendInfo>>) {
    let Trend { runs, total, regions } = input.past.trend(input.roster);
    let run_ref = |id: &crate::model::run::RunId, at| RunRef { id: id.0.clone(), started: rfc3339(at) };
    let info = HistoryInfo {
        runs: runs.iter().map(|run| &input.past.runs()[*run]).map(|run| run_ref(&run.id, run.started)).collect(),
        total: total.iter().map(point).collect(),
        left_out: input
            .past
            .left_out
            .iter()
            .map(|out| LeftOutInfo { run: run_ref(&out.id, out.started), why: out.why.clone() })
            .collect(),
    };
    (info, regions.into_iter().map(|(code, points)| (code, points.iter().map(point).collect())).collect())
}

fn point(point: &TrendPoint) -> TrendInfo {
    TrendInfo {
        listed: point.listed.as_ref().filter(|of: &&Completion| of.listed > 0).map(Into::into),
        same: (&point.same).into(),
    }
}
