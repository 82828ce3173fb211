//! The portal's own machine as a place where runs are carried out: a keeper process for each, which outlives the portal,
//! and a folder for each (`DATA/runs/ID`), which keeper and load write and the portal reads.

mod files;
mod folder;
mod journal;
pub mod keeper;
mod process;
mod tail;
mod transfer;

use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt as _};
use jiff::{SignedDuration, Timestamp};
use nix::sys::signal::Signal;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::watch;
use uuid::Uuid;

use super::execution::ExecutionSpec;
use super::executor::{
    Batch, ClusterExecutor, Collected, Cursor, ExecutionState, ExecutorError, LeftBehind, Placement, RecordPortion,
};
use crate::credentials::{Outgoing, Secret};
use crate::domain::benchmark::{BenchmarkSpec, Serving};
use crate::domain::engine::EngineAvailability;
use crate::engine::{self, Program, ProgramSearch, environment};
use crate::models::HubSettings;
use crate::state::AppState as App;
use crate::store::Store;

/// How long a keeper may take to begin its journal.
const START_LIMIT: Duration = Duration::from_mins(1);
/// How long the guards of a lost keeper are given before their groups are killed: longer than their own grace period.
const GUARD_LIMIT: Duration = Duration::from_secs(35);
/// A keeper past its deadline is killed after this.
const OVERDUE: SignedDuration = SignedDuration::from_secs(120);
/// Where engines listen and are asked.
const HOST: &str = "127.0.0.1";

/// What is asked of a cluster of pods and the portal's own machine can't do.
#[derive(Debug, thiserror::Error)]
enum LocalClusterError {
    #[error("The local cluster runs no containers; leave the engine's image out.")]
    NoContainers,
    #[error("The load can only come from {0}, the local cluster's one node.")]
    NoLoadNode(String),
}

impl From<LocalClusterError> for ExecutorError {
    fn from(error: LocalClusterError) -> Self {
        Self::Cluster(Box::new(error))
    }
}

/// Starts keepers of Dyno's own program.
#[derive(Debug)]
pub(super) struct LocalExecutor {
    program: PathBuf,
    data_dir: PathBuf,
    program_search: ProgramSearch,
    model_roots: Vec<PathBuf>,
    hub: HubSettings,
    outgoing: Outgoing,
    store: Store,
    digests: transfer::ModelDigests,
    /// Deadlines of the runs that are watched; absent where a specification can't be read.
    deadlines: Mutex<HashMap<Uuid, Option<Timestamp>>>,
}

impl LocalExecutor {
    pub(super) fn new(app: &App) -> Self {
        Self {
            program: app.config.program.clone(),
            data_dir: app.config.data_dir.clone(),
            program_search: app.program_search.clone(),
            model_roots: app.config.model_roots.clone(),
            hub: app.config.hub.clone(),
            outgoing: app.outgoing.clone(),
            store: app.store.clone(),
            digests: transfer::ModelDigests::default(),
            deadlines: Mutex::default(),
        }
    }

    fn folder(&self, run: Uuid) -> PathBuf {
        self.data_dir.join("runs").join(run.to_string())
    }

    fn is_overdue(&self, run: Uuid, folder: &Path) -> bool {
        let mut deadlines = self.deadlines.lock().unwrap_or_else(PoisonError::into_inner);
        let deadline = deadlines.entry(run).or_insert_with(|| folder::specification(folder).map(|spec| spec.deadline));
        deadline.is_some_and(|deadline| Timestamp::now() > deadline + OVERDUE)
    }

    fn spawn(&self, folder: &Path) -> io::Result<tokio::process::Child> {
        let log = File::options().create(true).append(true).open(folder.join(files::KEEPER_LOG))?;
        let mut command = tokio::process::Command::new(&self.program);
        command
            .arg("keeper")
            .arg("--dir")
            .arg(folder)
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(false);
        environment::withheld().for_each(|name| _ = command.env_remove(name));
        command.spawn()
    }
}

#[async_trait]
impl ClusterExecutor for LocalExecutor {
    async fn engines(&self) -> Result<Vec<EngineAvailability>, ExecutorError> {
        let search = self.program_search.clone();
        // Looks at the disk, hence off the async threads.
        Ok(tokio::task::spawn_blocking(move || engine::availability(&search)).await?)
    }

    async fn find_engine(&self, serving: &Serving) -> Result<Program, ExecutorError> {
        if serving.engine_image.is_some() {
            return Err(LocalClusterError::NoContainers.into());
        }
        let recipe = engine::recipe(serving.engine.ok_or(ExecutorError::NoEngine)?);
        let search = self.program_search.clone();
        let (found, how_to_get) = tokio::task::spawn_blocking(move || (recipe.find(&search), recipe.how_to_get(&search))).await?;
        found.ok_or(ExecutorError::EngineNotFound { title: recipe.kind().title(), place: "on this machine", how_to_get })
    }

    async fn transfer(
        &self,
        _run: Uuid,
        spec: &BenchmarkSpec,
        progress: watch::Sender<String>,
    ) -> Result<Placement, ExecutorError> {
        let model = if spec.model.is_cloud() { None } else { Some(self.transfer_model(&spec.model, progress).await?) };
        Ok(Placement {
            model,
            datasets: spec.datasets.iter().map(|set| dyno_datasets::path_of(&self.data_dir, set.id)).collect(),
            self_check_cache: Some(self.data_dir.join("self-check")),
        })
    }

    async fn launch(&self, spec: &ExecutionSpec, secret: Option<&Secret>) -> Result<(), ExecutorError> {
        if let (Some(asked), Some(engine)) = (&spec.load_node, spec.engines.first())
            && *asked != engine.node
        {
            return Err(LocalClusterError::NoLoadNode(engine.node.clone()).into());
        }
        let folder = self.folder(spec.run_id);
        let unwritable = "The run's folder could not be written";
        tokio::fs::create_dir_all(&folder).await.map_err(ExecutorError::io("The run's folder could not be made"))?;
        let text = serde_json::to_vec_pretty(spec).map_err(|error| ExecutorError::io(unwritable)(error.into()))?;
        write_private(&folder.join(files::SPEC), &text).map_err(ExecutorError::io(unwritable))?;
        let mut child = self.spawn(&folder).map_err(ExecutorError::io("The keeper could not be started"))?;
        if let Some(mut pipe) = child.stdin.take() {
            let line = format!("{}\n", secret.map(Secret::expose).unwrap_or_default());
            let untold = "The keeper could not be told the secret";
            pipe.write_all(line.as_bytes()).await.map_err(ExecutorError::io(untold))?;
        }
        let begun = tokio::time::Instant::now();
        while !folder.join(files::JOURNAL).exists() {
            let ended = child.try_wait().ok().flatten().is_some();
            if ended || begun.elapsed() > START_LIMIT {
                let _ = child.kill().await;
                let last = tail::last_lines(&folder.join(files::KEEPER_LOG), 1).pop().unwrap_or_default();
                return Err(ExecutorError::NotBegun(last));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // Waited for while the portal lives, so that it does not stay as a zombie.
        tokio::spawn(async move { child.wait().await });
        Ok(())
    }

    async fn pull(&self, run: Uuid, cursor: Option<&Cursor>) -> Result<Batch, ExecutorError> {
        let folder = self.folder(run);
        // Before reading: what was told until the end is read below.
        let state = state(&folder);
        if state == ExecutionState::Active && self.is_overdue(run, &folder) {
            self.cancel(run, true).await;
        }
        let cursor = folder::Offsets::from(cursor);
        let unreadable = "The run's files could not be read";
        let batch = tokio::task::spawn_blocking(move || folder::read(&folder, cursor)).await?;
        Ok(Batch { state, ..batch.map_err(ExecutorError::io(unreadable))? })
    }

    async fn cancel(&self, run: Uuid, force: bool) {
        let folder = self.folder(run);
        if !folder.exists() {
            return;
        }
        if let Err(error) = File::create(folder.join(files::CANCEL)) {
            tracing::warn!(%error, "could not ask a keeper to end by its file");
        }
        let Some(pid) = keeper_pid(&folder).filter(|_| state(&folder) == ExecutionState::Active) else { return };
        process::signal(pid, if force { Signal::SIGKILL } else { Signal::SIGTERM });
    }

    async fn collect(&self, run: Uuid, _cursor: Option<&Cursor>) -> Result<Collected, ExecutorError> {
        let folder = self.folder(run);
        end_groups(&groups(&folder)).await;
        Ok(tokio::task::spawn_blocking(move || folder::collect(&folder)).await?)
    }

    fn records(
        &self,
        run: Uuid,
        _cursor: Option<&Cursor>,
        skip: u64,
    ) -> BoxStream<'static, Result<RecordPortion, ExecutorError>> {
        let begin = folder::RecordReader::new(&self.folder(run), skip);
        stream::try_unfold(begin, |mut records| async move {
            let (portion, records) = tokio::task::spawn_blocking(move || (records.next(), records)).await?;
            let portion = portion.map_err(ExecutorError::io("Request records could not be read"))?;
            Ok((!portion.is_empty()).then_some((RecordPortion { records: portion, is_anew: false }, records)))
        })
        .boxed()
    }

    async fn tidy_up(&self, run: Uuid) -> Result<(), LeftBehind> {
        self.deadlines.lock().unwrap_or_else(PoisonError::into_inner).remove(&run);
        let groups = groups(&self.folder(run));
        end_groups(&groups).await;
        let left: Vec<u32> = groups.iter().filter(|group| is_theirs(**group)).map(|group| group.0).collect();
        if left.is_empty() { Ok(()) } else { Err(LeftBehind(format!("Processes {left:?} could not be ended."))) }
    }

    async fn remove(&self, run: Uuid) -> Result<(), ExecutorError> {
        match tokio::fs::remove_dir_all(self.folder(run)).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(ExecutorError::io("The run's folder could not be removed")(error))
            }
            _ => Ok(()),
        }
    }

    /// Nothing is left of a lost keeper: its guards end what it started.
    async fn sweep(&self) -> Result<usize, ExecutorError> {
        Ok(0)
    }
}

/// A group that a keeper started, with the start of its first process.
type Group = (u32, Option<u64>);

/// Waits until a run's groups have ended, and kills those that do not.
async fn end_groups(groups: &[Group]) {
    let begun = tokio::time::Instant::now();
    // Where the keeper was lost, its guards are ending what it had started.
    while groups.iter().any(|group| is_theirs(*group)) {
        if begun.elapsed() > GUARD_LIMIT {
            groups.iter().filter(|group| is_theirs(**group)).for_each(|group| process::signal_group(group.0, Signal::SIGKILL));
            tokio::time::sleep(Duration::from_millis(20)).await;
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn state(folder: &Path) -> ExecutionState {
    if !folder.join(files::JOURNAL).exists() {
        return ExecutionState::NotStarted;
    }
    let Ok(lock) = File::open(folder.join(files::LOCK)) else { return ExecutionState::Gone };
    match lock.try_lock() {
        // Given back as it is dropped.
        Ok(()) => ExecutionState::Gone,
        Err(TryLockError::WouldBlock) => ExecutionState::Active,
        Err(TryLockError::Error(error)) => {
            tracing::warn!(%error, "could not tell whether a keeper lives");
            ExecutionState::Active
        }
    }
}

fn keeper_pid(folder: &Path) -> Option<u32> {
    let processes = journal::read(&folder.join(files::JOURNAL)).ok()?.into_iter().filter_map(journal::JournalEntry::process);
    processes.into_iter().find(|process| process.name == "keeper").map(|process| process.pid)
}

/// The groups that a keeper started during this boot.
fn groups(folder: &Path) -> Vec<Group> {
    let now = process::boot_id();
    let entries = journal::read(&folder.join(files::JOURNAL)).unwrap_or_default();
    entries
        .into_iter()
        .filter_map(journal::JournalEntry::process)
        .filter(|process| process.name != "keeper" && process.boot == now)
        .map(|process| (process.pid, process.start))
        .collect()
}

/// Whether a group that a keeper started has live members. Its id may by now be another group's, whose first process
/// began at another time.
fn is_theirs((group, start): Group) -> bool {
    let first = process::start_ticks(group);
    (first.is_none() || first == start) && !process::members(group).is_empty()
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    // Whole or not at all: an earlier keeper of this run may be about to read it.
    let fresh = path.with_extension("new");
    let mut file = File::options().create(true).write(true).truncate(true).mode(0o600).open(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&fresh, path)
}

#[cfg(test)]
mod tests;
