//! What one simulation may take, and its end from outside.

use crate::common::{device, model, scenario};
use dyno_simulate::layout::{Nodes, layouts};
use dyno_simulate::{Limits, Profiles, Scenario, SimulatedWorkload, Simulation, SimulationError, Simulator, TokenLengths};

fn run(replicas: u32, workload: &SimulatedWorkload, limits: &Limits) -> Result<Simulation, SimulationError> {
    let (model, h100) = (model("meta-llama/Llama-3.1-8B"), device("H100"));
    let scenario = Scenario { replicas, ..scenario(&model, &h100, 1) };
    Simulator::new(scenario, &Profiles::published())?.within(limits).run(workload)
}

/// Prompts and answers near the whole cache preempt each other over and over.
fn endless() -> SimulatedWorkload {
    SimulatedWorkload::closed(10_000, TokenLengths::fixed(100_000, 100_000), 10_000, 1)
}

#[test]
fn a_simulation_ends_in_its_midst_when_it_is_stopped() {
    let limits = Limits::default();
    let stop = limits.stop.clone();
    let simulation = std::thread::spawn(move || run(1, &endless(), &limits).map(drop));
    stop.stop();
    assert_eq!(simulation.join().unwrap(), Err(SimulationError::Stopped));
}

#[test]
fn layouts_end_when_they_are_stopped() {
    let limits = Limits::default();
    limits.stop.stop();
    let (model, h100) = (model("meta-llama/Llama-3.1-8B"), device("H100"));
    let nodes = Nodes { count: 1, devices: 8 };
    let found = layouts(&scenario(&model, &h100, 1), nodes, &endless(), None, &Profiles::published(), &limits);
    assert!(!found.is_empty() && found.iter().all(|layout| layout.verdict == Err(SimulationError::Stopped)), "{found:?}");
}

#[test]
fn work_and_gaps_are_limited_over_all_replicas() {
    let workload = SimulatedWorkload::closed(64, TokenLengths { input: 256, output: 64, least_share: 0.5 }, 16, 1);
    let whole = run(2, &workload, &Limits::default()).unwrap();
    let work = whole.outcome.work;
    let of_work = |most_work| run(2, &workload, &Limits { most_work, ..Limits::default() });
    assert_eq!(of_work(work).unwrap(), whole, "what is within the limits is as without them");
    assert_eq!(of_work(work - 1), Err(SimulationError::TooMuchWork));
    let of_gaps = |most_gap_runs| run(2, &workload, &Limits { most_gap_runs, ..Limits::default() });
    let least = (0..10_000).find(|&most| of_gaps(most).is_ok()).unwrap();
    assert!(least > 64, "{least}");
    assert_eq!(of_gaps(least).unwrap(), whole);
    assert_eq!(of_gaps(least - 1), Err(SimulationError::TooManyGaps));
}

#[test]
fn an_endless_simulation_is_refused_as_too_large() {
    let error = run(1, &endless(), &Limits { most_work: 1_000_000, ..Limits::default() }).unwrap_err();
    assert!(error.to_string().starts_with("too large to be simulated: "), "{error}");
}
