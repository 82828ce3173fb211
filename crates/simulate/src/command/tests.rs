//! Questions on the command line, and their answers.

use clap::Parser;
use serde_json::Value;

use super::{CommandError, SimulateArgs, answer::answer};

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    args: SimulateArgs,
}

fn parse(line: &str) -> Result<SimulateArgs, clap::Error> {
    Line::try_parse_from(format!("simulate {line}").split(' ')).map(|line| line.args)
}

const QUESTION: &str = "--model meta-llama/Llama-3.1-8B --device H100 --concurrency 4 --input-tokens 64 --output-tokens 16";

fn answered(more: &str) -> Result<String, CommandError> {
    let mut out = Vec::new();
    answer(&parse(&format!("{QUESTION} {more}")).unwrap().question, &mut out)?;
    Ok(String::from_utf8(out).unwrap())
}

#[test]
fn a_percentile_lies_between_0_and_100() {
    for wrong in ["nan", "-5", "0", "100", "150", "x"] {
        assert!(parse(&format!("{QUESTION} --percentile={wrong}")).is_err(), "{wrong}");
    }
    for wrong in ["0", "-1", "inf", "nan"] {
        assert!(parse(&format!("{QUESTION} --ttft-ms={wrong}")).is_err(), "{wrong}");
    }
    assert!(parse(&format!("{QUESTION} --percentile 99.9 --ttft-ms 0.5")).is_ok());
}

#[test]
fn a_table_takes_nothing_of_a_question() {
    assert!(parse("--points a.csv --out b.csv").is_ok());
    for option in ["--engine sglang", "--json", "--ttft-ms 5", "--seed 2", "--model m", "--devices 2"] {
        let error = parse(&format!("--points a.csv {option}")).unwrap_err();
        assert_eq!(error.kind(), clap::error::ErrorKind::ArgumentConflict, "{option}");
    }
}

#[test]
fn a_layout_needs_its_devices() {
    let error = answered("--devices 1 --tensor-parallel 8").unwrap_err();
    assert_eq!(error.to_string(), "tensor-parallel 8 needs so many devices; there are 1");
    let text = answered("--devices 8 --tensor-parallel 2").unwrap();
    assert!(text.contains("layout     tensor-parallel 2 x 4 replicas\n"), "{text}");
}

#[test]
fn limits_are_judged_with_and_without_a_given_layout() {
    for layout in ["--devices 2", "--devices 2 --tensor-parallel 2"] {
        let text = answered(&format!("{layout} --ttft-ms 1")).unwrap();
        assert!(text.contains("limits     not met at p99: TTFT within 1 ms; goodput 0.00 requests/s\n"), "{text}");
        let text = answered(&format!("{layout} --tpot-ms 5000")).unwrap();
        assert!(text.contains("limits     met at p99: TPOT within 5000 ms; goodput "), "{text}");
        assert!(!answered(layout).unwrap().contains("limits"));
    }
}

#[test]
fn json_names_the_layout_the_verdict_and_the_others() {
    let found: Value = serde_json::from_str(&answered("--devices 2 --json --e2el-ms 60000").unwrap()).unwrap();
    let (degree, other) = (found["tensor_parallel"].as_u64().unwrap(), &found["alternatives"][0]);
    assert_eq!(degree * found["replicas"].as_u64().unwrap(), 2);
    assert_eq!(found["meets_limits"], true);
    assert!(found["simulation"]["outcome"]["output_throughput"].as_f64() >= other["output_throughput"].as_f64());
    assert_ne!(other["tensor_parallel"].as_u64().unwrap(), degree);
    let found: Value = serde_json::from_str(&answered("--tensor-parallel 1 --json").unwrap()).unwrap();
    assert_eq!((&found["meets_limits"], &found["alternatives"]), (&Value::Null, &Value::Array(Vec::new())));
}

#[test]
fn layouts_that_do_not_fit_are_listed_too() {
    let big =
        "--model meta-llama/Llama-3.1-70B --device H100 --devices 4 --concurrency 1 --num-requests 2 --output-tokens 8 --json";
    let mut out = Vec::new();
    answer(&parse(big).unwrap().question, &mut out).unwrap();
    let found: Value = serde_json::from_slice(&out).unwrap();
    let errors: Vec<&str> =
        found["alternatives"].as_array().unwrap().iter().filter_map(|other| other["error"].as_str()).collect();
    assert!(errors.iter().any(|error| error.contains("141.1 GB of weights")), "{errors:?}");
}

/// Errors that were not measured are marked as assumed; none is given for the gaps between tokens.
#[test]
fn errors_state_their_basis() {
    let text = answered("--tensor-parallel 1").unwrap();
    assert!(text.contains("error of the mean\n") && text.contains("errors: "), "{text}");
    let itl = text.lines().find(|line| line.starts_with("ITL")).unwrap();
    assert!(itl.ends_with("not known"), "{itl}");
    let mut out = Vec::new();
    let line = QUESTION.replace("H100", "mycard --tflops 400 --memory-gib 80 --bandwidth 2000");
    answer(&parse(&line).unwrap().question, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(text.contains("standing: generic factors, not fitted; errors: assumed"), "{text}");
}

#[test]
fn a_stated_devices_narrow_rate_counts_for_narrow_weights() {
    let ttft = |rates: &str| {
        let mut out = Vec::new();
        let device = format!("mycard --tflops 400 --memory-gib 80 --bandwidth 2000 {rates} --precision fp8");
        let line = QUESTION.replace("H100", &device).replace("--input-tokens 64", "--input-tokens 4096");
        answer(&parse(&line).unwrap().question, &mut out)?;
        let text = String::from_utf8(out).unwrap();
        let line = text.lines().find(|line| line.starts_with("TTFT")).unwrap().to_owned();
        Ok::<f64, CommandError>(line.split_whitespace().nth(1).unwrap().parse().unwrap())
    };
    assert!(ttft("--tflops-8 800").unwrap() < ttft("--tflops-8 400").unwrap());
    assert!(ttft("--tflops-8 0").unwrap_err().to_string().contains("peak 8-bit TFLOPS"));
}
