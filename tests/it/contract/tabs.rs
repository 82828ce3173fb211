//! Two tabs, and many triggers at once.

use std::collections::BTreeSet;

use futures::future::join_all;
use serde_json::{Value, json};

use super::world::{WORKFLOW, World, in_workflow, post};

#[tokio::test]
async fn the_later_save_is_told_what_changed() {
    let world = World::start().await;
    let client = &world.portal.admin;
    let bodies = world.walk("configuration", world.local_model);
    let seen = world.send(client, &bodies[..4]).await;

    let mut first = json!({ "step_number": 2, "max_input_tokens": 60, "name": "first tab" });
    first["if_revision"] = seen["revision"].clone();
    let saved = post(client, &first, &seen).await.expect(200);
    assert_eq!(saved["revision"].as_u64(), Some(seen["revision"].as_u64().unwrap() + 1));

    let mut second = json!({ "step_number": 1, "name": "second tab" });
    second["if_revision"] = seen["revision"].clone();
    let refused = post(client, &second, &seen).await.expect(409);
    assert_eq!(refused["changed"], json!(["max_input_tokens", "name"]));
    assert_eq!(refused["type"], "urn:dyno:problem:conflict");
    let path = format!("/api/v1/workflows/{}", seen["workflow_id"].as_str().unwrap());
    assert_eq!(client.get(&path).await.expect(200), saved);

    // Without a revision the last write wins.
    second.as_object_mut().unwrap().remove("if_revision");
    let overwritten = post(client, &second, &seen).await.expect(200);
    assert_eq!(overwritten["workflow_steps"]["name"], "second tab");
    assert_eq!(overwritten["workflow_steps"]["max_input_tokens"], 60);
}

#[tokio::test]
async fn of_many_saves_of_one_revision_one_is_kept() {
    let world = World::start().await;
    let client = &world.portal.admin;
    let seen = world.send(client, &world.walk("configuration", world.local_model)[..1]).await;
    let saves = (0..8).map(|number| {
        let body = json!({ "step_number": 1, "name": format!("tab {number}"), "if_revision": seen["revision"] });
        let body = in_workflow(&body, &seen);
        async move { client.post(WORKFLOW, &body).await.status.as_u16() }
    });
    let mut statuses = join_all(saves).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409, 409, 409, 409, 409, 409, 409]);
}

#[tokio::test]
async fn saves_without_a_revision_all_count() {
    let world = World::start().await;
    let client = &world.portal.admin;
    let seen = world.send(client, &world.walk("configuration", world.local_model)[..2]).await;
    let fields = [
        ("warmup_requests", json!(1)),
        ("num_requests", json!(7)),
        ("seed", json!(9)),
        ("max_input_tokens", json!(70)),
        ("max_output_tokens", json!(80)),
        ("prefix", json!({ "share": 0.5 })),
    ];
    let saves = fields.iter().map(|(field, value)| {
        let body = in_workflow(&json!({ "step_number": 2, *field: value }), &seen);
        async move { client.post(WORKFLOW, &body).await.status.as_u16() }
    });
    assert!(join_all(saves).await.into_iter().all(|status| status == 200));
    let path = format!("/api/v1/workflows/{}", seen["workflow_id"].as_str().unwrap());
    let after = client.get(&path).await.expect(200);
    for (field, value) in &fields {
        assert_eq!(&after["workflow_steps"][*field], value, "{field}");
    }
}

#[tokio::test]
async fn many_triggers_at_once_start_one_run() {
    let world = World::start().await;
    let client = &world.portal.admin;
    let (before, trigger) = world.confirmed().await;
    let body = in_workflow(&trigger, &before);
    let answers = join_all((0..16).map(|_| client.post(WORKFLOW, &body))).await;
    let runs: BTreeSet<String> =
        answers.into_iter().map(|answer| answer.expect(200)["run_id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(runs.len(), 1);
    assert_eq!(client.get("/api/v1/runs").await.expect(200)["total"], 1);
    assert_eq!(client.get("/api/v1/benchmarks").await.expect(200)["total"], 1);

    // It is no draft any more, and is not edited.
    assert_eq!(client.get("/api/v1/workflows").await.expect(200)["total"], 0);
    post(client, &json!({ "step_number": 1, "name": "late" }), &before).await.expect(409);
}

#[tokio::test]
async fn the_workflow_follows_its_run() {
    use dyno::domain::event::{RunEnd, RunEvent};
    use dyno::store::RunUpdate;
    use dyno_measure::run::RunStatus;
    use jiff::Timestamp;

    for (end, status) in [(RunStatus::Succeeded, "completed"), (RunStatus::Failed, "failed"), (RunStatus::Cancelled, "cancelled")]
    {
        let world = World::start().await;
        let client = &world.portal.admin;
        let (before, trigger) = world.confirmed().await;
        let started = post(client, &trigger, &before).await.expect(200);
        let run = started["run_id"].as_str().unwrap().parse().unwrap();
        let event = RunEvent::End(RunEnd { status: end, reason: Some("So it was.".to_owned()) });
        let update = RunUpdate { events: vec![(Timestamp::now(), event)], ..RunUpdate::default() };
        // The supervisor may have been faster: then the run's own end counts.
        let ended = world.portal.app.store.update_run(run, &update, Timestamp::now()).await;
        let path = format!("/api/v1/workflows/{}", started["workflow_id"].as_str().unwrap());
        let answer = client.get(&path).await.expect(200);
        let expected = match ended {
            Ok(_) => Value::from(status),
            Err(_) => Value::from("failed"),
        };
        assert_eq!(answer["status"], expected);
        assert_eq!(answer["reason"], answer["run"]["reason"]);
        assert!(answer["reason"].is_string());
        // A repeated last step says so, too.
        let again = post(client, &trigger, &started).await.expect(200);
        assert_eq!((&again["status"], &again["run_id"]), (&expected, &started["run_id"]));
    }
}
