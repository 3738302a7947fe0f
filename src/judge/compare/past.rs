//! Runs in order, and each school's way through them: which school of one list is which of the next, where it stood, what
//! the regions' numbers were.
//!
//! Runs are added one after another and only what a comparison needs is kept, so that a year of runs of a province fits
//! into little memory.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::model::run::RunId;
use crate::model::school::{RegionCode, Roster, RosterState, School};
use crate::model::site::SiteKey;
use crate::model::summary::{Completion, Policy, Summary};
use crate::model::time::Timestamp;

use super::super::summarise::{VerdictOf, counted_rows, standing_by, standings_by, summarise_by};
use super::ranks;
use super::{Change, Difference, Flapping, State};
use crate::judge::summarise::Standing;

/// What makes a school of one list the same as one of another list, strongest first. A key that occurs twice in a list
/// names nobody in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Key {
    /// 学校标识码.
    Code(String),
    /// Name, region, county.
    Name(String, RegionCode, Option<RegionCode>),
    /// The portal, where no other school has it: a school that moved, or was renamed.
    Portal(SiteKey),
    /// A site beside the portal. It is followed for itself.
    Service(SiteKey),
}

/// One run as the past keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct PastRun {
    /// Its identifier.
    pub id: RunId,
    /// When it began.
    pub started: Timestamp,
    /// The whole province, over the list of that time.
    pub total: Completion,
    /// Each region, over the list of that time.
    pub regions: BTreeMap<RegionCode, PastRegion>,
}

/// A region in a run.
#[derive(Clone, Debug, PartialEq)]
pub struct PastRegion {
    /// Everything in it, at every level below.
    pub completion: Completion,
    /// Its place. None: not ranked.
    pub rank: Option<u32>,
}

/// An earlier run of the vantage that is no measure of this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Its identifier.
    pub id: RunId,
    /// When it began.
    pub started: Timestamp,
    /// What stands between. Never empty.
    pub why: Vec<Difference>,
}

/// A school's way through the runs.
#[derive(Clone, Debug, Default)]
pub(super) struct Track {
    code: Option<String>,
    name: String,
    site: Option<SiteKey>,
    pub(super) seen: Vec<Seen>,
}

/// A school in a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// Position of the run.
    pub(super) run: usize,
    pub(super) standing: Standing,
    /// Position in the table of regions.
    region: usize,
}

impl Track {
    fn at(&self, run: usize) -> Option<&Seen> {
        self.seen.iter().find(|seen| seen.run == run)
    }

    /// What is known after the runs up to this one.
    fn state(&self, run: usize) -> State {
        self.seen
            .iter()
            .take_while(|seen| seen.run <= run)
            .fold(State::default(), |state, seen| state.step(seen.standing))
    }

    fn flapping(&self, run: usize) -> Option<Flapping> {
        let standings: Vec<Standing> =
            self.seen.iter().take_while(|seen| seen.run <= run).map(|seen| seen.standing).collect();
        Flapping::of(&standings)
    }
}

/// Runs that may be compared, earliest first, and the schools' ways through them.
#[derive(Clone, Debug, Default)]
pub struct Past {
    pub(super) runs: Vec<PastRun>,
    /// Earlier runs of the vantage that are no measure of these, earliest first.
    pub left_out: Vec<LeftOut>,
    /// The run that the last one is compared with. None: the one right before it.
    pub since: Option<RunId>,
    pub(super) tracks: Vec<Track>,
    /// None: the key fits several.
    index: HashMap<Key, Option<usize>>,
    regions: Vec<RegionCode>,
    region_index: HashMap<RegionCode, usize>,
    /// For the run that was added last: the track of each school, in roster order.
    pub(super) schools: Vec<usize>,
    /// For the run that was added last: the track of each site beside the portals.
    services: BTreeMap<SiteKey, usize>,
}

/// How a school, or a site beside the portals, came from one run to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchoolDelta {
    /// What was known up to the earlier run.
    pub before: State,
    /// What is known now.
    pub after: State,
    /// The change. None: there is no verdict now.
    pub change: Option<Change>,
    /// It goes to and fro.
    pub flapping: Option<Flapping>,
    /// It was not on the earlier run's list.
    pub added: bool,
    /// The region it was in on the earlier run's list, if it was another one.
    pub moved_from: Option<RegionCode>,
    /// The list calls it closed, and did not before.
    pub closed: bool,
}

/// A school that is not on the list any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gone {
    /// Its name on the earlier list.
    pub name: String,
    /// The region it was in.
    pub region: RegionCode,
    /// Its site. None: it had none.
    pub site: Option<SiteKey>,
    /// Where it stood.
    pub standing: Standing,
}

/// What changed from an earlier run to the one that was added last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delta {
    /// For each school of the later list, in its order.
    pub schools: Vec<SchoolDelta>,
    /// For each site beside the portals.
    pub services: BTreeMap<SiteKey, SchoolDelta>,
    /// Schools of the earlier list that are not on the later one.
    pub removed: Vec<Gone>,
}

impl Past {
    /// Adds the next run, with its lists, its policy and its verdicts. Earlier runs have to be added earlier.
    pub fn add(&mut self, id: RunId, started: Timestamp, roster: &Roster, policy: &Policy, verdict: &VerdictOf) {
        let run = self.runs.len();
        let mut summary = summarise_by(roster, policy, verdict);
        let counted = counted_rows(roster);
        self.schools = self.identify(roster, &counted);
        let standings = standings_by(roster, verdict);
        for (index, (school, standing)) in roster.schools.iter().zip(&standings).enumerate() {
            let region = self.region(&school.region);
            let track = &mut self.tracks[self.schools[index]];
            track.name.clone_from(&school.name);
            track.code.clone_from(&school.code);
            track.site = counted[index].and_then(|row| roster.rows[row].site.clone());
            track.see(run, *standing, region);
        }
        self.add_services(run, roster, &counted, verdict);
        let before: BTreeMap<RegionCode, u32> = self.runs.last().map(PastRun::places).unwrap_or_default();
        ranks::keep(roster, &mut summary.regions, &before);
        self.runs.push(PastRun::new(id, started, summary));
    }

    /// The runs, earliest first.
    pub fn runs(&self) -> &[PastRun] {
        &self.runs
    }

    /// The run that the last one is compared with. None: there is none.
    pub fn compared_with(&self) -> Option<&PastRun> {
        let earlier = &self.runs[..self.runs.len().saturating_sub(1)];
        match &self.since {
            Some(since) => earlier.iter().find(|run| run.id == *since),
            None => earlier.last(),
        }
    }

    fn add_services(&mut self, run: usize, roster: &Roster, counted: &[Option<usize>], verdict: &VerdictOf) {
        self.services.clear();
        for (index, row) in roster.rows.iter().enumerate() {
            let (Some(site), Some(school)) = (&row.site, roster.schools.get(row.school)) else { continue };
            if counted.get(row.school) == Some(&Some(index)) || self.services.contains_key(site) {
                continue;
            }
            let region = self.region(&school.region);
            let id = self.index.get(&Key::Service(site.clone())).copied().flatten().unwrap_or_else(|| {
                self.tracks.push(Track { site: Some(site.clone()), ..Track::default() });
                self.tracks.len() - 1
            });
            self.index.insert(Key::Service(site.clone()), Some(id));
            self.tracks[id].see(run, standing_by(roster, index, verdict), region);
            self.services.insert(site.clone(), id);
        }
    }

    fn region(&mut self, code: &RegionCode) -> usize {
        if let Some(index) = self.region_index.get(code) {
            return *index;
        }
        self.regions.push(code.clone());
        self.region_index.insert(code.clone(), self.regions.len() - 1);
        self.regions.len() - 1
    }

    /// The track of each school: one there is, found by the strongest key that fits, or a new one.
    fn identify(&mut self, roster: &Roster, counted: &[Option<usize>]) -> Vec<usize> {
        let keys: Vec<[Option<Key>; 3]> = roster
            .schools
            .iter()
            .zip(counted)
            .map(|(school, row)| keys(school, row.and_then(|row| roster.rows[row].site.as_ref())))
            .collect();
        let mut uses: HashMap<&Key, usize> = HashMap::new();
        for key in keys.iter().flatten().flatten() {
            *uses.entry(key).or_default() += 1;
        }
        let unique = |key: &&Key| uses.get(*key) == Some(&1);
        let mut found: Vec<Option<usize>> = vec![None; roster.schools.len()];
        let mut taken: BTreeSet<usize> = BTreeSet::new();
        // All schools by one kind of key before any by the next: a weaker key must not take what a stronger one fits.
        let by_strength = [0, 1, 2].into_iter().flat_map(|strength| {
            keys.iter().enumerate().filter_map(move |(index, keys)| Some((index, keys[strength].as_ref()?)))
        });
        for (index, key) in by_strength.filter(|(_, key)| unique(key)) {
            let Some(id) = self.index.get(key).copied().flatten() else { continue };
            // Two different codes are two schools, whatever they are called.
            let code = roster.schools[index].code.as_ref();
            let other = self.tracks[id].code.as_ref().is_some_and(|was| code.is_some_and(|is| is != was));
            if found[index].is_none() && !other && taken.insert(id) {
                found[index] = Some(id);
            }
        }
        let ids: Vec<usize> = found
            .into_iter()
            .map(|id| {
                id.unwrap_or_else(|| {
                    self.tracks.push(Track::default());
                    self.tracks.len() - 1
                })
            })
            .collect();
        for (id, keys) in ids.iter().zip(&keys) {
            for key in keys.iter().flatten() {
                let whose = unique(&key).then_some(*id);
                self.index.insert(key.clone(), whose);
            }
        }
        ids
    }

    /// What changed from the run that the last one is compared with. None: there is none.
    pub fn delta(&self) -> Option<Delta> {
        let from = &self.compared_with()?.id;
        let last = self.runs.len() - 1;
        let from = self.runs.iter().position(|run| run.id == *from)?;
        let delta = |id: &usize| self.school_delta(&self.tracks[*id], from, last);
        let gone = self.tracks.iter().filter(|track| !track.name.is_empty() && track.at(last).is_none());
        Some(Delta {
            schools: self.schools.iter().map(delta).collect(),
            services: self.services.iter().map(|(site, id)| (site.clone(), delta(id))).collect(),
            removed: gone
                .filter_map(|track| {
                    let seen = track.at(from)?;
                    Some(Gone {
                        name: track.name.clone(),
                        region: self.regions[seen.region].clone(),
                        site: track.site.clone(),
                        standing: seen.standing,
                    })
                })
                .collect(),
        })
    }

    fn school_delta(&self, track: &Track, from: usize, last: usize) -> SchoolDelta {
        let (before, after) = (track.state(from), track.state(last));
        let flapping = track.flapping(last);
        let mut change = Change::between(&before, &after);
        if flapping.is_some() && !matches!(change, None | Some(Change::Same)) {
            change = Some(Change::Flapping);
        }
        let (earlier, now) = (track.at(from), track.at(last));
        let closed =
            |seen: Option<&Seen>| seen.map(|seen| seen.standing) == Some(Standing::Roster(RosterState::Closed));
        SchoolDelta {
            before,
            after,
            change,
            flapping,
            added: earlier.is_none(),
            moved_from: earlier
                .filter(|earlier| now.is_some_and(|now| now.region != earlier.region))
                .map(|earlier| self.regions[earlier.region].clone()),
            closed: closed(now) && !closed(earlier),
        }
    }
}

impl Track {
    fn see(&mut self, run: usize, standing: Standing, region: usize) {
        self.seen.push(Seen { run, standing, region });
    }
}

impl PastRun {
    fn new(id: RunId, started: Timestamp, summary: Summary) -> Self {
        let region = |of: crate::model::summary::RegionSummary| {
            (of.code, PastRegion { completion: of.completion, rank: of.rank })
        };
        Self { id, started, total: summary.total, regions: summary.regions.into_iter().map(region).collect() }
    }

    /// The place of each region that has one.
    pub fn places(&self) -> BTreeMap<RegionCode, u32> {
        self.regions.iter().filter_map(|(code, region)| Some((code.clone(), region.rank?))).collect()
    }
}

fn keys(school: &School, site: Option<&SiteKey>) -> [Option<Key>; 3] {
    [
        school.code.clone().map(Key::Code),
        Some(Key::Name(school.name.trim().to_owned(), school.region.clone(), school.county.clone())),
        site.cloned().map(Key::Portal),
    ]
}
