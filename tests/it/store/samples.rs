//! Objects to keep.

use dyno::domain::benchmark::{Benchmark, BenchmarkSpec, NodeChoice, Serving, Tag};
use dyno::domain::engine::EngineKind;
use dyno::domain::inventory::{Credential, FileLocation, Model, ModelSource};
use dyno::domain::provider::ProviderId;
use dyno::domain::run::{Run, Stage, StageId};
use dyno::domain::user::{Actor, Role};
use dyno::domain::workflow::{Draft, draft_from};
use dyno::store::{NewRun, SealedCredential, Store};
use dyno_measure::load::{EvalWith, LoadSpec};
use dyno_measure::report::{Phase, RequestRecord};
use dyno_measure::run::{RunKind, RunStatus};
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;
use uuid::Uuid;

/// A moment, so many seconds after the first.
pub fn at(seconds: i64) -> Timestamp {
    "2026-11-01T12:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(seconds)
}

/// An empty store in a folder of its own, with an administrator and two members.
pub async fn store() -> (TempDir, Store, [Actor; 3]) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&Store::default_url(folder.path()), folder.path()).await.unwrap();
    let mut people = Vec::new();
    for (name, role) in [("admin", Role::Administrator), ("anna", Role::Member), ("bert", Role::Member)] {
        let user = store.create_user(name, role, at(0)).await.unwrap();
        people.push(Actor { id: user.id, name: user.name, role: user.role });
    }
    (folder, store, people.try_into().unwrap())
}

pub fn draft(owner: &Actor, name: &str) -> Draft {
    draft_from(&benchmark(owner, name, None).spec, Uuid::now_v7(), owner.id, at(1))
}

pub fn model(owner: Option<&Actor>, name: &str) -> Model {
    Model {
        id: Uuid::now_v7(),
        name: name.to_owned(),
        source: ModelSource::File { path: "/models/x.gguf".to_owned(), location: FileLocation::Portal },
        facts: None,
        owner: owner.map(|owner| owner.id),
        archived: false,
        created_at: at(1),
    }
}

pub fn credential(owner: &Actor) -> SealedCredential {
    SealedCredential {
        credential: Credential {
            id: Uuid::now_v7(),
            name: "key".to_owned(),
            provider: ProviderId::OpenaiCompatible,
            origin: "http://127.0.0.1:8100".to_owned(),
            owner: owner.id,
            archived: false,
            created_at: at(1),
        },
        key_id: "one".to_owned(),
        sealed: vec![1, 2, 3],
    }
}

pub fn benchmark(owner: &Actor, name: &str, workflow: Option<Uuid>) -> Benchmark {
    Benchmark {
        id: Uuid::now_v7(),
        owner: owner.id,
        workflow_id: workflow,
        created_at: at(2),
        spec: BenchmarkSpec {
            name: name.to_owned(),
            tags: vec![Tag { name: "nightly".to_owned(), color: None }],
            description: "Größe 50% of it".to_owned(),
            load: LoadSpec {
                max_input_tokens: Some(128),
                max_output_tokens: Some(32),
                ..LoadSpec::new(8, EvalWith::Configuration)
            },
            cluster_id: Uuid::nil(),
            cluster_name: "local".to_owned(),
            nodes: vec![NodeChoice { hostname: "here".to_owned(), device_types: Vec::new() }],
            load_node: None,
            load_pods: None,
            load_cpu_millicores: None,
            model: model(Some(owner), &format!("model of {name}")),
            serving: Serving { engine: Some(EngineKind::LlamaCpp), ..Serving::default() },
            credential_id: None,
            datasets: Vec::new(),
        },
    }
}

/// A queued run of a benchmark on the node `here`.
pub fn new_run(benchmark: &Benchmark, owner: &Actor, created_s: i64) -> NewRun {
    NewRun {
        run: Run {
            id: Uuid::now_v7(),
            benchmark_id: benchmark.id,
            owner: owner.id,
            kind: RunKind::Measured,
            status: RunStatus::Queued,
            reason: None,
            queue_position: None,
            created_at: at(created_s),
            started_at: None,
            ended_at: None,
            stages: StageId::of_run(RunKind::Measured, false).iter().map(|stage| Stage::pending(*stage)).collect(),
        },
        creator: owner.name.clone(),
        nodes: vec!["local/here".to_owned()],
        devices: "1 × CPU".to_owned(),
        load: "8 in flight".to_owned(),
    }
}

/// A benchmark of the cluster `local` with one run, both kept.
pub async fn kept_run(store: &Store, owner: &Actor, name: &str, created_s: i64) -> (Benchmark, Run) {
    kept_run_of(store, owner, benchmark(owner, name, None), created_s).await
}

/// The same of a benchmark that was made before.
pub async fn kept_run_of(store: &Store, owner: &Actor, mut benchmark: Benchmark, created_s: i64) -> (Benchmark, Run) {
    benchmark.spec.cluster_id = store.local_cluster(at(0)).await.unwrap().id;
    let draft = draft(owner, &benchmark.spec.name);
    store.insert_workflow(&draft).await.unwrap();
    let run = new_run(&benchmark, owner, created_s);
    store.trigger_workflow(&Draft { revision: 2, ..draft }, 1, &benchmark, &run).await.unwrap();
    (benchmark, run.run)
}

/// A record as a client writes it; absent fields are absent there, too.
pub fn record(number: u32, error: Option<&str>) -> RequestRecord {
    let mut value = serde_json::json!({
        "id": format!("request-{number}"), "node": "here", "load_point": 0, "phase": "measured",
        "ttft_ms": f64::from(number) * 1.5, "output_tokens": number,
    });
    if let Some(error) = error {
        value["error_class"] = error.into();
    }
    let record: RequestRecord = serde_json::from_value(value).unwrap();
    assert_eq!(record.phase, Phase::Measured);
    record
}
