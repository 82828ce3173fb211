//! The table of a report's requests: whole on a wide page, a line each with the details folded on a phone.

use dyno_measure::report::RequestRecord;
use serde_json::json;

use super::sweep::{page, portal_with_records, report, says};

fn record(number: u32, error: Option<&str>) -> RequestRecord {
    let mut value = json!({
        "id": format!("01a225b9-7491-7715-8098-682dd74fe157-0m{number}"), "node": "here", "load_point": 0, "phase": "measured",
        "sent_unix_ns": 1_000_000_000_i64 * i64::from(number), "ttft_ms": 20.5, "tpot_ms": 8.25, "e2el_ms": 285.0,
        "input_tokens": 512, "output_tokens": 33, "finish_reason": "length",
    });
    if let Some(error) = error {
        value["error_class"] = error.into();
        value["error"] = "no token for 30 s".into();
    }
    serde_json::from_value(value).unwrap()
}

#[tokio::test]
async fn on_a_phone_each_request_is_a_line_and_all_its_figures_are_behind_it() {
    let records = vec![record(0, None), record(1, Some("timeout"))];
    let (_folder, app, run) = portal_with_records(report(json!({})), records).await;
    let html = page(&app, &format!("/runs/{run}/report?sort=-ttft_ms")).await;
    let requests = html.split_once("id=\"requests\"").unwrap().1;
    let requests = requests.split_once("</section>").unwrap().0;
    let folds = requests.split_once("request-folds phone-only").expect("lines for a phone").1.split_once("</ul>").unwrap().0;
    let (lines, rest): (Vec<&str>, Vec<&str>) =
        folds.split("<summary>").skip(1).map(|fold| fold.split_once("</summary>").unwrap()).unzip();
    assert_eq!(lines.len(), 2, "{folds}");
    for (line, rest) in lines.iter().zip(rest) {
        says(line, &["0m", "TTFT", "20.5", "E2E", "285"]);
        assert!(!line.contains("7491"), "the run's own id is not in the line: {line}");
        says(
            rest,
            &["01a225b9-7491-7715-8098-682dd74fe157-0m", "Node", "here", "Phase", "measured", "Sent, s", "TPOT, ms", "8.25"],
        );
        says(rest, &["Input tokens", "512", "Output tokens", "33", "Outcome"]);
    }
    assert!(lines[1].contains("outcome-failed") != lines[0].contains("outcome-failed"), "{folds}");
    says(folds, &["no token for 30 s"]);
    // The table is for wide pages; a phone sorts by a menu of its own.
    let (before, table) = requests.split_once("<table").unwrap();
    assert!(before.contains("phone-hidden"), "{before}");
    says(table, &["0m0", "0m1", "TPOT, ms", "Output tokens", "aria-sort=\"descending\""]);
    let sorts = requests.split_once("id=\"sort-requests\"").expect("a menu of sorts").1.split_once("</ul>").unwrap().0;
    says(sorts, &["sort=%2Dtpot%5Fms", "sort=seq", "aria-current"]);
}
