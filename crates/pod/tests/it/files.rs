//! Files that are looked at, and files that are brought.

use std::path::PathBuf;

use dyno_pod::client::{FilesPodClient, PodClientError, UploadError};
use dyno_pod::protocol::{ErrorCode, FetchRequest, FileKind, FoundFile};
use tempfile::TempDir;

use super::relay::{Relay, Side};
use super::started::{Plain, Process, dyno, token, until};

struct Volume {
    folder: TempDir,
    process: Process,
    pod: FilesPodClient<Plain>,
}

impl Volume {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("node")).unwrap();
        let (cache, node) = (folder.path().join("cache"), folder.path().join("node"));
        let process = Process::start(dyno().args(["pod", "files", "--folder"]).arg(cache).arg("--root").arg(node));
        let pod = FilesPodClient::new(Plain(process.address), token());
        Self { folder, process, pod }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Bytes that don't repeat themselves, and their digest.
fn content(length: usize) -> (Vec<u8>, String) {
    use sha2::Digest as _;
    let bytes: Vec<u8> = (0..length).map(|number| (number.wrapping_mul(2_654_435_761) >> 7) as u8).collect();
    let digest = hex::encode(sha2::Sha256::digest(&bytes));
    (bytes, digest)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_goes_on_where_it_broke_off() {
    let volume = Volume::start();
    let (bytes, digest) = content(30 << 20);
    let source = volume.path("source");
    std::fs::write(&source, &bytes).unwrap();
    let relay = Relay::start(volume.process.address, Side::Requests, &[3_000_000, 300, usize::MAX, 6_000_000, usize::MAX]);
    let pod = FilesPodClient::new(Plain(relay.address), token());
    let mut offsets = Vec::new();
    pod.upload("models/m-1/model.gguf", &source, &digest, |status| offsets.push(status.offset)).await.unwrap();
    assert!(relay.broken() >= 3, "{}", relay.broken());
    assert!(
        offsets.iter().any(|offset| offset % (8 << 20) != 0 && *offset < 30 << 20),
        "what had arrived was not sent again: {offsets:?}"
    );
    let target = volume.path("cache/models/m-1/model.gguf");
    assert!(std::fs::read(&target).unwrap() == bytes);
    assert!(!volume.path("cache/models/m-1/model.gguf.part").exists());

    // there already, it is not sent again
    let written = target.metadata().unwrap().modified().unwrap();
    volume.pod.upload("models/m-1/model.gguf", &source, &digest, |_| ()).await.unwrap();
    assert_eq!(target.metadata().unwrap().modified().unwrap(), written);
    volume.pod.done().await.unwrap();
    let mut process = volume.process;
    assert_eq!(process.exit().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_with_another_digest_does_not_get_its_place() {
    let volume = Volume::start();
    let (bytes, digest) = content(100_000);
    let source = volume.path("source");
    std::fs::write(&source, &bytes).unwrap();
    let refused = volume.pod.upload("data.jsonl", &source, &digest.replace(['a', '1'], "0"), |_| ()).await.unwrap_err();
    assert!(matches!(&refused, UploadError::Client(error) if error.code() == Some(ErrorCode::WrongDigest)), "{refused}");
    assert_eq!(std::fs::read_dir(volume.path("cache")).unwrap().count(), 0);

    // of another file, what broke off and what was whole give way
    std::fs::write(volume.path("cache/data.jsonl.part"), "of another").unwrap();
    volume.pod.upload("data.jsonl", &source, &digest, |_| ()).await.unwrap();
    let (other, other_digest) = content(99_999);
    std::fs::write(&source, &other).unwrap();
    volume.pod.upload("data.jsonl", &source, &other_digest, |_| ()).await.unwrap();
    assert!(std::fs::read(volume.path("cache/data.jsonl")).unwrap() == other);
    std::fs::write(&source, "").unwrap();
    volume.pod.upload("empty", &source, &content(0).1, |_| ()).await.unwrap();
    assert_eq!(volume.path("cache/empty").metadata().unwrap().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_a_node_are_told_with_size_and_digest() {
    let volume = Volume::start();
    let (bytes, digest) = content(5_000_000);
    let path = volume.path("node/model.gguf");
    std::fs::write(&path, &bytes).unwrap();
    let check = async |name: &str, sha256| volume.pod.check(volume.path(name).to_str().unwrap(), sha256).await;
    let facts = check("node/model.gguf", false).await.unwrap().unwrap();
    assert_eq!(facts, FoundFile { kind: FileKind::File, size: 5_000_000, sha256: None, hashed: 0 });
    let hashed = until("the digest", async || check("node/model.gguf", true).await.unwrap().unwrap().sha256).await;
    assert_eq!(hashed, digest);
    std::fs::write(&path, "changed").unwrap();
    let hashed = until("the digest", async || check("node/model.gguf", true).await.unwrap().unwrap().sha256).await;
    assert_ne!(hashed, digest, "it is of the file as it is");
    let folder = check("node", true).await.unwrap().unwrap();
    assert_eq!((folder.kind, folder.size, folder.sha256), (FileKind::Folder, 7, None));
    assert_eq!(check("node/none", true).await.unwrap(), None);
    for outside in ["", "elsewhere", "node/../elsewhere"] {
        assert_eq!(check(outside, false).await.unwrap_err().code(), Some(ErrorCode::Forbidden), "{outside}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_hub_nothing_is_fetched() {
    let volume = Volume::start();
    let request = FetchRequest { repository: "a/b".to_owned(), revision: "main".to_owned() };
    let refused = volume.pod.fetch(&request).await.unwrap_err();
    assert!(matches!(refused, PodClientError::Refused(..)) && refused.code() == Some(ErrorCode::NotFound));
}
