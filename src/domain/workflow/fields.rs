//! The request's fields: to which step each belongs, and what people call it.

/// Fields of step 1; every later call may carry them, too.
pub const DETAILS: [&str; 5] = ["name", "tags", "description", "concurrent_requests", "eval_with"];

/// Fields that say which call this is.
pub const CALL: [&str; 5] = ["workflow_id", "workflow_total_steps", "step_number", "if_revision", "trigger_workflow"];

/// The fields of each step from 2 on, aliases among them.
const STEPS: [(u8, &[&str]); 7] = [
    (
        2,
        &[
            "max_input_tokens",
            "max_output_tokens",
            "dataset_ids",
            "datset_ids",
            "datasets",
            "warmup_requests",
            "num_requests",
            "duration_s",
            "endpoint",
            "arrival",
            "load_points",
            "slo",
            "seed",
            "prefix",
            "input_lengths",
            "output_lengths",
            "ramp_s",
            "multi_turn",
            "ignore_eos",
            "time_scale",
        ],
    ),
    (3, &["cluster_id"]),
    (4, &["nodes", "load_node"]),
    (5, &["model_id", "engine", "tensor_parallel", "pipeline_parallel", "replicas", "engine_args", "engine_image"]),
    (6, &["credential_id"]),
    (7, &["user_confirmation"]),
    (8, &["run_as_simulation"]),
];

/// The fields of steps 2 to 8, aliases among them.
pub fn of_steps() -> impl Iterator<Item = &'static str> {
    STEPS.iter().flat_map(|(_, fields)| fields.iter().copied())
}

/// The step that a field belongs to; absent for a name that no step has, and for the fields of the call itself.
pub fn step_of(field: &str) -> Option<u8> {
    if DETAILS.contains(&field) {
        return Some(1);
    }
    STEPS.iter().find(|(_, fields)| fields.contains(&field)).map(|(step, _)| *step)
}

/// What people call a field, in lower case, for sentences: "the cluster cleared nodes and confirmation".
pub fn label(field: &str) -> &str {
    match field {
        "concurrent_requests" => "concurrent requests",
        "eval_with" => "evaluation method",
        "max_input_tokens" => "input tokens",
        "max_output_tokens" => "output tokens",
        "dataset_ids" | "datset_ids" => "datasets",
        "warmup_requests" => "warm-up requests",
        "num_requests" => "number of requests",
        "duration_s" => "duration",
        "load_points" => "load points",
        "slo" => "latency limits",
        "input_lengths" => "input lengths",
        "output_lengths" => "output lengths",
        "ramp_s" => "ramp",
        "multi_turn" => "turn by turn",
        "ignore_eos" => "ignoring the end of an answer",
        "time_scale" => "time scale",
        "cluster_id" => "cluster",
        "load_node" => "load node",
        "model_id" => "model",
        "tensor_parallel" => "tensor parallel",
        "pipeline_parallel" => "pipeline parallel",
        "engine_args" => "engine arguments",
        "engine_image" => "engine image",
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
    let label = label(field);
    let mut letters = label.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// Words joined as people do: `nodes, credential and confirmation`.
pub fn join_words<W: AsRef<str>>(words: &[W]) -> String {
    match words {
        [] => String::new(),
        [only] => only.as_ref().to_owned(),
        [most @ .., last] => {
            let most: Vec<&str> = most.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", most.join(", "), last.as_ref())
        }
    }
}

/// The labels of fields, joined.
pub fn labels<F: AsRef<str>>(fields: &[F]) -> String {
    let labels: Vec<&str> = fields.iter().map(|field| label(field.as_ref())).collect();
    join_words(&labels)
}

/// A number with its thousands grouped: `9,216`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
