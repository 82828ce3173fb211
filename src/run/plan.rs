//! From a benchmark's specification to the load's plan, and to what the engine must be able to take. Pure.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use uuid::Uuid;

use super::keeper::spec::files;
use crate::credentials::AddressPolicy;
use crate::domain::benchmark::{BenchmarkSpec, Endpoint, EvalWith, LoadSpec};
use crate::domain::inventory::{Dataset, DatasetRow, ModelFacts, ModelSource, TraceRow};
use crate::domain::provider::ProviderId;
use crate::engine::Launch;
use dyno_measure::plan::{
    DatasetFile, Plan, PlanAuth, PlanEndpoint, PlannedCheck, PlannedLoad, Source, TokenizerChoice, Workload, load_points,
};

/// The variable through which the load gets a provider's secret.
pub(super) const SECRET_ENV: &str = "DYNO_LOAD_SECRET";
/// Output limit of a dataset's row without reference.
const DEFAULT_OUTPUT: u32 = 256;
/// Tokens that a request may have over what was asked for: special tokens, and estimates that fell short.
const MARGIN: u32 = 64;
/// Longest wait between two events of an engine that Dyno started, seconds: with more clients than slots, a first token
/// waits its turn, and that the engine died is seen otherwise.
const OWN_STALL_S: f64 = 600.0;
/// Longest request of such an engine, seconds.
const OWN_TIMEOUT_S: f64 = 3_600.0;
/// The load ends so long before the keeper ends everything.
const BEFORE_DEADLINE_NS: i128 = 120_000_000_000;

/// What a plan is made of beside the specification.
pub(super) struct PlanInputs<'a> {
    /// The run.
    pub run_id: Uuid,
    /// What was asked for.
    pub spec: &'a BenchmarkSpec,
    /// The portal's data folder.
    pub data_dir: &'a Path,
    /// When the keeper ends everything.
    pub deadline: Timestamp,
    /// How the engine is started; absent for a cloud model.
    pub launch: Option<&'a Launch>,
    /// The model's file or folder; absent for a cloud model.
    pub model_path: Option<&'a Path>,
    /// Where a cloud model's address may lead.
    pub address_policy: Option<&'a AddressPolicy>,
}

/// The load's plan. Of an engine that is yet to be started, addresses and model name are left open.
pub(super) fn plan(inputs: &PlanInputs<'_>) -> Plan {
    let PlanInputs { spec, .. } = inputs;
    let load = &spec.load;
    let own = inputs.launch.is_some();
    let (endpoints, model, auth, token_limit) = match &spec.model.source {
        ModelSource::Cloud { provider, base_url, model } => {
            let preset = provider.preset();
            let auth = spec.credential_id.map(|_| PlanAuth { header: preset.auth, api_key_env: SECRET_ENV.to_owned() });
            let node = spec.load_node.clone().or_else(|| spec.nodes.first().map(|node| node.hostname.clone()));
            // Somebody's own server has metrics of its own, a provider's has not.
            let metrics = (*provider == ProviderId::OpenaiCompatible).then(|| "/metrics".to_owned());
            let endpoint = PlanEndpoint { node: node.unwrap_or_default(), base_url: base_url.clone(), metrics };
            (vec![endpoint], model.clone(), auth, preset.token_limit)
        }
        _ => (Vec::new(), String::new(), None, crate::domain::provider::TokenLimitField::MaxTokens),
    };
    let longest_output = load.max_output_tokens.unwrap_or(DEFAULT_OUTPUT);
    Plan {
        run_id: inputs.run_id,
        endpoints,
        model,
        auth,
        token_limit,
        ignore_eos: load.endpoint() != Endpoint::Embeddings && ignores_eos(load, inputs),
        stall_timeout_s: if own { OWN_STALL_S } else { 120.0 },
        timeout_s: if own { OWN_TIMEOUT_S.max(f64::from(longest_output)) } else { 600.0 },
        tokenizer: tokenizer(inputs),
        self_check: Some(PlannedCheck { cache: Some(inputs.data_dir.join("self-check")) }),
        // Beside the plan: the load runs in its folder.
        requests: Some(PathBuf::from(files::REQUESTS)),
        report: Some(PathBuf::from(files::REPORT)),
        address_policy: inputs.address_policy.cloned(),
        deadline_unix_ns: i64::try_from(inputs.deadline.as_nanosecond() - BEFORE_DEADLINE_NS).ok(),
        ..Plan::of_load(load, source(spec, inputs.data_dir))
    }
}

/// Whether requests ask the engine to go on to the output limit: where it knows how, unless the specification says otherwise.
/// A server of one's own is asked only by the specification.
fn ignores_eos(load: &LoadSpec, inputs: &PlanInputs<'_>) -> bool {
    match inputs.launch {
        Some(launch) => load.ignore_eos.unwrap_or(launch.ignore_eos),
        None => load.ignore_eos == Some(true),
    }
}

/// The plan of one short request, to see whether a cloud model answers.
pub(super) fn verify_plan(plan: &Plan) -> Plan {
    let (input_tokens, output_tokens) = match plan.workload {
        Workload::Synthetic { input_tokens, output_tokens, .. } => (input_tokens.min(64), output_tokens.min(16)),
        Workload::Dataset { .. } | Workload::Trace { .. } => (64, 16),
    };
    let unwatched = |endpoint: &PlanEndpoint| PlanEndpoint { metrics: None, ..endpoint.clone() };
    Plan {
        endpoints: plan.endpoints.iter().map(unwatched).collect(),
        workload: Workload::synthetic(input_tokens, output_tokens),
        load_points: vec![PlannedLoad { warmup_requests: Some(0), num_requests: Some(1), ..PlannedLoad::closed(1) }],
        slo: None,
        self_check: None,
        requests: None,
        report: Some(PathBuf::from(files::VERIFY_REPORT)),
        ..plan.clone()
    }
}

fn source(spec: &BenchmarkSpec, data_dir: &Path) -> Source {
    match (spec.load.eval_with, trace(spec)) {
        (EvalWith::Configuration, _) => Source::Synthetic,
        (EvalWith::Dataset, Some(trace)) => Source::Trace {
            file: file_of(trace, data_dir),
            context_tokens: spec.model.facts.as_ref().and_then(|facts| facts.context_length),
        },
        (EvalWith::Dataset, None) => Source::Datasets(spec.datasets.iter().map(|dataset| file_of(dataset, data_dir)).collect()),
    }
}

/// The trace that is played, where it is one.
pub(super) fn trace(spec: &BenchmarkSpec) -> Option<&Dataset> {
    spec.datasets.iter().find(|dataset| dataset.format.is_trace())
}

fn file_of(dataset: &Dataset, data_dir: &Path) -> DatasetFile {
    DatasetFile {
        path: dyno_datasets::path_of(data_dir, dataset.id),
        id: dataset.id,
        name: dataset.name.clone(),
        sha256: Some(dataset.sha256.clone()),
    }
}

fn tokenizer(inputs: &PlanInputs<'_>) -> TokenizerChoice {
    let folder = inputs.model_path.filter(|path| path.join("tokenizer.json").is_file());
    match folder {
        Some(path) => TokenizerChoice::File { path: path.to_owned() },
        None => TokenizerChoice::Engine,
    }
}

/// What each engine must be able to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    /// Longest request in tokens, input and output.
    pub context: u32,
    /// Requests in flight at once.
    pub in_flight: u32,
}

/// What each of so many engines must be able to take; `longest` is that of the datasets' rows, tokens.
///
/// # Errors
/// When the model's context is too short, in words for people.
pub(super) fn shape(
    spec: &BenchmarkSpec,
    facts: Option<&ModelFacts>,
    engines: u32,
    longest: Option<u32>,
) -> Result<Shape, String> {
    let load = &spec.load;
    let planned = load_points(load, trace(spec).is_some());
    let most = planned.iter().map(PlannedLoad::cap).max().unwrap_or(1).max(1);
    let asked = match load.eval_with {
        EvalWith::Configuration => {
            let output = if load.endpoint() == Endpoint::Embeddings { 0 } else { load.max_output_tokens.unwrap_or(0) };
            load.max_input_tokens.unwrap_or(0).saturating_add(output)
        }
        EvalWith::Dataset => longest.unwrap_or(0),
    };
    let mut context = asked.saturating_add(MARGIN);
    if let Some(limit) = facts.and_then(|facts| facts.context_length) {
        if load.eval_with == EvalWith::Configuration && asked > limit {
            return Err(format!(
                "Input and output together are {} tokens; the model's context has {}.",
                super::text::number(asked.into()),
                super::text::number(limit.into())
            ));
        }
        context = context.min(limit);
    }
    Ok(Shape { context, in_flight: most.div_ceil(engines.max(1)) })
}

/// Tokens that a dataset's row may take, input and output: an estimate that is rather too large.
pub(super) fn row_tokens(row: &DatasetRow, max_output: Option<u32>) -> u32 {
    let input: u32 = row.messages.iter().map(|message| text_tokens(&message.content).saturating_add(16)).sum();
    let output = max_output.unwrap_or_else(|| row.reference.as_deref().map_or(DEFAULT_OUTPUT, text_tokens));
    input.saturating_add(output)
}

/// Tokens that a dataset's conversation may come to, all turns with their answers: rather too many.
pub(super) fn conversation_tokens(row: &DatasetRow, max_output: Option<u32>) -> u32 {
    let answers = row.messages.iter().filter(|message| message.role == "assistant");
    // the model's own answers take the place of the recorded ones, as long as the limit allows
    let longer =
        answers.map(|answer| max_output.unwrap_or(0).saturating_sub(text_tokens(&answer.content))).fold(0, u32::saturating_add);
    let more = row
        .more_turns
        .iter()
        .map(|text| text_tokens(text).saturating_add(32 + max_output.unwrap_or(DEFAULT_OUTPUT)))
        .fold(0, u32::saturating_add);
    row_tokens(row, max_output).saturating_add(longer).saturating_add(more)
}

/// Tokens of a trace's request, input and output.
pub(super) fn arrival_tokens(row: &TraceRow, max_output: Option<u32>) -> u32 {
    row.input_length.saturating_add(row.output_length.min(max_output.unwrap_or(u32::MAX)))
}

fn text_tokens(text: &str) -> u32 {
    let plain = text.chars().filter(char::is_ascii).count();
    let other = text.chars().count() - plain;
    u32::try_from(plain / 2 + other * 2 + 1).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dyno_measure::plan::Load;
    use serde_json::{Value, json};

    fn spec(load: Value, model: &Value) -> BenchmarkSpec {
        let mut whole =
            json!({ "concurrent_requests": 8, "eval_with": "configuration", "max_input_tokens": 100, "max_output_tokens": 28 });
        whole.as_object_mut().unwrap().extend(load.as_object().unwrap().clone());
        let mut described = json!({ "id": Uuid::nil(), "name": "m", "owner": null, "created_at": "2026-11-01T00:00:00Z" });
        described.as_object_mut().unwrap().extend(model.as_object().unwrap().clone());
        serde_json::from_value(json!({
            "name": "b", "tags": [], "description": "", "load": whole, "cluster_id": Uuid::nil(), "cluster_name": "local",
            "nodes": [{ "hostname": "n" }], "model": described, "serving": {}, "credential_id": Uuid::nil(),
        }))
        .unwrap()
    }

    fn cloud() -> Value {
        json!({ "source": "cloud", "provider": "openai", "base_url": "https://api.openai.com/v1", "model": "gpt" })
    }

    #[test]
    fn a_cloud_model_gets_its_providers_fields_and_never_ignore_eos() {
        let spec = spec(json!({ "arrival": { "kind": "rate", "rate": 2.5 }, "duration_s": 60.0 }), &cloud());
        let inputs = PlanInputs {
            run_id: Uuid::nil(),
            spec: &spec,
            data_dir: Path::new("/data"),
            deadline: Timestamp::UNIX_EPOCH,
            launch: None,
            model_path: None,
            address_policy: Some(&AddressPolicy::default()),
        };
        let plan = plan(&inputs);
        plan.check().unwrap();
        assert!(!plan.ignore_eos);
        assert!(plan.address_policy.is_some() && plan.endpoints[0].metrics.is_none());
        assert_eq!(plan.token_limit, crate::domain::provider::TokenLimitField::MaxCompletionTokens);
        assert_eq!(plan.auth.as_ref().unwrap().api_key_env, SECRET_ENV);
        assert_eq!((plan.endpoints[0].node.as_str(), plan.model.as_str()), ("n", "gpt"));
        assert!(matches!(plan.load_points[0].load, Load::Rate { max_in_flight: 8, .. }));
        let verify = verify_plan(&plan);
        assert_eq!((verify.load_points[0].requests(), verify.load_points[0].warmup()), (Some(1), 0));
        assert!(verify.check().is_ok() && verify.requests.is_none());
    }

    #[test]
    fn a_search_shapes_the_engine_by_its_largest_load() {
        let slo = json!({ "percentile": 99, "ttft_ms": 500, "search": { "min": 1, "max": 64 } });
        let closed = spec(json!({ "slo": slo }), &cloud());
        assert_eq!(shape(&closed, None, 1, None).unwrap().in_flight, 64);
        let points = load_points(&closed.load, false);
        assert_eq!((points.len(), points[0].num_requests), (1, None), "each point has its own number");
        let arrival = json!({ "kind": "rate", "rate": 2, "process": "constant" });
        let open = spec(json!({ "slo": slo, "arrival": arrival }), &cloud());
        assert!(matches!(load_points(&open.load, false)[0].load, Load::Rate { rate: 64.0, max_in_flight: 8, .. }));
        for spec in [closed, open] {
            let inputs = PlanInputs {
                run_id: Uuid::nil(),
                spec: &spec,
                data_dir: Path::new("/data"),
                deadline: Timestamp::UNIX_EPOCH,
                address_policy: None,
                launch: None,
                model_path: None,
            };
            let plan = plan(&inputs);
            plan.check().unwrap();
            assert_eq!(plan.point_at(3.0).unwrap().requests(), Some(662), "enough for p99");
            assert!(plan.most_points() <= 9 && plan.self_check.is_some());
            assert!(verify_plan(&plan).search().is_none() && verify_plan(&plan).self_check.is_none());
        }
    }

    #[test]
    fn a_sweep_shapes_the_engine_by_its_largest_point() {
        let spec =
            spec(json!({ "load_points": [{ "concurrency": 4 }, { "concurrency": 65 }], "slo": { "percentile": 99 } }), &cloud());
        assert_eq!(shape(&spec, None, 2, None), Ok(Shape { context: 128 + MARGIN, in_flight: 33 }));
        let points = load_points(&spec.load, false);
        assert_eq!(points.iter().map(PlannedLoad::requests).collect::<Vec<_>>(), [Some(662), Some(662)], "enough for p99");
    }
}
