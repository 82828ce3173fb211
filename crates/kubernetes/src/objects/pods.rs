//! The pods of a run: engines, and those that bring files.

use std::collections::BTreeMap;

use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1::{
    Capabilities, Container, ContainerPort, EmptyDirVolumeSource, EnvVar, EnvVarSource, HTTPGetAction, HostPathVolumeSource,
    LocalObjectReference, PersistentVolumeClaimVolumeSource, Pod, PodSecurityContext, PodSpec, PodTemplateSpec, Probe,
    ResourceRequirements, SeccompProfile, SecretKeySelector, SecurityContext, TCPSocketAction, Toleration, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use serde::{Deserialize, Serialize};

use super::{ENGINE_PORT, FILES_RETRIES, POD_PORT, RunName, keys};

/// The label by which pods are pinned to a node.
const HOSTNAME: &str = "kubernetes.io/hostname";
/// Whoever Dyno's own pods run as; nobody in particular.
const USER: i64 = 65_532;
/// Where a load pod writes.
pub(super) const SPOOL: &str = "/spool";
/// Between two looks at an engine that starts, seconds.
const STARTUP_PERIOD_S: i32 = 5;
/// Device plugins taint nodes that have their devices; a run may have been given such a node for its processor, too.
pub(crate) const DEVICE_TAINTS: [&str; 3] = ["amd.com/gpu", "habana.ai/gaudi", "nvidia.com/gpu"];

/// Where files come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum VolumeSource {
    /// A folder on the node, which must be there.
    HostPath(String),
    /// A folder on the node, which is made where it is missing.
    HostPathOrNew(String),
    Claim(String),
}

/// Files that a pod sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    pub source: VolumeSource,
    /// Where in the pod.
    pub path: String,
    pub read_only: bool,
}

/// How an engine is asked whether it works: paths that answer 200.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probes {
    /// Answers once it has started. An engine that lists its model before that is loaded needs another path here.
    pub startup: String,
    pub readiness: String,
    /// Answers without work being done, as long as it lives; absent: not asked.
    pub liveness: Option<String>,
    /// Longest time from start to ready, seconds.
    pub startup_limit_s: u64,
}

/// A copy of the model behind an engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnginePod {
    /// Among the run's engines, from 0.
    pub index: usize,
    /// The node's hostname label.
    pub node: String,
    pub image: String,
    /// Secrets of the namespace by which its node pulls its image.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pull_secrets: Vec<String>,
    /// Program and arguments; where the first is an option, they follow the image's entry point.
    pub argv: Vec<String>,
    pub env: BTreeMap<String, String>,
    /// A device plugin's resource, and how many.
    pub devices: Option<(String, u32)>,
    /// Thousandths of a core that are kept free for it.
    pub cpu_millis: Option<u32>,
    /// Bytes of the node's memory that are kept free for it.
    #[serde(default)]
    pub memory_bytes: Option<u64>,
    /// Most bytes of memory that it may use; over that it is ended.
    #[serde(default)]
    pub memory_limit_bytes: Option<u64>,
    pub mounts: Vec<Mount>,
    pub probes: Probes,
    /// From now to the deadline, seconds.
    pub active_s: i64,
}

/// A Job whose pod checks and brings files on a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilesJob {
    pub index: usize,
    /// Dyno's own.
    pub image: String,
    /// Secrets of the namespace by which its node pulls its image.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pull_secrets: Vec<String>,
    /// The node's hostname label.
    pub node: String,
    pub mounts: Vec<Mount>,
    /// The model hub that is fetched from; absent: the public one.
    pub hub_endpoint: Option<String>,
    /// From now to the deadline, seconds.
    pub active_s: i64,
}

/// Restarts never: an engine that ended has ended, whatever ended it.
pub fn engine_pod(run: &RunName, owner: &OwnerReference, engine: &EnginePod) -> Pod {
    let (mut volumes, mut mounts) = mounted(&engine.mounts);
    volumes.push(Volume {
        name: "shm".to_owned(),
        empty_dir: Some(EmptyDirVolumeSource { medium: Some("Memory".to_owned()), ..EmptyDirVolumeSource::default() }),
        ..Volume::default()
    });
    mounts.push(VolumeMount { name: "shm".to_owned(), mount_path: "/dev/shm".to_owned(), ..VolumeMount::default() });
    let with_entry_point = engine.argv.first().is_none_or(|first| first.starts_with('-'));
    let argv = Some(engine.argv.iter().map(|argument| literal(argument)).collect());
    let (command, args) = if with_entry_point { (None, argv) } else { (argv, None) };
    let container = Container {
        name: "engine".to_owned(),
        image: Some(engine.image.clone()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        command,
        args,
        env: Some(engine.env.iter().map(|(name, value)| variable(name, value)).collect()),
        ports: Some(vec![port(ENGINE_PORT)]),
        resources: Some(engine_resources(engine)),
        startup_probe: Some(startup_probe(&engine.probes)),
        readiness_probe: Some(Probe {
            http_get: Some(http_get(&engine.probes.readiness)),
            period_seconds: Some(10),
            timeout_seconds: Some(10),
            failure_threshold: Some(6),
            ..Probe::default()
        }),
        // Patient: an engine at its limit answers late, and must not be ended for that.
        liveness_probe: engine.probes.liveness.as_deref().map(|path| Probe {
            http_get: Some(http_get(path)),
            period_seconds: Some(30),
            timeout_seconds: Some(20),
            failure_threshold: Some(6),
            ..Probe::default()
        }),
        security_context: Some(SecurityContext { allow_privilege_escalation: Some(false), ..SecurityContext::default() }),
        volume_mounts: Some(mounts),
        ..Container::default()
    };
    Pod {
        metadata: run.metadata(run.engine(engine.index), "engine", Some(owner)),
        spec: Some(PodSpec {
            active_deadline_seconds: Some(engine.active_s.max(1)),
            containers: vec![container],
            security_context: Some(PodSecurityContext { seccomp_profile: Some(seccomp()), ..PodSecurityContext::default() }),
            volumes: Some(volumes),
            ..pinned(&engine.node, &engine.pull_secrets)
        }),
        ..Pod::default()
    }
}

fn engine_resources(engine: &EnginePod) -> ResourceRequirements {
    let mut requests = BTreeMap::new();
    if let Some(millis) = engine.cpu_millis {
        requests.insert("cpu".to_owned(), Quantity(format!("{millis}m")));
    }
    let mut limits: BTreeMap<String, Quantity> =
        engine.devices.iter().map(|(resource, count)| (resource.clone(), Quantity(count.to_string()))).collect();
    let memory = |bytes: u64| ("memory".to_owned(), Quantity(format!("{}Mi", bytes.div_ceil(1 << 20))));
    // More than the limit can't be asked for.
    let most = engine.memory_limit_bytes.unwrap_or(u64::MAX);
    requests.extend(engine.memory_bytes.map(|bytes| memory(bytes.min(most))));
    limits.extend(engine.memory_limit_bytes.map(memory));
    ResourceRequirements { requests: Some(requests), limits: Some(limits), ..ResourceRequirements::default() }
}

fn startup_probe(probes: &Probes) -> Probe {
    let tries = probes.startup_limit_s.div_ceil(STARTUP_PERIOD_S as u64);
    Probe {
        http_get: Some(http_get(&probes.startup)),
        period_seconds: Some(STARTUP_PERIOD_S),
        timeout_seconds: Some(5),
        failure_threshold: Some(i32::try_from(tries).unwrap_or(i32::MAX).max(1)),
        ..Probe::default()
    }
}

/// Checks that files are on a node, takes those that are sent, and fetches. Of a pod that is lost the Job makes another, which goes on with
/// what is on the volume.
pub fn files_job(run: &RunName, owner: &OwnerReference, files: &FilesJob) -> Job {
    let (mut volumes, mut mounts) = mounted(&files.mounts);
    let roots = files.mounts.iter().filter(|mount| mount.read_only).map(|mount| mount.path.as_str());
    let settings = [
        ("DYNO_POD_FOLDER", files.mounts.iter().find(|mount| !mount.read_only).map(|mount| mount.path.clone())),
        ("HF_ENDPOINT", files.hub_endpoint.clone()),
        ("DYNO_POD_ROOTS", Some(roots.collect::<Vec<_>>().join(":")).filter(|roots| !roots.is_empty())),
    ];
    let settings: Vec<_> = settings.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    let mut container = own_container(run, &files.image, "files", &settings);
    container.env.get_or_insert_default().push(secret_variable(run, "HF_TOKEN", keys::HUB_TOKEN));
    container.volume_mounts.get_or_insert_default().append(&mut mounts);
    volumes.push(spool());
    // The kubelet makes a folder on the node as root's, and gives it to nobody else.
    let on_node = |mount: &Mount| !mount.read_only && matches!(mount.source, VolumeSource::HostPathOrNew(_));
    let security_context = if files.mounts.iter().any(on_node) {
        PodSecurityContext { seccomp_profile: Some(seccomp()), run_as_user: Some(0), ..PodSecurityContext::default() }
    } else {
        own_user()
    };
    let pod = PodSpec {
        containers: vec![container],
        security_context: Some(security_context),
        volumes: Some(volumes),
        ..pinned(&files.node, &files.pull_secrets)
    };
    Job {
        metadata: run.metadata(run.files(files.index), "files", Some(owner)),
        spec: Some(JobSpec {
            active_deadline_seconds: Some(files.active_s.max(1)),
            backoff_limit: Some(FILES_RETRIES),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta { labels: Some(run.labels("files")), ..ObjectMeta::default() }),
                spec: Some(pod),
            },
            ..JobSpec::default()
        }),
        ..Job::default()
    }
}

/// A container of Dyno's own image: `dyno pod PART`.
pub(super) fn own_container(run: &RunName, image: &str, part: &str, settings: &[(&str, String)]) -> Container {
    let mut env = vec![secret_variable(run, "DYNO_POD_TOKEN", keys::TOKEN)];
    // The spool is the one folder that can be written to.
    env.extend(["HOME", "TMPDIR"].map(|name| variable(name, SPOOL)));
    env.extend(settings.iter().map(|(name, value)| variable(name, value)));
    Container {
        name: part.to_owned(),
        image: Some(image.to_owned()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        command: Some(vec!["dyno".to_owned()]),
        args: Some(vec!["pod".to_owned(), part.to_owned()]),
        env: Some(env),
        ports: Some(vec![port(POD_PORT)]),
        readiness_probe: Some(Probe {
            tcp_socket: Some(TCPSocketAction { port: IntOrString::Int(POD_PORT.into()), ..TCPSocketAction::default() }),
            period_seconds: Some(2),
            ..Probe::default()
        }),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), ..Capabilities::default() }),
            read_only_root_filesystem: Some(true),
            ..SecurityContext::default()
        }),
        volume_mounts: Some(vec![VolumeMount {
            name: "spool".to_owned(),
            mount_path: SPOOL.to_owned(),
            ..VolumeMount::default()
        }]),
        ..Container::default()
    }
}

/// A pod on one node, with no way to the API server.
pub(super) fn pinned(node: &str, pull_secrets: &[String]) -> PodSpec {
    let tolerate = |key: &str, effect: &str| Toleration {
        key: Some(key.to_owned()),
        operator: Some("Exists".to_owned()),
        effect: Some(effect.to_owned()),
        ..Toleration::default()
    };
    let secret_of = |name: &String| LocalObjectReference { name: name.clone() };
    let tolerations = DEVICE_TAINTS.iter().flat_map(|key| ["NoExecute", "NoSchedule"].map(|effect| tolerate(key, effect)));
    PodSpec {
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        image_pull_secrets: (!pull_secrets.is_empty()).then(|| pull_secrets.iter().map(secret_of).collect()),
        // By its label rather than by `nodeName`, so that the scheduler says what is lacking.
        node_selector: Some([(HOSTNAME.to_owned(), node.to_owned())].into()),
        restart_policy: Some("Never".to_owned()),
        tolerations: Some(tolerations.collect()),
        termination_grace_period_seconds: Some(10),
        ..PodSpec::default()
    }
}

pub(super) fn own_user() -> PodSecurityContext {
    PodSecurityContext {
        run_as_non_root: Some(true),
        run_as_user: Some(USER),
        run_as_group: Some(USER),
        fs_group: Some(USER),
        seccomp_profile: Some(seccomp()),
        ..PodSecurityContext::default()
    }
}

fn seccomp() -> SeccompProfile {
    SeccompProfile { type_: "RuntimeDefault".to_owned(), ..SeccompProfile::default() }
}

pub(super) fn spool() -> Volume {
    Volume { name: "spool".to_owned(), empty_dir: Some(EmptyDirVolumeSource::default()), ..Volume::default() }
}

fn mounted(mounts: &[Mount]) -> (Vec<Volume>, Vec<VolumeMount>) {
    let volume = |index: usize, mount: &Mount| {
        let host_path = |path: &String, kind: &str| HostPathVolumeSource { path: path.clone(), type_: Some(kind.to_owned()) };
        let mut volume = Volume { name: format!("files-{index}"), ..Volume::default() };
        match &mount.source {
            VolumeSource::HostPath(path) => volume.host_path = Some(host_path(path, "Directory")),
            VolumeSource::HostPathOrNew(path) => volume.host_path = Some(host_path(path, "DirectoryOrCreate")),
            VolumeSource::Claim(name) => {
                volume.persistent_volume_claim = Some(PersistentVolumeClaimVolumeSource {
                    claim_name: name.clone(),
                    read_only: mount.read_only.then_some(true),
                });
            }
        }
        let mount = VolumeMount {
            name: volume.name.clone(),
            mount_path: mount.path.clone(),
            read_only: mount.read_only.then_some(true),
            ..VolumeMount::default()
        };
        (volume, mount)
    };
    mounts.iter().enumerate().map(|(index, mount)| volume(index, mount)).unzip()
}

fn variable(name: &str, value: &str) -> EnvVar {
    EnvVar { name: name.to_owned(), value: Some(literal(value)), ..EnvVar::default() }
}

/// Of `$(NAME)` the kubelet would make the variable's value.
fn literal(text: &str) -> String {
    text.replace("$(", "$$(")
}

/// Taken from the run's Secret; not set where that has no such key.
pub(super) fn secret_variable(run: &RunName, name: &str, key: &str) -> EnvVar {
    EnvVar {
        name: name.to_owned(),
        value_from: Some(EnvVarSource {
            secret_key_ref: Some(SecretKeySelector { name: run.owner(), key: key.to_owned(), optional: Some(true) }),
            ..EnvVarSource::default()
        }),
        ..EnvVar::default()
    }
}

fn http_get(path: &str) -> HTTPGetAction {
    HTTPGetAction { path: Some(path.to_owned()), port: IntOrString::Int(ENGINE_PORT.into()), ..HTTPGetAction::default() }
}

pub(super) fn port(number: u16) -> ContainerPort {
    ContainerPort { container_port: number.into(), protocol: Some("TCP".to_owned()), ..ContainerPort::default() }
}
