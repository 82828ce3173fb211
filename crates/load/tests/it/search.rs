//! Searches for the largest load within limits, and sweeps, run as a process.

use crate::program::dyno;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dyno_load::report::from_folder;
use dyno_measure::load::LoadVariable;
use dyno_measure::plan::Plan;
use serde_json::{Value, json};

use super::scripted::{Bench, Scripted, Then, good_answer, say, until};

/// A server that refuses requests while `most` are in flight.
fn server_for(most: usize) -> Scripted {
    let busy = Arc::new(AtomicUsize::new(0));
    Scripted::start(move |_, out| {
        let full = busy.fetch_add(1, Ordering::SeqCst) >= most;
        if full {
            say(out, "HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n", 0);
        } else {
            std::thread::sleep(Duration::from_millis(30));
            // counted as free before the client can see the answer
            busy.fetch_sub(1, Ordering::SeqCst);
            say(out, &good_answer(3), 0);
            return Then::GoOn;
        }
        busy.fetch_sub(1, Ordering::SeqCst);
        Then::GoOn
    })
}

fn searching(url: &str, most: u32, requests: Option<u32>) -> Bench {
    let mut bench = Bench::new(url, 1);
    bench.plan["load_points"] =
        json!([{"load": {"kind": "closed", "concurrency": most}, "warmup_requests": 0, "num_requests": requests}]);
    bench.plan["slo"] = json!({"percentile": 50, "ttft_ms": 60_000, "search": {"min": 1, "max": most}});
    bench.plan["ramp_s"] = json!(0.0);
    bench
}

#[test]
fn the_largest_concurrency_within_the_limits_is_found() {
    let server = server_for(5);
    let bench = searching(&server.url(), 32, Some(60));
    let left = bench.run();
    let report = &left.report;
    let search = report.search.as_ref().expect("a search");
    assert_eq!(
        (search.variable, search.meets_at, search.fails_at),
        (LoadVariable::Concurrency, Some(5.0), Some(6.0)),
        "{search:?}"
    );
    assert_eq!(
        search.sentence,
        "The largest concurrency within the limits is 5 in flight: 6 in flight is over them. Measured once more in full, both came to the same."
    );
    // in measuring order, each once and fewer than a full sweep; then the confirmation of the answer
    let loads: Vec<u32> = report.load_points.iter().map(|point| point.concurrency.unwrap()).collect();
    assert!(loads.len() <= 9 && search.is_confirmed, "{loads:?}");
    assert_eq!(loads[0], 6, "the geometric middle: {loads:?}");
    let (searched, again) = loads.split_at(loads.len() - 2);
    assert_eq!(again, [5, 6]);
    assert_eq!(searched.iter().collect::<std::collections::BTreeSet<_>>().len(), searched.len());
    assert!(report.load_points.iter().all(|point| point.meets_slo == Some(point.concurrency <= Some(5))));
    // the report's own summary is that of the answer
    assert_eq!((report.load_points[report.best].concurrency, report.best), (Some(5), loads.len() - 2), "the second time");
    assert_eq!(report.summary, report.load_points[report.best].summary);
    assert_eq!(report.series.len(), loads.len());
    // a load point that can no longer meet the limits ends early
    let over = report.load_points.iter().find(|point| point.concurrency == Some(6)).unwrap();
    assert!(over.ended_early && over.summary.total_requests < 60, "{:?}", over.summary);
    let confirmed = report.load_points.last().unwrap();
    assert!(!confirmed.ended_early && confirmed.summary.total_requests == 60, "{:?}", confirmed.summary);
    assert!(report.notes.iter().any(|note| note.text.contains("was ended after")), "{:?}", report.notes);
    assert_eq!(over.summary.error_rate, over.summary.failed_requests as f64 / over.summary.total_requests as f64);
}

#[test]
fn nothing_meets_everything_meets_and_too_few_to_tell() {
    for (most, requests, meets_at, words) in [
        (
            0,
            Some(20),
            None,
            "No concurrency is within the limits: the least that was allowed, 1 in flight, is over them. Measured once more in full, it came to the same.",
        ),
        (
            99,
            Some(20),
            Some(4.0),
            "Even the largest concurrency that was allowed, 4 in flight, is within the limits. Measured once more in full, it came to the same.",
        ),
        (
            99,
            Some(10),
            None,
            "No concurrency was found to be within the limits or over them. At 2 in flight the percentile could not be decided, since too few requests were counted or the client was late: the search ended there.",
        ),
    ] {
        let server = server_for(most);
        let left = searching(&server.url(), 4, requests).run();
        let search = left.report.search.unwrap();
        assert_eq!((search.meets_at, search.sentence.as_str()), (meets_at, words));
    }
}

#[test]
fn enough_requests_for_the_percentile_unless_their_number_is_fixed() {
    let server = server_for(99);
    let mut bench = searching(&server.url(), 1, None);
    bench.plan["slo"] = json!({"percentile": 90, "ttft_ms": 60_000, "search": {"min": 1, "max": 1}});
    let left = bench.run();
    // the larger of 100 and the floor of p90
    assert_eq!(left.report.summary.total_requests, 100);
    assert_eq!(left.report.search.unwrap().meets_at, Some(1.0));
}

#[test]
fn a_killed_search_says_how_far_it_came() {
    let server = server_for(99);
    let mut bench = searching(&server.url(), 200, Some(40));
    bench.plan["slo"]["search"]["min"] = json!(2);
    let mut load = bench.start();
    until("requests of the second load point", || {
        let text = std::fs::read_to_string(bench.file("requests.ndjson")).unwrap_or_default();
        (text.lines().filter(|line| line.contains("\"load_point\":1,")).count() >= 5).then_some(())
    });
    load.kill().unwrap();
    load.wait().unwrap();
    let plan: Plan = serde_json::from_value(bench.plan.clone()).unwrap();
    let report = from_folder(bench.folder.path(), &plan).unwrap().unwrap();
    assert_eq!(report.load_points[0].concurrency, Some(20));
    assert!(report.load_points.len() >= 2 && report.load_points[1].concurrency > Some(20));
    let search = report.search.unwrap();
    assert!(search.meets_at >= Some(20.0) && search.sentence.contains("ended before its answer"), "{search:?}");
}

#[test]
fn searches_and_sweeps_by_hand() {
    let server = server_for(3);
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.json");
    let load = |arguments: &[&str]| {
        let output = dyno()
            .args(["load", "--base-url", &server.url(), "--model", "m", "--input-tokens", "20", "--output-tokens", "3"])
            .args(["--warmup-requests", "0", "--self-check", "off", "--report", report.to_str().unwrap()])
            .args(arguments)
            .output()
            .unwrap();
        let table = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code(), table, String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let read = || -> Value { serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap() };

    let limits = ["--slo-ttft-ms", "60000", "--slo-percentile", "50"];
    let (code, table, error) = load(&[&limits[..], &["--search-max", "8", "--num-requests", "40"]].concat());
    assert_eq!(code, Some(0), "{error}");
    assert!(table.contains("The largest concurrency within the limits is 3 in flight"), "{table}");
    assert!(table.contains("3 in flight · within the limits") && table.contains("yes (best)"), "{table}");
    assert_eq!(read()["search"]["fails_at"], 4.0);

    let (code, table, error) = load(&["--concurrency", "1,2,3", "--num-requests", "12"]);
    assert_eq!(code, Some(0), "{error}");
    assert_eq!(read()["load_points"].as_array().unwrap().len(), 3);
    assert!(table.contains("(best)"), "{table}");
    // on a busy machine late sends may make the run invalid, which is exit code 1
    let (code, _, error) = load(&["--rate", "50,20", "--num-requests", "5", "--max-in-flight", "3"]);
    assert!(matches!(code, Some(0 | 1)), "{error}");
    assert_eq!(read()["load_points"][1]["rate"], 20.0);

    for (wrong, words) in [
        (&["--search-max", "8"][..], "needs a latency limit"),
        (&["--search-max", "8", "--slo-ttft-ms", "5", "--search-min", "9"], "can't go from 9 to 8"),
        (&["--search-max", "8", "--slo-ttft-ms", "0"], "greater than 0"),
        (&["--search-max", "8", "--slo-ttft-ms", "5", "--concurrency", "4"], "cannot be used with"),
        (&["--concurrency", "1,x"], "invalid value"),
    ] {
        let (code, _, error) = load(wrong);
        assert_eq!(code, Some(2), "{wrong:?}");
        assert!(error.contains(words), "{wrong:?}: {error}");
    }
}
