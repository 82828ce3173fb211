//! Step 2 as a form has it: every field is text, empty where nothing was chosen. From a stored load to the fields and from
//! the fields to the call's body; whether values are good is for the workflow's rules alone.

use std::sync::LazyLock;

use dyno_measure::load::options::OptionKind;
use dyno_measure::load::{
    Arrival, ArrivalProcess, EvalWith, LengthDistribution, LoadOption, LoadSpec, OPTIONS, RequestHeader, Slo,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::domain::form::Flash;
use dyno_measure::limits::{preset, preset_of};

mod choices;
mod parts;

pub use self::parts::option_of;
pub use choices::{Amount, DECIDES_P99, Goal, LENGTHS, LengthsPreset, OWN_LENGTHS};

/// The form's fields. Those that an error of the workflow names have the workflow's names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "they are the workflow's fields and their parts, in the workflow's words")]
pub struct LoadForm {
    pub eval_with: String,
    /// What the benchmark is to find out, a [`Goal`]; empty where the fields alone say it, as a script may send them.
    pub goal: String,
    /// Step 1's, as this step may change it; empty: as it is.
    pub concurrent_requests: String,
    /// The name of a [`LengthsPreset`]; `own` or empty: the two fields beneath.
    pub lengths_preset: String,
    pub max_input_tokens: String,
    pub max_output_tokens: String,
    /// How many requests are measured, an [`Amount`]; empty: as the fields beneath say.
    pub amount: String,
    pub num_requests: String,
    /// What a form without `amount` showed as the default of `num_requests`: left as it is, it stays the default.
    pub default_requests: String,
    pub warmup_requests: String,
    /// The same of `warmup_requests`.
    pub default_warmup: String,
    pub duration_s: String,
    /// `closed` or `rate`.
    pub arrival: String,
    pub rate: String,
    pub process: String,
    pub burstiness: String,
    pub ramp_s: String,
    /// Loads between commas or spaces.
    pub load_points: String,
    /// `yes` where loads that are no search's are judged by latency limits.
    pub limits: String,
    /// A preset's name; empty: the limits beneath.
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
    /// `Name: value`, one a line.
    pub headers: String,
    /// A JSON object.
    pub extra_body: String,
}

/// The fields that errors may name and that stand under "More options".
pub static MORE: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| OPTIONS.iter().filter(|option| option.more).map(|option| option.name).collect());

impl LoadForm {
    /// The fields of a stored load.
    pub fn of(load: &LoadSpec) -> Self {
        let default_warmup = load.concurrent_requests.to_string();
        let mut form = Self {
            eval_with: if load.eval_with == EvalWith::Dataset { "dataset" } else { "configuration" }.to_owned(),
            goal: Goal::of(load).name().to_owned(),
            concurrent_requests: load.concurrent_requests.to_string(),
            lengths_preset: LengthsPreset::name_of(load).to_owned(),
            amount: Amount::of(load).name().to_owned(),
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
            // A sweep names its own rates.
            form.rate = if load.load_points.is_empty() { rate.to_string() } else { String::new() };
            process_name(*process).clone_into(&mut form.process);
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

    /// What was typed last stands before what is stored.
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

    /// The same with other texts in these fields.
    fn with<'a>(self, texts: impl Iterator<Item = (&'a str, String)>) -> Self {
        let mut fields = self.fields();
        fields.extend(texts.map(|(name, text)| (name.to_owned(), Value::String(text))));
        serde_json::from_value(Value::Object(fields)).unwrap_or(self)
    }

    /// Names and values, to be kept while a refused form is shown again.
    pub fn entries(&self) -> Vec<(String, String)> {
        let of = |(name, value): (String, Value)| (name, value.as_str().unwrap_or_default().to_owned());
        self.fields().into_iter().map(of).collect()
    }

    fn fields(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(fields)) => fields,
            // A struct of strings is an object.
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

    /// The call's body. An empty field empties what is stored.
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
                // The first is the default.
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
                // What is no JSON goes on as text, so that the step's own rule names what is wrong.
                OptionKind::Fields => optional(typed, |text| serde_json::from_str(text).unwrap_or_else(|_| json!(text))),
                // They are no text, and come beside this form.
                OptionKind::Datasets => continue,
            };
            body.insert(option.name.to_owned(), value);
        }
        // What shows its default stays at it: a duration takes the place of a number that nobody chose.
        for (name, default) in [("num_requests", &self.default_requests), ("warmup_requests", &self.default_warmup)] {
            if text(name).trim() == default.trim() {
                body.insert(name.to_owned(), Value::Null);
            }
        }
        if self.eval_with == "dataset" {
            body.remove("max_input_tokens");
        }
        // The page shows step 1's number here where the load goes by it; emptied there, it is missing.
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
        // The rate of a sweep is that of its points; the arrival has to name one all the same.
        let rate = match optional(&self.rate, decimal) {
            Value::Null => points.first().map_or(Value::Null, |point| point["rate"].clone()),
            rate => rate,
        };
        let mut fields = Map::new();
        fields.insert("kind".to_owned(), json!("rate"));
        insert(&mut fields, "rate", rate);
        insert(&mut fields, "process", optional(&self.process, |text| json!(text)));
        insert(&mut fields, "burstiness", optional(&self.burstiness, decimal));
        // A search needs no rate of its own: it begins where its bounds say.
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

/// What an option's field shows of a stored value; absent where it has several fields, or none.
fn text_of(option: &LoadOption, value: &Value) -> Option<String> {
    match option.kind {
        OptionKind::Switch { no, .. } => match (value.as_bool()?, no) {
            (true, _) => Some("yes".to_owned()),
            (false, Some(_)) => Some("no".to_owned()),
            // That it is off is the default.
            (false, None) => None,
        },
        OptionKind::Headers => {
            let headers: Vec<RequestHeader> = serde_json::from_value(value.clone()).ok()?;
            let lines: Vec<String> = headers.iter().map(|header| format!("{}: {}", header.name, header.value)).collect();
            Some(lines.join("\n"))
        }
        // The kind of lengths has fields beside it.
        OptionKind::Lengths => None,
        _ => option.argument(value),
    }
}

/// A line of the headers' field; what is none goes on as it is.
fn header(line: &str) -> Value {
    match line.split_once(':') {
        Some((name, value)) => json!({ "name": name.trim(), "value": value.trim() }),
        None => json!(line.trim()),
    }
}

fn process_name(process: ArrivalProcess) -> &'static str {
    match process {
        ArrivalProcess::Constant => "constant",
        ArrivalProcess::Poisson => "poisson",
        ArrivalProcess::Gamma => "gamma",
    }
}

/// Kind, least, mean and deviation.
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

/// Nothing for an empty field.
pub fn optional(value: &str, read: fn(&str) -> Value) -> Value {
    match value.trim() {
        "" => Value::Null,
        value => read(value),
    }
}

/// Without what groups digits.
fn bare(value: &str) -> String {
    value.replace([',', ' ', '\u{a0}'], "")
}

/// A whole number; what is none goes on as text, so that the step's own rule names what is wrong.
pub fn whole(value: &str) -> Value {
    bare(value).parse::<u64>().map_or_else(|_| json!(value), |number| json!(number))
}

/// A number with or without a fraction; else as [`whole`].
pub fn decimal(value: &str) -> Value {
    match bare(value).parse::<f64>() {
        Ok(number) if number.is_finite() => json!(number),
        _ => json!(value),
    }
}

#[cfg(test)]
mod tests;
