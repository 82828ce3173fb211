//! Lists of runs and benchmarks: search, filter, sort and page, all in the database.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, QueryBuilder, Row as _, Sqlite};

use super::row::{Columns as _, ms};
use super::search::contains;
use super::{Store, StoreError};
use crate::domain::list::{ListQuery, Page};
use crate::domain::run::{Run, RunRow};
use crate::domain::user::Actor;
use dyno_measure::run::RunStatus;

/// A condition around a bound value: `before ? after`. Conditions are literals of this file; values are always bound.
struct SqlCondition {
    before: &'static str,
    value: BoundValue,
    after: &'static str,
}

enum BoundValue {
    Text(String),
    Time(i64),
}

/// The conditions of a list.
pub(super) struct Filter(Vec<SqlCondition>);

impl Filter {
    pub(super) fn of_runs(actor: &Actor, query: &ListQuery) -> Result<Self, StoreError> {
        let mut filter = Self::common(actor, query)?;
        if let Some(status) = query.status.as_deref().filter(|status| !status.is_empty()) {
            status
                .parse::<RunStatus>()
                .map_err(|_| StoreError::Invalid { field: "status", message: format!("There is no status {status:?}.") })?;
        }
        filter.text("t.status = ", query.status.clone(), "");
        filter.text("t.creator = ", query.creator.clone(), " COLLATE NOCASE");
        filter.text("t.benchmark_id IN (SELECT benchmark_id FROM benchmark_tags WHERE tag = ", query.tag.clone(), ")");
        Ok(filter)
    }

    pub(super) fn of_benchmarks(actor: &Actor, query: &ListQuery) -> Result<Self, StoreError> {
        let mut filter = Self::common(actor, query)?;
        filter.text("t.owner IN (SELECT id FROM users WHERE name = ", query.creator.clone(), ")");
        filter.text("t.id IN (SELECT benchmark_id FROM benchmark_tags WHERE tag = ", query.tag.clone(), ")");
        Ok(filter)
    }

    fn common(actor: &Actor, query: &ListQuery) -> Result<Self, StoreError> {
        let mut filter = Self(Vec::new());
        if !actor.is_administrator() {
            filter.text("t.owner = ", Some(actor.id.to_string()), "");
        }
        filter.text("t.search LIKE ", query.search.as_deref().map(contains), " ESCAPE '\\'");
        filter.text("t.model = ", query.model.clone(), "");
        filter.text("t.cluster = ", query.cluster.clone(), "");
        if let Some(from) = query.from.as_deref().filter(|from| !from.is_empty()) {
            filter.time("t.created_at >= ", moment("from", from, false)?);
        }
        if let Some(to) = query.to.as_deref().filter(|to| !to.is_empty()) {
            filter.time("t.created_at < ", moment("to", to, true)?);
        }
        Ok(filter)
    }

    /// Adds a condition, unless the value is empty: forms send unset filters as empty.
    fn text(&mut self, before: &'static str, value: Option<String>, after: &'static str) {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            self.0.push(SqlCondition { before, value: BoundValue::Text(value), after });
        }
    }

    fn time(&mut self, before: &'static str, value: i64) {
        self.0.push(SqlCondition { before, value: BoundValue::Time(value), after: "" });
    }

    /// Builds the statement: `select`, the conditions, `order`.
    pub(super) fn query(&self, select: &str, order: &str) -> QueryBuilder<Sqlite> {
        let mut builder = QueryBuilder::new(select);
        builder.push("WHERE 1 = 1");
        for condition in &self.0 {
            builder.push(" AND ").push(condition.before);
            match &condition.value {
                BoundValue::Text(text) => builder.push_bind(text.clone()),
                BoundValue::Time(time) => builder.push_bind(*time),
            };
            builder.push(condition.after);
        }
        builder.push(' ').push(order);
        builder
    }
}

/// Parses a day or an instant to ms; with `end`, the end of that day.
fn moment(field: &'static str, text: &str, end: bool) -> Result<i64, StoreError> {
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Ok(ms(instant));
    }
    text.parse::<Date>()
        .and_then(|day| if end { day.checked_add(1.day()) } else { Ok(day) })
        .and_then(|day| TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0)))
        .map(ms)
        .map_err(|_| StoreError::Invalid { field, message: "Enter a day such as 2026-11-01.".to_owned() })
}

/// `ORDER BY` of a list. Column names come from `columns`, never from the query. Rows without a value come last in either
/// direction.
pub(super) fn order(query: &ListQuery, columns: &[&str]) -> Result<String, StoreError> {
    let sort = query.sort.as_deref().filter(|sort| !sort.is_empty()).unwrap_or("-created_at");
    let (name, direction) = match sort.strip_prefix('-') {
        Some(name) => (name, "DESC"),
        None => (sort, "ASC"),
    };
    let column = columns
        .iter()
        .find(|column| **column == name)
        .ok_or_else(|| StoreError::Invalid { field: "sort", message: format!("Sort by one of {}.", columns.join(", ")) })?;
    let collate = if *column == "name" { "COLLATE NOCASE " } else { "" };
    Ok(format!("ORDER BY t.{column} {collate}{direction} NULLS LAST, t.id {direction}"))
}

/// The runs with their benchmarks' tags, as [`RunRow`] has them.
const RUN_ROWS: &str =
    "SELECT t.*, (SELECT json_extract(b.spec, '$.tags') FROM benchmarks b WHERE b.id = t.benchmark_id) AS tags FROM runs t ";

/// The columns by which the history sorts.
pub(super) const RUN_SORTS: [&str; 21] = [
    "created_at",
    "started_at",
    "ended_at",
    "name",
    "status",
    "kind",
    "model",
    "engine",
    "cluster",
    "devices",
    "load",
    "creator",
    "valid",
    "output_throughput",
    "ttft_p50_ms",
    "ttft_p90_ms",
    "ttft_p99_ms",
    "tpot_p50_ms",
    "tpot_p90_ms",
    "tpot_p99_ms",
    "error_rate",
];

impl FromRow<'_, SqliteRow> for RunRow {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        let run = Run::from_row(row)?;
        Ok(Self {
            id: run.id,
            benchmark_id: run.benchmark_id,
            kind: run.kind,
            status: run.status,
            reason: run.reason,
            valid: row.try_get("valid")?,
            name: row.try_get("name")?,
            tags: row.json("tags")?,
            model: row.try_get("model")?,
            engine: row.try_get("engine")?,
            cluster: row.try_get("cluster")?,
            devices: row.try_get("devices")?,
            load: row.try_get("load")?,
            chosen_load: row.try_get("chosen_load")?,
            limits: row.opt_word("limits")?,
            output_throughput: row.try_get("output_throughput")?,
            steady: row.try_get("steady")?,
            ttft_p50_ms: row.try_get("ttft_p50_ms")?,
            ttft_p90_ms: row.try_get("ttft_p90_ms")?,
            ttft_p99_ms: row.try_get("ttft_p99_ms")?,
            tpot_p50_ms: row.try_get("tpot_p50_ms")?,
            tpot_p90_ms: row.try_get("tpot_p90_ms")?,
            tpot_p99_ms: row.try_get("tpot_p99_ms")?,
            error_rate: row.try_get("error_rate")?,
            creator: row.try_get("creator")?,
            created_at: run.created_at,
            started_at: run.started_at,
            ended_at: run.ended_at,
        })
    }
}

impl Store {
    /// A page of the runs that the actor may see.
    pub async fn runs(&self, actor: &Actor, query: &ListQuery) -> Result<Page<RunRow>, StoreError> {
        let order = order(query, &RUN_SORTS)?;
        let filter = Filter::of_runs(actor, query)?;
        let total: i64 = filter.query("SELECT count(*) FROM runs t ", "").build_query_scalar().fetch_one(&self.read).await?;
        let mut page = filter.query(RUN_ROWS, &order);
        page.push(" LIMIT ").push_bind(i64::from(query.page_size()));
        page.push(" OFFSET ").push_bind(query.offset() as i64);
        Ok(Page { items: page.build_query_as().fetch_all(&self.read).await?, total: total as u64 })
    }

    /// Of these runs those that the actor may see, newest first.
    pub async fn runs_by_id(&self, actor: &Actor, ids: &[uuid::Uuid]) -> Result<Vec<RunRow>, StoreError> {
        let ids: Vec<String> = ids.iter().map(uuid::Uuid::to_string).collect();
        let mut filter = Filter::of_runs(actor, &ListQuery::default())?;
        filter.text("t.id IN (SELECT value FROM json_each(", Some(serde_json::json!(ids).to_string()), "))");
        let mut query = filter.query(RUN_ROWS, "ORDER BY t.created_at DESC, t.id DESC");
        Ok(query.build_query_as().fetch_all(&self.read).await?)
    }

    /// What the history can be filtered by: the distinct models, clusters, tags and creators of the runs that the actor may
    /// see, each in order.
    pub async fn history_choices(&self, actor: &Actor) -> Result<[Vec<String>; 4], StoreError> {
        let owner = (!actor.is_administrator()).then(|| actor.id.to_string());
        let all = |sql: &'static str| {
            let owner = owner.clone();
            async move { sqlx::query_scalar::<_, String>(sql).bind(owner).fetch_all(&self.read).await }
        };
        Ok([
            all("SELECT DISTINCT model FROM runs WHERE ?1 IS NULL OR owner = ?1 ORDER BY 1").await?,
            all("SELECT DISTINCT cluster FROM runs WHERE ?1 IS NULL OR owner = ?1 ORDER BY 1").await?,
            all("SELECT DISTINCT g.tag FROM benchmark_tags g JOIN benchmarks b ON b.id = g.benchmark_id
                 WHERE ?1 IS NULL OR b.owner = ?1 ORDER BY 1")
            .await?,
            all("SELECT DISTINCT creator FROM runs WHERE ?1 IS NULL OR owner = ?1 ORDER BY 1").await?,
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_where_the_next_begins() {
        let begin = moment("from", "2026-11-01", false).unwrap();
        let end = moment("to", "2026-11-01", true).unwrap();
        assert_eq!(end - begin, 24 * 3600 * 1000);
        assert_eq!(moment("to", "2026-11-02T00:00:00Z", true).unwrap(), end);
        assert!(moment("to", "yesterday", true).is_err());
    }

    #[test]
    fn a_sort_is_one_of_the_columns() {
        let sort = |text: &str| order(&ListQuery { sort: Some(text.to_owned()), ..ListQuery::default() }, &RUN_SORTS);
        assert_eq!(sort("-ttft_p99_ms").unwrap(), "ORDER BY t.ttft_p99_ms DESC NULLS LAST, t.id DESC");
        assert!(sort("name; DROP TABLE runs").is_err());
    }

    #[test]
    fn wildcards_are_text() {
        assert_eq!(contains(" 50%_A "), "%50\\%\\_a%");
    }
}
