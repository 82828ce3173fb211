//! The provenance of a report's figures. It has three writers: this file for what the load itself contributes (in a run and on
//! the command line alike), the portal for what is known before the start, and the simulator for its assumptions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::cost::{PricedDevices, ServingCost};
use crate::clock_offset::ClockOffset;
use crate::plan::Plan;

/// What is known of what produced the figures; absent or empty is what is not known. Fields that this program does not know are
/// kept as they were read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Provenance {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dyno_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterName>,
    /// As they were before the start.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<NodeFacts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<ServedModelFacts>,
    /// Engine and layout as they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serving: Option<Value>,
    /// What was noticed before the start.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What throughput is divided by; absent for a provider's model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serving_devices: Option<Vec<ServingDevices>>,
    /// What they cost by the prices of when the run began; empty unless every one of them had a price.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prices: Vec<PricedDevices>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub datasets: Vec<DatasetFacts>,
    /// Each engine once it was ready.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub engines: Vec<EngineFacts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// How lengths were counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<String>,
    /// The pods that the load came from, on a cluster that has pods; the first leads the load.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub load_pods: Vec<LoadPodFacts>,
    /// The workers that put the load on, where there were several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub load_workers: Vec<LoadWorkerFacts>,
    /// The plan as it was carried out; [`Provenance::plan`] reads it. A plan of a later version stays what it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<Value>,
    /// Of a simulated run: what was assumed, and what became of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub simulation: Option<Value>,
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Which cluster it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterName {
    pub id: String,
    pub name: String,
}

/// The facts about a node that reports contain.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeFacts {
    pub hostname: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    pub devices: Vec<DeviceFacts>,
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Devices of one kind in a node.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeviceFacts {
    pub name: String,
    pub available_count: u32,
    /// Driver and more, as the node gave it.
    pub device_info: Map<String, Value>,
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// The model: its name alone for a load by hand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ServedModelFacts {
    Name(String),
    Described(Box<ModelDescription>),
}

/// The facts about a model of the inventory that reports contain.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ModelDescription {
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// A cloud model's own name at its provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub facts: Option<FileFacts>,
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// What a model's files say.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FileFacts {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Why the chat template could not be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chat_template_error: Option<String>,
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Devices that hold one copy of the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServingDevices {
    pub node: String,
    /// `cpu`, `cuda` …; absent where it was not written down.
    #[serde(rename = "type", default)]
    pub device_type: Option<String>,
    #[serde(default)]
    pub count: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetFacts {
    pub id: String,
    pub name: String,
    #[serde(default)]
    pub sha256: Option<String>,
    #[serde(default)]
    pub samples: Option<u64>,
}

/// What is known of an engine once it is ready.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct EngineFacts {
    pub node: String,
    /// Name and version for people.
    pub title: String,
    /// The version that the running engine gave.
    pub version: Option<String>,
    /// Program and arguments, as started.
    pub argv: Vec<String>,
    /// Variables that were set for it.
    pub env: BTreeMap<String, String>,
    pub base_url: String,
    /// The model id that it listed.
    pub model: String,
    /// From start to ready, ms.
    pub startup_ms: u64,
}

/// A pod that put the load on, or a part of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LoadPodFacts {
    pub node: String,
    /// Thousandths of a core that it had.
    pub cpu_millicores: u32,
}

/// One of several workers that put the load on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LoadWorkerFacts {
    pub name: String,
    /// Requests that it sent or dropped, warm-up included.
    pub requests: u64,
    /// How far its clock was ahead of that of the first process, which the records' times are on; as it was last measured.
    #[serde(flatten)]
    pub clock: ClockOffset,
    /// How far that moved between the first and the last measurement, ns.
    pub clock_drift_ns: i64,
    /// How late it began a load point or warm-up at most, ns.
    pub late_ns: i64,
    /// Share of a core that it used in its busiest phase.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_share: Option<f64>,
}

impl Provenance {
    /// The part that the load contributes: the executed plan, its seed, and how lengths were counted. The portal's address
    /// policy is left out: it is of no use for repeating the load.
    pub fn of_load(plan: &Plan, tokenizer: Option<&str>) -> Self {
        let plan = Plan { address_policy: None, ..plan.clone() };
        Self { seed: Some(plan.seed), tokenizer: tokenizer.map(str::to_owned), plan: Some(json!(plan)), ..Self::default() }
    }

    /// The plan, if this version can parse it.
    pub fn plan(&self) -> Option<Plan> {
        serde_json::from_value(self.plan.clone()?).ok()
    }

    /// What the devices that served cost.
    pub fn serving_cost(&self) -> Option<ServingCost<'_>> {
        ServingCost::of(&self.prices)
    }

    /// Merges in what became known later, which replaces earlier values.
    #[must_use]
    pub fn completed_by(self, later: Self) -> Self {
        let mut other = self.other;
        other.extend(later.other);
        Self {
            dyno_version: later.dyno_version.or(self.dyno_version),
            cluster: later.cluster.or(self.cluster),
            nodes: newer(later.nodes, self.nodes),
            model: later.model.or(self.model),
            serving: later.serving.or(self.serving),
            notes: newer(later.notes, self.notes),
            serving_devices: later.serving_devices.or(self.serving_devices),
            prices: newer(later.prices, self.prices),
            datasets: newer(later.datasets, self.datasets),
            engines: newer(later.engines, self.engines),
            seed: later.seed.or(self.seed),
            tokenizer: later.tokenizer.or(self.tokenizer),
            load_pods: newer(later.load_pods, self.load_pods),
            load_workers: newer(later.load_workers, self.load_workers),
            plan: later.plan.or(self.plan),
            simulation: later.simulation.or(self.simulation),
            other,
        }
    }

    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn newer<T>(later: Vec<T>, earlier: Vec<T>) -> Vec<T> {
    if later.is_empty() { earlier } else { later }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address_policy::AddressPolicy;

    fn plan() -> Plan {
        serde_json::from_value(json!({
            "endpoints": [{ "node": "n", "base_url": "http://127.0.0.1:9" }], "model": "m", "seed": 7,
            "workload": { "kind": "synthetic", "input_tokens": 8, "output_tokens": 4 },
            "load_points": [{ "load": { "kind": "closed", "concurrency": 3 } }],
        }))
        .unwrap()
    }

    #[test]
    fn the_portals_own_addresses_are_left_out() {
        let plan = plan();
        let known =
            Provenance::of_load(&Plan { address_policy: Some(AddressPolicy::default()), ..plan.clone() }, Some("llama.cpp"));
        assert_eq!(known.plan(), Some(plan.clone()));
        assert_eq!((known.seed, known.tokenizer.as_deref()), (Some(7), Some("llama.cpp")));
        assert_eq!(Provenance::of_load(&plan, None).tokenizer, None);
    }

    #[test]
    fn later_provenance_replaces_earlier() {
        let before = Provenance { dyno_version: Some("1".to_owned()), seed: Some(1), ..Provenance::default() };
        let known = before.completed_by(Provenance::of_load(&plan(), None));
        assert_eq!((known.dyno_version.as_deref(), known.seed), (Some("1"), Some(7)));
        assert!(Provenance::default().is_empty() && !known.is_empty());
    }

    #[test]
    fn fields_of_other_versions_are_kept() {
        let kept = json!({
            "model": "m", "power_cap_w": 300,
            "nodes": [{ "hostname": "a", "devices": [{ "name": "d", "available_count": 1, "device_info": {}, "x": 1 }], "y": [2] }],
            "plan": { "of": "a later version" },
        });
        let read: Provenance = serde_json::from_value(kept.clone()).unwrap();
        assert_eq!(read.plan(), None);
        assert_eq!(json!(read), kept);
    }
}
