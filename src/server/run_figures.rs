//! The history's rows as a file: the runs that were chosen, or all that the list's page shows.

use std::collections::BTreeMap;

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use uuid::Uuid;

use crate::api::calls::runs;
use crate::api::functions::forms::Zone;
use crate::api::functions::runs::HISTORY_ROWS;
use crate::api::rest::export::{cell, csv_line};
use crate::auth::SignedIn;
use crate::domain::list::ListQuery;
use crate::domain::price::RunCost;
use crate::domain::problem::Problem;
use crate::domain::run::RunRow;
use crate::state::AppState;

pub const PATH: &str = "/runs/figures.csv";

/// What the devices that served cost, after the fields of the row; empty unless each had a price when the run began.
const COSTS: [&str; 3] = ["cost_per_million_output_tokens", "cost_of_load", "currency"];

/// Fields of a row, in the file's order. Whether figures are measured, and whether they can be trusted, comes before them.
const COLUMNS: [&str; 24] = [
    "id",
    "name",
    "kind",
    "status",
    "valid",
    "model",
    "engine",
    "cluster",
    "devices",
    "load",
    "chosen_load",
    "limits",
    "output_throughput",
    "ttft_p50_ms",
    "ttft_p90_ms",
    "ttft_p99_ms",
    "tpot_p50_ms",
    "tpot_p90_ms",
    "tpot_p99_ms",
    "error_rate",
    "creator",
    "created_at",
    "started_at",
    "ended_at",
];

/// `?run=ID&run=ID`; without `run`, what the history shows under the same query.
pub async fn serve(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let asked = FiguresQuery::of(query.as_deref().unwrap_or_default())?;
    let rows = if asked.runs.is_empty() {
        let zone = Zone::of_headers(&headers).unwrap_or_default();
        runs::list(&app, &actor, zone.days_of(asked.list)).await?.items
    } else {
        runs::chosen(&app, &actor, &asked.runs).await?
    };
    let costs = runs::costs(&app, &rows).await?;
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"dyno-runs.csv\""),
    ];
    Ok((headers, csv_of(&rows, &costs)).into_response())
}

struct FiguresQuery {
    runs: Vec<Uuid>,
    list: ListQuery,
}

impl FiguresQuery {
    fn of(query: &str) -> Result<Self, Problem> {
        let (mut runs, mut rest) = (Vec::new(), Vec::new());
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "run" => runs.push(value.parse().map_err(|_| Problem::field("run", "A run is named by its id."))?),
                // A filter that was left empty, and what the page keeps for itself.
                "flash" => {}
                _ if value.trim().is_empty() => {}
                _ => rest.push((name, value)),
            }
        }
        if runs.len() > HISTORY_ROWS as usize {
            return Err(Problem::field("run", format!("Choose {HISTORY_ROWS} runs at most.")));
        }
        let list: ListQuery = serde_urlencoded::to_string(&rest)
            .ok()
            .and_then(|text| serde_urlencoded::from_str(&text).ok())
            .ok_or_else(|| Problem::field("query", "This is no query of the list of runs."))?;
        Ok(Self { runs, list: ListQuery { page_size: Some(HISTORY_ROWS), ..list } })
    }
}

fn csv_of(rows: &[RunRow], costs: &BTreeMap<Uuid, RunCost>) -> Vec<u8> {
    let mut file = csv_line(&COLUMNS.into_iter().chain(COSTS).collect::<Vec<&str>>());
    for row in rows {
        let cost = serde_json::to_value(costs.get(&row.id)).unwrap_or_default();
        let row = serde_json::to_value(row).unwrap_or_default();
        let cells = COLUMNS.iter().map(|column| cell(row.get(column))).chain(COSTS.iter().map(|column| cell(cost.get(column))));
        file.extend(csv_line(&cells.collect::<Vec<String>>()));
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_taken_out_of_the_query_and_the_rest_is_the_lists() {
        let id = Uuid::from_u128(7);
        let asked = FiguresQuery::of(&format!("run={id}&status=failed&search=&flash=x")).unwrap();
        assert_eq!((asked.runs, asked.list.status.as_deref(), asked.list.search), (vec![id], Some("failed"), None));
        assert!(FiguresQuery::of("run=1").is_err() && FiguresQuery::of("nonsense=1").is_err());
        assert!(FiguresQuery::of("").unwrap().runs.is_empty());
    }
}
