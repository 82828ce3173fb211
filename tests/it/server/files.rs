//! What others on the machine can read of the data folder: nothing.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::TestApp;

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn an_open_data_folder_is_closed_if_it_is_dynos_own() {
    let folder = tempfile::tempdir().unwrap();
    let open = |name: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir(&path).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        path
    };
    let (empty, shared) = (open("empty"), open("shared"));
    std::fs::write(shared.join("another programs file"), "").unwrap();
    for (path, expected) in [(&empty, 0o700), (&shared, 0o755)] {
        let app = TestApp::on(path, |_| {}).await;
        assert_eq!(mode(path), expected, "{path:?}");
        for entry in std::fs::read_dir(path).unwrap().flatten().filter(|entry| entry.file_name() != "another programs file") {
            assert_eq!(mode(&entry.path()) & 0o077, 0, "{:?}", entry.path());
        }
        app.stop().await;
    }
    // Of an older version.
    std::fs::set_permissions(&empty, PermissionsExt::from_mode(0o755)).unwrap();
    TestApp::on(&empty, |_| {}).await;
    assert_eq!(mode(&empty), 0o700);
}
