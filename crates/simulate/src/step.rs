//! The time of one engine step: a roofline per operator, with calibrated efficiencies.

use serde::Serialize;

use crate::device::SimulatedDevice;
use crate::model::ModelDescriptor;
use crate::precision::{ArithmeticClass, KvPrecision, Precision};
use crate::profile::Efficiency;

/// Reading weights and multiplying overlap partly: the exponent of the norm that joins the two times.
const OVERLAP: f64 = 1.67;

/// Seconds of one step, or of many, by operator.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct StepTime {
    /// Linear layers, the share that arithmetic takes.
    pub compute: f64,
    /// Linear layers and output head, the share that reading weights takes.
    pub weights: f64,
    /// Attention of running sequences: reading the KV cache.
    pub decode_attention: f64,
    pub prefill_attention: f64,
    pub communication: f64,
    pub overhead: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    Compute,
    Bandwidth,
    Communication,
    Overhead,
}

impl StepTime {
    pub fn total(&self) -> f64 {
        self.compute + self.weights + self.decode_attention + self.prefill_attention + self.communication + self.overhead
    }

    pub(crate) fn add(&mut self, other: &Self, times: f64) {
        self.compute += other.compute * times;
        self.weights += other.weights * times;
        self.decode_attention += other.decode_attention * times;
        self.prefill_attention += other.prefill_attention * times;
        self.communication += other.communication * times;
        self.overhead += other.overhead * times;
    }

    /// The kind of work that takes most of the time.
    pub fn bound(&self) -> Bound {
        let mut most = (Bound::Compute, self.compute + self.prefill_attention);
        for other in [
            (Bound::Bandwidth, self.weights + self.decode_attention),
            (Bound::Communication, self.communication),
            (Bound::Overhead, self.overhead),
        ] {
            if other.1 > most.1 {
                most = other;
            }
        }
        most.0
    }
}

/// The work of a step.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct StepWork {
    /// Sequences that get one token each.
    pub decodes: u32,
    /// Tokens of their contexts.
    pub context: f64,
    /// The same with each context cut at the model's sliding window.
    pub windowed_context: f64,
    pub prefill_tokens: u32,
    /// Number of sequences with prompt tokens.
    pub prefills: u32,
    /// Pairs of query and key in the prompts' attention: sum of chunk x (cached + chunk / 2).
    pub pairs: f64,
    pub windowed_pairs: f64,
}

/// Coefficients of one model on one device, engine and layout, so that a step is a few multiplications.
#[derive(Debug, Clone)]
pub struct StepModel {
    /// Seconds per token: dense layers, experts.
    dense_compute: f64,
    expert_compute: f64,
    padding_tokens: f64,
    /// Seconds: dense weights, all experts, head.
    dense_read: f64,
    expert_read: f64,
    head_read: f64,
    head_compute: f64,
    /// Share of experts that one token does not use.
    unused_share: f64,
    /// Seconds per token of context: full and windowed layers.
    full_context: f64,
    windowed_context: f64,
    full_pair: f64,
    windowed_pair: f64,
    /// Where every device reads the data of all others at once, and where they pass it round a ring.
    collectives: [Collectives; 2],
    step: f64,
    sequence: f64,
    prefill_step: f64,
    window: Option<u32>,
}

/// All collectives of a step, by one algorithm.
#[derive(Debug, Clone, Copy, Default)]
struct Collectives {
    latency: f64,
    per_token: f64,
}

impl Collectives {
    /// `count` sums over `ranks` devices, with `transfer` seconds for one token's data over a link. Reading everything from everybody
    /// takes one latency, a ring 2 (ranks - 1) passes with half of it each but the least data: engines take the first for few
    /// tokens, the second for many. With two devices they are the same.
    fn of(ranks: f64, count: f64, transfer: f64, latency: f64) -> [Self; 2] {
        let others = ranks - 1.0;
        [
            Self { latency: count * latency, per_token: count * others * transfer },
            Self { latency: count * others * latency, per_token: count * 2.0 * others / ranks * transfer },
        ]
    }

    fn seconds(&self, tokens: f64) -> f64 {
        self.latency + self.per_token * tokens
    }
}

impl StepModel {
    pub fn new(
        model: &ModelDescriptor,
        precision: Precision,
        kv_precision: KvPrecision,
        device: &SimulatedDevice,
        tensor_parallel: u32,
        efficiency: &Efficiency,
    ) -> Self {
        let ranks = f64::from(tensor_parallel);
        let layers = f64::from(model.layers);
        let read = ranks * device.bytes_per_second() * efficiency.memory;
        let rate = |class| ranks * device.operations_per_second(class) * efficiency.compute;
        let sixteen = ranks * device.operations_per_second(ArithmeticClass::Bits16);
        let (experts, chosen) = model
            .mixture
            .as_ref()
            .map_or((0.0, 0.0), |mixture| (f64::from(mixture.experts), f64::from(mixture.experts_per_token)));
        let expert_parameters = model.expert_parameters();
        let head = model.head_parameters();
        // a known file size overrides the computed one, applied to all matrices alike
        let scale = match model.weight_bytes {
            Some(bytes) if precision == model.precision => {
                bytes / ModelDescriptor { weight_bytes: None, ..model.clone() }.bytes(precision)
            }
            _ => 1.0,
        };
        let kv_read = model.kv_bytes_per_layer(kv_precision)
            / (model.kv_shards(tensor_parallel) * device.bytes_per_second() * efficiency.kv);
        let pair = model.attention.operations_per_pair() / (sixteen * efficiency.attention);
        let full = f64::from(model.full_layers());
        let windowed = layers - full;
        let collectives = if tensor_parallel > 1 {
            let link = device.link_bytes_per_second() * efficiency.link;
            Collectives::of(ranks, 2.0 * layers, f64::from(model.hidden) * 2.0 / link, efficiency.link_latency_us * 1e-6)
        } else {
            [Collectives::default(); 2]
        };
        Self {
            dense_compute: 2.0 * model.dense_parameters() / rate(precision.linear_class()),
            expert_compute: 2.0 * chosen * expert_parameters / (rate(precision.expert_class()) * efficiency.expert_compute),
            padding_tokens: efficiency.padding_tokens,
            dense_read: scale * model.dense_parameters() * precision.bytes_per_parameter() / read,
            expert_read: scale * experts * expert_parameters * precision.bytes_per_expert_parameter()
                / (read * efficiency.expert_memory),
            head_read: scale * head * precision.bytes_per_embedding_parameter() / read,
            head_compute: 2.0 * head / (sixteen * efficiency.compute),
            unused_share: if experts > 0.0 { 1.0 - chosen / experts } else { 1.0 },
            full_context: full * kv_read,
            windowed_context: windowed * kv_read,
            full_pair: full * pair,
            windowed_pair: windowed * pair,
            collectives,
            step: (efficiency.step_us + layers * efficiency.layer_us) * 1e-6,
            sequence: efficiency.sequence_us * 1e-6,
            prefill_step: efficiency.prefill_step_us * 1e-6,
            window: model.sliding_window.as_ref().map(|window| window.tokens),
        }
    }

    /// Tokens that windowed layers look back.
    pub fn window(&self) -> Option<u32> {
        self.window
    }

    /// Seconds that one more token in every context costs, past the window and before it.
    pub fn context_slope(&self) -> (f64, f64) {
        (self.full_context, self.windowed_context)
    }

    pub fn time(&self, work: &StepWork) -> StepTime {
        let tokens = f64::from(work.decodes + work.prefill_tokens);
        if tokens == 0.0 {
            return StepTime::default();
        }
        let sequences = f64::from(work.decodes + work.prefills);
        let compute = self.dense_compute * (tokens + self.padding_tokens) + self.expert_compute * tokens;
        let distinct = if self.expert_read > 0.0 { 1.0 - self.unused_share.powf(tokens) } else { 0.0 };
        let read = self.dense_read + self.expert_read * distinct;
        let (of_compute, of_read) = (compute.powf(OVERLAP), read.powf(OVERLAP));
        let linear = (of_compute + of_read).powf(1.0 / OVERLAP);
        let share = of_compute / (of_compute + of_read);
        let prefill = if work.prefill_tokens > 0 { self.prefill_step } else { 0.0 };
        StepTime {
            compute: linear * share + self.head_compute * sequences,
            weights: linear * (1.0 - share) + self.head_read,
            decode_attention: self.full_context * work.context + self.windowed_context * work.windowed_context,
            prefill_attention: self.full_pair * work.pairs + self.windowed_pair * work.windowed_pairs,
            communication: self.collectives[0].seconds(tokens).min(self.collectives[1].seconds(tokens)),
            overhead: self.step + self.sequence * sequences + prefill,
        }
    }
}
