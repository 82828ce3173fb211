//! Scenarios that several tests share.

use dyno_measure::load::Slo;
use dyno_simulate::{Engine, ModelDescriptor, Precision, Scenario, SimulatedDevice, device, model};

pub fn model(name: &str) -> ModelDescriptor {
    model::catalogue::find(name).unwrap()
}

pub fn device(name: &str) -> SimulatedDevice {
    device::find(name).unwrap()
}

pub fn scenario<'a>(model: &'a ModelDescriptor, device: &'a SimulatedDevice, tensor_parallel: u32) -> Scenario<'a> {
    Scenario {
        model,
        device,
        engine: Engine::Vllm,
        version: None,
        precision: Precision::Bf16,
        kv_precision: None,
        tensor_parallel,
        replicas: 1,
        settings: None,
        kv_tokens: None,
    }
}

/// At the 99th percentile, for limits to be set.
pub fn no_limits() -> Slo {
    Slo { percentile: 99.0, ttft_ms: None, tpot_ms: None, e2el_ms: None, search: None }
}
