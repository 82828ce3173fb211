//! The steps in which a question is answered: the chosen point first, then a coarse curve, then the rest, then other layouts. Each
//! step is short, so that a newer question need not wait.

use std::collections::VecDeque;

use dyno_simulate::SimulationError;
use dyno_simulate::scenario::Simulation;

use crate::ask::{CONCURRENCY, DEGREES, InvalidSlider, WhatIfQuestion};
use crate::curve::{LayoutCurve, WhatIfPoint};
use crate::draw::{invalid, result};
use crate::figures::MOST_WORK;
use crate::subject::WhatIfSubject;

/// No further point is begun in a step once it took so much, in sequences that the scheduler looked at.
const WORK_PER_STEP: u64 = 60_000;
/// What all of an answer may take; curves of other layouts end where it is spent.
const WORK_PER_ANSWER: u64 = 12_000_000;
/// Loads that a curve reaches at least.
const LEAST_REACH: u32 = 64;

/// A place on a curve: the layout's degree and the load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct CurveTask {
    tensor_parallel: u32,
    concurrency: u32,
}

/// One subject, and what is known so far of the newest question about it.
#[derive(Debug)]
pub struct WhatIfExplorer {
    subject: WhatIfSubject,
    invalid: Option<InvalidSlider>,
    asked: Option<WhatIfQuestion>,
    chosen: Option<Result<Simulation, SimulationError>>,
    curves: Vec<LayoutCurve>,
    tasks: VecDeque<CurveTask>,
    work: u64,
}

impl WhatIfExplorer {
    pub fn new(subject: WhatIfSubject) -> Self {
        Self { subject, invalid: None, asked: None, chosen: None, curves: Vec::new(), tasks: VecDeque::new(), work: 0 }
    }

    /// Asks anew, with the values of [`crate::FIELDS`] in their order; what was known of an earlier question is dropped.
    pub fn ask(&mut self, values: [f64; 5]) {
        (self.invalid, self.asked, self.chosen) = (None, None, None);
        self.curves.clear();
        self.tasks.clear();
        self.work = 0;
        match WhatIfQuestion::of(values) {
            Ok(question) => {
                self.asked = Some(question);
                self.tasks = self.tasks_of(&question);
            }
            Err(error) => self.invalid = Some(error),
        }
    }

    /// What is known after a further step, as markup; nothing once all is.
    pub fn step(&mut self) -> Option<String> {
        if let Some(error) = self.invalid.take() {
            return Some(invalid(&error));
        }
        let question = self.asked?;
        let mut work = 0;
        if self.chosen.is_none() {
            let simulated = self.subject.simulate(&question);
            work += work_of(&simulated);
            self.add(question.tensor_parallel, question.concurrency, simulated.as_ref().ok());
            self.chosen = Some(simulated);
        } else if self.tasks.is_empty() {
            return None;
        }
        while work < WORK_PER_STEP
            && let Some(CurveTask { tensor_parallel, concurrency }) = self.tasks.pop_front()
        {
            let simulated = self.subject.simulate(&WhatIfQuestion { concurrency, tensor_parallel, ..question });
            work += work_of(&simulated);
            match simulated {
                Ok(simulation) => self.add(tensor_parallel, concurrency, Some(&simulation)),
                // Higher loads take more; what does not fit, does not at any load.
                Err(error) => {
                    let hopeless = |load: u32| error != SimulationError::TooMuchWork || load > concurrency;
                    self.tasks.retain(|task| task.tensor_parallel != tensor_parallel || !hopeless(task.concurrency));
                }
            }
        }
        self.work += work;
        if self.work > WORK_PER_ANSWER {
            self.tasks.clear();
        }
        let chosen = self.chosen.as_ref()?;
        Some(result(&self.subject, &question, chosen, &self.curves))
    }

    /// All steps at once: what is known in the end.
    pub fn answer(&mut self, values: [f64; 5]) -> String {
        self.ask(values);
        std::iter::from_fn(|| self.step()).last().unwrap_or_default()
    }

    /// At the sliders' values; nothing before the first step.
    pub fn chosen(&self) -> Option<&Result<Simulation, SimulationError>> {
        self.chosen.as_ref()
    }

    fn add(&mut self, tensor_parallel: u32, concurrency: u32, simulation: Option<&Simulation>) {
        let Some(point) = simulation.and_then(|simulation| WhatIfPoint::of(concurrency, &simulation.outcome)) else { return };
        let place = self.curves.partition_point(|curve| curve.tensor_parallel < tensor_parallel);
        if self.curves.get(place).is_none_or(|curve| curve.tensor_parallel != tensor_parallel) {
            self.curves.insert(place, LayoutCurve { tensor_parallel, points: Vec::new() });
        }
        self.curves[place].add(point);
    }

    /// Where the curves go, the coarse one of the chosen layout first.
    fn tasks_of(&self, question: &WhatIfQuestion) -> VecDeque<CurveTask> {
        let reach = (question.concurrency.saturating_mul(4)).clamp(LEAST_REACH, CONCURRENCY.most);
        let loads = || (0..).map(|power| 1_u32 << power).take_while(|&load| load <= reach).enumerate();
        let of = |tensor_parallel: u32, rest: u32| {
            loads()
                .filter(move |(place, _)| *place as u32 % 2 == rest)
                .map(move |(_, concurrency)| CurveTask { tensor_parallel, concurrency })
        };
        let chosen = question.tensor_parallel;
        let most = question.devices.min(self.subject.device.devices_per_node);
        let others = DEGREES.into_iter().filter(|&degree| degree != chosen && degree <= most);
        let others = others.filter(|&degree| self.subject.model.divides(degree));
        std::iter::once(chosen)
            .chain(others)
            .flat_map(|degree| of(degree, 0).chain(of(degree, 1)))
            .filter(|task| *task != CurveTask { tensor_parallel: chosen, concurrency: question.concurrency })
            .collect()
    }
}

fn work_of(simulated: &Result<Simulation, SimulationError>) -> u64 {
    match simulated {
        Ok(simulation) => simulation.outcome.work,
        Err(SimulationError::TooMuchWork) => MOST_WORK,
        Err(_) => 1,
    }
}

#[cfg(test)]
mod tests {
    use dyno_simulate::Engine;

    use super::*;
    use crate::subject::tests::subject;

    const ASKED: [f64; 5] = [16.0, 512.0, 128.0, 8.0, 4.0];

    #[test]
    fn the_first_step_has_the_figures_and_later_ones_the_curves() {
        let subject = subject("meta-llama/Llama-3.1-70B", "H100", Engine::Vllm);
        let mut explorer = WhatIfExplorer::new(subject.clone());
        assert_eq!(explorer.step(), None, "nothing was asked");
        let asked = [128.0, 512.0, 128.0, 8.0, 4.0];
        explorer.ask(asked);
        let first = explorer.step().unwrap();
        assert!(first.contains("TTFT") && first.contains("<svg"), "{first}");
        let steps = std::iter::from_fn(|| explorer.step()).collect::<Vec<_>>();
        assert!(!steps.is_empty() && steps.last() != Some(&first));
        // One device of 80 GB does not hold 141 GB of weights; of two hardly anything is left.
        let degrees: Vec<u32> = explorer.curves.iter().map(|curve| curve.tensor_parallel).collect();
        assert_eq!(degrees, [2, 4, 8]);
        for curve in &explorer.curves {
            let loads: Vec<u32> = curve.points.iter().map(|point| point.concurrency).collect();
            assert_eq!(loads, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]);
        }
        let other = WhatIfExplorer::new(subject).answer(asked);
        assert_eq!(Some(&other), steps.last(), "the same question has the same answer");
    }

    #[test]
    fn a_newer_question_leaves_nothing_of_the_earlier_one() {
        let mut explorer = WhatIfExplorer::new(subject("meta-llama/Llama-3.1-8B", "L4", Engine::Vllm));
        explorer.ask([64.0, 2048.0, 256.0, 4.0, 2.0]);
        explorer.step().unwrap();
        let after = explorer.answer(ASKED);
        assert_eq!(after, WhatIfExplorer::new(subject("meta-llama/Llama-3.1-8B", "L4", Engine::Vllm)).answer(ASKED));
    }

    #[test]
    fn what_is_no_question_is_said_once() {
        let mut explorer = WhatIfExplorer::new(subject("meta-llama/Llama-3.1-8B", "L4", Engine::Vllm));
        explorer.ask([0.0, 512.0, 128.0, 8.0, 4.0]);
        assert!(explorer.step().unwrap().contains("Requests in flight: a whole number from 1 to 1,024."));
        assert_eq!(explorer.step(), None);
    }

    #[test]
    fn a_model_that_does_not_fit_says_by_how_much_and_the_layouts_that_do_are_drawn() {
        let mut explorer = WhatIfExplorer::new(subject("meta-llama/Llama-3.1-70B", "H100", Engine::Vllm));
        let markup = explorer.answer([16.0, 512.0, 128.0, 8.0, 1.0]);
        assert!(markup.contains("does not fit") && markup.contains("GB"), "{markup}");
        assert!(matches!(explorer.chosen(), Some(Err(SimulationError::DoesNotFit(memory))) if memory.missing() > 60e9));
        assert_eq!(explorer.curves.len(), 3);
        assert!(markup.contains("<svg"), "the others are drawn");
    }

    #[test]
    fn what_would_take_long_is_given_up_and_said() {
        // Long answers of many users in a small cache: each is preempted over and over.
        let mut explorer = WhatIfExplorer::new(subject("meta-llama/Llama-3.1-70B", "H100", Engine::Vllm));
        let markup = explorer.answer([1024.0, 1024.0, 16_384.0, 8.0, 8.0]);
        assert_eq!(explorer.chosen(), Some(&Err(SimulationError::TooMuchWork)));
        assert!(markup.contains("more steps to take than are simulated here"), "{markup}");
        assert!(markup.contains("<svg"), "smaller loads are drawn");
    }

    #[test]
    fn everybody_sends_at_least_one_request() {
        let subject = subject("meta-llama/Llama-3.1-8B", "A100", Engine::Vllm);
        for (concurrency, input) in [(1, 1), (16, 512), (1024, 1), (1024, 8192), (1024, 131_072)] {
            let requests = subject.requests(concurrency, input);
            assert!((concurrency..=10 * concurrency.max(100)).contains(&requests), "{concurrency} {input}: {requests}");
        }
        assert_eq!(subject.requests(16, 512), 100, "as many as the run had");
    }
}
