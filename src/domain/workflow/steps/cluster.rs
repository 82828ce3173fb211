//! Step 3 of a draft: the cluster.

use uuid::Uuid;

use crate::domain::problem::FieldError;
use crate::domain::workflow::facts::{ClusterFacts, Facts};
use crate::domain::workflow::reader::Patch;
use crate::domain::workflow::state::Draft;

const STEP: u8 = 3;

fn error(message: impl Into<String>) -> FieldError {
    FieldError::at(STEP, "cluster_id", message)
}

/// The cluster that was looked up, if it exists.
pub fn existing(facts: &Facts) -> Result<&ClusterFacts, FieldError> {
    facts.cluster.as_ref().ok_or_else(|| error("There is no such cluster."))
}

/// The reason for which nothing can be measured on a cluster now; it does not prevent a simulation.
pub fn obstacle(found: &ClusterFacts) -> Option<FieldError> {
    if !found.cluster.kind().can_measure() {
        return Some(error(format!(
            "Cluster {} is for simulation only. Choose Simulate, or another cluster.",
            found.cluster.name
        )));
    }
    let problem = found.nodes.as_ref().err()?;
    Some(error(format!("Cluster {} can't be used. {problem}", found.cluster.name)))
}

/// Sets the cluster. Another cluster drops step 4; an unreachable one is accepted with a warning.
pub fn apply(
    draft: &mut Draft,
    patch: &Patch<Uuid>,
    facts: &Facts,
    errors: &mut Vec<FieldError>,
    warnings: &mut Vec<FieldError>,
) {
    let chosen = match patch {
        Patch::Set(id) => Some(*id),
        Patch::Keep => draft.steps.cluster_id,
        Patch::Clear => None,
    };
    let Some(chosen) = chosen else {
        errors.push(error("Choose a cluster."));
        return;
    };
    match existing(facts) {
        Err(problem) => errors.push(problem),
        Ok(found) => {
            warnings.extend(obstacle(found));
            if draft.steps.cluster_id != Some(chosen) {
                draft.steps.restart_nodes();
            }
            draft.steps.cluster_id = Some(chosen);
            draft.cluster_kind = Some(found.cluster.kind());
        }
    }
}
