//! Sessions: when they are over, and whose they were.

use dyno::domain::user::Actor;
use dyno::store::{Store, StoreError};
use jiff::SignedDuration;

use super::samples::{at, store};

const IDLE: SignedDuration = SignedDuration::from_hours(1);

/// Sets a person's password by a link.
async fn set_password(store: &Store, person: &Actor, hash: &str) {
    let link = person.id.as_bytes();
    store.create_link(link, person.id, at(0), at(9_000)).await.unwrap();
    store.use_link(link, None, hash, at(1)).await.unwrap();
}

#[tokio::test]
async fn a_session_begins_only_while_the_verified_password_is_the_persons() {
    let (_folder, store, [_, anna, bert]) = store().await;
    let begin = |hash: &'static [u8], password: &'static str| store.create_session(hash, anna.id, password, at(20), at(9_000));
    assert!(matches!(begin(b"none", "old").await, Err(StoreError::Stale)), "there is no password yet");
    set_password(&store, &anna, "old").await;
    begin(b"first", "old").await.unwrap();
    // A sign-in verified the old password; meanwhile it is changed.
    store.change_password(anna.id, "old", "new", None, at(10)).await.unwrap();
    assert!(matches!(begin(b"late", "old").await, Err(StoreError::Stale)));
    begin(b"own", "new").await.unwrap();
    for (hash, lives) in [(&b"first"[..], false), (b"late", false), (b"own", true)] {
        assert_eq!(store.session_actor(hash, at(30), IDLE).await.unwrap().is_some(), lives, "{hash:?}");
    }
    set_password(&store, &bert, "his").await;
    store.remove_user(bert.id, at(10)).await.unwrap();
    let removed = store.create_session(b"gone", bert.id, "his", at(20), at(9_000)).await;
    assert!(matches!(removed, Err(StoreError::Stale)), "{removed:?}");
}

#[tokio::test]
async fn nothing_begun_while_an_account_is_shut_works_once_it_is_open_again() {
    let (_folder, store, [_, anna, _]) = store().await;
    set_password(&store, &anna, "hers").await;
    store.create_session(b"before", anna.id, "hers", at(5), at(9_000)).await.unwrap();
    store.disable_user(anna.id, at(10)).await.unwrap();
    let session = store.create_session(b"late", anna.id, "hers", at(20), at(9_000)).await;
    assert!(matches!(session, Err(StoreError::Stale)), "{session:?}");
    let token = store.create_token(&anna, "late", b"token", at(20)).await;
    assert!(matches!(token, Err(StoreError::NotFound(_))), "{token:?}");
    let link = store.create_link(b"link", anna.id, at(20), at(9_000)).await;
    assert!(matches!(link, Err(StoreError::NotFound(_))), "{link:?}");
    let password = store.change_password(anna.id, "hers", "other", None, at(20)).await;
    assert!(matches!(password, Err(StoreError::Stale)), "{password:?}");
    store.enable_user(anna.id).await.unwrap();
    for hash in [&b"before"[..], b"late"] {
        assert_eq!(store.session_actor(hash, at(30), IDLE).await.unwrap(), None, "{hash:?}");
    }
    assert_eq!(store.token_actor(b"token", at(30)).await.unwrap(), None);
    store.create_session(b"anew", anna.id, "hers", at(30), at(9_000)).await.unwrap();
}

#[tokio::test]
async fn a_session_that_was_ended_does_not_live_again_when_the_clock_goes_back() {
    let (_folder, store, [_, anna, bert]) = store().await;
    for person in [&anna, &bert] {
        set_password(&store, person, "password").await;
    }
    for (hash, owner) in [(b"one", &anna), (b"two", &anna), (b"his", &bert)] {
        store.create_session(hash, owner.id, "password", at(100), at(9_000)).await.unwrap();
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
