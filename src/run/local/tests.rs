//! What the portal sees of a keeper, and what a keeper inherits.

use super::*;

#[test]
fn a_keeper_lives_as_long_as_its_lock() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(state(folder.path()), ExecutionState::NotStarted);
    std::fs::write(folder.path().join(files::JOURNAL), "").unwrap();
    assert_eq!(state(folder.path()), ExecutionState::Gone);
    let lock = File::create(folder.path().join(files::LOCK)).unwrap();
    lock.try_lock().unwrap();
    assert_eq!(state(folder.path()), ExecutionState::Active);
    drop(lock);
    assert_eq!(state(folder.path()), ExecutionState::Gone);
}
