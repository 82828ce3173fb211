//! What stays the same while the sliders move: the model, the device, the engine and its factors as the run had them.

use strum::VariantArray as _;

use dyno_simulate::device::Generation;
use dyno_simulate::model::{Attention, Mixture, SlidingWindow};
use dyno_simulate::profile::{Efficiency, ErrorBar, ErrorBasis, Factor, Standing};
use dyno_simulate::scenario::PredictionBasis;
use dyno_simulate::{Engine, EngineSettings, KvPrecision, ModelDescriptor, Precision, SimulatedDevice};

/// How the simulated run's load was put on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OriginalLoad {
    pub concurrency: u32,
    pub requests: u32,
    /// Seconds over which the users begin; absent: as the load generator does unless it is told.
    pub ramp_s: Option<f64>,
}

/// Names are not part of it: nothing is reckoned by them.
#[derive(Debug, Clone, PartialEq)]
pub struct WhatIfSubject {
    pub model: ModelDescriptor,
    pub device: SimulatedDevice,
    pub engine: Engine,
    pub settings: EngineSettings,
    pub efficiency: Efficiency,
    pub kv_precision: KvPrecision,
    pub prediction: PredictionBasis,
    pub run: OriginalLoad,
}

const PRECISIONS: [Precision; 6] =
    [Precision::Fp32, Precision::Bf16, Precision::Fp8, Precision::Int8, Precision::Nvfp4, Precision::Mxfp4];
/// Stands for what is absent; no value is below 0.
const ABSENT: f64 = -1.0;

impl WhatIfSubject {
    /// The subject without the names, as [`WhatIfSubject::from_numbers`] reads it.
    pub fn to_numbers(&self) -> Vec<f64> {
        let mut out = Vec::with_capacity(96);
        write_model(&self.model, &mut out);
        write_device(&self.device, &mut out);
        out.push(place(Engine::VARIANTS, &self.engine));
        let EngineSettings {
            max_batched_tokens,
            max_sequences,
            block_tokens,
            memory_share,
            share_of_rest,
            mixed_steps,
            reserve_whole_length,
            whole_prompts,
            batch_wait_steps,
            batch_wait_share,
        } = self.settings;
        out.extend([max_batched_tokens, max_sequences, block_tokens, batch_wait_steps].map(f64::from));
        out.extend([memory_share, batch_wait_share]);
        out.extend([share_of_rest, mixed_steps, reserve_whole_length, whole_prompts].map(flag));
        out.extend(Factor::VARIANTS.iter().map(|&factor| self.efficiency.get(factor)));
        out.push(flag(self.kv_precision == KvPrecision::Bits8));
        let PredictionBasis { standing, runs, error_pct: ErrorBar { ttft, tpot, e2el }, error_basis } = self.prediction;
        out.extend([flag(standing == Standing::Calibrated), f64::from(runs), flag(error_basis == ErrorBasis::Assumed)]);
        out.extend([ttft, tpot, e2el].map(|error| error.unwrap_or(ABSENT)));
        out.extend([f64::from(self.run.concurrency), f64::from(self.run.requests), self.run.ramp_s.unwrap_or(ABSENT)]);
        out
    }

    /// Nothing where the numbers are not those of a subject.
    pub fn from_numbers(numbers: &[f64]) -> Option<Self> {
        Self::read(&mut SubjectNumbers(numbers.iter())).ok()
    }

    fn read(numbers: &mut SubjectNumbers<'_>) -> Result<Self, NotASubject> {
        let subject = Self {
            model: read_model(numbers)?,
            device: read_device(numbers)?,
            engine: numbers.one_of(Engine::VARIANTS)?,
            settings: read_settings(numbers)?,
            efficiency: {
                let mut efficiency = Efficiency::generic(Generation::Stated);
                for factor in Factor::VARIANTS {
                    *efficiency.get_mut(*factor) = numbers.number()?;
                }
                efficiency
            },
            kv_precision: if numbers.flag()? { KvPrecision::Bits8 } else { KvPrecision::Bits16 },
            prediction: PredictionBasis {
                standing: if numbers.flag()? { Standing::Calibrated } else { Standing::Prior },
                runs: numbers.whole()?,
                error_basis: if numbers.flag()? { ErrorBasis::Assumed } else { ErrorBasis::Measured },
                error_pct: ErrorBar { ttft: numbers.maybe()?, tpot: numbers.maybe()?, e2el: numbers.maybe()? },
            },
            run: OriginalLoad { concurrency: numbers.whole()?, requests: numbers.whole()?, ramp_s: numbers.maybe()? },
        };
        if numbers.0.next().is_some() { Err(NotASubject) } else { Ok(subject) }
    }
}

fn flag(is: bool) -> f64 {
    f64::from(u8::from(is))
}

fn place<T: PartialEq>(all: &[T], one: &T) -> f64 {
    all.iter().position(|other| other == one).map_or(ABSENT, |place| place as f64)
}

fn write_model(model: &ModelDescriptor, out: &mut Vec<f64>) {
    out.extend([model.layers, model.hidden, model.vocabulary, model.feed_forward, model.feed_forward_matrices].map(f64::from));
    match model.attention {
        Attention::Grouped { heads, kv_heads, head_width } => {
            out.extend([0, heads, kv_heads, head_width, 0, 0, 0].map(f64::from));
        }
        Attention::Latent { heads, query_rank, kv_rank, rope_width, nope_width, value_width } => {
            let query_rank = query_rank.map_or(ABSENT, f64::from);
            out.extend([1.0, heads.into(), query_rank, kv_rank.into(), rope_width.into(), nope_width.into(), value_width.into()]);
        }
    }
    match &model.mixture {
        Some(Mixture { experts, experts_per_token, expert_width, shared_width, dense_layers }) => {
            out.extend([*experts, *experts_per_token, *expert_width, *shared_width, *dense_layers].map(f64::from));
        }
        None => out.extend([ABSENT, 0.0, 0.0, 0.0, 0.0]),
    }
    match &model.sliding_window {
        Some(SlidingWindow { tokens, layers }) => out.extend([*tokens, *layers].map(f64::from)),
        None => out.extend([ABSENT, 0.0]),
    }
    out.extend([flag(model.tied_embeddings), model.context.map_or(ABSENT, f64::from)]);
    match model.precision {
        Precision::Quantized { bits } => out.extend([ABSENT, bits]),
        other => out.extend([place(&PRECISIONS, &other), 0.0]),
    }
    out.push(model.weight_bytes.unwrap_or(ABSENT));
}

fn read_model(numbers: &mut SubjectNumbers<'_>) -> Result<ModelDescriptor, NotASubject> {
    let [layers, hidden, vocabulary, feed_forward, feed_forward_matrices] = numbers.wholes()?;
    let is_latent = numbers.flag()?;
    let heads = numbers.whole()?;
    let (second, [third, fourth, fifth, sixth]) = (numbers.maybe_whole()?, numbers.wholes()?);
    let attention = if is_latent {
        Attention::Latent { heads, query_rank: second, kv_rank: third, rope_width: fourth, nope_width: fifth, value_width: sixth }
    } else {
        Attention::Grouped { heads, kv_heads: second.ok_or(NotASubject)?, head_width: third }
    };
    let (experts, [experts_per_token, expert_width, shared_width, dense_layers]) = (numbers.maybe_whole()?, numbers.wholes()?);
    let (window, window_layers) = (numbers.maybe_whole()?, numbers.whole()?);
    let (tied_embeddings, context) = (numbers.flag()?, numbers.maybe_whole()?);
    let (precision, bits) = (numbers.maybe_whole()?, numbers.number()?);
    Ok(ModelDescriptor {
        name: String::new(),
        layers,
        hidden,
        vocabulary,
        attention,
        feed_forward,
        feed_forward_matrices,
        mixture: experts.map(|experts| Mixture { experts, experts_per_token, expert_width, shared_width, dense_layers }),
        sliding_window: window.map(|tokens| SlidingWindow { tokens, layers: window_layers }),
        tied_embeddings,
        context,
        precision: match precision {
            Some(place) => *PRECISIONS.get(place as usize).ok_or(NotASubject)?,
            None => Precision::Quantized { bits },
        },
        weight_bytes: numbers.maybe()?,
    })
}

fn write_device(device: &SimulatedDevice, out: &mut Vec<f64>) {
    out.push(place(Generation::VARIANTS, &device.generation));
    out.extend([device.memory_gib, device.memory_bandwidth, device.tflops_16, device.link_bandwidth]);
    out.extend([device.tflops_8, device.tflops_4].map(|rate| rate.unwrap_or(ABSENT)));
    out.push(device.devices_per_node.into());
}

fn read_device(numbers: &mut SubjectNumbers<'_>) -> Result<SimulatedDevice, NotASubject> {
    let generation = numbers.one_of(Generation::VARIANTS)?;
    let [memory_gib, memory_bandwidth, tflops_16, link_bandwidth] =
        [numbers.number()?, numbers.number()?, numbers.number()?, numbers.number()?];
    Ok(SimulatedDevice {
        name: String::new(),
        generation,
        memory_gib,
        memory_bandwidth,
        tflops_16,
        tflops_8: numbers.maybe()?,
        tflops_4: numbers.maybe()?,
        link_bandwidth,
        devices_per_node: numbers.whole()?,
    })
}

fn read_settings(numbers: &mut SubjectNumbers<'_>) -> Result<EngineSettings, NotASubject> {
    let [max_batched_tokens, max_sequences, block_tokens, batch_wait_steps] = numbers.wholes()?;
    let (memory_share, batch_wait_share) = (numbers.number()?, numbers.number()?);
    Ok(EngineSettings {
        max_batched_tokens,
        max_sequences,
        block_tokens,
        memory_share,
        share_of_rest: numbers.flag()?,
        mixed_steps: numbers.flag()?,
        reserve_whole_length: numbers.flag()?,
        whole_prompts: numbers.flag()?,
        batch_wait_steps,
        batch_wait_share,
    })
}

/// The numbers are not those of a subject.
#[derive(Debug)]
struct NotASubject;

struct SubjectNumbers<'a>(std::slice::Iter<'a, f64>);

impl SubjectNumbers<'_> {
    /// Not below 0, as nothing is but what is absent.
    fn number(&mut self) -> Result<f64, NotASubject> {
        self.0.next().copied().filter(|number| number.is_finite() && *number >= 0.0).ok_or(NotASubject)
    }

    fn whole(&mut self) -> Result<u32, NotASubject> {
        let number = self.number()?;
        if number.fract() == 0.0 && number <= f64::from(u32::MAX) { Ok(number as u32) } else { Err(NotASubject) }
    }

    fn wholes<const N: usize>(&mut self) -> Result<[u32; N], NotASubject> {
        let mut wholes = [0; N];
        for whole in &mut wholes {
            *whole = self.whole()?;
        }
        Ok(wholes)
    }

    fn flag(&mut self) -> Result<bool, NotASubject> {
        self.one_of(&[false, true])
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> Result<T, NotASubject> {
        all.get(self.whole()? as usize).copied().ok_or(NotASubject)
    }

    fn maybe(&mut self) -> Result<Option<f64>, NotASubject> {
        if self.0.as_slice().first() == Some(&ABSENT) {
            self.0.next();
            return Ok(None);
        }
        self.number().map(Some)
    }

    fn maybe_whole(&mut self) -> Result<Option<u32>, NotASubject> {
        if self.0.as_slice().first() == Some(&ABSENT) {
            self.0.next();
            return Ok(None);
        }
        self.whole().map(Some)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use dyno_simulate::{device, model};

    use super::*;

    /// 100 requests at 16 in flight.
    pub(crate) fn subject(model: &str, device: &str, engine: Engine) -> WhatIfSubject {
        let device = device::find(device).unwrap();
        let model = model::catalogue::find(model).unwrap();
        WhatIfSubject {
            settings: EngineSettings::defaults(engine, &device, 1),
            efficiency: Efficiency::generic(device.generation),
            kv_precision: KvPrecision::Bits16,
            prediction: PredictionBasis::GENERIC,
            run: OriginalLoad { concurrency: 16, requests: 100, ramp_s: None },
            model,
            device,
            engine,
        }
    }

    #[test]
    fn a_subject_survives_as_numbers_but_for_its_names() {
        let models = ["meta-llama/Llama-3.1-8B", "openai/gpt-oss-120b", "deepseek-ai/DeepSeek-V3", "Qwen/Qwen3-4B"];
        for (name, (at, engine)) in models.iter().zip(Engine::VARIANTS.iter().copied().enumerate()) {
            for sheet in device::CATALOGUE {
                let mut kept = subject(name, sheet.name, engine);
                kept.model.precision = [Precision::Fp8, Precision::INT4, Precision::Mxfp4, Precision::Fp32][at];
                kept.model.weight_bytes = (at == 1).then_some(4_517_021_952.0);
                kept.run.ramp_s = (at == 2).then_some(0.25);
                kept.prediction.error_pct.ttft = None;
                let read = WhatIfSubject::from_numbers(&kept.to_numbers()).unwrap();
                kept.model.name.clear();
                kept.device.name.clear();
                assert_eq!(read, kept);
            }
        }
    }

    #[test]
    fn other_numbers_are_no_subject() {
        let numbers = subject("meta-llama/Llama-3.1-8B", "H100", Engine::Vllm).to_numbers();
        assert_eq!(WhatIfSubject::from_numbers(&numbers[1..]), None);
        assert_eq!(WhatIfSubject::from_numbers(&numbers[..numbers.len() - 1]), None);
        assert_eq!(WhatIfSubject::from_numbers(&[&numbers[..], &[0.0]].concat()), None);
        for at in 0..numbers.len() {
            let mut wrong = numbers.clone();
            wrong[at] = f64::NAN;
            assert_eq!(WhatIfSubject::from_numbers(&wrong), None, "number {at}");
        }
    }
}
