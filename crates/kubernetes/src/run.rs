//! A run's objects on a cluster: made, looked at, removed. Every call can be repeated.

use std::collections::BTreeMap;
use std::fmt::Debug;

use futures::StreamExt as _;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event, Namespace, Pod, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, ListParams, LogParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use kube::{Api, Resource as _};

use crate::api_error::ApiError;
use crate::connection::Connection;
use crate::list::{List, MAX_WHOLE, NODES};
use crate::nodes::{self, TrimmedNode};
use crate::objects::{self, CANCELLED_ANNOTATION, DEADLINE_ANNOTATION, FIELD_MANAGER, MANAGED_BY, RUN_LABEL, RunName};
use crate::reasons::{self, PodFailure, PodState, PodStep};

/// Lines of a log that say why something ended.
const LOG_LINES: i64 = 20;
/// The label that the Job controller of every version gives a Job's pods: its name.
const JOB_LABEL: &str = "job-name";
/// Bytes of them at most.
const LOG_BYTES: i64 = 16_384;

/// An owner as it was when it was read.
#[derive(Debug, Clone)]
pub struct OwnerState {
    /// What makes an object end with it.
    pub reference: OwnerReference,
    /// Whether its load pod is not to be made yet.
    pub paused: bool,
    /// Why it ended; absent while it has not.
    pub ended: Option<OwnerEnd>,
    /// Why it could not make its pod, in the cluster's words.
    pub problem: Option<String>,
    /// Whether it is being removed.
    pub deleting: bool,
    /// Whether a person asked for the run's end.
    pub cancelled: bool,
}

/// How an owner ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnerEnd {
    /// Its load pod ended well.
    Complete,
    Deadline,
    /// Its load pod failed.
    Failed,
}

/// A run's objects as they were when they were read.
#[derive(Debug, Clone)]
pub struct RunState {
    pub owner: OwnerState,
    /// The pod that puts the load on, once there is one.
    pub load: Option<PodState>,
    /// Engines by their names.
    pub engines: BTreeMap<String, PodState>,
    /// Load pods beside the owner's, by their names.
    pub workers: BTreeMap<String, PodState>,
    /// The pod that asks a cloud model once.
    pub verify: Option<PodState>,
    /// Pods that bring files, by the names of their Jobs: of one whose pod was lost, several.
    pub files: BTreeMap<String, Vec<PodState>>,
    /// Which state of the cluster the pods are of.
    pub version: Option<String>,
}

/// An owner that some portal made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundOwner {
    pub run: RunName,
    /// The deadline, seconds since 1970.
    pub deadline_unix_s: Option<i64>,
    pub ended: bool,
}

impl Connection {
    /// Makes a namespace where it is missing. A user who may see none is taken to have one.
    pub async fn ensure_namespace(&self, name: &str) -> Result<(), ApiError> {
        let api = Api::<Namespace>::all(self.client());
        match api.get_opt(name).await.map_err(ApiError::from) {
            Ok(Some(_)) | Err(ApiError::Forbidden(_)) => return Ok(()),
            Ok(None) => {}
            Err(error) => return Err(error),
        }
        match api.create(&PostParams::default(), &objects::namespace(name)).await {
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
            done => Ok(done.map(|_| ())?),
        }
    }

    /// Makes an object, or makes it what it is to be (server-side apply).
    pub async fn apply<K>(&self, object: &K) -> Result<K, ApiError>
    where
        K: kube::Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + Debug
            + serde::Serialize
            + serde::de::DeserializeOwned,
    {
        let (name, namespace) = (object.meta().name.clone(), object.meta().namespace.clone());
        let api = Api::<K>::namespaced(self.client(), namespace.as_deref().unwrap_or("default"));
        let params = PatchParams::apply(FIELD_MANAGER).force();
        Ok(api.patch(&name.unwrap_or_default(), &params, &Patch::Apply(object)).await?)
    }

    /// A run's owner; absent where there is none.
    pub async fn owner(&self, run: &RunName) -> Result<Option<OwnerState>, ApiError> {
        let Some(job) = Api::<Job>::namespaced(self.client(), &run.namespace).get_opt(&run.owner()).await? else {
            return Ok(None);
        };
        Ok(owner_state(&job))
    }

    /// All of a run; absent where it has no owner.
    pub async fn run_state(&self, run: &RunName) -> Result<Option<RunState>, ApiError> {
        let Some(mut owner) = self.owner(run).await? else { return Ok(None) };
        let listed = self.pods(run).await?;
        let now = Timestamp::now();
        let mut state = RunState {
            owner: owner.clone(),
            load: None,
            verify: None,
            engines: BTreeMap::new(),
            workers: BTreeMap::new(),
            files: BTreeMap::new(),
            version: listed.version.clone(),
        };
        for pod in &listed.items {
            // A pod that runs well needs no events to be understood.
            let settled = pod.status.as_ref().and_then(|status| status.phase.as_deref()).is_some_and(|phase| phase != "Pending");
            let name = pod.metadata.name.as_deref().unwrap_or_default();
            let events = if settled { Vec::new() } else { self.events(run, "Pod", name).await? };
            let read = reasons::state(pod, &events, now);
            let component = pod.metadata.labels.as_ref().and_then(|labels| labels.get(objects::COMPONENT_LABEL));
            match component.map(String::as_str) {
                Some("engine") => _ = state.engines.insert(read.name.clone(), read),
                Some("files") => state.files.entry(job_of(pod)).or_default().push(read),
                Some("worker") => _ = state.workers.insert(read.name.clone(), read),
                Some("load") => state.load = Some(read),
                Some("verify") => state.verify = Some(read),
                _ => {}
            }
        }
        if state.load.is_none() && !owner.paused {
            owner.problem = self.job_problem(run, &run.owner()).await?;
        }
        Ok(Some(RunState { owner, ..state }))
    }

    /// Why a Job of the run's can't make its pod, in the cluster's words.
    async fn job_problem(&self, run: &RunName, job: &str) -> Result<Option<String>, ApiError> {
        Ok(reasons::job_problem(&self.events(run, "Job", job).await?))
    }

    /// Why a Job of the run's can't make its pod, as the API server has refused it; absent where it could, or the cluster does not say.
    pub async fn job_refusal(&self, run: &RunName, job: &str) -> Result<Option<ApiError>, ApiError> {
        Ok(self.job_problem(run, job).await?.map(|problem| ApiError::of_status(403, &problem)))
    }

    /// Why a pod ended that is gone now, and was there in an earlier state of the cluster (`since`); absent where the cluster does not
    /// know any more, or may not be asked.
    pub async fn last_failure(&self, run: &RunName, pod: &str, since: &str) -> Result<Option<PodFailure>, ApiError> {
        let api = Api::<Pod>::namespaced(self.client(), &run.namespace);
        // What happened already comes at once.
        let params = WatchParams::default().labels(&run.selector()).fields(&format!("metadata.name={pod}")).timeout(2);
        let mut happened = match api.watch(&params, since).await.map_err(ApiError::from) {
            Ok(happened) => happened.boxed(),
            Err(ApiError::Forbidden(_) | ApiError::Refused(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut last = None;
        while let Some(event) = happened.next().await {
            match event {
                Ok(WatchEvent::Modified(pod)) => last = failure_of(&pod).or(last),
                Ok(WatchEvent::Deleted(pod)) => return Ok(failure_of(&pod).or(last)),
                Ok(WatchEvent::Added(_) | WatchEvent::Bookmark(_)) => {}
                Ok(WatchEvent::Error(_)) | Err(_) => return Ok(last),
            }
        }
        Ok(last)
    }

    async fn pods(&self, run: &RunName) -> Result<List<Pod>, ApiError> {
        let of_run = ListParams::default().labels(&run.selector());
        self.list(&Pod::url_path(&(), Some(&run.namespace)), &of_run, MAX_WHOLE).await
    }

    /// What the cluster said of an object. Without the right to ask, nothing.
    async fn events(&self, run: &RunName, kind: &str, name: &str) -> Result<Vec<Event>, ApiError> {
        let of_object = ListParams::default().fields(&format!("involvedObject.kind={kind},involvedObject.name={name}"));
        let path = Event::url_path(&(), Some(&run.namespace));
        match self.list(&path, &of_object, MAX_WHOLE).await {
            Ok(found) => Ok(found.items),
            Err(ApiError::Forbidden(_)) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// What a run's Secret holds; absent where there is none.
    pub async fn run_secret(&self, run: &RunName) -> Result<Option<BTreeMap<String, Vec<u8>>>, ApiError> {
        let found = Api::<Secret>::namespaced(self.client(), &run.namespace).get_opt(&run.owner()).await?;
        let data = found.map(|secret| secret.data.unwrap_or_default());
        Ok(data.map(|data| data.into_iter().map(|(key, value)| (key, value.0)).collect()))
    }

    /// The last that a pod's container printed.
    pub async fn last_log_lines(&self, run: &RunName, pod: &str) -> Result<Vec<String>, ApiError> {
        let params = LogParams { tail_lines: Some(LOG_LINES), limit_bytes: Some(LOG_BYTES), ..LogParams::default() };
        let text = Api::<Pod>::namespaced(self.client(), &run.namespace).logs(pod, &params).await?;
        Ok(text.lines().map(str::to_owned).filter(|line| !line.trim().is_empty()).collect())
    }

    /// Why a node takes part in nothing any more; absent where it is Ready, or may not be looked at.
    pub async fn lost_node(&self, hostname: &str) -> Result<Option<String>, ApiError> {
        let by_label = ListParams::default().labels(&format!("kubernetes.io/hostname={hostname}"));
        match self.list::<TrimmedNode>(NODES, &by_label, MAX_WHOLE).await {
            Ok(found) => Ok(match found.items.first() {
                Some(node) => nodes::not_ready(&node.0),
                None => Some("it is no longer in the cluster".to_owned()),
            }),
            Err(ApiError::Forbidden(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Has the owner make its load pod.
    pub async fn resume(&self, run: &RunName) -> Result<(), ApiError> {
        // Not applied: its deadline counts from when it was made, and stays as it is.
        let one = serde_json::json!({"spec": {"parallelism": 1, "suspend": false}});
        let api = Api::<Job>::namespaced(self.client(), &run.namespace);
        gone_is_well(api.patch(&run.owner(), &PatchParams::default(), &Patch::Merge(one)).await.map(|_| ()))
    }

    /// Puts the deadline of an owner off, which counts from when that was started. One that is not there has none.
    pub async fn postpone(&self, run: &RunName, deadline_unix_s: i64) -> Result<(), ApiError> {
        let api = Api::<Job>::namespaced(self.client(), &run.namespace);
        let Some(job) = api.get_opt(&run.owner()).await? else { return Ok(()) };
        let started = job.status.and_then(|status| status.start_time).or(job.metadata.creation_timestamp);
        let Some(started) = started else { return Ok(()) };
        let change = serde_json::json!({
            "metadata": {"annotations": {DEADLINE_ANNOTATION: deadline_unix_s.to_string()}},
            "spec": {"activeDeadlineSeconds": (deadline_unix_s - started.0.as_second()).max(1)},
        });
        gone_is_well(api.patch(&run.owner(), &PatchParams::default(), &Patch::Merge(change)).await.map(|_| ()))
    }

    /// Notes on the owner that a person asked for the run's end, so that whichever portal goes on with it knows.
    pub async fn mark_cancelled(&self, run: &RunName) -> Result<(), ApiError> {
        let note = serde_json::json!({"metadata": {"annotations": {CANCELLED_ANNOTATION: "true"}}});
        let api = Api::<Job>::namespaced(self.client(), &run.namespace);
        // Not applied: applying the owner anew must not take it back.
        gone_is_well(api.patch(&run.owner(), &PatchParams::default(), &Patch::Merge(note)).await.map(|_| ()))
    }

    /// Removes a pod; one that is not there is removed.
    pub async fn delete_pod(&self, run: &RunName, name: &str) -> Result<(), ApiError> {
        let api = Api::<Pod>::namespaced(self.client(), &run.namespace);
        gone_is_well(api.delete(name, &DeleteParams::default()).await.map(|_| ()))
    }

    /// Removes a run's owner and with it all that it owns, in the foreground: as long as it is there, something may be left.
    pub async fn delete_owner(&self, run: &RunName) -> Result<(), ApiError> {
        let api = Api::<Job>::namespaced(self.client(), &run.namespace);
        gone_is_well(api.delete(&run.owner(), &DeleteParams::foreground()).await.map(|_| ()))
    }

    /// The names of what a run still has on the cluster.
    pub async fn left(&self, run: &RunName) -> Result<Vec<String>, ApiError> {
        let mut left = Vec::new();
        if self.owner(run).await?.is_some() {
            left.push(format!("Job {}", run.owner()));
        }
        let listed = self.pods(run).await?;
        left.extend(listed.items.into_iter().filter_map(|pod| pod.metadata.name).map(|name| format!("Pod {name}")));
        Ok(left)
    }

    /// Ends a run's pods without waiting for them: their nodes may be lost.
    pub async fn delete_pods_at_once(&self, run: &RunName) -> Result<(), ApiError> {
        let pods = Api::<Pod>::namespaced(self.client(), &run.namespace);
        for name in self.pods(run).await?.items.into_iter().filter_map(|pod| pod.metadata.name) {
            gone_is_well(pods.delete(&name, &DeleteParams::default().grace_period(0)).await.map(|_| ()))?;
        }
        Ok(())
    }

    /// The owners in a namespace that Dyno made, whichever portal it was.
    pub async fn owners(&self, namespace: &str) -> Result<Vec<FoundOwner>, ApiError> {
        let ours = ListParams::default().labels(&format!("{}={},{RUN_LABEL}", MANAGED_BY.0, MANAGED_BY.1));
        let found = self.list::<Job>(&Job::url_path(&(), Some(namespace)), &ours, MAX_WHOLE).await?;
        Ok(found.items.iter().filter_map(found_owner).collect())
    }
}

/// The name of the Job that made a pod.
fn job_of(pod: &Pod) -> String {
    pod.metadata.labels.as_ref().and_then(|labels| labels.get(JOB_LABEL)).cloned().unwrap_or_default()
}

fn failure_of(pod: &Pod) -> Option<PodFailure> {
    match reasons::state(pod, &[], Timestamp::now()).step {
        PodStep::Failed(failure) => Some(failure),
        _ => None,
    }
}

fn found_owner(job: &Job) -> Option<FoundOwner> {
    let run = RunName { id: job.metadata.labels.as_ref()?.get(RUN_LABEL)?.clone(), namespace: job.metadata.namespace.clone()? };
    // A label is easily copied; the name goes with it.
    if job.metadata.name.as_deref() != Some(run.owner().as_str()) {
        return None;
    }
    let deadline = job.metadata.annotations.as_ref().and_then(|notes| notes.get(DEADLINE_ANNOTATION));
    Some(FoundOwner {
        run,
        deadline_unix_s: deadline.and_then(|text| text.parse().ok()),
        ended: owner_state(job).is_some_and(|owner| owner.ended.is_some()),
    })
}

fn owner_state(job: &Job) -> Option<OwnerState> {
    let conditions = job.status.as_ref().and_then(|status| status.conditions.as_ref()).map_or(&[][..], Vec::as_slice);
    let is_true = |kind: &str| conditions.iter().find(|condition| condition.type_ == kind && condition.status == "True");
    let ended = if is_true("Complete").is_some() {
        Some(OwnerEnd::Complete)
    } else {
        is_true("Failed").map(|failed| match failed.reason.as_deref() {
            Some("DeadlineExceeded") => OwnerEnd::Deadline,
            _ => OwnerEnd::Failed,
        })
    };
    Some(OwnerState {
        reference: objects::owned_by(job)?,
        paused: is_paused(job),
        ended,
        problem: None,
        deleting: job.metadata.deletion_timestamp.is_some(),
        cancelled: job.metadata.annotations.as_ref().is_some_and(|notes| notes.contains_key(CANCELLED_ANNOTATION)),
    })
}

/// Earlier versions suspended it.
fn is_paused(job: &Job) -> bool {
    job.spec.as_ref().is_some_and(|spec| spec.suspend == Some(true) || spec.parallelism == Some(objects::PAUSED))
}

fn gone_is_well(done: Result<(), kube::Error>) -> Result<(), ApiError> {
    match done {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        done => Ok(done?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn job(status: &serde_json::Value) -> Job {
        serde_json::from_value(json!({
            "metadata": {"name": "dyno-run-1", "namespace": "dyno", "uid": "u", "labels": {RUN_LABEL: "1"},
                "annotations": {DEADLINE_ANNOTATION: "1800000000"}},
            "spec": {"suspend": false, "template": {}},
            "status": status,
        }))
        .unwrap()
    }

    #[test]
    fn how_an_owner_ended_is_read() {
        let ended = |kind: &str, reason: &str| {
            let condition = json!({"type": kind, "status": "True", "reason": reason});
            owner_state(&job(&json!({"conditions": [condition]}))).unwrap().ended
        };
        assert_eq!(ended("Complete", "CompletionsReached"), Some(OwnerEnd::Complete));
        assert_eq!(ended("Failed", "DeadlineExceeded"), Some(OwnerEnd::Deadline));
        assert_eq!(ended("Failed", "BackoffLimitExceeded"), Some(OwnerEnd::Failed));
        assert_eq!(ended("FailureTarget", "BackoffLimitExceeded"), None);
        assert_eq!(owner_state(&job(&json!({}))).unwrap().ended, None);
    }

    #[test]
    fn an_owner_is_paused_until_it_may_make_its_pod() {
        let owner = |spec: serde_json::Value| {
            let mut job = job(&json!({}));
            job.spec = serde_json::from_value(spec).unwrap();
            owner_state(&job).unwrap()
        };
        assert!(owner(json!({"parallelism": 0, "template": {}})).paused);
        assert!(owner(json!({"parallelism": 1, "suspend": true, "template": {}})).paused, "made by an earlier version");
        assert!(!owner(json!({"parallelism": 1, "suspend": false, "template": {}})).paused);
    }

    #[test]
    fn what_only_carries_the_label_is_not_taken_for_an_owner() {
        let found = found_owner(&job(&json!({}))).unwrap();
        assert_eq!((found.run.id.as_str(), found.deadline_unix_s, found.ended), ("1", Some(1_800_000_000), false));
        let mut copied = job(&json!({}));
        copied.metadata.name = Some("nightly".to_owned());
        assert_eq!(found_owner(&copied), None);
    }
}
