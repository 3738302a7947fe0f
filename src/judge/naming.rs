//! What DNS says about a site: for each record type one of present, absent, mishandled, or not known; and the findings
//! that belong to it.
//!
//! Only questions about the listed name count (and, for its alias target, those put to the authoritative servers).
//! Positive answers win over negative ones; a negative answer needs two sources.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use crate::model::evidence::{
    BrokenReply, Lookup, LookupOutcome, Observation, Pointer, RecordType, ServerRole, StepKind,
};

/// What is known about one record type of the listed name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// There are records.
    Present,
    /// Two sources say that there are none, or the only source there is says so plainly.
    Absent(Absence),
    /// The name servers cannot answer for this type, while the name exists (RFC 4074).
    Mishandled,
    /// Not known.
    Unknown(Obstacle),
}

/// In which way records are absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Absence {
    /// The name exists without records of the type.
    Nodata,
    /// The same, but the servers leave out the SOA record.
    NodataNosoa,
    /// The name does not exist.
    Nxdomain,
}

/// Why a type's records are not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// Sources contradict each other, or only one spoke where two are needed.
    Unconfirmed,
    /// No usable answer from anybody.
    Unresolvable,
    /// The alias chain returns to itself.
    Loop,
    /// The alias chain is longer than is followed.
    TooLong,
    /// Truncated, and TCP does not work.
    NoTcp,
    /// We could not ask.
    Local,
}

/// The naming side of an observation.
#[derive(Clone, Debug)]
pub(super) struct Naming {
    /// A.
    pub(super) v4: Presence,
    /// AAAA.
    pub(super) v6: Presence,
    /// Only one source could be heard for a negative answer that was accepted.
    pub(super) single_source: bool,
    /// Records exist only with DNSSEC validation switched off.
    pub(super) bogus: bool,
    /// The alias chain's last name. None: the listed name is no alias.
    pub(super) alias: Option<String>,
    /// All lookups failed at two resolvers or more, in two rounds or more.
    pub(super) failed_everywhere: bool,
    /// Lookups of A that count.
    pub(super) evidence_v4: Vec<Pointer>,
    /// Lookups of AAAA that count.
    pub(super) evidence_v6: Vec<Pointer>,
}

struct Asked<'a> {
    pointer: Pointer,
    lookup: &'a Lookup,
}

fn asked(observation: &Observation, rtype: RecordType) -> Vec<Asked<'_>> {
    let host = observation.site.host.as_str();
    let mut asked = Vec::new();
    for round in &observation.rounds {
        for (index, lookup) in round.lookups.iter().enumerate() {
            let counts = match lookup.role {
                ServerRole::Resolver => lookup.name == host,
                // Authorities are asked only about the listed name or the end of its alias chain.
                ServerRole::Authority => true,
            };
            if counts && lookup.rtype == rtype {
                asked.push(Asked { pointer: Pointer { round: round.number, step: StepKind::Lookup, index }, lookup });
            }
        }
    }
    asked
}

/// Reads the naming side of an observation.
pub(super) fn naming(observation: &Observation) -> Naming {
    let v4 = asked(observation, RecordType::A);
    let v6 = asked(observation, RecordType::Aaaa);
    let (presence_v4, _) = presence(&v4, Presence::Unknown(Obstacle::Unconfirmed), observation);
    let (presence_v6, single_v6) = presence(&v6, presence_v4, observation);
    // The A side of NXDOMAIN rests on the AAAA side and the other way round.
    let (presence_v4, single_v4) = presence(&v4, presence_v6, observation);
    // Sources may give different chains; the choice must not depend on who was asked first.
    let end =
        |asked: &[Asked<'_>]| asked.iter().filter_map(|a| a.lookup.chain.last()).map(|alias| alias.to.clone()).min();
    let alias = end(&v6).or_else(|| end(&v4));
    let bogus = [&v4, &v6].into_iter().any(|asked| {
        let positive = |checking: bool| {
            asked.iter().any(|a| a.lookup.outcome == LookupOutcome::Answer && a.lookup.checking_disabled != checking)
        };
        positive(false) && !positive(true)
    });
    Naming {
        v4: presence_v4,
        v6: presence_v6,
        single_source: single_v4 || single_v6,
        bogus,
        alias,
        failed_everywhere: failed_everywhere(&v4, observation) && failed_everywhere(&v6, observation),
        evidence_v4: v4.iter().map(|asked| asked.pointer).collect(),
        evidence_v6: v6.iter().map(|asked| asked.pointer).collect(),
    }
}

/// Presence of one type, and whether it rests on a single source. `other` is the presence of the other type.
///
/// 1. Any positive answer: present.
/// 2. A failing or self-contradicting type of a name that has the other type, seen in two rounds at two authoritative
///    addresses that do answer for the other type: mishandled.
/// 3. The same negative answer from two sources: absent.
/// 4. Only one source can be heard at all: its NODATA with SOA or its NXDOMAIN stands once both rounds have it.
/// 5. Else not known.
fn presence(asked: &[Asked<'_>], other: Presence, observation: &Observation) -> (Presence, bool) {
    use LookupOutcome::{Answer, Nodata, NodataNosoa, Nxdomain};
    if asked.iter().any(|a| a.lookup.outcome == Answer) {
        return (Presence::Present, false);
    }
    let other_exists = other == Presence::Present;
    if other_exists && mishandled(asked, observation) {
        return (Presence::Mishandled, false);
    }
    let heard: Vec<&Asked<'_>> = asked.iter().filter(|a| speaks(a.lookup)).collect();
    let sources = |outcomes: &[LookupOutcome]| -> usize {
        let servers: BTreeSet<SocketAddr> =
            heard.iter().filter(|a| outcomes.contains(&a.lookup.outcome)).map(|a| a.lookup.server).collect();
        servers.len()
    };
    if sources(&[Nodata]) >= 2 {
        return (Presence::Absent(Absence::Nodata), false);
    }
    if sources(&[Nxdomain]) >= 2 && !other_exists {
        return (Presence::Absent(Absence::Nxdomain), false);
    }
    if sources(&[Nodata, NodataNosoa]) >= 2 {
        return (Presence::Absent(Absence::NodataNosoa), false);
    }
    let all: BTreeSet<SocketAddr> = heard.iter().map(|a| a.lookup.server).collect();
    let only_source = all.len() == 1 && asked.iter().all(|a| all.contains(&a.lookup.server) || !a.lookup.replied());
    let alone = |outcome| {
        let rounds: BTreeSet<u8> = heard.iter().map(|a| a.pointer.round).collect();
        let in_all = rounds.len() >= 2 && rounds.len() == observation.rounds.len();
        only_source && in_all && heard.iter().all(|a| a.lookup.outcome == outcome)
    };
    if alone(Nodata) {
        return (Presence::Absent(Absence::Nodata), true);
    }
    if alone(Nxdomain) && !other_exists {
        return (Presence::Absent(Absence::Nxdomain), true);
    }
    (Presence::Unknown(obstacle(asked, !heard.is_empty())), false)
}

/// An answer that can count as a source: any resolver's, and an authority's only with the AA bit.
fn speaks(lookup: &Lookup) -> bool {
    use LookupOutcome::{Nodata, NodataNosoa, Nxdomain};
    let negative = matches!(lookup.outcome, Nodata | NodataNosoa | Nxdomain);
    negative && (lookup.role == ServerRole::Resolver || lookup.authoritative == Some(true))
}

fn mishandled(asked: &[Asked<'_>], observation: &Observation) -> bool {
    use LookupOutcome::{Broken, Formerr, Notimp, Nxdomain, Refused, Servfail, Timeout};
    let wrong = |lookup: &Lookup| match lookup.outcome {
        Nxdomain | Servfail | Refused | Notimp | Formerr | Timeout => true,
        Broken => !matches!(lookup.broken, Some(BrokenReply::TruncatedNoTcp | BrokenReply::CnameTooLong)),
        _ => false,
    };
    // A server that does not answer for the other type either is out of reach, or no server of this zone.
    let answers = |asked: &Lookup| {
        let mut others = observation.rounds.iter().flat_map(|round| &round.lookups);
        others.any(|other| {
            other.server == asked.server && other.rtype != asked.rtype && other.outcome == LookupOutcome::Answer
        })
    };
    let authorities: Vec<_> =
        asked.iter().filter(|a| a.lookup.role == ServerRole::Authority && answers(a.lookup)).collect();
    let servers: BTreeSet<_> = authorities.iter().filter(|a| wrong(a.lookup)).map(|a| a.lookup.server).collect();
    let rounds: BTreeSet<_> = authorities.iter().filter(|a| wrong(a.lookup)).map(|a| a.pointer.round).collect();
    let nobody_right = !asked.iter().any(|a| a.lookup.outcome == LookupOutcome::Nodata && speaks(a.lookup));
    servers.len() >= 2 && rounds.len() >= 2 && nobody_right
}

fn obstacle(asked: &[Asked<'_>], heard: bool) -> Obstacle {
    let broken = |how: BrokenReply| asked.iter().any(|a| a.lookup.broken == Some(how));
    if broken(BrokenReply::CnameLoop) {
        Obstacle::Loop
    } else if broken(BrokenReply::CnameTooLong) {
        Obstacle::TooLong
    } else if broken(BrokenReply::TruncatedNoTcp) || broken(BrokenReply::TruncatedOverTcp) {
        Obstacle::NoTcp
    } else if heard {
        Obstacle::Unconfirmed
    } else if asked.iter().all(|a| a.lookup.outcome == LookupOutcome::NotAsked) {
        Obstacle::Local
    } else {
        Obstacle::Unresolvable
    }
}

/// Two resolvers or more were asked in two rounds or more, and none gave anything usable in any.
fn failed_everywhere(asked: &[Asked<'_>], observation: &Observation) -> bool {
    let resolvers: BTreeSet<_> =
        asked.iter().filter(|a| a.lookup.role == ServerRole::Resolver).map(|a| a.lookup.server).collect();
    let rounds: BTreeSet<_> = asked.iter().map(|a| a.pointer.round).collect();
    let useless = |lookup: &Lookup| {
        use LookupOutcome::{Answer, Nodata, NodataNosoa, NotAsked, Nxdomain};
        // An authority without the AA bit only points elsewhere: to servers that do not answer either.
        let referral = lookup.role == ServerRole::Authority && lookup.authoritative == Some(false);
        (referral && lookup.outcome == NodataNosoa)
            || !matches!(lookup.outcome, Answer | Nodata | NodataNosoa | Nxdomain | NotAsked)
    };
    resolvers.len() >= 2
        && rounds.len() >= 2
        && rounds.len() == observation.rounds.len()
        && asked.iter().all(|a| useless(a.lookup))
}
