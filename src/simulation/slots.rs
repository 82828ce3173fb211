//! How many simulations are at work at once. A slot is free again when its simulation's thread has ended and nobody has use for what it
//! found any more, not when somebody no longer waits for it.

use dyno_simulate::StopFlag;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::{JoinError, JoinHandle};

/// Runs take a core for up to two minutes each.
const MOST_RUNS: usize = 2;
/// Answers that somebody waits for; not held up by runs.
const MOST_QUESTIONS: usize = 2;

static RUNS: Semaphore = Semaphore::const_new(MOST_RUNS);
static QUESTIONS: Semaphore = Semaphore::const_new(MOST_QUESTIONS);
/// What is learnt from measured runs: one after another.
static LEARNING: Semaphore = Semaphore::const_new(1);

/// A place for one simulation.
#[derive(Debug)]
pub struct SimulationSlot {
    /// Given back when it is dropped.
    _permit: Option<SemaphorePermit<'static>>,
}

impl SimulationSlot {
    /// For a run, in the order of asking.
    pub async fn for_run() -> Self {
        Self::of(&RUNS).await
    }

    /// For a page or a call, in the order of asking.
    pub async fn for_question() -> Self {
        Self::of(&QUESTIONS).await
    }

    pub async fn for_learning() -> Self {
        Self::of(&LEARNING).await
    }

    async fn of(slots: &'static Semaphore) -> Self {
        // never closed
        Self { _permit: slots.acquire().await.ok() }
    }

    /// Simulates in a thread, which holds the slot until its end, or hands it on with the answer.
    pub fn simulate<T: Send + 'static>(self, work: impl FnOnce(&StopFlag) -> T + Send + 'static) -> SimulationTask<T> {
        let stop = StopFlag::default();
        let seen = stop.clone();
        let thread = tokio::task::spawn_blocking(move || {
            let done = work(&seen);
            (done, self)
        });
        SimulationTask { thread, stop }
    }
}

/// A simulation at work. It is stopped when nobody waits for it any more.
#[derive(Debug)]
pub struct SimulationTask<T> {
    thread: JoinHandle<(T, SimulationSlot)>,
    stop: StopFlag,
}

impl<T> SimulationTask<T> {
    /// Waits for the answer; may be dropped at any point.
    ///
    /// # Errors
    /// When the simulation panicked.
    pub async fn answer(self) -> Result<T, JoinError> {
        self.answer_in_slot().await.map(|(answer, _)| answer)
    }

    /// The same, for an answer that is large: the slot is free once it is dropped, so that no more of them are in memory than there are
    /// slots.
    ///
    /// # Errors
    /// When the simulation panicked.
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
        static ONE: Semaphore = Semaphore::const_new(1);
        let (go, waits) = channel::<()>();
        let (tell, told) = channel();
        let task = SimulationSlot::of(&ONE).await.simulate(move |stop| {
            waits.recv().unwrap();
            tell.send(stop.is_stopped()).unwrap();
        });
        drop(task);
        assert_eq!(ONE.available_permits(), 0, "nobody waits, but the thread is still at work");
        go.send(()).unwrap();
        assert!(told.recv().unwrap(), "it was told to end");
        drop(SimulationSlot::of(&ONE).await);
        assert_eq!(ONE.available_permits(), 1);
    }

    #[tokio::test]
    async fn an_answer_and_a_panic_free_the_slot() {
        static ONE: Semaphore = Semaphore::const_new(1);
        assert!(!SimulationSlot::of(&ONE).await.simulate(StopFlag::is_stopped).answer().await.unwrap());
        assert!(SimulationSlot::of(&ONE).await.simulate(|_| panic!("broken")).answer().await.is_err());
        drop(SimulationSlot::of(&ONE).await);
        assert_eq!(ONE.available_permits(), 1);
    }
}
