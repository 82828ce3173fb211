//! The objects as they stand in tests/objects, a file each. `UPDATE_OBJECTS=1 cargo test -p dyno-kubernetes objects` writes them.

use std::path::Path;

use serde::Serialize;

use super::*;

fn run() -> RunName {
    RunName { id: "01890a5d-ac96-774b-bcce-b302099a8057".to_owned(), namespace: "dyno".to_owned() }
}

fn load() -> LoadPod {
    LoadPod {
        image: "ghcr.io/example/dyno:1".to_owned(),
        pull_secrets: vec!["registry".to_owned()],
        node: "cpu-1".to_owned(),
        cpu_millis: 1_000,
        credential_env: "DYNO_LOAD_SECRET".to_owned(),
        takes_files: false,
    }
}

fn lifetime() -> Lifetime {
    Lifetime { active_s: 3_600, deadline_unix_s: 1_800_000_000, kept_s: 3_600 }
}

fn owner_reference() -> OwnerReference {
    let mut job = owner(&run(), lifetime(), &load());
    job.metadata.uid = Some("7c1e".to_owned());
    owned_by(&job).unwrap()
}

fn engine() -> EnginePod {
    EnginePod {
        index: 1,
        node: "gpu-1".to_owned(),
        image: "vllm/vllm-openai:v0.11.0".to_owned(),
        pull_secrets: vec!["registry".to_owned(), "mirror.example.org".to_owned()],
        argv: ["vllm", "serve", "/model/m", "--host", "0.0.0.0"].map(str::to_owned).to_vec(),
        env: [("HF_HUB_OFFLINE".to_owned(), "1".to_owned()), ("X".to_owned(), "$(HOME)".to_owned())].into(),
        devices: Some(("nvidia.com/gpu".to_owned(), 2)),
        cpu_millis: None,
        memory_bytes: Some(3_000_000_001),
        memory_limit_bytes: None,
        mounts: vec![Mount {
            source: VolumeSource::HostPath("/srv/models".to_owned()),
            path: "/model".to_owned(),
            read_only: true,
        }],
        probes: Probes {
            startup: "/health".to_owned(),
            readiness: "/v1/models".to_owned(),
            liveness: Some("/health".to_owned()),
            startup_limit_s: 3_600,
        },
        active_s: 3_600,
    }
}

fn is_as_kept(name: &str, object: &impl Serialize) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/objects").join(name);
    let text = serde_json::to_string_pretty(object).unwrap() + "\n";
    if std::env::var_os("UPDATE_OBJECTS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        return;
    }
    let kept = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text, kept, "{name} differs from what is kept");
}

#[test]
fn the_owner_ends_itself_and_its_pod_never_runs_twice() {
    is_as_kept("owner.json", &owner(&run(), lifetime(), &load()));
    let load = LoadPod { takes_files: true, ..load() };
    is_as_kept("owner-with-datasets.json", &owner(&run(), lifetime(), &load));
}

#[test]
fn a_worker_has_the_key_and_the_token_and_ends_with_its_owner() {
    let load = LoadPod { takes_files: true, cpu_millis: 2_000, node: "cpu-2".to_owned(), ..load() };
    is_as_kept("worker.json", &worker_pod(&run(), &owner_reference(), 2, &load, lifetime()));
}

#[test]
fn an_engine_is_pinned_probed_and_ends_with_its_owner() {
    is_as_kept("engine.json", &engine_pod(&run(), &owner_reference(), &engine()));
}

#[test]
fn arguments_alone_follow_the_images_entry_point() {
    let argv = ["-m", "/model/m.gguf"].map(str::to_owned).to_vec();
    let probes = Probes { liveness: None, ..engine().probes };
    let engine = EnginePod {
        argv,
        pull_secrets: Vec::new(),
        devices: None,
        cpu_millis: Some(1_500),
        memory_limit_bytes: Some(2 << 30),
        probes,
        ..engine()
    };
    is_as_kept("engine-on-cpu.json", &engine_pod(&run(), &owner_reference(), &engine));
}

#[test]
fn a_job_for_files_sees_the_cache_and_the_models_and_replaces_its_pod() {
    let mounts = vec![
        Mount { source: VolumeSource::Claim("models".to_owned()), path: "/cache".to_owned(), read_only: false },
        Mount { source: VolumeSource::HostPathOrNew("/var/cache/dyno".to_owned()), path: "/more".to_owned(), read_only: true },
    ];
    let hub_endpoint = Some("https://hub.example.org".to_owned());
    let LoadPod { image, pull_secrets, .. } = load();
    let files = FilesJob { index: 0, image, pull_secrets, node: "gpu-1".to_owned(), mounts, hub_endpoint, active_s: 60 };
    is_as_kept("files.json", &files_job(&run(), &owner_reference(), &files));
}

#[test]
fn a_cloud_model_is_verified_from_where_its_load_comes() {
    is_as_kept("verify.json", &verify_pod(&run(), &owner_reference(), &load(), lifetime()));
}

#[test]
fn secret_service_and_namespace() {
    let data = [(keys::TOKEN, b"t".to_vec()), (keys::PLAN, b"{}".to_vec())].into();
    is_as_kept("secret.json", &secret(&run(), &owner_reference(), data));
    is_as_kept("service.json", &service(&run(), &owner_reference()));
    is_as_kept("namespace.json", &namespace("dyno"));
}
