//! The part of a report's provenance that the load itself brings: written here alone, for a run and for a load by hand alike.

use serde_json::{Map, Value, json};

use crate::plan::Plan;

/// The plan as it was carried out, its seed, and how lengths were counted. Which addresses are the portal's own is left out:
/// whoever repeats the load has no use for it.
pub fn of_load(plan: &Plan, tokenizer: Option<&str>) -> Map<String, Value> {
    let plan = Plan { address_policy: None, ..plan.clone() };
    let tokenizer = tokenizer.map(|tokenizer| ("tokenizer".to_owned(), json!(tokenizer)));
    let known = [("seed".to_owned(), json!(plan.seed)), ("plan".to_owned(), json!(plan))];
    known.into_iter().chain(tokenizer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address_policy::AddressPolicy;

    #[test]
    fn the_portals_own_addresses_are_left_out() {
        let plan: Plan = serde_json::from_value(json!({
            "endpoints": [{ "node": "n", "base_url": "http://127.0.0.1:9" }], "model": "m", "seed": 7,
            "workload": { "kind": "synthetic", "input_tokens": 8, "output_tokens": 4 },
            "load_points": [{ "load": { "kind": "closed", "concurrency": 3 } }],
        }))
        .unwrap();
        let known = of_load(&Plan { address_policy: Some(AddressPolicy::default()), ..plan.clone() }, Some("llama.cpp"));
        assert_eq!(serde_json::from_value::<Plan>(known["plan"].clone()).unwrap(), plan);
        assert_eq!((&known["seed"], &known["tokenizer"]), (&json!(7), &json!("llama.cpp")));
        assert!(!of_load(&plan, None).contains_key("tokenizer"));
    }
}
