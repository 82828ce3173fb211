//! The reader's own drafts; discarding them.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use super::CallError;
use crate::domain::form::Flash;
use crate::domain::list::{ListQuery, Page};
use crate::domain::workflow::WorkflowRow;

/// The list of drafts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DraftsView {
    pub drafts: Page<WorkflowRow>,
    /// How the last action went.
    pub flash: Option<Flash>,
}

/// The list of drafts.
#[server(endpoint = "ui/drafts", input = server_fn::codec::Json)]
pub async fn load_drafts(query: ListQuery, flash: String) -> Result<DraftsView, CallError> {
    let (app, actor) = crate::auth::context()?;
    let drafts = crate::api::calls::workflows::list(&app, &actor, &query).await?;
    Ok(DraftsView { drafts, flash: super::forms::kept(&flash).await })
}

#[server(endpoint = "ui/draft-discard")]
pub async fn discard_draft(#[server(default)] id: String) -> Result<(), CallError> {
    use crate::domain::problem::Problem;
    let discarded = async {
        let (app, actor) = crate::auth::context()?;
        crate::api::calls::workflows::delete(&app, &actor, super::lists::id_of(&id, "draft")?).await?;
        Ok::<_, Problem>(("/drafts".to_owned(), "The draft was discarded.".to_owned()))
    };
    super::lists::done(discarded.await, "/drafts", Vec::new()).await
}
