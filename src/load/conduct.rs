//! Carries a plan out, from the first look-up to the report.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::client::clock::Clock;
use super::client::drive::Driver;
use super::client::health::invalid_reasons;
use super::client::link::{keep_stamps_on, raise_open_files};
use super::client::phase::{Ending, Limits, PhasePlan};
use super::client::stop::Stop;
use super::event::{LoadNews, LoadStatus};
use super::plan::{Load, Plan, PlannedLoad};
use super::prepare::{addresses_of, id_prefix, prompts_of, secret_of, targets_of, tls_of, tokens_of};
use super::progress::Progressing;
use super::record::{RecordFile, Records};
use super::report::{Circumstances, load_point_figures, report};
use super::tokens::Tokens;
use super::workload::{Prompts, Requests};
use crate::domain::event::Progress;
use crate::domain::report::{Phase, Report, TokenSource};
use crate::domain::run::RunStatus;

/// How long texts are counted after a load.
const COUNTING: Duration = Duration::from_mins(1);

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
    let addresses = addresses_of(plan)?;
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

    let planned = plan
        .load_points
        .iter()
        .map(|point| Some(u64::from(driver.requests().planned(point.requests())?) + u64::from(point.warmup())))
        .sum();
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
    if driver.compressed > 0 {
        notes.push(format!(
            "{} answers came compressed though the requests asked for plain ones: their events count from when they could be read.",
            driver.compressed
        ));
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
            Load::Trace { max_in_flight, .. } => max_in_flight.min(64),
        };
        let opened = driver.open(connections);
        if opened != Ending::Done {
            return opened;
        }
        let ramp = match point.load {
            Load::Closed { concurrency } => (plan.ramp_of(concurrency) * 1e9) as i64,
            Load::Rate { .. } | Load::Trace { .. } => 0,
        };
        // a trace's own times are for the measurement
        let warmup_load = match point.load {
            Load::Trace { max_in_flight, .. } => Load::Closed { concurrency: max_in_flight.min(point.warmup()).max(1) },
            _ => point.load.clone(),
        };
        let seed = plan.seed.wrapping_mul(1_000_003).wrapping_add(u64::from(number));
        let phase = PhasePlan {
            load_point: number,
            phase: Phase::Warmup,
            load: &warmup_load,
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
        let count = driver.requests().planned(point.requests());
        let duration = point.duration_s.map(|seconds| (seconds * 1e9) as i64);
        let phase =
            PhasePlan { phase: Phase::Measured, load: &point.load, count, duration, seed, first_prompt: measured, ..phase };
        let ending = driver.run(&phase);
        measured += u64::from(driver.issued());
        tell(LoadNews::LoadPointEnd { load_point: number, figures: Box::new(load_point_figures(&driver.records, plan, number)) });
        if ending != Ending::Done {
            return ending;
        }
    }
    if let Prompts::Turns(turns) = &driver.requests().prompts
        && turns.begun() > turns.len() as u64
    {
        notes.push(format!("Conversations were repeated: {} were begun, the datasets have {}.", turns.begun(), turns.len()));
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
        if begun.elapsed() > COUNTING {
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
