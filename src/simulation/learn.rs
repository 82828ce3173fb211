//! A measured run beside what the simulator expects of it, and what the run tells of the factors.

use dyno_measure::load::OfferedLoad;
use dyno_measure::report::provenance::NodeFacts;
use dyno_measure::report::{Compared, LoadPoint, Predicted, PredictedPoint, Report, RequestRecord, Summary};
use dyno_simulate::StopFlag;
use dyno_simulate::engine::EngineVersion;
use dyno_simulate::own_runs::{MeasuredPoint, MeasuredRun, MeasuredSetup};
use dyno_simulate::workload::{Request, SimulatedLoad, SimulatedWorkload};
use serde_json::json;

use super::simulate::{SetUp, SimulatedRun, SimulationFailure, set_up, simulate};
use crate::domain::benchmark::BenchmarkSpec;
use crate::domain::engine::EngineKind;
use crate::domain::inventory::Node;

/// Requests of a load point that are learnt from; more tell nothing new and are simulated over and over.
pub const MOST_LEARNT_REQUESTS: u32 = 1_000;
/// Fewer say little of a mean.
const LEAST_REQUESTS: usize = 3;
/// A load point with a larger share of failed requests was not the load that it says.
const MOST_ERRORS: f64 = 0.01;
/// With a larger share of the input in the prefix cache, what remains says little of prompts.
const MOST_CACHED: f64 = 0.5;
/// Arguments with one of these words change how tokens are computed.
const CHANGING: [&str; 5] = ["specul", "draft", "quantization", "kv-cache-dtype", "cache-type"];

/// Why nothing is learnt from a run; a sentence for people.
#[derive(Debug, thiserror::Error)]
pub enum LearnFailure {
    #[error(transparent)]
    Simulation(#[from] SimulationFailure),
    #[error("Its engine was not started by Dyno.")]
    NotDeployed,
    #[error("Its engine was started with {0}, which is not simulated.")]
    Changed(String),
    #[error("{0:.0} % of the input came out of the prefix cache.")]
    Cached(f64),
    #[error("No load point has enough successful requests with their lengths.")]
    NoLoadPoint,
}

/// The part of an engine's version that factors depend on. llama.cpp numbers its builds: they are all one.
pub fn engine_version(kind: Option<EngineKind>, version: Option<&str>) -> Option<EngineVersion> {
    version.filter(|_| kind != Some(EngineKind::LlamaCpp)).and_then(EngineVersion::parse)
}

/// The nodes as they were when the run began.
pub fn nodes_of(report: &Report) -> Vec<Node> {
    let node = |facts: &NodeFacts| serde_json::from_value(json!(facts)).ok();
    report.provenance.nodes.iter().filter_map(node).collect()
}

/// The version of the engine that served the run.
pub fn version_of(spec: &BenchmarkSpec, report: &Report) -> Option<EngineVersion> {
    engine_version(spec.serving.engine, report.provenance.engines.first()?.version.as_deref())
}

/// What is expected of a measured run's load points. `asked` is the run as it was measured, with the profiles as they are now.
///
/// # Errors
/// What can't be simulated.
pub fn predict(asked: &SimulatedRun, report: &Report, stop: &StopFlag) -> Result<Predicted, SimulationFailure> {
    let mut same = asked.clone();
    let load = &mut same.spec.load;
    if let Some(slo) = &mut load.slo
        && slo.search.take().is_some()
    {
        load.load_points = report.load_points.iter().filter_map(LoadPoint::offered).collect();
    }
    let simulated = simulate(&same, stop)?.report;
    let compared = |(index, (measured, expected)): (usize, (&LoadPoint, &LoadPoint))| {
        let whole =
            !measured.ended_early && measured.offered().map(OfferedLoad::words) == expected.offered().map(OfferedLoad::words);
        whole.then(|| compare(index, &measured.summary, &expected.summary))
    };
    let points = report.load_points.iter().zip(&simulated.load_points).enumerate();
    Ok(Predicted {
        load_points: points.filter_map(compared).collect(),
        notes: simulated.notes.iter().map(ToString::to_string).collect(),
        basis: simulated.prediction.ok_or(SimulationFailure::Stopped)?,
    })
}

fn compare(load_point: usize, measured: &Summary, expected: &Summary) -> PredictedPoint {
    let of = |metric: fn(&Summary) -> Option<f64>| Compared::of(metric(expected), metric(measured));
    PredictedPoint {
        load_point,
        ttft_ms: of(|summary| Some(summary.ttft_ms.as_ref()?.mean)),
        tpot_ms: of(|summary| Some(summary.tpot_ms.as_ref()?.mean)),
        e2el_ms: of(|summary| Some(summary.e2el_ms.as_ref()?.mean)),
        output_throughput: of(|summary| summary.output_throughput),
    }
}

/// What a run tells of the factors. `records` are the first successful measured requests of each load point, in the order of
/// sending: what was really sent and answered, whatever had been asked for.
///
/// # Errors
/// Why it tells nothing.
pub fn measured(asked: &SimulatedRun, report: &Report, records: &[Vec<RequestRecord>]) -> Result<MeasuredRun, LearnFailure> {
    if report.provenance.engines.is_empty() {
        return Err(LearnFailure::NotDeployed);
    }
    let changes = |argument: &&String| CHANGING.iter().any(|word| argument.contains(word));
    if let Some(argument) = asked.spec.serving.engine_args.iter().find(changes) {
        return Err(LearnFailure::Changed(argument.clone()));
    }
    let SetUp { layout, model, settings, .. } = set_up(asked)?;
    let sum = |of: fn(&Summary) -> Option<u64>| report.load_points.iter().filter_map(|point| of(&point.summary)).sum::<u64>();
    let cached = sum(|summary| summary.cached_tokens) as f64 / (sum(|summary| summary.total_input_tokens) as f64).max(1.0);
    if cached > MOST_CACHED {
        return Err(LearnFailure::Cached(100.0 * cached));
    }
    let points: Vec<MeasuredPoint> = report
        .load_points
        .iter()
        .zip(records)
        .filter(|(point, _)| !point.ended_early && point.summary.error_rate <= MOST_ERRORS)
        .filter_map(|(point, records)| point_of(point, records, asked.spec.load.ramp_s))
        .collect();
    if points.is_empty() {
        return Err(LearnFailure::NoLoadPoint);
    }
    let setup = MeasuredSetup {
        model,
        settings,
        engine: layout.engine,
        version: asked.version,
        tensor_parallel: layout.tensor_parallel,
        replicas: layout.nodes.len() as u32,
        device: layout.device,
    };
    Ok(MeasuredRun { setup, points })
}

fn point_of(point: &LoadPoint, records: &[RequestRecord], ramp_s: Option<f64>) -> Option<MeasuredPoint> {
    let begin = records.first()?.sent_unix_ns?;
    let request = |record: &RequestRecord| {
        Some(Request {
            arrival: (record.sent_unix_ns? - begin) as f64 / 1e9,
            // What the prefix cache had (of a chat, its template) was not computed.
            input: record.input_tokens?.checked_sub(record.cached_tokens.unwrap_or(0)).filter(|tokens| *tokens > 0)?,
            output: record.output_tokens.filter(|tokens| *tokens > 0)?,
        })
    };
    let requests: Vec<Request> = records.iter().map(request).collect::<Option<_>>()?;
    if requests.len() < LEAST_REQUESTS {
        return None;
    }
    let load = match point.concurrency {
        Some(concurrency) => SimulatedLoad::Closed { concurrency, ramp: ramp_s.unwrap_or(0.0) },
        None => SimulatedLoad::Open { max_in_flight: None },
    };
    let mean = |of: fn(&RequestRecord) -> Option<f64>| {
        let values: Vec<f64> = records.iter().filter_map(of).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    Some(MeasuredPoint {
        workload: SimulatedWorkload { requests, load, warmup: 0, until: None },
        ttft_ms: mean(|record| record.ttft_ms),
        tpot_ms: mean(|record| record.tpot_ms),
        e2el_ms: mean(|record| record.e2el_ms),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(at_ms: i64, tokens: Option<u32>, ttft: f64) -> RequestRecord {
        serde_json::from_value(
            json!({ "id": "r", "node": "n", "load_point": 0, "phase": "measured", "sent_unix_ns": at_ms * 1_000_000,
            "ttft_ms": ttft, "e2el_ms": 2.0 * ttft, "input_tokens": 10, "output_tokens": tokens }),
        )
        .unwrap()
    }

    fn point(load: &serde_json::Value) -> LoadPoint {
        serde_json::from_value(load.clone()).unwrap()
    }

    #[test]
    fn what_was_sent_and_answered_counts_not_what_was_asked_for() {
        let records = [record(5, Some(3), 10.0), record(15, Some(4), 20.0), record(30, Some(5), 30.0)];
        let found = point_of(&point(&json!({ "rate": 4.0 })), &records, None).unwrap();
        assert_eq!((found.ttft_ms, found.tpot_ms, found.e2el_ms), (Some(20.0), None, Some(40.0)));
        assert_eq!(found.workload.requests[2], Request { arrival: 0.025, input: 10, output: 5 });
        assert_eq!(found.workload.load, SimulatedLoad::Open { max_in_flight: None });
        let closed = point_of(&point(&json!({ "concurrency": 2 })), &records, Some(1.5)).unwrap();
        assert_eq!(closed.workload.load, SimulatedLoad::Closed { concurrency: 2, ramp: 1.5 });
    }

    #[test]
    fn what_the_prefix_cache_had_was_not_computed() {
        let cached = RequestRecord { cached_tokens: Some(4), ..record(5, Some(3), 10.0) };
        let found = point_of(&point(&json!({ "concurrency": 2 })), &vec![cached; 3], None).unwrap();
        assert_eq!(found.workload.requests[0].input, 6);
    }

    #[test]
    fn requests_without_lengths_and_too_few_tell_nothing() {
        let records = [record(5, Some(3), 10.0), record(15, None, 20.0), record(30, Some(5), 30.0)];
        assert_eq!(point_of(&point(&json!({ "concurrency": 2 })), &records, None), None);
        assert_eq!(point_of(&point(&json!({ "concurrency": 2 })), &records[..1], None), None);
    }

    #[test]
    fn builds_of_llama_cpp_are_all_one_version() {
        assert_eq!(engine_version(Some(EngineKind::LlamaCpp), Some("2026.10.1")), None);
        let found = engine_version(Some(EngineKind::Vllm), Some("0.12.1"));
        assert_eq!(found, Some(EngineVersion { major: 0, minor: 12 }));
    }
}
