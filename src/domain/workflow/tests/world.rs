//! Test fixture: the objects that exist, and a wizard that looks up exactly the facts that the rules need.

use jiff::Timestamp;
use serde_json::{Value, json};
use strum::VariantArray as _;
use uuid::Uuid;

use crate::domain::benchmark::{NodeChoice, Serving};
use crate::domain::dataset::Dataset;
use crate::domain::engine::{EngineAvailability, EngineKind};
use crate::domain::inventory::{
    Cluster, ClusterAccess, ClusterKind, Credential, Device, DeviceConfig, DeviceInfo, DeviceType, FileLocation, Model,
    ModelFacts, ModelFormat, ModelSource, Node,
};
use crate::domain::kubernetes::KubernetesAccess;
use crate::domain::problem::FieldError;
use crate::domain::provider::ProviderId;
use crate::domain::workflow::{Advance, Body, ClusterFacts, Draft, Facts, Needs, Refusal, Stamp, advance, needs};
use dyno_measure::dataset::DatasetFormat;

pub const fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

pub const OWNER: Uuid = id(1);
pub const LOCAL: Uuid = id(0x10);
pub const GPUS: Uuid = id(0x11);
pub const SILENT: Uuid = id(0x12);
pub const CATALOGUE: Uuid = id(0x13);
pub const GGUF: Uuid = id(0x20);
pub const HUGGING_FACE: Uuid = id(0x21);
pub const OPENAI: Uuid = id(0x22);
pub const OWN_CLOUD: Uuid = id(0x23);
pub const OLD_MODEL: Uuid = id(0x24);
pub const CHATS: Uuid = id(0x30);
pub const PROMPTS: Uuid = id(0x31);
pub const OLD_DATASET: Uuid = id(0x32);
pub const TRACE: Uuid = id(0x33);
pub const OPENAI_KEY: Uuid = id(0x40);
pub const OWN_KEY: Uuid = id(0x41);
pub const OTHER_ORIGIN_KEY: Uuid = id(0x42);
pub const OLD_KEY: Uuid = id(0x43);
pub const NOWHERE: Uuid = id(0xffff);

#[derive(Debug, Clone)]
pub struct World {
    pub administrator: bool,
    pub clusters: Vec<ClusterFacts>,
    pub models: Vec<Model>,
    pub datasets: Vec<Dataset>,
    pub credentials: Vec<Credential>,
    pub engines: Vec<EngineAvailability>,
}

fn device(name: &str, kind: DeviceType) -> Device {
    Device {
        name: name.to_owned(),
        kind,
        device_info: DeviceInfo::default(),
        device_config: DeviceConfig::default(),
        available_count: 1,
    }
}

pub fn node(hostname: &str, status: &str, kinds: &[DeviceType]) -> Node {
    let devices = kinds.iter().map(|kind| device("a device", *kind)).collect();
    Node { hostname: hostname.to_owned(), status: status.to_owned(), devices, usage: None, requests: None, system: None }
}

fn cluster(id: Uuid, name: &str, kind: ClusterKind, nodes: Result<Vec<Node>, String>) -> ClusterFacts {
    let access = match kind {
        ClusterKind::Local => ClusterAccess::Local,
        ClusterKind::Kubernetes => ClusterAccess::Kubernetes(KubernetesAccess::default()),
        ClusterKind::Catalogue => ClusterAccess::Catalogue,
    };
    let cluster = Cluster { id, name: name.to_owned(), access, owner: None, created_at: Timestamp::UNIX_EPOCH };
    ClusterFacts { cluster, nodes, last_seen: Vec::new(), self_check: None }
}

fn model(id: Uuid, name: &str, source: ModelSource, facts: Option<(ModelFormat, u32)>) -> Model {
    let facts = facts.map(|(format, context)| ModelFacts {
        format,
        architecture: "llama".to_owned(),
        parameters: 1_000_000,
        weight_bytes: 2_000_000,
        layers: None,
        context_length: Some(context),
        hidden_size: None,
        heads: None,
        kv_heads: None,
        head_dim: None,
        vocabulary: None,
        precision: "BF16".to_owned(),
        chat_template: true,
        chat_template_error: None,
        sha256: None,
    });
    Model { id, name: name.to_owned(), source, facts, owner: None, archived: false, created_at: Timestamp::UNIX_EPOCH }
}

fn cloud(provider: ProviderId, base_url: &str) -> ModelSource {
    ModelSource::Cloud {
        provider,
        base_url: base_url.to_owned(),
        model: "m".to_owned(),
        ca_certificate: None,
        insecure_skip_tls_verify: false,
    }
}

fn file(path: &str) -> ModelSource {
    ModelSource::File { path: path.to_owned(), location: FileLocation::Portal }
}

fn dataset(id: Uuid, name: &str, archived: bool) -> Dataset {
    Dataset {
        id,
        name: name.to_owned(),
        format: DatasetFormat::Prompts,
        samples: 10,
        left_out: Vec::new(),
        replaced: 0,
        with_reference: 0,
        mean_prompt_chars: Some(100.0),
        trace: None,
        sha256: String::new(),
        builtin: false,
        owner: None,
        archived,
        created_at: Timestamp::UNIX_EPOCH,
    }
}

fn credential(id: Uuid, name: &str, provider: ProviderId, origin: &str) -> Credential {
    Credential {
        id,
        name: name.to_owned(),
        provider,
        origin: origin.to_owned(),
        owner: OWNER,
        archived: false,
        created_at: Timestamp::UNIX_EPOCH,
    }
}

/// A stand-in for the engines' own rule: one argument is for administrators.
fn check_args(engine: EngineKind, args: &[String], administrator: bool) -> Result<(), String> {
    if engine == EngineKind::Custom && args.is_empty() {
        return Err("Enter the command, its program first.".to_owned());
    }
    if args.iter().any(|arg| arg == "--trust-remote-code") && !administrator {
        return Err("--trust-remote-code is for administrators.".to_owned());
    }
    Ok(())
}

/// A stand-in for the simulator's own rule: a node without devices can't be simulated.
fn check_simulation(_: &Serving, choices: &[NodeChoice], nodes: &[Node]) -> Result<(), String> {
    let bare = |choice: &&NodeChoice| nodes.iter().any(|node| node.hostname == choice.hostname && node.devices.is_empty());
    choices.iter().find(bare).map_or(Ok(()), |choice| Err(format!("{} has no device.", choice.hostname)))
}

impl World {
    pub fn new() -> Self {
        use DeviceType::{Cpu, Cuda};
        Self {
            administrator: false,
            clusters: vec![
                cluster(LOCAL, "local", ClusterKind::Local, Ok(vec![node("fl4u42", "Ready", &[Cpu])])),
                cluster(
                    GPUS,
                    "gpus",
                    ClusterKind::Kubernetes,
                    Ok(vec![
                        node("gpu-01", "Ready", &[Cpu, Cuda]),
                        node("gpu-02", "Ready", &[Cpu, Cuda]),
                        node("gpu-03", "NotReady", &[Cpu, Cuda]),
                    ]),
                ),
                cluster(SILENT, "silent", ClusterKind::Kubernetes, Err("The cluster does not answer.".to_owned())),
                cluster(CATALOGUE, "catalogue", ClusterKind::Catalogue, Ok(vec![node("h100-x8", "Ready", &[Cuda])])),
            ],
            models: vec![
                model(GGUF, "small", file("/models/small.gguf"), Some((ModelFormat::Gguf, 8_192))),
                model(HUGGING_FACE, "large", file("/models/large"), Some((ModelFormat::HuggingFace, 32_768))),
                model(OPENAI, "gpt", cloud(ProviderId::Openai, "https://api.openai.com/v1"), None),
                model(OWN_CLOUD, "own", cloud(ProviderId::OpenaiCompatible, "http://127.0.0.1:8100/v1"), None),
                Model { archived: true, ..model(OLD_MODEL, "old", file("/models/old.gguf"), None) },
            ],
            datasets: vec![
                dataset(CHATS, "chats", false),
                dataset(PROMPTS, "prompts", false),
                dataset(OLD_DATASET, "old", true),
                Dataset { format: DatasetFormat::AzureTrace, ..dataset(TRACE, "day", false) },
            ],
            credentials: vec![
                credential(OPENAI_KEY, "work", ProviderId::Openai, "https://api.openai.com"),
                credential(OWN_KEY, "own", ProviderId::OpenaiCompatible, "http://127.0.0.1:8100"),
                credential(OTHER_ORIGIN_KEY, "other", ProviderId::OpenaiCompatible, "http://127.0.0.1:9999"),
                Credential { archived: true, ..credential(OLD_KEY, "old", ProviderId::Openai, "https://api.openai.com") },
            ],
            engines: EngineKind::VARIANTS
                .iter()
                .copied()
                .map(|kind| EngineAvailability {
                    kind,
                    title: kind.title().to_owned(),
                    available: kind == EngineKind::LlamaCpp,
                    version: None,
                    program: None,
                    how_to_get: "Install it with pip.".to_owned(),
                })
                .collect(),
        }
    }

    /// Only the needed facts: a rule that forgets to request one fails its test.
    pub fn look_up(&self, needs: &Needs) -> Facts {
        Facts {
            cluster: self.clusters.iter().find(|found| Some(found.cluster.id) == needs.cluster).cloned(),
            model: self.models.iter().find(|model| Some(model.id) == needs.model).cloned(),
            datasets: self.datasets.iter().filter(|dataset| needs.datasets.contains(&dataset.id)).cloned().collect(),
            credential: self.credentials.iter().find(|found| Some(found.id) == needs.credential).cloned(),
            engines: if needs.engines { self.engines.clone() } else { Vec::new() },
            ..Facts::none(self.administrator, check_args, check_simulation)
        }
    }
}

/// Sends bodies and keeps the draft.
#[derive(Debug, Clone)]
pub struct Wizard {
    pub world: World,
    pub draft: Option<Draft>,
    clock: i64,
}

impl Wizard {
    pub fn new() -> Self {
        Self { world: World::new(), draft: None, clock: 0 }
    }

    /// A draft after all steps up to this one, with synthetic prompts and the local cluster's model.
    pub fn at(step: u8) -> Self {
        let mut wizard = Self::new();
        wizard.go_to(step, "configuration", GGUF);
        wizard
    }

    pub fn go_to(&mut self, last: u8, eval_with: &str, model: Uuid) {
        let cloud = self.world.models.iter().any(|found| found.id == model && found.is_cloud());
        for step in 1..=last {
            if step == 6 && !cloud {
                continue;
            }
            self.good(step, own_fields(step, eval_with, model));
        }
    }

    pub fn draft(&self) -> &Draft {
        self.draft.as_ref().unwrap()
    }

    /// Sends a complete body.
    pub fn raw(&mut self, body: &Value) -> Result<Advance, Refusal> {
        let body = Body::parse(body).map_err(Refusal::Invalid)?;
        let facts = self.world.look_up(&needs(self.draft.as_ref(), &body));
        self.clock += 1;
        let stamp = Stamp { new_id: id(0x99), owner: OWNER, now: Timestamp::from_second(self.clock).unwrap() };
        let before = self.draft.clone();
        let result = advance(self.draft.as_ref(), &body, &facts, &stamp);
        match &result {
            Ok(advance) => self.draft = Some(advance.draft.clone()),
            // a refused body leaves the draft unchanged
            Err(_) => assert_eq!(self.draft, before),
        }
        result
    }

    /// The fields of a step, with the call's own fields added.
    pub fn send(&mut self, step: u8, fields: Value) -> Result<Advance, Refusal> {
        let mut body = fields;
        body["step_number"] = json!(step);
        match &self.draft {
            Some(draft) => body["workflow_id"] = json!(draft.id),
            None => body["workflow_total_steps"] = json!(9),
        }
        self.raw(&body)
    }

    #[track_caller]
    pub fn good(&mut self, step: u8, fields: Value) -> Advance {
        match self.send(step, fields.clone()) {
            Ok(advance) => advance,
            Err(refusal) => panic!("step {step} with {fields} was refused: {refusal:?}"),
        }
    }

    /// The errors of a refused body.
    #[track_caller]
    pub fn bad(&mut self, step: u8, fields: Value) -> Vec<FieldError> {
        match self.send(step, fields.clone()) {
            Err(Refusal::Invalid(errors)) => errors,
            other => panic!("step {step} with {fields} was not refused: {other:?}"),
        }
    }

    /// Asserts that a body is refused with exactly this error.
    #[track_caller]
    pub fn refuses(&mut self, step: u8, fields: Value, error: (u8, &str, &str)) {
        let errors = self.bad(step, fields);
        assert_eq!(errors, [FieldError::at(error.0, error.1, error.2)]);
    }
}

/// What each step needs.
pub fn own_fields(step: u8, eval_with: &str, model: Uuid) -> Value {
    match step {
        1 => json!({ "name": "test-111", "tags": [], "description": "", "concurrent_requests": 50, "eval_with": eval_with }),
        2 if eval_with == "dataset" => json!({ "dataset_ids": [CHATS] }),
        2 => json!({ "max_input_tokens": 50, "max_output_tokens": 100 }),
        3 => json!({ "cluster_id": LOCAL }),
        4 => json!({ "nodes": [{ "hostname": "fl4u42" }] }),
        5 => json!({ "model_id": model }),
        6 => json!({ "credential_id": if model == OPENAI { OPENAI_KEY } else { OWN_KEY } }),
        7 => json!({ "user_confirmation": true }),
        _ => json!({ "run_as_simulation": false, "trigger_workflow": true }),
    }
}
