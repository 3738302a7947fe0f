//! The skylight (天窗): what the landing page is put together from, and whether the hosts of it open over IPv6.
//!
//! Markup, its style sheets, and one level of those that these import are read. Every host is looked at once in a run, for all sites that name it. Leaves to
//! others: what is missing without it.

use std::collections::{BTreeMap, HashSet, VecDeque};

use url::Url;

use super::Prober;
use super::harvest::{self, Harvest};
use super::hosts::place;
use super::left_alone;
use super::links::{Start, read_off};
use super::record::{LandingPage, Recorder};
use super::target::may_go_to;
use super::walk::codings;
use crate::model::address::Family;
use crate::model::evidence::{HostCheck, ResourceHost, ResourceKind, Resources, Unasked};
use crate::model::failure::Limit;
use crate::model::site::Site;
use crate::net::body;
use crate::net::pages::Visit;
use crate::net::turn::Subject;
use crate::net::work;

/// Hosts that are looked at side by side, so that a few silent ones do not hold up the rest.
const AT_ONCE: usize = 8;

impl Prober {
    /// Reads the landing page, records its resources, and gives back its links. None: its URL is none.
    pub(super) async fn look_at_page(&self, record: &Recorder, site: &Site, page: LandingPage) -> Option<Start> {
        let url = Url::parse(&page.url).ok()?;
        let (body, content_type, base, whole) = (page.body, page.content_type, url.clone(), page.whole);
        let mut harvest: Harvest = read_off(body.len(), move || harvest::page(&body, &content_type, &base)).await;
        let links = std::mem::take(&mut harvest.links);
        let links_cut = harvest.cut || !whole;
        let unread_styles = self.read_styles(record, site, &url, &mut harvest).await;
        let wanted = by_host(&harvest.resources, site.port);
        let cut = harvest.cut || !whole;
        let most = self.deep.rules.hosts;
        if wanted.len() > most {
            record.limit(Limit::Hosts);
        }
        let left_out = u32::try_from(wanted.len().saturating_sub(most)).unwrap_or(u32::MAX);
        let (page, family, scripts) = (url.to_string(), page.family, harvest.scripts);
        let wanted: Vec<Wanted> = wanted.into_iter().take(most).collect();
        let mut hosts = Vec::new();
        for some in wanted.chunks(AT_ONCE) {
            let looks = some.iter().map(|wanted| Box::pin(self.resource_host(record, site, &url, wanted))).collect();
            hosts.extend(work::all(looks).await.into_iter().flatten());
        }
        record.write(|round| {
            round.resources = Some(Resources { page, family, hosts, left_out, cut, unread_styles, scripts });
        });
        Some(Start { page: url, family, links, cut: links_cut })
    }

    async fn resource_host(&self, record: &Recorder, site: &Site, page: &Url, wanted: &Wanted) -> Option<ResourceHost> {
        let number = record.read(|round| round.number);
        let check = if may_go_to(wanted.port, site.port) {
            self.opened_host(&wanted.host, wanted.port, number).await?
        } else {
            let named = self.host(&wanted.host, number).await?;
            HostCheck { port: wanted.port, unasked: Some(Unasked::Port), ..(*named).clone() }.into()
        };
        let aliases = &self.deep.rules.aliases;
        let own = [Some(&*site.host), page.host_str()].into_iter().flatten();
        let own = own.into_iter().any(|own| aliases.same_owner(own, &wanted.host));
        Some(ResourceHost { own, check: (*check).clone(), kinds: wanted.kinds.clone() })
    }

    /// Adds what the page's style sheets name, and those that these import. How many of them were not read.
    async fn read_styles(&self, record: &Recorder, site: &Site, page: &Url, harvest: &mut Harvest) -> u32 {
        let styles = harvest.resources.iter().filter(|(kind, _)| *kind == ResourceKind::Style);
        let mut queue: VecDeque<(Url, bool)> = styles.map(|(_, url)| (url.clone(), false)).collect();
        let mut known: HashSet<Url> = harvest.resources.iter().map(|(_, url)| url.clone()).collect();
        known.insert(page.clone());
        let (mut tried, mut unread) = (0, 0);
        while let Some((url, imported)) = queue.pop_front() {
            let text = if tried < self.deep.rules.styles { self.style(record, site, &url).await } else { None };
            tried += 1;
            let Some((text, whole)) = text else {
                unread += 1;
                continue;
            };
            let (found, cut) = read_off(text.len(), move || harvest::style_sheet(&text, &url)).await;
            harvest.cut |= cut || !whole;
            for (kind, url) in found {
                if harvest.resources.len() >= harvest::REFERENCES {
                    harvest.cut = true;
                    break;
                }
                if !known.insert(url.clone()) {
                    continue;
                }
                match (kind, imported) {
                    // One level, as is written down.
                    (ResourceKind::Style, true) => unread += 1,
                    (ResourceKind::Style, false) => queue.push_back((url.clone(), true)),
                    _ => {}
                }
                harvest.resources.push((kind, url));
            }
        }
        unread
    }

    /// A style sheet, over IPv6 where its host has that, else over IPv4, and whether it came to its end. None: it could not be
    /// had.
    async fn style(&self, record: &Recorder, site: &Site, url: &Url) -> Option<(String, bool)> {
        let (host, port) = place(url)?;
        if !may_go_to(port, site.port) {
            return None;
        }
        let check = self.host(&host, record.read(|round| round.number)).await?;
        for family in [Family::V6, Family::V4] {
            let Some(address) = check.over(family).public().filter(|_| !check.contradicted) else { continue };
            let pass = self.net.turns.take(Subject::Request(host.clone(), address)).await;
            if self.deep.left_alone.holds(&host) {
                return None;
            }
            let fetched = self.net.pages(family).get(url, address, Visit::Page).await;
            drop(pass);
            let Ok(fetched) = fetched else { continue };
            if left_alone::asks(fetched.status, &fetched.headers) {
                self.deep.left_alone.add(&host);
            }
            if (200..300).contains(&fetched.status) {
                let coding = codings(&fetched.headers);
                let (decoded, failure) = body::decode(coding.as_deref(), fetched.body, &self.net.http);
                let whole = fetched.body_failure.is_none() && failure.is_none();
                return Some((String::from_utf8_lossy(&decoded).into_owned(), whole));
            }
        }
        None
    }
}

/// A host and what is wanted of it.
#[derive(Debug, PartialEq)]
struct Wanted {
    host: String,
    port: u16,
    kinds: BTreeMap<ResourceKind, u32>,
}

/// Resources by host, in the order in which hosts are named first, with the first port of each that may be gone to, if any.
fn by_host(resources: &[(ResourceKind, Url)], listed: Option<u16>) -> Vec<Wanted> {
    let mut hosts: Vec<Wanted> = Vec::new();
    for (kind, url) in resources {
        let Some((host, port)) = place(url) else { continue };
        let index = hosts.iter().position(|known| known.host == host).unwrap_or_else(|| {
            hosts.push(Wanted { host, port, kinds: BTreeMap::new() });
            hosts.len() - 1
        });
        let wanted = &mut hosts[index];
        if !may_go_to(wanted.port, listed) {
            wanted.port = port;
        }
        *wanted.kinds.entry(*kind).or_default() += 1;
    }
    hosts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_in_order_with_their_kinds() {
        let resource = |kind, url: &str| (kind, Url::parse(url).unwrap());
        let resources = [
            resource(ResourceKind::Script, "https://b.example/1.js"),
            resource(ResourceKind::Image, "http://a.example/1.png"),
            resource(ResourceKind::Image, "http://B.example/1.png"),
            resource(ResourceKind::Script, "https://b.example./2.js"),
            resource(ResourceKind::Image, "http://c.example:22/"),
            resource(ResourceKind::Image, "http://c.example:9000/"),
        ];
        let found = by_host(&resources, Some(9000));
        let shown: Vec<_> = found.iter().map(|wanted| (wanted.host.as_str(), wanted.port, &wanted.kinds)).collect();
        let b = BTreeMap::from([(ResourceKind::Script, 2), (ResourceKind::Image, 1)]);
        let a = BTreeMap::from([(ResourceKind::Image, 1)]);
        let c = BTreeMap::from([(ResourceKind::Image, 2)]);
        assert_eq!(shown, [("b.example", 443, &b), ("a.example", 80, &a), ("c.example", 9000, &c)]);
    }
}
