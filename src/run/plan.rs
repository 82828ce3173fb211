//! From a benchmark's specification to the load's plan. Pure.

use std::path::PathBuf;

use jiff::Timestamp;
use uuid::Uuid;

use super::executor::Placement;
use crate::credentials::AddressPolicy;
use crate::domain::benchmark::BenchmarkSpec;
use crate::domain::dataset::Dataset;
use crate::domain::inventory::ModelSource;
use crate::domain::provider::ProviderId;
use crate::engine::Launch;
use dyno_measure::load::{Endpoint, EvalWith, LoadSpec};
use dyno_measure::plan::{
    DatasetFile, Plan, PlanAuth, PlanEndpoint, PlannedCheck, PlannedLoad, PromptSource, TokenizerChoice, Workload,
};

/// The variable through which the load gets a provider's secret.
pub(super) const SECRET_ENV: &str = "DYNO_LOAD_SECRET";
/// Request records, beside the plan.
pub(crate) const REQUESTS_FILE: &str = "requests.ndjson";
/// The report as the load writes it, beside the plan.
pub(crate) const REPORT_FILE: &str = "report.json";
/// What the one request before the load measured, beside the plan.
pub(crate) const VERIFY_REPORT_FILE: &str = "verify-report.json";
/// Longest wait between two events of an engine that Dyno started, seconds: with more clients than slots, a first token
/// waits its turn, and that the engine died is seen otherwise.
const OWN_STALL_S: f64 = 600.0;
/// Longest request of such an engine, seconds.
const OWN_TIMEOUT_S: f64 = 3_600.0;
/// The load ends so long before everything is ended.
const BEFORE_DEADLINE_NS: i128 = 120_000_000_000;

/// What a plan is made of beside the specification.
pub(super) struct PlanInputs<'a> {
    pub run_id: Uuid,
    pub spec: &'a BenchmarkSpec,
    /// Where its files lie.
    pub placement: &'a Placement,
    /// How the engine is started; absent for a cloud model.
    pub launch: Option<&'a Launch>,
    /// Where a cloud model's address may lead.
    pub address_policy: Option<&'a AddressPolicy>,
}

/// The load's plan. Of an engine that is yet to be started, addresses and model name are left open.
pub(super) fn plan(inputs: &PlanInputs<'_>) -> Plan {
    let PlanInputs { spec, .. } = inputs;
    let load = &spec.load;
    let own = inputs.launch.is_some();
    let (endpoints, model, auth, token_limit) = match &spec.model.source {
        ModelSource::Cloud { provider, base_url, model, .. } => {
            let preset = provider.preset();
            let auth = spec.credential_id.map(|_| PlanAuth { header: preset.auth, api_key_env: SECRET_ENV.to_owned() });
            let node = spec.load_node.clone().or_else(|| spec.nodes.first().map(|node| node.hostname.clone()));
            // Somebody's own server has metrics of its own, a provider's has not.
            let metrics = (*provider == ProviderId::OpenaiCompatible).then(|| "/metrics".to_owned());
            let endpoint = PlanEndpoint { node: node.unwrap_or_default(), base_url: base_url.clone(), metrics };
            (vec![endpoint], model.clone(), auth, preset.token_limit)
        }
        _ => (Vec::new(), String::new(), None, dyno_measure::plan::TokenLimitField::MaxTokens),
    };
    let (ca_certificates, insecure) = match &spec.model.source {
        ModelSource::Cloud { ca_certificate, insecure_skip_tls_verify, .. } => {
            (ca_certificate.clone(), *insecure_skip_tls_verify)
        }
        _ => (None, false),
    };
    let longest_output = load.max_output_tokens.unwrap_or(super::demand::DEFAULT_OUTPUT);
    Plan {
        run_id: inputs.run_id,
        endpoints,
        model,
        auth,
        token_limit,
        ca_certificates,
        insecure,
        workers: spec.load_pods.unwrap_or(1),
        ignore_eos: load.endpoint() != Endpoint::Embeddings && ignores_eos(load, inputs),
        stall_timeout_s: if own { OWN_STALL_S } else { 120.0 },
        timeout_s: if own { OWN_TIMEOUT_S.max(f64::from(longest_output)) } else { 600.0 },
        tokenizer: tokenizer(inputs),
        self_check: Some(PlannedCheck { cache: inputs.placement.self_check_cache.clone() }),
        // Beside the plan: the load runs in its folder.
        requests: Some(PathBuf::from(REQUESTS_FILE)),
        report: Some(PathBuf::from(REPORT_FILE)),
        address_policy: inputs.address_policy.cloned(),
        ..Plan::of_load(load, source(spec, inputs.placement))
    }
}

/// The plan of a load that ends itself before the run's deadline.
pub(super) fn until(plan: Plan, deadline: Timestamp) -> Plan {
    Plan { deadline_unix_ns: i64::try_from(deadline.as_nanosecond() - BEFORE_DEADLINE_NS).ok(), ..plan }
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
        workers: 1,
        slo: None,
        self_check: None,
        requests: None,
        report: Some(PathBuf::from(VERIFY_REPORT_FILE)),
        ..plan.clone()
    }
}

fn source(spec: &BenchmarkSpec, placement: &Placement) -> PromptSource {
    if spec.load.eval_with == EvalWith::Configuration {
        return PromptSource::Synthetic;
    }
    match files(spec, placement).find(|(dataset, _)| dataset.format.is_trace()) {
        Some((_, file)) => {
            PromptSource::Trace { file, context_tokens: spec.model.facts.as_ref().and_then(|facts| facts.context_length) }
        }
        None => PromptSource::Datasets(files(spec, placement).map(|(_, file)| file).collect()),
    }
}

fn files<'a>(spec: &'a BenchmarkSpec, placement: &'a Placement) -> impl Iterator<Item = (&'a Dataset, DatasetFile)> {
    spec.datasets.iter().zip(&placement.datasets).map(|(dataset, path)| {
        let file = DatasetFile {
            path: path.clone(),
            id: dataset.id,
            name: dataset.name.clone(),
            sha256: Some(dataset.sha256.clone()),
            notes: dyno_datasets::notes(&dataset.left_out, dataset.replaced, dataset.samples, &dataset.name),
        };
        (dataset, file)
    })
}

fn tokenizer(inputs: &PlanInputs<'_>) -> TokenizerChoice {
    match inputs.placement.model.as_ref().and_then(|model| model.tokenizer.clone()) {
        Some(path) => TokenizerChoice::File { path },
        None => TokenizerChoice::Engine,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dyno_measure::plan::{Load, load_points};
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

    fn plan_of(spec: &BenchmarkSpec) -> Plan {
        plan(&PlanInputs {
            run_id: Uuid::nil(),
            spec,
            placement: &Placement::default(),
            launch: None,
            address_policy: Some(&AddressPolicy::default()),
        })
    }

    #[test]
    fn a_cloud_model_gets_its_providers_fields_and_never_ignore_eos() {
        let load = json!({
            "arrival": { "kind": "rate", "rate": 2.5 }, "duration_s": 60.0, "headers": [{ "name": "X-Team", "value": "a" }],
            "extra_body": { "temperature": 0 },
        });
        let plan = plan_of(&spec(load.clone(), &cloud()));
        plan.check().unwrap();
        assert!(!plan.ignore_eos);
        assert!(plan.address_policy.is_some() && plan.endpoints[0].metrics.is_none());
        assert_eq!(plan.token_limit, dyno_measure::plan::TokenLimitField::MaxCompletionTokens);
        assert_eq!(plan.auth.as_ref().unwrap().api_key_env, SECRET_ENV);
        assert_eq!((plan.endpoints[0].node.as_str(), plan.model.as_str()), ("n", "gpt"));
        assert!(matches!(plan.load_points[0].load, Load::Rate { max_in_flight: 8, .. }));
        assert_eq!((plan.headers[0].argument().as_str(), &plan.extra_body["temperature"]), ("X-Team: a", &json!(0)));
        let again = plan.load().values();
        assert_eq!((&again["headers"], &again["extra_body"]), (&load["headers"], &load["extra_body"]));
        let verify = verify_plan(&plan);
        assert_eq!((verify.load_points[0].requests(), verify.load_points[0].warmup()), (Some(1), 0));
        assert!(verify.check().is_ok() && verify.requests.is_none());
    }

    #[test]
    fn a_cloud_models_certificates_go_with_its_load_and_with_the_request_before_it() {
        let with = |field: &str, value: Value| {
            let mut source = cloud();
            source[field] = value;
            plan_of(&spec(json!({}), &source))
        };
        let authority = with("ca_certificate", json!("PEM"));
        for plan in [verify_plan(&authority), authority] {
            assert_eq!((plan.ca_certificates.as_deref(), plan.insecure), (Some("PEM"), false));
        }
        let unchecked = with("insecure_skip_tls_verify", json!(true));
        for plan in [verify_plan(&unchecked), unchecked] {
            assert_eq!((plan.ca_certificates.as_deref(), plan.insecure), (None, true));
        }
    }

    #[test]
    fn a_split_load_is_planned_with_as_many_workers_and_verified_by_one() {
        let whole = spec(json!({}), &cloud());
        assert_eq!(plan_of(&whole).workers, 1);
        let split = plan_of(&BenchmarkSpec { load_pods: Some(3), ..whole });
        split.check().unwrap();
        assert_eq!((split.workers, verify_plan(&split).workers), (3, 1));
    }

    #[test]
    fn a_search_is_planned_by_its_largest_load() {
        let slo = json!({ "percentile": 99, "ttft_ms": 500, "search": { "min": 1, "max": 64 } });
        let closed = spec(json!({ "slo": slo }), &cloud());
        let points = load_points(&closed.load, false);
        assert_eq!((points.len(), points[0].num_requests), (1, None), "each point has its own number");
        let arrival = json!({ "kind": "rate", "rate": 2, "process": "constant" });
        let open = spec(json!({ "slo": slo, "arrival": arrival }), &cloud());
        assert!(matches!(load_points(&open.load, false)[0].load, Load::Rate { rate: 64.0, max_in_flight: 8, .. }));
        for spec in [closed, open] {
            let plan = plan_of(&spec);
            plan.check().unwrap();
            assert_eq!(plan.point_at(3.0).unwrap().requests(), Some(662), "enough for p99");
            assert!(plan.self_check.is_some());
            // Seven to halve some 64 to 127 candidates, one to spare, two to confirm the edge.
            assert_eq!(plan.most_points(), 10);
            assert!(verify_plan(&plan).search().is_none() && verify_plan(&plan).self_check.is_none());
        }
    }

    #[test]
    fn a_sweep_has_enough_requests_for_its_percentile() {
        let spec =
            spec(json!({ "load_points": [{ "concurrency": 4 }, { "concurrency": 65 }], "slo": { "percentile": 99 } }), &cloud());
        let points = load_points(&spec.load, false);
        assert_eq!(points.iter().map(PlannedLoad::requests).collect::<Vec<_>>(), [Some(662), Some(662)], "enough for p99");
    }

    /// The fit is asked before there is a plan, and must hold for the plan that comes of it.
    #[test]
    fn what_the_fit_is_asked_for_is_what_is_planned() {
        let slo = json!({ "percentile": 99, "ttft_ms": 500, "search": { "min": 1, "max": 64 } });
        let rate = json!({ "kind": "rate", "rate": 2, "process": "constant" });
        for (load, most) in [
            (json!({}), 8),
            (json!({ "load_points": [{ "concurrency": 4 }, { "concurrency": 65 }, { "concurrency": 6 }] }), 65),
            // at a rate, the requests in flight that step 1 allows
            (json!({ "load_points": [{ "rate": 4 }, { "rate": 65 }], "arrival": rate }), 8),
            (json!({ "arrival": rate }), 8),
            (json!({ "slo": slo }), 64),
            (json!({ "slo": slo, "arrival": rate }), 8),
        ] {
            let spec = spec(load.clone(), &cloud());
            let planned = plan_of(&spec).load_points.iter().map(PlannedLoad::cap).max();
            assert_eq!(
                (planned, crate::engine::fit::Demand::of(&spec.load, false, None).in_flight),
                (Some(most), most),
                "{load}"
            );
        }
    }
}
