//! Observing one site: the explicit steps of the method, in order, each recorded with its one outcome.
//!
//! Lookup, delegation, address scope, connect, handshake, exchange; once more over IPv4 where the families' pages differ, and
//! once more over IPv6 with small segments where it stalls; in the deep profile then links, resources and samples. The result is a [`Round`] of evidence. Leaves to others: what the
//! evidence means ([`crate::judge`]), which sites to probe
//! and when ([`crate::engine`]), and everything that touches a socket ([`crate::net`]).

pub mod deep;
pub mod delegation;
#[cfg(fuzzing)]
pub mod fuzzing;
mod harvest;
mod hosts;
mod left_alone;
mod links;
pub mod mail;
mod marks;
mod markup;
pub mod page;
mod proof;
mod reach;
mod record;
mod resolve;
mod retry;
mod samples;
mod shared;
mod skylight;
mod target;
mod tries;
mod walk;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use self::deep::Deep;
use self::delegation::Delegations;
use self::mail::Mails;
use self::page::Depth;
use self::record::Recorder;
use self::resolve::Known;
use crate::clock::Clock;
use crate::model::address::Family;
use crate::model::evidence::{AddressFact, LookupOutcome, Purpose, RecordType, Round, Sibling, WalkEnd};
use crate::model::failure::Limit;
use crate::model::optout::OptOuts;
use crate::model::site::Site;
use crate::net::connect::Connector;
use crate::net::dns::authority::Authorities;
use crate::net::dns::exchange::Exchanges;
use crate::net::http::HttpLimits;
use crate::net::pages::{Pages, Visit};
use crate::net::tls::TlsClient;
use crate::net::turn::{Subject, Turns};
use crate::net::work;

/// How long single steps may take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Deadlines {
    /// First connection attempt.
    pub connect: Duration,
    /// Later connection attempts.
    pub connect_retry: Duration,
    /// TLS handshake.
    pub tls: Duration,
    /// The whole site in one round, without what is waited for turns. Inner deadlines end earlier, so that the specific
    /// failure is recorded.
    pub site: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            connect_retry: Duration::from_secs(10),
            tls: Duration::from_secs(8),
            site: Duration::from_mins(3),
        }
    }
}

/// How often weather is tried again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Attempts {
    /// Tries per address and step.
    pub per_address: u8,
    /// Rounds of questions to the resolvers.
    pub dns: u8,
    /// Pause between two tries.
    pub spacing: Duration,
}

impl Default for Attempts {
    fn default() -> Self {
        Self { per_address: 3, dns: 2, spacing: Duration::from_secs(2) }
    }
}

/// Bounds of one site.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// Addresses of each family that are dialled.
    pub addresses: usize,
    /// Redirects followed.
    pub redirects: usize,
    /// Of these, page-made ones (meta refresh, script).
    pub soft_redirects: usize,
    /// Bytes of a URL that is followed.
    pub url_bytes: usize,
    /// The longest Retry-After that is waited for in place.
    pub retry_after: Duration,
    /// DNS questions in one round.
    pub queries: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            addresses: 8,
            redirects: 10,
            soft_redirects: 3,
            url_bytes: 2000,
            retry_after: Duration::from_mins(1),
            queries: 64,
        }
    }
}

/// The outside world as the prober uses it.
#[derive(Debug)]
pub struct Net {
    /// Explicit DNS exchanges.
    pub exchanges: Exchanges,
    /// Finder of authoritative servers.
    pub authorities: Authorities,
    /// The one connector.
    pub connector: Connector,
    /// TLS.
    pub tls: TlsClient,
    /// Pages over IPv4, for the noise floor and for links.
    pub pages_v4: Pages,
    /// Pages over IPv6, for links.
    pub pages_v6: Pages,
    /// Turns.
    pub turns: Arc<dyn Turns>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The resolvers.
    pub resolvers: Vec<SocketAddr>,
    /// Bounds of one exchange.
    pub http: HttpLimits,
    /// User-Agent of every request.
    pub user_agent: String,
}

/// Observes sites.
#[derive(Debug)]
pub struct Prober {
    /// The outside world.
    pub net: Arc<Net>,
    /// Deadlines.
    pub deadlines: Deadlines,
    /// Attempts.
    pub attempts: Attempts,
    /// Bounds.
    pub bounds: Bounds,
    /// Names that nothing is asked about and nothing is sent to.
    pub opt_outs: OptOuts,
    /// What is known about zones and their name servers.
    pub delegations: Arc<Delegations>,
    /// How much of a site is looked at.
    pub profile: Profile,
    /// Bounds of the deep profile, and what is known about other hosts.
    pub deep: Arc<Deep>,
    /// How mail is taken is looked at as well, with what is known of it. None: it is not.
    pub mail: Option<Arc<Mails>>,
}

/// How much of a site is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// Without its zones.
    Quick,
    /// All that the verdict rests on.
    #[default]
    Standard,
    /// With its links, what its landing page is put together from, and samples of it.
    Deep,
}

/// Which transports a round may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transports {
    /// IPv4 and IPv6.
    Both,
    /// DNS and IPv4 only: IPv6 reach is not measured.
    WithoutIpv6,
}

/// What of a site is looked at in one round.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Extent {
    /// Names, addresses and pages.
    Pages,
    /// The zones of its names as well.
    Zones,
    /// All there is.
    Deep,
}

impl Prober {
    /// The same prober without patience for weather: one try per address and step.
    #[must_use]
    pub fn trying_once(&self) -> Self {
        let attempts = Attempts { per_address: 1, dns: 1, ..self.attempts };
        Self {
            net: Arc::clone(&self.net),
            deadlines: self.deadlines,
            attempts,
            bounds: self.bounds,
            opt_outs: self.opt_outs.clone(),
            delegations: Arc::clone(&self.delegations),
            profile: self.profile,
            deep: Arc::clone(&self.deep),
            mail: self.mail.clone(),
        }
    }

    /// Observes one site once. Always ends within the site's deadline, with whatever was seen by then.
    pub async fn observe(&self, site: &Site, number: u8, transports: Transports) -> Round {
        let extent = match (transports, self.profile) {
            (Transports::WithoutIpv6, _) | (_, Profile::Quick) => Extent::Pages,
            (Transports::Both, Profile::Standard) => Extent::Zones,
            (Transports::Both, Profile::Deep) => Extent::Deep,
        };
        let mut round = self.observe_parts(site, number, transports, extent).await;
        if transports == Transports::Both
            && let Some(mails) = &self.mail
        {
            round.mail = Box::pin(self.look_at_mail(mails, site, number)).await;
            round.ended = self.net.clock.now();
        }
        round
    }

    /// The same without its zones, for anchors: they prove that pages can be fetched.
    pub async fn observe_pages(&self, site: &Site, number: u8, transports: Transports) -> Round {
        self.observe_parts(site, number, transports, Extent::Pages).await
    }

    async fn observe_parts(&self, site: &Site, number: u8, transports: Transports, extent: Extent) -> Round {
        let mut round = Round::new(number, self.net.clock.now());
        round.without_ipv6 = transports == Transports::WithoutIpv6;
        let record = Recorder::new(round, extent == Extent::Deep);
        let steps = self.steps(&record, site, transports, extent);
        if work::within(self.deadlines.site, steps).await.is_none() {
            record.limit(Limit::Site);
        } else if extent == Extent::Deep {
            Box::pin(self.look_deeper(&record, site)).await;
        }
        let mut round = record.finish();
        round.ended = self.net.clock.now();
        round
    }

    async fn steps(&self, record: &Recorder, site: &Site, transports: Transports, extent: Extent) {
        // On the heap: the steps' state is large, and callers hold this among other things.
        Box::pin(self.pass(record, site, transports, extent)).await;
        // Somebody who answers in the name servers' place is noticed by the second answer, which may come late. Whatever
        // was dialled by then says nothing about the site. Nothing is sent meanwhile, so the site needs no place.
        if work::waiting(record.contradicted()).await {
            record.start_over();
            Box::pin(self.pass(record, site, transports, extent)).await;
        }
    }

    async fn pass(&self, record: &Recorder, site: &Site, transports: Transports, extent: Extent) {
        let (v4, v6) = self.resolve_listed(record, &site.host).await;
        let about_zones = async {
            if extent >= Extent::Zones {
                let looking = Box::pin(self.look_at_zones(record, &site.host, record.read(|round| round.number)));
                // Zones must not use up the time that the page needs: without them, the site is judged all the same.
                work::within(self.deadlines.site / 2, looking).await;
            }
        };
        work::both(Box::pin(self.pages(record, site, transports, v4, v6)), about_zones).await;
    }

    async fn pages(&self, record: &Recorder, site: &Site, transports: Transports, v4: Known, v6: Known) {
        let (host, v4, v6) = self.choose_name(record, site, v4, v6).await;
        let dial_v4 = self.dialable(record, &v4.addresses);
        let dial_v6 = self.dialable(record, &v6.addresses);
        // The steps of both families together are too large for a stack.
        let over_v4 = Box::pin(self.measure(record, site, &host, Family::V4, &dial_v4));
        let over_v6 = Box::pin(async {
            if v6.addresses.is_empty() && !v4.addresses.is_empty() {
                self.ask_for_hints(record, &host).await;
            }
            if transports == Transports::Both {
                self.measure(record, site, &host, Family::V6, &dial_v6).await;
            }
        });
        work::both(over_v4, over_v6).await;
        self.read_to_the_end(record).await;
        self.noise_floor(record).await;
        self.mss_proofs(record).await;
    }

    /// Reads the landing pages to their end where the families brought different ones. Where they brought the same bytes,
    /// there is nothing to compare.
    async fn read_to_the_end(&self, record: &Recorder) {
        for (key, body) in record.to_compare() {
            if let Some(page) = walk::read_body(body, key.facts.clone(), Depth::Full).await.page {
                record.complete_page(&key, &page);
            }
        }
    }

    /// The name to measure. A listed name without any address may have its site under the sibling name.
    async fn choose_name(&self, record: &Recorder, site: &Site, v4: Known, v6: Known) -> (String, Known, Known) {
        let listed = site.host.to_string();
        let nothing = v4.addresses.is_empty() && v6.addresses.is_empty();
        let www = listed.strip_prefix("www.");
        // With an address under the listed name, only a `www.` that is further along than it is of interest.
        if !nothing && (www.is_some() || !v6.addresses.is_empty()) {
            return (listed, v4, v6);
        }
        let host = www.map_or_else(|| format!("www.{listed}"), str::to_owned);
        if self.opt_outs.of(&host).is_some() {
            return (listed, v4, v6);
        }
        let missing = LookupOutcome::Nxdomain;
        let exists = v4.outcome != missing || v6.outcome != missing;
        let clean = |known: &Known| known.outcome == LookupOutcome::Nodata;
        let stands_in = nothing && exists && clean(&v4) && clean(&v6);
        let (sibling_v4, sibling_v6) = if stands_in {
            // What is measured in the listed name's place is judged as that is: absence needs a second source.
            let (v4, v6) = self.resolve_listed(record, &host).await;
            (Some(v4), v6)
        } else {
            let v6 = self.resolve_other(record, &host, RecordType::Aaaa).await;
            (if nothing { Some(self.resolve_other(record, &host, RecordType::A).await) } else { None }, v6)
        };
        let has_a = sibling_v4.as_ref().and_then(|known| self.has_usable(known));
        let has_aaaa = self.has_usable(&sibling_v6);
        let judged = stands_in && (has_a == Some(true) || has_aaaa == Some(true));
        record.sibling(Sibling { host: host.clone(), has_a, has_aaaa, judged });
        match sibling_v4 {
            Some(sibling_v4) if judged => (host, sibling_v4, sibling_v6),
            _ => (listed, v4, v6),
        }
    }

    fn has_usable(&self, known: &Known) -> Option<bool> {
        use LookupOutcome::{Answer, Nodata, Nxdomain};
        match known.outcome {
            Answer => Some(known.addresses.iter().any(|address| self.net.connector.scope(*address).is_public())),
            Nodata | Nxdomain => Some(false),
            _ => None,
        }
    }

    /// Records every address with its scope, and returns those to dial.
    fn dialable(&self, record: &Recorder, addresses: &[IpAddr]) -> Vec<IpAddr> {
        let mut dial = Vec::new();
        for address in addresses {
            let scope = self.net.connector.scope(*address);
            let dialled = scope.is_public() && dial.len() < self.bounds.addresses && !dial.contains(address);
            if dialled {
                dial.push(*address);
            } else if scope.is_public() && !dial.contains(address) {
                record.limit(Limit::Addresses);
            }
            record.address(AddressFact { address: *address, scope, dialled });
        }
        dial
    }

    /// Connects to all addresses of one family and walks from every entry that is open.
    async fn measure(&self, record: &Recorder, site: &Site, host: &str, family: Family, dial: &[IpAddr]) {
        if dial.is_empty() {
            return;
        }
        let entries = site.entries();
        let ports: Vec<u16> = entries.iter().map(|(_, port)| *port).collect();
        let mut reached = self.reach(record, dial, &ports).await;
        for (scheme, port) in entries {
            let url = Site::entry_url(host, scheme, port);
            let walked = record.read(|round| round.entry(family, &url).is_some());
            if !walked {
                self.reach_first(record, host, port, &mut reached).await;
                self.walk(record, family, host, (scheme, port), &mut reached).await;
                // A connection that the walk had no use for must not keep the next one waiting.
                reached.kept.clear();
            }
        }
    }

    /// Fetches the IPv4 landing page once more where the families' pages differ: pages that differ from themselves say
    /// nothing about the families.
    async fn noise_floor(&self, record: &Recorder) {
        let wanted = record.read(|round| {
            let landings = |family| {
                let entries = round.walks.iter().filter(move |walk| walk.family == family);
                entries.filter_map(|walk| Some((walk, walk.landing().filter(|exchange| exchange.is_success())?)))
            };
            let (walk, v4) = landings(Family::V4).next_back()?;
            let (_, v6) = landings(Family::V6).next_back()?;
            let hop = walk.hops.last()?;
            let differ = v4.digest != v6.digest && v4.page.is_some() && v6.page.is_some();
            differ.then(|| (hop.url.clone(), walk.scheme, hop.address))
        });
        let Some((url, scheme, Some(address))) = wanted else { return };
        let Ok(parsed) = url::Url::parse(&url) else { return };
        let host = parsed.host_str().unwrap_or_default().to_owned();
        let pass = self.net.turns.take(Subject::Request(host, address)).await;
        let started = self.net.clock.now();
        let fetched = self.net.pages_v4.get(&parsed, address, Visit::Once).await;
        drop(pass);
        let (exchange, end) = match fetched {
            Ok(fetched) => {
                (Some(self.read_exchange(record, fetched, started, Depth::Full).await.exchange), WalkEnd::Landed)
            }
            // Whoever reads the round must know that a comparison is missing for a reason of ours.
            Err(failure) if failure.is_local() => (None, WalkEnd::Failed(failure)),
            Err(_) => return,
        };
        record.walk(crate::model::evidence::Walk {
            family: Family::V4,
            scheme,
            purpose: Purpose::NoiseFloor,
            hops: vec![crate::model::evidence::Hop {
                port: parsed.port_or_known_default().unwrap_or(80),
                url,
                via: crate::model::evidence::Via::Start,
                address: Some(address),
                handshake: None,
                exchange,
            }],
            end,
        });
    }
}

impl Net {
    /// The page client of a family.
    fn pages(&self, family: Family) -> &Pages {
        match family {
            Family::V4 => &self.pages_v4,
            Family::V6 => &self.pages_v6,
        }
    }
}

/// A duration in microseconds, as stored.
fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
