//! The roll-up adds up, ranks fairly, and does not care about order.

use proptest::prelude::*;

use super::*;
use crate::model::school::{Category, Region, Row, School, SourceLine};
use crate::model::summary::Task;
use crate::model::verdict::{Facts, Stack};
use crate::model::word::Word;

fn code(text: &str) -> RegionCode {
    RegionCode(text.into())
}

fn region(of: &str, level: RegionLevel, parent: Option<&str>) -> Region {
    Region { code: code(of), name: of.into(), name_en: None, level, parent: parent.map(code) }
}

/// A province, two cities, and a county that reports for itself below the second.
fn regions_of_three_levels() -> Vec<Region> {
    vec![
        region("P", RegionLevel::Province, None),
        region("A", RegionLevel::City, Some("P")),
        region("B", RegionLevel::City, Some("P")),
        region("B1", RegionLevel::County, Some("B")),
    ]
}

fn assessment(site: &str, readiness: Readiness) -> Assessment {
    Assessment {
        site: SiteKey(site.into()),
        readiness,
        reason: Word::default(),
        stack: Stack::Unknown,
        reach6: None,
        rule: 1,
        findings: Vec::new(),
        evidence: Vec::new(),
        facts: Facts::default(),
    }
}

#[derive(Default)]
struct World {
    roster: Roster,
    assessments: BTreeMap<SiteKey, Assessment>,
}

impl World {
    fn school(&mut self, area: &str, category: Category, unit: Option<&str>) -> usize {
        self.roster.schools.push(School {
            name: "school".into(),
            code: None,
            region: code(area),
            county: None,
            category,
            subtype: None,
            responsible_unit: unit.map(Word::from),
        });
        self.roster.schools.len() - 1
    }

    fn row(&mut self, school: usize, role: Role, state: RosterState, site: Option<&str>) {
        let line = self.roster.rows.len() as u64;
        self.roster.rows.push(Row {
            school,
            source: SourceLine { file: "list.csv".into(), line },
            state,
            role,
            site: site.map(|site| SiteKey(site.into())),
            changes: Vec::new(),
            problem: None,
        });
    }

    /// A school with one portal that has this verdict.
    fn judged(&mut self, area: &str, readiness: Readiness) {
        let school = self.school(area, Category::K12, None);
        let site = format!("s{school}.example");
        self.row(school, Role::Portal, RosterState::Listed, Some(&site));
        self.assessments.insert(SiteKey::from(site.as_str()), assessment(&site, readiness));
    }

    fn sum(&self, policy: &Policy) -> Summary {
        summarise(&self.roster, policy, &self.assessments)
    }
}

#[test]
fn a_school_counts_once_by_its_first_portal_with_a_site() {
    let mut world = World::default();
    let school = world.school("A", Category::K12, None);
    world.row(school, Role::Service, RosterState::Listed, Some("lib.example"));
    world.row(school, Role::Portal, RosterState::NoSite, None);
    world.row(school, Role::Portal, RosterState::Listed, Some("first.example"));
    world.row(school, Role::Portal, RosterState::Listed, Some("second.example"));
    for (site, readiness) in
        [("lib.example", Readiness::Ready), ("first.example", Readiness::Broken), ("second.example", Readiness::Ready)]
    {
        world.assessments.insert(SiteKey(site.into()), assessment(site, readiness));
    }
    assert_eq!(counted_rows(&world.roster), [Some(2)]);
    let total = world.sum(&Policy::default()).total;
    assert_eq!((total.listed, total.of(Readiness::Broken)), (1, 1));
}

#[test]
fn without_a_verdict_the_roster_has_the_word() {
    let mut world = World::default();
    let cases = [
        (Role::Portal, RosterState::Listed, Some("late.example"), RosterState::Listed),
        (Role::Portal, RosterState::Listed, None, RosterState::Invalid),
        (Role::Portal, RosterState::Invalid, None, RosterState::Invalid),
        (Role::Portal, RosterState::OptedOut, Some("out.example"), RosterState::OptedOut),
        (Role::Service, RosterState::Listed, Some("lib.example"), RosterState::NoSite),
    ];
    for (role, state, site, _) in cases {
        let school = world.school("A", Category::K12, None);
        world.row(school, role, state, site);
    }
    let orphan = world.school("A", Category::K12, None);
    for site in ["out.example", "lib.example"] {
        world.assessments.insert(SiteKey(site.into()), assessment(site, Readiness::Ready));
    }
    let standings = standings(&world.roster, &world.assessments);
    for (index, (_, _, _, expected)) in cases.into_iter().enumerate() {
        assert_eq!(standings[index], Standing::Roster(expected), "case {index}");
    }
    assert_eq!(standings[orphan], Standing::Roster(RosterState::NoSite));
    let total = world.sum(&Policy::default()).total;
    assert_eq!((total.listed, total.judged(), total.inconclusive(), total.out_of_base()), (6, 0, 1, 5));
}

#[test]
fn services_have_a_rate_of_their_own() {
    let mut world = World::default();
    world.roster.regions = regions_of_three_levels();
    let (first, second) = (world.school("B1", Category::K12, None), world.school("A", Category::K12, None));
    world.row(first, Role::Portal, RosterState::Listed, Some("p.example"));
    world.row(first, Role::Service, RosterState::Listed, Some("lib.example"));
    // One platform for both: measured once, a line each.
    world.row(first, Role::Service, RosterState::Listed, Some("cloud.example"));
    world.row(second, Role::Portal, RosterState::Listed, Some("p.example"));
    world.row(second, Role::Service, RosterState::Listed, Some("cloud.example"));
    world.row(second, Role::Service, RosterState::OptedOut, Some("out.example"));
    for (site, readiness) in
        [("p.example", Readiness::Absent), ("lib.example", Readiness::Ready), ("cloud.example", Readiness::Broken)]
    {
        world.assessments.insert(SiteKey(site.into()), assessment(site, readiness));
    }
    let summary = world.sum(&Policy::default());
    assert_eq!((summary.total.ready(), summary.total.judged()), (0, 2), "services decide nothing");
    let counts = |of: &Completion| (of.listed, of.ready(), of.judged(), of.out_of_base());
    assert_eq!(counts(&summary.services), (4, 1, 3, 1));
    let region = |wanted: &str| summary.regions.iter().find(|region| region.code == code(wanted)).unwrap();
    assert_eq!(counts(&region("P").services), (4, 1, 3, 1));
    assert_eq!(counts(&region("B").services), (2, 1, 2, 0));
    assert_eq!(counts(&region("A").services), (2, 0, 1, 1));
    let shared = schools_of_sites(&world.roster);
    assert_eq!((shared[&SiteKey("p.example".into())], shared[&SiteKey("lib.example".into())]), (2, 1));
}

#[test]
fn equal_rates_share_a_place_and_low_coverage_has_none() {
    let mut world = World::default();
    world.roster.regions = vec![region("P", RegionLevel::Province, None)];
    for area in ["A", "B", "C", "D", "E"] {
        world.roster.regions.push(region(area, RegionLevel::City, Some("P")));
    }
    // A and C: one third, in different sizes. B: all. D: half not judged. E: nothing judged.
    for (area, ready, failed, unknown) in
        [("A", 1, 2, 0), ("B", 2, 0, 0), ("C", 2, 4, 0), ("D", 1, 0, 1), ("E", 0, 0, 0)]
    {
        (0..ready).for_each(|_| world.judged(area, Readiness::Ready));
        (0..failed).for_each(|_| world.judged(area, Readiness::Absent));
        (0..unknown).for_each(|_| world.judged(area, Readiness::Inconclusive));
    }
    world.judged("E", Readiness::Down);
    let summary = world.sum(&Policy { minimum_coverage: 0.98, ..Policy::default() });
    let ranks: Vec<_> =
        summary.regions.iter().map(|region| (region.code.0.as_str(), region.rankable, region.rank)).collect();
    assert_eq!(
        ranks,
        [
            ("P", false, None),
            ("A", true, Some(2)),
            ("B", true, Some(1)),
            ("C", true, Some(2)),
            ("D", false, None),
            ("E", false, None)
        ]
    );
}

#[test]
fn a_region_holds_everything_below_it() {
    let mut world = World::default();
    world.roster.regions = regions_of_three_levels();
    for area in ["P", "A", "B", "B1", "unknown"] {
        world.judged(area, Readiness::Ready);
    }
    let summary = world.sum(&Policy::default());
    let listed: Vec<_> =
        summary.regions.iter().map(|region| (region.code.0.as_str(), region.completion.listed)).collect();
    assert_eq!(listed, [("P", 4), ("A", 1), ("B", 2), ("B1", 1), ("unknown", 1)]);
}

#[test]
fn parents_in_a_circle_end() {
    let mut world = World::default();
    world.roster.regions = vec![region("A", RegionLevel::City, Some("B")), region("B", RegionLevel::City, Some("A"))];
    world.judged("A", Readiness::Ready);
    assert_eq!(world.sum(&Policy::default()).regions.len(), 2);
}

fn standing() -> impl Strategy<Value = Result<Readiness, RosterState>> {
    let verdict = prop::sample::select(Readiness::ALL.to_vec()).prop_map(Ok);
    let states = vec![
        RosterState::Listed,
        RosterState::NoSite,
        RosterState::Invalid,
        RosterState::OptedOut,
        RosterState::Closed,
    ];
    prop_oneof![3 => verdict, 1 => prop::sample::select(states).prop_map(Err)]
}

type Spec = (usize, usize, usize, Result<Readiness, RosterState>);

fn world(specs: &[(usize, Spec)]) -> World {
    const AREAS: [&str; 5] = ["P", "A", "B", "B1", "X"];
    const UNITS: [Option<&str>; 3] = [None, Some("u"), Some("v")];
    let mut world = World::default();
    world.roster.regions = regions_of_three_levels();
    for (number, (area, category, unit, standing)) in specs {
        let school = world.school(AREAS[*area], Category::ALL[*category], UNITS[*unit]);
        let site = format!("s{number}.example");
        match standing {
            Ok(readiness) => {
                world.row(school, Role::Portal, RosterState::Listed, Some(&site));
                world.assessments.insert(SiteKey::from(site.as_str()), assessment(&site, *readiness));
            }
            Err(RosterState::Listed) => world.row(school, Role::Portal, RosterState::Listed, Some(&site)),
            Err(state) => world.row(school, Role::Portal, *state, None),
        }
    }
    world
}

fn sum<'a>(parts: impl IntoIterator<Item = &'a Completion>) -> Completion {
    let mut sum = Completion::default();
    parts.into_iter().for_each(|part| sum.add(part));
    sum
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn everything_adds_up(
        specs in prop::collection::vec((0_usize..5, 0_usize..7, 0_usize..3, standing()), 0..40),
        swap in any::<prop::sample::Index>(),
    ) {
        let mut numbered: Vec<(usize, Spec)> = specs.into_iter().enumerate().collect();
        let policy = Policy {
            tasks: vec![Task {
                id: "1".into(), title: String::new(), title_en: None, wording: String::new(), target: 1.0,
                target_official: true, categories: Category::ALL.to_vec(), responsible: Vec::new(), deadline: None,
            }],
            minimum_coverage: 0.5,
            ..Policy::default()
        };
        let summary = world(&numbered).sum(&policy);
        prop_assert_eq!(summary.total.listed, numbered.len() as u64);
        prop_assert_eq!(&sum(summary.categories.values()), &summary.total);
        prop_assert_eq!(&sum(summary.units.values()), &summary.total);
        prop_assert_eq!(&summary.tasks[0].completion, &summary.total);
        // The roots together are the province and what has no parent.
        let roots = summary.regions.iter().filter(|region| ["P", "X"].contains(&region.code.0.as_str()));
        prop_assert_eq!(&sum(roots.map(|region| &region.completion)), &summary.total);
        for region in &summary.regions {
            prop_assert_eq!(&sum(region.categories.values()), &region.completion);
            prop_assert_eq!(&sum(region.counties.values()), &region.completion);
        }
        let total = &summary.total;
        prop_assert_eq!(total.judged() + total.inconclusive() + total.out_of_base(), total.listed);
        if let (Some(rate), Some((low, high))) = (total.rate(), total.range()) {
            prop_assert!(low <= rate && rate <= high, "{low} {rate} {high}");
        }
        // Another order of the same schools: the same numbers.
        if !numbered.is_empty() {
            let middle = swap.index(numbered.len());
            numbered.rotate_left(middle);
            numbered.reverse();
            prop_assert_eq!(world(&numbered).sum(&policy), summary);
        }
    }
}
