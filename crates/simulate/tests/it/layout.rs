//! Layout advice.

use crate::common::{device, model, no_limits, scenario};
use dyno_measure::load::Slo;
use dyno_simulate::layout::{Nodes, ParallelLayout, layouts};
use dyno_simulate::{
    Limits, Precision, Profiles, Request, Scenario, SimulatedWorkload, SimulationError, Simulator, TokenLengths,
};

#[test]
fn layouts_are_ranked_and_the_others_explained() {
    let (model, h100) = (model("meta-llama/Llama-3.1-70B"), device("H100"));
    let scenario = Scenario { precision: Precision::Fp8, ..scenario(&model, &h100, 1) };
    let workload = SimulatedWorkload::closed(160, TokenLengths::fixed(1024, 256), 16, 1);
    let all = layouts(&scenario, Nodes { count: 1, devices: 8 }, &workload, None, &Profiles::published(), &Limits::default());
    // Every number of copies of two, four and eight devices each; one does not hold the model, however many there are.
    let degrees = |degree| all.iter().filter(|layout| layout.tensor_parallel == degree).count();
    assert_eq!([1, 2, 4, 8].map(degrees), [1, 4, 2, 1]);
    for pair in all.windows(2) {
        let throughput = |layout: &ParallelLayout| layout.verdict.as_ref().map_or(0.0, |found| found.output_throughput);
        assert!(throughput(&pair[0]) >= throughput(&pair[1]));
    }
    for layout in &all {
        assert_eq!(layout.devices, layout.tensor_parallel * layout.replicas);
    }
    // 72.7 GB of weights leave no room on a device with 77 GB usable.
    let single = all.last().unwrap();
    assert_eq!(single.tensor_parallel, 1);
    let error = single.verdict.as_ref().unwrap_err();
    assert!(matches!(error, SimulationError::DoesNotFit(_)));
    assert!(error.to_string().contains("72.7 GB of weights"), "{error}");
}

/// One user keeps one replica busy: of layouts as fast as each other, fewer devices are better.
#[test]
fn idle_copies_are_no_better_than_none() {
    let (model, h100) = (model("meta-llama/Llama-3.1-8B"), device("H100"));
    let workload = SimulatedWorkload::closed(4, TokenLengths::fixed(512, 64), 1, 1);
    let all = layouts(
        &scenario(&model, &h100, 1),
        Nodes { count: 1, devices: 4 },
        &workload,
        None,
        &Profiles::published(),
        &Limits::default(),
    );
    let of =
        |degree| all.iter().filter(|layout| layout.tensor_parallel == degree).map(|layout| layout.replicas).collect::<Vec<_>>();
    assert_eq!((of(1), of(2), of(4)), (vec![1, 2, 3, 4], vec![1, 2], vec![1]));
}

#[test]
fn copies_are_counted_on_each_node() {
    let (model, h100) = (model("meta-llama/Llama-3.1-8B"), device("H100"));
    let workload = SimulatedWorkload::closed(160, TokenLengths::fixed(512, 64), 16, 1);
    let of = |nodes| layouts(&scenario(&model, &h100, 1), nodes, &workload, None, &Profiles::published(), &Limits::default());
    let throughput = |all: &[ParallelLayout], degree, replicas| {
        let found = all.iter().find(|layout| (layout.tensor_parallel, layout.replicas) == (degree, replicas)).unwrap();
        (found.devices, found.verdict.as_ref().unwrap().output_throughput)
    };
    let two_nodes = of(Nodes { count: 2, devices: 2 });
    let one_node = of(Nodes { count: 1, devices: 4 });
    assert_eq!(throughput(&two_nodes, 1, 2), throughput(&one_node, 1, 4));
    assert!(two_nodes.iter().all(|layout| layout.tensor_parallel <= 2));
}

#[test]
fn limits_go_before_throughput() {
    let (model, h100) = (model("meta-llama/Llama-3.1-8B"), device("H100"));
    let scenario = scenario(&model, &h100, 1);
    let workload = SimulatedWorkload::closed(256, TokenLengths::fixed(512, 128), 64, 1);
    let of = |limits: Option<&Slo>| {
        layouts(&scenario, Nodes { count: 1, devices: 8 }, &workload, limits, &Profiles::published(), &Limits::default())
    };
    let free = of(None);
    let tpot = |layout: &ParallelLayout| layout.verdict.as_ref().unwrap().simulation.outcome.tpot_ms.unwrap();
    // A limit that the fastest layout per token alone keeps.
    let least = free.iter().map(|layout| tpot(layout).max).fold(f64::INFINITY, f64::min);
    let limited = of(Some(&Slo { percentile: 100.0, tpot_ms: Some(least * 1.0001), ..no_limits() }));
    let first = limited[0].verdict.as_ref().unwrap();
    assert_eq!(first.meets_limits, Some(true));
    assert_eq!(tpot(&limited[0]).max, least);
    assert!(limited[1..].iter().any(|layout| layout.verdict.as_ref().unwrap().meets_limits == Some(false)));
}

/// Requests of one output token have no TPOT, so that its limit is met; one that the KV cache can't hold is over every limit.
#[test]
fn limits_are_judged_as_those_of_a_measured_run() {
    let (model, h100) = (model("meta-llama/Llama-3.1-8B"), device("H100"));
    let outcome = |workload: &SimulatedWorkload| {
        let scenario = Scenario { kv_tokens: Some(4096), ..scenario(&model, &h100, 1) };
        Simulator::new(scenario, &Profiles::published()).unwrap().run(workload).unwrap().outcome
    };
    let tpot = Slo { tpot_ms: Some(1.0), ..no_limits() };
    let mut workload = SimulatedWorkload::closed(99, TokenLengths::fixed(512, 1), 1, 1);
    assert!(outcome(&workload).meets(&tpot));
    assert_eq!(outcome(&workload).goodput(&tpot).1, 1.0);
    let long = Slo { e2el_ms: Some(1e6), ..no_limits() };
    workload.requests.push(Request { arrival: 0.0, input: 5000, output: 1 });
    // One of a hundred is lost: the 99th percentile lies between it and the last that ended.
    assert!(!outcome(&workload).meets(&long) && outcome(&workload).meets(&Slo { percentile: 98.0, ..long.clone() }));
    assert_eq!(outcome(&workload).goodput(&long).1, 0.99);
    assert!(!outcome(&workload).meets(&tpot));
    // Halfway between the fifth and the sixth of ten.
    let outcome = outcome(&SimulatedWorkload::closed(10, TokenLengths { input: 512, output: 64, least_share: 0.2 }, 1, 1));
    let mut latencies: Vec<f64> = outcome.samples.iter().map(|sample| 1e3 * sample.latency()).collect();
    latencies.sort_by(f64::total_cmp);
    let median = f64::midpoint(latencies[4], latencies[5]);
    let within = |limit: f64| outcome.meets(&Slo { percentile: 50.0, e2el_ms: Some(limit), ..no_limits() });
    assert!(within(median + 1e-6) && !within(median - 1e-6));
    assert!((outcome.e2el_ms.unwrap().p50 - median).abs() < 1e-9);
}

#[test]
fn heads_that_do_not_divide_are_said() {
    let (model, h100) = (model("Qwen/Qwen2-7B"), device("H100"));
    let workload = SimulatedWorkload::closed(16, TokenLengths::fixed(128, 16), 4, 1);
    let all = layouts(
        &scenario(&model, &h100, 1),
        Nodes { count: 1, devices: 8 },
        &workload,
        None,
        &Profiles::published(),
        &Limits::default(),
    );
    let eight = all.iter().find(|layout| layout.tensor_parallel == 8).unwrap();
    assert_eq!(eight.verdict, Err(SimulationError::Indivisible { heads: 28, tensor_parallel: 8 }));
}

#[test]
fn no_layout_crosses_the_node() {
    let (model, card) = (model("meta-llama/Llama-3.1-8B"), device("GH200"));
    let workload = SimulatedWorkload::closed(16, TokenLengths::fixed(128, 16), 4, 1);
    let all = layouts(
        &scenario(&model, &card, 1),
        Nodes { count: 1, devices: 2 },
        &workload,
        None,
        &Profiles::published(),
        &Limits::default(),
    );
    // One device per node: copies of one device, and nothing else.
    assert_eq!(all.iter().map(|layout| (layout.tensor_parallel, layout.replicas)).collect::<Vec<_>>(), [(1, 2), (1, 1)]);
}
