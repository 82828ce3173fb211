//! Inference engines: their settings for the simulator, and the scheduler that they share.

mod run;
mod scheduler;
mod sequences;

pub use run::{GapRun, ReplicaRun, Sample, Stretches};
pub use scheduler::simulate_replica;
use serde::{Deserialize, Serialize};

use crate::device::{Generation, SimulatedDevice};

#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, strum::Display, strum::EnumString, strum::VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", ascii_case_insensitive, parse_err_ty = UnknownEngine, parse_err_fn = unknown_engine)]
pub enum Engine {
    Vllm,
    Sglang,
    // NIM serves by TensorRT-LLM where it has a profile for the device.
    #[strum(to_string = "trtllm", serialize = "tensorrt-llm", serialize = "nim")]
    TensorRtLlm,
    Tgi,
    #[strum(to_string = "llama.cpp", serialize = "llamacpp")]
    LlamaCpp,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown engine {0:?}; known are vllm, sglang, trtllm, nim, tgi and llama.cpp")]
pub struct UnknownEngine(pub String);

fn unknown_engine(text: &str) -> UnknownEngine {
    UnknownEngine(text.to_owned())
}

/// The part of a version that factors depend on: the major number, and while that is 0 the minor one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EngineVersion {
    pub major: u32,
    pub minor: u32,
}

impl EngineVersion {
    /// `None` where the text does not begin with a number ("nightly").
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim().trim_start_matches('v').split('.').map(|part| {
            let digits = part.find(|digit: char| !digit.is_ascii_digit()).unwrap_or(part.len());
            part[..digits].parse::<u32>().ok()
        });
        let major = parts.next().flatten()?;
        let minor = if major == 0 { parts.next().flatten().unwrap_or(0) } else { 0 };
        Some(Self { major, minor })
    }

    pub(crate) fn distance(self, other: Self) -> u32 {
        (100 * self.major.abs_diff(other.major)).saturating_add(self.minor.abs_diff(other.minor)).min(499)
    }
}

/// Reads "vllm 0.12.0".
pub fn parse_engine(text: &str) -> Result<(Engine, Option<EngineVersion>), UnknownEngine> {
    let mut words = text.split_whitespace();
    let name = words.next().unwrap_or("");
    let engine = name.parse()?;
    // NIM's own versions say nothing of the engine inside.
    let version = words.next().filter(|_| !name.eq_ignore_ascii_case("nim")).and_then(EngineVersion::parse);
    Ok((engine, version))
}

/// How the scheduler behaves.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EngineSettings {
    /// Tokens in one step, of prompts and running sequences.
    pub max_batched_tokens: u32,
    pub max_sequences: u32,
    /// Tokens of one block of the KV cache.
    pub block_tokens: u32,
    /// Share of the device's memory that the engine may use.
    pub memory_share: f64,
    /// Whether the share is of the memory that weights and activations leave, not of the whole.
    pub share_of_rest: bool,
    /// Whether prompts and running sequences share a step; otherwise prompts go first.
    pub mixed_steps: bool,
    /// Whether a request is admitted only if its whole length has room, so that nothing is preempted.
    pub reserve_whole_length: bool,
    /// Whether prompts are never split over steps.
    pub whole_prompts: bool,
    /// Most steps for which prompts wait, while sequences run, to be batched with others; 0: they don't wait.
    pub batch_wait_steps: u32,
    /// They stop waiting once the tokens to compute reach this share of a step's.
    pub batch_wait_share: f64,
}

impl EngineSettings {
    /// The engine's defaults on this device, with `tensor_parallel` devices per replica.
    pub fn defaults(engine: Engine, device: &SimulatedDevice, tensor_parallel: u32) -> Self {
        // vLLM's rule: devices of 70 GiB and more, the A100 excepted, take larger batches.
        let large = device.memory_gib >= 70.0 && device.generation != Generation::Ampere;
        let (max_batched_tokens, max_sequences) = match device.generation {
            Generation::Cpu => (2048 * tensor_parallel, 128 * tensor_parallel),
            _ if large => (8192, 1024),
            _ => (2048, 256),
        };
        let base = Self {
            max_batched_tokens,
            max_sequences,
            block_tokens: 16,
            memory_share: 0.9,
            share_of_rest: false,
            mixed_steps: true,
            reserve_whole_length: false,
            whole_prompts: false,
            batch_wait_steps: 0,
            batch_wait_share: 0.0,
        };
        match engine {
            Engine::Vllm => base,
            Engine::Sglang => Self { max_batched_tokens: 8192, block_tokens: 1, mixed_steps: false, ..base },
            Engine::TensorRtLlm => Self {
                max_batched_tokens: 8192,
                max_sequences: 2048,
                block_tokens: 32,
                share_of_rest: true,
                reserve_whole_length: true,
                whole_prompts: true,
                ..base
            },
            Engine::Tgi => Self { max_batched_tokens: 4096, mixed_steps: false, reserve_whole_length: true, ..base },
            // `llama-server` divides its context over its slots.
            Engine::LlamaCpp => Self { max_batched_tokens: 2048, block_tokens: 1, reserve_whole_length: true, ..base },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_have_one_name_and_are_known_by_others() {
        for (names, engine, shown) in [
            (vec!["vllm", "vLLM"], Engine::Vllm, "vllm"),
            (vec!["sglang", "SGLang"], Engine::Sglang, "sglang"),
            (vec!["trtllm", "TensorRT-LLM", "NIM"], Engine::TensorRtLlm, "trtllm"),
            (vec!["tgi", "TGI"], Engine::Tgi, "tgi"),
            (vec!["llama.cpp", "LlamaCpp"], Engine::LlamaCpp, "llama.cpp"),
        ] {
            assert_eq!(engine.to_string(), shown);
            for name in names {
                assert_eq!(name.parse(), Ok(engine), "{name}");
            }
        }
        for unknown in ["", "tensor_rt_llm", "llama_cpp", " vllm"] {
            assert_eq!(unknown.parse::<Engine>(), Err(UnknownEngine(unknown.to_owned())));
        }
    }

    #[test]
    fn an_engines_version_may_follow_its_name() {
        assert_eq!(parse_engine("vLLM v0.12.1"), Ok((Engine::Vllm, Some(EngineVersion { major: 0, minor: 12 }))));
        assert_eq!(parse_engine("NIM 1.8"), Ok((Engine::TensorRtLlm, None)));
        assert_eq!(parse_engine(" tgi nightly"), Ok((Engine::Tgi, None)));
    }
}
