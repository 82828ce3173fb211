//! A load over TLS, and its self-check.

use dyno_measure::report::ErrorClass;
use dyno_reference::{EngineOptions, ReferenceEngine, Running, timing::Timing, tls::Certificate};
use serde_json::json;
use std::time::Duration;

use super::scripted::{Bench, Left, Scripted, Then, good_answer, say};

/// An engine with TLS, whose authority the load trusts as a system root.
fn engine() -> Running {
    let timing = Timing { ttft: Duration::from_millis(4), itl: Duration::from_millis(2), ..Timing::default() };
    ReferenceEngine::start(EngineOptions {
        model: "m".to_owned(),
        timing,
        tls: Some(Certificate::Own),
        ..EngineOptions::default()
    })
    .unwrap()
}

fn run(bench: &Bench, engine: &Running) -> Left {
    let authority = bench.file("authority.pem");
    std::fs::write(&authority, engine.authority().unwrap()).unwrap();
    bench.left_by(bench.start_in(&[("SSL_CERT_FILE", authority.to_str().unwrap())]))
}

#[test]
fn a_check_goes_over_tls_where_the_load_does() {
    let engine = engine();
    let mut bench = Bench::new(&engine.base_url(), 5);
    bench.plan["self_check"] = json!({ "cache": bench.file("checks") });
    let left = run(&bench, &engine);
    assert_eq!(left.report.summary.successful_requests, 5, "{:?}", left.report.error_examples);
    let check = left.report.self_check.expect("a check");
    assert!(check.tls && !check.cached && check.failed.is_none() && check.requests >= 662, "{check:?}");
    assert!(check.ttft_error_ms.is_some_and(|error| error.n >= 662 && error.p50 < 1.0));
    assert!(run(&bench, &engine).report.self_check.is_some_and(|again| again.tls && again.cached));

    // the self-check's authority is trusted in the self-check only
    let untrusted = bench.run();
    assert!(untrusted.report.self_check.is_some_and(|check| check.tls && check.failed.is_none()));
    assert_eq!(untrusted.records.iter().filter(|record| record.error_class == Some(ErrorClass::Tls)).count(), 5);

    // a cached check over TLS is not used for a plain load
    let plain = Scripted::start(|_, out| {
        say(out, &good_answer(3), 0);
        Then::GoOn
    });
    bench.plan["endpoints"][0]["base_url"] = json!(plain.url());
    let check = bench.run().report.self_check.unwrap();
    assert!(!check.tls && !check.cached && check.failed.is_none(), "{check:?}");
}

#[test]
fn a_long_request_is_sent_whole() {
    let engine = engine();
    let mut bench = Bench::new(&engine.base_url(), 3);
    // more than rustls buffers by default, less than the socket accepts
    bench.plan["workload"]["input_tokens"] = json!(30_000);
    bench.plan["stall_timeout_s"] = json!(5.0);
    let left = run(&bench, &engine);
    assert_eq!(left.report.summary.successful_requests, 3, "{:?}", left.report.error_examples);
}

#[test]
fn a_plan_can_hold_the_certificates_to_trust() {
    let engine = engine();
    let mut bench = Bench::new(&engine.base_url(), 3);
    bench.plan["ca_certificates"] = json!(engine.authority().unwrap());
    let left = bench.run();
    assert_eq!(left.report.summary.successful_requests, 3, "{:?}", left.report.error_examples);
    bench.plan["ca_certificates"] = json!("no certificate");
    let refused = bench.start().wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(refused.status.code() == Some(2) && said.contains("there is none in it"), "{said}");
}
