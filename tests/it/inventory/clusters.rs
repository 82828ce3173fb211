//! `/clusters` and `/engines`

use serde_json::json;

use super::*;

#[tokio::test]
async fn the_portals_own_machine_is_there_from_the_start() {
    let house = House::open().await;
    let (status, list) = house.get("clusters").await;
    assert_eq!(status, 200);
    assert_eq!(list["total"], 2, "and the catalogue");
    let local = &list["items"][0];
    assert_eq!((&local["name"], &local["kind"], &local["reachable"]), (&json!("local"), &json!("local"), &json!(true)));
    assert_eq!((&local["nodes"], &local["ready_nodes"]), (&json!(1), &json!(1)));
    let id = local["id"].as_str().unwrap();

    let (status, metrics) = house.get(&format!("clusters/{id}/node-metrics")).await;
    assert_eq!(status, 200);
    let node = &metrics["nodes"][0];
    assert_eq!(node["status"], "Ready");
    let cpu = &node["devices"][0];
    assert_eq!((&cpu["type"], &cpu["available_count"]), (&json!("cpu"), &json!(1)));
    assert!(cpu["device_info"]["num_virtual_cores"].as_u64().unwrap() >= 1);
    assert!(cpu["device_config"]["peak_fp16_TFLOPS"].as_f64().unwrap() > 0.0);
    assert!(cpu["device_config"]["source"].as_str().unwrap().contains(": "));
    assert!(node["usage"]["memory_total_bytes"].as_u64() > node["usage"]["memory_available_bytes"].as_u64());

    assert_eq!(house.delete(&format!("clusters/{id}")).await, 409);
    assert_eq!(house.get(&format!("clusters/{id}")).await.1["devices"], local["devices"]);
}

#[tokio::test]
async fn a_kubeconfig_is_refused_where_it_was_given() {
    let house = House::open().await;
    let add = async |name: &str, kind: &str, kubeconfig: &str| {
        let (status, problem) =
            house.post("clusters", json!({"name": name, "kind": kind, "kubeconfig": kubeconfig, "context": "y"})).await;
        assert_eq!(status, 422, "{problem}");
        fields(&problem).into_iter().map(|(field, message)| (field.to_owned(), message.to_owned())).collect::<Vec<_>>()
    };
    assert_eq!(add("k", "kubernetes", "x").await[0].0, "kubeconfig");
    assert_eq!(
        add("", "cloud", "a: 1").await,
        [
            ("kind", "This kind of cluster is not known."),
            ("name", "Enter a name."),
            ("kubeconfig", "The kubeconfig has no context.")
        ]
        .map(|(field, message)| (field.to_owned(), message.to_owned()))
    );
    let hostile = "users: [{name: u, user: {exec: {command: sh}}}]\nclusters: [{name: c, cluster: {server: 'https://a'}}]";
    let found = add("k", "kubernetes", hostile).await;
    assert!(found[0].1.contains("users[0].user.exec"), "{found:?}");
    // Nobody listens there; the address itself is allowed to an administrator.
    let silent = "clusters: [{name: c, cluster: {server: 'https://127.0.0.1:9'}}]\nusers: [{name: u, user: {token: t}}]\ncontexts: [{name: y, context: {cluster: c, user: u}}]";
    assert_eq!(
        add("k", "kubernetes", silent).await,
        [("kubeconfig".to_owned(), "The cluster does not answer at its address.".to_owned())]
    );
    let metadata = silent.replace("127.0.0.1:9", "169.254.169.254");
    assert_eq!(add("k", "kubernetes", &metadata).await[0].0, "kubeconfig");
    assert_eq!(house.get("clusters").await.1["total"], 2, "none was kept");
}

#[tokio::test]
async fn what_is_not_there_is_said() {
    let house = House::open().await;
    let none = uuid::Uuid::now_v7();
    assert_eq!(house.get(&format!("clusters/{none}/node-metrics")).await.0, 404);
    assert_eq!(house.get("clusters?status=x").await.0, 422);
}

#[tokio::test]
async fn engines_say_how_to_get_them() {
    let house = House::open().await;
    let (status, list) = house.get("engines").await;
    assert_eq!((status.as_u16(), list["total"].as_u64()), (200, Some(5)));
    for engine in list["items"].as_array().unwrap() {
        assert!(!engine["how_to_get"].as_str().unwrap().is_empty(), "{engine}");
    }
}
