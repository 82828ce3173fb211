//! The wizard's choices, and details of those made. Read-only.

use dyno_measure::search::SuggestedBounds;
use dyno_measure::validity::SelfCheck;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::dataset::Dataset;
use crate::domain::engine::EngineAvailability;
use crate::domain::inventory::{Cluster, ClusterRow, Credential, Model, Node};
use crate::domain::layouts::LayoutAdvice;

/// What a draft's ids stand for; absent where nothing is chosen, or where it is gone.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Chosen {
    pub cluster: Option<Cluster>,
    /// The latest check of a load pod there.
    #[serde(default)]
    pub self_check: Option<SelfCheck>,
    pub model: Option<Model>,
    pub credential: Option<Credential>,
    /// The datasets, in their order.
    pub datasets: Vec<Dataset>,
}

/// What a wizard page offers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub enum Choices {
    /// Nothing: the page has only fields.
    #[default]
    Nothing,
    /// Datasets that match the search, and how many there are in all.
    Datasets {
        /// Those that were ticked last, then those that match.
        found: Vec<Dataset>,
        /// How many there are.
        total: u64,
    },
    /// Clusters, looked at live.
    Clusters(Vec<ClusterRow>),
    /// The cluster's nodes, live.
    Nodes {
        nodes: Vec<Node>,
        /// Why nothing could be read.
        problem: Option<String>,
    },
    /// Models with what serves or opens them.
    Models {
        models: Vec<Model>,
        /// Engines, installed or not.
        engines: Vec<EngineAvailability>,
        credentials: Vec<Credential>,
        /// Whether an own command may be run.
        administrator: bool,
        /// How models can be laid out; absent where the chosen nodes leave no choice.
        layouts: Option<Box<LayoutsView>>,
    },
    /// What the confirmation adds to the choices themselves.
    Outlook(Outlook),
}

/// How models can be laid out over the chosen nodes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LayoutsView {
    /// The chosen model's; absent while none is chosen, and for a cloud model.
    pub compared: Option<ComparedLayouts>,
}

/// The layouts of one model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComparedLayouts {
    pub model: Uuid,
    pub outcome: LayoutOutcome,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum LayoutOutcome {
    Advice(Box<LayoutAdvice>),
    /// Why there is none, a sentence.
    Refused(String),
}

/// What can be said of a run before it is started.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Outlook {
    /// A sentence for each node: whether the model fits. Empty for a cloud model.
    pub memory: Vec<NodeFit>,
    /// How long the load takes without its warm-up, as a simulation finds.
    pub simulated_s: Option<f64>,
    /// What else a simulation expects of it, sentences; empty where the simulator does not know model or devices.
    pub simulated: Vec<String>,
    /// Bounds that suit a search better than its own, as a simulation finds.
    pub search_bounds: Option<SuggestedBounds>,
    /// The engine that is not there, and how to get it: the run would be refused, a simulation would not.
    pub missing_engine: Option<String>,
    /// What else stands in the way of a measured run at present.
    pub obstacles: Vec<String>,
    /// Runs of the person's that are queued or running in the cluster; absent where it could not be told.
    pub runs_before: Option<u64>,
}

/// Whether a model fits a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeFit {
    /// False: the run would be refused.
    pub fits: bool,
    /// The numbers, in words.
    pub sentence: String,
}

pub use on_server::{choices, chosen};

mod on_server {
    use std::time::Duration;

    use uuid::Uuid;

    use super::{Choices, Chosen, ComparedLayouts, LayoutOutcome, LayoutsView, NodeFit, Outlook};
    use crate::api::calls;
    use crate::domain::dataset::Dataset;
    use crate::domain::engine::EngineKind;
    use crate::domain::form::Flash;
    use crate::domain::inventory::{Model, Node};
    use crate::domain::list::ListQuery;
    use crate::domain::problem::{Problem, ProblemKind};
    use crate::domain::user::Actor;
    use crate::domain::workflow::steps::{default_engine, missing_engine};
    use crate::domain::workflow::{WizardPage, WorkflowAnswer, WorkflowSteps};
    use crate::engine::devices::serving;
    use crate::engine::fit::{FitInput, NodeMemory, layout};
    use crate::engine::recipe;
    use crate::run::demand::demand;
    use crate::state::AppState;
    use dyno_measure::load::EvalWith;

    /// A page waits no longer for the datasets to be read; with it, the reading ends.
    const DATASETS_READ: Duration = Duration::from_secs(20);

    /// Rows of a list of choices: more are found by searching.
    const MOST_CHOICES: u32 = 200;

    /// What was chosen but is gone is simply absent: the step's own rules say so when it is used.
    fn found<T>(result: Result<T, Problem>) -> Result<Option<T>, Problem> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(problem) if problem.kind == ProblemKind::NotFound => Ok(None),
            Err(problem) => Err(problem),
        }
    }

    /// What the draft's ids stand for.
    pub async fn chosen(app: &AppState, actor: &Actor, steps: &WorkflowSteps) -> Result<Chosen, Problem> {
        let mut chosen = Chosen::default();
        if let Some(id) = steps.cluster_id {
            chosen.cluster = found(calls::clusters::get(app, actor, id).await)?;
            if let Some(cluster) = &chosen.cluster {
                chosen.self_check = calls::lookup::last_self_check(app, cluster).await?;
            }
        }
        if let Some(id) = steps.model_id {
            chosen.model = found(calls::models::get(app, actor, id).await)?;
        }
        if let Some(id) = steps.credential_id {
            chosen.credential = found(calls::credentials::get(app, actor, id).await)?;
        }
        for id in &steps.load.dataset_ids {
            chosen.datasets.extend(found(calls::datasets::get(app, actor, *id).await)?);
        }
        Ok(chosen)
    }

    /// What a page offers.
    pub async fn choices(
        app: &AppState,
        actor: &Actor,
        answer: &WorkflowAnswer,
        chosen: &Chosen,
        page: WizardPage,
        search: &str,
        flash: Option<&Flash>,
    ) -> Result<Choices, Problem> {
        let all = ListQuery { page_size: Some(MOST_CHOICES), sort: Some("name".to_owned()), ..ListQuery::default() };
        let steps = &answer.workflow_steps;
        Ok(match page {
            WizardPage::Details | WizardPage::Execution | WizardPage::Deployment => Choices::Nothing,
            WizardPage::Load if steps.load.eval_with == EvalWith::Configuration => Choices::Nothing,
            WizardPage::Load => {
                let total = calls::datasets::list(app, actor, &ListQuery { page_size: Some(1), ..all.clone() }).await?.total;
                let search = Some(search.trim().to_owned()).filter(|search| !search.is_empty());
                let mut offered = Vec::new();
                // What is ticked but not saved stays in the list whatever is searched for.
                for id in flash.map(|flash| flash.entries_of("dataset_ids")).unwrap_or_default() {
                    if let Ok(id) = Uuid::parse_str(&id) {
                        offered.extend(found(calls::datasets::get(app, actor, id).await)?);
                    }
                }
                let matching = calls::datasets::list(app, actor, &ListQuery { search, ..all }).await?.items;
                let rest = matching.into_iter().filter(|dataset| offered.iter().all(|other: &Dataset| other.id != dataset.id));
                let rest: Vec<Dataset> = rest.collect();
                offered.extend(rest);
                Choices::Datasets { found: offered, total }
            }
            WizardPage::Cluster => {
                let in_place = ListQuery { sort: None, ..all };
                Choices::Clusters(calls::clusters::list(app, actor, &in_place).await?.items)
            }
            WizardPage::Nodes => match steps.cluster_id {
                Some(id) => nodes(app, actor, id).await?,
                None => Choices::Nothing,
            },
            WizardPage::Model => {
                let models = calls::models::list(app, actor, &all).await?.items;
                Choices::Models {
                    layouts: layouts(app, actor, steps, &models, flash).await?.map(Box::new),
                    models,
                    engines: match &chosen.cluster {
                        Some(cluster) => calls::engines::of_cluster(app, cluster).await?,
                        None => calls::engines::list(app, actor).await?.items,
                    },
                    credentials: calls::credentials::list(app, actor, &all).await?.items,
                    administrator: actor.is_administrator(),
                }
            }
            WizardPage::Confirm => Choices::Outlook(outlook(app, actor, steps, chosen).await?),
        })
    }

    /// Whether a chosen node has several devices that serve.
    async fn has_choice(app: &AppState, actor: &Actor, steps: &WorkflowSteps) -> Result<bool, Problem> {
        let Some(cluster) = steps.cluster_id else { return Ok(false) };
        let Choices::Nodes { nodes, .. } = nodes(app, actor, cluster).await? else { return Ok(false) };
        Ok(steps.nodes.iter().any(|chosen| {
            let node = nodes.iter().find(|node| node.hostname == chosen.hostname);
            node.is_some_and(|node| serving(node, chosen).len() > 1)
        }))
    }

    /// The layouts of the model that is chosen, typed ones before the saved; a single model needs no choice.
    async fn layouts(
        app: &AppState,
        actor: &Actor,
        steps: &WorkflowSteps,
        models: &[Model],
        flash: Option<&Flash>,
    ) -> Result<Option<LayoutsView>, Problem> {
        if !has_choice(app, actor, steps).await? {
            return Ok(None);
        }
        let typed = |field: &str| flash.and_then(|flash| flash.entries_of(field).into_iter().next());
        let id = match typed("model_id") {
            Some(typed) => Uuid::parse_str(&typed).ok(),
            None => steps.model_id.or_else(|| (models.len() == 1).then(|| models[0].id)),
        };
        let Some(model) = id.and_then(|id| models.iter().find(|model| model.id == id)).filter(|model| !model.is_cloud()) else {
            return Ok(Some(LayoutsView { compared: None }));
        };
        let engine = match typed("engine") {
            Some(typed) => typed.parse::<EngineKind>().ok(),
            None => steps.serving.engine,
        };
        let outcome = match calls::layouts::of_model(app, actor, steps, model, engine).await {
            Ok(advice) => LayoutOutcome::Advice(Box::new(advice)),
            Err(problem) if problem.kind == ProblemKind::Internal => return Err(problem),
            Err(problem) => LayoutOutcome::Refused(problem.errors.first().map_or(problem.detail, |error| error.message.clone())),
        };
        Ok(Some(LayoutsView { compared: Some(ComparedLayouts { model: model.id, outcome }) }))
    }

    async fn nodes(app: &AppState, actor: &Actor, cluster: Uuid) -> Result<Choices, Problem> {
        match calls::clusters::node_metrics(app, actor, cluster).await {
            Ok(metrics) => Ok(Choices::Nodes { nodes: metrics.nodes, problem: None }),
            // The cluster is there but can't be read at present: the page says so and offers to look again.
            Err(problem) if matches!(problem.kind, ProblemKind::Unavailable | ProblemKind::Conflict | ProblemKind::NotFound) => {
                let nodes = app.last_seen(cluster).await?;
                Ok(Choices::Nodes { nodes, problem: Some(problem.detail) })
            }
            Err(problem) => Err(problem),
        }
    }

    async fn outlook(app: &AppState, actor: &Actor, steps: &WorkflowSteps, chosen: &Chosen) -> Result<Outlook, Problem> {
        let mut outlook = Outlook::default();
        if let Some(cluster) = &chosen.cluster {
            let mut before = 0;
            for status in ["queued", "running"] {
                let query = ListQuery {
                    status: Some(status.to_owned()),
                    cluster: Some(cluster.name.clone()),
                    page_size: Some(1),
                    ..ListQuery::default()
                };
                before += calls::runs::list(app, actor, query).await?.total;
            }
            outlook.runs_before = Some(before);
            match nodes(app, actor, cluster.id).await? {
                Choices::Nodes { nodes, problem: None } => {
                    let is_chosen = |node: &&Node| steps.nodes.iter().any(|chosen| chosen.hostname == node.hostname);
                    let unready = nodes.iter().filter(is_chosen).filter(|node| !node.is_ready());
                    outlook.obstacles.extend(unready.map(|node| format!("{} is {}.", node.hostname, node.status)));
                    outlook.memory = fit(app, steps, chosen, &nodes).await;
                    if let Some(model) = &chosen.model {
                        let expected = calls::expectation::of_draft(app, steps, cluster, model, &chosen.datasets, nodes).await?;
                        (outlook.simulated_s, outlook.simulated) = (expected.duration_s, expected.sentences);
                        outlook.search_bounds = expected.search_bounds;
                    }
                }
                Choices::Nodes { problem: Some(problem), .. } => outlook.obstacles.push(problem),
                _ => {}
            }
            if !cluster.kind().can_measure() {
                outlook.obstacles.push(format!("The nodes of {} are hypothetical.", cluster.name));
            }
            let engine = chosen.model.as_ref().and_then(|model| steps.serving.engine.or_else(|| default_engine(model)));
            if let Some(engine) = engine.filter(|_| chosen.model.as_ref().is_some_and(|model| !model.is_cloud())) {
                let engines = calls::engines::of_cluster(app, cluster).await?;
                outlook.missing_engine = missing_engine(engine, &engines);
            }
        }
        Ok(outlook)
    }

    /// Whether the model fits the chosen nodes: what the run will be asked, too.
    async fn fit(app: &AppState, steps: &WorkflowSteps, chosen: &Chosen, nodes: &[Node]) -> Vec<NodeFit> {
        let Some(model) = chosen.model.as_ref().filter(|model| !model.is_cloud()) else { return Vec::new() };
        let Some(engine) = steps.serving.engine.or_else(|| default_engine(model)) else { return Vec::new() };
        let refused = |sentence: String| vec![NodeFit { fits: false, sentence }];
        let demand = match tokio::time::timeout(DATASETS_READ, demand(app, &steps.load, &chosen.datasets)).await {
            Ok(Ok(demand)) => demand,
            Ok(Err(error)) => return refused(error.to_string()),
            Err(_) => {
                let seconds = DATASETS_READ.as_secs();
                let sentence =
                    format!("The datasets were not read within {seconds} s; whether their longest row fits is seen by the run.");
                return vec![NodeFit { fits: true, sentence }];
            }
        };
        let input = FitInput {
            recipe: recipe(engine),
            facts: model.facts.as_ref(),
            nodes,
            choices: &steps.nodes,
            serving: &steps.serving,
            demand,
        };
        let layout = match layout(input) {
            Ok(layout) => layout,
            Err(error) => return refused(error.to_string()),
        };
        let of_node = |memory: &NodeMemory| match memory.shortfall() {
            Some(shortfall) => NodeFit { fits: false, sentence: shortfall.to_string() },
            None => NodeFit { fits: true, sentence: memory.sentence() },
        };
        layout.memory.iter().map(of_node).collect()
    }
}
