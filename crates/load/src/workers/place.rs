//! Where a load's workers are.

use std::fmt;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// Where one worker of a load is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerPlace {
    /// For people; it begins a sentence.
    pub name: String,
    /// Where it listens; absent: a process that the load starts itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<SocketAddr>,
}

/// Where all workers of a load are, in the order of their parts. It is read from the load's standard input, since arguments and
/// variables are seen by others.
#[derive(Clone, Serialize, Deserialize)]
pub struct WorkerPlaces {
    /// What the workers admit the load by.
    pub token: String,
    pub workers: Vec<WorkerPlace>,
}

impl fmt::Debug for WorkerPlaces {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("WorkerPlaces").field("workers", &self.workers).finish_non_exhaustive()
    }
}

impl WorkerPlaces {
    /// Processes of this machine, so many.
    pub(super) fn own(workers: u32) -> Self {
        let place = |number: u32| WorkerPlace { name: format!("Worker {number}"), address: None };
        Self { token: String::new(), workers: (1..=workers).map(place).collect() }
    }

    /// Whether any is on another machine.
    pub(super) fn are_apart(&self) -> bool {
        self.workers.iter().any(|worker| worker.address.is_some())
    }
}
