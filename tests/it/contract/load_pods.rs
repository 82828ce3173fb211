//! Step 4's load processes, by body and by form: kept, refused, shown, frozen.

use serde_json::{Value, json};

use super::world::{World, post};
use crate::support::TestApp;

async fn page(app: &TestApp, path: &str) -> String {
    let html = app.admin.request(reqwest::Method::GET, path).header("accept", "text/html").send().await.unwrap().text().await;
    // marks that the browser's half finds its places by
    html.unwrap().replace("<!>", "")
}

/// Posts the page's form, and answers where it leads.
async fn form(app: &TestApp, fields: &[(&str, &str)]) -> String {
    let answer = app.admin.form("/api/ui/wizard-nodes", fields).send().await.unwrap();
    assert_eq!(answer.status(), 302);
    answer.headers()["location"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn they_are_kept_refused_shown_and_frozen() {
    let world = World::start().await;
    let app = &world.portal;
    let client = &app.admin;
    let mut bodies = world.walk("configuration", world.local_model);
    bodies[3]["load_pods"] = json!(3);
    let placed = world.send(client, &bodies[..4]).await;
    assert_eq!((&placed["workflow_steps"]["load_pods"], &placed["warnings"]), (&json!(3), &json!([])));

    let step_4 = |fields: Value| {
        let mut body = json!({ "step_number": 4 });
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        body
    };
    for (wrong, field) in [
        (json!({ "load_pods": 0 }), "load_pods"),
        (json!({ "load_pods": 65 }), "load_pods"),
        // step 1 says 50 in flight
        (json!({ "load_pods": 51 }), "load_pods"),
        (json!({ "load_cpu_millicores": 2_000 }), "load_cpu_millicores"),
    ] {
        assert_eq!(post(client, &step_4(wrong.clone()), &placed).await.fields(), [field], "{wrong}");
    }
    let fewer = json!({ "step_number": 1, "concurrent_requests": 2 });
    assert_eq!(post(client, &fewer, &placed).await.fields(), ["load_pods"]);
    let more = step_4(json!({ "concurrent_requests": 10_000 }));
    let warned = post(client, &more, &placed).await.expect(200);
    // three are as many as are suggested, and more
    assert_eq!(warned["warnings"], json!([]));
    let warned = post(client, &step_4(json!({ "load_pods": null })), &placed).await.expect(200);
    let warning = &warned["warnings"][0];
    assert_eq!((&warning["field"], &warning["step"]), (&json!("load_pods"), &json!(4)));
    let sentence = warning["message"].as_str().unwrap();
    assert!(sentence.starts_with("2 load processes are suggested: "), "{sentence}");

    let id = placed["workflow_id"].as_str().unwrap();
    let nodes = format!("/wizard/{id}/nodes");
    let html = page(app, &nodes).await;
    assert!(html.contains(sentence) && html.contains("name=\"load_pods\""), "{html}");
    assert!(!html.contains("load_cpu_millicores"), "the portal's own machine has no pods");

    let hostname = world.hostname.as_str();
    let refused = form(app, &[("workflow_id", id), ("nodes[]", hostname), ("load_pods", "100")]).await;
    assert!(refused.starts_with(&nodes) && refused.contains("flash="), "{refused}");
    let html = page(app, &refused).await;
    assert!(html.contains("Load processes must be a whole number between 1 and 64.") && html.contains("value=\"100\""), "{html}");
    let to = form(app, &[("workflow_id", id), ("nodes[]", hostname), ("load_pods", "4")]).await;
    assert!(!to.contains("flash="), "{to}");

    let confirmed = world.send_on(client, &bodies[4..5], warned).await;
    let html = page(app, &format!("/wizard/{id}/confirm")).await;
    assert!(html.contains("Load processes</dt><dd>4</dd>"), "{html}");
    let done = world.send_on(client, &bodies[5..], confirmed).await;
    let benchmark = client.get(&format!("/api/v1/benchmarks/{}", done["benchmark_id"].as_str().unwrap())).await.expect(200);
    assert_eq!(benchmark["spec"]["load_pods"], 4);

    let copy = client.post(&format!("/api/v1/benchmarks/{}/clone", done["benchmark_id"].as_str().unwrap()), &json!({})).await;
    assert_eq!(copy.expect(201)["workflow_steps"]["load_pods"], 4);
}
