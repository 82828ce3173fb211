//! One offered load: requests in flight, or requests per second.

use serde::{Deserialize, Serialize};

use crate::words;

/// What differs from load to load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr, strum::VariantArray)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = SearchVariable))]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum LoadVariable {
    Concurrency,
    Rate,
}

impl LoadVariable {
    /// The unit after a load: `8 in flight`.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Concurrency => "in flight",
            Self::Rate => "requests/s",
        }
    }

    /// The unit in a sentence: `8 requests per second`.
    pub fn long_unit(self) -> &'static str {
        match self {
            Self::Concurrency => "in flight",
            Self::Rate => "requests per second",
        }
    }

    /// Its name in sentences.
    pub fn words(self) -> &'static str {
        match self {
            Self::Concurrency => "requests in flight",
            Self::Rate => "requests/s",
        }
    }
}

/// One offered load, as a sweep lists them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(untagged)]
pub enum OfferedLoad {
    /// Closed loop: requests in flight.
    Concurrency { concurrency: u32 },
    /// Open loop: requests per second.
    Rate { rate: f64 },
}

impl OfferedLoad {
    /// The variable that it is a value of.
    pub fn variable(self) -> LoadVariable {
        match self {
            Self::Concurrency { .. } => LoadVariable::Concurrency,
            Self::Rate { .. } => LoadVariable::Rate,
        }
    }

    /// Requests in flight, or per second.
    pub fn value(self) -> f64 {
        match self {
            Self::Concurrency { concurrency } => f64::from(concurrency),
            Self::Rate { rate } => rate,
        }
    }

    /// The rate of an open loop.
    pub fn rate(self) -> Option<f64> {
        match self {
            Self::Concurrency { .. } => None,
            Self::Rate { rate } => Some(rate),
        }
    }

    /// The load rounded to a whole number, from which defaults (such as the number of requests) are computed.
    pub fn scale(self) -> u32 {
        match self {
            Self::Concurrency { concurrency } => concurrency,
            Self::Rate { rate } => rate.ceil() as u32,
        }
    }

    /// `8 in flight`, `2.50 requests/s`.
    pub fn words(self) -> String {
        format!("{} {}", words::load(self.value()), self.variable().unit())
    }
}
