//! Models, datasets, credentials: who sees them, what removing does.

use dyno::domain::event::{RunEnd, RunEvent};
use dyno::domain::inventory::{Cluster, ClusterAccess, ModelFacts, Node};
use dyno::domain::kubernetes::KubernetesAccess;
use dyno::domain::workflow::Draft;
use dyno::store::{RunUpdate, Store, StoreError};
use dyno_measure::run::RunStatus;

use super::samples::{at, benchmark, credential, draft, model, new_run, store};

#[tokio::test]
async fn a_credential_is_its_owners_and_the_administrators() {
    let (_folder, store, [admin, anna, bert]) = store().await;
    let secret = credential(&anna);
    let id = secret.credential.id;
    store.insert_credential(&secret).await.unwrap();
    assert_eq!(store.credentials(&anna).await.unwrap(), std::slice::from_ref(&secret.credential));
    assert_eq!(store.sealed_credential(&admin, id).await.unwrap().sealed, [1, 2, 3]);
    assert_eq!(store.credentials(&bert).await.unwrap(), []);
    assert!(matches!(store.credential(&bert, id).await, Err(StoreError::NotFound("credential"))));
    assert!(matches!(store.sealed_credential(&bert, id).await, Err(StoreError::NotFound("credential"))));
    assert!(matches!(store.remove_credential(&bert, id).await, Err(StoreError::NotFound("credential"))));
    assert!(!format!("{secret:?}").contains("1, 2, 3"), "debug prints nothing of it");
}

#[tokio::test]
async fn the_local_cluster_is_made_once_and_is_everybodys() {
    let (_folder, store, [admin, _, bert]) = store().await;
    let local = store.local_cluster(at(0)).await.unwrap();
    assert_eq!(store.local_cluster(at(5)).await.unwrap(), local);
    assert_eq!(store.clusters(&bert).await.unwrap(), std::slice::from_ref(&local));
    assert!(matches!(store.remove_cluster(&admin, local.id).await, Err(StoreError::Conflict(_))));
    // The catalogue likewise; it stands last.
    let catalogue = store.catalogue_cluster(at(0)).await.unwrap();
    assert_eq!(store.catalogue_cluster(at(5)).await.unwrap(), catalogue);
    assert_eq!(store.clusters(&bert).await.unwrap(), [local, catalogue.clone()]);
    assert!(matches!(store.remove_cluster(&admin, catalogue.id).await, Err(StoreError::Conflict(_))));
}

#[tokio::test]
async fn nodes_are_kept_as_they_were_last_seen() {
    let (_folder, store, _) = store().await;
    let cluster = store.local_cluster(at(0)).await.unwrap().id;
    assert_eq!(store.last_seen(cluster).await.unwrap(), []);
    let node = |status: &str| -> Node {
        let usage =
            serde_json::json!({ "cpu_percent": 5.0, "load_1m": 0.1, "memory_total_bytes": 9, "memory_available_bytes": 4 });
        serde_json::from_value(serde_json::json!({ "hostname": "n", "status": status, "devices": [], "usage": usage })).unwrap()
    };
    for status in ["Ready", "NotReady"] {
        store.keep_last_seen(cluster, &[node(status)], at(1)).await.unwrap();
        let kept = Node { usage: None, requests: None, ..node(status) };
        assert_eq!(store.last_seen(cluster).await.unwrap(), [kept], "how busy it was is of no use later");
    }
    // A cluster that is gone meanwhile is no error.
    store.keep_last_seen(uuid::Uuid::nil(), &[node("Ready")], at(2)).await.unwrap();
}

#[tokio::test]
async fn models_are_seen_by_their_owner_or_by_everybody() {
    let (_folder, store, [admin, anna, bert]) = store().await;
    let (own, shared) = (model(Some(&anna), "own"), model(None, "shared"));
    for model in [&own, &shared] {
        store.insert_model(model).await.unwrap();
    }
    assert_eq!(store.models(&anna).await.unwrap(), [own.clone(), shared.clone()]);
    assert_eq!(store.models(&bert).await.unwrap(), std::slice::from_ref(&shared));
    assert!(matches!(store.model(&bert, own.id).await, Err(StoreError::NotFound("model"))));
    assert!(matches!(store.remove_model(&bert, shared.id).await, Err(StoreError::Forbidden(_))));
    assert!(store.remove_model(&admin, shared.id).await.unwrap());

    let facts: ModelFacts = serde_json::from_value(serde_json::json!({
        "format": "gguf", "architecture": "llama", "parameters": 1, "weight_bytes": 2, "layers": 3, "context_length": 4,
        "hidden_size": null, "heads": null, "kv_heads": null, "head_dim": null, "vocabulary": null, "precision": "Q4_1",
        "chat_template": true, "sha256": null,
    }))
    .unwrap();
    let learned = dyno::domain::inventory::Model { facts: Some(facts), ..own };
    store.update_model(&learned).await.unwrap();
    assert_eq!(store.model(&anna, learned.id).await.unwrap(), learned);
}

#[tokio::test]
async fn what_a_benchmark_was_made_of_is_archived() {
    let (_folder, store, [_, anna, _]) = store().await;
    let secret = credential(&anna);
    store.insert_credential(&secret).await.unwrap();
    let workflow = draft(&anna, "used");
    store.insert_workflow(&workflow).await.unwrap();
    let mut frozen = benchmark(&anna, "used", Some(workflow.id));
    frozen.spec.credential_id = Some(secret.credential.id);
    store.insert_model(&frozen.spec.model).await.unwrap();
    let run = new_run(&frozen, &anna, 3);
    store.trigger_workflow(&Draft { revision: 2, ..workflow }, 1, &frozen, &run).await.unwrap();

    assert!(!store.remove_model(&anna, frozen.spec.model.id).await.unwrap());
    assert_eq!(store.models(&anna).await.unwrap(), []);
    assert!(store.model(&anna, frozen.spec.model.id).await.unwrap().archived);

    store.remove_credential(&anna, secret.credential.id).await.unwrap();
    assert!(store.credential(&anna, secret.credential.id).await.unwrap().archived);
    assert!(store.sealed_credential(&anna, secret.credential.id).await.is_err(), "its secret is gone");
}

/// Without its kubeconfig it must not pass for the cluster that the portal runs in.
#[tokio::test]
async fn a_cluster_with_open_runs_stays_where_it_is_and_an_archived_one_is_reached_no_more() {
    let (_folder, store, [admin, anna, _]) = store().await;
    let workflow = draft(&anna, "used");
    store.insert_workflow(&workflow).await.unwrap();
    let mut frozen = benchmark(&anna, "used", Some(workflow.id));
    let access = KubernetesAccess { server: Some("https://k.example".to_owned()), ..KubernetesAccess::default() };
    let cluster = Cluster {
        id: uuid::Uuid::now_v7(),
        name: "gpus".to_owned(),
        access: ClusterAccess::Kubernetes(access),
        owner: None,
        created_at: at(0),
    };
    frozen.spec.cluster_id = cluster.id;
    store.save_cluster(&cluster, Some(("key", &[1, 2, 3]))).await.unwrap();
    assert_eq!(store.sealed_kubeconfig(cluster.id).await.unwrap(), Some(("key".to_owned(), vec![1, 2, 3])));
    store.insert_model(&frozen.spec.model).await.unwrap();
    let run = new_run(&frozen, &anna, 3);
    store.trigger_workflow(&Draft { revision: 2, ..workflow }, 1, &frozen, &run).await.unwrap();
    assert!(matches!(store.remove_cluster(&anna, cluster.id).await, Err(StoreError::Forbidden(_))), "it is everybody's");
    let refused = store.remove_cluster(&admin, cluster.id).await;
    assert!(matches!(&refused, Err(StoreError::Conflict(text)) if text.contains("Cancel them")), "{refused:?}");
    let changed = |server: Option<&str>, namespace: &str, root: &str| {
        let access = KubernetesAccess {
            server: server.map(str::to_owned),
            namespace: namespace.to_owned(),
            model_roots: vec![root.to_owned()],
            ..KubernetesAccess::default()
        };
        Cluster { name: "renamed".to_owned(), access: ClusterAccess::Kubernetes(access), ..cluster.clone() }
    };
    let (server, namespace) = (Some("https://k.example"), KubernetesAccess::default().namespace);
    for elsewhere in [
        changed(Some("https://other.example"), &namespace, "/models"),
        changed(None, &namespace, "/models"),
        changed(server, "team-b", "/models"),
    ] {
        let refused = store.save_cluster(&elsewhere, Some(("key", &[4]))).await;
        assert!(
            matches!(&refused, Err(StoreError::Conflict(text)) if text.contains("Cancel them")),
            "{elsewhere:?}: {refused:?}"
        );
    }
    // Another name, another token and other folders are no other place.
    store.save_cluster(&changed(server, &namespace, "/other"), Some(("key", &[5]))).await.unwrap();
    assert_eq!(store.sealed_kubeconfig(cluster.id).await.unwrap(), Some(("key".to_owned(), vec![5])));
    let ended = RunEvent::End(RunEnd { status: RunStatus::Failed, reason: None });
    let update = RunUpdate { events: vec![(at(4), ended)], ..RunUpdate::default() };
    store.update_run(run.run.id, &update, at(4)).await.unwrap();
    store.save_cluster(&changed(server, "team-b", "/other"), Some(("key", &[5]))).await.unwrap();
    store.remove_cluster(&admin, cluster.id).await.unwrap();
    assert!(store.clusters(&admin).await.unwrap().iter().all(|left| left.id != cluster.id));
    assert!(matches!(store.sealed_kubeconfig(cluster.id).await, Err(StoreError::NotFound(_))));
}

#[tokio::test]
async fn a_credential_is_never_archived_without_its_secret_going() {
    let (folder, store, [_, anna, _]) = store().await;
    let secret = credential(&anna);
    store.insert_credential(&secret).await.unwrap();
    let workflow = draft(&anna, "used");
    store.insert_workflow(&workflow).await.unwrap();
    let mut frozen = benchmark(&anna, "used", Some(workflow.id));
    frozen.spec.credential_id = Some(secret.credential.id);
    store.insert_model(&frozen.spec.model).await.unwrap();
    let run = new_run(&frozen, &anna, 3);
    store.trigger_workflow(&Draft { revision: 2, ..workflow }, 1, &frozen, &run).await.unwrap();

    let pool = sqlx::SqlitePool::connect(&Store::default_url(folder.path())).await.unwrap();
    let broken = "CREATE TRIGGER broken BEFORE UPDATE OF sealed ON credentials BEGIN SELECT RAISE(ABORT, 'on purpose'); END";
    sqlx::query(broken).execute(&pool).await.unwrap();
    assert!(store.remove_credential(&anna, secret.credential.id).await.is_err());
    let kept = store.sealed_credential(&anna, secret.credential.id).await.unwrap();
    assert!(!kept.credential.archived && kept.sealed == [1, 2, 3], "both or neither");
    pool.close().await;
}
