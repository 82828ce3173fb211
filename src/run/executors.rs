//! Which executor carries a run out.

use std::fmt;
use std::sync::Arc;

use super::executor::{ClusterExecutor, ExecutorError};
use super::kubernetes::KubernetesExecutor;
use super::local::LocalExecutor;
use crate::domain::inventory::{Cluster, ClusterAccess};
use crate::state::AppState as App;
use crate::store::StoreError;

/// The executors that this portal has, one for each kind of cluster.
#[derive(Clone)]
pub(super) struct Executors {
    pub local: Arc<dyn ClusterExecutor>,
    pub app: App,
}

impl fmt::Debug for Executors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Executors").field("local", &self.local).finish_non_exhaustive()
    }
}

impl Executors {
    pub(super) fn new(app: &App) -> Self {
        Self { local: Arc::new(LocalExecutor::new(app)), app: app.clone() }
    }

    /// Removes what was left of runs on every cluster.
    pub(super) async fn sweep(&self) -> Result<(), StoreError> {
        for cluster in self.app.store.clusters_of_portal().await? {
            let Ok(executor) = self.of(&cluster) else { continue };
            if let Err(error) = executor.sweep().await {
                tracing::warn!(cluster.name = %cluster.name, %error, "what runs left on a cluster could not be looked for");
            }
        }
        Ok(())
    }

    /// What carries runs out on a cluster.
    pub(super) fn of(&self, cluster: &Cluster) -> Result<Arc<dyn ClusterExecutor>, ExecutorError> {
        match &cluster.access {
            ClusterAccess::Local => Ok(Arc::clone(&self.local)),
            ClusterAccess::Kubernetes(access) => Ok(Arc::new(KubernetesExecutor::new(&self.app, cluster, access))),
            ClusterAccess::Catalogue => Err(ExecutorError::SimulationOnly),
        }
    }
}
