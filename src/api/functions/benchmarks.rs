//! Benchmarks: run one again, or begin a draft from one.

use leptos::prelude::*;

use super::CallError;
use super::idempotency::{BUTTON_KEPT, FormKey};

/// Starts another run of a benchmark and goes to its page; refused, it goes back to `here`.
#[server(endpoint = "ui/benchmarks/run-again")]
pub async fn run_again(
    #[server(default)] id: String,
    #[server(default)] simulated: String,
    #[server(default)] here: String,
    #[server(default)] form: String,
) -> Result<(), CallError> {
    let started = async {
        let (app, actor) = crate::auth::context()?;
        let id = known(&id)?;
        let fields = [id.to_string(), simulated.clone()];
        let key = FormKey::new(actor.id, &form, "run-again", &fields.each_ref().map(String::as_str), BUTTON_KEPT);
        let state = app.clone();
        super::idempotency::once_to(
            &state,
            key,
            Box::pin(async move {
                let run = crate::api::calls::benchmarks::run_again(&app, &actor, id, simulated == "true").await?;
                Ok(format!("/runs/{}", run.id))
            }),
        )
        .await
    };
    super::forms::answer(started.await, or_history(&here), Vec::new()).await
}

/// Makes a draft with the settings of a benchmark and opens it; refused, it goes back to `here`.
#[server(endpoint = "ui/benchmarks/copy")]
pub async fn copy_to_draft(
    #[server(default)] id: String,
    #[server(default)] here: String,
    #[server(default)] form: String,
) -> Result<(), CallError> {
    let copied = async {
        let (app, actor) = crate::auth::context()?;
        let id = known(&id)?;
        let key = FormKey::new(actor.id, &form, "copy-to-draft", &[&id.to_string()], BUTTON_KEPT);
        let state = app.clone();
        super::idempotency::once_to(&state, key, async move {
            let draft = crate::api::calls::benchmarks::clone_to_draft(&app, &actor, id).await?;
            Ok(format!("/wizard/{}/{}", draft.workflow_id, draft.next_page().into_str()))
        })
        .await
    };
    super::forms::answer(copied.await, or_history(&here), Vec::new()).await
}

fn or_history(here: &str) -> &str {
    if here.is_empty() { "/" } else { here }
}

fn known(id: &str) -> Result<uuid::Uuid, crate::domain::problem::Problem> {
    id.parse().map_err(|_| crate::domain::problem::Problem::not_found("benchmark"))
}
