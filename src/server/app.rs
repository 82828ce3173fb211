//! The state that all handlers share.

use std::sync::Arc;

use axum::extract::FromRef;
use jiff::Timestamp;
use leptos::config::LeptosOptions;
use tokio_util::sync::CancellationToken;

use super::{Config, Throttle, files};
use crate::cluster::{Clusters, Local};
use crate::credentials::{Outgoing, OutgoingOptions, Vault, VaultError};
use crate::run::Supervisor;
use crate::store::{Store, StoreError};

/// The portal. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<AppInner>);

/// What the portal consists of.
pub struct AppInner {
    /// What it was told at its start.
    pub config: Config,
    /// What is kept.
    pub store: Store,
    /// The cipher of stored secrets.
    pub vault: Vault,
    /// Where benchmarks run.
    pub clusters: Clusters,
    /// What takes runs through their stages.
    pub supervisor: Supervisor,
    /// Requests to addresses that users name.
    pub outgoing: Outgoing,
    /// What Leptos needs to draw pages.
    pub leptos_options: LeptosOptions,
    /// Failed sign-ins.
    pub throttle: Throttle,
    /// Cancelled when the portal stops; event streams end by it.
    pub shutdown: CancellationToken,
    /// First parts of the paths of static files.
    pub(super) static_names: Vec<String>,
}

impl std::ops::Deref for App {
    type Target = AppInner;

    fn deref(&self) -> &AppInner {
        &self.0
    }
}

impl FromRef<App> for LeptosOptions {
    fn from_ref(app: &App) -> Self {
        app.leptos_options.clone()
    }
}

/// Why the portal can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] super::ConfigError),
    /// The database does not open.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key of stored secrets does not load.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// TLS does not set up.
    #[error("tls: {0}")]
    Tls(String),
    /// The address can't be listened on, or serving failed.
    #[error("{0}: {1}")]
    Listen(std::net::SocketAddr, #[source] std::io::Error),
    /// The data folder can't be had for this portal alone.
    #[error("{0}: {1}")]
    Lock(std::path::PathBuf, String),
    /// The signals can't be listened to.
    #[error("signals: {0}")]
    Signals(#[source] std::io::Error),
}

impl App {
    /// Opens everything that the portal consists of. The supervisor does not work yet.
    pub async fn open(config: Config, leptos_options: LeptosOptions) -> Result<Self, StartError> {
        let store = Store::open(&config.database_url, &config.data_dir).await?;
        let vault = Vault::open(config.secret_key.as_ref(), &config.data_dir)?;
        let outgoing = Outgoing::new(OutgoingOptions {
            own_ports: vec![config.site_addr.port()],
            allow_loopback: config.allow_loopback,
            system_proxy: config.system_proxy,
        })
        .map_err(|error| StartError::Tls(error.to_string()))?;
        store.local_cluster(Timestamp::now()).await?;
        Ok(Self(Arc::new(AppInner {
            static_names: files::names_in(&config.site_root),
            clusters: Clusters::new(Arc::new(Local::default())),
            supervisor: Supervisor::new(),
            throttle: Throttle::default(),
            shutdown: CancellationToken::new(),
            config,
            store,
            vault,
            outgoing,
            leptos_options,
        })))
    }
}
