//! An engine that a keeper started.

use std::time::Instant;

use futures::future::{FutureExt as _, select_all};

use super::child::Guarded;
use super::guard::ProcessExit;
use crate::run::local::tail::Tail;

/// An engine that was started.
pub(super) struct StartedEngine {
    pub process: Guarded,
    pub port: u16,
    pub argv: Vec<String>,
    pub begun: Instant,
    pub log: Tail,
    /// Lines of its log that went to the journal.
    pub logged: usize,
    pub model: Option<String>,
}

/// Waits for the first engine to end; for ever where there is none.
pub(super) async fn engine_end(engines: &[StartedEngine]) -> (usize, ProcessExit) {
    if engines.is_empty() {
        return std::future::pending().await;
    }
    let (exit, index, _) = select_all(engines.iter().map(|engine| engine.process.exited().boxed_local())).await;
    (index, exit)
}
