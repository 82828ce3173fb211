//! Which executor carries a run out.

use std::sync::Arc;

use super::executor::{ClusterExecutor, ExecutorError};
use super::local::LocalExecutor;
use crate::domain::inventory::{Cluster, ClusterAccess};
use crate::state::AppState as App;

/// The executors that this portal has, one for each kind of cluster.
#[derive(Debug, Clone)]
pub(super) struct Executors {
    pub local: Arc<dyn ClusterExecutor>,
}

impl Executors {
    pub(super) fn new(app: &App) -> Self {
        Self { local: Arc::new(LocalExecutor::new(app)) }
    }

    /// What carries runs out on a cluster.
    pub(super) fn of(&self, cluster: &Cluster) -> Result<Arc<dyn ClusterExecutor>, ExecutorError> {
        match &cluster.access {
            ClusterAccess::Local => Ok(Arc::clone(&self.local)),
            ClusterAccess::Kubernetes(_) => Err(ExecutorError::NotAvailable),
            ClusterAccess::Catalogue => Err(ExecutorError::SimulationOnly),
        }
    }
}
