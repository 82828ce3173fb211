//! The model's files on this machine: there, unchanged, and for a hub model fetched.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use tokio::sync::watch;

use super::LocalExecutor;
use crate::domain::inventory::{Model, ModelFacts, ModelFormat, ModelSource};
use crate::engine::ServedModel;
use crate::models::{self, Roots, hub};
use crate::run::executor::{ExecutorError, PlacedModel};
use crate::store::StoreError;
use dyno_measure::words;

/// Why a model can't be served from here; the text is a sentence for people.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TransferError {
    #[error("A cloud model has no files.")]
    NoFiles,
    #[error("{}", .0.sentence())]
    Path(#[from] models::PathError),
    #[error("{}", .0.sentence())]
    Model(#[from] models::ModelFileError),
    #[error("{}", .0.sentence())]
    Hub(#[from] hub::HubError),
    #[error("The model's files have changed since it was added. Add it again under a new name.")]
    Changed,
    #[error("{0} could not be read: {1}.")]
    Unreadable(String, #[source] std::io::Error),
    #[error("The reading of the model's files was stopped.")]
    Stopped,
    #[error("The store failed: {0}.")]
    Store(#[from] StoreError),
    #[error("Reading the model failed: {0}.")]
    BrokeOff(#[from] tokio::task::JoinError),
}

impl From<TransferError> for ExecutorError {
    fn from(error: TransferError) -> Self {
        Self::Transfer(Box::new(error))
    }
}

/// A file as it was: path, size, time of change.
type ModelFileState = (PathBuf, u64, Option<SystemTime>);

/// Digests of files, computed once for each state of a file.
#[derive(Debug, Clone, Default)]
pub(super) struct ModelDigests(Arc<Mutex<HashMap<ModelFileState, String>>>);

impl LocalExecutor {
    /// Checks or fetches a model's files.
    pub(super) async fn transfer_model(
        &self,
        model: &Model,
        progress: watch::Sender<String>,
    ) -> Result<PlacedModel, TransferError> {
        let (path, facts, message) = match &model.source {
            ModelSource::Cloud { .. } => return Err(TransferError::NoFiles),
            ModelSource::File { path, .. } => {
                let roots = Roots::new(&self.model_roots, &self.data_dir, self.store.has_single_user().await?);
                let (typed, below) = (path.clone(), roots.clone());
                let path = tokio::task::spawn_blocking(move || roots.locate(&typed)).await??;
                let facts = self.checked(path.clone(), below, model.facts.as_ref()).await?;
                let message = format!("{} is there, {}, unchanged.", path.display(), words::bytes(facts.weight_bytes));
                (path, facts, message)
            }
            ModelSource::Hub { repository, revision } => self.fetch(model, repository, revision, progress).await?,
        };
        let tokenizer = path.join("tokenizer.json").is_file().then(|| path.clone());
        Ok(PlacedModel { served: ServedModel::Path(path), facts, volumes: Vec::new(), tokenizer, message })
    }

    /// Reads the files' facts and digest, and compares them with what was known of the model.
    async fn checked(&self, path: PathBuf, roots: Roots, known: Option<&ModelFacts>) -> Result<ModelFacts, TransferError> {
        let (read, program) = (path.clone(), self.program.clone());
        let mut facts = tokio::task::spawn_blocking(move || models::read_facts(&read, &roots, &program)).await??;
        if facts.format == ModelFormat::Gguf {
            facts.sha256 = Some(self.digests.of(path).await?);
        }
        if let Some(known) = known {
            let same_digest = match (&known.sha256, &facts.sha256) {
                (Some(known), Some(found)) => known == found,
                _ => true,
            };
            if !same_digest || known.weight_bytes != facts.weight_bytes || known.architecture != facts.architecture {
                return Err(TransferError::Changed);
            }
        }
        Ok(facts)
    }

    async fn fetch(
        &self,
        model: &Model,
        repository: &str,
        revision: &str,
        progress: watch::Sender<String>,
    ) -> Result<(PathBuf, ModelFacts, String), TransferError> {
        let folder = self.data_dir.join("models");
        let single = self.store.has_single_user().await?;
        let hub = hub::Hub::of(&self.hub, self.outgoing.clone(), self.outgoing.policy(single))?;
        let mut bytes = 0;
        let path = hub
            .download(repository, revision, &folder, |step| {
                bytes = step.bytes_total;
                progress.send_replace(format!(
                    "{}: {} of {}",
                    step.file,
                    words::bytes(step.bytes_done),
                    words::bytes(step.bytes_total)
                ));
            })
            .await?;
        let facts = self.checked(path.clone(), Roots::default(), model.facts.as_ref()).await?;
        Ok((path, facts, format!("{repository} at {revision} is there, {}.", words::bytes(bytes))))
    }
}

impl ModelDigests {
    async fn of(&self, path: PathBuf) -> Result<String, TransferError> {
        // Set when this future is dropped: then the reading ends, too.
        struct Dropped(Arc<AtomicBool>);
        impl Drop for Dropped {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let dropped = Dropped(Arc::default());
        let stop = Arc::clone(&dropped.0);
        let known = Arc::clone(&self.0);
        let work = move || {
            let failed = |error: std::io::Error| TransferError::Unreadable(path.display().to_string(), error);
            let data = path.metadata().map_err(failed)?;
            let state = (path.clone(), data.len(), data.modified().ok());
            if let Some(known) = known.lock().unwrap_or_else(PoisonError::into_inner).get(&state) {
                return Ok(known.clone());
            }
            let digest = models::sha256_of(&path, |_| stop.load(Ordering::Relaxed)).map_err(failed)?;
            let digest = digest.ok_or(TransferError::Stopped)?;
            known.lock().unwrap_or_else(PoisonError::into_inner).insert(state, digest.clone());
            Ok(digest)
        };
        tokio::task::spawn_blocking(work).await?
    }
}
