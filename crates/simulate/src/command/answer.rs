//! One question, answered as a short table or as JSON.

use std::io::{self, Write};

use dyno_measure::limits::LimitedLatency;
use dyno_measure::load::Slo;
use serde::Serialize;

use super::{CommandError, Question};
use crate::device::{self, SimulatedDevice};
use crate::engine::parse_engine;
use crate::layout::{Estimate, Nodes, ParallelLayout, layouts};
use crate::limits::Limits;
use crate::model::{catalogue, from_config_json};
use crate::outcome::PredictedDistribution;
use crate::profile::{ErrorBasis, Profiles};
use crate::scenario::{Scenario, Simulation, SimulationError, Simulator};
use crate::workload::{REQUESTS_PER_USER, Rate, SimulatedWorkload, TokenLengths};

const REQUESTS_AT_A_RATE: u32 = 640;

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
    let slo = question.slo();
    let scenario = Scenario {
        model: &model,
        device: &device,
        engine,
        version,
        precision,
        kv_precision: None,
        tensor_parallel: 1,
        replicas: 1,
        settings: None,
        kv_tokens: None,
    };
    let profiles = Profiles::published();
    let nodes = Nodes { count: 1, devices: question.devices };
    let answer = match question.tensor_parallel {
        Some(tensor_parallel) => {
            let layout = given_layout(&scenario, question.devices, tensor_parallel, &workload, slo.as_ref(), &profiles)?;
            Answer { layout, alternatives: Vec::new() }
        }
        None => best_layout(layouts(&scenario, nodes, &workload, slo.as_ref(), &profiles, &Limits::default()))?,
    };
    if question.json {
        serde_json::to_writer_pretty(&mut *out, &answer)?;
        writeln!(out)?;
        return Ok(());
    }
    write_layout(out, &answer.layout, question.devices, slo.as_ref())?;
    table(out, &answer.layout.simulation)?;
    for Alternative { tensor_parallel, replicas, verdict } in &answer.alternatives {
        let name = layout_name(*tensor_parallel, *replicas);
        match verdict {
            LimitVerdict::Possible { output_throughput, meets_limits } => {
                let limited = if *meets_limits == Some(false) { ", over the limits" } else { "" };
                writeln!(out, "instead {name}: {output_throughput:.0} output tokens/s{limited}")?;
            }
            LimitVerdict::Impossible { error } => writeln!(out, "not {name}: {error}")?,
        }
    }
    Ok(())
}

#[derive(Debug, Serialize)]
struct Answer {
    #[serde(flatten)]
    layout: ChosenLayout,
    /// The other layouts, best first; none where the layout was given.
    alternatives: Vec<Alternative>,
}

#[derive(Debug, Serialize)]
struct ChosenLayout {
    tensor_parallel: u32,
    replicas: u32,
    /// Absent without limits.
    meets_limits: Option<bool>,
    /// Requests within the limits per second.
    goodput: Option<f64>,
    simulation: Simulation,
}

#[derive(Debug, Serialize)]
struct Alternative {
    tensor_parallel: u32,
    replicas: u32,
    #[serde(flatten)]
    verdict: LimitVerdict,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum LimitVerdict {
    Possible { output_throughput: f64, meets_limits: Option<bool> },
    Impossible { error: String },
}

fn given_layout(
    scenario: &Scenario<'_>,
    devices: u32,
    tensor_parallel: u32,
    workload: &SimulatedWorkload,
    slo: Option<&Slo>,
    profiles: &Profiles,
) -> Result<ChosenLayout, CommandError> {
    if tensor_parallel > devices {
        return Err(CommandError::TooFewDevices { tensor_parallel, devices });
    }
    let replicas = devices / tensor_parallel;
    let simulation = Simulator::new(Scenario { tensor_parallel, replicas, ..scenario.clone() }, profiles)?.run(workload)?;
    let meets_limits = slo.map(|slo| simulation.outcome.meets(slo));
    let goodput = slo.map(|slo| simulation.outcome.goodput(slo).0);
    Ok(ChosenLayout { tensor_parallel, replicas, meets_limits, goodput, simulation })
}

fn best_layout(layouts: Vec<ParallelLayout>) -> Result<Answer, CommandError> {
    let mut layouts = layouts.into_iter();
    let ParallelLayout { tensor_parallel, replicas, verdict, .. } = layouts.next().ok_or(SimulationError::NoDevice)?;
    let Estimate { meets_limits, goodput, simulation, .. } = verdict?;
    let alternatives = layouts.map(|layout| Alternative {
        tensor_parallel: layout.tensor_parallel,
        replicas: layout.replicas,
        verdict: match layout.verdict {
            Ok(Estimate { output_throughput, meets_limits, .. }) => LimitVerdict::Possible { output_throughput, meets_limits },
            Err(error) => LimitVerdict::Impossible { error: error.to_string() },
        },
    });
    let layout = ChosenLayout { tensor_parallel, replicas, meets_limits, goodput, simulation };
    Ok(Answer { layout, alternatives: alternatives.collect() })
}

fn layout_name(tensor_parallel: u32, replicas: u32) -> String {
    format!("tensor-parallel {tensor_parallel} x {replicas} {}", if replicas == 1 { "replica" } else { "replicas" })
}

fn write_layout(out: &mut impl Write, layout: &ChosenLayout, devices: u32, slo: Option<&Slo>) -> io::Result<()> {
    write!(out, "layout     {}", layout_name(layout.tensor_parallel, layout.replicas))?;
    let idle = devices - layout.tensor_parallel * layout.replicas;
    if idle > 0 {
        write!(out, ", {idle} of {devices} devices idle")?;
    }
    writeln!(out)?;
    if let (Some(slo), Some(meets), Some(goodput)) = (slo, layout.meets_limits, layout.goodput) {
        let limits: Vec<String> = LimitedLatency::of(slo)
            .into_iter()
            .map(|(latency, limit)| format!("{} within {limit} ms", latency.title()))
            .collect();
        let verdict = if meets { "met" } else { "not met" };
        let percentile = slo.percentile;
        writeln!(out, "limits     {verdict} at p{percentile}: {}; goodput {goodput:.2} requests/s", limits.join(", "))?;
    }
    Ok(())
}

fn device_of(question: &Question) -> Result<SimulatedDevice, CommandError> {
    let name = question.device.as_deref().unwrap_or_default();
    Ok(match (question.tflops, question.memory_gib, question.bandwidth) {
        (Some(tflops), Some(memory), Some(bandwidth)) => {
            let stated = SimulatedDevice::stated(name, tflops, memory, bandwidth, question.link_bandwidth)?;
            stated.with_narrow_rates(question.tflops_8, question.tflops_4)?
        }
        _ => device::find(name)?,
    })
}

fn load(question: &Question) -> Result<SimulatedWorkload, CommandError> {
    let lengths = TokenLengths::fixed(question.input_tokens, question.output_tokens);
    Ok(match (question.rate, question.concurrency) {
        (Some(rate), cap) => {
            let count = question.num_requests.unwrap_or(REQUESTS_AT_A_RATE) as usize;
            SimulatedWorkload::open(count, lengths, Rate::poisson(rate), cap, question.seed)?
        }
        (None, users) => {
            let users = users.unwrap_or(1);
            let count = question.num_requests.unwrap_or(REQUESTS_PER_USER * users) as usize;
            SimulatedWorkload::closed(count, lengths, users, question.seed)
        }
    })
}

fn table(out: &mut impl Write, simulation: &Simulation) -> Result<(), CommandError> {
    let Simulation { outcome, prediction, notes } = simulation;
    writeln!(out, "{:<10} {:>10} {:>10} {:>10} {:>10} {:>10}   error of the mean", "ms", "mean", "p50", "p90", "p95", "p99")?;
    let bar = prediction.error_pct;
    for (name, distribution, error) in [
        ("TTFT", outcome.ttft_ms, bar.ttft),
        ("TPOT", outcome.tpot_ms, bar.tpot),
        ("ITL", outcome.itl_ms, None),
        ("E2E", outcome.e2el_ms, bar.e2el),
    ] {
        if let Some(PredictedDistribution { mean, p50, p90, p95, p99, .. }) = distribution {
            let error = error.map_or("not known".to_owned(), |error| format!("±{error:.0} %"));
            writeln!(out, "{name:<10} {mean:>10.1} {p50:>10.1} {p90:>10.1} {p95:>10.1} {p99:>10.1}   {error}")?;
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
    let basis = match prediction.error_basis {
        ErrorBasis::Measured => "nine of ten on measurements left out of the fit were within them",
        ErrorBasis::Assumed => "assumed, since nothing was measured that tells them",
    };
    writeln!(out, "simulated; standing: {prediction}; errors: {basis}")?;
    for note in notes {
        writeln!(out, "note: {note}")?;
    }
    Ok(())
}
