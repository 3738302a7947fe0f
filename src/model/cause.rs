//! Root causes: what would have to be mended, once each, however many schools it holds back.

use std::collections::{BTreeMap, BTreeSet};

use super::args::Args;
use super::finding::Code;
use super::school::RegionCode;
use super::site::SiteKey;
use super::word::Word;

/// What a cause is about, unique within a run: the same fault of the same thing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CauseKey {
    /// The fault, in the words of the findings. Findings that the same change mends share one code.
    pub code: Code,
    /// The thing: a host, `[address]:port`, a prefix, a zone, a name server, a certificate.
    pub subject: String,
}

/// What a cause keeps a site from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// From passing: the site is BROKEN or ABSENT.
    Fails,
    /// From being without defects: the site passes all the same.
    Defect,
}

/// One ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// What has to be mended.
    pub key: CauseKey,
    /// What it keeps sites from.
    pub effect: Effect,
    /// Arguments for its wording, such as `host` or `address`.
    pub args: Args,
    /// The thing belongs to nobody whose site is held back: none of the sites has a name under its registrable domain.
    /// None: the thing has no name that could tell.
    pub outside: Option<bool>,
    /// Sites that it holds back, alone or among other causes.
    pub sites: BTreeSet<SiteKey>,
    /// Rows of the lists that it holds back, portals and services.
    pub rows: u64,
    /// Schools that count by a site which needs this alone.
    pub helped: u64,
    /// Schools that count by a site which needs this, be it alone or among other causes.
    pub touched: u64,
    /// 责任单位 of the touched schools; of the schools of its rows where no school counts by it.
    pub units: BTreeSet<Word>,
    /// Regions with touched schools, at every level: schools helped and touched.
    pub regions: BTreeMap<RegionCode, Share>,
    /// Tasks with touched schools, by number.
    pub tasks: BTreeMap<String, Share>,
}

/// How many schools of a region or a task a cause holds back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// As [`Cause::helped`].
    pub helped: u64,
    /// As [`Cause::touched`].
    pub touched: u64,
}

/// All causes of a run. In each list those that help most come first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Causes {
    /// Why rows fail. Every BROKEN and every ABSENT row is held back by at least one of these.
    pub failures: Vec<Cause>,
    /// Why rows pass with defects.
    pub defects: Vec<Cause>,
}
