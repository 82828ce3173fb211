//! The short table that `dyno load` prints.

use std::fmt::Write;

use crate::domain::report::{Distribution, Report, Summary};

/// A report in a few lines.
pub fn table(report: &Report) -> String {
    let mut out = String::new();
    if !report.valid {
        for reason in &report.invalid_reasons {
            let _ = writeln!(out, "NOT VALID: {reason}");
        }
    }
    for point in &report.load_points {
        let load = match (point.concurrency, point.rate) {
            (Some(concurrency), _) => format!("{concurrency} in flight"),
            (None, Some(rate)) => format!("{} requests/s", (rate * 1e3).round() / 1e3),
            (None, None) => String::new(),
        };
        let _ = writeln!(out, "\n{load}");
        one(&point.summary, &mut out);
    }
    for note in &report.notes {
        let _ = writeln!(out, "note: {note}");
    }
    out
}

fn one(summary: &Summary, out: &mut String) {
    let _ = writeln!(
        out,
        "  requests {}   ok {}   failed {}   dropped {}   error rate {:.2} %   {:.2} s",
        summary.total_requests,
        summary.successful_requests,
        summary.failed_requests,
        summary.dropped_requests,
        summary.error_rate * 100.0,
        summary.duration_s
    );
    for (class, count) in &summary.errors {
        let _ = writeln!(out, "    {class}: {count}");
    }
    let number = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.2}"));
    let _ = writeln!(
        out,
        "  requests/s {}   output tok/s {}   total tok/s {}   mean in flight {}",
        number(summary.request_throughput),
        number(summary.output_throughput),
        number(summary.total_throughput),
        number(summary.achieved_concurrency)
    );
    let _ = writeln!(out, "  {:<12}{:>10}{:>10}{:>10}{:>10}{:>10}{:>9}", "", "mean", "p50", "p90", "p99", "max", "n");
    for (name, key, figures) in [
        ("TTFT ms", "ttft_ms", &summary.ttft_ms),
        ("TPOT ms", "tpot_ms", &summary.tpot_ms),
        ("ITL ms", "itl_ms", &summary.itl_ms),
        ("E2E ms", "e2el_ms", &summary.e2el_ms),
        ("lag ms", "schedule_lag_ms", &summary.schedule_lag_ms),
    ] {
        if let Some(figures) = figures {
            line(name, key, figures, &summary.below_floor, out);
        }
    }
    if !summary.below_floor.is_empty() {
        out.push_str("  (few) = not enough samples for that percentile\n");
    }
}

fn line(name: &str, key: &str, figures: &Distribution, below: &[String], out: &mut String) {
    let shown = |percentile: &str, value: f64| {
        if below.iter().any(|one| one.strip_prefix(key).and_then(|rest| rest.strip_prefix('.')) == Some(percentile)) {
            "(few)".to_owned()
        } else {
            format!("{value:.2}")
        }
    };
    let _ = writeln!(
        out,
        "  {name:<12}{:>10.2}{:>10}{:>10}{:>10}{:>10.2}{:>9}",
        figures.mean,
        shown("p50", figures.p50),
        shown("p90", figures.p90),
        shown("p99", figures.p99),
        figures.max,
        figures.n
    );
}
