//! Converts a finished draft to a benchmark, and a benchmark to a new draft.

use jiff::Timestamp;
use uuid::Uuid;

use super::facts::Facts;
use super::state::{Draft, SCHEMA_VERSION, WorkflowSteps};
use super::steps::{cluster, credential, execution, load, load_pods, model, nodes};
use crate::domain::benchmark::{BenchmarkSpec, Serving};
use crate::domain::inventory::ModelSource;
use crate::domain::problem::FieldError;

/// Freezes a finished draft. Everything is checked again, since objects chosen earlier may be gone. Obstacles to measurement do
/// not prevent a simulation.
pub fn freeze(draft: &Draft, facts: &Facts) -> Result<BenchmarkSpec, Vec<FieldError>> {
    let mut errors = Vec::new();
    let steps = &draft.steps;
    if let Some(missing) = draft.missing_before(8) {
        errors.push(FieldError::at(missing, "step_number", format!("Step {missing} is not complete.")));
    }
    let simulated = steps.run_as_simulation == Some(true);
    let found_cluster = cluster::existing(facts).map_err(|error| errors.push(error)).ok();
    let obstacle = found_cluster.filter(|_| !simulated).and_then(cluster::obstacle);
    let is_readable = obstacle.is_none();
    errors.extend(obstacle);
    let found_model = model::usable(facts).map_err(|error| errors.push(error)).ok();
    // an unreachable cluster has been reported already
    if is_readable {
        nodes::check(steps, facts, &mut errors);
    }
    if !simulated {
        errors.extend(nodes::obstacles(steps, facts));
    }
    load::check(steps, facts, &mut errors);
    load_pods::check_split(steps, &mut errors);
    if let Some(found) = found_cluster {
        load_pods::check_cpu(steps, found.cluster.kind(), &mut errors);
    }
    let mut serving = steps.serving.clone();
    if let Some(found) = found_model {
        model::check_serving(&serving, found, found_cluster.map(|found| found.cluster.kind()), facts, &mut errors);
        if found.is_cloud() {
            if steps.credential_id.is_some()
                && let Err(error) = credential::usable(facts)
            {
                errors.push(error);
            }
        } else {
            serving.engine = serving.engine.or_else(|| model::default_engine(found));
            if let Some(engine) = serving.engine.filter(|_| !simulated && is_readable) {
                errors.extend(model::unavailable(engine, facts));
            }
        }
        if simulated && errors.is_empty() {
            execution::check_simulation(steps, found, facts, &mut errors);
        }
    }
    match (found_cluster, found_model) {
        (Some(found_cluster), Some(found_model)) if errors.is_empty() => Ok(BenchmarkSpec {
            name: steps.name.clone(),
            tags: steps.tags.clone(),
            description: steps.description.clone(),
            load: steps.load.clone(),
            cluster_id: found_cluster.cluster.id,
            cluster_name: found_cluster.cluster.name.clone(),
            nodes: steps.nodes.clone(),
            load_node: steps.load_node.clone(),
            load_pods: steps.load_pods,
            load_cpu_millicores: steps.load_cpu_millicores,
            model: found_model.clone(),
            serving,
            credential_id: steps.credential_id,
            // in the order of use
            datasets: steps
                .load
                .dataset_ids
                .iter()
                .filter_map(|id| facts.datasets.iter().find(|dataset| dataset.id == *id))
                .cloned()
                .collect(),
        }),
        _ => Err(errors),
    }
}

/// A new draft with everything of a benchmark, which only has to be confirmed. What no longer exists is refused at the trigger,
/// with the step that names it.
pub fn draft_from(spec: &BenchmarkSpec, id: Uuid, owner: Uuid, now: Timestamp) -> Draft {
    let serving = match &spec.model.source {
        ModelSource::Cloud { .. } => Serving::default(),
        _ => spec.serving.clone(),
    };
    let steps = WorkflowSteps {
        name: spec.name.clone(),
        tags: spec.tags.clone(),
        description: spec.description.clone(),
        load: spec.load.clone(),
        cluster_id: Some(spec.cluster_id),
        nodes: spec.nodes.clone(),
        load_node: spec.load_node.clone(),
        load_pods: spec.load_pods,
        load_cpu_millicores: spec.load_cpu_millicores,
        model_id: Some(spec.model.id),
        serving,
        credential_id: spec.credential_id,
        user_confirmation: false,
        run_as_simulation: None,
    };
    let provider = match &spec.model.source {
        ModelSource::Cloud { provider, .. } => Some(*provider),
        _ => None,
    };
    let mut draft = Draft {
        schema_version: SCHEMA_VERSION,
        id,
        owner,
        revision: 1,
        total_steps: 9,
        cluster_kind: None,
        provider,
        credential_skipped: provider.is_some() && spec.credential_id.is_none(),
        field_revisions: steps.fields().keys().map(|field| (field.clone(), 1)).collect(),
        steps,
        benchmark_id: None,
        run_id: None,
        created_at: now,
        updated_at: now,
    };
    draft.steps.user_confirmation = false;
    draft
}
