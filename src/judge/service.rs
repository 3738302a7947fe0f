//! What each family serves: for every entry of the site, how its best walk over all rounds ended.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::pair;
use crate::model::address::{Family, Scope};
use crate::model::evidence::{
    CertificateFault, Connect, Exchange, Hop, MssProof, Observation, Pointer, Purpose, Round, StepKind, WalkEnd,
};
use crate::model::failure::Failure;
use crate::model::site::{Scheme, Site};
use crate::model::time::Timestamp;

/// How one entry ended in one family.
#[derive(Clone, Debug)]
pub(super) struct Outcome<'a> {
    /// What came of it.
    pub(super) landing: Landing<'a>,
    /// Where the evidence is.
    pub(super) pointer: Pointer,
    /// The hops from the entry on.
    pub(super) hops: &'a [Hop],
}

/// What came of an entry.
#[derive(Clone, Copy, Debug)]
pub(super) enum Landing<'a> {
    /// 2xx, or 3xx that leads nowhere.
    Page(&'a Exchange),
    /// A challenge of a web application firewall: the service is reached, its content was not seen.
    Challenge(&'a Exchange),
    /// 401: the service is reached.
    Auth(&'a Exchange),
    /// The server asked to be left alone.
    RateLimited(&'a Exchange),
    /// Another 4xx or 5xx.
    Error(&'a Exchange),
    /// The walk did not land.
    Failed(&'a WalkEnd),
}

impl<'a> Landing<'a> {
    fn of(walk_end: &'a WalkEnd, exchange: Option<&'a Exchange>) -> Self {
        let (WalkEnd::Landed, Some(exchange)) = (walk_end, exchange) else { return Self::Failed(walk_end) };
        // A provider's notice may be made by a script, and is no challenge for that.
        if has_mark(exchange, "challenge:") && !is_not_a_site(exchange) {
            Self::Challenge(exchange)
        } else if exchange.status == 429 || (exchange.status == 503 && exchange.retry_after_s.is_some()) {
            Self::RateLimited(exchange)
        } else if exchange.status == 401 {
            Self::Auth(exchange)
        } else if exchange.is_success() {
            Self::Page(exchange)
        } else {
            Self::Error(exchange)
        }
    }

    /// The family gives the service at this entry.
    pub(super) fn serves(&self) -> bool {
        matches!(self, Self::Page(_) | Self::Challenge(_) | Self::Auth(_))
    }

    /// The response, if there was one.
    pub(super) fn exchange(&self) -> Option<&'a Exchange> {
        match self {
            Self::Page(e) | Self::Challenge(e) | Self::Auth(e) | Self::RateLimited(e) | Self::Error(e) => Some(e),
            Self::Failed(_) => None,
        }
    }

    /// Why nothing more came, where the peer was there: after its greeting, after the request, or in the middle of a page.
    pub(super) fn stall(&self) -> Option<&'a Failure> {
        let cut = match self {
            Self::Page(page) => page.body_failure.as_ref(),
            _ => self.failure(),
        };
        cut.filter(|failure| failure.is_stall())
    }

    /// The failed step, if a step failed.
    pub(super) fn failure(&self) -> Option<&'a Failure> {
        match self {
            Self::Failed(WalkEnd::Failed(failure)) => Some(failure),
            _ => None,
        }
    }

    /// The family gives the service, and shows no page that is nobody's own.
    pub(super) fn serves_a_site(&self) -> bool {
        self.serves() && !self.exchange().is_some_and(is_not_a_site)
    }

    /// Ended by a fault of ours: not evidence about the site.
    pub(super) fn is_local(&self) -> bool {
        self.failure().is_some_and(Failure::is_local)
    }

    /// Says something about the site: no fault of ours, no redirect that we could not resolve or do not follow, no
    /// request to come back later.
    pub(super) fn is_evidence(&self) -> bool {
        let doubtful = matches!(
            self,
            Self::RateLimited(_)
                | Self::Failed(
                    WalkEnd::RedirectUnresolved(_)
                        | WalkEnd::RedirectInternal(Scope::OwnNetwork)
                        | WalkEnd::RedirectPort(_)
                        | WalkEnd::RedirectOptedOut
                )
        );
        !doubtful && !self.is_local()
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Page(page) if !is_not_a_site(page) => 6,
            Self::Challenge(_) | Self::Auth(_) => 5,
            Self::Page(_) => 4,
            Self::RateLimited(_) => 3,
            Self::Error(_) => 2,
            // What says nothing about the site does not stand in the way of another round's failure that does.
            Self::Failed(_) => u8::from(self.is_evidence()),
        }
    }
}

/// The page bears a mark of this kind.
pub(super) fn has_mark(exchange: &Exchange, kind: &str) -> bool {
    exchange.page.as_ref().is_some_and(|page| page.marks.iter().any(|mark| mark.starts_with(kind)))
}

/// The page is not a site's own: a default page, a provider's notice, a name for sale.
pub(super) fn is_not_a_site(exchange: &Exchange) -> bool {
    ["default:", "block:", "parking:"].iter().any(|kind| has_mark(exchange, kind))
}

/// One way into the site, seen from both families.
#[derive(Clone, Debug)]
pub(super) struct Entry<'a> {
    pub(super) scheme: Scheme,
    pub(super) port: u16,
    /// What counts for IPv4. None: not tried.
    pub(super) v4: Option<Outcome<'a>>,
    /// What counts for IPv6. None: not tried.
    pub(super) v6: Option<Outcome<'a>>,
    /// What it was in each round.
    pub(super) rounds: Vec<Look<'a>>,
}

impl<'a> Entry<'a> {
    /// What counts for a family. None: not tried.
    pub(super) fn over(&self, family: Family) -> Option<&Outcome<'a>> {
        match family {
            Family::V4 => self.v4.as_ref(),
            Family::V6 => self.v6.as_ref(),
        }
    }
}

/// One entry in one round.
#[derive(Clone, Debug)]
pub(super) struct Look<'a> {
    pub(super) round: &'a Round,
    pub(super) v4: Option<Outcome<'a>>,
    pub(super) v6: Option<Outcome<'a>>,
}

impl<'a> Look<'a> {
    /// The outcome of a family. None: not tried.
    pub(super) fn over(&self, family: Family) -> Option<&Outcome<'a>> {
        match family {
            Family::V4 => self.v4.as_ref(),
            Family::V6 => self.v6.as_ref(),
        }
    }
}

/// The host a round measured: the listed name, or its sibling.
pub(super) fn measured_host<'a>(site: &'a Site, round: &'a Round) -> &'a str {
    let sibling = round.sibling.as_ref().filter(|sibling| sibling.judged);
    sibling.map_or(&site.host, |sibling| sibling.host.as_str())
}

/// All entries of the site.
///
/// `proven` says whether what failed over a family in a round has an alibi. A failure without one is left out, as if that
/// round had not tried, where another round of the site has one: it says something about the vantage and nothing about
/// the site. Where no round has one, all are shown, and the rules judge none.
pub(super) fn entries<'a>(observation: &'a Observation, proven: &dyn Fn(&Round, Family) -> bool) -> Vec<Entry<'a>> {
    let tried = |round: &Round, family| round.connects.iter().any(|connect| connect.family() == family);
    let known = Family::BOTH.map(|f| observation.rounds.iter().any(|round| tried(round, f) && proven(round, f)));
    let counts = |round: &Round, family| !known[usize::from(family == Family::V6)] || proven(round, family);
    let entries = observation.site.entries();
    entries.into_iter().map(|(scheme, port)| entry(observation, scheme, port, &counts)).collect()
}

/// A round in which IPv6 gave the same service counts, the last of them if there are several: success after failure is
/// success (docs/method/verdict.md). Where there is none, the best outcome of each family does.
fn entry<'a>(
    observation: &'a Observation,
    scheme: Scheme,
    port: u16,
    counts: &dyn Fn(&Round, Family) -> bool,
) -> Entry<'a> {
    let look = |round| {
        let url = Site::entry_url(measured_host(&observation.site, round), scheme, port);
        let counted = |family, outcome: &Outcome<'_>| outcome.landing.serves() || counts(round, family);
        let over = |family| outcome(round, family, &url).filter(|outcome| counted(family, outcome));
        Look { round, v4: over(Family::V4), v6: over(Family::V6) }
    };
    let rounds: Vec<Look<'a>> = observation.rounds.iter().map(look).collect();
    let best = |family| {
        let outcomes = rounds.iter().filter_map(|look| look.over(family));
        // The last of equals is kept: on equal terms the later round speaks.
        outcomes.max_by_key(|outcome| outcome.landing.rank()).cloned()
    };
    let (mut v4, mut v6) = (best(Family::V4), best(Family::V6));
    // Where IPv4 showed the site in one round, another round's default page on both families is no success.
    let shown = v4.as_ref().is_some_and(|outcome| outcome.landing.serves_a_site());
    let served = rounds.iter().rev().find_map(|look| {
        let (v4, v6) = (look.v4.as_ref()?, look.v6.as_ref()?);
        let offered = if shown { v4.landing.serves_a_site() } else { v4.landing.serves() };
        (offered && pair::serves(observation, v4, v6)).then(|| (v4.clone(), v6.clone()))
    });
    if let Some((served4, served6)) = served {
        (v4, v6) = (Some(served4), Some(served6));
    }
    Entry { scheme, port, v4, v6, rounds }
}

/// How the entry with this URL ended in one round and family. None: it was not tried.
fn outcome<'a>(round: &'a Round, family: Family, url: &str) -> Option<Outcome<'a>> {
    let (index, at) = round.entry(family, url)?;
    let walk = &round.walks[index];
    Some(Outcome {
        landing: Landing::of(&walk.end, walk.hops.last().and_then(|hop| hop.exchange.as_ref())),
        pointer: Pointer { round: round.number, step: StepKind::Walk, index },
        hops: &walk.hops[at..],
    })
}

/// The IPv4 landing page as fetched once more, from the round an outcome is of.
pub(super) fn noise<'a>(observation: &'a Observation, outcome: &Outcome<'_>) -> Option<&'a Exchange> {
    let round = observation.rounds.iter().find(|round| round.number == outcome.pointer.round)?;
    let walk = round.walks.iter().find(|walk| walk.purpose == Purpose::NoiseFloor)?;
    let same_page = walk.hops.first()?.url == outcome.hops.last()?.url;
    walk.hops.first()?.exchange.as_ref().filter(|_| same_page)
}

/// The last request of an outcome as repeated with small segments, where it had stalled, and whether that helped. None: it
/// was not repeated.
pub(super) fn mss_proof<'a>(
    observation: &'a Observation,
    outcome: &Outcome<'_>,
) -> Option<(&'a MssProof, Pointer, bool)> {
    let stall = outcome.landing.stall()?;
    let round = observation.rounds.iter().find(|round| round.number == outcome.pointer.round)?;
    let hop = outcome.hops.last()?;
    let same = |proof: &MssProof| proof.url == hop.url && Some(proof.address) == hop.address;
    let index = round.mss_proofs.iter().position(same)?;
    let proof = &round.mss_proofs[index];
    Some((proof, Pointer { round: round.number, step: StepKind::MssProof, index }, proof.helped(stall)))
}

/// From the first packet to the first byte of the response that an outcome landed on, in microseconds. None: it did not
/// land, or its connection is not recorded.
pub(super) fn first_byte_us(observation: &Observation, outcome: &Outcome<'_>) -> Option<u64> {
    let round = observation.rounds.iter().find(|round| round.number == outcome.pointer.round)?;
    let (exchange, hop) = (outcome.landing.exchange()?, outcome.hops.last()?);
    let opened = round.connects.iter().filter(|connect| {
        connect.is_open()
            && Some(connect.address) == hop.address
            && connect.port == hop.port
            && connect.started <= exchange.started
    });
    let connect = opened.max_by_key(|connect| connect.started)?.duration_us;
    let greeting = hop.handshake.and_then(|index| round.handshakes.get(index)).map_or(0, |each| each.duration_us);
    Some(connect + greeting + exchange.ttfb_us)
}

/// Certificate faults met on the hops of an outcome. None: no handshake was completed there.
pub(super) fn certificate_faults(
    observation: &Observation,
    outcome: &Outcome<'_>,
) -> Option<(BTreeSet<CertificateFault>, Pointer)> {
    let round = observation.rounds.iter().find(|round| round.number == outcome.pointer.round)?;
    let mut faults = BTreeSet::new();
    let mut at = None;
    for index in outcome.hops.iter().filter_map(|hop| hop.handshake) {
        if let Some(certificate) = round.handshakes.get(index).and_then(|handshake| handshake.certificate.as_ref()) {
            faults.extend(certificate.faults.iter().copied());
            at = at.or(Some(Pointer { round: round.number, step: StepKind::Handshake, index }));
        }
    }
    at.map(|at| (faults, at))
}

/// The connection was opened. A reset means that it was, and ended at once (a reset in answer to SYN is a refusal); whether
/// the reset is seen by this step or by the next is a matter of microseconds, and must not decide anything.
fn opened(connect: &Connect) -> bool {
    matches!(connect.failure, None | Some(Failure::Reset))
}

/// The address is one of those that the round measured, and not only of a host that they redirect to.
fn is_own(round: &Round, address: IpAddr) -> bool {
    round.addresses.iter().any(|fact| fact.address == address)
}

/// Addresses of the site in a family that never opened a port which others of them did open, over all rounds.
pub(super) fn dead_addresses(
    observation: &Observation,
    family: Family,
    port: u16,
    proven: &dyn Fn(&Round, Family) -> bool,
) -> Vec<IpAddr> {
    let connects = observation.rounds.iter().flat_map(|round| round.connects.iter().map(move |each| (round, each)));
    let mine = connects.filter(|(round, connect)| {
        connect.family() == family && connect.port == port && is_own(round, connect.address)
    });
    let (mut open, mut tried) = (BTreeSet::new(), BTreeSet::new());
    for (round, connect) in mine {
        if connect.failure.as_ref().is_some_and(Failure::is_local) || !(opened(connect) || proven(round, family)) {
            continue;
        }
        tried.insert(connect.address);
        if opened(connect) {
            open.insert(connect.address);
        }
    }
    if open.is_empty() { Vec::new() } else { tried.difference(&open).copied().collect() }
}

/// IPv6 addresses of the site that open a TLS port and never complete a handshake there, in so many rounds or more, while
/// another address does; and where that was seen.
pub(super) fn mute_addresses(
    observation: &Observation,
    port: u16,
    rounds: usize,
    proven: &dyn Fn(&Round, Family) -> bool,
) -> Vec<(IpAddr, Vec<Pointer>)> {
    let (mut speaking, mut failed) = (BTreeSet::new(), BTreeMap::<IpAddr, Vec<Pointer>>::new());
    for round in &observation.rounds {
        // Another host that the pages lead to may be at the same address, and fail there for reasons of its own.
        let host = measured_host(&observation.site, round);
        for (index, handshake) in round.handshakes.iter().enumerate() {
            let mine = handshake.port == port && handshake.address.is_ipv6() && handshake.server_name == host;
            let mine = mine && is_own(round, handshake.address);
            match &handshake.failure {
                _ if !mine => {}
                None => {
                    speaking.insert(handshake.address);
                }
                Some(failure) if failure.is_local() || !proven(round, Family::V6) => {}
                Some(_) => {
                    let at = Pointer { round: round.number, step: StepKind::Handshake, index };
                    failed.entry(handshake.address).or_default().push(at);
                }
            }
        }
    }
    let agreeing = |at: &[Pointer]| at.iter().map(|pointer| pointer.round).collect::<BTreeSet<_>>().len();
    let mute = |(address, at): &(IpAddr, Vec<Pointer>)| !speaking.contains(address) && agreeing(at) >= rounds;
    if speaking.is_empty() { Vec::new() } else { failed.into_iter().filter(mute).collect() }
}

/// Ports of the entries on which some address of the site was open in the family.
pub(super) fn open_ports(observation: &Observation, family: Family) -> BTreeSet<u16> {
    let entries: BTreeSet<u16> = observation.site.entries().into_iter().map(|(_, port)| port).collect();
    let own = |round: &&Round, connect: &&Connect| is_own(round, connect.address) && connect.family() == family;
    let connects = observation.rounds.iter().flat_map(|round| round.connects.iter().map(move |each| (round, each)));
    connects
        .filter(|(round, connect)| own(round, connect) && opened(connect) && entries.contains(&connect.port))
        .map(|(_, connect)| connect.port)
        .collect()
}

/// When the family was first and last seen to fail in a round: ends of its failed connections, handshakes and walks.
pub(super) fn failing(round: &Round, family: Family) -> (Timestamp, Timestamp) {
    let end = |started: Timestamp, micros: u64| started.plus_ms(i64::try_from(micros / 1000).unwrap_or(0));
    let connects = round
        .connects
        .iter()
        .filter(|connect| connect.family() == family && !connect.is_open())
        .map(|connect| end(connect.started, connect.duration_us));
    let handshakes = round
        .handshakes
        .iter()
        .filter(|handshake| Family::of(handshake.address) == family && handshake.failure.is_some())
        .map(|handshake| end(handshake.started, handshake.duration_us));
    let exchanges = round
        .walks
        .iter()
        .filter(|walk| walk.family == family)
        .filter_map(|walk| walk.hops.last()?.exchange.as_ref())
        .map(|exchange| end(exchange.started, exchange.total_us));
    let all: Vec<Timestamp> = connects.chain(handshakes).chain(exchanges).collect();
    let first = all.iter().copied().min().unwrap_or(round.ended);
    (first, all.into_iter().max().unwrap_or(round.ended))
}
