//! Number formats of weights and KV cache.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Format of a model's linear layers. Embeddings and the output head stay in 16 bits except in `Quantized`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    Fp32,
    /// bfloat16 or float16: the same size and speed.
    Bf16,
    Fp8,
    Int8,
    Nvfp4,
    /// The experts of a mixture in MXFP4, all else in 16 bits.
    Mxfp4,
    /// Weights of `bits` bits, unpacked to 16 bits for arithmetic (AWQ, GPTQ, GGUF).
    Quantized {
        bits: f64,
    },
}

/// Rate at which a device multiplies numbers of this kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArithmeticClass {
    Bits16,
    Bits8,
    Bits4,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown precision {0:?}; known are fp32, bf16, fp16, fp8, int8, nvfp4, mxfp4, int4 and 2.5bit to 8bit")]
pub struct UnknownPrecision(pub String);

impl Precision {
    /// AWQ and GPTQ with a scale per group of 128.
    pub const INT4: Self = Self::Quantized { bits: 4.4 };

    /// Bytes per parameter of linear layers, scales included; experts may differ.
    pub fn bytes_per_parameter(self) -> f64 {
        match self {
            Self::Fp32 => 4.0,
            Self::Bf16 | Self::Mxfp4 => 2.0,
            Self::Fp8 | Self::Int8 => 1.0,
            Self::Nvfp4 => 0.5625,
            Self::Quantized { bits } => bits / 8.0,
        }
    }

    /// Bytes per parameter of a mixture's experts, scales included.
    pub fn bytes_per_expert_parameter(self) -> f64 {
        match self {
            Self::Mxfp4 => 0.53125,
            other => other.bytes_per_parameter(),
        }
    }

    /// Bytes per parameter of embeddings and output head.
    pub fn bytes_per_embedding_parameter(self) -> f64 {
        match self {
            Self::Fp32 => 4.0,
            Self::Quantized { bits } => (bits / 8.0).max(0.5),
            _ => 2.0,
        }
    }

    pub(crate) fn linear_class(self) -> ArithmeticClass {
        match self {
            Self::Fp32 | Self::Bf16 | Self::Mxfp4 | Self::Quantized { .. } => ArithmeticClass::Bits16,
            Self::Fp8 | Self::Int8 => ArithmeticClass::Bits8,
            Self::Nvfp4 => ArithmeticClass::Bits4,
        }
    }

    pub(crate) fn expert_class(self) -> ArithmeticClass {
        match self {
            Self::Mxfp4 => ArithmeticClass::Bits4,
            other => other.linear_class(),
        }
    }

    /// The name of the formats that share factors: of quantised weights, whatever their bits.
    pub fn class_name(self) -> &'static str {
        match self {
            Self::Fp32 => "fp32",
            Self::Bf16 => "bf16",
            Self::Fp8 => "fp8",
            Self::Int8 => "int8",
            Self::Nvfp4 => "nvfp4",
            Self::Mxfp4 => "mxfp4",
            Self::Quantized { .. } => "quantised",
        }
    }

    /// Whether factors measured with one hold for the other.
    pub(crate) fn same_class(self, other: Self) -> bool {
        std::mem::discriminant(&self) == std::mem::discriminant(&other)
    }
}

impl FromStr for Precision {
    type Err = UnknownPrecision;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim().to_ascii_lowercase().as_str() {
            "fp32" | "float32" => Ok(Self::Fp32),
            "bf16" | "fp16" | "bfloat16" | "float16" | "half" => Ok(Self::Bf16),
            "fp8" => Ok(Self::Fp8),
            "int8" => Ok(Self::Int8),
            "nvfp4" | "fp4" => Ok(Self::Nvfp4),
            "mxfp4" => Ok(Self::Mxfp4),
            "int4" | "awq" | "gptq" => Ok(Self::INT4),
            other => match other.strip_suffix("bit").and_then(|bits| bits.parse::<f64>().ok()) {
                Some(bits) if (1.0..=16.0).contains(&bits) => Ok(Self::Quantized { bits }),
                _ => Err(UnknownPrecision(text.to_owned())),
            },
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fp32 => formatter.write_str("fp32"),
            Self::Bf16 => formatter.write_str("bf16"),
            Self::Fp8 => formatter.write_str("fp8"),
            Self::Int8 => formatter.write_str("int8"),
            Self::Nvfp4 => formatter.write_str("nvfp4"),
            Self::Mxfp4 => formatter.write_str("mxfp4"),
            Self::Quantized { bits } => write!(formatter, "{bits}bit"),
        }
    }
}

/// Format of the KV cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KvPrecision {
    #[default]
    Bits16,
    Bits8,
}

impl KvPrecision {
    pub fn bytes(self) -> f64 {
        match self {
            Self::Bits16 => 2.0,
            Self::Bits8 => 1.0,
        }
    }
}
