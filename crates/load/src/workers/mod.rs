//! One load put on by several workers, each a process with an event loop of its own: one core and one process's open files are no
//! limit then. The first process (the coordinator) decides what is next, as it does for its own event loop
//! (`phase_driver`): it has the workers carry out each phase together, from one agreed moment on, takes their records over as
//! they come, and judges early stops and error rates over all of them. Which worker sends what follows from the plan
//! ([`dyno_measure::plan::Part`]).
//!
//! Processes and not threads: what limits one client beside its core is the number of open files of a process. They may be on
//! other machines ([`WorkerPlaces`]); then the same is said over a TCP connection (`remote`), and what their clocks are apart is
//! found out by round trips (`clocks`).

mod clocks;
mod coordinator;
mod link;
mod measure;
mod place;
mod protocol;
mod records;
pub mod remote;
mod worker;

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) use self::measure::measure;
pub use self::place::{WorkerPlace, WorkerPlaces};
pub(crate) use self::protocol::WorkerOutput;
pub(crate) use self::worker::main as worker_main;

/// Why several workers can't measure together.
#[derive(Debug, thiserror::Error)]
pub enum WorkersError {
    #[error("{name} can't be started: {source}.")]
    NotStarted { name: String, source: std::io::Error },
    /// `why` is the end of a sentence.
    #[error("{name} does not take part in the load: {why}.")]
    NotJoined { name: String, why: String },
    #[error("The load is to have {planned} workers, and is told where {told} are.")]
    OtherNumber { planned: u32, told: usize },
    #[error("{name}: {reason}")]
    Refused { name: String, reason: String },
    #[error("{name} ended before it was ready.")]
    Lost { name: String },
    #[error("{name} was not ready in time.")]
    NotReady { name: String },
    #[error("Stopped before any request was sent.")]
    Stopped,
}

/// Requests to a worker's event loop from outside, while it is in a phase.
#[derive(Debug, Default)]
pub struct Wishes {
    /// Number of the phase that goes on, from 1.
    phase: AtomicU64,
    /// The phase whose verdict is certain.
    decided: AtomicU64,
    stopped: Mutex<Option<String>>,
}

impl Wishes {
    fn begin(&self, phase: u64) {
        self.phase.store(phase, Ordering::SeqCst);
    }

    /// No further requests are sent in this phase.
    fn decide(&self, phase: u64) {
        self.decided.store(phase, Ordering::SeqCst);
    }

    fn stop(&self, reason: String) {
        self.stopped.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(reason);
    }

    /// Whether the verdict on the phase that goes on is certain.
    pub fn is_decided(&self) -> bool {
        self.decided.load(Ordering::SeqCst) == self.phase.load(Ordering::SeqCst)
    }

    /// Why the load is to end at once.
    pub fn stopped(&self) -> Option<String> {
        self.stopped.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_that_comes_late_is_not_the_next_phases() {
        let wishes = Wishes::default();
        wishes.begin(1);
        assert!(!wishes.is_decided());
        wishes.decide(1);
        assert!(wishes.is_decided());
        wishes.begin(2);
        wishes.decide(1);
        assert!(!wishes.is_decided());
        wishes.stop("first".to_owned());
        wishes.stop("second".to_owned());
        assert_eq!(wishes.stopped().as_deref(), Some("first"));
    }
}
