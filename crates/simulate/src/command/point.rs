//! A row of a table of measured points.

use serde::Deserialize;

/// One row, as far as it is of use.
#[derive(Debug, Clone, Deserialize)]
pub struct Point {
    pub hardware: String,
    pub n_gpus: u32,
    pub model: String,
    pub precision: String,
    pub engine: String,
    pub isl: u32,
    pub osl: u32,
    pub concurrency: u32,
    pub ttft_ms: Option<f64>,
    pub tpot_ms: Option<f64>,
    pub out_tok_s: Option<f64>,
    #[serde(default)]
    pub source: String,
    #[serde(default)]
    pub workload: String,
    pub num_requests: Option<f64>,
    #[serde(default)]
    pub lengths: String,
    pub tp: Option<f64>,
    #[serde(default = "yes")]
    pub ttft_ok: u8,
    #[serde(default = "yes")]
    pub consistent: u8,
    #[serde(default)]
    pub first_burst: String,
}

fn yes() -> u8 {
    1
}
