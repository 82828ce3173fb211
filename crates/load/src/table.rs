//! The summary table that `dyno load` prints.

use std::fmt::Write;

use crate::printable::printable_line;
use dyno_measure::load::OfferedLoad;
use dyno_measure::report::{ClientHealth, Distribution, Report, Summary};
use dyno_measure::validity::SelfCheck;

pub fn table(report: &Report) -> String {
    let mut out = String::new();
    if !report.valid {
        for reason in &report.invalid_reasons {
            let _ = writeln!(out, "NOT VALID: {}", printable_line(reason));
        }
    }
    for point in &report.load_points {
        let load = point.offered().map(OfferedLoad::words).unwrap_or_default();
        let within = match point.meets_slo {
            Some(true) => " · within the limits",
            Some(false) => " · over the limits",
            None if point.summary.good_fraction.is_some() => " · too few requests to tell whether it is within the limits",
            None => "",
        };
        let _ = writeln!(out, "\n{load}{within}");
        one(&point.summary, &mut out);
    }
    if report.load_points.len() > 1 {
        points(report, &mut out);
    }
    if let Some(search) = &report.search {
        let _ = writeln!(out, "\n{}", printable_line(&search.sentence));
    }
    if let Some(check) = &report.self_check {
        own_error(check, &mut out);
    }
    if let Some(client) = own_share(&report.client) {
        let _ = writeln!(out, "\n{client}");
    }
    for note in &report.notes {
        let _ = writeln!(out, "note: {}", printable_line(&note.to_string()));
    }
    out
}

/// One row per load point, the best one marked.
fn points(report: &Report, out: &mut String) {
    let _ = writeln!(
        out,
        "\n  {:<14}{:>12}{:>12}{:>14}{:>14}  within",
        "load", "requests/s", "out tok/s", "p50 TTFT ms", "p50 TPOT ms"
    );
    for (number, point) in report.load_points.iter().enumerate() {
        let load = point.offered().map(|load| match load {
            OfferedLoad::Concurrency { concurrency } => concurrency.to_string(),
            OfferedLoad::Rate { rate } => format!("{rate}/s"),
        });
        let figure = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.2}"));
        let median = |figures: &Option<Distribution>| figure(figures.as_ref().map(|figures| figures.p50));
        let best = if report.valid && number == report.best { " (best)" } else { "" };
        let within = match point.meets_slo {
            Some(true) => "yes",
            Some(false) => "no",
            None => "–",
        };
        let _ = writeln!(
            out,
            "  {:<14}{:>12}{:>12}{:>14}{:>14}  {within}{best}",
            load.unwrap_or_default(),
            figure(point.summary.request_throughput),
            figure(point.summary.output_throughput),
            median(&point.summary.ttft_ms),
            median(&point.summary.tpot_ms)
        );
    }
}

/// The errors that the self-check measured.
fn own_error(check: &SelfCheck, out: &mut String) {
    for (name, error) in [("TTFT", &check.ttft_error_ms), ("ITL", &check.itl_error_ms)] {
        if let Some(error) = error {
            let _ = writeln!(
                out,
                "\nclient's own {name} error, ms: p50 {:.3}   p99 {:.3}   max {:.3}   n {}   with {} in flight{}{}",
                error.p50,
                error.p99,
                error.max,
                error.n,
                check.concurrency,
                if check.tls { " over TLS" } else { "" },
                if check.cached { ", checked within the hour" } else { "" }
            );
        }
    }
}

/// The client's CPU share and its wait for a core.
fn own_share(client: &ClientHealth) -> Option<String> {
    let busy = client.cpu_share.map(|share| format!("{:.1} % of a core", share * 100.0));
    let waited = client.cpu_wait_share.map(|share| format!("waited for one {:.1} % of the time", share * 100.0));
    let parts: Vec<String> = busy.into_iter().chain(waited).collect();
    (!parts.is_empty()).then(|| format!("client: {}", parts.join(", ")))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_for_a_core_is_reported() {
        let client = |cpu_share, cpu_wait_share| ClientHealth { cpu_share, cpu_wait_share, ..ClientHealth::default() };
        assert_eq!(
            own_share(&client(Some(0.023), Some(0.148))).as_deref(),
            Some("client: 2.3 % of a core, waited for one 14.8 % of the time")
        );
        assert_eq!(own_share(&client(None, None)), None);
    }
}
