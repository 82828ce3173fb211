//! Secrets that are shown once: a new token, a one-time link. They are kept in memory only, under an id that cannot be
//! guessed, for the page that the form redirects to; the first look takes them away.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::domain::user::OneTimeSecret;

/// How long a secret waits for its page.
const WAITS: Duration = Duration::from_secs(120);

struct Kept {
    owner: Uuid,
    ends: Instant,
    shown: OneTimeSecret,
}

static KEPT: LazyLock<Mutex<HashMap<Uuid, Kept>>> = LazyLock::new(Mutex::default);

fn kept() -> MutexGuard<'static, HashMap<Uuid, Kept>> {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps a secret for its owner's next page; the answer is its id.
pub(super) fn keep(owner: Uuid, shown: OneTimeSecret, now: Instant) -> Uuid {
    let id = Uuid::new_v4();
    let mut kept = kept();
    kept.retain(|_, kept| kept.ends > now);
    kept.insert(id, Kept { owner, ends: now + WAITS, shown });
    id
}

/// The same secret under another id, for the page of another click; the first one stays.
pub(super) fn copy(owner: Uuid, id: &str, now: Instant) -> Option<Uuid> {
    let id = Uuid::parse_str(id).ok()?;
    let shown = kept().get(&id).filter(|kept| kept.owner == owner)?.shown.clone();
    Some(keep(owner, shown, now))
}

/// Takes the secret, if it is this owner's and still there.
pub(super) fn take(owner: Uuid, id: &str, now: Instant) -> Option<OneTimeSecret> {
    let id = Uuid::parse_str(id).ok()?;
    let mut kept = kept();
    if kept.get(&id)?.owner != owner {
        return None;
    }
    kept.remove(&id).filter(|kept| kept.ends > now).map(|kept| kept.shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_shown_once_and_to_its_owner_only() {
        let (owner, other, now) = (Uuid::new_v4(), Uuid::new_v4(), Instant::now());
        let secret = || OneTimeSecret::Token { name: "ci".to_owned(), secret: "s".to_owned() };
        let id = keep(owner, secret(), now).to_string();
        assert_eq!(take(other, &id, now), None);
        assert_eq!(take(owner, &id, now), Some(secret()));
        assert_eq!(take(owner, &id, now), None);
        let original = keep(owner, secret(), now).to_string();
        let pages = [0, 1].map(|_| copy(owner, &original, now).unwrap().to_string());
        assert!(pages.iter().all(|page| take(owner, page, now) == Some(secret()) && take(owner, page, now).is_none()));
        assert_eq!(copy(other, &original, now), None);
        let late = keep(owner, secret(), now).to_string();
        assert_eq!(take(owner, &late, now + WAITS), None);
        assert_eq!(take(owner, "no id", now), None);
    }
}
