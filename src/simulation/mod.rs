//! The portal's interface to the simulator: converts a benchmark to the simulator's scenario and workload, and its samples to
//! records and a report like those of a measured run. Blocks; pure but for reading model and dataset files.

mod advice;
mod catalogue;
mod device;
mod layout;
mod learn;
mod model;
mod records;
mod simulate;
mod slots;
mod specification;
mod what_if;
mod workload;

pub use advice::{AdviceFailure, LayoutQuestion, advise};
pub use catalogue::{engines, hypothetical_nodes, hypothetical_nodes_with};
pub use device::{ambiguous_device, device_name, known_devices};
pub use layout::{LayoutError, SimulatedLayout, layout};
pub use learn::{LearnFailure, MOST_LEARNT_REQUESTS, engine_version, measured, nodes_of, predict, version_of};
pub use model::is_known_by_name;
pub use simulate::{Simulated, SimulatedRun, SimulationFailure, simulate};
pub use slots::{SimulationSlot, SimulationSlots, SimulationTask};
pub use specification::{data_sheet, specified_name, specify};
pub use what_if::{SimulatedSubject, simulated_subject};
