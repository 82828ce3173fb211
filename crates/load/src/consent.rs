//! A plan comes from somewhere: before a variable of the environment is sent where it says, whoever carries it out is shown
//! which one and where to, and asked.

use std::collections::BTreeSet;
use std::io::{self, BufRead, IsTerminal, Write};

use dyno_measure::plan::Plan;

/// The variables that the plan sends, but those that were named beside it.
fn unnamed<'a>(plan: &'a Plan, named: Option<&str>) -> BTreeSet<&'a str> {
    let of_headers = plan.headers.iter().filter_map(|header| header.value_env.as_deref());
    let all = plan.auth.iter().map(|auth| auth.api_key_env.as_str()).chain(of_headers);
    all.filter(|variable| Some(*variable) != named).collect()
}

/// Asks on a terminal whether the plan may have what it wants; elsewhere, only what was named may be sent.
pub(super) fn ask(plan: &Plan, named: Option<&str>) -> Result<(), String> {
    let variables = unnamed(plan, named);
    if variables.is_empty() {
        return Ok(());
    }
    let list = |words: Vec<&str>| words.join(", ");
    let receivers: BTreeSet<&str> = plan.endpoints.iter().map(|endpoint| endpoint.base_url.as_str()).collect();
    let what = format!(
        "The plan sends the value of {} to {}.",
        list(variables.iter().copied().collect()),
        list(receivers.into_iter().collect())
    );
    let (input, mut terminal) = (io::stdin(), io::stderr());
    if !(input.is_terminal() && terminal.is_terminal()) {
        let flag = variables.first().map(|variable| format!("--api-key-env {variable}")).unwrap_or_default();
        return Err(format!("{what} To allow it, name the variable: {flag}."));
    }
    let mut answer = String::new();
    let asked = write!(terminal, "{what} Go on? [y/N] ").and_then(|()| terminal.flush());
    asked
        .and_then(|()| input.lock().read_line(&mut answer))
        .map_err(|error| format!("{what} You could not be asked: {error}."))?;
    if matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") { Ok(()) } else { Err("Nothing was sent.".to_owned()) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_named_is_not_asked_about() {
        let plan: Plan = serde_json::from_value(json!({
            "endpoints": [{ "node": "n", "base_url": "http://h" }], "model": "m",
            "workload": { "kind": "synthetic", "input_tokens": 8, "output_tokens": 4 }, "load_points": [],
            "auth": { "header": "bearer", "api_key_env": "A" }, "headers": [{ "name": "x-key", "value_env": "B" }],
        }))
        .unwrap();
        assert_eq!(unnamed(&plan, None), BTreeSet::from(["A", "B"]));
        assert_eq!(unnamed(&plan, Some("A")), BTreeSet::from(["B"]));
        let alone = Plan { headers: Vec::new(), ..plan };
        assert!(unnamed(&alone, Some("A")).is_empty());
    }
}
