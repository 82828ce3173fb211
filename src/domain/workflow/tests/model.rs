//! Steps 5 and 6.

use strum::VariantArray as _;

use super::*;
use crate::domain::engine::EngineKind;
use crate::domain::workflow::steps::{default_engine, missing_engine, opens, reads};
use crate::domain::workflow::tests::world::*;

fn at_cloud(model: uuid::Uuid) -> Wizard {
    let mut wizard = Wizard::new();
    wizard.go_to(5, "configuration", model);
    wizard
}

#[test]
fn a_model_exists_and_is_not_archived() {
    let mut wizard = Wizard::at(4);
    wizard.refuses(5, json!({}), (5, "model_id", "Choose a model."));
    wizard.refuses(5, json!({ "model_id": NOWHERE }), (5, "model_id", "There is no such model."));
    wizard.refuses(5, json!({ "model_id": OLD_MODEL }), (5, "model_id", "old is archived. Choose another model."));
    assert_eq!(wizard.bad(5, json!({ "model_id": "small" }))[0].field, "model_id");
}

#[test]
fn the_format_decides_the_engine_unless_one_is_chosen() {
    let world = World::new();
    let engine = |id| default_engine(world.models.iter().find(|model| model.id == id).unwrap());
    assert_eq!(engine(GGUF), Some(EngineKind::LlamaCpp));
    assert_eq!(engine(HUGGING_FACE), Some(EngineKind::Vllm));
    assert_eq!(engine(OPENAI), None);
    // a file on the nodes without facts goes by its name
    assert_eq!(engine(OLD_MODEL), Some(EngineKind::LlamaCpp));
}

#[test]
fn an_engine_can_read_the_model() {
    let mut wizard = Wizard::at(4);
    let errors = wizard.bad(5, json!({ "model_id": HUGGING_FACE, "engine": "llama.cpp" }));
    assert_eq!((errors.len(), errors[0].field.as_str(), errors[0].step), (1, "engine", Some(5)));
    assert_eq!(wizard.bad(5, json!({ "model_id": GGUF, "engine": "vllm" }))[0].field, "engine");
    assert_eq!(
        wizard.bad(5, json!({ "model_id": GGUF, "engine": "ollama" }))[0].message,
        "Engine must be one of llama.cpp, vllm, sglang, tgi, custom."
    );
    // an engine that is not installed is accepted
    wizard.good(5, json!({ "model_id": HUGGING_FACE, "engine": "sglang", "tensor_parallel": 2, "replicas": 1 }));
}

#[test]
fn an_own_command_is_for_administrators() {
    let own = json!({ "model_id": GGUF, "engine": "custom", "engine_args": ["serve", "--port", "{port}"] });
    Wizard::at(4).refuses(5, own.clone(), (5, "engine", "Only administrators may run an own command."));
    let mut wizard = Wizard::at(4);
    wizard.world.administrator = true;
    wizard.refuses(
        5,
        json!({ "model_id": GGUF, "engine": "custom" }),
        (5, "engine_args", "Enter the command, its program first."),
    );
    wizard.good(5, own);
}

#[test]
fn engine_arguments_are_texts_and_allowed() {
    let with = |args: serde_json::Value| json!({ "model_id": HUGGING_FACE, "engine_args": args });
    let mut wizard = Wizard::at(4);
    wizard.refuses(5, with(json!(["--trust-remote-code"])), (5, "engine_args", "--trust-remote-code is for administrators."));
    for wrong in [json!("--x"), json!([1]), json!({})] {
        wizard.refuses(5, with(wrong), (5, "engine_args", "Engine arguments must be a list of texts."));
    }
    let advance = wizard.good(5, with(json!(["--enable-prefix-caching"])));
    assert_eq!(advance.draft.steps.serving.engine_args, ["--enable-prefix-caching"]);
    wizard.world.administrator = true;
    wizard.good(5, with(json!(["--trust-remote-code"])));
}

#[test]
fn sizes_are_whole_numbers_from_1() {
    for field in ["tensor_parallel", "pipeline_parallel", "replicas"] {
        for wrong in [json!(0), json!("2"), json!(1.5), json!(2_000)] {
            let errors = Wizard::at(4).bad(5, json!({ "model_id": HUGGING_FACE, field: wrong }));
            assert_eq!((errors.len(), errors[0].field.as_str(), errors[0].step), (1, field, Some(5)));
        }
    }
}

#[test]
fn an_image_is_for_clusters_that_run_containers() {
    let with_image = json!({ "model_id": HUGGING_FACE, "engine_image": "vllm/vllm-openai:v0.20" });
    let errors = Wizard::at(4).bad(5, with_image.clone());
    assert_eq!((errors.len(), errors[0].field.as_str()), (1, "engine_image"));
    let with_limit = json!({ "model_id": HUGGING_FACE, "engine_memory_limit_mib": 4_096 });
    assert_eq!(Wizard::at(4).bad(5, with_limit.clone())[0].field, "engine_memory_limit_mib");
    let mut wizard = Wizard::at(2);
    wizard.good(3, json!({ "cluster_id": GPUS }));
    wizard.good(4, json!({ "nodes": [{ "hostname": "gpu-01" }] }));
    assert_eq!(wizard.bad(5, json!({ "model_id": HUGGING_FACE, "engine_image": "a b" }))[0].field, "engine_image");
    assert_eq!(
        wizard.bad(5, json!({ "model_id": HUGGING_FACE, "engine_memory_limit_mib": 8 }))[0].field,
        "engine_memory_limit_mib"
    );
    wizard.good(5, with_image);
    let advance = wizard.good(5, with_limit);
    assert_eq!(advance.draft.steps.serving.engine_memory_limit_mib, Some(4_096));
}

#[test]
fn a_cloud_model_takes_no_engine() {
    let errors = Wizard::at(4).bad(5, json!({ "model_id": OPENAI, "engine": "vllm", "replicas": 2, "engine_args": ["--x"] }));
    let fields: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
    assert_eq!(fields, ["engine", "replicas", "engine_args"]);
}

#[test]
fn a_credential_is_for_cloud_models_only() {
    let message = "This model is not a cloud model; it takes no credential.";
    Wizard::at(5).refuses(6, json!({ "credential_id": OPENAI_KEY }), (6, "credential_id", message));
    Wizard::at(5).refuses(6, json!({}), (6, "credential_id", message));
}

#[test]
fn a_credential_opens_the_models_provider_at_its_address() {
    let mut wizard = at_cloud(OPENAI);
    wizard.refuses(6, json!({}), (6, "credential_id", "Choose a credential."));
    wizard.refuses(6, json!({ "credential_id": null }), (6, "credential_id", "Choose a credential."));
    // Another person's is not found, either.
    wizard.refuses(6, json!({ "credential_id": NOWHERE }), (6, "credential_id", "There is no such credential."));
    wizard.refuses(6, json!({ "credential_id": OLD_KEY }), (6, "credential_id", "old is archived. Choose another credential."));
    wizard.refuses(
        6,
        json!({ "credential_id": OWN_KEY }),
        (6, "credential_id", "own is a credential of Other, OpenAI-compatible; this model is at OpenAI."),
    );
    let advance = wizard.good(6, json!({ "credential_id": OPENAI_KEY }));
    assert_eq!(advance.draft.steps.credential_id, Some(OPENAI_KEY));

    let mut wizard = at_cloud(OWN_CLOUD);
    wizard.refuses(
        6,
        json!({ "credential_id": OTHER_ORIGIN_KEY }),
        (
            6,
            "credential_id",
            "other is for http://127.0.0.1:9999; this model is at http://127.0.0.1:8100. Add a credential for it.",
        ),
    );
}

#[test]
fn only_a_compatible_provider_goes_without_a_credential() {
    let errors = at_cloud(OPENAI).bad(7, json!({ "user_confirmation": true }));
    assert_eq!((errors.len(), errors[0].step), (1, Some(6)));

    // Passed over by going on,
    let mut wizard = at_cloud(OWN_CLOUD);
    assert_eq!(wizard.draft().current_step(), 6);
    wizard.good(7, json!({ "user_confirmation": true }));
    assert_eq!(wizard.draft().current_step(), 8);
    assert!(wizard.good(8, own_fields(8, "", OWN_CLOUD)).start.is_some());

    // or by saying so.
    let mut wizard = at_cloud(OWN_CLOUD);
    let advance = wizard.good(6, json!({}));
    assert!(advance.is_changed);
    assert_eq!(wizard.draft().current_step(), 7);
    // One that was chosen can be given up.
    wizard.good(6, json!({ "credential_id": OWN_KEY }));
    let advance = wizard.good(6, json!({ "credential_id": null }));
    assert_eq!((advance.draft.steps.credential_id, advance.draft.current_step()), (None, 7));
}

#[test]
fn offered_credentials_and_engines_match_the_model() {
    let world = World::new();
    let model = |id| world.models.iter().find(|model| model.id == id).unwrap();
    let opening = |id| {
        let fitting = world.credentials.iter().filter(|credential| opens(credential, model(id)));
        fitting.map(|credential| credential.id).collect::<Vec<_>>()
    };
    assert_eq!(opening(OPENAI), [OPENAI_KEY], "not the archived one");
    assert_eq!(opening(OWN_CLOUD), [OWN_KEY], "not the one for another address");
    assert!(opening(GGUF).is_empty());
    let readers = |id| EngineKind::VARIANTS.iter().copied().filter(|engine| reads(*engine, model(id))).collect::<Vec<_>>();
    assert_eq!(readers(GGUF), [EngineKind::LlamaCpp, EngineKind::Custom]);
    assert_eq!(readers(HUGGING_FACE), [EngineKind::Vllm, EngineKind::Sglang, EngineKind::Tgi, EngineKind::Custom]);
    assert!(readers(OPENAI).is_empty());
    assert_eq!(missing_engine(EngineKind::LlamaCpp, &world.engines), None);
    assert_eq!(missing_engine(EngineKind::Vllm, &world.engines).as_deref(), Some("vLLM is not installed. Install it with pip."));
}
