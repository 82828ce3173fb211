//! What produced a run's figures, written down before anything is started, completed at the end: without it two runs
//! can't be compared.

use serde_json::{Map, Value, json};

use super::execution::EngineSpec;
use super::executor::Collected;
use crate::domain::benchmark::BenchmarkSpec;
use crate::domain::inventory::{ModelFacts, Node};
use dyno_measure::report::provenance::of_load;

/// What is known before the start.
pub(super) fn begin(
    spec: &BenchmarkSpec,
    nodes: &[Node],
    facts: Option<&ModelFacts>,
    notes: &[String],
    engines: &[EngineSpec],
) -> Map<String, Value> {
    let mut model = json!(spec.model);
    if let (Some(facts), Some(object)) = (facts, model.as_object_mut()) {
        object.insert("facts".to_owned(), json!(facts));
    }
    let datasets: Vec<Value> = spec
        .datasets
        .iter()
        .map(|set| json!({ "id": set.id, "name": set.name, "sha256": set.sha256, "samples": set.samples }))
        .collect();
    let mut known = Map::new();
    known.insert("dyno_version".to_owned(), json!(env!("CARGO_PKG_VERSION")));
    known.insert("cluster".to_owned(), json!({ "id": spec.cluster_id, "name": spec.cluster_name }));
    known.insert("nodes".to_owned(), json!(nodes));
    known.insert("model".to_owned(), model);
    known.insert("serving".to_owned(), json!(spec.serving));
    known.insert("notes".to_owned(), json!(notes));
    if !engines.is_empty() {
        known.insert("serving_devices".to_owned(), serving_devices(engines));
    }
    if !datasets.is_empty() {
        known.insert("datasets".to_owned(), json!(datasets));
    }
    known
}

/// What serves: throughput is divided by it.
fn serving_devices(engines: &[EngineSpec]) -> Value {
    let of = |engine: &EngineSpec| json!({ "node": engine.node, "type": engine.device_type, "count": engine.devices });
    engines.iter().filter(|engine| engine.device_type.is_some()).map(of).collect()
}

/// Adds what the start and the load brought.
pub(super) fn complete(collected: &Collected) -> Map<String, Value> {
    let mut known = collected.provenance.clone();
    if !collected.engines.is_empty() {
        known.insert("engines".to_owned(), json!(collected.engines));
    }
    if let Some(plan) = &collected.plan {
        known.extend(of_load(plan, collected.tokenizer.as_deref()));
    }
    known
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
        assert_eq!((&known["seed"], known["plan"].get("address_policy")), (&json!(7), None));
    }
}
