//! The simulator as the portal asks it: what a benchmark asks for becomes its scenario and workload, and its samples become
//! records and a report like those of a measured run. Blocks; pure but for the files of models and datasets.

mod advice;
mod catalogue;
mod device;
mod layout;
mod learn;
mod model;
mod records;
mod simulate;
mod workload;

pub use advice::{AdviceFailure, LayoutQuestion, advise};
pub use catalogue::{engines, hypothetical_nodes};
pub use layout::{LayoutError, SimulatedLayout, layout};
pub use learn::{LearnFailure, MOST_LEARNT_REQUESTS, engine_version, measured, nodes_of, predict, version_of};
pub use simulate::{Simulated, SimulatedRun, SimulationFailure, simulate};
