//! Layout advice.

use crate::common::{device, model, scenario};
use dyno_simulate::layout::layouts;
use dyno_simulate::outcome::Limits;
use dyno_simulate::{Lengths, Precision, Profiles, Scenario, SimulationError, Workload};

#[test]
fn layouts_are_ranked_and_the_others_explained() {
    let (model, h100) = (model("meta-llama/Llama-3.1-70B"), device("H100"));
    let scenario = Scenario { precision: Precision::Fp8, ..scenario(&model, &h100, 1) };
    let workload = Workload::closed(160, Lengths::fixed(1024, 256), 16, 1);
    let all = layouts(&scenario, 8, &workload, &Limits::default(), Some(3.0), &Profiles::published());
    assert_eq!(all.len(), 4);
    for pair in all.windows(2) {
        let throughput =
            |layout: &dyno_simulate::layout::Layout| layout.verdict.as_ref().map_or(0.0, |found| found.output_throughput);
        assert!(throughput(&pair[0]) >= throughput(&pair[1]));
    }
    for layout in &all {
        assert_eq!(layout.devices, 8);
        assert_eq!(layout.tensor_parallel * layout.replicas, 8);
    }
    // 72.7 GB of weights leave no room on a device with 77 GB usable.
    let single = all.last().unwrap();
    assert_eq!(single.tensor_parallel, 1);
    let error = single.verdict.as_ref().unwrap_err();
    assert!(matches!(error, SimulationError::DoesNotFit(_)));
    assert!(error.to_string().contains("72.7 GB of weights"), "{error}");
    let cost = all[0].verdict.as_ref().unwrap().cost_per_million_tokens.unwrap();
    let throughput = all[0].verdict.as_ref().unwrap().output_throughput;
    assert!((cost - 8.0 * 3.0 / 3600.0 / throughput * 1e6).abs() < 1e-9);
}

#[test]
fn limits_go_before_throughput() {
    let (model, h100) = (model("meta-llama/Llama-3.1-8B"), device("H100"));
    let scenario = scenario(&model, &h100, 1);
    let workload = Workload::closed(256, Lengths::fixed(512, 128), 64, 1);
    let of = |limits: &Limits| layouts(&scenario, 8, &workload, limits, None, &Profiles::published());
    let free = of(&Limits::default());
    let tpot = |layout: &dyno_simulate::layout::Layout| layout.verdict.as_ref().unwrap().simulation.outcome.tpot_ms.unwrap();
    // A limit that the fastest layout per token alone keeps.
    let least = free.iter().map(|layout| tpot(layout).max).fold(f64::INFINITY, f64::min);
    let limited = of(&Limits { percentile: 100.0, tpot_ms: Some(least * 1.0001), ..Limits::default() });
    let first = limited[0].verdict.as_ref().unwrap();
    assert!(first.meets_limits);
    assert_eq!(tpot(&limited[0]).max, least);
    assert!(limited[1..].iter().any(|layout| !layout.verdict.as_ref().unwrap().meets_limits));
}

#[test]
fn heads_that_do_not_divide_are_said() {
    let (model, h100) = (model("Qwen/Qwen2-7B"), device("H100"));
    let workload = Workload::closed(16, Lengths::fixed(128, 16), 4, 1);
    let all = layouts(&scenario(&model, &h100, 1), 8, &workload, &Limits::default(), None, &Profiles::published());
    let eight = all.iter().find(|layout| layout.tensor_parallel == 8).unwrap();
    assert_eq!(eight.verdict, Err(SimulationError::Indivisible { heads: 28, tensor_parallel: 8 }));
}

#[test]
fn no_layout_crosses_the_node() {
    let (model, card) = (model("meta-llama/Llama-3.1-8B"), device("GH200"));
    let workload = Workload::closed(16, Lengths::fixed(128, 16), 4, 1);
    let all = layouts(&scenario(&model, &card, 1), 2, &workload, &Limits::default(), None, &Profiles::published());
    // One device per node: two copies, and nothing else.
    assert_eq!(all.iter().map(|layout| (layout.tensor_parallel, layout.replicas)).collect::<Vec<_>>(), [(1, 2)]);
}
