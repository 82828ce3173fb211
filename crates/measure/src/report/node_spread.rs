//! How far the nodes of a run are apart: of two the difference, from three on each that is slower than the others. Pure.

use super::{NodeReport, Note, NoteKind, Summary};
use crate::words;

/// A node that is less than this below the median is no outlier, whatever the others do.
const LEAST_BELOW: f64 = 0.03;
/// So many scales below the median a node is an outlier.
const SCALES: f64 = 3.5;
/// Least scale: with a few nodes, the deviations of the others say little.
const LEAST_SCALE: f64 = 0.01;

/// A node's speed: tokens (requests, where nothing has output) per second and request in flight. Divided by what is in flight, so that
/// nodes with uneven parts of the load can be compared, and a slow one is seen when all have the same number of requests to answer.
fn speed(summary: &Summary) -> Option<f64> {
    let throughput = summary.output_throughput.or(summary.request_throughput)?;
    let in_flight = summary.achieved_concurrency.filter(|in_flight| *in_flight > 0.0)?;
    Some(throughput / in_flight)
}

/// What is to be said of the nodes' speeds; nothing of one node, or where one has no figures.
pub(super) fn notes(nodes: &[NodeReport]) -> Vec<Note> {
    let speeds: Option<Vec<(&str, f64)>> =
        nodes.iter().map(|node| Some((node.hostname.as_str(), speed(&node.summary).filter(|speed| *speed > 0.0)?))).collect();
    let Some(speeds) = speeds else { return Vec::new() };
    let has_output = nodes.iter().all(|node| node.summary.output_throughput.is_some());
    let unit = if has_output { "output tokens" } else { "requests" };
    match speeds.as_slice() {
        [] | [_] => Vec::new(),
        [one, other] => {
            let (fast, slow) = if one.1 >= other.1 { (one, other) } else { (other, one) };
            let text = format!(
                "Node {} is {} slower than node {}: {} and {} {unit}/s for each request in flight.",
                slow.0,
                words::percent(1.0 - slow.1 / fast.1),
                fast.0,
                words::figure(slow.1),
                words::figure(fast.1),
            );
            vec![Note::new(NoteKind::NodeDifference, None, text)]
        }
        several => {
            let (median, limit) = median_and_limit(several.iter().map(|(_, speed)| *speed).collect());
            let slow = several.iter().filter(|(_, speed)| 1.0 - speed / median > limit);
            slow.map(|(node, speed)| {
                let text = format!(
                    "Node {node} is slower than the others: {} {unit}/s for each request in flight, {} below the median of {} over {} nodes.",
                    words::figure(*speed),
                    words::percent(1.0 - speed / median),
                    words::figure(median),
                    several.len(),
                );
                Note::new(NoteKind::NodeOutlier, None, text)
            })
            .collect()
        }
    }
}

/// The median, and how far below it (as a share of it) an outlier begins.
fn median_and_limit(mut speeds: Vec<f64>) -> (f64, f64) {
    let median = median_of(&mut speeds);
    let mut deviations: Vec<f64> = speeds.iter().map(|speed| (speed / median - 1.0).abs()).collect();
    let scale = median_of(&mut deviations).max(LEAST_SCALE);
    (median, LEAST_BELOW.max(SCALES * scale))
}

fn median_of(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    crate::statistics::percentile::percentile(values, 50.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(speeds: &[(f64, f64)]) -> Vec<NodeReport> {
        let node = |(index, (throughput, in_flight)): (usize, &(f64, f64))| NodeReport {
            hostname: format!("n{index}"),
            summary: Summary {
                output_throughput: Some(*throughput),
                request_throughput: Some(throughput / 10.0),
                achieved_concurrency: Some(*in_flight),
                ..Summary::default()
            },
        };
        speeds.iter().enumerate().map(node).collect()
    }

    fn texts(speeds: &[(f64, f64)]) -> Vec<String> {
        notes(&nodes(speeds)).into_iter().map(|note| note.text).collect()
    }

    #[test]
    fn of_two_the_difference_is_stated() {
        assert_eq!(
            texts(&[(80.0, 2.0), (50.0, 1.0)]),
            ["Node n0 is 20.0 % slower than node n1: 40.0 and 50.0 output tokens/s for each request in flight."]
        );
        assert!(texts(&[(80.0, 2.0)]).is_empty());
    }

    #[test]
    fn from_three_on_what_is_far_below_the_median_is_named() {
        // deviations 1 %, 0, 3.4 %: their median is 1 %, so that an outlier begins at 3.5 %
        assert!(texts(&[(101.0, 1.0), (100.0, 1.0), (96.6, 1.0)]).is_empty());
        let named = texts(&[(101.0, 1.0), (100.0, 1.0), (96.0, 1.0)]);
        assert_eq!(named.len(), 1);
        assert!(named[0].starts_with("Node n2 is slower than the others: 96.0 output tokens/s"), "{}", named[0]);
        assert!(named[0].contains("4.00 % below the median of 100 over 3 nodes"), "{}", named[0]);
        // deviations of 5 % are usual here: 17.5 % below is where an outlier begins
        assert!(texts(&[(105.0, 1.0), (100.0, 1.0), (95.0, 1.0), (83.0, 1.0), (105.0, 1.0)]).is_empty());
        assert_eq!(texts(&[(105.0, 1.0), (100.0, 1.0), (95.0, 1.0), (82.0, 1.0), (105.0, 1.0)]).len(), 1);
        // faster ones are no outliers
        assert!(texts(&[(100.0, 1.0), (100.0, 1.0), (150.0, 1.0)]).is_empty());
    }

    #[test]
    fn an_uneven_part_of_the_load_is_no_outlier() {
        assert!(texts(&[(400.0, 4.0), (300.0, 3.0), (300.0, 3.0)]).is_empty());
    }

    #[test]
    fn without_figures_of_a_node_nothing_is_said() {
        let mut all = nodes(&[(80.0, 2.0), (50.0, 1.0), (50.0, 1.0)]);
        all[1].summary = Summary::default();
        assert!(notes(&all).is_empty());
    }
}
