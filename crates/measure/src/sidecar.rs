//! The sidecar of a load's records: what a complete report needs beside them, also after the process was killed.

use serde::{Deserialize, Serialize};

use crate::plan::PlannedLoad;
use crate::validity::SelfCheck;

/// A load point that was begun.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BegunLoadPoint {
    pub planned: PlannedLoad,
    /// Whether it was ended early, because its percentile could no longer meet the limits.
    #[serde(default, alias = "over")]
    pub ended_early: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Sidecar {
    /// The self-check before the load.
    #[serde(default)]
    pub self_check: Option<SelfCheck>,
    /// The load points that were begun.
    #[serde(default)]
    pub points: Vec<BegunLoadPoint>,
}
