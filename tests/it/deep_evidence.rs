//! Made-up links, resources and samples for the properties: what a prober could have recorded of them, from a row of numbers.

use std::net::{IpAddr, SocketAddr};

use v6ready::model::address::{Family, Scope};
use v6ready::model::evidence::{
    Connect, Fetch, FetchEnd, Found, HostCheck, HostSide, Link, Links, LookupOutcome, Observation, Owner, ResourceHost,
    ResourceKind, Resources, Round, Sample, Unasked,
};
use v6ready::model::failure::{Failure, Limit};
use v6ready::model::time::Timestamp;

use crate::evidence::{Choices, servers};

const HOSTS: [&str; 6] =
    ["www.p.example", "sub.p.example", "cdn.q.example", "intranet", "198.51.100.77", "oa.p.example"];

/// Gives half of the rounds that used IPv6 what the deep profile records.
pub(crate) fn add(observation: &mut Observation, numbers: &[u16]) {
    let mut choices = Choices::new(numbers);
    for round in observation.rounds.iter_mut().filter(|round| !round.without_ipv6) {
        if choices.below(2) == 1 {
            round.links = Some(links(&mut choices, round));
            round.resources = Some(resources(&mut choices, round));
            round.samples = samples(&mut choices, round);
        }
    }
}

/// Somewhere within the round.
fn moment(choices: &mut Choices<'_>, round: &Round) -> Timestamp {
    round.started.plus_ms(i64::try_from(choices.below(20_000)).expect("small"))
}

fn is_literal(host: &str) -> bool {
    host.parse::<IpAddr>().is_ok()
}

/// Whose word something is: of two sources mostly. Nobody is asked about an address.
fn sources(choices: &mut Choices<'_>, host: &str) -> (Option<SocketAddr>, Option<SocketAddr>) {
    let all = servers();
    let second = choices.of(&[Some(all[1]), Some(all[1]), Some(all[2]), None, Some(all[0])]);
    if is_literal(host) { (None, None) } else { (Some(all[0]), second) }
}

fn links(choices: &mut Choices<'_>, round: &Round) -> Links {
    let mut links = Vec::new();
    for (number, host) in HOSTS.into_iter().enumerate().take(1 + choices.below(HOSTS.len())) {
        let (level, owner) = (choices.of(&[2, 2, 3]), choices.of(&[Owner::Internal, Owner::Internal, Owner::External]));
        let (v4, v6) = (fetch(choices, host, Family::V4, round), fetch(choices, host, Family::V6, round));
        let leads_to = (v6.location.is_some() && choices.below(4) < 3).then(|| check(choices, "sso.q.example", round));
        links.push(Link { url: format!("http://{host}/{number}"), level, owner, v4, v6, leads_to });
    }
    let of = |level, owner| links.iter().filter(|link| link.level == level && link.owner == owner).count() as u32;
    let more = choices.of(&[0, 0, 9]);
    let kinds = [(2, Owner::Internal), (2, Owner::External), (3, Owner::Internal), (3, Owner::External)];
    let found = kinds.map(|(level, owner)| Found { level, owner, links: of(level, owner) + more }).to_vec();
    let page = "http://www.p.example/".to_owned();
    Links { page, family: Family::V6, found, cut: choices.rarely(6), links, out_of_time: choices.rarely(8) }
}

fn fetch(choices: &mut Choices<'_>, host: &str, family: Family, round: &Round) -> Fetch {
    let started = moment(choices, round);
    let (server, confirmed_by) = sources(choices, host);
    let ends = [
        FetchEnd::Status(200),
        FetchEnd::Status(200),
        FetchEnd::Status(302),
        FetchEnd::Status(404),
        FetchEnd::Status(412),
        FetchEnd::Status(429),
        FetchEnd::Status(503),
        FetchEnd::NoAddress,
        FetchEnd::NoAddress,
        FetchEnd::NotPublic(Scope::Private),
        FetchEnd::NotPublic(Scope::OwnNetwork),
        FetchEnd::Failed(Failure::Timeout),
        FetchEnd::Failed(Failure::Refused),
        FetchEnd::Failed(Failure::LocalResource),
        FetchEnd::Failed(Failure::Limit(Limit::Total)),
        FetchEnd::Unresolved(LookupOutcome::Servfail),
        FetchEnd::NotMade,
        FetchEnd::Port(22),
        FetchEnd::LeftAlone,
    ];
    let end = match host {
        "intranet" => FetchEnd::Unqualified,
        _ if is_literal(host) && family == Family::V6 => FetchEnd::NoAddress,
        _ => choices.of(&ends),
    };
    let moved = matches!(end, FetchEnd::Status(300..400));
    let location = moved.then(|| choices.of(&["/login", "http://sso.q.example/"]).to_owned());
    let challenge = matches!(end, FetchEnd::Status(412)) && choices.below(2) == 1;
    let duration_us = choices.below(30_000) as u64 * 100;
    Fetch { server, confirmed_by, duration_us, location, challenge, ..Fetch::unsent(end, started) }
}

fn resources(choices: &mut Choices<'_>, round: &Round) -> Resources {
    let mut hosts = Vec::new();
    for host in HOSTS.into_iter().take(1 + choices.below(HOSTS.len())) {
        let check = check(choices, host, round);
        let kinds = [(choices.of(&ResourceKind::ALL), 1 + choices.below(3) as u32)].into_iter().collect();
        hosts.push(ResourceHost { own: choices.below(2) == 1, check, kinds });
    }
    Resources {
        page: "http://www.p.example/".to_owned(),
        family: Family::V6,
        hosts,
        left_out: choices.of(&[0, 0, 0, 5]),
        cut: choices.rarely(6),
        unread_styles: choices.of(&[0, 0, 0, 1]),
        scripts: choices.below(3) as u32,
    }
}

fn check(choices: &mut Choices<'_>, host: &str, round: &Round) -> HostCheck {
    let at = moment(choices, round);
    let unqualified = !host.contains('.');
    let mut sides = Family::BOTH.map(|family| {
        if unqualified || (is_literal(host) && family == Family::V6) {
            HostSide::default()
        } else {
            side(choices, host, family, at)
        }
    });
    if is_literal(host) {
        sides[0].lookup = None;
    }
    let unasked = choices.rarely(8).then(|| choices.of(&[Unasked::Port, Unasked::LeftAlone]));
    if unasked.is_some() {
        for side in &mut sides {
            side.connects.clear();
        }
    }
    let [v4, v6] = sides;
    HostCheck { host: host.to_owned(), port: 80, v4, v6, contradicted: choices.rarely(12), unasked, at }
}

fn side(choices: &mut Choices<'_>, host: &str, family: Family, at: Timestamp) -> HostSide {
    let (server, confirmed_by) = sources(choices, host);
    let outcomes = [LookupOutcome::Answer, LookupOutcome::Answer, LookupOutcome::Nodata, LookupOutcome::Nxdomain];
    let outcome = if is_literal(host) { LookupOutcome::Answer } else { choices.of(&outcomes) };
    let mut side = HostSide { lookup: Some(outcome), server, confirmed_by, ..HostSide::default() };
    if outcome != LookupOutcome::Answer {
        return side;
    }
    let (public, private) = match family {
        Family::V4 => ("192.0.2.77", ("10.1.2.3", Scope::Private)),
        Family::V6 => ("2001:db8::77", ("fd00::77", Scope::UniqueLocal)),
    };
    let scope = if is_literal(host) { Scope::Public } else { choices.of(&[Scope::Public, Scope::Public, private.1]) };
    let text = if scope.is_public() { public } else { private.0 };
    let address: IpAddr = text.parse().expect("an address");
    side.addresses.push((address, scope));
    if scope.is_public() {
        // That nobody answers is known after real tries only, so some addresses are dead throughout.
        let dead = choices.below(3) == 1;
        for attempt in 1..=choices.of(&[1_u8, 2, 3, 0]) {
            let failures = [None, None, Some(Failure::Timeout), Some(Failure::Refused), Some(Failure::NoRoute)];
            let failure = choices.of(if dead { &failures[2..4] } else { &failures });
            let duration_us = choices.below(9000) as u64;
            side.connects.push(Connect { address, port: 80, failure, started: at, duration_us, attempt });
        }
    }
    side
}

fn samples(choices: &mut Choices<'_>, round: &Round) -> Vec<Sample> {
    let mut samples = Vec::new();
    for number in 0..choices.of(&[0, 12, 12]) {
        let family = Family::BOTH[number % 2];
        let slow = if family == Family::V6 { choices.of(&[1, 4]) } else { 1 };
        let failure = choices.rarely(8).then(|| choices.of(&[Failure::Timeout, Failure::EarlyEof, Failure::NoRoute]));
        let us = |of: u64| Some(of * slow * 1000);
        samples.push(Sample {
            family,
            started: moment(choices, round),
            dns_us: us(5),
            tcp_us: us(30),
            first_byte_us: us(300),
            page_us: us(2600).filter(|_| failure.is_none()),
            status: choices.of(&[Some(200), Some(200), Some(429), Some(502), Some(412)]),
            failure,
            challenge: choices.rarely(8),
        });
    }
    samples
}
