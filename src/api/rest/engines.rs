//! HTTP handlers of `/api/v1/engines`.

use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Json;
use crate::api::calls::engines;
use crate::auth::SignedIn;
use crate::domain::engine::EngineAvailability;
use crate::domain::list::Page;
use crate::domain::problem::Problem;
use crate::state::AppState;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Lists the engines: which can be started here, and how to get the others.
#[utoipa::path(get, path = "/api/v1/engines", tag = "inventory", responses((status = 200, body = Page<EngineAvailability>)))]
async fn list(State(app): State<AppState>, SignedIn(actor): SignedIn) -> Result<Json<Page<EngineAvailability>>, Problem> {
    engines::list(&app, &actor).await.map(Json)
}
