//! Computes whether weights and KV cache fit, and how many tokens the cache holds.

use dyno_measure::words::{bytes, grouped};
use serde::{Deserialize, Serialize};

use crate::device::SimulatedDevice;
use crate::engine::EngineSettings;
use crate::model::ModelDescriptor;
use crate::precision::{KvPrecision, Precision};

/// Device memory of the engine's process beside weights, activations and cache, bytes: context, graphs, allocator.
const CONTEXT_BYTES: f64 = 0.95e9;
/// Share of the device's memory lost to fragmentation.
const FRAGMENTS: f64 = 0.01;
/// Buffers of collectives per device.
const COLLECTIVE_BYTES: f64 = 0.4e9;

/// Figures are per device of one replica, in bytes, except where they say otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MemoryFit {
    /// What the engine may use of a device.
    pub usable: f64,
    pub weights: f64,
    /// Activations, sampling buffers and the process itself.
    pub reserve: f64,
    /// Left for the KV cache; negative if memory is short.
    pub kv_cache: f64,
    /// KV cache of one token in full layers, in bytes, with its copies.
    pub kv_bytes_per_token: f64,
    /// Tokens that the replica's cache holds.
    pub kv_tokens: u64,
    /// Longest request, input and output.
    pub longest_request: u64,
    /// Requests of that length at once.
    pub concurrent_requests: u64,
}

impl MemoryFit {
    pub fn of(
        model: &ModelDescriptor,
        precision: Precision,
        kv_precision: KvPrecision,
        device: &SimulatedDevice,
        tensor_parallel: u32,
        settings: &EngineSettings,
        longest_request: u64,
    ) -> Self {
        let ranks = f64::from(tensor_parallel);
        let usable = device.memory_bytes() * settings.memory_share;
        let weights = model.bytes(precision) / ranks;
        let reserve = reserve(model, device, tensor_parallel, settings);
        let kv_cache = usable - weights - reserve;
        let kv_bytes_per_token =
            f64::from(model.layers) * model.kv_bytes_per_layer(kv_precision) / model.kv_shards(tensor_parallel);
        let kv_tokens =
            if kv_cache > 0.0 { kv_cache / effective_bytes_per_token(model, kv_bytes_per_token, longest_request) } else { 0.0 };
        // rounded down to whole blocks
        let kv_tokens = kv_tokens as u64 / u64::from(settings.block_tokens) * u64::from(settings.block_tokens);
        Self {
            usable,
            weights,
            reserve,
            kv_cache,
            kv_bytes_per_token,
            kv_tokens,
            longest_request,
            concurrent_requests: kv_tokens / longest_request.max(1),
        }
    }

    /// Whether weights and one longest request fit.
    pub fn fits(&self) -> bool {
        self.kv_cache > 0.0 && self.kv_tokens >= self.longest_request
    }

    /// What is missing per device for weights, reserve and one longest request, in bytes; 0 where it fits.
    pub fn missing(&self) -> f64 {
        if self.fits() { 0.0 } else { (self.longest_request as f64 * self.kv_bytes_per_token - self.kv_cache).max(0.0) }
    }

    /// By how much it does not fit, and why; a sentence for people.
    pub fn shortage(&self) -> String {
        let of = |count: f64| bytes(count.max(0.0) as u64);
        format!(
            "The model does not fit: it needs {} on each device, {} are there: {} of weights, {} that the engine takes beside them and {} of KV cache for one request of {} tokens.",
            of(self.usable + self.missing()),
            of(self.usable),
            of(self.weights),
            of(self.reserve),
            of(self.longest_request as f64 * self.kv_bytes_per_token),
            grouped(self.longest_request),
        )
    }
}

/// Cache bytes per token of the longest request: layers with a sliding window keep no more than the window.
fn effective_bytes_per_token(model: &ModelDescriptor, kv_bytes_per_token: f64, longest_request: u64) -> f64 {
    let Some(window) = &model.sliding_window else { return kv_bytes_per_token };
    let windowed = f64::from(window.layers) / f64::from(model.layers);
    let kept = (f64::from(window.tokens) / longest_request.max(1) as f64).min(1.0);
    kv_bytes_per_token * (1.0 - windowed * (1.0 - kept))
}

fn reserve(model: &ModelDescriptor, device: &SimulatedDevice, tensor_parallel: u32, settings: &EngineSettings) -> f64 {
    let ranks = f64::from(tensor_parallel);
    let tokens = f64::from(settings.max_batched_tokens);
    let hidden = f64::from(model.hidden);
    let width = model.mixture.as_ref().map_or(f64::from(model.feed_forward), |mixture| {
        f64::from(mixture.expert_width) * f64::from(mixture.experts_per_token) + f64::from(mixture.shared_width)
    });
    let activations = tokens * (2.0 * width / ranks + 4.0 * hidden) * 2.0;
    // Logits in 32 bits and their sorted copy.
    let sampling = f64::from(settings.max_sequences) * f64::from(model.vocabulary) * 8.0;
    let collectives = if tensor_parallel > 1 { COLLECTIVE_BYTES } else { 0.0 };
    CONTEXT_BYTES + FRAGMENTS * device.memory_bytes() + activations + sampling + collectives
}
