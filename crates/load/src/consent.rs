//! A plan may come from somebody else: before values of environment variables are sent to where it says, the user is shown
//! which and where to, and asked.

use std::collections::BTreeSet;
use std::io::{self, BufRead, IsTerminal, Write};

use dyno_measure::plan::Plan;

/// Why a plan is not carried out.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConsentError {
    #[error("{what} To allow it, name what it may send: {flags}.")]
    NotNamed { what: String, flags: String },
    #[error("{what} You could not be asked: {source}.")]
    NotAsked { what: String, source: io::Error },
    #[error("Nothing was sent.")]
    Refused,
}

/// The variables that the plan sends, less those named by --api-key-env.
fn unnamed<'a>(plan: &'a Plan, named: &[String]) -> BTreeSet<&'a str> {
    let of_headers = plan.headers.iter().filter_map(|header| header.value_env.as_deref());
    let all = plan.auth.iter().map(|auth| auth.api_key_env.as_str()).chain(of_headers);
    all.filter(|variable| named.iter().all(|name| name != variable)).collect()
}

/// Asks on a terminal whether the plan may send its variables; without a terminal only those named may be sent.
pub(super) fn ask(plan: &Plan, named: &[String]) -> Result<(), ConsentError> {
    let variables = unnamed(plan, named);
    if variables.is_empty() {
        return Ok(());
    }
    let receivers: BTreeSet<&str> = plan.endpoints.iter().map(|endpoint| endpoint.base_url.as_str()).collect();
    let list = |words: &BTreeSet<&str>| words.iter().copied().collect::<Vec<_>>().join(", ");
    let what = format!("The plan sends the value of {} to {}.", list(&variables), list(&receivers));
    let (input, mut terminal) = (io::stdin(), io::stderr());
    if !(input.is_terminal() && terminal.is_terminal()) {
        let flags: Vec<String> = variables.iter().map(|variable| format!("--api-key-env {variable}")).collect();
        return Err(ConsentError::NotNamed { what, flags: flags.join(" ") });
    }
    let mut answer = String::new();
    let asked = write!(terminal, "{what} Go on? [y/N] ").and_then(|()| terminal.flush());
    if let Err(source) = asked.and_then(|()| input.lock().read_line(&mut answer)) {
        return Err(ConsentError::NotAsked { what, source });
    }
    if matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") { Ok(()) } else { Err(ConsentError::Refused) }
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
        assert_eq!(unnamed(&plan, &[]), BTreeSet::from(["A", "B"]));
        assert_eq!(unnamed(&plan, &["A".to_owned()]), BTreeSet::from(["B"]));
        let alone = Plan { headers: Vec::new(), ..plan.clone() };
        assert!(unnamed(&alone, &["A".to_owned()]).is_empty());
        let both = ["A".to_owned(), "B".to_owned()];
        assert!(unnamed(&Plan { headers: plan.headers, ..alone }, &both).is_empty());
    }
}
