//! What Pods and their Events say, in words: how far a pod is, and why it can't go on. Pure.

use k8s_openapi::api::core::v1::{ContainerState, ContainerStateTerminated, ContainerStatus, Event, Pod, PodCondition};
use k8s_openapi::jiff::Timestamp;

use crate::objects::COMPONENT_LABEL;
use crate::words::{shortened, without_end};

/// What can't go on for so long, does not go on: a node without room, an image that can't be pulled, a volume that can't be
/// mounted. Seconds.
const PATIENCE_S: i64 = 90;

/// Why a pod does not run, or runs no more; a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PodFailure {
    #[error("No node takes it: {0}.")]
    Unschedulable(String),
    #[error("The image {image} could not be pulled: {why}.")]
    Image { image: String, why: String },
    #[error("Its container could not be made: {0}.")]
    Container(String),
    #[error("Its volumes could not be mounted: {0}.")]
    Volume(String),
    /// With its limit, where it has one.
    #[error("{}", out_of_memory(*.part, .limit.as_deref()))]
    OutOfMemory { part: PodPart, limit: Option<String> },
    #[error("It ended {}.", exit(*.status, *.signal))]
    Exited { status: i32, signal: Option<i32> },
    #[error("It keeps ending right after its start (CrashLoopBackOff).")]
    CrashLoop,
    #[error("It could not be started: {0}.")]
    NotStarted(String),
    #[error("It was evicted from its node: {0}.")]
    Evicted(String),
    #[error("Its node refused it: {0}.")]
    Refused(String),
    #[error("It was ended at the run's deadline.")]
    Deadline,
    #[error("It was deleted.")]
    Deleted,
    #[error("It was replaced by another.")]
    Replaced,
    #[error("Its container was started anew.")]
    Restarted,
    #[error("Its node {node} is lost: {why}.")]
    NodeLost { node: String, why: String },
}

/// What a pod does for its run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PodPart {
    Engine,
    /// The load, a part of it, or the one request that asks a cloud model.
    Load,
    Files,
}

impl PodPart {
    fn of(pod: &Pod) -> Self {
        match pod.metadata.labels.as_ref().and_then(|labels| labels.get(COMPONENT_LABEL)).map(String::as_str) {
            Some("load" | "worker" | "verify") => Self::Load,
            Some("files") => Self::Files,
            _ => Self::Engine,
        }
    }
}

fn out_of_memory(part: PodPart, limit: Option<&str>) -> String {
    let what = match limit {
        Some(limit) => format!("It needed more memory than its limit of {limit} and was ended by the system (OOMKilled)."),
        None => "Its node ran out of memory, and it was ended by the system (OOMKilled).".to_owned(),
    };
    // Dyno gives none of its own pods a limit.
    let advice = match (part, limit) {
        (PodPart::Engine, Some(_)) => {
            "Raise the engine's memory limit, or serve with a shorter context, fewer requests at once or a smaller model."
        }
        (PodPart::Engine, None) => {
            "Choose a node with more memory to spare, or serve with a shorter context, fewer requests at once or a smaller model."
        }
        (PodPart::Load, Some(_)) => {
            "The limit is the namespace's (LimitRange): have it raised, or have the load come from more pods (load_pods) or with fewer requests at once, so that each pod has fewer streams."
        }
        (PodPart::Load, None) => {
            "Have the load come from a node with more memory to spare, from more pods (load_pods) or with fewer requests at once, so that each pod has fewer streams."
        }
        (PodPart::Files, Some(_)) => "The limit is the namespace's (LimitRange): have it raised.",
        (PodPart::Files, None) => "Choose a node with more memory to spare.",
    };
    format!("{what} {advice}")
}

fn exit(status: i32, signal: Option<i32>) -> String {
    match signal {
        Some(signal) if signal != 0 => format!("by signal {signal}"),
        _ if status > 128 && status < 160 => format!("by signal {}", status - 128),
        _ => format!("with status {status}"),
    }
}

impl PodFailure {
    /// Whether what the container printed last may say why.
    pub fn has_log(&self) -> bool {
        matches!(self, Self::OutOfMemory { .. } | Self::Exited { .. } | Self::CrashLoop | Self::Restarted)
    }

    /// Whether its container had been started.
    pub fn was_started(&self) -> bool {
        self.has_log()
    }
}

/// How far a pod is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PodStep {
    /// Waits for its node; with what the scheduler says where it finds no place.
    Unscheduled(Option<String>),
    /// Has its node and no container yet; in words.
    Preparing(String),
    /// Its container runs and is not ready.
    Starting,
    /// Its container runs, and its startup probe has not passed yet: an engine loads its model.
    Loading,
    /// Its startup probe has passed, and it is not ready.
    Answering,
    Ready,
    /// Its container ended well.
    Succeeded,
    Failed(PodFailure),
}

/// A pod as it was when it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodState {
    pub name: String,
    /// No other pod has it, not even one of the same name.
    pub uid: String,
    pub ip: Option<String>,
    /// The image as it was resolved, with its digest.
    pub image_id: Option<String>,
    pub step: PodStep,
    /// Whether its container has ended: nobody answers there any more. One that is being deleted may answer still.
    pub has_ended: bool,
    /// From its container's start to its readiness, ms; where both are known, to the second.
    pub startup_ms: Option<u64>,
}

/// Reads a pod. `events` are those of the pod.
pub(crate) fn state(pod: &Pod, events: &[Event], now: Timestamp) -> PodState {
    let status = pod.status.as_ref();
    let container = container(pod);
    let started = container.and_then(|container| container.state.as_ref()?.running.as_ref()?.started_at.as_ref());
    let ready = condition(pod, "Ready").filter(|ready| ready.status == "True");
    let startup_ms = started
        .zip(ready.and_then(|ready| ready.last_transition_time.as_ref()))
        .and_then(|(started, ready)| u64::try_from(ready.0.as_millisecond() - started.0.as_millisecond()).ok());
    PodState {
        name: pod.metadata.name.clone().unwrap_or_default(),
        uid: pod.metadata.uid.clone().unwrap_or_default(),
        ip: status.and_then(|status| status.pod_ip.clone()).filter(|ip| !ip.is_empty()),
        image_id: container.map(|container| container.image_id.clone()).filter(|id| !id.is_empty()),
        step: step(pod, events, now),
        has_ended: has_ended(pod),
        startup_ms,
    }
}

fn has_ended(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    let is_terminated = container(pod).is_some_and(|container| terminated(container.state.as_ref()).is_some());
    is_terminated || matches!(phase, Some("Failed" | "Succeeded"))
}

fn step(pod: &Pod, events: &[Event], now: Timestamp) -> PodStep {
    let status = pod.status.as_ref();
    let phase = status.and_then(|status| status.phase.as_deref()).unwrap_or("Pending");
    if let Some(failure) = ended(pod, phase) {
        return PodStep::Failed(failure);
    }
    if phase == "Succeeded" {
        return PodStep::Succeeded;
    }
    let scheduled = condition(pod, "PodScheduled");
    if scheduled.is_none_or(|scheduled| scheduled.status != "True") {
        let why = scheduled.and_then(|scheduled| scheduled.message.as_deref()).map(shortened).filter(|why| !why.is_empty());
        let since = scheduled.and_then(|scheduled| scheduled.last_transition_time.as_ref()).map(|time| time.0);
        return match why {
            Some(why) if is_over(since, now) => PodStep::Failed(PodFailure::Unschedulable(why)),
            why => PodStep::Unscheduled(why),
        };
    }
    let scheduled_at = scheduled.and_then(|scheduled| scheduled.last_transition_time.as_ref()).map(|time| time.0);
    let Some(container) = container(pod) else {
        return preparing(events, scheduled_at, now);
    };
    let running = container.state.as_ref().and_then(|state| state.running.as_ref());
    if running.is_some() {
        let is_ready = condition(pod, "Ready").is_some_and(|ready| ready.status == "True");
        return match (is_ready, has_startup_probe(pod), container.started) {
            (true, ..) => PodStep::Ready,
            (false, true, Some(true)) => PodStep::Answering,
            (false, true, _) => PodStep::Loading,
            (false, false, _) => PodStep::Starting,
        };
    }
    let waiting = container.state.as_ref().and_then(|state| state.waiting.as_ref());
    let reason = waiting.and_then(|waiting| waiting.reason.as_deref()).unwrap_or_default();
    let message = waiting.and_then(|waiting| waiting.message.as_deref()).map(shortened).unwrap_or_default();
    let image = &container.image;
    match reason {
        "ErrImagePull" | "ImagePullBackOff" | "RegistryUnavailable" => {
            let failed = |event: &&Event| reason_of(event) == "Failed" && message_of(event).contains("pull");
            let since = events.iter().filter(failed).filter_map(first_seen).min().or(scheduled_at);
            // The back-off says nothing of why; the first failure does.
            let told = events.iter().filter(failed).map(message_of).find(|text| text.contains("Failed to pull"));
            let why = without_end(told.map_or(message, |text| shortened(&text)));
            if is_over(since, now) {
                PodStep::Failed(PodFailure::Image { image: image.clone(), why })
            } else {
                PodStep::Preparing(format!("The image {image} can't be pulled so far: {why}."))
            }
        }
        "InvalidImageName" | "ErrImageNeverPull" | "ImageInspectError" => {
            PodStep::Failed(PodFailure::Image { image: image.clone(), why: without_end(message) })
        }
        "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
            if is_over(scheduled_at, now) {
                PodStep::Failed(PodFailure::Container(without_end(message)))
            } else {
                PodStep::Preparing(format!("Its container can't be made so far: {}.", without_end(message)))
            }
        }
        "CrashLoopBackOff" => PodStep::Failed(PodFailure::CrashLoop),
        _ => preparing(events, scheduled_at, now),
    }
}

fn has_startup_probe(pod: &Pod) -> bool {
    let container = pod.spec.as_ref().and_then(|spec| spec.containers.first());
    container.is_some_and(|container| container.startup_probe.is_some())
}

/// Before its container is there: volumes and image.
fn preparing(events: &[Event], since: Option<Timestamp>, now: Timestamp) -> PodStep {
    let unmounted = events.iter().find(|event| matches!(reason_of(event), "FailedMount" | "FailedAttachVolume"));
    let pulling = events.iter().rfind(|event| reason_of(event) == "Pulling").map(message_of);
    let pulled = events.iter().any(|event| reason_of(event) == "Pulled");
    match (unmounted, pulling) {
        (Some(event), None) if !pulled => {
            let why = without_end(shortened(&message_of(event)));
            if is_over(first_seen(event).or(since), now) {
                PodStep::Failed(PodFailure::Volume(why))
            } else {
                PodStep::Preparing(format!("Its volumes can't be mounted so far: {why}."))
            }
        }
        (_, Some(message)) if !pulled => {
            let image = message.split('"').nth(1).unwrap_or("Its image").to_owned();
            PodStep::Preparing(format!("{image} is being pulled."))
        }
        _ => PodStep::Preparing("Its container is being made.".to_owned()),
    }
}

/// Why a pod runs no more.
fn ended(pod: &Pod, phase: &str) -> Option<PodFailure> {
    let status = pod.status.as_ref();
    let reason = status.and_then(|status| status.reason.as_deref()).unwrap_or_default();
    let message = status.and_then(|status| status.message.as_deref()).map(shortened).map(without_end).unwrap_or_default();
    let disrupted = condition(pod, "DisruptionTarget").filter(|condition| condition.status == "True");
    let disruption = disrupted.and_then(|condition| condition.reason.as_deref()).unwrap_or_default();
    let said =
        || disrupted.and_then(|condition| condition.message.as_deref()).map(shortened).map(without_end).unwrap_or_default();
    let node = || pod.spec.as_ref().and_then(|spec| spec.node_name.clone()).unwrap_or_default();
    match (reason, disruption) {
        ("DeadlineExceeded", _) => return Some(PodFailure::Deadline),
        ("Evicted", _) => return Some(PodFailure::Evicted(message)),
        ("NodeLost", _) => return Some(PodFailure::NodeLost { node: node(), why: message }),
        (_, "DeletionByTaintManager" | "DeletionByPodGC") => {
            return Some(PodFailure::NodeLost { node: node(), why: said() });
        }
        (_, "EvictionByEvictionAPI" | "PreemptionByScheduler" | "TerminationByKubelet") => {
            return Some(PodFailure::Evicted(said()));
        }
        _ => {}
    }
    if pod.metadata.deletion_timestamp.is_some() {
        return Some(PodFailure::Deleted);
    }
    let container = container(pod);
    if let Some(ended) = container.and_then(|container| terminated(container.state.as_ref())) {
        let is_failure = phase == "Failed" || ended.exit_code != 0;
        return is_failure.then(|| failure_of(ended, pod));
    }
    if container.is_some_and(|container| container.restart_count > 0) {
        return Some(PodFailure::Restarted);
    }
    (phase == "Failed").then(|| PodFailure::Refused(if message.is_empty() { reason.to_owned() } else { message }))
}

/// Of the container that the pod is for.
fn memory_limit(pod: &Pod) -> Option<String> {
    let limits = pod.spec.as_ref()?.containers.first()?.resources.as_ref()?.limits.as_ref()?;
    limits.get("memory").map(|limit| limit.0.clone())
}

fn failure_of(ended: &ContainerStateTerminated, pod: &Pod) -> PodFailure {
    match ended.reason.as_deref() {
        Some("OOMKilled") => PodFailure::OutOfMemory { part: PodPart::of(pod), limit: memory_limit(pod) },
        Some("StartError" | "ContainerCannotRun") => {
            PodFailure::NotStarted(without_end(shortened(ended.message.as_deref().unwrap_or_default())))
        }
        _ => PodFailure::Exited { status: ended.exit_code, signal: ended.signal },
    }
}

fn terminated(state: Option<&ContainerState>) -> Option<&ContainerStateTerminated> {
    state.and_then(|state| state.terminated.as_ref())
}

/// The container that the pod is for: the first one. The kubelet lists their states by name.
fn container(pod: &Pod) -> Option<&ContainerStatus> {
    let states = pod.status.as_ref()?.container_statuses.as_ref()?;
    let first = pod.spec.as_ref()?.containers.first()?;
    states.iter().find(|state| state.name == first.name)
}

fn condition<'a>(pod: &'a Pod, kind: &str) -> Option<&'a PodCondition> {
    pod.status.as_ref()?.conditions.as_ref()?.iter().find(|condition| condition.type_ == kind)
}

fn reason_of(event: &Event) -> &str {
    event.reason.as_deref().unwrap_or_default()
}

fn message_of(event: &Event) -> String {
    event.message.clone().unwrap_or_default()
}

fn first_seen(event: &Event) -> Option<Timestamp> {
    event.first_timestamp.as_ref().map(|time| time.0).or_else(|| event.event_time.as_ref().map(|time| time.0))
}

fn is_over(since: Option<Timestamp>, now: Timestamp) -> bool {
    since.is_some_and(|since| now.as_second() - since.as_second() >= PATIENCE_S)
}

/// Why the pods of a Job are not made, as its events say: a quota, an admission rule.
pub(crate) fn job_problem(events: &[Event]) -> Option<String> {
    let last = events
        .iter()
        .filter(|event| reason_of(event) == "FailedCreate")
        .max_by_key(|event| event.last_timestamp.as_ref().map(|time| time.0.as_second()).unwrap_or_default());
    last.map(|event| shortened(message_of(event).trim_start_matches("Error creating: ")))
}

#[cfg(test)]
#[path = "reasons_tests.rs"]
mod tests;
