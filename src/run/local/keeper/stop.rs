//! What ends a run before its time: a signal, a file that asks for it, the deadline.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// How often the file is looked for and the clock is read: seldom, since this goes on beside the measurement.
const POLL: Duration = Duration::from_millis(500);

/// Why a run ends before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// A person asked for it.
    Cancelled,
    /// The deadline has passed.
    Deadline,
}

/// Watches for a stop; clones watch together.
#[derive(Debug, Clone)]
pub(super) struct Watch(watch::Receiver<Option<Stop>>);

impl Watch {
    /// Begins to watch. A hang-up is ignored from now on.
    pub(super) fn begin(cancel_file: PathBuf, deadline: Timestamp) -> std::io::Result<Self> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hang_up = signal(SignalKind::hangup())?;
        let (sender, stop) = watch::channel(None);
        tokio::spawn(async move {
            let stop = wait(&cancel_file, deadline, &mut terminate, &mut interrupt, &mut hang_up).await;
            let _ = sender.send(Some(stop));
        });
        Ok(Self(stop))
    }

    pub(super) async fn stopped(&mut self) -> Stop {
        match self.0.wait_for(Option::is_some).await {
            Ok(stop) => stop.unwrap_or(Stop::Cancelled),
            Err(_) => std::future::pending().await,
        }
    }

    /// Whether there is a stop.
    pub(super) fn seen(&self) -> Option<Stop> {
        *self.0.borrow()
    }
}

async fn wait(
    file: &std::path::Path,
    deadline: Timestamp,
    term: &mut Signal,
    interrupt: &mut Signal,
    hang_up: &mut Signal,
) -> Stop {
    let mut poll = tokio::time::interval(POLL);
    loop {
        tokio::select! {
            _ = term.recv() => return Stop::Cancelled,
            _ = interrupt.recv() => return Stop::Cancelled,
            _ = hang_up.recv() => {}
            _ = poll.tick() => {
                if file.exists() {
                    return Stop::Cancelled;
                }
                // The wall clock, so that a machine that slept keeps to the deadline, too.
                if Timestamp::now() >= deadline {
                    return Stop::Deadline;
                }
            }
        }
    }
}
