//! What a simulated run's report keeps of its engine: the memory's parts, and the time by operator.

use dyno_measure::report::Report;
use dyno_measure::words::{capital, serving_memory};
use serde::Deserialize;

/// The engine, as the simulator knew it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct SimulatedEngine {
    memory: Option<Memory>,
    #[serde(default)]
    pub load_points: Vec<PointTime>,
}

/// Bytes of each device, but for the counts.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
struct Memory {
    usable: f64,
    weights: f64,
    reserve: f64,
    kv_cache: f64,
    kv_tokens: u64,
    concurrent_requests: u64,
}

/// What a load point took.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct PointTime {
    bound: String,
    seconds_by_operator: OperatorTime,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
struct OperatorTime {
    compute: f64,
    weights: f64,
    decode_attention: f64,
    prefill_attention: f64,
    communication: f64,
    overhead: f64,
}

impl SimulatedEngine {
    /// Absent for a measured run, and where a report of an earlier version has no times.
    pub fn of(report: &Report) -> Option<Self> {
        let engine: Self = serde_json::from_value(report.provenance.simulation.clone()?).ok()?;
        (!engine.load_points.is_empty()).then_some(engine)
    }

    /// What the memory of a device holds.
    pub fn memory_words(&self) -> Option<String> {
        let memory = self.memory?;
        let parts = [memory.usable, memory.weights, memory.reserve, memory.kv_cache];
        let words = serving_memory(parts, memory.kv_tokens, memory.concurrent_requests, "the longest length");
        Some(capital(&words))
    }
}

impl PointTime {
    /// What takes most of the time.
    pub fn bound_words(&self) -> &'static str {
        match self.bound.as_str() {
            "compute" => "arithmetic",
            "bandwidth" => "memory bandwidth",
            "communication" => "communication between devices",
            "overhead" => "the engine's overhead",
            _ => "not known",
        }
    }

    /// Shares of the time, 0 to 1, that add up to 1.
    pub fn shares(&self) -> Vec<(&'static str, f64)> {
        let time = self.seconds_by_operator;
        let operators = [
            ("Matrices", time.compute),
            ("Reading weights", time.weights),
            ("Attention, decode", time.decode_attention),
            ("Attention, prefill", time.prefill_attention),
            ("Communication", time.communication),
            ("Overhead", time.overhead),
        ];
        let all: f64 = operators.iter().map(|(_, seconds)| seconds).sum();
        operators.into_iter().map(|(name, seconds)| (name, if all > 0.0 { seconds / all } else { 0.0 })).collect()
    }
}
