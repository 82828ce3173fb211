//! How far a load is, from its spool.

use std::path::Path;

use crate::run::local::tail::Tail;
use crate::run::tally::Tally;
use dyno_measure::events::LoadEvent;

/// Reads a spool; one that is missing or broken off has what was written.
pub(super) fn read(spool: &Path) -> Tally {
    let mut tail = Tail::new(spool, 0);
    let mut tally = Tally::default();
    while let Ok(lines) = tail.lines() {
        if lines.is_empty() {
            break;
        }
        for event in lines.iter().filter_map(|line| serde_json::from_slice::<LoadEvent>(line).ok()) {
            tally.add(&event.kind);
        }
    }
    tally
}
