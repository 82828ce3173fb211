//! What happens while a cluster carries a run out, and when it has.

use std::time::Duration;

use futures::stream::TryStreamExt as _;
use jiff::Timestamp;

use super::super::event_mapper::{EventMapper, change};
use super::super::execution::ExecutionOutcome;
use super::super::executor::{Cursor, ExecutionState, RecordPortion};
use super::super::kept_records::report_of_kept;
use super::super::outcome::{self, End};
use super::super::{provenance, text};
use super::{Halt, RunExecutor, close_stages};
use crate::domain::event::{RunEnd, RunEvent};
use crate::domain::run::{StageId, StageStatus};
use crate::store::RunUpdate;
use dyno_measure::report::Note;
use dyno_measure::run::RunStatus;

/// Interval between pulls.
const POLL: Duration = Duration::from_millis(300);
/// An execution that was asked to end and has not is ended by force after this, again and again.
const PATIENCE: Duration = Duration::from_mins(1);

impl RunExecutor {
    /// Takes over what is told until it ends. `resumed`: it may have ended while no portal watched.
    pub(super) async fn follow(&mut self, resumed: bool) -> Result<End, Halt> {
        let mut mapper = EventMapper::default();
        let mut asked: Option<tokio::time::Instant> = None;
        let mut unseen = resumed;
        loop {
            let (state, end) = self.take_over(&mut mapper).await?;
            if let Some((outcome, reason)) = end {
                return Ok(End::Reported(outcome, reason));
            }
            if state != ExecutionState::Active {
                return Ok(End::Lost { unseen, last_output: None });
            }
            unseen = false;
            if self.cancel.is_cancelled() && asked.is_none() {
                asked = Some(tokio::time::Instant::now());
                self.executor.cancel(self.run.id, false).await;
            }
            if asked.is_some_and(|since| since.elapsed() > PATIENCE) {
                asked = Some(tokio::time::Instant::now());
                self.executor.cancel(self.run.id, true).await;
            }
            tokio::select! {
                () = tokio::time::sleep(POLL) => {}
                () = self.cancel.cancelled(), if asked.is_none() => {}
                () = self.detach.cancelled() => return Err(Halt::Detached),
            }
        }
    }

    /// Takes over all events since the last pull; answers the state before the last portion was read, and the end
    /// if it was told.
    async fn take_over(
        &mut self,
        mapper: &mut EventMapper,
    ) -> Result<(ExecutionState, Option<(ExecutionOutcome, Option<String>)>), Halt> {
        let mut end = None;
        loop {
            let batch = self.answered(|| self.executor.pull(self.run.id, self.cursor.as_ref())).await?;
            let state = batch.state;
            if batch.cursor.is_none() {
                return Ok((state, end));
            }
            let (update, ended) = mapper.map(batch, &mut self.run.stages);
            let cursor = update.cursor.clone().map(Cursor);
            self.keep(update).await?;
            self.cursor = cursor;
            end = end.or(ended);
        }
    }

    pub(super) async fn finish(&mut self, end: End) -> Result<(), Halt> {
        let collected = self.answered(|| self.executor.collect(self.run.id, self.cursor.as_ref())).await?;
        // What a load that outlived its keeper for a moment still told.
        self.take_over(&mut EventMapper::default()).await?;
        let end = match (end, &collected.end) {
            // Read before, by a portal that stopped before it had taken everything over.
            (End::Lost { .. }, Some((outcome, reason))) => End::Reported(*outcome, reason.clone()),
            (End::Lost { unseen, .. }, None) => End::Lost { unseen, last_output: collected.last_output.clone() },
            (told @ End::Reported(..), _) => told,
        };
        // Of a portal that stopped after it had kept the report, and had what was measured removed, that one is left.
        let kept = self.stored(|| self.app.store.report_of_portal(self.run.id)).await?;
        let unread = self.take_records_over().await?;
        let (mut report, is_new) = match (&collected.report, kept) {
            (Some(report), _) => (Some(report.clone()), true),
            (None, Some(kept)) => (Some(kept), false),
            (None, None) => {
                let made = self.stored(|| report_of_kept(&self.app.store, self.run.id, &collected)).await?;
                (made, true)
            }
        };
        let (status, reason) = outcome::verdict(&end, report.as_ref());
        if let (Some(report), true) = (&mut report, is_new) {
            report.run_id = self.run.id;
            report.status = status;
            report.provenance = std::mem::take(&mut report.provenance).completed_by(provenance::complete(&collected));
            let telemetry = self.stored(|| self.app.store.telemetry_of_portal(self.run.id)).await?;
            dyno_measure::telemetry::attach(report, &telemetry);
            report.notes.extend(unread.map(Note::from));
            report.notes.extend(reason.clone().filter(|_| status != RunStatus::Succeeded).map(Note::from));
        }
        // Before what it was measured from is removed.
        self.keep(RunUpdate { report, ..RunUpdate::default() }).await?;
        let cleaned = self.executor.tidy_up(self.run.id).await;
        let mut events = Vec::new();
        let now = Timestamp::now();
        if matches!(end, End::Lost { .. }) {
            events.extend(close_stages(&mut self.run.stages, StageStatus::Failed, reason.as_deref(), now));
            let (clean, message) = match &cleaned {
                Ok(()) => (StageStatus::Succeeded, "What the run had started was ended.".to_owned()),
                Err(left) => (StageStatus::Failed, left.to_string()),
            };
            events.extend(change(&mut self.run.stages, StageId::CleanUp, clean, Some(message), now));
        } else if let Err(left) = &cleaned {
            let message = Some(left.to_string());
            events.extend(change(&mut self.run.stages, StageId::CleanUp, StageStatus::Failed, message, now));
        } else if self.is_cleaning_up() {
            let message = Some("Everything that the run had started was ended and removed.".to_owned());
            events.extend(change(&mut self.run.stages, StageId::CleanUp, StageStatus::Succeeded, message, now));
        }
        events.push(RunEvent::End(RunEnd { status, reason }));
        let update = RunUpdate { events: events.into_iter().map(|event| (now, event)).collect(), ..RunUpdate::default() };
        self.keep(update).await
    }

    /// Whether the clean-up was begun and is not over: where the portal is what cleans up.
    fn is_cleaning_up(&self) -> bool {
        self.run.stages.iter().any(|stage| stage.id == StageId::CleanUp && stage.status == StageStatus::Running)
    }

    /// Request records into the store, portion by portion; those that are there from an earlier try are not doubled. What is said of
    /// those that could not be read, for the report: it was made of all.
    async fn take_records_over(&mut self) -> Result<Option<String>, Halt> {
        let kept = self.stored(|| self.app.store.record_count_of_portal(self.run.id)).await?;
        let mut portions = self.executor.records(self.run.id, self.cursor.as_ref(), kept);
        loop {
            match portions.try_next().await {
                Ok(Some(RecordPortion { records, is_anew })) => {
                    self.keep(RunUpdate { records, replaces_records: is_anew, ..RunUpdate::default() }).await?;
                }
                Ok(None) => return Ok(None),
                Err(error) => {
                    tracing::warn!(run.id = %self.run.id, %error, "request records could not be read");
                    let kept = self.stored(|| self.app.store.record_count_of_portal(self.run.id)).await?;
                    let kept = text::requests(kept);
                    return Ok(Some(format!("The records of {kept} are kept; the others could not be read. {error}")));
                }
            }
        }
    }
}
