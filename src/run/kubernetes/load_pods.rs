//! The pods that put the load on: made beside the owner's, which leads them, sent what they read, and started.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use dyno_kubernetes::objects::{self, Lifetime, POD_PORT};
use dyno_kubernetes::{ApiError, PodFailure, PodState, PodStep, RunState};
use dyno_pod::client::{FilesPodClient, LoadPodClient};
use dyno_pod::protocol::{ErrorCode, StartRequest, WorkerPlace};

use super::error::KubernetesError;
use super::reconcile::Reconciliation;
use super::transport::{self, PodProxy};

impl Reconciliation<'_> {
    /// The load pods beside the owner's: their numbers and nodes.
    fn workers(&self) -> Vec<(usize, String)> {
        let document = &self.open.document;
        document.worker_numbers().zip(document.workers.iter().map(|worker| worker.node.clone())).collect()
    }

    pub(super) async fn make_workers(&mut self, state: &RunState, lifetime: Lifetime) -> Result<(), ApiError> {
        let document = &self.open.document;
        for (number, worker) in document.worker_numbers().zip(&document.workers) {
            if !state.workers.contains_key(&self.run.worker(number)) {
                let pod = objects::worker_pod(self.run, &state.owner.reference, number, worker, lifetime);
                self.connection.apply(&pod).await?;
            }
        }
        Ok(())
    }

    /// Tells how far the load pods beside the owner's are; ends the run where one of them can't go on.
    pub(super) async fn has_failed_worker(&mut self, state: &RunState) -> Result<bool, KubernetesError> {
        for (number, node) in self.workers() {
            let Some(pod) = state.workers.get(&self.run.worker(number)) else { continue };
            let who = title(number, &node);
            let failure = match &pod.step {
                PodStep::Failed(failure) => failure.clone(),
                // It has not had its load yet.
                PodStep::Succeeded => PodFailure::Exited { status: 0, signal: None },
                _ => {
                    self.tell(&format!("Node {node}: load pod {number}"), pod);
                    continue;
                }
            };
            let words = self.failure_words(&format!("{who} does not run."), pod, &failure).await;
            return Ok(self.fail_with(words));
        }
        Ok(false)
    }

    /// Why a load pod beside the owner's is no longer part of the load, where the cluster knows. Of one whose program has ended the load
    /// itself knows more.
    pub(super) async fn lost_worker(&mut self, state: &RunState) -> Result<Option<String>, KubernetesError> {
        let mut asked = BTreeSet::new();
        for (number, node) in self.workers() {
            let name = self.run.worker(number);
            let found = state.workers.get(&name);
            let failure = match found {
                None => self.why_gone(&name).await?,
                Some(pod) if self.progress.uids.get(&name).is_some_and(|uid| *uid != pod.uid) => PodFailure::Replaced,
                Some(PodState {
                    step: PodStep::Failed(PodFailure::Exited { .. }) | PodStep::Ready | PodStep::Succeeded, ..
                }) => {
                    continue;
                }
                Some(PodState { step: PodStep::Failed(failure), .. }) => failure.clone(),
                Some(_) if !asked.insert(node.clone()) => continue,
                Some(_) => match self.lost_node(&node).await? {
                    Some(why) => PodFailure::NodeLost { node: node.clone(), why },
                    None => continue,
                },
            };
            let what = format!("{} was lost.", title(number, &node));
            return Ok(Some(match found {
                Some(pod) => self.failure_words(&what, pod, &failure).await,
                None => format!("{what} {failure}"),
            }));
        }
        Ok(None)
    }

    /// Has the load begin, once all of its pods are there.
    pub(super) async fn start_load(
        &mut self,
        state: &RunState,
        pod: &PodState,
        client: &LoadPodClient<PodProxy>,
    ) -> Result<(), KubernetesError> {
        if self.has_failed(state).await? {
            return Ok(());
        }
        let mut pods = vec![pod];
        for (number, node) in self.workers() {
            let name = self.run.worker(number);
            let Some(worker) = state.workers.get(&name) else {
                let failure = self.why_gone(&name).await?;
                self.fail(format!("{} was lost. {failure}", title(number, &node)));
                return Ok(());
            };
            pods.push(worker);
        }
        // What took the files has ended then, and with it the pod's readiness.
        let is_up = |pod: &&PodState| pod.step == PodStep::Ready || (self.progress.files_sent && pod.step == PodStep::Starting);
        if !pods.iter().all(is_up) {
            return Ok(());
        }
        let Some(workers) = self.worker_places(&pods[1..]) else { return Ok(()) };
        if !self.open.document.files.is_empty() {
            if !self.progress.files_sent {
                self.send_files(&pods).await?;
                self.progress.files_sent = true;
                // Kept before what takes the files is ended: another portal would find pods that are not ready, and not know why.
                return Ok(());
            }
            self.end_sent_files(&pods).await?;
        }
        let request = StartRequest {
            endpoints: self.progress.endpoints(&self.open.document.execution.engines),
            model: self.progress.ready.get(&0).map(|facts| facts.model.clone()),
            workers,
        };
        match client.start(&request).await {
            Ok(_) => {
                self.progress.started = true;
                self.progress.load_pod = Some(pod.name.clone());
                self.progress.uids.extend(pods.iter().map(|pod| (pod.name.clone(), pod.uid.clone())));
                self.progress.silent_since = None;
                Ok(())
            }
            Err(error)
                if matches!(error.code(), Some(ErrorCode::AlreadyStarted | ErrorCode::WrongState | ErrorCode::Invalid)) =>
            {
                self.fail(format!("The load could not be started: {error}"));
                Ok(())
            }
            Err(error) => self.silent(pod, &error).await,
        }
    }

    /// Where the parts of the load are carried out: the first beside what leads it, in the owner's pod; none of a load from one pod.
    /// Absent while an address is not known.
    fn worker_places(&self, workers: &[&PodState]) -> Option<Vec<WorkerPlace>> {
        if workers.is_empty() {
            return Some(Vec::new());
        }
        let first = WorkerPlace { name: title(1, &self.open.document.load.node), address: None };
        let others = workers.iter().zip(self.workers()).map(|(pod, (number, node))| {
            let ip: IpAddr = pod.ip.as_deref()?.parse().ok()?;
            Some(WorkerPlace { name: title(number, &node), address: Some(SocketAddr::new(ip, POD_PORT)) })
        });
        std::iter::once(Some(first)).chain(others).collect()
    }

    /// What takes files in these pods.
    fn file_takers(&self, pods: &[&PodState]) -> Result<Vec<FilesPodClient<PodProxy>>, KubernetesError> {
        let token = self.open.token()?;
        Ok(pods.iter().map(|pod| transport::sent_files(self.connection, self.run, &pod.name, token.clone())).collect())
    }

    /// Sends the load pods what they read; each can be sent it again.
    async fn send_files(&self, pods: &[&PodState]) -> Result<(), KubernetesError> {
        for client in self.file_takers(pods)? {
            for file in &self.open.document.files {
                let path = dyno_datasets::path_of(&self.app.config.data_dir, file.dataset);
                client.upload(&file.dataset.to_string(), &path, &file.sha256, |_| {}).await?;
            }
        }
        Ok(())
    }

    /// Ends what has taken the files; where it has ended already, nothing happens.
    async fn end_sent_files(&self, pods: &[&PodState]) -> Result<(), KubernetesError> {
        for client in self.file_takers(pods)? {
            if let Err(error) = client.done().await {
                // It waits for files until the run's end, which costs nothing.
                tracing::debug!(run.id = %self.run.id, %error, "what takes a load pod's files is not ended yet");
            }
        }
        Ok(())
    }
}

/// What a load pod is called, in the report, too.
fn title(number: usize, node: &str) -> String {
    format!("Load pod {number} on node {node}")
}
