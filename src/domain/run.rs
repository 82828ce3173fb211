//! One execution of a benchmark: its status, its stages.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use dyno_measure::run::{RunKind, RunStatus};

/// The deployment steps. The ids are part of the HTTP contract.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum StageId {
    /// The nodes answer and are Ready; memory fits.
    VerifyClusterConnection,
    /// The model's files are where the engine reads them.
    TransferModelToCluster,
    /// The engine process is started.
    DeployToEngine,
    /// The engine is ready and serves the right model.
    VerifyDeploymentStatus,
    /// Load is put on it.
    RunPerformanceBenchmark,
    /// Engine and load are ended, temporary files removed.
    CleanUp,
    /// The one stage of a simulation.
    SimulatePerformance,
}

impl StageId {
    pub fn title(self) -> &'static str {
        match self {
            Self::VerifyClusterConnection => "Verify cluster connection",
            Self::TransferModelToCluster => "Transfer model to cluster",
            Self::DeployToEngine => "Deploy to engine",
            Self::VerifyDeploymentStatus => "Verify deployment status",
            Self::RunPerformanceBenchmark => "Run performance benchmark",
            Self::CleanUp => "Clean up",
            Self::SimulatePerformance => "Simulate performance",
        }
    }

    /// The stages of a run, in order. A cloud model has neither transfer nor deploy.
    pub fn of_run(kind: RunKind, cloud_model: bool) -> &'static [Self] {
        match (kind, cloud_model) {
            (RunKind::Simulated, _) => &[Self::SimulatePerformance],
            (RunKind::Measured, true) => {
                &[Self::VerifyClusterConnection, Self::VerifyDeploymentStatus, Self::RunPerformanceBenchmark, Self::CleanUp]
            }
            (RunKind::Measured, false) => &[
                Self::VerifyClusterConnection,
                Self::TransferModelToCluster,
                Self::DeployToEngine,
                Self::VerifyDeploymentStatus,
                Self::RunPerformanceBenchmark,
                Self::CleanUp,
            ],
        }
    }
}

/// Where a stage stands.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::EnumString, strum::IntoStaticStr, strum::VariantArray,
)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum StageStatus {
    Pending,
    Running,
    Succeeded,
    /// Ended with an error.
    Failed,
    /// Not needed, or never reached.
    Skipped,
    /// Ended by a person.
    Cancelled,
}

/// One deployment step of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Stage {
    pub id: StageId,
    pub title: String,
    pub status: StageStatus,
    #[cfg_attr(feature = "ssr", schema(value_type = Option<String>, format = DateTime))]
    pub started_at: Option<Timestamp>,
    #[cfg_attr(feature = "ssr", schema(value_type = Option<String>, format = DateTime))]
    pub ended_at: Option<Timestamp>,
    /// What it did, or why it failed.
    pub message: Option<String>,
}

impl Stage {
    /// A stage that has not begun.
    pub fn pending(id: StageId) -> Self {
        Self { id, title: id.title().to_owned(), status: StageStatus::Pending, started_at: None, ended_at: None, message: None }
    }
}

/// One execution of a benchmark, as the API shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Run {
    pub id: Uuid,
    pub benchmark_id: Uuid,
    pub owner: Uuid,
    pub kind: RunKind,
    pub status: RunStatus,
    /// Why it ended, for any end other than succeeded.
    pub reason: Option<String>,
    /// How many runs are before it on its nodes; absent once it has begun.
    pub queue_position: Option<u32>,
    /// When it was asked for.
    #[cfg_attr(feature = "ssr", schema(value_type = String, format = DateTime))]
    pub created_at: Timestamp,
    /// When its first stage began.
    #[cfg_attr(feature = "ssr", schema(value_type = Option<String>, format = DateTime))]
    pub started_at: Option<Timestamp>,
    #[cfg_attr(feature = "ssr", schema(value_type = Option<String>, format = DateTime))]
    pub ended_at: Option<Timestamp>,
    /// Its stages, in order.
    pub stages: Vec<Stage>,
}

/// What became of a benchmark's latency limits.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::EnumString, strum::IntoStaticStr, strum::VariantArray,
)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum LimitsVerdict {
    Met,
    NotMet,
    /// Too few samples to decide.
    Undecided,
    /// There are no limits.
    None,
}

/// A run in the history: the run's facts, its benchmark's, and the headline figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct RunRow {
    pub id: Uuid,
    pub benchmark_id: Uuid,
    pub kind: RunKind,
    pub status: RunStatus,
    pub reason: Option<String>,
    /// Whether the figures can be trusted; absent before there are any.
    pub valid: Option<bool>,
    pub name: String,
    pub tags: Vec<super::benchmark::Tag>,
    pub model: String,
    /// The engine's name; absent for a cloud model.
    pub engine: Option<String>,
    pub cluster: String,
    /// The devices, in words: `2 × NVIDIA H100`.
    pub devices: String,
    /// The load, in words: `128 in flight`.
    pub load: String,
    /// The load that the figures are of, in words, where there were several: `24 in flight`; absent before there are figures.
    pub chosen_load: Option<String>,
    /// Whether that load met the benchmark's latency limits; absent before there are figures, and where they are not valid.
    pub limits: Option<LimitsVerdict>,
    /// Output tokens per second.
    pub output_throughput: Option<f64>,
    /// Whether there was a steady-state window; absent before there are figures.
    pub steady: Option<bool>,
    /// TTFT p50 in ms; a percentile is absent when there were too few samples for it.
    pub ttft_p50_ms: Option<f64>,
    /// TTFT p90 in ms.
    pub ttft_p90_ms: Option<f64>,
    /// TTFT p99 in ms.
    pub ttft_p99_ms: Option<f64>,
    /// TPOT p50 in ms.
    pub tpot_p50_ms: Option<f64>,
    /// TPOT p90 in ms.
    pub tpot_p90_ms: Option<f64>,
    /// TPOT p99 in ms.
    pub tpot_p99_ms: Option<f64>,
    /// Errors per issued request, 0 to 1.
    pub error_rate: Option<f64>,
    pub creator: String,
    /// When it was asked for.
    #[cfg_attr(feature = "ssr", schema(value_type = String, format = DateTime))]
    pub created_at: Timestamp,
    /// When its first stage began.
    #[cfg_attr(feature = "ssr", schema(value_type = Option<String>, format = DateTime))]
    pub started_at: Option<Timestamp>,
    #[cfg_attr(feature = "ssr", schema(value_type = Option<String>, format = DateTime))]
    pub ended_at: Option<Timestamp>,
}
