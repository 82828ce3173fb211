//! The form's choices: each decides which other fields count. Fields that a choice excludes are cleared here, since a browser
//! without WASM sends hidden fields too.

use super::LoadForm;
use dyno_measure::limits::preset;
use dyno_measure::load::{LengthDistribution, LoadSpec};

/// The purpose of a benchmark; its word is the value in forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Goal {
    /// How fast the model answers at one load.
    #[strum(serialize = "one")]
    OneLoad,
    /// How that changes with load: a sweep.
    Sweep,
    /// The largest load within limits: a search.
    Search,
}

impl Goal {
    /// The purpose of a stored load.
    pub fn of(load: &LoadSpec) -> Self {
        if load.slo.as_ref().is_some_and(|slo| slo.search.is_some()) {
            Self::Search
        } else if load.load_points.is_empty() {
            Self::OneLoad
        } else {
            Self::Sweep
        }
    }
}

/// How many requests are measured at each load; its word is the value in forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Amount {
    /// The larger of 100 and ten times the requests in flight.
    Quick,
    /// Enough for a p99.
    #[strum(serialize = "p99")]
    DecidesP99,
    /// A number entered by the person.
    Own,
    /// As many as are sent in a given time.
    Time,
}

/// Enough requests for a p99, even if a few fail.
pub const DECIDES_P99: u32 = 700;

impl Amount {
    /// The choice of a stored load.
    pub fn of(load: &LoadSpec) -> Self {
        match (load.num_requests, load.duration_s) {
            (Some(DECIDES_P99), _) => Self::DecidesP99,
            (Some(_), _) => Self::Own,
            (None, Some(_)) => Self::Time,
            (None, None) => Self::Quick,
        }
    }
}

/// Typical lengths of a use case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LengthsPreset {
    /// The value in forms.
    pub name: &'static str,
    pub title: &'static str,
    pub input: u32,
    pub output: u32,
}

/// The presets, in the order in which they are offered.
pub const LENGTHS: [LengthsPreset; 4] = [
    LengthsPreset { name: "chat", title: "Chat", input: 512, output: 128 },
    LengthsPreset { name: "rag", title: "RAG", input: 4_000, output: 256 },
    LengthsPreset { name: "summary", title: "Summary", input: 8_000, output: 512 },
    LengthsPreset { name: "code", title: "Code", input: 1_000, output: 1_000 },
];

/// Instead of a preset's name: lengths entered by the person.
pub const OWN_LENGTHS: &str = "own";

impl LengthsPreset {
    /// The preset with a load's lengths; the first for a load without lengths.
    pub(super) fn name_of(load: &LoadSpec) -> &'static str {
        if load.max_input_tokens.is_none() && load.max_output_tokens.is_none() {
            return LENGTHS[0].name;
        }
        let same = |preset: &&LengthsPreset| {
            (load.max_input_tokens, load.max_output_tokens) == (Some(preset.input), Some(preset.output))
        };
        let is_fixed = |lengths: Option<LengthDistribution>| matches!(lengths, None | Some(LengthDistribution::Fixed {}));
        let plain = is_fixed(load.input_lengths) && is_fixed(load.output_lengths);
        LENGTHS.iter().find(same).filter(|_| plain).map_or(OWN_LENGTHS, |preset| preset.name)
    }
}

impl LoadForm {
    /// Applies the choices: clears the fields that they exclude, and fills in those that they determine.
    #[must_use]
    pub fn resolved(&self) -> Self {
        let mut form = self.clone();
        form.resolve_lengths();
        form.resolve_amount();
        form.resolve_parts();
        if form.goal.is_empty() {
            return form;
        }
        if !form.is(Goal::Sweep) {
            form.load_points.clear();
        }
        if !form.is(Goal::Search) {
            form.search_min.clear();
            form.search_max.clear();
        }
        if !form.is_rate() || !form.is(Goal::OneLoad) {
            form.rate.clear();
        }
        if form.is_rate() {
            form.ramp_s.clear();
        }
        if !form.has_limits() {
            for field in [&mut form.slo_preset, &mut form.ttft_ms, &mut form.tpot_ms, &mut form.e2el_ms] {
                field.clear();
            }
        }
        form
    }

    pub(super) fn is(&self, goal: Goal) -> bool {
        self.goal == goal.into_str()
    }

    /// Whether the load is judged by latency limits.
    pub fn has_limits(&self) -> bool {
        self.is(Goal::Search) || self.goal.is_empty() || self.limits == "yes"
    }

    /// Whether the load uses step 1's concurrency, as its load or as the cap at a rate.
    pub fn uses_concurrency(&self) -> bool {
        self.goal.is_empty() || self.is(Goal::OneLoad) || self.is_rate()
    }

    fn resolve_lengths(&mut self) {
        if self.eval_with == "dataset" {
            return;
        }
        if let Some(preset) = LENGTHS.iter().find(|preset| preset.name == self.lengths_preset) {
            self.max_input_tokens = preset.input.to_string();
            self.max_output_tokens = preset.output.to_string();
            if self.endpoint == "embeddings" {
                self.max_output_tokens.clear();
            }
        }
    }

    fn resolve_amount(&mut self) {
        let of = |amount: Amount| self.amount == amount.into_str();
        let (by_number, by_time) = (of(Amount::Own), of(Amount::Time));
        if of(Amount::DecidesP99) {
            self.num_requests = DECIDES_P99.to_string();
        } else if !self.amount.is_empty() && !by_number {
            self.num_requests.clear();
        }
        if !self.amount.is_empty() {
            // a chosen number is not a default, even if it equals it
            self.default_requests.clear();
            if !by_time {
                self.duration_s.clear();
            }
        }
    }

    /// Clears fields of a choice that belong to another value of it.
    fn resolve_parts(&mut self) {
        if self.process != "gamma" {
            self.burstiness.clear();
        }
        if preset(&self.slo_preset).is_some() {
            self.ttft_ms.clear();
            self.tpot_ms.clear();
        }
        let lengths = [
            (&self.input_lengths, &mut self.input_min, &mut self.input_mean, &mut self.input_std),
            (&self.output_lengths, &mut self.output_min, &mut self.output_mean, &mut self.output_std),
        ];
        for (kind, min, mean, std) in lengths {
            if kind != "uniform" {
                min.clear();
            }
            if !matches!(kind.as_str(), "normal" | "lognormal") {
                mean.clear();
                std.clear();
            }
        }
    }
}
