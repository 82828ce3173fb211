//! Who is signed in; signing in and out; the one-time link; the theme.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use super::CallError;
use super::{forms, local_path, query_escape};
use crate::credentials::Secret;
use crate::domain::form::Flash;
use crate::domain::problem::Problem;
use crate::domain::user::LinkInfo;

/// The person who is signed in, as pages need to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    pub name: String,
    /// Whether everything may be done.
    pub administrator: bool,
}

/// Who is at the browser, and how it is to look.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visit {
    /// Who is signed in.
    pub session: Option<Session>,
    /// `light` or `dark`; absent: as the system has it.
    pub theme: Option<String>,
}

/// Who is signed in at the browser; that it is no one is no error.
#[server(endpoint = "ui/session")]
pub async fn current_visit() -> Result<Visit, CallError> {
    let session =
        crate::auth::context().ok().map(|(_, actor)| Session { administrator: actor.is_administrator(), name: actor.name });
    Ok(Visit { session, theme: forms::chosen_theme() })
}

/// Keeps the choice of theme in a cookie for a year; empty: as the system has it. Answers what is in force.
#[server(endpoint = "ui/theme")]
pub async fn set_theme(#[server(default)] theme: String) -> Result<Option<String>, CallError> {
    Ok(forms::choose_theme(theme))
}

/// What the sign-in and link pages show of the form that was refused last in this browser.
#[server(endpoint = "ui/visitor-flash")]
pub async fn visitor_flash() -> Result<Option<Flash>, CallError> {
    Ok(forms::take_kept_for_visitor())
}

/// Signs in and goes on to `next`, a path of this portal.
#[server(endpoint = "ui/sign-in")]
pub async fn sign_in(
    #[server(default)] name: String,
    #[server(default)] password: String,
    #[server(default)] next: String,
) -> Result<(), CallError> {
    let next = local_path(&next);
    let here = format!("/sign-in?next={}", query_escape(&next));
    let result = begin(&name, password, &next).await.map(|()| next);
    forms::answer_visitor(result, &here, forms::entries(&[("name", &name)]));
    Ok(())
}

async fn begin(name: &str, password: String, next: &str) -> Result<(), Problem> {
    let (app, peer) = crate::auth::visitor()?;
    let session = crate::api::calls::account::sign_in(&app, name, &Secret::new(password), peer).await?;
    if let Err(problem) = crate::auth::claim_entries(&session.actor, next).await {
        // What was typed before is lost then; the sign-in is not.
        tracing::warn!(%problem, "the entries of a form could not be handed over");
    }
    crate::auth::begin_session(&session)
}

/// Ends this browser's session.
#[server(endpoint = "ui/sign-out")]
pub async fn sign_out() -> Result<(), CallError> {
    crate::auth::end_session().await?;
    forms::go("/sign-in");
    Ok(())
}

/// Whom a one-time link is for; a problem says why it can't be used.
#[server(endpoint = "ui/link")]
pub async fn find_link(#[server(default)] token: String) -> Result<LinkInfo, CallError> {
    let (app, _) = crate::auth::visitor()?;
    Ok(crate::api::calls::account::link_info(&app, &token).await?)
}

/// Uses a one-time link: sets the password, and the name where the person chooses one, and signs in.
#[server(endpoint = "ui/accept-link")]
pub async fn accept_link(
    #[server(default)] token: String,
    #[server(default)] name: String,
    #[server(default)] password: String,
    #[server(default)] password_again: String,
) -> Result<(), CallError> {
    let here = format!("/link/{}", query_escape(&token));
    let result = if password == password_again {
        accept(&token, &name, password).await.map(|()| "/".to_owned())
    } else {
        Err(Problem::field("password_again", "The two passwords differ. Type the same password twice."))
    };
    forms::answer_visitor(result, &here, forms::entries(&[("name", &name)]));
    Ok(())
}

async fn accept(token: &str, name: &str, password: String) -> Result<(), Problem> {
    let (app, _) = crate::auth::visitor()?;
    let session = crate::api::calls::account::accept_link(&app, token, Some(name), &Secret::new(password)).await?;
    crate::auth::begin_session(&session)
}
