//! The draft so far, beside each step.

use dyno_measure::words::{capital, grouped};
use leptos::prelude::*;

use crate::api::functions::workflows::WizardView;
use crate::components::definition::{Definition, Definitions};
use crate::domain::workflow::WizardPage;
use crate::domain::workflow::sentence::load_words;
use dyno_measure::load::EvalWith;

/// What is filled in so far, in the order of the steps.
pub fn rows(view: &WizardView) -> Vec<(&'static str, String)> {
    let steps = &view.answer.workflow_steps;
    let chosen = &view.chosen;
    // Until step 2 says which load it is, step 1's number is all that is known.
    let load = if view.answer.next_page() > WizardPage::Load {
        ("Load", capital(&load_words(&steps.load, &chosen.datasets)))
    } else {
        ("Requests in flight", grouped(steps.load.concurrent_requests.into()))
    };
    let mut rows = vec![
        ("Name", steps.name.clone()),
        load,
        (
            "Prompts",
            match steps.load.eval_with {
                EvalWith::Configuration => "Synthetic, of given lengths".to_owned(),
                EvalWith::Dataset => "From datasets".to_owned(),
            },
        ),
    ];
    let mut add = |term: &'static str, value: Option<String>| rows.extend(value.map(|value| (term, value)));
    add("Input tokens", steps.load.max_input_tokens.map(|tokens| grouped(tokens.into())));
    add("Output tokens", steps.load.max_output_tokens.map(|tokens| grouped(tokens.into())));
    let datasets: Vec<&str> = chosen.datasets.iter().map(|dataset| dataset.name.as_str()).collect();
    add("Datasets", (!datasets.is_empty()).then(|| datasets.join(", ")));
    add("Cluster", chosen.cluster.as_ref().map(|cluster| cluster.name.clone()));
    let nodes: Vec<&str> = steps.nodes.iter().map(|node| node.hostname.as_str()).collect();
    add("Nodes", (!nodes.is_empty()).then(|| nodes.join(", ")));
    add("Model", chosen.model.as_ref().map(|model| model.name.clone()));
    add("Engine", steps.serving.engine.map(|engine| engine.title().to_owned()));
    add("Credential", chosen.credential.as_ref().map(|credential| credential.name.clone()));
    add("Confirmation", steps.user_confirmation.then(|| "Confirmed".to_owned()));
    rows
}

#[component]
fn Rows(rows: Vec<(&'static str, String)>) -> impl IntoView {
    view! {
        <Definitions narrow=true>
            {rows.into_iter().map(|(term, value)| view! { <Definition term=term>{value}</Definition> }).collect_view()}
        </Definitions>
    }
}

/// The draft so far; on a phone folded.
#[component]
pub fn DraftPanel(view: WizardView) -> impl IntoView {
    let rows = rows(&view);
    let folded = rows.clone();
    view! {
        <aside class="panel phone-hidden" aria-label="Draft so far">
            <h2>"Draft so far"</h2>
            <Rows rows=rows />
            <p class="hint draft-note">"Saved at every step. Find it under Drafts."</p>
        </aside>
        <details class="draft phone-only">
            <summary>"Draft so far"</summary>
            <Rows rows=folded />
        </details>
    }
    .into_any()
}
