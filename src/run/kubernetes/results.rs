//! What a run left, taken over from the load's pod; and the removal of everything that it had on the cluster.

use std::time::Duration;

use dyno_kubernetes::objects::RunName;
use dyno_kubernetes::{Connection, PodStep};
use dyno_pod::client::{LoadPodClient, PodClientError, SpoolPosition};
use futures::stream::{self, BoxStream, StreamExt as _};
use tokio::time::Instant;
use uuid::Uuid;

use super::error::KubernetesError;
use super::owner::remove_owner;
use super::patience::while_unanswered;
use super::progress::RunProgress;
use super::transport::PodProxy;
use super::{KubernetesExecutor, RunSecret, transport};
use crate::run::execution::ExecutionSpec;
use crate::run::executor::{Collected, ExecutorError, LeftBehind, RecordPortion};
use dyno_measure::events::LoadEventKind;
use dyno_measure::plan::Plan;
use dyno_measure::report::Report;

/// A pod that does not answer is asked again for so long: more than a minute in which the API server is away.
const PATIENCE: Duration = Duration::from_secs(150);
const RETRY: Duration = Duration::from_secs(1);

/// The load's pod of a run, as far as it can be asked.
struct LoadSource {
    connection: Connection,
    run: RunName,
    open: std::sync::Arc<RunSecret>,
    pod: String,
    client: LoadPodClient<PodProxy>,
}

impl LoadSource {
    /// What the pod answers; one that does not for the moment is asked again, as long as there is somebody to ask.
    async fn answered<T, F>(&self, ask: impl Fn(LoadPodClient<PodProxy>) -> F) -> Result<T, PodClientError>
    where
        F: Future<Output = Result<T, PodClientError>>,
    {
        patiently(|| ask(self.client.clone()), || self.may_answer(), RETRY).await
    }

    /// Whether the pod is there and its container has not ended. Of a cluster that does not answer nobody knows.
    async fn may_answer(&self) -> bool {
        match self.connection.run_state(&self.run).await {
            Ok(state) => state.and_then(|state| state.load).is_some_and(|load| load.name == self.pod && !load.has_ended),
            Err(_) => true,
        }
    }

    /// The plan as it was carried out, the report, and how lengths were counted. After one that could not be had, the others are not
    /// asked for.
    async fn measured(&self) -> Result<(Option<Plan>, Option<Report>, Option<String>), PodClientError> {
        let plan = self.answered(|client| async move { client.plan().await }).await?;
        let report = self.answered(|client| async move { client.report().await }).await?;
        let (events, _) = self.answered(|client| async move { client.events(&SpoolPosition::default()).await }).await?;
        // It is among the first events of a load.
        let tokenizer = events.into_iter().find_map(|event| match event.kind {
            LoadEventKind::Prepared { tokenizer, .. } => Some(tokenizer),
            _ => None,
        });
        Ok((plan, report, tokenizer))
    }
}

impl KubernetesExecutor {
    /// The load's pod; absent where it has gone, or never was.
    async fn load_source(&self, run: Uuid) -> Result<Option<LoadSource>, KubernetesError> {
        let connection = self.connection().await?;
        let name = self.name(run);
        let Some(open) = self.open(&connection, run).await? else { return Ok(None) };
        let Some(state) = connection.run_state(&name).await? else { return Ok(None) };
        let Some(load) = state.load else { return Ok(None) };
        if load.has_ended || matches!(load.step, PodStep::Unscheduled(_) | PodStep::Preparing(_)) {
            return Ok(None);
        }
        let client = transport::load_pod(&connection, &name, &load.name, open.token()?);
        Ok(Some(LoadSource { connection, run: name, open, pod: load.name, client }))
    }

    /// What the run left. Engines and workers are removed first: what they hold is free from then on.
    pub(super) async fn gather(&self, run: Uuid, progress: &RunProgress) -> Collected {
        let mut collected = Collected {
            engines: progress.ready.values().cloned().collect(),
            end: progress.ended.clone(),
            sidecar: progress.records.sidecar.clone(),
            ..Collected::default()
        };
        let source = match while_unanswered(|| self.load_source(run)).await {
            Ok(source) => source,
            Err(error) => {
                tracing::warn!(run.id = %run, %error, "what a run on Kubernetes left could not be read");
                None
            }
        };
        if let Some((_, open)) = self.watched(|watched| watched.run.clone()) {
            collected.plan = Some(carried_out(&open.document.execution, progress));
            collected.provenance = open.document.execution.provenance.clone();
        }
        let Some(source) = source else { return collected };
        let document = &source.open.document;
        let engines = document.engines.iter().map(|engine| source.run.engine(engine.index));
        for pod in engines.chain(document.worker_numbers().map(|number| source.run.worker(number))) {
            if let Err(error) = source.connection.delete_pod(&source.run, &pod).await {
                tracing::warn!(run.id = %run, %error, "a pod could not be removed yet");
            }
        }
        if !progress.started {
            return collected;
        }
        match source.measured().await {
            Ok((plan, report, tokenizer)) => {
                collected.plan = plan.or(collected.plan);
                (collected.report, collected.tokenizer) = (report, tokenizer);
            }
            Err(error) => {
                tracing::warn!(run.id = %run, %error, "what a load measured could not be read");
            }
        }
        collected
    }

    /// `file`: which file of the load's the first `skip` records are of, as far as that is known.
    pub(super) fn record_portions(
        &self,
        run: Uuid,
        file: String,
        skip: u64,
    ) -> BoxStream<'static, Result<RecordPortion, ExecutorError>> {
        let executor = Self::new(&self.app, &self.cluster, &self.access);
        let begin = async move { while_unanswered(|| executor.load_source(run)).await };
        stream::once(begin)
            .flat_map(move |source| match source {
                Ok(Some(source)) => portions(source, file.clone(), skip).boxed(),
                Ok(None) => stream::empty().boxed(),
                Err(error) => stream::once(std::future::ready(Err(ExecutorError::from(error)))).boxed(),
            })
            .boxed()
    }

    /// Removes all that a run has on the cluster, and waits until it is gone.
    pub(super) async fn clear(&self, run: Uuid) -> Result<(), LeftBehind> {
        // A pod that was told that everything arrived ends at once.
        if let Ok(Some(source)) = self.load_source(run).await
            && let Err(error) = source.client.done().await
        {
            tracing::debug!(run.id = %run, %error, "the load's pod is ended without a word");
        }
        let connection = self.connection().await.map_err(|error| LeftBehind(error.to_string()))?;
        remove_owner(&connection, &self.name(run)).await.map_err(|error| LeftBehind(error.to_string()))
    }
}

/// A run's plan with the addresses that its engines had: what its load began with.
fn carried_out(execution: &ExecutionSpec, progress: &RunProgress) -> Plan {
    let mut plan = execution.plan.clone();
    if plan.endpoints.is_empty() {
        plan.endpoints = progress.endpoints(&execution.engines);
    }
    if let Some(facts) = progress.ready.get(&0).filter(|_| plan.model.is_empty()) {
        plan.model.clone_from(&facts.model);
    }
    plan
}

fn portions(
    source: LoadSource,
    file: String,
    skip: u64,
) -> impl futures::Stream<Item = Result<RecordPortion, ExecutorError>> + Send {
    // Where the next portion begins; absent before the first.
    let begin = (source, file, None::<SpoolPosition>, false);
    stream::try_unfold(begin, move |(source, file, place, is_over)| async move {
        if is_over {
            return Ok(None);
        }
        let next = |client: LoadPodClient<PodProxy>| {
            let (place, file) = (place.clone(), file.clone());
            async move {
                match place {
                    None => client.records_after(skip, &file).await,
                    Some(place) => client.records(&place).await,
                }
            }
        };
        let (records, lines) = source.answered(next).await.map_err(KubernetesError::from)?;
        let is_over = lines.is_last || records.is_empty();
        let portion = RecordPortion { records, is_anew: lines.is_anew };
        Ok((!portion.records.is_empty()).then_some((portion, (source, file, Some(lines.place), is_over))))
    })
}

/// The answer; a request without one is repeated as long as `may_answer`.
async fn patiently<T, F, A>(ask: impl Fn() -> F, may_answer: impl Fn() -> A, pause: Duration) -> Result<T, PodClientError>
where
    F: Future<Output = Result<T, PodClientError>>,
    A: Future<Output = bool>,
{
    let begun = Instant::now();
    loop {
        match ask().await {
            Err(error) if error.is_transient() && begun.elapsed() < PATIENCE && may_answer().await => {
                tokio::time::sleep(pause).await;
            }
            answer => return answer,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// How often a pod is asked that never answers, where it may do so for `questions`.
    async fn asked(questions: u32) -> u32 {
        let asked = AtomicU32::new(0);
        let ask = || async {
            asked.fetch_add(1, Ordering::Relaxed);
            Err::<(), _>(PodClientError::Transport("no answer".into()))
        };
        let answer = patiently(ask, || async { asked.load(Ordering::Relaxed) < questions }, Duration::ZERO).await;
        assert!(answer.is_err());
        asked.into_inner()
    }

    #[tokio::test]
    async fn a_pod_that_has_ended_is_not_asked_again() {
        assert_eq!(asked(0).await, 1);
        assert_eq!(asked(4).await, 4);
    }

    #[tokio::test]
    async fn an_answer_ends_the_wait() {
        let asked = AtomicU32::new(0);
        let ask = || async {
            match asked.fetch_add(1, Ordering::Relaxed) {
                0..3 => Err(PodClientError::Transport("no answer".into())),
                count => Ok(count),
            }
        };
        assert_eq!(patiently(ask, || async { true }, Duration::ZERO).await.unwrap(), 3);
    }
}
