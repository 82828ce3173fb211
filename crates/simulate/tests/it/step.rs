//! The time of one step.

use dyno_simulate::profile::Efficiency;
use dyno_simulate::step::{StepModel, StepWork};
use dyno_simulate::{KvPrecision, Precision};

use crate::common::{device, model};

/// Reading the others' data at once takes one latency and all of their bytes, a ring many latencies and fewer bytes.
#[test]
fn collectives_of_few_tokens_take_one_latency_and_of_many_the_least_bytes() {
    let (model, b200) = (model("meta-llama/Llama-3.1-70B"), device("B200"));
    let efficiency = Efficiency { link: 1.0, link_latency_us: 10.0, ..Efficiency::generic(b200.generation) };
    let seconds = |ranks: u32, tokens: u32| {
        let steps = StepModel::new(&model, Precision::Fp8, KvPrecision::Bits8, &b200, ranks, &efficiency);
        let work = StepWork { prefill_tokens: tokens, prefills: 1, ..StepWork::default() };
        // two in each layer
        steps.time(&work).communication / f64::from(2 * model.layers)
    };
    let transfer = |tokens: u32| f64::from(tokens) * f64::from(model.hidden) * 2.0 / (b200.link_bandwidth * 1e9);
    let close = |seconds: f64, expected: f64| assert!((seconds / expected - 1.0).abs() < 1e-9, "{seconds} s, not {expected}");
    for ranks in [2, 4, 8] {
        let others = f64::from(ranks - 1);
        close(seconds(ranks, 1), 10e-6 + others * transfer(1));
        close(seconds(ranks, 8192), others * 10e-6 + 2.0 * others / f64::from(ranks) * transfer(8192));
    }
    assert_eq!(seconds(1, 1), 0.0);
}
