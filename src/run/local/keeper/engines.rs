//! The keeper's engines: started, asked until they are ready, addressed in the plan.

use std::time::{Duration, Instant};

use super::child::{Guarded, SpawnSpec};
use super::guard::ProcessExit;
use super::ready::{ReadyProbe, free_port};
use super::stages::{Keeper, KeeperHalt};
use super::started_engine::StartedEngine;
use crate::domain::run::StageId;
use crate::run::execution::Event;
use crate::run::local::tail::Tail;
use crate::run::local::{HOST, files};
use crate::run::text;
use dyno_measure::events::LogLevel;
use dyno_measure::plan::PlanEndpoint;
use dyno_measure::report::provenance::EngineFacts;

/// How often an engine that is starting is asked.
const POLL: Duration = Duration::from_millis(200);

impl Keeper {
    pub(super) async fn deploy(&mut self) -> Result<(), KeeperHalt> {
        self.enter(StageId::DeployToEngine)?;
        for index in 0..self.spec.engines.len() {
            self.start_engine(index).await?;
        }
        let titles: Vec<&str> = self.spec.engines.iter().map(|engine| engine.title.as_str()).collect();
        let message = match titles.as_slice() {
            [only] => format!("{only} was started."),
            several => format!("{} copies of {} were started.", several.len(), several[0]),
        };
        self.done(message);
        Ok(())
    }

    async fn start_engine(&mut self, index: usize) -> Result<(), KeeperHalt> {
        let engine = self.spec.engines[index].clone();
        let port = free_port().map_err(|error| KeeperHalt::Failed(format!("No free port was found: {error}.")))?;
        let fill = |arg: &String| arg.replace("{host}", HOST).replace("{port}", &port.to_string());
        let argv: Vec<String> = engine.launch.argv.iter().map(fill).collect();
        let log = self.dir.join(files::engine_log(index));
        let spawn = SpawnSpec {
            argv: &argv,
            env: &engine.launch.env,
            log: &log,
            dir: &self.dir,
            grace: Duration::from_secs(self.spec.grace_s),
        };
        let process = Guarded::spawn(spawn)
            .await
            .map_err(|error| KeeperHalt::Failed(format!("{} could not be started: {error}.", engine.title)))?;
        self.journal.process(&format!("engine-{index}"), process.pid);
        self.journal.log(StageId::DeployToEngine, LogLevel::Info, format!("Node {}: {}", engine.node, argv.join(" ")));
        self.engines.push(StartedEngine {
            process,
            port,
            argv,
            begun: Instant::now(),
            log: Tail::new(log, 0),
            logged: 0,
            model: None,
        });
        Ok(())
    }

    /// Waits until each engine is ready and serves the right model, and then addresses the plan to them.
    pub(super) async fn verify_engines(&mut self) -> Result<(), KeeperHalt> {
        self.enter(StageId::VerifyDeploymentStatus)?;
        let begun = Instant::now();
        let mut probes = Vec::new();
        for engine in &self.engines {
            probes.push(
                ReadyProbe::new(engine.port)
                    .map_err(|error| KeeperHalt::Failed(format!("The engine can't be asked: {error}.")))?,
            );
        }
        while self.engines.iter().any(|engine| engine.model.is_none()) {
            for (index, probe) in probes.iter().enumerate() {
                self.copy_log(index);
                if self.engines[index].model.is_none() {
                    self.ask(index, probe).await?;
                }
            }
            tokio::time::timeout(POLL, self.stop.stopped()).await.map_or(Ok(()), |stop| Err(self.halt(stop)))?;
        }
        self.address();
        self.done(format!("Ready after {}.", text::duration(begun.elapsed().as_millis() as u64)));
        Ok(())
    }

    async fn ask(&mut self, index: usize, probe: &ReadyProbe) -> Result<(), KeeperHalt> {
        let spec = self.spec.engines[index].clone();
        if let Some(exit) = self.engines[index].process.exit() {
            return Err(KeeperHalt::Failed(self.early_end(index, exit)));
        }
        let launch = &spec.launch;
        let model = tokio::select! {
            model = probe.ready(launch) => model,
            stop = self.stop.stopped() => return Err(self.halt(stop)),
        };
        let waited = self.engines[index].begun.elapsed();
        let Some(model) = model else {
            if waited > Duration::from_secs(launch.startup_limit_s) {
                self.last_words(index, StageId::VerifyDeploymentStatus);
                let limit = text::duration(launch.startup_limit_s * 1_000);
                return Err(KeeperHalt::Failed(format!("{} was not ready within {limit}.", spec.title)));
            }
            return Ok(());
        };
        // It answered, but is it ours? One that could not have the port is about to end.
        if let Some(exit) = self.engines[index].process.exit() {
            return Err(KeeperHalt::Failed(self.early_end(index, exit)));
        }
        let version = probe.version(launch).await;
        let engine = &mut self.engines[index];
        engine.model = Some(model.clone());
        let facts = EngineFacts {
            node: spec.node,
            title: spec.title,
            version,
            argv: engine.argv.clone(),
            env: spec.launch.env.clone(),
            base_url: format!("http://{HOST}:{}/v1", engine.port),
            model,
            startup_ms: waited.as_millis() as u64,
        };
        self.journal.emit(Event::Engine(facts));
        Ok(())
    }

    fn early_end(&mut self, index: usize, exit: ProcessExit) -> String {
        self.copy_log(index);
        let last = self.last_words(index, StageId::VerifyDeploymentStatus);
        let title = &self.spec.engines[index].title;
        match last {
            Some(line) => format!("{title} stopped before it was ready ({exit}): {}.", line.trim_end_matches('.')),
            None => format!("{title} stopped before it was ready ({exit})."),
        }
    }

    /// Writes the addresses and the model's name into the plan.
    fn address(&mut self) {
        let endpoints = self.engines.iter().zip(&self.spec.engines).map(|(engine, spec)| PlanEndpoint {
            node: spec.node.clone(),
            base_url: format!("http://{HOST}:{}/v1", engine.port),
            metrics: spec.launch.metrics.clone(),
        });
        self.spec.plan.endpoints = endpoints.collect();
        if let Some(model) = self.engines.first().and_then(|engine| engine.model.clone()) {
            self.spec.plan.model = model;
        }
    }
}
