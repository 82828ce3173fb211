//! Step 8 of a draft: simulate or measure, and the start.

use super::model::default_engine;
use crate::domain::benchmark::Serving;
use crate::domain::engine::EngineKind;
use crate::domain::inventory::Model;
use crate::domain::problem::FieldError;
use crate::domain::workflow::facts::Facts;
use crate::domain::workflow::reader::Patch;
use crate::domain::workflow::state::{Draft, WorkflowSteps};
use dyno_measure::load::{Endpoint, LoadSpec};

const STEP: u8 = 8;

/// Why a benchmark can't be simulated on any nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum NotSimulated {
    #[error("A cloud model can't be simulated: what serves it is not known. Choose Run on cluster.")]
    Cloud,
    #[error("An own command can't be simulated: how it serves is not known. Choose another engine, or Run on cluster.")]
    OwnCommand,
    #[error("Pipeline parallelism can't be simulated yet. Leave it out, or choose Run on cluster.")]
    Pipeline,
    #[error("Embeddings can't be simulated yet. Choose Run on cluster.")]
    Embeddings,
    #[error("Conversations turn by turn can't be simulated yet. Choose Run on cluster.")]
    Conversations,
}

impl NotSimulated {
    fn of_load(load: &LoadSpec) -> Option<Self> {
        match load.endpoint() {
            Endpoint::Embeddings => Some(Self::Embeddings),
            _ if load.is_multi_turn() => Some(Self::Conversations),
            _ => None,
        }
    }

    fn of_serving(serving: &Serving) -> Option<Self> {
        if serving.engine == Some(EngineKind::Custom) {
            return Some(Self::OwnCommand);
        }
        serving.pipeline_parallel.filter(|&stages| stages > 1).map(|_| Self::Pipeline)
    }
}

fn error(message: impl ToString) -> FieldError {
    FieldError::at(STEP, "run_as_simulation", message.to_string())
}

pub fn apply(draft: &mut Draft, patch: &Patch<bool>, errors: &mut Vec<FieldError>) {
    let choice = match patch {
        Patch::Set(choice) => Some(*choice),
        Patch::Keep => draft.steps.run_as_simulation,
        Patch::Clear => None,
    };
    let Some(choice) = choice else {
        errors.push(error("Choose Simulate or Run on cluster."));
        return;
    };
    if choice {
        let reason = draft.is_cloud().then_some(NotSimulated::Cloud);
        let reason = reason.or_else(|| NotSimulated::of_serving(&draft.steps.serving));
        let reason = reason.or_else(|| NotSimulated::of_load(&draft.steps.load));
        errors.extend(reason.map(error));
    }
    draft.steps.run_as_simulation = Some(choice);
}

/// Checks that the benchmark can be simulated, on the chosen nodes' devices.
pub fn check_simulation(steps: &WorkflowSteps, model: &Model, facts: &Facts, errors: &mut Vec<FieldError>) {
    let serving = Serving { engine: steps.serving.engine.or_else(|| default_engine(model)), ..steps.serving.clone() };
    let reason = model.is_cloud().then_some(NotSimulated::Cloud);
    let reason = reason.or_else(|| NotSimulated::of_serving(&serving)).or_else(|| NotSimulated::of_load(&steps.load));
    if let Some(reason) = reason {
        errors.push(error(reason));
        return;
    }
    let Some(found) = &facts.cluster else { return };
    if let Err(message) = (facts.check_simulation)(&serving, &steps.nodes, found.inventory()) {
        errors.push(FieldError::at(4, "nodes", message));
    }
}
