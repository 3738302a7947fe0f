//! What counts as supported, as tables of cases.

use std::net::{IpAddr, SocketAddr};

use super::*;
use crate::model::address::Scope;
use crate::model::deep::Rate;
use crate::model::evidence::{
    Connect, Fetch, FetchEnd, Found, HostCheck, HostSide, Link, Links, LookupOutcome, Owner, ResourceHost,
    ResourceKind, Resources, Round,
};
use crate::model::failure::{Failure, Limit};
use crate::model::finding::Code;
use crate::model::site::Site;

const SERVER: &str = "192.0.2.53:53";

fn server() -> Option<SocketAddr> {
    SERVER.parse().ok()
}

/// A second source.
fn another() -> Option<SocketAddr> {
    "198.51.100.53:53".parse().ok()
}

fn fetch(end: FetchEnd) -> Fetch {
    Fetch { server: server(), confirmed_by: another(), ..Fetch::unsent(end, Timestamp(0)) }
}

fn link(url: &str, v4: FetchEnd, v6: FetchEnd) -> Link {
    Link { url: url.to_owned(), level: 2, owner: Owner::Internal, v4: fetch(v4), v6: fetch(v6), leads_to: None }
}

fn observation(rounds: Vec<Round>) -> Observation {
    Observation { version: 1, site: Site::new("www.a.example", None, None, None), rounds }
}

fn with_links(found: u32, links: Vec<Link>) -> Round {
    let found = vec![Found { level: 2, owner: Owner::Internal, links: found }];
    let page = "https://www.a.example/".to_owned();
    Round {
        links: Some(Links { page, family: Family::V6, found, cut: false, links, out_of_time: false }),
        ..Round::new(1, Timestamp(0))
    }
}

/// Judges with the vantage proven over IPv6, and the resolvers proven, or not.
fn judged(rounds: Vec<Round>, family: bool, resolver: bool) -> (Indicators, Vec<Code>) {
    let mut findings = Findings::default();
    let proof = Proof { family: &|_, _| family, source: &|_, _| resolver };
    let indicators = judge(&observation(rounds), &proof, &mut findings);
    (indicators, findings.into_sorted().into_iter().map(|finding| finding.code).collect())
}

#[test]
fn a_link_is_supported_if_its_status_class_is_the_same() {
    use FetchEnd::{Failed, NoAddress, NotMade, NotPublic, Status, Unqualified, Unresolved};
    let timeout = || Failed(Failure::Timeout);
    // v4, v6, supported and judged with proofs, without any.
    let cases = [
        (Status(200), Status(204), (1, 1), (1, 1)),
        (Status(302), Status(301), (1, 1), (1, 1)),
        (Status(404), Status(403), (1, 1), (1, 1)),
        (Status(200), Status(404), (0, 1), (0, 1)),
        (Status(200), Status(302), (0, 1), (0, 1)),
        (Status(200), Status(503), (0, 0), (0, 0)),
        (Status(429), Status(200), (0, 0), (0, 0)),
        (Status(200), NoAddress, (0, 1), (0, 0)),
        (Status(404), Status(200), (1, 1), (1, 1)),
        (Status(302), Status(200), (1, 1), (1, 1)),
        (Status(200), NotPublic(Scope::UniqueLocal), (0, 1), (0, 0)),
        (Status(200), NotPublic(Scope::OwnNetwork), (0, 0), (0, 0)),
        (Status(200), Unresolved(LookupOutcome::Timeout), (0, 0), (0, 0)),
        (Status(200), NotMade, (0, 0), (0, 0)),
        (Status(200), timeout(), (0, 1), (0, 0)),
        (Status(200), Failed(Failure::NoRoute), (0, 0), (0, 0)),
        (Status(200), Failed(Failure::Limit(Limit::Total)), (0, 0), (0, 0)),
        (timeout(), timeout(), (0, 0), (0, 0)),
        (timeout(), Status(200), (1, 1), (1, 1)),
        (NoAddress, Status(200), (1, 1), (1, 1)),
        (NoAddress, Status(404), (0, 0), (0, 0)),
        (NotPublic(Scope::Private), NoAddress, (0, 0), (0, 0)),
        (Unqualified, Unqualified, (0, 0), (0, 0)),
        (NotMade, NotMade, (0, 0), (0, 0)),
        (FetchEnd::Port(22), FetchEnd::Port(22), (0, 0), (0, 0)),
        (Status(200), FetchEnd::LeftAlone, (0, 0), (0, 0)),
    ];
    for (v4, v6, proven, unproven) in cases {
        for (proofs, expected) in [(true, proven), (false, unproven)] {
            let links = vec![link("https://www.a.example/x", v4.clone(), v6.clone())];
            let (indicators, codes) = judged(vec![with_links(1, links)], proofs, proofs);
            let rate = indicators.links.unwrap().level2;
            assert_eq!((rate.supported, rate.judged), expected, "{v4:?} {v6:?} {proofs}");
            // That an answer is private is the word of DNS, too.
            let hidden = matches!(v4, NotPublic(_)) && proofs || v4 == Unqualified;
            assert_eq!(codes.contains(&Code::LinkIntranet), hidden, "{v4:?} {v6:?}");
            assert_eq!(codes.contains(&Code::LinkV6Unsupported), expected == (0, 1), "{v4:?} {v6:?}");
        }
    }
}

/// Rate of one link, and whether it is said to be internal.
fn rate_of(link: Link) -> ((u32, u32), bool) {
    let (indicators, codes) = judged(vec![with_links(1, vec![link])], true, true);
    let rate = indicators.links.unwrap().level2;
    ((rate.supported, rate.judged), codes.contains(&Code::LinkIntranet))
}

#[test]
fn one_source_of_dns_is_not_enough() {
    for second in [None, server()] {
        for end in [FetchEnd::NoAddress, FetchEnd::NotPublic(Scope::UniqueLocal)] {
            let mut one = link("https://www.a.example/x", FetchEnd::Status(200), end.clone());
            one.v6.confirmed_by = second;
            assert_eq!(rate_of(one), ((0, 0), false), "{end:?}");
        }
        let mut one = link("https://oa.a.example/", FetchEnd::NotPublic(Scope::Private), FetchEnd::NoAddress);
        one.v4.confirmed_by = second;
        assert_eq!(rate_of(one), ((0, 0), false));
        let mut absent = nothing(LookupOutcome::Nodata);
        absent.confirmed_by = second;
        let mut inside = side("10.1.2.3", Scope::Private, None);
        inside.confirmed_by = second;
        for v4 in [side("192.0.2.1", Scope::Public, Some(true)), inside] {
            let round = with_hosts(vec![resource("r.example", v4, absent.clone())], 0);
            let (indicators, codes) = judged(vec![round], true, true);
            assert_eq!((indicators.skylight.unwrap().hosts.judged, codes), (0, Vec::new()));
        }
    }
}

#[test]
fn a_challenge_on_one_side_says_nothing() {
    use FetchEnd::{NoAddress, Status};
    let timeout = FetchEnd::Failed(Failure::Timeout);
    // IPv4 with a challenge, IPv6 with one, what is said.
    let cases = [
        (Status(200), false, Status(412), true, (0, 0)),
        (Status(412), true, Status(200), false, (0, 0)),
        (Status(200), false, Status(202), true, (0, 0)),
        (Status(412), true, Status(412), true, (1, 1)),
        (timeout, false, Status(202), true, (0, 0)),
        (Status(412), true, NoAddress, false, (0, 1)),
    ];
    for (v4, challenge4, v6, challenge6, expected) in cases {
        let mut one = link("https://www.a.example/x", v4, v6);
        (one.v4.challenge, one.v6.challenge) = (challenge4, challenge6);
        let shown = format!("{:?} {:?}", one.v4.end, one.v6.end);
        assert_eq!(rate_of(one).0, expected, "{shown}");
    }
}

#[test]
fn a_redirect_is_worth_what_it_leads_to() {
    let v4 = |opens| side("192.0.2.1", Scope::Public, opens);
    let to = |v4, v6| Some(check("sso.b.example", v4, v6));
    let cases = [
        ("/login", None, (1, 1)),
        ("//www.a.example/login", None, (1, 1)),
        ("https://sso.b.example/", None, (0, 0)),
        ("https://sso.b.example/", to(v4(None), side("2001:db8::1", Scope::Public, Some(true))), (1, 1)),
        ("https://sso.b.example/", to(v4(Some(true)), nothing(LookupOutcome::Nodata)), (0, 1)),
        ("https://sso.b.example/", to(v4(Some(false)), nothing(LookupOutcome::Nodata)), (0, 0)),
        ("https://sso.b.example/", to(v4(Some(true)), nothing(LookupOutcome::Timeout)), (0, 0)),
    ];
    for (location, leads_to, expected) in cases {
        let mut one = link("https://www.a.example/x", FetchEnd::Status(302), FetchEnd::Status(302));
        one.v6.location = Some(location.to_owned());
        one.leads_to = leads_to;
        assert_eq!(rate_of(one).0, expected, "{location}");
    }
}

#[test]
fn no_links_are_not_judged() {
    let (indicators, codes) = judged(vec![with_links(0, Vec::new())], true, true);
    let rates = indicators.links.unwrap();
    assert_eq!((rates.level2, rates.level2.share(), codes), (Rate::default(), None, Vec::new()));
    assert!(judged(vec![Round::new(1, Timestamp(0))], true, true).0.links.is_none());
}

#[test]
fn a_bound_that_was_hit_shows() {
    let links = vec![link("https://www.a.example/x", FetchEnd::Status(200), FetchEnd::Status(200))];
    let (indicators, codes) = judged(vec![with_links(7, links)], true, true);
    let expected = Rate { supported: 1, judged: 1, found: 7, capped: true };
    let rates = indicators.links.unwrap();
    assert_eq!((rates.level2, codes), (expected, vec![Code::LinkCapped]));
    // What stands on the six pages that were not requested is not known.
    assert_eq!((rates.level3, rates.level2_external.capped), (Rate { capped: true, ..Rate::default() }, false));
    assert!(rates.level3_external.capped);
}

#[test]
fn a_success_in_any_round_counts() {
    let of = |v6: FetchEnd| with_links(1, vec![link("https://www.a.example/x", FetchEnd::Status(200), v6)]);
    let failed = || FetchEnd::Failed(Failure::Timeout);
    for rounds in [vec![of(FetchEnd::Status(200)), of(failed())], vec![of(failed()), of(FetchEnd::Status(200))]] {
        assert_eq!(judged(rounds, true, true).0.links.unwrap().level2.supported, 1);
    }
}

fn side(address: &str, scope: Scope, opens: Option<bool>) -> HostSide {
    let address: IpAddr = address.parse().unwrap();
    let connect = |open: bool| Connect {
        address,
        port: 443,
        failure: (!open).then_some(Failure::Timeout),
        started: Timestamp(0),
        duration_us: 1,
        attempt: 1,
    };
    HostSide {
        lookup: Some(LookupOutcome::Answer),
        server: server(),
        confirmed_by: another(),
        addresses: vec![(address, scope)],
        connects: opens.map(|open| vec![connect(open); if open { 1 } else { 2 }]).unwrap_or_default(),
    }
}

/// The same host, of which this machine spoilt the first attempt: one that failed is left, where two are wanted.
fn spoilt(mut side: HostSide) -> HostSide {
    side.connects[0].failure = Some(Failure::LocalResource);
    side
}

fn nothing(outcome: LookupOutcome) -> HostSide {
    HostSide { lookup: Some(outcome), server: server(), confirmed_by: another(), ..HostSide::default() }
}

fn check(host: &str, v4: HostSide, v6: HostSide) -> HostCheck {
    HostCheck { host: host.to_owned(), port: 443, v4, v6, contradicted: false, unasked: None, at: Timestamp(0) }
}

fn resource(host: &str, v4: HostSide, v6: HostSide) -> ResourceHost {
    let check = check(host, v4, v6);
    let kinds = [(ResourceKind::Script, 1), (ResourceKind::Image, 2)].into_iter().collect();
    ResourceHost { own: false, check, kinds }
}

fn with_hosts(hosts: Vec<ResourceHost>, left_out: u32) -> Round {
    let page = "https://www.a.example/".to_owned();
    let resources = Resources { page, family: Family::V6, hosts, left_out, cut: false, unread_styles: 0, scripts: 0 };
    Round { resources: Some(resources), ..Round::new(1, Timestamp(0)) }
}

#[test]
fn hosts_are_missing_only_where_ipv4_has_them() {
    let v4 = |opens| side("192.0.2.1", Scope::Public, opens);
    let v6 = |opens| side("2001:db8::1", Scope::Public, opens);
    let inside = || side("10.1.2.3", Scope::Private, None);
    let cases = [
        ("opens", v4(None), v6(Some(true)), (1, 1), (1, 1), None),
        ("absent", v4(Some(true)), nothing(LookupOutcome::Nodata), (0, 1), (0, 0), Some(Code::SkylightHost)),
        ("leftover", v4(Some(false)), nothing(LookupOutcome::Nodata), (0, 0), (0, 0), None),
        ("contradiction", v4(Some(true)), nothing(LookupOutcome::Nxdomain), (0, 0), (0, 0), None),
        (
            "literal",
            HostSide { server: None, lookup: None, ..v4(Some(true)) },
            HostSide::default(),
            (0, 1),
            (0, 1),
            Some(Code::SkylightHost),
        ),
        ("dead", v4(Some(true)), v6(Some(false)), (0, 1), (0, 0), Some(Code::SkylightV6Dead)),
        ("dead on both", v4(Some(false)), v6(Some(false)), (0, 0), (0, 0), None),
        ("dead by one try", v4(Some(true)), spoilt(v6(Some(false))), (0, 0), (0, 0), None),
        ("untried", v4(None), v6(None), (0, 0), (0, 0), None),
        ("silent", v4(None), nothing(LookupOutcome::Timeout), (0, 0), (0, 0), None),
        ("nowhere", nothing(LookupOutcome::Nxdomain), nothing(LookupOutcome::Nxdomain), (0, 0), (0, 0), None),
        ("ula", v4(Some(true)), side("fd00::1", Scope::UniqueLocal, None), (0, 1), (0, 0), Some(Code::SkylightHost)),
        ("own", v4(Some(true)), side("2001:db8:1::1", Scope::OwnNetwork, None), (0, 0), (0, 0), None),
        ("inside", inside(), nothing(LookupOutcome::Nodata), (0, 0), (0, 0), Some(Code::LinkIntranet)),
    ];
    for (what, v4, v6, proven, unproven, code) in cases {
        for (proofs, expected) in [(true, proven), (false, unproven)] {
            let round = with_hosts(vec![resource("r.example", v4.clone(), v6.clone())], 0);
            let (indicators, codes) = judged(vec![round], proofs, proofs);
            let rate = indicators.skylight.unwrap().hosts;
            assert_eq!((rate.supported, rate.judged), expected, "{what} {proofs}");
            let expected: Vec<Code> =
                code.into_iter().filter(|code| expected.1 > 0 || *code == Code::LinkIntranet && proofs).collect();
            assert_eq!(codes, expected, "{what} {proofs}");
        }
    }
}

#[test]
fn resources_weigh_by_kind() {
    let good =
        resource("a.example", side("192.0.2.1", Scope::Public, None), side("2001:db8::1", Scope::Public, Some(true)));
    let mut bad = resource("b.example", side("192.0.2.2", Scope::Public, Some(true)), nothing(LookupOutcome::Nodata));
    bad.kinds = [(ResourceKind::Image, 3)].into_iter().collect();
    let (indicators, codes) = judged(vec![with_hosts(vec![good, bad], 0)], true, true);
    let skylight = indicators.skylight.unwrap();
    assert_eq!((skylight.hosts.supported, skylight.hosts.judged), (1, 2));
    assert_eq!((skylight.resources.supported, skylight.resources.judged), (3, 6));
    assert_eq!(skylight.weighted, Some(0.7));
    assert_eq!(skylight.blocking.len(), 1);
    assert_eq!(codes, [Code::SkylightHost]);
}

#[test]
fn hosts_left_out_show() {
    let (indicators, codes) = judged(vec![with_hosts(Vec::new(), 436)], true, true);
    let skylight = indicators.skylight.unwrap();
    assert!(skylight.hosts.capped && skylight.weighted.is_none());
    assert_eq!((skylight.hosts.found, codes), (436, vec![Code::SkylightPartial]));
}

#[test]
fn what_was_not_read_shows() {
    let read = || with_hosts(Vec::new(), 0);
    let mut cut = read();
    cut.resources.as_mut().unwrap().cut = true;
    let mut unread = read();
    unread.resources.as_mut().unwrap().unread_styles = 1;
    for (round, capped) in [(read(), false), (cut, true), (unread, true)] {
        let (indicators, codes) = judged(vec![round], true, true);
        assert_eq!(indicators.skylight.unwrap().resources.capped, capped);
        assert_eq!(codes.contains(&Code::SkylightPartial), capped);
    }
    let links = vec![link("https://www.a.example/x", FetchEnd::Status(200), FetchEnd::Status(200))];
    let mut round = with_links(1, links);
    round.links.as_mut().unwrap().cut = true;
    let (indicators, codes) = judged(vec![round], true, true);
    assert!(indicators.links.unwrap().level2.capped && codes.contains(&Code::LinkCapped));
}
