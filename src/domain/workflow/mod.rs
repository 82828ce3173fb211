//! The wizard's draft and its rules: eight steps, owned by the server, saved at every step, frozen into a benchmark at
//! the end.

pub mod answer;
pub mod fields;
pub mod page;
pub mod state;

pub use answer::{WorkflowAnswer, WorkflowRow, WorkflowStatus};
pub use page::Page;
pub use state::{ChosenDevice, ChosenNode, Draft, WorkflowSteps};
