//! Against a real API server: that of `scripts/kubernetes/up.sh`, named by `DYNO_TEST_CLUSTER`. Without it these tests say that
//! they were skipped.

#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use dyno_kubernetes::{ApiError, Connection, check, required};

async fn connection(user: &str) -> Option<Connection> {
    let Ok(folder) = std::env::var("DYNO_TEST_CLUSTER") else {
        eprintln!("skipped: DYNO_TEST_CLUSTER names no cluster (scripts/kubernetes/up.sh)");
        return None;
    };
    let text = std::fs::read_to_string(format!("{folder}/{user}.kubeconfig")).unwrap();
    Some(Connection::with_kubeconfig(&check(&text, None).unwrap().kubeconfig).await.unwrap())
}

#[tokio::test]
async fn nodes_are_read() {
    let Some(admin) = connection("admin").await else { return };
    assert!(admin.version().await.unwrap().starts_with("v1."));
    assert_eq!(admin.missing(&required("dyno")).await.unwrap(), []);
    let nodes = admin.nodes().await.unwrap();
    assert!(!nodes.is_empty());
    for node in nodes {
        assert_eq!(node.problem, None, "{node:?}");
        assert!(node.cpu_allocatable >= 1.0 && node.memory_allocatable > 1 << 28, "{node:?}");
    }
}

#[tokio::test]
async fn what_a_user_may_not_do_is_listed() {
    let Some(nobody) = connection("nobody").await else { return };
    assert_eq!(nobody.missing(&required("dyno")).await.unwrap(), required("dyno"));
    assert!(matches!(nobody.nodes().await, Err(ApiError::Forbidden(said)) if said.contains("nobody")));
}
