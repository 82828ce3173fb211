//! What coordinator and workers say to each other: a JSON object a line; after one that announces records, their bytes.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::client::phase::PhaseEnd;
use crate::phase_driver::PromptSupply;
use crate::records::WorkerRecords;
use dyno_measure::events::LoadEventKind;
use dyno_measure::plan::{Load, Part, Plan};
use dyno_measure::report::{ClientHealth, Note, Phase};

/// The first thing that a worker reads.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Preparation {
    /// Of the coordinator: both must be of one version.
    pub version: String,
    pub plan: Plan,
    pub part: Part,
    /// Begins each request's id.
    pub id_prefix: String,
    /// The core that it keeps to.
    #[serde(default)]
    pub core: Option<usize>,
}

/// What a worker is told once it was prepared.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "snake_case")]
pub(super) enum WorkerCommand {
    /// What its clock shows; answered at once, whatever it does.
    Clock,
    Open {
        connections: u32,
    },
    Run(PhaseOrder),
    /// The verdict on a phase is certain: no further requests.
    Decide {
        phase: u64,
    },
    Stop {
        reason: String,
    },
    ShiftPrompts {
        tokens: i64,
    },
    /// Nothing follows: it counts, says what it has to say, and ends.
    Finish,
}

/// A phase of the whole load; `crate::client::phase::PhasePlan` without what a worker knows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct PhaseOrder {
    /// From 1.
    pub number: u64,
    pub load_point: u32,
    pub phase: Phase,
    pub load: Load,
    pub count: Option<u32>,
    pub duration_ns: Option<i64>,
    pub ramp_ns: i64,
    pub seed: u64,
    pub first_prompt: u64,
    /// On the worker's monotonic clock, ns.
    pub begin: i64,
}

/// What a worker says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "snake_case")]
pub(super) enum WorkerMessage {
    /// An event of the load.
    Event {
        kind: LoadEventKind,
    },
    Ready(WorkerFacts),
    /// When it read the question and when it answered, on its monotonic clock, ns.
    Clock {
        received: i64,
        answered: i64,
    },
    Opened {
        ending: PhaseEnd,
    },
    Ended(PhaseResult),
    /// So many bytes of records and of their gaps follow. With `replaces`, those sent before count no more.
    Records {
        replaces: bool,
        lines: usize,
        gaps: usize,
    },
    Finished(Box<WorkerResult>),
    /// It can't be part of the load.
    Refused {
        reason: String,
    },
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct WorkerFacts {
    /// Its records' Unix times less its monotonic clock, ns.
    pub unix_offset: i64,
    pub knows_template: bool,
    /// Requests of its trace.
    pub trace: Option<u32>,
    pub supply: PromptSupply,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct PhaseResult {
    pub ending: PhaseEnd,
    pub issued: u32,
    /// How long after its agreed moment it began, ns.
    pub late: i64,
    pub supply: PromptSupply,
}

/// What a worker knows beside its records.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct WorkerResult {
    pub client: ClientHealth,
    pub notes: Vec<Note>,
    pub invalid: Vec<String>,
    pub disagreement: HashMap<u32, f64>,
}

/// On the way to the coordinator.
#[derive(Debug)]
pub(crate) enum WorkerOutput {
    Message(Box<OutgoingMessage>),
    Records(WorkerRecords),
    /// The part is over; no message follows.
    End,
    /// The clock was asked for at this moment.
    Clock {
        received: i64,
    },
}

/// A message, which only this module's children know.
#[derive(Debug)]
pub(crate) struct OutgoingMessage(pub(super) WorkerMessage);

impl From<WorkerMessage> for WorkerOutput {
    fn from(message: WorkerMessage) -> Self {
        Self::Message(Box::new(OutgoingMessage(message)))
    }
}
