//! The database: users, inventory, drafts, benchmarks, runs with their events, reports and request records; one file per area.
//! No database type is public, so that another database can be used behind the same methods.
//!
//! Access control is done here: every loader of an object with an owner takes the [`Actor`](crate::domain::user::Actor) and
//! answers for another person's object exactly as for one that does not exist. Methods without an actor are for the portal
//! itself (the supervisor, sign-in), and say so.

mod benchmarks;
mod clusters;
mod device_specifications;
mod error;
mod events;
mod form_actions;
mod forms;
mod history;
mod inventory;
mod person_row;
mod prices;
mod profiles;
mod records;
mod reports;
mod row;
mod runs;
mod schema;
mod search;
mod sessions;
mod telemetry;
mod tokens;
mod users;
mod workflows;

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, Sqlite, Transaction};
use tokio::sync::{Mutex, Semaphore};

pub use benchmarks::NewRun;
pub use error::StoreError;
pub use events::{RunSnapshot, RunUpdate};
pub use form_actions::FormAction;
pub use forms::EntryOf;
pub use inventory::SealedCredential;
pub use profiles::LearntRun;
pub use runs::OpenRun;
pub use sessions::{LinkState, REMEMBERED};

/// Connections for reading.
const READERS: u32 = 8;
/// How many of them pages of request records may take.
const RECORD_PAGES: usize = 3;
/// What must be free on the disk for the database to count as writable, bytes. One page of its log may still fit where an
/// ordinary transaction, which takes some dozens, no longer does.
const ROOM: usize = 1 << 20;

/// The portal's database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    /// Connections for reading; with WAL they are not blocked by a writer.
    read: SqlitePool,
    /// The only connection for writing: writers queue for it in order instead of polling in SQLite's busy loop.
    write: SqlitePool,
    /// Places for pages of request records: to search or sort a million of them takes a connection for seconds.
    record_pages: Arc<Semaphore>,
    /// When [`Store::check_writable`] last succeeded.
    written: Arc<Mutex<Option<Instant>>>,
    /// A file beside the database that is written and removed to see whether there is room.
    room: PathBuf,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the database, creates it if missing, and migrates its schema. A database with data is copied to
    /// `<data_dir>/backups/` before a migration; one with a newer schema than this program knows is refused.
    pub async fn open(url: &str, data_dir: &Path) -> Result<Self, StoreError> {
        let options = Self::options(url)?;
        let is_new = !options.get_filename().exists();
        if let Some(folder) = options.get_filename().parent() {
            std::fs::create_dir_all(folder).map_err(|error| StoreError::Open(format!("{}: {error}", folder.display())))?;
        }
        if is_new {
            create_private(options.get_filename())?;
        }
        let room = options.get_filename().with_extension("room");
        let write = writer(options.clone().create_if_missing(true)).await?;
        schema::migrate(&write, &data_dir.join("backups")).await?;
        let read = SqlitePoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(Duration::from_secs(30))
            .connect_with(options)
            .await
            .map_err(|error| StoreError::Open(error.to_string()))?;
        Ok(Self { read, write, record_pages: Arc::new(Semaphore::new(RECORD_PAGES)), written: Arc::default(), room })
    }

    /// The default URL: a file in the data folder.
    pub fn default_url(data_dir: &Path) -> String {
        format!("sqlite://{}", data_dir.join("dyno.db").display())
    }

    fn options(url: &str) -> Result<SqliteConnectOptions, StoreError> {
        let scheme = url.split(':').next().unwrap_or_default();
        if scheme != "sqlite" {
            return Err(StoreError::Open(format!("the database scheme {scheme} is not supported, only sqlite is")));
        }
        Ok(SqliteConnectOptions::from_str(url)
            .map_err(|error| StoreError::Open(error.to_string()))?
            .journal_mode(SqliteJournalMode::Wal)
            // In WAL mode this is consistent; a power failure loses the last moments at most.
            .synchronous(SqliteSynchronous::Normal)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(10)))
    }

    /// Begins a write transaction at once: one that reads first and upgrades later fails if another wrote in between.
    async fn begin(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        Ok(self.write.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// Checks that the database can be written, which a full or read-only disk prevents. Writes at most once a second, since
    /// the caller is an open endpoint.
    pub async fn check_writable(&self) -> Result<(), StoreError> {
        let mut written = self.written.lock().await;
        if written.is_some_and(|at| at.elapsed() < Duration::from_secs(1)) {
            return Ok(());
        }
        // a write without effect: this number is not used
        sqlx::query("PRAGMA user_version = 0").execute(&self.write).await?;
        let tried = tokio::fs::write(&self.room, vec![0; ROOM]).await;
        // removed in any case: what was written of it takes the last room
        let removed = tokio::fs::remove_file(&self.room).await;
        tried.and(removed).map_err(|error| StoreError::Database(format!("no room on the disk: {error}")))?;
        *written = Some(Instant::now());
        Ok(())
    }

    /// The SQLite library's version, such as `3.51.3`.
    pub async fn engine_version(&self) -> Result<String, StoreError> {
        Ok(sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&self.read).await?)
    }

    /// Closes all connections after their work.
    pub async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
    }
}

/// The pool of the one connection for writing.
async fn writer(options: SqliteConnectOptions) -> Result<SqlitePool, StoreError> {
    SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(Duration::from_secs(30))
        // On a full disk SQLite ends a transaction by itself, which the driver does not notice: it would refuse every later
        // transaction of that connection. Such a connection is closed and replaced.
        .before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }))
        .connect_with(options)
        .await
        .map_err(|error| StoreError::Open(error.to_string()))
}

/// Creates the file readable by its owner only: it holds password hashes and sealed secrets.
fn create_private(file: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(file)
        .map(drop)
        .map_err(|error| StoreError::Open(format!("{}: {error}", file.display())))
}

#[cfg(test)]
impl Store {
    /// The same store as on a full disk: the database's file can't grow, and has no room left in it.
    pub(crate) async fn on_full_disk(self, url: &str) -> Result<Self, StoreError> {
        sqlx::query("CREATE TABLE filler (bytes BLOB)").execute(&self.write).await?;
        // the least that SQLite takes is the file's present size
        let write = writer(Self::options(url)?.pragma("max_page_count", "1")).await?;
        for size in [3_000, 100, 1] {
            while sqlx::query("INSERT INTO filler (bytes) VALUES (zeroblob(?))").bind(size).execute(&write).await.is_ok() {}
        }
        Ok(Self { write, ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_disk_that_was_full_and_has_room_again_is_written_to() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Store::default_url(folder.path()), folder.path()).await.unwrap();
        sqlx::query("CREATE TABLE filler (bytes BLOB)").execute(&store.write).await.unwrap();
        // limits the file's size, which SQLite reports like a full disk
        let pages: i64 = sqlx::query_scalar("PRAGMA page_count").fetch_one(&store.write).await.unwrap();
        sqlx::query(sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"))).execute(&store.write).await.unwrap();
        let fill = async |store: &Store| -> Result<(), StoreError> {
            let mut transaction = store.begin().await?;
            sqlx::query("INSERT INTO filler (bytes) VALUES (zeroblob(1000000))").execute(&mut *transaction).await?;
            Ok(transaction.commit().await?)
        };
        assert!(matches!(fill(&store).await, Err(StoreError::DiskFull)), "the file can't grow");
        // the next connection has no such limit
        fill(&store).await.unwrap();
        store.check_writable().await.unwrap();
    }

    /// The database's own write, of one page, passes on a disk that takes nothing else.
    #[tokio::test]
    async fn a_disk_without_room_is_not_writable() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Store::default_url(folder.path()), folder.path()).await.unwrap();
        store.check_writable().await.unwrap();
        assert!(!store.room.exists(), "nothing is left behind");
        // stands for a file that can't be written; permissions would not stop a superuser
        std::fs::create_dir(&store.room).unwrap();
        store.written.lock().await.take();
        assert!(store.check_writable().await.is_err());
        std::fs::remove_dir(&store.room).unwrap();
        store.check_writable().await.unwrap();
    }
}
