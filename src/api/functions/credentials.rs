//! Credentials, as their page shows them; adding, testing and removing them. A secret goes in and never comes out.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use super::CallError;
use super::lists::Owned;
use crate::domain::form::Flash;
use crate::domain::inventory::Credential;
use crate::domain::list::{ListQuery, Page};

use super::{forms, idempotency, lists};
use crate::domain::problem::Problem;

/// The list of credentials.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CredentialsView {
    pub credentials: Page<Owned<Credential>>,
    /// How the last action went; a test's result is in the entries `tested` (the id), `class` (`ok` or not) and `message`.
    pub flash: Option<Flash>,
}

/// The list of credentials.
#[server(endpoint = "ui/credentials", input = server_fn::codec::Json)]
pub async fn load_credentials(query: ListQuery, flash: String) -> Result<CredentialsView, CallError> {
    let (app, actor) = crate::auth::context()?;
    let owners = lists::Owners::seen_by(&app, &actor).await?;
    let page = crate::api::calls::credentials::list(&app, &actor, &query).await?;
    let items = page.items.into_iter().map(|credential| {
        let owner = Some(credential.owner);
        owners.of(credential, owner)
    });
    Ok(CredentialsView { credentials: Page { items: items.collect(), total: page.total }, flash: forms::kept(&flash).await })
}

/// Seals a secret and keeps it.
#[server(endpoint = "ui/credential-add")]
pub async fn add_credential(
    #[server(default)] name: String,
    #[server(default)] provider: String,
    #[server(default)] secret: String,
    #[server(default)] base_url: String,
    #[server(default)] form: String,
) -> Result<(), CallError> {
    use crate::api::calls::credentials::create;
    use crate::domain::provider::ProviderId;
    // The secret is not among the entries: it is kept nowhere but sealed.
    let entries = forms::entries(&[("name", &name), ("provider", &provider), ("base_url", &base_url)]);
    let added = async {
        let (app, actor) = crate::auth::context()?;
        let provider: ProviderId = provider.parse().map_err(|_| Problem::field("provider", "Choose a provider."))?;
        let base_url = Some(base_url).filter(|base_url| !base_url.trim().is_empty());
        let fields = [name.as_str(), provider.into_str(), &secret, base_url.as_deref().unwrap_or_default()];
        let key = idempotency::FormKey::new(actor.id, &form, "credential-add", &fields, idempotency::FIELDS_KEPT);
        let state = app.clone();
        idempotency::once(&state, key, async move {
            let credential = create(&app, &actor, &name, provider, secret, base_url).await?;
            let sentence =
                format!("{} was added. Its secret is sealed, and sent to {} only.", credential.name, credential.origin);
            Ok(("/credentials".to_owned(), sentence))
        })
        .await
    };
    lists::done(added.await, "/credentials/new", entries).await
}

/// Tries a credential at its provider, and shows how it went beside it.
#[server(endpoint = "ui/credential-test")]
pub async fn test_credential(#[server(default)] id: String) -> Result<(), CallError> {
    let tested = async {
        let (app, actor) = crate::auth::context()?;
        crate::api::calls::credentials::test(&app, &actor, lists::id_of(&id, "credential")?).await
    };
    match tested.await {
        Ok(result) => {
            let class = if result.ok { "ok" } else { "refused" };
            let entries = forms::entries(&[("tested", &id), ("class", class), ("message", &result.message)]);
            forms::show_again(&Flash { entries, ..Flash::default() }, "/credentials").await
        }
        Err(problem) => forms::answer(Err(problem), "/credentials", Vec::new()).await,
    }
}

/// Removes a credential; its secret is gone in any case.
#[server(endpoint = "ui/credential-delete")]
pub async fn delete_credential(#[server(default)] id: String) -> Result<(), CallError> {
    use crate::api::calls::credentials;
    let deleted = async {
        let (app, actor) = crate::auth::context()?;
        let id = lists::id_of(&id, "credential")?;
        let name = credentials::get(&app, &actor, id).await?.name;
        credentials::delete(&app, &actor, id).await?;
        Ok::<_, Problem>(("/credentials".to_owned(), format!("{name} was deleted, and its secret with it.")))
    };
    lists::done(deleted.await, "/credentials", Vec::new()).await
}
