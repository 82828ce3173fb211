//! The command line: `dyno load` with a plan, as the keeper calls it, or by hand.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;

use clap::{Args, Parser, ValueEnum};
use serde_json::{Map, Value};

use crate::access::AccessArgs;
use crate::client::stop::Stop;
use crate::consent;
use crate::dataset_argument;
use crate::execute::{Outcome, carry_out};
use crate::limits::LimitArgs;
use crate::self_check;
use crate::spool::Spool;
use crate::terminal::{show, teller};
use dyno_measure::events::{LoadNews, LoadStatus};
use dyno_measure::load::{ArrivalProcess, Endpoint, LengthDistribution};
use dyno_measure::plan::{AuthHeader, TokenLimitField};
use dyno_measure::plan::{
    DatasetFile, Load, Plan, PlanAuth, PlanEndpoint, PlannedCheck, PlannedLoad, SCHEMA_VERSION, TokenizerChoice, Workload,
};
use dyno_measure::report::{Report, Summary};
use dyno_measure::statistics::bounds::floor;

/// Output limit where none is given, tokens.
const DEFAULT_OUTPUT: u32 = 128;

/// Put load on an OpenAI-compatible server, and measure it.
#[derive(Debug, Clone, Args)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["plan", "base_url"])))]
pub struct LoadArgs {
    /// Carry out this plan (a report offers its own).
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// Write events to this file instead of the terminal, one JSON object a line.
    #[arg(long, value_name = "FILE", requires = "plan")]
    spool: Option<PathBuf>,
    /// The server; without a path, /v1 is added. May be given several times: the load is split evenly.
    #[arg(long, value_name = "URL", requires = "model", conflicts_with = "plan")]
    base_url: Vec<String>,
    /// The model's name in each request.
    #[arg(long, value_name = "NAME", conflicts_with = "plan")]
    model: Option<String>,
    /// Which call is made.
    #[arg(long, value_enum, default_value = "chat")]
    endpoint: EndpointArg,
    /// Keep this many requests in flight.
    /// Several, with commas between: one load point after the other.
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=100_000), conflicts_with = "rate", required_unless_present_any = ["plan", "rate", "trace", "search_max"])]
    concurrency: Vec<u32>,
    /// Or send this many requests per second, whether or not earlier ones have ended. Several, with commas between: one load
    /// point after the other.
    #[arg(long, value_name = "PER_SECOND,…", value_delimiter = ',')]
    rate: Vec<f64>,
    /// How the gaps of a rate are drawn.
    #[arg(long, value_enum, default_value = "poisson")]
    arrival: ArrivalArg,
    /// Shape of gamma arrivals: below 1 burstier than Poisson.
    #[arg(long, value_name = "SHAPE", default_value_t = 1.0)]
    burstiness: f64,
    /// Most requests in flight at a rate or of a trace; arrivals over it are dropped and counted.
    #[arg(long, value_name = "N", default_value_t = 1024)]
    max_in_flight: u32,
    /// Or play a trace: arrivals with lengths, as Azure's table (TIMESTAMP,ContextTokens,GeneratedTokens) or Mooncake's lines
    /// (timestamp, input_length, output_length, hash_ids).
    #[arg(long, value_name = "FILE", conflicts_with_all = ["plan", "concurrency", "rate", "search_max", "input_lengths", "output_lengths", "ramp_s"])]
    trace: Option<PathBuf>,
    /// Play the trace so many times as fast as it was recorded.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, requires = "trace")]
    time_scale: f64,
    /// Or take prompts from this file: ShareGPT conversations, Alpaca or plain prompts, as JSONL, JSON or CSV; each row once
    /// before any is repeated. May be given several times: one dataset after the other.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["plan", "trace", "input_lengths", "output_lengths", "shared_prefix"])]
    dataset: Vec<PathBuf>,
    /// Play the dataset's conversations turn by turn, with the model's own answers; --concurrency counts conversations.
    #[arg(long, requires = "dataset", conflicts_with = "rate")]
    multi_turn: bool,
    /// The model's context: the trace's requests that are longer, input and output together, are left out.
    #[arg(long, value_name = "N", requires = "trace")]
    context_tokens: Option<u32>,
    #[command(flatten)]
    limits: LimitArgs,
    /// Measure this many requests (default: ten times the concurrency or rate, at least 100).
    #[arg(long, value_name = "N", conflicts_with = "duration_s")]
    num_requests: Option<u32>,
    /// Or send requests for this long.
    #[arg(long, value_name = "SECONDS")]
    duration_s: Option<f64>,
    /// Input length in tokens, chat template included; the longest where lengths are spread.
    #[arg(long, value_name = "N", default_value_t = 512)]
    input_tokens: u32,
    /// How input lengths are spread: fixed, uniform:MIN, normal:MEAN,STD or lognormal:MEAN,STD (of the lengths, in tokens);
    /// none is longer than --input-tokens.
    #[arg(long, value_name = "KIND", value_parser = lengths)]
    input_lengths: Option<LengthDistribution>,
    /// Output limit in tokens; the longest where limits are spread (default: 128; of a dataset, the reference's length, else
    /// 256; of a trace, what it says).
    #[arg(long, value_name = "N")]
    output_tokens: Option<u32>,
    /// How output limits are spread, said as --input-lengths is; none is longer than --output-tokens.
    #[arg(long, value_name = "KIND", value_parser = lengths)]
    output_lengths: Option<LengthDistribution>,
    /// Share of the input that all prompts begin with, 0 to 1: what a prefix cache can keep.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, conflicts_with = "trace")]
    shared_prefix: f64,
    /// LengthSampler the first requests of --concurrency over this long (default: 2 ms each, at most a second).
    #[arg(long, value_name = "SECONDS", conflicts_with = "rate")]
    ramp_s: Option<f64>,
    /// Requests before the measurement, excluded from it (default: as many as are in flight).
    #[arg(long, value_name = "N")]
    warmup_requests: Option<u32>,
    /// Ask the engine to go on to the output limit; not every server knows this.
    #[arg(long)]
    ignore_eos: bool,
    /// Count tokens with this tokenizer.json; without it the server is asked (/tokenize), else lengths are estimates.
    #[arg(long, value_name = "FILE")]
    tokenizer: Option<PathBuf>,
    /// The environment variable that holds the API key. Beside --plan: that it may be sent where the plan says.
    #[arg(long, value_name = "NAME")]
    api_key_env: Option<String>,
    #[command(flatten)]
    access: AccessArgs,
    /// Fields added to each request's body, as a JSON object.
    #[arg(long, value_name = "JSON", conflicts_with = "plan", value_parser = json_object)]
    extra_body: Option<Map<String, Value>>,
    /// End the load once more than this share of a load point's requests have failed, 0 to 1; judged after 100 requests.
    #[arg(long, value_name = "SHARE", conflicts_with = "plan")]
    max_error_rate: Option<f64>,
    /// Seed of prompts and arrivals.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Longest wait between two events of an answer.
    #[arg(long, value_name = "SECONDS", default_value_t = 120.0)]
    stall_timeout_s: f64,
    /// Longest time of a request.
    #[arg(long, value_name = "SECONDS", default_value_t = 600.0)]
    timeout_s: f64,
    /// Send a request that is refused by status 429 again, at most so many times, after the server's retry-after.
    #[arg(long, value_name = "TIMES", conflicts_with = "plan")]
    retry_429: Option<u32>,
    /// Whether the client itself is first measured against the built-in reference engine (a few seconds; kept for an hour).
    #[arg(long, value_enum, default_value = "on")]
    self_check: SelfCheckArg,
    /// Path of the engine's own metrics, read once a second and kept in the report; `off`: they are not read.
    #[arg(long, value_name = "PATH", default_value = "/metrics", conflicts_with = "plan")]
    engine_metrics: String,
    /// Write the whole report here.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Write a record of each request here, one JSON object a line.
    #[arg(long, value_name = "FILE")]
    requests: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum EndpointArg {
    Chat,
    Completions,
    Embeddings,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SelfCheckArg {
    On,
    Off,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ArrivalArg {
    Constant,
    Poisson,
    Gamma,
}

impl LoadArgs {
    fn into_plan(self) -> Result<Plan, String> {
        if let Some(path) = &self.plan {
            let bytes = std::fs::read(path).map_err(|error| format!("The plan {} can't be read: {error}.", path.display()))?;
            let mut unknown = Vec::new();
            let mut reader = serde_json::Deserializer::from_slice(&bytes);
            let mut plan: Plan = serde_ignored::deserialize(&mut reader, |field| unknown.push(field.to_string()))
                .and_then(|plan| reader.end().map(|()| plan))
                .map_err(|error| format!("The plan {} is not understood: {error}.", path.display()))?;
            // a slip of the pen is not to change a load in silence; what a later version wrote is no reason to refuse it
            for field in unknown {
                let _ = writeln!(io::stderr(), "warning: the plan's field {field} is not known, and is ignored.");
            }
            plan.report = self.report.or(plan.report);
            plan.requests = self.requests.or(plan.requests);
            if self.self_check == SelfCheckArg::Off {
                plan.self_check = None;
            }
            return Ok(plan);
        }
        let process = match self.arrival {
            ArrivalArg::Constant => ArrivalProcess::Constant,
            ArrivalArg::Poisson => ArrivalProcess::Poisson,
            ArrivalArg::Gamma => ArrivalProcess::Gamma,
        };
        let (burstiness, max_in_flight) = (self.burstiness, self.max_in_flight);
        let open = |rate: f64| Load::Rate { rate, process, burstiness, max_in_flight };
        let slo = self.limits.slo()?;
        let loads: Vec<Load> = match slo.as_ref().and_then(|slo| slo.search.as_ref()) {
            _ if self.trace.is_some() => vec![Load::Trace { time_scale: self.time_scale, max_in_flight }],
            Some(search) if self.limits.search_rate => vec![open(search.max)],
            Some(search) => vec![Load::Closed { concurrency: search.max.floor() as u32 }],
            None if !self.rate.is_empty() => self.rate.iter().copied().map(open).collect(),
            None => self.concurrency.iter().map(|concurrency| Load::Closed { concurrency: *concurrency }).collect(),
        };
        let of = |load| PlannedLoad {
            load,
            warmup_requests: self.warmup_requests,
            num_requests: self.num_requests,
            duration_s: self.duration_s,
        };
        // with limits, as many requests as their percentile needs
        let least = slo.as_ref().filter(|slo| slo.search.is_none()).and_then(|slo| floor(slo.percentile));
        let enough = |point: PlannedLoad| match least {
            Some(least) => point.with_at_least(least),
            // a search's number of requests is found for each load that it tries
            None => point,
        };
        let load_points = loads.into_iter().map(of).map(enough).collect();
        let metrics = (self.engine_metrics != "off").then_some(self.engine_metrics);
        Ok(Plan {
            schema_version: SCHEMA_VERSION,
            run_id: uuid::Uuid::nil(),
            endpoints: self
                .base_url
                .into_iter()
                .map(|base_url| PlanEndpoint { node: node_name(&base_url), base_url, metrics: metrics.clone() })
                .collect(),
            model: self.model.unwrap_or_default(),
            endpoint: match self.endpoint {
                EndpointArg::Chat => Endpoint::Chat,
                EndpointArg::Completions => Endpoint::Completions,
                EndpointArg::Embeddings => Endpoint::Embeddings,
            },
            auth: self.api_key_env.map(|api_key_env| PlanAuth { header: AuthHeader::Bearer, api_key_env }),
            token_limit: TokenLimitField::MaxTokens,
            ignore_eos: self.ignore_eos,
            workload: match self.trace {
                Some(path) => Workload::Trace {
                    file: DatasetFile { path, id: uuid::Uuid::nil(), name: String::new(), sha256: None, notes: Vec::new() },
                    max_output_tokens: self.output_tokens,
                    context_tokens: self.context_tokens,
                },
                None if !self.dataset.is_empty() => Workload::Dataset {
                    files: self.dataset.iter().map(|path| dataset_argument::dataset(path)).collect::<Result<_, _>>()?,
                    max_output_tokens: self.output_tokens,
                    multi_turn: self.multi_turn,
                },
                None => Workload::Synthetic {
                    input_tokens: self.input_tokens,
                    output_tokens: self.output_tokens.unwrap_or(DEFAULT_OUTPUT),
                    input_lengths: self.input_lengths,
                    output_lengths: self.output_lengths,
                    shared_prefix: self.shared_prefix,
                },
            },
            load_points,
            seed: self.seed,
            stall_timeout_s: self.stall_timeout_s,
            timeout_s: self.timeout_s,
            ramp_s: self.ramp_s,
            retry_429: self.retry_429,
            tokenizer: self.tokenizer.map_or(TokenizerChoice::Engine, |path| TokenizerChoice::File { path }),
            extra_body: self.extra_body.unwrap_or_default(),
            headers: self.access.header,
            ca: self.access.ca,
            insecure: self.access.insecure,
            max_error_rate: self.max_error_rate,
            slo,
            self_check: (self.self_check == SelfCheckArg::On).then(|| PlannedCheck { cache: self_check::default_folder() }),
            requests: self.requests,
            report: self.report,
            address_policy: None,
            deadline_unix_ns: None,
        })
    }
}

/// The plan that a line's arguments make, without the program's name and command; nothing where they are refused.
pub(super) fn plan_of(arguments: &[String]) -> Option<Plan> {
    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        load: LoadArgs,
    }
    let words = std::iter::once("dyno load").chain(arguments.iter().map(String::as_str));
    Line::try_parse_from(words).ok()?.load.into_plan().ok()
}

/// Reads how lengths are spread: `uniform:64`, `normal:300,100`.
fn lengths(text: &str) -> Result<LengthDistribution, String> {
    let (kind, numbers) = text.split_once(':').unwrap_or((text, ""));
    let number = |text: &str| text.trim().parse::<f64>().map_err(|_| format!("{text:?} is no number"));
    let two = || {
        let (mean, std) = numbers.split_once(',').ok_or_else(|| format!("write {kind}:MEAN,STD"))?;
        Ok::<_, String>((number(mean)?, number(std)?))
    };
    let lengths = match kind {
        "fixed" if numbers.is_empty() => LengthDistribution::Fixed {},
        "uniform" => LengthDistribution::Uniform { min: numbers.trim().parse().map_err(|_| "write uniform:MIN".to_owned())? },
        "normal" => two().map(|(mean, std)| LengthDistribution::Normal { mean, std })?,
        "lognormal" => two().map(|(mean, std)| LengthDistribution::Lognormal { mean, std })?,
        _ => return Err("write fixed, uniform:MIN, normal:MEAN,STD or lognormal:MEAN,STD".to_owned()),
    };
    super::workload::LengthSampler::check(lengths)?;
    Ok(lengths)
}

/// What a server is called in records: its address.
pub(super) fn node_name(base_url: &str) -> String {
    dyno_measure::address::Address::parse(base_url).map_or_else(|_| base_url.to_owned(), |address| address.host_header())
}

fn json_object(text: &str) -> Result<Map<String, Value>, serde_json::Error> {
    serde_json::from_str(text)
}

/// Runs the command: 0 when all went well, 1 when the result is not valid, not whole, or over half of its requests failed, 2
/// when the plan or the arguments are wrong.
pub fn main(args: LoadArgs) -> ExitCode {
    let spool = match args.spool.as_deref().map(Spool::open).transpose() {
        Ok(spool) => spool,
        Err(error) => return refuse(None, &format!("The spool can't be written: {error}.")),
    };
    // By hand, a plan's variables are asked about; the portal writes its plans itself.
    let (by_hand, named) = (args.plan.is_some() && spool.is_none(), args.api_key_env.clone());
    let plan = match args.into_plan() {
        Ok(plan) => plan,
        Err(words) => return refuse(spool.as_ref(), &words),
    };
    if by_hand && let Err(words) = consent::ask(&plan, named.as_deref()) {
        return refuse(None, &words);
    }
    let stop = match Stop::on_signals() {
        Ok(stop) => stop,
        Err(error) => return refuse(spool.as_ref(), &format!("Signals can't be read: {error}.")),
    };
    let spool = spool.map(Rc::new);
    let tell = teller(spool.clone());
    tell(LoadNews::Started {
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        load_points: plan.most_points(),
    });
    let outcome = match carry_out(&plan, &tell, &stop) {
        Ok(outcome) => outcome,
        Err(words) => return refuse(spool.as_deref(), &words),
    };
    if let Some(path) = &plan.report
        && let Err(error) = write_whole(path, &outcome)
    {
        return refuse(spool.as_deref(), &format!("The report can't be written: {error}."));
    }
    tell(LoadNews::End { status: outcome.status, reason: outcome.reason.clone() });
    if spool.is_none() {
        show(&outcome);
    }
    let mostly_failed = mostly_failed(&outcome.report);
    if mostly_failed && spool.is_none() {
        let _ = writeln!(io::stderr(), "Over half of the requests failed.");
    }
    let good = outcome.status == LoadStatus::Ok && outcome.report.valid && !mostly_failed;
    if good { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

/// Whether over half of the requests failed or were dropped, all load points together. A search is to go where requests fail:
/// there the load point that it found counts.
fn mostly_failed(report: &Report) -> bool {
    let summaries: Vec<&Summary> = match report.search {
        Some(_) => vec![&report.summary],
        None => report.load_points.iter().map(|point| &point.summary).collect(),
    };
    let sum = |of: fn(&Summary) -> u64| summaries.iter().map(|summary| of(summary)).sum::<u64>();
    2 * sum(|summary| summary.failed_requests + summary.dropped_requests) > sum(|summary| summary.total_requests)
}

/// Whoever reads the report finds all of it or nothing.
fn write_whole(path: &Path, outcome: &Outcome) -> io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    std::fs::write(&new, serde_json::to_vec(&outcome.report)?)?;
    std::fs::rename(&new, path)
}

fn refuse(spool: Option<&Spool>, words: &str) -> ExitCode {
    if let Some(spool) = spool {
        let _ = spool.write(LoadNews::End { status: LoadStatus::Failed, reason: Some(words.to_owned()) });
    }
    let _ = writeln!(io::stderr(), "{words}");
    ExitCode::from(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_said_in_a_word() {
        assert_eq!(lengths("fixed"), Ok(LengthDistribution::Fixed {}));
        assert_eq!(lengths("uniform:64"), Ok(LengthDistribution::Uniform { min: 64 }));
        assert_eq!(lengths("normal:300, 100"), Ok(LengthDistribution::Normal { mean: 300.0, std: 100.0 }));
        assert_eq!(lengths("lognormal:300,0.5"), Ok(LengthDistribution::Lognormal { mean: 300.0, std: 0.5 }));
        for wrong in ["", "fixed:1", "uniform", "uniform:-1", "normal:3", "normal:a,b", "normal:0,1", "lognormal:1,-1", "zipf:1"]
        {
            assert!(lengths(wrong).is_err(), "{wrong}");
        }
    }
}
