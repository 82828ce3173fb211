//! The definition of each metric, for pages, tooltips and documents. `docs/METRICS.md` has the same definitions at length.

use crate::report::{Distribution, Summary};
use crate::statistics::bounds::FLOORS;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// The name in reports and exports, such as `ttft_ms`; also the anchor of its definition.
    pub id: &'static str,
    /// The short name on pages.
    pub name: &'static str,
    pub long_name: &'static str,
    /// The unit; empty for a plain number.
    pub unit: &'static str,
    /// The formula. `t_send` is when the first byte of the request is handed to the socket, `e_1 … e_m` are the arrivals of
    /// the content events, `n` is the number of output tokens.
    pub formula: &'static str,
    /// The formula in words, and what is counted.
    pub words: &'static str,
    /// Other tools' names or deviating definitions; empty where they agree.
    pub elsewhere: &'static str,
}

/// Every metric, in the order of reports.
pub const METRICS: &[Metric] = &[
    Metric {
        id: "output_throughput",
        name: "Output tokens/s",
        long_name: "Output token throughput",
        unit: "tokens/s",
        formula: "Σ n / (last content event − first send)",
        words: "Output tokens of the successful requests per second, over all measured requests.",
        elsewhere: "vLLM divides by the whole duration, which ends later.",
    },
    Metric {
        id: "output_throughput_per_gpu",
        name: "Output tokens/s per GPU",
        long_name: "Output token throughput per GPU",
        unit: "tokens/s",
        formula: "output token throughput / accelerators that served",
        words: "Lays machines of different size beside each other. Per node where no accelerator served; not divided for a \
                provider's model, of which it is not known.",
        elsewhere: "",
    },
    Metric {
        id: "total_throughput",
        name: "Total tokens/s",
        long_name: "Total token throughput",
        unit: "tokens/s",
        formula: "Σ (input + n) / (last content event − first send)",
        words: "Input and output tokens of the successful requests per second; of embeddings, which have no output, the input alone.",
        elsewhere: "vLLM divides by the whole duration, which ends later.",
    },
    Metric {
        id: "request_throughput",
        name: "Requests/s",
        long_name: "Request throughput",
        unit: "requests/s",
        formula: "completed / (last content event − first send)",
        words: "Requests that ended well per second, and again inside the steady-state window.",
        elsewhere: "vLLM divides by the whole duration, which ends later. AIPerf divides as here.",
    },
    Metric {
        id: "ttft_ms",
        name: "TTFT",
        long_name: "Time to first token",
        unit: "ms",
        formula: "e_1 − t_send",
        words: "From the first byte of the request to the first event with content, reasoning, refusal or tool-call text. \
                Role-only and empty events do not count.",
        elsewhere: "vLLM's client stamps any chunk with choices, so that a role-only chunk makes its figure too early.",
    },
    Metric {
        id: "ttft_from_schedule_ms",
        name: "TTFT from schedule",
        long_name: "Time to first token from the planned arrival",
        unit: "ms",
        formula: "e_1 − t_sched",
        words: "As TTFT, but from when the request should have been sent: a late client does not flatter the engine.",
        elsewhere: "As in MLPerf LoadGen and wrk2; HTTP clients for LLMs leave it out.",
    },
    Metric {
        id: "ttfo_ms",
        name: "TTFO",
        long_name: "Time to first output",
        unit: "ms",
        formula: "first content event that is not reasoning − t_send",
        words: "When the answer begins, after a model's reasoning.",
        elsewhere: "AIPerf has it under the same name; most tools do not separate it.",
    },
    Metric {
        id: "tpot_ms",
        name: "TPOT",
        long_name: "Time per output token",
        unit: "ms",
        formula: "(e_m − e_1) / (n − 1), for n ≥ 2 and m ≥ 2",
        words: "Time per token after the first, one figure a request. Reasoning tokens that were not streamed do not count.",
        elsewhere: "As in vLLM and MLPerf LoadGen. AIPerf calls it ITL; guidellm's TPOT includes TTFT.",
    },
    Metric {
        id: "itl_ms",
        name: "ITL",
        long_name: "Inter-token latency",
        unit: "ms",
        formula: "e_(i+1) − e_i",
        words: "Gaps between content events, pooled over requests. Gaps of many streams in one engine step are one observation: \
                the number of arrival clusters, not of gaps, decides whether there are enough samples.",
        elsewhere: "vLLM's ITL; AIPerf calls it ICL. AIPerf and guidellm average per request.",
    },
    Metric {
        id: "e2el_ms",
        name: "E2E latency",
        long_name: "End-to-end latency",
        unit: "ms",
        formula: "e_m − t_send",
        words: "From the first byte of the request to the last content event. The usage trailer and [DONE] do not count. \
                E2E − TTFT = TPOT · (n − 1) for every request.",
        elsewhere: "Clients that stop at the stream's close report more.",
    },
    Metric {
        id: "e2el_from_schedule_ms",
        name: "E2E from schedule",
        long_name: "End-to-end latency from the planned arrival",
        unit: "ms",
        formula: "e_m − t_sched",
        words: "As E2E latency, but from when the request should have been sent.",
        elsewhere: "",
    },
    Metric {
        id: "output_throughput_per_user",
        name: "Per-user speed",
        long_name: "Output speed per user",
        unit: "tokens/s",
        formula: "1 / TPOT",
        words: "How fast one stream's tokens come, one figure a request.",
        elsewhere: "As in AIPerf.",
    },
    Metric {
        id: "goodput",
        name: "Goodput",
        long_name: "Goodput",
        unit: "requests/s",
        formula: "requests that meet all limits / window seconds",
        words: "Requests per second that meet every latency limit of the benchmark.",
        elsewhere: "vLLM's rule: all limits at once.",
    },
    Metric {
        id: "good_fraction",
        name: "Good fraction",
        long_name: "Good fraction",
        unit: "%",
        formula: "requests that meet all limits / issued",
        words: "Errors, timeouts and dropped arrivals count as not good.",
        elsewhere: "AIPerf's denominator.",
    },
    Metric {
        id: "cost_per_million_output_tokens",
        name: "Cost per million output tokens",
        long_name: "Cost per million output tokens",
        unit: "",
        formula: "devices that serve × price per hour × 10⁶ / (output token throughput × 3,600)",
        words: "At this load, by the prices that an administrator had set when the run began. Idle devices of a node do not count, \
                nor do start and warm-up.",
        elsewhere: "List prices of providers hold profit and idle time.",
    },
    Metric {
        id: "error_rate",
        name: "Errors",
        long_name: "Error rate",
        unit: "%",
        formula: "(errors + timeouts + drops) / issued",
        words: "Failed requests count in no latency and always here.",
        elsewhere: "",
    },
    Metric {
        id: "achieved_concurrency",
        name: "In flight",
        long_name: "Achieved concurrency",
        unit: "requests",
        formula: "mean of the requests in flight, by sweep line over [start, end)",
        words: "How many requests were really in flight, on average.",
        elsewhere: "As in vLLM.",
    },
    Metric {
        id: "schedule_lag_ms",
        name: "Schedule lag",
        long_name: "Schedule lag",
        unit: "ms",
        formula: "t_send − t_sched",
        words: "How late requests were sent. A p99 over 5 ms means that the client was the bottleneck.",
        elsewhere: "inference-perf and k6 report it, too.",
    },
    Metric {
        id: "tokens_per_event",
        name: "Tokens per event",
        long_name: "Tokens per content event",
        unit: "tokens",
        formula: "n / m",
        words: "Over 1 where the engine sends several tokens at once: ITL is then per event, not per token.",
        elsewhere: "",
    },
    Metric {
        id: "cpu_percent",
        name: "CPU",
        long_name: "CPU of a node",
        unit: "%",
        formula: "time of all cores at work / time of all cores",
        words: "Of the whole node, whatever runs there: from /proc once a second, else as the kubelet (about every 10 s) or a metrics server \
                measured it. A reading stands for the time since the one before. Mean by time and maximum over the steady-state window.",
        elsewhere: "Most tools sum cores, so that 400 % may be half of a machine.",
    },
    Metric {
        id: "memory_used_bytes",
        name: "Memory in use",
        long_name: "Memory in use of a node or an accelerator",
        unit: "bytes",
        formula: "total − available; of a kubelet the working set",
        words: "Of a node what a new process could not have; of an accelerator what its driver has given out. Engines take most of an \
                accelerator's memory at their start, so that it says little of the load.",
        elsewhere: "",
    },
    Metric {
        id: "utilization_percent",
        name: "At work",
        long_name: "Use of an accelerator",
        unit: "%",
        formula: "time with a kernel on the device / time",
        words: "As NVML or DCGM tells it. It does not say how much of the device is at work: one small kernel counts like a full one. \
                Of a slice (MIG) it is the share of its engines at work.",
        elsewhere: "",
    },
    Metric {
        id: "power_w",
        name: "Power",
        long_name: "Power of an accelerator",
        unit: "W",
        formula: "as the device tells it",
        words: "Of the whole board, its memory included; of slices (MIG) only the whole device has one.",
        elsewhere: "",
    },
    Metric {
        id: "temperature_c",
        name: "Temperature",
        long_name: "Temperature of an accelerator",
        unit: "°C",
        formula: "as the device tells it",
        words: "Of its core.",
        elsewhere: "",
    },
    Metric {
        id: "clock_limits",
        name: "Clocks limited by",
        long_name: "Why an accelerator's clocks were limited",
        unit: "",
        formula: "time with the reason / time in which reasons were told",
        words: "Share of the window. A power limit is usual under full load; heat or a power brake makes figures that can't be repeated. \
                Idleness is no limit. Not known where the source tells no reasons.",
        elsewhere: "",
    },
    Metric {
        id: "energy_j",
        name: "Energy",
        long_name: "Energy of an accelerator",
        unit: "J",
        formula: "last reading of its energy counter in the window − first",
        words: "A difference of the device's own counter, never power times time. Absent without a counter, where it was reset, or where \
                its readings cover less than half of the window.",
        elsewhere: "Many tools sum up samples of power.",
    },
    Metric {
        id: "j_per_output_token",
        name: "J/output token",
        long_name: "Energy per output token",
        unit: "J/token",
        formula: "Σ (energy / time between its readings) / output tokens per second",
        words: "Mean power of the accelerators that served (of all of the nodes under test, where it is not known which did) over the output \
                tokens per second of the same window. Processors, memory, network and cooling are not in it.",
        elsewhere: "MLPerf measures the whole system at the wall.",
    },
];

/// The definition of the metric with this id.
pub fn metric(id: &str) -> Option<&'static Metric> {
    METRICS.iter().find(|metric| metric.id == id)
}

/// The metrics whose distributions a report charts, in its order.
pub const DRAWN: [&str; 4] = ["ttft_ms", "tpot_ms", "itl_ms", "e2el_ms"];

/// The percentiles that reports show.
pub const PERCENTILES: [&str; 5] = ["p50", "p90", "p95", "p99", "p999"];

/// Least number of samples for which a percentile is shown and decisive: below it, no bound at 99 % confidence exists.
pub fn floor(percentile: &str) -> u64 {
    // the quartiles need as many samples as the median
    let known = if matches!(percentile, "p25" | "p75") { "p50" } else { percentile };
    FLOORS.iter().find(|(name, ..)| *name == known).map_or(1, |(.., samples)| *samples)
}

/// A percentile's name for people.
pub fn percentile_name(percentile: &str) -> &str {
    if percentile == "p999" { "p99.9" } else { percentile }
}

/// How a percentile may be shown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shown {
    /// The value, with its bound at 99 % confidence where there is one.
    Value {
        /// In the metric's unit.
        value: f64,
        /// In the metric's unit.
        bound: Option<f64>,
    },
    /// Too few samples for it.
    TooFew {
        have: u64,
        need: u64,
    },
    Absent,
}

impl Distribution {
    /// Number of independent samples: arrival clusters for inter-token latencies, else all samples.
    pub fn independent(&self) -> u64 {
        self.clusters.unwrap_or(self.n)
    }

    pub fn percentile(&self, name: &str) -> Option<f64> {
        Some(match name {
            "p25" => self.p25,
            "p50" => self.p50,
            "p75" => self.p75,
            "p90" => self.p90,
            "p95" => self.p95,
            "p99" => self.p99,
            "p999" => self.p999,
            _ => return None,
        })
    }
}

impl Summary {
    pub fn distribution(&self, id: &str) -> Option<&Distribution> {
        match id {
            "ttft_ms" => self.ttft_ms.as_ref(),
            "ttfo_ms" => self.ttfo_ms.as_ref(),
            "tpot_ms" => self.tpot_ms.as_ref(),
            "itl_ms" => self.itl_ms.as_ref(),
            "e2el_ms" => self.e2el_ms.as_ref(),
            "ttft_from_schedule_ms" => self.ttft_from_schedule_ms.as_ref(),
            "e2el_from_schedule_ms" => self.e2el_from_schedule_ms.as_ref(),
            "schedule_lag_ms" => self.schedule_lag_ms.as_ref(),
            "output_throughput_per_user" => self.output_throughput_per_user.as_ref(),
            _ => None,
        }
    }

    /// How a page may show a percentile: subject to the floors and to the report's own `below_floor`.
    pub fn shown(&self, id: &str, percentile: &str) -> Shown {
        let Some((distribution, value)) = self.distribution(id).and_then(|found| Some((found, found.percentile(percentile)?)))
        else {
            return Shown::Absent;
        };
        let (have, need) = (distribution.independent(), floor(percentile));
        let listed = self.below_floor.iter().any(|name| name.split_once('.') == Some((id, percentile)));
        if listed || have < need {
            return Shown::TooFew { have, need };
        }
        Shown::Value { value, bound: distribution.bounds.get(percentile).copied() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(n: u64, clusters: Option<u64>) -> Distribution {
        Distribution {
            mean: 1.0,
            std: 0.0,
            min: 1.0,
            p25: 1.0,
            p50: 2.0,
            p75: 1.0,
            p90: 1.0,
            p95: 1.0,
            p99: 3.0,
            p999: 1.0,
            max: 4.0,
            n,
            clusters,
            bounds: [("p99".to_owned(), 3.5)].into(),
        }
    }

    #[test]
    fn a_percentile_needs_its_floor() {
        let summary = |n| Summary { ttft_ms: Some(samples(n, None)), ..Summary::default() };
        assert_eq!(summary(87).shown("ttft_ms", "p99"), Shown::TooFew { have: 87, need: 662 });
        assert_eq!(summary(662).shown("ttft_ms", "p99"), Shown::Value { value: 3.0, bound: Some(3.5) });
        assert_eq!(summary(10).shown("ttft_ms", "p50"), Shown::TooFew { have: 10, need: 11 });
        assert_eq!(summary(11).shown("ttft_ms", "p50"), Shown::Value { value: 2.0, bound: None });
        assert_eq!(summary(11).shown("tpot_ms", "p50"), Shown::Absent);
    }

    #[test]
    fn clusters_not_gaps_decide_for_itl() {
        let summary = Summary { itl_ms: Some(samples(21_537, Some(277))), ..Summary::default() };
        assert_eq!(summary.shown("itl_ms", "p99"), Shown::TooFew { have: 277, need: 662 });
        assert!(matches!(summary.shown("itl_ms", "p95"), Shown::Value { .. }));
    }

    #[test]
    fn percentiles_below_the_reports_floor_are_not_shown() {
        let summary =
            Summary { ttft_ms: Some(samples(5000, None)), below_floor: vec!["ttft_ms.p99".to_owned()], ..Summary::default() };
        assert!(matches!(summary.shown("ttft_ms", "p99"), Shown::TooFew { .. }));
        assert!(matches!(summary.shown("ttft_ms", "p95"), Shown::Value { .. }));
    }

    #[test]
    fn names_are_unique_and_every_drawn_metric_is_defined() {
        let mut ids: Vec<_> = METRICS.iter().map(|metric| metric.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), METRICS.len());
        assert!(DRAWN.iter().all(|id| metric(id).is_some()));
    }
}
