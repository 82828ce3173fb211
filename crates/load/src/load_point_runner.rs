//! The load points of a plan, one after the other.

use std::sync::Arc;

use crate::client::clock;
use crate::client::drive::EventLoop;
use crate::client::phase::{PhaseEnd, PhasePlan};
use crate::pace::Work;
use crate::tell::Tell;
use crate::tokens::Tokens;
use crate::workload::Prompts;
use dyno_measure::early_stop::EarlyStop;
use dyno_measure::events::LoadEventKind;
use dyno_measure::live_figures::Upcoming;
use dyno_measure::plan::{Load, Plan, PlannedLoad};
use dyno_measure::report::Phase;
use dyno_measure::report::{finished_load_point, load_point_figures, verdict};
use dyno_measure::search::{Search, Verdict};
use dyno_measure::sidecar::{BegunLoadPoint, Sidecar};
use dyno_measure::words::count;

/// The load points one after the other: those of the plan, or those that a search asks for.
pub(super) struct LoadPointRunner<'p> {
    plan: &'p Plan,
    tokens: &'p Tokens,
    tell: &'p Tell,
    sidecar: Sidecar,
    /// Prompts that were used: of warm-ups, and of measurements.
    used: (u64, u64),
}

impl<'p> LoadPointRunner<'p> {
    /// None of them begun yet.
    pub(super) fn new(plan: &'p Plan, tokens: &'p Tokens, tell: &'p Tell, sidecar: Sidecar) -> Self {
        Self { plan, tokens, tell, sidecar, used: (0, 0) }
    }

    /// What is to stand beside the records.
    pub(super) fn into_sidecar(self) -> Sidecar {
        self.sidecar
    }

    pub(super) fn run(&mut self, driver: &mut EventLoop<'_>, notes: &mut Vec<String>) -> PhaseEnd {
        let ending = match self.plan.search() {
            Some((variable, min, max)) => self.search(driver, Search::new(variable, min, max), notes),
            None => self.sweep(driver, notes),
        };
        if let Prompts::Turns(turns) = &driver.requests().prompts
            && turns.begun() > turns.len() as u64
        {
            let (begun, all) = (turns.begun(), turns.len());
            notes.push(format!("Conversations were repeated: {begun} were begun, the datasets have {all}."));
        }
        if let Prompts::Dataset(dataset) = &driver.requests().prompts
            && ending == PhaseEnd::Done
            && self.used.1 > dataset.len() as u64
        {
            let (requests, rows) = (count(self.used.1, "request"), count(dataset.len() as u64, "row"));
            notes.push(format!("Rows of the datasets were repeated: {requests}, {rows}."));
        }
        ending
    }

    fn sweep(&mut self, driver: &mut EventLoop<'_>, notes: &mut Vec<String>) -> PhaseEnd {
        let points = &self.plan.load_points;
        for (number, point) in points.iter().enumerate() {
            let rest = &points[number + 1..];
            let loads: Vec<_> = rest.iter().filter_map(|point| point.load.offered()).collect();
            let next = (!loads.is_empty()).then_some(Upcoming::Loads { loads });
            driver.progress().set_next(u32::try_from(points.len()).unwrap_or(u32::MAX), next);
            let ending = self.point(driver, point.clone(), rest, notes);
            if ending != PhaseEnd::Done {
                return ending;
            }
        }
        PhaseEnd::Done
    }

    fn search(&mut self, driver: &mut EventLoop<'_>, mut search: Search, notes: &mut Vec<String>) -> PhaseEnd {
        while let Some(point) = search.next().and_then(|load| self.plan.point_at(load)) {
            let number = self.sidecar.points.len();
            let most = search.most_left();
            driver.progress().set_next(most + number as u32, Some(either_way(&search)));
            // what is confirmed is measured with all of its requests
            let limits = self.plan.slo.clone().filter(|_| !search.is_confirming());
            driver.early_stop = limits.zip(point.requests()).map(|(slo, requests)| EarlyStop::new(slo, requests));
            // those that follow close in on the answer: their loads are not known, and not far from this one
            let confirmations = search.confirmations_left();
            let rest = match most - confirmations {
                0 => confirmations.saturating_sub(1),
                steps => steps.saturating_sub(2) + confirmations,
            };
            let rest = vec![point.clone(); rest as usize];
            let ending = self.point(driver, point, &rest, notes);
            driver.early_stop = None;
            if ending != PhaseEnd::Done {
                return ending;
            }
            let Some(begun) = self.sidecar.points.last() else { break };
            let figures = load_point_figures(&driver.records, self.plan, number as u32, begun);
            search.answer(verdict(&figures));
            self.write_sidecar(driver);
        }
        PhaseEnd::Done
    }

    /// One load point, its warm-up first. The `rest` follow it, or are estimated to.
    fn point(
        &mut self,
        driver: &mut EventLoop<'_>,
        point: PlannedLoad,
        rest: &[PlannedLoad],
        notes: &mut Vec<String>,
    ) -> PhaseEnd {
        let plan = self.plan;
        let number = self.sidecar.points.len() as u32;
        self.sidecar.points.push(BegunLoadPoint { planned: point.clone(), ended_early: false });
        self.write_sidecar(driver);
        let connections = match point.load {
            Load::Closed { concurrency } => point.closed_streams(concurrency),
            Load::Rate { rate, max_in_flight, .. } => max_in_flight.min((rate.ceil() as u32).max(16)),
            Load::Trace { max_in_flight, .. } => max_in_flight.min(64),
        };
        let opened = driver.open(connections);
        if opened != PhaseEnd::Done {
            return opened;
        }
        let ramp = match point.load {
            Load::Closed { concurrency } => (plan.ramp_of(concurrency) * 1e9) as i64,
            Load::Rate { .. } | Load::Trace { .. } => 0,
        };
        let warmup_load = warmup_load(&point);
        let later: Vec<Work> = rest.iter().flat_map(|point| [warmup_of(point), Some(measurement_of(point))]).flatten().collect();
        let seed = plan.arrivals_seed(number);
        let phase = PhasePlan {
            load_point: number,
            phase: Phase::Warmup,
            load: &warmup_load,
            count: Some(point.warmup()),
            duration: None,
            ramp,
            seed: seed ^ 0xA5A5,
            first_prompt: self.used.0,
        };
        if point.warmup() > 0 {
            let own = std::iter::once(measurement_of(&point));
            driver.progress().set_later(own.chain(later.iter().cloned()).collect());
            let before = driver.records.rows.len();
            let ending = driver.run(&phase);
            self.used.0 += u64::from(driver.issued());
            if ending != PhaseEnd::Done {
                return ending;
            }
            calibrate(driver, before, self.tokens, notes);
        }
        driver.progress().set_later(later);
        let count = driver.requests().planned(point.requests());
        let duration = point.duration_s.map(|seconds| (seconds * 1e9) as i64);
        let phase =
            PhasePlan { phase: Phase::Measured, load: &point.load, count, duration, seed, first_prompt: self.used.1, ..phase };
        let ending = driver.run(&phase);
        self.used.1 += u64::from(driver.issued());
        if let Some(begun) = self.sidecar.points.last_mut() {
            begun.ended_early = ending == PhaseEnd::Done && driver.early_stop.as_ref().is_some_and(EarlyStop::is_over);
            let figures = Box::new(load_point_figures(&driver.records, plan, number, begun));
            if ending == PhaseEnd::Done {
                let finished = finished_load_point(&driver.records, plan, number, begun, &figures);
                driver.progress().finish_load_point(finished, clock::now());
            }
            (self.tell)(LoadEventKind::LoadPointEnd { load_point: number, figures });
        }
        ending
    }

    fn write_sidecar(&self, driver: &mut EventLoop<'_>) {
        if let Some(path) = &self.plan.requests
            && let Err(error) = crate::sidecar::write(&self.sidecar, path)
        {
            driver.file_error.get_or_insert(error);
        }
    }
}

/// What a search tries next, by what the load that comes now comes to.
fn either_way(search: &Search) -> Upcoming {
    let after = |verdict| {
        let mut search = search.clone();
        search.answer(verdict);
        search.next_offered()
    };
    Upcoming::Depends { if_met: after(Verdict::Meets), if_not: after(Verdict::Fails) }
}

/// A trace's own times are for the measurement.
fn warmup_load(point: &PlannedLoad) -> Load {
    match point.load {
        Load::Trace { max_in_flight, .. } => Load::Closed { concurrency: max_in_flight.min(point.warmup()).max(1) },
        _ => point.load.clone(),
    }
}

fn warmup_of(point: &PlannedLoad) -> Option<Work> {
    let requests = u64::from(point.warmup());
    (requests > 0).then(|| Work { load: warmup_load(point), requests: Some(requests), duration_s: None })
}

fn measurement_of(point: &PlannedLoad) -> Work {
    Work { load: point.load.clone(), requests: point.requests().map(u64::from), duration_s: point.duration_s }
}

/// What the engine counted in the warm-up shows whether prompts are as long as they should be: a constant difference is
/// made up for; where lengths are estimates, the mean one is.
fn calibrate(driver: &mut EventLoop<'_>, first: usize, tokens: &Tokens, notes: &mut Vec<String>) {
    let rows = driver.records.rows[first..].iter();
    let off: Vec<i64> = rows.filter_map(|row| Some(i64::from(row.input?) - i64::from(row.requested_input?))).collect();
    let (Some(least), Some(most)) = (off.iter().min(), off.iter().max()) else { return };
    let (least, most) = (*least, *most);
    if least == 0 && most == 0 || tokens.knows_template() && least != most {
        return;
    }
    let mean = (off.iter().sum::<i64>() as f64 / off.len() as f64).round() as i64;
    if mean == 0 {
        return;
    }
    if let Prompts::Synthetic(synthetic) = &mut driver.requests().prompts {
        // nobody else reads them between two phases
        Arc::make_mut(synthetic).shift(-mean);
        notes.push(format!(
            "Prompts were made {} tokens {} after the warm-up, by the engine's own count.",
            mean.abs(),
            if mean > 0 { "shorter" } else { "longer" }
        ));
    }
}
