//! What the deeper profile gives for one site: rates of links, the skylight (天窗), and how fast the families are. Numbers
//! with the counts they are made of; nothing found is *not judged*, and never nothing of everything.

use serde::{Deserialize, Serialize};

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
