//! Rates of links: a link is supported if it answers over IPv6 with the status class that it has over IPv4.

use std::collections::{BTreeMap, BTreeSet};

use url::Url;

use super::{Proof, Support, is_evidence};
use crate::judge::findings::Findings;
use crate::model::address::{Family, Scope};
use crate::model::deep::{LinkRates, Rate};
use crate::model::evidence::{Fetch, FetchEnd, Link, Links, Observation, Owner, Pointer, StepKind};
use crate::model::finding::Code;

/// Pointers and hosts that one finding names.
const NAMED: usize = 20;

/// Judges the links of the last round that has any; a success in another round counts as well.
pub(super) fn judge(observation: &Observation, proof: &Proof<'_>, findings: &mut Findings) -> Option<LinkRates> {
    let measured = |links: &&Links| !links.links.is_empty();
    let all: Vec<(u8, &Links)> =
        observation.rounds.iter().filter_map(|round| Some((round.number, round.links.as_ref()?))).collect();
    let (number, last) = all.iter().rev().find(|(_, links)| measured(links)).or(all.last()).copied()?;
    let mut best: BTreeMap<&str, Support> = BTreeMap::new();
    for link in all.iter().flat_map(|(_, links)| &links.links) {
        let known = best.entry(&link.url).or_insert(Support::Unknown);
        *known = (*known).max(support(link, proof));
    }
    let rate = |level: u8, owner: Owner| {
        let of = |link: &&Link| link.level == level && link.owner == owner;
        let found = last.found.iter().find(|found| found.level == level && found.owner == owner);
        let found = found.map_or(0, |found| found.links);
        let links: Vec<&Link> = last.links.iter().filter(of).collect();
        let count = |wanted: Support| {
            let fits = links.iter().filter(|link| !is_intranet(link) && best.get(link.url.as_str()) == Some(&wanted));
            fits.count() as u32
        };
        let (yes, no) = (count(Support::Yes), count(Support::No));
        Rate { supported: yes, judged: yes + no, found, capped: found as usize > links.len() }
    };
    let rates = LinkRates {
        level2: rate(2, Owner::Internal),
        level2_external: rate(2, Owner::External),
        level3: rate(3, Owner::Internal),
        level3_external: rate(3, Owner::External),
    };
    note(number, last, &best, &rates, findings);
    Some(rates)
}

fn note(number: u8, links: &Links, best: &BTreeMap<&str, Support>, rates: &LinkRates, findings: &mut Findings) {
    let at = |fits: &dyn Fn(&Link) -> bool| -> Vec<Pointer> {
        let fitting = links.links.iter().enumerate().filter(|(_, link)| fits(link)).take(NAMED);
        fitting.map(|(index, _)| Pointer { round: number, step: StepKind::Link, index }).collect()
    };
    let internal = |link: &Link| link.owner == Owner::Internal && !is_intranet(link);
    let missing = at(&|link| internal(link) && best.get(link.url.as_str()) == Some(&Support::No));
    let of = |rate: &Rate| format!("{}/{}", rate.supported, rate.judged);
    if !missing.is_empty() {
        let args = [("level2", of(&rates.level2)), ("level3", of(&rates.level3))];
        findings.add_with(Code::LinkV6Unsupported, &args, &missing);
    }
    let hidden = at(&is_intranet);
    let hosts: BTreeSet<String> = links.links.iter().filter(|link| is_intranet(link)).filter_map(host).collect();
    for host in hosts.into_iter().take(NAMED) {
        findings.add_with(Code::LinkIntranet, &[("hosts", host)], &hidden);
    }
    for rate in [&rates.level2, &rates.level3].into_iter().filter(|rate| rate.capped) {
        let args = [("found", rate.found.to_string()), ("judged", rate.judged.to_string())];
        findings.add_with(Code::LinkCapped, &args, &[Pointer { round: number, step: StepKind::Round, index: 0 }]);
    }
}

fn host(link: &Link) -> Option<String> {
    Url::parse(&link.url).ok()?.host_str().map(str::to_owned)
}

/// Nobody outside some network gets there over either family.
fn is_intranet(link: &Link) -> bool {
    let hidden = |fetch: &Fetch| match fetch.end {
        // Our own network is public to everybody else.
        FetchEnd::NotPublic(scope) => scope != Scope::OwnNetwork,
        FetchEnd::Unqualified => true,
        _ => false,
    };
    let nowhere = |fetch: &Fetch| hidden(fetch) || fetch.end == FetchEnd::NoAddress;
    nowhere(&link.v4) && nowhere(&link.v6) && (hidden(&link.v4) || hidden(&link.v6))
}

fn support(link: &Link, proof: &Proof<'_>) -> Support {
    let class4 = match link.v4.end {
        FetchEnd::Status(status) if !is_left_alone(status) => Some(status / 100),
        FetchEnd::Status(_) => return Support::Unknown,
        _ => None,
    };
    match (&link.v6.end, class4) {
        (FetchEnd::Status(status), _) if is_left_alone(*status) => Support::Unknown,
        (FetchEnd::Status(status), Some(class4)) => {
            if status / 100 == class4 {
                Support::Yes
            } else {
                Support::No
            }
        }
        // What IPv4 does not give cannot be missing over IPv6.
        (FetchEnd::Status(status), None) => {
            if (200..400).contains(status) {
                Support::Yes
            } else {
                Support::Unknown
            }
        }
        (_, None) => Support::Unknown,
        (FetchEnd::NoAddress, _) => {
            if link.v6.server.is_none_or(|server| (proof.resolver)(server, link.v6.started)) {
                Support::No
            } else {
                Support::Unknown
            }
        }
        (FetchEnd::NotPublic(scope), _) if *scope != Scope::OwnNetwork => Support::No,
        (FetchEnd::Failed(failure), _) if is_evidence(failure) => {
            let ended = link.v6.started.plus_ms(i64::try_from(link.v6.duration_us / 1000).unwrap_or(0));
            let proven = |at| (proof.family)(Family::V6, at);
            if proven(link.v6.started) && proven(ended) { Support::No } else { Support::Unknown }
        }
        _ => Support::Unknown,
    }
}

/// The server asks for fewer requests, which says nothing about the family.
fn is_left_alone(status: u16) -> bool {
    matches!(status, 429 | 503)
}
