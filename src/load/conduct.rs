//! Carries a plan out, from the first look-up to the report.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use rustls::pki_types::ServerName;

use super::address::Address;
use super::client::clock::Clock;
use super::client::drive::{Driver, Ending, Limits, PhasePlan, Target};
use super::client::health::invalid_reasons;
use super::client::link::{keep_stamps_on, raise_open_files, tls_config};
use super::client::stop::Stop;
use super::event::{LoadNews, LoadStatus};
use super::fetch::Fetch;
use super::plan::{Load, Plan, PlannedLoad, TokenizerChoice, Workload};
use super::progress::Progressing;
use super::record::{RecordFile, Records};
use super::report::{Circumstances, load_point_figures, report};
use super::tokens::Tokens;
use super::workload::{Dataset, Prompts, Requests, Wanted, fit};
use crate::domain::benchmark::Endpoint;
use crate::domain::event::{LogLevel, Progress};
use crate::domain::provider::AuthHeader;
use crate::domain::report::{Phase, Report, TokenSource};
use crate::domain::run::RunStatus;

/// What came of a plan.
#[derive(Debug)]
pub struct Outcome {
    /// The report.
    pub report: Report,
    /// How the load ended.
    pub status: LoadStatus,
    /// Why, for any end other than ok.
    pub reason: Option<String>,
}

/// Whoever is told what happens.
pub type Tell = std::rc::Rc<dyn Fn(LoadNews)>;

/// Carries a plan out.
///
/// # Errors
/// When it can't be carried out at all, in words for people.
pub fn carry_out(plan: &Plan, tell: &Tell, stop: &Stop) -> Result<Outcome, String> {
    plan.check()?;
    let clock = Clock::start();
    let _stamps = keep_stamps_on();
    let files = raise_open_files();
    let most = plan.load_points.iter().map(PlannedLoad::cap).max().unwrap_or(0);
    if u64::from(most) + 32 > files {
        return Err(format!("{most} requests in flight need as many open files, and the system allows {files}."));
    }
    let mut notes = Vec::new();
    let secret = secret_of(plan)?;
    let tls = tls_of(plan)?;
    let addresses = plan.endpoints.iter().map(|endpoint| Address::parse(&endpoint.base_url)).collect::<Result<Vec<_>, _>>()?;
    let mut records = Records { id_prefix: id_prefix(plan), ..Records::default() };
    let targets = targets_of(plan, &addresses, &secret, tls.as_ref(), &mut records)?;
    let mut tokens = tokens_of(plan, &addresses, &targets, &secret, tls.as_ref(), tell)?;
    let prompts = prompts_of(plan, &mut tokens, stop, &mut notes)?;
    let mut file = plan
        .requests
        .as_ref()
        .map(|path| RecordFile::create(path))
        .transpose()
        .map_err(|error| format!("The record file can't be written: {error}."))?;
    if plan.load_points.iter().any(|point| (point.cap() as usize) < targets.len()) {
        notes.push("There are fewer requests in flight than endpoints: some endpoints get none.".to_owned());
    }

    let limits = Limits {
        stall: (plan.stall_timeout_s * 1e9) as i64,
        total: (plan.timeout_s * 1e9) as i64,
        deadline: plan.deadline_unix_ns.map(|at| clock.monotonic(at)),
    };
    let told = tell.clone();
    let points = u32::try_from(plan.load_points.len()).unwrap_or(u32::MAX);
    let mut progress = Progressing::new(points, Box::new(move |snapshot: Progress| told(LoadNews::Progress(snapshot))));
    let mut requests = Requests::new(plan, prompts);
    let asked_for_usage = requests.asks_for_usage();
    let mut driver = Driver::new(targets, limits, clock, records, &mut requests, &mut progress, file.as_mut())
        .and_then(|mut driver| driver.end_with(stop).map(|()| driver))
        .map_err(|error| format!("The event loop can't be set up: {error}."))?;
    driver.wants_texts = tokens.exact();

    let planned = plan.load_points.iter().map(|point| Some(u64::from(point.requests()?) + u64::from(point.warmup()))).sum();
    tell(LoadNews::Prepared { requests: planned, tokenizer: tokens.describe(), notes: notes.clone() });
    let ending = run_points(plan, &mut driver, &tokens, tell, &mut notes);

    let client = driver.health.figures(&driver.records, driver.reads(), driver.clock.largest_jump);
    let mut circumstances = Circumstances { invalid: invalid_reasons(&client), client, ..Circumstances::default() };
    let (reads, unstamped) = driver.reads();
    if unstamped > 0 {
        let note =
            format!("{unstamped} of {reads} reads came without the kernel's receive time: theirs was taken after the read.");
        notes.push(note);
    }
    if driver.abandoned > 0 {
        notes.push(format!("{} requests were in flight when the load was ended: they count nowhere.", driver.abandoned));
    }
    if asked_for_usage && !driver.requests().asks_for_usage() {
        notes.push("The server refused to be asked for usage (stream_options).".to_owned());
    }
    if let Some(error) = driver.file_error.take() {
        circumstances.invalid.push(format!("The record file could not be written: {error}."));
    }
    let texts = std::mem::take(&mut driver.texts);
    let mut records = std::mem::take(&mut driver.records);
    drop(driver);
    let counted = count_texts(&mut records, texts, &mut tokens, &mut circumstances.disagreement);
    if counted && let Some(file) = file.take() {
        file.rewrite(&records).map_err(|error| format!("The record file can't be written: {error}."))?;
    }
    circumstances.notes = notes;
    let mut made = report(&records, plan, circumstances);
    let (status, reason) = status_of(&ending, &made);
    made.status = match status {
        LoadStatus::Ok => RunStatus::Succeeded,
        LoadStatus::Partial => RunStatus::Partial,
        LoadStatus::Failed => RunStatus::Failed,
    };
    made.provenance = provenance(plan, &tokens);
    Ok(Outcome { report: made, status, reason })
}

/// Each load point, its warm-up first.
fn run_points(plan: &Plan, driver: &mut Driver<'_>, tokens: &Tokens, tell: &Tell, notes: &mut Vec<String>) -> Ending {
    let (mut warmups, mut measured) = (0, 0);
    for (number, point) in (0_u32..).zip(&plan.load_points) {
        let connections = match point.load {
            Load::Closed { concurrency } => concurrency.min(point.requests().unwrap_or(u32::MAX).max(point.warmup())),
            Load::Rate { rate, max_in_flight, .. } => max_in_flight.min((rate.ceil() as u32).max(16)),
        };
        let opened = driver.open(connections);
        if opened != Ending::Done {
            return opened;
        }
        let ramp = match point.load {
            Load::Closed { concurrency } => (plan.ramp_of(concurrency) * 1e9) as i64,
            Load::Rate { .. } => 0,
        };
        let seed = plan.seed.wrapping_mul(1_000_003).wrapping_add(u64::from(number));
        let phase = PhasePlan {
            load_point: number,
            phase: Phase::Warmup,
            load: &point.load,
            count: Some(point.warmup()),
            duration: None,
            ramp,
            seed: seed ^ 0xA5A5,
            first_prompt: warmups,
        };
        let rest_of_plan = plan.load_points.len() as f64 - f64::from(number) - 1.0;
        if point.warmup() > 0 {
            let per_warmup = f64::from(point.requests().unwrap_or(0)) / f64::from(point.warmup());
            driver.progress().set_after(per_warmup + rest_of_plan * (per_warmup + 1.0));
            let before = driver.records.rows.len();
            let ending = driver.run(&phase);
            warmups += u64::from(driver.issued());
            if ending != Ending::Done {
                return ending;
            }
            calibrate(driver, before, tokens, notes);
        }
        driver.progress().set_after(rest_of_plan);
        let duration = point.duration_s.map(|seconds| (seconds * 1e9) as i64);
        let phase =
            PhasePlan { phase: Phase::Measured, count: point.requests(), duration, seed, first_prompt: measured, ..phase };
        let ending = driver.run(&phase);
        measured += u64::from(driver.issued());
        tell(LoadNews::LoadPointEnd { load_point: number, figures: Box::new(load_point_figures(&driver.records, plan, number)) });
        if ending != Ending::Done {
            return ending;
        }
    }
    if let Prompts::Dataset(dataset) = &driver.requests().prompts
        && measured > dataset.len() as u64
    {
        notes.push(format!("Rows of the datasets were repeated: {measured} requests, {} rows.", dataset.len()));
    }
    Ending::Done
}

/// What the engine counted in the warm-up shows whether prompts are as long as they should be: a constant difference is
/// made up for; where lengths are estimates, the mean one is.
fn calibrate(driver: &mut Driver<'_>, first: usize, tokens: &Tokens, notes: &mut Vec<String>) {
    let rows = driver.records.rows[first..].iter();
    let off: Vec<i64> = rows.filter_map(|row| Some(i64::from(row.input?) - i64::from(row.requested_input?))).collect();
    let (Some(least), Some(most)) = (off.iter().min(), off.iter().max()) else { return };
    let (least, most) = (*least, *most);
    if least == 0 && most == 0 || tokens.knows_template() && least != most {
        return;
    }
    let mean = (off.iter().sum::<i64>() as f64 / off.len() as f64).round() as i64;
    if mean == 0 {
        return;
    }
    if let Prompts::Synthetic(synthetic) = &mut driver.requests().prompts {
        synthetic.shift(-mean);
        notes.push(format!(
            "Prompts were made {} tokens {} after the warm-up, by the engine's own count.",
            mean.abs(),
            if mean > 0 { "shorter" } else { "longer" }
        ));
    }
}

fn secret_of(plan: &Plan) -> Result<String, String> {
    let Some(auth) = &plan.auth else { return Ok(String::new()) };
    let secret =
        std::env::var(&auth.api_key_env).map_err(|_| format!("The environment variable {} is not set.", auth.api_key_env))?;
    let secret = secret.trim();
    if secret.is_empty() || secret.bytes().any(|byte| !(0x20..0x7F).contains(&byte)) {
        return Err(format!("The environment variable {} holds no usable key.", auth.api_key_env));
    }
    Ok(match auth.header {
        AuthHeader::Bearer => format!("authorization: Bearer {secret}\r\n"),
        AuthHeader::ApiKey => format!("api-key: {secret}\r\n"),
    })
}

fn tls_of(plan: &Plan) -> Result<Option<Arc<ClientConfig>>, String> {
    let needed = plan.endpoints.iter().any(|endpoint| endpoint.base_url.starts_with("https://"));
    if needed { tls_config().map(Some).map_err(|error| format!("TLS can't be set up: {error}.")) } else { Ok(None) }
}

/// Short, and different for every run, since the same id twice would mix two runs up in an engine's log.
fn id_prefix(plan: &Plan) -> String {
    let id = if plan.run_id.is_nil() { uuid::Uuid::new_v4() } else { plan.run_id };
    let text = id.simple().to_string();
    // the end of the id: its beginning is the time
    format!("dyno-{}", &text[20..])
}

fn targets_of(
    plan: &Plan,
    addresses: &[Address],
    secret: &str,
    tls: Option<&Arc<ClientConfig>>,
    records: &mut Records,
) -> Result<Vec<Target>, String> {
    let call = match plan.endpoint {
        Endpoint::Chat => "chat/completions",
        Endpoint::Completions => "completions",
        Endpoint::Embeddings => "embeddings",
    };
    let accept = if plan.endpoint == Endpoint::Embeddings { "application/json" } else { "text/event-stream" };
    let mut targets = Vec::new();
    for (endpoint, address) in plan.endpoints.iter().zip(addresses) {
        let node = records.nodes.iter().position(|node| *node == endpoint.node).unwrap_or_else(|| {
            records.nodes.push(endpoint.node.clone());
            records.nodes.len() - 1
        });
        let (resolved, dns_error) = match address.resolve() {
            Ok(found) if !found.is_empty() => (found, None),
            Ok(_) => (Vec::new(), Some(format!("the name {} has no address", address.host))),
            Err(error) => (Vec::new(), Some(format!("the name {} did not resolve: {error}", address.host))),
        };
        let tls = match (address.tls, tls) {
            (true, Some(config)) => {
                let name =
                    ServerName::try_from(address.host.clone()).map_err(|_| format!("{} is no name for TLS.", address.host))?;
                Some((config.clone(), name))
            }
            _ => None,
        };
        let head = format!(
            "POST {}/{call} HTTP/1.1\r\nhost: {}\r\nuser-agent: dyno/{}\r\ncontent-type: application/json\r\naccept: {accept}\r\naccept-encoding: identity\r\n{secret}x-request-id: ",
            address.base_path,
            address.host_header(),
            env!("CARGO_PKG_VERSION"),
        );
        targets.push(Target {
            node: u16::try_from(node).map_err(|_| "The plan names too many endpoints.".to_owned())?,
            addresses: resolved,
            dns_error,
            tls,
            head: head.into_bytes(),
            chosen: 0,
            answered: false,
            failures: 0,
            failing_since: 0,
            next_probe: 0,
        });
    }
    Ok(targets)
}

fn tokens_of(
    plan: &Plan,
    addresses: &[Address],
    targets: &[Target],
    secret: &str,
    tls: Option<&Arc<ClientConfig>>,
    tell: &Tell,
) -> Result<Tokens, String> {
    match &plan.tokenizer {
        TokenizerChoice::None => Ok(Tokens::Estimate),
        TokenizerChoice::File { path } => Tokens::of_file(path),
        TokenizerChoice::Engine => {
            let Some(address) =
                addresses.iter().zip(targets).find(|(_, target)| !target.addresses.is_empty()).map(|(address, _)| address)
            else {
                return Ok(Tokens::Estimate);
            };
            let root = address.root_path().to_owned();
            let tls = if address.tls { tls.cloned() } else { None };
            let fetch = Fetch::new(address.clone(), secret.to_owned(), tls, Duration::from_secs(5));
            let tokens = Tokens::of_engine(fetch, &root, &plan.model);
            if !tokens.exact() {
                let line = "The server has no tokenize call: lengths are estimates until its own counts are known.".to_owned();
                tell(LoadNews::Log { level: LogLevel::Info, line });
            }
            Ok(tokens)
        }
    }
}

fn prompts_of(plan: &Plan, tokens: &mut Tokens, stop: &Stop, notes: &mut Vec<String>) -> Result<Prompts, String> {
    let sum = |count: fn(&PlannedLoad) -> Option<u32>| {
        plan.load_points.iter().map(|point| count(point).map(u64::from)).sum::<Option<u64>>()
    };
    match &plan.workload {
        Workload::Synthetic { input_tokens, output_tokens, shared_prefix } => {
            let wanted = Wanted {
                input: *input_tokens,
                output: *output_tokens,
                shared: *shared_prefix,
                seed: plan.seed,
                endpoint: plan.endpoint,
                prompts: [sum(|point| Some(point.warmup())), sum(PlannedLoad::requests)],
                budget: Duration::from_secs(20),
            };
            let (synthetic, said) = fit(wanted, tokens, &|| stop.is_wished())?;
            notes.extend(said);
            if *shared_prefix > 0.0 {
                notes.push(format!("Prompts share {:.0} % of their words as a prefix.", shared_prefix * 100.0));
            }
            Ok(Prompts::Synthetic(synthetic))
        }
        Workload::Dataset { files, max_output_tokens } => {
            let (dataset, said) = Dataset::read(files, *max_output_tokens, plan.seed, sum(PlannedLoad::requests), tokens)?;
            notes.extend(said);
            Ok(Prompts::Dataset(dataset))
        }
    }
}

/// Counts kept texts: where the engine gave no count that is the count, elsewhere it shows how far the two disagree. Says
/// whether a record changed.
fn count_texts(
    records: &mut Records,
    texts: HashMap<usize, Vec<u8>>,
    tokens: &mut Tokens,
    disagreement: &mut HashMap<u32, f64>,
) -> bool {
    let begun = Instant::now();
    let mut compared: HashMap<u32, (u64, u64)> = HashMap::new();
    let mut changed = false;
    for (index, text) in texts {
        if begun.elapsed() > Duration::from_secs(60) {
            break;
        }
        let row = &mut records.rows[index];
        let text = String::from_utf8_lossy(&text);
        let Some(counted) = tokens.text(&text, false).filter(|counted| *counted > 0) else { continue };
        if row.source == Some(TokenSource::Usage) {
            // reasoning that was not streamed is in no text
            let hidden = if row.reasoning_streamed { 0 } else { row.reasoning.unwrap_or(0) };
            let sums = compared.entry(row.load_point).or_default();
            sums.0 += u64::from(row.output.unwrap_or(0).saturating_sub(hidden));
            sums.1 += u64::from(counted);
        } else {
            row.output = Some(counted);
            row.source = Some(TokenSource::Tokenizer);
            changed = true;
        }
    }
    for (load_point, (usage, counted)) in compared {
        if usage > 0 {
            disagreement.insert(load_point, (usage as f64 - counted as f64).abs() / usage as f64);
        }
    }
    changed
}

fn status_of(ending: &Ending, report: &Report) -> (LoadStatus, Option<String>) {
    let succeeded = report.load_points.iter().any(|point| point.summary.successful_requests > 0);
    match ending {
        Ending::Done if succeeded => (LoadStatus::Ok, None),
        Ending::Done => {
            let example = report
                .error_examples
                .first()
                .map(|example| format!(" The first error: {} ({}).", example.message, example.class.as_str()));
            (LoadStatus::Failed, Some(format!("No request succeeded.{}", example.unwrap_or_default())))
        }
        Ending::Stopped(reason) | Ending::Gone(reason) => {
            (if succeeded { LoadStatus::Partial } else { LoadStatus::Failed }, Some(reason.clone()))
        }
    }
}

fn provenance(plan: &Plan, tokens: &Tokens) -> serde_json::Map<String, serde_json::Value> {
    let mut all = serde_json::Map::new();
    all.insert("dyno_version".to_owned(), env!("CARGO_PKG_VERSION").into());
    all.insert("seed".to_owned(), plan.seed.into());
    all.insert("model".to_owned(), plan.model.clone().into());
    all.insert("tokenizer".to_owned(), tokens.describe().into());
    // a plan is plain data: this does not fail
    all.insert("plan".to_owned(), serde_json::to_value(plan).unwrap_or_default());
    all
}
