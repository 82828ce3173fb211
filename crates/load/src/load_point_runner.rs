//! Runs the load points of a plan, or of a search, one after the other.

use crate::client::clock;
use crate::client::phase::{PhaseEnd, PhasePlan};
use crate::duration_estimate::PhaseExtent;
use crate::event_sink::EventSink;
use crate::phase_driver::{PhaseDriver, PromptSupply};
use dyno_measure::early_stop::EarlyStop;
use dyno_measure::events::LoadEventKind;
use dyno_measure::live_figures::Upcoming;
use dyno_measure::plan::{Load, Part, Plan, PlannedLoad};
use dyno_measure::report::Phase;
use dyno_measure::report::{finished_load_point, load_point_figures, verdict};
use dyno_measure::search::{Search, Verdict};
use dyno_measure::sidecar::{BegunLoadPoint, Sidecar};
use dyno_measure::words::count;

pub(super) struct LoadPointRunner<'p> {
    plan: &'p Plan,
    /// Whether input lengths are counted with the model's own template.
    knows_template: bool,
    emit: &'p EventSink,
    sidecar: Sidecar,
    /// Number of prompts used, in warm-ups and in measurements.
    used: (u64, u64),
}

impl<'p> LoadPointRunner<'p> {
    pub(super) fn new(plan: &'p Plan, knows_template: bool, emit: &'p EventSink, sidecar: Sidecar) -> Self {
        Self { plan, knows_template, emit, sidecar, used: (0, 0) }
    }

    /// The sidecar of the record file.
    pub(super) fn into_sidecar(self) -> Sidecar {
        self.sidecar
    }

    pub(super) fn run(&mut self, driver: &mut impl PhaseDriver, notes: &mut Vec<String>) -> PhaseEnd {
        let ending = match self.plan.search() {
            Some((variable, min, max)) => self.search(driver, Search::new(variable, min, max), notes),
            None => self.sweep(driver, notes),
        };
        let supply = driver.supply();
        if let PromptSupply::Conversations { begun, all } = supply
            && begun > all
        {
            notes.push(format!("Conversations were repeated: {begun} were begun, the datasets have {all}."));
        }
        if let PromptSupply::Rows(rows) = supply
            && ending == PhaseEnd::Done
            && self.used.1 > rows
        {
            let (requests, rows) = (count(self.used.1, "request"), count(rows, "row"));
            notes.push(format!("Rows of the datasets were repeated: {requests}, {rows}."));
        }
        ending
    }

    fn sweep(&mut self, driver: &mut impl PhaseDriver, notes: &mut Vec<String>) -> PhaseEnd {
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

    fn search(&mut self, driver: &mut impl PhaseDriver, mut search: Search, notes: &mut Vec<String>) -> PhaseEnd {
        while let Some(point) = search.next().and_then(|load| self.plan.point_at(load)) {
            let number = self.sidecar.points.len();
            let most = search.most_left();
            driver.progress().set_next(most + number as u32, Some(next_by_verdict(&search)));
            // a confirmation is measured with all of its requests, without early stop
            let limits = self.plan.slo.clone().filter(|_| !search.is_confirming());
            driver.set_early_stop(limits.zip(point.requests()).map(|(slo, requests)| EarlyStop::new(slo, requests)));
            // The loads of the search's later steps are not known; for the time estimate they are taken to be like this one.
            let confirmations = search.confirmations_left();
            let rest = match most - confirmations {
                0 => confirmations.saturating_sub(1),
                steps => steps.saturating_sub(2) + confirmations,
            };
            let rest = vec![point.clone(); rest as usize];
            let ending = self.point(driver, point, &rest, notes);
            driver.set_early_stop(None);
            if ending != PhaseEnd::Done {
                return ending;
            }
            let Some(begun) = self.sidecar.points.last() else { break };
            let figures = load_point_figures(driver.records(), self.plan, number as u32, begun);
            search.answer(verdict(&figures));
            self.write_sidecar(driver);
        }
        PhaseEnd::Done
    }

    /// Runs one load point, its warm-up first. `rest` are the load points after it, known or estimated.
    fn point(
        &mut self,
        driver: &mut impl PhaseDriver,
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
        let later: Vec<PhaseExtent> =
            rest.iter().flat_map(|point| [warmup_of(point), Some(measurement_of(point))]).flatten().collect();
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
            part: Part::WHOLE,
            begin: None,
        };
        if point.warmup() > 0 {
            let own = std::iter::once(measurement_of(&point));
            driver.progress().set_later(own.chain(later.iter().cloned()).collect());
            let before = driver.records().rows.len();
            let ending = driver.run(&phase);
            self.used.0 += u64::from(driver.used());
            if ending != PhaseEnd::Done {
                return ending;
            }
            calibrate(driver, before, self.knows_template, notes);
        }
        driver.progress().set_later(later);
        let count = driver.planned(point.requests());
        let duration = point.duration_s.map(|seconds| (seconds * 1e9) as i64);
        let phase =
            PhasePlan { phase: Phase::Measured, load: &point.load, count, duration, seed, first_prompt: self.used.1, ..phase };
        let ending = driver.run(&phase);
        self.used.1 += u64::from(driver.used());
        if let Some(begun) = self.sidecar.points.last_mut() {
            begun.ended_early = ending == PhaseEnd::Done && driver.is_decided();
            let figures = Box::new(load_point_figures(driver.records(), plan, number, begun));
            if ending == PhaseEnd::Done {
                let finished = finished_load_point(driver.records(), plan, number, begun, &figures);
                driver.progress().finish_load_point(finished, clock::now());
            }
            (self.emit)(LoadEventKind::LoadPointEnd { load_point: number, figures });
        }
        ending
    }

    fn write_sidecar(&self, driver: &mut impl PhaseDriver) {
        if let Some(path) = &self.plan.requests
            && let Err(error) = crate::sidecar::write(&self.sidecar, path)
        {
            driver.file_failed(error);
        }
    }
}

/// The load that a search tries next, if this one meets the limits and if it does not.
fn next_by_verdict(search: &Search) -> Upcoming {
    let after = |verdict| {
        let mut search = search.clone();
        search.answer(verdict);
        search.next_offered()
    };
    Upcoming::Depends { if_met: after(Verdict::Meets), if_not: after(Verdict::Fails) }
}

/// The load of the warm-up. A trace's arrivals are for the measurement alone; its warm-up is a closed loop.
fn warmup_load(point: &PlannedLoad) -> Load {
    match point.load {
        Load::Trace { max_in_flight, .. } => Load::Closed { concurrency: max_in_flight.min(point.warmup()).max(1) },
        _ => point.load.clone(),
    }
}

fn warmup_of(point: &PlannedLoad) -> Option<PhaseExtent> {
    let requests = u64::from(point.warmup());
    (requests > 0).then(|| PhaseExtent { load: warmup_load(point), requests: Some(requests), duration_s: None })
}

fn measurement_of(point: &PlannedLoad) -> PhaseExtent {
    PhaseExtent { load: point.load.clone(), requests: point.requests().map(u64::from), duration_s: point.duration_s }
}

/// Corrects prompt lengths by the engine's own counts in the warm-up: by a constant difference or, where lengths are estimates,
/// by the mean one.
fn calibrate(driver: &mut impl PhaseDriver, first: usize, knows_template: bool, notes: &mut Vec<String>) {
    let rows = driver.records().rows[first..].iter();
    let off: Vec<i64> = rows.filter_map(|row| Some(i64::from(row.input?) - i64::from(row.requested_input?))).collect();
    let (Some(least), Some(most)) = (off.iter().min(), off.iter().max()) else { return };
    let (least, most) = (*least, *most);
    if least == 0 && most == 0 || knows_template && least != most {
        return;
    }
    let mean = (off.iter().sum::<i64>() as f64 / off.len() as f64).round() as i64;
    if mean == 0 {
        return;
    }
    if driver.shift_prompts(-mean) {
        notes.push(format!(
            "Prompts were made {} tokens {} after the warm-up, by the engine's own count.",
            mean.abs(),
            if mean > 0 { "shorter" } else { "longer" }
        ));
    }
}
