//! Counters and histograms under vLLM's names, in the Prometheus text format.

use std::fmt::Write;

const SECONDS: [f64; 20] =
    [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0, 160.0];
const TOKEN_SECONDS: [f64; 18] =
    [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0];
const LONG_SECONDS: [f64; 18] =
    [0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0, 240.0, 480.0];
const LENGTHS: [f64; 16] =
    [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0, 10_000.0, 20_000.0, 50_000.0, 100_000.0];

/// A histogram with fixed bucket bounds.
#[derive(Debug)]
pub struct BucketHistogram {
    bounds: &'static [f64],
    counts: Vec<u64>,
    sum: f64,
    count: u64,
}

impl BucketHistogram {
    fn new(bounds: &'static [f64]) -> Self {
        Self { bounds, counts: vec![0; bounds.len()], sum: 0.0, count: 0 }
    }

    pub fn observe(&mut self, value: f64) {
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
        }
        self.sum += value;
        self.count += 1;
    }

    /// Observes a span of nanoseconds as seconds.
    pub fn observe_ns(&mut self, ns: u64) {
        self.observe(ns as f64 / 1e9);
    }
}

/// How a request ended, as `vllm:request_success_total` counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestEnd {
    Stop,
    Length,
    Abort,
    Error,
}

/// Everything that `/metrics` shows.
#[derive(Debug)]
pub struct Metrics {
    pub running: usize,
    pub waiting: usize,
    /// Tokens of the running requests in the KV cache.
    pub kv_tokens: u64,
    pub prompt_tokens: u64,
    pub cached_tokens: u64,
    pub generation_tokens: u64,
    endings: [u64; 4],
    pub ttft: BucketHistogram,
    pub itl: BucketHistogram,
    pub tpot: BucketHistogram,
    pub e2e: BucketHistogram,
    pub queue: BucketHistogram,
    pub prompt_length: BucketHistogram,
    pub generation_length: BucketHistogram,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            running: 0,
            waiting: 0,
            kv_tokens: 0,
            prompt_tokens: 0,
            cached_tokens: 0,
            generation_tokens: 0,
            endings: [0; 4],
            ttft: BucketHistogram::new(&SECONDS),
            itl: BucketHistogram::new(&TOKEN_SECONDS),
            tpot: BucketHistogram::new(&TOKEN_SECONDS),
            e2e: BucketHistogram::new(&LONG_SECONDS),
            queue: BucketHistogram::new(&LONG_SECONDS),
            prompt_length: BucketHistogram::new(&LENGTHS),
            generation_length: BucketHistogram::new(&LENGTHS),
        }
    }
}

impl Metrics {
    pub fn ended(&mut self, ending: RequestEnd) {
        self.endings[ending as usize] += 1;
    }

    pub fn render(&self, model: &str, kv_cache_tokens: u64) -> String {
        let model = model.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let mut page =
            MetricsPage { text: String::with_capacity(16 * 1024), labels: format!("engine=\"0\",model_name=\"{model}\"") };
        page.info("dyno_reference_engine_info", "Always 1: these figures come from a simulated engine.", "simulated=\"true\"");
        page.single("num_requests_running", "gauge", "Number of requests that produce tokens.", self.running as f64);
        page.single("num_requests_waiting", "gauge", "Number of requests in the queue.", self.waiting as f64);
        let usage = (self.kv_tokens as f64 / kv_cache_tokens.max(1) as f64).min(1.0);
        page.single("kv_cache_usage_perc", "gauge", "KV-cache usage. 1 means 100 percent usage.", usage);
        page.single(
            "prefix_cache_queries_total",
            "counter",
            "Prompt tokens looked up in the prefix cache.",
            self.prompt_tokens as f64,
        );
        page.single("prefix_cache_hits_total", "counter", "Prompt tokens found in the prefix cache.", self.cached_tokens as f64);
        page.single("num_preemptions_total", "counter", "Number of preemptions, always 0 here.", 0.0);
        page.single("prompt_tokens_total", "counter", "Number of prompt tokens processed.", self.prompt_tokens as f64);
        page.single("prompt_tokens_cached_total", "counter", "Number of cached prompt tokens.", self.cached_tokens as f64);
        page.single("generation_tokens_total", "counter", "Number of tokens produced.", self.generation_tokens as f64);
        page.head("request_success_total", "counter", "Number of requests that ended, by reason.");
        for (reason, count) in ["stop", "length", "abort", "error"].into_iter().zip(self.endings) {
            let _ = writeln!(page.text, "vllm:request_success_total{{{},finished_reason=\"{reason}\"}} {count}", page.labels);
        }
        page.histogram("time_to_first_token_seconds", "From receipt to the first token.", &self.ttft);
        page.histogram("inter_token_latency_seconds", "Between two events of a request.", &self.itl);
        page.histogram("request_time_per_output_token_seconds", "Time per output token of a request.", &self.tpot);
        page.histogram("e2e_request_latency_seconds", "From receipt to the last token.", &self.e2e);
        page.histogram("request_queue_time_seconds", "Time spent in the queue.", &self.queue);
        page.histogram("request_prompt_tokens", "Prompt tokens of a request.", &self.prompt_length);
        page.histogram("request_generation_tokens", "Tokens produced for a request.", &self.generation_length);
        let size = format!("block_size=\"16\",kv_cache_size_tokens=\"{kv_cache_tokens}\",engine=\"0\"");
        page.info("vllm:cache_config_info", "Information about the KV cache.", &size);
        page.text
    }
}

struct MetricsPage {
    text: String,
    labels: String,
}

impl MetricsPage {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.text, "# HELP vllm:{name} {help}\n# TYPE vllm:{name} {kind}");
    }

    fn single(&mut self, name: &str, kind: &str, help: &str, value: f64) {
        self.head(name, kind, help);
        let _ = writeln!(self.text, "vllm:{name}{{{}}} {value}", self.labels);
    }

    fn info(&mut self, name: &str, help: &str, labels: &str) {
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name}{{{labels}}} 1");
    }

    fn histogram(&mut self, name: &str, help: &str, histogram: &BucketHistogram) {
        self.head(name, "histogram", help);
        let mut below = 0;
        for (bound, count) in histogram.bounds.iter().zip(&histogram.counts) {
            below += count;
            let _ = writeln!(self.text, "vllm:{name}_bucket{{{},le=\"{bound}\"}} {below}", self.labels);
        }
        let BucketHistogram { sum, count, .. } = histogram;
        let _ = writeln!(self.text, "vllm:{name}_bucket{{{},le=\"+Inf\"}} {count}", self.labels);
        let _ = writeln!(self.text, "vllm:{name}_sum{{{}}} {sum}\nvllm:{name}_count{{{}}} {count}", self.labels, self.labels);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_on_a_bound_belongs_below_it() {
        let mut metrics = Metrics::default();
        metrics.ttft.observe(0.05);
        metrics.ttft.observe_ns(60_000_000);
        metrics.ttft.observe(1e6);
        metrics.ended(RequestEnd::Length);
        let page = metrics.render("a\"b", 10);
        let labels = "engine=\"0\",model_name=\"a\\\"b\"";
        for line in [
            format!("vllm:time_to_first_token_seconds_bucket{{{labels},le=\"0.04\"}} 0"),
            format!("vllm:time_to_first_token_seconds_bucket{{{labels},le=\"0.06\"}} 2"),
            format!("vllm:time_to_first_token_seconds_bucket{{{labels},le=\"+Inf\"}} 3"),
            format!("vllm:request_success_total{{{labels},finished_reason=\"length\"}} 1"),
        ] {
            assert!(page.lines().any(|l| l == line), "{line}\n{page}");
        }
    }
}
