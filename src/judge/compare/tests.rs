//! What counts at once and what has to be seen twice; who is who on two lists; trends over the same schools; places.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::model::run::RunId;
use crate::model::school::{
    Category, Region, RegionCode, RegionLevel, Role, Roster, RosterState, Row, School, SourceLine,
};
use crate::model::site::SiteKey;
use crate::model::summary::Policy;
use crate::model::time::Timestamp;

const PASS: Readiness = Readiness::Ready;
const FAIL: Readiness = Readiness::Absent;
const DOWN: Readiness = Readiness::Down;
const UNKNOWN: Readiness = Readiness::Inconclusive;

fn after(verdicts: &[Readiness]) -> State {
    verdicts.iter().fold(State::default(), |state, verdict| state.step(Standing::Verdict(*verdict)))
}

/// The change in each run of a sequence.
fn changes(verdicts: &[Readiness]) -> Vec<Change> {
    (0..verdicts.len())
        .map(|run| Change::between(&after(&verdicts[..run]), &after(&verdicts[..=run])).unwrap())
        .collect()
}

#[test]
fn a_success_counts_at_once_and_a_setback_when_seen_twice() {
    use Change::{Gained, Lost, New, Other, Same, Unconfirmed};
    for (verdicts, expected) in [
        (&[PASS, FAIL, FAIL][..], &[New, Unconfirmed, Lost][..]),
        (&[PASS, FAIL, PASS], &[New, Unconfirmed, Same]),
        (&[PASS, DOWN, FAIL, FAIL], &[New, Unconfirmed, Lost, Same]),
        (&[PASS, FAIL, UNKNOWN, FAIL], &[New, Unconfirmed, Unconfirmed, Lost]),
        (&[PASS, UNKNOWN, UNKNOWN, PASS], &[New, Unconfirmed, Same, Same]),
        (&[FAIL, PASS, PASS], &[New, Gained, Same]),
        (&[FAIL, UNKNOWN, PASS], &[New, Unconfirmed, Gained]),
        (&[FAIL, DOWN, FAIL], &[New, Unconfirmed, Same]),
        (&[FAIL, DOWN, Readiness::NoName], &[New, Unconfirmed, Other]),
        (&[DOWN, FAIL, FAIL, PASS], &[New, Unconfirmed, Other, Gained]),
        (&[UNKNOWN, UNKNOWN, FAIL], &[New, Same, Other]),
        (&[PASS, Readiness::ReadyDefect, PASS], &[New, Other, Other]),
        (&[Readiness::Broken, FAIL], &[New, Other]),
    ] {
        assert_eq!(changes(verdicts), expected, "{verdicts:?}");
    }
}

proptest! {
    /// Looks that could not tell never make a gain or a loss, wherever they are put in.
    #[test]
    fn what_was_not_judged_settles_nothing(verdicts in prop::collection::vec(0_usize..7, 1..12), at in 0_usize..12) {
        let verdicts: Vec<Readiness> = verdicts.into_iter().map(|index| Readiness::ALL[index]).collect();
        let mut with = verdicts.clone();
        with.insert(at.min(verdicts.len()), UNKNOWN);
        let (plain, with) = (after(&verdicts), after(&with));
        prop_assert_eq!((plain.settled, plain.pending), (with.settled, with.pending));
    }

    /// Between two passing runs nobody can lose, and nobody loses in the first run that does not pass.
    #[test]
    fn nobody_loses_by_one_look(verdicts in prop::collection::vec(0_usize..7, 2..16)) {
        let verdicts: Vec<Readiness> = verdicts.into_iter().map(|index| Readiness::ALL[index]).collect();
        for (run, change) in changes(&verdicts).into_iter().enumerate().filter(|(_, change)| *change == Change::Lost) {
            let judged: Vec<Readiness> =
                verdicts[..=run].iter().copied().filter(|verdict| verdict.counts_as() != CountsAs::NotJudged).collect();
            prop_assert!(judged.iter().rev().take(2).filter(|verdict| !passes(**verdict)).count() == 2, "{:?} {}", change, run);
        }
    }
}

proptest! {
    /// Two runs without any real change, in which weather keeps some sites from being judged: no two cities change places, unless
    /// that puts right what the weather of the first run had put wrong.
    #[test]
    fn weather_swaps_no_places(
        schools in prop::collection::vec((0_usize..8, prop::bool::ANY), 8..120),
        weather in prop::collection::vec((prop::bool::weighted(0.1), prop::bool::weighted(0.1)), 120),
    ) {
        let cities = ["A", "B", "C", "D", "E", "F", "G", "H"];
        let sites: Vec<String> = (0..schools.len()).map(|index| format!("{index}.example")).collect();
        let entries: Vec<Entry> =
            sites.iter().zip(&schools).map(|(site, (city, _))| school(site, cities[*city], site)).collect();
        let list = roster(&entries);
        let mut line = Line::default();
        let mut places = Vec::new();
        for later in [false, true] {
            let seen = sites.iter().zip(&schools).zip(&weather).map(|((site, (_, passes)), (first, second))| {
                let spoilt = if later { *second } else { *first };
                (site.as_str(), if spoilt { UNKNOWN } else if *passes { PASS } else { FAIL })
            });
            let seen: Vec<(&str, Readiness)> = seen.collect();
            line.run(&list, &seen);
            places.push(line.past.runs().last().expect("a run").places());
        }
        let share = |city: &RegionCode| {
            let of = || schools.iter().filter(|(index, _)| city.0 == cities[*index]);
            of().filter(|(_, passes)| *passes).count() as f64 / of().count() as f64
        };
        for (one, above) in &places[0] {
            for (other, below) in places[0].iter().filter(|(_, place)| *place > above) {
                let swapped = places[1].get(one) > places[1].get(other) && places[1].contains_key(other);
                prop_assert!(!swapped || share(other) > share(one), "{} {above} and {} {below}: {places:?}", one.0, other.0);
            }
        }
    }
}

fn verdict(of: Readiness) -> Standing {
    Standing::Verdict(of)
}

/// V09: a site that works in every other run.
#[test]
fn a_site_that_flaps_is_reported_once() {
    let standings: Vec<Standing> = (0..21).map(|run| verdict(if run % 2 == 0 { PASS } else { FAIL })).collect();
    let labels: Vec<Option<Flapping>> = (1..=21).map(|runs| Flapping::of(&standings[..runs])).collect();
    assert!(labels[..3].iter().all(Option::is_none), "three changes are needed");
    assert!(labels[3..].iter().all(Option::is_some));
    assert_eq!(labels.iter().flatten().filter(|label| label.newly).count(), 1);
    assert_eq!(labels[20], Some(Flapping { changes: 20, judged: 21, passed: 11, newly: false }));
}

#[test]
fn seldom_changes_and_looks_that_could_not_tell_are_no_flapping() {
    let seldom: Vec<Standing> =
        [PASS, PASS, PASS, PASS, PASS, PASS, PASS, FAIL, FAIL, FAIL, PASS, PASS, PASS, PASS, FAIL, FAIL]
            .map(verdict)
            .to_vec();
    assert_eq!(Flapping::of(&seldom), None, "3 changes in 15 are less than a quarter");
    let unsure: Vec<Standing> = [PASS, UNKNOWN, PASS, UNKNOWN, PASS, UNKNOWN, PASS].map(verdict).to_vec();
    assert_eq!(Flapping::of(&unsure), None);
    // What lies outside of the window is forgotten.
    let calm: Vec<Standing> = seldom.iter().copied().chain(vec![verdict(FAIL); WINDOW]).collect();
    let wild: Vec<Standing> =
        [PASS, FAIL, PASS, FAIL, PASS].map(verdict).into_iter().chain(vec![verdict(PASS); WINDOW]).collect();
    assert_eq!((Flapping::of(&calm), Flapping::of(&wild)), (None, None));
}

struct Entry<'a> {
    name: &'a str,
    code: Option<&'a str>,
    region: &'a str,
    site: Option<&'a str>,
    state: RosterState,
}

fn school<'a>(name: &'a str, region: &'a str, site: &'a str) -> Entry<'a> {
    Entry { name, code: None, region, site: Some(site), state: RosterState::Listed }
}

fn roster(entries: &[Entry]) -> Roster {
    let region = |code: &str, level, parent: Option<&str>| Region {
        code: RegionCode(code.into()),
        name: code.into(),
        name_en: None,
        level,
        parent: parent.map(|code| RegionCode(code.into())),
    };
    let cities: BTreeSet<&str> = entries.iter().map(|entry| entry.region).chain(["A", "B"]).collect();
    let cities = cities.into_iter().map(|city| region(city, RegionLevel::City, Some("P")));
    let regions = std::iter::once(region("P", RegionLevel::Province, None)).chain(cities).collect();
    let mut roster = Roster { regions, ..Roster::default() };
    for (index, entry) in entries.iter().enumerate() {
        roster.schools.push(School {
            name: entry.name.into(),
            code: entry.code.map(str::to_owned),
            region: RegionCode(entry.region.into()),
            county: None,
            category: Category::K12,
            subtype: None,
            responsible_unit: None,
        });
        roster.rows.push(Row {
            school: index,
            source: SourceLine { file: "list.csv".into(), line: index as u64 + 2 },
            state: entry.state,
            role: Role::Portal,
            site: entry.site.map(|site| SiteKey(site.into())),
            changes: Vec::new(),
            problem: None,
        });
    }
    roster
}

/// Runs over lists, each with the verdicts on its sites.
#[derive(Default)]
struct Line {
    past: Past,
    minimum_coverage: f64,
}

impl Line {
    fn run(&mut self, roster: &Roster, verdicts: &[(&str, Readiness)]) {
        let verdicts: BTreeMap<&str, Readiness> = verdicts.iter().copied().collect();
        let policy = Policy { minimum_coverage: self.minimum_coverage, ..Policy::default() };
        let id = RunId(format!("r{}", self.past.runs().len()));
        self.past.add(id, Timestamp(0), roster, &policy, &|site| verdicts.get(site.as_str()).copied());
    }

    fn delta(&self) -> Delta {
        self.past.delta().unwrap()
    }
}

#[test]
fn schools_are_known_again_by_code_then_name_then_portal() {
    let coded = |name, code, region, site| Entry { code: Some(code), ..school(name, region, site) };
    let mut line = Line::default();
    let old = roster(&[
        coded("一中", "1", "A", "one.example"),
        school("二中", "A", "two.example"),
        school("三中", "A", "three.example"),
        coded("四中", "4", "A", "four.example"),
        school("实验学校", "A", "group.example"),
        school("中心学校", "A", "group.example"),
    ]);
    let of_old = ["one", "two", "three", "four", "group"].map(|name| format!("{name}.example"));
    let passing: Vec<(&str, Readiness)> = of_old.iter().map(|site| (site.as_str(), PASS)).collect();
    line.run(&old, &passing);
    let new = roster(&[
        // In another order; a new name and site under the same code, moved to another region.
        school("三中", "A", "new-three.example"),
        coded("第一中学", "1", "B", "new-one.example"),
        // Another name, the same portal: renamed.
        school("第二中学", "A", "two.example"),
        // The same name with another code is another school.
        coded("四中", "44", "A", "four.example"),
        // A portal that several share says nothing about who is who.
        school("新学校", "A", "group.example"),
        school("中心学校", "A", "group.example"),
    ]);
    line.run(
        &new,
        &[("two.example", PASS), ("new-three.example", FAIL), ("four.example", PASS), ("group.example", PASS)],
    );
    let delta = line.delta();
    let added: Vec<bool> = delta.schools.iter().map(|school| school.added).collect();
    assert_eq!(added, [false, false, false, true, true, false]);
    assert_eq!(delta.schools[0].change, Some(Change::Unconfirmed));
    assert_eq!(delta.schools[1].moved_from, Some(RegionCode("A".into())));
    assert_eq!(delta.schools.iter().filter(|school| school.moved_from.is_some()).count(), 1);
    let gone: Vec<&str> = delta.removed.iter().map(|gone| gone.name.as_str()).collect();
    assert_eq!(gone, ["四中", "实验学校"]);
}

#[test]
fn new_lists_do_not_bend_the_trend() {
    let mut line = Line::default();
    let two = [school("一", "A", "1.example"), school("二", "B", "2.example")];
    line.run(&roster(&two), &[("1.example", PASS), ("2.example", FAIL)]);
    // Two failing schools come onto the list, one is moved, nothing else happens.
    let four = [
        school("一", "B", "1.example"),
        school("二", "B", "2.example"),
        school("三", "B", "3.example"),
        Entry { state: RosterState::Closed, ..school("四", "A", "4.example") },
    ];
    line.run(&roster(&four), &[("1.example", PASS), ("2.example", FAIL), ("3.example", FAIL)]);
    let trend = line.past.trend(&roster(&four));
    let listed: Vec<_> =
        trend.total.iter().map(|point| point.listed.as_ref().map(|of| (of.ready(), of.judged()))).collect();
    let same: Vec<_> = trend.total.iter().map(|point| (point.same.ready(), point.same.judged())).collect();
    assert_eq!(listed, [Some((1, 2)), Some((1, 3))]);
    assert_eq!(same, [(1, 2), (1, 2)], "over the same schools nothing has changed");
    let b = &trend.regions[&RegionCode("B".into())];
    let same: Vec<_> = b.iter().map(|point| (point.same.ready(), point.same.judged())).collect();
    assert_eq!(same, [(1, 2), (1, 2)], "counted in the region of today");
    let delta = line.delta();
    assert_eq!(delta.schools.iter().filter(|school| school.added).count(), 2);
    assert_eq!(delta.schools.iter().filter(|school| school.change == Some(Change::Same)).count(), 2);
    let closed: Vec<bool> = delta.schools.iter().map(|school| school.closed).collect();
    assert_eq!(closed, [false, false, false, true]);
}

/// V10: a site that is dead in one run only.
#[test]
fn a_site_that_is_dead_once_is_never_lost() {
    let mut line = Line::default();
    let list = roster(&[school("一", "A", "1.example"), school("二", "A", "2.example")]);
    let mut seen = Vec::new();
    for dead in [false, false, true, false, false] {
        line.run(&list, &[("1.example", if dead { Readiness::Broken } else { PASS }), ("2.example", PASS)]);
        if line.past.runs().len() > 1 {
            seen.push(line.delta().schools[0].change.unwrap());
        }
    }
    assert_eq!(seen, [Change::Same, Change::Unconfirmed, Change::Same, Change::Same]);
}

fn city(line: &Line, code: &str) -> Option<u32> {
    line.past.runs().last()?.regions[&RegionCode(code.into())].rank
}

#[test]
fn places_change_hands_only_for_a_reason() {
    let sites: Vec<String> = (0..20).map(|index| format!("{index}.example")).collect();
    let entries: Vec<Entry> =
        sites.iter().enumerate().map(|(index, site)| school(site, if index < 10 { "A" } else { "B" }, site)).collect();
    let list = roster(&entries);
    // `a` and `b` sites pass in either city, and one site of A gets another verdict.
    let verdicts = |a: usize, b: usize, odd: Option<Readiness>| -> Vec<(&str, Readiness)> {
        let of = |index: usize| match (index, odd) {
            (0, Some(odd)) => odd,
            _ if index % 10 < if index < 10 { a } else { b } => PASS,
            _ => FAIL,
        };
        sites.iter().enumerate().map(|(index, site)| (site.as_str(), of(index))).collect()
    };
    let mut line = Line { minimum_coverage: 0.5, ..Line::default() };
    line.run(&list, &verdicts(6, 5, None));
    assert_eq!((city(&line, "A"), city(&line, "B")), (Some(1), Some(2)));
    // Not judged: A may have 5 or 6 of 10, B has 5. Down: 5 of 9. Failing: as many as B.
    for odd in [UNKNOWN, DOWN, FAIL] {
        let mut line = Line { past: line.past.clone(), ..line };
        line.run(&list, &verdicts(6, 5, Some(odd)));
        assert_eq!(
            (city(&line, "A"), city(&line, "B")),
            (Some(1), if odd == FAIL { Some(1) } else { Some(2) }),
            "{odd:?}"
        );
        line.run(&list, &verdicts(6, 5, None));
        assert_eq!((city(&line, "A"), city(&line, "B")), (Some(1), Some(2)), "{odd:?}");
    }
    // Ahead for certain only where the ranges do not overlap: B has 7 of 10, A 6 or 7.
    let mut doubtful = Line { past: line.past.clone(), ..line };
    doubtful.run(&list, &verdicts(7, 7, Some(UNKNOWN)));
    assert_eq!((city(&doubtful, "A"), city(&doubtful, "B")), (Some(1), Some(2)));
    // B really overtakes.
    line.run(&list, &verdicts(6, 8, None));
    assert_eq!((city(&line, "A"), city(&line, "B")), (Some(2), Some(1)));
    line.run(&list, &verdicts(8, 8, None));
    assert_eq!((city(&line, "A"), city(&line, "B")), (Some(1), Some(1)));
}
