//! Both methods, local and cloud model.

use serde_json::{Value, json};

use super::world::{World, post};

async fn walks(method: &str, cloud: bool) {
    let world = World::start().await;
    let client = &world.portal.admin;
    let model = if cloud { world.cloud_model } else { world.local_model };
    let mut last = Value::Null;
    let mut steps = Vec::new();
    for body in world.walk(method, model) {
        let answer = post(client, &body, &last).await.expect(200);
        steps.push((body["step_number"].as_u64().unwrap(), answer["current_step"].as_u64().unwrap()));
        assert_eq!(answer["total_steps"], 9);
        assert_eq!(answer["dropped"], json!([]), "{body}");
        assert!(answer["current_step"].as_u64() <= answer["total_steps"].as_u64());
        if !last.is_null() {
            assert_eq!(answer["workflow_id"], last["workflow_id"]);
            assert_eq!(answer["revision"].as_u64().unwrap(), last["revision"].as_u64().unwrap() + 1);
        }
        last = answer;
    }
    let expected: &[(u64, u64)] = if cloud {
        &[(1, 2), (2, 3), (3, 4), (4, 5), (5, 6), (6, 7), (7, 8), (8, 8)]
    } else {
        &[(1, 2), (2, 3), (3, 4), (4, 5), (5, 7), (7, 8), (8, 8)]
    };
    assert_eq!(steps, expected);

    // The benchmark holds what was asked for; the run is the same as under its own address.
    let benchmark = client.get(&format!("/api/v1/benchmarks/{}", last["benchmark_id"].as_str().unwrap())).await.expect(200);
    assert_eq!(benchmark["workflow_id"], last["workflow_id"]);
    let spec = &benchmark["spec"];
    assert_eq!((&spec["name"], &spec["load"]["concurrent_requests"]), (&json!("test-111"), &json!(50)));
    assert_eq!((&spec["cluster_id"], &spec["model"]["id"]), (&json!(world.cluster), &json!(model)));
    assert_eq!(spec["nodes"], json!([{ "hostname": world.hostname }]));
    match method {
        "dataset" => assert_eq!(spec["load"]["dataset_ids"], json!([world.dataset])),
        _ => assert_eq!((&spec["load"]["max_input_tokens"], &spec["load"]["max_output_tokens"]), (&json!(50), &json!(100))),
    }
    assert_eq!(spec.get("credential_id"), cloud.then(|| json!(world.credential)).as_ref());
    let run = &last["run"];
    assert_eq!((&run["id"], &run["benchmark_id"], &run["kind"]), (&last["run_id"], &last["benchmark_id"], &json!("measured")));
    let stages: Vec<&str> = run["stages"].as_array().unwrap().iter().map(|stage| stage["id"].as_str().unwrap()).collect();
    if cloud {
        let without_deployment =
            ["verify_cluster_connection", "verify_deployment_status", "run_performance_benchmark", "clean_up"];
        assert_eq!(stages, without_deployment);
    } else {
        let whole = [
            "verify_cluster_connection",
            "transfer_model_to_cluster",
            "deploy_to_engine",
            "verify_deployment_status",
            "run_performance_benchmark",
            "clean_up",
        ];
        assert_eq!(stages, whole);
        assert_eq!(spec["serving"]["engine"], "llama.cpp");
    }

    // Step 8 again, in its own words and in others: the same run.
    let trigger = world.walk(method, model).pop().unwrap();
    for mut again in [trigger.clone(), trigger] {
        again["name"] = json!("another name");
        let answer = post(client, &again, &last).await.expect(200);
        assert_eq!((&answer["run_id"], &answer["benchmark_id"]), (&last["run_id"], &last["benchmark_id"]));
        assert_eq!(answer["workflow_steps"]["name"], "test-111");
    }
    let all = client.get("/api/v1/benchmarks").await.expect(200);
    assert_eq!(all["total"], 1);
}

#[tokio::test]
async fn configuration_with_a_local_model() {
    walks("configuration", false).await;
}

#[tokio::test]
async fn configuration_with_a_cloud_model() {
    walks("configuration", true).await;
}

#[tokio::test]
async fn dataset_with_a_local_model() {
    walks("dataset", false).await;
}

#[tokio::test]
async fn dataset_with_a_cloud_model() {
    walks("dataset", true).await;
}

#[tokio::test]
async fn eight_steps_are_echoed_too() {
    let world = World::start().await;
    let mut bodies = world.walk("configuration", world.local_model);
    bodies[0]["workflow_total_steps"] = json!(8);
    let answer = world.send(&world.portal.admin, &bodies).await;
    assert_eq!((&answer["total_steps"], &answer["current_step"]), (&json!(8), &json!(8)));
}

#[tokio::test]
async fn the_nodes_of_node_metrics_can_be_sent_back() {
    let world = World::start().await;
    let client = &world.portal.admin;
    let metrics = client.get(&format!("/api/v1/clusters/{}/node-metrics", world.cluster)).await.expect(200);
    let mut bodies = world.walk("configuration", world.local_model);
    bodies.truncate(4);
    bodies[3]["nodes"] = metrics["nodes"].clone();
    let answer = world.send(client, &bodies).await;
    let nodes = &answer["workflow_steps"]["nodes"];
    assert_eq!(nodes, &json!([{ "hostname": world.hostname }]));
    // And so can those of the answer.
    bodies[3]["nodes"] = nodes.clone();
    let again = post(client, &bodies[3], &answer).await.expect(200);
    assert_eq!(again["revision"], answer["revision"]);
}
