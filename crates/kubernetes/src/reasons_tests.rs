//! Pods as clusters show them, and what is said of them.

use super::*;
use serde_json::{Value, json};

const NOW: &str = "2026-11-28T12:10:00Z";

fn pod(status: &Value) -> Pod {
    serde_json::from_value(json!({
        "metadata": {"name": "dyno-run-1-engine-0", "uid": "u"},
        "spec": {"nodeName": "gpu-1", "containers": [{"name": "engine"}]},
        "status": status,
    }))
    .unwrap()
}

fn event(reason: &str, message: &str, first: &str) -> Event {
    serde_json::from_value(json!({
        "metadata": {}, "involvedObject": {}, "reason": reason, "message": message, "firstTimestamp": first,
    }))
    .unwrap()
}

fn step_of(status: &Value, events: &[Event]) -> PodStep {
    state(&pod(status), events, NOW.parse().unwrap()).step
}

fn scheduled(at: &str) -> Value {
    json!({"type": "PodScheduled", "status": "True", "lastTransitionTime": at})
}

fn waiting(reason: &str, message: &str, scheduled_at: &str) -> Value {
    json!({
        "phase": "Pending", "conditions": [scheduled(scheduled_at)],
        "containerStatuses": [{"name": "engine", "image": "engine:1", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"waiting": {"reason": reason, "message": message}}}],
    })
}

fn terminated(reason: &str, status: i32) -> Value {
    json!({
        "phase": "Failed", "conditions": [scheduled("2026-11-28T12:00:00Z")],
        "containerStatuses": [{"name": "engine", "image": "engine:1", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"terminated": {"reason": reason, "exitCode": status, "message": "exec: no such file."}}}],
    })
}

#[test]
fn a_node_without_room_is_named_and_waited_for() {
    let why = "0/2 nodes are available: 2 Insufficient nvidia.com/gpu.";
    let unscheduled = |at: &str| {
        json!({"phase": "Pending", "conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": why, "lastTransitionTime": at}]})
    };
    assert_eq!(step_of(&unscheduled("2026-11-28T12:09:00Z"), &[]), PodStep::Unscheduled(Some(why.to_owned())));
    let PodStep::Failed(failure) = step_of(&unscheduled("2026-11-28T12:08:30Z"), &[]) else { panic!("it is waited for ever") };
    assert_eq!(failure, PodFailure::Unschedulable(why.to_owned()));
    assert_eq!(step_of(&json!({"phase": "Pending"}), &[]), PodStep::Unscheduled(None));
}

#[test]
fn an_image_that_can_not_be_pulled_ends_it_after_a_while() {
    let first = "Failed to pull image \"engine:1\": not found";
    let events = |at: &str| {
        [event("Failed", "Error: ErrImagePull", at), event("Failed", first, at), event("BackOff", "Back-off pulling image", at)]
    };
    let status = waiting("ImagePullBackOff", "Back-off pulling image \"engine:1\"", "2026-11-28T12:00:00Z");
    let PodStep::Preparing(words) = step_of(&status, &events("2026-11-28T12:09:00Z")) else { panic!("ended too soon") };
    assert!(words.contains("not found"), "{words}");
    let PodStep::Failed(failure) = step_of(&status, &events("2026-11-28T12:08:30Z")) else { panic!("not ended") };
    assert_eq!(failure, PodFailure::Image { image: "engine:1".to_owned(), why: first.to_owned() });
    assert!(matches!(step_of(&status, &[]), PodStep::Failed(PodFailure::Image { .. })), "without events, since it has its node");
    let invalid = waiting("InvalidImageName", "couldn't parse", "2026-11-28T12:09:59Z");
    assert!(matches!(step_of(&invalid, &[]), PodStep::Failed(PodFailure::Image { .. })));
}

#[test]
fn progress_is_told_from_the_clusters_events() {
    let creating = waiting("ContainerCreating", "", "2026-11-28T12:09:00Z");
    let pulling = event("Pulling", "Pulling image \"engine:1\"", "2026-11-28T12:09:01Z");
    let pulled = event("Pulled", "Successfully pulled image", "2026-11-28T12:09:30Z");
    assert_eq!(step_of(&creating, std::slice::from_ref(&pulling)), PodStep::Preparing("engine:1 is being pulled.".to_owned()));
    assert_eq!(step_of(&creating, &[pulling, pulled]), PodStep::Preparing("Its container is being made.".to_owned()));
    let unmounted = |at: &str| [event("FailedMount", "MountVolume.SetUp failed: /srv/models is not a directory", at)];
    assert!(
        matches!(step_of(&creating, &unmounted("2026-11-28T12:09:01Z")), PodStep::Preparing(words) if words.contains("/srv/models"))
    );
    let late = step_of(&creating, &unmounted("2026-11-28T12:08:00Z"));
    assert!(matches!(late, PodStep::Failed(PodFailure::Volume(why)) if why.contains("/srv/models")));
    let config = |at: &str| waiting("CreateContainerConfigError", "secret \"x\" not found", at);
    assert!(matches!(step_of(&config("2026-11-28T12:09:00Z"), &[]), PodStep::Preparing(_)));
    assert!(
        matches!(step_of(&config("2026-11-28T12:08:00Z"), &[]), PodStep::Failed(PodFailure::Container(why)) if why.contains("secret"))
    );
}

#[test]
fn a_running_pod_is_ready_when_it_says_so() {
    let running = |ready: &str| {
        json!({
            "phase": "Running", "podIP": "10.0.0.7",
            "conditions": [scheduled("2026-11-28T12:00:00Z"), {"type": "Ready", "status": ready, "lastTransitionTime": "2026-11-28T12:01:30Z"}],
            "containerStatuses": [{"name": "engine", "image": "engine:1", "imageID": "engine@sha256:1", "ready": true, "restartCount": 0,
                "state": {"running": {"startedAt": "2026-11-28T12:01:00Z"}}}],
        })
    };
    assert_eq!(step_of(&running("False"), &[]), PodStep::Starting);
    let ready = state(&pod(&running("True")), &[], NOW.parse().unwrap());
    assert_eq!((ready.step, ready.startup_ms, ready.ip.as_deref()), (PodStep::Ready, Some(30_000), Some("10.0.0.7")));
    assert_eq!(ready.image_id.as_deref(), Some("engine@sha256:1"));
}

#[test]
fn an_engine_loads_until_its_startup_probe_has_passed() {
    let step = |started: &Value| {
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {"name": "dyno-run-1-engine-0"},
            "spec": {"containers": [{"name": "engine", "startupProbe": {"httpGet": {"path": "/health", "port": 8000}}}]},
            "status": {
                "phase": "Running", "conditions": [scheduled("2026-11-28T12:00:00Z"), {"type": "Ready", "status": "False"}],
                "containerStatuses": [{"name": "engine", "image": "engine:1", "imageID": "", "ready": false, "restartCount": 0,
                    "started": started, "state": {"running": {"startedAt": "2026-11-28T12:01:00Z"}}}],
            },
        }))
        .unwrap();
        state(&pod, &[], NOW.parse().unwrap()).step
    };
    assert_eq!(step(&json!(null)), PodStep::Loading);
    assert_eq!(step(&json!(false)), PodStep::Loading);
    assert_eq!(step(&json!(true)), PodStep::Answering);
}

#[test]
fn an_end_has_its_reason() {
    let failed = |status: &Value| match step_of(status, &[]) {
        PodStep::Failed(failure) => failure,
        other => panic!("{other:?}"),
    };
    assert_eq!(failed(&terminated("OOMKilled", 137)), PodFailure::OutOfMemory { part: PodPart::Engine, limit: None });
    assert_eq!(failed(&terminated("Error", 1)).to_string(), "It ended with status 1.");
    assert_eq!(failed(&terminated("Error", 137)).to_string(), "It ended by signal 9.");
    assert_eq!(failed(&terminated("StartError", 128)).to_string(), "It could not be started: exec: no such file.");
    assert_eq!(failed(&waiting("CrashLoopBackOff", "", "2026-11-28T12:00:00Z")), PodFailure::CrashLoop);
    assert_eq!(failed(&json!({"phase": "Failed", "reason": "DeadlineExceeded"})), PodFailure::Deadline);
    let evicted = json!({"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."});
    assert_eq!(failed(&evicted), PodFailure::Evicted("The node was low on resource: memory".to_owned()));
    let refused = json!({"phase": "Failed", "reason": "UnexpectedAdmissionError", "message": "Allocate failed"});
    assert_eq!(failed(&refused), PodFailure::Refused("Allocate failed".to_owned()));
    let lost = json!({"phase": "Running", "conditions": [
        {"type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager", "message": "Taint manager: deleting due to NoExecute taint"}]});
    assert!(matches!(failed(&lost), PodFailure::NodeLost { node, .. } if node == "gpu-1"));
    let mut deleted = pod(&json!({"phase": "Running"}));
    deleted.metadata.deletion_timestamp = serde_json::from_value(json!(NOW)).unwrap();
    assert_eq!(state(&deleted, &[], NOW.parse().unwrap()).step, PodStep::Failed(PodFailure::Deleted));
    let mut well = terminated("Completed", 0);
    well["phase"] = json!("Succeeded");
    assert_eq!(step_of(&well, &[]), PodStep::Succeeded);
    let mut anew = waiting("", "", "2026-11-28T12:00:00Z");
    anew["containerStatuses"][0]["restartCount"] = json!(1);
    assert_eq!(failed(&anew), PodFailure::Restarted);
}

#[test]
fn what_is_advised_where_memory_was_short_is_for_the_pods_own_part() {
    let words = |component: &str, limit: Option<&str>| {
        let mut pod = pod(&terminated("OOMKilled", 137));
        pod.metadata.labels = Some([(COMPONENT_LABEL.to_owned(), component.to_owned())].into());
        if let Some(limit) = limit {
            let limits = json!({"limits": {"memory": limit}});
            pod.spec.as_mut().unwrap().containers[0].resources = serde_json::from_value(limits).unwrap();
        }
        match state(&pod, &[], NOW.parse().unwrap()).step {
            PodStep::Failed(failure) => failure.to_string(),
            other => panic!("{other:?}"),
        }
    };
    let engine = words("engine", Some("64Mi"));
    assert!(engine.contains("limit of 64Mi") && engine.contains("the engine's memory limit") && engine.contains("smaller model"));
    for (component, limit) in [("load", Some("1Gi")), ("load", None), ("worker", Some("1Gi")), ("verify", None)] {
        let load = words(component, limit);
        assert!(load.contains("OOMKilled") && load.contains("more pods (load_pods)") && load.contains("fewer streams"), "{load}");
        assert!(!load.contains("engine") && !load.contains("context"), "{load}");
        assert_eq!(load.contains("LimitRange"), limit.is_some(), "{load}");
    }
    let files = words("files", Some("32Mi"));
    assert!(files.contains("limit of 32Mi") && files.contains("LimitRange") && !files.contains("engine"), "{files}");
}

#[test]
fn a_job_without_pods_says_why() {
    let events = [event("FailedCreate", "Error creating: pods \"x\" is forbidden: exceeded quota: few", NOW)];
    assert_eq!(job_problem(&events).as_deref(), Some("pods \"x\" is forbidden: exceeded quota: few"));
    assert_eq!(job_problem(&[event("SuccessfulCreate", "Created pod", NOW)]), None);
}

#[test]
fn a_pod_whose_container_has_ended_answers_nobody() {
    let has_ended = |pod: &Pod| state(pod, &[], NOW.parse().unwrap()).has_ended;
    assert!(has_ended(&pod(&terminated("OOMKilled", 137))));
    assert!(has_ended(&pod(&json!({"phase": "Failed", "reason": "Evicted", "message": "The node was low on memory."}))));
    assert!(has_ended(&pod(&json!({"phase": "Succeeded"}))));
    let running = json!({
        "phase": "Running", "conditions": [scheduled("2026-11-28T12:00:00Z")],
        "containerStatuses": [{"name": "engine", "image": "engine:1", "imageID": "", "ready": true, "restartCount": 0,
            "state": {"running": {"startedAt": "2026-11-28T12:00:01Z"}}}],
    });
    let mut deleted = pod(&running);
    assert!(!has_ended(&deleted));
    deleted.metadata.deletion_timestamp = serde_json::from_value(json!(NOW)).unwrap();
    assert!(!has_ended(&deleted), "it has its grace period");
    assert_eq!(state(&deleted, &[], NOW.parse().unwrap()).step, PodStep::Failed(PodFailure::Deleted));
}
