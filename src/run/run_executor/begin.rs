//! What happens before a run is handed over to its cluster: nodes, fit, transfer, plan.

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use super::super::cost::priced;
use super::super::demand::demand;
use super::super::execution::{ExecutionSpec, SCHEMA_VERSION};
use super::super::executor::{ExecutorError, Placement};
use super::super::limits::{EngineStart, run_limit};
use super::super::plan::{self, PlanInputs};
use super::super::{prepare, provenance};
use super::{Halt, RunExecutor};
use crate::credentials::{AddressPolicy, Secret};
use crate::domain::inventory::{ModelFacts, ModelSource, Node};
use crate::domain::run::{StageId, StageStatus};
use crate::engine::fit::{Demand, FitInput, Layout, layout};
use crate::engine::{Program, Recipe, recipe};
use crate::state::SecretError;
use crate::store::StoreError;
use dyno_measure::events::LogLevel;

/// How often a transfer's progress is kept.
const PROGRESS: Duration = Duration::from_secs(1);
/// Between asking a process to end and killing it, seconds.
const GRACE_S: u64 = 10;

impl RunExecutor {
    pub(super) async fn begin(&mut self) -> Result<(), Halt> {
        let spec = self.benchmark.spec.clone();
        self.stage(StageId::VerifyClusterConnection, StageStatus::Running, None).await?;
        let (app, cluster) = (self.app.clone(), self.cluster.clone());
        let nodes = self.unless_halted(prepare::nodes(&app, &cluster, self.run.id, &spec)).await?;
        let asked = self.unless_halted(demand(&app, &spec.load, &spec.datasets)).await?;
        let address_policy = match &spec.model.source {
            ModelSource::Cloud { base_url, .. } => Some(self.unless_halted(prepare::address(&app, base_url)).await?),
            _ => None,
        };
        let mut notes = Vec::new();
        let mut engine = None;
        if !spec.model.is_cloud() {
            let kind = spec.serving.engine.ok_or_else(|| Halt::failed(ExecutorError::NoEngine))?;
            let program = self.unless_halted(self.executor.find_engine(&spec.serving)).await?;
            let found = self.fit(recipe(kind), &nodes, spec.model.facts.as_ref(), asked)?;
            notes = found.notes;
            notes.extend(found.memory.iter().map(crate::engine::fit::NodeMemory::sentence));
            engine = Some((recipe(kind), program));
        }
        for note in &notes {
            self.log(StageId::VerifyClusterConnection, LogLevel::Info, note).await?;
        }
        self.stage(StageId::VerifyClusterConnection, StageStatus::Succeeded, Some(ready(&nodes))).await?;

        let placement = self.transfer().await?;
        self.launch(&nodes, asked, &notes, engine, &placement, address_policy.as_ref()).await
    }

    /// How the model is laid out; refused where it does not fit.
    fn fit(&self, recipe: &dyn Recipe, nodes: &[Node], facts: Option<&ModelFacts>, demand: Demand) -> Result<Layout, Halt> {
        let spec = &self.benchmark.spec;
        let input = FitInput { recipe, facts, nodes, choices: &spec.nodes, serving: &spec.serving, demand };
        let found = layout(input).map_err(Halt::failed)?;
        match found.shortfall() {
            Some(shortfall) => Err(Halt::failed(shortfall)),
            None => Ok(found),
        }
    }

    async fn transfer(&mut self) -> Result<Placement, Halt> {
        let stage = StageId::TransferModelToCluster;
        let has_stage = self.run.stages.iter().any(|other| other.id == stage);
        if has_stage {
            self.stage(stage, StageStatus::Running, None).await?;
        }
        let (executor, spec) = (self.executor.clone(), self.benchmark.spec.clone());
        let (progress, mut told) = watch::channel(String::new());
        let work = executor.transfer(self.run.id, &spec, progress);
        tokio::pin!(work);
        let mut poll = tokio::time::interval(PROGRESS);
        let placement = loop {
            tokio::select! {
                done = &mut work => break done.map_err(Halt::failed)?,
                () = self.cancel.cancelled() => return Err(Halt::Cancelled),
                () = self.detach.cancelled() => return Err(Halt::Detached),
                _ = poll.tick() => {
                    if told.has_changed().unwrap_or(false) {
                        let line = told.borrow_and_update().clone();
                        self.stage(stage, StageStatus::Running, Some(line)).await?;
                    }
                }
            }
        };
        if let Some(model) = &placement.model {
            self.stage(stage, StageStatus::Succeeded, Some(model.message.clone())).await?;
            self.remember(&model.facts).await;
        }
        Ok(placement)
    }

    /// What a hub model says of itself is known from its first transfer on.
    async fn remember(&self, facts: &ModelFacts) {
        let model = &self.benchmark.spec.model;
        let (None, Some(owner)) = (&model.facts, model.owner) else { return };
        let store = &self.app.store;
        let kept = async {
            let actor = store.actor(owner).await?;
            let current = store.model(&actor, model.id).await?;
            store.update_model(&crate::domain::inventory::Model { facts: Some(facts.clone()), ..current }).await
        };
        if let Err(error) = kept.await {
            tracing::warn!(model.id = %model.id, %error, "what a model says of itself could not be kept");
        }
    }

    async fn launch(
        &mut self,
        nodes: &[Node],
        demand: Demand,
        notes: &[String],
        engine: Option<(&'static dyn Recipe, Program)>,
        placement: &Placement,
        address_policy: Option<&AddressPolicy>,
    ) -> Result<(), Halt> {
        let spec = &self.benchmark.spec;
        let mut engines = Vec::new();
        if let (Some((recipe, program)), Some(model)) = (&engine, &placement.model) {
            let layout = self.fit(*recipe, nodes, Some(&model.facts), demand)?;
            let images = self.executor.runs_containers().then_some(&self.app.config.engines);
            engines = prepare::engines(self.run.id, spec, &layout, *recipe, program, model, images).map_err(Halt::failed)?;
        }
        let secret = self.secret().await?;
        let plan = plan::plan(&PlanInputs {
            run_id: self.run.id,
            spec,
            placement,
            launch: engines.first().map(|engine| &engine.launch),
            address_policy,
        });
        let in_container = self.executor.runs_containers();
        let start = engines
            .iter()
            .map(|engine| EngineStart { startup_limit_s: engine.launch.startup_limit_s, in_container })
            .max_by_key(|start| start.startup_limit_s);
        let deadline = Timestamp::now().saturating_add(run_limit(&plan, start)).unwrap_or(Timestamp::MAX);
        let plan = plan::until(plan, deadline);
        let facts = placement.model.as_ref().map(|model| &model.facts).or(spec.model.facts.as_ref());
        let mut known = provenance::begin(spec, nodes, facts, notes, &engines);
        known.prices = priced(
            known.serving_devices.as_deref().unwrap_or_default(),
            nodes,
            &self.app.store.device_prices().await.map_err(Halt::failed)?,
        );
        let execution = ExecutionSpec {
            schema_version: SCHEMA_VERSION,
            run_id: self.run.id,
            verify: engines.is_empty().then(|| plan::verify_plan(&plan)),
            provenance: known,
            engines,
            plan,
            secret_env: secret.as_ref().map(|_| plan::SECRET_ENV.to_owned()),
            load_node: spec.load_node.clone(),
            load_pods: spec.load_pods.unwrap_or(1),
            load_cpu_millicores: spec.load_cpu_millicores,
            deadline,
            grace_s: GRACE_S,
        };
        // The last moment to turn back without anything to end.
        if self.cancel.is_cancelled() {
            return Err(Halt::Cancelled);
        }
        self.executor.launch(&execution, secret.as_ref()).await.map_err(Halt::failed)
    }

    /// The provider's secret, opened for this run: only for the origin that it is bound to.
    async fn secret(&self) -> Result<Option<Secret>, Halt> {
        let spec = &self.benchmark.spec;
        let (Some(id), ModelSource::Cloud { provider, base_url, .. }) = (spec.credential_id, &spec.model.source) else {
            return Ok(None);
        };
        let gone = |_: StoreError| Halt::Failed("The credential was removed.".to_owned());
        let actor = self.app.store.actor(self.run.owner).await.map_err(gone)?;
        let secret = self.app.secret_for(&actor, id, *provider, base_url).await;
        secret.map(Some).map_err(|error| match error {
            SecretError::Store(error) => gone(error),
            SecretError::OtherAddress(_) => Halt::Failed("The credential is for another address than the model's.".to_owned()),
            SecretError::Vault(error) => {
                tracing::warn!(run.id = %self.run.id, %error, "a credential does not open");
                Halt::Failed("The credential's secret does not open. Enter it again.".to_owned())
            }
        })
    }
}

/// The nodes that were found, in words.
fn ready(nodes: &[Node]) -> String {
    let names: Vec<String> = nodes
        .iter()
        .map(|node| format!("{} is Ready: {}", node.hostname, crate::cluster::devices_in_words(std::slice::from_ref(node))))
        .collect();
    format!("{}.", names.join("; "))
}
