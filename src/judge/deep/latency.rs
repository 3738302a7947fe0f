//! How often the landing page comes, and how fast: medians and spreads of the samples, and whether IPv6 is slower beyond doubt.
//!
//! Slower beyond doubt means all of: enough samples, a median over IPv6 that is more than [`DEGRADED`] above that over IPv4, not
//! good enough anyhow, and quartiles that do not overlap. One slow sample, or many that are scattered, make no difference.

use super::{Proof, is_evidence};
use crate::judge::findings::Findings;
use crate::model::address::Family;
use crate::model::deep::{Latencies, Pair, Spread};
use crate::model::evidence::{Observation, Pointer, Sample, StepKind};
use crate::model::finding::Code;

/// (v6 - v4) / v4 beyond which IPv6 is slower: the number of the 2020 indicators, as monitoring reports quote it.
const DEGRADED: f64 = 0.2;
/// Samples of each family that a comparison needs.
const ENOUGH: u32 = 5;
/// Medians up to these, in microseconds, are good enough for anybody: the families are equal there (a proposal of ours; the
/// page's is what web.dev calls a good "largest contentful paint", the first byte's a good "time to first byte").
const GOOD: [(Step, u64); 4] =
    [(Step::Dns, 100_000), (Step::Tcp, 100_000), (Step::FirstByte, 800_000), (Step::Page, 2_500_000)];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Dns,
    Tcp,
    FirstByte,
    Page,
}

impl Step {
    fn of(self, sample: &Sample) -> Option<u64> {
        match self {
            Self::Dns => sample.dns_us,
            Self::Tcp => sample.tcp_us,
            Self::FirstByte => sample.first_byte_us,
            Self::Page => sample.page_us,
        }
    }

    fn good(self) -> u64 {
        GOOD.iter().find(|(step, _)| *step == self).map_or(0, |(_, good)| *good)
    }
}

/// Judges the samples of the last round that has any.
pub(super) fn judge(observation: &Observation, proof: &Proof<'_>, findings: &mut Findings) -> Option<Latencies> {
    let round = observation.rounds.iter().rev().find(|round| !round.samples.is_empty())?;
    let pair = |step: Step| compare(&round.samples, step);
    let latencies = Latencies {
        success6: success(&round.samples, Family::V6, proof),
        success4: success(&round.samples, Family::V4, proof),
        dns: pair(Step::Dns),
        tcp: pair(Step::Tcp),
        first_byte: pair(Step::FirstByte),
        page: pair(Step::Page),
    };
    let slower = |pair: &Pair| pair.degradation.is_some_and(|ratio| ratio > DEGRADED);
    // Name resolution is the resolver's, and the same for all.
    let steps = [&latencies.page, &latencies.first_byte, &latencies.tcp];
    if let Some(Pair { v4: Some(v4), v6: Some(v6), .. }) = steps.into_iter().find(|pair| slower(pair)) {
        let of6 = round.samples.iter().enumerate().filter(|(_, sample)| sample.family == Family::V6);
        let at: Vec<Pointer> =
            of6.map(|(index, _)| Pointer { round: round.number, step: StepKind::Sample, index }).collect();
        let ms = |spread: &Spread| (spread.median_us / 1000).to_string();
        let args = [("v4_ms", ms(v4)), ("v6_ms", ms(v6)), ("count", v6.n.to_string())];
        findings.add_with(Code::LatencyDegraded, &args, &at);
    }
    Some(latencies)
}

/// Samples that brought a page without an error, of those that say something.
fn success(samples: &[Sample], family: Family, proof: &Proof<'_>) -> (u32, u32) {
    let (mut good, mut all) = (0, 0);
    // A server that asks for fewer requests, or wants to see a browser, says nothing about the family.
    let says = |sample: &&Sample| !sample.challenge && !matches!(sample.status, Some(429 | 503));
    for sample in samples.iter().filter(|sample| sample.family == family).filter(says) {
        let came = sample.failure.is_none() && sample.status.is_some_and(|status| status < 400);
        let failed = match &sample.failure {
            Some(failure) => is_evidence(failure) && (proof.family)(family, sample.started),
            None => sample.status.is_some(),
        };
        good += u32::from(came);
        all += u32::from(came || failed);
    }
    (good, all)
}

fn compare(samples: &[Sample], step: Step) -> Pair {
    let of = |family: Family| {
        let times = samples.iter().filter(|sample| sample.family == family).filter_map(|sample| step.of(sample));
        spread(times.collect())
    };
    let (v4, v6) = (of(Family::V4), of(Family::V6));
    let degradation = match (&v4, &v6) {
        (Some(v4), Some(v6)) if v4.n >= ENOUGH && v6.n >= ENOUGH => Some(degradation(v4, v6, step.good())),
        _ => None,
    };
    Pair { v4, v6, degradation }
}

fn degradation(v4: &Spread, v6: &Spread, good: u64) -> f64 {
    let overlap = v6.quartiles_us.0 <= v4.quartiles_us.1 && v4.quartiles_us.0 <= v6.quartiles_us.1;
    let both_good = v4.median_us <= good && v6.median_us <= good;
    if overlap || both_good || v4.median_us == 0 {
        return 0.0;
    }
    (v6.median_us as f64 - v4.median_us as f64) / v4.median_us as f64
}

/// Median and quartiles, as members of the sample (nearest rank). None: it is empty.
fn spread(mut times: Vec<u64>) -> Option<Spread> {
    times.sort_unstable();
    let rank = |quarters: usize| times.get((times.len() * quarters).div_ceil(4).saturating_sub(1)).copied();
    Some(Spread {
        n: u32::try_from(times.len()).unwrap_or(u32::MAX),
        median_us: rank(2)?,
        quartiles_us: (rank(1)?, rank(3)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_quartiles_are_members() {
        let cases = [
            (vec![], None),
            (vec![7], Some((7, (7, 7)))),
            (vec![4, 1, 3, 2], Some((2, (1, 3)))),
            (vec![10, 9, 8, 7, 6, 5, 4, 3, 2, 1], Some((5, (3, 8)))),
        ];
        for (times, expected) in cases {
            let found = spread(times.clone()).map(|spread| (spread.median_us, spread.quartiles_us));
            assert_eq!(found, expected, "{times:?}");
        }
    }

    /// Times of both families in milliseconds, and the degradation in percent.
    fn degraded(v4: &[u64], v6: &[u64]) -> Option<i64> {
        let sample = |family, ms: &u64| Sample {
            family,
            started: crate::model::time::Timestamp(0),
            dns_us: None,
            tcp_us: None,
            first_byte_us: None,
            page_us: Some(ms * 1000),
            status: Some(200),
            failure: None,
            challenge: false,
        };
        let samples: Vec<Sample> =
            v4.iter().map(|ms| sample(Family::V4, ms)).chain(v6.iter().map(|ms| sample(Family::V6, ms))).collect();
        compare(&samples, Step::Page).degradation.map(|ratio| (ratio * 100.0).round() as i64)
    }

    #[test]
    fn jitter_alone_makes_no_difference() {
        let slow4 = [3000, 3100, 2900, 3050, 2950, 3000, 3020, 2980, 3010, 2990];
        let cases: [(&[u64], Option<i64>); 8] = [
            (&slow4, Some(0)),
            // One or two outliers.
            (&[3000, 3100, 2900, 3050, 2950, 3000, 3020, 2980, 60_000, 60_000], Some(0)),
            // A median above, and scattered.
            (&[2500, 9000, 2600, 8800, 2900, 8000, 2400, 7700, 2600, 9100], Some(0)),
            // Beyond doubt, by one half.
            (&[4500, 4510, 4490, 4500, 4520, 4480, 4500, 4505, 4495, 4500], Some(50)),
            // Slower without being degraded.
            (&[3300, 3310, 3290, 3300, 3320, 3280, 3300, 3305, 3295, 3300], Some(10)),
            // Faster.
            (&[1500; 10], Some(-50)),
            // Too few.
            (&[9000; 4], None),
            (&[], None),
        ];
        for (v6, expected) in cases {
            assert_eq!(degraded(&slow4, v6), expected, "{v6:?}");
        }
    }

    #[test]
    fn good_enough_is_equal() {
        assert_eq!(degraded(&[20; 10], &[200; 10]), Some(0));
        assert_eq!(degraded(&[2000; 10], &[2500; 10]), Some(0));
        assert_eq!(degraded(&[2000; 10], &[2600; 10]), Some(30));
    }
}
