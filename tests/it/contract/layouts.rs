//! `GET /workflows/{id}/layouts`: every layout on the chosen nodes, ranked or explained in numbers.

use dyno::domain::inventory::{Model, ModelSource};
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::world::World;

/// A model that is known by its name alone.
async fn hub_model(world: &World, repository: &str) -> Uuid {
    let source = ModelSource::Hub { repository: repository.to_owned(), revision: "main".to_owned() };
    let (id, name) = (Uuid::now_v7(), repository.to_owned());
    let model = Model { id, name, source, facts: None, owner: None, archived: false, created_at: Timestamp::now() };
    world.portal.app.store.insert_model(&model).await.unwrap();
    id
}

/// A draft as far as step 5, on eight H100s of the catalogue.
async fn draft(world: &World, model: Uuid, load: &Value) -> String {
    let client = &world.portal.admin;
    let clusters = client.get("/api/v1/clusters").await.expect(200);
    let catalogue = clusters["items"].as_array().unwrap().iter().find(|row| row["kind"] == "catalogue").unwrap()["id"].clone();
    let mut bodies = world.walk("configuration", model);
    bodies.truncate(5);
    bodies[1].as_object_mut().unwrap().extend(load.as_object().unwrap().clone());
    bodies[2]["cluster_id"] = catalogue;
    bodies[3]["nodes"] = json!([{ "hostname": "h100-sxm-80gb-x8" }]);
    world.send(client, &bodies).await["workflow_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn layouts_are_ranked_and_the_others_explained() {
    let world = World::start().await;
    let client = &world.portal.admin;
    let model = hub_model(&world, "meta-llama/Llama-3.1-70B-Instruct").await;
    let load = json!({ "max_input_tokens": 1024, "max_output_tokens": 256, "slo": { "percentile": 99, "tpot_ms": 40 } });
    let id = draft(&world, model, &load).await;
    let advice = client.get(&format!("/api/v1/workflows/{id}/layouts")).await.expect(200);
    assert_eq!((&advice["nodes"], &advice["devices"]), (&json!(1), &json!("8 × H100-SXM-80GB")));
    let layouts = advice["layouts"].as_array().unwrap();
    let rank = |row: &Value| {
        let figures = &row["figures"];
        (figures["meets_limits"].as_bool().unwrap_or(false), figures["output_throughput"].as_f64().unwrap_or(0.0))
    };
    assert!(layouts.is_sorted_by(|one, other| rank(one) >= rank(other)), "{advice:#}");
    let eight = layouts.iter().find(|row| row["tensor_parallel"] == 8).unwrap();
    assert_eq!((&eight["replicas"], &eight["devices"], &eight["fits"]), (&json!(1), &json!(8), &json!(true)));
    assert!(eight["figures"]["ttft_ms"]["p99"].as_f64() > eight["figures"]["ttft_ms"]["p50"].as_f64());
    let one = layouts.iter().find(|row| row["tensor_parallel"] == 1).unwrap();
    assert_eq!((&one["fits"], &one["figures"]), (&json!(false), &Value::Null));
    assert!(
        one["reason"].as_str().unwrap().contains("141 GB of weights") && one["missing_bytes"].as_u64() > Some(60_000_000_000),
        "{one}"
    );
    assert!(advice["prediction"]["runs"].is_u64());
}

#[tokio::test]
async fn what_has_no_layout_is_said() {
    let world = World::start().await;
    let client = &world.portal.admin;
    let asked = async |id: &str| client.get(&format!("/api/v1/workflows/{id}/layouts")).await;
    let bodies = world.walk("configuration", world.cloud_model);
    let early = world.send(client, &bodies[..4]).await;
    let refused = asked(early["workflow_id"].as_str().unwrap()).await.expect(409);
    assert!(refused["detail"].as_str().unwrap().starts_with("Choose a model first"), "{refused}");
    let cloud = world.send(client, &bodies[..5]).await;
    let refused = asked(cloud["workflow_id"].as_str().unwrap()).await.expect(422);
    assert_eq!(refused["errors"][0]["field"], "model_id");
    let unknown = draft(&world, world.hub_model, &json!({})).await;
    let refused = asked(&unknown).await.expect(422);
    assert!(refused["errors"][0]["message"].as_str().unwrap().contains("nothing is known of its architecture"), "{refused}");
    asked(&Uuid::nil().to_string()).await.expect(404);
}

/// Prices are everybody's to read and administrators' to set; with one, layouts have a cost and a place by it.
#[tokio::test]
async fn layouts_are_ranked_by_cost_where_the_device_has_a_price() {
    let world = World::start().await;
    let client = &world.portal.admin;
    let model = hub_model(&world, "meta-llama/Llama-3.1-8B-Instruct").await;
    let id = draft(&world, model, &json!({ "max_input_tokens": 512, "max_output_tokens": 128 })).await;
    let advice = async || client.get(&format!("/api/v1/workflows/{id}/layouts")).await.expect(200);
    let without = advice().await;
    assert!(without["price"].is_null() && !without.to_string().contains("cost"), "{without:#}");

    let member = world.portal.member("anna").await;
    let body = json!({ "device": "NVIDIA H100 80GB HBM3", "per_hour": 2.5, "currency": "EUR" });
    member.post("/api/v1/prices", &body).await.expect(403);
    let price = client.post("/api/v1/prices", &body).await.expect(201);
    assert_eq!((&price["device"], &price["currency"]), (&json!("H100-SXM-80GB"), &json!("EUR")));
    assert_eq!(member.get("/api/v1/prices").await.expect(200)["items"][0], price);
    let other = json!({ "device": "L4", "per_hour": -1, "currency": "" });
    let refused = client.post("/api/v1/prices", &other).await.expect(422);
    let fields: Vec<_> = refused["errors"].as_array().unwrap().iter().map(|error| &error["field"]).collect();
    assert_eq!(fields, ["per_hour", "currency"]);

    // A name that several devices have replaces no price of one of them.
    let short = json!({ "device": "H100", "per_hour": 9.0, "currency": "EUR" });
    let refused = client.post("/api/v1/prices", &short).await.expect(422);
    let meant = "H100 may be H100-SXM-80GB, H100-PCIe-80GB or H100-NVL-94GB. Name one of them.";
    assert_eq!(refused["errors"], json!([{ "field": "device", "message": meant }]));
    assert_eq!(client.get("/api/v1/prices").await.expect(200)["items"], json!([price]));
    let settings = super::simulation::page(client, "/settings").await;
    assert!(settings.contains("<datalist") && settings.contains(r#"<option value="H100-PCIe-80GB">"#), "{settings}");

    let priced = advice().await;
    assert_eq!(priced["price"], price);
    let rows = priced["layouts"].as_array().unwrap();
    let mut by_cost: Vec<(u64, f64)> = Vec::new();
    for row in rows.iter().filter(|row| row["fits"] == true) {
        let figures = &row["figures"];
        let cost = figures["cost_per_million_output_tokens"].as_f64().unwrap();
        let throughput = figures["output_throughput"].as_f64().unwrap();
        let expected = row["devices"].as_f64().unwrap() * 2.5 / 3600.0 * 1e6 / throughput;
        assert!((cost / expected - 1.0).abs() < 1e-9, "{row}");
        by_cost.push((figures["cost_rank"].as_u64().unwrap(), cost));
    }
    by_cost.sort_by_key(|(rank, _)| *rank);
    assert!(by_cost.len() > 3 && by_cost.is_sorted_by(|(_, one), (_, other)| one <= other), "{by_cost:?}");
    assert!(by_cost.iter().enumerate().all(|(index, (rank, _))| *rank == index as u64 + 1), "{by_cost:?}");

    let price = format!("/api/v1/prices/{}", price["id"].as_str().unwrap());
    member.delete(&price).await.expect(403);
    client.delete(&price).await.expect(204);
    client.delete(&price).await.expect(404);
    assert_eq!(advice().await, without);
}
