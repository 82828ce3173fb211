//! Profiles come of own measured runs, and stay with the prior where those tell nothing.

use crate::common::{device, model, scenario};
use dyno_simulate::calibrate::simulated_means;
use dyno_simulate::engine::{EngineSettings, EngineVersion};
use dyno_simulate::own_runs::{MeasuredPoint, MeasuredRun, MeasuredSetup, calibrated};
use dyno_simulate::profile::{Efficiency, ErrorBasis, Profile, Profiles, Standing};
use dyno_simulate::{Engine, KvPrecision, SimulatedWorkload, Simulator, StopFlag, TokenLengths};

fn setup() -> MeasuredSetup {
    let card = device("L40S");
    MeasuredSetup {
        model: model("meta-llama/Llama-3.1-8B"),
        settings: EngineSettings::defaults(Engine::Vllm, &card, 1),
        device: card,
        engine: Engine::Vllm,
        version: Some(EngineVersion { major: 0, minor: 12 }),
        tensor_parallel: 1,
        replicas: 1,
    }
}

/// What nobody knows: how efficient the device really is.
fn truth(prior: &Efficiency) -> Efficiency {
    Efficiency {
        compute: prior.compute * 1.3,
        attention: prior.attention * 1.3,
        memory: prior.memory * 0.7,
        kv: prior.kv * 0.8,
        api_ms: prior.api_ms * 2.0,
        ..*prior
    }
}

/// Measured to within two per cent; `odd` multiplies every latency.
fn run(number: u64, efficiency: &Efficiency, odd: f64) -> MeasuredRun {
    let setup = setup();
    let loads = [(1, 128, 64), (1, 8000, 64), (16, 256, 512), (64, 512, 256)];
    let points = loads
        .into_iter()
        .zip(number * 7..)
        .map(|((users, input, output), seed)| {
            let workload =
                SimulatedWorkload::closed(4 * users as usize, TokenLengths { input, output, least_share: 0.8 }, users, seed);
            let noise = |metric: u64| odd * (1.0 + 0.02 * (((seed * 31 + metric * 17) % 11) as f64 / 5.0 - 1.0));
            let [ttft, tpot, e2el] =
                simulated_means(&scenario(&setup.model, &setup.device, 1), &workload, efficiency, KvPrecision::Bits16).unwrap();
            MeasuredPoint {
                workload,
                ttft_ms: ttft.map(|mean| mean * noise(1)),
                tpot_ms: tpot.map(|mean| mean * noise(2)),
                e2el_ms: e2el.map(|mean| mean * noise(3)),
            }
        })
        .collect();
    MeasuredRun { setup, points }
}

fn generic() -> Efficiency {
    Efficiency::generic(device("L40S").generation)
}

fn runs(count: u64) -> Vec<MeasuredRun> {
    (0..count).map(|number| run(number, &truth(&generic()), 1.0)).collect()
}

fn none() -> Profiles {
    Profiles(Vec::new())
}

/// How far a profile's means are from what the device really takes, at loads of no run, per cent.
fn worst(profile: &Profile) -> f64 {
    let MeasuredSetup { model, device, .. } = setup();
    let means = |efficiency: &Efficiency| {
        let workload = SimulatedWorkload::closed(64, TokenLengths::fixed(1024, 200), 8, 1);
        simulated_means(&scenario(&model, &device, 1), &workload, efficiency, KvPrecision::Bits16).unwrap()
    };
    let (found, real) = (means(&profile.efficiency), means(&truth(&generic())));
    found.iter().zip(&real).map(|(found, real)| 100.0 * (found.unwrap() / real.unwrap() - 1.0).abs()).fold(0.0, f64::max)
}

#[test]
fn noisy_runs_tell_the_factors_and_how_far_off_they_are() {
    let profile = calibrated(&runs(6), &none(), &StopFlag::default()).unwrap();
    assert_eq!((profile.standing, profile.runs), (Standing::Calibrated, 6));
    assert!((profile.efficiency.memory / truth(&generic()).memory - 1.0).abs() < 0.1, "{}", profile.efficiency.memory);
    assert!(worst(&profile) < 4.0, "{}", worst(&profile));
    let tpot = profile.error_pct.tpot.unwrap();
    assert!(tpot > 0.5 && tpot < 6.0, "{:?}", profile.error_pct);
    assert_eq!(calibrated(&runs(6), &none(), &StopFlag::default()).unwrap(), profile, "the same runs, the same profile");
}

#[test]
fn a_simulation_takes_the_profile_and_says_so() {
    let profile = calibrated(&runs(6), &none(), &StopFlag::default()).unwrap();
    let bar = profile.error_pct;
    let mut profiles = Profiles::published();
    profiles.0.push(profile);
    let MeasuredSetup { model, device, version, .. } = setup();
    let asked = dyno_simulate::Scenario { version, ..scenario(&model, &device, 1) };
    let simulator = Simulator::new(asked.clone(), &profiles).unwrap();
    let prediction = *simulator.prediction();
    assert_eq!((prediction.standing, prediction.runs, prediction.error_basis), (Standing::Calibrated, 6, ErrorBasis::Measured));
    assert_eq!(prediction.error_pct, bar);
    assert!(simulator.notes().is_empty(), "{:?}", simulator.notes());
    // Another version's runs are borrowed.
    let other = dyno_simulate::Scenario { version: Some(EngineVersion { major: 0, minor: 18 }), ..asked };
    assert_eq!(Simulator::new(other, &profiles).unwrap().prediction().standing, Standing::Prior);
}

#[test]
fn one_odd_run_does_not_throw_it() {
    let mut runs = runs(6);
    runs[2] = run(2, &truth(&generic()), 3.0);
    let profile = calibrated(&runs, &none(), &StopFlag::default()).unwrap();
    assert!(worst(&profile) < 10.0, "{}", worst(&profile));
}

#[test]
fn generic_factors_are_left_as_far_as_runs_tell() {
    // A processor that others use as well.
    let slow = Efficiency {
        compute: generic().compute / 12.0,
        attention: generic().attention / 12.0,
        memory: generic().memory / 10.0,
        kv: generic().kv / 10.0,
        step_us: generic().step_us * 10.0,
        layer_us: generic().layer_us * 10.0,
        sequence_us: generic().sequence_us * 10.0,
        ..generic()
    };
    let runs: Vec<MeasuredRun> = (0..2).map(|number| run(number, &slow, 1.0)).collect();
    let found = calibrated(&runs, &none(), &StopFlag::default()).unwrap().efficiency;
    for (found, real) in [(found.compute, slow.compute), (found.memory, slow.memory)] {
        assert!((found / real).ln().abs() < 0.2, "{found} for {real}");
    }
}

/// A processor pays for the tokens of a step and for no more: 5.4 ms for each of a prompt, 8.4 ms for a running sequence alone and
/// 27 ms for four (llama.cpp, one core, 135 M parameters of 4 bits).
#[test]
fn a_processors_prompts_are_reached_beside_each_other() {
    let model = model("meta-llama/Llama-3.2-1B");
    let machine = dyno_simulate::SimulatedDevice { memory_gib: 32.0, memory_bandwidth: 40.0, tflops_16: 0.8, ..device("EPYC") };
    let of = |compute: f64| Efficiency {
        compute,
        padding_tokens: 0.5,
        step_us: 1_000.0,
        api_ms: 5.0,
        ..Efficiency::generic(machine.generation)
    };
    let scenario = dyno_simulate::Scenario { engine: Engine::LlamaCpp, ..scenario(&model, &machine, 1) };
    let means = |efficiency: &Efficiency, users: u32, seed: u64| {
        let workload = SimulatedWorkload::closed(
            12 * users as usize,
            TokenLengths { input: 256, output: 32, least_share: 0.125 },
            users,
            seed,
        );
        let means = simulated_means(&scenario, &workload, efficiency, KvPrecision::Bits16).unwrap();
        (workload, means)
    };
    for compute in [0.06, 0.4] {
        let truth = of(compute);
        let points = [1, 2, 4, 8].map(|users| {
            let (workload, [ttft_ms, tpot_ms, e2el_ms]) = means(&truth, users, u64::from(users));
            MeasuredPoint { workload, ttft_ms, tpot_ms, e2el_ms }
        });
        let setup = MeasuredSetup {
            model: model.clone(),
            settings: EngineSettings::defaults(Engine::LlamaCpp, &machine, 1),
            device: machine.clone(),
            engine: Engine::LlamaCpp,
            version: None,
            tensor_parallel: 1,
            replicas: 1,
        };
        let found =
            calibrated(&[MeasuredRun { setup, points: points.to_vec() }], &none(), &StopFlag::default()).unwrap().efficiency;
        for users in [1, 3, 6] {
            let ((_, real), (_, found)) = (means(&truth, users, 50), means(&found, users, 50));
            for (metric, (real, found)) in ["TTFT", "TPOT", "E2E"].into_iter().zip(real.into_iter().zip(found)) {
                let error = 100.0 * (found.unwrap() / real.unwrap() - 1.0);
                assert!(error.abs() < 15.0, "{metric} of {users} users is {error:.0} % off at {compute}: {real:?}, {found:?}");
            }
        }
    }
}

#[test]
fn few_runs_have_no_error_bar_and_without_any_there_is_no_profile() {
    let profile = calibrated(&runs(3), &none(), &StopFlag::default()).unwrap();
    assert!(profile.runs == 3 && !profile.error_pct.is_known());
    assert_eq!(calibrated(&[], &none(), &StopFlag::default()), None);
    // A run that measured nothing leaves the factors where they start.
    let mut silent = runs(1);
    for point in &mut silent[0].points {
        (point.ttft_ms, point.tpot_ms, point.e2el_ms) = (None, None, None);
    }
    assert_eq!(calibrated(&silent, &none(), &StopFlag::default()).unwrap().efficiency, generic());
}

#[test]
fn runs_of_another_setup_are_passed_over() {
    let mut mixed = runs(3);
    mixed[1].setup.device = device("H100");
    let profile = calibrated(&mixed, &none(), &StopFlag::default()).unwrap();
    assert_eq!((profile.runs, profile.device.as_str()), (2, "L40S-48GB"));
    assert_eq!(mixed[1].setup.key().to_string(), "H100-SXM-80GB, vllm 0.12, bf16, dense models");
}
