//! What the parts of the server share. Lies below `api`, `run` and `auth`: data and handles, none of their rules.

mod attempts;
pub mod config;
mod http_metrics;
mod longest_rows;
mod nodes;
mod one_time_secrets;
mod password_hashing;
mod run_notifier;
mod secrets;
mod uploads;

use std::sync::{Arc, Mutex};

use axum::extract::FromRef;
use jiff::Timestamp;
use leptos::config::LeptosOptions;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

pub use self::attempts::Attempts;
pub use self::config::{Config, ConfigError, HubArgs, ServeArgs};
pub use self::http_metrics::HttpMetrics;
pub use self::longest_rows::{LongestRows, RowCounting};
pub use self::one_time_secrets::OneTimeSecrets;
pub use self::password_hashing::PasswordHashing;
pub use self::run_notifier::RunNotifier;
use self::secrets::SealedKubeconfigs;
pub use self::secrets::{SecretError, seal_context_of, seal_context_of_kubeconfig};
pub use self::uploads::UploadsUnderWay;
use crate::cluster::{Clusters, Local};
use crate::credentials::{Outgoing, OutgoingOptions, Vault, VaultError};
use crate::domain::try_it::TryIt;
use crate::engine::ProgramSearch;
use crate::simulation::SimulationSlots;
use crate::store::{Store, StoreError};

/// Passwords that are hashed or checked at the same time.
const PASSWORD_HASHES_AT_ONCE: usize = 2;

/// The portal's state. Cheap to clone.
#[derive(Clone)]
pub struct AppState(Arc<Inner>);

/// What the portal consists of.
pub struct Inner {
    /// What it was told at its start.
    pub config: Config,
    pub store: Store,
    /// The cipher of stored secrets.
    pub vault: Vault,
    pub clusters: Clusters,
    /// Where engines are looked for on the portal's machine.
    pub program_search: ProgramSearch,
    /// Between those who change runs, the supervisor, and those who watch.
    pub run_notifier: RunNotifier,
    /// Requests to addresses that users name.
    pub outgoing: Outgoing,
    /// What Leptos needs to draw pages.
    pub leptos_options: LeptosOptions,
    pub http_metrics: HttpMetrics,
    pub sign_in_attempts: Attempts,
    /// Each hash of a password takes 19 MiB and a core for a while; a flood of sign-ins must not take the machine.
    pub password_hashing: PasswordHashing,
    /// New tokens and links, until their page has shown them.
    pub one_time_secrets: OneTimeSecrets,
    /// Dataset files are read one at a time: a row takes many times its length while it is read.
    pub dataset_imports: Arc<Semaphore>,
    /// Simulations take a core each, and memory.
    pub simulation_slots: SimulationSlots,
    /// Most tokens of a dataset's row, so that a dataset is read once for this and not at every look at a draft.
    pub longest_rows: LongestRows,
    /// What of uploads has come so far.
    pub uploads: UploadsUnderWay,
    /// How far "Try it" is; absent before it was begun.
    pub try_it: Mutex<Option<TryIt>>,
    /// Cancelled when the portal stops; event streams end by it.
    pub shutdown: CancellationToken,
    /// The path of the what-if module, which a worker runs; absent where the browser's half was not built.
    pub what_if_program: Option<String>,
    /// First parts of the paths of static files.
    static_names: Vec<String>,
}

impl std::ops::Deref for AppState {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl FromRef<AppState> for LeptosOptions {
    fn from_ref(state: &AppState) -> Self {
        state.leptos_options.clone()
    }
}

/// Why the state can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The database does not open.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key of stored secrets does not load.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// TLS does not set up.
    #[error("tls: {0}")]
    Tls(#[source] rustls::Error),
}

impl AppState {
    /// Opens everything that the portal consists of. Nothing works on runs yet.
    pub async fn open(config: Config, leptos_options: LeptosOptions) -> Result<Self, OpenError> {
        let store = Store::open(&config.database_url, &config.data_dir).await?;
        let vault = Vault::open(config.secret_key.as_ref(), &config.data_dir)?;
        let outgoing = Outgoing::new(OutgoingOptions {
            own_ports: [Some(config.site_addr), config.metrics_addr].into_iter().flatten().map(|own| own.port()).collect(),
            allow_loopback: config.allow_loopback,
            system_proxy: config.system_proxy,
        })
        .map_err(OpenError::Tls)?;
        store.local_cluster(Timestamp::now()).await?;
        store.catalogue_cluster(Timestamp::now()).await?;
        let state = Self(Arc::new(Inner {
            what_if_program: config::browser_program(&config.site_root.join(&*leptos_options.site_pkg_dir), "whatif")
                .map(|name| format!("/{}/{name}.js", leptos_options.site_pkg_dir)),
            static_names: file_names(&config.site_root),
            clusters: Clusters::new(
                Arc::new(Local::default()),
                Arc::new(SealedKubeconfigs { store: store.clone(), vault: vault.clone() }),
            ),
            run_notifier: RunNotifier::default(),
            http_metrics: HttpMetrics::default(),
            program_search: ProgramSearch::new(&config.data_dir, config.engines.clone()),
            sign_in_attempts: Attempts::default(),
            password_hashing: PasswordHashing::new(PASSWORD_HASHES_AT_ONCE),
            one_time_secrets: OneTimeSecrets::default(),
            dataset_imports: Arc::new(Semaphore::new(1)),
            simulation_slots: SimulationSlots::default(),
            longest_rows: LongestRows::default(),
            uploads: UploadsUnderWay::default(),
            try_it: Mutex::default(),
            shutdown: CancellationToken::new(),
            config,
            store,
            vault,
            outgoing,
            leptos_options,
        }));
        state.seal_with_receivers().await?;
        Ok(state)
    }

    /// The same with another store.
    #[cfg(test)]
    pub(crate) fn with_store(self, store: Store) -> Self {
        let Some(inner) = Arc::into_inner(self.0) else { panic!("the state is in use") };
        Self(Arc::new(Inner { store, ..inner }))
    }

    /// Whether the path is one of a static file (which need not exist: then it is a 404 for everybody).
    pub fn is_static_file(&self, path: &str) -> bool {
        let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
        first == &*self.leptos_options.site_pkg_dir || self.static_names.iter().any(|name| name == first)
    }
}

/// The first parts of the paths of all static files: what lies in the site root. Read once at the start.
fn file_names(root: &std::path::Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(root) else { return Vec::new() };
    entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).filter(|name| !name.starts_with('.')).collect()
}
