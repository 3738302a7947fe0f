//! The round being written: steps of both families are appended as they finish, so that whatever ends a round early
//! leaves all that was seen before.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::page::{Extract, Facts};
use crate::model::address::Family;
use crate::model::evidence::{
    AddressFact, Connect, Delegation, Exchange, Handshake, Lookup, MssProof, Page, Round, Sibling, Walk,
};
use crate::model::failure::Limit;

/// A round in the making.
#[derive(Debug)]
pub(crate) struct Recorder {
    round: Mutex<Round>,
    /// Pages read so far. Both families mostly bring the same bytes, which need not be read twice.
    pages: Mutex<Vec<KnownPage>>,
    /// Cookies of the requests with which IPv6 walks ended, by URL.
    cookies: Mutex<HashMap<String, Vec<u8>>>,
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
    pub(crate) fn new(round: Round) -> Self {
        Self { round: Mutex::new(round), pages: Mutex::new(Vec::new()), cookies: Mutex::default() }
    }

    fn round(&self) -> MutexGuard<'_, Round> {
        self.round.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The finished round.
    pub(crate) fn finish(self) -> Round {
        self.round.into_inner().unwrap_or_else(PoisonError::into_inner)
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
        let body = (extract.page.is_some() && !extract.to_the_end).then_some(body);
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

    pub(crate) fn lookup(&self, lookup: Lookup) {
        self.round().lookups.push(lookup);
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
