//! A portal in which the examples' ids name things that exist.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use dyno::api::calls;
use dyno::domain::dataset::Dataset;
use dyno::domain::inventory::{FileLocation, Model, ModelFacts, ModelFormat, ModelSource};
use dyno::domain::provider::ProviderId;
use dyno::domain::user::Actor;
use dyno_measure::dataset::DatasetFormat;
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Answer, TestApp, TestClient};

pub const WORKFLOW: &str = "/api/v1/benchmarks/run-workflow";

/// A portal with a model of each kind, a dataset, a credential and an engine that looks as if it were installed.
pub struct World {
    pub portal: TestApp,
    /// This machine's name in cluster `local`.
    pub hostname: String,
    pub cluster: Uuid,
    pub local_model: Uuid,
    pub hub_model: Uuid,
    pub cloud_model: Uuid,
    pub dataset: Uuid,
    pub credential: Uuid,
}

/// An example of the specification, as it stands there.
pub fn example(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/workflow").join(name).with_extension("json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn model(name: &str, source: ModelSource, context: Option<u32>) -> Model {
    let facts = context.map(|context| ModelFacts {
        format: ModelFormat::Gguf,
        architecture: "llama".to_owned(),
        parameters: 1_000_000,
        weight_bytes: 1_000_000,
        layers: Some(2),
        context_length: Some(context),
        hidden_size: Some(64),
        heads: Some(2),
        kv_heads: Some(2),
        head_dim: Some(32),
        vocabulary: Some(1_000),
        precision: "Q4_1".to_owned(),
        chat_template: true,
        chat_template_error: None,
        sha256: None,
    });
    Model { id: Uuid::now_v7(), name: name.to_owned(), source, facts, owner: None, archived: false, created_at: Timestamp::now() }
}

/// What the recipe of llama.cpp takes for an installed engine.
fn pretend_engine(data_dir: &Path) {
    let venv = data_dir.join("engines/llama.cpp");
    std::fs::create_dir_all(venv.join("bin")).unwrap();
    std::fs::create_dir_all(venv.join("lib/python3.11/site-packages/xllamacpp-1.dist-info")).unwrap();
    let python = venv.join("bin/python");
    std::fs::write(&python, "#!/bin/sh\nexit 1\n").unwrap();
    std::fs::set_permissions(&python, std::fs::Permissions::from_mode(0o755)).unwrap();
}

impl World {
    pub async fn start() -> Self {
        let portal = TestApp::start().await;
        let app = &portal.app;
        pretend_engine(&app.config.data_dir);
        let user = app.store.first_administrator(Timestamp::now()).await.unwrap();
        let actor = Actor { id: user.id, name: user.name, role: user.role };
        let cluster = app.store.local_cluster(Timestamp::now()).await.unwrap().id;
        let nodes = calls::clusters::node_metrics(app, &actor, cluster).await.unwrap().nodes;

        // The file is not there: what runs do is another test's matter, and these end soon.
        let file = |path: &str| ModelSource::File { path: path.to_owned(), location: FileLocation::Portal };
        let provider = ProviderId::OpenaiCompatible;
        let base_url = "http://127.0.0.1:9/v1".to_owned();
        let models = [
            model("small", file("/nowhere/small.gguf"), Some(8_192)),
            model("hub", ModelSource::Hub { repository: "org/name".to_owned(), revision: "main".to_owned() }, None),
            model(
                "cloud",
                ModelSource::Cloud {
                    provider,
                    base_url: base_url.clone(),
                    model: "m".to_owned(),
                    ca_certificate: None,
                    insecure_skip_tls_verify: false,
                },
                None,
            ),
        ];
        for model in &models {
            app.store.insert_model(model).await.unwrap();
        }
        let dataset = Dataset {
            id: Uuid::now_v7(),
            name: "chats".to_owned(),
            format: DatasetFormat::Prompts,
            samples: 10,
            left_out: Vec::new(),
            replaced: 0,
            with_reference: 0,
            mean_prompt_chars: Some(80.0),
            trace: None,
            sha256: String::new(),
            builtin: false,
            owner: None,
            archived: false,
            created_at: Timestamp::now(),
        };
        app.store.insert_dataset(&dataset).await.unwrap();
        let credential =
            calls::credentials::create(app, &actor, "own", provider, "secret".to_owned(), Some(base_url)).await.unwrap();
        Self {
            hostname: nodes[0].hostname.clone(),
            cluster,
            local_model: models[0].id,
            hub_model: models[1].id,
            cloud_model: models[2].id,
            dataset: dataset.id,
            credential: credential.id,
            portal,
        }
    }

    /// The steps of a whole walk: the specification's bodies, with this world's ids in place of theirs.
    pub fn walk(&self, method: &str, model: Uuid) -> Vec<Value> {
        let mut bodies = vec![example(&format!("1-details-{method}")), example(&format!("2-evaluation-{method}"))];
        bodies.extend(["3-cluster", "4-nodes", "5-model"].map(example));
        if model == self.cloud_model {
            bodies.push(example("6-credential"));
        }
        bodies.extend(["7-confirmation", "8-execute"].map(example));
        for body in &mut bodies {
            for (field, value) in [
                ("datset_ids", json!([self.dataset])),
                ("cluster_id", json!(self.cluster)),
                ("model_id", json!(model)),
                ("credential_id", json!(self.credential)),
            ] {
                if body.get(field).is_some() {
                    body[field] = value;
                }
            }
            if let Some(hostname) = body.pointer_mut("/nodes/0/hostname") {
                *hostname = json!(self.hostname);
            }
        }
        bodies
    }

    /// Sends a walk's first steps and answers with the last one's answer.
    pub async fn send(&self, client: &TestClient, bodies: &[Value]) -> Value {
        self.send_on(client, bodies, Value::Null).await
    }

    /// Goes on from an answer.
    pub async fn send_on(&self, client: &TestClient, bodies: &[Value], from: Value) -> Value {
        let mut answer = from;
        for body in bodies {
            answer = post(client, body, &answer).await.expect(200);
        }
        answer
    }

    /// A draft of the administrator's that is confirmed: the trigger is next.
    pub async fn confirmed(&self) -> (Value, Value) {
        let bodies = self.walk("configuration", self.local_model);
        let (trigger, before) = bodies.split_last().unwrap();
        let answer = self.send(&self.portal.admin, before).await;
        (answer, trigger.clone())
    }
}

/// Sends a body to the workflow that an earlier answer is about.
pub async fn post(client: &TestClient, body: &Value, earlier: &Value) -> Answer {
    client.post(WORKFLOW, &in_workflow(body, earlier)).await
}

/// A body with the id of the workflow that an earlier answer is about.
pub fn in_workflow(body: &Value, earlier: &Value) -> Value {
    let mut body = body.clone();
    if !earlier.is_null() {
        body["workflow_id"] = earlier["workflow_id"].clone();
    }
    body
}
