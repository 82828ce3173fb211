//! What produced the figures.

use leptos::prelude::*;
use serde_json::Value;

use super::section::Section;
use crate::components::definition::{Definition, Definitions};
use crate::components::number::grouped;
use crate::domain::benchmark::Benchmark;
use crate::islands::CopyText;
use dyno_measure::repeat::shell_line;
use dyno_measure::report::Report;
use dyno_measure::report::provenance::{Provenance as KnownProvenance, ServedModelFacts};

/// Provenance: what one looks for laid open, each to be copied; all the rest folded.
#[component]
pub fn Provenance(
    report: Report,
    /// What was asked for.
    benchmark: Benchmark,
) -> impl IntoView {
    let open =
        facts(&report.provenance).into_iter().map(|(label, text)| view! { <CopyText label=label text=text /> }).collect_view();
    let known = serde_json::to_value(&report.provenance).unwrap_or_default();
    let all = known.as_object().into_iter().flatten().map(|(name, value)| entry(name, value)).collect_view();
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
fn facts(known: &KnownProvenance) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    for engine in &known.engines {
        let title = if engine.title.is_empty() { "Engine" } else { &engine.title };
        let version =
            engine.version.as_ref().map_or_else(|| "version not said".to_owned(), |version| format!("version {version}"));
        facts.push(("Engine", format!("{title}, {version}")));
        if !engine.argv.is_empty() {
            facts.push(("Command line", shell_line(&engine.argv)));
        }
    }
    match &known.model {
        Some(ServedModelFacts::Described(model)) => {
            facts.extend(model.base_url.clone().map(|address| ("Provider's address", address)));
            facts.extend(model.path.clone().or_else(|| model.model.clone()).map(|name| ("Model", name)));
            let (digest, template) =
                model.facts.as_ref().map_or((None, None), |facts| (facts.sha256.as_ref(), facts.chat_template_error.as_ref()));
            facts.extend(digest.map(|digest| ("Model digest", format!("sha256:{digest}"))));
            facts.extend(template.map(|why| ("Chat template", format!("not counted in prompts: {why}"))));
        }
        Some(ServedModelFacts::Name(name)) => facts.push(("Model", name.clone())),
        None => {}
    }
    facts.extend(known.plan.as_ref().and_then(connection).map(|words| ("Connection", words.to_owned())));
    for node in &known.nodes {
        for device in &node.devices {
            facts.push(("Device", format!("{} × {} on {}", device.available_count, device.name, node.hostname)));
            let driver = device.device_info.get("driver").and_then(Value::as_str);
            facts.extend(driver.map(|driver| ("Driver", driver.to_owned())));
        }
        facts.extend(node.system.clone().map(|system| ("System", system)));
    }
    for pod in &known.load_pods {
        let cpu = f64::from(pod.cpu_millicores) / 1_000.0;
        facts.push(("Load pod", format!("{cpu} CPU on {}", pod.node)));
    }
    facts.extend(known.tokenizer.clone().map(|name| ("Tokenizer", name)));
    facts.extend(known.seed.map(|seed| ("Seed", seed.to_string())));
    facts.extend(known.dyno_version.clone().map(|version| ("Dyno", version)));
    facts
}

/// How the load reached a server that is not on plain HTTP; read without the plan's type, since a plan may be of another version.
fn connection(plan: &Value) -> Option<&'static str> {
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
        let laid_open = facts(&serde_json::from_value(known).unwrap());
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
        assert!(facts(&KnownProvenance::default()).is_empty());
        let plain = serde_json::json!({ "plan": { "endpoints": [{ "base_url": "http://lab/v1" }] } });
        assert!(facts(&serde_json::from_value(plain).unwrap()).is_empty());
    }

    #[test]
    fn names_become_words() {
        assert_eq!(title("model_digest"), "Model digest");
        assert_eq!(title(""), "");
    }
}
