//! Percentiles in tables: a dash where the samples do not decide, and one line beneath that says how many it takes.

use std::collections::BTreeMap;

use leptos::prelude::*;

use crate::components::number::{figure, grouped};
use dyno_measure::metrics::{Shown, percentile_name};

/// What was lacking in a table, gathered as its cells are made: by percentile, how many it takes and the most there were.
#[derive(Debug, Default)]
pub struct Lacking(BTreeMap<u64, (&'static str, u64)>);

impl Lacking {
    /// What a cell shows of a percentile, and whether that is no figure.
    pub fn cell(&mut self, percentile: &'static str, shown: Shown) -> (AnyView, bool) {
        match shown {
            Shown::Value { value, .. } => (figure(value).into_any(), false),
            Shown::TooFew { have, need } => {
                let known = self.0.entry(need).or_insert((percentile, have));
                known.1 = known.1.max(have);
                let words = format!("not enough samples: {} of {}", grouped(have), grouped(need));
                let title = words.clone();
                let dash = view! {
                    <span title=title>
                        <span aria-hidden="true">"–"</span>
                        <span class="visually-hidden">{words}</span>
                    </span>
                };
                (dash.into_any(), true)
            }
            Shown::Absent => ("not measured".into_any(), true),
        }
    }

    /// "–: p99 takes 662 samples; there are at most 100."; nothing where all is decided.
    pub fn sentence(&self) -> Option<String> {
        let parts: Vec<String> = self
            .0
            .iter()
            .map(|(need, (percentile, have))| {
                format!("{} takes {} samples, there are at most {}", percentile_name(percentile), grouped(*need), grouped(*have))
            })
            .collect();
        (!parts.is_empty()).then(|| format!("–: {}.", parts.join("; ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_says_what_it_takes() {
        let mut lacking = Lacking::default();
        assert!(!lacking.cell("p50", Shown::Value { value: 1.0, bound: None }).1);
        assert_eq!(lacking.sentence(), None);
        for have in [87, 100, 5] {
            assert!(lacking.cell("p99", Shown::TooFew { have, need: 662 }).1);
        }
        lacking.cell("p999", Shown::TooFew { have: 100, need: 6636 });
        assert_eq!(
            lacking.sentence().unwrap(),
            "–: p99 takes 662 samples, there are at most 100; p99.9 takes 6,636 samples, there are at most 100."
        );
    }
}
