//! Wakes the supervisor after a change, and notifies subscribers of a run's events.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};
use uuid::Uuid;

/// Wakes the supervisor and announces new events of runs. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct RunNotifier(Arc<Channels>);

#[derive(Debug, Default)]
struct Channels {
    wake: Notify,
    end: Notify,
    events: Mutex<HashMap<Uuid, watch::Sender<i64>>>,
}

impl RunNotifier {
    /// Says that there is something to do: a new run, a cancel.
    pub fn wake(&self) {
        self.0.wake.notify_one();
    }

    /// Ends after the next [`Self::wake`], or at once where one came before it was waited for.
    pub async fn woken(&self) {
        self.0.wake.notified().await;
    }

    /// Says that a run is over.
    pub fn tell_end(&self) {
        self.0.end.notify_one();
    }

    /// Ends after the next [`Self::tell_end`], or at once where one came before it was waited for.
    pub async fn ended(&self) {
        self.0.end.notified().await;
    }

    /// Changes whenever a run has a new event; the value is the event's number.
    pub fn subscribe(&self, run: Uuid) -> watch::Receiver<i64> {
        self.sender(run).subscribe()
    }

    /// Where a run's new events are announced.
    pub fn sender(&self, run: Uuid) -> watch::Sender<i64> {
        self.events().entry(run).or_insert_with(|| watch::Sender::new(0)).clone()
    }

    /// Forgets the runs that are over and not watched.
    pub fn retain(&self, is_open: impl Fn(Uuid) -> bool) {
        self.events().retain(|run, sender| is_open(*run) || sender.receiver_count() > 0);
    }

    fn events(&self) -> MutexGuard<'_, HashMap<Uuid, watch::Sender<i64>>> {
        self.0.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
