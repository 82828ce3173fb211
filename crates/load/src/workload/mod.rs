//! The requests: synthetic prompts of exact lengths or rows of datasets, and the request bodies around them.

mod dataset;
mod error;
mod length_fit;
mod multi_turn;
mod prompt_id;
mod requests;
mod synthetic;
mod trace;
mod words;
mod write_ahead;

pub use self::dataset::{PromptDataset, PromptRow, RowLengths};
pub use self::error::WorkloadError;
pub use self::length_fit::{Wanted, fit};
pub use self::multi_turn::Turns;
pub use self::prompt_id::PromptId;
pub use self::requests::{Prompts, Requests};
pub use self::synthetic::{Asked, Synthetic, TraceRequest};
pub use self::trace::{Played, listed};
pub use dyno_measure::load::LengthSampler;
