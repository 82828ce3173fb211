//! Sessions of browsers: begun at a sign-in, known by the digest of what the browser's cookie holds.

use jiff::{SignedDuration, Timestamp};

use super::token::{digest, random_token};
use crate::credentials::Secret;
use crate::domain::problem::Problem;
use crate::domain::user::{Actor, User};
use crate::state::AppState;

/// A session ends when it was not used for this long …
pub const SESSION_IDLE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// … and in any case after this long.
const SESSION_LIFE: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A session that has just begun.
#[derive(Debug, Clone)]
pub struct NewSession {
    pub actor: Actor,
    /// What the browser keeps in its cookie.
    pub secret: Secret,
    /// When it ends in any case.
    pub ends: Timestamp,
}

/// Begins a session of somebody who has shown who it is.
pub async fn begin(app: &AppState, user: User) -> Result<NewSession, Problem> {
    let now = Timestamp::now();
    let session = NewSession {
        actor: Actor { id: user.id, name: user.name, role: user.role },
        secret: random_token(),
        ends: now + SESSION_LIFE,
    };
    app.store.create_session(&digest(session.secret.expose()), user.id, now, session.ends).await?;
    Ok(session)
}

pub async fn end(app: &AppState, session: &Secret) -> Result<(), Problem> {
    Ok(app.store.end_session(&digest(session.expose()), Timestamp::now()).await?)
}
