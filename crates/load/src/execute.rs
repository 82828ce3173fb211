//! Carries a plan out, from the first look-up to the report.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::client::clock::Clock;
use crate::client::drive::Driver;
use crate::client::health::{busy_machine, invalid_reasons};
use crate::client::phase::{Ending, Limits};
use crate::client::scheduling::Priority;
use crate::client::socket::{keep_stamps_on, raise_open_files};
use crate::client::stop::Stop;
use crate::client::tls::tls_config_trusting;
use crate::engine_metrics::Scraper;
use crate::load_point_runner::LoadPointRunner;
use crate::prepare::{addresses_of, header_lines, id_prefix, metrics_of, prompts_of, targets_of, tls_of, tokens_of};
use crate::progress::Progressing;
use crate::records::RecordFile;
use crate::self_check;
use crate::tokens::Tokens;
use crate::workload::Requests;
use dyno_measure::events::Progress;
use dyno_measure::events::{LoadNews, LoadStatus};
use dyno_measure::plan::{Plan, PlannedLoad};
use dyno_measure::records::Records;
use dyno_measure::report::{Circumstances, report};
use dyno_measure::report::{Report, TokenSource};
use dyno_measure::run::RunStatus;
use dyno_measure::sidecar::Sidecar;
use dyno_measure::validity::SelfCheck;

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

/// What a load came to, before it is made a report.
pub(super) struct Measured {
    pub records: Records,
    pub ending: Ending,
    circumstances: Circumstances,
    tokens: Tokens,
}

/// Carries a plan out.
///
/// # Errors
/// When it can't be carried out at all, in words for people.
pub fn carry_out(plan: &Plan, tell: &Tell, stop: &Stop) -> Result<Outcome, String> {
    plan.check().map_err(|error| error.to_string())?;
    let _stamps = keep_stamps_on();
    let check = plan.self_check.as_ref().map(|planned| self_check::check(plan, planned, tell, stop));
    if stop.is_wished() {
        return Err("Stopped before any request was sent.".to_owned());
    }
    let measured = measure(plan, check.as_ref(), None, tell, stop)?;
    let mut made = report(&measured.records, plan, measured.circumstances);
    let (status, reason) = status_of(&measured.ending, &made);
    made.status = match status {
        LoadStatus::Ok => RunStatus::Succeeded,
        LoadStatus::Partial => RunStatus::Partial,
        LoadStatus::Failed => RunStatus::Failed,
    };
    made.provenance = provenance(plan, &measured.tokens);
    Ok(Outcome { report: made, status, reason })
}

/// Puts the plan's load on, and gives what was measured. An `authority` (PEM) is trusted instead of the usual ones.
pub(super) fn measure(
    plan: &Plan,
    check: Option<&SelfCheck>,
    authority: Option<&str>,
    tell: &Tell,
    stop: &Stop,
) -> Result<Measured, String> {
    let clock = Clock::start();
    let _stamps = keep_stamps_on();
    let files = raise_open_files();
    let most = plan.load_points.iter().map(PlannedLoad::cap).max().unwrap_or(0);
    if u64::from(most) + 32 > files {
        return Err(format!("{most} requests in flight need as many open files, and the system allows {files}."));
    }
    let secret = header_lines(plan)?;
    let tls = match authority {
        Some(authority) => {
            Some(tls_config_trusting(authority).map_err(|error| format!("The authority can't be trusted: {error}."))?)
        }
        None => tls_of(plan)?,
    };
    let addresses = addresses_of(plan).map_err(|error| error.to_string())?;
    let mut records = Records { id_prefix: id_prefix(plan), ..Records::default() };
    let targets = targets_of(plan, &addresses, &secret, tls.as_ref(), &mut records)?;
    let mut tokens = tokens_of(plan, &addresses, &targets, &secret, tls.as_ref(), tell)?;
    let mut notes: Vec<_> = tokens.template_note().into_iter().collect();
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
        retries: plan.retry_429.unwrap_or(0),
        max_error_rate: plan.max_error_rate,
        deadline: plan.deadline_unix_ns.map(|at| clock.monotonic(at)),
    };
    let told = tell.clone();
    let mut progress =
        Progressing::new(plan.most_points(), Box::new(move |snapshot: Progress| told(LoadNews::Progress(snapshot))));
    let mut requests = Requests::new(plan, prompts);
    let asked_for_usage = requests.asks_for_usage();
    let mut driver = Driver::new(targets, limits, clock, records, &mut requests, &mut progress, file.as_mut())
        .and_then(|mut driver| driver.end_with(stop).map(|()| driver))
        .map_err(|error| format!("The event loop can't be set up: {error}."))?;
    driver.wants_texts = tokens.exact();

    let each = |point: &PlannedLoad| Some(u64::from(driver.requests().planned(point.requests())?) + u64::from(point.warmup()));
    let planned = if plan.search().is_some() { None } else { plan.load_points.iter().map(each).sum() };
    tell(LoadNews::Prepared { requests: planned, tokenizer: tokens.describe(), notes: notes.clone() });
    let scraper = Scraper::start(metrics_of(plan, &addresses), &secret, tls.as_ref())
        .map_err(|error| format!("The engine's metrics can't be read: {error}."))?;
    let sidecar = Sidecar { self_check: check.cloned(), points: Vec::new() };
    let mut points = LoadPointRunner::new(plan, &tokens, tell, sidecar);
    let priority = Priority::raise();
    let ending = points.run(&mut driver, &mut notes);
    drop(priority);
    let sidecar = points.into_sidecar();
    let metrics = scraper.map(Scraper::end).unwrap_or_default();
    notes.extend(metrics.notes);

    let client = driver.health.figures(&driver.records, driver.reads(), driver.clock.largest_jump);
    notes.extend(busy_machine(&client));
    let mut circumstances = Circumstances {
        invalid: invalid_reasons(&client),
        client,
        sidecar,
        ended_early: ending != Ending::Done,
        ..Circumstances::default()
    };
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
    if driver.retried > 0 {
        notes.push(format!(
            "{} times a request was refused by status 429 and sent again: its TTFT counts from the last time it was sent.",
            driver.retried
        ));
    }
    notes.extend(driver.irregular.notes());
    if plan.insecure && tls.is_some() {
        notes.push("The server's certificate was not checked: any would have been taken.".to_owned());
    }
    if driver.requests().limit() != plan.token_limit {
        let (refused, taken) = (plan.token_limit.as_str(), driver.requests().limit().as_str());
        notes.push(format!("The server refused {refused}: the output was limited by {taken}."));
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
    circumstances.engine_metrics = metrics.series;
    Ok(Measured { records, ending, circumstances, tokens })
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
        let disproved = row.doubted && {
            let (claimed, counted) = (u64::from(row.output.unwrap_or(0)), u64::from(counted));
            claimed >= counted * 10 || counted >= claimed * 10
        };
        if row.source == Some(TokenSource::Usage) && !disproved {
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
    // Addresses of the portal's machine concern nobody who repeats the load.
    let plan = Plan { address_policy: None, ..plan.clone() };
    // a plan is plain data: this does not fail
    all.insert("plan".to_owned(), serde_json::to_value(&plan).unwrap_or_default());
    all
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use dyno_measure::plan::PlannedCheck;
    use dyno_measure::records::{GapsBuf, Row};
    use dyno_measure::report::Phase;

    /// A tokenizer that knows words between white space.
    fn tokens(folder: &std::path::Path) -> Tokens {
        let tokenizer = json!({
            "version": "1.0", "truncation": null, "padding": null, "normalizer": null, "added_tokens": [],
            "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
            "model": {"type": "WordLevel", "vocab": {"<unk>": 0, "one": 1}, "unk_token": "<unk>"}
        });
        std::fs::write(folder.join("tokenizer.json"), tokenizer.to_string()).unwrap();
        Tokens::of_file(folder).unwrap()
    }

    fn row(load_point: u32, source: TokenSource, output: u32) -> Row {
        Row { source: Some(source), output: Some(output), events: output, ..Row::new(load_point, Phase::Measured, 0, 0) }
    }

    #[test]
    fn usage_comes_before_the_tokenizer_and_that_before_events() {
        let folder = tempfile::tempdir().unwrap();
        let mut records = Records::default();
        let hidden = Row { reasoning: Some(90), ..row(1, TokenSource::Usage, 100) };
        for row in [row(0, TokenSource::Usage, 5), row(0, TokenSource::Events, 2), row(0, TokenSource::Events, 3), hidden] {
            records.push(row, &GapsBuf::default(), None);
        }
        let text = |words: usize| vec!["one"; words].join(" ").into_bytes();
        let texts = HashMap::from([(0, text(4)), (1, text(6)), (3, text(8))]);
        let mut disagreement = HashMap::new();
        assert!(count_texts(&mut records, texts, &mut tokens(folder.path()), &mut disagreement));
        let counted: Vec<_> = records.rows.iter().map(|row| (row.output.unwrap(), row.source.unwrap())).collect();
        assert_eq!(
            counted,
            [(5, TokenSource::Usage), (6, TokenSource::Tokenizer), (3, TokenSource::Events), (100, TokenSource::Usage)]
        );
        let doubted = |output| Row { doubted: true, ..row(2, TokenSource::Usage, output) };
        records.push(doubted(900), &GapsBuf::default(), None);
        records.push(doubted(50), &GapsBuf::default(), None);
        let texts = HashMap::from([(4, text(6)), (5, text(48))]);
        assert!(count_texts(&mut records, texts, &mut tokens(folder.path()), &mut HashMap::new()));
        let counted: Vec<_> = records.rows[4..].iter().map(|row| (row.output.unwrap(), row.source.unwrap())).collect();
        assert_eq!(counted, [(6, TokenSource::Tokenizer), (50, TokenSource::Usage)], "the tokenizer decides");
        // 4 against 5; 8 against the 10 that were shown
        assert_eq!(disagreement, HashMap::from([(0, 0.2), (1, 0.2)]));
    }

    #[test]
    fn a_check_that_can_not_be_carried_out_says_so_and_stops_nothing() {
        // the program that runs here is that of the tests, which is no reference engine
        let plan: Plan = serde_json::from_value(json!({
            "endpoints": [{"node": "n", "base_url": "http://127.0.0.1:9"}], "model": "m",
            "workload": {"kind": "synthetic", "input_tokens": 8, "output_tokens": 4},
            "load_points": [{"load": {"kind": "closed", "concurrency": 3}}]
        }))
        .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let told = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
        let log = told.clone();
        let tell: Tell = std::rc::Rc::new(move |news| log.borrow_mut().push(news));
        let planned = PlannedCheck { cache: Some(folder.path().to_owned()) };
        let check = self_check::check(&plan, &planned, &tell, &Stop::on_signals().unwrap());
        assert!(check.failed.as_ref().is_some_and(|why| why.starts_with("the reference engine did not start")), "{check:?}");
        assert_eq!((check.ttft_error_ms, check.itl_error_ms, check.concurrency), (None, None, 3));
        let warned =
            |news: &LoadNews| matches!(news, LoadNews::Log { line, .. } if line.starts_with("The client could not be checked"));
        assert!(told.borrow().iter().any(warned));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "it is not kept");
    }
}
