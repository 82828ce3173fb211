//! HTTP handlers of `/api/v1/datasets`.

use axum::extract::{FromRequest, Multipart, Request, State};
use axum::http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::{Json, Path, Query};
use crate::api::calls::datasets;
use crate::auth::SignedIn;
use crate::domain::dataset::Dataset;
use crate::domain::list::{ListQuery, Page};
use crate::domain::problem::{FieldError, Problem, ProblemKind};
use crate::state::AppState;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(get, delete))
}

/// An upload, as `multipart/form-data`.
#[derive(utoipa::ToSchema)]
#[allow(dead_code, reason = "only its schema is used")]
struct DatasetUpload {
    /// The name in lists, 1 to 100 characters.
    name: String,
    /// JSONL, JSON or CSV, up to 256 MB: ShareGPT conversations, Alpaca, or plain prompts.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

/// Lists the datasets that the caller may use.
#[utoipa::path(
    get, path = "/api/v1/datasets", tag = "inventory", params(ListQuery), responses((status = 200, body = Page<Dataset>))
)]
async fn list(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Dataset>>, Problem> {
    datasets::list(&app, &actor, &query).await.map(Json)
}

/// Adds a dataset from an uploaded file; a file with errors is refused with the line of each.
#[utoipa::path(
    post, path = "/api/v1/datasets", tag = "inventory",
    request_body(content = DatasetUpload, content_type = "multipart/form-data"),
    responses((status = 201, body = Dataset), (status = 413, description = "The file is larger than 256 MB."))
)]
async fn create(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    request: Request,
) -> Result<(StatusCode, Json<Dataset>), Problem> {
    let mut form = Multipart::from_request(request, &())
        .await
        .map_err(|_| Problem::new(ProblemKind::BadRequest, "Send name and file as multipart/form-data."))?;
    let (mut name, mut upload) = (None, None);
    while let Some(field) = form.next_field().await.map_err(|error| broken(&error))? {
        match field.name() {
            Some("name") => {
                name = Some(datasets::receive_text("name", field).await?);
            }
            Some("file") => {
                let file_name = field.file_name().unwrap_or_default().to_owned();
                upload = Some(datasets::receive(&app, &actor, &file_name, field).await?);
            }
            other => {
                let field: String = other.unwrap_or_default().chars().take(50).collect();
                let message = format!("{field} is not a known field.");
                return Err(Problem::field(field, message));
            }
        }
    }
    let missing = [("name", name.is_none(), "Enter a name."), ("file", upload.is_none(), "Choose a file.")];
    let errors =
        missing.into_iter().filter(|(_, is_missing, _)| *is_missing).map(|(field, _, text)| FieldError::new(field, text));
    let (Some(name), Some(upload)) = (name, upload) else { return Err(Problem::invalid(errors.collect())) };
    Ok((StatusCode::CREATED, Json(datasets::create(&app, &actor, &name, upload).await?)))
}

fn broken(error: &axum::extract::multipart::MultipartError) -> Problem {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(ProblemKind::TooLarge, "The file is larger than 256 MB."),
        _ => Problem::new(ProblemKind::BadRequest, "The upload is not well-formed, or ended before it was complete."),
    }
}

/// Get a dataset by its id
#[utoipa::path(
    get, path = "/api/v1/datasets/{id}", tag = "inventory", params(("id" = Uuid, Path)), responses((status = 200, body = Dataset))
)]
async fn get(State(app): State<AppState>, SignedIn(actor): SignedIn, Path(id): Path<Uuid>) -> Result<Json<Dataset>, Problem> {
    datasets::get(&app, &actor, id).await.map(Json)
}

/// Removes a dataset; one that benchmarks were made of is archived.
#[utoipa::path(
    delete, path = "/api/v1/datasets/{id}", tag = "inventory", params(("id" = Uuid, Path)), responses((status = 204))
)]
async fn delete(State(app): State<AppState>, SignedIn(actor): SignedIn, Path(id): Path<Uuid>) -> Result<StatusCode, Problem> {
    datasets::delete(&app, &actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
