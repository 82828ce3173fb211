//! What surrounds the requests: where the load may connect to, and what the engine says about itself.

use dyno_measure::engine_metrics::EngineQuantity;
use dyno_reference::{EngineOptions, ReferenceEngine};
use serde_json::json;

use super::scripted::{Bench, Scripted, Then, good_answer, say};

#[test]
fn the_load_checks_where_a_name_leads_before_it_connects() {
    let server = Scripted::start(|_, out| {
        say(out, &good_answer(2), 0);
        Then::GoOn
    });
    let mut bench = Bench::new(&format!("http://localhost:{}", server.address.port()), 3);
    bench.plan["address_policy"] = json!({"loopback": false, "own_ports": [], "own_addresses": []});
    let output = bench.start().wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(words.contains("The address is the portal's own machine."), "{words}");
    assert_eq!(bench.end()["data"]["status"], "failed");
    assert!(server.seen().is_empty(), "nothing was sent");

    bench.plan["address_policy"]["loopback"] = json!(true);
    let left = bench.run();
    assert_eq!(left.report.summary.successful_requests, 3);
    assert!(
        left.report.provenance.plan.as_ref().unwrap().get("address_policy").is_none(),
        "the portal's own addresses are nobody's business"
    );
}

#[test]
fn the_engines_own_metrics_are_read_meanwhile() {
    let engine = ReferenceEngine::start(EngineOptions::default()).unwrap();
    let mut bench = Bench::new(&engine.base_url(), 8);
    bench.plan["model"] = json!("reference");
    bench.plan["endpoints"][0]["metrics"] = json!("/metrics");
    bench.plan["load_points"][0]["load"]["concurrency"] = json!(4);
    let left = bench.run();
    let of = |quantity| {
        left.report.engine_metrics.iter().find(|series| series.quantity == quantity).unwrap_or_else(|| panic!("{quantity:?}"))
    };
    let generated = of(EngineQuantity::GeneratedTokens);
    assert_eq!((generated.node.as_str(), generated.source.as_str()), ("n", "vllm:generation_tokens_total"));
    assert_eq!(generated.values.first(), Some(&0.0), "read before the load");
    let all = left.report.summary.total_output_tokens.unwrap() as f64;
    assert_eq!(generated.values.last(), Some(&all), "and after it");
    assert!(generated.at_unix_ns.is_sorted() && generated.at_unix_ns.len() == generated.values.len());
    assert!(of(EngineQuantity::KvUsage).values.iter().all(|share| (0.0..=1.0).contains(share)));
}

#[test]
fn a_server_without_metrics_is_said_to_have_none() {
    let server = Scripted::start(|seen, out| {
        let answer = if seen.path == "/metrics" {
            "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_owned()
        } else {
            good_answer(2)
        };
        say(out, &answer, 0);
        Then::GoOn
    });
    let mut bench = Bench::new(&server.url(), 3);
    bench.plan["endpoints"][0]["metrics"] = json!("/metrics");
    let left = bench.run();
    assert!(left.report.valid && left.report.engine_metrics.is_empty());
    assert!(
        left.report.notes.iter().any(|note| note.text == "n gave no metrics of its own at /metrics."),
        "{:?}",
        left.report.notes
    );
}
