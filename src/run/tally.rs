//! How many requests a load has completed, counted from its events: for sentences such as "after 412 of 1,280 requests".

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::text::{number, requests};
use dyno_measure::events::{LoadEventKind, LoadStatus};
use dyno_measure::plan::Plan;

/// Counts from the events of a load so far.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Tally {
    /// Requests that ended well, warm-up excluded, for each load point.
    completed: BTreeMap<u32, u64>,
    /// How the load says that it ended.
    pub end: Option<(LoadStatus, Option<String>)>,
}

impl Tally {
    /// Takes the next event.
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
        self.followed_by(plan, "Those are kept.")
    }

    /// The same of a load that can't be asked for its records any more: `taken` of them were taken over before.
    pub(super) fn so_far_without_load(&self, plan: &Plan, taken: u64) -> String {
        let kept = if taken == 0 {
            "No record of a request had been taken over by then: what is kept are the figures that the load had told.".to_owned()
        } else {
            format!("The records of {} had been taken over by then and are kept.", requests(taken))
        };
        self.followed_by(plan, &kept)
    }

    fn followed_by(&self, plan: &Plan, kept: &str) -> String {
        if self.completed() == 0 {
            return "before any request was completed.".to_owned();
        }
        // How many a search sends is not known beforehand.
        let points = (plan.search().is_none()).then_some(&plan.load_points);
        let planned: Option<u64> = points.and_then(|points| points.iter().map(|point| point.requests().map(u64::from)).sum());
        match planned {
            Some(planned) => format!("after {} of {}. {kept}", number(self.completed()), requests(planned)),
            None => format!("after {}. {kept}", requests(self.completed())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dyno_measure::events::Progress;

    #[test]
    fn what_is_kept_of_a_lost_load_is_what_was_taken_over() {
        let plan: Plan = serde_json::from_value(serde_json::json!({
            "endpoints": [], "model": "m", "workload": { "kind": "synthetic", "input_tokens": 8, "output_tokens": 4 },
            "load_points": [{ "load": { "kind": "closed", "concurrency": 3 }, "num_requests": 1280 }],
        }))
        .unwrap();
        let mut tally = Tally::default();
        assert_eq!(tally.so_far_without_load(&plan, 5), "before any request was completed.");
        tally.add(&LoadEventKind::Progress(Box::new(Progress { completed: 412, ..Progress::default() })));
        assert_eq!(tally.so_far(&plan), "after 412 of 1,280 requests. Those are kept.");
        assert_eq!(
            tally.so_far_without_load(&plan, 398),
            "after 412 of 1,280 requests. The records of 398 requests had been taken over by then and are kept."
        );
        assert_eq!(
            tally.so_far_without_load(&plan, 0),
            "after 412 of 1,280 requests. No record of a request had been taken over by then: what is kept are the figures that the load had told."
        );
    }
}
