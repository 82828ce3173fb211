//! The pods that put a run's load on.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Container, KeyToPath, Pod, PodSpec, ResourceRequirements, SecretVolumeSource, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use k8s_openapi::jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::pods::{SPOOL, own_container, own_user, pinned, port, secret_variable, spool};
use super::{Lifetime, RunName, SENT_FILES_PORT, keys};

/// Where a load pod has its plan.
const RUN_FOLDER: &str = "/etc/dyno";
/// Where files that are sent to a load pod lie.
pub const SENT_FILES: &str = "/spool/files";
/// What a load pod has to write down what it measured, and to be read, once its end is asked for. Seconds.
const LOAD_GRACE_S: i64 = 60;

/// A pod that puts the load on, or a part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadPod {
    /// Dyno's own.
    pub image: String,
    /// Secrets of the namespace by which its node pulls its image.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pull_secrets: Vec<String>,
    /// The node's hostname label.
    pub node: String,
    /// Thousandths of a core, asked for and at most.
    pub cpu_millis: u32,
    /// The variable that holds the provider's key, where there is one.
    pub credential_env: String,
    /// Whether files are sent to it before the load begins: a second container takes them.
    pub takes_files: bool,
}

/// The pod that sends the one request which shows whether a cloud model answers, from where the load will come.
pub fn verify_pod(run: &RunName, owner: &OwnerReference, load: &LoadPod, lifetime: Lifetime) -> Pod {
    let load = LoadPod { takes_files: false, ..load.clone() };
    Pod {
        metadata: run.metadata(run.verify(), "verify", Some(owner)),
        spec: Some(PodSpec {
            active_deadline_seconds: Some(lifetime.active_s.max(1)),
            ..load_pod(run, &load, keys::VERIFY, lifetime.deadline_unix_s)
        }),
        ..Pod::default()
    }
}

/// `plan`: which of the Secret's keys is its plan; `deadline_unix_s`: when it ends by itself.
pub(super) fn load_pod(run: &RunName, load: &LoadPod, plan: &str, deadline_unix_s: i64) -> PodSpec {
    let settings = [
        ("DYNO_POD_PLAN", format!("{RUN_FOLDER}/{plan}")),
        ("DYNO_POD_SPOOL", SPOOL.to_owned()),
        ("DYNO_POD_DEADLINE", instant(deadline_unix_s)),
        ("DYNO_POD_GRACE_S", LOAD_GRACE_S.to_string()),
    ];
    let mut container = sending_container(run, load, "load", &settings);
    container.volume_mounts.get_or_insert_default().push(VolumeMount {
        name: "run".to_owned(),
        mount_path: RUN_FOLDER.to_owned(),
        read_only: Some(true),
        ..VolumeMount::default()
    });
    let item = |key: &str| KeyToPath { key: key.to_owned(), path: key.to_owned(), ..KeyToPath::default() };
    let secret = Volume {
        name: "run".to_owned(),
        secret: Some(SecretVolumeSource {
            secret_name: Some(run.owner()),
            items: Some([keys::PLAN, keys::VERIFY].map(item).to_vec()),
            // there is a request to verify by for cloud models only
            optional: Some(true),
            ..SecretVolumeSource::default()
        }),
        ..Volume::default()
    };
    PodSpec {
        containers: with_files(run, load, container, deadline_unix_s),
        security_context: Some(own_user()),
        termination_grace_period_seconds: Some(LOAD_GRACE_S),
        volumes: Some(vec![secret, spool()]),
        ..pinned(&load.node, &load.pull_secrets)
    }
}

/// A pod that carries out one part of the load; `number`: among the run's load pods, from 2, since the owner's is the first.
pub fn worker_pod(run: &RunName, owner: &OwnerReference, number: usize, load: &LoadPod, lifetime: Lifetime) -> Pod {
    let settings = [("DYNO_POD_DEADLINE", instant(lifetime.deadline_unix_s))];
    let container = sending_container(run, load, "worker", &settings);
    Pod {
        metadata: run.metadata(run.worker(number), "worker", Some(owner)),
        spec: Some(PodSpec {
            active_deadline_seconds: Some(lifetime.active_s.max(1)),
            containers: with_files(run, load, container, lifetime.deadline_unix_s),
            security_context: Some(own_user()),
            volumes: Some(vec![spool()]),
            ..pinned(&load.node, &load.pull_secrets)
        }),
        ..Pod::default()
    }
}

/// A container that sends requests: with the provider's key, and as much processor as it asks for.
fn sending_container(run: &RunName, load: &LoadPod, part: &str, settings: &[(&str, String)]) -> Container {
    let cpu: BTreeMap<String, Quantity> = [("cpu".to_owned(), Quantity(format!("{}m", load.cpu_millis)))].into();
    let mut container = own_container(run, &load.image, part, settings);
    container.env.get_or_insert_default().push(secret_variable(run, &load.credential_env, keys::CREDENTIAL));
    container.resources =
        Some(ResourceRequirements { requests: Some(cpu.clone()), limits: Some(cpu), ..ResourceRequirements::default() });
    container
}

/// With a second container that takes files for it before the load begins, where it needs any.
fn with_files(run: &RunName, load: &LoadPod, container: Container, deadline_unix_s: i64) -> Vec<Container> {
    let mut containers = vec![container];
    if load.takes_files {
        let settings = [
            ("DYNO_POD_PORT", SENT_FILES_PORT.to_string()),
            ("DYNO_POD_FOLDER", SENT_FILES.to_owned()),
            ("DYNO_POD_DEADLINE", instant(deadline_unix_s)),
        ];
        containers.push(Container {
            ports: Some(vec![port(SENT_FILES_PORT)]),
            // it ends before the load begins, and an ended container is not ready
            readiness_probe: None,
            ..own_container(run, &load.image, "files", &settings)
        });
    }
    containers
}

/// As RFC 3339 has it.
fn instant(unix_s: i64) -> String {
    Timestamp::from_second(unix_s).unwrap_or_default().to_string()
}
