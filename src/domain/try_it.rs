//! "Try it": the state, for its page, of setting up an engine, a small model and a filled-in draft on an empty portal.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum TryItState {
    #[default]
    Idle,
    Running,
    /// The draft is there.
    Ready,
    /// Ended with an error; it can be started again.
    Failed,
}

/// The steps, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum TryItStepId {
    /// Python 3 with pip and venv is there.
    Python,
    /// The engine is installed.
    Engine,
    /// The model is fetched and its digest checked.
    Model,
    /// The draft is filled in.
    Draft,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct TryItStep {
    pub id: TryItStepId,
    /// What people read: "Install the engine".
    pub title: String,
    pub state: TryItState,
    /// What it does or did, or why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Bytes so far, where they are counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_done: Option<u64>,
    /// Bytes in all, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_total: Option<u64>,
}

/// Everything that the page shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct TryIt {
    /// Where it stands as a whole.
    pub state: TryItState,
    pub steps: Vec<TryItStep>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// The filled-in draft, once it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow_id: Option<Uuid>,
    /// The same by hand: shell commands and what to do on the pages.
    pub by_hand: Vec<String>,
}
