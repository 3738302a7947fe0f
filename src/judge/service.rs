//! What each family serves: for every entry of the site, how its best walk over all rounds ended.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::model::address::Family;
use crate::model::evidence::{
    CertificateFault, Exchange, Hop, Observation, Pointer, Purpose, Round, StepKind, WalkEnd,
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
        if has_mark(exchange, "challenge:") {
            Self::Challenge(exchange)
        } else if matches!(exchange.status, 429 | 503) && exchange.retry_after_s.is_some() {
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

    /// The failed step, if a step failed.
    pub(super) fn failure(&self) -> Option<&'a Failure> {
        match self {
            Self::Failed(WalkEnd::Failed(failure)) => Some(failure),
            _ => None,
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Page(_) => 5,
            Self::Challenge(_) | Self::Auth(_) => 4,
            Self::RateLimited(_) => 3,
            Self::Error(_) => 2,
            Self::Failed(WalkEnd::Failed(failure)) if failure.is_local() => 0,
            Self::Failed(_) => 1,
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
    /// Best outcome over IPv4. None: not tried.
    pub(super) v4: Option<Outcome<'a>>,
    /// Best outcome over IPv6. None: not tried.
    pub(super) v6: Option<Outcome<'a>>,
}

/// The host that was measured: the listed name, or its sibling.
pub(super) fn measured_host(observation: &Observation) -> &str {
    let sibling = observation.rounds.iter().filter_map(|round| round.sibling.as_ref()).find(|sibling| sibling.judged);
    sibling.map_or(observation.site.host.as_str(), |sibling| sibling.host.as_str())
}

/// All entries of the site.
pub(super) fn entries(observation: &Observation) -> Vec<Entry<'_>> {
    let host = measured_host(observation);
    let entries = observation.site.entries();
    entries
        .into_iter()
        .map(|(scheme, port)| {
            let url = Site::entry_url(host, scheme, port);
            let best = |family| {
                let outcomes = observation.rounds.iter().filter_map(|round| outcome(round, family, &url));
                // On equal terms the later round speaks; the first maximum is kept, so the order is reversed.
                outcomes.rev().reduce(|best, next| if next.landing.rank() > best.landing.rank() { next } else { best })
            };
            Entry { scheme, port, v4: best(Family::V4), v6: best(Family::V6) }
        })
        .collect()
}

/// How the entry with this URL ended in one round and family. None: it was not tried.
pub(super) fn outcome<'a>(round: &'a Round, family: Family, url: &str) -> Option<Outcome<'a>> {
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

/// Addresses of a family that never opened a port which others did open, over all rounds.
pub(super) fn dead_addresses(observation: &Observation, family: Family, port: u16) -> Vec<IpAddr> {
    let connects = observation.rounds.iter().flat_map(|round| &round.connects);
    let mine = connects.filter(|connect| connect.family() == family && connect.port == port);
    let (mut open, mut tried) = (BTreeSet::new(), BTreeSet::new());
    for connect in mine {
        if connect.failure.as_ref().is_some_and(Failure::is_local) {
            continue;
        }
        tried.insert(connect.address);
        if connect.is_open() {
            open.insert(connect.address);
        }
    }
    if open.is_empty() { Vec::new() } else { tried.difference(&open).copied().collect() }
}

/// Ports of the entries on which some address of the family was open.
pub(super) fn open_ports(observation: &Observation, family: Family) -> BTreeSet<u16> {
    let entries: BTreeSet<u16> = observation.site.entries().into_iter().map(|(_, port)| port).collect();
    let connects = observation.rounds.iter().flat_map(|round| &round.connects);
    connects
        .filter(|connect| connect.family() == family && connect.is_open() && entries.contains(&connect.port))
        .map(|connect| connect.port)
        .collect()
}

/// When the family was last seen to fail in a round: the end of its last failed connection, handshake or walk.
pub(super) fn failed_at(round: &Round, family: Family) -> Timestamp {
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
    connects.chain(handshakes).chain(exchanges).max().unwrap_or(round.ended)
}
