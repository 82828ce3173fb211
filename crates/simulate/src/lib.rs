//! Predicts what a benchmark of an LLM inference engine would measure.
//!
//! One replica of the engine is simulated step by step: its scheduler decides what each step computes, a calibrated roofline says
//! how long that takes. Pure: no input or output, no clock; the same input gives the same bytes.

pub mod calibrate;
#[cfg(feature = "cli")]
pub mod command;
pub mod device;
pub mod engine;
pub mod layout;
pub mod limits;
pub mod memory;
pub mod model;
mod names;
pub mod outcome;
pub mod own_runs;
pub mod planned;
pub mod precision;
pub mod profile;
pub mod scenario;
mod simulation_error;
pub mod step;
pub mod workload;

pub use device::SimulatedDevice;
pub use engine::{Engine, EngineSettings, EngineVersion};
pub use limits::{Limits, StopFlag};
pub use model::ModelDescriptor;
pub use outcome::Outcome;
pub use precision::{KvPrecision, Precision};
pub use profile::Profiles;
pub use scenario::{Scenario, Simulation, SimulationError, Simulator};
pub use workload::{Request, SimulatedLoad, SimulatedWorkload, TokenLengths};
