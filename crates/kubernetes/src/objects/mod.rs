//! The objects of a run, from a typed description. Pure: the same description makes the same objects, so that applying them
//! again changes nothing.
//!
//! Everything belongs to one Job, the owner. From the moment it is made on, the cluster itself ends it at the run's deadline and removes it
//! some time later, with all that it owns; no portal is needed for that.

mod load;
mod pods;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1::{Namespace, PodTemplateSpec, Secret, Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

pub use load::{LoadPod, SENT_FILES, verify_pod, worker_pod};
pub(crate) use pods::DEVICE_TAINTS;
pub use pods::{EnginePod, FilesJob, Mount, Probes, VolumeSource, engine_pod, files_job};

/// Who set a field, in server-side apply.
pub const FIELD_MANAGER: &str = "dyno";
/// Marks what Dyno made.
pub const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "dyno");
/// The label with the run's id.
pub const RUN_LABEL: &str = "dyno/run";
/// The label with what a pod is for: `engine`, `load`, `worker`, `files`, `verify`.
pub const COMPONENT_LABEL: &str = "app.kubernetes.io/component";
/// The annotation with the moment after which nothing of the run is needed any more, seconds since 1970.
pub const DEADLINE_ANNOTATION: &str = "dyno/deadline";
/// The annotation that says that a person asked for the run's end.
pub const CANCELLED_ANNOTATION: &str = "dyno/cancelled";
/// The parallelism of an owner that has no load pod yet. Its deadline runs all the same.
pub const PAUSED: i32 = 0;
/// Pods that look after files are replaced so often where they are lost.
pub const FILES_RETRIES: i32 = 3;
/// Where engines listen in their pods.
pub const ENGINE_PORT: u16 = 8000;
/// Where load pods, their workers and transfer pods listen.
pub const POD_PORT: u16 = 8099;
/// Where a load pod, or a worker's, takes files.
pub const SENT_FILES_PORT: u16 = 8098;

/// Keys of the run's Secret.
pub mod keys {
    /// What the run is, as the portal reads it again.
    pub const SPEC: &str = "spec.json";
    pub const PLAN: &str = "plan.json";
    /// The plan of the one request that shows whether a cloud model answers.
    pub const VERIFY: &str = "verify.json";
    /// What requests to the run's pods carry.
    pub const TOKEN: &str = "token";
    pub const CREDENTIAL: &str = "credential";
    /// For downloads from a model hub.
    pub const HUB_TOKEN: &str = "hub-token";
}

/// A run as a cluster knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunName {
    pub id: String,
    pub namespace: String,
}

impl RunName {
    /// The Job that owns everything, and the Secret and the Service beside it.
    pub fn owner(&self) -> String {
        format!("dyno-run-{}", self.id)
    }

    pub fn engine(&self, index: usize) -> String {
        format!("{}-engine-{index}", self.owner())
    }

    /// A load pod beside the owner's; `number` from 2.
    pub fn worker(&self, number: usize) -> String {
        format!("{}-load-{number}", self.owner())
    }

    pub fn verify(&self) -> String {
        format!("{}-verify", self.owner())
    }

    /// A Job whose pod looks after files.
    pub fn files(&self, index: usize) -> String {
        format!("{}-files-{index}", self.owner())
    }

    /// The selector of all that belongs to the run.
    pub(crate) fn selector(&self) -> String {
        format!("{}={},{RUN_LABEL}={}", MANAGED_BY.0, MANAGED_BY.1, self.id)
    }

    pub(super) fn labels(&self, component: &str) -> BTreeMap<String, String> {
        [(MANAGED_BY.0, MANAGED_BY.1), (RUN_LABEL, self.id.as_str()), (COMPONENT_LABEL, component)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    pub(super) fn metadata(&self, name: String, component: &str, owner: Option<&OwnerReference>) -> ObjectMeta {
        ObjectMeta {
            name: Some(name),
            namespace: Some(self.namespace.clone()),
            labels: Some(self.labels(component)),
            owner_references: owner.map(|owner| vec![owner.clone()]),
            ..ObjectMeta::default()
        }
    }
}

/// The namespace that runs live in.
pub fn namespace(name: &str) -> Namespace {
    Namespace {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some([(MANAGED_BY.0.to_owned(), MANAGED_BY.1.to_owned())].into()),
            ..ObjectMeta::default()
        },
        ..Namespace::default()
    }
}

/// How long an owner lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    /// From now to the deadline, seconds.
    pub active_s: i64,
    /// The deadline, seconds since 1970.
    pub deadline_unix_s: i64,
    /// How long it stays once it has ended, seconds.
    pub kept_s: i32,
}

/// The owner: a Job whose one pod puts the load on. It is made without that pod ([`PAUSED`]), and given it by
/// [`crate::Connection::resume`]. It is not suspended: a suspended Job has no deadline, and would stay for ever where its portal is lost.
pub fn owner(run: &RunName, lifetime: Lifetime, load: &LoadPod) -> Job {
    let mut metadata = run.metadata(run.owner(), "run", None);
    metadata.annotations = Some([(DEADLINE_ANNOTATION.to_owned(), lifetime.deadline_unix_s.to_string())].into());
    Job {
        metadata,
        spec: Some(JobSpec {
            active_deadline_seconds: Some(lifetime.active_s.max(1)),
            // A load is never started twice.
            backoff_limit: Some(0),
            completions: Some(1),
            parallelism: Some(PAUSED),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta { labels: Some(run.labels("load")), ..ObjectMeta::default() }),
                spec: Some(load::load_pod(run, load, keys::PLAN, lifetime.deadline_unix_s)),
            },
            ttl_seconds_after_finished: Some(lifetime.kept_s),
            ..JobSpec::default()
        }),
        ..Job::default()
    }
}

/// The run's Secret; ends with its owner.
pub fn secret(run: &RunName, owner: &OwnerReference, data: BTreeMap<&'static str, Vec<u8>>) -> Secret {
    Secret {
        metadata: run.metadata(run.owner(), "run", Some(owner)),
        data: Some(data.into_iter().map(|(key, value)| (key.to_owned(), ByteString(value))).collect()),
        type_: Some("Opaque".to_owned()),
        ..Secret::default()
    }
}

/// One address for the run's engines, for people; the load does not use it.
pub fn service(run: &RunName, owner: &OwnerReference) -> Service {
    Service {
        metadata: run.metadata(run.owner(), "run", Some(owner)),
        spec: Some(ServiceSpec {
            selector: Some(run.labels("engine")),
            ports: Some(vec![ServicePort {
                name: Some("http".to_owned()),
                port: 80,
                protocol: Some("TCP".to_owned()),
                target_port: Some(IntOrString::Int(ENGINE_PORT.into())),
                ..ServicePort::default()
            }]),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}

/// What makes an object end with the Job, once that has its identity.
pub(crate) fn owned_by(job: &Job) -> Option<OwnerReference> {
    Some(OwnerReference {
        api_version: "batch/v1".to_owned(),
        kind: "Job".to_owned(),
        name: job.metadata.name.clone()?,
        uid: job.metadata.uid.clone()?,
        // The owner is removed only after what it owns.
        block_owner_deletion: Some(true),
        controller: None,
    })
}
