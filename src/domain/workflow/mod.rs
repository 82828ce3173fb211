//! The wizard's draft and its rules: eight steps, owned by the server, saved at every step, frozen into a benchmark at the end.
//! Browser, scripts and CI use the same path: a JSON body becomes a [`body::Body`], [`needs::needs`] determines what has to be
//! looked up for it, and [`advance::advance`] applies it completely or not at all.

pub mod advance;
pub mod answer;
pub mod body;
pub mod facts;
pub mod fields;
pub mod freeze;
pub mod load_form;
pub mod needs;
mod only_answer;
pub mod page;
mod reader;
pub mod sentence;
pub mod state;
pub mod step_form;
pub mod steps;
mod values;

#[cfg(test)]
mod tests;

pub use advance::{Advance, Refusal, Stamp, advance};
pub use answer::{WorkflowAnswer, WorkflowRow, WorkflowStatus};
pub use body::Body;
pub use facts::{ClusterFacts, Facts};
pub use freeze::{draft_from, freeze};
pub use needs::{Needs, needs, needs_to_run};
pub use only_answer::{only_cluster, only_node};
pub use page::WizardPage;
pub use sentence::{load_sentence, trace_sentence};
pub use state::{Draft, WorkflowSteps, request_nodes};
