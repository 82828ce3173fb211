//! Why something is not simulated.

use crate::memory::MemoryFit;

#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SimulationError {
    #[error("{heads} attention heads can't be divided over {tensor_parallel} devices")]
    Indivisible { heads: u32, tensor_parallel: u32 },
    #[error("needs at least one device and one replica")]
    NoDevice,
    #[error("no requests")]
    NoRequests,
    #[error(
        "does not fit: {:.1} GB of weights, {:.1} GB of reserve and {:.2} GB of KV cache for one request of {} tokens need {:.1} GB more than the {:.1} GB usable of each device",
        .0.weights / 1e9, .0.reserve / 1e9, .0.longest_request as f64 * .0.kv_bytes_per_token / 1e9, .0.longest_request, .0.missing() / 1e9, .0.usable / 1e9
    )]
    DoesNotFit(MemoryFit),
    #[error("too large to be simulated: the scheduler has more steps to take than are simulated here")]
    TooMuchWork,
    #[error("too large to be simulated: the time between tokens changes more often than can be kept")]
    TooManyGaps,
    #[error("the simulation was stopped")]
    Stopped,
}
