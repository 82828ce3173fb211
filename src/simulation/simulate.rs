//! Simulates a benchmark: its load points in order, or those of its search, and the report.

use std::collections::BTreeMap;
use std::path::PathBuf;

use dyno_measure::load::OfferedLoad;
use dyno_measure::plan::{Plan, PlanEndpoint, PlannedLoad};
use dyno_measure::records::Records;
use dyno_measure::report::provenance::Provenance;
use dyno_measure::report::{
    Circumstances, Distribution, Note, NoteKind, Prediction, PredictionError, Report, RequestRecord, load_point_figures, report,
    verdict,
};
use dyno_measure::run::{RunKind, RunStatus};
use dyno_measure::search::Search;
use dyno_measure::sidecar::{BegunLoadPoint, Sidecar};
use dyno_measure::words::{capital, count};
use dyno_simulate::engine::EngineSettings;
use dyno_simulate::scenario::{Simulation, SimulationNote};
use dyno_simulate::{EngineVersion, Limits, ModelDescriptor, Profiles, Scenario, SimulationError, Simulator, StopFlag, profile};
use serde_json::{Value, json};
use uuid::Uuid;

use super::layout::{LayoutError, SimulatedLayout, layout};
use super::model::{ModelFailure, descriptor};
use super::records::{PointRecords, push, without_client};
use super::workload::{DrawnLengths, MOST_REQUESTS, WorkloadFailure, check_rows, source};
use crate::domain::benchmark::BenchmarkSpec;
use crate::domain::inventory::Node;
use crate::models::Roots;

#[derive(Debug, Clone)]
pub struct SimulatedRun {
    pub run_id: Uuid,
    pub spec: BenchmarkSpec,
    /// The cluster's current nodes, or the last known ones.
    pub nodes: Vec<Node>,
    /// The part of the engine's version that factors depend on, where it is known.
    pub version: Option<EngineVersion>,
    /// Folders from which model files may be read.
    pub roots: Roots,
    pub data_dir: PathBuf,
    pub profiles: Profiles,
}

/// What serves, as it is simulated.
#[derive(Debug)]
pub(super) struct SetUp {
    pub layout: SimulatedLayout,
    pub model: ModelDescriptor,
    /// Where the model's description comes from, in words.
    pub model_source: String,
    pub settings: EngineSettings,
}

pub(super) fn set_up(asked: &SimulatedRun) -> Result<SetUp, SimulationFailure> {
    let spec = &asked.spec;
    let layout = layout(&spec.serving, &spec.nodes, &asked.nodes)?;
    let (model, model_source) = descriptor(&spec.model, &asked.roots, &asked.data_dir)?;
    let defaults = EngineSettings::defaults(layout.engine, &layout.device, layout.tensor_parallel);
    let settings = EngineSettings { max_sequences: defaults.max_sequences.min(layout.most_slots), ..defaults };
    Ok(SetUp { layout, model, model_source, settings })
}

/// The result of a simulation.
#[derive(Debug)]
pub struct Simulated {
    /// The caller completes provenance and status.
    pub report: Report,
    pub records: Vec<RequestRecord>,
    /// Assumptions and results, as sentences for the log.
    pub lines: Vec<String>,
    /// The simulation's part of the report's provenance.
    pub provenance: Provenance,
}

/// Why nothing was simulated; a sentence for people.
#[derive(Debug, thiserror::Error)]
pub enum SimulationFailure {
    #[error(transparent)]
    Layout(#[from] LayoutError),
    #[error(transparent)]
    Model(#[from] ModelFailure),
    #[error(transparent)]
    Workload(WorkloadFailure),
    #[error("{0}")]
    DoesNotFit(String),
    #[error("{0}")]
    TooLarge(String),
    #[error("Can't be simulated: {0}.")]
    Simulation(SimulationError),
    #[error("The simulation was stopped.")]
    Stopped,
}

impl From<SimulationError> for SimulationFailure {
    fn from(error: SimulationError) -> Self {
        match error {
            SimulationError::DoesNotFit(memory) => Self::DoesNotFit(memory.shortage()),
            SimulationError::TooMuchWork | SimulationError::TooManyGaps => {
                Self::TooLarge(format!("{}.", capital(&error.to_string())))
            }
            SimulationError::Stopped => Self::Stopped,
            other => Self::Simulation(other),
        }
    }
}

impl From<WorkloadFailure> for SimulationFailure {
    fn from(failure: WorkloadFailure) -> Self {
        match failure {
            WorkloadFailure::Simulation(error) => error.into(),
            WorkloadFailure::Unreadable(dyno_load::workload::WorkloadError::Stopped) => Self::Stopped,
            other => Self::Workload(other),
        }
    }
}

/// The load points simulated so far.
#[derive(Debug, Default)]
struct PointProgress {
    records: Records,
    /// The load points begun, with their plans.
    begun: Vec<BegunLoadPoint>,
    simulations: Vec<Simulation>,
    /// When the last of them ended, ns.
    clock: i64,
    sent: u64,
}

/// Simulates a benchmark, until it is stopped. Deterministic, but for the run's id.
///
/// # Errors
/// When nothing can be simulated.
pub fn simulate(asked: &SimulatedRun, stop: &StopFlag) -> Result<Simulated, SimulationFailure> {
    let SetUp { layout, model, model_source, settings } = set_up(asked)?;
    let scenario = Scenario {
        model: &model,
        device: &layout.device,
        engine: layout.engine,
        version: asked.version,
        precision: model.precision,
        kv_precision: None,
        tensor_parallel: layout.tensor_parallel,
        replicas: layout.nodes.len() as u32,
        settings: Some(settings),
        kv_tokens: None,
    };
    let limits = Limits { stop: stop.clone(), ..Limits::default() };
    let simulator = Simulator::new(scenario, &asked.profiles)?.within(&limits);
    check_rows(&asked.spec)?;
    let plan = plan_of(asked, &layout);
    let (lengths, of_lengths) = DrawnLengths::read(&plan, stop)?;
    let prediction = prediction(simulator.prediction());
    let mut lines = vec![format!("Model {}: {} layers, {}, {model_source}.", model.name, model.layers, model.precision)];
    lines.extend(layout.assumptions.iter().cloned());
    lines.push(laid_out(&layout));
    lines.extend(of_lengths.iter().cloned());
    lines.push(standing(&prediction));

    let mut progress = PointProgress::new(&plan, asked.run_id);
    if let Some((variable, min, max)) = plan.search() {
        let mut search = Search::new(variable, min, max);
        // the simulation is deterministic: a confirmation would give the same result
        while let Some(planned) = search.next().filter(|_| !search.is_confirming()).and_then(|load| plan.point_at(load)) {
            let number = progress.begun.len() as u32;
            progress.simulate(&simulator, &lengths, &plan, planned, &layout, stop)?;
            let begun = &progress.begun[number as usize];
            search.answer(verdict(&load_point_figures(&progress.records, &plan, number, begun)));
        }
    } else {
        for planned in plan.load_points.clone() {
            progress.simulate(&simulator, &lengths, &plan, planned, &layout, stop)?;
        }
    }
    // of many requests the report takes seconds, too
    if stop.is_stopped() {
        return Err(SimulationFailure::Stopped);
    }
    let notes: Vec<Note> = of_lengths.into_iter().map(Note::from).chain(notes(&progress.simulations)).collect();
    lines.extend(progress.lines());
    let told: Vec<String> = notes.iter().map(ToString::to_string).filter(|note| !lines.contains(note)).collect();
    lines.extend(told);

    let sidecar = Sidecar { self_check: None, points: progress.begun };
    let circumstances = Circumstances { sidecar, notes, ..Circumstances::default() };
    let mut report = report(&progress.records, &plan, circumstances);
    without_client(&mut report);
    for (point, simulation) in report.load_points.iter_mut().zip(&progress.simulations) {
        point.summary.itl_ms = simulation.outcome.itl_ms.map(gaps);
    }
    report.summary.itl_ms = report.load_points.get(report.best).and_then(|point| point.summary.itl_ms.clone());
    report.kind = RunKind::Simulated;
    report.status = if report.summary.successful_requests > 0 { RunStatus::Succeeded } else { RunStatus::Failed };
    report.prediction = Some(prediction);
    let records = (0..progress.records.rows.len()).map(|index| progress.records.record(index)).collect();
    let provenance = provenance(&plan, &model, &layout, &settings, &simulator, &progress.simulations);
    Ok(Simulated { report, records, lines, provenance })
}

/// The plan of a measured run with the same load, with a copy's node for each endpoint.
fn plan_of(asked: &SimulatedRun, layout: &SimulatedLayout) -> Plan {
    let endpoint = |node: &String| PlanEndpoint { node: node.clone(), base_url: String::new(), metrics: None };
    Plan {
        run_id: asked.run_id,
        endpoints: layout.nodes.iter().map(endpoint).collect(),
        ..Plan::of_load(&asked.spec.load, source(&asked.spec, &asked.data_dir))
    }
}

impl PointProgress {
    fn new(plan: &Plan, run: Uuid) -> Self {
        let mut nodes: Vec<String> = Vec::new();
        for endpoint in &plan.endpoints {
            if !nodes.contains(&endpoint.node) {
                nodes.push(endpoint.node.clone());
            }
        }
        let records = Records { nodes, id_prefix: run.simple().to_string(), ..Records::default() };
        Self { records, ..Self::default() }
    }

    fn simulate(
        &mut self,
        simulator: &Simulator<'_>,
        lengths: &DrawnLengths,
        plan: &Plan,
        planned: PlannedLoad,
        layout: &SimulatedLayout,
        stop: &StopFlag,
    ) -> Result<(), SimulationFailure> {
        if stop.is_stopped() {
            return Err(SimulationFailure::Stopped);
        }
        let number = self.begun.len() as u32;
        self.begun.push(BegunLoadPoint { planned, ended_early: false });
        // for a search, the load points that it chose
        let load_points = self.begun.iter().map(|begun| begun.planned.clone()).collect();
        let so_far = Plan { load_points, ..plan.clone() };
        let simulation = lengths.simulate(simulator, &so_far, number, self.sent)?;
        let outcome = &simulation.outcome;
        // copies in excess of the requests in flight stay idle
        let busy = layout.nodes.len().min(so_far.load_points[number as usize].cap().max(1) as usize);
        let index = |node: &String| self.records.nodes.iter().position(|known| known == node).unwrap_or(0) as u16;
        let copies: Vec<u16> = layout.nodes.iter().take(busy).map(index).collect();
        self.sent += outcome.samples.len() as u64 + u64::from(outcome.dropped) + u64::from(outcome.too_long);
        if self.sent > MOST_REQUESTS {
            return Err(WorkloadFailure::TooManyRequests.into());
        }
        let place = PointRecords { load_point: number, begin: self.clock, copies: &copies };
        self.clock = push(&mut self.records, outcome, &place);
        self.simulations.push(simulation);
        Ok(())
    }

    /// The result of each load point, as a sentence.
    fn lines(&self) -> Vec<String> {
        let of = |(number, (begun, simulation)): (usize, (&BegunLoadPoint, &Simulation))| {
            let outcome = &simulation.outcome;
            let load = begun.planned.load.offered().map_or_else(|| "the trace".to_owned(), OfferedLoad::words);
            format!(
                "Load point {}, {load}: {} in {:.1} s of simulated time, {:.0} output tokens/s, {}.",
                number + 1,
                count(outcome.samples.len() as u64, "request"),
                outcome.duration_s,
                outcome.output_throughput,
                bound(outcome.bound),
            )
        };
        self.begun.iter().zip(&self.simulations).enumerate().map(of).collect()
    }
}

fn bound(bound: dyno_simulate::step::Bound) -> &'static str {
    use dyno_simulate::step::Bound;
    match bound {
        Bound::Compute => "bound by arithmetic",
        Bound::Bandwidth => "bound by memory bandwidth",
        Bound::Communication => "bound by communication between devices",
        Bound::Overhead => "bound by the engine's overhead",
    }
}

fn laid_out(layout: &SimulatedLayout) -> String {
    let replicas = count(layout.nodes.len() as u64, "replica");
    format!("Engine {}, {replicas} of the model, each on {}.", layout.engine, count(layout.tensor_parallel.into(), "device"))
}

/// The simulator's distribution of token gaps. The number of independent samples is not known, so there are no bounds.
fn gaps(found: dyno_simulate::outcome::PredictedDistribution) -> Distribution {
    let dyno_simulate::outcome::PredictedDistribution { n, mean, std, min, p25, p50, p75, p90, p95, p99, p999, max } = found;
    Distribution { mean, std, min, p25, p50, p75, p90, p95, p99, p999, max, n, clusters: None, bounds: BTreeMap::new() }
}

fn standing(prediction: &Prediction) -> String {
    match prediction.error_words() {
        Some(error) => format!("{}; {error}.", prediction.standing_words()),
        None => format!("{}.", prediction.standing_words()),
    }
}

/// Converts a prediction for reports.
pub(super) fn prediction(found: &dyno_simulate::scenario::PredictionBasis) -> Prediction {
    let bar = &found.error_pct;
    Prediction {
        standing: found.standing,
        runs: found.runs,
        error_pct: PredictionError { ttft_ms: bar.ttft, tpot_ms: bar.tpot, e2el_ms: bar.e2el },
        is_assumed: found.error_basis == profile::ErrorBasis::Assumed,
    }
}

/// The simulator's notes, without repetitions; with the load point where several differ.
fn notes(simulations: &[Simulation]) -> Vec<Note> {
    let mut notes: Vec<Note> = Vec::new();
    for (number, simulation) in simulations.iter().enumerate() {
        for note in &simulation.notes {
            let of_load = matches!(
                note,
                SimulationNote::TooLong { .. } | SimulationNote::Preempted { .. } | SimulationNote::BeyondMeasured { .. }
            );
            let kind =
                if matches!(note, SimulationNote::BeyondMeasured { .. }) { NoteKind::BeyondMeasured } else { NoteKind::Other };
            let load_point = (of_load && simulations.len() > 1).then_some(number as u32);
            let note = Note::new(kind, load_point, format!("{}.", capital(&note.to_string())));
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
    }
    notes
}

fn provenance(
    plan: &Plan,
    model: &ModelDescriptor,
    layout: &SimulatedLayout,
    settings: &EngineSettings,
    simulator: &Simulator<'_>,
    simulations: &[Simulation],
) -> Provenance {
    let points: Vec<Value> = simulations
        .iter()
        .map(|simulation| {
            let outcome = &simulation.outcome;
            json!({
                "bound": outcome.bound, "seconds_by_operator": outcome.time, "steps": outcome.steps,
                "kv_cache_share": outcome.kv_share, "preemptions": outcome.preemptions,
            })
        })
        .collect();
    let assumed = json!({
        "model": model, "device": layout.device, "engine": layout.engine, "engine_settings": settings,
        "efficiency": simulator.efficiency(), "kv_precision": simulator.kv_precision(),
        "tensor_parallel": layout.tensor_parallel, "replicas": layout.nodes.len(), "ramp_s": plan.ramp_s,
        "memory": simulations.first().map(|simulation| simulation.outcome.memory), "load_points": points,
    });
    Provenance {
        seed: Some(plan.seed),
        serving_devices: Some(layout.serving_devices.clone()),
        simulation: Some(assumed),
        ..Provenance::default()
    }
}
