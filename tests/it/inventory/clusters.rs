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
