//! Long queries: refused by the API, and not repeated in each link of a page.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use super::world::World;

/// What a request's head takes.
const LONG: usize = 54_000;

#[tokio::test]
async fn a_long_parameter_of_a_list_is_refused() {
    let world = World::start().await;
    let client = &world.portal.admin;
    let long = "x".repeat(LONG);
    for list in ["runs", "benchmarks", "workflows", "models", "clusters", "datasets", "credentials"] {
        for name in ["search", "sort", "tag", "status", "model", "cluster", "creator", "from", "to"] {
            let refused = client.get(&format!("/api/v1/{list}?{name}={long}")).await;
            assert!(refused.body.to_string().len() < 2_000, "{list} {name}");
            assert_eq!(refused.fields(), [name], "{list}");
        }
        // 200 letters, however many bytes they take, are no long text.
        client.get(&format!("/api/v1/{list}?search={}", "%C3%A4".repeat(200))).await.expect(200);
        assert_eq!(client.get(&format!("/api/v1/{list}?search={}", "%C3%A4".repeat(201))).await.fields(), ["search"], "{list}");
        let refused = client.get(&format!("/api/v1/{list}?{long}=1")).await;
        assert!(refused.body.to_string().len() < 2_000, "{list}");
        assert_eq!(refused.status, 422, "{list}");
    }
}

#[tokio::test]
async fn a_page_does_not_repeat_a_long_query_in_its_links() {
    let world = World::start().await;
    let client = &world.portal.admin;
    let mut bodies = world.walk("configuration", world.local_model);
    bodies.last_mut().unwrap()["run_as_simulation"] = json!(true);
    let mut run = String::new();
    for _ in 0..3 {
        run = world.send(client, &bodies).await["run_id"].as_str().unwrap().to_owned();
    }
    while client.get(&format!("/api/v1/runs/{run}")).await.expect(200)["ended_at"].is_null() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let draft = world.send(client, &bodies[..4]).await["workflow_id"].as_str().unwrap().to_owned();
    let get = async |path: &str| client.request(Method::GET, path).send().await.unwrap().text().await.unwrap();
    let (live, report) = (format!("/runs/{run}"), format!("/runs/{run}/report"));
    let (nodes, cluster) = (format!("/wizard/{draft}/nodes"), format!("/clusters/{}", world.cluster));
    let long = "q".repeat(LONG);
    let mut repeated = Vec::new();
    for page in [
        "/",
        "/drafts",
        "/models",
        "/datasets",
        "/clusters",
        "/credentials",
        "/settings",
        "/try",
        "/models/new",
        "/datasets/new",
        "/credentials/new",
        "/clusters/predictions",
        &live,
        &report,
        &nodes,
        &cluster,
    ] {
        let usual = get(page).await.len();
        for name in [
            "tag", "search", "sort", "status", "from", "device", "flash", "page", "point", "figures", "dropped", "by", "passed",
            "return", "next", "source", "form", "provider", "shown", "no-such",
        ] {
            let html = get(&format!("{page}?{name}={long}")).await;
            // In the field where it was typed, in what was chosen, and in its name.
            let times = html.matches(&long).count();
            if times > 3 || html.len() > usual + 4 * LONG {
                repeated.push(format!("{page} {name}: {times} times, {} bytes", html.len()));
            }
        }
    }
    assert!(repeated.is_empty(), "{repeated:#?}");
    let html = get(&format!("/?tag={long}")).await;
    assert!(html.contains("Tag must be 200 characters or fewer; this has 54,000."), "{html}");
    // What is short goes on.
    let html = get("/?search=test&sort=name").await;
    let shows_it = html.contains(&format!("id=\"run-{run}\""));
    assert!(shows_it && html.contains("search=test&amp;sort=model"), "{html}");
}
