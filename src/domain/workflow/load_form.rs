//! Step 2 as a form: every field is text, empty where nothing was chosen. Converts a stored load to fields, and fields to the
//! call's body; values are validated by the workflow's rules only.

use std::sync::LazyLock;

use dyno_measure::load::options::OptionKind;
use dyno_measure::load::{Arrival, EvalWith, LengthDistribution, LoadOption, LoadSpec, OPTIONS, RequestHeader, Slo};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::domain::form::Flash;
use dyno_measure::limits::{preset, preset_of};

mod choices;
mod parts;

pub use self::parts::option_of;
pub use choices::{Amount, DECIDES_P99, Goal, LENGTHS, LengthsPreset, OWN_LENGTHS};

/// The form's fields. Fields that the workflow's errors name have the workflow's names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "they are the workflow's fields and their parts, in the workflow's words")]
pub struct LoadForm {
    pub eval_with: String,
    /// The purpose of the benchmark, a [`Goal`]; empty where the other fields alone determine it, as scripts may send them.
    pub goal: String,
    /// Step 1's field, which this step may change; empty: unchanged.
    pub concurrent_requests: String,
    /// The name of a [`LengthsPreset`]; `own` or empty: the next two fields.
    pub lengths_preset: String,
    pub max_input_tokens: String,
    pub max_output_tokens: String,
    /// How many requests are measured, an [`Amount`]; empty: as the next fields say.
    pub amount: String,
    pub num_requests: String,
    /// The default of `num_requests` that the form showed: a field left at it stays at the default.
    pub default_requests: String,
    pub warmup_requests: String,
    /// The default of `warmup_requests` that the form showed.
    pub default_warmup: String,
    pub duration_s: String,
    /// `closed` or `rate`.
    pub arrival: String,
    pub rate: String,
    pub process: String,
    pub burstiness: String,
    pub ramp_s: String,
    /// Loads, separated by commas or spaces.
    pub load_points: String,
    /// `yes` where loads outside a search are judged by latency limits.
    pub limits: String,
    /// A preset's name; empty: the limits of the next fields.
    pub slo_preset: String,
    pub ttft_ms: String,
    pub tpot_ms: String,
    pub e2el_ms: String,
    pub percentile: String,
    pub search_min: String,
    pub search_max: String,
    pub endpoint: String,
    /// `fixed`, `uniform`, `normal` or `lognormal`.
    pub input_lengths: String,
    pub input_min: String,
    pub input_mean: String,
    pub input_std: String,
    pub output_lengths: String,
    pub output_min: String,
    pub output_mean: String,
    pub output_std: String,
    pub prefix: String,
    /// `yes` or empty.
    pub multi_turn: String,
    /// `yes`, `no` or empty.
    pub ignore_eos: String,
    pub time_scale: String,
    pub seed: String,
    /// `Name: value`, one per line.
    pub headers: String,
    /// A JSON object.
    pub extra_body: String,
}

/// The fields under "More options" that errors may name.
pub static MORE: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| OPTIONS.iter().filter(|option| option.more).map(|option| option.name).collect());

impl LoadForm {
    /// The fields of a stored load.
    pub fn of(load: &LoadSpec) -> Self {
        let default_warmup = load.concurrent_requests.to_string();
        let mut form = Self {
            eval_with: if load.eval_with == EvalWith::Dataset { "dataset" } else { "configuration" }.to_owned(),
            goal: Goal::of(load).into_str().to_owned(),
            concurrent_requests: load.concurrent_requests.to_string(),
            lengths_preset: LengthsPreset::name_of(load).to_owned(),
            amount: Amount::of(load).into_str().to_owned(),
            limits: if load.slo.is_some() { "yes".to_owned() } else { String::new() },
            warmup_requests: default_warmup.clone(),
            default_warmup,
            arrival: if load.is_open() { "rate" } else { "closed" }.to_owned(),
            process: "poisson".to_owned(),
            load_points: load.load_points.iter().map(|point| point.value().to_string()).collect::<Vec<_>>().join(", "),
            endpoint: "chat".to_owned(),
            percentile: "99".to_owned(),
            ..Self::default()
        };
        let values = load.values();
        let texts = OPTIONS.iter().filter_map(|option| Some((option.name, text_of(option, values.get(option.name)?)?)));
        form = form.with(texts);
        if let Some(Arrival::Rate { rate, process, burstiness }) = &load.arrival {
            // a sweep has its rates in `load_points`
            form.rate = if load.load_points.is_empty() { rate.to_string() } else { String::new() };
            process.into_str().clone_into(&mut form.process);
            form.burstiness = text(*burstiness);
        }
        if let Some(slo) = &load.slo {
            form.limits(slo);
        }
        (form.input_lengths, form.input_min, form.input_mean, form.input_std) = lengths(load.input_lengths);
        (form.output_lengths, form.output_min, form.output_mean, form.output_std) = lengths(load.output_lengths);
        form
    }

    fn limits(&mut self, slo: &Slo) {
        if let Some(preset) = preset_of(slo) {
            preset.id.clone_into(&mut self.slo_preset);
        } else {
            (self.ttft_ms, self.tpot_ms) = (text(slo.ttft_ms), text(slo.tpot_ms));
        }
        self.e2el_ms = text(slo.e2el_ms);
        self.percentile = slo.percentile.to_string();
        if let Some(search) = &slo.search {
            (self.search_min, self.search_max) = (search.min.to_string(), search.max.to_string());
        }
    }

    /// Replaces stored values with the entries of a refused form.
    #[must_use]
    pub fn typed(self, flash: &Flash) -> Self {
        let names: Vec<String> = self.fields().into_iter().map(|(name, _)| name).collect();
        let typed = names.iter().filter_map(|name| Some((name.as_str(), flash.entry(name)?.to_owned())));
        self.with(typed)
    }

    /// The fields as a form sends them.
    pub fn of_entries(entries: &[(String, String)]) -> Self {
        let known = Self::default().fields();
        let sent = entries.iter().filter(|(name, _)| known.contains_key(name));
        Self::default().with(sent.map(|(name, text)| (name.as_str(), text.clone())))
    }

    /// Replaces the text of these fields.
    fn with<'a>(self, texts: impl Iterator<Item = (&'a str, String)>) -> Self {
        let mut fields = self.fields();
        fields.extend(texts.map(|(name, text)| (name.to_owned(), Value::String(text))));
        serde_json::from_value(Value::Object(fields)).unwrap_or(self)
    }

    /// Names and values, to be kept for a refused form.
    pub fn entries(&self) -> Vec<(String, String)> {
        let of = |(name, value): (String, Value)| (name, value.as_str().unwrap_or_default().to_owned());
        self.fields().into_iter().map(of).collect()
    }

    fn fields(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(fields)) => fields,
            // unreachable: a struct serializes to an object
            _ => Map::new(),
        }
    }

    /// Whether anything under "More options" differs from its default.
    pub fn has_more(&self) -> bool {
        let (own, default) = (self.fields(), Self::of(&LoadSpec::new(1, EvalWith::Configuration)).fields());
        let differs = |name: &str| {
            let default = if name == "warmup_requests" { own.get("default_warmup") } else { default.get(name) };
            own.get(name) != default
        };
        MORE.iter().any(|name| differs(name))
    }

    /// The call's body. An empty field clears the stored value.
    pub fn body(&self) -> Value {
        self.resolved().body_of_fields()
    }

    fn body_of_fields(&self) -> Value {
        let fields = self.fields();
        let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
        let points = self.points();
        let mut body = Map::new();
        for option in OPTIONS {
            let typed = text(option.name);
            let value = match option.kind {
                OptionKind::Whole { .. } => optional(typed, whole),
                OptionKind::Positive { .. } | OptionKind::FromZero { .. } => optional(typed, decimal),
                OptionKind::Switch { .. } => yes(typed),
                // the first choice is the default
                OptionKind::Choice(choices) if choices.first().is_some_and(|(name, _)| *name == typed) => Value::Null,
                OptionKind::Choice(_) => optional(typed, |text| json!(text)),
                OptionKind::Arrival => self.arrival_value(&points),
                OptionKind::LoadPoints => json!(points),
                OptionKind::Limits => self.slo_value(),
                OptionKind::Prefix => match optional(typed, decimal) {
                    Value::Null => Value::Null,
                    share => json!({ "share": share }),
                },
                OptionKind::Lengths => {
                    let of = option.name.trim_end_matches("lengths");
                    let part = |name: &str| text(&format!("{of}{name}"));
                    lengths_value(typed, part("min"), part("mean"), part("std"))
                }
                OptionKind::Headers => {
                    json!(typed.lines().filter(|line| !line.trim().is_empty()).map(header).collect::<Vec<_>>())
                }
                // invalid JSON is passed on as text, so that the step's own rule reports it
                OptionKind::Fields => optional(typed, |text| serde_json::from_str(text).unwrap_or_else(|_| json!(text))),
                // not text fields: sent beside this form
                OptionKind::Datasets => continue,
            };
            body.insert(option.name.to_owned(), value);
        }
        // a field that shows its default stays at the default, so that a duration may replace the number
        for (name, default) in [("num_requests", &self.default_requests), ("warmup_requests", &self.default_warmup)] {
            if text(name).trim() == default.trim() {
                body.insert(name.to_owned(), Value::Null);
            }
        }
        if self.eval_with == "dataset" {
            body.remove("max_input_tokens");
        }
        // step 1's concurrency is shown here where the load uses it; cleared here, it is missing
        if self.uses_concurrency() && !(self.goal.is_empty() && self.concurrent_requests.is_empty()) {
            body.insert("concurrent_requests".to_owned(), optional(&self.concurrent_requests, whole));
        }
        Value::Object(body)
    }

    fn is_rate(&self) -> bool {
        self.arrival == "rate"
    }

    fn points(&self) -> Vec<Value> {
        let words = self.load_points.split(|letter: char| letter == ',' || letter == ';' || letter.is_whitespace());
        let of =
            |word: &str| if self.is_rate() { json!({ "rate": decimal(word) }) } else { json!({ "concurrency": whole(word) }) };
        words.filter(|word| !word.is_empty()).map(of).collect()
    }

    fn arrival_value(&self, points: &[Value]) -> Value {
        if !self.is_rate() {
            return Value::Null;
        }
        // a sweep's rates are those of its points, but the arrival needs one all the same
        let rate = match optional(&self.rate, decimal) {
            Value::Null => points.first().map_or(Value::Null, |point| point["rate"].clone()),
            rate => rate,
        };
        let mut fields = Map::new();
        fields.insert("kind".to_owned(), json!("rate"));
        insert(&mut fields, "rate", rate);
        insert(&mut fields, "process", optional(&self.process, |text| json!(text)));
        insert(&mut fields, "burstiness", optional(&self.burstiness, decimal));
        // a search starts at its lower bound and needs no rate of its own
        if !fields.contains_key("rate") {
            insert(&mut fields, "rate", optional(&self.search_min, decimal));
        }
        Value::Object(fields)
    }

    fn slo_value(&self) -> Value {
        let chosen = preset(&self.slo_preset);
        let limit = |own: &str, of: Option<f64>| of.map_or_else(|| optional(own, decimal), |value| json!(value));
        let mut fields = Map::new();
        insert(&mut fields, "ttft_ms", limit(&self.ttft_ms, chosen.map(|preset| preset.ttft_ms)));
        insert(&mut fields, "tpot_ms", limit(&self.tpot_ms, chosen.map(|preset| preset.tpot_ms)));
        insert(&mut fields, "e2el_ms", optional(&self.e2el_ms, decimal));
        let mut search = Map::new();
        insert(&mut search, "min", optional(&self.search_min, decimal));
        insert(&mut search, "max", optional(&self.search_max, decimal));
        if !search.is_empty() {
            fields.insert("search".to_owned(), Value::Object(search));
        }
        if fields.is_empty() {
            return Value::Null;
        }
        insert(&mut fields, "percentile", optional(&self.percentile, decimal));
        Value::Object(fields)
    }
}

fn text<N: ToString>(value: Option<N>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// The field's text for a stored value; `None` where an option has several fields, or none.
fn text_of(option: &LoadOption, value: &Value) -> Option<String> {
    match option.kind {
        OptionKind::Switch { no, .. } => match (value.as_bool()?, no) {
            (true, _) => Some("yes".to_owned()),
            (false, Some(_)) => Some("no".to_owned()),
            // off is the default
            (false, None) => None,
        },
        OptionKind::Headers => {
            let headers: Vec<RequestHeader> = serde_json::from_value(value.clone()).ok()?;
            let lines: Vec<String> = headers.iter().map(|header| format!("{}: {}", header.name, header.value)).collect();
            Some(lines.join("\n"))
        }
        // a distribution has several fields
        OptionKind::Lengths => None,
        _ => option.argument(value),
    }
}

/// Parses a line of the headers' field; an invalid one is passed on unchanged.
fn header(line: &str) -> Value {
    match line.split_once(':') {
        Some((name, value)) => json!({ "name": name.trim(), "value": value.trim() }),
        None => json!(line.trim()),
    }
}

/// The fields of a distribution: kind, minimum, mean and standard deviation.
fn lengths(spread: Option<LengthDistribution>) -> (String, String, String, String) {
    let none = String::new;
    match spread {
        None | Some(LengthDistribution::Fixed {}) => ("fixed".to_owned(), none(), none(), none()),
        Some(LengthDistribution::Uniform { min }) => ("uniform".to_owned(), min.to_string(), none(), none()),
        Some(LengthDistribution::Normal { mean, std }) => ("normal".to_owned(), none(), mean.to_string(), std.to_string()),
        Some(LengthDistribution::Lognormal { mean, std }) => ("lognormal".to_owned(), none(), mean.to_string(), std.to_string()),
    }
}

fn lengths_value(kind: &str, min: &str, mean: &str, std: &str) -> Value {
    let mut fields = Map::new();
    fields.insert("kind".to_owned(), json!(kind));
    match kind {
        "" | "fixed" => return Value::Null,
        "uniform" => insert(&mut fields, "min", optional(min, whole)),
        _ => {
            insert(&mut fields, "mean", optional(mean, decimal));
            insert(&mut fields, "std", optional(std, decimal));
        }
    }
    Value::Object(fields)
}

fn insert(fields: &mut Map<String, Value>, name: &str, value: Value) {
    if !value.is_null() {
        fields.insert(name.to_owned(), value);
    }
}

fn yes(value: &str) -> Value {
    match value {
        "yes" => json!(true),
        "no" => json!(false),
        _ => Value::Null,
    }
}

/// Null for an empty field.
pub fn optional(value: &str, read: fn(&str) -> Value) -> Value {
    match value.trim() {
        "" => Value::Null,
        value => read(value),
    }
}

fn bare(value: &str) -> String {
    value.replace([',', ' ', '\u{a0}'], "")
}

/// A whole number; anything else is passed on as text, so that the step's own rule reports it.
pub fn whole(value: &str) -> Value {
    bare(value).parse::<u64>().map_or_else(|_| json!(value), |number| json!(number))
}

/// As [`whole`], for a number that may have a fraction.
pub fn decimal(value: &str) -> Value {
    match bare(value).parse::<f64>() {
        Ok(number) if number.is_finite() => json!(number),
        _ => json!(value),
    }
}

#[cfg(test)]
mod tests;
