//! `dyno simulate`: one question answered in a terminal, or a table of published measurements with predictions beside them.

mod answer;
mod inferencex;
pub mod point;
pub mod points;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]
mod tests;

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use dyno_measure::load::Slo;

use self::points::{PointsError, predict_table};
use crate::device::DeviceError;
use crate::engine::UnknownEngine;
use crate::model::ModelError;
use crate::precision::UnknownPrecision;
use crate::profile::Profiles;
use crate::scenario::SimulationError;
use crate::workload::InvalidLoad;

#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// Table of measurements (CSV); predictions are written beside them
    #[arg(long, value_name = "FILE.csv", conflicts_with = "Question")]
    pub points: Option<PathBuf>,
    /// Where the table goes; standard output unless given
    #[arg(long, value_name = "FILE.csv", requires = "points")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub question: Question,
}

#[derive(Debug, Args)]
pub struct Question {
    /// Published name of a common model, such as meta-llama/Llama-3.1-8B
    #[arg(long, required_unless_present_any = ["points", "config"])]
    pub model: Option<String>,
    /// The model's config.json, where it is not a common one
    #[arg(long, value_name = "config.json", conflicts_with = "model")]
    pub config: Option<PathBuf>,
    /// Device, such as H100-SXM-80GB; any name with --tflops
    #[arg(long, required_unless_present = "points")]
    pub device: Option<String>,
    /// Devices of the node that serve
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub devices: u32,
    /// Peak 16-bit TFLOPS, dense, of a device that is not catalogued
    #[arg(long, requires_all = ["memory_gib", "bandwidth"])]
    pub tflops: Option<f64>,
    /// Its peak 8-bit TFLOPS, dense; without it narrower weights are reckoned at 16 bits
    #[arg(long, requires = "tflops")]
    pub tflops_8: Option<f64>,
    /// Its peak 4-bit TFLOPS, likewise
    #[arg(long, requires = "tflops")]
    pub tflops_4: Option<f64>,
    /// Its memory in GiB
    #[arg(long, requires = "tflops")]
    pub memory_gib: Option<f64>,
    /// Its memory bandwidth in GB/s
    #[arg(long, requires = "tflops")]
    pub bandwidth: Option<f64>,
    /// Its bandwidth to the node's other devices in GB/s
    #[arg(long, requires = "tflops", default_value_t = 32.0)]
    pub link_bandwidth: f64,
    /// vllm, sglang, trtllm, tgi or llama.cpp, with a version if wanted: "vllm 0.18"
    #[arg(long, default_value = "vllm")]
    pub engine: String,
    /// bf16, fp8, nvfp4, mxfp4, int8, int4; as the model is published unless given
    #[arg(long)]
    pub precision: Option<String>,
    /// Devices that share one copy of the model; all layouts are compared unless given
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub tensor_parallel: Option<u32>,
    /// Requests in flight, over all copies
    #[arg(long, required_unless_present_any = ["points", "rate"], value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub concurrency: Option<u32>,
    /// Requests per second (Poisson); --concurrency then caps the requests in flight
    #[arg(long)]
    pub rate: Option<f64>,
    /// Ten for each user, or 640 at a rate, unless given
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub num_requests: Option<u32>,
    #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub input_tokens: u32,
    #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub output_tokens: u32,
    /// Limits are for this percentile
    #[arg(long, default_value_t = 99.0, value_parser = percentile)]
    pub percentile: f64,
    /// Limit of the time to first token
    #[arg(long, value_parser = milliseconds)]
    pub ttft_ms: Option<f64>,
    /// Limit of the time per output token
    #[arg(long, value_parser = milliseconds)]
    pub tpot_ms: Option<f64>,
    /// Limit of the end-to-end latency
    #[arg(long, value_parser = milliseconds)]
    pub e2el_ms: Option<f64>,
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Chosen layout, verdict, outcome and alternatives as JSON
    #[arg(long)]
    pub json: bool,
}

impl Question {
    /// Absent without limits.
    fn slo(&self) -> Option<Slo> {
        let &Self { percentile, ttft_ms, tpot_ms, e2el_ms, .. } = self;
        let limited = ttft_ms.is_some() || tpot_ms.is_some() || e2el_ms.is_some();
        limited.then_some(Slo { percentile, ttft_ms, tpot_ms, e2el_ms, search: None })
    }
}

#[derive(Debug, thiserror::Error)]
enum OutOfRange {
    #[error(transparent)]
    NotNumber(#[from] std::num::ParseFloatError),
    #[error("must lie between 0 and 100")]
    Percentile,
    #[error("must be above 0")]
    Milliseconds,
}

fn percentile(text: &str) -> Result<f64, OutOfRange> {
    let value: f64 = text.parse()?;
    if value > 0.0 && value < 100.0 { Ok(value) } else { Err(OutOfRange::Percentile) }
}

fn milliseconds(text: &str) -> Result<f64, OutOfRange> {
    let value: f64 = text.parse()?;
    if value > 0.0 && value.is_finite() { Ok(value) } else { Err(OutOfRange::Milliseconds) }
}

#[derive(Debug, thiserror::Error)]
enum CommandError {
    #[error("{path}: {error}")]
    File { path: PathBuf, error: io::Error },
    #[error(transparent)]
    Points(#[from] PointsError),
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error(transparent)]
    Device(#[from] DeviceError),
    #[error(transparent)]
    Engine(#[from] UnknownEngine),
    #[error(transparent)]
    Precision(#[from] UnknownPrecision),
    #[error(transparent)]
    Load(#[from] InvalidLoad),
    #[error(transparent)]
    Simulation(#[from] SimulationError),
    #[error("tensor-parallel {tensor_parallel} needs so many devices; there are {devices}")]
    TooFewDevices { tensor_parallel: u32, devices: u32 },
    #[error("can't write: {0}")]
    Write(#[from] io::Error),
    #[error("can't write as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl CommandError {
    /// 1: the answer is negative; 2: the question is invalid.
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Simulation(_) | Self::Write(_) | Self::Json(_) | Self::Points(PointsError::Write(_)) => ExitCode::from(1),
            _ => ExitCode::from(2),
        }
    }
}

/// Carries out the command.
pub fn main(args: &SimulateArgs) -> ExitCode {
    let done = match &args.points {
        Some(points) => table(points, args.out.as_ref()),
        None => answer::answer(&args.question, &mut io::stdout().lock()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        // the reader closed the pipe
        Err(CommandError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            // a closed terminal is no error
            let _ = writeln!(io::stderr(), "dyno: {error}");
            error.exit_code()
        }
    }
}

fn table(points: &PathBuf, out: Option<&PathBuf>) -> Result<(), CommandError> {
    let at = |path: &PathBuf| {
        let path = path.clone();
        move |error| CommandError::File { path, error }
    };
    let input = File::open(points).map_err(at(points))?;
    let profiles = Profiles::published();
    let (rows, empty) = match out {
        // written completely or not at all, since input and output may be the same file
        Some(path) => {
            let mut written = Vec::new();
            let counts = predict_table(input, &mut written, &profiles)?;
            std::fs::write(path, written).map_err(at(path))?;
            counts
        }
        None => predict_table(input, io::stdout().lock(), &profiles)?,
    };
    let _ = writeln!(io::stderr(), "{rows} rows, {empty} without a prediction");
    Ok(())
}
