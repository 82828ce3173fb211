//! More of anything good is never slower: strictly for a step, within 2 % for whole closed loops without preemption.

use crate::common::{device, model, scenario};
use dyno_simulate::profile::{Efficiency, Factor};
use dyno_simulate::step::{StepModel, StepWork};
use dyno_simulate::{
    Engine, KvPrecision, Precision, Profiles, Scenario, SimulatedDevice, SimulatedWorkload, Simulator, TokenLengths,
};
use proptest::prelude::*;
use strum::VariantArray as _;

const MODELS: [&str; 4] =
    ["meta-llama/Llama-3.1-8B", "meta-llama/Llama-3.1-70B", "openai/gpt-oss-120b", "deepseek-ai/DeepSeek-V3"];

fn any_work() -> impl Strategy<Value = StepWork> {
    (0_u32..512, 0_u32..8192, 0_u32..32_768).prop_map(|(decodes, prefill_tokens, context)| StepWork {
        decodes,
        context: f64::from(decodes) * f64::from(context),
        windowed_context: f64::from(decodes) * f64::from(context.min(128)),
        prefill_tokens,
        prefills: u32::from(prefill_tokens > 0),
        pairs: f64::from(prefill_tokens) * f64::from(prefill_tokens) / 2.0,
        windowed_pairs: f64::from(prefill_tokens) * 128.0,
    })
}

fn seconds(
    (name, ranks): (&str, u32),
    precision: Precision,
    device: &SimulatedDevice,
    efficiency: &Efficiency,
    work: &StepWork,
) -> f64 {
    StepModel::new(&model(name), precision, KvPrecision::Bits16, device, ranks, efficiency).time(work).total()
}

fn any_model() -> impl Strategy<Value = (&'static str, u32)> {
    (prop::sample::select(&MODELS[..]), prop::sample::select(&[2, 4, 8][..]))
}

proptest! {
    #[test]
    fn a_better_device_never_takes_longer_for_a_step(
        work in any_work(),
        which in any_model(),
        fp8 in any::<bool>(),
        field in 0_usize..4,
        gain in 1.0_f64..8.0,
    ) {
        let plain = device("H100");
        let mut better = plain.clone();
        match field {
            0 => better.memory_bandwidth *= gain,
            1 => better.link_bandwidth *= gain,
            2 => better.tflops_16 *= gain,
            _ => better.tflops_8 = better.tflops_8.map(|rate| rate * gain),
        }
        let precision = if fp8 { Precision::Fp8 } else { Precision::Bf16 };
        let efficiency = Efficiency::generic(plain.generation);
        let before = seconds(which, precision, &plain, &efficiency, &work);
        let after = seconds(which, precision, &better, &efficiency, &work);
        prop_assert!(after <= before);
        // What the step uses makes it faster: weights are read and links crossed whatever it computes, and it computes in its own precision.
        let is_used = match field {
            0 | 1 => true,
            2 => !fp8,
            _ => fp8,
        };
        if is_used && gain > 1.001 && work.decodes + work.prefill_tokens > 0 {
            prop_assert!(after < before, "{after} is not less than {before}");
        }
    }

    #[test]
    fn a_better_factor_never_takes_longer_for_a_step(work in any_work(), which in any_model(), factor in 0_usize..15, gain in 1.0_f64..4.0) {
        let device = device("H100");
        let plain = Efficiency::generic(device.generation);
        let factor = Factor::VARIANTS[factor];
        let mut better = plain;
        // Times get shorter, shares larger.
        let relative = matches!(factor, Factor::ExpertCompute | Factor::ExpertMemory);
        *better.get_mut(factor) *= if factor.is_share() || relative { gain } else { 1.0 / gain };
        let before = seconds(which, Precision::Fp8, &device, &plain, &work);
        prop_assert!(seconds(which, Precision::Fp8, &device, &better, &work) <= before);
    }

    #[test]
    fn more_work_never_takes_less(work in any_work(), which in any_model(), more in 1_u32..64) {
        let device = device("B200");
        let efficiency = Efficiency::generic(device.generation);
        let larger = StepWork { decodes: work.decodes + more, context: work.context + f64::from(more), ..work };
        let before = seconds(which, Precision::Nvfp4, &device, &efficiency, &work);
        prop_assert!(seconds(which, Precision::Nvfp4, &device, &efficiency, &larger) > before);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn closed_loops_are_monotonic_within_two_per_cent(
        concurrency in 1_u32..48,
        input in 32_u32..3000,
        output in 8_u32..400,
        field in 0_usize..4,
        which in 0_usize..3,
        engine in 0_usize..4,
        gain in 1.02_f64..3.0,
        seed in any::<u64>(),
    ) {
        let model = model(MODELS[which]);
        let plain = device("H200");
        let mut better = plain.clone();
        match field {
            0 => better.memory_bandwidth *= gain,
            1 => better.link_bandwidth *= gain,
            2 => better.tflops_16 *= gain,
            _ => better.tflops_8 = better.tflops_8.map(|rate| rate * gain),
        }
        let lengths = TokenLengths { input, output, least_share: 0.8 };
        let workload = SimulatedWorkload::closed(6 * concurrency as usize, lengths, concurrency, seed);
        let engine = [Engine::Vllm, Engine::Sglang, Engine::TensorRtLlm, Engine::Tgi][engine];
        let run = |device: &SimulatedDevice| {
            let asked = Scenario { engine, precision: Precision::Fp8, ..scenario(&model, device, 4) };
            Simulator::new(asked, &Profiles::published()).unwrap().run(&workload).unwrap().outcome
        };
        let (before, after) = (run(&plain), run(&better));
        prop_assert_eq!(before.preemptions + after.preemptions, 0);
        prop_assert!(after.duration_s <= 1.02 * before.duration_s, "{} s, {} s", before.duration_s, after.duration_s);
        let (before, after) = (before.e2el_ms.unwrap().mean, after.e2el_ms.unwrap().mean);
        prop_assert!(after <= 1.02 * before, "{before} ms, {after} ms");
    }
}
