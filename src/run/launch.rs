//! What carries out a run's engine and load, wherever that is. The run's folder is the common ground: whoever carries a run
//! out brings its journal, spool, records and report there, and the supervisor only reads files.

use std::path::Path;

use async_trait::async_trait;

use super::keeper::spec::KeeperSpec;
use crate::credentials::Secret;
use crate::store::Keeper;

/// Why a run could not be handed over; a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct LaunchError(pub String);

/// Whether whoever carries a run out is still there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    /// Nobody was ever told to carry it out.
    Unborn,
    /// At work.
    Alive,
    /// Gone; the journal says whether its work was ended.
    Gone,
}

/// Carries runs out. A second implementation hands them to a Kubernetes cluster.
#[async_trait]
pub(super) trait Launcher: std::fmt::Debug + Send + Sync {
    /// Hands a run over. Its load is never started twice.
    async fn launch(&self, folder: &Path, spec: &KeeperSpec, secret: Option<&Secret>) -> Result<Option<Keeper>, LaunchError>;

    /// Brings what was told since into the folder's journal and spool, and says whether anybody still tells.
    async fn pull(&self, folder: &Path) -> Life;

    /// Asks for the run's end; `force` when asking has not helped.
    async fn cancel(&self, folder: &Path, force: bool);

    /// After the end: makes sure that nothing is left running, and brings records and report into the folder. Answers
    /// what could not be ended.
    async fn collect(&self, folder: &Path) -> Result<(), String>;
}
