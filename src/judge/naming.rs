//! What DNS says about a site: for each record type one of present, absent, mishandled, or not known; and the findings
//! that belong to it.
//!
//! Only questions about the listed name count (and, for its alias target, those put to the authoritative servers); where its
//! sibling is measured in its place, what is asked about that is weighed by the same rules.
//! Positive answers win over negative ones; a negative answer needs two sources that could be believed at the time
//! ([`super::resolvers`]). A suspect answer ([`Lookup::is_suspect`]) counts for nothing. A round in which a resolver was not
//! proven is set aside where enough others are left.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use super::resolvers::Resolvers;
use crate::model::address::Family;
use crate::model::evidence::{
    BrokenReply, DnsTransport, Lookup, LookupOutcome, Observation, Pointer, RecordType, ServerRole, StepKind,
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
    /// There is nothing but answers that somebody may have forged.
    Forged,
    /// There are answers, but of resolvers that were not proven to tell the truth at the time.
    Unproven,
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
    /// Resolvers answer only with DNSSEC validation switched off.
    pub(super) bogus: bool,
    /// There are AAAA records by one resolver and none by another, and no authoritative server knows them.
    pub(super) disputed_v6: bool,
    /// Answers that were contradicted over UDP, or that TCP did not confirm.
    pub(super) forged: Vec<Pointer>,
    /// The alias chain's last name. None: the listed name is no alias.
    pub(super) alias: Option<String>,
    /// No record of the listed name itself is known, whatever its sibling has.
    pub(super) nothing_listed: bool,
    /// The rounds in which every question failed, if these are all that count, two or more, and two resolvers or more were
    /// asked. Empty: it is not so.
    pub(super) failed_in: BTreeSet<u8>,
    /// Lookups of A that count.
    pub(super) evidence_v4: Vec<Pointer>,
    /// Lookups of AAAA that count.
    pub(super) evidence_v6: Vec<Pointer>,
}

#[derive(Clone, Copy)]
struct Asked<'a> {
    pointer: Pointer,
    lookup: &'a Lookup,
}

/// All questions about one type.
struct Questions<'a> {
    /// Those that count.
    asked: Vec<Asked<'a>>,
    /// These, and those of resolvers that were not proven: they decide nothing, and may cast doubt.
    heard: Vec<Asked<'a>>,
    /// Where all of them are.
    evidence: Vec<Pointer>,
    /// Why others do not count. None: all do.
    dropped: Option<Obstacle>,
    /// Rounds in which a resolver that was asked was not proven.
    unproven: BTreeSet<u8>,
}

impl Questions<'_> {
    /// Leaves the unproven answers of these rounds out of account, as if they had not been asked for.
    fn set_aside(&mut self, rounds: &BTreeSet<u8>) {
        if self.dropped == Some(Obstacle::Unproven) && self.unproven.is_subset(rounds) {
            self.dropped = None;
        }
    }
}

/// A name that is asked about, with the names its aliases lead to: its authorities are asked about these.
struct Subject<'a> {
    host: &'a str,
    names: BTreeSet<&'a str>,
}

impl<'a> Subject<'a> {
    fn new(observation: &'a Observation, host: &'a str) -> Self {
        let lookups = observation.rounds.iter().flat_map(|round| &round.lookups);
        let about = lookups.filter(|lookup| lookup.name == host);
        let targets = about.flat_map(|lookup| &lookup.chain).map(|alias| alias.to.as_str());
        Self { host, names: targets.chain([host]).collect() }
    }

    fn is_of(&self, lookup: &Lookup) -> bool {
        match lookup.role {
            ServerRole::Resolver => lookup.name == self.host,
            ServerRole::Authority => self.names.contains(lookup.name.as_str()),
        }
    }
}

fn questions<'a>(
    observation: &'a Observation,
    subject: &Subject<'_>,
    rtype: RecordType,
    resolvers: &Resolvers<'_>,
) -> Questions<'a> {
    let mut found = Questions {
        asked: Vec::new(),
        heard: Vec::new(),
        evidence: Vec::new(),
        dropped: None,
        unproven: BTreeSet::new(),
    };
    for round in &observation.rounds {
        for (index, lookup) in round.lookups.iter().enumerate() {
            if !subject.is_of(lookup) || lookup.rtype != rtype {
                continue;
            }
            let pointer = Pointer { round: round.number, step: StepKind::Lookup, index };
            found.evidence.push(pointer);
            if lookup.is_suspect() {
                found.dropped = Some(Obstacle::Forged);
                continue;
            }
            found.heard.push(Asked { pointer, lookup });
            if resolvers.counts(lookup) {
                found.asked.push(Asked { pointer, lookup });
            } else {
                found.dropped = found.dropped.or(Some(Obstacle::Unproven));
                found.unproven.insert(round.number);
            }
        }
    }
    found
}

/// Reads the naming side of an observation.
///
/// Where the sibling was measured in the listed name's place, two sources must have said of it as well that a type is absent,
/// or it is not: what is plainly absent under the listed name is what is known of the sibling.
pub(super) fn naming(observation: &Observation, resolvers: &Resolvers<'_>) -> Naming {
    let listed = naming_of(observation, &observation.site.host, resolvers);
    let mut siblings = observation.rounds.iter().filter_map(|round| round.sibling.as_ref());
    let plain = |presence| matches!(presence, Presence::Absent(Absence::Nodata | Absence::NodataNosoa));
    let Some(sibling) = siblings.find(|sibling| sibling.judged).filter(|_| listed.nothing_listed) else {
        return listed;
    };
    let of_it = naming_of(observation, &sibling.host, resolvers);
    let both = |mut evidence: Vec<Pointer>, more: &[Pointer]| {
        evidence.extend(more);
        evidence
    };
    Naming {
        v4: if plain(listed.v4) { of_it.v4 } else { listed.v4 },
        v6: if plain(listed.v6) { of_it.v6 } else { listed.v6 },
        single_source: listed.single_source || of_it.single_source,
        bogus: listed.bogus || of_it.bogus,
        disputed_v6: listed.disputed_v6 || of_it.disputed_v6,
        alias: of_it.alias.or(listed.alias),
        evidence_v4: both(listed.evidence_v4, &of_it.evidence_v4),
        evidence_v6: both(listed.evidence_v6, &of_it.evidence_v6),
        ..listed
    }
}

fn naming_of(observation: &Observation, host: &str, resolvers: &Resolvers<'_>) -> Naming {
    let subject = Subject::new(observation, host);
    let mut questions_v4 = questions(observation, &subject, RecordType::A, resolvers);
    let mut questions_v6 = questions(observation, &subject, RecordType::Aaaa, resolvers);
    let counting = Counting::new(observation, &questions_v4, &questions_v6);
    questions_v4.set_aside(&counting.aside);
    questions_v6.set_aside(&counting.aside);
    let (v4, v6) = (&questions_v4.asked, &questions_v6.asked);
    let (presence_v4, _) = presence(&questions_v4, Presence::Unknown(Obstacle::Unconfirmed), observation, &counting);
    let (presence_v6, single_v6) = presence(&questions_v6, presence_v4, observation, &counting);
    // The A side of NXDOMAIN rests on the AAAA side and the other way round.
    let (presence_v4, single_v4) = presence(&questions_v4, presence_v6, observation, &counting);
    // Sources may give different chains; the choice must not depend on who was asked first.
    let end =
        |asked: &[Asked<'_>]| asked.iter().filter_map(|a| a.lookup.chain.last()).map(|alias| alias.to.clone()).min();
    let alias = end(v6).or_else(|| end(v4));
    let everywhere = failed_everywhere(v4, &counting) && failed_everywhere(v6, &counting);
    Naming {
        v4: presence_v4,
        v6: presence_v6,
        single_source: single_v4 || single_v6,
        bogus: bogus(&questions_v4.heard, &questions_v6.heard),
        disputed_v6: disputed(&questions_v6.heard),
        forged: forged(observation),
        alias,
        nothing_listed: presence_v4 != Presence::Present && presence_v6 != Presence::Present,
        failed_in: if everywhere { counting.left(v4.iter().map(|a| a.pointer.round)) } else { BTreeSet::new() },
        evidence_v4: questions_v4.evidence,
        evidence_v6: questions_v6.evidence,
    }
}

/// The rounds a failure or a lone denial must be seen in.
struct Counting {
    /// Rounds in which a resolver was not proven, if two others or more are left: a failure needs two that agree. What is
    /// believed in them all the same counts, such as a record.
    aside: BTreeSet<u8>,
    /// How many are left.
    rounds: usize,
}

impl Counting {
    fn new(observation: &Observation, v4: &Questions<'_>, v6: &Questions<'_>) -> Self {
        let unproven: BTreeSet<u8> = v4.unproven.union(&v6.unproven).copied().collect();
        let left = observation.rounds.iter().filter(|round| !round.internal_error && !unproven.contains(&round.number));
        let aside = if left.count() >= 2 { unproven } else { BTreeSet::new() };
        Self { rounds: observation.rounds.len() - aside.len(), aside }
    }

    /// Those of these that are left.
    fn left(&self, rounds: impl Iterator<Item = u8>) -> BTreeSet<u8> {
        rounds.filter(|round| !self.aside.contains(round)).collect()
    }

    /// These are all of them, and more than one.
    fn are_all(&self, rounds: impl Iterator<Item = u8>) -> bool {
        let rounds = self.left(rounds);
        rounds.len() >= 2 && rounds.len() == self.rounds
    }
}

/// Every resolver that validates says SERVFAIL, and for one of the types there is an answer with the CD bit (RFC 4035
/// §3.2.2). A plain answer for either type, from any resolver in any round, shows that it was weather.
fn bogus(v4: &[Asked<'_>], v6: &[Asked<'_>]) -> bool {
    let by_resolvers = || v4.iter().chain(v6).map(|a| a.lookup).filter(|lookup| lookup.role == ServerRole::Resolver);
    let said = |lookup: &Lookup| lookup.outcome == LookupOutcome::Answer || is_negative(lookup.outcome);
    let plain = |lookup: &&Lookup| !lookup.checking_disabled;
    by_resolvers().any(|lookup| lookup.checking_disabled && said(lookup))
        && by_resolvers().filter(plain).any(|lookup| lookup.outcome == LookupOutcome::Servfail)
        && !by_resolvers().filter(plain).any(said)
}

/// Records by one resolver, a plain denial by another, and no authoritative server that has the records.
fn disputed(asked: &[Asked<'_>]) -> bool {
    let by = |role: ServerRole| asked.iter().map(|a| a.lookup).filter(move |lookup| lookup.role == role);
    let answer = |lookup: &Lookup| lookup.outcome == LookupOutcome::Answer;
    by(ServerRole::Resolver).any(answer)
        && by(ServerRole::Resolver).any(speaks)
        && !by(ServerRole::Authority).any(|lookup| answer(lookup) && lookup.authoritative == Some(true))
}

/// More than one cache stands behind what is said of a host's addresses: among the answers, and the denials that count, two
/// servers' or one's that has authority over the name `support` it.
pub(super) fn seconded(
    observation: &Observation,
    (host, family): (&str, Family),
    supports: impl Fn(&Lookup) -> bool,
    resolvers: &Resolvers<'_>,
) -> bool {
    let subject = Subject::new(observation, host);
    let questions = questions(observation, &subject, RecordType::of(family), resolvers);
    // An answer without the AA bit from where an authority should be is some cache's once more.
    let entitled = |lookup: &Lookup| lookup.role == ServerRole::Resolver || lookup.authoritative == Some(true);
    let answers = |lookup: &Lookup| lookup.outcome == LookupOutcome::Answer && entitled(lookup);
    let says = |lookup: &&Lookup| (answers(lookup) || speaks(lookup)) && supports(lookup);
    let saying = || questions.asked.iter().map(|a| a.lookup).filter(says);
    let servers: BTreeSet<SocketAddr> = saying().map(|lookup| lookup.server).collect();
    servers.len() >= 2
        || saying().any(|lookup| lookup.role == ServerRole::Authority && lookup.authoritative == Some(true))
}

/// Where a second answer contradicted the first, and where a forger's mark was not confirmed over TCP.
fn forged(observation: &Observation) -> Vec<Pointer> {
    let mut found = Vec::new();
    for round in &observation.rounds {
        let confirmed = |doubt: &Lookup| {
            let mut others = round.lookups.iter().filter(|other| other.transport == DnsTransport::Tcp);
            others.any(|other| (other.server, &other.name) == (doubt.server, &doubt.name) && other.is_teredo())
        };
        let suspect = round.lookups.iter().enumerate().filter(|(_, lookup)| lookup.is_suspect());
        let forged = suspect.filter(|(_, lookup)| lookup.rival.is_some() || !confirmed(lookup));
        found.extend(forged.map(|(index, _)| Pointer { round: round.number, step: StepKind::Lookup, index }));
    }
    found
}

/// Presence of one type, and whether it rests on a single source. `other` is the presence of the other type.
///
/// 1. Any positive answer: present.
/// 2. A failing or self-contradicting type of a name that has the other type, seen in two rounds at two authoritative
///    addresses that do answer for the other type: mishandled.
/// 3. The same negative answer from two sources: absent.
/// 4. Only one source can be heard at all: its NODATA with SOA or its NXDOMAIN stands once both rounds have it.
/// 5. Else not known.
fn presence(
    questions: &Questions<'_>,
    other: Presence,
    observation: &Observation,
    counting: &Counting,
) -> (Presence, bool) {
    use LookupOutcome::{Answer, Nodata, NodataNosoa, Nxdomain};
    let asked = &questions.asked;
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
    // Who was not asked, for a reason of ours, is not silent.
    let silent = |lookup: &Lookup| lookup.outcome == LookupOutcome::Timeout;
    let only_source = all.len() == 1 && asked.iter().all(|a| all.contains(&a.lookup.server) || silent(a.lookup));
    let alone = |outcome| {
        let in_all = counting.are_all(heard.iter().map(|a| a.pointer.round));
        only_source && in_all && heard.iter().all(|a| a.lookup.outcome == outcome)
    };
    if alone(Nodata) {
        return (Presence::Absent(Absence::Nodata), true);
    }
    if alone(Nxdomain) && !other_exists {
        return (Presence::Absent(Absence::Nxdomain), true);
    }
    (Presence::Unknown(questions.dropped.unwrap_or_else(|| obstacle(asked, !heard.is_empty()))), false)
}

fn is_negative(outcome: LookupOutcome) -> bool {
    use LookupOutcome::{Nodata, NodataNosoa, Nxdomain};
    matches!(outcome, Nodata | NodataNosoa | Nxdomain)
}

/// A negative answer that can count as a source: any resolver's that was free to validate it, and an authority's only
/// with the AA bit. An authority that gives an alias and nothing else says where to ask, and not what is there.
fn speaks(lookup: &Lookup) -> bool {
    let points_elsewhere = lookup.outcome == LookupOutcome::NodataNosoa && !lookup.chain.is_empty();
    is_negative(lookup.outcome)
        && match lookup.role {
            ServerRole::Resolver => !lookup.checking_disabled,
            ServerRole::Authority => lookup.authoritative == Some(true) && !points_elsewhere,
        }
}

fn mishandled(asked: &[Asked<'_>], observation: &Observation) -> bool {
    use LookupOutcome::{Broken, Formerr, Notimp, Nxdomain, Refused, Servfail, Timeout};
    let wrong = |lookup: &Lookup| match lookup.outcome {
        Nxdomain | Servfail | Refused | Notimp | Formerr | Timeout => true,
        // An answer that is too long for us is an answer.
        Broken => !matches!(
            lookup.broken,
            Some(BrokenReply::TruncatedNoTcp | BrokenReply::TruncatedOverTcp | BrokenReply::CnameTooLong)
        ),
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
fn failed_everywhere(asked: &[Asked<'_>], counting: &Counting) -> bool {
    let resolvers: BTreeSet<_> =
        asked.iter().filter(|a| a.lookup.role == ServerRole::Resolver).map(|a| a.lookup.server).collect();
    let useless = |lookup: &Lookup| {
        use LookupOutcome::{Answer, Nodata, NodataNosoa, NotAsked, Nxdomain};
        // An authority without the AA bit only points elsewhere: to servers that do not answer either.
        let referral = lookup.role == ServerRole::Authority && lookup.authoritative == Some(false);
        (referral && lookup.outcome == NodataNosoa)
            || !matches!(lookup.outcome, Answer | Nodata | NodataNosoa | Nxdomain | NotAsked)
    };
    resolvers.len() >= 2
        && counting.are_all(asked.iter().map(|a| a.pointer.round))
        && asked.iter().all(|a| useless(a.lookup))
}
