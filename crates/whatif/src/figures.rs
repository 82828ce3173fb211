//! The subject simulated at one point.

use dyno_measure::plan::default_ramp_s;
use dyno_simulate::scenario::Simulation;
use dyno_simulate::workload::{Request, SimulatedLoad, SimulatedWorkload};
use dyno_simulate::{Scenario, SimulationError, Simulator};

use crate::ask::WhatIfQuestion;
use crate::subject::WhatIfSubject;

/// Requests that a run's own number counts for, at most.
const MOST_OF_RUN: u32 = 1_000;
/// Requests for each user, where the run had more.
const MOST_PER_USER: f64 = 10.0;
/// Requests at one point, at most, unless there are more users.
const MOST_REQUESTS: u32 = 4_096;
/// Parts of prompts at one point, at most, unless each user sends less than one request.
const MOST_PARTS: u32 = 24_000;
/// What one point may take, in sequences that the scheduler looks at: about 30 ms in a browser.
pub(crate) const MOST_WORK: u64 = 1_250_000;

impl WhatIfSubject {
    /// Requests that are simulated at a load: as many as the run had, and as many for each user where there are more of them, but
    /// no more than take a moment.
    pub fn requests(&self, concurrency: u32, input: u32) -> u32 {
        let run = self.run.requests.clamp(1, MOST_OF_RUN);
        let per_user = (f64::from(run) / f64::from(self.run.concurrency.max(1))).min(MOST_PER_USER);
        let wanted = run.max((per_user * f64::from(concurrency)).round() as u32);
        let parts = 2 + input / self.settings.max_batched_tokens.max(1);
        wanted.min(MOST_REQUESTS).min(MOST_PARTS / parts).max(concurrency)
    }

    /// A closed loop of fixed lengths, put on as the run's load was.
    pub fn simulate(&self, question: &WhatIfQuestion) -> Result<Simulation, SimulationError> {
        let WhatIfQuestion { concurrency, input, output, .. } = *question;
        let request = Request { arrival: 0.0, input, output };
        let ramp = self.run.ramp_s.unwrap_or_else(|| default_ramp_s(concurrency));
        let workload = SimulatedWorkload {
            requests: vec![request; self.requests(concurrency, input) as usize],
            load: SimulatedLoad::Closed { concurrency, ramp },
            warmup: 0,
            until: None,
        };
        self.simulator(question)?.run(&workload)
    }

    fn simulator(&self, question: &WhatIfQuestion) -> Result<Simulator<'_>, SimulationError> {
        let scenario = Scenario {
            model: &self.model,
            device: &self.device,
            engine: self.engine,
            version: None,
            precision: self.model.precision,
            kv_precision: Some(self.kv_precision),
            tensor_parallel: question.tensor_parallel,
            replicas: question.replicas(),
            settings: Some(self.settings),
            kv_tokens: None,
        };
        Simulator::with_factors(scenario, self.efficiency, self.kv_precision, self.prediction, Vec::new())
            .map(|simulator| simulator.with_most_work(MOST_WORK))
    }
}
