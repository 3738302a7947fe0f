//! What the delegation of a site's zones means: which findings there are about name servers over IPv6, and whether a resolver
//! that has IPv6 only finds the site.
//!
//! Nothing here turns a pass into a fail. The zone of the listed name is the school's to mend and gives defects; of the
//! zones of its alias chain only that the chain breaks there is a defect, since to its users that is all the same. What was
//! said counts at once; silence and wrong answers count if enough rounds agree and the vantage was proven. Leaves to
//! others: when it was proven (`rollup/proof.rs`), and the verdict.

mod servers;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::slice;

use self::servers::{Has6, Server, State, servers};
use super::findings::Findings;
use crate::model::evidence::{
    Delegation, DnsTransport, LookupOutcome, NsAnswer, Observation, Pointer, StepKind, Whose, ZoneWalkEnd,
};
use crate::model::finding::Code;
use crate::model::time::Timestamp;

/// When a failure counts as one.
pub(super) struct Proof<'a> {
    /// Rounds that must agree.
    pub(super) rounds: usize,
    /// Whether the vantage's IPv6 was proven around a moment.
    pub(super) at: &'a dyn Fn(Timestamp) -> bool,
}

/// The numbers beside the findings.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Indicators {
    /// Name servers of the listed name's zone that work over IPv6, and all of them. None: not known.
    pub(super) ns6: Option<(u32, u32)>,
    /// A resolver that has IPv6 only finds the servers of all zones that the site needs. None: not known.
    pub(super) resolves6: Option<bool>,
}

/// One look at a zone.
#[derive(Clone, Copy, Debug)]
struct Look<'a> {
    pointer: Pointer,
    facts: &'a Delegation,
}

impl Look<'_> {
    /// Somebody was heard over IPv6 by this transport, so that silence of others is theirs.
    fn hears(&self, transport: DnsTransport) -> bool {
        let check = self.facts.checks.iter().any(|check| check.transport == transport && check.replied());
        let steps = self.facts.walk.iter().flat_map(|walk| &walk.steps);
        check || (transport == DnsTransport::Udp && steps.into_iter().any(|step| step.authoritative.is_some()))
    }
}

/// All looks at one zone.
struct Zone<'a> {
    name: &'a str,
    looks: Vec<Look<'a>>,
}

impl<'a> Zone<'a> {
    fn pointers(&self) -> Vec<Pointer> {
        self.looks.iter().map(|look| look.pointer).collect()
    }

    /// NS sets as the parent gives them, or as the zone itself does.
    fn sets(&self, own: bool) -> impl Iterator<Item = &'a NsAnswer> {
        let answers = move |look: &Look<'a>| if own { &look.facts.own } else { &look.facts.referrals };
        self.looks.iter().flat_map(answers).filter(move |answer| answer.is_given(own))
    }
}

/// The zones for which one of these reasons holds, and was first.
fn zones(observation: &Observation, whose: Whose) -> Vec<Zone<'_>> {
    let mut by_name: BTreeMap<&str, Vec<Look<'_>>> = BTreeMap::new();
    let mut listed: BTreeSet<&str> = BTreeSet::new();
    for round in &observation.rounds {
        for (index, facts) in round.delegations.iter().enumerate() {
            let pointer = Pointer { round: round.number, step: StepKind::Delegation, index };
            by_name.entry(&facts.zone).or_default().push(Look { pointer, facts });
            if facts.whose == Whose::Listed {
                listed.insert(&facts.zone);
            }
        }
    }
    let wanted = |name: &str| listed.contains(name) == (whose == Whose::Listed);
    let zones = by_name.into_iter().filter(|(name, _)| wanted(name));
    zones.map(|(name, looks)| Zone { name, looks }).collect()
}

/// Adds what is found about the zones of a site. `alias` is the last name of its alias chain.
pub(super) fn judge(
    observation: &Observation,
    alias: Option<&str>,
    proof: &Proof<'_>,
    findings: &mut Findings,
) -> Indicators {
    let mut indicators = Indicators::default();
    let listed = zones(observation, Whose::Listed);
    let others = zones(observation, Whose::Alias);
    for zone in &listed {
        let servers = servers(zone, proof);
        note_servers(zone, &servers, findings);
        note_sets(zone, &servers, findings);
        indicators.ns6 = working(&servers);
    }
    for zone in &others {
        let servers = servers(zone, proof);
        if let Some((works, all)) = working(&servers).filter(|(works, _)| *works < 2) {
            let args = [("zone", zone.name.to_owned()), ("working", works.to_string()), ("total", all.to_string())];
            findings.add_with(Code::AliasZoneNs6, &args, &zone.pointers());
        }
    }
    let all: Vec<&Zone<'_>> = listed.iter().chain(&others).collect();
    let ways: Vec<Way> = all.iter().map(|zone| way(zone, proof)).collect();
    for (zone, way) in all.iter().zip(&ways) {
        note_way(zone, way, findings);
    }
    let covered = alias.is_none_or(|alias| all.iter().any(|zone| is_in(alias, zone.name)));
    indicators.resolves6 = if ways.iter().any(|way| matches!(way, Way::Ends { .. })) {
        Some(false)
    } else {
        let arrives = !listed.is_empty() && covered && ways.iter().all(|way| matches!(way, Way::Arrives));
        arrives.then_some(true)
    };
    indicators
}

/// Name servers that work over IPv6, and all. None: of some it is not known.
fn working(servers: &[Server<'_>]) -> Option<(u32, u32)> {
    let known = !servers.is_empty() && servers.iter().all(|server| server.works().is_some());
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    known.then(|| {
        let works = servers.iter().filter(|server| server.works() == Some(true)).count();
        (count(works), count(servers.len()))
    })
}

fn note_servers(zone: &Zone<'_>, servers: &[Server<'_>], findings: &mut Findings) {
    let of_zone = ("zone", zone.name.to_owned());
    let having = |has: Has6| servers.iter().filter(move |server| server.has6 == has);
    let with = having(Has6::Yes).count();
    if !servers.is_empty() && having(Has6::No).count() == servers.len() {
        let names: Vec<_> = servers.iter().map(|server| ("server", server.name.to_owned())).collect();
        findings.add_with(Code::NsV4only, &[slice::from_ref(&of_zone), &names].concat(), &zone.pointers());
    } else if with == 1 && having(Has6::No).count() + 1 == servers.len() {
        let names: Vec<_> = having(Has6::Yes).map(|server| ("server", server.name.to_owned())).collect();
        findings.add_with(Code::Ns6Single, &[slice::from_ref(&of_zone), &names].concat(), &zone.pointers());
    }
    for server in servers {
        if let Some(alias) = server.alias {
            let args = [of_zone.clone(), ("server", server.name.to_owned()), ("target", alias.to_owned())];
            findings.add_with(Code::NsIsCname, &args, &zone.pointers());
        }
        for (address, state) in &server.addresses {
            let place = [of_zone.clone(), ("server", server.name.to_owned()), ("address", address.to_string())];
            let (code, word) = match state {
                State::Works | State::Unknown => continue,
                State::Unconfirmed => (Code::Ns6Unconfirmed, None),
                State::Silent => (Code::Ns6Unreachable, None),
                State::NoTcp => (Code::Ns6TcpFail, None),
                State::Lame(word) => (Code::Ns6Lame, Some(("answer", (*word).to_owned()))),
            };
            let args: Vec<_> = place.into_iter().chain(word).collect();
            findings.add_with(code, &args, &zone.pointers());
        }
    }
}

/// The parent against the zone: who the name servers are, and where those within the zone are.
fn note_sets(zone: &Zone<'_>, servers: &[Server<'_>], findings: &mut Findings) {
    let parent: Vec<&NsAnswer> = zone.sets(false).collect();
    let own: Vec<&NsAnswer> = zone.sets(true).collect();
    let differ = |p: &&NsAnswer| own.iter().all(|o| o.names != p.names);
    if let (Some(p), Some(o)) = (parent.first(), own.first())
        && parent.iter().all(differ)
    {
        let only = |here: &NsAnswer, there: &NsAnswer| -> Vec<String> {
            here.names.iter().filter(|name| !there.names.contains(name)).cloned().collect()
        };
        let mut args = vec![("zone", zone.name.to_owned())];
        args.extend(only(p, o).into_iter().map(|name| ("parent_only", name)));
        args.extend(only(o, p).into_iter().map(|name| ("child_only", name)));
        findings.add_with(Code::DelegationDiff, &args, &zone.pointers());
    }
    for server in servers.iter().filter(|server| server.has6 == Has6::Yes && is_in(server.name, zone.name)) {
        let naming: Vec<_> = parent.iter().filter(|set| set.names.iter().any(|name| name == server.name)).collect();
        let has = |set: &NsAnswer, address: &IpAddr| {
            set.glue.iter().any(|glue| glue.name == server.name && glue.address == *address)
        };
        let lacks = |set: &&&NsAnswer| !server.addresses.keys().any(|address| has(set, address));
        if !naming.is_empty() && naming.iter().all(lacks) {
            let args = [("zone", zone.name.to_owned()), ("server", server.name.to_owned())];
            findings.add_with(Code::GlueMissingV6, &args, &zone.pointers());
        }
    }
}

/// The way of a resolver without IPv4 to a zone.
enum Way {
    Arrives,
    /// It ends at a zone, for a reason; confirmed.
    Ends {
        at: String,
        why: &'static str,
    },
    /// It ended, which is not confirmed.
    Unconfirmed,
    /// Not made, or nothing can be said.
    Unknown,
}

fn way(zone: &Zone<'_>, proof: &Proof<'_>) -> Way {
    let walks: Vec<_> = zone.looks.iter().filter_map(|look| look.facts.walk.as_ref()).collect();
    if walks.iter().any(|walk| walk.end == ZoneWalkEnd::Reached) {
        return Way::Arrives;
    }
    let mut failures = Vec::new();
    for walk in &walks {
        match &walk.end {
            // Somebody who can be heard has said that there is no address.
            ZoneWalkEnd::NoAddress(at) => return Way::Ends { at: at.clone(), why: "no_address" },
            ZoneWalkEnd::NoAnswer(at) => failures.push((walk, at, "no_answer")),
            ZoneWalkEnd::NoUse(at) => failures.push((walk, at, "no_use")),
            ZoneWalkEnd::Reached | ZoneWalkEnd::NoRoot | ZoneWalkEnd::Limit => {}
        }
    }
    let proven = failures.iter().filter(|(walk, _, _)| walk.steps.last().is_some_and(|step| (proof.at)(step.started)));
    match failures.last() {
        None => Way::Unknown,
        Some((_, at, why)) if proven.count() >= proof.rounds => Way::Ends { at: (*at).clone(), why },
        Some(_) => Way::Unconfirmed,
    }
}

fn note_way(zone: &Zone<'_>, way: &Way, findings: &mut Findings) {
    let Way::Ends { at, why } = way else { return };
    let explains = [Code::NsV4only, Code::Ns6Unreachable, Code::Ns6Lame, Code::GlueMissingV6, Code::Ns6Unconfirmed];
    // What is wrong with the zone itself has been said.
    let of_listed = zone.looks.iter().any(|look| look.facts.whose == Whose::Listed);
    if of_listed && at == zone.name && explains.iter().any(|code| findings.has(*code)) {
        return;
    }
    let args = [("zone", at.clone()), ("why", (*why).to_owned())];
    findings.add_with(Code::V6ChainBroken, &args, &zone.pointers());
}

/// A name is a zone's apex or lies below it.
fn is_in(name: &str, zone: &str) -> bool {
    name == zone || name.strip_suffix(zone).is_some_and(|front| front.ends_with('.'))
}

/// The source says plainly that there is nothing.
fn is_negative(outcome: LookupOutcome) -> bool {
    matches!(outcome, LookupOutcome::Nodata | LookupOutcome::NodataNosoa | LookupOutcome::Nxdomain)
}

#[cfg(test)]
mod tests;
