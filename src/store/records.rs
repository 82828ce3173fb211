//! Stores request records in portions and reads them back in order.

use sqlx::QueryBuilder;
use sqlx::sqlite::SqliteConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::search::contains;
use super::{Store, StoreError};
use crate::domain::list::{ListQuery, Page};
use crate::domain::user::Actor;
use dyno_measure::report::{ErrorClass, RequestRecord};

/// The columns by which records are sorted.
const SORTS: [&str; 11] = [
    "seq",
    "node",
    "load_point",
    "phase",
    "sent_unix_ns",
    "ttft_ms",
    "tpot_ms",
    "e2el_ms",
    "input_tokens",
    "output_tokens",
    "error_class",
];

/// Removes a run's records.
pub(super) async fn remove(db: &mut SqliteConnection, run: Uuid) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM request_records WHERE run_id = ?").bind(run.to_string()).execute(db).await?;
    Ok(())
}

/// Appends records to a run.
pub(super) async fn append(db: &mut SqliteConnection, run: Uuid, records: &[RequestRecord]) -> Result<(), StoreError> {
    if records.is_empty() {
        return Ok(());
    }
    let id = run.to_string();
    let last: i64 = sqlx::query_scalar("SELECT coalesce(max(seq), 0) FROM request_records WHERE run_id = ?")
        .bind(&id)
        .fetch_one(&mut *db)
        .await?;
    for (seq, record) in (last + 1..).zip(records) {
        sqlx::query(
            "INSERT INTO request_records (run_id, seq, id, node, load_point, phase, sent_unix_ns, ttft_ms, tpot_ms, e2el_ms,
             input_tokens, output_tokens, error_class, http_status, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&id)
        .bind(seq)
        .bind(&record.id)
        .bind(&record.node)
        .bind(record.load_point)
        .bind(record.phase.into_str())
        .bind(record.sent_unix_ns)
        .bind(record.ttft_ms)
        .bind(record.tpot_ms)
        .bind(record.e2el_ms)
        .bind(record.input_tokens)
        .bind(record.output_tokens)
        .bind(record.error_class.as_ref().map(ErrorClass::into_str))
        .bind(record.http_status)
        .bind(record.to_json().map_err(|error| sqlx::Error::Encode(error.into()))?)
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}

impl Store {
    /// A page of a run's records. `search` matches ids and nodes; `status` is `ok`, `error`, an error class, or a phase; sort
    /// columns are listed in [`SORTS`], the default is `seq`, the order of completion.
    pub async fn records(&self, actor: &Actor, run: Uuid, query: &ListQuery) -> Result<Page<RequestRecord>, StoreError> {
        self.run(actor, run).await?;
        let sort = query.sort.as_deref().filter(|sort| !sort.is_empty()).unwrap_or("seq");
        let (name, direction) = sort.strip_prefix('-').map_or((sort, "ASC"), |name| (name, "DESC"));
        let column = SORTS
            .iter()
            .find(|column| **column == name)
            .ok_or_else(|| StoreError::Invalid { field: "sort", message: format!("Sort by one of {}.", SORTS.join(", ")) })?;
        let filtered = |select: &str| {
            let mut builder = QueryBuilder::new(select);
            builder.push(" FROM request_records WHERE run_id = ").push_bind(run.to_string());
            if let Some(text) = query.search.as_deref().filter(|text| !text.is_empty()) {
                builder.push(" AND lower(id || ' ' || node) LIKE ").push_bind(contains(text)).push(" ESCAPE '\\'");
            }
            match query.status.as_deref() {
                None | Some("") => {}
                Some("ok") => {
                    builder.push(" AND error_class IS NULL");
                }
                Some("error") => {
                    builder.push(" AND error_class IS NOT NULL");
                }
                Some(phase @ ("warmup" | "measured")) => {
                    builder.push(" AND phase = ").push_bind(phase.to_owned());
                }
                Some(class) => {
                    builder.push(" AND error_class = ").push_bind(class.to_owned());
                }
            }
            builder
        };
        // never closed
        let _place = self.record_pages.acquire().await.ok();
        let total: i64 = filtered("SELECT count(*)").build_query_scalar().fetch_one(&self.read).await?;
        let mut page = filtered("SELECT data");
        page.push(format!(" ORDER BY {column} {direction} NULLS LAST, seq {direction} LIMIT "))
            .push_bind(i64::from(query.page_size()))
            .push(" OFFSET ")
            .push_bind(query.offset() as i64);
        let records = page.build_query_scalar().fetch_all(&self.read).await?;
        Ok(Page { items: records.into_iter().map(Json::into_inner).collect(), total: total as u64 })
    }

    /// The records of a run after the number `after`, at most `limit`, with their numbers: for exports, piece by piece.
    pub async fn records_after(
        &self,
        actor: &Actor,
        run: Uuid,
        after: i64,
        limit: u32,
    ) -> Result<Vec<(i64, RequestRecord)>, StoreError> {
        self.run(actor, run).await?;
        self.records_after_of_portal(run, after, limit).await
    }

    /// For the supervisor: the same.
    pub async fn records_after_of_portal(
        &self,
        run: Uuid,
        after: i64,
        limit: u32,
    ) -> Result<Vec<(i64, RequestRecord)>, StoreError> {
        let query = "SELECT seq, data FROM request_records WHERE run_id = ? AND seq > ? ORDER BY seq LIMIT ?";
        let lines: Vec<(i64, String)> =
            sqlx::query_as(query).bind(run.to_string()).bind(after).bind(limit).fetch_all(&self.read).await?;
        let record = |line: &str| RequestRecord::from_json(line.as_bytes()).map_err(|error| sqlx::Error::Decode(error.into()));
        lines.into_iter().map(|(seq, line)| Ok((seq, record(&line)?))).collect()
    }

    /// For the supervisor: the number of a run's records.
    pub async fn record_count_of_portal(&self, run: Uuid) -> Result<u64, StoreError> {
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM request_records WHERE run_id = ?")
            .bind(run.to_string())
            .fetch_one(&self.read)
            .await?;
        Ok(count as u64)
    }
}
