//! The state of a draft.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::domain::benchmark::{NodeChoice, Serving, Tag};
use crate::domain::inventory::ClusterKind;
use crate::domain::provider::ProviderId;
use dyno_measure::load::{Endpoint, EvalWith, LoadSpec};

/// The first and the last step, as the API counts them.
pub const FIRST_STEP: u8 = 1;
pub const LAST_STEP: u8 = 8;

/// Version of [`Draft`] as it is written.
pub const SCHEMA_VERSION: u32 = 1;

/// Drafts of 0.1.0 name none.
fn first_version() -> u32 {
    1
}

/// The wizard's draft: the values of its steps, and what the server remembers beside them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Draft {
    /// Version of the draft's format. Unknown fields of a later version are ignored.
    #[serde(default = "first_version")]
    pub schema_version: u32,
    pub id: Uuid,
    pub owner: Uuid,
    /// Rises with each change, from 1.
    pub revision: u64,
    /// How many steps the client counts: 8 or 9, echoed.
    pub total_steps: u8,
    /// The values of the steps.
    pub steps: WorkflowSteps,
    /// The chosen cluster's kind, which never changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_kind: Option<ClusterKind>,
    /// The chosen model's provider; absent when it is deployed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<ProviderId>,
    /// Whether the credential was skipped, which only a provider that needs none permits.
    #[serde(default)]
    pub credential_skipped: bool,
    /// The revision in which each field last changed, for reporting conflicts.
    #[serde(default)]
    pub field_revisions: BTreeMap<String, u64>,
    /// What the last step froze; set once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub benchmark_id: Option<Uuid>,
    /// The run that the last step started; set once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<Uuid>,
    /// When step 1 was sent first.
    pub created_at: Timestamp,
    /// When anything changed last.
    pub updated_at: Timestamp,
}

/// What the steps hold, flat, with the request's field names. It can be sent back as it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct WorkflowSteps {
    /// Step 1: 1 to 50 characters.
    pub name: String,
    /// Step 1: labels, at most 20.
    #[serde(default)]
    pub tags: Vec<Tag>,
    /// Step 1: up to 2,000 characters.
    #[serde(default)]
    pub description: String,
    /// Steps 1 and 2: the load.
    #[serde(flatten)]
    pub load: LoadSpec,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_id: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "request_nodes")]
    #[cfg_attr(feature = "ssr", schema(value_type = Vec<request_nodes::RequestNode>))]
    pub nodes: Vec<NodeChoice>,
    /// Step 4: where the load comes from; absent: the node itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_node: Option<String>,
    /// Step 4: over how many processes the load is split, pods on Kubernetes; absent: one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_pods: Option<u32>,
    /// Step 4, on Kubernetes: CPU of each load pod, thousandths of a core; absent: 1,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_cpu_millicores: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_id: Option<Uuid>,
    /// Step 5: how the model is served.
    #[serde(flatten)]
    pub serving: Serving,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_id: Option<Uuid>,
    /// Step 7: absent until confirmed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub user_confirmation: bool,
    /// Step 8: the saved choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_as_simulation: Option<bool>,
}

/// Chosen nodes in the shape of step 4's body, so that a draft can be sent back as it is answered.
pub mod request_nodes {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::domain::benchmark::NodeChoice;
    use crate::domain::inventory::DeviceType;

    /// A node by its name.
    #[derive(Debug, Serialize, Deserialize)]
    #[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
    #[cfg_attr(feature = "ssr", schema(as = ChosenNode))]
    pub struct RequestNode {
        /// The node's name in the cluster.
        hostname: String,
        /// The device types that serve; empty means accelerators before CPU.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        devices: Vec<RequestDevice>,
    }

    /// A device type that was left in a node.
    #[derive(Debug, Serialize, Deserialize)]
    #[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
    #[cfg_attr(feature = "ssr", schema(as = ChosenDevice))]
    pub struct RequestDevice {
        #[serde(rename = "type")]
        kind: DeviceType,
    }

    pub fn serialize<S: Serializer>(nodes: &[NodeChoice], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(nodes.iter().map(|node| RequestNode {
            hostname: node.hostname.clone(),
            devices: node.device_types.iter().map(|&kind| RequestDevice { kind }).collect(),
        }))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<NodeChoice>, D::Error> {
        let choice = |node: RequestNode| NodeChoice {
            hostname: node.hostname,
            device_types: node.devices.into_iter().map(|device| device.kind).collect(),
        };
        Ok(Vec::<RequestNode>::deserialize(deserializer)?.into_iter().map(choice).collect())
    }
}

impl WorkflowSteps {
    /// Resets step 2 for a changed evaluation method.
    pub(super) fn restart_load(&mut self, eval_with: EvalWith) {
        self.load = LoadSpec::new(self.load.concurrent_requests, eval_with);
    }

    /// Resets step 4 for another cluster: all of its fields, each of which is about nodes of the one before.
    pub(super) fn restart_nodes(&mut self) {
        self.nodes.clear();
        self.load_node = None;
        self.load_pods = None;
        self.load_cpu_millicores = None;
    }

    /// The fields that are set, by their names in the request.
    pub fn fields(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(fields)) => fields,
            // unreachable: keys are strings and numbers finite
            _ => Map::new(),
        }
    }

    /// Whether step 2 is complete.
    fn has_load(&self) -> bool {
        let load = &self.load;
        match load.eval_with {
            EvalWith::Configuration => {
                let needs_output = load.endpoint() != Endpoint::Embeddings;
                load.max_input_tokens.is_some() && (load.max_output_tokens.is_some() || !needs_output)
            }
            EvalWith::Dataset => !load.dataset_ids.is_empty(),
        }
    }
}

impl Draft {
    /// Whether the model is reached with a credential rather than deployed.
    pub fn is_cloud(&self) -> bool {
        self.provider.is_some()
    }

    /// Whether a step is complete. The credential counts as complete where there is none to give.
    pub fn is_complete(&self, step: u8) -> bool {
        let steps = &self.steps;
        match step {
            1 => true,
            2 => steps.has_load(),
            3 => steps.cluster_id.is_some(),
            4 => !steps.nodes.is_empty(),
            5 => steps.model_id.is_some(),
            6 => {
                steps.model_id.is_some()
                    && (self.provider.is_none()
                        || steps.credential_id.is_some()
                        || (self.credential_skipped && self.may_skip_credential()))
            }
            7 => steps.user_confirmation,
            _ => self.run_id.is_some(),
        }
    }

    /// Whether the chosen model's provider works without a credential.
    pub fn may_skip_credential(&self) -> bool {
        self.provider.is_some_and(|provider| !provider.preset().needs_credential)
    }

    /// The next step to send: the first that is not complete. Once the run is started it stays at the last.
    pub fn current_step(&self) -> u8 {
        (FIRST_STEP..LAST_STEP).find(|&step| !self.is_complete(step)).unwrap_or(LAST_STEP)
    }

    /// The first incomplete step before `step`, not counting a credential that may be skipped.
    pub fn missing_before(&self, step: u8) -> Option<u8> {
        let may_miss = |step: u8| step == 6 && self.may_skip_credential();
        (FIRST_STEP..step).find(|&before| !self.is_complete(before) && !may_miss(before))
    }

    /// The names of fields that changed after a revision.
    pub fn changed_since(&self, revision: u64) -> Vec<String> {
        self.field_revisions.iter().filter(|(_, changed)| **changed > revision).map(|(field, _)| field.clone()).collect()
    }
}
