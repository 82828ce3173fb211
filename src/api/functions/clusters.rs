//! Clusters and their nodes, as their pages show them; testing and removing clusters.

use jiff::Timestamp;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use super::CallError;
use super::lists::Owned;
use crate::domain::form::Flash;
use crate::domain::inventory::{Cluster, ClusterRow, Node};
use crate::domain::kubernetes::ClusterTest;
use crate::domain::list::{ListQuery, Page};
use crate::domain::occupancy::NodeRun;

use super::{forms, lists};
use crate::domain::problem::Problem;

/// The list of clusters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClustersView {
    pub clusters: Page<Owned<ClusterRow>>,
    /// Whether the reader may add clusters.
    pub may_add: bool,
    /// How the last action went.
    pub flash: Option<Flash>,
}

/// A cluster with its nodes, live.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClusterView {
    pub cluster: Cluster,
    pub nodes: Vec<Node>,
    /// Why they could not be read.
    pub problem: Option<String>,
    /// What has nodes for itself now.
    pub runs: Vec<NodeRun>,
    /// The models that a node can be calibrated with, by id; none where nothing can be measured.
    pub models: Vec<(String, String)>,
    /// When all this was read.
    pub read_at: Timestamp,
    /// Whether the reader may test and remove it.
    pub may_change: bool,
    /// How the last test went, where one was asked for.
    pub test: Option<ClusterTest>,
    /// How another action went, or what was wrong with the last form.
    pub flash: Option<Flash>,
}

/// The clusters, each looked at live.
#[server(endpoint = "ui/clusters", input = server_fn::codec::Json)]
pub async fn load_clusters(query: ListQuery, flash: String) -> Result<ClustersView, CallError> {
    let (app, actor) = crate::auth::context()?;
    let owners = super::lists::Owners::seen_by(&app, &actor).await?;
    let page = crate::api::calls::clusters::list(&app, &actor, &query).await?;
    let rows = page.items.into_iter().map(|row| {
        let owner = row.cluster.owner;
        owners.of(row, owner)
    });
    let clusters = Page { items: rows.collect(), total: page.total };
    Ok(ClustersView { clusters, may_add: actor.is_administrator(), flash: forms::kept(&flash).await })
}

/// One cluster's nodes as they are now.
#[server(endpoint = "ui/cluster")]
pub async fn load_cluster(#[server(default)] id: String, #[server(default)] flash: String) -> Result<ClusterView, CallError> {
    use crate::api::calls::{clusters, occupancy};
    use crate::domain::inventory::ClusterKind;
    use crate::domain::problem::ProblemKind;
    let (app, actor) = crate::auth::context()?;
    let id = super::lists::id_of(&id, "cluster")?;
    let cluster = clusters::get(&app, &actor, id).await?;
    let (nodes, problem) = match clusters::node_metrics(&app, &actor, id).await {
        Ok(metrics) => (metrics.nodes, None),
        Err(problem) if problem.kind == ProblemKind::Unavailable => (Vec::new(), Some(problem.detail)),
        Err(problem) => return Err(problem.into()),
    };
    let runs = occupancy::of_cluster(&app, &actor, id).await?;
    let models = if cluster.kind() == ClusterKind::Catalogue { Vec::new() } else { served_here(&app, &actor).await? };
    let may_change = actor.is_administrator() && cluster.kind() == ClusterKind::Kubernetes;
    let flash = forms::kept(&flash).await;
    let test = flash.as_ref().and_then(|flash| serde_json::from_str(flash.entry("test")?).ok());
    let flash = match flash {
        // the result of a test is no entry of a form on the page
        Some(flash) if test.is_some() => flash.done_sentence().map(Flash::done),
        flash => flash,
    };
    Ok(ClusterView { cluster, nodes, problem, runs, models, read_at: Timestamp::now(), may_change, test, flash })
}

/// Asks a cluster whether it answers and what is permitted there, and shows it on its page.
#[server(endpoint = "ui/cluster-test")]
pub async fn test_cluster(#[server(default)] id: String) -> Result<(), CallError> {
    let page = format!("/clusters/{id}");
    let tested = async {
        let (app, actor) = crate::auth::context()?;
        crate::api::calls::clusters::test(&app, &actor, lists::id_of(&id, "cluster")?).await
    };
    match tested.await {
        Ok(test) => {
            let test = serde_json::to_string(&test).unwrap_or_default();
            forms::show_again(&Flash { entries: forms::entries(&[("test", &test)]), ..Flash::default() }, &page).await
        }
        Err(problem) => forms::answer(Err(problem), &page, Vec::new()).await,
    }
}

/// Removes a cluster; its kubeconfig is gone in any case.
#[server(endpoint = "ui/cluster-delete")]
pub async fn delete_cluster(#[server(default)] id: String) -> Result<(), CallError> {
    use crate::api::calls::clusters;
    let deleted = async {
        let (app, actor) = crate::auth::context()?;
        let id = lists::id_of(&id, "cluster")?;
        let name = clusters::get(&app, &actor, id).await?.name;
        clusters::delete(&app, &actor, id).await?;
        Ok::<_, Problem>(("/clusters".to_owned(), format!("{name} was removed, and its kubeconfig with it.")))
    };
    lists::done(deleted.await, &format!("/clusters/{id}"), Vec::new()).await
}

/// Starts a calibration of a node and goes to its run; refused, it goes back to the cluster's page.
#[server(endpoint = "ui/clusters/calibrate")]
pub async fn calibrate_node(
    #[server(default)] cluster: String,
    #[server(default)] hostname: String,
    #[server(default)] model_id: String,
    #[server(default)] form: String,
) -> Result<(), CallError> {
    use super::idempotency::{BUTTON_KEPT, FormKey, once_to};
    use crate::api::calls::calibrate::{Calibration, calibrate};
    let started = async {
        let (app, actor) = crate::auth::context()?;
        let id = super::lists::id_of(&cluster, "cluster")?;
        let model = super::lists::id_of(&model_id, "model")?;
        let wanted = Calibration { model_id: model, hostname: hostname.clone(), duration_s: None };
        let key = FormKey::new(actor.id, &form, "calibrate", &[&cluster, &hostname, &model_id], BUTTON_KEPT);
        let state = app.clone();
        once_to(
            &state,
            key,
            Box::pin(async move {
                let run = calibrate(&app, &actor, id, &wanted).await?;
                Ok(format!("/runs/{}", run.id))
            }),
        )
        .await
    };
    let entries = super::forms::entries(&[("hostname", &hostname), ("model_id", &model_id)]);
    super::forms::answer(started.await, &format!("/clusters/{cluster}"), entries).await
}

use on_server::served_here;

mod on_server {
    use crate::api::calls::models;
    use crate::domain::list::ListQuery;
    use crate::domain::problem::Problem;
    use crate::domain::user::Actor;
    use crate::state::AppState;

    /// The models that Dyno serves itself, with their names.
    pub(super) async fn served_here(app: &AppState, actor: &Actor) -> Result<Vec<(String, String)>, Problem> {
        let page = models::list(app, actor, &ListQuery { page_size: Some(100), ..ListQuery::default() }).await?;
        let own = page.items.into_iter().filter(|model| !model.is_cloud());
        Ok(own.map(|model| (model.id.to_string(), model.name)).collect())
    }
}
