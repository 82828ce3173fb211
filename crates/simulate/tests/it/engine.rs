//! The simulated engine: known answers, the sums against the walk, conservation, limits of memory.

use crate::common::{device, model, scenario};
use dyno_simulate::device::Generation;
use dyno_simulate::engine::{GapRun, Stretches, simulate_replica};
use dyno_simulate::profile::Efficiency;
use dyno_simulate::step::{StepModel, StepWork};
use dyno_simulate::workload::Rate;
use dyno_simulate::{
    Engine, EngineSettings, KvPrecision, Limits, Precision, Profiles, Request, Scenario, SimulatedLoad, SimulatedWorkload,
    SimulationError, Simulator, TokenLengths,
};

const SETTINGS: EngineSettings = EngineSettings {
    max_batched_tokens: 64,
    max_sequences: 8,
    block_tokens: 16,
    memory_share: 0.9,
    share_of_rest: false,
    mixed_steps: true,
    reserve_whole_length: false,
    whole_prompts: false,
    batch_wait_steps: 0,
    batch_wait_share: 0.0,
};

/// Each step takes 10 ms, whatever it does: every other factor is made free.
fn ten_millisecond_steps() -> (StepModel, Efficiency) {
    let efficiency = Efficiency {
        compute: 1e9,
        memory: 1e9,
        kv: 1e9,
        attention: 1e9,
        step_us: 10_000.0,
        layer_us: 0.0,
        sequence_us: 0.0,
        prefill_step_us: 0.0,
        api_ms: 0.0,
        api_us_per_token: 0.0,
        ..Efficiency::generic(Generation::Hopper)
    };
    let model = model("meta-llama/Llama-3.1-8B");
    (StepModel::new(&model, Precision::Bf16, KvPrecision::Bits16, &device("H100"), 1, &efficiency), efficiency)
}

fn requests(lengths: &[(f64, u32, u32)]) -> Vec<Request> {
    lengths.iter().map(|&(arrival, input, output)| Request { arrival, input, output }).collect()
}

fn milliseconds(seconds: f64) -> f64 {
    (1e6 * seconds).round() / 1e3
}

#[test]
fn one_request_has_known_times() {
    let (steps, efficiency) = ten_millisecond_steps();
    let workload = SimulatedWorkload {
        requests: requests(&[(0.0, 100, 5)]),
        load: SimulatedLoad::Closed { concurrency: 1, ramp: 0.0 },
        warmup: 0,
        until: None,
    };
    let run = simulate_replica(&workload, &steps, &SETTINGS, &efficiency, 10_000, Stretches::Summed, &Limits::default()).unwrap();
    // 100 tokens of prompt are two steps of at most 64; four more tokens follow the first.
    assert_eq!(milliseconds(run.samples[0].ttft()), 20.0);
    assert_eq!(milliseconds(run.samples[0].tpot().unwrap()), 10.0);
    assert_eq!(milliseconds(run.samples[0].latency()), 60.0);
    assert_eq!(run.steps, 6);
    let gaps: u64 = run.gaps.iter().map(|gap: &GapRun| gap.count).sum();
    assert_eq!(gaps, 4);
}

#[test]
fn prompts_share_a_step_with_running_sequences() {
    let (steps, efficiency) = ten_millisecond_steps();
    let workload = SimulatedWorkload {
        requests: requests(&[(0.0, 60, 10), (0.001, 64, 2)]),
        load: SimulatedLoad::Open { max_in_flight: None },
        warmup: 0,
        until: None,
    };
    let run = simulate_replica(&workload, &steps, &SETTINGS, &efficiency, 10_000, Stretches::Summed, &Limits::default()).unwrap();
    let second = run.samples.iter().find(|sample| sample.request == 1).unwrap();
    // It comes within the first step; one token of 64 goes to the running sequence, so that it takes the second and third.
    assert_eq!(milliseconds(second.first_token), 30.0);
    assert_eq!(milliseconds(second.end), 40.0);
    let first = run.samples.iter().find(|sample| sample.request == 0).unwrap();
    assert_eq!(milliseconds(first.end), 100.0);
}

#[test]
fn engines_that_put_prompts_first_hold_up_running_sequences() {
    let (steps, efficiency) = ten_millisecond_steps();
    let settings = EngineSettings { mixed_steps: false, ..SETTINGS };
    let workload = SimulatedWorkload {
        requests: requests(&[(0.0, 60, 10), (0.001, 64, 2)]),
        load: SimulatedLoad::Open { max_in_flight: None },
        warmup: 0,
        until: None,
    };
    let run = simulate_replica(&workload, &steps, &settings, &efficiency, 10_000, Stretches::Summed, &Limits::default()).unwrap();
    let end = |request| milliseconds(run.samples.iter().find(|sample| sample.request == request).unwrap().end);
    // The second prompt has the second step to itself; the first request loses that step.
    assert_eq!((end(1), end(0)), (30.0, 110.0));
}

#[test]
fn prompts_wait_for_others_to_be_computed_with() {
    let (steps, efficiency) = ten_millisecond_steps();
    let settings = EngineSettings { batch_wait_steps: 5, batch_wait_share: 0.9, ..SETTINGS };
    let first_token = |settings: &EngineSettings, lengths: &[(f64, u32, u32)]| {
        let workload = SimulatedWorkload {
            requests: requests(lengths),
            load: SimulatedLoad::Open { max_in_flight: None },
            warmup: 0,
            until: None,
        };
        let run =
            simulate_replica(&workload, &steps, settings, &efficiency, 10_000, Stretches::Summed, &Limits::default()).unwrap();
        milliseconds(run.samples.iter().find(|sample| sample.request == 1).unwrap().first_token)
    };
    let alone = [(0.0, 10, 40), (0.001, 10, 2)];
    assert_eq!(first_token(&SETTINGS, &alone), 20.0);
    // Five steps of the first request pass.
    assert_eq!(first_token(&settings, &alone), 70.0);
    // With the third prompt there are 61 tokens to compute, more than nine tenths of 64.
    assert_eq!(first_token(&settings, &[alone[0], alone[1], (0.025, 50, 2)]), 40.0);
}

#[test]
fn whole_prompts_wait_for_a_step_with_room() {
    let (steps, efficiency) = ten_millisecond_steps();
    let first_token = |whole_prompts: bool, input: u32| {
        let settings = EngineSettings { whole_prompts, ..SETTINGS };
        let workload = SimulatedWorkload {
            requests: requests(&[(0.0, 40, 9), (0.0, 40, 9), (0.0, input, 9)]),
            load: SimulatedLoad::Open { max_in_flight: None },
            warmup: 0,
            until: None,
        };
        let run =
            simulate_replica(&workload, &steps, &settings, &efficiency, 10_000, Stretches::Summed, &Limits::default()).unwrap();
        milliseconds(run.samples.iter().find(|sample| sample.request == 2).unwrap().first_token)
    };
    // In parts, 24 tokens of the second prompt go into the first step, and the third fits into the second.
    assert_eq!((first_token(false, 40), first_token(true, 40)), (20.0, 30.0));
    // Longer than a step: there is no other way than in parts.
    assert_eq!(first_token(true, 100), 40.0);
}

#[test]
fn the_newest_is_preempted_and_computed_again() {
    let (steps, efficiency) = ten_millisecond_steps();
    // Four blocks: two sequences of 32 tokens fill them, and neither can grow.
    let workload = SimulatedWorkload {
        requests: requests(&[(0.0, 32, 8), (0.0, 32, 8)]),
        load: SimulatedLoad::Closed { concurrency: 2, ramp: 0.0 },
        warmup: 0,
        until: None,
    };
    let run = simulate_replica(&workload, &steps, &SETTINGS, &efficiency, 64, Stretches::Summed, &Limits::default()).unwrap();
    assert_eq!(run.samples.len(), 2);
    assert!(run.preemptions > 0);
    let end = |request| milliseconds(run.samples.iter().find(|sample| sample.request == request).unwrap().end);
    assert_eq!(end(0), 80.0);
    assert!(end(1) > 80.0);
    // With whole lengths reserved the second waits instead.
    let settings = EngineSettings { reserve_whole_length: true, ..SETTINGS };
    let run = simulate_replica(&workload, &steps, &settings, &efficiency, 64, Stretches::Summed, &Limits::default()).unwrap();
    assert_eq!(run.preemptions, 0);
    assert_eq!(milliseconds(run.samples[1].ttft()), 90.0);
}

#[test]
fn requests_over_the_cap_are_dropped() {
    let (steps, efficiency) = ten_millisecond_steps();
    let workload = SimulatedWorkload {
        requests: requests(&[(0.0, 16, 10), (0.0, 16, 10), (0.0, 16, 10), (1.0, 16, 10)]),
        load: SimulatedLoad::Open { max_in_flight: Some(2) },
        warmup: 0,
        until: None,
    };
    let run = simulate_replica(&workload, &steps, &SETTINGS, &efficiency, 10_000, Stretches::Summed, &Limits::default()).unwrap();
    assert_eq!((run.samples.len(), run.dropped), (3, 1));
}

#[test]
fn a_request_that_never_fits_does_not_block() {
    let (steps, efficiency) = ten_millisecond_steps();
    let workload = SimulatedWorkload {
        requests: requests(&[(0.0, 16, 2), (0.0, 600, 2), (0.0, 16, 2)]),
        load: SimulatedLoad::Closed { concurrency: 1, ramp: 0.0 },
        warmup: 0,
        until: None,
    };
    let run = simulate_replica(&workload, &steps, &SETTINGS, &efficiency, 512, Stretches::Summed, &Limits::default()).unwrap();
    assert_eq!((run.samples.len(), run.too_long), (2, 1));
}

fn close(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-9 * one.abs().max(other.abs()).max(1.0)
}

/// Closed and open loops, with and without pressure on the cache, a sliding window, and each engine's scheduler.
#[test]
fn summed_stretches_equal_the_walk() {
    let h100 = device("H100");
    let lengths = TokenLengths { input: 700, output: 300, least_share: 0.3 };
    let open = SimulatedWorkload::open(120, lengths, Rate::poisson(15.0), Some(40), 7).unwrap();
    // Contexts that begin within the sliding window of 128 tokens and pass it.
    let short = SimulatedWorkload::closed(60, TokenLengths { input: 120, output: 200, least_share: 0.2 }, 12, 5);
    for name in ["meta-llama/Llama-3.1-8B", "openai/gpt-oss-20b"] {
        let model = model(name);
        for engine in [Engine::Vllm, Engine::Sglang, Engine::TensorRtLlm, Engine::LlamaCpp] {
            for kv_tokens in [None, Some(6000)] {
                for workload in [&SimulatedWorkload::closed(120, lengths, 24, 3), &open, &short] {
                    let mut settings = EngineSettings::defaults(engine, &h100, 1);
                    if engine == Engine::TensorRtLlm {
                        (settings.batch_wait_steps, settings.batch_wait_share) = (20, 0.5);
                    }
                    let scenario = Scenario { engine, kv_tokens, settings: Some(settings), ..scenario(&model, &h100, 1) };
                    let simulator = Simulator::new(scenario, &Profiles::default()).unwrap();
                    let summed = simulator.run_with(workload, Stretches::Summed).unwrap().outcome;
                    let walked = simulator.run_with(workload, Stretches::Walked).unwrap().outcome;
                    let at = format!("{name} {engine} {kv_tokens:?} {:?}", workload.load);
                    assert_eq!(summed.steps, walked.steps, "{at}");
                    assert_eq!(summed.preemptions, walked.preemptions, "{at}");
                    assert_eq!(summed.dropped, walked.dropped, "{at}");
                    assert_eq!(summed.samples.len(), walked.samples.len(), "{at}");
                    for (one, other) in summed.samples.iter().zip(&walked.samples) {
                        assert_eq!(one.request, other.request);
                        assert!(
                            close(one.first_token, other.first_token) && close(one.end, other.end),
                            "{at}: {one:?} {other:?}"
                        );
                    }
                    assert!(close(summed.time.total(), walked.time.total()), "{at}");
                    let (one, other) = (summed.itl_ms.unwrap(), walked.itl_ms.unwrap());
                    assert_eq!(one.n, other.n, "{at}");
                    assert!(close(one.mean, other.mean) && close(one.max, other.max), "{at}");
                }
            }
        }
    }
}

#[test]
fn preemption_happens_under_pressure() {
    let (model, h100) = (model("meta-llama/Llama-3.1-8B"), device("H100"));
    let scenario = Scenario { kv_tokens: Some(6000), ..scenario(&model, &h100, 1) };
    let workload = SimulatedWorkload::closed(120, TokenLengths { input: 700, output: 300, least_share: 0.3 }, 24, 3);
    let outcome = Simulator::new(scenario, &Profiles::default()).unwrap().run(&workload).unwrap().outcome;
    assert!(outcome.preemptions > 0);
    assert_eq!(outcome.samples.len(), 120);
    assert!(outcome.kv_share > 0.9 && outcome.kv_share <= 1.0);
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let (model, b200) = (model("openai/gpt-oss-120b"), device("B200"));
    let bytes = || {
        let scenario = Scenario { precision: Precision::Mxfp4, replicas: 3, ..scenario(&model, &b200, 2) };
        let workload = SimulatedWorkload::closed(200, TokenLengths { input: 1024, output: 512, least_share: 0.8 }, 32, 42);
        let simulation = Simulator::new(scenario, &Profiles::published()).unwrap().run(&workload).unwrap();
        serde_json::to_vec(&(&simulation, &simulation.outcome.samples)).unwrap()
    };
    assert_eq!(bytes(), bytes());
}

#[test]
fn littles_law_holds() {
    let (model, h200) = (model("meta-llama/Llama-3.1-8B"), device("H200"));
    let workload = SimulatedWorkload::closed(300, TokenLengths { input: 512, output: 256, least_share: 0.5 }, 32, 9);
    let simulator = Simulator::new(scenario(&model, &h200, 1), &Profiles::published()).unwrap();
    let outcome = simulator.run(&workload).unwrap().outcome;
    assert!(outcome.achieved_concurrency <= 32.0 + 1e-9 && outcome.achieved_concurrency > 28.0);
}

/// Gaps lead from each request's first token to its last: through prompts that go first, preemption, steps without room, warm-up.
#[test]
fn gaps_add_up_to_what_follows_the_first_token() {
    let h100 = device("H100");
    let model = model("meta-llama/Llama-3.1-8B");
    let mut closed = SimulatedWorkload::closed(120, TokenLengths { input: 700, output: 300, least_share: 0.3 }, 24, 3);
    closed.warmup = 30;
    // A last part of one token, and prompts of one token.
    let odd = SimulatedWorkload {
        requests: requests(&[(0.0, 8193, 40), (0.0, 1, 40), (0.1, 1, 1), (0.2, 4097, 20)]),
        load: SimulatedLoad::Open { max_in_flight: None },
        warmup: 0,
        until: None,
    };
    for engine in [Engine::Vllm, Engine::Sglang, Engine::TensorRtLlm, Engine::Tgi, Engine::LlamaCpp] {
        for (kv_tokens, max_sequences, replicas) in [(None, 256, 1), (Some(9000), 256, 2), (None, 24, 1)] {
            for workload in [&closed, &odd] {
                for stretches in [Stretches::Summed, Stretches::Walked] {
                    let defaults = EngineSettings::defaults(engine, &h100, 1);
                    // With fewer tokens in a step than sequences some are left out of it.
                    let max_batched_tokens = if max_sequences == 24 { 16 } else { defaults.max_batched_tokens };
                    let settings = EngineSettings { max_sequences, max_batched_tokens, ..defaults };
                    let scenario =
                        Scenario { engine, kv_tokens, replicas, settings: Some(settings), ..scenario(&model, &h100, 1) };
                    let simulator = Simulator::new(scenario, &Profiles::default()).unwrap();
                    let outcome = simulator.run_with(workload, stretches).unwrap().outcome;
                    let at = format!("{engine} {kv_tokens:?} {max_sequences} {stretches:?} {:?}", workload.load);
                    let (mut gaps, mut milliseconds) = (0, 0.0);
                    for sample in &outcome.samples {
                        gaps += u64::from(sample.output - 1);
                        milliseconds += 1e3 * (sample.end - sample.first_token);
                    }
                    let itl = outcome.itl_ms.unwrap();
                    assert_eq!(itl.n, gaps, "{at}");
                    assert!(close(itl.mean * itl.n as f64, milliseconds), "{at}: {} {milliseconds}", itl.mean * itl.n as f64);
                }
            }
        }
    }
}

#[test]
fn a_prompt_that_goes_first_is_a_gap_of_what_runs() {
    let (steps, efficiency) = ten_millisecond_steps();
    let settings = EngineSettings { mixed_steps: false, ..SETTINGS };
    let workload = SimulatedWorkload {
        requests: requests(&[(0.0, 60, 10), (0.001, 64, 2)]),
        load: SimulatedLoad::Open { max_in_flight: None },
        warmup: 0,
        until: None,
    };
    let run = simulate_replica(&workload, &steps, &settings, &efficiency, 10_000, Stretches::Summed, &Limits::default()).unwrap();
    let longest = run.gaps.iter().map(|gap| gap.last).fold(0.0, f64::max);
    assert_eq!(milliseconds(longest), 20.0);
}

#[test]
fn replicas_share_the_load() {
    let (model, h100) = (model("meta-llama/Llama-3.1-8B"), device("H100"));
    let workload = SimulatedWorkload::closed(320, TokenLengths::fixed(512, 128), 32, 1);
    let run = |replicas, concurrency| {
        let scenario = Scenario { replicas, ..scenario(&model, &h100, 1) };
        let workload = SimulatedWorkload { load: SimulatedLoad::Closed { concurrency, ramp: 0.0 }, ..workload.clone() };
        Simulator::new(scenario, &Profiles::default()).unwrap().run(&workload).unwrap().outcome
    };
    let (one, two) = (run(1, 16), run(2, 32));
    assert_eq!(two.samples.len(), 320);
    let ratio = two.output_throughput / one.output_throughput;
    assert!((ratio - 2.0).abs() < 0.1, "{ratio}");
}

#[test]
fn replicas_that_outnumber_the_load_stay_idle() {
    let (model, h100) = (model("meta-llama/Llama-3.1-8B"), device("H100"));
    let run = |replicas, load| {
        let scenario = Scenario { replicas, ..scenario(&model, &h100, 1) };
        let workload = SimulatedWorkload { load, ..SimulatedWorkload::closed(16, TokenLengths::fixed(512, 128), 1, 1) };
        Simulator::new(scenario, &Profiles::default()).unwrap().run(&workload).unwrap().outcome
    };
    let user = SimulatedLoad::Closed { concurrency: 1, ramp: 0.0 };
    let (one, eight) = (run(1, user), run(8, user));
    assert_eq!((one.samples, one.output_throughput), (eight.samples, eight.output_throughput));
    // With a limit of requests in flight each replica that serves has room.
    let arrivals = |replicas| {
        let scenario = Scenario { replicas, ..scenario(&model, &h100, 1) };
        let rate = SimulatedWorkload::open(40, TokenLengths::fixed(128, 16), Rate::poisson(0.5), Some(2), 1).unwrap();
        Simulator::new(scenario, &Profiles::default()).unwrap().run(&rate).unwrap().outcome.dropped
    };
    assert_eq!(arrivals(8), 0);
    // A burst with room for three: the others are dropped, wherever they are dealt.
    let burst = run(8, SimulatedLoad::Open { max_in_flight: Some(3) });
    assert_eq!((burst.samples.len(), burst.dropped), (3, 13));
    let mut requests: Vec<u32> = burst.samples.iter().map(|sample| sample.request).collect();
    requests.dedup();
    assert_eq!(requests, [0, 1, 2]);
}

#[test]
fn warmup_is_not_counted() {
    let (model, h100) = (model("meta-llama/Llama-3.1-8B"), device("H100"));
    let mut workload = SimulatedWorkload::closed(100, TokenLengths::fixed(512, 64), 10, 1);
    workload.warmup = 20;
    let simulator = Simulator::new(scenario(&model, &h100, 1), &Profiles::default()).unwrap();
    let outcome = simulator.run(&workload).unwrap().outcome;
    assert_eq!(outcome.samples.len(), 80);
    assert!(outcome.samples.iter().all(|sample| sample.request >= 20));
}

/// vLLM states 41,408 tokens for this model on this card.
#[test]
fn memory_fits_as_measured() {
    let (model, card) = (model("meta-llama/Llama-3.1-8B"), device("RTX 4090"));
    let simulator = Simulator::new(scenario(&model, &card, 1), &Profiles::default()).unwrap();
    let memory = simulator.memory(2048);
    let error = memory.kv_tokens as f64 / 41_408.0 - 1.0;
    assert!(error.abs() < 0.05, "{} tokens", memory.kv_tokens);
    assert_eq!(memory.concurrent_requests, memory.kv_tokens / 2048);
}

#[test]
fn shortfalls_state_the_missing_bytes() {
    let (model, card) = (model("meta-llama/Llama-3.1-70B"), device("H100"));
    let simulator = Simulator::new(scenario(&model, &card, 1), &Profiles::default()).unwrap();
    let error = simulator.run(&SimulatedWorkload::closed(10, TokenLengths::fixed(1024, 1024), 1, 1)).unwrap_err();
    let SimulationError::DoesNotFit(memory) = &error else { panic!("{error}") };
    // 141 GB of weights on a card with 77 GB usable.
    assert!((memory.missing() / 1e9 - 69.0).abs() < 4.0, "{}", memory.missing());
    assert!(error.to_string().contains("141.1 GB of weights"), "{error}");
}

#[test]
fn heads_must_divide() {
    let (model, card) = (model("Qwen/Qwen2-7B"), device("H100"));
    let error = Simulator::new(scenario(&model, &card, 8), &Profiles::default()).unwrap_err();
    assert_eq!(error, SimulationError::Indivisible { heads: 28, tensor_parallel: 8 });
}

/// Dense weights are read once whatever the batch: 16 GB at 3.35 TB/s are 4.5 ms with padding and overlap out of the way.
#[test]
fn a_step_is_a_roofline() {
    let (model, h100) = (model("meta-llama/Llama-3.1-8B"), device("H100"));
    let ideal = Efficiency {
        compute: 1.0,
        padding_tokens: 0.0,
        memory: 1.0,
        kv: 1.0,
        attention: 1.0,
        step_us: 0.0,
        layer_us: 0.0,
        sequence_us: 0.0,
        prefill_step_us: 0.0,
        ..Efficiency::generic(Generation::Hopper)
    };
    let steps = StepModel::new(&model, Precision::Bf16, KvPrecision::Bits16, &h100, 1, &ideal);
    let decode = steps.time(&StepWork { decodes: 1, context: 1000.0, windowed_context: 1000.0, ..StepWork::default() });
    let bytes = model.bytes(Precision::Bf16) - 128_256.0 * 4096.0 * 2.0;
    assert!((decode.weights / (bytes / 3.35e12) - 1.0).abs() < 0.01, "{decode:?}");
    assert!((decode.decode_attention / (1000.0 * 131_072.0 / 3.35e12) - 1.0).abs() < 1e-9);
    let prompt = steps.time(&StepWork { prefill_tokens: 8192, prefills: 1, pairs: 8192.0 * 4096.0, ..StepWork::default() });
    assert!((prompt.compute / (2.0 * model.dense_parameters() * 8192.0 / 989e12) - 1.0).abs() < 0.02, "{prompt:?}");
    // 4 x 32 heads x 128 x pairs x 32 layers.
    assert!((prompt.prefill_attention / (16_384.0 * 8192.0 * 4096.0 * 32.0 / 989e12) - 1.0).abs() < 1e-9);
}
