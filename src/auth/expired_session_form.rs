//! Forms that never reach their server function: sent after the session's end, or with a body that is refused. The entries are
//! kept for the person who typed them, and the browser is redirected back to the form.

use axum::body::Body;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::token::{digest, random_token};
use super::transport::{self, Transport};
use super::{cookie, multipart};
use crate::domain::form::Flash;
use crate::domain::path::{local_path, query_escape};
use crate::domain::problem::{FieldError, Problem};
use crate::domain::user::Actor;
use crate::domain::workflow::WizardPage;
use crate::state::AppState;
use crate::store::EntryOf;

/// How long entries are kept for the sign-in.
const KEPT: SignedDuration = SignedDuration::from_mins(60);
/// The largest form whose entries are kept.
const MOST_BYTES: usize = 256 * 1024;
/// Path prefix of the server functions that forms post to.
const FUNCTIONS: &str = "/api/ui/";
/// The path of uploads.
pub const UPLOAD: &str = "/api/ui/dataset-upload";
/// Fields that are not kept: hidden ones, and buttons.
const HIDDEN: [&str; 16] = [
    "workflow_id",
    "form",
    "return_to",
    "begins",
    "id",
    "next",
    "here",
    "token",
    "go",
    "simulated",
    "default_requests",
    "default_warmup",
    "done",
    "tested",
    "class",
    "message",
];
/// Query parameters about the previous answer, which are dropped from the address.
const PASSING: [&str; 5] = ["flash", "shown", "dropped", "by", "passed"];

/// Whether a browser submits a form natively rather than by script, so that it displays whatever is answered.
pub fn is_form(request: &Request) -> bool {
    let accepts_page = |headers: &HeaderMap| {
        headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).is_some_and(|accept| accept.contains("text/html"))
    };
    request.method() == Method::POST && request.uri().path().starts_with(FUNCTIONS) && accepts_page(request.headers())
}

/// Answers a form without a valid session: redirects to the sign-in, and from there back to the form.
pub(super) async fn signed_out(app: &AppState, transport: Transport, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let typed = Typed::read(&parts, body).await;
    let here = page_of(app, &parts, &typed.all);
    let kept = match typed.flash() {
        Some(flash) => keep_for_owner(app, transport, &parts, &flash, typed.draft()).await,
        None => Ok(None),
    };
    let kept = kept.unwrap_or_else(|problem| {
        tracing::error!(%problem, "the entries of a form could not be kept");
        None
    });
    let next = match &kept {
        Some(kept) => with_flash(&here, kept.id),
        None => here,
    };
    let mut response = see_other(&format!("/sign-in?next={}", query_escape(&next)));
    if let Some(cookie) = kept.and_then(|kept| kept.cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// Answers a refused upload of a signed-in person: redirects to the form with the problem.
pub async fn refused_upload(app: &AppState, actor: &Actor, request: Request, problem: Problem) -> Response {
    let (parts, body) = request.into_parts();
    let typed = Typed::read(&parts, body).await;
    let data = serde_json::to_value(Flash::new(typed.shown, problem.clone())).unwrap_or_default();
    match app.store.keep_form_entry(EntryOf::Person(actor.id), &data, Timestamp::now() + KEPT).await {
        Ok(id) => see_other(&with_flash("/datasets/new", id)),
        Err(error) => Problem::from(error).into_response(),
    }
}

/// The entries of a form.
struct Typed {
    all: Vec<(String, String)>,
    /// The entries that are shown again.
    shown: Vec<(String, String)>,
    /// Names of the secret fields that were filled in; their values are dropped.
    secrets: Vec<String>,
    /// Whether a file was sent along.
    file: bool,
}

impl Typed {
    async fn read(parts: &Parts, body: Body) -> Self {
        let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let file = parts.uri.path() == UPLOAD;
        let all = if file {
            multipart::fields_then_drain(&parts.headers, body).await
        } else if kind.starts_with("application/x-www-form-urlencoded") {
            let bytes = axum::body::to_bytes(body, MOST_BYTES).await.unwrap_or_default();
            form_urlencoded::parse(&bytes).into_owned().collect()
        } else {
            Vec::new()
        };
        let mut typed = Self { all, shown: Vec::new(), secrets: Vec::new(), file };
        for (name, value) in &typed.all {
            // repeated fields are sent as `nodes[]` or `nodes[0]`
            let name = name.split('[').next().unwrap_or_default();
            if is_secret(name) {
                if !value.is_empty() && !typed.secrets.iter().any(|known| known == name) {
                    typed.secrets.push(name.to_owned());
                }
            } else if !HIDDEN.contains(&name) {
                typed.shown.push((name.to_owned(), value.clone()));
            }
        }
        typed
    }

    /// The flash data for the form's page; `None` where the form had only buttons.
    fn flash(&self) -> Option<Flash> {
        if self.shown.is_empty() && self.secrets.is_empty() {
            return None;
        }
        let mut errors: Vec<FieldError> =
            self.secrets.iter().map(|name| FieldError::new(name, "Enter it again: secrets are not kept.")).collect();
        if self.file {
            errors.push(FieldError::new("file", "Choose the file again."));
        }
        Some(Flash::signed_out(self.shown.clone(), errors))
    }

    /// The draft that the form edits.
    fn draft(&self) -> Option<Uuid> {
        self.all.iter().find(|(name, _)| name == "workflow_id").and_then(|(_, value)| value.parse().ok())
    }
}

/// Whether a field is never kept.
fn is_secret(name: &str) -> bool {
    ["secret", "password", "kubeconfig", "api_key"].iter().any(|word| name.contains(word))
}

struct KeptForm {
    id: Uuid,
    /// If the sender is not known: the cookie with which this browser gets the entries back.
    cookie: Option<HeaderValue>,
}

/// Keeps entries for the owner of the ended session, or else for this browser.
async fn keep_for_owner(
    app: &AppState,
    transport: Transport,
    parts: &Parts,
    flash: &Flash,
    draft: Option<Uuid>,
) -> Result<Option<KeptForm>, Problem> {
    let data = serde_json::to_value(flash).unwrap_or_default();
    let ends = Timestamp::now() + KEPT;
    for secret in [cookie::read(transport, &parts.headers), cookie::ended(&parts.headers)].into_iter().flatten() {
        if let Some(owner) = app.store.session_owner(&digest(secret.expose())).await? {
            let id = app.store.keep_form_entry(EntryOf::Person(owner), &data, ends).await?;
            return Ok(Some(KeptForm { id, cookie: None }));
        }
    }
    let key = cookie::read_form_key(&parts.headers).unwrap_or_else(random_token);
    // This transport allows no cookie, so the entries could not be claimed after the sign-in.
    let Ok(cookie) = cookie::form_key(transport, &key, KEPT.as_secs()) else { return Ok(None) };
    let hash = digest(key.expose());
    let id = app.store.keep_form_entry(EntryOf::Browser { hash: &hash, about: draft }, &data, ends).await?;
    Ok(Some(KeptForm { id, cookie: Some(cookie) }))
}

/// At sign-in: gives the person the entries that this browser sent without a session, if `next` refers to them.
pub(super) async fn claim(app: &AppState, actor: &Actor, headers: &HeaderMap, next: &str) -> Result<(), Problem> {
    let query = next.split_once('?').map(|(_, query)| query).unwrap_or_default();
    let flash = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "flash");
    let id = flash.and_then(|(_, id)| Uuid::parse_str(&id).ok());
    if let (Some(id), Some(key)) = (id, cookie::read_form_key(headers)) {
        app.store.claim_form_entry(actor, id, &digest(key.expose()), Timestamp::now()).await?;
    }
    Ok(())
}

/// The page of a form: the `Referer` if it is one of the portal's pages, else derived from the form's function.
fn page_of(app: &AppState, parts: &Parts, fields: &[(String, String)]) -> String {
    let referer = parts.headers.get(header::REFERER).and_then(|value| value.to_str().ok());
    referer.and_then(|referer| own_page(app, parts, referer)).unwrap_or_else(|| usual_page(parts.uri.path(), fields))
}

fn own_page(app: &AppState, parts: &Parts, referer: &str) -> Option<String> {
    let uri: axum::http::Uri = referer.parse().ok()?;
    let authority = uri.authority()?.as_str();
    let own = transport::authority(&parts.uri, &parts.headers)?;
    let public = app.config.public_url.as_ref().is_some_and(|public| public.authority == authority);
    if authority != own && !public {
        return None;
    }
    let path = local_path(uri.path());
    if path != uri.path() || path.starts_with("/api/") || path == "/sign-in" || path.starts_with("/link/") {
        return None;
    }
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
        if !PASSING.contains(&name.as_ref()) {
            query.append_pair(&name, &value);
        }
    }
    let query = query.finish();
    Some(if query.is_empty() { path } else { format!("{path}?{query}") })
}

fn usual_page(function: &str, fields: &[(String, String)]) -> String {
    let name = function.strip_prefix(FUNCTIONS).unwrap_or_default();
    let draft = fields.iter().find(|(name, _)| name == "workflow_id").and_then(|(_, id)| Uuid::parse_str(id).ok());
    let step = name.strip_prefix("wizard-").and_then(|page| page.parse::<WizardPage>().ok());
    match (name, step, draft) {
        (_, Some(step), Some(draft)) => format!("/wizard/{draft}/{}", step.into_str()),
        (_, Some(_), None) => "/benchmarks/new".to_owned(),
        ("credential-add", ..) => "/credentials/new".to_owned(),
        ("model-add", ..) => "/models/new".to_owned(),
        ("dataset-upload", ..) => "/datasets/new".to_owned(),
        ("token-add" | "person-add" | "password", ..) => "/settings".to_owned(),
        _ => "/".to_owned(),
    }
}

fn with_flash(here: &str, id: Uuid) -> String {
    let joint = if here.contains('?') { '&' } else { '?' };
    format!("{here}{joint}flash={id}")
}

fn see_other(to: &str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, to), (header::CACHE_CONTROL, "no-store")]).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_form_without_a_referer_has_its_usual_page() {
        let id = "0198c0de-0000-7000-8000-000000000001";
        let of_draft = pairs(&[("workflow_id", id)]);
        assert_eq!(usual_page("/api/ui/wizard-model", &of_draft), format!("/wizard/{id}/model"));
        assert_eq!(usual_page("/api/ui/wizard-details", &[]), "/benchmarks/new");
        assert_eq!(usual_page("/api/ui/wizard-model", &pairs(&[("workflow_id", "//evil")])), "/benchmarks/new");
        assert_eq!(usual_page("/api/ui/credential-add", &[]), "/credentials/new");
        assert_eq!(usual_page("/api/ui/runs/delete", &[]), "/");
    }

    #[tokio::test]
    async fn secret_and_hidden_fields_are_not_kept() {
        let request = axum::http::Request::post("/api/ui/wizard-model")
            .header("content-type", "application/x-www-form-urlencoded")
            .body("model_id=m&credential_secret=s&workflow_id=w&nodes%5B0%5D=a&nodes%5B1%5D=b&if_revision=3&password=")
            .unwrap();
        let (parts, body) = request.into_parts();
        let typed = Typed::read(&parts, Body::from(body)).await;
        assert_eq!(typed.shown, pairs(&[("model_id", "m"), ("nodes", "a"), ("nodes", "b"), ("if_revision", "3")]));
        assert_eq!(typed.secrets, ["credential_secret"]);
        assert!(!serde_json::to_string(&typed.flash()).unwrap().contains("\"s\""));
    }
}
