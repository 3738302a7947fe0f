//! Can this vantage be believed? The run gate before a run, and the canaries during it.
//!
//! Anchors are probed through the same code path as any site's pages. DNS is tested for inventions (DNS64, rewritten NXDOMAIN)
//! and for TCP; negative controls must fail. What fails shuts the gate: no run, no verdict (docs/method/gate.md).

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::join_all;

use super::resolvers::{self, CANNOT_ASK, DnsControls, random_label};
use super::symptoms::symptoms;
use super::wall;
pub use super::wall::Witness;
use crate::model::address::Family;
use crate::model::evidence::{DnsTransport, LookupOutcome, RecordType, Round, ServerRole};
use crate::model::failure::Failure;
use crate::model::outage::Line;
use crate::model::run::{CheckOutcome, ClockProof, DnsProof, Gate, GateCheck, Proof};
use crate::model::site::Site;
use crate::net::dns::exchange::{Ask, Heard};
use crate::net::work;
use crate::probe::{Prober, Transports};

/// How long a negative control may take to fail.
const CONTROL_DEADLINE: Duration = Duration::from_secs(3);

/// A site that is known to work over both families.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// The site.
    pub site: Site,
    /// Label of the network it is in.
    pub network: String,
}

/// What the gate asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GateRules {
    /// The anchors.
    pub anchors: Vec<Anchor>,
    /// Anchors that must pass in each family.
    pub minimum_pass: usize,
    /// Networks the passing anchors must be in.
    pub minimum_networks: usize,
    /// One body must be at least this large: small packets alone do not show an MTU fault of ours.
    pub large_body: u64,
    /// Names known to have A and no AAAA.
    pub v4only_names: Vec<String>,
    /// Zones under which a random name must not exist.
    pub nxdomain_suffixes: Vec<String>,
    /// Addresses that must not answer.
    pub controls: Vec<SocketAddr>,
}

/// The gate's result with the proofs it produced.
#[derive(Clone, Debug, Default)]
pub struct Opening {
    /// The checks.
    pub gate: Gate,
    /// What the anchors proved, and when.
    pub proofs: Vec<Proof>,
    /// Anchors that passed, to be used as canaries.
    pub canaries: Vec<Site>,
    /// What the resolvers' self-test showed, and when.
    pub dns_proofs: Vec<DnsProof>,
    /// What the resolvers are tested with during the run.
    pub dns_controls: DnsControls,
    /// Whether this machine's clock is right. None: too few anchors say what time it is.
    pub clock: Option<ClockProof>,
}

/// Makes all checks.
pub async fn check(prober: &Prober, rules: &GateRules, transports: Transports) -> Opening {
    let mut opening = Opening::default();
    opening.gate.checks.push(configured(prober));
    let (dns64, rewriting, tcp, controls, rounds) = tokio::join!(
        dns64(prober, rules),
        rewriting(prober, rules),
        tcp(prober, rules),
        controls(prober, rules, transports),
        join_all(rules.anchors.iter().map(|anchor| prober.observe_pages(&anchor.site, 1, transports))),
    );
    opening.gate.checks.extend([dns64, rewriting, tcp, controls]);
    opening.dns_controls = DnsControls::as_observed(rules, &rounds);
    opening.dns_proofs = resolvers::self_test(prober, &opening.dns_controls, 0).await;
    let known = (opening.dns_controls.present.len(), rules.anchors.len());
    opening.gate.checks.push(resolvers::denying(&opening.dns_proofs, prober.net.resolvers.len(), known));
    opening.gate.checks.push(resolvers::over_ipv6(prober, rules, transports).await);
    for family in Family::BOTH {
        let wanted = family == Family::V4 || transports == Transports::Both;
        opening.gate.checks.push(anchors(rules, &rounds, family, wanted));
    }
    let said = rules.anchors.iter().zip(&rounds).filter_map(|(anchor, round)| wall::witness(&anchor.site.host, round));
    let ahead = said.map(|witness| witness.ahead_ms).collect();
    opening.clock = ClockProof::from_anchors(prober.net.clock.now(), ahead, rules.anchors.len());
    opening.gate.checks.push(wall::check(opening.clock.as_ref()));
    for (anchor, round) in rules.anchors.iter().zip(&rounds) {
        let alive: Vec<bool> = Family::BOTH.iter().map(|family| is_alive(round, *family)).collect();
        let needed = if transports == Transports::Both { alive[0] && alive[1] } else { alive[0] };
        if needed {
            opening.canaries.push(anchor.site.clone());
        }
    }
    for family in Family::BOTH {
        // One living anchor proves the family; that all are dead disproves it.
        let good = rounds.iter().any(|round| is_alive(round, family));
        let at = rounds.iter().filter(|round| !good || is_alive(round, family)).map(|round| round.ended).max();
        if let Some(at) = at.filter(|_| family == Family::V4 || transports == Transports::Both) {
            let page_bytes = rounds.iter().map(|round| large_body(round, family)).max().unwrap_or(0);
            opening.proofs.push(Proof { at, family, good, page_bytes });
        }
    }
    opening
}

/// What a canary brought back.
#[derive(Clone, Debug, Default)]
pub struct Canary {
    /// One proof for each family that is used.
    pub proofs: Vec<Proof>,
    /// This machine ran short of something, so it says nothing.
    pub spoilt: bool,
    /// Names were resolved. If not, nothing is known of the families, and they cannot be measured either.
    pub dns: bool,
    /// What time it is, by each anchor that said so.
    pub witnesses: Vec<Witness>,
}

impl Canary {
    /// What it says of each line. None: nothing.
    pub fn says(&self, line: Line) -> Option<bool> {
        let over = |family| self.proofs.iter().find(|proof| proof.family == family).map(|proof| proof.good);
        match line {
            _ if self.spoilt => None,
            Line::Dns => Some(self.dns),
            Line::Ipv4 => over(Family::V4).filter(|_| self.dns),
            Line::Ipv6 => over(Family::V6).filter(|_| self.dns),
        }
    }
}

/// One canary: is the vantage still alive in each family? An anchor may fail for reasons of its own, so a family is
/// called dead only when a second anchor fails too. `prober` should try once: the second anchor is the second try.
pub async fn canary(prober: &Prober, canaries: &[Site], turn: usize, transports: Transports) -> Canary {
    let mut canary = Canary::default();
    let used = |family: &Family| *family == Family::V4 || transports == Transports::Both;
    let Some(first) = canaries.get(turn % canaries.len().max(1)) else { return canary };
    let answers = ask_about(prober, &first.host).await;
    // A resolver that could not be asked is not silent: one of these at least must have kept silent when it was asked.
    let replied = answers.iter().any(|heard| heard.lookup.replied());
    let ours = |heard: &Heard| heard.failure == Some(Failure::LocalResource);
    canary.spoilt = !replied && (answers.iter().any(ours) || answers.iter().all(|heard| !heard.was_asked()));
    if !replied && !canary.spoilt {
        let at = prober.net.clock.now();
        canary.proofs.extend(Family::BOTH.into_iter().filter(used).map(|family| Proof {
            at,
            family,
            good: false,
            page_bytes: 0,
        }));
        return canary;
    }
    for attempt in 0..canaries.len().min(2) {
        let site = &canaries[(turn + attempt) % canaries.len()];
        let round = prober.observe_pages(site, 1, transports).await;
        let found = |family: Family| round.addresses.iter().any(|fact| Family::of(fact.address) == family);
        let resolved = Family::BOTH.into_iter().filter(used).all(found);
        // What is missing may be what we did not ask for.
        let unasked = round.lookups.iter().any(|lookup| lookup.outcome == LookupOutcome::NotAsked);
        canary.spoilt |= symptoms(&round).short || work::shortages() > 0 || (unasked && !resolved);
        if canary.spoilt {
            canary.proofs.clear();
            break;
        }
        canary.witnesses.extend(wall::witness(&site.host, &round));
        canary.dns |= resolved;
        for family in Family::BOTH.into_iter().filter(used) {
            let proof = Proof {
                at: round.ended,
                family,
                good: is_alive(&round, family),
                page_bytes: large_body(&round, family),
            };
            match canary.proofs.iter_mut().find(|known| known.family == family) {
                Some(known) if !known.good => *known = proof,
                Some(_) => {}
                None => canary.proofs.push(proof),
            }
        }
        if canary.proofs.iter().all(|proof| proof.good) {
            break;
        }
    }
    canary
}

/// What each resolver says about the name. Asked before all else, since a probe without resolvers takes minutes.
async fn ask_about(prober: &Prober, name: &str) -> Vec<Heard> {
    let asked = prober.net.resolvers.iter().map(|server| {
        let ask = Ask { server: *server, role: ServerRole::Resolver, checking_disabled: false, attempt: 1 };
        prober.net.exchanges.consult(name, RecordType::A, ask, DnsTransport::Udp)
    });
    join_all(asked).await
}

/// A page was served over the family.
fn is_alive(round: &Round, family: Family) -> bool {
    let mut walks = round.walks.iter().filter(|walk| walk.family == family);
    walks.any(|walk| walk.landing().is_some_and(crate::model::evidence::Exchange::is_success))
}

fn large_body(round: &Round, family: Family) -> u64 {
    let walks = round.walks.iter().filter(|walk| walk.family == family);
    walks
        .filter_map(|walk| walk.landing())
        .filter(|e| e.body_failure.is_none())
        .map(|e| e.wire_bytes)
        .max()
        .unwrap_or(0)
}

fn anchors(rules: &GateRules, rounds: &[Round], family: Family, wanted: bool) -> GateCheck {
    let name = format!("anchors-{}", family.name());
    if !wanted {
        let detail = format!("{family} is not used in this run");
        return GateCheck { name, outcome: CheckOutcome::Skipped, detail, advice: String::new() };
    }
    let passed: Vec<_> = rules.anchors.iter().zip(rounds).filter(|(_, round)| is_alive(round, family)).collect();
    let networks: BTreeSet<&str> = passed.iter().map(|(anchor, _)| anchor.network.as_str()).collect();
    let largest = passed.iter().map(|(_, round)| large_body(round, family)).max().unwrap_or(0);
    let no_route = rounds
        .iter()
        .flat_map(|round| &round.connects)
        .any(|connect| connect.family() == family && connect.failure == Some(Failure::NoRoute));
    let detail = format!(
        "{} of {} anchors reached in {} networks, largest page {largest} bytes",
        passed.len(),
        rules.anchors.len(),
        networks.len()
    );
    let (outcome, advice) = if passed.len() < rules.minimum_pass || networks.len() < rules.minimum_networks {
        let advice = if no_route {
            format!(
                "this machine has no route to the {family} Internet: give it a global {family} address and a default route"
            )
        } else {
            format!(
                "{} anchors in {} networks are needed: mend this machine's {family}, or choose anchors that it can reach (gate.anchors)",
                rules.minimum_pass, rules.minimum_networks
            )
        };
        (CheckOutcome::Fail, advice)
    } else if largest < rules.large_body {
        let advice = format!(
            "no anchor's page of {} bytes came through: check the path MTU, or name an anchor with a larger page (gate.anchors)",
            rules.large_body
        );
        (CheckOutcome::Fail, advice)
    } else {
        (CheckOutcome::Pass, String::new())
    };
    GateCheck { name, outcome, detail, advice }
}

fn configured(prober: &Prober) -> GateCheck {
    let resolvers = &prober.net.resolvers;
    let listed: Vec<String> = resolvers.iter().map(ToString::to_string).collect();
    let (outcome, advice) = match resolvers.len() {
        0 => (CheckOutcome::Fail, "name resolvers with --resolver, or dns.resolvers in the configuration"),
        1 => (
            CheckOutcome::Warn,
            "a second resolver of another operator lets absent names be confirmed (--resolver, dns.resolvers)",
        ),
        _ => (CheckOutcome::Pass, ""),
    };
    GateCheck { name: "resolvers".to_owned(), outcome, detail: listed.join(", "), advice: advice.to_owned() }
}

/// Asks every resolver one question under each name.
async fn ask_all(prober: &Prober, names: &[String], rtype: RecordType) -> Vec<(SocketAddr, String, LookupOutcome)> {
    let mut asked = Vec::new();
    for server in &prober.net.resolvers {
        for name in names {
            asked.push(async move {
                let mut outcome = LookupOutcome::Timeout;
                for attempt in 1..=2 {
                    let ask = Ask { server: *server, role: ServerRole::Resolver, checking_disabled: false, attempt };
                    outcome = prober.net.exchanges.ask(name, rtype, ask).await.outcome;
                    if !matches!(outcome, LookupOutcome::Timeout | LookupOutcome::NotAsked) {
                        break;
                    }
                }
                (*server, name.clone(), outcome)
            });
        }
    }
    join_all(asked).await
}

fn listed(answers: &[&(SocketAddr, String, LookupOutcome)]) -> String {
    let lines: Vec<String> =
        answers.iter().map(|(server, name, outcome)| format!("{server}: {name} {}", outcome.word())).collect();
    lines.join("; ")
}

/// What to do where nothing was answered: if nothing was asked, the resolvers are not to blame.
fn unanswered(answers: &[&(SocketAddr, String, LookupOutcome)], advice: &'static str) -> &'static str {
    let sent = answers.iter().any(|(_, _, outcome)| *outcome != LookupOutcome::NotAsked);
    if sent { advice } else { CANNOT_ASK }
}

/// Does the resolver invent AAAA records for names that have A alone? (RFC 7050: `ipv4only.arpa` is such a name.)
async fn dns64(prober: &Prober, rules: &GateRules) -> GateCheck {
    let (answers, controls) = tokio::join!(
        ask_all(prober, &rules.v4only_names, RecordType::Aaaa),
        ask_all(prober, &rules.v4only_names, RecordType::A)
    );
    let bad: Vec<_> = answers.iter().filter(|(_, _, outcome)| *outcome == LookupOutcome::Answer).collect();
    let none = |outcome: LookupOutcome| matches!(outcome, LookupOutcome::Nodata | LookupOutcome::NodataNosoa);
    // A name of which the resolver knows nothing at all shows nothing.
    let known = answers.iter().zip(&controls).map(|(answer, control)| (answer, control.2 == LookupOutcome::Answer));
    let unheard: Vec<_> = known
        .filter(|((_, _, o), known)| *o != LookupOutcome::Answer && !(none(*o) && *known))
        .map(|(a, _)| a)
        .collect();
    let (outcome, detail, advice) = if !bad.is_empty() {
        let advice = "this resolver does DNS64 and gives every name an IPv6 address: use resolvers without it";
        (CheckOutcome::Fail, listed(&bad), advice)
    } else if unheard.len() == answers.len() {
        (
            CheckOutcome::Fail,
            listed(&unheard),
            unanswered(&unheard, "no resolver answers this test: check the resolvers"),
        )
    } else if !unheard.is_empty() {
        (CheckOutcome::Warn, listed(&unheard), "a resolver does not answer this test")
    } else {
        (CheckOutcome::Pass, "no resolver invents AAAA records".to_owned(), "")
    };
    GateCheck { name: "dns64".to_owned(), outcome, detail, advice: advice.to_owned() }
}

/// Does the resolver answer for names that do not exist?
async fn rewriting(prober: &Prober, rules: &GateRules) -> GateCheck {
    let label = random_label();
    let names: Vec<String> = rules.nxdomain_suffixes.iter().map(|suffix| format!("{label}.{suffix}")).collect();
    let answers = ask_all(prober, &names, RecordType::A).await;
    let bad: Vec<_> = answers.iter().filter(|(_, _, outcome)| *outcome == LookupOutcome::Answer).collect();
    let other: Vec<_> = answers
        .iter()
        .filter(|(_, _, outcome)| !matches!(outcome, LookupOutcome::Answer | LookupOutcome::Nxdomain))
        .collect();
    let (outcome, detail, advice) = if !bad.is_empty() {
        let advice = "this resolver answers for names that do not exist: use resolvers that do not rewrite NXDOMAIN";
        (CheckOutcome::Fail, listed(&bad), advice)
    } else if other.len() == answers.len() && !answers.is_empty() {
        let advice = "no resolver says that a random name does not exist: check the resolvers";
        (CheckOutcome::Fail, listed(&other), unanswered(&other, advice))
    } else if !other.is_empty() {
        (CheckOutcome::Warn, listed(&other), "a resolver does not say NXDOMAIN for a random name")
    } else {
        (CheckOutcome::Pass, "random names do not exist".to_owned(), "")
    };
    GateCheck { name: "nxdomain".to_owned(), outcome, detail, advice: advice.to_owned() }
}

/// Can long answers be fetched over TCP?
async fn tcp(prober: &Prober, rules: &GateRules) -> GateCheck {
    let Some(anchor) = rules.anchors.first() else {
        let advice = "name anchors: sites known to work over both families (gate.anchors)".to_owned();
        let detail = "no anchors are configured".to_owned();
        return GateCheck { name: "dns-tcp".to_owned(), outcome: CheckOutcome::Fail, detail, advice };
    };
    let (mut deaf, mut unasked) = (Vec::new(), 0);
    for server in &prober.net.resolvers {
        let ask = Ask { server: *server, role: ServerRole::Resolver, checking_disabled: false, attempt: 1 };
        let lookup = prober.net.exchanges.ask_over_tcp(&anchor.site.host, RecordType::Aaaa, ask).await;
        if lookup.outcome == LookupOutcome::NotAsked {
            unasked += 1;
        } else if !lookup.replied() || lookup.outcome == LookupOutcome::Broken {
            deaf.push(server.to_string());
        }
    }
    let all = prober.net.resolvers.len();
    let (outcome, detail, advice) = if unasked > 0 && deaf.len() + unasked == all {
        (CheckOutcome::Fail, format!("{unasked} of {all} resolvers could not be asked over TCP"), CANNOT_ASK)
    } else if unasked > 0 {
        (CheckOutcome::Warn, format!("{unasked} of {all} resolvers could not be asked over TCP"), CANNOT_ASK)
    } else if deaf.is_empty() {
        (CheckOutcome::Pass, "resolvers answer over TCP".to_owned(), "")
    } else if deaf.len() == prober.net.resolvers.len() {
        (
            CheckOutcome::Fail,
            format!("no answer over TCP: {}", deaf.join(", ")),
            "let TCP port 53 through to the resolvers",
        )
    } else {
        (
            CheckOutcome::Warn,
            format!("no answer over TCP: {}", deaf.join(", ")),
            "let TCP port 53 through to this resolver",
        )
    };
    GateCheck { name: "dns-tcp".to_owned(), outcome, detail, advice: advice.to_owned() }
}

/// Does something answer for addresses where nothing is?
async fn controls(prober: &Prober, rules: &GateRules, transports: Transports) -> GateCheck {
    let used = |control: &&SocketAddr| control.is_ipv4() || transports == Transports::Both;
    let controls: Vec<&SocketAddr> = rules.controls.iter().filter(used).collect();
    let dials = controls.iter().map(|control| async move {
        // The one deliberate exception to the address policy: addresses that lead nowhere by definition (RFC 6666).
        (**control, prober.net.connector.connect_any(**control, CONTROL_DEADLINE).await.is_ok())
    });
    let answered: Vec<String> =
        join_all(dials).await.into_iter().filter(|(_, open)| *open).map(|(control, _)| control.to_string()).collect();
    let (outcome, detail, advice) = if answered.is_empty() {
        (CheckOutcome::Pass, format!("{} dead addresses stay dead", controls.len()), "")
    } else {
        let advice = "something on the path answers for everybody (transparent proxy, portal): measure from elsewhere";
        (CheckOutcome::Fail, format!("connected to {}", answered.join(", ")), advice)
    };
    GateCheck { name: "controls".to_owned(), outcome, detail, advice: advice.to_owned() }
}
