//! Sessions: when they are over, and whose they were.

use jiff::SignedDuration;

use super::samples::{at, store};

const IDLE: SignedDuration = SignedDuration::from_hours(1);

#[tokio::test]
async fn a_session_that_was_ended_does_not_live_again_when_the_clock_goes_back() {
    let (_folder, store, [_, anna, bert]) = store().await;
    for (hash, owner) in [(b"one", &anna), (b"two", &anna), (b"his", &bert)] {
        store.create_session(hash, owner.id, at(100), at(9_000)).await.unwrap();
        assert!(store.session_actor(hash, at(150), IDLE).await.unwrap().is_some());
    }
    store.end_session(b"one", at(200)).await.unwrap();
    store.disable_user(anna.id, at(210)).await.unwrap();
    store.enable_user(anna.id).await.unwrap();
    for hash in [b"one", b"two"] {
        for second in [250, 199, 150] {
            assert_eq!(store.session_actor(hash, at(second), IDLE).await.unwrap(), None, "{hash:?} at {second}");
        }
        assert_eq!(store.session_owner(hash).await.unwrap(), Some(anna.id), "a form that comes late is still hers");
    }
    assert!(store.session_actor(b"his", at(150), IDLE).await.unwrap().is_some());
}
