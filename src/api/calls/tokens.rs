//! Tokens for scripts; everybody has tokens of their own.

use uuid::Uuid;

use super::account::name_error;
use super::now;
use crate::auth::{digest, random_token};
use crate::domain::list::Page;
use crate::domain::problem::Problem;
use crate::domain::text::kept_name;
use crate::domain::user::{Actor, ApiToken, CreatedToken};
use crate::state::AppState;

/// The actor's tokens, without their secrets.
pub async fn list(app: &AppState, actor: &Actor) -> Result<Page<ApiToken>, Problem> {
    let items = app.store.tokens(actor).await?;
    Ok(Page { total: items.len() as u64, items })
}

/// Makes a token; the answer is the one time that its secret is shown.
pub async fn create(app: &AppState, actor: &Actor, name: &str) -> Result<CreatedToken, Problem> {
    let name = kept_name(name);
    if let Some(message) = name_error(&name) {
        return Err(Problem::field("name", message));
    }
    let secret = random_token();
    let token = app.store.create_token(actor, &name, &digest(secret.expose()), now()).await?;
    Ok(CreatedToken { token, secret: secret.expose().to_owned() })
}

/// Removes a token; it stops working at once.
pub async fn delete(app: &AppState, actor: &Actor, id: Uuid) -> Result<(), Problem> {
    Ok(app.store.delete_token(actor, id).await?)
}
