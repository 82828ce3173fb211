//! How long requests are, where they are not all alike.

use serde::{Deserialize, Serialize};

/// How lengths are spread over requests. Whatever is drawn is rounded, and brought to 1 at least and the step's
/// `max_input_tokens` or `max_output_tokens` at most.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum LengthDistribution {
    /// All the same.
    Fixed {},
    /// From `min` to the maximum, each alike.
    Uniform {
        /// Least length, tokens.
        min: u32,
    },
    /// Normal.
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
