//! What administrators state of devices: it counts in the inventory, in simulations and in what they say.

use dyno::domain::inventory::{Cluster, ClusterAccess, Node};
use dyno::domain::kubernetes::KubernetesAccess;
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::simulation::{ended, hub_model, page, report, simulated};
use super::world::{World, post};
use crate::support::TestClient;

const PATH: &str = "/api/v1/device-specifications";

/// A specification's body: TFLOPS, GiB, GB/s.
fn figures(device: &str, tflops: f64, memory: f64, bandwidth: f64) -> Value {
    json!({ "device": device, "peak_fp16_tflops": tflops, "memory_gib": memory, "memory_bandwidth_gbps": bandwidth })
}

/// A Kubernetes cluster that does not answer and was last seen with one node: two accelerators of which nothing is known but the name.
async fn silent_cluster(world: &World) -> Uuid {
    let access = ClusterAccess::Kubernetes(KubernetesAccess::default());
    let cluster = Cluster { id: Uuid::now_v7(), name: "far".to_owned(), access, owner: None, created_at: Timestamp::now() };
    let node: Node = serde_json::from_value(json!({ "hostname": "far-1", "status": "Ready", "devices": [{
        "name": "Acme X1", "type": "cuda", "device_info": { "num_devices": 2 }, "device_config": {}, "available_count": 2,
    }] }))
    .unwrap();
    let store = &world.portal.app.store;
    store.save_cluster(&cluster, None).await.unwrap();
    store.keep_last_seen(cluster.id, &[node], Timestamp::now()).await.unwrap();
    cluster.id
}

async fn catalogue(client: &TestClient) -> Value {
    let clusters = client.get("/api/v1/clusters").await.expect(200);
    clusters["items"].as_array().unwrap().iter().find(|row| row["kind"] == "catalogue").unwrap().clone()
}

/// The simulated benchmark's bodies on a node of a cluster.
async fn on_node(world: &World, cluster: &Value, hostname: &str) -> Vec<Value> {
    let model = hub_model(world, "meta-llama/Llama-3.1-8B-Instruct").await;
    let mut bodies = simulated(world.walk("configuration", model));
    bodies[2]["cluster_id"] = cluster.clone();
    bodies[3]["nodes"] = json!([{ "hostname": hostname }]);
    bodies[4]["engine"] = json!("vllm");
    bodies
}

#[tokio::test]
async fn a_device_without_data_sheet_is_simulated_once_its_figures_are_stated() {
    let world = World::start().await;
    let client = &world.portal.admin;
    let cluster = json!(silent_cluster(&world).await);
    let mut bodies = on_node(&world, &cluster, "far-1").await;
    let trigger = bodies.pop().unwrap();
    let before = world.send(client, &bodies).await;
    let refused = post(client, &trigger, &before).await.expect(422);
    let message = refused["errors"][0]["message"].as_str().unwrap();
    assert_eq!(refused["errors"][0]["field"], "nodes", "{refused}");
    assert!(message.starts_with("Acme X1 is not known to the simulator") && message.contains("in Settings"), "{message}");

    let stated = client.post(PATH, &figures("acme x1", 400.0, 80.0, 2_000.0)).await.expect(201);
    assert_eq!(client.get(PATH).await.expect(200)["items"], json!([stated]));
    let run = ended(client, &post(client, &trigger, &before).await.expect(200)).await;
    assert_eq!(run["status"], "succeeded", "{run:#}");
    let known = report(client, &run).await["provenance"].clone();
    let device = &known["simulation"]["device"];
    let values = ["tflops_16", "memory_gib", "memory_bandwidth"].map(|field| device[field].as_f64().unwrap());
    assert_eq!((&device["name"], values), (&json!("Acme X1"), [400.0, 80.0, 2_000.0]));
    let sentence = "Device Acme X1, as stated in Settings: 400.0 TFLOPS at 16 bits, 2000 GB/s, 80.0 GiB of memory.";
    assert!(known["notes"].as_array().unwrap().contains(&json!(sentence)), "{known:#}");
    let inventory = &known["nodes"][0]["devices"][0]["device_config"];
    assert_eq!(inventory["source"], "stated in Settings, its memory too");

    // It can be bought, too: the catalogue offers it like the others.
    let offered = catalogue(client).await;
    assert!(offered["devices"].as_str().unwrap().contains("stated in Settings"), "{offered}");
    let bodies = on_node(&world, &offered["id"], "acme-x1-x8").await;
    let draft = world.send(client, &bodies[..5]).await;
    let advice = format!("/api/v1/workflows/{}/layouts", draft["workflow_id"].as_str().unwrap());
    assert_eq!(client.get(&advice).await.expect(200)["devices"], "8 × acme x1", "as it was written");
    let run = ended(client, &world.send(client, &bodies).await).await;
    assert_eq!(run["status"], "succeeded", "{run:#}");

    // Once that is removed, nothing is known of it again.
    client.delete(&format!("{PATH}/{}", stated["id"].as_str().unwrap())).await.expect(204);
    assert_eq!(client.get(PATH).await.expect(200)["items"], json!([]));
    let again = on_node(&world, &cluster, "far-1").await;
    let (trigger, earlier) = again.split_last().unwrap();
    let before = world.send(client, earlier).await;
    assert_eq!(post(client, trigger, &before).await.fields(), ["nodes"]);
}

#[tokio::test]
async fn stated_figures_count_before_the_data_sheet() {
    let world = World::start().await;
    let client = &world.portal.admin;
    let catalogue = catalogue(client).await["id"].clone();
    let tpot = async || {
        let bodies = on_node(&world, &catalogue, "h100-sxm-80gb-x1").await;
        let run = ended(client, &world.send(client, &bodies).await).await;
        report(client, &run).await["summary"]["tpot_ms"]["mean"].as_f64().unwrap()
    };
    let by_data_sheet = tpot().await;
    let sheet = figures("NVIDIA H100 80GB HBM3", 989.0, 79.6, 3_350.0);
    let stated = client.post(PATH, &sheet).await.expect(201);
    assert_eq!(stated["device"], "H100-SXM-80GB");
    assert_eq!(tpot().await, by_data_sheet, "the same figures");
    let slower = client.post(PATH, &figures("H100-SXM-80GB", 989.0, 79.6, 1_675.0)).await.expect(201);
    assert_eq!(slower["id"], stated["id"], "in place of the earlier ones");
    let half = tpot().await;
    assert!(half > 1.2 * by_data_sheet && half < 2.1 * by_data_sheet, "half the bandwidth: {half}, it was {by_data_sheet}");
    client.post(PATH, &figures("H100-SXM-80GB", 989.0, 79.6, 6_700.0)).await.expect(201);
    assert!(tpot().await < by_data_sheet, "twice the bandwidth");
}

#[tokio::test]
async fn figures_are_administrators_to_state_and_are_checked() {
    let world = World::start().await;
    let client = &world.portal.admin;
    let member = world.portal.member("anna").await;
    let right = figures("Acme X1", 400.0, 80.0, 2_000.0);
    member.post(PATH, &right).await.expect(403);
    member.post(PATH, &json!({ "colour": 1 })).await.expect(403);
    let mut wrong = figures(" ", 0.0, -1.0, 1e9);
    let optional = ["link_bandwidth_gbps", "peak_fp8_tflops", "peak_fp4_tflops"];
    for field in optional {
        wrong[field] = json!(0);
    }
    let fields = [&["device", "peak_fp16_tflops", "memory_gib", "memory_bandwidth_gbps"][..], &optional].concat();
    assert_eq!(client.post(PATH, &wrong).await.fields(), fields);
    let refused = client.post(PATH, &figures("H100", 400.0, 80.0, 2_000.0)).await.expect(422);
    let meant = "H100 may be H100-SXM-80GB, H100-PCIe-80GB or H100-NVL-94GB. Name one of them.";
    assert_eq!(refused["errors"], json!([{ "field": "device", "message": meant }]));
    assert_eq!(client.post(PATH, &json!({ "device": "Acme X1" })).await.status, 422);
    assert_eq!(client.get(PATH).await.expect(200)["total"], 0, "nothing of it was kept");

    let stated = client.post(PATH, &right).await.expect(201);
    assert!(optional.iter().all(|field| stated.get(field).is_none()), "{stated}");
    assert_eq!(member.get(PATH).await.expect(200)["items"], json!([stated]));
    let one = format!("{PATH}/{}", stated["id"].as_str().unwrap());
    member.delete(&one).await.expect(403);
    client.delete(&one).await.expect(204);
    client.delete(&one).await.expect(404);
}

#[tokio::test]
async fn the_settings_state_figures_and_keep_what_was_typed() {
    let world = World::start().await;
    let client = &world.portal.admin;
    let send = async |fields: &[(&str, &str)]| {
        let answer = client.form("/api/ui/device-specification-set", fields).send().await.unwrap();
        assert_eq!(answer.status(), 302);
        page(client, answer.headers()["location"].to_str().unwrap()).await
    };
    let typed =
        [("specified_device", "H100"), ("peak_fp16_tflops", "fast"), ("memory_gib", "80"), ("memory_bandwidth_gbps", "2000")];
    let shown = send(&typed).await;
    for part in [
        r#"id="f-specified_device-error""#,
        "H100 may be H100-SXM-80GB, H100-PCIe-80GB or H100-NVL-94GB.",
        "The peak at 16 bits is a number of TFLOPS from 0.01 to 1,000,000.",
        r#"value="fast""#,
        r#"value="2000""#,
    ] {
        assert!(shown.contains(part), "{part:?} is not in {shown}");
    }
    assert!(!shown.contains(r#"id="f-device-error""#), "the form for prices has no error");

    let typed = [
        ("specified_device", "NVIDIA L4"),
        ("peak_fp16_tflops", "100.5"),
        ("memory_gib", "22"),
        ("memory_bandwidth_gbps", "280"),
        ("peak_fp8_tflops", "201.25"),
    ];
    let shown = send(&typed).await;
    for part in ["The figures of L4-24GB were stated.", "100.5", "201.25", "121 TFLOPS, 22.5 GiB, 300 GB/s", "Remove L4-24GB?"] {
        assert!(shown.contains(part), "{part:?} is not in {shown}");
    }
    let member = world.portal.member("anna").await;
    let read = page(&member, "/settings").await;
    assert!(read.contains("121 TFLOPS, 22.5 GiB, 300 GB/s") && !read.contains("device-specification-set"), "{read}");

    let id = client.get(PATH).await.expect(200)["items"][0]["id"].as_str().unwrap().to_owned();
    let answer = client.form("/api/ui/device-specification-delete", &[("id", &id)]).send().await.unwrap();
    assert_eq!(answer.status(), 302);
    assert_eq!(client.get(PATH).await.expect(200)["total"], 0);
}
