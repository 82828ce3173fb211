//! A report's charts as files.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use uuid::Uuid;

use crate::api::calls::{benchmarks, runs};
use crate::api::rest::{Path, Query};
use crate::auth::SignedIn;
use crate::components::charts::file::{csv_file, svg_file};
use crate::domain::problem::Problem;
use crate::pages::report::charts::find;
use crate::state::AppState;
use dyno_measure::run::RunKind;

pub const PATH: &str = "/runs/{id}/report/charts/{file}";

/// Of which load point a chart is to be.
#[derive(Debug, Deserialize)]
pub struct ChartQuery {
    point: Option<usize>,
}

/// `ttft_ms-histogram.svg`, or the same as `.csv`.
pub async fn serve(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path((id, file)): Path<(Uuid, String)>,
    Query(asked): Query<ChartQuery>,
) -> Result<Response, Problem> {
    let missing = || Problem::not_found("chart");
    let (name, kind) = file.rsplit_once('.').ok_or_else(missing)?;
    let report = runs::report(&app, &actor, id).await?;
    let run = runs::get(&app, &actor, id).await?;
    let slo = benchmarks::get(&app, &actor, run.benchmark_id).await?.spec.load.slo;
    let chart = find(&report, slo.as_ref(), asked.point, name).ok_or_else(missing)?;
    let (content_type, body) = match kind {
        "svg" => ("image/svg+xml; charset=utf-8", svg_file(&chart, run.kind).into_bytes()),
        "csv" => ("text/csv; charset=utf-8", csv_file(&chart)),
        _ => return Err(missing()),
    };
    let mark = if run.kind == RunKind::Simulated { "-simulated" } else { "" };
    let disposition = format!("attachment; filename=\"dyno-{id}-{name}{mark}.{kind}\"");
    Ok(([(header::CONTENT_TYPE, content_type.to_owned()), (header::CONTENT_DISPOSITION, disposition)], body).into_response())
}
