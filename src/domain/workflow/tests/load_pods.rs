//! Step 4: load processes and their CPU.

use super::*;
use crate::domain::benchmark::BenchmarkSpec;
use crate::domain::problem::FieldError;
use crate::domain::workflow::fields::step_of;
use crate::domain::workflow::steps::suggestion;
use crate::domain::workflow::tests::world::*;
use crate::domain::workflow::{Draft, draft_from};
use jiff::Timestamp;

fn at_gpus() -> Wizard {
    let mut wizard = Wizard::at(2);
    wizard.good(3, json!({ "cluster_id": GPUS }));
    wizard
}

fn kept(draft: &Draft) -> (Option<u32>, Option<u32>) {
    (draft.steps.load_pods, draft.steps.load_cpu_millicores)
}

#[test]
fn they_are_kept_within_bounds_and_cleared() {
    let mut wizard = at_gpus();
    let nodes = json!([{ "hostname": "gpu-01" }]);
    let advance = wizard.good(4, json!({ "nodes": nodes, "load_pods": 4, "load_cpu_millicores": 2_500 }));
    assert_eq!((kept(&advance.draft), advance.warnings), ((Some(4), Some(2_500)), vec![]));
    for wrong in [json!(0), json!(65), json!(1.5), json!("two"), json!(true)] {
        wizard.refuses(
            4,
            json!({ "load_pods": wrong }),
            (4, "load_pods", "Load processes must be a whole number between 1 and 64."),
        );
    }
    for wrong in [json!(99), json!(64_001), json!("1 core")] {
        let message = "CPU of each load pod must be a whole number between 100 and 64,000.";
        wizard.refuses(4, json!({ "load_cpu_millicores": wrong }), (4, "load_cpu_millicores", message));
    }
    wizard.clone().good(4, json!({ "load_pods": 1, "load_cpu_millicores": 100 }));
    // a body without them leaves them as they are
    assert_eq!(kept(&wizard.good(4, json!({ "nodes": nodes })).draft), (Some(4), Some(2_500)));
    assert_eq!(kept(&wizard.clone().good(4, json!({ "load_pods": null, "load_cpu_millicores": null })).draft), (None, None));

    wizard.good(4, json!({ "nodes": nodes, "load_node": "gpu-02" }));
    let of_step_4 = |draft: &Draft| draft.steps.fields().into_iter().filter(|(name, _)| step_of(name) == Some(4)).count();
    assert_eq!(of_step_4(wizard.draft()), 4, "give a new field of step 4 a value here, and clear it with the others");
    let advance = wizard.good(3, json!({ "cluster_id": LOCAL }));
    assert_eq!(of_step_4(&advance.draft), 0);
    assert_eq!(advance.dropped, ["load_cpu_millicores", "load_node", "load_pods", "nodes"]);
}

#[test]
fn only_pods_have_a_cpu_of_their_own() {
    let message = "The load comes from a pod on Kubernetes clusters only; leave its CPU out.";
    let error = (4, "load_cpu_millicores", message);
    Wizard::at(4).refuses(4, json!({ "load_cpu_millicores": 2_000 }), error);
    let mut simulated = Wizard::at(2);
    simulated.good(3, json!({ "cluster_id": CATALOGUE }));
    simulated.refuses(4, json!({ "nodes": [{ "hostname": "h100-x8" }], "load_cpu_millicores": 2_000 }), error);
}

#[test]
fn a_benchmark_has_them_and_so_has_its_copy() {
    let mut wizard = Wizard::at(3);
    wizard.good(4, json!({ "nodes": [{ "hostname": "fl4u42" }], "load_pods": 3 }));
    for step in [5, 7] {
        wizard.good(step, own_fields(step, "configuration", GGUF));
    }
    let mut spec = wizard.good(8, json!({ "run_as_simulation": true, "trigger_workflow": true })).start.unwrap();
    assert_eq!((spec.load_pods, spec.load_cpu_millicores), (Some(3), None));
    spec.load_cpu_millicores = Some(500);
    assert_eq!(kept(&draft_from(&spec, id(0x77), OWNER, Timestamp::UNIX_EPOCH)), (Some(3), Some(500)));

    let mut stored = serde_json::to_value(&spec).unwrap();
    assert_eq!(serde_json::from_value::<BenchmarkSpec>(stored.clone()).unwrap(), spec);
    stored.as_object_mut().unwrap().retain(|field, _| field != "load_pods" && field != "load_cpu_millicores");
    let old: BenchmarkSpec = serde_json::from_value(stored).unwrap();
    assert_eq!((old.load_pods, old.load_cpu_millicores), (None, None));
}

#[test]
fn each_needs_a_request_in_flight_whichever_step_changes_them() {
    let mut wizard = Wizard::at(4);
    let refused = |processes: u32, in_flight: u32| {
        format!("{processes} load processes need as many requests in flight, and the load has {in_flight} at most.")
    };
    wizard.refuses(4, json!({ "load_pods": 51 }), (4, "load_pods", &refused(51, 50)));
    wizard.good(4, json!({ "load_pods": 8 }));
    wizard.refuses(1, json!({ "concurrent_requests": 7 }), (4, "load_pods", &refused(8, 7)));
    let slo = json!({ "percentile": 99, "ttft_ms": 500, "search": { "min": 1, "max": 6 } });
    wizard.refuses(2, json!({ "slo": slo }), (4, "load_pods", &refused(8, 6)));
    wizard.clone().good(4, json!({ "concurrent_requests": 4, "load_pods": 4 }));

    // of a sweep, the largest concurrency
    let mut swept = wizard.clone();
    swept.good(2, json!({ "load_points": [{ "concurrency": 2 }, { "concurrency": 60 }] }));
    swept.good(4, json!({ "load_pods": 60 }));
    swept.refuses(2, json!({ "load_points": [{ "concurrency": 2 }, { "concurrency": 59 }] }), (4, "load_pods", &refused(60, 59)));
    // at a rate, the requests in flight of step 1
    wizard.good(2, json!({ "arrival": { "kind": "rate", "rate": 500 } }));
    wizard.refuses(4, json!({ "load_pods": 60 }), (4, "load_pods", &refused(60, 50)));
}

#[test]
fn more_are_suggested_for_a_load_that_is_too_much_for_one() {
    let warned = |message: &str| vec![FieldError::at(4, "load_pods", message)];
    let mut wizard = Wizard::at(3);
    let nodes = json!([{ "hostname": "fl4u42" }]);
    let many = "2 load processes are suggested: the load has up to 10,000 requests in flight, and one was found to carry 9,500 by the benchmark of the load generator.";
    let advance = wizard.good(4, json!({ "nodes": nodes, "concurrent_requests": 10_000 }));
    assert_eq!(advance.warnings, warned(many));
    assert_eq!(wizard.good(4, json!({ "load_pods": 1 })).warnings, warned(many));
    assert_eq!(wizard.good(4, json!({ "load_pods": 2 })).warnings, []);

    wizard.good(2, json!({ "arrival": { "kind": "rate", "rate": 3_500 } }));
    let fast = "4 load processes are suggested: the load has up to 3,500 requests per second, and one was found to carry 1,000 by the benchmark of the load generator.";
    assert_eq!(wizard.good(4, json!({ "nodes": nodes })).warnings, warned(fast));

    // what is only simulated is put on by none
    wizard.good(3, json!({ "cluster_id": CATALOGUE }));
    assert!(wizard.good(4, json!({ "nodes": [{ "hostname": "h100-x8" }] })).warnings.iter().all(|at| at.field != "load_pods"));
}

#[test]
fn a_self_check_of_the_cluster_says_how_much_is_too_much_for_one() {
    let check = |concurrency: u32, p99: f64| -> dyno_measure::validity::SelfCheck {
        let error = json!({ "p50": 0.1, "p99": p99, "max": p99, "n": 700 });
        serde_json::from_value(json!({
            "concurrency": concurrency, "requests": 700, "true_ttft_ms": 8.0, "true_itl_ms": 4.0, "ttft_error_ms": error,
            "itl_error_ms": error, "checked_at_unix_ms": 0, "cached": false,
        }))
        .unwrap()
    };
    let said = |in_flight: u32, check| {
        let draft = Wizard::at(3).good(4, json!({ "nodes": [{ "hostname": "fl4u42" }], "concurrent_requests": in_flight })).draft;
        suggestion(&draft.steps.load, None, Some(&check))
    };
    assert_eq!(
        said(800, check(400, 3.5)).unwrap(),
        "3 load processes are suggested: the load has up to 800 requests in flight, and the last self-check on this cluster found one late by 3.50 ms with 400 in flight; more CPU for it may be enough."
    );
    assert_eq!(said(399, check(400, 3.5)), None);
    assert_eq!(said(800, check(400, 0.5)), None, "it was in time");
    assert_eq!(said(10_000, check(10_000, 0.5)), None, "all of it was checked");
    assert!(said(10_000, check(400, 0.5)).unwrap().ends_with("carry 9,500 by the benchmark of the load generator."));
}
