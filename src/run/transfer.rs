//! The model's files: there, unchanged, and for a hub model fetched.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::SystemTime;

use crate::domain::inventory::{Model, ModelFacts, ModelFormat, ModelSource};
use crate::engine::memory::gb;
use crate::models::{self, Roots, hub};
use crate::state::AppState as App;

/// The model's files, ready to be served.
pub(super) struct Transferred {
    /// File or folder.
    pub path: PathBuf,
    /// What it says of itself, its digest included.
    pub facts: ModelFacts,
    /// What was done, for people.
    pub message: String,
}

/// Folder of downloaded models.
pub(super) fn models_dir(data_dir: &Path) -> PathBuf {
    data_dir.join("models")
}

/// Checks or fetches a model's files. `tell` gets sentences on how far it is. To stop, drop the future.
pub(super) async fn transfer(app: &App, model: &Model, tell: impl FnMut(String) + Send) -> Result<Transferred, String> {
    match &model.source {
        ModelSource::Cloud { .. } => Err("A cloud model has no files.".to_owned()),
        ModelSource::File { path, .. } => {
            let single = app.store.has_single_user().await.map_err(|error| format!("The store failed: {error}."))?;
            let roots = Roots::new(&app.config.model_roots, &app.config.data_dir, single);
            let typed = path.clone();
            let below = roots.clone();
            let path = blocking(move || roots.locate(&typed).map_err(|error| error.sentence())).await?;
            let facts = checked(path.clone(), below, model.facts.as_ref()).await?;
            let message = format!("{} is there, {}, unchanged.", path.display(), gb(facts.weight_bytes));
            Ok(Transferred { path, facts, message })
        }
        ModelSource::Hub { repository, revision } => fetch(app, model, repository, revision, tell).await,
    }
}

/// Reads the files' facts and digest, and compares them with what was known of the model.
async fn checked(path: PathBuf, roots: Roots, known: Option<&ModelFacts>) -> Result<ModelFacts, String> {
    let read = path.clone();
    let mut facts = blocking(move || models::read_facts(&read, &roots).map_err(|error| error.sentence())).await?;
    if facts.format == ModelFormat::Gguf {
        facts.sha256 = Some(digest(path).await?);
    }
    if let Some(known) = known {
        let same_digest = match (&known.sha256, &facts.sha256) {
            (Some(known), Some(found)) => known == found,
            _ => true,
        };
        if !same_digest || known.weight_bytes != facts.weight_bytes || known.architecture != facts.architecture {
            return Err("The model's files have changed since it was added. Add it again under a new name.".to_owned());
        }
    }
    Ok(facts)
}

/// A file as it was: path, size, time of change.
type Seen = (PathBuf, u64, Option<SystemTime>);

/// The digest of a file, computed once for each state of it.
async fn digest(path: PathBuf) -> Result<String, String> {
    static KNOWN: LazyLock<Mutex<HashMap<Seen, String>>> = LazyLock::new(Mutex::default);
    // Set when this future is dropped: then the reading ends, too.
    struct Dropped(Arc<AtomicBool>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let dropped = Dropped(Arc::default());
    let stop = Arc::clone(&dropped.0);
    blocking(move || {
        let failed = |error: std::io::Error| format!("{} could not be read: {error}.", path.display());
        let data = path.metadata().map_err(failed)?;
        let seen = (path.clone(), data.len(), data.modified().ok());
        if let Some(known) = KNOWN.lock().unwrap_or_else(PoisonError::into_inner).get(&seen) {
            return Ok(known.clone());
        }
        let digest = models::sha256_of(&path, |_| stop.load(Ordering::Relaxed)).map_err(failed)?;
        let digest = digest.ok_or_else(|| "Stopped.".to_owned())?;
        KNOWN.lock().unwrap_or_else(PoisonError::into_inner).insert(seen, digest.clone());
        Ok(digest)
    })
    .await
}

async fn fetch(
    app: &App,
    model: &Model,
    repository: &str,
    revision: &str,
    mut tell: impl FnMut(String) + Send,
) -> Result<Transferred, String> {
    let folder = models_dir(&app.config.data_dir);
    let single = app.store.has_single_user().await.map_err(|error| format!("The store failed: {error}."))?;
    let hub = hub::Hub::from_environment(app.outgoing.clone(), app.outgoing.policy(single)).map_err(|error| error.sentence())?;
    let mut bytes = 0;
    let path = hub
        .download(repository, revision, &folder, |progress| {
            bytes = progress.bytes_total;
            tell(format!("{}: {} of {}", progress.file, gb(progress.bytes_done), gb(progress.bytes_total)));
        })
        .await
        .map_err(|error| error.sentence())?;
    let facts = checked(path.clone(), Roots::default(), model.facts.as_ref()).await?;
    if model.facts.is_none() {
        remember(app, model, &facts).await;
    }
    Ok(Transferred { path, facts, message: format!("{repository} at {revision} is there, {}.", gb(bytes)) })
}

/// What a hub model says of itself is known from its first transfer on.
async fn remember(app: &App, model: &Model, facts: &ModelFacts) {
    let Some(owner) = model.owner else { return };
    let current = async {
        let actor = app.store.actor(owner).await?;
        let current = app.store.model(&actor, model.id).await?;
        app.store.update_model(&Model { facts: Some(facts.clone()), ..current }).await
    };
    if let Err(error) = current.await {
        tracing::warn!(model.id = %model.id, %error, "what a model says of itself could not be kept");
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, String> + Send + 'static) -> Result<T, String> {
    tokio::task::spawn_blocking(work).await.map_err(|error| format!("Reading the model failed: {error}."))?
}
