//! Name servers one by one: whether each of their addresses speaks for the zone over IPv6, over UDP and over TCP; and
//! whether this vantage can ask over IPv6 at all. Leaves to others: which servers there are (`survey`).

use std::net::{IpAddr, SocketAddr};

use super::survey::Surveyor;
use crate::model::address::Scope;
use crate::model::evidence::{
    Delegation, DnsTransport, LookupOutcome, NameServer, RecordType, ServerCheck, ServerRole,
};
use crate::net::dns::exchange::{Ask, Heard};
use crate::net::work;
use crate::probe::shared::Lasting;

/// IPv6 addresses of a zone that are asked, one of each name server before the second of any.
const ADDRESSES: usize = 26;
/// Root servers that are tried as controls.
const ROOTS: usize = 3;
/// How the root's name is written.
const ROOT: &str = ".";

impl Lasting for ServerCheck {
    fn lasts(&self) -> bool {
        self.counts("")
    }
}

impl Lasting for Vec<ServerCheck> {
    fn lasts(&self) -> bool {
        let replied = |transport| self.iter().any(|check| check.transport == transport && check.replied());
        replied(DnsTransport::Udp) && replied(DnsTransport::Tcp)
    }
}

impl Surveyor<'_> {
    /// Asks every name server over IPv6 for the zone's SOA, over UDP and over TCP.
    pub(super) async fn check_servers(&self, found: &mut Delegation) {
        let addresses = choose(&mut found.servers);
        if addresses.is_empty() {
            return;
        }
        let zone = found.zone.as_str();
        let each = addresses.iter().map(|address| async move {
            let udp = self.check(zone, *address, DnsTransport::Udp).await;
            let tcp = self.check_tcp(zone, *address).await;
            udp.into_iter().chain(tcp)
        });
        let (controls, checks) = work::both(self.controls(), work::all(each.collect())).await;
        found.checks = controls.into_iter().chain(checks.into_iter().flatten()).collect();
    }

    async fn check(&self, zone: &str, address: IpAddr, over: DnsTransport) -> Vec<ServerCheck> {
        let mut checks: Vec<ServerCheck> = Vec::new();
        for attempt in 1..=self.prober.attempts.dns {
            if attempt > 1 {
                tokio::time::sleep(self.prober.attempts.spacing).await;
            }
            if !self.budget.spend() {
                break;
            }
            let check = self.ask_soa(zone, address, over, attempt).await;
            let weather = check.outcome == LookupOutcome::Timeout;
            checks.push(check);
            if !weather {
                break;
            }
        }
        checks
    }

    /// Over TCP, a server that works for one zone is not asked again for another.
    async fn check_tcp(&self, zone: &str, address: IpAddr) -> Vec<ServerCheck> {
        let mut own = Vec::new();
        let make = async {
            own = self.check(zone, address, DnsTransport::Tcp).await;
            let mut last = own.last().cloned().unwrap_or_else(|| self.not_asked(address));
            last.asked_for = Some(zone.to_owned());
            last
        };
        let known = self.prober.delegations.tcp.get(&address.to_string(), self.round, make).await;
        if !own.is_empty() {
            own
        } else if known.counts("") {
            vec![ServerCheck::clone(&known)]
        } else {
            self.check(zone, address, DnsTransport::Tcp).await
        }
    }

    fn not_asked(&self, address: IpAddr) -> ServerCheck {
        ServerCheck {
            address,
            transport: DnsTransport::Tcp,
            asked_for: None,
            outcome: LookupOutcome::NotAsked,
            broken: None,
            failure: None,
            authoritative: None,
            soa_owner: None,
            started: self.prober.net.clock.now(),
            duration_us: 0,
            attempt: 1,
        }
    }

    async fn ask_soa(&self, zone: &str, address: IpAddr, over: DnsTransport, attempt: u8) -> ServerCheck {
        let server = SocketAddr::new(address, 53);
        let ask = Ask { server, role: ServerRole::Authority, checking_disabled: false, attempt };
        let Heard { lookup, failure, .. } = self.prober.net.exchanges.consult(zone, RecordType::Soa, ask, over).await;
        ServerCheck {
            address,
            transport: over,
            asked_for: None,
            outcome: lookup.outcome,
            broken: lookup.broken,
            failure,
            authoritative: lookup.authoritative,
            soa_owner: lookup.soa_owner,
            started: lookup.started,
            duration_us: lookup.duration_us,
            attempt,
        }
    }

    /// Asks the root over IPv6, over UDP and over TCP: silence of others counts only where somebody can be heard.
    async fn controls(&self) -> Vec<ServerCheck> {
        let roots = &self.prober.delegations.rules.roots;
        let make = async {
            let mut checks: Vec<ServerCheck> = Vec::new();
            for root in roots.iter().take(ROOTS) {
                for over in [DnsTransport::Udp, DnsTransport::Tcp] {
                    let mut check = self.ask_soa(ROOT, root.ip(), over, 1).await;
                    check.asked_for = Some(ROOT.to_owned());
                    checks.push(check);
                }
                if checks.lasts() {
                    break;
                }
            }
            checks
        };
        Vec::clone(&*self.prober.delegations.controls.get(ROOT, self.round, make).await)
    }
}

/// Marks the addresses to ask: public ones, one of each name server before the second of any.
fn choose(servers: &mut [NameServer]) -> Vec<IpAddr> {
    let longest = servers.iter().map(|server| server.addresses.len()).max().unwrap_or(0);
    let mut chosen = Vec::new();
    for index in 0..longest {
        for server in &mut *servers {
            let Some(fact) = server.addresses.get_mut(index).filter(|fact| fact.scope == Scope::Public) else {
                continue;
            };
            let known = chosen.contains(&fact.address);
            fact.dialled = known || chosen.len() < ADDRESSES;
            if fact.dialled && !known {
                chosen.push(fact.address);
            }
        }
    }
    chosen
}
