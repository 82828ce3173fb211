//! Measures a plan's load with several workers: from starting them to the records put together.

use std::collections::HashMap;
use std::io;
use std::sync::mpsc::{Sender, channel};

use super::WorkersError;
use super::clocks::WorkerClock;
use super::coordinator::{Coordinator, CoordinatorSetting, Worker};
use super::link::{Incoming, Link, Source, receive};
use super::place::{WorkerPlace, WorkerPlaces};
use super::protocol::{Preparation, WorkerResult};
use super::records::MergedRecords;
use super::remote::{self, RemoteError};
use crate::client::clock::Clock;
use crate::client::phase::PhaseEnd;
use crate::client::stop::StopSignal;
use crate::engine_metrics::Scraper;
use crate::event_sink::EventSink;
use crate::load_point_runner::LoadPointRunner;
use crate::measurement::{MeasureError, Measured};
use crate::prepare::{addresses_of, header_lines, id_prefix, metrics_of, tls_of};
use crate::progress::Progressing;
use crate::records::RecordFile;
use dyno_measure::events::{LoadEventKind, Progress};
use dyno_measure::plan::{Part, Plan, PlanEndpoint};
use dyno_measure::records::Records;
use dyno_measure::report::provenance::LoadWorkerFacts;
use dyno_measure::report::{Circumstances, ClientHealth, Note, notes_of_workers, sentences_of_workers};
use dyno_measure::sidecar::Sidecar;
use dyno_measure::validity::SelfCheck;

/// Longest time until all workers are ready, ns: each makes its prompts and checks itself.
const READY: i64 = 300_000_000_000;
/// A worker that began later than this is named, ns.
const LATE: i64 = 5_000_000;

/// Runs the plan's load with its workers: processes that are started for it, unless it is told where they are.
pub(crate) fn measure(
    plan: &Plan,
    places: Option<&WorkerPlaces>,
    check: Option<&SelfCheck>,
    emit: &EventSink,
    stop: &StopSignal,
) -> Result<Measured, MeasureError> {
    let clock = Clock::start();
    let places = places.cloned().unwrap_or_else(|| WorkerPlaces::own(plan.workers));
    if places.workers.len() != plan.workers as usize {
        return Err(WorkersError::OtherNumber { planned: plan.workers, told: places.workers.len() }.into());
    }
    let secret = header_lines(plan)?;
    let tls = tls_of(plan)?;
    let addresses = addresses_of(plan)?;
    let id_prefix = id_prefix(plan);
    let (sender, incoming) = channel();
    let workers = start(plan, &places, &id_prefix, &sender, stop)?;
    drop(sender);

    let file = plan.requests.as_ref().map(|path| RecordFile::create(path)).transpose().map_err(MeasureError::RecordFile)?;
    let nodes = plan.endpoints.iter().fold(Vec::new(), |mut nodes: Vec<String>, endpoint| {
        if !nodes.contains(&endpoint.node) {
            nodes.push(endpoint.node.clone());
        }
        nodes
    });
    let records = Records { nodes, id_prefix, ..Records::default() };
    let sink = emit.clone();
    let progress = Progressing::new(
        plan.most_points(),
        Box::new(move |snapshot: Progress| sink(LoadEventKind::Progress(Box::new(snapshot)))),
    );
    let tokenizer = std::rc::Rc::new(std::cell::RefCell::new(String::new()));
    let (telling, heard) = (emit.clone(), tokenizer.clone());
    let emit: EventSink = std::rc::Rc::new(move |kind| {
        if let LoadEventKind::Prepared { tokenizer, .. } = &kind {
            heard.borrow_mut().clone_from(tokenizer);
        }
        telling(kind);
    });
    let setting = CoordinatorSetting {
        emit: &emit,
        stop,
        deadline: plan.deadline_unix_ns.map(|at| clock.monotonic(at)),
        max_error_rate: plan.max_error_rate,
        unix_offset: clock.unix(0),
    };
    let mut coordinator = Coordinator::new(workers, incoming, MergedRecords::new(records, file), progress, &setting);
    coordinator.wait_until_ready(READY)?;

    let scraper = Scraper::start(metrics_of(plan, &addresses), &secret, tls.as_ref()).map_err(MeasureError::EngineMetrics)?;
    let knows_template = coordinator.facts().all(|facts| facts.knows_template);
    let sidecar = Sidecar { self_check: check.cloned(), points: Vec::new() };
    let mut points = LoadPointRunner::new(plan, knows_template, &emit, sidecar);
    let mut notes = Vec::new();
    let ending = points.run(&mut coordinator, &mut notes);
    let sidecar = points.into_sidecar();
    let metrics = scraper.map(Scraper::end).unwrap_or_default();
    notes.extend(metrics.notes);
    coordinator.finish();

    let facts: Vec<LoadWorkerFacts> =
        coordinator.workers.iter().enumerate().map(|(place, worker)| facts(&coordinator, place, worker)).collect();
    let results: Vec<(String, WorkerResult)> =
        coordinator.workers.iter_mut().filter_map(|worker| Some((worker.name.clone(), worker.result.take()?))).collect();
    let mut circumstances =
        Circumstances { engine_metrics: metrics.series, sidecar, ended_early: ending != PhaseEnd::Done, ..together(&results) };
    circumstances.notes.extend(notes.into_iter().map(Note::from));
    circumstances.notes.extend(notes_on(&places, &facts, &results).into_iter().map(Note::from));
    let mut merged = coordinator.merged;
    if let Some(error) = merged.error.take() {
        circumstances.invalid.push(format!("The record file could not be written: {error}."));
    }
    let records = merged.in_order().map_err(MeasureError::RecordFile)?;
    let tokenizer = tokenizer.take();
    Ok(Measured { records, ending, circumstances, tokenizer, workers: facts })
}

/// Has each worker, at its place, prepare its part.
fn start(
    plan: &Plan,
    places: &WorkerPlaces,
    id_prefix: &str,
    incoming: &Sender<(usize, Incoming)>,
    stop: &StopSignal,
) -> Result<Vec<Worker>, WorkersError> {
    // A pod's share of its node is no core of its own.
    let cores = if places.are_apart() { Vec::new() } else { own_cores(places.workers.len()) };
    let mut workers = Vec::new();
    for (number, (place, part)) in places.workers.iter().zip(Part::all(plan.workers)).enumerate() {
        let (mut link, source) = link_to(place, &places.token, stop)?;
        let preparation = Preparation {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            plan: plan_of_worker(plan),
            part,
            id_prefix: id_prefix.to_owned(),
            core: cores.get(number).copied(),
        };
        // One that ended at once has said why, which is read.
        let _ = link.prepare(&preparation);
        let not_started = |source: io::Error| WorkersError::NotStarted { name: place.name.clone(), source };
        receive(number, source, incoming.clone()).map_err(not_started)?;
        workers.push(Worker::new(place.name.clone(), part, link));
    }
    Ok(workers)
}

fn link_to(place: &WorkerPlace, token: &str, stop: &StopSignal) -> Result<(Link, Source), WorkersError> {
    let name = || place.name.clone();
    let not_started = |source: io::Error| WorkersError::NotStarted { name: name(), source };
    let Some(address) = place.address else {
        return std::env::current_exe().and_then(|program| Link::spawn(&program)).map_err(not_started);
    };
    match remote::connect(address, token, &|| stop.is_wished()) {
        Ok(connection) => Link::over(connection).map_err(not_started),
        Err(RemoteError::Stopped) => Err(WorkersError::Stopped),
        Err(error) => Err(WorkersError::NotJoined { name: name(), why: error.to_string() }),
    }
}

/// The plan without what the coordinator does for all: files, deadline, error rate, the engines' own metrics.
fn plan_of_worker(plan: &Plan) -> Plan {
    let endpoints = plan.endpoints.iter().map(|endpoint| PlanEndpoint { metrics: None, ..endpoint.clone() });
    Plan {
        endpoints: endpoints.collect(),
        requests: None,
        report: None,
        deadline_unix_ns: None,
        max_error_rate: None,
        ..plan.clone()
    }
}

/// A core for each worker of this machine; none where there are fewer, so that the system shares them out.
fn own_cores(workers: usize) -> Vec<usize> {
    let Ok(allowed) = rustix::thread::sched_getaffinity(None) else { return Vec::new() };
    let cores: Vec<usize> = (0..rustix::thread::CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core)).collect();
    if cores.len() < workers { Vec::new() } else { cores }
}

fn facts(coordinator: &Coordinator<'_>, place: usize, worker: &Worker) -> LoadWorkerFacts {
    let clock: &WorkerClock = &worker.clock;
    LoadWorkerFacts {
        name: worker.name.clone(),
        requests: coordinator.merged.count(place),
        clock: clock.wall(),
        clock_drift_ns: clock.drift(),
        late_ns: worker.late,
        cpu_share: worker.result.as_ref().and_then(|result| result.client.cpu_share),
    }
}

/// What the workers know beside their records, together.
fn together(results: &[(String, WorkerResult)]) -> Circumstances {
    let clients: Vec<ClientHealth> = results.iter().map(|(_, result)| result.client.clone()).collect();
    let notes: Vec<_> = results.iter().map(|(name, result)| (name.clone(), result.notes.clone())).collect();
    let invalid: Vec<_> = results.iter().map(|(name, result)| (name.clone(), result.invalid.clone())).collect();
    let mut disagreement: HashMap<u32, f64> = HashMap::new();
    for (load_point, share) in results.iter().flat_map(|(_, result)| &result.disagreement) {
        let most = disagreement.entry(*load_point).or_default();
        *most = most.max(*share);
    }
    Circumstances {
        client: ClientHealth::of_workers(&clients),
        notes: notes_of_workers(&notes),
        invalid: sentences_of_workers(&invalid),
        disagreement,
        ..Circumstances::default()
    }
}

/// What a reader should know of the workers.
fn notes_on(places: &WorkerPlaces, facts: &[LoadWorkerFacts], results: &[(String, WorkerResult)]) -> Vec<String> {
    let ms = |ns: i64| ns as f64 / 1e6;
    let most = |of: fn(&LoadWorkerFacts) -> i64| ms(facts.iter().map(of).max().unwrap_or(0));
    let names = if places.are_apart() {
        format!(" ({})", facts.iter().map(|worker| worker.name.as_str()).collect::<Vec<_>>().join(", "))
    } else {
        String::new()
    };
    let mut notes = vec![format!(
        "The load came from {} workers{names}, each with its part of the streams and requests. Their clocks differed by up to {:.3} ms, which was taken out of the times to within {:.3} ms; latencies are each worker's own.",
        facts.len(),
        most(|worker| worker.clock.offset_ns.abs()),
        most(|worker| worker.clock.uncertainty_ns),
    )];
    for (worker, _) in facts.iter().zip(&places.workers).filter(|(_, place)| place.address.is_some()) {
        notes.push(format!(
            "{}: its clock was {:.3} ms {} that of the first, known to within {:.3} ms; during the load that moved by {:.3} ms.",
            worker.name,
            ms(worker.clock.offset_ns.abs()),
            if worker.clock.offset_ns < 0 { "behind" } else { "ahead of" },
            ms(worker.clock.uncertainty_ns),
            ms(worker.clock_drift_ns.abs()),
        ));
    }
    for worker in facts.iter().filter(|worker| worker.late_ns > LATE) {
        notes.push(format!("{} began {:.1} ms after the agreed moment.", worker.name, ms(worker.late_ns)));
    }
    for worker in facts.iter().filter(|worker| !results.iter().any(|(name, _)| *name == worker.name)) {
        notes.push(format!("{} was lost: what it had handed over until then is part of the figures.", worker.name));
    }
    notes
}
