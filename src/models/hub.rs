//! Models of a Hugging Face hub: lists a repository's files at a revision, and downloads them into the data folder.
//!
//! Each commit has a folder of its own. A file is downloaded under a temporary name, resumed after interruptions, and renamed
//! only when size and digest match the hub's.

use std::io::SeekFrom;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::header::{CONTENT_RANGE, LOCATION, RANGE};
use reqwest::{Method, Response, StatusCode, Url};
use serde::Deserialize;
use tokio::io::{AsyncSeekExt, AsyncWriteExt};

use crate::credentials::{AddressPolicy, Outgoing, OutgoingError, Secret};

pub const DEFAULT_ENDPOINT: &str = "https://huggingface.co";

const LIST_TIMEOUT: Duration = Duration::from_secs(30);
/// Time-out of a file's download; the largest are some 50 GB.
const FILE_TIMEOUT: Duration = Duration::from_hours(24);
/// Hubs redirect large files to storage on other hosts.
const MAX_REDIRECTS: usize = 5;
const MAX_LIST_BYTES: usize = 16 << 20;
const MAX_FILES: usize = 2000;
const COMPLETE: &str = ".complete";

/// Why a model could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// The name is not `organisation/name`, or the revision has invalid characters.
    #[error("not a repository or revision")]
    BadName,
    /// No such repository or revision, or a private one.
    #[error("not found, or not public")]
    NotFound,
    /// A gated or private repository.
    #[error("access denied")]
    Denied,
    /// The hub answered with another status.
    #[error("http status {0}")]
    Status(u16),
    /// The list of files could not be understood.
    #[error("list of files not understood")]
    BadList,
    /// No file that an engine can serve.
    #[error("no safetensors and no single gguf")]
    NothingToServe,
    /// Several GGUF files, of which one must be chosen.
    #[error("several gguf files")]
    SeveralGguf,
    /// A file's size or digest differs from the hub's.
    #[error("{0} has another size or digest than the hub says")]
    Corrupt(String),
    /// The request could not be made.
    #[error(transparent)]
    Outgoing(#[from] OutgoingError),
    /// A file could not be written.
    #[error("writing {0}: {1}")]
    Io(PathBuf, #[source] std::io::Error),
}

impl HubError {
    /// A sentence for people.
    pub fn sentence(&self) -> String {
        match self {
            Self::BadName => "Enter a repository as organisation/name, and a branch, tag or commit as revision.".to_owned(),
            Self::NotFound => "The hub has no such repository or revision, or it is private (HF_TOKEN opens yours).".to_owned(),
            Self::Denied => "The hub denies access: accept the model's terms there, and set HF_TOKEN.".to_owned(),
            Self::Status(status) => format!("The hub answered with HTTP {status}."),
            Self::BadList => "The hub's list of files was not understood.".to_owned(),
            Self::NothingToServe => "The repository has neither safetensors nor a GGUF file.".to_owned(),
            Self::SeveralGguf => {
                "The repository has several GGUF files. Download the one that you want and add it as a file.".to_owned()
            }
            Self::Corrupt(file) => format!("{file} arrived with another size or digest than the hub says. Try again."),
            Self::Outgoing(error) => format!("The hub could not be reached: {}", error.sentence()),
            Self::Io(path, error) => format!("{} could not be written: {}.", path.display(), error.kind()),
        }
    }
}

/// Progress of a download.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DownloadProgress {
    /// The file being downloaded.
    pub file: String,
    pub bytes_done: u64,
    pub bytes_total: u64,
}

/// One file of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
struct RemoteFile {
    name: String,
    size: u64,
    sha256: Option<String>,
}

/// Which hub models are fetched from, as the administrator set it.
#[derive(Debug, Clone, Default)]
pub struct HubSettings {
    /// Base URL (`HF_ENDPOINT`); absent: [`DEFAULT_ENDPOINT`].
    pub endpoint: Option<String>,
    /// Opens gated and private models (`HF_TOKEN`).
    pub token: Option<Secret>,
}

/// A client of a hub.
#[derive(Debug, Clone)]
pub struct Hub {
    endpoint: Url,
    token: Option<Secret>,
    outgoing: Outgoing,
    policy: AddressPolicy,
}

#[derive(Deserialize)]
struct HubListing {
    sha: String,
    #[serde(default)]
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    lfs: Option<Lfs>,
}

#[derive(Deserialize)]
struct Lfs {
    sha256: Option<String>,
}

impl Hub {
    /// The hub at a base URL, with a token where there is one.
    pub fn new(endpoint: &str, token: Option<Secret>, outgoing: Outgoing, policy: AddressPolicy) -> Result<Self, HubError> {
        let mut endpoint = Url::parse(endpoint).map_err(|_| OutgoingError::BadUrl)?;
        if !endpoint.path().ends_with('/') {
            endpoint.set_path(&format!("{}/", endpoint.path()));
        }
        Ok(Self { endpoint, token, outgoing, policy })
    }

    /// The hub that the administrator set, or the default one.
    pub fn of(settings: &HubSettings, outgoing: Outgoing, policy: AddressPolicy) -> Result<Self, HubError> {
        let endpoint = settings.endpoint.as_deref().unwrap_or(DEFAULT_ENDPOINT);
        Self::new(endpoint, settings.token.clone(), outgoing, policy)
    }

    /// Downloads what an engine needs of a repository at a revision, and returns the path to serve: the one GGUF file, or the
    /// folder. Existing files are not downloaded again. Dropping the future stops it; the next call resumes.
    pub async fn download(
        &self,
        repository: &str,
        revision: &str,
        models_dir: &Path,
        mut progress: impl FnMut(DownloadProgress) + Send,
    ) -> Result<PathBuf, HubError> {
        check_names(repository, revision)?;
        let (commit, files) = self.list(repository, revision).await?;
        let folder = folder_of(models_dir, repository).join(&commit);
        let failed = |error| HubError::Io(folder.clone(), error);
        tokio::fs::create_dir_all(&folder).await.map_err(failed)?;
        let bytes_total = files.iter().map(|file| file.size).sum();
        let mut before = 0;
        for file in &files {
            let report =
                |done: u64| progress(DownloadProgress { file: file.name.clone(), bytes_done: before + done, bytes_total });
            self.fetch(repository, &commit, file, &folder, report).await?;
            before += file.size;
        }
        // the revision's name is stored, so that it can be found without asking the hub
        tokio::fs::write(folder.join(COMPLETE), revision).await.map_err(failed)?;
        Ok(serve_path(&folder, &files))
    }

    async fn list(&self, repository: &str, revision: &str) -> Result<(String, Vec<RemoteFile>), HubError> {
        let url = self.url(&["api", "models"], repository, &["revision", revision], Some("blobs=true"))?;
        let answer = self.get(url, None, LIST_TIMEOUT).await?;
        let mut body = Vec::new();
        let mut answer = answer;
        while let Some(chunk) = answer.chunk().await.map_err(OutgoingError::from_request)? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_LIST_BYTES {
                return Err(HubError::BadList);
            }
        }
        let listing: HubListing = serde_json::from_slice(&body).map_err(|_| HubError::BadList)?;
        let is_commit =
            !listing.sha.is_empty() && listing.sha.len() <= 64 && listing.sha.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_commit || listing.siblings.len() > MAX_FILES {
            return Err(HubError::BadList);
        }
        choose(listing.siblings).map(|files| (listing.sha, files))
    }

    /// A URL of the hub, with its parts escaped.
    fn url(&self, before: &[&str], repository: &str, after: &[&str], query: Option<&str>) -> Result<Url, HubError> {
        let mut url = self.endpoint.clone();
        url.path_segments_mut()
            .map_err(|()| OutgoingError::BadUrl)?
            .pop_if_empty()
            .extend(before)
            .extend(repository.split('/'))
            .extend(after);
        url.set_query(query);
        Ok(url)
    }

    /// A GET request that follows redirects itself: each address is checked, and the token is sent to the hub only.
    async fn get(&self, mut url: Url, from: Option<u64>, timeout: Duration) -> Result<Response, HubError> {
        for _ in 0..=MAX_REDIRECTS {
            let mut request = self.outgoing.request(&self.policy, Method::GET, url.clone(), timeout)?;
            if let Some(token) = self.token.as_ref().filter(|_| url.origin() == self.endpoint.origin()) {
                request = request.bearer_auth(token.expose());
            }
            if let Some(from) = from {
                request = request.header(RANGE, format!("bytes={from}-"));
            }
            let answer = request.send().await.map_err(OutgoingError::from_request)?;
            match answer.status() {
                status if status.is_success() => return Ok(answer),
                status if status.is_redirection() => {
                    let target = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok());
                    let target = target.and_then(|target| url.join(target).ok()).ok_or(HubError::Status(status.as_u16()))?;
                    if url.scheme() == "https" && target.scheme() != "https" {
                        return Err(OutgoingError::BadUrl.into());
                    }
                    url = target;
                }
                // the hub answers 401 also for repositories that do not exist
                StatusCode::NOT_FOUND | StatusCode::UNAUTHORIZED => return Err(HubError::NotFound),
                StatusCode::FORBIDDEN => return Err(HubError::Denied),
                status => return Err(HubError::Status(status.as_u16())),
            }
        }
        Err(HubError::Status(StatusCode::FOUND.as_u16()))
    }

    async fn fetch(
        &self,
        repository: &str,
        commit: &str,
        file: &RemoteFile,
        folder: &Path,
        mut report: impl FnMut(u64),
    ) -> Result<(), HubError> {
        let whole = folder.join(&file.name);
        if tokio::fs::metadata(&whole).await.is_ok_and(|found| found.len() == file.size) {
            report(file.size);
            return Ok(());
        }
        let part = folder.join(format!("{}.part", file.name));
        let failed = |error| HubError::Io(part.clone(), error);
        let mut output =
            tokio::fs::OpenOptions::new().create(true).truncate(false).write(true).open(&part).await.map_err(failed)?;
        let mut done = output.metadata().await.map_err(failed)?.len();
        if done > file.size {
            done = 0;
        }
        if done < file.size || file.size == 0 {
            let url = self.url(&[], repository, &["resolve", commit, &file.name], None)?;
            let mut answer = self.get(url, (done > 0).then_some(done), FILE_TIMEOUT).await?;
            // A server without range support starts anew; one that answers another range than requested is not trusted.
            if done > 0 && !continues_at(&answer, done) {
                if answer.status() == StatusCode::PARTIAL_CONTENT {
                    return Err(HubError::Corrupt(file.name.clone()));
                }
                done = 0;
            }
            output.set_len(done).await.map_err(failed)?;
            output.seek(SeekFrom::Start(done)).await.map_err(failed)?;
            while let Some(chunk) = answer.chunk().await.map_err(OutgoingError::from_request)? {
                done += chunk.len() as u64;
                if done > file.size {
                    break;
                }
                output.write_all(&chunk).await.map_err(failed)?;
                report(done);
            }
            output.flush().await.map_err(failed)?;
        }
        output.sync_all().await.map_err(failed)?;
        drop(output);
        if !is_as_stated(&part, file).await? {
            let _ = tokio::fs::remove_file(&part).await;
            return Err(HubError::Corrupt(file.name.clone()));
        }
        tokio::fs::rename(&part, &whole).await.map_err(failed)
    }
}

fn continues_at(answer: &Response, from: u64) -> bool {
    let range = answer.headers().get(CONTENT_RANGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    answer.status() == StatusCode::PARTIAL_CONTENT && range.starts_with(&format!("bytes {from}-"))
}

async fn is_as_stated(part: &Path, file: &RemoteFile) -> Result<bool, HubError> {
    let failed = |error| HubError::Io(part.to_owned(), error);
    if tokio::fs::metadata(part).await.map_err(failed)?.len() != file.size {
        return Ok(false);
    }
    let Some(stated) = file.sha256.clone() else { return Ok(true) };
    let path = part.to_owned();
    let digest = tokio::task::spawn_blocking(move || super::sha256_of(&path, |_| false))
        .await
        .map_err(|error| failed(std::io::Error::other(error)))?
        .map_err(failed)?;
    Ok(digest.is_some_and(|digest| digest.eq_ignore_ascii_case(&stated)))
}

/// The path to serve of a downloaded repository; `None` where it was not downloaded.
pub fn fetched(models_dir: &Path, repository: &str, revision: &str) -> Option<PathBuf> {
    check_names(repository, revision).ok()?;
    let commits = std::fs::read_dir(folder_of(models_dir, repository)).ok()?;
    let mut found: Vec<_> = commits
        .filter_map(|entry| {
            let folder = entry.ok()?.path();
            let marker = folder.join(COMPLETE);
            let of = std::fs::read_to_string(&marker).ok()?;
            let named = folder.file_name().is_some_and(|commit| commit == revision);
            (named || of == revision).then(|| (std::fs::metadata(&marker).and_then(|data| data.modified()).ok(), folder))
        })
        .collect();
    // of a branch, the latest download counts
    found.sort();
    let (_, folder) = found.pop()?;
    let ggufs: Vec<_> = std::fs::read_dir(&folder)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "gguf"))
        .collect();
    match ggufs.as_slice() {
        [only] => Some(only.clone()),
        _ => Some(folder),
    }
}

/// The folder of a repository's downloads.
fn folder_of(models_dir: &Path, repository: &str) -> PathBuf {
    models_dir.join("hub").join(repository.replace('/', "--"))
}

/// Checks names entered by a person before they become parts of URLs and paths.
pub fn check_names(repository: &str, revision: &str) -> Result<(), HubError> {
    let plain = |text: &str| {
        !text.is_empty()
            && text.len() <= 96
            && !text.starts_with(['.', '-'])
            && !text.contains("..")
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
    };
    let is_repository = repository.split_once('/').is_some_and(|(owner, name)| plain(owner) && plain(name));
    let is_revision = revision.len() <= 255 && revision.split('/').all(plain);
    if is_repository && is_revision { Ok(()) } else { Err(HubError::BadName) }
}

/// Selects the files that an engine needs: configuration, tokenizer and safetensors; or the one GGUF file.
fn choose(siblings: Vec<Sibling>) -> Result<Vec<RemoteFile>, HubError> {
    let files: Vec<_> = siblings
        .into_iter()
        // files in subfolders are variants for other programs; names are checked, since they become paths
        .filter(|sibling| check_names("a/b", &sibling.rfilename).is_ok() && !sibling.rfilename.contains('/'))
        .map(|sibling| RemoteFile {
            size: sibling.size.unwrap_or(0),
            sha256: sibling.lfs.and_then(|lfs| lfs.sha256),
            name: sibling.rfilename,
        })
        .collect();
    let ends = |file: &RemoteFile, end: &str| Path::new(&file.name).extension().is_some_and(|extension| extension == end);
    if files.iter().any(|file| ends(file, "safetensors")) {
        let wanted = |file: &RemoteFile| {
            ["safetensors", "json", "jinja", "model", "tiktoken"].iter().any(|end| ends(file, end)) || file.name == "merges.txt"
        };
        return Ok(files.into_iter().filter(wanted).collect());
    }
    let mut ggufs: Vec<_> = files.into_iter().filter(|file| ends(file, "gguf")).collect();
    match ggufs.len() {
        0 => Err(HubError::NothingToServe),
        1 => Ok(std::mem::take(&mut ggufs)),
        _ => Err(HubError::SeveralGguf),
    }
}

fn serve_path(folder: &Path, files: &[RemoteFile]) -> PathBuf {
    match files {
        [only] if Path::new(&only.name).extension().is_some_and(|extension| extension == "gguf") => folder.join(&only.name),
        _ => folder.to_owned(),
    }
}

#[cfg(test)]
mod tests;
