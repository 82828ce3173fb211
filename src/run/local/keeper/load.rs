//! The keeper's load: the one request that shows whether a cloud model answers, and the load itself.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::child::{Guarded, SpawnSpec};
use super::guard::{ProcessExit, own_program};
use super::stages::{Keeper, KeeperHalt};
use super::started_engine::engine_end;
use super::stop::Stop;
use super::{tally, telemetry};
use crate::domain::run::StageId;
use crate::run::local::files;
use crate::run::text;
use dyno_measure::events::{LoadStatus, LogLevel};
use dyno_measure::plan::Plan;

/// A load that ends because its engine did may end first: so long is waited for the engine's end to be seen.
const SETTLE: Duration = Duration::from_millis(500);

enum WaitEnd {
    Load(ProcessExit),
    Engine(usize, ProcessExit),
    Stop(Stop),
}

impl Keeper {
    /// Sends one request to a model that nobody started here.
    pub(super) async fn verify_model(&mut self) -> Result<(), KeeperHalt> {
        self.enter(StageId::VerifyDeploymentStatus)?;
        let Some(plan) = self.spec.verify.clone() else {
            self.done("Not checked.".to_owned());
            return Ok(());
        };
        let begun = Instant::now();
        self.start_load(files::VERIFY_PLAN, files::VERIFY_SPOOL, &plan).await?;
        let exit = self.load_end().await?;
        self.load = None;
        match tally::read(&self.dir.join(files::VERIFY_SPOOL)).end {
            Some((LoadStatus::Ok, _)) => {
                self.done(format!("The model answered in {}.", text::duration(begun.elapsed().as_millis() as u64)));
                Ok(())
            }
            Some((_, reason)) => {
                let reason = self.verify_error().or(reason).unwrap_or_else(|| "no reason was given".to_owned());
                Err(KeeperHalt::Failed(format!("The model did not answer: {}.", reason.trim_end_matches('.'))))
            }
            None => {
                self.load_words(StageId::VerifyDeploymentStatus);
                Err(KeeperHalt::Failed(format!("The check of the model broke off ({exit}).")))
            }
        }
    }

    /// Why the one request failed, from its report.
    fn verify_error(&self) -> Option<String> {
        let report = std::fs::read(self.dir.join(files::VERIFY_REPORT)).ok()?;
        let report: dyno_measure::report::Report = serde_json::from_slice(&report).ok()?;
        report.error_examples.into_iter().next().map(|example| text::clean(&example.message))
    }

    pub(super) async fn put_load(&mut self) -> Result<(), KeeperHalt> {
        self.enter(StageId::RunPerformanceBenchmark)?;
        let plan = self.spec.plan.clone();
        let sampler = self.sample_telemetry();
        let exit = match self.start_load(files::PLAN, files::SPOOL, &plan).await {
            Ok(()) => self.load_end().await,
            Err(halt) => Err(halt),
        };
        // Before the run's end is told, whatever it is.
        if let Some(sampler) = sampler {
            sampler.end();
        }
        let exit = exit?;
        self.load = None;
        let tally = tally::read(&self.dir.join(files::SPOOL));
        // Where an engine's end took the load along, the engine is the reason.
        if let Some((index, exit)) = self.settled().await {
            return Err(KeeperHalt::Failed(self.engine_lost(index, exit)));
        }
        match &tally.end {
            Some((LoadStatus::Ok, _)) => {
                self.done(format!("{} completed.", text::requests(tally.completed())));
                Ok(())
            }
            Some((_, reason)) => {
                Err(KeeperHalt::Failed(reason.clone().unwrap_or_else(|| format!("The load ended {}", tally.so_far(&plan)))))
            }
            None => {
                self.load_words(StageId::RunPerformanceBenchmark);
                Err(KeeperHalt::Failed(format!("The load process stopped ({exit}) {}", tally.so_far(&plan))))
            }
        }
    }

    /// Begins to sample what this machine does. A load goes on without it.
    fn sample_telemetry(&mut self) -> Option<telemetry::Sampler> {
        let engine = self.spec.engines.first().map(|engine| engine.node.as_str());
        let node = engine.or_else(|| self.spec.plan.endpoints.first().map(|endpoint| endpoint.node.as_str()))?;
        match telemetry::Sampler::start(&self.dir.join(files::TELEMETRY), node, telemetry::devices_of(&self.spec.engines)) {
            Ok(sampler) => Some(sampler),
            Err(error) => {
                let line = format!("No telemetry is sampled: {error}.");
                self.journal.log(StageId::RunPerformanceBenchmark, LogLevel::Warning, line);
                None
            }
        }
    }

    async fn start_load(&mut self, plan_file: &str, spool: &str, plan: &Plan) -> Result<(), KeeperHalt> {
        let failed = |error: std::io::Error| KeeperHalt::Failed(format!("The load could not be started: {error}."));
        let text = serde_json::to_vec_pretty(plan).map_err(|error| failed(error.into()))?;
        std::fs::write(self.dir.join(plan_file), text).map_err(failed)?;
        let program = own_program().map_err(failed)?.display().to_string();
        let argv = [&program, "load", "--plan", plan_file, "--spool", spool].map(str::to_owned);
        let mut env = BTreeMap::new();
        if let (Some(name), Some(secret)) = (&self.spec.secret_env, &self.secret) {
            env.insert(name.clone(), secret.clone());
        }
        let log = self.dir.join(files::LOAD_LOG);
        // A load that is asked to end writes down what it has, which takes longer than an engine's end.
        let grace = Duration::from_secs(self.spec.grace_s * 3);
        let load =
            Guarded::spawn(SpawnSpec { argv: &argv, env: &env, log: &log, dir: &self.dir, grace }).await.map_err(failed)?;
        self.journal.process("load", load.pid);
        self.load = Some(load);
        Ok(())
    }

    /// Waits for the load's end, for an engine's, or for a stop.
    async fn load_end(&mut self) -> Result<ProcessExit, KeeperHalt> {
        let Some(load) = &self.load else { return Err(KeeperHalt::Failed("There is no load.".to_owned())) };
        let mut stop = self.stop.clone();
        let seen = tokio::select! {
            exit = load.exited() => WaitEnd::Load(exit),
            (index, exit) = engine_end(&self.engines) => WaitEnd::Engine(index, exit),
            stop = stop.stopped() => WaitEnd::Stop(stop),
        };
        match seen {
            WaitEnd::Load(exit) => {
                load.gone().await;
                Ok(exit)
            }
            WaitEnd::Stop(stop) => {
                self.end_load().await;
                Err(self.halt(stop))
            }
            WaitEnd::Engine(index, exit) => {
                self.end_load().await;
                Err(KeeperHalt::Failed(self.engine_lost(index, exit)))
            }
        }
    }

    /// An engine that has ended, or ends within a moment.
    async fn settled(&self) -> Option<(usize, ProcessExit)> {
        if self.engines.is_empty() {
            return None;
        }
        let failed = tally::read(&self.dir.join(files::SPOOL)).end.is_none_or(|(status, _)| status != LoadStatus::Ok);
        let wait = if failed { SETTLE } else { Duration::from_millis(20) };
        tokio::time::timeout(wait, engine_end(&self.engines)).await.ok()
    }

    fn engine_lost(&mut self, index: usize, exit: ProcessExit) -> String {
        self.last_words(index, StageId::RunPerformanceBenchmark);
        let so_far = tally::read(&self.dir.join(files::SPOOL)).so_far(&self.spec.plan);
        format!("Engine stopped ({exit}) {so_far}")
    }

    pub(super) async fn end_load(&mut self) {
        if let Some(load) = &mut self.load {
            load.stop();
            load.gone().await;
        }
    }
}
