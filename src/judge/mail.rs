//! Mail (docs/method/mail.md): whether a host that takes mail for the site's name greets over IPv6. An indicator of its own; its
//! findings are notes, and no verdict rests on it.
//!
//! A host fails only where two believed sources say that it has no IPv6 address, or where it was silent over IPv6 and greeted
//! over IPv4 in two rounds, with a host that is known to greet over IPv6 before and after. Leaves to others: visits.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use super::deep::Proof;
use super::findings::Findings;
use crate::model::address::{Family, Scope};
use crate::model::deep::Rate;
use crate::model::evidence::{
    HOST_TRIES, Lookup, LookupOutcome, Mail, MailEnd, MailHost, MailTry, Observation, Pointer, StepKind,
};
use crate::model::failure::Failure;
use crate::model::finding::Code;
use crate::model::mail::{MailReadiness, MailState};

/// Hosts that a finding names.
const NAMED: usize = 20;

/// What a host's failure needs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Demands {
    /// Rounds that must agree.
    pub(super) rounds: usize,
    /// How close a canary must be on both sides, in milliseconds.
    pub(super) alibi_ms: u64,
}

/// What can be said of one host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Host {
    Greets,
    WithoutAddress,
    Dead,
    Unknown(&'static str),
}

/// Judges the mail of the last round that names hosts, else of the last one. None: not measured.
pub(super) fn judge(
    observation: &Observation,
    proof: &Proof<'_>,
    demands: Demands,
    findings: &mut Findings,
) -> Option<MailReadiness> {
    let all: Vec<(u8, &Mail)> =
        observation.rounds.iter().filter_map(|round| Some((round.number, round.mail.as_ref()?))).collect();
    let answered = all.iter().rev().find(|(_, mail)| mail.named().is_some());
    let (number, mail) = *answered.or(all.last())?;
    let readiness = |state, reason: &str, hosts| {
        Some(MailReadiness { domain: mail.domain.clone(), state, reason: reason.to_owned(), hosts })
    };
    let here = [Pointer { round: number, step: StepKind::Mail, index: 0 }];
    let contradicted = mail.lookups.iter().any(|lookup| lookup.rival.is_some() || lookup.is_suspect());
    let Some(names) = mail.named().filter(|_| !contradicted) else {
        let none = !contradicted && all.iter().any(|(_, mail)| is_said(&mail.lookups, proof));
        if none {
            return readiness(MailState::NotApplicable, "", Rate::default());
        }
        findings.add(Code::MailUnknown, &here);
        return readiness(MailState::Unknown, "dns", Rate::default());
    };
    if names.iter().all(|name| name == ".") {
        return readiness(MailState::NotApplicable, "", Rate::default());
    }
    let judged: Vec<(usize, &MailHost, Host)> = mail
        .hosts
        .iter()
        .enumerate()
        .map(|(index, host)| {
            let looks: Vec<&MailHost> = all
                .iter()
                .flat_map(|(_, mail)| &mail.hosts)
                .filter(|other| other.check.host == host.check.host)
                .collect();
            (index, host, judge_host(&looks, proof, demands))
        })
        .collect();
    let count = |fits: &dyn Fn(Host) -> bool| {
        u32::try_from(judged.iter().filter(|(_, _, host)| fits(*host)).count()).unwrap_or(u32::MAX)
    };
    let cut = mail.left_out > 0 || mail.out_of_time;
    let hosts = Rate {
        supported: count(&|host| host == Host::Greets),
        judged: count(&|host| !matches!(host, Host::Unknown(_))),
        found: u32::try_from(judged.len()).unwrap_or(u32::MAX).saturating_add(mail.left_out),
        capped: cut,
    };
    note_hosts(number, &judged, hosts, findings);
    let unknown = judged.iter().find_map(|(_, _, host)| match host {
        Host::Unknown(reason) => Some(*reason),
        _ => None,
    });
    let unknown = unknown.or((cut || judged.is_empty()).then_some("limit"));
    match unknown {
        _ if hosts.supported > 0 => readiness(MailState::Pass, "", hosts),
        Some(reason) => {
            findings.add(if reason == "port25" { Code::MailPort25 } else { Code::MailUnknown }, &here);
            readiness(MailState::Unknown, reason, hosts)
        }
        None => readiness(MailState::Fail, "", hosts),
    }
}

/// Two sources that could be believed say that there is no MX record.
fn is_said(lookups: &[Lookup], proof: &Proof<'_>) -> bool {
    let said = [LookupOutcome::Nodata, LookupOutcome::NodataNosoa, LookupOutcome::Nxdomain];
    let plain = lookups.iter().filter(|lookup| said.contains(&lookup.outcome) && !lookup.checking_disabled);
    let believed: BTreeSet<SocketAddr> =
        plain.filter(|lookup| (proof.source)(lookup.server, lookup.started)).map(|lookup| lookup.server).collect();
    believed.len() >= 2
}

/// One host, as all rounds saw it.
fn judge_host(looks: &[&MailHost], proof: &Proof<'_>, demands: Demands) -> Host {
    if looks.iter().any(|host| host.greets_over(Family::V6)) {
        return Host::Greets;
    }
    let Some(last) = looks.last() else { return Host::Unknown("limit") };
    if last.check.contradicted {
        return Host::Unknown("dns");
    }
    if looks.iter().all(|host| host.check.v6.public().is_none()) {
        let side = &last.check.v6;
        let elsewhere = side.addresses.first().is_some_and(|(_, scope)| *scope != Scope::OwnNetwork);
        let said = proof.is_said(side.server, side.confirmed_by, last.check.at);
        let missing = said && (elsewhere || last.check.is_absent_over(Family::V6));
        // A host without any address takes no mail over either family, which is no finding about IPv6.
        let exists = last.check.v4.public().is_some();
        return if missing && exists { Host::WithoutAddress } else { Host::Unknown("dns") };
    }
    let dead = looks.iter().filter(|host| is_dead(host, demands.alibi_ms)).count();
    if dead >= demands.rounds {
        return Host::Dead;
    }
    let gone_to =
        looks.iter().any(|host| host.over(Family::V6).next().is_some() && is_alive_around(host, demands.alibi_ms));
    Host::Unknown(if gone_to { "unconfirmed" } else { "port25" })
}

/// In this round it greeted over IPv4 and not over IPv6, in a way that says something.
fn is_dead(host: &MailHost, alibi_ms: u64) -> bool {
    let says = |attempt: &MailTry| match &attempt.end {
        MailEnd::Failed(failure) => !failure.is_local() && !matches!(failure, Failure::Limit(_)),
        _ => true,
    };
    let failures = host.over(Family::V6).filter(|attempt| says(attempt)).count();
    failures >= usize::from(HOST_TRIES) && host.greets_over(Family::V4) && is_alive_around(host, alibi_ms)
}

/// A host that is known to greet did so over IPv6 shortly before the first attempt and shortly after the last one.
fn is_alive_around(host: &MailHost, alibi_ms: u64) -> bool {
    let good = || host.canaries.iter().filter(|canary| Family::of(canary.address) == Family::V6 && canary.is_greeted());
    let near = |one: crate::model::time::Timestamp, other| one.distance_ms(other) <= alibi_ms;
    let (Some(first), Some(last)) =
        (host.over(Family::V6).map(|attempt| attempt.started).min(), host.over(Family::V6).map(MailTry::ended).max())
    else {
        return false;
    };
    good().any(|canary| canary.started <= first && near(canary.ended(), first))
        && good().any(|canary| canary.started >= last && near(canary.started, last))
}

fn note_hosts(number: u8, judged: &[(usize, &MailHost, Host)], hosts: Rate, findings: &mut Findings) {
    for (code, state) in [(Code::MailV4only, Host::WithoutAddress), (Code::MailV6Dead, Host::Dead)] {
        let fitting: Vec<_> = judged.iter().filter(|(_, _, host)| *host == state).collect();
        for (index, host, _) in fitting.iter().take(NAMED) {
            let args = [
                ("hosts", host.check.host.clone()),
                ("count", fitting.len().to_string()),
                ("total", hosts.found.to_string()),
            ];
            findings.add_with(code, &args, &[Pointer { round: number, step: StepKind::Mail, index: *index }]);
        }
    }
}

#[cfg(test)]
#[path = "mail_tests.rs"]
mod tests;
