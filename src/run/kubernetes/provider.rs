//! One request to a cloud model, from a pod on the node that the load will come from.

use dyno_kubernetes::{PodStep, RunState, objects};
use dyno_pod::client::{LoadPodClient, PodClientError};
use dyno_pod::protocol::{LoadState, StartRequest, Status};

use super::error::KubernetesError;
use super::progress::RunPhase;
use super::reconcile::Reconciliation;
use super::transport::PodProxy;
use super::{owner, transport};
use crate::run::tally::Tally;
use crate::run::text;
use dyno_measure::events::LoadStatus;

impl Reconciliation<'_> {
    pub(super) async fn verify_provider(&mut self, state: &RunState) -> Result<(), KubernetesError> {
        if let Err(error) = self.make_missing(state).await {
            return self.refused(error);
        }
        let document = &self.open.document;
        let Some(pod) = &state.verify else {
            let lifetime = owner::lifetime(document.execution.deadline);
            let pod = objects::verify_pod(self.run, &state.owner.reference, &document.load, lifetime);
            return match self.connection.apply(&pod).await {
                Ok(_) => Ok(()),
                Err(error) => self.refused(error),
            };
        };
        if self.has_failed(state).await? {
            return Ok(());
        }
        if let PodStep::Failed(failure) = &pod.step {
            let words = self.failure_words("The pod that asks the model does not run.", pod, failure).await;
            self.fail(words);
            return Ok(());
        }
        self.tell(&format!("Node {}: the pod that asks the model", document.load.node), pod);
        if pod.step != PodStep::Ready {
            return Ok(());
        }
        let client = transport::load_pod(self.connection, self.run, &pod.name, self.open.token()?);
        let answer = asked(&client).await;
        if let Ok(Some(_)) = &answer
            && let Err(error) = client.done().await
        {
            // It ends all the same, only later.
            tracing::debug!(run.id = %self.run.id, %error, "the pod that asked a model is ended without a word");
        }
        match answer {
            Ok(Some(Ok(()))) => {
                self.connection.delete_pod(self.run, &pod.name).await?;
                let after = text::duration(self.elapsed_ms());
                self.done(format!("The model answered, {after} after its pod was asked for."));
                self.enter(RunPhase::Loading);
            }
            Ok(Some(Err(reason))) => {
                let reason = text::clean(&reason);
                self.fail(format!("The model did not answer: {}.", reason.trim_end_matches('.')));
            }
            Ok(None) => {}
            Err(error) if error.is_transient() => {}
            Err(error) => self.fail(format!("The model could not be asked: {error}")),
        }
        Ok(())
    }
}

/// Sends the request, once; how it went, once it is known.
async fn asked(client: &LoadPodClient<PodProxy>) -> Result<Option<Result<(), String>>, PodClientError> {
    let Status { state, end, .. } = client.start(&StartRequest::default()).await?;
    if state != LoadState::Ended {
        return Ok(None);
    }
    let (told, _) = client.events(&dyno_pod::client::SpoolPosition::default()).await?;
    let mut tally = Tally::default();
    told.iter().for_each(|event| tally.add(&event.kind));
    let reason = match tally.end {
        Some((LoadStatus::Ok, _)) => return Ok(Some(Ok(()))),
        Some((_, reason)) => reason,
        None => end.and_then(|end| end.reason),
    };
    // The request's own error says more.
    let example = client.report().await?.and_then(|report| report.error_examples.into_iter().next());
    let reason = example.map(|example| example.message).or(reason);
    Ok(Some(Err(reason.unwrap_or_else(|| "no reason was given".to_owned()))))
}
