//! Handing a run over to the cluster, and asking for its end.

use std::collections::BTreeMap;

use dyno_kubernetes::objects::{self, RunName, keys};
use dyno_kubernetes::{ClusterNode, Connection, PodStep};
use uuid::Uuid;

use super::document::{RunDocument, SentFile};
use super::error::KubernetesError;
use super::owner::{lifetime, remove_owner};
use super::placement::{self, LoadDemand};
use super::{KubernetesExecutor, layout, transport};
use crate::credentials::Secret;
use crate::domain::benchmark::LOAD_CPU_MILLICORES;
use crate::run::execution::ExecutionSpec;
use crate::state::config::is_loopback;
use dyno_measure::address::Address;
use dyno_measure::plan::{Plan, Workload};
use dyno_measure::report::provenance::LoadPodFacts;

impl KubernetesExecutor {
    /// Makes the owner, which has no load pod yet, and the Secret with all that a portal needs to go on. What can't be done is undone.
    pub(super) async fn hand_over(&self, spec: &ExecutionSpec, secret: Option<&Secret>) -> Result<(), KubernetesError> {
        let connection = self.connection().await?;
        let run = self.name(spec.run_id);
        let done = self.make(&connection, &run, spec, secret).await;
        if done.is_err()
            && let Err(error) = connection.delete_owner(&run).await
        {
            tracing::warn!(run.id = %run.id, %error, "what was made of a run could not be removed");
        }
        done
    }

    async fn make(
        &self,
        connection: &Connection,
        run: &RunName,
        spec: &ExecutionSpec,
        secret: Option<&Secret>,
    ) -> Result<(), KubernetesError> {
        let nodes = connection.nodes().await?;
        let document = self.document(spec, &nodes)?;
        connection.ensure_namespace(&run.namespace).await?;
        // Of a portal that stopped before it had handed the run over; what its pod is to be can't be changed.
        if connection.owner(run).await?.is_some() {
            remove_owner(connection, run).await?;
        }
        connection.apply(&objects::owner(run, lifetime(spec.deadline), &document.load)).await?;
        let owner = connection.owner(run).await?.ok_or(KubernetesError::NotMade)?;
        let mut data: BTreeMap<&'static str, Vec<u8>> = BTreeMap::new();
        data.insert(keys::SPEC, serde_json::to_vec(&document)?);
        data.insert(keys::PLAN, serde_json::to_vec(&document.execution.plan)?);
        if let Some(verify) = &document.execution.verify {
            data.insert(keys::VERIFY, serde_json::to_vec(verify)?);
        }
        data.insert(keys::TOKEN, self.run_token(connection, run).await?);
        if let Some(secret) = secret {
            data.insert(keys::CREDENTIAL, secret.expose().as_bytes().to_vec());
        }
        connection.apply(&objects::secret(run, &owner.reference, data)).await?;
        Ok(())
    }

    /// The token of the run's pods: the one that pods which brought its files have already, else a new one.
    pub(super) async fn run_token(&self, connection: &Connection, run: &RunName) -> Result<Vec<u8>, KubernetesError> {
        let known = connection.run_secret(run).await?.and_then(|mut data| data.remove(keys::TOKEN));
        Ok(known.unwrap_or_else(|| hex::encode(rand::random::<[u8; 32]>()).into_bytes()))
    }

    fn document(&self, spec: &ExecutionSpec, nodes: &[ClusterNode]) -> Result<RunDocument, KubernetesError> {
        let mut under_test: Vec<&str> = spec.engines.iter().map(|engine| engine.node.as_str()).collect();
        under_test.sort_unstable();
        under_test.dedup();
        // Without engines, the chosen node is the one that the provider is called from.
        let asked = spec.load_node.as_deref().or_else(|| {
            spec.engines.is_empty().then(|| spec.plan.endpoints.first().map(|endpoint| endpoint.node.as_str())).flatten()
        });
        let demand = LoadDemand { pods: spec.load_pods, cpu_millis: spec.load_cpu_millicores.unwrap_or(LOAD_CPU_MILLICORES) };
        let load = placement::load_nodes(asked, &under_test, demand, nodes)?;
        if let Some(endpoint) = spec.plan.endpoints.iter().find(|endpoint| is_of_the_pod(&endpoint.base_url)) {
            return Err(KubernetesError::Loopback(endpoint.base_url.clone()));
        }
        let files = sent_files(&spec.plan);
        let mut execution = spec.clone();
        let notes = load.notes.clone();
        execution.provenance.notes.extend(notes.iter().cloned());
        let facts = |node: &String| LoadPodFacts { node: node.clone(), cpu_millicores: load.cpu_millis };
        execution.provenance.load_pods = load.hostnames.iter().map(facts).collect();
        for policy in
            [&mut execution.plan].into_iter().chain(&mut execution.verify).filter_map(|plan| plan.address_policy.as_mut())
        {
            // In a pod, loopback is the pod. Other addresses of the portal's machine are reached where loopback would be there.
            if std::mem::take(&mut policy.loopback) {
                policy.own_addresses.clear();
            }
        }
        let images = self.images()?;
        let mut load_pods = layout::load_pods(images, &load, !files.is_empty());
        Ok(RunDocument {
            engines: layout::engine_pods(spec, nodes, &load, images.pull_secrets)?,
            load: load_pods.next().ok_or(KubernetesError::NoNode)?,
            workers: load_pods.collect(),
            execution,
            files,
            notes,
        })
    }

    /// Says on the cluster that the run is to end, and has the load write down what it has.
    pub(super) async fn ask_to_end(&self, run: Uuid, force: bool) -> Result<(), KubernetesError> {
        let connection = self.connection().await?;
        let name = self.name(run);
        connection.mark_cancelled(&name).await?;
        let Some(open) = self.open(&connection, run).await? else { return Ok(()) };
        let state = connection.run_state(&name).await?;
        if let Some(load) = state.and_then(|state| state.load).filter(|load| load.step == PodStep::Ready) {
            transport::load_pod(&connection, &name, &load.name, open.token()?).cancel(force).await?;
        }
        Ok(())
    }
}

/// Whether an address is one that is each machine's own.
fn is_of_the_pod(base_url: &str) -> bool {
    Address::parse(base_url).is_ok_and(|address| is_loopback(&address.host) || address.host.ends_with(".localhost"))
}

/// The files that a load reads, which are the portal's.
fn sent_files(plan: &Plan) -> Vec<SentFile> {
    let file = |file: &dyno_measure::plan::DatasetFile| {
        Some(SentFile { dataset: file.id, name: file.name.clone(), sha256: file.sha256.clone()? })
    };
    match &plan.workload {
        Workload::Synthetic { .. } => Vec::new(),
        Workload::Dataset { files, .. } => files.iter().filter_map(file).collect(),
        Workload::Trace { file: trace, .. } => file(trace).into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_the_pod_itself() {
        for own in [
            "http://127.0.0.1:8100/v1",
            "http://localhost:8100",
            "http://[::1]:8100/v1",
            "http://127.9.9.9/v1",
            "http://m.localhost/v1",
        ] {
            assert!(is_of_the_pod(own), "{own}");
        }
        for other in ["https://api.openai.com/v1", "http://10.0.0.7:8000/v1", "http://localhost.example.org/v1"] {
            assert!(!is_of_the_pod(other), "{other}");
        }
    }
}
