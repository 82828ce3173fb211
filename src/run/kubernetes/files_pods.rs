//! Pods of Jobs that look after files on nodes. Of one that is lost its Job makes another, and what was done in it is gone on with there.

use std::time::Duration;

use dyno_kubernetes::objects::{FILES_RETRIES, RunName};
use dyno_kubernetes::{Connection, PodFailure, PodState, PodStep};
use dyno_pod::Token;
use dyno_pod::client::FilesPodClient;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::error::KubernetesError;
use super::patience::while_unanswered;
use super::steps;
use super::transport::{self, PodProxy};

/// Between two questions.
pub(super) const PAUSE: Duration = Duration::from_secs(1);
/// A Job that has no pod is waited for so long: after its last pod was lost it pauses, up to a minute and a half.
const WITHOUT_POD: Duration = Duration::from_mins(3);

pub(super) type Client = FilesPodClient<PodProxy>;

/// A pod for each node, of which each was ready.
pub(super) struct FilesPods<'a> {
    connection: Connection,
    run: RunName,
    token: Token,
    nodes: &'a [String],
    progress: &'a watch::Sender<String>,
    /// The names of the nodes' pods.
    pods: Vec<String>,
    /// How many pods were lost.
    lost: i32,
}

impl<'a> FilesPods<'a> {
    /// Waits until the Job of each node has a pod that is ready.
    pub(super) async fn ready(
        connection: Connection,
        run: RunName,
        token: Token,
        nodes: &'a [String],
        progress: &'a watch::Sender<String>,
    ) -> Result<Self, KubernetesError> {
        let mut all = Self { connection, run, token, nodes, progress, pods: Vec::new(), lost: 0 };
        for index in 0..nodes.len() {
            let pod = all.ready_pod(index).await?;
            all.pods.push(pod);
        }
        Ok(all)
    }

    /// Does something in a node's pod. Where that is lost meanwhile, it is done once more in the next: uploads and downloads go on where they
    /// stopped.
    pub(super) async fn work<T, F>(&mut self, index: usize, work: impl Fn(Client) -> F) -> Result<T, KubernetesError>
    where
        F: Future<Output = Result<T, KubernetesError>>,
    {
        loop {
            let lost = tokio::select! {
                done = work(self.client(index)) => return done,
                lost = self.until_lost(index) => lost?,
            };
            let node = &self.nodes[index];
            if self.lost == FILES_RETRIES || ended_by_itself(&lost) {
                return Err(KubernetesError::FilesPod { node: node.clone(), why: lost.to_string() });
            }
            self.lost += 1;
            let words = format!("Node {node}: the pod that brings files was lost, another one goes on. {lost}");
            self.progress.send_replace(words);
            self.pods[index] = self.ready_pod(index).await?;
        }
    }

    /// Tells the pods that they are no longer needed.
    pub(super) async fn done(&self) {
        for (index, node) in self.nodes.iter().enumerate() {
            if let Err(error) = self.client(index).done().await {
                tracing::debug!(run.id = %self.run.id, %node, %error, "a pod for files is ended without a word");
            }
        }
    }

    fn client(&self, index: usize) -> Client {
        transport::files_pod(&self.connection, &self.run, &self.pods[index], self.token.clone())
    }

    /// The pods that a node's Job has made and that are there still.
    async fn pods_of(&self, index: usize) -> Result<Vec<PodState>, KubernetesError> {
        let look = || async { Ok(self.connection.run_state(&self.run).await?) };
        let mut state = while_unanswered(look).await?.ok_or(KubernetesError::NotMade)?;
        Ok(state.files.remove(&self.run.files(index)).unwrap_or_default())
    }

    /// The name of a node's pod once it is ready and no other of its Job's may still write.
    async fn ready_pod(&self, index: usize) -> Result<String, KubernetesError> {
        let node = &self.nodes[index];
        let failed = |why: String| KubernetesError::FilesPod { node: node.clone(), why };
        let mut since = Instant::now();
        loop {
            let pods = self.pods_of(index).await?;
            let (over, live): (Vec<_>, Vec<_>) = pods.into_iter().partition(|pod| pod.has_ended);
            match live.as_slice() {
                [pod] if pod.step == PodStep::Ready => return Ok(pod.name.clone()),
                [PodState { step: PodStep::Failed(failure), .. }] if !is_leaving(failure) => {
                    return Err(failed(failure.to_string()));
                }
                [pod] if !matches!(pod.step, PodStep::Failed(_)) => {
                    since = Instant::now();
                    if let Some(words) = steps::words_of(pod) {
                        self.progress.send_replace(format!("Node {node}: the pod that looks after files {words}"));
                    }
                }
                others => {
                    if let Some(failure) = over.iter().find_map(failure_of).filter(ended_by_itself) {
                        return Err(failed(failure.to_string()));
                    }
                    if over.is_empty()
                        && others.is_empty()
                        && let Some(refusal) = self.connection.job_refusal(&self.run, &self.run.files(index)).await?
                    {
                        return Err(refusal.into());
                    }
                    if since.elapsed() > WITHOUT_POD || over.len() > FILES_RETRIES as usize {
                        let last = over.iter().chain(others).find_map(failure_of);
                        return Err(failed(last.map_or_else(|| "Its Job makes none.".to_owned(), |last| last.to_string())));
                    }
                }
            }
            sleep(PAUSE / 2).await;
        }
    }

    /// Waits until a node's pod is lost; says why it was.
    async fn until_lost(&self, index: usize) -> Result<PodFailure, KubernetesError> {
        loop {
            sleep(PAUSE).await;
            let pods = self.pods_of(index).await?;
            match pods.iter().find(|pod| pod.name == self.pods[index]) {
                None => return Ok(PodFailure::Deleted),
                Some(pod) if pod.step == PodStep::Succeeded => return Ok(PodFailure::Exited { status: 0, signal: None }),
                Some(pod) => {
                    if let Some(failure) = failure_of(pod) {
                        return Ok(failure);
                    }
                }
            }
        }
    }
}

/// Whether a pod that has not ended yet is on its way out: its Job makes another.
fn is_leaving(failure: &PodFailure) -> bool {
    matches!(failure, PodFailure::Deleted | PodFailure::Evicted(_) | PodFailure::NodeLost { .. })
}

/// Whether a pod's program gave up: the next one would do so, too, though the Job tries. Above 127 it was killed.
fn ended_by_itself(failure: &PodFailure) -> bool {
    matches!(failure, PodFailure::Exited { status: 1..=127, signal: None })
}

fn failure_of(pod: &PodState) -> Option<PodFailure> {
    match &pod.step {
        PodStep::Failed(failure) => Some(failure.clone()),
        _ => None,
    }
}
