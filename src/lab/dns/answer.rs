//! From a query to what a pretended server sends back: a pure function of the world, apart from counting queries.
//!
//! Resolvers follow aliases across the whole lab; authoritative servers speak for their zones only, point to zones
//! below them, and refuse the rest. Leaves sockets, delays and the log to [`super`].

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hickory_proto::op::{Edns, Message, Query, ResponseCode};
use hickory_proto::rr::rdata::svcb::{IpHint, SVCB, SvcParamKey, SvcParamValue};
use hickory_proto::rr::rdata::{A, AAAA, CNAME, HTTPS, MX, NS, NULL, SOA};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use hickory_proto::serialize::binary::BinEncodable;

use super::facts::{Asked, Deed, NameFacts, Odd, ServerFacts, Speech, ZoneFacts, canonical};
use super::zones::{Zone, Zones, ancestors};
use crate::lab::RESOLVERS;
use crate::model::evidence::{self, DnsTransport, ServerRole};

/// Records in one answer chain before a resolver gives up following (as common resolvers do).
const CHAIN: usize = 24;
/// Time to live of records that say nothing else, and of negative answers.
pub(super) const TTL: u32 = 300;
/// Type number of DNAME (RFC 6672).
const DNAME: RecordType = RecordType::Unknown(39);

/// A query as the lab sees it.
#[derive(Clone, Debug)]
pub(super) struct Asking {
    /// The pretended server.
    pub(super) server: SocketAddr,
    /// What it is.
    pub(super) role: ServerRole,
    /// The transport.
    pub(super) transport: DnsTransport,
    /// The name, canonical.
    pub(super) name: String,
    /// The type.
    pub(super) rtype: RecordType,
    /// The CD bit.
    pub(super) cd: bool,
}

/// What goes back.
#[derive(Debug, Default)]
pub(super) struct Reply {
    /// How long to wait before sending.
    pub(super) delay: Duration,
    /// Messages to send. Empty: nothing is sent.
    pub(super) messages: Vec<Vec<u8>>,
    /// How long to wait between two messages.
    pub(super) gap: Duration,
    /// Over TCP, byte by byte with a pause after each.
    pub(super) drip: bool,
}

/// All pretended DNS servers.
#[derive(Debug)]
pub(in crate::lab) struct Directory {
    names: BTreeMap<String, NameFacts>,
    pub(super) zones: Zones,
    servers: Mutex<BTreeMap<IpAddr, ServerFacts>>,
    pub(super) queries: AtomicU64,
    odd_counts: HashMap<String, Vec<AtomicU64>>,
    rotation: AtomicU64,
}

/// An answer under construction.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) code: Option<ResponseCode>,
    authoritative: bool,
    pub(super) answers: Vec<Record>,
    pub(super) authorities: Vec<Record>,
    additionals: Vec<Record>,
    pub(super) deed: Deed,
    delay: Duration,
    owner: Option<String>,
    first: Vec<Record>,
}

impl Directory {
    /// All servers of a world.
    pub(in crate::lab) fn new(
        names: &BTreeMap<String, NameFacts>,
        zones: &BTreeMap<String, ZoneFacts>,
        servers: &BTreeMap<IpAddr, ServerFacts>,
    ) -> Self {
        let names: BTreeMap<_, _> = names.iter().map(|(name, facts)| (canonical(name), facts.clone())).collect();
        let counters = |facts: &NameFacts| facts.odd.iter().map(|_| AtomicU64::new(0)).collect();
        Self {
            zones: Zones::new(&names, zones),
            odd_counts: names.iter().map(|(name, facts)| (name.clone(), counters(facts))).collect(),
            servers: Mutex::new(servers.clone()),
            queries: AtomicU64::new(0),
            rotation: AtomicU64::new(0),
            names,
        }
    }

    /// What a pretended address is to a client that asks it on port 53. None: nothing.
    pub(in crate::lab) fn role(&self, address: IpAddr) -> Option<ServerRole> {
        if RESOLVERS.contains(&address) {
            Some(ServerRole::Resolver)
        } else {
            self.zones.is_server(address).then_some(ServerRole::Authority)
        }
    }

    /// How a server is reached.
    pub(in crate::lab) fn reach(&self, address: IpAddr) -> ServerFacts {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner).get(&address).copied().unwrap_or_default()
    }

    /// From now on a server is reached, and behaves, like this.
    pub(in crate::lab) fn change(&self, address: IpAddr, facts: ServerFacts) {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner).insert(address, facts);
    }

    /// What a server sends back for a query.
    pub(super) fn reply(&self, query: &Message, asking: &Asking) -> Reply {
        let mut draft = Draft { authoritative: asking.role == ServerRole::Authority, ..Draft::default() };
        let facts = self.reach(asking.server.ip());
        match facts.speaks {
            Speech::Refused => {
                draft.authoritative = false;
                draft.code = Some(ResponseCode::Refused);
            }
            Speech::Servfail => {
                draft.authoritative = false;
                draft.code = Some(ResponseCode::ServFail);
            }
            speaks => {
                self.fill(&mut draft, asking);
                draft.authoritative &= speaks != Speech::WithoutAuthority;
            }
        }
        if let Some(habit) = facts.habit {
            self.distort(&mut draft, asking, habit);
        }
        let (mut delay, mut gap) = (draft.delay, Duration::ZERO);
        if draft.deed == Deed::Twice {
            std::mem::swap(&mut delay, &mut gap);
        }
        let drip = draft.deed == Deed::Drip;
        Reply { delay, gap, drip, messages: draft.encode(query, asking) }
    }

    /// Walks from the name asked for along its aliases.
    fn fill(&self, draft: &mut Draft, asking: &Asking) {
        let mut name = asking.name.clone();
        loop {
            let zone = self.zones.of(&name);
            if asking.role == ServerRole::Authority && !self.zones.speaks_for(asking.server.ip(), &zone.origin) {
                self.refer(draft, asking, &name);
                return;
            }
            if let Some(odd) = self.odd(&name, asking) {
                draft.delay = Duration::from_millis(odd.ms);
                draft.deed = odd.deed;
                draft.owner.clone_from(&odd.owner);
                if odd.deed != Deed::Answer || !odd.answers.is_empty() {
                    draft.first = odd.answers.iter().map(|address| address_record(&name, TTL, *address)).collect();
                    self.misbehave(draft, asking, &name, zone);
                    return;
                }
            }
            let Some(target) = self.follow(draft, &name, asking.rtype) else {
                self.finish(draft, asking, &name, zone);
                return;
            };
            let seen = draft.answers.iter().any(|record| canonical(&record.name.to_ascii()) == target);
            if seen || draft.answers.len() >= CHAIN {
                return;
            }
            name = target;
        }
    }

    /// Adds the alias records of a name, and gives the name they lead to.
    fn follow(&self, draft: &mut Draft, name: &str, rtype: RecordType) -> Option<String> {
        let facts = self.names.get(name);
        if let Some(target) = facts.and_then(|facts| facts.cname.as_deref()).filter(|_| rtype != RecordType::CNAME) {
            let target = canonical(target);
            draft.answers.push(record(name, ttl(facts), RData::CNAME(CNAME(wire_name(&target)))));
            return Some(target);
        }
        let (owner, target) = ancestors(name).skip(1).find_map(|owner| {
            let target = self.names.get(owner)?.dname.as_deref()?;
            Some((owner.to_owned(), canonical(target)))
        })?;
        let front = name.strip_suffix(&owner)?;
        let synthesised = format!("{front}{target}");
        // Encoding a name into a fresh buffer leaves it uncompressed, as DNAME wants it.
        let data = wire_name(&target).to_bytes().unwrap_or_default();
        draft.answers.push(record(&owner, TTL, RData::Unknown { code: DNAME, rdata: NULL::with(data) }));
        draft.answers.push(record(name, TTL, RData::CNAME(CNAME(wire_name(&synthesised)))));
        Some(synthesised)
    }

    /// The end of the chain: data, no data, or no such name.
    fn finish(&self, draft: &mut Draft, asking: &Asking, name: &str, zone: &Zone) {
        let before = draft.answers.len();
        draft.answers.extend(self.records(name, asking.rtype, zone));
        if draft.answers.len() == before {
            draft.authorities.push(soa(zone));
            if !self.zones.exists(name) {
                draft.code = Some(ResponseCode::NXDomain);
            }
        } else if matches!(asking.rtype, RecordType::NS) {
            draft.additionals = addresses(&zone.ns);
        }
    }

    pub(super) fn records(&self, name: &str, rtype: RecordType, zone: &Zone) -> Vec<Record> {
        let facts = self.names.get(name);
        match rtype {
            RecordType::A | RecordType::AAAA => {
                let mut list: Vec<IpAddr> = match (facts, self.zones.server_addresses(name)) {
                    (Some(facts), _) => facts
                        .a
                        .iter()
                        .map(|a| IpAddr::V4(*a))
                        .chain(facts.aaaa.iter().map(|a| IpAddr::V6(*a)))
                        .collect(),
                    (None, known) => known.unwrap_or_default().to_vec(),
                };
                list.retain(|address| address.is_ipv4() == (rtype == RecordType::A));
                if facts.is_some_and(|facts| facts.rotate) && !list.is_empty() {
                    let turn = self.rotation.fetch_add(1, Ordering::Relaxed) as usize % list.len();
                    list = vec![list[turn]];
                }
                list.into_iter().map(|address| address_record(name, ttl(facts), address)).collect()
            }
            RecordType::CNAME => facts
                .and_then(|facts| facts.cname.as_deref())
                .map(|target| record(name, ttl(facts), RData::CNAME(CNAME(wire_name(&canonical(target))))))
                .into_iter()
                .collect(),
            RecordType::HTTPS => {
                let hints = facts.map(|facts| facts.hints.as_slice()).unwrap_or_default();
                (!hints.is_empty()).then(|| service_binding(name, hints)).into_iter().collect()
            }
            RecordType::MX => {
                let listed = facts.map(|facts| facts.mx.as_slice()).unwrap_or_default();
                let data = listed.iter().filter_map(|entry| mail_exchange(entry)).map(RData::MX);
                data.map(|data| record(name, ttl(facts), data)).collect()
            }
            RecordType::NS if name == zone.origin => ns_records(zone),
            RecordType::SOA if name == zone.origin => vec![soa(zone)],
            _ => Vec::new(),
        }
    }

    /// An authoritative server asked for what it does not speak for: points below one of its zones, or refuses.
    fn refer(&self, draft: &mut Draft, asking: &Asking, name: &str) {
        if !draft.answers.is_empty() {
            return;
        }
        draft.authoritative = false;
        match self.zones.referral(asking.server.ip(), name) {
            Some(zone) => {
                let names = zone.above.names.iter();
                draft.authorities =
                    names.map(|name| record(&zone.origin, TTL, RData::NS(NS(wire_name(name))))).collect();
                draft.additionals = addresses(&zone.above.glue);
            }
            None => draft.code = Some(ResponseCode::Refused),
        }
    }

    /// The first odd behaviour that fits. Every behaviour counts the queries it could have been for.
    fn odd(&self, name: &str, asking: &Asking) -> Option<&Odd> {
        let facts = self.names.get(name)?;
        let counts = self.odd_counts.get(name)?;
        let fits = |(odd, count): &(&Odd, &AtomicU64)| {
            let filters = odd.rtype.is_none_or(|rtype| type_of(rtype) == asking.rtype)
                && odd.server.is_none_or(|server| match server {
                    Asked::Role(role) => role == asking.role,
                    Asked::Address(address) => address == asking.server.ip(),
                })
                && odd.transport.is_none_or(|transport| transport == asking.transport)
                && odd.cd.is_none_or(|cd| cd == asking.cd);
            filters && {
                let number = count.fetch_add(1, Ordering::Relaxed) + 1;
                odd.nth.is_none_or(|nth| nth.holds(number))
            }
        };
        // Collected so that every behaviour counts, not only those before the first that fits.
        let fitting: Vec<_> = facts.odd.iter().zip(counts).filter(fits).collect();
        fitting.first().map(|(odd, _)| *odd)
    }

    fn misbehave(&self, draft: &mut Draft, asking: &Asking, name: &str, zone: &Zone) {
        match draft.deed {
            Deed::Answer => draft.answers.append(&mut draft.first),
            Deed::Drop | Deed::Close | Deed::NodataNosoa | Deed::Truncated => {}
            Deed::Drip if asking.transport == DnsTransport::Udp => {}
            Deed::Servfail => draft.code = Some(ResponseCode::ServFail),
            Deed::Notimp => draft.code = Some(ResponseCode::NotImp),
            Deed::Refused => draft.code = Some(ResponseCode::Refused),
            Deed::Formerr => draft.code = Some(ResponseCode::FormErr),
            Deed::Notauth => draft.code = Some(ResponseCode::NotAuth),
            Deed::Nxdomain => {
                draft.code = Some(ResponseCode::NXDomain);
                draft.authorities.push(soa(zone));
            }
            Deed::Nodata => draft.authorities.push(soa(zone)),
            Deed::ForeignSoa => {
                let foreign = draft.owner.as_deref().unwrap_or("elsewhere.example");
                draft.authorities.push(soa(&Zone { origin: canonical(foreign), ..zone.clone() }));
            }
            Deed::BadRdata => {
                let data = vec![192, 0, 2, 1];
                let data = if asking.rtype == RecordType::A { data[..3].to_vec() } else { data };
                let data = RData::Unknown { code: asking.rtype, rdata: NULL::with(data) };
                draft.answers.push(record(name, TTL, data));
            }
            Deed::WrongQuestion
            | Deed::WrongId
            | Deed::Garbage
            | Deed::PointerLoop
            | Deed::OtherCase
            | Deed::Drip
            | Deed::Twice => self.finish(draft, asking, name, zone),
        }
    }
}

impl Draft {
    /// An answer of nothing but a response code.
    pub(super) fn of(code: ResponseCode) -> Self {
        Self { code: Some(code), ..Self::default() }
    }

    fn encode(self, query: &Message, asking: &Asking) -> Vec<Vec<u8>> {
        if matches!(self.deed, Deed::Drop | Deed::Close) {
            return Vec::new();
        }
        let mut message = Message::response(query.metadata.id, query.metadata.op_code);
        message.metadata.authoritative = self.authoritative;
        message.metadata.recursion_desired = query.metadata.recursion_desired;
        message.metadata.recursion_available = asking.role == ServerRole::Resolver;
        message.metadata.checking_disabled = query.metadata.checking_disabled;
        message.metadata.response_code = self.code.unwrap_or(ResponseCode::NoError);
        message.add_queries(query.queries.iter().cloned());
        message.answers = self.answers;
        message.authorities = self.authorities;
        message.additionals = self.additionals;
        if query.edns.is_some() {
            let mut edns = Edns::new();
            edns.set_max_payload(1232);
            message.set_edns(edns);
        }
        let early = (self.deed == Deed::Twice && asking.transport == DnsTransport::Udp).then(|| {
            let mut early = message.clone();
            early.answers = self.first;
            early
        });
        match self.deed {
            Deed::WrongId => message.metadata.id = !message.metadata.id,
            Deed::WrongQuestion => {
                let other = wire_name(self.owner.as_deref().unwrap_or("other.example"));
                message.queries = vec![Query::query(other, asking.rtype)];
            }
            Deed::Truncated => message = message.truncate(),
            Deed::Drip if asking.transport == DnsTransport::Udp => message = message.truncate(),
            Deed::OtherCase => shout(&mut message),
            _ => {}
        }
        let room = match asking.transport {
            DnsTransport::Udp => usize::from(query.max_payload().max(512)),
            DnsTransport::Tcp => usize::from(u16::MAX),
        };
        let mut messages: Vec<Vec<u8>> = early.iter().chain([&message]).filter_map(|each| fit(each, room)).collect();
        if self.deed == Deed::Garbage {
            messages =
                vec![[&query.metadata.id.to_be_bytes()[..], &[0x81, 0x80, 0, 1, 0, 9, 0, 0, 0, 0, 0xc0]].concat()];
        }
        if self.deed == Deed::PointerLoop {
            // Header with one question, whose name is a pointer to itself.
            messages = vec![
                [&query.metadata.id.to_be_bytes()[..], &[0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 12, 0, 28, 0, 1]]
                    .concat(),
            ];
        }
        messages
    }
}

/// Every name of a message in capitals.
fn shout(message: &mut Message) {
    let louder = |name: &Name| wire_name(&name.to_ascii().to_ascii_uppercase());
    for query in &mut message.queries {
        *query = Query::query(louder(query.name()), query.query_type());
    }
    for record in message.answers.iter_mut().chain(&mut message.authorities) {
        record.name = louder(&record.name);
        if let RData::CNAME(target) = &record.data {
            record.data = RData::CNAME(CNAME(louder(&target.0)));
        }
    }
}

/// An HTTPS record in service mode with IPv6 hints.
fn service_binding(name: &str, hints: &[Ipv6Addr]) -> Record {
    let hint = SvcParamValue::Ipv6Hint(IpHint(hints.iter().map(|address| AAAA(*address)).collect()));
    record(name, TTL, RData::HTTPS(HTTPS(SVCB::new(1, Name::root(), vec![(SvcParamKey::Ipv6Hint, hint)]))))
}

/// The message as bytes, or its truncated form if it has no room.
fn fit(message: &Message, room: usize) -> Option<Vec<u8>> {
    let bytes = message.to_vec().ok()?;
    if bytes.len() <= room { Some(bytes) } else { message.truncate().to_vec().ok() }
}

fn type_of(rtype: evidence::RecordType) -> RecordType {
    match rtype {
        evidence::RecordType::A => RecordType::A,
        evidence::RecordType::Aaaa => RecordType::AAAA,
        evidence::RecordType::Ns => RecordType::NS,
        evidence::RecordType::Soa => RecordType::SOA,
        evidence::RecordType::Https => RecordType::HTTPS,
        evidence::RecordType::Mx => RecordType::MX,
    }
}

fn ttl(facts: Option<&NameFacts>) -> u32 {
    facts.and_then(|facts| facts.ttl).unwrap_or(TTL)
}

/// A name as the message library wants it. Labels may hold any bytes (RFC 2181 §11); the root stands for text that is no name.
fn wire_name(name: &str) -> Name {
    let labels = || Name::from_labels(name.split('.').map(str::as_bytes));
    let mut parsed = Name::from_ascii(name).or_else(|_| labels()).unwrap_or_else(|_| Name::root());
    parsed.set_fqdn(true);
    parsed
}

fn record(name: &str, ttl: u32, data: RData) -> Record {
    Record::from_rdata(wire_name(name), ttl, data)
}

pub(super) fn address_record(name: &str, ttl: u32, address: IpAddr) -> Record {
    record(
        name,
        ttl,
        match address {
            IpAddr::V4(address) => RData::A(A(address)),
            IpAddr::V6(address) => RData::AAAA(AAAA(address)),
        },
    )
}

pub(super) fn soa(zone: &Zone) -> Record {
    let primary = zone.ns.keys().next().map_or("ns.invalid", String::as_str);
    let mailbox = if zone.origin.is_empty() { "hostmaster".to_owned() } else { format!("hostmaster.{}", zone.origin) };
    let data = SOA::new(wire_name(primary), wire_name(&mailbox), 2_026_010_101, 7200, 3600, 1_209_600, TTL);
    record(&zone.origin, TTL, RData::SOA(data))
}

fn ns_records(zone: &Zone) -> Vec<Record> {
    zone.ns.keys().map(|name| record(&zone.origin, TTL, RData::NS(NS(wire_name(name))))).collect()
}

fn addresses(servers: &BTreeMap<String, Vec<IpAddr>>) -> Vec<Record> {
    let each = |(name, list): (&String, &Vec<IpAddr>)| -> Vec<Record> {
        list.iter().map(|address| address_record(name, TTL, *address)).collect()
    };
    servers.iter().flat_map(each).collect()
}

/// An MX record as the facts write it. None: it is none, which the world was asked about before.
fn mail_exchange(entry: &str) -> Option<MX> {
    let (preference, host) = entry.split_once(' ')?;
    Some(MX::new(preference.parse().ok()?, wire_name(&canonical(host))))
}
