//! From samples to what a report says of each node under test, load point by load point.

use std::collections::BTreeMap;

use super::report::{DeviceTelemetry, EnergyUse, NodeTelemetry, SourceFacts, TelemetryGap, TimeWindow};
use super::steps::{self, TelemetryStep, TimedReading};
use super::{DeviceReading, Reading, SampleContent, TelemetrySample, TelemetrySource};
use crate::report::{Note, Report, Summary};

/// Points of a series over all load points together: a report has one for each quantity of each device, and all samples are exported beside it.
const POINTS: usize = 300;
/// Points that a load point has at least, where it has as many readings.
const LEAST_POINTS: usize = 60;

/// One load point's time.
#[derive(Debug, Clone, Copy)]
struct TelemetryScope {
    /// Its first measured send, Unix ns.
    origin: i64,
    /// Where its axis begins: with the warm-up, before 0.
    from_ms: f64,
    until_ms: f64,
    window: TimeWindow,
    most_points: usize,
}

/// Adds what was sampled to a report: to each load point, to the summary, and to the nodes. Of a report without times, or without
/// samples, nothing changes.
pub fn attach(report: &mut Report, samples: &[TelemetrySample]) {
    if samples.is_empty() {
        return;
    }
    let most_points = (POINTS / report.load_points.len().max(1)).max(LEAST_POINTS);
    let serving = serving(report, samples);
    let mut uncounted: Vec<String> = Vec::new();
    for (point, series) in report.load_points.iter_mut().zip(&report.series) {
        let Some(origin) = series.origin_unix_ns else { continue };
        let until_ms = point.summary.duration_s * 1e3;
        let from_ms = series.warmup_begin_s.unwrap_or(0.0).min(0.0) * 1e3;
        let scope = TelemetryScope { origin, from_ms, until_ms, window: window(&point.summary), most_points };
        point.summary.telemetry = nodes(samples, scope);
        let lacking = without_counter(&serving, &point.summary.telemetry);
        if lacking.is_empty() {
            point.summary.energy = energy_use(&point.summary, scope.window);
        } else if point.summary.telemetry.iter().flat_map(|node| &node.devices).any(|device| device.energy_j.is_some()) {
            uncounted.extend(lacking);
        }
    }
    if let Some(best) = report.load_points.get(report.best) {
        report.summary.telemetry.clone_from(&best.summary.telemetry);
        report.summary.energy.clone_from(&best.summary.energy);
        for node in &mut report.nodes {
            let own = best.summary.telemetry.iter().filter(|own| own.hostname == node.hostname);
            node.summary.telemetry = own.cloned().collect();
        }
    }
    uncounted.sort_unstable();
    uncounted.dedup();
    let without_energy = (!uncounted.is_empty()).then(|| {
        let nodes = uncounted.join(", ");
        format!(
            "There is no energy per output token: not every accelerator that served could be read by an energy counter ({nodes})."
        )
    });
    report.notes.extend(missing(samples).into_iter().chain(gaps(report)).chain(without_energy).map(Note::from));
}

/// The steady-state window, else the whole load point.
fn window(summary: &Summary) -> TimeWindow {
    match &summary.steady_state {
        Some(steady) => TimeWindow { begin_ms: steady.begin_s * 1e3, end_ms: steady.end_s * 1e3, is_steady: true },
        None => TimeWindow { begin_ms: 0.0, end_ms: summary.duration_s * 1e3, is_steady: false },
    }
}

fn names(samples: &[TelemetrySample]) -> Vec<&str> {
    let mut names: Vec<&str> = samples.iter().map(|sample| sample.node.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn nodes(samples: &[TelemetrySample], scope: TelemetryScope) -> Vec<NodeTelemetry> {
    let of = |name: &str| {
        let mut own: Vec<&TelemetrySample> = samples.iter().filter(|sample| sample.node == name).collect();
        own.sort_by_key(|sample| sample.at_unix_ns);
        node(name, &own, scope)
    };
    let all = names(samples).into_iter().map(of);
    all.filter(|node| !(node.series.is_empty() && node.devices.is_empty() && node.gaps.is_empty())).collect()
}

fn node(name: &str, samples: &[&TelemetrySample], scope: TelemetryScope) -> NodeTelemetry {
    let at_ms = |sample: &TelemetrySample| (sample.at_unix_ns - scope.origin) as f64 / 1e6;
    let readings = samples.iter().filter_map(|sample| match &sample.content {
        SampleContent::Reading(reading) => Some((at_ms(sample), sample.source, reading)),
        SampleContent::Failure { .. } => None,
    });
    let readings: Vec<(f64, TelemetrySource, &Reading)> = readings.collect();
    let own = readings.iter().filter(|(.., reading)| !reading.levels.is_empty());
    let own = steps::steps(own.map(|(at, _, reading)| timed(*at, reading)).collect());
    let (mean, max) = steps::figures(&own, scope.window);
    let devices = devices(&readings, scope);
    let mut sources = Vec::new();
    let mut gaps = Vec::new();
    let mut told: Vec<TelemetrySource> = readings.iter().map(|(_, source, _)| *source).collect();
    told.sort_unstable();
    told.dedup();
    for source in told {
        let of_source: Vec<TimedReading<'_>> =
            readings.iter().filter(|(_, own, _)| *own == source).map(|(at, _, reading)| timed(*at, reading)).collect();
        let pace_ms = of_source.last().map_or(0.0, |reading| reading.pace_ms);
        let within = of_source.iter().filter(|reading| reading.at_ms > 0.0 && reading.at_ms <= scope.until_ms).count();
        let of_clock = readings.iter().rev().find(|(_, own, _)| *own == source);
        let clock_offset_ms = of_clock.and_then(|(.., reading)| reading.clock_offset_ms);
        sources.push(SourceFacts { source, pace_ms: pace_ms as u32, readings: within as u64, clock_offset_ms });
        let of_source = steps::steps(of_source);
        for (begin_ms, end_ms) in steps::gaps(&of_source, pace_ms, 0.0, scope.until_ms) {
            let failures = samples.iter().filter(|sample| sample.source == source && at_ms(sample) <= end_ms.max(scope.until_ms));
            let said = failures.rev().find_map(|sample| match &sample.content {
                // of a time before the gap, with a pace for when it was noticed
                SampleContent::Failure { reason } if at_ms(sample) >= begin_ms - 2.0 * pace_ms => Some(reason.clone()),
                _ => None,
            });
            gaps.push(TelemetryGap { source, begin_ms, end_ms, reason: said });
        }
    }
    let counted = counted(&devices);
    let energy_j = counted.iter().map(|device| device.energy_j).sum::<Option<f64>>().filter(|_| !counted.is_empty());
    NodeTelemetry {
        hostname: name.to_owned(),
        window: scope.window,
        series: steps::series(&own, scope.from_ms, scope.until_ms, scope.most_points),
        mean,
        max,
        energy_j,
        devices,
        sources,
        gaps,
    }
}

fn timed(at_ms: f64, reading: &Reading) -> TimedReading<'_> {
    let pace_ms = f64::from(reading.pace_ms.max(1));
    TimedReading { at_ms, pace_ms, levels: reading.levels, energy_j: None, clock_limits: None }
}

/// When a device was read, ms; how often its source is, ms; what it said.
type DeviceAt<'a> = (f64, u32, &'a DeviceReading);

fn devices(readings: &[(f64, TelemetrySource, &Reading)], scope: TelemetryScope) -> Vec<DeviceTelemetry> {
    let mut by_id: BTreeMap<(Option<u32>, &str), Vec<DeviceAt<'_>>> = BTreeMap::new();
    for (at, _, reading) in readings {
        for device in &reading.devices {
            by_id.entry((device.index, &device.id)).or_default().push((*at, reading.pace_ms, device));
        }
    }
    let of = |told: Vec<DeviceAt<'_>>| {
        let last = told.last().map(|(.., device)| *device)?;
        let readings = told.iter().map(|(at_ms, pace_ms, device)| TimedReading {
            at_ms: *at_ms,
            pace_ms: f64::from((*pace_ms).max(1)),
            levels: device.levels,
            energy_j: device.energy_counter_j,
            clock_limits: device.clock_limits.as_deref(),
        });
        let steps: Vec<TelemetryStep<'_>> = steps::steps(readings.collect());
        let series = steps::series(&steps, scope.from_ms, scope.until_ms, scope.most_points);
        if series.is_empty() {
            return None;
        }
        let (mean, max) = steps::figures(&steps, scope.window);
        let (energy_j, energy_time_ms) = steps::energy(&steps, scope.window).unzip();
        Some(DeviceTelemetry {
            id: last.id.clone(),
            name: last.name.clone(),
            index: last.index,
            serves: last.serves,
            series,
            mean,
            max,
            energy_j,
            energy_time_ms,
            clock_limits: steps::clock_limits(&steps, scope.window),
        })
    };
    by_id.into_values().filter_map(of).collect()
}

/// The devices whose energy counts: those that served; all, where none is known to have. A slice of a device has no power of its own.
fn counted(devices: &[DeviceTelemetry]) -> Vec<&DeviceTelemetry> {
    let with_power: Vec<&DeviceTelemetry> =
        devices.iter().filter(|device| device.energy_j.is_some() || device.mean.power_w.is_some()).collect();
    let serving: Vec<&DeviceTelemetry> = with_power.iter().filter(|device| device.serves == Some(true)).copied().collect();
    if serving.is_empty() { with_power.into_iter().filter(|device| device.serves.is_none()).collect() } else { serving }
}

/// The nodes whose output is counted, with how many accelerators serve there at least.
fn serving(report: &Report, samples: &[TelemetrySample]) -> BTreeMap<String, usize> {
    let mut nodes = BTreeMap::new();
    for devices in report.provenance.serving_devices.iter().flatten() {
        *nodes.entry(devices.node.clone()).or_default() += devices.count as usize;
    }
    if nodes.is_empty() {
        nodes.extend(names(samples).into_iter().map(|name| (name.to_owned(), 1)));
    }
    nodes
}

/// Those of them of which an accelerator has no energy: the tokens would be of all, and the energy of some.
fn without_counter(serving: &BTreeMap<String, usize>, telemetry: &[NodeTelemetry]) -> Vec<String> {
    let is_counted = |name: &str, least: usize| {
        let Some(node) = telemetry.iter().find(|node| node.hostname == name) else { return false };
        let counted = counted(&node.devices);
        // Several slices of one device have one counter.
        let has_slices = node.devices.iter().any(|device| device.serves == Some(true) && device.id.contains('/'));
        let least = if has_slices { 1 } else { least.max(1) };
        counted.len() >= least && counted.iter().all(|device| device.energy_j.is_some())
    };
    serving.iter().filter(|(name, least)| !is_counted(name, **least)).map(|(name, _)| name.clone()).collect()
}

/// Energy of a load point over all of its nodes; nothing where a device that served has no counter.
fn energy_use(summary: &Summary, window: TimeWindow) -> Option<EnergyUse> {
    let devices: Vec<&DeviceTelemetry> = summary.telemetry.iter().flat_map(|node| counted(&node.devices)).collect();
    let power = |device: &&DeviceTelemetry| Some(device.energy_j? / (device.energy_time_ms? / 1e3));
    let mean_power_w = devices.iter().map(power).sum::<Option<f64>>().filter(|_| !devices.is_empty())?;
    let tokens_per_s = match &summary.steady_state {
        Some(steady) => steady.figures.output_throughput,
        None => summary.output_throughput,
    };
    let is_known = devices.iter().all(|device| device.serves == Some(true));
    let which = match (devices.len(), is_known) {
        (1, true) => "the accelerator that served".to_owned(),
        (1, false) => "the one accelerator of the nodes under test".to_owned(),
        (all, true) => format!("the {all} accelerators that served"),
        (all, false) => format!("all {all} accelerators of the nodes under test"),
    };
    let when = if window.is_steady {
        "in the steady-state window"
    } else {
        "over the whole load point, which had no steady-state window"
    };
    Some(EnergyUse {
        mean_power_w,
        j_per_output_token: tokens_per_s.filter(|tokens| *tokens > 0.0).map(|tokens| mean_power_w / tokens),
        window,
        devices: devices.len() as u32,
        boundary: format!(
            "By the energy counters of {which}, {when}; processors, memory, network and cooling of the nodes are not in it."
        ),
    })
}

/// Errors of sources that never gave a sample.
fn missing(samples: &[TelemetrySample]) -> Vec<String> {
    let has_readings = |name: &str, source: TelemetrySource| {
        let own = samples.iter().filter(|sample| sample.node == name && sample.source == source);
        own.into_iter().any(|sample| matches!(sample.content, SampleContent::Reading(_)))
    };
    let mut found: Vec<(String, Vec<&str>)> = Vec::new();
    for sample in samples {
        let SampleContent::Failure { reason } = &sample.content else { continue };
        if has_readings(&sample.node, sample.source) {
            continue;
        }
        match found.iter_mut().find(|(own, _)| own == reason) {
            Some((_, nodes)) if nodes.contains(&sample.node.as_str()) => {}
            Some((_, nodes)) => nodes.push(&sample.node),
            None => found.push((reason.clone(), vec![&sample.node])),
        }
    }
    found.into_iter().map(|(reason, nodes)| format!("Telemetry of {} is not whole. {reason}", nodes.join(", "))).collect()
}

/// A sentence for each source of a node that told nothing for a while.
fn gaps(report: &Report) -> Vec<String> {
    let mut found: BTreeMap<(&str, TelemetrySource), (f64, Option<&str>)> = BTreeMap::new();
    for node in report.load_points.iter().flat_map(|point| &point.summary.telemetry) {
        for gap in &node.gaps {
            let (all, reason) = found.entry((&node.hostname, gap.source)).or_default();
            *all += gap.end_ms - gap.begin_ms;
            *reason = reason.or(gap.reason.as_deref());
        }
    }
    let sentence = |((node, source), (ms, reason)): ((&str, TelemetrySource), (f64, Option<&str>))| {
        let why = reason.map(|reason| format!(" {reason}")).unwrap_or_default();
        format!("Telemetry of {node} has a gap: {} told nothing for {:.0} s.{why}", source.title(), ms / 1e3)
    };
    found.into_iter().map(sentence).collect()
}
