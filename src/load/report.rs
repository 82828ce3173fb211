//! The report out of the records: by the process itself at its end, or by whoever finds the records of one that was
//! killed.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use super::plan::{Load, Plan, PlannedLoad};
use super::record::{Records, read_folder_file};
use super::stats::series::series;
use super::stats::summary::{Scope, littles_law, meets_slo, summarise};
use crate::domain::report::{ClientHealth, ErrorClass, ErrorExample, LoadPoint, NodeReport, Phase, Report, Summary, TokenSource};
use crate::domain::run::{RunKind, RunStatus};

/// What the process knows beside the records.
#[derive(Debug, Clone, Default)]
pub struct Circumstances {
    /// How the client did.
    pub client: ClientHealth,
    /// What a reader should know.
    pub notes: Vec<String>,
    /// Why the figures can't be trusted.
    pub invalid: Vec<String>,
    /// Largest relative difference between token sources, by load point.
    pub disagreement: HashMap<u32, f64>,
}

/// Makes the report. Status and provenance are the caller's to fill in: it stands as succeeded, or failed where no request
/// succeeded.
pub fn report(records: &Records, plan: &Plan, mut circumstances: Circumstances) -> Report {
    let mut load_points = Vec::new();
    let mut all_series = Vec::new();
    // load points that were never begun are not in the report
    let begun = records.rows.iter().map(|row| row.load_point + 1).max().unwrap_or(1);
    for (number, planned) in (0..begun).zip(&plan.load_points) {
        load_points.push(load_point_of(records, plan, number, planned, circumstances.disagreement.get(&number).copied()));
        let rows = measured_rows(records, number);
        let scope = Scope { records, rows: &rows, load: Some(&planned.load), slo: plan.slo.as_ref() };
        let warmup = records.rows.iter().filter(|row| row.phase == Phase::Warmup && row.load_point == number);
        all_series.push(series(&scope, warmup.filter_map(|row| row.sent).min()));
    }
    let best = best_of(&load_points);
    let summary = load_points.get(best).map(|point| point.summary.clone()).unwrap_or_default();
    let nodes = nodes_of(records, plan, u32::try_from(best).unwrap_or(0));
    circumstances.client.littles_law_ratio = littles_law(&summary);
    judge(&load_points, &mut circumstances);
    let succeeded = load_points.iter().any(|point| point.summary.successful_requests > 0);
    if !succeeded {
        circumstances.invalid.push("No request succeeded.".to_owned());
    }
    Report {
        run_id: plan.run_id,
        kind: RunKind::Measured,
        status: if succeeded { RunStatus::Succeeded } else { RunStatus::Failed },
        valid: circumstances.invalid.is_empty(),
        invalid_reasons: circumstances.invalid,
        notes: circumstances.notes,
        summary,
        load_points,
        best,
        nodes,
        series: all_series,
        error_examples: examples(records),
        provenance: serde_json::Map::new(),
        self_check: None,
        search: None,
        engine_metrics: Vec::new(),
        client: circumstances.client,
    }
}

/// The figures of one load point, as far as it went.
pub fn load_point_figures(records: &Records, plan: &Plan, number: u32) -> LoadPoint {
    match plan.load_points.get(number as usize) {
        Some(planned) => load_point_of(records, plan, number, planned, None),
        None => LoadPoint { concurrency: None, rate: None, meets_slo: None, summary: Summary::default() },
    }
}

fn load_point_of(records: &Records, plan: &Plan, number: u32, planned: &PlannedLoad, disagreement: Option<f64>) -> LoadPoint {
    let rows = measured_rows(records, number);
    let scope = Scope { records, rows: &rows, load: Some(&planned.load), slo: plan.slo.as_ref() };
    let mut summary = summarise(&scope);
    summary.token_disagreement = disagreement;
    let (concurrency, rate) = match planned.load {
        Load::Closed { concurrency } => (Some(concurrency), None),
        Load::Rate { rate, .. } => (None, Some(rate)),
        // the mean rate of its arrivals
        Load::Trace { .. } => (None, summary.requested_rate),
    };
    let meets_slo = plan.slo.as_ref().and_then(|slo| meets_slo(&scope, &summary, slo));
    LoadPoint { concurrency, rate, meets_slo, summary }
}

fn measured_rows(records: &Records, load_point: u32) -> Vec<usize> {
    select(records, |row| row.phase == Phase::Measured && row.load_point == load_point)
}

/// The report of the records in a run's folder, whatever became of the process that wrote them; nothing where there is
/// no record of a measured request.
///
/// # Errors
/// When files are there and can't be read.
pub fn from_folder(folder: &Path, plan: &Plan) -> io::Result<Option<Report>> {
    let path = match &plan.requests {
        Some(path) if path.is_absolute() => path.clone(),
        Some(path) => path.file_name().map_or_else(|| folder.join("requests.ndjson"), |name| folder.join(name)),
        None => folder.join("requests.ndjson"),
    };
    let Some(records) = read_folder_file(&path)? else { return Ok(None) };
    if !records.rows.iter().any(|row| row.phase == Phase::Measured) {
        return Ok(None);
    }
    let notes =
        vec!["The load process ended before it wrote its report: these are the requests that had ended by then.".to_owned()];
    Ok(Some(report(&records, plan, Circumstances { notes, ..Circumstances::default() })))
}

fn select(records: &Records, which: impl Fn(&super::record::Row) -> bool) -> Vec<usize> {
    (0..records.rows.len()).filter(|index| which(&records.rows[*index])).collect()
}

/// The load point that lists show: of those that meet the limits (of all, where none was given) the one with the
/// greatest output throughput; where none meets them, the one with the greatest goodput.
fn best_of(points: &[LoadPoint]) -> usize {
    let by = |key: fn(&Summary) -> Option<f64>, which: &dyn Fn(&LoadPoint) -> bool| {
        let candidates = points.iter().enumerate().filter(|(_, point)| which(point));
        candidates
            .filter_map(|(index, point)| Some((index, key(&point.summary)?)))
            .max_by(|a, b| a.1.total_cmp(&b.1))
            .map(|(index, _)| index)
    };
    let throughput = |summary: &Summary| summary.output_throughput.or(summary.request_throughput);
    let with_limits = points.iter().any(|point| point.summary.goodput.is_some());
    if with_limits {
        return by(throughput, &|point| point.meets_slo == Some(true))
            .or_else(|| by(|summary| summary.goodput, &|_| true))
            .unwrap_or(0);
    }
    by(throughput, &|_| true).unwrap_or(0)
}

fn nodes_of(records: &Records, plan: &Plan, load_point: u32) -> Vec<NodeReport> {
    let mut names: Vec<&str> = plan.endpoints.iter().map(|endpoint| endpoint.node.as_str()).collect();
    names.dedup();
    let mut seen = std::collections::HashSet::new();
    names.retain(|name| seen.insert(*name));
    let of = |name: &str| {
        select(records, |row| {
            row.phase == Phase::Measured
                && row.load_point == load_point
                && records.nodes.get(usize::from(row.node)).is_some_and(|node| node == name)
        })
    };
    names
        .into_iter()
        .map(|name| {
            let rows = of(name);
            let summary = summarise(&Scope { records, rows: &rows, load: None, slo: plan.slo.as_ref() });
            NodeReport { hostname: name.to_owned(), summary }
        })
        .collect()
}

/// Up to three of each class.
fn examples(records: &Records) -> Vec<ErrorExample> {
    let mut counts: HashMap<ErrorClass, u32> = HashMap::new();
    let mut examples = Vec::new();
    for (index, row) in records.rows.iter().enumerate() {
        let (Some(class), Phase::Measured) = (row.error, row.phase) else { continue };
        let count = counts.entry(class).or_default();
        *count += 1;
        if *count <= 3 {
            let record = records.record(index);
            examples.push(ErrorExample {
                class,
                http_status: record.http_status,
                message: record.error.unwrap_or_default(),
                request_id: record.id,
            });
        }
    }
    examples
}

/// What the figures themselves say about how far they can be trusted.
fn judge(points: &[LoadPoint], circumstances: &mut Circumstances) {
    for (number, point) in points.iter().enumerate() {
        let of = if points.len() > 1 { format!(" (load point {})", number + 1) } else { String::new() };
        let summary = &point.summary;
        if let Some(lag) = &summary.schedule_lag_ms
            && lag.p99 > 5.0
        {
            circumstances.invalid.push(format!("The client sent late: schedule lag p99 is {:.1} ms, over 5 ms{of}.", lag.p99));
        }
        if let Some(share) = summary.token_disagreement.filter(|share| *share > 0.1) {
            circumstances.notes.push(format!("Token sources disagree by {:.0} %{of}.", share * 100.0));
        }
        if summary.token_source == Some(TokenSource::Events) {
            circumstances.notes.push(format!(
                "Output tokens are estimates: neither usage nor a tokenizer was there, so content events were counted{of}."
            ));
        }
        if summary.steady_state.is_none() && summary.successful_requests > 0 {
            circumstances.notes.push(format!("The run was too short for a steady-state window of at least 10 s{of}."));
        }
        if let Some(lengths) = &summary.lengths
            && let (Some(asked), Some(input)) = (&lengths.requested_input, &lengths.input)
            && (input.mean - asked.mean).abs() >= 0.5
        {
            circumstances.notes.push(format!(
                "The engine counted {:.1} input tokens a request on average where {:.1} were asked for{of}.",
                input.mean, asked.mean
            ));
        }
        if summary.cached_tokens.is_some_and(|tokens| tokens * 20 > summary.total_input_tokens && tokens > 0) {
            let share = summary.cached_tokens.unwrap_or(0) as f64 / summary.total_input_tokens.max(1) as f64;
            circumstances
                .notes
                .push(format!("{:.0} % of the input tokens came out of the engine's prefix cache{of}.", share * 100.0));
        }
    }
    let (events, coalesced) =
        (circumstances.client.content_events.unwrap_or(0), circumstances.client.coalesced_events.unwrap_or(0));
    if coalesced * 100 > events {
        let share = coalesced as f64 / events as f64 * 100.0;
        circumstances.notes.push(format!(
            "{share:.1} % of the content events share their receive time with the one before: they came in one packet, or the client read late."
        ));
    }
    // of few requests, those that lie across the window's edges weigh too much
    let enough = points.iter().all(|point| point.summary.successful_requests >= 100);
    if let Some(ratio) = circumstances.client.littles_law_ratio.filter(|ratio| enough && (ratio - 1.0).abs() > 0.1) {
        circumstances
            .notes
            .push(format!("Little's law is off by {:.0} %: the load was not steady.", (ratio - 1.0).abs() * 100.0));
    }
}
