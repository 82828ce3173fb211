//! One question, answered as a short table or as JSON.

use std::io::Write;

use super::{CommandError, Question};
use crate::device::{self, Device};
use crate::engine::parse_engine;
use crate::layout::{Estimate, Layout, layouts};
use crate::model::{catalogue, from_config_json};
use crate::outcome::{Distribution, Limits};
use crate::profile::{Profiles, Standing};
use crate::scenario::{Scenario, Simulation, Simulator};
use crate::workload::{Lengths, Rate, Workload};

const REQUESTS_AT_A_RATE: u32 = 640;
const REQUESTS_PER_USER: u32 = 10;

pub(super) fn answer(question: &Question, out: &mut impl Write) -> Result<(), CommandError> {
    let model = match &question.config {
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| CommandError::File { path: path.clone(), error })?;
            from_config_json(&path.display().to_string(), &text)?
        }
        None => catalogue::find(question.model.as_deref().unwrap_or_default())?,
    };
    let device = device_of(question)?;
    let (engine, version) = parse_engine(&question.engine)?;
    let precision = question.precision.as_ref().map_or(Ok(model.precision), |precision| precision.parse())?;
    let workload = load(question)?;
    let limits = Limits {
        percentile: question.percentile,
        ttft_ms: question.ttft_ms,
        tpot_ms: question.tpot_ms,
        e2el_ms: question.e2el_ms,
    };
    let scenario = Scenario {
        model: &model,
        device: &device,
        engine,
        version,
        precision,
        kv_precision: None,
        tensor_parallel: question.tensor_parallel.unwrap_or(1),
        replicas: (question.devices / question.tensor_parallel.unwrap_or(1)).max(1),
        settings: None,
        kv_tokens: None,
    };
    let profiles = Profiles::published();
    let mut others = Vec::new();
    let simulation = if question.tensor_parallel.is_some() {
        Simulator::new(scenario, &profiles)?.run(&workload)?
    } else {
        let mut all = layouts(&scenario, question.devices, &workload, &limits, None, &profiles).into_iter();
        let best = match all.next() {
            Some(Layout { verdict: Ok(Estimate { simulation, .. }), tensor_parallel, replicas, .. }) => {
                if !question.json {
                    writeln!(out, "best layout: tensor-parallel {tensor_parallel}, {replicas} replicas")?;
                }
                simulation
            }
            Some(Layout { verdict: Err(error), .. }) => return Err(error.into()),
            None => return Err(crate::SimulationError::NoDevice.into()),
        };
        others.extend(all);
        best
    };
    if question.json {
        serde_json::to_writer_pretty(&mut *out, &simulation)?;
        writeln!(out)?;
        return Ok(());
    }
    table(out, &simulation)?;
    for layout in &others {
        let name = format!("tensor-parallel {} x {} replicas", layout.tensor_parallel, layout.replicas);
        match &layout.verdict {
            Ok(estimate) => {
                let limited = if estimate.meets_limits { "" } else { ", over the limits" };
                writeln!(out, "instead {name}: {:.0} output tokens/s{limited}", estimate.output_throughput)?;
            }
            Err(error) => writeln!(out, "not {name}: {error}")?,
        }
    }
    Ok(())
}

fn device_of(question: &Question) -> Result<Device, CommandError> {
    let name = question.device.as_deref().unwrap_or_default();
    Ok(match (question.tflops, question.memory_gib, question.bandwidth) {
        (Some(tflops), Some(memory), Some(bandwidth)) => {
            Device::stated(name, tflops, memory, bandwidth, question.link_bandwidth)?
        }
        _ => device::find(name)?,
    })
}

fn load(question: &Question) -> Result<Workload, CommandError> {
    let lengths = Lengths::fixed(question.input_tokens, question.output_tokens);
    Ok(match (question.rate, question.concurrency) {
        (Some(rate), cap) => {
            let count = question.num_requests.unwrap_or(REQUESTS_AT_A_RATE) as usize;
            Workload::open(count, lengths, Rate::poisson(rate), cap, question.seed)?
        }
        (None, users) => {
            let users = users.unwrap_or(1);
            let count = question.num_requests.unwrap_or(REQUESTS_PER_USER * users) as usize;
            Workload::closed(count, lengths, users, question.seed)
        }
    })
}

fn table(out: &mut impl Write, simulation: &Simulation) -> Result<(), CommandError> {
    let Simulation { outcome, prediction, notes } = simulation;
    writeln!(out, "{:<10} {:>10} {:>10} {:>10} {:>10} {:>10}   error", "ms", "mean", "p50", "p90", "p95", "p99")?;
    let bar = prediction.error_pct;
    for (name, distribution, error) in [
        ("TTFT", outcome.ttft_ms, bar.ttft),
        ("TPOT", outcome.tpot_ms, bar.tpot),
        ("ITL", outcome.itl_ms, bar.tpot),
        ("E2E", outcome.e2el_ms, bar.e2el),
    ] {
        if let Some(Distribution { mean, p50, p90, p95, p99, .. }) = distribution {
            writeln!(out, "{name:<10} {mean:>10.1} {p50:>10.1} {p90:>10.1} {p95:>10.1} {p99:>10.1}   ±{error:.0} %")?;
        }
    }
    writeln!(
        out,
        "throughput {:.0} output tokens/s, {:.2} requests/s, {} requests in {:.1} s",
        outcome.output_throughput,
        outcome.request_throughput,
        outcome.samples.len(),
        outcome.duration_s
    )?;
    let memory = &outcome.memory;
    writeln!(
        out,
        "memory     {:.1} GB of weights, {:.1} GB of reserve, KV cache of {} tokens per replica: {} such requests at once",
        memory.weights / 1e9,
        memory.reserve / 1e9,
        memory.kv_tokens,
        memory.concurrent_requests
    )?;
    let total = outcome.time.total();
    let share = |seconds: f64| if total > 0.0 { 100.0 * seconds / total } else { 0.0 };
    writeln!(
        out,
        "time       {:.0} % weights, {:.0} % KV cache, {:.0} % compute, {:.0} % prompt attention, {:.0} % communication, {:.0} % overhead",
        share(outcome.time.weights),
        share(outcome.time.decode_attention),
        share(outcome.time.compute),
        share(outcome.time.prefill_attention),
        share(outcome.time.communication),
        share(outcome.time.overhead)
    )?;
    let standing = match prediction.standing {
        Standing::Prior => format!("prior, fitted on {} published measurements", prediction.runs),
        Standing::Calibrated => format!("calibrated by {} runs", prediction.runs),
    };
    writeln!(out, "simulated; standing: {standing}")?;
    for note in notes {
        writeln!(out, "note: {note}")?;
    }
    Ok(())
}
