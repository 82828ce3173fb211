//! What produced the figures.

use leptos::prelude::*;
use serde_json::{Map, Value};

use super::section::Section;
use crate::components::definition::{Definition, Definitions};
use crate::components::number::grouped;
use crate::domain::benchmark::Benchmark;
use crate::islands::CopyText;
use dyno_measure::repeat::shell_line;
use dyno_measure::report::Report;

/// Provenance: what one looks for laid open, each to be copied; all the rest folded.
#[component]
pub fn Provenance(
    report: Report,
    /// What was asked for.
    benchmark: Benchmark,
) -> impl IntoView {
    let open =
        facts(&report.provenance).into_iter().map(|(label, text)| view! { <CopyText label=label text=text /> }).collect_view();
    let all = report.provenance.iter().map(|(name, value)| entry(name, value)).collect_view();
    let asked = serde_json::to_value(&benchmark.spec.load).unwrap_or_default();
    view! {
        <Section id="provenance" title="Provenance" panel=true>
            <div class="facts">{open}</div>
            <details>
                <summary>"All of it"</summary>
                <Definitions>
                    {all}
                    <Definition term="Benchmark">{benchmark.id.to_string()}</Definition>
                    {entry("load_as_asked_for", &asked)}
                </Definitions>
            </details>
            <p>
                <a href=format!("/api/v1/runs/{}/report", report.run_id) download=format!("{}.json", report.run_id)>
                    "Download the report as JSON"
                </a>
            </p>
        </Section>
    }
    .into_any()
}

/// What produced the figures, as far as it is known: names and texts.
fn facts(provenance: &Map<String, Value>) -> Vec<(&'static str, String)> {
    let list = |name: &str| provenance.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let text = |value: &Value, path: &str| value.pointer(path).and_then(Value::as_str).map(str::to_owned);
    let model = provenance.get("model").unwrap_or(&Value::Null);
    let mut facts = Vec::new();
    for engine in list("engines") {
        let title = text(engine, "/title").unwrap_or_else(|| "Engine".to_owned());
        let version =
            text(engine, "/version").map_or_else(|| "version not said".to_owned(), |version| format!("version {version}"));
        facts.push(("Engine", format!("{title}, {version}")));
        let words: Vec<&str> = engine["argv"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if !words.is_empty() {
            facts.push(("Command line", shell_line(&words)));
        }
    }
    facts.extend(text(model, "/base_url").map(|address| ("Provider's address", address)));
    facts.extend(text(model, "/path").or_else(|| text(model, "/model")).map(|name| ("Model", name)));
    facts.extend(text(model, "/facts/sha256").map(|digest| ("Model digest", format!("sha256:{digest}"))));
    let template = text(model, "/facts/chat_template_error");
    facts.extend(template.map(|why| ("Chat template", format!("not counted in prompts: {why}"))));
    facts.extend(connection(provenance).map(|words| ("Connection", words.to_owned())));
    for node in list("nodes") {
        let host = text(node, "/hostname").unwrap_or_default();
        for device in node["devices"].as_array().into_iter().flatten() {
            let name = text(device, "/name").unwrap_or_default();
            let count = device["available_count"].as_u64().unwrap_or(1);
            facts.push(("Device", format!("{count} × {name} on {host}")));
            facts.extend(text(device, "/device_info/driver").map(|driver| ("Driver", driver)));
        }
        facts.extend(text(node, "/system").map(|system| ("System", system)));
    }
    facts.extend(provenance.get("tokenizer").and_then(Value::as_str).map(|name| ("Tokenizer", name.to_owned())));
    facts.extend(provenance.get("seed").filter(|seed| seed.is_number()).map(|seed| ("Seed", seed.to_string())));
    facts.extend(provenance.get("dyno_version").and_then(Value::as_str).map(|version| ("Dyno", version.to_owned())));
    facts
}

/// How the load reached a server that is not on plain HTTP.
fn connection(provenance: &Map<String, Value>) -> Option<&'static str> {
    let plan = provenance.get("plan")?;
    let over_tls = |endpoint: &Value| endpoint["base_url"].as_str().is_some_and(|address| address.starts_with("https:"));
    if !plan["endpoints"].as_array()?.iter().any(over_tls) {
        return None;
    }
    Some(if plan["insecure"] == true {
        "TLS; the certificate was not checked: any would have been taken"
    } else {
        "TLS, with a certificate that was checked"
    })
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
    fn engine_command_digest_device_and_driver_are_laid_open() {
        let known = serde_json::json!({
            "engines": [{ "title": "llama.cpp", "version": "b1", "argv": ["llama-server", "-m", "a b.gguf"] }],
            "model": { "path": "/m/a b.gguf", "facts": { "sha256": "ab12", "chat_template_error": "unknown filter" } },
            "plan": { "endpoints": [{ "base_url": "https://lab:8443/v1" }], "insecure": true },
            "nodes": [{ "hostname": "gpu-1", "system": "Linux 6", "devices": [
                { "name": "NVIDIA H100", "available_count": 2, "device_info": { "driver": "580.1" } }
            ] }],
            "seed": 7,
        });
        let laid_open = facts(known.as_object().unwrap());
        for fact in [
            ("Engine", "llama.cpp, version b1"),
            ("Command line", "llama-server -m 'a b.gguf'"),
            ("Model digest", "sha256:ab12"),
            ("Device", "2 × NVIDIA H100 on gpu-1"),
            ("Driver", "580.1"),
            ("Seed", "7"),
            ("Chat template", "not counted in prompts: unknown filter"),
            ("Connection", "TLS; the certificate was not checked: any would have been taken"),
        ] {
            assert!(laid_open.iter().any(|(name, text)| (*name, text.as_str()) == fact), "{fact:?} in {laid_open:?}");
        }
        assert!(facts(&Map::new()).is_empty());
        let plain = serde_json::json!({ "plan": { "endpoints": [{ "base_url": "http://lab/v1" }] } });
        assert!(facts(plain.as_object().unwrap()).is_empty());
    }

    #[test]
    fn names_become_words() {
        assert_eq!(title("model_digest"), "Model digest");
        assert_eq!(title(""), "");
    }
}
