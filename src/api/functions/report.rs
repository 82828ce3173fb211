//! A run's report, and the table of its requests.

use std::collections::BTreeMap;

use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::CallError;
use crate::domain::benchmark::Benchmark;
use crate::domain::form::Flash;
use crate::domain::list::{ListQuery, Page};
use crate::domain::live::LiveRun;
use dyno_measure::repeat::Repeat;
use dyno_measure::report::{Report, RequestRecord};

/// Rows of the table of requests.
pub const REQUEST_ROWS: u32 = 25;

/// Lines of each stage's log that a report shows.
const REPORT_LOG_LINES: u32 = 200;

/// What a report's page shows, the requests aside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReportPage {
    /// The run, its stages and the ends of their logs.
    pub live: LiveRun,
    /// What was asked for.
    pub benchmark: Benchmark,
    /// What was measured; absent when nothing was.
    pub report: Option<Report>,
    /// How the load is put on again from a terminal.
    pub repeat: Option<Repeat>,
    /// What was wrong with the last action.
    pub flash: Option<Flash>,
    /// Of a simulated run: its question, to be asked again with other values.
    pub what_if: Option<WhatIfSection>,
}

/// A simulated run's question with the values that the page's address has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WhatIfSection {
    /// The text of each field, in the order of `dyno_whatif::FIELDS`.
    pub entries: Vec<String>,
    /// The answer as markup.
    pub markup: String,
    /// What stays the same, as the module in the browser reads it: numbers with spaces between.
    pub subject: String,
    /// Where that module is; absent where it was not built.
    pub program: Option<String>,
    /// The degrees of tensor parallelism that are offered, with whether they are possible.
    pub degrees: Vec<(u32, bool)>,
    pub device: String,
    /// Whether the run's own figures come out at its own values.
    pub is_same_load: bool,
}

#[cfg(feature = "ssr")]
impl WhatIfSection {
    async fn of(app: &crate::state::AppState, report: &Report, sliders: BTreeMap<String, String>) -> Option<Self> {
        let found = crate::simulation::simulated_subject(report)?;
        let program = app.what_if_program.clone();
        let answer = move || {
            let entries = found.entries(&sliders);
            let numbers: Vec<String> = found.subject.to_numbers().iter().map(ToString::to_string).collect();
            Self {
                markup: found.answer(&entries),
                entries,
                subject: numbers.join(" "),
                program,
                degrees: found.degrees(),
                device: found.device_words(),
                is_same_load: found.is_same_load,
            }
        };
        // If the computation fails, the section is left out.
        tokio::task::spawn_blocking(answer).await.ok()
    }
}

#[server(endpoint = "ui/runs/report", input = server_fn::codec::Json)]
pub async fn load_report(id: Uuid, flash: String, sliders: BTreeMap<String, String>) -> Result<ReportPage, CallError> {
    use crate::api::calls::{benchmarks, runs};
    let (app, actor) = crate::auth::context()?;
    let mut live = runs::live(&app, &actor, id, REPORT_LOG_LINES, 1).await?;
    let benchmark = benchmarks::get(&app, &actor, live.run.benchmark_id).await?;
    let report = match live.report.take() {
        Some(report) => Some(*report),
        None => runs::report_if_any(&app, &actor, id).await?,
    };
    let repeat = report.as_ref().and_then(|report| runs::repeat(id, report));
    let what_if = match &report {
        Some(report) => WhatIfSection::of(&app, report, sliders).await,
        None => None,
    };
    live.points.clear();
    Ok(ReportPage { live, benchmark, report, repeat, flash: super::forms::kept(&flash).await, what_if })
}

/// A page of the table of requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RequestPage {
    pub page: Page<RequestRecord>,
    /// When the first measured request was sent: times of the table count from there.
    pub origin_unix_ns: Option<i64>,
}

/// A page of a run's requests.
#[server(endpoint = "ui/runs/requests", input = server_fn::codec::Json)]
pub async fn load_requests(id: Uuid, query: ListQuery) -> Result<RequestPage, CallError> {
    use crate::api::calls::runs;
    let (app, actor) = crate::auth::context()?;
    let first = ListQuery {
        status: Some("measured".to_owned()),
        sort: Some("sent_unix_ns".to_owned()),
        page_size: Some(1),
        ..ListQuery::default()
    };
    let first = runs::requests(&app, &actor, id, first).await?;
    let query = ListQuery { page_size: Some(query.page_size.unwrap_or(REQUEST_ROWS)), ..query };
    Ok(RequestPage {
        page: runs::requests(&app, &actor, id, query).await?,
        origin_unix_ns: first.items.first().and_then(|record| record.sent_unix_ns),
    })
}
