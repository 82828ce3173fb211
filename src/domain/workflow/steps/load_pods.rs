//! Step 4: over how many load processes the load is split, and what each may use.

use crate::domain::inventory::ClusterKind;
use crate::domain::problem::FieldError;
use crate::domain::workflow::state::WorkflowSteps;
use dyno_measure::load::LoadSpec;
use dyno_measure::plan::{
    PlanError, PlannedLoad, STREAMS_OF_ONE_WORKER, WorkerCapacity, check_workers, load_points, suggested_workers,
};
use dyno_measure::validity::SelfCheck;
use dyno_measure::validity::judge::late_by;
use dyno_measure::words::{figure, grouped};

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
    if steps.load_cpu_millicores.is_some() && !cluster.has_pods() {
        let message = "The load comes from a pod on Kubernetes clusters only; leave its CPU out.";
        errors.push(FieldError::at(STEP, LOAD_CPU, message));
    }
}

/// A sentence where more load processes are suggested than there are. `check`: the latest one of a load process on the cluster.
pub fn suggestion(load: &LoadSpec, load_pods: Option<u32>, check: Option<&SelfCheck>) -> Option<String> {
    let points = points(load);
    let late = check.and_then(|check| Some((check.concurrency, late_by(check)?)));
    let one = match (late, check) {
        (Some((streams, _)), _) => WorkerCapacity::below(streams),
        (None, Some(check)) => WorkerCapacity::of(check.concurrency),
        (None, None) => WorkerCapacity::BENCHMARK,
    };
    let suggested = suggested_workers(&points, one);
    if suggested <= load_pods.unwrap_or(1) {
        return None;
    }
    let most = points.iter().map(PlannedLoad::at).max_by(f64::total_cmp)?;
    let (carried, unit) =
        if load.is_open() { (one.rate, "requests per second") } else { (f64::from(one.streams), "requests in flight") };
    let number = |value: f64| grouped(value.ceil() as u64);
    let (most, carried) = (number(most), number(carried));
    let basis = match late {
        Some((streams, ms)) => format!(
            "the last self-check on this cluster found one late by {} ms with {} in flight; more CPU for it may be enough",
            figure(ms),
            grouped(streams.into())
        ),
        None if one.streams > STREAMS_OF_ONE_WORKER && !load.is_open() => {
            format!("the last self-check on this cluster found one to carry {carried}")
        }
        None => format!("one was found to carry {carried} by the benchmark of the load generator"),
    };
    Some(format!("{suggested} load processes are suggested: the load has up to {most} {unit}, and {basis}."))
}

/// The suggestion as a warning of step 4.
pub fn suggested(steps: &WorkflowSteps, check: Option<&SelfCheck>) -> Option<FieldError> {
    suggestion(&steps.load, steps.load_pods, check).map(|message| FieldError::at(STEP, LOAD_PODS, message))
}
