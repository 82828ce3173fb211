//! The command that repeats a load: with flags where they can express the whole plan, else with the plan's file. The flags are
//! verified: read back, they must make the same plan.

use serde_json::Value;

use crate::command::{node_name, plan_of};
use dyno_measure::load::options::OptionKind;
use dyno_measure::load::{ArrivalProcess, LoadSpec, LoadVariable, OPTIONS};
use dyno_measure::plan::{Load, Plan, PlanEndpoint, PlannedCheck, TokenizerChoice, Workload};
use dyno_measure::repeat::{Repeat, shell_line};
use dyno_measure::report::provenance::Provenance;

/// The plan as it is handed to somebody else: without the run's own files, its deadline and the portal's address policy.
pub fn to_share(plan: &Plan) -> Plan {
    Plan {
        run_id: uuid::Uuid::nil(),
        requests: None,
        report: None,
        deadline_unix_ns: None,
        // The cache folder is the portal's.
        self_check: plan.self_check.as_ref().map(|_| PlannedCheck::default()),
        // The policy guards the portal's network, not that of whoever repeats the load.
        address_policy: None,
        ..plan.clone()
    }
}

/// The command for a plan. `file` is the name of the downloaded plan.
pub fn repeat(plan: &Plan, file: &str, provenance: &Provenance) -> Repeat {
    let flags = flags(plan).filter(|flags| plan_of(flags).is_some_and(|read| comparable(&read) == comparable(plan)));
    let by_hand = flags.is_some();
    let words = match flags {
        Some(flags) => ["dyno", "load"].map(str::to_owned).into_iter().chain(flags).collect(),
        None => ["dyno", "load", "--plan", file].map(str::to_owned).to_vec(),
    };
    let argv = provenance.engines.iter().filter(|engine| !engine.argv.is_empty()).map(|engine| shell_line(&engine.argv));
    Repeat {
        command: shell_line(&words),
        by_hand,
        key_variable: plan
            .auth
            .as_ref()
            .map(|auth| auth.api_key_env.clone())
            .or_else(|| plan.headers.iter().find_map(|header| header.value_env.clone())),
        engines: argv.collect(),
        reads_datasets: !matches!(plan.workload, Workload::Synthetic { .. }),
    }
}

/// The plan without what may differ: names of nodes, which are only shown, become their addresses.
fn comparable(plan: &Plan) -> Plan {
    let rename = |endpoint: &PlanEndpoint| PlanEndpoint { node: node_name(&endpoint.base_url), ..endpoint.clone() };
    Plan { endpoints: plan.endpoints.iter().map(rename).collect(), ..to_share(plan) }
}

#[derive(Default)]
struct Flags(Vec<String>);

impl Flags {
    fn add(&mut self, flag: &str, value: impl ToString) {
        self.0.extend([format!("--{flag}"), value.to_string()]);
    }

    fn add_some(&mut self, flag: &str, value: Option<impl ToString>) {
        if let Some(value) = value {
            self.add(flag, value);
        }
    }
}

/// The flags that come nearest to the plan; `None` where it clearly can't be expressed by flags.
fn flags(plan: &Plan) -> Option<Vec<String>> {
    if !matches!(plan.workload, Workload::Synthetic { .. }) {
        return None;
    }
    let load = plan.load();
    let mut flags = Flags::default();
    for endpoint in &plan.endpoints {
        flags.add("base-url", &endpoint.base_url);
    }
    flags.add("model", &plan.model);
    loads(plan, &mut flags);
    limits(plan, &mut flags);
    for (flag, argument) in option_flags(&load, false) {
        flags.add(flag, argument);
    }
    flags.add_some("retry-429", plan.retry_429);
    flags.add("stall-timeout-s", plan.stall_timeout_s);
    flags.add("timeout-s", plan.timeout_s);
    match plan.endpoints.first()?.metrics.as_deref() {
        Some("/metrics") => {}
        path => flags.add("engine-metrics", path.unwrap_or("off")),
    }
    if plan.workers > 1 {
        flags.add("workers", plan.workers);
    }
    if plan.self_check.is_none() {
        flags.add("self-check", "off");
    }
    if let TokenizerChoice::File { path } = &plan.tokenizer {
        flags.add("tokenizer", path.to_str()?);
    }
    if !plan.extra_body.is_empty() {
        flags.add("extra-body", Value::from(plan.extra_body.clone()));
    }
    for header in &plan.headers {
        flags.add("header", header.argument());
    }
    if let Some(path) = &plan.ca {
        flags.add("ca", path.to_str()?);
    }
    if plan.insecure {
        flags.0.push("--insecure".to_owned());
    }
    flags.add_some("max-error-rate", plan.max_error_rate);
    flags.add_some("api-key-env", plan.auth.as_ref().map(|auth| &auth.api_key_env));
    flags.0.extend(option_flags(&load, true).map(|(flag, _)| format!("--{flag}")));
    Some(flags.0)
}

/// The flags of a load's options with their values: only switches, or only the others.
fn option_flags(load: &LoadSpec, switches: bool) -> impl Iterator<Item = (&'static str, String)> {
    let values = load.values();
    OPTIONS
        .iter()
        .filter(move |option| matches!(option.kind, OptionKind::Switch { .. }) == switches)
        .filter_map(move |option| Some((option.flag?.name, option.argument(values.get(option.name)?)?)))
}

/// Adds the flags of the offered loads, unless a search finds them.
fn loads(plan: &Plan, flags: &mut Flags) {
    let mut concurrencies: Vec<String> = Vec::new();
    let mut rates: Vec<String> = Vec::new();
    for point in &plan.load_points {
        match &point.load {
            Load::Closed { concurrency } => concurrencies.push(concurrency.to_string()),
            Load::Rate { rate, .. } => rates.push(rate.to_string()),
            // a plan with a trace is repeated by its file
            Load::Trace { .. } => {}
        }
    }
    let searches = plan.search().is_some();
    if !searches && !concurrencies.is_empty() {
        flags.add("concurrency", concurrencies.join(","));
    }
    if !searches && !rates.is_empty() {
        flags.add("rate", rates.join(","));
    }
    if let Some(Load::Rate { process, burstiness, max_in_flight, .. }) = plan.load_points.first().map(|point| &point.load) {
        match process {
            ArrivalProcess::Poisson => {}
            ArrivalProcess::Constant => flags.add("arrival", "constant"),
            ArrivalProcess::Gamma => {
                flags.add("arrival", "gamma");
                flags.add("burstiness", burstiness);
            }
        }
        flags.add("max-in-flight", max_in_flight);
    }
}

/// Adds the flags of the latency limits and of a search's bounds.
fn limits(plan: &Plan, flags: &mut Flags) {
    let Some(slo) = &plan.slo else { return };
    flags.add_some("slo-ttft-ms", slo.ttft_ms);
    flags.add_some("slo-tpot-ms", slo.tpot_ms);
    flags.add_some("slo-e2el-ms", slo.e2el_ms);
    flags.add("slo-percentile", slo.percentile);
    if let Some((variable, min, max)) = plan.search() {
        flags.add("search-min", min);
        flags.add("search-max", max);
        if variable == LoadVariable::Rate {
            flags.0.push("--search-rate".to_owned());
        }
    }
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
        repeat(&plan(change), "plan.json", &Provenance::default())
    }

    #[test]
    fn flags_say_a_plain_closed_loop() {
        let got = command(json!({}));
        assert!(got.by_hand);
        assert_eq!(
            got.command,
            "dyno load --base-url http://127.0.0.1:8100/v1 --model 'my model' --concurrency 64 --num-requests 640 \
             --input-tokens 512 --output-tokens 128 --seed 7 --stall-timeout-s 120 --timeout-s 600 \
             --engine-metrics off --self-check off --ignore-eos"
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
    fn flags_say_how_a_server_is_reached_and_what_is_added_to_requests() {
        let got = command(json!({
            "headers": [{ "name": "x-team", "value": "a b" }, { "name": "api-key", "value_env": "MY_KEY" }],
            "ca": "/etc/lab.pem", "extra_body": { "temperature": 0, "chat_template_kwargs": { "enable_thinking": false } },
            "max_error_rate": 0.2,
        }));
        assert!(got.by_hand, "{got:?}");
        for part in [
            r#"--extra-body '{"chat_template_kwargs":{"enable_thinking":false},"temperature":0}'"#,
            "--header 'x-team: a b' --header 'api-key: $MY_KEY' --ca /etc/lab.pem --max-error-rate 0.2",
        ] {
            assert!(got.command.contains(part), "{part}: {}", got.command);
        }
        assert!(command(json!({ "insecure": true })).command.contains("--insecure"));
        assert!(!command(json!({ "ca_certificates": "-----BEGIN CERTIFICATE-----" })).by_hand, "no flag holds a text");
    }

    #[test]
    fn flags_say_sweeps_limits_and_searches() {
        let point = |concurrency: u32, requests: u32| json!({ "load": { "kind": "closed", "concurrency": concurrency }, "num_requests": requests });
        let limits = json!({ "percentile": 99.0, "ttft_ms": 450.0, "tpot_ms": 40.0 });
        let sweep = command(
            json!({ "load_points": [point(1, 700), point(8, 700)], "slo": limits, "self_check": { "cache": "/portal" } }),
        );
        assert!(sweep.by_hand, "{sweep:?}");
        assert!(
            sweep.command.contains("--concurrency 1,8 --slo-ttft-ms 450 --slo-tpot-ms 40 --slo-percentile 99"),
            "{}",
            sweep.command
        );
        assert!(sweep.command.contains("--num-requests 700") && !sweep.command.contains("self-check"), "{}", sweep.command);

        let mut searched = limits.clone();
        searched["search"] = json!({ "min": 1.0, "max": 64.0 });
        let search = command(json!({ "load_points": [{ "load": { "kind": "closed", "concurrency": 64 } }], "slo": searched }));
        assert!(search.by_hand, "{search:?}");
        assert!(search.command.contains("--search-min 1 --search-max 64") && !search.command.contains("--concurrency"));
    }

    #[test]
    fn flags_say_spread_lengths_a_shared_prefix_and_the_ramp() {
        let got = command(json!({ "ramp_s": 2.5, "workload": {
            "kind": "synthetic", "input_tokens": 512, "output_tokens": 128, "shared_prefix": 0.25,
            "input_lengths": { "kind": "lognormal", "mean": 300.5, "std": 80.0 }, "output_lengths": { "kind": "uniform", "min": 16 },
        } }));
        assert!(got.by_hand, "{got:?}");
        let flags = "--input-tokens 512 --input-lengths lognormal:300.5,80 --output-tokens 128 --output-lengths uniform:16 \
                    --shared-prefix 0.25 --ramp-s 2.5";
        assert!(got.command.contains(flags), "{}", got.command);
    }

    #[test]
    fn plans_beyond_flags_are_repeated_by_file() {
        let point = |concurrency: u32, requests: u32| json!({ "load": { "kind": "closed", "concurrency": concurrency }, "num_requests": requests });
        for change in [
            json!({ "load_points": [point(1, 10), point(2, 20)] }),
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
        let got = repeat(&plan(json!({})), "plan.json", &serde_json::from_value(provenance).unwrap());
        assert_eq!(got.engines, ["'/opt/llama server' -m x.gguf"]);
    }
}
