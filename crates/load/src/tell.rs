//! Whoever is told what happens while a load goes on.

use std::rc::Rc;

use dyno_measure::events::LoadNews;

/// Takes each piece of news as it comes; called on the client's own thread, so that it must not wait.
pub type Tell = Rc<dyn Fn(LoadNews)>;
