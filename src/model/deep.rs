//! What the deeper profile gives for one site: rates of links, the skylight (天窗), and how fast the families are. Numbers
//! with the counts they are made of; nothing found is *not judged*, and never nothing of everything.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::evidence::{FetchEnd, Owner};
use super::site::SiteKey;

/// So many of so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// Those that are good over IPv6.
    pub supported: u32,
    /// Those that could be judged: the base.
    pub judged: u32,
    /// Those that there are, judged or not.
    pub found: u32,
    /// There are more than are looked at.
    pub capped: bool,
}

impl Rate {
    /// supported / judged, 0 to 1. None: nothing was judged.
    pub fn share(&self) -> Option<f64> {
        (self.judged > 0).then(|| f64::from(self.supported) / f64::from(self.judged))
    }
}

/// Rates of a site's links.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkRates {
    /// 二级内链: internal links on the home page.
    pub level2: Rate,
    /// 二级外链: external ones.
    pub level2_external: Rate,
    /// 三级内链: internal links on the pages of level 2.
    pub level3: Rate,
    /// 三级外链: external ones.
    pub level3_external: Rate,
}

/// A link that does not do over IPv6 what it does over IPv4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultyLink {
    /// The absolute URL, without fragment.
    pub url: String,
    /// 2 or 3.
    pub level: u8,
    /// Whose page it is.
    pub owner: Owner,
    /// Nobody outside some network gets there over either family.
    pub intranet: bool,
    /// How the request over IPv4 ended.
    pub v4: FetchEnd,
    /// How the request over IPv6 ended.
    pub v6: FetchEnd,
    /// The host without IPv6 that the response over IPv6 redirects to. None: it is the link itself that is at fault.
    pub leads_to: Option<String>,
}

/// The faulty links of a run's sites: so many that they fit into a sheet and into memory, and how many more there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FaultyLinks {
    by_site: BTreeMap<SiteKey, Vec<FaultyLink>>,
    kept: usize,
    left_out: BTreeMap<SiteKey, u64>,
}

impl FaultyLinks {
    /// Links that are kept.
    pub const MOST: usize = 50_000;

    /// Takes those of one site, as many as there is room for.
    pub fn add(&mut self, site: &SiteKey, mut links: Vec<FaultyLink>) {
        let all = links.len();
        links.truncate(Self::MOST - self.kept);
        if links.len() < all {
            self.left_out.insert(site.clone(), (all - links.len()) as u64);
        }
        self.kept += links.len();
        if !links.is_empty() {
            self.by_site.insert(site.clone(), links);
        }
    }

    /// Those of a site, in the order in which they stand on its pages.
    pub fn of(&self, site: &SiteKey) -> &[FaultyLink] {
        self.by_site.get(site).map_or(&[], Vec::as_slice)
    }

    /// Links of a site for which there was no room.
    pub fn left_out(&self, site: &SiteKey) -> u64 {
        self.left_out.get(site).copied().unwrap_or(0)
    }
}

/// Whose host a resource comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostClass {
    /// The site's own owner.
    Same,
    /// Another school.
    School,
    /// A government.
    Government,
    /// A network that delivers other people's content.
    Cdn,
    /// A provider abroad.
    Foreign,
    /// Anybody else.
    Other,
}

impl HostClass {
    /// The stable word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::School => "school",
            Self::Government => "government",
            Self::Cdn => "cdn",
            Self::Foreign => "foreign",
            Self::Other => "other",
        }
    }
}

/// A host without which the page is not complete over IPv6.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockingHost {
    /// The host.
    pub host: String,
    /// Whose it is.
    pub class: HostClass,
    /// It has an IPv6 address, but nobody answers there.
    pub dead: bool,
    /// Resources of it on the page.
    pub resources: u32,
}

/// The page as somebody sees it who has IPv6 only.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Skylight {
    /// Hosts of embedded resources that IPv6 reaches.
    pub hosts: Rate,
    /// Embedded resources on such hosts.
    pub resources: Rate,
    /// The same by weight of their kinds, 0 to 1. None: nothing was judged.
    pub weighted: Option<f64>,
    /// The hosts that are in the way, those with most resources first.
    pub blocking: Vec<BlockingHost>,
    /// Scripts on the page: what they would build was not seen.
    pub scripts: u32,
}

/// One step over one family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spread {
    /// How many times it was measured.
    pub n: u32,
    /// Median, in microseconds.
    pub median_us: u64,
    /// First and third quartile, in microseconds.
    pub quartiles_us: (u64, u64),
}

/// One step over both families.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pair {
    /// Over IPv4. None: never measured.
    pub v4: Option<Spread>,
    /// Over IPv6.
    pub v6: Option<Spread>,
    /// (v6 - v4) / v4 of the medians. 0 where both are good enough, or spread too far to be told apart. None: not known.
    pub degradation: Option<f64>,
}

/// How often the home page came, and how fast.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latencies {
    /// Looks over IPv6 that succeeded, of those that can be judged.
    pub success6: (u32, u32),
    /// The same over IPv4.
    pub success4: (u32, u32),
    /// Name resolution.
    pub dns: Pair,
    /// Opening the connection.
    pub tcp: Pair,
    /// To the first byte.
    pub first_byte: Pair,
    /// To the end of the page.
    pub page: Pair,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_there_is_no_room_for_is_counted() {
        let link = FaultyLink {
            url: "http://a.example/x".to_owned(),
            level: 2,
            owner: Owner::Internal,
            intranet: false,
            v4: FetchEnd::Status(200),
            v6: FetchEnd::NoAddress,
            leads_to: None,
        };
        let mut links = FaultyLinks::default();
        let site = |name: &str| SiteKey::from(name);
        links.add(&site("none.example"), Vec::new());
        links.add(&site("a.example"), vec![link.clone(); FaultyLinks::MOST - 1]);
        links.add(&site("b.example"), vec![link.clone(); 3]);
        links.add(&site("c.example"), vec![link]);
        let kept = ["none.example", "a.example", "b.example", "c.example"].map(|name| links.of(&site(name)).len());
        assert_eq!(kept, [0, FaultyLinks::MOST - 1, 1, 0]);
        assert_eq!(["a.example", "b.example", "c.example"].map(|name| links.left_out(&site(name))), [0, 2, 1]);
    }
}
