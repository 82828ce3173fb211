use super::*;
use crate::report::{LoadPoint, LoadPointSeries, NodeReport, Report, SteadyState, Summary};

const S: i64 = 1_000_000_000;
const ORIGIN: i64 = 1_000 * S;

/// A report of one load point of so many seconds, with a steady window of 100 tokens/s.
fn report(duration_s: f64, steady: Option<(f64, f64)>) -> Report {
    let figures = Summary { output_throughput: Some(100.0), ..Summary::default() };
    let steady_state = steady.map(|(begin_s, end_s)| Box::new(SteadyState { begin_s, end_s, figures }));
    let summary = Summary { duration_s, output_throughput: Some(50.0), steady_state, ..Summary::default() };
    let mut report: Report = serde_json::from_value(serde_json::json!({
        "run_id": uuid::Uuid::nil(), "kind": "measured", "status": "succeeded", "valid": true, "invalid_reasons": [],
        "summary": {}, "load_points": [], "nodes": [], "provenance": {},
    }))
    .unwrap();
    report.load_points =
        vec![LoadPoint { concurrency: Some(1), rate: None, meets_slo: None, ended_early: false, summary: summary.clone() }];
    report.series = vec![LoadPointSeries { origin_unix_ns: Some(ORIGIN), ..LoadPointSeries::default() }];
    report.nodes = vec![NodeReport { hostname: "n".to_owned(), summary: summary.clone() }];
    report.summary = summary;
    report
}

fn reading(at_s: f64, pace_ms: u32, levels: Levels, devices: Vec<DeviceReading>) -> TelemetrySample {
    let told = SampleContent::Reading(Reading { pace_ms, levels, devices, clock_offset_ms: None });
    TelemetrySample::new(ORIGIN + (at_s * 1e9) as i64, "n", TelemetrySource::Proc, told)
}

fn cpu(at_s: f64, percent: f64) -> TelemetrySample {
    reading(at_s, 1_000, Levels { cpu_percent: Some(percent), ..Levels::default() }, Vec::new())
}

fn gpu(at_s: f64, energy_j: f64, serves: Option<bool>) -> TelemetrySample {
    let device = DeviceReading {
        id: "GPU-1".to_owned(),
        serves,
        levels: Levels { power_w: Some(300.0), ..Levels::default() },
        energy_counter_j: Some(energy_j),
        clock_limits: Some(if at_s > 5.0 { vec![ClockLimit::PowerCap] } else { vec![ClockLimit::Idle] }),
        ..DeviceReading::default()
    };
    TelemetrySample { source: TelemetrySource::Nvml, ..reading(at_s, 1_000, Levels::default(), vec![device]) }
}

fn attached(mut report: Report, samples: &[TelemetrySample]) -> Report {
    attach(&mut report, samples);
    report
}

#[test]
fn mean_and_maximum_are_of_the_steady_window_weighted_by_time() {
    // 10 % until 4 s, 50 % until 8 s, then 90 %: the window sees 2 s of the first and 4 s of the second.
    let samples: Vec<TelemetrySample> = (1..=12)
        .map(|at| {
            cpu(
                f64::from(at),
                if at <= 4 {
                    10.0
                } else if at <= 8 {
                    50.0
                } else {
                    90.0
                },
            )
        })
        .collect();
    let report = attached(report(12.0, Some((2.0, 8.0))), &samples);
    let node = &report.summary.telemetry[0];
    assert!(node.window.is_steady);
    assert!((node.mean.cpu_percent.unwrap() - (2.0 * 10.0 + 4.0 * 50.0) / 6.0).abs() < 1e-9, "{:?}", node.mean);
    assert_eq!(node.max.cpu_percent, Some(50.0));
    assert_eq!((node.series.len(), node.series[0].t_ms, node.series[0].span_ms), (12, 1_000.0, 1_000.0));
    assert_eq!(report.nodes[0].summary.telemetry, report.load_points[0].summary.telemetry);
    assert!(node.gaps.is_empty() && report.notes.is_empty());
    assert_eq!((node.mean.memory_used_bytes, node.energy_j), (None, None), "what was not measured is not there");
}

#[test]
fn a_run_without_a_window_is_summed_up_whole_and_says_so() {
    let report = attached(report(3.0, None), &[cpu(1.0, 20.0), cpu(2.0, 40.0), cpu(3.0, 60.0)]);
    let node = &report.summary.telemetry[0];
    assert_eq!((node.window.is_steady, node.window.end_ms, node.mean.cpu_percent), (false, 3_000.0, Some(40.0)));
}

#[test]
fn a_source_that_falls_silent_leaves_a_gap_that_is_said() {
    let mut samples: Vec<TelemetrySample> = (1..=4).chain(15..=20).map(|at| cpu(f64::from(at), 50.0)).collect();
    let failure = SampleContent::Failure { reason: "It did not answer.".to_owned() };
    samples.push(TelemetrySample { content: failure, ..cpu(5.0, 0.0) });
    let report = attached(report(20.0, None), &samples);
    let node = &report.summary.telemetry[0];
    assert_eq!(node.gaps.len(), 1);
    assert_eq!((node.gaps[0].begin_ms, node.gaps[0].end_ms), (4_000.0, 14_000.0));
    assert_eq!(node.series[4].span_ms, 1_000.0, "what was between is not known");
    assert_eq!(node.mean.cpu_percent, Some(50.0), "a gap is no zero");
    assert_eq!(report.notes[0].text, "Telemetry of n has a gap: /proc told nothing for 10 s. It did not answer.");
}

#[test]
fn the_end_of_a_source_is_a_gap_until_the_end() {
    let samples: Vec<TelemetrySample> = (1..=4).map(|at| cpu(f64::from(at), 50.0)).collect();
    let node = &attached(report(20.0, None), &samples).summary.telemetry[0];
    assert_eq!((node.gaps[0].begin_ms, node.gaps[0].end_ms), (4_000.0, 20_000.0));
    // of a source with a slow pace, the same silence is none
    let slow = |at: f64| reading(at, 30_000, Levels { cpu_percent: Some(1.0), ..Levels::default() }, Vec::new());
    assert!(attached(report(20.0, None), &[slow(4.0)]).summary.telemetry[0].gaps.is_empty());
}

#[test]
fn a_source_that_never_answered_shows_nothing_but_why() {
    let failure = SampleContent::Failure { reason: "The kubeconfig's user may not read it.".to_owned() };
    let sample = TelemetrySample::new(ORIGIN, "n", TelemetrySource::Kubelet, failure);
    let report = attached(report(20.0, None), &[sample.clone(), sample]);
    assert!(report.summary.telemetry.is_empty() && report.summary.energy.is_none());
    assert_eq!(report.notes.len(), 1);
    assert!(report.notes[0].text.ends_with("The kubeconfig's user may not read it."));
}

#[test]
fn energy_is_the_difference_of_a_counter_and_has_a_boundary() {
    let samples: Vec<TelemetrySample> =
        (0..=14).map(|at| gpu(f64::from(at) + 0.5, 7_000.0 + 300.0 * f64::from(at), Some(true))).collect();
    let report = attached(report(14.0, Some((2.0, 12.0))), &samples);
    let device = &report.summary.telemetry[0].devices[0];
    assert_eq!((device.energy_j, device.energy_time_ms), (Some(2_700.0), Some(9_000.0)), "from 2.5 s to 11.5 s");
    let energy = report.summary.energy.as_ref().unwrap();
    assert_eq!((energy.mean_power_w, energy.j_per_output_token), (300.0, Some(3.0)));
    assert!(energy.boundary.starts_with("By the energy counters of the accelerator that served, in the steady-state window"));
    assert_eq!(report.summary.telemetry[0].energy_j, Some(2_700.0));
    let limits = device.clock_limits.as_ref().unwrap();
    assert_eq!(limits.len(), 1, "idleness is no limit");
    assert!((limits[0].share - 0.75).abs() < 1e-9, "{limits:?}");
}

#[test]
fn clocks_that_were_not_limited_are_told_apart_from_those_of_which_nobody_said() {
    let device = |limits: Option<Vec<ClockLimit>>| {
        let samples: Vec<TelemetrySample> = (1..=14)
            .map(|at| {
                let mut sample = gpu(f64::from(at), 0.0, None);
                if let SampleContent::Reading(reading) = &mut sample.content {
                    reading.devices[0].clock_limits.clone_from(&limits);
                }
                sample
            })
            .collect();
        attached(report(14.0, None), &samples).summary.telemetry[0].devices[0].clone()
    };
    let in_report = |device: &DeviceTelemetry| serde_json::to_value(device).unwrap().get("clock_limits").cloned();
    let idle = device(Some(vec![ClockLimit::Idle]));
    assert_eq!((&idle.clock_limits, in_report(&idle)), (&Some(Vec::new()), Some(serde_json::json!([]))));
    let free = device(Some(ClockLimit::of_mask(0)));
    assert_eq!(free.clock_limits, Some(Vec::new()));
    let silent = device(None);
    assert_eq!((&silent.clock_limits, in_report(&silent)), (&None, None));
    // Of a report that was kept before, nobody knows which of both it was.
    assert_eq!(serde_json::from_value::<DeviceTelemetry>(serde_json::json!({ "id": "GPU-1" })).unwrap().clock_limits, None);
}

#[test]
fn a_counter_that_was_reset_gives_no_energy() {
    let samples: Vec<TelemetrySample> =
        (0..=14).map(|at| gpu(f64::from(at), 300.0 * f64::from(if at < 7 { at } else { at - 7 }), None)).collect();
    let report = attached(report(14.0, None), &samples);
    assert_eq!((report.summary.telemetry[0].devices[0].energy_j, &report.summary.energy), (None, &None));
    assert_eq!(report.summary.telemetry[0].devices[0].mean.power_w, Some(300.0));
}

#[test]
fn devices_that_did_not_serve_are_in_no_figure_of_energy() {
    let samples: Vec<TelemetrySample> = (0..=14).map(|at| gpu(f64::from(at), 300.0 * f64::from(at), Some(false))).collect();
    let report = attached(report(14.0, None), &samples);
    assert_eq!((report.summary.telemetry[0].energy_j, &report.summary.energy), (None, &None));
}

/// Samples of two nodes under test, of which the first alone has a counter unless `both`.
fn of_two_nodes(both: bool) -> Vec<TelemetrySample> {
    let at = |second: i32| gpu(f64::from(second), 300.0 * f64::from(second), Some(true));
    let first = (0..=14).map(at);
    let second = (0..=14).map(|second| {
        let of_device = if both { at(second) } else { cpu(f64::from(second), 50.0) };
        TelemetrySample { node: "m".to_owned(), ..of_device }
    });
    first.chain(second).collect()
}

#[test]
fn energy_of_some_nodes_is_not_divided_by_the_tokens_of_all() {
    let both = attached(report(14.0, None), &of_two_nodes(true));
    let energy = both.summary.energy.as_ref().unwrap();
    assert_eq!((energy.devices, energy.mean_power_w), (2, 600.0));
    assert!(both.notes.is_empty(), "{:?}", both.notes);

    let one = attached(report(14.0, None), &of_two_nodes(false));
    assert_eq!(one.summary.energy, None);
    assert_eq!(one.summary.telemetry.iter().filter(|node| node.energy_j.is_some()).count(), 1, "the node's own is there");
    let expected =
        "There is no energy per output token: not every accelerator that served could be read by an energy counter (m).";
    assert_eq!(one.notes.iter().map(|note| note.text.as_str()).collect::<Vec<_>>(), [expected]);
}

#[test]
fn energy_of_some_accelerators_of_a_node_is_none_of_all() {
    let with = |serving: serde_json::Value| {
        let mut of_served = report(14.0, None);
        of_served.provenance.serving_devices = serde_json::from_value(serving).unwrap();
        attached(of_served, &of_two_nodes(true)[..15])
    };
    let served = with(serde_json::json!([{ "node": "n", "type": "cuda", "count": 1 }]));
    assert_eq!(served.summary.energy.unwrap().devices, 1);
    let more = with(serde_json::json!([{ "node": "n", "type": "cuda", "count": 2 }]));
    assert_eq!(more.summary.energy, None);
    // A node that told nothing at all.
    let silent =
        with(serde_json::json!([{ "node": "n", "type": "cuda", "count": 1 }, { "node": "o", "type": "cuda", "count": 1 }]));
    assert_eq!(silent.summary.energy, None);
    assert!(silent.notes.iter().any(|note| note.text.ends_with("energy counter (o).")), "{:?}", silent.notes);
}

#[test]
fn a_counter_that_covers_little_of_the_window_gives_no_energy() {
    let report = attached(report(40.0, None), &[gpu(10.0, 0.0, None), gpu(25.0, 4_500.0, None)]);
    assert_eq!(report.summary.telemetry[0].devices[0].energy_j, None);
}

#[test]
fn a_long_series_is_thinned_and_keeps_least_and_largest() {
    let samples: Vec<TelemetrySample> = (1..=7_200).map(|at| cpu(f64::from(at), f64::from(at % 8))).collect();
    let node = &attached(report(7_200.0, None), &samples).summary.telemetry[0];
    assert_eq!(node.series.len(), 300);
    let point = &node.series[10];
    assert_eq!((point.span_ms, point.levels.cpu_percent), (24_000.0, Some(3.5)));
    assert_eq!((point.min.unwrap().cpu_percent, point.max.unwrap().cpu_percent), (Some(0.0), Some(7.0)));
    assert_eq!(node.max.cpu_percent, Some(7.0), "figures are of all readings");
}

#[test]
fn a_sample_that_was_told_twice_counts_once() {
    let node = &attached(report(3.0, None), &[cpu(1.0, 20.0), cpu(1.0, 20.0), cpu(2.0, 40.0)]).summary.telemetry[0];
    assert_eq!(node.series.len(), 2);
}

#[test]
fn a_line_is_read_as_it_was_written_and_later_fields_are_passed_over() {
    let sample = gpu(1.0, 5.0, Some(true));
    let mut line = serde_json::to_value(&sample).unwrap();
    assert_eq!((&line["v"], &line["source"], &line["event"]), (&1.into(), &"nvml".into(), &"reading".into()));
    line["fan_percent"] = 3.into();
    line["devices"][0]["fan_percent"] = 3.into();
    assert_eq!(serde_json::from_value::<TelemetrySample>(line).unwrap(), sample);
}

#[test]
fn masks_of_clock_limits_are_those_of_the_driver() {
    assert_eq!(ClockLimit::of_mask(0x4 | 0x40), [ClockLimit::PowerCap, ClockLimit::HardwareHeat]);
    assert_eq!((ClockLimit::of_mask(0), ClockLimit::of_mask(1)), (vec![], vec![ClockLimit::Idle]));
}

/// Two devices and a third cut in slices, as dcgm-exporter 3.3 answers; the values are made up.
const DCGM: &str = include_str!("../../tests/fixtures/dcgm-exporter.txt");

#[test]
fn an_exporters_answer_is_read_with_slices_and_pods() {
    let devices = dcgm::devices(DCGM);
    let ids: Vec<&str> = devices.iter().map(|device| device.reading.id.as_str()).collect();
    assert_eq!(ids, ["GPU-a", "GPU-b", "GPU-c", "GPU-c/7", "GPU-c/8"]);
    let first = &devices[0];
    assert_eq!(first.reading.name.as_deref(), Some("NVIDIA H100 80GB HBM3"));
    assert_eq!((first.reading.levels.utilization_percent, first.reading.levels.temperature_c), (Some(87.0), Some(61.0)));
    assert_eq!(first.reading.levels.power_w, Some(512.25));
    assert_eq!(first.reading.levels.memory_used_bytes, Some(70_000.0 * 1_048_576.0));
    assert_eq!(first.memory_bytes, Some(81_000.0 * 1_048_576.0));
    assert_eq!(first.reading.energy_counter_j, Some(1_234_567.89));
    assert_eq!(first.reading.clock_limits, Some(vec![ClockLimit::PowerCap]));
    assert_eq!(first.pods, [("dyno".to_owned(), "dyno-run-1-engine-0".to_owned())]);
    assert!(devices[1].pods.is_empty());
    let (whole, slice) = (&devices[2], &devices[3]);
    assert_eq!((whole.reading.levels.power_w, whole.reading.levels.utilization_percent), (Some(200.0), None));
    assert_eq!((slice.reading.levels.power_w, slice.reading.levels.utilization_percent), (None, Some(25.0)));
    assert_eq!(slice.reading.name.as_deref(), Some("NVIDIA H100 80GB HBM3 MIG 1g.10gb"));
    assert_eq!(slice.reading.levels.memory_used_bytes, Some(1_024.0 * 1_048_576.0));
}
