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
use crate::run::executor::{Collected, ExecutorError, LeftBehind};
use dyno_measure::events::LoadEventKind;
use dyno_measure::report::RequestRecord;

/// A pod that does not answer is asked again for so long: more than a minute in which the API server is away.
const PATIENCE: Duration = Duration::from_secs(150);
const RETRY: Duration = Duration::from_secs(1);

/// The load's pod of a run, as far as it can be asked.
struct LoadSource {
    connection: Connection,
    run: RunName,
    open: std::sync::Arc<RunSecret>,
    client: LoadPodClient<PodProxy>,
}

impl KubernetesExecutor {
    /// The load's pod; absent where it has gone, or never was.
    async fn load_source(&self, run: Uuid) -> Result<Option<LoadSource>, KubernetesError> {
        let connection = self.connection().await?;
        let name = self.name(run);
        let Some(open) = self.open(&connection, run).await? else { return Ok(None) };
        let Some(state) = connection.run_state(&name).await? else { return Ok(None) };
        let Some(load) = state.load else { return Ok(None) };
        if matches!(load.step, PodStep::Succeeded | PodStep::Unscheduled(_) | PodStep::Preparing(_)) {
            return Ok(None);
        }
        let client = transport::load_pod(&connection, &name, &load.name, open.token()?);
        Ok(Some(LoadSource { connection, run: name, open, client }))
    }

    /// What the run left. Engines and workers are removed first: what they hold is free from then on.
    pub(super) async fn gather(&self, run: Uuid, progress: &RunProgress) -> Collected {
        let mut collected = Collected {
            engines: progress.ready.values().cloned().collect(),
            end: progress.ended.clone(),
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
            collected.plan = Some(open.document.execution.plan.clone());
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
        let client = &source.client;
        let plan = patiently(client, |client| async move { client.plan().await }).await;
        let report = patiently(client, |client| async move { client.report().await }).await;
        let told = patiently(client, |client| async move { client.events(&SpoolPosition::default()).await }).await;
        match (plan, report) {
            (Ok(plan), Ok(report)) => {
                collected.plan = plan.or(collected.plan);
                collected.report = report;
            }
            (Err(error), _) | (_, Err(error)) => {
                tracing::warn!(run.id = %run, %error, "what a load measured could not be read");
            }
        }
        // It is among the first things that a load tells.
        collected.tokenizer = told.ok().and_then(|(events, _)| {
            events.into_iter().find_map(|event| match event.kind {
                LoadEventKind::Prepared { tokenizer, .. } => Some(tokenizer),
                _ => None,
            })
        });
        collected
    }

    pub(super) fn record_portions(&self, run: Uuid, skip: u64) -> BoxStream<'static, Result<Vec<RequestRecord>, ExecutorError>> {
        let executor = Self::new(&self.app, &self.cluster, &self.access);
        let begin = async move {
            Ok::<_, KubernetesError>(while_unanswered(|| executor.load_source(run)).await?.map(|source| source.client))
        };
        stream::once(begin)
            .flat_map(move |client| match client {
                Ok(Some(client)) => portions(client, skip).boxed(),
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

fn portions(
    client: LoadPodClient<PodProxy>,
    skip: u64,
) -> impl futures::Stream<Item = Result<Vec<RequestRecord>, ExecutorError>> + Send {
    // Where the next portion begins; absent before the first.
    let begin = (client, None::<SpoolPosition>, false);
    stream::try_unfold(begin, move |(client, place, is_over)| async move {
        if is_over {
            return Ok(None);
        }
        let next = |client: LoadPodClient<PodProxy>| {
            let place = place.clone();
            async move {
                match place {
                    None => client.records_after(skip).await,
                    Some(place) => client.records(&place).await,
                }
            }
        };
        let (records, lines) = patiently(&client, next).await.map_err(KubernetesError::from)?;
        let is_over = lines.is_last || records.is_empty();
        Ok((!records.is_empty()).then_some((records, (client, Some(lines.place), is_over))))
    })
}

/// What a pod answers; one that does not for the moment is asked again.
async fn patiently<T, F>(
    client: &LoadPodClient<PodProxy>,
    ask: impl Fn(LoadPodClient<PodProxy>) -> F,
) -> Result<T, PodClientError>
where
    F: Future<Output = Result<T, PodClientError>>,
{
    let begun = Instant::now();
    loop {
        match ask(client.clone()).await {
            Err(error) if error.is_transient() && begun.elapsed() < PATIENCE => tokio::time::sleep(RETRY).await,
            answer => return answer,
        }
    }
}
