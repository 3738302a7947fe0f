//! Other hosts: their addresses, and whether they open. Each is found out once in a run, by the first site that names it; the
//! others wait for that. What failed is looked at again in the next round.
//!
//! That a host has no address, or none that is public, is asked of a second source, as it is for a listed name.
//!
//! Leaves to others: which hosts, and what it means.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use url::{Host, Url};

use super::Prober;
use super::record::Recorder;
use super::shared::{Lasting, Shared};
use super::tries::Tries;
use crate::model::address::Family;
use crate::model::evidence::{
    Connect, FetchEnd, HOST_TRIES, HostCheck, HostSide, Lookup, LookupOutcome, RecordType, Round, Unasked,
    is_unqualified,
};
use crate::model::failure::Failure;
use crate::net::turn::Subject;
use crate::net::work;

/// Addresses of one host and family that are tried.
pub(super) const TRIED_PER_HOST: usize = 3;

/// What is known about other hosts.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    /// Addresses, by host.
    named: Shared<HostCheck>,
    /// The same with connections, by host and port.
    opened: Shared<HostCheck>,
}

impl Lasting for HostCheck {
    fn lasts(&self) -> bool {
        let confirmed = |side: &HostSide| side.lookup.is_none() || side.confirmed_by.is_some();
        let known = |side: &HostSide| side.public().is_some() || (side.is_absent() && confirmed(side));
        !self.contradicted && known(&self.v4) && known(&self.v6) && self.v6.opens() != Some(false)
    }
}

/// Host and port of a URL: a name in lower case, or a literal without brackets.
pub(super) fn place(url: &Url) -> Option<(String, u16)> {
    let host = match url.host()? {
        Host::Domain(name) => name.trim_end_matches('.').to_ascii_lowercase(),
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => address.to_string(),
    };
    (!host.is_empty()).then_some((host, url.port_or_known_default()?))
}

impl Prober {
    /// The addresses of a host. None: its owner asked to be left alone.
    pub(super) async fn host(&self, host: &str, number: u8) -> Option<Arc<HostCheck>> {
        if self.opt_outs.of(host).is_some() {
            return None;
        }
        Some(self.deep.hosts.named.get(host, number, Box::pin(self.name_host(host, number))).await)
    }

    /// The same, and whether the host opens at this port over IPv6; where it does not, whether it does over IPv4. Who calls
    /// this has made sure that the port is one that is gone to.
    pub(super) async fn opened_host(&self, host: &str, port: u16, number: u8) -> Option<Arc<HostCheck>> {
        let named = self.host(host, number).await?;
        let key = format!("{host} {port}");
        Some(self.deep.hosts.opened.get(&key, number, Box::pin(self.open_host(&named, port))).await)
    }

    async fn name_host(&self, host: &str, number: u8) -> HostCheck {
        let at = self.net.clock.now();
        let mut check = HostCheck {
            host: host.to_owned(),
            port: 0,
            v4: HostSide::default(),
            v6: HostSide::default(),
            contradicted: false,
            unasked: None,
            at,
        };
        if let Ok(literal) = host.parse::<IpAddr>() {
            let side = if literal.is_ipv4() { &mut check.v4 } else { &mut check.v6 };
            side.addresses.push((literal, self.net.connector.scope(literal)));
            return check;
        }
        if is_unqualified(host) {
            return check;
        }
        // The questions are nobody's in particular: they stand in no site's round.
        let record = Recorder::new(Round::new(number, at), false);
        self.resolve_listed(&record, host).await;
        for (rtype, side) in [(RecordType::A, &mut check.v4), (RecordType::Aaaa, &mut check.v6)] {
            *side = self.side(&record, rtype);
            if !side.addresses.is_empty() && side.public().is_none() {
                // A filter's answer looks like this as well.
                self.ask_another(&record, host, rtype).await;
                *side = self.side(&record, rtype);
            }
        }
        check.contradicted = work::waiting(record.contradicted()).await;
        check
    }

    /// What all sources together have said of one type: addresses if anybody gave some, else the word that two agree on.
    fn side(&self, record: &Recorder, rtype: RecordType) -> HostSide {
        let lookups: Vec<Lookup> = record.read(|round| {
            let about = round.lookups.iter().filter(|lookup| lookup.rtype == rtype && !lookup.checking_disabled);
            about.filter(|lookup| !lookup.is_suspect()).cloned().collect()
        });
        let mut addresses: Vec<IpAddr> = Vec::new();
        for record in lookups.iter().flat_map(|lookup| &lookup.addresses) {
            if !addresses.contains(&record.address) {
                addresses.push(record.address);
            }
        }
        let of = |outcome: LookupOutcome| lookups.iter().filter(move |lookup| lookup.outcome == outcome);
        let said = [LookupOutcome::Answer, LookupOutcome::Nodata, LookupOutcome::Nxdomain, LookupOutcome::NodataNosoa];
        // Of words that contradict each other none is confirmed.
        let spoken = said.into_iter().filter(|outcome| of(*outcome).next().is_some()).count();
        let lookup = said.into_iter().find(|outcome| of(*outcome).next().is_some());
        let lookup = lookup.or(lookups.first().map(|lookup| lookup.outcome)).unwrap_or(LookupOutcome::NotAsked);
        let server = of(lookup).next().map(|lookup| lookup.server);
        let other = of(lookup).map(|lookup| lookup.server).find(|other| Some(*other) != server);
        let scoped = addresses.iter().take(self.bounds.addresses);
        HostSide {
            lookup: Some(lookup),
            server,
            confirmed_by: other.filter(|_| spoken == 1),
            addresses: scoped.map(|address| (*address, self.net.connector.scope(*address))).collect(),
            connects: Vec::new(),
        }
    }

    async fn open_host(&self, named: &HostCheck, port: u16) -> HostCheck {
        let mut check = HostCheck { port, at: self.net.clock.now(), ..named.clone() };
        if self.deep.left_alone.holds(&check.host) {
            check.unasked = Some(Unasked::LeftAlone);
            return check;
        }
        check.v6.connects = self.try_host(&check.host, port, &check.v6).await;
        // Only a host that opens over IPv4 is one that could open.
        if check.v6.opens() != Some(true) {
            check.v4.connects = self.try_host(&check.host, port, &check.v4).await;
        }
        check
    }

    /// One public address after the other, until one opens.
    async fn try_host(&self, host: &str, port: u16, side: &HostSide) -> Vec<Connect> {
        let addresses: Vec<IpAddr> = side.all_public().take(TRIED_PER_HOST).collect();
        let mut connects = Vec::new();
        if addresses.is_empty() {
            return connects;
        }
        // One for each address where there are more.
        let mut tries = Tries::new(HOST_TRIES.max(addresses.len() as u8));
        loop {
            let attempt = tries.number();
            if attempt > 1 {
                tokio::time::sleep(self.attempts.spacing).await;
            }
            let target = SocketAddr::new(addresses[usize::from(tries.real()) % addresses.len()], port);
            let pass = self.net.turns.take(Subject::Request(host.to_owned(), target.ip())).await;
            let (started, begun) = (self.net.clock.now(), Instant::now());
            let deadline = if attempt == 1 { self.deadlines.connect } else { self.deadlines.connect_retry };
            let outcome = self.net.connector.connect(target, deadline).await;
            let failure = outcome.as_ref().err().cloned();
            drop((outcome, pass));
            self.net.turns.heard(host, target.ip(), failure == Some(Failure::Reset));
            // Also what is no weather must be seen twice.
            let again = failure.as_ref().is_some_and(|failure| tries.again(failure, |_| true));
            connects.push(Connect {
                address: target.ip(),
                port,
                failure,
                started,
                duration_us: super::micros(begun.elapsed()),
                attempt,
            });
            if !again {
                return connects;
            }
        }
    }
}

/// Why a host cannot be asked for anything over a family. None: it can.
pub(super) fn obstacle(check: &HostCheck, family: Family) -> Option<FetchEnd> {
    let side = check.over(family);
    let unresolved = || FetchEnd::Unresolved(side.lookup.unwrap_or(LookupOutcome::NotAsked));
    if is_unqualified(&check.host) {
        return Some(FetchEnd::Unqualified);
    }
    if check.contradicted {
        return Some(unresolved());
    }
    if side.public().is_some() {
        return None;
    }
    Some(match side.addresses.first() {
        Some((_, scope)) => FetchEnd::NotPublic(*scope),
        None if check.is_absent_over(family) => FetchEnd::NoAddress,
        None => unresolved(),
    })
}
