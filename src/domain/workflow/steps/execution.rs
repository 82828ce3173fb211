//! Step 8.

use crate::domain::problem::FieldError;
use crate::domain::workflow::reader::Patch;
use crate::domain::workflow::state::WorkflowSteps;

const STEP: u8 = 8;

pub fn apply(steps: &mut WorkflowSteps, patch: &Patch<bool>, errors: &mut Vec<FieldError>) {
    let mut refuse = |message: &str| errors.push(FieldError::at(STEP, "run_as_simulation", message));
    let choice = match patch {
        Patch::Set(choice) => Some(*choice),
        Patch::Keep => steps.run_as_simulation,
        Patch::Clear => None,
    };
    match choice {
        Some(true) => refuse("Simulation is not yet available. Choose Run on cluster."),
        Some(false) => steps.run_as_simulation = Some(false),
        None => refuse("Choose Simulate or Run on cluster."),
    }
}
