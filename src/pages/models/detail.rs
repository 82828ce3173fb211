//! One model: where it is and what its files say.

use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};
use server_fn::ServerFn;

use super::{certificate_words, no_fact, source_words, without_facts};
use crate::api::functions::lists::Owned;
use crate::api::functions::models::{DeleteModel, ModelView, load_model};
use crate::components::banner::{Banner, Notice};
use crate::components::button::{LinkButton, Look};
use crate::components::confirm::ConfirmForm;
use crate::components::definition::{Definition, Definitions};
use crate::components::heading::PageHeading;
use crate::components::number::{bytes, grouped, magnitude};
use crate::components::outcome::Outcome;
use crate::components::time::Time;
use crate::domain::inventory::{Model, ModelFacts, ModelFormat};
use crate::pages::loaded::loaded;

/// `/models/:id`
#[component]
pub fn ModelPage() -> impl IntoView {
    let (params, query) = (use_params_map(), use_query_map());
    let asked = move || (params.read().get("id").unwrap_or_default(), query.read().get("flash").unwrap_or_default());
    let data = Resource::new(asked, |(id, flash)| load_model(id, flash));
    loaded(data, move |view| view! { <Detail view=view /> })
}

#[component]
fn Detail(view: ModelView) -> impl IntoView {
    let Owned { item: model, owner, removable } = view.model;
    let archived = model.archived.then(|| {
        view! {
            <Banner notice=Notice::Info>
                <p>"This model left the list. It is kept for the runs that used it, and can't be chosen any more."</p>
            </Banner>
        }
    });
    let delete = (removable && !model.archived).then(|| {
        let fields = vec![("id", model.id.to_string())];
        view! {
            <ConfirmForm
                action=DeleteModel::url()
                text="Delete model"
                about=model.name.clone()
                sentence="The model leaves the list. Runs that used it keep what they need of it, and its files stay where they are."
                fields=fields
            />
        }
    });
    let use_it =
        (!model.archived).then(|| view! { <LinkButton href="/benchmarks/new" text="New benchmark" look=Look::Primary /> });
    let (source, exactly) = source_words(&model.source);
    let certificate =
        certificate_words(&model.source).map(|words| view! { <Definition term="Server's certificate">{words}</Definition> });
    let facts = facts(&model);
    view! {
        <div class="detail-page stack-loose">
            <a class="back" href="/models">"All models"</a>
            <Outcome flash=view.flash />
            <PageHeading title=model.name.clone() above="Model".to_owned()>{use_it}</PageHeading>
            {archived}
            <section class="card">
                <h2>"Source"</h2>
                <Definitions>
                    <Definition term="Kind">{source}</Definition>
                    <Definition term="Where">
                        <code>{exactly}</code>
                    </Definition>
                    {certificate}
                    <Definition term="Owner">{owner}</Definition>
                    <Definition term="Added">
                        <Time at=model.created_at />
                    </Definition>
                </Definitions>
            </section>
            {facts}
            {delete}
        </div>
    }
}

fn facts(model: &Model) -> AnyView {
    let Some(facts) = &model.facts else {
        let text = without_facts(model);
        return view! {
            <section class="card">
                <h2>"Size and context"</h2>
                <p>{text}</p>
            </section>
        }
        .into_any();
    };
    let absent = no_fact(&model.source);
    let rows = rows(facts)
        .into_iter()
        .map(|(term, value)| {
            let class = if value.is_some() { "figure-value" } else { "muted" };
            view! { <Definition term=term><span class=class>{value.unwrap_or_else(|| absent.to_owned())}</span></Definition> }
        })
        .collect_view();
    view! {
        <section class="card">
            <h2>"What its files say"</h2>
            <Definitions>{rows}</Definitions>
        </section>
    }
    .into_any()
}

fn rows(facts: &ModelFacts) -> Vec<(&'static str, Option<String>)> {
    let number = |value: Option<u32>| value.map(|value| grouped(value.into()));
    let format = match facts.format {
        ModelFormat::Gguf => "GGUF file",
        ModelFormat::HuggingFace => "Hugging Face folder",
    };
    let template = match &facts.chat_template_error {
        Some(why) => format!("comes with it, but can't be used to count its tokens in prompts: {why}"),
        None if facts.chat_template => "comes with it".to_owned(),
        None => "none".to_owned(),
    };
    vec![
        ("Format", Some(format.to_owned())),
        ("Architecture", Some(facts.architecture.clone())),
        ("Parameters", Some(format!("{} ({})", magnitude(facts.parameters), grouped(facts.parameters)))),
        ("Precision", Some(facts.precision.clone())),
        ("Size of the weights", Some(bytes(facts.weight_bytes))),
        ("Longest context, tokens", number(facts.context_length)),
        ("Layers", number(facts.layers)),
        ("Embedding width", number(facts.hidden_size)),
        ("Attention heads", number(facts.heads)),
        ("Key and value heads", number(facts.kv_heads)),
        ("Width of a head", number(facts.head_dim)),
        ("Vocabulary, tokens", number(facts.vocabulary)),
        ("Chat template", Some(template)),
        ("SHA-256", Some(facts.sha256.clone().unwrap_or_else(|| "being computed; reload in a while".to_owned()))),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_a_chat_template_is_not_used_is_said() {
        let said = |more: serde_json::Value| {
            let mut facts = serde_json::json!({
                "format": "gguf", "architecture": "llama", "parameters": 1, "weight_bytes": 1, "precision": "F16",
            });
            facts.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let rows = rows(&serde_json::from_value(facts).unwrap());
            rows.into_iter().find(|(term, _)| *term == "Chat template").unwrap().1.unwrap()
        };
        assert_eq!(said(serde_json::json!({ "chat_template": false })), "none");
        assert_eq!(said(serde_json::json!({ "chat_template": true })), "comes with it");
        let broken = said(serde_json::json!({ "chat_template": true, "chat_template_error": "unknown tag colour" }));
        assert!(broken.ends_with("unknown tag colour"), "{broken}");
    }
}
