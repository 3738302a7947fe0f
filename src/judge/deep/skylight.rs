//! The skylight (天窗): hosts without which the landing page is not complete over IPv6, and the share of them.

use std::collections::BTreeMap;

use super::classes::class_of;
use super::{Proof, Support, is_evidence};
use crate::judge::findings::Findings;
use crate::model::address::{Family, Scope};
use crate::model::deep::{BlockingHost, Rate, Skylight};
use crate::model::evidence::{
    HostCheck, HostSide, Observation, Pointer, ResourceHost, ResourceKind, Resources, StepKind,
};
use crate::model::finding::Code;

/// Hosts that a finding names.
const NAMED: usize = 20;

/// How much a kind matters to the page (a proposal of ours; no document gives weights).
fn weight(kind: ResourceKind) -> u32 {
    match kind {
        ResourceKind::Script | ResourceKind::Style => 5,
        ResourceKind::Frame | ResourceKind::Form => 4,
        ResourceKind::Font => 2,
        ResourceKind::Image => 1,
    }
}

/// Judges the resources of the last round that has any; a host that opened in another round opens.
pub(super) fn judge(observation: &Observation, proof: &Proof<'_>, findings: &mut Findings) -> Option<Skylight> {
    let all: Vec<(u8, &Resources)> =
        observation.rounds.iter().filter_map(|round| Some((round.number, round.resources.as_ref()?))).collect();
    let (number, last) = *all.last()?;
    // With what it is that is in the way, in the round that says so: an address where nobody answers, or none.
    let mut best: BTreeMap<&str, (Support, bool)> = BTreeMap::new();
    for host in all.iter().flat_map(|(_, resources)| &resources.hosts) {
        let known = best.entry(&host.check.host).or_insert((Support::Unknown, false));
        let found = support(&host.check, proof);
        if found >= known.0 {
            *known = (found, host.check.v6.public().is_some());
        }
    }
    let mut found = Skylight { scripts: last.scripts, ..Skylight::default() };
    let (mut good, mut base) = (0, 0);
    for host in &last.hosts {
        let resources = host.resources();
        found.hosts.found += 1;
        found.resources.found += resources;
        let (support, dead) = best.get(host.check.host.as_str()).copied().unwrap_or((Support::Unknown, false));
        let heavy: u32 = host.kinds.iter().map(|(kind, count)| weight(*kind) * count).sum();
        if support == Support::Unknown {
            continue;
        }
        found.hosts.judged += 1;
        found.resources.judged += resources;
        base += heavy;
        if support == Support::Yes {
            found.hosts.supported += 1;
            found.resources.supported += resources;
            good += heavy;
        } else {
            let class = class_of(&host.check.host, host.own);
            found.blocking.push(BlockingHost { host: host.check.host.clone(), class, dead, resources });
        }
    }
    found.hosts.found += last.left_out;
    found.hosts.capped = last.left_out > 0 || last.cut || last.unread_styles > 0;
    found.resources.capped = found.hosts.capped;
    found.weighted = (base > 0).then(|| f64::from(good) / f64::from(base));
    found.blocking.sort_by(|one, other| other.resources.cmp(&one.resources).then_with(|| one.host.cmp(&other.host)));
    note(number, last, &found, proof, findings);
    Some(found)
}

fn note(number: u8, last: &Resources, found: &Skylight, proof: &Proof<'_>, findings: &mut Findings) {
    let at = |fits: &dyn Fn(&ResourceHost) -> bool| -> Vec<Pointer> {
        let fitting = last.hosts.iter().enumerate().filter(|(_, host)| fits(host)).take(NAMED);
        fitting.map(|(index, _)| Pointer { round: number, step: StepKind::Resource, index }).collect()
    };
    for (code, dead) in [(Code::SkylightHost, false), (Code::SkylightV6Dead, true)] {
        let blocking: Vec<&BlockingHost> = found.blocking.iter().filter(|host| host.dead == dead).collect();
        let pointers = at(&|host| blocking.iter().any(|blocking| blocking.host == host.check.host));
        for host in blocking.iter().take(NAMED) {
            let Rate { judged, .. } = found.hosts;
            let args =
                [("hosts", host.host.clone()), ("count", blocking.len().to_string()), ("total", judged.to_string())];
            findings.add_with(code, &args, &pointers);
        }
    }
    let hidden = at(&|host| is_intranet(&host.check, proof));
    for host in last.hosts.iter().filter(|host| is_intranet(&host.check, proof)).take(NAMED) {
        findings.add_with(Code::LinkIntranet, &[("hosts", host.check.host.clone())], &hidden);
    }
    if found.hosts.capped {
        let args = [
            ("found", found.hosts.found.to_string()),
            ("judged", found.hosts.judged.to_string()),
            ("unread", last.unread_styles.to_string()),
        ];
        let at = [Pointer { round: number, step: StepKind::Round, index: 0 }];
        findings.add_with(Code::SkylightPartial, &args, &at);
    }
}

/// Only those inside some network get there, by the name itself or by the word of two sources.
fn is_intranet(check: &HostCheck, proof: &Proof<'_>) -> bool {
    let said = |side: &HostSide| proof.is_said(side.server, side.confirmed_by, check.at);
    !check.contradicted && check.is_intranet() && said(&check.v4) && said(&check.v6)
}

/// Whether a host opens over IPv6. What IPv4 does not give cannot be missing there: a leftover A record is no reproach.
pub(super) fn support(check: &HostCheck, proof: &Proof<'_>) -> Support {
    if check.contradicted || is_intranet(check, proof) {
        return Support::Unknown;
    }
    if check.v6.opens() == Some(true) {
        return Support::Yes;
    }
    if check.v4.opens() != Some(true) {
        return Support::Unknown;
    }
    let missing = if check.v6.public().is_some() {
        check.v6.opens() == Some(false) && failed(check, proof)
    } else {
        let elsewhere = check.v6.addresses.first().is_some_and(|(_, scope)| *scope != Scope::OwnNetwork);
        let said = proof.is_said(check.v6.server, check.v6.confirmed_by, check.at);
        said && (elsewhere || check.is_absent_over(Family::V6))
    };
    if missing { Support::No } else { Support::Unknown }
}

/// It failed over IPv6 in a way that says something, while the vantage was proven.
fn failed(check: &HostCheck, proof: &Proof<'_>) -> bool {
    check.v6.connects.iter().all(|connect| {
        let ended = connect.started.plus_ms(i64::try_from(connect.duration_us / 1000).unwrap_or(0));
        let proven = |at| (proof.family)(Family::V6, at);
        connect.failure.as_ref().is_some_and(is_evidence) && proven(connect.started) && proven(ended)
    })
}
