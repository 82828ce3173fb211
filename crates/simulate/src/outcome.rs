//! The outcome of a simulation: distributions of the same metrics as a measured run, throughput, memory, and time by operator.

use dyno_measure::limits::LimitedLatency;
use dyno_measure::load::Slo;
use dyno_measure::statistics::percentile::percentile;
use serde::Serialize;

use crate::engine::{GapRun, ReplicaRun, Sample};
use crate::memory::MemoryFit;
use crate::step::{Bound, StepTime};

/// Percentiles by linear interpolation; milliseconds. The report's distribution without bounds: a prediction's error is not that of
/// few samples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PredictedDistribution {
    pub n: u64,
    pub mean: f64,
    pub std: f64,
    pub min: f64,
    pub p25: f64,
    pub p50: f64,
    pub p75: f64,
    pub p90: f64,
    pub p95: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
}

impl PredictedDistribution {
    /// `None` without samples.
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_unstable_by(f64::total_cmp);
        let (&min, &max) = (values.first()?, values.last()?);
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n;
        Some(Self::with_percentiles(values.len() as u64, mean, variance, (min, max), |percent| percentile(&values, percent)))
    }

    /// From gaps in seconds. Each stretch counts with its mean, except for minimum and maximum.
    fn of_gaps(mut gaps: Vec<GapRun>) -> Option<Self> {
        let middle = |gap: &GapRun| 500.0 * (gap.first + gap.last);
        gaps.sort_unstable_by(|one, other| middle(one).total_cmp(&middle(other)));
        let mut n = 0;
        // cumulative number of gaps, and their mean, by stretch
        let ends: Vec<(u64, f64)> = gaps
            .iter()
            .map(|gap| {
                n += gap.count;
                (n, middle(gap))
            })
            .collect();
        if n == 0 {
            return None;
        }
        let mean = gaps.iter().map(|gap| middle(gap) * gap.count as f64).sum::<f64>() / n as f64;
        let square = |gap: &GapRun| {
            let half_width = 500.0 * (gap.last - gap.first);
            (middle(gap) - mean).powi(2) + half_width * half_width / 3.0
        };
        let variance = gaps.iter().map(|gap| square(gap) * gap.count as f64).sum::<f64>() / n as f64;
        let nth = |place: u64| ends.get(ends.partition_point(|&(end, _)| end <= place)).map_or(mean, |&(_, length)| length);
        let interpolated = |percent: f64| {
            let place = percent / 100.0 * (n - 1) as f64;
            let (low, high) = (nth(place.floor() as u64), nth(place.ceil() as u64));
            low + (high - low) * place.fract()
        };
        let least = gaps.iter().map(|gap| 1e3 * gap.first).fold(f64::INFINITY, f64::min);
        let largest = gaps.iter().map(|gap| 1e3 * gap.last).fold(0.0, f64::max);
        Some(Self::with_percentiles(n, mean, variance, (least, largest), interpolated))
    }

    fn with_percentiles(n: u64, mean: f64, variance: f64, (min, max): (f64, f64), at: impl Fn(f64) -> f64) -> Self {
        Self {
            n,
            mean,
            std: variance.sqrt(),
            min,
            p25: at(25.0),
            p50: at(50.0),
            p75: at(75.0),
            p90: at(90.0),
            p95: at(95.0),
            p99: at(99.0),
            p999: at(99.9),
            max,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// Samples of all counted requests, by their indices in the workload.
    #[serde(skip)]
    pub samples: Vec<Sample>,
    pub ttft_ms: Option<PredictedDistribution>,
    pub tpot_ms: Option<PredictedDistribution>,
    pub e2el_ms: Option<PredictedDistribution>,
    pub itl_ms: Option<PredictedDistribution>,
    /// From the first counted request sent to the last token, in seconds.
    pub duration_s: f64,
    pub input_tokens: u64,
    pub output_tokens: u64,
    pub request_throughput: f64,
    pub output_throughput: f64,
    pub total_throughput: f64,
    /// Mean number of requests in flight.
    pub achieved_concurrency: f64,
    pub dropped: u32,
    /// Requests longer than the KV cache, which the engine would refuse.
    pub too_long: u32,
    pub preemptions: u64,
    /// For a workload that ends by time: whether its requests were used up before.
    #[serde(skip)]
    pub ran_out: bool,
    pub steps: u64,
    /// Sequences that were looked at, over all steps and stretches: what the simulation itself took.
    #[serde(skip)]
    pub work: u64,
    /// Largest share of the KV cache in use on any replica.
    pub kv_share: f64,
    /// Seconds by operator, over all replicas.
    pub time: StepTime,
    pub bound: Bound,
    pub memory: MemoryFit,
}

impl Outcome {
    pub(crate) fn new(runs: Vec<ReplicaRun>, warmup: usize, memory: MemoryFit) -> Self {
        let mut time = StepTime::default();
        let mut samples = Vec::new();
        let mut gaps = Vec::new();
        let mut ran_out = false;
        let (mut dropped, mut too_long, mut preemptions, mut steps, mut work, mut kv_share) = (0, 0, 0, 0, 0, 0.0_f64);
        for run in runs {
            time.add(&run.time, 1.0);
            dropped += run.dropped;
            too_long += run.too_long;
            preemptions += run.preemptions;
            ran_out |= run.ran_out;
            steps += run.steps;
            work += run.work;
            kv_share = kv_share.max(run.kv_share);
            samples.extend(run.samples);
            // as they are where there is one run: there may be millions
            if gaps.is_empty() {
                gaps = run.gaps;
            } else {
                gaps.extend(run.gaps);
            }
        }
        samples.retain(|sample| sample.request as usize >= warmup);
        samples.sort_by_key(|sample| sample.request);
        let begin = samples.iter().map(|sample| sample.sent).fold(f64::INFINITY, f64::min);
        let end = samples.iter().map(|sample| sample.end).fold(0.0, f64::max);
        let duration_s = if samples.is_empty() { 0.0 } else { end - begin };
        let per_second = |amount: f64| if duration_s > 0.0 { amount / duration_s } else { 0.0 };
        let input_tokens: u64 = samples.iter().map(|sample| u64::from(sample.input)).sum();
        let output_tokens: u64 = samples.iter().map(|sample| u64::from(sample.output)).sum();
        let latency: f64 = samples.iter().map(Sample::latency).sum();
        Self {
            ttft_ms: PredictedDistribution::of(samples.iter().map(|sample| 1e3 * sample.ttft()).collect()),
            tpot_ms: PredictedDistribution::of(samples.iter().filter_map(Sample::tpot).map(|seconds| 1e3 * seconds).collect()),
            e2el_ms: PredictedDistribution::of(samples.iter().map(|sample| 1e3 * sample.latency()).collect()),
            itl_ms: PredictedDistribution::of_gaps(gaps),
            duration_s,
            input_tokens,
            output_tokens,
            request_throughput: per_second(samples.len() as f64),
            output_throughput: per_second(output_tokens as f64),
            total_throughput: per_second((input_tokens + output_tokens) as f64),
            achieved_concurrency: per_second(latency),
            dropped,
            too_long,
            preemptions,
            ran_out,
            steps,
            work,
            kv_share,
            bound: time.bound(),
            time,
            memory,
            samples,
        }
    }

    /// Requests within all limits, per second, and as a share of all issued.
    pub fn goodput(&self, slo: &Slo) -> (f64, f64) {
        let limits = LimitedLatency::of(slo);
        let good = |sample: &Sample| {
            limits.iter().all(|&(latency, limit)| latency_ms(sample, latency).is_none_or(|value| value <= limit))
        };
        let good = self.samples.iter().filter(|sample| good(sample)).count() as f64;
        let issued = self.samples.len() as f64 + f64::from(self.dropped + self.too_long);
        (if self.duration_s > 0.0 { good / self.duration_s } else { 0.0 }, if issued > 0.0 { good / issued } else { 0.0 })
    }

    /// Whether the percentile of each limited latency is within its limit; a request dropped or refused is over every limit. As
    /// for a measured run, but for the number of samples that this needs.
    pub fn meets(&self, slo: &Slo) -> bool {
        let lost = (self.dropped + self.too_long) as usize;
        LimitedLatency::of(slo).into_iter().all(|(latency, limit)| {
            let mut values: Vec<f64> = self.samples.iter().filter_map(|sample| latency_ms(sample, latency)).collect();
            values.sort_unstable_by(f64::total_cmp);
            values.resize(values.len() + lost, LOST_MS);
            // without samples nothing is over the limit: requests with one output token have no TPOT
            values.is_empty() || percentile(&values, slo.percentile) <= limit
        })
    }
}

/// The latency of a dropped or refused request.
const LOST_MS: f64 = 1e300;

fn latency_ms(sample: &Sample, latency: LimitedLatency) -> Option<f64> {
    let seconds = match latency {
        LimitedLatency::TtftMs => Some(sample.ttft()),
        LimitedLatency::TpotMs => sample.tpot(),
        LimitedLatency::E2elMs => Some(sample.latency()),
    };
    seconds.map(|seconds| 1e3 * seconds)
}
