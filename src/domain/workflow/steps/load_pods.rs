//! Step 4: over how many load processes the load is split, and what each may use.

use crate::domain::inventory::ClusterKind;
use crate::domain::problem::FieldError;
use crate::domain::workflow::state::WorkflowSteps;
use dyno_measure::load::LoadSpec;
use dyno_measure::plan::{
    PlanError, PlannedLoad, RATE_OF_ONE_WORKER, STREAMS_OF_ONE_WORKER, check_workers, load_points, suggested_workers,
};
use dyno_measure::words::grouped;

const STEP: u8 = 4;
pub const LOAD_PODS: &str = "load_pods";
pub const LOAD_CPU: &str = "load_cpu_millicores";
/// Bounds of a load pod's CPU, thousandths of a core.
pub const LEAST_CPU: u32 = 100;
pub const MOST_CPU: u32 = 64_000;

/// The load points, which share the load processes. A trace has as many in flight at most as a closed loop without options,
/// so that the datasets need not be known.
fn points(load: &LoadSpec) -> Vec<PlannedLoad> {
    load_points(load, false)
}

/// Checks that the load can be split over the load processes: any step that changes either may be in the way of the other.
pub fn check_split(steps: &WorkflowSteps, errors: &mut Vec<FieldError>) {
    let Some(load_pods) = steps.load_pods else { return };
    let message = match check_workers(load_pods, &points(&steps.load)) {
        Ok(()) => return,
        Err(PlanError::MoreWorkersThanStreams { workers, in_flight }) => {
            format!("{workers} load processes need as many requests in flight, and the load has {in_flight} at most.")
        }
        Err(error) => error.to_string(),
    };
    errors.push(FieldError::at(STEP, LOAD_PODS, message));
}

/// Checks that a load pod's CPU is set only where there are pods.
pub fn check_cpu(steps: &WorkflowSteps, cluster: ClusterKind, errors: &mut Vec<FieldError>) {
    if steps.load_cpu_millicores.is_some() && cluster != ClusterKind::Kubernetes {
        let message = "The load comes from a pod on Kubernetes clusters only; leave its CPU out.";
        errors.push(FieldError::at(STEP, LOAD_CPU, message));
    }
}

/// A sentence where more load processes are suggested than there are.
pub fn suggestion(load: &LoadSpec, load_pods: Option<u32>) -> Option<String> {
    let points = points(load);
    let suggested = suggested_workers(&points);
    if suggested <= load_pods.unwrap_or(1) {
        return None;
    }
    let most = points.iter().map(PlannedLoad::at).max_by(f64::total_cmp)?;
    let (one, unit) = if load.is_open() {
        (RATE_OF_ONE_WORKER, "requests per second")
    } else {
        (f64::from(STREAMS_OF_ONE_WORKER), "requests in flight")
    };
    let number = |value: f64| grouped(value.ceil() as u64);
    let (most, one) = (number(most), number(one));
    Some(format!("{suggested} load processes are suggested: the load has up to {most} {unit}, and one was found to carry {one}."))
}

/// The suggestion as a warning of step 4.
pub fn suggested(steps: &WorkflowSteps) -> Option<FieldError> {
    suggestion(&steps.load, steps.load_pods).map(|message| FieldError::at(STEP, LOAD_PODS, message))
}
