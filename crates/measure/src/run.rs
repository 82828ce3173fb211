//! Of which kind a run is, and where it stands: both are in its report.

use serde::{Deserialize, Serialize};

/// Whether a run measures or simulates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RunKind {
    /// On a cluster, with a real engine.
    Measured,
    /// By the simulator.
    Simulated,
}

impl RunKind {
    /// The name as stored and sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Simulated => "simulated",
        }
    }
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Waits for its nodes.
    Queued,
    /// In one of its stages.
    Running,
    /// Asked to stop; cleaning up.
    Cancelling,
    /// The plan was carried out and at least one request succeeded.
    Succeeded,
    /// Ended early; what was measured is kept.
    Partial,
    Failed,
    /// Ended by a person; what was measured until then is kept.
    Cancelled,
    /// Its processes were gone when the portal looked for them again, after a reboot for instance.
    Interrupted,
}

impl RunStatus {
    /// Every status, in the order of a run's life.
    pub const ALL: [Self; 8] = [
        Self::Queued,
        Self::Running,
        Self::Cancelling,
        Self::Succeeded,
        Self::Partial,
        Self::Failed,
        Self::Cancelled,
        Self::Interrupted,
    ];

    /// The name as stored and sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Cancelling => "cancelling",
            Self::Succeeded => "succeeded",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
        }
    }

    /// Reads the name back.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }

    /// Whether nothing more will happen.
    pub fn is_end(self) -> bool {
        !matches!(self, Self::Queued | Self::Running | Self::Cancelling)
    }
}
