//! `dyno pod files`: looks whether files are there, takes them from the portal, fetches them from the hub.

mod digest;
pub(crate) mod fetch;
mod look;
mod upload;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use clap::Args;
use tokio_util::sync::CancellationToken;

use self::digest::Digests;
use self::fetch::{FetchFunction, Fetching};
use self::upload::Uploads;
use crate::protocol::MOST_CHUNK;
use crate::serve::{guarded, serve};
use crate::serving::{PodCommandError, ServerArgs, until_over};
use crate::token::Token;

/// Files for a run, in a pod
#[derive(Debug, Clone, Args)]
pub struct FilesPodArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// Folder that files are brought to; absent: none are.
    #[arg(long, env = "DYNO_POD_FOLDER", value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// Folder whose files may be looked at, beside the one above; may be given several times.
    #[arg(long, env = "DYNO_POD_ROOTS", value_name = "FOLDER", value_delimiter = ':')]
    root: Vec<PathBuf>,
}

/// What the routes share.
struct Files {
    /// Canonical paths below which files may be written.
    roots: Vec<PathBuf>,
    digests: Digests,
    uploads: Option<Uploads>,
    fetching: Fetching,
}

/// Serves until nobody needs it any more (0), the deadline (1), or the pod's end (143).
pub(crate) async fn main(args: FilesPodArgs, fetch: Option<FetchFunction>) -> Result<ExitCode, PodCommandError> {
    let token = Token::from_environment(&args.server.token_env)?;
    let files = files(&args, fetch).map_err(PodCommandError::Folder)?;
    let (listener, signals) = args.server.listen("files").await?;
    let (stop, taken) = (CancellationToken::new(), CancellationToken::new());
    let serving = tokio::spawn(serve(listener, router(files, taken.clone(), token), stop.clone()));
    let over = until_over(&taken, args.server.deadline, signals).await;
    stop.cancel();
    let _ = serving.await;
    Ok(over.exit_code())
}

fn files(args: &FilesPodArgs, fetch: Option<FetchFunction>) -> io::Result<Files> {
    let folder = match &args.folder {
        Some(folder) => {
            std::fs::create_dir_all(folder)?;
            Some(folder.canonicalize()?)
        }
        None => None,
    };
    // One that is not there has no files to look at.
    let roots = args.root.iter().filter_map(|root| root.canonicalize().ok()).chain(folder.clone()).collect();
    let fetching = Fetching::new(folder.clone().zip(fetch));
    Ok(Files { roots, digests: Digests::default(), uploads: folder.map(Uploads::new), fetching })
}

fn router(files: Files, taken: CancellationToken, token: Token) -> Router {
    let done = async move || {
        taken.cancel();
        StatusCode::NO_CONTENT
    };
    let routes = Router::new()
        .route("/check", get(look::check))
        .route("/files/{*name}", get(upload::status).put(upload::put))
        .route("/seal/{*name}", post(upload::seal))
        .route("/fetch", post(fetch::begin).get(async |State(files): State<Arc<Files>>| files.fetching.status().map(Json)))
        .route("/done", post(done))
        .with_state(Arc::new(files));
    guarded(routes, token, MOST_CHUNK)
}
