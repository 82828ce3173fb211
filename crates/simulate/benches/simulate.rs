//! Times one scenario and one layout search: a plain harness, median of many runs.

use std::hint::black_box;
use std::io::Write;
use std::time::{Duration, Instant};

use dyno_measure::load::Slo;
use dyno_simulate::layout::{Nodes, layouts};
use dyno_simulate::{Engine, Limits, Precision, Profiles, Scenario, SimulatedWorkload, Simulator, TokenLengths, device, model};

/// Milliseconds that the two may take on one core.
const SCENARIO_MS: f64 = 2.0;
const LAYOUTS_MS: f64 = 300.0;

fn median(mut work: impl FnMut()) -> f64 {
    let mut times: Vec<Duration> = (0..101)
        .map(|_| {
            let begin = Instant::now();
            work();
            begin.elapsed()
        })
        .collect();
    times.sort();
    1e3 * times[times.len() / 2].as_secs_f64()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let model = model::catalogue::find("meta-llama/Llama-3.1-70B")?;
    let device = device::find("H200")?;
    let scenario = Scenario {
        model: &model,
        device: &device,
        engine: Engine::Vllm,
        version: None,
        precision: Precision::Fp8,
        kv_precision: None,
        tensor_parallel: 4,
        replicas: 1,
        settings: None,
        kv_tokens: None,
    };
    let workload = SimulatedWorkload::closed(640, TokenLengths { input: 1024, output: 1024, least_share: 0.8 }, 64, 1);
    let profiles = Profiles::published();
    let simulator = Simulator::new(scenario.clone(), &profiles)?;
    let one = median(|| {
        black_box(simulator.run(black_box(&workload)).ok());
    });
    let nodes = Nodes { count: 1, devices: 8 };
    let slo = Slo { percentile: 99.0, ttft_ms: Some(500.0), tpot_ms: Some(30.0), e2el_ms: None, search: None };
    let all = median(|| {
        black_box(layouts(&scenario, nodes, &workload, Some(&slo), &profiles, &Limits::default()));
    });
    let mut out = std::io::stdout().lock();
    writeln!(out, "640 requests, concurrency 64, 1k/1k: {one:.2} ms (limit {SCENARIO_MS} ms)")?;
    writeln!(out, "layouts of 8 devices:                {all:.2} ms (limit {LAYOUTS_MS} ms)")?;
    if one > SCENARIO_MS || all > LAYOUTS_MS {
        return Err("slower than the limit".into());
    }
    Ok(())
}
