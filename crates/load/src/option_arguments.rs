//! The arguments of a load's options, made of their table.

use std::num::ParseFloatError;

use clap::builder::{PossibleValuesParser, TypedValueParser, ValueParser};
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, value_parser};
use dyno_measure::load::options::OptionKind;
use dyno_measure::load::{LengthDistribution, LengthTextError, LoadOption, LoadSpec, OPTIONS};
use serde_json::{Value, json};

/// What was said of a load's options, in the form in which a load stores it.
#[derive(Debug, Clone)]
pub(super) struct OptionArgs(Vec<(&'static LoadOption, Value)>);

/// Why an argument is no number.
#[derive(Debug, thiserror::Error)]
enum NumberError {
    #[error(transparent)]
    Syntax(#[from] ParseFloatError),
    #[error("a number must be finite")]
    NotFinite,
}

impl OptionArgs {
    /// Sets them on a load.
    ///
    /// # Errors
    /// When the load's fields don't hold them.
    pub(super) fn apply(&self, load: &mut LoadSpec) -> Result<(), serde_json::Error> {
        self.0.iter().try_for_each(|(option, value)| load.set(option, Some(value.clone())))
    }
}

impl Args for OptionArgs {
    fn augment_args(command: Command) -> Command {
        command.args(OPTIONS.iter().filter_map(argument))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for OptionArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let value = |option: &LoadOption| match option.kind {
            OptionKind::Switch { .. } => matches.get_flag(option.name).then_some(Value::Bool(true)),
            _ => matches.get_one::<Value>(option.name).cloned(),
        };
        let said = OPTIONS.iter().filter(|option| option.flag.is_some());
        Ok(Self(said.filter_map(|option| Some((option, value(option)?))).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The argument of an option; its id is the option's name.
fn argument(option: &'static LoadOption) -> Option<Arg> {
    let flag = option.flag?;
    let mut argument = Arg::new(option.name).long(flag.name).help(flag.help).conflicts_with_all(flag.conflicts);
    argument = match parser(option) {
        Some(parser) => argument.value_name(flag.value).value_parser(parser),
        None => argument.action(ArgAction::SetTrue),
    };
    if let Some(default) = flag.default {
        argument = argument.default_value(default);
    }
    if let Some(other) = flag.requires {
        argument = argument.requires(other);
    }
    Some(argument)
}

/// How an option's value is read; nothing for a switch, which has none. Bounds are the plan's to check.
fn parser(option: &'static LoadOption) -> Option<ValueParser> {
    Some(match option.kind {
        OptionKind::Whole { most, .. } if u32::try_from(most).is_ok() => value_parser!(u32).map(Value::from).into(),
        OptionKind::Whole { .. } => value_parser!(u64).map(Value::from).into(),
        OptionKind::Positive { .. } | OptionKind::FromZero { .. } => {
            ValueParser::from(|text: &str| number(text).map(Value::from))
        }
        OptionKind::Prefix => ValueParser::from(|text: &str| number(text).map(|share| json!({ "share": share }))),
        OptionKind::Choice(choices) => PossibleValuesParser::new(choices.iter().map(|(name, _)| *name)).map(Value::from).into(),
        OptionKind::Lengths => ValueParser::from(lengths),
        // They have no argument of their own, or none with a value.
        OptionKind::Switch { .. }
        | OptionKind::Datasets
        | OptionKind::Arrival
        | OptionKind::LoadPoints
        | OptionKind::Limits
        | OptionKind::Headers
        | OptionKind::Fields => {
            return None;
        }
    })
}

fn number(text: &str) -> Result<f64, NumberError> {
    let number: f64 = text.parse()?;
    if number.is_finite() { Ok(number) } else { Err(NumberError::NotFinite) }
}

fn lengths(text: &str) -> Result<Value, LengthTextError> {
    text.parse().map(|lengths: LengthDistribution| json!(lengths))
}
