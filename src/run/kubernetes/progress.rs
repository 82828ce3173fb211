//! How far a run is, as the cursor keeps it: the portal stores it together with the events up to it.

use std::collections::BTreeMap;

use dyno_pod::client::SpoolPosition;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::taken_records::TakenRecords;
use crate::run::execution::{EngineSpec, ExecutionOutcome};
use crate::run::executor::Cursor;
use crate::run::tally::Tally;
use dyno_measure::plan::{Plan, PlanEndpoint};
use dyno_measure::report::provenance::EngineFacts;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct RunProgress {
    pub phase: RunPhase,
    /// When the phase began.
    pub since: Option<Timestamp>,
    /// The last message about each pod.
    pub told: BTreeMap<String, String>,
    /// Identities of the pods that are measured: another of the same name is another.
    pub uids: BTreeMap<String, String>,
    /// Engines that are ready, by their number.
    pub ready: BTreeMap<usize, EngineFacts>,
    /// Whether everything was sent that the load reads.
    pub files_sent: bool,
    /// Whether the load was asked to begin.
    pub started: bool,
    /// The load's pod, once it was begun there.
    pub load_pod: Option<String>,
    /// How far what the load tells was read.
    pub events: SpoolPosition,
    /// How far its records were.
    pub records: TakenRecords,
    pub tally: Tally,
    /// Why the load is being ended before its time.
    pub ending: Option<Ending>,
    /// Since when something does not answer.
    pub silent_since: Option<Timestamp>,
    /// Since when nodes are found not to be Ready, by name.
    pub not_ready: BTreeMap<String, Timestamp>,
    /// Set once the run is over; no event follows.
    pub ended: Option<(ExecutionOutcome, Option<String>)>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RunPhase {
    #[default]
    NotBegun,
    /// Engine pods are made and started.
    Deploying,
    /// Engines are waited for; of a cloud model, its answer.
    Verifying,
    /// The load is put on.
    Loading,
}

/// Why a load is ended before its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Ending {
    Cancelled,
    /// The beginning of a sentence that goes on with "after 5 requests."
    Failed(String),
}

/// A node that is not Ready for so long is lost. After an API server was away, nodes are not for the seconds until their kubelets have
/// reported again.
const LOST_AFTER: SignedDuration = SignedDuration::from_secs(30);

impl RunProgress {
    /// Notes whether a node is Ready; answers whether it is lost.
    pub(super) fn is_lost(&mut self, node: &str, is_ready: bool, now: Timestamp) -> bool {
        if is_ready {
            self.not_ready.remove(node);
            return false;
        }
        let since = *self.not_ready.entry(node.to_owned()).or_insert(now);
        now.duration_since(since) >= LOST_AFTER
    }

    /// Where the load sends its requests, of engines that are ready.
    pub(super) fn endpoints(&self, engines: &[EngineSpec]) -> Vec<PlanEndpoint> {
        let of = |(index, engine): (usize, &EngineSpec)| {
            let facts = self.ready.get(&index)?;
            let metrics = engine.launch.metrics.clone();
            Some(PlanEndpoint { node: engine.node.clone(), base_url: facts.base_url.clone(), metrics })
        };
        engines.iter().enumerate().filter_map(of).collect()
    }

    /// How far the load was, and what is kept of it where its pod can't be asked any more.
    pub(super) fn so_far_without_load(&self, plan: &Plan) -> String {
        self.tally.so_far_without_load(plan, self.records.count)
    }
}

impl From<Option<&Cursor>> for RunProgress {
    fn from(cursor: Option<&Cursor>) -> Self {
        // An unreadable cursor is replaced by an empty one: the cluster's state is read again, no event is lost.
        cursor.and_then(|cursor| serde_json::from_str(&cursor.0).ok()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_lost_when_it_was_not_ready_for_half_a_minute() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut progress = RunProgress::default();
        assert!(!progress.is_lost("a", false, at(100)));
        assert!(!progress.is_lost("a", false, at(129)));
        assert!(!progress.is_lost("a", true, at(130)), "its kubelet reports again");
        assert!(!progress.is_lost("a", false, at(131)));
        assert!(!progress.is_lost("b", false, at(150)), "each node for itself");
        assert!(progress.is_lost("a", false, at(161)));
    }
}
