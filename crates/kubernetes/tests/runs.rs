//! A run's objects on a real API server, that of `scripts/kubernetes/up.sh`, named by `DYNO_TEST_CLUSTER`; no nodes are needed.
//! Without it these tests say that they were skipped.

#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]
#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]

use std::time::Duration;

use dyno_kubernetes::objects::{self, EnginePod, FilesJob, Lifetime, LoadPod, Mount, Probes, RunName, VolumeSource, keys};
use dyno_kubernetes::{ApiError, Connection, OwnerEnd, PodStep, RunState, check};
use k8s_openapi::api::core::v1::ResourceQuota;

async fn admin() -> Option<Connection> {
    let Ok(folder) = std::env::var("DYNO_TEST_CLUSTER") else {
        eprintln!("skipped: DYNO_TEST_CLUSTER names no cluster (scripts/kubernetes/up.sh)");
        return None;
    };
    let text = std::fs::read_to_string(format!("{folder}/admin.kubeconfig")).unwrap();
    Some(Connection::with_kubeconfig(&check(&text, None).unwrap().kubeconfig).await.unwrap())
}

fn run(id: &str) -> RunName {
    RunName { id: id.to_owned(), namespace: format!("dyno-test-{id}") }
}

fn load() -> LoadPod {
    LoadPod {
        image: "dyno.test/none:1".to_owned(),
        pull_secrets: vec!["registry".to_owned()],
        node: "no-such-node".to_owned(),
        cpu_millis: 1_000,
        credential_env: "DYNO_LOAD_SECRET".to_owned(),
        takes_files: false,
    }
}

fn lifetime() -> Lifetime {
    Lifetime { active_s: 600, deadline_unix_s: 1_900_000_000, kept_s: 60 }
}

fn engine(index: usize) -> EnginePod {
    EnginePod {
        index,
        node: "no-such-node".to_owned(),
        image: "dyno.test/none:1".to_owned(),
        pull_secrets: vec!["registry".to_owned()],
        argv: vec!["-m".to_owned(), "/model/m".to_owned()],
        env: [("A".to_owned(), "b".to_owned())].into(),
        devices: Some(("nvidia.com/gpu".to_owned(), 1)),
        cpu_millis: Some(500),
        memory_bytes: None,
        memory_limit_bytes: None,
        mounts: vec![Mount { source: VolumeSource::HostPath("/srv".to_owned()), path: "/model".to_owned(), read_only: true }],
        probes: Probes { startup: "/health".into(), readiness: "/v1/models".into(), liveness: None, startup_limit_s: 60 },
        active_s: 600,
    }
}

fn files() -> FilesJob {
    let LoadPod { image, pull_secrets, node, .. } = load();
    let mount = Mount { source: VolumeSource::HostPathOrNew("/srv".to_owned()), path: "/cache".to_owned(), read_only: false };
    FilesJob { index: 0, image, pull_secrets, node, mounts: vec![mount], hub_endpoint: None, active_s: 600 }
}

fn now_unix_s() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

/// The state once it is as expected.
async fn once(cluster: &Connection, run: &RunName, expected: impl Fn(&RunState) -> bool) -> RunState {
    for _ in 0..100 {
        let state = cluster.run_state(run).await.unwrap().unwrap();
        if expected(&state) {
            return state;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("never as expected: {:?}", cluster.run_state(run).await.unwrap());
}

async fn is_gone(cluster: &Connection, run: &RunName) -> bool {
    for _ in 0..100 {
        if cluster.left(run).await.unwrap().is_empty() && cluster.run_secret(run).await.unwrap().is_none() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    false
}

#[tokio::test]
async fn a_run_is_made_again_without_change_and_ends_with_its_owner() {
    let Some(cluster) = admin().await else { return };
    let run = run("made");
    cluster.ensure_namespace(&run.namespace).await.unwrap();
    cluster.ensure_namespace(&run.namespace).await.unwrap();
    assert!(cluster.run_state(&run).await.unwrap().is_none());
    for _ in 0..2 {
        cluster.apply(&objects::owner(&run, lifetime(), &load())).await.unwrap();
        let owner = cluster.owner(&run).await.unwrap().unwrap();
        assert!(owner.paused && owner.ended.is_none());
        let data = [(keys::TOKEN, b"t".to_vec())].into();
        cluster.apply(&objects::secret(&run, &owner.reference, data)).await.unwrap();
        cluster.apply(&objects::service(&run, &owner.reference)).await.unwrap();
        cluster.apply(&objects::engine_pod(&run, &owner.reference, &engine(0))).await.unwrap();
        cluster.apply(&objects::worker_pod(&run, &owner.reference, 2, &load(), lifetime())).await.unwrap();
    }
    assert_eq!(cluster.run_secret(&run).await.unwrap().unwrap()[keys::TOKEN], b"t");
    let state = once(
        &cluster,
        &run,
        |state| matches!(&state.engines[&run.engine(0)].step, PodStep::Unscheduled(Some(why)) if why.contains("nodes")),
    )
    .await;
    assert!(state.load.is_none(), "it is paused");
    assert_eq!(state.workers.keys().collect::<Vec<_>>(), [&run.worker(2)], "and no load pod of the owner's");

    cluster.resume(&run).await.unwrap();
    cluster.resume(&run).await.unwrap();
    let state = once(&cluster, &run, |state| state.load.is_some()).await;
    assert!(!state.owner.paused);
    let found = cluster.owners(&run.namespace).await.unwrap();
    assert_eq!((found.len(), &found[0].run, found[0].deadline_unix_s), (1, &run, Some(1_900_000_000)));

    // Foreground: the owner is there until nothing of it is left.
    cluster.delete_owner(&run).await.unwrap();
    assert!(is_gone(&cluster, &run).await, "{:?} is left", cluster.left(&run).await);
    cluster.delete_owner(&run).await.unwrap();
}

/// As a run is during its transfer, and until its first look: without a portal it does not stay.
#[tokio::test]
async fn the_cluster_ends_and_removes_a_run_whose_load_never_began() {
    let Some(cluster) = admin().await else { return };
    let run = run("lost");
    cluster.ensure_namespace(&run.namespace).await.unwrap();
    let short = Lifetime { active_s: 3, deadline_unix_s: 1_900_000_000, kept_s: 3 };
    cluster.apply(&objects::owner(&run, short, &load())).await.unwrap();
    let owner = cluster.owner(&run).await.unwrap().unwrap();
    cluster.apply(&objects::secret(&run, &owner.reference, [(keys::HUB_TOKEN, b"t".to_vec())].into())).await.unwrap();
    let state = once(&cluster, &run, |state| state.owner.ended.is_some()).await;
    assert_eq!((state.owner.ended, state.owner.paused), (Some(OwnerEnd::Deadline), true));
    assert!(state.load.is_none());
    assert!(is_gone(&cluster, &run).await, "{:?} is left, or its Secret", cluster.left(&run).await);
}

/// As of a transfer that a portal follows, and follows no more.
#[tokio::test]
async fn a_deadline_is_put_off_and_holds_again() {
    let Some(cluster) = admin().await else { return };
    let run = run("postponed");
    cluster.ensure_namespace(&run.namespace).await.unwrap();
    let short = Lifetime { active_s: 5, deadline_unix_s: now_unix_s() + 5, kept_s: 3 };
    cluster.apply(&objects::owner(&run, short, &load())).await.unwrap();
    cluster.postpone(&run, now_unix_s() + 600).await.unwrap();
    // Until well after the first deadline.
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert_eq!(cluster.owner(&run).await.unwrap().unwrap().ended, None);
    cluster.postpone(&run, now_unix_s()).await.unwrap();
    let state = once(&cluster, &run, |state| state.owner.ended.is_some()).await;
    assert_eq!(state.owner.ended, Some(OwnerEnd::Deadline));
    assert!(is_gone(&cluster, &run).await);
    cluster.postpone(&run, now_unix_s() + 600).await.unwrap();
}

#[tokio::test]
async fn a_job_for_files_replaces_its_pod_and_ends_with_the_owner() {
    let Some(cluster) = admin().await else { return };
    let run = run("files");
    cluster.ensure_namespace(&run.namespace).await.unwrap();
    cluster.apply(&objects::owner(&run, lifetime(), &load())).await.unwrap();
    let owner = cluster.owner(&run).await.unwrap().unwrap();
    cluster.apply(&objects::files_job(&run, &owner.reference, &files())).await.unwrap();
    let pods = |state: &RunState| state.files.get(&run.files(0)).cloned().unwrap_or_default();
    let state = once(&cluster, &run, |state| pods(state).len() == 1).await;
    let first = pods(&state)[0].name.clone();
    cluster.delete_pod(&run, &first).await.unwrap();
    once(&cluster, &run, |state| pods(state).iter().any(|pod| pod.name != first)).await;
    cluster.delete_owner(&run).await.unwrap();
    assert!(is_gone(&cluster, &run).await, "{:?}", cluster.left(&run).await);
}

#[tokio::test]
async fn a_quota_is_named_for_engines_for_the_load_and_for_files() {
    let Some(cluster) = admin().await else { return };
    let run = run("quota");
    cluster.ensure_namespace(&run.namespace).await.unwrap();
    let quota: ResourceQuota = serde_json::from_value(serde_json::json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none", "namespace": run.namespace}, "spec": {"hard": {"pods": "0"}},
    }))
    .unwrap();
    cluster.apply(&quota).await.unwrap();
    cluster.apply(&objects::owner(&run, lifetime(), &load())).await.unwrap();
    cluster.resume(&run).await.unwrap();
    let owner = cluster.owner(&run).await.unwrap().unwrap();
    // The quota takes a moment to be known to the API server.
    let mut refused = None;
    for _ in 0..50 {
        match cluster.apply(&objects::engine_pod(&run, &owner.reference, &engine(0))).await {
            Ok(_) => cluster.delete_pods_at_once(&run).await.unwrap(),
            Err(error) => {
                refused = Some(error);
                break;
            }
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let refused = refused.unwrap();
    assert!(matches!(&refused, ApiError::Quota(said) if said.contains("exceeded quota: none")), "{refused}");
    let state = once(&cluster, &run, |state| state.owner.problem.is_some()).await;
    assert!(state.owner.problem.unwrap().contains("exceeded quota"), "the Job says it, too");
    cluster.apply(&objects::files_job(&run, &owner.reference, &files())).await.unwrap();
    let mut refused = None;
    for _ in 0..100 {
        refused = cluster.job_refusal(&run, &run.files(0)).await.unwrap();
        if refused.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(matches!(refused, Some(ApiError::Quota(_))), "{refused:?}");
    cluster.delete_owner(&run).await.unwrap();
    assert!(is_gone(&cluster, &run).await);
}
