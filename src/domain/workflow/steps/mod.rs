//! The rules of each step: how its fields are read and applied to a draft.

pub(super) mod cluster;
pub(super) mod confirmation;
pub(super) mod credential;
pub(super) mod details;
pub(super) mod execution;
pub(super) mod load;
pub(super) mod load_pods;
pub(super) mod model;
pub(super) mod nodes;
mod workload;

pub use credential::opens;
pub use details::DetailsPatch;
pub use load::LoadPatch;
pub use load_pods::suggestion;
pub use model::{ModelPatch, default_engine, missing_engine, reads};
pub use nodes::NodesPatch;
