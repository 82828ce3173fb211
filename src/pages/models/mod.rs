//! Models: the list with the engines that serve them, adding one, one model's facts.

mod add;
mod detail;
mod engines;

use leptos::prelude::*;
use leptos_router::params::ParamsMap;

use crate::api::functions::lists::Owned;
use crate::api::functions::models::{ModelsView, load_models};
use crate::components::banner::Empty;
use crate::components::button::{LinkButton, Look};
use crate::components::heading::PageHeading;
use crate::components::number::{bytes, grouped, magnitude};
use crate::components::outcome::Outcome;
use crate::components::table::{Column, DataTable};
use crate::components::time::Time;
use crate::domain::inventory::{FileLocation, Model, ModelSource};
use crate::domain::list::ListQuery;
use crate::pages::lists::{Listing, list_page};
use crate::simulation::is_known_by_name;

pub use add::NewModelPage;
pub use detail::ModelPage;

const PATH: &str = "/models";

/// Where a model is, in a word, and exactly.
fn source_words(source: &ModelSource) -> (String, String) {
    match source {
        ModelSource::Cloud { provider, base_url, model, .. } => {
            (provider.preset().title.to_owned(), format!("{model} at {base_url}"))
        }
        ModelSource::File { path, location: FileLocation::Portal } => ("File".to_owned(), path.clone()),
        ModelSource::File { path, location: FileLocation::Node } => ("File on nodes".to_owned(), path.clone()),
        ModelSource::Hub { repository, revision } => ("Hub".to_owned(), format!("{repository}, {revision}")),
    }
}

/// How a server's certificate is checked, where that was said.
fn certificate_words(source: &ModelSource) -> Option<&'static str> {
    match source {
        ModelSource::Cloud { insecure_skip_tls_verify: true, .. } => {
            Some("not checked: whoever stands in between can read the key and change everything")
        }
        ModelSource::Cloud { ca_certificate: Some(_), .. } => {
            Some("checked; the model's own authorities are trusted beside the system's")
        }
        _ => None,
    }
}

/// What stands where nothing is known of a model's files: what is missing, and what works all the same.
fn without_facts(model: &Model) -> String {
    let missing = match &model.source {
        ModelSource::Cloud { .. } => {
            return "The provider tells nothing of the model's size or context. Input and output are not checked against a context."
                .to_owned();
        }
        ModelSource::Hub { .. } => {
            "Size and context are not known yet: a run reads them when it first brings the files to a node."
        }
        ModelSource::File { .. } => "Its files have not been read yet. That happens when a run first brings them to a node.",
    };
    let works = if is_known_by_name(model) { " It can be simulated now: its architecture is known by its name." } else { "" };
    format!("{missing}{works}")
}

/// What stands where there is no fact.
fn no_fact(source: &ModelSource) -> &'static str {
    match source {
        ModelSource::Cloud { .. } => "not told",
        ModelSource::Hub { .. } => "not yet",
        ModelSource::File { .. } => "not read",
    }
}

#[component]
pub fn ModelsPage() -> impl IntoView {
    list_page(load_models, |view, asks, params| view! { <List view=view asks=asks params=params /> }.into_any())
}

#[component]
fn List(view: ModelsView, asks: ListQuery, params: ParamsMap) -> impl IntoView {
    let ModelsView { models, engines, flash } = view;
    let listing = Listing { path: PATH, params, asks, total: models.total, shown: models.items.len() };
    let sorting = listing.sorting("name");
    let empty = view! {
        <Empty message="No models yet.">
            <LinkButton href="/models/new" text="Add a model" look=Look::Primary />
            <LinkButton href="/try" text="Try it with a small model" />
        </Empty>
    }
    .into_any();
    let rows = move || {
        let columns = vec![
            Column::text("Name").sorted_by("name"),
            Column::text("Source"),
            Column::figures("Parameters"),
            Column::figures("Context, tokens"),
            Column::text("Precision"),
            Column::figures("Size"),
            Column::text("Owner"),
            Column::text("Added").sorted_by("created_at"),
        ];
        view! {
            <DataTable caption="Models" caption_hidden=true columns=columns sorting=Some(sorting) blocks=true>
                {models.items.into_iter().map(|model| view! { <Row model=model /> }).collect_view()}
            </DataTable>
        }
        .into_any()
    };
    view! {
        <div class="inventory stack-loose">
            <Outcome flash=flash />
            <PageHeading title="Models">
                <LinkButton href="/models/new" text="Add a model" look=Look::Primary />
            </PageHeading>
            {listing.around("models", empty, rows)}
            <engines::Engines engines=engines />
        </div>
    }
}

#[component]
fn Row(model: Owned<Model>) -> impl IntoView {
    let Owned { item: model, owner, .. } = model;
    let (source, exactly) = source_words(&model.source);
    let absent = no_fact(&model.source);
    let facts = model.facts.as_ref();
    let cell = |label: &'static str, numeric: bool, text: Option<String>| {
        let class = match (numeric, text.is_some()) {
            (true, true) => "numeric",
            (true, false) => "numeric muted",
            (false, true) => "",
            (false, false) => "muted",
        };
        view! { <td class=class data-label=label>{text.unwrap_or_else(|| absent.to_owned())}</td> }
    };
    let known = match facts {
        Some(facts) => view! {
            {cell("Parameters", true, Some(magnitude(facts.parameters)))}
            {cell("Context, tokens", true, facts.context_length.map(|tokens| grouped(tokens.into())))}
            {cell("Precision", false, Some(facts.precision.clone()))}
            {cell("Size", true, Some(bytes(facts.weight_bytes)))}
        }
        .into_any(),
        None => view! { <td class="muted small" colspan="4">{without_facts(&model)}</td> }.into_any(),
    };
    view! {
        <tr>
            <th scope="row"><a class="row-name" href=format!("{PATH}/{}", model.id)>{model.name.clone()}</a></th>
            <td class="source" data-label="Source">
                {source} <p class="hint">{exactly}</p>
            </td>
            {known}
            <td data-label="Owner">{owner}</td>
            <td data-label="Added"><Time at=model.created_at /></td>
        </tr>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hub(repository: &str) -> Owned<Model> {
        let source = ModelSource::Hub { repository: repository.to_owned(), revision: "main".to_owned() };
        let (id, name, created_at) = (uuid::Uuid::nil(), "mine".to_owned(), jiff::Timestamp::UNIX_EPOCH);
        let item = Model { id, name, source, facts: None, owner: None, archived: false, created_at };
        Owned { item, owner: "you".to_owned(), removable: true }
    }

    #[test]
    fn what_is_missing_of_a_hub_model_is_said_once_and_so_is_what_works() {
        let html = |repository| Owner::new().with(|| view! { <Row model=hub(repository) /> }.to_html());
        let known = html("meta-llama/Llama-3.1-8B-Instruct");
        assert_eq!(known.matches("not known yet").count(), 1, "{known}");
        assert!(!known.contains("not yet<") && known.contains("It can be simulated now"), "{known}");
        assert!(!html("somebody/an-unheard-of-model").contains("simulated"));
    }
}
