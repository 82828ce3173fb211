//! The request's fields: the step of each, and its label.

use dyno_measure::load::{OPTIONS, option};
use dyno_measure::words;

/// Fields of step 1; every later call may carry them, too.
pub const DETAILS: [&str; 5] = ["name", "tags", "description", "concurrent_requests", "eval_with"];

/// Fields of the call itself.
pub const CALL: [&str; 5] = ["workflow_id", "workflow_total_steps", "step_number", "if_revision", "trigger_workflow"];

/// Other spellings of `dataset_ids`, in step 2 beside the options of a load.
pub const DATASET_ALIASES: [&str; 2] = ["datset_ids", "datasets"];

/// Fields of step 5.
const MODEL: [&str; 8] = [
    "model_id",
    "engine",
    "tensor_parallel",
    "pipeline_parallel",
    "replicas",
    "engine_args",
    "engine_image",
    "engine_memory_limit_mib",
];

/// The fields of each step from 3 on.
const STEPS: [(u8, &[&str]); 6] = [
    (3, &["cluster_id"]),
    (4, &["nodes", "load_node", "load_pods", "load_cpu_millicores"]),
    (5, &MODEL),
    (6, &["credential_id"]),
    (7, &["user_confirmation"]),
    (8, &["run_as_simulation"]),
];

/// The fields of steps 2 to 8, aliases among them.
pub fn of_steps() -> impl Iterator<Item = &'static str> {
    let load = OPTIONS.iter().map(|option| option.name).chain(DATASET_ALIASES);
    load.chain(STEPS.iter().flat_map(|(_, fields)| fields.iter().copied()))
}

/// The step of a field; `None` for unknown names and fields of the call itself.
pub fn step_of(field: &str) -> Option<u8> {
    if DETAILS.contains(&field) {
        return Some(1);
    }
    if option(field).is_some() || DATASET_ALIASES.contains(&field) {
        return Some(2);
    }
    STEPS.iter().find(|(_, fields)| fields.contains(&field)).map(|(step, _)| *step)
}

/// The label of a field, in lower case, for sentences: "the cluster cleared nodes and confirmation".
pub fn label(field: &str) -> &str {
    if let Some(option) = option(field) {
        return option.words;
    }
    match field {
        "concurrent_requests" => "concurrent requests",
        "eval_with" => "evaluation method",
        "datset_ids" => "datasets",
        "cluster_id" => "cluster",
        "load_node" => "load node",
        "load_pods" => "load processes",
        "load_cpu_millicores" => "CPU of each load pod",
        "model_id" => "model",
        "tensor_parallel" => "tensor parallel",
        "pipeline_parallel" => "pipeline parallel",
        "engine_args" => "engine arguments",
        "engine_image" => "engine image",
        "engine_memory_limit_mib" => "engine memory limit",
        "credential_id" => "credential",
        "user_confirmation" => "confirmation",
        "run_as_simulation" => "execution option",
        "if_revision" => "revision",
        "step_number" => "step number",
        "workflow_id" => "workflow",
        "workflow_total_steps" => "total steps",
        "trigger_workflow" => "trigger",
        other => other,
    }
}

/// The label at the beginning of a sentence.
pub fn title(field: &str) -> String {
    words::capital(label(field))
}

/// The labels of fields, joined.
pub fn labels<F: AsRef<str>>(fields: &[F]) -> String {
    let labels: Vec<&str> = fields.iter().map(|field| label(field.as_ref())).collect();
    words::join(&labels)
}
