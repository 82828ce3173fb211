//! Drafts: listed, resumed, discarded; benchmarks: run again, copied.

use reqwest::Method;
use serde_json::{Value, json};

use super::world::{World, post};
use crate::support::answer;

#[tokio::test]
async fn drafts_are_listed_resumed_and_discarded() {
    let world = World::start().await;
    let client = &world.portal.admin;
    let bodies = world.walk("configuration", world.local_model);
    let mut other = bodies[0].clone();
    other["name"] = json!("Other");
    let first = world.send(client, &bodies[..3]).await;
    world.send(client, &[other]).await;

    let list = client.get("/api/v1/workflows").await.expect(200);
    assert_eq!(list["total"], 2);
    let row = |index: usize| &list["items"][index];
    assert_eq!((&row(0)["name"], &row(0)["next_page"]), (&json!("Other"), &json!("Load")));
    assert_eq!((&row(1)["name"], &row(1)["next_page"]), (&json!("test-111"), &json!("Nodes")));
    assert_eq!((&row(1)["next_page_number"], &row(1)["pages"], &row(1)["revision"]), (&json!(4), &json!(8), &json!(3)));

    let found = |query: &str| {
        let path = format!("/api/v1/workflows?{query}");
        async move { client.get(&path).await }
    };
    assert_eq!(found("search=OTH").await.expect(200)["total"], 1);
    let page = found("sort=name&page=2&page_size=1").await.expect(200);
    assert_eq!((&page["total"], &page["items"][0]["name"]), (&json!(2), &json!("test-111")));
    assert_eq!(found("sort=colour").await.fields(), ["sort"]);
    assert_eq!(found("status=failed").await.fields(), ["status"]);
    assert_eq!(found("page=two").await.fields(), ["page"]);
    assert_eq!(found("colour=red").await.fields(), ["colour"]);

    let path = format!("/api/v1/workflows/{}", first["workflow_id"].as_str().unwrap());
    assert_eq!(client.get(&path).await.expect(200), first);
    client.delete(&path).await.expect(204);
    client.get(&path).await.expect(404);
    client.delete(&path).await.expect(404);
    post(client, &bodies[3], &first).await.expect(404);
}

#[tokio::test]
async fn a_benchmark_runs_again_and_is_copied() {
    let world = World::start().await;
    let client = &world.portal.admin;
    let done = world.send(client, &world.walk("dataset", world.cloud_model)).await;
    let workflow = format!("/api/v1/workflows/{}", done["workflow_id"].as_str().unwrap());
    client.delete(&workflow).await.expect(409);

    let benchmark = format!("/api/v1/benchmarks/{}", done["benchmark_id"].as_str().unwrap());
    let run = client.post(&format!("{benchmark}/runs"), &json!({})).await.expect(201);
    assert_eq!(run["benchmark_id"], done["benchmark_id"]);
    assert_ne!(run["id"], done["run_id"]);
    let without_body = answer(client.request(Method::POST, &format!("{benchmark}/runs"))).await.expect(201);
    assert_eq!(without_body["benchmark_id"], done["benchmark_id"]);
    let simulated = client.post(&format!("{benchmark}/runs"), &json!({ "run_as_simulation": true })).await;
    assert_eq!(simulated.fields(), ["run_as_simulation"]);
    assert_eq!(client.post(&format!("{benchmark}/runs"), &json!({ "colour": 1 })).await.fields(), ["colour"]);
    // The workflow still shows the run that it started.
    assert_eq!(client.get(&workflow).await.expect(200)["run_id"], done["run_id"]);

    let copy = client.post(&format!("{benchmark}/clone"), &Value::Null).await.expect(201);
    assert_ne!(copy["workflow_id"], done["workflow_id"]);
    assert_eq!((&copy["current_step"], &copy["status"]), (&json!(7), &json!("in_progress")));
    let mut expected = done["workflow_steps"].clone();
    expected.as_object_mut().unwrap().retain(|field, _| field != "user_confirmation" && field != "run_as_simulation");
    assert_eq!(copy["workflow_steps"], expected);
    let bodies = world.walk("dataset", world.cloud_model);
    let second = world.send_on(client, &bodies[6..], copy).await;
    assert_ne!(second["benchmark_id"], done["benchmark_id"]);

    let list = client.get("/api/v1/benchmarks?search=TEST&sort=name").await.expect(200);
    assert_eq!(list["total"], 2);
    // What is somebody's is nobody else's.
    let anna = world.portal.member("anna").await;
    assert_eq!(anna.get("/api/v1/benchmarks").await.expect(200)["total"], 0);
    for path in [benchmark.clone(), workflow] {
        anna.get(&path).await.expect(404);
    }
    anna.post(&format!("{benchmark}/runs"), &json!({})).await.expect(404);
    anna.post(&format!("{benchmark}/clone"), &json!({})).await.expect(404);
}

#[tokio::test]
async fn what_has_gone_is_named_when_it_is_run_again() {
    let world = World::start().await;
    let client = &world.portal.admin;
    let done = world.send(client, &world.walk("configuration", world.local_model)).await;
    std::fs::remove_dir_all(world.portal.app.config.data_dir.join("engines")).unwrap();
    let path = format!("/api/v1/benchmarks/{}/runs", done["benchmark_id"].as_str().unwrap());
    let again = client.post(&path, &json!({})).await;
    // Where llama.cpp is on the PATH, it is still there.
    if again.status == 422 {
        assert_eq!(again.fields(), ["engine"]);
    } else {
        again.expect(201);
    }
}

/// Most drafts of a person.
const MOST: usize = 1_000;

#[tokio::test]
async fn a_person_has_so_many_drafts_and_no_more() {
    let world = World::start().await;
    let (store, client) = (&world.portal.app.store, &world.portal.admin);
    let bodies = world.walk("dataset", world.cloud_model);
    let benchmark = world.send(client, &bodies).await["benchmark_id"].as_str().unwrap().to_owned();
    let first = world.send(client, &bodies[..1]).await["workflow_id"].as_str().unwrap().to_owned();
    let user = store.first_administrator(jiff::Timestamp::now()).await.unwrap();
    let actor = dyno::domain::user::Actor { id: user.id, name: user.name, role: user.role };
    let one = store.workflow(&actor, first.parse().unwrap()).await.unwrap();
    for _ in 2..MOST {
        let id = uuid::Uuid::now_v7();
        store.insert_workflow(&dyno::domain::workflow::Draft { id, ..one.clone() }).await.unwrap();
    }
    // The workflow whose run is started does not count.
    let form = uuid::Uuid::now_v7().to_string();
    let fields = [("begins", form.as_str()), ("name", "of a form"), ("concurrent_requests", "4"), ("eval_with", "configuration")];
    let begin = async |fields: &[(&str, &str)]| {
        let answer = client.form("/api/ui/wizard-details", fields).send().await.unwrap();
        answer.headers()["location"].to_str().unwrap().to_owned()
    };
    let begun = begin(&fields).await;
    assert!(begun.starts_with("/wizard/"), "{begun}");
    assert_eq!(client.get("/api/v1/workflows").await.expect(200)["total"], MOST);

    let said = "You have 1,000 drafts, which is the most that one may have. Discard some that are no longer needed.";
    let refused = post(client, &bodies[0], &Value::Null).await;
    assert_eq!(refused.expect(409)["detail"], said);
    let copy = format!("/api/v1/benchmarks/{benchmark}/clone");
    assert_eq!(client.post(&copy, &json!({})).await.expect(409)["detail"], said);
    let another = uuid::Uuid::now_v7().to_string();
    let mut again = fields;
    again[0].1 = &another;
    let back = begin(&again).await;
    assert!(back.starts_with("/benchmarks/new?"), "{back}");
    let html = client.request(Method::GET, &back).send().await.unwrap().text().await.unwrap();
    assert!(html.contains(said) && html.contains("of a form"), "{html}");
    assert_eq!(client.get("/api/v1/workflows").await.expect(200)["total"], MOST);

    // The form that has begun one already is no other draft; other people have drafts of their own; a place that is free is one.
    assert_eq!(begin(&fields).await, begun);
    let anna = world.portal.member("anna").await;
    world.send(&anna, &bodies[..1]).await;
    client.delete(&format!("/api/v1/workflows/{first}")).await.expect(204);
    client.post(&copy, &json!({})).await.expect(201);
}
