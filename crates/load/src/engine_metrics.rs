//! The engine's own metrics during a load: its Prometheus endpoint is read once a second by a thread of its own, so that the
//! measuring thread never waits for it.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::ClientConfig;

use crate::fetch::Fetch;
use dyno_measure::address::Address;
use dyno_measure::engine_metrics::{EngineQuantity, EngineSeries};
use dyno_measure::exposition;

/// Time between two readings; doubled as the series grow.
const INTERVAL: Duration = Duration::from_secs(1);
/// Longest time for one reading.
const PATIENCE: Duration = Duration::from_secs(2);
/// Most readings kept per series; beyond that every second one is dropped and the interval doubled.
const MOST_READINGS: usize = 600;

/// How values with the same name and different labels (engine ranks, say) are combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Combine {
    Sum,
    Mean,
}

/// Metric names of the engines. Of several names for one quantity the first one present counts.
const NAMES: [(&str, EngineQuantity, Combine); 24] = {
    use Combine::{Mean, Sum};
    use EngineQuantity::{CachedTokens, GeneratedTokens, KvUsage, Preemptions, PromptTokens, Running, Waiting};
    [
        ("vllm:num_requests_running", Running, Sum),
        ("sglang:num_running_reqs", Running, Sum),
        ("llamacpp:requests_processing", Running, Sum),
        ("tgi_batch_current_size", Running, Sum),
        ("vllm:num_requests_waiting", Waiting, Sum),
        ("sglang:num_queue_reqs", Waiting, Sum),
        ("llamacpp:requests_deferred", Waiting, Sum),
        ("tgi_queue_size", Waiting, Sum),
        ("vllm:kv_cache_usage_perc", KvUsage, Mean),
        ("vllm:gpu_cache_usage_perc", KvUsage, Mean),
        ("sglang:token_usage", KvUsage, Mean),
        ("llamacpp:kv_cache_usage_ratio", KvUsage, Mean),
        ("vllm:prompt_tokens_total", PromptTokens, Sum),
        ("sglang:prompt_tokens_total", PromptTokens, Sum),
        ("llamacpp:prompt_tokens_total", PromptTokens, Sum),
        ("tgi_request_input_length_sum", PromptTokens, Sum),
        ("vllm:prompt_tokens_cached_total", CachedTokens, Sum),
        ("vllm:prefix_cache_hits_total", CachedTokens, Sum),
        ("sglang:cached_tokens_total", CachedTokens, Sum),
        ("vllm:generation_tokens_total", GeneratedTokens, Sum),
        ("sglang:generation_tokens_total", GeneratedTokens, Sum),
        ("llamacpp:tokens_predicted_total", GeneratedTokens, Sum),
        ("tgi_request_generated_tokens_sum", GeneratedTokens, Sum),
        ("vllm:num_preemptions_total", Preemptions, Sum),
    ]
};

#[derive(Debug, Clone)]
pub struct MetricsSource {
    /// The node in the report.
    pub node: String,
    pub address: Address,
    pub path: String,
}

#[derive(Debug, Default)]
pub struct Reading {
    /// One series per node and quantity.
    pub series: Vec<EngineSeries>,
    /// Notes for the report.
    pub notes: Vec<String>,
}

#[derive(Debug)]
pub struct Scraper {
    stop: Sender<()>,
    thread: JoinHandle<Reading>,
}

impl Scraper {
    /// Starts the thread; `None` without sources. `headers` are whole lines, each with its line end.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(sources: Vec<MetricsSource>, headers: &str, tls: Option<&Arc<ClientConfig>>) -> io::Result<Option<Self>> {
        if sources.is_empty() {
            return Ok(None);
        }
        let mut readers: Vec<MetricsReader> = sources
            .into_iter()
            .map(|source| {
                let tls = tls.filter(|_| source.address.tls).cloned();
                let fetch = Fetch::new(source.address.clone(), headers.to_owned(), tls, PATIENCE);
                MetricsReader { source, fetch, series: Vec::new(), failures: 0, readings: 0 }
            })
            .collect();
        // Read before and after the load, so that counters cover all of it.
        readers.iter_mut().for_each(MetricsReader::read);
        let (stop, stopped) = channel::<()>();
        let thread = std::thread::Builder::new().name("engine-metrics".to_owned()).spawn(move || {
            let mut interval = INTERVAL;
            while !readers.iter().all(MetricsReader::is_absent) {
                let over = !matches!(stopped.recv_timeout(interval), Err(RecvTimeoutError::Timeout));
                readers.iter_mut().for_each(MetricsReader::read);
                if over {
                    break;
                }
                if readers.iter().any(MetricsReader::is_full) {
                    readers.iter_mut().for_each(MetricsReader::thin);
                    interval *= 2;
                }
            }
            let mut all = Reading::default();
            for reader in readers {
                all.notes.extend(reader.note());
                all.series.extend(reader.series);
            }
            all
        })?;
        Ok(Some(Self { stop, thread }))
    }

    /// Stops the thread, after the reading that may be going on.
    pub fn end(self) -> Reading {
        // The thread has ended already if there was nothing to read.
        let _ = self.stop.send(());
        self.thread.join().unwrap_or_default()
    }
}

struct MetricsReader {
    source: MetricsSource,
    fetch: Fetch,
    series: Vec<EngineSeries>,
    failures: u64,
    readings: u64,
}

impl MetricsReader {
    fn read(&mut self) {
        let before = unix_ns();
        match self.fetch.get(&self.source.path) {
            Ok((200, body)) => {
                let at = before.midpoint(unix_ns());
                self.readings += 1;
                for (quantity, source, value) in quantities(&String::from_utf8_lossy(&body)) {
                    self.push(quantity, source, at, value);
                }
            }
            Ok(_) | Err(_) => self.failures += 1,
        }
    }

    fn push(&mut self, quantity: EngineQuantity, source: &str, at: i64, value: f64) {
        let known = self.series.iter_mut().find(|series| series.quantity == quantity && series.source == source);
        if let Some(series) = known {
            series.at_unix_ns.push(at);
            series.values.push(value);
        } else {
            self.series.push(EngineSeries {
                node: self.source.node.clone(),
                quantity,
                source: source.to_owned(),
                at_unix_ns: vec![at],
                values: vec![value],
            });
        }
    }

    fn is_full(&self) -> bool {
        self.series.iter().any(|series| series.values.len() >= MOST_READINGS)
    }

    /// Drops every second reading, but not the latest.
    fn thin(&mut self) {
        for series in &mut self.series {
            let keep = series.values.len() % 2;
            let mut index = 0;
            series.at_unix_ns.retain(|_| {
                index += 1;
                index % 2 == keep
            });
            index = 0;
            series.values.retain(|_| {
                index += 1;
                index % 2 == keep
            });
        }
    }

    /// Whether there is no such endpoint: three attempts without a known metric.
    fn is_absent(&self) -> bool {
        self.series.is_empty() && self.failures + self.readings >= 3
    }

    fn note(&self) -> Option<String> {
        let MetricsSource { node, path, .. } = &self.source;
        if self.series.is_empty() {
            return Some(format!("{node} gave no metrics of its own at {path}."));
        }
        (self.failures > 0).then(|| {
            let all = self.failures + self.readings;
            format!("{} of {all} readings of the metrics of the engine on {node} failed.", self.failures)
        })
    }
}

fn unix_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// The known quantities in Prometheus' text format, with the metric names that they have there.
fn quantities(text: &str) -> Vec<(EngineQuantity, &'static str, f64)> {
    let mut found = [(0.0, 0_u32); NAMES.len()];
    for sample in exposition::samples(text).filter(|sample| sample.value.is_finite()) {
        if let Some(index) = NAMES.iter().position(|(known, ..)| *known == sample.name) {
            found[index].0 += sample.value;
            found[index].1 += 1;
        }
    }
    let mut quantities: Vec<(EngineQuantity, &'static str, f64)> = Vec::new();
    for ((name, quantity, together), (sum, count)) in NAMES.into_iter().zip(found) {
        if count == 0 || quantities.iter().any(|(known, ..)| *known == quantity) {
            continue;
        }
        let value = if together == Combine::Mean { sum / f64::from(count) } else { sum };
        quantities.push((quantity, name, value));
    }
    quantities
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_quantities_are_found_whatever_the_labels() {
        let text = "# HELP vllm:num_requests_running x\n\
            vllm:num_requests_running{engine=\"0\",model_name=\"a}\\\"b 9\"} 3.0\n\
            vllm:num_requests_running{engine=\"1\",model_name=\"m\"} 2.0 1700000000000\n\
            vllm:kv_cache_usage_perc{engine=\"0\"} 0.5\nvllm:kv_cache_usage_perc{engine=\"1\"} 0.25\n\
            vllm:gpu_cache_usage_perc 0.9\nvllm:num_requests_waiting NaN\nnonsense\nvllm:generation_tokens_total 1e3";
        assert_eq!(
            quantities(text),
            [
                (EngineQuantity::Running, "vllm:num_requests_running", 5.0),
                (EngineQuantity::KvUsage, "vllm:kv_cache_usage_perc", 0.375),
                (EngineQuantity::GeneratedTokens, "vllm:generation_tokens_total", 1000.0),
            ]
        );
    }

    #[test]
    fn a_long_load_keeps_a_bounded_number_of_readings() {
        let address = Address::parse("http://127.0.0.1:1").unwrap();
        let fetch = Fetch::new(address.clone(), String::new(), None, PATIENCE);
        let source = MetricsSource { node: "n".to_owned(), address, path: "/metrics".to_owned() };
        let mut reader = MetricsReader { source, fetch, series: Vec::new(), failures: 0, readings: 0 };
        for at in 0..i64::try_from(MOST_READINGS).unwrap() {
            reader.push(EngineQuantity::Running, "x", at, at as f64);
        }
        assert!(reader.is_full());
        reader.thin();
        let series = &reader.series[0];
        assert_eq!(series.values.len(), MOST_READINGS / 2);
        assert_eq!(series.at_unix_ns.last(), Some(&(i64::try_from(MOST_READINGS).unwrap() - 1)));
        assert_eq!(series.values.last(), Some(&((MOST_READINGS - 1) as f64)));
    }
}
