//! What produced a run's figures, written down before anything is started, completed at the end: without it two runs
//! can't be compared.

use std::io;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::keeper::journal::{Entry, News};
use super::keeper::spec::EngineSpec;
use crate::domain::benchmark::BenchmarkSpec;
use crate::domain::inventory::{ModelFacts, Node};
use dyno_measure::plan::Plan;

/// The file in the run's folder.
const FILE: &str = "provenance.json";

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

/// Writes it down.
pub(super) fn write(folder: &Path, known: &Map<String, Value>) -> io::Result<()> {
    std::fs::write(folder.join(FILE), serde_json::to_vec_pretty(known)?)
}

/// Reads it back and adds what the start and the load brought.
pub(super) fn complete(folder: &Path, journal: &[Entry], plan: &Plan, tokenizer: Option<String>) -> Map<String, Value> {
    let begun = std::fs::read(folder.join(FILE)).ok().and_then(|text| serde_json::from_slice(&text).ok());
    let mut known: Map<String, Value> = begun.unwrap_or_default();
    let engines: Vec<Value> = journal
        .iter()
        .filter_map(|entry| match &entry.news {
            News::Engine(facts) => Some(json!(facts)),
            _ => None,
        })
        .collect();
    if !engines.is_empty() {
        known.insert("engines".to_owned(), json!(engines));
    }
    known.insert("seed".to_owned(), json!(plan.seed));
    known.insert("plan".to_owned(), json!(plan));
    if let Some(tokenizer) = tokenizer {
        known.insert("tokenizer".to_owned(), json!(tokenizer));
    }
    known
}
