//! Distributions of request lengths.

use std::fmt;
use std::num::ParseFloatError;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{LengthError, LengthSampler};

/// How lengths are spread over requests. Whatever is drawn is rounded, and brought to 1 at least and the step's
/// `max_input_tokens` or `max_output_tokens` at most.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LengthDistribution {
    Fixed {},
    /// From `min` to the maximum, each alike.
    Uniform {
        /// Least length, tokens.
        min: u32,
    },
    Normal {
        /// Mean length, tokens.
        mean: f64,
        /// Standard deviation, tokens.
        std: f64,
    },
    /// Log-normal: many short ones, few long ones.
    Lognormal {
        /// Mean of the lengths themselves (not of their logarithms), tokens.
        mean: f64,
        /// Standard deviation of the lengths themselves, tokens.
        std: f64,
    },
}

impl LengthDistribution {
    /// In words: `normal, mean 300, standard deviation 100`.
    pub fn words(self) -> String {
        match self {
            Self::Fixed {} => "all the same".to_owned(),
            Self::Uniform { min } => format!("uniform, from {min}"),
            Self::Normal { mean, std } => format!("normal, mean {mean}, standard deviation {std}"),
            Self::Lognormal { mean, std } => format!("log-normal, mean {mean}, standard deviation {std}"),
        }
    }
}

/// Why the text of a distribution can't be parsed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LengthTextError {
    #[error("write fixed, uniform:MIN, normal:MEAN,STD or lognormal:MEAN,STD")]
    Kind,
    #[error("write uniform:MIN")]
    Uniform,
    #[error("write {0}:MEAN,STD")]
    MeanAndStd(String),
    #[error("{text:?} is no number")]
    Number { text: String, source: ParseFloatError },
    #[error(transparent)]
    Length(#[from] LengthError),
}

/// As on a command line: `uniform:64`, `normal:300,100`.
impl fmt::Display for LengthDistribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed {} => f.write_str("fixed"),
            Self::Uniform { min } => write!(f, "uniform:{min}"),
            Self::Normal { mean, std } => write!(f, "normal:{mean},{std}"),
            Self::Lognormal { mean, std } => write!(f, "lognormal:{mean},{std}"),
        }
    }
}

impl FromStr for LengthDistribution {
    type Err = LengthTextError;

    fn from_str(text: &str) -> Result<Self, LengthTextError> {
        let (kind, numbers) = text.split_once(':').unwrap_or((text, ""));
        let number = |text: &str| {
            let number = text.trim().parse::<f64>();
            number.map_err(|source| LengthTextError::Number { text: text.to_owned(), source })
        };
        let two = || {
            let (mean, std) = numbers.split_once(',').ok_or_else(|| LengthTextError::MeanAndStd(kind.to_owned()))?;
            Ok::<_, LengthTextError>((number(mean)?, number(std)?))
        };
        let lengths = match kind {
            "fixed" if numbers.is_empty() => Self::Fixed {},
            "uniform" => Self::Uniform { min: numbers.trim().parse().map_err(|_| LengthTextError::Uniform)? },
            "normal" => two().map(|(mean, std)| Self::Normal { mean, std })?,
            "lognormal" => two().map(|(mean, std)| Self::Lognormal { mean, std })?,
            _ => return Err(LengthTextError::Kind),
        };
        LengthSampler::check(lengths)?;
        Ok(lengths)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_said_in_a_word() {
        for (text, lengths) in [
            ("fixed", LengthDistribution::Fixed {}),
            ("uniform:64", LengthDistribution::Uniform { min: 64 }),
            ("normal:300, 100", LengthDistribution::Normal { mean: 300.0, std: 100.0 }),
            ("lognormal:300,0.5", LengthDistribution::Lognormal { mean: 300.0, std: 0.5 }),
        ] {
            assert_eq!(text.parse(), Ok(lengths));
            assert_eq!(lengths.to_string().parse(), Ok(lengths));
        }
        for wrong in ["", "fixed:1", "uniform", "uniform:-1", "normal:3", "normal:a,b", "normal:0,1", "lognormal:1,-1", "zipf:1"]
        {
            assert!(wrong.parse::<LengthDistribution>().is_err(), "{wrong}");
        }
    }
}
