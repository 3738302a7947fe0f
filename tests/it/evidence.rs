//! Well-formed evidence to try the rules on: observations a prober could have recorded, made up from a row of numbers.
//!
//! A number of zero always means the plainest choice, so that a failing case shrinks towards a healthy site. Leaves to
//! others: what must hold of the verdicts.

use std::net::{IpAddr, SocketAddr};

use v6ready::model::address::Family;
use v6ready::model::evidence::{
    AddressFact, AddressRecord, Alias, BrokenReply, Certificate, CertificateFault, Connect, DnsTransport,
    EVIDENCE_VERSION, Exchange, Handshake, Hop, Lookup, LookupOutcome, MssProof, Observation, Page, Purpose,
    RecordType, Round, ServerRole, Sibling, Sketch, Via, Walk, WalkEnd,
};
use v6ready::model::failure::{Failure, Icmp, Limit};
use v6ready::model::run::{DnsProof, Proof, ResolverState, Vantage};
use v6ready::model::site::{Scheme, Site};
use v6ready::model::time::Timestamp;

use crate::bench_net::{lab_policy, site};

/// Milliseconds between the starts of two rounds.
const APART: i64 = 600_000;

/// Choices, one number each. When the numbers run out, everything is plain.
#[derive(Debug)]
pub(crate) struct Choices<'a> {
    numbers: &'a [u16],
}

impl<'a> Choices<'a> {
    pub(crate) fn new(numbers: &'a [u16]) -> Self {
        Self { numbers }
    }

    /// A number below `below`.
    pub(crate) fn below(&mut self, below: usize) -> usize {
        let Some((first, rest)) = self.numbers.split_first() else { return 0 };
        self.numbers = rest;
        usize::from(*first) % below
    }

    /// One of these.
    pub(crate) fn of<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }

    /// Happens once in `rarity` times.
    pub(crate) fn rarely(&mut self, rarity: usize) -> bool {
        self.below(rarity) == rarity - 1
    }
}

/// An observation of one to three rounds.
pub(crate) fn observation(choices: &mut Choices<'_>) -> Observation {
    let listed = ["www.p.example", "p.example", "http://www.p.example", "https://p.example", "http://p.example:8080"];
    let site = site(choices.of(&listed));
    let rounds = choices.of(&[2_u8, 1, 2, 3]);
    // Most sites behave alike in all rounds; without this, hardly any failure would be confirmed.
    let alike = choices.below(4) != 3;
    let without_ipv6 = choices.rarely(12);
    let numbers = choices.numbers;
    let rounds = (1..=rounds).map(|number| {
        let mut again = Choices::new(numbers);
        let round = round(if alike { &mut again } else { &mut *choices }, &site, number, without_ipv6);
        if alike && number == rounds {
            choices.numbers = again.numbers;
        }
        round
    });
    let rounds = rounds.collect();
    Observation { version: EVIDENCE_VERSION, site, rounds }
}

/// A vantage with proofs before, between and after the rounds, most of them good.
pub(crate) fn vantage(choices: &mut Choices<'_>) -> Vantage {
    let mut proofs = Vec::new();
    let perfect = choices.below(3) != 2;
    for round in 1..=3 {
        for step in -2..=4 {
            for family in Family::BOTH {
                let at = Timestamp(start(round).0 + step * 10_000 + i64::try_from(choices.below(900)).expect("small"));
                if perfect || !choices.rarely(8) {
                    let good = perfect || !choices.rarely(8);
                    let page_bytes = choices.of(&[60_000, 60_000, 0]);
                    proofs.push(Proof { at, family, good, page_bytes });
                }
            }
        }
    }
    let resolvers = servers()[..2].to_vec();
    let dns_proofs = dns_proofs(choices, &resolvers);
    Vantage { name: "v".to_owned(), isp: None, resolvers, proofs, dns_proofs, clock: None }
}

/// Self-tests of the resolvers around the rounds, most of them good.
fn dns_proofs(choices: &mut Choices<'_>, resolvers: &[SocketAddr]) -> Vec<DnsProof> {
    let states = [ResolverState::Silent, ResolverState::Denies];
    let perfect = choices.below(3) != 2;
    let mut proofs = Vec::new();
    for (round, step) in (1..=3).flat_map(|round| [(round, -30_000), (round, 30_000)]) {
        for server in resolvers {
            let state = if perfect || !choices.rarely(8) { ResolverState::Sane } else { choices.of(&states) };
            proofs.push(DnsProof { at: start(round).plus_ms(step), server: *server, state });
        }
    }
    proofs
}

/// A round in which both families serve the same page of the listed name.
pub(crate) fn healthy_round(site: &Site, number: u8) -> Round {
    round(&mut Choices::new(&[]), site, number, false)
}

/// Two resolvers and two authorities.
pub(crate) fn servers() -> Vec<SocketAddr> {
    let servers = ["192.0.2.53:53", "198.51.100.53:53", "203.0.113.1:53", "203.0.113.2:53"];
    servers.iter().map(|server| server.parse().expect("an address")).collect()
}

fn start(round: u8) -> Timestamp {
    Timestamp(1_700_000_000_000 + i64::from(round) * APART)
}

fn round(choices: &mut Choices<'_>, site: &Site, number: u8, without_ipv6: bool) -> Round {
    let mut round = Round::new(number, start(number));
    round.ended = start(number).plus_ms(20_000);
    round.without_ipv6 = without_ipv6;
    let a = ["192.0.2.10", "192.0.2.11", "203.0.113.9", "192.0.2.12", "203.0.113.8", "10.0.0.1"];
    let aaaa = [
        "2001:db8::10",
        "2001:db8::11",
        "2001:db8::12",
        "2001:db8::13",
        "2001:db8::14",
        "::ffff:192.0.2.1",
        "fd00::1",
        "2002::1",
        "64:ff9b::1",
    ];
    // Both types fail together more often than by chance: no such name, or nothing but a sibling.
    let together = match choices.below(16) {
        14 => Some(LookupOutcome::Nodata),
        15 => Some(LookupOutcome::Nxdomain),
        _ => None,
    };
    let v4 = lookups(choices, &mut round, &site.host, RecordType::A, &a, together);
    let v6 = lookups(choices, &mut round, &site.host, RecordType::Aaaa, &aaaa, together);
    let mut host = site.host.to_string();
    let (mut v4, mut v6) = (v4, v6);
    if v4.is_empty() && v6.is_empty() && choices.below(2) == 0 {
        host = site.host.strip_prefix("www.").map_or_else(|| format!("www.{}", site.host), str::to_owned);
        let nodata = |rtype| {
            let mut asked = round.lookups.iter().filter(|lookup| lookup.rtype == rtype);
            asked.any(|lookup| lookup.outcome == LookupOutcome::Nodata)
        };
        let judged = nodata(RecordType::A) && nodata(RecordType::Aaaa);
        round.sibling = Some(Sibling { host: host.clone(), has_a: Some(true), has_aaaa: Some(true), judged });
        if judged {
            (v4, v6) = (vec![address(a[0])], vec![address(aaaa[0])]);
        }
    }
    if choices.rarely(40) {
        round.limits.push(Limit::Site);
        // The deadline may have come before the addresses were looked at.
        if choices.below(2) == 1 {
            return round;
        }
    }
    let dial4 = dialled(&mut round, &v4);
    let dial6 = dialled(&mut round, &v6);
    let shared = page_or_not(choices, 6);
    measure(choices, &mut round, site, &host, &dial4, &shared);
    if !without_ipv6 {
        // Most sites serve the same over both families.
        let over_v6 = if choices.below(3) == 2 { page_or_not(choices, 2) } else { shared };
        measure(choices, &mut round, site, &host, &dial6, &over_v6);
    }
    if round.limits.contains(&Limit::Site) {
        round.walks.truncate(choices.below(3));
    }
    repeat_in_small_segments(choices, &mut round);
    round
}

/// Most stalled requests over IPv6 are repeated, and most of these then succeed.
fn repeat_in_small_segments(choices: &mut Choices<'_>, round: &mut Round) {
    let stalls = |walk: &&Walk| match &walk.end {
        WalkEnd::Failed(failure) => failure.is_stall(),
        _ => walk.landing().and_then(|page| page.body_failure.as_ref()).is_some_and(Failure::is_stall),
    };
    for walk in round.walks.iter().filter(|walk| walk.family == Family::V6).filter(stalls) {
        let Some(hop) = walk.hops.last() else { continue };
        let Some(address) = hop.address.filter(|_| !choices.rarely(4)) else { continue };
        round.mss_proofs.push(MssProof {
            url: hop.url.clone(),
            address,
            port: hop.port,
            mss: 1220,
            failure: choices.rarely(3).then_some(Failure::HttpStall),
            wire_bytes: 2000,
            started: round.started.plus_ms(9000),
            duration_us: 9000,
        });
    }
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// Records lookups of one type, and gives the addresses of the positive answers.
fn lookups(
    choices: &mut Choices<'_>,
    round: &mut Round,
    name: &str,
    rtype: RecordType,
    addresses: &[&str],
    together: Option<LookupOutcome>,
) -> Vec<IpAddr> {
    use LookupOutcome::{
        Answer, Broken, Formerr, Nodata, NodataNosoa, NotAsked, Notimp, Nxdomain, Refused, Servfail, Timeout,
    };
    let failures =
        [Nodata, Nodata, NodataNosoa, Nxdomain, Servfail, Refused, Notimp, Formerr, Timeout, Broken, NotAsked];
    // Most names have both types.
    let any = |choices: &mut Choices<'_>| if choices.rarely(4) { choices.of(&failures) } else { Answer };

    let mut found = Vec::new();
    let first = together.unwrap_or_else(|| any(choices));
    // Sources agree, mostly.
    let agree = choices.below(4) != 3;
    let aliased = choices.rarely(6);
    let mut order = servers();
    // Each round begins with the next resolver, and from the second on an answer is confirmed.
    order[..2].rotate_left(usize::from(round.number % 2));
    let mut wanted = if round.number == 1 { 1 } else { 2 };
    for (index, server) in order.into_iter().enumerate() {
        let outcome = if index == 0 || agree { first } else { any(choices) };
        let records: Vec<IpAddr> = if outcome == Answer {
            let most = choices.of(&[1, 1, 2, 3]);
            let from = choices.below(addresses.len());
            (0..most).map(|i| address(addresses[(from + i) % addresses.len()])).collect()
        } else {
            Vec::new()
        };
        let hows =
            [BrokenReply::BadRdata, BrokenReply::CnameLoop, BrokenReply::CnameTooLong, BrokenReply::TruncatedNoTcp];
        let chain = aliased && outcome != Broken;
        let alias = Alias { from: name.to_owned(), to: format!("cdn{}.example", choices.below(2)), ttl: 60 };
        round.lookups.push(Lookup {
            name: name.to_owned(),
            rtype,
            server,
            role: if index < 2 { ServerRole::Resolver } else { ServerRole::Authority },
            transport: DnsTransport::Udp,
            retried_over_tcp: false,
            checking_disabled: index == 1 && choices.rarely(6),
            outcome,
            broken: (outcome == Broken).then(|| choices.of(&hows)),
            authoritative: Some(index >= 2),
            authenticated: Some(false),
            soa_owner: None,
            chain: if chain { vec![alias] } else { Vec::new() },
            addresses: records.iter().map(|address| AddressRecord { address: *address, ttl: 60 }).collect(),
            names: Vec::new(),
            hints: Vec::new(),
            rival: None,
            started: round.started,
            duration_us: 900,
            attempt: 1,
        });
        if outcome == Answer {
            found.extend(records.into_iter().filter(|address| !found.contains(address)).collect::<Vec<_>>());
            wanted -= 1;
            if wanted == 0 {
                break;
            }
        }
    }
    found
}

/// Records the addresses, and gives those that are dialled.
fn dialled(round: &mut Round, addresses: &[IpAddr]) -> Vec<IpAddr> {
    let policy = lab_policy();
    let mut dial = Vec::new();
    for address in addresses {
        let scope = policy.classify(*address);
        round.addresses.push(AddressFact { address: *address, scope, dialled: scope.is_public() });
        if scope.is_public() {
            dial.push(*address);
        }
    }
    dial
}

/// How a walk ends once its connection is open.
#[derive(Clone, Debug)]
enum End {
    Shows(Box<Exchange>),
    Ends(WalkEnd),
}

fn page_or_not(choices: &mut Choices<'_>, rarity: usize) -> End {
    let ends = [
        WalkEnd::Failed(Failure::HttpStall),
        WalkEnd::Failed(Failure::HttpEof),
        WalkEnd::Failed(Failure::HttpMalformed),
        WalkEnd::Failed(Failure::Reset),
        WalkEnd::Failed(Failure::LocalResource),
        WalkEnd::Failed(Failure::Limit(Limit::Headers)),
        WalkEnd::TooManyRedirects,
        WalkEnd::RedirectLoop,
        WalkEnd::RedirectInternal(v6ready::model::address::Scope::Loopback),
        WalkEnd::RedirectInternal(v6ready::model::address::Scope::OwnNetwork),
        WalkEnd::RedirectNoAddress,
        WalkEnd::RedirectUnresolved(LookupOutcome::Servfail),
        WalkEnd::RedirectBadTarget,
    ];
    if choices.rarely(rarity) { End::Ends(choices.of(&ends)) } else { End::Shows(Box::new(exchange(choices))) }
}

fn exchange(choices: &mut Choices<'_>) -> Exchange {
    let kinds: [(u16, &str, &[&str]); 15] = [
        (200, "第一中学", &[]),
        (200, "第一中学", &[]),
        (200, "第一中学", &[]),
        (200, "第一中学", &[]),
        (200, "第二小学", &[]),
        (200, "第二小学", &[]),
        (200, "Welcome to nginx!", &["default:nginx"]),
        (200, "未备案", &["block:filing"]),
        (202, "", &["challenge:script-only"]),
        (401, "", &[]),
        (404, "", &[]),
        (502, "", &[]),
        (429, "", &[]),
        (503, "", &[]),
        (304, "", &[]),
    ];
    let (status, title, marks) = choices.of(&kinds);
    let words = title.chars().map(u32::from).collect::<Vec<_>>();
    let sketch = |salt: u32| Sketch::from_hashes(words.iter().map(|word| word.wrapping_mul(salt)).collect());
    let page = Page {
        charset: "UTF-8".to_owned(),
        title: (!title.is_empty()).then(|| title.to_owned()),
        text_chars: 200,
        links: sketch(3),
        assets: sketch(5),
        text: sketch(7),
        marks: marks.iter().map(|mark| (*mark).to_owned()).collect(),
        script_redirect: choices.rarely(12),
    };
    let noise = choices.rarely(4);
    Exchange {
        status,
        location: None,
        server: None,
        content_type: Some("text/html".to_owned()),
        retry_after_s: (matches!(status, 429 | 503)).then_some(7200),
        date: None,
        cookies: Vec::new(),
        started: Timestamp(0),
        ttfb_us: 5000,
        total_us: 9000,
        wire_bytes: 2000,
        decoded_bytes: 2000,
        body_failure: choices.rarely(12).then(|| choices.of(&[Failure::EarlyEof, Failure::Limit(Limit::Slow)])),
        digest: format!("{status}{title}{}", if noise { choices.below(3) } else { 0 }),
        page: (!choices.rarely(15)).then_some(page),
    }
}

/// Connects, handshakes and walks of one family.
fn measure(choices: &mut Choices<'_>, round: &mut Round, site: &Site, host: &str, dial: &[IpAddr], end: &End) {
    let Some(first) = dial.first().copied() else { return };
    let family = Family::of(first);
    let shut = [
        Failure::Timeout,
        Failure::Refused,
        Failure::Unreachable(Icmp::Host),
        Failure::Reset,
        Failure::NoRoute,
        Failure::LocalResource,
    ];
    // Doors of one machine are mostly alike.
    let usual = choices.below(4) == 3;
    let usual = usual.then(|| choices.of(&shut));
    for (scheme, port) in site.entries() {
        let url = Site::entry_url(host, scheme, port);
        let failure = if choices.rarely(6) { Some(choices.of(&shut)) } else { usual.clone() };
        for (index, address) in dial.iter().enumerate() {
            let own = if index > 0 && choices.rarely(5) { Some(choices.of(&shut)) } else { failure.clone() };
            round.connects.push(Connect {
                address: *address,
                port,
                failure: own,
                started: round.started.plus_ms(1000),
                duration_us: 30_000,
                attempt: 1,
            });
        }
        if round.entry(family, &url).is_some() {
            continue;
        }
        let mut hops = vec![Hop { url, via: Via::Start, address: Some(first), port, handshake: None, exchange: None }];
        if let Some(failure) = failure {
            hops[0].address = None;
            round.walks.push(Walk { family, scheme, purpose: Purpose::Entry, hops, end: WalkEnd::Failed(failure) });
            continue;
        }
        // http often leads to https of the same name.
        let leads_on = scheme == Scheme::Http && site.scheme.is_none() && choices.rarely(4);
        if leads_on {
            let next = Site::entry_url(host, Scheme::Https, 443);
            let via = Via::Redirect(301);
            hops.push(Hop { url: next, via, address: Some(first), port: 443, handshake: None, exchange: None });
        }
        let walk_end = finish(choices, round, &mut hops, scheme == Scheme::Https || leads_on, host, end);
        round.walks.push(Walk { family, scheme, purpose: Purpose::Entry, hops, end: walk_end });
    }
}

fn finish(
    choices: &mut Choices<'_>,
    round: &mut Round,
    hops: &mut [Hop],
    secured: bool,
    host: &str,
    end: &End,
) -> WalkEnd {
    let started = round.started.plus_ms(2000);
    let Some(hop) = hops.last_mut() else { return WalkEnd::RedirectBadTarget };
    if let (true, Some(address)) = (secured, hop.address) {
        let failures = [Failure::TlsAlert(40), Failure::TlsStall, Failure::TlsUnsupported, Failure::TlsEof];
        let failure = choices.rarely(8).then(|| choices.of(&failures));
        hop.handshake = Some(round.handshakes.len());
        round.handshakes.push(Handshake {
            address,
            port: hop.port,
            server_name: host.to_owned(),
            failure: failure.clone(),
            protocol: failure.is_none().then(|| "TLS1.3".to_owned()),
            certificate: failure.is_none().then(|| certificate(choices)),
            started,
            duration_us: 9000,
            attempt: 1,
        });
        if let Some(failure) = failure {
            return WalkEnd::Failed(failure);
        }
    }
    match end.clone() {
        End::Ends(end) => end,
        End::Shows(exchange) => {
            hop.exchange = Some(Exchange { started, ..*exchange });
            WalkEnd::Landed
        }
    }
}

fn certificate(choices: &mut Choices<'_>) -> Certificate {
    let faults = [
        vec![],
        vec![],
        vec![],
        vec![CertificateFault::Name],
        vec![CertificateFault::Name],
        vec![CertificateFault::Expired],
    ];
    Certificate {
        sha256: String::new(),
        subject: None,
        issuer: None,
        names: Vec::new(),
        not_before: Timestamp(0),
        not_after: Timestamp(i64::MAX),
        chain_length: 1,
        faults: choices.of(&faults),
    }
}
