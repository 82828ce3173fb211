//! What a run measured. Every figure is defined in docs/METRICS.md; names are those of the HTTP contract.

pub mod cost;
mod from_records;
mod node_spread;
mod note;
mod predicted;
mod prediction;
pub mod provenance;
mod request;
mod series;
mod summary;
mod workers;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use self::provenance::Provenance;
use crate::engine_metrics::EngineSeries;
use crate::load::OfferedLoad;
use crate::run::{RunKind, RunStatus};
use crate::validity::{SearchOutcome, SelfCheck};

pub use from_records::{Circumstances, finished_load_point, load_point_figures, report, verdict};
pub use note::{Note, NoteKind};
pub use predicted::{Compared, Predicted, PredictedPoint};
pub use prediction::{Prediction, PredictionError, Standing, throughput_range};
pub use request::{ErrorClass, Phase, RequestRecord, TokenSource};
pub use series::{CurvePoint, Histogram, LoadPointSeries, MetricSeries, TimePoint};
pub use summary::{Distribution, Lengths, SteadyState, Summary};
pub use workers::{notes_of_workers, sentences_of_workers};

/// One load point of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LoadPoint {
    /// Closed loop: the concurrency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// Open loop: the rate, requests per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// Whether it meets the SLO; absent without one, or where samples are too few to decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meets_slo: Option<bool>,
    /// Whether it was ended before all of its requests were sent, because the limits could no longer be met: its figures are
    /// of fewer requests than those of its neighbours.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ended_early: bool,
    #[serde(flatten)]
    pub summary: Summary,
}

impl LoadPoint {
    /// The offered load; `None` where a trace has too few arrivals for a rate.
    pub fn offered(&self) -> Option<OfferedLoad> {
        let concurrency = self.concurrency.map(|concurrency| OfferedLoad::Concurrency { concurrency });
        concurrency.or(self.rate.map(|rate| OfferedLoad::Rate { rate }))
    }
}

/// One node's share of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NodeReport {
    pub hostname: String,
    #[serde(flatten)]
    pub summary: Summary,
}

/// An example of an error, for people.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ErrorExample {
    pub class: ErrorClass,
    /// In which load point, from 0.
    #[serde(default)]
    pub load_point: u32,
    /// The HTTP status, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
    /// A sentence for people.
    pub message: String,
    /// The request it happened to.
    pub request_id: String,
}

/// How well the client itself did, measured during the run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct ClientHealth {
    /// Share of one core that the client used, 0 to 1: of the phase in which it was largest (warm-ups and load points of at
    /// least a second).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_share: Option<f64>,
    /// Share of the time that the client's thread was ready to run and had no core, 0 to 1: of the phase in which it was
    /// largest. More than nothing means that others kept the machine busy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_wait_share: Option<f64>,
    /// Where receive times come from: `kernel` or `user`.
    pub timestamps: String,
    /// Largest jump between the wall clock and the monotonic clock, ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_jump_ms: Option<f64>,
    /// Content events that share one receive stamp with another of their stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coalesced_events: Option<u64>,
    /// Content events in all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_events: Option<u64>,
    /// Mean in flight over (throughput × mean latency), the time of failed requests added: 1 when Little's law holds, as it
    /// does for all records that agree with each other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub littles_law_ratio: Option<f64>,
    /// Largest resident memory, bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_rss_bytes: Option<u64>,
    /// Requests tried once more because a kept connection had been closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reconnects: Option<u64>,
    /// 99th percentile of the time between two waits of the client's event loop, ms (upper edge of a bin).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loop_p99_ms: Option<f64>,
    /// Longest time between two waits of the client's event loop, ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loop_max_ms: Option<f64>,
}

/// Version of [`Report`] as it is written.
pub const SCHEMA_VERSION: u32 = 1;

/// Reports of 0.1.0 name none.
fn first_version() -> u32 {
    1
}

/// What a run measured, and whether it can be trusted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Report {
    /// Version of the report's format. Unknown fields of a later version are ignored.
    #[serde(default = "first_version")]
    pub schema_version: u32,
    /// The run; nil for a load put on by hand.
    pub run_id: Uuid,
    pub kind: RunKind,
    /// How the run ended.
    pub status: RunStatus,
    /// Whether the figures can be trusted.
    pub valid: bool,
    /// Why the figures are not valid; empty when they are.
    pub invalid_reasons: Vec<String>,
    /// What a reader should know, without the figures being wrong.
    #[serde(default)]
    pub notes: Vec<Note>,
    /// The load point that lists show: the only one, or the best.
    pub summary: Summary,
    pub load_points: Vec<LoadPoint>,
    /// Index of the load point that `summary` is of.
    #[serde(default)]
    pub best: usize,
    pub nodes: Vec<NodeReport>,
    /// What charts draw, a load point each.
    #[serde(default)]
    pub series: Vec<LoadPointSeries>,
    /// Some errors of each class.
    #[serde(default)]
    pub error_examples: Vec<ErrorExample>,
    /// What produced the figures: engine and version, arguments, model and its digest, tokenizer, dataset digest, seed,
    /// nodes and devices as they were, Dyno's version.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub provenance: Provenance,
    /// The client's error, measured before the run; absent where it was not checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub self_check: Option<SelfCheck>,
    /// What an SLO search found; absent where none was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<SearchOutcome>,
    /// Of a simulated run: what its figures rest on, and how far off they may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prediction: Option<Prediction>,
    /// Of a measured run: what had been expected of it, once the simulator has looked at it; absent where it does not know model
    /// or device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predicted: Option<Predicted>,
    /// What the engines said about themselves during the run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub engine_metrics: Vec<EngineSeries>,
    /// How well the client did during the run.
    #[serde(default)]
    pub client: ClientHealth,
}
