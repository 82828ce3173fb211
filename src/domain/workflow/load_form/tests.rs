use super::*;

fn load(more: Value) -> LoadSpec {
    let mut whole = json!({ "concurrent_requests": 8, "eval_with": "configuration", "max_input_tokens": 64 });
    whole.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(whole).unwrap()
}

/// The body of the form of a stored load, without nulls and the empty list.
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
    assert_eq!((form.goal.as_str(), form.amount.as_str(), form.lengths_preset.as_str()), ("one", "own", "own"));
    assert_eq!(again(&load(json!({}))), json!({ "concurrent_requests": 8, "max_input_tokens": 64 }), "defaults stay defaults");
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
        json!({ "headers": [{ "name": "X-Team", "value": "a: b" }, { "name": "X-Cost", "value": "7" }] }),
        json!({ "extra_body": { "temperature": 0, "chat_template_kwargs": { "enable_thinking": false } } }),
    ] {
        let mut want = more.clone();
        want["max_input_tokens"] = json!(64);
        let form = LoadForm::of(&load(more.clone()));
        if form.uses_concurrency() {
            want["concurrent_requests"] = json!(8);
        }
        assert_eq!(again(&load(more.clone())), want, "{more}");
        let is_more = more.as_object().unwrap().keys().any(|name| MORE.contains(&name.as_str()));
        assert_eq!(form.has_more(), is_more, "{more}");
    }
    assert_eq!(again(&load(json!({ "warmup_requests": 0 })))["warmup_requests"], json!(0));
    // in a sweep of rates the arrival repeats the first
    let points = json!([{ "rate": 5.0 }, { "rate": 10.0 }]);
    let got = again(&load(json!({ "load_points": points, "arrival": { "kind": "rate", "rate": 5.0, "process": "constant" } })));
    assert_eq!(got["load_points"], points);
    assert_eq!(got["arrival"], json!({ "kind": "rate", "rate": 5.0, "process": "constant" }));
}

#[test]
fn headers_and_extra_fields_that_are_none_go_on_to_the_rule() {
    let form = LoadForm { headers: "X-Team: a\r\n\r\nno header".to_owned(), extra_body: "{".to_owned(), ..LoadForm::default() };
    assert_eq!(form.body()["headers"], json!([{ "name": "X-Team", "value": "a" }, "no header"]));
    assert_eq!(form.body()["extra_body"], json!("{"));
    let empty = LoadForm::default().body();
    assert_eq!((&empty["headers"], &empty["extra_body"]), (&json!([]), &Value::Null));
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
    assert!(form.entries().contains(&("rate".to_owned(), "x".to_owned())));
}

/// A form with every field filled in, as a browser sends it that can't hide fields.
fn filled_in(choices: &[(&str, &str)]) -> LoadForm {
    let all = [
        ("eval_with", "configuration"),
        ("concurrent_requests", "16"),
        ("lengths_preset", "own"),
        ("max_input_tokens", "64"),
        ("max_output_tokens", "8"),
        ("amount", "quick"),
        ("num_requests", "50"),
        ("duration_s", "60"),
        ("arrival", "closed"),
        ("rate", "5"),
        ("process", "poisson"),
        ("burstiness", "0.5"),
        ("load_points", "1, 2"),
        ("search_min", "1"),
        ("search_max", "64"),
        ("ttft_ms", "200"),
        ("percentile", "90"),
        ("input_lengths", "fixed"),
        ("input_min", "3"),
        ("output_lengths", "fixed"),
        ("output_mean", "3"),
    ];
    let sent = all.iter().filter(|(name, _)| choices.iter().all(|(chosen, _)| chosen != name)).chain(choices);
    LoadForm::of_entries(&sent.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>())
}

/// The fields that the body of a form sets.
fn set(form: &LoadForm) -> Value {
    let Value::Object(fields) = form.body() else { panic!("a body is an object") };
    let is_set = |value: &Value| !value.is_null() && *value != json!([]);
    Value::Object(fields.into_iter().filter(|(_, value)| is_set(value)).collect())
}

#[test]
fn only_the_fields_of_what_was_chosen_count() {
    let lengths = json!({ "max_input_tokens": 64, "max_output_tokens": 8 });
    let with = |more: Value| {
        let mut all = lengths.clone();
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all
    };
    let limits = json!({ "percentile": 90.0, "ttft_ms": 200.0 });
    for (choices, want) in [
        (vec![("goal", "one")], json!({ "concurrent_requests": 16 })),
        (vec![("goal", "one"), ("limits", "yes")], json!({ "concurrent_requests": 16, "slo": limits })),
        (
            vec![("goal", "one"), ("arrival", "rate")],
            json!({ "concurrent_requests": 16, "arrival": { "kind": "rate", "rate": 5.0, "process": "poisson" } }),
        ),
        (vec![("goal", "sweep")], json!({ "load_points": [{ "concurrency": 1 }, { "concurrency": 2 }] })),
        (
            vec![("goal", "sweep"), ("arrival", "rate")],
            json!({
                "concurrent_requests": 16, "load_points": [{ "rate": 1.0 }, { "rate": 2.0 }],
                "arrival": { "kind": "rate", "rate": 1.0, "process": "poisson" },
            }),
        ),
        (
            vec![("goal", "search")],
            json!({ "slo": { "percentile": 90.0, "ttft_ms": 200.0, "search": { "min": 1.0, "max": 64.0 } } }),
        ),
        (
            vec![("goal", "sweep"), ("amount", "p99"), ("load_points", "4")],
            json!({ "num_requests": 700, "load_points": [{ "concurrency": 4 }] }),
        ),
        (vec![("goal", "one"), ("amount", "own")], json!({ "concurrent_requests": 16, "num_requests": 50 })),
        (vec![("goal", "one"), ("amount", "time")], json!({ "concurrent_requests": 16, "duration_s": 60.0 })),
    ] {
        assert_eq!(set(&filled_in(&choices)), with(want), "{choices:?}");
        assert!(filled_in(&choices).part_errors().is_empty(), "{choices:?}");
    }
}

#[test]
fn a_preset_of_lengths_stands_in_place_of_the_two_fields() {
    let form = filled_in(&[("goal", "one"), ("lengths_preset", "rag")]);
    assert_eq!((&form.body()["max_input_tokens"], &form.body()["max_output_tokens"]), (&json!(4_000), &json!(256)));
    let stored = |input: u32, output: u32, more: Value| {
        let mut all = json!({ "max_input_tokens": input, "max_output_tokens": output });
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        LoadForm::of(&load(all)).lengths_preset
    };
    assert_eq!(stored(8_000, 512, json!({})), "summary");
    assert_eq!(stored(8_000, 513, json!({})), "own");
    assert_eq!(stored(512, 128, json!({ "input_lengths": { "kind": "uniform", "min": 8 } })), "own");
    assert_eq!(LoadForm::of(&LoadSpec::new(8, EvalWith::Configuration)).lengths_preset, "chat", "of a draft that has none yet");
}

#[test]
fn a_choice_whose_field_is_empty_is_named_at_the_field() {
    let wrong =
        |choices: &[(&str, &str)]| filled_in(choices).part_errors().into_iter().map(|error| error.field).collect::<Vec<_>>();
    assert_eq!(wrong(&[("goal", "sweep"), ("load_points", " ")]), ["load_points"]);
    assert_eq!(wrong(&[("goal", "one"), ("arrival", "rate"), ("rate", "")]), ["rate"]);
    assert_eq!(wrong(&[("goal", "search"), ("search_min", ""), ("search_max", "")]), ["search_min", "search_max"]);
    assert_eq!(wrong(&[("goal", "search"), ("search_min", "64"), ("search_max", "8")]), ["search_max"]);
    assert_eq!(wrong(&[("goal", "search"), ("ttft_ms", "")]), ["slo"]);
    assert_eq!(wrong(&[("goal", "one"), ("amount", "own"), ("num_requests", "")]), ["num_requests"]);
    assert_eq!(wrong(&[("goal", "one"), ("input_lengths", "uniform"), ("input_min", "")]), ["input_min"]);
}

#[test]
fn a_form_without_the_choices_is_read_by_its_fields() {
    let form = LoadForm {
        eval_with: "configuration".to_owned(),
        max_input_tokens: "64".to_owned(),
        num_requests: "100".to_owned(),
        default_requests: "100".to_owned(),
        duration_s: "30".to_owned(),
        load_points: "1 2".to_owned(),
        ttft_ms: "9".to_owned(),
        ..LoadForm::default()
    };
    let want = json!({
        "max_input_tokens": 64, "duration_s": 30.0, "load_points": [{ "concurrency": 1 }, { "concurrency": 2 }],
        "slo": { "ttft_ms": 9.0 },
    });
    assert_eq!(set(&form), want);
}
