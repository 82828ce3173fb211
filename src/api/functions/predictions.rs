//! What the simulator expected of measured runs. Read-only.

use leptos::prelude::*;

use super::CallError;
use crate::domain::predictions::PredictedRun;

/// The last runs of the person's that were predicted, newest first; an administrator sees everybody's.
#[server(endpoint = "ui/predictions")]
pub async fn load_predictions() -> Result<Vec<PredictedRun>, CallError> {
    let (app, actor) = crate::auth::context()?;
    Ok(crate::api::calls::runs::predicted(&app, &actor).await?)
}
