//! What the portal answered since its start, counted for its operators.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Upper bounds of the answers' times, seconds.
const BOUNDS: [f64; 9] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0];

/// Of a few values each, whatever is asked: never a path, a person or a run.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    /// The status's first digit, as `2xx`.
    status: &'static str,
}

/// Answered requests by method and kind of status, and how long each took until its answer began.
pub struct HttpMetrics {
    answered: Family<RequestLabels, Counter>,
    durations: Histogram,
}

impl Default for HttpMetrics {
    fn default() -> Self {
        Self { answered: Family::default(), durations: Histogram::new(BOUNDS) }
    }
}

impl HttpMetrics {
    pub fn count(&self, method: &axum::http::Method, status: u16, took: Duration) {
        let method = match method.as_str() {
            "GET" => "GET",
            "HEAD" => "HEAD",
            "POST" => "POST",
            "PUT" => "PUT",
            "PATCH" => "PATCH",
            "DELETE" => "DELETE",
            _ => "other",
        };
        let status = match status / 100 {
            1 => "1xx",
            2 => "2xx",
            3 => "3xx",
            4 => "4xx",
            _ => "5xx",
        };
        self.answered.get_or_create(&RequestLabels { method, status }).inc();
        self.durations.observe(took.as_secs_f64());
    }

    /// Puts them among what is told; they go on counting.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("dyno_http_requests", "Requests that were answered", self.answered.clone());
        registry.register(
            "dyno_http_request_duration_seconds",
            "How long a request took until its answer began",
            self.durations.clone(),
        );
    }
}
