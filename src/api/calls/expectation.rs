//! What a simulation says of a draft before it is run: how long it takes, what fits, where a search would end.

use std::time::Duration;

use dyno_measure::load::{LoadVariable, MOST_RATE, SloSearch};
use dyno_measure::report::Report;
use dyno_measure::report::cost::{PricedDevices, ServingCost};
use dyno_measure::search::{SuggestedBounds, suggested_bounds};
use dyno_measure::validity::SearchOutcome;
use dyno_measure::words::{count, grouped};
use dyno_simulate::StopFlag;
use dyno_simulate::memory::MemoryFit;
use uuid::Uuid;

use crate::domain::benchmark::{BenchmarkSpec, Serving};
use crate::domain::dataset::Dataset;
use crate::domain::inventory::{Cluster, Model, Node};
use crate::domain::price::{amount_words, priced_words};
use crate::domain::problem::Problem;
use crate::domain::workflow::WorkflowSteps;
use crate::domain::workflow::steps::default_engine;
use crate::models::Roots;
use crate::run::cost::priced;
use crate::run::learning;
use crate::simulation::{SimulatedRun, SimulationFailure, simulate};
use crate::state::AppState;

/// A page waits no longer for it.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many times beyond the bounds of a search its answer is looked for.
const WIDER: f64 = 32.0;

/// What a simulation finds of a draft.
#[derive(Debug, Default)]
pub struct Expectation {
    /// Duration of all load points, warm-up not counted; absent where nothing was simulated.
    pub duration_s: Option<f64>,
    /// What else there is to say, for the confirmation.
    pub sentences: Vec<String>,
    /// Bounds that suit a search better than its own.
    pub search_bounds: Option<SuggestedBounds>,
}

/// What the confirmation says; nothing where the simulator does not know the model or the devices, or takes too long.
pub async fn of_draft(
    app: &AppState,
    steps: &WorkflowSteps,
    cluster: &Cluster,
    model: &Model,
    datasets: &[Dataset],
    nodes: Vec<Node>,
) -> Result<Expectation, Problem> {
    let engine = steps.serving.engine.or_else(|| default_engine(model));
    if model.is_cloud() || steps.load.is_multi_turn() || steps.serving.pipeline_parallel.is_some_and(|stages| stages > 1) {
        return Ok(Expectation::default());
    }
    let spec = BenchmarkSpec {
        name: steps.name.clone(),
        tags: Vec::new(),
        description: String::new(),
        load: steps.load.clone(),
        cluster_id: cluster.id,
        cluster_name: cluster.name.clone(),
        nodes: steps.nodes.clone(),
        load_node: None,
        load_pods: None,
        load_cpu_millicores: None,
        model: model.clone(),
        serving: Serving { engine, ..steps.serving.clone() },
        credential_id: None,
        datasets: datasets.to_vec(),
    };
    let asked = SimulatedRun {
        run_id: Uuid::nil(),
        spec,
        nodes: nodes.clone(),
        version: learning::version(app, cluster, engine).await,
        roots: Roots::new(&app.config.model_roots, &app.config.data_dir, app.store.has_single_user().await?),
        data_dir: app.config.data_dir.clone(),
        profiles: learning::profiles(app).await?,
    };
    let work = async {
        let simulation = app.simulation_slots.for_question().await.spawn(move |stop| {
            let simulated = simulate(&asked, stop)?;
            let bounds = simulated.report.search.as_ref().and_then(|found| better_bounds(asked, found, stop));
            Ok((simulated, bounds))
        });
        simulation.answer().await
    };
    let done = tokio::time::timeout(PATIENCE, work).await;
    Ok(match done {
        Ok(Ok(Ok((simulated, search_bounds)))) => {
            let mut expected = expectation(&simulated.report, simulated.provenance.simulation.as_ref());
            let serving = simulated.provenance.serving_devices.as_deref().unwrap_or_default();
            let devices = priced(serving, &nodes, &app.store.device_prices().await?);
            expected.sentences.extend(cost_sentence(&simulated.report, &devices));
            Expectation { search_bounds, ..expected }
        }
        Ok(Ok(Err(failure @ SimulationFailure::DoesNotFit(_)))) => {
            Expectation { sentences: vec![format!("By simulation: {failure}")], ..Expectation::default() }
        }
        _ => Expectation::default(),
    })
}

/// What the load itself will cost, where all devices that serve have a price.
fn cost_sentence(report: &Report, devices: &[PricedDevices]) -> Option<String> {
    let cost = ServingCost::of(devices)?;
    let seconds: f64 = report.load_points.iter().map(|point| point.summary.duration_s).sum();
    Some(format!(
        "That time costs about {}: {}; start and warm-up not counted.",
        amount_words(cost.of_time(seconds), cost.currency),
        priced_words(devices)
    ))
}

fn expectation(report: &Report, assumed: Option<&serde_json::Value>) -> Expectation {
    let duration_s = report.load_points.iter().map(|point| point.summary.duration_s).sum();
    let mut told: Vec<String> = report.search.iter().map(|search| search.sentence.clone()).collect();
    let memory = assumed.and_then(|assumed| serde_json::from_value::<MemoryFit>(assumed.get("memory")?.clone()).ok());
    told.extend(memory.map(|memory| {
        format!(
            "Each copy's KV cache would hold {} tokens: {} of the longest length at once.",
            grouped(memory.kv_tokens),
            count(memory.concurrent_requests, "request"),
        )
    }));
    if let Some(prediction) = &report.prediction {
        let error = prediction.error_words().map(|words| format!("; {words}")).unwrap_or_default();
        told.push(format!("Simulated. {}{error}.", prediction.standing_words()));
    }
    Expectation { duration_s: Some(duration_s), sentences: told, search_bounds: None }
}

/// Bounds that suit a search better than those it had when this was found. Where the answer lies outside, it is looked for there first.
fn better_bounds(mut asked: SimulatedRun, found: &SearchOutcome, stop: &StopFlag) -> Option<SuggestedBounds> {
    let bounds = (found.min, found.max);
    let edge = match (found.meets_at, found.fails_at) {
        (Some(edge), Some(_)) => edge,
        (meets_at, _) => {
            let slo = asked.spec.load.slo.as_mut()?;
            slo.search = Some(match meets_at {
                Some(_) => SloSearch { min: found.max, max: (found.max * WIDER).min(MOST_RATE) },
                None => SloSearch { min: least(found)?, max: found.min },
            });
            let wider = simulate(&asked, stop).ok()?.report.search?;
            wider.fails_at.and(wider.meets_at)?
        }
    };
    suggested_bounds(found.variable, bounds, edge)
}

/// The least load that is looked at below the bounds of a search; absent where its own are the least.
fn least(found: &SearchOutcome) -> Option<f64> {
    let least = match found.variable {
        LoadVariable::Concurrency => 1.0,
        LoadVariable::Rate => found.min / WIDER,
    };
    (least < found.min).then_some(least)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn cost_is_time_by_devices_by_price() {
        let report: Report = serde_json::from_value(json!({
            "run_id": Uuid::nil(), "kind": "simulated", "status": "succeeded", "valid": true, "invalid_reasons": [], "summary": {},
            "load_points": [{ "concurrency": 1, "duration_s": 600.0 }, { "concurrency": 2, "duration_s": 1200.0 }], "nodes": [],
            "provenance": {},
        }))
        .unwrap();
        let devices = [PricedDevices { device: "L4-24GB".to_owned(), count: 4, per_hour: 2.0, currency: "EUR".to_owned() }];
        assert_eq!(
            cost_sentence(&report, &devices).unwrap(),
            "That time costs about 4.00 EUR: 4 × L4-24GB at 2.00 EUR per hour each; start and warm-up not counted."
        );
        assert_eq!(cost_sentence(&report, &[]), None);
    }

    #[test]
    fn time_memory_and_what_they_rest_on_are_told() {
        let report: Report = serde_json::from_value(json!({
            "run_id": Uuid::nil(), "kind": "simulated", "status": "succeeded", "valid": true, "invalid_reasons": [],
            "summary": {}, "load_points": [{ "concurrency": 1, "duration_s": 100.0 }, { "concurrency": 2, "duration_s": 140.0 }],
            "nodes": [], "provenance": {},
            "prediction": { "standing": "calibrated", "runs": 3, "error_pct": { "tpot_ms": 9.0 } },
        }))
        .unwrap();
        let expected = expectation(&report, None);
        assert_eq!(expected.duration_s, Some(240.0));
        assert_eq!(expected.sentences, ["Simulated. Calibrated by 3 measured runs; expected error of means: TPOT ±9 %."]);
    }
}
