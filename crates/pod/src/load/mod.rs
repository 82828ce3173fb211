//! `dyno pod load`: waits for engines, puts the load on once, and hands out what it wrote until somebody has it all or the
//! deadline has passed.

mod child;
mod runner;
mod spool;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::{get, post, put};
use axum::{Json, Router};
use clap::Args;
use dyno_measure::plan::Plan;
use tokio_util::sync::CancellationToken;

use self::runner::{LoadStartError, Runner, Settings};
use self::spool::{LoadSpool, PortionError};
use crate::protocol::{
    CancelRequest, ENDED_HEADER, EndCause, ErrorCode, FILE_HEADER, FROM_HEADER, LENGTH_HEADER, PortionQuery, SpoolFile,
    StartRequest, Status,
};
use crate::serve::{Refused, guarded, serve};
use crate::serving::{PodCommandError, ServerArgs, own_program, until_over};
use crate::token::Token;

/// Largest request, bytes: addresses of engines and workers.
const MOST_BODY: usize = 256 << 10;
/// What is left of a pod's grace period for reading the spool, at least.
const FOR_READING: Duration = Duration::from_secs(5);

/// The load of a run, in a pod
#[derive(Debug, Clone, Args)]
pub struct LoadPodArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// The load's plan; its endpoints may be left open.
    #[arg(long, env = "DYNO_POD_PLAN", value_name = "FILE")]
    plan: PathBuf,
    /// Folder for what the load writes.
    #[arg(long, env = "DYNO_POD_SPOOL", value_name = "FOLDER")]
    spool: PathBuf,
    /// Between asking the load to end and killing it, seconds.
    #[arg(long, env = "DYNO_POD_LOAD_GRACE_S", value_name = "SECONDS", default_value_t = 30)]
    load_grace_s: u64,
}

/// Serves until everything was taken (0), the deadline (1), or the pod's end (143).
pub(crate) async fn main(args: LoadPodArgs) -> Result<ExitCode, PodCommandError> {
    let token = Token::from_environment(&args.server.token_env)?;
    let plan: io::Result<Plan> = std::fs::read(&args.plan).and_then(|bytes| Ok(serde_json::from_slice(&bytes)?));
    let plan = plan.map_err(|source| PodCommandError::Plan { path: args.plan.clone(), source })?;
    let settings = Settings {
        program: own_program()?,
        token: token.clone(),
        withheld: args.server.token_env.clone(),
        grace: Duration::from_secs(args.load_grace_s),
    };
    let spool = LoadSpool::open(&args.spool).map_err(PodCommandError::LoadSpool)?;
    let runner = Runner::new(settings, plan, spool).map_err(PodCommandError::LoadSpool)?;
    let (listener, signals) = args.server.listen("load").await?;
    let (stop, taken) = (CancellationToken::new(), CancellationToken::new());
    let serving = tokio::spawn(serve(listener, router(Arc::clone(&runner), taken.clone(), token), stop.clone()));
    runner.check_client();

    let pod_grace = Duration::from_secs(args.server.grace_s);
    let over = until_over(&taken, args.server.deadline, signals).await;
    if let Some(cause) = over.cause() {
        let begun = tokio::time::Instant::now();
        // Half of the time is for the load, the rest for whoever reads what it wrote.
        runner.end(cause, false, runner.grace().min(pod_grace / 2)).await;
        runner.ended().await;
        if cause == EndCause::Terminated {
            let rest = pod_grace.saturating_sub(begun.elapsed()).saturating_sub(Duration::from_secs(1));
            let _ = tokio::time::timeout(rest.max(FOR_READING.min(pod_grace / 2)), taken.cancelled()).await;
        }
    }
    stop.cancel();
    let _ = serving.await;
    Ok(over.exit_code())
}

fn router(runner: Arc<Runner>, taken: CancellationToken, token: Token) -> Router {
    let routes = Router::new()
        .route("/status", get(async |State(runner): State<Arc<Runner>>| Json(runner.status().await)))
        .route("/start", put(start))
        .route("/spool/{file}", get(portion))
        .route("/cancel", post(cancel))
        .route("/done", post(async move |State(runner): State<Arc<Runner>>| done(&runner, &taken).await))
        .with_state(runner);
    guarded(routes, token, MOST_BODY)
}

async fn start(State(runner): State<Arc<Runner>>, Json(request): Json<StartRequest>) -> Result<Json<Status>, Refused> {
    runner.start(request).await.map_err(|error| {
        let (status, code) = match &error {
            LoadStartError::Started => (StatusCode::CONFLICT, ErrorCode::AlreadyStarted),
            LoadStartError::Over => (StatusCode::CONFLICT, ErrorCode::WrongState),
            LoadStartError::Plan(_) => (StatusCode::UNPROCESSABLE_ENTITY, ErrorCode::Invalid),
            LoadStartError::LoadSpool(error) => return Refused::failed("The spool can't be written", error),
        };
        Refused::new(status, code, error.to_string())
    })?;
    Ok(Json(runner.status().await))
}

async fn portion(
    State(runner): State<Arc<Runner>>,
    Path(file): Path<SpoolFile>,
    Query(query): Query<PortionQuery>,
) -> Result<Response, Refused> {
    // Before the length is looked at: what is added until the end is then still to be read.
    let ended = runner.is_over();
    let read = tokio::task::spawn_blocking(move || runner.spool().portion(file, &query)).await;
    let portion = match read.map_err(io::Error::other).map_err(PortionError::from).flatten() {
        Ok(portion) => portion,
        Err(PortionError::Replaced) => {
            let words = "The load has replaced the file: it is to be read from its beginning.";
            return Err(Refused::new(StatusCode::CONFLICT, ErrorCode::Replaced, words));
        }
        Err(PortionError::Io(error)) => return Err(Refused::failed("The spool can't be read", &error)),
    };
    let answer = Response::builder()
        .header(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"))
        .header(LENGTH_HEADER, portion.length)
        .header(FROM_HEADER, portion.from)
        .header(FILE_HEADER, portion.file)
        .header(ENDED_HEADER, if ended { "true" } else { "false" })
        .body(Body::from(portion.bytes));
    answer.map_err(|error| Refused::new(StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::Failed, error.to_string()))
}

async fn cancel(State(runner): State<Arc<Runner>>, Json(request): Json<CancelRequest>) -> Json<Status> {
    runner.end(EndCause::Cancelled, request.force, runner.grace()).await;
    Json(runner.status().await)
}

async fn done(runner: &Runner, taken: &CancellationToken) -> Result<StatusCode, Refused> {
    if runner.is_running() {
        return Err(Refused::new(StatusCode::CONFLICT, ErrorCode::WrongState, "The load still runs."));
    }
    taken.cancel();
    Ok(StatusCode::NO_CONTENT)
}
