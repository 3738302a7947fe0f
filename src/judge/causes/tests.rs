//! Rows fold into causes as the manual says, and nobody is left out.

use super::*;
use crate::model::deep::{BlockingHost, HostClass, Skylight};
use crate::model::finding::{Code, Finding};
use crate::model::school::{Category, Region, RegionCode, RegionLevel, Role, RosterState, Row, SourceLine};
use crate::model::summary::Task;
use crate::model::verdict::{Facts, Stack};
use crate::model::word::Word;

type Args<'a> = &'a [(&'a str, &'a str)];
/// Verdict, findings, expected needs.
type Case<'a> = (Readiness, &'a [(Code, Args<'a>)], &'a [&'a str]);

fn assessment(site: &str, readiness: Readiness, findings: &[(Code, Args<'_>)]) -> Assessment {
    let finding = |(code, args): &(Code, Args<'_>)| Finding {
        code: *code,
        args: args.iter().copied().collect(),
        evidence: Vec::new(),
    };
    Assessment {
        site: SiteKey(site.into()),
        readiness,
        reason: Word::default(),
        stack: Stack::Unknown,
        reach6: None,
        rule: 6,
        findings: findings.iter().map(finding).collect(),
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
    /// Schools of two cities in one province; the second is a college.
    fn new() -> Self {
        let region = |code: &str, level, parent: Option<&str>| Region {
            code: RegionCode(code.into()),
            name: code.into(),
            name_en: None,
            level,
            parent: parent.map(|code| RegionCode(code.into())),
        };
        let mut world = Self::default();
        world.roster.regions = vec![
            region("P", RegionLevel::Province, None),
            region("A", RegionLevel::City, Some("P")),
            region("B", RegionLevel::City, Some("P")),
        ];
        world
    }

    fn judge(&mut self, assessment: Assessment) {
        self.assessments.insert(assessment.site.clone(), assessment);
    }

    fn school(&mut self, area: &str, category: Category, sites: &[(&str, Role)]) {
        self.roster.schools.push(School {
            name: "school".into(),
            code: None,
            region: RegionCode(area.into()),
            county: None,
            category,
            subtype: None,
            responsible_unit: Some(format!("bureau of {area}").into()),
        });
        for (site, role) in sites {
            self.roster.rows.push(Row {
                school: self.roster.schools.len() - 1,
                source: SourceLine { file: "list.csv".into(), line: self.roster.rows.len() as u64 },
                state: RosterState::Listed,
                role: *role,
                site: Some(SiteKey((*site).into())),
                changes: Vec::new(),
                problem: None,
            });
        }
    }

    fn causes(&self) -> Causes {
        self.causes_with(&Aliases::default())
    }

    fn causes_with(&self, aliases: &Aliases) -> Causes {
        let policy = Policy {
            tasks: vec![Task {
                id: "2".into(),
                title: String::new(),
                title_en: None,
                wording: String::new(),
                target: 0.9,
                target_official: false,
                categories: vec![Category::K12],
                responsible: Vec::new(),
                deadline: None,
            }],
            ..Policy::default()
        };
        causes(&self.roster, &policy, &self.assessments, aliases)
    }
}

fn keys(needs: &[Need]) -> Vec<String> {
    needs.iter().map(|need| format!("{} {}", need.key.code.name(), need.key.subject)).collect()
}

#[test]
fn findings_that_one_change_mends_have_one_key() {
    let (absent, broken, defect) = (Readiness::Absent, Readiness::Broken, Readiness::ReadyDefect);
    let place: Args<'_> = &[("address", "2001:db8:7::10"), ("port", "443")];
    let cases: &[Case<'_>] = &[
        (absent, &[(Code::AaaaAbsent, &[])], &["AAAA_ABSENT www.s.example"]),
        (absent, &[(Code::CnameTargetV4only, &[("target", "cdn.example")])], &["AAAA_ABSENT cdn.example"]),
        (
            absent,
            &[(Code::AaaaAbsent, &[]), (Code::DnsAaaaMishandled, &[])],
            &["AAAA_ABSENT www.s.example", "DNS_AAAA_MISHANDLED www.s.example"],
        ),
        (absent, &[(Code::AaaaUnusable, &[]), (Code::AddrMapped, &[])], &["AAAA_UNUSABLE www.s.example"]),
        (absent, &[], &["AAAA_ABSENT www.s.example"]),
        (broken, &[(Code::RedirectV4only, &[("target", "https://p.example/x")])], &["AAAA_ABSENT p.example"]),
        (broken, &[(Code::RedirectV4only, &[])], &["AAAA_ABSENT www.s.example"]),
        (broken, &[(Code::V6Refused, place)], &["V6_REFUSED [2001:db8:7::10]:443"]),
        (broken, &[(Code::V6Refused, place), (Code::InternalError, &[])], &["V6_REFUSED [2001:db8:7::10]:443"]),
        (broken, &[(Code::PmtuBlackhole, place)], &["PMTU_BLACKHOLE 2001:db8:7::/48"]),
        (broken, &[(Code::V6Status, &[("status", "503")])], &["V6_STATUS www.s.example"]),
        (broken, &[], &["V6_HTTP www.s.example"]),
        (
            broken,
            &[(Code::V6Timeout, place), (Code::NsV4only, &[("zone", "s.example")])],
            &["V6_TIMEOUT [2001:db8:7::10]:443"],
        ),
        (defect, &[(Code::NsV4only, &[("zone", "s.example"), ("server", "a, b")])], &["NS_V4ONLY s.example"]),
        (
            defect,
            &[(Code::Ns6Lame, &[("zone", "s.example"), ("server", "ns1.x, ns2.x")])],
            &["NS6_LAME ns1.x", "NS6_LAME ns2.x"],
        ),
        (defect, &[(Code::CertV6, &[("certificate", "default.invalid abab")])], &["CERT_V6 default.invalid abab"]),
        (Readiness::Ready, &[(Code::SlowV6, &[])], &[]),
        (Readiness::Down, &[(Code::BothFail, &[])], &[]),
        (Readiness::Inconclusive, &[(Code::VantageUnproven, &[])], &[]),
    ];
    for (readiness, findings, expected) in cases {
        assert_eq!(keys(&needs(&assessment("www.s.example", *readiness, findings))), *expected, "{findings:?}");
    }
}

#[test]
fn hosts_of_resources_are_causes_of_their_own() {
    let blocking = |host: &str, dead| BlockingHost { host: host.into(), class: HostClass::Other, dead, resources: 2 };
    let mut of = assessment(
        "s.example",
        Readiness::ReadyDefect,
        &[
            (Code::SkylightHost, &[("hosts", "a.example, b.example")]),
            (Code::SkylightV6Dead, &[("hosts", "c.example")]),
        ],
    );
    assert_eq!(
        keys(&needs(&of)),
        ["SKYLIGHT_HOST s.example", "SKYLIGHT_V6_DEAD s.example"],
        "nothing is known of them"
    );
    of.facts.skylight = Some(Box::new(Skylight {
        blocking: vec![blocking("a.example", false), blocking("b.example", false), blocking("c.example", true)],
        ..Skylight::default()
    }));
    // The first is the cause that a school has whose own name it is.
    assert_eq!(keys(&needs(&of)), ["AAAA_ABSENT a.example", "AAAA_ABSENT b.example", "SKYLIGHT_V6_DEAD c.example"]);
}

#[test]
fn rotated_addresses_are_one_place() {
    let at = |address: &str, aaaa: &[&str]| {
        let mut of =
            assessment("s.example", Readiness::Broken, &[(Code::V6Refused, &[("address", address), ("port", "80")])]);
        of.facts.aaaa = aaaa.iter().map(|address| address.parse().unwrap()).collect();
        keys(&needs(&of))
    };
    let both = ["2001:db8::1", "2001:db8::2"];
    assert_eq!(at("2001:db8::1", &both), at("2001:db8::2", &both));
    assert_eq!(at("2001:db8::1", &both), ["V6_REFUSED [2001:db8::1, 2001:db8::2]:80"]);
    assert_eq!(at("2001:db8::9", &both), ["V6_REFUSED [2001:db8::9]:80"], "a redirect's target");
}

#[test]
fn helped_is_by_this_alone_and_touched_is_among_others() {
    let mut world = World::new();
    world.judge(assessment("shared.example", Readiness::Absent, &[(Code::AaaaAbsent, &[])]));
    world.judge(assessment(
        "a.example",
        Readiness::Absent,
        &[(Code::CnameTargetV4only, &[("target", "shared.example")])],
    ));
    world.judge(assessment(
        "b.example",
        Readiness::Absent,
        &[(Code::CnameTargetV4only, &[("target", "shared.example")]), (Code::DnsAaaaMishandled, &[])],
    ));
    world.judge(assessment("ok.example", Readiness::Ready, &[]));
    let portal = |site| [(site, Role::Portal)];
    world.school("A", Category::K12, &portal("shared.example"));
    world.school("A", Category::K12, &portal("shared.example"));
    world.school("B", Category::HigherEducation, &portal("a.example"));
    world.school("B", Category::K12, &portal("b.example"));
    world.school("B", Category::K12, &[("ok.example", Role::Portal), ("shared.example", Role::Service)]);
    let causes = world.causes();
    let [first, second] = causes.failures.as_slice() else { panic!("{causes:?}") };
    assert_eq!((first.key.subject.as_str(), first.key.code), ("shared.example", Code::AaaaAbsent));
    assert_eq!((first.helped, first.touched, first.rows, first.sites.len()), (3, 4, 5, 3));
    let share = |helped, touched| Share { helped, touched };
    let region = |code: &str| first.regions.get(&RegionCode(code.into())).copied();
    assert_eq!((region("P"), region("A"), region("B")), (Some(share(3, 4)), Some(share(2, 2)), Some(share(1, 2))));
    assert_eq!(first.tasks, BTreeMap::from([("2".to_owned(), share(2, 3))]));
    assert_eq!(first.outside, Some(false));
    assert_eq!(first.units.len(), 2);
    assert_eq!((second.key.code, second.helped, second.touched), (Code::DnsAaaaMishandled, 0, 1));
    assert!(causes.defects.is_empty());
}

#[test]
fn a_name_that_leads_to_a_failing_site_needs_both() {
    let mut world = World::new();
    let mut leads = assessment("www.s.example", Readiness::Absent, &[(Code::AaaaAbsent, &[])]);
    leads.facts.lands_on = Some("portal.example".into());
    world.judge(leads.clone());
    world.judge(assessment("portal.example", Readiness::Absent, &[(Code::AaaaAbsent, &[])]));
    world.school("A", Category::K12, &[("www.s.example", Role::Portal)]);
    let failures = world.causes().failures;
    assert_eq!(failures.iter().map(|cause| (cause.helped, cause.touched)).collect::<Vec<_>>(), [(0, 1), (0, 1)]);
    assert_eq!(failures[0].outside, Some(true));
    // Where it leads to is fine: the name alone is what is missing.
    world.judge(assessment("portal.example", Readiness::Ready, &[]));
    let failures = world.causes().failures;
    assert_eq!(failures.iter().map(|cause| (cause.helped, cause.touched)).collect::<Vec<_>>(), [(1, 1)]);
}

#[test]
fn services_are_rows_without_schools() {
    let mut world = World::new();
    world.judge(assessment("ok.example", Readiness::Ready, &[]));
    world.judge(assessment("lib.example", Readiness::Broken, &[(Code::V6Status, &[("status", "502")])]));
    world.school("A", Category::K12, &[("ok.example", Role::Portal), ("lib.example", Role::Service)]);
    let failures = world.causes().failures;
    let [cause] = failures.as_slice() else { panic!("{failures:?}") };
    assert_eq!((cause.rows, cause.helped, cause.touched, cause.regions.len()), (1, 0, 0, 0));
    assert_eq!(cause.units, BTreeSet::from(["bureau of A".into()]));
}

mod any_world {
    use proptest::prelude::*;

    use super::*;

    const CODES: [(Readiness, &[Code]); 6] = [
        (Readiness::Ready, &[]),
        (Readiness::Absent, &[Code::AaaaAbsent]),
        (Readiness::Absent, &[Code::AaaaAbsent, Code::DnsAaaaMishandled]),
        (Readiness::Broken, &[Code::V6Status]),
        (Readiness::ReadyDefect, &[Code::ContentDiff]),
        (Readiness::Down, &[Code::BothFail]),
    ];

    proptest! {
        /// Every failing row is in a cause; who needs one thing is helped by one, and nobody by more.
        #[test]
        fn causes_explain_every_failing_row(
            sites in prop::collection::vec((0..CODES.len(), any::<Option<u8>>()), 1..12),
            schools in prop::collection::vec((0..12_usize, any::<bool>()), 0..30),
        ) {
            let name = |index: usize| format!("s{}.example", index % sites.len());
            let mut world = World::new();
            for (index, (kind, lands_on)) in sites.iter().enumerate() {
                let findings: Vec<(Code, Args<'_>)> = CODES[*kind].1.iter().map(|code| (*code, &[][..])).collect();
                let mut of = assessment(&name(index), CODES[*kind].0, &findings);
                of.facts.lands_on = lands_on.map(|other| name(usize::from(other)));
                world.judge(of);
            }
            for (site, portal) in &schools {
                let role = if *portal { Role::Portal } else { Role::Service };
                world.school("A", Category::K12, &[(&name(*site), role)]);
            }
            let fails = |site: &SiteKey| world.assessments[site].readiness.counts_as() == CountsAs::Fail;
            let failing: Vec<&Row> =
                world.roster.rows.iter().filter(|row| row.site.as_ref().is_some_and(fails)).collect();
            let causes = world.causes();
            let explained: BTreeSet<&SiteKey> = causes.failures.iter().flat_map(|cause| &cause.sites).collect();
            let listed: BTreeSet<&SiteKey> = failing.iter().filter_map(|row| row.site.as_ref()).collect();
            prop_assert_eq!(explained, listed);
            let schools = failing.iter().filter(|row| row.role == Role::Portal).count() as u64;
            let helped: u64 = causes.failures.iter().map(|cause| cause.helped).sum();
            let touched: u64 = causes.failures.iter().map(|cause| cause.touched).sum();
            prop_assert!(helped <= schools && schools <= touched);
            prop_assert_eq!(helped == schools, helped == touched);
            prop_assert!(causes.defects.iter().all(|cause| cause.effect == Effect::Defect));
        }
    }
}

#[test]
fn an_owner_of_several_domains_is_nobody_else() {
    let mut world = World::new();
    world.school("A", Category::K12, &[("www.s.example", Role::Portal)]);
    world.judge(assessment(
        "www.s.example",
        Readiness::Absent,
        &[(Code::CnameTargetV4only, &[("target", "www.s-old.example")])],
    ));
    let outside = |causes: Causes| causes.failures[0].outside;
    assert_eq!(outside(world.causes()), Some(true));
    let aliases = Aliases::read(&["s.example s-old.example".to_owned()]);
    assert_eq!(outside(world.causes_with(&aliases)), Some(false));
}
