//! The pod that brings files to a volume.

use std::io::{self, SeekFrom};
use std::path::Path;
use std::time::Duration;

use axum::body::Bytes;
use http::Method;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio::time::Instant;

use super::{Pod, PodClientError, PodTransport};
use crate::protocol::{ErrorCode, FetchRequest, FetchStatus, FoundFile, SealRequest, UploadStatus};
use crate::token::Token;

/// What is sent at once, bytes.
const CHUNK: u64 = 8 << 20;
/// How long an upload that can't go on is tried again.
const PATIENCE: Duration = Duration::from_secs(90);
/// Between two tries, and two looks at a digest.
const PAUSE: Duration = Duration::from_millis(300);

/// Requests to a transfer pod.
#[derive(Debug, Clone)]
pub struct FilesPodClient<T>(Pod<T>);

/// Why a file did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    #[error("The file can't be read: {0}.")]
    Unreadable(#[source] io::Error),
    #[error(transparent)]
    Client(#[from] PodClientError),
}

impl<T: PodTransport> FilesPodClient<T> {
    pub fn new(transport: T, token: Token) -> Self {
        Self(Pod { transport, token })
    }

    /// What is at a path of the pod; absent where nothing is. With `sha256` it is to be asked again until the digest is there.
    pub async fn check(&self, path: &str, sha256: bool) -> Result<Option<FoundFile>, PodClientError> {
        let address = {
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.append_pair("path", path);
            if sha256 {
                query.append_pair("sha256", "true");
            }
            format!("/check?{}", query.finish())
        };
        match self.0.get(&address).await {
            Err(error) if error.code() == Some(ErrorCode::NotFound) => Ok(None),
            facts => facts.map(Some),
        }
    }

    /// How far the upload of a file is.
    pub async fn upload_status(&self, name: &str) -> Result<UploadStatus, PodClientError> {
        self.0.get(&format!("/files/{name}")).await
    }

    /// Sends a file, from where an earlier upload broke off, and has it checked. `progress` gets the bytes that are there and
    /// those that the check has read. To stop, drop the future.
    pub async fn upload(
        &self,
        name: &str,
        path: &Path,
        sha256: &str,
        mut progress: impl FnMut(UploadStatus) + Send,
    ) -> Result<(), UploadError> {
        let mut file = File::open(path).await.map_err(UploadError::Unreadable)?;
        let size = file.metadata().await.map_err(UploadError::Unreadable)?.len();
        let (mut last, mut at) = (Instant::now(), UploadStatus::default());
        let stated = SealRequest { size, sha256: sha256.to_owned() };
        let mut was_anew = false;
        let mut next = self.upload_status(name).await;
        loop {
            match next {
                // Whether one that is in its place is this file, its digest tells.
                Ok(status) if status.sealed && status.hashed == size && at.offset == size => {
                    progress(status);
                    return Ok(());
                }
                Ok(status) => {
                    if status != at {
                        (last, at) = (Instant::now(), status);
                        progress(status);
                    }
                    next = if status.offset >= size {
                        let sealed: Result<UploadStatus, _> = self.0.say(Method::POST, &format!("/seal/{name}"), &stated).await;
                        if sealed.as_ref().is_ok_and(|status| !status.sealed) {
                            tokio::time::sleep(PAUSE).await;
                        }
                        sealed
                    } else {
                        self.send(name, &mut file, status.offset, size).await?
                    };
                }
                // What was there may have been of another file.
                Err(error) if error.code() == Some(ErrorCode::WrongDigest) && !was_anew => {
                    was_anew = true;
                    next = Ok(UploadStatus::default());
                }
                Err(error) => {
                    let offset = match &error {
                        PodClientError::Refused(_, refusal) => refusal.offset,
                        _ => None,
                    };
                    if let Some(offset) = offset {
                        next = Ok(UploadStatus { offset, ..UploadStatus::default() });
                        continue;
                    }
                    if !error.is_transient() || last.elapsed() > PATIENCE {
                        return Err(error.into());
                    }
                    tokio::time::sleep(PAUSE).await;
                    next = self.upload_status(name).await;
                }
            }
        }
    }

    /// The next bytes. What of them arrived before a connection broke is asked for afterwards.
    async fn send(
        &self,
        name: &str,
        file: &mut File,
        offset: u64,
        size: u64,
    ) -> Result<Result<UploadStatus, PodClientError>, UploadError> {
        let mut chunk = vec![0; (size - offset).min(CHUNK) as usize];
        file.seek(SeekFrom::Start(offset)).await.map_err(UploadError::Unreadable)?;
        file.read_exact(&mut chunk).await.map_err(UploadError::Unreadable)?;
        let address = format!("/files/{name}?offset={offset}");
        let sent = self.0.call(Method::PUT, &address, Bytes::from(chunk), Some("application/octet-stream")).await;
        Ok(sent.and_then(|(_, body)| serde_json::from_slice(&body).map_err(PodClientError::NotUnderstood)))
    }

    /// How far the download of the hub's files into the volume is; it is begun where none was. To be asked again until they are there.
    /// One that failed is not begun again.
    pub async fn fetch(&self, request: &FetchRequest) -> Result<FetchStatus, PodClientError> {
        match self.0.get("/fetch").await {
            Err(error) if error.code() == Some(ErrorCode::NotFound) => self.0.say(Method::POST, "/fetch", request).await,
            status => status,
        }
    }

    /// The pod is no longer needed.
    pub async fn done(&self) -> Result<(), PodClientError> {
        self.0.done().await
    }
}
