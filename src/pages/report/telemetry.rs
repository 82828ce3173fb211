//! What nodes under test and their devices did while a load point ran: charts on the axis of the latencies, figures of the window, and
//! what is not known.

use leptos::prelude::*;
use uuid::Uuid;

use crate::components::charts::telemetry::device_name;
use crate::components::charts::{Chart, ChartFigure, ChartFiles};
use crate::components::metric::Term;
use crate::components::number::{bytes, figure, percent};
use crate::components::table::{Column, DataTable};
use dyno_measure::report::Summary;
use dyno_measure::telemetry::{DeviceTelemetry, EnergyUse, Levels, NodeTelemetry, Quantity, SourceFacts};

/// Nothing where nothing was measured.
#[component]
pub fn TelemetryPanel(run: Uuid, summary: Summary, charts: Vec<Chart>, files: ChartFiles) -> impl IntoView {
    let nodes = summary.telemetry;
    let figures = charts.into_iter().map(|chart| view! { <ChartFigure chart=chart files=files.clone() /> }).collect_view();
    (!nodes.is_empty())
        .then(|| {
            let window = nodes.first().map(|node| node.window).unwrap_or_default();
            let of = if window.is_steady { "the steady-state window" } else { "the whole load point, which had no steady-state window" };
            let span = format!(
                "Mean by time and maximum are of {of}, from {:.1} to {:.1} s.",
                window.begin_ms / 1e3,
                window.end_ms / 1e3
            );
            let gaps = gaps(&nodes);
            view! {
                <section class="panel stack" aria-labelledby="telemetry-title">
                    <h3 id="telemetry-title">"What the nodes did"</h3>
                    <div class="chart-panels">{figures}</div>
                    {node_table(&nodes)}
                    {device_table(&nodes)}
                    {summary.energy.map(energy)}
                    <p class="small muted">{span} " " {sources(&nodes)}</p>
                    {(!gaps.is_empty()).then(|| view! { <ul class="small">{gaps.into_iter().map(|gap| view! { <li>{gap}</li> }).collect_view()}</ul> })}
                    <p class="small">
                        "All samples: "
                        <a href=format!("/api/v1/runs/{run}/telemetry?format=csv") download>"CSV"</a> " "
                        <a href=format!("/api/v1/runs/{run}/telemetry?format=ndjson") download>"NDJSON"</a>
                    </p>
                </section>
            }
        })
        .into_any()
}

/// Mean and maximum in one cell.
fn cell(label: &'static str, mean: &Levels, max: &Levels, quantity: Quantity, words: fn(f64) -> String) -> AnyView {
    let text = mean.get(quantity).zip(max.get(quantity));
    view! {
        <td class="numeric" data-label=label>
            {match text {
                Some((mean, max)) => view! { <span class="figure-value">{format!("{} · {}", words(mean), words(max))}</span> }.into_any(),
                None => view! { <span class="muted">"not measured"</span> }.into_any(),
            }}
        </td>
    }
    .into_any()
}

fn size(value: f64) -> String {
    bytes(value.max(0.0) as u64)
}

fn node_table(nodes: &[NodeTelemetry]) -> Option<AnyView> {
    let measured: Vec<&NodeTelemetry> = nodes.iter().filter(|node| !node.mean.is_empty()).collect();
    if measured.is_empty() {
        return None;
    }
    let columns = vec![
        Column::text("Node"),
        Column::figures("CPU, %, mean · max").about("cpu_percent"),
        Column::figures("Memory, mean · max").about("memory_used_bytes"),
    ];
    let rows = measured.into_iter().map(|node| {
        view! {
            <tr>
                <th scope="row">{node.hostname.clone()}</th>
                {cell("CPU, %, mean · max", &node.mean, &node.max, Quantity::CpuPercent, figure)}
                {cell("Memory, mean · max", &node.mean, &node.max, Quantity::MemoryUsedBytes, size)}
            </tr>
        }
    });
    let rows = rows.collect_view();
    Some(
        view! {
            <DataTable caption="CPU and memory of the nodes" caption_hidden=true columns=columns blocks=true>
                {rows}
            </DataTable>
        }
        .into_any(),
    )
}

fn device_table(nodes: &[NodeTelemetry]) -> Option<AnyView> {
    let several = nodes.len() > 1;
    let devices: Vec<(String, &DeviceTelemetry)> = nodes
        .iter()
        .flat_map(|node| node.devices.iter().map(|device| (device_name(&node.hostname, device, several), device)))
        .collect();
    if devices.is_empty() {
        return None;
    }
    let columns = vec![
        Column::text("Accelerator"),
        Column::figures("At work, %, mean · max").about("utilization_percent"),
        Column::figures("Memory, mean · max").about("memory_used_bytes"),
        Column::figures("Power, W, mean · max").about("power_w"),
        Column::figures("Temperature, °C, mean · max").about("temperature_c"),
        Column::figures("Energy, J").about("energy_j"),
        Column::text("Clocks limited by").about("clock_limits"),
    ];
    let rows = devices.into_iter().map(|(name, device)| {
        let limits = match clock_limits(device) {
            Some(limits) => limits.into_any(),
            None => view! { <span class="muted">"not known"</span> }.into_any(),
        };
        let served = match device.serves {
            Some(false) => Some("did not serve"),
            Some(true) | None => None,
        };
        let (mean, max) = (&device.mean, &device.max);
        view! {
            <tr>
                <th scope="row">
                    {name}
                    {device.name.clone().map(|name| view! { <span class="muted small">" " {name}</span> })}
                    {served.map(|served| view! { <span class="muted small">", " {served}</span> })}
                </th>
                {cell("At work, %, mean · max", mean, max, Quantity::UtilizationPercent, figure)}
                {cell("Memory, mean · max", mean, max, Quantity::MemoryUsedBytes, size)}
                {cell("Power, W, mean · max", mean, max, Quantity::PowerW, figure)}
                {cell("Temperature, °C, mean · max", mean, max, Quantity::TemperatureC, figure)}
                <td class="numeric" data-label="Energy, J">
                    {match device.energy_j {
                        Some(energy) => view! { <span class="figure-value">{figure(energy)}</span> }.into_any(),
                        None => view! { <span class="muted">"not measured"</span> }.into_any(),
                    }}
                </td>
                <td data-label="Clocks limited by">{limits}</td>
            </tr>
        }
    });
    let rows = rows.collect_view();
    Some(
        view! {
            <DataTable caption="Accelerators of the nodes" caption_hidden=true columns=columns blocks=true>
                {rows}
            </DataTable>
        }
        .into_any(),
    )
}

/// What limited a device's clocks; absent where its source does not say.
fn clock_limits(device: &DeviceTelemetry) -> Option<String> {
    let limits = device.clock_limits.as_ref()?;
    let words: Vec<String> = limits.iter().map(|limit| format!("{} {}", limit.reason.words(), percent(limit.share))).collect();
    Some(if words.is_empty() { "not limited".to_owned() } else { words.join(", ") })
}

fn energy(energy: EnergyUse) -> AnyView {
    let per_token = energy.j_per_output_token.map(|joules| {
        view! {
            <Term id="j_per_output_token" text="J per output token" />
            {format!(": {}, at a mean power of ", figure(joules))}
        }
    });
    let begin = if per_token.is_none() { "Mean power: " } else { "" };
    view! { <p>{begin} {per_token} {format!("{} W. {}", figure(energy.mean_power_w), energy.boundary)}</p> }.into_any()
}

/// Who told what, and how often.
fn sources(nodes: &[NodeTelemetry]) -> String {
    let mut told: Vec<&SourceFacts> = Vec::new();
    for source in nodes.iter().flat_map(|node| &node.sources) {
        if !told.iter().any(|known| known.source == source.source) {
            told.push(source);
        }
    }
    let words = told.iter().map(|told| {
        let moved = told.clock_offset_ms.map(|offset| format!("times moved by {} ms to the load's clock", figure(offset)));
        let clock = moved.or_else(|| told.source.clock(told.clock_offset_ms).caveat().map(str::to_owned));
        let clock = clock.map(|clock| format!(", {clock}")).unwrap_or_default();
        format!("{} (every {} s{clock})", told.source.title(), (f64::from(told.pace_ms) / 1e3).round())
    });
    format!("Sources: {}.", words.collect::<Vec<_>>().join(", "))
}

fn gaps(nodes: &[NodeTelemetry]) -> Vec<String> {
    let of = |node: &NodeTelemetry| {
        node.gaps
            .iter()
            .map(|gap| {
                let why = gap.reason.as_deref().map(|reason| format!(" {reason}")).unwrap_or_default();
                format!(
                    "{}: {} told nothing from {:.1} to {:.1} s.{why}",
                    node.hostname,
                    gap.source.title(),
                    gap.begin_ms / 1e3,
                    gap.end_ms / 1e3
                )
            })
            .collect::<Vec<_>>()
    };
    nodes.iter().flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use dyno_measure::telemetry::{ClockLimit, ClockLimitShare, TelemetrySource};

    #[test]
    fn whose_clock_times_are_by_is_said_with_their_source() {
        let of = |source, clock_offset_ms| SourceFacts { source, pace_ms: 10_000, readings: 3, clock_offset_ms };
        let said = |facts: SourceFacts| sources(&[NodeTelemetry { sources: vec![facts], ..NodeTelemetry::default() }]);
        assert_eq!(
            said(of(TelemetrySource::Kubelet, None)),
            "Sources: the kubelet's summary (every 10 s, times by the node's own clock: how far that is off the load's is not known)."
        );
        assert!(said(of(TelemetrySource::MetricsServer, None)).contains("by the node's own clock"));
        let moved = said(of(TelemetrySource::DcgmExporter, Some(12.0)));
        assert!(moved.ends_with("(every 10 s, times moved by 12.0 ms to the load's clock)."), "{moved}");
        assert!(said(of(TelemetrySource::DcgmExporter, None)).contains("by the portal's clock"));
        assert_eq!(said(of(TelemetrySource::Proc, None)), "Sources: /proc (every 10 s).");
    }

    #[test]
    fn clocks_that_are_not_limited_are_another_thing_than_not_known() {
        let words = |limits| clock_limits(&DeviceTelemetry { clock_limits: limits, ..DeviceTelemetry::default() });
        let limit = ClockLimitShare { reason: ClockLimit::PowerCap, share: 0.5 };
        assert_eq!(words(Some(vec![limit])).as_deref(), Some("power limit 50.0 %"));
        assert_eq!(words(Some(Vec::new())).as_deref(), Some("not limited"));
        assert_eq!(words(None), None);
    }
}
