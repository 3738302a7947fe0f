//! Zones made up in a line each, and what is found about them.

use super::*;
use crate::model::address::Scope;
use crate::model::evidence::{
    AddressFact, BrokenReply, EVIDENCE_VERSION, Glue, NameServer, Round, ServerCheck, WalkStep, Word, ZoneWalk,
};
use crate::model::site::Site;

const ZONE: &str = "z.example";

fn address(last: u8) -> IpAddr {
    format!("2001:db8::{last}").parse().unwrap()
}

fn word(outcome: LookupOutcome) -> Word {
    Word { server: "192.0.2.53:53".parse().unwrap(), outcome }
}

fn with_v6(name: &str, last: u8) -> NameServer {
    let fact = AddressFact { address: address(last), scope: Scope::Public, dialled: true };
    NameServer { name: name.into(), alias: None, aaaa: vec![word(LookupOutcome::Answer)], addresses: vec![fact] }
}

fn without_v6(name: &str) -> NameServer {
    let aaaa = vec![word(LookupOutcome::Nodata), word(LookupOutcome::Nodata)];
    NameServer { name: name.into(), alias: None, aaaa, addresses: Vec::new() }
}

fn check(last: u8, transport: DnsTransport, outcome: LookupOutcome, authoritative: Option<bool>) -> ServerCheck {
    ServerCheck {
        address: address(last),
        transport,
        asked_for: None,
        outcome,
        broken: None,
        failure: None,
        authoritative,
        soa_owner: authoritative.map(|_| ZONE.to_owned()),
        started: Timestamp(1000),
        duration_us: 0,
        attempt: 1,
    }
}

fn control(transport: DnsTransport) -> ServerCheck {
    let asked_for = Some(".".to_owned());
    ServerCheck { asked_for, ..check(99, transport, LookupOutcome::Answer, Some(true)) }
}

/// Both transports work.
fn well(last: u8) -> Vec<ServerCheck> {
    [DnsTransport::Udp, DnsTransport::Tcp].map(|over| check(last, over, LookupOutcome::Answer, Some(true))).to_vec()
}

fn silent(last: u8) -> Vec<ServerCheck> {
    [DnsTransport::Udp, DnsTransport::Tcp].map(|over| check(last, over, LookupOutcome::Timeout, None)).to_vec()
}

fn set(names: &[&str], glue: &[(&str, u8)], authoritative: bool) -> NsAnswer {
    NsAnswer {
        server: "192.0.2.1:53".parse().unwrap(),
        outcome: LookupOutcome::Answer,
        authoritative: Some(authoritative),
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        glue: glue.iter().map(|(name, last)| Glue { name: (*name).to_owned(), address: address(*last) }).collect(),
        started: Timestamp(1000),
        duration_us: 0,
    }
}

fn walk(end: ZoneWalkEnd) -> ZoneWalk {
    let step = WalkStep {
        zone: String::new(),
        name: "example".into(),
        server: "[2001:db8::99]:53".parse().unwrap(),
        outcome: LookupOutcome::NodataNosoa,
        authoritative: Some(false),
        cut: Some("example".into()),
        started: Timestamp(1000),
        duration_us: 0,
    };
    ZoneWalk { steps: vec![step], end }
}

/// Two name servers outside of the zone, both well, and a parent that agrees.
fn healthy() -> Delegation {
    let names = ["ns1.p.example", "ns2.p.example"];
    Delegation {
        whose: Whose::Listed,
        zone: ZONE.into(),
        parent: Some("example".into()),
        referrals: vec![set(&names, &[], false)],
        own: vec![set(&names, &[], true)],
        servers: vec![with_v6(names[0], 1), with_v6(names[1], 2)],
        checks: [vec![control(DnsTransport::Udp), control(DnsTransport::Tcp)], well(1), well(2)].concat(),
        walk: Some(walk(ZoneWalkEnd::Reached)),
        cut_short: false,
    }
}

/// Replaces what was found at the second server.
fn second(checks: Vec<ServerCheck>) -> Delegation {
    let mut zone = healthy();
    zone.checks.retain(|check| check.address != address(2));
    zone.checks.extend(checks);
    zone
}

fn found(rounds: &[Vec<Delegation>], proven: bool) -> (Vec<Code>, Indicators) {
    let rounds = rounds.iter().zip(1..).map(|(zones, number)| {
        let mut round = Round::new(number, Timestamp(0));
        round.delegations.clone_from(zones);
        round
    });
    let site = Site::new("www.z.example", None, None, None);
    let observation = Observation { version: EVIDENCE_VERSION, site, rounds: rounds.collect() };
    let mut findings = Findings::default();
    let proof = Proof { rounds: 2, at: &|_| proven };
    let indicators = judge(&observation, None, &proof, &mut findings);
    (findings.into_sorted().into_iter().map(|finding| finding.code).collect(), indicators)
}

/// Two rounds that saw the same.
fn twice(zone: &Delegation) -> (Vec<Code>, Indicators) {
    found(&[vec![zone.clone()], vec![zone.clone()]], true)
}

#[test]
fn a_healthy_zone_gives_nothing_and_one_look_is_enough() {
    let indicators = Indicators { ns6: Some((2, 2)), resolves6: Some(true) };
    assert_eq!(found(&[vec![healthy()]], false), (vec![], indicators));
    assert_eq!(found(&[vec![]], true), (vec![], Indicators::default()));
}

#[test]
fn who_has_addresses_was_said_and_needs_no_second_round() {
    let servers = |servers: Vec<NameServer>| {
        let mut zone = healthy();
        zone.checks.retain(|check| servers.iter().flat_map(|s| &s.addresses).any(|fact| fact.address == check.address));
        zone.servers = servers;
        found(&[vec![zone]], false)
    };
    let (n1, n2, n3) = ("ns1.p.example", "ns2.p.example", "ns3.p.example");
    let (codes, indicators) = servers(vec![without_v6(n1), without_v6(n2)]);
    assert_eq!((codes, indicators.ns6), (vec![Code::NsV4only], Some((0, 2))));
    let (codes, indicators) = servers(vec![with_v6(n1, 1), without_v6(n2), without_v6(n3)]);
    assert_eq!((codes, indicators.ns6), (vec![Code::Ns6Single], Some((1, 3))));
    assert_eq!(servers(vec![with_v6(n1, 1)]).0, [Code::Ns6Single]);
    // An address that is not public is none; one in our own network says nothing.
    let mut odd = with_v6(n2, 2);
    odd.addresses[0].scope = Scope::UniqueLocal;
    assert_eq!(servers(vec![without_v6(n1), odd.clone()]).0, [Code::NsV4only]);
    odd.addresses[0].scope = Scope::OwnNetwork;
    assert_eq!(servers(vec![without_v6(n1), odd]), (vec![], Indicators { ns6: None, resolves6: Some(true) }));
    // One of two resolvers did not speak: not known.
    let mut half = without_v6(n2);
    half.aaaa[1].outcome = LookupOutcome::Timeout;
    assert_eq!(servers(vec![without_v6(n1), half.clone()]).1.ns6, None);
    half.aaaa.clear();
    assert_eq!(servers(vec![without_v6(n1), half]).0, []);
}

#[test]
fn failures_of_servers() {
    use DnsTransport::{Tcp, Udp};
    let wrong_zone =
        |over| ServerCheck { soa_owner: Some("example".into()), ..check(2, over, LookupOutcome::Answer, Some(true)) };
    let truncated =
        ServerCheck { broken: Some(BrokenReply::TruncatedNoTcp), ..check(2, Udp, LookupOutcome::Broken, Some(true)) };
    let udp_only = vec![well(2).remove(0), check(2, Tcp, LookupOutcome::Timeout, None)];
    let cases = [
        (silent(2), Code::Ns6Unreachable),
        // UDP is what counts first.
        (vec![check(2, Udp, LookupOutcome::Timeout, None), well(2).remove(1)], Code::Ns6Unreachable),
        (udp_only, Code::Ns6TcpFail),
        (vec![truncated, check(2, Tcp, LookupOutcome::Timeout, None)], Code::Ns6TcpFail),
        (vec![check(2, Udp, LookupOutcome::Refused, Some(false))], Code::Ns6Lame),
        (vec![check(2, Udp, LookupOutcome::Servfail, Some(false))], Code::Ns6Lame),
        (vec![check(2, Udp, LookupOutcome::Answer, Some(false))], Code::Ns6Lame),
        (vec![check(2, Udp, LookupOutcome::NodataNosoa, Some(false))], Code::Ns6Lame),
        (vec![wrong_zone(Udp), wrong_zone(Tcp)], Code::Ns6Lame),
    ];
    for (checks, code) in cases {
        let zone = second(checks);
        let (codes, indicators) = twice(&zone);
        assert_eq!((codes, indicators.ns6), (vec![code], Some((1, 2))), "{zone:?}");
        // One round, or no proof: nothing is claimed.
        assert_eq!(found(&[vec![zone.clone()]], true).0, [Code::Ns6Unconfirmed]);
        let (codes, indicators) = found(&[vec![zone.clone()], vec![zone.clone()]], false);
        assert_eq!((codes, indicators.ns6), (vec![Code::Ns6Unconfirmed], None));
        // Success in one round is success.
        assert_eq!(found(&[vec![zone], vec![healthy()]], true).0, []);
    }
}

#[test]
fn silence_counts_only_where_somebody_is_heard() {
    let mut zone = healthy();
    zone.walk = None;
    zone.checks = [silent(1), silent(2)].concat();
    let (codes, indicators) = twice(&zone);
    assert_eq!((codes, indicators), (vec![Code::Ns6Unconfirmed], Indicators::default()));
    zone.checks.push(control(DnsTransport::Tcp));
    assert_eq!(twice(&zone).0, [Code::Ns6Unconfirmed]);
    zone.checks.push(control(DnsTransport::Udp));
    assert_eq!(twice(&zone).0, [Code::Ns6Unreachable]);
    // What we could not ask says nothing.
    for check in &mut zone.checks {
        check.outcome = LookupOutcome::NotAsked;
    }
    assert_eq!(twice(&zone), (vec![], Indicators::default()));
}

#[test]
fn parent_against_zone() {
    let inside = ["ns1.z.example", "ns2.z.example"];
    let zone = |parent: NsAnswer, own: NsAnswer| Delegation {
        referrals: vec![parent],
        own: vec![own],
        servers: vec![with_v6(inside[0], 1), with_v6(inside[1], 2)],
        ..healthy()
    };
    let glue = [(inside[0], 1), (inside[1], 2)];
    let good = zone(set(&inside, &glue, false), set(&inside, &[], true));
    assert_eq!(twice(&good).0, []);
    let missing = zone(set(&inside, &glue[..1], false), set(&inside, &[], true));
    assert_eq!(twice(&missing).0, [Code::GlueMissingV6]);
    let stale = zone(set(&inside, &[(inside[0], 1), (inside[1], 7)], false), set(&inside, &[], true));
    assert_eq!(twice(&stale).0, [Code::GlueMissingV6]);
    let fewer = zone(set(&inside[..1], &glue[..1], false), set(&inside, &[], true));
    assert_eq!(twice(&fewer).0, [Code::DelegationDiff]);
    // A parent that serves the zone as well shows no referral, and a zone without authority no set.
    assert_eq!(twice(&zone(set(&inside[..1], &[], true), set(&inside, &[], true))).0, []);
    assert_eq!(twice(&zone(set(&inside[..1], &glue[..1], false), set(&inside, &[], false))).0, []);
    // Another of the parent's servers says it rightly.
    let mut two = missing.clone();
    two.referrals.push(set(&inside, &glue, false));
    assert_eq!(twice(&two).0, []);
    let mut alias = good;
    alias.servers[0].alias = Some("real.z.example".into());
    assert_eq!(twice(&alias).0, [Code::NsIsCname]);
}

#[test]
fn the_way_from_the_root() {
    let ends = |end: ZoneWalkEnd| Delegation { walk: Some(walk(end)), ..healthy() };
    let elsewhere = || "p.example".to_owned();
    let once = |zone: Delegation, proven| found(&[vec![zone]], proven);
    let (codes, indicators) = once(ends(ZoneWalkEnd::NoAddress(elsewhere())), false);
    assert_eq!((codes, indicators.resolves6), (vec![Code::V6ChainBroken], Some(false)));
    for end in [ZoneWalkEnd::NoAnswer(elsewhere()), ZoneWalkEnd::NoUse(elsewhere())] {
        assert_eq!(twice(&ends(end.clone())).0, [Code::V6ChainBroken]);
        assert_eq!(once(ends(end.clone()), true), (vec![], Indicators { ns6: Some((2, 2)), resolves6: None }));
        assert_eq!(found(&[vec![ends(end.clone())], vec![ends(end)]], false).0, []);
    }
    for end in [ZoneWalkEnd::NoRoot, ZoneWalkEnd::Limit] {
        assert_eq!(twice(&ends(end)), (vec![], Indicators { ns6: Some((2, 2)), resolves6: None }));
    }
    // What is wrong with the zone itself is said once.
    let mut v4only = ends(ZoneWalkEnd::NoAddress(ZONE.into()));
    v4only.servers = vec![without_v6("ns1.p.example"), without_v6("ns2.p.example")];
    assert_eq!(twice(&v4only), (vec![Code::NsV4only], Indicators { ns6: Some((0, 2)), resolves6: Some(false) }));
}

#[test]
fn the_zone_of_an_alias_is_kept_apart() {
    let mut cdn = second(silent(2));
    (cdn.whose, cdn.zone) = (Whose::Alias, "cdn.example".into());
    for check in cdn.checks.iter_mut().filter(|check| check.soa_owner.is_some() && !check.is_control()) {
        check.soa_owner = Some("cdn.example".into());
    }
    let both = vec![healthy(), cdn.clone()];
    let (codes, indicators) = found(&[both.clone(), both], true);
    assert_eq!((codes, indicators.ns6), (vec![Code::AliasZoneNs6], Some((2, 2))));
    cdn.walk = Some(walk(ZoneWalkEnd::NoAddress("cdn.example".into())));
    let both = vec![healthy(), cdn];
    let (codes, indicators) = found(&[both.clone(), both], true);
    assert_eq!((codes, indicators.resolves6), (vec![Code::V6ChainBroken, Code::AliasZoneNs6], Some(false)));
}
