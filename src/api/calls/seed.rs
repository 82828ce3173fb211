//! What is there from the first start: the dataset that comes with Dyno. (Cluster `local` is the store's own doing.)

use crate::domain::problem::Problem;
use crate::state::AppState;

use super::{datasets, models};

/// For the portal's start: makes sure of what comes with Dyno, and goes on with what a stop ended.
pub async fn seed(app: &AppState) -> Result<(), Problem> {
    datasets::clear_uploads(app).await?;
    datasets::register_builtin(app).await?;
    models::digest_the_rest(app).await
}
