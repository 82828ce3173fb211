//! What the engine says about itself during a run, scraped from its Prometheus endpoint.

use serde::{Deserialize, Serialize};

/// A gauge or a counter of the engine's over the run's time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EngineSeries {
    /// The node whose engine says it.
    pub node: String,
    /// What it is: one of `EngineQuantity`'s names.
    pub quantity: EngineQuantity,
    /// The name in the engine's own exposition.
    pub source: String,
    /// Unix ns of each scrape.
    pub at_unix_ns: Vec<i64>,
    /// The value at each scrape.
    pub values: Vec<f64>,
}

/// What an engine can say about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum EngineQuantity {
    Running,
    /// Requests that wait in the engine's queue.
    Waiting,
    /// Share of the KV cache in use, 0 to 1.
    KvUsage,
    /// Prompt tokens since the engine's start.
    PromptTokens,
    /// Of the prompt, tokens found in the prefix cache, since the engine's start.
    CachedTokens,
    /// Tokens generated since the engine's start.
    GeneratedTokens,
    /// Requests put back for want of memory, since the engine's start.
    Preemptions,
}
