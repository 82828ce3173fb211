//! The command line of `dyno load`: with a plan (as the keeper calls it) or with flags.

use std::io::{self, BufRead as _, Read as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;

use clap::{Args, Parser, ValueEnum};
use serde_json::{Map, Value};

use crate::access_arguments::AccessArgs;
use crate::client::stop::StopSignal;
use crate::consent::{self, Named};
use crate::dataset_argument::{self, DatasetArgumentError};
use crate::execute::{LoadOutcome, carry_out};
use crate::limits::{LimitArgs, LimitError};
use crate::option_arguments::OptionArgs;
use crate::printable::printable_line;
use crate::self_check;
use crate::spool::Spool;
use crate::terminal::{self, event_sink, show};
use crate::workers::{WorkerPlaces, worker_main};
use dyno_measure::events::{LoadEventKind, LoadStatus};
use dyno_measure::json_error;
use dyno_measure::load::{Arrival, ArrivalProcess, EvalWith, LoadSpec, OfferedLoad};
use dyno_measure::plan::{
    AuthHeader, DatasetFile, MOST_WORKERS, Plan, PlanAuth, PlanEndpoint, PlannedCheck, PromptSource, TokenizerChoice,
};
use dyno_measure::report::{Report, Summary};

/// Longest line that says where workers are, bytes.
const LONGEST_PLACES: u64 = 1 << 20;
/// Output limit where none is given, tokens.
const DEFAULT_OUTPUT: u32 = 128;

/// Put load on an OpenAI-compatible server, and measure it.
#[derive(Debug, Clone, Args)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["plan", "base_url", "worker"])))]
pub struct LoadArgs {
    /// Carry out this plan (a report offers its own). What it sends, reads and writes is shown first, and asked for.
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
    /// Keep this many requests in flight.
    /// Several, with commas between: one load point after the other.
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=100_000), conflicts_with = "rate", required_unless_present_any = ["plan", "rate", "trace", "search_max", "worker"])]
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
    #[arg(long, value_name = "FILE", conflicts_with_all = ["plan", "concurrency", "rate", "search_max"])]
    trace: Option<PathBuf>,
    /// Or take prompts from this file: ShareGPT conversations, Alpaca or plain prompts, as JSONL, JSON or CSV; each row once
    /// before any is repeated. May be given several times: one dataset after the other.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["plan", "trace"])]
    dataset: Vec<PathBuf>,
    /// The model's context: the trace's requests that are longer, input and output together, are left out.
    #[arg(long, value_name = "N", requires = "trace")]
    context_tokens: Option<u32>,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    options: OptionArgs,
    /// Count tokens with this tokenizer.json; without it the server is asked (/tokenize), else lengths are estimates.
    #[arg(long, value_name = "FILE")]
    tokenizer: Option<PathBuf>,
    /// The environment variable that holds the API key. Beside --plan: one that may be sent where the plan says, as often as needed.
    #[arg(long, value_name = "NAME")]
    api_key_env: Vec<String>,
    /// Beside --plan: a file or folder that the plan may read or write, as often as needed.
    #[arg(long, value_name = "PATH", requires = "plan")]
    allow_file: Vec<PathBuf>,
    #[command(flatten)]
    access: AccessArgs,
    /// Fields added to each request's body, as a JSON object.
    #[arg(long, value_name = "JSON", conflicts_with = "plan", value_parser = json_object)]
    extra_body: Option<Map<String, Value>>,
    /// End the load once more than this share of a load point's requests have failed, 0 to 1; judged after 100 requests.
    #[arg(long, value_name = "SHARE", conflicts_with = "plan")]
    max_error_rate: Option<f64>,
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
    /// Put the load on from so many processes, each with its part and on a core of its own; beside --plan: instead of the plan's number.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_WORKERS)))]
    workers: Option<u32>,
    /// Be a worker of another `dyno load`, which says what to do on the standard input.
    #[arg(long, hide = true, exclusive = true)]
    worker: bool,
    /// Read where the workers are from the standard input, as one line of JSON, instead of starting them.
    #[arg(long, hide = true, requires = "plan", conflicts_with = "workers")]
    worker_places: bool,
    /// Write the whole report here.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Write a record of each request here, one JSON object a line.
    #[arg(long, value_name = "FILE")]
    requests: Option<PathBuf>,
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

/// Why arguments make no plan.
#[derive(Debug, thiserror::Error)]
enum LoadArgumentError {
    #[error("The plan {} can't be read: {source}.", path.display())]
    PlanNotRead { path: PathBuf, source: io::Error },
    #[error("The plan {} is not understood: {}.", path.display(), json_error::words(source))]
    PlanNotUnderstood { path: PathBuf, source: serde_json::Error },
    #[error("Where the workers are is not understood: {0}.")]
    Places(#[source] io::Error),
    #[error("Without a plan there is one API key: give --api-key-env once.")]
    SeveralKeys,
    #[error(transparent)]
    Limits(#[from] LimitError),
    #[error(transparent)]
    Dataset(#[from] DatasetArgumentError),
    #[error(transparent)]
    Option(#[from] serde_json::Error),
}

impl LoadArgs {
    /// What the user said beside the plan that it may do.
    fn named(&self) -> Named {
        let written = self.report.iter().chain(&self.requests);
        Named { variables: self.api_key_env.clone(), files: self.allow_file.iter().chain(written).cloned().collect() }
    }

    fn into_plan(self) -> Result<Plan, LoadArgumentError> {
        if let Some(path) = &self.plan {
            let read = std::fs::read(path);
            let bytes = read.map_err(|source| LoadArgumentError::PlanNotRead { path: path.clone(), source })?;
            let mut unknown = Vec::new();
            let mut reader = serde_json::Deserializer::from_slice(&bytes);
            let understood = serde_ignored::deserialize(&mut reader, |field| unknown.push(field.to_string()));
            let mut plan: Plan = understood
                .and_then(|plan| reader.end().map(|()| plan))
                .map_err(|source| LoadArgumentError::PlanNotUnderstood { path: path.clone(), source })?;
            // a misspelled field must not be ignored silently, and a plan of a later version must not be refused
            for field in unknown {
                terminal::say(&format!("warning: the plan's field {} is not known, and is ignored.", printable_line(&field)));
            }
            plan.workers = self.workers.unwrap_or(plan.workers);
            plan.report = self.report.or(plan.report);
            plan.requests = self.requests.or(plan.requests);
            if self.self_check == SelfCheckArg::Off {
                plan.self_check = None;
            }
            return Ok(plan);
        }
        if self.api_key_env.len() > 1 {
            return Err(LoadArgumentError::SeveralKeys);
        }
        let load = self.load()?;
        let source = match self.trace {
            Some(path) => PromptSource::Trace {
                file: DatasetFile { path, id: uuid::Uuid::nil(), name: String::new(), sha256: None, notes: Vec::new() },
                context_tokens: self.context_tokens,
            },
            None if self.dataset.is_empty() => PromptSource::Synthetic,
            None => {
                PromptSource::Datasets(self.dataset.iter().map(|path| dataset_argument::dataset(path)).collect::<Result<_, _>>()?)
            }
        };
        let metrics = (self.engine_metrics != "off").then_some(self.engine_metrics);
        Ok(Plan {
            endpoints: self
                .base_url
                .into_iter()
                .map(|base_url| PlanEndpoint { node: node_name(&base_url), base_url, metrics: metrics.clone() })
                .collect(),
            model: self.model.unwrap_or_default(),
            auth: self.api_key_env.into_iter().next().map(|api_key_env| PlanAuth { header: AuthHeader::Bearer, api_key_env }),
            stall_timeout_s: self.stall_timeout_s,
            timeout_s: self.timeout_s,
            retry_429: self.retry_429,
            tokenizer: self.tokenizer.map_or(TokenizerChoice::Engine, |path| TokenizerChoice::File { path }),
            extra_body: self.extra_body.unwrap_or_default(),
            headers: self.access.header,
            ca: self.access.ca,
            insecure: self.access.insecure,
            max_error_rate: self.max_error_rate,
            workers: self.workers.unwrap_or(1),
            self_check: (self.self_check == SelfCheckArg::On).then(|| PlannedCheck { cache: self_check::default_folder() }),
            requests: self.requests,
            report: self.report,
            ..Plan::of_load(&load, source)
        })
    }

    fn load(&self) -> Result<LoadSpec, LoadArgumentError> {
        let slo = self.limits.slo()?;
        let process = match self.arrival {
            ArrivalArg::Constant => ArrivalProcess::Constant,
            ArrivalArg::Poisson => ArrivalProcess::Poisson,
            ArrivalArg::Gamma => ArrivalProcess::Gamma,
        };
        let search = slo.as_ref().and_then(|slo| slo.search.as_ref());
        // A search for a rate has no given rate: the arrival gets the largest of its bounds.
        let rate = search.filter(|_| self.limits.search_rate).map(|search| search.max).or(self.rate.first().copied());
        let offered: Vec<OfferedLoad> = match rate {
            Some(_) => self.rate.iter().map(|&rate| OfferedLoad::Rate { rate }).collect(),
            None => self.concurrency.iter().map(|&concurrency| OfferedLoad::Concurrency { concurrency }).collect(),
        };
        let in_flight = self.concurrency.first().copied().unwrap_or(self.max_in_flight);
        let is_synthetic = self.trace.is_none() && self.dataset.is_empty();
        let eval_with = if is_synthetic { EvalWith::Configuration } else { EvalWith::Dataset };
        let mut load = LoadSpec::new(in_flight, eval_with);
        self.options.apply(&mut load)?;
        load.arrival = rate.map(|rate| Arrival::Rate { rate, process, burstiness: Some(self.burstiness) });
        load.load_points = if offered.len() > 1 { offered } else { Vec::new() };
        load.slo = slo;
        if is_synthetic {
            load.max_output_tokens.get_or_insert(DEFAULT_OUTPUT);
        }
        Ok(load)
    }
}

/// The plan that these arguments (without program name and command) make; `None` where they are refused.
pub(super) fn plan_of(arguments: &[String]) -> Option<Plan> {
    #[derive(Parser)]
    struct LoadArguments {
        #[command(flatten)]
        load: LoadArgs,
    }
    let words = std::iter::once("dyno load").chain(arguments.iter().map(String::as_str));
    LoadArguments::try_parse_from(words).ok()?.load.into_plan().ok()
}

/// The name of a server in records: host and port.
pub(super) fn node_name(base_url: &str) -> String {
    dyno_measure::address::Address::parse(base_url).map_or_else(|_| base_url.to_owned(), |address| address.host_header())
}

fn json_object(text: &str) -> Result<Map<String, Value>, serde_json::Error> {
    serde_json::from_str(text)
}

/// Runs the command: 0 when all went well, 1 when the result is not valid, not whole, or over half of its requests failed, 2
/// when the plan or the arguments are wrong.
pub fn main(args: LoadArgs) -> ExitCode {
    if args.worker {
        return worker_main();
    }
    let spool = match args.spool.as_deref().map(Spool::open).transpose() {
        Ok(spool) => spool,
        Err(error) => return refuse(None, &format!("The spool can't be written: {error}.")),
    };
    let places = match args.worker_places.then(read_places).transpose() {
        Ok(places) => places,
        Err(error) => return refuse(spool.as_ref(), &error.to_string()),
    };
    // With a plan given by hand, the user is asked before secrets are sent and files are opened; the portal's own plans need no
    // consent.
    let (by_hand, named) = (args.plan.is_some() && spool.is_none(), args.named());
    let plan = match args.into_plan() {
        Ok(plan) => plan,
        Err(error) => return refuse(spool.as_ref(), &error.to_string()),
    };
    if by_hand && let Err(error) = consent::ask(&plan, &named) {
        return refuse(None, &error.to_string());
    }
    let stop = match StopSignal::on_signals() {
        Ok(stop) => stop,
        Err(error) => return refuse(spool.as_ref(), &format!("Signals can't be read: {error}.")),
    };
    let spool = spool.map(Rc::new);
    let emit = event_sink(spool.clone());
    emit(LoadEventKind::Started {
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        load_points: plan.most_points(),
    });
    let outcome = match carry_out(&plan, places.as_ref(), &emit, &stop) {
        Ok(outcome) => outcome,
        Err(error) => return refuse(spool.as_deref(), &error.to_string()),
    };
    if let Some(path) = &plan.report
        && let Err(error) = write_whole(path, &outcome)
    {
        return refuse(spool.as_deref(), &format!("The report can't be written: {error}."));
    }
    emit(LoadEventKind::End { status: outcome.status, reason: outcome.reason.clone() });
    if spool.is_none() {
        show(&outcome);
    }
    let mostly_failed = mostly_failed(&outcome.report);
    if mostly_failed && spool.is_none() {
        terminal::say("Over half of the requests failed.");
    }
    let good = outcome.status == LoadStatus::Ok && outcome.report.valid && !mostly_failed;
    if good { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

fn read_places() -> Result<WorkerPlaces, LoadArgumentError> {
    let mut line = Vec::new();
    let read = io::stdin().lock().take(LONGEST_PLACES).read_until(b'\n', &mut line);
    read.and_then(|_| Ok(serde_json::from_slice(&line)?)).map_err(LoadArgumentError::Places)
}

/// Whether over half of the requests failed or were dropped, over all load points. A search overloads the server on purpose, so
/// there only the load point that it found counts.
fn mostly_failed(report: &Report) -> bool {
    let summaries: Vec<&Summary> = match report.search {
        Some(_) => vec![&report.summary],
        None => report.load_points.iter().map(|point| &point.summary).collect(),
    };
    let sum = |of: fn(&Summary) -> u64| summaries.iter().map(|summary| of(summary)).sum::<u64>();
    2 * sum(|summary| summary.failed_requests + summary.dropped_requests) > sum(|summary| summary.total_requests)
}

/// Writes to a temporary file and renames it, so that a reader never sees half a report.
fn write_whole(path: &Path, outcome: &LoadOutcome) -> io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    std::fs::write(&new, serde_json::to_vec(&outcome.report)?)?;
    std::fs::rename(&new, path)
}

fn refuse(spool: Option<&Spool>, words: &str) -> ExitCode {
    if let Some(spool) = spool {
        let _ = spool.write(LoadEventKind::End { status: LoadStatus::Failed, reason: Some(words.to_owned()) });
    }
    terminal::say(words);
    ExitCode::from(2)
}

#[cfg(test)]
mod tests {
    use clap::Command;
    use dyno_measure::load::OPTIONS;
    use dyno_measure::plan::{Load, Workload};

    use super::*;

    fn plan(line: &str) -> Option<Plan> {
        let words: Vec<String> = format!("--base-url http://h --model m {line}").split(' ').map(str::to_owned).collect();
        plan_of(&words)
    }

    #[test]
    fn every_option_that_has_a_flag_is_an_argument() {
        let command = LoadArgs::augment_args(Command::new("load"));
        for option in OPTIONS {
            let Some(flag) = option.flag else { continue };
            let argument = command.get_arguments().find(|argument| argument.get_long() == Some(flag.name)).unwrap();
            assert_eq!(argument.get_action().takes_values(), !flag.value.is_empty(), "{}", flag.name);
        }
        // clap checks that the arguments named in `conflicts_with` exist
        command.debug_assert();
    }

    #[test]
    fn options_reach_the_plan() {
        let got = plan(
            "--concurrency 8 --num-requests 9 --warmup-requests 0 --input-tokens 64 --input-lengths uniform:5 --ramp-s 2 --ignore-eos --shared-prefix 0.5 --endpoint completions",
        );
        let got = got.unwrap();
        assert_eq!((got.ramp_s, got.ignore_eos, got.seed), (Some(2.0), true, 1));
        assert_eq!(got.endpoint, dyno_measure::load::Endpoint::Completions);
        assert_eq!((got.load_points[0].num_requests, got.load_points[0].warmup_requests), (Some(9), Some(0)));
        let Workload::Synthetic { input_tokens, output_tokens, input_lengths, shared_prefix, .. } = got.workload else {
            panic!("prompts are made up")
        };
        assert_eq!(
            (input_tokens, output_tokens, input_lengths.unwrap().to_string()),
            (64, DEFAULT_OUTPUT, "uniform:5".to_owned())
        );
        assert!((shared_prefix - 0.5).abs() < f64::EPSILON);
    }

    #[test]
    fn loads_are_one_or_several_or_those_of_a_search() {
        let loads = |line: &str| plan(line).unwrap().load_points.into_iter().map(|point| point.load).collect::<Vec<_>>();
        let closed = |concurrency| Load::Closed { concurrency };
        assert_eq!(loads("--concurrency 8"), [closed(8)]);
        assert_eq!(loads("--concurrency 1,8"), [closed(1), closed(8)]);
        let rate = |rate| Load::Rate { rate, process: ArrivalProcess::Gamma, burstiness: 0.5, max_in_flight: 9 };
        assert_eq!(loads("--rate 2.5,5 --arrival gamma --burstiness 0.5 --max-in-flight 9"), [rate(2.5), rate(5.0)]);
        assert_eq!(loads("--search-max 64 --slo-ttft-ms 5"), [closed(64)]);
        let searched = loads("--search-max 64 --search-rate --slo-ttft-ms 5");
        assert!(matches!(searched[..], [Load::Rate { rate: 64.0, max_in_flight: 1024, .. }]), "{searched:?}");
    }

    #[test]
    fn what_does_not_go_together_or_is_no_value_is_refused() {
        for line in [
            "--rate 5 --ramp-s 2",
            "--concurrency 8 --num-requests 5 --duration-s 5",
            "--concurrency 8 --multi-turn",
            "--trace x.csv --input-lengths uniform:5",
            "--concurrency 8 --ramp-s nan",
            "--concurrency 8 --num-requests -1",
            "--concurrency 8 --endpoint images",
            "--concurrency 8 --output-lengths normal:0,1",
        ] {
            assert!(plan(line).is_none(), "{line}");
        }
    }
}
