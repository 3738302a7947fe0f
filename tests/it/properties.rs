//! Properties of the rules that hold for every possible evidence (docs/method/verdict.md).

use std::collections::BTreeMap;
use std::net::IpAddr;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use v6ready::judge::causes::needs;
use v6ready::judge::{Criteria, assess, first_look};
use v6ready::model::address::Family;
use v6ready::model::evidence::{
    AddressFact, AddressRecord, DnsTransport, LookupOutcome, MssProof, Observation, Pointer, Purpose, RecordType,
    Rival, Round, ServerRole, StepKind, WalkEnd,
};
use v6ready::model::failure::{Failure, Limit};
use v6ready::model::finding::Code;
use v6ready::model::run::{ResolverState, Vantage};
use v6ready::model::time::Timestamp;
use v6ready::model::verdict::{Assessment, CountsAs, Readiness};

use crate::deep_evidence;
use crate::evidence::{Choices, healthy_round, observation, servers, vantage};
use crate::zones;

pub(crate) fn config() -> Config {
    Config { cases: 5000, max_global_rejects: 100_000, failure_persistence: None, ..Config::default() }
}

pub(crate) fn judged(observation: &Observation, vantage: &Vantage) -> Assessment {
    assess(observation, vantage, &Criteria::default())
}

pub(crate) fn passes(assessment: &Assessment) -> bool {
    assessment.readiness.counts_as() == CountsAs::Pass
}

prop_compose! {
    pub(crate) fn cases()(
        numbers in prop::collection::vec(any::<u16>(), 0..160),
        of_zones in prop::collection::vec(any::<u16>(), 0..120),
        of_depth in prop::collection::vec(any::<u16>(), 0..240),
    ) -> (Observation, Vantage) {
        let mut choices = Choices::new(&numbers);
        let mut observation = observation(&mut choices);
        zones::add(&mut observation, &of_zones);
        deep_evidence::add(&mut observation, &of_depth);
        (observation, vantage(&mut choices))
    }
}

fn resolves(observation: &Observation, pointer: Pointer) -> bool {
    let rounds: Vec<&Round> = observation.rounds.iter().filter(|round| round.number == pointer.round).collect();
    let [round] = rounds.as_slice() else { return false };
    let steps = match pointer.step {
        StepKind::Lookup => round.lookups.len(),
        StepKind::Address => round.addresses.len(),
        StepKind::Connect => round.connects.len(),
        StepKind::Handshake => round.handshakes.len(),
        StepKind::Walk => round.walks.len(),
        StepKind::Sibling => usize::from(round.sibling.is_some()),
        StepKind::Delegation => round.delegations.len(),
        StepKind::MssProof => round.mss_proofs.len(),
        StepKind::Link => round.links.as_ref().map_or(0, |links| links.links.len()),
        StepKind::Resource => round.resources.as_ref().map_or(0, |resources| resources.hosts.len()),
        StepKind::Sample => round.samples.len(),
        StepKind::Mail => round.mail.as_ref().map_or(0, |mail| mail.hosts.len().max(1)),
        StepKind::Round => 1,
    };
    pointer.index < steps
}

/// An assessment without its pointers, whose indices depend on the order of the lists.
fn without_pointers(mut assessment: Assessment) -> Assessment {
    assessment.evidence.clear();
    for finding in &mut assessment.findings {
        finding.evidence.clear();
    }
    assessment
}

fn shuffled(mut observation: Observation, numbers: &[u16]) -> Observation {
    let mut choices = Choices::new(numbers);
    for round in &mut observation.rounds {
        shuffle(&mut round.lookups, &mut choices);
        shuffle(&mut round.addresses, &mut choices);
        shuffle(&mut round.connects, &mut choices);
        shuffle(&mut round.walks, &mut choices);
        shuffle(&mut round.delegations, &mut choices);
        shuffle(&mut round.limits, &mut choices);
        shuffle(&mut round.mss_proofs, &mut choices);
        round.links.iter_mut().for_each(|links| shuffle(&mut links.links, &mut choices));
        round.resources.iter_mut().for_each(|resources| shuffle(&mut resources.hosts, &mut choices));
        shuffle(&mut round.samples, &mut choices);
    }
    observation
}

fn shuffle<T>(items: &mut [T], choices: &mut Choices<'_>) {
    for last in (1..items.len()).rev() {
        items.swap(last, choices.below(last + 1));
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_verdict_points_at_its_evidence((observation, vantage) in cases()) {
        let assessment = judged(&observation, &vantage);
        prop_assert!(!assessment.evidence.is_empty());
        for pointer in &assessment.evidence {
            prop_assert!(resolves(&observation, *pointer), "{pointer}");
        }
        for finding in &assessment.findings {
            prop_assert!(!finding.evidence.is_empty(), "{}", finding.code.name());
            for pointer in &finding.evidence {
                prop_assert!(resolves(&observation, *pointer), "{} {pointer}", finding.code.name());
            }
        }
        let reasonless = matches!(assessment.readiness, Readiness::Ready | Readiness::Absent | Readiness::NoName);
        prop_assert_eq!(assessment.reason.is_empty(), reasonless);
    }

    #[test]
    fn whatever_fails_has_a_cause((observation, vantage) in cases()) {
        let assessment = judged(&observation, &vantage);
        let needs = needs(&assessment);
        let fails = assessment.readiness.counts_as() == CountsAs::Fail;
        prop_assert_eq!(!needs.is_empty(), fails || assessment.readiness == Readiness::ReadyDefect);
        prop_assert!(needs.iter().all(|need| !need.key.subject.is_empty()), "{needs:?}");
    }

    #[test]
    fn order_does_not_matter((observation, mut vantage) in cases(), numbers in prop::collection::vec(any::<u16>(), 120)) {
        let before = judged(&observation, &vantage);
        let again = shuffled(observation, &numbers);
        shuffle(&mut vantage.proofs, &mut Choices::new(&numbers));
        prop_assert_eq!(without_pointers(judged(&again, &vantage)), without_pointers(before));
    }

    #[test]
    fn a_round_of_success_is_success((mut observation, vantage) in cases(), first in any::<bool>()) {
        let number = u8::try_from(observation.rounds.len()).expect("few") + 1;
        let success = healthy_round(&observation.site, number);
        let at = if first { 0 } else { observation.rounds.len() };
        observation.rounds.insert(at, success);
        prop_assert!(passes(&judged(&observation, &vantage)));
    }

    #[test]
    fn a_walk_of_success_is_success((mut observation, vantage) in cases()) {
        prop_assume!(replace_by_success(&mut observation));
        prop_assert!(passes(&judged(&observation, &vantage)));
    }

    #[test]
    fn without_proofs_nothing_is_broken((observation, mut vantage) in cases()) {
        let before = judged(&observation, &vantage);
        vantage.proofs.clear();
        let after = judged(&observation, &vantage);
        let expected = if before.readiness == Readiness::Broken { Readiness::Inconclusive } else { after.readiness };
        prop_assert_eq!(after.readiness, expected);
        prop_assert_ne!(after.readiness, Readiness::Broken);
        // A success needs no proof.
        prop_assert_eq!(passes(&before), passes(&after));
    }

    #[test]
    fn small_segments_name_a_cause_and_nothing_else((mut observation, mut vantage) in cases()) {
        stall_over_v6(&mut observation);
        vantage.proofs.iter_mut().for_each(|proof| proof.page_bytes = 60_000);
        let named = judged(&observation, &vantage);
        let mut without = observation.clone();
        without.rounds.iter_mut().for_each(|round| round.mss_proofs.clear());
        let bare = judged(&without, &vantage);
        prop_assert_eq!(named.readiness, bare.readiness);
        if named.readiness == Readiness::Broken {
            prop_assert_eq!((bare.reason.as_str(), named.reason.as_str()), ("http_stall", "pmtu_blackhole"));
            // Packets of full size may not reach this vantage either.
            vantage.proofs.iter_mut().for_each(|proof| proof.page_bytes = 1400);
            prop_assert_eq!(judged(&observation, &vantage).reason, "vantage");
        }
    }

    #[test]
    fn without_tests_of_the_resolvers_nothing_is_absent((observation, mut vantage) in cases()) {
        let before = judged(&observation, &vantage);
        vantage.dns_proofs.clear();
        let after = judged(&observation, &vantage);
        let unusable = after.findings.iter().any(|finding| finding.code == Code::AaaaUnusable);
        prop_assert_ne!(after.readiness, Readiness::NoName);
        prop_assert!(after.readiness != Readiness::Absent || unusable);
        prop_assert!((after.readiness, after.reason.as_str()) != (Readiness::Down, "dns"));
        // What was not judged is not judged either way, and a success needs no proof.
        prop_assert!(before.readiness != Readiness::Inconclusive || after.readiness == Readiness::Inconclusive);
        prop_assert_eq!(passes(&before), passes(&after));
    }

    #[test]
    fn what_an_inventing_resolver_says_is_nothing((observation, mut vantage) in cases()) {
        for proof in &mut vantage.dns_proofs {
            proof.state = ResolverState::Invents;
        }
        let by_resolver = |round: &Round| round.lookups.iter().any(|lookup| {
            lookup.role == ServerRole::Resolver && lookup.outcome == LookupOutcome::Answer
        });
        prop_assume!(observation.rounds.iter().all(by_resolver));
        prop_assert_eq!(judged(&observation, &vantage).readiness, Readiness::Inconclusive);
    }

    #[test]
    fn a_contradicted_answer_makes_nothing_ready((mut observation, vantage) in cases(), over_tcp in any::<bool>()) {
        let rival = Rival { after_us: 900, outcome: LookupOutcome::Nodata, addresses: Vec::new() };
        for round in &mut observation.rounds {
            prop_assume!(!round.lookups.is_empty());
            for lookup in &mut round.lookups {
                lookup.rival = Some(rival.clone());
            }
        }
        let assessment = judged(&observation, &vantage);
        prop_assert_eq!((assessment.readiness, assessment.reason.as_str()), (Readiness::Inconclusive, "forged"));
        prop_assert!(assessment.findings.iter().any(|finding| finding.code == Code::DnsForged));
        // What TCP brought counts as if nothing had been forged.
        if over_tcp {
            for round in &mut observation.rounds {
                let mut again = round.lookups.clone();
                for lookup in &mut again {
                    (lookup.rival, lookup.transport) = (None, DnsTransport::Tcp);
                }
                round.lookups.extend(again);
                round.dns_over_tcp = true;
            }
            let before = judged(&plain(observation.clone()), &vantage);
            let after = judged(&observation, &vantage);
            // That nobody answers over TCP does not mean that nobody is there.
            if !matches!(before.readiness, Readiness::Inconclusive | Readiness::Down) {
                prop_assert_eq!(before.readiness, after.readiness);
            }
        }
    }

    #[test]
    fn unmeasured_ipv6_is_neither_ready_nor_broken((mut observation, vantage) in cases()) {
        for round in &mut observation.rounds {
            round.without_ipv6 = true;
            round.connects.retain(|connect| connect.family() == Family::V4);
            round.walks.retain(|walk| walk.family == Family::V4);
        }
        let assessment = judged(&observation, &vantage);
        prop_assert!(!passes(&assessment) && assessment.readiness != Readiness::Broken);
        let not_measured = assessment.findings.iter().any(|finding| finding.code == Code::V6NotMeasured);
        if not_measured {
            prop_assert_eq!(assessment.readiness, Readiness::Inconclusive);
            prop_assert!(!first_look(&observation, &Criteria::default()).1);
        }
    }

    #[test]
    fn zones_change_no_verdict_but_ready((observation, vantage) in cases()) {
        let with = judged(&observation, &vantage);
        let mut stripped = observation.clone();
        stripped.rounds.iter_mut().for_each(|round| round.delegations.clear());
        let without = judged(&stripped, &vantage);
        let ready = |assessment: &Assessment| match assessment.readiness {
            Readiness::ReadyDefect => Readiness::Ready,
            other => other,
        };
        prop_assert_eq!(ready(&with), ready(&without));
        prop_assert_eq!(with.rule, without.rule);
        if !passes(&with) {
            prop_assert_eq!(&with.reason, &without.reason);
        }
        let others = with.findings.iter().filter(|finding| !OF_ZONES.contains(&finding.code));
        prop_assert_eq!(others.collect::<Vec<_>>(), without.findings.iter().collect::<Vec<_>>());
    }

    #[test]
    fn silence_and_wrong_answers_need_proof_and_two_looks((mut observation, mut vantage) in cases(), once in any::<bool>()) {
        if once {
            observation.rounds.truncate(1);
        } else {
            vantage.proofs.clear();
        }
        let assessment = judged(&observation, &vantage);
        let failures = [Code::Ns6Unreachable, Code::Ns6TcpFail, Code::Ns6Lame];
        prop_assert!(!assessment.findings.iter().any(|finding| failures.contains(&finding.code)));
        let ends = assessment.findings.iter().find(|finding| finding.code == Code::V6ChainBroken);
        prop_assert!(ends.is_none_or(|finding| &finding.args["why"] == "no_address"));
    }

    #[test]
    fn one_look_confirms_no_failure((mut observation, vantage) in cases()) {
        observation.rounds.truncate(1);
        let assessment = judged(&observation, &vantage);
        prop_assert!(!matches!(assessment.readiness, Readiness::Broken | Readiness::Down));
    }

    #[test]
    fn our_own_faults_are_no_evidence((mut observation, vantage) in cases(), local in any::<bool>()) {
        let fault = if local { Failure::LocalResource } else { Failure::NoRoute };
        for round in &mut observation.rounds {
            for connect in round.connects.iter_mut().filter(|connect| connect.family() == Family::V6) {
                connect.failure = Some(fault.clone());
            }
            for walk in round.walks.iter_mut().filter(|walk| walk.family == Family::V6) {
                walk.hops.truncate(1);
                walk.hops[0].exchange = None;
                walk.end = WalkEnd::Failed(fault.clone());
            }
        }
        let assessment = judged(&observation, &vantage);
        let tried = observation.rounds.iter().any(|round| round.walks.iter().any(|walk| walk.family == Family::V6));
        prop_assert!(assessment.readiness != Readiness::Broken);
        prop_assert!(!tried || assessment.readiness == Readiness::Inconclusive, "{:?}", assessment.readiness);
    }

    #[test]
    fn a_round_that_was_lost_takes_no_success_away_and_confirms_no_failure(
        (mut observation, vantage) in cases(), first in any::<bool>(),
    ) {
        let number = u8::try_from(observation.rounds.len()).expect("few") + 1;
        let before = judged(&observation, &vantage);
        let mut lost = Round::new(number, observation.rounds[0].ended);
        lost.internal_error = true;
        observation.rounds.insert(if first { 0 } else { observation.rounds.len() }, lost.clone());
        let after = judged(&observation, &vantage);
        prop_assert_eq!(passes(&after), passes(&before));
        let failed = |assessment: &Assessment| matches!(assessment.readiness, Readiness::Broken | Readiness::Down);
        prop_assert!(!failed(&after) || failed(&before));
        prop_assert!(after.findings.iter().any(|finding| finding.code == Code::InternalError));
        observation.rounds = vec![lost];
        let nothing = judged(&observation, &vantage);
        prop_assert_eq!((nothing.readiness, nothing.reason.as_str()), (Readiness::Inconclusive, "internal_error"));
        prop_assert!(nothing.evidence.iter().all(|pointer| resolves(&observation, *pointer)));
        prop_assert!(!nothing.evidence.is_empty());
    }

    #[test]
    fn a_limit_that_both_families_hit_makes_nothing_broken_or_down(
        (mut observation, vantage) in cases(),
        limit in prop::sample::select(vec![Limit::Headers, Limit::Informational, Limit::Handshake, Limit::Url]),
    ) {
        let end = match limit {
            Limit::Url => WalkEnd::RedirectBadTarget,
            limit => WalkEnd::Failed(Failure::Limit(limit)),
        };
        for round in &mut observation.rounds {
            round.limits.push(limit);
            for walk in &mut round.walks {
                walk.hops.truncate(1);
                walk.hops[0].exchange = None;
                walk.end = end.clone();
            }
        }
        let hit = |family| observation.rounds.iter().any(|round| round.walks.iter().any(|walk| walk.family == family));
        prop_assume!(Family::BOTH.into_iter().all(hit));
        let assessment = judged(&observation, &vantage);
        prop_assert!(!matches!(assessment.readiness, Readiness::Broken | Readiness::Down), "{assessment:?}");
    }

    #[test]
    fn addresses_left_out_of_both_families_make_nothing_broken((mut observation, vantage) in cases()) {
        for round in &mut observation.rounds {
            for family in Family::BOTH {
                let address = match family {
                    Family::V4 => IpAddr::from([192, 0, 2, 99]),
                    Family::V6 => IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x99]),
                };
                // Every source gives it, in every round.
                let rtype = RecordType::of(family);
                let answers = round.lookups.iter_mut().filter(|lookup| lookup.rtype == rtype);
                for lookup in answers.filter(|lookup| lookup.outcome == LookupOutcome::Answer) {
                    lookup.addresses.push(AddressRecord { address, ttl: 60 });
                }
                let mut of_family = round.addresses.iter().filter(|fact| Family::of(fact.address) == family);
                if let Some(dialled) = of_family.find(|fact| fact.dialled).cloned() {
                    round.addresses.push(AddressFact { address, dialled: false, ..dialled });
                }
            }
        }
        let left_out = |family| {
            let mut facts = observation.rounds.iter().flat_map(|round| &round.addresses);
            facts.any(|fact| Family::of(fact.address) == family && fact.scope.is_public() && !fact.dialled)
        };
        prop_assume!(Family::BOTH.into_iter().all(left_out));
        prop_assert_ne!(judged(&observation, &vantage).readiness, Readiness::Broken);
    }

    #[test]
    fn a_round_without_alibi_neither_makes_nor_takes_a_verdict((mut observation, vantage) in cases()) {
        let before = judged(&observation, &vantage);
        let last = observation.rounds.last().expect("a round").clone();
        // Ten minutes after the last proof, IPv6 is dead.
        observation.rounds.push(dead_over_v6(later(last, 4)));
        let after = judged(&observation, &vantage);
        prop_assert_eq!(before.readiness == Readiness::Broken, after.readiness == Readiness::Broken);
        prop_assert_eq!(passes(&before), passes(&after));
    }

    #[test]
    fn doubts_about_names_take_no_success_away(
        (mut observation, vantage) in cases(),
        outcome in prop::sample::select(vec![
            LookupOutcome::Nxdomain, LookupOutcome::Servfail, LookupOutcome::Timeout, LookupOutcome::Nodata,
        ]),
    ) {
        prop_assume!(passes(&judged(&observation, &vantage)));
        for round in &mut observation.rounds {
            let Some(pattern) = round.lookups.first().cloned() else { continue };
            for (server, rtype) in servers().into_iter().flat_map(|s| [(s, RecordType::A), (s, RecordType::Aaaa)]) {
                let mut doubt = pattern.clone();
                (doubt.server, doubt.rtype, doubt.outcome) = (server, rtype, outcome);
                doubt.addresses.clear();
                doubt.chain.clear();
                doubt.broken = None;
                round.lookups.push(doubt);
            }
        }
        prop_assert!(passes(&judged(&observation, &vantage)));
    }
}

/// Findings about zones.
const OF_ZONES: [Code; 11] = [
    Code::NsV4only,
    Code::Ns6Single,
    Code::Ns6Unreachable,
    Code::Ns6TcpFail,
    Code::Ns6Lame,
    Code::GlueMissingV6,
    Code::V6ChainBroken,
    Code::NsIsCname,
    Code::DelegationDiff,
    Code::AliasZoneNs6,
    Code::Ns6Unconfirmed,
];
/// Makes every request over IPv6 stall, and come in small segments.
fn stall_over_v6(observation: &mut Observation) {
    for round in &mut observation.rounds {
        round.mss_proofs.clear();
        let addresses: Vec<_> = round.addresses.iter().filter(|fact| fact.dialled && fact.address.is_ipv6()).collect();
        let Some(address) = addresses.first().map(|fact| fact.address) else { continue };
        for walk in round.walks.iter_mut().filter(|walk| walk.family == Family::V6) {
            let hop = &mut walk.hops[0];
            (hop.address, hop.exchange) = (Some(address), None);
            round.mss_proofs.push(MssProof {
                url: hop.url.clone(),
                address,
                port: hop.port,
                mss: 1220,
                failure: None,
                wire_bytes: 2000,
                started: round.started.plus_ms(9000),
                duration_us: 9000,
            });
            walk.hops.truncate(1);
            walk.end = WalkEnd::Failed(Failure::HttpStall);
        }
    }
}

/// The same, in which nothing was contradicted.
fn plain(mut observation: Observation) -> Observation {
    for round in &mut observation.rounds {
        round.lookups.retain(|lookup| lookup.rival.is_none());
        round.dns_over_tcp = false;
    }
    observation
}

/// The same round, measured at the time of another.
pub(crate) fn later(mut round: Round, number: u8) -> Round {
    let by = 600_000 * i64::from(number - round.number);
    let shift = |at: &mut Timestamp| *at = at.plus_ms(by);
    round.number = number;
    shift(&mut round.started);
    shift(&mut round.ended);
    round.lookups.iter_mut().for_each(|lookup| shift(&mut lookup.started));
    round.connects.iter_mut().for_each(|connect| shift(&mut connect.started));
    round.handshakes.iter_mut().for_each(|handshake| shift(&mut handshake.started));
    let hops = round.walks.iter_mut().flat_map(|walk| &mut walk.hops);
    hops.filter_map(|hop| hop.exchange.as_mut()).for_each(|exchange| shift(&mut exchange.started));
    round
}

/// The same round with an IPv6 that answers nothing.
fn dead_over_v6(mut round: Round) -> Round {
    for connect in round.connects.iter_mut().filter(|connect| connect.family() == Family::V6) {
        connect.failure = Some(Failure::Timeout);
    }
    for walk in round.walks.iter_mut().filter(|walk| walk.family == Family::V6) {
        walk.hops.truncate(1);
        walk.hops[0].exchange = None;
        walk.end = WalkEnd::Failed(Failure::Timeout);
    }
    round
}

/// A site whose home page breaks off over IPv6 for this reason.
fn cut_short_over_v6(failure: &Failure) -> Assessment {
    let mut observation = observation(&mut Choices::new(&[]));
    for walk in observation.rounds.iter_mut().flat_map(|round| &mut round.walks) {
        let exchange = walk.hops.last_mut().and_then(|hop| hop.exchange.as_mut());
        if let (Family::V6, Some(exchange)) = (walk.family, exchange) {
            exchange.body_failure = Some(failure.clone());
            "of a part".clone_into(&mut exchange.digest);
        }
    }
    judged(&observation, &vantage(&mut Choices::new(&[])))
}

#[test]
fn a_page_we_stopped_reading_is_no_defect() {
    let codes = |assessment: &Assessment| assessment.findings.iter().map(|finding| finding.code).collect::<Vec<_>>();
    for limit in [Limit::Body, Limit::Ratio] {
        let assessment = cut_short_over_v6(&Failure::Limit(limit));
        assert_eq!(assessment.readiness, Readiness::Ready);
        assert_eq!(codes(&assessment), [Code::ContentUnverified, Code::LimitHit]);
        assert_eq!(&assessment.findings[1].args["limit"], limit.word());
    }
    // A page that stalls over IPv6 alone is one that IPv6 does not deliver.
    for stall in [Limit::Slow, Limit::Total] {
        let assessment = cut_short_over_v6(&Failure::Limit(stall));
        assert_eq!((assessment.readiness, assessment.reason.as_str()), (Readiness::ReadyDefect, "truncated"));
    }
    let assessment = cut_short_over_v6(&Failure::EarlyEof);
    assert_eq!((assessment.readiness, assessment.reason.as_str()), (Readiness::ReadyDefect, "truncated"));
    assert_eq!(codes(&assessment), [Code::V6Truncated, Code::ContentUnverified]);
    assert_eq!(&assessment.findings[0].args["failure"], "early_eof");
}

/// Makes an IPv6 walk that failed land where IPv4 landed in the same round. False: there is none.
fn replace_by_success(observation: &mut Observation) -> bool {
    for round in &mut observation.rounds {
        let entry = |family| {
            let walks = round.walks.iter().enumerate();
            let mut walks = walks.filter(move |(_, walk)| walk.family == family && walk.purpose == Purpose::Entry);
            walks.next().map(|(index, walk)| (index, walk.clone()))
        };
        let (Some((_, v4)), Some((index, v6))) = (entry(Family::V4), entry(Family::V6)) else { continue };
        let shows = |exchange: &v6ready::model::evidence::Exchange| {
            exchange.status == 200 && exchange.page.as_ref().is_some_and(|page| page.marks.is_empty())
        };
        let same_entry = v4.hops[0].url == v6.hops[0].url && v4.hops.len() == v6.hops.len();
        if same_entry && v4.landing().is_some_and(shows) {
            let address = v6.hops.iter().find_map(|hop| hop.address);
            let mut landed = v4;
            landed.family = Family::V6;
            for hop in &mut landed.hops {
                hop.address = address;
            }
            round.walks[index] = landed;
            return true;
        }
    }
    false
}

/// The properties would hold of nothing at all if the made-up evidence led nowhere.
#[test]
fn made_up_evidence_leads_to_every_verdict() {
    let mut runner = TestRunner::deterministic();
    let mut seen: BTreeMap<Readiness, usize> = BTreeMap::new();
    let mut of_zones: BTreeMap<Code, usize> = BTreeMap::new();
    for _ in 0..3000 {
        let (observation, vantage) = cases().new_tree(&mut runner).expect("a case").current();
        let assessment = judged(&observation, &vantage);
        *seen.entry(assessment.readiness).or_default() += 1;
        for finding in assessment.findings {
            *of_zones.entry(finding.code).or_default() += 1;
        }
    }
    for code in OF_ZONES {
        assert!(of_zones.get(&code).is_some_and(|count| *count >= 20), "{of_zones:?}");
    }
    for readiness in Readiness::ALL {
        assert!(seen.get(&readiness).is_some_and(|count| *count >= 20), "{seen:?}");
    }
}
