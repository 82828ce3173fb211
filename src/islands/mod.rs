//! All code that becomes WASM. Islands render little themselves: they listen, request HTML from the server and insert it, so
//! that everything is rendered and worded in one place.

mod alive;
mod chart_cursor;
mod copy_text;
#[cfg(feature = "browser")]
mod dom;
mod follow_run;
mod form_guard;
mod renew;
mod reveal;
#[cfg(any(feature = "ssr", feature = "hydrate"))]
mod step_check;
mod theme_switch;
mod what_if_sliders;

pub use alive::Alive;
pub use chart_cursor::ChartCursor;
pub use copy_text::CopyText;
pub use follow_run::FollowRun;
pub use form_guard::FormGuard;
pub use renew::Renew;
pub use reveal::Reveal;
#[cfg(any(feature = "ssr", feature = "hydrate"))]
pub use step_check::StepCheck;
pub use theme_switch::ThemeSwitch;
pub use what_if_sliders::WhatIfSliders;
