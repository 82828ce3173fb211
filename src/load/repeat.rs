//! The command that repeats a load: by flags where they say everything that the plan does, else with the plan's file. What
//! the flags say is not assumed: the line is read back and must make the very same plan.

use serde_json::{Map, Value};

use super::command::{node_name, plan_of};
use super::plan::{Load, Plan, PlanEndpoint, PlannedCheck, TokenizerChoice, Workload};
use crate::domain::benchmark::{ArrivalProcess, Endpoint};
use crate::domain::repeat::{Repeat, shell_line};

/// The plan as somebody else can carry it out: without the run's own files, its deadline and the portal's rules.
pub fn to_share(plan: &Plan) -> Plan {
    Plan {
        run_id: uuid::Uuid::nil(),
        requests: None,
        report: None,
        deadline_unix_ns: None,
        // Checks are kept where the portal keeps them.
        self_check: plan.self_check.as_ref().map(|_| PlannedCheck::default()),
        // It guards the portal's network, not that of whoever repeats the load.
        address_policy: None,
        ..plan.clone()
    }
}

/// The command for a plan; `file` is what the downloaded plan is called, `provenance` that of the report.
pub fn repeat(plan: &Plan, file: &str, provenance: &Map<String, Value>) -> Repeat {
    let flags = flags(plan).filter(|flags| plan_of(flags).is_some_and(|read| comparable(&read) == comparable(plan)));
    let by_hand = flags.is_some();
    let words = match flags {
        Some(flags) => ["dyno", "load"].map(str::to_owned).into_iter().chain(flags).collect(),
        None => ["dyno", "load", "--plan", file].map(str::to_owned).to_vec(),
    };
    let engines = provenance.get("engines").and_then(Value::as_array).into_iter().flatten();
    let argv = engines.filter_map(|engine| {
        let words: Vec<&str> = engine.get("argv")?.as_array()?.iter().filter_map(Value::as_str).collect();
        (!words.is_empty()).then(|| shell_line(&words))
    });
    Repeat {
        command: shell_line(&words),
        by_hand,
        key_variable: plan.auth.as_ref().map(|auth| auth.api_key_env.clone()),
        engines: argv.collect(),
        reads_datasets: !matches!(plan.workload, Workload::Synthetic { .. }),
    }
}

/// What must be the same: names of nodes are for people, and differ between a cluster's node and an address.
fn comparable(plan: &Plan) -> Plan {
    let rename = |endpoint: &PlanEndpoint| PlanEndpoint { node: node_name(&endpoint.base_url), ..endpoint.clone() };
    Plan { endpoints: plan.endpoints.iter().map(rename).collect(), ..to_share(plan) }
}

/// The flags that come nearest to the plan; nothing where it is plain that they can't say it.
fn flags(plan: &Plan) -> Option<Vec<String>> {
    let [point] = plan.load_points.as_slice() else { return None };
    let Workload::Synthetic { input_tokens, output_tokens, .. } = &plan.workload else { return None };
    let mut flags: Vec<String> = Vec::new();
    let mut add = |flag: &str, value: String| flags.extend([format!("--{flag}"), value]);
    for endpoint in &plan.endpoints {
        add("base-url", endpoint.base_url.clone());
    }
    add("model", plan.model.clone());
    match plan.endpoint {
        Endpoint::Chat => {}
        Endpoint::Completions => add("endpoint", "completions".to_owned()),
        Endpoint::Embeddings => add("endpoint", "embeddings".to_owned()),
    }
    match &point.load {
        Load::Closed { concurrency } => add("concurrency", concurrency.to_string()),
        Load::Rate { rate, process, burstiness, max_in_flight } => {
            add("rate", rate.to_string());
            match process {
                ArrivalProcess::Poisson => {}
                ArrivalProcess::Constant => add("arrival", "constant".to_owned()),
                ArrivalProcess::Gamma => {
                    add("arrival", "gamma".to_owned());
                    add("burstiness", burstiness.to_string());
                }
            }
            add("max-in-flight", max_in_flight.to_string());
        }
        Load::Trace { .. } => return None,
    }
    if let Some(number) = point.num_requests {
        add("num-requests", number.to_string());
    }
    if let Some(seconds) = point.duration_s {
        add("duration-s", seconds.to_string());
    }
    if let Some(number) = point.warmup_requests {
        add("warmup-requests", number.to_string());
    }
    add("input-tokens", input_tokens.to_string());
    add("output-tokens", output_tokens.to_string());
    add("seed", plan.seed.to_string());
    add("stall-timeout-s", plan.stall_timeout_s.to_string());
    add("timeout-s", plan.timeout_s.to_string());
    match plan.endpoints.first()?.metrics.as_deref() {
        Some("/metrics") => {}
        path => add("engine-metrics", path.unwrap_or("off").to_owned()),
    }
    if let TokenizerChoice::File { path } = &plan.tokenizer {
        add("tokenizer", path.to_str()?.to_owned());
    }
    if let Some(auth) = &plan.auth {
        add("api-key-env", auth.api_key_env.clone());
    }
    if plan.self_check.is_none() {
        add("self-check", "off".to_owned());
    }
    if plan.ignore_eos {
        flags.push("--ignore-eos".to_owned());
    }
    Some(flags)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plan(change: Value) -> Plan {
        let mut whole = json!({
            "run_id": "01890a5d-ac96-774b-bcce-b302099a8057", "requests": "requests.ndjson", "report": "report.json",
            "deadline_unix_ns": 1, "endpoints": [{ "node": "node-1", "base_url": "http://127.0.0.1:8100/v1" }], "model": "my model",
            "workload": { "kind": "synthetic", "input_tokens": 512, "output_tokens": 128 }, "seed": 7, "ignore_eos": true,
            "load_points": [{ "load": { "kind": "closed", "concurrency": 64 }, "num_requests": 640 }],
        });
        whole.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        serde_json::from_value(whole).unwrap()
    }

    fn command(change: Value) -> Repeat {
        repeat(&plan(change), "plan.json", &Map::new())
    }

    #[test]
    fn flags_say_a_plain_closed_loop() {
        let got = command(json!({}));
        assert!(got.by_hand);
        assert_eq!(
            got.command,
            "dyno load --base-url http://127.0.0.1:8100/v1 --model 'my model' --concurrency 64 --num-requests 640 \
             --input-tokens 512 --output-tokens 128 --seed 7 --stall-timeout-s 120 --timeout-s 600 \
             --engine-metrics off --ignore-eos"
        );
    }

    #[test]
    fn flags_say_rates_and_the_name_of_the_keys_variable_never_the_key() {
        let load = json!({ "kind": "rate", "rate": 2.5, "process": "gamma", "burstiness": 0.5, "max_in_flight": 9 });
        let got = command(json!({
            "load_points": [{ "load": load, "duration_s": 60.0, "warmup_requests": 0 }],
            "auth": { "header": "bearer", "api_key_env": "MY_KEY" }, "endpoint": "completions",
        }));
        assert!(got.by_hand, "{got:?}");
        for part in
            ["--rate 2.5 --arrival gamma --burstiness 0.5 --max-in-flight 9", "--duration-s 60", "--warmup-requests 0", "MY_KEY"]
        {
            assert!(got.command.contains(part), "{part}: {}", got.command);
        }
        assert_eq!(got.key_variable.as_deref(), Some("MY_KEY"));
    }

    #[test]
    fn what_flags_cannot_say_goes_by_the_plan() {
        let point = |concurrency: u32| json!({ "load": { "kind": "closed", "concurrency": concurrency } });
        for change in [
            json!({ "load_points": [point(1), point(2)] }),
            json!({ "slo": { "percentile": 99.0, "ttft_ms": 450.0 } }),
            json!({ "workload": { "kind": "synthetic", "input_tokens": 512, "output_tokens": 128, "shared_prefix": 0.5 } }),
            json!({ "extra_body": { "temperature": 0 } }),
            json!({ "auth": { "header": "api_key", "api_key_env": "K" } }),
            json!({ "token_limit": "max_completion_tokens" }),
            json!({ "workload": { "kind": "dataset", "files": [] } }),
        ] {
            let got = command(change.clone());
            assert_eq!((got.command.as_str(), got.by_hand), ("dyno load --plan plan.json", false), "{change}");
        }
    }

    #[test]
    fn a_shared_plan_has_no_deadline_and_writes_no_files() {
        let shared = to_share(&plan(json!({})));
        assert!(
            shared.run_id.is_nil() && shared.requests.is_none() && shared.report.is_none() && shared.deadline_unix_ns.is_none()
        );
    }

    #[test]
    fn engines_that_have_ended_are_named_with_their_lines() {
        let provenance = json!({ "engines": [{ "argv": ["/opt/llama server", "-m", "x.gguf"] }] });
        let got = repeat(&plan(json!({})), "plan.json", provenance.as_object().unwrap());
        assert_eq!(got.engines, ["'/opt/llama server' -m x.gguf"]);
    }
}
