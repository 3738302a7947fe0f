//! What a finished round shows of the lines it hung on: which of them a failure in it could have come from, and whether
//! the failure was this machine's own. Pure. Leaves to others: what follows from it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::model::address::Family;
use crate::model::evidence::{FetchEnd, Lookup, LookupOutcome, RecordType, Round, ServerRole, WalkEnd};
use crate::model::failure::Failure;
use crate::model::outage::Line;

/// A set of lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lines([bool; 3]);

impl Lines {
    /// Adds a line.
    pub fn add(&mut self, line: Line) {
        self.0[line as usize] = true;
    }

    /// The line is in the set.
    pub fn has(self, line: Line) -> bool {
        self.0[line as usize]
    }

    /// Nothing is in the set.
    pub fn is_empty(self) -> bool {
        !self.0.contains(&true)
    }

    /// The lines in the set.
    pub fn iter(self) -> impl Iterator<Item = Line> {
        Line::ALL.into_iter().filter(move |line| self.has(*line))
    }
}

impl FromIterator<Line> for Lines {
    fn from_iter<I: IntoIterator<Item = Line>>(lines: I) -> Self {
        let mut set = Self::default();
        lines.into_iter().for_each(|line| set.add(line));
        set
    }
}

/// How a site fared over one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fared {
    /// No walk over the family landed.
    pub failed: bool,
    /// The network of the first address dialled: IPv4 /16, IPv6 /32.
    pub network: u32,
}

/// What a round shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Symptoms {
    /// Lines over which something failed in it.
    pub failed: Lines,
    /// By family, IPv4 first. None: not dialled.
    pub fared: [Option<Fared>; 2],
    /// This machine ran short of something.
    pub short: bool,
    /// A link, a resource or a sample failed over IPv6: nothing that wants a second look, but a proof after it.
    pub unproven: bool,
}

impl Symptoms {
    /// Lines of the families that were dialled.
    pub fn dialled(&self) -> impl Iterator<Item = Line> {
        self.fared.into_iter().zip(Family::BOTH).filter_map(|(fared, family)| fared.map(|_| Line::of(family)))
    }
}

/// Something failed over IPv6 in what is looked at after the site's own pages.
fn fails_deeply(round: &Round) -> bool {
    let links = round.links.iter().flat_map(|links| &links.links);
    let hosts = round.resources.iter().flat_map(|resources| &resources.hosts);
    links.into_iter().any(|link| matches!(link.v6.end, FetchEnd::Failed(_)))
        || hosts.into_iter().any(|host| host.check.v6.opens() == Some(false))
        || round.samples.iter().any(|sample| sample.family == Family::V6 && sample.failure.is_some())
}

/// A question could be put to no resolver, and that was not a matter of the resolvers' addresses: one of them was asked something
/// else in the same look, or none could be asked anything.
fn unasked(lookups: &[&Lookup]) -> bool {
    let spoilt = |lookup: &&&Lookup| lookup.outcome == LookupOutcome::NotAsked;
    let reached: BTreeSet<_> = lookups.iter().filter(|lookup| !spoilt(lookup)).map(|lookup| lookup.server).collect();
    let answered: BTreeSet<_> =
        lookups.iter().filter(|lookup| !spoilt(lookup)).map(|lookup| (&lookup.name, lookup.rtype)).collect();
    lookups.iter().filter(spoilt).any(|lookup| {
        !answered.contains(&(&lookup.name, lookup.rtype)) && (reached.is_empty() || reached.contains(&lookup.server))
    })
}

/// Reads the symptoms off a round.
pub fn symptoms(round: &Round) -> Symptoms {
    let mut found = Symptoms { unproven: fails_deeply(round), ..Symptoms::default() };
    let asked = || round.lookups.iter().filter(|lookup| lookup.role == ServerRole::Resolver);
    // Some resolvers do not know of HTTPS records, and nothing hangs on these.
    let silent = asked().any(|lookup| lookup.outcome == LookupOutcome::Timeout && lookup.rtype != RecordType::Https);
    found.short = unasked(&asked().collect::<Vec<_>>());
    let unresolved = |end: &WalkEnd| matches!(end, WalkEnd::RedirectUnresolved(o) if *o != LookupOutcome::NotAsked);
    if silent || round.walks.iter().any(|walk| unresolved(&walk.end)) {
        found.failed.add(Line::Dns);
    }
    for (index, family) in Family::BOTH.into_iter().enumerate() {
        let dialled = || round.connects.iter().filter(move |connect| connect.family() == family);
        let walks = || round.walks.iter().filter(move |walk| walk.family == family);
        let greeted = round.handshakes.iter().filter(|handshake| Family::of(handshake.address) == family);
        let failures = dialled().filter_map(|connect| connect.failure.as_ref());
        let failures = failures.chain(greeted.filter_map(|handshake| handshake.failure.as_ref()));
        let failures = failures.chain(walks().filter_map(|walk| match &walk.end {
            WalkEnd::Failed(failure) => Some(failure),
            _ => None,
        }));
        let cut = walks().filter_map(|walk| walk.landing()?.body_failure.as_ref());
        for failure in failures.chain(cut) {
            found.short |= *failure == Failure::LocalResource;
            found.failed.add(Line::of(family));
        }
        found.fared[index] = dialled().next().map(|connect| Fared {
            failed: !walks().any(|walk| walk.landing().is_some()),
            network: network(connect.address),
        });
    }
    found
}

fn network(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(address) => address.to_bits() >> 16,
        IpAddr::V6(address) => u32::try_from(address.to_bits() >> 96).unwrap_or(0),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model::evidence::Connect;
    use crate::model::time::Timestamp;

    fn connect(address: &str, failure: Option<Failure>) -> Connect {
        Connect {
            address: address.parse().unwrap(),
            port: 443,
            failure,
            started: Timestamp(0),
            duration_us: 1,
            attempt: 1,
        }
    }

    /// Type, server and outcome of a lookup.
    type Asked = (RecordType, &'static str, LookupOutcome);

    /// An answer of a resolver with nothing in it.
    pub(in crate::engine) fn lookup(rtype: RecordType, server: &str, outcome: LookupOutcome) -> Lookup {
        Lookup {
            name: "a.example".to_owned(),
            rtype,
            server: server.parse().unwrap(),
            role: ServerRole::Resolver,
            transport: crate::model::evidence::DnsTransport::Udp,
            retried_over_tcp: false,
            checking_disabled: false,
            outcome,
            broken: None,
            authoritative: None,
            authenticated: None,
            soa_owner: None,
            chain: Vec::new(),
            addresses: Vec::new(),
            names: Vec::new(),
            hints: Vec::new(),
            rival: None,
            started: Timestamp(0),
            duration_us: 1,
            attempt: 1,
        }
    }

    #[test]
    fn a_question_that_reached_nobody_is_a_shortage_of_this_machine() {
        use LookupOutcome::{NotAsked, Servfail};
        use RecordType::{A, Aaaa};
        let (one, two) = ("192.0.2.53:53", "[2001:db8::53]:53");
        // Whether this machine ran short.
        let cases: [(&[Asked], bool); 6] = [
            (&[], false),
            (&[(A, one, NotAsked), (Aaaa, two, NotAsked)], true),
            (&[(A, one, Servfail), (Aaaa, one, NotAsked), (Aaaa, two, NotAsked)], true),
            (&[(A, one, Servfail), (Aaaa, one, NotAsked), (Aaaa, one, Servfail)], false),
            (&[(A, one, Servfail), (A, two, NotAsked), (Aaaa, one, Servfail), (Aaaa, two, NotAsked)], false),
            (&[(A, one, Servfail), (Aaaa, two, NotAsked)], false),
        ];
        for (lookups, short) in cases {
            let mut round = Round::new(1, Timestamp(0));
            for (rtype, server, outcome) in lookups {
                round.lookups.push(lookup(*rtype, server, *outcome));
            }
            assert_eq!(symptoms(&round).short, short, "{lookups:?}");
        }
    }

    #[test]
    fn failures_belong_to_the_line_of_their_family() {
        let lines = |lines: &[Line]| lines.iter().copied().collect::<Lines>();
        let cases = [
            (connect("192.0.2.1", None), lines(&[]), false),
            (connect("192.0.2.1", Some(Failure::Refused)), lines(&[Line::Ipv4]), false),
            (connect("2001:db8::1", Some(Failure::Timeout)), lines(&[Line::Ipv6]), false),
            (connect("2001:db8::1", Some(Failure::LocalResource)), lines(&[Line::Ipv6]), true),
            (connect("2001:db8::1", Some(Failure::NoRoute)), lines(&[Line::Ipv6]), false),
        ];
        for (connect, failed, short) in cases {
            let mut round = Round::new(1, Timestamp(0));
            round.connects.push(connect.clone());
            let found = symptoms(&round);
            assert_eq!((found.failed, found.short), (failed, short), "{connect:?}");
            let index = usize::from(connect.address.is_ipv6());
            assert!(found.fared[index].is_some_and(|fared| fared.failed) && found.fared[1 - index].is_none());
        }
        assert_eq!(network("2001:db8:1::1".parse().unwrap()), 0x2001_0db8);
        assert_eq!(network("192.0.2.1".parse().unwrap()), 0xc000);
    }
}
