//! Engines: which can be started here, and how to get the others.

use crate::domain::inventory::EngineAvailability;
use crate::domain::list::Page;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::user::Actor;
use crate::engine;
use crate::state::AppState;

/// Every engine that has a recipe. Looks at the disk, hence off the async threads.
pub async fn list(app: &AppState, _actor: &Actor) -> Result<Page<EngineAvailability>, Problem> {
    let place = engine::Place { data_dir: app.config.data_dir.clone() };
    let items = tokio::task::spawn_blocking(move || engine::availability(&place)).await.map_err(|error| {
        tracing::error!(%error, "looking for engines failed");
        Problem::new(ProblemKind::Internal, "Something went wrong on the server. Its log says what.")
    })?;
    Ok(Page { total: items.len() as u64, items })
}
