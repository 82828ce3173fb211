//! How many requests a load has completed, from what it tells: for sentences such as "after 412 of 1,280 requests".

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::text::{number, requests};
use dyno_measure::events::{LoadEventKind, LoadStatus};
use dyno_measure::plan::Plan;

/// What a load has told so far.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Tally {
    /// Requests that ended well, warm-up excluded, for each load point.
    completed: BTreeMap<u32, u64>,
    /// How the load says that it ended.
    pub end: Option<(LoadStatus, Option<String>)>,
}

impl Tally {
    /// Takes what was told next.
    pub(super) fn add(&mut self, kind: &LoadEventKind) {
        match kind {
            LoadEventKind::Progress(progress) => _ = self.completed.insert(progress.load_point, progress.completed),
            LoadEventKind::LoadPointEnd { load_point, figures } => {
                self.completed.insert(*load_point, figures.summary.successful_requests);
            }
            LoadEventKind::End { status, reason } => self.end = Some((*status, reason.clone())),
            _ => {}
        }
    }

    /// Of all load points.
    pub(super) fn completed(&self) -> u64 {
        self.completed.values().sum()
    }

    /// `after 412 of 1,280 requests. Those are kept.`
    pub(super) fn so_far(&self, plan: &Plan) -> String {
        if self.completed() == 0 {
            return "before any request was completed.".to_owned();
        }
        // How many a search sends is not known beforehand.
        let points = (plan.search().is_none()).then_some(&plan.load_points);
        let planned: Option<u64> = points.and_then(|points| points.iter().map(|point| point.requests().map(u64::from)).sum());
        match planned {
            Some(planned) => format!("after {} of {}. Those are kept.", number(self.completed()), requests(planned)),
            None => format!("after {}. Those are kept.", requests(self.completed())),
        }
    }
}
