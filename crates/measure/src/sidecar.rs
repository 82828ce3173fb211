//! What the records of a load don't say by themselves, kept beside them, so that those of a killed process make a whole
//! report.

use serde::{Deserialize, Serialize};

use crate::plan::PlannedLoad;
use crate::validity::SelfCheck;

/// A load point that was begun.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BegunLoadPoint {
    /// What was planned for it.
    pub planned: PlannedLoad,
    /// Whether it was ended early, since so many requests were over the limits that its percentile could no longer be within
    /// them.
    #[serde(default, alias = "over")]
    pub ended_early: bool,
}

/// What stands beside the records.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Sidecar {
    /// The client's check before the load.
    #[serde(default)]
    pub self_check: Option<SelfCheck>,
    /// The load points that were begun.
    #[serde(default)]
    pub points: Vec<BegunLoadPoint>,
}
