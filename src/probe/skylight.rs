//! The skylight (天窗): what the landing page is put together from, and whether the hosts of it open over IPv6.
//!
//! Markup and one level of style sheets are read. Every host is looked at once in a run, for all sites that name it. Leaves to
//! others: what is missing without it.

use std::collections::BTreeMap;

use url::Url;

use super::Prober;
use super::harvest::{self, Harvest};
use super::hosts::place;
use super::links::{Start, read_off};
use super::record::{LandingPage, Recorder};
use super::walk::codings;
use crate::model::address::Family;
use crate::model::evidence::{ResourceHost, ResourceKind, Resources};
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
        let (body, content_type, base) = (page.body, page.content_type, url.clone());
        let mut harvest: Harvest = read_off(body.len(), move || harvest::page(&body, &content_type, &base)).await;
        let links = std::mem::take(&mut harvest.links);
        let unread_styles = self.read_styles(record, &url, &mut harvest).await;
        let wanted = by_host(&harvest.resources);
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
            round.resources = Some(Resources { page, family, hosts, left_out, unread_styles, scripts });
        });
        Some(Start { page: url, family, links })
    }

    async fn resource_host(&self, record: &Recorder, site: &Site, page: &Url, wanted: &Wanted) -> Option<ResourceHost> {
        let number = record.read(|round| round.number);
        let check = self.opened_host(&wanted.host, wanted.port, number).await?;
        let aliases = &self.deep.rules.aliases;
        let own = [Some(site.host.as_str()), page.host_str()].into_iter().flatten();
        let own = own.into_iter().any(|own| aliases.same_owner(own, &wanted.host));
        Some(ResourceHost { own, check: (*check).clone(), kinds: wanted.kinds.clone() })
    }

    /// Adds what the page's style sheets name. How many of them could not be read.
    async fn read_styles(&self, record: &Recorder, page: &Url, harvest: &mut Harvest) -> u32 {
        let styles =
            harvest.resources.iter().filter(|(kind, _)| *kind == ResourceKind::Style).map(|(_, url)| url.clone());
        let styles: Vec<Url> = styles.collect();
        let mut unread = 0;
        for (index, url) in styles.iter().enumerate() {
            let text = if index < self.deep.rules.styles { self.style(record, url).await } else { None };
            let Some(text) = text else {
                unread += 1;
                continue;
            };
            let base = url.clone();
            for found in read_off(text.len(), move || harvest::style_sheet(&text, &base)).await {
                if !harvest.resources.contains(&found) && found.1 != *page {
                    harvest.resources.push(found);
                }
            }
        }
        unread
    }

    /// A style sheet, over IPv6 where its host has that, else over IPv4. None: it could not be had.
    async fn style(&self, record: &Recorder, url: &Url) -> Option<String> {
        let (host, _) = place(url)?;
        let check = self.host(&host, record.read(|round| round.number)).await?;
        for family in [Family::V6, Family::V4] {
            let Some(address) = check.over(family).public().filter(|_| !check.contradicted) else { continue };
            let pass = self.net.turns.take(Subject::Request(host.clone(), address)).await;
            let fetched = self.net.pages(family).get(url, address, Visit::Page).await;
            drop(pass);
            let Ok(fetched) = fetched else { continue };
            if (200..300).contains(&fetched.status) {
                let coding = codings(&fetched.headers);
                let (decoded, _) = body::decode(coding.as_deref(), fetched.body, &self.net.http);
                return Some(String::from_utf8_lossy(&decoded).into_owned());
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

/// Resources by host, in the order in which hosts are named first.
fn by_host(resources: &[(ResourceKind, Url)]) -> Vec<Wanted> {
    let mut hosts: Vec<Wanted> = Vec::new();
    for (kind, url) in resources {
        let Some((host, port)) = place(url) else { continue };
        let index = hosts.iter().position(|known| known.host == host).unwrap_or_else(|| {
            hosts.push(Wanted { host, port, kinds: BTreeMap::new() });
            hosts.len() - 1
        });
        *hosts[index].kinds.entry(*kind).or_default() += 1;
    }
    hosts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_in_order_with_their_kinds() {
        let resource = |kind, url: &str| (kind, Url::parse(url).unwrap());
        let found = by_host(&[
            resource(ResourceKind::Script, "https://b.example/1.js"),
            resource(ResourceKind::Image, "http://a.example/1.png"),
            resource(ResourceKind::Image, "http://B.example/1.png"),
            resource(ResourceKind::Script, "https://b.example./2.js"),
        ]);
        let shown: Vec<_> = found.iter().map(|wanted| (wanted.host.as_str(), wanted.port, &wanted.kinds)).collect();
        let b = BTreeMap::from([(ResourceKind::Script, 2), (ResourceKind::Image, 1)]);
        let a = BTreeMap::from([(ResourceKind::Image, 1)]);
        assert_eq!(shown, [("b.example", 443, &b), ("a.example", 80, &a)]);
    }
}
