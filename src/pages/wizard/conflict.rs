//! Two tabs on one draft: both versions, with a choice. Nothing is overwritten without it.

use leptos::prelude::*;
use serde_json::Value;
use uuid::Uuid;

use super::step_context::StepContext;
use crate::api::functions::inventory::Choices;
use crate::api::functions::workflows::WizardView;
use crate::components::banner::{Banner, Notice};
use crate::components::definition::{Definition, Definitions};
use crate::domain::form::Flash;
use crate::domain::workflow::fields::{labels, step_of, title};

/// What differs: the field's name, what was typed here, what is stored.
fn versions(flash: &Flash, view: &WizardView) -> Vec<(String, String, String)> {
    let steps = &view.answer.workflow_steps;
    let mut stored = steps.fields();
    // It shows its default where nothing is stored.
    stored.entry("warmup_requests").or_insert_with(|| steps.load.concurrent_requests.into());
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in &flash.entries {
        if step_of(name).is_some() && !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    names
        .into_iter()
        .map(|name| {
            let mine: Vec<String> = flash.entries_of(name).iter().map(|value| named(view, value)).collect();
            let theirs = stored.get(name).map(|value| words(view, value)).unwrap_or_default();
            (title(name), mine.join(", "), theirs)
        })
        .filter(|(_, mine, theirs)| mine != theirs)
        .collect()
}

/// A stored value as people read it.
fn words(view: &WizardView, value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(true) => "Yes".to_owned(),
        Value::Bool(false) => "No".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => named(view, text),
        Value::Array(items) => items.iter().map(|item| words(view, item)).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => {
            let name = fields.get("name").or_else(|| fields.get("hostname"));
            name.map_or_else(|| value.to_string(), |name| words(view, name))
        }
    }
}

/// The name of what an id stands for; other text as it is.
fn named(view: &WizardView, text: &str) -> String {
    let Ok(id) = Uuid::parse_str(text) else { return text.to_owned() };
    let chosen = &view.chosen;
    let mut known: Vec<(Uuid, &str)> = Vec::new();
    known.extend(chosen.cluster.iter().map(|cluster| (cluster.id, cluster.name.as_str())));
    known.extend(chosen.model.iter().map(|model| (model.id, model.name.as_str())));
    known.extend(chosen.credential.iter().map(|credential| (credential.id, credential.name.as_str())));
    known.extend(chosen.datasets.iter().map(|dataset| (dataset.id, dataset.name.as_str())));
    match &view.choices {
        Choices::Datasets { found, .. } => known.extend(found.iter().map(|dataset| (dataset.id, dataset.name.as_str()))),
        Choices::Clusters(rows) => known.extend(rows.iter().map(|row| (row.cluster.id, row.cluster.name.as_str()))),
        Choices::Models { models, credentials, .. } => {
            known.extend(models.iter().map(|model| (model.id, model.name.as_str())));
            known.extend(credentials.iter().map(|credential| (credential.id, credential.name.as_str())));
        }
        Choices::Nothing | Choices::Nodes { .. } | Choices::Outlook(_) => {}
    }
    known.into_iter().find(|(other, _)| *other == id).map_or_else(|| text.to_owned(), |(_, name)| name.to_owned())
}

/// Both versions of a page that was saved elsewhere meanwhile. The form below holds what was typed here.
#[component]
pub fn ConflictPanel(
    /// Where the reader is.
    context: StepContext,
) -> impl IntoView {
    let (Some(changed), Some(view)) = (context.flash.changed.clone(), context.view.clone()) else { return ().into_any() };
    let rows = versions(&context.flash, &view);
    let elsewhere = if changed.is_empty() { String::new() } else { format!(" Changed there: {}.", labels(&changed)) };
    let stored = context.href(context.page).unwrap_or_default();
    let side = |heading: &'static str, pick: fn(&(String, String, String)) -> &String| {
        let rows: Vec<(String, String)> = rows
            .iter()
            .map(|row| {
                let value = pick(row);
                (row.0.clone(), if value.is_empty() { "nothing".to_owned() } else { value.clone() })
            })
            .collect();
        view! {
            <section class="card">
                <h2>{heading}</h2>
                <Definitions narrow=true>
                    {rows.into_iter().map(|(term, value)| view! { <Definition term=term>{value}</Definition> }).collect_view()}
                </Definitions>
            </section>
        }
    };
    let (mine, theirs) = (side("Your version", |row| &row.1), side("Stored version", |row| &row.2));
    view! {
        <Banner notice=Notice::Warning>
            <p>{format!("This draft was saved elsewhere while you worked on this page.{elsewhere}")}</p>
            <p>"Keep your version with the button below the form, or "<a href=stored>"use the stored version"</a>"."</p>
        </Banner>
        <div class="versions">{mine} {theirs}</div>
    }
    .into_any()
}
