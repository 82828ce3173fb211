//! `dyno simulate --points`: published measurements in a table, with predictions beside them.

use std::io::{Read, Write};

use super::inferencex;
use super::point::Point;
use crate::device::{self, DeviceError, SimulatedDevice};
use crate::engine::{Engine, EngineSettings, EngineVersion, parse_engine};
use crate::model::{ModelDescriptor, ModelError, catalogue};
use crate::precision::{KvPrecision, Precision};
use crate::profile::Profiles;
use crate::scenario::{Scenario, SimulationError, Simulator};
use crate::workload::{REQUESTS_PER_USER, SimulatedLoad, SimulatedWorkload, TokenLengths};

const SEED: u64 = 1;
const ADDED: [&str; 5] = ["pred_ttft_ms", "pred_tpot_ms", "pred_e2el_ms", "pred_output_tok_s", "note"];

#[derive(Debug, thiserror::Error)]
pub enum PointsError {
    #[error("the table can't be read: {0}")]
    Table(#[from] csv::Error),
    #[error("can't write: {0}")]
    Write(#[from] std::io::Error),
}

/// Why a row has no prediction.
#[derive(Debug, thiserror::Error)]
pub enum NoPrediction {
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error(transparent)]
    Device(#[from] DeviceError),
    #[error(transparent)]
    Simulation(#[from] SimulationError),
    #[error("every request is longer than the KV cache")]
    AllTooLong,
}

/// A point that can be simulated, with the assumptions made.
#[derive(Debug, Clone)]
pub struct Prepared {
    pub model: ModelDescriptor,
    pub device: SimulatedDevice,
    pub engine: Engine,
    pub version: Option<EngineVersion>,
    pub precision: Precision,
    pub tensor_parallel: u32,
    pub replicas: u32,
    pub workload: SimulatedWorkload,
    /// The settings with which the source is known to start the engine; `None`: the engine's defaults.
    pub settings: Option<EngineSettings>,
    pub kv_precision: Option<KvPrecision>,
    pub notes: Vec<String>,
}

impl Prepared {
    /// Starts the users of a closed loop one by one over this time, seconds. An engine that puts prompts first synchronizes its
    /// users again, so there they start together.
    pub fn begin_over(&mut self, seconds: f64) {
        let settings = EngineSettings::defaults(self.engine, &self.device, self.tensor_parallel);
        if settings.mixed_steps
            && let SimulatedLoad::Closed { ramp, .. } = &mut self.workload.load
        {
            *ramp = seconds;
        }
    }

    pub fn scenario(&self) -> Scenario<'_> {
        Scenario {
            model: &self.model,
            device: &self.device,
            engine: self.engine,
            version: self.version,
            precision: self.precision,
            kv_precision: self.kv_precision,
            tensor_parallel: self.tensor_parallel,
            replicas: self.replicas,
            settings: self.settings,
            kv_tokens: None,
        }
    }
}

/// Milliseconds and tokens per second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PredictedMeans {
    pub ttft_ms: f64,
    pub tpot_ms: f64,
    pub output_tok_s: f64,
}

impl PredictedMeans {
    /// By the table's definition, with the nominal output length.
    pub fn e2el_ms(&self, osl: u32) -> f64 {
        self.ttft_ms + self.tpot_ms * f64::from(osl.saturating_sub(1))
    }
}

impl Point {
    /// E2E by the table's definition.
    pub fn e2el_ms(&self) -> Option<f64> {
        Some(self.ttft_ms? + self.tpot_ms? * f64::from(self.osl.saturating_sub(1)))
    }

    fn devices(&self) -> u32 {
        self.n_gpus.max(1)
    }

    /// The simulation of the row, or why there is none.
    pub fn prepare(&self) -> Result<Prepared, NoPrediction> {
        self.prepare_at(self.tp.map_or(self.devices(), |degree| degree as u32))
    }

    /// At a degree of tensor parallelism, or the next smaller one that divides the model.
    fn prepare_at(&self, tensor_parallel: u32) -> Result<Prepared, NoPrediction> {
        let mut notes = Vec::new();
        let model = catalogue::find(&self.model)?;
        let device = device::find(&self.hardware)?;
        let (engine, version) = parse_engine(&self.engine).unwrap_or_else(|error| {
            notes.push(format!("{error}; taken as vllm"));
            (Engine::Vllm, None)
        });
        // some sources have a year instead of a version
        let version = version.filter(|version| version.major < 1000);
        let mut precision = self.precision.parse::<Precision>().unwrap_or_else(|error| {
            notes.push(format!("{error}; taken as published, {}", model.precision));
            model.precision
        });
        if precision == Precision::Bf16 && model.bytes(model.precision) < model.bytes(precision) {
            notes.push(format!("weights are published in {}", model.precision));
            precision = model.precision;
        }
        let devices = self.devices();
        let mut tensor_parallel = tensor_parallel.clamp(1, devices);
        while !model.divides(tensor_parallel) && tensor_parallel > 1 {
            tensor_parallel -= 1;
        }
        let replicas = devices / tensor_parallel;
        if replicas > 1 {
            notes.push(format!("{devices} devices at tensor-parallel {tensor_parallel}: taken as {replicas} replicas"));
        }
        let (settings, kv_precision) = inferencex::settings(self, &model, &device, engine, tensor_parallel).unzip();
        Ok(Prepared {
            workload: self.load(),
            settings,
            kv_precision,
            model,
            device,
            engine,
            version,
            precision,
            tensor_parallel,
            replicas,
            notes,
        })
    }

    /// Whether the source left the opening burst of a closed loop out of its figures.
    pub fn left_out_burst(&self) -> bool {
        self.workload == "closed" && self.first_burst == "out"
    }

    fn load(&self) -> SimulatedWorkload {
        let users = self.concurrency.max(1);
        let least_share = self.lengths.split('-').next().and_then(|share| share.parse().ok()).unwrap_or(1.0);
        let lengths = TokenLengths { input: self.isl, output: self.osl, least_share };
        let stated = self.num_requests.map(|count| count as usize);
        let count = stated.unwrap_or((REQUESTS_PER_USER * users) as usize);
        match self.workload.as_str() {
            "static_batch" => SimulatedWorkload::burst(users as usize, lengths, SEED),
            "burst" => SimulatedWorkload::burst(stated.unwrap_or(users as usize), lengths, SEED),
            "serial" => SimulatedWorkload::closed(stated.unwrap_or(10).min(100), lengths, 1, SEED),
            _ if self.left_out_burst() => {
                let mut workload = SimulatedWorkload::closed(count + users as usize, lengths, users, SEED);
                workload.warmup = users as usize;
                workload
            }
            _ => SimulatedWorkload::closed(count, lengths, users, SEED),
        }
    }

    /// The prediction, with notes.
    ///
    /// A source that left out the opening burst measured users out of step with each other. Simulated users with equal lengths
    /// would stay in step for ever, so they start spread over the time of one request, determined by a first run.
    pub fn predict(&self, profiles: &Profiles) -> Result<(PredictedMeans, Vec<String>), NoPrediction> {
        let mut prepared = self.prepare()?;
        let run = |prepared: &Prepared| {
            let simulator = Simulator::new(prepared.scenario(), profiles)?;
            simulator.run(&prepared.workload)
        };
        let mut simulation = run(&prepared);
        if matches!(simulation, Err(SimulationError::DoesNotFit(_))) && prepared.replicas > 1 {
            // with more devices than the stated degree, all of them must share the weights
            let stated = prepared.tensor_parallel;
            prepared = self.prepare_at(self.devices())?;
            let shared = prepared.tensor_parallel;
            prepared.notes.push(format!("does not fit at tensor-parallel {stated}: taken as tensor-parallel {shared}"));
            simulation = run(&prepared);
        }
        let mut simulation = simulation?;
        if self.left_out_burst()
            && let Some(latency) = simulation.outcome.e2el_ms
        {
            prepared.begin_over(latency.mean / 1e3);
            simulation = run(&prepared)?;
        }
        let outcome = &simulation.outcome;
        let ttft = outcome.ttft_ms.ok_or(NoPrediction::AllTooLong)?;
        let mut notes = prepared.notes;
        notes.extend(simulation.notes.iter().map(ToString::to_string));
        let predicted = PredictedMeans {
            ttft_ms: ttft.mean,
            tpot_ms: outcome.tpot_ms.map_or(0.0, |tpot| tpot.mean),
            output_tok_s: outcome.output_throughput,
        };
        Ok((predicted, notes))
    }
}

/// Copies the table, adding the predictions. Returns the number of rows, and of those without a prediction.
pub fn predict_table(input: impl Read, output: impl Write, profiles: &Profiles) -> Result<(usize, usize), PointsError> {
    let mut reader = csv::Reader::from_reader(input);
    let headers = reader.headers()?.clone();
    let mut writer = csv::Writer::from_writer(output);
    writer.write_record(headers.iter().chain(ADDED))?;
    let (mut rows, mut empty) = (0, 0);
    for record in reader.records() {
        let record = record?;
        let point: Point = record.deserialize(Some(&headers))?;
        let added = match point.predict(profiles) {
            Ok((predicted, notes)) => [
                format!("{:.3}", predicted.ttft_ms),
                format!("{:.4}", predicted.tpot_ms),
                format!("{:.3}", predicted.e2el_ms(point.osl)),
                format!("{:.3}", predicted.output_tok_s),
                notes.join("; "),
            ],
            Err(reason) => {
                empty += 1;
                [String::new(), String::new(), String::new(), String::new(), reason.to_string()]
            }
        };
        rows += 1;
        writer.write_record(record.iter().chain(added.iter().map(String::as_str)))?;
    }
    writer.flush()?;
    Ok((rows, empty))
}
