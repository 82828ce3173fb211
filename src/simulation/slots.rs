//! How many simulations are at work at once. A slot is free again when its thread has ended and nobody has use for what it found any
//! more, not when somebody no longer waits for it.

use std::sync::Arc;

use dyno_simulate::StopFlag;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinError, JoinHandle};

/// Runs take a core for up to two minutes each.
const MOST_RUNS: usize = 2;
/// Answers that somebody waits for; not held up by runs.
const MOST_QUESTIONS: usize = 2;

/// The slots of a portal, each kind given in the order of asking.
#[derive(Debug)]
pub struct SimulationSlots {
    runs: Arc<Semaphore>,
    questions: Arc<Semaphore>,
    /// What is learnt from measured runs: one after another.
    learning: Arc<Semaphore>,
}

impl Default for SimulationSlots {
    fn default() -> Self {
        let slots = |most| Arc::new(Semaphore::new(most));
        Self { runs: slots(MOST_RUNS), questions: slots(MOST_QUESTIONS), learning: slots(1) }
    }
}

impl SimulationSlots {
    pub async fn for_run(&self) -> SimulationSlot {
        SimulationSlot::of(&self.runs).await
    }

    /// For a page or a call.
    pub async fn for_question(&self) -> SimulationSlot {
        SimulationSlot::of(&self.questions).await
    }

    pub async fn for_learning(&self) -> SimulationSlot {
        SimulationSlot::of(&self.learning).await
    }
}

/// A place for one simulation, or for what is read before it.
#[derive(Debug)]
pub struct SimulationSlot {
    /// Given back when it is dropped.
    _permit: Option<OwnedSemaphorePermit>,
}

impl SimulationSlot {
    async fn of(slots: &Arc<Semaphore>) -> Self {
        // never closed
        Self { _permit: Arc::clone(slots).acquire_owned().await.ok() }
    }

    /// Works in a thread, which holds the slot until its end, or hands it on with the answer.
    pub fn spawn<T: Send + 'static>(self, work: impl FnOnce(&StopFlag) -> T + Send + 'static) -> SimulationTask<T> {
        let stop = StopFlag::default();
        let seen = stop.clone();
        let thread = tokio::task::spawn_blocking(move || {
            let done = work(&seen);
            (done, self)
        });
        SimulationTask { thread, stop }
    }
}

/// Work in a slot. It is stopped when nobody waits for it any more.
#[derive(Debug)]
pub struct SimulationTask<T> {
    thread: JoinHandle<(T, SimulationSlot)>,
    stop: StopFlag,
}

impl<T> SimulationTask<T> {
    /// Waits for the answer; may be dropped at any point.
    ///
    /// # Errors
    /// When the work panicked.
    pub async fn answer(self) -> Result<T, JoinError> {
        self.answer_in_slot().await.map(|(answer, _)| answer)
    }

    /// The same, for an answer that is large: the slot is free once it is dropped, so that no more of them are in memory than there are
    /// slots.
    ///
    /// # Errors
    /// When the work panicked.
    pub async fn answer_in_slot(mut self) -> Result<(T, SimulationSlot), JoinError> {
        (&mut self.thread).await
    }
}

impl<T> Drop for SimulationTask<T> {
    fn drop(&mut self) {
        self.stop.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[tokio::test]
    async fn a_slot_is_free_when_its_thread_has_ended_and_not_before() {
        let one = Arc::new(Semaphore::new(1));
        let (go, waits) = channel::<()>();
        let (tell, told) = channel();
        let task = SimulationSlot::of(&one).await.spawn(move |stop| {
            waits.recv().unwrap();
            tell.send(stop.is_stopped()).unwrap();
        });
        drop(task);
        assert_eq!(one.available_permits(), 0, "nobody waits, but the thread is still at work");
        go.send(()).unwrap();
        assert!(told.recv().unwrap(), "it was told to end");
        drop(SimulationSlot::of(&one).await);
        assert_eq!(one.available_permits(), 1);
    }

    #[tokio::test]
    async fn an_answer_and_a_panic_free_the_slot() {
        let one = Arc::new(Semaphore::new(1));
        assert!(!SimulationSlot::of(&one).await.spawn(StopFlag::is_stopped).answer().await.unwrap());
        assert!(SimulationSlot::of(&one).await.spawn(|_| panic!("broken")).answer().await.is_err());
        drop(SimulationSlot::of(&one).await);
        assert_eq!(one.available_permits(), 1);
    }
}
