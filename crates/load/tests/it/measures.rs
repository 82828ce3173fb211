//! Figures compared with times that the server recorded.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use dyno_measure::report::{RequestRecord, TokenSource};
use serde_json::json;

use super::scripted::{Bench, STREAM, Scripted, Then, chunk, ending, say, unix_ns, word};

/// Tolerance between the wall clock and the run's clock, ns.
const CLOCKS: i64 = 5_000_000;

#[test]
fn times_are_those_of_the_content_events() {
    // per request: when the server had it, and begin and end of writing each word
    let kept: Arc<Mutex<Vec<Vec<i64>>>> = Arc::default();
    let keeping = kept.clone();
    let server = Scripted::start(move |_, out| {
        let mut times = vec![unix_ns()];
        // neither the role nor an empty delta is a first token
        say(
            out,
            &format!("{STREAM}{}", chunk("data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n")),
            120,
        );
        for _ in 0..4 {
            times.push(unix_ns());
            say(out, &chunk(&word("x ")), 0);
            times.push(unix_ns());
            std::thread::sleep(Duration::from_millis(40));
        }
        keeping.lock().unwrap().push(times);
        say(out, &chunk(": ping\n\n"), 60);
        say(out, &ending(20, 8), 0);
        Then::GoOn
    });
    let left = Bench::new(&server.url(), 12).run();
    assert!(left.output.status.success(), "{left:?}", left = left.report.invalid_reasons);
    let summary = &left.report.summary;
    assert_eq!((summary.successful_requests, summary.total_output_tokens, summary.total_input_tokens), (12, Some(96), Some(240)));
    assert_eq!((summary.token_source, summary.tokens_per_event), (Some(TokenSource::Usage), Some(2.0)));
    // sleeps may end late on a busy machine, never early
    let [ttft, itl, e2el] = [&summary.ttft_ms, &summary.itl_ms, &summary.e2el_ms].map(|figures| figures.as_ref().unwrap());
    assert!(ttft.min >= 119.5, "{ttft:?}");
    assert!(itl.min >= 39.0 && itl.n == 36, "{itl:?}");
    assert!(e2el.min >= 239.0, "{e2el:?}");
    for (record, times) in left.records.iter().zip(kept.lock().unwrap().iter()) {
        // the kernel's stamps lie within the server's writes; ping, usage and [DONE] come later and do not count
        let sent = record.sent_unix_ns.unwrap();
        let (first, last) = (record.first_content_unix_ns.unwrap(), record.last_content_unix_ns.unwrap());
        assert!(sent <= times[0] + CLOCKS, "{times:?} {record:?}");
        assert!((times[1] - CLOCKS..=times[2] + CLOCKS).contains(&first), "{times:?} {record:?}");
        assert!((times[7] - CLOCKS..=times[8] + CLOCKS).contains(&last), "{times:?} {record:?}");
        assert!((record.ttft_ms.unwrap() - (first - sent) as f64 / 1e6).abs() < 1e-3, "{record:?}");
        assert!((record.e2el_ms.unwrap() - (last - sent) as f64 / 1e6).abs() < 1e-3, "{record:?}");
        let sum = record.tpot_ms.unwrap() * 7.0;
        assert!((record.e2el_ms.unwrap() - record.ttft_ms.unwrap() - sum).abs() < 1e-6);
        assert_eq!((record.events, record.finish_reason.as_deref()), (4, Some("stop")));
    }
    assert_eq!(left.report.client.timestamps, "kernel");
    assert!(summary.below_floor.contains(&"ttft_ms.p99".to_owned()));
    // one request at a time, none between two
    let busy_s = left.records.iter().map(|record| record.e2el_ms.unwrap()).sum::<f64>() / 1e3;
    assert!((summary.achieved_concurrency.unwrap() - busy_s / summary.duration_s).abs() < 1e-6, "{summary:?}");
}

#[test]
fn a_closed_loop_keeps_so_many_in_flight_and_no_more() {
    let busy = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let most = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let (counting, peak) = (busy.clone(), most.clone());
    let server = Scripted::start(move |_, out| {
        let now = counting.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
        peak.fetch_max(now, std::sync::atomic::Ordering::SeqCst);
        std::thread::sleep(std::time::Duration::from_millis(50));
        counting.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
        say(out, &super::scripted::good_answer(3), 0);
        Then::GoOn
    });
    let mut bench = Bench::new(&server.url(), 60);
    bench.plan["load_points"] = json!([
        {"load": {"kind": "closed", "concurrency": 3}, "num_requests": 30, "warmup_requests": 5},
        {"load": {"kind": "closed", "concurrency": 6}, "num_requests": 60, "warmup_requests": 6},
    ]);
    let left = bench.run();
    let points = &left.report.load_points;
    assert_eq!(
        points.iter().map(|point| (point.concurrency, point.summary.total_requests)).collect::<Vec<_>>(),
        [(Some(3), 30), (Some(6), 60)]
    );
    assert_eq!((points[0].summary.peak_concurrency, points[1].summary.peak_concurrency), (Some(3), Some(6)));
    assert_eq!(most.load(std::sync::atomic::Ordering::SeqCst), 6);
    assert_eq!(left.report.best, 1);
    // warm-ups are recorded and excluded
    assert_eq!(left.records.len(), 30 + 60 + 5 + 6);
    assert_eq!(server.seen().len(), left.records.len());
}

#[test]
fn a_rate_is_kept_and_arrivals_over_the_cap_are_counted() {
    let server = Scripted::start(|_, out| {
        say(out, "", 100);
        say(out, &super::scripted::good_answer(2), 0);
        Then::GoOn
    });
    let mut bench = Bench::new(&server.url(), 60);
    let rate = |cap: u32| json!([{"load": {"kind": "rate", "rate": 100.0, "process": "constant", "max_in_flight": cap}, "num_requests": 100, "warmup_requests": 0}]);
    bench.plan["load_points"] = rate(64);
    let left = bench.run();
    let summary = left.report.summary;
    assert_eq!((summary.successful_requests, summary.dropped_requests), (100, 0));
    let of =
        |time: fn(&RequestRecord) -> Option<i64>| left.records.iter().map(|record| time(record).unwrap()).collect::<Vec<_>>();
    let (mut scheduled, mut sent) = (of(|record| record.scheduled_unix_ns), of(|record| record.sent_unix_ns));
    scheduled.sort_unstable();
    sent.sort_unstable();
    // scheduled every 10 ms however long answers take, and sent then, as far as the machine permits
    for (place, at) in (0_i64..).zip(&scheduled) {
        assert!((at - scheduled[0] - place * 10_000_000).abs() < CLOCKS, "{place}: {scheduled:?}");
    }
    assert_eq!(summary.requested_rate.map(f64::round), Some(100.0));
    let per_second = 99.0 / ((sent[99] - sent[0]) as f64 / 1e9);
    assert!((summary.achieved_rate.unwrap() / per_second - 1.0).abs() < 1e-3, "{:?} {per_second}", summary.achieved_rate);
    let lag = summary.schedule_lag_ms.unwrap();
    assert!(lag.min >= 0.0 && lag.p50 < 1_000.0, "{lag:?}");
    assert!(summary.ttft_from_schedule_ms.unwrap().mean >= summary.ttft_ms.unwrap().mean);

    bench.plan["load_points"] = rate(2);
    let summary = bench.run().report.summary;
    assert!(summary.dropped_requests > 50 && summary.dropped_requests + summary.successful_requests == 100);
    assert!((summary.error_rate - summary.dropped_requests as f64 / 100.0).abs() < 1e-9);
}
