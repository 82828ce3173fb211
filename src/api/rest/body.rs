//! The workflow's body as the OpenAPI document shows it. It is read by [`crate::domain::workflow::Body`], which tells
//! "left out" from `null` and collects all errors; a test holds the two together.

use serde::Serialize;
use uuid::Uuid;

use crate::domain::benchmark::{Arrival, Endpoint, EngineKind, EvalWith, LengthDistribution, OfferedLoad, Prefix, Slo, Tag};
use crate::domain::workflow::ChosenNode;

/// One step of the workflow. Fields of another step are refused.
#[derive(Debug, Default, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "name": "test-111", "tags": [], "description": "test-111", "concurrent_requests": 50, "eval_with": "configuration",
    "workflow_total_steps": 9, "step_number": 1, "trigger_workflow": false
}))]
pub struct WorkflowBody {
    /// With every call but the first.
    workflow_id: Option<Uuid>,
    /// With the first call only: 8 or 9, echoed.
    #[schema(minimum = 8, maximum = 9)]
    workflow_total_steps: Option<u8>,
    /// 1 details, 2 evaluation, 3 cluster, 4 nodes, 5 model, 6 credential, 7 confirmation, 8 execute.
    #[schema(minimum = 1, maximum = 8)]
    step_number: u8,
    /// The revision that the sender has seen; another one is a conflict, and nothing is saved.
    if_revision: Option<u64>,
    /// Step 8: start the run.
    trigger_workflow: Option<bool>,
    /// Step 1, and any later: 1 to 50 characters.
    #[schema(max_length = 50)]
    name: Option<String>,
    /// Step 1, and any later: at most 20, each a text or `{"name","color":"#RRGGBB"}`.
    tags: Option<Vec<TagBody>>,
    /// Step 1, and any later.
    #[schema(max_length = 2000)]
    description: Option<String>,
    /// Step 1, and any later: requests in flight, the run's total.
    #[schema(minimum = 1, maximum = 10000)]
    concurrent_requests: Option<u32>,
    /// Step 1 or 2; ignored in later ones.
    eval_with: Option<EvalWith>,
    /// Step 2, configuration.
    #[schema(minimum = 1, maximum = 1_000_000)]
    max_input_tokens: Option<u32>,
    /// Step 2.
    #[schema(minimum = 1, maximum = 1_000_000)]
    max_output_tokens: Option<u32>,
    /// Step 2, dataset. `datset_ids` and `datasets` mean the same.
    dataset_ids: Option<Vec<Uuid>>,
    /// Step 2: the same as `dataset_ids`.
    #[schema(deprecated)]
    datset_ids: Option<Vec<Uuid>>,
    /// Step 2: the same as `dataset_ids`.
    datasets: Option<Vec<Uuid>>,
    /// Step 2: requests before the measurement, excluded from it.
    warmup_requests: Option<u32>,
    /// Step 2: requests to measure.
    #[schema(minimum = 1)]
    num_requests: Option<u32>,
    /// Step 2: or how long to measure.
    duration_s: Option<f64>,
    /// Step 2: `chat` unless said otherwise.
    endpoint: Option<Endpoint>,
    /// Step 2: closed loop unless said otherwise.
    arrival: Option<Arrival>,
    /// Step 2: a sweep.
    load_points: Option<Vec<OfferedLoad>>,
    /// Step 2: latency limits.
    slo: Option<Slo>,
    /// Step 2: seed of everything that is drawn.
    seed: Option<u64>,
    /// Step 2: a prefix that prompts share.
    prefix: Option<Prefix>,
    /// Step 2, configuration: how input lengths are spread; `fixed` unless said otherwise.
    input_lengths: Option<LengthDistribution>,
    /// Step 2, configuration: how output limits are spread; `fixed` unless said otherwise.
    output_lengths: Option<LengthDistribution>,
    /// Step 2, closed loop: over how long the first requests are spread.
    #[schema(minimum = 0, maximum = 3600)]
    ramp_s: Option<f64>,
    /// Step 2, dataset: conversations turn by turn, with the model's own answers in between.
    multi_turn: Option<bool>,
    /// Step 2: whether the engine is told to go on to the output limit; unless said otherwise where Dyno starts it.
    ignore_eos: Option<bool>,
    /// Step 2, dataset: how many times as fast as recorded a trace is played.
    time_scale: Option<f64>,
    /// Step 3.
    cluster_id: Option<Uuid>,
    /// Step 4: as node-metrics answers them; only `hostname` and the types of `devices` are read.
    nodes: Option<Vec<ChosenNode>>,
    /// Step 4: where the load comes from.
    load_node: Option<String>,
    /// Step 5.
    model_id: Option<Uuid>,
    /// Step 5: llama.cpp for a GGUF file, vLLM for a Hugging Face model unless said otherwise.
    engine: Option<EngineKind>,
    /// Step 5: devices that hold one copy together.
    tensor_parallel: Option<u32>,
    /// Step 5: stages that a copy is cut into.
    pipeline_parallel: Option<u32>,
    /// Step 5: copies on each node.
    replicas: Option<u32>,
    /// Step 5: added to the recipe's own; for an own command the whole command.
    engine_args: Option<Vec<String>>,
    /// Step 5: container image.
    engine_image: Option<String>,
    /// Step 6: for a cloud model only.
    credential_id: Option<Uuid>,
    /// Step 7: must be true.
    user_confirmation: Option<bool>,
    /// Step 8.
    run_as_simulation: Option<bool>,
}

/// A tag, long or short.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "only its schema is used")]
enum TagBody {
    /// With a color.
    Full(Tag),
    /// The name alone.
    Name(String),
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::WorkflowBody;
    use crate::domain::workflow::fields::{CALL, DETAILS, of_steps};

    #[test]
    fn the_described_body_has_the_fields_that_are_read() {
        let serde_json::Value::Object(described) = serde_json::to_value(WorkflowBody::default()).unwrap() else {
            panic!("a body is an object");
        };
        let described: BTreeSet<&str> = described.keys().map(String::as_str).collect();
        let read: BTreeSet<&str> = CALL.into_iter().chain(DETAILS).chain(of_steps()).collect();
        assert_eq!(described, read);
    }
}
