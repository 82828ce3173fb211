//! Whether a file is there, and which.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use serde::Deserialize;

use super::Files;
use super::digest::Digest;
use crate::protocol::{ErrorCode, FileKind, FoundFile};
use crate::serve::Refused;

#[derive(Debug, Deserialize)]
pub(super) struct CheckQuery {
    path: PathBuf,
    /// Whether its digest is wanted.
    #[serde(default)]
    sha256: bool,
}

/// A file or folder below the roots. A link is followed where its target lies below one, too.
pub(super) async fn check(State(files): State<Arc<Files>>, Query(query): Query<CheckQuery>) -> Result<Json<FoundFile>, Refused> {
    let path = locate(&query.path, &files.roots)?;
    let unreadable = |error: io::Error| Refused::failed(&format!("{} can't be read", query.path.display()), &error);
    let metadata = tokio::fs::metadata(&path).await.map_err(unreadable)?;
    if metadata.is_dir() {
        let size = folder_size(&path).await.map_err(unreadable)?;
        return Ok(Json(FoundFile { kind: FileKind::Folder, size, sha256: None, hashed: 0 }));
    }
    if !metadata.is_file() {
        return Err(missing(&query.path));
    }
    let size = metadata.len();
    let mut facts = FoundFile { kind: FileKind::File, size, sha256: None, hashed: 0 };
    if query.sha256 {
        match files.digests.of(&path).map_err(unreadable)? {
            Digest::Computing(hashed) => facts.hashed = hashed,
            Digest::Done(digest) => (facts.sha256, facts.hashed) = (Some(digest), size),
        }
    }
    Ok(Json(facts))
}

fn locate(path: &Path, roots: &[PathBuf]) -> Result<PathBuf, Refused> {
    let outside = || {
        let words = format!("{} lies outside of the folders that may be looked at.", path.display());
        Refused::new(StatusCode::FORBIDDEN, ErrorCode::Forbidden, words)
    };
    if !path.is_absolute() {
        return Err(outside());
    }
    match path.canonicalize() {
        Ok(found) if roots.iter().any(|root| found.starts_with(root)) => Ok(found),
        Ok(_) => Err(outside()),
        // What is not there is said only of where one may look.
        Err(error) => {
            let parents = path.ancestors().skip(1).find_map(|parent| parent.canonicalize().ok());
            let is_inside = parents.is_some_and(|parent| roots.iter().any(|root| parent.starts_with(root)));
            Err(match error.kind() {
                _ if !is_inside => outside(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => missing(path),
                _ => Refused::failed(&format!("{} can't be read", path.display()), &error),
            })
        }
    }
}

fn missing(path: &Path) -> Refused {
    Refused::new(StatusCode::NOT_FOUND, ErrorCode::NotFound, format!("{} is not there.", path.display()))
}

async fn folder_size(folder: &Path) -> io::Result<u64> {
    let (mut entries, mut size) = (tokio::fs::read_dir(folder).await?, 0);
    while let Some(entry) = entries.next_entry().await? {
        // Through links, as they lie in a hub's cache.
        if let Ok(metadata) = tokio::fs::metadata(entry.path()).await
            && metadata.is_file()
        {
            size += metadata.len();
        }
    }
    Ok(size)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn nothing_is_told_of_what_lies_outside() {
        let folder = tempfile::tempdir().unwrap();
        let (root, outside) = (folder.path().join("root"), folder.path().join("outside"));
        for name in ["root/in", "root-2", "outside"] {
            std::fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        std::fs::write(root.join("in/file"), "x").unwrap();
        std::fs::write(outside.join("file"), "x").unwrap();
        symlink(root.join("in/file"), root.join("link")).unwrap();
        symlink(outside.join("file"), root.join("leads-out")).unwrap();
        let roots = [root.canonicalize().unwrap()];
        let code = |path: PathBuf| locate(&path, &roots).map_err(|refused| refused.1.error);
        assert_eq!(code(root.join("link")), Ok(root.canonicalize().unwrap().join("in/file")));
        assert_eq!(code(root.join("none")), Err(ErrorCode::NotFound));
        for path in [
            root.join("leads-out"),
            root.join("../outside/file"),
            root.join("../outside/none"),
            folder.path().join("root-2"),
            "root".into(),
        ] {
            assert_eq!(code(path.clone()), Err(ErrorCode::Forbidden), "{}", path.display());
        }
    }
}
