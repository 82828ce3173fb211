//! "What did the nodes do?": CPU, memory and accelerators as steps, on the time axis of the latency charts. A time in which nothing was
//! measured is a gap in the line, and a quantity that nobody measured has no chart.

use super::drawing::{Axis, Drawing, NARROW, Size, WIDE, line};
use super::engine::LINES;
use super::number::{second, span};
use super::over_time::RunTime;
use super::scale::{ScaleKind, nice_top};
use super::{Cell, Chart, Key, Table};
use crate::components::number::{count, figure};
use dyno_measure::telemetry::{DeviceTelemetry, NodeTelemetry, Quantity, TelemetryPoint};

/// A quantity as a panel.
struct Panel {
    id: &'static str,
    title: &'static str,
    y_title: &'static str,
    quantity: Quantity,
    /// From the quantity's unit to the panel's.
    factor: f64,
    /// Of accelerators, not of the node itself.
    is_of_devices: bool,
}

const PANELS: [Panel; 6] = [
    Panel {
        id: "node-cpu",
        title: "CPU of the nodes",
        y_title: "Share of all cores at work, %",
        quantity: Quantity::CpuPercent,
        factor: 1.0,
        is_of_devices: false,
    },
    Panel {
        id: "node-memory",
        title: "Memory of the nodes",
        y_title: "Memory in use, GB",
        quantity: Quantity::MemoryUsedBytes,
        factor: 1e-9,
        is_of_devices: false,
    },
    Panel {
        id: "device-use",
        title: "Accelerators at work",
        y_title: "Share of the time at work, %",
        quantity: Quantity::UtilizationPercent,
        factor: 1.0,
        is_of_devices: true,
    },
    Panel {
        id: "device-memory",
        title: "Memory of the accelerators",
        y_title: "Memory in use, GB",
        quantity: Quantity::MemoryUsedBytes,
        factor: 1e-9,
        is_of_devices: true,
    },
    Panel {
        id: "device-power",
        title: "Power of the accelerators",
        y_title: "Power, W",
        quantity: Quantity::PowerW,
        factor: 1.0,
        is_of_devices: true,
    },
    Panel {
        id: "device-temperature",
        title: "Temperature of the accelerators",
        y_title: "Temperature, °C",
        quantity: Quantity::TemperatureC,
        factor: 1.0,
        is_of_devices: true,
    },
];

/// A step: begin and end in seconds, value, least and largest where it is of several readings.
type DrawnStep = (f64, f64, f64, Option<(f64, f64)>);

/// One line of a panel.
struct Steps {
    name: String,
    steps: Vec<DrawnStep>,
}

/// The panels of a load point.
pub fn panels(nodes: &[NodeTelemetry], time: &RunTime) -> Vec<Chart> {
    PANELS.iter().filter_map(|panel| draw(panel, lines(panel, nodes, time), time)).collect()
}

/// A device's name beside others: its number, on several nodes with the node's name.
pub fn device_name(node: &str, device: &DeviceTelemetry, several: bool) -> String {
    let of_slice = device.id.rsplit_once('/').map(|(_, slice)| format!(", slice {slice}")).unwrap_or_default();
    let own = match device.index {
        Some(index) => format!("GPU {index}{of_slice}"),
        None => device.id.clone(),
    };
    if several { format!("{node}, {own}") } else { own }
}

fn lines(panel: &Panel, nodes: &[NodeTelemetry], time: &RunTime) -> Vec<Steps> {
    let steps = |series: &[TelemetryPoint]| -> Vec<DrawnStep> {
        let of = |point: &TelemetryPoint| {
            let own = |levels: &dyno_measure::telemetry::Levels| levels.get(panel.quantity).map(|value| value * panel.factor);
            let (begin, end) = ((point.t_ms - point.span_ms) / 1e3, point.t_ms / 1e3);
            let spread = point.min.as_ref().and_then(own).zip(point.max.as_ref().and_then(own));
            let (begin, end) = (begin.max(time.domain.0), end.min(time.domain.1));
            Some((begin, end, own(&point.levels)?, spread)).filter(|_| end > begin)
        };
        series.iter().filter_map(of).collect()
    };
    let several = nodes.len() > 1;
    let of_node = |node: &NodeTelemetry| -> Vec<Steps> {
        if panel.is_of_devices {
            // Devices that are known not to have served say nothing of the run.
            let served = node.devices.iter().filter(|device| device.serves != Some(false));
            served
                .map(|device| Steps { name: device_name(&node.hostname, device, several), steps: steps(&device.series) })
                .collect()
        } else {
            vec![Steps { name: node.hostname.clone(), steps: steps(&node.series) }]
        }
    };
    nodes.iter().flat_map(of_node).filter(|line| !line.steps.is_empty()).collect()
}

fn draw(panel: &Panel, mut lines: Vec<Steps>, time: &RunTime) -> Option<Chart> {
    let all = lines.len();
    lines.truncate(LINES.len());
    let largest = |line: &Steps| line.steps.iter().map(|step| step.3.map_or(step.2, |spread| spread.1)).fold(f64::MIN, f64::max);
    let highest = lines.iter().map(largest).fold(f64::MIN, f64::max);
    if lines.is_empty() || !highest.is_finite() {
        return None;
    }
    let is_share = matches!(panel.quantity, Quantity::CpuPercent | Quantity::UtilizationPercent);
    let top = if is_share { 100.0 } else { nice_top(highest) };
    let y = Axis { kind: ScaleKind::Linear, domain: (0.0, top), title: panel.y_title.to_owned() };
    let drawing = |size: Size| {
        let (mut drawing, plot) = Drawing::with_axes(size, &time.axis(), &y, 0.0);
        time.shade(&mut drawing, &plot);
        for (own, class) in lines.iter().zip(LINES) {
            drawing.path(line(&plot, corners(&own.steps)), class);
        }
        drawing
    };
    let peaks: Vec<String> = lines.iter().map(|line| format!("{}: at most {}.", line.name, figure(largest(line)))).collect();
    let mut key: Vec<Key> = lines.iter().zip(LINES).map(|(line, class)| Key { class, text: line.name.clone() }).collect();
    key.extend(time.hatched());
    let left_out = all - lines.len();
    let more = match (left_out, panel.is_of_devices) {
        (0, _) => String::new(),
        (left, true) => format!(" {} in the report's data.", count(left as u64, "more accelerator is", "more accelerators are")),
        (left, false) => format!(" {} in the report's data.", count(left as u64, "more node is", "more nodes are")),
    };
    if !more.is_empty() {
        key.push(Key { class: "chart-none", text: more.trim().to_owned() });
    }
    let mut rows: Vec<(usize, DrawnStep)> =
        lines.iter().enumerate().flat_map(|(index, line)| line.steps.iter().map(move |step| (index, *step))).collect();
    rows.sort_by(|a, b| a.1.0.total_cmp(&b.1.0));
    let has_spread = rows.iter().any(|(_, step)| step.3.is_some());
    let mut head = vec!["From, s".to_owned(), "Until, s".to_owned(), "Of".to_owned(), panel.y_title.to_owned()];
    if has_spread {
        head.extend(["Least".to_owned(), "Largest".to_owned()]);
    }
    let names: Vec<String> = lines.iter().map(|line| line.name.clone()).collect();
    let row = |(index, (begin, end, value, spread)): &(usize, DrawnStep)| {
        let mut row = vec![
            Cell::of(*begin, second(*begin)),
            Cell::of(*end, second(*end)),
            names[*index].clone().into(),
            Cell::figure(*value),
        ];
        if has_spread {
            let (least, largest) = spread.unwrap_or((*value, *value));
            row.extend([Cell::figure(least), Cell::figure(largest)]);
        }
        row
    };
    Some(Chart {
        id: panel.id.to_owned(),
        title: panel.title.to_owned(),
        desc: format!("{} over {}. {}{more}", panel.title, span(time.domain.1), peaks.join(" ")),
        drawings: vec![drawing(WIDE), drawing(NARROW)],
        key,
        table: Table::of_points(head, &rows, row).along(0, 1),
    })
}

/// The corners of a line of steps; it is interrupted where nothing was measured.
fn corners(steps: &[DrawnStep]) -> Vec<(f64, f64)> {
    let mut corners = Vec::with_capacity(2 * steps.len());
    let mut last = None;
    for (begin, end, value, _) in steps {
        if last.is_some_and(|last: f64| begin - last > 1e-3) {
            corners.push((*begin, f64::NAN));
        }
        corners.extend([(*begin, *value), (*end, *value)]);
        last = Some(*end);
    }
    corners
}

#[cfg(test)]
mod tests {
    use super::super::drawing::Mark;
    use super::*;
    use dyno_measure::telemetry::Levels;

    fn point(t_s: f64, span_s: f64, levels: Levels) -> TelemetryPoint {
        TelemetryPoint { t_ms: t_s * 1e3, span_ms: span_s * 1e3, levels, ..TelemetryPoint::default() }
    }

    fn cpu(percent: f64) -> Levels {
        Levels { cpu_percent: Some(percent), ..Levels::default() }
    }

    fn node(series: Vec<TelemetryPoint>, devices: Vec<DeviceTelemetry>) -> NodeTelemetry {
        NodeTelemetry { hostname: "n".to_owned(), series, devices, ..NodeTelemetry::default() }
    }

    fn time() -> RunTime {
        RunTime { domain: (-1.0, 10.0), steady: None }
    }

    fn line_of(chart: &Chart) -> &str {
        let mut paths = chart.drawings[0].marks.iter().filter_map(|mark| match mark {
            Mark::Path { d, class } if class.starts_with("chart-line") => Some(d.as_str()),
            _ => None,
        });
        paths.next_back().unwrap()
    }

    #[test]
    fn readings_are_steps_and_a_gap_is_one_in_the_line() {
        let series = vec![point(1.0, 1.0, cpu(10.0)), point(2.0, 1.0, cpu(90.0)), point(6.0, 1.0, cpu(50.0))];
        let charts = panels(&[node(series, Vec::new())], &time());
        assert_eq!(charts.iter().map(|chart| chart.id.as_str()).collect::<Vec<_>>(), ["node-cpu"], "nothing else was measured");
        let d = line_of(&charts[0]);
        assert_eq!((d.matches('M').count(), d.matches('L').count()), (2, 4), "{d}");
        assert!(charts[0].desc.ends_with("n: at most 90.0."), "{}", charts[0].desc);
        assert_eq!(charts[0].table.rows.len(), 3);
    }

    #[test]
    fn nothing_measured_is_no_chart() {
        assert!(panels(&[node(Vec::new(), Vec::new())], &time()).is_empty());
        assert!(panels(&[node(vec![point(99.0, 1.0, cpu(1.0))], Vec::new())], &time()).is_empty(), "of another time");
    }

    #[test]
    fn devices_are_told_apart_and_those_that_did_not_serve_are_left_out() {
        let device = |index: u32, serves: Option<bool>, watts: f64| DeviceTelemetry {
            id: format!("GPU-{index}"),
            index: Some(index),
            serves,
            series: vec![point(1.0, 1.0, Levels { power_w: Some(watts), ..Levels::default() })],
            ..DeviceTelemetry::default()
        };
        let slice = DeviceTelemetry { id: "GPU-2/7".to_owned(), ..device(2, Some(true), 30.0) };
        let devices = vec![device(0, Some(true), 300.0), device(1, Some(false), 70.0), slice];
        let charts = panels(&[node(Vec::new(), devices)], &time());
        assert_eq!(charts.len(), 1);
        let key: Vec<&str> = charts[0].key.iter().map(|key| key.text.as_str()).collect();
        assert_eq!(key[..2], ["GPU 0", "GPU 2, slice 7"]);
        let many = (0..9).map(|index| device(index, None, 1.0)).collect();
        let charts = panels(&[node(Vec::new(), many)], &time());
        assert!(charts[0].desc.ends_with("3 more accelerators are in the report's data."), "{}", charts[0].desc);
    }
}
