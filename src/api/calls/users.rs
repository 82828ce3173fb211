//! People with an account; administrators add them.

use jiff::Timestamp;
use uuid::Uuid;

use super::account::{name_error, new_link};
use super::now;
use crate::domain::list::Page;
use crate::domain::problem::Problem;
use crate::domain::text::kept_name;
use crate::domain::user::{Actor, InvitedUser, Role, User};
use crate::state::AppState;

/// Told to everybody else.
const REFUSAL: &str = "Only administrators manage people.";

pub async fn list(app: &AppState, actor: &Actor) -> Result<Page<User>, Problem> {
    actor.must_be_administrator(REFUSAL)?;
    let items = app.store.users().await?;
    Ok(Page { total: items.len() as u64, items })
}

/// Adds a person; the answer has the one-time link with which the person sets a password.
pub async fn create(app: &AppState, actor: &Actor, name: &str, role: Role) -> Result<InvitedUser, Problem> {
    actor.must_be_administrator(REFUSAL)?;
    let name = kept_name(name);
    if let Some(message) = name_error(&name) {
        return Err(Problem::field("name", message));
    }
    let now = now();
    let user = app.store.create_user(&name, role, now).await?;
    invited(app, user, now).await
}

/// A new one-time link for somebody whose link expired or who forgot the password. The password works until the link is used.
pub async fn invite_again(app: &AppState, actor: &Actor, id: Uuid) -> Result<InvitedUser, Problem> {
    actor.must_be_administrator(REFUSAL)?;
    let user = app.store.user(id).await?;
    if user.disabled {
        return Err(Problem::conflict(format!("The account of {} is shut. Open it again first.", user.name)));
    }
    invited(app, user, now()).await
}

/// Shuts a person's account: signed out at once, everywhere, tokens included. What is theirs stays.
pub async fn disable(app: &AppState, actor: &Actor, id: Uuid) -> Result<User, Problem> {
    actor.must_be_administrator(REFUSAL)?;
    not_oneself(actor, id)?;
    Ok(app.store.disable_user(id, now()).await?)
}

/// Opens a shut account again.
pub async fn enable(app: &AppState, actor: &Actor, id: Uuid) -> Result<User, Problem> {
    actor.must_be_administrator(REFUSAL)?;
    Ok(app.store.enable_user(id).await?)
}

/// Removes a person for good. Sessions and tokens end at once; drafts and the secrets of credentials are deleted. Runs, and
/// the models and datasets that were added, stay: administrators see them.
pub async fn remove(app: &AppState, actor: &Actor, id: Uuid) -> Result<(), Problem> {
    actor.must_be_administrator(REFUSAL)?;
    not_oneself(actor, id)?;
    Ok(app.store.remove_user(id, now()).await?)
}

/// A person can't disable the own account: there may be nobody else to undo it.
fn not_oneself(actor: &Actor, id: Uuid) -> Result<(), Problem> {
    if actor.id == id { Err(Problem::conflict("This is your own account. Another administrator can do it.")) } else { Ok(()) }
}

async fn invited(app: &AppState, user: User, now: Timestamp) -> Result<InvitedUser, Problem> {
    let (link, link_expires_at) = new_link(app, user.id, now).await?;
    Ok(InvitedUser { user, link, link_expires_at })
}
