//! Models and engines, as their pages show them; adding and removing models.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use super::CallError;
use super::lists::Owned;
use crate::domain::engine::EngineAvailability;
use crate::domain::form::Flash;
use crate::domain::inventory::Model;
use crate::domain::list::{ListQuery, Page};

use super::{forms, idempotency, lists};
use crate::domain::problem::Problem;

/// The list of models, and the engines that serve them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelsView {
    pub models: Page<Owned<Model>>,
    /// Engines, found or not.
    pub engines: Vec<EngineAvailability>,
    /// How the last action went.
    pub flash: Option<Flash>,
}

/// What the form for a new model shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NewModelView {
    /// The folders below which model files may lie.
    pub roots: Vec<String>,
    pub flash: Option<Flash>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelView {
    pub model: Owned<Model>,
    /// How the last action went.
    pub flash: Option<Flash>,
}

/// The list of models.
#[server(endpoint = "ui/models", input = server_fn::codec::Json)]
pub async fn load_models(query: ListQuery, flash: String) -> Result<ModelsView, CallError> {
    use crate::api::calls::{engines, models};
    let (app, actor) = crate::auth::context()?;
    let owners = lists::Owners::seen_by(&app, &actor).await?;
    let page = models::list(&app, &actor, &query).await?;
    let items = page.items.into_iter().map(|model| {
        let owner = model.owner;
        owners.of(model, owner)
    });
    Ok(ModelsView {
        models: Page { items: items.collect(), total: page.total },
        engines: engines::list(&app, &actor).await?.items,
        flash: forms::kept(&flash).await,
    })
}

/// What the form for a new model shows.
#[server(endpoint = "ui/model-new")]
pub async fn load_new_model(#[server(default)] flash: String) -> Result<NewModelView, CallError> {
    let (app, _) = crate::auth::context()?;
    let roots = crate::api::calls::models::roots(&app).await?;
    let roots = roots.folders().iter().map(|folder| folder.display().to_string()).collect();
    Ok(NewModelView { roots, flash: forms::kept(&flash).await })
}

/// One model; an archived one is shown as well.
#[server(endpoint = "ui/model")]
pub async fn load_model(#[server(default)] id: String, #[server(default)] flash: String) -> Result<ModelView, CallError> {
    let (app, actor) = crate::auth::context()?;
    let model = crate::api::calls::models::get(&app, &actor, lists::id_of(&id, "model")?).await?;
    let owner = model.owner;
    let model = lists::Owners::seen_by(&app, &actor).await?.of(model, owner);
    Ok(ModelView { model, flash: forms::kept(&flash).await })
}

/// Adds a model: `source` says which of the fields count.
#[server(endpoint = "ui/model-add")]
#[allow(clippy::too_many_arguments, reason = "a form's fields")]
pub async fn add_model(
    #[server(default)] source: String,
    #[server(default)] name: String,
    #[server(default)] path: String,
    #[server(default)] location: String,
    #[server(default)] repository: String,
    #[server(default)] revision: String,
    #[server(default)] provider: String,
    #[server(default)] base_url: String,
    #[server(default)] model: String,
    #[server(default)] ca_certificate: String,
    #[server(default)] insecure_skip_tls_verify: String,
    #[server(default)] form: String,
) -> Result<(), CallError> {
    use crate::api::calls::models::{NewModel, create};
    use crate::domain::inventory::FileLocation;
    let entries = forms::entries(&[
        ("name", &name),
        ("path", &path),
        ("location", &location),
        ("repository", &repository),
        ("revision", &revision),
        ("provider", &provider),
        ("base_url", &base_url),
        ("model", &model),
        ("ca_certificate", &ca_certificate),
        ("insecure_skip_tls_verify", &insecure_skip_tls_verify),
    ]);
    let fields: Vec<String> = std::iter::once(&source).chain(entries.iter().map(|(_, value)| value)).cloned().collect();
    let here = format!("/models/new?source={}", super::query_escape(&source));
    let filled = |text: &str| Some(text.to_owned()).filter(|text| !text.trim().is_empty());
    let new = NewModel { name, source: source.clone(), ..NewModel::default() };
    let new = match source.as_str() {
        "file" => NewModel {
            path: Some(path),
            location: Some(if location == "node" { FileLocation::Node } else { FileLocation::Portal }),
            ..new
        },
        "hub" => NewModel { repository: Some(repository), revision: filled(&revision), ..new },
        "cloud" => NewModel {
            provider: provider.parse().ok(),
            base_url: filled(&base_url),
            model: Some(model),
            ca_certificate: filled(&ca_certificate),
            insecure_skip_tls_verify: Some(insecure_skip_tls_verify == "true"),
            ..new
        },
        _ => new,
    };
    let added = async {
        let (app, actor) = crate::auth::context()?;
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        let key = idempotency::FormKey::new(actor.id, &form, "model-add", &fields, idempotency::FIELDS_KEPT);
        let state = app.clone();
        idempotency::once(&state, key, async move {
            let model = create(&app, &actor, new).await?;
            Ok((format!("/models/{}", model.id), "The model was added.".to_owned()))
        })
        .await
    };
    lists::done(added.await, &here, entries).await
}

/// Removes a model, or archives it where benchmarks were made of it.
#[server(endpoint = "ui/model-delete")]
pub async fn delete_model(#[server(default)] id: String) -> Result<(), CallError> {
    use crate::api::calls::models;
    let deleted = async {
        let (app, actor) = crate::auth::context()?;
        let id = lists::id_of(&id, "model")?;
        let name = models::get(&app, &actor, id).await?.name;
        models::delete(&app, &actor, id).await?;
        let sentence = if models::get(&app, &actor, id).await.is_ok() {
            format!("{name} left the list. It is kept for the runs that used it.")
        } else {
            format!("{name} was deleted. Files on disk were not touched.")
        };
        Ok::<_, Problem>(("/models".to_owned(), sentence))
    };
    lists::done(deleted.await, "/models", Vec::new()).await
}
