//! Step 3.

use uuid::Uuid;

use crate::domain::problem::FieldError;
use crate::domain::workflow::facts::{ClusterFacts, Facts};
use crate::domain::workflow::reader::Patch;
use crate::domain::workflow::state::Draft;

const STEP: u8 = 3;

fn error(message: impl Into<String>) -> FieldError {
    FieldError::at(STEP, "cluster_id", message)
}

/// The cluster that was looked up, if it exists and answers.
pub fn reachable(facts: &Facts) -> Result<&ClusterFacts, FieldError> {
    let Some(found) = &facts.cluster else { return Err(error("There is no such cluster.")) };
    match &found.nodes {
        Ok(_) => Ok(found),
        Err(problem) => Err(error(format!("Cluster {} can't be used. {problem}", found.cluster.name))),
    }
}

/// Another cluster drops the nodes.
pub fn apply(draft: &mut Draft, patch: &Patch<Uuid>, facts: &Facts, errors: &mut Vec<FieldError>) {
    let chosen = match patch {
        Patch::Set(id) => Some(*id),
        Patch::Keep => draft.steps.cluster_id,
        Patch::Clear => None,
    };
    let Some(chosen) = chosen else {
        errors.push(error("Choose a cluster."));
        return;
    };
    match reachable(facts) {
        Err(problem) => errors.push(problem),
        Ok(found) => {
            if draft.steps.cluster_id != Some(chosen) {
                draft.steps.nodes.clear();
                draft.steps.load_node = None;
            }
            draft.steps.cluster_id = Some(chosen);
            draft.cluster_kind = Some(found.cluster.kind());
        }
    }
}
