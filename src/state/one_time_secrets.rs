//! Secrets that are shown once: a new token, a one-time link. They are kept in memory only, under an id that cannot be
//! guessed, for the page that the form redirects to; the first look takes them away.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::domain::user::OneTimeSecret;

/// How long a secret waits for its page.
const WAITS: Duration = Duration::from_secs(120);

struct Waiting {
    owner: Uuid,
    ends: Instant,
    secret: OneTimeSecret,
}

/// The secrets that wait for their page.
#[derive(Default)]
pub struct OneTimeSecrets(Mutex<HashMap<Uuid, Waiting>>);

impl OneTimeSecrets {
    /// Keeps a secret for its owner's next page; the answer is its id.
    pub fn keep(&self, owner: Uuid, secret: OneTimeSecret, now: Instant) -> Uuid {
        let id = Uuid::new_v4();
        let mut waiting = self.lock();
        waiting.retain(|_, waiting| waiting.ends > now);
        waiting.insert(id, Waiting { owner, ends: now + WAITS, secret });
        id
    }

    /// The same secret under another id, for the page of another click; the first one stays.
    pub fn copy(&self, owner: Uuid, id: &str, now: Instant) -> Option<Uuid> {
        let id = Uuid::parse_str(id).ok()?;
        let secret = self.lock().get(&id).filter(|waiting| waiting.owner == owner)?.secret.clone();
        Some(self.keep(owner, secret, now))
    }

    /// Takes the secret, if it is this owner's and still there.
    pub fn take(&self, owner: Uuid, id: &str, now: Instant) -> Option<OneTimeSecret> {
        let id = Uuid::parse_str(id).ok()?;
        let mut waiting = self.lock();
        if waiting.get(&id)?.owner != owner {
            return None;
        }
        waiting.remove(&id).filter(|waiting| waiting.ends > now).map(|waiting| waiting.secret)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_shown_once_and_to_its_owner_only() {
        let secrets = OneTimeSecrets::default();
        let (owner, other, now) = (Uuid::new_v4(), Uuid::new_v4(), Instant::now());
        let secret = || OneTimeSecret::Token { name: "ci".to_owned(), secret: "s".to_owned() };
        let id = secrets.keep(owner, secret(), now).to_string();
        assert_eq!(secrets.take(other, &id, now), None);
        assert_eq!(secrets.take(owner, &id, now), Some(secret()));
        assert_eq!(secrets.take(owner, &id, now), None);
        let original = secrets.keep(owner, secret(), now).to_string();
        let pages = [0, 1].map(|_| secrets.copy(owner, &original, now).unwrap().to_string());
        assert!(
            pages.iter().all(|page| secrets.take(owner, page, now) == Some(secret()) && secrets.take(owner, page, now).is_none())
        );
        assert_eq!(secrets.copy(other, &original, now), None);
        let late = secrets.keep(owner, secret(), now).to_string();
        assert_eq!(secrets.take(owner, &late, now + WAITS), None);
        assert_eq!(secrets.take(owner, "no id", now), None);
    }
}
