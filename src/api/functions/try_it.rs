//! "Try it", as its page shows it.

use leptos::prelude::*;

use super::CallError;
use crate::domain::try_it::TryIt;

#[server(endpoint = "ui/try-it")]
pub async fn load_try_it() -> Result<TryIt, CallError> {
    let (app, actor) = crate::auth::context()?;
    Ok(crate::api::calls::try_it::status(&app, &actor).await?)
}

/// Starts it, unless it is at work; the page then goes on into the wizard by itself once all is there.
#[server(endpoint = "ui/try-it-start")]
pub async fn start_try_it() -> Result<(), CallError> {
    let started = async {
        let (app, actor) = crate::auth::context()?;
        crate::api::calls::try_it::start(&app, &actor).await?;
        Ok("/try?started=1".to_owned())
    };
    super::forms::answer(started.await, "/try", Vec::new()).await
}
