//! A run's end: what it measured is taken over into the store, its report completed, its status found.

use std::path::{Path, PathBuf};

use super::keeper::journal::{self, Outcome};
use super::keeper::spec::{KeeperSpec, files};
use super::provenance;
use super::tail::Tail;
use super::text;
use crate::domain::report::{Report, RequestRecord};
use crate::domain::run::RunStatus;
use dyno_measure::events::{LoadEvent, LoadNews};
use dyno_measure::plan::Plan;

/// How the carrying out of a run ended, as the supervisor knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// The keeper ended its journal.
    Told(Outcome, Option<String>),
    /// The keeper was lost; `unseen` if that was while no portal watched.
    Lost {
        /// Found only after a restart of the portal.
        unseen: bool,
    },
}

/// The final status and its reason, from how it ended and how many requests succeeded.
pub(super) fn verdict(end: &End, report: Option<&Report>) -> (RunStatus, Option<String>) {
    let succeeded: u64 =
        report.map_or(0, |report| report.load_points.iter().map(|point| point.summary.successful_requests).sum());
    let early = if succeeded > 0 { RunStatus::Partial } else { RunStatus::Failed };
    match end {
        End::Told(Outcome::Done, _) if succeeded > 0 => (RunStatus::Succeeded, None),
        End::Told(Outcome::Done, reason) => {
            let why = reason.clone().unwrap_or_else(|| no_success(report));
            (RunStatus::Failed, Some(why))
        }
        End::Told(Outcome::Failed, reason) => {
            let why = match reason {
                // The load's own word for it says less than the requests do.
                Some(why) if succeeded > 0 || report.is_none() => why.clone(),
                Some(why) => with_example(why, report),
                None => no_success(report),
            };
            (early, Some(why))
        }
        End::Told(Outcome::Cancelled, reason) => {
            (RunStatus::Cancelled, Some(reason.clone().unwrap_or_else(|| "Cancelled.".to_owned())))
        }
        End::Lost { unseen } => {
            let kept = if succeeded > 0 {
                format!("after {}. Those are kept.", text::requests(succeeded))
            } else {
                "before any request was completed.".to_owned()
            };
            let how = if *unseen {
                "The run's processes were lost while the portal was away"
            } else {
                "The run's keeper process was lost"
            };
            (if *unseen { RunStatus::Interrupted } else { early }, Some(format!("{how} {kept}")))
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

/// The plan as it was carried out, or as it was to be.
pub(super) fn plan(folder: &Path) -> Option<Plan> {
    let carried_out = std::fs::read(folder.join(files::PLAN)).ok().and_then(|text| serde_json::from_slice(&text).ok());
    carried_out.or_else(|| {
        let spec: KeeperSpec = serde_json::from_slice(&std::fs::read(folder.join(files::SPEC)).ok()?).ok()?;
        Some(spec.plan)
    })
}

/// The report of what was measured, with its provenance; absent where nothing was. Blocks.
pub(super) fn report(folder: &Path) -> Option<Report> {
    let plan = plan(folder)?;
    let written = std::fs::read(folder.join(files::REPORT)).ok().and_then(|text| serde_json::from_slice::<Report>(&text).ok());
    let mut report = match written {
        Some(report) => report,
        None => match dyno_load::report::from_folder(folder, &plan) {
            Ok(report) => report?,
            Err(error) => {
                tracing::warn!(%error, folder = %folder.display(), "request records could not be read");
                return None;
            }
        },
    };
    let journal = journal::read(&folder.join(files::JOURNAL)).unwrap_or_default();
    report.provenance.extend(provenance::complete(folder, &journal, &plan, tokenizer(folder)));
    Some(report)
}

/// How lengths were counted, in the load's words.
fn tokenizer(folder: &Path) -> Option<String> {
    // It is among the first things that a load tells.
    let lines = Tail::new(folder.join(files::SPOOL), 0).lines().ok()?;
    lines.iter().find_map(|line| match serde_json::from_slice::<LoadEvent>(line).ok()?.news {
        LoadNews::Prepared { tokenizer, .. } => Some(tokenizer),
        _ => None,
    })
}

/// Reads a run's request records portion by portion.
pub(super) struct Records {
    tail: Tail,
    skip: u64,
}

impl Records {
    /// Begins after as many records as are kept already.
    pub(super) fn new(folder: &Path, kept: u64) -> Self {
        let path: PathBuf = folder.join(files::REQUESTS);
        Self { tail: Tail::new(path, 0), skip: kept }
    }

    /// The next records; none at the end. Blocks.
    pub(super) fn next(&mut self) -> std::io::Result<Vec<RequestRecord>> {
        loop {
            let lines = self.tail.lines()?;
            if lines.is_empty() {
                return Ok(Vec::new());
            }
            let mut records: Vec<RequestRecord> = lines.iter().filter_map(|line| serde_json::from_slice(line).ok()).collect();
            let known = usize::try_from(self.skip).unwrap_or(usize::MAX).min(records.len());
            records.drain(..known);
            self.skip -= known as u64;
            if !records.is_empty() {
                return Ok(records);
            }
        }
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
        let told = |outcome, reason: Option<&str>| End::Told(outcome, reason.map(str::to_owned));
        assert_eq!(verdict(&told(Outcome::Done, None), Some(&report(3))), (RunStatus::Succeeded, None));
        let (status, reason) = verdict(&told(Outcome::Done, None), Some(&report(0)));
        assert_eq!((status, reason.as_deref()), (RunStatus::Failed, Some("No request succeeded. The connection was refused.")));
        assert_eq!(verdict(&told(Outcome::Failed, Some("Engine stopped.")), Some(&report(3))).0, RunStatus::Partial);
        assert_eq!(verdict(&told(Outcome::Failed, Some("Engine stopped.")), None).0, RunStatus::Failed);
        assert_eq!(verdict(&told(Outcome::Cancelled, None), Some(&report(3))).0, RunStatus::Cancelled);
        assert_eq!(verdict(&End::Lost { unseen: true }, Some(&report(3))).0, RunStatus::Interrupted);
        assert_eq!(verdict(&End::Lost { unseen: false }, Some(&report(3))).0, RunStatus::Partial);
        assert_eq!(verdict(&End::Lost { unseen: false }, None).0, RunStatus::Failed);
    }

    #[test]
    fn records_that_are_kept_are_not_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let line = |id: &str| format!("{{\"id\":\"{id}\",\"node\":\"n\",\"load_point\":0,\"phase\":\"measured\"}}\n");
        std::fs::write(folder.path().join(files::REQUESTS), format!("{}{}{}{{\"id\":", line("a"), line("b"), line("c"))).unwrap();
        let mut records = Records::new(folder.path(), 2);
        assert_eq!(records.next().unwrap().iter().map(|record| record.id.as_str()).collect::<Vec<_>>(), ["c"]);
        assert!(records.next().unwrap().is_empty());
    }
}
