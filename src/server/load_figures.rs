//! A report's load points as a file, one a row, with what each cost.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::api::calls::runs;
use crate::api::rest::Path;
use crate::api::rest::export::{cell, csv_line};
use crate::auth::SignedIn;
use crate::domain::problem::Problem;
use crate::state::AppState;
use dyno_measure::report::{LoadPoint, Report};

pub const PATH: &str = "/runs/{id}/report/loads.csv";

/// Fields of a load point.
const FIELDS: [&str; 18] = [
    "concurrency",
    "rate",
    "meets_slo",
    "ended_early",
    "duration_s",
    "total_requests",
    "successful_requests",
    "failed_requests",
    "dropped_requests",
    "error_rate",
    "total_input_tokens",
    "total_output_tokens",
    "request_throughput",
    "output_throughput",
    "total_throughput",
    "goodput",
    "good_fraction",
    "achieved_concurrency",
];
const LATENCIES: [&str; 4] = ["ttft", "tpot", "itl", "e2el"];
/// Statistics that each latency has columns for.
const STATISTICS: [&str; 5] = ["mean", "p50", "p90", "p95", "p99"];

/// Serves the file. Percentiles of too few samples are there; `below_floor` names them.
pub async fn serve(State(app): State<AppState>, SignedIn(actor): SignedIn, Path(id): Path<Uuid>) -> Result<Response, Problem> {
    let report = runs::report(&app, &actor, id).await?;
    let disposition = format!("attachment; filename=\"dyno-{id}-loads.csv\"");
    let headers = [(header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (header::CONTENT_DISPOSITION, disposition)];
    Ok((headers, csv_of(&report)).into_response())
}

fn csv_of(report: &Report) -> Vec<u8> {
    let latencies = LATENCIES.iter().flat_map(|latency| STATISTICS.map(|statistic| format!("{latency}_{statistic}_ms")));
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<String>>();
    let head: Vec<String> = owned(&["run_id", "kind", "valid", "load_point"])
        .into_iter()
        .chain(owned(&FIELDS))
        .chain(latencies)
        .chain(owned(&["below_floor", "cost_per_million_output_tokens", "cost_of_load", "currency"]))
        .collect();
    let mut file = csv_line(&head);
    for (index, point) in report.load_points.iter().enumerate() {
        file.extend(csv_line(&row(report, index, point)));
    }
    file
}

fn row(report: &Report, index: usize, point: &LoadPoint) -> Vec<String> {
    let mut fields = serde_json::to_value(point).unwrap_or_default();
    // a report leaves it out where it is not so
    fields["ended_early"] = json!(point.ended_early);
    let of_run = [json!(report.run_id), json!(report.kind), json!(report.valid), json!(index)];
    let latencies = LATENCIES
        .iter()
        .flat_map(|latency| STATISTICS.map(|statistic| fields.pointer(&format!("/{latency}_ms/{statistic}")).cloned()));
    let cost = report.provenance.serving_cost();
    let costs = [
        cost.and_then(|cost| cost.per_million_tokens(point.summary.output_throughput?)).map(|cost| json!(cost)),
        cost.map(|cost| json!(cost.of_time(point.summary.duration_s))),
        cost.map(|cost| json!(cost.currency)),
    ];
    let below_floor = Value::String(point.summary.below_floor.join(" "));
    of_run
        .into_iter()
        .map(Some)
        .chain(FIELDS.map(|field| fields.get(field).cloned()))
        .chain(latencies)
        .chain([Some(below_floor)])
        .chain(costs)
        .map(|value| cell(value.as_ref()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let point = |users: u32, throughput: Option<f64>| {
            json!({ "concurrency": users, "duration_s": 36.0, "total_requests": 5, "successful_requests": 5, "error_rate": 0.0,
                "output_throughput": throughput, "below_floor": ["ttft_ms.p90", "ttft_ms.p99"],
                "ttft_ms": { "mean": 1.5, "std": 0.0, "min": 1.0, "p25": 1.0, "p50": 1.25, "p75": 2.0, "p90": 2.0, "p95": 2.0,
                    "p99": 2.0, "p999": 2.0, "max": 2.0, "n": 5 } })
        };
        serde_json::from_value(json!({
            "run_id": Uuid::nil(), "kind": "simulated", "status": "succeeded", "valid": true, "invalid_reasons": [],
            "summary": point(1, Some(100.0)), "load_points": [point(1, Some(100.0)), point(4, None)], "nodes": [],
            "provenance": { "prices": [{ "device": "H100", "count": 2, "per_hour": 5.0, "currency": "=EUR" }] },
        }))
        .unwrap()
    }

    #[test]
    fn each_load_point_has_its_figures_and_its_cost() {
        let text = String::from_utf8(csv_of(&report())).unwrap();
        let mut lines = csv::Reader::from_reader(text.as_bytes());
        let head = lines.headers().unwrap().clone();
        let rows: Vec<csv::StringRecord> = lines.records().map(Result::unwrap).collect();
        let of = |row: usize, name: &str| rows[row][head.iter().position(|found| found == name).unwrap()].to_owned();
        assert_eq!(rows.len(), 2);
        assert_eq!((of(0, "kind"), of(0, "load_point"), of(1, "concurrency")), ("simulated".into(), "0".into(), "4".into()));
        assert_eq!((of(0, "ttft_p50_ms"), of(0, "tpot_p50_ms")), ("1.25".into(), String::new()));
        assert_eq!(of(0, "below_floor"), "ttft_ms.p90 ttft_ms.p99");
        // a million tokens take 10,000 s, at 10 an hour
        let cost: f64 = of(0, "cost_per_million_output_tokens").parse().unwrap();
        assert!((cost - 10.0 * 10_000.0 / 3_600.0).abs() < 1e-9, "{cost}");
        assert_eq!((of(0, "cost_of_load"), of(0, "currency")), ("0.1".into(), "'=EUR".into()));
        assert_eq!((of(1, "cost_per_million_output_tokens"), of(1, "cost_of_load")), (String::new(), "0.1".into()));
    }

    #[test]
    fn without_prices_there_is_no_cost() {
        let mut report = report();
        report.provenance.prices = Vec::new();
        let text = String::from_utf8(csv_of(&report)).unwrap();
        assert!(text.lines().skip(1).all(|line| line.ends_with("ttft_ms.p99,,,")), "{text}");
    }
}
