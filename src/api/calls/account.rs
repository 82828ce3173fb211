//! Signing in and out, and the one-time links with which a password is set.

use std::net::IpAddr;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::auth::session::{self, NewSession};
use crate::auth::{LEAST_PASSWORD, digest, hash_password, random_token, throttle, verify_password};
use crate::credentials::Secret;
use crate::domain::problem::{FieldError, Problem, ProblemKind};
use crate::domain::text::kept_name;
use crate::domain::user::{Actor, LinkInfo};
use crate::state::AppState;
use crate::store::{LinkState, StoreError};
use dyno_measure::words::{is_blank, is_invisible};

/// How long a one-time link works.
const LINK_LIFE: SignedDuration = SignedDuration::from_hours(24);
/// The most characters of a password: hashing takes longer for longer ones.
const MOST_PASSWORD: usize = 1000;

/// Signs a person in by name and password.
pub async fn sign_in(app: &AppState, name: &str, password: &Secret, peer: IpAddr) -> Result<NewSession, Problem> {
    let name = name.trim();
    let mut errors = Vec::new();
    if name.is_empty() {
        errors.push(FieldError::new("name", "Enter your name."));
    }
    if password.is_empty() {
        errors.push(FieldError::new("password", "Enter your password."));
    }
    if !errors.is_empty() {
        return Err(Problem::invalid(errors));
    }
    tokio::time::sleep(throttle::begin(&app.sign_in_attempts, name, peer, Instant::now())?).await;
    let found = app.store.user_for_sign_in(name).await?;
    let (user, hash) = found.map_or((None, None), |(user, hash)| (Some(user), hash));
    let matches = password.expose().chars().count() <= MOST_PASSWORD
        && verify_password(&app.password_hashing, password, hash.clone()).await?;
    // The same words whether the name or the password is wrong.
    let refused = || {
        tracing::info!(peer = %peer, "sign-in failed");
        Problem::field("password", "Name or password is wrong.")
    };
    let (Some(user), Some(hash)) = (user.filter(|_| matches), hash) else { return Err(refused()) };
    let begun = session::begin(app, user, &hash).await.map_err(|error| match error {
        StoreError::Stale => refused(),
        other => other.into(),
    })?;
    throttle::succeeded(&app.sign_in_attempts, name, peer);
    Ok(begun)
}

/// Whom a one-time link is for; a problem that says why, if it does not work.
pub async fn link_info(app: &AppState, token: &str) -> Result<LinkInfo, Problem> {
    match app.store.link(&digest(token), Timestamp::now()).await? {
        LinkState::Open(user) => Ok(LinkInfo { name: user.name, active: user.active }),
        LinkState::Used => Err(dead("This link was used already. Sign in with the password that was set.")),
        LinkState::Expired => Err(dead("This link has expired. Ask an administrator for a new one.")),
        LinkState::Unknown => Err(dead("This link does not work. Check that it is complete.")),
    }
}

fn dead(detail: &str) -> Problem {
    Problem::new(ProblemKind::NotFound, detail)
}

/// Uses a one-time link: sets the password, and the name where one is given, and signs the person in.
pub async fn accept_link(app: &AppState, token: &str, name: Option<&str>, password: &Secret) -> Result<NewSession, Problem> {
    link_info(app, token).await?;
    let name = name.map(kept_name).filter(|name| !name.is_empty());
    let mut errors = Vec::new();
    if let Some(message) = name.as_deref().and_then(name_error) {
        errors.push(FieldError::new("name", message));
    }
    errors.extend(password_error(password).map(|message| FieldError::new("password", message)));
    if !errors.is_empty() {
        return Err(Problem::invalid(errors));
    }
    let hash = hash_password(&app.password_hashing, password).await?;
    let user =
        app.store.use_link(&digest(token), name.as_deref(), &hash, Timestamp::now()).await.map_err(|error| match error {
            StoreError::NotFound(_) => dead("This link was used already. Sign in with the password that was set."),
            other => other.into(),
        })?;
    session::begin(app, user, &hash).await.map_err(|error| match error {
        StoreError::Stale => Problem::conflict("Your account was changed meanwhile. Sign in with your password."),
        other => other.into(),
    })
}

/// What is wrong with a new password.
fn password_error(password: &Secret) -> Option<String> {
    match password.expose().chars().count() {
        length if length < LEAST_PASSWORD => Some(format!("Use at least {LEAST_PASSWORD} characters.")),
        length if length > MOST_PASSWORD => Some(format!("Use at most {MOST_PASSWORD} characters.")),
        _ => None,
    }
}

/// Changes the actor's own password. The old one is asked for, and wrong answers count as failed sign-ins do. Every session
/// but this one ends; tokens stay.
pub async fn change_password(
    app: &AppState,
    actor: &Actor,
    current: &Secret,
    new: &Secret,
    session: Option<&[u8]>,
    peer: IpAddr,
) -> Result<(), Problem> {
    let mut errors = Vec::new();
    if current.is_empty() {
        errors.push(FieldError::new("current_password", "Enter your current password."));
    }
    errors.extend(password_error(new).map(|message| FieldError::new("new_password", message)));
    if !errors.is_empty() {
        return Err(Problem::invalid(errors));
    }
    let Some(was) = app.store.password_hash(actor.id).await? else {
        return Err(Problem::conflict("You have no password yet. Set one with a one-time link."));
    };
    tokio::time::sleep(throttle::begin(&app.sign_in_attempts, &actor.name, peer, Instant::now())?).await;
    let matches = current.expose().chars().count() <= MOST_PASSWORD
        && verify_password(&app.password_hashing, current, Some(was.clone())).await?;
    if !matches {
        tracing::info!(peer = %peer, "a password change was refused");
        return Err(Problem::field("current_password", "This is not your current password."));
    }
    throttle::succeeded(&app.sign_in_attempts, &actor.name, peer);
    let hash = hash_password(&app.password_hashing, new).await?;
    Ok(app.store.change_password(actor.id, &was, &hash, session, Timestamp::now()).await?)
}

/// What is wrong with a person's name.
pub(super) fn name_error(name: &str) -> Option<String> {
    match name.chars().count() {
        _ if is_blank(name) => Some("Enter a name.".to_owned()),
        51.. => Some("Use at most 50 characters.".to_owned()),
        _ if name.chars().any(is_invisible) => Some("Use letters, digits and spaces.".to_owned()),
        _ => None,
    }
}

/// A new one-time link of a person, with its end. Older ones stop working.
pub(super) async fn new_link(app: &AppState, user: Uuid, now: Timestamp) -> Result<(String, Timestamp), StoreError> {
    let token = random_token();
    let ends = now + LINK_LIFE;
    app.store.create_link(&digest(token.expose()), user, now, ends).await?;
    Ok((format!("{}/link/{}", app.config.base_url(), token.expose()), ends))
}

/// For the portal's start: the first administrator's one-time link, while no administrator has a password.
pub async fn first_link(app: &AppState, now: Timestamp) -> Result<Option<String>, StoreError> {
    let administrator = app.store.first_administrator(now).await?;
    if app.store.has_active_administrator().await? {
        return Ok(None);
    }
    Ok(Some(new_link(app, administrator.id, now).await?.0))
}
