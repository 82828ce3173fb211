//! The settings' page: the reader's password and tokens, and for administrators people with their one-time links.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use super::CallError;
use crate::domain::device_specification::DeviceSpecification;
use crate::domain::form::Flash;
use crate::domain::price::DevicePrice;
use crate::domain::user::{ApiToken, OneTimeSecret, User};

use super::idempotency::{self, BUTTON_KEPT, FIELDS_KEPT, FormKey};
use super::{forms, lists};
use crate::domain::problem::Problem;

/// What the settings show.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SettingsView {
    pub id: uuid::Uuid,
    pub name: String,
    /// Whether the reader manages people.
    pub administrator: bool,
    pub tokens: Vec<ApiToken>,
    /// Everybody, for administrators; empty for others.
    pub users: Vec<User>,
    pub prices: Vec<DevicePrice>,
    pub specifications: Vec<DeviceSpecification>,
    /// A secret that is shown this once.
    pub shown: Option<OneTimeSecret>,
    /// How the last action went.
    pub flash: Option<Flash>,
}

/// What the settings show.
#[server(endpoint = "ui/settings")]
pub async fn load_settings(
    #[server(default)] flash: String,
    #[server(default)] shown: String,
) -> Result<SettingsView, CallError> {
    use crate::api::calls::{device_specifications, prices, tokens, users};
    let (app, actor) = crate::auth::context()?;
    let administrator = actor.is_administrator();
    Ok(SettingsView {
        id: actor.id,
        name: actor.name.clone(),
        administrator,
        tokens: tokens::list(&app, &actor).await?.items,
        users: if administrator { users::list(&app, &actor).await?.items } else { Vec::new() },
        prices: prices::list(&app).await?.items,
        specifications: device_specifications::list(&app).await?.items,
        shown: app.one_time_secrets.take(actor.id, &shown, std::time::Instant::now()),
        flash: forms::kept(&flash).await,
    })
}

/// Makes a token; the next page shows it once.
#[server(endpoint = "ui/token-add")]
pub async fn add_token(#[server(default)] token_name: String, #[server(default)] form: String) -> Result<(), CallError> {
    let added = async {
        let (app, actor) = crate::auth::context()?;
        let (reader, name) = (actor.id, token_name.clone());
        let key = FormKey::new(reader, &form, "token-add", &[&token_name], FIELDS_KEPT);
        let state = app.clone();
        shown_next(
            &state,
            reader,
            key,
            Box::pin(async move {
                let created = crate::api::calls::tokens::create(&app, &actor, &name)
                    .await
                    .map_err(|problem| renamed(problem, "token_name"))?;
                Ok(OneTimeSecret::Token { name: created.token.name, secret: created.secret })
            }),
        )
        .await
    };
    forms::answer(added.await, "/settings", forms::entries(&[("token_name", &token_name)])).await
}

/// Removes a token; it stops working at once.
#[server(endpoint = "ui/token-delete")]
pub async fn delete_token(#[server(default)] id: String) -> Result<(), CallError> {
    let deleted = async {
        let (app, actor) = crate::auth::context()?;
        crate::api::calls::tokens::delete(&app, &actor, lists::id_of(&id, "token")?).await?;
        Ok::<_, Problem>(("/settings".to_owned(), "The token was deleted. It no longer works.".to_owned()))
    };
    lists::done(deleted.await, "/settings", Vec::new()).await
}

/// Adds a person; the next page shows the one-time link once.
#[server(endpoint = "ui/person-add")]
pub async fn add_person(
    #[server(default)] person_name: String,
    #[server(default)] role: String,
    #[server(default)] form: String,
) -> Result<(), CallError> {
    use crate::domain::user::Role;
    let added = async {
        let (app, actor) = crate::auth::context()?;
        let (reader, name) = (actor.id, person_name.clone());
        let role: Role = role.parse().map_err(|_| Problem::field("role", "Choose a role."))?;
        let key = FormKey::new(reader, &form, "person-add", &[&person_name, role.into_str()], FIELDS_KEPT);
        let state = app.clone();
        shown_next(
            &state,
            reader,
            key,
            Box::pin(async move {
                let invited = crate::api::calls::users::create(&app, &actor, &name, role)
                    .await
                    .map_err(|problem| renamed(problem, "person_name"))?;
                Ok(OneTimeSecret::Link { name: invited.user.name, link: invited.link, ends: invited.link_expires_at })
            }),
        )
        .await
    };
    forms::answer(added.await, "/settings", forms::entries(&[("person_name", &person_name), ("role", &role)])).await
}

/// Makes a new one-time link for a person; older ones stop working.
#[server(endpoint = "ui/person-link")]
pub async fn invite_again(#[server(default)] id: String, #[server(default)] form: String) -> Result<(), CallError> {
    let invited = async {
        let (app, actor) = crate::auth::context()?;
        let (reader, id) = (actor.id, lists::id_of(&id, "person")?);
        let key = FormKey::new(reader, &form, "person-link", &[&id.to_string()], BUTTON_KEPT);
        let state = app.clone();
        shown_next(
            &state,
            reader,
            key,
            Box::pin(async move {
                let invited = crate::api::calls::users::invite_again(&app, &actor, id).await?;
                Ok(OneTimeSecret::Link { name: invited.user.name, link: invited.link, ends: invited.link_expires_at })
            }),
        )
        .await
    };
    forms::answer(invited.await, "/settings", Vec::new()).await
}

/// Shuts a person's account, or opens it again.
#[server(endpoint = "ui/person-shut")]
pub async fn shut_account(#[server(default)] id: String, #[server(default)] open: String) -> Result<(), CallError> {
    use crate::api::calls::users;
    let done = async {
        let (app, actor) = crate::auth::context()?;
        let id = lists::id_of(&id, "person")?;
        let sentence = if open == "true" {
            let user = users::enable(&app, &actor, id).await?;
            format!("The account of {} is open again.", user.name)
        } else {
            let user = users::disable(&app, &actor, id).await?;
            format!("The account of {} is shut: signed out everywhere, tokens are refused.", user.name)
        };
        Ok::<_, Problem>(("/settings".to_owned(), sentence))
    };
    lists::done(done.await, "/settings", Vec::new()).await
}

/// Removes a person for good.
#[server(endpoint = "ui/person-remove")]
pub async fn remove_person(#[server(default)] id: String) -> Result<(), CallError> {
    use crate::api::calls::users;
    let done = async {
        let (app, actor) = crate::auth::context()?;
        users::remove(&app, &actor, lists::id_of(&id, "person")?).await?;
        Ok::<_, Problem>(("/settings".to_owned(), "The person was removed. Their runs stay.".to_owned()))
    };
    lists::done(done.await, "/settings", Vec::new()).await
}

/// Changes the reader's own password; ends the reader's other sessions.
#[server(endpoint = "ui/password")]
pub async fn change_password(
    #[server(default)] current_password: String,
    #[server(default)] new_password: String,
    #[server(default)] new_password_again: String,
) -> Result<(), CallError> {
    use crate::credentials::Secret;
    let changed = async {
        let (app, actor) = crate::auth::context()?;
        if new_password != new_password_again {
            let message = "The two passwords differ. Type the same password twice.";
            return Err(Problem::field("new_password_again", message));
        }
        let crate::auth::Caller { session, peer, .. } = crate::auth::caller()?;
        let (current, new) = (Secret::new(current_password), Secret::new(new_password));
        crate::api::calls::account::change_password(&app, &actor, &current, &new, session.as_deref(), peer).await?;
        let sentence = "Your password was changed. Your other browsers are signed out; tokens go on working.";
        Ok::<_, Problem>(("/settings".to_owned(), sentence.to_owned()))
    };
    lists::done(changed.await, "/settings", Vec::new()).await
}

/// Makes a secret, once for each form, and leads to the page that shows it: every click has a page of its own, for whichever
/// answer the browser follows.
async fn shown_next<F>(
    app: &crate::state::AppState,
    reader: uuid::Uuid,
    form: Option<FormKey>,
    make: F,
) -> Result<String, Problem>
where
    F: Future<Output = Result<OneTimeSecret, Problem>> + Send + 'static,
{
    use std::time::Instant;
    let state = app.clone();
    let made = idempotency::once_to(app, form, async move {
        let secret = make.await?;
        Ok(state.one_time_secrets.keep(reader, secret, Instant::now()).to_string())
    });
    let page = app.one_time_secrets.copy(reader, &made.await?, Instant::now());
    Ok(page.map_or("/settings".to_owned(), |page| format!("/settings?shown={page}")))
}

/// The page has two forms with a name: each calls the field by a name of its own.
fn renamed(mut problem: Problem, field: &str) -> Problem {
    for error in problem.errors.iter_mut().filter(|error| error.field == "name") {
        field.clone_into(&mut error.field);
    }
    problem
}
