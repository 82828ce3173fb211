//! Step 5: the model, with the engine that serves it or the credential that opens it.

use leptos::prelude::*;
use server_fn::ServerFn;

use super::frame::{Frame, Place, StepForm};
use crate::api::functions::inventory::Choices;
use crate::api::functions::workflows::SaveModel;
use crate::components::badge::{Badge, Tone};
use crate::components::banner::Empty;
use crate::components::button::LinkButton;
use crate::components::field::{Choice, ChoiceGroup, TextArea, TextField};
use crate::components::number::{bytes, grouped, magnitude};
use crate::domain::benchmark::{EngineKind, Serving};
use crate::domain::form::Flash;
use crate::domain::inventory::{Credential, EngineAvailability, FileLocation, Model, ModelFormat, ModelSource};
use crate::domain::workflow::step_form::FormRules;

/// The model and what serves or opens it.
#[component]
pub fn ModelStep(
    /// Where the reader is.
    place: Place,
) -> impl IntoView {
    let flash = place.flash.clone();
    let Some(view) = place.view.clone() else { return ().into_any() };
    let Choices::Models { models, engines, credentials, administrator } = view.choices else { return ().into_any() };
    let steps = view.answer.workflow_steps;
    let only = (models.len() == 1).then(|| models[0].id.to_string());
    let chosen = flash.value("model_id", steps.model_id.map(|id| id.to_string()).or(only).unwrap_or_default());

    // With WASM the sections follow the choice at once; without it they follow what was sent.
    let ids = |cloud: bool| -> Vec<String> {
        models.iter().filter(|model| model.is_cloud() == cloud).map(|model| model.id.to_string()).collect()
    };
    let (cloud_ids, local_ids) = (ids(true), ids(false));
    let section = |own: &[String], others: &[String]| Section {
        when: format!("model_id {}", own.join(" ")),
        hidden: others.contains(&chosen),
    };
    let (of_engine, of_credential) = (section(&local_ids, &cloud_ids), section(&cloud_ids, &local_ids));
    let picked_model = models.iter().find(|model| model.id.to_string() == chosen).cloned();

    let model_choices = if models.is_empty() {
        view! {
            <Empty message="No models yet.">
                <LinkButton href="/models" text="Add a model" />
            </Empty>
        }
        .into_any()
    } else {
        let choices: Vec<Choice> = models
            .iter()
            .map(|model| {
                let id = model.id.to_string();
                let checked = id == chosen;
                let facts = model_words(model);
                Choice::new(id, model.name.clone(), checked).with(view! { <p class="hint">{facts}</p> })
            })
            .collect();
        view! { <ChoiceGroup name="model_id" legend="Model" choices=choices error=flash.error("model_id") /> }.into_any()
    };
    let engine = (!local_ids.is_empty()).then(|| engine_fields(&flash, &steps.serving, engines, administrator, of_engine));
    let credential = (!cloud_ids.is_empty()).then(|| {
        let stored = steps.credential_id.map(|id| id.to_string());
        credential_fields(&flash, stored, picked_model.as_ref(), &credentials, of_credential)
    });
    view! {
        <Frame place=place.clone()>
            <StepForm action=SaveModel::url() place=place check=FormRules::Model>
                {model_choices}
                {engine}
                {credential}
            </StepForm>
        </Frame>
    }
    .into_any()
}

/// A part of the page that goes with some of the models.
struct Section {
    /// With which, for the page in the browser.
    when: String,
    /// Whether it is hidden at first.
    hidden: bool,
}

fn engine_fields(
    flash: &Flash,
    serving: &Serving,
    engines: Vec<EngineAvailability>,
    administrator: bool,
    section: Section,
) -> AnyView {
    let chosen = flash.value("engine", serving.engine.map(EngineKind::as_str).unwrap_or_default());
    let mut choices = vec![
        Choice::new("", "By the model's format", chosen.is_empty())
            .with(view! { <p class="hint">"llama.cpp for a GGUF file, vLLM for a Hugging Face model."</p> }),
    ];
    choices.extend(engines.into_iter().map(|engine| {
        let name = engine.kind.as_str();
        let refused = (engine.kind == EngineKind::Custom && !administrator)
            .then(|| "Only administrators may run an own command.".to_owned());
        Choice::new(name, engine.title.clone(), chosen == name && refused.is_none()).with(availability(engine)).refused(refused)
    }));
    let number = |value: Option<u32>| value.map(|value| value.to_string()).unwrap_or_default();
    let tensor_parallel = flash.value("tensor_parallel", number(serving.tensor_parallel));
    let replicas = flash.value("replicas", number(serving.replicas));
    let args = flash.value("engine_args", serving.engine_args.join("\n"));
    let open = ["tensor_parallel", "replicas", "engine_args"].iter().any(|field| flash.error(field).is_some())
        || !(tensor_parallel.is_empty() && replicas.is_empty() && args.is_empty());
    view! {
        <div class="stack" data-when=section.when hidden=section.hidden>
            <ChoiceGroup
                name="engine"
                legend="Engine"
                hint="Serves a model that Dyno deploys."
                choices=choices
                error=flash.error("engine")
            />
            <details open=open>
                <summary>"More"</summary>
                <div class="stack">
                    <TextField
                        name="tensor_parallel"
                        label="Devices for each copy (optional)"
                        hint="Tensor parallel: devices that hold one copy of the model together."
                        number=true
                        autocomplete="off"
                        value=tensor_parallel
                        error=flash.error("tensor_parallel")
                    />
                    <TextField
                        name="replicas"
                        label="Copies on each node (optional)"
                        number=true
                        autocomplete="off"
                        value=replicas
                        error=flash.error("replicas")
                    />
                    <TextArea
                        name="engine_args"
                        label="Engine arguments (optional)"
                        hint="One on each line; passed on as they are, never through a shell. For an own command: the whole command."
                        rows=3
                        value=args
                        error=flash.error("engine_args")
                    />
                </div>
            </details>
        </div>
    }
    .into_any()
}

/// Whether an engine can be started, and how to get one that can't.
fn availability(engine: EngineAvailability) -> impl IntoView + use<> {
    if engine.kind == EngineKind::Custom {
        return view! { <p class="hint">{engine.how_to_get}</p> }.into_any();
    }
    if engine.available {
        let found = [engine.version.map(|version| format!("version {version}")), engine.program].into_iter().flatten();
        let found = found.collect::<Vec<_>>().join(", ");
        view! {
            <div class="stack-tight">
                <p>
                    <Badge tone=Tone::Succeeded text="Installed".to_owned() />
                </p>
                <p class="hint">{found}</p>
            </div>
        }
        .into_any()
    } else {
        view! {
            <div class="stack-tight">
                <p>
                    <Badge tone=Tone::Partial text="Not installed".to_owned() />
                </p>
                <p class="hint">{engine.how_to_get}</p>
            </div>
        }
        .into_any()
    }
}

fn credential_fields(
    flash: &Flash,
    stored: Option<String>,
    model: Option<&Model>,
    credentials: &[Credential],
    section: Section,
) -> AnyView {
    let provider = model.and_then(|model| match &model.source {
        ModelSource::Cloud { provider, .. } => Some(*provider),
        ModelSource::File { .. } | ModelSource::Hub { .. } => None,
    });
    let chosen = flash.value("credential_id", stored.unwrap_or_default());
    let fitting: Vec<&Credential> =
        credentials.iter().filter(|credential| provider.is_none_or(|provider| credential.provider == provider)).collect();
    let chosen = if chosen.is_empty() && fitting.is_empty() && provider.is_some_and(|provider| provider.preset().needs_credential)
    {
        "new".to_owned()
    } else {
        chosen
    };
    let mut choices: Vec<Choice> = fitting
        .into_iter()
        .map(|credential| {
            let id = credential.id.to_string();
            let checked = id == chosen;
            let facts = format!("{}, sent to {} only", credential.provider.preset().title, credential.origin);
            Choice::new(id, credential.name.clone(), checked).with(view! { <p class="hint">{facts}</p> })
        })
        .collect();
    if provider.is_none_or(|provider| !provider.preset().needs_credential) {
        choices.push(
            Choice::new("", "None", chosen.is_empty())
                .with(view! { <p class="hint">"For a server that asks for no credential."</p> }),
        );
    }
    let fields = view! {
        <div class="stack">
            <p class="hint">"For the address of the model above. The secret is sealed, and never shown again."</p>
            <TextField
                name="credential_name"
                label="Name of the credential"
                autocomplete="off"
                value=flash.value("credential_name", "")
                error=flash.error("credential_name")
            />
            <TextField
                name="credential_secret"
                label="Secret"
                hint="The provider's API key."
                kind="password"
                autocomplete="off"
                error=flash.error("credential_secret")
            />
        </div>
    };
    choices.push(Choice::new("new", "Add a credential", chosen == "new").with(fields));
    view! {
        <div data-when=section.when hidden=section.hidden>
            <ChoiceGroup
                name="credential_id"
                legend="Credential"
                hint="Opens a cloud model."
                choices=choices
                error=flash.error("credential_id")
            />
        </div>
    }
    .into_any()
}

/// A model in words: where it is, and what its files say.
pub fn model_words(model: &Model) -> String {
    let source = match &model.source {
        ModelSource::Cloud { provider, base_url, model } => format!("{} at {base_url}, {model}", provider.preset().title),
        ModelSource::File { path, location: FileLocation::Portal } => format!("{path} on the portal's machine"),
        ModelSource::File { path, location: FileLocation::Node } => format!("{path} on each node"),
        ModelSource::Hub { repository, revision } => format!("{repository} from the hub, {revision}"),
    };
    let Some(facts) = &model.facts else { return source };
    let format = match facts.format {
        ModelFormat::Gguf => "GGUF",
        ModelFormat::HuggingFace => "Hugging Face",
    };
    let mut parts = vec![
        source,
        format.to_owned(),
        format!("{} parameters", magnitude(facts.parameters)),
        facts.precision.clone(),
        bytes(facts.weight_bytes),
    ];
    parts.extend(facts.context_length.map(|tokens| format!("context {}", grouped(tokens.into()))));
    parts.join(", ")
}
