//! Links of level 2, which stand on the landing page, and of level 3, which stand on the internal pages of level 2: requested
//! once over each family, without redirects. Where IPv6 is redirected to another host, that host is looked at.
//!
//! The first ones found are requested, up to the bounds. Each request has its turn like every other; one that failed as weather
//! does, or whose host has other addresses, is made again. Leaves to others: what counts as supported.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use hyper::header::{CONTENT_TYPE, LOCATION};
use url::Url;

use super::Prober;
use super::harvest::{self, Harvest};
use super::hosts::{TRIED_PER_HOST, obstacle, place};
use super::left_alone;
use super::page::{self, Depth, Facts};
use super::record::Recorder;
use super::target::may_go_to;
use super::tries::Tries;
use super::walk::{codings, cookie_names, header};
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
/// Requests for one link over one family that may fail, for another reason than this machine's own; one for each address
/// where there are more.
const TRIES: u8 = 2;
/// Characters of a redirect's target that are kept.
const LOCATION_LENGTH: usize = 2000;
/// Bodies larger than this are read off the runtime's threads.
const LARGE_BODY: usize = 128 * 1024;

/// Where the links begin.
pub(super) struct Start {
    pub(super) page: Url,
    pub(super) family: Family,
    pub(super) links: Vec<Url>,
    /// There are more on the page than are read.
    pub(super) cut: bool,
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
    /// There are more links than are counted.
    cut: bool,
    requests: usize,
    /// The address of a host at which it last answered.
    answered: HashMap<(String, Family), IpAddr>,
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
            cut: start.cut,
            requests: 0,
            answered: HashMap::new(),
        };
        follower.is_new(&start.page);
        let mut second = Level::new(2, rules.level2, rules.external);
        follower.sort(start.links, &mut second);
        let mut third = Level::new(3, rules.level3, rules.external);
        record.write(|round| {
            let found = second.counts().chain(third.counts()).collect();
            let page = start.page.to_string();
            let (family, cut) = (start.family, follower.cut);
            round.links = Some(Links { page, family, found, cut, links: Vec::new(), out_of_time: false });
        });
        let [internal, external] = std::mem::take(&mut second.queued);
        for link in internal {
            if let Some(harvest) = follower.request(link, 2, Owner::Internal).await {
                follower.cut |= harvest.cut;
                follower.sort(harvest.links, &mut third);
                record.write(|round| {
                    if let Some(links) = &mut round.links {
                        links.found = second.counts().chain(third.counts()).collect();
                        links.cut = follower.cut;
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
        let hash = hasher.finish();
        if self.seen.len() >= COUNTED {
            self.cut |= !self.seen.contains(&hash);
            return false;
        }
        self.seen.insert(hash)
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
        let (v6, page6, v4, page4) = match self.checked(&url).await {
            Ok(check) => {
                let (v6, page6) = self.fetch(&url, Family::V6, &check, read).await;
                let (v4, page4) = self.fetch(&url, Family::V4, &check, read && page6.is_none()).await;
                (v6, page6, v4, page4)
            }
            Err(end) => {
                let unsent = Fetch::unsent(end, self.prober.net.clock.now());
                (unsent.clone(), None, unsent, None)
            }
        };
        let leads_to = self.target(&url, v6.location.as_deref()).await;
        let link = Link { url: url.to_string(), level, owner, v4, v6, leads_to };
        self.record.write(|round| {
            if let Some(links) = &mut round.links {
                links.links.push(link);
            }
        });
        let page = page6.or(page4)?;
        let whole = page.body_failure.is_none();
        let harvest = harvest_of(page, url, self.prober.net.http).await;
        Some(Harvest { cut: harvest.cut || !whole, ..harvest })
    }

    /// The link's host, or why nothing may be sent there.
    async fn checked(&self, url: &Url) -> Result<Arc<HostCheck>, FetchEnd> {
        let (host, port) = place(url).ok_or(FetchEnd::NotMade)?;
        if !may_go_to(port, self.site.port) {
            return Err(FetchEnd::Port(port));
        }
        self.prober.host(&host, self.number).await.ok_or(FetchEnd::NotMade)
    }

    /// The other host that a redirect leads to. None: it is the same, or is not looked at.
    async fn target(&self, url: &Url, location: Option<&str>) -> Option<HostCheck> {
        let target = url.join(location?.trim()).ok()?;
        let (host, port) = place(&target).filter(|_| matches!(target.scheme(), "http" | "https"))?;
        if place(url).is_some_and(|(own, _)| own == host) || !may_go_to(port, self.site.port) {
            return None;
        }
        Some((*self.prober.opened_host(&host, port, self.number).await?).clone())
    }

    /// Addresses of a host that are tried, that which answered last before the others.
    fn addresses(&self, check: &HostCheck, family: Family) -> Vec<IpAddr> {
        let mut addresses: Vec<IpAddr> = check.over(family).all_public().take(TRIED_PER_HOST).collect();
        if let Some(answered) = self.answered.get(&(check.host.clone(), family)) {
            addresses.sort_by_key(|address| address != answered);
        }
        addresses
    }

    async fn fetch(&mut self, url: &Url, family: Family, check: &HostCheck, read: bool) -> (Fetch, Option<Fetched>) {
        if let Some(end) = obstacle(check, family) {
            let side = check.over(family);
            let (server, confirmed_by) = (side.server, side.confirmed_by);
            return (Fetch { server, confirmed_by, ..Fetch::unsent(end, check.at) }, None);
        }
        let addresses = self.addresses(check, family);
        let mut tries = Tries::new(TRIES.max(addresses.len() as u8));
        let mut dead: Vec<IpAddr> = Vec::new();
        loop {
            let number = tries.number();
            // There is an address where there is no obstacle.
            let address = addresses[usize::from(tries.real()) % addresses.len()];
            let (mut fetch, fetched) = self.try_once(url, address, &check.host, read).await;
            fetch.tries = if fetch.end == FetchEnd::LeftAlone { number - 1 } else { number };
            let elsewhere = |real: u8| usize::from(real) < addresses.len();
            let again = matches!(&fetch.end, FetchEnd::Failed(failure) if tries.again(failure, elsewhere));
            if !again {
                fetch.dead = dead;
                return (fetch, fetched);
            }
            // What this machine spoilt says nothing of the address.
            let spoilt = matches!(&fetch.end, FetchEnd::Failed(failure) if failure.is_local());
            if addresses.len() > 1 && !spoilt && !dead.contains(&address) {
                dead.push(address);
            }
            tokio::time::sleep(self.prober.attempts.spacing).await;
        }
    }

    /// One request at one address.
    async fn try_once(&mut self, url: &Url, address: IpAddr, host: &str, read: bool) -> (Fetch, Option<Fetched>) {
        let prober = self.prober;
        let family = Family::of(address);
        let pass = prober.net.turns.take(Subject::Request(host.to_owned(), address)).await;
        let (started, begun) = (prober.net.clock.now(), Instant::now());
        if prober.deep.left_alone.holds(host) {
            return (Fetch::unsent(FetchEnd::LeftAlone, started), None);
        }
        self.requests += 1;
        let visit = if read { Visit::Page } else { Visit::Head };
        let outcome = prober.net.pages(family).get(url, address, visit).await;
        let duration_us = super::micros(begun.elapsed());
        drop(pass);
        prober.net.turns.heard(host, address, outcome.as_ref().is_err_and(|failure| *failure == Failure::Reset));
        let unsent = Fetch::unsent(FetchEnd::NotMade, started);
        let fetch = Fetch { address: Some(address), duration_us, ..unsent };
        let fetched = match outcome {
            Ok(fetched) => fetched,
            Err(failure) => return (Fetch { end: FetchEnd::Failed(failure), ..fetch }, None),
        };
        let status = fetched.status;
        if left_alone::asks(status, &fetched.headers) {
            prober.deep.left_alone.add(host);
        }
        self.answered.insert((host.to_owned(), family), address);
        let location = header(&fetched.headers, &LOCATION, LOCATION_LENGTH).filter(|_| (300..400).contains(&status));
        let challenge = is_challenge(&fetched, prober.net.http).await;
        let page = (read && (200..300).contains(&status)).then_some(fetched);
        (Fetch { end: FetchEnd::Status(status), location, challenge, ..fetch }, page)
    }
}

/// The response is a firewall's challenge, by the marks of its page. A plain success has none, and is not read for them.
pub(super) async fn is_challenge(fetched: &Fetched, limits: HttpLimits) -> bool {
    let status = fetched.status;
    if status != 202 && status < 400 {
        return false;
    }
    let facts = Facts {
        status,
        content_type: header(&fetched.headers, &CONTENT_TYPE, 200),
        cookies: cookie_names(&fetched.headers),
    };
    let (decoded, _) = body::decode(codings(&fetched.headers).as_deref(), fetched.body.clone(), &limits);
    let marks = move || page::read(&decoded, &facts, Depth::Light).page.map(|page| page.marks).unwrap_or_default();
    read_off(fetched.body.len(), marks).await.iter().any(|mark| mark.starts_with("challenge:"))
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
