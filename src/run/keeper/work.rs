//! What a keeper does, stage by stage.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures::future::{FutureExt as _, select_all};

use super::child::{Guarded, Order};
use super::guard::{Exit, own_program, sweep};
use super::journal::{EngineFacts, Journal, News, Outcome};
use super::ready::{Probe, free_port};
use super::spec::{KeeperSpec, files};
use super::stop::{Stop, Watch};
use super::tally::Tally;
use crate::domain::event::LogLevel;
use crate::domain::run::{RunKind, StageId, StageStatus};
use crate::run::process;
use crate::run::tail::{Tail, last_lines};
use crate::run::text;
use dyno_measure::events::LoadStatus;
use dyno_measure::plan::{Plan, PlanEndpoint};

/// How often an engine that is starting is asked.
const ASK: Duration = Duration::from_millis(200);
/// Lines of an engine's log that go to the journal while it starts; all of them are in its file.
const LOG_LINES: usize = 400;
/// Last lines of a log that go to the journal when its process failed.
const LAST_LINES: usize = 20;
/// A load that ends because its engine did may end first: so long is waited for the engine's end to be seen.
const SETTLE: Duration = Duration::from_millis(500);

/// Why the work is not carried on.
enum Halt {
    Cancelled,
    Failed(String),
}

struct Engine {
    process: Guarded,
    port: u16,
    argv: Vec<String>,
    begun: Instant,
    log: Tail,
    logged: usize,
    model: Option<String>,
}

struct Keeper {
    dir: PathBuf,
    spec: KeeperSpec,
    secret: Option<String>,
    journal: Journal,
    stop: Watch,
    stage: Option<StageId>,
    engines: Vec<Engine>,
    load: Option<Guarded>,
}

/// Carries a run out and ends the journal, whatever happens.
pub(super) async fn carry_out(dir: PathBuf, spec: KeeperSpec, secret: Option<String>, mut journal: Journal) {
    let stop = match Watch::begin(dir.join(files::CANCEL), spec.deadline) {
        Ok(stop) => stop,
        Err(error) => {
            let reason = Some(format!("The keeper could not watch for signals: {error}."));
            journal.tell(News::End { outcome: Outcome::Failed, reason });
            return;
        }
    };
    let cloud = spec.engines.is_empty();
    let mut keeper = Keeper { dir, spec, secret, journal, stop, stage: None, engines: Vec::new(), load: None };
    let result = keeper.stages().await;
    let (outcome, reason) = match result {
        Ok(()) => (Outcome::Done, None),
        Err(Halt::Failed(reason)) => {
            keeper.leave_stage(StageStatus::Failed, &reason);
            (Outcome::Failed, Some(reason))
        }
        Err(Halt::Cancelled) => {
            // The load first, so that what it measured is on the disk and counted.
            keeper.end_load().await;
            let reason = keeper.cancelled();
            keeper.leave_stage(StageStatus::Cancelled, &reason);
            (Outcome::Cancelled, Some(reason))
        }
    };
    keeper.skip_rest(cloud);
    keeper.clean_up().await;
    keeper.journal.tell(News::End { outcome, reason });
}

impl Keeper {
    async fn stages(&mut self) -> Result<(), Halt> {
        if self.spec.engines.is_empty() {
            self.verify_model().await?;
        } else {
            self.deploy().await?;
            self.verify_engines().await?;
        }
        self.put_load().await
    }

    async fn deploy(&mut self) -> Result<(), Halt> {
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

    async fn start_engine(&mut self, index: usize) -> Result<(), Halt> {
        let engine = self.spec.engines[index].clone();
        let port = free_port().map_err(|error| Halt::Failed(format!("No free port was found: {error}.")))?;
        let argv: Vec<String> = engine.launch.argv.iter().map(|arg| arg.replace("{port}", &port.to_string())).collect();
        let log = self.dir.join(files::engine_log(index));
        let order = Order {
            argv: &argv,
            env: &engine.launch.env,
            log: &log,
            dir: &self.dir,
            grace: Duration::from_secs(self.spec.grace_s),
        };
        let process = Guarded::start(order)
            .await
            .map_err(|error| Halt::Failed(format!("{} could not be started: {error}.", engine.title)))?;
        self.journal.tell(super::process_news(&format!("engine-{index}"), process.pid));
        self.journal.log(StageId::DeployToEngine, LogLevel::Info, format!("Node {}: {}", engine.node, argv.join(" ")));
        self.engines.push(Engine { process, port, argv, begun: Instant::now(), log: Tail::new(log, 0), logged: 0, model: None });
        Ok(())
    }

    /// Waits until each engine is ready and serves the right model, and then addresses the plan to them.
    async fn verify_engines(&mut self) -> Result<(), Halt> {
        self.enter(StageId::VerifyDeploymentStatus)?;
        let begun = Instant::now();
        let mut probes = Vec::new();
        for engine in &self.engines {
            probes.push(Probe::new(engine.port).map_err(|error| Halt::Failed(format!("The engine can't be asked: {error}.")))?);
        }
        while self.engines.iter().any(|engine| engine.model.is_none()) {
            for (index, probe) in probes.iter().enumerate() {
                self.copy_log(index);
                if self.engines[index].model.is_none() {
                    self.ask(index, probe).await?;
                }
            }
            tokio::time::timeout(ASK, self.stop.stopped()).await.map_or(Ok(()), |stop| Err(self.halt(stop)))?;
        }
        self.address();
        self.done(format!("Ready after {}.", text::duration(begun.elapsed().as_millis() as u64)));
        Ok(())
    }

    async fn ask(&mut self, index: usize, probe: &Probe) -> Result<(), Halt> {
        let spec = self.spec.engines[index].clone();
        if let Some(exit) = self.engines[index].process.exit() {
            return Err(Halt::Failed(self.early_end(index, exit)));
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
                return Err(Halt::Failed(format!("{} was not ready within {limit}.", spec.title)));
            }
            return Ok(());
        };
        // It answered, but is it ours? One that could not have the port is about to end.
        if let Some(exit) = self.engines[index].process.exit() {
            return Err(Halt::Failed(self.early_end(index, exit)));
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
            base_url: format!("http://127.0.0.1:{}/v1", engine.port),
            model,
            startup_ms: waited.as_millis() as u64,
        };
        self.journal.tell(News::Engine(facts));
        Ok(())
    }

    fn early_end(&mut self, index: usize, exit: Exit) -> String {
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
            base_url: format!("http://127.0.0.1:{}/v1", engine.port),
            metrics: spec.launch.metrics.clone(),
        });
        self.spec.plan.endpoints = endpoints.collect();
        if let Some(model) = self.engines.first().and_then(|engine| engine.model.clone()) {
            self.spec.plan.model = model;
        }
    }

    /// Sends one request to a model that nobody started here.
    async fn verify_model(&mut self) -> Result<(), Halt> {
        self.enter(StageId::VerifyDeploymentStatus)?;
        let Some(plan) = self.spec.verify.clone() else {
            self.done("Not checked.".to_owned());
            return Ok(());
        };
        let begun = Instant::now();
        self.start_load(files::VERIFY_PLAN, files::VERIFY_SPOOL, &plan).await?;
        let exit = self.load_end().await?;
        self.load = None;
        match Tally::read(&self.dir.join(files::VERIFY_SPOOL)).end {
            Some((LoadStatus::Ok, _)) => {
                self.done(format!("The model answered in {}.", text::duration(begun.elapsed().as_millis() as u64)));
                Ok(())
            }
            Some((_, reason)) => {
                let reason = self.verify_error().or(reason).unwrap_or_else(|| "no reason was given".to_owned());
                Err(Halt::Failed(format!("The model did not answer: {}.", reason.trim_end_matches('.'))))
            }
            None => {
                self.load_words(StageId::VerifyDeploymentStatus);
                Err(Halt::Failed(format!("The check of the model broke off ({exit}).")))
            }
        }
    }

    /// Why the one request failed, from its report.
    fn verify_error(&self) -> Option<String> {
        let report = std::fs::read(self.dir.join(files::VERIFY_REPORT)).ok()?;
        let report: crate::domain::report::Report = serde_json::from_slice(&report).ok()?;
        report.error_examples.into_iter().next().map(|example| text::clean(&example.message))
    }

    async fn put_load(&mut self) -> Result<(), Halt> {
        self.enter(StageId::RunPerformanceBenchmark)?;
        let plan = self.spec.plan.clone();
        self.start_load(files::PLAN, files::SPOOL, &plan).await?;
        let exit = self.load_end().await?;
        self.load = None;
        let tally = Tally::read(&self.dir.join(files::SPOOL));
        // Where an engine's end took the load along, the engine is the reason.
        if let Some((index, exit)) = self.settled().await {
            return Err(Halt::Failed(self.engine_lost(index, exit)));
        }
        match &tally.end {
            Some((LoadStatus::Ok, _)) => {
                self.done(format!("{} completed.", text::requests(tally.completed)));
                Ok(())
            }
            Some((_, reason)) => {
                Err(Halt::Failed(reason.clone().unwrap_or_else(|| format!("The load ended {}", tally.so_far(&plan)))))
            }
            None => {
                self.load_words(StageId::RunPerformanceBenchmark);
                Err(Halt::Failed(format!("The load process stopped ({exit}) {}", tally.so_far(&plan))))
            }
        }
    }

    async fn start_load(&mut self, plan_file: &str, spool: &str, plan: &Plan) -> Result<(), Halt> {
        let failed = |error: std::io::Error| Halt::Failed(format!("The load could not be started: {error}."));
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
        let load = Guarded::start(Order { argv: &argv, env: &env, log: &log, dir: &self.dir, grace }).await.map_err(failed)?;
        self.journal.tell(super::process_news("load", load.pid));
        self.load = Some(load);
        Ok(())
    }

    /// Waits for the load's end, for an engine's, or for a stop.
    async fn load_end(&mut self) -> Result<Exit, Halt> {
        let Some(load) = &self.load else { return Err(Halt::Failed("There is no load.".to_owned())) };
        let mut stop = self.stop.clone();
        let seen = tokio::select! {
            exit = load.exited() => Seen::Load(exit),
            (index, exit) = engine_end(&self.engines) => Seen::Engine(index, exit),
            stop = stop.stopped() => Seen::Stop(stop),
        };
        match seen {
            Seen::Load(exit) => {
                load.gone().await;
                Ok(exit)
            }
            Seen::Stop(stop) => {
                self.end_load().await;
                Err(self.halt(stop))
            }
            Seen::Engine(index, exit) => {
                self.end_load().await;
                Err(Halt::Failed(self.engine_lost(index, exit)))
            }
        }
    }

    /// An engine that has ended, or ends within a moment.
    async fn settled(&self) -> Option<(usize, Exit)> {
        if self.engines.is_empty() {
            return None;
        }
        let failed = Tally::read(&self.dir.join(files::SPOOL)).end.is_none_or(|(status, _)| status != LoadStatus::Ok);
        let wait = if failed { SETTLE } else { Duration::from_millis(20) };
        tokio::time::timeout(wait, engine_end(&self.engines)).await.ok()
    }

    fn engine_lost(&mut self, index: usize, exit: Exit) -> String {
        self.last_words(index, StageId::RunPerformanceBenchmark);
        let so_far = Tally::read(&self.dir.join(files::SPOOL)).so_far(&self.spec.plan);
        format!("Engine stopped ({exit}) {so_far}")
    }

    fn cancelled(&self) -> String {
        if self.stage == Some(StageId::RunPerformanceBenchmark) {
            format!("Cancelled {}", Tally::read(&self.dir.join(files::SPOOL)).so_far(&self.spec.plan))
        } else {
            "Cancelled before any request was completed.".to_owned()
        }
    }

    fn halt(&self, stop: Stop) -> Halt {
        match stop {
            Stop::Cancelled => Halt::Cancelled,
            Stop::Deadline => {
                let so_far = Tally::read(&self.dir.join(files::SPOOL)).so_far(&self.spec.plan);
                Halt::Failed(format!("The run's time limit was reached {so_far}"))
            }
        }
    }

    async fn end_load(&mut self) {
        if let Some(load) = &mut self.load {
            load.stop();
            load.gone().await;
        }
    }

    /// Ends everything, and looks whether it did.
    async fn clean_up(&mut self) {
        self.stage = Some(StageId::CleanUp);
        self.journal.stage(StageId::CleanUp, StageStatus::Running, None);
        self.end_load().await;
        for engine in &mut self.engines {
            engine.process.stop();
        }
        for engine in &self.engines {
            engine.process.gone().await;
        }
        // No guard is left: what is still a child came from one that was killed.
        sweep();
        let groups = self.engines.iter().map(|engine| engine.process.pid).chain(self.load.as_ref().map(|load| load.pid));
        let left: Vec<u32> = groups.flat_map(process::members).collect();
        if left.is_empty() {
            let message = if self.engines.is_empty() {
                "Nothing was left running."
            } else {
                "The engine was stopped; nothing is left running."
            };
            self.done(message.to_owned());
        } else {
            self.journal.stage(StageId::CleanUp, StageStatus::Failed, Some(format!("Processes {left:?} did not end.")));
        }
    }

    fn enter(&mut self, stage: StageId) -> Result<(), Halt> {
        self.stage = Some(stage);
        self.journal.stage(stage, StageStatus::Running, None);
        self.stop.seen().map_or(Ok(()), |stop| Err(self.halt(stop)))
    }

    fn done(&mut self, message: String) {
        if let Some(stage) = self.stage {
            self.journal.stage(stage, StageStatus::Succeeded, Some(message));
        }
    }

    fn leave_stage(&mut self, status: StageStatus, message: &str) {
        if let Some(stage) = self.stage {
            self.journal.stage(stage, status, Some(message.to_owned()));
        }
    }

    /// The stages that are not reached.
    fn skip_rest(&mut self, cloud: bool) {
        let stages = StageId::of_run(RunKind::Measured, cloud);
        let reached = self.stage.and_then(|stage| stages.iter().position(|id| *id == stage)).map_or(0, |place| place + 1);
        for stage in stages.iter().skip(reached).filter(|stage| **stage != StageId::CleanUp) {
            self.journal.stage(*stage, StageStatus::Skipped, None);
        }
    }

    /// Copies new lines of an engine's log to the journal, up to a number.
    fn copy_log(&mut self, index: usize) {
        let engine = &mut self.engines[index];
        let Ok(lines) = engine.log.lines() else { return };
        for line in lines {
            if engine.logged == LOG_LINES {
                let more = format!("More is in {}.", files::engine_log(index));
                self.journal.log(StageId::VerifyDeploymentStatus, LogLevel::Info, more);
            } else if engine.logged < LOG_LINES {
                self.journal.log(StageId::VerifyDeploymentStatus, LogLevel::Info, String::from_utf8_lossy(&line));
            }
            engine.logged += 1;
        }
    }

    fn last_words(&mut self, index: usize, stage: StageId) -> Option<String> {
        self.words(&files::engine_log(index), stage)
    }

    fn load_words(&mut self, stage: StageId) -> Option<String> {
        self.words(files::LOAD_LOG, stage)
    }

    /// The last lines of a log to the journal; the very last is returned.
    fn words(&mut self, file: &str, stage: StageId) -> Option<String> {
        let lines = last_lines(&self.dir.join(file), LAST_LINES);
        for line in &lines {
            self.journal.log(stage, LogLevel::Error, line.as_str());
        }
        lines.into_iter().next_back()
    }
}

enum Seen {
    Load(Exit),
    Engine(usize, Exit),
    Stop(Stop),
}

/// Waits for the first engine to end; for ever where there is none.
async fn engine_end(engines: &[Engine]) -> (usize, Exit) {
    if engines.is_empty() {
        return std::future::pending().await;
    }
    let (exit, index, _) = select_all(engines.iter().map(|engine| engine.process.exited().boxed_local())).await;
    (index, exit)
}
