//! Of which kind a run is, and where it stands: both are in its report.

use serde::{Deserialize, Serialize};

/// Whether a run measures or simulates.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::EnumString, strum::IntoStaticStr, strum::VariantArray,
)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum RunKind {
    /// On a cluster, with a real engine.
    Measured,
    Simulated,
}

/// Where a run stands, in the order of its life.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::EnumString, strum::IntoStaticStr, strum::VariantArray,
)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", const_into_str)]
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
    /// Whether nothing more will happen.
    pub fn is_end(self) -> bool {
        !matches!(self, Self::Queued | Self::Running | Self::Cancelling)
    }
}
