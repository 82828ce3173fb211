//! What a creation answers is what is found later, to the last digit; and one form makes one draft.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{TestApp, TestClient};

async fn one(client: &TestClient, list: &str, id: &Value) -> Value {
    let found = client.get(list).await.expect(200);
    found["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|item| item["id"] == *id)
        .unwrap_or_else(|| panic!("{id} is not in {found}"))
        .clone()
}

#[tokio::test]
async fn what_was_made_is_as_it_was_answered() {
    let app = TestApp::start().await;
    let admin = &app.admin;
    let bodies = [
        ("/api/v1/users", json!({ "name": "bert" })),
        ("/api/v1/tokens", json!({ "name": "ci" })),
        ("/api/v1/models", json!({ "name": "m", "source": "cloud", "provider": "openai", "model": "m" })),
        ("/api/v1/credentials", json!({ "name": "k", "provider": "openai", "secret": "sk" })),
    ];
    for (path, body) in bodies {
        let made = admin.post(path, &body).await.expect(201);
        let found = one(admin, path, &made["id"]).await;
        assert_eq!(made["created_at"], found["created_at"], "{path}");
    }
    let rows = super::uploads::multipart(&[("name", None, "d"), ("file", Some("d.jsonl"), "{\"prompt\":\"p\"}\n")]);
    let request = admin.request(Method::POST, "/api/v1/datasets").header("content-type", super::uploads::TYPE).body(rows);
    let made = crate::support::answer(request).await.expect(201);
    assert_eq!(made["created_at"], one(admin, "/api/v1/datasets", &made["id"]).await["created_at"]);
    let details = json!({
        "workflow_total_steps": 9, "step_number": 1, "name": "n", "tags": [], "description": "", "concurrent_requests": 4,
        "eval_with": "configuration",
    });
    let made = admin.post("/api/v1/benchmarks/run-workflow", &details).await.expect(200);
    let found = admin.get(&format!("/api/v1/workflows/{}", made["workflow_id"].as_str().unwrap())).await.expect(200);
    assert_eq!(made, found);
}

async fn form_of_new_draft(client: &TestClient) -> String {
    let led = client.request(Method::GET, "/benchmarks/new").send().await.unwrap();
    let address = led.headers()["location"].to_str().unwrap().to_owned();
    let html = client.request(Method::GET, &address).send().await.unwrap().text().await.unwrap();
    let field = html.split("<input").find(|tag| tag.contains("name=\"begins\"")).unwrap_or_else(|| panic!("{html}"));
    field.split("value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

async fn send(client: &TestClient, begins: &str, name: &str) -> String {
    let fields = [("begins", begins), ("name", name), ("concurrent_requests", "4"), ("eval_with", "configuration")];
    let response = client.form("/api/ui/wizard-details", &fields).send().await.unwrap();
    response.headers()["location"].to_str().unwrap().to_owned()
}

async fn names(client: &TestClient) -> Vec<String> {
    let drafts = client.get("/api/v1/workflows?sort=created_at").await.expect(200);
    drafts["items"].as_array().unwrap().iter().map(|draft| draft["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn two_clicks_begin_one_draft_two_forms_begin_two() {
    let app = TestApp::start().await;
    let begins = form_of_new_draft(&app.admin).await;
    let clicks = futures::future::join_all((0..6).map(|_| send(&app.admin, &begins, "the same"))).await;
    assert!(clicks[0].ends_with("/load"), "{clicks:?}");
    assert!(clicks.iter().all(|to| *to == clicks[0]), "{clicks:?}");
    assert_eq!(names(&app.admin).await, ["the same"]);
    // Made by intent right afterwards, with the same values.
    let another = form_of_new_draft(&app.admin).await;
    assert_ne!(another, begins);
    assert_ne!(send(&app.admin, &another, "the same").await, clicks[0]);
    assert_eq!(names(&app.admin).await, ["the same", "the same"]);
    // Back, another name, Continue: an edit of the draft that this form began.
    assert_eq!(send(&app.admin, &begins, "renamed").await, clicks[0]);
    assert_eq!(names(&app.admin).await, ["renamed", "the same"]);
    // The same number in another person's form is another form.
    let anna = app.member("anna").await;
    assert_ne!(send(&anna, &begins, "hers").await, clicks[0]);
    assert_eq!(names(&anna).await, ["hers"]);
}

#[tokio::test]
async fn back_to_the_form_that_began_a_draft_finds_the_draft() {
    let app = TestApp::start().await;
    let begins = form_of_new_draft(&app.admin).await;
    let first = send(&app.admin, &begins, "begun").await;
    let id = first.split('/').nth(2).unwrap();
    let again = app.admin.request(Method::GET, &format!("/benchmarks/new?form={begins}")).send().await.unwrap();
    assert_eq!(again.headers()["location"], format!("/wizard/{id}/details"));
    // The number is no way into another person's draft.
    let anna = app.member("anna").await;
    let theirs = anna.request(Method::GET, &format!("/benchmarks/new?form={begins}")).send().await.unwrap();
    assert_eq!(theirs.status(), 200);
    assert!(!theirs.text().await.unwrap().contains(id));
}

#[tokio::test]
async fn a_form_that_has_been_overtaken_overwrites_nothing() {
    let app = TestApp::start().await;
    let begins = form_of_new_draft(&app.admin).await;
    let first = send(&app.admin, &begins, "first").await;
    let id = first.split('/').nth(2).unwrap().to_owned();
    let edit = json!({ "workflow_id": id, "step_number": 1, "name": "from elsewhere", "tags": [], "description": "",
        "concurrent_requests": 4, "eval_with": "configuration" });
    app.admin.post("/api/v1/benchmarks/run-workflow", &edit).await.expect(200);
    let back = send(&app.admin, &begins, "from the old form").await;
    assert!(back.starts_with(&format!("/wizard/{id}/details?flash=")), "{back}");
    let html = app.admin.request(Method::GET, &back).send().await.unwrap().text().await.unwrap();
    assert!(html.contains("from elsewhere") && html.contains("from the old form"), "both versions: {html}");
    assert_eq!(names(&app.admin).await, ["from elsewhere"]);
}

/// The number of the form that posts to a function.
fn number_of(html: &str, function: &str) -> String {
    let form =
        html.split("<form").find(|form| form.contains(&format!("/api/ui/{function}\""))).unwrap_or_else(|| panic!("{html}"));
    let field = form.split("<input").find(|tag| tag.contains("name=\"form\"")).unwrap();
    field.split("value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

/// Clicks six times; where the answers lead.
async fn click(client: &TestClient, function: &str, fields: &[(&str, &str)]) -> Vec<String> {
    let path = format!("/api/ui/{function}");
    let clicks = futures::future::join_all((0..6).map(|_| client.form(&path, fields).send())).await;
    clicks.into_iter().map(|answer| answer.unwrap().headers()["location"].to_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_hasty_hand_makes_one_of_each() {
    let app = TestApp::start().await;
    let admin = &app.admin;
    let cases = [
        ("settings", "token-add", "tokens", vec![("token_name", "ci")]),
        ("settings", "person-add", "users", vec![("person_name", "bert"), ("role", "member")]),
        ("credentials/new", "credential-add", "credentials", vec![("name", "k"), ("provider", "openai"), ("secret", "sk")]),
        (
            "models/new?source=cloud",
            "model-add",
            "models",
            vec![("source", "cloud"), ("name", "m"), ("provider", "openai"), ("model", "m")],
        ),
    ];
    for (page, function, list, mut fields) in cases {
        let count = async || admin.get(&format!("/api/v1/{list}")).await.expect(200)["items"].as_array().unwrap().len();
        let before = count().await;
        let html = admin.request(Method::GET, &format!("/{page}")).send().await.unwrap().text().await.unwrap();
        let number = number_of(&html, function);
        fields.push(("form", &number));
        let led_to = click(admin, function, &fields).await;
        assert_eq!(count().await, before + 1, "{function}: {led_to:?}");
        // Whichever answer the browser follows, it finds what was made.
        if page == "settings" {
            assert!(led_to.iter().all(|to| to.contains("shown=")), "{led_to:?}");
            let html = admin.request(Method::GET, &led_to[5]).send().await.unwrap().text().await.unwrap();
            let again = admin.request(Method::GET, &led_to[0]).send().await.unwrap().text().await.unwrap();
            let shown = "Copy it now: it is not shown again.";
            assert!(html.contains(shown) && again.contains(shown), "{function}: {html}");
        }
        // Another page's form is another.
        let html = admin.request(Method::GET, &format!("/{page}")).send().await.unwrap().text().await.unwrap();
        assert_ne!(number_of(&html, function), number);
    }
}

/// A draft up to its fourth step, and a cloud model that is reached without a credential, or with one.
async fn draft_and_model(client: &TestClient) -> (String, String) {
    let model = json!({
        "name": "m", "source": "cloud", "provider": "openai_compatible", "base_url": "http://127.0.0.1:9/v1", "model": "m"
    });
    let model = client.post("/api/v1/models", &model).await.expect(201)["id"].as_str().unwrap().to_owned();
    let cluster = client.get("/api/v1/clusters").await.expect(200)["items"][0]["id"].clone();
    let nodes = client.get(&format!("/api/v1/clusters/{}/node-metrics", cluster.as_str().unwrap())).await.expect(200);
    let first = json!({
        "workflow_total_steps": 8, "step_number": 1, "name": "n", "tags": [], "description": "", "concurrent_requests": 1,
        "eval_with": "configuration",
    });
    let id = client.post("/api/v1/benchmarks/run-workflow", &first).await.expect(200)["workflow_id"].clone();
    for mut step in [
        json!({ "step_number": 2, "max_input_tokens": 8, "max_output_tokens": 8 }),
        json!({ "step_number": 3, "cluster_id": cluster }),
        json!({ "step_number": 4, "nodes": [{ "hostname": nodes["nodes"][0]["hostname"] }] }),
    ] {
        step["workflow_id"] = id.clone();
        client.post("/api/v1/benchmarks/run-workflow", &step).await.expect(200);
    }
    (id.as_str().unwrap().to_owned(), model)
}

async fn count(client: &TestClient, list: &str) -> usize {
    client.get(&format!("/api/v1/{list}")).await.expect(200)["items"].as_array().unwrap().len()
}

#[tokio::test]
async fn two_clicks_on_the_model_step_make_one_credential() {
    let app = TestApp::start().await;
    let (draft, model) = draft_and_model(&app.admin).await;
    let fields = [
        ("workflow_id", draft.as_str()),
        ("if_revision", "4"),
        ("model_id", &model),
        ("credential_id", "new"),
        ("credential_name", "key"),
        ("credential_secret", "sk-1"),
    ];
    let led_to = click(&app.admin, "wizard-model", &fields).await;
    assert_eq!(count(&app.admin, "credentials").await, 1, "{led_to:?}");
    assert!(led_to.iter().all(|to| *to == format!("/wizard/{draft}/confirm")), "{led_to:?}");
}

#[tokio::test]
async fn a_model_step_that_comes_too_late_leaves_no_credential_behind() {
    let app = TestApp::start().await;
    let (draft, model) = draft_and_model(&app.admin).await;
    for mut step in [
        json!({ "step_number": 5, "model_id": model }),
        json!({ "step_number": 7, "user_confirmation": true }),
        json!({ "step_number": 8, "run_as_simulation": false, "trigger_workflow": true }),
    ] {
        step["workflow_id"] = json!(draft);
        app.admin.post("/api/v1/benchmarks/run-workflow", &step).await.expect(200);
    }
    // From a tab that was left open at the model.
    let fields = [
        ("workflow_id", draft.as_str()),
        ("if_revision", "4"),
        ("model_id", &model),
        ("credential_id", "new"),
        ("credential_name", "key"),
        ("credential_secret", "sk-1"),
    ];
    click(&app.admin, "wizard-model", &fields).await;
    assert_eq!(count(&app.admin, "credentials").await, 0);
}

async fn upload(client: &TestClient, number: &str, row: &str) -> String {
    let rows = super::uploads::multipart(&[("form", None, number), ("name", None, "d"), ("file", Some("d.jsonl"), row)]);
    let request = client.request(Method::POST, "/api/ui/dataset-upload").header("accept", "text/html");
    let answer = request.header("content-type", super::uploads::TYPE).body(rows).send().await.unwrap();
    answer.headers()["location"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_upload_that_is_sent_twice_is_one_dataset() {
    let app = TestApp::start().await;
    let html = app.admin.request(Method::GET, "/datasets/new").send().await.unwrap().text().await.unwrap();
    let number = number_of(&html, "dataset-upload");
    let before = count(&app.admin, "datasets").await;
    let row = "{\"prompt\":\"p\"}\n";
    let led_to = futures::future::join_all((0..4).map(|_| upload(&app.admin, &number, row))).await;
    assert_eq!(count(&app.admin, "datasets").await, before + 1, "{led_to:?}");
    assert!(led_to.iter().all(|to| to.starts_with("/datasets/") && to.split('?').next() == led_to[0].split('?').next()));
    // Another file in the same form is another dataset.
    upload(&app.admin, &number, "{\"prompt\":\"another\"}\n").await;
    assert_eq!(count(&app.admin, "datasets").await, before + 2);
}

#[tokio::test]
async fn a_form_is_known_after_a_restart_and_with_other_fields_it_acts() {
    let app = TestApp::start().await;
    let number = uuid::Uuid::new_v4().to_string();
    let add = async |client: &TestClient, name: &str| {
        click(client, "token-add", &[("token_name", name), ("form", &number)]).await;
        count(client, "tokens").await
    };
    assert_eq!(count(&app.admin, "tokens").await, 0);
    assert_eq!(add(&app.admin, "ci").await, 1);
    let folder = app.stop().await.unwrap();
    let app = TestApp::on(folder.path(), |_| {}).await;
    assert_eq!(add(&app.admin, "ci").await, 1);
    assert_eq!(add(&app.admin, "nightly").await, 2);
    app.stop().await;
}
