use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use server_fn::ServerFn;

use crate::api::functions::credentials::AddCredential;
use crate::api::functions::forms::load_flash;
use crate::components::button::{LinkButton, Look, Submit};
use crate::components::field::{SelectField, TextField};
use crate::components::form::{ErrorSummary, FormNumber, summary_lines};
use crate::components::heading::PageHeading;
use crate::domain::form::Flash;
use crate::domain::provider::PROVIDERS;
use crate::pages::loaded::loaded;

/// `/credentials/new`
#[component]
pub fn NewCredentialPage() -> impl IntoView {
    let query = use_query_map();
    let kept = Resource::new(move || query.read().get("flash").unwrap_or_default(), load_flash);
    loaded(kept, move |flash| view! { <Add flash=flash.unwrap_or_default() /> })
}

#[component]
fn Add(flash: Flash) -> impl IntoView {
    let mut options = vec![(String::new(), "Choose a provider".to_owned())];
    options.extend(PROVIDERS.iter().map(|provider| (provider.id.into_str().to_owned(), provider.title.to_owned())));
    let without: Vec<&str> =
        PROVIDERS.iter().filter(|provider| provider.base_url.is_none()).map(|provider| provider.title).collect();
    view! {
        <div class="form-page stack-loose">
            <a class="back" href="/credentials">"All credentials"</a>
            <ErrorSummary lines=summary_lines(&flash) />
            <PageHeading title="Add a credential" error=flash.is_refusal() />
            <form class="form" method="post" action=AddCredential::url() novalidate autocomplete="off">
                <FormNumber />
                <TextField
                    name="name"
                    label="Name"
                    hint="As it is called in lists, up to 100 characters."
                    autocomplete="off"
                    value=flash.value("name", "")
                    error=flash.error("name")
                />
                <SelectField
                    name="provider"
                    label="Provider"
                    options=options
                    value=flash.value("provider", "")
                    error=flash.error("provider")
                />
                <TextField
                    name="base_url"
                    label="Base URL (optional for most)"
                    hint=format!(
                        "Needed for {}. The secret is sent to this scheme, host and port, and nowhere else.",
                        without.join(" and "),
                    )
                    kind="url"
                    autocomplete="off"
                    value=flash.value("base_url", "")
                    error=flash.error("base_url")
                />
                <TextField
                    name="secret"
                    label="Secret"
                    hint="The provider's API key. It is sealed, and never shown again."
                    kind="password"
                    autocomplete="off"
                    error=flash.error("secret")
                />
                <div class="actions">
                    <Submit text="Add credential" look=Look::Primary />
                    <LinkButton href="/credentials" text="Cancel" />
                </div>
            </form>
        </div>
    }
}
