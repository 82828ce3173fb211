use super::*;

fn load(more: Value) -> LoadSpec {
    let mut whole = json!({ "concurrent_requests": 8, "eval_with": "configuration", "max_input_tokens": 64 });
    whole.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(whole).unwrap()
}

/// The body of a load's own form, without what is null and the empty list.
fn again(load: &LoadSpec) -> Value {
    let Value::Object(fields) = LoadForm::of(load).body() else { panic!("a body is an object") };
    let is_set = |value: &Value| !value.is_null() && *value != json!([]);
    Value::Object(fields.into_iter().filter(|(_, value)| is_set(value)).collect())
}

#[test]
fn a_plain_load_has_nothing_under_more_options() {
    let form = LoadForm::of(&load(json!({ "num_requests": 640 })));
    assert!(!form.has_more());
    assert_eq!((form.num_requests.as_str(), form.warmup_requests.as_str()), ("640", "8"));
    assert_eq!(again(&load(json!({}))), json!({ "max_input_tokens": 64 }), "defaults stay defaults");
}

#[test]
fn every_option_comes_back_as_it_was_stored() {
    for more in [
        json!({ "duration_s": 60.0 }),
        json!({ "arrival": { "kind": "rate", "rate": 20.0, "process": "gamma", "burstiness": 0.5 } }),
        json!({ "load_points": [{ "concurrency": 1 }, { "concurrency": 2 }, { "concurrency": 4 }] }),
        json!({ "slo": { "percentile": 90.0, "ttft_ms": 100.0, "e2el_ms": 900.0 } }),
        json!({ "slo": { "percentile": 99.0, "ttft_ms": 450.0, "tpot_ms": 40.0, "search": { "min": 1.0, "max": 256.0 } } }),
        json!({ "endpoint": "completions" }),
        json!({ "input_lengths": { "kind": "uniform", "min": 8 }, "output_lengths": { "kind": "normal", "mean": 20.0, "std": 4.5 } }),
        json!({ "prefix": { "share": 0.5 } }),
        json!({ "ramp_s": 2.5, "ignore_eos": false, "seed": 7 }),
    ] {
        let mut want = more.clone();
        want["max_input_tokens"] = json!(64);
        assert_eq!(again(&load(more.clone())), want, "{more}");
        assert!(LoadForm::of(&load(more.clone())).has_more(), "{more}");
    }
    assert_eq!(again(&load(json!({ "warmup_requests": 0 })))["warmup_requests"], json!(0));
    // A sweep of rates: the arrival repeats its first.
    let points = json!([{ "rate": 5.0 }, { "rate": 10.0 }]);
    let got = again(&load(json!({ "load_points": points, "arrival": { "kind": "rate", "rate": 5.0, "process": "constant" } })));
    assert_eq!(got["load_points"], points);
    assert_eq!(got["arrival"], json!({ "kind": "rate", "rate": 5.0, "process": "constant" }));
}

#[test]
fn a_preset_fills_in_its_limits() {
    let form = LoadForm { slo_preset: "deepseek-r1".to_owned(), ttft_ms: "1".to_owned(), ..LoadForm::default() };
    assert_eq!(form.body()["slo"], json!({ "ttft_ms": 2000.0, "tpot_ms": 80.0 }));
    let shown = LoadForm::of(&load(json!({ "slo": { "percentile": 99.0, "ttft_ms": 2000.0, "tpot_ms": 80.0 } })));
    assert_eq!((shown.slo_preset.as_str(), shown.ttft_ms.as_str()), ("deepseek-r1", ""));
}

#[test]
fn what_is_no_number_goes_on_for_the_rules_to_name() {
    let form = LoadForm {
        load_points: "1 many".to_owned(),
        duration_s: "soon".to_owned(),
        num_requests: "1,280".to_owned(),
        ..LoadForm::default()
    };
    let body = form.body();
    assert_eq!(body["load_points"], json!([{ "concurrency": 1 }, { "concurrency": "many" }]));
    assert_eq!((&body["duration_s"], &body["num_requests"]), (&json!("soon"), &json!(1280)));
}

#[test]
fn a_search_by_rate_needs_no_rate_of_its_own() {
    let form = LoadForm {
        arrival: "rate".to_owned(),
        ttft_ms: "100".to_owned(),
        search_min: "2".to_owned(),
        search_max: "50".to_owned(),
        ..LoadForm::default()
    };
    assert_eq!(form.body()["arrival"]["rate"], json!(2.0));
    assert_eq!(form.body()["slo"]["search"], json!({ "min": 2.0, "max": 50.0 }));
}

#[test]
fn what_was_typed_stands_before_what_is_stored() {
    let flash = Flash { entries: vec![("rate".to_owned(), "x".to_owned())], ..Flash::default() };
    let form = LoadForm::of(&load(json!({}))).typed(&flash);
    assert_eq!((form.rate.as_str(), form.max_input_tokens.as_str()), ("x", "64"));
    assert!(form.has_more());
    assert!(form.entries().contains(&("rate".to_owned(), "x".to_owned())));
}
