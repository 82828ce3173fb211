//! What if the load, the lengths or the layout were others? The simulated run's question asked again, as often as somebody moves
//! a slider: the figures at the chosen point, and throughput against latency around it.
//!
//! The browser runs this as a WASM module of its own in a worker, the server as a library, so that both say the same. SubjectNumbers
//! come in; markup of words, figures and SVG comes out, which holds nothing but what is written here. Pure and deterministic.

pub mod ask;
#[cfg(target_arch = "wasm32")]
mod browser;
mod curve;
mod draw;
mod explore;
mod figures;
pub mod subject;

pub use ask::{FIELDS, SliderField, WhatIfQuestion};
pub use explore::WhatIfExplorer;
pub use subject::WhatIfSubject;
