//! The load generator's plan, simulated.

use dyno_measure::arrivals::Arrivals;
use dyno_measure::load::ArrivalProcess;
use dyno_measure::plan::{Plan, PlannedLengths, length_key};
use dyno_simulate::planned::{PlanConversionError, first_requests, simulate_plan};
use dyno_simulate::scenario::SimulationNote;
use dyno_simulate::{Profiles, Simulator};
use serde_json::{Value, json};

use crate::common::{device, model, scenario};

fn plan(workload: Value, load_points: Value) -> Plan {
    serde_json::from_value(json!({
        "endpoints": [{ "node": "n", "base_url": "http://127.0.0.1:1" }], "model": "m", "seed": 9,
        "workload": workload, "load_points": load_points,
    }))
    .unwrap()
}

fn spread() -> Value {
    json!({
        "kind": "synthetic", "input_tokens": 512, "output_tokens": 64,
        "input_lengths": { "kind": "uniform", "min": 100 }, "output_lengths": { "kind": "normal", "mean": 40.0, "std": 10.0 },
    })
}

#[test]
fn requests_are_those_that_the_load_generator_sends() {
    let (model, h100) = (model("meta-llama/Llama-3.1-8B"), device("H100"));
    let simulator = Simulator::new(scenario(&model, &h100, 1), &Profiles::published()).unwrap();
    let plan = plan(
        spread(),
        json!([
            { "load": { "kind": "closed", "concurrency": 4 }, "num_requests": 30 },
            { "load": { "kind": "rate", "rate": 20.0, "process": "gamma", "burstiness": 0.5 }, "num_requests": 50 },
        ]),
    );
    let outcome = simulate_plan(&simulator, &plan, 1).unwrap().outcome;
    assert_eq!(outcome.samples.len(), 50);
    let mut arrivals = Arrivals::new(20.0, ArrivalProcess::Gamma, 0.5, plan.arrivals_seed(1));
    let dyno_measure::plan::Workload::Synthetic { input_tokens, output_tokens, input_lengths, output_lengths, .. } =
        plan.workload
    else {
        panic!("{:?}", plan.workload)
    };
    let lengths = PlannedLengths::new((input_lengths, input_tokens), (output_lengths, output_tokens), 9);
    for (number, sample) in outcome.samples.iter().enumerate() {
        assert_eq!(sample.sent, arrivals.peek() as f64 / 1e9);
        arrivals.advance();
        // Prompts are numbered through all load points: 30 were the first one's.
        let key = length_key(30 + number as u64, false);
        assert_eq!((sample.input, sample.output), (lengths.input.length(key), lengths.output.length(key)));
    }
    let closed = simulate_plan(&simulator, &plan, 0).unwrap().outcome;
    // The ramp of four users: 2 ms for each but the first.
    let begins: Vec<f64> = closed.samples[..4].iter().map(|sample| (sample.sent * 1e6).round()).collect();
    assert_eq!(begins, [0.0, 1500.0, 3000.0, 4500.0]);
}

#[test]
fn load_points_that_end_by_time_send_until_then() {
    let (model, h100) = (model("meta-llama/Llama-3.1-8B"), device("H100"));
    let simulator = Simulator::new(scenario(&model, &h100, 1), &Profiles::published()).unwrap();
    let plan = plan(
        spread(),
        json!([
            { "load": { "kind": "closed", "concurrency": 64 }, "duration_s": 60.0 },
            { "load": { "kind": "rate", "rate": 100.0, "process": "constant" }, "duration_s": 30.0 },
        ]),
    );
    let closed = simulate_plan(&simulator, &plan, 0).unwrap().outcome;
    let last = closed.samples.iter().map(|sample| sample.sent).fold(0.0, f64::max);
    assert!((58.0..60.0).contains(&last), "{last}");
    assert!(closed.samples.len() > 1024 && closed.duration_s >= last);
    let open = simulate_plan(&simulator, &plan, 1).unwrap();
    assert_eq!(open.outcome.samples.len() as u32 + open.outcome.dropped, 3000);
    // How many the first load point sends, and so the numbers of these, is not known before.
    assert!(open.notes.contains(&SimulationNote::OtherLengths));
    assert!(!simulate_plan(&simulator, &plan, 0).unwrap().notes.contains(&SimulationNote::OtherLengths));
}

#[test]
fn the_first_requests_are_those_of_the_whole_load() {
    let plan = plan(
        spread(),
        json!([
            { "load": { "kind": "closed", "concurrency": 4 }, "num_requests": 30 },
            { "load": { "kind": "rate", "rate": 20.0 }, "duration_s": 60.0 },
        ]),
    );
    let (some, all) = (first_requests(&plan, 0, 8).unwrap(), first_requests(&plan, 0, 500).unwrap());
    assert_eq!((some.requests.len(), all.requests.len()), (8, 30));
    assert_eq!(some.requests, all.requests[..8]);
    let timed = first_requests(&plan, 1, 40).unwrap();
    assert_eq!((timed.requests.len(), timed.until), (40, Some(60.0)));
}

#[test]
fn what_the_plan_does_not_say_is_an_error() {
    let (model, h100) = (model("meta-llama/Llama-3.1-8B"), device("H100"));
    let simulator = Simulator::new(scenario(&model, &h100, 1), &Profiles::published()).unwrap();
    let closed = json!([{ "load": { "kind": "closed", "concurrency": 4 } }]);
    let dataset = plan(json!({ "kind": "dataset", "files": [] }), closed.clone());
    assert_eq!(simulate_plan(&simulator, &dataset, 0), Err(PlanConversionError::LengthsElsewhere));
    assert_eq!(simulate_plan(&simulator, &plan(spread(), closed), 1), Err(PlanConversionError::NoLoadPoint(1)));
}
