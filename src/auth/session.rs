//! Browser sessions: begun at sign-in, identified by the digest of the cookie's secret.

use jiff::{SignedDuration, Timestamp};

use super::token::{digest, random_token};
use crate::credentials::Secret;
use crate::domain::problem::Problem;
use crate::domain::user::{Actor, User};
use crate::state::AppState;
use crate::store::StoreError;

/// A session ends after this time without use …
pub const SESSION_IDLE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// … and in any case after this time.
const SESSION_LIFE: SignedDuration = SignedDuration::from_hours(30 * 24);

#[derive(Debug, Clone)]
pub struct NewSession {
    pub actor: Actor,
    pub secret: Secret,
    /// When it ends in any case.
    pub ends: Timestamp,
}

/// Begins a session for a person whose password was verified against this hash. `Stale` if the account is no longer as it was then.
pub async fn begin(app: &AppState, user: User, password_hash: &str) -> Result<NewSession, StoreError> {
    let now = Timestamp::now();
    let session = NewSession {
        actor: Actor { id: user.id, name: user.name, role: user.role },
        secret: random_token(),
        ends: now + SESSION_LIFE,
    };
    app.store.create_session(&digest(session.secret.expose()), user.id, password_hash, now, session.ends).await?;
    Ok(session)
}

pub async fn end(app: &AppState, session: &Secret) -> Result<(), Problem> {
    Ok(app.store.end_session(&digest(session.expose()), Timestamp::now()).await?)
}
