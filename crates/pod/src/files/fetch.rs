//! Downloads from the hub, by what the caller of the command brings.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use tokio::sync::watch;

use super::Files;
use crate::protocol::{ErrorCode, FetchProgress, FetchRequest, FetchStatus};
use crate::serve::Refused;

/// Why a download failed; a sentence for people.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct FetchError(pub String);

/// Fetches into a folder, says how far it is, and gives the path that an engine serves. What was fetched before is not
/// fetched again.
pub type FetchFunction = Box<
    dyn Fn(
            FetchRequest,
            PathBuf,
            watch::Sender<FetchProgress>,
        ) -> Pin<Box<dyn Future<Output = Result<PathBuf, FetchError>> + Send>>
        + Send
        + Sync,
>;

/// The download that goes on, or went on last.
struct Download {
    request: FetchRequest,
    progress: watch::Receiver<FetchProgress>,
    result: watch::Receiver<Option<Result<PathBuf, FetchError>>>,
}

pub(super) struct Fetching {
    with: Option<(PathBuf, FetchFunction)>,
    download: Mutex<Option<Download>>,
}

impl Fetching {
    pub(super) fn new(with: Option<(PathBuf, FetchFunction)>) -> Self {
        Self { with, download: Mutex::new(None) }
    }

    pub(super) fn status(&self) -> Result<FetchStatus, Refused> {
        let download = self.download.lock().unwrap_or_else(PoisonError::into_inner);
        let none = || Refused::new(StatusCode::NOT_FOUND, ErrorCode::NotFound, "Nothing is fetched.");
        download.as_ref().map(Download::status).ok_or_else(none)
    }

    /// Begins; goes on where the same is fetched, and again where it failed.
    fn begin(&self, request: FetchRequest) -> Result<FetchStatus, Refused> {
        let Some((folder, fetch)) = &self.with else {
            return Err(Refused::new(StatusCode::NOT_FOUND, ErrorCode::NotFound, "Nothing can be fetched here."));
        };
        let mut download = self.download.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = &*download {
            let status = before.status();
            match status {
                FetchStatus::Running(_) if before.request != request => {
                    return Err(Refused::new(StatusCode::CONFLICT, ErrorCode::Busy, "Another download goes on."));
                }
                FetchStatus::Running(_) | FetchStatus::Done { .. } if before.request == request => return Ok(status),
                _ => {}
            }
        }
        let (tell, progress) = watch::channel(FetchProgress::default());
        let (end, result) = watch::channel(None);
        let fetched = fetch(request.clone(), folder.clone(), tell);
        tokio::spawn(async move { end.send_replace(Some(fetched.await)) });
        let new = download.insert(Download { request, progress, result });
        Ok(new.status())
    }
}

impl Download {
    fn status(&self) -> FetchStatus {
        match &*self.result.borrow() {
            Some(Ok(path)) => FetchStatus::Done { path: path.clone() },
            Some(Err(error)) => FetchStatus::Failed { message: error.to_string() },
            // It ends without a result only if it panicked.
            None if self.result.has_changed().is_err() => FetchStatus::Failed { message: "The download broke off.".to_owned() },
            None => FetchStatus::Running(self.progress.borrow().clone()),
        }
    }
}

pub(super) async fn begin(
    State(files): State<Arc<Files>>,
    Json(request): Json<FetchRequest>,
) -> Result<Json<FetchStatus>, Refused> {
    files.fetching.begin(request).map(Json)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use tokio::sync::Notify;

    use super::*;

    fn request(repository: &str) -> FetchRequest {
        FetchRequest { repository: repository.to_owned(), revision: "main".to_owned() }
    }

    async fn over(fetching: &Fetching) -> FetchStatus {
        loop {
            match fetching.status().unwrap() {
                FetchStatus::Running(_) => tokio::time::sleep(Duration::from_millis(5)).await,
                status => return status,
            }
        }
    }

    /// Fails the first time, and waits for `go_on` each time.
    fn fetching(go_on: &Arc<Notify>) -> (Fetching, Arc<AtomicU32>) {
        let (go_on, times) = (Arc::clone(go_on), Arc::new(AtomicU32::new(0)));
        let counter = Arc::clone(&times);
        let fetch: FetchFunction = Box::new(move |request, folder, progress| {
            let (go_on, times) = (Arc::clone(&go_on), Arc::clone(&times));
            Box::pin(async move {
                progress.send_replace(FetchProgress { file: "model.gguf".to_owned(), bytes_done: 5, bytes_total: 9 });
                go_on.notified().await;
                let is_first = times.fetch_add(1, Ordering::Relaxed) == 0;
                if is_first { Err(FetchError("The hub is away.".to_owned())) } else { Ok(folder.join(request.repository)) }
            })
        });
        (Fetching::new(Some(("/cache".into(), fetch))), counter)
    }

    #[tokio::test]
    async fn a_download_is_told_and_begun_again_only_where_it_failed() {
        let go_on = Arc::new(Notify::new());
        let (fetching, times) = fetching(&go_on);
        assert!(fetching.status().is_err());
        fetching.begin(request("a")).unwrap();
        tokio::task::yield_now().await;
        let FetchStatus::Running(progress) = fetching.begin(request("a")).unwrap() else { panic!("it goes on") };
        assert_eq!((progress.file.as_str(), progress.bytes_done, progress.bytes_total), ("model.gguf", 5, 9));
        assert_eq!(fetching.begin(request("b")).unwrap_err().1.error, ErrorCode::Busy);
        go_on.notify_one();
        assert_eq!(over(&fetching).await, FetchStatus::Failed { message: "The hub is away.".to_owned() });
        fetching.begin(request("a")).unwrap();
        go_on.notify_one();
        let done = FetchStatus::Done { path: "/cache/a".into() };
        assert_eq!(over(&fetching).await, done);
        assert_eq!((fetching.begin(request("a")).unwrap(), times.load(Ordering::Relaxed)), (done, 2));
        assert!(matches!(fetching.begin(request("b")).unwrap(), FetchStatus::Running(_)));
    }

    #[tokio::test]
    async fn a_download_that_panics_has_failed() {
        let fetch: FetchFunction = Box::new(|_, _, _| Box::pin(async { panic!("for this test") }));
        let fetching = Fetching::new(Some(("/cache".into(), fetch)));
        fetching.begin(request("a")).unwrap();
        assert!(matches!(over(&fetching).await, FetchStatus::Failed { .. }));
    }
}
