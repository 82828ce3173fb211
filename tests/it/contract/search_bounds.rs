//! What the confirmation offers to a search whose answer the simulator knows about.

use serde_json::{Value, json};

use super::simulation::{hub_model, page};
use super::world::World;
use crate::support::TestClient;

/// The hidden fields of the page's form with this id.
fn fields(page: &str, form: &str) -> Vec<(String, String)> {
    let (_, rest) = page.split_once(&format!("id=\"{form}\"")).expect("the form is there");
    let (form, _) = rest.split_once("</form>").unwrap();
    let of = |input: &str| {
        let value = |name: &str| Some(input.split_once(&format!("{name}=\""))?.1.split_once('"')?.0.to_owned());
        Some((value("name")?, value("value").unwrap_or_default()))
    };
    form.split("<input type=\"hidden\"").skip(1).filter_map(|input| of(input.split_once('>')?.0)).collect()
}

/// The confirmation, once it holds what a simulation finds: the page waits for that only so long, and a busy machine takes longer.
async fn confirmation(client: &TestClient, draft: &str) -> String {
    for _ in 0..30 {
        let shown = page(client, &format!("/wizard/{draft}/confirm")).await;
        if shown.contains("Simulated. ") {
            return shown;
        }
    }
    panic!("the confirmation says nothing of a simulation");
}

/// A workflow's bodies for a model on eight H100 of the catalogue.
pub(super) async fn on_hypothetical_devices(world: &World) -> Vec<Value> {
    let model = hub_model(world, "meta-llama/Llama-3.1-8B-Instruct").await;
    let clusters = world.portal.admin.get("/api/v1/clusters").await.expect(200);
    let catalogue = clusters["items"].as_array().unwrap().iter().find(|row| row["kind"] == "catalogue").unwrap();
    let mut bodies = world.walk("configuration", model);
    bodies[2]["cluster_id"] = catalogue["id"].clone();
    bodies[3]["nodes"] = json!([{ "hostname": "h100-sxm-80gb-x8" }]);
    bodies
}

#[tokio::test]
async fn a_search_is_offered_bounds_around_its_simulated_answer() {
    let world = World::start().await;
    let client = &world.portal.admin;
    let mut bodies = on_hypothetical_devices(&world).await;
    bodies[1]["slo"] = json!({ "percentile": 90, "tpot_ms": 12, "search": { "min": 1, "max": 2 } });
    bodies[1]["num_requests"] = json!(120);
    bodies[4]["tensor_parallel"] = json!(1);
    let draft = world.send(client, &bodies[..5]).await;
    let id = draft["workflow_id"].as_str().unwrap();
    let load = |steps: &Value| {
        let mut steps = steps.clone();
        steps["slo"]["search"].take();
        steps
    };

    // The least and the largest load that it would try are both within the limit: it would end without an answer.
    let shown = confirmation(client, id).await;
    assert!(shown.contains("outside of the bounds of this search"), "{shown}");
    let sent = fields(&shown, "search-bounds-form");
    let pairs: Vec<(&str, &str)> = sent.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let posted = client.form("/api/ui/wizard-load", &pairs).send().await.unwrap();
    assert_eq!(posted.status(), 302);
    assert!(posted.headers()["location"].to_str().unwrap().ends_with("/confirm"), "{posted:?}");
    let after = client.get(&format!("/api/v1/workflows/{id}")).await.expect(200)["workflow_steps"].clone();
    let search = after["slo"]["search"].clone();
    assert!(search["min"].as_f64().unwrap() > 2.0 && search["min"].as_f64() < search["max"].as_f64(), "{search}");
    assert_eq!(load(&after), load(&draft["workflow_steps"]), "nothing else has changed");

    // With them, there is nothing better to offer, and the simulated answer lies between them.
    let shown = confirmation(client, id).await;
    assert!(!shown.contains("search-bounds-form") && shown.contains("The largest concurrency within the limits"), "{shown}");

    // Bounds far around it take more loads than needed.
    bodies[1]["slo"]["search"] = json!({ "min": 1, "max": 500 });
    let draft = world.send(client, &bodies[..5]).await;
    let shown = confirmation(client, draft["workflow_id"].as_str().unwrap()).await;
    assert!(
        shown.contains(&format!("Search from {} to {}", search["min"], search["max"]).replace(".0", "")),
        "{search}: {shown}"
    );
}

#[tokio::test]
async fn the_confirmation_says_what_a_load_costs_where_its_devices_have_a_price() {
    let world = World::start().await;
    let client = &world.portal.admin;
    let mut bodies = on_hypothetical_devices(&world).await;
    bodies[4]["tensor_parallel"] = json!(2);
    let draft = world.send(client, &bodies[..5]).await;
    let id = draft["workflow_id"].as_str().unwrap();
    assert!(!confirmation(client, id).await.contains("That time costs about"), "nobody has set a price");
    let price = json!({ "device": "H100-SXM-80GB", "per_hour": 2.5, "currency": "EUR" });
    client.post("/api/v1/prices", &price).await.expect(201);
    let shown = confirmation(client, id).await;
    let (_, cost) = shown.split_once("That time costs about ").expect("the cost is said");
    let (amount, devices) = cost.split_once(" EUR: ").unwrap();
    assert!(amount.parse::<f64>().unwrap() > 0.0, "{amount}");
    assert!(
        devices.starts_with("2 × H100-SXM-80GB at 2.50 EUR per hour each; start and warm-up not counted."),
        "{}",
        &devices[..80]
    );
}
