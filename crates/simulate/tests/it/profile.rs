//! Which factors are taken, and what is said of them.

use strum::VariantArray as _;

use crate::common::{device, model, scenario};
use dyno_simulate::engine::EngineVersion;
use dyno_simulate::profile::{Efficiency, ErrorBar, ErrorBasis, Profile, Profiles, Standing};
use dyno_simulate::scenario::{PredictionBasis, SimulationNote};
use dyno_simulate::{
    Engine, KvPrecision, Precision, Request, Scenario, SimulatedDevice, SimulatedWorkload, Simulator, TokenLengths,
};

fn profile(device: &SimulatedDevice, engine: Engine, minor: u32, precision: Precision, mixture: bool) -> Profile {
    Profile {
        device: device.name.clone(),
        generation: device.generation,
        engine,
        version: Some(EngineVersion { major: 0, minor }),
        precision,
        mixture,
        kv_precision: KvPrecision::Bits8,
        efficiency: Efficiency::generic(device.generation),
        standing: Standing::Prior,
        runs: 10 + minor,
        most_in_flight: Some(16),
        error_pct: ErrorBar { ttft: Some(25.0), tpot: Some(9.0), e2el: Some(12.0) },
    }
}

fn asked<'a>(model: &'a dyno_simulate::ModelDescriptor, device: &'a SimulatedDevice) -> Scenario<'a> {
    let version = Some(EngineVersion { major: 0, minor: 18 });
    Scenario { version, precision: Precision::Fp8, ..scenario(model, device, 1) }
}

#[test]
fn measured_profiles_are_used_unchanged() {
    let (model, h100) = (model("meta-llama/Llama-3.1-8B"), device("H100"));
    let profiles = Profiles(vec![
        profile(&h100, Engine::Vllm, 12, Precision::Fp8, false),
        profile(&h100, Engine::Vllm, 18, Precision::Fp8, false),
        profile(&h100, Engine::Sglang, 18, Precision::Fp8, false),
    ]);
    let simulator = Simulator::new(asked(&model, &h100), &profiles).unwrap();
    assert!(simulator.notes().is_empty());
    let prediction = simulator.prediction();
    assert_eq!((prediction.runs, prediction.error_basis), (28, ErrorBasis::Measured));
    assert_eq!(prediction.error_pct, profiles.0[1].error_pct);
    assert_eq!(prediction.to_string(), "prior, fitted on 28 measurements");
    // The cache's format comes with the factors: half the bytes per token.
    assert_eq!(simulator.memory(100).kv_bytes_per_token, 65_536.0);
}

#[test]
fn own_runs_go_before_published_ones() {
    let (model, h100) = (model("meta-llama/Llama-3.1-8B"), device("H100"));
    let own = Profile { standing: Standing::Calibrated, runs: 6, ..profile(&h100, Engine::Vllm, 18, Precision::Fp8, false) };
    let profiles = Profiles(vec![own, profile(&h100, Engine::Vllm, 18, Precision::Fp8, false)]);
    let simulator = Simulator::new(asked(&model, &h100), &profiles).unwrap();
    assert_eq!((simulator.prediction().standing, simulator.prediction().runs), (Standing::Calibrated, 6));
    // On another device they are a prior.
    let h200 = device("H200");
    let simulator = Simulator::new(asked(&model, &h200), &profiles).unwrap();
    assert_eq!(simulator.prediction().standing, Standing::Prior);
}

#[test]
fn borrowed_factors_are_noted() {
    let (model, h100, h200) = (model("meta-llama/Llama-3.1-8B"), device("H100"), device("H200"));
    let profiles = Profiles(vec![profile(&h100, Engine::Vllm, 12, Precision::Fp8, false)]);
    let simulator = Simulator::new(asked(&model, &h200), &profiles).unwrap();
    let [note @ SimulationNote::BorrowedFactors { .. }] = simulator.notes() else { panic!("{:?}", simulator.notes()) };
    assert_eq!(
        note.to_string(),
        "no measurements of dense models in fp8 on H200-SXM-141GB with vllm 0.18: factors are those of dense models in fp8 on \
         H100-SXM-80GB with vllm 0.12"
    );
    let prediction = simulator.prediction();
    assert_eq!(prediction.error_basis, ErrorBasis::Assumed);
    assert!(prediction.error_pct.e2el.unwrap() > 12.0 && prediction.error_pct.ttft.unwrap() > 25.0);
}

#[test]
fn more_in_flight_than_four_times_the_measured_is_noted() {
    let (model, h100) = (model("meta-llama/Llama-3.1-8B"), device("H100"));
    let profiles = Profiles(vec![profile(&h100, Engine::Vllm, 18, Precision::Fp8, false)]);
    let notes = |users: u32, replicas: u32| {
        let simulator = Simulator::new(Scenario { replicas, ..asked(&model, &h100) }, &profiles).unwrap();
        simulator.run(&SimulatedWorkload::closed(users as usize, TokenLengths::fixed(64, 8), users, 1)).unwrap().notes
    };
    // fitted on at most 16
    assert_eq!(notes(64, 1), []);
    assert_eq!(notes(65, 1), [SimulationNote::BeyondMeasured { in_flight: 65, measured: 16 }]);
    assert_eq!(
        notes(65, 1)[0].to_string(),
        "65 requests in flight on one copy are more than four times the 16 that the factors were fitted on"
    );
    // each of two copies has half of them
    assert_eq!(notes(128, 2), []);
    // with fewer requests than users, no more are in flight than there are
    let simulator = Simulator::new(asked(&model, &h100), &profiles).unwrap();
    let few = SimulatedWorkload {
        requests: vec![short_request(); 20],
        ..SimulatedWorkload::closed(500, TokenLengths::fixed(64, 8), 500, 1)
    };
    assert_eq!(simulator.run(&few).unwrap().notes, []);
    // profiles kept before this was known say nothing
    let unknown = Profiles(vec![Profile { most_in_flight: None, ..profiles.0[0].clone() }]);
    let simulator = Simulator::new(asked(&model, &h100), &unknown).unwrap();
    assert_eq!(simulator.run(&SimulatedWorkload::closed(65, TokenLengths::fixed(64, 8), 65, 1)).unwrap().notes, []);
}

fn short_request() -> Request {
    Request { arrival: 0.0, input: 64, output: 8 }
}

#[test]
fn other_vendors_devices_lend_nothing() {
    let (model, h100, card) = (model("meta-llama/Llama-3.1-8B"), device("H100"), device("Gaudi 3"));
    let profiles = Profiles(vec![profile(&h100, Engine::Vllm, 18, Precision::Fp8, false)]);
    let simulator = Simulator::new(asked(&model, &card), &profiles).unwrap();
    assert_eq!(simulator.notes(), [SimulationNote::GenericFactors]);
    assert_eq!(*simulator.prediction(), PredictionBasis::GENERIC);
    assert_eq!(simulator.prediction().to_string(), "generic factors, not fitted");
}

#[test]
fn devices_go_by_many_names() {
    for (name, known) in [
        ("NVIDIA H100 80GB HBM3", "H100-SXM-80GB"),
        ("NVIDIA H100 PCIe", "H100-PCIe-80GB"),
        ("NVIDIA H200", "H200-SXM-141GB"),
        ("NVIDIA GH200 480GB", "GH200-96GB"),
        ("NVIDIA A100-SXM4-40GB", "A100-SXM-40GB"),
        ("NVIDIA A100 80GB PCIe", "A100-PCIe-80GB"),
        ("NVIDIA A100-PCIE-40GB", "A100-PCIe-40GB"),
        ("NVIDIA H20-3e", "H20-3e-141GB"),
        ("NVIDIA H20", "H20-96GB"),
        ("Intel Gaudi 3 128GB", "Gaudi3-128GB"),
        ("NVIDIA GeForce RTX 4090", "RTX4090-24GB"),
        ("NVIDIA RTX 6000 Ada Generation", "RTX6000Ada-48GB"),
        ("NVIDIA RTX A6000", "RTXA6000-48GB"),
        ("NVIDIA L4", "L4-24GB"),
        ("NVIDIA L40S", "L40S-48GB"),
        ("AMD Instinct MI300X", "MI300X-192GB"),
        ("Intel(R) Xeon(R) 6767P", "Xeon-6767P"),
        ("AMD EPYC 9575F 64-Core Processor", "EPYC-9575F"),
    ] {
        assert_eq!(device(name).name, known, "{name}");
    }
    for other in ["Tesla T4", "NVIDIA L40", "NVIDIA RTX A1000"] {
        assert!(dyno_simulate::device::find(other).is_err(), "{other}");
    }
    assert!(SimulatedDevice::stated("x", 0.0, 1.0, 1.0, 1.0).is_err());
}

#[test]
fn unmeasured_errors_are_marked_as_assumed() {
    let (model, h100) = (model("meta-llama/Llama-3.1-8B"), device("H100"));
    let few = Profile { error_pct: ErrorBar::default(), ..profile(&h100, Engine::Vllm, 18, Precision::Fp8, false) };
    let prediction = *Simulator::new(asked(&model, &h100), &Profiles(vec![few])).unwrap().prediction();
    assert_eq!(prediction.error_basis, ErrorBasis::Assumed);
    assert_eq!(prediction.error_pct, ErrorBar { ttft: Some(60.0), tpot: Some(30.0), e2el: Some(30.0) });
}

#[test]
fn published_profiles_are_sound() {
    let profiles = Profiles::published();
    assert!(profiles.0.len() > 40);
    for profile in &profiles.0 {
        for factor in dyno_simulate::profile::Factor::VARIANTS.iter().copied() {
            let value = profile.efficiency.get(factor);
            assert!(value > 0.0 && value.is_finite() && (!factor.is_share() || value <= 1.0), "{profile:?}");
        }
        assert!(profile.runs > 0);
    }
}
