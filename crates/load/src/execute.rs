//! Executes a plan: self-check, load, report.

use crate::client::phase::PhaseEnd;
use crate::client::socket::keep_stamps_on;
use crate::client::stop::StopSignal;
use crate::event_sink::EventSink;
use crate::measurement::{MeasureError, measure};
use crate::self_check;
use crate::workers::{self, WorkerPlaces};
use dyno_measure::events::LoadStatus;
use dyno_measure::plan::{Plan, PlanError};
use dyno_measure::report::provenance::{LoadWorkerFacts, Provenance, ServedModelFacts};
use dyno_measure::report::{Report, report};
use dyno_measure::run::RunStatus;

/// The result of an executed plan.
#[derive(Debug)]
pub struct LoadOutcome {
    pub report: Report,
    /// How the load ended.
    pub status: LoadStatus,
    /// Why, for every status other than ok.
    pub reason: Option<String>,
}

/// Why a plan can't be executed at all; a sentence for people.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error("Stopped before any request was sent.")]
    Stopped,
    #[error(transparent)]
    Measure(#[from] MeasureError),
}

/// Executes a plan and makes its report. `places`: where its workers are, unless they are to be started here.
pub fn carry_out(
    plan: &Plan,
    places: Option<&WorkerPlaces>,
    emit: &EventSink,
    stop: &StopSignal,
) -> Result<LoadOutcome, ExecuteError> {
    plan.check()?;
    let _stamps = keep_stamps_on();
    let check = plan.self_check.as_ref().map(|planned| self_check::check(plan, planned, emit, stop));
    if stop.is_wished() {
        return Err(ExecuteError::Stopped);
    }
    let measured = if plan.workers == 1 && places.is_none() {
        measure(plan, check.as_ref(), None, emit, stop)?
    } else {
        workers::measure(plan, places, check.as_ref(), emit, stop)?
    };
    let mut made = report(&measured.records, plan, measured.circumstances);
    let (status, reason) = status_of(&measured.ending, &made);
    made.status = match status {
        LoadStatus::Ok => RunStatus::Succeeded,
        LoadStatus::Partial => RunStatus::Partial,
        LoadStatus::Failed => RunStatus::Failed,
    };
    made.provenance = provenance(plan, &measured.tokenizer, measured.workers);
    Ok(LoadOutcome { report: made, status, reason })
}

fn status_of(ending: &PhaseEnd, report: &Report) -> (LoadStatus, Option<String>) {
    let succeeded = report.load_points.iter().any(|point| point.summary.successful_requests > 0);
    match ending {
        PhaseEnd::Done if succeeded => (LoadStatus::Ok, None),
        PhaseEnd::Done => {
            let example = report
                .error_examples
                .first()
                .map(|example| format!(" The first error: {} ({}).", example.message, example.class.into_str()));
            (LoadStatus::Failed, Some(format!("No request succeeded.{}", example.unwrap_or_default())))
        }
        PhaseEnd::Stopped(reason) | PhaseEnd::Gone(reason) => {
            (if succeeded { LoadStatus::Partial } else { LoadStatus::Failed }, Some(reason.clone()))
        }
    }
}

fn provenance(plan: &Plan, tokenizer: &str, load_workers: Vec<LoadWorkerFacts>) -> Provenance {
    Provenance {
        load_workers,
        dyno_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        model: Some(ServedModelFacts::Name(plan.model.clone())),
        ..Provenance::of_load(plan, Some(tokenizer))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use dyno_measure::events::LoadEventKind;
    use dyno_measure::plan::PlannedCheck;

    #[test]
    fn a_check_that_can_not_be_carried_out_says_so_and_stops_nothing() {
        // the test program can't be started as a reference engine, so the self-check fails
        let plan: Plan = serde_json::from_value(json!({
            "endpoints": [{"node": "n", "base_url": "http://127.0.0.1:9"}], "model": "m",
            "workload": {"kind": "synthetic", "input_tokens": 8, "output_tokens": 4},
            "load_points": [{"load": {"kind": "closed", "concurrency": 3}}]
        }))
        .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let told = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
        let log = told.clone();
        let emit: EventSink = std::rc::Rc::new(move |kind| log.borrow_mut().push(kind));
        let planned = PlannedCheck { cache: Some(folder.path().to_owned()) };
        let check = self_check::check(&plan, &planned, &emit, &StopSignal::on_signals().unwrap());
        assert!(check.failed.as_ref().is_some_and(|why| why.starts_with("the reference engine did not start")), "{check:?}");
        assert_eq!((check.ttft_error_ms, check.itl_error_ms, check.concurrency), (None, None, 3));
        let warned = |kind: &LoadEventKind| matches!(kind, LoadEventKind::Log { line, .. } if line.starts_with("The client could not be checked"));
        assert!(told.borrow().iter().any(warned));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "it is not kept");
    }
}
