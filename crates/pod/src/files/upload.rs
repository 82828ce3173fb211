//! Files from the portal: appended from where they broke off, and in their place only when they are what was stated.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path as UrlPath, Query, State};
use axum::http::StatusCode;
use futures::StreamExt as _;
use serde::Deserialize;
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::Mutex;

use super::Files;
use super::digest::Digest;
use crate::protocol::{ErrorCode, PodRefusal, SealRequest, UploadStatus};
use crate::serve::Refused;

/// Longest part of a name, characters, and most parts.
const LONGEST_PART: usize = 200;
const MOST_PARTS: usize = 8;
/// Files that are not whole end so.
const PART: &str = ".part";

/// The folder that files are brought to.
pub(super) struct Uploads {
    folder: PathBuf,
    /// Held by the request that writes.
    writing: Mutex<()>,
}

#[derive(Debug, Deserialize)]
pub(super) struct OffsetQuery {
    offset: u64,
}

/// Where a file is to be, and where it is until it is whole.
#[derive(Debug, PartialEq, Eq)]
struct UploadPaths {
    whole: PathBuf,
    part: PathBuf,
}

impl Uploads {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, writing: Mutex::default() }
    }

    /// The place of a name: parts with `/` between, each of letters, digits, `-`, `_` and `.`.
    fn place(&self, name: &str) -> Result<UploadPaths, Refused> {
        let is_plain = |part: &str| {
            !part.is_empty()
                && part.len() <= LONGEST_PART
                && !part.starts_with('.')
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
        };
        if !name.split('/').all(is_plain) || name.split('/').count() > MOST_PARTS || name.ends_with(PART) {
            let words = "The name of a file consists of letters, digits, -, _ and .";
            return Err(Refused::new(StatusCode::UNPROCESSABLE_ENTITY, ErrorCode::Invalid, words));
        }
        let whole = self.folder.join(name);
        let mut part = whole.clone().into_os_string();
        part.push(PART);
        Ok(UploadPaths { whole, part: part.into() })
    }
}

fn of(files: &Files) -> Result<&Uploads, Refused> {
    let none = || Refused::new(StatusCode::NOT_FOUND, ErrorCode::NotFound, "No files are brought here.");
    files.uploads.as_ref().ok_or_else(none)
}

async fn length(path: &Path) -> io::Result<Option<u64>> {
    match tokio::fs::metadata(path).await {
        Ok(metadata) => Ok(Some(metadata.len())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn unwritable(error: io::Error) -> Refused {
    Refused::failed("The file can't be written", &error)
}

async fn status_of(place: &UploadPaths) -> io::Result<UploadStatus> {
    if let Some(offset) = length(&place.part).await? {
        return Ok(UploadStatus { offset, ..UploadStatus::default() });
    }
    let whole = length(&place.whole).await?;
    Ok(UploadStatus { offset: whole.unwrap_or(0), sealed: whole.is_some(), hashed: 0 })
}

/// How far an upload is; at 0 where none was begun.
pub(super) async fn status(
    State(files): State<Arc<Files>>,
    UrlPath(name): UrlPath<String>,
) -> Result<Json<UploadStatus>, Refused> {
    let place = of(&files)?.place(&name)?;
    status_of(&place).await.map(Json).map_err(unwritable)
}

/// Appends. What arrives of a body that breaks off is kept.
pub(super) async fn put(
    State(files): State<Arc<Files>>,
    UrlPath(name): UrlPath<String>,
    Query(OffsetQuery { offset }): Query<OffsetQuery>,
    body: Body,
) -> Result<Json<UploadStatus>, Refused> {
    let uploads = of(&files)?;
    let place = uploads.place(&name)?;
    let Ok(_writing) = uploads.writing.try_lock() else {
        return Err(Refused::new(StatusCode::CONFLICT, ErrorCode::Busy, "Another request writes files."));
    };
    let before = status_of(&place).await.map_err(unwritable)?;
    // A file that is whole may be begun anew; its place is taken once the new one is.
    let at = if before.sealed { 0 } else { before.offset };
    if offset != at {
        let message = format!("The file goes on at byte {at}.");
        return Err(Refused(StatusCode::CONFLICT, PodRefusal { error: ErrorCode::WrongOffset, message, offset: Some(at) }));
    }
    if let Some(folder) = place.part.parent() {
        tokio::fs::create_dir_all(folder).await.map_err(unwritable)?;
    }
    let mut file = File::options().create(true).append(true).open(&place.part).await.map_err(unwritable)?;
    let (mut body, mut offset) = (body.into_data_stream(), at);
    while let Some(bytes) = body.next().await {
        let broken = |_| Refused::new(StatusCode::BAD_REQUEST, ErrorCode::Invalid, "The body is too long, or broke off.");
        // What came before an error is in the file when the next request asks.
        let bytes = match bytes.map_err(broken) {
            Ok(bytes) => bytes,
            Err(refused) => {
                file.flush().await.map_err(unwritable)?;
                return Err(refused);
            }
        };
        file.write_all(&bytes).await.map_err(unwritable)?;
        offset += bytes.len() as u64;
    }
    file.flush().await.map_err(unwritable)?;
    Ok(Json(UploadStatus { offset, ..UploadStatus::default() }))
}

/// Checks a file that has arrived, and puts it in its place. To be asked again until it is sealed: of a large file the digest
/// takes its time.
pub(super) async fn seal(
    State(files): State<Arc<Files>>,
    UrlPath(name): UrlPath<String>,
    Json(stated): Json<SealRequest>,
) -> Result<Json<UploadStatus>, Refused> {
    let uploads = of(&files)?;
    let place = uploads.place(&name)?;
    let Ok(_writing) = uploads.writing.try_lock() else {
        return Err(Refused::new(StatusCode::CONFLICT, ErrorCode::Busy, "Another request writes files."));
    };
    let is_part = length(&place.part).await.map_err(unwritable)?.is_some();
    if stated.size == 0 && !is_part && length(&place.whole).await.map_err(unwritable)?.is_none() {
        // Nothing was to be sent of it.
        if let Some(folder) = place.part.parent() {
            tokio::fs::create_dir_all(folder).await.map_err(unwritable)?;
        }
        File::create(&place.part).await.map_err(unwritable)?;
        return Box::pin(check_and_place(&files, &place, &place.part, &stated)).await;
    }
    check_and_place(&files, &place, if is_part { &place.part } else { &place.whole }, &stated).await
}

async fn check_and_place(
    files: &Files,
    place: &UploadPaths,
    path: &Path,
    stated: &SealRequest,
) -> Result<Json<UploadStatus>, Refused> {
    let wrong = |what: &str| {
        let words = format!("The file that arrived has another {what} than was stated. It is to be sent again.");
        Refused::new(StatusCode::UNPROCESSABLE_ENTITY, ErrorCode::WrongDigest, words)
    };
    let Some(size) = length(path).await.map_err(unwritable)? else {
        return Err(Refused::new(StatusCode::NOT_FOUND, ErrorCode::NotFound, "No such file has arrived."));
    };
    if size < stated.size {
        let message = format!("The file goes on at byte {size}.");
        return Err(Refused(StatusCode::CONFLICT, PodRefusal { error: ErrorCode::WrongOffset, message, offset: Some(size) }));
    }
    let digest = if size > stated.size { None } else { Some(files.digests.of(path).map_err(unwritable)?) };
    match digest {
        Some(Digest::Computing(hashed)) => Ok(Json(UploadStatus { offset: size, sealed: false, hashed })),
        Some(Digest::Done(digest)) if digest.eq_ignore_ascii_case(&stated.sha256) => {
            if path == place.part {
                let file = File::open(path).await.map_err(unwritable)?;
                file.sync_all().await.map_err(unwritable)?;
                tokio::fs::rename(path, &place.whole).await.map_err(unwritable)?;
            }
            Ok(Json(UploadStatus { offset: size, sealed: true, hashed: size }))
        }
        refused => {
            // A whole one was what somebody stated once.
            if path == place.part {
                tokio::fs::remove_file(path).await.map_err(unwritable)?;
            }
            Err(wrong(if refused.is_none() { "size" } else { "digest" }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_the_folder() {
        let uploads = Uploads::new("/f".into());
        let place = uploads.place("models/a-1/model.gguf").unwrap();
        assert_eq!(place, UploadPaths { whole: "/f/models/a-1/model.gguf".into(), part: "/f/models/a-1/model.gguf.part".into() });
        let long = "a".repeat(LONGEST_PART + 1);
        for name in ["", "..", "a/../b", "/a", "a//b", "a/", ".a", "a b", "a\0b", "a.part", "ä", &long, "1/2/3/4/5/6/7/8/9"] {
            assert_eq!(uploads.place(name).unwrap_err().1.error, ErrorCode::Invalid, "{name}");
        }
    }
}
