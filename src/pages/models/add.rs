//! Adding a model: first where it is, then what that needs. Each kind is a form of its own, so that it works without
//! scripts.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use server_fn::ServerFn;

use crate::api::functions::models::{AddModel, NewModelView, load_new_model};
use crate::components::button::{LinkButton, Look, Submit};
use crate::components::field::{Choice, ChoiceGroup, SelectField, TextArea, TextField};
use crate::components::form::{ErrorSummary, FormNumber, summary_lines};
use crate::components::heading::PageHeading;
use crate::domain::form::Flash;
use crate::domain::provider::PROVIDERS;
use crate::pages::loaded::loaded;

/// The kinds of source: in the address, and for people.
const SOURCES: [(&str, &str); 3] = [("file", "File or folder"), ("hub", "Hugging Face hub"), ("cloud", "Cloud model")];

#[component]
pub fn NewModelPage() -> impl IntoView {
    let query = use_query_map();
    let of_query = move |name: &str| query.read().get(name).unwrap_or_default();
    let data = Resource::new(move || of_query("flash"), load_new_model);
    loaded(data, move |view| view! { <Add view=view asked=of_query("source") /> })
}

#[component]
fn Add(view: NewModelView, asked: String) -> impl IntoView {
    let flash = view.flash.unwrap_or_default();
    let source = SOURCES.iter().map(|(source, _)| *source).find(|source| *source == asked).unwrap_or("file");
    let tabs = SOURCES.into_iter().map(|(name, words)| {
        let current = (name == source).then_some("page");
        view! {
            <li>
                <a href=format!("/models/new?source={name}") aria-current=current>
                    {words}
                </a>
            </li>
        }
    });
    let fields = match source {
        "hub" => hub_fields(&flash),
        "cloud" => cloud_fields(&flash),
        _ => file_fields(&flash, &view.roots),
    };
    view! {
        <div class="form-page stack-loose">
            <a class="back" href="/models">"All models"</a>
            <ErrorSummary lines=summary_lines(&flash) />
            <PageHeading title="Add a model" error=flash.is_refusal() />
            <nav class="tabs" aria-label="Where the model is">
                <ul>{tabs.collect_view()}</ul>
            </nav>
            <form class="form" method="post" action=AddModel::url() novalidate>
                <FormNumber />
                <input type="hidden" name="source" value=source />
                <TextField
                    name="name"
                    label="Name"
                    hint="As it is called in lists, up to 100 characters."
                    autocomplete="off"
                    value=flash.value("name", "")
                    error=flash.error("name")
                />
                {fields}
                <div class="actions">
                    <Submit text="Add model" look=Look::Primary />
                    <LinkButton href="/models" text="Cancel" />
                </div>
            </form>
        </div>
    }
}

fn file_fields(flash: &Flash, roots: &[String]) -> AnyView {
    let hint = if roots.is_empty() {
        "No folder for model files is set up. An administrator names them in DYNO_MODEL_ROOTS.".to_owned()
    } else {
        format!("A GGUF file or a Hugging Face folder below {}.", roots.join(" or "))
    };
    let location = flash.value("location", "portal");
    let choices = vec![
        Choice::new("portal", "The portal's machine", location != "node")
            .with(view! { <p class="hint">"Dyno reads it now, and brings it to a node that needs it."</p> }),
        Choice::new("node", "Each node of the cluster", location == "node")
            .with(view! { <p class="hint">"It must be at this path on every node; a run checks that."</p> }),
    ];
    view! {
        <TextField
            name="path"
            label="Path"
            hint=hint
            autocomplete="off"
            value=flash.value("path", "")
            error=flash.error("path")
        />
        <ChoiceGroup name="location" legend="On whose disk" choices=choices error=flash.error("location") />
    }
    .into_any()
}

fn hub_fields(flash: &Flash) -> AnyView {
    view! {
        <TextField
            name="repository"
            label="Repository"
            hint="As organisation/name. It is fetched when a run first needs it."
            autocomplete="off"
            value=flash.value("repository", "")
            error=flash.error("repository")
        />
        <TextField
            name="revision"
            label="Revision (optional)"
            hint="A branch, a tag or a commit; main when left empty."
            autocomplete="off"
            value=flash.value("revision", "")
            error=flash.error("revision")
        />
    }
    .into_any()
}

fn cloud_fields(flash: &Flash) -> AnyView {
    let chosen = flash.value("provider", "");
    let mut options = vec![(String::new(), "Choose a provider".to_owned())];
    options.extend(PROVIDERS.iter().map(|provider| (provider.id.into_str().to_owned(), provider.title.to_owned())));
    let unchecked = flash.value("insecure_skip_tls_verify", "false") == "true";
    let checks = vec![
        Choice::new("false", "Is checked", !unchecked),
        Choice::new("true", "Is not checked", unchecked).with(
            view! { <p class="hint">"Whoever stands in between can read the key and change everything. Each report says so."</p> },
        ),
    ];
    let without: Vec<&str> =
        PROVIDERS.iter().filter(|provider| provider.base_url.is_none()).map(|provider| provider.title).collect();
    view! {
        <SelectField
            name="provider"
            label="Provider"
            options=options
            value=chosen
            error=flash.error("provider")
        />
        <TextField
            name="base_url"
            label="Base URL (optional for most)"
            hint=format!(
                "Needed for {}; the others have one of their own. Without a path it gets /v1: http://127.0.0.1:8100 becomes http://127.0.0.1:8100/v1.",
                without.join(" and "),
            )
            kind="url"
            autocomplete="off"
            value=flash.value("base_url", "")
            error=flash.error("base_url")
        />
        <TextField
            name="model"
            label="Model name"
            hint="The provider's name for the model, as it is sent in requests."
            autocomplete="off"
            value=flash.value("model", "")
            error=flash.error("model")
        />
        <TextArea
            name="ca_certificate"
            label="Certificate authority (optional)"
            hint="For a server at an https address whose certificate the system does not trust: the authority's certificate as PEM text, which begins with -----BEGIN CERTIFICATE-----."
            value=flash.value("ca_certificate", "")
            error=flash.error("ca_certificate")
        />
        <ChoiceGroup
            name="insecure_skip_tls_verify"
            legend="The server's certificate"
            choices=checks
            error=flash.error("insecure_skip_tls_verify")
        />
        <p class="hint">
            "The key goes into " <a href="/credentials/new">"a credential"</a> ", which a benchmark then chooses."
        </p>
    }
    .into_any()
}
