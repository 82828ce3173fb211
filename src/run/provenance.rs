//! What produced a run's figures, written down before anything is started, completed at the end: without it two runs
//! can't be compared.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::execution::EngineSpec;
use super::executor::Collected;
use crate::domain::benchmark::BenchmarkSpec;
use crate::domain::dataset::Dataset;
use crate::domain::inventory::{Model, ModelFacts, Node};
use dyno_measure::report::provenance::{ClusterName, DatasetFacts, Provenance, ServedModelFacts, ServingDevices};

/// What is known before the start.
pub(super) fn begin(
    spec: &BenchmarkSpec,
    nodes: &[Node],
    facts: Option<&ModelFacts>,
    notes: &[String],
    engines: &[EngineSpec],
) -> Provenance {
    let model = Model { facts: facts.or(spec.model.facts.as_ref()).cloned(), ..spec.model.clone() };
    let dataset = |set: &Dataset| DatasetFacts {
        id: set.id.to_string(),
        name: set.name.clone(),
        sha256: Some(set.sha256.clone()),
        samples: Some(set.samples),
    };
    Provenance {
        dyno_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        cluster: Some(ClusterName { id: spec.cluster_id.to_string(), name: spec.cluster_name.clone() }),
        nodes: nodes.iter().filter_map(as_told).collect(),
        model: as_told(&model).map(|described| ServedModelFacts::Described(Box::new(described))),
        serving: Some(json!(spec.serving)),
        notes: notes.to_vec(),
        serving_devices: (!engines.is_empty()).then(|| serving_devices(engines)),
        datasets: spec.datasets.iter().map(dataset).collect(),
        ..Provenance::default()
    }
}

/// The inventory's own form is the one that reports have: what they name, and all the rest beside it.
fn as_told<T: DeserializeOwned>(known: &impl Serialize) -> Option<T> {
    serde_json::from_value(json!(known)).ok()
}

/// What serves: throughput is divided by it.
fn serving_devices(engines: &[EngineSpec]) -> Vec<ServingDevices> {
    let of = |engine: &EngineSpec| {
        let device_type = Some(engine.device_type?.into_str().to_owned());
        Some(ServingDevices { node: engine.node.clone(), device_type, count: engine.devices })
    };
    engines.iter().filter_map(of).collect()
}

/// Adds what the start and the load brought.
pub(super) fn complete(collected: &Collected) -> Provenance {
    let load = collected.plan.as_ref().map(|plan| Provenance::of_load(plan, collected.tokenizer.as_deref()));
    let started = Provenance { engines: collected.engines.clone(), ..load.unwrap_or_default() };
    collected.provenance.clone().completed_by(started)
}

#[cfg(test)]
mod tests {
    use dyno_measure::address_policy::AddressPolicy;
    use dyno_measure::plan::Plan;

    use super::*;

    #[test]
    fn a_report_does_not_say_which_addresses_are_the_portals_own() {
        let plan: Plan = serde_json::from_value(json!({
            "endpoints": [{ "node": "n", "base_url": "https://models.example/v1" }], "model": "m", "seed": 7,
            "workload": { "kind": "synthetic", "input_tokens": 8, "output_tokens": 4 },
            "load_points": [{ "load": { "kind": "closed", "concurrency": 3 } }],
        }))
        .unwrap();
        let plan = Plan { address_policy: Some(AddressPolicy::default()), ..plan };
        let known = complete(&Collected { plan: Some(plan), ..Collected::default() });
        assert_eq!((known.seed, known.plan.unwrap().get("address_policy")), (Some(7), None));
    }
}
