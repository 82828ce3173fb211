//! One call of a workflow, as the wizard's forms make it.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::api::calls;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::user::Actor;
use crate::domain::workflow::WorkflowAnswer;
use crate::state::AppState;

/// The wizard counts eight steps.
const TOTAL_STEPS: u8 = 8;

/// The first call of a workflow.
pub(super) fn first_body(number: u8, body: Value) -> Value {
    with_fields(body, &[("workflow_total_steps", json!(TOTAL_STEPS)), ("step_number", json!(number))])
}

/// A later call. When the draft has moved on meanwhile but holds these very values, as after a double click, it is done.
pub(super) async fn send(
    app: &AppState,
    actor: &Actor,
    id: Uuid,
    number: u8,
    revision: Option<u64>,
    body: Value,
) -> Result<WorkflowAnswer, Problem> {
    let call = [
        ("workflow_id", json!(id)),
        ("step_number", json!(number)),
        ("if_revision", revision.map_or(Value::Null, |revision| json!(revision))),
    ];
    let result = calls::workflows::apply_step(app, actor, None, with_fields(body.clone(), &call)).await;
    match result {
        Err(problem) if problem.kind == ProblemKind::Conflict => {
            let answer = calls::workflows::get(app, actor, id).await?;
            if answer.run_id.is_some() || draft_has_values(&answer, &body) { Ok(answer) } else { Err(problem) }
        }
        other => other,
    }
}

/// Whether a draft holds the body's values.
pub(super) fn draft_has_values(answer: &WorkflowAnswer, body: &Value) -> bool {
    let stored = answer.workflow_steps.fields();
    let Value::Object(fields) = body else { return false };
    fields.iter().filter(|(name, _)| *name != "trigger_workflow").all(|(name, value)| {
        let stored = stored.get(name).unwrap_or(&Value::Null);
        let is_empty = |value: &Value| value.is_null() || value.as_array().is_some_and(Vec::is_empty);
        stored == value || (is_empty(stored) && is_empty(value))
    })
}

fn with_fields(body: Value, more: &[(&str, Value)]) -> Value {
    let mut fields = match body {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    for (name, value) in more {
        if !value.is_null() {
            fields.insert((*name).to_owned(), value.clone());
        }
    }
    Value::Object(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_has_no_empty_revision() {
        let body = with_fields(json!({ "name": "x" }), &[("if_revision", Value::Null), ("step_number", json!(1))]);
        assert_eq!(body, json!({ "name": "x", "step_number": 1 }));
    }
}
