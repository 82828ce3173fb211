//! Runs: history, one run, its event stream, its report, its request records.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::event_stream;
use super::export::{self, Format, RecordsPage, Validity};
use super::{Json, Path, Query};
use crate::api::calls;
use crate::auth::{Caller, SignedIn, still_signed_in};
use crate::domain::list::{ListQuery, Page};
use crate::domain::problem::Problem;
use crate::domain::run::{Run, RunRow};
use crate::state::AppState;
use dyno_measure::plan::Plan;
use dyno_measure::report::Report;

/// Events that are read at once.
const EVENTS: u32 = 500;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get, delete))
        .routes(routes!(cancel))
        .routes(routes!(events))
        .routes(routes!(report))
        .routes(routes!(plan))
        .routes(routes!(requests))
        .routes(routes!(super::telemetry::telemetry))
}

/// List runs
///
/// Newest first. Takes every field of the query; `sort` is a column of the rows.
#[utoipa::path(
    get,
    path = "/api/v1/runs",
    tag = "runs",
    params(ListQuery),
    responses((status = 200, description = "A page of runs.", body = Page<RunRow>)),
)]
async fn list(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<RunRow>>, Problem> {
    calls::runs::list(&app, &actor, query).await.map(Json)
}

/// Get a run
#[utoipa::path(
    get,
    path = "/api/v1/runs/{id}",
    tag = "runs",
    params(("id" = Uuid, Path, description = "The run.")),
    responses((status = 200, description = "The run as it stands.", body = Run)),
)]
async fn get(State(app): State<AppState>, SignedIn(actor): SignedIn, Path(id): Path<Uuid>) -> Result<Json<Run>, Problem> {
    calls::runs::get(&app, &actor, id).await.map(Json)
}

/// Delete a run
///
/// With everything that it measured. A run that is not over is a conflict: cancel it first.
#[utoipa::path(
    delete,
    path = "/api/v1/runs/{id}",
    tag = "runs",
    params(("id" = Uuid, Path, description = "The run.")),
    responses((status = 204, description = "It is gone.")),
)]
async fn delete(State(app): State<AppState>, SignedIn(actor): SignedIn, Path(id): Path<Uuid>) -> Result<StatusCode, Problem> {
    calls::runs::delete(&app, &actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Cancel a run
///
/// Answers at once; the run ends when its processes have. What was measured until then is kept.
#[utoipa::path(
    post,
    path = "/api/v1/runs/{id}/cancel",
    tag = "runs",
    params(("id" = Uuid, Path, description = "The run.")),
    responses((status = 200, description = "The run as it stands.", body = Run)),
)]
async fn cancel(State(app): State<AppState>, SignedIn(actor): SignedIn, Path(id): Path<Uuid>) -> Result<Json<Run>, Problem> {
    calls::runs::cancel(&app, &actor, id).await.map(Json)
}

/// The query of the event stream.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct EventsQuery {
    /// The last event that was seen, where no `Last-Event-ID` can be sent: a browser's first request.
    after: Option<i64>,
}

/// Follow a run
///
/// Server-sent events: `stage`, `progress`, `log`, and `end`, after which the stream closes. Honours `Last-Event-ID`.
#[utoipa::path(
    get,
    path = "/api/v1/runs/{id}/events",
    tag = "runs",
    params(
        ("id" = Uuid, Path, description = "The run."),
        ("Last-Event-ID" = Option<i64>, Header, description = "The last event that was seen."),
        EventsQuery,
    ),
    responses(
        (status = 200, description = "The events from there on.", content_type = "text/event-stream", body = String),
        (status = 204, description = "Everything was seen, the end included."),
    ),
)]
async fn events(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    caller: Caller,
    Path(id): Path<Uuid>,
    Query(query): Query<EventsQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let run = calls::runs::get(&app, &actor, id).await?;
    let news = calls::runs::news(&app, &run);
    let shutdown = app.shutdown.clone();
    let load = move |after| {
        let (app, actor, caller) = (app.clone(), actor.clone(), caller.clone());
        async move {
            // The stream may have outlived its reader's session or token.
            still_signed_in(&app, &actor, &caller).await?;
            calls::runs::events_after(&app, &actor, id, after, EVENTS).await
        }
    };
    // A browser that connects anew sends the header as well; it has seen more than when the page was made.
    let after = event_stream::last_event_id(&headers).max(query.after.unwrap_or(0));
    event_stream::events(after, run.status.is_end(), load, news, shutdown).await
}

/// Get a run's report
#[utoipa::path(
    get,
    path = "/api/v1/runs/{id}/report",
    tag = "runs",
    params(("id" = Uuid, Path, description = "The run.")),
    responses((status = 200, description = "What it measured. Not found while there is nothing.", body = Report)),
)]
async fn report(State(app): State<AppState>, SignedIn(actor): SignedIn, Path(id): Path<Uuid>) -> Result<Json<Report>, Problem> {
    calls::runs::report(&app, &actor, id).await.map(Json)
}

/// Get the plan of a run's load
///
/// As `dyno load --plan FILE` takes it, without the run's own files and deadline. A secret is named by its environment variable.
#[utoipa::path(
    get,
    path = "/api/v1/runs/{id}/plan",
    tag = "runs",
    params(("id" = Uuid, Path, description = "The run.")),
    responses((status = 200, description = "The plan. Not found while there is no report.", body = Object)),
)]
async fn plan(State(app): State<AppState>, SignedIn(actor): SignedIn, Path(id): Path<Uuid>) -> Result<Json<Plan>, Problem> {
    calls::runs::plan(&app, &actor, id).await.map(Json)
}

/// The query of the request records.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct RecordsQuery {
    /// `json` (a page, the default), `csv` or `ndjson` (all records); else by `Accept`.
    format: Option<String>,
    /// Text in the id or node.
    search: Option<String>,
    /// `ok`, `error`, an error class, `warmup` or `measured`.
    status: Option<String>,
    /// A column, with `-` before it for descending.
    sort: Option<String>,
    /// From 1.
    page: Option<u32>,
    /// 1 to 500; 50 when absent.
    page_size: Option<u32>,
}

/// List a run's request records
///
/// `json` answers a page, `csv` and `ndjson` all records in the order in which requests ended. Beside the page's items, as the
/// last three columns of each line, or as fields of each object: `run_kind` and `run_valid` (absent or empty while there is no
/// report) and `run_invalid_reasons`.
#[utoipa::path(
    get,
    path = "/api/v1/runs/{id}/requests",
    tag = "runs",
    params(("id" = Uuid, Path, description = "The run."), RecordsQuery),
    responses((status = 200, description = "The records.", content(
        (RecordsPage = "application/json"),
        (String = "text/csv"),
        (String = "application/x-ndjson"),
    ))),
)]
async fn requests(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<Uuid>,
    Query(asked): Query<RecordsQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let format = Format::of(asked.format.as_deref(), &headers)?;
    let format = match format {
        Format::Json => {
            let RecordsQuery { search, status, sort, page, page_size, .. } = asked;
            let query = ListQuery { search, status, sort, page, page_size, ..ListQuery::default() };
            let page = calls::runs::requests(&app, &actor, id, query).await?;
            return Ok(Json(RecordsPage { page, validity: Validity::of(&app, &actor, id).await }).into_response());
        }
        Format::File(format) => format,
    };
    let narrowed = [
        ("search", asked.search.is_some()),
        ("status", asked.status.is_some()),
        ("sort", asked.sort.is_some()),
        ("page", asked.page.is_some()),
        ("page_size", asked.page_size.is_some()),
    ];
    if let Some((field, _)) = narrowed.into_iter().find(|(_, is_set)| *is_set) {
        return Err(Problem::field(field, "CSV and NDJSON have all records; only JSON is a filtered page."));
    }
    export::records(app, actor, id, format).await
}
