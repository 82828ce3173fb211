//! Inference engines: finding, starting and stopping them (`recipes`), and whether a model fits on the chosen nodes (`fit`).

pub mod args;
pub mod devices;
pub mod environment;
pub mod fit;
pub mod memory;
mod overrides;
pub mod recipes;

pub use crate::domain::engine::EngineAvailability;
pub use args::validate_args;
pub use overrides::{EngineOverride, EngineOverrides};
pub use recipes::{Launch, Program, ProgramSearch, Recipe, RecipeError, Serve, ServedModel, availability, recipe, tag_of};
