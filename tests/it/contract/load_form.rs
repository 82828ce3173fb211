//! Step 2's options as a browser without scripts posts them: through the same rules as scripts, kept when refused.

use serde_json::{Value, json};

use crate::support::TestApp;

async fn draft(app: &TestApp) -> String {
    let details = json!({
        "workflow_total_steps": 8, "step_number": 1, "name": "options", "tags": [], "description": "",
        "concurrent_requests": 8, "eval_with": "configuration",
    });
    let answer = app.admin.post("/api/v1/benchmarks/run-workflow", &details).await.expect(200);
    answer["workflow_id"].as_str().unwrap().to_owned()
}

/// Posts the form, and answers where it leads.
async fn post(app: &TestApp, id: &str, fields: &[(&str, &str)]) -> String {
    let mut all = vec![("workflow_id", id), ("eval_with", "configuration"), ("default_requests", "100"), ("default_warmup", "8")];
    all.extend_from_slice(fields);
    let answer = app.admin.form("/api/ui/wizard-load", &all).send().await.unwrap();
    assert_eq!(answer.status(), 302);
    answer.headers()["location"].to_str().unwrap().to_owned()
}

async fn stored(app: &TestApp, id: &str) -> Value {
    app.admin.get(&format!("/api/v1/workflows/{id}")).await.expect(200)["workflow_steps"].clone()
}

async fn page(app: &TestApp, path: &str) -> String {
    app.admin.request(reqwest::Method::GET, path).header("accept", "text/html").send().await.unwrap().text().await.unwrap()
}

#[tokio::test]
async fn a_form_without_options_is_enough() {
    let app = TestApp::start().await;
    let id = draft(&app).await;
    assert!(!page(&app, &format!("/wizard/{id}/load")).await.contains("<details open class=\"more-options\""));
    let fields = [("max_input_tokens", "64"), ("max_output_tokens", "16"), ("num_requests", "100"), ("warmup_requests", "8")];
    let to = post(&app, &id, &fields).await;
    assert!(!to.contains("flash="), "{to}");
    let steps = stored(&app, &id).await;
    assert_eq!(steps["max_input_tokens"], 64);
    for absent in ["num_requests", "warmup_requests", "arrival", "load_points", "slo", "endpoint", "prefix", "seed"] {
        assert!(steps.get(absent).is_none(), "{absent} stays at its default");
    }
}

#[tokio::test]
async fn every_option_is_stored_shown_again_and_emptied_by_an_empty_field() {
    let app = TestApp::start().await;
    let id = draft(&app).await;
    let basics = [("max_input_tokens", "64"), ("max_output_tokens", "16"), ("num_requests", "100"), ("warmup_requests", "8")];
    let options = [
        ("arrival", "rate"),
        ("process", "gamma"),
        ("burstiness", "0.5"),
        ("load_points", "5, 10 20"),
        ("duration_s", "30"),
        ("slo_preset", "llama3.1-8b-interactive"),
        ("percentile", "95"),
        ("endpoint", "completions"),
        ("input_lengths", "uniform"),
        ("input_min", "8"),
        ("output_lengths", "normal"),
        ("output_mean", "10"),
        ("output_std", "2.5"),
        ("prefix", "0.25"),
        ("ignore_eos", "no"),
        ("seed", "7"),
    ];
    let to = post(&app, &id, &[&basics[..], &options[..]].concat()).await;
    assert!(!to.contains("flash="), "{to}");
    let steps = stored(&app, &id).await;
    assert_eq!(steps["arrival"], json!({ "kind": "rate", "rate": 5.0, "process": "gamma", "burstiness": 0.5 }));
    assert_eq!(steps["load_points"], json!([{ "rate": 5.0 }, { "rate": 10.0 }, { "rate": 20.0 }]));
    assert_eq!(steps["slo"], json!({ "percentile": 95.0, "ttft_ms": 500.0, "tpot_ms": 30.0 }));
    assert_eq!(steps["input_lengths"], json!({ "kind": "uniform", "min": 8 }));
    assert_eq!(steps["output_lengths"], json!({ "kind": "normal", "mean": 10.0, "std": 2.5 }));
    assert_eq!((&steps["duration_s"], &steps["prefix"]["share"], &steps["seed"]), (&json!(30.0), &json!(0.25), &json!(7)));
    assert_eq!((&steps["endpoint"], &steps["ignore_eos"]), (&json!("completions"), &json!(false)));

    let html = page(&app, &format!("/wizard/{id}/load")).await;
    assert!(html.contains("value=\"5, 10, 20\"") && html.contains("30 seconds at each load"), "{html}");
    assert!(html.contains("<details open"), "the options are open where one is set");

    let to = post(&app, &id, &basics).await;
    assert!(!to.contains("flash="), "{to}");
    let steps = stored(&app, &id).await;
    assert!(steps.get("slo").is_none() && steps.get("arrival").is_none() && steps.get("load_points").is_none(), "{steps}");
}

#[tokio::test]
async fn a_refused_option_keeps_what_was_typed_and_saves_nothing() {
    let app = TestApp::start().await;
    let id = draft(&app).await;
    let fields = [("max_input_tokens", "64"), ("max_output_tokens", "16"), ("load_points", "1 many"), ("ttft_ms", "fast")];
    let back = post(&app, &id, &fields).await;
    assert!(back.contains("/load?flash="), "{back}");
    let html = page(&app, &back).await;
    for text in [
        "Error: Load",
        "A load point&#x27;s concurrency must be a whole number",
        "The TTFT limit must be a number above 0",
        "value=\"1 many\"",
        "value=\"fast\"",
        "href=\"#f-load_points\"",
    ] {
        assert!(html.contains(text) || html.contains(&text.replace("&#x27;", "'")), "no {text:?} in\n{html}");
    }
    assert!(stored(&app, &id).await.get("max_input_tokens").is_none());
}

#[tokio::test]
async fn errors_are_listed_in_the_pages_order() {
    let app = TestApp::start().await;
    let id = draft(&app).await;
    let fields = [
        ("goal", "sweep"),
        ("seed", "-1"),
        ("num_requests", "many"),
        ("amount", "own"),
        ("prefix", "5"),
        ("ttft_ms", "fast"),
        ("slo", "own"),
        ("load_points", "1 many"),
        ("warmup_requests", "x"),
        ("max_output_tokens", "0"),
        ("max_input_tokens", "none"),
    ];
    let html = page(&app, &post(&app, &id, &fields).await).await;
    let summary = &html[html.find("id=\"error-summary\"").unwrap()..];
    let summary = &summary[..summary.find("</ul>").unwrap()];
    let listed: Vec<&str> = summary.split("href=\"#").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(listed.len() >= 6, "{summary}");
    let places: Vec<usize> =
        listed.iter().map(|id| html.find(&format!("id=\"{id}\"")).unwrap_or_else(|| panic!("no {id}"))).collect();
    assert!(places.is_sorted(), "{listed:?} at {places:?}");
}

#[tokio::test]
async fn a_search_is_asked_for_by_its_question_and_every_gap_is_named_at_once() {
    let app = TestApp::start().await;
    let id = draft(&app).await;
    let fields = [
        ("goal", "search"),
        ("arrival", "closed"),
        ("concurrent_requests", "64"),
        ("lengths_preset", "rag"),
        ("amount", "p99"),
        // Out of sight, and sent all the same by a browser without scripts.
        ("load_points", "1, 2"),
        ("num_requests", "9"),
        ("search_min", "1"),
    ];
    let html = page(&app, &post(&app, &id, &fields).await).await;
    for text in ["Enter at least one limit: TTFT, TPOT or E2E latency.", "Enter the largest load of the search."] {
        assert!(html.contains(text), "no {text:?} in\n{html}");
    }
    let rest = [("search_max", "32"), ("ttft_ms", "450"), ("percentile", "99")];
    let to = post(&app, &id, &[&fields[..], &rest[..]].concat()).await;
    assert!(!to.contains("flash="), "{to}");
    let steps = stored(&app, &id).await;
    assert_eq!(steps["slo"], json!({ "percentile": 99.0, "ttft_ms": 450.0, "search": { "min": 1.0, "max": 32.0 } }));
    assert_eq!((&steps["max_input_tokens"], &steps["max_output_tokens"]), (&json!(4_000), &json!(256)));
    assert_eq!((&steps["num_requests"], &steps["concurrent_requests"]), (&json!(700), &json!(8)));
    assert!(steps.get("load_points").is_none(), "{steps}");
    let html = page(&app, &to).await;
    assert!(html.contains("Search, 1 to 32 in flight") && !html.contains("Requests in flight</dt>"), "{html}");
}

#[tokio::test]
async fn steps_without_a_choice_are_answered_and_can_be_changed() {
    let app = TestApp::start().await;
    let id = draft(&app).await;
    let to =
        post(&app, &id, &[("goal", "one"), ("concurrent_requests", "4"), ("lengths_preset", "chat"), ("amount", "quick")]).await;
    let steps = stored(&app, &id).await;
    assert_eq!(steps["concurrent_requests"], 4);
    assert!(to.contains("passed=cluster"), "{to}");
    let html = page(&app, &to).await;
    assert!(html.contains("Chosen for you, since there is no other:"), "{html}");
    assert!(html.contains(&format!("href=\"/wizard/{id}/cluster\"")), "{html}");
    // It keeps its page.
    let html = page(&app, &format!("/wizard/{id}/cluster")).await;
    assert!(html.contains("Where the benchmark runs"), "{html}");
}
