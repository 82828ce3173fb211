//! Fitting finds back what made the measurements.

use crate::common::{device, model, scenario};
use dyno_simulate::calibrate::{FARTHEST, ITERATIONS, Observation, fit, own_runs, residuals};
use dyno_simulate::profile::Efficiency;
use dyno_simulate::scenario::PredictionBasis;
use dyno_simulate::{KvPrecision, Limits, SimulatedWorkload, Simulator, TokenLengths};

#[test]
fn four_runs_correct_a_wrong_prior() {
    let (model, card) = (model("meta-llama/Llama-3.1-8B"), device("L40S"));
    let prior = Efficiency::generic(card.generation);
    let truth = Efficiency {
        compute: prior.compute * 1.4,
        attention: prior.attention * 1.4,
        memory: prior.memory * 0.7,
        kv: prior.kv * 0.8,
        api_ms: prior.api_ms * 2.0,
        ..prior
    };
    let workloads = [(1, 128, 64), (1, 8000, 64), (16, 256, 512), (64, 512, 256)]
        .map(|(users, input, output)| SimulatedWorkload::closed(4 * users, TokenLengths::fixed(input, output), users as u32, 1));
    let observations: Vec<Observation<'_>> = workloads
        .iter()
        .map(|workload| {
            let scenario = scenario(&model, &card, 1);
            let simulator =
                Simulator::with_factors(scenario.clone(), truth, KvPrecision::Bits16, PredictionBasis::GENERIC, Vec::new())
                    .unwrap();
            let outcome = simulator.run(workload).unwrap().outcome;
            Observation {
                scenario,
                kv_precision: KvPrecision::Bits16,
                workload,
                ttft_ms: outcome.ttft_ms.map(|ttft| ttft.mean),
                tpot_ms: outcome.tpot_ms.map(|tpot| tpot.mean),
                e2el_ms: outcome.e2el_ms.map(|e2el| e2el.mean),
                output_throughput: None,
                limits: Limits::default(),
            }
        })
        .collect();
    let worst = |efficiency: &Efficiency| residuals(&observations, efficiency).into_iter().map(f64::abs).fold(0.0, f64::max);
    assert!(worst(&prior) > 0.2);
    let fitted = fit(&observations, &prior, &own_runs(FARTHEST), ITERATIONS);
    assert!(worst(&fitted) < 0.05, "{}", worst(&fitted));
    assert!((fitted.memory / truth.memory - 1.0).abs() < 0.1, "{}", fitted.memory);
    // What no run tells stays at the prior.
    assert_eq!(fitted.link_latency_us, prior.link_latency_us);
}
