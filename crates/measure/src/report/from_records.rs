//! Computes the report from the records: at the end of a load, or later from the records of a killed process.

use std::collections::HashMap;

use super::node_spread;
use super::provenance::Provenance;
use super::{
    ClientHealth, ErrorClass, ErrorExample, LoadPoint, NodeReport, Note, NoteKind, Phase, Report, SCHEMA_VERSION, Summary,
    TokenSource,
};
use crate::engine_metrics::EngineSeries;
use crate::live_figures::FinishedLoadPoint;
use crate::load::OfferedLoad;
use crate::plan::{Load, Plan};
use crate::records::{Records, Row};
use crate::run::{RunKind, RunStatus};
use crate::search::{self, Verdict};
use crate::sidecar::{BegunLoadPoint, Sidecar};
use crate::statistics::consistency::{contradictions, littles_law};
use crate::statistics::series::series;
use crate::statistics::summary::{Scope, meets_slo, summarise};
use crate::validity::SearchOutcome;
use crate::validity::judge::judge as judge_self_check;

/// Tolerance for rounding of Little's law, which holds exactly for consistent records.
const LAW_HOLDS: f64 = 0.001;
/// Schedule lag (p99) above which the client did not offer the requested load, ms.
const MOST_LAG_MS: f64 = 5.0;

/// What is known of a load beside its records.
#[derive(Debug, Clone, Default)]
pub struct Circumstances {
    /// The client's own figures.
    pub client: ClientHealth,
    /// Notes for the report.
    pub notes: Vec<Note>,
    /// Reasons for which the figures are not valid.
    pub invalid: Vec<String>,
    /// The self-check, and the load points begun; without any, those of the plan.
    pub sidecar: Sidecar,
    /// Whether the load was stopped before its end.
    pub ended_early: bool,
    /// Largest relative difference between token sources, by load point.
    pub disagreement: HashMap<u32, f64>,
    /// The engines' own metrics during the load.
    pub engine_metrics: Vec<EngineSeries>,
}

/// Computes the report. The caller sets provenance and final status: here it is succeeded, or failed where no request
/// succeeded.
pub fn report(records: &Records, plan: &Plan, mut circumstances: Circumstances) -> Report {
    let mut load_points = Vec::new();
    let mut all_series = Vec::new();
    let (mut ratios, mut contradicting) = (Vec::new(), 0);
    // load points that were not begun are left out
    let begun = records.rows.iter().map(|row| row.load_point + 1).max().unwrap_or(1);
    let points = points_of(plan, std::mem::take(&mut circumstances.sidecar.points));
    for (number, begun_point) in (0..begun).zip(&points) {
        load_points.push(load_point_of(records, plan, number, begun_point, circumstances.disagreement.get(&number).copied()));
        let rows = measured_rows(records, number);
        let scope = Scope { records, rows: &rows, load: Some(&begun_point.planned.load), slo: plan.slo.as_ref() };
        ratios.push(load_points.last().and_then(|point| littles_law(&scope, &point.summary)));
        contradicting += contradictions(&scope);
        let warmup = records.rows.iter().filter(|row| row.phase == Phase::Warmup && row.load_point == number);
        let clusters = load_points.last().and_then(|point| point.summary.itl_ms.as_ref()?.clusters);
        all_series.push(series(&scope, warmup.filter_map(|row| row.sent).min(), clusters));
    }
    let search = search_of(plan, &load_points, circumstances.ended_early);
    let found = search.as_ref().and_then(|search| search.meets_at);
    // of a load measured twice, the second: the first was selected by its result
    let best = load_points.iter().rposition(|point| found.is_some() && load_of(point) == found);
    let best = best.unwrap_or_else(|| best_of(&load_points));
    let summary = load_points.get(best).map(|point| point.summary.clone()).unwrap_or_default();
    let best_number = u32::try_from(best).unwrap_or(0);
    let nodes = nodes_of(records, plan, best_number, load_points.get(best));
    circumstances.notes.extend(node_spread::notes(&nodes));
    circumstances.client.littles_law_ratio = ratios.get(best).copied().flatten();
    judge(&load_points, &mut circumstances);
    if records.lacks_gaps {
        // Whether a load point was too short for one is not known either.
        circumstances.notes.retain(|note| note.kind != NoteKind::NoSteadyState);
    }
    circumstances.notes.extend(early_ends(&load_points, &points, plan));
    judge_records(&ratios, contradicting, &mut circumstances);
    if let Some(check) = &circumstances.sidecar.self_check {
        let judgement = judge_self_check(check, &load_points, plan.workers);
        circumstances.invalid.extend(judgement.invalid);
        circumstances.notes.extend(judgement.notes.into_iter().map(Note::from));
    }
    let succeeded = load_points.iter().any(|point| point.summary.successful_requests > 0);
    if !succeeded {
        circumstances.invalid.push("No request succeeded.".to_owned());
    }
    Report {
        schema_version: SCHEMA_VERSION,
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
        provenance: Provenance::default(),
        self_check: circumstances.sidecar.self_check,
        search,
        prediction: None,
        predicted: None,
        engine_metrics: circumstances.engine_metrics,
        client: circumstances.client,
    }
}

/// The figures of a load point, complete or not.
pub fn load_point_figures(records: &Records, plan: &Plan, number: u32, begun: &BegunLoadPoint) -> LoadPoint {
    load_point_of(records, plan, number, begun, None)
}

/// The live figures of a finished load point, computed from its `figures`.
pub fn finished_load_point(
    records: &Records,
    plan: &Plan,
    number: u32,
    begun: &BegunLoadPoint,
    figures: &LoadPoint,
) -> FinishedLoadPoint {
    let rows = measured_rows(records, number);
    let scope = Scope { records, rows: &rows, load: Some(&begun.planned.load), slo: plan.slo.as_ref() };
    let was_cut = begun.planned.requests().is_some_and(|planned| figures.summary.total_requests < u64::from(planned));
    FinishedLoadPoint::new(&scope, figures, begun.ended_early && was_cut)
}

/// The load points begun; for a search they are known from the sidecar only.
fn points_of(plan: &Plan, begun: Vec<BegunLoadPoint>) -> Vec<BegunLoadPoint> {
    if !begun.is_empty() || plan.search().is_some() {
        return begun;
    }
    plan.load_points.iter().map(|planned| BegunLoadPoint { planned: planned.clone(), ended_early: false }).collect()
}

/// A search's verdict on a load point.
pub fn verdict(point: &LoadPoint) -> Verdict {
    if sent_late(&point.summary) { Verdict::Open } else { point.meets_slo.into() }
}

/// Whether the client sent late, so that the offered load was not the requested one.
fn sent_late(summary: &Summary) -> bool {
    summary.schedule_lag_ms.as_ref().is_some_and(|lag| lag.p99 > MOST_LAG_MS)
}

fn load_of(point: &LoadPoint) -> Option<f64> {
    point.offered().map(OfferedLoad::value)
}

fn search_of(plan: &Plan, points: &[LoadPoint], ended: bool) -> Option<SearchOutcome> {
    let (variable, min, max) = plan.search()?;
    let seen: Vec<(f64, Verdict)> = points.iter().filter_map(|point| Some((load_of(point)?, verdict(point)))).collect();
    Some(search::outcome(variable, (min, max), &seen, ended))
}

/// Notes on the load points of a search that were ended early.
fn early_ends(points: &[LoadPoint], begun_points: &[BegunLoadPoint], plan: &Plan) -> Vec<Note> {
    let percentile = plan.slo.as_ref().map_or(99.0, |slo| slo.percentile);
    let of = |(number, (point, begun)): (usize, (&LoadPoint, &BegunLoadPoint))| {
        let planned = u64::from(begun.planned.requests()?);
        let sent = point.summary.total_requests;
        (begun.ended_early && sent < planned).then(|| {
            let text = format!(
                "The load was ended after {sent} of {planned} requests: so many were over the limits that p{percentile} could no longer be within them."
            );
            Note::new(NoteKind::EndedEarly, u32::try_from(number).ok(), text)
        })
    };
    points.iter().zip(begun_points).enumerate().filter_map(of).collect()
}

fn load_point_of(records: &Records, plan: &Plan, number: u32, begun: &BegunLoadPoint, disagreement: Option<f64>) -> LoadPoint {
    let planned = &begun.planned;
    let rows = measured_rows(records, number);
    let scope = Scope { records, rows: &rows, load: Some(&planned.load), slo: plan.slo.as_ref() };
    let mut summary = summarise(&scope);
    summary.token_disagreement = disagreement;
    let (concurrency, rate) = match planned.load {
        Load::Closed { concurrency } => (Some(concurrency), None),
        Load::Rate { rate, .. } => (None, Some(rate)),
        // a trace is reported by the mean rate of its arrivals
        Load::Trace { .. } => (None, summary.requested_rate),
    };
    let meets_slo =
        if begun.ended_early { Some(false) } else { plan.slo.as_ref().and_then(|slo| meets_slo(&scope, &summary, slo)) };
    LoadPoint { concurrency, rate, meets_slo, ended_early: begun.ended_early, summary }
}

fn measured_rows(records: &Records, load_point: u32) -> Vec<usize> {
    select(records, |row| row.phase == Phase::Measured && row.load_point == load_point)
}

fn select(records: &Records, which: impl Fn(&Row) -> bool) -> Vec<usize> {
    (0..records.rows.len()).filter(|index| which(&records.rows[*index])).collect()
}

/// Index of the load point for lists: of those that meet the limits (or all, without limits) the one with the greatest output
/// throughput; where none meets them, the one with the greatest goodput. Of equal ones it is the least load.
fn best_of(points: &[LoadPoint]) -> usize {
    // one where the client sent late is chosen only if it did so in all
    let counts = |point: &LoadPoint| !sent_late(&point.summary) || points.iter().all(|point| sent_late(&point.summary));
    let load = |index: usize| points[index].offered().map_or(0.0, OfferedLoad::value);
    let by = |key: fn(&Summary) -> Option<f64>, which: &dyn Fn(&LoadPoint) -> bool| {
        let candidates = points.iter().enumerate().filter(|(_, point)| counts(point) && which(point));
        candidates
            .filter_map(|(index, point)| Some((index, key(&point.summary)?)))
            .max_by(|(a, of_a), (b, of_b)| of_a.total_cmp(of_b).then_with(|| load(*b).total_cmp(&load(*a))))
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

/// The figures of each node at a load point, `of_all` those of the load point. What only a whole load has (its rates, its steady
/// state) a node's have not.
fn nodes_of(records: &Records, plan: &Plan, load_point: u32, of_all: Option<&LoadPoint>) -> Vec<NodeReport> {
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
            let summary = match of_all.filter(|all| all.summary.total_requests == rows.len() as u64) {
                // all requests went to this node: the same figures need not be found again
                Some(all) => Summary {
                    steady_state: None,
                    requested_rate: None,
                    achieved_rate: None,
                    token_disagreement: None,
                    ..all.summary.clone()
                },
                None => summarise(&Scope { records, rows: &rows, load: None, slo: plan.slo.as_ref() }),
            };
            NodeReport { hostname: name.to_owned(), summary }
        })
        .collect()
}

/// Up to three examples per error class and load point.
fn examples(records: &Records) -> Vec<ErrorExample> {
    let mut counts: HashMap<(u32, ErrorClass), u32> = HashMap::new();
    let mut examples = Vec::new();
    for (index, row) in records.rows.iter().enumerate() {
        let (Some(class), Phase::Measured) = (row.error, row.phase) else { continue };
        let count = counts.entry((row.load_point, class)).or_default();
        *count += 1;
        if *count <= 3 {
            let record = records.record(index);
            examples.push(ErrorExample {
                class,
                load_point: row.load_point,
                http_status: record.http_status,
                message: record.error.unwrap_or_default(),
                request_id: record.id,
            });
        }
    }
    examples
}

/// Derives notes and invalid reasons from the figures.
fn judge(points: &[LoadPoint], circumstances: &mut Circumstances) {
    for (number, point) in points.iter().enumerate() {
        let of = if points.len() > 1 { format!(" (load point {})", number + 1) } else { String::new() };
        let summary = &point.summary;
        if let Some(lag) = summary.schedule_lag_ms.as_ref().filter(|_| sent_late(summary)) {
            circumstances.invalid.push(format!("The client sent late: schedule lag p99 is {:.1} ms, over 5 ms{of}.", lag.p99));
        }
        let load_point = u32::try_from(number).ok().filter(|_| points.len() > 1);
        circumstances.notes.extend(notes_of(summary).into_iter().map(|(kind, text)| Note::new(kind, load_point, text)));
    }
    let (events, coalesced) =
        (circumstances.client.content_events.unwrap_or(0), circumstances.client.coalesced_events.unwrap_or(0));
    if coalesced * 100 > events {
        let share = coalesced as f64 / events as f64 * 100.0;
        circumstances.notes.push(Note::from(format!(
            "{share:.1} % of the content events share their receive time with the one before: they came in one packet, or the client read late."
        )));
    }
}

/// Notes on one load point's figures.
fn notes_of(summary: &Summary) -> Vec<(NoteKind, String)> {
    let mut notes = Vec::new();
    let mut note = |kind: NoteKind, text: String| notes.push((kind, text));
    if let Some(share) = summary.token_disagreement.filter(|share| *share > 0.1) {
        note(NoteKind::TokenSources, format!("Token sources disagree by {:.0} %.", share * 100.0));
    }
    if summary.token_source == Some(TokenSource::Events) {
        let text = "Output tokens are estimates: neither usage nor a tokenizer was there, so content events were counted.";
        note(NoteKind::EstimatedOutput, text.to_owned());
    }
    if summary.steady_state.is_none() && summary.successful_requests > 0 {
        note(NoteKind::NoSteadyState, "The run was too short for a steady-state window of at least 10 s.".to_owned());
    }
    if let Some(lengths) = &summary.lengths
        && let (Some(asked), Some(input)) = (&lengths.requested_input, &lengths.input)
        && (input.mean - asked.mean).abs() >= 0.5
    {
        let text = format!(
            "The engine counted {:.1} input tokens a request on average where {:.1} were asked for.",
            input.mean, asked.mean
        );
        note(NoteKind::InputLength, text);
    }
    if let Some((cached, input)) = summary.cached_tokens.zip(summary.total_input_tokens)
        && cached * 20 > input
    {
        let share = cached as f64 / input.max(1) as f64;
        note(NoteKind::PrefixCache, format!("{:.0} % of the input tokens came out of the engine's prefix cache.", share * 100.0));
    }
    if summary.total_input_tokens.is_none() && summary.successful_requests > 0 {
        let text = "Not every answer says how many input tokens it was of: the total, and the total throughput, are not known.";
        note(NoteKind::Other, text.to_owned());
    }
    notes
}

/// Adds invalid reasons where records are inconsistent.
fn judge_records(ratios: &[Option<f64>], contradicting: u64, circumstances: &mut Circumstances) {
    for (number, ratio) in ratios.iter().enumerate() {
        let of = if ratios.len() > 1 { format!(" (load point {})", number + 1) } else { String::new() };
        if let Some(off) = ratio.map(|ratio| (ratio - 1.0).abs()).filter(|off| *off > LAW_HOLDS) {
            circumstances.invalid.push(format!(
                "The request records contradict each other: by Little's law mean in flight and throughput × mean latency are the same, and they differ by {:.1} %{of}.",
                off * 100.0
            ));
        }
    }
    if contradicting > 0 {
        circumstances
            .invalid
            .push(format!("{contradicting} request records contradict themselves: their times go backwards or don't add up."));
    }
}
