//! The description of a load's option: its name, values, loads that it doesn't go with, and command-line flag. The entries are
//! in [`super::OPTIONS`].

use serde::Serialize;
use serde_json::{Value, json};

use super::values::{self, MOST_TOKENS};
use super::{LengthDistribution, Prefix, RequestHeader, ValueError};
use crate::words;

/// The type and bounds of an option's values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum OptionKind {
    /// A whole number within bounds; `u64::MAX` means no upper bound.
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
    /// A boolean, with its wording for people.
    Switch {
        /// Wording for true.
        yes: &'static str,
        /// Wording for false; absent where false is not mentioned.
        no: Option<&'static str>,
    },
    /// One of these names, each with its wording for people.
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
    /// An object whose fields are passed on unchanged.
    Fields,
}

/// The command-line flag of an option.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Flag {
    /// Its name without dashes.
    pub name: &'static str,
    /// Placeholder of its value; empty for a switch.
    pub value: &'static str,
    pub help: &'static str,
    /// Value without the flag, for the help text.
    pub default: Option<&'static str>,
    /// Arguments that it conflicts with.
    pub conflicts: &'static [&'static str],
    /// An argument that it requires.
    pub requires: Option<&'static str>,
}

/// Sentences for the loads in which an option is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusals {
    /// For loads at a rate.
    pub at_a_rate: Option<&'static str>,
    /// For traces; follows "NAME is a trace".
    pub of_a_trace: Option<&'static str>,
    /// For synthetic prompts.
    pub of_configuration: Option<&'static str>,
    /// For prompts from datasets.
    pub of_datasets: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LoadOption {
    /// Its name in requests, forms and stored documents.
    pub name: &'static str,
    /// Its name for people, in lower case.
    pub words: &'static str,
    pub kind: OptionKind,
    /// The unit after its number, if any.
    pub unit: &'static str,
    /// Its label on the confirmation page; absent where sentences about the load mention it.
    pub term: Option<&'static str>,
    /// The loads that it applies to, in words; empty: all.
    pub scope: &'static str,
    /// Description for the API's document.
    pub about: &'static str,
    /// Whether its form field is under "More options".
    pub more: bool,
    /// The loads that refuse it.
    pub refusals: Refusals,
    /// Its flag; absent where the command line has arguments of its own for it.
    pub flag: Option<Flag>,
}

impl LoadOption {
    /// Reads a value into the form in which it is stored.
    ///
    /// # Errors
    /// When the option does not take the value.
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

    /// A stored value as an argument; `None` for a switch that is off, and for options without a flag value.
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

    /// A stored value in words: `2.5 s`; `None` where it is not mentioned.
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

    /// Lower and upper bound of its numbers, if any.
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
