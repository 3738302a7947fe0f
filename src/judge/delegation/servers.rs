//! The name servers of a zone over IPv6: which have it, and in which state their addresses are.
//!
//! A server works at an address if, over UDP and over TCP, it gave the zone's SOA with authority in some round. Leaves to
//! others: which findings that makes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::{Look, Proof, Zone, is_negative};
use crate::model::address::Scope;
use crate::model::evidence::{BrokenReply, DnsTransport, LookupOutcome, NameServer, ServerCheck};

/// Whether a name server has a public IPv6 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Has6 {
    Yes,
    No,
    Unknown,
}

/// How an address of a name server answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Over UDP and TCP, with authority.
    Works,
    /// Not at all over UDP.
    Silent,
    /// Wrongly; the word says how.
    Lame(&'static str),
    /// Over UDP only.
    NoTcp,
    /// It failed, which is not confirmed.
    Unconfirmed,
    /// It was not asked.
    Unknown,
}

/// One name server.
#[derive(Debug)]
pub(super) struct Server<'a> {
    pub(super) name: &'a str,
    /// What it is an alias of, which it must not be.
    pub(super) alias: Option<&'a str>,
    pub(super) has6: Has6,
    /// Its public IPv6 addresses.
    pub(super) addresses: BTreeMap<IpAddr, State>,
}

impl Server<'_> {
    /// It can be used over IPv6. None: not known.
    pub(super) fn works(&self) -> Option<bool> {
        let is = |states: &[State]| self.addresses.values().any(|state| states.contains(state));
        match self.has6 {
            Has6::Yes if is(&[State::Works]) => Some(true),
            Has6::Yes if is(&[State::Unconfirmed, State::Unknown]) => None,
            Has6::Yes | Has6::No => Some(false),
            Has6::Unknown => None,
        }
    }
}

/// Every name server that any look at the zone found.
pub(super) fn servers<'a>(zone: &Zone<'a>, proof: &Proof<'_>) -> Vec<Server<'a>> {
    let records = |look: &Look<'a>| look.facts.servers.iter();
    let names: BTreeSet<&str> = zone.looks.iter().flat_map(records).map(|server| server.name.as_str()).collect();
    let each = names.into_iter().map(|name| {
        let found: Vec<&NameServer> = zone.looks.iter().flat_map(records).filter(|s| s.name == name).collect();
        let facts = found.iter().flat_map(|server| &server.addresses).filter(|fact| fact.scope == Scope::Public);
        let addresses: BTreeSet<IpAddr> = facts.map(|fact| fact.address).collect();
        Server {
            name,
            alias: found.iter().find_map(|server| server.alias.as_deref()),
            has6: has6(&found),
            addresses: addresses.into_iter().map(|address| (address, state(zone, address, proof))).collect(),
        }
    });
    each.collect()
}

fn has6(found: &[&NameServer]) -> Has6 {
    let scopes = || found.iter().flat_map(|server| &server.addresses).map(|fact| fact.scope);
    let none = |server: &&&NameServer| {
        // Addresses that are not public are none.
        !server.addresses.is_empty()
            || (!server.aaaa.is_empty() && server.aaaa.iter().all(|word| is_negative(word.outcome)))
    };
    if scopes().any(Scope::is_public) {
        Has6::Yes
    } else if scopes().all(|scope| scope != Scope::OwnNetwork) && found.iter().any(|server| none(&server)) {
        Has6::No
    } else {
        Has6::Unknown
    }
}

/// What one look found at an address by one transport. None: nothing that counts was asked.
fn last<'a>(look: &Look<'a>, address: IpAddr, transport: DnsTransport) -> Option<&'a ServerCheck> {
    let asked = look.facts.checks.iter().filter(|check| {
        let of_address = check.address == address && check.transport == transport && !check.is_control();
        of_address && check.outcome != LookupOutcome::NotAsked
    });
    asked.max_by_key(|check| check.attempt)
}

/// 1. UDP gave the SOA with authority in some round, and so did TCP: it works.
/// 2. UDP did, TCP was tried and did not: no TCP. So also where the answer does not fit UDP.
/// 3. UDP was tried and did not. It replied: lame; it never did: silent.
/// 4. A failure is one if enough rounds agree, each with the vantage proven, and for silence with somebody else heard.
fn state(zone: &Zone<'_>, address: IpAddr, proof: &Proof<'_>) -> State {
    let over = |transport: DnsTransport| {
        let looks = zone.looks.iter().filter_map(move |look| Some((look, last(look, address, transport)?)));
        looks.collect::<Vec<_>>()
    };
    let (udp, tcp) = (over(DnsTransport::Udp), over(DnsTransport::Tcp));
    let good = |looks: &[(&Look<'_>, &ServerCheck)]| looks.iter().any(|(_, check)| check.counts(zone.name));
    let confirmed = |looks: &[(&Look<'_>, &ServerCheck)]| {
        let counts = looks
            .iter()
            .filter(|(look, check)| (proof.at)(check.started) && (check.replied() || look.hears(check.transport)));
        counts.count() >= proof.rounds
    };
    let truncated = udp.iter().any(|(_, check)| check.broken == Some(BrokenReply::TruncatedNoTcp));
    let (failing, state) = match (good(&udp), good(&tcp)) {
        (true, true) => return State::Works,
        (true, false) => (&tcp, State::NoTcp),
        (false, _) if truncated => (&udp, State::NoTcp),
        (false, _) => (&udp, udp.iter().find(|(_, check)| check.replied()).map_or(State::Silent, |(_, c)| lame(c))),
    };
    match failing.len() {
        0 => State::Unknown,
        _ if confirmed(failing) => state,
        _ => State::Unconfirmed,
    }
}

/// In which way an answer does not count.
fn lame(check: &ServerCheck) -> State {
    use LookupOutcome::{Answer, Nodata, NodataNosoa, Nxdomain};
    State::Lame(match (check.outcome, check.broken) {
        (Answer | Nodata | NodataNosoa | Nxdomain, _) if check.authoritative != Some(true) => "not_authoritative",
        (Answer, _) => "wrong_zone",
        (_, Some(broken)) => broken.word(),
        (outcome, None) => outcome.word(),
    })
}
