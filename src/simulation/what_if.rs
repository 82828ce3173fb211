//! A simulated run's question, ready to be asked again with other values: what `crates/whatif` makes of its report.

use std::collections::BTreeMap;

use dyno_measure::report::{Prediction, Report};
use dyno_simulate::device::Generation;
use dyno_simulate::profile::{ErrorBar, ErrorBasis};
use dyno_simulate::{ModelDescriptor, scenario};
use dyno_whatif::ask::{DEGREES, TENSOR_PARALLEL};
use dyno_whatif::subject::OriginalLoad;
use dyno_whatif::{FIELDS, WhatIfExplorer, WhatIfQuestion, WhatIfSubject};
use serde::de::DeserializeOwned;

/// What a simulated run leaves for what-if.
#[derive(Debug, Clone, PartialEq)]
pub struct SimulatedSubject {
    pub subject: WhatIfSubject,
    /// The run's own load, lengths and layout, as near as sliders come.
    pub question: WhatIfQuestion,
    /// Whether the run's load was a closed loop of fixed lengths, so that its own figures come out at its own values.
    pub is_same_load: bool,
}

/// Of a report; nothing where it was measured, simulated by another version, or nothing was answered.
pub fn simulated_subject(report: &Report) -> Option<SimulatedSubject> {
    let prediction = report.prediction.as_ref()?;
    let simulation = report.provenance.simulation.as_ref()?;
    let known = |name: &str| simulation.get(name).cloned();
    let point = report.load_points.get(report.best)?;
    let summary = &point.summary;
    let answered = summary.successful_requests as f64;
    let mean = |tokens: Option<u64>| Some((tokens? as f64 / answered).round() as u32);
    let concurrency = match point.concurrency {
        Some(concurrency) => concurrency,
        None => summary.achieved_concurrency?.round() as u32,
    };
    let (tensor_parallel, replicas): (u32, u32) = (of(known("tensor_parallel"))?, of(known("replicas"))?);
    let question = WhatIfQuestion {
        concurrency,
        input: mean(summary.total_input_tokens)?,
        output: mean(summary.total_output_tokens)?,
        devices: tensor_parallel * replicas,
        tensor_parallel,
    };
    let within = question.within_bounds();
    let has_fixed_lengths = summary
        .lengths
        .as_ref()
        .is_none_or(|lengths| [&lengths.input, &lengths.output].into_iter().flatten().all(|found| found.min == found.max));
    let is_closed = point.concurrency.is_some();
    let model: ModelDescriptor = of(known("model"))?;
    Some(SimulatedSubject {
        subject: WhatIfSubject {
            model,
            device: of(known("device"))?,
            engine: of(known("engine"))?,
            settings: of(known("engine_settings"))?,
            efficiency: of(known("efficiency"))?,
            kv_precision: of(known("kv_precision"))?,
            prediction: predicted(prediction),
            run: OriginalLoad {
                concurrency: within.concurrency,
                requests: u32::try_from(summary.total_requests).unwrap_or(u32::MAX),
                ramp_s: of(known("ramp_s").filter(|_| is_closed)),
            },
        },
        question: within,
        is_same_load: is_closed && has_fixed_lengths && within == question && summary.total_requests <= 1_000,
    })
}

fn of<T: DeserializeOwned>(value: Option<serde_json::Value>) -> Option<T> {
    serde_json::from_value(value?).ok()
}

/// A report's prediction as the simulator has it.
fn predicted(prediction: &Prediction) -> scenario::PredictionBasis {
    let error = &prediction.error_pct;
    scenario::PredictionBasis {
        standing: prediction.standing,
        runs: prediction.runs,
        error_pct: ErrorBar { ttft: error.ttft_ms, tpot: error.tpot_ms, e2el: error.e2el_ms },
        error_basis: if prediction.is_assumed { ErrorBasis::Assumed } else { ErrorBasis::Measured },
    }
}

impl SimulatedSubject {
    /// Each field's text: as an address has it, else the run's own.
    pub fn entries(&self, asked: &BTreeMap<String, String>) -> Vec<String> {
        let own = self.question.values();
        FIELDS.iter().zip(own).map(|(field, own)| asked.get(field.name).cloned().unwrap_or_else(|| own.to_string())).collect()
    }

    /// The answer to texts in the order of the fields, as markup; takes some 10 ms.
    pub fn answer(&self, entries: &[String]) -> String {
        let mut values = [f64::NAN; 5];
        for (value, entry) in values.iter_mut().zip(entries) {
            *value = entry.trim().parse().unwrap_or(f64::NAN);
        }
        WhatIfExplorer::new(self.subject.clone()).answer(values)
    }

    /// The degrees of tensor parallelism that are offered, with whether the model and a node of the device allow them.
    pub fn degrees(&self) -> Vec<(u32, bool)> {
        let most = self.subject.device.devices_per_node.max(self.question.tensor_parallel).min(TENSOR_PARALLEL.most);
        DEGREES.into_iter().map(|degree| (degree, degree <= most && self.subject.model.divides(degree))).collect()
    }

    /// What the device is, in words.
    pub fn device_words(&self) -> String {
        let device = &self.subject.device;
        let basis = match device.generation {
            Generation::Stated => ", of which no data sheet is known: by its stated figures alone",
            Generation::Cpu => ", a processor, by the figures of its machine",
            _ => "",
        };
        format!("{}{basis}", device.name)
    }
}

#[cfg(test)]
mod tests {
    use dyno_measure::report::Summary;
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::super::hypothetical_nodes;
    use super::super::simulate::{SimulatedRun, simulate};
    use super::*;
    use crate::domain::benchmark::BenchmarkSpec;
    use crate::models::Roots;

    fn spec(model: &str, node: &str, load: &Value, tensor_parallel: Option<u32>) -> BenchmarkSpec {
        let mut whole = json!({ "concurrent_requests": 16, "eval_with": "configuration", "max_input_tokens": 512,
            "max_output_tokens": 128 });
        whole.as_object_mut().unwrap().extend(load.as_object().unwrap().clone());
        serde_json::from_value(json!({
            "name": "b", "tags": [], "description": "", "load": whole, "cluster_id": Uuid::nil(), "cluster_name": "catalogue",
            "nodes": [{ "hostname": node }], "serving": { "engine": "vllm", "tensor_parallel": tensor_parallel },
            "model": { "id": Uuid::nil(), "name": model, "owner": null, "created_at": "2026-11-01T00:00:00Z", "source": "file",
                "path": format!("/models/{model}"), "location": "node" },
        }))
        .unwrap()
    }

    fn asked(spec: BenchmarkSpec) -> SimulatedRun {
        SimulatedRun {
            run_id: Uuid::nil(),
            spec,
            nodes: hypothetical_nodes(),
            roots: Roots::default(),
            data_dir: std::path::PathBuf::from("/nowhere"),
            version: None,
            profiles: dyno_simulate::Profiles::published(),
        }
    }

    /// A simulated run's report, with provenance as its executor completes it.
    fn simulated(model: &str, node: &str, load: Value, tensor_parallel: Option<u32>) -> Report {
        let spec = spec(model, node, &load, tensor_parallel);
        let asked = asked(spec);
        let done = simulate(&asked, &dyno_simulate::StopFlag::default()).unwrap();
        let mut report = done.report;
        report.provenance = done.provenance;
        report
    }

    #[test]
    fn datasets_of_too_many_rows_are_refused_before_they_are_read() {
        let dataset = json!({ "id": Uuid::nil(), "name": "d", "owner": null, "created_at": "2026-11-01T00:00:00Z", "format": "alpaca",
            "samples": 1_000_000, "with_reference": 0, "builtin": false, "sha256": "0".repeat(64) });
        let mut spec = spec("Llama-3.1-8B", "h100-sxm-80gb-x1", &json!({ "eval_with": "dataset" }), None);
        spec.datasets = vec![serde_json::from_value(dataset).unwrap(); 5];
        let asked = asked(spec);
        let failure = simulate(&asked, &dyno_simulate::StopFlag::default()).unwrap_err().to_string();
        assert_eq!(failure, "Too large to be simulated: more than 4,000,000 rows in all datasets together.");
    }

    fn means(summary: &Summary) -> [f64; 4] {
        let mean = |found: &Option<dyno_measure::report::Distribution>| found.as_ref().unwrap().mean;
        [mean(&summary.ttft_ms), mean(&summary.tpot_ms), mean(&summary.e2el_ms), summary.output_throughput.unwrap()]
    }

    #[test]
    fn at_the_runs_own_values_the_figures_are_the_reports() {
        for (model, node, tensor_parallel, load) in [
            ("Llama-3.1-70B", "h100-sxm-80gb-x8", Some(4), json!({ "num_requests": 200 })),
            ("Llama-3.1-8B", "l4-24gb-x1", None, json!({ "concurrent_requests": 3, "num_requests": 25, "ramp_s": 0.5 })),
        ] {
            let report = simulated(model, node, load, tensor_parallel);
            let found = simulated_subject(&report).unwrap();
            assert!(found.is_same_load, "{model}");
            // As the browser has it: through numbers.
            let numbers = WhatIfSubject::from_numbers(&found.subject.to_numbers()).unwrap();
            let values = found.question.values().map(f64::from);
            let mut explorer = WhatIfExplorer::new(numbers);
            let browsers = explorer.answer(values);
            let outcome = &explorer.chosen().unwrap().as_ref().unwrap().outcome;
            let figures = [outcome.ttft_ms, outcome.tpot_ms, outcome.e2el_ms].map(|found| found.unwrap().mean);
            let expected = means(&report.summary);
            // Records hold whole nanoseconds.
            for (figure, expected) in figures.into_iter().chain([outcome.output_throughput]).zip(expected) {
                assert!((figure / expected - 1.0).abs() < 1e-6, "{model}: {figures:?} against {expected:?}");
            }
            assert_eq!(found.answer(&found.entries(&BTreeMap::new())), browsers, "the server draws the same");
        }
    }

    #[test]
    fn an_address_changes_what_it_names_and_nonsense_is_said() {
        let report = simulated("Llama-3.1-70B", "h100-sxm-80gb-x8", json!({ "num_requests": 200 }), Some(4));
        let found = simulated_subject(&report).unwrap();
        let asked = |name: &str, value: &str| found.entries(&BTreeMap::from([(name.to_owned(), value.to_owned())]));
        assert_eq!(found.entries(&BTreeMap::new()), ["16", "512", "128", "4", "4"]);
        assert_eq!(asked("concurrency", "64"), ["64", "512", "128", "4", "4"]);
        assert!(found.answer(&asked("concurrency", "64")).contains("64 requests in flight"));
        assert!(found.answer(&asked("concurrency", "many")).contains("a whole number from 1 to 1,024"));
        assert!(found.answer(&asked("tensor_parallel", "1")).contains("does not fit"));
        assert_eq!(found.degrees(), [(1, true), (2, true), (4, true), (8, true)]);
    }

    #[test]
    fn other_loads_are_stood_in_for_and_measured_reports_have_none() {
        let load = json!({ "arrival": { "kind": "rate", "rate": 4.0 }, "num_requests": 100 });
        let mut report = simulated("Llama-3.1-8B", "h100-sxm-80gb-x8", load, Some(1));
        let found = simulated_subject(&report).unwrap();
        assert!(!found.is_same_load && found.question.concurrency >= 1);
        report.prediction = None;
        assert_eq!(simulated_subject(&report), None);
    }
}
