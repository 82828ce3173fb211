//! The table of a load's options: name, values, loads that it doesn't go with, and command-line flag. The workflow's body and
//! form, the API's document, the command line, the command that repeats a load, and sentences about it are generated from this
//! table; the values are the fields of the same names in [`super::LoadSpec`]. A new option is a field there, an entry here, and
//! its implementation.

use super::options::{Flag, LoadOption, OptionKind, Refusals};
use super::values::MOST_TOKENS;

const MOST_REQUESTS: u64 = 10_000_000;
/// Longest duration of a load point, seconds: a week.
const MOST_SECONDS: f64 = 604_800.0;
/// Longest ramp, seconds: an hour.
const MOST_RAMP_S: f64 = 3_600.0;
const MOST_SCALE: f64 = 1_000.0;

const GOES_WITH_ALL: Refusals = Refusals { at_a_rate: None, of_a_trace: None, of_configuration: None, of_datasets: None };

const NONE: LoadOption = LoadOption {
    name: "",
    words: "",
    kind: OptionKind::Datasets,
    unit: "",
    term: None,
    scope: "",
    about: "",
    more: true,
    refusals: GOES_WITH_ALL,
    flag: None,
};

const FLAG: Flag = Flag { name: "", value: "", help: "", default: None, conflicts: &[], requires: None };

/// Every option, in the order of a command's flags.
pub const OPTIONS: &[LoadOption] = &[
    LoadOption {
        name: "dataset_ids",
        words: "datasets",
        kind: OptionKind::Datasets,
        scope: "dataset",
        about: "`datset_ids` and `datasets` mean the same",
        more: false,
        ..NONE
    },
    LoadOption {
        name: "num_requests",
        words: "number of requests",
        kind: OptionKind::Whole { least: 1, most: MOST_REQUESTS },
        about: "requests to measure",
        more: false,
        flag: Some(Flag {
            name: "num-requests",
            value: "N",
            help: "Measure this many requests (default: ten times the concurrency or rate, at least 100)",
            conflicts: &["duration_s"],
            ..FLAG
        }),
        ..NONE
    },
    LoadOption {
        name: "duration_s",
        words: "duration",
        kind: OptionKind::Positive { most: MOST_SECONDS },
        unit: "s",
        about: "or how long to measure",
        flag: Some(Flag { name: "duration-s", value: "SECONDS", help: "Or send requests for this long", ..FLAG }),
        more: false,
        ..NONE
    },
    LoadOption {
        name: "warmup_requests",
        words: "warm-up requests",
        kind: OptionKind::Whole { least: 0, most: MOST_REQUESTS },
        about: "requests before the measurement, excluded from it",
        flag: Some(Flag {
            name: "warmup-requests",
            value: "N",
            help: "Requests before the measurement, excluded from it (default: as many as are in flight)",
            ..FLAG
        }),
        ..NONE
    },
    LoadOption {
        name: "arrival",
        words: "arrival",
        kind: OptionKind::Arrival,
        about: "closed loop unless said otherwise",
        refusals: Refusals { of_a_trace: Some(" and says itself when requests arrive. Leave arrival out."), ..GOES_WITH_ALL },
        more: false,
        ..NONE
    },
    LoadOption {
        name: "load_points",
        words: "load points",
        kind: OptionKind::LoadPoints,
        about: "a sweep",
        refusals: Refusals {
            of_a_trace: Some(": it is one load, played at its own times. Leave load points out."),
            ..GOES_WITH_ALL
        },
        more: false,
        ..NONE
    },
    LoadOption { name: "slo", words: "latency limits", kind: OptionKind::Limits, about: "latency limits", more: false, ..NONE },
    LoadOption {
        name: "max_input_tokens",
        words: "input tokens",
        kind: OptionKind::Whole { least: 1, most: MOST_TOKENS as u64 },
        unit: "tokens",
        scope: "configuration",
        more: false,
        refusals: Refusals {
            of_datasets: Some("Input tokens go with the evaluation method configuration; datasets bring their own lengths."),
            ..GOES_WITH_ALL
        },
        flag: Some(Flag {
            name: "input-tokens",
            value: "N",
            help: "Input length in tokens, chat template included; the longest where lengths are spread",
            default: Some("512"),
            ..FLAG
        }),
        ..NONE
    },
    LoadOption {
        name: "input_lengths",
        words: "input lengths",
        kind: OptionKind::Lengths,
        term: Some("Input lengths"),
        scope: "configuration",
        about: "how input lengths are spread; `fixed` unless said otherwise",
        refusals: Refusals {
            of_datasets: Some("Input lengths go with the evaluation method configuration; datasets bring their own."),
            ..GOES_WITH_ALL
        },
        flag: Some(Flag {
            name: "input-lengths",
            value: "KIND",
            help: "How input lengths are spread: fixed, uniform:MIN, normal:MEAN,STD or lognormal:MEAN,STD (of the lengths, in \
                   tokens); none is longer than --input-tokens",
            conflicts: &["trace", "dataset"],
            ..FLAG
        }),
        ..NONE
    },
    LoadOption {
        name: "max_output_tokens",
        words: "output tokens",
        kind: OptionKind::Whole { least: 1, most: MOST_TOKENS as u64 },
        unit: "tokens",
        more: false,
        flag: Some(Flag {
            name: "output-tokens",
            value: "N",
            help: "Output limit in tokens; the longest where limits are spread (default: 128; of a dataset, the reference's \
                   length, else 256; of a trace, what it says)",
            ..FLAG
        }),
        ..NONE
    },
    LoadOption {
        name: "output_lengths",
        words: "output lengths",
        kind: OptionKind::Lengths,
        term: Some("Output lengths"),
        scope: "configuration",
        about: "how output limits are spread; `fixed` unless said otherwise",
        refusals: Refusals {
            of_datasets: Some("Output lengths go with the evaluation method configuration; datasets bring their own."),
            ..GOES_WITH_ALL
        },
        flag: Some(Flag {
            name: "output-lengths",
            value: "KIND",
            help: "How output limits are spread, said as --input-lengths is; none is longer than --output-tokens",
            conflicts: &["trace", "dataset"],
            ..FLAG
        }),
        ..NONE
    },
    LoadOption {
        name: "prefix",
        words: "prefix",
        kind: OptionKind::Prefix,
        unit: "of the input",
        term: Some("Shared prefix"),
        about: "a prefix that prompts share",
        flag: Some(Flag {
            name: "shared-prefix",
            value: "SHARE",
            help: "Share of the input that all prompts begin with, 0 to 1: what a prefix cache can keep",
            default: Some("0"),
            conflicts: &["trace", "dataset"],
            ..FLAG
        }),
        ..NONE
    },
    LoadOption {
        name: "ramp_s",
        words: "ramp",
        kind: OptionKind::FromZero { most: MOST_RAMP_S },
        unit: "s",
        term: Some("Ramp"),
        scope: "closed loop",
        about: "over how long the first requests are spread",
        refusals: Refusals {
            at_a_rate: Some("A ramp goes with a closed loop; at a rate, requests are spread already."),
            of_a_trace: Some(" and says itself when requests arrive. Leave the ramp out."),
            ..GOES_WITH_ALL
        },
        flag: Some(Flag {
            name: "ramp-s",
            value: "SECONDS",
            help: "Spread the first requests of --concurrency over this long (default: 2 ms each, at most a second)",
            conflicts: &["rate", "trace"],
            ..FLAG
        }),
        ..NONE
    },
    LoadOption {
        name: "endpoint",
        words: "endpoint",
        kind: OptionKind::Choice(&[("chat", "chat completions"), ("completions", "completions"), ("embeddings", "embeddings")]),
        term: Some("Endpoint"),
        about: "`chat` unless said otherwise",
        flag: Some(Flag { name: "endpoint", value: "ENDPOINT", help: "Which call is made", default: Some("chat"), ..FLAG }),
        ..NONE
    },
    LoadOption {
        name: "multi_turn",
        words: "turn by turn",
        kind: OptionKind::Switch { yes: "turn by turn", no: None },
        term: Some("Conversations"),
        scope: "dataset",
        about: "conversations turn by turn, with the model's own answers in between",
        refusals: Refusals {
            at_a_rate: Some("Conversations are played turn by turn in a closed loop only, not at a rate."),
            of_a_trace: Some(": it has no conversations."),
            of_configuration: Some("Conversations come out of datasets; this benchmark's evaluation method is configuration."),
            of_datasets: None,
        },
        flag: Some(Flag {
            name: "multi-turn",
            help: "Play the dataset's conversations turn by turn, with the model's own answers; --concurrency counts \
                   conversations",
            conflicts: &["rate"],
            requires: Some("dataset"),
            ..FLAG
        }),
        ..NONE
    },
    LoadOption {
        name: "time_scale",
        words: "time scale",
        kind: OptionKind::Positive { most: MOST_SCALE },
        unit: "× as recorded",
        term: Some("Speed of the trace"),
        scope: "dataset",
        about: "how many times as fast as recorded a trace is played",
        refusals: Refusals { of_configuration: Some("A time scale goes with a trace, which is a dataset."), ..GOES_WITH_ALL },
        flag: Some(Flag {
            name: "time-scale",
            value: "FACTOR",
            help: "Play the trace so many times as fast as it was recorded",
            default: Some("1"),
            requires: Some("trace"),
            ..FLAG
        }),
        ..NONE
    },
    LoadOption {
        name: "ignore_eos",
        words: "ignoring the end of an answer",
        kind: OptionKind::Switch { yes: "the engine is told to ignore it", no: Some("where the model ends them") },
        term: Some("End of answers"),
        about: "whether the engine is told to go on to the output limit; unless said otherwise where Dyno starts it",
        flag: Some(Flag {
            name: "ignore-eos",
            help: "Ask the engine to go on to the output limit; not every server knows this",
            ..FLAG
        }),
        ..NONE
    },
    LoadOption {
        name: "seed",
        words: "seed",
        kind: OptionKind::Whole { least: 0, most: u64::MAX },
        about: "seed of everything that is drawn",
        flag: Some(Flag { name: "seed", value: "N", help: "Seed of prompts and arrivals", default: Some("1"), ..FLAG }),
        ..NONE
    },
    LoadOption {
        name: "headers",
        words: "headers",
        kind: OptionKind::Headers,
        term: Some("Headers"),
        about: "headers added to each request; one that holds a secret belongs to a credential",
        ..NONE
    },
    LoadOption {
        name: "extra_body",
        words: "extra fields",
        kind: OptionKind::Fields,
        term: Some("Extra fields"),
        about: "fields added to each request's body as they are, such as `temperature`",
        ..NONE
    },
];

pub fn option(name: &str) -> Option<&'static LoadOption> {
    OPTIONS.iter().find(|option| option.name == name)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::load::{EvalWith, LoadSpec};

    /// A load with every option set, even those that don't go together.
    fn whole() -> Value {
        json!({
            "concurrent_requests": 8, "eval_with": "dataset", "max_input_tokens": 64, "max_output_tokens": 16,
            "dataset_ids": ["01890a5d-ac96-774b-bcce-b302099a8057"], "warmup_requests": 0, "num_requests": 5, "duration_s": 7.5,
            "endpoint": "completions", "arrival": { "kind": "rate", "rate": 20.0, "process": "gamma", "burstiness": 0.5 },
            "load_points": [{ "rate": 5.0 }], "slo": { "percentile": 95.0, "ttft_ms": 450.0 }, "seed": u64::MAX,
            "prefix": { "share": 0.5 }, "input_lengths": { "kind": "uniform", "min": 5 },
            "output_lengths": { "kind": "normal", "mean": 12.0, "std": 30.5 }, "ramp_s": 2.5, "multi_turn": true,
            "ignore_eos": false, "time_scale": 2.0, "headers": [{ "name": "X-Team", "value": "a b" }],
            "extra_body": { "temperature": 0.5, "chat_template_kwargs": { "enable_thinking": false } },
        })
    }

    #[test]
    fn the_table_and_the_typed_load_have_the_same_options() {
        let load: LoadSpec = serde_json::from_value(whole()).unwrap();
        assert_eq!(Value::Object(load.values()), whole());
        let mut named: Vec<&str> = OPTIONS.iter().map(|option| option.name).collect();
        named.extend(["concurrent_requests", "eval_with"]);
        named.sort_unstable();
        assert_eq!(named, load.values().keys().map(String::as_str).collect::<Vec<_>>());
    }

    #[test]
    fn options_are_read_stored_and_cleared() {
        let mut load = LoadSpec::new(8, EvalWith::Dataset);
        for option in OPTIONS {
            load.set(option, Some(option.read(&whole()[option.name]).unwrap())).unwrap();
        }
        assert_eq!(Value::Object(load.values()), whole());
        for option in OPTIONS {
            load.set(option, None).unwrap();
        }
        assert_eq!(load, LoadSpec::new(8, EvalWith::Dataset));
    }

    #[test]
    fn whole_numbers_and_fractions_have_the_type_of_their_field() {
        let read = |name: &str, value: Value| option(name).unwrap().read(&value).unwrap();
        assert_eq!(read("num_requests", json!(50.0)), json!(50));
        assert_eq!(read("ramp_s", json!(2)), json!(2.0));
        let wrong = option("ramp_s").unwrap().read(&json!(3_601)).unwrap_err();
        assert_eq!(wrong.to_string(), "Ramp must be a number from 0 to 3,600.");
    }

    #[test]
    fn a_load_of_a_later_version_is_read_as_far_as_it_is_known() {
        let mut later = whole();
        later["later"] = json!(1);
        for option in ["arrival", "slo", "prefix", "input_lengths"] {
            later[option]["later"] = json!(1);
        }
        let load: LoadSpec = serde_json::from_value(later).unwrap();
        assert_eq!(Value::Object(load.values()), whole());
    }

    #[test]
    fn values_are_said() {
        let said = |name: &str| option(name).unwrap().say(&whole()[name]);
        assert_eq!(said("ramp_s").as_deref(), Some("2.5 s"));
        assert_eq!(said("time_scale").as_deref(), Some("2 × as recorded"));
        assert_eq!(said("prefix").as_deref(), Some("50.0 % of the input"));
        assert_eq!(said("ignore_eos").as_deref(), Some("where the model ends them"));
        assert_eq!(option("multi_turn").unwrap().say(&json!(false)), None);
        assert_eq!(said("headers").as_deref(), Some("X-Team: a b"));
        assert_eq!(
            said("extra_body").as_deref(),
            Some(r#"{"chat_template_kwargs":{"enable_thinking":false},"temperature":0.5}"#)
        );
    }

    #[test]
    fn headers_and_fields_that_are_no_loads_own_to_give_are_refused() {
        let refused = |name: &str, value: Value| option(name).unwrap().read(&value).unwrap_err().to_string();
        let header = |name: &str, value: &str| json!([{ "name": name, "value": value }]);
        for name in ["Authorization", "x-api-key", "Cookie"] {
            let said = refused("headers", header(name, "Bearer abc"));
            assert_eq!(said, format!("The header {name} holds a secret: add it as a credential. A benchmark is kept and shown."));
        }
        assert_eq!(refused("headers", header("Host", "x")), "The header Host is set by the client.");
        assert!(refused("headers", header("X-A", "b\r\nc: d")).contains("can't be sent"));
        assert!(refused("headers", json!(["X-A"])).contains("'Name: value'"));
        assert!(refused("headers", json!([{ "name": "X-A", "value": "b", "value_env": "HOME" }])).contains("value_env"));
        assert_eq!(refused("headers", json!(vec![json!({ "name": "X-A", "value": "b" }); 2])), "The header X-A is given twice.");
        assert!(refused("headers", json!(vec![json!({ "name": "X-A", "value": "b" }); 21])).contains("At most 20 headers"));
        assert!(refused("extra_body", json!({ "messages": [] })).contains("messages"));
        assert!(refused("extra_body", json!("temperature")).contains("JSON object"));
        assert!(refused("extra_body", json!({ "stop": "x".repeat(20_000) })).contains("16 kB"));
    }
}
