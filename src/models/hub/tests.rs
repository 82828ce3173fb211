//! Tests against a small hub on loopback.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path as UrlPath, State};
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::routing::get;
use sha2::{Digest, Sha256};

use super::*;
use crate::credentials::OutgoingOptions;
use hex::encode as hex;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

#[derive(Clone, Default)]
struct Shelf {
    files: Arc<Vec<(&'static str, Vec<u8>)>>,
    wrong_digest: bool,
    redirects: bool,
    /// `path range authorization` of each request for a file.
    asked: Arc<Mutex<Vec<String>>>,
}

async fn listing(State(shelf): State<Shelf>) -> impl IntoResponse {
    let siblings: Vec<_> = shelf
        .files
        .iter()
        .map(|(name, bytes)| {
            let digest = hex(Sha256::digest(if shelf.wrong_digest { b"x" } else { bytes.as_slice() }));
            serde_json::json!({ "rfilename": name, "size": bytes.len(), "lfs": { "sha256": digest, "size": bytes.len() } })
        })
        .collect();
    axum::Json(serde_json::json!({ "sha": COMMIT, "siblings": siblings }))
}

async fn file(State(shelf): State<Shelf>, UrlPath(name): UrlPath<String>, headers: HeaderMap) -> axum::response::Response {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("-").to_owned();
    shelf.asked.lock().unwrap().push(format!("{name} {} {}", header("range"), header("authorization")));
    if shelf.redirects {
        return (StatusCode::FOUND, [("location", format!("/store/{name}"))]).into_response();
    }
    serve(&shelf, &name, &headers)
}

async fn store(State(shelf): State<Shelf>, UrlPath(name): UrlPath<String>, headers: HeaderMap) -> axum::response::Response {
    serve(&shelf, &name, &headers)
}

fn serve(shelf: &Shelf, name: &str, headers: &HeaderMap) -> axum::response::Response {
    let Some((_, bytes)) = shelf.files.iter().find(|(known, _)| *known == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let from =
        headers.get("range").and_then(|range| range.to_str().ok()?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    match from {
        Some(from) => {
            let range = format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len());
            (StatusCode::PARTIAL_CONTENT, [("content-range", range)], bytes[from..].to_vec()).into_response()
        }
        None => bytes.clone().into_response(),
    }
}

async fn hub(shelf: &Shelf) -> Hub {
    let routes = Router::new()
        .route("/api/models/org/name/revision/main", get(listing))
        .route("/org/name/resolve/0123456789abcdef0123456789abcdef01234567/{name}", get(file))
        .route("/store/{name}", get(store))
        .with_state(shelf.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    let outgoing = Outgoing::new(OutgoingOptions::default()).unwrap();
    let policy = outgoing.policy(true);
    Hub::new(&endpoint, Some(Secret::new("hf_token")), outgoing, policy).unwrap()
}

fn folder_shelf() -> Shelf {
    let files = vec![
        ("config.json", b"{}".to_vec()),
        ("model.safetensors", (0..=255).cycle().take(100_000).collect()),
        ("pytorch_model.bin", b"not wanted".to_vec()),
        ("README.md", b"not wanted".to_vec()),
    ];
    Shelf { files: Arc::new(files), ..Shelf::default() }
}

#[tokio::test]
async fn a_folder_is_fetched_once() {
    let shelf = folder_shelf();
    let (hub, folder) = (hub(&shelf).await, tempfile::tempdir().unwrap());
    assert_eq!(fetched(folder.path(), "org/name", "main"), None);
    let mut last = None;
    let path = hub.download("org/name", "main", folder.path(), |progress| last = Some(progress)).await.unwrap();
    let last = last.unwrap();
    assert_eq!((last.bytes_done, last.bytes_total), (100_002, 100_002));
    assert_eq!(std::fs::read(path.join("model.safetensors")).unwrap(), shelf.files[1].1);
    assert!(!path.join("pytorch_model.bin").exists() && !path.join("model.safetensors.part").exists());
    assert_eq!(fetched(folder.path(), "org/name", "main"), Some(path.clone()));
    assert_eq!(fetched(folder.path(), "org/name", COMMIT), Some(path.clone()));
    assert_eq!(fetched(folder.path(), "org/name", "other"), None);

    let asked = shelf.asked.lock().unwrap().len();
    assert_eq!(hub.download("org/name", "main", folder.path(), |_| ()).await.unwrap(), path);
    assert_eq!(shelf.asked.lock().unwrap().len(), asked);
}

#[tokio::test]
async fn a_stopped_download_goes_on() {
    let shelf = folder_shelf();
    let (hub, folder) = (hub(&shelf).await, tempfile::tempdir().unwrap());
    let commit = folder.path().join("hub/org--name").join(COMMIT);
    std::fs::create_dir_all(&commit).unwrap();
    std::fs::write(commit.join("model.safetensors.part"), &shelf.files[1].1[..40_000]).unwrap();
    let path = hub.download("org/name", "main", folder.path(), |_| ()).await.unwrap();
    assert_eq!(std::fs::read(path.join("model.safetensors")).unwrap(), shelf.files[1].1);
    assert!(shelf.asked.lock().unwrap().iter().any(|asked| asked == "model.safetensors bytes=40000- Bearer hf_token"));
}

#[tokio::test]
async fn a_file_that_is_not_what_the_hub_says_is_refused() {
    let shelf = Shelf { wrong_digest: true, ..folder_shelf() };
    let (hub, folder) = (hub(&shelf).await, tempfile::tempdir().unwrap());
    let error = hub.download("org/name", "main", folder.path(), |_| ()).await.unwrap_err();
    assert!(matches!(error, HubError::Corrupt(_)), "{error:?}");
    // a damaged partial file is detected and removed, so that the next try starts anew
    let shelf = folder_shelf();
    let hub = self::hub(&shelf).await;
    let commit = folder.path().join("hub/org--name").join(COMMIT);
    std::fs::write(commit.join("model.safetensors.part"), [9; 40_000]).unwrap();
    assert!(matches!(hub.download("org/name", "main", folder.path(), |_| ()).await, Err(HubError::Corrupt(_))));
    assert!(hub.download("org/name", "main", folder.path(), |_| ()).await.is_ok());
}

#[tokio::test]
async fn the_hubs_redirects_are_followed() {
    let shelf = Shelf { redirects: true, ..folder_shelf() };
    let (hub, folder) = (hub(&shelf).await, tempfile::tempdir().unwrap());
    let path = hub.download("org/name", "main", folder.path(), |_| ()).await.unwrap();
    assert_eq!(std::fs::read(path.join("config.json")).unwrap(), b"{}");
}

#[tokio::test]
async fn one_gguf_is_served_and_of_several_none_is_guessed() {
    let shelf = Shelf { files: Arc::new(vec![("x.gguf", b"GGUF".to_vec()), ("README.md", vec![])]), ..Shelf::default() };
    let (hub, folder) = (hub(&shelf).await, tempfile::tempdir().unwrap());
    let path = hub.download("org/name", "main", folder.path(), |_| ()).await.unwrap();
    assert_eq!(path.file_name().unwrap(), "x.gguf");
    assert_eq!(fetched(folder.path(), "org/name", "main"), Some(path));
    let shelf = Shelf { files: Arc::new(vec![("x.gguf", vec![1]), ("y.gguf", vec![2])]), ..Shelf::default() };
    let hub = self::hub(&shelf).await;
    assert!(matches!(hub.download("org/name", "main", folder.path(), |_| ()).await, Err(HubError::SeveralGguf)));
}

#[tokio::test]
async fn what_is_not_there_is_said() {
    let (hub, folder) = (hub(&folder_shelf()).await, tempfile::tempdir().unwrap());
    assert!(matches!(hub.download("org/other", "main", folder.path(), |_| ()).await, Err(HubError::NotFound)));
    for (repository, revision) in
        [("name", "main"), ("../etc/passwd", "main"), ("org/..", "main"), ("org/name", "../x"), ("a/b/c", "main")]
    {
        assert!(
            matches!(hub.download(repository, revision, folder.path(), |_| ()).await, Err(HubError::BadName)),
            "{repository}"
        );
    }
}

#[test]
fn names_that_become_paths_are_checked() {
    let sibling = |name: &str| Sibling { rfilename: name.to_owned(), size: Some(1), lfs: None };
    let files =
        choose(vec![sibling("model.safetensors"), sibling("../evil.json"), sibling("onnx/x.json"), sibling("/etc/x.json")]);
    assert_eq!(files.unwrap().len(), 1);
}
