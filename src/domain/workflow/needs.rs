//! Determines which facts a body's rules need.

use uuid::Uuid;

use super::body::{Body, StepPatch};
use super::reader::Patch;
use super::state::Draft;

/// The facts to be looked up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    pub cluster: Option<Uuid>,
    pub model: Option<Uuid>,
    pub datasets: Vec<Uuid>,
    pub credential: Option<Uuid>,
    /// Whether the engines' availability is needed.
    pub engines: bool,
}

/// The facts that a body needs.
pub fn needs(draft: Option<&Draft>, body: &Body) -> Needs {
    let Some(draft) = draft else { return Needs::default() };
    if draft.run_id.is_some() {
        return Needs::default();
    }
    let steps = &draft.steps;
    match &body.step_patch {
        StepPatch::Load(load) => Needs {
            // a trace among the datasets restricts other fields
            datasets: load.dataset_ids.set().unwrap_or(&steps.load.dataset_ids).clone(),
            // Lengths are checked against the model's context once the model is known.
            model: steps.model_id,
            ..Needs::default()
        },
        StepPatch::Cluster(cluster) => Needs { cluster: chosen(cluster, steps.cluster_id), ..Needs::default() },
        StepPatch::Nodes(_) => Needs { cluster: steps.cluster_id, ..Needs::default() },
        StepPatch::Model(model) => Needs {
            model: chosen(&model.model_id, steps.model_id),
            // needed for warnings about missing engines
            cluster: steps.cluster_id,
            engines: true,
            ..Needs::default()
        },
        StepPatch::Credential(credential) => {
            Needs { model: steps.model_id, credential: chosen(credential, steps.credential_id), ..Needs::default() }
        }
        StepPatch::Execution(choice) if body.trigger => {
            let simulated = choice.set().copied().or(steps.run_as_simulation) == Some(true);
            Needs { engines: !simulated && !draft.is_cloud(), ..needs_to_run(draft) }
        }
        StepPatch::Details | StepPatch::Confirmation(_) | StepPatch::Execution(_) => Needs::default(),
    }
}

/// The facts needed to freeze a draft: all, since they may have changed since they were chosen.
pub fn needs_to_run(draft: &Draft) -> Needs {
    let steps = &draft.steps;
    Needs {
        cluster: steps.cluster_id,
        model: steps.model_id,
        datasets: steps.load.dataset_ids.clone(),
        credential: steps.credential_id,
        engines: !draft.is_cloud() && steps.run_as_simulation != Some(true),
    }
}

fn chosen(patch: &Patch<Uuid>, stored: Option<Uuid>) -> Option<Uuid> {
    match patch {
        Patch::Set(id) => Some(*id),
        Patch::Keep => stored,
        Patch::Clear => None,
    }
}
