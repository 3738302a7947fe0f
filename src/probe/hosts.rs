//! Other hosts: their addresses, and whether they open. Each is found out once in a run, by the first site that names it; the
//! others wait for that. What failed is looked at again in the next round.
//!
//! Leaves to others: which hosts, and what it means.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use url::{Host, Url};

use super::Prober;
use super::record::Recorder;
use super::resolve::Known;
use super::shared::{Lasting, Shared};
use super::tries::Tries;
use crate::model::address::Family;
use crate::model::evidence::{
    Connect, HOST_TRIES, HostCheck, HostSide, LookupOutcome, RecordType, Round, is_unqualified,
};
use crate::model::failure::Failure;
use crate::net::turn::Subject;
use crate::net::work;

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
        let known = |side: &HostSide| side.public().is_some() || side.is_absent();
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

    /// The same, and whether the host opens at this port over IPv6; where it does not, whether it does over IPv4.
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
        let (v4, v6) = work::both(
            self.resolve_other(&record, host, RecordType::A),
            self.resolve_other(&record, host, RecordType::Aaaa),
        )
        .await;
        check.v4 = self.side(&record, &v4, RecordType::A);
        check.v6 = self.side(&record, &v6, RecordType::Aaaa);
        check.contradicted = work::waiting(record.contradicted()).await;
        check
    }

    fn side(&self, record: &Recorder, known: &Known, rtype: RecordType) -> HostSide {
        let server = record.read(|round| {
            let mut asked = round.lookups.iter().filter(|lookup| lookup.rtype == rtype);
            asked.find(|lookup| lookup.outcome == known.outcome).map(|lookup| lookup.server)
        });
        let scoped = known.addresses.iter().take(self.bounds.addresses);
        HostSide {
            lookup: Some(known.outcome),
            server,
            addresses: scoped.map(|address| (*address, self.net.connector.scope(*address))).collect(),
            connects: Vec::new(),
        }
    }

    async fn open_host(&self, named: &HostCheck, port: u16) -> HostCheck {
        let mut check = HostCheck { port, at: self.net.clock.now(), ..named.clone() };
        if let Some(address) = check.v6.public() {
            check.v6.connects = self.try_host(&check.host, SocketAddr::new(address, port)).await;
            // Only a host that opens over IPv4 is one that could open.
            if check.v6.opens() == Some(false)
                && let Some(address) = check.v4.public()
            {
                check.v4.connects = self.try_host(&check.host, SocketAddr::new(address, port)).await;
            }
        }
        check
    }

    async fn try_host(&self, host: &str, target: SocketAddr) -> Vec<Connect> {
        let mut connects = Vec::new();
        let mut tries = Tries::new(HOST_TRIES);
        loop {
            let attempt = tries.number();
            if attempt > 1 {
                tokio::time::sleep(self.attempts.spacing).await;
            }
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
                port: target.port(),
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
pub(super) fn obstacle(check: &HostCheck, family: Family) -> Option<crate::model::evidence::FetchEnd> {
    use crate::model::evidence::FetchEnd;
    let side = check.over(family);
    if is_unqualified(&check.host) {
        return Some(FetchEnd::Unqualified);
    }
    if check.contradicted {
        return Some(FetchEnd::Unresolved(side.lookup.unwrap_or(LookupOutcome::NotAsked)));
    }
    if side.public().is_some() {
        return None;
    }
    Some(match side.addresses.first() {
        Some((_, scope)) => FetchEnd::NotPublic(*scope),
        None if side.is_absent() => FetchEnd::NoAddress,
        None => FetchEnd::Unresolved(side.lookup.unwrap_or(LookupOutcome::NotAsked)),
    })
}
