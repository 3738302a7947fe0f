//! Links of level 2, which stand on the landing page, and of level 3, which stand on the internal pages of level 2: requested
//! once over each family, without redirects.
//!
//! The first ones found are requested, up to the bounds. Each request has its turn like every other; one that failed as weather
//! does is made once more. Leaves to others: what counts as supported.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Instant;

use hyper::header::{CONTENT_TYPE, RETRY_AFTER};
use url::Url;

use super::Prober;
use super::harvest::{self, Harvest};
use super::hosts::{obstacle, place};
use super::record::Recorder;
use super::target::REDIRECT_PORTS;
use super::tries::Tries;
use super::walk::{codings, header};
use crate::model::address::Family;
use crate::model::evidence::{Fetch, FetchEnd, Found, HostCheck, Link, Links, Owner};
use crate::model::failure::{Failure, Limit};
use crate::model::site::Site;
use crate::net::body;
use crate::net::http::{Fetched, HttpLimits};
use crate::net::pages::Visit;
use crate::net::turn::Subject;

/// Different links that are counted of one site; a bound on memory.
const COUNTED: usize = 20_000;
/// Requests for one link over one family that may fail, for another reason than this machine's own.
const TRIES: u8 = 2;
/// Bodies larger than this are read off the runtime's threads.
const LARGE_BODY: usize = 128 * 1024;

/// Where the links begin.
pub(super) struct Start {
    pub(super) page: Url,
    pub(super) family: Family,
    pub(super) links: Vec<Url>,
}

/// Links of one level.
struct Level {
    number: u8,
    most: [usize; 2],
    queued: [Vec<Url>; 2],
    found: [u32; 2],
}

impl Level {
    fn new(number: u8, internal: usize, external: usize) -> Self {
        Self { number, most: [internal, external], queued: [Vec::new(), Vec::new()], found: [0, 0] }
    }

    fn add(&mut self, link: Url, owner: Owner) {
        let index = owner as usize;
        self.found[index] += 1;
        if self.queued[index].len() < self.most[index] {
            self.queued[index].push(link);
        }
    }

    fn counts(&self) -> impl Iterator<Item = Found> {
        let (level, found) = (self.number, self.found);
        let owners = [Owner::Internal, Owner::External].into_iter().zip(found);
        owners.map(move |(owner, links)| Found { level, owner, links })
    }
}

/// What is known while the links of a site are followed.
struct Follower<'a> {
    prober: &'a Prober,
    record: &'a Recorder,
    site: &'a Site,
    home: String,
    number: u8,
    seen: HashSet<u64>,
    requests: usize,
    /// Hosts that asked for fewer requests: they get none any more.
    left_alone: HashSet<String>,
}

impl Prober {
    /// Requests the links and records them one by one, so that whatever ends this early leaves what was seen before.
    pub(super) async fn follow(&self, record: &Recorder, site: &Site, start: Start) {
        let rules = &self.deep.rules;
        let mut follower = Follower {
            prober: self,
            record,
            site,
            home: start.page.host_str().unwrap_or_default().to_owned(),
            number: record.read(|round| round.number),
            seen: HashSet::new(),
            requests: 0,
            left_alone: HashSet::new(),
        };
        follower.is_new(&start.page);
        let mut second = Level::new(2, rules.level2, rules.external);
        follower.sort(start.links, &mut second);
        let mut third = Level::new(3, rules.level3, rules.external);
        record.write(|round| {
            let found = second.counts().chain(third.counts()).collect();
            let page = start.page.to_string();
            round.links = Some(Links { page, family: start.family, found, links: Vec::new(), out_of_time: false });
        });
        let [internal, external] = std::mem::take(&mut second.queued);
        for link in internal {
            if let Some(harvest) = follower.request(link, 2, Owner::Internal).await {
                follower.sort(harvest.links, &mut third);
                record.write(|round| {
                    if let Some(links) = &mut round.links {
                        links.found = second.counts().chain(third.counts()).collect();
                    }
                });
            }
        }
        let [internal3, external3] = std::mem::take(&mut third.queued);
        for link in internal3 {
            follower.request(link, 3, Owner::Internal).await;
        }
        for (link, level) in
            external.into_iter().map(|link| (link, 2)).chain(external3.into_iter().map(|link| (link, 3)))
        {
            follower.request(link, level, Owner::External).await;
        }
    }
}

impl Follower<'_> {
    /// The link was not met before. Beyond the bound none is.
    fn is_new(&mut self, link: &Url) -> bool {
        let mut hasher = DefaultHasher::new();
        link.as_str().hash(&mut hasher);
        self.seen.len() < COUNTED && self.seen.insert(hasher.finish())
    }

    fn sort(&mut self, links: Vec<Url>, level: &mut Level) {
        for link in links {
            if self.is_new(&link) {
                let owner = self.owner(&link);
                level.add(link, owner);
            }
        }
    }

    fn owner(&self, link: &Url) -> Owner {
        let aliases = &self.prober.deep.rules.aliases;
        let Some((host, _)) = place(link) else { return Owner::External };
        let own = aliases.same_owner(&host, &self.site.host) || aliases.same_owner(&host, &self.home);
        if own { Owner::Internal } else { Owner::External }
    }

    /// Requests one link over both families. What stands on the page, if it is an internal page of level 2.
    async fn request(&mut self, url: Url, level: u8, owner: Owner) -> Option<Harvest> {
        if self.requests >= self.prober.deep.rules.requests {
            self.record.limit(Limit::Links);
            return None;
        }
        let read = level == 2 && owner == Owner::Internal && !harvest::is_file(&url);
        let check = self.checked(&url).await;
        let (v6, page6) = self.fetch(&url, Family::V6, check.as_deref(), read).await;
        let (v4, page4) = self.fetch(&url, Family::V4, check.as_deref(), read && page6.is_none()).await;
        let link = Link { url: url.to_string(), level, owner, v4, v6 };
        self.record.write(|round| {
            if let Some(links) = &mut round.links {
                links.links.push(link);
            }
        });
        Some(harvest_of(page6.or(page4)?, url, self.prober.net.http).await)
    }

    /// The link's host. None: nothing may be sent there.
    async fn checked(&self, url: &Url) -> Option<Arc<HostCheck>> {
        let (host, port) = place(url)?;
        if !REDIRECT_PORTS.contains(&port) && Some(port) != self.site.port {
            return None;
        }
        self.prober.host(&host, self.number).await
    }

    async fn fetch(
        &mut self,
        url: &Url,
        family: Family,
        check: Option<&HostCheck>,
        read: bool,
    ) -> (Fetch, Option<Fetched>) {
        let prober = self.prober;
        let now = prober.net.clock.now();
        let Some(check) = check else { return (Fetch::unsent(FetchEnd::NotMade, now), None) };
        if let Some(end) = obstacle(check, family) {
            let server = check.over(family).server;
            return (Fetch { server, ..Fetch::unsent(end, check.at) }, None);
        }
        let willing = !self.left_alone.contains(&check.host);
        let Some(address) = check.over(family).public().filter(|_| willing) else {
            return (Fetch::unsent(FetchEnd::NotMade, now), None);
        };
        let mut tries = Tries::new(TRIES);
        loop {
            let number = tries.number();
            self.requests += 1;
            let pass = prober.net.turns.take(Subject::Request(check.host.clone(), address)).await;
            let (started, begun) = (prober.net.clock.now(), Instant::now());
            let visit = if read { Visit::Page } else { Visit::Head };
            let outcome = prober.net.pages(family).get(url, address, visit).await;
            let duration_us = super::micros(begun.elapsed());
            drop(pass);
            let reset = outcome.as_ref().is_err_and(|failure| *failure == Failure::Reset);
            prober.net.turns.heard(&check.host, address, reset);
            let fetch = |end| Fetch { end, address: Some(address), server: None, started, duration_us, tries: number };
            match outcome {
                Ok(fetched) => {
                    let status = fetched.status;
                    if status == 429 || (status == 503 && fetched.headers.contains_key(RETRY_AFTER)) {
                        self.left_alone.insert(check.host.clone());
                    }
                    let page = (read && (200..300).contains(&status)).then_some(fetched);
                    return (fetch(FetchEnd::Status(status)), page);
                }
                Err(failure) if tries.again(&failure, |_| false) => {
                    tokio::time::sleep(prober.attempts.spacing).await;
                }
                Err(failure) => return (fetch(FetchEnd::Failed(failure)), None),
            }
        }
    }
}

/// What stands on a page.
pub(super) async fn harvest_of(fetched: Fetched, url: Url, limits: HttpLimits) -> Harvest {
    let content_type = header(&fetched.headers, &CONTENT_TYPE, 200).unwrap_or_default();
    let coding = codings(&fetched.headers);
    let (decoded, _) = body::decode(coding.as_deref(), fetched.body, &limits);
    read_off(decoded.len(), move || harvest::page(&decoded, &content_type, &url)).await
}

/// Reads something of this size here, or off the runtime's threads where it is large.
pub(super) async fn read_off<T: Default + Send + 'static>(size: usize, read: impl FnOnce() -> T + Send + 'static) -> T {
    if size <= LARGE_BODY {
        return read();
    }
    match tokio::task::spawn_blocking(read).await {
        Ok(read) => read,
        // An error of ours must not pass for a page without links.
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // The runtime is shutting down.
        Err(_) => T::default(),
    }
}
