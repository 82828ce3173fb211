//! Measures a plan's load: from resolving addresses to the records.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use crate::client::clock::Clock;
use crate::client::drive::EventLoop;
use crate::client::health::{busy_machine, invalid_reasons};
use crate::client::phase::{PhaseEnd, RequestLimits};
use crate::client::scheduling::Priority;
use crate::client::socket::{keep_stamps_on, raise_open_files};
use crate::client::stop::StopSignal;
use crate::client::tls::{TlsError, tls_config_trusting};
use crate::engine_metrics::Scraper;
use crate::event_sink::EventSink;
use crate::load_point_runner::LoadPointRunner;
use crate::prepare::{
    LoadPrepareError, addresses_of, header_lines, id_prefix, metrics_of, prompts_of, targets_of, tls_of, tokens_of,
};
use crate::progress::Progressing;
use crate::records::RecordFile;
use crate::tokens::{MOST_UNANSWERED, Tokens};
use crate::workers::{WorkerOutput, WorkersError};
use crate::workload::Requests;
use dyno_measure::address::AddressError;
use dyno_measure::events::{LoadEventKind, Progress};
use dyno_measure::plan::{Part, Plan, PlannedLoad};
use dyno_measure::records::Records;
use dyno_measure::report::provenance::LoadWorkerFacts;
use dyno_measure::report::{Circumstances, Note, TokenSource};
use dyno_measure::sidecar::Sidecar;
use dyno_measure::validity::SelfCheck;

/// Longest time for tokenizing texts after a load.
const COUNTING: Duration = Duration::from_mins(1);

/// Why a load can't be measured.
#[derive(Debug, thiserror::Error)]
pub enum MeasureError {
    #[error("{needed} requests in flight need as many open files, and the system allows {allowed}.")]
    OpenFiles { needed: u32, allowed: u64 },
    #[error("The authority can't be trusted: {0}.")]
    Authority(#[source] rustls::Error),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Address(#[from] AddressError),
    #[error(transparent)]
    Prepare(#[from] LoadPrepareError),
    #[error("The record file can't be written: {0}.")]
    RecordFile(#[source] io::Error),
    #[error("The event loop can't be set up: {0}.")]
    EventLoop(#[source] io::Error),
    #[error("The engine's metrics can't be read: {0}.")]
    EngineMetrics(#[source] io::Error),
    #[error(transparent)]
    Workers(#[from] WorkersError),
}

/// The result of a load, from which the report is made.
pub(super) struct Measured {
    pub records: Records,
    pub ending: PhaseEnd,
    pub circumstances: Circumstances,
    /// How lengths were counted, in words.
    pub tokenizer: String,
    /// Where there were several.
    pub workers: Vec<LoadWorkerFacts>,
}

/// Where records go while they are made.
pub(super) enum RecordTarget {
    None,
    File(PathBuf),
    Portions(Sender<WorkerOutput>),
}

/// A part of a plan, and how it is measured.
pub(super) struct PartSetting<'a> {
    pub part: Part,
    /// Begins each request's id.
    pub id_prefix: String,
    /// The only certificate authority (PEM) that is trusted, where given.
    pub authority: Option<&'a str>,
    pub records: RecordTarget,
}

/// Runs the plan's load. `authority` (PEM), where given, is the only certificate authority that is trusted.
pub(super) fn measure(
    plan: &Plan,
    check: Option<&SelfCheck>,
    authority: Option<&str>,
    emit: &EventSink,
    stop: &StopSignal,
) -> Result<Measured, MeasureError> {
    let records = plan.requests.clone().map_or(RecordTarget::None, RecordTarget::File);
    let setting = PartSetting { part: Part::WHOLE, id_prefix: id_prefix(plan), authority, records };
    measure_part(plan, setting, emit, stop, |driver, tokens, notes| {
        let sidecar = Sidecar { self_check: check.cloned(), points: Vec::new() };
        let mut points = LoadPointRunner::new(plan, tokens.knows_template(), emit, sidecar);
        let ending = points.run(driver, notes);
        (ending, points.into_sidecar())
    })
}

/// Prepares a part of the plan's load, has `drive` carry its phases out, and takes up what was measured.
pub(super) fn measure_part(
    plan: &Plan,
    setting: PartSetting<'_>,
    emit: &EventSink,
    stop: &StopSignal,
    drive: impl FnOnce(&mut EventLoop<'_>, &Tokens, &mut Vec<String>) -> (PhaseEnd, Sidecar),
) -> Result<Measured, MeasureError> {
    let PartSetting { part, id_prefix, authority, records: target } = setting;
    let clock = Clock::start();
    let _stamps = keep_stamps_on();
    let allowed = raise_open_files();
    let needed = part.share(plan.load_points.iter().map(PlannedLoad::cap).max().unwrap_or(0));
    if u64::from(needed) + 32 > allowed {
        return Err(MeasureError::OpenFiles { needed, allowed });
    }
    let secret = header_lines(plan)?;
    let tls = match authority {
        Some(authority) => Some(tls_config_trusting(authority).map_err(MeasureError::Authority)?),
        None => tls_of(plan)?,
    };
    let addresses = addresses_of(plan)?;
    let mut records = Records { id_prefix, ..Records::default() };
    let targets = targets_of(plan, &addresses, &secret, tls.as_ref(), &mut records)?;
    let mut tokens = tokens_of(plan, &addresses, &targets, &secret, tls.as_ref(), emit)?;
    let mut notes: Vec<_> = tokens.template_note().into_iter().collect();
    let prompts = prompts_of(plan, &mut tokens, stop, &mut notes)?;
    let mut file = match target {
        RecordTarget::None => None,
        RecordTarget::File(path) => Some(RecordFile::create(&path).map_err(MeasureError::RecordFile)?),
        RecordTarget::Portions(portions) => Some(RecordFile::in_portions(portions)),
    };
    if plan.load_points.iter().any(|point| (point.cap() as usize) < targets.len()) {
        notes.push("There are fewer requests in flight than endpoints: some endpoints get none.".to_owned());
    }

    let limits = RequestLimits {
        stall: (plan.stall_timeout_s * 1e9) as i64,
        total: (plan.timeout_s * 1e9) as i64,
        retries: plan.retry_429.unwrap_or(0),
        max_error_rate: plan.max_error_rate,
        deadline: plan.deadline_unix_ns.map(|at| clock.monotonic(at)),
    };
    let sink = emit.clone();
    let mut progress = Progressing::new(
        plan.most_points(),
        Box::new(move |snapshot: Progress| sink(LoadEventKind::Progress(Box::new(snapshot)))),
    );
    let mut requests = Requests::new(plan, prompts);
    let asked_for_usage = requests.asks_for_usage();
    let mut driver = EventLoop::new(targets, limits, clock, records, &mut requests, &mut progress, file.as_mut())
        .and_then(|mut driver| driver.end_with(stop).map(|()| driver))
        .map_err(MeasureError::EventLoop)?;
    driver.wants_texts = tokens.exact();

    let each = |point: &PlannedLoad| Some(u64::from(driver.requests().planned(point.requests())?) + u64::from(point.warmup()));
    let planned = if plan.search().is_some() { None } else { plan.load_points.iter().map(each).sum() };
    emit(LoadEventKind::Prepared { requests: planned, tokenizer: tokens.describe(), notes: notes.clone() });
    let scraper = Scraper::start(metrics_of(plan, &addresses), &secret, tls.as_ref()).map_err(MeasureError::EngineMetrics)?;
    let priority = Priority::raise();
    let (ending, sidecar) = drive(&mut driver, &tokens, &mut notes);
    let precedence = priority.precedence();
    drop(priority);
    let metrics = scraper.map(Scraper::end).unwrap_or_default();
    notes.extend(metrics.notes);

    let client = driver.health.figures(&driver.records, driver.reads(), driver.clock.largest_jump);
    notes.extend(busy_machine(&client, precedence));
    let mut circumstances = Circumstances {
        invalid: invalid_reasons(&client),
        client,
        sidecar,
        ended_early: ending != PhaseEnd::Done,
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
        let (refused, taken) = (plan.token_limit.into_str(), driver.requests().limit().into_str());
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
        file.rewrite(&records).map_err(MeasureError::RecordFile)?;
    }
    circumstances.notes = notes.into_iter().map(Note::from).collect();
    circumstances.engine_metrics = metrics.series;
    Ok(Measured { records, ending, circumstances, tokenizer: tokens.describe(), workers: Vec::new() })
}

/// Tokenizes the kept texts. Where the engine gave no count, this is the count; elsewhere it shows how far the two disagree.
/// Returns whether a record changed.
fn count_texts(
    records: &mut Records,
    texts: HashMap<usize, Vec<u8>>,
    tokens: &mut Tokens,
    disagreement: &mut HashMap<u32, f64>,
) -> bool {
    let begun = Instant::now();
    let mut compared: HashMap<u32, (u64, u64)> = HashMap::new();
    let mut changed = false;
    let mut unanswered = 0;
    for (index, text) in texts {
        if begun.elapsed() > COUNTING || unanswered == MOST_UNANSWERED {
            break;
        }
        let row = &mut records.rows[index];
        let text = String::from_utf8_lossy(&text);
        let counted = tokens.text(&text, false);
        unanswered = if counted.is_some() { 0 } else { unanswered + 1 };
        let Some(counted) = counted.filter(|counted| *counted > 0) else { continue };
        let disproved = row.doubted && {
            let (claimed, counted) = (u64::from(row.output.unwrap_or(0)), u64::from(counted));
            claimed >= counted * 10 || counted >= claimed * 10
        };
        if row.source == Some(TokenSource::Usage) && !disproved {
            // reasoning that was not streamed is not in the text
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fetch::Fetch;
    use dyno_measure::address::Address;
    use dyno_measure::records::{GapsBuf, Row};
    use dyno_measure::report::Phase;

    /// A tokenizer with one token per word between white space.
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
    fn an_engine_that_is_gone_is_not_asked_for_every_text() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = Address::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let asked = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let seen = std::sync::Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                drop(stream);
                seen.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            }
        });
        let mut records = Records::default();
        let texts: HashMap<usize, Vec<u8>> = (0..50).map(|index| (index, b"one".to_vec())).collect();
        for _ in 0..50 {
            records.push(row(0, TokenSource::Events, 1), &GapsBuf::default(), None);
        }
        let fetch = Fetch::new(address, String::new(), None, Duration::from_secs(5));
        let mut tokens = Tokens::LlamaCpp(Box::new(fetch), String::new());
        assert!(!count_texts(&mut records, texts, &mut tokens, &mut HashMap::new()));
        let asked = asked.load(std::sync::atomic::Ordering::SeqCst);
        assert!((1..=2 * MOST_UNANSWERED as usize).contains(&asked), "asked {asked} times");
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
        // 4 tokens against 5; 8 against the 10 that were shown
        assert_eq!(disagreement, HashMap::from([(0, 0.2), (1, 0.2)]));
    }
}
