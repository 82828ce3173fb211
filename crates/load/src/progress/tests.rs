use std::cell::RefCell;
use std::rc::Rc;

use super::*;
use dyno_measure::plan::Part;

fn progressing() -> (Progressing, Rc<RefCell<Vec<Progress>>>) {
    let told: Rc<RefCell<Vec<Progress>>> = Rc::default();
    let keep = told.clone();
    (Progressing::new(1, Box::new(move |snapshot| keep.borrow_mut().push(snapshot))), told)
}

fn phase(load: &Load, count: u32, phase: Phase) -> PhasePlan<'_> {
    PhasePlan {
        load_point: 0,
        phase,
        load,
        count: Some(count),
        duration: None,
        ramp: 0,
        seed: 1,
        first_prompt: 0,
        part: Part::WHOLE,
        begin: None,
    }
}

/// A request sent at `sent` that took `took`, ns.
fn row(sent: i64, took: i64) -> Row {
    Row {
        sent: Some(sent),
        first: Some(sent + took / 2),
        last: Some(sent + took),
        ended: Some(sent + took),
        output: Some(11),
        events: 11,
        streamed: true,
        ..Row::new(0, Phase::Measured, 0, 0)
    }
}

#[test]
fn one_request_after_the_other_is_one_in_flight() {
    let (mut progress, told) = progressing();
    let load = Load::Closed { concurrency: 1 };
    progress.begin_phase(&phase(&load, 100, Phase::Measured), 0);
    let mut now = 0;
    for _ in 0..40 {
        progress.in_flight_is(1, now);
        let sent = now;
        now += SECOND / 20;
        progress.in_flight_is(0, now);
        progress.ended(&row(sent, SECOND / 20));
        // every snapshot falls between two requests
        progress.emit_if_due(now);
    }
    let told = told.borrow();
    let last = told.last().unwrap();
    assert_eq!(last.in_flight, 0);
    assert!(last.mean_in_flight.is_some_and(|mean| (mean - 1.0).abs() < 1e-9), "{last:?}");
}

#[test]
fn figures_of_the_moment_forget_what_is_over_a_second_old() {
    let (mut progress, told) = progressing();
    let load = Load::Closed { concurrency: 8 };
    progress.begin_phase(&phase(&load, 100, Phase::Measured), 0);
    progress.in_flight_is(8, 0);
    progress.events(1_000);
    for half in 1..=3 {
        progress.emit(half * EVERY);
    }
    progress.in_flight_is(2, 3 * EVERY);
    for half in 4..=6 {
        progress.emit(half * EVERY);
    }
    let told = told.borrow();
    let means: Vec<f64> = told.iter().map(|snapshot| snapshot.mean_in_flight.unwrap()).collect();
    assert_eq!(means, [8.0, 8.0, 8.0, 5.0, 2.0, 2.0]);
    let rates: Vec<f64> = told.iter().map(|snapshot| snapshot.output_tokens_per_s.unwrap()).collect();
    assert_eq!(rates, [2_000.0, 1_000.0, 0.0, 0.0, 0.0, 0.0]);
}

#[test]
fn recent_latencies_are_those_of_the_last_ten_seconds() {
    let (mut progress, told) = progressing();
    let load = Load::Closed { concurrency: 1 };
    progress.begin_phase(&phase(&load, 10_000, Phase::Measured), 0);
    let mut now = 0;
    // 20 s of requests of 10 ms, then 12 s of 100 ms
    for (took, until) in [(SECOND / 100, 20 * SECOND), (SECOND / 10, 32 * SECOND)] {
        while now < until {
            progress.ended(&row(now, took));
            now += took;
            progress.emit_if_due(now);
        }
    }
    let told = told.borrow();
    let last = told.last().unwrap();
    let (recent, so_far) = (last.recent.unwrap().ttft_ms, last.so_far.unwrap().ttft_ms);
    assert!((95..=110).contains(&recent.n), "{recent:?}");
    assert!(recent.p50.is_some_and(|ms| (ms - 50.0).abs() < 1.0), "{recent:?}");
    assert_eq!(recent.p99, None, "a hundred requests decide no p99");
    assert!(so_far.n > 2_100 && so_far.p50.is_some_and(|ms| (ms - 5.0).abs() < 0.1), "{so_far:?}");
    assert!(so_far.p99.is_some_and(|ms| (ms - 50.0).abs() < 1.0), "{so_far:?}");
}

#[test]
fn the_time_left_of_a_sweep_uses_the_throughput_at_each_load() {
    let (mut progress, told) = progressing();
    let later =
        |concurrency, requests| PhaseExtent { load: Load::Closed { concurrency }, requests: Some(requests), duration_s: None };
    progress.set_later(vec![later(10, 10), later(10, 100)]);
    let load = Load::Closed { concurrency: 1 };
    progress.begin_phase(&phase(&load, 100, Phase::Measured), 0);
    let second = |number: i64| row(number * SECOND, SECOND);
    for number in 0..20 {
        progress.ended(&second(number));
    }
    progress.emit(20 * SECOND);
    // 80 s of this load point; then 110 requests, ten at a time, each a second long
    assert_eq!(told.borrow().last().unwrap().eta_ms, Some(91_000));
}

#[test]
fn before_anything_has_ended_the_load_before_says_how_long_it_takes() {
    let (mut progress, told) = progressing();
    let load = Load::Closed { concurrency: 4 };
    progress.begin_phase(&phase(&load, 8, Phase::Warmup), 0);
    progress.emit(SECOND / 2);
    assert_eq!(told.borrow().last().unwrap().eta_ms, None);
    for _ in 0..4 {
        progress.ended(&Row { phase: Phase::Warmup, ..row(0, SECOND) });
    }
    progress.emit(SECOND);
    assert_eq!(told.borrow().last().unwrap().eta_ms, Some(1_000), "four at once took a second: so will the next four");
    progress.begin_phase(&phase(&load, 40, Phase::Measured), 2 * SECOND);
    progress.emit(2 * SECOND);
    assert_eq!(told.borrow().last().unwrap().eta_ms, Some(10_000));
}

#[test]
fn load_points_that_are_over_stay_in_later_snapshots() {
    let (mut progress, told) = progressing();
    let load = Load::Closed { concurrency: 4 };
    progress.set_next(2, Some(Upcoming::Loads { loads: Vec::new() }));
    progress.begin_phase(&phase(&load, 8, Phase::Measured), 0);
    progress.finish_load_point(FinishedLoadPoint { requests: 8, ..FinishedLoadPoint::default() }, SECOND);
    progress.set_next(2, None);
    progress.begin_phase(&phase(&load, 8, Phase::Measured), SECOND);
    progress.emit(2 * SECOND);
    let told = told.borrow();
    assert_eq!(told[0].next, Some(Upcoming::Loads { loads: Vec::new() }));
    assert_eq!((told[1].finished.len(), told[1].next.clone(), told[1].completed), (1, None, 0));
}
