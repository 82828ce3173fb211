//! "Calibrate this node": one measured run whose loads tell the simulator most about a node.

use serde_json::{Value, json};
use uuid::Uuid;

use super::workflows::apply_step;
use crate::domain::engine::EngineKind;
use crate::domain::inventory::{ClusterKind, DeviceType, Model, Node};
use crate::domain::problem::Problem;
use crate::domain::run::Run;
use crate::domain::user::Actor;
use crate::domain::workflow::steps::default_engine;
use crate::state::AppState;

/// What is to be calibrated.
#[derive(Debug, Clone, serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// The model to measure with: factors hold for its precision, and for dense models or mixtures of experts.
    pub model_id: Uuid,
    /// The node of the cluster.
    pub hostname: String,
    /// Seconds for which each of the four loads is measured; 30 unless given.
    #[serde(default)]
    pub duration_s: Option<f64>,
}

/// Loads of a calibration. One user alone tells what a step and its weights cost, a few what the KV cache costs, many what the
/// scheduler and arithmetic do. Input lengths are spread, so that prompts are short and long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Loads {
    concurrency: [u32; 4],
    input_tokens: u32,
    output_tokens: u32,
}

const ACCELERATOR: Loads = Loads { concurrency: [1, 8, 32, 128], input_tokens: 1024, output_tokens: 128 };
/// A processor takes seconds for what an accelerator does at once.
const PROCESSOR: Loads = Loads { concurrency: [1, 2, 4, 8], input_tokens: 256, output_tokens: 32 };
/// Seconds for which each load is measured, unless asked otherwise.
const SECONDS: f64 = 30.0;
/// Names of benchmarks are no longer.
const LONGEST_NAME: usize = 50;

/// Makes the benchmark and starts its run, through the same steps as anybody's.
///
/// # Errors
/// What stands in the way, in words.
pub async fn calibrate(app: &AppState, actor: &Actor, cluster: Uuid, wanted: &Calibration) -> Result<Run, Problem> {
    let found = super::clusters::get(app, actor, cluster).await?;
    if found.kind() == ClusterKind::Catalogue {
        return Err(Problem::conflict("The catalogue's nodes do not exist: nothing can be measured on them."));
    }
    let model = super::models::get(app, actor, wanted.model_id).await?;
    let engine = engine_of(&model)?;
    let nodes = super::clusters::node_metrics(app, actor, cluster).await?.nodes;
    let node = nodes.iter().find(|node| node.hostname == wanted.hostname);
    let node = node.ok_or_else(|| Problem::field("hostname", "The cluster has no node of this name."))?;
    let mut workflow: Option<Uuid> = None;
    for mut body in steps(cluster, node, &model, engine, wanted.duration_s.unwrap_or(SECONDS)) {
        if let Some(id) = workflow {
            body["workflow_id"] = json!(id);
        }
        match apply_step(app, actor, None, body).await {
            Ok(answer) => {
                if let Some(run) = answer.run {
                    return Ok(run);
                }
                workflow = Some(answer.workflow_id);
            }
            Err(problem) => {
                // What was refused is no draft that somebody began.
                if let Some(id) = workflow {
                    super::workflows::delete(app, actor, id).await?;
                }
                return Err(problem);
            }
        }
    }
    Err(Problem::conflict("The calibration's run did not start. Its draft is kept."))
}

fn engine_of(model: &Model) -> Result<EngineKind, Problem> {
    if model.is_cloud() {
        return Err(Problem::field("model_id", "A cloud model is served elsewhere: it tells nothing of this node."));
    }
    default_engine(model).ok_or_else(|| Problem::field("model_id", "No engine is known for this model's format."))
}

/// The node's loads, within the model's context.
fn loads(node: &Node, model: &Model) -> Loads {
    let has_accelerator = node.devices.iter().any(|device| device.kind != DeviceType::Cpu);
    let loads = if has_accelerator { ACCELERATOR } else { PROCESSOR };
    let context = model.facts.as_ref().and_then(|facts| facts.context_length).unwrap_or(u32::MAX);
    let input_tokens = loads.input_tokens.min(context.saturating_sub(loads.output_tokens) / 2).max(1);
    Loads { input_tokens, ..loads }
}

fn steps(cluster: Uuid, node: &Node, model: &Model, engine: EngineKind, duration_s: f64) -> [Value; 7] {
    let Loads { concurrency, input_tokens, output_tokens } = loads(node, model);
    let name: String = format!("Calibrate {}", node.hostname).chars().take(LONGEST_NAME).collect();
    let points: Vec<Value> = concurrency.iter().map(|users| json!({ "concurrency": users })).collect();
    let description = format!("Four short loads that tell the simulator how efficient {} is.", node.hostname);
    [
        json!({
            "step_number": 1, "workflow_total_steps": 9, "name": name, "tags": ["calibration"], "description": description,
            "concurrent_requests": concurrency[3], "eval_with": "configuration",
        }),
        json!({
            "step_number": 2, "max_input_tokens": input_tokens, "max_output_tokens": output_tokens, "load_points": points,
            "duration_s": duration_s,
            "input_lengths": { "kind": "uniform", "min": (input_tokens / 8).max(1) },
        }),
        json!({ "step_number": 3, "cluster_id": cluster }),
        json!({ "step_number": 4, "nodes": [{ "hostname": node.hostname }] }),
        json!({ "step_number": 5, "model_id": model.id, "engine": engine.into_str() }),
        json!({ "step_number": 7, "user_confirmation": true }),
        json!({ "step_number": 8, "run_as_simulation": false, "trigger_workflow": true }),
    ]
}
