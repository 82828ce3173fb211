//! What produced the figures.

use leptos::prelude::*;
use serde_json::Value;

use crate::components::definition::{Definition, Definitions};
use crate::components::number::grouped;
use crate::domain::benchmark::Benchmark;
use crate::domain::report::Report;

/// Provenance.
#[component]
pub fn Provenance(
    /// The report.
    report: Report,
    /// What was asked for.
    benchmark: Benchmark,
) -> impl IntoView {
    let facts = report.provenance.iter().map(|(name, value)| entry(name, value)).collect_view();
    let asked = serde_json::to_value(&benchmark.spec.load).unwrap_or_default();
    view! {
        <section id="provenance" class="panel stack" aria-labelledby="provenance-title">
            <div class="row-between">
                <h2 id="provenance-title">"Provenance"</h2>
                <a href=format!("/api/v1/runs/{}/report", report.run_id) download=format!("{}.json", report.run_id)>
                    "Download the report as JSON"
                </a>
            </div>
            <Definitions>
                {facts}
                <Definition term="Benchmark">{benchmark.id.to_string()}</Definition>
                {entry("load_as_asked_for", &asked)}
            </Definitions>
        </section>
    }
    .into_any()
}

fn entry(name: &str, value: &Value) -> AnyView {
    let term = title(name);
    let shown = match value {
        // A seed is a name, not an amount.
        Value::Number(number) if name == "seed" => number.to_string().into_any(),
        value => value_view(value),
    };
    if !has_parts(value) {
        return view! { <Definition term=term>{shown}</Definition> }.into_any();
    }
    view! {
        <div class="definition-wide">
            <dt class="visually-hidden">{term.clone()}</dt>
            <dd>
                <details>
                    <summary>{term}</summary>
                    {shown}
                </details>
            </dd>
        </div>
    }
    .into_any()
}

/// Whether it has names and values of its own, for which a column would be too narrow.
fn has_parts(value: &Value) -> bool {
    match value {
        Value::Object(fields) => !fields.is_empty(),
        Value::Array(items) => items.iter().any(has_parts),
        _ => false,
    }
}

/// `model_digest` as "Model digest".
fn title(name: &str) -> String {
    let words = name.replace('_', " ");
    let mut chars = words.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// Any JSON, readably. Text from outside stays text.
fn value_view(value: &Value) -> AnyView {
    match value {
        Value::Null => view! { <span class="muted">"none"</span> }.into_any(),
        Value::Bool(true) => "yes".into_any(),
        Value::Bool(false) => "no".into_any(),
        Value::Number(number) => number.as_u64().map_or_else(|| number.to_string(), grouped).into_any(),
        Value::String(text) => text.clone().into_any(),
        Value::Array(items) if items.is_empty() => view! { <span class="muted">"none"</span> }.into_any(),
        Value::Array(items) if items.iter().all(|item| !item.is_object() && !item.is_array()) => {
            let words: Vec<String> =
                items.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned)).collect();
            view! { <code>{words.join(" ")}</code> }.into_any()
        }
        Value::Array(items) => {
            view! { <ul class="definition-items">{items.iter().map(|item| view! { <li>{value_view(item)}</li> }).collect_view()}</ul> }.into_any()
        }
        Value::Object(fields) if fields.is_empty() => view! { <span class="muted">"none"</span> }.into_any(),
        Value::Object(fields) => {
            let entries = fields.iter().map(|(name, value)| entry(name, value)).collect_view();
            view! { <Definitions>{entries}</Definitions> }.into_any()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_words() {
        assert_eq!(title("model_digest"), "Model digest");
        assert_eq!(title(""), "");
    }
}
