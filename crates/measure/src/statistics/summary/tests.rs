use super::super::consistency::{contradictions, littles_law};
use super::*;
use crate::records::GapsBuf;
use crate::report::Phase;

const S: i64 = 1_000_000_000;

/// Adds a request with send and content event times (s) and output tokens.
pub(crate) fn request(records: &mut Records, sent: i64, events: &[i64], tokens: u32) -> usize {
    let mut gaps = GapsBuf::default();
    for pair in events.windows(2) {
        gaps.push(((pair[1] - pair[0]) * S) as u64);
    }
    let row = Row {
        sent: Some(sent * S),
        first: events.first().map(|at| at * S),
        first_output: events.first().map(|at| at * S),
        last: events.last().map(|at| at * S),
        ended: events.last().map(|at| at * S),
        events: events.len() as u32,
        output: Some(tokens),
        input: Some(10),
        source: Some(TokenSource::Usage),
        status: Some(200),
        ..Row::new(0, Phase::Measured, records.rows.len() as u32, 0)
    };
    records.push(row, &gaps, None)
}

fn failure(records: &mut Records, sent: i64, ended: i64, class: ErrorClass) {
    let row = Row { sent: Some(sent * S), ended: Some(ended * S), error: Some(class), ..Row::new(0, Phase::Measured, 9, 0) };
    records.push(row, &GapsBuf::default(), Some("x".to_owned()));
}

fn figures(records: &Records, load: &Load, slo: Option<&Slo>) -> Summary {
    let rows: Vec<usize> = (0..records.rows.len()).collect();
    summarise(&Scope { records, rows: &rows, load: Some(load), slo })
}

#[test]
fn known_answers() {
    let mut records = Records::default();
    request(&mut records, 1, &[3, 5, 8], 3);
    request(&mut records, 2, &[4, 7, 11], 3);
    let summary = figures(&records, &Load::Closed { concurrency: 2 }, None);
    let two = |figures: &Option<Distribution>| figures.as_ref().map(|f| (f.min, f.max, f.n)).unwrap();
    assert_eq!(two(&summary.ttft_ms), (2000.0, 2000.0, 2));
    assert_eq!(two(&summary.tpot_ms), (2500.0, 3500.0, 2));
    assert_eq!(two(&summary.itl_ms), (2000.0, 4000.0, 4));
    assert_eq!(summary.itl_ms.as_ref().unwrap().p50, 3000.0);
    assert_eq!(summary.itl_ms.as_ref().unwrap().clusters, Some(6));
    assert_eq!(two(&summary.e2el_ms), (7000.0, 9000.0, 2));
    assert_eq!(summary.duration_s, 10.0);
    assert_eq!(summary.output_throughput, Some(0.6));
    assert_eq!(summary.total_throughput, Some(2.6));
    assert_eq!(summary.achieved_concurrency, Some(1.6));
    assert_eq!(summary.tokens_per_event, Some(1.0));
    let scope = Scope { records: &records, rows: &[0, 1], load: None, slo: None };
    assert_eq!((littles_law(&scope, &summary), contradictions(&scope)), (Some(1.0), 0));
    // E2E − TTFT = Σ gaps = TPOT·(n − 1) for every request
    for (index, row) in records.rows.iter().enumerate() {
        let gaps: u64 = records.gaps.of(index).sum();
        assert_eq!(row.e2el_ms().unwrap() - row.ttft_ms().unwrap(), ms(gaps as i64));
        assert_eq!(row.tpot_ms().unwrap() * 2.0, ms(gaps as i64));
    }
}

#[test]
fn errors_count_in_the_rate_and_in_no_latency() {
    let mut records = Records::default();
    request(&mut records, 0, &[1, 2], 2);
    failure(&mut records, 0, 50, ErrorClass::Stalled);
    failure(&mut records, 0, 1, ErrorClass::Dropped);
    let slo = Slo { percentile: 99.0, ttft_ms: Some(1000.0), tpot_ms: None, e2el_ms: None, search: None };
    let summary = figures(&records, &Load::Closed { concurrency: 2 }, Some(&slo));
    assert_eq!((summary.total_requests, summary.failed_requests, summary.dropped_requests), (3, 1, 1));
    assert!((summary.error_rate - 2.0 / 3.0).abs() < 1e-12);
    assert_eq!(summary.ttft_ms.unwrap().n, 1);
    assert_eq!(summary.duration_s, 2.0);
    assert_eq!((summary.goodput, summary.good_fraction), (Some(0.5), Some(1.0 / 3.0)));
    assert_eq!(summary.errors["stalled"], 1);
}

#[test]
fn an_answer_in_one_piece_meets_a_limit_of_its_first_token_only_as_a_whole() {
    let mut records = Records::default();
    let index = request(&mut records, 0, &[3], 5);
    records.rows[index].streamed = false;
    let limit = |ms| Slo { percentile: 99.0, ttft_ms: Some(ms), tpot_ms: None, e2el_ms: None, search: None };
    // an embedding
    assert!(is_good(&records.rows[index], &limit(1000.0)));
    records.rows[index].requested_output = Some(5);
    assert!(!is_good(&records.rows[index], &limit(1000.0)) && is_good(&records.rows[index], &limit(3000.0)));
}

#[test]
fn totals_of_what_is_not_known_are_absent() {
    let mut records = Records::default();
    request(&mut records, 0, &[1, 2], 2);
    let index = request(&mut records, 0, &[1, 2], 2);
    assert_eq!(figures(&records, &Load::Closed { concurrency: 2 }, None).total_input_tokens, Some(20));
    records.rows[index].input = None;
    let summary = figures(&records, &Load::Closed { concurrency: 2 }, None);
    assert_eq!((summary.total_input_tokens, summary.total_output_tokens, summary.total_throughput), (None, Some(4), None));
}

#[test]
fn hidden_reasoning_takes_no_part_in_tpot() {
    let mut records = Records::default();
    let index = request(&mut records, 0, &[1, 2, 3], 103);
    records.rows[index].reasoning = Some(100);
    assert_eq!(records.rows[index].tpot_ms(), Some(1000.0));
    records.rows[index].reasoning_streamed = true;
    assert_eq!(records.rows[index].tpot_ms(), Some(2000.0 / 102.0));
}

#[test]
fn nothing_measured_gives_nothing() {
    let mut records = Records::default();
    failure(&mut records, 0, 1, ErrorClass::Connect);
    let summary = figures(&records, &Load::Closed { concurrency: 1 }, None);
    assert_eq!((summary.error_rate, summary.request_throughput, summary.ttft_ms), (1.0, None, None));
}

#[test]
fn the_steady_window_has_its_own_figures() {
    let mut records = Records::default();
    for start in 0..40 {
        request(&mut records, start, &[start + 1, start + 2], 2);
    }
    let summary = figures(&records, &Load::Closed { concurrency: 2 }, None);
    let steady = summary.steady_state.unwrap();
    assert_eq!((steady.begin_s, steady.end_s), (1.0, 40.0));
    // one request and two tokens end in each second
    assert_eq!(steady.figures.request_throughput.map(|x| (x * 39.0).round()), Some(38.0));
    assert_eq!(steady.figures.achieved_concurrency, Some(2.0));
}
