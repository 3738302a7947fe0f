//! One zone: what its parent says, what it says itself, and who its name servers are.
//!
//! Parent and zone are asked over whichever family works, since their sets are facts about the zone. Leaves to others: the
//! name servers one by one (`checks`), who has asked before (`shared`), the way from the root (`walk`).

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::AtomicBool;

use super::budget::Budget;
use super::names::{above, is_in};
use super::walk::Walker;
use crate::model::evidence::{
    AddressFact, Delegation, DnsTransport, Glue, LookupOutcome, NameServer, NsAnswer, RecordType, ServerRole, Whose,
    Word, ZoneWalkEnd,
};
use crate::net::dns::exchange::{Ask, Heard};
use crate::net::work;
use crate::probe::Prober;
use crate::probe::shared::Lasting;

/// Name servers of a zone that are looked at: the root has thirteen, and nobody needs more.
const NAME_SERVERS: usize = 13;
/// Servers that are asked for one NS set.
const SOURCES: usize = 3;

/// What was learnt about a zone. For whose sake, each site says itself.
#[derive(Debug)]
pub(super) struct Survey(pub(super) Delegation);

impl Lasting for Survey {
    fn lasts(&self) -> bool {
        let zone = &self.0;
        let works = |transport| {
            let own = zone.checks.iter().filter(|check| check.transport == transport && !check.is_control());
            let good = own.filter(|check| check.counts(&zone.zone));
            good.map(|check| check.address).collect::<BTreeSet<_>>()
        };
        let asked = zone.servers.iter().flat_map(|server| &server.addresses).filter(|fact| fact.dialled);
        let asked: BTreeSet<IpAddr> = asked.map(|fact| fact.address).collect();
        let walked = zone.walk.as_ref();
        !zone.cut_short
            && zone.parent.is_some()
            && zone.referrals.iter().any(|answer| answer.is_given(false))
            && zone.own.iter().any(|answer| answer.is_given(true))
            && zone.servers.iter().all(|server| is_settled(&server.aaaa))
            && works(DnsTransport::Udp) == asked
            && works(DnsTransport::Tcp) == asked
            && walked.is_none_or(|walk| matches!(walk.end, ZoneWalkEnd::Reached | ZoneWalkEnd::NoAddress(_)))
    }
}

/// A name server's name, and one type of address.
#[derive(Debug, Default)]
pub(super) struct Host {
    alias: Option<String>,
    words: Vec<Word>,
    addresses: Vec<IpAddr>,
}

impl Lasting for Host {
    fn lasts(&self) -> bool {
        is_settled(&self.words)
    }
}

/// There is an answer, or all who were asked say that there is none.
fn is_settled(words: &[Word]) -> bool {
    use LookupOutcome::{Answer, Nodata, NodataNosoa, Nxdomain};
    let said = |word: &Word, outcomes: &[LookupOutcome]| outcomes.contains(&word.outcome);
    words.iter().any(|word| said(word, &[Answer]))
        || (!words.is_empty() && words.iter().all(|word| said(word, &[Nodata, NodataNosoa, Nxdomain])))
}

impl Lasting for Option<String> {
    fn lasts(&self) -> bool {
        self.is_some()
    }
}

/// Looks at one zone.
pub(super) struct Surveyor<'a> {
    pub(super) prober: &'a Prober,
    pub(super) budget: Budget,
    pub(super) round: u8,
}

impl<'a> Surveyor<'a> {
    pub(super) fn new(prober: &'a Prober, round: u8) -> Self {
        let rules = &prober.delegations.rules;
        Self { prober, budget: Budget::new(rules.queries, rules.deadline), round }
    }

    /// Looks at a zone, and walks to it.
    pub(super) async fn survey(self, zone: &str) -> Survey {
        let known = &self.prober.delegations;
        let (mut found, walk) = work::both(self.look_at(zone), async {
            if known.rules.roots.is_empty() {
                return None;
            }
            let budget = Budget::new(known.rules.queries, known.rules.deadline);
            let (net, attempts, roots) = (&self.prober.net, &self.prober.attempts, known.rules.roots.as_slice());
            let (ways, budget, round) = (&known.ways, &budget, self.round);
            Some(Walker { net, attempts, roots, ways, budget, round, circled: AtomicBool::new(false) }.to(zone).await)
        })
        .await;
        found.walk = walk;
        Survey(found)
    }

    async fn look_at(&self, zone: &str) -> Delegation {
        let parent = self.parent_of(zone).await;
        let mut found = Delegation {
            whose: Whose::Listed,
            zone: zone.to_owned(),
            parent,
            referrals: Vec::new(),
            own: Vec::new(),
            servers: Vec::new(),
            checks: Vec::new(),
            walk: None,
            cut_short: false,
        };
        self.ask_parent(&mut found, 1).await;
        self.ask_zone(&mut found).await;
        self.find_servers(&mut found).await;
        if is_in_doubt(&found) {
            // Before a parent is said to be wrong, another of its servers is heard.
            self.ask_parent(&mut found, 2).await;
        }
        self.check_servers(&mut found).await;
        found.cut_short |= !self.budget.spend();
        found
    }

    async fn parent_of(&self, zone: &str) -> Option<String> {
        let higher = above(zone).filter(|higher| !higher.is_empty())?;
        let find = async { self.prober.find_zone(higher).await.0 };
        Option::clone(&*self.prober.delegations.zones.get(higher, self.round, find).await)
    }

    /// Asks servers of the parent where the zone is, until so many have said so.
    async fn ask_parent(&self, found: &mut Delegation, wanted: usize) {
        let Some(parent) = &found.parent else { return };
        let servers = self.prober.net.authorities.serving(parent).await;
        for server in servers.iter().take(SOURCES) {
            let given = found.referrals.iter().filter(|answer| answer.is_given(false)).count();
            if given >= wanted {
                break;
            }
            if found.referrals.iter().all(|answer| answer.server != *server)
                && let Some(answer) = self.ask_for_set(&found.zone, *server).await
            {
                found.referrals.push(answer);
            }
        }
    }

    /// Asks servers of the zone itself for its NS set, until one gives it.
    async fn ask_zone(&self, found: &mut Delegation) {
        let mut names = named(&found.referrals);
        if names.is_empty() {
            let lookups = self.prober.ask_plainly(&found.zone, RecordType::Ns).await;
            names =
                lookups.into_iter().next_back().map(|lookup| lookup.names).unwrap_or_default().into_iter().collect();
        }
        for name in names.iter().take(SOURCES) {
            let Some(address) = self.any_address(found, name).await else { continue };
            if let Some(answer) = self.ask_for_set(&found.zone, SocketAddr::new(address, 53)).await {
                let given = answer.is_given(true);
                found.own.push(answer);
                if given {
                    return;
                }
            }
        }
        if found.own.is_empty() && found.referrals.iter().all(|answer| answer.names.is_empty()) {
            // Nobody but resolvers names the servers. They are checked all the same; sets are not compared.
            found.servers = names.into_iter().map(unknown).collect();
        }
    }

    /// An address at which the zone's own NS set can be asked for, IPv4 first: this is about the set, not about reach.
    async fn any_address(&self, found: &Delegation, name: &str) -> Option<IpAddr> {
        let believed = found.parent.as_ref().is_some_and(|parent| is_in(name, parent));
        let glue = found.referrals.iter().flat_map(|answer| &answer.glue).filter(|glue| believed && glue.name == name);
        let glue: BTreeSet<IpAddr> = glue.map(|glue| glue.address).collect();
        let public = |address: &IpAddr| self.prober.net.connector.scope(*address).is_public();
        if let Some(address) = glue.into_iter().find(public) {
            return Some(address);
        }
        for rtype in [RecordType::A, RecordType::Aaaa] {
            if let Some(address) = self.host(name, rtype).await.addresses.iter().copied().find(public) {
                return Some(address);
            }
        }
        None
    }

    async fn ask_for_set(&self, zone: &str, server: SocketAddr) -> Option<NsAnswer> {
        if !self.budget.spend() {
            return None;
        }
        let ask = Ask { server, role: ServerRole::Authority, checking_disabled: false, attempt: 1 };
        let Heard { lookup, referral, .. } =
            self.prober.net.exchanges.consult(zone, RecordType::Ns, ask, DnsTransport::Udp).await;
        let referral = referral.filter(|referral| referral.zone == zone);
        let below = lookup.authoritative != Some(true);
        let (names, glue) = referral.map_or_else(Default::default, |referral| {
            let glue = referral.glue.into_iter().filter(|(name, _)| below && referral.names.contains(name));
            let glue = glue.map(|(name, address)| Glue { name, address }).collect::<BTreeSet<_>>();
            (referral.names.iter().cloned().collect::<BTreeSet<_>>(), glue)
        });
        Some(NsAnswer {
            server,
            outcome: lookup.outcome,
            authoritative: lookup.authoritative,
            names: names.into_iter().collect(),
            glue: glue.into_iter().collect(),
            started: lookup.started,
            duration_us: lookup.duration_us,
        })
    }

    /// Gathers the name servers of both sides with their IPv6 addresses.
    async fn find_servers(&self, found: &mut Delegation) {
        let mut names = named(found.referrals.iter().chain(found.own.iter().filter(|answer| answer.is_given(true))));
        names.extend(found.servers.drain(..).map(|server| server.name));
        found.cut_short |= names.len() > NAME_SERVERS;
        let servers = names.into_iter().take(NAME_SERVERS).map(|name| async move {
            let host = self.host(&name, RecordType::Aaaa).await;
            let facts = host.addresses.iter().map(|address| {
                let scope = self.prober.net.connector.scope(*address);
                AddressFact { address: *address, scope, dialled: false }
            });
            NameServer { alias: host.alias.clone(), aaaa: host.words.clone(), addresses: facts.collect(), name }
        });
        found.servers = work::all(servers.collect()).await;
    }

    /// The addresses of a name server by the resolvers: one answer is enough, that there is none two must say. Silence is
    /// asked again after a pause.
    async fn host(&self, name: &str, rtype: RecordType) -> std::sync::Arc<Host> {
        let key = format!("{} {name}", rtype.name());
        let make = async {
            let mut host = Host::default();
            for attempt in 1..=self.prober.attempts.dns {
                if attempt > 1 {
                    tokio::time::sleep(self.prober.attempts.spacing).await;
                }
                self.ask_resolvers_for(&mut host, name, rtype, attempt).await;
                if host.words.iter().all(|word| word.outcome != LookupOutcome::Timeout) || is_settled(&host.words) {
                    break;
                }
            }
            host
        };
        self.prober.delegations.hosts.get(&key, self.round, make).await
    }

    async fn ask_resolvers_for(&self, host: &mut Host, name: &str, rtype: RecordType, attempt: u8) {
        for server in self.prober.resolver_order(name, self.round).into_iter().take(2) {
            if !self.budget.spend() {
                return;
            }
            let ask = Ask { server, role: ServerRole::Resolver, checking_disabled: false, attempt };
            let lookup = self.prober.net.exchanges.ask(name, rtype, ask).await;
            // Of each resolver the last word counts.
            host.words.retain(|word| word.server != server);
            host.words.push(Word { server, outcome: lookup.outcome });
            host.alias = host.alias.take().or_else(|| lookup.chain.first().map(|alias| alias.to.clone()));
            if lookup.outcome == LookupOutcome::Answer {
                host.addresses = lookup.addresses.iter().map(|record| record.address).collect();
                host.addresses.sort_unstable();
                return;
            }
        }
    }
}

fn unknown(name: String) -> NameServer {
    NameServer { name, alias: None, aaaa: Vec::new(), addresses: Vec::new() }
}

/// Every name server in these sets.
fn named<'a>(answers: impl IntoIterator<Item = &'a NsAnswer>) -> BTreeSet<String> {
    answers.into_iter().flat_map(|answer| &answer.names).cloned().collect()
}

/// The parent's word differs from the zone's, or lacks an address that the zone has.
fn is_in_doubt(found: &Delegation) -> bool {
    let own: Vec<&NsAnswer> = found.own.iter().filter(|answer| answer.is_given(true)).collect();
    found.referrals.iter().filter(|answer| answer.is_given(false)).any(|referral| {
        let lacks = |server: &NameServer| {
            let has = |address: &IpAddr| {
                referral.glue.iter().any(|glue| glue.name == server.name && glue.address == *address)
            };
            let inside = is_in(&server.name, &found.zone) && referral.names.contains(&server.name);
            inside && !server.addresses.is_empty() && !server.addresses.iter().any(|fact| has(&fact.address))
        };
        own.iter().any(|own| own.names != referral.names) || found.servers.iter().any(lacks)
    })
}
