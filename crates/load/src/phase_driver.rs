//! What carries out the phases of a load: this process's event loop, or workers that share them.

use std::io;
use std::sync::Arc;

use crate::client::drive::EventLoop;
use crate::client::phase::{PhaseEnd, PhasePlan};
use crate::progress::Progressing;
use crate::workload::Prompts;
use dyno_measure::early_stop::EarlyStop;
use dyno_measure::plan::Part;
use dyno_measure::records::Records;

/// How many different prompts there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum PromptSupply {
    /// As many as are asked for.
    Endless,
    Rows(u64),
    /// Conversations begun in measurements, and all that there are.
    Conversations {
        begun: u64,
        all: u64,
    },
}

impl From<&Prompts> for PromptSupply {
    fn from(prompts: &Prompts) -> Self {
        match prompts {
            Prompts::Synthetic(_) => Self::Endless,
            Prompts::Dataset(dataset) => Self::Rows(dataset.len() as u64),
            Prompts::Turns(turns) => Self::Conversations { begun: turns.begun(), all: turns.len() as u64 },
        }
    }
}

pub(super) trait PhaseDriver {
    /// Opens so many connections.
    fn open(&mut self, connections: u32) -> PhaseEnd;

    /// Carries out a phase of the whole load, to its end.
    fn run(&mut self, phase: &PhasePlan<'_>) -> PhaseEnd;

    /// How many prompts the latest phase used up.
    fn used(&self) -> u32;

    /// Number of requests of a phase limited to `count`; a trace may have fewer.
    fn planned(&mut self, count: Option<u32>) -> Option<u32>;

    fn records(&self) -> &Records;

    fn progress(&mut self) -> &mut Progressing;

    /// Ends phases once the verdict on them is certain; absent: all requests are sent.
    fn set_early_stop(&mut self, early_stop: Option<EarlyStop>);

    /// Whether the early stop has decided the latest phase.
    fn is_decided(&self) -> bool;

    fn supply(&mut self) -> PromptSupply;

    /// Makes prompts so many tokens longer, where their lengths can be chosen; returns whether.
    fn shift_prompts(&mut self, tokens: i64) -> bool;

    fn file_failed(&mut self, error: io::Error);
}

impl PhaseDriver for EventLoop<'_> {
    fn open(&mut self, connections: u32) -> PhaseEnd {
        EventLoop::open(self, connections, Part::WHOLE)
    }

    fn run(&mut self, phase: &PhasePlan<'_>) -> PhaseEnd {
        EventLoop::run(self, phase)
    }

    fn used(&self) -> u32 {
        self.issued()
    }

    fn planned(&mut self, count: Option<u32>) -> Option<u32> {
        self.requests().planned(count)
    }

    fn records(&self) -> &Records {
        &self.records
    }

    fn progress(&mut self) -> &mut Progressing {
        EventLoop::progress(self)
    }

    fn set_early_stop(&mut self, early_stop: Option<EarlyStop>) {
        self.early_stop = early_stop;
    }

    fn is_decided(&self) -> bool {
        self.early_stop.as_ref().is_some_and(EarlyStop::is_over)
    }

    fn supply(&mut self) -> PromptSupply {
        PromptSupply::from(&self.requests().prompts)
    }

    fn shift_prompts(&mut self, tokens: i64) -> bool {
        let Prompts::Synthetic(synthetic) = &mut self.requests().prompts else { return false };
        // no other thread holds the prompts between two phases
        Arc::make_mut(synthetic).shift(tokens);
        true
    }

    fn file_failed(&mut self, error: io::Error) {
        self.file_error.get_or_insert(error);
    }
}
