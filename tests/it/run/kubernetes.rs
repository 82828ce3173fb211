//! The transfer to a cluster, whose pods are lost meanwhile; with an API server of our own.

use std::time::{Duration, Instant};

use serde_json::json;

use super::api_server::{ApiServer, Loss, LossKind};
use super::world::{Portal, gguf, text};
use super::{reason, stage};

const MIB: usize = 1 << 20;
/// What the portal sends at once.
const PART: u64 = 8 << 20;
/// A pod is lost, found to be, and replaced.
const PATIENCE: Duration = Duration::from_secs(120);

/// A portal with a model of twenty MiB on its disk, and a run that has the cluster get it.
async fn transferring(server: &ApiServer) -> (Portal, String) {
    let portal = Portal::with(&[("DYNO_IMAGE", "dyno.test/dyno:1")]).await;
    let path = portal.data_dir().canonicalize().unwrap().join("large.gguf");
    let mut content = gguf(&[("llama.block_count", 4)]);
    let begin = content.len();
    content.extend((begin..20 * MIB).map(|at| (at.wrapping_mul(2_654_435_761) >> 9) as u8));
    std::fs::write(&path, content).unwrap();
    let model = json!({ "name": "large", "source": "file", "path": path, "location": "portal" });
    let model = text(&portal.client.post("/api/v1/models", &model).await.expect(201)["id"]);
    let cluster = json!({
        "name": "far", "kind": "kubernetes", "kubeconfig": server.kubeconfig(), "cache": { "host_path": "/var/lib/dyno" },
    });
    let cluster = text(&portal.client.post("/api/v1/clusters", &cluster).await.expect(201)["id"]);
    let engine =
        json!({ "engine": "custom", "engine_image": "dyno.test/engine:1", "engine_args": ["serve", "{host}:{port}", "{model}"] });
    let run = portal.run_on(&cluster, "node-1", &model, 1, engine, json!({})).await;
    (portal, run)
}

#[tokio::test]
async fn a_copy_goes_on_in_another_pod_where_its_pod_was_lost() {
    let evicted = Loss { after: 4 * MIB, how: LossKind::Evicted };
    let deleted = Loss { after: 3 * MIB, how: LossKind::Deleted };
    let drained = Loss { after: 2 * MIB, how: LossKind::Drained };
    let server = ApiServer::start(&[evicted, deleted, drained]).await;
    let (portal, run) = transferring(&server).await;
    let begun = Instant::now();
    let found = loop {
        let found = portal.look(&run).await;
        if found["ended_at"].is_string() || stage(&found, "transfer_model_to_cluster") == "succeeded" {
            break found;
        }
        assert!(begun.elapsed() < PATIENCE, "{found:#}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!(stage(&found, "transfer_model_to_cluster"), "succeeded", "{found:#}");
    let mib = MIB as u64;
    assert_eq!(server.offsets().await, [0, 4 * mib, 7 * mib, 9 * mib, 9 * mib + PART], "what had arrived is not sent again");
    let spec = &server.owners().await[0]["spec"];
    let left = (spec["activeDeadlineSeconds"].as_i64().unwrap(), spec["ttlSecondsAfterFinished"].as_i64());
    assert!(left.0 <= 1_800 && left.1 == Some(300), "without a portal, it is gone after 35 minutes: {left:?}");
    let [copy] = server.files().await.try_into().unwrap();
    assert!(copy.ends_with("large.gguf"), "{}", copy.display());
    assert!(std::fs::read(copy).unwrap() == std::fs::read(portal.data_dir().join("large.gguf")).unwrap());
}

#[tokio::test]
async fn a_copy_whose_pods_are_lost_again_and_again_ends_the_run() {
    let server = ApiServer::start(&[Loss { after: 1_000, how: LossKind::Evicted }; 9]).await;
    let (portal, run) = transferring(&server).await;
    let ended = portal.end(&run).await;
    assert_eq!((&ended["status"], stage(&ended, "transfer_model_to_cluster")), (&json!("failed"), "failed"), "{ended:#}");
    assert!(reason(&ended).contains("on node node-1 does not run: It was evicted"), "{}", reason(&ended));
    assert_eq!(server.offsets().await, [0, 1_000, 2_000, 3_000], "three pods more than the first");
    assert_eq!(server.left().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_pod_whose_program_gives_up_ends_the_run_at_once() {
    let server = ApiServer::start(&[Loss { after: 1_000, how: LossKind::GivenUp }; 9]).await;
    let (portal, run) = transferring(&server).await;
    let ended = portal.end(&run).await;
    assert_eq!((&ended["status"], stage(&ended, "transfer_model_to_cluster")), (&json!("failed"), "failed"), "{ended:#}");
    assert!(reason(&ended).contains("status 1"), "{}", reason(&ended));
    assert_eq!(server.offsets().await, [0], "no other pod was waited for");
}
