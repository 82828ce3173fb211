//! Start and stop of the portal.

use std::fs::{File, TryLockError};
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::connections::{self, ConnectionLimits};
use super::metrics;
use super::router::{PageRoutes, router};
use crate::api::calls::{account, seed};
use crate::auth::session::SESSION_IDLE;
use crate::run::{Supervisor, learning};
use crate::state::{AppState, Config, ConfigError, OpenError, ServeArgs};
use crate::store::{Store, StoreError};
use dyno_measure::run::RunStatus;

/// How long open requests may take after a stop was asked for.
const GRACE: Duration = Duration::from_secs(8);
/// How often expired rows are removed.
const SWEEP_EVERY: Duration = Duration::from_mins(15);

/// Why the portal can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A part of the portal can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The address can't be listened on, or serving failed.
    #[error("{0}: {1}")]
    Listen(SocketAddr, #[source] std::io::Error),
    /// Another portal uses the data folder.
    #[error("{0}: {1}")]
    Lock(PathBuf, String),
    /// The signals can't be listened to.
    #[error("signals: {0}")]
    Signals(#[source] std::io::Error),
}

/// A portal that is listening.
pub struct Portal {
    app: AppState,
    pages: PageRoutes,
    listener: TcpListener,
    address: SocketAddr,
    /// For Prometheus, where that is wanted.
    metrics: Option<TcpListener>,
    /// Held while the portal lives.
    lock: File,
}

impl Portal {
    /// Opens everything and listens, but does not answer yet.
    pub async fn open(args: ServeArgs, pages: PageRoutes) -> Result<Self, StartError> {
        keep_files_private();
        let (mut config, mut options) = Config::from_args(args)?;
        let lock = lock(&config.data_dir)?;
        // Port 0 asks for any free one.
        let (listener, address) = listen(config.site_addr).await?;
        config.site_addr = address;
        let mut metrics = None;
        if let Some(wanted) = config.metrics_addr {
            let (listener, address) = listen(wanted).await?;
            config.metrics_addr = Some(address);
            metrics = Some(listener);
        }
        options.site_addr = address;
        let app = AppState::open(config, options).await?;
        if let Err(problem) = seed(&app).await {
            // everything else works without the built-in objects
            tracing::error!(%problem, "what comes with Dyno could not be put in place");
        }
        Ok(Self { app, pages, listener, address, metrics, lock })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn app(&self) -> &AppState {
        &self.app
    }

    /// Serves until `stop` completes, then ends event streams and finishes open requests.
    pub async fn run(self, stop: impl Future<Output = ()> + Send + 'static) -> Result<(), StartError> {
        let Self { app, pages, listener, metrics: metrics_listener, lock, .. } = self;
        Supervisor::new(&app).start(&app);
        learning::start(&app);
        let sweeper = tokio::spawn(sweep(app.clone()));
        let shutdown = app.shutdown.clone();
        let stopping = shutdown.clone();
        let stopper = tokio::spawn(async move {
            stop.await;
            // ends event streams, for which the server would wait
            stopping.cancel();
        });
        let limits = ConnectionLimits::of_portal(app.config.trusted_proxies.clone());
        let server = async {
            let portal = connections::serve(listener, router(&app, &pages), limits.clone(), shutdown.clone());
            match metrics_listener {
                Some(listener) => {
                    let telling = connections::serve(listener, metrics::router(&app), limits.clone(), shutdown.clone());
                    tokio::join!(portal, telling);
                }
                None => portal.await,
            }
        };
        let deadline = async {
            shutdown.cancelled().await;
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            () = server => {}
            () = deadline => tracing::warn!("some requests did not end in time"),
        }
        stopper.abort();
        sweeper.abort();
        app.store.close().await;
        drop(lock);
        Ok(())
    }
}

async fn listen(wanted: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let listener = TcpListener::bind(wanted).await.map_err(|error| StartError::Listen(wanted, error))?;
    let address = listener.local_addr().map_err(|error| StartError::Listen(wanted, error))?;
    Ok((listener, address))
}

/// What this process and its children make is for the portal's user alone: databases, run folders, logs, uploads, downloads.
fn keep_files_private() {
    use nix::sys::stat::{Mode, umask};
    umask(Mode::S_IRWXG | Mode::S_IRWXO);
}

/// Two portals on one data folder would both execute its runs. The lock ends with the process, however that ends.
fn lock(data_dir: &Path) -> Result<File, StartError> {
    let path = data_dir.join("portal.lock");
    let file = File::create(&path).map_err(|error| StartError::Lock(path.clone(), error.to_string()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StartError::Lock(path, "another portal uses this data folder".to_owned())),
        Err(TryLockError::Error(error)) => Err(StartError::Lock(path, error.to_string())),
    }
}

async fn sweep(app: AppState) {
    loop {
        if let Err(error) = app.store.sweep(Timestamp::now(), SESSION_IDLE).await {
            tracing::warn!(%error, "ended sessions could not be removed");
        }
        tokio::time::sleep(SWEEP_EVERY).await;
    }
}

/// `dyno serve`: serves until the process is told to stop.
pub async fn serve(args: ServeArgs) -> Result<(), StartError> {
    let portal = Portal::open(args, PageRoutes::generate()).await?;
    let app = portal.app().clone();
    // Before the portal says where it is: whoever has read that may send the signal at once.
    let mut terminate = signal(SignalKind::terminate()).map_err(StartError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(StartError::Signals)?;
    welcome(&app).await?;
    portal
        .run(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            farewell(&app).await;
        })
        .await
}

/// `dyno migrate`: brings the database up to date without serving.
pub async fn migrate(args: ServeArgs) -> Result<(), StartError> {
    keep_files_private();
    let (config, _) = Config::from_args(args)?;
    let _lock = lock(&config.data_dir)?;
    let store = Store::open(&config.database_url, &config.data_dir).await?;
    say("The database is up to date.");
    store.close().await;
    Ok(())
}

/// Prints the portal's address, and how to sign in for the first time.
async fn welcome(app: &AppState) -> Result<(), StartError> {
    let base = app.config.base_url();
    say(&format!("Dyno {} is at {base}", env!("CARGO_PKG_VERSION")));
    if let Some(link) = account::first_link(app, Timestamp::now()).await? {
        say(&format!(
            "\nNobody can sign in yet. Open this link once, within 24 hours, to set the administrator's password:\n\n    {link}\n"
        ));
    }
    if !app.config.site_root.is_dir() {
        let folder = app.config.site_root.display();
        say(&format!("There is no folder {folder}: pages have no styles and no program. `make build` makes it."));
    }
    Ok(())
}

/// Prints which runs continue without the portal.
async fn farewell(app: &AppState) {
    let open = app.store.open_runs().await.unwrap_or_default();
    let at_work: Vec<String> = open
        .iter()
        .filter(|open| open.run.status != RunStatus::Queued && open.cursor.is_some())
        .map(|open| open.run.id.to_string())
        .collect();
    let waiting = open.len() - at_work.len();
    say("Stopping.");
    for id in &at_work {
        say(&format!("Run {id} goes on by itself; its results are read at the next start."));
    }
    if waiting > 0 {
        say(&format!("{waiting} waiting run(s) begin after the next start."));
    }
}

/// Prints to the terminal, not the log.
fn say(text: &str) {
    // a closed terminal is no error
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}
