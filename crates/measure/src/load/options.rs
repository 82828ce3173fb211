//! What is said of an option of a load: its name, which values it takes, with what it doesn't go, and how a command line says
//! it. All of them stand in [`super::OPTIONS`].

use serde::Serialize;
use serde_json::{Value, json};

use super::values::{self, MOST_TOKENS};
use super::{LengthDistribution, Prefix, RequestHeader, ValueError};
use crate::words;

/// Which values an option takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum OptionKind {
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
    pub kind: OptionKind,
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

impl LoadOption {
    /// Reads a value into the form in which it is stored.
    ///
    /// # Errors
    /// When it is not one of those that the option takes.
    pub fn read(&self, value: &Value) -> Result<Value, ValueError> {
        let title = words::capital(self.words);
        match self.kind {
            OptionKind::Whole { least, most } => values::whole_between(value, &title, least, most).map(Value::from),
            OptionKind::Positive { most } => values::positive(value, &title, most).map(Value::from),
            OptionKind::FromZero { most } => values::from_zero(value, &title, most).map(Value::from),
            OptionKind::Switch { .. } => {
                value.as_bool().map(Value::Bool).ok_or_else(|| ValueError::NotSwitch { name: self.name.to_owned() })
            }
            OptionKind::Choice(choices) => {
                let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
                values::name_of(value, &title, &names).map(Value::from)
            }
            OptionKind::Datasets => values::dataset_ids(value).map(stored),
            OptionKind::Arrival => values::arrival(value).map(stored),
            OptionKind::LoadPoints => values::load_points(value).map(stored),
            OptionKind::Limits => values::slo(value).map(stored),
            OptionKind::Prefix => values::prefix(value).map(stored),
            OptionKind::Lengths => values::lengths(value, &title, MOST_TOKENS).map(stored),
            OptionKind::Headers => values::headers(value).map(stored),
            OptionKind::Fields => values::extra_body(value).map(Value::Object),
        }
    }

    /// A stored value as a command line says it; absent for a switch that is off, and where it has no word for it.
    pub fn argument(&self, value: &Value) -> Option<String> {
        match self.kind {
            OptionKind::Whole { .. } => value.as_u64().map(|number| number.to_string()),
            OptionKind::Positive { .. } | OptionKind::FromZero { .. } => value.as_f64().map(|number| number.to_string()),
            OptionKind::Switch { .. } => value.as_bool()?.then(String::new),
            OptionKind::Choice(_) => value.as_str().map(str::to_owned),
            OptionKind::Prefix => value.get("share")?.as_f64().map(|share| share.to_string()),
            OptionKind::Lengths => {
                serde_json::from_value(value.clone()).ok().map(|lengths: LengthDistribution| lengths.to_string())
            }
            OptionKind::Fields => serde_json::to_string(value.as_object()?).ok(),
            OptionKind::Datasets | OptionKind::Arrival | OptionKind::LoadPoints | OptionKind::Limits | OptionKind::Headers => {
                None
            }
        }
    }

    /// A stored value in words: `2.5 s`; absent where it is not worth one.
    pub fn say(&self, value: &Value) -> Option<String> {
        match self.kind {
            OptionKind::Whole { .. } | OptionKind::Positive { .. } | OptionKind::FromZero { .. } => {
                Some(format!("{} {}", value.as_f64()?, self.unit).trim_end().to_owned())
            }
            OptionKind::Switch { yes, no } => if value.as_bool()? { Some(yes) } else { no }.map(str::to_owned),
            OptionKind::Choice(choices) => {
                let name = value.as_str()?;
                choices.iter().find(|(own, _)| *own == name).map(|(_, words)| (*words).to_owned())
            }
            OptionKind::Prefix => {
                let prefix: Prefix = serde_json::from_value(value.clone()).ok()?;
                Some(format!("{} {}", words::percent(prefix.share), self.unit))
            }
            OptionKind::Lengths => {
                let lengths: LengthDistribution = serde_json::from_value(value.clone()).ok()?;
                Some(lengths.words())
            }
            OptionKind::Headers => {
                let headers: Vec<RequestHeader> = serde_json::from_value(value.clone()).ok()?;
                let lines: Vec<String> = headers.iter().map(|header| format!("{}: {}", header.name, header.value)).collect();
                Some(lines.join(", "))
            }
            OptionKind::Fields => self.argument(value),
            OptionKind::Datasets | OptionKind::Arrival | OptionKind::LoadPoints | OptionKind::Limits => None,
        }
    }

    /// Least and most of its numbers, where it has both or one.
    pub fn bounds(&self) -> (Option<f64>, Option<f64>) {
        match self.kind {
            OptionKind::Whole { least, most } => (Some(least as f64), (most < u64::MAX).then_some(most as f64)),
            OptionKind::FromZero { most } => (Some(0.0), Some(most)),
            OptionKind::Positive { most } => (None, Some(most)),
            _ => (None, None),
        }
    }
}

fn stored<T: Serialize>(value: T) -> Value {
    json!(value)
}
