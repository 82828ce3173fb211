//! What a self-check means for the validity of a load's figures. Pure.

use crate::report::{Distribution, LoadPoint};
use crate::statistics::bounds::floor;
use crate::validity::{ClientError, SelfCheck};

/// Tolerated error of a figure: this share of it, or this many ms, whichever is more.
const SHARE: f64 = 0.05;
const LEAST_MS: f64 = 1.0;

/// The result for a load.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Judgement {
    /// Reasons for which the figures are not valid.
    pub invalid: Vec<String>,
    /// Notes for the report.
    pub notes: Vec<String>,
}

/// Compares the client's p99 error with the medians of each load point. The check was of one of so many `workers`.
pub fn judge(check: &SelfCheck, points: &[LoadPoint], workers: u32) -> Judgement {
    let mut judgement = Judgement::default();
    if let Some(why) = &check.failed {
        judgement.notes.push(format!("The client could not be checked: {why}."));
        return judgement;
    }
    type Figure = fn(&LoadPoint) -> Option<&Distribution>;
    let figures: [(&str, Option<ClientError>, Figure); 2] = [
        // An embedding has an end-to-end latency only.
        ("TTFT", check.ttft_error_ms, |point| point.summary.ttft_ms.as_ref().or(point.summary.e2el_ms.as_ref())),
        ("ITL", check.itl_error_ms, |point| point.summary.itl_ms.as_ref()),
    ];
    for (name, error, figure) in figures {
        let Some(error) = error else { continue };
        if floor(99.0).is_some_and(|least| error.n < least) {
            judgement.notes.push(format!("The client's {name} error was seen {} times only: too few for its p99.", error.n));
            continue;
        }
        // The load point with the smallest median decides, where the error weighs most.
        let least = points.iter().filter_map(|point| Some(figure(point)?.p50)).min_by(f64::total_cmp);
        let Some(least) = least else { continue };
        let bound = (least * SHARE).max(LEAST_MS);
        if error.p99 > bound {
            judgement.invalid.push(format!(
                "The client's {name} error is {:.2} ms (p99, checked with {} in flight), over {bound:.2} ms: the larger of 1 ms and 5 % of the median {name}, {least:.2} ms.",
                error.p99, check.concurrency
            ));
        }
    }
    let most = points.iter().filter_map(|point| point.summary.peak_concurrency).max().unwrap_or(0);
    if most > u64::from(check.concurrency) * u64::from(workers) * 2 {
        let each = if workers > 1 { " a worker" } else { "" };
        let checked = check.concurrency;
        judgement.notes.push(format!("The client was checked with {checked} in flight{each}; the load had up to {most}."));
    }
    judgement
}

/// How late a check found the client, ms: its largest p99 error, where that is more than is tolerated of a small figure and rests on
/// enough samples.
pub fn late_by(check: &SelfCheck) -> Option<f64> {
    let is_decided = |error: &ClientError| floor(99.0).is_none_or(|least| error.n >= least);
    let errors = [check.ttft_error_ms, check.itl_error_ms].into_iter().flatten().filter(is_decided);
    errors.map(|error| error.p99).filter(|p99| *p99 > LEAST_MS).max_by(f64::total_cmp)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ttft: f64, itl: f64, n: u64) -> SelfCheck {
        let error = |p99| Some(ClientError { p50: 0.0, p99, max: p99, n });
        SelfCheck {
            concurrency: 8,
            tls: false,
            requests: n,
            true_ttft_ms: 4.0,
            true_itl_ms: 1.0,
            ttft_error_ms: error(ttft),
            itl_error_ms: error(itl),
            checked_at_unix_ms: 0,
            cached: false,
            failed: None,
        }
    }

    fn point(ttft: f64, itl: f64) -> LoadPoint {
        let of = |p50: f64| {
            serde_json::json!({"mean": p50, "std": 0, "min": p50, "p25": p50, "p50": p50, "p75": p50, "p90": p50, "p95": p50,
                "p99": p50, "p999": p50, "max": p50, "n": 100})
        };
        serde_json::from_value(serde_json::json!({"ttft_ms": of(ttft), "itl_ms": of(itl), "peak_concurrency": 8})).unwrap()
    }

    #[test]
    fn five_percent_or_one_millisecond_whichever_is_larger() {
        let fine = |check, points: &[LoadPoint]| judge(&check, points, 1) == Judgement::default();
        assert!(fine(check(1.0, 1.0, 700), &[point(5.0, 2.0)]));
        assert!(fine(check(5.0, 2.0, 700), &[point(100.0, 40.0)]));
        assert!(!fine(check(5.01, 2.0, 700), &[point(100.0, 40.0)]));
        assert!(!fine(check(5.0, 2.01, 700), &[point(100.0, 40.0)]));
        // the load point with the smallest median decides
        let judged = judge(&check(4.0, 0.0, 700), &[point(100.0, 40.0), point(50.0, 40.0)], 1);
        assert_eq!(
            judged.invalid,
            [
                "The client's TTFT error is 4.00 ms (p99, checked with 8 in flight), over 2.50 ms: the larger of 1 ms and 5 % of the median TTFT, 50.00 ms."
            ]
        );
        // without load points there is nothing to invalidate
        assert!(fine(check(9.0, 9.0, 700), &[]));
    }

    #[test]
    fn a_client_is_late_by_its_larger_error_over_a_millisecond() {
        assert_eq!(late_by(&check(1.0, 0.2, 700)), None);
        assert_eq!(late_by(&check(1.1, 3.5, 700)), Some(3.5));
        assert_eq!(late_by(&check(9.0, 9.0, 661)), None, "too few to decide");
    }

    #[test]
    fn a_check_that_proves_nothing_is_noted() {
        assert_eq!(judge(&check(9.0, 9.0, 661), &[point(5.0, 2.0)], 1).notes.len(), 2);
        assert!(judge(&check(9.0, 9.0, 661), &[point(5.0, 2.0)], 1).invalid.is_empty());
        let failed = SelfCheck { failed: Some("no request succeeded".to_owned()), ..check(9.0, 9.0, 700) };
        assert_eq!(judge(&failed, &[], 1).notes, ["The client could not be checked: no request succeeded."]);
        let mut wide = point(5.0, 2.0);
        wide.summary.peak_concurrency = Some(17);
        assert_eq!(
            judge(&check(0.1, 0.1, 700), &[wide], 1).notes,
            ["The client was checked with 8 in flight; the load had up to 17."]
        );
    }
}
