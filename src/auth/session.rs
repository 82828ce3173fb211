//! Sessions of browsers: begun at a sign-in, known by the digest of what the browser's cookie holds.

use jiff::{SignedDuration, Timestamp};

use super::identity::Caller;
use super::token::{digest, random_token};
use crate::credentials::Secret;
use crate::domain::problem::{Problem, ProblemKind};
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

/// For what goes on for long: a problem once the session that it is watched in is over, the token by which it was asked for
/// was deleted, or the person's account was shut or removed.
pub async fn still_signed_in(app: &AppState, actor: &Actor, caller: &Caller) -> Result<(), Problem> {
    let now = Timestamp::now();
    let still = match (&caller.session, &caller.token) {
        (Some(session), _) => app.store.session_actor(session, now, SESSION_IDLE).await?.is_some(),
        (None, Some(token)) => app.store.token_actor(token, now).await?.is_some(),
        (None, None) => app.store.is_open_account(actor.id).await?,
    };
    if still { Ok(()) } else { Err(Problem::new(ProblemKind::Unauthorized, "You are signed out.")) }
}

pub async fn end(app: &AppState, session: &Secret) -> Result<(), Problem> {
    Ok(app.store.end_session(&digest(session.expose()), Timestamp::now()).await?)
}
