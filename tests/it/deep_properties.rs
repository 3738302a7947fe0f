//! Properties of the deep profile's numbers that hold for every possible evidence (docs/method/deep.md).

use std::collections::BTreeMap;
use std::net::IpAddr;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use v6ready::judge::{Criteria, faulty_links};
use v6ready::model::deep::Rate;
use v6ready::model::evidence::{FetchEnd, HostCheck, Link, Observation};
use v6ready::model::finding::{Code, Severity};
use v6ready::model::verdict::{Assessment, Readiness};

use crate::properties::{cases, config, judged, passes};

/// Findings of the deep profile.
const DEEP: [Code; 7] = [
    Code::SkylightHost,
    Code::SkylightV6Dead,
    Code::LinkIntranet,
    Code::LinkV6Unsupported,
    Code::LinkCapped,
    Code::SkylightPartial,
    Code::LatencyDegraded,
];

fn links(observation: &mut Observation) -> impl Iterator<Item = &mut Link> {
    observation.rounds.iter_mut().filter_map(|round| round.links.as_mut()).flat_map(|links| &mut links.links)
}

/// All hosts that were looked at, those that redirects lead to among them.
fn checks(observation: &mut Observation) -> impl Iterator<Item = &mut HostCheck> {
    observation.rounds.iter_mut().flat_map(|round| {
        let hosts = round.resources.iter_mut().flat_map(|resources| &mut resources.hosts).map(|host| &mut host.check);
        let links = round.links.iter_mut().flat_map(|links| &mut links.links);
        hosts.chain(links.filter_map(|link| link.leads_to.as_mut()))
    })
}

fn rates(assessment: &Assessment) -> Vec<Rate> {
    let links = assessment.facts.links.iter();
    let links = links.flat_map(|links| [links.level2, links.level2_external, links.level3, links.level3_external]);
    links.chain(assessment.facts.skylight.iter().flat_map(|skylight| [skylight.hosts, skylight.resources])).collect()
}

/// Links, over all rates: supported, judged.
fn of_links(assessment: &Assessment) -> (u32, u32) {
    let rates = rates(assessment);
    let links = &rates[..if assessment.facts.links.is_some() { 4 } else { 0 }];
    (links.iter().map(|rate| rate.supported).sum(), links.iter().map(|rate| rate.judged).sum())
}

fn is_literal(host: &str) -> bool {
    host.parse::<IpAddr>().is_ok()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_links_to_mend_are_those_that_the_rates_miss((observation, vantage) in cases()) {
        let (supported, all) = of_links(&judged(&observation, &vantage));
        let faulty = faulty_links(&observation, &vantage, &Criteria::default());
        let missed = faulty.iter().filter(|link| !link.intranet).count();
        prop_assert_eq!(missed, (all - supported) as usize);
    }

    #[test]
    fn nothing_deep_changes_a_verdict_but_ready((observation, vantage) in cases()) {
        let with = judged(&observation, &vantage);
        let mut stripped = observation.clone();
        for round in &mut stripped.rounds {
            (round.links, round.resources) = (None, None);
            round.samples.clear();
        }
        let without = judged(&stripped, &vantage);
        let ready = |assessment: &Assessment| match assessment.readiness {
            Readiness::ReadyDefect => Readiness::Ready,
            other => other,
        };
        prop_assert_eq!((ready(&with), with.rule), (ready(&without), without.rule));
        let others = with.findings.iter().filter(|finding| !DEEP.contains(&finding.code));
        prop_assert_eq!(others.collect::<Vec<_>>(), without.findings.iter().collect::<Vec<_>>());
        let of_deep = with.findings.iter().any(|finding| finding.code.severity() == Severity::Defect && DEEP.contains(&finding.code));
        prop_assert!(!passes(&with) || !of_deep || with.readiness == Readiness::ReadyDefect);
    }

    #[test]
    fn parts_are_within_their_wholes((observation, vantage) in cases()) {
        for rate in rates(&judged(&observation, &vantage)) {
            prop_assert!(rate.supported <= rate.judged && rate.judged <= rate.found, "{rate:?}");
            prop_assert_eq!(rate.share().is_none(), rate.judged == 0);
        }
    }

    #[test]
    fn without_proofs_nothing_is_missing((mut observation, mut vantage) in cases()) {
        // What answers over both families is compared without any proof; the rest is not.
        links(&mut observation).filter(|link| matches!(link.v6.end, FetchEnd::Status(_))).for_each(|link| {
            link.v6.end = FetchEnd::NotMade;
        });
        vantage.proofs.clear();
        vantage.dns_proofs.clear();
        let assessment = judged(&observation, &vantage);
        // That an IPv4 address has no IPv6 address needs none.
        let literals = links(&mut observation).filter(|link| link.url.contains("198.51.100.77")).count() as u32;
        let (supported, judged) = of_links(&assessment);
        prop_assert!(supported == 0 && judged <= literals, "{judged} {literals}");
        for host in assessment.facts.skylight.iter().flat_map(|skylight| &skylight.blocking) {
            prop_assert!(is_literal(&host.host), "{host:?}");
        }
        let hidden = assessment.findings.iter().filter(|finding| finding.code == Code::LinkIntranet);
        prop_assert!(hidden.flat_map(|finding| finding.args["hosts"].split(", ")).all(|host| host == "intranet" || is_literal(host)));
    }

    #[test]
    fn the_word_of_one_source_is_not_enough((mut observation, vantage) in cases()) {
        links(&mut observation).flat_map(|link| [&mut link.v4, &mut link.v6]).for_each(|fetch| fetch.confirmed_by = None);
        checks(&mut observation).flat_map(|check| [&mut check.v4, &mut check.v6]).for_each(|side| side.confirmed_by = None);
        let assessment = judged(&observation, &vantage);
        for host in assessment.facts.skylight.iter().flat_map(|skylight| &skylight.blocking) {
            prop_assert!(host.dead || is_literal(&host.host), "{host:?}");
        }
        let hidden = assessment.findings.iter().filter(|finding| finding.code == Code::LinkIntranet);
        prop_assert!(hidden.flat_map(|finding| finding.args["hosts"].split(", ")).all(|host| host == "intranet" || is_literal(host)));
    }

    #[test]
    fn who_asks_for_fewer_requests_is_not_judged((mut observation, vantage) in cases(), over_v4 in any::<bool>(), status in prop::sample::select(vec![429, 503])) {
        for link in links(&mut observation) {
            let asks = if over_v4 { &mut link.v4 } else { &mut link.v6 };
            asks.end = FetchEnd::Status(status);
        }
        prop_assert_eq!(of_links(&judged(&observation, &vantage)), (0, 0));
    }

    #[test]
    fn what_ipv4_does_not_give_is_not_missing((mut observation, vantage) in cases()) {
        links(&mut observation).for_each(|link| link.v4.end = FetchEnd::Failed(v6ready::model::failure::Failure::Timeout));
        checks(&mut observation).for_each(|check| check.v4.connects.clear());
        let assessment = judged(&observation, &vantage);
        for rate in rates(&assessment) {
            prop_assert_eq!(rate.supported, rate.judged);
        }
        prop_assert!(assessment.facts.skylight.is_none_or(|skylight| skylight.blocking.is_empty()));
    }

    #[test]
    fn a_success_over_ipv6_is_support((mut observation, vantage) in cases()) {
        let before = of_links(&judged(&observation, &vantage));
        for link in links(&mut observation) {
            let hostless = matches!(link.v6.end, FetchEnd::Unqualified);
            if hostless || link.v4.challenge || matches!(link.v4.end, FetchEnd::Status(429 | 503)) {
                continue;
            }
            link.v6.end = FetchEnd::Status(200);
            (link.v6.challenge, link.v6.location, link.leads_to) = (false, None, None);
        }
        let after = of_links(&judged(&observation, &vantage));
        prop_assert!(after.0 >= before.0 && after.1 >= before.1, "{before:?} {after:?}");
    }
}

/// A property of what never comes up proves nothing.
#[test]
fn every_finding_comes_up() {
    let mut runner = TestRunner::new(config());
    let mut seen: BTreeMap<Code, u32> = BTreeMap::new();
    let (mut yes, mut no) = (0, 0);
    for _ in 0..5000 {
        let (observation, vantage) = cases().new_tree(&mut runner).expect("a case").current();
        let assessment = judged(&observation, &vantage);
        let (supported, judged) = of_links(&assessment);
        (yes, no) = (yes + supported, no + judged - supported);
        for finding in assessment.findings.iter().filter(|finding| DEEP.contains(&finding.code)) {
            *seen.entry(finding.code).or_default() += 1;
        }
    }
    assert!(DEEP.iter().all(|code| seen.get(code).is_some_and(|count| *count >= 20)), "{seen:?}");
    assert!(yes > 500 && no > 500, "{yes} {no}");
}
