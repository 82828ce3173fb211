//! Inference engines: how each is found, started, known to be ready and stopped (`recipes`), whether a model fits where it
//! is to run (`fit`).

pub mod args;
pub mod devices;
pub mod environment;
pub mod fit;
pub mod memory;
pub mod recipes;

pub use crate::domain::inventory::EngineAvailability;
pub use args::validate_args;
pub use recipes::{
    Launch, Program, ProgramSearch, Recipe, RecipeError, Serve, ServedModel, availability, image_of, recipe, tag_of,
};
