//! Can the resolvers be believed? One self-test of each, before the run and again and again during it.
//!
//! Three questions, each with a known answer: an anchor has AAAA, a name known for it has none, a random name does not
//! exist. Leaves to others: when to test (`dns_watch`), and what counts without proof ([`crate::judge`]).

use std::net::SocketAddr;

use futures_util::future::join_all;

use super::gate::GateRules;
use crate::model::evidence::{LookupOutcome, RecordType, Round, ServerRole};
use crate::model::run::{CheckOutcome, DnsProof, GateCheck, ResolverState};
use crate::net::dns::exchange::Ask;
use crate::probe::{Prober, Transports};

/// How often a question is asked before its resolver is called silent. One lost datagram, or one SERVFAIL of a busy
/// server, is weather.
const TRIES: u8 = 3;
/// Advice where a question could not even be sent.
pub(super) const CANNOT_ASK: &str =
    "this machine could not send the question: give it a route to the resolver, and enough descriptors (ulimit -n)";
/// Name servers that are asked over IPv6, until one answers.
const OVER_IPV6: usize = 4;

/// Questions whose answers are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DnsControls {
    /// Names with AAAA.
    pub present: Vec<String>,
    /// Names with A and no AAAA.
    pub v4only: Vec<String>,
    /// Zones below which a random name does not exist.
    pub absent_below: Vec<String>,
}

impl DnsControls {
    /// From the gate's rules.
    pub fn new(rules: &GateRules) -> Self {
        Self {
            present: rules.anchors.iter().map(|anchor| anchor.site.host.to_string()).collect(),
            v4only: rules.v4only_names.clone(),
            absent_below: rules.nxdomain_suffixes.clone(),
        }
    }

    /// The same without the anchors whose AAAA was not found when they were observed.
    pub(super) fn as_observed(rules: &GateRules, rounds: &[Round]) -> Self {
        let found = |name: &str| {
            let mut lookups = rounds.iter().flat_map(|round| &round.lookups).filter(|lookup| lookup.name == name);
            lookups.any(|lookup| lookup.rtype == RecordType::Aaaa && lookup.outcome == LookupOutcome::Answer)
        };
        let mut controls = Self::new(rules);
        controls.present.retain(|name| found(name));
        controls
    }
}

/// Tests every resolver. `turn` chooses among the controls, so that no name is asked for all the time. One that could not be
/// asked, for a reason of this machine's, has no proof: that says nothing about it.
pub async fn self_test(prober: &Prober, controls: &DnsControls, turn: usize) -> Vec<DnsProof> {
    let tests = prober.net.resolvers.iter().map(|server| async move {
        let (present, v4only, absent) = tokio::join!(
            knows(prober, *server, &controls.present, turn),
            denies_aaaa(prober, *server, &controls.v4only, turn),
            denies_random(prober, *server, &controls.absent_below, turn),
        );
        let state = together([present, v4only, absent])?;
        Some(DnsProof { at: prober.net.clock.now(), server: *server, state })
    });
    join_all(tests).await.into_iter().flatten().collect()
}

/// The worst of what the questions show. None: one of them could not be asked, and no other shows a lie.
fn together(shown: [Option<ResolverState>; 3]) -> Option<ResolverState> {
    let worst = shown.into_iter().flatten().max()?;
    let lies = matches!(worst, ResolverState::Denies | ResolverState::Invents);
    (lies || shown.iter().all(Option::is_some)).then_some(worst)
}

/// An anchor's AAAA is found. One anchor may have lost it, so a second one is asked before the resolver is accused.
async fn knows(prober: &Prober, server: SocketAddr, names: &[String], turn: usize) -> Option<ResolverState> {
    let mut state = ResolverState::Sane;
    for attempt in 0..names.len().min(2) {
        let name = &names[(turn + attempt) % names.len()];
        state = match ask(prober, server, name, RecordType::Aaaa).await {
            LookupOutcome::Answer => return Some(ResolverState::Sane),
            LookupOutcome::NotAsked => return None,
            outcome if is_negative(outcome) => ResolverState::Denies,
            _ => ResolverState::Silent,
        };
    }
    Some(state)
}

async fn denies_aaaa(prober: &Prober, server: SocketAddr, names: &[String], turn: usize) -> Option<ResolverState> {
    let Some(name) = names.get(turn % names.len().max(1)) else { return Some(ResolverState::Sane) };
    without_records(ask(prober, server, name, RecordType::Aaaa).await)
}

async fn denies_random(prober: &Prober, server: SocketAddr, zones: &[String], turn: usize) -> Option<ResolverState> {
    let Some(zone) = zones.get(turn % zones.len().max(1)) else { return Some(ResolverState::Sane) };
    without_records(ask(prober, server, &format!("{}.{zone}", random_label()), RecordType::A).await)
}

/// None: the question could not be asked.
fn without_records(outcome: LookupOutcome) -> Option<ResolverState> {
    match outcome {
        LookupOutcome::Answer => Some(ResolverState::Invents),
        LookupOutcome::NotAsked => None,
        outcome if is_negative(outcome) => Some(ResolverState::Sane),
        _ => Some(ResolverState::Silent),
    }
}

fn is_negative(outcome: LookupOutcome) -> bool {
    matches!(outcome, LookupOutcome::Nodata | LookupOutcome::NodataNosoa | LookupOutcome::Nxdomain)
}

/// One question, asked again while there is neither a record nor a denial. That this machine could not ask is the outcome if
/// it was so in any try: what is missing is not the resolver's silence then.
async fn ask(prober: &Prober, server: SocketAddr, name: &str, rtype: RecordType) -> LookupOutcome {
    let mut failure = None;
    for attempt in 1..=TRIES {
        let ask = Ask { server, role: ServerRole::Resolver, checking_disabled: false, attempt };
        let outcome = prober.net.exchanges.ask(name, rtype, ask).await.outcome;
        if outcome == LookupOutcome::Answer || is_negative(outcome) {
            return outcome;
        }
        if failure != Some(LookupOutcome::NotAsked) {
            failure = Some(outcome);
        }
    }
    failure.unwrap_or(LookupOutcome::NotAsked)
}

/// A label nobody has registered.
pub(super) fn random_label() -> String {
    use std::hash::{BuildHasher, Hasher, RandomState};
    format!("v6ready-{:016x}", RandomState::new().build_hasher().finish())
}

/// Does a resolver deny what exists? Such a one (a filter for AAAA, say) would make `ABSENT` of every site. `asked`: how many
/// there are.
///
/// `known`: the anchors whose AAAA was found when they were looked at, and all of them. Of none that is known nobody can be asked.
pub(super) fn denying(proofs: &[DnsProof], asked: usize, known: (usize, usize)) -> GateCheck {
    let of = |state: ResolverState| -> Vec<String> {
        proofs.iter().filter(|proof| proof.state == state).map(|proof| proof.server.to_string()).collect()
    };
    let (denying, silent) = (of(ResolverState::Denies), of(ResolverState::Silent));
    let (outcome, detail, advice) = if !denying.is_empty() {
        let advice = "this resolver withholds AAAA records that exist: use resolvers that do not filter";
        (CheckOutcome::Fail, format!("no AAAA for two anchors: {}", denying.join(", ")), advice)
    } else if proofs.is_empty() && asked > 0 {
        (CheckOutcome::Fail, "no resolver could be asked".to_owned(), CANNOT_ASK)
    } else if silent.len() == proofs.len() {
        (CheckOutcome::Fail, format!("no answer: {}", silent.join(", ")), "check the resolvers (dns.resolvers)")
    } else if !silent.is_empty() {
        (CheckOutcome::Warn, format!("no answer: {}", silent.join(", ")), "this resolver does not answer the self-test")
    } else if proofs.len() < asked {
        (CheckOutcome::Warn, format!("{} of {asked} resolvers could not be asked", asked - proofs.len()), CANNOT_ASK)
    } else if let (0, all @ 1..) = known {
        let advice = "names do not resolve here as they should: check the resolvers (dns.resolvers), and whether this machine reaches \
                      the Internet at all";
        (CheckOutcome::Fail, format!("no resolver knows an AAAA record of any of {all} anchors"), advice)
    } else {
        let (found, all) = known;
        (CheckOutcome::Pass, format!("resolvers know the AAAA records of {found} of {all} anchors"), "")
    };
    GateCheck { name: "dns-aaaa".to_owned(), outcome, detail, advice: advice.to_owned() }
}

/// Does a DNS query over IPv6 come back? An authoritative server of an anchor is asked, whatever the resolvers' family.
pub(super) async fn over_ipv6(prober: &Prober, rules: &GateRules, transports: Transports) -> GateCheck {
    let check = |outcome, detail: String, advice: &str| GateCheck {
        name: "dns-ipv6".to_owned(),
        outcome,
        detail,
        advice: advice.to_owned(),
    };
    if transports == Transports::WithoutIpv6 {
        return check(CheckOutcome::Skipped, "IPv6 is not used in this run".to_owned(), "");
    }
    let (mut asked, mut sent) = (0, 0);
    for anchor in &rules.anchors {
        let servers = prober.net.authorities.of(&anchor.site.host).await;
        for server in servers.iter().filter(|server| server.is_ipv6()).take(OVER_IPV6 - asked) {
            asked += 1;
            let ask = Ask { server: *server, role: ServerRole::Authority, checking_disabled: false, attempt: 1 };
            let lookup = prober.net.exchanges.ask(&anchor.site.host, RecordType::Aaaa, ask).await;
            sent += usize::from(lookup.outcome != LookupOutcome::NotAsked);
            if lookup.replied() {
                return check(CheckOutcome::Pass, format!("{server} answers"), "");
            }
        }
        if asked == OVER_IPV6 {
            break;
        }
    }
    if asked == 0 {
        let advice = "name an anchor whose zone has name servers with IPv6 (gate.anchors)";
        return check(CheckOutcome::Warn, "no name server of an anchor has IPv6".to_owned(), advice);
    }
    if sent == 0 {
        return check(CheckOutcome::Fail, "no name server could be asked over IPv6".to_owned(), CANNOT_ASK);
    }
    let advice = "let UDP port 53 through over IPv6";
    check(CheckOutcome::Fail, format!("none of {asked} name servers answers over IPv6"), advice)
}
