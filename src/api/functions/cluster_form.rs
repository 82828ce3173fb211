//! The form that adds a Kubernetes cluster or changes one.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use server_fn::codec::{MultipartData, MultipartFormData};

use super::{CallError, forms, idempotency, lists};
use crate::api::calls::clusters::{self, NewCluster};
use crate::api::calls::datasets::receive_text_up_to;
use crate::domain::form::Flash;
use crate::domain::inventory::{Cluster, ClusterKind};
use crate::domain::kubernetes::ModelCache;
use crate::domain::problem::{Problem, ProblemKind};

/// Longest text of a field, bytes; a kubeconfig itself says what is too much.
const MAX_FIELD_BYTES: usize = (1 << 20) + 1;

/// What the form begins with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClusterFormView {
    /// The cluster that is to change; absent for a new one.
    pub cluster: Option<Cluster>,
    pub flash: Option<Flash>,
}

/// The form's cluster; without an id, a new one's.
#[server(endpoint = "ui/cluster-form", input = server_fn::codec::Json)]
pub async fn load_cluster_form(id: String, flash: String) -> Result<ClusterFormView, CallError> {
    let (app, actor) = crate::auth::context()?;
    if !actor.is_administrator() {
        return Err(Problem::forbidden("Only administrators add and change clusters.").into());
    }
    let cluster = match id.as_str() {
        "" => None,
        id => {
            let cluster = clusters::get(&app, &actor, lists::id_of(id, "cluster")?).await?;
            if cluster.kind() != ClusterKind::Kubernetes {
                return Err(Problem::not_found("cluster").into());
            }
            Some(cluster)
        }
    };
    Ok(ClusterFormView { cluster, flash: forms::kept(&flash).await })
}

/// Adds a cluster, or changes the one whose id comes along.
#[server(endpoint = "ui/cluster-save", input = MultipartFormData)]
pub async fn save_cluster(data: MultipartData) -> Result<(), CallError> {
    let mut sent = SentCluster::default();
    let saved = async {
        sent.receive(data).await?;
        sent.save().await
    };
    let saved = saved.await;
    // The kubeconfig is not among the entries: it is kept nowhere but sealed.
    let entries = forms::entries(&[
        ("name", &sent.name),
        ("context", &sent.context),
        ("namespace", &sent.namespace),
        ("cache_kind", &sent.cache_kind),
        ("cache", &sent.cache),
        ("model_roots", &sent.model_roots),
        ("image_pull_secrets", &sent.image_pull_secrets),
    ]);
    if let (true, Ok((page, sentence))) = (sent.id.is_empty(), &saved) {
        return added(page, sentence).await;
    }
    let here = if sent.id.is_empty() { "/clusters/new".to_owned() } else { format!("/clusters/{}/edit", sent.id) };
    lists::done(saved, &here, entries).await
}

/// Goes to the page of a cluster that was just added, with what was done and what Dyno may not do there yet.
async fn added(page: &str, sentence: &str) -> Result<(), CallError> {
    let (app, actor) = crate::auth::context()?;
    let id = page.rsplit('/').next().unwrap_or_default();
    let test = clusters::test(&app, &actor, lists::id_of(id, "cluster")?).await?;
    let mut flash = Flash::done(sentence);
    flash.entries.push(("test".to_owned(), serde_json::to_string(&test).unwrap_or_default()));
    forms::show_again(&flash, page).await
}

/// The form's fields as they came.
#[derive(Default)]
struct SentCluster {
    id: String,
    form: String,
    name: String,
    kubeconfig: String,
    file: String,
    context: String,
    namespace: String,
    cache_kind: String,
    cache: String,
    model_roots: String,
    image_pull_secrets: String,
}

impl SentCluster {
    async fn receive(&mut self, data: MultipartData) -> Result<(), Problem> {
        let broken = || Problem::new(ProblemKind::BadRequest, "The form ended before it was complete. Send it again.");
        let mut form = data.into_inner().ok_or_else(broken)?;
        let mut refused = None;
        // Read to the end even when it is refused: a browser shows no answer before it has sent all.
        while let Some(field) = form.next_field().await.map_err(|_| broken())? {
            let name = field.name().unwrap_or_default().to_owned();
            let place = match name.as_str() {
                "id" => &mut self.id,
                "form" => &mut self.form,
                "name" => &mut self.name,
                "kubeconfig" => &mut self.kubeconfig,
                "file" => &mut self.file,
                "context" => &mut self.context,
                "namespace" => &mut self.namespace,
                "cache_kind" => &mut self.cache_kind,
                "cache" => &mut self.cache,
                "model_roots" => &mut self.model_roots,
                "image_pull_secrets" => &mut self.image_pull_secrets,
                _ => continue,
            };
            let shown_at = if name == "file" { "kubeconfig" } else { &name };
            match receive_text_up_to(MAX_FIELD_BYTES, shown_at, field).await {
                Ok(text) => *place = text,
                Err(problem) => refused = Some(problem),
            }
        }
        refused.map_or(Ok(()), Err)
    }

    async fn save(&self) -> Result<(String, String), Problem> {
        let (app, actor) = crate::auth::context()?;
        let kubeconfig = if self.file.trim().is_empty() { &self.kubeconfig } else { &self.file };
        let given = |text: &String| Some(text.clone()).filter(|text| !text.trim().is_empty());
        let cache = match self.cache_kind.as_str() {
            "host_path" => Some(ModelCache::HostPath(self.cache.trim().to_owned())),
            "persistent_volume_claim" => Some(ModelCache::PersistentVolumeClaim(self.cache.trim().to_owned())),
            _ => None,
        };
        let lines = |text: &String| text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
        let change = NewCluster {
            name: Some(self.name.clone()),
            kind: Some("kubernetes".to_owned()),
            kubeconfig: given(kubeconfig).map(Into::into),
            context: given(&self.context),
            namespace: given(&self.namespace),
            cache: Some(cache),
            model_roots: Some(lines(&self.model_roots)),
            image_pull_secrets: Some(lines(&self.image_pull_secrets)),
        };
        if !self.id.is_empty() {
            let cluster = clusters::update(&app, &actor, lists::id_of(&self.id, "cluster")?, change).await?;
            return Ok((format!("/clusters/{}", cluster.id), format!("{} was changed.", cluster.name)));
        }
        let places = [&self.context, &self.namespace, &self.cache_kind, &self.cache, &self.model_roots, &self.image_pull_secrets];
        let fields: Vec<&str> = [&self.name, kubeconfig].into_iter().chain(places).map(String::as_str).collect();
        let key = idempotency::FormKey::new(actor.id, &self.form, "cluster-save", &fields, idempotency::FIELDS_KEPT);
        let state = app.clone();
        idempotency::once(&state, key, async move {
            let cluster = clusters::create(&app, &actor, change).await?;
            let sealed = if cluster.is_in_cluster() { "" } else { " Its kubeconfig is sealed." };
            Ok((format!("/clusters/{}", cluster.id), format!("{} was added.{sealed}", cluster.name)))
        })
        .await
    }
}
