//! Whoever is told what happens while a load goes on.

use std::rc::Rc;

use dyno_measure::events::LoadEventKind;

/// Takes each event as it comes; called on the client's own thread, so that it must not wait.
pub type Tell = Rc<dyn Fn(LoadEventKind)>;
