//! How many requests a load has completed, from its spool: for sentences such as "after 412 of 1,280 requests".

use std::collections::BTreeMap;
use std::path::Path;

use crate::run::local::tail::Tail;
use crate::run::text::{number, requests};
use dyno_measure::events::{LoadEvent, LoadEventKind, LoadStatus};
use dyno_measure::plan::Plan;

/// What a load's spool says.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Tally {
    /// Requests that ended well, warm-up excluded.
    pub completed: u64,
    /// How the load says that it ended.
    pub end: Option<(LoadStatus, Option<String>)>,
}

impl Tally {
    /// Reads a spool; one that is missing or broken off has what was written.
    pub(super) fn read(spool: &Path) -> Self {
        let mut tail = Tail::new(spool, 0);
        let mut completed: BTreeMap<u32, u64> = BTreeMap::new();
        let mut end = None;
        while let Ok(lines) = tail.lines() {
            if lines.is_empty() {
                break;
            }
            for event in lines.iter().filter_map(|line| serde_json::from_slice::<LoadEvent>(line).ok()) {
                match event.kind {
                    LoadEventKind::Progress(progress) => {
                        completed.insert(progress.load_point, progress.completed);
                    }
                    LoadEventKind::LoadPointEnd { load_point, figures } => {
                        completed.insert(load_point, figures.summary.successful_requests);
                    }
                    LoadEventKind::End { status, reason } => end = Some((status, reason)),
                    _ => {}
                }
            }
        }
        Self { completed: completed.values().sum(), end }
    }

    /// `after 412 of 1,280 requests. Those are kept.`
    pub(super) fn so_far(&self, plan: &Plan) -> String {
        if self.completed == 0 {
            return "before any request was completed.".to_owned();
        }
        // How many a search sends is not known beforehand.
        let points = (plan.search().is_none()).then_some(&plan.load_points);
        let planned: Option<u64> = points.and_then(|points| points.iter().map(|point| point.requests().map(u64::from)).sum());
        match planned {
            Some(planned) => format!("after {} of {}. Those are kept.", number(self.completed), requests(planned)),
            None => format!("after {}. Those are kept.", requests(self.completed)),
        }
    }
}
