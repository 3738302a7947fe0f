//! The numbers of the runs of the window, one beside the other.

use std::collections::BTreeMap;

use crate::model::school::{RegionCode, Roster};
use crate::model::summary::Completion;

use super::super::summarise::{lineage, parents};
use super::WINDOW;
use super::past::Past;

/// One run in a trend.
#[derive(Clone, Debug, PartialEq)]
pub struct TrendPoint {
    /// Over the list of that time. None: the region was not on it.
    pub listed: Option<Completion>,
    /// Over the schools that are on the lists of all runs of the trend.
    pub same: Completion,
}

/// Numbers over the runs of the window.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trend {
    /// The runs, as positions in [`Past::runs`].
    pub runs: Vec<usize>,
    /// The whole province, for each of the runs.
    pub total: Vec<TrendPoint>,
    /// Each region of the present list, for each of the runs. The same schools are counted in the region of today.
    pub regions: BTreeMap<RegionCode, Vec<TrendPoint>>,
}

impl Past {
    /// The numbers of the last [`WINDOW`] runs: over the lists of their times, and over the schools that all of them have.
    pub fn trend(&self, roster: &Roster) -> Trend {
        let runs: Vec<usize> = (self.runs.len().saturating_sub(WINDOW)..self.runs.len()).collect();
        let parents = parents(roster);
        let mut total = vec![Completion::default(); runs.len()];
        let mut regions: BTreeMap<RegionCode, Vec<Completion>> = BTreeMap::new();
        for (school, id) in roster.schools.iter().zip(&self.schools) {
            let track = &self.tracks[*id];
            let recent = &track.seen[track.seen.len().saturating_sub(runs.len())..];
            if recent.len() < runs.len() || recent.first().map(|seen| seen.run) != runs.first().copied() {
                continue;
            }
            let lineage = lineage(&parents, &school.region);
            for (at, seen) in recent.iter().enumerate() {
                seen.standing.count_into(&mut total[at]);
                for code in &lineage {
                    let sums =
                        regions.entry((*code).clone()).or_insert_with(|| vec![Completion::default(); runs.len()]);
                    seen.standing.count_into(&mut sums[at]);
                }
            }
        }
        let point = |listed: Option<&Completion>, same: Completion| TrendPoint { listed: listed.cloned(), same };
        let of_region = |code: &RegionCode| {
            let mut same = regions.get(code).cloned().unwrap_or_else(|| vec![Completion::default(); runs.len()]);
            let points = runs.iter().zip(same.drain(..));
            let listed = |run: &usize| self.runs[*run].regions.get(code).map(|region| &region.completion);
            points.map(|(run, same)| point(listed(run), same)).collect()
        };
        let present = self.runs.last().map_or_else(Vec::new, |run| run.regions.keys().cloned().collect());
        Trend {
            total: runs.iter().zip(total).map(|(run, same)| point(Some(&self.runs[*run].total), same)).collect(),
            regions: present.into_iter().map(|code| (code.clone(), of_region(&code))).collect(),
            runs,
        }
    }
}
