//! Datasets: uploads are parsed and counted at once; each bad line is named.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::{Stream, StreamExt};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

use super::listing::{Listed, checked_name, page_of};
use super::{now, portal_itself};
use crate::domain::dataset::Dataset;
use crate::domain::list::{ListQuery, Page};
use crate::domain::problem::{FieldError, Problem, ProblemKind};
use crate::domain::user::Actor;
use crate::state::AppState;
use dyno_datasets::{
    BUILTIN_NAME, ImportError, Imported, MAX_BAD_LINES, MAX_FILE_BYTES, MAX_HASH_IDS, MAX_ROWS, builtin, first_arrivals,
    import_until, path_of, read_rows,
};
use dyno_measure::dataset::{DatasetRow, LeftOut, TraceRow};

/// Longest text of a form beside its file, bytes.
const MAX_TEXT_BYTES: usize = 16 << 10;
/// Most that is kept of a file's name, characters: its end is only looked at.
const MAX_FILE_NAME: usize = 1_000;

impl Listed for Dataset {
    fn name(&self) -> &str {
        &self.name
    }
    fn created_at(&self) -> Timestamp {
        self.created_at
    }
}

/// An uploaded file, kept under a name of our own until it is parsed; gone when this is dropped.
pub struct Upload {
    path: PathBuf,
    /// Whose it is, and how much of it has come.
    app: AppState,
    owner: Uuid,
    received: u64,
    /// The name that the sender gave it; only for recognising the format.
    pub file_name: String,
    /// SHA-256 of its bytes.
    pub sha256: [u8; 32],
}

impl Drop for Upload {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
        self.app.uploads.end(self.owner, self.received);
    }
}

/// The datasets that the actor may use.
pub async fn list(app: &AppState, actor: &Actor, query: &ListQuery) -> Result<Page<Dataset>, Problem> {
    page_of(app.store.datasets(actor).await?, query, "Datasets")
}

pub async fn get(app: &AppState, actor: &Actor, id: Uuid) -> Result<Dataset, Problem> {
    Ok(app.store.dataset(actor, id).await?)
}

/// The first rows of a dataset, or the first arrivals of a trace: one of the two lists is empty.
pub async fn first_rows(
    app: &AppState,
    actor: &Actor,
    id: Uuid,
    count: usize,
) -> Result<(Vec<DatasetRow>, Vec<TraceRow>), Problem> {
    let dataset = app.store.dataset(actor, id).await?;
    let path = path_of(&app.config.data_dir, id);
    let read = off_thread(move || {
        if dataset.format.is_trace() {
            return first_arrivals(&path, count).map(|arrivals| (Vec::new(), arrivals));
        }
        let rows = read_rows(&path).and_then(|rows| rows.take(count).collect::<std::io::Result<Vec<_>>>());
        rows.map(|rows| (rows, Vec::new()))
    });
    read.await?.map_err(|error: std::io::Error| {
        tracing::error!(dataset.id = %id, %error, "a dataset's rows could not be read");
        Problem::new(ProblemKind::Internal, "The rows could not be read. The server's log says why.")
    })
}

/// What a person's datasets take on the disk, bytes.
async fn kept_by(app: &AppState, person: Uuid) -> Result<u64, Problem> {
    let mut kept = 0;
    for id in app.store.dataset_ids_of(person).await? {
        // One without a file takes nothing.
        kept += tokio::fs::metadata(path_of(&app.config.data_dir, id)).await.map_or(0, |file| file.len());
    }
    Ok(kept)
}

fn over_quota(app: &AppState, kept: u64) -> Problem {
    let [kept, quota] = [kept, app.config.upload_quota].map(|bytes| bytes.div_ceil(1 << 20));
    let detail = format!(
        "There is no room for this file: your datasets take {kept} MB of the {quota} MB that one person's may. Delete some first."
    );
    Problem::field("file", detail)
}

/// Takes an upload's bytes in, up to the limit and to what the person may keep.
pub async fn receive<B: AsRef<[u8]>, E: std::fmt::Display>(
    app: &AppState,
    actor: &Actor,
    file_name: &str,
    bytes: impl Stream<Item = Result<B, E>>,
) -> Result<Upload, Problem> {
    let folder = app.config.data_dir.join("uploads");
    tokio::fs::create_dir_all(&folder).await.map_err(disk)?;
    let kept = kept_by(app, actor.id).await?;
    let room = app.config.upload_quota.saturating_sub(kept);
    let mut upload = Upload {
        path: folder.join(Uuid::new_v4().to_string()),
        app: app.clone(),
        owner: actor.id,
        received: 0,
        file_name: file_name.chars().take(MAX_FILE_NAME).collect(),
        sha256: [0; 32],
    };
    let mut file =
        tokio::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&upload.path).await.map_err(disk)?;
    let mut digest = Sha256::new();
    let mut bytes = std::pin::pin!(bytes);
    while let Some(chunk) = bytes.next().await {
        let chunk = chunk.map_err(|error| broken(&error))?;
        let length = chunk.as_ref().len() as u64;
        upload.received += length;
        let under_way = app.uploads.add(actor.id, length);
        if upload.received > MAX_FILE_BYTES {
            return Err(too_large());
        }
        if under_way > room {
            return Err(over_quota(app, kept));
        }
        digest.update(chunk.as_ref());
        file.write_all(chunk.as_ref()).await.map_err(disk)?;
    }
    file.flush().await.map_err(disk)?;
    upload.sha256 = digest.finalize().into();
    Ok(upload)
}

/// Takes in the text of a form's field, which may be long before its length is looked at otherwise.
pub async fn receive_text<B: AsRef<[u8]>, E: std::fmt::Display>(
    field: &str,
    bytes: impl Stream<Item = Result<B, E>>,
) -> Result<String, Problem> {
    receive_text_up_to(MAX_TEXT_BYTES, field, bytes).await
}

/// Takes in the text of a form's field, up to a length in bytes.
pub async fn receive_text_up_to<B: AsRef<[u8]>, E: std::fmt::Display>(
    limit: usize,
    field: &str,
    bytes: impl Stream<Item = Result<B, E>>,
) -> Result<String, Problem> {
    let mut text = Vec::new();
    let mut bytes = std::pin::pin!(bytes);
    while let Some(chunk) = bytes.next().await {
        let chunk = chunk.map_err(|error| broken(&error))?;
        if text.len() + chunk.as_ref().len() > limit {
            return Err(Problem::field(field, "The text is too long."));
        }
        text.extend_from_slice(chunk.as_ref());
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn broken(error: &impl std::fmt::Display) -> Problem {
    tracing::debug!(%error, "an upload ended early");
    Problem::new(ProblemKind::BadRequest, "The upload ended before it was complete.")
}

/// Sets a flag when it is dropped: with the future that holds it, whose sender has left.
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Adds a dataset from an uploaded file. A file with errors is refused with the line of each.
pub async fn create(app: &AppState, actor: &Actor, name: &str, upload: Upload) -> Result<Dataset, Problem> {
    let name = checked_name(name).map_err(|error| Problem::field("name", error.to_string()))?;
    let id = Uuid::now_v7();
    let output = path_of(&app.config.data_dir, id);
    let target = output.clone();
    let turn = Arc::clone(&app.dataset_imports).acquire_owned().await.map_err(|error| disk(std::io::Error::other(error)))?;
    let waiting = StopOnDrop(Arc::default());
    let stop = Arc::clone(&waiting.0);
    let imported = off_thread(move || {
        // held here, since the thread outlives whoever asked until it sees that nobody waits
        let _turn = turn;
        import_until(&upload.path, &upload.file_name, &target, MAX_FILE_BYTES, &stop)
    });
    let imported = imported.await?.map_err(refused)?;
    let kept = kept_by(app, actor.id).await?;
    let length = tokio::fs::metadata(&output).await.map_err(disk)?.len();
    if kept + length > app.config.upload_quota {
        remove_file(&output).await;
        return Err(over_quota(app, kept));
    }
    let dataset = described(id, name, imported, Some(actor.id));
    if let Err(error) = app.store.insert_dataset(&dataset).await {
        remove_file(&output).await;
        return Err(error.into());
    }
    Ok(dataset)
}

/// Removes a dataset and its rows, or archives it where benchmarks were made of it.
pub async fn delete(app: &AppState, actor: &Actor, id: Uuid) -> Result<(), Problem> {
    if app.store.dataset(actor, id).await?.builtin {
        return Err(Problem::conflict("The dataset that comes with Dyno can't be removed."));
    }
    if app.store.remove_dataset(actor, id).await? {
        remove_file(&path_of(&app.config.data_dir, id)).await;
    }
    Ok(())
}

/// For the portal's start: removes uploads that a stop ended.
pub(super) async fn clear_uploads(app: &AppState) -> Result<(), Problem> {
    match tokio::fs::remove_dir_all(app.config.data_dir.join("uploads")).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(disk(error)),
        _ => Ok(()),
    }
}

/// For the portal's start: makes sure that the dataset that comes with Dyno is there.
pub(super) async fn register_builtin(app: &AppState) -> Result<(), Problem> {
    let data_dir = app.config.data_dir.clone();
    let (id, imported) = off_thread(move || builtin(&data_dir)).await?.map_err(refused)?;
    if app.store.dataset(&portal_itself(), id).await.is_ok() {
        return Ok(());
    }
    let dataset = Dataset { builtin: true, ..described(id, BUILTIN_NAME.to_owned(), imported, None) };
    Ok(app.store.insert_dataset(&dataset).await?)
}

fn described(id: Uuid, name: String, imported: Imported, owner: Option<Uuid>) -> Dataset {
    Dataset {
        id,
        name,
        format: imported.format,
        samples: imported.samples,
        left_out: imported.left_out,
        replaced: imported.replaced,
        with_reference: imported.with_reference,
        mean_prompt_chars: imported.mean_prompt_chars,
        trace: imported.trace,
        sha256: imported.sha256,
        builtin: false,
        owner,
        archived: false,
        created_at: now(),
    }
}

fn refused(error: ImportError) -> Problem {
    match error {
        ImportError::TooLarge => too_large(),
        ImportError::Empty => Problem::field("file", "The file has no rows."),
        ImportError::NothingToSend(left_out) => {
            let why = LeftOut::sentence(&left_out, "the file", 0).unwrap_or_default();
            Problem::field("file", format!("The file has nothing to send: {why}"))
        }
        ImportError::TooManyRows => Problem::field("file", format!("The file has more than {MAX_ROWS} rows.")),
        ImportError::TooManyHashIds => Problem::field("file", format!("The trace has more than {MAX_HASH_IDS} hash_ids.")),
        ImportError::Stopped => broken(&error),
        ImportError::BadLines { listed, more } => {
            let mut errors: Vec<_> =
                listed.iter().map(|bad| FieldError::new("file", format!("Line {}: {}.", bad.line, bad.message))).collect();
            let count = errors.len() as u64 + more;
            let stopped = count >= MAX_BAD_LINES;
            if stopped {
                errors
                    .push(FieldError::new("file", format!("{more} more lines have errors. The lines after them were not read.")));
            } else if more > 0 {
                errors.push(FieldError::new("file", format!("{more} more lines have errors.")));
            }
            let detail = if stopped {
                format!("{count} or more lines of the file have errors.")
            } else if count == 1 {
                "A line of the file has an error.".to_owned()
            } else {
                format!("{count} lines of the file have errors.")
            };
            Problem { detail, ..Problem::invalid(errors) }
        }
        ImportError::Io(error) => disk(error),
    }
}

/// That a file is larger than the limit, said at its field.
pub fn too_large() -> Problem {
    let detail = format!("The file is larger than {} MB.", MAX_FILE_BYTES >> 20);
    Problem { errors: vec![FieldError::new("file", detail.clone())], ..Problem::new(ProblemKind::TooLarge, detail) }
}

fn disk(error: std::io::Error) -> Problem {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    tracing::error!(%error, "a dataset could not be kept");
    if matches!(error.kind(), StorageFull | QuotaExceeded) {
        return Problem::disk_full();
    }
    Problem::new(ProblemKind::Internal, "The file could not be kept. The server's log says why.")
}

async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.map_err(|error| disk(std::io::Error::other(error)))
}

async fn remove_file(path: &Path) {
    if let Err(error) = tokio::fs::remove_file(path).await {
        tracing::warn!(path = %path.display(), %error, "a dataset's rows could not be removed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dyno_datasets::LineError;

    #[tokio::test]
    async fn a_long_text_is_refused_before_it_is_there() {
        let pieces = |count: usize| futures::stream::iter((0..count).map(|_| Ok::<_, std::io::Error>([b'x'; 1024])));
        assert_eq!(receive_text("name", pieces(16)).await.unwrap().len(), MAX_TEXT_BYTES);
        assert_eq!(receive_text("name", pieces(17)).await.unwrap_err().errors[0].field, "name");
        let endless = futures::stream::repeat_with(|| Ok::<_, std::io::Error>([b'x'; 1024]));
        assert!(receive_text("name", endless).await.is_err());
    }

    #[test]
    fn a_full_disk_is_named() {
        for kind in [std::io::ErrorKind::StorageFull, std::io::ErrorKind::QuotaExceeded] {
            assert_eq!(refused(ImportError::Io(kind.into())).kind, ProblemKind::InsufficientStorage);
        }
        assert_eq!(disk(std::io::ErrorKind::PermissionDenied.into()).kind, ProblemKind::Internal);
    }

    #[test]
    fn each_bad_line_is_an_error_of_the_file() {
        let listed = vec![LineError { line: 3, message: "the prompt is empty".to_owned() }];
        let problem = refused(ImportError::BadLines { listed, more: 4 });
        assert_eq!(problem.detail, "5 lines of the file have errors.");
        let errors: Vec<_> = problem.errors.iter().map(|error| (error.field.as_str(), error.message.as_str())).collect();
        assert_eq!(errors, [("file", "Line 3: the prompt is empty."), ("file", "4 more lines have errors.")]);
    }
}
