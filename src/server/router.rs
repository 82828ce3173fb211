//! All routes, and the layers around them.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::request::Parts;
use axum::http::{Method, Response, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{BoxError, Router};
use futures::StreamExt as _;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use leptos::prelude::provide_context;
use leptos_axum::{AxumRouteListing, LeptosRoutes, generate_route_list};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::csrf::{CsrfLayer, ProtectionError};

use super::part_heads::{HeadTooLong, LONGEST_HEAD, PartHeads};
use super::{charts, files, headers, host, live, load_figures, log, refused_functions, run_figures, style};
use crate::api::calls::datasets;
use crate::app;
use crate::auth::{auth_layer, expired_session_form, multipart};
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::user::Actor;
use crate::state::AppState;

/// The largest body of most calls: forms and JSON.
const BODY_LIMIT: usize = 2 * 1024 * 1024;
/// The largest body of a dataset's upload, with room for what multipart adds.
pub const UPLOAD_LIMIT: usize = 256 * 1024 * 1024 + 64 * 1024;
/// How far an upload may exceed its limit before reading stops: the handler counts the file's bytes and must see that there are
/// too many.
const UPLOAD_SLACK: usize = 16 * 1024 * 1024;
/// The calls that take an upload: the API's, and the form's.
const UPLOADS: [&str; 2] = ["/api/v1/datasets", expired_session_form::UPLOAD];
/// The calls that take a multipart form. The parser of server functions panics at a header without a boundary, so that one which
/// is missing here answers 500 (a test posts to them all).
const MULTIPART: [&str; 3] = [UPLOADS[0], UPLOADS[1], "/api/ui/cluster-save"];

/// The pages' routes. To be generated once per process, before anything is served: while Leptos generates them, pages in the
/// whole process load no data, and a page rendered just then would wait for ever
/// (<https://github.com/leptos-rs/leptos/issues/4773>).
#[derive(Clone)]
pub struct PageRoutes(Arc<[AxumRouteListing]>);

impl PageRoutes {
    pub fn generate() -> Self {
        Self(generate_route_list(app::App).into())
    }

    /// Their paths, with `{name}` for what varies.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(AxumRouteListing::path)
    }
}

/// The portal's routes with their layers. A request passes, from outside in: panic handler, headers, log, host names, CSRF
/// protection, compression, authentication, body limit.
pub fn router(portal: &AppState, pages: &PageRoutes) -> Router {
    let context = {
        let portal = portal.clone();
        move || {
            provide_context(portal.clone());
            headers::set_page_policy();
        }
    };
    let document = app::Document::new(portal.leptos_options.clone(), style::address());
    let not_found = document.clone();
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route(style::PATH, get(style::serve))
        .route("/api/ui/runs/{id}/live", get(live::follow))
        .route("/api/ui/runs/{id}/live/log", get(live::earlier_lines))
        .route(charts::PATH, get(charts::serve))
        .route(run_figures::PATH, get(run_figures::serve))
        .route(load_figures::PATH, get(load_figures::serve))
        .merge(crate::api::rest::router())
        .leptos_routes_with_context(portal, pages.0.to_vec(), context.clone(), move || document.clone().shell())
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(move |State(portal): State<AppState>, request: Request| elsewhere(portal, request, not_found, context))
        .layer(middleware::from_fn(refused_functions::with_status))
        .layer(middleware::from_fn_with_state(portal.clone(), body_limit))
        .layer(middleware::from_fn_with_state(portal.clone(), auth_layer::require_identity))
        .layer(CompressionLayer::new().br(true).gzip(true))
        .layer(csrf(portal))
        .layer(middleware::from_fn_with_state(portal.clone(), host::own_names_only))
        .layer(middleware::from_fn_with_state(portal.clone(), log::requests))
        .layer(middleware::from_fn_with_state(portal.clone(), headers::on_every_answer))
        .layer(CatchPanicLayer::custom(panicked))
        .with_state(portal.clone())
}

/// Answers 200 when the database can be written.
async fn ready(State(portal): State<AppState>) -> Result<&'static str, Problem> {
    portal.store.check_writable().await.map_err(|error| {
        tracing::error!(%error, "the store does not answer");
        Problem::new(ProblemKind::Unavailable, "The database does not answer.")
    })?;
    Ok("ready\n")
}

/// Paths without a route: static files, else 404.
async fn elsewhere(
    portal: AppState,
    request: Request,
    document: app::Document,
    context: impl Fn() + Clone + Send + Sync + 'static,
) -> Response<Body> {
    let path = request.uri().path().to_owned();
    if portal.is_static_file(&path) {
        return files::serve(&portal, request).await;
    }
    if path.starts_with("/api/") || !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Problem::new(ProblemKind::NotFound, "There is nothing at this address.").into_response();
    }
    let render = leptos_axum::render_app_async_with_context(context, move || document.clone().shell());
    let mut response = render(request).await;
    if response.status() == StatusCode::OK {
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    response
}

/// 405; `Allow` lists the methods.
async fn method_not_allowed() -> Response<Body> {
    let details = serde_json::json!({
        "type": "urn:dyno:problem:method-not-allowed", "title": "Method not allowed", "status": 405,
        "detail": "This address does not take this method.",
    });
    let content_type = [(header::CONTENT_TYPE, "application/problem+json")];
    (StatusCode::METHOD_NOT_ALLOWED, content_type, details.to_string()).into_response()
}

/// Limits the body; one announced as larger is refused before it is read. A browser's refused upload is redirected to its form.
async fn body_limit(State(portal): State<AppState>, mut request: Request, next: Next) -> Response<Body> {
    let (upload, form) = (posts_to(&UPLOADS, &request), posts_to(&MULTIPART, &request));
    if form && !multipart::is_well_formed(request.headers()).await {
        let detail = if upload {
            "The upload was not understood. Send name and file as multipart/form-data."
        } else {
            "The form was not understood. Send its fields as multipart/form-data."
        };
        return refuse(&portal, request, Problem::new(ProblemKind::BadRequest, detail)).await;
    }
    let limit = if upload { UPLOAD_LIMIT } else { BODY_LIMIT };
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        if upload {
            return refuse(&portal, request, datasets::too_large()).await;
        }
        return body_too_large(limit);
    }
    let limit = if upload { limit + UPLOAD_SLACK } else { limit };
    // for axum's extractors, and for those that read the body themselves
    DefaultBodyLimit::max(limit).apply(&mut request);
    let (parts, body) = request.into_parts();
    if upload && let Some(heads) = PartHeads::of(&parts.headers) {
        return limited_upload(parts, Limited::new(body, limit), heads, next).await;
    }
    // Whoever reads the body words a failure as it likes; that it was the limit is known here alone.
    let exceeded = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&exceeded);
    let limited = Limited::new(body, limit).map_err(move |error| {
        seen.fetch_or(error.is::<LengthLimitError>(), Ordering::Relaxed);
        error
    });
    let response = next.run(Request::from_parts(parts, Body::new(limited))).await;
    if exceeded.load(Ordering::Relaxed) {
        return body_too_large(limit);
    }
    response
}

fn posts_to(paths: &[&str], request: &Request) -> bool {
    request.method() == Method::POST && paths.contains(&request.uri().path())
}

/// Passes an upload on as far as its parts' heads are short. Those who read it say what else is wrong with it, its length
/// included.
async fn limited_upload(parts: Parts, body: Limited<Body>, mut heads: PartHeads, next: Next) -> Response<Body> {
    let is_script = parts.uri.path() == UPLOADS[0];
    let exceeded = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&exceeded);
    let pieces = body.into_data_stream().map(move |piece| -> Result<Bytes, BoxError> {
        let piece = piece?;
        heads.take(&piece).inspect_err(|HeadTooLong| seen.store(true, Ordering::Relaxed))?;
        Ok(piece)
    });
    let response = next.run(Request::from_parts(parts, Body::from_stream(pieces))).await;
    if exceeded.load(Ordering::Relaxed) && is_script {
        let detail = format!("The head of a part of the upload is longer than {} KB.", LONGEST_HEAD >> 10);
        return Problem::new(ProblemKind::BadRequest, detail).into_response();
    }
    response
}

fn body_too_large(limit: usize) -> Response<Body> {
    let detail = format!("The body is larger than the limit of {} MB.", limit / (1024 * 1024));
    Problem::new(ProblemKind::TooLarge, detail).into_response()
}

/// Answers scripts with the problem, browsers with their form.
async fn refuse(portal: &AppState, request: Request, problem: Problem) -> Response<Body> {
    let actor = request.extensions().get::<Actor>().cloned();
    match actor.filter(|_| expired_session_form::is_form(&request) && request.uri().path() == expired_session_form::UPLOAD) {
        Some(actor) => expired_session_form::refused_upload(portal, &actor, request, problem).await,
        None => problem.into_response(),
    }
}

/// Refuses requests that other sites make a browser send (CSRF). Scripts send neither `Origin` nor `Sec-Fetch-Site`, and pass.
fn csrf(portal: &AppState) -> CsrfLayer<impl Fn(ProtectionError) -> Response<Body> + Clone + use<>> {
    let layer = CsrfLayer::new().with_rejection_response(|_: ProtectionError| {
        Problem::forbidden("This request comes from another site.").into_response()
    });
    match &portal.config.public_url {
        Some(public) => layer.clone().add_trusted_origin(&public.origin).unwrap_or(layer),
        None => layer,
    }
}

/// The answer after a panic; the log has its cause.
fn panicked(cause: Box<dyn Any + Send + 'static>) -> Response<Body> {
    let text = cause.downcast_ref::<&str>().copied().or_else(|| cause.downcast_ref::<String>().map(String::as_str));
    tracing::error!(cause = text.unwrap_or("unknown"), "a request panicked");
    let detail = "Something went wrong on the server. Its log says what.";
    let mut response = Problem::new(ProblemKind::Internal, detail).into_response();
    headers::complete(response.headers_mut(), false);
    response
}
