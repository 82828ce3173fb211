//! What produced the figures, and how well the client itself did.

use leptos::prelude::*;
use serde_json::Value;

use crate::components::definition::{Definition, Definitions};
use crate::components::number::{bytes, figure, grouped, percent};
use crate::domain::benchmark::Benchmark;
use crate::domain::report::{ClientHealth, Lengths, Report};

/// Provenance, lengths, self-check and client health.
#[component]
pub fn Provenance(
    /// The report.
    report: Report,
    /// What was asked for.
    benchmark: Benchmark,
) -> impl IntoView {
    let facts = report.provenance.iter().map(|(name, value)| entry(name, value)).collect_view();
    let asked = serde_json::to_value(&benchmark.spec.load).unwrap_or_default();
    let self_check = match &report.self_check {
        Some(check) => value_view(&serde_json::to_value(check).unwrap_or_default()),
        None => view! { <p class="muted">"The client was not checked before this run."</p> }.into_any(),
    };
    let cached = report.summary.cached_tokens.map(|cached| {
        let share = cached as f64 / report.summary.total_input_tokens.max(1) as f64;
        format!("{} ({} of the input)", grouped(cached), percent(share))
    });
    view! {
        <section id="provenance" class="panel stack" aria-labelledby="provenance-title">
            <div class="row-between">
                <h2 id="provenance-title">"Provenance"</h2>
                <a href=format!("/api/v1/runs/{}/report", report.run_id) download=format!("{}.json", report.run_id) rel="external">
                    "Download the report as JSON"
                </a>
            </div>
            <Definitions>
                {facts}
                <Definition term="Benchmark">{benchmark.id.to_string()}</Definition>
                <Definition term="Load as asked for">{value_view(&asked)}</Definition>
                {report.summary.lengths.map(|lengths| view! { <LengthFacts lengths=lengths /> })}
                <Definition term="Input tokens from the engine's cache">
                    {cached.unwrap_or_else(|| "the engine does not say".to_owned())}
                </Definition>
            </Definitions>
        </section>
        <section id="client" class="panel stack" aria-labelledby="client-title">
            <h2 id="client-title">"Self-check and client"</h2>
            <Definitions>
                <Definition term="Self-check">{self_check}</Definition>
                {client(&report.client)
                    .into_iter()
                    .map(|(term, text)| view! { <Definition term=term>{text}</Definition> })
                    .collect_view()}
            </Definitions>
        </section>
    }
    .into_any()
}

/// Lengths asked for beside what was sent and received.
#[component]
fn LengthFacts(lengths: Lengths) -> impl IntoView {
    let of = |name: &str, found: Option<crate::domain::report::Distribution>| {
        found.map(|found| {
            let text = if (found.max - found.min).abs() < f64::EPSILON {
                format!("{} tokens", figure(found.mean))
            } else {
                format!("{} tokens on average, {} to {}", figure(found.mean), figure(found.min), figure(found.max))
            };
            view! { <Definition term=name.to_owned()>{text}</Definition> }
        })
    };
    view! {
        {of("Input length asked for", lengths.requested_input)}
        {of("Input length as the engine counted", lengths.input)}
        {of("Output limit asked for", lengths.requested_output)}
        {of("Output length received", lengths.output)}
    }
    .into_any()
}

/// What is known of the client, in words.
fn client(health: &ClientHealth) -> Vec<(&'static str, String)> {
    let stamps = match health.timestamps.as_str() {
        "kernel" => "taken by the kernel as data arrives".to_owned(),
        "user" => "taken by the client after reading: the kernel gives none here".to_owned(),
        "" => "not said".to_owned(),
        other => other.to_owned(),
    };
    let coalesced = health
        .coalesced_events
        .zip(health.content_events)
        .map(|(shared, all)| format!("{} of {} content events share a receive time with another", grouped(shared), grouped(all)));
    let little = health.littles_law_ratio.map(|ratio| format!("{} (1 when Little's law holds)", figure(ratio)));
    [
        ("Receive times", Some(stamps)),
        ("Client's share of one core", health.cpu_share.map(percent)),
        ("Client's loop late, p99", health.loop_p99_ms.map(|ms| format!("{} ms", figure(ms)))),
        ("Client's loop late, at most", health.loop_max_ms.map(|ms| format!("{} ms", figure(ms)))),
        ("Clock jump", health.clock_jump_ms.map(|ms| format!("{} ms at most", figure(ms)))),
        ("Coalesced events", coalesced),
        ("In flight / (throughput × latency)", little),
        ("Largest memory", health.max_rss_bytes.map(bytes)),
        ("Connections opened anew", health.reconnects.map(grouped)),
    ]
    .into_iter()
    .filter_map(|(term, text)| Some((term, text?)))
    .collect()
}

fn entry(name: &str, value: &Value) -> AnyView {
    let (term, shown) = (title(name), value_view(value));
    view! { <Definition term=term>{shown}</Definition> }.into_any()
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
            view! { <ul>{items.iter().map(|item| view! { <li>{value_view(item)}</li> }).collect_view()}</ul> }.into_any()
        }
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

    #[test]
    fn only_what_is_known_of_the_client_is_said() {
        let health = ClientHealth { timestamps: "kernel".to_owned(), cpu_share: Some(0.42), ..ClientHealth::default() };
        let said = client(&health);
        assert_eq!(said.len(), 2);
        assert_eq!(said[1], ("Client's share of one core", "42.0%".to_owned()));
    }
}
