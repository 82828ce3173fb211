//! Where the events of a load go.

use std::rc::Rc;

use dyno_measure::events::LoadEventKind;

/// Receives each event of a load. Called on the client's own thread, so it must not block.
pub type EventSink = Rc<dyn Fn(LoadEventKind)>;
