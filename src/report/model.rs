//! The published shapes, versioned: what `summary.json` holds and what every other format is rendered from, so that all
//! of them show the same numbers. Language-independent: codes and names, no wording.
//!
//! Text is published as it was found; making it inert for a page, a sheet or a terminal is the business of each format.
//! `None` (`null`) always means "not known", never "none".

mod derived;
mod lazy;
mod past;

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Serialize, Serializer};

use crate::judge::summarise::Standing;
use crate::model::deep::{Latencies, LinkRates, Skylight};
use crate::model::mail::MailReadiness;
use crate::model::outage::{Line, Trigger};
use crate::model::run::{ResolverState, RunEnd};
use crate::model::school::{Category, RegionCode, RegionLevel, Role, RosterState};
use crate::model::site::{Site, SiteKey};
use crate::model::summary::Completion;
use crate::model::time::Timestamp;
use crate::model::verdict::{CountsAs, Readiness, Stack};

use super::format::rfc3339;
pub use super::rows::{Outline, OwnPast, Rows, Schools};
pub use crate::judge::compare::{Change, Flapping};
pub use derived::{After, AfterIn, CauseInfo, Lost, NetworkInfo, OperatorInfo, RuleSetInfo, ScoreInfo};
pub use lazy::{Findings, Networks, Pointers, Repeat, Scores, Source};
pub use past::{Changes, HistoryInfo, LeftOutInfo, Moved, Named, RunRef, TrendCounts, TrendInfo};

/// Version of the published shapes. Raised when a reader of `summary.json` would have to change.
pub const SCHEMA_VERSION: u32 = 1;

/// A report before it has a format.
#[derive(Clone, Debug, Serialize)]
pub struct Report<'a> {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The run.
    pub run: RunInfo,
    /// The policy.
    pub policy: PolicyInfo,
    /// What a reader must be told before any number.
    pub marks: Vec<Mark>,
    /// The whole province.
    pub total: Counts,
    /// Service rows (其他系统), with a rate of their own. The counts are of rows, not of schools.
    pub services: Counts,
    /// Progress to each task of the policy.
    pub tasks: Vec<TaskInfo>,
    /// Regions with schools, in list order.
    pub regions: Vec<RegionInfo>,
    /// By category, in report order.
    pub categories: Vec<Group>,
    /// By 责任单位, by name; the empty name holds schools without one.
    pub units: Vec<Group>,
    /// Why rows fail, what helps most first.
    pub causes: Vec<CauseInfo>,
    /// Why rows pass with defects, likewise.
    pub defect_causes: Vec<CauseInfo>,
    /// What published rule sets make of the same evidence.
    pub rule_sets: Vec<RuleSetInfo>,
    /// In whose networks the sites' IPv6 addresses are, in report order; only operators that have any.
    pub operators: Vec<OperatorInfo>,
    /// What changed since the run before, for schools by the site they count by.
    pub changes: Changes,
    /// The runs over time.
    pub history: HistoryInfo,
    /// One entry per accepted row of the lists, in list order.
    pub schools: Schools<'a>,
    /// Rows that could not be taken into the roster.
    pub rejected: Vec<RejectedInfo>,
}

/// What a reader must be told before any number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// The schools are invented, or the network was simulated.
    Simulated,
    /// Prefixes were treated as public that are not.
    Lab,
    /// Coverage is too low, or the run did not come to its end.
    Incomplete,
    /// IPv6 transport was not used.
    WithoutIpv6,
}

/// The run as published.
#[derive(Clone, Debug, Serialize)]
pub struct RunInfo {
    /// Its identifier.
    pub id: String,
    /// When it began, RFC 3339.
    pub started: String,
    /// When it ended, RFC 3339.
    pub ended: Option<String>,
    /// How it ended.
    pub end: RunEnd,
    /// Name of the vantage.
    pub vantage: String,
    /// ISP label of the vantage.
    pub isp: Option<String>,
    /// Resolvers asked.
    pub resolvers: Vec<String>,
    /// Version of the measuring and judging rules.
    pub method_version: String,
    /// Version of the program that measured.
    pub program_version: String,
    /// IPv6 transport was not used.
    pub without_ipv6: bool,
    /// Laboratory.
    pub lab: bool,
    /// Simulated network or invented schools.
    pub simulated: bool,
    /// What was lost in its course, in order of time: the breaker's log.
    pub breaker: Vec<OutageInfo>,
    /// When single resolvers failed their self-tests, in order of time.
    pub resolver_lapses: Vec<LapseInfo>,
}

/// A stretch of the run in which one resolver failed its self-tests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LapseInfo {
    /// Its address and port.
    pub resolver: String,
    /// The worst that came out.
    pub state: ResolverState,
    /// The first test that failed, RFC 3339.
    pub since: String,
    /// The next one that did not, RFC 3339. None: there was none before the run's end.
    pub until: Option<String>,
}

/// A stretch of the run in which a line of the vantage could not be proven.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OutageInfo {
    /// The line.
    pub line: Line,
    /// What made it noticed.
    pub why: Trigger,
    /// The first failed proof, RFC 3339.
    pub since: String,
    /// When the breaker opened, RFC 3339. None: the next proof was good again.
    pub opened: Option<String>,
    /// When sites were measured again, RFC 3339. None: not before the run's end.
    pub until: Option<String>,
    /// Sites whose failures were set aside, or that were dropped in mid-flight.
    pub quarantined: u32,
    /// Of these, sites that were measured anew.
    pub redone: u32,
}

/// The policy as published.
#[derive(Clone, Debug, Serialize)]
pub struct PolicyInfo {
    /// Title of the document.
    pub title: String,
    /// Its number.
    pub number: String,
    /// The area it covers.
    pub area: String,
    /// Coverage below which nothing is ranked.
    pub minimum_coverage: f64,
}

/// The counts of a set of schools, and what follows from them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Counts {
    /// Schools on the lists.
    pub listed: u64,
    /// Schools that pass: the numerator.
    pub ready: u64,
    /// Schools that pass or fail: the base.
    pub judged: u64,
    /// Schools that could not be judged, or were not reached.
    pub inconclusive: u64,
    /// Schools left out of the base: no site, down, no such name, invalid, opted out, closed.
    pub out_of_base: u64,
    /// ready / judged.
    pub rate: Option<f64>,
    /// judged / (judged + inconclusive).
    pub coverage: Option<f64>,
    /// The rate if everything not judged failed, and if it passed.
    pub range: Option<[f64; 2]>,
    /// Schools by verdict: every verdict is there.
    pub verdicts: BTreeMap<&'static str, u64>,
    /// Schools without a verdict, by roster state: every state is there. `LISTED` was not reached.
    pub roster: BTreeMap<&'static str, u64>,
}

impl Counts {
    /// The schools that the range and the coverage are computed over.
    pub fn base(&self) -> u64 {
        self.judged + self.inconclusive
    }

    /// Schools of this standing.
    pub fn of(&self, standing: Standing) -> u64 {
        let counts = match standing {
            Standing::Verdict(_) => &self.verdicts,
            Standing::Roster(_) => &self.roster,
        };
        counts.get(standing.name()).copied().unwrap_or(0)
    }
}

/// Every roster state, in report order.
pub const ROSTER_STATES: [RosterState; 5] =
    [RosterState::Listed, RosterState::NoSite, RosterState::Invalid, RosterState::OptedOut, RosterState::Closed];

impl From<&Completion> for Counts {
    fn from(inner: &Completion) -> Self {
        let state = |state: RosterState| inner.roster.get(&state).copied().unwrap_or(0);
        Self {
            listed: inner.listed,
            ready: inner.ready(),
            judged: inner.judged(),
            inconclusive: inner.inconclusive(),
            out_of_base: inner.out_of_base(),
            rate: inner.rate(),
            coverage: inner.coverage(),
            range: inner.range().map(|(low, high)| [low, high]),
            verdicts: Readiness::ALL.iter().map(|verdict| (verdict.name(), inner.of(*verdict))).collect(),
            roster: ROSTER_STATES.iter().map(|of| (Standing::Roster(*of).name(), state(*of))).collect(),
        }
    }
}

/// Progress to one task.
#[derive(Clone, Debug, Serialize)]
pub struct TaskInfo {
    /// Its number in the document.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Its title in English.
    pub title_en: Option<String>,
    /// The document's own word for how far.
    pub wording: String,
    /// Share of judged schools to be ready.
    pub target: f64,
    /// The document itself gives that number.
    pub target_official: bool,
    /// Which schools it is about.
    pub categories: Vec<Category>,
    /// 责任单位.
    pub responsible: Vec<String>,
    /// Deadline as the document gives it.
    pub deadline: Option<String>,
    /// The target is met. None: nothing was judged.
    pub met: Option<bool>,
    /// Its schools.
    pub counts: Counts,
}

/// One region.
#[derive(Clone, Debug, Serialize)]
pub struct RegionInfo {
    /// Its code.
    pub code: RegionCode,
    /// Its name, or its code where the lists do not name it.
    pub name: String,
    /// Its name in English or pinyin.
    pub name_en: Option<String>,
    /// Its level. None: the lists do not know the code.
    pub level: Option<RegionLevel>,
    /// The region whose numbers include this one's.
    pub parent: Option<RegionCode>,
    /// Its page inside the folder.
    pub page: String,
    /// Everything in it, at every level below.
    pub counts: Counts,
    /// Only the schools that report to it directly.
    pub direct: Counts,
    /// Service rows of its schools, at every level below. The counts are of rows.
    pub services: Counts,
    /// Everything in it, by category.
    pub categories: Vec<Group>,
    /// Everything in it, by county; the empty key holds schools whose county is not known.
    pub counties: Vec<Group>,
    /// Coverage is high enough to be ranked.
    pub rankable: bool,
    /// Place among its like, from 1.
    pub rank: Option<u32>,
    /// Its place in the run before. None: it had none, or there is no such run.
    pub previous_rank: Option<u32>,
    /// Its numbers over time, for each of [`HistoryInfo::runs`].
    pub trend: Vec<TrendInfo>,
}

/// A named set of schools.
#[derive(Clone, Debug, Serialize)]
pub struct Group {
    /// Category name, county code or unit name. Empty: not known.
    pub key: String,
    /// Name for people, where the lists have one.
    pub name: Option<String>,
    /// Its schools.
    pub counts: Counts,
}

/// One accepted row of the lists: a school and one site of it. A view of the lists and the verdicts: what costs
/// something to make is made where it is wanted.
#[derive(Clone, Debug, Serialize)]
pub struct SchoolRow<'a> {
    /// Name of the school.
    pub name: &'a str,
    /// The site as listed (A-labels). None: the row has none.
    pub domain: Option<&'a SiteKey>,
    /// The host name with U-labels, where it differs.
    pub domain_unicode: Option<&'a str>,
    /// 学校标识码.
    pub school_code: Option<&'a str>,
    /// Code of the region that reports it.
    pub region: &'a RegionCode,
    /// Name of that region.
    pub region_name: &'a str,
    /// Code of the county.
    pub county: Option<&'a RegionCode>,
    /// Name of the county.
    pub county_name: Option<&'a str>,
    /// Category.
    pub category: Category,
    /// A finer kind in the list's own words.
    pub subtype: Option<&'a str>,
    /// 责任单位.
    pub responsible_unit: Option<&'a str>,
    /// Role of the site for the school.
    pub role: Role,
    /// Schools that the site is listed for. Several: it is shared, and every one has its own line. None: no site.
    pub shared_by: Option<u64>,
    /// The school counts by this row. Over these, the sums hold.
    pub counted: bool,
    /// Verdict, or roster state where there is none. `LISTED` was not reached.
    pub readiness: &'static str,
    /// How it counts, if the school counts by this row.
    pub counts_as: CountsAs,
    /// Why, as a stable word. Empty: needs none.
    pub reason: &'a str,
    /// Which families serve. None: no verdict.
    pub stack: Option<Stack>,
    /// IPv6 reaches a server that speaks HTTP or TLS for the name. None: not measured.
    pub reach6: Option<bool>,
    /// Number of the rule that decided. None: no verdict.
    pub rule: Option<u8>,
    /// What was found.
    pub findings: Findings<'a>,
    /// The evidence the verdict rests on, as `r1/connect/3`.
    pub evidence: Pointers<'a>,
    /// IPv6 addresses.
    pub aaaa: &'a [IpAddr],
    /// Whose network each IPv6 address is in, and how it seems to have come about: hints.
    pub networks: Networks<'a>,
    /// IPv4 addresses.
    pub a: &'a [IpAddr],
    /// Landing status over IPv6, or the failure's word, or `none`, or empty (not measured).
    pub v6_status: &'a str,
    /// The same over IPv4.
    pub v4_status: &'a str,
    /// Request to first byte over IPv6 in milliseconds.
    pub latency_v6_ms: Option<f64>,
    /// The same over IPv4.
    pub latency_v4_ms: Option<f64>,
    /// Successful and all tries over IPv6.
    pub v6_tries: Option<(u32, u32)>,
    /// Name servers that work over IPv6, and all of them. None: not known.
    pub ns6: Option<(u32, u32)>,
    /// A resolver that has IPv6 only can look the name up. None: not known.
    pub resolves6: Option<bool>,
    /// Whether mail for its name can be delivered over IPv6. None: not measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mail: Option<&'a MailReadiness>,
    /// Title of the landing page.
    pub title: Option<&'a str>,
    /// When the site was first measured; in JSON as RFC 3339.
    #[serde(serialize_with = "moment")]
    pub first_seen: Option<Timestamp>,
    /// The verdict of the run before.
    pub previous: Option<Readiness>,
    /// The verdict that counted before this run. None: there is none.
    pub settled: Option<Readiness>,
    /// The verdict contradicts the settled one and was seen once: 待确认.
    pub unconfirmed: bool,
    /// It goes to and fro. None: it does not.
    pub flapping: Option<Flapping>,
    /// What changed. None: no verdict.
    pub changed: Option<Change>,
    /// Points by each rule set. Empty: no verdict.
    pub scores: Scores<'a>,
    /// What is wrong with the row itself.
    pub problem: Option<ProblemInfo>,
    /// The list and line it came from.
    pub source: Source<'a>,
    /// The command that repeats the probe.
    pub repeat: Repeat<'a>,
    /// What the deep profile gave.
    #[serde(skip)]
    pub deep: DeepRow,
    /// Where it stands.
    #[serde(skip)]
    pub standing: Standing,
    /// Index of the school.
    #[serde(skip)]
    pub school: usize,
    /// The site itself.
    #[serde(skip)]
    pub site: Option<&'a Site>,
}

/// What the deep profile gave for one site.
#[derive(Clone, Debug, Default)]
pub struct DeepRow {
    /// Rates of its links. None: not measured.
    pub links: Option<Box<LinkRates>>,
    /// What its landing page is put together from. None: not measured.
    pub skylight: Option<Box<Skylight>>,
    /// Success and speed. None: not measured.
    pub latencies: Option<Box<Latencies>>,
}

impl DeepRow {
    /// Anything was measured.
    pub fn is_measured(&self) -> bool {
        self.links.is_some() || self.skylight.is_some() || self.latencies.is_some()
    }
}

/// What is wrong with a row.
#[derive(Clone, Debug, Serialize)]
pub struct ProblemInfo {
    /// The column.
    pub column: Option<String>,
    /// Why.
    pub reason: String,
    /// What to do.
    pub remedy: String,
    /// The text in question.
    pub text: String,
    /// Reason and remedy in the language of the pages.
    #[serde(skip)]
    pub said: [String; 2],
}

/// A row that could not be taken into the roster.
#[derive(Clone, Debug, Serialize)]
pub struct RejectedInfo {
    /// The list and line.
    pub source: String,
    /// What is wrong.
    #[serde(flatten)]
    pub problem: ProblemInfo,
}

/// A moment as RFC 3339.
#[expect(clippy::ref_option, reason = "serde hands over the field as it is")]
fn moment<S: Serializer>(moment: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    moment.map(rfc3339).serialize(serializer)
}

impl Report<'_> {
    /// Whether the report carries a mark.
    pub fn has_mark(&self, mark: Mark) -> bool {
        self.marks.contains(&mark)
    }
}
