//! The round being written: steps of both families are appended as they finish, so that whatever ends a round early
//! leaves all that was seen before.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;

use super::page::{Extract, Facts};
use crate::model::address::Family;
use crate::model::evidence::{
    AddressFact, Connect, Delegation, Exchange, Handshake, Lookup, MssProof, Page, Purpose, Rival, Round, Sibling, Walk,
};
use crate::model::failure::Limit;
use crate::net::dns::watch::Watch;

/// A round in the making.
#[derive(Debug)]
pub(crate) struct Recorder {
    round: Mutex<Round>,
    /// Pages read so far. Both families mostly bring the same bytes, which need not be read twice.
    pages: Mutex<Vec<KnownPage>>,
    /// Cookies of the requests with which IPv6 walks ended, by URL.
    cookies: Mutex<HashMap<String, Vec<u8>>>,
    /// Lookups whose socket is still listened to, by their index.
    watches: Mutex<Vec<(usize, Watch)>>,
    /// Bodies are kept for those who look deeper.
    deep: bool,
}

/// The page on which a round landed.
#[derive(Debug)]
pub(crate) struct LandingPage {
    pub(crate) url: String,
    pub(crate) family: Family,
    pub(crate) content_type: String,
    pub(crate) body: Arc<Vec<u8>>,
    /// It came to its end.
    pub(crate) whole: bool,
}

/// A page that was read.
#[derive(Debug)]
struct KnownPage {
    key: PageKey,
    extract: Extract,
    /// The body, as long as it may have to be read to its end.
    body: Option<Arc<Vec<u8>>>,
}

/// All that the reading of a page depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PageKey {
    /// SHA-256 of the decoded body, in hexadecimal.
    pub(crate) digest: String,
    /// The rest of the response, as far as it matters.
    pub(crate) facts: Facts,
}

impl PageKey {
    pub(crate) fn of(exchange: &Exchange) -> Self {
        let facts = Facts {
            status: exchange.status,
            content_type: exchange.content_type.clone(),
            cookies: exchange.cookies.clone(),
        };
        Self { digest: exchange.digest.clone(), facts }
    }
}

impl Recorder {
    /// `deep`: the landing page's body is wanted afterwards.
    pub(crate) fn new(round: Round, deep: bool) -> Self {
        Self {
            round: Mutex::new(round),
            pages: Mutex::default(),
            cookies: Mutex::default(),
            watches: Mutex::default(),
            deep,
        }
    }

    /// The page that IPv6 landed on, else the one that IPv4 did; of several entries, the last one's. All bodies are let go.
    /// None: no page came.
    pub(crate) fn take_landing(&self) -> Option<LandingPage> {
        let pages = std::mem::take(&mut *self.pages());
        let round = self.round();
        let landing = |family: Family| {
            let walks = round.walks.iter().filter(|walk| walk.family == family && walk.purpose == Purpose::Entry);
            walks.rev().find_map(|walk| {
                let exchange = walk.landing().filter(|exchange| (200..300).contains(&exchange.status))?;
                let key = PageKey::of(exchange);
                let body = pages.iter().find(|known| known.key == key)?.body.clone()?;
                let content_type = exchange.content_type.clone().unwrap_or_default();
                let whole = exchange.body_failure.is_none();
                Some(LandingPage { url: walk.landing_url()?.to_owned(), family, content_type, body, whole })
            })
        };
        landing(Family::V6).or_else(|| landing(Family::V4))
    }

    /// Changes the round.
    pub(crate) fn write(&self, change: impl FnOnce(&mut Round)) {
        change(&mut self.round());
    }

    fn round(&self) -> MutexGuard<'_, Round> {
        self.round.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The finished round.
    pub(crate) fn finish(self) -> Round {
        // A round that ended early keeps the contradictions that had come by then.
        for (index, watch) in self.watches() {
            let rival = watch.rival().now_or_never().flatten();
            self.rival(index, rival);
        }
        self.round.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn watches(&self) -> Vec<(usize, Watch)> {
        std::mem::take(&mut *self.watches.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn rival(&self, index: usize, rival: Option<Rival>) -> bool {
        let found = rival.is_some();
        self.round().lookups[index].rival = rival;
        found
    }

    /// Waits until nobody has to be listened to any more. True: two different answers came to one of the questions.
    pub(crate) async fn contradicted(&self) -> bool {
        let mut found = false;
        for (index, watch) in self.watches() {
            let rival = watch.rival().await;
            found |= self.rival(index, rival);
        }
        found
    }

    /// Drops what was built on answers that cannot be trusted; the lookups stay.
    pub(crate) fn start_over(&self) {
        let mut round = self.round();
        let lookups = std::mem::take(&mut round.lookups);
        let empty = Round::new(round.number, round.started);
        *round = Round { lookups, without_ipv6: round.without_ipv6, dns_over_tcp: true, ..empty };
    }

    /// A look at what is there so far.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&Round) -> T) -> T {
        look(&self.round())
    }

    /// What was read of this very page before.
    pub(crate) fn known_page(&self, key: &PageKey) -> Option<Extract> {
        self.pages().iter().find(|known| known.key == *key).map(|known| known.extract.clone())
    }

    pub(crate) fn remember_page(&self, key: PageKey, extract: Extract, body: Arc<Vec<u8>>) {
        let body = (extract.page.is_some() && (self.deep || !extract.to_the_end)).then_some(body);
        self.pages().push(KnownPage { key, extract, body });
    }

    /// Landing pages that must be read to their end, since the families brought different ones.
    pub(crate) fn to_compare(&self) -> Vec<(PageKey, Arc<Vec<u8>>)> {
        let round = self.round();
        let landings = |family: Family| {
            let walks = round.walks.iter().filter(move |walk| walk.family == family);
            walks.filter_map(|walk| walk.landing().filter(|exchange| exchange.is_success()))
        };
        let differ = |exchange: &Exchange| landings(Family::V6).any(|other| other.digest != exchange.digest);
        if !landings(Family::V4).any(differ) {
            return Vec::new();
        }
        let keys: Vec<PageKey> = landings(Family::V4).chain(landings(Family::V6)).map(PageKey::of).collect();
        let pages = self.pages();
        let wanted = pages.iter().filter(|known| keys.contains(&known.key));
        let wanted = wanted.filter(|known| !known.extract.to_the_end);
        wanted.filter_map(|known| Some((known.key.clone(), Arc::clone(known.body.as_ref()?)))).collect()
    }

    /// Puts a page that was read to its end in the place of the light reading.
    pub(crate) fn complete_page(&self, key: &PageKey, page: &Page) {
        for walk in &mut self.round().walks {
            for exchange in walk.hops.iter_mut().filter_map(|hop| hop.exchange.as_mut()) {
                if exchange.page.is_some() && PageKey::of(exchange) == *key {
                    exchange.page = Some(page.clone());
                }
            }
        }
    }

    pub(crate) fn remember_cookies(&self, url: String, cookies: Vec<u8>) {
        self.cookies.lock().unwrap_or_else(PoisonError::into_inner).insert(url, cookies);
    }

    /// The Cookie header with which an IPv6 walk ended at this URL. None: it sent none.
    pub(crate) fn cookies(&self, url: &str) -> Option<Vec<u8>> {
        self.cookies.lock().unwrap_or_else(PoisonError::into_inner).get(url).cloned()
    }

    fn pages(&self) -> MutexGuard<'_, Vec<KnownPage>> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn lookup(&self, lookup: Lookup, watch: Option<Watch>) {
        let mut round = self.round();
        round.lookups.push(lookup);
        if let Some(watch) = watch {
            self.watches.lock().unwrap_or_else(PoisonError::into_inner).push((round.lookups.len() - 1, watch));
        }
    }

    pub(crate) fn delegation(&self, delegation: Delegation) {
        self.round().delegations.push(delegation);
    }

    pub(crate) fn address(&self, address: AddressFact) {
        self.round().addresses.push(address);
    }

    pub(crate) fn connect(&self, connect: Connect) {
        self.round().connects.push(connect);
    }

    /// Returns the handshake's index.
    pub(crate) fn handshake(&self, handshake: Handshake) -> usize {
        let mut round = self.round();
        round.handshakes.push(handshake);
        round.handshakes.len() - 1
    }

    pub(crate) fn walk(&self, walk: Walk) {
        self.round().walks.push(walk);
    }

    pub(crate) fn mss_proof(&self, proof: MssProof) {
        self.round().mss_proofs.push(proof);
    }

    pub(crate) fn sibling(&self, sibling: Sibling) {
        self.round().sibling = Some(sibling);
    }

    pub(crate) fn limit(&self, limit: Limit) {
        let mut round = self.round();
        if !round.limits.contains(&limit) {
            round.limits.push(limit);
        }
    }
}
