//! Made-up zones for the properties: what a prober could have recorded about delegations, from a row of numbers.

use std::net::IpAddr;

use v6ready::model::address::Scope;
use v6ready::model::evidence::{
    AddressFact, Delegation, DnsTransport, Glue, LookupOutcome, NameServer, NsAnswer, Observation, ServerCheck,
    WalkStep, Whose, Word, ZoneWalk, ZoneWalkEnd,
};
use v6ready::model::time::Timestamp;

use crate::evidence::{Choices, servers};

const OUTCOMES: [LookupOutcome; 8] = [
    LookupOutcome::Answer,
    LookupOutcome::Answer,
    LookupOutcome::Timeout,
    LookupOutcome::Refused,
    LookupOutcome::Nodata,
    LookupOutcome::NodataNosoa,
    LookupOutcome::NotAsked,
    LookupOutcome::Broken,
];

/// Gives every round that used IPv6 the same or other zones.
pub(crate) fn add(observation: &mut Observation, numbers: &[u16]) {
    let mut choices = Choices::new(numbers);
    let alike = choices.below(3) != 2;
    for round in observation.rounds.iter_mut().filter(|round| !round.without_ipv6) {
        let mut again = Choices::new(numbers);
        let choices = if alike { &mut again } else { &mut choices };
        let at = round.started.plus_ms(i64::try_from(choices.below(20_000)).expect("small"));
        for (whose, zone) in [(Whose::Listed, "p.example"), (Whose::Alias, "cdn.example")] {
            if whose == Whose::Listed || choices.rarely(3) {
                round.delegations.push(delegation(choices, whose, zone, at));
            }
        }
    }
}

fn address(server: usize) -> IpAddr {
    format!("2001:db8:53::{server}").parse().expect("an address")
}

fn delegation(choices: &mut Choices<'_>, whose: Whose, zone: &str, at: Timestamp) -> Delegation {
    let names: Vec<String> = (1..=3).map(|number| format!("ns{number}.{}", choices.of(&[zone, "d.example"]))).collect();
    let mut checks = Vec::new();
    for transport in [DnsTransport::Udp, DnsTransport::Tcp] {
        checks.push(ServerCheck { asked_for: Some(".".into()), ..check(choices, 9, ".", transport, at) });
        for server in 1..=3 {
            for _ in 0..=choices.below(2) {
                checks.push(check(choices, server, zone, transport, at));
            }
        }
    }
    let ends = [
        ZoneWalkEnd::Reached,
        ZoneWalkEnd::NoAddress(zone.into()),
        ZoneWalkEnd::NoAnswer("d.example".into()),
        ZoneWalkEnd::NoUse(zone.into()),
        ZoneWalkEnd::NoRoot,
        ZoneWalkEnd::Limit,
    ];
    let step = WalkStep {
        zone: String::new(),
        name: "example".into(),
        server: servers()[0],
        outcome: choices.of(&OUTCOMES),
        authoritative: choices.of(&[Some(false), None]),
        cut: None,
        started: at,
        duration_us: 1,
    };
    Delegation {
        whose,
        zone: zone.into(),
        parent: Some("example".into()),
        referrals: (0..choices.below(3)).map(|_| answer(choices, &names, false, at)).collect(),
        own: (0..choices.below(2)).map(|_| answer(choices, &names, true, at)).collect(),
        servers: names.iter().zip(1..).map(|(name, number)| name_server(choices, name, number)).collect(),
        checks,
        walk: (!choices.rarely(4)).then(|| ZoneWalk { steps: vec![step], end: choices.of(&ends) }),
        cut_short: choices.rarely(8),
    }
}

fn check(choices: &mut Choices<'_>, server: usize, zone: &str, transport: DnsTransport, at: Timestamp) -> ServerCheck {
    let outcome = choices.of(&OUTCOMES);
    let replied = !matches!(outcome, LookupOutcome::Timeout | LookupOutcome::NotAsked);
    ServerCheck {
        address: address(server),
        transport,
        asked_for: None,
        outcome,
        broken: None,
        failure: None,
        authoritative: replied.then(|| !choices.rarely(5)),
        soa_owner: (outcome == LookupOutcome::Answer).then(|| zone.to_owned()),
        started: at,
        duration_us: 1,
        attempt: 1,
    }
}

fn answer(choices: &mut Choices<'_>, names: &[String], authoritative: bool, at: Timestamp) -> NsAnswer {
    let names: Vec<String> = names.iter().filter(|_| !choices.rarely(6)).cloned().collect();
    let authoritative = authoritative != choices.rarely(6);
    let glue = names.iter().zip(1..).filter(|_| !choices.rarely(4));
    NsAnswer {
        server: servers()[0],
        outcome: LookupOutcome::Answer,
        authoritative: Some(authoritative),
        glue: glue.map(|(name, number)| Glue { name: name.clone(), address: address(number) }).collect(),
        names,
        started: at,
        duration_us: 1,
    }
}

fn name_server(choices: &mut Choices<'_>, name: &str, number: usize) -> NameServer {
    let has = choices.below(3) != 2;
    let outcome =
        if has { LookupOutcome::Answer } else { choices.of(&[LookupOutcome::Nodata, LookupOutcome::Timeout]) };
    let scope = choices.of(&[Scope::Public, Scope::Public, Scope::Public, Scope::UniqueLocal, Scope::OwnNetwork]);
    NameServer {
        name: name.to_owned(),
        alias: choices.rarely(8).then(|| "real.example".to_owned()),
        aaaa: vec![Word { server: servers()[0], outcome }],
        addresses: if has { vec![AddressFact { address: address(number), scope, dialled: true }] } else { Vec::new() },
    }
}
