//! The options of a load, in one table: what each is called, which values it takes, with what it doesn't go, and how a
//! command line says it. The workflow's body and its form, the API's document, the command line and the command that repeats
//! a load, and the sentences about it are made of this table; the values themselves are [`super::LoadSpec`]'s fields of the
//! same names. A new option is a field there, an entry here, and what it does.

use serde::Serialize;
use serde_json::{Value, json};

use super::option_table::{MOST_TOKENS, OPTIONS};
use super::{LengthDistribution, Prefix, RequestHeader, ValueError, values};
use crate::words;

/// Which values an option takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// A whole number within bounds; without an upper one where that is the largest.
    Whole {
        least: u64,
        most: u64,
    },
    /// A number above 0.
    Positive {
        most: f64,
    },
    /// A number that may be 0.
    FromZero {
        most: f64,
    },
    /// True or false, each with what people read, where it is worth a word.
    Switch {
        /// What people read where it is true.
        yes: &'static str,
        /// What people read where it is false; absent where that is not worth a word.
        no: Option<&'static str>,
    },
    /// One of these names, each with what people read.
    Choice(&'static [(&'static str, &'static str)]),
    /// Ids of datasets.
    Datasets,
    Arrival,
    /// A list of [`super::OfferedLoad`].
    LoadPoints,
    Limits,
    Prefix,
    Lengths,
    /// A list of [`RequestHeader`].
    Headers,
    /// An object whose fields are taken as they are.
    Fields,
}

/// How a command line says an option.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Flag {
    /// Without the dashes before it.
    pub name: &'static str,
    /// What stands for its value; empty for a switch.
    pub value: &'static str,
    pub help: &'static str,
    /// What holds without it.
    pub default: Option<&'static str>,
    /// Arguments that it doesn't go with.
    pub conflicts: &'static [&'static str],
    /// An argument without which it says nothing.
    pub requires: Option<&'static str>,
}

/// Sentences about loads that an option doesn't go with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusals {
    /// Where requests arrive at a rate.
    pub at_a_rate: Option<&'static str>,
    /// Where a trace is played: what follows "NAME is a trace".
    pub of_a_trace: Option<&'static str>,
    /// Where prompts are made up.
    pub of_configuration: Option<&'static str>,
    /// Where prompts come out of datasets.
    pub of_datasets: Option<&'static str>,
}

/// An option of a load.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LoadOption {
    /// Its name in requests, forms and kept documents.
    pub name: &'static str,
    /// What people call it, in lower case.
    pub words: &'static str,
    /// Which values it takes.
    pub kind: Kind,
    /// What stands behind its number; empty where nothing does.
    pub unit: &'static str,
    /// What stands before its value among all that is confirmed; absent where the load's own sentences say it.
    pub term: Option<&'static str>,
    /// With which loads it goes; empty: with all.
    pub scope: &'static str,
    /// What it does, for the API's document.
    pub about: &'static str,
    /// Whether its field stands under "More options".
    pub more: bool,
    /// What it doesn't go with.
    pub refusals: Refusals,
    /// How a command line says it; absent where that has arguments of its own for it.
    pub flag: Option<Flag>,
}

/// The option of a name.
pub fn option(name: &str) -> Option<&'static LoadOption> {
    OPTIONS.iter().find(|option| option.name == name)
}

impl LoadOption {
    /// Reads a value into the form in which it is stored.
    ///
    /// # Errors
    /// When it is not one of those that the option takes.
    pub fn read(&self, value: &Value) -> Result<Value, ValueError> {
        let title = words::capital(self.words);
        match self.kind {
            Kind::Whole { least, most } => values::whole_between(value, &title, least, most).map(Value::from),
            Kind::Positive { most } => values::positive(value, &title, most).map(Value::from),
            Kind::FromZero { most } => values::from_zero(value, &title, most).map(Value::from),
            Kind::Switch { .. } => {
                value.as_bool().map(Value::Bool).ok_or_else(|| ValueError::NotSwitch { name: self.name.to_owned() })
            }
            Kind::Choice(choices) => {
                let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
                values::name_of(value, &title, &names).map(Value::from)
            }
            Kind::Datasets => values::dataset_ids(value).map(stored),
            Kind::Arrival => values::arrival(value).map(stored),
            Kind::LoadPoints => values::load_points(value).map(stored),
            Kind::Limits => values::slo(value).map(stored),
            Kind::Prefix => values::prefix(value).map(stored),
            Kind::Lengths => values::lengths(value, &title, MOST_TOKENS).map(stored),
            Kind::Headers => values::headers(value).map(stored),
            Kind::Fields => values::extra_body(value).map(Value::Object),
        }
    }

    /// A stored value as a command line says it; absent for a switch that is off, and where it has no word for it.
    pub fn argument(&self, value: &Value) -> Option<String> {
        match self.kind {
            Kind::Whole { .. } => value.as_u64().map(|number| number.to_string()),
            Kind::Positive { .. } | Kind::FromZero { .. } => value.as_f64().map(|number| number.to_string()),
            Kind::Switch { .. } => value.as_bool()?.then(String::new),
            Kind::Choice(_) => value.as_str().map(str::to_owned),
            Kind::Prefix => value.get("share")?.as_f64().map(|share| share.to_string()),
            Kind::Lengths => serde_json::from_value(value.clone()).ok().map(|lengths: LengthDistribution| lengths.to_string()),
            Kind::Fields => serde_json::to_string(value.as_object()?).ok(),
            Kind::Datasets | Kind::Arrival | Kind::LoadPoints | Kind::Limits | Kind::Headers => None,
        }
    }

    /// A stored value in words: `2.5 s`; absent where it is not worth one.
    pub fn say(&self, value: &Value) -> Option<String> {
        match self.kind {
            Kind::Whole { .. } | Kind::Positive { .. } | Kind::FromZero { .. } => {
                Some(format!("{} {}", value.as_f64()?, self.unit).trim_end().to_owned())
            }
            Kind::Switch { yes, no } => if value.as_bool()? { Some(yes) } else { no }.map(str::to_owned),
            Kind::Choice(choices) => {
                let name = value.as_str()?;
                choices.iter().find(|(own, _)| *own == name).map(|(_, words)| (*words).to_owned())
            }
            Kind::Prefix => {
                let prefix: Prefix = serde_json::from_value(value.clone()).ok()?;
                Some(format!("{} {}", words::percent(prefix.share), self.unit))
            }
            Kind::Lengths => {
                let lengths: LengthDistribution = serde_json::from_value(value.clone()).ok()?;
                Some(lengths.words())
            }
            Kind::Headers => {
                let headers: Vec<RequestHeader> = serde_json::from_value(value.clone()).ok()?;
                let lines: Vec<String> = headers.iter().map(|header| format!("{}: {}", header.name, header.value)).collect();
                Some(lines.join(", "))
            }
            Kind::Fields => self.argument(value),
            Kind::Datasets | Kind::Arrival | Kind::LoadPoints | Kind::Limits => None,
        }
    }

    /// Least and most of its numbers, where it has both or one.
    pub fn bounds(&self) -> (Option<f64>, Option<f64>) {
        match self.kind {
            Kind::Whole { least, most } => (Some(least as f64), (most < u64::MAX).then_some(most as f64)),
            Kind::FromZero { most } => (Some(0.0), Some(most)),
            Kind::Positive { most } => (None, Some(most)),
            _ => (None, None),
        }
    }
}

fn stored<T: Serialize>(value: T) -> Value {
    json!(value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::load::{EvalWith, LoadSpec};

    /// A load in which every option is set, whether or not they go together.
    fn whole() -> Value {
        json!({
            "concurrent_requests": 8, "eval_with": "dataset", "max_input_tokens": 64, "max_output_tokens": 16,
            "dataset_ids": ["01890a5d-ac96-774b-bcce-b302099a8057"], "warmup_requests": 0, "num_requests": 5, "duration_s": 7.5,
            "endpoint": "completions", "arrival": { "kind": "rate", "rate": 20.0, "process": "gamma", "burstiness": 0.5 },
            "load_points": [{ "rate": 5.0 }], "slo": { "percentile": 95.0, "ttft_ms": 450.0 }, "seed": u64::MAX,
            "prefix": { "share": 0.5 }, "input_lengths": { "kind": "uniform", "min": 5 },
            "output_lengths": { "kind": "normal", "mean": 12.0, "std": 30.5 }, "ramp_s": 2.5, "multi_turn": true,
            "ignore_eos": false, "time_scale": 2.0, "headers": [{ "name": "X-Team", "value": "a b" }],
            "extra_body": { "temperature": 0.5, "chat_template_kwargs": { "enable_thinking": false } },
        })
    }

    #[test]
    fn the_table_and_the_typed_load_have_the_same_options() {
        let load: LoadSpec = serde_json::from_value(whole()).unwrap();
        assert_eq!(Value::Object(load.values()), whole());
        let mut named: Vec<&str> = OPTIONS.iter().map(|option| option.name).collect();
        named.extend(["concurrent_requests", "eval_with"]);
        named.sort_unstable();
        assert_eq!(named, load.values().keys().map(String::as_str).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_read_is_stored_and_emptied() {
        let mut load = LoadSpec::new(8, EvalWith::Dataset);
        for option in OPTIONS {
            load.set(option, Some(option.read(&whole()[option.name]).unwrap())).unwrap();
        }
        assert_eq!(Value::Object(load.values()), whole());
        for option in OPTIONS {
            load.set(option, None).unwrap();
        }
        assert_eq!(load, LoadSpec::new(8, EvalWith::Dataset));
    }

    #[test]
    fn whole_numbers_and_fractions_have_the_type_of_their_field() {
        let read = |name: &str, value: Value| option(name).unwrap().read(&value).unwrap();
        assert_eq!(read("num_requests", json!(50.0)), json!(50));
        assert_eq!(read("ramp_s", json!(2)), json!(2.0));
        let wrong = option("ramp_s").unwrap().read(&json!(3_601)).unwrap_err();
        assert_eq!(wrong.to_string(), "Ramp must be a number from 0 to 3,600.");
    }

    #[test]
    fn a_load_of_a_later_version_is_read_as_far_as_it_is_known() {
        let mut later = whole();
        later["later"] = json!(1);
        for option in ["arrival", "slo", "prefix", "input_lengths"] {
            later[option]["later"] = json!(1);
        }
        let load: LoadSpec = serde_json::from_value(later).unwrap();
        assert_eq!(Value::Object(load.values()), whole());
    }

    #[test]
    fn values_are_said() {
        let said = |name: &str| option(name).unwrap().say(&whole()[name]);
        assert_eq!(said("ramp_s").as_deref(), Some("2.5 s"));
        assert_eq!(said("time_scale").as_deref(), Some("2 × as recorded"));
        assert_eq!(said("prefix").as_deref(), Some("50.0% of the input"));
        assert_eq!(said("ignore_eos").as_deref(), Some("where the model ends them"));
        assert_eq!(option("multi_turn").unwrap().say(&json!(false)), None);
        assert_eq!(said("headers").as_deref(), Some("X-Team: a b"));
        assert_eq!(
            said("extra_body").as_deref(),
            Some(r#"{"chat_template_kwargs":{"enable_thinking":false},"temperature":0.5}"#)
        );
    }

    #[test]
    fn headers_and_fields_that_are_no_loads_own_to_give_are_refused() {
        let refused = |name: &str, value: Value| option(name).unwrap().read(&value).unwrap_err().to_string();
        let header = |name: &str, value: &str| json!([{ "name": name, "value": value }]);
        for name in ["Authorization", "x-api-key", "Cookie"] {
            let said = refused("headers", header(name, "Bearer abc"));
            assert_eq!(said, format!("The header {name} holds a secret: add it as a credential. A benchmark is kept and shown."));
        }
        assert_eq!(refused("headers", header("Host", "x")), "The header Host is set by the client.");
        assert!(refused("headers", header("X-A", "b\r\nc: d")).contains("can't be sent"));
        assert!(refused("headers", json!(["X-A"])).contains("'Name: value'"));
        assert!(refused("headers", json!([{ "name": "X-A", "value": "b", "value_env": "HOME" }])).contains("value_env"));
        assert_eq!(refused("headers", json!(vec![json!({ "name": "X-A", "value": "b" }); 2])), "The header X-A is given twice.");
        assert!(refused("headers", json!(vec![json!({ "name": "X-A", "value": "b" }); 21])).contains("At most 20 headers"));
        assert!(refused("extra_body", json!({ "messages": [] })).contains("messages"));
        assert!(refused("extra_body", json!("temperature")).contains("JSON object"));
        assert!(refused("extra_body", json!({ "stop": "x".repeat(20_000) })).contains("16 kB"));
    }
}
