//! What a simulation says: distributions of the same metrics as a measured run, throughput, memory, and where the time went.

use serde::Serialize;

use crate::engine::{GapRun, ReplicaRun, Sample};
use crate::memory::MemoryFit;
use crate::step::{Bound, StepTime};

/// Percentiles by linear interpolation; milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Distribution {
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
    pub max: f64,
}

impl Distribution {
    /// `None` without samples.
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (&min, &max) = (values.first()?, values.last()?);
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n;
        let at = |share: f64| {
            let place = share * (n - 1.0);
            let (low, high) = (place.floor() as usize, place.ceil() as usize);
            values[low] + (values[high] - values[low]) * (place - place.floor())
        };
        Some(Self {
            n: values.len() as u64,
            mean,
            std: variance.sqrt(),
            min,
            p25: at(0.25),
            p50: at(0.5),
            p75: at(0.75),
            p90: at(0.9),
            p95: at(0.95),
            p99: at(0.99),
            max,
        })
    }

    /// Of gaps in seconds. Each stretch counts at its mean, except for the least and the largest.
    fn of_gaps(mut gaps: Vec<GapRun>) -> Option<Self> {
        let middle = |gap: &GapRun| 500.0 * (gap.first + gap.last);
        gaps.sort_by(|one, other| middle(one).total_cmp(&middle(other)));
        let n: u64 = gaps.iter().map(|gap| gap.count).sum();
        if n == 0 {
            return None;
        }
        let mean = gaps.iter().map(|gap| middle(gap) * gap.count as f64).sum::<f64>() / n as f64;
        let square = |gap: &GapRun| {
            let half_width = 500.0 * (gap.last - gap.first);
            (middle(gap) - mean).powi(2) + half_width * half_width / 3.0
        };
        let variance = gaps.iter().map(|gap| square(gap) * gap.count as f64).sum::<f64>() / n as f64;
        let at = |share: f64| {
            let place = (share * (n - 1) as f64) as u64;
            let mut passed = 0;
            gaps.iter()
                .find(|gap| {
                    passed += gap.count;
                    passed > place
                })
                .map_or(mean, middle)
        };
        Some(Self {
            n,
            mean,
            std: variance.sqrt(),
            min: gaps.iter().map(|gap| 1e3 * gap.first).fold(f64::INFINITY, f64::min),
            p25: at(0.25),
            p50: at(0.5),
            p75: at(0.75),
            p90: at(0.9),
            p95: at(0.95),
            p99: at(0.99),
            max: gaps.iter().map(|gap| 1e3 * gap.last).fold(0.0, f64::max),
        })
    }
}

/// Limits of latency, at a percentile of all requests; `None`: no limit.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Limits {
    pub percentile: f64,
    pub ttft_ms: Option<f64>,
    pub tpot_ms: Option<f64>,
    pub e2el_ms: Option<f64>,
}

impl Limits {
    fn good(&self, sample: &Sample) -> bool {
        let within = |value: Option<f64>, limit: Option<f64>| match (value, limit) {
            (Some(value), Some(limit)) => 1e3 * value <= limit,
            _ => true,
        };
        within(Some(sample.ttft()), self.ttft_ms)
            && within(sample.tpot(), self.tpot_ms)
            && within(Some(sample.latency()), self.e2el_ms)
    }
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// Of all counted requests, by their places in the workload.
    #[serde(skip)]
    pub samples: Vec<Sample>,
    pub ttft_ms: Option<Distribution>,
    pub tpot_ms: Option<Distribution>,
    pub e2el_ms: Option<Distribution>,
    pub itl_ms: Option<Distribution>,
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
    /// Of a workload that ends by time: its requests did not last until then.
    #[serde(skip)]
    pub ran_out: bool,
    pub steps: u64,
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
        let (mut dropped, mut too_long, mut preemptions, mut steps, mut kv_share) = (0, 0, 0, 0, 0.0_f64);
        for run in runs {
            time.add(&run.time, 1.0);
            dropped += run.dropped;
            too_long += run.too_long;
            preemptions += run.preemptions;
            ran_out |= run.ran_out;
            steps += run.steps;
            kv_share = kv_share.max(run.kv_share);
            samples.extend(run.samples);
            gaps.extend(run.gaps);
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
            ttft_ms: Distribution::of(samples.iter().map(|sample| 1e3 * sample.ttft()).collect()),
            tpot_ms: Distribution::of(samples.iter().filter_map(Sample::tpot).map(|seconds| 1e3 * seconds).collect()),
            e2el_ms: Distribution::of(samples.iter().map(|sample| 1e3 * sample.latency()).collect()),
            itl_ms: Distribution::of_gaps(gaps),
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
            kv_share,
            bound: time.bound(),
            time,
            memory,
            samples,
        }
    }

    /// Requests within all limits, per second, and as a share of all issued.
    pub fn goodput(&self, limits: &Limits) -> (f64, f64) {
        let good = self.samples.iter().filter(|sample| limits.good(sample)).count() as f64;
        let issued = self.samples.len() as f64 + f64::from(self.dropped + self.too_long);
        (if self.duration_s > 0.0 { good / self.duration_s } else { 0.0 }, if issued > 0.0 { good / issued } else { 0.0 })
    }

    /// Whether the percentile of each limited latency is within its limit; a request dropped or refused is over every limit.
    pub fn meets(&self, limits: &Limits) -> bool {
        let lost = (self.dropped + self.too_long) as usize;
        let within = |values: &mut dyn Iterator<Item = f64>, limit: Option<f64>| {
            let Some(limit) = limit else { return true };
            let mut values: Vec<f64> = values.map(|seconds| 1e3 * seconds).collect();
            values.extend(std::iter::repeat_n(f64::INFINITY, lost));
            values.sort_by(f64::total_cmp);
            let place = limits.percentile / 100.0 * values.len().saturating_sub(1) as f64;
            values.get(place.ceil() as usize).is_some_and(|&value| value <= limit)
        };
        within(&mut self.samples.iter().map(Sample::ttft), limits.ttft_ms)
            && within(&mut self.samples.iter().filter_map(Sample::tpot), limits.tpot_ms)
            && within(&mut self.samples.iter().map(Sample::latency), limits.e2el_ms)
    }
}
