//! How InferenceX starts engines, by its public scripts: https://github.com/SemiAnalysisAI/InferenceX, benchmarks/. A table
//! only names the source of a row; that its engines do not run with their defaults has to be known.

use super::point::Point;
use crate::device::{Generation, SimulatedDevice};
use crate::engine::{Engine, EngineSettings};
use crate::model::ModelDescriptor;
use crate::precision::KvPrecision;

/// Settings of the engine and format of its KV cache; `None` for rows of other sources, or other engines.
pub(super) fn settings(
    point: &Point,
    model: &ModelDescriptor,
    device: &SimulatedDevice,
    engine: Engine,
    tensor_parallel: u32,
) -> Option<(EngineSettings, KvPrecision)> {
    if !point.source.contains("InferenceX") {
        return None;
    }
    let defaults = EngineSettings::defaults(engine, device, tensor_parallel);
    let blackwell = device.generation == Generation::Blackwell;
    let mixture = model.mixture.is_some();
    let minimax = model.name.to_ascii_lowercase().contains("minimax");
    // 8-bit KV cache for all dense models, for mixtures only on Blackwell
    let kv_precision = if mixture && !blackwell { KvPrecision::Bits16 } else { KvPrecision::Bits8 };
    let settings = match engine {
        Engine::Vllm if minimax && blackwell => EngineSettings { max_batched_tokens: 2 * point.isl, ..defaults },
        Engine::Vllm if minimax => {
            let memory_share = if device.name.starts_with("H200") { 0.95 } else { defaults.memory_share };
            EngineSettings { memory_share, ..defaults }
        }
        Engine::Vllm => EngineSettings {
            max_batched_tokens: 8192,
            max_sequences: if blackwell { 512 } else { point.concurrency },
            ..defaults
        },
        Engine::TensorRtLlm if mixture => EngineSettings {
            max_batched_tokens: 20_000,
            max_sequences: if blackwell { 512 } else { point.concurrency },
            memory_share: 0.85,
            ..defaults
        },
        Engine::TensorRtLlm => {
            let waits = point.isl == 1024 && point.osl == 1024 && tensor_parallel < 8;
            EngineSettings {
                max_batched_tokens: 16_384,
                batch_wait_steps: if waits { 20 } else { 0 },
                batch_wait_share: 0.9,
                ..defaults
            }
        }
        _ => return None,
    };
    Some((settings, kv_precision))
}
