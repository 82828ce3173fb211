use std::io;

use dyno_datasets::TraceError;

/// Why prompts can't be made of what a plan names.
#[derive(Debug, thiserror::Error)]
pub enum WorkloadError {
    #[error("The trace {name} can't be read: {source}.")]
    TraceNotRead { name: String, source: io::Error },
    #[error("The trace {0} is not the one that the plan names: its digest differs.")]
    OtherTrace(String),
    #[error(transparent)]
    Trace(#[from] TraceError),
    #[error("All requests of the trace {name} are longer than the model's context, {context} tokens.")]
    TraceTooLong { name: String, context: u32 },
    #[error("The dataset {name} can't be read: {source}.")]
    DatasetNotRead { name: String, source: io::Error },
    #[error("Line {line} of the dataset {name} is no row: {source}.")]
    NoRow { name: String, line: u64, source: serde_json::Error },
    #[error("Line {line} of the dataset {name} has no message.")]
    NoMessage { name: String, line: u64 },
    #[error("The dataset {0} is not the one that the plan names: its digest differs.")]
    OtherDataset(String),
    #[error("The datasets have no rows.")]
    NoRows,
    #[error("The reading of the datasets was stopped.")]
    Stopped,
    /// The input length is below the least possible: its `shortest` part takes `least` tokens.
    #[error(
        "An input length of {asked} tokens is not possible: the {shortest} take {least}. Ask for at least {least} input tokens."
    )]
    InputTooShort { asked: u32, shortest: &'static str, least: u32 },
}
