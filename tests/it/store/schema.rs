//! The database itself: version, migrations, backups.

use std::os::unix::fs::PermissionsExt;

use dyno::domain::list::ListQuery;
use dyno::domain::run::LimitsVerdict;
use dyno::store::{Store, StoreError};

use super::samples::store;

/// Older ones can corrupt a database in WAL mode.
#[tokio::test]
async fn the_library_is_new_enough() {
    let (_folder, store, _) = store().await;
    let version = store.engine_version().await.unwrap();
    let parts: Vec<u32> = version.split('.').map(|part| part.parse().unwrap()).collect();
    assert!(parts >= vec![3, 51, 3], "SQLite {version}");
}

#[tokio::test]
async fn the_database_is_its_owners_only() {
    let (folder, _store, _) = store().await;
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode & 0o077, 0, "{:?} has mode {mode:o}", entry.file_name());
    }
}

#[tokio::test]
async fn opening_again_keeps_everything_and_copies_nothing() {
    let (folder, store, _) = store().await;
    store.close().await;
    let again = Store::open(&Store::default_url(folder.path()), folder.path()).await.unwrap();
    assert_eq!(again.users().await.unwrap().len(), 3);
    assert!(!folder.path().join("backups").exists());
}

#[tokio::test]
async fn a_newer_schema_is_refused_by_name() {
    let (folder, store, _) = store().await;
    store.close().await;
    edit(
        folder.path(),
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
        VALUES (9000, 'from the future', 1, x'00', 0)",
    )
    .await;
    let refused = Store::open(&Store::default_url(folder.path()), folder.path()).await.unwrap_err();
    match &refused {
        StoreError::NewerSchema { found, name, known } => {
            assert_eq!((*found, name.as_str()), (9000, "from the future"));
            assert!(*known < 9000);
        }
        other => panic!("{other}"),
    }
    assert!(refused.to_string().contains("from the future"), "{refused}");
}

/// An older schema stands in for itself: a database whose newest migration is one that this program knows, but not its last.
#[tokio::test]
async fn an_older_database_is_copied_before_it_changes() {
    let (folder, store, _) = store().await;
    store.close().await;
    edit(folder.path(), "DELETE FROM _sqlx_migrations WHERE version > 1").await;
    // The tables are newer than the list says, so the migration itself stops; the copy has to be there before.
    Store::open(&Store::default_url(folder.path()), folder.path()).await.unwrap_err();
    let backups: Vec<_> = std::fs::read_dir(folder.path().join("backups")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(backups.len(), 1);
    assert_eq!(std::fs::metadata(&backups[0]).unwrap().permissions().mode() & 0o777, 0o600);
    let users = query(&backups[0], "SELECT count(*) FROM users").await;
    assert_eq!(users, 3, "the copy has the data");
}

#[tokio::test]
async fn other_databases_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let refused = Store::open("mysql://localhost/x", folder.path()).await.unwrap_err();
    assert!(refused.to_string().contains("mysql"), "{refused}");
}

async fn edit(folder: &std::path::Path, statement: &'static str) {
    let pool = sqlx::SqlitePool::connect(&Store::default_url(folder)).await.unwrap();
    sqlx::query(statement).execute(&pool).await.unwrap();
    pool.close().await;
}

async fn query(file: &std::path::Path, statement: &'static str) -> i64 {
    let pool = sqlx::SqlitePool::connect(&format!("sqlite://{}", file.display())).await.unwrap();
    sqlx::query_scalar(statement).fetch_one(&pool).await.unwrap()
}

/// A database of the first schema, with a person and a draft in it.
#[tokio::test]
async fn a_database_of_the_first_schema_is_brought_up_to_date() {
    use sqlx::SqlSafeStr as _;
    use sqlx::migrate::{Migration, MigrationType, Migrator};
    let folder = tempfile::tempdir().unwrap();
    let statements = include_str!("../../../migrations/sqlite/0001_initial.sql").into_sql_str();
    let first = Migration::new(1, "initial".into(), MigrationType::Simple, statements, false);
    let url = Store::default_url(folder.path());
    let pool = sqlx::SqlitePool::connect(&format!("{url}?mode=rwc")).await.unwrap();
    Migrator::with_migrations(vec![first]).run(&pool).await.unwrap();
    let [person, draft, run] = [(); 3].map(|()| uuid::Uuid::now_v7().to_string());
    let state = include_str!("../../fixtures/kept/0.1.0/draft.json").replace('\'', "''");
    for statement in [
        format!(
            "INSERT INTO users (id, name, role, password_hash, created_at) VALUES ('{person}', 'anna', 'administrator', 'x', 5)"
        ),
        format!(
            "INSERT INTO workflows (id, owner, name, revision, state, created_at, updated_at) VALUES ('{draft}', '{person}', 'hers', 3, '{state}', 5, 6)"
        ),
        format!(
            "INSERT INTO benchmarks (id, owner, name, search, model, cluster, spec, created_at) VALUES ('{draft}', '{person}', 'b', 'b', 'm', 'c', '{{}}', 5)"
        ),
        format!(
            "INSERT INTO runs (id, benchmark_id, owner, kind, status, name, search, model, cluster, creator, keeper_pid, journal_offset, spool_offset, created_at)
             VALUES ('{draft}', '{draft}', '{person}', 'measured', 'running', 'b', 'b', 'm', 'c', 'anna', 7, 100, 200, 5)"
        ),
        format!("INSERT INTO form_entries (id, owner, data, expires_at) VALUES ('{draft}', '{person}', '{{}}', 9)"),
        format!(
            "INSERT INTO benchmarks (id, owner, name, search, model, cluster, spec, created_at)
             VALUES ('{run}', '{person}', 'b', 'b', 'Qwen-7B', 'local', '{{\"tags\": [], \"serving\": {{\"engine\": \"vllm\"}}, \"load\": {{\"slo\": {{\"tpot_ms\": 9}}}}}}', 5)"
        ),
        format!(
            "INSERT INTO runs (id, benchmark_id, owner, kind, status, name, search, model, engine, cluster, creator, valid, created_at)
             VALUES ('{run}', '{run}', '{person}', 'measured', 'succeeded', 'b', 'b', 'Qwen-7B', 'vllm', 'local', 'anna', 1, 5)"
        ),
        format!(
            "INSERT INTO reports (run_id, data, created_at) VALUES ('{run}', '{{\"summary\": {{\"successful_requests\": 50,
             \"below_floor\": [\"ttft_ms.p90\"], \"ttft_ms\": {{\"p50\": 7.5, \"p90\": 9.5}}}}, \"best\": 1,
             \"load_points\": [{{\"rate\": 1.0, \"meets_slo\": true}}, {{\"rate\": 2.5}}]}}', 5)"
        ),
    ] {
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&pool).await.unwrap();
    }
    pool.close().await;

    let store = Store::open(&url, folder.path()).await.unwrap();
    let users = store.users().await.unwrap();
    assert_eq!((users.len(), users[0].name.as_str(), users[0].active, users[0].disabled), (1, "anna", true, false));
    let actor = store.actor(users[0].id).await.unwrap();
    let kept = store.workflow(&actor, draft.parse().unwrap()).await.unwrap();
    assert_eq!((kept.revision, kept.id.to_string(), kept.owner), (3, draft.clone(), actor.id));
    // A run that is at work goes on where it was read to, whoever claims it first.
    let open = store.open_runs().await.unwrap();
    assert_eq!(open[0].cursor.as_deref(), Some(r#"{"journal":100,"spool":200}"#));
    let (portal, now) = (uuid::Uuid::new_v4(), jiff::Timestamp::now());
    assert!(store.claim_run(open[0].run.id, portal, now, now).await.unwrap());
    for search in ["qwen", "VLLM"] {
        let asks = ListQuery { search: Some(search.to_owned()), ..ListQuery::default() };
        let found = store.runs(&actor, &asks).await.unwrap();
        assert_eq!(found.total, 1, "{search}");
        let row = &found.items[0];
        assert_eq!((row.ttft_p50_ms, row.ttft_p90_ms, row.tpot_p50_ms, row.steady), (Some(7.5), None, None, Some(false)));
        assert_eq!((row.chosen_load.as_deref(), row.limits), (Some("2.50 requests/s"), Some(LimitsVerdict::Undecided)));
    }
    let backups: Vec<_> = std::fs::read_dir(folder.path().join("backups")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(query(&backups[0], "SELECT count(*) FROM form_entries").await, 1, "the copy is of before");
}
