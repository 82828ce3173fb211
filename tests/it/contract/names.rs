//! Names are text wherever a run is shown: on pages, in drawings, and in tables that spreadsheets open.

use std::collections::BTreeSet;
use std::time::Duration;

use dyno::domain::user::Actor;
use jiff::Timestamp;
use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use super::world::World;

/// Would end the elements in which a browser reads no markup but their own end, and be a formula to a spreadsheet.
const NAME: &str = "=</title></textarea><b id=stored>";

#[tokio::test]
async fn the_names_of_a_run_are_text_in_pages_drawings_and_tables() {
    let world = World::start().await;
    let (app, client) = (&world.portal.app, &world.portal.admin);
    let user = app.store.first_administrator(Timestamp::now()).await.unwrap();
    let actor = Actor { id: user.id, name: user.name, role: user.role };
    let mut model = app.store.model(&actor, world.local_model).await.unwrap();
    (model.id, model.name) = (Uuid::now_v7(), NAME.to_owned());
    app.store.insert_model(&model).await.unwrap();
    let mut bodies = world.walk("configuration", model.id);
    for field in ["name", "description"] {
        bodies[0][field] = json!(NAME);
    }
    bodies[0]["tags"] = json!([NAME]);
    bodies.last_mut().unwrap()["run_as_simulation"] = json!(true);
    let answer = world.send(client, &bodies).await;
    let id = answer["run_id"].as_str().unwrap().to_owned();
    while client.get(&format!("/api/v1/runs/{id}")).await.expect(200)["ended_at"].is_null() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    let get = async |path: &str| {
        let response = client.request(Method::GET, path).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        response.text().await.unwrap()
    };
    let report = format!("/runs/{id}/report");
    for path in ["/".to_owned(), format!("/runs/{id}"), report.clone()] {
        let html = get(&path).await;
        assert!(!html.contains("<b id=stored"), "{path}: {html}");
        assert!(html.contains("&lt;b id=stored"), "{path} shows it: {html}");
    }
    let predictions = get("/clusters/predictions").await;
    assert!(!predictions.contains("<b id=stored"), "{predictions}");
    let live = get(&format!("/api/ui/runs/{id}/live")).await;
    assert!(!live.contains("<b id=stored"), "{live}");

    let html = get(&report).await;
    let files: BTreeSet<&str> = html.split('"').filter(|link| link.contains("/report/charts/")).collect();
    assert!(files.len() > 3, "{files:?}");
    for file in files {
        let text = get(&file.replace("&amp;", "&")).await;
        assert!(!text.contains("<b id=stored"), "{file}: {text}");
    }

    let history = get("/runs/figures.csv").await;
    assert!(history.contains(&format!(",'{NAME},")), "{history}");
    let records = get(&format!("/api/v1/runs/{id}/requests?format=csv")).await;
    let begins_a_formula =
        |cell: &str| cell.starts_with(['=', '+', '@']) || cell.starts_with('-') && cell.parse::<f64>().is_err();
    for line in history.lines().chain(records.lines()) {
        assert!(!line.split(',').any(|cell| begins_a_formula(cell.trim_matches('"'))), "{line}");
    }
}
