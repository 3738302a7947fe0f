//! Rates of links: a link is supported if it answers over IPv6 with a success, or with the status class that it has over IPv4;
//! and if it redirects to another host, if that opens over IPv6.

use std::collections::{BTreeMap, BTreeSet};

use url::Url;

use super::{Proof, Support, is_evidence, skylight};
use crate::judge::findings::Findings;
use crate::model::address::{Family, Scope};
use crate::model::deep::{FaultyLink, LinkRates, Rate};
use crate::model::evidence::{Fetch, FetchEnd, Link, Links, Observation, Owner, Pointer, StepKind};
use crate::model::finding::Code;

/// Pointers and hosts that one finding names.
const NAMED: usize = 20;

/// The links of the last round that has any, and what can be said of each; a success in another round counts as well.
struct Looked<'a> {
    round: u8,
    links: &'a Links,
    best: BTreeMap<&'a str, Support>,
}

impl<'a> Looked<'a> {
    /// None: there were none.
    fn at(observation: &'a Observation, proof: &Proof<'_>) -> Option<Self> {
        let measured = |links: &&Links| !links.links.is_empty();
        let all: Vec<(u8, &Links)> =
            observation.rounds.iter().filter_map(|round| Some((round.number, round.links.as_ref()?))).collect();
        let (round, links) = all.iter().rev().find(|(_, links)| measured(links)).or(all.last()).copied()?;
        let mut best: BTreeMap<&str, Support> = BTreeMap::new();
        for link in all.iter().flat_map(|(_, links)| &links.links) {
            let known = best.entry(&link.url).or_insert(Support::Unknown);
            *known = (*known).max(support(link, proof));
        }
        Some(Self { round, links, best })
    }

    fn is(&self, link: &Link, wanted: Support) -> bool {
        self.best.get(link.url.as_str()) == Some(&wanted)
    }
}

/// The links that do not do over IPv6 what they do over IPv4, in the order of the evidence; each as it was when it was last seen
/// to be at fault, which another round may not have seen.
pub(super) fn faulty(observation: &Observation, proof: &Proof<'_>) -> Vec<FaultyLink> {
    let Some(looked) = Looked::at(observation, proof) else { return Vec::new() };
    let mut seen: BTreeMap<&str, &Link> = BTreeMap::new();
    for link in observation.rounds.iter().filter_map(|round| round.links.as_ref()).flat_map(|links| &links.links) {
        if support(link, proof) == Support::No {
            seen.insert(&link.url, link);
        }
    }
    let fault = |link: &Link| {
        let intranet = is_intranet(link, proof);
        if !intranet && !looked.is(link, Support::No) {
            return None;
        }
        let at_fault = if intranet { link } else { seen.get(link.url.as_str()).copied().unwrap_or(link) };
        let itself = answers(at_fault, proof) != Support::Yes;
        Some(FaultyLink {
            url: link.url.clone(),
            level: link.level,
            owner: link.owner,
            intranet,
            v4: at_fault.v4.end.clone(),
            v6: at_fault.v6.end.clone(),
            leads_to: at_fault.leads_to.as_ref().filter(|_| !itself).map(|check| check.host.clone()),
        })
    };
    looked.links.links.iter().filter_map(fault).collect()
}

/// Judges the links.
pub(super) fn judge(observation: &Observation, proof: &Proof<'_>, findings: &mut Findings) -> Option<LinkRates> {
    let looked = Looked::at(observation, proof)?;
    let last = looked.links;
    let found = |level: u8, owner: Owner| {
        let found = last.found.iter().find(|found| found.level == level && found.owner == owner);
        found.map_or(0, |found| found.links)
    };
    let requested = |level: u8, owner: Owner| {
        let of = |link: &&Link| link.level == level && link.owner == owner;
        last.links.iter().filter(of).collect::<Vec<&Link>>()
    };
    // On pages that were not requested there may be more.
    let unread = found(2, Owner::Internal) as usize > requested(2, Owner::Internal).len();
    let rate = |level: u8, owner: Owner| {
        let (found, links) = (found(level, owner), requested(level, owner));
        let count = |wanted: Support| {
            links.iter().filter(|link| !is_intranet(link, proof) && looked.is(link, wanted)).count() as u32
        };
        let (yes, no) = (count(Support::Yes), count(Support::No));
        let capped = last.cut || found as usize > links.len() || (level == 3 && unread);
        Rate { supported: yes, judged: yes + no, found, capped }
    };
    let rates = LinkRates {
        level2: rate(2, Owner::Internal),
        level2_external: rate(2, Owner::External),
        level3: rate(3, Owner::Internal),
        level3_external: rate(3, Owner::External),
    };
    note(&looked, &rates, proof, findings);
    Some(rates)
}

fn note(looked: &Looked<'_>, rates: &LinkRates, proof: &Proof<'_>, findings: &mut Findings) {
    let (number, links) = (looked.round, looked.links);
    let is_intranet = |link: &Link| is_intranet(link, proof);
    let at = |fits: &dyn Fn(&Link) -> bool| -> Vec<Pointer> {
        let fitting = links.links.iter().enumerate().filter(|(_, link)| fits(link)).take(NAMED);
        fitting.map(|(index, _)| Pointer { round: number, step: StepKind::Link, index }).collect()
    };
    let internal = |link: &Link| link.owner == Owner::Internal && !is_intranet(link);
    let missing = at(&|link| internal(link) && looked.is(link, Support::No));
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
    if rates.level2.capped || rates.level3.capped {
        let of = |rate: &Rate| format!("{}/{}", rate.judged, rate.found);
        let args = [("level2", of(&rates.level2)), ("level3", of(&rates.level3))];
        findings.add_with(Code::LinkCapped, &args, &[Pointer { round: number, step: StepKind::Round, index: 0 }]);
    }
}

fn host(link: &Link) -> Option<String> {
    Url::parse(&link.url).ok()?.host_str().map(str::to_owned)
}

/// Nobody outside some network gets there over either family, by the name itself or by the word of two sources.
fn is_intranet(link: &Link, proof: &Proof<'_>) -> bool {
    let said = |fetch: &Fetch| proof.is_said(fetch.server, fetch.confirmed_by, fetch.started);
    let hidden = |fetch: &Fetch| match fetch.end {
        // Our own network is public to everybody else.
        FetchEnd::NotPublic(scope) => scope != Scope::OwnNetwork && said(fetch),
        FetchEnd::Unqualified => true,
        _ => false,
    };
    let nowhere = |fetch: &Fetch| hidden(fetch) || (fetch.end == FetchEnd::NoAddress && said(fetch));
    nowhere(&link.v4) && nowhere(&link.v6) && (hidden(&link.v4) || hidden(&link.v6))
}

fn support(link: &Link, proof: &Proof<'_>) -> Support {
    let answers = answers(link, proof);
    if answers != Support::Yes || !leads_elsewhere(link) {
        return answers;
    }
    // A redirect is worth what it leads to.
    link.leads_to.as_ref().map_or(Support::Unknown, |check| skylight::support(check, proof))
}

/// The response over IPv6 redirects to another host.
fn leads_elsewhere(link: &Link) -> bool {
    let (Some(location), Ok(url)) = (&link.v6.location, Url::parse(&link.url)) else { return false };
    // What is no URL leads nowhere, over either family.
    url.join(location.trim()).is_ok_and(|target| target.host_str() != url.host_str())
}

/// Rules, the first that fits (docs/method/deep.md):
/// 1. Either side asks for fewer requests: not judged.
/// 2. A challenge on one side only: not judged.
/// 3. A success over IPv6: supported, whatever IPv4 gives. A leftover A record takes nothing away.
/// 4. Responses on both sides: by their status class.
/// 5. No response over IPv4: what IPv4 does not give cannot be missing over IPv6.
/// 6. A response over IPv4 only: not supported, if that is proven.
fn answers(link: &Link, proof: &Proof<'_>) -> Support {
    let status = |fetch: &Fetch| match fetch.end {
        FetchEnd::Status(status) => Some(status),
        _ => None,
    };
    let judged = |holds: bool| if holds { Support::Yes } else { Support::No };
    match (status(&link.v4), status(&link.v6)) {
        (Some(v4), _) if is_left_alone(v4) => Support::Unknown,
        (_, Some(v6)) if is_left_alone(v6) => Support::Unknown,
        (Some(_), Some(_)) if link.v4.challenge != link.v6.challenge => Support::Unknown,
        (None, Some(_)) if link.v6.challenge => Support::Unknown,
        (_, Some(200..300)) | (None, Some(300..400)) => Support::Yes,
        (Some(v4), Some(v6)) => judged(v4 / 100 == v6 / 100),
        (Some(_), None) if is_missing(&link.v6, proof) => Support::No,
        (Some(_) | None, _) => Support::Unknown,
    }
}

/// There is nothing over IPv6, and that is proven.
fn is_missing(v6: &Fetch, proof: &Proof<'_>) -> bool {
    match &v6.end {
        FetchEnd::NoAddress => proof.is_said(v6.server, v6.confirmed_by, v6.started),
        FetchEnd::NotPublic(scope) => {
            *scope != Scope::OwnNetwork && proof.is_said(v6.server, v6.confirmed_by, v6.started)
        }
        FetchEnd::Failed(failure) if is_evidence(failure) => {
            let ended = v6.started.plus_ms(i64::try_from(v6.duration_us / 1000).unwrap_or(0));
            let proven = |at| (proof.family)(Family::V6, at);
            proven(v6.started) && proven(ended)
        }
        _ => false,
    }
}

/// The server asks for fewer requests, which says nothing about the family.
fn is_left_alone(status: u16) -> bool {
    matches!(status, 429 | 503)
}
