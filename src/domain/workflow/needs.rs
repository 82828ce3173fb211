//! What has to be looked up before a body can be judged.

use uuid::Uuid;

use super::body::{Body, StepPatch};
use super::reader::Patch;
use super::state::Draft;

/// What has to be looked up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    pub cluster: Option<Uuid>,
    pub model: Option<Uuid>,
    pub datasets: Vec<Uuid>,
    pub credential: Option<Uuid>,
    /// Which engines the cluster has.
    pub engines: bool,
}

/// What has to be looked up for a body.
pub fn needs(draft: Option<&Draft>, body: &Body) -> Needs {
    let Some(draft) = draft else { return Needs::default() };
    if draft.run_id.is_some() {
        return Needs::default();
    }
    let steps = &draft.steps;
    match &body.step_patch {
        StepPatch::Load(load) => Needs {
            // A trace among them has a say in the other fields.
            datasets: load.dataset_ids.set().unwrap_or(&steps.load.dataset_ids).clone(),
            // Lengths are checked against the model's context once the model is known.
            model: steps.model_id,
            ..Needs::default()
        },
        StepPatch::Cluster(cluster) => Needs { cluster: chosen(cluster, steps.cluster_id), ..Needs::default() },
        StepPatch::Nodes(_) => Needs { cluster: steps.cluster_id, ..Needs::default() },
        StepPatch::Model(model) => Needs {
            model: chosen(&model.model_id, steps.model_id),
            // What is not there is warned of.
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

/// What has to be looked up before a draft can be frozen: everything, since it may have changed since it was chosen.
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
