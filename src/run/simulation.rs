//! A simulated run: claimed and ended like any, but nothing is started for it.

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::cost::priced;
use super::event_mapper::{change, log};
use super::provenance;
use super::run_executor::close_stages;
use crate::cluster::RunsAtWork;
use crate::domain::benchmark::Benchmark;
use crate::domain::event::{RunEnd, RunEvent};
use crate::domain::inventory::{Cluster, Node};
use crate::domain::price::DevicePrice;
use crate::domain::run::{Run, StageId, StageStatus};
use crate::models::Roots;
use crate::simulation::{Simulated, SimulatedRun, SimulationSlot, simulate};
use crate::state::AppState as App;
use crate::store::{RunUpdate, StoreError};
use dyno_measure::events::LogLevel;
use dyno_measure::report::RequestRecord;
use dyno_measure::run::RunStatus;

/// How long a cluster may take to say what its nodes are.
const LOOK: Duration = Duration::from_secs(10);
/// A simulation that takes longer is ended; time in which it waits for others is not counted.
const LONGEST: Duration = Duration::from_mins(2);
/// Records that are stored at once: others write between two portions.
const PORTION: usize = 2_000;
const STAGE: StageId = StageId::SimulatePerformance;

/// Takes a simulated run through its one stage.
#[derive(Clone)]
pub(super) struct SimulationRun {
    pub app: App,
    pub cluster: Cluster,
    /// Its stages are kept up to date here.
    pub run: Run,
    pub benchmark: Benchmark,
    /// Whose claim on the run this works under.
    pub claimant: Uuid,
    /// Cancelled when a person asks for the end.
    pub cancel: CancellationToken,
    /// Cancelled when the portal stops, or another portal has the run.
    pub detach: CancellationToken,
    /// Tells listeners the number of the last event.
    pub news: watch::Sender<i64>,
}

/// How a simulation ended.
enum SimulationEnd {
    Answer(Box<Simulated>),
    Failed(String),
    Cancelled,
}

impl SimulationRun {
    /// Takes the run to its end; false if it is not over: whoever has it next begins anew.
    pub async fn run(mut self) -> bool {
        match self.carry_out().await {
            Ok(ended) => ended,
            Err(error) => {
                tracing::warn!(run.id = %self.run.id, %error, "a simulated run could not be kept");
                false
            }
        }
    }

    /// Ends a run whose simulation panicked; false if that could not be kept.
    pub async fn end_broken(mut self) -> bool {
        let reason = "Something went wrong on the server. Its log says what.";
        let now = Timestamp::now();
        let mut events = close_stages(&mut self.run.stages, StageStatus::Failed, Some(reason), now);
        events.push(RunEvent::End(RunEnd { status: RunStatus::Failed, reason: Some(reason.to_owned()) }));
        let events = events.into_iter().map(|event| (now, event)).collect();
        self.keep(RunUpdate { events, ..RunUpdate::default() }).await.is_ok()
    }

    async fn carry_out(&mut self) -> Result<bool, StoreError> {
        let now = Timestamp::now();
        let begun = change(&mut self.run.stages, STAGE, StageStatus::Running, None, now);
        self.keep(RunUpdate { events: begun.map(|event| (now, event)).into_iter().collect(), ..RunUpdate::default() }).await?;
        let prices = self.app.store.device_prices().await?;
        let nodes = self.inventory().await?;
        let config = &self.app.config;
        let asked = SimulatedRun {
            run_id: self.run.id,
            spec: self.benchmark.spec.clone(),
            nodes,
            roots: Roots::new(&config.model_roots, &config.data_dir, self.app.store.has_single_user().await?),
            data_dir: config.data_dir.clone(),
            version: super::learning::version(&self.app, &self.cluster, self.benchmark.spec.serving.engine).await,
            profiles: super::learning::profiles(&self.app).await?,
        };
        let Some((mut end, slot)) = self.simulated(&asked).await else { return Ok(false) };
        let are_records_stored = match &mut end {
            SimulationEnd::Answer(answer) => self.keep_records(std::mem::take(&mut answer.records)).await?,
            SimulationEnd::Failed(_) | SimulationEnd::Cancelled => false,
        };
        if matches!(end, SimulationEnd::Answer(_)) && !are_records_stored {
            if self.detach.is_cancelled() {
                return Ok(false);
            }
            end = SimulationEnd::Cancelled;
        }
        let update = self.ended(end, &asked, &prices);
        // what was stored before a cancel, or by an earlier attempt, is no part of a run that has no answer
        self.keep(RunUpdate { replaces_records: !are_records_stored, ..update }).await?;
        drop(slot);
        Ok(true)
    }

    /// Stores the records in the place of those of an earlier attempt; false where the run was stopped meanwhile.
    async fn keep_records(&self, mut records: Vec<RequestRecord>) -> Result<bool, StoreError> {
        let mut replaces_records = true;
        while !records.is_empty() {
            if self.cancel.is_cancelled() || self.detach.is_cancelled() {
                return Ok(false);
            }
            let rest = records.split_off(records.len().min(PORTION));
            self.keep(RunUpdate { records, replaces_records, ..RunUpdate::default() }).await?;
            (records, replaces_records) = (rest, false);
        }
        Ok(true)
    }

    /// The cluster's nodes as they are, or else as they were last seen.
    async fn inventory(&self) -> Result<Vec<Node>, StoreError> {
        let nobody = RunsAtWork::default();
        let live = self.app.nodes(&self.cluster, &nobody);
        match tokio::time::timeout(LOOK, live).await {
            Ok(Ok(nodes)) => Ok(nodes),
            Ok(Err(_)) | Err(_) => self.app.last_seen(self.cluster.id).await,
        }
    }

    /// The answer with the slot that bounds how many are in memory, or why there is none; nothing when the portal stops meanwhile.
    async fn simulated(&self, asked: &SimulatedRun) -> Option<(SimulationEnd, Option<SimulationSlot>)> {
        let slot = tokio::select! {
            slot = self.app.simulation_slots.for_run() => slot,
            () = self.cancel.cancelled() => return Some((SimulationEnd::Cancelled, None)),
            () = self.detach.cancelled() => return None,
        };
        let question = asked.clone();
        let work = slot.spawn(move |stop| simulate(&question, stop));
        let failed = |reason: String| Some((SimulationEnd::Failed(reason), None));
        tokio::select! {
            done = work.answer_in_slot() => match done {
                Ok((Ok(answer), slot)) => Some((SimulationEnd::Answer(Box::new(answer)), Some(slot))),
                Ok((Err(failure), _)) => failed(failure.to_string()),
                Err(error) => {
                    tracing::error!(run.id = %self.run.id, %error, "a simulation broke off");
                    failed("Something went wrong on the server. Its log says what.".to_owned())
                }
            },
            () = self.cancel.cancelled() => Some((SimulationEnd::Cancelled, None)),
            () = self.detach.cancelled() => None,
            () = tokio::time::sleep(LONGEST) => {
                failed(format!("The simulation took longer than {} s and was ended.", LONGEST.as_secs()))
            }
        }
    }

    /// What is kept at the end.
    fn ended(&mut self, end: SimulationEnd, asked: &SimulatedRun, prices: &[DevicePrice]) -> RunUpdate {
        let now = Timestamp::now();
        let mut events = Vec::new();
        let mut update = RunUpdate::default();
        let (status, reason) = match end {
            SimulationEnd::Answer(answer) => {
                let Simulated { mut report, records: _, lines, provenance: known } = *answer;
                events.extend(lines.iter().map(|line| log(STAGE, LogLevel::Info, line)));
                let status = report.status;
                let reason = (status != RunStatus::Succeeded).then(|| "No request succeeded.".to_owned());
                let (spec, facts) = (&asked.spec, asked.spec.model.facts.as_ref());
                let is_chosen = |node: &&Node| spec.nodes.iter().any(|choice| choice.hostname == node.hostname);
                let chosen: Vec<Node> = asked.nodes.iter().filter(is_chosen).cloned().collect();
                report.provenance = provenance::begin(spec, &chosen, facts, &lines, &[]).completed_by(known);
                let serving = report.provenance.serving_devices.as_deref().unwrap_or_default();
                report.provenance.prices = priced(serving, &chosen, prices);
                let requests = report.load_points.iter().map(|point| point.summary.total_requests).sum();
                let message = format!("{} simulated.", super::text::requests(requests));
                let stage = if status == RunStatus::Succeeded { StageStatus::Succeeded } else { StageStatus::Failed };
                events.extend(change(&mut self.run.stages, STAGE, stage, Some(message), now));
                update.report = Some(report);
                (status, reason)
            }
            SimulationEnd::Failed(reason) => {
                events.extend(close_stages(&mut self.run.stages, StageStatus::Failed, Some(&reason), now));
                (RunStatus::Failed, Some(reason))
            }
            SimulationEnd::Cancelled => {
                let reason = "Cancelled.".to_owned();
                events.extend(close_stages(&mut self.run.stages, StageStatus::Cancelled, Some(&reason), now));
                (RunStatus::Cancelled, Some(reason))
            }
        };
        events.push(RunEvent::End(RunEnd { status, reason }));
        update.events = events.into_iter().map(|event| (now, event)).collect();
        update
    }

    /// Stores an update, and notifies subscribers.
    async fn keep(&self, update: RunUpdate) -> Result<(), StoreError> {
        let update = RunUpdate { claimant: Some(self.claimant), ..update };
        let stored = self.app.store.update_run(self.run.id, &update, Timestamp::now()).await?;
        if let Some(last) = stored.last() {
            self.news.send_replace(last.seq);
        }
        Ok(())
    }
}
