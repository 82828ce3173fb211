//! What is refused, and how it is said.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::example;
use super::world::{WORKFLOW, World, post};
use crate::support::answer;

#[tokio::test]
async fn an_input_error_is_a_problem_with_fields_and_steps() {
    let world = World::start().await;
    let client = &world.portal.admin;
    let mut body = example("1-details-configuration");
    body["name"] = json!("x".repeat(63));
    body["concurrent_requests"] = json!(0);
    let refused = client.post(WORKFLOW, &body).await;
    assert_eq!(refused.content_type, "application/problem+json");
    let problem = refused.expect(422);
    assert_eq!((&problem["type"], &problem["status"]), (&json!("urn:dyno:problem:invalid-input"), &json!(422)));
    assert_eq!(
        problem["errors"],
        json!([
            { "field": "name", "step": 1, "message": "Name must be 50 characters or fewer; this has 63." },
            { "field": "concurrent_requests", "step": 1, "message": "Concurrent requests must be a whole number between 1 and 10,000." },
        ])
    );
    // Nothing is kept before it is valid.
    assert_eq!(client.get("/api/v1/workflows").await.expect(200)["total"], 0);
}

#[tokio::test]
async fn no_json_is_400_and_nobody_is_401() {
    let world = World::start().await;
    let client = &world.portal.admin;
    for text in ["", "name=x", "{\"name\":"] {
        let got = answer(client.request(Method::POST, WORKFLOW).header("content-type", "application/json").body(text)).await;
        assert_eq!((got.status.as_u16(), got.content_type.as_str()), (400, "application/problem+json"), "{text}");
    }
    let body = example("1-details-configuration");
    world.portal.nobody().post(WORKFLOW, &body).await.expect(401);
    assert_eq!(client.post(WORKFLOW, &json!([])).await.fields(), ["body"]);
}

#[tokio::test]
async fn what_does_not_exist_or_is_anothers_is_404() {
    let world = World::start().await;
    let anna = world.portal.member("anna").await;
    let bodies = world.walk("configuration", world.local_model);
    let hers = world.send(&anna, &bodies[..1]).await;
    let bert = world.portal.member("bert").await;
    let path = format!("/api/v1/workflows/{}", hers["workflow_id"].as_str().unwrap());

    let none = post(&bert, &bodies[1], &json!({ "workflow_id": Uuid::now_v7() })).await;
    let others = post(&bert, &bodies[1], &hers).await;
    assert_eq!(none.body, others.body);
    none.expect(404);
    others.expect(404);
    bert.get(&path).await.expect(404);
    bert.delete(&path).await.expect(404);
    assert_eq!(bert.get("/api/v1/workflows").await.expect(200)["total"], 0);
    bert.get("/api/v1/workflows/seven").await.expect(404);
    anna.get(&path).await.expect(200);
}

#[tokio::test]
async fn another_persons_credential_is_none() {
    let world = World::start().await;
    let anna = world.portal.member("anna").await;
    let bodies = world.walk("configuration", world.cloud_model);
    let before = world.send(&anna, &bodies[..5]).await;
    let refused = post(&anna, &bodies[5], &before).await.expect(422);
    assert_eq!(refused["errors"], json!([{ "field": "credential_id", "step": 6, "message": "There is no such credential." }]));
}

#[tokio::test]
async fn a_missing_engine_is_refused_at_the_trigger() {
    let world = World::start().await;
    let client = &world.portal.admin;
    let mut bodies = world.walk("configuration", world.hub_model);
    bodies[4]["engine"] = json!("tgi");
    let trigger = bodies.pop().unwrap();
    let before = world.send(client, &bodies).await;
    let refused = post(client, &trigger, &before).await.expect(422);
    assert_eq!((&refused["errors"][0]["field"], &refused["errors"][0]["step"]), (&json!("engine"), &json!(5)));
    let detail = refused["detail"].as_str().unwrap();
    assert!(detail.starts_with("Text Generation Inference is not installed. "), "{detail}");

    // It left no benchmark behind, and the draft is there.
    assert_eq!(client.get("/api/v1/benchmarks").await.expect(200)["total"], 0);
    assert_eq!(client.get("/api/v1/workflows").await.expect(200)["total"], 1);
}

#[tokio::test]
async fn a_refused_step_changes_nothing() {
    let world = World::start().await;
    let client = &world.portal.admin;
    let (before, _) = world.confirmed().await;
    let path = format!("/api/v1/workflows/{}", before["workflow_id"].as_str().unwrap());
    for body in [
        json!({ "step_number": 1, "name": "new", "tags": 7 }),
        json!({ "step_number": 2, "max_input_tokens": 9_000 }),
        json!({ "step_number": 3, "name": "new", "cluster_id": Uuid::now_v7() }),
        json!({ "step_number": 4, "nodes": [{ "hostname": "no-such-node" }] }),
        json!({ "step_number": 5, "model_id": Uuid::now_v7() }),
        json!({ "step_number": 6, "credential_id": world.credential }),
        json!({ "step_number": 7, "user_confirmation": false }),
        json!({ "step_number": 8, "run_as_simulation": false, "trigger_workflow": true, "name": "new" }),
        json!({ "step_number": 9 }),
        json!({ "step_number": 1, "colour": "red" }),
        json!({ "step_number": 1, "workflow_total_steps": 9 }),
    ] {
        let refused = post(client, &body, &before).await.expect(422);
        assert!(refused["errors"].as_array().is_some_and(|errors| !errors.is_empty()), "{body}");
        assert_eq!(client.get(&path).await.expect(200), before, "{body}");
    }
}

#[tokio::test]
async fn the_document_describes_the_calls() {
    let world = World::start().await;
    let document = world.portal.admin.get("/api/v1/openapi.json").await.expect(200);
    assert_eq!(document["openapi"].as_str().map(|version| &version[..2]), Some("3."));
    for (path, method) in [
        (WORKFLOW, "post"),
        ("/api/v1/workflows", "get"),
        ("/api/v1/workflows/{id}", "get"),
        ("/api/v1/workflows/{id}", "delete"),
        ("/api/v1/benchmarks", "get"),
        ("/api/v1/benchmarks/{id}", "get"),
        ("/api/v1/benchmarks/{id}/runs", "post"),
        ("/api/v1/benchmarks/{id}/clone", "post"),
    ] {
        let operation = &document["paths"][path][method];
        assert!(operation.is_object(), "{method} {path}");
        let problem = &operation["responses"]["422"]["content"]["application/problem+json"]["schema"]["$ref"];
        assert_eq!(problem, "#/components/schemas/Problem", "{method} {path}");
    }
    assert_eq!(document["security"], json!([{ "token": [] }, { "session": [] }]));
    assert_eq!(document["components"]["securitySchemes"]["token"]["scheme"], "bearer");
    // Whatever is referred to is there.
    let mut references = Vec::new();
    collect(&document, &mut references);
    assert!(references.len() > 20);
    for reference in references {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
    }
}

fn collect(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            references.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|value| collect(value, references));
        }
        Value::Array(items) => items.iter().for_each(|value| collect(value, references)),
        _ => {}
    }
}

/// What validators and generators of clients hold against a document: parameters of a path that the path does not have, answers
/// without a description, operations of one name.
#[tokio::test]
async fn the_api_document_is_one_that_generators_take() {
    let world = World::start().await;
    let document = world.portal.admin.get("/api/v1/openapi.json").await.expect(200);
    assert_eq!((&document["servers"][0]["url"], &document["info"]["license"]["name"]), (&json!("/"), &json!("Apache-2.0")));
    let mut used = Vec::new();
    collect(&document, &mut used);
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        assert!(used.contains(&format!("#/components/schemas/{name}")), "nothing refers to {name}");
        if let Some(row) = name.strip_prefix("Page_") {
            assert_eq!(schema["properties"]["items"]["items"]["$ref"], format!("#/components/schemas/{row}"));
        }
        // Generators that know no more than objects take no other parts.
        for part in schema["allOf"].as_array().into_iter().flatten() {
            let part = part["$ref"].as_str().map_or(part, |reference| document.pointer(&reference[1..]).unwrap());
            assert!(part.get("oneOf").is_none(), "{name} is one of several with fields beside it");
        }
    }
    let model = &document["components"]["schemas"]["Model"]["oneOf"];
    let of_file = model.as_array().unwrap().iter().find(|one| one["properties"]["source"]["enum"] == json!(["file"])).unwrap();
    for field in ["id", "path", "location", "source"] {
        assert!(of_file["properties"].get(field).is_some() && of_file["required"].as_array().unwrap().contains(&json!(field)));
    }
    for tag in document["tags"].as_array().unwrap() {
        assert!(tag["description"].as_str().is_some_and(|words| !words.is_empty()), "{tag}");
    }
    let mut names = std::collections::BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let at = format!("{method} {path}");
            let name = operation["operationId"].as_str().unwrap_or_default().to_owned();
            assert!(!name.is_empty() && names.insert(name.clone()), "{at}: {name:?} is no name of its own");
            let mut in_path: Vec<String> = Vec::new();
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let parameter_name = parameter["name"].as_str().unwrap();
                match parameter["in"].as_str() {
                    Some("path") => {
                        assert!(path.contains(&format!("{{{parameter_name}}}")), "{at}: {parameter_name} is not in the path");
                        assert_eq!(parameter["required"], true, "{at}: {parameter_name}");
                        in_path.push(parameter_name.to_owned());
                    }
                    place => assert!(matches!(place, Some("query" | "header")), "{at}: {parameter_name} in {place:?}"),
                }
            }
            assert_eq!(path.matches('{').count(), in_path.len(), "{at}: {in_path:?}");
            for (status, answer) in operation["responses"].as_object().unwrap() {
                assert!(!answer["description"].as_str().unwrap_or_default().is_empty(), "{at}: {status}");
            }
        }
    }
}
