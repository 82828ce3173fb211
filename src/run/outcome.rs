//! A run's end: its final status and reason, and what may be said of a run that was lost.

use super::execution::ExecutionOutcome;
use super::text;
use dyno_measure::report::Report;
use dyno_measure::run::RunStatus;

/// How the carrying out of a run ended, as the portal knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// The execution reported it.
    Reported(ExecutionOutcome, Option<String>),
    /// The execution ended without a report.
    Lost {
        /// While no portal watched: found only after a restart.
        unseen: bool,
        /// Last output line.
        last_output: Option<String>,
    },
}

/// The final status and its reason, from how it ended and how many requests succeeded.
pub(super) fn verdict(end: &End, report: Option<&Report>) -> (RunStatus, Option<String>) {
    let succeeded: u64 =
        report.map_or(0, |report| report.load_points.iter().map(|point| point.summary.successful_requests).sum());
    let early = if succeeded > 0 { RunStatus::Partial } else { RunStatus::Failed };
    match end {
        End::Reported(ExecutionOutcome::Done, _) if succeeded > 0 => (RunStatus::Succeeded, None),
        End::Reported(ExecutionOutcome::Done, reason) => {
            let why = reason.clone().unwrap_or_else(|| no_success(report));
            (RunStatus::Failed, Some(why))
        }
        End::Reported(ExecutionOutcome::Failed, reason) => {
            let why = match reason {
                // The load's own word for it says less than the requests do.
                Some(why) if succeeded > 0 || report.is_none() => why.clone(),
                Some(why) => with_example(why, report),
                None => no_success(report),
            };
            (early, Some(why))
        }
        End::Reported(ExecutionOutcome::Cancelled, reason) => {
            (RunStatus::Cancelled, Some(reason.clone().unwrap_or_else(|| "Cancelled.".to_owned())))
        }
        End::Lost { unseen, last_output } => {
            let kept = if succeeded > 0 {
                format!("after {}. Those are kept.", text::requests(succeeded))
            } else {
                "before any request was completed.".to_owned()
            };
            let how =
                if *unseen { "The run's processes were lost while the portal was away" } else { "The run's processes were lost" };
            let words = last_output.as_deref().map(|words| format!(" It said: {words}")).unwrap_or_default();
            (if *unseen { RunStatus::Interrupted } else { early }, Some(format!("{how} {kept}{words}")))
        }
    }
}

fn no_success(report: Option<&Report>) -> String {
    with_example("No request succeeded.", report)
}

/// A reason with the first error beside it.
fn with_example(reason: &str, report: Option<&Report>) -> String {
    match report.and_then(|report| report.error_examples.first()) {
        Some(example) if !reason.contains(&example.message) => format!("{reason} {}", text::clean(&example.message)),
        _ => reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(successful: u64) -> Report {
        serde_json::from_value(serde_json::json!({
            "run_id": uuid::Uuid::nil(), "kind": "measured", "status": "succeeded", "valid": true, "invalid_reasons": [],
            "summary": {}, "load_points": [{ "concurrency": 1, "successful_requests": successful }], "nodes": [], "provenance": {},
            "error_examples": [{ "class": "connect", "message": "The connection was refused.", "request_id": "r" }],
        }))
        .unwrap()
    }

    #[test]
    fn a_run_ends_in_a_true_state() {
        let told = |outcome, reason: Option<&str>| End::Reported(outcome, reason.map(str::to_owned));
        let lost = |unseen| End::Lost { unseen, last_output: None };
        assert_eq!(verdict(&told(ExecutionOutcome::Done, None), Some(&report(3))), (RunStatus::Succeeded, None));
        let (status, reason) = verdict(&told(ExecutionOutcome::Done, None), Some(&report(0)));
        assert_eq!((status, reason.as_deref()), (RunStatus::Failed, Some("No request succeeded. The connection was refused.")));
        assert_eq!(verdict(&told(ExecutionOutcome::Failed, Some("Engine stopped.")), Some(&report(3))).0, RunStatus::Partial);
        assert_eq!(verdict(&told(ExecutionOutcome::Failed, Some("Engine stopped.")), None).0, RunStatus::Failed);
        assert_eq!(verdict(&told(ExecutionOutcome::Cancelled, None), Some(&report(3))).0, RunStatus::Cancelled);
        assert_eq!(verdict(&lost(true), Some(&report(3))).0, RunStatus::Interrupted);
        assert_eq!(verdict(&lost(false), Some(&report(3))).0, RunStatus::Partial);
        assert_eq!(verdict(&lost(false), None).0, RunStatus::Failed);
        let (_, reason) = verdict(&End::Lost { unseen: false, last_output: Some("No space left.".to_owned()) }, None);
        let expected = "The run's processes were lost before any request was completed. It said: No space left.";
        assert_eq!(reason.as_deref(), Some(expected));
    }
}
