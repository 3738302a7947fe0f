//! The authoritative servers of a name, found through hickory-resolver: zone cut by SOA, its NS set, their addresses.
//!
//! Many schools share a zone or its name servers, so hickory's cache and a table per zone make one provider's servers
//! looked up once per run. Nothing found here is evidence about a site: it only says whom to ask.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hickory_resolver::Resolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioHandle;
use hickory_resolver::net::{DnsError, NetError, NoRecords};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use tokio::sync::OnceCell;

use super::provider::Provider;
use super::wire::{EDNS_PAYLOAD, text};
use crate::model::evidence::ServerRole;
use crate::net::connect::Connector;
use crate::net::turn::{Subject, Turns};
use crate::net::work;

/// Name servers looked at per zone.
const NAME_SERVERS: usize = 13;
/// Addresses used per name server.
const ADDRESSES: usize = 4;
/// Labels walked up in search of a zone cut.
const CLIMB: usize = 8;

type Shared = Arc<OnceCell<Arc<[SocketAddr]>>>;

/// Finds authoritative servers.
pub struct Authorities {
    /// One pair for each server: hickory would choose among several itself.
    resolvers: Vec<Server>,
    /// The resolver that answered last.
    preferred: AtomicUsize,
    turns: Arc<dyn Turns>,
    connector: Connector,
    /// Questions that could not be asked, for a reason of this machine's.
    spoilt: Arc<AtomicU64>,
    /// Those of them that a shortage of this machine's was the reason for.
    short: Arc<AtomicU64>,
    zones: Mutex<HashMap<String, Shared>>,
}

/// A resolver, as hickory asks it.
struct Server {
    address: SocketAddr,
    udp: Resolver<Provider>,
    /// For answers that do not fit UDP. Apart from the other, so that a query over an open connection has its turn as well.
    tcp: Resolver<Provider>,
}

/// What came of a question.
enum Said {
    /// Records.
    Records(Lookup),
    /// There are none.
    Nothing(NoRecords),
    /// Nobody said anything usable.
    Silence,
    /// Nobody did, and not all were asked, for a reason of this machine's.
    NotAsked,
}

impl std::fmt::Debug for Authorities {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authorities").finish_non_exhaustive()
    }
}

/// The resolvers of this machine (`/etc/resolv.conf`, or the system's settings).
pub fn system_resolvers() -> Result<Vec<SocketAddr>, NetError> {
    let (config, _options) = hickory_resolver::system_conf::read_system_conf()?;
    let mut servers: Vec<SocketAddr> = Vec::new();
    for server in config.name_servers() {
        for connection in &server.connections {
            let address = SocketAddr::new(server.ip, connection.port);
            if !servers.contains(&address) {
                servers.push(address);
            }
        }
    }
    Ok(servers)
}

impl Authorities {
    /// Looks servers up through these resolvers.
    pub fn new(
        resolvers: &[SocketAddr],
        timeout: Duration,
        connector: Connector,
        turns: Arc<dyn Turns>,
    ) -> Result<Self, NetError> {
        let (spoilt, short) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let provider = Provider {
            connector: connector.clone(),
            turns: Arc::clone(&turns),
            handle: TokioHandle::default(),
            spoilt: Arc::clone(&spoilt),
            short: Arc::clone(&short),
        };
        let each = |server: &SocketAddr| {
            let stub = |connection| stub(*server, connection, timeout, provider.clone());
            Ok(Server { address: *server, udp: stub(ConnectionConfig::udp())?, tcp: stub(ConnectionConfig::tcp())? })
        };
        let resolvers = resolvers.iter().map(each).collect::<Result<_, NetError>>()?;
        let (preferred, zones) = (AtomicUsize::new(0), Mutex::new(HashMap::new()));
        Ok(Self { resolvers, preferred, turns, connector, spoilt, short, zones })
    }

    /// Addresses of the authoritative servers of the zone a name is in, public ones only, IPv4 before IPv6, one
    /// address of each server before the second of any. Empty: the zone or its servers could not be found.
    pub async fn of(&self, name: &str) -> Arc<[SocketAddr]> {
        let Some(zone) = self.zone_of(name).await else { return Arc::from([]) };
        self.serving(&zone).await
    }

    /// The same for a zone that is known by its apex.
    pub async fn serving(&self, zone: &str) -> Arc<[SocketAddr]> {
        let cell = {
            let mut zones = self.zones.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(zones.entry(zone.to_owned()).or_default())
        };
        // That nothing was found may be an outage, which is over when the next name of the zone is asked for.
        let found = cell.get_or_try_init(|| async {
            let before = work::shortages();
            let servers = self.servers_of(zone).await;
            // Some of them may be missing that are asked for when the look is made again.
            if servers.is_empty() || work::shortages() > before { Err(servers) } else { Ok(servers) }
        });
        found.await.map_or_else(|few| few, Arc::clone)
    }

    /// Asks the resolvers one after another until one says something.
    async fn lookup(&self, name: Name, rtype: RecordType) -> Said {
        let first = self.preferred.load(Ordering::Relaxed);
        let counts = || [&self.spoilt, &self.short].map(|count| count.load(Ordering::Relaxed));
        let [spoilt, short] = counts();
        for number in 0..self.resolvers.len() {
            let index = (first + number) % self.resolvers.len();
            let said = match self.resolvers[index].ask(&name, rtype, self.turns.as_ref()).await {
                Ok(lookup) => Said::Records(lookup),
                Err(NetError::Dns(DnsError::NoRecordsFound(nothing))) if is_denial(&nothing) => Said::Nothing(nothing),
                Err(error) => {
                    // More questions wait than hickory holds.
                    let busy = u64::from(matches!(error, NetError::Busy));
                    self.spoilt.fetch_add(busy, Ordering::Relaxed);
                    self.short.fetch_add(busy, Ordering::Relaxed);
                    continue;
                }
            };
            self.preferred.store(index, Ordering::Relaxed);
            return said;
        }
        // Questions of other sites count as well: then more is left unknown than need be, and nothing wrong is said.
        let now = counts();
        if now[1] != short {
            work::ran_short();
        }
        if now[0] == spoilt { Said::Silence } else { Said::NotAsked }
    }

    /// The zone a name is in: the owner of the SOA that comes with the answer. Labels are never counted, since
    /// `school.edu.cn` is not judged by `edu.cn`; only where no server answers at all, the parent is asked instead.
    async fn zone_of(&self, name: &str) -> Option<String> {
        let mut at = Name::from_ascii(format!("{name}.")).ok()?;
        for _ in 0..CLIMB {
            match self.lookup(at.clone(), RecordType::SOA).await {
                Said::Records(lookup) => {
                    let soa = lookup.answers().iter().find(|record| matches!(record.data, RData::SOA(_)));
                    if let Some(record) = soa {
                        return Some(text(&record.name));
                    }
                }
                Said::Nothing(nothing) => {
                    if let Some(soa) = nothing.soa {
                        return Some(text(&soa.name));
                    }
                }
                Said::Silence => {}
                // The parent is not asked in the place of a name that nobody was asked about.
                Said::NotAsked => return None,
            }
            if at.num_labels() <= 1 {
                return None;
            }
            at = at.base_name();
        }
        None
    }

    async fn servers_of(&self, zone: &str) -> Arc<[SocketAddr]> {
        let Ok(name) = Name::from_ascii(format!("{zone}.")) else { return Arc::from([]) };
        let Said::Records(lookup) = self.lookup(name, RecordType::NS).await else { return Arc::from([]) };
        let mut hosts: Vec<Name> = lookup
            .answers()
            .iter()
            .filter_map(|record| match &record.data {
                RData::NS(ns) => Some(ns.0.clone()),
                _ => None,
            })
            .collect();
        // In a fixed order, so that two runs ask the same servers.
        hosts.sort();
        hosts.truncate(NAME_SERVERS);
        let mut per_host: Vec<Vec<SocketAddr>> = Vec::new();
        for host in hosts {
            let mut addresses = self.addresses(&host, RecordType::A).await;
            addresses.extend(self.addresses(&host, RecordType::AAAA).await);
            per_host.push(addresses.into_iter().map(|address| SocketAddr::new(address, 53)).collect());
        }
        let longest = per_host.iter().map(Vec::len).max().unwrap_or(0);
        (0..longest).flat_map(|i| per_host.iter().filter_map(move |host| host.get(i).copied())).collect()
    }

    async fn addresses(&self, host: &Name, rtype: RecordType) -> Vec<IpAddr> {
        let Said::Records(lookup) = self.lookup(host.clone(), rtype).await else { return Vec::new() };
        let addresses = lookup.answers().iter().filter_map(|record| match &record.data {
            RData::A(a) => Some(IpAddr::V4(a.0)),
            RData::AAAA(aaaa) => Some(IpAddr::V6(aaaa.0)),
            _ => None,
        });
        addresses.filter(|address| self.connector.scope(*address).is_public()).take(ADDRESSES).collect()
    }
}

impl Server {
    /// One question over UDP, and again over TCP where the answer does not fit. Every datagram has its turn ([`Provider`]).
    async fn ask(&self, name: &Name, rtype: RecordType, turns: &dyn Turns) -> Result<Lookup, NetError> {
        match self.udp.lookup(name.clone(), rtype).await {
            Err(NetError::Truncated) => {
                drop(turns.take(Subject::Query(self.address, ServerRole::Resolver)).await);
                self.tcp.lookup(name.clone(), rtype).await
            }
            said => said,
        }
    }
}

/// hickory on one server, by one transport. Its defaults are changed where they would hide or invent something: no hosts file,
/// no search list (names are absolute), nothing asked twice.
fn stub(
    server: SocketAddr,
    mut connection: ConnectionConfig,
    timeout: Duration,
    provider: Provider,
) -> Result<Resolver<Provider>, NetError> {
    connection.port = server.port();
    let servers = vec![NameServerConfig::new(server.ip(), false, vec![connection])];
    let mut builder = Resolver::builder_with_config(ResolverConfig::from_parts(None, Vec::new(), servers), provider);
    let options = builder.options_mut();
    options.ndots = 0;
    options.timeout = timeout;
    // hickory counts the repeats.
    options.attempts = 0;
    options.edns0 = true;
    options.edns_payload_len = EDNS_PAYLOAD;
    options.cache_size = 4096;
    options.use_hosts_file = ResolveHosts::Never;
    options.num_concurrent_reqs = 1;
    options.max_active_requests = 1024;
    builder.build()
}

/// Says that there is nothing, which another resolver need not say again.
fn is_denial(nothing: &NoRecords) -> bool {
    matches!(nothing.response_code, ResponseCode::NoError | ResponseCode::NXDomain)
}
