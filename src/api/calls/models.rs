//! Models: files and folders of the portal's or of nodes, hub repositories, cloud models.

use std::path::PathBuf;

use jiff::Timestamp;
use uuid::Uuid;

use super::listing::{Listed, checked_name, page_of};
use super::now;
use super::portal_itself;
use crate::domain::inventory::{FileLocation, Model, ModelFacts, ModelFormat, ModelSource};
use crate::domain::list::{ListQuery, Page};
use crate::domain::problem::{FieldError, Problem, ProblemKind};
use crate::domain::provider::ProviderId;
use crate::domain::user::Actor;
use crate::models::{ModelFileError, Roots, hub, normalised_base_url, read_facts, sha256_of};
use crate::state::AppState;
use dyno_load::client::tls::check_certificates;
use dyno_measure::words::{is_blank, is_invisible};

/// Longest certificates of a model, bytes.
const MAX_CERTIFICATE_BYTES: usize = 64 << 10;

/// A model to be added: `name`, `source`, and what that source needs.
#[derive(Debug, Clone, Default, serde::Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NewModel {
    /// The name in lists, 1 to 100 characters.
    pub name: String,
    /// `cloud`, `file` or `hub`.
    pub source: String,
    /// Cloud: a preset's id.
    pub provider: Option<ProviderId>,
    /// Cloud: the API's base; without a path it gets `/v1`. Needed where the provider has no fixed host.
    pub base_url: Option<String>,
    /// Cloud: the provider's name for the model.
    pub model: Option<String>,
    /// Cloud: certificates (PEM, at most 64 KB) that are trusted beside the system's; for an https address.
    pub ca_certificate: Option<String>,
    /// Cloud: whether the server's certificate is not checked at all, which reports say; for an https address.
    pub insecure_skip_tls_verify: Option<bool>,
    /// File: absolute path of a GGUF file or a Hugging Face folder.
    pub path: Option<String>,
    /// File: `portal` (the default) or `node`.
    pub location: Option<FileLocation>,
    /// Hub: `organisation/name`.
    pub repository: Option<String>,
    /// Hub: branch, tag or commit; `main` when absent.
    pub revision: Option<String>,
}

impl Listed for Model {
    fn name(&self) -> &str {
        &self.name
    }
    fn more_text(&self) -> String {
        match &self.source {
            ModelSource::Cloud { model, base_url, .. } => format!("{model} {base_url}"),
            ModelSource::File { path, .. } => path.clone(),
            ModelSource::Hub { repository, .. } => repository.clone(),
        }
    }
    fn created_at(&self) -> Timestamp {
        self.created_at
    }
}

/// The models that the actor may use.
pub async fn list(app: &AppState, actor: &Actor, query: &ListQuery) -> Result<Page<Model>, Problem> {
    page_of(app.store.models(actor).await?, query, "Models")
}

pub async fn get(app: &AppState, actor: &Actor, id: Uuid) -> Result<Model, Problem> {
    Ok(app.store.model(actor, id).await?)
}

/// Adds a model, after a look at its files where they are the portal's. The digest of a file follows in the background.
pub async fn create(app: &AppState, actor: &Actor, new: NewModel) -> Result<Model, Problem> {
    let mut errors = Vec::new();
    let name = checked_name(&new.name).unwrap_or_else(|error| {
        errors.push(FieldError::new("name", error.to_string()));
        String::new()
    });
    let (source, facts) = match described(app, &new).await? {
        Ok(described) => described,
        Err(more) => {
            errors.extend(more);
            return Err(Problem::invalid(errors));
        }
    };
    if !errors.is_empty() {
        return Err(Problem::invalid(errors));
    }
    let model = Model { id: Uuid::now_v7(), name, source, facts, owner: Some(actor.id), archived: false, created_at: now() };
    app.store.insert_model(&model).await?;
    digest_in_background(app, &model);
    Ok(model)
}

/// Removes a model, or archives it where benchmarks were made of it. Its files stay.
pub async fn delete(app: &AppState, actor: &Actor, id: Uuid) -> Result<(), Problem> {
    app.store.remove_model(actor, id).await?;
    Ok(())
}

/// The folders below which model files may lie at present.
pub async fn roots(app: &AppState) -> Result<Roots, Problem> {
    let single_user = app.store.has_single_user().await?;
    Ok(Roots::new(&app.config.model_roots, &app.config.data_dir, single_user))
}

/// Where downloads of the portal's go.
pub fn models_dir(app: &AppState) -> PathBuf {
    app.config.data_dir.join("models")
}

type Described = Result<(ModelSource, Option<ModelFacts>), Vec<FieldError>>;

async fn described(app: &AppState, new: &NewModel) -> Result<Described, Problem> {
    let given = [
        ("provider", new.provider.is_some(), "cloud"),
        ("base_url", new.base_url.is_some(), "cloud"),
        ("model", new.model.is_some(), "cloud"),
        ("ca_certificate", new.ca_certificate.is_some(), "cloud"),
        ("insecure_skip_tls_verify", new.insecure_skip_tls_verify.is_some(), "cloud"),
        ("path", new.path.is_some(), "file"),
        ("location", new.location.is_some(), "file"),
        ("repository", new.repository.is_some(), "hub"),
        ("revision", new.revision.is_some(), "hub"),
    ];
    if !["cloud", "file", "hub"].contains(&new.source.as_str()) {
        return Ok(Err(vec![FieldError::new("source", "Choose where the model is: cloud, file or hub.")]));
    }
    let strangers: Vec<_> = given
        .into_iter()
        .filter(|(_, is_set, source)| *is_set && *source != new.source)
        .map(|(field, _, source)| FieldError::new(field, format!("{field} is for a model whose source is {source}.")))
        .collect();
    if !strangers.is_empty() {
        return Ok(Err(strangers));
    }
    Ok(match new.source.as_str() {
        "cloud" => cloud(new).map(|source| (source, None)),
        "hub" => hub_source(new).map(|source| (source, None)).map_err(|error| vec![error]),
        _ => file(app, new).await?.map_err(|error| vec![error]),
    })
}

fn cloud(new: &NewModel) -> Result<ModelSource, Vec<FieldError>> {
    let mut errors = Vec::new();
    let name = new.model.as_deref().map(str::trim).unwrap_or_default();
    if is_blank(name) {
        errors.push(FieldError::new("model", "Enter the provider's name for the model."));
    } else if name.chars().count() > 200 || name.chars().any(is_invisible) {
        errors.push(FieldError::new("model", "Use at most 200 characters, no control characters."));
    }
    let Some(provider) = new.provider else {
        errors.push(FieldError::new("provider", "Choose a provider."));
        return Err(errors);
    };
    let ca_certificate = new.ca_certificate.as_deref().map(str::trim).filter(|text| !text.is_empty());
    let insecure_skip_tls_verify = new.insecure_skip_tls_verify.unwrap_or_default();
    match normalised_base_url(provider, new.base_url.as_deref()) {
        Ok(base_url) => {
            errors.extend(certificate_errors(&base_url, ca_certificate, insecure_skip_tls_verify));
            if !errors.is_empty() {
                return Err(errors);
            }
            let (model, ca_certificate) = (name.to_owned(), ca_certificate.map(str::to_owned));
            Ok(ModelSource::Cloud { provider, base_url, model, ca_certificate, insecure_skip_tls_verify })
        }
        Err(error) => {
            errors.push(FieldError::new("base_url", error.sentence()));
            Err(errors)
        }
    }
}

/// What is wrong with how a server's certificate is to be checked.
fn certificate_errors(base_url: &str, ca_certificate: Option<&str>, is_unchecked: bool) -> Option<FieldError> {
    let (certificate, unchecked) = ("ca_certificate", "insecure_skip_tls_verify");
    let is_https = base_url.starts_with("https://");
    let Some(text) = ca_certificate else {
        let refused = is_unchecked && !is_https;
        return refused.then(|| FieldError::new(unchecked, "Only a server at an https address has a certificate."));
    };
    if !is_https {
        return Some(FieldError::new(certificate, "Only a server at an https address has a certificate."));
    }
    if is_unchecked {
        return Some(FieldError::new(unchecked, "Give a certificate to trust or leave the check out, not both."));
    }
    if text.len() > MAX_CERTIFICATE_BYTES {
        return Some(FieldError::new(certificate, "Use at most 64 KB."));
    }
    // it is shown to everybody who may see the model
    if text.contains("PRIVATE KEY") {
        return Some(FieldError::new(
            certificate,
            "This holds a private key. Paste the certificate alone, and take the key for known.",
        ));
    }
    check_certificates(text).err().map(|error| FieldError::new(certificate, error.to_string()))
}

fn hub_source(new: &NewModel) -> Result<ModelSource, FieldError> {
    let repository = new.repository.as_deref().map(str::trim).unwrap_or_default();
    let revision = new.revision.as_deref().map(str::trim).filter(|revision| !revision.is_empty()).unwrap_or("main");
    if hub::check_names(repository, "main").is_err() {
        return Err(FieldError::new("repository", "Enter a repository as organisation/name."));
    }
    if hub::check_names(repository, revision).is_err() {
        return Err(FieldError::new("revision", "Enter a branch, a tag or a commit."));
    }
    Ok(ModelSource::Hub { repository: repository.to_owned(), revision: revision.to_owned() })
}

async fn file(app: &AppState, new: &NewModel) -> Result<Result<(ModelSource, Option<ModelFacts>), FieldError>, Problem> {
    let typed = new.path.clone().unwrap_or_default();
    if typed.trim().is_empty() {
        return Ok(Err(FieldError::new("path", "Enter the path of a GGUF file or a Hugging Face folder.")));
    }
    let location = new.location.unwrap_or(FileLocation::Portal);
    let (roots, program) = (roots(app).await?, app.config.program.clone());
    let looked = off_thread(move || {
        let found = roots.locate(&typed).map_err(ModelFileError::from).and_then(|path| {
            let facts = read_facts(&path, &roots, &program)?;
            // engines are started with the first part of a split file
            Ok((facts, crate::models::first_part(&path).unwrap_or(path)))
        });
        match (found, location) {
            (Ok((facts, path)), _) => Ok((path, Some(facts))),
            // What nodes have need not be here; the run checks it there.
            (Err(_), FileLocation::Node) => {
                crate::models::absolute(&typed).map(|path| (path, None)).map_err(ModelFileError::from)
            }
            (Err(error), FileLocation::Portal) => Err(error),
        }
    })
    .await?;
    Ok(match looked {
        Ok((path, facts)) => Ok((ModelSource::File { path: path.display().to_string(), location }, facts)),
        Err(error) => Err(FieldError::new("path", error.sentence())),
    })
}

/// Runs what blocks off the async threads.
async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        tracing::error!(%error, "reading a model failed");
        Problem::new(ProblemKind::Internal, "Something went wrong on the server. Its log says what.")
    })
}

/// Computes the digest of a GGUF file that has none yet: minutes for a large one.
fn digest_in_background(app: &AppState, model: &Model) {
    let (ModelSource::File { path, .. }, Some(facts)) = (&model.source, &model.facts) else { return };
    if facts.format != ModelFormat::Gguf || facts.sha256.is_some() {
        return;
    }
    let (app, id, path) = (app.clone(), model.id, PathBuf::from(path));
    tokio::spawn(async move {
        let stop = app.shutdown.clone();
        let digest = tokio::task::spawn_blocking(move || sha256_of(&path, |_| stop.is_cancelled())).await;
        let digest = match digest {
            Ok(Ok(Some(digest))) => digest,
            Ok(Ok(None)) => return,
            Ok(Err(error)) => return tracing::warn!(model.id = %id, %error, "digest of a model could not be computed"),
            Err(error) => return tracing::error!(model.id = %id, %error, "digest of a model could not be computed"),
        };
        // Read again: it may have been removed meanwhile.
        let Ok(mut model) = app.store.model(&portal_itself(), id).await else { return };
        if let Some(facts) = &mut model.facts {
            facts.sha256 = Some(digest);
        }
        if let Err(error) = app.store.update_model(&model).await {
            tracing::warn!(model.id = %id, %error, "digest of a model could not be kept");
        }
    });
}

/// For the portal's start: goes on with digests that a stop ended.
pub(super) async fn digest_the_rest(app: &AppState) -> Result<(), Problem> {
    for model in app.store.models(&portal_itself()).await? {
        digest_in_background(app, &model);
    }
    Ok(())
}
