//! Bodies of the wrong shape: what is refused is said without what was in it, which may be a secret.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::world::{WORKFLOW, World};
use crate::support::{Answer, TestApp, answer};

/// Stand for secrets that were put into the wrong field or written as the wrong type.
const WORD: &str = "hunter2, expected anything";
const NUMBER: u64 = 8_675_309;

fn repeats_a_secret(refused: &Answer) -> bool {
    let text = refused.body.to_string();
    text.contains("hunter2") || text.contains("8675309")
}

#[tokio::test]
async fn a_value_of_the_wrong_type_is_not_repeated() {
    let app = TestApp::start().await;
    let credential = |field: &str, value: Value| {
        let mut body = json!({ "name": "k", "provider": "openai", "secret": "s" });
        body[field] = value;
        ("/api/v1/credentials".to_owned(), body)
    };
    let password = |value: Value| {
        ("/api/v1/account/password".to_owned(), json!({ "current_password": value, "new_password": "long enough, this" }))
    };
    let price = json!({ "device": "L4", "per_hour": WORD, "currency": "EUR" });
    let calibration = json!({ "model_id": "hunter2", "hostname": "n" });
    let cluster = |field: &str| ("/api/v1/clusters".to_owned(), json!({ "kind": "kubernetes", "name": "k", field: WORD }));
    let calls = [
        (credential("secret", json!(NUMBER)), "secret", "expected a string"),
        (credential("secret", json!([WORD])), "secret", "expected a string"),
        (credential("secret", json!({ "value": WORD })), "secret", "expected a string"),
        (credential("provider", json!(WORD)), "provider", "`openai`"),
        (password(json!(NUMBER)), "current_password", "expected a string"),
        (password(json!([WORD])), "current_password", "expected a string"),
        (("/api/v1/tokens".to_owned(), json!({ "name": NUMBER })), "name", "expected a string"),
        (("/api/v1/users".to_owned(), json!({ "name": "n", "role": WORD })), "role", "`member`"),
        (("/api/v1/prices".to_owned(), price), "per_hour", "expected f64"),
        (cluster("model_roots"), "model_roots", "expected a sequence"),
        (cluster("cache"), "cache", "expected"),
        ((format!("/api/v1/clusters/{}/calibrate", Uuid::nil()), calibration), "model_id", "UUID"),
    ];
    for ((path, body), field, expected) in calls {
        let refused = app.admin.post(&path, &body).await;
        assert!(!repeats_a_secret(&refused), "{path} {body}: {}", refused.body);
        let detail = refused.body["detail"].as_str().unwrap_or_default();
        assert!(detail.contains(expected), "{path} {body}: {detail}");
        assert_eq!(refused.fields(), [field], "{path} {body}");
    }
    // The answer does not grow with the name of a field that there is none of.
    let refused = app.admin.post("/api/v1/tokens", &json!({ "name": "n", "x".repeat(100_000): 1 })).await;
    assert!(refused.body.to_string().len() < 2_000);
    assert_eq!(refused.fields(), ["x".repeat(100)]);
    let refused = app.admin.post(WORKFLOW, &json!({ "step_number": 2, "slo": { "x".repeat(100_000): 1 } })).await;
    assert!(refused.body.to_string().len() < 2_000);
}

#[tokio::test]
async fn a_header_that_is_none_is_not_repeated() {
    let world = World::start().await;
    let client = &world.portal.admin;
    let draft = world.send(client, &world.walk("configuration", world.local_model)[..1]).await;
    for headers in [json!(["hunter2"]), json!(["X: hunter2"]), json!([{ "name": "X-Key: hunter2", "value": "v" }])] {
        let body = json!({ "workflow_id": draft["workflow_id"], "step_number": 2, "headers": headers });
        let refused = client.post(WORKFLOW, &body).await;
        assert!(!repeats_a_secret(&refused), "{body}: {}", refused.body);
        assert_eq!(refused.body["errors"][0]["field"], "headers", "{body}: {}", refused.body);
    }
}

/// Of two values under one name a reader may take the first and another the last: neither counts.
#[tokio::test]
async fn a_name_that_stands_twice_is_refused() {
    let app = TestApp::start().await;
    let nil = Uuid::nil();
    let post = |path: &str, body: &str| {
        answer(app.admin.request(Method::POST, path).header("content-type", "application/json").body(body.to_owned()))
    };
    for (path, body, field) in [
        ("/api/v1/tokens", r#"{"name": "a", "name": "hunter2"}"#, "name"),
        ("/api/v1/tokens", r#"{"name": "a", "n\u0061me": "b"}"#, "name"),
        ("/api/v1/users", r#"{"name": "anna", "role": "member", "role": "administrator"}"#, "role"),
        ("/api/v1/credentials", r#"{"name": "k", "secret": "a", "provider": "openai", "secret": "b"}"#, "secret"),
        (WORKFLOW, r#"{"step_number": 1, "step_number": 8}"#, "step_number"),
        (WORKFLOW, r#"{"step_number": 1, "tags": ["a", {"name": "b", "color": null, "name": "c"}]}"#, "tags[1].name"),
        (WORKFLOW, r#"{"step_number": 2, "slo": {"search": {"min": 1, "min": 2}}}"#, "slo.search.min"),
        (
            &format!("/api/v1/benchmarks/{nil}/runs"),
            r#"{"run_as_simulation": true, "run_as_simulation": false}"#,
            "run_as_simulation",
        ),
    ] {
        let refused = post(path, body).await;
        assert!(!repeats_a_secret(&refused), "{path} {body}: {}", refused.body);
        let detail = refused.body["detail"].as_str().unwrap_or_default().to_owned();
        assert_eq!(refused.fields(), [field], "{path} {body}");
        assert_eq!(detail, format!("{field} is given twice."), "{path} {body}");
    }
    assert_eq!(app.admin.get("/api/v1/tokens").await.expect(200)["total"], 0);
    // The same name in two objects is no repetition.
    let two = r#"{"step_number": 1, "tags": [{"name": "a"}, {"name": "b"}]}"#;
    assert!(!post(WORKFLOW, two).await.body.to_string().contains("given twice"));
    // Neither the answer nor what is kept of a long name is as long.
    let long = "x".repeat(700_000);
    let refused = post("/api/v1/tokens", &format!(r#"{{"{long}": 1, "{long}": 2}}"#)).await;
    assert!(refused.body.to_string().len() < 2_000);
    assert_eq!(refused.status, 422);
}

/// A list is no body, whatever it holds in the order in which the program happens to have its fields.
#[tokio::test]
async fn a_list_is_not_taken_for_an_object() {
    let app = TestApp::start().await;
    let nil = Uuid::nil();
    let calls = [
        ("/api/v1/users".to_owned(), json!(["arr", "administrator"])),
        ("/api/v1/tokens".to_owned(), json!(["t"])),
        ("/api/v1/credentials".to_owned(), json!(["k", "openai", "hunter2", null])),
        ("/api/v1/account/password".to_owned(), json!(["hunter2", "long enough, this"])),
        ("/api/v1/models".to_owned(), json!([])),
        ("/api/v1/prices".to_owned(), json!(["L4", 1.0, "EUR"])),
        ("/api/v1/device-specifications".to_owned(), json!([])),
        ("/api/v1/clusters".to_owned(), json!(["k", "kubernetes"])),
        (format!("/api/v1/clusters/{nil}/calibrate"), json!([nil, "n"])),
        (format!("/api/v1/benchmarks/{nil}/runs"), json!([true])),
        (WORKFLOW.to_owned(), json!([1, "name"])),
    ];
    // Those of the document, so that a new call is tried as well.
    let document = app.admin.get("/api/v1/openapi.json").await.expect(200);
    let of_document = document["paths"].as_object().unwrap().iter().flat_map(|(path, methods)| {
        let path = path.replace("{id}", &nil.to_string());
        let with_json = |call: &Value| call["requestBody"]["content"].get("application/json").is_some();
        methods
            .as_object()
            .unwrap()
            .iter()
            .filter(move |(_, call)| with_json(call))
            .map(move |(method, _)| (Method::from_bytes(method.to_uppercase().as_bytes()).unwrap(), path.clone(), json!([])))
    });
    let calls: Vec<_> = calls.into_iter().map(|(path, body)| (Method::POST, path, body)).chain(of_document).collect();
    assert!(calls.len() > 20, "{calls:?}");
    for (method, path, body) in calls {
        let refused = answer(app.admin.request(method.clone(), &path).json(&body)).await;
        assert!(!repeats_a_secret(&refused), "{path} {body}: {}", refused.body);
        assert_eq!(refused.body["detail"], "The body must be a JSON object.", "{method} {path} {body}");
        assert_eq!(refused.fields(), ["body"], "{method} {path} {body}");
    }
    for cache in [json!({ "host_path": ["/x"] }), json!(["host_path", "/x"])] {
        let refused = app.admin.post("/api/v1/clusters", &json!({ "kind": "kubernetes", "name": "k", "cache": cache })).await;
        assert_eq!(refused.status, 422, "{cache}: {}", refused.body);
    }
    for (step, field, value) in [
        (1, "tags", json!([["name", "#aabbcc"]])),
        (2, "headers", json!([["X-Team", "a"]])),
        (2, "slo", json!(["a"])),
        (2, "prefix", json!([1, 2])),
        (4, "nodes", json!([["n"]])),
    ] {
        let refused = app.admin.post(WORKFLOW, &json!({ "step_number": step, field: value })).await;
        let fields = refused.fields();
        assert!(fields.iter().any(|named| named.starts_with(field)), "{field}: {fields:?}");
    }
}
