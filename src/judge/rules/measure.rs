//! Indicators: named numbers, each computed in one place from a verdict and its facts. None always means that evidence is
//! lacking; a failing site has earned its zeros.

use serde::Serialize;

use crate::model::deep::Pair;
use crate::model::finding::Code;
use crate::model::verdict::{Assessment, CountsAs, Readiness};

/// What an indicator came to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Value {
    /// The number. Yes is 1, no is 0.
    pub value: f64,
    /// What it is a share of: so many of so many. None: it is no share.
    pub counts: Option<(u32, u32)>,
}

impl Value {
    fn yes(holds: bool) -> Self {
        Self { value: f64::from(u8::from(holds)), counts: None }
    }

    fn number(value: f64) -> Self {
        Self { value, counts: None }
    }

    /// None: 0 of 0.
    fn share((part, whole): (u32, u32)) -> Option<Self> {
        (whole > 0).then(|| Self { value: f64::from(part) / f64::from(whole), counts: Some((part, whole)) })
    }
}

macro_rules! measures {
    ($($(#[doc = $doc:literal])+ $name:ident $word:literal $share:literal;)+) => {
        /// What can be measured.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Measure { $($(#[doc = $doc])+ $name,)+ }

        impl Measure {
            /// Every indicator, in the order of the manual.
            pub const ALL: [Self; [$($word,)+].len()] = [$(Self::$name,)+];

            /// Its name in rule files.
            pub fn word(self) -> &'static str {
                match self { $(Self::$name => $word,)+ }
            }

            /// Its value is between 0 and 1 and may give points in proportion.
            pub fn is_share(self) -> bool {
                match self { $(Self::$name => $share,)+ }
            }
        }
    };
}

measures! {
    /// The verdict passes.
    Ready "ready" false;
    /// A usable AAAA record.
    Aaaa "aaaa" false;
    /// The home page is served over IPv6.
    HomeReachable "home_reachable" false;
    /// Share of the looks at the home page over IPv6 that succeeded.
    HomeSuccess "home_success" true;
    /// Both families show the same.
    Consistency "consistency" false;
    /// A resolver that has IPv6 only can look the name up.
    Delegation "delegation" false;
    /// Name servers of the zone that work over IPv6.
    NsReachable "ns_reachable" false;
    /// Name servers of the zone with an IPv6 address: 0, 1, or 2 for more than one.
    NsAaaa "ns_aaaa" false;
    /// Share of the internal links on the home page that IPv6 reaches.
    Links2 "links2" true;
    /// The same of links on the pages behind these.
    Links3 "links3" true;
    /// How much longer name resolution takes over IPv6: (v6 - v4) / v4.
    LatencyDns "latency_dns" false;
    /// The same of opening a connection.
    LatencyTcp "latency_tcp" false;
    /// The same of the first byte.
    LatencyFirstByte "latency_first_byte" false;
    /// The same of the whole home page.
    LatencyPage "latency_page" false;
    /// How much slower the page comes once it has begun: (v4 - v6) / v4 of the speeds.
    DownloadSpeed "download_speed" false;
}

/// From the first byte to the end of a page: below this nobody notices, and a speed cannot be told.
const NOTICEABLE_US: u64 = 200_000;

impl Measure {
    /// What it came to at a site. None: not known.
    pub fn of(self, assessment: &Assessment) -> Option<Value> {
        let facts = &assessment.facts;
        let counts_as = assessment.readiness.counts_as();
        let passes = match counts_as {
            CountsAs::Pass => Some(true),
            CountsAs::Fail => Some(false),
            CountsAs::OutOfBase | CountsAs::NotJudged => None,
        };
        match self {
            Self::Ready | Self::HomeReachable => passes.map(Value::yes),
            Self::Aaaa => usable_aaaa(assessment).map(Value::yes),
            Self::HomeSuccess => home_success(assessment),
            Self::Consistency => consistency(assessment).map(Value::yes),
            Self::Delegation => facts.resolves6.map(Value::yes),
            Self::NsReachable => facts.ns6.map(|(works, _)| Value::number(works.into())),
            Self::NsAaaa => ns_aaaa(assessment).map(|number| Value::number(number.into())),
            Self::Links2 => {
                facts.links.as_ref().and_then(|links| Value::share((links.level2.supported, links.level2.judged)))
            }
            Self::Links3 => {
                facts.links.as_ref().and_then(|links| Value::share((links.level3.supported, links.level3.judged)))
            }
            Self::LatencyDns => degradation(assessment, |of| of.dns),
            Self::LatencyTcp => degradation(assessment, |of| of.tcp),
            Self::LatencyFirstByte => degradation(assessment, |of| of.first_byte),
            Self::LatencyPage => degradation(assessment, |of| of.page),
            Self::DownloadSpeed => download_speed(assessment).map(Value::number),
        }
    }
}

/// The rules from 4 on are about names with a usable AAAA, rule 3 about names without (docs/method/verdict.md).
fn usable_aaaa(assessment: &Assessment) -> Option<bool> {
    match (assessment.readiness, assessment.rule) {
        (Readiness::Ready | Readiness::ReadyDefect | Readiness::Broken, _) => Some(true),
        (Readiness::Absent, _) => Some(false),
        // Every round was lost.
        (Readiness::Inconclusive, 4..) if assessment.reason != "internal_error" => Some(true),
        _ => None,
    }
}

/// Where the home page was sampled, by the samples; else by the looks that led to the verdict.
fn home_success(assessment: &Assessment) -> Option<Value> {
    let sampled = assessment.facts.latencies.as_ref().and_then(|of| Value::share(of.success6));
    match assessment.readiness.counts_as() {
        CountsAs::OutOfBase | CountsAs::NotJudged => None,
        // There is nothing to be sampled.
        CountsAs::Fail => sampled.or(Some(Value::number(0.0))),
        CountsAs::Pass => sampled.or_else(|| Value::share(assessment.facts.v6_tries?)),
    }
}

fn consistency(assessment: &Assessment) -> Option<bool> {
    let has = |code| assessment.findings.iter().any(|finding| finding.code == code);
    match assessment.readiness.counts_as() {
        CountsAs::OutOfBase | CountsAs::NotJudged => None,
        CountsAs::Fail => Some(false),
        CountsAs::Pass if has(Code::ContentDiff) => Some(false),
        // One family only, or nothing that could be compared.
        CountsAs::Pass if has(Code::V6Only) || has(Code::V4Broken) || has(Code::ContentUnverified) => None,
        CountsAs::Pass => Some(true),
    }
}

fn ns_aaaa(assessment: &Assessment) -> Option<u8> {
    let has = |code| assessment.findings.iter().any(|finding| finding.code == code);
    if has(Code::NsV4only) {
        return Some(0);
    }
    if has(Code::Ns6Single) {
        return Some(1);
    }
    // Some servers may be unknown: those that work have an address.
    assessment.facts.ns6.map(|(works, all)| if all >= 2 { 2 } else { works.min(1) as u8 })
}

fn degradation(assessment: &Assessment, of: impl Fn(crate::model::deep::Latencies) -> Pair) -> Option<Value> {
    assessment.facts.latencies.as_ref().and_then(|latencies| of(**latencies).degradation).map(Value::number)
}

/// The same page over both families: its speeds are as the times it takes, the other way round.
fn download_speed(assessment: &Assessment) -> Option<f64> {
    let latencies = assessment.facts.latencies.as_ref()?;
    let rest = |page: Option<crate::model::deep::Spread>, first: Option<crate::model::deep::Spread>| {
        Some(page?.median_us.saturating_sub(first?.median_us))
    };
    let v4 = rest(latencies.page.v4, latencies.first_byte.v4)?;
    let v6 = rest(latencies.page.v6, latencies.first_byte.v6)?;
    if v6 <= NOTICEABLE_US {
        return Some(0.0);
    }
    Some(1.0 - v4 as f64 / v6 as f64)
}
