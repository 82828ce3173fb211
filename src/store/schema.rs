//! Migration of the database's schema.

use std::borrow::Cow;
use std::path::Path;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::SqlitePool;
use sqlx::{Row, SqlSafeStr};

use super::StoreError;

/// Every schema version, oldest first: number, name, statements. A test compares this list with the folder.
const SCHEMAS: [(i64, &str, &str); 14] = [
    (1, "initial", include_str!("../../migrations/sqlite/0001_initial.sql")),
    (2, "accounts", include_str!("../../migrations/sqlite/0002_accounts.sql")),
    (3, "form_actions", include_str!("../../migrations/sqlite/0003_form_actions.sql")),
    (4, "executors", include_str!("../../migrations/sqlite/0004_executors.sql")),
    (5, "ended_sessions", include_str!("../../migrations/sqlite/0005_ended_sessions.sql")),
    (6, "history_figures", include_str!("../../migrations/sqlite/0006_history_figures.sql")),
    (7, "simulation", include_str!("../../migrations/sqlite/0007_simulation.sql")),
    (8, "kubernetes", include_str!("../../migrations/sqlite/0008_kubernetes.sql")),
    (9, "profiles", include_str!("../../migrations/sqlite/0009_profiles.sql")),
    (10, "telemetry", include_str!("../../migrations/sqlite/0010_telemetry.sql")),
    (11, "device_prices", include_str!("../../migrations/sqlite/0011_device_prices.sql")),
    (12, "chosen_load", include_str!("../../migrations/sqlite/0012_chosen_load.sql")),
    (13, "device_specifications", include_str!("../../migrations/sqlite/0013_device_specifications.sql")),
    (14, "narrow_rates", include_str!("../../migrations/sqlite/0014_narrow_rates.sql")),
];

/// The newest schema that this program knows.
fn known() -> i64 {
    SCHEMAS.iter().map(|(version, _, _)| *version).max().unwrap_or_default()
}

fn migrator() -> Migrator {
    Migrator::with_migrations(
        SCHEMAS
            .into_iter()
            .map(|(version, name, statements)| {
                Migration::new(version, Cow::Borrowed(name), MigrationType::Simple, statements.into_sql_str(), false)
            })
            .collect(),
    )
}

/// Applies the missing migrations. Copies the database to `backups` before, unless it is empty.
pub(super) async fn migrate(pool: &SqlitePool, backups: &Path) -> Result<(), StoreError> {
    let newest = newest_applied(pool).await?;
    if let Some((found, name)) = newest.clone().filter(|(version, _)| *version > known()) {
        return Err(StoreError::NewerSchema { found, name, known: known() });
    }
    if let Some((version, _)) = newest
        && version < known()
    {
        backup(pool, backups, version).await?;
    }
    migrator().run(pool).await.map_err(|error| StoreError::Open(format!("migration: {error}")))
}

/// The newest schema in the database, with its name; `None` in an empty database.
async fn newest_applied(pool: &SqlitePool) -> Result<Option<(i64, String)>, StoreError> {
    let has_table: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = '_sqlx_migrations')")
            .fetch_one(pool)
            .await?;
    if !has_table {
        return Ok(None);
    }
    let row = sqlx::query("SELECT version, description FROM _sqlx_migrations ORDER BY version DESC LIMIT 1")
        .fetch_optional(pool)
        .await?;
    row.map(|row| Ok((row.try_get("version")?, row.try_get("description")?))).transpose()
}

async fn backup(pool: &SqlitePool, folder: &Path, version: i64) -> Result<(), StoreError> {
    std::fs::create_dir_all(folder).map_err(|error| StoreError::Open(format!("{}: {error}", folder.display())))?;
    let stamp = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S%3fZ");
    let file = folder.join(format!("schema-{version:04}-{stamp}.db"));
    copy(pool, &file).await?;
    tracing::info!(file = %file.display(), schema = version, "copied the database before its schema changes");
    Ok(())
}

/// Copies the database to a file that must not exist; readable by its owner only, like the original.
pub(super) async fn copy(pool: &SqlitePool, file: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::PermissionsExt;
    sqlx::query("VACUUM INTO ?").bind(file.display().to_string()).execute(pool).await?;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600))
        .map_err(|error| StoreError::Open(format!("{}: {error}", file.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_has_every_file_of_the_folder() {
        let folder = Path::new(file!()).parent().unwrap().join("../../migrations/sqlite");
        let mut files: Vec<String> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        files.sort();
        let listed: Vec<String> = SCHEMAS.iter().map(|(version, name, _)| format!("{version:04}_{name}.sql")).collect();
        assert_eq!(files, listed);
    }
}
